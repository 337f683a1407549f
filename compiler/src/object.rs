//! The ELF object: sections, symbols and relocations, written with the `object` crate.
//!
//! In: the section layout, the code, the bytes of the variables, and the finished `.BTF` and
//! `.BTF.ext`. Out: a relocatable ELF file for EM_BPF as libbpf, bpftool and the kernel's tools
//! read it. Relocations are of the REL kind: addends live in the instruction or the data.
//!
//! Who refers to whom and how (kernel `Documentation/bpf/llvm_reloc.rst`):
//! - external and weak symbols by name, with the addend in the immediate;
//! - static functions and variables through their section's symbol, offset in the immediate;
//! - a static function of the same section directly, without a relocation.

use std::collections::BTreeMap;

use object::write::{Object, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionFlags, SectionKind as ElfKind,
    SymbolFlags, SymbolKind, SymbolScope, elf,
};
use skep_stdlib::ByteOrder;
use skep_stdlib::isa::{CallTarget, Imm64, Insn, encode};
use skep_syntax::intern::Interner;

use crate::codegen::code::{Code, FuncCode, RelocKind};
use crate::hir::{self, InitValue, Linkage, SymbolRef};
use crate::ir;
use crate::sections::{Layout, SectionKind, symbol_ref};

/// An 8-byte address in data; the crate does not name it.
const R_BPF_64_ABS64: elf::RelocationType = elf::RelocationType(2);

/// What is written.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// Data of variables, linkage of symbols.
    pub module: &'a hir::Module,
    /// Symbols of the code.
    pub ir: &'a ir::Module,
    /// Instructions.
    pub code: &'a Code,
    /// Places.
    pub layout: &'a Layout,
    /// Names.
    pub names: &'a Interner,
    /// Name of the source file, without its directory.
    pub file: &'a str,
    /// `.BTF` and `.BTF.ext`; empty ones are left out.
    pub btf: &'a [(&'static str, Vec<u8>)],
    /// Byte order of the target.
    pub order: ByteOrder,
}

/// Writes the object. Errors are bugs of the compiler: they say which symbol or instruction.
pub fn write<'a>(parts: Parts<'a>) -> Result<Vec<u8>, String> {
    let endian = match parts.order {
        ByteOrder::Little => Endianness::Little,
        ByteOrder::Big => Endianness::Big,
    };
    let object = Object::new(BinaryFormat::Elf, Architecture::Bpf, endian);
    let of_function = |func: &'a FuncCode| (symbol_ref(&parts.ir.symbols[func.symbol]), func);
    let code = parts.code.functions.iter().map(of_function).collect();
    let mut writer = Writer { parts, object, sections: Vec::new(), symbols: BTreeMap::new(), code };
    if !parts.file.is_empty() {
        writer.object.add_file_symbol(parts.file.into());
    }
    writer.add_sections()?;
    writer.add_symbols();
    writer.add_data_relocations()?;
    writer.add_code_relocations()?;
    for (name, bytes) in parts.btf.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        let id = writer.object.add_section(Vec::new(), name.as_bytes().to_vec(), ElfKind::Other);
        writer.object.section_mut(id).flags =
            SectionFlags::Elf { sh_type: elf::SHT_PROGBITS, sh_flags: elf::SectionFlags(0) };
        writer.object.append_section_data(id, bytes, 4);
    }
    writer.object.write().map_err(|error| error.to_string())
}

struct Writer<'a> {
    parts: Parts<'a>,
    object: Object<'static>,
    /// By index of [`Layout::sections`].
    sections: Vec<SectionId>,
    /// Named symbols.
    symbols: BTreeMap<SymbolRef, SymbolId>,
    /// Code of functions.
    code: BTreeMap<SymbolRef, &'a FuncCode>,
}

impl<'a> Writer<'a> {
    fn add_sections(&mut self) -> Result<(), String> {
        for (index, section) in self.parts.layout.sections.iter().enumerate() {
            let id = self.object.add_section(
                Vec::new(),
                section.name.clone().into_bytes(),
                elf_kind(section.kind),
            );
            self.object.section_mut(id).flags = flags(section.kind);
            self.sections.push(id);
            if section.kind == SectionKind::Zero {
                self.object.append_section_bss(id, section.size, section.align);
            } else {
                let bytes = self.section_bytes(index)?;
                self.object.append_section_data(id, &bytes, section.align);
            }
        }
        Ok(())
    }

