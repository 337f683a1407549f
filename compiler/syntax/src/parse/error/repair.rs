//! Error repair: after a syntax error the token stream is mended and parsed again.
//!
//! In: tokens. Out: the unit of the last run and one diagnostic per mistake.
//! The grammar has no error recovery of its own: it stops at the first error, [`report`] explains it and
//! proposes fixes, from inserting the missing `;` to leaving out a whole declaration, and the one that
//! takes the parser furthest is kept. So the parser never sees broken input twice, and a mistake that
//! is mended well has no consequences.
//! Invariant: the number of runs is bounded by the size of the program and by the limit on errors.

use super::brackets;
use super::report;
use super::scene::Fix;
use crate::ast::Unit;
use crate::diag::{Diag, codes};
use crate::intern::Symbol;
use crate::parse::build::{Goal, SyntaxError};
use crate::parse::feed::{Cx, Edit, UNKNOWN};
use crate::parse::pragma::Pragmas;
use crate::parse::tok::Tok;
use crate::parse::{Pass, pass};
use crate::source::{Loc, Span};
use crate::token::{self, Token, TokenKind};

/// The most syntax errors of one program worth telling.
const MAX_ERRORS: usize = 20;
/// Tokens fed to all runs together.
const MAX_WORK: usize = 30_000_000;
/// A fix that takes the parser this far is good enough.
const FAR: u32 = 4;

/// The changes made so far.
#[derive(Clone, Default)]
pub struct Plan {
    /// By token; several for one token in the order they apply.
    pub edits: Vec<(u32, Edit)>,
    /// Names to be read as types.
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
    finish(cx, last, repair.diags)
}

/// Adds to the syntax errors what the last run had to say.
fn finish(cx: &Cx<'_>, pass: Pass, mut diags: Vec<Diag>) -> (Unit, Option<Goal>, Vec<Diag>) {
    for &at in &pass.stray {
        let Some(tok) = cx.toks.get(at as usize) else { continue };
        let spelling = String::from_utf8_lossy(token::text(tok, cx.source, cx.names)).into_owned();
        match tok.kind {
            TokenKind::Ident => {
                let message = format!("`{spelling}` is not supported");
                diags.push(Diag::new(&codes::UNSUPPORTED, Span::at(tok.loc), message));
            }
            TokenKind::Hash | TokenKind::HashHash => {
                let message = format!("stray `{spelling}` in the program");
                let diag = Diag::new(&codes::STRAY_TOKEN, Span::at(tok.loc), message);
                diags.push(diag.with_note("a directive starts with `#` as the first character of its line"));
            }
            // The preprocessor has reported it.
            _ => {}
        }
    }
    if let Some((at, message)) = pass.too_deep {
        diags.push(Diag::new(&codes::NESTING, cx.span(at, at + 1), message));
    }
    diags.extend(pass.diags);
    (pass.unit, pass.goal.ok(), diags)
}

impl Repair<'_> {
    fn all(&mut self, first: Pass) -> Pass {
        let mut now = first;
        if let Some(better) = self.forgotten_brace(&now) {
            now = better;
        }
        while let Err(error) = &now.goal {
            if self.diags.len() >= MAX_ERRORS || now.too_deep.is_some() {
                break;
            }
            let finding = report::explain(self.cx, &now.unit, error);
            if !self.is_old_news(&now, error.at, &finding.diag) {
                self.diags.push(finding.diag);
            }
            let Some((plan, pass)) = self.best(error.at, &finding.fixes) else { break };
            self.plan = plan;
            now = pass;
        }
        now
    }

    /// The first fix that works well, or the one that works best.
    fn best(&mut self, at: u32, fixes: &[Fix]) -> Option<(Plan, Pass)> {
        let mut best: Option<(u32, Plan, Pass)> = None;
        for fix in fixes {
            if self.work > MAX_WORK {
                break;
            }
            let plan = self.plan.with(fix);
            let pass = pass(self.cx, self.pragmas, self.start, &plan);
            let reached = reach(&pass);
            self.work += 1000 + self.cx.toks.len().min(reached as usize);
            if reached > at && best.as_ref().is_none_or(|b| reached > b.0) {
                best = Some((reached, plan, pass));
            }
            if reached > at.saturating_add(FAR) {
                break;
            }
        }
        best.map(|(_, plan, pass)| (plan, pass))
    }

    /// A brace that is never closed shows far from where it is missing: look for it first.
    fn forgotten_brace(&mut self, now: &Pass) -> Option<Pass> {
        let error = now.goal.as_ref().err()?;
        if self.cut_off || now.too_deep.is_some() {
            return None;
        }
        let lost = brackets::unclosed_brace(self.cx)?;
        let closing = vec![(lost.before, Edit::Insert(Tok::RBrace)); lost.count as usize];
        let mut ended = closing.clone();
        ended.push((lost.before, Edit::Insert(Tok::Semi)));
        let (plan, pass) = self.best(error.at, &[Fix::Edits(closing), Fix::Edits(ended)])?;
        let quote = |at: u32| self.cx.span(at, at + 1);
        let mut diag = Diag::new(&codes::UNBALANCED, quote(lost.open), "this `{` is never closed");
        if self.cx.toks.get(lost.before as usize).is_some_and(|t| t.kind != TokenKind::Eof) {
            diag = diag.with_label(quote(lost.before), "a `}` seems to be missing before this");
        }
        self.diags.push(diag);
        self.plan = plan;
        Some(pass)
    }

    /// Whether an error needs no message: it was given before, or something else is to blame.
    fn is_old_news(&mut self, now: &Pass, at: u32, diag: &Diag) -> bool {
        let outside = brackets::outside_bodies(self.cx.toks, at as usize);
        let again = outside && self.same_region(at);
        if outside {
            self.outside = Some(at);
        }
        let told = names_something(diag) && self.diags.iter().any(|d| d.message == diag.message);
        again || told || self.is_consequence(now, at)
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
    fn is_consequence(&self, now: &Pass, at: u32) -> bool {
        let tok = |at: u32| self.cx.toks.get(at as usize);
        if self.cut_off && tok(at).is_none_or(|t| t.kind == TokenKind::Eof) {
            return true;
        }
        let Some(before) = at.checked_sub(1) else { return false };
        let near = now.stray.iter().any(|&stray| stray < at && at - stray <= 2 * FAR);
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

/// How far a run got.
fn reach(pass: &Pass) -> u32 {
    pass.goal.as_ref().err().map_or(u32::MAX, |e: &SyntaxError| e.at)
}

/// Marks the names a plan treats as types.
pub fn mark_types(cx: &Cx<'_>, plan: &Plan) {
    for &sym in &plan.types {
        cx.set_class(sym, crate::parse::feed::TYPE | UNKNOWN);
    }
}
