//! Where a processor goes by a wrong guess (Spectre): paths that no run takes, but whose reads can be
//! measured. The kernel walks them too, for users without `CAP_PERFMON`.
//!
//! - A jump that is decided may be guessed the other way: there its operands are any numbers.
//! - A pointer that is moved by a register is masked, so that it stays inside of what it points to. Each
//!   such instruction has one mask: it must do for all paths. On a path where the number is out of its
//!   range the mask makes it 0, which is walked too.
//!
//! What fails on such a path refuses the program, or, from
//! [`Feature::SpeculationBarriers`](skep_stdlib::features::Feature) on, has a barrier put there.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use skep_stdlib::features::Feature;
use skep_stdlib::isa::{AluOp, Operand, Reg as R, Width};

use super::access::access;
use super::reg::{Num, Pointer, PtrKind, Reg};
use super::report::Cause;
use super::report::terms::tnum;
use super::stack;
use super::state::{Byte, STACK_SIZE, State};
use super::trace::Event;
use super::walk::{Check, Walk};

/// What is known of the paths of guesses, over all of them.
#[derive(Default)]
pub struct Guesses {
    /// How additions and subtractions of registers are masked, by slot.
    masks: BTreeMap<u32, Mask>,
    /// Instructions before which there is a barrier.
    fenced: BTreeSet<u32>,
    /// Instructions after which there is one.
    fenced_after: BTreeSet<u32>,
    /// The maps of tail calls.
    tail_calls: BTreeMap<u32, TailCall>,
    /// Masks differ by numbers that the walk of other paths would not look at: states with other numbers
    /// are other states.
    pub exact: bool,
}

/// How an addition or subtraction is masked.
#[derive(Clone, Copy, PartialEq)]
enum Mask {
    /// Not: of numbers.
    Number,
    /// The number that moves a pointer.
    Moves {
        negative: bool,
        constant: bool,
        /// The pointer is in the register that is written.
        in_place: bool,
        limit: u32,
    },
}

/// A tail call: its map, and whether there are several; whether a run comes there.
#[derive(Clone, Copy)]
struct TailCall {
    map: u32,
    several: bool,
    is_run: bool,
}

/// An instruction that moves a pointer by a number.
pub struct Move<'a> {
    pub slot: u32,
    pub op: AluOp,
    pub width: Width,
    pub dst: R,
    /// The operand: the number, or the pointer if that is not in `dst`.
    pub src: Operand,
    pub number: &'a Num,
    /// The pointer is in `dst`.
    pub in_place: bool,
}

/// Why a mask cannot be made.
enum Reason {
    Bounds,
    Kind,
    Paths,
    Limit,
}

