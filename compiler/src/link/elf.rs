//! A relocatable BPF object as a value: bytes in, bytes out.
//!
//! What has no meaning of its own is not kept: string tables, the table of symbols and those of relocations
//! are made anew when the value is written. Local symbols come first, as ELF wants it; everything else keeps
//! its order, so that reading what was written changes nothing.

use object::Endianness;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader as _, Rel as _, SectionHeader as _, Sym as _};
use skep_stdlib::ByteOrder;
use skep_stdlib::elf::EM_BPF;

/// Section with bytes.
pub(super) const PROGBITS: u32 = 1;
const SYMTAB: u32 = 2;
const STRTAB: u32 = 3;
const NOBITS: u32 = 8;
const REL: u32 = 9;
/// The section's relocations say which one they change.
const INFO_LINK: u64 = 0x40;
const EXECINSTR: u64 = 4;
/// More alignment than anything in a BPF object has a use for.
const MAX_ALIGN: u64 = 1 << 20;

/// An object.
#[derive(Clone, Debug)]
pub(super) struct Elf {
    pub order: ByteOrder,
    pub sections: Vec<Section>,
    pub symbols: Vec<Symbol>,
}

/// A section with its relocations.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub name: String,
    pub kind: u32,
    pub flags: u64,
    pub align: u64,
    pub entry_size: u64,
    pub body: Body,
    pub relocs: Vec<Reloc>,
}

/// What is in a section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Body {
    Bytes(Vec<u8>),
    /// So many zeros, which are not in the file.
    Zeros(u64),
}

/// What a symbol names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SymbolKind(pub u8);

impl SymbolKind {
    pub const SECTION: SymbolKind = SymbolKind(3);
}

/// Who sees a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bind {
    Local,
    Global,
    Weak,
}

/// A symbol.
#[derive(Clone, Debug)]
pub(super) struct Symbol {
    pub name: String,
    pub bind: Bind,
    pub kind: SymbolKind,
    pub hidden: bool,
    pub home: Home,
    pub value: u64,
    pub size: u64,
}

/// Where a symbol is defined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Home {
    Undefined,
    /// Index of a section.
    Section(usize),
    /// Nowhere, such as the name of the source file.
    Absolute,
}

/// A relocation of the REL kind: the addend lies where it applies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reloc {
    pub offset: u64,
    pub kind: u32,
    pub symbol: usize,
}

/// An amount to be added to a field.
#[derive(Clone, Copy)]
pub(super) struct Addend {
    /// Bytes from the relocation's offset to the field.
    pub skip: u64,
    /// Bytes of the field.
    pub width: usize,
    pub amount: u64,
}

impl Symbol {
    pub fn section(&self) -> Option<usize> {
        match self.home {
            Home::Section(index) => Some(index),
            Home::Undefined | Home::Absolute => None,
        }
    }
}

impl Section {
    pub fn is_code(&self) -> bool {
        self.flags & EXECINSTR != 0
    }

    pub fn size(&self) -> u64 {
        match &self.body {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Zeros(size) => *size,
        }
    }

    /// Adds to a field of the bytes; false if it is not there.
    pub fn add(&mut self, offset: u64, addend: Addend, order: ByteOrder) -> bool {
        let Body::Bytes(bytes) = &mut self.body else { return false };
        let start = usize::try_from(offset.saturating_add(addend.skip)).unwrap_or(usize::MAX);
        let field = start.checked_add(addend.width).and_then(|end| bytes.get_mut(start..end));
        let Some(field) = field else { return false };
        let mut word = [0; 8];
        match order {
            ByteOrder::Little => {
                word[..addend.width].copy_from_slice(field);
                let sum = u64::from_le_bytes(word).wrapping_add(addend.amount).to_le_bytes();
                field.copy_from_slice(&sum[..addend.width]);
            }
            ByteOrder::Big => {
                word[8 - addend.width..].copy_from_slice(field);
                let sum = u64::from_be_bytes(word).wrapping_add(addend.amount).to_be_bytes();
                field.copy_from_slice(&sum[8 - addend.width..]);
            }
        }
        true
    }
}

