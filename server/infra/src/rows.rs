//! Files that people bring, plain or gzip: the rows of a CSV file with their line numbers, or a whole text.

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
/// Longest text that is read whole, bytes.
const LONGEST_TEXT: u64 = 1 << 30;

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

/// The whole text of a file, plain or gzip, in UTF-8 or, with a byte order mark, UTF-16; `-` is standard input.
///
/// # Errors
/// [`ImportError`] when it cannot be read, is too long or is no text.
pub fn text(path: &Path) -> Result<String, ImportError> {
    let name = path.display().to_string();
    let fault = |fault: String| ImportError { file: name.clone(), line: 0, fault };
    let source: Box<dyn Read> = match name.as_str() {
        "-" => Box::new(std::io::stdin().lock()),
        _ => Box::new(File::open(path).map_err(|e| fault(format!("cannot be opened: {e}")))?),
    };
    let mut bytes = Vec::new();
    unzipped(source).take(LONGEST_TEXT + 1).read_to_end(&mut bytes).map_err(|e| fault(format!("cannot be read: {e}")))?;
    if bytes.len() as u64 > LONGEST_TEXT {
        return Err(fault(format!("is longer than {LONGEST_TEXT} bytes: give a part of it")));
    }
    decoded(bytes).ok_or_else(|| fault("is no text in UTF-8".to_owned()))
}

/// Text from bytes, without a byte order mark. What a Windows shell writes into a file is UTF-16.
fn decoded(mut bytes: Vec<u8>) -> Option<String> {
    let wide = |order: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).skip(1).map(|pair| order([pair[0], pair[1]])).collect();
        String::from_utf16(&units).ok()
    };
    match bytes.as_slice() {
        [0xff, 0xfe, ..] => return wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => return wide(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, ..] => drop(bytes.drain(..3)),
        _ => {}
    }
    String::from_utf8(bytes).ok()
}

/// What is in a source that may be gzip.
fn unzipped<'a>(source: impl Read + 'a) -> Box<dyn BufRead + 'a> {
    let mut buffered = BufReader::with_capacity(1 << 18, source);
    let zipped = buffered.fill_buf().is_ok_and(|head| head.starts_with(&[0x1f, 0x8b]));
    if zipped { Box::new(BufReader::with_capacity(1 << 18, MultiGzDecoder::new(buffered))) } else { Box::new(buffered) }
}

impl<'a> Rows<'a> {
    /// Rows from anywhere, plain or gzip.
    pub fn new(source: impl Read + 'a) -> Self {
        Self { source: unzipped(source), line: 0, buffer: Vec::new() }
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
            return self.quoted(record);
        }
        record.clear();
        self.buffer.split(|b| *b == b',').for_each(|field| record.push_field(field));
        Ok(true)
    }

    /// Takes the line apart where it has quotes. A quote that is open at its end would hold whatever comes after it.
    fn quoted(&self, record: &mut csv::ByteRecord) -> Result<bool, String> {
        let with_next = self.buffer.chain(&b"\nnext"[..]);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(with_next);
        let found = reader.read_byte_record(record).map_err(|e| e.to_string())?;
        if reader.read_byte_record(&mut csv::ByteRecord::new()).map_err(|e| e.to_string())? {
            return Ok(found);
        }
        Err("a quoted field goes on in the next line, which is not supported: write every row on one line".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert_eq!(decoded(b"a\n".to_vec()).as_deref(), Some("a\n"));
        assert_eq!(decoded(b"\xef\xbb\xbfa".to_vec()).as_deref(), Some("a"));
        assert_eq!(decoded(b"\xff\xfea\0\n\0".to_vec()).as_deref(), Some("a\n"));
        assert_eq!(decoded(b"\xfe\xff\0a".to_vec()).as_deref(), Some("a"));
        assert_eq!(decoded(b"\xc3".to_vec()), None);
        assert_eq!(decoded(Vec::new()).as_deref(), Some(""));
    }
}
