//! The style sheet with its fonts, and the chart script, through esbuild.

use std::{fs, path::Path, process::Command};

use crate::{
    Mode, Paths,
    error::{At, Error, run},
    site::Site,
};

/// Bundles `style/main.css` (its `@import`s become one file) and `frontend/chart/chart.js`, and adds both and the fonts to the site.
pub fn build(paths: &Paths, mode: Mode, site: &mut Site) -> Result<(), Error> {
    let out = paths.target.join("bundle/assets");
    if out.exists() {
        fs::remove_dir_all(&out).at(&out)?;
    }
    run(esbuild(&paths.frontend, mode)
        .args([&paths.style, &paths.frontend.join("chart/chart.js")])
        .args(["--entry-names=[name]", "--asset-names=[name].[hash]", "--loader:.woff2=file"])
        .arg(format!("--outdir={}", out.display())))?;
    for entry in fs::read_dir(&out).at(&out)? {
        let path = entry.at(&out)?.path();
        let bytes = fs::read(&path).at(&path)?;
        match path.file_name().and_then(|name| name.to_str()).unwrap_or_default() {
            "main.css" => site.add("css", "headroom", "css", bytes),
            "chart.js" => site.add("chart", "chart", "js", bytes),
            font => site.add_font(font, bytes),
        }
    }
    Ok(())
}

/// An esbuild invocation that bundles ES modules and finds npm packages in `frontend/`, wherever the importing file lies.
pub fn esbuild(frontend: &Path, mode: Mode) -> Command {
    let mut command = Command::new(frontend.join("node_modules/.bin/esbuild"));
    let modules = frontend.join("node_modules");
    command.env("NODE_PATH", fs::canonicalize(&modules).unwrap_or(modules));
    command.args(["--bundle", "--format=esm", "--target=es2022", "--log-level=warning", "--legal-comments=none"]);
    if mode == Mode::Release {
        command.arg("--minify");
    }
    command
}
