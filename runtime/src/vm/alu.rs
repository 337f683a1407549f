//! What arithmetic and compares compute: pure functions of two numbers.
//!
//! The one definition of the instruction set's arithmetic in this crate; the interpreter executes
//! it and the verifier folds constants with it.

use skep_stdlib::isa::{AluOp, AtomicOp, Cond, Endian, Operand, Width};

/// `a op b`. 32-bit results are zero-extended. Division by zero gives 0 and the remainder of it
/// the dividend; shifts use the low bits of the count.
#[inline]
pub fn alu(width: Width, op: AluOp, a: u64, b: u64) -> u64 {
    match width {
        Width::W64 => alu64(op, a, b),
        Width::W32 => u64::from(alu32(op, a as u32, b as u32)),
    }
}

macro_rules! arithmetic {
    ($name:ident, $unsigned:ty, $signed:ty) => {
        #[inline]
        fn $name(op: AluOp, a: $unsigned, b: $unsigned) -> $unsigned {
            match op {
                AluOp::Add => a.wrapping_add(b),
                AluOp::Sub => a.wrapping_sub(b),
                AluOp::Mul => a.wrapping_mul(b),
                AluOp::Div => a.checked_div(b).unwrap_or(0),
                AluOp::Or => a | b,
                AluOp::And => a & b,
                AluOp::Lsh => a.wrapping_shl(b as u32),
                AluOp::Rsh => a.wrapping_shr(b as u32),
                AluOp::Mod => a.checked_rem(b).unwrap_or(a),
                AluOp::Xor => a ^ b,
                AluOp::Arsh => (a as $signed).wrapping_shr(b as u32) as $unsigned,
                AluOp::Sdiv if b == 0 => 0,
                AluOp::Sdiv => (a as $signed).wrapping_div(b as $signed) as $unsigned,
                AluOp::Smod if b == 0 => a,
                AluOp::Smod => (a as $signed).wrapping_rem(b as $signed) as $unsigned,
            }
        }
    };
}

arithmetic!(alu32, u32, i32);
arithmetic!(alu64, u64, i64);

/// Whether `a cond b` holds.
#[inline]
pub fn compare(width: Width, cond: Cond, a: u64, b: u64) -> bool {
    // Comparing sign-extended halves is comparing the halves, signed or not.
    let (a, b) = match width {
        Width::W64 => (a, b),
        Width::W32 => (i64::from(a as i32) as u64, i64::from(b as i32) as u64),
    };
    let (sa, sb) = (a as i64, b as i64);
    match cond {
        Cond::Eq => a == b,
        Cond::Gt => a > b,
        Cond::Ge => a >= b,
        Cond::Set => a & b != 0,
        Cond::Ne => a != b,
        Cond::Sgt => sa > sb,
        Cond::Sge => sa >= sb,
        Cond::Lt => a < b,
        Cond::Le => a <= b,
        Cond::Slt => sa < sb,
        Cond::Sle => sa <= sb,
    }
}

/// An operand's value: immediates are sign-extended.
#[inline]
pub fn immediate(imm: i32) -> u64 {
    i64::from(imm) as u64
}

/// The byte-order conversions, as a little-endian machine does them.
#[inline]
pub fn swap(kind: Endian, bits: u8, value: u64) -> u64 {
    match (kind, bits) {
        (Endian::ToLe, 16) => value & 0xffff,
        (Endian::ToLe, 32) => value & 0xffff_ffff,
        (Endian::ToLe, _) => value,
        (Endian::ToBe | Endian::Bswap, 16) => u64::from((value as u16).swap_bytes()),
        (Endian::ToBe | Endian::Bswap, 32) => u64::from((value as u32).swap_bytes()),
        (Endian::ToBe | Endian::Bswap, _) => value.swap_bytes(),
    }
}

/// Sign-extends the lower `bits` of `value` to `width`.
#[inline]
pub fn sign_extend(width: Width, bits: u8, value: u64) -> u64 {
    let shift = 64u32.saturating_sub(u32::from(bits));
    let wide = (value << (shift & 63)) as i64 >> (shift & 63);
    match width {
        Width::W64 => wide as u64,
        Width::W32 => u64::from(wide as u32),
    }
}

/// What an atomic operation stores, given the old value, the operand and r0.
#[inline]
pub fn atomic(op: AtomicOp, old: u64, operand: u64, r0: u64) -> u64 {
    match op {
        AtomicOp::Add { .. } => old.wrapping_add(operand),
        AtomicOp::Or { .. } => old | operand,
        AtomicOp::And { .. } => old & operand,
        AtomicOp::Xor { .. } => old ^ operand,
        AtomicOp::Xchg => operand,
        AtomicOp::CmpXchg if old == r0 => operand,
        AtomicOp::CmpXchg => old,
    }
}

/// Whether the second operand is a register, and which.
pub(super) fn value_of(operand: Operand, regs: &super::interp::Regs) -> u64 {
    match operand {
        Operand::Reg(reg) => regs.get(reg),
        Operand::Imm(imm) => immediate(imm),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_has_no_traps() {
        assert_eq!(alu(Width::W64, AluOp::Div, 5, 0), 0);
        assert_eq!(alu(Width::W64, AluOp::Mod, 5, 0), 5);
        assert_eq!(alu(Width::W64, AluOp::Sdiv, i64::MIN as u64, u64::MAX), i64::MIN as u64);
        assert_eq!(alu(Width::W64, AluOp::Smod, i64::MIN as u64, u64::MAX), 0);
        assert_eq!(alu(Width::W32, AluOp::Mod, 0xffff_ffff_0000_0005, 0), 5, "upper half is cleared");
    }

    #[test]
    fn shifts_use_low_bits_of_the_count() {
        assert_eq!(alu(Width::W64, AluOp::Lsh, 1, 65), 2);
        assert_eq!(alu(Width::W32, AluOp::Lsh, 1, 33), 2);
        assert_eq!(alu(Width::W32, AluOp::Arsh, 0x8000_0000, 31), 0xffff_ffff);
    }

    #[test]
    fn narrow_compares_ignore_upper_halves() {
        assert!(compare(Width::W32, Cond::Eq, 0x1_0000_0001, 1));
        assert!(compare(Width::W32, Cond::Gt, 0xffff_ffff, 1));
        assert!(compare(Width::W32, Cond::Slt, 0xffff_ffff, 1));
        assert!(!compare(Width::W64, Cond::Slt, 0xffff_ffff, 1));
    }

    #[test]
    fn conversions() {
        assert_eq!(swap(Endian::ToBe, 16, 0x1122_3344), 0x4433);
        assert_eq!(swap(Endian::ToLe, 32, 0x11_2233_4455), 0x2233_4455);
        assert_eq!(swap(Endian::Bswap, 64, 1), 1 << 56);
        assert_eq!(sign_extend(Width::W64, 8, 0x80), 0xffff_ffff_ffff_ff80);
        assert_eq!(sign_extend(Width::W32, 8, 0x80), 0xffff_ff80);
    }
}
