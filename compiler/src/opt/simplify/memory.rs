//! Reads of memory whose content is known at compile time.
//!
//! In: loads and string intrinsics. Out: the value read, when the address lies in a variable that
//! nobody writes: `const`, or `static` without a store in the whole module ([`crate::opt::Facts`]).
//! Invariant: bytes that an address relocates are known as that address, never as numbers; volatile
//! reads do not come here.

use crate::ir::{InstData, SymbolId, Type, Value};
use crate::opt::Cx;
use crate::opt::edit::Editor;

/// Strings longer than this are not measured.
const STRING: usize = 4096;

/// What a read-only variable holds at an offset.
enum Content {
    Bytes(u64),
    Address(SymbolId, i64),
}

fn read(cx: &Cx<'_>, symbol: SymbolId, offset: i64, bytes: u32) -> Option<Content> {
    let data = cx.data(symbol)?;
    if !cx.is_immutable(symbol) {
        return None;
    }
    let start = u64::try_from(offset).ok()?;
    let end = start.checked_add(bytes.into())?;
    if end > data.size {
        return None;
    }
    if let Some(&(_, target, addend)) = data.addresses.iter().find(|&&(at, ..)| at == start)
        && bytes == 8
    {
        return Some(Content::Address(target, addend));
    }
    if data.addresses.iter().any(|&(at, ..)| at < end && start < at.saturating_add(8)) {
        return None;
    }
    let initial = data.bytes.as_deref()?;
    let mut value = 0u64;
    for i in 0..u64::from(bytes) {
        let byte = initial.get(usize::try_from(start + i).ok()?).copied().unwrap_or(0);
        let shift = 8 * if cx.options.big_endian { u64::from(bytes) - 1 - i } else { i };
        value |= u64::from(byte) << shift;
    }
    Some(Content::Bytes(value))
}

/// `load.ty base+offset`.
pub fn load(ed: &mut Editor<'_>, cx: &Cx<'_>, ty: Type, base: Value, offset: i32) -> Option<Value> {
    let Some(InstData::SymbolAddr { symbol, offset: at }) = ed.f.def(base) else { return None };
    match read(cx, *symbol, at.checked_add(offset.into())?, ty.bytes())? {
        Content::Bytes(value) => Some(ed.iconst(ty, value)),
        Content::Address(symbol, offset) if ty == Type::Ptr => {
            Some(ed.emit(InstData::SymbolAddr { symbol, offset }))
        }
        Content::Address(..) => None,
    }
}

/// The bytes at an address, up to `n` of them.
fn bytes(ed: &Editor<'_>, cx: &Cx<'_>, address: Value, n: usize) -> Option<Vec<u8>> {
    let Some(InstData::SymbolAddr { symbol, offset }) = ed.f.def(address) else { return None };
    (0..n)
        .map(|i| match read(cx, *symbol, offset.checked_add(i as i64)?, 1)? {
            Content::Bytes(value) => Some(value as u8),
            Content::Address(..) => None,
        })
        .collect()
}

/// The string at an address, with its zero byte.
fn string(ed: &Editor<'_>, cx: &Cx<'_>, address: Value) -> Option<Vec<u8>> {
    let Some(InstData::SymbolAddr { symbol, offset }) = ed.f.def(address) else { return None };
    let mut text = Vec::new();
    for i in 0..STRING {
        match read(cx, *symbol, offset.checked_add(i as i64)?, 1)? {
            Content::Bytes(value) => text.push(value as u8),
            Content::Address(..) => return None,
        }
        if text.last() == Some(&0) {
            return Some(text);
        }
    }
    None
}

/// `strlen(s)`.
pub fn strlen(ed: &mut Editor<'_>, cx: &Cx<'_>, s: Value) -> Option<Value> {
    let length = string(ed, cx, s)?.len() - 1;
    Some(ed.iconst(Type::I64, length as u64))
}

/// `strcmp(a, b)`.
pub fn strcmp(ed: &mut Editor<'_>, cx: &Cx<'_>, a: Value, b: Value) -> Option<Value> {
    let order = if a == b { std::cmp::Ordering::Equal } else { string(ed, cx, a)?.cmp(&string(ed, cx, b)?) };
    Some(ed.iconst(Type::I32, order as i64 as u64))
}

/// `memcmp(a, b, n)`.
pub fn memcmp(ed: &mut Editor<'_>, cx: &Cx<'_>, a: Value, b: Value, n: Value) -> Option<Value> {
    let n = ed.f.constant(n)?;
    if n == 0 || a == b {
        return Some(ed.iconst(Type::I32, 0));
    }
    let n = usize::try_from(n).ok().filter(|&n| n <= STRING)?;
    let order = bytes(ed, cx, a, n)?.cmp(&bytes(ed, cx, b, n)?);
    Some(ed.iconst(Type::I32, order as i64 as u64))
}
