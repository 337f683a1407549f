//! An assembler for the part of x86-64 that translated programs need.
//!
//! In: one call for each machine instruction, labels, references to the data in front of the code.
//! Out ([`Asm::finish`]): bytes that may be placed anywhere, for everything they refer to is
//! relative. Jumps are emitted in their long form; `finish` replaces those whose target turns out
//! to be near by the short form. Distances only shrink by that, so one pass is enough.

use alloc::vec;
use alloc::vec::Vec;

use super::form::{Form, Imm};
use crate::vm::jit::labels::{Assembled, Label, LabelRow, UNBOUND};

/// A register of the processor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gpr(u8);

#[allow(missing_docs)]
impl Gpr {
    pub const RAX: Gpr = Gpr(0);
    pub const RCX: Gpr = Gpr(1);
    pub const RDX: Gpr = Gpr(2);
    pub const RBX: Gpr = Gpr(3);
    pub const RSP: Gpr = Gpr(4);
    pub const RBP: Gpr = Gpr(5);
    pub const RSI: Gpr = Gpr(6);
    pub const RDI: Gpr = Gpr(7);
    pub const R8: Gpr = Gpr(8);
    pub const R9: Gpr = Gpr(9);
    pub const R10: Gpr = Gpr(10);
    pub const R11: Gpr = Gpr(11);
    pub const R12: Gpr = Gpr(12);
    pub const R13: Gpr = Gpr(13);
    pub const R14: Gpr = Gpr(14);
    pub const R15: Gpr = Gpr(15);

    const fn low(self) -> u8 {
        self.0 & 7
    }

    const fn high(self) -> u8 {
        self.0 >> 3
    }

    /// Is there no address with this base and nothing else? So it is of `rbp` and `r13`.
    pub const fn needs_displacement(self) -> bool {
        self.low() == 5
    }
}

/// What an instruction's second operand is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rm {
    /// A register.
    Reg(Gpr),
    /// Memory at a register plus a displacement.
    Base(Gpr, i32),
    /// Memory at base + (index << shift) + displacement; the index is not `rsp`.
    Index(Gpr, Gpr, u8, i32),
    /// The data in front of the code, at this offset.
    Data(u32),
}

/// Operations of two operands, by the number that selects them among their opcodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Op {
    Add = 0,
    Or = 1,
    And = 4,
    Sub = 5,
    Xor = 6,
    Cmp = 7,
}

/// Shifts and rotations, by the number that selects them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Shift {
    Rol = 0,
    Shl = 4,
    Shr = 5,
    Sar = 7,
}

/// Operations of one operand, by the number that selects them among opcode F7.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Unary {
    Neg = 3,
    Div = 6,
    Idiv = 7,
}

/// Conditions of jumps, by their number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Cc {
    Below = 2,
    AboveEqual = 3,
    Equal = 4,
    NotEqual = 5,
    BelowEqual = 6,
    Above = 7,
    Sign = 8,
    NotSign = 9,
    Less = 12,
    GreaterEqual = 13,
    LessEqual = 14,
    Greater = 15,
}

impl Cc {
    /// How the flags are otherwise.
    pub const fn opposite(self) -> Cc {
        match self {
            Cc::Below => Cc::AboveEqual,
            Cc::AboveEqual => Cc::Below,
            Cc::Equal => Cc::NotEqual,
            Cc::NotEqual => Cc::Equal,
            Cc::BelowEqual => Cc::Above,
            Cc::Above => Cc::BelowEqual,
            Cc::Sign => Cc::NotSign,
            Cc::NotSign => Cc::Sign,
            Cc::Less => Cc::GreaterEqual,
            Cc::GreaterEqual => Cc::Less,
            Cc::LessEqual => Cc::Greater,
            Cc::Greater => Cc::LessEqual,
        }
    }
}

#[derive(Clone, Copy)]
enum JumpKind {
    Jump,
    If(Cc),
    Call,
}

impl JumpKind {
    /// Bytes of the long form.
    fn long(self) -> u32 {
        match self {
            JumpKind::Jump | JumpKind::Call => 5,
            JumpKind::If(_) => 6,
        }
    }

    fn opcode_short(self) -> Option<u8> {
        match self {
            JumpKind::Jump => Some(0xeb),
            JumpKind::If(cc) => Some(0x70 | cc as u8),
            JumpKind::Call => None,
        }
    }
}

