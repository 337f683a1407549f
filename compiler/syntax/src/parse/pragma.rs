//! What pragmas say about a place in the token stream.
//!
//! In: the pragma list of the preprocessor. Out: for a token index, the packing, the attribute and the
//! ignored diagnostic in force; for a loop, how to unroll it.
//! Invariant: all tables ascend by token index, so every question is one binary search.

use crate::ast::Unroll;
use crate::intern::{Interner, sym};
use crate::source::SourceMap;
use crate::token::{self, PragmaKind, Token, Tokens};

/// The side tables.
#[derive(Default)]
pub struct Pragmas {
    /// From this token on: (packing in bytes, `preserve_access_index` on records).
    states: Vec<(u32, u8, bool)>,
    unrolls: Vec<(u32, Unroll)>,
    /// From this token on: whether `-Wint-conversion`, an error by default, is ignored.
    lenient: Vec<(u32, bool)>,
}

impl Pragmas {
    /// Reads the pragmas of a token stream.
    pub fn new(tokens: &Tokens, source: &SourceMap, names: &Interner) -> Pragmas {
        let mut out = Pragmas::default();
        let mut packs: Vec<u8> = Vec::new();
        let mut pushed: Vec<bool> = Vec::new();
        let mut pack = 0u8;
        let (mut lenient, mut outer) = (false, Vec::new());
        for pragma in &tokens.pragmas {
            match pragma.kind {
                PragmaKind::AttributePush { attrs, subjects } => {
                    let mentions = |range, word: &[u8]| {
                        tokens.pragma_range(range).iter().any(|t| names.text(t.sym()) == word)
                    };
                    let preserve = mentions(attrs, b"preserve_access_index")
                        || mentions(attrs, b"__preserve_access_index__");
                    pushed.push(preserve && mentions(subjects, b"record"));
                }
                PragmaKind::AttributePop => {
                    pushed.pop();
                }
                PragmaKind::UnrollFull => out.unrolls.push((pragma.index, Unroll::Full)),
                PragmaKind::UnrollCount(n) => out.unrolls.push((pragma.index, Unroll::Count(n))),
                PragmaKind::NoUnroll => out.unrolls.push((pragma.index, Unroll::Disable)),
                PragmaKind::Pack(n) => pack = u8::try_from(n).unwrap_or(0),
                PragmaKind::PackPush(n) => {
                    packs.push(pack);
                    pack = n.map_or(pack, |n| u8::try_from(n).unwrap_or(0));
                }
                PragmaKind::PackPop => pack = packs.pop().unwrap_or(0),
                PragmaKind::Other => {
                    let toks = tokens.pragma_range(pragma.toks);
                    lenient = diagnostic(toks, lenient, &mut outer, source, names);
                    if out.lenient.last().map_or(lenient, |last| last.1 != lenient) {
                        out.lenient.push((pragma.index, lenient));
                    }
                }
            }
            out.states.push((pragma.index, pack, pushed.contains(&true)));
        }
        out
    }

    /// Packing and `preserve_access_index` in force at a token.
    pub fn at(&self, token: u32) -> (u8, bool) {
        let past = self.states.partition_point(|s| s.0 <= token);
        let state = past.checked_sub(1).and_then(|at| self.states.get(at));
        state.map_or((0, false), |&(_, pack, preserve)| (pack, preserve))
    }

    /// Whether mixing integers and pointers is allowed at a token.
    pub fn lenient(&self, token: u32) -> bool {
        let past = self.lenient.partition_point(|s| s.0 <= token);
        past.checked_sub(1).and_then(|at| self.lenient.get(at)).is_some_and(|s| s.1)
    }

    /// How to unroll the loop that starts at a token.
    pub fn unroll(&self, token: u32) -> Option<Unroll> {
        let past = self.unrolls.partition_point(|u| u.0 <= token);
        let &(at, unroll) = past.checked_sub(1).and_then(|i| self.unrolls.get(i))?;
        (at == token).then_some(unroll)
    }
}

/// `GCC diagnostic push`, `pop`, `ignored "-Wint-conversion"`: what holds afterwards.
fn diagnostic(
    toks: &[Token],
    now: bool,
    outer: &mut Vec<bool>,
    source: &SourceMap,
    names: &Interner,
) -> bool {
    let [first, second, verb, rest @ ..] = toks else { return now };
    if !(first.is(sym::GCC) || first.is(sym::CLANG)) || !second.is(sym::DIAGNOSTIC) {
        return now;
    }
    if verb.is(sym::PUSH) {
        outer.push(now);
        return now;
    }
    if verb.is(sym::POP) {
        return outer.pop().unwrap_or(now);
    }
    let about = rest.first().is_some_and(|flag| token::text(flag, source, names) == b"\"-Wint-conversion\"");
    if about { names.text(verb.sym()) == b"ignored" } else { now }
}
