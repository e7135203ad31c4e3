//! The page itself: Rust to WASM to something small.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::{
    Mode, Paths,
    assets::esbuild,
    error::{At, Error, run},
    site::Site,
};

/// What rustc emits for wasm32 by default; wasm-opt must be told.
const WASM_FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// Builds `headroom-frontend` and adds its module (`wasm`) and its loader (`js`) to the site.
pub fn build(paths: &Paths, mode: Mode, site: &mut Site) -> Result<(), Error> {
    let compiled = compile(&paths.target, mode)?;
    let out = paths.target.join(if mode == Mode::Release { "bundle/page" } else { "bundle/page-dev" });
    let (wasm, js) = (out.join("headroom_bg.wasm"), out.join("loader.js"));
    let key = hex::encode(Sha256::digest(&compiled));
    let seal = out.join("seal");
    if fs::read_to_string(&seal).ok().as_deref() != Some(&key) {
        bind(compiled, &out)?;
        if mode == Mode::Release {
            optimise(&paths.frontend, &wasm)?;
        }
        // One file, with the snippets that crates bring along.
        run(esbuild(&paths.frontend, mode).arg(out.join("headroom.js")).arg(format!("--outfile={}", js.display())))?;
        fs::write(&seal, key).at(&seal)?;
    }
    site.add("wasm", "headroom", "wasm", fs::read(&wasm).at(&wasm)?);
    site.add("js", "headroom", "js", fs::read(&js).at(&js)?);
    Ok(())
}

/// Compiles the entry point for the browser; returns the raw module.
fn compile(target: &Path, mode: Mode) -> Result<Vec<u8>, Error> {
    let (profile, folder) = if mode == Mode::Release { ("wasm-release", "wasm-release") } else { ("dev", "debug") };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new(cargo).args(["build", "--package", "headroom-frontend", "--target", "wasm32-unknown-unknown", "--profile", profile]))?;
    let path: PathBuf = target.join("wasm32-unknown-unknown").join(folder).join("headroom_frontend.wasm");
    fs::read(&path).at(&path)
}

/// Generates the JavaScript side into `out`: `headroom.js`, `headroom_bg.wasm`, snippets.
fn bind(module: Vec<u8>, out: &Path) -> Result<(), Error> {
    if out.exists() {
        fs::remove_dir_all(out).at(out)?;
    }
    fs::create_dir_all(out).at(out)?;
    let generate = || {
        Bindgen::new()
            .input_bytes("headroom", module)
            .web(true)?
            .typescript(false)
            .omit_default_module_path(true)
            .remove_name_section(true)
            .remove_producers_section(true)
            .generate(out)
    };
    generate().map_err(|error| Error::Bindgen(format!("{error:#}")))
}

/// Shrinks the module in place.
fn optimise(frontend: &Path, wasm: &Path) -> Result<(), Error> {
    run(Command::new(frontend.join("node_modules/.bin/wasm-opt")).arg("-Oz").args(WASM_FEATURES).arg(wasm).arg("--output").arg(wasm))
}