struct Jump {
    /// Offset of its first byte in the long layout.
    at: u32,
    kind: JumpKind,
    to: Label,
}

/// A reference to the data: the last four bytes of a displacement.
struct DataRef {
    /// Offset of the displacement.
    at: u32,
    /// Bytes of the instruction after it.
    after: u32,
    offset: u32,
}

/// The code so far.
#[derive(Default)]
pub struct Asm {
    /// Code, and room behind it.
    bytes: Vec<u8>,
    /// Bytes of code.
    len: usize,
    /// Offset by label.
    labels: Vec<u32>,
    /// Labels in the order of their places.
    bound: Vec<Label>,
    jumps: Vec<Jump>,
    data: Vec<DataRef>,
}

impl Asm {
    /// With room for the code of so many BPF instructions.
    pub fn for_insns(count: usize) -> Asm {
        Asm { bytes: vec![0; count * 6 + 1024], labels: Vec::with_capacity(count), ..Asm::default() }
    }

    /// A new label.
    pub fn label(&mut self) -> Label {
        self.label_row(1).at(0)
    }

    /// As many new labels, in a row.
    pub fn label_row(&mut self, count: usize) -> LabelRow {
        let first = self.labels.len();
        self.labels.resize(first + count, UNBOUND);
        LabelRow { first: first as u32, count: count as u32 }
    }

    /// Lets the label stand for the place reached.
    pub fn bind(&mut self, label: Label) {
        let here = self.len as u32;
        if let Some(place) = self.labels.get_mut(label.0 as usize) {
            *place = here;
            self.bound.push(label);
        }
    }

    /// Appends the lowest bytes of a word, at most eight.
    #[inline(always)]
    fn put(&mut self, word: u64, count: usize) {
        match self.bytes.get_mut(self.len..).and_then(|room| room.first_chunk_mut()) {
            Some(place) => *place = word.to_le_bytes(),
            None => self.put_at_end(word),
        }
        self.len += count;
    }

    #[cold]
    fn put_at_end(&mut self, word: u64) {
        self.bytes.truncate(self.len);
        self.bytes.extend_from_slice(&word.to_le_bytes());
        self.bytes.resize(self.len * 2 + 64, 0);
    }

    fn byte(&mut self, byte: u8) {
        self.put(byte.into(), 1);
    }

    /// One instruction with a ModRM byte.
    #[inline(always)]
    fn modrm(&mut self, form: Form, reg: u8, rm: Rm, imm: Imm) {
        match rm {
            Rm::Reg(rm) => self.of_registers(form, reg, rm),
            Rm::Index(base, index, shift, disp) => self.of_sum(form, reg, base, (index, shift), disp),
            Rm::Base(..) | Rm::Data(_) => self.of_memory(form, reg, rm, imm.len),
        }
        if imm.len != 0 {
            self.put(imm.value.into(), imm.len);
        }
    }

    /// One between two registers, without its immediate.
    #[inline(always)]
    fn of_registers(&mut self, form: Form, reg: u8, rm: Gpr) {
        let is_byte = (form.byte_reg && reg >= 4) || (form.byte_rm && rm.0 >= 4);
        let (head, len) = form.head(reg, 0, rm.high(), is_byte);
        let modrm = 0xc0 | (reg & 7) << 3 | rm.low();
        self.put(head | u64::from(modrm) << (8 * len), len + 1);
    }

    /// One with an operand in memory, without its immediate of so many bytes.
    fn of_memory(&mut self, form: Form, reg: u8, rm: Rm, imm: usize) {
        match rm {
            Rm::Index(base, index, shift, disp) => self.of_sum(form, reg, base, (index, shift), disp),
            // The stack pointer as a base is told by a second byte.
            Rm::Base(base, disp) => {
                let is_two = base.low() == 4;
                self.of_address(form, reg, base, 0, (base.low(), 0x24, usize::from(is_two)), disp);
            }
            Rm::Data(offset) => {
                let (head, len) = form.head(reg, 0, 0, form.byte_reg && reg >= 4);
                self.put(head | u64::from((reg & 7) << 3 | 5) << (8 * len), len + 1);
                self.data.push(DataRef { at: self.len as u32, after: imm as u32, offset });
                self.put(0, 4);
            }
            Rm::Reg(rm) => self.of_registers(form, reg, rm),
        }
    }

