//! `#pragma` and `_Pragma`.
//!
//! In: the tokens of a pragma. Out: an effect on the preprocessor, or a row in the side table of the
//! token stream, keyed by the index of the token it stands before.
//! Invariant: pragmas nobody knows are kept for printing and otherwise ignored, silently, as their
//! purpose is to talk to other compilers.

use super::Pp;
use crate::diag::{Diag, Severity, codes};
use crate::intern::{Symbol, kw, sym};
use crate::lexer::{self, Cursor};
use crate::source::{Loc, Span};
use crate::token::{Pragma, PragmaKind, Token, TokenKind};
use crate::warnings::Change;

impl Pp<'_, '_> {
    /// `#pragma ...`
    pub(super) fn pragma_directive(&mut self, tok: Token) {
        if self.collecting != 0 {
            self.error(
                &codes::DIRECTIVE_IN_ARGS,
                Span::at(tok.loc),
                "`#pragma` inside the arguments of a macro",
            );
            return;
        }
        let start = self.out.pragma_toks.len();
        loop {
            let next = self.file_token();
            if next.kind == TokenKind::Eod {
                break;
            }
            self.out.pragma_toks.push(next);
        }
        self.pragma(tok.loc, start);
    }

    /// `_Pragma("...")`
    pub(super) fn pragma_operator(&mut self, tok: &mut Token) -> bool {
        let form = "`_Pragma` needs a string literal in parentheses";
        let open = self.next_is_lparen();
        if open {
            self.raw();
        }
        let text = if open { self.expanded() } else { *tok };
        if text.kind != TokenKind::Str {
            self.error(&codes::PRAGMA_FORM, Span::at(tok.loc), form);
            return true;
        }
        if self.raw().kind != TokenKind::RParen {
            self.error(&codes::PRAGMA_FORM, Span::at(tok.loc), "`_Pragma` without its closing parenthesis");
            return true;
        }
        let inner = self.cx.text(&text).to_vec();
        let from = inner.iter().position(|b| *b == b'"').map_or(inner.len(), |n| n + 1);
        let mut inner = unescape(inner.get(from..inner.len().saturating_sub(1)).unwrap_or(&[]));
        inner.iter_mut().filter(|b| matches!(b, b'\n' | b'\r')).for_each(|b| *b = b' ');
        let start = self.out.pragma_toks.len();
        let Some(file) = self.cx.source.add_file("<pragma>", inner.as_slice().into(), tok.loc, false) else {
            return true;
        };
        let base = self.cx.source.loc(file, 0);
        let into = &mut self.out.pragma_toks;
        lexer::lex(&inner, base, &mut Cursor::at_start(), &mut self.cx.names, into, usize::MAX);
        self.spend(inner.len() / 4 + 4, tok.loc);
        self.pragma(tok.loc, start);
        true
    }

    fn record(&mut self, kind: PragmaKind, loc: Loc, start: usize) {
        let index = self.out.toks.len() as u32;
        let toks = (start as u32, self.out.pragma_toks.len() as u32);
        self.out.pragmas.push(Pragma { index, kind, toks, loc });
    }

