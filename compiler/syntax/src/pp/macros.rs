//! Macro definitions: the table, `#define`, `#undef`, `push_macro` and `pop_macro`.
//!
//! In: the tokens of a directive line. Out: rows of the table; bodies and parameters live in two arenas.
//! Invariant: a body in the arena is well formed (no `##` at an end, `#` only before a parameter,
//! `__VA_OPT__` balanced), so the expander need not check again.

use super::Pp;
use super::builtin::{BUILTINS, Builtin};
use super::skim;
use crate::Session;
use crate::diag::{Diag, codes};
use crate::intern::{Interner, Symbol, class, sym};
use crate::source::{Loc, SourceMap, Span};
use crate::token::{self, TokFlags, Token, TokenKind};
use std::collections::BTreeMap;

/// Row number in the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct MacroId(u32);

/// What kind of macro it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Object,
    /// With parameters; if variadic, the last one takes the rest.
    Function {
        variadic: bool,
    },
    Builtin(Builtin),
    /// Defined in a header; nothing has needed its body yet.
    Unread,
}

/// A change of the table, to go back and forth in time.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// The row of a name changed.
    Bound { name: Symbol, old: u32, new: u32 },
    /// `#pragma GCC poison`
    Poisoned(Symbol),
}

/// One definition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Macro {
    pub(super) name: Symbol,
    /// The name in the definition.
    pub(super) def: Loc,
    pub(super) kind: Kind,
    pub(super) body: (u32, u32),
    pub(super) params: (u32, u32),
    /// The body holds `##`, `#` or `__VA_OPT__`.
    pub(super) has_ops: bool,
    enabled: bool,
}

impl Macro {
    pub(super) fn param_count(&self) -> usize {
        (self.params.1 - self.params.0) as usize
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.enabled
    }
}

const NONE: u32 = u32::MAX;

/// All macros of a compilation.
#[derive(Default)]
pub struct Macros {
    list: Vec<Macro>,
    /// Row by symbol, `NONE` for names that are no macro.
    by_name: Vec<u32>,
    pub(super) bodies: Vec<Token>,
    params: Vec<Symbol>,
    saved: BTreeMap<Symbol, Vec<Option<MacroId>>>,
    /// All changes so far, and how many of them are in effect.
    events: Vec<Event>,
    now: usize,
}

impl Macros {
    /// A table with the built-in macros.
    pub(super) fn new(names: &Interner) -> Macros {
        let mut table = Macros {
            list: Vec::with_capacity(1 << 11),
            by_name: Vec::with_capacity(1 << 12),
            events: Vec::with_capacity(1 << 11),
            ..Macros::default()
        };
        for &(name, builtin) in BUILTINS {
            table.insert(names, Macro::new(name, Loc::NONE, Kind::Builtin(builtin)));
        }
        table
    }

    pub(super) fn find(&self, name: Symbol) -> Option<MacroId> {
        self.by_name.get(name.0 as usize).copied().filter(|&id| id != NONE).map(MacroId)
    }

    pub(super) fn get(&self, id: MacroId) -> Option<&Macro> {
        self.list.get(id.0 as usize)
    }

    pub(super) fn set_enabled(&mut self, id: MacroId, enabled: bool) {
        if let Some(m) = self.list.get_mut(id.0 as usize) {
            m.enabled = enabled;
        }
    }

    pub(super) fn body(&self, m: &Macro) -> &[Token] {
        self.bodies.get(m.body.0 as usize..m.body.1 as usize).unwrap_or(&[])
    }

    pub(super) fn params(&self, m: &Macro) -> &[Symbol] {
        self.params.get(m.params.0 as usize..m.params.1 as usize).unwrap_or(&[])
    }

    fn insert(&mut self, names: &Interner, m: Macro) {
        let id = MacroId(self.list.len() as u32);
        self.list.push(m);
        self.bind(names, m.name, Some(id));
    }

    /// Adds a definition whose body is read when it is needed.
    pub(super) fn insert_unread(&mut self, names: &Interner, name: Symbol, def: Loc) {
        self.insert(names, Macro::new(name, def, Kind::Unread));
    }