    /// One with memory at the sum of two registers, the second shifted.
    #[inline(always)]
    fn of_sum(&mut self, form: Form, reg: u8, base: Gpr, (index, shift): (Gpr, u8), disp: i32) {
        let second = shift << 6 | index.low() << 3 | base.low();
        self.of_address(form, reg, base, index.high(), (4, second, 1), disp);
    }

    /// One with memory at a register's address. `low` is the lower part of the ModRM byte, a second byte,
    /// and how many of those there are.
    #[inline(always)]
    fn of_address(&mut self, form: Form, reg: u8, base: Gpr, index: u8, low: (u8, u8, usize), disp: i32) {
        let (head, len) = form.head(reg, index, base.high(), form.byte_reg && reg >= 4);
        // `rbp` and `r13` as a base always have a displacement.
        let is_needed = u8::from(disp != 0 || base.needs_displacement());
        let is_long = u8::from(i8::try_from(disp).is_err());
        let (first, second, seconds) = low;
        let modrm = u64::from(is_needed << is_long << 6 | (reg & 7) << 3 | first) | u64::from(second) << 8;
        // Where the second byte is not wanted, the displacement or the next instruction is put over it.
        self.put(head | modrm << (8 * len), len + 1 + seconds);
        self.put(u64::from(disp as u32), usize::from(is_needed + 3 * is_long));
    }

    /// `dst = src`, the upper half of a narrow result being zero.
    pub fn mov(&mut self, wide: bool, dst: Gpr, src: Gpr) {
        self.modrm(Form::new(0x89).wide(wide), src.0, Rm::Reg(dst), Imm::NONE);
    }

    /// `dst = value`, by the shortest instruction that does not touch flags.
    pub fn mov_imm(&mut self, dst: Gpr, value: u64) {
        let opcode = u64::from(0xb8 | dst.low());
        if let Ok(value) = u32::try_from(value) {
            let word = opcode | u64::from(value) << 8;
            match dst.high() {
                0 => self.put(word, 5),
                _ => self.put(word << 8 | 0x41, 6),
            }
        } else if let Ok(value) = i32::try_from(value as i64) {
            self.modrm(Form::new(0xc7).wide(true), 0, Rm::Reg(dst), Imm::word(value));
        } else {
            self.put(opcode << 8 | u64::from(0x48 | dst.high()), 2);
            self.put(value, 8);
        }
    }

    /// `dst = 0`; changes the flags.
    pub fn zero(&mut self, dst: Gpr) {
        self.op(false, Op::Xor, dst, dst);
    }

    /// `dst op= src`
    pub fn op(&mut self, wide: bool, op: Op, dst: Gpr, src: Gpr) {
        self.modrm(Form::new((op as u8) << 3 | 1).wide(wide), src.0, Rm::Reg(dst), Imm::NONE);
    }

    /// `dst op= imm`, of a register or of memory.
    pub fn op_imm(&mut self, wide: bool, op: Op, dst: Rm, imm: i32) {
        let short = u8::from(i8::try_from(imm).is_ok());
        let imm = Imm { value: imm as u32, len: usize::from(4 - 3 * short) };
        self.modrm(Form::new(0x81 | short << 1).wide(wide), op as u8, dst, imm);
    }

    /// Compares a register with memory.
    pub fn cmp_mem(&mut self, wide: bool, reg: Gpr, mem: Rm) {
        self.modrm(Form::new(0x3b).wide(wide), reg.0, mem, Imm::NONE);
    }

    /// Sets flags by `a & b`.
    pub fn test(&mut self, wide: bool, a: Gpr, b: Gpr) {
        self.modrm(Form::new(0x85).wide(wide), b.0, Rm::Reg(a), Imm::NONE);
    }

    /// Sets flags by `a & imm`.
    pub fn test_imm(&mut self, wide: bool, a: Gpr, imm: i32) {
        // Upper bits that are zero in the immediate need not be looked at.
        self.modrm(Form::new(0xf7).wide(wide && imm < 0), 0, Rm::Reg(a), Imm::word(imm));
    }

