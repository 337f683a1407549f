//! What is known of the 64-bit content of a register that holds a narrower value.
//!
//! A register that holds an `i8`, `i16` or `i32` has that value in its lower bits; its upper bits
//! are whatever the instruction that made it left there. [`Known`] bounds the content, so that
//! selection extends only where the upper bits matter and are not right already.

use skep_stdlib::isa::Width;

use crate::ir::BinaryOp;

/// Bounds of the content of a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    /// Read unsigned, it is less than 2 to this power.
    pub unsigned: u8,
    /// It is the sign extension of its lower bits, so many of them.
    pub signed: u8,
}

impl Known {
    /// Nothing is known.
    pub const ANY: Known = Known { unsigned: 64, signed: 64 };
    /// The start of a search for the weakest fact: it holds for no content.
    pub const NONE: Known = Known { unsigned: 0, signed: 0 };

    /// Zero-extended from this many bits.
    pub const fn zero_extended(bits: u8) -> Known {
        Known { unsigned: bits, signed: if bits < 64 { bits + 1 } else { 64 } }
    }

    /// Sign-extended from this many bits.
    pub const fn sign_extended(bits: u8) -> Known {
        Known { unsigned: 64, signed: bits }
    }

    /// The content itself is known.
    pub const fn constant(content: u64) -> Known {
        let value = content as i64;
        let magnitude = if value < 0 { !content } else { content };
        Known { unsigned: 64 - content.leading_zeros() as u8, signed: 65 - magnitude.leading_zeros() as u8 }
    }

    /// Holds where either fact holds.
    pub fn or(self, other: Known) -> Known {
        Known { unsigned: self.unsigned.max(other.unsigned), signed: self.signed.max(other.signed) }
    }

    /// A weaker fact of which there are few: what grows with each round of a loop comes to an end.
    pub fn widened(self) -> Known {
        let least = |bits: u8, of: [u8; 3]| of.into_iter().find(|&limit| bits <= limit).unwrap_or(64);
        Known { unsigned: least(self.unsigned, [8, 16, 32]), signed: least(self.signed, [9, 17, 33]) }
    }

    /// One of the two facts can follow from the other.
    fn normal(unsigned: u8, signed: u8) -> Known {
        let unsigned = unsigned.min(64);
        Known { unsigned, signed: signed.min(unsigned + 1).min(64) }
    }

    /// The result of arithmetic of this width on operands with these contents. `shift` is the
    /// second operand when it is constant.
    pub fn arithmetic(op: BinaryOp, width: Width, a: Known, b: Known, constant: Option<u64>) -> Known {
        let wide = match width {
            Width::W64 => Known::wide(op, a, b, constant, 64),
            Width::W32 => {
                let low = |k: Known| if k.unsigned <= 32 { k } else { Known::zero_extended(32) };
                Known::wide(op, low(a), low(b), constant, 32)
            }
        };
        match width {
            Width::W64 => wide,
            // The instruction clears the upper half.
            Width::W32 if wide.unsigned > 32 => Known::zero_extended(32),
            Width::W32 => wide,
        }
    }

    fn wide(op: BinaryOp, a: Known, b: Known, constant: Option<u64>, bits: u8) -> Known {
        let count = constant.map(|c| (c % u64::from(bits)) as u8);
        let (ua, ub) = (a.unsigned, b.unsigned);
        let (sa, sb) = (a.signed, b.signed);
        match op {
            BinaryOp::Add => Known::normal(carry(ua, ub), carry(sa, sb)),
            BinaryOp::Sub => Known::normal(64, carry(sa, sb)),
            BinaryOp::Mul => Known::normal(ua.saturating_add(ub), sa.saturating_add(sb)),
            // Division by zero gives 0, the remainder by zero is the dividend.
            BinaryOp::Udiv => Known::normal(ua, 64),
            BinaryOp::Urem => Known::normal(ua, 64),
            BinaryOp::Sdiv | BinaryOp::Srem => Known::ANY,
            BinaryOp::And => Known::normal(ua.min(ub), sa.max(sb)),
            BinaryOp::Or | BinaryOp::Xor => Known::normal(ua.max(ub), sa.max(sb)),
            BinaryOp::Shl => match count {
                Some(n) => Known::normal(ua.saturating_add(n), sa.saturating_add(n)),
                None => Known::ANY,
            },
            BinaryOp::Lshr => match count {
                Some(n) => Known::normal(ua.saturating_sub(n), 64),
                None => Known::normal(ua, 64),
            },
            BinaryOp::Ashr if bits == 64 => {
                let signed = sa.saturating_sub(count.unwrap_or(0)).max(1);
                // Copies of a zero sign bit come in from above.
                Known::normal(if ua < 64 { ua.saturating_sub(count.unwrap_or(0)) } else { 64 }, signed)
            }
            BinaryOp::Ashr => Known::ANY,
        }
    }
}

