//! The expression of `#if` and `#elif` (C11 6.10.1).
//!
//! In: the expanded tokens of the line. Out: its truth, and whether it was exactly `!defined X`.
//! Values are 64 bits, signed or unsigned. Precedence climbing; nesting is bounded.
//! Invariant: an error makes the condition false and is reported once.

use super::Pp;
use crate::diag::{Diag, codes};
use crate::intern::{Symbol, kw23, sym};
use crate::pp::Std;
use crate::source::Span;
use crate::token::{Token, TokenKind};

/// How deeply parentheses, unary operators and conditionals may nest.
const DEPTH_LIMIT: u32 = 200;

/// What a condition came to.
pub(super) struct Condition {
    pub(super) truth: bool,
    /// It reads `!defined X`: perhaps an include guard.
    pub(super) not_defined: Option<Symbol>,
}

#[derive(Clone, Copy)]
struct Value {
    bits: u64,
    unsigned: bool,
}

impl Value {
    fn signed(n: i64) -> Value {
        Value { bits: n as u64, unsigned: false }
    }

    fn truth(b: bool) -> Value {
        Value::signed(i64::from(b))
    }
}

/// Reported already.
struct Bad;

struct Eval<'p, 's, 'f> {
    pp: &'p mut Pp<'s, 'f>,
    tok: Token,
    depth: u32,
    /// Operators and operands seen, to recognise `!defined X`.
    steps: u32,
    not_defined: Option<Symbol>,
}

impl Pp<'_, '_> {
    /// Evaluates the rest of the line of the directive `at`.
    pub(super) fn condition(&mut self, at: Token) -> Condition {
        let tok = self.cond_token();
        if tok.kind == TokenKind::Eod {
            let word = self.cx.names.name(at.sym()).to_string();
            self.error(&codes::COND_EXPR, Span::at(at.loc), format!("`#{word}` without an expression"));
            return Condition { truth: false, not_defined: None };
        }
        let mut eval = Eval { pp: self, tok, depth: 0, steps: 0, not_defined: None };
        let value = eval.conditional(true);
        let end = eval.tok;
        let not_defined = eval.not_defined.filter(|_| eval.steps == 2);
        match value {
            Ok(_) if end.kind != TokenKind::Eod => {
                let text = String::from_utf8_lossy(self.cx.text(&end)).into_owned();
                let message = format!("unexpected `{text}` after the expression");
                self.error(&codes::COND_EXPR, Span::at(end.loc), message);
                Condition { truth: false, not_defined: None }
            }
            Ok(v) => Condition { truth: v.bits != 0, not_defined },
            Err(Bad) => Condition { truth: false, not_defined: None },
        }
    }

    /// `defined` keeps its operand from being expanded, so it is read before expansion.
    fn cond_token(&mut self) -> Token {
        let tok = self.expanded();
        if tok.kind == TokenKind::Eof { Token { kind: TokenKind::Eod, ..tok } } else { tok }
    }
}

/// Precedence and meaning of a binary operator; `None` for tokens that are none.
fn precedence(kind: TokenKind) -> Option<u8> {
    Some(match kind {
        TokenKind::OrOr => 1,
        TokenKind::AndAnd => 2,
        TokenKind::Pipe => 3,
        TokenKind::Caret => 4,
        TokenKind::Amp => 5,
        TokenKind::EqEq | TokenKind::Ne => 6,
        TokenKind::Lt | TokenKind::Gt | TokenKind::Le | TokenKind::Ge => 7,
        TokenKind::Shl | TokenKind::Shr => 8,
        TokenKind::Plus | TokenKind::Minus => 9,
        TokenKind::Star | TokenKind::Slash | TokenKind::Percent => 10,
        _ => return None,
    })
}

