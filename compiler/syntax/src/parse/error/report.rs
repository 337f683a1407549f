//! One syntax error: what to say, and which changes to the tokens might mend it.
//!
//! In: where the parser stopped and what it would have accepted. Out: a [`Diag`] and candidate fixes,
//! most plausible first; [`repair`](super::repair) tries them.
//! The checks run from the particular to the general; the last one always has something to say.

use super::brackets;
use super::expected::Expected;
use super::mistakes;
use super::scene::{Finding, Fix, Scene, starts_statement};
use crate::ast::{RecordKind, Unit};
use crate::diag::{Diag, codes};
use crate::intern::Symbol;
use crate::parse::build::SyntaxError;
use crate::parse::feed::{Cx, Edit};
use crate::parse::tok::Tok;
use crate::token::TokenKind;

/// Explains an error.
pub fn explain(cx: &Cx<'_>, unit: &Unit, error: &SyntaxError) -> Finding {
    let scene = Scene { cx, unit, at: error.at as usize, expected: Expected::new(&error.expected) };
    let finding = scene
        .end_of_file()
        .or_else(|| scene.misspelled_keyword())
        .or_else(|| scene.comma_for_semicolon())
        .or_else(|| scene.unknown_macro())
        .or_else(|| scene.unknown_type())
        .or_else(|| scene.missing_type())
        .or_else(|| scene.keyword_as_name())
        .or_else(|| scene.outside_function())
        .or_else(|| scene.missing_open_brace())
        .or_else(|| scene.unmatched())
        .or_else(|| scene.stray_else())
        .or_else(|| mistakes::explain(&scene))
        .or_else(|| scene.wrong_separator())
        .or_else(|| scene.missing_close())
        .or_else(|| scene.missing_semicolon())
        .or_else(|| scene.missing_comma())
        .unwrap_or_else(|| scene.unexpected());
    let skips = scene
        .enumerator()
        .into_iter()
        .chain(scene.cut_short())
        .chain(scene.hollow())
        .chain(scene.whole_statement());
    let skips = skips.chain(scene.whole_declaration());
    skips.fold(finding, |finding, edits| finding.fix(Fix::Edits(edits)))
}