    fn bind(&mut self, names: &Interner, name: Symbol, id: Option<MacroId>) {
        let at = name.0 as usize;
        if at >= self.by_name.len() {
            self.by_name.resize((at + 1).max(names.len()).next_multiple_of(256), NONE);
        }
        let old = self.by_name.get(at).copied().unwrap_or(NONE);
        let new = id.map_or(NONE, |id| id.0);
        self.happen(names, Event::Bound { name, old, new });
    }

    /// `#pragma GCC poison NAME`
    pub(super) fn poison(&mut self, names: &Interner, name: Symbol) {
        self.happen(names, Event::Poisoned(name));
    }

    fn happen(&mut self, names: &Interner, event: Event) {
        self.apply(names, event, true);
        if self.now == self.events.len() {
            self.events.push(event);
            self.now += 1;
        }
    }

    fn apply(&mut self, names: &Interner, event: Event, forward: bool) {
        match event {
            Event::Bound { name, old, new } => {
                let row = if forward { new } else { old };
                if let Some(slot) = self.by_name.get_mut(name.0 as usize) {
                    *slot = row;
                }
                names.set_class(name, class::MACRO, if row == NONE { 0 } else { class::MACRO });
            }
            Event::Poisoned(name) => {
                names.set_class(name, class::POISONED, if forward { class::POISONED } else { 0 });
            }
        }
    }

    /// The number of changes so far: a point in time.
    pub(super) fn time(&self) -> usize {
        self.now
    }

    /// Puts the table into the state it had at `time`.
    pub(super) fn travel(&mut self, names: &Interner, time: usize) {
        while self.now > time
            && let Some(&event) = self.events.get(self.now - 1)
        {
            self.now -= 1;
            self.apply(names, event, false);
        }
        while self.now < time
            && let Some(&event) = self.events.get(self.now)
        {
            self.now += 1;
            self.apply(names, event, true);
        }
    }

    /// The user-visible definitions in order of their names, each as a `#define` line.
    /// Definitions that were not read are left out: see [`super::run`], which reads all.
    pub fn print(&self, source: &SourceMap, names: &Interner) -> String {
        let mut lines: Vec<String> = self
            .by_name
            .iter()
            .filter_map(|&id| self.list.get(id as usize))
            .filter(|m| !matches!(m.kind, Kind::Builtin(_) | Kind::Unread))
            .map(|m| self.print_one(m, source, names))
            .collect();
        lines.sort();
        lines.concat()
    }

    fn print_one(&self, m: &Macro, source: &SourceMap, names: &Interner) -> String {
        let mut line = format!("#define {}", names.name(m.name));
        if let Kind::Function { variadic } = m.kind {
            let mut list: Vec<String> = self.params(m).iter().map(|p| names.name(*p).to_string()).collect();
            if variadic && let Some(last) = list.last_mut() {
                if last == "__VA_ARGS__" {
                    last.clear()
                };
                last.push_str("...");
            }
            line.push_str(&format!("({})", list.join(",")));
        }
        line.push(' ');
        for (i, tok) in self.body(m).iter().enumerate() {
            if i != 0 && tok.flags.space() {
                line.push(' ');
            }
            line.push_str(&String::from_utf8_lossy(token::text(tok, source, names)));
        }
        line.push('\n');
        line
    }

    /// Whether two definitions mean the same (C11 6.10.3p2: same kind, parameters, tokens, and white
    /// space in the same places).
    fn same(&self, a: &Macro, b: &Macro, cx: &Session<'_>) -> bool {
        let (x, y) = (self.body(a), self.body(b));
        a.kind == b.kind
            && self.params(a) == self.params(b)
            && x.len() == y.len()
            && x.iter().zip(y).enumerate().all(|(i, (t, u))| {
                t.kind == u.kind && (i == 0 || t.flags.space() == u.flags.space()) && cx.text(t) == cx.text(u)
            })
    }
}

impl Macro {
    fn new(name: Symbol, def: Loc, kind: Kind) -> Macro {
        Macro { name, def, kind, body: (0, 0), params: (0, 0), has_ops: false, enabled: true }
    }
}

