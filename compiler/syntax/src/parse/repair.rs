//! Error repair: after a syntax error the token stream is mended and parsed again.
//!
//! In: tokens. Out: the unit of the last run and one diagnostic per mistake.
//! A fix counts only if it takes the parser further than the error; if none does, the grammar's own
//! recovery (skip to the next `;` or `}`) stands, and errors right behind it are not reported.
//! Invariant: the number of runs is bounded by the size of the program and by the limit on errors.

use super::build::{Goal, SyntaxError};
use super::feed::{Cx, Edit, UNKNOWN};
use super::pragma::Pragmas;
use super::report::{self, Fix};
use super::tok::Tok;
use super::{Pass, brackets, pass};
use crate::ast::Unit;
use crate::diag::{Diag, codes};
use crate::intern::Symbol;
use crate::source::{Loc, Span};
use crate::token::{self, Token, TokenKind};

/// The most syntax errors of one program worth telling.
const MAX_ERRORS: usize = 20;
/// Tokens fed to all runs together.
const MAX_WORK: usize = 30_000_000;
/// After skipped text the parser must get this far before an error is news.
const QUIET: u32 = 4;

/// The changes made so far.
#[derive(Clone, Default)]
pub struct Plan {
    /// By token; several for one token in the order they apply.
    pub edits: Vec<(u32, Edit)>,
    pub types: Vec<Symbol>,
}

impl Plan {
    fn with(&self, fix: &Fix) -> Plan {
        let mut plan = self.clone();
        match fix {
            Fix::Edits(edits) => plan.edits.extend(edits),
            Fix::Type(sym) => plan.types.push(*sym),
        }
        plan.edits.sort_by_key(|e| e.0);
        plan
    }
}

struct Repair<'a> {
    cx: &'a Cx<'a>,
    pragmas: &'a Pragmas,
    start: Tok,
    cut_off: bool,
    plan: Plan,
    work: usize,
    /// The last error outside of any body.
    outside: Option<u32>,
    diags: Vec<Diag>,
}

/// Parses, mends and parses again until nothing is left to tell.
///
/// `cut_off` says that the text ends too early for a reason already told.
pub fn run(cx: &Cx<'_>, pragmas: &Pragmas, start: Tok, cut_off: bool) -> (Unit, Option<Goal>, Vec<Diag>) {
    let first = pass(cx, pragmas, start, &Plan::default());
    if first.errors.is_empty() {
        return finish(cx, first, Vec::new());
    }
    let mut repair = Repair {
        cx,
        pragmas,
        start,
        cut_off,
        plan: Plan::default(),
        work: 0,
        outside: None,
        diags: Vec::new(),
    };
    let last = repair.all(first);
    let diags = std::mem::take(&mut repair.diags);
    finish(cx, last, diags)
}

fn finish(cx: &Cx<'_>, pass: Pass, mut diags: Vec<Diag>) -> (Unit, Option<Goal>, Vec<Diag>) {
    for &at in cx.stray.borrow().iter() {
        let Some(tok) = cx.toks.get(at as usize) else { continue };
        let spelling = String::from_utf8_lossy(token::text(tok, cx.source, cx.names)).into_owned();
        match tok.kind {
            TokenKind::Ident => {
                let message = format!("`{spelling}` is not supported");
                diags.push(Diag::new(&codes::UNSUPPORTED, Span::at(tok.loc), message));
            }
            TokenKind::Hash | TokenKind::HashHash => {
                let diag = Diag::new(
                    &codes::STRAY_TOKEN,
                    Span::at(tok.loc),
                    format!("stray `{spelling}` in the program"),
                );
                diags.push(diag.with_note("a directive starts with `#` as the first character of its line"));
            }
            // The preprocessor has reported it.
            _ => {}
        }
    }
    if let Some((at, message)) = cx.too_deep.get() {
        diags.push(Diag::new(&codes::NESTING, cx.span(at, at + 1), message));
    }
    diags.extend(pass.diags);
    (pass.unit, pass.goal, diags)
}

