//! Archives in cpio's "newc" format: what Linux takes as its first file system, and what busybox packs.
//!
//! Files are named by their paths, without a leading slash. Of what is read only regular files count.

use std::collections::BTreeMap;

const MAGIC: &[u8] = b"070701";
const TRAILER: &str = "TRAILER!!!";

/// Six letters and thirteen numbers of eight digits.
const HEADER: usize = 6 + 13 * 8;

/// Which of the numbers are which.
const MODE: usize = 1;
const SIZE: usize = 6;
const NAME_SIZE: usize = 11;

const FORMAT: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_755;
const REGULAR: u32 = 0o100_755;

/// An archive of the files and of the directories that they are in.
pub fn pack<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut entries: BTreeMap<&str, (u32, &[u8])> = BTreeMap::new();
    for (path, data) in files {
        // A directory comes before what is in it: it is the shorter of the two.
        for (slash, _) in path.match_indices('/') {
            entries.insert(&path[..slash], (DIRECTORY, &[]));
        }
        entries.insert(path, (REGULAR, data));
    }
    let mut archive = Vec::new();
    for (index, (path, (mode, data))) in entries.into_iter().enumerate() {
        append(&mut archive, index as u32 + 1, path, mode, data);
    }
    append(&mut archive, 0, TRAILER, 0, &[]);
    archive
}

fn append(archive: &mut Vec<u8>, inode: u32, name: &str, mode: u32, data: &[u8]) {
    let mut numbers = [0; 13];
    (numbers[0], numbers[MODE], numbers[4]) = (inode, mode, 1);
    (numbers[SIZE], numbers[NAME_SIZE]) = (data.len() as u32, name.len() as u32 + 1);
    archive.extend(MAGIC);
    archive.extend(numbers.iter().flat_map(|number| format!("{number:08x}").into_bytes()));
    archive.extend(name.as_bytes());
    archive.push(0);
    pad(archive);
    archive.extend(data);
    pad(archive);
}

fn pad(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(4), 0);
}

/// The regular files of an archive; an error where it breaks off.
pub fn unpack(archive: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut files = BTreeMap::new();
    let mut at = 0;
    loop {
        let broken = || format!("the archive is broken at byte {at}");
        let header = archive.get(at..at + HEADER).filter(|header| header.starts_with(MAGIC));
        let digits = std::str::from_utf8(header.ok_or_else(broken)?).map_err(|_| broken())?;
        let number = |index: usize| -> Option<usize> {
            let start = MAGIC.len() + 8 * index;
            usize::from_str_radix(digits.get(start..start + 8)?, 16).ok()
        };
        let (Some(mode), Some(size), Some(name_size)) = (number(MODE), number(SIZE), number(NAME_SIZE))
        else {
            return Err(broken());
        };
        let data_at = (at + HEADER + name_size).next_multiple_of(4);
        let name = archive.get(at + HEADER..at + HEADER + name_size.saturating_sub(1)).ok_or_else(broken)?;
        let name = String::from_utf8_lossy(name).into_owned();
        if name == TRAILER {
            return Ok(files);
        }
        let data = archive.get(data_at..data_at + size).ok_or_else(broken)?;
        if mode as u32 & FORMAT == REGULAR & FORMAT {
            files.insert(name.trim_start_matches("./").to_string(), data.to_vec());
        }
        at = (data_at + size).next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let files: [(&str, &[u8]); 3] = [("a/b/c", b"12345"), ("a/d", b""), ("init", b"#!/bin/sh\n")];
        let archive = pack(files);
        let back = unpack(&archive).expect("it is whole");
        assert_eq!(back.len(), 3);
        assert!(files.iter().all(|(path, data)| back[*path] == *data));
    }

    #[test]
    fn a_broken_archive_is_an_error() {
        let archive = pack([("a", b"12345".as_slice())]);
        let whole = archive.len().next_multiple_of(4);
        for end in (0..whole - 8).step_by(3) {
            assert!(unpack(&archive[..end.min(archive.len())]).is_err(), "{end}");
        }
    }
}
