//! Facts about the values of a function that selection needs before it starts.
//!
//! - which values are needed at all;
//! - what is known of the upper bits of each ([`Known`]), and which values are extended where they
//!   are made because some reader wants that ([`Fix`]);
//! - which values are only another name for the content of a register ([`Facts::root`]).
//!
//! A value is extended where it is made, never where it is compared, so that a check and the use
//! after it read the same register: the kernel's verifier learns bounds of registers, not of copies.

use skep_stdlib::isa::{Cpu, Width};

use super::known::Known;
use crate::ir::flow::goes_back;
use crate::ir::{
    Arena, BinaryOp, Block, Callee, Compare, ConvertOp, Function, Inst, InstData, Intrinsic, Module, Type,
    UnaryOp, Value, ValueDef,
};

/// How a value is extended in place where it is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fix {
    /// Not at all.
    None,
    /// Upper bits are cleared.
    Zext,
    /// Upper bits are made copies of the sign.
    Sext,
}

/// Extensions that readers of a value want.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Wants {
    zext: bool,
    sext: bool,
}

/// What is known of a value's register.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Content {
    known: Known,
    /// The extension to make where the value is made.
    fix: Fix,
    /// The operand whose register it is.
    alias: Option<Value>,
}

/// Sweeps in which what a loop hands to its next round may grow bit by bit.
const PATIENCE: usize = 4;

/// See the module.
pub struct Facts {
    needed: Arena<Value, bool>,
    uses: Arena<Value, u32>,
    wants: Arena<Value, Wants>,
    contents: Arena<Value, Content>,
    /// The last sweep in which something was learned of each value.
    learned: Arena<Value, usize>,
    signed_load: Arena<Value, bool>,
}

impl Facts {
    /// Computes the facts; `rpo` lists the reachable blocks in reverse postorder.
    pub fn new(f: &Function, module: &Module, cpu: Cpu, rpo: &[Block]) -> Facts {
        let values = &f.values;
        let mut facts = Facts {
            needed: Arena::filled(values, false),
            uses: Arena::filled(values, 0),
            wants: Arena::filled(values, Wants::default()),
            contents: Arena::filled(values, Content { known: Known::NONE, fix: Fix::None, alias: None }),
            learned: Arena::filled(values, 0),
            signed_load: Arena::filled(values, false),
        };
        facts.mark_needed(f, rpo);
        facts.find_wants(f, module, cpu, rpo);
        facts.find_signed_loads(f, cpu, rpo);
        let all = || rpo.iter().flat_map(|&block| f.blocks[block].insts.iter().copied());
        for &param in rpo.first().into_iter().flat_map(|&entry| &f.blocks[entry].params) {
            facts.learn(f, param, Known::ANY, None, 0);
        }
        let mut changed = facts.step(f, cpu, all(), 0);
        // Without a way back, all that a block is told of is known before.
        if changed && goes_back(f, rpo) {
            let asked: Vec<Inst> = all().filter(|&inst| depends(&f.insts[inst])).collect();
            let mut sweep = 1;
            while changed {
                changed = facts.step(f, cpu, asked.iter().copied(), sweep);
                sweep += 1;
            }
        }
        facts
    }

    /// Does anything that happens depend on the value?
    pub fn needed(&self, value: Value) -> bool {
        self.needed[value]
    }

    /// How many operands name the value.
    pub fn uses(&self, value: Value) -> u32 {
        self.uses[value]
    }

    /// What is known of the register that holds the value.
    pub fn known(&self, value: Value) -> Known {
        self.contents[value].known
    }

    /// The extension to make where the value is made.
    pub fn fix(&self, value: Value) -> Fix {
        self.contents[value].fix
    }

    /// The value whose register this value's register is.
    pub fn root(&self, mut value: Value) -> Value {
        while let Some(to) = self.contents[value].alias {
            value = to;
        }
        value
    }

    /// Is this the result of a load that should extend the sign?
    pub fn signed_load(&self, value: Value) -> bool {
        self.signed_load[value]
    }

    /// The content of the register when a constant is put into one.
    pub fn content(&self, value: Value, ty: Type, constant: u64, cpu: Cpu) -> u64 {
        let zext = constant & ty.mask();
        let wants = self.wants[value];
        if ty == Type::I32 && cpu < Cpu::V3 && !wants.zext { ty.sign_extend(zext) as u64 } else { zext }
    }

