//! Rust skeletons: a module for programs that use the crate `libbpf-rs`, used like what libbpf-cargo writes.
//!
//! ```text
//! let mut place = MaybeUninit::uninit();
//! let mut open = CounterSkelBuilder::default().open(&mut place)?;
//! open.maps.rodata_data.as_deref_mut().unwrap().step = 5;
//! let mut skel = open.load()?;
//! skel.attach()?;
//! ```
//!
//! Only the public interface of `libbpf-rs` is used, so that a skeleton does not belong to one version of
//! it. Types are declared as far as variables, keys and values of maps need them; each asserts its size.

use std::fmt::Write;

use skep_runtime::object::{MapRole, OutlineMap};
use skep_stdlib::btf::{Btf, Composite, Enumeration, Member, Type, TypeId};
use skep_stdlib::maps::MapType;

use super::types::{Declared, Gaps, Piece, align_of, pieces, resolved, round_up};
use super::{Model, data_identifier, identifier, map_identifier};

/// The module.
pub fn module(model: &Model<'_>) -> String {
    let camel = camel(&model.name);
    let mut out = template(TOP, &camel, &model.name);
    lists(model, &camel, &mut out);
    attach(model, &camel, &mut out);
    out.push_str("    /// Types of variables, keys and values.\n    pub mod types {\n");
    if let Some(btf) = model.btf() {
        types(model, btf, &mut out);
    }
    out.push_str("    }\n\n");
    bytes(model, &mut out);
    out.push_str("}\n");
    out
}

fn template(text: &str, camel: &str, name: &str) -> String {
    text.replace("@Name@", camel).replace("@NAME@", name)
}

/// `my_prog` as `MyProg`.
fn camel(name: &str) -> String {
    let word = |word: &str| {
        let mut chars = word.chars();
        chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
    };
    name.split('_').map(word).collect()
}

/// What is the same for every object.
const TOP: &str = include_str!("rust.template");

/// The structures of maps, programs and links, and how they are filled.
fn lists(model: &Model<'_>, camel: &str, out: &mut String) {
    let maps = &model.outline.maps;
    for (open, map_type) in [("Open", "OpenMapMut"), ("", "MapMut")] {
        let object = if open.is_empty() { "Object" } else { "OpenObject" };
        let _ = writeln!(out, "    /// The maps.\n    pub struct {open}{camel}Maps<'obj> {{");
        for map in maps {
            let _ = writeln!(out, "        pub {}: libbpf_rs::{map_type}<'obj>,", name(&map_identifier(map)));
            if map.mapped {
                let section = data_identifier(map);
                let access = if is_constant(map) && open.is_empty() { "" } else { "mut " };
                let _ = writeln!(
                    out,
                    "        pub {section}_data: Option<&'obj {access}types::{}>,",
                    name(&section)
                );
            }
        }
        let _ = write!(
            out,
            "        _object: PhantomData<&'obj ()>,\n    }}\n\n\
             \x20   impl<'obj> {open}{camel}Maps<'obj> {{\n\
             \x20       fn new(object: &'obj mut libbpf_rs::{object}) -> libbpf_rs::Result<Self> {{\n"
        );
        out.push_str("            let raw = object.as_libbpf_object();\n");
        for map in maps {
            let _ = writeln!(out, "            let mut map_{} = None;", map_identifier(map));
        }
        out.push_str("            for map in object.maps_mut() {\n");
        out.push_str("                match map.name().to_str().unwrap_or_default() {\n");
        for map in maps {
            let field = map_identifier(map);
            let _ =
                writeln!(out, "                    \"{}\" => map_{field} = Some(map),", model.map_name(map));
        }
        out.push_str(
            "                    _ => {}\n                }\n            }\n            Ok(Self {\n",
        );
        for map in maps {
            let field = map_identifier(map);
            if map.mapped {
                let access = if is_constant(map) && open.is_empty() { "constants" } else { "variables" };
                let _ = writeln!(
                    out,
                    "                {}_data: {access}(raw, c\"{}\"),",
                    data_identifier(map),
                    model.map_name(map)
                );
            }
            let _ = writeln!(out, "                {}: map_{field}.ok_or_else(missing)?,", name(&field));
        }
        out.push_str("                _object: PhantomData,\n            })\n        }\n    }\n\n");
        programs(model, camel, open, object, out);
    }
    let _ = writeln!(
        out,
        "    /// What is attached; dropping a link detaches.\n    #[derive(Default)]\n    pub struct {camel}Links {{"
    );
    let links = model.outline.programs.iter().map(|program| program.name.clone());
    for link in links.chain(model.struct_ops().map(map_identifier)) {
        let _ = writeln!(out, "        pub {}: Option<libbpf_rs::Link>,", name(&link));
    }
    out.push_str("    }\n\n");
}

/// Frozen when loaded.
fn is_constant(map: &OutlineMap) -> bool {
    matches!(map.def.role, MapRole::Rodata | MapRole::Kconfig)
}