    /// Acts on the pragma whose tokens are `pragma_toks[start..]`.
    fn pragma(&mut self, loc: Loc, start: usize) {
        let toks: Vec<Token> = self.out.pragma_toks.get(start..).unwrap_or(&[]).to_vec();
        let word = |at: usize| toks.get(at).map_or(Symbol::EMPTY, Token::sym);
        let rest = |at: usize| toks.get(at..).unwrap_or(&[]);
        match (word(0), word(1)) {
            (sym::ONCE, _) => {
                self.pragma_once();
                self.out.pragma_toks.truncate(start);
            }
            (sym::PUSH_MACRO | sym::POP_MACRO, _) => self.macro_stack(loc, &toks),
            (sym::GCC, sym::POISON) => self.poison(rest(2)),
            (sym::GCC | sym::CLANG, sym::SYSTEM_HEADER) => {
                if let Some(frame) = self.files.last() {
                    self.cx.source.set_system(frame.file);
                }
            }
            (sym::GCC | sym::CLANG, sym::ERROR | sym::WARNING) => {
                self.pragma_message(loc, word(1) == sym::ERROR, rest(2));
            }
            (sym::GCC | sym::CLANG, sym::DIAGNOSTIC) => {
                self.diagnostic(loc, rest(2));
                self.record(PragmaKind::Other, loc, start);
            }
            (sym::MESSAGE, _) => {
                self.pragma_message(loc, false, rest(1));
                self.record(PragmaKind::Other, loc, start);
            }
            (sym::CLANG, sym::ATTRIBUTE) => self.attribute(loc, start),
            (sym::CLANG, sym::LOOP) => self.clang_loop(loc, start, rest(2)),
            (sym::UNROLL | sym::NOUNROLL, _) => self.unroll(loc, start, word(0), rest(1)),
            (sym::GCC, sym::UNROLL) => self.unroll(loc, start, word(1), rest(2)),
            (sym::PACK, _) => self.pack(loc, start, rest(1)),
            _ => self.record(PragmaKind::Other, loc, start),
        }
    }

    fn malformed(&mut self, loc: Loc, what: &str) {
        self.error(&codes::PRAGMA_FORM, Span::at(loc), format!("malformed `#pragma {what}`"));
    }

    /// `push_macro("X")`, `pop_macro("X")`
    fn macro_stack(&mut self, loc: Loc, toks: &[Token]) {
        let push = toks.first().is_some_and(|t| t.is(sym::PUSH_MACRO));
        let [_, open, name, close, ..] = toks else {
            return self.malformed(loc, if push { "push_macro" } else { "pop_macro" });
        };
        let text = self.cx.text(name).to_vec();
        let inner = text.strip_prefix(b"\"").and_then(|t| t.strip_suffix(b"\""));
        let (Some(inner), TokenKind::LParen, TokenKind::Str, TokenKind::RParen) =
            (inner, open.kind, name.kind, close.kind)
        else {
            return self.malformed(loc, if push { "push_macro" } else { "pop_macro" });
        };
        let name = self.cx.names.intern(inner);
        if push {
            self.push_macro(name);
        } else if !self.pop_macro(name) {
            let message = format!("`pop_macro` of `{}`, which was not pushed", self.cx.names.name(name));
            self.report(Diag::new(&codes::PRAGMA_IGNORED, Span::at(loc), message));
        }
    }

    fn poison(&mut self, toks: &[Token]) {
        for tok in toks {
            if tok.kind != TokenKind::Ident {
                return self.malformed(tok.loc, "GCC poison");
            }
            self.macros.poison(&self.cx.names, tok.sym());
        }
    }

    /// `GCC error "text"`, `message("text")`
    fn pragma_message(&mut self, loc: Loc, error: bool, toks: &[Token]) {
        let text = self.string_text(toks);
        let code = if error { &codes::USER_ERROR } else { &codes::USER_WARNING };
        self.report(Diag::new(code, Span::at(loc), text));
    }

