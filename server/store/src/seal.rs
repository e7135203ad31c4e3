//! The seal of a backup: a checksum of all its bytes, after its last page, where SQLite does not look.

use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{Read, Result, Seek, SeekFrom, Write};
use std::path::Path;

/// What a seal begins with; the SHA-256 of what is before it follows.
const MARK: &[u8; 16] = b"Headroom SHA-256";
const LENGTH: u64 = 16 + 32;
/// Bytes; the others are multiples of it.
const SMALLEST_PAGE: u64 = 512;

/// Puts a seal on a file.
pub(crate) fn put(path: &Path) -> Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    let sum = sum(&mut file, u64::MAX)?;
    file.write_all(MARK)?;
    file.write_all(&sum)
}

/// Takes the seal off a file and says whether it is whole. One that an earlier Headroom wrote has none, and at least whole pages.
pub(crate) fn take_off(path: &Path) -> Result<bool> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let Some(end) = length.checked_sub(LENGTH) else { return Ok(false) };
    let mut seal = [0; LENGTH as usize];
    file.seek(SeekFrom::Start(end))?;
    file.read_exact(&mut seal)?;
    let Some(told) = seal.strip_prefix(MARK) else { return Ok(length % SMALLEST_PAGE == 0) };
    file.rewind()?;
    let whole = sum(&mut file, end)?[..] == *told;
    file.set_len(end)?;
    Ok(whole)
}

fn sum(file: &mut File, length: u64) -> Result<[u8; 32]> {
    let (mut sum, mut file, mut piece) = (Sha256::new(), file.take(length), vec![0; 1 << 20]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(sum.finalize().into()),
            n => sum.update(&piece[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bit_that_is_flipped_breaks_a_seal_and_without_one_there_are_whole_pages() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let content = vec![7_u8; 10_240];
        std::fs::write(&path, &content).unwrap();
        assert!(take_off(&path).unwrap(), "no seal");
        std::fs::write(&path, &content[1..]).unwrap();
        assert!(!take_off(&path).unwrap(), "no seal, and cut");
        std::fs::write(&path, &content).unwrap();
        put(&path).unwrap();
        let sealed = std::fs::read(&path).unwrap();
        assert!(take_off(&path).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), content);
        for at in [0, 5_000, 10_239, 10_260] {
            let mut flipped = sealed.clone();
            flipped[at] ^= 4;
            std::fs::write(&path, flipped).unwrap();
            assert!(!take_off(&path).unwrap(), "{at}");
        }
    }
}
