//! Brackets that have no partner, and where the partner seems to be missing.
//!
//! In: the tokens of a program that has a syntax error. Out: for each position its innermost open
//! bracket; the tokens that close nothing; the braces that are never closed, with a guess from the
//! indentation of where the `}` was forgotten.

use crate::intern::kw;
use crate::parse::feed::Cx;
use crate::token::{Token, TokenKind};

/// An open brace without its partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unclosed {
    /// The bracket.
    pub open: u32,
    /// In front of this token a closing brace seems to be missing.
    pub before: u32,
    /// How many are missing there.
    pub count: u32,
}

/// The partner of a bracket.
pub fn partner(kind: TokenKind) -> Option<TokenKind> {
    Some(match kind {
        TokenKind::LParen => TokenKind::RParen,
        TokenKind::LBracket => TokenKind::RBracket,
        TokenKind::LBrace => TokenKind::RBrace,
        TokenKind::RParen => TokenKind::LParen,
        TokenKind::RBracket => TokenKind::LBracket,
        TokenKind::RBrace => TokenKind::LBrace,
        _ => return None,
    })
}

fn opens(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::LParen | TokenKind::LBracket | TokenKind::LBrace)
}

/// The innermost bracket that is open in front of token `at`, within one file-level declaration.
pub fn innermost(toks: &[Token], at: usize) -> Option<usize> {
    let mut closed = 0usize;
    for n in (0..at.min(toks.len())).rev() {
        let kind = toks.get(n)?.kind;
        if opens(kind) {
            if closed == 0 {
                return Some(n);
            }
            closed -= 1;
        } else if partner(kind).is_some() {
            closed += 1;
        }
    }
    None
}

/// Whether no brace is open in front of token `at`.
pub fn outside_bodies(toks: &[Token], at: usize) -> bool {
    let mut at = at;
    while let Some(open) = innermost(toks, at) {
        if toks.get(open).is_some_and(|t| t.kind == TokenKind::LBrace) {
            return false;
        }
        at = open;
    }
    true
}

/// The bracket that the closing bracket at `at` closes.
pub fn opener(toks: &[Token], at: usize) -> Option<usize> {
    innermost(toks, at)
}

/// The first brace that is never closed, if there is one.
pub fn unclosed_brace(cx: &Cx<'_>) -> Option<Unclosed> {
    let braces = |kind: TokenKind| cx.toks.iter().filter(|t| t.kind == kind).count();
    if braces(TokenKind::LBrace) <= braces(TokenKind::RBrace) {
        return None;
    }
    // Open braces, and the column in which their line starts.
    let mut open: Vec<(usize, u32)> = Vec::new();
    let mut indent = 1;
    for (at, tok) in cx.toks.iter().enumerate() {
        let (bol, column) = (tok.flags.bol(), || cx.source.line_col(tok.loc).map_or(0, |p| p.col));
        if bol {
            indent = column();
        }
        match tok.kind {
            TokenKind::LBrace => open.push((at, indent)),
            TokenKind::RBrace => {
                // A brace at the margin closes what began at the margin.
                if bol && open.len() > 1 && open.last().is_some_and(|o| o.1 != 1) && column() == 1 {
                    let deeper = open.iter().rev().take_while(|o| o.1 != 1).count();
                    if let Some(&(brace, _)) = open.last()
                        && deeper < open.len()
                    {
                        return Some(Unclosed {
                            open: brace as u32,
                            before: at as u32,
                            count: deeper as u32,
                        });
                    }
                }
                open.pop();
            }
            // An `else` under the line whose brace it finds open.
            TokenKind::Ident
                if bol && tok.sym() == kw::ELSE && open.last().is_some_and(|o| o.1 == indent) =>
            {
                let &(brace, _) = open.last()?;
                return Some(Unclosed { open: brace as u32, before: at as u32, count: 1 });
            }
            TokenKind::Ident if bol && !open.is_empty() && column() == 1 && !is_label(cx, at) => {
                let &(brace, _) = open.last()?;
                return Some(Unclosed { open: brace as u32, before: at as u32, count: open.len() as u32 });
            }
            TokenKind::Eof => break,
            _ => {}
        }
    }
    let end = cx.toks.len().saturating_sub(1);
    let &(brace, _) = open.last()?;
    Some(Unclosed { open: brace as u32, before: end as u32, count: open.len() as u32 })
}

fn is_label(cx: &Cx<'_>, at: usize) -> bool {
    cx.toks.get(at + 1).is_some_and(|t| t.kind == TokenKind::Colon)
        || cx.toks.get(at).is_some_and(|t| matches!(cx.names.text(t.sym()), b"case" | b"default"))
}
