//! What a translation must know of a program's shape before it emits anything: where functions
//! begin, which registers they must save, which instructions are jumped to.
//!
//! In: the instructions. A function is the code from one entry to the next. If control leaves a
//! function other than by a call or a return, which only unverified programs do, all functions
//! get the same frame, so that it does not matter whose end is reached.

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
    /// Whether only the host enters it, which has saved its registers.
    pub is_outermost: bool,
}

/// The shape of one program.
pub struct Flow {
    /// Its functions, ascending, without gaps.
    pub functions: Vec<Function>,
    /// By slot: may control come here other than from the instruction before?
    pub is_leader: Vec<bool>,
    /// Slots that are jumped to from there or from behind.
    pub heads: Vec<u32>,
}

/// A call of a function of the program.
#[derive(Clone, Copy)]
struct Call {
    /// Index of the function that calls.
    caller: usize,
    /// First slot of the one that is called.
    callee: u32,
}

/// What one look at all instructions finds.
struct Found {
    functions: Vec<Function>,
    is_leader: Vec<bool>,
    heads: Vec<u32>,
    calls: Vec<Call>,
    /// First slots of functions that are called or taken the address of.
    starts: Vec<u32>,
    /// May control leave a function other than by a call or a return?
    leaves: bool,
}

impl Flow {
    /// Looks at all instructions.
    pub fn of(program: &Program) -> Flow {
        let mut starts: Vec<u32> = program.functions.iter().map(|function| function.start).collect();
        starts.push(0);
        let mut found = Found::between(program, &mut starts);
        // Who made the program has mostly said where its functions are.
        if found.starts.iter().any(|start| starts.binary_search(start).is_err()) {
            starts.extend(&found.starts);
            found = Found::between(program, &mut starts);
        }
        let Found { mut functions, is_leader, heads, calls, leaves, starts } = found;
        for function in &mut functions {
            function.is_outermost = function.start == 0 && !leaves && !starts.contains(&0);
            if !function.is_outermost {
                function.look_at_registers(program);
            }
        }
        if leaves {
            let saves = functions.iter().fold(0, |saves, function| saves | function.saves);
            let counts = functions.iter().any(|function| function.counts);
            for function in &mut functions {
                let calls = Function { calls: true, frame: true, is_outermost: false, ..*function };
                *function = Function { saves, counts, ..calls };
            }
        }
        find_frames(&mut functions, &calls);
        Flow { functions, is_leader, heads }
    }
}

impl Found {
    /// Takes the code from each of these slots to the next as a function.
    fn between(program: &Program, starts: &mut Vec<u32>) -> Found {
        let len = program.code.len();
        starts.sort_unstable();
        starts.dedup();
        starts.retain(|&start| start < len.max(1));
        let mut found = Found {
            functions: Vec::with_capacity(starts.len()),
            is_leader: vec![false; len as usize],
            heads: Vec::new(),
            calls: Vec::new(),
            starts: Vec::new(),
            leaves: false,
        };
        let ends = starts.iter().skip(1).copied().chain([len]);
        for (&start, end) in starts.iter().zip(ends) {
            let function = found.look(program, start, end);
            found.functions.push(function);
        }
        found
    }

    /// Looks at where one function goes.
    fn look(&mut self, program: &Program, start: u32, end: u32) -> Function {
        let mut function = Function { start, end, ..Function::default() };
        let mut ends = false;
        for (slot, insn) in body(program, start, end) {
            ends = false;
            if !moves_control(insn) {
                continue;
            }
            ends = matches!(insn, Insn::Exit | Insn::Jump { .. });
            if let Some(target) = jump_target(slot, insn) {
                if let Some(leader) = self.is_leader.get_mut(target as usize) {
                    *leader = true;
                }
                if target <= slot {
                    self.heads.push(target);
                }
                self.leaves |= !(start..end).contains(&target);
                function.counts |= matches!(insn, Insn::MayGoto { .. });
                continue;
            }
            let called = called(slot, insn).filter(|&slot| program.code.at(slot).is_some());
            self.starts.extend(called);
            if let Insn::Call(target) = insn {
                function.calls = true;
                // A helper may call back, in the next frame; a function's needs are looked at by itself.
                function.frame |= !matches!(target, CallTarget::Local(_));
                self.calls.extend(called.map(|callee| Call { caller: self.functions.len(), callee }));
            }
        }
        self.leaves |= !ends;
        function
    }
}

impl Function {
    /// Finds out which registers it must save, and whether it uses its stack.
    fn look_at_registers(&mut self, program: &Program) {
        let (mut reads, mut writes) = (0, 0);
        for (_, insn) in body(program, self.start, self.end) {
            let effects = Effects::of(insn);
            (reads, writes) = (reads | effects.reads, writes | effects.writes);
        }
        self.saves = (writes >> Reg::R6.number() & 15) as u8;
        self.frame |= reads & bit(Reg::FP) != 0;
    }
}

