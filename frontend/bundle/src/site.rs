//! The finished site: names that carry a hash of their content, compressed copies, and the manifest that the server reads.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    thread,
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::{At, Error};

/// Characters of the hash that go into a name: 64 bits, no collision to fear among a handful of files.
const HASH_LENGTH: usize = 16;

/// Files on their way into `pkg/`.
#[derive(Default)]
pub struct Site {
    files: BTreeMap<String, Vec<u8>>,
    roles: BTreeMap<&'static str, String>,
    fonts: Vec<String>,
}

impl Site {
    /// Adds a file under `<stem>.<hash>.<extension>` and remembers it in the manifest as `role`.
    pub fn add(&mut self, role: &'static str, stem: &str, extension: &str, bytes: Vec<u8>) {
        let hash = hex::encode(Sha256::digest(&bytes));
        let name = format!("{stem}.{}.{extension}", &hash[..HASH_LENGTH]);
        self.roles.insert(role, name.clone());
        self.files.insert(name, bytes);
    }

    /// Adds a font, whose name already carries its hash because the style sheet refers to it.
    pub fn add_font(&mut self, name: &str, bytes: Vec<u8>) {
        self.fonts.push(name.to_owned());
        self.fonts.sort();
        self.files.insert(name.to_owned(), bytes);
    }

    /// What the server needs to know: `{"js", "wasm", "css", "chart", "fonts": [..]}`, names relative to `/pkg/`.
    pub fn manifest(&self) -> Value {
        let mut manifest = json!(self.roles);
        manifest["fonts"] = json!(self.fonts);
        manifest
    }

    /// Writes `pkg/`, the public files and `manifest.json` under `root`, removes what is no longer part of them, and
    /// returns one line about each file's size. Files that have not changed keep their time stamp.
    pub fn publish(&self, root: &Path, public: &Path, compress: bool) -> Result<Vec<String>, Error> {
        let mut wanted = Vec::new();
        let mut jobs: Vec<(PathBuf, Vec<u8>)> =
            self.files.iter().map(|(name, bytes)| (root.join("pkg").join(name), bytes.clone())).collect();
        for entry in fs::read_dir(public).at(public)? {
            let path = entry.at(public)?.path();
            let name = path.file_name().unwrap_or_default();
            jobs.push((root.join(name), fs::read(&path).at(&path)?));
        }
        let pkg = root.join("pkg");
        fs::create_dir_all(&pkg).at(&pkg)?;
        let results: Vec<_> = thread::scope(|scope| {
            let handles: Vec<_> = jobs.iter().map(|(path, bytes)| scope.spawn(move || write(path, bytes, compress))).collect();
            handles.into_iter().map(|handle| handle.join().expect("a writer does not panic")).collect()
        });
        let mut lines = Vec::new();
        for result in results {
            let (paths, line) = result?;
            wanted.extend(paths);
            lines.push(line);
        }
        let manifest = root.join("manifest.json");
        write_if_changed(&manifest, self.manifest().to_string().as_bytes())?;
        wanted.push(manifest);
        prune(root, &wanted)?;
        prune(&pkg, &wanted)?;
        Ok(lines)
    }
}

/// Writes one file and its compressed copies; returns their paths and a line about their sizes.
fn write(path: &Path, bytes: &[u8], compress: bool) -> Result<(Vec<PathBuf>, String), Error> {
    let unchanged = !write_if_changed(path, bytes)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut written = vec![path.to_path_buf()];
    let mut line = format!("{:>9} B  {name}", bytes.len());
    if compress && worth_compressing(&name) {
        for (extension, encode) in [("br", brotli as fn(&[u8]) -> Vec<u8>), ("gz", gzip)] {
            let copy = path.with_file_name(format!("{name}.{extension}"));
            if !(unchanged && copy.exists()) {
                write_if_changed(&copy, &encode(bytes))?;
            }
            let size = fs::metadata(&copy).at(&copy)?.len();
            line += &format!("  {extension} {size}");
            written.push(copy);
        }
    }
    Ok((written, line))
}