    /// `dst *= src`
    pub fn imul(&mut self, wide: bool, dst: Gpr, src: Gpr) {
        self.modrm(Form::new(0xaf).escape().wide(wide), dst.0, Rm::Reg(src), Imm::NONE);
    }

    /// `dst = src * imm`
    pub fn imul_imm(&mut self, wide: bool, dst: Gpr, src: Gpr, imm: i32) {
        match i8::try_from(imm) {
            Ok(imm) => self.modrm(Form::new(0x6b).wide(wide), dst.0, Rm::Reg(src), Imm::byte(imm as u8)),
            Err(_) => self.modrm(Form::new(0x69).wide(wide), dst.0, Rm::Reg(src), Imm::word(imm)),
        }
    }

    /// An operation of one operand; multiplication and division work on `rdx:rax`.
    pub fn unary(&mut self, wide: bool, op: Unary, reg: Gpr) {
        self.modrm(Form::new(0xf7).wide(wide), op as u8, Rm::Reg(reg), Imm::NONE);
    }

    /// Sign of `rax` into `rdx`.
    pub fn sign_to_rdx(&mut self, wide: bool) {
        if wide {
            self.byte(0x48);
        }
        self.byte(0x99);
    }

    /// Shifts by a constant.
    pub fn shift_imm(&mut self, wide: bool, shift: Shift, dst: Gpr, count: u8) {
        match count {
            1 => self.modrm(Form::new(0xd1).wide(wide), shift as u8, Rm::Reg(dst), Imm::NONE),
            _ => self.modrm(Form::new(0xc1).wide(wide), shift as u8, Rm::Reg(dst), Imm::byte(count)),
        }
    }

    /// Shifts by the low bits of `cl`.
    pub fn shift_cl(&mut self, wide: bool, shift: Shift, dst: Gpr) {
        self.modrm(Form::new(0xd3).wide(wide), shift as u8, Rm::Reg(dst), Imm::NONE);
    }

    /// Rotates the lower 16 bits by 8.
    pub fn swap16(&mut self, dst: Gpr) {
        self.modrm(Form::new(0xc1).half(), Shift::Rol as u8, Rm::Reg(dst), Imm::byte(8));
    }

    /// `dst = src shift count` by any count register, without flags: the processor must have BMI2.
    pub fn shift_bmi2(&mut self, wide: bool, shift: Shift, dst: Gpr, src: Gpr, count: Gpr) {
        let prefix = match shift {
            Shift::Shl => 1,
            Shift::Sar => 2,
            Shift::Shr => 3,
            // There is no such instruction.
            Shift::Rol => return self.shift_cl(wide, shift, dst),
        };
        self.vex(2, prefix, wide, count.0, 0xf7, dst, src);
    }

    /// `dst = src` rotated right by a constant: the processor must have BMI2.
    pub fn rotate_bmi2(&mut self, wide: bool, dst: Gpr, src: Gpr, count: u8) {
        self.vex(3, 3, wide, 0, 0xf0, dst, src);
        self.byte(count);
    }

    #[allow(clippy::too_many_arguments)]
    fn vex(&mut self, map: u8, prefix: u8, wide: bool, second: u8, opcode: u8, dst: Gpr, src: Gpr) {
        let registers = (dst.high() ^ 1) << 7 | 1 << 6 | (src.high() ^ 1) << 5 | map;
        let more = u8::from(wide) << 7 | (!second & 15) << 3 | prefix;
        let word = [0xc4, registers, more, opcode, 0xc0 | dst.low() << 3 | src.low(), 0, 0, 0];
        self.put(u64::from_le_bytes(word), 5);
    }

    /// `dst = address`
    pub fn lea(&mut self, wide: bool, dst: Gpr, address: Rm) {
        self.modrm(Form::new(0x8d).wide(wide), dst.0, address, Imm::NONE);
    }

    /// `dst = (src << shift) + disp`, with a shift of at most 3.
    pub fn scale(&mut self, dst: Gpr, src: Gpr, shift: u8, disp: i32) {
        let (head, len) = Form::new(0x8d).wide(true).head(dst.0, src.high(), 0, false);
        let second = u64::from(shift << 6 | src.low() << 3 | 5) << 8;
        self.put(head | (second | u64::from(dst.low() << 3 | 4)) << (8 * len), len + 2);
        self.put(u64::from(disp as u32), 4);
    }

