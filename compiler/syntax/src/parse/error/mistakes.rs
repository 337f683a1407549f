//! Syntax errors with a face of their own.
//!
//! In: the scene of an error. Out: a message that names the mistake instead of what was expected, with
//! fixes. Each function knows one mistake and says nothing of the others; their order matters only
//! where it says so.

use super::scene::{Finding, Fix, Scene};
use crate::ast::BinOp;
use crate::diag::{Diag, codes};
use crate::intern::Symbol;
use crate::parse::feed::Edit;
use crate::parse::tok::Tok;
use crate::source::Span;
use crate::token::TokenKind;

/// Asks each mistake in turn.
pub fn explain(scene: &Scene<'_>) -> Option<Finding> {
    const MISTAKES: &[fn(&Scene<'_>) -> Option<Finding>] = &[
        parens_after_keyword,
        sizeof_without_parens,
        attribute_parens,
        goto_without_label,
        do_without_while,
        member_name,
        array_before_name,
        type_after_comma,
        case_colon,
        for_head,
        second_type,
        number_as_name,
        foreign_operator,
    ];
    MISTAKES.iter().find_map(|mistake| mistake(scene))
}

fn error(span: Span, message: String) -> Diag {
    Diag::new(&codes::SYNTAX, span, message)
}

/// A token without the quotes of messages.
fn bare(s: &Scene<'_>, at: usize) -> String {
    s.quote(at).replace('`', "")
}

/// `if x {`
fn parens_after_keyword(s: &Scene<'_>) -> Option<Finding> {
    let last = s.before(1)?;
    if !matches!(s.keyword(last), Some(Tok::If | Tok::While | Tok::For | Tok::Switch)) || !s.expected.has("(")
    {
        return None;
    }
    let message = format!("expected `(` after {}, found {}", s.quote(last), s.quote(s.at));
    let help = format!("parentheses are required: `{} (...)`", bare(s, last));
    let mut finding = Finding::new(error(s.span(s.at), message).with_help(help));
    // The condition goes up to the brace or the end of the line.
    let mut end = s.at;
    while !s.starts_line(end + 1) && !matches!(s.kind(end), TokenKind::LBrace | TokenKind::Eof) {
        end += 1;
    }
    let end = if s.kind(end) == TokenKind::LBrace { end } else { end + 1 };
    let edits = vec![(s.at as u32, Edit::Insert(Tok::LParen)), (end as u32, Edit::Insert(Tok::RParen))];
    finding = finding.fix(Fix::Edits(edits)).insert(s.at, Tok::LParen);
    if s.found() == TokenKind::LBrace {
        finding = finding.fix(Fix::Edits(vec![(s.at as u32, Edit::Replace(Tok::LParen))]));
    }
    let parts: &[Tok] = match s.keyword(last) {
        Some(Tok::For) => &[Tok::LParen, Tok::Semi, Tok::Semi, Tok::RParen],
        _ => &[Tok::LParen, Tok::Hole, Tok::RParen],
    };
    Some(finding.fix(Fix::Edits(parts.iter().map(|&t| (s.at as u32, Edit::Insert(t))).collect())))
}

/// `sizeof int`
fn sizeof_without_parens(s: &Scene<'_>) -> Option<Finding> {
    let last = s.before(1)?;
    if !matches!(s.keyword(last), Some(Tok::Sizeof | Tok::Alignof)) || !s.starts_type(s.at) {
        return None;
    }
    let message = format!("expected an expression after {}, found the type {}", s.quote(last), s.quote(s.at));
    let help = format!("put the type in parentheses: `{}({})`", bare(s, last), bare(s, s.at));
    // A tag belongs to its keyword.
    let words = if matches!(s.keyword(s.at), Some(Tok::Record(_) | Tok::Enum)) { 2 } else { 1 };
    let edits =
        vec![(s.at as u32, Edit::Insert(Tok::LParen)), (s.at as u32 + words, Edit::Insert(Tok::RParen))];
    Some(Finding::new(error(s.span(s.at), message).with_help(help)).fix(Fix::Edits(edits)))
}

/// `__attribute__(packed)`
fn attribute_parens(s: &Scene<'_>) -> Option<Finding> {
    let (one, two) = (s.keyword(s.before(1)?), s.before(2).and_then(|at| s.keyword(at)));
    if one != Some(Tok::Attribute) && (two != Some(Tok::Attribute) || !s.expected.has("(")) {
        return None;
    }
    let message = format!("expected `((` after `__attribute__`, found {}", s.quote(s.at));
    let finding =
        Finding::new(error(s.span(s.at), message).with_help("attributes stand in two pairs of parentheses"));
    let word = if one == Some(Tok::Attribute) { s.before(1)? } else { s.before(2)? };
    let close = if s.kind(word + 1) == TokenKind::LParen { s.closing(word + 1)? } else { word };
    Some(finding.fix(Fix::Edits(vec![(word as u32, Edit::SkipTo(close as u32 + 1))])))
}

/// `goto;`
fn goto_without_label(s: &Scene<'_>) -> Option<Finding> {
    if s.keyword(s.before(1)?) != Some(Tok::Goto) {
        return None;
    }
    Some(Finding::new(error(s.span(s.at), format!("expected a label after `goto`, found {}", s.quote(s.at)))))
}

/// `do { } (x);`
fn do_without_while(s: &Scene<'_>) -> Option<Finding> {
    if s.kind(s.before(1)?) != TokenKind::RBrace || !s.expected.has("while") || s.expected.statement() {
        return None;
    }
    let message = format!("expected `while` after the body of `do`, found {}", s.quote(s.at));
    Some(Finding::new(error(s.span(s.at), message)).insert(s.at, Tok::While))
}

/// `p->1`
fn member_name(s: &Scene<'_>) -> Option<Finding> {
    let last = s.before(1)?;
    if !matches!(s.kind(last), TokenKind::Dot | TokenKind::Arrow) || !s.expected.name() {
        return None;
    }
    let message = format!("expected the name of a member after {}, found {}", s.quote(last), s.quote(s.at));
    let finding = Finding::new(error(s.span(s.at), message));
    Some(match s.found() {
        TokenKind::Number => {
            finding.fix(Fix::Edits(vec![(s.at as u32, Edit::Replace(Tok::Var(Symbol::EMPTY)))]))
        }
        _ => finding.insert(s.at, Tok::Var(Symbol::EMPTY)),
    })
}

/// `int[4] a;`
fn array_before_name(s: &Scene<'_>) -> Option<Finding> {
    let last = s.before(1)?;
    if s.found() != TokenKind::LBracket || !s.expected.name() || !s.after_type(last) {
        return None;
    }
    let message = "the size of an array goes after its name".to_string();
    let help = format!("write `{} name[...]`", bare(s, last));
    Some(Finding::new(error(s.span(s.at), message).with_help(help)))
}

/// `int a, long b;` in a struct
fn type_after_comma(s: &Scene<'_>) -> Option<Finding> {
    let last = s.before(1)?;
    if s.kind(last) != TokenKind::Comma || !s.starts_type(s.at) || !s.expected.name() {
        return None;
    }
    let message = format!("expected a name after `,`, found the type {}", s.quote(s.at));
    let mut diag = error(s.span(s.at), message);
    if s.inside() != Some(TokenKind::LParen) {
        diag = diag.with_help("declarations of different types are separated by `;`");
    }
    Some(Finding::new(diag).fix(Fix::Edits(vec![(last as u32, Edit::Replace(Tok::Semi))])))
}

/// `case 1;`
fn case_colon(s: &Scene<'_>) -> Option<Finding> {
    if !s.in_case() || !s.expected.has(":") {
        return None;
    }
    let word = s.quote(s.start());
    let message = format!("expected `:` after the {word} label, found {}", s.quote(s.at));
    if s.found() == TokenKind::Semi {
        let finding = Finding::new(error(s.span(s.at), message));
        return Some(finding.fix(Fix::Edits(vec![(s.at as u32, Edit::Replace(Tok::Colon))])));
    }
    let diag = Diag::new(&codes::MISSING, s.span(s.last()), message).with_remark("`:` is missing after this");
    Some(Finding::new(diag).insert(s.at, Tok::Colon))
}

/// `for (i = 0, i < n, i++)`
fn for_head(s: &Scene<'_>) -> Option<Finding> {
    if !s.in_for_head() || !s.expected.has(";") {
        return None;
    }
    let semi = (s.at as u32, Edit::Insert(Tok::Semi));
    if s.found() == TokenKind::RParen {
        let diag = error(s.span(s.at), "the head of `for` has three parts, separated by `;`".to_string())
            .with_help("write `for (start; condition; step)`; a part may be empty");
        return Some(Finding::new(diag).fix(Fix::Edits(vec![semi])).fix(Fix::Edits(vec![semi, semi])));
    }
    let message = format!("expected `;` between the parts of `for`, found {}", s.quote(s.at));
    let instead = vec![(s.at as u32, Edit::Replace(Tok::Semi))];
    Some(Finding::new(error(s.span(s.at), message)).fix(Fix::Edits(vec![semi])).fix(Fix::Edits(instead)))
}

/// `u32 int x;`
fn second_type(s: &Scene<'_>) -> Option<Finding> {
    let last = s.before(1)?;
    if !s.starts_type(s.at) || !s.expected.has(";") || !s.after_type(last) || s.starts_line(s.at) {
        return None;
    }
    let message = format!("a second type {} in one declaration", s.quote(s.at));
    Some(Finding::new(error(s.span(s.at), message).with_label(s.span(last), "the first type")).delete(s.at))
}

/// `int 3x;`
fn number_as_name(s: &Scene<'_>) -> Option<Finding> {
    if !s.expected.name() || s.found() != TokenKind::Number {
        return None;
    }
    let mut diag = error(s.span(s.at), format!("expected a name, found the number {}", s.quote(s.at)));
    if s.quote(s.at).contains(|c: char| c.is_ascii_alphabetic()) {
        diag = diag.with_note("a name cannot start with a digit");
    }
    Some(Finding::new(diag).fix(Fix::Edits(vec![(s.at as u32, Edit::Replace(Tok::Var(Symbol::EMPTY)))])))
}

/// Operators of other languages: `=>`, `=<`, `===`, `and`, `or`.
fn foreign_operator(s: &Scene<'_>) -> Option<Finding> {
    let last = s.before(1)?;
    let glued = s.is_glued(s.at);
    let word = s.name(s.sym(s.at));
    let (wrong, right, drop, tok) = match (s.kind(last), s.found()) {
        (TokenKind::Assign, TokenKind::Gt) if glued => ("=>", ">=", true, Tok::BinOp(BinOp::Ge)),
        (TokenKind::Assign, TokenKind::Lt) if glued => ("=<", "<=", true, Tok::BinOp(BinOp::Le)),
        (TokenKind::EqEq, TokenKind::Assign) if glued => ("===", "==", true, Tok::BinOp(BinOp::Eq)),
        (TokenKind::Ne, TokenKind::Assign) if glued => ("!==", "!=", true, Tok::BinOp(BinOp::Ne)),
        (_, TokenKind::Ident) if word == "and" && s.expected.operator() => ("and", "&&", false, Tok::AndAnd),
        (_, TokenKind::Ident) if word == "or" && s.expected.operator() => {
            ("or", "||", false, Tok::BinOp(BinOp::LogOr))
        }
        _ => return None,
    };
    let span = if drop { s.span(last).to(s.span(s.at)) } else { s.span(s.at) };
    let diag = error(span, format!("C has no operator `{wrong}`")).with_help(format!("write `{right}`"));
    let mut edits = vec![(s.at as u32, Edit::Replace(tok))];
    if drop {
        edits.push((last as u32, Edit::Delete));
    }
    Some(Finding::new(diag).fix(Fix::Edits(edits)))
}
