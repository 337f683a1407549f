//! One function in SSA form: blocks, instructions, values, stack slots.
//!
//! Blocks own the list of their instructions. An instruction has at most one result. Removing an
//! instruction from its block's list removes it from the function; ids are never reused.
//! [`Function::replace`] makes a value an alias of another; operands keep naming the alias until
//! [`Function::resolve_aliases`] rewrites them, which every pass that replaces does at its end.

use super::entities::{Arena, Block, Entity, Inst, Slot, SrcLoc, SymbolId, Value};
use super::flow::Remembered;
use super::inst::{Callee, InstData, Intrinsic, Targets, Type};
use super::insts::Insts;

/// Types of the parameters and of the result.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[allow(missing_docs)]
pub struct Signature {
    pub params: Vec<Type>,
    pub ret: Option<Type>,
}

/// Where a value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueDef {
    /// The result of an instruction.
    Inst(Inst),
    /// The parameter of a block, by position.
    Param(Block, u32),
    /// Stands for another value until aliases are resolved.
    Alias(Value),
}

/// A value's type and origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct ValueData {
    pub ty: Type,
    pub def: ValueDef,
}

/// A basic block.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct BlockData {
    pub params: Vec<Value>,
    /// In order of execution; the last is the terminator.
    pub insts: Vec<Inst>,
    /// Wish for the loop that this block is the header of.
    pub unroll: Unroll,
}

/// Unrolling wishes of a loop (`#pragma unroll` and friends).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unroll {
    /// Nothing said.
    #[default]
    Auto,
    /// Completely.
    Full,
    /// This many times.
    Count(u32),
    /// Not at all.
    Never,
}

/// A piece of the stack frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlotData {
    /// Bytes; 0 when nothing refers to the slot any more.
    pub size: u32,
    /// Alignment in bytes, a power of two; the frame itself is aligned to 8.
    pub align: u32,
    /// The variable that lives there, for dumps and messages.
    pub name: String,
    /// Where it is declared.
    pub loc: SrcLoc,
}

/// The predecessors of every block: one list, of which each block has a range.
#[derive(Clone, Debug)]
pub struct Preds<B = Block> {
    starts: Vec<u32>,
    list: Vec<B>,
}

impl<B: Entity> Preds<B> {
    /// Turns edges around: those of the blocks in `order`, of `count` that there are. Predecessors come in
    /// this order, once for each edge.
    pub fn new<S: Iterator<Item = B>>(count: usize, order: &[B], successors: impl Fn(B) -> S) -> Preds<B> {
        // Counts, then the ends of the ranges, then their starts as they are filled from the back.
        let mut starts = vec![0u32; count + 1];
        for &block in order {
            successors(block).for_each(|target| starts[target.index()] += 1);
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut list = vec![B::new(0); sum as usize];
        for &block in order.iter().rev() {
            successors(block).for_each(|target| {
                let start = &mut starts[target.index()];
                *start -= 1;
                list[*start as usize] = block;
            });
        }
        Preds { starts, list }
    }
}

impl<B> Default for Preds<B> {
    /// Nothing jumps.
    fn default() -> Preds<B> {
        Preds { starts: Vec::new(), list: Vec::new() }
    }
}

impl<B: Entity> std::ops::Index<B> for Preds<B> {
    type Output = [B];

    fn index(&self, block: B) -> &[B] {
        let range = self.starts.get(block.index()).zip(self.starts.get(block.index() + 1));
        range.map_or(&[], |(&start, &end)| &self.list[start as usize..end as usize])
    }
}

/// A function definition.
#[derive(Clone, PartialEq, Debug)]
pub struct Function {
    /// Its symbol: name, linkage, section.
    pub symbol: SymbolId,
    /// Its signature.
    pub sig: Signature,
    /// Blocks that exist; only those in `order` are part of the function.
    pub blocks: Arena<Block, BlockData>,
    /// Layout order; the first is the entry.
    pub order: Vec<Block>,
    /// All instructions ever made.
    pub insts: Insts,
    /// Location of each instruction.
    pub locs: Arena<Inst, SrcLoc>,
    /// Result of each instruction.
    results: Arena<Inst, Option<Value>>,
    /// All values ever made.
    pub values: Arena<Value, ValueData>,
    /// Stack slots.
    pub slots: Arena<Slot, SlotData>,
    /// Operands may be aliases: something was replaced since [`Function::resolve_aliases`].
    aliases: bool,
    pub(super) flow: Remembered,
}

impl Function {
    /// The symbols that it names, in order, with repetition.
    pub fn named(&self) -> impl Iterator<Item = SymbolId> + '_ {
        let insts = self.order.iter().flat_map(|&block| &self.blocks[block].insts);
        insts.filter_map(|&inst| match &self.insts[inst] {
            InstData::Call { callee: Callee::Func(symbol), .. } | InstData::SymbolAddr { symbol, .. } => {
                Some(*symbol)
            }
            _ => None,
        })
    }

