//! Bloom filters: values that were surely not put in, and values that perhaps were.
//!
//! Positions come from a hash function of our own with a fixed start, so that the same values give the
//! same false positives every time; the kernel's are random.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Errno, Map};
use crate::object::MapDef;
use crate::vm::Memory;

pub(super) struct Bloom {
    bits: Vec<u64>,
    hashes: u32,
}

/// Hash functions unless the definition says how many.
const HASHES: u32 = 5;
/// Largest number of bits, in words: 512 MiB in the kernel, less than that in ours.
const MAX_WORDS: u64 = 1 << 22;

impl Bloom {
    /// As many bits as give the fewest false positives with so many values and hash functions: their
    /// product divided by ln 2, to the next power of two.
    pub fn boxed(def: &MapDef) -> Result<Box<dyn Map>, Errno> {
        let hashes = match def.extra & 0xf {
            0 => HASHES,
            hashes => hashes as u32,
        };
        let wanted = u64::from(def.max_entries) * u64::from(hashes) / 5 * 7;
        let words = wanted.max(64).next_power_of_two() / 64;
        if words > MAX_WORDS {
            return Err(Errno::ENOMEM);
        }
        Ok(Box::new(Bloom { bits: alloc::vec![0; words as usize], hashes }))
    }

    /// The bits of a value: word and mask.
    fn places(&self, value: &[u8]) -> impl Iterator<Item = (usize, u64)> + use<> {
        let words = self.bits.len() as u64;
        let start = value.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        (0..u64::from(self.hashes)).map(move |number| {
            let mut mixed = start.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            mixed = (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
            mixed ^= mixed >> 32;
            ((mixed / 64 % words) as usize, 1 << (mixed % 64))
        })
    }
}

impl Map for Bloom {
    fn update(
        &mut self,
        _memory: &mut Memory,
        _key: &[u8],
        _value: &[u8],
        _flags: u64,
        _cpu: u32,
    ) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn push(&mut self, _memory: &mut Memory, value: &[u8], flags: u64) -> Result<(), Errno> {
        if flags != 0 {
            return Err(Errno::EINVAL);
        }
        for (word, mask) in self.places(value) {
            if let Some(word) = self.bits.get_mut(word) {
                *word |= mask;
            }
        }
        Ok(())
    }

    fn has(&self, value: &[u8]) -> Option<bool> {
        Some(self.places(value).all(|(word, mask)| self.bits.get(word).is_some_and(|bits| bits & mask != 0)))
    }
}
