//! Samples on disk: an append-only head for the open day, one immutable file per closed day.
//!
//! A head row is `begin (i64) · checksum (u32) · one f32 per column`, little endian; a torn last row is cut off when the store is
//! opened. A closed day holds the same values column by column.

use super::physics::Readings;
use super::world::STEP;
use crate::infrastructure::service_id;
use crate::metrics::Frames;
use headroom_model::metric::Metric;
use headroom_model::service::ServiceKey;
use headroom_model::time::DAY;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Bytes before the values of a head row.
const PREFIX: usize = 12;

/// The samples of a cluster.
pub struct Samples {
    dir: PathBuf,
    /// Service index and metric of each column.
    columns: Vec<(usize, Metric)>,
    ids: Vec<headroom_model::ids::ServiceId>,
    head: File,
    /// Begin of the head's first row; the rows follow without holes.
    head_from: i64,
    /// The head's values, row by row.
    rows: Vec<f32>,
    /// End of the newest interval.
    until: i64,
    /// Begin of the oldest interval.
    begin: i64,
}

impl Samples {
    /// Opens the samples in `dir`; `metrics` names the columns of each service, `begin` is the first interval there ever was.
    ///
    /// # Errors
    /// When files cannot be read or written.
    pub fn open(dir: &Path, keys: &[ServiceKey], metrics: &[Vec<Metric>], begin: i64) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let columns = metrics.iter().enumerate().flat_map(|(i, ms)| ms.iter().map(move |m| (i, *m))).collect();
        let ids = keys.iter().map(service_id).collect();
        let head = OpenOptions::new().create(true).read(true).append(true).open(dir.join("head"))?;
        let mut out = Self { dir: dir.to_owned(), columns, ids, head, head_from: begin, rows: Vec::new(), until: begin, begin };
        out.recover()?;
        Ok(out)
    }

    /// Reads the head, cuts off a torn row, and skips rows that a day's file already holds.
    fn recover(&mut self) -> io::Result<()> {
        let width = PREFIX + 4 * self.columns.len();
        let mut bytes = Vec::new();
        (&self.head).read_to_end(&mut bytes)?;
        let closed = self.closed_until();
        (self.head_from, self.until) = (closed, closed);
        let mut good = 0;
        for row in bytes.chunks_exact(width) {
            let at = i64::from_le_bytes(row[..8].try_into().expect("eight bytes"));
            let sum = u32::from_le_bytes(row[8..PREFIX].try_into().expect("four bytes"));
            if sum != checksum(at, &row[PREFIX..]) || (at >= closed && at != self.until) {
                break;
            }
            good += width;
            if at >= closed {
                self.rows.extend(row[PREFIX..].chunks_exact(4).map(|c| f32::from_le_bytes(c.try_into().expect("four bytes"))));
                self.until = at + STEP;
            }
        }
        if good < bytes.len() {
            tracing::warn!(bytes = bytes.len() - good, "a torn row at the end of the samples was cut off");
            self.head.set_len(good as u64)?;
        }
        Ok(())
    }

    fn closed_until(&self) -> i64 {
        let mut day = self.begin.div_euclid(DAY);
        while self.file_of(day).exists() {
            day += 1;
        }
        (day * DAY).max(self.begin)
    }

    fn file_of(&self, day: i64) -> PathBuf {
        self.dir.join(format!("day-{day}"))
    }

    /// End of the newest interval, seconds since the epoch.
    #[must_use]
    pub fn until(&self) -> i64 {
        self.until
    }

    /// Adds the interval that begins at `at`; one that is there already is left as it is. Where samples before it were lost with the end
    /// of the head, there is a gap.
    ///
    /// # Errors
    /// When the head cannot be written.
    pub fn append(&mut self, at: i64, readings: &[Readings]) -> io::Result<()> {
        while self.until < at {
            self.put(self.until, vec![f32::NAN; self.columns.len()])?;
        }
        if at < self.until {
            return Ok(());
        }
        self.put(at, self.columns.iter().map(|(service, metric)| readings[*service][*metric as usize]).collect())
    }

    fn put(&mut self, at: i64, values: Vec<f32>) -> io::Result<()> {
        let from = self.rows.len();
        self.rows.extend(values);
        let mut row = Vec::with_capacity(PREFIX + 4 * self.columns.len());
        row.extend_from_slice(&[0; PREFIX]);
        self.rows[from..].iter().for_each(|v| row.extend_from_slice(&v.to_le_bytes()));
        row[..8].copy_from_slice(&at.to_le_bytes());
        let sum = checksum(at, &row[PREFIX..]);
        row[8..PREFIX].copy_from_slice(&sum.to_le_bytes());
        self.head.write_all(&row)?;
        self.until = at + STEP;
        if self.until.rem_euclid(DAY) == 0 { self.close_day() } else { Ok(()) }
    }

    /// Turns the head into the file of its day.
    fn close_day(&mut self) -> io::Result<()> {
        let day = self.head_from.div_euclid(DAY);
        let (path, draft) = (self.file_of(day), self.dir.join("day.draft"));
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&draft)?);
        let rows = self.rows.len() / self.columns.len().max(1);
        for column in 0..self.columns.len() {
            for row in 0..rows {
                file.write_all(&self.rows[row * self.columns.len() + column].to_le_bytes())?;
            }
        }
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(draft, path)?;
        self.head.set_len(0)?;
        self.rows.clear();
        self.head_from = self.until;
        Ok(())
    }

    /// A view of `[from, to)` that can be read without holding the cluster: the head's part is copied, closed days are named.
    #[must_use]
    pub fn view(&self, from: i64, to: i64) -> View {
        let up = |t: i64| t.div_euclid(STEP) * STEP + if t.rem_euclid(STEP) > 0 { STEP } else { 0 };
        let from = up(from).max(self.begin);
        let to = (to.div_euclid(STEP) * STEP).min(self.until).max(from);
        let mut parts = Vec::new();
        let mut at = from;
        while at < to && at < self.head_from {
            let day = at.div_euclid(DAY);
            let (begin, end) = ((day * DAY).max(self.begin), ((day + 1) * DAY).min(self.head_from));
            parts.push(Part {
                file: self.file_of(day),
                rows: ((end - begin) / STEP) as usize,
                skip: ((at - begin) / STEP) as usize,
                take: ((end.min(to) - at) / STEP) as usize,
            });
            at = end.min(to);
        }
        let width = self.columns.len();
        let (a, b) = if at < to { ((at - self.head_from) / STEP, (to - self.head_from) / STEP) } else { (0, 0) };
        let head = self.rows.get(a as usize * width..b as usize * width).unwrap_or_default().to_vec();
        let columns = self.columns.iter().map(|(i, m)| (self.ids[*i], *m)).collect();
        View { from, columns, parts, head }
    }
}

