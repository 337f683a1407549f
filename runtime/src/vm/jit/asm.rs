//! An assembler for the part of x86-64 that translated programs need.
//!
//! In: one call for each machine instruction, labels, references to the data in front of the code.
//! Out ([`Asm::finish`]): bytes that may be placed anywhere, for everything they refer to is
//! relative. Jumps are emitted in their long form; `finish` replaces those whose target turns out
//! to be near by the short form. Distances only shrink by that, so one pass is enough.

use alloc::vec;
use alloc::vec::Vec;

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
    Less = 12,
    GreaterEqual = 13,
    LessEqual = 14,
    Greater = 15,
}

/// A place in the code, bound or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label(u32);

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

const UNBOUND: u32 = u32::MAX;

/// The code so far.
#[derive(Default)]
pub struct Asm {
    bytes: Vec<u8>,
    /// Offset by label.
    labels: Vec<u32>,
    /// Labels in the order of their places.
    bound: Vec<Label>,
    jumps: Vec<Jump>,
    data: Vec<DataRef>,
}

/// Finished code.
pub struct Assembled {
    /// The machine code.
    pub bytes: Vec<u8>,
    labels: Vec<u32>,
}

impl Assembled {
    /// Offset of a label that was bound.
    pub fn offset(&self, label: Label) -> u32 {
        self.labels.get(label.0 as usize).copied().unwrap_or(UNBOUND)
    }
}

impl Asm {
    /// With room for the code of so many BPF instructions.
    pub fn for_insns(count: usize) -> Asm {
        Asm { bytes: Vec::with_capacity(count * 8), labels: Vec::with_capacity(count), ..Asm::default() }
    }

    /// A new label.
    pub fn label(&mut self) -> Label {
        self.labels.push(UNBOUND);
        Label(self.labels.len() as u32 - 1)
    }

    /// As many new labels, in a row.
    pub fn label_row(&mut self, count: usize) -> Vec<Label> {
        (0..count).map(|_| self.label()).collect()
    }

    /// Lets the label stand for the place reached.
    pub fn bind(&mut self, label: Label) {
        let here = self.bytes.len() as u32;
        if let Some(place) = self.labels.get_mut(label.0 as usize) {
            *place = here;
            self.bound.push(label);
        }
    }

    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// One instruction with a ModRM byte. `opcode` is of map 0F if `escape`.
    fn modrm(&mut self, form: Form, reg: u8, rm: Rm, imm: &[u8]) {
        // At most 15 bytes: a number is filled faster than a list.
        let (mut out, mut n) = (0u128, 0);
        let mut put = |byte: u8| {
            out |= u128::from(byte) << (8 * n);
            n += 1;
        };
        if let Some(prefix) = form.prefix {
            put(prefix);
        }
        if form.half {
            put(0x66);
        }
        let (index_high, base_high) = match rm {
            Rm::Reg(rm) => (0, rm.high()),
            Rm::Base(base, _) => (0, base.high()),
            Rm::Index(base, index, _, _) => (index.high(), base.high()),
            Rm::Data(_) => (0, 0),
        };
        let rex = u8::from(form.wide) << 3 | (reg >> 3) << 2 | index_high << 1 | base_high;
        let byte_rm = matches!(rm, Rm::Reg(rm) if form.byte_rm && rm.0 >= 4);
        if rex != 0 || (form.byte_reg && reg >= 4) || byte_rm {
            put(0x40 | rex);
        }
        if form.escape {
            put(0x0f);
        }
        put(form.opcode);
        let reg = (reg & 7) << 3;
        match rm {
            Rm::Reg(rm) => put(0xc0 | reg | rm.low()),
            Rm::Base(base, disp) if base.low() == 4 => {
                put(mode(base, disp) | reg | 4);
                put(0x24);
                displacement(&mut put, base, disp);
            }
            Rm::Base(base, disp) => {
                put(mode(base, disp) | reg | base.low());
                displacement(&mut put, base, disp);
            }
            Rm::Index(base, index, shift, disp) => {
                put(mode(base, disp) | reg | 4);
                put(shift << 6 | index.low() << 3 | base.low());
                displacement(&mut put, base, disp);
            }
            Rm::Data(_) => {
                put(reg | 5);
                (0..4).for_each(|_| put(0));
            }
        }
        imm.iter().for_each(|&byte| put(byte));
        let end = self.bytes.len() + n;
        if let Rm::Data(offset) = rm {
            let after = imm.len() as u32;
            self.data.push(DataRef { at: end as u32 - after - 4, after, offset });
        }
        self.bytes.extend_from_slice(&out.to_le_bytes());
        self.bytes.truncate(end);
    }

