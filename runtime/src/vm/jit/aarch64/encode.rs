//! Encodings of A64: the fixed bits of each group of instructions, and constants that fit into one.
//!
//! Every instruction is one word. Most have the destination in the lowest five bits, the first source
//! above it, the second from bit 16 on, and say by the highest bit that they work on 64 bits.

/// Sums and logic of registers, by the fixed bits of the narrow form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Op {
    And = 0x0a00_0000,
    Add = 0x0b00_0000,
    Orr = 0x2a00_0000,
    /// With the opposite of the second.
    Orn = 0x2a20_0000,
    Adds = 0x2b00_0000,
    Eor = 0x4a00_0000,
    Sub = 0x4b00_0000,
    Ands = 0x6a00_0000,
    Subs = 0x6b00_0000,
    Udiv = 0x1ac0_0800,
    Sdiv = 0x1ac0_0c00,
    Lsl = 0x1ac0_2000,
    Lsr = 0x1ac0_2400,
    Asr = 0x1ac0_2800,
}

impl Op {
    /// The form with a constant of 12 bits, which may be shifted by 12.
    pub const fn with_number(self) -> Option<u32> {
        match self {
            Op::Add => Some(0x1100_0000),
            Op::Adds => Some(0x3100_0000),
            Op::Sub => Some(0x5100_0000),
            Op::Subs => Some(0x7100_0000),
            _ => None,
        }
    }

    /// The form with a pattern of bits.
    pub const fn with_pattern(self) -> Option<u32> {
        match self {
            Op::And => Some(0x1200_0000),
            Op::Orr => Some(0x3200_0000),
            Op::Eor => Some(0x5200_0000),
            Op::Ands => Some(0x7200_0000),
            _ => None,
        }
    }
}

/// Instructions of one source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Unary {
    /// Reverses the bytes of each 16 bits.
    Rev16 = 0x5ac0_0400,
    /// Reverses four bytes.
    Rev32 = 0x5ac0_0800,
    /// Reverses eight.
    Rev64 = 0xdac0_0c00,
}

/// Moves of some bits of the source to some of the destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Field {
    Signed = 0x1300_0000,
    Unsigned = 0x5300_0000,
}

/// What a product is added to or taken from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Product {
    Added = 0x1b00_0000,
    Taken = 0x1b00_8000,
}

/// Accesses of memory: in bits 22 and 23 of the forms below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Access {
    Store = 0,
    Load = 1,
    /// Sign-extends to 64 bits; not of eight bytes.
    LoadSigned = 2,
}

/// Where accesses of memory are: at a register plus a scaled number, plus any small number, plus a register.
pub const SCALED: u32 = 0x3900_0000;
/// See [`SCALED`].
pub const UNSCALED: u32 = 0x3800_0000;
/// See [`SCALED`].
pub const INDEXED: u32 = 0x3820_6800;

/// Accesses that other processors see in order or at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Ordered {
    /// Acquires.
    Load = 0x08df_fc00,
    /// Releases.
    Store = 0x089f_fc00,
    /// Watches the place.
    LoadExclusive = 0x085f_7c00,
    /// Both.
    LoadAcquireExclusive = 0x085f_fc00,
}

/// Stores that say whether somebody else was faster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Exclusive {
    Plain = 0x0800_7c00,
    Release = 0x0800_fc00,
}

/// Changes of memory in one instruction, in order with all other accesses: the processor must have LSE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum AtOnce {
    CompareAndSwap = 0x08e0_fc00,
    Add = 0x38e0_0000,
    /// Bits that are set in the operand.
    Clear = 0x38e0_1000,
    Eor = 0x38e0_2000,
    Set = 0x38e0_3000,
    Swap = 0x38e0_8000,
}

/// Accesses of two registers at a stack pointer that changes before or after, or does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Pair {
    Store = 0xa900_0000,
    Load = 0xa940_0000,
    Push = 0xa980_0000,
    Pop = 0xa8c0_0000,
}

/// Sets 16 bits: and the others to one, to zero, or leaves them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Wide {
    Inverted = 0x1280_0000,
    Zero = 0x5280_0000,
    Keep = 0x7280_0000,
}

/// Conditions, by their number; that of the opposite differs in the lowest bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Cc {
    Equal = 0,
    NotEqual = 1,
    AboveEqual = 2,
    Below = 3,
    Negative = 4,
    Above = 8,
    BelowEqual = 9,
    GreaterEqual = 10,
    Less = 11,
    Greater = 12,
    LessEqual = 13,
}

