//! The instruction set: the one opcode table, and everything that derives from it.
//!
//! - [`Insn`]: one decoded instruction with named operands; the contract with the other crates.
//! - [`decode()`], [`encode()`]: bytes to instruction and back.
//! - `Display` of an instruction is the pseudo-C of the kernel and LLVM; [`mod@asm`] parses it back.
//! - [`mnemonic`]: the other assembler dialect, `add %r0, 1`.
//!
//! A [`Row`] is one operation: its opcode byte, the field that tells it from others with the same
//! opcode ([`Select`]), what its fields mean ([`Form`]), and the cpu version that brought it. The
//! families of operations ([`ALU_OPS`], [`CONDS`], [`ATOMICS`]) hold names and codes; [`ROWS`] is
//! their product. Fields that a form does not name must be zero.

pub mod asm;
mod cursor;
mod decode;
mod directives;
mod encode;
mod insn;
pub mod mnemonic;
pub mod print;

pub use decode::{DecodeError, decode, decode_program};
pub use encode::{EncodeError, encode, encode_program};
pub use insn::*;

/// Versions of the instruction set as compilers name them (`-mcpu=v1` to `v4`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Cpu {
    /// The base set.
    V1,
    /// Adds unsigned and signed "less than" jumps.
    V2,
    /// Adds 32-bit arithmetic, jumps and atomics.
    V3,
    /// Adds sign extension, signed division, swaps, long jumps and stores of immediates.
    V4,
}

impl Cpu {
    /// Every version, oldest first.
    pub const ALL: [Cpu; 4] = [Cpu::V1, Cpu::V2, Cpu::V3, Cpu::V4];

    /// `v1` to `v4`.
    pub const fn name(self) -> &'static str {
        match self {
            Cpu::V1 => "v1",
            Cpu::V2 => "v2",
            Cpu::V3 => "v3",
            Cpu::V4 => "v4",
        }
    }

    /// The version with this name.
    pub fn from_name(name: &str) -> Option<Cpu> {
        Cpu::ALL.into_iter().find(|cpu| cpu.name() == name)
    }
}

/// Whether the second operand is an immediate or a register: bit 3 of the opcode.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// The immediate field.
    Imm,
    /// The source register.
    Reg,
}

/// The kinds of 64-bit immediates; the order is the number in the source register field.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum Imm64Kind {
    Const,
    MapFd,
    MapValue,
    BtfId,
    Func,
    MapIdx,
    MapIdxValue,
}

/// The kinds of calls.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum CallKind {
    Helper,
    Local,
    Kfunc,
    Reg,
}

/// What an operation does and which fields it reads: an [`Insn`] without its operands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum Form {
    Alu(Width, AluOp, Source),
    Mov(Width, Source),
    MovSx(Width, u8),
    Neg(Width),
    Swap(Endian, u8),
    LoadImm64(Imm64Kind),
    Load(Size, bool),
    Store(Size, Source),
    Atomic(Size, AtomicOp),
    LoadAcquire(Size),
    StoreRelease(Size),
    LoadAbs(Size),
    LoadInd(Size),
    AddrSpaceCast,
    Jump { long: bool },
    Branch(Width, Cond, Source),
    MayGoto,
    Call(CallKind),
    Exit,
}

/// The field, besides the opcode, that selects an operation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Select {
    /// The opcode alone.
    Opcode,
    /// The source register field.
    Src(u8),
    /// The offset field.
    Off(i16),
    /// The immediate field.
    Imm(i32),
}

/// One operation of the instruction set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// Name without width or size: `add`, `jeq`, `ldx`.
    pub mnemonic: &'static str,
    /// The opcode byte.
    pub opcode: u8,
    /// What tells this operation from others with the same opcode.
    pub select: Select,
    /// What it does.
    pub form: Form,
    /// The first cpu version whose compilers emit it.
    pub since: Cpu,
}

/// Instruction classes: the low three bits of the opcode.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum Class {
    Ld,
    Ldx,
    St,
    Stx,
    Alu,
    Jmp,
    Jmp32,
    Alu64,
}

