//! One instruction of the text form.

use std::sync::Arc;

use super::{Parser, alignment, error, result};
use crate::ir::asm::{Asm, AsmOperand};
use crate::ir::entities::Value;
use crate::ir::inst::{
    AtomicOp, BinaryOp, BlockCall, Callee, Compare, ConvertOp, InstData, Intrinsic, MemFlags, SwitchCase,
    Type, UnaryOp,
};
use crate::ir::scan::{Cursor, Result, Token};

pub(super) fn value(c: &mut Cursor) -> Result<Value> {
    c.entity("v", "a value like `v1`")
}

/// `v1, v2`
fn two_values(c: &mut Cursor) -> Result<[Value; 2]> {
    let first = value(c)?;
    c.expect(',')?;
    Ok([first, value(c)?])
}

fn call(c: &mut Cursor) -> Result<BlockCall> {
    let block = c.entity("block", "a block like `block1`")?;
    let args = if c.eat('(') { c.list(')', value)? } else { Vec::new() };
    Ok(BlockCall { block, args: args.into() })
}

/// ` align 4 volatile`
fn flags(c: &mut Cursor) -> Result<MemFlags> {
    c.expect_word("align")?;
    let align = alignment(c)?;
    Ok(MemFlags { align, volatile: c.eat_word("volatile") })
}

/// The type of the result when the instruction itself says it.
pub(super) fn own_type(data: &InstData) -> Option<Type> {
    match data {
        InstData::Const { ty, .. }
        | InstData::Core { ty, .. }
        | InstData::Convert { ty, .. }
        | InstData::Load { ty, .. } => Some(*ty),
        InstData::SymbolAddr { .. } | InstData::SlotAddr { .. } | InstData::PtrAdd { .. } => Some(Type::Ptr),
        InstData::Compare { .. } => Some(Type::I1),
        InstData::Call { ret, .. } => *ret,
        InstData::Intrinsic { op: Intrinsic::Opaque, .. } => None,
        InstData::Intrinsic { ty, .. } => *ty,
        InstData::Asm { asm, .. } => asm.results().next(),
        InstData::Unary { .. }
        | InstData::Binary { .. }
        | InstData::Select { .. }
        | InstData::AtomicRmw { .. }
        | InstData::AtomicCmpXchg { .. }
        | InstData::Store { .. }
        | InstData::Jump { .. }
        | InstData::Branch { .. }
        | InstData::Switch { .. }
        | InstData::Return { .. }
        | InstData::Unreachable => None,
    }
}

/// The operand whose type the result has, when there is one.
pub(super) fn type_operand(data: &InstData) -> Option<Value> {
    match data {
        InstData::Unary { arg, .. } => Some(*arg),
        InstData::Binary { args, .. } | InstData::Select { args, .. } => Some(args[0]),
        InstData::AtomicRmw { value, .. } => Some(*value),
        InstData::AtomicCmpXchg { expected, .. } => Some(*expected),
        InstData::Intrinsic { op: Intrinsic::Opaque, args, .. } => args.first().copied(),
        _ => None,
    }
}

