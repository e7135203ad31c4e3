//! Rows of a CSV file that people bring, plain or gzip, with their line numbers.

use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// A file that cannot be read: nothing of it was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {}{fault}", if *line == 0 { String::new() } else { format!("line {line}: ") })]
pub struct ImportError {
    /// The file's name, `-` for standard input.
    pub file: String,
    /// The line, the header being 1; 0 when the file could not be opened.
    pub line: u64,
    /// What is wrong, and what would be right.
    pub fault: String,
}

/// Longest line, bytes.
const LONGEST_LINE: u64 = 65_536;

/// Rows with their true line numbers (a quoted field may not hold a line break).
pub struct Rows<'a> {
    source: Box<dyn BufRead + 'a>,
    /// The line last read, the header being 1.
    pub line: u64,
    buffer: Vec<u8>,
}

/// Opens a file, plain or gzip; `-` is standard input.
///
/// # Errors
/// [`ImportError`] when it cannot be opened.
pub fn open(path: &Path) -> Result<Rows<'static>, ImportError> {
    let name = path.display().to_string();
    if name == "-" {
        return Ok(Rows::new(std::io::stdin().lock()));
    }
    let file = File::open(path).map_err(|e| ImportError { file: name, line: 0, fault: format!("cannot be opened: {e}") })?;
    Ok(Rows::new(file))
}

impl<'a> Rows<'a> {
    /// Rows from anywhere, plain or gzip.
    pub fn new(source: impl Read + 'a) -> Self {
        let mut buffered = BufReader::with_capacity(1 << 18, source);
        let zipped = buffered.fill_buf().is_ok_and(|head| head.starts_with(&[0x1f, 0x8b]));
        let source: Box<dyn BufRead + 'a> =
            if zipped { Box::new(BufReader::with_capacity(1 << 18, MultiGzDecoder::new(buffered))) } else { Box::new(buffered) };
        Self { source, line: 0, buffer: Vec::new() }
    }

    /// Reads the next row that is not blank; `false` at the end.
    ///
    /// # Errors
    /// What is wrong with the line [`Rows::line`].
    pub fn next(&mut self, record: &mut csv::ByteRecord) -> Result<bool, String> {
        loop {
            self.buffer.clear();
            self.line += 1;
            let read =
                (&mut self.source).take(LONGEST_LINE).read_until(b'\n', &mut self.buffer).map_err(|e| format!("cannot be read: {e}"))?;
            if read == 0 {
                return Ok(false);
            }
            if read as u64 == LONGEST_LINE {
                return Err(format!("the line is longer than {LONGEST_LINE} bytes"));
            }
            if !self.buffer.trim_ascii().is_empty() {
                break;
            }
        }
        while self.buffer.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
            self.buffer.pop();
        }
        if self.buffer.contains(&b'"') {
            let mut quoted = csv::ReaderBuilder::new().has_headers(false).from_reader(&self.buffer[..]);
            return quoted.read_byte_record(record).map_err(|e| e.to_string());
        }
        record.clear();
        self.buffer.split(|b| *b == b',').for_each(|field| record.push_field(field));
        Ok(true)
    }
}
