//! `.BTF` and `.BTF.ext` of all files as one.
//!
//! In: each file's types, where its sections went, and who defines what. Out: the two sections. A global
//! variable or function has one record, whose type is that of the file that defines it; sections list what
//! is in them by its final place; equal types are merged; records about code move with the code.

use std::collections::BTreeMap;

use skep_stdlib::btf::dedup::{Merged, dedup};
use skep_stdlib::btf::ext::{CoreRelo, Ext, ExtSection, FuncInfo, LineInfo};
use skep_stdlib::btf::{Btf, Builder, Linkage, SecVar, StrOff, Type, TypeId};
use skep_stdlib::elf::{BTF, BTF_EXT};

use super::elf::Elf;
use super::symbols::{EXTERN, Globals};
use super::{Unit, description};

/// Writes the two sections.
pub(super) fn merge(units: &[Unit<'_>], globals: &Globals, out: &mut Elf) {
    let mut all =
        All { types: Vec::new(), globals: BTreeMap::new(), sections: BTreeMap::new(), order: Vec::new() };
    let mut maps = Vec::new();
    for (index, unit) in units.iter().enumerate() {
        let map = match &unit.btf {
            Some(btf) => all.append(index, unit, btf, globals, out),
            None => Vec::new(),
        };
        maps.push(map);
    }
    if all.types.is_empty() {
        return;
    }
    all.list_sections(out);
    let merged = dedup(std::mem::take(&mut all.types));
    let mut builder = Builder::new(out.order);
    for ty in &merged.types {
        builder.add(ty);
    }
    let ext = extensions(units, &maps, &merged, out, &mut builder);
    out.sections.push(description(BTF, builder.finish()));
    if ext != Ext::default() {
        out.sections.push(description(BTF_EXT, ext.write(out.order)));
    }
}

/// Types of all files; that of index `n` has id `n + 1`.
struct All<'a> {
    types: Vec<Type<'a>>,
    /// The record of each global name.
    globals: BTreeMap<&'a str, TypeId>,
    /// What is in each section.
    sections: BTreeMap<&'a str, Vec<SecVar>>,
    /// Sections in the order in which they were met.
    order: Vec<&'a str>,
}

impl<'a> All<'a> {
    /// Appends the types of a file; says what became of each id.
    fn append(
        &mut self,
        index: usize,
        unit: &'a Unit<'_>,
        btf: &'a Btf,
        globals: &Globals,
        out: &Elf,
    ) -> Vec<Option<TypeId>> {
        let mut map = vec![None; btf.len() as usize + 1];
        map[0] = Some(TypeId::VOID);
        let mut added = Vec::new();
        let mut winners = Vec::new();
        for id in btf.ids() {
            let Some(ty) = btf.ty(id) else { continue };
            match &ty {
                Type::Datasec { .. } => continue,
                // What it is about was left out, if it is not still to come.
                Type::DeclTag { ty, .. }
                    if ty.index() < id.index() && map.get(ty.index()).copied().flatten().is_none() =>
                {
                    continue;
                }
                Type::Var { name, linkage, .. } | Type::Func { name, linkage, .. }
                    if *linkage != Linkage::Static =>
                {
                    // Names without a symbol are those of sections that were left out.
                    let Some(global) = globals.get(*name) else { continue };
                    if let Some(&known) = self.globals.get(name) {
                        map[id.index()] = Some(known);
                        if global.unit == index {
                            winners.push((known, ty));
                        }
                        continue;
                    }
                    self.globals.insert(name, TypeId(self.types.len() as u32 + 1));
                }
                _ => {}
            }
            self.types.push(ty);
            let new = TypeId(self.types.len() as u32);
            map[id.index()] = Some(new);
            added.push(new);
        }
        let new = |old: TypeId| map.get(old.index()).copied().flatten().unwrap_or_default();
        for id in added {
            let slot = &mut self.types[id.index() - 1];
            *slot = slot.clone().map_ids(&mut |old| new(old));
        }
        for (known, ty) in winners {
            self.settle(known, ty.map_ids(&mut |old| new(old)));
        }
        self.members(index, unit, btf, &map, globals, out);
        map
    }