fn programs(model: &Model<'_>, camel: &str, open: &str, object: &str, out: &mut String) {
    let programs = || model.outline.programs.iter().map(|program| program.name.as_str());
    let program_type = if open.is_empty() { "ProgramMut" } else { "OpenProgramMut" };
    let _ = writeln!(out, "    /// The programs.\n    pub struct {open}{camel}Progs<'obj> {{");
    for program in programs() {
        let _ = writeln!(out, "        pub {}: libbpf_rs::{program_type}<'obj>,", name(program));
    }
    let _ = write!(
        out,
        "        _object: PhantomData<&'obj ()>,\n    }}\n\n\
         \x20   impl<'obj> {open}{camel}Progs<'obj> {{\n\
         \x20       fn new(object: &'obj mut libbpf_rs::{object}) -> libbpf_rs::Result<Self> {{\n"
    );
    for program in programs() {
        let _ = writeln!(out, "            let mut prog_{program} = None;");
    }
    out.push_str("            for prog in object.progs_mut() {\n");
    out.push_str("                match prog.name().to_str().unwrap_or_default() {\n");
    for program in programs() {
        let _ = writeln!(out, "                    \"{program}\" => prog_{program} = Some(prog),");
    }
    out.push_str("                    _ => {}\n                }\n            }\n            Ok(Self {\n");
    for program in programs() {
        let _ = writeln!(out, "                {}: prog_{program}.ok_or_else(missing)?,", name(program));
    }
    out.push_str("                _object: PhantomData,\n            })\n        }\n    }\n\n");
}

/// Programs attach where their sections say, as libbpf's skeletons do it.
fn attach(model: &Model<'_>, camel: &str, out: &mut String) {
    let _ = write!(
        out,
        "    impl<'obj> Skel<'obj> for {camel}Skel<'obj> {{\n\
         \x20       fn object(&self) -> &libbpf_rs::Object {{\n            self.obj.get()\n        }}\n\n\
         \x20       fn object_mut(&mut self) -> &mut libbpf_rs::Object {{\n            self.obj.get_mut()\n        }}\n\n\
         \x20       fn attach(&mut self) -> libbpf_rs::Result<()> {{\n"
    );
    for program in &model.outline.programs {
        let program = name(&program.name);
        let _ = writeln!(out, "            attach(&mut self.progs.{program}, &mut self.links.{program})?;");
    }
    for map in model.struct_ops() {
        let map = name(&map_identifier(map));
        let _ = write!(
            out,
            "            if self.links.{map}.is_none() {{\n\
             \x20               self.links.{map} = Some(self.maps.{map}.attach_struct_ops()?);\n            }}\n"
        );
    }
    out.push_str("            Ok(())\n        }\n    }\n\n");
}

fn types(model: &Model<'_>, btf: &Btf, out: &mut String) {
    let sections = || model.outline.maps.iter().filter(|map| map.mapped);
    let variables = sections().flat_map(|map| map.variables.iter().map(|variable| variable.ty));
    let of_maps = model.outline.maps.iter().filter(|map| map.def.ty != MapType::StructOps && !map.mapped);
    let roots = variables.chain(of_maps.flat_map(|map| [map.def.btf_key, map.def.btf_value]));
    let taken: Vec<String> = sections().map(data_identifier).collect();
    let declared = Declared::new(btf, roots, &taken, name);
    let printer = Printer { declared: &declared, out };
    printer.all(sections());
}

struct Printer<'a, 'o> {
    declared: &'a Declared<'a>,
    out: &'o mut String,
}

