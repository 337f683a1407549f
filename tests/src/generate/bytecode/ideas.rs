//! What programs do without helpers: numbers, bounds, memory, branches, loops, calls.

use skep_stdlib::isa::{AluOp, AtomicOp, CallTarget, Cond, Endian, Imm64, Insn, Operand, Reg, Size, Width};

use super::{ARRAY, CONTEXT, KEPT, Kind, LONGEST, SCRATCH, Writer, mov, over};

/// The last ones of all operations, that came late.
const SIGNED: usize = 2;

const ATOMICS: [AtomicOp; 7] = [
    AtomicOp::Add { fetch: false },
    AtomicOp::Add { fetch: true },
    AtomicOp::And { fetch: true },
    AtomicOp::Or { fetch: false },
    AtomicOp::Xor { fetch: true },
    AtomicOp::Xchg,
    AtomicOp::CmpXchg,
];

/// Branches and loops inside of each other.
const DEEPEST: u32 = 3;
/// Functions of a program.
const FUNCTIONS: usize = 3;

type Idea = fn(&mut Writer) -> Vec<Insn>;

/// All ideas, by how often they come up.
const IDEAS: &[(u8, Idea)] = &[
    (6, Writer::arithmetic),
    (3, Writer::copy),
    (3, Writer::narrow),
    (3, Writer::compare),
    (4, Writer::store),
    (4, Writer::load),
    (3, Writer::packet),
    (2, Writer::direct_value),
    (4, Writer::access),
    (3, Writer::move_pointer),
    (2, Writer::atomic),
    (2, Writer::rounds),
    (1, Writer::call),
    (1, Writer::pointers),
    (1, Writer::stray),
    (3, Writer::look_up),
    (5, Writer::help),
    (1, Writer::call_back),
    (2, Writer::record),
];

impl Writer {
    /// One idea, as a few instructions.
    pub fn idea(&mut self) -> Vec<Insn> {
        let sum: u8 = IDEAS.iter().map(|(weight, _)| weight).sum();
        let mut at = self.from.byte() % sum;
        let outer = std::mem::take(&mut self.before);
        let mut insns = Vec::new();
        for (weight, idea) in IDEAS {
            match at.checked_sub(*weight) {
                Some(rest) => at = rest,
                None => {
                    insns = idea(self);
                    break;
                }
            }
        }
        insns.splice(0..0, std::mem::replace(&mut self.before, outer));
        insns
    }

    fn arithmetic(&mut self) -> Vec<Insn> {
        let (width, dst) = (self.from.width(), self.reg_of(Kind::Number));
        let insn = match self.from.byte() % 12 {
            2 if !self.is_new => Insn::Mov { width, dst, src: Operand::Reg(dst) },
            0 => Insn::Neg { width, dst },
            1 => {
                let kind = self.from.pick(&[Endian::ToBe, Endian::ToLe, Endian::Bswap]);
                let kind = if self.is_new { kind } else { Endian::ToBe };
                Insn::Swap { kind, bits: self.from.pick(&[16, 32, 64]), dst }
            }
            2 => {
                let bits = self.from.pick(&[8, 16, 32]);
                let width = if bits == 32 { Width::W64 } else { width };
                Insn::MovSx { width, bits, dst, src: self.reg_of(Kind::Number) }
            }
            _ => {
                let count = AluOp::ALL.len() - if self.is_new { 0 } else { SIGNED };
                let (op, src) = (self.from.pick(&AluOp::ALL[..count]), self.operand());
                let shifts = matches!(op, AluOp::Lsh | AluOp::Rsh | AluOp::Arsh);
                let divides = matches!(op, AluOp::Div | AluOp::Mod | AluOp::Sdiv | AluOp::Smod);
                let src = match src {
                    Operand::Imm(imm) if shifts => Operand::Imm(imm & 31),
                    Operand::Imm(0) if divides => Operand::Imm(3),
                    src => src,
                };
                Insn::Alu { width, op, dst, src }
            }
        };
        vec![insn]
    }

