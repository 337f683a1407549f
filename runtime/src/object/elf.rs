//! ELF bytes to sections, symbols and relocations.
//!
//! In: any bytes. Out: an [`Object`] that owns them; sections are ranges of the file, so that
//! overlapping sections cost nothing. What is checked here: that the file is a relocatable BPF
//! object, and that every offset, name, section index and symbol index in it is in range. What
//! they mean is the business of `maps`, `link` and the rest.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use object::Endianness;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, Rel as _, SectionHeader as _, SectionTable, Sym as _, SymbolTable};
use skep_stdlib::ByteOrder;

use super::{LoadError, Place};

/// A parsed object file; nothing in it is trusted.
#[derive(Clone, Debug)]
pub struct Object {
    pub(super) file: Arc<[u8]>,
    pub(super) order: ByteOrder,
    /// By ELF section index.
    pub(super) sections: Vec<Section>,
    /// By ELF symbol index.
    pub(super) symbols: Vec<Symbol>,
}

/// A section.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub name: String,
    pub kind: SectionKind,
    pub executable: bool,
    pub size: u64,
    /// Where its bytes are in the file; empty for [`SectionKind::NoBits`].
    pub range: Range<usize>,
    /// Relocations that change it, by offset.
    pub relocs: Vec<Reloc>,
}

/// What a section holds, as far as ELF knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SectionKind {
    /// Bytes.
    ProgBits,
    /// Zeros that are not in the file.
    NoBits,
    /// Tables of the file itself and whatever else a loader does not look into.
    Other,
}

/// A symbol.
#[derive(Clone, Debug)]
pub(super) struct Symbol {
    pub name: String,
    pub kind: SymbolKind,
    pub bind: Bind,
    /// Not seen outside of the file that it is linked into.
    pub hidden: bool,
    pub home: Home,
    pub value: u64,
    pub size: u64,
}

/// What a symbol names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SymbolKind {
    Function,
    Variable,
    Section,
    Unknown,
    Other,
}

/// Who sees a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bind {
    Local,
    Global,
    Weak,
}

/// Where a symbol is defined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Home {
    Undefined,
    Section(usize),
    /// Absolute, common or a reserved index.
    Elsewhere,
}

/// A relocation; the symbol index is in range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reloc {
    pub offset: u64,
    pub kind: u32,
    pub symbol: usize,
}

type Header = FileHeader64<Endianness>;

impl Object {
    /// Reads an ELF file; either byte order.
    pub fn parse(bytes: &[u8]) -> Result<Object, LoadError> {
        let header = check_header(bytes)?;
        let endian = header.endian().map_err(|e| malformed(5, &e))?;
        let table = header.sections(endian, bytes).map_err(|e| malformed(header.e_shoff.get(endian), &e))?;
        let mut sections = read_sections(&table, endian, bytes)?;
        let symbols = read_symbols(&table, endian, bytes)?;
        read_relocs(&table, endian, bytes, &mut sections, symbols.len())?;
        let order = match endian {
            Endianness::Little => ByteOrder::Little,
            Endianness::Big => ByteOrder::Big,
        };
        Ok(Object { file: Arc::from(bytes), order, sections, symbols })
    }

    /// The byte order of the programs.
    pub fn byte_order(&self) -> ByteOrder {
        self.order
    }

    /// Names of all sections, in file order.
    pub fn section_names(&self) -> impl Iterator<Item = &str> {
        self.sections.iter().map(|section| section.name.as_str())
    }

    /// The bytes of the first section with this name.
    pub fn section_bytes(&self, name: &str) -> Option<&[u8]> {
        Some(self.bytes(self.sections.iter().find(|section| section.name == name)?))
    }

    pub(super) fn bytes(&self, section: &Section) -> &[u8] {
        self.file.get(section.range.clone()).unwrap_or_default()
    }

    /// The name to print for a symbol: its own, or its section's.
    pub(super) fn symbol_name<'a>(&'a self, symbol: &'a Symbol) -> &'a str {
        match (symbol.kind, symbol.home) {
            (SymbolKind::Section, Home::Section(index)) => self.sections.get(index).map_or("", |s| &s.name),
            _ => &symbol.name,
        }
    }
}

fn check_header(bytes: &[u8]) -> Result<&Header, LoadError> {
    if !bytes.starts_with(b"\x7fELF") {
        return Err(LoadError::malformed(Place::File(0), "not an ELF file"));
    }
    if bytes.get(4).is_some_and(|&class| class != elf::ELFCLASS64.0) {
        return Err(LoadError::unsupported(Place::File(4), "not a 64-bit ELF file"));
    }
    let header = Header::parse(bytes).map_err(|e| malformed(0, &e))?;
    let endian = header.endian().map_err(|e| malformed(5, &e))?;
    if header.e_machine(endian) != elf::EM_BPF {
        let machine = header.e_machine(endian).0;
        return Err(LoadError::unsupported(Place::File(18), format!("machine {machine} is not BPF")));
    }
    if header.e_type(endian) != elf::ET_REL {
        return Err(LoadError::unsupported(Place::File(16), "not a relocatable object file"));
    }
    Ok(header)
}

