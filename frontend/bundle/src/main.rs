//! Builds the site that the server embeds: `headroom-bundle [--dev]`, from the workspace root.
//!
//! ```text
//! headroom-frontend ─ cargo ─ wasm-bindgen ─ wasm-opt ┐
//! style/main.css ──────────── esbuild ────────────────┼─ content-hashed names ─ .br, .gz ─ target/site/pkg/
//! frontend/chart/chart.js ─── esbuild ────────────────┘
//! frontend/public/* ──────────────────────────────────────────────────────────── target/site/
//! ```
//! `target/site/manifest.json` names the hashed files; see [`site::Site::manifest`]. Nothing is written that has not
//! changed, so that the server, which embeds these files, is rebuilt only when they did. `--dev` skips optimising and compressing.

mod assets;
mod error;
mod page;
mod site;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use error::Error;
use site::Site;

/// How much work goes into the result.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Small: optimised, minified, compressed.
    Release,
    /// Quick: readable and uncompressed.
    Dev,
}

/// Where things are, relative to the workspace root.
struct Paths {
    /// Cargo's target directory.
    target: PathBuf,
    /// `frontend/`, which holds the npm packages.
    frontend: PathBuf,
    /// The main style sheet.
    style: PathBuf,
}

fn main() -> ExitCode {
    let mode = if std::env::args().any(|arg| arg == "--dev") { Mode::Dev } else { Mode::Release };
    match bundle(mode) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("headroom-bundle: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bundle(mode: Mode) -> Result<(), Error> {
    let start = Instant::now();
    let paths = Paths {
        target: std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from),
        frontend: "frontend".into(),
        style: "style/main.css".into(),
    };
    if !Path::new("frontend/package.json").exists() {
        return Err(Error::WrongDirectory);
    }
    let mut site = Site::default();
    assets::build(&paths, mode, &mut site)?;
    page::build(&paths, mode, &mut site)?;
    let sizes = site.publish(&paths.target.join("site"), &paths.frontend.join("public"), mode == Mode::Release)?;
    for size in sizes {
        println!("{size}");
    }
    println!("site ready in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}
