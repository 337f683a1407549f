//! Helpers that call a function of the program again and again, before they return.
//!
//! At the call two things may happen: the helper is done, and control goes on after it; or the
//! function is entered once more. When that returns, control is at the call again, so that the
//! rounds are those of a loop, which ends when an open state at the call covers the new one
//! (kernel `push_callback_call`).

use alloc::boxed::Box;

use skep_stdlib::helpers::Helper;
use skep_stdlib::isa::{CallTarget, Insn, Reg as R};

use super::call::Call;
use super::reg::{Pointer, PtrKind, Reg, Trust};
use super::report::{Cause, Leaving};
use super::state::{Frame, MAX_FRAMES, State};
use super::trace::Event;
use super::walk::{Check, Next, Walk};

/// What a helper hands to the function.
#[derive(Clone, Copy)]
enum Hands {
    /// The number of the round, and the caller's pointer.
    Round,
    /// The map, a key, the value, and the caller's pointer.
    Element,
    /// A dynamic pointer, and the caller's pointer.
    Record,
    /// A task, an area of its memory, and the caller's pointer.
    Area,
}

/// A helper whose function is followed.
struct Caller {
    helper: &'static str,
    hands: Hands,
    /// The argument of the helper with the caller's pointer, and the function's.
    pointer: (u8, u8),
}

const CALLERS: &[Caller] = &[
    Caller { helper: "loop", hands: Hands::Round, pointer: (3, 2) },
    Caller { helper: "for_each_map_elem", hands: Hands::Element, pointer: (3, 4) },
    Caller { helper: "user_ringbuf_drain", hands: Hands::Record, pointer: (3, 2) },
    Caller { helper: "find_vma", hands: Hands::Area, pointer: (4, 3) },
];

/// The row of the helper with this number.
fn caller(id: i32) -> Option<&'static Caller> {
    let helper = u32::try_from(id).ok().and_then(Helper::from_id)?;
    CALLERS.iter().find(|row| row.helper == helper.name)
}

/// Is this a call that may enter the same function again and again?
pub fn goes_round(id: i32) -> bool {
    caller(id).is_some()
}

/// The registers of the caller's pointer: at the call, and in the function.
pub fn pointer_registers(id: i32) -> Option<(u8, u8)> {
    caller(id).map(|row| row.pointer)
}

impl Walk<'_> {
    /// The helper, whose arguments are fine, is done or enters the function at `start`.
    pub(super) fn call_back(
        &mut self,
        state: &mut State,
        slot: u32,
        helper: &'static Helper,
        call: &Call,
        start: u32,
    ) -> Check<Next> {
        let unsupported = || Cause::Unsupported { what: alloc::format!("`bpf_{}`", helper.name) };
        let row = caller(helper.id as i32).ok_or_else(unsupported)?;
        if state.frames.len() >= MAX_FRAMES {
            return Err(Cause::CallDepth {});
        }
        let after = Next::To(slot + 1);
        if matches!(row.hands, Hands::Round) {
            if state.frame().regs[4].value() == Some(0) {
                // The kernel puts the loop in place of the call if that is always so.
                self.need(state, R::R4);
            }
            // The number of rounds bounds how often the function is entered.
            self.need(state, R::R1);
            let most = state.frame().regs[1].as_scalar().map_or(u64::MAX, |num| num.value.r64.umax);
            if u64::from(state.frame().rounds) >= most {
                let depth = state.frames.len() - 1;
                self.log_all(|_| alloc::format!("frame{depth} bpf_loop iteration limit reached"));
                state.frame_mut().rounds = 0;
                state.clobber(Reg::unknown(slot));
                return Ok(after);
            }
        }
        let mut entered = state.clone();
        entered.frame_mut().rounds += 1;
        let mut frame = Frame::new(state.frames.len() as u32, start, Some(slot));
        frame.callback = Some(state.references.len());
        frame.regs[usize::from(row.pointer.1)] = state.frame().regs[usize::from(row.pointer.0)];
        match row.hands {
            Hands::Round => frame.regs[1] = Reg::unknown(slot),
            Hands::Element => {
                let map = call.map.unwrap_or(u32::MAX);
                let size = self.cx.map(map).map_or(0, |def| def.key_size);
                frame.regs[1] = Reg::pointer(PtrKind::Map(map), slot);
                frame.regs[2] = Reg::pointer(PtrKind::Mem { size, writable: false }, slot);
                frame.regs[3] = Reg::pointer(PtrKind::MapValue(map), slot);
            }
            Hands::Record => frame.regs[1] = self.const_dynptr(slot),
            Hands::Area => {
                frame.regs[1] = Reg::pointer(self.kernel_structure("task_struct", Trust::Plain)?, slot);
                frame.regs[2] = Reg::pointer(self.kernel_structure("vm_area_struct", Trust::Plain)?, slot);
            }
        }
        entered.frames.push(frame);
        self.log_frame();
        self.depths.entry(start).or_default();
        self.event = Event::Callback;
        state.frame_mut().rounds = 0;
        state.clobber(Reg::unknown(slot));
        Ok(Next::Both(slot + 1, start, Box::new(entered)))
    }

    /// The function returns to the helper that was called at `call`.
    pub(super) fn return_from_callback(&mut self, state: &mut State, call: u32, held: usize) -> Check<Next> {
        let result = state.frame().regs[0];
        let Reg::Scalar(num) = result else {
            return Err(match result {
                Reg::Uninit => Cause::Uninit { reg: 0 },
                _ => Cause::ReturnPointer { log: "R0 not a scalar value".into() },
            });
        };
        self.need(state, R::R0);
        let range = num.value.r64;
        let when = "At callback return";
        if range.smin < 0 || range.smax > 1 {
            return Err(Cause::ReturnRange {
                min: 0,
                max: 1,
                low: range.smin,
                high: range.smax,
                when,
                reg: 0,
            });
        }
        if let Some(reference) = state.references.get(held) {
            return Err(Cause::Leak { acquired: reference.slot, id: reference.id, before: Leaving::End });
        }
        state.frames.pop();
        if let Some(Insn::Call(CallTarget::Kfunc { .. })) = self.cx.program.code.at(call) {
            state.comparing = state.comparing.saturating_sub(1);
        }
        self.event = Event::Callback;
        self.log_returned(state, call);
        self.widen(state, call, 0);
        Ok(Next::To(call))
    }

    /// A function of the program as argument.
    pub(super) fn callback(&self, reg: &Reg) -> Option<u32> {
        match reg {
            Reg::Pointer(Pointer { kind: PtrKind::Func(start), nullable: false, .. }) => Some(*start),
            Reg::Pointer(_) | Reg::Scalar(_) | Reg::Uninit => None,
        }
    }
}
