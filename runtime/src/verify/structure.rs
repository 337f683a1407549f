//! Control flow before the walk: jumps land on instructions of the same function, control never
//! runs past a function's end, and every instruction can be reached (kernel `check_subprogs`,
//! `check_cfg`).

use alloc::vec::Vec;

use skep_stdlib::isa::{CallTarget, Imm64, Insn};

use super::liveness::ways;
use super::report::Cause;
use crate::object::{Function, Program};

/// Checks a program; an error has the slot of the instruction.
pub fn check(program: &Program) -> Result<(), (u32, Cause)> {
    for function in &program.functions {
        check_function(program, function)?;
    }
    check_reached(program)
}

fn check_function(program: &Program, function: &Function) -> Result<(), (u32, Cause)> {
    let mut last = None;
    let mut slot = function.start;
    while slot < function.end {
        let Some(insn) = program.code.at(slot) else {
            return Err((slot, Cause::BadJump { target: slot.into() }));
        };
        let after = slot + insn.slots() as u32;
        if let (_, Some(next)) = ways(slot, insn) {
            let inside = function.start <= next && next < function.end;
            if !inside || program.code.at(next).is_none() {
                return Err((slot, Cause::BadJump { target: next.into() }));
            }
        }
        last = Some((slot, insn));
        slot = after;
    }
    match last {
        Some((_, Insn::Exit | Insn::Jump { .. })) => Ok(()),
        Some((slot, _)) => Err((slot, Cause::FallsOff {})),
        None => Err((function.start, Cause::FallsOff {})),
    }
}

fn check_reached(program: &Program) -> Result<(), (u32, Cause)> {
    let mut reached = alloc::vec![false; program.code.len() as usize];
    let mut work: Vec<u32> = alloc::vec![0];
    // A function whose address is taken is reached through a callback.
    work.extend(program.functions.iter().map(|function| function.start));
    while let Some(start) = work.pop() {
        let mut next = Some(start);
        while let Some(slot) = next
            && let Some(insn) = program.code.at(slot)
            && !core::mem::replace(&mut reached[slot as usize], true)
        {
            let (on, off) = ways(slot, insn);
            next = on;
            work.extend(off);
            if let Insn::Call(CallTarget::Local(distance))
            | Insn::LoadImm64 { value: Imm64::Func(distance), .. } = insn
            {
                let target = i64::from(slot) + 1 + i64::from(*distance);
                if !program.functions.iter().any(|function| i64::from(function.start) == target) {
                    return Err((slot, Cause::BadJump { target }));
                }
                work.extend(u32::try_from(target));
            }
        }
    }
    match program.code.iter().find(|(slot, _)| !reached[*slot as usize]) {
        Some((slot, _)) => Err((slot, Cause::Unreachable { slot })),
        None => Ok(()),
    }
}