    fn copy(&mut self) -> Vec<Insn> {
        let dst = self.from.pick(&SCRATCH);
        if self.from.byte() & 1 == 0 {
            self.set(dst, Kind::Number);
            return vec![Insn::Mov { width: self.from.width(), dst, src: Operand::Imm(self.from.imm()) }];
        }
        let kind = self.from.pick(&[Kind::Number, Kind::Number, Kind::Value, Kind::Packet, Kind::Stack]);
        if kind == Kind::Stack {
            self.set(dst, Kind::Stack);
            let off = Operand::Imm(-8 * (1 + i32::from(self.from.below(8))));
            let add = Insn::Alu { width: Width::W64, op: AluOp::Add, dst, src: off };
            return vec![mov(dst, Operand::Reg(Reg::FP)), add];
        }
        let src = self.reg_of(kind);
        let width = if kind == Kind::Number { self.from.width() } else { Width::W64 };
        self.set(dst, self.kind(src));
        vec![Insn::Mov { width, dst, src: Operand::Reg(src) }]
    }

    /// Bounds a number: by a mask, or by leaving if it is not in range.
    fn narrow(&mut self) -> Vec<Insn> {
        let (width, dst) = (self.from.width(), self.reg_of(Kind::Number));
        let most = self.from.pick(&[0, 1, 3, 4, 7, 8, 15, 16, 20, 31, 63, 100, 255]);
        if self.from.byte() & 1 == 0 {
            return vec![Insn::Alu { width, op: AluOp::And, dst, src: Operand::Imm(most) }];
        }
        let leave = [mov(Reg::R0, Operand::Imm(1)), Insn::Exit];
        let cond = self.from.pick(&[Cond::Le, Cond::Lt, Cond::Sle, Cond::Slt, Cond::Eq]);
        let mut insns = vec![Insn::Branch { width, cond, dst, src: Operand::Imm(most), off: over(&leave) }];
        insns.extend(leave);
        insns
    }

    /// Something that happens only if two numbers compare so, and perhaps something else if not.
    fn compare(&mut self) -> Vec<Insn> {
        if self.nesting > DEEPEST {
            return Vec::new();
        }
        let (width, cond, dst) = (self.from.width(), self.from.pick(&Cond::ALL), self.reg_of(Kind::Number));
        let src = self.operand();
        let mut then = self.branch(3);
        let mut otherwise = Vec::new();
        if self.from.one_in(3) {
            otherwise = self.branch(2);
            then.push(Insn::Jump { off: over(&otherwise).into(), long: false });
        }
        let mut insns = vec![Insn::Branch { width, cond, dst, src, off: over(&then) }];
        insns.extend(then);
        insns.extend(otherwise);
        insns
    }

    /// Stores a number, or spills any register.
    fn store(&mut self) -> Vec<Insn> {
        let off = -8 * (1 + self.from.below(10));
        match self.from.byte() % 4 {
            0 => {
                let kind = self.from.pick(&[Kind::Number, Kind::Value, Kind::Packet, Kind::Stack]);
                let src = self.reg_of(kind);
                self.stored.push((off, self.kind(src)));
                vec![Insn::Store { size: Size::DW, base: Reg::FP, off, src: Operand::Reg(src) }]
            }
            1 | 2 => {
                let (size, src) = (self.from.pick(&[Size::DW, Size::DW, Size::W]), self.operand());
                self.stored.push((off, if size == Size::DW { Kind::Number } else { Kind::Nothing }));
                vec![Insn::Store { size, base: Reg::FP, off, src }]
            }
            _ => {
                let (size, src) = (self.from.size(), self.operand());
                let off = off + self.from.below(8) / size.bytes() as i16 * size.bytes() as i16;
                self.stored.retain(|(known, _)| off >= known + 8 || off + size.bytes() as i16 <= *known);
                vec![Insn::Store { size, base: Reg::FP, off, src }]
            }
        }
    }

    /// Loads from the stack.
    fn load(&mut self) -> Vec<Insn> {
        let dst = self.from.pick(&SCRATCH);
        let stored = self.stored.clone();
        if stored.is_empty() || self.from.one_in(12) {
            let size = self.from.size();
            let off = -(1 + self.from.below(80 / size.bytes() as u8)) * size.bytes() as i16;
            self.set(dst, Kind::Number);
            return vec![Insn::Load { size, signed: false, dst, base: Reg::FP, off }];
        }
        let (at, kind) = self.from.pick(&stored);
        let load = |size, signed, off| Insn::Load { size, signed, dst, base: Reg::FP, off };
        if kind != Kind::Number || self.from.byte() & 1 == 0 {
            self.set(dst, kind);
            return vec![load(Size::DW, false, at)];
        }
        let size = self.from.pick(&[Size::B, Size::H, Size::W]);
        let off = at + self.from.below(8 / size.bytes() as u8) * size.bytes() as i16;
        let signed = self.is_new && self.from.one_in(4);
        self.set(dst, Kind::Number);
        vec![load(size, signed, off)]
    }