    /// Finds the values that effects depend on, and counts uses.
    fn mark_needed(&mut self, f: &Function, rpo: &[Block]) {
        let mut work = Vec::new();
        for &block in rpo {
            for &inst in &f.blocks[block].insts {
                let data = &f.insts[inst];
                data.for_each_operand(|v| self.uses[f.resolve(v)] += 1);
                if !data.is_removable() {
                    self.for_each_direct(f, data, |v| work.push(v));
                }
            }
        }
        // Most functions have no parameters of blocks.
        let mut known = None;
        while let Some(value) = work.pop() {
            let value = f.resolve(value);
            if std::mem::replace(&mut self.needed[value], true) {
                continue;
            }
            match f.values[value].def {
                ValueDef::Inst(inst) => f.insts[inst].for_each_operand(|v| work.push(v)),
                ValueDef::Param(block, position) => {
                    let preds = known.get_or_insert_with(|| f.predecessors());
                    for &pred in &preds[block] {
                        let jumps = f.successors(pred).filter(|call| call.block == block);
                        work.extend(jumps.filter_map(|call| call.args.get(position as usize)));
                    }
                }
                ValueDef::Alias(_) => {}
            }
        }
    }

    /// Operands that the instruction itself reads: arguments of jumps are read only if the
    /// parameter is needed.
    fn for_each_direct(&self, f: &Function, data: &InstData, mut push: impl FnMut(Value)) {
        match data {
            InstData::Jump { .. } => {}
            InstData::Branch { cond, .. } => push(f.resolve(*cond)),
            InstData::Switch { value, .. } => push(f.resolve(*value)),
            other => other.for_each_operand(|v| push(f.resolve(v))),
        }
    }

    fn want_zext(&mut self, f: &Function, value: Value) {
        self.wants[f.resolve(value)].zext = true;
    }

    fn want_sext(&mut self, f: &Function, value: Value) {
        self.wants[f.resolve(value)].sext = true;
    }

    fn find_wants(&mut self, f: &Function, module: &Module, cpu: Cpu, rpo: &[Block]) {
        for &block in rpo {
            for &inst in &f.blocks[block].insts {
                if let Some(result) = f.result(inst)
                    && f.insts[inst].is_removable()
                    && !self.needed[result]
                {
                    continue;
                }
                match &f.insts[inst] {
                    InstData::Convert { op: ConvertOp::Zext, arg, .. } => self.want_zext(f, *arg),
                    InstData::Call { callee, args, .. } if !defined_here(module, *callee) => {
                        for &arg in args {
                            if f.ty(arg).bits() < 64 && f.constant(arg).is_none() {
                                self.want_zext(f, arg);
                            }
                        }
                    }
                    InstData::Compare { op, args } if cpu < Cpu::V3 && f.ty(args[0]) == Type::I32 => {
                        self.want_compare(f, *op, *args);
                    }
                    InstData::Binary { op, args } if cpu < Cpu::V3 && f.ty(args[0]) == Type::I32 => {
                        self.want_binary(f, *op, *args);
                    }
                    _ => {}
                }
            }
        }
    }

    fn want_compare(&mut self, f: &Function, op: Compare, args: [Value; 2]) {
        let signed = match op {
            Compare::Slt | Compare::Sle | Compare::Sgt | Compare::Sge => true,
            Compare::Ult | Compare::Ule | Compare::Ugt | Compare::Uge => false,
            Compare::Eq | Compare::Ne => compares_sign_extended(f, args),
        };
        for arg in args {
            if signed { self.want_sext(f, arg) } else { self.want_zext(f, arg) }
        }
    }

    fn want_binary(&mut self, f: &Function, op: BinaryOp, args: [Value; 2]) {
        match op {
            BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::And
            | BinaryOp::Or
            | BinaryOp::Xor
            | BinaryOp::Shl => {}
            BinaryOp::Lshr => self.want_zext(f, args[0]),
            BinaryOp::Ashr => self.want_sext(f, args[0]),
            BinaryOp::Udiv | BinaryOp::Urem => args.iter().for_each(|&arg| self.want_zext(f, arg)),
            // Only v4 has them, and 32-bit arithmetic.
            BinaryOp::Sdiv | BinaryOp::Srem => {}
        }
    }

    /// From v4 on a load can extend the sign itself when that is all its value is used for.
    fn find_signed_loads(&mut self, f: &Function, cpu: Cpu, rpo: &[Block]) {
        if cpu < Cpu::V4 {
            return;
        }
        for &block in rpo {
            for &inst in &f.blocks[block].insts {
                if let InstData::Convert { op: ConvertOp::Sext, arg, .. } = f.insts[inst] {
                    let arg = f.resolve(arg);
                    let load = matches!(f.def(arg), Some(InstData::Load { ty, .. }) if ty.bits() <= 32);
                    if load && self.uses[arg] == 1 && self.needed[arg] {
                        self.signed_load[arg] = true;
                    }
                }
            }
        }
    }