impl Pp<'_, '_> {
    /// Reads a name that is to be (un)defined; reports and returns nothing when it cannot be.
    fn macro_name(&mut self, what: &str) -> Option<Token> {
        let tok = self.file_token();
        let complaint = match tok.kind {
            TokenKind::Eod => format!("`#{what}` needs a macro name"),
            TokenKind::Ident if tok.is(sym::DEFINED) => "`defined` cannot be a macro".to_string(),
            TokenKind::Ident if tok.is(sym::VA_ARGS) || tok.is(sym::VA_OPT) => {
                let name = self.cx.names.name(tok.sym());
                format!("`{name}` cannot be a macro")
            }
            TokenKind::Ident => return Some(tok),
            _ => {
                let text = String::from_utf8_lossy(self.cx.text(&tok)).into_owned();
                format!("macro name must be an identifier, not `{text}`")
            }
        };
        self.error(&codes::MACRO_NAME, Span::at(tok.loc), complaint);
        None
    }

    /// `#undef NAME`
    pub(super) fn undef(&mut self) {
        let Some(tok) = self.macro_name("undef") else { return };
        self.expect_eod("undef");
        if let Some(id) = self.macros.find(tok.sym()) {
            self.warn_builtin(id, tok.sym(), tok.loc, "undefining");
            self.macros.bind(&self.cx.names, tok.sym(), None);
        }
    }

    fn warn_builtin(&mut self, id: MacroId, name: Symbol, at: Loc, doing: &str) {
        if let Some(Kind::Builtin(_)) = self.macros.get(id).map(|m| m.kind) {
            let message = format!("{doing} built-in macro `{}`", self.cx.names.name(name));
            self.report(Diag::new(&codes::BUILTIN_REDEFINED, Span::at(at), message));
        }
    }

    /// `#define NAME ...`
    pub(super) fn define(&mut self) {
        if let Some(m) = self.definition() {
            self.install(m);
        }
    }

    /// Reads a definition from its name on; reports and returns nothing when it is malformed.
    fn definition(&mut self) -> Option<Macro> {
        let name = self.macro_name("define")?;
        let mut m = Macro::new(name.sym(), name.loc, Kind::Object);
        let params_start = self.macros.params.len() as u32;
        let mut first = self.file_token();
        if first.kind == TokenKind::LParen && !first.flags.space() {
            let Some(variadic) = self.params(first) else {
                self.macros.params.truncate(params_start as usize);
                return None;
            };
            m.kind = Kind::Function { variadic };
            first = self.file_token();
        }
        m.params = (params_start, self.macros.params.len() as u32);
        let body_start = self.macros.bodies.len();
        let ok = self.body(&mut m, first);
        if !ok {
            self.macros.bodies.truncate(body_start);
            self.macros.params.truncate(params_start as usize);
            return None;
        }
        m.body = (body_start as u32, self.macros.bodies.len() as u32);
        Some(m)
    }

    /// The definition in this row, read now if that has not been done.
    pub(super) fn definition_of(&mut self, id: MacroId) -> Option<Macro> {
        let m = self.macros.get(id).copied()?;
        if m.kind != Kind::Unread {
            return Some(m);
        }
        let (file, start) = self.cx.source.offset(m.def)?;
        let end = skim::line_end(self.cx.source.text(file), start);
        let (in_directive, last_loc) = (std::mem::replace(&mut self.in_directive, true), self.last_loc);
        self.push_part(file, start, end, false);
        let read = self.definition();
        self.pop_file();
        (self.in_directive, self.last_loc) = (in_directive, last_loc);
        // A malformed one was reported, and stands for nothing from now on.
        let read = read.unwrap_or(Macro::new(m.name, m.def, Kind::Object));
        if let Some(slot) = self.macros.list.get_mut(id.0 as usize) {
            *slot = Macro { enabled: m.enabled, ..read };
        }
        self.macros.get(id).copied()
    }

