//! Where everything goes: functions and variables to sections and offsets.
//!
//! In: the typed program, the IR's symbols and the code that survived. Out: a [`Layout`] that the
//! BTF writer and the object writer share, so that the two cannot disagree about an offset.
//!
//! A variable is emitted when another object may name it, when it is marked `used`, or when
//! emitted code or data refers to it. Sections appear in order of their first member, after
//! `.text`, which is always there.

use std::collections::{BTreeMap, BTreeSet};

use skep_syntax::intern::Interner;

use crate::codegen::code::Code;
use crate::hir::{self, FuncId, GlobalId, InitValue, Linkage, SymbolRef};
use crate::ir;

/// Kinds of sections.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SectionKind {
    /// Instructions.
    Code,
    /// Variables with bytes that the program may change.
    Data,
    /// Variables that never change.
    ReadOnly,
    /// Variables that start as zero: no bytes in the file.
    Zero,
    /// String literals, which a linker may merge.
    Strings,
}

/// One section.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: SectionKind,
    /// Alignment in bytes.
    pub align: u64,
    /// Size in bytes.
    pub size: u64,
    /// Members in order of their offset.
    pub members: Vec<(SymbolRef, u64)>,
}

/// The place of a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placement {
    /// Index into [`Layout::sections`].
    pub section: usize,
    /// Bytes from the start of the section.
    pub offset: u64,
    /// Size in bytes.
    pub size: u64,
}

/// Sections, placements, and what is referred to but defined elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Sections in order of the object.
    pub sections: Vec<Section>,
    /// Defined symbols that are emitted.
    pub places: BTreeMap<SymbolRef, Placement>,
    /// Symbols without a definition here that emitted code or data refers to.
    pub externs: BTreeSet<SymbolRef>,
}

/// The symbol of the typed program that an IR symbol stands for.
pub fn symbol_ref(symbol: &ir::Symbol) -> SymbolRef {
    match symbol.kind {
        ir::SymbolKind::Func(_) => SymbolRef::Func(FuncId(symbol.origin)),
        ir::SymbolKind::Data(_) => SymbolRef::Global(GlobalId(symbol.origin)),
    }
}

/// Lays out what `code` needs.
pub fn lay_out(module: &hir::Module, ir: &ir::Module, code: &Code, names: &Interner) -> Layout {
    let mut builder = Builder { module, names, layout: Layout::default(), index: BTreeMap::new() };
    builder.section(".text", SectionKind::Code);
    for func in &code.functions {
        let symbol = symbol_ref(&ir.symbols[func.symbol]);
        let SymbolRef::Func(id) = symbol else { continue };
        let name = module.functions[id.index()].section.map_or(".text", |name| names.name(name));
        let slots: usize = func.insns.iter().map(|insn| insn.slots()).sum();
        let section = builder.section(name, SectionKind::Code);
        builder.place(symbol, section, slots as u64 * 8, 8);
    }
    builder.place_expected(ir);
    let relocs = code.functions.iter().flat_map(|func| &func.relocs);
    let named = relocs.map(|reloc| symbol_ref(&ir.symbols[reloc.symbol]));
    // Assembly may name more.
    for symbol in emitted_globals(module, named, ir) {
        match symbol {
            _ if builder.layout.places.contains_key(&symbol) => {}
            SymbolRef::Global(id) if module.globals[id.index()].is_defined() => builder.place_global(id),
            _ => {
                builder.layout.externs.insert(symbol);
            }
        }
    }
    builder.layout
}

/// Tells the variables where they will lie in memory that they share with others: [`lay_out`] puts them there.
pub fn place_variables(module: &hir::Module, ir: &mut ir::Module, names: &Interner) {
    let mut builder = Builder { module, names, layout: Layout::default(), index: BTreeMap::new() };
    builder.place_expected(ir);
    for symbol in ir.symbols.values_mut() {
        let origin = symbol_ref(symbol);
        let SymbolRef::Global(id) = origin else { continue };
        // Another definition may take the place of a weak one.
        if let Some(place) = builder.layout.places.get(&origin)
            && is_shared(&builder.layout.sections[place.section].name)
            && module.globals[id.index()].linkage != Linkage::Weak
            && let ir::SymbolKind::Data(data) = &mut symbol.kind
        {
            data.place = Some(ir::DataPlace { region: place.section as u32, offset: place.offset });
        }
    }
}

