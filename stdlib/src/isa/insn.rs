//! One decoded BPF instruction with named operands (RFC 9669).
//!
//! Everything that looks at instructions matches this enum without a `_` arm: verifier,
//! interpreter, code generator, printer. Decoding and encoding go through the opcode table of
//! [`super`], so bytes are interpreted in exactly one place.
//!
//! Jump and call distances stay as the instruction set counts them: in 8-byte *slots*, relative
//! to the slot after the instruction. `LoadImm64` is the only instruction of two slots.

use core::fmt;

/// A register, `r0` to `r10`; `r10` is the read-only frame pointer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reg(u8);

/// Operand width of arithmetic and compares: `w` registers or `r` registers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Width {
    /// The lower 32 bits; arithmetic results are zero-extended.
    W32,
    /// All 64 bits.
    W64,
}

/// Size of a memory access.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Size {
    /// 1 byte.
    B,
    /// 2 bytes.
    H,
    /// 4 bytes.
    W,
    /// 8 bytes.
    DW,
}

/// The second operand of arithmetic, compares and stores.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operand {
    /// A register.
    Reg(Reg),
    /// A 32-bit immediate, sign-extended to the operation's width.
    Imm(i32),
}

/// Two-operand arithmetic (RFC 9669 section 4.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum AluOp {
    Add,
    Sub,
    Mul,
    Div,
    Or,
    And,
    Lsh,
    Rsh,
    Mod,
    Xor,
    Arsh,
    Sdiv,
    Smod,
}

impl AluOp {
    /// All of them, by number.
    pub const ALL: [AluOp; 13] = {
        use AluOp::*;
        [Add, Sub, Mul, Div, Or, And, Lsh, Rsh, Mod, Xor, Arsh, Sdiv, Smod]
    };
}

/// Conditions of conditional jumps (RFC 9669 section 4.3); `S` marks signed comparison.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum Cond {
    Eq,
    Gt,
    Ge,
    Set,
    Ne,
    Sgt,
    Sge,
    Lt,
    Le,
    Slt,
    Sle,
}

impl Cond {
    /// All of them, by number.
    pub const ALL: [Cond; 11] = {
        use Cond::*;
        [Eq, Gt, Ge, Set, Ne, Sgt, Sge, Lt, Le, Slt, Sle]
    };
}

/// Byte-order conversions (RFC 9669 section 4.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Endian {
    /// Host order to little-endian and zero-extend.
    ToLe,
    /// Host order to big-endian and zero-extend.
    ToBe,
    /// Unconditional swap (cpu v4).
    Bswap,
}

/// Atomic read-modify-write operations (RFC 9669 section 5.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum AtomicOp {
    Add {
        fetch: bool,
    },
    Or {
        fetch: bool,
    },
    And {
        fetch: bool,
    },
    Xor {
        fetch: bool,
    },
    /// `src = xchg(mem, src)`.
    Xchg,
    /// `r0 = cmpxchg(mem, r0, src)`.
    CmpXchg,
}

/// What a two-slot `ld_imm64` loads (RFC 9669 section 5.4: the source register field).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Imm64 {
    /// A plain 64-bit constant (source 0).
    Const(u64),
    /// A map by file descriptor (source 1).
    MapFd(i32),
    /// Address `offset` into the single value of the array map `fd` (source 2).
    MapValue {
        /// The map.
        fd: i32,
        /// Byte offset into its value.
        offset: u32,
    },
    /// A kernel variable by BTF id (source 3); `module` is the BTF object's descriptor or 0.
    BtfId {
        /// BTF id of the variable.
        id: i32,
        /// Descriptor of the BTF object that defines it.
        module: i32,
    },
    /// Address of a subprogram, `imm` slots after this instruction's second slot (source 4).
    Func(i32),
    /// A map by index into the loader's descriptor array (source 5).
    MapIdx(i32),
    /// Address into the value of a map by index (source 6).
    MapIdxValue {
        /// Index into the descriptor array.
        index: i32,
        /// Byte offset into its value.
        offset: u32,
    },
}

/// Who a call calls (RFC 9669 section 4.3.1: the source register field).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CallTarget {
    /// A helper by number.
    Helper(i32),
    /// A subprogram, distance in slots from the next instruction.
    Local(i32),
    /// A kernel function by BTF id; `module` is the index of the BTF object, 0 for vmlinux.
    Kfunc {
        /// BTF id of the function.
        id: i32,
        /// BTF object index.
        module: i16,
    },
    /// The function whose address a register holds.
    Reg(Reg),
}

