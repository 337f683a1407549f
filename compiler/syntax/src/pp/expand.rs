//! Macro expansion, the way clang does it.
//!
//! In: an identifier that names a macro, and the stream behind it. Out: one more frame on the stream.
//! There are no hide sets: a macro is disabled while its expansion is open, and a name met while its
//! macro is disabled is marked `NO_EXPAND` for good (C11 6.10.3.4p2, with clang's answer to the
//! question the standard leaves open). `#` and `##` are carried out while arguments are substituted.
//! Invariant: every token produced here is counted (see `spend`) and has a location in the expansion.

use super::Pp;
use super::builtin::Builtin;
use super::macros::{Kind, Macro, MacroId, paren_len};
use crate::diag::{Diag, codes};
use crate::intern::{Symbol, class, sym};
use crate::lexer;
use crate::pp::Std;
use crate::source::{ExpId, Loc, Span};
use crate::token::{TokFlags, Token, TokenKind};

/// How deeply macro calls in arguments of macro calls may nest.
const DEPTH_LIMIT: u32 = 400;
/// Longest token `##` and `#` may make.
const TOKEN_LIMIT: usize = 1 << 20;

/// The arguments of one macro call.
struct Args {
    /// All arguments as written, then those that were expanded.
    toks: Vec<Token>,
    raw: Vec<(u32, u32)>,
    expanded: Vec<Option<(u32, u32)>>,
    /// The variadic argument is absent (not just empty).
    elided: bool,
    /// The closing parenthesis.
    close: Loc,
}

impl Args {
    fn raw(&self, at: usize) -> &[Token] {
        self.slice(self.raw.get(at).copied())
    }

    fn expanded(&self, at: usize) -> &[Token] {
        self.slice(self.expanded.get(at).copied().flatten())
    }

    fn slice(&self, range: Option<(u32, u32)>) -> &[Token] {
        let (start, end) = range.unwrap_or((0, 0));
        self.toks.get(start as usize..end as usize).unwrap_or(&[])
    }
}

/// State of one substitution.
struct Subst<'a> {
    m: Macro,
    args: &'a Args,
    exp: ExpId,
    /// Where the result starts in `Pp::buf`.
    start: usize,
    /// A `##` waits for its right operand.
    paste: bool,
    /// An empty argument left its white space to the next token.
    space: bool,
}

impl Pp<'_, '_> {
    /// The next token after macro expansion; `Eof` at the end of a file or barrier, `Eod` at the end of
    /// a directive.
    pub(super) fn expanded(&mut self) -> Token {
        loop {
            let mut tok = self.raw();
            if tok.kind == TokenKind::Ident {
                let class = self.cx.names.class(tok.sym());
                if class & (class::MACRO | class::POISONED) != 0 {
                    if class & class::POISONED != 0 {
                        self.poisoned(tok);
                    }
                    if class & class::MACRO != 0 && self.expand(&mut tok) {
                        continue;
                    }
                }
            }
            return tok;
        }
    }

    pub(super) fn poisoned(&mut self, tok: Token) {
        let message = format!("`{}` was poisoned", self.cx.names.name(tok.sym()));
        self.error(&codes::POISONED, Span::at(tok.loc), message);
    }

    /// Expands the macro `tok` names: `true` if its expansion is next in the stream, `false` if `tok`
    /// (perhaps changed) is the result.
    fn expand(&mut self, tok: &mut Token) -> bool {
        let Some(id) = self.macros.find(tok.sym()) else { return false };
        let Some(m) = self.definition_of(id) else { return false };
        if tok.flags.has(TokFlags::NO_EXPAND) {
            return false;
        }
        if !m.is_enabled() {
            tok.flags.0 |= TokFlags::NO_EXPAND;
            return false;
        }
        match m.kind {
            Kind::Builtin(builtin) => self.guarded_builtin(builtin, tok),
            Kind::Object => self.expand_object(id, &m, tok),
            // `definition_of` has read it.
            Kind::Unread => false,
            Kind::Function { variadic } => self.expand_function(id, &m, variadic, tok),
        }
    }

    /// Built-in macros read their operands themselves, perhaps with more of their kind in them.
    fn guarded_builtin(&mut self, builtin: Builtin, tok: &mut Token) -> bool {
        // While arguments are expanded on their own `_Pragma` stays, for the rescan to find.
        if builtin == Builtin::Pragma && (self.depth != 0 || self.in_directive) {
            return false;
        }
        if !self.go_deeper(tok.loc) {
            return false;
        }
        let vanished = self.expand_builtin(builtin, tok);
        self.depth -= 1;
        vanished
    }