impl Eval<'_, '_, '_> {
    fn next(&mut self) {
        self.tok = self.pp.cond_token();
    }

    fn bad<T>(&mut self, at: Token, message: impl Into<String>) -> Result<T, Bad> {
        self.pp.error(&codes::COND_EXPR, Span::at(at.loc), message);
        Err(Bad)
    }

    fn enter(&mut self) -> Result<(), Bad> {
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            let at = self.tok;
            return self.bad(at, "expression nested too deeply");
        }
        Ok(())
    }

    /// Inside parentheses: conditionals joined by commas, the last one being the value.
    fn expression(&mut self, live: bool) -> Result<Value, Bad> {
        let mut value = self.conditional(live)?;
        while self.tok.kind == TokenKind::Comma {
            self.steps += 1;
            self.next();
            value = self.conditional(live)?;
        }
        Ok(value)
    }

    /// `live`: the value matters (the other side of a decided `&&`, `||`, `?:` does not).
    fn conditional(&mut self, live: bool) -> Result<Value, Bad> {
        self.enter()?;
        let mut value = self.binary(1, live)?;
        if self.tok.kind == TokenKind::Question {
            self.steps += 1;
            let test = value.bits != 0;
            self.next();
            let yes = self.expression(live && test)?;
            if self.tok.kind != TokenKind::Colon {
                let at = self.tok;
                return self.bad(at, "expected `:` in a conditional expression");
            }
            self.next();
            let no = self.conditional(live && !test)?;
            let bits = if test { yes.bits } else { no.bits };
            value = Value { bits, unsigned: yes.unsigned || no.unsigned };
        }
        self.depth -= 1;
        Ok(value)
    }

    fn binary(&mut self, least: u8, live: bool) -> Result<Value, Bad> {
        let mut lhs = self.unary(live)?;
        while let Some(level) = precedence(self.tok.kind).filter(|p| *p >= least) {
            let op = self.tok;
            self.steps += 1;
            self.next();
            let live_rhs = live
                && match op.kind {
                    TokenKind::AndAnd => lhs.bits != 0,
                    TokenKind::OrOr => lhs.bits == 0,
                    _ => true,
                };
            self.enter()?;
            let rhs = self.binary(level + 1, live_rhs)?;
            self.depth -= 1;
            lhs = self.apply(op, lhs, rhs, live)?;
        }
        Ok(lhs)
    }

    fn apply(&mut self, op: Token, a: Value, b: Value, live: bool) -> Result<Value, Bad> {
        let unsigned = a.unsigned || b.unsigned;
        let (x, y) = (a.bits as i64, b.bits as i64);
        let number = |bits: u64| Value { bits, unsigned };
        let less = |l: Value, r: Value| {
            if unsigned { l.bits < r.bits } else { (l.bits as i64) < (r.bits as i64) }
        };
        let (value, overflow) = match op.kind {
            TokenKind::OrOr => (Value::truth(a.bits != 0 || b.bits != 0), false),
            TokenKind::AndAnd => (Value::truth(a.bits != 0 && b.bits != 0), false),
            TokenKind::Pipe => (number(a.bits | b.bits), false),
            TokenKind::Caret => (number(a.bits ^ b.bits), false),
            TokenKind::Amp => (number(a.bits & b.bits), false),
            TokenKind::EqEq => (Value::truth(a.bits == b.bits), false),
            TokenKind::Ne => (Value::truth(a.bits != b.bits), false),
            TokenKind::Lt => (Value::truth(less(a, b)), false),
            TokenKind::Gt => (Value::truth(less(b, a)), false),
            TokenKind::Le => (Value::truth(!less(b, a)), false),
            TokenKind::Ge => (Value::truth(!less(a, b)), false),
            TokenKind::Shl | TokenKind::Shr => (shift(op.kind == TokenKind::Shl, a, b), false),
            TokenKind::Plus => (number(a.bits.wrapping_add(b.bits)), x.checked_add(y).is_none()),
            TokenKind::Minus => (number(a.bits.wrapping_sub(b.bits)), x.checked_sub(y).is_none()),
            TokenKind::Star => (number(a.bits.wrapping_mul(b.bits)), x.checked_mul(y).is_none()),
            TokenKind::Slash | TokenKind::Percent if b.bits == 0 => {
                if !live {
                    return Ok(number(0));
                }
                self.pp.error(&codes::COND_DIVISION, Span::at(op.loc), "division by zero in `#if`");
                return Err(Bad);
            }
            TokenKind::Slash if unsigned => (number(a.bits / b.bits), false),
            TokenKind::Slash => (number(x.wrapping_div(y) as u64), x.checked_div(y).is_none()),
            TokenKind::Percent if unsigned => (number(a.bits % b.bits), false),
            TokenKind::Percent => (number(x.wrapping_rem(y) as u64), false),
            _ => return self.bad(op, "not an operator"),
        };
        if overflow && live && !unsigned {
            let message = "integer overflow in `#if`";
            self.pp.report(Diag::new(&codes::COND_OVERFLOW, Span::at(op.loc), message));
        }
        Ok(value)
    }

    fn unary(&mut self, live: bool) -> Result<Value, Bad> {
        let op = self.tok;
        let apply: fn(Value) -> Value = match op.kind {
            TokenKind::Bang => |v| Value::truth(v.bits == 0),
            TokenKind::Tilde => |v| Value { bits: !v.bits, ..v },
            TokenKind::Minus => |v| Value { bits: v.bits.wrapping_neg(), ..v },
            TokenKind::Plus => |v| v,
            _ => return self.primary(live),
        };
        self.steps += 1;
        self.enter()?;
        self.next();
        let value = self.unary(live)?;
        self.depth -= 1;
        if op.kind != TokenKind::Bang {
            self.not_defined = None;
        }
        Ok(apply(value))
    }

    fn primary(&mut self, live: bool) -> Result<Value, Bad> {
        let tok = self.tok;
        self.steps += 1;
        let value = match tok.kind {
            TokenKind::LParen => {
                self.steps -= 1;
                self.next();
                let value = self.expression(live)?;
                if self.tok.kind != TokenKind::RParen {
                    let at = if self.tok.kind == TokenKind::Eod { tok } else { self.tok };
                    return self.bad(at, "missing `)` in an expression");
                }
                value
            }
            TokenKind::Ident if tok.is(sym::DEFINED) => self.defined(tok)?,
            TokenKind::Ident => {
                let c23 = self.pp.cx.options.std >= Std::C23;
                Value::truth(c23 && tok.is(kw23::TRUE))
            }
            TokenKind::Number => self.number(tok)?,
            TokenKind::Char => self.character(tok)?,
            TokenKind::Eod => return self.bad(tok, "expected a value at the end of the expression"),
            TokenKind::Str => return self.bad(tok, "a string in a preprocessor expression"),
            _ => {
                let text = String::from_utf8_lossy(self.pp.cx.text(&tok)).into_owned();
                return self.bad(tok, format!("expected a value, not `{text}`"));
            }
        };
        self.next();
        if tok.kind == TokenKind::Ident && self.tok.kind == TokenKind::LParen && !tok.is(sym::DEFINED) {
            let name = self.pp.cx.names.name(tok.sym());
            let message = format!("`{name}` is not a function-like macro");
            return self.bad(tok, message);
        }
        Ok(value)
    }

    fn defined(&mut self, at: Token) -> Result<Value, Bad> {
        let mut tok = self.pp.raw();
        let paren = tok.kind == TokenKind::LParen;
        if paren {
            tok = self.pp.raw();
        }
        if tok.kind != TokenKind::Ident {
            return self.bad(at, "`defined` needs a macro name");
        }
        if paren && self.pp.raw().kind != TokenKind::RParen {
            return self.bad(at, "missing `)` after `defined(`");
        }
        self.not_defined = Some(tok.sym());
        Ok(Value::truth(self.pp.macros.find(tok.sym()).is_some()))
    }

    fn number(&mut self, tok: Token) -> Result<Value, Bad> {
        let mut text = String::from_utf8_lossy(self.pp.cx.text(&tok)).into_owned();
        if self.pp.cx.options.std >= Std::C23 {
            text.retain(|c| c != '\'');
        }
        match parse_integer(&text) {
            Ok((bits, unsigned)) => Ok(Value { bits, unsigned }),
            Err(why) => self.bad(tok, format!("{why} `{text}` in a preprocessor expression")),
        }
    }

    fn character(&mut self, tok: Token) -> Result<Value, Bad> {
        let text = self.pp.cx.text(&tok).to_vec();
        match parse_char(&text) {
            Some(value) => Ok(Value::signed(value)),
            None => {
                self.pp.error(&codes::EMPTY_CHAR, Span::at(tok.loc), "malformed character constant");
                Err(Bad)
            }
        }
    }
}