    /// The packet, and a proof of some of its bytes in a register that may have moved.
    fn packet(&mut self) -> Vec<Insn> {
        let data = self.from.pick(&KEPT);
        let [first, last, _] = self.section.fields();
        let field = |dst, off| Insn::Load { size: Size::W, signed: false, dst, base: CONTEXT, off };
        let mut insns = vec![field(data, first), field(Reg::R3, last)];
        let add = |dst, src| Insn::Alu { width: Width::W64, op: AluOp::Add, dst, src };
        if self.from.one_in(3) {
            let number = self.reg_of(Kind::Number);
            let mask = self.from.pick(&[7, 63, 255, 4095, 65535]);
            insns.extend([
                mov(Reg::R5, Operand::Reg(number)),
                Insn::Alu { width: Width::W64, op: AluOp::And, dst: Reg::R5, src: Operand::Imm(mask) },
                add(data, Operand::Reg(Reg::R5)),
            ]);
            self.set(Reg::R5, Kind::Number);
        }
        let bytes = Operand::Imm(self.from.below(40).into());
        insns.extend([mov(Reg::R4, Operand::Reg(data)), add(Reg::R4, bytes)]);
        self.set(data, Kind::Packet);
        self.set(Reg::R3, Kind::Nothing);
        self.set(Reg::R4, Kind::Nothing);
        let leave = [mov(Reg::R0, Operand::Imm(1)), Insn::Exit];
        let (dst, src, cond) = match self.from.byte() % 8 {
            0..5 => (Reg::R4, Reg::R3, Cond::Le),
            5 => (Reg::R4, Reg::R3, Cond::Lt),
            6 => (Reg::R3, Reg::R4, Cond::Ge),
            _ => (Reg::R4, Reg::R3, self.from.pick(&Cond::ALL)),
        };
        let off = over(&leave);
        insns.push(Insn::Branch { width: Width::W64, cond, dst, src: Operand::Reg(src), off });
        insns.extend(leave);
        insns
    }

    /// The address of a value of the array.
    fn direct_value(&mut self) -> Vec<Insn> {
        let dst = self.from.pick(&KEPT);
        self.set(dst, Kind::Value);
        let room = if self.from.one_in(8) { 26 } else { 12 };
        let offset = self.from.below(room) as u32;
        vec![Insn::LoadImm64 { dst, value: Imm64::MapIdxValue { index: ARRAY, offset } }]
    }

    /// Loads or stores through a pointer.
    fn access(&mut self) -> Vec<Insn> {
        let kind = self.from.pick(&[Kind::Value, Kind::Packet, Kind::Value, Kind::Stack]);
        let (base, size) = (self.reg_of(kind), self.from.size());
        let near = self.from.below(24) - self.from.below(2);
        let off = if self.from.one_in(8) { near } else { near / size.bytes() as i16 * size.bytes() as i16 };
        if self.from.byte() & 1 == 0 {
            let src = self.operand();
            return vec![Insn::Store { size, base, off, src }];
        }
        let dst = self.from.pick(&SCRATCH);
        let signed = self.is_new && size != Size::DW && self.from.one_in(5);
        self.set(dst, Kind::Number);
        vec![Insn::Load { size, signed, dst, base, off }]
    }

    /// Adds a number, which mostly is bounded first, to a pointer, or subtracts it.
    fn move_pointer(&mut self) -> Vec<Insn> {
        let kind = self.from.pick(&[Kind::Value, Kind::Packet, Kind::Value, Kind::Stack]);
        let (dst, number) = (self.reg_of(kind), self.reg_of(Kind::Number));
        let mut insns = Vec::new();
        let mask = self.from.pick(&[1, 3, 7, 8, 15, 16, 23, 4095]);
        if !self.from.one_in(6) {
            let width = self.from.width();
            insns.push(Insn::Alu { width, op: AluOp::And, dst: number, src: Operand::Imm(mask) });
        }
        let op = self.from.pick(&[AluOp::Add, AluOp::Add, AluOp::Add, AluOp::Sub]);
        let src = if self.from.one_in(3) { Operand::Imm(mask) } else { Operand::Reg(number) };
        insns.push(Insn::Alu { width: Width::W64, op, dst, src });
        insns
    }

