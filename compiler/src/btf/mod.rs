//! `.BTF` and `.BTF.ext` of the object.
//!
//! In: the typed program, the code, the layout. Out: the bytes of both sections. What is described
//! and in which order follows what clang emits, because loaders, linkers and skeleton generators
//! rely on it: the variables of `.maps`, the functions that are emitted, the external functions
//! they call, the remaining variables, the types that CO-RE relocations start from, one DATASEC
//! for each section with variables.

mod ext;
mod types;

use std::collections::BTreeMap;

use skep_stdlib::ByteOrder;
use skep_stdlib::btf::{self, Builder, SecVar, TypeId};
use skep_syntax::Session;

use crate::codegen::code::Code;
use crate::hir::{self, FuncId, GlobalId, Linkage, SymbolRef};
use crate::ir;
use crate::sections::{Layout, symbol_ref};

use types::TypeWriter;

/// What is described.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// Names, source text and positions.
    pub session: &'a Session<'a>,
    /// Types, functions, variables.
    pub module: &'a hir::Module,
    /// Symbols, CO-RE relocations and locations of the code.
    pub ir: &'a ir::Module,
    /// Instructions.
    pub code: &'a Code,
    /// Places.
    pub layout: &'a Layout,
    /// Path of the main file as it was given.
    pub main: &'a str,
    /// Byte order of the target.
    pub order: ByteOrder,
}

/// Name, bytes of `.BTF` and of `.BTF.ext`.
pub type Sections = [(&'static str, Vec<u8>); 2];

/// Writes both sections.
pub fn write(input: Input<'_>) -> Sections {
    let mut writer = Writer {
        input,
        types: TypeWriter::new(&input.module.types, &input.session.names, Builder::new(input.order)),
        ids: BTreeMap::new(),
        sections: BTreeMap::new(),
    };
    writer.add_variables(true);
    for func in &input.code.functions {
        if let SymbolRef::Func(id) = symbol_ref(&input.ir.symbols[func.symbol]) {
            writer.add_function(id);
        }
    }
    for &symbol in &input.layout.externs {
        match symbol {
            SymbolRef::Func(id) => writer.add_function(id),
            SymbolRef::Global(id) => writer.add_variable(id),
        }
    }
    writer.add_variables(false);
    let ext = ext::build(&input, &mut writer.types, &writer.ids);
    writer.add_datasecs();
    // libbpf refuses a `.BTF.ext` that says nothing.
    let says_nothing = ext.funcs.iter().all(|section| section.records.is_empty());
    let ext = if says_nothing { Vec::new() } else { ext.write(input.order) };
    [(".BTF", writer.types.finish()), (".BTF.ext", ext)]
}

struct Writer<'a> {
    input: Input<'a>,
    types: TypeWriter<'a>,
    /// The FUNC or VAR of each described symbol.
    ids: BTreeMap<SymbolRef, TypeId>,
    /// Variables by name of their section.
    sections: BTreeMap<String, Vec<SecVar>>,
}

impl Writer<'_> {
    /// Describes the placed variables: those of `.maps`, or all others.
    fn add_variables(&mut self, maps: bool) {
        for section in &self.input.layout.sections {
            if (section.name == ".maps") != maps {
                continue;
            }
            for &(symbol, _) in &section.members {
                if let SymbolRef::Global(id) = symbol {
                    self.add_variable(id);
                }
            }
        }
    }

    fn add_variable(&mut self, id: GlobalId) {
        let global = &self.input.module.globals[id.index()];
        let symbol = SymbolRef::Global(id);
        if global.literal || self.ids.contains_key(&symbol) {
            return;
        }
        let is_map = global.section.is_some_and(|name| self.input.session.names.name(name) == ".maps");
        let ty = if is_map { self.types.map_definition(global.ty) } else { self.types.full(global.ty) };
        // A static local is described by its source name, unless loaders would meet it twice.
        let var =
            self.types.add(&btf::Type::Var { name: &global.name, ty, linkage: linkage(global.linkage) });
        self.ids.insert(symbol, var);
        self.types.add_decl_tags(var, None, &global.decl_tags);
        self.join_section(symbol, var, global.section);
    }

    fn add_function(&mut self, id: FuncId) {
        let function = &self.input.module.functions[id.index()];
        let symbol = SymbolRef::Func(id);
        if self.ids.contains_key(&symbol) {
            return;
        }
        let proto = match &function.body {
            Some(body) => {
                let params = body.locals.iter().take(body.n_params as usize);
                // The parameters of a function that is only assembly have no names, as in clang.
                let name = |name| if function.naked { None } else { name };
                let params: Vec<_> = params.map(|local| (name(local.name), local.ty)).collect();
                self.types.prototype(function.ty, &params)
            }
            // What is only declared has no names of parameters, as any function type.
            None => self.types.full(self.input.module.types.canonical(function.ty)),
        };
        let name = self.input.session.names.name(function.name);
        let func = self.types.add(&btf::Type::Func { name, proto, linkage: linkage(function.linkage) });
        self.ids.insert(symbol, func);
        self.types.add_decl_tags(func, None, &function.decl_tags);
        for &(param, tag) in &function.param_tags {
            self.types.add_decl_tags(func, Some(param), &[tag]);
        }
        if function.body.is_none() {
            self.join_section(symbol, func, function.section);
        }
    }

    /// Notes a variable (or external function) for the DATASEC of its section.
    fn join_section(&mut self, symbol: SymbolRef, ty: TypeId, section: Option<skep_syntax::intern::Symbol>) {
        let layout = self.input.layout;
        let Some(place) = layout.places.get(&symbol) else {
            let Some(section) = section else { return };
            let name = self.input.session.names.name(section).to_owned();
            let size = match symbol {
                SymbolRef::Func(_) => 0,
                SymbolRef::Global(id) => {
                    let ty = self.input.module.globals[id.index()].ty;
                    // What has no type has an address all the same: a byte, as in clang.
                    self.input.module.types.layout(ty).map_or(1, |layout| layout.size as u32)
                }
            };
            self.sections.entry(name).or_default().push(SecVar { ty, offset: 0, size });
            return;
        };
        let is_static = match symbol {
            SymbolRef::Func(_) => false,
            SymbolRef::Global(id) => self.input.module.globals[id.index()].linkage == Linkage::Static,
        };
        // Loaders fill in the offsets of global variables from the symbol table.
        let offset = if is_static { place.offset as u32 } else { 0 };
        let name = layout.sections[place.section].name.clone();
        self.sections.entry(name).or_default().push(SecVar { ty, offset, size: place.size as u32 });
    }

    fn add_datasecs(&mut self) {
        for (name, vars) in std::mem::take(&mut self.sections) {
            self.types.add(&btf::Type::Datasec { name: &name, size: 0, vars });
        }
    }
}

fn linkage(linkage: Linkage) -> btf::Linkage {
    match linkage {
        Linkage::Static => btf::Linkage::Static,
        Linkage::Global | Linkage::Weak => btf::Linkage::Global,
        Linkage::Extern | Linkage::ExternWeak => btf::Linkage::Extern,
    }
}
