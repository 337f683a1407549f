//! Comparison of strings, and numbers from strings.

use super::{Cx, Entry, Stop};
use crate::maps::Errno;

pub(super) const HELPERS: &[Entry] = &[("strncmp", strncmp), ("strtol", strtol), ("strtoul", strtoul)];

/// Compares up to the first terminator; the sign of the first difference.
fn strncmp(cx: &mut Cx<'_>, [a, len, b, ..]: [u64; 5]) -> Result<u64, Stop> {
    let a = cx.bytes(a, u64::from(len as u32))?;
    let b = cx.string(b)?;
    for (index, &byte) in a.iter().enumerate() {
        let other = b.get(index).copied().unwrap_or(0);
        match byte.cmp(&other) {
            core::cmp::Ordering::Less => return Ok(-1i64 as u64),
            core::cmp::Ordering::Greater => return Ok(1),
            core::cmp::Ordering::Equal if byte == 0 => break,
            core::cmp::Ordering::Equal => {}
        }
    }
    Ok(0)
}

/// A parsed number: whether it had a minus, its magnitude, and the bytes it took.
struct Parsed {
    negative: bool,
    magnitude: u64,
    consumed: u64,
}

/// Digits that the kernel looks at.
const MAX_DIGITS: usize = 63;

fn parse(text: &[u8], flags: u64) -> Result<Parsed, Errno> {
    let base = match flags {
        0 | 8 | 10 | 16 => flags as u32,
        _ => return Err(Errno::EINVAL),
    };
    let spaces = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let rest = text.get(spaces..).unwrap_or_default();
    let negative = rest.first() == Some(&b'-');
    let rest = rest.get(usize::from(negative)..).unwrap_or_default();
    let rest = rest.get(..MAX_DIGITS).unwrap_or(rest);
    let (base, prefix) = radix(rest, base);
    let mut magnitude = 0u64;
    let mut digits = 0;
    for &byte in rest.get(prefix..).unwrap_or_default() {
        let Some(digit) = char::from(byte).to_digit(base) else { break };
        let next = magnitude.checked_mul(u64::from(base)).and_then(|m| m.checked_add(u64::from(digit)));
        magnitude = next.ok_or(Errno::ERANGE)?;
        digits += 1;
    }
    if digits == 0 {
        return Err(Errno::EINVAL);
    }
    let consumed = (spaces + usize::from(negative) + prefix + digits) as u64;
    Ok(Parsed { negative, magnitude, consumed })
}

/// The base that a text asks for, and the bytes of its prefix.
fn radix(text: &[u8], base: u32) -> (u32, usize) {
    let hex = text.first() == Some(&b'0') && matches!(text.get(1), Some(b'x' | b'X'));
    match base {
        0 if hex && text.get(2).is_some_and(u8::is_ascii_hexdigit) => (16, 2),
        0 if text.first() == Some(&b'0') => (8, 0),
        0 => (10, 0),
        16 if hex => (16, 2),
        _ => (base, 0),
    }
}

/// The result is 0 if there is none.
fn strtol(cx: &mut Cx<'_>, [text, len, flags, to, _]: [u64; 5]) -> Result<u64, Stop> {
    let text = cx.bytes(text, len)?;
    cx.write(to, &[0; 8])?;
    let parsed = parse(&text, flags).and_then(|parsed| {
        let value = if parsed.negative {
            0i64.checked_sub_unsigned(parsed.magnitude)
        } else {
            i64::try_from(parsed.magnitude).ok()
        };
        Ok((value.ok_or(Errno::ERANGE)?, parsed.consumed))
    });
    match parsed {
        Ok((value, consumed)) => {
            cx.write(to, &value.to_le_bytes())?;
            Ok(consumed)
        }
        Err(errno) => Ok(errno.code()),
    }
}

fn strtoul(cx: &mut Cx<'_>, [text, len, flags, to, _]: [u64; 5]) -> Result<u64, Stop> {
    let text = cx.bytes(text, len)?;
    cx.write(to, &[0; 8])?;
    match parse(&text, flags) {
        Ok(parsed) if !parsed.negative => {
            cx.write(to, &parsed.magnitude.to_le_bytes())?;
            Ok(parsed.consumed)
        }
        Ok(_) => Ok(Errno::EINVAL.code()),
        Err(errno) => Ok(errno.code()),
    }
}
