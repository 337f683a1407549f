//! Selection of jumps, comparisons, selects and returns.
//!
//! A comparison is folded into every jump and select that tests it. Jumps pass arguments to block
//! parameters by parallel moves, in a block on the edge when the jump is conditional; edges with
//! the same target and arguments share that block.

use skep_stdlib::isa::{Cond, Cpu, Reg as Phys, Width};

use super::{Form, Selector};
use crate::codegen::mir::{self, Inst, Op, Reg, Src};
use crate::ir::{BinaryOp, BlockCall, Compare, ConvertOp, InstData, Type, UnaryOp, Value};

/// What a jump or select tests.
enum Test {
    /// The outcome is known.
    Known(bool),
    /// A machine condition, true when it does not hold if `negated`.
    Cond { width: Width, cond: Cond, dst: Reg, src: Src, negated: bool },
}

impl Selector<'_> {
    pub(super) fn jump(&mut self, target: &BlockCall) {
        let moves = self.block_moves(target);
        self.parallel_moves(moves);
        let to = self.head(target.block);
        self.emit(Op::Jump { to });
    }

    pub(super) fn branch(&mut self, cond: Value, then: &BlockCall, els: &BlockCall) {
        if let Some(outcome) = self.outcome(cond) {
            return self.jump(if outcome { then } else { els });
        }
        let (then, els) = (self.edge(then), self.edge(els));
        self.test(cond, then, els);
    }

    /// Jumps to one of two blocks.
    fn test(&mut self, cond: Value, then: mir::Block, els: mir::Block) {
        match self.condition(cond) {
            Test::Known(outcome) => self.emit(Op::Jump { to: if outcome { then } else { els } }),
            Test::Cond { width, cond, dst, src, negated } => {
                let (then, els) = if negated { (els, then) } else { (then, els) };
                self.emit(Op::Branch { width, cond, dst, src, then, els });
            }
        }
    }

    /// The outcome of a condition if it is a constant.
    fn outcome(&self, cond: Value) -> Option<bool> {
        self.f.constant(cond).map(|constant| constant & 1 == 1)
    }

    /// The block to jump to for this edge.
    pub(super) fn edge(&mut self, call: &BlockCall) -> mir::Block {
        let moves = self.block_moves(call);
        let to = self.head(call.block);
        if moves.is_empty() {
            return to;
        }
        let key = (call.block, call.args.iter().map(|&arg| self.value(arg)).collect());
        if let Some(&block) = self.edges.get(&key) {
            return block;
        }
        let block = self.out.new_block();
        let insts = self.aside(|s| {
            s.parallel_moves(moves);
            s.emit(Op::Jump { to });
        });
        self.out.blocks[block].insts = insts;
        self.edges.insert(key, block);
        self.tails.push(block);
        block
    }

    /// What `make` emits, taken out of the current block.
    fn aside(&mut self, make: impl FnOnce(&mut Self)) -> Vec<Inst> {
        let outer = std::mem::take(&mut self.seq);
        make(self);
        std::mem::replace(&mut self.seq, outer)
    }

    /// Which register becomes which argument.
    fn block_moves(&mut self, call: &BlockCall) -> Vec<(Reg, Value)> {
        let params = &self.f.blocks[call.block].params;
        let pairs = params.iter().zip(&call.args).filter(|&(&param, _)| self.facts.needed(param));
        let pairs: Vec<_> = pairs.collect();
        pairs.into_iter().map(|(&param, &arg)| (self.reg(param), arg)).collect()
    }

    /// Emits moves that happen at once: every source is read before it is overwritten.
    fn parallel_moves(&mut self, moves: Vec<(Reg, Value)>) {
        let mut constants = Vec::new();
        let mut pending = Vec::new();
        for (dst, value) in moves {
            let value = self.facts.root(self.value(value));
            match self.constant(value) {
                Some(constant) => constants.push((dst, constant)),
                None => pending.push((dst, self.reg(value))),
            }
        }
        pending.retain(|&(dst, src)| dst != src);
        while !pending.is_empty() {
            let free = |&(dst, _): &(Reg, Reg)| !pending.iter().any(|&(_, src)| src == dst);
            match pending.iter().position(free) {
                Some(index) => {
                    let (dst, src) = pending.remove(index);
                    self.emit(Op::Mov { dst, src });
                }
                None => {
                    // Only cycles are left: save one destination and read it from there.
                    let (dst, _) = pending[0];
                    let saved = self.new_reg();
                    self.emit(Op::Mov { dst: saved, src: dst });
                    for (_, src) in &mut pending {
                        if *src == dst {
                            *src = saved;
                        }
                    }
                }
            }
        }
        for (dst, constant) in constants {
            self.emit(constant.op(dst));
        }
    }

    /// A comparison whose result is needed as a number.
    pub(super) fn compare_value(&mut self, dst: Option<Reg>, result: Option<Value>) {
        let (Some(dst), Some(result)) = (dst, result) else { return };
        let join = self.split();
        let other = self.out.new_block();
        let number = |imm| Op::MovImm { width: Width::W64, dst, imm };
        let insts = self.aside(|s| {
            s.emit(number(0));
            s.emit(Op::Jump { to: join });
        });
        self.out.blocks[other].insts = insts;
        self.tails.push(other);
        self.emit(number(1));
        match self.comparison(result) {
            Some(Test::Cond { width, cond, dst, src, negated }) => {
                let (then, els) = if negated { (other, join) } else { (join, other) };
                self.emit(Op::Branch { width, cond, dst, src, then, els });
            }
            Some(Test::Known(_)) | None => {}
        }
    }

    pub(super) fn select(&mut self, dst: Option<Reg>, cond: Value, args: [Value; 2]) {
        let Some(dst) = dst else { return };
        let [a, b] = args.map(|arg| self.facts.root(self.value(arg)));
        if let Some(outcome) = self.outcome(cond) {
            return self.set(dst, if outcome { a } else { b });
        }
        let join = self.split();
        let other = self.out.new_block();
        // The value that needs no instruction of its own, because it can be made in place, is set
        // always; the other one only if its condition holds.
        let swap = self.constant(a).is_some() && self.constant(b).is_none();
        let (always, sometimes) = if swap { (b, a) } else { (a, b) };
        let insts = self.aside(|s| {
            s.set(dst, sometimes);
            s.emit(Op::Jump { to: join });
        });
        self.out.blocks[other].insts = insts;
        self.tails.push(other);
        self.set(dst, always);
        if swap { self.test(cond, other, join) } else { self.test(cond, join, other) }
    }

    pub(super) fn ret(&mut self, value: Option<Value>) {
        if let Some(value) = value {
            self.set_any(Reg::phys(Phys::R0), value);
        }
        self.emit(Op::Exit { value: value.is_some() });
    }

    /// The verifier wants an end even where control does not come.
    pub(super) fn unreachable(&mut self) {
        if self.module.func(self.f.symbol).is_some_and(|func| func.naked) {
            return self.emit(Op::End);
        }
        self.emit(Op::MovImm { width: Width::W64, dst: Reg::phys(Phys::R0), imm: 0 });
        self.emit(Op::Exit { value: true });
    }

    pub(super) fn unsupported_end(&mut self, what: &str) {
        self.limit(what.into());
        self.unreachable();
    }

    /// What to test for a value of type `i1`.
    fn condition(&mut self, value: Value) -> Test {
        let mut value = self.value(value);
        let mut flip = false;
        while let Some(&InstData::Unary { op: UnaryOp::Not, arg }) = self.f.def(value) {
            value = self.value(arg);
            flip = !flip;
        }
        let test = if let Some(constant) = self.f.constant(value) {
            Test::Known(constant & 1 == 1)
        } else if let Some(test) = self.comparison(value) {
            test
        } else {
            self.bit(value)
        };
        match test {
            Test::Known(outcome) => Test::Known(outcome != flip),
            Test::Cond { width, cond, dst, src, negated } => {
                Test::Cond { width, cond, dst, src, negated: negated != flip }
            }
        }
    }

    /// Tests an `i1` that is in a register.
    fn bit(&mut self, value: Value) -> Test {
        let narrow = match self.f.def(value) {
            Some(&InstData::Convert { op: ConvertOp::Trunc, arg, .. }) => self.value(arg),
            _ => value,
        };
        let clean = self.facts.known(narrow).unsigned <= 1;
        let cond = if clean { Cond::Ne } else { Cond::Set };
        let src = Src::Imm(if clean { 0 } else { 1 });
        Test::Cond { width: Width::W64, cond, dst: self.reg(narrow), src, negated: false }
    }

    /// The test of a comparison.
    fn comparison(&mut self, value: Value) -> Option<Test> {
        let &InstData::Compare { op, args } = self.f.def(value)? else { return None };
        let mut op = op;
        let mut args = args.map(|arg| self.value(arg));
        if self.f.constant(args[0]).is_some() && self.f.constant(args[1]).is_none() {
            args.swap(0, 1);
            op = op.swapped();
        }
        if let Some(test) = self.bit_test(op, args) {
            return Some(test);
        }
        let (width, form) = self.compare_width(op, args);
        let src = match width {
            // A 32-bit comparison has any constant as immediate.
            Width::W32 => self.operand(args[1], Form::Any),
            Width::W64 => self.operand(args[1], form),
        };
        let dst = self.reg_as(args[0], if width == Width::W32 { Form::Any } else { form });
        Some(self.machine_test(op, width, dst, src))
    }

    /// `(x & y) != 0` in one instruction.
    fn bit_test(&mut self, op: Compare, args: [Value; 2]) -> Option<Test> {
        if !matches!(op, Compare::Eq | Compare::Ne) || self.f.constant(args[1]) != Some(0) {
            return None;
        }
        let &InstData::Binary { op: BinaryOp::And, args: [x, y] } = self.f.def(args[0])? else { return None };
        // The result of the mask is needed anyway: then the test of it is as cheap.
        if self.facts.uses(args[0]) != 1 {
            return None;
        }
        let [x, y] = [self.value(x), self.value(y)];
        let [x, y] = if self.f.constant(x).is_some() { [y, x] } else { [x, y] };
        let narrow = self.ty(x) == Type::I32;
        let width = if narrow && self.cpu >= Cpu::V3 { Width::W32 } else { Width::W64 };
        let src = match self.f.constant(y) {
            Some(_) => Src::Imm(self.immediate(y, Form::Any)?),
            None => Src::Reg(self.reg(y)),
        };
        if narrow && width == Width::W64 {
            let clean = |v: Value| self.facts.known(v).unsigned <= 32;
            let fits = match src {
                Src::Imm(imm) => imm >= 0 || clean(x),
                Src::Reg(_) => clean(x) || clean(y),
            };
            if !fits {
                return None;
            }
        }
        let dst = self.reg(x);
        Some(Test::Cond { width, cond: Cond::Set, dst, src, negated: op == Compare::Eq })
    }

    /// At which width to compare, and how the upper bits must be for that. Where both registers
    /// are known to be extended all 64 bits are compared: the verifier learns more from it.
    fn compare_width(&self, op: Compare, args: [Value; 2]) -> (Width, Form) {
        if self.ty(args[0]).bits() >= 64 {
            return (Width::W64, Form::Any);
        }
        let signed = matches!(op, Compare::Slt | Compare::Sle | Compare::Sgt | Compare::Sge);
        let known = args.map(|arg| self.facts.known(arg).unsigned);
        if self.cpu >= Cpu::V3 {
            let limit = if signed { 31 } else { 32 };
            let immediate =
                self.f.constant(args[1]).is_none() || self.immediate(args[1], Form::Zext).is_some();
            let wide = known.iter().all(|&bits| bits <= limit) && immediate;
            return if wide { (Width::W64, Form::Zext) } else { (Width::W32, Form::Any) };
        }
        if signed {
            return (Width::W64, Form::Sext);
        }
        let equality = matches!(op, Compare::Eq | Compare::Ne);
        let sext = equality && super::facts::compares_sign_extended(self.f, args);
        (Width::W64, if sext { Form::Sext } else { Form::Zext })
    }

    /// Conditions that this cpu does not have become others.
    fn machine_test(&self, op: Compare, width: Width, dst: Reg, src: Src) -> Test {
        let (cond, negated) = match op {
            Compare::Eq => (Cond::Eq, false),
            Compare::Ne => (Cond::Ne, false),
            Compare::Ugt => (Cond::Gt, false),
            Compare::Uge => (Cond::Ge, false),
            Compare::Sgt => (Cond::Sgt, false),
            Compare::Sge => (Cond::Sge, false),
            Compare::Ult if self.cpu >= Cpu::V2 => (Cond::Lt, false),
            Compare::Ule if self.cpu >= Cpu::V2 => (Cond::Le, false),
            Compare::Slt if self.cpu >= Cpu::V2 => (Cond::Slt, false),
            Compare::Sle if self.cpu >= Cpu::V2 => (Cond::Sle, false),
            Compare::Ult => (Cond::Ge, true),
            Compare::Ule => (Cond::Gt, true),
            Compare::Slt => (Cond::Sge, true),
            Compare::Sle => (Cond::Sgt, true),
        };
        Test::Cond { width, cond, dst, src, negated }
    }
}
