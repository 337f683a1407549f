//! The reader, the writer and the printers against bpftool and clang, on the kernel's own types.

extern crate std;

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use alloc::{format, vec};
use std::process::Command;

use skep_test_tools::{self as tools, Need};

use super::*;
use crate::ByteOrder;

/// The kernel's BTF, where there is one.
fn kernel() -> Option<Vec<u8>> {
    std::fs::read("/sys/kernel/btf/vmlinux").ok()
}

/// Output of a tool; `None` if it is neither installed nor required.
fn tool(need: Need, name: &str, args: &[&str]) -> Option<std::process::Output> {
    tools::have(&[need]).then(|| Command::new(name).args(args).output().unwrap())
}

/// One type of every kind; ids follow the order.
fn every_kind(order: ByteOrder) -> (Vec<u8>, Vec<Type<'static>>) {
    let int = TypeId(1);
    let member = |name, ty, bit_offset, bit_size| Member { name, ty, bit_offset, bit_size };
    let types = vec![
        Type::Int { name: "int", size: 4, encoding: Encoding::SIGNED, offset: 0, bits: 32 },
        Type::Ptr(TypeId(4)),
        Type::Array { elem: int, index: int, count: 7 },
        Type::Struct(Composite {
            name: "node",
            size: 16,
            members: vec![
                member("next", TypeId(2), 0, None),
                member("low", int, 64, Some(3)),
                member("high", int, 67, Some(29)),
            ],
        }),
        Type::Union(Composite { name: "", size: 4, members: vec![member("x", int, 0, None)] }),
        Type::Enum(Enumeration {
            name: "sign",
            size: 4,
            signed: true,
            values: vec![Enumerator { name: "MINUS", value: -1 }],
        }),
        Type::Enum(Enumeration {
            name: "wide",
            size: 8,
            signed: false,
            values: vec![Enumerator { name: "TOP", value: i64::MIN }],
        }),
        Type::Fwd { name: "elsewhere", union: true },
        Type::Typedef { name: "alias", ty: int },
        Type::Volatile(int),
        Type::Const(int),
        Type::Restrict(TypeId(2)),
        Type::FuncProto { ret: int, params: vec![Param { name: "ctx", ty: TypeId(2) }] },
        Type::Func { name: "main", proto: TypeId(13), linkage: Linkage::Global },
        Type::Var { name: "counter", ty: int, linkage: Linkage::Static },
        Type::Datasec { name: ".data", size: 4, vars: vec![SecVar { ty: TypeId(15), offset: 0, size: 4 }] },
        Type::Float { name: "double", size: 8 },
        Type::DeclTag { name: "tag", ty: TypeId(4), component: Some(1) },
        Type::DeclTag { name: "tag", ty: TypeId(14), component: None },
        Type::TypeTag { name: "user", ty: int },
    ];
    let mut builder = Builder::new(order);
    for ty in &types {
        builder.add(ty);
    }
    (builder.finish(), types)
}

#[test]
fn every_kind_round_trips() {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let (bytes, types) = every_kind(order);
        let btf = Btf::parse(bytes).unwrap();
        assert_eq!(btf.order(), order);
        assert_eq!(btf.ids().map(|id| btf.ty(id).unwrap()).collect::<Vec<_>>(), types);
        assert_eq!(btf.ty(TypeId(types.len() as u32 + 1)), None);
        assert_eq!(btf.find("node", Kind::Struct), Some(TypeId(4)));
        assert_eq!(btf.size_of(TypeId(3)), Some(28));
        assert_eq!(btf.align_of(TypeId(4)), 8);
    }
}

#[test]
fn a_type_can_be_defined_after_its_use() {
    let mut builder = Builder::new(ByteOrder::Little);
    let list = builder.reserve();
    let pointer = builder.add(&Type::Ptr(list));
    let next = Member { name: "next", ty: pointer, bit_offset: 0, bit_size: None };
    let members = vec![next];
    builder.define(list, &Type::Struct(Composite { name: "list", size: 8, members }));
    let btf = Btf::parse(builder.finish()).unwrap();
    assert_eq!(print_c::types(&btf, &[list]), "struct list {\n\tstruct list *next;\n};\n\n");
}

#[test]
fn circular_types_end() {
    let mut builder = Builder::new(ByteOrder::Little);
    builder.add(&Type::Typedef { name: "a", ty: TypeId(2) });
    builder.add(&Type::Const(TypeId(1)));
    builder.add(&Type::Array { elem: TypeId(3), index: TypeId(3), count: u32::MAX });
    builder.add(&Type::Ptr(TypeId(4)));
    let this = Member { name: "s", ty: TypeId(5), bit_offset: 0, bit_size: None };
    let members = vec![this; 40];
    builder.add(&Type::Struct(Composite { name: "s", size: 1, members }));
    let this = Member { name: "", ty: TypeId(6), bit_offset: 0, bit_size: None };
    builder.add(&Type::Struct(Composite { name: "", size: 1, members: vec![this; 2] }));
    let btf = Btf::parse(builder.finish()).unwrap();
    for id in btf.ids() {
        let _ = (btf.resolve(id), btf.size_of(id), btf.align_of(id));
        assert!(print_c::types(&btf, &[id]).len() < 100_000);
    }
    assert_eq!(btf.resolve(TypeId(1)), None);
}

