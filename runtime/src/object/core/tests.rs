//! Both sides of a relocation are built by hand: local and target layouts that differ.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use skep_stdlib::btf::ext::{CoreKind, CoreRelo};
use skep_stdlib::btf::{
    Btf, Builder, Composite, Encoding, Enumeration, Enumerator, Member, StrOff, Type, TypeId,
};

use super::*;

struct Layout {
    builder: Builder,
}

impl Layout {
    fn new() -> Layout {
        Layout { builder: Builder::new(ByteOrder::Little) }
    }

    fn int(&mut self, size: u32, encoding: Encoding) -> TypeId {
        self.builder.add(&Type::Int { name: "int", size, encoding, offset: 0, bits: (size * 8) as u8 })
    }

    fn strukt(&mut self, name: &str, size: u32, members: &[(&str, TypeId, u32, Option<u8>)]) -> TypeId {
        let members = members
            .iter()
            .map(|&(name, ty, bit_offset, bit_size)| Member { name, ty, bit_offset, bit_size })
            .collect();
        self.builder.add(&Type::Struct(Composite { name, size, members }))
    }

    fn done(self) -> Btf {
        Btf::parse(self.builder.finish()).unwrap()
    }
}

/// Relocates one instruction; the error's text on failure.
fn relocate(
    local: (Layout, TypeId),
    target: &Btf,
    access: &str,
    kind: CoreKind,
    insn: Insn,
) -> Result<Vec<Insn>, String> {
    let (mut layout, ty) = local;
    let access: StrOff = layout.builder.string(access);
    let local = layout.done();
    let relo = CoreRelo { insn_off: 0, ty, access, kind };
    let mut relocator =
        Relocator { local: &local, target, order: ByteOrder::Little, candidates: BTreeMap::new() };
    let mut body = Body {
        name: "f".into(),
        section: 0,
        start: 0,
        end: 2,
        bind: super::super::elf::Bind::Global,
        insns: vec![(0, insn)],
        calls: vec![],
    };
    relocator.relocate(&mut body, 0, &relo).map_err(|error| format!("{error}"))?;
    Ok(body.insns.into_iter().map(|(_, insn)| insn).collect())
}

fn load(size: Size, off: i16) -> Insn {
    use skep_stdlib::isa::Reg;
    Insn::Load { size, signed: false, dst: Reg::R1, base: Reg::R2, off }
}

fn mov(imm: i32) -> Insn {
    use skep_stdlib::isa::{Reg, Width};
    Insn::Mov { width: Width::W64, dst: Reg::R1, src: Operand::Imm(imm) }
}

/// `struct task___old { int a; int pid; }` here, `struct task { long x; struct { int pid; }; }` there.
fn task() -> ((Layout, TypeId), Btf) {
    let mut local = Layout::new();
    let int = local.int(4, Encoding::SIGNED);
    let ty = local.strukt("task___old", 8, &[("a", int, 0, None), ("pid", int, 32, None)]);
    let mut target = Layout::new();
    let long = target.int(8, Encoding::SIGNED);
    let int = target.int(4, Encoding::SIGNED);
    let inner = target.strukt("", 8, &[("pad", int, 0, None), ("pid", int, 32, None)]);
    target.strukt("task", 16, &[("x", long, 0, None), ("", inner, 64, None)]);
    ((local, ty), target.done())
}

#[test]
fn members_move() {
    let (local, target) = task();
    let result = relocate(local, &target, "0:1", CoreKind::FieldByteOffset, load(Size::W, 4));
    assert_eq!(result, Ok(vec![load(Size::W, 12)]));
}

#[test]
fn missing_members_are_answered_or_poisoned() {
    let (local, target) = task();
    let result = relocate(local, &target, "0:0", CoreKind::FieldExists, mov(1));
    assert_eq!(result, Ok(vec![mov(0)]));
    let (local, target) = task();
    let result = relocate(local, &target, "0:0", CoreKind::FieldByteOffset, load(Size::W, 0));
    assert_eq!(result, Ok(vec![Insn::Call(CallTarget::Helper(CORE_POISON))]));
}

