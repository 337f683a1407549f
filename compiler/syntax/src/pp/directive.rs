//! Directives and skipped groups.
//!
//! In: a `#` that starts a line. Out: changed macros, an opened file, or tokens passed over.
//! Invariant: when a directive is done, the stream stands at the start of the next line, whatever was
//! wrong with the directive.

use super::Pp;
use super::stream::{Cond, Guard};
use crate::diag::{Diag, codes};
use crate::intern::{Symbol, kw, sym};
use crate::source::{Loc, Span};
use crate::token::{Token, TokenKind};

/// What is left to do after the rest of the line was passed over.
pub(super) enum After {
    Nothing,
    /// Pass over tokens to the next `#elif`, `#else` or `#endif` of this level.
    Skip,
    /// Open a file.
    Open(super::include::Found),
}

impl Pp<'_, '_> {
    /// Carries out the directive that starts with `hash`.
    pub(super) fn directive(&mut self, hash: Token) {
        self.in_directive = true;
        self.carry = 0;
        let tok = self.file_token();
        let after = match tok.kind {
            TokenKind::Eod => After::Nothing,
            TokenKind::Number => self.line_marker(tok),
            TokenKind::Ident => self.named_directive(hash, tok),
            _ => self.unknown_directive(tok),
        };
        self.end_of_line();
        match after {
            After::Nothing => {}
            After::Skip => self.skip_group(),
            After::Open(found) => self.open(found, hash.loc),
        }
    }

    /// Passes over the rest of the directive's line.
    fn end_of_line(&mut self) {
        while !self.exps.is_empty() {
            self.pop_exp();
        }
        while self.file_token().kind != TokenKind::Eod {}
        self.in_directive = false;
    }

    fn named_directive(&mut self, hash: Token, tok: Token) -> After {
        let name = tok.sym();
        let guard = self.files.last().map_or(Guard::Broken, |f| f.guard);
        if let Some(frame) = self.files.last_mut().filter(|f| f.conds.is_empty()) {
            frame.guard = Guard::Broken;
        }
        match name {
            sym::DEFINE => self.define(),
            sym::UNDEF => self.undef(),
            sym::INCLUDE | sym::INCLUDE_NEXT | sym::IMPORT => return self.include(hash, tok),
            kw::IF => return self.if_expr(tok, guard),
            sym::IFDEF | sym::IFNDEF => return self.if_defined(tok, guard),
            sym::ELIF | sym::ELIFDEF | sym::ELIFNDEF | kw::ELSE => return self.else_like(tok),
            sym::ENDIF => self.endif(tok),
            sym::ERROR | sym::WARNING => self.user_message(tok),
            sym::LINE => self.line_directive(tok),
            sym::PRAGMA => self.pragma_directive(tok),
            sym::IDENT | sym::SCCS => {}
            _ => return self.unknown_directive(tok),
        }
        After::Nothing
    }

    fn unknown_directive(&mut self, tok: Token) -> After {
        let text = String::from_utf8_lossy(self.cx.text(&tok)).into_owned();
        let mut diag =
            Diag::new(&codes::UNKNOWN_DIRECTIVE, Span::at(tok.loc), format!("unknown directive `#{text}`"));
        if let Some(near) = nearest(&text) {
            diag = diag.with_help(format!("did you mean `#{near}`?"));
        }
        self.report(diag);
        After::Nothing
    }

    /// Warns about tokens after a complete directive.
    pub(super) fn expect_eod(&mut self, what: &str) {
        let tok = self.file_token();
        if tok.kind != TokenKind::Eod {
            let message = format!("extra tokens after `#{what}`");
            self.report(Diag::new(&codes::EXTRA_TOKENS, Span::at(tok.loc), message));
        }
    }

    fn push_cond(&mut self, tok: Token, value: bool) -> After {
        if let Some(frame) = self.files.last_mut() {
            frame.conds.push(Cond { loc: tok.loc, taken: value, had_else: false });
        }
        if value { After::Nothing } else { After::Skip }
    }

    fn if_expr(&mut self, tok: Token, guard: Guard) -> After {
        let value = self.condition(tok);
        self.start_guard(guard, value.not_defined);
        self.push_cond(tok, value.truth)
    }

