//! One syntax error: what to say, and which changes to the tokens might mend it.
//!
//! In: where the parser stopped and what it would have accepted. Out: a [`Diag`] and candidate fixes,
//! most plausible first; `repair` tries them.
//! The checks run from the particular to the general; the last one always has something to say.

use super::brackets;
use super::build::SyntaxError;
use super::expected::Expected;
use super::feed::{Cx, Edit, TYPE};
use super::mistakes;
use super::suggest;
use super::tok::{KEYWORDS, Tok};
use crate::ast::{Named, Tagged, Unit};
use crate::diag::{Diag, codes};
use crate::intern::{Symbol, kw};
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

/// Explains an error.
pub fn explain(cx: &Cx<'_>, unit: &Unit, error: &SyntaxError) -> Finding {
    let scene = Scene { cx, unit, at: error.at as usize, expected: Expected::new(&error.expected) };
    let finding = scene
        .end_of_file()
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
    let finding = scene.cut_short().into_iter().fold(finding, |f, edits| f.fix(Fix::Edits(edits)));
    let finding = scene.hollow().into_iter().fold(finding, |f, edits| f.fix(Fix::Edits(edits)));
    match scene.whole_declaration() {
        Some((start, end)) => finding.fix(Fix::Edits(vec![(start, Edit::SkipTo(end))])),
        None => finding,
    }
}

/// The surroundings of an error.
pub struct Scene<'a> {
    pub(super) cx: &'a Cx<'a>,
    pub(super) unit: &'a Unit,
    /// The offending token.
    pub at: usize,
    pub expected: Expected,
}