impl Walk<'_> {
    /// Moves a pointer, and sees that a wrong guess does not move it out of bounds.
    pub(super) fn move_guarded(&mut self, state: &State, p: Pointer, by: &Move<'_>) -> Check<Reg> {
        let moved = self.move_pointer(p, by.number, by.op, by.width, by.dst, by.slot)?;
        let Reg::Pointer(after) = moved else { return Ok(moved) };
        if self.cx.leaks() {
            return Ok(moved);
        }
        let masked = self.is_masked(by.slot, by.op, by.src);
        let first = if masked { self.first_limit(state, &p, by)? } else { None };
        self.check_stays(&after, by.dst)?;
        if let Some((mask_left, first)) = first {
            let limit = limit_of(&after, mask_left, self.size_of(&after));
            let limit = limit.map_err(|reason| unmasked(reason, by.dst, by))?.abs_diff(first);
            let range = by.number.value.r64;
            let constant = by.number.value.value().is_some();
            let mask = Mask::Moves { negative: range.smin < 0, constant, in_place: by.in_place, limit };
            self.mask(by.slot, mask).map_err(|reason| unmasked(reason, by.dst, by))?;
        }
        Ok(moved)
    }

    /// Notes that an instruction adds or subtracts numbers.
    pub(super) fn mask_number(&mut self, slot: u32, op: AluOp, dst: R, src: Operand) -> Check {
        if !self.is_masked(slot, op, src) {
            return Ok(());
        }
        self.mask(slot, Mask::Number).map_err(|_| Cause::Unmasked {
            reg: dst.number(),
            why: PATHS,
            log: paths(op, dst),
        })
    }

    fn is_masked(&self, slot: u32, op: AluOp, src: Operand) -> bool {
        let is_moved = matches!((op, src), (AluOp::Add | AluOp::Sub, Operand::Reg(_)));
        is_moved && !self.guesses.fenced.contains(&slot)
    }

    /// The direction and limit of the mask before the pointer is moved; none where masks are already
    /// known, on a path of a guess. The path on which the mask makes the number 0 is walked later.
    fn first_limit(&mut self, state: &State, p: &Pointer, by: &Move<'_>) -> Check<Option<(bool, u32)>> {
        let range = by.number.value.r64;
        let constant = by.number.value.value().is_some();
        let mut found = None;
        if !state.guessed {
            let number = if by.in_place { operand(by.src) } else { by.dst };
            let refused = |reason| unmasked(reason, number, by);
            if !constant && (range.smin < 0) != (range.smax < 0) {
                return Err(refused(Reason::Bounds));
            }
            let mask_left = (by.op == AluOp::Add) == (range.smin < 0);
            let limit = limit_of(p, mask_left, self.size_of(p));
            found = Some((mask_left, limit.map_err(|reason| unmasked(reason, by.dst, by))?));
            self.guesses.exact |= !constant;
        }
        if !constant {
            let mut other = state.clone();
            other.frame_mut().regs[by.dst.index()] = Reg::Pointer(*p);
            self.guess(other, by.slot, by.slot + 1, Event::Plain)?;
        }
        Ok(found)
    }

    fn mask(&mut self, slot: u32, mask: Mask) -> Result<(), Reason> {
        match *self.guesses.masks.entry(slot).or_insert(mask) == mask {
            true => Ok(()),
            false => Err(Reason::Paths),
        }
    }

    /// Is the pointer that was moved still inside of what it points to (kernel `sanitize_check_bounds`)?
    fn check_stays(&mut self, after: &Pointer, dst: R) -> Check {
        let reg = dst.number();
        let log = match after.kind {
            PtrKind::Stack(_) => match after.var.value() {
                None => {
                    let var = tnum(&after.var);
                    let off = after.off;
                    format!("R{reg} variable stack access prohibited for !root, var_off={var} off={off}")
                }
                Some(var) => {
                    let off = i64::from(after.off) + var as i64;
                    if (i64::from(-STACK_SIZE)..0).contains(&off) {
                        return Ok(());
                    }
                    format!(
                        "R{reg} stack pointer arithmetic goes out of range, prohibited for !root; off={off}"
                    )
                }
            },
            PtrKind::MapValue(map) => {
                let touched = access(after, dst, 0, 1, false);
                let special = self.special_fields(map);
                let inside = touched.min >= 0
                    && touched.end() <= i64::from(self.size_of(after))
                    && after.var.r64.umax < 1 << 29
                    && !special.iter().any(|field| field.overlaps(touched.min, touched.end()));
                if inside {
                    return Ok(());
                }
                format!("R{reg} pointer arithmetic of map value goes out of range, prohibited for !root")
            }
            _ => return Ok(()),
        };
        Err(Cause::Unmasked { reg, why: "it may point past the end of what it points into", log })
    }

    /// Bytes of the map value that a pointer points into.
    fn size_of(&self, pointer: &Pointer) -> u32 {
        match pointer.kind {
            PtrKind::MapValue(map) => self.cx.map(map).map_or(0, |def| def.value_size),
            _ => 0,
        }
    }

    /// A jump that is decided may be guessed to lead to `other`.
    pub(super) fn guess_jump(
        &mut self,
        state: &State,
        slot: u32,
        other: u32,
        taken: bool,
        operands: (R, Operand),
    ) -> Check {
        let mut guessed = state.clone();
        let regs = &mut guessed.frame_mut().regs;
        regs[operands.0.index()] = Reg::unknown(slot);
        if let Operand::Reg(reg) = operands.1 {
            regs[reg.index()] = Reg::unknown(slot);
        }
        self.guess(guessed, slot, other, Event::Jump(Some(taken), 0))
    }

    /// A path that only a guess leads to is walked later.
    fn guess(&mut self, mut state: State, slot: u32, next: u32, event: Event) -> Check {
        state.guessed = true;
        let mut at = self.at;
        at.tip = self.trace.push(at.tip, slot, event);
        self.later_path(state, next, at)
    }

    /// Does a path of guesses end before this instruction?
    pub(super) fn is_fenced(&self, slot: u32) -> bool {
        self.guesses.fenced.contains(&slot)
    }

    /// Does a path of guesses end after this instruction?
    pub(super) fn is_fenced_after(&self, slot: u32) -> bool {
        self.guesses.fenced_after.contains(&slot)
    }

    /// Puts a barrier before the instruction that fails on a path of guesses, if that helps: false if not.
    pub(super) fn fence(&mut self, slot: u32, cause: &Cause) -> bool {
        let in_vain = matches!(
            cause,
            Cause::Complexity { .. } | Cause::Jumps { .. } | Cause::CallDepth {} | Cause::Unsupported { .. }
        );
        if in_vain || !self.cx.target.has(Feature::SpeculationBarriers) {
            return false;
        }
        self.guesses.masks.remove(&slot);
        self.guesses.fenced.insert(slot);
        true
    }

    /// A store to the stack that a guess could overtake has a barrier behind it (kernel `nospec_result`).
    pub(super) fn note_store(&mut self, state: &State, slot: u32, place: (u32, i32, i32), spills: bool) {
        if self.cx.leaks() || !self.cx.target.has(Feature::SpeculationBarriers) {
            return;
        }
        let (depth, start, end) = place;
        let frame = &state.frames[depth as usize];
        let is_plain = |offset| matches!(stack::byte_at(frame, offset), Byte::Misc | Byte::Zero);
        if spills || !(start..end).all(is_plain) {
            self.guesses.fenced_after.insert(slot);
        }
    }

    /// A tail call through this map.
    pub(super) fn note_tail_call(&mut self, slot: u32, map: Option<u32>, guessed: bool) {
        if let Some(map) = map.filter(|_| !self.cx.leaks()) {
            let first = TailCall { map, several: false, is_run: false };
            let known = self.guesses.tail_calls.entry(slot).or_insert(first);
            known.several |= known.map != map;
            known.is_run |= !guessed;
        }
    }

    /// Has every tail call one map, where addresses of maps cannot be trusted?
    pub(super) fn check_tail_calls(&self) -> Result<(), (u32, Cause)> {
        let several = |call: &TailCall| call.several && call.is_run;
        match self.guesses.tail_calls.iter().find(|(_, call)| several(call)) {
            Some((&slot, _)) => Err((slot, Cause::TailCallMaps {})),
            None => Ok(()),
        }
    }
}

