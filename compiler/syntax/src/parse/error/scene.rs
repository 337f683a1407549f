//! The surroundings of a syntax error, and what comes out of looking at them.
//!
//! In: the tokens and the place where the parser stopped. Out: answers to questions such as "is this
//! a type?", "which bracket is open here?", asked by all who explain errors.

use super::brackets;
use super::expected::Expected;
use crate::ast::Unit;
use crate::diag::Diag;
use crate::intern::Symbol;
use crate::parse::feed::{Cx, Edit, TYPE};
use crate::parse::tok::{KEYWORDS, Tok};
use crate::source::Span;
use crate::token::{self, Token, TokenKind};

/// A change that might mend an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fix {
    /// Edits of the token stream.
    Edits(Vec<(u32, Edit)>),
    /// The name is a type from now on.
    Type(Symbol),
}

/// What an error is about.
pub struct Finding {
    pub diag: Diag,
    pub fixes: Vec<Fix>,
}

impl Finding {
    pub fn new(diag: Diag) -> Finding {
        Finding { diag, fixes: Vec::new() }
    }

    pub fn fix(mut self, fix: Fix) -> Finding {
        self.fixes.push(fix);
        self
    }

    pub fn insert(self, at: usize, tok: Tok) -> Finding {
        self.fix(Fix::Edits(vec![(at as u32, Edit::Insert(tok))]))
    }

    pub fn delete(self, at: usize) -> Finding {
        self.fix(Fix::Edits(vec![(at as u32, Edit::Delete)]))
    }
}

/// The surroundings of an error.
pub struct Scene<'a> {
    pub cx: &'a Cx<'a>,
    pub unit: &'a Unit,
    /// The offending token.
    pub at: usize,
    pub expected: Expected,
}

impl Scene<'_> {
    pub fn tok(&self, at: usize) -> Option<&Token> {
        self.cx.toks.get(at)
    }

    pub fn kind(&self, at: usize) -> TokenKind {
        self.tok(at).map_or(TokenKind::Eof, |t| t.kind)
    }

    pub fn sym(&self, at: usize) -> Symbol {
        self.tok(at).map_or(Symbol::EMPTY, Token::sym)
    }

    /// The token `n` before the offending one.
    pub fn before(&self, n: usize) -> Option<usize> {
        self.at.checked_sub(n)
    }

    pub fn sym_before(&self, n: usize) -> Symbol {
        self.before(n).map_or(Symbol::EMPTY, |at| self.sym(at))
    }

    pub fn found(&self) -> TokenKind {
        self.kind(self.at)
    }

    pub fn is_keyword(&self, sym: Symbol) -> bool {
        sym.is_keyword() || (self.cx.c23 && sym.is_c23_keyword())
    }

    /// Whether there is an identifier that is no keyword.
    pub fn is_name(&self, at: usize) -> bool {
        let sym = self.sym(at);
        sym != Symbol::EMPTY && !self.is_keyword(sym)
    }

    pub fn is_type(&self, at: usize) -> bool {
        self.is_name(at) && self.cx.class(self.sym(at)) & TYPE != 0
    }

    pub fn keyword(&self, at: usize) -> Option<Tok> {
        let sym = self.sym(at);
        if !self.is_keyword(sym) {
            return None;
        }
        KEYWORDS.get((sym.0 as usize).checked_sub(1)?).map(|&(_, tok)| tok)
    }

    pub fn starts_line(&self, at: usize) -> bool {
        self.tok(at).is_some_and(|t| t.flags.bol())
    }

    pub fn span(&self, at: usize) -> Span {
        self.cx.span(at as u32, at as u32 + 1)
    }

    /// Whether nothing stands between the token and the one before.
    pub fn is_glued(&self, at: usize) -> bool {
        self.tok(at).is_some_and(|t| !t.flags.space() && !t.flags.bol())
    }

    /// The last token in front of the error.
    pub fn last(&self) -> usize {
        self.at.saturating_sub(1)
    }

    /// A token as it is quoted in messages.
    pub fn quote(&self, at: usize) -> String {
        match self.tok(at) {
            None => "the end of the file".to_string(),
            Some(tok) => match tok.kind {
                TokenKind::Eof => "the end of the file".to_string(),
                TokenKind::Str => "a string".to_string(),
                _ => {
                    let text = token::text(tok, self.cx.source, self.cx.names);
                    format!("`{}`", String::from_utf8_lossy(text))
                }
            },
        }
    }

    pub fn name(&self, sym: Symbol) -> &str {
        self.cx.names.name(sym)
    }

    pub fn bracket(&self) -> Option<usize> {
        brackets::innermost(self.cx.toks, self.at)
    }

    /// The kind of the innermost open bracket.
    pub fn inside(&self) -> Option<TokenKind> {
        self.bracket().map(|at| self.kind(at))
    }

    /// The first token of the statement or declaration the error is in.
    pub fn start(&self) -> usize {
        let mut n = self.at;
        let mut depth = 0usize;
        while let Some(at) = n.checked_sub(1) {
            match self.kind(at) {
                TokenKind::RParen | TokenKind::RBracket => depth += 1,
                TokenKind::LParen | TokenKind::LBracket if depth > 0 => depth -= 1,
                TokenKind::LParen | TokenKind::LBracket => return n,
                TokenKind::Semi | TokenKind::LBrace | TokenKind::RBrace if depth == 0 => return n,
                TokenKind::LBrace | TokenKind::RBrace => return n,
                _ => {}
            }
            n = at;
        }
        n
    }

    /// The bracket that closes the one at `open`.
    pub fn closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0usize;
        for n in open..self.cx.toks.len() {
            match self.kind(n) {
                TokenKind::LParen | TokenKind::LBracket | TokenKind::LBrace => depth += 1,
                TokenKind::RParen | TokenKind::RBracket | TokenKind::RBrace => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Some(n);
                    }
                }
                TokenKind::Eof => break,
                _ => {}
            }
        }
        None
    }

    pub fn starts_type(&self, at: usize) -> bool {
        self.is_type(at)
            || matches!(
                self.keyword(at),
                Some(Tok::Word(_) | Tok::Record(_) | Tok::Enum | Tok::Typeof(_) | Tok::AutoType)
            )
    }

    /// Whether the token ends a type: a type word, a typedef name, a tag, a closing brace of a body.
    pub fn after_type(&self, at: usize) -> bool {
        self.is_type(at)
            || matches!(self.keyword(at), Some(Tok::Word(_)))
            || self.kind(at) == TokenKind::RBrace
            || at.checked_sub(1).is_some_and(|n| matches!(self.keyword(n), Some(Tok::Record(_) | Tok::Enum)))
    }

    pub fn in_case(&self) -> bool {
        matches!(self.keyword(self.start()), Some(Tok::Case | Tok::Default))
    }

    /// Whether the innermost bracket is the parenthesis of a `for`.
    pub fn in_for_head(&self) -> bool {
        self.bracket().is_some_and(|open| {
            self.kind(open) == TokenKind::LParen
                && open.checked_sub(1).is_some_and(|n| self.keyword(n) == Some(Tok::For))
        })
    }
}

/// Whether this keyword can only start a statement or a declaration.
pub fn starts_statement(tok: Tok) -> bool {
    matches!(
        tok,
        Tok::If
            | Tok::For
            | Tok::While
            | Tok::Do
            | Tok::Switch
            | Tok::Return
            | Tok::Break
            | Tok::Continue
            | Tok::Goto
            | Tok::Case
            | Tok::Default
            | Tok::Else
    )
}