    fn install(&mut self, m: Macro) {
        if let Some(old) = self.macros.find(m.name) {
            self.warn_builtin(old, m.name, m.def, "redefining");
            if let Some(old) = self.definition_of(old)
                && !matches!(old.kind, Kind::Builtin(_))
                && !self.macros.same(&old, &m, self.cx)
            {
                let message = format!("`{}` redefined", self.cx.names.name(m.name));
                let diag = Diag::new(&codes::REDEFINED, Span::at(m.def), message)
                    .with_label(Span::at(old.def), "previous definition");
                self.report(diag);
            }
        }
        self.macros.insert(&self.cx.names, m);
    }

    /// The parameter list after `(`; whether it is variadic.
    fn params(&mut self, open: Token) -> Option<bool> {
        let start = self.macros.params.len();
        let mut tok = self.file_token();
        if tok.kind == TokenKind::RParen {
            return Some(false);
        }
        loop {
            match tok.kind {
                TokenKind::Ellipsis => {
                    self.macros.params.push(sym::VA_ARGS);
                    return self.close_params(open).then_some(true);
                }
                TokenKind::Ident if tok.is(sym::VA_ARGS) || tok.is(sym::VA_OPT) => {
                    let message = format!("`{}` cannot be a parameter", self.cx.names.name(tok.sym()));
                    self.error(&codes::MACRO_PARAMS, Span::at(tok.loc), message);
                    return None;
                }
                TokenKind::Ident => {
                    let seen = self.macros.params.get(start..).unwrap_or(&[]);
                    if seen.contains(&tok.sym()) {
                        let message = format!("parameter `{}` appears twice", self.cx.names.name(tok.sym()));
                        self.error(&codes::MACRO_PARAMS, Span::at(tok.loc), message);
                        return None;
                    }
                    if seen.len() >= usize::from(u16::MAX) {
                        self.error(&codes::MACRO_PARAMS, Span::at(tok.loc), "too many parameters");
                        return None;
                    }
                    self.macros.params.push(tok.sym());
                }
                _ => return self.bad_params(tok, open, "expected a parameter name"),
            }
            let next = self.file_token();
            match next.kind {
                TokenKind::RParen => return Some(false),
                TokenKind::Comma => {}
                TokenKind::Ellipsis => return self.close_params(open).then_some(true),
                _ => return self.bad_params(next, open, "expected `,` or `)` after the parameter"),
            }
            tok = self.file_token();
        }
    }

    fn bad_params(&mut self, tok: Token, open: Token, message: &str) -> Option<bool> {
        let at = if tok.kind == TokenKind::Eod { open } else { tok };
        let message =
            if tok.kind == TokenKind::Eod { "missing `)` in the parameter list of a macro" } else { message };
        self.error(&codes::MACRO_PARAMS, Span::at(at.loc), message);
        None
    }

    fn close_params(&mut self, open: Token) -> bool {
        let tok = self.file_token();
        if tok.kind == TokenKind::RParen {
            return true;
        }
        self.bad_params(tok, open, "`...` must be the last parameter");
        false
    }

    /// Reads the body up to the end of the line into the arena, parameters marked; `false` if malformed.
    fn body(&mut self, m: &mut Macro, first: Token) -> bool {
        let start = self.macros.bodies.len();
        let params = m.params.0 as usize..m.params.1 as usize;
        let function = matches!(m.kind, Kind::Function { .. });
        let mut tok = first;
        while tok.kind != TokenKind::Eod {
            tok.flags.0 &= !TokFlags::BOL;
            if tok.kind == TokenKind::Ident {
                if function
                    && let Some(at) =
                        self.macros.params.get(params.clone()).and_then(|p| p.iter().position(|p| tok.is(*p)))
                {
                    tok.flags.0 |= TokFlags::PARAM;
                    tok.aux = at as u16;
                } else if !self.plain_body_name(m, tok) {
                    return false;
                }
            }
            m.has_ops |= match tok.kind {
                TokenKind::HashHash => true,
                TokenKind::Hash => function,
                _ => tok.is(sym::VA_OPT),
            };
            self.macros.bodies.push(tok);
            tok = self.file_token();
        }
        !m.has_ops || self.check_ops(start, function)
    }