    /// One round of the search for what is known; says whether anything changed. In late sweeps what parameters
    /// hold grows by leaps.
    fn step(&mut self, f: &Function, cpu: Cpu, insts: impl Iterator<Item = Inst>, sweep: usize) -> bool {
        let mut changed = false;
        for inst in insts {
            let data = &f.insts[inst];
            // What nothing was learned for since the last sweep is as it was.
            let mut new = sweep == 0;
            data.for_each_operand(|v| new |= self.learned[f.resolve(v)] + 1 >= sweep);
            if !new {
                continue;
            }
            if let Some(result) = f.result(inst) {
                let (raw, alias) = self.transfer(f, data, result, cpu);
                changed |= self.learn(f, result, raw, alias, sweep);
            }
            for call in data.targets() {
                for (&param, &arg) in f.blocks[call.block].params.iter().zip(&call.args) {
                    let before = self.raw(param);
                    let known = before.or(self.contents[f.resolve(arg)].known);
                    let known = if sweep >= PATIENCE && known != before { known.widened() } else { known };
                    changed |= self.learn(f, param, known, None, sweep);
                }
            }
        }
        changed
    }

    /// What was learned of a parameter before its fix.
    fn raw(&self, param: Value) -> Known {
        match self.contents[param].fix {
            Fix::None => self.contents[param].known,
            // A fix is only ever added, and then the content before it does not matter.
            Fix::Zext | Fix::Sext => Known::ANY,
        }
    }

    /// Records what is known of a value before its fix, and decides about the fix.
    fn learn(&mut self, f: &Function, value: Value, raw: Known, alias: Option<Value>, sweep: usize) -> bool {
        let bits = f.ty(value).bits() as u8;
        let wants = self.wants[value];
        let fix = if wants.zext && raw.unsigned > bits {
            Fix::Zext
        } else if wants.sext && !wants.zext && raw.signed > bits {
            Fix::Sext
        } else {
            Fix::None
        };
        let fix = if fix == Fix::None || bits >= 64 || f.constant(value).is_some() { Fix::None } else { fix };
        let known = match fix {
            Fix::None => raw,
            Fix::Zext => Known::zero_extended(bits),
            Fix::Sext => Known::sign_extended(bits),
        };
        let alias = if fix == Fix::None { alias } else { None };
        let new = Content { known, fix, alias };
        let changed = std::mem::replace(&mut self.contents[value], new) != new;
        if changed {
            self.learned[value] = sweep;
        }
        changed
    }

    /// What an instruction leaves in its result's register before a fix, and the operand whose
    /// register that is when there is nothing to do.
    fn transfer(&self, f: &Function, data: &InstData, result: Value, cpu: Cpu) -> (Known, Option<Value>) {
        let of = |v: Value| self.contents[f.resolve(v)].known;
        let ty = f.ty(result);
        let bits = ty.bits() as u8;
        match data {
            InstData::Const { value, .. } => (Known::constant(self.content(result, ty, *value, cpu)), None),
            InstData::Unary { op, arg } => (unary(*op, ty, of(*arg), cpu), None),
            InstData::Binary { op, args } => (self.binary(f, *op, *args, cpu), None),
            InstData::Convert { op, arg, .. } => self.convert(f, *op, *arg, ty, cpu),
            InstData::Compare { .. } => (Known::zero_extended(1), None),
            InstData::Select { args, .. } => (of(args[0]).or(of(args[1])), None),
            InstData::Load { .. } if self.signed_load[result] => (Known::sign_extended(bits), None),
            InstData::Load { .. } => (Known::zero_extended(bits), None),
            InstData::Intrinsic { op: Intrinsic::Opaque, args, .. } => match args.first() {
                Some(&arg) => (of(arg), Some(f.resolve(arg))),
                None => (Known::ANY, None),
            },
            // Offsets, sizes, shifts, answers: small on every kernel.
            InstData::Core { ty: Type::I32, .. } => (Known::zero_extended(31), None),
            InstData::SymbolAddr { .. }
            | InstData::SlotAddr { .. }
            | InstData::Core { .. }
            | InstData::PtrAdd { .. }
            | InstData::AtomicRmw { .. }
            | InstData::AtomicCmpXchg { .. }
            | InstData::Call { .. }
            | InstData::Asm { .. }
            | InstData::Intrinsic { .. }
            | InstData::Store { .. }
            | InstData::Jump { .. }
            | InstData::Branch { .. }
            | InstData::Switch { .. }
            | InstData::Return { .. }
            | InstData::Unreachable => (Known::ANY, None),
        }
    }