/// Waits until all accesses before are seen by all processors.
pub const BARRIER: u32 = 0xd503_3bbf;
/// Returns to the link register.
pub const RETURN: u32 = 0xd65f_03c0;
/// Jumps to a register.
pub const JUMP_REGISTER: u32 = 0xd61f_0000;
/// Calls a register.
pub const CALL_REGISTER: u32 = 0xd63f_0000;
/// Jumps, 26 bits of words.
pub const JUMP: u32 = 0x1400_0000;
/// Calls, 26 bits of words.
pub const CALL: u32 = 0x9400_0000;
/// Jumps under a condition, 19 bits of words.
pub const JUMP_IF: u32 = 0x5400_0000;
/// Jumps if a register is zero, 19 bits of words.
pub const JUMP_IF_ZERO: u32 = 0x3400_0000;
/// Jumps if it is not.
pub const JUMP_IF_NOT_ZERO: u32 = 0x3500_0000;
/// An address near the instruction, 21 bits of bytes.
pub const ADDRESS: u32 = 0x1000_0000;

/// The number as one of 12 bits, maybe shifted by 12: in place.
pub const fn number(value: u64) -> Option<u32> {
    match value {
        0..0x1000 => Some((value as u32) << 10),
        _ if value & 0xfff == 0 && value < 0x100_0000 => Some(1 << 22 | (value as u32 >> 12) << 10),
        _ => None,
    }
}

/// The number as a run of ones, rotated in an element of 2 to 64 bits that repeats: in place.
pub fn pattern(wide: bool, value: u64) -> Option<u32> {
    let value = if wide { value } else { value & 0xffff_ffff | value << 32 };
    if value == 0 || value == u64::MAX {
        return None;
    }
    let mut size = 64u32;
    while size > 2 && value == value.rotate_right(size / 2) {
        size /= 2;
    }
    let element = value & u64::MAX >> (64 - size);
    let ones = element.count_ones();
    // A run at the bottom was not rotated; any other has its lowest bit, or the rest of it, at the bottom.
    let rotation = match element.trailing_zeros() {
        0 => ones - element.trailing_ones(),
        zeros => size - zeros,
    };
    let run = u64::MAX >> (64 - ones);
    let rotated = (run >> rotation | run << ((size - rotation) & 63)) & u64::MAX >> (64 - size);
    let length = !(2 * size - 1) & 63 | (ones - 1);
    (rotated == element).then_some(u32::from(size == 64) << 22 | rotation << 16 | length << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the processor makes of a pattern, as its manual describes it.
    fn decode(field: u32) -> u64 {
        let (n, rotation, length) = (field >> 22 & 1, field >> 16 & 63, field >> 10 & 63);
        let size = 1u32 << (31 - (n << 6 | !length & 63).leading_zeros());
        let ones = (length & (size - 1)) + 1;
        let bit = |at: u32| u64::from((at + rotation) % size < ones);
        (0..64).fold(0, |value, at| value | bit(at % size) << at)
    }

    #[test]
    fn patterns() {
        for size in [2u32, 4, 8, 16, 32, 64] {
            for ones in 1..size {
                for rotation in 0..size {
                    let value = decode(
                        u32::from(size == 64) << 22
                            | rotation << 16
                            | (!(2 * size - 1) & 63 | (ones - 1)) << 10,
                    );
                    assert_eq!(pattern(true, value).map(decode), Some(value), "{value:#x}");
                    let narrow = value & 0xffff_ffff;
                    if size < 64 {
                        assert_eq!(pattern(false, narrow).map(decode), Some(value), "{narrow:#x}");
                    }
                }
            }
        }
        for value in [0, u64::MAX, 5, 0x1234, 0x8000_0000_0000_0002, 0xff00_ff0f] {
            assert_eq!(pattern(true, value), None, "{value:#x}");
        }
        assert_eq!(pattern(false, 0xffff_ffff), None);
        assert_eq!(pattern(false, u64::MAX), None);
    }

    #[test]
    fn numbers() {
        assert_eq!(number(0xfff), Some(0xfff << 10));
        assert_eq!(number(0xfff000), Some(1 << 22 | 0xfff << 10));
        assert_eq!((number(0x1001), number(0x100_0000)), (None, None));
    }
}