    /// Counts one more level of nesting; beyond the limit everything ends.
    fn go_deeper(&mut self, at: Loc) -> bool {
        if self.depth >= DEPTH_LIMIT {
            if !self.stopped {
                self.error(&codes::EXPANSION_LIMIT, Span::at(at), "macro calls are nested too deeply");
            }
            self.stopped = true;
            return false;
        }
        self.depth += 1;
        true
    }

    fn expand_object(&mut self, id: MacroId, m: &Macro, tok: &mut Token) -> bool {
        if m.has_ops {
            let exp = self.cx.source.add_expansion(m.name, tok.loc, tok.loc, m.def);
            let args = Args {
                toks: Vec::new(),
                raw: Vec::new(),
                expanded: Vec::new(),
                elided: false,
                close: tok.loc,
            };
            self.substitute(id, *m, &args, exp, *tok);
            return true;
        }
        match self.macros.body(m) {
            [] => {
                self.carry |= tok.flags.0 & TokFlags::WHITE;
                true
            }
            &[only] if only.kind != TokenKind::Ident || self.is_plain(only) => {
                let exp = self.cx.source.add_expansion(m.name, tok.loc, tok.loc, m.def);
                let lead = tok.flags.0 & TokFlags::WHITE;
                *tok = only;
                tok.flags.0 = (tok.flags.0 & !TokFlags::WHITE) | lead;
                tok.loc = self.macro_loc(only.loc, exp);
                false
            }
            _ => {
                let exp = self.cx.source.add_expansion(m.name, tok.loc, tok.loc, m.def);
                self.push_body(id, m.body, exp, tok.flags.0);
                true
            }
        }
    }

    fn is_plain(&self, tok: Token) -> bool {
        self.cx.names.class(tok.sym()) & (class::MACRO | class::POISONED) == 0
    }

    fn expand_function(&mut self, id: MacroId, m: &Macro, variadic: bool, tok: &mut Token) -> bool {
        if !self.next_is_lparen() {
            return false;
        }
        self.raw();
        self.collecting += 1;
        let args = self.collect_args(m, variadic, *tok);
        self.collecting -= 1;
        let Some(mut args) = args else {
            // A value stands in for the malformed call: the fewest errors follow from that.
            *tok = self.made(TokenKind::Number, b"0", *tok);
            return false;
        };
        if self.macros.body(m).is_empty() {
            self.carry |= tok.flags.0 & TokFlags::WHITE;
        } else {
            let exp = self.cx.source.add_expansion(m.name, tok.loc, args.close, m.def);
            if m.param_count() == 0 && !m.has_ops {
                self.push_body(id, m.body, exp, tok.flags.0);
            } else {
                self.expand_args(m, variadic, &mut args);
                self.substitute(id, *m, &args, exp, *tok);
            }
        }
        self.give_back(args.toks);
        true
    }

    /// Reads the arguments after `(` up to the matching `)`, and checks their number.
    fn collect_args(&mut self, m: &Macro, variadic: bool, name: Token) -> Option<Args> {
        let mut toks = self.spare.pop().unwrap_or_default();
        let mut raw: Vec<(u32, u32)> = Vec::with_capacity(m.param_count());
        let (mut start, mut depth) = (0u32, 0u32);
        let close = loop {
            let mut tok = self.raw();
            match tok.kind {
                TokenKind::Eof | TokenKind::Eod => {
                    self.unterminated_call(m, name);
                    return None;
                }
                TokenKind::LParen => depth += 1,
                TokenKind::RParen if depth == 0 => break tok.loc,
                TokenKind::RParen => depth -= 1,
                TokenKind::Comma if depth == 0 && !(variadic && raw.len() + 1 == m.param_count()) => {
                    raw.push((start, toks.len() as u32));
                    start = toks.len() as u32;
                    continue;
                }
                TokenKind::Ident => {
                    // Collecting may close the expansion the name came from and so enable its macro again;
                    // what is disabled now stays so.
                    let enabled = |id| self.macros.get(id).is_some_and(Macro::is_enabled);
                    if self.macros.find(tok.sym()).is_some_and(|id| !enabled(id)) {
                        tok.flags.0 |= TokFlags::NO_EXPAND;
                    }
                }
                _ => {}
            }
            tok.flags.0 &= !TokFlags::BOL;
            toks.push(tok);
        };
        let comma_elided = toks.last().is_some_and(|t| t.flags.has(TokFlags::COMMA_ELIDED));
        if !(raw.is_empty() && toks.is_empty() && m.param_count() == 0) {
            raw.push((start, toks.len() as u32));
        }
        let missing = m.param_count() - raw.len().min(m.param_count());
        let elided = variadic && (missing == 1 || (m.param_count() == 1 && toks.is_empty()));
        if raw.len() > m.param_count() || (missing != 0 && !(missing == 1 && (variadic || comma_elided))) {
            self.wrong_arg_count(m, variadic, name, raw.len());
            return None;
        }
        raw.resize(m.param_count(), (toks.len() as u32, toks.len() as u32));
        let expanded = vec![None; raw.len()];
        Some(Args { toks, raw, expanded, elided, close })
    }

