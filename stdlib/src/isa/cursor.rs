//! A position in a line of assembler text: what both dialects read is read here.
//!
//! Each method consumes what it names and the spaces before it, or leaves the position where the
//! mistake is. Numbers are checked against the field that they are for.

use super::asm::{AsmErrorKind, Parsed, Target};
use super::*;

/// How deep parentheses and signs of a number may be nested.
const MAX_DEPTH: u32 = 64;

type Operator = (&'static str, u8, fn(i128, i128) -> Option<i128>);

/// Operators of numbers with how tightly they bind, longer spellings first.
const OPERATORS: [Operator; 10] = [
    ("<<", 3, |a, b| a.checked_shl(b.try_into().ok().filter(|&b| b < 64)?)),
    (">>", 3, |a, b| a.checked_shr(b.try_into().ok().filter(|&b| b < 64)?)),
    ("+", 4, i128::checked_add),
    ("-", 4, i128::checked_sub),
    ("*", 5, i128::checked_mul),
    ("/", 5, i128::checked_div),
    ("%", 5, i128::checked_rem),
    ("&", 2, |a, b| Some(a & b)),
    ("^", 1, |a, b| Some(a ^ b)),
    ("|", 0, |a, b| Some(a | b)),
];

/// A position in one line of text.
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn skip_spaces(&mut self) {
        // Mostly there is one, or none.
        if self.text.as_bytes().get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        let rest = self.rest();
        if !rest.starts_with(|c: char| c.is_ascii_graphic()) {
            self.at += rest.len() - rest.trim_start().len();
        }
    }

    pub(super) fn is_at_end(&mut self) -> bool {
        self.skip_spaces();
        self.rest().is_empty()
    }

    /// Consumes `token` if it comes next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        self.skip_spaces();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    pub(super) fn expect(&mut self, token: &'static str) -> Parsed<()> {
        if self.eat(token) { Ok(()) } else { Err(AsmErrorKind::Expected(token)) }
    }

    /// Consumes a name; empty if there is none.
    pub(super) fn word(&mut self) -> &'a str {
        self.skip_spaces();
        let rest = self.rest();
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$');
        let word = &rest[..rest.bytes().position(|byte| !inside(byte)).unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    /// Consumes the word if it is this one.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let start = self.at;
        let found = self.word() == word;
        if !found {
            self.at = start;
        }
        found
    }

    pub(super) fn label(&mut self) -> Option<&'a str> {
        let start = self.at;
        let word = self.word();
        if !word.is_empty() && self.eat(":") {
            return Some(word);
        }
        self.at = start;
        None
    }

    /// The size of the items of a data directive, if one comes next.
    pub(super) fn data_directive(&mut self) -> Option<usize> {
        let start = self.at;
        let size = super::directives::data_size(self.word());
        if size.is_none() {
            self.at = start;
        }
        size
    }

    /// A number: one, or several joined by the operators that C has for them.
    pub(super) fn number(&mut self) -> Parsed<i128> {
        let mut depth = 0;
        self.sum(0, &mut depth)
    }

    /// `((to - from - 8) / 8) & 0xffff`: the distance of a jump between two labels, as text that cannot name the
    /// instruction spells it. Big-endian machines have it in the upper half.
    pub(super) fn distance(&mut self) -> Option<(&'a str, &'a str)> {
        let start = self.at;
        let mut open = 0;
        while self.eat("(") {
            open += 1;
        }
        let to = self.word();
        let middle = self.eat("-");
        let from = self.word();
        let ends: &[&str] = match open {
            2 => &["-", "8", ")", "/", "8", ")", "&", "0xffff"],
            3 => &["-", "8", ")", "/", "8", ")", "&", "0xffff", ")", "<<", "16"],
            _ => &[],
        };
        let names = |word: &str| !word.is_empty() && word.parse::<u64>().is_err();
        if middle && names(to) && names(from) && !ends.is_empty() && ends.iter().all(|token| self.eat(token))
        {
            return Some((to, from));
        }
        self.at = start;
        None
    }

    /// Terms joined by operators that bind at least as tightly as `least`.
    fn sum(&mut self, least: u8, depth: &mut u32) -> Parsed<i128> {
        let mut left = self.term(depth)?;
        loop {
            self.skip_spaces();
            let rest = self.rest();
            // Mostly the number ends here.
            if rest.starts_with([';', ')']) || rest.is_empty() {
                return Ok(left);
            }
            let known = OPERATORS.iter().find(|(symbol, ..)| rest.starts_with(symbol));
            let Some(&(symbol, binding, apply)) = known.filter(|(_, binding, _)| *binding >= least) else {
                return Ok(left);
            };
            self.at += symbol.len();
            let right = self.sum(binding + 1, depth)?;
            left = apply(left, right).ok_or(AsmErrorKind::Range)?;
        }
    }

    /// A literal with signs before it, or a number in parentheses.
    fn term(&mut self, depth: &mut u32) -> Parsed<i128> {
        *depth += 1;
        if *depth > MAX_DEPTH {
            return Err(AsmErrorKind::Range);
        }
        let value = if self.eat("-") {
            self.term(depth)?.checked_neg().ok_or(AsmErrorKind::Range)?
        } else if self.eat("~") {
            !self.term(depth)?
        } else if self.eat("+") {
            self.term(depth)?
        } else if self.eat("(") {
            let value = self.sum(0, depth)?;
            self.expect(")")?;
            value
        } else {
            self.literal()?
        };
        *depth -= 1;
        Ok(value)
    }

    /// Decimal, `0x` or `0b`.
    fn literal(&mut self) -> Parsed<i128> {
        let start = self.at;
        // The suffixes of C constants mean nothing here.
        let word = self.word().trim_end_matches(['u', 'U', 'l', 'L']);
        let (digits, radix) = match word.get(..2) {
            Some("0x" | "0X") => (&word[2..], 16),
            Some("0b" | "0B") => (&word[2..], 2),
            _ => (word, 10),
        };
        match u64::from_str_radix(digits, radix) {
            Ok(value) => Ok(value.into()),
            Err(_) => {
                self.at = start;
                Err(AsmErrorKind::Expected("a number"))
            }
        }
    }

    /// A 32-bit immediate.
    pub(super) fn imm(&mut self) -> Parsed<i32> {
        self.number().and_then(immediate)
    }

    pub(super) fn narrow<T: TryFrom<i128>>(&mut self) -> Parsed<T> {
        self.number()?.try_into().map_err(|_| AsmErrorKind::Range)
    }

    /// `r3` or `w3`, if one comes next.
    pub(super) fn try_reg(&mut self) -> Option<(Width, Reg)> {
        let start = self.at;
        let word = self.word();
        let parsed = match word.split_at_checked(1) {
            Some(("r", number)) => number.parse().ok().map(|n| (Width::W64, n)),
            Some(("w", number)) => number.parse().ok().map(|n| (Width::W32, n)),
            _ => None,
        };
        let reg = parsed.and_then(|(width, number)| Some((width, Reg::new(number)?)));
        if reg.is_none() {
            self.at = start;
        }
        reg
    }

    pub(super) fn reg(&mut self, width: Width) -> Parsed<Reg> {
        let what = match width {
            Width::W32 => "a `w` register",
            Width::W64 => "an `r` register",
        };
        match self.try_reg() {
            Some((found, reg)) if found == width => Ok(reg),
            _ => Err(AsmErrorKind::Expected(what)),
        }
    }

    /// A register of 64 bits, for the mnemonic dialect.
    pub(super) fn reg64(&mut self) -> Parsed<Reg> {
        self.reg(Width::W64)
    }

    pub(super) fn operand(&mut self, width: Width) -> Parsed<Operand> {
        match self.try_reg() {
            Some((found, reg)) if found == width => Ok(Operand::Reg(reg)),
            Some(_) => Err(AsmErrorKind::Expected("a register of the same width")),
            None => self.imm().map(Operand::Imm),
        }
    }

    /// A jump target: `+3`, `-3`, or a label.
    pub(super) fn target(&mut self) -> Parsed<Target<'a>> {
        self.skip_spaces();
        if self.rest().starts_with(['+', '-']) {
            return self.narrow().map(Target::Distance);
        }
        match self.word() {
            "" => Err(AsmErrorKind::Expected("a distance or a label")),
            label => Ok(Target::Label(label)),
        }
    }

    /// `u8 *)` after the opening parenthesis; the sign and the size.
    pub(super) fn access(&mut self) -> Parsed<(bool, Size)> {
        let what = "an access type such as `u32`";
        let word = self.word();
        let (sign, bits) = word.split_at_checked(1).ok_or(AsmErrorKind::Expected(what))?;
        let bits: u64 = bits.parse().map_err(|_| AsmErrorKind::Expected(what))?;
        let size = match bits {
            8 | 16 | 32 | 64 => Size::of_bytes(bits / 8),
            _ => None,
        };
        let size = size.ok_or(AsmErrorKind::Expected(what))?;
        self.expect("*")?;
        self.expect(")")?;
        match sign {
            "u" => Ok((false, size)),
            "s" => Ok((true, size)),
            _ => Err(AsmErrorKind::Expected(what)),
        }
    }

    /// `r1 + 8`; the offset may be missing.
    pub(super) fn place(&mut self) -> Parsed<(Reg, i16)> {
        let base = self.reg(Width::W64)?;
        Ok((base, self.offset()?.try_into().map_err(|_| AsmErrorKind::Range)?))
    }

    pub(super) fn offset(&mut self) -> Parsed<i32> {
        self.skip_spaces();
        if !self.rest().starts_with(['+', '-']) {
            return Ok(0);
        }
        self.number()?.try_into().map_err(|_| AsmErrorKind::Range)
    }

    /// `(u32 *)(r1 + 8)`.
    pub(super) fn address(&mut self) -> Parsed<(Size, Reg, i16)> {
        self.expect("(")?;
        let (_, size) = self.access()?;
        self.expect("(")?;
        let (base, off) = self.place()?;
        self.expect(")")?;
        Ok((size, base, off))
    }
}

/// A 32-bit immediate: signed, or unsigned with the same bits.
pub(super) fn immediate(value: i128) -> Parsed<i32> {
    if (i128::from(i32::MIN)..=i128::from(u32::MAX)).contains(&value) {
        return Ok(value as i32);
    }
    // The same bits written as a sign-extended 64-bit number.
    i32::try_from(value as u64 as i64).map_err(|_| AsmErrorKind::Range)
}