/// What a range query needs.
pub struct View {
    from: i64,
    columns: Vec<(headroom_model::ids::ServiceId, Metric)>,
    parts: Vec<Part>,
    head: Vec<f32>,
}

/// Rows `skip .. skip + take` of the `rows` in each column of a file.
struct Part {
    file: PathBuf,
    rows: usize,
    skip: usize,
    take: usize,
}

impl View {
    /// Reads it.
    ///
    /// # Errors
    /// When a day's file cannot be read or has another size than its columns need.
    pub fn read(&self) -> io::Result<Frames> {
        let width = self.columns.len();
        let total = self.parts.iter().map(|p| p.take).sum::<usize>() + self.head.len() / width.max(1);
        let mut columns: Vec<_> = self.columns.iter().map(|(id, metric)| (*id, *metric, Vec::with_capacity(total))).collect();
        for part in &self.parts {
            let bytes = fs::read(&part.file)?;
            if bytes.len() != part.rows * width * 4 {
                let fault = "the day's samples are damaged: end the simulator, move its directory away and start it anew";
                let (file, size) = (part.file.display(), bytes.len());
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{file} has {size} bytes: {fault}")));
            }
            for (column, (_, _, values)) in columns.iter_mut().enumerate() {
                let from = (column * part.rows + part.skip) * 4;
                values.extend(
                    bytes[from..from + part.take * 4].chunks_exact(4).map(|c| f32::from_le_bytes(c.try_into().expect("four bytes"))),
                );
            }
        }
        for row in self.head.chunks_exact(width.max(1)) {
            columns.iter_mut().zip(row).for_each(|((_, _, values), v)| values.push(*v));
        }
        Ok(Frames { step: STEP as u32, from: self.from, columns })
    }
}

/// FNV-1a over words, enough to tell a torn row from a whole one.
fn checksum(at: i64, bytes: &[u8]) -> u32 {
    let step = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
    let words = bytes.chunks_exact(4).map(|c| u64::from(u32::from_le_bytes(c.try_into().expect("four bytes"))));
    let hash = words.fold(step(0xcbf2_9ce4_8422_2325, at as u64), step);
    (hash ^ (hash >> 32)) as u32
}
