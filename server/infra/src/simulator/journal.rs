//! The simulator's memory: the world, a snapshot of what changes, every write, and the clock.
//!
//! `world.json` is written once, `snapshot.json` is replaced as a whole, `journal.jsonl` only grows and is synced to disk before a
//! write is answered, `clock` is overwritten whenever the clock is told to anyone.

use super::cluster::Snapshot;
use super::world::World;
use crate::infrastructure::Purpose;
use headroom_model::ids::ChangeId;
use headroom_model::plan::FieldChange;
use headroom_model::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Something that was done to the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Cluster time.
    pub at: Timestamp,
    /// Index of the service in the world.
    pub service: usize,
    /// What was done.
    pub act: Act,
}

/// What can be done to the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Act {
    /// A change wrote.
    Change {
        /// Which.
        change: ChangeId,
        /// Why.
        purpose: Purpose,
        /// The object's id at that time.
        uid: String,
        /// What.
        changes: Vec<FieldChange>,
    },
    /// Someone else wrote, as `kubectl edit` would.
    Edit {
        /// What.
        changes: Vec<FieldChange>,
    },
    /// Someone deleted the object and made it anew.
    Recreate,
    /// Someone deployed another version.
    Deploy {
        /// Which.
        version: String,
    },
    /// A change that has not written is not to write any more.
    ShutOut {
        /// Which.
        change: ChangeId,
    },
}

/// The files.
pub struct Journal {
    dir: PathBuf,
    log: File,
    clock: File,
}

/// The clock as it was last told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SavedClock {
    /// Cluster time.
    pub at: Timestamp,
    /// Cluster seconds per wall second.
    pub speed: f64,
}

impl Journal {
    /// Opens the journal in `dir` and gives what was done so far; a torn last line is cut off.
    ///
    /// # Errors
    /// When files cannot be read or written, or a line before the last is not an entry.
    pub fn open(dir: &Path) -> io::Result<(Self, Vec<Entry>)> {
        fs::create_dir_all(dir)?;
        let mut log = OpenOptions::new().create(true).read(true).append(true).open(dir.join("journal.jsonl"))?;
        let clock = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(dir.join("clock"))?;
        let mut text = Vec::new();
        log.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        if whole < text.len() {
            tracing::warn!(bytes = text.len() - whole, "a torn line at the end of the journal was cut off");
            log.set_len(whole as u64)?;
        }
        let parse = |(i, line): (usize, &[u8])| {
            serde_json::from_slice(line)
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("journal.jsonl: line {}: {e}", i + 1)))
        };
        let lines = text[..whole].split(|b| *b == b'\n').filter(|l| !l.is_empty());
        let entries = lines.enumerate().map(parse).collect::<io::Result<Vec<Entry>>>()?;
        Ok((Self { dir: dir.to_owned(), log, clock }, entries))
    }

    /// Adds an entry and returns once it is on disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.log.write_all(&line)?;
        self.log.sync_data()
    }

    /// Remembers the clock.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save_clock(&mut self, clock: SavedClock) -> io::Result<()> {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&clock.at.micros().to_le_bytes());
        bytes[8..].copy_from_slice(&clock.speed.to_le_bytes());
        self.clock.rewind()?;
        self.clock.write_all(&bytes)
    }

    /// The clock as it was last told; `None` before the first time.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn clock(&mut self) -> io::Result<Option<SavedClock>> {
        let mut bytes = Vec::new();
        self.clock.rewind()?;
        self.clock.read_to_end(&mut bytes)?;
        let Ok(bytes) = <[u8; 16]>::try_from(bytes) else { return Ok(None) };
        let micros = i64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
        let speed = f64::from_le_bytes(bytes[8..].try_into().expect("eight bytes"));
        Ok(Some(SavedClock { at: Timestamp::from_micros(micros), speed }))
    }

    /// The stored world, if there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn world(&self) -> io::Result<Option<World>> {
        self.load("world.json")
    }
    /// Stores the world.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save_world(&self, world: &World) -> io::Result<()> {
        self.store("world.json", world)
    }
    /// The newest snapshot, if there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn snapshot(&self) -> io::Result<Option<Snapshot>> {
        self.load("snapshot.json")
    }
    /// Replaces the snapshot.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save_snapshot(&self, snapshot: &Snapshot) -> io::Result<()> {
        self.store("snapshot.json", snapshot)
    }

    fn load<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        match File::open(self.dir.join(name)) {
            Ok(file) => Ok(Some(serde_json::from_reader(BufReader::with_capacity(1 << 20, file))?)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Written beside and renamed, so that there is always a whole one.
    fn store<T: Serialize>(&self, name: &str, value: &T) -> io::Result<()> {
        let draft = self.dir.join(format!("{name}.draft"));
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&draft)?);
        serde_json::to_writer(&mut file, value)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()?;
        fs::rename(draft, self.dir.join(name))
    }
}
