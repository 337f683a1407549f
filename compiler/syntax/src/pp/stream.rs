//! Where the next token comes from: a stack of files, and above it a stack of macro expansions.
//!
//! In: file text, macro bodies, substituted arguments. Out: one raw token at a time (directives already
//! carried out, macros not yet expanded).
//! Invariant: a file is read only while no expansion is open; a macro is disabled exactly as long as its
//! expansion is on the stack, and leaves the stack when the token *after* its last one is asked for.

use super::Pp;
use super::macros::MacroId;
use super::skim::Open;
use crate::Session;
use crate::diag::{Code, Diag, Severity, codes};
use crate::intern::Symbol;
use crate::lexer::{self, Cursor};
use crate::source::{ExpId, FileId, Loc, Span, Text};
use crate::token::{TokFlags, Token, TokenKind};

/// Tokens lexed at once; a buffer of them stays in the first-level cache.
const CHUNK: usize = 1024;

/// Files from this size on get memory set aside first.
const LARGE: usize = 1 << 18;

/// One open conditional.
pub(super) struct Cond {
    /// The `if` of `#if`, `#ifdef` or `#ifndef`.
    pub(super) loc: Loc,
    /// A group was already chosen.
    pub(super) taken: bool,
    /// `#else` was seen.
    pub(super) had_else: bool,
}

/// How far the file looks like `#ifndef X .. #endif` and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Guard {
    Start,
    Inside(Symbol),
    After(Symbol),
    Broken,
}

/// One open file.
pub(super) struct FileFrame {
    pub(super) file: FileId,
    pub(super) text: Text,
    base: Loc,
    cursor: Cursor,
    buf: Vec<Token>,
    next: usize,
    /// Everything up to `limit` was lexed.
    done: bool,
    /// Where lexing stops: the end of the text, or of the part of it that is to be read now.
    limit: usize,
    /// What is behind `limit` is skimmed first.
    lazy: bool,
    /// `limit` is inside a declaration; the brackets that are open there.
    pub(super) inside: Option<Option<Open>>,
    pub(super) conds: Vec<Cond>,
    pub(super) guard: Guard,
    /// Directory the file was found in: where `#include_next` goes on.
    pub(super) dir: Option<usize>,
    /// Its entry in the table of known files.
    pub(super) known: Option<usize>,
}

impl FileFrame {
    /// Lexes the next piece; `false` at the end of the file.
    fn refill(&mut self, cx: &mut Session<'_>) -> bool {
        if self.done {
            return false;
        }
        self.buf.clear();
        self.next = 0;
        let text = self.text.get(..self.limit).unwrap_or(&self.text);
        self.done = lexer::lex(text, self.base, &mut self.cursor, &mut cx.names, &mut self.buf, CHUNK);
        !self.buf.is_empty()
    }

    /// Where skimming goes on, when all that was to be read was read.
    pub(super) fn waits_at(&self) -> Option<usize> {
        let used_up = self.lazy && self.done && self.next >= self.buf.len() && self.limit < self.text.len();
        used_up.then_some(self.limit)
    }

    /// Whether declarations of this file may wait.
    pub(super) fn is_lazy(&self) -> bool {
        self.lazy
    }

    /// Makes `text[from..to]` what is to be read next; `bol` if only white space precedes it on its line.
    pub(super) fn read(&mut self, from: usize, to: usize, bol: bool) {
        self.seek(from);
        if bol {
            self.cursor = Cursor::at_line_start(from);
        }
        self.limit = to;
    }

    /// Leaves out everything up to `to`.
    pub(super) fn leave_out(&mut self, to: usize) {
        self.seek(to);
        self.limit = to;
        self.done = true;
    }

    /// Reads the rest of the file as it comes; `false` if that is the case already.
    fn lift(&mut self) -> bool {
        let held_back = self.waits_at().is_some();
        if held_back {
            self.limit = self.text.len();
            self.lazy = false;
            self.done = false;
        }
        held_back
    }

    fn peek(&mut self, cx: &mut Session<'_>) -> Option<Token> {
        loop {
            if let Some(tok) = self.buf.get(self.next) {
                return Some(*tok);
            }
            if !self.refill(cx) {
                return None;
            }
        }
    }

