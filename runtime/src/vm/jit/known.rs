//! What is known of the numbers in registers between two instructions: whose upper half is zero, and
//! which are not zero.
//!
//! Found by going over the code once, from the first instruction to the last, and so true of any program,
//! proven or not: known is what every way to an instruction makes so. Where jumps lead, that is what holds
//! at all of them and of the instruction before; where one comes from behind, nothing. The verifier knows
//! more, but not of every run: see [`crate::verify::Facts`].

use alloc::vec::Vec;

use skep_stdlib::isa::{AluOp, Cond, Imm64, Operand, Reg, Size, Width};

use crate::verify::scalar::negated;
use crate::vm::jit::flow::{Registers, bit};

/// The registers that calls leave alone.
const KEPT: Registers = bit(Reg::R6) | bit(Reg::R7) | bit(Reg::R8) | bit(Reg::R9);

/// Sets of registers of which something is known, in one number, as they are mostly changed together.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Known(u64);

/// Where the set is of registers whose upper half is zero.
const NARROW: u32 = 0;
/// Of those that are not zero.
const NONZERO: u32 = 16;
/// Of those of which even the lower half is not.
const NONZERO_LOW: u32 = 32;
/// One register in all sets.
const EACH: u64 = 1 << NARROW | 1 << NONZERO | 1 << NONZERO_LOW;

impl Known {
    /// What no way contradicts that leads to a place.
    const EVERYTHING: Known = Known(!0);

    /// Is the upper half of the register zero?
    #[inline]
    pub fn is_narrow(self, reg: Reg) -> bool {
        self.0 >> NARROW >> reg.number() & 1 != 0
    }

    /// Is as much of the register as the width says not zero?
    #[inline]
    pub fn is_nonzero(self, width: Width, reg: Reg) -> bool {
        let known = match width {
            Width::W64 => self.0 >> NONZERO,
            Width::W32 => self.0 >> NONZERO_LOW | self.0 >> NONZERO & self.0 >> NARROW,
        };
        known >> reg.number() & 1 != 0
    }

    /// What holds of both.
    #[inline]
    fn join(self, other: Known) -> Known {
        Known(self.0 & other.0)
    }

    /// The register has been written.
    #[inline]
    pub fn write(&mut self, reg: Reg, is_narrow: bool) {
        self.0 = self.0 & !(EACH << reg.number()) | u64::from(is_narrow) << NARROW << reg.number();
    }

    #[inline]
    fn set_nonzero(&mut self, reg: Reg, whole: bool, low: bool) {
        self.0 |= (u64::from(whole) << NONZERO | u64::from(low) << NONZERO_LOW) << reg.number();
    }

    /// `dst op= src` has been computed.
    #[inline]
    pub fn computed(&mut self, width: Width, op: AluOp, dst: Reg, src: Operand) {
        let sets = match src {
            Operand::Imm(imm) => op == AluOp::Or && imm != 0,
            Operand::Reg(_) => false,
        };
        self.write(dst, width == Width::W32 || cuts(op, src));
        self.set_nonzero(dst, sets, sets);
    }

    /// `dst = src` has been done.
    #[inline]
    pub fn moved(&mut self, width: Width, dst: Reg, src: Operand) {
        let (is_narrow, whole, low) = match src {
            Operand::Imm(imm) => (imm >= 0, imm != 0, imm != 0),
            Operand::Reg(src) => {
                (self.is_narrow(src), self.is_nonzero(width, src), self.is_nonzero(Width::W32, src))
            }
        };
        self.write(dst, is_narrow || width == Width::W32);
        self.set_nonzero(dst, whole, low);
    }

    /// `dst = value` has been done.
    pub fn loaded(&mut self, dst: Reg, value: Imm64) {
        let (is_narrow, value) = match value {
            Imm64::Const(value) => (u32::try_from(value).is_ok(), value),
            Imm64::MapIdxValue { .. } => (true, 0),
            Imm64::MapFd(_)
            | Imm64::MapValue { .. }
            | Imm64::BtfId { .. }
            | Imm64::Func(_)
            | Imm64::MapIdx(_) => (false, 0),
        };
        self.write(dst, is_narrow);
        self.set_nonzero(dst, value != 0, value as u32 != 0);
    }

    /// An atomic access has been made.
    pub fn accessed(&mut self, size: Size, writes: Registers) {
        self.0 &= !(EACH * u64::from(writes));
        if size != Size::DW {
            self.0 |= u64::from(writes) << NARROW;
        }
    }

    /// Something was called.
    pub fn called(self) -> Known {
        self.join(Known(EACH * KEPT as u64))
    }