    /// The bytes of a section, with addends in place.
    fn section_bytes(&self, index: usize) -> Result<Vec<u8>, String> {
        let section = &self.parts.layout.sections[index];
        let mut bytes = Vec::with_capacity(section.size as usize);
        for &(symbol, offset) in &section.members {
            bytes.resize(offset as usize, 0);
            match symbol {
                SymbolRef::Func(_) => {
                    let code = self.code.get(&symbol).ok_or("a placed function has no code")?;
                    self.encode_function(code, index, offset, &mut bytes)?;
                }
                SymbolRef::Global(id) => {
                    let global = &self.parts.module.globals[id.index()];
                    self.append_global(global, &mut bytes);
                    let end = offset + self.parts.layout.places[&symbol].size;
                    bytes.resize(end as usize, 0);
                }
            }
        }
        bytes.resize(section.size as usize, 0);
        Ok(bytes)
    }

    fn encode_function(
        &self,
        code: &FuncCode,
        section: usize,
        base: u64,
        bytes: &mut Vec<u8>,
    ) -> Result<(), String> {
        let mut relocs = code.relocs.iter().peekable();
        let mut words = code.words.iter().peekable();
        let mut slot = 0;
        for insn in &code.insns {
            let mut insn = *insn;
            if let Some(reloc) = relocs.next_if(|reloc| reloc.slot == slot) {
                let symbol = symbol_ref(&self.parts.ir.symbols[reloc.symbol]);
                let here = base / 8 + u64::from(slot);
                patch(&mut insn, self.immediate(symbol, reloc.kind, reloc.addend, section, here));
            }
            match words.next_if(|(at, _)| *at == slot) {
                Some(&(_, word)) => bytes.extend(match self.parts.order {
                    ByteOrder::Little => word.little,
                    ByteOrder::Big => word.big,
                }),
                None => encode(&insn, self.parts.order, bytes)
                    .map_err(|error| format!("cannot encode {insn:?}: {error}"))?,
            }
            slot += insn.slots() as u32;
        }
        match relocs.next() {
            Some(reloc) => Err(format!("a relocation at slot {} meets no instruction", reloc.slot)),
            None => Ok(()),
        }
    }

    /// The immediate of an instruction that refers to `symbol`.
    fn immediate(&self, symbol: SymbolRef, kind: RelocKind, addend: i64, section: usize, here: u64) -> i64 {
        let place = self.parts.layout.places.get(&symbol).filter(|_| self.linkage(symbol) == Linkage::Static);
        match (kind, place) {
            (RelocKind::Address, Some(place)) => place.offset as i64 + addend,
            (RelocKind::Address, None) => addend,
            (RelocKind::Call, Some(place)) if place.section == section => {
                (place.offset / 8) as i64 - here as i64 - 1
            }
            (RelocKind::Call, Some(place)) => (place.offset / 8) as i64 - 1,
            (RelocKind::Call, None) => -1,
        }
    }

    fn append_global(&self, global: &hir::Global, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        for scalar in global.init.iter().flat_map(|init| &init.scalars) {
            bytes.resize(start + scalar.offset as usize, 0);
            match &scalar.value {
                InitValue::Bytes(text) => bytes.extend_from_slice(text),
                InitValue::Int { value, size } => self.append_int(*value, *size as usize, bytes),
                InitValue::Address { symbol, addend } => {
                    let place = self.parts.layout.places.get(symbol);
                    let place = place.filter(|_| self.linkage(*symbol) == Linkage::Static);
                    let value = place.map_or(0, |place| place.offset as i64) + addend;
                    self.append_int(value as u128, 8, bytes);
                }
            }
        }
    }

    fn append_int(&self, value: u128, size: usize, bytes: &mut Vec<u8>) {
        match self.parts.order {
            ByteOrder::Little => bytes.extend_from_slice(&value.to_le_bytes()[..size]),
            ByteOrder::Big => bytes.extend_from_slice(&value.to_be_bytes()[16 - size..]),
        }
    }

    fn linkage(&self, symbol: SymbolRef) -> Linkage {
        match symbol {
            SymbolRef::Func(id) => self.parts.module.functions[id.index()].linkage,
            SymbolRef::Global(id) => self.parts.module.globals[id.index()].linkage,
        }
    }

    fn add_symbols(&mut self) {
        let layout = self.parts.layout;
        let placed = layout.places.iter().map(|(&symbol, place)| (symbol, Some(*place)));
        let externs = layout.externs.iter().map(|&symbol| (symbol, None));
        for (symbol, place) in placed.chain(externs) {
            let (name, hidden, is_literal) = match symbol {
                SymbolRef::Func(id) => {
                    let func = &self.parts.module.functions[id.index()];
                    (self.parts.names.name(func.name).to_owned(), func.hidden, false)
                }
                SymbolRef::Global(id) => {
                    let global = &self.parts.module.globals[id.index()];
                    (global.name.clone(), global.hidden, global.literal)
                }
            };
            if is_literal {
                continue;
            }
            let linkage = self.linkage(symbol);
            let kind = match (place, symbol) {
                (None, _) => SymbolKind::Unknown,
                (_, SymbolRef::Func(_)) => SymbolKind::Text,
                (_, SymbolRef::Global(_)) => SymbolKind::Data,
            };
            let scope = match (linkage, hidden) {
                (Linkage::Static, _) => SymbolScope::Compilation,
                // "Linkage" is the crate's word for STV_HIDDEN, "Dynamic" for STV_DEFAULT.
                (_, true) => SymbolScope::Linkage,
                (_, false) => SymbolScope::Dynamic,
            };
            let section = place.map_or(SymbolSection::Undefined, |place| {
                SymbolSection::Section(self.sections[place.section])
            });
            let id = self.object.add_symbol(Symbol {
                name: name.into_bytes(),
                value: place.map_or(0, |place| place.offset),
                size: place.map_or(0, |place| place.size),
                kind,
                scope,
                weak: matches!(linkage, Linkage::Weak | Linkage::ExternWeak),
                section,
                flags: SymbolFlags::None,
            });
            self.symbols.insert(symbol, id);
        }
    }

