//! Inline assembly as one instruction of the IR.
//!
//! The text of the statement with its operands numbered, what each operand is, and what the text
//! destroys. The arguments of the instruction are the operands that are not outputs, in order; the
//! first output is its result, the others are read by [`Intrinsic::AsmResult`](super::Intrinsic).
//!
//! In the text `%0` is an operand, `%w0` its 32-bit register, `%l0` a jump target, `%=` a number
//! that no other copy of the text has, and `%%` a percent sign.

use std::fmt;

use super::inst::Type;

/// An assembly statement.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Asm {
    /// The text.
    pub template: String,
    /// Operands as the text numbers them: outputs, inputs, then the old values of outputs.
    pub operands: Vec<AsmOperand>,
    /// Machine registers whose content is lost, one bit each.
    pub clobbers: u16,
    /// Reads or writes memory, or does something else that must not be moved or dropped.
    pub effects: bool,
}

/// What an operand may be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AsmOperand {
    /// `=r`: a register that is written; no argument.
    Out(Type),
    /// `=&r`: the same, written before all inputs are read.
    Early(Type),
    /// `r`: a register.
    Reg,
    /// `0`, or the old value of a `+r`: in the register of this output.
    Tied(u32),
    /// `i`: a constant or the address of a symbol.
    Imm,
    /// `ri`: a constant if it is one, else a register.
    Any,
    /// `m`: the address of an object, named in the text as that object.
    Mem,
}

impl Asm {
    /// Types of the outputs, in order.
    pub fn results(&self) -> impl Iterator<Item = Type> + '_ {
        self.operands.iter().filter_map(|operand| operand.output())
    }

    /// How many operands are arguments of the instruction.
    pub fn arguments(&self) -> usize {
        self.operands.iter().filter(|operand| operand.output().is_none()).count()
    }
}

impl AsmOperand {
    /// The type of an output.
    pub const fn output(self) -> Option<Type> {
        match self {
            AsmOperand::Out(ty) | AsmOperand::Early(ty) => Some(ty),
            AsmOperand::Reg | AsmOperand::Tied(_) | AsmOperand::Imm | AsmOperand::Any | AsmOperand::Mem => {
                None
            }
        }
    }

    /// The operand that is written like this.
    pub fn from_name(name: &str) -> Option<AsmOperand> {
        let (word, rest) = name.split_once('.').unwrap_or((name, ""));
        Some(match word {
            "out" => AsmOperand::Out(Type::from_name(rest)?),
            "early" => AsmOperand::Early(Type::from_name(rest)?),
            "tied" => AsmOperand::Tied(rest.parse().ok()?),
            "reg" => AsmOperand::Reg,
            "imm" => AsmOperand::Imm,
            "any" => AsmOperand::Any,
            "mem" => AsmOperand::Mem,
            _ => return None,
        })
    }
}

impl fmt::Display for AsmOperand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AsmOperand::Out(ty) => write!(f, "out.{ty}"),
            AsmOperand::Early(ty) => write!(f, "early.{ty}"),
            AsmOperand::Tied(output) => write!(f, "tied.{output}"),
            AsmOperand::Reg => f.write_str("reg"),
            AsmOperand::Imm => f.write_str("imm"),
            AsmOperand::Any => f.write_str("any"),
            AsmOperand::Mem => f.write_str("mem"),
        }
    }
}
