//! The Internet checksum.

use super::{Cx, Entry, Stop};
use crate::maps::Errno;

pub(super) const HELPERS: &[Entry] = &[("csum_diff", csum_diff)];

/// Largest amount of data that the kernel takes.
const MAX_DIFF: u64 = 512;

/// One's complement addition.
pub(super) fn ones_add(a: u32, b: u32) -> u32 {
    let (sum, carry) = a.overflowing_add(b);
    sum + u32::from(carry)
}

/// The 16-bit sum that a 32-bit one stands for.
pub(super) fn fold(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    ((once & 0xffff) + (once >> 16)) as u16
}

fn sum(bytes: &[u8], complement: bool, seed: u32) -> u32 {
    bytes.as_chunks::<4>().0.iter().fold(seed, |sum, word| {
        let word = u32::from_ne_bytes(*word);
        ones_add(sum, if complement { !word } else { word })
    })
}

/// The checksum of `to` less that of `from`, folded to 16 bits as newer kernels do.
fn csum_diff(cx: &mut Cx<'_>, [from, from_size, to, to_size, seed]: [u64; 5]) -> Result<u64, Stop> {
    let (from_size, to_size) = (u64::from(from_size as u32), u64::from(to_size as u32));
    if (from_size | to_size) % 4 != 0 || from_size + to_size > MAX_DIFF {
        return Ok(Errno::EINVAL.code());
    }
    let (from, to) = (cx.bytes(from, from_size)?, cx.bytes(to, to_size)?);
    let total = sum(&to, false, sum(&from, true, seed as u32));
    Ok(u64::from(fold(total)))
}