#[test]
fn split_files_continue_their_base() {
    let (bytes, _) = every_kind(ByteOrder::Little);
    let base = Arc::new(Btf::parse(bytes).unwrap());
    // A module's file: its strings start where the base's end; here it has none of its own.
    let mut module = vec![0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 12, 0, 0, 0];
    module.extend([0, 0, 0, 0]);
    for word in [0u32, (Kind::Ptr as u32) << 24, 4] {
        module.extend(word.to_le_bytes());
    }
    let split = Btf::parse_split(module, base.clone()).unwrap();
    let id = split.ids().next().unwrap();
    assert_eq!(id.0, base.len());
    assert_eq!(split.ty(id), Some(Type::Ptr(TypeId(4))));
    assert_eq!(split.find("node", Kind::Struct), Some(TypeId(4)));
}

#[test]
fn damaged_files_are_errors() {
    let (bytes, _) = every_kind(ByteOrder::Little);
    for len in 0..bytes.len() {
        assert!(Btf::parse(&bytes[..len]).is_err(), "{len}");
    }
    let mut state = 7u64;
    for _ in 0..20_000 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let mut damaged = bytes.clone();
        let at = (state >> 33) as usize % damaged.len();
        damaged[at] ^= (state >> 20) as u8;
        if let Ok(btf) = Btf::parse(damaged) {
            let mut text = String::new();
            print_raw::print(&btf, &mut text).unwrap();
            print_c::header(&btf);
            for id in btf.ids() {
                let _ = (btf.size_of(id), btf.align_of(id), btf.target(id), btf.name(id));
            }
        }
    }
}

#[test]
fn essential_names() {
    assert_eq!(essential_name("task_struct___old"), "task_struct");
    assert_eq!(essential_name("___x"), "___x");
    assert_eq!(essential_name("plain"), "plain");
}

#[test]
fn extension_round_trips() {
    let records = vec![
        ext::LineInfo { insn_off: 0, file: StrOff(1), text: StrOff(9), line: 7, column: 3 },
        ext::LineInfo { insn_off: 8, file: StrOff(1), text: StrOff(19), line: 4_000_000, column: 1023 },
    ];
    let ext = ext::Ext {
        funcs: vec![ext::ExtSection {
            name: StrOff(4),
            records: vec![ext::FuncInfo { insn_off: 0, ty: TypeId(3) }],
        }],
        lines: vec![ext::ExtSection { name: StrOff(4), records }],
        relos: vec![ext::ExtSection {
            name: StrOff(4),
            records: ext::CoreKind::ALL
                .iter()
                .map(|&kind| ext::CoreRelo { insn_off: 8, ty: TypeId(2), access: StrOff(5), kind })
                .collect(),
        }],
    };
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let bytes = ext.write(order);
        assert_eq!(ext::Ext::parse(&bytes).as_ref(), Ok(&ext));
        for len in 0..bytes.len() {
            assert!(ext::Ext::parse(&bytes[..len]).is_err());
        }
    }
    assert_eq!(ext::Ext::parse(&ext::Ext::default().write(ByteOrder::Big)), Ok(Default::default()));
}

#[test]
fn lists_the_kernel_like_bpftool() {
    let Some(bytes) = kernel() else { return };
    let args = ["btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "raw"];
    let Some(theirs) = tool(Need::Bpftool, &tools::bpftool(), &args) else { return };
    let btf = Btf::parse(bytes).unwrap();
    let mut ours = String::new();
    print_raw::print(&btf, &mut ours).unwrap();
    let theirs = String::from_utf8(theirs.stdout).unwrap();
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.lines().count(), theirs.lines().count());
}

/// Writing what was read gives bytes that read the same: the writer's judge at scale.
#[test]
fn rewrites_the_kernel() {
    let Some(bytes) = kernel() else { return };
    let btf = Btf::parse(bytes).unwrap();
    let mut builder = Builder::new(ByteOrder::Little);
    for id in btf.ids() {
        builder.add(&btf.ty(id).unwrap());
    }
    let copy = Btf::parse(builder.finish()).unwrap();
    for id in btf.ids() {
        assert_eq!(btf.ty(id), copy.ty(id));
    }
}

/// clang lays out every structure of the printed header as the kernel's compiler did.
#[test]
fn printed_kernel_header_has_the_layout() {
    let Some(bytes) = kernel() else { return };
    let btf = Btf::parse(bytes).unwrap();
    let mut source = print_c::header(&btf);
    for id in btf.ids() {
        let Some(Type::Struct(composite) | Type::Union(composite)) = btf.ty(id) else { continue };
        // Only types whose name is unique are known by it in the output.
        let keyword = if btf.kind(id) == Some(Kind::Union) { "union" } else { "struct" };
        if composite.name.is_empty() || btf.named(composite.name).count() != 1 {
            continue;
        }
        let name = format!("{keyword} {}", composite.name);
        source.push_str(&format!("_Static_assert(sizeof({name}) == {});\n", composite.size));
        for member in composite.members.iter().filter(|m| m.bit_size.is_none() && !m.name.is_empty()) {
            let at = member.byte_offset().unwrap();
            let what = format!("__builtin_offsetof({name}, {})", member.name);
            source.push_str(&format!("_Static_assert({what} == {at});\n"));
        }
    }
    let file = std::env::temp_dir().join(format!("skep-vmlinux-{}.c", std::process::id()));
    std::fs::write(&file, source).unwrap();
    let path = file.to_string_lossy().to_string();
    let args = ["-target", "bpf", "-fsyntax-only", "-Wno-everything", "-ferror-limit=20", &path];
    let result = tool(Need::Clang, tools::CLANG, &args);
    std::fs::remove_file(file).unwrap();
    let Some(result) = result else { return };
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
}