/// One instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum Insn {
    /// `dst op= src`.
    Alu { width: Width, op: AluOp, dst: Reg, src: Operand },
    /// `dst = src`.
    Mov { width: Width, dst: Reg, src: Operand },
    /// `dst = (sBITS)src`, BITS is 8, 16 or 32 (cpu v4).
    MovSx { width: Width, bits: u8, dst: Reg, src: Reg },
    /// `dst = -dst`.
    Neg { width: Width, dst: Reg },
    /// Byte-order conversion of the lower `bits` (16, 32, 64).
    Swap { kind: Endian, bits: u8, dst: Reg },
    /// `dst = imm64 ll`: two slots.
    LoadImm64 { dst: Reg, value: Imm64 },
    /// `dst = *(size *)(base + off)`; `signed` sign-extends (cpu v4).
    Load { size: Size, signed: bool, dst: Reg, base: Reg, off: i16 },
    /// `*(size *)(base + off) = src`.
    Store { size: Size, base: Reg, off: i16, src: Operand },
    /// `lock` read-modify-write of 4 or 8 bytes.
    Atomic { size: Size, op: AtomicOp, base: Reg, off: i16, src: Reg },
    /// `dst = load_acquire((size *)(base + off))`.
    LoadAcquire { size: Size, dst: Reg, base: Reg, off: i16 },
    /// `store_release((size *)(base + off), src)`.
    StoreRelease { size: Size, base: Reg, off: i16, src: Reg },
    /// Legacy packet access `r0 = *(size *)skb[imm]`.
    LoadAbs { size: Size, imm: i32 },
    /// Legacy packet access `r0 = *(size *)skb[src + imm]`.
    LoadInd { size: Size, src: Reg, imm: i32 },
    /// `dst = addr_space_cast(src, to, from)`, packed as `to << 16 | from`.
    AddrSpaceCast { dst: Reg, src: Reg, spaces: i32 },
    /// `goto off`; `long` uses the 32-bit form (cpu v4).
    Jump { off: i32, long: bool },
    /// `if dst cond src goto off`.
    Branch { width: Width, cond: Cond, dst: Reg, src: Operand, off: i16 },
    /// `may_goto off`.
    MayGoto { off: i16 },
    /// `call target`.
    Call(CallTarget),
    /// `exit`.
    Exit,
}

#[allow(missing_docs)]
impl Reg {
    pub const R0: Reg = Reg(0);
    pub const R1: Reg = Reg(1);
    pub const R2: Reg = Reg(2);
    pub const R3: Reg = Reg(3);
    pub const R4: Reg = Reg(4);
    pub const R5: Reg = Reg(5);
    pub const R6: Reg = Reg(6);
    pub const R7: Reg = Reg(7);
    pub const R8: Reg = Reg(8);
    pub const R9: Reg = Reg(9);
    pub const R10: Reg = Reg(10);
    /// The frame pointer.
    pub const FP: Reg = Reg(10);
    /// Number of registers, the frame pointer included.
    pub const COUNT: usize = 11;

    /// The register with this number, if there is one.
    pub const fn new(number: u8) -> Option<Reg> {
        if number <= 10 { Some(Reg(number)) } else { None }
    }

    /// Its number, 0 to 10.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its number as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl fmt::Debug for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Size {
    /// Bytes accessed.
    pub const fn bytes(self) -> u32 {
        match self {
            Size::B => 1,
            Size::H => 2,
            Size::W => 4,
            Size::DW => 8,
        }
    }

    /// The size of `bytes` bytes, if an instruction has it.
    pub const fn of_bytes(bytes: u64) -> Option<Size> {
        match bytes {
            1 => Some(Size::B),
            2 => Some(Size::H),
            4 => Some(Size::W),
            8 => Some(Size::DW),
            _ => None,
        }
    }
}

impl Width {
    /// 32 or 64.
    pub const fn bits(self) -> u32 {
        match self {
            Width::W32 => 32,
            Width::W64 => 64,
        }
    }
}

impl Insn {
    /// Slots the instruction takes in the program: 2 for `LoadImm64`, else 1.
    pub const fn slots(&self) -> usize {
        match self {
            Insn::LoadImm64 { .. } => 2,
            _ => 1,
        }
    }
}
