//! C skeletons: a header for programs that use libbpf, equal in use to `bpftool gen skeleton`.
//!
//! Before (an object with a map `hits`, a program `count` and `int limit;` in `.bss`) and after:
//!
//! ```text
//! struct x *skel = x__open();  skel->bss->limit = 5;  x__load(skel);  x__attach(skel);
//! bpf_map__fd(skel->maps.hits);  skel->links.count;  x__destroy(skel);
//! ```
//!
//! Named types of variables are not repeated: the program has them from a header that it shares with the
//! BPF side. The header is C and C++; the layout of each data section is asserted in it.

use std::fmt::Write;

use skep_runtime::object::{MapRole, OutlineMap};
use skep_stdlib::btf::{Btf, Type, print_c};
use skep_stdlib::maps::MapType;

use super::types::round_up;
use super::{Model, Slot, data_identifier, identifier, map_identifier, slot};

/// The header.
pub fn header(model: &Model<'_>) -> String {
    let template = |text: &str| text.replace("@NAME@", &model.name);
    let mut out = String::new();
    let guard = format!("__{}_SKEL_H__", model.name.to_uppercase());
    out.push_str("/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */\n");
    out.push_str("/* Written by skep; changes will be lost. */\n");
    let _ = writeln!(out, "#ifndef {guard}\n#define {guard}\n");
    out.push_str("#include <errno.h>\n#include <stdlib.h>\n#include <bpf/libbpf.h>\n\n");
    out.push_str("#define BPF_SKEL_SUPPORTS_MAP_AUTO_ATTACH 1\n\n");
    structure(model, &mut out);
    out.push_str(&template(FUNCTIONS).replace("@STRUCT_OPS@", &initial_values(model)));
    create(model, &mut out);
    elf_bytes(model, &mut out);
    out.push_str(&template(CXX_FUNCTIONS));
    asserts(model, &mut out);
    let _ = writeln!(out, "#endif /* {guard} */");
    out
}

/// Functions that are the same for every object.
const FUNCTIONS: &str = r"
static inline int @NAME@__create_skeleton(struct @NAME@ *obj);
static inline const void *@NAME@__elf_bytes(size_t *sz);

/* Frees everything; takes NULL too. */
static inline void @NAME@__destroy(struct @NAME@ *obj)
{
	if (obj) {
		bpf_object__destroy_skeleton(obj->skeleton);
		free(obj);
	}
}

/* Parses the object: its maps, programs and variables can be changed before they are loaded. */
static inline struct @NAME@ *@NAME@__open_opts(const struct bpf_object_open_opts *opts)
{
	struct @NAME@ *obj = (struct @NAME@ *)calloc(1, sizeof(*obj));
	int err = obj ? @NAME@__create_skeleton(obj) : -ENOMEM;

	if (!err)
		err = bpf_object__open_skeleton(obj->skeleton, opts);
	if (err) {
		@NAME@__destroy(obj);
		errno = -err;
		return NULL;
	}
@STRUCT_OPS@	return obj;
}

static inline struct @NAME@ *@NAME@__open(void)
{
	return @NAME@__open_opts(NULL);
}

/* Makes the maps, verifies and loads the programs. */
static inline int @NAME@__load(struct @NAME@ *obj)
{
	return bpf_object__load_skeleton(obj->skeleton);
}

static inline struct @NAME@ *@NAME@__open_and_load(void)
{
	struct @NAME@ *obj = @NAME@__open();
	int err = obj ? @NAME@__load(obj) : 0;

	if (err) {
		@NAME@__destroy(obj);
		errno = -err;
		return NULL;
	}
	return obj;
}

/* Attaches what says in its section where it goes. */
static inline int @NAME@__attach(struct @NAME@ *obj)
{
	return bpf_object__attach_skeleton(obj->skeleton);
}

static inline void @NAME@__detach(struct @NAME@ *obj)
{
	bpf_object__detach_skeleton(obj->skeleton);
}
";

/// The same as members, declared.
const CXX_DECLARATIONS: &str = r"
#ifdef __cplusplus
	static inline struct @NAME@ *open(const struct bpf_object_open_opts *opts = nullptr);
	static inline struct @NAME@ *open_and_load();
	static inline int load(struct @NAME@ *skel);
	static inline int attach(struct @NAME@ *skel);
	static inline void detach(struct @NAME@ *skel);
	static inline void destroy(struct @NAME@ *skel);
	static inline const void *elf_bytes(size_t *sz);
#endif /* __cplusplus */
";

/// And defined.
const CXX_FUNCTIONS: &str = r"
#ifdef __cplusplus
struct @NAME@ *@NAME@::open(const struct bpf_object_open_opts *opts) { return @NAME@__open_opts(opts); }
struct @NAME@ *@NAME@::open_and_load() { return @NAME@__open_and_load(); }
int @NAME@::load(struct @NAME@ *skel) { return @NAME@__load(skel); }
int @NAME@::attach(struct @NAME@ *skel) { return @NAME@__attach(skel); }
void @NAME@::detach(struct @NAME@ *skel) { @NAME@__detach(skel); }
void @NAME@::destroy(struct @NAME@ *skel) { @NAME@__destroy(skel); }
const void *@NAME@::elf_bytes(size_t *sz) { return @NAME@__elf_bytes(sz); }
#endif /* __cplusplus */
";