fn worth_compressing(name: &str) -> bool {
    [".wasm", ".js", ".css", ".svg", ".txt", ".json", ".webmanifest"].iter().any(|end| name.ends_with(end))
}

/// Writes unless the file already holds these bytes; says whether it wrote.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool, Error> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    fs::write(path, bytes).at(path).map(|()| true)
}

/// Removes the files of a folder that are not wanted.
fn prune(folder: &Path, wanted: &[PathBuf]) -> Result<(), Error> {
    for entry in fs::read_dir(folder).at(folder)? {
        let path = entry.at(folder)?.path();
        if path.is_file() && !wanted.contains(&path) {
            fs::remove_file(&path).at(&path)?;
        }
    }
    Ok(())
}

/// Brotli at its best: seconds now, less to send for ever.
fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let params = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    brotli::BrotliCompress(&mut &*bytes, &mut out, &params).expect("writing to memory does not fail");
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("writing to memory does not fail");
    encoder.finish().expect("writing to memory does not fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(css: &[u8], root: &Path, compress: bool) -> Value {
        let public = root.join("public");
        fs::create_dir_all(&public).unwrap();
        fs::write(public.join("favicon.svg"), "<svg/>").unwrap();
        let mut site = Site::default();
        site.add("css", "headroom", "css", css.to_vec());
        site.add_font("inter.AAAA.woff2", vec![1, 2, 3]);
        site.publish(&root.join("site"), &public, compress).unwrap();
        serde_json::from_slice(&fs::read(root.join("site/manifest.json")).unwrap()).unwrap()
    }

    #[test]
    fn a_changed_file_gets_a_new_name_and_the_old_one_goes() {
        let root = tempfile::tempdir().unwrap();
        let first = published(b"a{}", root.path(), true);
        let second = published(b"b{}", root.path(), true);
        assert_ne!(first["css"], second["css"]);
        assert_eq!(second["fonts"], json!(["inter.AAAA.woff2"]));
        let pkg = root.path().join("site/pkg");
        assert!(!pkg.join(first["css"].as_str().unwrap()).exists());
        let mut names: Vec<_> = fs::read_dir(&pkg).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let css = second["css"].as_str().unwrap();
        assert_eq!(names, [css.to_owned(), format!("{css}.br"), format!("{css}.gz"), "inter.AAAA.woff2".to_owned()]);
        assert!(root.path().join("site/favicon.svg").exists());
    }

    #[test]
    fn compressed_copies_hold_the_same_bytes() {
        let root = tempfile::tempdir().unwrap();
        let text = b"body { color: red } ".repeat(50);
        let css = published(&text, root.path(), true)["css"].as_str().unwrap().to_owned();
        let pkg = root.path().join("site/pkg");
        let mut plain = Vec::new();
        let packed = fs::read(pkg.join(format!("{css}.br"))).unwrap();
        assert!(packed.len() < text.len() / 4);
        brotli::BrotliDecompress(&mut packed.as_slice(), &mut plain).unwrap();
        assert_eq!(plain, text);
        let mut unpacked = Vec::new();
        let packed = fs::read(pkg.join(format!("{css}.gz"))).unwrap();
        std::io::copy(&mut flate2::read::GzDecoder::new(packed.as_slice()), &mut unpacked).unwrap();
        assert_eq!(unpacked, text);
    }

    #[test]
    fn an_unchanged_site_is_not_touched_and_dev_leaves_no_stale_compressed_copy() {
        let root = tempfile::tempdir().unwrap();
        published(b"a{}", root.path(), true);
        let manifest = root.path().join("site/manifest.json");
        let before = fs::metadata(&manifest).unwrap().modified().unwrap();
        let names = published(b"a{}", root.path(), false);
        assert_eq!(fs::metadata(&manifest).unwrap().modified().unwrap(), before);
        assert!(!root.path().join("site/pkg").join(format!("{}.br", names["css"].as_str().unwrap())).exists());
    }
}
