//! A quick hash for tables that are only looked up, never listed.
//!
//! Keys are small and come from the compiler itself, so nothing has to withstand chosen collisions.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A map that is only looked up.
pub type LookupMap<K, V> = HashMap<K, V, BuildHasherDefault<Mix>>;

/// A set that is only asked.
pub type LookupSet<K> = HashSet<K, BuildHasherDefault<Mix>>;

/// Mixes words by multiplication.
#[derive(Default)]
pub struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u8(&mut self, key: u8) {
        self.write_u64(key.into());
    }

    fn write_u32(&mut self, key: u32) {
        self.write_u64(key.into());
    }

    fn write_i32(&mut self, key: i32) {
        self.write_u64(key as u64);
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = (self.0.rotate_left(5) ^ key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }

    fn write_i64(&mut self, key: i64) {
        self.write_u64(key as u64);
    }

    fn write_usize(&mut self, key: usize) {
        self.write_u64(key as u64);
    }

    fn write_isize(&mut self, key: isize) {
        self.write_u64(key as u64);
    }
}
