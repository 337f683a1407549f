//! The maps of an object: those declared in `.maps`, and one for each data section.
//!
//! In: sections, symbols, BTF. Out: [`MapDef`]s with the places in the file they stand for. A map
//! is a variable whose structure type spells its definition: `__uint(max_entries, 8)` is a member
//! of type `int (*)[8]`, `__type(key, T)` one of type `T *`. Sizes are those of the types.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use skep_stdlib::btf::{Btf, Composite, Member, SecVar, Type, TypeId};
use skep_stdlib::elf::ARENA;
use skep_stdlib::maps::MapType;

use super::elf::{Object, Section, SectionKind};
use super::{LoadError, MapDef, MapRole, Place};

/// The maps of an object and where they come from.
pub(super) struct Maps {
    pub defs: Vec<MapDef>,
    /// Declared maps: byte offset in `.maps`, bytes, index in `defs`.
    pub declared: Vec<(u64, u64, u32)>,
    /// Data sections: ELF section index, index in `defs`.
    pub data: Vec<(usize, u32)>,
    /// Where the `values` member of a map begins in `.maps`, with the map's index.
    pub values: Vec<(u64, u32)>,
}

/// Largest data section that is loaded.
const MAX_DATA: u64 = 64 << 20;

/// Finds all maps of `object`.
pub(super) fn collect(object: &Object, btf: Option<&Btf>) -> Result<Maps, LoadError> {
    let mut maps = Maps { defs: Vec::new(), declared: Vec::new(), data: Vec::new(), values: Vec::new() };
    for section in &object.sections {
        match section.name.as_str() {
            "maps" if section.size > 0 => {
                let why = "legacy map definitions (`SEC(\"maps\")`); declare maps with BTF in `.maps`";
                return Err(LoadError::unsupported(Place::Section { name: "maps".into(), offset: 0 }, why));
            }
            ".maps" if section.size > 0 => declared(section, btf, &mut maps)?,
            _ => {}
        }
    }
    for (index, section) in object.sections.iter().enumerate() {
        if section.name == ARENA && section.size > 0 {
            let map = arena_variables(object, section, &mut maps)?;
            maps.data.push((index, map));
        }
        let Some(role) = data_role(section) else { continue };
        if section.size == 0 {
            continue;
        }
        let def = data_map(object, section, role, btf)?;
        maps.data.push((index, maps.defs.len() as u32));
        maps.defs.push(def);
    }
    Ok(maps)
}

