//! Completes an object's BTF with what only ELF knows.
//!
//! Compilers leave the sizes of data sections and the offsets of global variables at zero, and call
//! functions global that nobody outside sees. In: the bytes of `.BTF`. Out: the same bytes with those
//! fields filled in from section headers and symbols, and hidden functions static (as libbpf has them). Records that do not parse are left alone; the reader proper will complain about them.

use alloc::vec::Vec;

use skep_stdlib::ByteOrder;
use skep_stdlib::btf::{HEADER_LEN, Kind};

use super::elf::{Home, Object, Section, SymbolKind};

/// Layout of the type section: where it is, and the byte order.
struct Raw<'a> {
    bytes: &'a [u8],
    order: ByteOrder,
    types: usize,
    types_end: usize,
    strings: usize,
}

/// A record: where it is, its kind, how many entries follow, and bytes in all.
struct Record {
    at: usize,
    kind: Option<Kind>,
    count: usize,
    len: usize,
}

impl Raw<'_> {
    fn word(&self, at: usize) -> Option<u32> {
        self.order.u32(self.bytes, at)
    }

    fn name(&self, record: &Record) -> Option<&str> {
        let start = self.strings.checked_add(self.word(record.at)? as usize)?;
        let rest = self.bytes.get(start..)?;
        let len = rest.iter().position(|&byte| byte == 0)?;
        core::str::from_utf8(rest.get(..len)?).ok()
    }

    fn record(&self, at: usize) -> Option<Record> {
        if at >= self.types_end {
            return None;
        }
        let info = self.word(at + 4)?;
        let kind = Kind::from_number(info >> 24 & 0x1f);
        let count = (info & 0xffff) as usize;
        let extra = match kind? {
            Kind::Int | Kind::Var | Kind::DeclTag => 4,
            Kind::Array => 12,
            Kind::Struct | Kind::Union | Kind::Enum64 | Kind::Datasec => 12 * count,
            Kind::Enum | Kind::FuncProto => 8 * count,
            Kind::Void
            | Kind::Ptr
            | Kind::Fwd
            | Kind::Typedef
            | Kind::Volatile
            | Kind::Const
            | Kind::Restrict
            | Kind::Func
            | Kind::Float
            | Kind::TypeTag => 0,
        };
        Some(Record { at, kind, count, len: 12 + extra })
    }
}

/// The bytes of `.BTF`, completed.
pub(super) fn complete(object: &Object, bytes: &[u8]) -> Vec<u8> {
    let mut patches = Vec::new();
    collect(object, bytes, &mut patches);
    let mut out = bytes.to_vec();
    for (at, value) in patches {
        let value = match object.order {
            ByteOrder::Little => u32::to_le_bytes(value),
            ByteOrder::Big => u32::to_be_bytes(value),
        };
        if let Some(field) = out.get_mut(at..at + 4) {
            field.copy_from_slice(&value);
        }
    }
    out
}

/// Finds the fields to set: offset in the bytes, and value.
fn collect(object: &Object, bytes: &[u8], patches: &mut Vec<(usize, u32)>) -> Option<()> {
    let order = object.order;
    let header = order.u32(bytes, 4)? as usize;
    if header < HEADER_LEN as usize {
        return None;
    }
    let word = |at| order.u32(bytes, at).map(|word| word as usize);
    let types = header.checked_add(word(8)?)?;
    let types_end = types.checked_add(word(12)?)?;
    let strings = header.checked_add(word(16)?)?;
    let raw = Raw { bytes, order, types, types_end, strings };
    let mut records = Vec::new();
    let mut at = raw.types;
    while let Some(record) = raw.record(at) {
        at = at.checked_add(record.len)?;
        records.push(record);
    }
    for record in records.iter().filter(|record| record.kind == Some(Kind::Func)) {
        if is_hidden(object, raw.name(record)?) {
            patches.push((record.at + 4, raw.word(record.at + 4)? & !0xffff));
        }
    }
    for record in records.iter().filter(|record| record.kind == Some(Kind::Datasec)) {
        let name = raw.name(record)?;
        let found = object.sections.iter().enumerate().find(|(_, section)| section.name == name);
        let Some((index, section)) = found else { continue };
        patches.push((record.at + 8, u32::try_from(section.size).unwrap_or(u32::MAX)));
        let mut entries = Vec::new();
        for at in (0..record.count).map(|n| record.at + 12 + n * 12) {
            let (id, mut offset, size) = (raw.word(at)?, raw.word(at + 4)?, raw.word(at + 8)?);
            let variable = (id as usize).checked_sub(1).and_then(|id| records.get(id));
            // Static variables have their offsets already.
            let global = variable.filter(|variable| raw.word(variable.at + 12) != Some(0));
            if let Some(name) = global.and_then(|variable| raw.name(variable))
                && let Some(found) = offset_of(object, index, section, name)
            {
                offset = found;
            }
            entries.push((offset, id, size));
        }
        // The kernel wants them in order.
        entries.sort_unstable();
        for (at, (offset, id, size)) in (record.at + 12..).step_by(12).zip(entries) {
            patches.extend([(at, id), (at + 4, offset), (at + 8, size)]);
        }
    }
    Some(())
}

fn is_hidden(object: &Object, name: &str) -> bool {
    let mut functions = object.symbols.iter().filter(|symbol| symbol.kind == SymbolKind::Function);
    functions.any(|symbol| symbol.hidden && symbol.name == name)
}

fn offset_of(object: &Object, index: usize, section: &Section, name: &str) -> Option<u32> {
    let symbol = object.symbols.iter().find(|symbol| {
        symbol.home == Home::Section(index) && symbol.kind == SymbolKind::Variable && symbol.name == name
    })?;
    u32::try_from(symbol.value.min(section.size)).ok()
}