    /// The condition holds.
    #[inline]
    pub fn where_holds(mut self, width: Width, cond: Cond, dst: Reg, src: Operand) -> Known {
        let (nonzero, is_small) = match src {
            Operand::Imm(imm) => (excludes_zero(cond, imm), imm >= 0),
            Operand::Reg(src) => (cond == Cond::Gt, self.is_narrow(src)),
        };
        self.set_nonzero(dst, nonzero, nonzero && width == Width::W32);
        if width == Width::W64 && is_small && matches!(cond, Cond::Eq | Cond::Lt | Cond::Le) {
            self.0 |= 1 << NARROW << dst.number();
        }
        self
    }

    /// The condition does not hold.
    #[inline]
    pub fn where_fails(self, width: Width, cond: Cond, dst: Reg, src: Operand) -> Known {
        match cond {
            // That bits are not set says little.
            Cond::Set => self,
            cond => self.where_holds(width, negated(cond), dst, src),
        }
    }
}

/// Does the operation leave nothing in the upper half, whatever was there?
fn cuts(op: AluOp, src: Operand) -> bool {
    match (op, src) {
        (AluOp::And, Operand::Imm(imm)) => imm >= 0,
        (AluOp::Rsh, Operand::Imm(imm)) => (32..64).contains(&imm),
        _ => false,
    }
}

/// Is zero none of the numbers for which `number cond imm` holds?
fn excludes_zero(cond: Cond, imm: i32) -> bool {
    match cond {
        Cond::Eq | Cond::Ge => imm != 0,
        Cond::Ne => imm == 0,
        Cond::Gt | Cond::Set => true,
        Cond::Lt | Cond::Le => false,
        Cond::Sgt => imm >= 0,
        Cond::Sge => imm > 0,
        Cond::Slt => imm <= 0,
        Cond::Sle => imm < 0,
    }
}

/// What the jumps passed so far have brought to their targets, by slot.
#[derive(Default)]
pub struct Brought(Vec<Known>);

impl Brought {
    /// For a program of so many slots, some of which are also jumped to from behind.
    pub fn new(slots: usize, heads: &[u32]) -> Brought {
        let mut all = alloc::vec![Known::EVERYTHING; slots];
        for &head in heads {
            if let Some(known) = all.get_mut(head as usize) {
                *known = Known::default();
            }
        }
        Brought(all)
    }

    /// A jump to `slot`, with this known.
    #[inline]
    pub fn bring(&mut self, slot: u32, known: Known) {
        if let Some(place) = self.0.get_mut(slot as usize) {
            *place = place.join(known);
        }
    }

    /// What is known at `slot`, to which the instruction before leads with this known, if it does.
    #[inline]
    pub fn at(&self, slot: u32, before: Option<Known>) -> Known {
        let brought = self.0.get(slot as usize).copied().unwrap_or_default();
        brought.join(before.unwrap_or(Known::EVERYTHING))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::alu;

    const NUMBERS: [u64; 9] = [0, 1, 2, 7, 1 << 31, u32::MAX as u64, 1 << 32, 1 << 63, u64::MAX];

    /// Both ways of each comparison say only what is true.
    #[test]
    fn comparisons() {
        let reg = Reg::R3;
        for (width, cond) in [Width::W32, Width::W64].into_iter().flat_map(|w| Cond::ALL.map(|c| (w, c))) {
            for (imm, number) in [-7, -1, 0, 1, 7].into_iter().flat_map(|i| NUMBERS.map(|n| (i, n))) {
                let known = match alu::compare(width, cond, number, alu::immediate(imm)) {
                    true => Known::default().where_holds(width, cond, reg, Operand::Imm(imm)),
                    false => Known::default().where_fails(width, cond, reg, Operand::Imm(imm)),
                };
                let text = alloc::format!("{width:?} {number:#x} {cond:?} {imm}: {known:?}");
                assert!(!known.is_narrow(reg) || number >> 32 == 0, "{text}");
                assert!(!known.is_nonzero(Width::W64, reg) || number != 0, "{text}");
                assert!(!known.is_nonzero(Width::W32, reg) || number as u32 != 0, "{text}");
            }
        }
    }

    /// At a place that several jumps lead to, only what holds at all of them is known.
    #[test]
    fn ways_that_meet() {
        let mut five = Known::default();
        five.moved(Width::W64, Reg::R3, Operand::Imm(5));
        let mut brought = Brought::new(4, &[1]);
        brought.bring(2, five);
        assert!(brought.at(2, None).is_nonzero(Width::W64, Reg::R3));
        assert!(brought.at(2, Some(five)).is_narrow(Reg::R3));
        brought.bring(2, Known::default());
        assert!(!brought.at(2, Some(five)).is_nonzero(Width::W64, Reg::R3));
        assert!(!brought.at(1, Some(five)).is_narrow(Reg::R3));
    }
}