    fn unterminated_call(&mut self, m: &Macro, name: Token) {
        if self.stopped {
            return;
        }
        let message = format!("missing `)` in the call of macro `{}`", self.cx.names.name(m.name));
        let diag = Diag::new(&codes::MACRO_CALL_OPEN, Span::at(name.loc), message)
            .with_label(Span::at(m.def), "macro defined here");
        self.report(diag);
    }

    fn wrong_arg_count(&mut self, m: &Macro, variadic: bool, name: Token, got: usize) {
        let want = m.param_count() - usize::from(variadic);
        let at_least = if variadic { "at least " } else { "" };
        let plural = if want == 1 { "" } else { "s" };
        let message = format!(
            "macro `{}` takes {at_least}{want} argument{plural}, not {got}",
            self.cx.names.name(m.name)
        );
        let diag = Diag::new(&codes::MACRO_ARGS, Span::at(name.loc), message)
            .with_label(Span::at(m.def), "macro defined here");
        self.report(diag);
    }

    /// Expands, each on its own, the arguments whose expanded form the body uses, in order of first use.
    fn expand_args(&mut self, m: &Macro, variadic: bool, args: &mut Args) {
        for i in m.body.0..m.body.1 {
            let body = &self.macros.bodies;
            let at = |n: u32| body.get(n as usize).filter(|_| (m.body.0..m.body.1).contains(&n));
            let Some(tok) = at(i) else { break };
            let param = if tok.flags.has(TokFlags::PARAM) {
                let before = i.checked_sub(1).and_then(at).map(|t| t.kind);
                let after = at(i + 1).map(|t| t.kind);
                if before == Some(TokenKind::Hash)
                    || before == Some(TokenKind::HashHash)
                    || after == Some(TokenKind::HashHash)
                {
                    continue;
                }
                usize::from(tok.aux)
            } else if variadic && tok.is(sym::VA_OPT) {
                m.param_count() - 1
            } else {
                continue;
            };
            if args.expanded.get(param).is_some_and(Option::is_none) {
                let range = self.expand_arg(args, param);
                if let Some(slot) = args.expanded.get_mut(param) {
                    *slot = Some(range);
                }
            }
        }
    }

    fn expand_arg(&mut self, args: &mut Args, at: usize) -> (u32, u32) {
        let raw = args.raw.get(at).copied().unwrap_or((0, 0));
        let names = &self.cx.names;
        let needs_work = |t: &Token| {
            t.kind == TokenKind::Ident && names.class(t.sym()) & (class::MACRO | class::POISONED) != 0
        };
        if !args.raw(at).iter().any(needs_work) {
            return raw;
        }
        if !self.go_deeper(args.raw(at).first().map_or(Loc::NONE, |t| t.loc)) {
            return raw;
        }
        let carry = std::mem::take(&mut self.carry);
        self.push_barrier(args.raw(at));
        let start = args.toks.len() as u32;
        loop {
            let tok = self.expanded();
            if matches!(tok.kind, TokenKind::Eof | TokenKind::Eod) {
                break;
            }
            args.toks.push(tok);
        }
        self.pop_barrier();
        self.carry = carry;
        self.depth -= 1;
        (start, args.toks.len() as u32)
    }

    /// Builds the replacement of a call in `buf` and opens it.
    fn substitute(&mut self, id: MacroId, m: Macro, args: &Args, exp: ExpId, name: Token) {
        let start = self.buf.len();
        let mut s = Subst { m, args, exp, start, paste: false, space: false };
        self.subst_range(&mut s, m.body.0 as usize, m.body.1 as usize);
        // Placemarkers have done their work.
        let mut keep = start;
        for at in start..self.buf.len() {
            if self.buf.get(at).is_some_and(|t| t.kind != TokenKind::Placemarker) {
                self.buf.swap(keep, at);
                keep += 1;
            }
        }
        self.buf.truncate(keep);
        if keep == start {
            self.carry |= name.flags.0 & TokFlags::WHITE;
        } else {
            self.push_buf(id, start, exp, name.flags.0);
        }
    }

