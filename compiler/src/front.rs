//! Text to typed program: the front end, and how much of the headers it reads.
//!
//! In: the name of the main file. Out: the typed program, what was read, and diagnostics in the session.
//! Headers are read as far as the program needs them. What it mentions is known after preprocessing; which
//! structs it looks into through pointers, only after analysis, so that is repeated until nothing is missing.
//! Invariant: a program with errors is read whole, and what is said comes from that, as what looks wrong may only
//! be unread; so reading less is only ever a matter of time, never of meaning. Warnings about what was read stand,
//! once nothing is missing.

use skep_syntax::pp::{self, Dep};
use skep_syntax::{Session, parse};

use crate::{hir, sema};

/// How often a program is analysed before all headers are read: a chain of pointers longer than this is rare.
const ROUNDS: u32 = 8;

/// Preprocesses, parses and analyses the file `main`.
pub(crate) fn read(cx: &mut Session<'_>, main: &str) -> (hir::Module, Vec<Dep>) {
    if cx.options.eager_headers {
        let pp::Output { tokens, deps, .. } = pp::run(cx, main);
        let unit = parse::unit(cx, &tokens);
        return (sema::analyze(&unit, cx), deps);
    }
    let mut program = pp::run_lazily(cx, main);
    let said = cx.diags.clone();
    program.want_mentioned(cx);
    for _ in 0..ROUNDS {
        // What was left out and read since must not have had anything to say.
        if cx.diags.iter().len() != said.iter().len() {
            break;
        }
        let unit = parse::unit(cx, &program.tokens());
        let (module, missing) = sema::analyze_partial(&unit, cx);
        let broken = cx.diags.errors() > said.errors();
        let whole = !program.is_partial();
        if !whole && !missing.is_empty() {
            let diags = cx.diags.clone();
            cx.diags.rewind(&said);
            if program.want_tags(cx, missing) {
                continue;
            }
            cx.diags = diags;
        }
        if !broken || whole {
            return (module, program.deps().to_vec());
        }
        break;
    }
    // There is something wrong, or no end in sight.
    cx.diags.rewind(&said);
    program.want_all(cx);
    let unit = parse::unit(cx, &program.tokens());
    (sema::analyze(&unit, cx), program.deps().to_vec())
}
