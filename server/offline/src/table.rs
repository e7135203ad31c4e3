//! A CSV file with named columns, read row by row.

use crate::Failure;
use headroom_infra::import::seconds;
use headroom_infra::rows::{ImportError, Rows, open};
use std::path::Path;

/// A file whose header has the columns asked for, in any order; others are left out.
pub struct Table<'a> {
    file: String,
    rows: Rows<'a>,
    record: csv::ByteRecord,
    columns: Vec<(&'static str, usize)>,
    header: Vec<String>,
    any: bool,
}

impl<'a> Table<'a> {
    /// Opens a file, plain or gzip; `-` is standard input.
    ///
    /// # Errors
    /// [`Failure::BadInput`] when it cannot be opened, is empty or lacks a column.
    pub fn open(path: &Path, columns: &[&'static str]) -> Result<Self, Failure> {
        Self::new(open(path)?, &path.display().to_string(), columns)
    }

    /// Reads from anywhere; `file` is what faults call it.
    ///
    /// # Errors
    /// [`Failure::BadInput`] when it is empty or lacks a column.
    pub fn new(rows: Rows<'a>, file: &str, columns: &[&'static str]) -> Result<Self, Failure> {
        let mut table =
            Self { file: file.to_owned(), rows, record: csv::ByteRecord::new(), columns: Vec::new(), header: Vec::new(), any: false };
        if !table.rows.next(&mut table.record).map_err(|e| table.fault(e))? {
            return Err(table.fault(format!("the file is empty: it needs the header {} and rows", columns.join(","))));
        }
        table.header = table.record.iter().map(|n| String::from_utf8_lossy(n).trim_start_matches('\u{feff}').trim().to_owned()).collect();
        for name in columns {
            let found = table.header.iter().position(|n| n == name);
            let at = found.ok_or_else(|| {
                let (all, has) = (columns.join(","), table.header.join(","));
                table.fault(format!("the header has no column {name:?}: it must have {all} (found {has})"))
            })?;
            table.columns.push((name, at));
        }
        Ok(table)
    }

    /// The names of all columns of the file, in its order.
    #[must_use]
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Goes to the next row; `false` at the end.
    ///
    /// # Errors
    /// [`Failure::BadInput`] when the row cannot be read or has more or fewer columns than the header, or there is none at all.
    pub fn advance(&mut self) -> Result<bool, Failure> {
        if !self.rows.next(&mut self.record).map_err(|e| self.fault(e))? {
            if self.any {
                return Ok(false);
            }
            self.rows.line = 1;
            return Err(self.fault("the file has a header but no rows".to_owned()));
        }
        self.any = true;
        let (width, wanted) = (self.record.len(), self.header.len());
        if width == wanted { Ok(true) } else { Err(self.fault(format!("the row has {width} columns, the header has {wanted}"))) }
    }

    /// What stands in a column (by its place among those asked for), as it is.
    #[must_use]
    pub fn raw(&self, column: usize) -> &[u8] {
        self.field(self.columns[column].1)
    }

    /// What stands in a column of the file, as it is.
    #[must_use]
    pub fn field(&self, at: usize) -> &[u8] {
        self.record.get(at).unwrap_or_default().trim_ascii()
    }

    /// Text that is not empty.
    ///
    /// # Errors
    /// [`Failure::BadInput`] names the place.
    pub fn text(&self, column: usize) -> Result<&str, Failure> {
        let name = self.columns[column].0;
        let text = std::str::from_utf8(self.raw(column)).map_err(|_| self.fault(format!("the {name} is not UTF-8")))?;
        if text.is_empty() { Err(self.fault(format!("the {name} is missing"))) } else { Ok(text) }
    }

    /// A finite number.
    ///
    /// # Errors
    /// [`Failure::BadInput`] names the place.
    pub fn number(&self, column: usize) -> Result<f64, Failure> {
        let (name, text) = (self.columns[column].0, self.text(column)?);
        let value: f64 = text.parse().map_err(|_| self.fault(format!("the {name} {text:?} is not a number: write for example 0.25")))?;
        if value.is_finite() {
            Ok(value)
        } else {
            Err(self.fault(format!("the {name} {text:?} is not finite: leave the row out where nothing was measured")))
        }
    }

    /// A whole number.
    ///
    /// # Errors
    /// [`Failure::BadInput`] names the place.
    pub fn integer(&self, column: usize) -> Result<i64, Failure> {
        let (name, text) = (self.columns[column].0, self.text(column)?);
        text.parse().map_err(|_| self.fault(format!("the {name} {text:?} is not a whole number")))
    }

    /// A time, RFC 3339 or seconds since the epoch, in seconds since the epoch.
    ///
    /// # Errors
    /// [`Failure::BadInput`] names the place.
    pub fn time(&self, column: usize) -> Result<i64, Failure> {
        seconds(self.raw(column)).map_err(|e| self.fault(e))
    }

    /// The line of the row that was read last, from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.rows.line.max(1)
    }

    /// A fault of the row that was read last.
    #[must_use]
    pub fn fault(&self, fault: String) -> Failure {
        ImportError { file: self.file.clone(), line: self.line(), fault }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &'static str) -> Result<Table<'static>, Failure> {
        Table::new(Rows::new(text.as_bytes()), "s.csv", &["series", "value"])
    }

    #[test]
    fn columns_are_found_by_name() {
        let mut table = table("value,more,series\n1.5,x,a\n\n-2,y,b\n").unwrap();
        let mut rows = Vec::new();
        while table.advance().unwrap() {
            rows.push((table.text(0).unwrap().to_owned(), table.number(1).unwrap()));
        }
        assert_eq!(rows, [("a".to_owned(), 1.5), ("b".to_owned(), -2.0)]);
    }

    #[test]
    fn faults_name_the_line() {
        let fault = |text| {
            let mut table = match table(text) {
                Ok(table) => table,
                Err(e) => return e.to_string(),
            };
            loop {
                match table.advance().and_then(|more| if more { table.number(1).map(|_| true) } else { Ok(false) }) {
                    Ok(true) => {}
                    Ok(false) => return "fine".to_owned(),
                    Err(e) => return e.to_string(),
                }
            }
        };
        assert_eq!(
            fault("series,value\na,1\na,nan\n"),
            "s.csv: line 3: the value \"nan\" is not finite: leave the row out where nothing was measured"
        );
        assert_eq!(fault("series,value\na,1,2\n"), "s.csv: line 2: the row has 3 columns, the header has 2");
        assert!(fault("").contains("empty"));
        assert_eq!(fault("series,value\n"), "s.csv: line 1: the file has a header but no rows");
        assert!(fault("series,value\n\"a\nb\",1\n").starts_with("s.csv: line 2: a quoted field goes on in the next line"));
        assert!(fault("series\n1\n").contains("no column \"value\""));
        assert_eq!(fault("series,value\na,1\n"), "fine");
    }
}
