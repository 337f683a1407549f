//! What pragmas say about a place in the token stream.
//!
//! In: the pragma list of the preprocessor. Out: for a token index, the packing and the attribute in force;
//! for a loop, how to unroll it.
//! Invariant: all tables ascend by token index, so every question is one binary search.

use crate::ast::Unroll;
use crate::intern::Interner;
use crate::token::{PragmaKind, Tokens};

/// The side tables.
#[derive(Default)]
pub struct Pragmas {
    /// From this token on: (packing in bytes, `preserve_access_index` on records).
    states: Vec<(u32, u8, bool)>,
    unrolls: Vec<(u32, Unroll)>,
}

impl Pragmas {
    /// Reads the pragmas of a token stream.
    pub fn new(tokens: &Tokens, names: &Interner) -> Pragmas {
        let mut out = Pragmas::default();
        let mut packs: Vec<u8> = Vec::new();
        let mut pushed: Vec<bool> = Vec::new();
        let mut pack = 0u8;
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
                PragmaKind::Other => {}
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

    /// How to unroll the loop that starts at a token.
    pub fn unroll(&self, token: u32) -> Option<Unroll> {
        let past = self.unrolls.partition_point(|u| u.0 <= token);
        let &(at, unroll) = past.checked_sub(1).and_then(|i| self.unrolls.get(i))?;
        (at == token).then_some(unroll)
    }
}
