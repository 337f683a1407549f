//! Tokens to syntax tree.
//!
//! In: a [`Session`] and the preprocessor's [`Tokens`]. Out: a [`Unit`] (always), diagnostics in the
//! session. The stages: [`feed`] turns tokens into terminals, the generated parser calls the actions of
//! [`build`], `decl`, `expr` and `stmt`; after a syntax error [`error`] mends the token stream and the
//! parser runs again, so that one mistake gives one message.
//! Invariant: no input makes the parser fail, recurse or run for long.

pub(crate) mod build;
mod decl;
mod error;
mod expr;
mod feed;
mod literal;
mod old_style;
mod pragma;
mod specs;
mod stmt;
pub(crate) mod tok;

use crate::Session;
use crate::ast::{Ast, ExprId, TypeNameId, Unit};
use crate::diag::{Diag, codes};
use crate::pp::Std;
use crate::token::Tokens;
use build::{Build, Goal, SyntaxError};
use error::repair::{self, Plan};
use feed::{Cx, Feed};
use pragma::Pragmas;
use tok::Tok;

lalrpop_util::lalrpop_mod!(
    #[allow(clippy::all, clippy::pedantic, missing_docs, unused, rust_2018_idioms)]
    grammar
);

/// Parses a translation unit.
pub fn unit(cx: &mut Session<'_>, tokens: &Tokens) -> Unit {
    run(cx, tokens, Tok::StartUnit).0
}

/// Parses one expression.
pub fn expression(cx: &mut Session<'_>, tokens: &Tokens) -> (Ast, Option<ExprId>) {
    let (unit, goal) = run(cx, tokens, Tok::StartExpr);
    let id = if let Some(Goal::Expr(id)) = goal { Some(id) } else { None };
    (unit.ast, id)
}

/// Parses one type name.
pub fn type_name(cx: &mut Session<'_>, tokens: &Tokens) -> (Ast, Option<TypeNameId>) {
    let (unit, goal) = run(cx, tokens, Tok::StartType);
    let id = if let Some(Goal::Type(id)) = goal { Some(id) } else { None };
    (unit.ast, id)
}

/// What one run of the parser gives.
struct Pass {
    unit: Unit,
    goal: Result<Goal, SyntaxError>,
    diags: Vec<Diag>,
    /// Tokens no program may contain; they were left out.
    stray: Vec<u32>,
    /// Where the program nests more than allowed, and what to say: the input ended there.
    too_deep: Option<(u32, &'static str)>,
}

fn run(cx: &mut Session<'_>, tokens: &Tokens, start: Tok) -> (Unit, Option<Goal>) {
    let pragmas = Pragmas::new(tokens, &cx.names);
    let shared = Cx::new(&tokens.toks, &cx.names, &cx.source, cx.options.std >= Std::C23);
    // An unterminated comment took the rest of the file with it, closing brackets and all.
    let cut_off = cx.diags.iter().any(|d| d.code == &codes::UNTERMINATED_COMMENT);
    let (unit, goal, diags) = repair::run(&shared, &pragmas, start, cut_off);
    for diag in diags {
        cx.diags.push(diag);
    }
    (unit, goal)
}

/// Runs the generated parser once over the tokens as `plan` changes them.
fn pass(cx: &Cx<'_>, pragmas: &Pragmas, start: Tok, plan: &Plan) -> Pass {
    cx.reset();
    repair::mark_types(cx, plan);
    let mut build = Build::new(cx, pragmas);
    let feed = Feed::new(cx, start, &plan.edits);
    let goal = grammar::GoalParser::new().parse(&mut build, feed).map_err(SyntaxError::new);
    Pass { unit: build.unit, goal, diags: build.diags, stray: cx.stray.take(), too_deep: cx.too_deep.get() }
}

#[cfg(test)]
mod tests;
