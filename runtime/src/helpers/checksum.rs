//! The Internet checksum.

use super::{Cx, Entry, Stop};

pub(super) const HELPERS: &[Entry] = &[("csum_diff", csum_diff)];

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

/// The sum of 16-bit words in memory order; a byte left over counts as the first of a word.
fn sum(bytes: &[u8], seed: u32) -> u32 {
    let (words, rest) = bytes.as_chunks::<2>();
    let sum = words.iter().fold(seed, |sum, word| ones_add(sum, u32::from(u16::from_ne_bytes(*word))));
    rest.first().map_or(sum, |&last| ones_add(sum, u32::from(u16::from_ne_bytes([last, 0]))))
}

/// The checksum of `to` less that of `from`, folded to 16 bits, as kernels from 6.13 on do it;
/// older ones leave it unfolded and want sizes that are multiples of 4.
fn csum_diff(cx: &mut Cx<'_>, [from, from_size, to, to_size, seed]: [u64; 5]) -> Result<u64, Stop> {
    let from = cx.bytes(from, u64::from(from_size as u32))?;
    let to = cx.bytes(to, u64::from(to_size as u32))?;
    let total = match from.is_empty() {
        true => sum(&to, seed as u32),
        false => ones_add(sum(&to, seed as u32), !sum(&from, 0)),
    };
    Ok(u64::from(fold(total)))
}