impl<'a> Printer<'a, '_> {
    fn all(mut self, sections: impl Iterator<Item = &'a OutlineMap>) {
        let declared = self.declared;
        for &id in &declared.order {
            let tag = declared.name(id).unwrap_or_default();
            match declared.btf.ty(id) {
                Some(Type::Struct(layout)) => self.structure(tag, &layout),
                Some(Type::Union(layout)) => self.union(tag, &layout),
                Some(Type::Enum(enumeration)) => self.enumeration(tag, &enumeration),
                _ => {}
            }
        }
        for map in sections {
            let member = |variable: &'a skep_runtime::object::Variable| Member {
                name: &variable.name,
                ty: variable.ty,
                bit_offset: variable.offset.saturating_mul(8),
                bit_size: None,
            };
            let members: Vec<Member<'_>> = map.variables.iter().map(member).collect();
            let end = map.variables.last().map_or(0, |last| last.offset.saturating_add(last.size));
            let align = members.iter().map(|member| align_of(declared.btf, member.ty, 0)).max().unwrap_or(1);
            let layout = Composite { name: "", size: round_up(end, align), members };
            self.structure(&name(&data_identifier(map)), &layout);
        }
    }

    fn structure(&mut self, tag: &str, layout: &Composite<'_>) {
        let btf = self.declared.btf;
        let found = pieces(btf, layout, Gaps::Unnatural, &|member| align_of(btf, member, 0));
        self.head("struct", tag, found.packed);
        let mut gaps = 0;
        for piece in &found.list {
            let line = match piece {
                Piece::Member(member) => format!("pub {}: {}", self.field(member), self.spell(member.ty, 0)),
                Piece::Gap(bytes) => {
                    gaps += 1;
                    format!("pub __pad{}: [u8; {bytes}]", gaps - 1)
                }
            };
            let _ = writeln!(self.out, "            {line},");
        }
        self.tail(tag, layout.size);
    }

    fn union(&mut self, tag: &str, layout: &Composite<'_>) {
        let align = layout.members.iter().map(|member| align_of(self.declared.btf, member.ty, 0)).max();
        self.head("union", tag, !layout.size.is_multiple_of(align.unwrap_or(1).max(1)));
        for member in layout.members.iter().filter(|member| member.bit_size.is_none()) {
            let line = format!("pub {}: {}", self.field(member), self.spell(member.ty, 0));
            let _ = writeln!(self.out, "            {line},");
        }
        let _ = writeln!(self.out, "            pub __bytes: [u8; {}],", layout.size);
        self.tail(tag, layout.size);
    }

    fn head(&mut self, keyword: &str, tag: &str, packed: bool) {
        let packed = if packed { ", packed" } else { "" };
        let _ = writeln!(
            self.out,
            "        #[derive(Clone, Copy)]\n        #[repr(C{packed})]\n        pub {keyword} {tag} {{"
        );
    }

    fn tail(&mut self, tag: &str, size: u32) {
        let _ = write!(
            self.out,
            "        }}\n        const _: () = assert!(std::mem::size_of::<{tag}>() == {size});\n\
             \x20       impl Default for {tag} {{\n            fn default() -> Self {{\n\
             \x20               super::zero()\n            }}\n        }}\n\n"
        );
    }

    /// A number with names for values: others may occur, which an `enum` of Rust must not hold.
    fn enumeration(&mut self, tag: &str, enumeration: &Enumeration<'_>) {
        let number = integer(enumeration.size, enumeration.signed);
        let _ = write!(
            self.out,
            "        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]\n        #[repr(transparent)]\n\
             \x20       pub struct {tag}(pub {number});\n        impl {tag} {{\n"
        );
        for value in &enumeration.values {
            let shown =
                if enumeration.signed { i128::from(value.value) } else { i128::from(value.value as u64) };
            let _ = writeln!(self.out, "            pub const {}: Self = Self({shown});", name(value.name));
        }
        self.out.push_str("        }\n\n");
    }

    fn field(&self, member: &Member<'_>) -> String {
        if !member.name.is_empty() {
            return name(member.name);
        }
        let (id, _) = resolved(self.declared.btf, member.ty);
        self.declared.name(id).unwrap_or("__anon").to_owned()
    }

    fn spell(&self, ty: TypeId, depth: u32) -> String {
        let void = || "std::ffi::c_void".to_owned();
        if depth > 64 {
            return void();
        }
        match resolved(self.declared.btf, ty) {
            (_, Some(Type::Int { encoding, size: 1, .. })) if encoding.is_bool() => "bool".into(),
            (_, Some(Type::Int { encoding, size, .. })) => integer(size, encoding.is_signed()),
            (_, Some(Type::Float { size: 4, .. })) => "f32".into(),
            (_, Some(Type::Float { size: 8, .. })) => "f64".into(),
            (_, Some(Type::Float { size, .. })) => format!("[u8; {size}]"),
            (_, Some(Type::Array { elem, count, .. })) => {
                format!("[{}; {count}]", self.spell(elem, depth + 1))
            }
            (_, Some(Type::Ptr(target))) => format!("*mut {}", self.spell(target, depth + 1)),
            (id, Some(Type::Struct(_) | Type::Union(_) | Type::Enum(_))) => {
                self.declared.name(id).map_or_else(void, String::from)
            }
            // `void`, functions, structures whose body is not here.
            _ => void(),
        }
    }
}

fn integer(bytes: u32, signed: bool) -> String {
    format!("{}{}", if signed { 'i' } else { 'u' }, bytes * 8)
}

/// Words that are no names in Rust.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait",
    "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// A name of C as one of Rust.
fn name(text: &str) -> String {
    let text = identifier(text);
    if KEYWORDS.contains(&text.as_str()) {
        return format!("r#{text}");
    }
    match text.as_str() {
        "self" | "Self" | "super" | "crate" | "_" => text + "_",
        _ => text,
    }
}

/// Bytes on a line of the object.
const BYTES_IN_LINE: usize = 24;

fn bytes(model: &Model<'_>, out: &mut String) {
    out.push_str("    /// Readers of ELF files want them aligned.\n    #[repr(C, align(8))]\n");
    out.push_str("    struct Aligned<T: ?Sized>(T);\n\n");
    let _ = writeln!(out, "    static DATA: &Aligned<[u8; {}]> = &Aligned(*b\"\\", model.object.len());
    for line in model.object.chunks(BYTES_IN_LINE) {
        for byte in line {
            let _ = write!(out, "\\x{byte:02x}");
        }
        out.push_str("\\\n");
    }
    out.push_str("\");\n");
}