    /// Loads so many bytes; all of the register is written.
    pub fn load(&mut self, bytes: u32, signed: bool, dst: Gpr, from: Rm) {
        const FORMS: [Form; 8] = [
            Form::new(0xb6).escape().byte_rm(true),
            Form::new(0xb7).escape(),
            Form::new(0x8b),
            Form::new(0x8b).wide(true),
            Form::new(0xbe).escape().wide(true).byte_rm(true),
            Form::new(0xbf).escape().wide(true),
            Form::new(0x63).wide(true),
            Form::new(0x8b).wide(true),
        ];
        let form = FORMS[(bytes.trailing_zeros() & 3 | u32::from(signed) << 2) as usize];
        self.modrm(form, dst.0, from, Imm::NONE);
    }

    /// As [`Asm::load`] with a sign, but to 32 bits: the upper half becomes zero.
    pub fn load_signed_narrow(&mut self, bytes: u32, dst: Gpr, from: Rm) {
        let opcode = if bytes == 1 { 0xbe } else { 0xbf };
        self.modrm(Form::new(opcode).escape().byte_rm(bytes == 1), dst.0, from, Imm::NONE);
    }

    /// Stores so many bytes of a register.
    pub fn store(&mut self, bytes: u32, to: Rm, src: Gpr) {
        const FORMS: [Form; 4] =
            [Form::new(0x88).byte_reg(), Form::new(0x89).half(), Form::new(0x89), Form::new(0x89).wide(true)];
        let form = FORMS[(bytes.trailing_zeros() & 3) as usize];
        self.modrm(form, src.0, to, Imm::NONE);
    }

    /// Stores so many bytes of a constant, of eight the sign-extended one.
    pub fn store_imm(&mut self, bytes: u32, to: Rm, imm: i32) {
        let (form, imm) = match bytes {
            1 => (Form::new(0xc6), Imm::byte(imm as u8)),
            2 => (Form::new(0xc7).half(), Imm { value: imm as u32, len: 2 }),
            4 => (Form::new(0xc7), Imm::word(imm)),
            _ => (Form::new(0xc7).wide(true), Imm::word(imm)),
        };
        self.modrm(form, 0, to, imm);
    }

    /// `lock` `*mem op= src`
    pub fn lock_op(&mut self, wide: bool, op: Op, mem: Rm, src: Gpr) {
        self.modrm(Form::new((op as u8) << 3 | 1).wide(wide).lock(), src.0, mem, Imm::NONE);
    }

    /// Adds `src` to memory; `src` becomes what was there.
    pub fn lock_xadd(&mut self, wide: bool, mem: Rm, src: Gpr) {
        self.modrm(Form::new(0xc1).escape().wide(wide).lock(), src.0, mem, Imm::NONE);
    }

    /// Exchanges `src` and memory.
    pub fn xchg(&mut self, wide: bool, mem: Rm, src: Gpr) {
        self.modrm(Form::new(0x87).wide(wide), src.0, mem, Imm::NONE);
    }

    /// Puts `src` into memory if that equals `rax`; `rax` becomes what was there.
    pub fn lock_cmpxchg(&mut self, wide: bool, mem: Rm, src: Gpr) {
        self.modrm(Form::new(0xb1).escape().wide(wide).lock(), src.0, mem, Imm::NONE);
    }

    /// Reverses the bytes of 32 or 64 bits.
    pub fn bswap(&mut self, wide: bool, reg: Gpr) {
        let rex = u8::from(wide) << 3 | reg.high();
        if rex != 0 {
            self.byte(0x40 | rex);
        }
        self.byte(0x0f);
        self.byte(0xc8 | reg.low());
    }

    /// Pushes a register.
    pub fn push(&mut self, reg: Gpr) {
        if reg.high() == 1 {
            self.byte(0x41);
        }
        self.byte(0x50 | reg.low());
    }

    /// Pops a register.
    pub fn pop(&mut self, reg: Gpr) {
        if reg.high() == 1 {
            self.byte(0x41);
        }
        self.byte(0x58 | reg.low());
    }

    /// Pushes a word of memory.
    pub fn push_mem(&mut self, mem: Rm) {
        self.modrm(Form::new(0xff), 6, mem, Imm::NONE);
    }

