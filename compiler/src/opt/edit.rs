//! Rewriting a function instruction by instruction, and counting uses.
//!
//! In: a function and a closure. [`rewrite`] walks the blocks in layout order and shows the closure
//! every instruction with its operands resolved; the closure emits new instructions before it and
//! says what becomes of it. Invariant: what is emitted has the location of the instruction that it
//! stands for, so a replacement inherits the place in the source of what it replaces.

use crate::ir::flow::goes_down;
use crate::ir::{
    Arena, BinaryOp, Block, Compare, ConvertOp, Function, Inst, InstData, SrcLoc, Type, UnaryOp, Value,
};

/// What becomes of an instruction.
pub enum Edit {
    /// It stays, perhaps changed in place.
    Keep,
    /// Its result is this value; it goes.
    Replace(Value),
    /// It has no result that anyone uses; it goes.
    Remove,
}

/// Emits instructions before the one that is being rewritten.
pub struct Editor<'f> {
    /// The function.
    pub f: &'f mut Function,
    /// The block that is being rewritten.
    pub block: Block,
    /// Location of what is emitted.
    pub loc: SrcLoc,
    out: Vec<Inst>,
    changed: bool,
}

impl Editor<'_> {
    /// Emits an instruction that has a result.
    pub fn emit(&mut self, data: InstData) -> Value {
        let inst = self.effect(data);
        self.f.result(inst).expect("an instruction with a result is emitted")
    }

    /// Emits an instruction for its effect.
    pub fn effect(&mut self, data: InstData) -> Inst {
        let inst = self.f.make_inst(data, self.loc);
        self.f.resolve_operands(inst);
        self.out.push(inst);
        self.changed = true;
        inst
    }

    /// Replaces what `inst` does; its result stays.
    pub fn set(&mut self, inst: Inst, data: InstData) {
        self.f.set_inst(inst, data);
        self.f.resolve_operands(inst);
        self.changed = true;
    }

    /// A constant.
    pub fn iconst(&mut self, ty: Type, value: u64) -> Value {
        self.emit(InstData::Const { ty, value: value & ty.mask() })
    }

    /// Two-operand arithmetic.
    pub fn binary(&mut self, op: BinaryOp, a: Value, b: Value) -> Value {
        self.emit(InstData::Binary { op, args: [a, b] })
    }

    /// Arithmetic with a constant on the right.
    pub fn binary_imm(&mut self, op: BinaryOp, a: Value, imm: u64) -> Value {
        let b = self.iconst(self.f.ty(a), imm);
        self.binary(op, a, b)
    }

    /// One-operand arithmetic.
    pub fn unary(&mut self, op: UnaryOp, arg: Value) -> Value {
        self.emit(InstData::Unary { op, arg })
    }

    /// A comparison.
    pub fn compare(&mut self, op: Compare, a: Value, b: Value) -> Value {
        self.emit(InstData::Compare { op, args: [a, b] })
    }

    /// A conversion; none when the type is right already.
    pub fn convert(&mut self, op: ConvertOp, ty: Type, arg: Value) -> Value {
        if self.f.ty(arg) == ty { arg } else { self.emit(InstData::Convert { op, ty, arg }) }
    }

    /// `base + offset` with a constant offset; `base` itself when the offset is 0.
    pub fn offset(&mut self, base: Value, offset: i64) -> Value {
        if offset == 0 {
            return base;
        }
        let offset = self.iconst(Type::I64, offset as u64);
        self.emit(InstData::PtrAdd { base, offset })
    }
}

/// Shows every instruction to `edit`, in layout order. Returns whether anything changed.
pub fn rewrite(f: &mut Function, mut edit: impl FnMut(&mut Editor<'_>, Inst) -> Edit) -> bool {
    // Values are replaced before they are used then: those who use them see what they stand for.
    let in_order = goes_down(f);
    let mut changed = false;
    let mut room = Vec::new();
    for block in f.order.clone() {
        let mut insts = std::mem::take(&mut f.blocks[block].insts);
        let mut editor = Editor { f, block, loc: SrcLoc::NONE, out: room, changed: false };
        // So many stay where they are: all before the first edit.
        let mut kept = 0;
        for (at, &inst) in insts.iter().enumerate() {
            editor.f.resolve_operands(inst);
            editor.loc = editor.f.locs[inst];
            match edit(&mut editor, inst) {
                Edit::Keep if kept == at && editor.out.is_empty() => kept += 1,
                Edit::Keep => editor.out.push(inst),
                Edit::Replace(with) => {
                    if let Some(result) = editor.f.result(inst) {
                        editor.f.replace(result, with);
                    }
                    editor.changed = true;
                }
                Edit::Remove => editor.changed = true,
            }
        }
        let Editor { mut out, changed: here, .. } = editor;
        insts.truncate(kept);
        insts.append(&mut out);
        f.blocks[block].insts = insts;
        room = out;
        changed |= here;
    }
    match in_order {
        true => f.aliases_are_resolved(),
        false if changed => f.resolve_aliases(),
        false => {}
    }
    changed
}

/// Emits instructions at the end of a block that has no terminator yet.
pub fn append<T>(f: &mut Function, block: Block, loc: SrcLoc, emit: impl FnOnce(&mut Editor<'_>) -> T) -> T {
    let out = std::mem::take(&mut f.blocks[block].insts);
    let mut editor = Editor { f, block, loc, out, changed: false };
    let result = emit(&mut editor);
    let Editor { out, .. } = editor;
    f.blocks[block].insts = out;
    result
}

/// How often each value is an operand.
pub fn use_counts(f: &Function) -> Arena<Value, u32> {
    let mut uses = Arena::filled(&f.values, 0);
    for &block in &f.order {
        for &inst in &f.blocks[block].insts {
            f.insts[inst].for_each_operand(|v| uses[v] += 1);
        }
    }
    uses
}

/// The block of each instruction that is in one.
pub fn inst_blocks(f: &Function) -> Arena<Inst, Option<Block>> {
    let mut blocks = Arena::filled(&f.insts, None);
    for &block in &f.order {
        for &inst in &f.blocks[block].insts {
            blocks[inst] = Some(block);
        }
    }
    blocks
}

/// How many instructions are in blocks.
pub fn size(f: &Function) -> usize {
    f.order.iter().map(|&block| f.blocks[block].insts.len()).sum()
}

/// How many instructions of the machine it becomes, roughly.
pub fn cost(data: &InstData) -> usize {
    match data {
        InstData::Const { .. }
        | InstData::SymbolAddr { .. }
        | InstData::SlotAddr { .. }
        | InstData::Convert { .. }
        | InstData::Jump { .. }
        | InstData::Unreachable => 0,
        InstData::Call { args, .. } => 2 + args.len(),
        InstData::Switch { cases, .. } => 1 + cases.len(),
        InstData::Asm { asm, .. } => asm.template.lines().count(),
        InstData::Core { .. }
        | InstData::Unary { .. }
        | InstData::Binary { .. }
        | InstData::PtrAdd { .. }
        | InstData::Compare { .. }
        | InstData::Select { .. }
        | InstData::Load { .. }
        | InstData::Store { .. }
        | InstData::AtomicRmw { .. }
        | InstData::AtomicCmpXchg { .. }
        | InstData::Intrinsic { .. }
        | InstData::Branch { .. }
        | InstData::Return { .. } => 1,
    }
}
