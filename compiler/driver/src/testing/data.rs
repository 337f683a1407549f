//! What a case says of keys, values and fields, as bytes.
//!
//! A number fills the bytes of its type, a string is what the command line takes for a value
//! (`10.0.0.1`, `be16:80`, `hex:0a0b`), or text for an array of characters, an array holds bytes, and
//! a table names members of a structure, to any depth; one with the key `struct` is the address of a
//! structure of the kernel. In an expectation only what is said counts:
//! besides the bytes there is a mask of those that are compared.

use skep_runtime::Image;
use skep_runtime::programs::set_field;
use skep_runtime::vm::Value;
use skep_stdlib::btf::TypeId;
use toml::{Table, Value as Toml};

use crate::values;

/// The bytes of a value, and which of them were said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The bytes; 0 where nothing was said.
    pub bytes: Vec<u8>,
    /// Bits that were said.
    pub mask: Vec<u8>,
}

impl Pattern {
    /// All of these bytes.
    pub fn exact(bytes: Vec<u8>) -> Pattern {
        let mask = vec![0xff; bytes.len()];
        Pattern { bytes, mask }
    }

    /// Do these bytes have what was said, and no other length?
    pub fn fits(&self, found: &[u8]) -> bool {
        let mut pairs = self.bytes.iter().zip(&self.mask).zip(found);
        found.len() == self.bytes.len() && pairs.all(|((wanted, mask), found)| (wanted ^ found) & mask == 0)
    }
}

/// A single value.
pub fn scalar(value: &Toml) -> Result<Value, String> {
    match value {
        Toml::Integer(number) => Ok(Value::Int(*number as u64)),
        Toml::Boolean(flag) => Ok(Value::Int(u64::from(*flag))),
        Toml::String(text) => values::parse(text).or_else(|_| Ok(Value::Str(text.clone()))),
        Toml::Array(items) => items.iter().map(byte).collect::<Result<_, _>>().map(Value::Bytes),
        Toml::Table(table) => structure(table),
        Toml::Float(_) | Toml::Datetime(_) => Err(format!("`{value}` is not a value")),
    }
}

/// The key that makes a table the address of a structure of the kernel.
const STRUCT: &str = "struct";

fn structure(table: &Table) -> Result<Value, String> {
    let mut rest = table.clone();
    match rest.remove(STRUCT) {
        Some(Toml::String(ty)) => Ok(Value::Struct { ty, fields: fields(&Toml::Table(rest))? }),
        _ => Err(format!("`{table}` is not a value: a table with the key `{STRUCT}` is the address of one")),
    }
}

fn byte(value: &Toml) -> Result<u8, String> {
    let number = value.as_integer().and_then(|number| u8::try_from(number).ok());
    number.ok_or_else(|| format!("`{value}` is not a byte"))
}

/// Nanoseconds: a number of them, or one with a unit.
pub fn duration(value: &Toml) -> Result<u64, String> {
    let wrong = || format!("`{value}` is not a time such as 1000 or \"10ms\"");
    match value {
        Toml::Integer(number) => u64::try_from(*number).map_err(|_| wrong()),
        Toml::String(text) => {
            let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let unit = match &text[digits.len()..] {
                "ns" => 1,
                "us" => 1_000,
                "ms" => 1_000_000,
                "s" => 1_000_000_000,
                _ => return Err(wrong()),
            };
            let number: u64 = digits.trim().parse().map_err(|_| wrong())?;
            number.checked_mul(unit).ok_or_else(wrong)
        }
        Toml::Float(_) | Toml::Boolean(_) | Toml::Datetime(_) | Toml::Array(_) | Toml::Table(_) => {
            Err(wrong())
        }
    }
}

/// The members that a table names, by path, in its order.
pub fn fields(value: &Toml) -> Result<Vec<(String, Value)>, String> {
    let mut found = Vec::new();
    collect(value, "", 0, &mut found)?;
    Ok(found)
}

/// Levels of tables that are followed.
const MAX_DEPTH: u32 = 32;

fn collect(value: &Toml, path: &str, depth: u32, found: &mut Vec<(String, Value)>) -> Result<(), String> {
    let table = match value {
        Toml::Table(table) if !table.contains_key(STRUCT) => table,
        _ => {
            found.push((path.to_owned(), scalar(value)?));
            return Ok(());
        }
    };
    if depth >= MAX_DEPTH {
        return Err("tables are nested too deeply".into());
    }
    for (name, inner) in table {
        let separator = if path.is_empty() || name.starts_with('[') { "" } else { "." };
        collect(inner, &format!("{path}{separator}{name}"), depth + 1, found)?;
    }
    Ok(())
}

/// A value of type `ty` with `size` bytes.
pub fn pattern(image: &Image, ty: TypeId, size: u32, value: &Toml) -> Result<Pattern, String> {
    let size = size as usize;
    let mut pattern = Pattern { bytes: vec![0; size], mask: vec![0; size] };
    for (path, value) in fields(value)? {
        if ty == TypeId::VOID {
            let bytes = match (&value, path.as_str()) {
                (Value::Int(number), "") => values::int_bytes(*number, size),
                (Value::Bytes(bytes), "") => bytes.clone(),
                (Value::Str(text), "") => text.clone().into_bytes(),
                _ => return Err("its type is not known: give all bytes, as in \"hex:0a0b\"".into()),
            };
            pattern = Pattern::exact(bytes);
            pattern.bytes.resize(size, 0);
            pattern.mask.resize(size, 0xff);
            continue;
        }
        let ones = match &value {
            Value::Bytes(bytes) => Value::Bytes(vec![0xff; bytes.len()]),
            // The zeros after a text belong to it; unless a name is meant, they are not looked at.
            Value::Str(text) => Value::Bytes(vec![0xff; text.len()]),
            Value::Int(_) | Value::Struct { .. } => Value::Int(u64::MAX),
        };
        let set = |bytes: &mut Vec<u8>, value: &Value| {
            set_field(image, ty, bytes, &path, value).map_err(|error| error.to_string())
        };
        set(&mut pattern.bytes, &value)?;
        set(&mut pattern.mask, &ones)?;
    }
    if pattern.bytes.len() != size {
        return Err(format!("has {} bytes instead of {size}", pattern.bytes.len()));
    }
    Ok(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let parse = |text: &str| duration(&Toml::String(text.into()));
        assert_eq!(parse("2s"), Ok(2_000_000_000));
        assert_eq!(parse("10 us"), Ok(10_000));
        assert!(parse("10").is_err() && parse("s").is_err() && parse("99999999999999999999s").is_err());
        assert!(duration(&Toml::Integer(-1)).is_err());
    }

    #[test]
    fn tables_are_paths() {
        let table: toml::Table = toml::from_str("a = { b = 1, \"[2]\" = \"10.0.0.1\" }\nc = true").unwrap();
        let expected = [
            ("a.b".to_owned(), Value::Int(1)),
            ("a[2]".to_owned(), Value::Bytes(vec![10, 0, 0, 1])),
            ("c".to_owned(), Value::Int(1)),
        ];
        let mut found = fields(&Toml::Table(table)).unwrap();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let mut expected = expected.to_vec();
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(found, expected);
    }

    #[test]
    fn only_what_was_said_is_compared() {
        let pattern = Pattern { bytes: vec![1, 0], mask: vec![0xff, 0] };
        assert!(pattern.fits(&[1, 9]) && !pattern.fits(&[2, 9]) && !pattern.fits(&[1]));
    }
}