    /// Pops a word of memory.
    pub fn pop_mem(&mut self, mem: Rm) {
        self.modrm(Form::new(0x8f), 0, mem, Imm::NONE);
    }

    /// Calls the function whose address is there.
    pub fn call_rm(&mut self, to: Rm) {
        self.modrm(Form::new(0xff), 2, to, Imm::NONE);
    }

    /// Jumps to the address in a register.
    pub fn jump_reg(&mut self, to: Gpr) {
        self.modrm(Form::new(0xff), 4, Rm::Reg(to), Imm::NONE);
    }

    /// Returns.
    pub fn ret(&mut self) {
        self.byte(0xc3);
    }

    /// Jumps to a label.
    pub fn jump(&mut self, to: Label) {
        self.transfer(JumpKind::Jump, 0xe9, to);
    }

    /// Jumps to a label if the condition holds.
    pub fn jump_if(&mut self, cc: Cc, to: Label) {
        self.transfer(JumpKind::If(cc), 0x800f | (cc as u64) << 8, to);
    }

    /// Calls a label.
    pub fn call(&mut self, to: Label) {
        self.transfer(JumpKind::Call, 0xe8, to);
    }

    fn transfer(&mut self, kind: JumpKind, opcode: u64, to: Label) {
        self.jumps.push(Jump { at: self.len as u32, kind, to });
        self.put(opcode, kind.long() as usize);
    }

    /// Shortens jumps and fills in distances. The data of `data_size` bytes lies directly in front
    /// of the code.
    pub fn finish(mut self, data_size: u32) -> Assembled {
        self.bytes.truncate(self.len);
        let Cuts { is_short, at, total } = self.cuts();
        let mut labels = core::mem::take(&mut self.labels);
        let mut cut = Shrunk::new(&at);
        for label in &self.bound {
            let place = &mut labels[label.0 as usize];
            *place -= cut.before(*place);
        }
        let mut bytes = Vec::with_capacity(self.bytes.len() - total as usize);
        let mut copied = 0;
        let place = |label: Label| i64::from(labels[label.0 as usize]);
        for (jump, short) in self.jumps.iter().zip(is_short) {
            bytes.extend_from_slice(&self.bytes[copied..jump.at as usize]);
            copied = (jump.at + jump.kind.long()) as usize;
            match jump.kind.opcode_short().filter(|_| short) {
                Some(opcode) => {
                    let distance = place(jump.to) - (bytes.len() as i64 + 2);
                    bytes.extend_from_slice(&[opcode, distance as u8]);
                }
                None => {
                    bytes.extend_from_slice(&self.bytes[jump.at as usize..copied - 4]);
                    let distance = place(jump.to) - (bytes.len() as i64 + 4);
                    bytes.extend_from_slice(&(distance as i32).to_le_bytes());
                }
            }
        }
        bytes.extend_from_slice(&self.bytes[copied..]);
        let mut cut = Shrunk::new(&at);
        for data in core::mem::take(&mut self.data) {
            let new = data.at - cut.before(data.at);
            let end = i64::from(new) + 4 + i64::from(data.after);
            let distance = i64::from(data.offset) - i64::from(data_size) - end;
            bytes[new as usize..new as usize + 4].copy_from_slice(&(distance as i32).to_le_bytes());
        }
        Assembled { bytes, labels }
    }

    /// Which jumps may be short, and where that saves how many bytes.
    fn cuts(&self) -> Cuts {
        let mut cuts = Cuts { is_short: Vec::with_capacity(self.jumps.len()), at: Vec::new(), total: 0 };
        for jump in &self.jumps {
            let end = i64::from(jump.at + jump.kind.long());
            let distance = i64::from(self.labels[jump.to.0 as usize]) - end;
            // A backward jump's end comes nearer with its own cut, as do all cuts in between.
            let short = jump.kind.opcode_short().is_some() && (-128..=127).contains(&distance);
            if short {
                cuts.total += jump.kind.long() - 2;
                cuts.at.push((jump.at, cuts.total));
            }
            cuts.is_short.push(short);
        }
        cuts
    }
}

struct Cuts {
    is_short: Vec<bool>,
    /// Start of each shortened jump, with the bytes saved up to its end.
    at: Vec<(u32, u32)>,
    total: u32,
}

/// Bytes saved before ascending places.
struct Shrunk<'c> {
    at: core::slice::Iter<'c, (u32, u32)>,
    saved: u32,
}

