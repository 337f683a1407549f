//! Numbers, character constants and strings: spelling to value.
//!
//! In: the text of one token. Out: an [`ExprKind`] or decoded bytes, and what is wrong with them.
//! Invariant: any text gives some value; nothing here panics or overflows silently.

use crate::ast::{ExprKind, FloatSuffix, IntSuffix, Prefix};

/// What is wrong with a literal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Problem {
    Error(String),
    Warning(String),
}

// ---------------------------------------------------------------- numbers

/// Reads a preprocessing number.
pub fn number(text: &[u8]) -> Result<ExprKind, String> {
    let hex = matches!(text, [b'0', b'x' | b'X', ..]);
    let is_float = text.contains(&b'.')
        || if hex { has(text, b"pP") } else { has(text, b"eE") && !matches!(text, [b'0', b'b' | b'B', ..]) };
    if is_float { float(text, hex) } else { integer(text) }
}

/// A number without the `'` between its digits, if there are any.
pub fn without_separators(text: &[u8]) -> Option<Vec<u8>> {
    let plain = || text.iter().copied().filter(|&c| c != b'\'').collect();
    text.contains(&b'\'').then(plain)
}

fn has(text: &[u8], any: &[u8]) -> bool {
    text.iter().any(|c| any.contains(c))
}

fn show(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn integer(text: &[u8]) -> Result<ExprKind, String> {
    let (radix, digits, what) = match text {
        [b'0', b'x' | b'X', rest @ ..] => (16, rest, "hexadecimal"),
        [b'0', b'b' | b'B', rest @ ..] => (2, rest, "binary"),
        [b'0', rest @ ..] if !rest.is_empty() => (8, rest, "octal"),
        _ => (10, text, "decimal"),
    };
    let len = digits.iter().take_while(|&&c| (c as char).is_digit(radix.max(10))).count();
    let (digits, suffix) = digits.split_at(len);
    if digits.is_empty() && radix != 8 {
        return Err(format!("the {what} constant `{}` has no digits", show(text)));
    }
    let mut value: u64 = 0;
    for &c in digits {
        let Some(digit) = (c as char).to_digit(radix) else {
            return Err(format!("`{}` is no digit of the {what} constant `{}`", c as char, show(text)));
        };
        let next = value.checked_mul(u64::from(radix)).and_then(|v| v.checked_add(u64::from(digit)));
        value = next.ok_or_else(|| format!("the constant `{}` does not fit into 64 bits", show(text)))?;
    }
    let suffix = match suffix {
        b"" => IntSuffix::None,
        b"u" | b"U" => IntSuffix::U,
        b"l" | b"L" => IntSuffix::L,
        b"ul" | b"uL" | b"Ul" | b"UL" | b"lu" | b"lU" | b"Lu" | b"LU" => IntSuffix::UL,
        b"ll" | b"LL" => IntSuffix::LL,
        b"ull" | b"uLL" | b"Ull" | b"ULL" | b"llu" | b"llU" | b"LLu" | b"LLU" => IntSuffix::ULL,
        other => return Err(format!("`{}` is no suffix of an integer constant", show(other))),
    };
    Ok(ExprKind::Int { value, decimal: radix == 10, suffix })
}

fn float(text: &[u8], hex: bool) -> Result<ExprKind, String> {
    let (body, suffix) = match text.split_last() {
        Some((b'f' | b'F', rest)) if !hex || has(rest, b"pP") => (rest, FloatSuffix::F),
        Some((b'l' | b'L', rest)) => (rest, FloatSuffix::L),
        _ => (text, FloatSuffix::None),
    };
    let value = if hex { hex_float(body) } else { decimal_float(body) };
    match value {
        Some(value) => Ok(ExprKind::Float { bits: value.to_bits(), suffix }),
        None => Err(format!("`{}` is not a well-formed floating constant", show(text))),
    }
}

fn decimal_float(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    // Rust reads more than C does: words, signs in front.
    text.starts_with(|c: char| c.is_ascii_digit() || c == '.').then(|| text.parse().ok())?
}

fn hex_float(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text.get(2..)?).ok()?;
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0f64;
    for c in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(c.to_digit(16)?);
    }
    let shift = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    let exponent = exponent.parse::<i32>().ok()?.clamp(-5000, 5000);
    Some(value * 2f64.powi(exponent.saturating_sub(shift)))
}

// ---------------------------------------------------------------- characters

