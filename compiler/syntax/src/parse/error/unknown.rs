//! Names that fit nowhere: unknown types and macros, missing types, keywords as names.
//!
//! In: the scene of an error. Out: what is unknown, and which header or other name may be meant.

use super::scene::{Finding, Fix, Scene};
use super::suggest;
use crate::ast::{Named, RecordKind, Tagged};
use crate::diag::{Diag, codes};
use crate::intern::{Symbol, kw};
use crate::parse::feed::Edit;
use crate::parse::tok::{Tok, Word};
use crate::token::TokenKind;

impl Scene<'_> {
    /// A macro whose header is missing: it shows as a name that fits nowhere.
    pub fn unknown_macro(&self) -> Option<Finding> {
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

    pub fn unknown_type(&self) -> Option<Finding> {
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
            return Some(finding.insert(at, Tok::Word(Word::INT)).fix(Fix::Type(sym)));
        }
        Some(Finding::new(diag).fix(Fix::Type(sym)))
    }

    /// The name that must have been meant as a type.
    pub fn type_candidate(&self) -> Option<usize> {
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

    pub fn is_operator_word(&self, at: usize) -> bool {
        matches!(self.keyword(at), Some(Tok::Sizeof | Tok::Alignof))
    }

    pub fn type_help(&self, sym: Symbol) -> Option<String> {
        let name = self.name(sym);
        let tag = self.unit.file_tags.iter().find(|t| t.tag == sym);
        if let Some(tag) = tag {
            let word = match tag.what {
                Tagged::Enum(_) => "enum",
                Tagged::Record(id) => match self.unit.ast.record(id).kind {
                    RecordKind::Struct => "struct",
                    RecordKind::Union => "union",
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
    pub fn missing_type(&self) -> Option<Finding> {
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
            return Some(Finding::new(diag).insert(self.at, Tok::Word(Word::INT)));
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
        Some(Finding::new(diag).insert(self.at, Tok::Word(Word::INT)))
    }

    pub fn keyword_as_name(&self) -> Option<Finding> {
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
}