/// Bits of a sum; 64 stays "unknown".
fn carry(a: u8, b: u8) -> u8 {
    let bits = a.max(b);
    if bits >= 64 { 64 } else { bits + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(known: Known, content: u64) -> bool {
        let exact = Known::constant(content);
        exact.unsigned <= known.unsigned && exact.signed <= known.signed
    }

    /// The reference semantics of 64-bit arithmetic.
    fn compute(op: BinaryOp, a: u64, b: u64) -> u64 {
        match op {
            BinaryOp::Add => a.wrapping_add(b),
            BinaryOp::Sub => a.wrapping_sub(b),
            BinaryOp::Mul => a.wrapping_mul(b),
            BinaryOp::Udiv => a.checked_div(b).unwrap_or(0),
            BinaryOp::Urem => a.checked_rem(b).unwrap_or(a),
            BinaryOp::Sdiv => (a as i64).checked_div(b as i64).unwrap_or(0) as u64,
            BinaryOp::Srem => (a as i64).checked_rem(b as i64).unwrap_or(a as i64) as u64,
            BinaryOp::And => a & b,
            BinaryOp::Or => a | b,
            BinaryOp::Xor => a ^ b,
            BinaryOp::Shl => a << (b % 64),
            BinaryOp::Lshr => a >> (b % 64),
            BinaryOp::Ashr => ((a as i64) >> (b % 64)) as u64,
        }
    }

    #[test]
    fn arithmetic_is_sound_on_corner_values() {
        let corners = [
            0,
            1,
            2,
            5,
            31,
            32,
            63,
            127,
            128,
            255,
            256,
            65535,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            0x1_0000_0000,
            i64::MAX as u64,
            i64::MIN as u64,
            u64::MAX,
            u64::MAX - 127,
        ];
        let ops = [
            BinaryOp::Add,
            BinaryOp::Sub,
            BinaryOp::Mul,
            BinaryOp::Udiv,
            BinaryOp::Urem,
            BinaryOp::And,
            BinaryOp::Or,
            BinaryOp::Xor,
            BinaryOp::Shl,
            BinaryOp::Lshr,
            BinaryOp::Ashr,
        ];
        for op in ops {
            for a in corners {
                for b in corners {
                    let (ka, kb) = (Known::constant(a), Known::constant(b));
                    for constant in [None, Some(b)] {
                        let known = Known::arithmetic(op, Width::W64, ka, kb, constant);
                        assert!(holds(known, compute(op, a, b)), "{op:?} {a:#x} {b:#x} {known:?}");
                    }
                    // The 32-bit operations agree with the 64-bit ones on zero-extended operands,
                    // shifts by a count below 32.
                    let (low, count) = (a as u32 as u64, b as u32 as u64);
                    let shift = matches!(op, BinaryOp::Shl | BinaryOp::Lshr | BinaryOp::Ashr);
                    if op == BinaryOp::Ashr {
                        continue;
                    }
                    let count = if shift { count % 32 } else { count };
                    let result = compute(op, low, count) as u32 as u64;
                    for constant in [None, Some(b)] {
                        let known = Known::arithmetic(op, Width::W32, ka, kb, constant);
                        assert!(holds(known, result), "{op:?}32 {a:#x} {b:#x} {known:?}");
                    }
                }
            }
        }
    }
}
