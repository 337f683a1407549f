//! Several objects into one, as `bpftool gen object` does; and one object without what only debuggers read.
//!
//! In: relocatable BPF objects, of any compiler. Out: one that holds all their programs, maps and variables,
//! in which what one file declares is what another defines. The steps:
//!
//! - [`elf`]: bytes to sections, symbols, relocations; and back.
//! - [`sections`]: sections of one name become one, one file's part after the other's.
//! - [`symbols`]: who defines what; [`agree`]: whether all mean the same by a name.
//! - [`types`]: `.BTF` and `.BTF.ext` of all, equal types once.
//! - relocations move with their sections and name the symbols that won.
//!
//! Invariant: linking what was linked gives the same bytes again.

mod agree;
mod elf;
mod sections;
mod symbols;
mod types;

use skep_stdlib::ByteOrder;
use skep_stdlib::btf::Btf;
use skep_stdlib::btf::ext::Ext;
use skep_stdlib::elf::{BTF, BTF_EXT, R_BPF_64_32};

use elf::{Body, Elf, Reloc, Section, SymbolKind};

/// An object to link.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// For messages.
    pub name: &'a str,
    /// The file.
    pub bytes: &'a [u8],
}

/// Why objects cannot be linked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// The file in which it came up.
    pub file: String,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`: {}", self.file, self.message)
    }
}

impl std::error::Error for Error {}

/// A file on its way into the result.
struct Unit<'a> {
    name: &'a str,
    elf: Elf,
    btf: Option<Btf>,
    ext: Ext,
    /// Where each section went: index of the new one, and bytes from its start.
    places: Vec<Option<(usize, u64)>>,
    /// What each symbol became.
    symbols: Vec<Option<usize>>,
}

impl Unit<'_> {
    fn fail<T>(&self, message: impl Into<String>) -> Result<T, Error> {
        Err(Error { file: self.name.to_owned(), message: message.into() })
    }
}

/// Links the objects, in this order.
pub fn link(inputs: &[Input<'_>]) -> Result<Vec<u8>, Error> {
    let mut units = inputs.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let order = units.first().map_or(ByteOrder::Little, |unit| unit.elf.order);
    if let Some(other) = units.iter().find(|unit| unit.elf.order != order) {
        return other.fail("has another byte order than the files before it");
    }
    let mut out = Elf { order, sections: Vec::new(), symbols: Vec::new() };
    for unit in &mut units {
        sections::place(unit, &mut out)?;
    }
    let globals = symbols::resolve(&mut units, &mut out)?;
    for unit in &units {
        relocate(unit, &mut out)?;
    }
    types::merge(&units, &globals, &mut out);
    Ok(out.write())
}

/// The object without the sections that only debuggers read (`.debug_*`): like `llvm-strip -g`.
pub fn strip(input: &Input<'_>) -> Result<Vec<u8>, Error> {
    let mut elf = parse(input)?;
    let keep: Vec<bool> = elf.sections.iter().map(|section| !sections::is_debug(&section.name)).collect();
    elf.retain_sections(&keep);
    Ok(elf.write())
}

fn parse(input: &Input<'_>) -> Result<Elf, Error> {
    Elf::read(input.bytes).map_err(|message| Error { file: input.name.to_owned(), message })
}

fn read<'a>(input: &Input<'a>) -> Result<Unit<'a>, Error> {
    let elf = parse(input)?;
    let mut unit = Unit {
        name: input.name,
        btf: None,
        ext: Ext::default(),
        places: vec![None; elf.sections.len()],
        symbols: vec![None; elf.symbols.len()],
        elf,
    };
    let (btf, ext) = (unit.elf.bytes(BTF), unit.elf.bytes(BTF_EXT));
    let bad = |section: &str, error: skep_stdlib::btf::BtfError| Error {
        file: input.name.to_owned(),
        message: format!("bad `{section}`: {error}"),
    };
    if let Some(bytes) = btf.filter(|bytes| !bytes.is_empty()) {
        unit.btf = Some(Btf::parse(bytes).map_err(|error| bad(BTF, error))?);
        if let Some(bytes) = ext.filter(|bytes| !bytes.is_empty()) {
            unit.ext = Ext::parse(bytes).map_err(|error| bad(BTF_EXT, error))?;
        }
    }
    Ok(unit)
}

/// Moves the relocations of a file; addends that count from the start of a section count from its new one.
fn relocate(unit: &Unit<'_>, out: &mut Elf) -> Result<(), Error> {
    for (section, place) in unit.elf.sections.iter().zip(&unit.places) {
        let Some((target, base)) = *place else { continue };
        for reloc in &section.relocs {
            let symbol = unit.elf.symbols.get(reloc.symbol);
            let new = unit.symbols.get(reloc.symbol).copied().flatten();
            let (Some(symbol), Some(new)) = (symbol, new) else {
                return unit.fail(format!("a relocation in `{}` refers to what is not linked", section.name));
            };
            let offset = reloc.offset.saturating_add(base);
            if symbol.kind == SymbolKind::SECTION
                && let Some((_, moved)) =
                    symbol.section().and_then(|index| unit.places.get(index).copied().flatten())
                && !out.sections[target].add(offset, addend(section, reloc, moved), out.order)
            {
                return unit.fail(format!("a relocation lies outside of section `{}`", section.name));
            }
            out.sections[target].relocs.push(Reloc { offset, symbol: new, ..*reloc });
        }
    }
    Ok(())
}

/// What a move by so many bytes adds: bytes and width of the field behind the offset, and the amount.
fn addend(section: &Section, reloc: &Reloc, moved: u64) -> elf::Addend {
    match (section.is_code(), reloc.kind) {
        // Distances of calls are counted in instructions.
        (true, R_BPF_64_32) => elf::Addend { skip: 4, width: 4, amount: moved / 8 },
        (true, _) => elf::Addend { skip: 4, width: 4, amount: moved },
        (false, _) => elf::Addend { skip: 0, width: 8, amount: moved },
    }
}

/// A finished section of bytes that describe the rest.
fn description(name: &str, bytes: Vec<u8>) -> Section {
    Section {
        name: name.to_owned(),
        kind: elf::PROGBITS,
        flags: 0,
        align: 4,
        entry_size: 0,
        body: Body::Bytes(bytes),
        relocs: Vec::new(),
    }
}