/// Do loaders make one value of one map of the section?
fn is_shared(section: &str) -> bool {
    [".data", ".rodata", ".bss"]
        .iter()
        .any(|name| section.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// Symbols that code, which names these, and emitted variables refer to, and the variables that are emitted
/// anyway, in the order in which they lie in the object.
fn emitted_globals(
    module: &hir::Module,
    named: impl Iterator<Item = SymbolRef>,
    ir: &ir::Module,
) -> Vec<SymbolRef> {
    let mut emitted = BTreeSet::new();
    let mut work: Vec<SymbolRef> = Vec::new();
    for (index, global) in module.globals.iter().enumerate() {
        let visible = matches!(global.linkage, Linkage::Global | Linkage::Weak);
        if global.is_defined() && (visible || global.used) {
            work.push(SymbolRef::Global(GlobalId(index as u32)));
        }
    }
    work.extend(named);
    while let Some(symbol) = work.pop() {
        if !emitted.insert(symbol) {
            continue;
        }
        let SymbolRef::Global(id) = symbol else { continue };
        for scalar in module.globals[id.index()].init.iter().flat_map(|init| &init.scalars) {
            if let InitValue::Address { symbol, .. } = scalar.value {
                work.push(symbol);
            }
        }
    }
    let mut position = BTreeMap::new();
    for (index, &symbol) in ir.order.iter().enumerate() {
        position.insert(symbol_ref(&ir.symbols[symbol]), index);
    }
    let mut emitted: Vec<SymbolRef> = emitted.into_iter().collect();
    emitted.sort_by_key(|symbol| position.get(symbol).copied().unwrap_or(usize::MAX));
    emitted
}

struct Builder<'a> {
    module: &'a hir::Module,
    names: &'a Interner,
    layout: Layout,
    index: BTreeMap<String, usize>,
}

impl Builder<'_> {
    /// The section of this name, made with this kind when it is new.
    fn section(&mut self, name: &str, kind: SectionKind) -> usize {
        if let Some(&index) = self.index.get(name) {
            return index;
        }
        let index = self.layout.sections.len();
        let align = if kind == SectionKind::Code { 8 } else { 1 };
        self.layout.sections.push(Section { name: name.into(), kind, align, size: 0, members: Vec::new() });
        self.index.insert(name.into(), index);
        index
    }

    fn place(&mut self, symbol: SymbolRef, section: usize, size: u64, align: u64) {
        let target = &mut self.layout.sections[section];
        let offset = target.size.next_multiple_of(align.max(1));
        target.size = offset + size;
        target.align = target.align.max(align);
        target.members.push((symbol, offset));
        self.layout.places.insert(symbol, Placement { section, offset, size });
    }

    /// Places the variables that are emitted because the IR names them, or anyway.
    fn place_expected(&mut self, ir: &ir::Module) {
        let named = ir.functions.iter().flat_map(ir::Function::named);
        let named = named.map(|symbol| symbol_ref(&ir.symbols[symbol]));
        for symbol in emitted_globals(self.module, named, ir) {
            if let SymbolRef::Global(id) = symbol
                && self.module.globals[id.index()].is_defined()
            {
                self.place_global(id);
            }
        }
    }

    fn place_global(&mut self, id: GlobalId) {
        let global = &self.module.globals[id.index()];
        // A flexible array member makes the variable larger than its type.
        let size = self.module.types.layout(global.ty).map_or(0, |layout| layout.size);
        let size = global.init.as_ref().map_or(size, |init| size.max(init.size()));
        let kind = section_kind(global);
        let section = match global.section {
            Some(name) => {
                let name = self.names.name(name);
                let kind = if name == ".bss" || name.starts_with(".bss.") { SectionKind::Zero } else { kind };
                // A named section has bytes even when they are all zero.
                let kind = if kind == SectionKind::Zero && !name.starts_with(".bss") {
                    SectionKind::Data
                } else {
                    kind
                };
                self.section(name, kind)
            }
            None => match self.module.types.address_space(global.ty) {
                0 => self.section(default_section(kind), kind),
                space => self.section(&format!(".addr_space.{space}"), SectionKind::Data),
            },
        };
        self.place(SymbolRef::Global(id), section, size, global.align.into());
    }
}

fn section_kind(global: &hir::Global) -> SectionKind {
    if global.literal {
        SectionKind::Strings
    } else if global.constant {
        SectionKind::ReadOnly
    } else if global.init.as_ref().is_none_or(|init| init.is_zero()) {
        SectionKind::Zero
    } else {
        SectionKind::Data
    }
}

fn default_section(kind: SectionKind) -> &'static str {
    match kind {
        SectionKind::Code => ".text",
        SectionKind::Data => ".data",
        SectionKind::ReadOnly => ".rodata",
        SectionKind::Zero => ".bss",
        SectionKind::Strings => ".rodata.str1.1",
    }
}
