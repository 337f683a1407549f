//! Which registers are read later, and where states are compared.
//!
//! In: the instructions. Out: for each slot, the registers of the running frame that some path
//! reads before it writes them; the slots where states are compared: conditional jumps, the targets
//! of all jumps, calls of the program's functions, of what goes round and of what sets a function that
//! is called later, where calls return to, and where functions start (the kernel's prune points); and which slots are parts of one loop. A
//! register that is not live cannot make two states different.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use skep_stdlib::helpers::Helper;
use skep_stdlib::isa::{AluOp, AtomicOp, CallTarget, Imm64, Insn, Operand, Reg};

use super::callback::goes_round;
use super::components::components;
use super::later;
use super::rounds::Bound;
use super::walk::target;
use crate::object::Program;

/// What the kernel notes of an instruction before the walk (`visit_insn`).
#[derive(Clone, Copy, Default)]
struct Points {
    /// States are compared before it (a prune point).
    compared: bool,
    /// Not only the instruction before leads to it (a jump point).
    reached: bool,
}

/// The results for one program.
pub struct Liveness {
    live: Vec<u16>,
    points: Vec<Points>,
    /// What bounds the loops that an instruction is the head of.
    loops: Vec<Option<Bound>>,
    /// The loop that an instruction is part of.
    components: Vec<Option<u32>>,
}

impl Liveness {
    /// Computes all of it.
    ///
    /// Of the kernel function with this id, `bound` tells what bounds the rounds of its calls, `sets`
    /// whether it is given a function which is called later, `params` how many parameters it has.
    pub fn of(
        program: &Program,
        bound: impl Fn(i32) -> Option<Bound>,
        sets: impl Fn(i32) -> bool,
        params: impl Fn(i32) -> Option<usize>,
    ) -> Liveness {
        let code = &program.code;
        let count = code.len() as usize;
        let mut points = alloc::vec![Points::default(); count];
        let mut loops = alloc::vec![None; count];
        // Does control ever go up, to a function or to the same call again? Hardly any program's does,
        // and one pass from the end to the start knows all of it.
        let mut goes_back = false;
        for (slot, insn) in code.iter() {
            let after = slot + insn.slots() as u32;
            let mut mark = |at: u32, compared: bool, reached: bool| {
                goes_back |= reached && at <= slot;
                if let Some(point) = points.get_mut(at as usize) {
                    point.compared |= compared;
                    point.reached |= reached;
                }
            };
            match *insn {
                Insn::Branch { off, .. } => {
                    mark(slot, true, false);
                    mark(target(slot, off.into()), true, true);
                }
                Insn::MayGoto { off } => {
                    loops[slot as usize] = Some(Bound::Counter);
                    mark(slot, true, false);
                    mark(target(slot, off.into()), true, true);
                }
                Insn::Jump { off, .. } => mark(target(slot, off), true, true),
                Insn::LoadImm64 { value: Imm64::Func(off), .. } => {
                    mark(slot, true, false);
                    mark(after, true, true);
                    mark(target(slot, off), true, true);
                }
                Insn::Call(callee) => {
                    mark(after, true, true);
                    match callee {
                        CallTarget::Local(off) => {
                            mark(slot, true, false);
                            mark(target(slot, off), true, true);
                        }
                        CallTarget::Helper(id) if goes_round(id) => {
                            loops[slot as usize] = Some(Bound::Callback);
                        }
                        CallTarget::Helper(later::TIMER) => mark(slot, true, false),
                        CallTarget::Kfunc { id, .. } if sets(id) => mark(slot, true, false),
                        CallTarget::Kfunc { id, .. } => loops[slot as usize] = bound(id),
                        CallTarget::Helper(_) | CallTarget::Reg(_) => {}
                    }
                    match loops[slot as usize] {
                        Some(Bound::Callback) => mark(slot, true, true),
                        Some(Bound::Iterator | Bound::Counter) => mark(slot, true, false),
                        None => {}
                    }
                }
                _ => {}
            }
        }
        let components = match goes_back {
            true => components(count as u32, |slot| {
                // A helper that calls back is a loop of one instruction.
                let itself = (loops[slot as usize] == Some(Bound::Callback)).then_some(slot);
                code.at(slot).into_iter().flat_map(move |insn| successors(slot, insn)).chain(itself)
            }),
            false => Vec::new(),
        };
        let live = registers(program, params, goes_back);
        Liveness { live, points, loops, components }
    }