impl Class {
    /// The class of an opcode.
    pub const fn of(opcode: u8) -> Class {
        match opcode & 7 {
            0 => Class::Ld,
            1 => Class::Ldx,
            2 => Class::St,
            3 => Class::Stx,
            4 => Class::Alu,
            5 => Class::Jmp,
            6 => Class::Jmp32,
            _ => Class::Alu64,
        }
    }
}

/// A two-operand arithmetic operation.
pub struct AluDesc {
    /// The operation.
    pub op: AluOp,
    /// Its name.
    pub mnemonic: &'static str,
    /// How pseudo-C writes it.
    pub symbol: &'static str,
    code: u8,
    off: i16,
    since: Cpu,
}

/// A condition of conditional jumps.
pub struct CondDesc {
    /// The condition.
    pub cond: Cond,
    /// Its name.
    pub mnemonic: &'static str,
    /// How pseudo-C writes it.
    pub symbol: &'static str,
    code: u8,
    since: Cpu,
}

/// An atomic operation.
pub struct AtomicDesc {
    /// The operation.
    pub op: AtomicOp,
    /// Its name.
    pub mnemonic: &'static str,
    /// How pseudo-C writes it: an assignment operator, or the name of a function.
    pub symbol: &'static str,
    code: i32,
}

const fn alu(
    op: AluOp,
    mnemonic: &'static str,
    symbol: &'static str,
    code: u8,
    off: i16,
    since: Cpu,
) -> AluDesc {
    AluDesc { op, mnemonic, symbol, code, off, since }
}

const fn cond(cond: Cond, mnemonic: &'static str, symbol: &'static str, code: u8, since: Cpu) -> CondDesc {
    CondDesc { cond, mnemonic, symbol, code, since }
}

const fn atomic(op: AtomicOp, mnemonic: &'static str, symbol: &'static str, code: i32) -> AtomicDesc {
    AtomicDesc { op, mnemonic, symbol, code }
}

/// Two-operand arithmetic: operation, name, operator, code, selecting offset, since.
#[rustfmt::skip]
pub const ALU_OPS: [AluDesc; 13] = [
    alu(AluOp::Add,  "add",  "+=",   0x00, 0, Cpu::V1),
    alu(AluOp::Sub,  "sub",  "-=",   0x10, 0, Cpu::V1),
    alu(AluOp::Mul,  "mul",  "*=",   0x20, 0, Cpu::V1),
    alu(AluOp::Div,  "div",  "/=",   0x30, 0, Cpu::V1),
    alu(AluOp::Sdiv, "sdiv", "s/=",  0x30, 1, Cpu::V4),
    alu(AluOp::Or,   "or",   "|=",   0x40, 0, Cpu::V1),
    alu(AluOp::And,  "and",  "&=",   0x50, 0, Cpu::V1),
    alu(AluOp::Lsh,  "lsh",  "<<=",  0x60, 0, Cpu::V1),
    alu(AluOp::Rsh,  "rsh",  ">>=",  0x70, 0, Cpu::V1),
    alu(AluOp::Mod,  "mod",  "%=",   0x90, 0, Cpu::V1),
    alu(AluOp::Smod, "smod", "s%=",  0x90, 1, Cpu::V4),
    alu(AluOp::Xor,  "xor",  "^=",   0xa0, 0, Cpu::V1),
    alu(AluOp::Arsh, "arsh", "s>>=", 0xc0, 0, Cpu::V1),
];

/// Conditions: condition, name, operator, code, since (32-bit compares: v3).
#[rustfmt::skip]
pub const CONDS: [CondDesc; 11] = [
    cond(Cond::Eq,  "jeq",  "==",  0x10, Cpu::V1),
    cond(Cond::Gt,  "jgt",  ">",   0x20, Cpu::V1),
    cond(Cond::Ge,  "jge",  ">=",  0x30, Cpu::V1),
    cond(Cond::Set, "jset", "&",   0x40, Cpu::V1),
    cond(Cond::Ne,  "jne",  "!=",  0x50, Cpu::V1),
    cond(Cond::Sgt, "jsgt", "s>",  0x60, Cpu::V1),
    cond(Cond::Sge, "jsge", "s>=", 0x70, Cpu::V1),
    cond(Cond::Lt,  "jlt",  "<",   0xa0, Cpu::V2),
    cond(Cond::Le,  "jle",  "<=",  0xb0, Cpu::V2),
    cond(Cond::Slt, "jslt", "s<",  0xc0, Cpu::V2),
    cond(Cond::Sle, "jsle", "s<=", 0xd0, Cpu::V2),
];

