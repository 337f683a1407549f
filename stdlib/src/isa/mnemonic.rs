//! The assembler dialect with mnemonics, which ubpf and the bpf_conformance cases use.
//!
//! ```text
//! ldxdw %r0, [%r1+8]        r0 = *(u64 *)(r1 + 8)
//! jne32 %r0, 5, fail        if w0 != 5 goto fail
//! lock fetch add [%r10-8], %r1
//! ```
//! Names come from the opcode table: [`Row::mnemonic`] and a suffix for width or size.

use alloc::string::String;
use alloc::vec::Vec;

use super::asm::{AsmError, AsmErrorKind, Parsed, Statement, Target, run};
use super::cursor::Cursor;
use super::decode::{Slot, one_slot};
use super::*;

/// Assembles a program in this dialect.
pub fn assemble(text: &str) -> Result<Vec<Insn>, AsmError> {
    run(text, "", statement)?.without_symbols()
}

/// What follows the stem of a mnemonic.
fn suffix(form: Form) -> &'static str {
    let size_suffix = |size| match size {
        Size::B => "b",
        Size::H => "h",
        Size::W => "w",
        Size::DW => "dw",
    };
    match form {
        Form::Alu(Width::W32, ..)
        | Form::Mov(Width::W32, _)
        | Form::Neg(Width::W32)
        | Form::Branch(Width::W32, ..)
        | Form::Jump { long: true }
        | Form::Atomic(Size::W, _) => "32",
        Form::MovSx(Width::W32, 8) => "832",
        Form::MovSx(Width::W32, _) => "1632",
        Form::MovSx(Width::W64, 8) => "864",
        Form::MovSx(Width::W64, 16) => "1664",
        Form::MovSx(Width::W64, _) => "3264",
        Form::Swap(_, 16) => "16",
        Form::Swap(_, 32) => "32",
        Form::Swap(..) => "64",
        Form::Load(size, _)
        | Form::Store(size, _)
        | Form::LoadAcquire(size)
        | Form::StoreRelease(size)
        | Form::LoadAbs(size)
        | Form::LoadInd(size) => size_suffix(size),
        Form::Alu(..)
        | Form::Mov(..)
        | Form::Neg(_)
        | Form::Branch(..)
        | Form::Jump { .. }
        | Form::Atomic(..)
        | Form::LoadImm64(_)
        | Form::AddrSpaceCast
        | Form::MayGoto
        | Form::Call(_)
        | Form::Exit => "",
    }
}

/// The first row with this name among atomic or among all other operations.
fn find(name: &str, atomic: bool) -> Parsed<Form> {
    let named = |row: &&Row| {
        matches!(row.form, Form::Atomic(..)) == atomic
            && name.strip_prefix(row.mnemonic) == Some(suffix(row.form))
    };
    let row = ROWS.iter().find(named).ok_or(AsmErrorKind::Expected("a mnemonic"))?;
    Ok(row.form)
}

fn statement<'a>(c: &mut Cursor<'a>) -> Parsed<Statement<'a>> {
    let word = c.word();
    let form = match word {
        "lock" => {
            let mut name = String::new();
            if c.eat_word("fetch") {
                name.push_str("fetch_");
            }
            name.push_str(c.word());
            find(&name, true)?
        }
        "call" => return call(c),
        _ => match word.strip_prefix("swap") {
            Some(bits) => find(&alloc::format!("bswap{bits}"), false)?,
            None => find(word, false)?,
        },
    };
    let (form, slot, target) = operands(c, form)?;
    if let Form::LoadImm64(_) = form {
        let dst = Reg::new(slot.dst).ok_or(AsmErrorKind::NoSuchOperation)?;
        let value = c.number()?;
        let value = u64::try_from(value).or(i64::try_from(value).map(|value| value as u64));
        let value = Imm64::Const(value.map_err(|_| AsmErrorKind::Range)?);
        return Ok((Insn::LoadImm64 { dst, value }, None));
    }
    let insn = one_slot(form, &slot).map_err(|_| AsmErrorKind::NoSuchOperation)?;
    Ok((insn, target))
}

fn call<'a>(c: &mut Cursor<'a>) -> Parsed<Statement<'a>> {
    if c.eat("%") {
        return Ok((Insn::Call(CallTarget::Reg(c.reg64()?)), None));
    }
    if c.eat_word("local") {
        return Ok((Insn::Call(CallTarget::Local(0)), Some(c.target()?)));
    }
    Ok((Insn::Call(CallTarget::Helper(c.narrow()?)), None))
}

