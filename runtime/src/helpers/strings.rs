//! Kernel functions on strings in the kernel's memory, of which nothing is known: each byte may be one
//! that cannot be read, and each string one that does not end.

use super::{Cx, Entry, Stop};
use crate::maps::Errno;
use crate::vm::Space;

pub(super) const KFUNCS: &[Entry] = &[
    ("bpf_strcmp", |cx, [a, b, ..]| cx.strings(a, b, |a, b| compare(a, b, |byte| byte))),
    ("bpf_strcasecmp", |cx, [a, b, ..]| {
        cx.strings(a, b, |a, b| compare(a, b, |byte| byte.to_ascii_lowercase()))
    }),
    ("bpf_strlen", |cx, [s, ..]| cx.strings(s, s, |s, _| length(s, MAX))),
    ("bpf_strnlen", |cx, [s, count, ..]| cx.strings(s, s, |s, _| length(s, count))),
    ("bpf_strchr", |cx, [s, c, ..]| cx.strings(s, s, |s, _| find(s, MAX, c as u8))),
    ("bpf_strnchr", |cx, [s, count, c, ..]| cx.strings(s, s, |s, _| find(s, count, c as u8))),
    ("bpf_strchrnul", |cx, [s, c, ..]| cx.strings(s, s, |s, _| span(s, |byte| Ok(byte != c as u8)))),
    ("bpf_strrchr", |cx, [s, c, ..]| cx.strings(s, s, |s, _| find_last(s, c as u8))),
    ("bpf_strspn", |cx, [s, set, ..]| cx.strings(s, set, |s, set| span(s, |byte| contains(set, byte)))),
    ("bpf_strcspn", |cx, [s, set, ..]| {
        cx.strings(s, set, |s, set| span(s, |byte| contains(set, byte).map(|is_in| !is_in)))
    }),
    ("bpf_strstr", |cx, [s, part, ..]| cx.strings(s, part, |s, part| find_part(s, part, MAX))),
    ("bpf_strnstr", |cx, [s, part, len, ..]| cx.strings(s, part, |s, part| find_part(s, part, len))),
];

/// Bytes after which a string is too long.
const MAX: u64 = 1 << 16;
/// Where the kernel's addresses start on a machine that has 48 bits of them. What is below is a process's, or no
/// address: the kernel does not try to read it (`copy_from_kernel_nofault_allowed`).
const KERNEL_START: u64 = 0xffff_8000_0000_0000;

/// The memory from a string's start on.
#[derive(Clone, Copy)]
struct Text<'m>(&'m [u8]);

impl Text<'_> {
    fn at(self, index: u64) -> Result<u8, Errno> {
        self.0.get(index as usize).copied().ok_or(Errno::EFAULT)
    }
}

type Answer = Result<u64, Errno>;

impl Cx<'_> {
    /// What a function says of two strings. The answer has 32 bits.
    fn strings(&self, a: u64, b: u64, say: impl Fn(Text<'_>, Text<'_>) -> Answer) -> Result<u64, Stop> {
        let text = |address| match self.foreign_rest(address, &[Space::Kernel]) {
            Some(rest) => Ok(Text(rest)),
            None if address < KERNEL_START => Err(Errno::ERANGE),
            None => Ok(Text(&[])),
        };
        let answer = text(a).and_then(|a| say(a, text(b)?));
        Ok(answer.unwrap_or_else(Errno::code) & u64::from(u32::MAX))
    }
}

fn compare(a: Text<'_>, b: Text<'_>, folded: impl Fn(u8) -> u8) -> Answer {
    for index in 0..MAX {
        let (a, b) = (folded(a.at(index)?), folded(b.at(index)?));
        match a.cmp(&b) {
            core::cmp::Ordering::Less => return Ok(u64::MAX),
            core::cmp::Ordering::Greater => return Ok(1),
            core::cmp::Ordering::Equal if a == 0 => return Ok(0),
            core::cmp::Ordering::Equal => {}
        }
    }
    Err(Errno::E2BIG)
}

fn length(s: Text<'_>, count: u64) -> Answer {
    for index in 0..count.min(MAX) {
        if s.at(index)? == 0 {
            return Ok(index);
        }
    }
    if count >= MAX { Err(Errno::E2BIG) } else { Ok(count) }
}

fn find(s: Text<'_>, count: u64, wanted: u8) -> Answer {
    for index in 0..count.min(MAX) {
        match s.at(index)? {
            byte if byte == wanted => return Ok(index),
            0 => return Err(Errno::ENOENT),
            _ => {}
        }
    }
    Err(if count >= MAX { Errno::E2BIG } else { Errno::ENOENT })
}

fn find_last(s: Text<'_>, wanted: u8) -> Answer {
    let mut last = Err(Errno::ENOENT);
    for index in 0..MAX {
        let byte = s.at(index)?;
        if byte == wanted {
            last = Ok(index);
        }
        if byte == 0 {
            return last;
        }
    }
    Err(Errno::E2BIG)
}

fn contains(set: Text<'_>, wanted: u8) -> Result<bool, Errno> {
    for index in 0..MAX {
        match set.at(index)? {
            0 => return Ok(false),
            byte if byte == wanted => return Ok(true),
            _ => {}
        }
    }
    Err(Errno::E2BIG)
}

/// How many bytes of a string are as they shall be.
fn span(s: Text<'_>, goes_on: impl Fn(u8) -> Result<bool, Errno>) -> Answer {
    for index in 0..MAX {
        let byte = s.at(index)?;
        if byte == 0 || !goes_on(byte)? {
            return Ok(index);
        }
    }
    Err(Errno::E2BIG)
}

/// The last byte that is looked at may be the one behind the part, to see whether that has ended.
fn find_part(s: Text<'_>, part: Text<'_>, len: u64) -> Answer {
    for start in 0..MAX {
        let mut index = 0;
        while start + index <= len && index < MAX {
            let wanted = part.at(index)?;
            if wanted == 0 {
                return Ok(start);
            }
            if start + index == len {
                break;
            }
            match s.at(start + index)? {
                0 => return Err(Errno::ENOENT),
                byte if byte != wanted => break,
                _ => index += 1,
            }
        }
        if index == MAX {
            return Err(Errno::E2BIG);
        }
        if start + index == len {
            return Err(Errno::ENOENT);
        }
    }
    Err(Errno::E2BIG)
}
