//! What a translation must know of a program's shape before it emits anything: where functions
//! begin, which registers they must save, which instructions are jumped to.
//!
//! In: the instructions. A function is the code from one entry to the next. If control leaves a
//! function other than by a call or a return, which only unverified programs do, all functions
//! get the same frame, so that it does not matter whose end is reached.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use skep_stdlib::isa::{AtomicOp, CallTarget, Imm64, Insn, Operand, Reg};

use crate::object::Program;

/// Rounds after which every function is given a frame.
const MAX_ROUNDS: u32 = 16;

/// A function as far as its frame is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Function {
    /// First slot.
    pub start: u32,
    /// Slot after the last.
    pub end: u32,
    /// The registers `r6` to `r9` that it writes, as bits.
    pub saves: u8,
    /// Whether it calls anything.
    pub calls: bool,
    /// Whether it counts rounds of `may_goto`.
    pub counts: bool,
    /// Whether it, or what it calls, uses its stack.
    pub frame: bool,
}

/// The shape of one program.
pub struct Flow {
    /// Its functions, ascending, without gaps.
    pub functions: Vec<Function>,
    /// By slot: may control come here other than from the instruction before?
    pub is_leader: Vec<bool>,
}

impl Flow {
    /// Looks at all instructions.
    pub fn of(program: &Program) -> Flow {
        let len = program.code.len();
        let mut is_leader = vec![false; len as usize];
        let mut entries: BTreeSet<u32> = program.functions.iter().map(|function| function.start).collect();
        entries.insert(0);
        for (slot, insn) in program.code.iter() {
            if let Some(target) = jump_target(slot, insn)
                && let Some(leader) = is_leader.get_mut(target as usize)
            {
                *leader = true;
            }
            entries.extend(called(slot, insn).filter(|&slot| program.code.at(slot).is_some()));
        }
        let starts: Vec<u32> = entries.into_iter().filter(|&start| start < len.max(1)).collect();
        let ends = starts.iter().skip(1).copied().chain([len]);
        let mut functions: Vec<Function> =
            starts.iter().zip(ends).map(|(&start, end)| function(program, start, end)).collect();
        if functions.iter().any(|function| leaves(program, function)) {
            let saves = functions.iter().fold(0, |saves, function| saves | function.saves);
            let counts = functions.iter().any(|function| function.counts);
            for function in &mut functions {
                *function = Function { saves, counts, calls: true, frame: true, ..*function };
            }
        }
        find_frames(program, &mut functions);
        Flow { functions, is_leader }
    }

    /// The function that begins at `slot`.
    pub fn at(&self, slot: u32) -> Option<usize> {
        self.functions.binary_search_by_key(&slot, |function| function.start).ok()
    }
}

/// Where a jump leads; past the end of the program if nowhere.
pub fn jump_target(slot: u32, insn: &Insn) -> Option<u32> {
    insn.jump().map(|off| relative(slot, off))
}

/// The slot at this distance from the instruction after `slot`; out of range, there is none.
pub fn relative(slot: u32, off: i32) -> u32 {
    u32::try_from(i64::from(slot) + 1 + i64::from(off)).unwrap_or(u32::MAX)
}

/// The function that an instruction calls or takes the address of.
fn called(slot: u32, insn: &Insn) -> Option<u32> {
    if let Insn::Call(CallTarget::Local(off)) | Insn::LoadImm64 { value: Imm64::Func(off), .. } = insn {
        Some(relative(slot, *off))
    } else {
        None
    }
}

/// The register that an instruction writes besides `r0` to `r5` at calls.
pub fn written(insn: &Insn) -> Option<Reg> {
    match *insn {
        Insn::Alu { dst, .. }
        | Insn::Mov { dst, .. }
        | Insn::MovSx { dst, .. }
        | Insn::Neg { dst, .. }
        | Insn::Swap { dst, .. }
        | Insn::LoadImm64 { dst, .. }
        | Insn::Load { dst, .. }
        | Insn::LoadAcquire { dst, .. }
        | Insn::AddrSpaceCast { dst, .. } => Some(dst),
        Insn::Atomic { op, src, .. } => match op {
            AtomicOp::Add { fetch }
            | AtomicOp::Or { fetch }
            | AtomicOp::And { fetch }
            | AtomicOp::Xor { fetch } => fetch.then_some(src),
            AtomicOp::Xchg => Some(src),
            AtomicOp::CmpXchg => Some(Reg::R0),
        },
        Insn::LoadAbs { .. } | Insn::LoadInd { .. } | Insn::Call(_) => Some(Reg::R0),
        Insn::Store { .. }
        | Insn::StoreRelease { .. }
        | Insn::Jump { .. }
        | Insn::Branch { .. }
        | Insn::MayGoto { .. }
        | Insn::Exit => None,
    }
}