    /// A function with an entry block whose parameters are the function's.
    pub fn new(symbol: SymbolId, sig: Signature) -> Function {
        let mut f = Function {
            symbol,
            sig,
            blocks: Arena::new(),
            order: Vec::new(),
            insts: Insts::default(),
            locs: Arena::new(),
            results: Arena::new(),
            values: Arena::new(),
            slots: Arena::new(),
            aliases: false,
            flow: Remembered::default(),
        };
        let entry = f.add_block();
        for ty in f.sig.params.clone() {
            f.add_param(entry, ty);
        }
        f
    }

    /// The entry block.
    pub fn entry(&self) -> Block {
        self.order[0]
    }

    /// A new block at the end of the layout.
    pub fn add_block(&mut self) -> Block {
        let block = self.blocks.push(BlockData::default());
        self.order.push(block);
        block
    }

    /// A new parameter at the end of a block's list.
    pub fn add_param(&mut self, block: Block, ty: Type) -> Value {
        let position = self.blocks[block].params.len() as u32;
        let value = self.values.push(ValueData { ty, def: ValueDef::Param(block, position) });
        self.blocks[block].params.push(value);
        value
    }

    /// A new instruction that is in no block yet, with its result value if it has one.
    pub fn make_inst(&mut self, mut data: InstData, loc: SrcLoc) -> Inst {
        data.normalize();
        let ty = self.result_type(&data);
        let inst = self.insts.push(data);
        self.locs.push(loc);
        let result = ty.map(|ty| self.values.push(ValueData { ty, def: ValueDef::Inst(inst) }));
        self.results.push(result);
        inst
    }

    /// Makes room for so many more instructions.
    pub fn reserve(&mut self, count: usize) {
        self.insts.reserve(count);
        self.locs.reserve(count);
        self.results.reserve(count);
        self.values.reserve(count);
    }

    /// Appends an instruction to a block.
    pub fn append(&mut self, block: Block, data: InstData, loc: SrcLoc) -> Inst {
        let inst = self.make_inst(data, loc);
        self.blocks[block].insts.push(inst);
        inst
    }

    /// Makes an instruction outside all blocks one without a result.
    pub(super) fn detach_result(&mut self, inst: Inst) {
        self.results[inst] = None;
    }

    /// Appends an instruction whose result, if it has one, is a value that exists already: how the
    /// text form is read.
    pub(super) fn append_with_result(
        &mut self,
        block: Block,
        mut data: InstData,
        loc: SrcLoc,
        result: Option<Value>,
    ) {
        data.normalize();
        let inst = self.insts.push(data);
        self.locs.push(loc);
        self.results.push(result);
        self.blocks[block].insts.push(inst);
        if let Some(result) = result {
            self.values[result].def = ValueDef::Inst(inst);
        }
    }

    /// Appends an instruction that has a result and returns the result.
    pub fn append_value(&mut self, block: Block, data: InstData, loc: SrcLoc) -> Value {
        let inst = self.append(block, data, loc);
        self.result(inst).expect("the instruction has a result")
    }

    /// The result of an instruction.
    pub fn result(&self, inst: Inst) -> Option<Value> {
        self.results[inst]
    }

    /// Replaces what an instruction does; its result keeps its id, so the type must not change.
    pub fn set_inst(&mut self, inst: Inst, mut data: InstData) {
        data.normalize();
        debug_assert_eq!(
            self.result_type(&data),
            self.results[inst].map(|v| self.values[v].ty),
            "the result of {inst} changes its type"
        );
        self.insts.set(inst, data);
    }

    /// Type of a value.
    pub fn ty(&self, value: Value) -> Type {
        self.values[value].ty
    }

    /// The instruction that computes a value, if one does.
    pub fn def(&self, value: Value) -> Option<&InstData> {
        match self.values[value].def {
            ValueDef::Inst(inst) => Some(&self.insts[inst]),
            ValueDef::Param(..) => None,
            ValueDef::Alias(to) => self.def(to),
        }
    }

    /// The constant a value is, truncated to its type.
    pub fn constant(&self, value: Value) -> Option<u64> {
        match self.def(value) {
            Some(InstData::Const { ty, value }) => Some(value & ty.mask()),
            _ => None,
        }
    }

    /// Makes every use of `value` a use of `with`.
    pub fn replace(&mut self, value: Value, with: Value) {
        let with = self.resolve(with);
        debug_assert_ne!(self.resolve(value), with, "{value} would become its own alias");
        debug_assert_eq!(self.ty(value), self.ty(with), "{value} and {with} differ in type");
        self.values[value].def = ValueDef::Alias(with);
        self.aliases = true;
    }

    /// The value an alias stands for.
    pub fn resolve(&self, value: Value) -> Value {
        resolve(&self.values, value)
    }