    /// Registers live before the instruction at `slot`, a bit each.
    pub fn at(&self, slot: u32) -> u16 {
        self.live.get(slot as usize).copied().unwrap_or(0)
    }

    /// What bounds the rounds of the loop that this instruction is the head of.
    pub fn bound(&self, slot: u32) -> Option<Bound> {
        self.loops.get(slot as usize).copied().flatten()
    }

    /// The loop that the instruction at `slot` is part of.
    pub fn component(&self, slot: u32) -> Option<u32> {
        self.components.get(slot as usize).copied().flatten()
    }

    /// Is the instruction at `slot` a loop only because it calls back?
    pub fn is_loop_by_call(&self, slot: u32) -> bool {
        // Where control goes on is part of every other loop that it is in.
        self.bound(slot) == Some(Bound::Callback) && self.component(slot) != self.component(slot + 1)
    }

    /// Are states compared before the instruction at `slot`?
    pub fn is_compared(&self, slot: u32) -> bool {
        self.points.get(slot as usize).is_some_and(|point| point.compared)
    }

    /// Does the history of a path have an entry for the instruction at `slot`, whatever that does?
    pub fn is_reached(&self, slot: u32) -> bool {
        self.points.get(slot as usize).is_some_and(|point| point.reached)
    }
}

/// The registers that are live before each instruction, a bit each.
fn registers(program: &Program, params: impl Fn(i32) -> Option<usize>, goes_back: bool) -> Vec<u16> {
    let code = &program.code;
    let args: BTreeMap<i32, u16> = (code.iter())
        .filter_map(|(_, insn)| match *insn {
            Insn::Call(CallTarget::Kfunc { id, .. }) => Some((id, params(id).map_or(ARGS, first_args))),
            _ => None,
        })
        .collect();
    let mut live = alloc::vec![0u16; code.len() as usize];
    loop {
        let mut changed = false;
        for slot in (0..code.len()).rev() {
            let Some(insn) = code.at(slot) else { continue };
            let live_at = |next: u32| live.get(next as usize).copied().unwrap_or(0);
            let (on, off) = ways(slot, insn);
            let out = on.map_or(0, live_at) | off.map_or(0, live_at);
            let (mut reads, writes) = effects(insn);
            match insn {
                Insn::Call(CallTarget::Local(distance)) => {
                    let callee = usize::try_from(i64::from(slot) + 1 + i64::from(*distance));
                    // A global function wants its arguments, whether or not it looks at them.
                    let own = callee.ok().filter(|&at| !program.is_global(at as u32));
                    reads = own.and_then(|at| live.get(at)).map_or(ARGS, |live| live & ARGS);
                }
                Insn::Call(CallTarget::Kfunc { id, .. }) => {
                    reads = args.get(id).copied().unwrap_or(ARGS);
                }
                _ => {}
            }
            let new = (out & !writes) | reads;
            changed |= new != live[slot as usize];
            live[slot as usize] = new;
        }
        if !changed || !goes_back {
            return live;
        }
    }
}

/// Where control may go within the function: on, and off by a jump; a call comes back.
pub fn ways(slot: u32, insn: &Insn) -> (Option<u32>, Option<u32>) {
    let after = slot + insn.slots() as u32;
    match *insn {
        Insn::Jump { off, .. } => (None, Some(target(slot, off))),
        Insn::Branch { off, .. } | Insn::MayGoto { off } => (Some(after), Some(target(slot, off.into()))),
        Insn::Exit => (None, None),
        _ => (Some(after), None),
    }
}