/// Whether a section becomes a map, and which kind.
fn data_role(section: &Section) -> Option<MapRole> {
    let is = |base: &str| {
        section.name.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    match section.kind {
        SectionKind::ProgBits if section.executable => None,
        SectionKind::ProgBits if is(".rodata") => Some(MapRole::Rodata),
        SectionKind::ProgBits if is(".data") => Some(MapRole::Data),
        SectionKind::NoBits if is(".bss") => Some(MapRole::Bss),
        SectionKind::ProgBits | SectionKind::NoBits | SectionKind::Other => None,
    }
}

/// `BPF_F_RDONLY_PROG`.
pub(super) const RDONLY_PROG: u32 = 1 << 7;

fn data_map(
    object: &Object,
    section: &Section,
    role: MapRole,
    btf: Option<&Btf>,
) -> Result<MapDef, LoadError> {
    let place = || Place::Section { name: section.name.clone(), offset: 0 };
    if section.size > MAX_DATA {
        return Err(LoadError::limit(place(), format!("{} bytes of data", section.size)));
    }
    let datasec = btf.and_then(|btf| btf.find(&section.name, skep_stdlib::btf::Kind::Datasec));
    let mut def = blank(section.name.clone(), role);
    def.ty = MapType::Array;
    def.key_size = 4;
    def.value_size = section.size as u32;
    def.max_entries = 1;
    def.btf_value = datasec.unwrap_or(TypeId::VOID);
    match role {
        MapRole::Rodata | MapRole::Kconfig => def.flags = RDONLY_PROG,
        MapRole::Data | MapRole::Bss | MapRole::Declared => {}
    }
    if role != MapRole::Bss {
        def.contents = object.bytes(section).to_vec();
    }
    Ok(def)
}

/// Puts the variables of an arena into the first pages of the object's arena, as libbpf does; the map's index.
fn arena_variables(object: &Object, section: &Section, maps: &mut Maps) -> Result<u32, LoadError> {
    let place = || Place::Section { name: section.name.clone(), offset: 0 };
    let Some(index) = maps.defs.iter().position(|def| def.ty == MapType::Arena) else {
        return Err(LoadError::malformed(place(), "variables of an arena, but no map is one"));
    };
    let def = &mut maps.defs[index];
    let room = u64::from(def.max_entries) * u64::from(PAGE);
    if section.size > room.min(MAX_DATA) {
        let why = format!("{} bytes of variables in an arena of {room}", section.size);
        return Err(LoadError::limit(place(), why));
    }
    def.contents = object.bytes(section).to_vec();
    Ok(index as u32)
}

/// Bytes of a page.
const PAGE: u32 = 4096;

/// The size that a ring buffer is given, as libbpf does it: the next one that the kernel takes.
fn ring_size(wanted: u32) -> u32 {
    match wanted.div_ceil(PAGE).checked_next_power_of_two().and_then(|pages| pages.checked_mul(PAGE)) {
        Some(size) if wanted != 0 => size,
        _ => wanted,
    }
}

/// A definition with nothing in it.
pub(super) fn blank(name: String, role: MapRole) -> MapDef {
    MapDef {
        name,
        role,
        ty: MapType::Array,
        key_size: 0,
        value_size: 0,
        max_entries: 0,
        flags: 0,
        extra: 0,
        pinning: 0,
        btf_key: TypeId::VOID,
        btf_value: TypeId::VOID,
        contents: Vec::new(),
        inner: None,
        slots: Vec::new(),
    }
}

fn declared(section: &Section, btf: Option<&Btf>, maps: &mut Maps) -> Result<(), LoadError> {
    let missing = |what: &str| {
        LoadError::unresolved(Place::Section { name: ".maps".into(), offset: 0 }, what.to_string())
    };
    let btf = btf.ok_or_else(|| missing("maps need BTF, and the object has none (compile with `-g`)"))?;
    let datasec = btf.ids().find_map(|id| match btf.ty(id) {
        Some(Type::Datasec { name: ".maps", vars, .. }) => Some(vars),
        _ => None,
    });
    let mut vars: Vec<SecVar> = datasec.ok_or_else(|| missing("BTF does not describe this section"))?;
    vars.sort_by_key(|var| var.offset);
    for var in vars {
        let Some(Type::Var { name, ty, .. }) = btf.ty(var.ty) else {
            return Err(missing("BTF lists something that is not a variable in this section"));
        };
        let place = Place::Map(name.to_string());
        if u64::from(var.offset) + u64::from(var.size) > section.size {
            return Err(LoadError::malformed(place, "lies outside of section `.maps`"));
        }
        let mut reader = Reader { btf, name, ty_given: false, values: None };
        let def = reader.definition(ty, false)?;
        let index = maps.defs.len() as u32;
        maps.declared.push((u64::from(var.offset), u64::from(var.size), index));
        if let Some(at) = reader.values {
            maps.values.push((u64::from(var.offset) + u64::from(at), index));
        }
        maps.defs.push(def);
    }
    Ok(())
}

/// Reads one definition.
struct Reader<'a> {
    btf: &'a Btf,
    name: &'a str,
    ty_given: bool,
    /// Byte offset of the `values` member.
    values: Option<u32>,
}

impl<'a> Reader<'a> {
    fn fail<T>(&self, message: impl Into<String>) -> Result<T, LoadError> {
        Err(LoadError::malformed(Place::Map(self.name.to_string()), message))
    }

    fn definition(&mut self, ty: TypeId, inner: bool) -> Result<MapDef, LoadError> {
        let resolved = self.btf.resolve(ty).and_then(|id| self.btf.ty(id));
        let Some(Type::Struct(Composite { members, .. })) = resolved else {
            return self.fail("is not a structure");
        };
        let mut def = blank(self.name.to_string(), MapRole::Declared);
        for member in members {
            self.member(&mut def, &member, inner)?;
        }
        if !self.ty_given {
            return self.fail("has no `type`");
        }
        let of_maps = matches!(def.ty, MapType::ArrayOfMaps | MapType::HashOfMaps);
        if of_maps || def.ty == MapType::ProgArray {
            def.value_size = 4;
        }
        if matches!(def.ty, MapType::Ringbuf | MapType::UserRingbuf) {
            def.max_entries = ring_size(def.max_entries);
        }
        Ok(def)
    }

