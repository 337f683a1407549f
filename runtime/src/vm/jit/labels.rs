//! Places in machine code, named before they are known.
//!
//! A label is a number; the assembler that made it knows where it was bound, and finished code where that
//! place came to be.

use alloc::vec::Vec;

/// The place of a label that was not bound.
pub const UNBOUND: u32 = u32::MAX;

/// A place in the code, bound or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label(pub u32);

/// Labels that were made at once.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LabelRow {
    /// Number of the first.
    pub first: u32,
    /// How many there are.
    pub count: u32,
}

impl LabelRow {
    /// One of them; of those past the end, the last.
    pub fn at(self, index: usize) -> Label {
        Label(self.first + (index as u32).min(self.count.saturating_sub(1)))
    }
}

/// Finished code.
pub struct Assembled {
    /// The machine code.
    pub bytes: Vec<u8>,
    /// Where labels are, by number.
    pub labels: Vec<u32>,
}

impl Assembled {
    /// Offset of a label that was bound.
    pub fn offset(&self, label: Label) -> u32 {
        self.labels.get(label.0 as usize).copied().unwrap_or(UNBOUND)
    }
}