/// Both, one after the other.
pub fn successors(slot: u32, insn: &Insn) -> impl Iterator<Item = u32> + use<> {
    let (on, off) = ways(slot, insn);
    on.into_iter().chain(off)
}

const fn bit(reg: Reg) -> u16 {
    1 << reg.number()
}

fn operand(operand: &Operand) -> u16 {
    match operand {
        Operand::Reg(reg) => bit(*reg),
        Operand::Imm(_) => 0,
    }
}

/// Registers with the arguments of a call.
const ARGS: u16 = 0b11_1110;

/// The arguments that a helper takes.
fn helper_args(id: i32) -> u16 {
    let helper = u32::try_from(id).ok().and_then(Helper::from_id);
    helper.map_or(ARGS, |helper| first_args(helper.args.len()))
}

/// The registers of so many arguments.
fn first_args(count: usize) -> u16 {
    ((1 << (count + 1)) - 2) & ARGS
}

/// Registers read and written; what a function of the program reads is not looked up here.
pub fn effects(insn: &Insn) -> (u16, u16) {
    const CLOBBERED: u16 = 0b11_1111;
    match insn {
        // Subtracting a register from itself still reads it.
        Insn::Alu { op: AluOp::Add | AluOp::Sub | AluOp::Mul | AluOp::Div | AluOp::Or, dst, src, .. }
        | Insn::Alu {
            op: AluOp::And | AluOp::Lsh | AluOp::Rsh | AluOp::Mod | AluOp::Xor, dst, src, ..
        }
        | Insn::Alu { op: AluOp::Arsh | AluOp::Sdiv | AluOp::Smod, dst, src, .. } => {
            (bit(*dst) | operand(src), bit(*dst))
        }
        Insn::Mov { dst, src, .. } => (operand(src), bit(*dst)),
        Insn::MovSx { dst, src, .. } | Insn::AddrSpaceCast { dst, src, .. } => (bit(*src), bit(*dst)),
        Insn::Neg { dst, .. } | Insn::Swap { dst, .. } => (bit(*dst), bit(*dst)),
        Insn::LoadImm64 { dst, .. } => (0, bit(*dst)),
        Insn::Load { dst, base, .. } | Insn::LoadAcquire { dst, base, .. } => (bit(*base), bit(*dst)),
        Insn::Store { base, src, .. } => (bit(*base) | operand(src), 0),
        Insn::StoreRelease { base, src, .. } => (bit(*base) | bit(*src), 0),
        Insn::Atomic { op, base, src, .. } => {
            let reads = bit(*base) | bit(*src);
            match op {
                AtomicOp::CmpXchg => (reads | bit(Reg::R0), bit(Reg::R0)),
                AtomicOp::Xchg => (reads, bit(*src)),
                AtomicOp::Add { fetch }
                | AtomicOp::Or { fetch }
                | AtomicOp::And { fetch }
                | AtomicOp::Xor { fetch } => (reads, if *fetch { bit(*src) } else { 0 }),
            }
        }
        Insn::LoadAbs { .. } => (bit(Reg::R6), CLOBBERED),
        Insn::LoadInd { src, .. } => (bit(Reg::R6) | bit(*src), CLOBBERED),
        Insn::Branch { dst, src, .. } => (bit(*dst) | operand(src), 0),
        Insn::Jump { .. } | Insn::MayGoto { .. } => (0, 0),
        Insn::Call(CallTarget::Reg(reg)) => (ARGS | bit(*reg), CLOBBERED),
        Insn::Call(CallTarget::Helper(id)) => (helper_args(*id), CLOBBERED),
        Insn::Call(CallTarget::Local(_) | CallTarget::Kfunc { .. }) => (ARGS, CLOBBERED),
        Insn::Exit => (bit(Reg::R0), 0),
    }
}