/// Atomic operations: operation, name, pseudo-C, selecting immediate.
#[rustfmt::skip]
pub const ATOMICS: [AtomicDesc; 10] = [
    atomic(AtomicOp::Add { fetch: false }, "add",       "+=",               0x00),
    atomic(AtomicOp::Or { fetch: false },  "or",        "|=",               0x40),
    atomic(AtomicOp::And { fetch: false }, "and",       "&=",               0x50),
    atomic(AtomicOp::Xor { fetch: false }, "xor",       "^=",               0xa0),
    atomic(AtomicOp::Add { fetch: true },  "fetch_add", "atomic_fetch_add", 0x01),
    atomic(AtomicOp::Or { fetch: true },   "fetch_or",  "atomic_fetch_or",  0x41),
    atomic(AtomicOp::And { fetch: true },  "fetch_and", "atomic_fetch_and", 0x51),
    atomic(AtomicOp::Xor { fetch: true },  "fetch_xor", "atomic_fetch_xor", 0xa1),
    atomic(AtomicOp::Xchg,                 "xchg",      "xchg",             0xe1),
    atomic(AtomicOp::CmpXchg,              "cmpxchg",   "cmpxchg",          0xf1),
];

/// Access sizes with the bits that select them in opcodes of loads and stores.
const SIZES: [(Size, u8); 4] = [(Size::W, 0x00), (Size::H, 0x08), (Size::B, 0x10), (Size::DW, 0x18)];

const IMM64_KINDS: [Imm64Kind; 7] = [
    Imm64Kind::Const,
    Imm64Kind::MapFd,
    Imm64Kind::MapValue,
    Imm64Kind::BtfId,
    Imm64Kind::Func,
    Imm64Kind::MapIdx,
    Imm64Kind::MapIdxValue,
];

const ROW_COUNT: usize = 181;

/// Every operation of the instruction set.
pub static ROWS: [Row; ROW_COUNT] = TABLE;

const TABLE: [Row; ROW_COUNT] = {
    let mut t = Builder::new();
    t.arithmetic();
    t.moves_and_swaps();
    t.memory();
    t.atomics();
    t.jumps();
    assert!(t.len == ROW_COUNT, "ROW_COUNT is the number of rows the families make");
    t.rows
};

/// Evaluated by the compiler only: the product of the families.
struct Builder {
    rows: [Row; ROW_COUNT],
    len: usize,
}

impl Builder {
    const fn new() -> Builder {
        let blank = Row { mnemonic: "", opcode: 0, select: Select::Opcode, form: Form::Exit, since: Cpu::V1 };
        Builder { rows: [blank; ROW_COUNT], len: 0 }
    }

    const fn row(&mut self, mnemonic: &'static str, opcode: u8, select: Select, form: Form, since: Cpu) {
        self.rows[self.len] = Row { mnemonic, opcode, select, form, since };
        self.len += 1;
    }

    const fn arithmetic(&mut self) {
        let mut i = 0;
        while i < ALU_OPS.len() {
            let d = &ALU_OPS[i];
            let select = Select::Off(d.off);
            let v3 = if d.since as u8 > Cpu::V3 as u8 { d.since } else { Cpu::V3 };
            let (imm, reg) = (Source::Imm, Source::Reg);
            self.row(d.mnemonic, d.code | 7, select, Form::Alu(Width::W64, d.op, imm), d.since);
            self.row(d.mnemonic, d.code | 0xf, select, Form::Alu(Width::W64, d.op, reg), d.since);
            self.row(d.mnemonic, d.code | 4, select, Form::Alu(Width::W32, d.op, imm), v3);
            self.row(d.mnemonic, d.code | 0xc, select, Form::Alu(Width::W32, d.op, reg), v3);
            i += 1;
        }
    }