    /// `dst = src`, the upper half of a narrow result being zero.
    pub fn mov(&mut self, wide: bool, dst: Gpr, src: Gpr) {
        self.modrm(Form::new(0x89).wide(wide), src.0, Rm::Reg(dst), &[]);
    }

    /// `dst = value`, by the shortest instruction that does not touch flags.
    pub fn mov_imm(&mut self, dst: Gpr, value: u64) {
        if let Ok(value) = u32::try_from(value) {
            if dst.high() == 1 {
                self.byte(0x41);
            }
            self.byte(0xb8 | dst.low());
            self.bytes.extend_from_slice(&value.to_le_bytes());
        } else if let Ok(value) = i32::try_from(value as i64) {
            self.modrm(Form::new(0xc7).wide(true), 0, Rm::Reg(dst), &value.to_le_bytes());
        } else {
            self.byte(0x48 | dst.high());
            self.byte(0xb8 | dst.low());
            self.bytes.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// `dst = 0`; changes the flags.
    pub fn zero(&mut self, dst: Gpr) {
        self.op(false, Op::Xor, dst, dst);
    }

    /// `dst op= src`
    pub fn op(&mut self, wide: bool, op: Op, dst: Gpr, src: Gpr) {
        self.modrm(Form::new((op as u8) << 3 | 1).wide(wide), src.0, Rm::Reg(dst), &[]);
    }

    /// `dst op= imm`, of a register or of memory.
    pub fn op_imm(&mut self, wide: bool, op: Op, dst: Rm, imm: i32) {
        match i8::try_from(imm) {
            Ok(imm) => self.modrm(Form::new(0x83).wide(wide), op as u8, dst, &imm.to_le_bytes()),
            Err(_) => self.modrm(Form::new(0x81).wide(wide), op as u8, dst, &imm.to_le_bytes()),
        }
    }

    /// Compares a register with memory.
    pub fn cmp_mem(&mut self, wide: bool, reg: Gpr, mem: Rm) {
        self.modrm(Form::new(0x3b).wide(wide), reg.0, mem, &[]);
    }

    /// Sets flags by `a & b`.
    pub fn test(&mut self, wide: bool, a: Gpr, b: Gpr) {
        self.modrm(Form::new(0x85).wide(wide), b.0, Rm::Reg(a), &[]);
    }

    /// Sets flags by `a & imm`.
    pub fn test_imm(&mut self, wide: bool, a: Gpr, imm: i32) {
        // Upper bits that are zero in the immediate need not be looked at.
        self.modrm(Form::new(0xf7).wide(wide && imm < 0), 0, Rm::Reg(a), &imm.to_le_bytes());
    }

    /// `dst *= src`
    pub fn imul(&mut self, wide: bool, dst: Gpr, src: Gpr) {
        self.modrm(Form::new(0xaf).escape().wide(wide), dst.0, Rm::Reg(src), &[]);
    }

    /// `dst = src * imm`
    pub fn imul_imm(&mut self, wide: bool, dst: Gpr, src: Gpr, imm: i32) {
        match i8::try_from(imm) {
            Ok(imm) => self.modrm(Form::new(0x6b).wide(wide), dst.0, Rm::Reg(src), &imm.to_le_bytes()),
            Err(_) => self.modrm(Form::new(0x69).wide(wide), dst.0, Rm::Reg(src), &imm.to_le_bytes()),
        }
    }

    /// An operation of one operand; multiplication and division work on `rdx:rax`.
    pub fn unary(&mut self, wide: bool, op: Unary, reg: Gpr) {
        self.modrm(Form::new(0xf7).wide(wide), op as u8, Rm::Reg(reg), &[]);
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
            1 => self.modrm(Form::new(0xd1).wide(wide), shift as u8, Rm::Reg(dst), &[]),
            _ => self.modrm(Form::new(0xc1).wide(wide), shift as u8, Rm::Reg(dst), &[count]),
        }
    }

    /// Shifts by the low bits of `cl`.
    pub fn shift_cl(&mut self, wide: bool, shift: Shift, dst: Gpr) {
        self.modrm(Form::new(0xd3).wide(wide), shift as u8, Rm::Reg(dst), &[]);
    }

    /// Rotates the lower 16 bits by 8.
    pub fn swap16(&mut self, dst: Gpr) {
        self.modrm(Form { half: true, ..Form::new(0xc1) }, Shift::Rol as u8, Rm::Reg(dst), &[8]);
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
        self.byte(0xc4);
        self.byte((dst.high() ^ 1) << 7 | 1 << 6 | (src.high() ^ 1) << 5 | map);
        self.byte(u8::from(wide) << 7 | (!second & 15) << 3 | prefix);
        self.byte(opcode);
        self.byte(0xc0 | dst.low() << 3 | src.low());
    }

    /// `dst = address`
    pub fn lea(&mut self, wide: bool, dst: Gpr, address: Rm) {
        self.modrm(Form::new(0x8d).wide(wide), dst.0, address, &[]);
    }

    /// Loads so many bytes; all of the register is written.
    pub fn load(&mut self, bytes: u32, signed: bool, dst: Gpr, from: Rm) {
        let form = match (bytes, signed) {
            (1, false) => Form::new(0xb6).escape(),
            (2, false) => Form::new(0xb7).escape(),
            (4, false) => Form::new(0x8b),
            (1, true) => Form::new(0xbe).escape().wide(true),
            (2, true) => Form::new(0xbf).escape().wide(true),
            (4, true) => Form::new(0x63).wide(true),
            _ => Form::new(0x8b).wide(true),
        };
        self.modrm(Form { byte_rm: bytes == 1, ..form }, dst.0, from, &[]);
    }

    /// As [`Asm::load`] with a sign, but to 32 bits: the upper half becomes zero.
    pub fn load_signed_narrow(&mut self, bytes: u32, dst: Gpr, from: Rm) {
        let opcode = if bytes == 1 { 0xbe } else { 0xbf };
        self.modrm(Form { byte_rm: bytes == 1, ..Form::new(opcode).escape() }, dst.0, from, &[]);
    }

    /// Stores so many bytes of a register.
    pub fn store(&mut self, bytes: u32, to: Rm, src: Gpr) {
        let form = match bytes {
            1 => Form { byte_reg: true, ..Form::new(0x88) },
            2 => Form { half: true, ..Form::new(0x89) },
            4 => Form::new(0x89),
            _ => Form::new(0x89).wide(true),
        };
        self.modrm(form, src.0, to, &[]);
    }

    /// Stores so many bytes of a constant, of eight the sign-extended one.
    pub fn store_imm(&mut self, bytes: u32, to: Rm, imm: i32) {
        let all = imm.to_le_bytes();
        let (form, len) = match bytes {
            1 => (Form::new(0xc6), 1),
            2 => (Form { half: true, ..Form::new(0xc7) }, 2),
            4 => (Form::new(0xc7), 4),
            _ => (Form::new(0xc7).wide(true), 4),
        };
        self.modrm(form, 0, to, all.get(..len).unwrap_or(&all));
    }

    /// `lock` `*mem op= src`
    pub fn lock_op(&mut self, wide: bool, op: Op, mem: Rm, src: Gpr) {
        self.modrm(Form::new((op as u8) << 3 | 1).wide(wide).lock(), src.0, mem, &[]);
    }

    /// Adds `src` to memory; `src` becomes what was there.
    pub fn lock_xadd(&mut self, wide: bool, mem: Rm, src: Gpr) {
        self.modrm(Form::new(0xc1).escape().wide(wide).lock(), src.0, mem, &[]);
    }

    /// Exchanges `src` and memory.
    pub fn xchg(&mut self, wide: bool, mem: Rm, src: Gpr) {
        self.modrm(Form::new(0x87).wide(wide), src.0, mem, &[]);
    }

    /// Puts `src` into memory if that equals `rax`; `rax` becomes what was there.
    pub fn lock_cmpxchg(&mut self, wide: bool, mem: Rm, src: Gpr) {
        self.modrm(Form::new(0xb1).escape().wide(wide).lock(), src.0, mem, &[]);
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
        self.modrm(Form::new(0xff), 6, mem, &[]);
    }

    /// Pops a word of memory.
    pub fn pop_mem(&mut self, mem: Rm) {
        self.modrm(Form::new(0x8f), 0, mem, &[]);
    }

    /// Calls the function whose address is there.
    pub fn call_rm(&mut self, to: Rm) {
        self.modrm(Form::new(0xff), 2, to, &[]);
    }

    /// Jumps to the address in a register.
    pub fn jump_reg(&mut self, to: Gpr) {
        self.modrm(Form::new(0xff), 4, Rm::Reg(to), &[]);
    }

    /// Returns.
    pub fn ret(&mut self) {
        self.byte(0xc3);
    }

    /// Jumps to a label.
    pub fn jump(&mut self, to: Label) {
        self.transfer(JumpKind::Jump, &[0xe9], to);
    }

    /// Jumps to a label if the condition holds.
    pub fn jump_if(&mut self, cc: Cc, to: Label) {
        self.transfer(JumpKind::If(cc), &[0x0f, 0x80 | cc as u8], to);
    }

    /// Calls a label.
    pub fn call(&mut self, to: Label) {
        self.transfer(JumpKind::Call, &[0xe8], to);
    }

    fn transfer(&mut self, kind: JumpKind, opcode: &[u8], to: Label) {
        self.jumps.push(Jump { at: self.bytes.len() as u32, kind, to });
        self.bytes.extend_from_slice(opcode);
        self.bytes.extend_from_slice(&[0; 4]);
    }

    /// Shortens jumps and fills in distances. The data of `data_size` bytes lies directly in front
    /// of the code.
    pub fn finish(mut self, data_size: u32) -> Assembled {
        let Cuts { is_short, at, total } = self.cuts();
        let mut labels = vec![UNBOUND; self.labels.len()];
        let mut cut = Shrunk::new(&at);
        for label in &self.bound {
            let old = self.labels[label.0 as usize];
            labels[label.0 as usize] = old - cut.before(old);
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

/// The fixed part of an instruction.
#[derive(Clone, Copy)]
struct Form {
    opcode: u8,
    escape: bool,
    wide: bool,
    half: bool,
    prefix: Option<u8>,
    /// The register operand is a byte.
    byte_reg: bool,
    /// The other operand is, if it is a register.
    byte_rm: bool,
}

impl Form {
    const fn new(opcode: u8) -> Form {
        Form {
            opcode,
            escape: false,
            wide: false,
            half: false,
            prefix: None,
            byte_reg: false,
            byte_rm: false,
        }
    }

    const fn wide(self, wide: bool) -> Form {
        Form { wide, ..self }
    }

    const fn escape(self) -> Form {
        Form { escape: true, ..self }
    }

    const fn lock(self) -> Form {
        Form { prefix: Some(0xf0), ..self }
    }
}

/// The mode bits for a displacement; `rbp` and `r13` as a base always have one.
fn mode(base: Gpr, disp: i32) -> u8 {
    match i8::try_from(disp) {
        Ok(0) if !base.needs_displacement() => 0x00,
        Ok(_) => 0x40,
        Err(_) => 0x80,
    }
}

fn displacement(put: &mut impl FnMut(u8), base: Gpr, disp: i32) {
    match mode(base, disp) {
        0x00 => {}
        0x40 => put(disp as u8),
        _ => disp.to_le_bytes().into_iter().for_each(put),
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
