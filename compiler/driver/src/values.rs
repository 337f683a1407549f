//! Values on the command line: numbers, strings, bytes, packets.

use std::net::IpAddr;
use std::path::Path;

use skep_runtime::vm::Value;

use crate::error::{Error, Result};
use crate::io::Io;

/// A number (`12`, `-1`, `0x1f`), a string in double quotes, bytes (`hex:0a0b`, `10.0.0.1`, `fe80::1`,
/// `02:00:00:00:00:01`, a number in network order as in `be16:80`), or the address of a kernel
/// structure: `request{start_time_ns=5}`.
pub fn parse(text: &str) -> Result<Value> {
    if let Some((ty, inside)) = text.strip_suffix('}').and_then(|rest| rest.split_once('{')) {
        let fields = inside.split(',').filter(|field| !field.trim().is_empty()).map(|field| {
            let (path, value) = field
                .split_once('=')
                .ok_or_else(|| Error::usage(format!("`{field}` is not of the form `FIELD=VALUE`")))?;
            Ok((path.trim().to_owned(), parse(value.trim())?))
        });
        return Ok(Value::Struct { ty: ty.trim().to_owned(), fields: fields.collect::<Result<_>>()? });
    }
    if let Some(inside) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return Ok(Value::Str(inside.to_owned()));
    }
    if let Some(digits) = text.strip_prefix("hex:") {
        return Ok(Value::Bytes(hex(digits)?));
    }
    if let Some(bytes) = network_order(text) {
        return bytes.map(Value::Bytes);
    }
    if let Some(bytes) = address(text) {
        return Ok(Value::Bytes(bytes));
    }
    match number(text) {
        Ok(number) => Ok(Value::Int(number)),
        // A bare word is a string: `--ctx name=eth0`.
        Err(_) if text.starts_with(|c: char| c.is_alphabetic() || c == '/') => {
            Ok(Value::Str(text.to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// `be16:80`: the bytes of a number with the most significant one first.
fn network_order(text: &str) -> Option<Result<Vec<u8>>> {
    let (bits, digits) = text.strip_prefix("be")?.split_once(':')?;
    let size = match bits {
        "16" => 2,
        "32" => 4,
        "64" => 8,
        _ => return None,
    };
    Some(number(digits).map(|number| number.to_be_bytes()[8 - size..].to_vec()))
}

/// An address of IPv4, IPv6 or Ethernet in its usual spelling.
pub fn address(text: &str) -> Option<Vec<u8>> {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => return Some(address.octets().to_vec()),
        Ok(IpAddr::V6(address)) => return Some(address.octets().to_vec()),
        Err(_) => {}
    }
    let pairs: Vec<&str> = text.split(':').collect();
    let is_pair = |pair: &&str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
    (pairs.len() == 6 && pairs.iter().all(is_pair)).then(|| hex(text).ok()).flatten()
}

/// A number, negative ones in two's complement.
pub fn number(text: &str) -> Result<u64> {
    let wrong = || Error::usage(format!("`{text}` is not a number"));
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    let value = value.map_err(|_| wrong())?;
    Ok(if negative { value.wrapping_neg() } else { value })
}

/// The lower bytes of a number, little-endian, filled up with zeros.
pub fn int_bytes(number: u64, size: usize) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(size, 0);
    bytes
}

/// Hex digits; blanks, colons and lines that start with `#` are skipped.
pub fn hex(text: &str) -> Result<Vec<u8>> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let digits: Vec<u8> =
        lines.flat_map(str::bytes).filter(|b| !b.is_ascii_whitespace() && *b != b':').collect();
    let digit = |byte: u8| {
        let wrong = || Error::usage(format!("`{}` is not a hex digit", char::from(byte).escape_default()));
        char::from(byte).to_digit(16).map(|digit| digit as u8).ok_or_else(wrong)
    };
    if digits.len() % 2 == 1 {
        return Err(Error::usage("hex digits come in pairs, one is missing"));
    }
    digits.chunks(2).map(|pair| Ok(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// A packet: the contents of a file if there is one of that name, else hex digits.
pub fn packet(text: &str, io: &mut Io<'_>) -> Result<Vec<u8>> {
    if !Path::new(text).exists() {
        let looks_like_hex =
            text.bytes().all(|b| b.is_ascii_hexdigit() || b.is_ascii_whitespace() || b == b':');
        return match looks_like_hex {
            true => hex(text),
            false => Err(Error::file(text, "no such file, nor hex digits")),
        };
    }
    let bytes = io.read(text)?;
    match text.ends_with(".hex") {
        true => hex(&String::from_utf8_lossy(&bytes))
            .map_err(|error| Error::file(text, error.message().unwrap_or_default())),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_strings_and_bytes() {
        assert_eq!(parse("-1").ok(), Some(Value::Int(u64::MAX)));
        assert_eq!(parse("0x10").ok(), Some(Value::Int(16)));
        assert_eq!(parse("\"a b\"").ok(), Some(Value::Str("a b".into())));
        assert_eq!(parse("eth0").ok(), Some(Value::Str("eth0".into())));
        assert_eq!(parse("hex:0a0B").ok(), Some(Value::Bytes(vec![10, 11])));
        assert_eq!(parse("10.0.0.1").ok(), Some(Value::Bytes(vec![10, 0, 0, 1])));
        assert_eq!(parse("02:00:00:00:00:0a").ok(), Some(Value::Bytes(vec![2, 0, 0, 0, 0, 10])));
        assert_eq!(parse("be16:80").ok(), Some(Value::Bytes(vec![0, 80])));
        assert_eq!(parse("::1").ok().map(|v| matches!(v, Value::Bytes(b) if b.len() == 16)), Some(true));
        assert!(parse("1x").is_err() && number("").is_err() && hex("abc").is_err() && hex("zz").is_err());
    }

    #[test]
    fn hex_takes_comments_and_blanks() {
        assert_eq!(hex("# header\n45 00:01\n").ok(), Some(vec![0x45, 0, 1]));
    }
}
