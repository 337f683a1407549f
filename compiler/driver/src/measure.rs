//! What the functions of an object take: instructions, stack, calls of helpers, and work of the verifier.
//!
//! In: a linked image. Out: a row for each function, in order of the names. Invariant: a function that several
//! programs contain is counted once; the verifier's work belongs to the function where a program starts.

use std::collections::BTreeMap;

use skep_runtime::Image;
use skep_runtime::verify::Verdict;
use skep_stdlib::isa::{AluOp, CallTarget, Insn, Operand, Reg};

/// What one function takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Row {
    /// Units of 8 bytes of its code.
    pub slots: u64,
    /// Bytes of its frame.
    pub stack: u64,
    /// Calls of helpers and of kernel functions.
    pub calls: u64,
    /// What verifying a program that starts here takes; nothing if it is refused.
    pub verified: Option<Work>,
}

/// The verifier's work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Work {
    /// Instructions that it walks.
    pub walked: u64,
    /// States that it keeps.
    pub states: u64,
}

/// Rows by the names of functions.
pub type Rows = BTreeMap<String, Row>;

/// Measures the functions of an image.
pub fn rows(image: &Image, verdicts: &[Verdict]) -> Rows {
    let mut rows = Rows::new();
    for program in &image.programs {
        for function in &program.functions {
            let insns: Vec<Insn> =
                (function.start..function.end).filter_map(|slot| program.code.at(slot)).copied().collect();
            let is_call =
                |insn: &&Insn| matches!(insn, Insn::Call(CallTarget::Helper(_) | CallTarget::Kfunc { .. }));
            let row = rows.entry(function.name.clone()).or_default();
            row.slots = u64::from(function.end - function.start);
            row.stack = stack(&insns);
            row.calls = insns.iter().filter(is_call).count() as u64;
        }
        let verdict = verdicts.iter().find(|verdict| verdict.program == program.name);
        if let (Some(entry), Some(verdict)) = (program.functions.first(), verdict)
            && let (None, Some(row)) = (&verdict.report, rows.get_mut(&entry.name))
        {
            let (walked, states) = (verdict.stats.insns.into(), verdict.stats.states.into());
            row.verified = Some(Work { walked, states });
        }
    }
    rows
}

/// The deepest byte below the frame pointer that is accessed or whose address is taken.
pub fn stack(insns: &[Insn]) -> u64 {
    let mut deepest = 0;
    let mut copy = None;
    for insn in insns {
        let below = match *insn {
            Insn::Load { base: Reg::FP, off, .. }
            | Insn::Store { base: Reg::FP, off, .. }
            | Insn::Atomic { base: Reg::FP, off, .. } => i64::from(off),
            Insn::Alu { op: AluOp::Add, dst, src: Operand::Imm(imm), .. } if copy == Some(dst) => imm.into(),
            _ => 0,
        };
        deepest = deepest.min(below);
        copy = match *insn {
            Insn::Mov { dst, src: Operand::Reg(Reg::FP), .. } => Some(dst),
            _ => None,
        };
    }
    deepest.unsigned_abs()
}