    fn atomic(&mut self) -> Vec<Insn> {
        let (size, op) = (self.from.pick(&[Size::W, Size::DW]), self.from.pick(&ATOMICS));
        let op = if self.is_new { op } else { ATOMICS[0] };
        let src = self.reg_of(Kind::Number);
        let (base, off) = match self.from.byte() & 1 {
            0 => (Reg::FP, -8 * (1 + self.from.below(10))),
            _ => (self.reg_of(Kind::Value), 4 * self.from.below(5)),
        };
        vec![Insn::Atomic { size, op, base, off, src }]
    }

    /// A loop that a counter ends.
    fn rounds(&mut self) -> Vec<Insn> {
        if self.nesting > 1 || self.length > LONGEST / 2 {
            return Vec::new();
        }
        let counter = self.from.pick(&KEPT);
        let bound = i32::from(1 + self.from.below(12));
        let step = self.from.pick(&[1, 1, 2, 3]);
        // What the body does may happen before itself.
        self.set(counter, Kind::Nothing);
        let body = self.branch(4);
        let width = self.from.width();
        let add = Insn::Alu { width, op: AluOp::Add, dst: counter, src: Operand::Imm(step) };
        let back = -(over(&body) + 2);
        let (cond, dst) = (self.from.pick(&[Cond::Lt, Cond::Slt, Cond::Le, Cond::Ne]), counter);
        let branch = Insn::Branch { width, cond, dst, src: Operand::Imm(bound * step), off: back };
        let mut insns = vec![mov(counter, Operand::Imm(0))];
        insns.extend(body);
        insns.extend([add, branch]);
        self.set(counter, Kind::Number);
        insns
    }

    /// Calls a function with a value and a number.
    fn call(&mut self) -> Vec<Insn> {
        if self.functions.len() >= FUNCTIONS {
            return Vec::new();
        }
        let (value, number) = (self.reg_of(Kind::Value), self.reg_of(Kind::Number));
        self.functions.push(false);
        self.called();
        let function = self.functions.len() as i32 - 1;
        vec![
            mov(Reg::R1, Operand::Reg(value)),
            mov(Reg::R2, Operand::Reg(number)),
            Insn::Call(CallTarget::Local(function)),
        ]
    }

    /// Computes with two pointers.
    fn pointers(&mut self) -> Vec<Insn> {
        let kind = self.from.pick(&[Kind::Packet, Kind::Value, Kind::Stack]);
        let (a, b) = (self.reg_of(kind), self.reg_of(kind));
        if self.from.byte() & 1 == 0 {
            self.set(Reg::R5, Kind::Number);
            let difference =
                Insn::Alu { width: Width::W64, op: AluOp::Sub, dst: Reg::R5, src: Operand::Reg(b) };
            return vec![mov(Reg::R5, Operand::Reg(a)), difference];
        }
        let then = self.branch(2);
        let (cond, src) = (self.from.pick(&Cond::ALL), Operand::Reg(b));
        let mut insns = vec![Insn::Branch { width: Width::W64, cond, dst: a, src, off: over(&then) }];
        insns.extend(then);
        insns
    }

    /// An instruction of registers that are all taken at random.
    fn stray(&mut self) -> Vec<Insn> {
        let (width, dst, src) = (self.from.width(), self.from.pick(&SCRATCH), self.from.pick(&SCRATCH));
        let (size, off) = (self.from.size(), self.from.below(48) - 8);
        vec![match self.from.byte() % 5 {
            0 => Insn::Alu { width, op: self.from.pick(&AluOp::ALL[..11]), dst, src: Operand::Reg(src) },
            1 => Insn::Mov { width, dst, src: Operand::Reg(src) },
            2 => Insn::Load { size, signed: false, dst, base: src, off },
            3 => Insn::Store { size, base: dst, off, src: Operand::Reg(src) },
            _ => {
                let (cond, off) = (self.from.pick(&Cond::ALL), self.from.below(10));
                Insn::Branch { width, cond, dst, src: Operand::Reg(src), off }
            }
        }]
    }
}
