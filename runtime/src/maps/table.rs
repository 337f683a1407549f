//! Keys of equal size to slot numbers: a chained hash table with a fixed hash function.
//!
//! Slots are small numbers, reused after removal, so that values can live in a slab. Iteration is
//! in slot order, and a slot's place in the recency list is kept for the maps that evict.

use alloc::vec;
use alloc::vec::Vec;

/// No slot.
const NONE: u32 = u32::MAX;

pub(super) struct Table {
    key_size: usize,
    /// First slot of each bucket; a power of two of them.
    heads: Vec<u32>,
    slots: Vec<Slot>,
    /// Keys by slot, without gaps.
    keys: Vec<u8>,
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
}

#[derive(Clone, Copy)]
struct Slot {
    live: bool,
    hash: u32,
    /// Next in the bucket.
    next: u32,
    newer: u32,
    older: u32,
}

/// Multiplies words by a number without structure, so that every bit reaches the upper half.
#[inline]
fn hash(key: &[u8]) -> u32 {
    let mix = |hash: u64, word: u64| {
        let product = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        product ^ product >> 32
    };
    let (words, rest) = key.as_chunks::<8>();
    let hash = words.iter().fold(key.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let last = rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    let hash = if rest.is_empty() { hash } else { mix(hash, last) };
    (hash ^ hash >> 29) as u32
}

/// Are the keys equal? Those of one or half a word need no loop.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    if let (Some((a, [])), Some((b, []))) = (a.split_first_chunk::<8>(), b.split_first_chunk::<8>()) {
        return u64::from_le_bytes(*a) == u64::from_le_bytes(*b);
    }
    if let (Some((a, [])), Some((b, []))) = (a.split_first_chunk::<4>(), b.split_first_chunk::<4>()) {
        return u32::from_le_bytes(*a) == u32::from_le_bytes(*b);
    }
    a == b
}

impl Table {
    pub fn new(key_size: u32) -> Table {
        Table {
            key_size: key_size as usize,
            heads: vec![NONE; 16],
            slots: Vec::new(),
            keys: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
        }
    }

    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub fn key(&self, slot: u32) -> &[u8] {
        let start = slot as usize * self.key_size;
        self.keys.get(start..start + self.key_size).unwrap_or_default()
    }

    pub fn find(&self, key: &[u8]) -> Option<u32> {
        let hash = hash(key);
        let mut at = *self.heads.get(self.bucket(hash))?;
        while let Some(slot) = self.slots.get(at as usize) {
            if slot.hash == hash && same(self.key(at), key) {
                return Some(at);
            }
            at = slot.next;
        }
        None
    }

    /// Adds a key that is not there, as the newest, and returns its slot.
    pub fn insert(&mut self, key: &[u8]) -> u32 {
        let hash = hash(key);
        let at = match self.free.pop() {
            Some(at) => at,
            None => {
                self.slots.push(Slot { live: false, hash, next: NONE, newer: NONE, older: NONE });
                self.keys.resize(self.slots.len() * self.key_size, 0);
                self.slots.len() as u32 - 1
            }
        };
        let start = at as usize * self.key_size;
        if let Some(place) = self.keys.get_mut(start..start + self.key_size) {
            place.copy_from_slice(key);
        }
        if self.slots.len() > self.heads.len() {
            self.grow();
        }
        self.link(at, hash);
        self.push_newest(at);
        at
    }

    /// Removes a key and returns the slot it had.
    pub fn remove(&mut self, key: &[u8]) -> Option<u32> {
        let at = self.find(key)?;
        let bucket = self.bucket(self.slots.get(at as usize)?.hash);
        let next = self.slots.get(at as usize)?.next;
        let head = self.heads.get_mut(bucket)?;
        if *head == at {
            *head = next;
        } else {
            let mut before = *head;
            while let Some(slot) = self.slots.get_mut(before as usize) {
                if slot.next == at {
                    slot.next = next;
                    break;
                }
                before = slot.next;
            }
        }
        self.unlink_recency(at);
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.live = false;
        }
        self.free.push(at);
        Some(at)
    }

    /// Marks a slot as used just now.
    pub fn touch(&mut self, at: u32) {
        self.unlink_recency(at);
        self.push_newest(at);
    }

    /// The key that was not used for the longest time.
    pub fn oldest(&self) -> Option<&[u8]> {
        (self.oldest != NONE).then(|| self.key(self.oldest))
    }

    /// Live slots in ascending order.
    pub fn live(&self) -> impl Iterator<Item = u32> {
        self.slots.iter().enumerate().filter(|(_, slot)| slot.live).map(|(at, _)| at as u32)
    }

    fn bucket(&self, hash: u32) -> usize {
        hash as usize & (self.heads.len() - 1)
    }

    fn link(&mut self, at: u32, hash: u32) {
        let bucket = self.bucket(hash);
        let Some(head) = self.heads.get_mut(bucket) else { return };
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.live = true;
            slot.hash = hash;
            slot.next = *head;
            *head = at;
        }
    }

    fn grow(&mut self) {
        self.heads = vec![NONE; self.heads.len() * 2];
        for at in 0..self.slots.len() as u32 {
            if let Some(slot) = self.slots.get(at as usize).copied().filter(|slot| slot.live) {
                self.link(at, slot.hash);
            }
        }
    }

    fn push_newest(&mut self, at: u32) {
        let before = core::mem::replace(&mut self.newest, at);
        if let Some(slot) = self.slots.get_mut(at as usize) {
            (slot.older, slot.newer) = (before, NONE);
        }
        match self.slots.get_mut(before as usize) {
            Some(slot) => slot.newer = at,
            None => self.oldest = at,
        }
    }

    fn unlink_recency(&mut self, at: u32) {
        let Some(&Slot { newer, older, .. }) = self.slots.get(at as usize) else { return };
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }
}