    /// `#ifndef X` (or its like) as the first thing of a file may be an include guard.
    fn start_guard(&mut self, before: Guard, name: Option<Symbol>) {
        if let (Guard::Start, Some(name), Some(frame)) = (before, name, self.files.last_mut()) {
            frame.guard = Guard::Inside(name);
        }
    }

    /// The operand of `#ifdef` and its like; `None` if there is no name.
    fn is_defined(&mut self, what: Token) -> Option<(Symbol, bool)> {
        let tok = self.file_token();
        let word = self.cx.names.name(what.sym()).to_string();
        if tok.kind != TokenKind::Ident {
            let at = if tok.kind == TokenKind::Eod { what } else { tok };
            self.error(&codes::MACRO_NAME, Span::at(at.loc), format!("`#{word}` needs a macro name"));
            return None;
        }
        self.expect_eod(&word);
        Some((tok.sym(), self.macros.find(tok.sym()).is_some()))
    }

    fn if_defined(&mut self, tok: Token, guard: Guard) -> After {
        let want = tok.is(sym::IFDEF);
        let found = self.is_defined(tok);
        if !want {
            self.start_guard(guard, found.map(|(name, _)| name));
        }
        self.push_cond(tok, found.is_some_and(|(_, defined)| defined == want))
    }

    /// `#else` and `#elif..` met while tokens are being used: the chosen group is over.
    fn else_like(&mut self, tok: Token) -> After {
        if !self.note_else(tok) {
            return After::Nothing;
        }
        if tok.is(kw::ELSE) {
            self.expect_eod("else");
        }
        After::Skip
    }

    /// Checks the order of `#else` and `#elif`; `false` if no conditional is open.
    fn note_else(&mut self, tok: Token) -> bool {
        let word = self.cx.names.name(tok.sym()).to_string();
        let Some(frame) = self.files.last_mut() else { return false };
        if frame.conds.len() == 1 {
            frame.guard = Guard::Broken;
        }
        let Some(cond) = frame.conds.last_mut() else {
            self.error(&codes::COND_STRAY, Span::at(tok.loc), format!("`#{word}` without `#if`"));
            return false;
        };
        let (again, opened) = (cond.had_else, cond.loc);
        cond.had_else |= tok.is(kw::ELSE);
        if again {
            let message = format!("`#{word}` after `#else`");
            let diag = Diag::new(&codes::COND_ORDER, Span::at(tok.loc), message)
                .with_label(Span::at(opened), "of this conditional");
            self.report(diag);
        }
        true
    }

    fn endif(&mut self, tok: Token) {
        self.expect_eod("endif");
        let Some(frame) = self.files.last_mut() else { return };
        if frame.conds.pop().is_none() {
            self.error(&codes::COND_STRAY, Span::at(tok.loc), "`#endif` without `#if`");
            return;
        }
        if frame.conds.is_empty() {
            frame.guard = match frame.guard {
                Guard::Inside(name) => Guard::After(name),
                Guard::Start | Guard::After(_) | Guard::Broken => Guard::Broken,
            };
        }
    }

    /// Passes over tokens until a group of the innermost conditional is chosen or it ends.
    fn skip_group(&mut self) {
        let mut nested = 0usize;
        loop {
            self.skim_skipped();
            let tok = self.file_token();
            if tok.kind == TokenKind::Eof {
                return;
            }
            if tok.kind != TokenKind::Hash || !tok.flags.bol() {
                continue;
            }
            self.in_directive = true;
            let tok = self.file_token();
            let mut done = false;
            match tok.sym() {
                kw::IF | sym::IFDEF | sym::IFNDEF => nested += 1,
                sym::ENDIF if nested != 0 => nested -= 1,
                sym::ENDIF => {
                    self.endif(tok);
                    done = true;
                }
                kw::ELSE | sym::ELIF | sym::ELIFDEF | sym::ELIFNDEF if nested == 0 => {
                    done = self.choose(tok);
                }
                _ => {}
            }
            self.end_of_line();
            if done {
                return;
            }
        }
    }

    /// `#else` or `#elif..` while skipping: whether its group is the one to use.
    fn choose(&mut self, tok: Token) -> bool {
        self.note_else(tok);
        let open = |pp: &Self| pp.files.last().and_then(|f| f.conds.last()).is_some_and(|c| !c.taken);
        if !open(self) {
            return false;
        }
        let value = match tok.sym() {
            kw::ELSE => {
                self.expect_eod("else");
                true
            }
            sym::ELIF => self.condition(tok).truth,
            _ => {
                let want = tok.is(sym::ELIFDEF);
                self.is_defined(tok).is_some_and(|(_, defined)| defined == want)
            }
        };
        if value && let Some(cond) = self.files.last_mut().and_then(|f| f.conds.last_mut()) {
            cond.taken = true;
        }
        value
    }

