//! Masks for constant blinding: the constants of a program are not in its code.
//!
//! Who chooses a program chooses the bytes of its constants, and could jump into the middle of them if
//! something else let him jump anywhere. So with a seed each constant is in the code under a mask of its own,
//! and taken out of it in a scratch register. Distances of jumps, offsets of accesses and counts of shifts
//! stay, as they do in the kernel: too few of their bits are free.

/// Where masks come from.
pub struct Masks {
    /// The state of SplitMix64; none where nothing is blinded.
    state: Option<u64>,
}

impl Masks {
    /// Those that follow from a seed, if there is one.
    pub fn new(seed: Option<u64>) -> Masks {
        Masks { state: seed }
    }

    /// Are there any?
    pub fn are_wanted(&self) -> bool {
        self.state.is_some()
    }

    /// Another one, if they are wanted.
    pub fn take(&mut self) -> Option<u64> {
        let state = self.state?.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.state = Some(state);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(mixed ^ mixed >> 31)
    }
}