impl Elf {
    /// The bytes of the first section with this name.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        match &self.sections.iter().find(|section| section.name == name)?.body {
            Body::Bytes(bytes) => Some(bytes),
            Body::Zeros(_) => None,
        }
    }

    /// Drops sections, the symbols in them, and relocations that need those.
    pub fn retain_sections(&mut self, keep: &[bool]) {
        let kept = |index: usize| keep.get(index).copied().unwrap_or(false);
        let renumber = |flags: &[bool]| -> Vec<Option<usize>> {
            let mut next = 0..;
            flags.iter().map(|&flag| if flag { next.next() } else { None }).collect()
        };
        let sections = renumber(keep);
        let stays: Vec<bool> = self.symbols.iter().map(|symbol| symbol.section().is_none_or(kept)).collect();
        let symbols = renumber(&stays);
        let mut at = 0..;
        self.sections.retain(|_| at.next().is_some_and(kept));
        for section in &mut self.sections {
            section.relocs.retain_mut(|reloc| match symbols.get(reloc.symbol).copied().flatten() {
                Some(new) => {
                    reloc.symbol = new;
                    true
                }
                None => false,
            });
        }
        let mut at = 0..;
        self.symbols.retain(|_| at.next().and_then(|at| stays.get(at).copied()).unwrap_or(false));
        for symbol in &mut self.symbols {
            if let Home::Section(index) = symbol.home {
                symbol.home = sections.get(index).copied().flatten().map_or(Home::Absolute, Home::Section);
            }
        }
    }

    /// Reads a file; the error says what is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Elf, String> {
        let text = |error: object::read::Error| lower_first(&error.to_string());
        if !bytes.starts_with(b"\x7fELF") {
            return Err("not an ELF file".into());
        }
        let header = FileHeader64::<Endianness>::parse(bytes).map_err(text)?;
        let endian = header.endian().map_err(text)?;
        if header.e_machine(endian).0 != EM_BPF || header.e_type(endian) != elf::ET_REL {
            return Err("not a relocatable BPF object".into());
        }
        let table = header.sections(endian, bytes).map_err(text)?;
        let symtab = table.symbols(endian, bytes, elf::SHT_SYMTAB).map_err(text)?;
        // New indices of the sections that are kept.
        let mut indices: Vec<Option<usize>> = Vec::new();
        let mut sections = Vec::new();
        for header in table.iter() {
            let kind = header.sh_type(endian).0;
            if !matches!(kind, PROGBITS | NOBITS) {
                indices.push(None);
                continue;
            }
            let name = table.section_name(endian, header).map_err(text)?;
            let size = header.sh_size(endian);
            let align = header.sh_addralign(endian).max(1);
            let name = utf8(name)?;
            if !align.is_power_of_two() || align > MAX_ALIGN {
                return Err(format!("section `{name}` is aligned to {align} bytes"));
            }
            let body = match kind {
                NOBITS => Body::Zeros(size),
                _ => Body::Bytes(header.data(endian, bytes).map_err(text)?.to_vec()),
            };
            let flags = header.sh_flags(endian).0;
            if flags & EXECINSTR != 0 && !size.is_multiple_of(8) {
                return Err(format!("section `{name}` has code that is not a multiple of 8 bytes"));
            }
            indices.push(Some(sections.len()));
            let entry_size = header.sh_entsize(endian);
            sections.push(Section { name, kind, flags, align, entry_size, body, relocs: Vec::new() });
        }
        let section = |index: usize| indices.get(index).copied().flatten();
        let mut symbols = Vec::new();
        for (index, sym) in symtab.enumerate().skip(1) {
            let home = match symtab.symbol_section(endian, sym, index).map_err(text)? {
                Some(index) => section(index.0).map_or(Home::Absolute, Home::Section),
                None if sym.st_shndx(endian) == elf::SHN_UNDEF => Home::Undefined,
                None => Home::Absolute,
            };
            symbols.push(Symbol {
                name: utf8(symtab.symbol_name(endian, sym).map_err(text)?)?,
                bind: match sym.st_bind() {
                    elf::STB_LOCAL => Bind::Local,
                    elf::STB_WEAK => Bind::Weak,
                    _ => Bind::Global,
                },
                kind: SymbolKind(sym.st_type().0),
                hidden: matches!(sym.st_visibility(), elf::STV_HIDDEN | elf::STV_INTERNAL),
                home,
                value: sym.st_value(endian),
                size: sym.st_size(endian),
            });
        }
        for header in table.iter() {
            if header.sh_type(endian) == elf::SHT_RELA {
                return Err("relocations with addends (`SHT_RELA`) are not those of BPF objects".into());
            }
            let Some((relocs, _)) = header.rel(endian, bytes).map_err(text)? else { continue };
            let Some(target) = section(header.sh_info(endian) as usize) else { continue };
            for reloc in relocs {
                // The first symbol of the file is no symbol.
                let symbol = (reloc.r_sym(endian) as usize).checked_sub(1).filter(|&at| at < symbols.len());
                let Some(symbol) = symbol else {
                    return Err(format!("a relocation in `{}` has no symbol", sections[target].name));
                };
                let (offset, kind) = (reloc.r_offset(endian), reloc.r_type(endian).0);
                sections[target].relocs.push(Reloc { offset, kind, symbol });
            }
        }
        let order = match endian {
            Endianness::Little => ByteOrder::Little,
            Endianness::Big => ByteOrder::Big,
        };
        Ok(Elf { order, sections, symbols })
    }

    /// The file.
    pub fn write(&self) -> Vec<u8> {
        let mut order: Vec<usize> = (0..self.symbols.len()).collect();
        order.sort_by_key(|&at| self.symbols[at].bind != Bind::Local);
        let locals = self.symbols.iter().filter(|symbol| symbol.bind == Bind::Local).count();
        let mut numbers = vec![0; self.symbols.len()];
        order.iter().zip(1u32..).for_each(|(&at, number)| numbers[at] = number);

        let mut file =
            Writer { order: self.order, bytes: vec![0; HEADER_LEN], strings: vec![0], headers: Vec::new() };
        file.headers.push(Header::default());
        let mut pending = Vec::new();
        let mut indices = Vec::new();
        for section in &self.sections {
            indices.push(file.headers.len() as u32);
            file.section(section);
            if !section.relocs.is_empty() {
                pending.push((file.headers.len(), file.headers.len() as u32 - 1, section));
                file.headers.push(Header::default());
            }
        }
        let symtab = file.headers.len() as u32;
        for (at, target, section) in pending {
            let start = file.align(8);
            for reloc in &section.relocs {
                let number = numbers.get(reloc.symbol).copied().unwrap_or(0);
                file.put_u64(reloc.offset);
                file.put_u64(u64::from(number) << 32 | u64::from(reloc.kind));
            }
            let name = file.string(&format!(".rel{}", section.name));
            let size = file.bytes.len() as u64 - start;
            file.headers[at] = Header {
                name,
                kind: REL,
                flags: INFO_LINK,
                start,
                size,
                link: symtab,
                info: target,
                align: 8,
                entry: 16,
            };
        }
        let start = file.align(8);
        file.bytes.extend([0; 24]);
        for &at in &order {
            file.symbol(&self.symbols[at], &indices);
        }
        let (name, size) = (file.string(".symtab"), file.bytes.len() as u64 - start);
        let info = locals as u32 + 1;
        file.headers.push(Header {
            name,
            kind: SYMTAB,
            flags: 0,
            start,
            size,
            link: symtab + 1,
            info,
            align: 8,
            entry: 24,
        });
        file.finish()
    }
}