/// One instruction after `v1 = `.
pub(super) fn instruction(parser: &Parser, c: &mut Cursor, stored: &mut Option<Type>) -> Result<InstData> {
    let position = c.position();
    let opcode = c.word("an instruction")?;
    let (name, suffix) = match opcode.split_once('.') {
        Some((name, suffix)) => match Type::from_name(suffix) {
            Some(ty) => (name, Some(ty)),
            None => return error(position, format!("`{suffix}` is not a type")),
        },
        None => (opcode.as_str(), None),
    };
    let typed = || match suffix {
        Some(ty) => Ok(ty),
        None => error(position, format!("`{name}` needs a type, like `{name}.i32`")),
    };
    if let Some(op) = BinaryOp::from_name(name) {
        return Ok(InstData::Binary { op, args: two_values(c)? });
    }
    if let Some(op) = UnaryOp::from_name(name) {
        return Ok(InstData::Unary { op, arg: value(c)? });
    }
    if let Some(op) = ConvertOp::from_name(name) {
        return Ok(InstData::Convert { op, ty: typed()?, arg: value(c)? });
    }
    if let Some(op) = Intrinsic::from_name(name) {
        c.expect('(')?;
        let args = c.list(')', value)?;
        return Ok(InstData::Intrinsic { op, args: args.into(), ty: result(c)? });
    }
    if let Some(op) = name.strip_prefix("atomic_").and_then(AtomicOp::from_name) {
        let (base, offset) = (value(c)?, c.offset()?);
        c.expect(',')?;
        return Ok(InstData::AtomicRmw { op, base, offset, value: value(c)? });
    }
    match name {
        "iconst" => Ok(InstData::Const { ty: typed()?, value: constant(c)? }),
        "addr" => Ok(InstData::SymbolAddr { symbol: parser.symbol(c)?, offset: c.offset()? }),
        "slot_addr" => Ok(InstData::SlotAddr { slot: c.entity("s", "a slot")?, offset: c.offset()? }),
        "core" => Ok(InstData::Core { ty: typed()?, core: c.entity("core", "a relocation")? }),
        "ptr_add" => {
            let [base, offset] = two_values(c)?;
            Ok(InstData::PtrAdd { base, offset })
        }
        "icmp" => {
            let op = c.known("a comparison", Compare::from_name)?;
            Ok(InstData::Compare { op, args: two_values(c)? })
        }
        "select" => {
            let cond = value(c)?;
            c.expect(',')?;
            Ok(InstData::Select { cond, args: two_values(c)? })
        }
        "load" => {
            let ty = typed()?;
            Ok(InstData::Load { ty, base: value(c)?, offset: c.offset()?, flags: flags(c)? })
        }
        "store" => {
            *stored = suffix;
            let [value, base] = two_values(c)?;
            Ok(InstData::Store { value, base, offset: c.offset()?, flags: flags(c)? })
        }
        "cmpxchg" => {
            let (base, offset) = (value(c)?, c.offset()?);
            c.expect(',')?;
            let [expected, new] = two_values(c)?;
            Ok(InstData::AtomicCmpXchg { base, offset, expected, new })
        }
        "call" => {
            let callee = callee(parser, c)?;
            c.expect('(')?;
            let args = c.list(')', value)?;
            Ok(InstData::Call { callee, args: args.into(), ret: result(c)? })
        }
        "asm" => assembly(c),
        "jump" | "br" | "switch" | "return" | "unreachable" => terminator(name, c),
        _ => error(position, format!("`{name}` is not an instruction")),
    }
}

/// `asm "text" [out.i64, reg](v1) clobbers 63 effects to block1, block2`
fn assembly(c: &mut Cursor) -> Result<InstData> {
    let template = c.string()?;
    c.expect('[')?;
    let operands = c.list(']', |c| c.known("an operand of assembly", AsmOperand::from_name))?;
    c.expect('(')?;
    let args = c.list(')', value)?;
    let clobbers = if c.eat_word("clobbers") { c.number()? } else { 0 };
    let effects = c.eat_word("effects");
    let mut targets = Vec::new();
    if c.eat_word("to") {
        targets.push(call(c)?);
        while c.eat(',') {
            targets.push(call(c)?);
        }
    }
    Ok(InstData::Asm {
        asm: Arc::new(Asm { template, operands, clobbers, effects }),
        args: args.into(),
        targets: targets.into(),
    })
}

fn terminator(name: &str, c: &mut Cursor) -> Result<InstData> {
    match name {
        "jump" => Ok(InstData::Jump { target: call(c)? }),
        "br" => {
            let cond = value(c)?;
            c.expect(',')?;
            let then = call(c)?;
            c.expect(',')?;
            Ok(InstData::Branch { cond, then, els: call(c)? })
        }
        "switch" => {
            let value = value(c)?;
            c.expect(',')?;
            let default = call(c)?;
            c.expect('[')?;
            let cases = c.list(']', |c| {
                let lo = constant(c)?;
                let hi = if c.eat('.') { constant(c)? } else { lo };
                c.expect(':')?;
                Ok(SwitchCase { lo, hi, target: call(c)? })
            })?;
            Ok(InstData::Switch { value, cases: cases.into(), default })
        }
        "return" => {
            let value = if c.is_entity("v") { Some(value(c)?) } else { None };
            Ok(InstData::Return { value })
        }
        _ => Ok(InstData::Unreachable),
    }
}

fn callee(parser: &Parser, c: &mut Cursor) -> Result<Callee> {
    if c.eat_word("helper") {
        return Ok(Callee::Helper(c.number()?));
    }
    match c.peek() {
        Some(Token::Name(..)) => Ok(Callee::Func(parser.symbol(c)?)),
        _ => Ok(Callee::Indirect(value(c)?)),
    }
}

/// A 64-bit constant, signed or unsigned.
fn constant(c: &mut Cursor) -> Result<u64> {
    if let Some(Token::Number { value, .. }) = c.peek()
        && *value < 0
    {
        return c.number::<i64>().map(|v| v as u64);
    }
    c.number()
}