    /// Goes on at byte `offset`, inside a line; what was lexed beyond is forgotten.
    pub(super) fn seek(&mut self, offset: usize) {
        self.buf.clear();
        self.next = 0;
        self.done = false;
        self.cursor = Cursor::at(offset);
    }

    /// Drops buffered tokens that start before `loc`; `false` when the buffer does not reach that far.
    pub(super) fn skip_to(&mut self, loc: Loc) -> bool {
        while let Some(tok) = self.buf.get(self.next) {
            if tok.loc >= loc {
                return true;
            }
            self.next += 1;
        }
        self.done
    }
}

/// One open expansion, or the tokens of an argument being expanded on their own.
pub(super) struct ExpFrame {
    next: usize,
    end: usize,
    /// Tokens come straight from the macro's body (else from `Pp::buf`).
    in_body: bool,
    /// The end of this frame is the end of the input for whoever pushed it.
    barrier: bool,
    first: bool,
    /// White space flags of the first token.
    lead: u8,
    macro_id: Option<MacroId>,
    exp: ExpId,
    buf_start: usize,
}

impl Pp<'_, '_> {
    /// Opens a file that was already added to the source map.
    pub(super) fn push_file(&mut self, file: FileId, text: Text, dir: Option<usize>, known: Option<usize>) {
        let base = self.cx.source.loc(file, 0);
        self.cx.diags.regions.enter_file(base);
        let lazy = self.later.is_some() && self.may_wait();
        if text.len() > LARGE && !lazy {
            // As measured on kernel type dumps, so that nothing is moved while it grows.
            self.cx.names.reserve(text.len() / 48);
            self.out.toks.reserve(text.len() / 5);
        }
        let buf = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(CHUNK));
        self.files.push(FileFrame {
            file,
            base,
            cursor: Cursor::at_start(),
            buf,
            next: 0,
            done: lazy,
            limit: if lazy { 0 } else { text.len() },
            lazy,
            inside: None,
            text,
            conds: Vec::new(),
            guard: Guard::Start,
            dir,
            known,
        });
    }

    /// Opens a part of a file that was read before; `bol` if it starts a line.
    pub(super) fn push_part(&mut self, file: FileId, from: usize, to: usize, bol: bool) {
        let text = self.cx.source.shared_text(file);
        let base = self.cx.source.loc(file, 0);
        let buf = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(CHUNK));
        self.files.push(FileFrame {
            file,
            base,
            cursor: if bol { Cursor::at_line_start(from) } else { Cursor::at(from) },
            buf,
            next: 0,
            done: false,
            limit: to.min(text.len()),
            lazy: false,
            inside: None,
            text,
            conds: Vec::new(),
            guard: Guard::Broken,
            dir: None,
            known: None,
        });
    }

    /// Closes the current file; `false` if it was the last.
    pub(super) fn pop_file(&mut self) -> bool {
        let Some(mut frame) = self.files.pop() else { return false };
        for cond in frame.conds.drain(..) {
            if self.stopped {
                break;
            }
            self.error(&codes::COND_OPEN, Span::at(cond.loc), "conditional without `#endif`");
        }
        if let (Guard::After(name), Some(known)) = (frame.guard, frame.known) {
            self.search.set_guard(known, name);
        }
        self.give_back(std::mem::take(&mut frame.buf));
        self.cx.diags.regions.leave_file(self.cx.source.included_from(frame.file));
        !self.files.is_empty()
    }

    /// Keeps a vector for reuse.
    pub(super) fn give_back(&mut self, mut vec: Vec<Token>) {
        if self.spare.len() < 16 && vec.capacity() <= 4 * CHUNK {
            vec.clear();
            self.spare.push(vec);
        }
    }

    /// The next token of the current file: no expansion, no directives. At the end of a directive's line
    /// `Eod`, at the end of the file `Eof`, both as often as asked.
    pub(super) fn file_token(&mut self) -> Token {
        let end = |cx: &Session<'_>, f: &FileFrame| {
            let mut tok = Token::new(TokenKind::Eof, cx.source.loc(f.file, f.text.len()));
            tok.flags.0 = TokFlags::BOL;
            tok
        };
        let Some(frame) = self.files.last_mut() else { return Token::new(TokenKind::Eof, Loc::NONE) };
        if self.in_directive && self.stopped {
            return Token::new(TokenKind::Eod, self.last_loc);
        }
        if self.stopped {
            return end(self.cx, frame);
        }
        let next = match frame.peek(self.cx) {
            None if !self.in_directive && frame.lift() => frame.peek(self.cx),
            next => next,
        };
        match next {
            None if self.in_directive => Token::new(TokenKind::Eod, self.last_loc),
            None => end(self.cx, frame),
            Some(tok) if self.in_directive && tok.flags.bol() => {
                // The place to point at is the last token of the directive, not the next line.
                Token::new(TokenKind::Eod, self.last_loc)
            }
            Some(tok) => {
                frame.next += 1;
                self.last_loc = tok.loc;
                if tok.kind != TokenKind::OpenComment {
                    return tok;
                }
                let kind = if self.in_directive { TokenKind::Eod } else { TokenKind::Eof };
                let past = Token { kind, ..end(self.cx, frame) };
                self.error(&codes::UNTERMINATED_COMMENT, Span::at(tok.loc), "comment without `*/`");
                past
            }
        }
    }

    /// The next raw token: from the innermost expansion, else from the file with directives carried out.
    /// `Eof` at the end of the current file or barrier.
    pub(super) fn raw(&mut self) -> Token {
        while let Some(frame) = self.exps.last_mut() {
            if frame.next < frame.end && !self.stopped {
                let at = frame.next;
                frame.next += 1;
                let from = if frame.in_body { &self.macros.bodies } else { &self.buf };
                let Some(mut tok) = from.get(at).copied() else { continue };
                if frame.first {
                    frame.first = false;
                    tok.flags.0 = (tok.flags.0 & !TokFlags::WHITE) | frame.lead;
                }
                tok.flags.0 |= std::mem::take(&mut self.carry);
                let (in_body, exp) = (frame.in_body, frame.exp);
                if in_body {
                    tok.loc = self.macro_loc(tok.loc, exp);
                }
                return tok;
            }
            if frame.barrier {
                return Token::new(TokenKind::Eof, Loc::NONE);
            }
            self.pop_exp();
        }
        loop {
            if !self.in_directive && self.collecting == 0 {
                self.skim();
            }
            let mut tok = self.file_token();
            if tok.kind == TokenKind::Hash && tok.flags.bol() && !self.in_directive {
                self.directive(tok);
                continue;
            }
            if !self.in_directive
                && tok.kind != TokenKind::Eof
                && let Some(frame) = self.files.last_mut()
                && frame.conds.is_empty()
            {
                frame.guard = Guard::Broken;
            }
            tok.flags.0 |= std::mem::take(&mut self.carry);
            return tok;
        }
    }

    /// Copies the longest run of tokens that need no work from the current file to the output.
    pub(super) fn copy_plain(&mut self) {
        use crate::intern::class::{MACRO, POISONED};
        let Some(frame) = self.files.last_mut() else { return };
        if self.stopped || self.carry != 0 {
            return;
        }
        loop {
            let rest = frame.buf.get(frame.next..).unwrap_or(&[]);
            let names = &self.cx.names;
            let stop = rest.iter().position(|t| match t.kind {
                TokenKind::Ident => names.class(Symbol(t.val)) & (MACRO | POISONED) != 0,
                TokenKind::Hash => t.flags.bol(),
                TokenKind::OpenComment | TokenKind::Unknown | TokenKind::OpenQuote => true,
                _ => false,
            });
            let run = rest.get(..stop.unwrap_or(rest.len())).unwrap_or(rest);
            if !run.is_empty() {
                self.out.toks.extend_from_slice(run);
                frame.next += run.len();
                if frame.conds.is_empty() {
                    frame.guard = Guard::Broken;
                }
            }
            if stop.is_some() || !frame.refill(self.cx) {
                return;
            }
        }
    }

    /// Whether the next token, wherever it comes from, is `(`.
    pub(super) fn next_is_lparen(&mut self) -> bool {
        for frame in self.exps.iter().rev() {
            if frame.next < frame.end {
                let from = if frame.in_body { &self.macros.bodies } else { &self.buf };
                return from.get(frame.next).is_some_and(|t| t.kind == TokenKind::LParen);
            }
            if frame.barrier {
                return false;
            }
        }
        for frame in self.files.iter_mut().rev() {
            let next = match frame.peek(self.cx) {
                None if !self.in_directive && frame.lift() => frame.peek(self.cx),
                next => next,
            };
            match next {
                Some(tok) => return tok.kind == TokenKind::LParen && !(self.in_directive && tok.flags.bol()),
                None if self.in_directive => return false,
                None => {}
            }
        }
        false
    }

    /// The location of a token of expansion `exp` spelled at `spelling`; counts against the budget.
    pub(super) fn macro_loc(&mut self, spelling: Loc, exp: ExpId) -> Loc {
        if self.budget == 0 {
            let at = self.cx.source.expansion(exp).map_or(Loc::NONE, |e| e.lo);
            self.spend(1, at);
        } else {
            self.budget -= 1;
        }
        self.cx.source.add_macro_tok(spelling, exp)
    }

    /// Takes `n` units off the budget of this compilation, on behalf of `at`.
    pub(super) fn spend(&mut self, n: usize, at: Loc) {
        match self.budget.checked_sub(n) {
            Some(rest) => self.budget = rest,
            None if self.stopped => {}
            None => {
                self.stopped = true;
                let message = "macro expansion produces too many tokens";
                self.error(&codes::EXPANSION_LIMIT, Span::at(at), message);
            }
        }
    }

    /// Opens the expansion of a macro whose tokens are `bodies[body]`.
    pub(super) fn push_body(&mut self, id: MacroId, body: (u32, u32), exp: ExpId, lead: u8) {
        self.macros.set_enabled(id, false);
        let (next, end) = (body.0 as usize, body.1 as usize);
        let buf_start = self.buf.len();
        let lead = lead & TokFlags::WHITE;
        let macro_id = Some(id);
        self.exps.push(ExpFrame {
            next,
            end,
            in_body: true,
            barrier: false,
            first: true,
            lead,
            macro_id,
            exp,
            buf_start,
        });
    }

    /// Opens the expansion of a macro whose tokens are `buf[start..]`.
    pub(super) fn push_buf(&mut self, id: MacroId, start: usize, exp: ExpId, lead: u8) {
        self.macros.set_enabled(id, false);
        let (end, lead) = (self.buf.len(), lead & TokFlags::WHITE);
        self.exps.push(ExpFrame {
            next: start,
            end,
            in_body: false,
            barrier: false,
            first: true,
            lead,
            macro_id: Some(id),
            exp,
            buf_start: start,
        });
    }

    /// Makes `toks` the whole input until [`Self::pop_barrier`].
    pub(super) fn push_barrier(&mut self, toks: &[Token]) {
        let start = self.buf.len();
        self.buf.extend_from_slice(toks);
        self.exps.push(ExpFrame {
            next: start,
            end: self.buf.len(),
            in_body: false,
            barrier: true,
            first: false,
            lead: 0,
            macro_id: None,
            exp: ExpId::NONE,
            buf_start: start,
        });
    }

    /// Makes `tok` the next raw token again.
    pub(super) fn unread(&mut self, tok: Token) {
        self.push_barrier(&[tok]);
        if let Some(frame) = self.exps.last_mut() {
            frame.barrier = false;
        }
    }

    /// Ends what [`Self::push_barrier`] began.
    pub(super) fn pop_barrier(&mut self) {
        while let Some(frame) = self.exps.last() {
            let barrier = frame.barrier;
            self.pop_exp();
            if barrier {
                break;
            }
        }
    }

    /// Closes the innermost expansion.
    pub(super) fn pop_exp(&mut self) {
        if let Some(frame) = self.exps.pop() {
            if let Some(id) = frame.macro_id {
                self.macros.set_enabled(id, true);
            }
            self.buf.truncate(frame.buf_start);
        }
    }

    /// Reports an error.
    pub(super) fn error(&mut self, code: &'static Code, span: Span, message: impl Into<String>) {
        self.report(Diag::new(code, span, message));
    }

    /// Reports; warnings about system headers are nobody's business.
    pub(super) fn report(&mut self, diag: Diag) {
        if diag.severity != Severity::Error
            && let Some(file) = self.cx.source.file_of(diag.span().lo)
            && self.cx.source.is_system(file)
        {
            return;
        }
        self.cx.diags.push(diag);
    }
}
