//! checks: what is left that cannot become code is reported.
//!
//! ```text
//!   call v9(v1)          ->   limit: "a call through a pointer that is not a constant"
//! ```
//!
//! It runs last: a program may contain anything in code that is never reached, so nothing can be
//! refused before inlining, folding and the removal of dead code are done.
//! Preserves: the function; it changes nothing. Cost: linear.

use super::Cx;
use crate::ir::{Callee, Function, InstData, Intrinsic};

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    for &block in &f.order {
        for &inst in &f.blocks[block].insts {
            if let Some(message) = problem(f, cx, &f.insts[inst]) {
                cx.limit(f.locs[inst], message);
            }
        }
    }
    false
}

fn problem(f: &Function, cx: &Cx<'_>, data: &InstData) -> Option<String> {
    match data {
        InstData::Call { callee: Callee::Indirect(_), .. } => {
            Some("a call through a pointer that is not a constant".to_string())
        }
        InstData::Call { callee: Callee::Func(symbol), .. } => {
            let message = cx.func(*symbol)?.error.as_ref()?;
            Some(format!("a call of `{}`, which is declared an error: {message}", cx.symbols[*symbol].name))
        }
        InstData::Intrinsic { op, args, .. } => match op {
            // A constant size that is still here is too large, which was reported.
            Intrinsic::Memcpy | Intrinsic::Memmove | Intrinsic::Memset | Intrinsic::Memcmp => f
                .constant(*args.get(2)?)
                .is_none()
                .then(|| format!("a call of `{op}` whose size is not constant")),
            Intrinsic::Strlen | Intrinsic::Strcmp => {
                Some(format!("a call of `{op}` on something other than string literals"))
            }
            Intrinsic::Trap => Some("a call of `__builtin_trap` that may be reached".to_string()),
            _ => None,
        },
        _ => None,
    }
}
