//! CO-RE: the access strings of our relocations are those that clang writes.

use std::collections::BTreeSet;
use std::path::Path;

use skep_stdlib::btf::Btf;
use skep_stdlib::btf::ext::Ext;
use skep_tests::tools::{Need, check};

use super::layout::section;
use super::{analyse, clang, options, scratch, selftests, skipped, vmlinux};

/// Kind, type, access string.
type Access = (u32, String, String);

fn theirs(options: &skep_syntax::pp::Options, file: &Path, object: &Path) -> BTreeSet<Access> {
    let out = clang(options, &["-c", "-o", &object.display().to_string()], file);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let elf = std::fs::read(object).expect("clang wrote it");
    let btf = Btf::parse(section(&elf, ".BTF").expect("there is BTF")).expect("BTF is well formed");
    let ext = section(&elf, ".BTF.ext").expect("there is BTF.ext");
    let ext = Ext::parse(&ext).expect("BTF.ext is well formed");
    let relos = ext.relos.iter().flat_map(|section| &section.records);
    relos
        .map(|relo| {
            let access = btf.string(relo.access).unwrap_or_default().to_owned();
            (relo.kind as u32, btf.name(relo.ty).to_owned(), access)
        })
        .collect()
}

fn ours(options: &skep_syntax::pp::Options, file: &Path) -> BTreeSet<Access> {
    let analysed = analyse(options, &file.display().to_string());
    assert!(!analysed.session.diags.has_errors(), "{}", analysed.short());
    let types = &analysed.module.types;
    let name = |symbol| analysed.session.names.name(symbol).to_owned();
    // A path that was closed and opened again leaves an entry that nothing uses.
    let text = skep_compiler::hir::print(&analysed.module, &analysed.session.names);
    let number = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok());
    let used: BTreeSet<usize> = text
        .lines()
        .filter(|line| !line.starts_with("core#"))
        .flat_map(|line| line.split("core#").skip(1))
        .filter_map(number)
        .collect();
    let relocs = analysed.module.core_relocs.iter().enumerate();
    relocs
        .filter(|(index, _)| used.contains(index))
        .map(|(_, reloc)| {
            use skep_compiler::types::Type;
            let root = match *types.get(reloc.root) {
                Type::Typedef(id) => name(types.typedefs[id.0 as usize].name),
                Type::Record(id) => types.records[id.0 as usize].tag.map(name).unwrap_or_default(),
                Type::Enum(id) => types.enums[id.0 as usize].tag.map(name).unwrap_or_default(),
                Type::Int(skep_compiler::types::IntKind::Int) => "int".into(),
                _ => String::new(),
            };
            (reloc.kind as u32, root, reloc.access.clone())
        })
        .collect()
}

#[test]
fn access_strings_are_those_of_clang() {
    if check(&[Need::Clang]).is_err() {
        return skipped("clang");
    }
    let dir = scratch("core");
    let file = dir.join("core.c");
    std::fs::write(&file, include_str!("accesses.c")).expect("writable");
    let options = options(None);
    let (theirs, ours) = (theirs(&options, &file, &dir.join("core.o")), ours(&options, &file));
    let missing: Vec<&Access> = theirs.difference(&ours).collect();
    let extra: Vec<&Access> = ours.difference(&theirs).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing: {missing:#?}\nextra: {extra:#?}");
    assert!(theirs.len() > 40, "only {} accesses", theirs.len());
}

/// In real programs clang optimises accesses away, so ours may be more.
#[test]
fn selftests_have_the_access_strings_of_clang() {
    if check(&[Need::Clang, Need::KernelTree, Need::Libbpf, Need::Stubs]).is_err() {
        return skipped("clang, kernel tree, libbpf or stubs");
    }
    let Some(vmlinux) = vmlinux() else { return skipped("vmlinux.h") };
    let (selftests, options) = selftests(&vmlinux);
    let dir = scratch("core-selftests");
    let names = [
        "bpf_iter_task_btf.c",
        "profiler1.c",
        "strobemeta.c",
        "task_ls_recursion.c",
        "test_core_read_macros.c",
        "test_core_reloc_arrays.c",
        "test_core_reloc_bitfields_direct.c",
        "test_core_reloc_bitfields_probed.c",
        "test_core_reloc_enum64val.c",
        "test_core_reloc_enumval.c",
        "test_core_reloc_existence.c",
        "test_core_reloc_flavors.c",
        "test_core_reloc_ints.c",
        "test_core_reloc_kernel.c",
        "test_core_reloc_misc.c",
        "test_core_reloc_mods.c",
        "test_core_reloc_module.c",
        "test_core_reloc_nesting.c",
        "test_core_reloc_primitives.c",
        "test_core_reloc_ptr_as_arr.c",
        "test_core_reloc_size.c",
        "test_core_reloc_type_based.c",
        "test_core_reloc_type_id.c",
    ];
    for name in names {
        let file = selftests.join("bpf/progs").join(name);
        if !file.exists() {
            continue;
        }
        let object = dir.join("o");
        // What the headers of this machine do not fit is no question to us.
        if !clang(&options, &["-c", "-o", &object.display().to_string()], &file).status.success() {
            continue;
        }
        let (theirs, ours) = (theirs(&options, &file, &object), ours(&options, &file));
        let missing: Vec<&Access> = theirs.difference(&ours).collect();
        assert!(missing.is_empty(), "{name}: missing {missing:#?}\nours: {ours:#?}");
    }
}