/// Counts that C leaves open (negative ones and those above 63) shift everything out.
fn shift(left: bool, a: Value, b: Value) -> Value {
    let bits = match (left, u32::try_from(b.bits).unwrap_or(u32::MAX)) {
        (true, count) => a.bits.checked_shl(count).unwrap_or(0),
        (false, count) if a.unsigned => a.bits >> count.min(63),
        (false, count) => ((a.bits as i64) >> count.min(63)) as u64,
    };
    Value { bits, ..a }
}

/// An integer constant: its value and whether its type is unsigned.
fn parse_integer(text: &str) -> Result<(u64, bool), &'static str> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = match lower.as_bytes() {
        [b'0', b'x', ..] => (lower.get(2..).unwrap_or(""), 16),
        [b'0', b'b', ..] => (lower.get(2..).unwrap_or(""), 2),
        [b'0', ..] => (lower.as_str(), 8),
        _ => (lower.as_str(), 10),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let (number, suffix) = digits.split_at_checked(end).unwrap_or((digits, ""));
    if suffix.starts_with(['.', 'e', 'p']) && radix != 16 || suffix.starts_with(['.', 'p']) {
        return Err("floating constant");
    }
    let unsigned = match suffix {
        "" | "l" | "ll" => false,
        "u" | "ul" | "ull" | "lu" | "llu" => true,
        _ => return Err("malformed number"),
    };
    if number.is_empty() {
        return Err("malformed number");
    }
    let value = u64::from_str_radix(number, radix).map_err(|_| "too large a number")?;
    // A decimal constant that fits no signed type is taken as unsigned, as clang does.
    Ok((value, unsigned || value > i64::MAX as u64))
}

