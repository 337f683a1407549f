//! Text of machine IR, for dumps.
//!
//! ```text
//! bb0:
//!   %0 = r1
//!   %1 = *(u32 *)(%0 + 4)
//!   if %1 > 5 goto bb1 else bb2
//! ```

use std::fmt::{self, Display, Formatter, Write};

use skep_stdlib::isa::{AtomicOp, Size, Width};

use super::{Addr, Base, Callee, Func, Inst, Op, Reg, Src};
use crate::ir::Module;

/// The function as text.
pub fn print(func: &Func, module: &Module) -> String {
    let mut out = String::new();
    let name = &module.symbols[func.symbol].name;
    // Writing to a String cannot fail.
    let _ = writeln!(out, "function {name} {{");
    for (object, data) in func.objects.iter() {
        let _ = write!(out, "  {object}: {} bytes align {}", data.size, data.align);
        if let Some(place) = data.place {
            let _ = write!(out, " at {place}");
        }
        let _ = writeln!(out, " {}", if data.name.is_empty() { "(spill)" } else { &data.name });
    }
    for &block in &func.order {
        let _ = writeln!(out, "{block}:");
        for inst in &func.blocks[block].insts {
            let _ = writeln!(out, "  {}", InstText { inst, module });
        }
    }
    out.push_str("}\n");
    out
}

struct InstText<'a> {
    inst: &'a Inst,
    module: &'a Module,
}

impl Display for InstText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.op(f)?;
        if let Some(core) = self.inst.core {
            write!(f, "  ; {}", self.module.cores[core].text)?;
        }
        Ok(())
    }
}

impl InstText<'_> {
    fn op(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.inst.op {
            Op::Alu { width, op, dst, src } => {
                write!(f, "{} {} {}", Wide(width, dst), op.symbol(), operand(width, src))
            }
            Op::Mov { dst, src } => write!(f, "{dst} = {src}"),
            Op::Zext { dst, src } => write!(f, "{dst} = (u32){src}"),
            Op::MovImm { width, dst, imm } => write!(f, "{} = {imm}", Wide(width, dst)),
            Op::Imm64 { dst, value } => write!(f, "{dst} = {value:#x} ll"),
            Op::Symbol { dst, symbol, addend } => {
                write!(f, "{dst} = @{}", self.module.symbols[symbol].name)?;
                if addend != 0 {
                    write!(f, "{addend:+}")?;
                }
                f.write_str(" ll")
            }
            Op::Frame { dst, object, off } => write!(f, "{dst} = &{object}{off:+}"),
            Op::FramePointer { dst } => write!(f, "{dst} = r10"),
            Op::MovSx { width, bits, dst, src } => write!(f, "{} = (s{bits}){src}", Wide(width, dst)),
            Op::CastSpace { dst, src, spaces } => write!(f, "{dst} = addr_space_cast({src}, {spaces:#x})"),
            Op::Neg { width, dst } => write!(f, "{0} = -{0}", Wide(width, dst)),
            Op::Swap { kind, bits, dst } => write!(f, "{dst} = {}{bits} {dst}", kind.symbol()),
            Op::Load { size, signed, dst, addr } => {
                let sign = if signed { 's' } else { 'u' };
                write!(f, "{dst} = *({sign}{} *){}", bits(size), AddrText(addr))
            }
            Op::Store { size, addr, src } => {
                write!(f, "*(u{} *){} = {}", bits(size), AddrText(addr), operand(Width::W64, src))
            }
            Op::Atomic { size, op, addr, src } => self.atomic(f, size, op, addr, src),
            Op::Call { callee, args, returns } => {
                f.write_str("call ")?;
                match callee {
                    Callee::Helper(number) => write!(f, "{number}")?,
                    Callee::Func(symbol) => write!(f, "@{}", self.module.symbols[symbol].name)?,
                }
                write!(f, "/{args}{}", if returns { " -> r0" } else { "" })
            }
            Op::Asm { text, uses, defs, clobbers } => {
                write!(f, "{text} reads {uses:b} writes {defs:b} destroys {clobbers:b}")
            }
            Op::AsmGoto { text, uses, clobbers, next, to } => {
                write!(f, "{text} reads {uses:b} destroys {clobbers:b} goto {to} else {next}")
            }
            Op::Jump { to } => write!(f, "goto {to}"),
            Op::Branch { width, cond, dst, src, then, els } => {
                let symbol = cond.symbol();
                write!(f, "if {} {symbol} {} goto {then} else {els}", Wide(width, dst), operand(width, src))
            }
            Op::End => f.write_str("end"),
            Op::Exit { value } => f.write_str(if value { "exit r0" } else { "exit" }),
        }
    }

    fn atomic(&self, f: &mut Formatter<'_>, size: Size, op: AtomicOp, addr: Addr, src: Reg) -> fmt::Result {
        write!(f, "lock *(u{} *){} {} {src}", bits(size), AddrText(addr), op.symbol())
    }
}

fn bits(size: Size) -> u32 {
    size.bytes() * 8
}

/// A register with `:32` when only its lower half counts.
struct Wide(Width, Reg);

impl Display for Wide {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Width::W64 => write!(f, "{}", self.1),
            Width::W32 => write!(f, "{}:32", self.1),
        }
    }
}

fn operand(width: Width, src: Src) -> String {
    match src {
        Src::Reg(reg) => Wide(width, reg).to_string(),
        Src::Imm(imm) => imm.to_string(),
    }
}

struct AddrText(Addr);

impl Display for AddrText {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.base {
            Base::Reg(reg) => write!(f, "({reg} {:+})", self.0.off),
            Base::Frame(object) => write!(f, "({object} {:+})", self.0.off),
        }
    }
}