fn read_sections(
    table: &SectionTable<'_, Header>,
    endian: Endianness,
    bytes: &[u8],
) -> Result<Vec<Section>, LoadError> {
    let mut sections = Vec::with_capacity(table.len());
    for header in table.iter() {
        let offset = header.sh_offset(endian);
        let size = header.sh_size(endian);
        let kind = match header.sh_type(endian) {
            elf::SHT_PROGBITS => SectionKind::ProgBits,
            elf::SHT_NOBITS => SectionKind::NoBits,
            _ => SectionKind::Other,
        };
        let name = table.section_name(endian, header).map_err(|e| malformed(offset, &e))?;
        let range = match kind {
            SectionKind::ProgBits => file_range(bytes, offset, size).ok_or_else(|| {
                LoadError::malformed(Place::File(offset), "section lies outside of the file")
            })?,
            SectionKind::NoBits | SectionKind::Other => 0..0,
        };
        let flags = header.sh_flags(endian).0;
        let has = |flag: elf::SectionFlags| flags & flag.0 != 0;
        sections.push(Section {
            name: utf8(name, offset)?,
            kind,
            executable: has(elf::SHF_EXECINSTR),
            size,
            range,
            relocs: Vec::new(),
        });
    }
    Ok(sections)
}

fn read_symbols(
    table: &SectionTable<'_, Header>,
    endian: Endianness,
    bytes: &[u8],
) -> Result<Vec<Symbol>, LoadError> {
    let place = symtab_offset(table, endian);
    let symtab: SymbolTable<'_, Header> =
        table.symbols(endian, bytes, elf::SHT_SYMTAB).map_err(|e| malformed(place, &e))?;
    let mut symbols = Vec::with_capacity(symtab.len());
    for (index, sym) in symtab.enumerate() {
        let at = place.saturating_add(24 * index.0 as u64);
        let name = symtab.symbol_name(endian, sym).map_err(|e| malformed(at, &e))?;
        let home = match symtab.symbol_section(endian, sym, index).map_err(|e| malformed(at, &e))? {
            Some(section) if section.0 < table.len() => Home::Section(section.0),
            Some(_) => {
                return Err(LoadError::malformed(Place::File(at), "symbol in a section that is not there"));
            }
            None if sym.st_shndx(endian) == elf::SHN_UNDEF => Home::Undefined,
            None => Home::Elsewhere,
        };
        let kind = match sym.st_type() {
            elf::STT_FUNC => SymbolKind::Function,
            elf::STT_OBJECT => SymbolKind::Variable,
            elf::STT_SECTION => SymbolKind::Section,
            elf::STT_NOTYPE => SymbolKind::Unknown,
            _ => SymbolKind::Other,
        };
        let bind = match sym.st_bind() {
            elf::STB_LOCAL => Bind::Local,
            elf::STB_WEAK => Bind::Weak,
            _ => Bind::Global,
        };
        let hidden = matches!(sym.st_visibility(), elf::STV_HIDDEN | elf::STV_INTERNAL);
        let (value, size) = (sym.st_value(endian), sym.st_size(endian));
        symbols.push(Symbol { name: utf8(name, at)?, kind, bind, hidden, home, value, size });
    }
    Ok(symbols)
}

fn read_relocs(
    table: &SectionTable<'_, Header>,
    endian: Endianness,
    bytes: &[u8],
    sections: &mut [Section],
    symbols: usize,
) -> Result<(), LoadError> {
    for header in table.iter() {
        let at = header.sh_offset(endian);
        if header.sh_type(endian) == elf::SHT_RELA {
            return Err(LoadError::unsupported(Place::File(at), "relocations with addends (`SHT_RELA`)"));
        }
        let Some((relocs, _)) = header.rel(endian, bytes).map_err(|e| malformed(at, &e))? else { continue };
        let Some(target) = sections.get_mut(header.sh_info(endian) as usize) else {
            return Err(LoadError::malformed(Place::File(at), "relocations of a section that is not there"));
        };
        for (index, reloc) in relocs.iter().enumerate() {
            let symbol = reloc.r_sym(endian) as usize;
            if symbol >= symbols {
                let at = at.saturating_add(16 * index as u64);
                return Err(LoadError::malformed(
                    Place::File(at),
                    format!("relocation of symbol {symbol}, which is not there"),
                ));
            }
            target.relocs.push(Reloc {
                offset: reloc.r_offset(endian),
                kind: reloc.r_type(endian).0,
                symbol,
            });
        }
        target.relocs.sort_by_key(|reloc| reloc.offset);
    }
    Ok(())
}

fn symtab_offset(table: &SectionTable<'_, Header>, endian: Endianness) -> u64 {
    let symtab = table.iter().find(|section| section.sh_type(endian) == elf::SHT_SYMTAB);
    symtab.map_or(0, |section| section.sh_offset(endian))
}

fn file_range(bytes: &[u8], offset: u64, size: u64) -> Option<Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(size).ok()?)?;
    (end <= bytes.len()).then_some(start..end)
}

fn utf8(name: &[u8], at: u64) -> Result<String, LoadError> {
    match core::str::from_utf8(name) {
        Ok(name) => Ok(name.to_owned()),
        Err(_) => Err(LoadError::malformed(Place::File(at), "name is not UTF-8")),
    }
}

/// The reader's own words, in our form: lower-case, with an offset.
fn malformed(at: u64, error: &object::read::Error) -> LoadError {
    let text = format!("{error}");
    let mut chars = text.chars();
    let message = match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => text,
    };
    LoadError::malformed(Place::File(at), message)
}
