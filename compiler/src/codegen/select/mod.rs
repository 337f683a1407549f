//! Instruction selection: IR to machine IR.
//!
//! Blocks are visited in postorder and instructions from last to first, so every reader is seen
//! before what it reads. A value gets a register when some reader asks for one; what nobody asks
//! for (because the reader folded it into an address, an immediate or a jump) is never emitted.
//!
//! - [`facts`]: what selection knows beforehand: needed values, extensions, aliases.
//! - [`arith`], [`memory`], [`control`]: the rules, by topic.
//! - [`constants`]: where constants and addresses are put into registers.

mod arith;
mod asm;
mod constants;
mod control;
mod facts;
mod known;
mod memory;

use std::collections::BTreeMap;

use skep_stdlib::isa::{AluOp, Cpu, Reg as Phys, Width};

use self::constants::Constant;
use self::facts::{Facts, Fix, width_of};
use super::Options;
use super::flow::Flow;
use super::mir::{self, Inst, Object, ObjectData, Op, Reg, Src};
use crate::ir::flow::reverse_post_order;
use crate::ir::{
    Arena, Block, Callee, ConvertOp, CoreId, Function, InstData, Intrinsic, Limit, Module, Slot, SrcLoc,
    SymbolId, Type, UnaryOp, Value,
};

/// Selects instructions for one function.
pub fn select(f: &Function, module: &Module, options: &Options, limits: &mut Vec<Limit>) -> mir::Func {
    let cpu = options.cpu;
    let rpo = reverse_post_order(f);
    let facts = Facts::new(f, module, cpu, &rpo);
    let mut selector = Selector {
        f,
        module,
        cpu,
        big_endian: options.big_endian,
        facts,
        limits,
        out: mir::Func::new(f.symbol),
        regs: Arena::filled(&f.values, None),
        constants: BTreeMap::new(),
        anchors: BTreeMap::new(),
        objects: Arena::filled(&f.slots, None),
        heads: Arena::filled(&f.blocks, None),
        edges: BTreeMap::new(),
        tails: Vec::new(),
        done: Vec::new(),
        seq: Vec::new(),
        loc: SrcLoc::NONE,
    };
    selector.objects();
    selector.function(&rpo);
    let Selector { mut out, constants, .. } = selector;
    drop_unreachable(&mut out);
    constants::place(&mut out, &constants);
    out
}

/// Branches whose outcome is known leave blocks that nobody jumps to.
fn drop_unreachable(func: &mut mir::Func) {
    let flow = Flow::of(func);
    if flow.rpo.len() == func.order.len() {
        return;
    }
    func.order.retain(|&block| flow.reaches(block));
    for block in func.blocks.keys() {
        if !flow.reaches(block) {
            func.blocks[block].insts.clear();
        }
    }
}

struct Selector<'a> {
    f: &'a Function,
    module: &'a Module,
    cpu: Cpu,
    big_endian: bool,
    facts: Facts,
    limits: &'a mut Vec<Limit>,
    out: mir::Func,
    /// The register of each value that is no alias and was asked for.
    regs: Arena<Value, Option<Reg>>,
    /// The stand-in for the register of each constant that was asked for.
    constants: BTreeMap<Constant, Reg>,
    /// By region: the variables whose addresses serve for what is near.
    anchors: BTreeMap<u32, Vec<SymbolId>>,
    /// The frame object of each slot that is named.
    objects: Arena<Slot, Option<Object>>,
    /// Where each block starts.
    heads: Arena<Block, Option<mir::Block>>,
    /// Blocks that hold the moves of a jump that is one of several of its block.
    edges: BTreeMap<(Block, Vec<Value>), mir::Block>,
    /// Blocks that follow the head of the current block, last first.
    tails: Vec<mir::Block>,
    /// The current block from its end, in reverse.
    done: Vec<Inst>,
    /// What the current instruction became, in order.
    seq: Vec<Inst>,
    /// Location of the current instruction.
    loc: SrcLoc,
}

/// How the upper bits of a register must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// They do not matter.
    Any,
    /// Zero.
    Zext,
    /// Copies of the sign.
    Sext,
}

