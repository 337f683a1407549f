//! Function definitions in the style of K&R, sent as if they had a prototype.
//!
//! In: the tokens of a file and the place of a parenthesis. Out: what to send instead of the tokens from
//! there up to the body.
//!
//! ```text
//! f(a, b, c) int a, *b; { ... }      f(int a, int *b, int c) { ... }
//! ```
//!
//! Invariant: `None` for everything else, decided by the first token after the parenthesis nearly always.

use std::ops::Range;

use super::feed::{Cx, TYPE};
use super::tok::{self, Tok};
use crate::intern::{N_KEYWORDS, N_KEYWORDS_C23, Symbol};
use crate::token::TokenKind;

/// The most parameters.
const MAX_PARAMETERS: usize = 127;

/// One terminal to send.
#[derive(Clone, Copy, Debug)]
pub enum Piece {
    /// The token with this index, as it stands.
    Token(usize),
    /// A terminal of no width, there.
    Extra(usize, Tok),
}

/// What is declared of a parameter: its specifiers and its declarator.
struct Parameter {
    name: Symbol,
    specs: Range<usize>,
    declarator: Range<usize>,
}

/// What to send from the parenthesis at `open` on, the brace of the body included.
pub fn definition(cx: &Cx<'_>, open: usize) -> Option<Vec<Piece>> {
    let (names, close) = names(cx, open + 1)?;
    let mut parameters = Vec::new();
    let mut at = close + 1;
    while kind(cx, at) != TokenKind::LBrace {
        at = declaration(cx, at, &mut parameters)?;
        if parameters.len() > names.len() {
            return None;
        }
    }
    if at == close + 1 {
        return None;
    }
    let mut pieces = vec![Piece::Token(open)];
    for (index, &name_at) in names.iter().enumerate() {
        if index > 0 {
            pieces.push(Piece::Token(name_at - 1));
        }
        match parameters.iter().find(|parameter| parameter.name == sym(cx, name_at)) {
            Some(found) => {
                pieces.extend(found.specs.clone().chain(found.declarator.clone()).map(Piece::Token));
            }
            None => pieces.extend([Piece::Extra(name_at, Tok::Word(tok::Word::INT)), Piece::Token(name_at)]),
        }
    }
    pieces.extend([Piece::Token(close), Piece::Token(at)]);
    Some(pieces)
}

/// The places of the names in a list of names, and that of the parenthesis that ends it.
fn names(cx: &Cx<'_>, mut at: usize) -> Option<(Vec<usize>, usize)> {
    let mut names = Vec::new();
    loop {
        if !is_name(cx, at) || cx.class(sym(cx, at)) & TYPE != 0 {
            return None;
        }
        names.push(at);
        if names.len() > MAX_PARAMETERS {
            return None;
        }
        match kind(cx, at + 1) {
            TokenKind::Comma => at += 2,
            TokenKind::RParen => return Some((names, at + 1)),
            _ => return None,
        }
    }
}

/// Reads a declaration of parameters; the place after its semicolon.
fn declaration(cx: &Cx<'_>, start: usize, parameters: &mut Vec<Parameter>) -> Option<usize> {
    let first = specifiers(cx, start)?;
    let specs = start..first;
    let (mut from, mut at, mut depth, mut name) = (first, first, 0u32, None);
    loop {
        match kind(cx, at) {
            TokenKind::LParen | TokenKind::LBracket => depth += 1,
            TokenKind::RParen | TokenKind::RBracket => depth = depth.checked_sub(1)?,
            TokenKind::Comma | TokenKind::Semi if depth == 0 => {
                parameters.push(Parameter { name: name.take()?, specs: specs.clone(), declarator: from..at });
                if kind(cx, at) == TokenKind::Semi {
                    return Some(at + 1);
                }
                from = at + 1;
            }
            TokenKind::Ident if name.is_none() && is_name(cx, at) => name = Some(sym(cx, at)),
            // Nothing but brackets follows the name: this is another declaration, or none.
            TokenKind::Ident if depth == 0 && name.is_some() => return None,
            TokenKind::Eof | TokenKind::LBrace | TokenKind::RBrace | TokenKind::Assign => return None,
            _ => {}
        }
        at += 1;
    }
}

/// The place after the specifiers that start here, of which one must be a type.
fn specifiers(cx: &Cx<'_>, mut at: usize) -> Option<usize> {
    let mut typed = false;
    loop {
        if is_name(cx, at) {
            if typed || cx.class(sym(cx, at)) & TYPE == 0 {
                return typed.then_some(at);
            }
            typed = true;
        } else {
            match keyword(sym(cx, at)) {
                Some(Tok::Word(_)) => typed = true,
                Some(Tok::Qual(_) | Tok::Storage(_)) => {}
                Some(Tok::Record(_) | Tok::Enum) if is_name(cx, at + 1) => {
                    typed = true;
                    at += 1;
                }
                _ => return typed.then_some(at),
            }
        }
        at += 1;
    }
}

fn keyword(sym: Symbol) -> Option<Tok> {
    tok::KEYWORDS.get((sym.0 as usize).checked_sub(1)?).map(|&(_, tok)| tok)
}

fn is_name(cx: &Cx<'_>, at: usize) -> bool {
    let sym = sym(cx, at);
    let keywords = if cx.c23 { N_KEYWORDS_C23 } else { N_KEYWORDS };
    kind(cx, at) == TokenKind::Ident && sym.0 >= keywords
}

fn kind(cx: &Cx<'_>, at: usize) -> TokenKind {
    cx.toks.get(at).map_or(TokenKind::Eof, |tok| tok.kind)
}

fn sym(cx: &Cx<'_>, at: usize) -> Symbol {
    cx.toks.get(at).map_or(Symbol::EMPTY, |tok| tok.sym())
}