/// The prefix of a literal.
pub fn prefix(text: &[u8]) -> Prefix {
    match text {
        [b'L', ..] => Prefix::Wide,
        [b'U', ..] => Prefix::U32,
        [b'u', b'8', ..] => Prefix::U8,
        [b'u', ..] => Prefix::U16,
        _ => Prefix::None,
    }
}

/// The text between the quotes.
fn inside(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|&c| c == b'"' || c == b'\'').map_or(text.len(), |at| at + 1);
    let end = text.len().saturating_sub(1).max(start);
    text.get(start..end).unwrap_or(&[])
}

/// Bits of one unit of a literal.
fn unit_bits(prefix: Prefix) -> u32 {
    match prefix {
        Prefix::None | Prefix::U8 => 8,
        Prefix::U16 => 16,
        Prefix::U32 | Prefix::Wide => 32,
    }
}

/// Reads a character constant.
pub fn character(text: &[u8], problems: &mut Vec<Problem>) -> ExprKind {
    let prefix = prefix(text);
    let mut units = Vec::new();
    let body = inside(text);
    decode(body, prefix, problems, |unit| units.push(unit));
    if units.is_empty() {
        problems.push(Problem::Error("a character constant needs a character".into()));
    }
    let value = match (prefix, units.as_slice()) {
        (Prefix::None, [one]) => i32::from(*one as u8 as i8),
        (Prefix::None, many) => {
            if many.len() > 4 {
                problems.push(Problem::Error("a character constant holds at most four bytes".into()));
            }
            many.iter().fold(0i32, |all, &unit| all.wrapping_shl(8) | (unit & 0xff) as i32)
        }
        (_, [one]) => *one as i32,
        (_, many) => {
            problems.push(Problem::Error("a prefixed character constant holds exactly one character".into()));
            many.last().map_or(0, |&unit| unit as i32)
        }
    };
    ExprKind::Char { value, prefix }
}

/// Appends the bytes of one string token, as part of a literal with the prefix `prefix`.
pub fn string(text: &[u8], prefix: Prefix, out: &mut Vec<u8>, problems: &mut Vec<Problem>) {
    let size = unit_bits(prefix) as usize / 8;
    decode(inside(text), prefix, problems, |unit| {
        out.extend_from_slice(unit.to_le_bytes().get(..size).unwrap_or(&[]));
    });
}

/// Hands out the code units of the text of a literal.
fn decode(text: &[u8], prefix: Prefix, problems: &mut Vec<Problem>, mut unit: impl FnMut(u32)) {
    let bits = unit_bits(prefix);
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'\\' {
            let (value, after) = escape(tail, bits, problems);
            match value {
                Escape::Unit(value) => unit(value),
                Escape::Char(c) => encode(c, bits, &mut unit),
            }
            rest = after;
        } else if first < 0x80 || bits == 8 {
            unit(u32::from(first));
            rest = tail;
        } else {
            let (c, len) = utf8(rest);
            encode(c, bits, &mut unit);
            rest = rest.get(len..).unwrap_or(&[]);
        }
    }
}

/// The character at the start of a text, and its length; one replacement character per bad byte.
fn utf8(text: &[u8]) -> (char, usize) {
    let head = text.get(..text.len().min(4)).unwrap_or(text);
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(e) => head.get(..e.valid_up_to()).and_then(|h| std::str::from_utf8(h).ok()).unwrap_or(""),
    };
    valid.chars().next().map_or(('\u{fffd}', 1), |c| (c, c.len_utf8()))
}

fn encode(c: char, bits: u32, unit: &mut impl FnMut(u32)) {
    match bits {
        8 => c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| unit(u32::from(b))),
        16 => c.encode_utf16(&mut [0; 2]).iter().for_each(|&u| unit(u32::from(u))),
        _ => unit(c as u32),
    }
}

enum Escape {
    Unit(u32),
    Char(char),
}

/// Reads what follows a backslash.
fn escape<'a>(text: &'a [u8], bits: u32, problems: &mut Vec<Problem>) -> (Escape, &'a [u8]) {
    let Some((&first, tail)) = text.split_first() else {
        return (Escape::Unit(u32::from(b'\\')), text);
    };
    let simple = match first {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'v' => 11,
        b'e' | b'E' => 27,
        b'\\' | b'\'' | b'"' | b'?' => first,
        b'0'..=b'7' => return numeric(text, 8, 3, bits, problems),
        b'x' => return numeric(tail, 16, usize::MAX, bits, problems),
        b'u' => return universal(tail, 4, problems),
        b'U' => return universal(tail, 8, problems),
        _ => {
            let (c, len) = utf8(text);
            problems.push(Problem::Warning(format!("unknown escape sequence `\\{c}`")));
            return (Escape::Char(c), text.get(len..).unwrap_or(&[]));
        }
    };
    (Escape::Unit(u32::from(simple)), tail)
}

