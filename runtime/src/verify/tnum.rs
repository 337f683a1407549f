//! Tristate numbers: what is known of each bit of a 64-bit value.
//!
//! A [`Tnum`] stands for all numbers that agree with `value` where `mask` is 0. The operations
//! return a tnum that contains every result of the operation on members of the operands; they are
//! those of the kernel's `tnum.c` (the algorithms of Vishwanathan et al., "Sound, Precise, and Fast
//! Abstract Interpretation with Tristate Numbers", CGO 2022), so that ours know neither more nor
//! less than the kernel's verifier.
//!
//! Invariant: `value & mask == 0`.

use core::fmt;

/// Known and unknown bits of a 64-bit value.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tnum {
    /// The known bits; 0 where unknown.
    pub value: u64,
    /// 1 where unknown.
    pub mask: u64,
}

impl Tnum {
    /// Nothing is known.
    pub const UNKNOWN: Tnum = Tnum { value: 0, mask: u64::MAX };

    /// Exactly `value`.
    pub const fn constant(value: u64) -> Tnum {
        Tnum { value, mask: 0 }
    }

    /// The smallest tnum with all of `min..=max`.
    pub const fn range(min: u64, max: u64) -> Tnum {
        let differing = 64 - (min ^ max).leading_zeros();
        if differing > 63 {
            return Tnum::UNKNOWN;
        }
        let mask = (1u64 << differing) - 1;
        Tnum { value: min & !mask, mask }
    }

    /// Are all bits known?
    pub const fn is_constant(self) -> bool {
        self.mask == 0
    }

    /// Is nothing known?
    pub const fn is_unknown(self) -> bool {
        self.mask == u64::MAX
    }

    /// The smallest member above `number`; the largest if none is (kernel `tnum_step`).
    pub const fn above(self, number: u64) -> u64 {
        if number >= self.max() {
            return self.max();
        }
        if number < self.value {
            return self.value;
        }
        let differing = (number ^ self.value) & !self.mask;
        // The bits from the highest one on that is known to be another.
        let low = match 64 - differing.leading_zeros() {
            0 => 0,
            bits => u64::MAX >> (64 - bits),
        };
        let is_below = self.value & low & !(low >> 1) != 0;
        // Counting up in the unknown bits only: known ones carry over.
        let free = match is_below {
            true => number & !low,
            false => ((number | low | !self.mask).wrapping_add(1)) & self.mask,
        };
        (free & self.mask) | self.value
    }

    /// The smallest member.
    pub const fn min(self) -> u64 {
        self.value
    }

    /// The largest member.
    pub const fn max(self) -> u64 {
        self.value | self.mask
    }

    /// Is `value` a member?
    pub const fn contains(self, value: u64) -> bool {
        value & !self.mask == self.value
    }

    /// Is every member of `other` a member?
    pub const fn includes(self, other: Tnum) -> bool {
        other.mask & !self.mask == 0 && other.value & !self.mask == self.value
    }

    /// What is known when both are true of a value. The operands must have a member in common.
    pub const fn intersect(self, other: Tnum) -> Tnum {
        let mask = self.mask & other.mask;
        Tnum { value: (self.value | other.value) & !mask, mask }
    }

    /// What is known when either is true of a value.
    pub const fn union(self, other: Tnum) -> Tnum {
        let mask = self.mask | other.mask | (self.value ^ other.value);
        Tnum { value: self.value & other.value & !mask, mask }
    }

    /// `self + other`.
    pub const fn add(self, other: Tnum) -> Tnum {
        let sum_mask = self.mask.wrapping_add(other.mask);
        let sum_value = self.value.wrapping_add(other.value);
        let carries = sum_mask.wrapping_add(sum_value) ^ sum_value;
        let mask = carries | self.mask | other.mask;
        Tnum { value: sum_value & !mask, mask }
    }

    /// `self - other`.
    pub const fn sub(self, other: Tnum) -> Tnum {
        let difference = self.value.wrapping_sub(other.value);
        let highest = difference.wrapping_add(self.mask);
        let lowest = difference.wrapping_sub(other.mask);
        let mask = (highest ^ lowest) | self.mask | other.mask;
        Tnum { value: difference & !mask, mask }
    }

    /// `-self`.
    pub const fn neg(self) -> Tnum {
        Tnum::constant(0).sub(self)
    }

    /// `self & other`.
    pub const fn and(self, other: Tnum) -> Tnum {
        let possible = (self.value | self.mask) & (other.value | other.mask);
        let value = self.value & other.value;
        Tnum { value, mask: possible & !value }
    }

    /// `self | other`.
    pub const fn or(self, other: Tnum) -> Tnum {
        let value = self.value | other.value;
        let mask = self.mask | other.mask;
        Tnum { value, mask: mask & !value }
    }

    /// `self ^ other`.
    pub const fn xor(self, other: Tnum) -> Tnum {
        let mask = self.mask | other.mask;
        Tnum { value: (self.value ^ other.value) & !mask, mask }
    }

    /// `self * other`: the sum of partial products, one for each bit of `self`.
    pub const fn mul(self, other: Tnum) -> Tnum {
        let (mut a, mut b) = (self, other);
        let known = Tnum::constant(a.value.wrapping_mul(b.value));
        let mut unknown = Tnum::constant(0);
        while a.value != 0 || a.mask != 0 {
            if a.value & 1 != 0 {
                unknown = unknown.add(Tnum { value: 0, mask: b.mask });
            } else if a.mask & 1 != 0 {
                unknown = unknown.add(Tnum { value: 0, mask: b.value | b.mask });
            }
            a = a.rsh(1);
            b = b.lsh(1);
        }
        known.add(unknown)
    }