/// Does the instruction name another instruction or a function, or end one?
fn moves_control(insn: &Insn) -> bool {
    insn.jump().is_some() || matches!(insn, Insn::Call(_) | Insn::LoadImm64 { .. } | Insn::Exit)
}

/// Index of the function that begins at `slot`.
pub fn at(functions: &[Function], slot: u32) -> Option<usize> {
    functions.binary_search_by_key(&slot, |function| function.start).ok()
}

/// Where a jump leads; past the end of the program if nowhere.
#[inline]
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

/// Registers as bits.
pub type Registers = u16;

/// The bit of a register.
pub const fn bit(reg: Reg) -> Registers {
    1 << reg.number()
}

fn operand(operand: Operand) -> Registers {
    match operand {
        Operand::Reg(reg) => bit(reg),
        Operand::Imm(_) => 0,
    }
}

/// The registers that an instruction reads and those it writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effects {
    /// Those read; not what calls take.
    pub reads: Registers,
    /// Those written; not `r1` to `r5` at calls.
    pub writes: Registers,
}

impl Effects {
    /// Those of an instruction.
    #[inline(always)]
    pub fn of(insn: &Insn) -> Effects {
        let effects = |reads, writes| Effects { reads, writes };
        match *insn {
            Insn::Alu { dst, src, .. } => effects(bit(dst) | operand(src), bit(dst)),
            Insn::Mov { dst, src, .. } => effects(operand(src), bit(dst)),
            Insn::Neg { dst, .. } | Insn::Swap { dst, .. } => effects(bit(dst), bit(dst)),
            Insn::MovSx { dst, src, .. } | Insn::AddrSpaceCast { dst, src, .. } => {
                effects(bit(src), bit(dst))
            }
            Insn::LoadImm64 { dst, .. } => effects(0, bit(dst)),
            Insn::Load { dst, base, .. } | Insn::LoadAcquire { dst, base, .. } => {
                effects(bit(base), bit(dst))
            }
            Insn::Store { base, src, .. } => effects(bit(base) | operand(src), 0),
            Insn::StoreRelease { base, src, .. } => effects(bit(base) | bit(src), 0),
            Insn::Atomic { op, base, src, .. } => match op {
                AtomicOp::Add { fetch }
                | AtomicOp::Or { fetch }
                | AtomicOp::And { fetch }
                | AtomicOp::Xor { fetch } => effects(bit(base) | bit(src), if fetch { bit(src) } else { 0 }),
                AtomicOp::Xchg => effects(bit(base) | bit(src), bit(src)),
                AtomicOp::CmpXchg => effects(bit(base) | bit(src) | bit(Reg::R0), bit(Reg::R0)),
            },
            Insn::LoadAbs { .. } => effects(0, bit(Reg::R0)),
            Insn::LoadInd { src, .. } => effects(bit(src), bit(Reg::R0)),
            Insn::Call(CallTarget::Reg(reg)) => effects(bit(reg), bit(Reg::R0)),
            Insn::Call(_) => effects(0, bit(Reg::R0)),
            Insn::Branch { dst, src, .. } => effects(bit(dst) | operand(src), 0),
            Insn::Jump { .. } | Insn::MayGoto { .. } => effects(0, 0),
            Insn::Exit => effects(bit(Reg::R0), 0),
        }
    }

    /// Does the instruction write the frame pointer? Only unverified programs do.
    pub fn moves_frame(self) -> bool {
        self.writes & bit(Reg::FP) != 0
    }
}

/// The instructions of a function with their slots.
pub fn body(program: &Program, start: u32, end: u32) -> impl Iterator<Item = (u32, &Insn)> {
    let slots = program.code.slots();
    let slots = slots.get(start as usize..slots.len().min(end as usize)).unwrap_or_default();
    (start..).zip(slots).filter_map(|(slot, insn)| Some((slot, insn.as_ref()?)))
}

/// A function whose callees need their stack needs its own frame pointer kept.
fn find_frames(functions: &mut [Function], calls: &[Call]) {
    for _ in 0..MAX_ROUNDS {
        let mut changed = false;
        // Callees mostly follow their callers.
        for call in calls.iter().rev() {
            let callee_needs =
                at(functions, call.callee).and_then(|at| functions.get(at)).is_none_or(|callee| callee.frame);
            if let Some(caller) =
                functions.get_mut(call.caller).filter(|caller| callee_needs && !caller.frame)
            {
                caller.frame = true;
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