/// The value of a character constant; several characters are packed, the last one lowest.
fn parse_char(text: &[u8]) -> Option<i64> {
    let open = text.iter().position(|b| *b == b'\'')?;
    let wide = open != 0;
    let inner = text.get(open + 1..text.len().checked_sub(1)?)?;
    let mut units: Vec<u32> = Vec::new();
    let mut at = 0;
    while let Some(&b) = inner.get(at) {
        if b == b'\\' {
            let (value, used) = escape(inner.get(at + 1..)?)?;
            units.push(value);
            at += 1 + used;
        } else if wide && b >= 0x80 {
            let c = inner.get(at..)?.utf8_chunks().next()?.valid().chars().next()?;
            units.push(u32::from(c));
            at += c.len_utf8();
        } else {
            units.push(u32::from(b));
            at += 1;
        }
    }
    match units.as_slice() {
        [] => None,
        &[.., last] if wide => Some(i64::from(last as i32)),
        &[one] => Some(i64::from(one as u8 as i8)),
        many => Some(i64::from(many.iter().fold(0u32, |acc, u| (acc << 8) | (u & 0xff)) as i32)),
    }
}

/// An escape sequence after its backslash: value and length.
fn escape(text: &[u8]) -> Option<(u32, usize)> {
    let simple = |v: u8| Some((u32::from(v), 1));
    let digits = |skip: usize, max: usize, radix: u32| {
        let rest = text.get(skip..)?;
        let count = rest.iter().take(max).take_while(|b| char::from(**b).is_digit(radix)).count();
        let value = rest.iter().take(count).fold(0u32, |acc, b| {
            acc.wrapping_mul(radix).wrapping_add(char::from(*b).to_digit(radix).unwrap_or(0))
        });
        (count != 0).then_some((value, skip + count))
    };
    match text.first()? {
        b'n' => simple(b'\n'),
        b't' => simple(b'\t'),
        b'r' => simple(b'\r'),
        b'a' => simple(7),
        b'b' => simple(8),
        b'f' => simple(12),
        b'v' => simple(11),
        b'e' | b'E' => simple(27),
        b'0'..=b'7' => digits(0, 3, 8),
        b'x' => digits(1, usize::MAX, 16),
        b'u' => digits(1, 4, 16),
        b'U' => digits(1, 8, 16),
        other => simple(*other),
    }
}