const HEADER_LEN: usize = 64;

/// A section header.
#[derive(Default)]
struct Header {
    name: u32,
    kind: u32,
    flags: u64,
    start: u64,
    size: u64,
    link: u32,
    info: u32,
    align: u64,
    entry: u64,
}

/// A file being written.
struct Writer {
    order: ByteOrder,
    bytes: Vec<u8>,
    strings: Vec<u8>,
    headers: Vec<Header>,
}

impl Writer {
    fn put_u64(&mut self, value: u64) {
        let bytes = match self.order {
            ByteOrder::Little => value.to_le_bytes(),
            ByteOrder::Big => value.to_be_bytes(),
        };
        self.bytes.extend(bytes);
    }

    fn put_u32(&mut self, value: u32) {
        self.order.put_u32(&mut self.bytes, value);
    }

    fn put_u16(&mut self, value: u16) {
        self.order.put_u16(&mut self.bytes, value);
    }

    fn align(&mut self, align: u64) -> u64 {
        let end = (self.bytes.len() as u64).next_multiple_of(align.max(1));
        self.bytes.resize(end as usize, 0);
        end
    }

    fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let at = self.strings.len() as u32;
        self.strings.extend(text.as_bytes());
        self.strings.push(0);
        at
    }

    fn section(&mut self, section: &Section) {
        // Alignment within the file only matters to those who map it; more than a page of it is waste.
        let start = self.align(section.align.min(4096));
        if let Body::Bytes(bytes) = &section.body {
            self.bytes.extend(bytes);
        }
        let name = self.string(&section.name);
        self.headers.push(Header {
            name,
            kind: section.kind,
            flags: section.flags,
            start,
            size: section.size(),
            link: 0,
            info: 0,
            align: section.align,
            entry: section.entry_size,
        });
    }

    fn symbol(&mut self, symbol: &Symbol, sections: &[u32]) {
        let name = self.string(&symbol.name);
        self.put_u32(name);
        let bind = match symbol.bind {
            Bind::Local => 0,
            Bind::Global => 1,
            Bind::Weak => 2,
        };
        self.bytes.push(bind << 4 | symbol.kind.0 & 15);
        self.bytes.push(if symbol.hidden { 2 } else { 0 });
        self.put_u16(match symbol.home {
            Home::Undefined => 0,
            Home::Section(index) => sections.get(index).copied().unwrap_or(0) as u16,
            Home::Absolute => 0xfff1,
        });
        self.put_u64(symbol.value);
        self.put_u64(symbol.size);
    }

    fn finish(mut self) -> Vec<u8> {
        let name = self.string(".strtab");
        let start = self.bytes.len() as u64;
        let size = self.strings.len() as u64;
        let strings = std::mem::take(&mut self.strings);
        self.bytes.extend(strings);
        self.headers.push(Header { name, kind: STRTAB, start, size, align: 1, ..Header::default() });
        let table = self.align(8);
        for header in std::mem::take(&mut self.headers) {
            self.put_u32(header.name);
            self.put_u32(header.kind);
            self.put_u64(header.flags);
            self.put_u64(0);
            self.put_u64(header.start);
            self.put_u64(header.size);
            self.put_u32(header.link);
            self.put_u32(header.info);
            self.put_u64(header.align);
            self.put_u64(header.entry);
        }
        let count = (self.bytes.len() as u64 - table) / 64;
        let body = std::mem::take(&mut self.bytes);
        let data = if self.order == ByteOrder::Little { 1 } else { 2 };
        self.bytes.extend([0x7f, b'E', b'L', b'F', 2, data, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        self.put_u16(1);
        self.put_u16(EM_BPF);
        self.put_u32(1);
        self.put_u64(0);
        self.put_u64(0);
        self.put_u64(table);
        self.put_u32(0);
        for half in [HEADER_LEN as u16, 0, 0, 64, count as u16, count as u16 - 1] {
            self.put_u16(half);
        }
        self.bytes.extend(&body[HEADER_LEN..]);
        self.bytes
    }
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "a name is not UTF-8".into())
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
