//! What an object offers to the program that loads it: maps, entry programs, variables.
//!
//! In: an object. Out: an [`Outline`], which is what skeletons are written from. Nothing is resolved
//! against a kernel and no code is looked at, so objects have an outline that could not be linked here.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use skep_stdlib::btf::{Btf, Linkage, Type, TypeId};
use skep_stdlib::elf::{ARENA, STRUCT_OPS, STRUCT_OPS_LINK, TEXT};
use skep_stdlib::maps::MapType;

use super::elf::{Home, Object, SymbolKind};
use super::{LoadError, MapDef, MapRole, Member, externs, maps};

/// What an object offers.
#[derive(Clone, Debug)]
pub struct Outline {
    /// The object's types, completed.
    pub btf: Option<Btf>,
    /// Maps in the order in which libbpf makes them.
    pub maps: Vec<OutlineMap>,
    /// Entry programs in file order.
    pub programs: Vec<Entry>,
}

/// A map.
#[derive(Clone, PartialEq, Debug)]
pub struct OutlineMap {
    /// Its definition. Of data sections, the name is the section's.
    pub def: MapDef,
    /// The variables in it that other files may see, by offset; of data sections and arenas.
    pub variables: Vec<Variable>,
    /// Whether user space can map its memory.
    pub mapped: bool,
}

/// A variable in a data section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Variable {
    /// Its name in C.
    pub name: String,
    /// Its type.
    pub ty: TypeId,
    /// Bytes from the start of the section.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
}

/// A program that can be loaded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Name of the C function.
    pub name: String,
    /// The section it is in.
    pub section: String,
}

impl Object {
    /// What the object offers.
    pub fn outline(&self) -> Result<Outline, LoadError> {
        let btf = self.btf()?;
        let mut found = Vec::new();
        for def in maps::collect(self, btf.as_ref())?.defs {
            let section = if def.ty == MapType::Arena { ARENA } else { &def.name };
            let is_data = def.role != MapRole::Declared || def.ty == MapType::Arena;
            let variables = match &btf {
                Some(btf) if is_data => self.variables(btf, section),
                _ => Vec::new(),
            };
            // An arena is mapped for what lies in it from the start; any other section for what is visible.
            let mapped = !variables.is_empty();
            found.push(OutlineMap { def, variables, mapped });
        }
        if let Some(btf) = &btf {
            if let Some((datasec, variables)) = externs::kconfig_variables(self, btf)?
                && let Some(last) = variables.last()
            {
                let mut def = maps::blank(skep_stdlib::elf::KCONFIG.to_string(), MapRole::Kconfig);
                def.value_size = last.offset + last.size;
                def.btf_value = datasec;
                found.push(OutlineMap { def, variables, mapped: true });
            }
            struct_ops(btf, &mut found);
        }
        Ok(Outline { maps: found, programs: self.entries(), btf })
    }

    /// Functions outside of `.text` that others see, in the order of sections and symbols.
    fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (index, section) in self.sections.iter().enumerate() {
            if !section.executable || section.name == TEXT {
                continue;
            }
            let here = self
                .symbols
                .iter()
                .filter(|symbol| symbol.home == Home::Section(index) && symbol.kind == SymbolKind::Function);
            entries.extend(
                here.map(|symbol| Entry { name: symbol.name.clone(), section: section.name.clone() }),
            );
        }
        entries
    }

    /// The member of a kernel interface that the program is put into.
    pub(super) fn implemented(&self, btf: &Btf, program: &str) -> Option<Member> {
        interface_sections().find_map(|name| {
            let section = self.sections.iter().find(|section| section.name == name)?;
            let is_program = |symbol: usize| self.symbols.get(symbol).is_some_and(|s| s.name == program);
            let offset = section.relocs.iter().find(|reloc| is_program(reloc.symbol))?.offset;
            section_vars(btf, &name).iter().find_map(|var| {
                let inside = u32::try_from(offset).ok()?.checked_sub(var.offset)?;
                let Some(Type::Var { ty, .. }) = btf.ty(var.ty) else { return None };
                let ty = btf.resolve(ty)?;
                let member = btf.members(ty).find(|member| member.byte_offset() == Some(inside))?;
                let inside = inside < var.size;
                inside.then(|| Member { structure: btf.name(ty).to_string(), name: member.name.to_string() })
            })
        })
    }

    /// The variables of a section that the loading program may see.
    fn variables(&self, btf: &Btf, section: &str) -> Vec<Variable> {
        let is_hidden = |name: &str| {
            let mut variables = self.symbols.iter().filter(|symbol| symbol.kind == SymbolKind::Variable);
            variables.any(|symbol| symbol.name == name && symbol.hidden)
        };
        let mut found: Vec<Variable> = Vec::new();
        for var in section_vars(btf, section) {
            let Some(Type::Var { name, ty, linkage }) = btf.ty(var.ty) else { continue };
            if linkage != Linkage::Static && !is_hidden(name) {
                found.push(Variable { name: name.to_owned(), ty, offset: var.offset, size: var.size });
            }
        }
        found.sort_by_key(|variable| variable.offset);
        found
    }
}

fn section_vars(btf: &Btf, section: &str) -> Vec<skep_stdlib::btf::SecVar> {
    let datasec = btf.ids().find_map(|id| match btf.ty(id) {
        Some(Type::Datasec { name, vars, .. }) if name == section => Some(vars),
        _ => None,
    });
    datasec.unwrap_or_default()
}

/// The sections of variables that are kernel interfaces.
fn interface_sections() -> impl Iterator<Item = String> {
    let sections = [STRUCT_OPS, STRUCT_OPS_LINK].into_iter();
    sections.flat_map(|name| [name.to_string(), alloc::format!("?{name}")])
}

/// Each variable of a section for kernel interfaces is a map of its own.
fn struct_ops(btf: &Btf, found: &mut Vec<OutlineMap>) {
    for section in interface_sections() {
        for var in section_vars(btf, &section) {
            let Some(Type::Var { name, ty, .. }) = btf.ty(var.ty) else { continue };
            let mut def = maps::blank(name.to_owned(), MapRole::Declared);
            def.ty = MapType::StructOps;
            def.key_size = 4;
            def.value_size = var.size;
            def.max_entries = 1;
            def.btf_value = btf.resolve(ty).unwrap_or(TypeId::VOID);
            found.push(OutlineMap { def, variables: Vec::new(), mapped: false });
        }
    }
}