    const fn moves_and_swaps(&mut self) {
        let (w64, w32) = (Width::W64, Width::W32);
        self.row("mov", 0xb7, Select::Off(0), Form::Mov(w64, Source::Imm), Cpu::V1);
        self.row("mov", 0xbf, Select::Off(0), Form::Mov(w64, Source::Reg), Cpu::V1);
        self.row("mov", 0xb4, Select::Off(0), Form::Mov(w32, Source::Imm), Cpu::V3);
        self.row("mov", 0xbc, Select::Off(0), Form::Mov(w32, Source::Reg), Cpu::V3);
        self.row("movsx", 0xbf, Select::Off(8), Form::MovSx(w64, 8), Cpu::V4);
        self.row("movsx", 0xbf, Select::Off(16), Form::MovSx(w64, 16), Cpu::V4);
        self.row("movsx", 0xbf, Select::Off(32), Form::MovSx(w64, 32), Cpu::V4);
        self.row("movsx", 0xbc, Select::Off(8), Form::MovSx(w32, 8), Cpu::V4);
        self.row("movsx", 0xbc, Select::Off(16), Form::MovSx(w32, 16), Cpu::V4);
        self.row("addr_space_cast", 0xbf, Select::Off(1), Form::AddrSpaceCast, Cpu::V1);
        self.row("neg", 0x87, Select::Opcode, Form::Neg(w64), Cpu::V1);
        self.row("neg", 0x84, Select::Opcode, Form::Neg(w32), Cpu::V3);
        let mut i = 0;
        while i < 3 {
            let bits: u8 = [16, 32, 64][i];
            let select = Select::Imm(bits as i32);
            self.row("le", 0xd4, select, Form::Swap(Endian::ToLe, bits), Cpu::V1);
            self.row("be", 0xdc, select, Form::Swap(Endian::ToBe, bits), Cpu::V1);
            self.row("bswap", 0xd7, select, Form::Swap(Endian::Bswap, bits), Cpu::V4);
            i += 1;
        }
    }

    const fn memory(&mut self) {
        let mut i = 0;
        while i < IMM64_KINDS.len() {
            let form = Form::LoadImm64(IMM64_KINDS[i]);
            self.row("lddw", 0x18, Select::Src(i as u8), form, Cpu::V1);
            i += 1;
        }
        let mut i = 0;
        while i < SIZES.len() {
            let (size, bits) = SIZES[i];
            let op = Select::Opcode;
            self.row("ldx", 0x61 | bits, op, Form::Load(size, false), Cpu::V1);
            self.row("stx", 0x63 | bits, op, Form::Store(size, Source::Reg), Cpu::V1);
            // Every kernel takes stores of immediates; compilers emit them from v4 on.
            self.row("st", 0x62 | bits, op, Form::Store(size, Source::Imm), Cpu::V4);
            if !matches!(size, Size::DW) {
                self.row("ldxs", 0x81 | bits, op, Form::Load(size, true), Cpu::V4);
                self.row("ldabs", 0x20 | bits, op, Form::LoadAbs(size), Cpu::V1);
                self.row("ldind", 0x40 | bits, op, Form::LoadInd(size), Cpu::V1);
            }
            let (acquire, release) = (Select::Imm(0x100), Select::Imm(0x110));
            self.row("load_acquire", 0xc3 | bits, acquire, Form::LoadAcquire(size), Cpu::V4);
            self.row("store_release", 0xc3 | bits, release, Form::StoreRelease(size), Cpu::V4);
            i += 1;
        }
    }

    const fn atomics(&mut self) {
        let mut i = 0;
        while i < ATOMICS.len() {
            let d = &ATOMICS[i];
            let select = Select::Imm(d.code);
            // Of the 32-bit forms only the plain addition needs no 32-bit registers.
            let since32 = if d.code == 0 { Cpu::V1 } else { Cpu::V3 };
            self.row(d.mnemonic, 0xdb, select, Form::Atomic(Size::DW, d.op), Cpu::V1);
            self.row(d.mnemonic, 0xc3, select, Form::Atomic(Size::W, d.op), since32);
            i += 1;
        }
    }

