//! How instructions of x86-64 begin and end: prefixes and opcode in front of the operands, immediates
//! behind them.
//!
//! In: an opcode and what is special about it. Out: its bytes in one word, for whatever registers.

/// An immediate operand: its lowest bytes, so many.
#[derive(Clone, Copy)]
pub struct Imm {
    /// The bytes, the lowest first.
    pub value: u32,
    /// How many are meant.
    pub len: usize,
}

impl Imm {
    /// None.
    pub const NONE: Imm = Imm { value: 0, len: 0 };

    /// One byte.
    pub const fn byte(value: u8) -> Imm {
        Imm { value: value as u32, len: 1 }
    }

    /// Four bytes.
    pub const fn word(value: i32) -> Imm {
        Imm { value: value as u32, len: 4 }
    }
}

/// The fixed part of an instruction.
#[derive(Clone, Copy)]
pub struct Form {
    /// The opcode's bytes, and their number.
    opcode: u16,
    len: u8,
    wide: bool,
    /// A byte in front of everything; 0 for none.
    prefix: u8,
    /// The register operand is a byte.
    pub byte_reg: bool,
    /// The other operand is, if it is a register.
    pub byte_rm: bool,
}

impl Form {
    /// An opcode of the first map.
    pub const fn new(opcode: u8) -> Form {
        Form { opcode: opcode as u16, len: 1, wide: false, prefix: 0, byte_reg: false, byte_rm: false }
    }

    /// Works on 64 bits.
    pub const fn wide(self, wide: bool) -> Form {
        Form { wide, ..self }
    }

    /// The opcode is of map 0F.
    pub const fn escape(self) -> Form {
        Form { opcode: self.opcode << 8 | 0x0f, len: 2, ..self }
    }

    /// In one step, for other processors.
    pub const fn lock(self) -> Form {
        Form { prefix: 0xf0, ..self }
    }

    /// Works on 16 bits.
    pub const fn half(self) -> Form {
        Form { prefix: 0x66, ..self }
    }

    /// The register operand is a byte.
    pub const fn byte_reg(self) -> Form {
        Form { byte_reg: true, ..self }
    }

    /// The other operand is a byte, if it is a register.
    pub const fn byte_rm(self, byte_rm: bool) -> Form {
        Form { byte_rm, ..self }
    }

    /// The bytes up to the opcode, and their number; `reg`, `index` and `base` count by their upper bit.
    /// There is no branch in it, for nobody could predict it.
    #[inline(always)]
    pub fn head(self, reg: u8, index: u8, base: u8, is_byte: bool) -> (u64, usize) {
        let rex = u8::from(self.wide) << 3 | (reg >> 3) << 2 | index << 1 | base;
        let (has_rex, has_prefix) = (usize::from(rex != 0 || is_byte), usize::from(self.prefix != 0));
        let rex = if has_rex != 0 { 0x40 | rex } else { 0 };
        let head = u64::from(self.opcode) << (8 * has_rex) | u64::from(rex);
        let head = head << (8 * has_prefix) | u64::from(self.prefix);
        (head, usize::from(self.len) + has_rex + has_prefix)
    }
}