    /// `diagnostic push`, `pop`, `ignored "-Wname"`, `warning`, `error`
    fn diagnostic(&mut self, loc: Loc, toks: &[Token]) {
        let verb = toks.first().map_or(Symbol::EMPTY, Token::sym);
        // In the file, behind what was read last; among macros, what is expanded from now on, and of the
        // macro whose part this is, what was expanded with it and comes behind it.
        let places = [self.last_loc, self.cx.source.next_macro_tok(), loc];
        let severity = match verb {
            sym::PUSH => return self.cx.diags.regions.push(),
            sym::POP => {
                if !self.cx.diags.regions.pop(&places) {
                    let message = "`pop` of diagnostics that were not pushed";
                    self.report(Diag::new(&codes::PRAGMA_UNKNOWN, Span::at(loc), message));
                }
                return;
            }
            sym::IGNORED => None,
            sym::WARNING => Some(Severity::Warning),
            sym::ERROR | sym::FATAL => Some(Severity::Error),
            _ => {
                let message = "a diagnostic pragma is `push`, `pop`, `ignored`, `warning` or `error`";
                self.report(Diag::new(&codes::PRAGMA_UNKNOWN, Span::at(loc), message));
                return;
            }
        };
        let text = self.string_text(toks.get(1..).unwrap_or(&[]));
        let Some(name) = text.strip_prefix("-W") else {
            let message = "a diagnostic pragma takes the name of a warning, as in `\"-Wname\"`";
            self.report(Diag::new(&codes::PRAGMA_UNKNOWN, Span::at(loc), message));
            return;
        };
        match Change::new(severity, name) {
            Ok(change) => self.cx.diags.regions.change(change, &places),
            Err(message) => self.report(Diag::new(&codes::UNKNOWN_WARNING, Span::at(loc), message)),
        }
    }

