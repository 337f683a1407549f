//! One function: its slots, its blocks, and the instructions appended to the current one.

use std::collections::BTreeSet;

use skep_syntax::source::Span;

use thin_vec::ThinVec;

use super::place::{Base, Mem};
use super::stmt::Scope;
use super::symbols::{Context, Kind};
use crate::hash::LookupMap;
use crate::hir::{self, FuncId, LabelId, LocalId, SymbolRef};
use crate::ir::{
    Arena, BinaryOp, Block, BlockCall, Compare, ConvertOp, Function, InstData, Intrinsic, LocData, SlotData,
    SrcLoc, SymbolId, Type, UnaryOp, Value, flow,
};
use crate::types::{Layout, TypeId};

/// Source locations of the module, one for each span.
pub(super) struct Locs {
    pub table: Arena<SrcLoc, LocData>,
    known: LookupMap<Span, SrcLoc>,
}

impl Default for Locs {
    fn default() -> Self {
        let mut table = Arena::new();
        let none = table.push(LocData { span: Span::NONE, inlined_at: None });
        Locs { table, known: LookupMap::from_iter([(Span::NONE, none)]) }
    }
}

impl Locs {
    fn get(&mut self, span: Span) -> SrcLoc {
        let table = &mut self.table;
        *self.known.entry(span).or_insert_with(|| table.push(LocData { span, inlined_at: None }))
    }
}

/// Lowers the definition of one function; yields the symbols it refers to as well, in order.
pub(super) fn lower(
    cx: &Context<'_>,
    locs: &mut Locs,
    id: FuncId,
    body: &hir::Body,
) -> (Function, Vec<SymbolRef>) {
    let function = &cx.module.functions[id.index()];
    let f = Function::new(cx.symbol(SymbolRef::Func(id)), cx.signature(function.ty));
    let entry = f.entry();
    let mut lowering = Lowering {
        cx,
        locs,
        refs: Vec::new(),
        referred: BTreeSet::new(),
        f,
        current: Some(entry),
        started: vec![entry],
        loc: SrcLoc::NONE,
        locals: Vec::new(),
        labels: vec![None; body.labels.len()],
        scopes: Vec::new(),
        ret: cx.function_type(function.ty).map_or(TypeId::VOID, |ty| ty.ret),
        result: None,
        naked: function.naked,
    };
    lowering.at(function.span);
    lowering.prologue(body);
    lowering.stmts(&body.block);
    lowering.at(body.end);
    lowering.epilogue();
    lowering.finish()
}

/// A function being lowered.
pub(super) struct Lowering<'a> {
    pub cx: &'a Context<'a>,
    locs: &'a mut Locs,
    /// Symbols that it refers to, in order.
    refs: Vec<SymbolRef>,
    referred: BTreeSet<SymbolRef>,
    pub f: Function,
    /// The block that instructions are appended to; `None` after a terminator.
    current: Option<Block>,
    /// Blocks in the order in which they were begun.
    started: Vec<Block>,
    /// Location of the instructions that follow.
    pub loc: SrcLoc,
    /// Where each local is.
    locals: Vec<Mem>,
    labels: Vec<Option<Block>>,
    /// Loops and switches around the current statement.
    pub scopes: Vec<Scope>,
    /// C type of the result.
    pub ret: TypeId,
    /// Where a result in memory goes.
    pub result: Option<Value>,
    /// The assembly of the body is all there is.
    naked: bool,
}