fn numeric<'a>(
    text: &'a [u8],
    radix: u32,
    most: usize,
    bits: u32,
    problems: &mut Vec<Problem>,
) -> (Escape, &'a [u8]) {
    let len = text.iter().take(most).take_while(|&&c| (c as char).is_digit(radix)).count();
    let (digits, rest) = text.split_at(len);
    if digits.is_empty() {
        problems.push(Problem::Error("`\\x` without hexadecimal digits".into()));
    }
    let value = digits.iter().try_fold(0u64, |v, &c| {
        v.checked_mul(u64::from(radix))?.checked_add(u64::from((c as char).to_digit(radix)?))
    });
    match value {
        Some(value) if value >> bits == 0 => (Escape::Unit(value as u32), rest),
        _ => {
            problems.push(Problem::Error(format!("this escape sequence does not fit into {bits} bits")));
            (Escape::Unit(0), rest)
        }
    }
}

fn universal<'a>(text: &'a [u8], digits: usize, problems: &mut Vec<Problem>) -> (Escape, &'a [u8]) {
    let hex = text.get(..digits).and_then(|t| std::str::from_utf8(t).ok());
    let all_hex = hex.filter(|h| h.bytes().all(|c| c.is_ascii_hexdigit()));
    match all_hex.and_then(|h| u32::from_str_radix(h, 16).ok()).and_then(char::from_u32) {
        Some(c) => (Escape::Char(c), text.get(digits..).unwrap_or(&[])),
        None => {
            problems.push(Problem::Error(format!(
                "a universal character name needs {digits} hexadecimal digits that name a character"
            )));
            (Escape::Char('?'), text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(text: &str) -> (u64, bool, IntSuffix) {
        match number(text.as_bytes()) {
            Ok(ExprKind::Int { value, decimal, suffix }) => (value, decimal, suffix),
            other => panic!("{text}: {other:?}"),
        }
    }

    fn real(text: &str) -> (f64, FloatSuffix) {
        match number(text.as_bytes()) {
            Ok(ExprKind::Float { bits, suffix }) => (f64::from_bits(bits), suffix),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn integers() {
        assert_eq!(int("0"), (0, true, IntSuffix::None));
        assert_eq!(int("017"), (15, false, IntSuffix::None));
        assert_eq!(int("0xffULL"), (255, false, IntSuffix::ULL));
        assert_eq!(int("0b101u"), (5, false, IntSuffix::U));
        assert_eq!(int("18446744073709551615lu"), (u64::MAX, true, IntSuffix::UL));
        for bad in ["09", "0x", "12abc", "18446744073709551616", "0b12", "1lul", "1lL"] {
            assert!(number(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn reals() {
        assert_eq!(real("1.5f"), (1.5, FloatSuffix::F));
        assert_eq!(real(".5"), (0.5, FloatSuffix::None));
        assert_eq!(real("1e3L"), (1000.0, FloatSuffix::L));
        assert_eq!(real("0x1.8p1"), (3.0, FloatSuffix::None));
        for bad in ["1e", "0x1.8", "1.5q", "1.2.3", "0x.p1"] {
            assert!(number(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn characters_and_strings() {
        let value = |text: &str| match character(text.as_bytes(), &mut Vec::new()) {
            ExprKind::Char { value, .. } => value,
            other => panic!("{other:?}"),
        };
        assert_eq!(value("'a'"), 97);
        assert_eq!(value(r"'\xff'"), -1);
        assert_eq!(value(r"'\0'"), 0);
        assert_eq!(value("'ab'"), 0x6162);
        assert_eq!(value("L'\u{20ac}'"), 0x20ac);
        let bytes = |text: &str, p| {
            let (mut out, mut problems) = (Vec::new(), Vec::new());
            string(text.as_bytes(), p, &mut out, &mut problems);
            (out, problems.len())
        };
        assert_eq!(bytes(r#""a\n\101\x42""#, Prefix::None), (b"a\nAB".to_vec(), 0));
        assert_eq!(bytes("u\"\u{20ac}\"", Prefix::U16), (vec![0xac, 0x20], 0));
        assert_eq!(bytes(r#""\q\x""#, Prefix::None), (b"q\0".to_vec(), 2));
        assert_eq!(bytes(r#""\u00e9""#, Prefix::None), ("\u{e9}".as_bytes().to_vec(), 0));
    }
}
