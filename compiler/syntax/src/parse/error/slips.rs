//! Slips of the keyboard: a keyword that is misspelled, a comma for a semicolon.
//!
//! In: the scene of an error. Out: what was meant. The parser stops behind such a slip, seldom at it, so the
//! words around are looked at too.

use super::scene::{Finding, Fix, Scene, starts_statement};
use super::suggest;
use crate::diag::{Diag, codes};
use crate::intern::Symbol;
use crate::parse::feed::Edit;
use crate::parse::tok::{KEYWORDS, Tok};
use crate::token::TokenKind;

impl Scene<'_> {
    /// `retunr 0;`, `sturct s x;`
    pub fn misspelled_keyword(&self) -> Option<Finding> {
        let around = [Some(self.at), self.before(1), Some(self.start())];
        let (at, (word, tok)) = around.into_iter().flatten().find_map(|at| Some((at, self.meant(at)?)))?;
        let message = format!("unknown word {}", self.quote(at));
        let diag = Diag::new(&codes::SYNTAX, self.span(at), message);
        let finding = Finding::new(diag.with_help(format!("did you mean `{}`?", self.name(word))));
        Some(finding.fix(Fix::Edits(vec![(at as u32, Edit::Replace(tok))])))
    }

    /// The keyword that this undeclared name is a slip of, where that keyword may stand.
    fn meant(&self, at: usize) -> Option<(Symbol, Tok)> {
        if !self.is_name(at) || self.cx.class(self.sym(at)) != 0 {
            return None;
        }
        let name = self.name(self.sym(at));
        let words = KEYWORDS.iter().filter(|(word, tok)| self.is_keyword(*word) && *tok != Tok::Stray);
        let mut near = words.filter(|(word, _)| suggest::is_slip(name, self.name(*word)));
        near.find(|(_, tok)| self.may_stand(at, *tok)).copied()
    }

    /// Whether the keyword makes sense in place of this token.
    fn may_stand(&self, at: usize, tok: Tok) -> bool {
        let next = self.kind(at + 1);
        match tok {
            Tok::If | Tok::For | Tok::While | Tok::Switch => {
                next == TokenKind::LParen && self.begins_statement(at)
            }
            Tok::Else | Tok::Do => next != TokenKind::Assign && self.begins_statement(at),
            Tok::Break | Tok::Continue => next == TokenKind::Semi && self.begins_statement(at),
            Tok::Case | Tok::Default | Tok::Return | Tok::Goto => self.begins_statement(at),
            Tok::Record(_) | Tok::Enum => matches!(next, TokenKind::Ident | TokenKind::LBrace),
            Tok::Sizeof | Tok::Alignof | Tok::Typeof(_) => next == TokenKind::LParen,
            _ => tok.begins_declaration() && next == TokenKind::Ident,
        }
    }

    /// Whether a statement may begin with this token, going by the one before.
    fn begins_statement(&self, at: usize) -> bool {
        let Some(last) = at.checked_sub(1) else { return false };
        let ends = matches!(
            self.kind(last),
            TokenKind::Semi | TokenKind::LBrace | TokenKind::RBrace | TokenKind::RParen | TokenKind::Colon
        );
        ends || matches!(self.keyword(last), Some(Tok::Else | Tok::Do))
    }

    /// `x = 1,` at the end of a line, and the next line does not go on with it.
    pub fn comma_for_semicolon(&self) -> Option<Finding> {
        let last = self.before(1)?;
        let in_list = self.bracket().is_some_and(|open| {
            let value = open.checked_sub(1).is_some_and(|n| self.kind(n) == TokenKind::Assign);
            self.kind(open) != TokenKind::LBrace || value || self.is_enum_body(open)
        });
        let fresh = self.found() == TokenKind::RBrace
            || self.keyword(self.at).is_some_and(|tok| starts_statement(tok) || tok.begins_declaration());
        if self.kind(last) != TokenKind::Comma || in_list || !fresh || !self.starts_line(self.at) {
            return None;
        }
        let diag = Diag::new(&codes::SYNTAX, self.span(last), "expected `;`, found `,`".to_owned());
        let edits = vec![(last as u32, Edit::Replace(Tok::Semi))];
        Some(Finding::new(diag).fix(Fix::Edits(edits)))
    }

    /// Edits that give up one enumerator, or what is wrong with it.
    pub fn enumerator(&self) -> Vec<Vec<(u32, Edit)>> {
        let Some(open) = self.bracket().filter(|&open| self.is_enum_body(open)) else { return Vec::new() };
        let mut depth = 0usize;
        let mut end = self.at;
        loop {
            match self.kind(end) {
                TokenKind::Eof | TokenKind::Semi => return Vec::new(),
                TokenKind::Comma | TokenKind::RBrace if depth == 0 => break,
                TokenKind::LParen | TokenKind::LBracket | TokenKind::LBrace => depth += 1,
                // One too many is wrong, too, and goes with the rest.
                TokenKind::RParen | TokenKind::RBracket | TokenKind::RBrace => {
                    depth = depth.saturating_sub(1);
                }
                _ => {}
            }
            end += 1;
        }
        let (here, stop) = (self.at as u32, end as u32);
        let no_name = self.last() == open || self.kind(self.last()) == TokenKind::Comma;
        if !no_name {
            return vec![vec![(here, Edit::SkipTo(stop))]];
        }
        // What is in front of the name, or all of it with its comma.
        let mut name = self.at;
        while name < end && !self.is_name(name) {
            name += 1;
        }
        let after = if self.kind(end) == TokenKind::Comma { stop + 1 } else { stop };
        [name as u32, after]
            .into_iter()
            .filter(|&to| to > here)
            .map(|to| vec![(here, Edit::SkipTo(to))])
            .collect()
    }

    /// Edits that give up a statement from an undeclared name on that does not fit.
    pub fn name_in_the_way(&self) -> Option<Vec<(u32, Edit)>> {
        let undeclared = self.is_name(self.at) && self.cx.class(self.sym(self.at)) == 0;
        let in_the_way = undeclared && self.expected.has(";") && !self.starts_line(self.at);
        if in_the_way { self.cut_short() } else { None }
    }
}