impl Lowering<'_> {
    /// Sets the location of the instructions that follow and yields the one before.
    pub fn at(&mut self, span: Span) -> SrcLoc {
        let outer = self.loc;
        if span.is_some() {
            self.loc = self.locs.get(span);
        }
        outer
    }

    /// Whether the statement at the current location is one that is compiled as if it were not there.
    pub fn is_passed_over(&self) -> bool {
        let without = self.cx.options.without;
        !without.is_empty() && self.locs.table.get(self.loc).is_some_and(|at| without.contains(&at.span))
    }

    /// Gives every local a place and stores the parameters.
    fn prologue(&mut self, body: &hir::Body) {
        let mut params = self.f.blocks[self.f.entry()].params.clone().into_iter();
        if self.cx.kind(self.ret).in_memory() {
            self.result = params.next();
        }
        for (i, local) in body.locals.iter().enumerate() {
            let layout = self.cx.layout(local.ty);
            let kind = self.cx.kind(local.ty);
            let param = if i < body.n_params as usize { params.next() } else { None };
            if let (true, Some(pointer)) = (kind.in_memory(), param) {
                // The caller's copy is ours.
                self.locals.push(Mem::new(Base::Pointer(pointer), layout.align));
                continue;
            }
            let name = local.name.map_or(String::new(), |name| self.cx.names.name(name).to_string());
            let layout = Layout { align: local.align.max(layout.align), ..layout };
            let mem = self.slot(layout, name, local.span);
            self.locals.push(mem);
            if let Some(value) = param.filter(|_| !self.naked) {
                let outer = self.at(local.span);
                let value = self.narrow(value, kind);
                self.store_scalar(mem, value);
                self.loc = outer;
            }
        }
    }

    /// Control that reaches the closing brace returns; what it returns is not defined.
    fn epilogue(&mut self) {
        if self.current.is_none() {
            return;
        }
        if self.naked {
            return self.end(InstData::Unreachable);
        }
        let value = self.f.sig.ret.map(|ty| self.iconst(ty, 0));
        self.end(InstData::Return { value });
    }

    /// Drops what cannot be reached and orders the blocks as they were begun.
    fn finish(mut self) -> (Function, Vec<SymbolRef>) {
        let mut reachable = Arena::filled(&self.f.blocks, false);
        for block in flow::reverse_post_order(&self.f) {
            reachable[block] = true;
        }
        self.f.order = self.started.into_iter().filter(|&block| reachable[block]).collect();
        (self.f, self.refs)
    }

    /// A new stack slot.
    pub fn slot(&mut self, layout: Layout, name: String, span: Span) -> Mem {
        let size = u32::try_from(layout.size).unwrap_or(u32::MAX);
        let loc = self.locs.get(span);
        // An empty object has an address too, and it must lie in the frame.
        let slot = self.f.slots.push(SlotData { size: size.max(1), align: layout.align.max(1), name, loc });
        Mem::new(Base::Slot(slot), layout.align.max(1))
    }

    /// A new stack slot for a value of this type.
    pub fn temporary(&mut self, ty: TypeId) -> Mem {
        let layout = self.cx.layout(ty);
        self.slot(layout, String::new(), Span::NONE)
    }

    pub fn local(&self, id: LocalId) -> Mem {
        self.locals[id.index()]
    }

    /// The number of a symbol that is now referred to.
    pub fn symbol(&mut self, symbol: SymbolRef) -> SymbolId {
        if self.referred.insert(symbol) {
            self.refs.push(symbol);
        }
        self.cx.symbol(symbol)
    }

    // Blocks.

    pub fn new_block(&mut self) -> Block {
        self.f.add_block()
    }

    /// The block of a label.
    pub fn label(&mut self, id: LabelId) -> Block {
        if let Some(block) = self.labels[id.index()] {
            return block;
        }
        let block = self.new_block();
        self.labels[id.index()] = Some(block);
        block
    }

    /// Instructions go to this block from now on; control falls into it from the current one.
    pub fn begin(&mut self, block: Block) {
        if self.current.is_some() {
            self.jump(block);
        }
        self.current = Some(block);
        self.started.push(block);
    }

    /// The current block. After a terminator it is one that nothing jumps to.
    fn block(&mut self) -> Block {
        match self.current {
            Some(block) => block,
            None => {
                let block = self.new_block();
                self.started.push(block);
                self.current = Some(block);
                block
            }
        }
    }

    /// Ends the current block.
    pub fn end(&mut self, terminator: InstData) {
        let block = self.block();
        self.f.append(block, terminator, self.loc);
        self.current = None;
    }

    pub fn jump(&mut self, block: Block) {
        self.end(InstData::Jump { target: BlockCall::to(block) });
    }

    pub fn jump_with(&mut self, block: Block, arg: Value) {
        self.end(InstData::Jump { target: BlockCall { block, args: [arg].into() } });
    }

    pub fn branch(&mut self, cond: Value, then: Block, els: Block) {
        let call = BlockCall::to;
        self.end(InstData::Branch { cond, then: call(then), els: call(els) });
    }

    /// Ends the current block with a switch that is filled in later; yields where it is.
    pub fn end_with_switch(&mut self, value: Value, default: Block) -> Block {
        let block = self.block();
        let default = BlockCall::to(default);
        self.end(InstData::Switch { value, cases: ThinVec::new(), default });
        block
    }

    // Instructions.

    /// Appends an instruction without a result.
    pub fn effect(&mut self, data: InstData) {
        let block = self.block();
        self.f.append(block, data, self.loc);
    }

    /// Appends an instruction with a result.
    pub fn value(&mut self, data: InstData) -> Value {
        let block = self.block();
        self.f.append_value(block, data, self.loc)
    }

    pub fn ty(&self, value: Value) -> Type {
        self.f.ty(value)
    }

    pub fn iconst(&mut self, ty: Type, value: u64) -> Value {
        self.value(InstData::Const { ty, value })
    }

    pub fn unary(&mut self, op: UnaryOp, arg: Value) -> Value {
        self.value(InstData::Unary { op, arg })
    }

    pub fn binary(&mut self, op: BinaryOp, a: Value, b: Value) -> Value {
        self.value(InstData::Binary { op, args: [a, b] })
    }

    /// `value op constant`
    pub fn binary_const(&mut self, op: BinaryOp, value: Value, constant: u64) -> Value {
        let constant = self.iconst(self.ty(value), constant);
        self.binary(op, value, constant)
    }

    pub fn compare(&mut self, op: Compare, a: Value, b: Value) -> Value {
        self.value(InstData::Compare { op, args: [a, b] })
    }

    pub fn select(&mut self, cond: Value, then: Value, els: Value) -> Value {
        self.value(InstData::Select { cond, args: [then, els] })
    }

    pub fn convert(&mut self, op: ConvertOp, ty: Type, arg: Value) -> Value {
        self.value(InstData::Convert { op, ty, arg })
    }

    pub fn ptr_add(&mut self, base: Value, offset: Value) -> Value {
        self.value(InstData::PtrAdd { base, offset })
    }

    /// An intrinsic with a result.
    pub fn intrinsic(&mut self, op: Intrinsic, args: Vec<Value>, ty: Type) -> Value {
        self.value(InstData::Intrinsic { op, args: args.into(), ty: Some(ty) })
    }

    /// An intrinsic without a result.
    pub fn intrinsic_effect(&mut self, op: Intrinsic, args: Vec<Value>) {
        self.effect(InstData::Intrinsic { op, args: args.into(), ty: None });
    }

    /// A received small integer, cut to its own type.
    pub fn narrow(&mut self, value: Value, kind: Kind) -> Value {
        match kind.scalar() {
            Some(ty) if ty.bits() < self.ty(value).bits() => self.convert(ConvertOp::Trunc, ty, value),
            _ => value,
        }
    }
}