    /// Checks a name in a body that is no parameter.
    fn plain_body_name(&mut self, m: &Macro, tok: Token) -> bool {
        let variadic = matches!(m.kind, Kind::Function { variadic: true });
        if tok.is(sym::VA_ARGS) {
            let message = "`__VA_ARGS__` means nothing outside a macro with `...`";
            self.report(Diag::new(&codes::VA_ARGS_OUTSIDE, Span::at(tok.loc), message));
        } else if tok.is(sym::VA_OPT) && !variadic {
            self.error(
                &codes::MACRO_BODY,
                Span::at(tok.loc),
                "`__VA_OPT__` can only appear in a variadic macro",
            );
            return false;
        } else if self.cx.names.class(tok.sym()) & class::POISONED != 0 {
            self.poisoned(tok);
        }
        true
    }

    /// The rules about `##`, `#` and `__VA_OPT__` for the body that starts at `start`.
    fn check_ops(&mut self, start: usize, function: bool) -> bool {
        let body = self.macros.bodies.get(start..).unwrap_or(&[]);
        let bad = if let Some(t) = body.first().filter(|t| t.kind == TokenKind::HashHash) {
            Some((t.loc, "`##` cannot start a macro body"))
        } else if let Some(t) = body.last().filter(|t| t.kind == TokenKind::HashHash) {
            Some((t.loc, "`##` cannot end a macro body"))
        } else if function {
            hash_without_param(body).or_else(|| unbalanced_va_opt(body))
        } else {
            None
        };
        if let Some((loc, message)) = bad {
            self.error(&codes::MACRO_BODY, Span::at(loc), message);
        }
        bad.is_none()
    }

    /// `#pragma push_macro("X")`
    pub(super) fn push_macro(&mut self, name: Symbol) {
        let now = self.macros.find(name);
        self.macros.saved.entry(name).or_default().push(now);
    }

    /// `#pragma pop_macro("X")`; `false` if nothing was pushed.
    pub(super) fn pop_macro(&mut self, name: Symbol) -> bool {
        let Some(old) = self.macros.saved.get_mut(&name).and_then(Vec::pop) else { return false };
        self.macros.bind(&self.cx.names, name, old);
        true
    }
}

/// Names that cannot be macros.
pub(super) fn is_reserved(name: Symbol) -> bool {
    matches!(name, sym::DEFINED | sym::VA_ARGS | sym::VA_OPT)
}

fn hash_without_param(body: &[Token]) -> Option<(Loc, &'static str)> {
    let good = |next: Option<&Token>| next.is_some_and(|t| t.flags.has(TokFlags::PARAM) || t.is(sym::VA_OPT));
    body.iter()
        .enumerate()
        .find(|(i, t)| t.kind == TokenKind::Hash && !good(body.get(i + 1)))
        .map(|(_, t)| (t.loc, "`#` must be followed by a parameter"))
}

fn unbalanced_va_opt(body: &[Token]) -> Option<(Loc, &'static str)> {
    let mut i = 0;
    while let Some(tok) = body.get(i) {
        i += 1;
        if !tok.is(sym::VA_OPT) {
            continue;
        }
        if body.get(i).is_none_or(|t| t.kind != TokenKind::LParen) {
            return Some((tok.loc, "expected `(` after `__VA_OPT__`"));
        }
        let Some(len) = paren_len(body.get(i..).unwrap_or(&[])) else {
            return Some((tok.loc, "missing `)` after `__VA_OPT__(`"));
        };
        let inner = body.get(i + 1..i + len - 1).unwrap_or(&[]);
        if inner.iter().any(|t| t.is(sym::VA_OPT)) {
            return Some((tok.loc, "`__VA_OPT__` cannot be nested"));
        }
        if [inner.first(), inner.last()].iter().flatten().any(|t| t.kind == TokenKind::HashHash) {
            return Some((tok.loc, "`##` cannot start or end the text of `__VA_OPT__`"));
        }
        i += len;
    }
    None
}

/// Number of tokens from a `(` to its partner, both included.
pub(super) fn paren_len(toks: &[Token]) -> Option<usize> {
    let mut depth = 0usize;
    for (i, tok) in toks.iter().enumerate() {
        match tok.kind {
            TokenKind::LParen => depth += 1,
            TokenKind::RParen => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(i + 1);
                }
            }
            _ => {}
        }
    }
    None
}
