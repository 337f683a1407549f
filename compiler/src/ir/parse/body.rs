//! The body of a function in the text form.
//!
//! Instructions are read first and typed afterwards, because a use may stand before its definition.

use super::inst::{instruction, own_type, type_operand, value};
use super::{Parser, Position, alignment, error, ty};
use crate::ir::entities::{Arena, Block, Slot, SrcLoc, SymbolId, Value};
use crate::ir::function::{BlockData, Function, Signature, SlotData, Unroll, ValueData, ValueDef};
use crate::ir::inst::{InstData, Type};
use crate::ir::module::Module;
use crate::ir::scan::{Cursor, Result, Token};

/// One instruction as read, before the types of its operands are known.
struct RawInst {
    block: Block,
    result: Option<Value>,
    data: InstData,
    /// The type written after `store.`.
    stored: Option<Type>,
    loc: SrcLoc,
    position: Position,
}

/// The body of a function while it is read.
pub(super) struct Body {
    blocks: Arena<Block, Option<BlockData>>,
    order: Vec<Block>,
    slots: Arena<Slot, SlotData>,
    /// Types of block parameters and, when known, of results.
    types: Arena<Value, Option<Type>>,
    /// The instruction that defines a value, by index in `insts`.
    defs: Arena<Value, Option<usize>>,
    insts: Vec<RawInst>,
    n_cores: usize,
    n_locs: usize,
}

impl Body {
    pub fn new(module: &Module) -> Body {
        Body {
            blocks: Arena::new(),
            order: Vec::new(),
            slots: Arena::new(),
            types: Arena::new(),
            defs: Arena::new(),
            insts: Vec::new(),
            n_cores: module.cores.len(),
            n_locs: module.locs.len(),
        }
    }

    pub fn line(&mut self, parser: &Parser, c: &mut Cursor) -> Result<()> {
        if c.is_entity("s") {
            return self.slot(c);
        }
        if c.is_entity("block") {
            return self.block_head(c);
        }
        let position = c.position();
        let Some(&block) = self.order.last() else {
            return c.expected("a block like `block0:`");
        };
        let mut result = None;
        if c.is_entity("v") {
            let v = value(c)?;
            c.expect('=')?;
            self.define(v, None, position)?;
            result = Some(v);
        }
        let mut stored = None;
        let data = instruction(parser, c, &mut stored)?;
        if let InstData::Core { core, .. } = data
            && core.index() >= self.n_cores
        {
            return error(position, format!("`{core}` is not defined"));
        }
        let loc = self.location(c)?;
        if let Some(v) = result {
            self.types[v] = own_type(&data);
            self.defs[v] = Some(self.insts.len());
        }
        self.insts.push(RawInst { block, result, data, stored, loc, position });
        Ok(())
    }

    fn location(&self, c: &mut Cursor) -> Result<SrcLoc> {
        if !c.eat('!') {
            return Ok(SrcLoc::NONE);
        }
        let position = c.position();
        let loc: SrcLoc = c.entity("loc", "a location")?;
        if loc.index() >= self.n_locs {
            return error(position, format!("`{loc}` is not defined"));
        }
        Ok(loc)
    }

    fn slot(&mut self, c: &mut Cursor) -> Result<()> {
        let position = c.position();
        let slot: Slot = c.entity("s", "a slot")?;
        c.expect('=')?;
        c.expect_word("slot")?;
        let size = c.number()?;
        c.expect_word("align")?;
        let align = alignment(c)?;
        let name = if matches!(c.peek(), Some(Token::Text(_))) { c.string()? } else { String::new() };
        let loc = self.location(c)?;
        if slot.index() < self.slots.len() {
            return error(position, "slots are numbered in increasing order");
        }
        self.slots.cover(slot, SlotData { size: 0, align: 1, name: String::new(), loc: SrcLoc::NONE });
        self.slots[slot] = SlotData { size, align, name, loc };
        Ok(())
    }