    /// The contents of adjacent string literals.
    fn string_text(&self, toks: &[Token]) -> String {
        let mut text = Vec::new();
        for tok in toks.iter().filter(|t| t.kind == TokenKind::Str) {
            let spelled = self.cx.text(tok);
            let inner = spelled.strip_prefix(b"\"").and_then(|t| t.strip_suffix(b"\"")).unwrap_or(spelled);
            text.extend_from_slice(&unescape(inner));
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// `clang attribute push(__attribute__((..)), apply_to = ..)` and `pop`
    fn attribute(&mut self, loc: Loc, start: usize) {
        let toks: Vec<Token> = self.out.pragma_toks.get(start..).unwrap_or(&[]).to_vec();
        // An optional namespace: `clang attribute NAME.push`.
        let at = if toks.get(3).is_some_and(|t| t.kind == TokenKind::Dot) { 4 } else { 2 };
        let kind = match toks.get(at) {
            Some(t) if t.is(sym::POP) => Some(PragmaKind::AttributePop),
            Some(t) if t.is(sym::PUSH) => {
                attribute_push(toks.get(at + 1..).unwrap_or(&[])).map(|((a, b), (c, d))| {
                    let shift = |n: usize| (start + at + 1 + n) as u32;
                    PragmaKind::AttributePush { attrs: (shift(a), shift(b)), subjects: (shift(c), shift(d)) }
                })
            }
            _ => None,
        };
        match kind {
            Some(kind) => self.record(kind, loc, start),
            None => self.malformed(loc, "clang attribute"),
        }
    }

    /// The tokens after macro expansion.
    fn expand_toks(&mut self, toks: &[Token]) -> Vec<Token> {
        let mut out = Vec::new();
        self.push_barrier(toks);
        loop {
            let tok = self.expanded();
            if matches!(tok.kind, TokenKind::Eof | TokenKind::Eod) {
                break;
            }
            out.push(tok);
        }
        self.pop_barrier();
        out
    }

    fn small_number(&self, tok: &Token) -> Option<u32> {
        if tok.kind != TokenKind::Number {
            return None;
        }
        let text = std::str::from_utf8(self.cx.text(tok)).ok()?;
        match text.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        }
    }

    /// `unroll`, `unroll N`, `unroll(N)`, `nounroll`
    fn unroll(&mut self, loc: Loc, start: usize, word: Symbol, toks: &[Token]) {
        let toks = self.expand_toks(toks);
        let count = match toks.as_slice() {
            [] => None,
            [n] | [_, n, _] => self.small_number(n),
            _ => None,
        };
        let kind = match (word, toks.is_empty(), count) {
            (sym::NOUNROLL, ..) => PragmaKind::NoUnroll,
            (_, true, _) => PragmaKind::UnrollFull,
            (_, _, Some(n)) => PragmaKind::UnrollCount(n),
            _ => return self.malformed(loc, "unroll"),
        };
        self.record(kind, loc, start);
    }

    /// `clang loop OPTION(VALUE) ...`; only options about unrolling mean something here.
    fn clang_loop(&mut self, loc: Loc, start: usize, toks: &[Token]) {
        let toks = self.expand_toks(toks);
        let mut kind = PragmaKind::Other;
        let mut rest = toks.as_slice();
        while let [option, open, value, close, more @ ..] = rest {
            if open.kind != TokenKind::LParen || close.kind != TokenKind::RParen {
                return self.malformed(loc, "clang loop");
            }
            match (option.sym(), value.sym()) {
                (sym::UNROLL, sym::DISABLE) => kind = PragmaKind::NoUnroll,
                (sym::UNROLL, sym::ENABLE | sym::FULL) => kind = PragmaKind::UnrollFull,
                (sym::UNROLL_COUNT, _) => match self.small_number(value) {
                    Some(n) => kind = PragmaKind::UnrollCount(n),
                    None => return self.malformed(loc, "clang loop"),
                },
                _ => {}
            }
            rest = more;
        }
        if !rest.is_empty() || toks.is_empty() {
            return self.malformed(loc, "clang loop");
        }
        self.record(kind, loc, start);
    }

    /// `pack(N)`, `pack()`, `pack(push)`, `pack(push, N)`, `pack(pop)`, with an optional name
    fn pack(&mut self, loc: Loc, start: usize, toks: &[Token]) {
        let toks = self.expand_toks(toks);
        let [open, inner @ .., close] = toks.as_slice() else { return self.malformed(loc, "pack") };
        if open.kind != TokenKind::LParen || close.kind != TokenKind::RParen {
            return self.malformed(loc, "pack");
        }
        let count = inner.last().and_then(|t| self.small_number(t));
        let power = count.is_none_or(|n| n.is_power_of_two() && n <= 16);
        let kind = match (inner.first(), count) {
            (None, _) => PragmaKind::Pack(0),
            (Some(t), _) if t.is(sym::PUSH) => PragmaKind::PackPush(count),
            (Some(t), _) if t.is(sym::POP) => PragmaKind::PackPop,
            (Some(_), Some(n)) if inner.len() == 1 => PragmaKind::Pack(n),
            _ => return self.malformed(loc, "pack"),
        };
        if power || count == Some(0) {
            self.record(kind, loc, start);
        } else {
            self.malformed(loc, "pack");
        }
    }
}

type Range = (usize, usize);

/// Splits `( __attribute__ (( ATTRS )) , apply_to = SUBJECTS )`: ranges of the two lists.
fn attribute_push(toks: &[Token]) -> Option<(Range, Range)> {
    let kinds: Vec<TokenKind> = toks.iter().take(4).map(|t| t.kind).collect();
    let word = toks.get(1)?.sym();
    if kinds != [TokenKind::LParen, TokenKind::Ident, TokenKind::LParen, TokenKind::LParen]
        || !(word == kw::ATTRIBUTE__ || word == kw::ATTRIBUTE_)
    {
        return None;
    }
    let close = 3 + super::macros::paren_len(toks.get(3..)?)?;
    let tail: Vec<TokenKind> = toks.get(close..close + 4)?.iter().map(|t| t.kind).collect();
    let last = toks.len() - 1;
    if tail != [TokenKind::RParen, TokenKind::Comma, TokenKind::Ident, TokenKind::Assign]
        || !toks.get(close + 2)?.is(sym::APPLY_TO)
        || toks.get(last)?.kind != TokenKind::RParen
        || last <= close + 4
    {
        return None;
    }
    Some(((4, close - 1), (close + 4, last)))
}

/// `\"` and `\\` inside a string.
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'\\', [next @ (b'"' | b'\\'), after @ ..]) => {
                out.push(*next);
                rest = after;
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}