impl<'c> Shrunk<'c> {
    fn new(at: &'c [(u32, u32)]) -> Shrunk<'c> {
        Shrunk { at: at.iter(), saved: 0 }
    }

    fn before(&mut self, place: u32) -> u32 {
        while let Some(&(_, saved)) = self.at.as_slice().first().filter(|(start, _)| *start < place) {
            self.saved = saved;
            self.at.next();
        }
        self.saved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(emit: impl FnOnce(&mut Asm)) -> Vec<u8> {
        let mut asm = Asm::default();
        emit(&mut asm);
        asm.finish(0).bytes
    }

    /// Encodings as the processor's manual gives them.
    #[test]
    fn encodings() {
        use Gpr as G;
        assert_eq!(bytes(|a| a.mov(true, G::RAX, G::RDI)), [0x48, 0x89, 0xf8]);
        assert_eq!(bytes(|a| a.mov(false, G::R13, G::RBX)), [0x41, 0x89, 0xdd]);
        assert_eq!(bytes(|a| a.mov_imm(G::R8, 1)), [0x41, 0xb8, 1, 0, 0, 0]);
        assert_eq!(bytes(|a| a.mov_imm(G::RAX, u64::MAX)), [0x48, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff]);
        let far = bytes(|a| a.mov_imm(G::R9, 0x1122_3344_5566_7788));
        assert_eq!(far, [0x49, 0xb9, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]);
        assert_eq!(bytes(|a| a.op_imm(true, Op::Add, Rm::Reg(G::RBP), 8)), [0x48, 0x83, 0xc5, 8]);
        let scaled = bytes(|a| a.scale(G::R9, G::R10, 3, 0x1234));
        assert_eq!(scaled, [0x4e, 0x8d, 0x0c, 0xd5, 0x34, 0x12, 0, 0]);
        let load = bytes(|a| a.load(1, false, G::RAX, Rm::Index(G::R12, G::RBP, 0, -8)));
        assert_eq!(load, [0x41, 0x0f, 0xb6, 0x44, 0x2c, 0xf8]);
        let store = bytes(|a| a.store(1, Rm::Index(G::R12, G::RDI, 0, 0), G::RSI));
        assert_eq!(store, [0x41, 0x88, 0x34, 0x3c]);
        assert_eq!(
            bytes(|a| a.shift_bmi2(true, Shift::Shl, G::RAX, G::RBX, G::RCX)),
            [0xc4, 0xe2, 0xf1, 0xf7, 0xc3]
        );
        assert_eq!(bytes(|a| a.rotate_bmi2(false, G::R9, G::R8, 7)), [0xc4, 0x43, 0x7b, 0xf0, 0xc8, 7]);
        assert_eq!(bytes(|a| a.push(G::R15)), [0x41, 0x57]);
        assert_eq!(bytes(|a| a.load(8, false, G::RAX, Rm::Base(G::RSP, 0))), [0x48, 0x8b, 0x04, 0x24]);
        assert_eq!(bytes(|a| a.load(8, false, G::RAX, Rm::Base(G::R13, 0))), [0x49, 0x8b, 0x45, 0]);
    }

    #[test]
    fn near_jumps_are_short_and_far_ones_long() {
        let near = bytes(|a| {
            let (start, end) = (a.label(), a.label());
            a.bind(start);
            a.jump_if(Cc::Equal, end);
            a.jump(start);
            a.bind(end);
            a.ret();
        });
        assert_eq!(near, [0x74, 2, 0xeb, 0xfc, 0xc3]);
        let far = bytes(|a| {
            let end = a.label();
            a.jump(end);
            (0..200).for_each(|_| a.ret());
            a.bind(end);
        });
        assert_eq!(&far[..5], [0xe9, 200, 0, 0, 0]);
    }

    #[test]
    fn data_is_in_front_of_the_code() {
        let code = bytes(|a| {
            let end = a.label();
            a.jump(end);
            a.bind(end);
            a.store_imm(4, Rm::Data(0), 7);
        });
        // From the end of the store, twelve bytes from the start, back to the start.
        assert_eq!(code, [0xeb, 0, 0xc7, 0x05, 0xf4, 0xff, 0xff, 0xff, 7, 0, 0, 0]);
    }
}