    fn block_head(&mut self, c: &mut Cursor) -> Result<()> {
        let position = c.position();
        let block: Block = c.entity("block", "a block")?;
        self.blocks.cover(block, None);
        if self.blocks[block].is_some() {
            return error(position, format!("`{block}` is defined twice"));
        }
        let mut data = BlockData::default();
        if c.eat('(') {
            data.params = c.list(')', |c| {
                let position = c.position();
                let v = value(c)?;
                c.expect(':')?;
                let ty = ty(c)?;
                self.define(v, Some(ty), position)?;
                Ok(v)
            })?;
        }
        if c.eat_word("nounroll") {
            data.unroll = Unroll::Never;
        } else if c.eat_word("unroll") {
            let counted = matches!(c.peek(), Some(Token::Number { .. }));
            data.unroll = if counted { Unroll::Count(c.number()?) } else { Unroll::Full };
        }
        c.expect(':')?;
        self.blocks[block] = Some(data);
        self.order.push(block);
        Ok(())
    }

    fn define(&mut self, v: Value, ty: Option<Type>, position: Position) -> Result<()> {
        self.types.cover(v, None);
        self.defs.cover(v, None);
        if self.types[v].is_some() || self.defs[v].is_some() {
            return error(position, format!("`{v}` is defined twice"));
        }
        self.types[v] = ty;
        Ok(())
    }

    /// Finds the types of results that are those of an operand, following the operands.
    fn infer_types(&mut self) -> Result<()> {
        for start in 0..self.insts.len() {
            let mut chain = Vec::new();
            let mut at = self.insts[start].result;
            while let Some(v) = at {
                if self.types[v].is_some() {
                    break;
                }
                let Some(inst) = self.defs[v].map(|i| &self.insts[i]) else { break };
                if chain.len() > self.insts.len() {
                    return error(inst.position, format!("`{v}` is computed from itself"));
                }
                chain.push(v);
                at = type_operand(&inst.data);
            }
            let Some(ty) = at.and_then(|v| self.types[v]) else {
                if chain.is_empty() {
                    continue;
                }
                return error(self.insts[start].position, "this instruction has no result");
            };
            for v in chain {
                self.types[v] = Some(ty);
            }
        }
        Ok(())
    }

    /// Every id exists.
    fn check(&self) -> Result<()> {
        for inst in &self.insts {
            let mut missing = None;
            inst.data.for_each_operand(|v| {
                if self.types.get(v).is_none_or(|ty| ty.is_none())
                    && self.defs.get(v).is_none_or(|d| d.is_none())
                {
                    missing.get_or_insert(v);
                }
            });
            if let Some(v) = missing {
                return error(inst.position, format!("`{v}` is not defined"));
            }
            for target in inst.data.targets() {
                if self.blocks.get(target.block).is_none_or(Option::is_none) {
                    return error(inst.position, format!("`{}` is not defined", target.block));
                }
            }
            if let InstData::SlotAddr { slot, .. } = inst.data
                && self.slots.get(slot).is_none()
            {
                return error(inst.position, format!("`{slot}` is not defined"));
            }
        }
        Ok(())
    }

    pub fn finish(mut self, symbol: SymbolId, sig: Signature, position: Position) -> Result<Function> {
        if self.order.is_empty() {
            return error(position, "the function has no block");
        }
        self.check()?;
        self.infer_types()?;
        let mut f = Function::new(symbol, sig);
        f.order = self.order;
        f.slots = self.slots;
        f.blocks = Arena::new();
        for data in self.blocks.values() {
            f.blocks.push(data.clone().unwrap_or_default());
        }
        // A number that no line defines is the result of an instruction outside all blocks.
        f.values = Arena::new();
        let unused = f.make_inst(InstData::Const { ty: Type::I64, value: 0 }, SrcLoc::NONE);
        f.values = Arena::new();
        for ty in self.types.values() {
            f.values.push(ValueData { ty: ty.unwrap_or(Type::I64), def: ValueDef::Inst(unused) });
        }
        f.detach_result(unused);
        for &block in &f.order {
            for (i, &param) in f.blocks[block].params.iter().enumerate() {
                f.values[param].def = ValueDef::Param(block, i as u32);
            }
        }
        for inst in self.insts {
            if f.result_type(&inst.data) != inst.result.map(|v| f.ty(v)) {
                let message = match inst.result {
                    None => "the result of this instruction needs a name",
                    Some(_) => "this instruction has no result",
                };
                return error(inst.position, message);
            }
            if let (InstData::Store { value, .. }, Some(ty)) = (&inst.data, inst.stored)
                && f.ty(*value) != ty
            {
                return error(inst.position, format!("`{value}` is `{}`, not `{ty}`", f.ty(*value)));
            }
            f.append_with_result(inst.block, inst.data, inst.loc, inst.result);
        }
        Ok(f)
    }
}