impl Scene<'_> {
    fn end_of_file(&self) -> Option<Finding> {
        if self.found() != TokenKind::Eof {
            return None;
        }
        if let Some(open) = self.bracket() {
            return Some(self.never_closed(open));
        }
        self.missing_semicolon().or_else(|| {
            let words = self.expected.words();
            let message = match words.as_str() {
                "" => "the file ends in the middle of a declaration".to_string(),
                words => format!("expected {words}, but the file ends here"),
            };
            Some(Finding::new(Diag::new(&codes::SYNTAX, self.span(self.last()), message)))
        })
    }

    fn never_closed(&self, open: usize) -> Finding {
        let close = match self.kind(open) {
            TokenKind::LParen => Tok::RParen,
            TokenKind::LBracket => Tok::RBracket,
            _ => Tok::RBrace,
        };
        let message = format!("this {} is never closed", self.quote(open));
        let diag = Diag::new(&codes::UNBALANCED, self.span(open), message);
        let mut edits = Vec::new();
        if close == Tok::RBrace && self.expected.has(";") {
            edits.push((self.at as u32, Edit::Insert(Tok::Semi)));
        }
        edits.push((self.at as u32, Edit::Insert(close)));
        Finding::new(diag).fix(Fix::Edits(edits)).insert(self.at, close)
    }

    /// A statement at file level: a function ended too early.
    fn outside_function(&self) -> Option<Finding> {
        if self.bracket().is_some() || self.expected.statement() || !self.expected.type_word() {
            return None;
        }
        let word = self.keyword(self.at)?;
        let statement = matches!(
            word,
            Tok::Return
                | Tok::If
                | Tok::For
                | Tok::While
                | Tok::Do
                | Tok::Switch
                | Tok::Goto
                | Tok::Break
                | Tok::Continue
                | Tok::Case
                | Tok::Default
                | Tok::Else
        );
        if !statement {
            return None;
        }
        let message = format!("{} stands outside a function", self.quote(self.at));
        let mut finding = Finding::new(Diag::new(&codes::SYNTAX, self.span(self.at), message));
        let last = (0..self.at).rev().find(|&n| self.kind(n) == TokenKind::RBrace);
        let indented =
            |n: usize| self.tok(n).and_then(|t| self.cx.source.line_col(t.loc)).is_some_and(|p| p.col > 1);
        if let Some(brace) = last {
            finding.diag = finding.diag.with_label(self.span(brace), "the function ends here");
            if indented(brace) {
                finding = finding.delete(brace);
            }
        }
        // What follows is the rest of a body: go on at the next line that starts at the margin.
        let margin = |n: &usize| self.kind(*n) == TokenKind::Ident && self.starts_line(*n) && !indented(*n);
        let end = (self.at + 1..self.cx.toks.len() - 1).find(margin).unwrap_or(self.cx.toks.len() - 1);
        Some(finding.fix(Fix::Edits(vec![(self.at as u32, Edit::SkipTo(end as u32))])))
    }

    /// A function body that starts without its brace.
    fn missing_open_brace(&self) -> Option<Finding> {
        let indented =
            self.tok(self.at).and_then(|t| self.cx.source.line_col(t.loc)).is_some_and(|p| p.col > 1);
        let starts = self.starts_type(self.at)
            || self.keyword(self.at).is_some_and(starts_statement)
            || self.is_name(self.at);
        let last = self.before(1)?;
        if self.kind(last) != TokenKind::RParen
            || !self.expected.has("{")
            || !indented
            || !starts
            || self.bracket().is_some()
        {
            return None;
        }
        let diag =
            Diag::new(&codes::MISSING, self.span(last), "expected `{` in front of the body of the function")
                .with_remark("`{` is missing after this");
        Some(Finding::new(diag).insert(self.at, Tok::LBrace).insert(self.at, Tok::Semi))
    }

    /// A closing bracket that closes nothing, or the wrong thing.
    fn unmatched(&self) -> Option<Finding> {
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
            let mut finding = Finding::new(Diag::new(&codes::UNBALANCED, self.span(self.at), message));
            if self.expected.has("}") && !self.expected.statement() {
                finding = finding.fix(Fix::Edits(vec![(self.at as u32, Edit::Replace(Tok::RBrace))]));
            }
            return Some(finding.delete(self.at));
        }
        let missing = if opened == TokenKind::LParen { Tok::RParen } else { Tok::RBracket };
        let wanted = if opened == TokenKind::LParen { "`)`" } else { "`]`" };
        let diag =
            Diag::new(&codes::UNBALANCED, self.span(self.at), format!("expected {wanted}, found {quote}"))
                .with_label(self.span(open), format!("this {} is still open", self.quote(open)));
        let here = self.at as u32;
        let (instead, before) = (Edit::Replace(missing), Edit::Insert(missing));
        // It is needed if it has a partner further out.
        let order = if self.is_balanced(close) { [before, instead] } else { [instead, before] };
        let finding = order
            .into_iter()
            .fold(Finding::new(diag), |finding, edit| finding.fix(Fix::Edits(vec![(here, edit)])));
        Some(finding.fix(Fix::Edits(vec![(here, Edit::Insert(missing)), (here, Edit::Insert(Tok::Semi))])))
    }

    fn missing_close(&self) -> Option<Finding> {
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
        let mut finding = Finding::new(diag);
        if self.expected.expression() {
            let filled = vec![(self.at as u32, Edit::Insert(Tok::Hole)), (self.at as u32, Edit::Insert(tok))];
            finding = finding.fix(Fix::Edits(filled));
        }
        Some(finding.insert(self.at, tok).fix(Fix::Edits(both)).fix(Fix::Edits(instead)))
    }

    fn missing_semicolon(&self) -> Option<Finding> {
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
    fn unfinished(&self) -> &'static str {
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
            Some(token) if token.begins_declaration() => "the declaration",
            _ if self.is_type(start) => "the declaration",
            _ => "this statement",
        }
    }

    /// Whose body the brace at `open` starts, if it is a record's or an enumeration's.
    pub fn is_enum_body(&self, open: usize) -> bool {
        self.body_word(open) == Some("the `enum`")
    }

    fn body_word(&self, open: usize) -> Option<&'static str> {
        (open.saturating_sub(2)..open).rev().find_map(|n| match self.keyword(n) {
            Some(Tok::Record(RecordKind::Struct)) => Some("the `struct`"),
            Some(Tok::Record(RecordKind::Union)) => Some("the `union`"),
            Some(Tok::Enum) => Some("the `enum`"),
            _ => None,
        })
    }

    /// `;` where a list goes on.
    fn wrong_separator(&self) -> Option<Finding> {
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
        let is_enum = self.is_enum_body(open);
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

    fn missing_comma(&self) -> Option<Finding> {
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

    /// Whether the brace opens what an `if` owns, and the file has fewer closing braces than that needs.
    fn opens_branch(&self, open: usize) -> bool {
        let Some(head) = open.checked_sub(1).filter(|&n| self.kind(n) == TokenKind::RParen) else {
            return false;
        };
        brackets::opener(self.cx.toks, head)
            .and_then(|paren| paren.checked_sub(1))
            .is_some_and(|word| self.keyword(word) == Some(Tok::If))
            && brackets::unclosed_brace(self.cx).is_some()
    }

    /// Whether the statement has as many of these closing brackets as of their partners.
    fn is_balanced(&self, close: TokenKind) -> bool {
        let mut start = self.at;
        while let Some(open) = brackets::innermost(self.cx.toks, start) {
            if self.kind(open) == TokenKind::LBrace {
                break;
            }
            start = open;
        }
        let ends = |n: &usize| {
            !matches!(self.kind(*n), TokenKind::Semi | TokenKind::LBrace | TokenKind::RBrace | TokenKind::Eof)
        };
        let mut open = 0usize;
        let mut closed = 0usize;
        for kind in (start..).take_while(|n| ends(n)).map(|n| self.kind(n)) {
            open += usize::from(brackets::partner(kind) == Some(close));
            closed += usize::from(kind == close);
        }
        open == closed
    }

    fn stray_else(&self) -> Option<Finding> {
        if self.keyword(self.at) != Some(Tok::Else) || !self.expected.statement() {
            return None;
        }
        // In a block that an `if` owns, it is the end of the block that is missing.
        if let Some(open) = self.bracket()
            && self.opens_branch(open)
        {
            let diag = Diag::new(&codes::MISSING, self.span(self.last()), "expected `}` before `else`")
                .with_remark("`}` is missing after this")
                .with_label(self.span(open), "to close this `{`");
            return Some(Finding::new(diag).insert(self.at, Tok::RBrace));
        }
        let diag = Diag::new(&codes::SYNTAX, self.span(self.at), "this `else` belongs to no `if`")
            .with_note("an `if` owns one statement: more than one needs braces, and a `;` counts as one");
        Some(Finding::new(diag).delete(self.at))
    }

    fn unexpected(&self) -> Finding {
        let quote = self.quote(self.at);
        let words = self.expected.words();
        let message = match words.as_str() {
            "" => format!("{quote} does not fit here"),
            words => format!("expected {words}, found {quote}"),
        };
        let mut finding = Finding::new(Diag::new(&codes::SYNTAX, self.span(self.at), message));
        if let Some(Tok::Stray) = self.keyword(self.at) {
            let message = format!("{quote} is not supported");
            finding.diag = Diag::new(&codes::UNSUPPORTED, self.span(self.at), message);
        }
        if let Some(edits) = self.name_in_the_way() {
            finding = finding.fix(Fix::Edits(edits));
        }
        if self.expected.expression() {
            finding = finding.insert(self.at, Tok::Hole);
        }
        if self.expected.name()
            && matches!(
                self.found(),
                TokenKind::Semi | TokenKind::Comma | TokenKind::Assign | TokenKind::RParen
            )
        {
            finding = finding.insert(self.at, Tok::Var(Symbol::EMPTY));
        }
        const MARKS: [(&str, Tok); 5] = [
            (")", Tok::RParen),
            ("]", Tok::RBracket),
            (";", Tok::Semi),
            ("(", Tok::LParen),
            ("}", Tok::RBrace),
        ];
        for (mark, tok) in MARKS {
            let closes_list = mark == "}" && !self.expected.statement();
            if self.expected.has(mark) && (closes_list || mark != "}" && !self.expected.expression()) {
                finding = finding.insert(self.at, tok);
            }
        }
        finding.delete(self.at)
    }
}