    /// The ELF symbol by which `symbol` is referred to.
    fn target(&mut self, symbol: SymbolRef) -> Result<SymbolId, String> {
        if self.linkage(symbol) == Linkage::Static
            && let Some(place) = self.parts.layout.places.get(&symbol)
        {
            return Ok(self.object.section_symbol(self.sections[place.section]));
        }
        self.symbols
            .get(&symbol)
            .copied()
            .ok_or_else(|| format!("{symbol:?} is referred to but has no symbol"))
    }

    fn add_relocation(
        &mut self,
        section: usize,
        offset: u64,
        symbol: SymbolRef,
        r_type: elf::RelocationType,
    ) -> Result<(), String> {
        let symbol = self.target(symbol)?;
        let flags = RelocationFlags::Elf { r_type };
        self.object
            .add_relocation(self.sections[section], Relocation { offset, symbol, addend: 0, flags })
            .map_err(|error| error.to_string())
    }

    fn add_code_relocations(&mut self) -> Result<(), String> {
        let parts = self.parts;
        for func in &parts.code.functions {
            let place = parts.layout.places[&symbol_ref(&parts.ir.symbols[func.symbol])];
            for reloc in &func.relocs {
                let symbol = symbol_ref(&parts.ir.symbols[reloc.symbol]);
                let callee = parts.layout.places.get(&symbol);
                let direct = reloc.kind == RelocKind::Call
                    && self.linkage(symbol) == Linkage::Static
                    && callee.is_some_and(|callee| callee.section == place.section);
                if direct {
                    continue;
                }
                let r_type = match reloc.kind {
                    RelocKind::Address => elf::R_BPF_64_64,
                    RelocKind::Call => elf::R_BPF_64_32,
                };
                self.add_relocation(place.section, place.offset + u64::from(reloc.slot) * 8, symbol, r_type)?;
            }
        }
        Ok(())
    }

    fn add_data_relocations(&mut self) -> Result<(), String> {
        let parts = self.parts;
        for (&symbol, place) in &parts.layout.places {
            let SymbolRef::Global(id) = symbol else { continue };
            for scalar in parts.module.globals[id.index()].init.iter().flat_map(|init| &init.scalars) {
                if let InitValue::Address { symbol, .. } = scalar.value {
                    self.add_relocation(place.section, place.offset + scalar.offset, symbol, R_BPF_64_ABS64)?;
                }
            }
        }
        Ok(())
    }
}

fn patch(insn: &mut Insn, immediate: i64) {
    match insn {
        Insn::LoadImm64 { value, .. } => *value = Imm64::Const(immediate as u64),
        Insn::Call(target) => *target = CallTarget::Local(immediate as i32),
        _ => {}
    }
}

fn elf_kind(kind: SectionKind) -> ElfKind {
    match kind {
        SectionKind::Code => ElfKind::Text,
        SectionKind::Data => ElfKind::Data,
        SectionKind::ReadOnly => ElfKind::ReadOnlyData,
        SectionKind::Zero => ElfKind::UninitializedData,
        SectionKind::Strings => ElfKind::ReadOnlyString,
    }
}

fn flags(kind: SectionKind) -> SectionFlags {
    let (sh_type, sh_flags) = match kind {
        SectionKind::Code => (elf::SHT_PROGBITS, elf::SHF_ALLOC | elf::SHF_EXECINSTR),
        SectionKind::Data => (elf::SHT_PROGBITS, elf::SHF_ALLOC | elf::SHF_WRITE),
        SectionKind::ReadOnly => (elf::SHT_PROGBITS, elf::SHF_ALLOC),
        SectionKind::Zero => (elf::SHT_NOBITS, elf::SHF_ALLOC | elf::SHF_WRITE),
        SectionKind::Strings => (elf::SHT_PROGBITS, elf::SHF_ALLOC | elf::SHF_MERGE | elf::SHF_STRINGS),
    };
    SectionFlags::Elf { sh_type, sh_flags }
}