/// How far the pointer may be moved (kernel `retrieve_ptr_limit`).
fn limit_of(p: &Pointer, mask_left: bool, value_size: u32) -> Result<u32, Reason> {
    let (limit, max) = match p.kind {
        PtrKind::Stack(_) => {
            let off = i64::from(p.off).wrapping_add(p.var.tnum.value as i64);
            (off.wrapping_neg() as u32, STACK_SIZE as u32 + u32::from(mask_left))
        }
        PtrKind::MapValue(_) => {
            let var = if mask_left { p.var.r64.smin as u64 } else { p.var.r64.umax };
            (var.wrapping_add(i64::from(p.off) as u64) as u32, value_size)
        }
        _ => return Err(Reason::Kind),
    };
    if limit >= max { Err(Reason::Limit) } else { Ok(limit) }
}

/// Why an instruction that moves pointers has no mask for all paths.
const PATHS: &str = "what is added differs from path to path, or what it is added to";

fn paths(op: AluOp, dst: R) -> String {
    format!("R{} tried to {} from different maps, paths or scalars, {IT}", dst.number(), word(op))
}

/// Ends the kernel's words.
const IT: &str = "pointer arithmetic with it prohibited for !root";

fn word(op: AluOp) -> &'static str {
    if op == AluOp::Add { "add" } else { "sub" }
}

fn operand(src: Operand) -> R {
    match src {
        Operand::Reg(reg) => reg,
        Operand::Imm(_) => R::R0,
    }
}

fn unmasked(reason: Reason, reg: R, by: &Move<'_>) -> Cause {
    let number = reg.number();
    let (why, log) = match reason {
        Reason::Bounds => (
            "the number may be negative or not",
            format!("R{number} has unknown scalar with mixed signed bounds, {IT}"),
        ),
        Reason::Kind => {
            let pointer = if by.in_place { by.dst } else { operand(by.src) };
            let log = format!("R{} has pointer with unsupported alu operation, {IT}", pointer.number());
            ("only pointers to the stack and into map values may be moved by a register", log)
        }
        Reason::Paths => (PATHS, paths(by.op, by.dst)),
        Reason::Limit => (
            "it may point past the end of what it points into",
            format!("R{number} tried to {} beyond pointer bounds, {IT}", word(by.op)),
        ),
    };
    Cause::Unmasked { reg: number, why, log }
}