fn structure(model: &Model<'_>, out: &mut String) {
    let programs = || model.outline.programs.iter().map(|program| program.name.clone());
    let _ = writeln!(out, "struct {} {{", model.name);
    out.push_str("\tstruct bpf_object_skeleton *skeleton;\n\tstruct bpf_object *obj;\n");
    pointers("bpf_map", "maps", model.outline.maps.iter().map(map_identifier), out);
    if let Some(btf) = model.btf() {
        interfaces(model, btf, out);
    }
    pointers("bpf_program", "progs", programs(), out);
    pointers("bpf_link", "links", programs().chain(model.struct_ops().map(map_identifier)), out);
    if let Some(btf) = model.btf() {
        model.outline.maps.iter().filter(|map| map.mapped).for_each(|map| section(model, btf, map, out));
    }
    out.push_str(&CXX_DECLARATIONS.replace("@NAME@", &model.name));
    out.push_str("};\n");
}

/// A member that holds a pointer for each name; C has no empty structures, so none for no names.
fn pointers(target: &str, member: &str, names: impl Iterator<Item = String>, out: &mut String) {
    let lines: String = names.map(|name| format!("\t\tstruct {target} *{name};\n")).collect();
    if !lines.is_empty() {
        let _ = write!(out, "\tstruct {{\n{lines}\t}} {member};\n");
    }
}

/// The memory of a data section.
fn section(model: &Model<'_>, btf: &Btf, map: &OutlineMap, out: &mut String) {
    let section = data_identifier(map);
    let _ = writeln!(out, "\tstruct {}__{section} {{", model.name);
    let mut end = 0u32;
    let mut pads = 0;
    for variable in &map.variables {
        // Machines of 32 bits align nothing to more than 4 bytes; what others need besides is there by itself.
        let align = btf.align_of(variable.ty).clamp(1, 4);
        if round_up(end, align) != variable.offset && variable.offset > end {
            let _ = writeln!(out, "\t\tchar __pad{pads}[{}];", variable.offset - end);
            pads += 1;
        }
        let name = identifier(&variable.name);
        let declaration = match map.def.role {
            MapRole::Kconfig => print_c::declaration(btf, variable.ty, &name),
            _ => print_c::plain_declaration(btf, variable.ty, &name, 2),
        };
        let _ = writeln!(out, "\t\t{declaration};");
        end = variable.offset.saturating_add(variable.size);
    }
    let _ = writeln!(out, "\t}} *{section};");
}

/// What can be set in kernel interfaces before they are loaded.
fn interfaces(model: &Model<'_>, btf: &Btf, out: &mut String) {
    let mut all = String::new();
    for map in model.struct_ops() {
        let Some(Type::Struct(layout)) = btf.ty(map.def.btf_value) else { continue };
        let name = map_identifier(map);
        let _ = writeln!(all, "\t\tstruct {}__{name}__{} {{", model.name, identifier(layout.name));
        let mut end = 0;
        for (index, member) in layout.members.iter().enumerate() {
            let offset = member.bit_offset / 8;
            if end < offset {
                let _ = writeln!(all, "\t\t\tchar __padding_{index}[{}];", offset - end);
            }
            let size = btf.size_of(member.ty).unwrap_or(0) as u32;
            let text = match slot(btf, member.ty) {
                Slot::Program => format!("struct bpf_program *{}", member.name),
                Slot::Scalar => {
                    let scalar = btf.resolve(member.ty).unwrap_or(member.ty);
                    print_c::plain_declaration(btf, scalar, member.name, 3)
                }
                Slot::Opaque => format!("char __unsupported_{index}[{size}]"),
            };
            let _ = writeln!(all, "\t\t\t{text};");
            end = offset.saturating_add(size);
        }
        if end < layout.size {
            let _ = writeln!(all, "\t\t\tchar __padding_end[{}];", layout.size - end);
        }
        let _ = writeln!(all, "\t\t}} *{name};");
    }
    if !all.is_empty() {
        let _ = write!(out, "\tstruct {{\n{all}\t}} struct_ops;\n");
    }
}

/// Lets the members of `struct_ops` point to what libbpf will hand to the kernel.
fn initial_values(model: &Model<'_>) -> String {
    let line = |map: &OutlineMap| {
        let field = format!("obj->struct_ops.{}", map_identifier(map));
        let map = format!("obj->maps.{}", map_identifier(map));
        format!("\t{field} = (__typeof__({field}))bpf_map__initial_value({map}, NULL);\n")
    };
    model.struct_ops().map(line).collect()
}