    const fn jumps(&mut self) {
        let op = Select::Opcode;
        self.row("ja", 0x05, op, Form::Jump { long: false }, Cpu::V1);
        self.row("ja", 0x06, op, Form::Jump { long: true }, Cpu::V4);
        let mut i = 0;
        while i < CONDS.len() {
            let d = &CONDS[i];
            let (imm, reg) = (Source::Imm, Source::Reg);
            self.row(d.mnemonic, d.code | 5, op, Form::Branch(Width::W64, d.cond, imm), d.since);
            self.row(d.mnemonic, d.code | 0xd, op, Form::Branch(Width::W64, d.cond, reg), d.since);
            self.row(d.mnemonic, d.code | 6, op, Form::Branch(Width::W32, d.cond, imm), Cpu::V3);
            self.row(d.mnemonic, d.code | 0xe, op, Form::Branch(Width::W32, d.cond, reg), Cpu::V3);
            i += 1;
        }
        self.row("may_goto", 0xe5, Select::Src(0), Form::MayGoto, Cpu::V2);
        self.row("call", 0x85, Select::Src(0), Form::Call(CallKind::Helper), Cpu::V1);
        self.row("call", 0x85, Select::Src(1), Form::Call(CallKind::Local), Cpu::V1);
        self.row("call", 0x85, Select::Src(2), Form::Call(CallKind::Kfunc), Cpu::V1);
        self.row("callx", 0x8d, op, Form::Call(CallKind::Reg), Cpu::V1);
        self.row("exit", 0x95, op, Form::Exit, Cpu::V1);
    }
}

/// Rows by a number: the first with each, from which chains lead to the others in order.
struct Chains<const N: usize> {
    heads: [u8; N],
    next: [u8; ROW_COUNT],
}

/// The end of a chain.
const NONE: u8 = u8::MAX;

impl<const N: usize> Chains<N> {
    const fn new(numbers: [usize; ROW_COUNT]) -> Chains<N> {
        let mut chains = Chains { heads: [NONE; N], next: [NONE; ROW_COUNT] };
        let mut i = ROW_COUNT;
        while i > 0 {
            i -= 1;
            chains.next[i] = chains.heads[numbers[i]];
            chains.heads[numbers[i]] = i as u8;
        }
        chains
    }

    fn rows(&'static self, number: usize) -> impl Iterator<Item = &'static Row> {
        let mut at = self.heads[number];
        core::iter::from_fn(move || {
            let row = ROWS.get(at as usize)?;
            at = self.next[at as usize];
            Some(row)
        })
    }
}

/// Rows by opcode, and by family of their form.
static BY_OPCODE: Chains<256> = Chains::new(NUMBERS.0);
static BY_FAMILY: Chains<FAMILIES> = Chains::new(NUMBERS.1);

const NUMBERS: ([usize; ROW_COUNT], [usize; ROW_COUNT]) = {
    let mut numbers = ([0; ROW_COUNT], [0; ROW_COUNT]);
    let mut i = 0;
    while i < ROW_COUNT {
        numbers.0[i] = TABLE[i].opcode as usize;
        numbers.1[i] = TABLE[i].form.family();
        i += 1;
    }
    numbers
};

/// How many numbers [`Form::family`] has.
const FAMILIES: usize = 35;

/// The rows with this opcode byte.
pub fn rows_of(opcode: u8) -> impl Iterator<Item = &'static Row> {
    BY_OPCODE.rows(opcode.into())
}

/// The fields that an operation reads, besides those that select it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Uses {
    pub dst: bool,
    pub src: bool,
    pub off: bool,
    pub imm: bool,
}