    /// The record of a global becomes that of its definition, whose parameters have names.
    fn settle(&mut self, known: TypeId, winner: Type<'a>) {
        let proto = |ty: &Type<'a>| match ty {
            Type::Func { proto, .. } => Some(*proto),
            _ => None,
        };
        let old = std::mem::replace(&mut self.types[known.index() - 1], winner);
        let new = proto(&self.types[known.index() - 1]);
        if let Some((old, new)) = proto(&old).zip(new)
            && let Some(Type::FuncProto { params: named, .. }) =
                self.types.get(new.index().wrapping_sub(1)).cloned()
            && let Some(Type::FuncProto { params, .. }) = self.types.get_mut(old.index().wrapping_sub(1))
        {
            // Then the two look the same.
            for (param, named) in params.iter_mut().zip(named) {
                if param.name.is_empty() {
                    param.name = named.name;
                }
            }
        }
    }

    /// Appends what a file has in its sections.
    fn members(
        &mut self,
        index: usize,
        unit: &Unit<'_>,
        btf: &'a Btf,
        map: &[Option<TypeId>],
        globals: &Globals,
        out: &Elf,
    ) {
        for id in btf.ids() {
            let Some(Type::Datasec { name: section, vars, .. }) = btf.ty(id) else { continue };
            let own = unit.elf.sections.iter().position(|other| other.name == section);
            let base = match own.map(|own| unit.places[own]) {
                Some(Some((_, base))) => base as u32,
                Some(None) => continue,
                None => 0,
            };
            let list = self.sections.entry(section).or_insert_with(|| {
                self.order.push(section);
                Vec::new()
            });
            for var in vars {
                let Some(ty) = map.get(var.ty.index()).copied().flatten() else { continue };
                let global = match btf.ty(var.ty) {
                    Some(Type::Var { name, linkage, .. } | Type::Func { name, linkage, .. })
                        if linkage != Linkage::Static =>
                    {
                        globals.get(name)
                    }
                    _ => None,
                };
                let defined = global.filter(|global| global.defined);
                if section == EXTERN && defined.is_some() {
                    continue;
                }
                let offset = match (global, defined) {
                    (_, Some(global)) => out.symbols[global.symbol].value as u32,
                    (Some(_), None) => var.offset,
                    (None, None) => var.offset.saturating_add(base),
                };
                match list.iter_mut().find(|known| global.is_some() && known.ty == ty) {
                    // The definition knows best how large it is.
                    Some(known) if global.is_some_and(|global| global.unit == index) => known.size = var.size,
                    Some(_) => {}
                    None => list.push(SecVar { ty, offset, size: var.size }),
                }
            }
        }
    }

    /// A record for each section, after all other types.
    fn list_sections(&mut self, out: &Elf) {
        for name in std::mem::take(&mut self.order) {
            let Some(mut vars) = self.sections.remove(name) else { continue };
            if name == EXTERN && vars.is_empty() {
                continue;
            }
            vars.sort_by_key(|var| var.offset);
            let section = out.sections.iter().find(|section| section.name == name);
            let size = section.map_or(0, |section| section.size()) as u32;
            self.types.push(Type::Datasec { name, size, vars });
        }
    }
}

/// The records about code of all files, by the sections of the result.
fn extensions(
    units: &[Unit<'_>],
    maps: &[Vec<Option<TypeId>>],
    merged: &Merged<'_>,
    out: &Elf,
    builder: &mut Builder,
) -> Ext {
    let mut ext = Ext::default();
    for (index, section) in out.sections.iter().enumerate() {
        let (mut funcs, mut lines, mut relos) = (Vec::new(), Vec::new(), Vec::new());
        let parts: Vec<Part<'_>> =
            units.iter().zip(maps).filter_map(|(unit, map)| Part::of(unit, map, index)).collect();
        let ty = |part: &Part<'_>, old: TypeId| {
            merged.id(part.map.get(old.index()).copied().flatten().unwrap_or_default())
        };
        // One kind after the other, so that texts are stored in the same order however many files there are.
        for part in &parts {
            for record in of(&part.ext.funcs, part.btf, &section.name) {
                funcs.push(FuncInfo { insn_off: part.moved(record.insn_off), ty: ty(part, record.ty) });
            }
        }
        for part in &parts {
            for record in of(&part.ext.lines, part.btf, &section.name) {
                let (file, text) = (part.text(record.file), part.text(record.text));
                let (file, text) = (builder.string(file), builder.string(text));
                lines.push(LineInfo { insn_off: part.moved(record.insn_off), file, text, ..*record });
            }
        }
        for part in &parts {
            for record in of(&part.ext.relos, part.btf, &section.name) {
                let access = builder.string(part.text(record.access));
                let ty = ty(part, record.ty);
                relos.push(CoreRelo { insn_off: part.moved(record.insn_off), ty, access, ..*record });
            }
        }
        let name = builder.string(&section.name);
        ext.funcs.extend(listed(name, funcs));
        ext.lines.extend(listed(name, lines));
        ext.relos.extend(listed(name, relos));
    }
    ext
}

/// What a file contributed to a section.
struct Part<'a> {
    btf: &'a Btf,
    ext: &'a Ext,
    map: &'a [Option<TypeId>],
    base: u32,
}

impl<'a> Part<'a> {
    fn of(unit: &'a Unit<'_>, map: &'a [Option<TypeId>], section: usize) -> Option<Part<'a>> {
        let &(_, base) = unit.places.iter().flatten().find(|(place, _)| *place == section)?;
        Some(Part { btf: unit.btf.as_ref()?, ext: &unit.ext, map, base: base as u32 })
    }

    fn moved(&self, offset: u32) -> u32 {
        offset.saturating_add(self.base)
    }

    fn text(&self, at: StrOff) -> &'a str {
        self.btf.string(at).unwrap_or_default()
    }
}

/// The records of the section with this name.
fn of<'a, T>(sections: &'a [ExtSection<T>], btf: &'a Btf, name: &'a str) -> impl Iterator<Item = &'a T> {
    let named = sections.iter().filter(move |section| btf.string(section.name) == Some(name));
    named.flat_map(|section| &section.records)
}

fn listed<T>(name: StrOff, records: Vec<T>) -> Option<ExtSection<T>> {
    (!records.is_empty()).then_some(ExtSection { name, records })
}