/// The function that tells libbpf where everything goes.
fn create(model: &Model<'_>, out: &mut String) {
    let name = &model.name;
    let _ = write!(
        out,
        "\nstatic inline int {name}__create_skeleton(struct {name} *obj)\n{{\n\
         \tstruct bpf_object_skeleton *s = (struct bpf_object_skeleton *)calloc(1, sizeof(*s));\n\
         \tstruct bpf_map_skeleton *map __attribute__((unused));\n\
         \n\
         \tif (!s)\n\t\treturn -ENOMEM;\n\
         \ts->sz = sizeof(*s);\n\
         \ts->name = \"{name}\";\n\
         \ts->obj = &obj->obj;\n"
    );
    create_maps(model, out);
    let programs = &model.outline.programs;
    if !programs.is_empty() {
        let _ = write!(
            out,
            "\n\ts->prog_cnt = {};\n\ts->prog_skel_sz = sizeof(*s->progs);\n\
             \ts->progs = (struct bpf_prog_skeleton *)calloc(s->prog_cnt, s->prog_skel_sz);\n\
             \tif (!s->progs)\n\t\tgoto no_memory;\n",
            programs.len()
        );
        for (index, program) in programs.iter().enumerate() {
            let program = &program.name;
            let _ = write!(
                out,
                "\n\ts->progs[{index}].name = \"{program}\";\n\
                 \ts->progs[{index}].prog = &obj->progs.{program};\n\
                 \ts->progs[{index}].link = &obj->links.{program};\n"
            );
        }
    }
    let _ = write!(out, "\n\ts->data = {name}__elf_bytes(&s->data_sz);\n\tobj->skeleton = s;\n\treturn 0;\n");
    if !programs.is_empty() || !model.outline.maps.is_empty() {
        out.push_str("no_memory:\n\tbpf_object__destroy_skeleton(s);\n\treturn -ENOMEM;\n");
    }
    out.push_str("}\n");
}

fn create_maps(model: &Model<'_>, out: &mut String) {
    let maps = &model.outline.maps;
    if maps.is_empty() {
        return;
    }
    // Libraries before 1.5 know no links of maps and step by three pointers: the fourth is only asked for
    // where there is something to attach and the header has it.
    let three = "3 * sizeof(void *)";
    let step = match model.struct_ops().next() {
        Some(_) => format!("sizeof(*s->maps) > {three} ? 4 * sizeof(void *) : {three}"),
        None => three.to_owned(),
    };
    let _ = write!(
        out,
        "\n\ts->map_cnt = {};\n\ts->map_skel_sz = {step};\n\
         \ts->maps = (struct bpf_map_skeleton *)calloc(s->map_cnt,\n\
         \t\t\tsizeof(*s->maps) > (size_t)s->map_skel_sz ? sizeof(*s->maps) : (size_t)s->map_skel_sz);\n\
         \tif (!s->maps)\n\t\tgoto no_memory;\n",
        maps.len()
    );
    for (index, map) in maps.iter().enumerate() {
        let (name, field) = (model.map_name(map), map_identifier(map));
        let _ = write!(
            out,
            "\n\tmap = (struct bpf_map_skeleton *)((char *)s->maps + {index} * s->map_skel_sz);\n\
             \tmap->name = \"{name}\";\n\
             \tmap->map = &obj->maps.{field};\n"
        );
        if map.mapped {
            let _ = writeln!(out, "\tmap->mmaped = (void **)&obj->{};", data_identifier(map));
        }
        if map.def.ty == MapType::StructOps {
            let _ = write!(
                out,
                "\tif ((size_t)s->map_skel_sz > {three})\n\
                 \t\t((struct bpf_link ***)map)[3] = &obj->links.{field};\n"
            );
        }
    }
}

/// Bytes on a line of the object.
const BYTES_IN_LINE: usize = 24;

/// The object itself, as one string.
fn elf_bytes(model: &Model<'_>, out: &mut String) {
    let name = &model.name;
    let _ = write!(
        out,
        "\nstatic inline const void *{name}__elf_bytes(size_t *sz)\n{{\n\
         \tstatic const char data[] __attribute__((__aligned__(8))) =\n"
    );
    for line in model.object.chunks(BYTES_IN_LINE) {
        out.push_str("\t\t\"");
        for byte in line {
            // Three digits: what follows cannot be taken for a part of it.
            let _ = write!(out, "\\{byte:03o}");
        }
        out.push_str("\"\n");
    }
    out.push_str("\t;\n\n\t*sz = sizeof(data) - 1;\n\treturn (const void *)data;\n}\n");
}

/// Asserts that the C compiler of user space lays the sections out as the BPF side did.
fn asserts(model: &Model<'_>, out: &mut String) {
    let name = &model.name;
    let _ = write!(
        out,
        "\n__attribute__((unused)) static void {name}__assert(struct {name} *s __attribute__((unused)))\n{{\n\
         #ifdef __cplusplus\n#define _Static_assert static_assert\n#endif\n"
    );
    for map in model.outline.maps.iter().filter(|map| map.mapped) {
        let section = data_identifier(map);
        for variable in &map.variables {
            let (var, size) = (identifier(&variable.name), variable.size);
            let _ = writeln!(
                out,
                "\t_Static_assert(sizeof(s->{section}->{var}) == {size}, \"unexpected size of '{var}'\");"
            );
        }
    }
    out.push_str("#ifdef __cplusplus\n#undef _Static_assert\n#endif\n}\n\n");
}