    /// `#error`, `#warning`: the rest of the line is the message.
    fn user_message(&mut self, tok: Token) {
        let text = self.rest_of_line();
        let error = tok.is(sym::ERROR);
        let code = if error { &codes::USER_ERROR } else { &codes::USER_WARNING };
        let message =
            if text.is_empty() { format!("`#{}`", if error { "error" } else { "warning" }) } else { text };
        self.report(Diag::new(code, Span::at(tok.loc), message));
    }

    /// What is left of the line of a directive, with white space runs made single.
    fn rest_of_line(&mut self) -> String {
        let mut text = Vec::new();
        loop {
            let tok = self.file_token();
            if tok.kind == TokenKind::Eod {
                break;
            }
            if tok.flags.space() && !text.is_empty() {
                text.push(b' ');
            }
            text.extend_from_slice(self.cx.text(&tok));
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// `#line 12 "name"`; its operands are expanded.
    fn line_directive(&mut self, directive: Token) {
        let number = self.expanded();
        let name = self.expanded();
        let line = self.line_number(number);
        let (Some(line), Some(name)) = (line, self.line_name(name)) else {
            let at = if number.kind == TokenKind::Eod { directive } else { number };
            let message = "`#line` needs a number and perhaps a file name";
            self.error(&codes::LINE_FORM, Span::at(at.loc), message);
            return;
        };
        self.set_line(directive.loc, line, name.as_deref());
    }

    /// `# 12 "name" flags`, as preprocessed text has it.
    fn line_marker(&mut self, number: Token) -> After {
        let name = self.file_token();
        let (Some(line), Some(name)) = (self.line_number(number), self.line_name(name)) else {
            let message = "a line marker needs a number and a file name";
            self.error(&codes::LINE_FORM, Span::at(number.loc), message);
            return After::Nothing;
        };
        self.set_line(number.loc, line, name.as_deref());
        After::Nothing
    }

    fn line_number(&self, tok: Token) -> Option<u32> {
        if tok.kind != TokenKind::Number {
            return None;
        }
        std::str::from_utf8(self.cx.text(&tok)).ok()?.parse::<u32>().ok().filter(|n| *n <= i32::MAX as u32)
    }

    /// The name operand: `Some(None)` when there is none, `None` when it is malformed.
    fn line_name(&self, tok: Token) -> Option<Option<String>> {
        match tok.kind {
            TokenKind::Eod => Some(None),
            TokenKind::Str => {
                let text = self.cx.text(&tok);
                let inner = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
                Some(Some(String::from_utf8_lossy(&super::pragma::unescape(inner)).into_owned()))
            }
            _ => None,
        }
    }

    fn set_line(&mut self, at: Loc, line: u32, name: Option<&str>) {
        self.cx.source.add_line_mark(at, line, name);
    }
}

/// The directive a misspelled word is closest to.
fn nearest(word: &str) -> Option<&'static str> {
    const KNOWN: &[&str] = &[
        "define", "undef", "include", "ifdef", "ifndef", "if", "elif", "else", "endif", "error", "warning",
        "pragma", "line",
    ];
    KNOWN.iter().copied().find(|known| is_near(word.as_bytes(), known.as_bytes()))
}

/// One letter changed, missing, added, or two neighbours swapped.
fn is_near(a: &[u8], b: &[u8]) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let front = short.iter().zip(long).take_while(|(x, y)| x == y).count();
    let (s, l) = (short.get(front..).unwrap_or(&[]), long.get(front..).unwrap_or(&[]));
    if long.len() < 4 || long.len() - short.len() > 1 {
        return false;
    }
    let tail = |t: &[u8], n: usize| t.get(n..).unwrap_or(&[]).to_vec();
    if short.len() == long.len() {
        let swapped =
            s.len() >= 2 && s.first() == l.get(1) && s.get(1) == l.first() && tail(s, 2) == tail(l, 2);
        return swapped || tail(s, 1) == tail(l, 1);
    }
    s == tail(l, 1)
}
