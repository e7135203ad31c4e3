//! What can go wrong while bundling, and what to do about it.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

/// A failure of the bundler.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Started somewhere else.
    #[error("start it from the workspace root (where Cargo.toml and frontend/ are), or use `make site`")]
    WrongDirectory,
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A tool is not there.
    #[error("cannot start {tool}: {source}; `scripts/toolchain.sh` installs it")]
    Missing {
        /// Its name.
        tool: String,
        /// Why.
        source: io::Error,
    },
    /// A tool ran and failed; it has already said why.
    #[error("{tool} failed ({status})")]
    Failed {
        /// Its name.
        tool: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// wasm-bindgen refused the module.
    #[error("wasm-bindgen: {0}")]
    Bindgen(String),
}

/// Attaches the path to an I/O error.
pub trait At<T> {
    /// Names the file that `self` is about.
    fn at(self, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::File { path: path.into(), source })
    }
}

/// Runs a command to its end, its output going to the terminal.
pub fn run(command: &mut Command) -> Result<(), Error> {
    let name = command_name(command);
    let status = command.status().map_err(|source| Error::Missing { tool: name.clone(), source })?;
    if status.success() { Ok(()) } else { Err(Error::Failed { tool: name, status }) }
}

fn command_name(command: &Command) -> String {
    Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned()
}