#[test]
fn types_are_found_and_measured() {
    let (local, target) = task();
    assert_eq!(relocate(local, &target, "0", CoreKind::TypeSize, mov(8)), Ok(vec![mov(16)]));
    let (local, target) = task();
    assert_eq!(relocate(local, &target, "0", CoreKind::TypeExists, mov(1)), Ok(vec![mov(1)]));
    let (local, target) = task();
    assert_eq!(relocate(local, &target, "0", CoreKind::TypeMatches, mov(1)), Ok(vec![mov(0)]));
    let (local, target) = task();
    assert_eq!(relocate(local, &target, "0", CoreKind::TypeIdTarget, mov(1)), Ok(vec![mov(4)]));
}

#[test]
fn unexpected_instructions_are_refused_by_name() {
    let (local, target) = task();
    let result = relocate(local, &target, "0:1", CoreKind::FieldByteOffset, load(Size::W, 5));
    let message = result.unwrap_err();
    assert!(message.contains("`struct task___old.pid`") && message.contains("has 5"), "{message}");
}

#[test]
fn bit_fields_move_inside_their_words() {
    let fields = |pad: u32| {
        let mut layout = Layout::new();
        let int = layout.int(4, Encoding::UNSIGNED);
        let ty = layout.strukt("s", 16, &[("f", int, pad, Some(3))]);
        (layout, ty)
    };
    let target = fields(37).0.done();
    let ask = |kind, insn| relocate(fields(2), &target, "0:0", kind, insn).unwrap();
    assert_eq!(ask(CoreKind::FieldByteOffset, mov(0)), [mov(4)]);
    assert_eq!(ask(CoreKind::FieldByteSize, mov(4)), [mov(4)]);
    assert_eq!(ask(CoreKind::FieldLshiftU64, mov(59)), [mov(64 - 5 - 3)]);
    assert_eq!(ask(CoreKind::FieldRshiftU64, mov(61)), [mov(61)]);
    assert_eq!(ask(CoreKind::FieldSigned, mov(0)), [mov(0)]);
}

#[test]
fn unsigned_loads_take_the_target_width() {
    let field = |size: u32, encoding| {
        let mut layout = Layout::new();
        let int = layout.int(size, encoding);
        let ty = layout.strukt("s", 16, &[("f", int, 64, None)]);
        (layout, ty)
    };
    let target = field(8, Encoding::UNSIGNED).0.done();
    let result =
        relocate(field(4, Encoding::UNSIGNED), &target, "0:0", CoreKind::FieldByteOffset, load(Size::W, 8));
    assert_eq!(result, Ok(vec![load(Size::DW, 8)]));
    let target = field(8, Encoding::SIGNED).0.done();
    let result =
        relocate(field(4, Encoding::SIGNED), &target, "0:0", CoreKind::FieldByteOffset, load(Size::W, 8));
    assert_eq!(result, Ok(vec![Insn::Call(CallTarget::Helper(CORE_POISON))]));
}

#[test]
fn enumerators_are_found_by_name() {
    let colours = |values: &[(&'static str, i64)]| {
        let mut layout = Layout::new();
        let values = values.iter().map(|&(name, value)| Enumerator { name, value }).collect();
        let ty =
            layout.builder.add(&Type::Enum(Enumeration { name: "colour", size: 4, signed: false, values }));
        (layout, ty)
    };
    let target = colours(&[("BLUE", 7), ("RED", 9)]).0.done();
    let ask = |index, kind, imm| {
        relocate(colours(&[("RED", 0), ("GREEN", 1)]), &target, index, kind, mov(imm)).unwrap()
    };
    assert_eq!(ask("0", CoreKind::EnumvalValue, 0), [mov(9)]);
    assert_eq!(ask("1", CoreKind::EnumvalExists, 1), [mov(0)]);
    assert_eq!(ask("1", CoreKind::EnumvalValue, 1), [Insn::Call(CallTarget::Helper(CORE_POISON))]);
}

#[test]
fn ambiguous_candidates_are_refused() {
    let mut local = Layout::new();
    let int = local.int(4, Encoding::SIGNED);
    let ty = local.strukt("s", 4, &[("f", int, 0, None)]);
    let mut target = Layout::new();
    let int = target.int(4, Encoding::SIGNED);
    target.strukt("s", 8, &[("f", int, 0, None)]);
    target.strukt("s", 8, &[("f", int, 32, None)]);
    let result = relocate((local, ty), &target.done(), "0:0", CoreKind::FieldByteOffset, load(Size::W, 0));
    assert!(result.unwrap_err().contains("ambiguous"));
}
