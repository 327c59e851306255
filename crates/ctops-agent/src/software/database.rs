//! Databases of package managers that are text: records of lines, separated by empty lines.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::MAX_PACKAGES;

/// Largest database, bytes: that of dpkg has 2 KB per package.
const MAX_FILE: u64 = 256 * 1024 * 1024;
/// Longest line kept, bytes; the rest of a longer one is passed over.
const MAX_LINE: u64 = 64 * 1024;
/// Lines of one record kept.
const MAX_LINES: usize = 4096;

/// Calls `take` with each record of the file, as its lines without line ends.
///
/// # Errors
/// When the file cannot be read to its end, or holds more than a host can have.
pub(super) fn each_record(path: &Path, mut take: impl FnMut(&[String])) -> io::Result<()> {
    let file = File::open(path)?;
    if file.metadata()?.len() > MAX_FILE {
        return Err(io::Error::other(format!("database is larger than {MAX_FILE} bytes")));
    }
    let mut reader = BufReader::new(file.take(MAX_FILE));
    let (mut record, mut records, mut bytes) = (Vec::new(), 0, Vec::new());
    loop {
        bytes.clear();
        let length = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes)?;
        if length as u64 == MAX_LINE && bytes.last() != Some(&b'\n') {
            skip_line(&mut reader)?;
        }
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim_end_matches(['\n', '\r']);
        if !line.is_empty() {
            if record.len() < MAX_LINES {
                record.push(line.to_owned());
            }
            continue;
        }
        if !record.is_empty() {
            take(&record);
            record.clear();
            records += 1;
            if records > MAX_PACKAGES {
                return Err(io::Error::other(format!("database holds more than {MAX_PACKAGES} packages")));
            }
        }
        if length == 0 {
            return Ok(());
        }
    }
}

fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => {
                reader.consume(at + 1);
                return Ok(());
            }
            None => {
                let length = buffer.len();
                reader.consume(length);
            }
        }
    }
}
