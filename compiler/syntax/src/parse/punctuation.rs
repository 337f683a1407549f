//! Explanations of syntax errors, continued: brackets, separators and words that lack a partner.
//!
//! The same [`Scene`] as in `report`, asked about punctuation.

use super::brackets;
use super::feed::Edit;
use super::report::{Finding, Fix, Scene, starts_statement};
use super::tok::Tok;
use crate::diag::{Diag, codes};
use crate::token::TokenKind;

impl Scene<'_> {
    /// A closing bracket that closes nothing, or the wrong thing.
    pub(super) fn unmatched(&self) -> Option<Finding> {
        let close = self.found();
        if !matches!(close, TokenKind::RParen | TokenKind::RBracket | TokenKind::RBrace) {
            return None;
        }
        let quote = self.quote(self.at);
        let Some(open) = self.bracket() else {
            let diag =
                Diag::new(&codes::UNBALANCED, self.span(self.at), format!("this {quote} closes nothing"));
            return Some(Finding::new(diag).delete(self.at));
        };
        if brackets::partner(self.kind(open)) == Some(close) {
            return None;
        }
        let opened = self.kind(open);
        // `( ... }`: the inner bracket lacks its partner. `{ ... )`: the closing one is too much.
        if opened == TokenKind::LBrace {
            let message = format!("this {quote} closes nothing");
            let diag = Diag::new(&codes::UNBALANCED, self.span(self.at), message);
            return Some(Finding::new(diag).delete(self.at));
        }
        let missing = if opened == TokenKind::LParen { Tok::RParen } else { Tok::RBracket };
        let wanted = if opened == TokenKind::LParen { "`)`" } else { "`]`" };
        let diag =
            Diag::new(&codes::UNBALANCED, self.span(self.at), format!("expected {wanted}, found {quote}"))
                .with_label(self.span(open), format!("this {} is still open", self.quote(open)));
        let here = self.at as u32;
        Some(
            Finding::new(diag)
                .fix(Fix::Edits(vec![(here, Edit::Replace(missing))]))
                .insert(self.at, missing)
                .fix(Fix::Edits(vec![(here, Edit::Insert(missing)), (here, Edit::Insert(Tok::Semi))])),
        )
    }

    pub(super) fn missing_close(&self) -> Option<Finding> {
        let open = self.bracket()?;
        let (mark, tok) = match self.kind(open) {
            TokenKind::LParen => (")", Tok::RParen),
            TokenKind::LBracket => ("]", Tok::RBracket),
            _ => return None,
        };
        let ends = matches!(
            self.found(),
            TokenKind::Semi | TokenKind::LBrace | TokenKind::RBrace | TokenKind::Assign
        ) || (mark == ")" && self.keyword(self.at).is_some())
            || self.starts_line(self.at);
        if !self.expected.has(mark) || !ends {
            return None;
        }
        let message = format!("expected `{mark}`, found {}", self.quote(self.at));
        let diag = Diag::new(&codes::MISSING, self.span(self.last()), message)
            .with_remark(format!("`{mark}` is missing after this"))
            .with_label(self.span(open), format!("to close this {}", self.quote(open)));
        let both = vec![(self.at as u32, Edit::Insert(tok)), (self.at as u32, Edit::Insert(Tok::Semi))];
        let instead = vec![(self.at as u32, Edit::Replace(tok))];
        Some(Finding::new(diag).insert(self.at, tok).fix(Fix::Edits(both)).fix(Fix::Edits(instead)))
    }

    // ------------------------------------------------------------ separators

    pub(super) fn missing_semicolon(&self) -> Option<Finding> {
        if !self.expected.has(";") || self.last() == self.at {
            return None;
        }
        let ends = self.starts_line(self.at)
            || matches!(self.found(), TokenKind::RBrace | TokenKind::Eof)
            || self.keyword(self.at).is_some_and(starts_statement);
        if !ends {
            return None;
        }
        let what = self.unfinished();
        let diag = Diag::new(&codes::MISSING, self.span(self.last()), format!("expected `;` after {what}"))
            .with_remark("`;` is missing after this");
        Some(Finding::new(diag).insert(self.at, Tok::Semi))
    }

    /// What the missing semicolon would end.
    pub(super) fn unfinished(&self) -> &'static str {
        let (start, last) = (self.start(), self.last());
        if self.kind(last) == TokenKind::RBrace
            && let Some(open) = brackets::opener(self.cx.toks, last)
            && let Some(head) = self.body_word(open)
        {
            return head;
        }
        let jump = (start..=last).rev().find_map(|n| match self.keyword(n) {
            Some(Tok::Return) => Some("`return`"),
            Some(Tok::Break) => Some("`break`"),
            Some(Tok::Continue) => Some("`continue`"),
            Some(Tok::Goto) => Some("`goto`"),
            _ => None,
        });
        if let Some(jump) = jump {
            return jump;
        }
        if self.keyword(start) == Some(Tok::While)
            && start.checked_sub(1).is_some_and(|n| self.kind(n) == TokenKind::RBrace)
        {
            return "`do ... while (...)`";
        }
        if self.bracket().is_some_and(|open| self.body_word(open).is_some()) {
            return "the field";
        }
        match self.keyword(start) {
            Some(
                Tok::Word(_)
                | Tok::Qual(_)
                | Tok::Storage(_)
                | Tok::Record(_)
                | Tok::Enum
                | Tok::Typeof(_)
                | Tok::AutoType,
            ) => "the declaration",
            _ if self.is_type(start) => "the declaration",
            _ => "this statement",
        }
    }

    /// Whose body the brace at `open` starts, if it is a record's or an enumeration's.
    pub(super) fn body_word(&self, open: usize) -> Option<&'static str> {
        (open.saturating_sub(2)..open).rev().find_map(|n| match self.keyword(n) {
            Some(Tok::Record(crate::ast::RecordKind::Struct)) => Some("the `struct`"),
            Some(Tok::Record(crate::ast::RecordKind::Union)) => Some("the `union`"),
            Some(Tok::Enum) => Some("the `enum`"),
            _ => None,
        })
    }

    /// `;` where a list goes on.
    pub(super) fn wrong_separator(&self) -> Option<Finding> {
        let open = self.bracket()?;
        if self.found() != TokenKind::Semi || !self.expected.has(",") || self.in_for_head() {
            return None;
        }
        // The list goes on if it is closed before anything of another kind comes.
        let mut n = self.at + 1;
        while !matches!(self.kind(n), TokenKind::Semi | TokenKind::LBrace | TokenKind::Eof) {
            let close = brackets::partner(self.kind(open)) == Some(self.kind(n));
            if close && brackets::innermost(self.cx.toks, n) == Some(open) {
                break;
            }
            n += 1;
        }
        let is_enum = self.body_word(open) == Some("the `enum`");
        if brackets::partner(self.kind(open)) != Some(self.kind(n)) && !is_enum {
            return None;
        }
        let what = match self.kind(open) {
            TokenKind::LParen => "parameters and arguments",
            _ if is_enum => "enumerators",
            _ => "the elements of a list",
        };
        let diag =
            Diag::new(&codes::SYNTAX, self.span(self.at), format!("{what} are separated by `,`, not `;`"));
        // All at once: the same mistake further on is not news.
        let mut edits = Vec::new();
        for n in self.at..self.cx.toks.len() {
            match self.kind(n) {
                TokenKind::Semi if self.kind(n + 1) == TokenKind::RBrace => {
                    edits.push((n as u32, Edit::Delete))
                }
                TokenKind::Semi => edits.push((n as u32, Edit::Replace(Tok::Comma))),
                TokenKind::RBrace | TokenKind::RParen | TokenKind::LBrace | TokenKind::Eof => break,
                _ => {}
            }
        }
        Some(Finding::new(diag).fix(Fix::Edits(edits)))
    }

    pub(super) fn missing_comma(&self) -> Option<Finding> {
        if !self.expected.has(",") {
            return None;
        }
        let open = self.bracket()?;
        let (close, tok) = match self.kind(open) {
            TokenKind::LParen if self.expected.has(")") => ("`)`", Tok::RParen),
            TokenKind::LBrace if self.expected.has("}") => ("`}`", Tok::RBrace),
            _ => return None,
        };
        let words = format!("expected `,` or {close}, found {}", self.quote(self.at));
        let diag = Diag::new(&codes::SYNTAX, self.span(self.at), words)
            .with_label(self.span(open), format!("in the list that starts with this {}", self.quote(open)));
        let finding = Finding::new(diag);
        Some(match self.found() {
            TokenKind::Semi => finding.insert(self.at, tok),
            _ => finding.insert(self.at, Tok::Comma).insert(self.at, tok),
        })
    }

    // ------------------------------------------------------------ the rest

    pub(super) fn stray_else(&self) -> Option<Finding> {
        if self.keyword(self.at) != Some(Tok::Else) || !self.expected.statement() {
            return None;
        }
        let diag = Diag::new(&codes::SYNTAX, self.span(self.at), "this `else` belongs to no `if`")
            .with_note("an `if` owns one statement: more than one needs braces, and a `;` counts as one");
        Some(Finding::new(diag).delete(self.at))
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
