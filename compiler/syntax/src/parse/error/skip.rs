//! Fixes that give something up: the rest of a statement, the inside of brackets, a declaration.
//!
//! In: the scene of an error. Out: edits that leave tokens out, from little to much; they are tried
//! after all fixes that know what is wrong.

use super::brackets;
use super::scene::{Scene, starts_statement};
use crate::parse::feed::Edit;
use crate::parse::tok::Tok;
use crate::token::TokenKind;

impl Scene<'_> {
    /// Edits that end the statement in front of the error and go on where the next one may start.
    pub fn cut_short(&self) -> Option<Vec<(u32, Edit)>> {
        if self.inside() != Some(TokenKind::LBrace) {
            return None;
        }
        let mut depth = 0usize;
        let mut n = self.at;
        loop {
            let kind = self.kind(n);
            let fresh = n > self.at && (self.starts_line(n) || self.keyword(n).is_some_and(starts_statement));
            match kind {
                TokenKind::Eof => return None,
                TokenKind::Semi | TokenKind::LBrace | TokenKind::RBrace if depth == 0 => break,
                _ if depth == 0 && fresh => break,
                TokenKind::LParen | TokenKind::LBracket | TokenKind::LBrace => depth += 1,
                TokenKind::RParen | TokenKind::RBracket | TokenKind::RBrace => {
                    depth = depth.saturating_sub(1)
                }
                _ => {}
            }
            n += 1;
        }
        let (here, end) = (self.at as u32, n as u32);
        let mut edits = vec![(here, Edit::SkipTo(end))];
        if self.expected.expression() {
            edits.push((end, Edit::Insert(Tok::Hole)));
        } else if !self.expected.has(";") {
            return None;
        }
        if self.kind(n) != TokenKind::Semi {
            edits.push((end, Edit::Insert(Tok::Semi)));
        }
        // Nothing skipped, nothing gained.
        (n > self.at).then_some(edits)
    }

    /// Edits that empty the brackets around the error, the innermost and the outermost of its
    /// statement: better than to skip to a `;`, which may be inside them or behind a block.
    pub fn hollow(&self) -> Vec<Vec<(u32, Edit)>> {
        let mut around = Vec::new();
        let mut inner = self.at;
        while let Some(open) = brackets::innermost(self.cx.toks, inner) {
            let list = self.kind(open) == TokenKind::LBrace;
            if list && open.checked_sub(1).is_none_or(|n| self.kind(n) != TokenKind::Assign) {
                break;
            }
            around.push(open);
            inner = open;
            if list {
                break;
            }
        }
        around.dedup();
        let ends = [around.first().copied(), around.last().copied().filter(|_| around.len() > 1)];
        ends.into_iter().flatten().filter_map(|open| self.emptied(open)).collect()
    }

    /// Edits that put the least the grammar accepts between a bracket and its partner.
    pub fn emptied(&self, open: usize) -> Option<Vec<(u32, Edit)>> {
        let close = self.closing(open)?;
        if close < self.at || brackets::partner(self.kind(open)) != Some(self.kind(close)) {
            return None;
        }
        let end = close as u32;
        let mut edits = vec![(open as u32 + 1, Edit::SkipTo(end))];
        match self.kind(open) {
            TokenKind::LBrace => {}
            _ if open.checked_sub(1).is_some_and(|n| self.keyword(n) == Some(Tok::For)) => {
                edits.extend([(end, Edit::Insert(Tok::Semi)); 2]);
            }
            _ => edits.push((end, Edit::Insert(Tok::Hole))),
        }
        Some(edits)
    }

    /// Edits that leave out the statement or field the error is in.
    pub fn whole_statement(&self) -> Option<Vec<(u32, Edit)>> {
        let mut outer = self.at;
        while let Some(open) = brackets::innermost(self.cx.toks, outer)
            && self.kind(open) != TokenKind::LBrace
        {
            outer = open;
        }
        brackets::innermost(self.cx.toks, outer)?;
        let ends = |n: usize| matches!(self.kind(n), TokenKind::Semi | TokenKind::LBrace | TokenKind::RBrace);
        let start = (0..outer).rev().find(|&n| ends(n)).map_or(0, |n| n + 1);
        let (mut braces, mut others) = (0usize, 0usize);
        let mut n = start;
        loop {
            match self.kind(n) {
                TokenKind::LParen | TokenKind::LBracket => others += 1,
                TokenKind::RParen | TokenKind::RBracket => others = others.saturating_sub(1),
                TokenKind::LBrace => braces += 1,
                TokenKind::RBrace if braces == 0 => break,
                TokenKind::RBrace => {
                    braces -= 1;
                    if braces == 0 && n >= self.at {
                        n += 1;
                        break;
                    }
                }
                TokenKind::Semi if braces == 0 && others == 0 && n >= self.at => {
                    n += 1;
                    break;
                }
                TokenKind::Eof => return None,
                _ => {}
            }
            n += 1;
        }
        (n > start).then(|| vec![(start as u32, Edit::SkipTo(n as u32))])
    }

    /// Edits that leave out the file-level declaration the error is in, if it is not in its body.
    pub fn whole_declaration(&self) -> Option<Vec<(u32, Edit)>> {
        let mut outer = self.at;
        while let Some(open) = brackets::innermost(self.cx.toks, outer) {
            if self.kind(open) == TokenKind::LBrace {
                return None;
            }
            outer = open;
        }
        let ends = |n: usize| matches!(self.kind(n), TokenKind::Semi | TokenKind::RBrace);
        let start = (0..outer).rev().find(|&n| ends(n)).map_or(0, |n| n + 1);
        // Braces count for themselves: a parenthesis may be what is missing.
        let (mut braces, mut others) = (0usize, 0usize);
        let mut n = start;
        loop {
            match self.kind(n) {
                TokenKind::LParen | TokenKind::LBracket => others += 1,
                TokenKind::RParen | TokenKind::RBracket => others = others.saturating_sub(1),
                TokenKind::LBrace => braces += 1,
                TokenKind::RBrace => {
                    braces = braces.saturating_sub(1);
                    if braces == 0 && !matches!(self.kind(n + 1), TokenKind::Semi | TokenKind::Comma) {
                        break;
                    }
                }
                TokenKind::Semi if braces == 0 && others == 0 => break,
                // Nothing behind an unbalanced header can be told from its body.
                TokenKind::Eof => return Some(vec![(start as u32, Edit::SkipTo(n as u32))]),
                _ => {}
            }
            n += 1;
        }
        (n >= self.at).then(|| vec![(start as u32, Edit::SkipTo(n as u32 + 1))])
    }
}