impl Repair<'_> {
    fn pass(&mut self, plan: &Plan) -> Pass {
        self.work += self.cx.toks.len() + 1000;
        pass(self.cx, self.pragmas, self.start, plan)
    }

    fn all(&mut self, first: Pass) -> Pass {
        let mut now = first;
        // Errors in front of this token have been dealt with.
        let mut done = 0;
        if let Some(better) = self.forgotten_brace(&now) {
            now = better;
        }
        while let Some(error) = next_error(&now, done) {
            if self.diags.len() >= MAX_ERRORS || self.cx.too_deep.get().is_some_and(|(at, _)| error.at >= at)
            {
                break;
            }
            let finding = report::explain(self.cx, &now.unit, &error);
            let outside = brackets::outside_bodies(self.cx.toks, error.at as usize);
            let again = outside && self.same_region(error.at);
            if outside {
                self.outside = Some(error.at);
            }
            let told = self.diags.iter().any(|d| d.message == finding.diag.message);
            if !again && !self.is_consequence(error.at) && !(told && names_something(&finding.diag)) {
                self.diags.push(finding.diag);
            }
            match self.best(&now, &error, done, &finding.fixes) {
                Some((plan, pass)) => {
                    self.plan = plan;
                    now = pass;
                }
                None => done = error.resume.max(error.at) + QUIET,
            }
        }
        now
    }

    /// The first fix that works well, or the one that works best; none if skipping gets further.
    fn best(&mut self, now: &Pass, error: &SyntaxError, done: u32, fixes: &[Fix]) -> Option<(Plan, Pass)> {
        let mut best: Option<(u32, Plan, Pass)> = None;
        for fix in fixes {
            if self.work > MAX_WORK {
                break;
            }
            let plan = self.plan.with(fix);
            let pass = self.pass(&plan);
            let reached = reach(&pass, done);
            if reached > error.at && best.as_ref().is_none_or(|b| reached > b.0) {
                best = Some((reached, plan, pass));
            }
            if reached > error.at.saturating_add(QUIET) {
                break;
            }
        }
        let (reached, plan, pass) = best?;
        let poor = reached <= error.at.saturating_add(QUIET);
        if poor && reach(now, error.resume.max(error.at + 1)) > reached {
            return None;
        }
        Some((plan, pass))
    }

    /// A brace that is never closed shows far from where it is missing: look for it first.
    fn forgotten_brace(&mut self, now: &Pass) -> Option<Pass> {
        if self.cut_off || self.cx.too_deep.get().is_some() {
            return None;
        }
        let lost = brackets::unclosed_brace(self.cx)?;
        let closing = vec![(lost.before, Edit::Insert(Tok::RBrace)); lost.count as usize];
        let mut ended = closing.clone();
        ended.push((lost.before, Edit::Insert(Tok::Semi)));
        let error = next_error(now, 0)?;
        let (plan, pass) = self.best(now, &error, 0, &[Fix::Edits(closing), Fix::Edits(ended)])?;
        let quote = |at: u32| self.cx.span(at, at + 1);
        let mut diag = Diag::new(&codes::UNBALANCED, quote(lost.open), "this `{` is never closed");
        if self.cx.toks.get(lost.before as usize).is_some_and(|t| t.kind != TokenKind::Eof) {
            diag = diag.with_label(quote(lost.before), "a `}` seems to be missing before this");
        }
        self.diags.push(diag);
        self.plan = plan;
        Some(pass)
    }

    /// Whether no line has started at the margin since the last error outside of bodies: then this is
    /// still the rest of what went wrong there.
    fn same_region(&self, at: u32) -> bool {
        let Some(last) = self.outside else { return false };
        let between = self.cx.toks.get(last as usize + 1..=at as usize).unwrap_or(&[]);
        let margin = |t: &Token| t.flags.bol() && self.cx.source.line_col(t.loc).is_some_and(|p| p.col == 1);
        !between.iter().any(margin)
    }

    /// Whether something else is to blame, and has been reported: a token that was dropped, a string
    /// whose missing quote swallowed what is missing now, the end that came too early.
    fn is_consequence(&self, at: u32) -> bool {
        let tok = |at: u32| self.cx.toks.get(at as usize);
        if self.cut_off && tok(at).is_none_or(|t| t.kind == TokenKind::Eof) {
            return true;
        }
        let Some(before) = at.checked_sub(1) else { return false };
        let near = self.cx.stray.borrow().iter().any(|&stray| stray < at && at - stray <= 2 * QUIET);
        near || tok(before)
            .is_some_and(|t| matches!(t.kind, TokenKind::Str | TokenKind::Char) && self.is_open(t.loc))
    }

    fn is_open(&self, loc: Loc) -> bool {
        let spelled = self.cx.source.spelling(loc);
        let len = self.cx.source.token_len(spelled);
        !matches!(self.cx.source.slice(spelled, len), [.., b'"' | b'\'']) || len < 2
    }
}

/// Whether the message is about a name, so that saying it once is enough.
fn names_something(diag: &Diag) -> bool {
    [&codes::UNKNOWN_MACRO, &codes::UNKNOWN_TYPE].contains(&diag.code)
}

/// How far a run got behind token `done` without an error.
fn reach(pass: &Pass, done: u32) -> u32 {
    next_error(pass, done).map_or(u32::MAX, |e| e.at)
}

fn next_error(pass: &Pass, done: u32) -> Option<SyntaxError> {
    pass.errors.iter().filter(|e| e.at >= done).min_by_key(|e| e.at).cloned()
}

/// Marks the names a plan treats as types.
pub fn mark_types(cx: &Cx<'_>, plan: &Plan) {
    for &sym in &plan.types {
        cx.set_class(sym, super::feed::TYPE | UNKNOWN);
    }
}
