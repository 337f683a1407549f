//! Skeletons: what a program in user space includes to open, load and attach an object.
//!
//! In: an object's outline and its bytes. Out: source text in one of three languages. [`Model`] holds
//! what all of them say: the names of maps and programs as identifiers, and the data sections whose
//! variables can be read and written.

pub mod c;
pub mod go;
pub mod rust;
mod types;

use skep_runtime::object::{MapRole, Outline, OutlineMap};
use skep_stdlib::btf::{Btf, Type, TypeId};
use skep_stdlib::maps::MapType;

/// What a skeleton is written from.
pub struct Model<'a> {
    /// Name of the skeleton: an identifier.
    pub name: String,
    /// Maps, programs, types.
    pub outline: &'a Outline,
    /// The object file.
    pub object: &'a [u8],
}

impl<'a> Model<'a> {
    /// A skeleton called `name`, or after the file.
    pub fn new(name: Option<&str>, path: &str, outline: &'a Outline, object: &'a [u8]) -> Model<'a> {
        let file = path.rsplit('/').next().unwrap_or(path);
        let name = identifier(name.unwrap_or(file.strip_suffix(".o").unwrap_or(file)));
        Model { name, outline, object }
    }

    /// The types; maps and variables come from them, so without any there is nothing to ask about.
    pub fn btf(&self) -> Option<&'a Btf> {
        self.outline.btf.as_ref()
    }

    /// Maps that describe interfaces of the kernel.
    pub fn struct_ops(&self) -> impl Iterator<Item = &'a OutlineMap> + use<'a> {
        self.outline.maps.iter().filter(|map| map.def.ty == MapType::StructOps)
    }

    /// The name by which libbpf knows a map.
    pub fn map_name(&self, map: &OutlineMap) -> String {
        let section = &map.def.name;
        // What has a name of its own after `.data.` keeps it; the others get the object's in front, cut to
        // what the kernel takes.
        if map.def.role == MapRole::Declared || section.rfind('.') != Some(0) {
            return section.clone();
        }
        let room = 15usize.saturating_sub(section.len().max(7));
        let prefix: String = self.name.chars().take(room).collect();
        format!("{prefix}{section}")
    }
}

/// The name of a map in source text.
pub fn map_identifier(map: &OutlineMap) -> String {
    identifier(map.def.name.trim_start_matches('.'))
}

/// The name of the variables of a map in source text: of an arena, of a section.
pub fn data_identifier(map: &OutlineMap) -> String {
    if map.def.ty == MapType::Arena { "arena".into() } else { map_identifier(map) }
}

/// Anything as an identifier.
pub fn identifier(name: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut text: String = name.chars().map(fits).collect();
    if text.starts_with(|c: char| c.is_ascii_digit()) || text.is_empty() {
        text.insert(0, '_');
    }
    text
}

/// What a member of a kernel interface is to user space.
pub enum Slot {
    /// A function: a program can be put there.
    Program,
    /// A number that can be set before loading.
    Scalar,
    /// Anything else.
    Opaque,
}

/// Sorts a member of a kernel interface.
pub fn slot(btf: &Btf, ty: TypeId) -> Slot {
    let resolved = |id| btf.resolve(id).and_then(|id| btf.ty(id));
    match resolved(ty) {
        Some(Type::Int { .. } | Type::Float { .. } | Type::Enum(_)) => Slot::Scalar,
        Some(Type::Ptr(target)) if matches!(resolved(target), Some(Type::FuncProto { .. })) => Slot::Program,
        _ => Slot::Opaque,
    }
}
