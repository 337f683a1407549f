//! Helpers that call a function of the program again and again: `bpf_loop`,
//! `bpf_for_each_map_elem`.
//!
//! At the call two things may happen: the helper is done, and control goes on after it; or the
//! function is entered once more. When that returns, control is at the call again, so that the
//! rounds are those of a loop, which ends when an open state at the call covers the new one
//! (kernel `push_callback_call`).

use alloc::boxed::Box;

use skep_stdlib::helpers::Helper;
use skep_stdlib::isa::Reg as R;

use super::call::Call;
use super::reg::{Pointer, PtrKind, Reg};
use super::report::Cause;
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
}

/// Helpers whose functions are followed, with the register of the caller's pointer in each.
const CALLERS: &[(&str, Hands, u8)] = &[("loop", Hands::Round, 2), ("for_each_map_elem", Hands::Element, 4)];

/// Is this a call that may enter the same function again and again?
pub fn goes_round(id: i32) -> bool {
    let helper = u32::try_from(id).ok().and_then(Helper::from_id);
    helper.is_some_and(|helper| CALLERS.iter().any(|row| row.0 == helper.name))
}

/// The register of the function in which the caller's pointer is: where r3 of the call goes.
pub fn pointer_register(id: i32) -> u8 {
    let helper = u32::try_from(id).ok().and_then(Helper::from_id);
    let row = helper.and_then(|helper| CALLERS.iter().find(|row| row.0 == helper.name));
    row.map_or(0, |row| row.2)
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
        let row = CALLERS.iter().find(|row| row.0 == helper.name).ok_or_else(unsupported)?;
        if self.cx.program.is_global(start) {
            return Err(Cause::Unsupported { what: "a global function as callback".into() });
        }
        if state.frames.len() >= MAX_FRAMES {
            return Err(Cause::CallDepth {});
        }
        let after = Next::To(slot + 1);
        if matches!(row.1, Hands::Round) {
            // The number of rounds bounds how often the function is entered.
            self.need(state, R::R1);
            let most = state.frame().regs[1].as_scalar().map_or(u64::MAX, |num| num.value.r64.umax);
            if u64::from(state.frame().rounds) >= most {
                state.frame_mut().rounds = 0;
                state.clobber(Reg::unknown(slot));
                return Ok(after);
            }
        }
        let mut entered = state.clone();
        entered.frame_mut().rounds += 1;
        let mut frame = Frame::new(state.frames.len() as u32, start, Some(slot));
        frame.callback = Some(state.references.len());
        frame.regs[usize::from(row.2)] = state.frame().regs[3];
        match row.1 {
            Hands::Round => frame.regs[1] = Reg::unknown(slot),
            Hands::Element => {
                let map = call.map.unwrap_or(u32::MAX);
                let size = self.cx.map(map).map_or(0, |def| def.key_size);
                frame.regs[1] = Reg::pointer(PtrKind::Map(map), slot);
                frame.regs[2] = Reg::pointer(PtrKind::Mem { size, writable: false }, slot);
                frame.regs[3] = Reg::pointer(PtrKind::MapValue(map), slot);
            }
        }
        entered.frames.push(frame);
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
                _ => Cause::ReturnPointer {},
            });
        };
        self.need(state, R::R0);
        let range = num.value.r64;
        if range.smin < 0 || range.smax > 1 {
            return Err(Cause::ReturnRange { min: 0, max: 1, low: range.smin, high: range.smax });
        }
        if let Some(reference) = state.references.get(held) {
            return Err(Cause::Leak { acquired: reference.slot });
        }
        state.frames.pop();
        self.event = Event::Callback;
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