    fn convert(&self, f: &Function, op: ConvertOp, arg: Value, ty: Type, cpu: Cpu) -> (Known, Option<Value>) {
        let arg = f.resolve(arg);
        let known = self.contents[arg].known;
        let from = f.ty(arg).bits() as u8;
        match op {
            ConvertOp::Trunc | ConvertOp::PtrToInt | ConvertOp::IntToPtr => (known, Some(arg)),
            ConvertOp::Zext if known.unsigned <= from => (known, Some(arg)),
            ConvertOp::Zext => (Known::zero_extended(from), None),
            ConvertOp::Sext if known.signed <= from => (known, Some(arg)),
            ConvertOp::Sext if ty == Type::I64 || cpu < Cpu::V3 => (Known::sign_extended(from), None),
            ConvertOp::Sext => (Known::zero_extended(32), None),
        }
    }

    fn binary(&self, f: &Function, op: BinaryOp, args: [Value; 2], cpu: Cpu) -> Known {
        let [a, b] = args.map(|v| f.resolve(v));
        let width = width_of(f.ty(a), cpu);
        let constant = f.constant(b);
        // A 32-bit operation of before v3 works on sign-extended immediates.
        let immediate = |v: Value| match f.constant(v) {
            Some(c) if f.ty(v) == Type::I32 && width == Width::W64 => {
                Known::constant(Type::I32.sign_extend(c) as u64).or(self.contents[v].known)
            }
            _ => self.contents[v].known,
        };
        if f.ty(a) == Type::I32 && width == Width::W64 {
            let shift = matches!(op, BinaryOp::Shl | BinaryOp::Lshr | BinaryOp::Ashr);
            let constant = constant.map(|c| if shift { c % 32 } else { c });
            return match op {
                // Their operands may be extended on the way.
                BinaryOp::Lshr | BinaryOp::Udiv | BinaryOp::Urem => {
                    let low = |k: Known| if k.unsigned > 32 { Known::zero_extended(32) } else { k };
                    Known::arithmetic(
                        op,
                        width,
                        low(self.contents[a].known),
                        low(self.contents[b].known),
                        constant,
                    )
                }
                BinaryOp::Ashr => {
                    let low = |k: Known| if k.signed > 32 { Known::sign_extended(32) } else { k };
                    Known::arithmetic(
                        op,
                        width,
                        low(self.contents[a].known),
                        self.contents[b].known,
                        constant,
                    )
                }
                _ => Known::arithmetic(op, width, immediate(a), immediate(b), constant),
            };
        }
        Known::arithmetic(op, width, immediate(a), immediate(b), constant)
    }
}

/// Does what the instruction leaves, or passes on, depend on what its operands are?
fn depends(data: &InstData) -> bool {
    match data {
        InstData::Unary { .. }
        | InstData::Binary { .. }
        | InstData::Convert { .. }
        | InstData::Select { .. }
        | InstData::Intrinsic { op: Intrinsic::Opaque, .. } => true,
        other => other.targets().any(|call| !call.args.is_empty()),
    }
}

fn unary(op: UnaryOp, ty: Type, arg: Known, cpu: Cpu) -> Known {
    match (op, ty) {
        (UnaryOp::Bswap, Type::I16) => Known::zero_extended(16),
        (UnaryOp::Bswap, Type::I32) => Known::zero_extended(32),
        (UnaryOp::Not, Type::I1) => arg.or(Known::zero_extended(1)),
        (UnaryOp::Neg | UnaryOp::Not, Type::I32) if cpu >= Cpu::V3 => Known::zero_extended(32),
        (UnaryOp::Neg | UnaryOp::Not | UnaryOp::Bswap, _) => Known::ANY,
    }
}

/// The width of arithmetic on this type.
pub fn width_of(ty: Type, cpu: Cpu) -> Width {
    match ty {
        Type::I1 | Type::I8 | Type::I16 | Type::I32 if cpu >= Cpu::V3 => Width::W32,
        Type::I1 | Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Ptr => Width::W64,
    }
}

/// Before v3, is equality of these `i32` decided on sign-extended registers? It is when that lets a
/// negative constant be an immediate.
pub fn compares_sign_extended(f: &Function, args: [Value; 2]) -> bool {
    args.iter().any(|&arg| f.constant(arg).is_some_and(|c| Type::I32.sign_extend(c) < 0))
}

fn defined_here(module: &Module, callee: Callee) -> bool {
    match callee {
        Callee::Func(symbol) => module.definition(symbol).is_some(),
        Callee::Helper(_) | Callee::Indirect(_) => false,
    }
}