    /// Substitutes `bodies[at..end]`.
    fn subst_range(&mut self, s: &mut Subst<'_>, mut at: usize, end: usize) {
        while at < end && !self.stopped {
            let Some(mut tok) = self.macros.bodies.get(at).copied() else { return };
            let next = self.macros.bodies.get(at + 1).copied().filter(|_| at + 1 < end);
            at += 1;
            let function = matches!(s.m.kind, Kind::Function { .. });
            match tok.kind {
                TokenKind::HashHash => s.paste = true,
                TokenKind::Hash if function => {
                    let Some(operand) = next else { return };
                    at = if operand.flags.has(TokFlags::PARAM) {
                        let text = self.stringify(s.args.raw(usize::from(operand.aux)));
                        self.put_string(s, tok, &text);
                        at + 1
                    } else {
                        self.stringify_va_opt(s, tok, at)
                    };
                }
                TokenKind::Ident if tok.flags.has(TokFlags::PARAM) => {
                    let before_paste = next.is_some_and(|t| t.kind == TokenKind::HashHash);
                    self.put_param(s, tok, before_paste);
                }
                TokenKind::Ident if function && tok.is(sym::VA_OPT) => {
                    at = self.subst_va_opt(s, at, tok.flags.0);
                }
                _ => {
                    tok.loc = self.macro_loc(tok.loc, s.exp);
                    self.put(s, tok);
                }
            }
        }
    }

    /// `__VA_OPT__`, whose `(` is at `at`; returns where the body goes on.
    fn subst_va_opt(&mut self, s: &mut Subst<'_>, at: usize, flags: u8) -> usize {
        let len = self.macros.bodies.get(at..).and_then(paren_len).unwrap_or(2);
        let last = s.m.param_count().saturating_sub(1);
        let before = self.buf.len();
        let pasting = s.paste;
        if !s.args.expanded(last).is_empty() {
            s.space |= flags & TokFlags::SPACE != 0;
            self.subst_range(s, at + 1, at + len - 1);
        }
        if self.buf.len() == before && s.paste == pasting {
            let mark = Token::new(TokenKind::Placemarker, Loc::NONE);
            self.put(s, mark);
        }
        at + len
    }

    /// `# __VA_OPT__(..)`, whose name is at `at`; returns where the body goes on.
    fn stringify_va_opt(&mut self, s: &mut Subst<'_>, hash: Token, at: usize) -> usize {
        let start = self.buf.len();
        let paste = std::mem::take(&mut s.paste);
        let outer_start = std::mem::replace(&mut s.start, start);
        let after = self.subst_va_opt(s, at + 1, 0);
        let made: Vec<Token> = self.buf.drain(start.min(self.buf.len())..).collect();
        (s.paste, s.start) = (paste, outer_start);
        let text = self.stringify(&made);
        self.put_string(s, hash, &text);
        after
    }

    /// A parameter: its raw argument next to `##`, else its expanded one.
    fn put_param(&mut self, s: &mut Subst<'_>, param: Token, before_paste: bool) {
        let at = usize::from(param.aux);
        if !s.paste && !before_paste {
            let args = s.args;
            self.put_all(s, param, args.expanded(at));
            return;
        }
        let raw = s.args.raw(at);
        let last = at + 1 == s.m.param_count();
        let rest = last && matches!(s.m.kind, Kind::Function { variadic: true });
        let after_comma =
            self.buf.len() > s.start && self.buf.last().is_some_and(|t| t.kind == TokenKind::Comma);
        if s.paste && rest && after_comma && (!raw.is_empty() || self.drops_comma(s)) {
            // GNU `, ## args`: no paste; without the argument, no comma either.
            s.paste = false;
            if raw.is_empty() {
                self.buf.pop();
                if self.buf.len() > s.start
                    && let Some(t) = self.buf.last_mut()
                {
                    t.flags.0 |= TokFlags::COMMA_ELIDED;
                }
                if before_paste {
                    self.put(s, Token::new(TokenKind::Placemarker, Loc::NONE));
                }
                return;
            }
        }
        if raw.is_empty() {
            self.put(s, Token::new(TokenKind::Placemarker, Loc::NONE));
        } else {
            self.put_all(s, param, raw);
        }
    }

    /// Whether `, ## args` with an empty argument loses its comma.
    fn drops_comma(&self, s: &Subst<'_>) -> bool {
        let options = &self.cx.options;
        let strict = options.strict && options.std >= Std::C99;
        s.args.elided && !(strict && s.m.param_count() < 2)
    }