impl Form {
    /// A number that few forms share.
    const fn family(self) -> usize {
        match self {
            Form::Alu(_, op, _) => op as usize,
            Form::Branch(_, cond, _) => 13 + cond as usize,
            Form::Mov(..) | Form::MovSx(..) | Form::AddrSpaceCast => 24,
            Form::Neg(_) | Form::Swap(..) => 25,
            Form::LoadImm64(_) => 26,
            Form::Load(..) => 27,
            Form::Store(..) => 28,
            Form::Atomic(Size::W, _) => 29,
            Form::Atomic(..) => 30,
            Form::LoadAcquire(_) | Form::StoreRelease(_) => 31,
            Form::LoadAbs(_) | Form::LoadInd(_) => 32,
            Form::Jump { .. } | Form::MayGoto => 33,
            Form::Call(_) | Form::Exit => 34,
        }
    }

    /// Which fields are operands; all others are reserved and zero.
    pub(crate) const fn uses(self) -> Uses {
        const fn uses(dst: bool, src: bool, off: bool, imm: bool) -> Uses {
            Uses { dst, src, off, imm }
        }
        match self {
            Form::Alu(_, _, Source::Imm) | Form::Mov(_, Source::Imm) => uses(true, false, false, true),
            Form::Alu(_, _, Source::Reg) | Form::Mov(_, Source::Reg) | Form::MovSx(..) => {
                uses(true, true, false, false)
            }
            Form::Neg(_) | Form::Swap(..) | Form::Call(CallKind::Reg) => uses(true, false, false, false),
            Form::LoadImm64(_) => uses(true, false, false, true),
            Form::Load(..)
            | Form::Store(_, Source::Reg)
            | Form::Atomic(..)
            | Form::LoadAcquire(_)
            | Form::StoreRelease(_) => uses(true, true, true, false),
            Form::Store(_, Source::Imm) => uses(true, false, true, true),
            Form::LoadAbs(_) => uses(false, false, false, true),
            Form::LoadInd(_) => uses(false, true, false, true),
            Form::AddrSpaceCast => uses(true, true, false, true),
            Form::Jump { long: false } | Form::MayGoto => uses(false, false, true, false),
            Form::Jump { long: true } => uses(false, false, false, true),
            Form::Branch(_, _, Source::Imm) => uses(true, false, true, true),
            Form::Branch(_, _, Source::Reg) => uses(true, true, true, false),
            Form::Call(CallKind::Helper | CallKind::Local) => uses(false, false, false, true),
            Form::Call(CallKind::Kfunc) => uses(false, false, true, true),
            Form::Exit => uses(false, false, false, false),
        }
    }
}

impl Row {
    /// The instruction class.
    pub const fn class(&self) -> Class {
        Class::of(self.opcode)
    }
}

impl Insn {
    /// The row that describes this instruction; none if it combines values no opcode has, such as
    /// a 1-byte `Atomic` or a `Swap` of 7 bits.
    pub fn row(&self) -> Option<&'static Row> {
        let form = self.form();
        BY_FAMILY.rows(form.family()).find(|row| row.form == form)
    }

    /// Slots from the next instruction to where a jump leads; none for what is not a jump.
    #[inline]
    pub fn jump(&self) -> Option<i32> {
        match *self {
            Insn::Jump { off, .. } => Some(off),
            Insn::Branch { off, .. } | Insn::MayGoto { off } => Some(off.into()),
            Insn::Alu { .. }
            | Insn::Mov { .. }
            | Insn::MovSx { .. }
            | Insn::Neg { .. }
            | Insn::Swap { .. }
            | Insn::LoadImm64 { .. }
            | Insn::Load { .. }
            | Insn::Store { .. }
            | Insn::Atomic { .. }
            | Insn::LoadAcquire { .. }
            | Insn::StoreRelease { .. }
            | Insn::LoadAbs { .. }
            | Insn::LoadInd { .. }
            | Insn::AddrSpaceCast { .. }
            | Insn::Call(_)
            | Insn::Exit => None,
        }
    }

    /// The first cpu version whose compilers emit this instruction.
    pub fn min_cpu(&self) -> Option<Cpu> {
        self.row().map(|row| row.since)
    }
}

#[cfg(test)]
mod tests;