impl Selector<'_> {
    /// Makes an object of each slot that is named: the others are gone, and may be many.
    fn objects(&mut self) {
        let named = self.f.named_slots();
        for (slot, data) in self.f.slots.iter().filter(|&(slot, _)| named[slot]) {
            self.objects[slot] = Some(self.out.objects.push(ObjectData {
                size: data.size,
                align: match data.size {
                    8.. => 8,
                    // Programs access small arrays as words too.
                    4.. => data.align.clamp(4, 8),
                    _ => data.align.clamp(1, 8),
                },
                name: data.name.clone(),
                loc: data.loc,
                place: None,
            }));
        }
    }

    /// The frame object of a slot.
    fn object(&self, slot: Slot) -> Object {
        self.objects[slot].expect("a slot that is used is named")
    }

    fn function(&mut self, rpo: &[Block]) {
        for &block in rpo {
            let head = self.out.new_block();
            self.heads[block] = Some(head);
        }
        let mut order = Vec::new();
        for &block in rpo.iter().rev() {
            self.block(block, Some(block) == rpo.first().copied());
            order.append(&mut self.tails);
            order.push(self.head(block));
        }
        order.reverse();
        self.out.order = order;
    }

    fn head(&self, block: Block) -> mir::Block {
        self.heads[block].expect("blocks that are jumped to are reachable")
    }

    fn block(&mut self, block: Block, entry: bool) {
        let insts = &self.f.blocks[block].insts;
        for &inst in insts.iter().rev() {
            self.loc = self.f.locs[inst];
            self.inst(&self.f.insts[inst], self.f.result(inst));
            self.flush();
        }
        let params = &self.f.blocks[block].params;
        self.loc = insts.first().map_or(SrcLoc::NONE, |&inst| self.f.locs[inst]);
        if entry {
            self.entry_params(params);
        }
        for &param in params {
            if let Some(reg) = self.regs[param] {
                self.fix(param, reg);
            }
        }
        self.flush();
        let head = self.head(block);
        self.out.blocks[head].insts = self.done.drain(..).rev().collect();
    }

    fn entry_params(&mut self, params: &[Value]) {
        for (&param, &number) in params.iter().zip(&ARGS) {
            if let Some(dst) = self.regs[param] {
                self.emit(Op::Mov { dst, src: Reg::phys(number) });
            }
        }
        if params.len() > ARGS.len() {
            let name = &self.module.symbols[self.f.symbol].name;
            self.limit(format!("`{name}` has more than 5 parameters"));
        }
    }

    /// Moves what the current instruction became to the block.
    fn flush(&mut self) {
        self.done.extend(self.seq.iter().rev());
        self.seq.clear();
    }

    /// Ends the part of the block that is done as a block of its own and returns it.
    fn split(&mut self) -> mir::Block {
        debug_assert!(self.seq.is_empty(), "the instruction so far would be lost");
        let block = self.out.new_block();
        self.out.blocks[block].insts = self.done.drain(..).rev().collect();
        self.tails.push(block);
        block
    }

    fn emit(&mut self, op: Op) {
        self.seq.push(Inst { op, loc: self.loc, core: None });
    }

    fn emit_core(&mut self, op: Op, core: Option<CoreId>) {
        self.seq.push(Inst { op, loc: self.loc, core });
    }

    fn limit(&mut self, message: String) {
        self.limits.push(Limit::new(self.loc, message));
    }

    fn new_reg(&mut self) -> Reg {
        self.out.new_reg()
    }

    fn value(&self, value: Value) -> Value {
        self.f.resolve(value)
    }

    fn ty(&self, value: Value) -> Type {
        self.f.ty(value)
    }

    /// The register for the result of the current instruction, if anyone asked for it.
    fn wanted(&self, result: Option<Value>) -> Option<Reg> {
        result.and_then(|result| self.regs[result])
    }

    /// The register that holds a value, as it was made.
    fn reg(&mut self, value: Value) -> Reg {
        let value = self.facts.root(self.value(value));
        if let Some(constant) = self.constant(value) {
            return self.constant_reg(constant);
        }
        match self.regs[value] {
            Some(reg) => reg,
            None => {
                let reg = self.new_reg();
                self.regs[value] = Some(reg);
                reg
            }
        }
    }

    /// The stand-in for a constant's register.
    fn constant_reg(&mut self, constant: Constant) -> Reg {
        match self.constants.get(&constant) {
            Some(&reg) => reg,
            None => {
                let reg = self.new_reg();
                self.constants.insert(constant, reg);
                reg
            }
        }
    }

    /// What to put into a register for a value that is a constant or an address.
    fn constant(&self, value: Value) -> Option<Constant> {
        match *self.f.def(value)? {
            InstData::Const { ty, value: constant } => {
                Some(Constant::number(self.facts.content(value, ty, constant, self.cpu), self.cpu))
            }
            InstData::SymbolAddr { symbol, offset } => Some(Constant::Symbol(symbol, offset)),
            InstData::SlotAddr { slot, offset } => Some(Constant::Frame(self.object(slot), offset)),
            InstData::Intrinsic { op: Intrinsic::FrameAddress, .. } => Some(Constant::FramePointer),
            _ => None,
        }
    }

    /// A register that holds a value with its upper bits in this form.
    fn reg_as(&mut self, value: Value, form: Form) -> Reg {
        let value = self.value(value);
        let ty = self.ty(value);
        let bits = ty.bits() as u8;
        if form == Form::Any || bits >= 64 {
            return self.reg(value);
        }
        if let Some(constant) = self.f.constant(value) {
            let content = if form == Form::Zext { constant } else { ty.sign_extend(constant) as u64 };
            return self.constant_reg(Constant::number(content, self.cpu));
        }
        let known = self.facts.known(value);
        let src = self.reg(value);
        let right = match form {
            Form::Any => true,
            Form::Zext => known.unsigned <= bits,
            Form::Sext => known.signed <= bits,
        };
        if right {
            return src;
        }
        let dst = self.new_reg();
        self.extend(dst, src, bits, form, Width::W64);
        dst
    }

    /// An immediate if the value is a constant that fits, else a register of this form.
    fn operand(&mut self, value: Value, form: Form) -> Src {
        match self.immediate(value, form) {
            Some(imm) => Src::Imm(imm),
            None => Src::Reg(self.reg_as(value, form)),
        }
    }

    /// The value as an immediate, sign-extended to 64 bits, whose register would have this form.
    fn immediate(&self, value: Value, form: Form) -> Option<i32> {
        let ty = self.ty(value);
        let constant = self.f.constant(value)?;
        let content = if form == Form::Zext { constant } else { ty.sign_extend(constant) as u64 };
        i32::try_from(content as i64).ok()
    }

    /// `dst` becomes the value; constants go there directly. The upper bits are as the value's
    /// register has them.
    fn set(&mut self, dst: Reg, value: Value) {
        let value = self.facts.root(self.value(value));
        match self.constant(value) {
            Some(constant) => self.emit(constant.op(dst)),
            None => {
                let src = self.reg(value);
                self.emit(Op::Mov { dst, src });
            }
        }
    }

    /// `dst` becomes the value, with upper bits that a caller or callee accepts.
    fn set_any(&mut self, dst: Reg, value: Value) {
        match self.immediate(value, Form::Any) {
            Some(imm) => self.emit(Op::MovImm { width: Width::W64, dst, imm }),
            None => self.set(dst, value),
        }
    }

    /// `dst = extended src`; `width` is the width that must be right.
    fn extend(&mut self, dst: Reg, src: Reg, bits: u8, form: Form, width: Width) {
        match form {
            Form::Any => self.copy(dst, src),
            Form::Zext if bits == 32 && self.cpu >= Cpu::V3 => self.emit(Op::Zext { dst, src }),
            Form::Zext if bits < 32 => {
                self.copy(dst, src);
                self.alu_imm(Width::W64, AluOp::And, dst, (1 << bits) - 1);
            }
            Form::Zext => self.shift_pair(dst, src, 64 - bits, Width::W64, AluOp::Rsh),
            Form::Sext if self.cpu >= Cpu::V4 && bits >= 8 => {
                self.emit(Op::MovSx { width, bits, dst, src });
            }
            Form::Sext => self.shift_pair(dst, src, width.bits() as u8 - bits, width, AluOp::Arsh),
        }
    }

    fn shift_pair(&mut self, dst: Reg, src: Reg, count: u8, width: Width, back: AluOp) {
        self.copy(dst, src);
        self.alu_imm(width, AluOp::Lsh, dst, i32::from(count));
        self.alu_imm(width, back, dst, i32::from(count));
    }

    fn copy(&mut self, dst: Reg, src: Reg) {
        if dst != src {
            self.emit(Op::Mov { dst, src });
        }
    }

    fn alu_imm(&mut self, width: Width, op: AluOp, dst: Reg, imm: i32) {
        self.emit(Op::Alu { width, op, dst, src: Src::Imm(imm) });
    }

    /// Extends a value in place where it is made, if [`Facts`] decided so.
    fn fix(&mut self, value: Value, reg: Reg) {
        let form = match self.facts.fix(value) {
            Fix::None => return,
            Fix::Zext => Form::Zext,
            Fix::Sext => Form::Sext,
        };
        // What was only copied here is extended on the way.
        let src = match self.seq.last() {
            Some(&Inst { op: Op::Mov { dst, src }, .. }) if dst == reg => {
                self.seq.pop();
                src
            }
            _ => reg,
        };
        self.extend(reg, src, self.ty(value).bits() as u8, form, Width::W64);
    }

    fn inst(&mut self, data: &InstData, result: Option<Value>) {
        let dst = self.wanted(result);
        // These end a block, so what follows them comes first.
        let splits = matches!(data, InstData::Compare { .. } | InstData::Select { .. });
        if let (true, Some(dst), Some(result)) = (splits, dst, result) {
            self.fix(result, dst);
            self.flush();
        }
        match data {
            // Constants are put into registers where they are read.
            InstData::Const { .. } | InstData::SymbolAddr { .. } | InstData::SlotAddr { .. } => {}
            InstData::Core { ty, core } => self.core(dst, *ty, *core),
            InstData::Unary { op, arg } => self.unary(dst, *op, *arg),
            InstData::Binary { op, args } => self.binary(dst, *op, *args),
            InstData::PtrAdd { base, offset } => self.ptr_add(dst, *base, *offset),
            InstData::Convert { op, arg, ty } => self.convert(dst, result, *op, *arg, *ty),
            InstData::Compare { .. } => self.compare_value(dst, result),
            InstData::Select { cond, args } => self.select(dst, *cond, *args),
            InstData::Load { base, offset, flags, .. } => {
                self.load(dst, result, *base, *offset, flags.volatile);
            }
            InstData::Store { value, base, offset, .. } => self.store(*value, *base, *offset),
            InstData::AtomicRmw { op, base, offset, value } => {
                self.atomic(dst, *op, *base, *offset, *value);
            }
            InstData::AtomicCmpXchg { base, offset, expected, new } => {
                self.compare_exchange(dst, *base, *offset, *expected, *new);
            }
            InstData::Call { callee, args, .. } => self.call(dst, *callee, args),
            InstData::Intrinsic { op, args, .. } => self.intrinsic(dst, *op, args),
            InstData::Asm { asm, args, targets } => self.asm(asm, args, targets, result),
            InstData::Jump { target } => self.jump(target),
            InstData::Branch { cond, then, els } => self.branch(*cond, then, els),
            InstData::Switch { .. } => self.unsupported_end("a `switch` that was not expanded"),
            InstData::Return { value } => self.ret(*value),
            InstData::Unreachable => self.unreachable(),
        }
        if let (false, Some(dst), Some(result)) = (splits, dst, result) {
            self.fix(result, dst);
        }
    }

    fn core(&mut self, dst: Option<Reg>, ty: Type, core: CoreId) {
        let Some(dst) = dst else { return };
        let (value, is_offset) = (self.module.cores[core].local, self.module.cores[core].is_offset());
        let op = match (ty, i32::try_from(value)) {
            (Type::I64 | Type::Ptr, Ok(imm)) if is_offset => Op::MovImm { width: Width::W64, dst, imm },
            // Enumerators and type ids of the kernel may have any 64-bit value.
            (Type::I64 | Type::Ptr, _) => Op::Imm64 { dst, value },
            (Type::I1 | Type::I8 | Type::I16 | Type::I32, _) => {
                Op::MovImm { width: Width::W64, dst, imm: value as i32 }
            }
        };
        self.emit_core(op, Some(core));
    }

    fn unary(&mut self, dst: Option<Reg>, op: UnaryOp, arg: Value) {
        let Some(dst) = dst else { return };
        let ty = self.ty(arg);
        let width = width_of(ty, self.cpu);
        let src = self.reg(arg);
        match op {
            UnaryOp::Neg => {
                self.copy(dst, src);
                self.emit(Op::Neg { width, dst });
            }
            UnaryOp::Not => {
                self.copy(dst, src);
                self.alu_imm(width, AluOp::Xor, dst, if ty == Type::I1 { 1 } else { -1 });
            }
            UnaryOp::Bswap => {
                self.copy(dst, src);
                self.byte_swap(dst, ty.bits() as u8);
            }
        }
    }

    fn convert(&mut self, dst: Option<Reg>, result: Option<Value>, op: ConvertOp, arg: Value, ty: Type) {
        let (Some(dst), Some(_)) = (dst, result) else { return };
        let from = self.ty(arg).bits() as u8;
        let src = self.reg(arg);
        match op {
            ConvertOp::Zext => self.extend(dst, src, from, Form::Zext, Width::W64),
            ConvertOp::Sext => self.extend(dst, src, from, Form::Sext, width_of(ty, self.cpu)),
            // Only a fix makes these more than another name.
            ConvertOp::Trunc | ConvertOp::PtrToInt | ConvertOp::IntToPtr => self.copy(dst, src),
        }
    }

    fn call(&mut self, dst: Option<Reg>, callee: Callee, args: &[Value]) {
        let (callee, local) = match callee {
            Callee::Helper(number) => (mir::Callee::Helper(number as i32), false),
            Callee::Func(symbol) => (mir::Callee::Func(symbol), self.module.definition(symbol).is_some()),
            Callee::Indirect(_) => {
                self.limit("a call through a pointer that is not known".into());
                return;
            }
        };
        if args.len() > ARGS.len() {
            self.limit("a call with more than 5 arguments".into());
            return;
        }
        // Extensions come first: they must not run while argument registers are taken.
        let form = if local { Form::Any } else { Form::Zext };
        let sources: Vec<Option<Reg>> = args
            .iter()
            .map(|&arg| {
                let root = self.facts.root(self.value(arg));
                self.constant(root).is_none().then(|| self.reg_as(arg, form))
            })
            .collect();
        for ((&arg, source), &number) in args.iter().zip(sources).zip(&ARGS) {
            let dst = Reg::phys(number);
            match source {
                Some(src) => self.emit(Op::Mov { dst, src }),
                None => self.set_any(dst, arg),
            }
        }
        self.emit(Op::Call { callee, args: args.len() as u8, returns: dst.is_some() });
        if let Some(dst) = dst {
            self.emit(Op::Mov { dst, src: Reg::phys(Phys::R0) });
        }
    }

    fn intrinsic(&mut self, dst: Option<Reg>, op: Intrinsic, args: &[Value]) {
        match op {
            // Another name, unless it has a fix.
            Intrinsic::Opaque => {
                if let (Some(dst), Some(&arg)) = (dst, args.first()) {
                    self.set(dst, arg);
                }
            }
            // Selection keeps the order of accesses anyway; the frame address is a constant.
            Intrinsic::Fence | Intrinsic::FrameAddress => {}
            Intrinsic::CastAddressSpace => {
                if let (Some(dst), [pointer, spaces]) = (dst, args) {
                    let spaces = self.f.constant(self.value(*spaces)).unwrap_or_default() as i32;
                    let src = self.reg(*pointer);
                    self.emit(Op::CastSpace { dst, src, spaces });
                }
            }
            // Its register is written by the assembly itself.
            Intrinsic::AsmResult => {}
            Intrinsic::ConstantP
            | Intrinsic::Memcpy
            | Intrinsic::Memmove
            | Intrinsic::Memset
            | Intrinsic::Memcmp
            | Intrinsic::Strlen
            | Intrinsic::Strcmp
            | Intrinsic::Clz
            | Intrinsic::Ctz
            | Intrinsic::Popcount
            | Intrinsic::Trap
            | Intrinsic::Wide
            | Intrinsic::Float
            | Intrinsic::ReturnAddress
            | Intrinsic::OddArgument
            | Intrinsic::OddAtomic
            | Intrinsic::VarArgs => {
                let what = match op.unsupported() {
                    Some(what) => what.to_string(),
                    None => format!("a `{op}` that could not be expanded"),
                };
                self.limit(what);
            }
        }
    }
}

/// The registers of arguments.
const ARGS: [Phys; 5] = [Phys::R1, Phys::R2, Phys::R3, Phys::R4, Phys::R5];