    fn put_all(&mut self, s: &mut Subst<'_>, param: Token, toks: &[Token]) {
        if toks.is_empty() {
            s.space |= param.flags.space();
        }
        for (i, &tok) in toks.iter().enumerate() {
            if self.stopped {
                return;
            }
            let mut tok = tok;
            if i == 0 {
                tok.flags.0 = (tok.flags.0 & !TokFlags::WHITE) | (param.flags.0 & TokFlags::SPACE);
            }
            tok.loc = self.macro_loc(tok.loc, s.exp);
            self.put(s, tok);
        }
    }

    fn put_string(&mut self, s: &mut Subst<'_>, hash: Token, text: &[u8]) {
        let mut tok = hash;
        tok.kind = TokenKind::Str;
        tok.flags.0 = (tok.flags.0 & TokFlags::SPACE) | TokFlags::INTERNED;
        tok.val = self.cx.names.intern(text).0;
        tok.loc = self.macro_loc(hash.loc, s.exp);
        self.spend(text.len() / 4, tok.loc);
        self.put(s, tok);
    }

    /// Appends one token, or pastes it to the last one.
    fn put(&mut self, s: &mut Subst<'_>, mut tok: Token) {
        if std::mem::take(&mut s.space) {
            tok.flags.0 |= TokFlags::SPACE;
        }
        let lhs = if s.paste && self.buf.len() > s.start { self.buf.pop() } else { None };
        s.paste = false;
        let Some(lhs) = lhs else {
            self.buf.push(tok);
            return;
        };
        if lhs.kind == TokenKind::Placemarker {
            tok.flags.0 = (tok.flags.0 & !TokFlags::SPACE) | (lhs.flags.0 & TokFlags::SPACE);
            self.buf.push(tok);
        } else if tok.kind == TokenKind::Placemarker {
            self.buf.push(lhs);
        } else if let Some(both) = self.paste(lhs, tok) {
            self.buf.push(both);
        } else {
            self.buf.extend([lhs, tok]);
        }
    }

    /// `lhs ## rhs`
    fn paste(&mut self, lhs: Token, rhs: Token) -> Option<Token> {
        let mut text = self.cx.text(&lhs).to_vec();
        text.extend_from_slice(self.cx.text(&rhs));
        self.spend(text.len() / 4, lhs.loc);
        let kind = if text.len() <= TOKEN_LIMIT { lexer::classify(&text) } else { None };
        let Some(kind) = kind else {
            let shown = String::from_utf8_lossy(text.get(..text.len().min(64)).unwrap_or(&[])).into_owned();
            let message = format!("pasting makes `{shown}`, which is not one token");
            self.error(&codes::PASTE, Span::at(lhs.loc), message);
            return None;
        };
        let mut tok = Token { kind, flags: TokFlags(lhs.flags.0 & TokFlags::SPACE), aux: 0, ..lhs };
        tok.val = match kind {
            TokenKind::Ident => self.cx.names.intern(&text).0,
            _ if !kind.spelling().is_empty() && kind.spelling().as_bytes() == text.as_slice() => 0,
            _ => {
                tok.flags.0 |= TokFlags::INTERNED;
                self.cx.names.intern(&text).0
            }
        };
        Some(tok)
    }

    /// The string literal `#` makes of an argument.
    fn stringify(&mut self, toks: &[Token]) -> Vec<u8> {
        let mut out = vec![b'"'];
        let toks = toks.iter().filter(|t| t.kind != TokenKind::Placemarker);
        for (i, tok) in toks.enumerate() {
            if i != 0 && tok.flags.space() {
                out.push(b' ');
            }
            let quoted = matches!(tok.kind, TokenKind::Str | TokenKind::Char | TokenKind::OpenQuote);
            for &b in self.cx.text(tok) {
                if quoted && matches!(b, b'"' | b'\\') {
                    out.push(b'\\');
                }
                out.push(b);
            }
            if out.len() > TOKEN_LIMIT {
                break;
            }
        }
        // A stray backslash at the end would swallow the closing quote.
        if out.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1 {
            out.pop();
        }
        out.push(b'"');
        out
    }

    /// The symbol of `text`, for tokens made out of nothing.
    pub(super) fn made(&mut self, kind: TokenKind, text: &[u8], like: Token) -> Token {
        let Symbol(val) = self.cx.names.intern(text);
        let flags = TokFlags((like.flags.0 & TokFlags::WHITE) | TokFlags::INTERNED);
        Token { kind, flags, aux: 0, val, loc: like.loc }
    }
}
