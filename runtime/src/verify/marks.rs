//! Sets of registers and stack slots over all frames, a bit each.
//!
//! Pruning keeps three of them: what was read after a state, what was written before it, and
//! whose number mattered.

use super::state::MAX_FRAMES;

/// A set of registers and stack slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marks {
    /// Registers of each frame by number.
    pub regs: [u16; MAX_FRAMES],
    /// Stack slots of each frame by index.
    pub slots: [u64; MAX_FRAMES],
}

/// A register or a stack slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The register with this number, in the frame at this depth.
    Reg(u8, u8),
    /// The stack slot with this index, in the frame at this depth.
    Slot(u8, u8),
}

impl Marks {
    /// Is nothing marked?
    pub fn is_empty(&self) -> bool {
        // Without a way out after each: it is asked at every step of a search.
        let regs = self.regs.iter().fold(0, |all, bits| all | bits);
        regs == 0 && self.slots.iter().fold(0, |all, bits| all | bits) == 0
    }

    /// Is this place marked?
    pub fn contains(&self, place: Place) -> bool {
        match place {
            Place::Reg(depth, number) => self.regs[usize::from(depth)] & (1 << number) != 0,
            Place::Slot(depth, index) => self.slots[usize::from(depth)] & (1 << index) != 0,
        }
    }

    /// Marks a place.
    pub fn insert(&mut self, place: Place) {
        match place {
            Place::Reg(depth, number) => self.regs[usize::from(depth)] |= 1 << number,
            Place::Slot(depth, index) => self.slots[usize::from(depth)] |= 1 << index,
        }
    }

    /// Unmarks a place.
    pub fn remove(&mut self, place: Place) {
        match place {
            Place::Reg(depth, number) => self.regs[usize::from(depth)] &= !(1 << number),
            Place::Slot(depth, index) => self.slots[usize::from(depth)] &= !(1 << index),
        }
    }

    /// The marked places.
    pub fn places(&self) -> impl Iterator<Item = Place> + use<> {
        let Marks { regs, slots } = *self;
        (0..MAX_FRAMES as u8).flat_map(move |depth| {
            let registers = bits(regs[usize::from(depth)].into()).map(move |bit| Place::Reg(depth, bit));
            registers.chain(bits(slots[usize::from(depth)]).map(move |bit| Place::Slot(depth, bit)))
        })
    }
}

/// The numbers of the bits that are set.
pub fn bits(mut set: u64) -> impl Iterator<Item = u8> {
    core::iter::from_fn(move || {
        let bit = (set != 0).then(|| set.trailing_zeros() as u8)?;
        set &= set - 1;
        Some(bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back() {
        let all = [Place::Reg(0, 3), Place::Slot(0, 63), Place::Reg(7, 9), Place::Slot(7, 0)];
        let mut marks = Marks::default();
        all.iter().for_each(|&place| marks.insert(place));
        assert!(marks.places().eq(all));
        all.iter().for_each(|&place| marks.remove(place));
        assert!(marks.is_empty());
    }
}
