//! Exceptions: where one may be thrown, and the function that the program names to handle it.
//!
//! That function is verified apart from the program: it gets the number that was thrown, and what it
//! returns is the program's result (kernel `bpf_find_exception_callback_insn_off`).

use alloc::string::{String, ToString};

use skep_stdlib::isa::{CallTarget, Insn, Reg as R};

use super::Context;
use super::global::Param;
use super::reg::Reg;
use super::report::{Cause, Leaving};
use super::scalar::Scalar;
use super::state::{Frame, Role, State};
use super::walk::{Check, Next, Walk, read};

/// Why the kernel does not take a handler.
pub const SEVERAL: &str = "more than one function is named to handle exceptions";
pub const STATIC: &str = "what handles exceptions must be a global function";
pub const ONE_NUMBER: &str = "what handles exceptions has one parameter, a number";
pub const CALLED: &str = "what handles exceptions cannot be called";

/// The first slot of the function that handles the program's exceptions, if it names one.
pub fn handler(cx: &Context<'_>) -> Check<Option<u32>> {
    let refused = |function: &str, why| {
        let log = kernel_words(function, why).unwrap_or_default();
        Cause::Prototype { function: function.to_string(), why, log }
    };
    let name = match cx.program.handlers.as_slice() {
        [] => return Ok(None),
        [name] => name,
        [name, ..] => return Err(refused(name, SEVERAL)),
    };
    let found = cx.program.functions.iter().find(|function| function.name == *name);
    let Some(function) = found.filter(|function| function.global) else {
        return Err(refused(name, STATIC));
    };
    let called = cx.program.code.iter().any(|(slot, insn)| {
        matches!(insn, Insn::Call(CallTarget::Local(distance))
            if i64::from(slot) + 1 + i64::from(*distance) == i64::from(function.start))
    });
    if called {
        return Err(refused(name, CALLED));
    }
    match cx.parameters(function)?.as_slice() {
        [Param::Number] => Ok(Some(function.start)),
        _ => Err(refused(name, ONE_NUMBER)),
    }
}

impl Walk<'_> {
    /// The state in which the handler begins.
    pub(super) fn handler_state(&self, start: u32) -> State {
        let mut frame = Frame::new(0, start, None);
        frame.regs[1] = Reg::scalar(Scalar::UNKNOWN, start);
        let sleepable = self.cx.program.sleepable;
        State { frames: alloc::vec![frame], role: Role::Handler, sleepable, ..State::default() }
    }

    /// The program ends here, with what is thrown or what the handler makes of it, unless a helper would
    /// have to end too.
    pub(super) fn throw(&mut self, state: &State, slot: u32) -> Check<Next> {
        let callback = state.frames.iter().find(|frame| frame.callback.is_some());
        let apart = matches!(state.role, Role::Later | Role::Handler).then(|| &state.frames[0]);
        if let Some(frame) = callback.or(apart) {
            let function = self.function(frame.start).0 as u32;
            return Err(Cause::ThrowInCallback { slot, function });
        }
        let cookie = read(state, R::R1)?;
        match self.handler {
            Some(_) if matches!(cookie, Reg::Scalar(_)) => {
                super::held::check_nothing(state, Leaving::Throw)?;
            }
            _ => {
                self.check_end(state, &cookie, Leaving::Throw)?;
            }
        }
        Ok(Next::Ended)
    }
}

/// The kernel's words for a handler that it does not take.
fn kernel_words(function: &str, why: &str) -> Option<String> {
    Some(match why {
        SEVERAL => "multiple exception callback tags for main subprog".into(),
        STATIC => alloc::format!("exception callback '{function}' must have global linkage"),
        ONE_NUMBER => "exception cb only supports single integer argument".into(),
        CALLED => "insn cannot call exception cb directly".into(),
        _ => return None,
    })
}