    /// No operand is an alias any more: all have been resolved one by one.
    pub fn aliases_are_resolved(&mut self) {
        self.aliases = false;
    }

    /// Rewrites all operands to what their aliases stand for.
    pub fn resolve_aliases(&mut self) {
        if !std::mem::take(&mut self.aliases) {
            return;
        }
        let Function { order, blocks, insts, values, .. } = self;
        for &inst in order.iter().flat_map(|&block| &blocks[block].insts) {
            insts.map_operands(inst, |v| resolve(values, v));
        }
    }

    /// Rewrites the operands of one instruction to what their aliases stand for. Whether one was an alias.
    pub fn resolve_operands(&mut self, inst: Inst) -> bool {
        if !self.aliases {
            return false;
        }
        let mut stale = false;
        self.insts[inst].for_each_operand(|v| stale |= matches!(self.values[v].def, ValueDef::Alias(_)));
        if stale {
            let Function { insts, values, .. } = self;
            insts.map_operands(inst, |v| resolve(values, v));
        }
        stale
    }

    /// Which slots any instruction names.
    pub fn named_slots(&self) -> Arena<Slot, bool> {
        let mut named = Arena::filled(&self.slots, false);
        for &inst in self.order.iter().flat_map(|&block| &self.blocks[block].insts) {
            if let InstData::SlotAddr { slot, .. } = self.insts[inst] {
                named[slot] = true;
            }
        }
        named
    }

    /// The terminator of a block; `None` only while the block is being built.
    pub fn terminator(&self, block: Block) -> Option<Inst> {
        self.blocks[block].insts.last().copied().filter(|&inst| self.insts[inst].is_terminator())
    }

    /// What the branch at the end of a block asks, and the target where it holds: of a branch with two different
    /// targets, where the edge that is taken says which it is.
    pub fn branch(&self, block: Block) -> Option<(Value, Block)> {
        let InstData::Branch { cond, then, els } = &self.insts[self.terminator(block)?] else { return None };
        (then.block != els.block).then_some((*cond, then.block))
    }

    /// The jumps that leave a block, in order.
    #[inline]
    pub fn successors(&self, block: Block) -> Targets<'_> {
        self.blocks[block].insts.last().map(|&inst| self.insts[inst].targets()).unwrap_or_default()
    }

    /// Blocks that jump to each block, in layout order, once for each jump.
    pub fn predecessors(&self) -> Preds {
        Preds::new(self.blocks.len(), &self.order, |block| self.successors(block).map(|call| call.block))
    }

    /// How many jumps lead to each block.
    pub fn ways_into_blocks(&self) -> Arena<Block, u32> {
        let mut ways = Arena::filled(&self.blocks, 0);
        for &block in &self.order {
            self.successors(block).for_each(|call| ways[call.block] += 1);
        }
        ways
    }

    /// The type of the result that this instruction would have in this function.
    pub fn result_type(&self, data: &InstData) -> Option<Type> {
        match data {
            InstData::Const { ty, .. }
            | InstData::Core { ty, .. }
            | InstData::Convert { ty, .. }
            | InstData::Load { ty, .. } => Some(*ty),
            InstData::SymbolAddr { .. } | InstData::SlotAddr { .. } | InstData::PtrAdd { .. } => {
                Some(Type::Ptr)
            }
            InstData::Unary { arg, .. } => Some(self.ty(*arg)),
            InstData::Binary { args, .. } | InstData::Select { args, .. } => Some(self.ty(args[0])),
            InstData::Compare { .. } => Some(Type::I1),
            InstData::AtomicRmw { value, .. } => Some(self.ty(*value)),
            InstData::AtomicCmpXchg { expected, .. } => Some(self.ty(*expected)),
            InstData::Call { ret, .. } => *ret,
            InstData::Intrinsic { op: Intrinsic::Opaque, args, .. } => args.first().map(|&v| self.ty(v)),
            InstData::Intrinsic { ty, .. } => *ty,
            InstData::Asm { asm, .. } => asm.results().next(),
            InstData::Store { .. }
            | InstData::Jump { .. }
            | InstData::Branch { .. }
            | InstData::Switch { .. }
            | InstData::Return { .. }
            | InstData::Unreachable => None,
        }
    }

    /// Symbols of the functions called directly, in order, with repetition.
    pub fn callees(&self) -> impl Iterator<Item = SymbolId> + '_ {
        let insts = self.order.iter().flat_map(|&block| &self.blocks[block].insts);
        insts.filter_map(|&inst| match self.insts[inst] {
            InstData::Call { callee: Callee::Func(symbol), .. } => Some(symbol),
            _ => None,
        })
    }
}

/// The value that one stands for.
fn resolve(values: &Arena<Value, ValueData>, mut value: Value) -> Value {
    while let ValueDef::Alias(to) = values[value].def {
        value = to;
    }
    value
}