fn reg(c: &mut Cursor<'_>) -> Parsed<u8> {
    c.expect("%")?;
    c.reg64().map(Reg::number)
}

/// `[%r1+8]`.
fn place(c: &mut Cursor<'_>) -> Parsed<(u8, i16)> {
    c.expect("[")?;
    let base = reg(c)?;
    let off = c.offset()?.try_into().map_err(|_| AsmErrorKind::Range)?;
    c.expect("]")?;
    Ok((base, off))
}

/// A register or an immediate, whichever is written.
fn source(c: &mut Cursor<'_>, slot: &mut Slot) -> Parsed<Source> {
    if c.eat("%") {
        slot.src = c.reg64()?.number();
        return Ok(Source::Reg);
    }
    slot.imm = c.imm()?;
    Ok(Source::Imm)
}

/// Reads the operands of a form; which source it has shows only now.
fn operands<'a>(c: &mut Cursor<'a>, form: Form) -> Parsed<(Form, Slot, Option<Target<'a>>)> {
    let mut slot = Slot::default();
    let mut target = None;
    let mut form = form;
    match &mut form {
        Form::Alu(_, _, from) | Form::Mov(_, from) => {
            slot.dst = reg(c)?;
            c.expect(",")?;
            *from = source(c, &mut slot)?;
        }
        Form::MovSx(..) => {
            slot.dst = reg(c)?;
            c.expect(",")?;
            slot.src = reg(c)?;
        }
        Form::Neg(_) | Form::Swap(..) => slot.dst = reg(c)?,
        Form::LoadImm64(_) => {
            slot.dst = reg(c)?;
            c.expect(",")?;
        }
        Form::Load(..) | Form::LoadAcquire(_) => {
            slot.dst = reg(c)?;
            c.expect(",")?;
            (slot.src, slot.off) = place(c)?;
        }
        Form::Store(_, Source::Imm) => {
            (slot.dst, slot.off) = place(c)?;
            c.expect(",")?;
            slot.imm = c.imm()?;
        }
        Form::Store(_, Source::Reg) | Form::Atomic(..) | Form::StoreRelease(_) => {
            (slot.dst, slot.off) = place(c)?;
            c.expect(",")?;
            slot.src = reg(c)?;
        }
        Form::Jump { .. } | Form::MayGoto => target = Some(c.target()?),
        Form::Branch(_, _, from) => {
            slot.dst = reg(c)?;
            c.expect(",")?;
            *from = source(c, &mut slot)?;
            c.expect(",")?;
            target = Some(c.target()?);
        }
        Form::Exit => {}
        Form::LoadAbs(_) | Form::LoadInd(_) | Form::AddrSpaceCast | Form::Call(_) => {
            return Err(AsmErrorKind::Expected("a mnemonic of this dialect"));
        }
    }
    Ok((form, slot, target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn agrees_with_pseudo_c() {
        let pairs = [
            ("ldxdw %r0, [%r1+8]", "r0 = *(u64 *)(r1 + 8)"),
            ("ldxsw %r0, [%r1]", "r0 = *(s32 *)(r1 + 0)"),
            ("stb [%r10-1], 0xff", "*(u8 *)(r10 - 1) = 255"),
            ("stxw [%r10-4], %r3", "*(u32 *)(r10 - 4) = r3"),
            ("jne32 %r0, 0xffffff80, +1", "if w0 != -128 goto +1"),
            ("jsge %r0, %r1, -2", "if r0 s>= r1 goto -2"),
            ("lock fetch add32 [%r10-8], %r1", "w1 = atomic_fetch_add((u32 *)(r10 - 8), w1)"),
            ("lock cmpxchg [%r10-8], %r1", "r0 = cmpxchg_64(r10 - 8, r0, r1)"),
            ("movsx1632 %r2, %r1", "w2 = (s16)w1"),
            ("swap32 %r2", "r2 = bswap32 r2"),
            ("lddw %r0, 0x1122334455667788", "r0 = 1234605616436508552 ll"),
            ("neg32 %r2", "w2 = -w2"),
            ("ja32 +7", "gotol +7"),
            ("call local +2", "call pc+2"),
            ("call %r2", "callx r2"),
        ];
        for (mnemonic, pseudo_c) in pairs {
            let insns = assemble(mnemonic).unwrap_or_else(|e| panic!("{mnemonic}: {e}"));
            assert_eq!(insns[0].to_string(), pseudo_c);
        }
    }
}