impl Scene<'_> {
    // ------------------------------------------------------------ tokens around

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

    /// Edits that end the statement in front of the error and go on where the next one may start.
    pub(super) fn cut_short(&self) -> Option<Vec<(u32, Edit)>> {
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
    pub(super) fn hollow(&self) -> Vec<Vec<(u32, Edit)>> {
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
    pub(super) fn emptied(&self, open: usize) -> Option<Vec<(u32, Edit)>> {
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

    /// The file-level declaration the error is in, if it is not in its body.
    pub(super) fn whole_declaration(&self) -> Option<(u32, u32)> {
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
                TokenKind::Eof => return Some((start as u32, n as u32)),
                _ => {}
            }
            n += 1;
        }
        (n >= self.at).then_some((start as u32, n as u32 + 1))
    }

    // ------------------------------------------------------------ the end

    pub(super) fn end_of_file(&self) -> Option<Finding> {
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

    pub(super) fn never_closed(&self, open: usize) -> Finding {
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

    // ------------------------------------------------------------ types

    /// A macro whose header is missing: it shows as a name that fits nowhere.
    pub(super) fn unknown_macro(&self) -> Option<Finding> {
        let calls = |at: usize| self.is_name(at) && self.kind(at + 1) == TokenKind::LParen;
        let (at, close) = if calls(self.at) && self.expected.type_word() && !self.expected.expression() {
            (self.at, self.closing(self.at + 1))
        } else if let Some(at) = self.bracket().and_then(|open| open.checked_sub(1))
            && calls(at)
            && suggest::macro_header(self.name(self.sym(at))).is_some()
        {
            (at, None)
        } else if self.is_name(self.at) && suggest::macro_header(self.name(self.sym(self.at))).is_some() {
            let call = self.kind(self.at + 1) == TokenKind::LParen;
            (self.at, if call { self.closing(self.at + 1) } else { Some(self.at) })
        } else {
            return None;
        };
        let name = self.name(self.sym(at));
        let header = suggest::macro_header(name);
        let literal = matches!(self.kind(at + 2), TokenKind::Str | TokenKind::Number | TokenKind::Char);
        // `f(int x) { ... }` lacks a type, not a macro.
        if header.is_none() && !literal && self.inside() != Some(TokenKind::LBrace) {
            return None;
        }
        let mut finding =
            Finding::new(Diag::new(&codes::UNKNOWN_MACRO, self.span(at), format!("unknown macro `{name}`")));
        if let Some(header) = header {
            finding.diag = finding.diag.with_help(format!("`#include <{header}>` defines it"));
        }
        let here = at as u32;
        let edits = match close {
            Some(close) => (here..=close as u32).map(|n| (n, Edit::Delete)).collect(),
            // `MACRO(name, params) {`: what is left is `name(params) {`.
            None => {
                let open = match self.kind(at + 3) {
                    TokenKind::Comma => Edit::Replace(Tok::LParen),
                    _ => Edit::Insert(Tok::LParen),
                };
                vec![(here, Edit::Delete), (here + 1, Edit::Delete), (here + 3, open)]
            }
        };
        finding = finding.fix(Fix::Edits(edits));
        Some(finding)
    }

    /// The bracket that closes the one at `open`.
    pub(super) fn closing(&self, open: usize) -> Option<usize> {
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

    pub(super) fn unknown_type(&self) -> Option<Finding> {
        let at = self.type_candidate()?;
        let sym = self.sym(at);
        let name = self.name(sym);
        let mut diag = Diag::new(&codes::UNKNOWN_TYPE, self.span(at), format!("unknown type name `{name}`"));
        if let Some(help) = self.type_help(sym) {
            diag = diag.with_help(help);
        }
        let lone = at == self.at && matches!(self.kind(at + 1), TokenKind::RParen | TokenKind::Comma);
        if lone && self.inside() == Some(TokenKind::LParen) {
            // More likely the name of a parameter than a type: one is declared, the other used.
            let finding = Finding::new(diag.with_note("a parameter needs a type in front of its name"));
            return Some(finding.insert(at, Tok::Word(super::tok::Word::INT)).fix(Fix::Type(sym)));
        }
        Some(Finding::new(diag).fix(Fix::Type(sym)))
    }

    /// The name that must have been meant as a type.
    pub(super) fn type_candidate(&self) -> Option<usize> {
        let at = self.at;
        let plain = |at: usize| self.is_name(at) && !self.is_type(at);
        // `name other` or `name *` where a declaration, field, parameter or type may start.
        if plain(at) && self.expected.type_word() && !self.expected.expression() {
            let next = self.kind(at + 1);
            let inner = matches!(self.inside(), Some(TokenKind::LParen));
            let ends = matches!(next, TokenKind::RParen | TokenKind::Comma) && inner;
            let declares = next == TokenKind::Ident && !self.is_operator_word(at + 1);
            if declares || ends || (next == TokenKind::Star && !self.starts_line(at + 1)) {
                return Some(at);
            }
        }
        // `name other` in a block: the error shows at `other`.
        let last = self.before(1)?;
        let in_block =
            !matches!(self.inside(), Some(TokenKind::LParen | TokenKind::LBracket)) || self.in_for_head();
        if plain(last) && in_block && self.is_name(at) && !self.starts_line(at) {
            let start = self.start();
            let lead = (start..last).all(|n| matches!(self.keyword(n), Some(Tok::Qual(_) | Tok::Storage(_))));
            if lead && !self.expected.type_word() {
                return Some(last);
            }
        }
        // `(name *)` and `(name) operand`
        let mut n = last;
        while self.kind(n) == TokenKind::Star {
            n = n.checked_sub(1)?;
        }
        if self.found() == TokenKind::RParen
            && n < last
            && plain(n)
            && self.kind(n.checked_sub(1)?) == TokenKind::LParen
        {
            return Some(n);
        }
        let operand =
            matches!(self.found(), TokenKind::Number | TokenKind::Str | TokenKind::Char) || self.is_name(at);
        let word = self.before(2)?;
        if operand
            && self.kind(last) == TokenKind::RParen
            && plain(word)
            && self.kind(self.before(3)?) == TokenKind::LParen
            && self.before(4).is_none_or(|n| {
                !self.is_name(n)
                    && !matches!(self.keyword(n), Some(Tok::If | Tok::While | Tok::For | Tok::Switch))
            })
        {
            return Some(word);
        }
        None
    }

    pub(super) fn is_operator_word(&self, at: usize) -> bool {
        matches!(self.keyword(at), Some(Tok::Sizeof | Tok::Alignof))
    }

    pub(super) fn type_help(&self, sym: Symbol) -> Option<String> {
        let name = self.name(sym);
        let tag = self.unit.file_tags.iter().find(|t| t.tag == sym);
        if let Some(tag) = tag {
            let word = match tag.what {
                Tagged::Enum(_) => "enum",
                Tagged::Record(id) => match self.unit.ast.record(id).kind {
                    crate::ast::RecordKind::Struct => "struct",
                    crate::ast::RecordKind::Union => "union",
                },
            };
            return Some(format!("there is a type `{word} {name}`: write `{word} {name}`"));
        }
        if let Some(header) = suggest::header(name) {
            return Some(header);
        }
        let types = self.unit.file_names.iter().filter(|n| matches!(n.what, Named::Typedef(..)));
        suggest::nearest(name, types.map(|n| self.cx.names.name(n.name)))
            .map(|other| format!("did you mean `{other}`?"))
    }

    /// A name at file level, or after `static` or `const`, that no type goes before.
    pub(super) fn missing_type(&self) -> Option<Finding> {
        if !self.is_name(self.at) || !self.expected.type_word() || self.expected.expression() {
            return None;
        }
        let name = self.quote(self.at);
        let next = self.kind(self.at + 1);
        let inside = self.inside();
        let lead =
            matches!(self.before(1).and_then(|n| self.keyword(n)), Some(Tok::Storage(_) | Tok::Qual(_)));
        let declares = matches!(
            next,
            TokenKind::Semi | TokenKind::Assign | TokenKind::LBracket | TokenKind::Comma | TokenKind::Colon
        );
        if next == TokenKind::LParen && inside.is_none() {
            let diag =
                Diag::new(&codes::SYNTAX, self.span(self.at), format!("{name} is declared without a type"))
                    .with_note("if a macro is meant, the header that defines it is missing");
            return Some(Finding::new(diag).insert(self.at, Tok::Word(super::tok::Word::INT)));
        }
        if !(declares && (lead || inside != Some(TokenKind::LParen))) {
            return None;
        }
        let mut diag =
            Diag::new(&codes::SYNTAX, self.span(self.at), format!("{name} is declared without a type"));
        if self.sym_before(1) == kw::AUTO {
            diag = diag.with_help("write `__auto_type` to take the type from the initialiser");
        } else if inside.is_none() && next != TokenKind::Semi && !lead {
            diag = diag.with_note("only declarations may stand outside functions");
        }
        Some(Finding::new(diag).insert(self.at, Tok::Word(super::tok::Word::INT)))
    }

    // ------------------------------------------------------------ names

    pub(super) fn keyword_as_name(&self) -> Option<Finding> {
        let sym = self.sym(self.at);
        if !self.is_keyword(sym) || !self.expected.name() || self.starts_line(self.at) {
            return None;
        }
        let after_type = self.before(1).is_some_and(|n| {
            self.kind(n) == TokenKind::Star
                || self.is_type(n)
                || self.kind(n) == TokenKind::Dot
                || self.kind(n) == TokenKind::Arrow
                || matches!(
                    self.keyword(n),
                    Some(Tok::Word(_) | Tok::Record(_) | Tok::Enum | Tok::Goto | Tok::Qual(_))
                )
        });
        let ends = matches!(
            self.kind(self.at + 1),
            TokenKind::Semi
                | TokenKind::Assign
                | TokenKind::LBracket
                | TokenKind::Comma
                | TokenKind::RParen
                | TokenKind::LParen
                | TokenKind::LBrace
                | TokenKind::Colon
        );
        if !after_type || !ends {
            return None;
        }
        let message = format!("the keyword {} cannot be a name", self.quote(self.at));
        let diag = Diag::new(&codes::KEYWORD_NAME, self.span(self.at), message);
        let named = Edit::Replace(Tok::Var(sym));
        Some(Finding::new(diag).fix(Fix::Edits(vec![(self.at as u32, named)])))
    }

    // ------------------------------------------------------------ brackets

    /// A statement at file level: a function ended too early.
    pub(super) fn outside_function(&self) -> Option<Finding> {
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
    pub(super) fn missing_open_brace(&self) -> Option<Finding> {
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

    pub(super) fn unexpected(&self) -> Finding {
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
        for (mark, tok) in [(")", Tok::RParen), ("]", Tok::RBracket), (";", Tok::Semi), ("(", Tok::LParen)] {
            if self.expected.has(mark) && !self.expected.expression() {
                finding = finding.insert(self.at, tok);
            }
        }
        finding.delete(self.at)
    }
}

/// Whether this keyword can only start a statement or a declaration.
pub(super) fn starts_statement(tok: Tok) -> bool {
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