/// Does the instruction read the frame pointer?
fn uses_frame(insn: &Insn) -> bool {
    let operand = |operand: Operand| operand == Operand::Reg(Reg::FP);
    match *insn {
        Insn::Alu { dst, src, .. } | Insn::Branch { dst, src, .. } => dst == Reg::FP || operand(src),
        Insn::Mov { src, .. } => operand(src),
        Insn::MovSx { src, .. } | Insn::LoadInd { src, .. } | Insn::AddrSpaceCast { src, .. } => {
            src == Reg::FP
        }
        Insn::Neg { dst, .. } | Insn::Swap { dst, .. } => dst == Reg::FP,
        Insn::Load { base, .. } | Insn::LoadAcquire { base, .. } => base == Reg::FP,
        Insn::Store { base, src, .. } => base == Reg::FP || operand(src),
        Insn::Atomic { base, src, .. } | Insn::StoreRelease { base, src, .. } => {
            base == Reg::FP || src == Reg::FP
        }
        // A helper may call back, in the next frame; a function's needs are looked at by itself.
        Insn::Call(target) => !matches!(target, CallTarget::Local(_)),
        Insn::LoadImm64 { .. }
        | Insn::LoadAbs { .. }
        | Insn::Jump { .. }
        | Insn::MayGoto { .. }
        | Insn::Exit => false,
    }
}

/// The instructions of a function with their slots.
pub fn body(program: &Program, start: u32, end: u32) -> impl Iterator<Item = (u32, &Insn)> {
    (start..end).filter_map(move |slot| Some((slot, program.code.at(slot)?)))
}

fn function(program: &Program, start: u32, end: u32) -> Function {
    let mut found = Function { start, end, saves: 0, calls: false, counts: false, frame: false };
    for (_, insn) in body(program, start, end) {
        if let Some(number @ 6..=9) = written(insn).map(Reg::number) {
            found.saves |= 1 << (number - 6);
        }
        found.calls |= matches!(insn, Insn::Call(_));
        found.counts |= matches!(insn, Insn::MayGoto { .. });
        found.frame |= uses_frame(insn);
    }
    found
}

/// May control leave the function by a jump or past its end?
fn leaves(program: &Program, function: &Function) -> bool {
    let Function { start, end, .. } = *function;
    let mut last = None;
    for (slot, insn) in body(program, start, end) {
        if jump_target(slot, insn).is_some_and(|target| !(start..end).contains(&target)) {
            return true;
        }
        last = Some(insn);
    }
    !last.is_some_and(|insn| matches!(insn, Insn::Exit | Insn::Jump { .. }))
}

/// A function whose callees need their stack needs its own frame pointer kept.
fn find_frames(program: &Program, functions: &mut [Function]) {
    for _ in 0..MAX_ROUNDS {
        let mut changed = false;
        // Callees mostly follow their callers.
        for index in (0..functions.len()).rev() {
            let Some(&Function { start, end, frame: false, .. }) = functions.get(index) else { continue };
            let callee_needs = body(program, start, end).any(|(slot, insn)| {
                let callee = match insn {
                    Insn::Call(CallTarget::Local(off)) => relative(slot, *off),
                    _ => return false,
                };
                let at = functions.binary_search_by_key(&callee, |function| function.start);
                at.map_or(true, |at| functions.get(at).is_none_or(|function| function.frame))
            });
            if callee_needs && let Some(function) = functions.get_mut(index) {
                function.frame = true;
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
    // No sane program nests so deep.
    functions.iter_mut().for_each(|function| function.frame = true);
}