    /// `self << shift`, `shift` below 64.
    pub const fn lsh(self, shift: u32) -> Tnum {
        Tnum { value: self.value << shift, mask: self.mask << shift }
    }

    /// `self >> shift`, `shift` below 64.
    pub const fn rsh(self, shift: u32) -> Tnum {
        Tnum { value: self.value >> shift, mask: self.mask >> shift }
    }

    /// Arithmetic `self >> shift` of the lower `bits` (32 or 64); a 32-bit result is zero-extended.
    pub const fn arsh(self, shift: u32, bits: u32) -> Tnum {
        if bits == 32 {
            Tnum {
                value: ((self.value as i32) >> shift) as u32 as u64,
                mask: ((self.mask as i32) >> shift) as u32 as u64,
            }
        } else {
            Tnum { value: ((self.value as i64) >> shift) as u64, mask: ((self.mask as i64) >> shift) as u64 }
        }
    }

    /// The lower `bytes`, zero-extended.
    pub const fn cast(self, bytes: u32) -> Tnum {
        if bytes >= 8 {
            return self;
        }
        let keep = (1u64 << (bytes * 8)) - 1;
        Tnum { value: self.value & keep, mask: self.mask & keep }
    }

    /// The lower 32 bits.
    pub const fn subreg(self) -> Tnum {
        self.cast(4)
    }

    /// The upper 32 bits of `self`, the lower of `low`.
    pub const fn with_subreg(self, low: Tnum) -> Tnum {
        let high = self.rsh(32).lsh(32);
        let low = low.subreg();
        Tnum { value: high.value | low.value, mask: high.mask | low.mask }
    }

    /// Are all members multiples of `size`, a power of two?
    pub const fn is_aligned(self, size: u64) -> bool {
        (self.value | self.mask) & size.wrapping_sub(1) == 0
    }
}

impl fmt::Debug for Tnum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({:#x}; {:#x})", self.value, self.mask)
    }
}

#[cfg(test)]
mod tests {
    use super::Tnum;
    use alloc::vec::Vec;

    /// All tnums of `bits` bits.
    fn all(bits: u32) -> impl Iterator<Item = Tnum> {
        let end = 1u64 << bits;
        (0..end).flat_map(move |mask| {
            (0..end).filter(move |v| v & mask == 0).map(move |value| Tnum { value, mask })
        })
    }

    fn members(t: Tnum, bits: u32) -> Vec<u64> {
        (0..1u64 << bits).filter(|&v| t.contains(v)).collect()
    }

    type Abstract = fn(Tnum, Tnum) -> Tnum;
    type Concrete = fn(u64, u64) -> u64;

    #[test]
    fn operations_contain_every_concrete_result() {
        let operations: [(Abstract, Concrete); 6] = [
            (Tnum::add, u64::wrapping_add),
            (Tnum::sub, u64::wrapping_sub),
            (Tnum::and, |a, b| a & b),
            (Tnum::or, |a, b| a | b),
            (Tnum::xor, |a, b| a ^ b),
            (Tnum::mul, u64::wrapping_mul),
        ];
        for a in all(4) {
            for b in all(4) {
                for (index, (abstractly, concretely)) in operations.iter().enumerate() {
                    let result = abstractly(a, b);
                    assert_eq!(result.value & result.mask, 0, "operation {index} on {a:?} {b:?}");
                    for x in members(a, 4) {
                        for y in members(b, 4) {
                            assert!(
                                result.contains(concretely(x, y)),
                                "operation {index}: {a:?} {b:?} {x} {y}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn union_and_intersection_are_exact_enough() {
        for a in all(4) {
            for b in all(4) {
                let (union, both) = (a.union(b), a.intersect(b));
                for v in 0..16 {
                    assert!(!(a.contains(v) || b.contains(v)) || union.contains(v));
                    assert!(!(a.contains(v) && b.contains(v)) || both.contains(v));
                }
                assert_eq!(a.includes(b), members(b, 4).iter().all(|&v| a.contains(v)));
            }
        }
    }

    #[test]
    fn the_member_above_a_number_is_the_next_one() {
        for t in all(4) {
            for number in 0..18 {
                let above = members(t, 4).into_iter().find(|&member| member > number);
                assert_eq!(t.above(number), above.unwrap_or(t.max()), "{t:?} {number}");
            }
        }
        assert_eq!(Tnum::UNKNOWN.above(u64::MAX - 1), u64::MAX);
    }

    #[test]
    fn ranges_contain_their_numbers() {
        for min in 0..64u64 {
            for max in min..64 {
                let t = Tnum::range(min, max);
                assert!((min..=max).all(|v| t.contains(v)));
            }
        }
        assert!(Tnum::range(0, u64::MAX).is_unknown());
        assert_eq!(Tnum::range(7, 7), Tnum::constant(7));
    }

    #[test]
    fn shifts_and_casts() {
        let t = Tnum { value: 0x8000_0000_8000_0001, mask: 0x10 };
        assert_eq!(t.arsh(4, 64).value, 0xf800_0000_0800_0000);
        assert_eq!(t.arsh(4, 32), Tnum { value: 0xf800_0000, mask: 1 });
        assert_eq!(t.subreg(), Tnum { value: 0x8000_0001, mask: 0x10 });
        assert_eq!(t.with_subreg(Tnum::constant(5)).value, 0x8000_0000_0000_0005);
        assert!(Tnum { value: 8, mask: 0x30 }.is_aligned(8) && !t.is_aligned(2));
    }
}