    fn member(&mut self, def: &mut MapDef, member: &Member<'a>, inner: bool) -> Result<(), LoadError> {
        match member.name {
            "type" => {
                let number = self.number(member)?;
                let Some(ty) = MapType::from_number(number) else {
                    return self.fail(format!("no map type has number {number}"));
                };
                def.ty = ty;
                self.ty_given = true;
            }
            "max_entries" => def.max_entries = self.number(member)?,
            "map_flags" => def.flags = self.number(member)?,
            "map_extra" => def.extra = self.long_number(member)?,
            "pinning" => def.pinning = self.number(member)?,
            // Where memory is allocated makes no difference here.
            "numa_node" => {}
            "key_size" => {
                let size = self.number(member)?;
                def.key_size = self.agree(def.key_size, size, "key")?;
            }
            "value_size" => {
                let size = self.number(member)?;
                def.value_size = self.agree(def.value_size, size, "value")?;
            }
            "key" => {
                let (ty, size) = self.pointee(member)?;
                def.key_size = self.agree(def.key_size, size, "key")?;
                def.btf_key = ty;
            }
            "value" => {
                let (ty, size) = self.pointee(member)?;
                def.value_size = self.agree(def.value_size, size, "value")?;
                def.btf_value = ty;
            }
            "values" if inner => return self.fail("is an inner map and cannot have `values`"),
            "values" => self.slots(def, member)?,
            other => return self.fail(format!("has an unknown attribute `{other}`")),
        }
        Ok(())
    }

    /// A size may be given twice, by type and by number, but not differently.
    fn agree(&self, old: u32, new: u32, what: &str) -> Result<u32, LoadError> {
        if old != 0 && old != new {
            return self.fail(format!("says both {old} and {new} bytes for its {what}"));
        }
        Ok(new)
    }

    /// `__uint(name, N)`: a pointer to an array of N.
    fn number(&self, member: &Member<'_>) -> Result<u32, LoadError> {
        let array = self.strip(member.ty).and_then(|id| match self.btf.ty(id) {
            Some(Type::Ptr(target)) => self.strip(target),
            _ => None,
        });
        match array.and_then(|id| self.btf.ty(id)) {
            Some(Type::Array { count, .. }) => Ok(count),
            _ => self.fail(format!("attribute `{}` is not a number: use `__uint`", member.name)),
        }
    }

    /// `__ulong(name, N)`: an enumeration whose first constant is N; or as `__uint`.
    fn long_number(&self, member: &Member<'_>) -> Result<u64, LoadError> {
        match self.strip(member.ty).and_then(|id| self.btf.ty(id)) {
            Some(Type::Enum(enumeration)) => match enumeration.values.first() {
                Some(first) => Ok(first.value as u64),
                None => self.fail(format!("attribute `{}` has no value", member.name)),
            },
            _ => self.number(member).map(u64::from),
        }
    }

    fn strip(&self, id: TypeId) -> Option<TypeId> {
        self.btf.resolve(id)
    }

    /// `__type(name, T)`: T and its size.
    fn pointee(&self, member: &Member<'_>) -> Result<(TypeId, u32), LoadError> {
        let Some(Type::Ptr(target)) = self.strip(member.ty).and_then(|id| self.btf.ty(id)) else {
            return self.fail(format!("attribute `{}` is not a type: use `__type`", member.name));
        };
        match self.btf.size_of(target).and_then(|size| u32::try_from(size).ok()) {
            Some(size) => Ok((target, size)),
            None => self.fail(format!("the type of `{}` has no size", member.name)),
        }
    }

    /// `__array(values, T)`: an array of pointers to inner maps or programs.
    fn slots(&mut self, def: &mut MapDef, member: &Member<'_>) -> Result<(), LoadError> {
        let element = self.strip(member.ty).and_then(|id| match self.btf.ty(id) {
            Some(Type::Array { elem, .. }) => self.strip(elem),
            _ => None,
        });
        let target = element.and_then(|id| match self.btf.ty(id) {
            Some(Type::Ptr(target)) => self.strip(target),
            _ => None,
        });
        self.values = member.byte_offset();
        match target.and_then(|id| Some((id, self.btf.ty(id)?))) {
            Some((id, Type::Struct(_))) => {
                let mut reader = Reader { btf: self.btf, name: self.name, ty_given: false, values: None };
                def.inner = Some(Box::new(reader.definition(id, true)?));
                Ok(())
            }
            Some((_, Type::FuncProto { .. })) => Ok(()),
            _ => self.fail("`values` is neither an array of maps nor one of programs"),
        }
    }
}
