//! Cases of the kernel's tables of verifier tests: raw instructions, and the kinds of their maps.

use std::sync::{Arc, OnceLock};

use serde_json::Value;
use skep_runtime::Image;
use skep_runtime::object::{Code, MapDef, MapRole};
use skep_stdlib::ByteOrder;
use skep_stdlib::btf::{self, Btf, Builder, Composite, Encoding, Type, TypeId};
use skep_stdlib::isa::{CallTarget, Imm64, Insn, asm, decode_program};
use skep_stdlib::maps::MapType;
use skep_stdlib::programs::sections::{SECTIONS, Section};

/// A kind of map in the table: its type, bytes of key and value, entries, creation flags.
type MapRow = (&'static str, MapType, u32, u32, u32, u32);

/// Programs may only read the map, only write it.
const READ_ONLY: u32 = 1 << 7;
const WRITE_ONLY: u32 = 1 << 8;

/// Values are made when they are first used.
const NO_PREALLOCATION: u32 = 1 << 0;

#[rustfmt::skip]
const MAPS: &[MapRow] = &[
    ("map_hash_8b", MapType::Hash, 8, 8, 1, 0),
    ("map_hash_48b", MapType::Hash, 8, 48, 1, 0),
    ("map_hash_16b", MapType::Hash, 8, 16, 1, 0),
    ("map_array_48b", MapType::Array, 4, 48, 1, 0),
    ("map_array_two", MapType::Array, 4, 8, 2, 0),
    ("map_array_ro", MapType::Array, 4, 48, 1, READ_ONLY),
    ("map_array_wo", MapType::Array, 4, 48, 1, WRITE_ONLY),
    ("map_array_small", MapType::Array, 4, 1, 1, 0),
    ("map_event_output", MapType::PerfEventArray, 4, 4, 1, 0),
    ("map_ringbuf", MapType::Ringbuf, 0, 0, 4096, 0),
    ("prog1", MapType::ProgArray, 4, 4, 4, 0),
    ("prog2", MapType::ProgArray, 4, 4, 8, 0),
    ("cgroup_storage", MapType::CgroupStorage, 16, 64, 0, 0),
    ("percpu_cgroup_storage", MapType::PercpuCgroupStorage, 16, 64, 0, 0),
    ("map_in_map", MapType::ArrayOfMaps, 4, 4, 1, 0),
    ("map_sockmap", MapType::Sockmap, 4, 4, 1, 0),
    ("map_sockhash", MapType::Sockhash, 4, 4, 1, 0),
    ("map_xskmap", MapType::Xskmap, 4, 4, 1, 0),
    ("map_stacktrace", MapType::StackTrace, 4, 8, 1, 0),
    ("map_reuseport_array", MapType::ReuseportSockarray, 4, 8, 1, 0),
    ("map_spin_lock", MapType::Array, 4, 8, 1, 0),
    ("sk_storage_map", MapType::SkStorage, 4, 8, 0, NO_PREALLOCATION),
    ("map_timer", MapType::Array, 4, 16, 1, 0),
    ("map_kptr", MapType::Array, 4, 24, 1, 0),
];

/// The types of the values that have special fields.
struct Values {
    btf: Arc<Btf>,
    /// `int`, of the keys.
    key: TypeId,
    lock: TypeId,
    timer: TypeId,
    pointers: TypeId,
}

impl Values {
    fn get() -> &'static Values {
        static VALUES: OnceLock<Values> = OnceLock::new();
        VALUES.get_or_init(Values::new)
    }

    fn new() -> Values {
        let mut out = Builder::new(ByteOrder::Little);
        let key =
            out.add(&Type::Int { name: "int", size: 4, encoding: Encoding::SIGNED, offset: 0, bits: 32 });
        let record = |name, size, members: &[(&'static str, TypeId, u32)], out: &mut Builder| {
            let member = |&(name, ty, bit_offset): &_| btf::Member { name, ty, bit_offset, bit_size: None };
            out.add(&Type::Struct(Composite { name, size, members: members.iter().map(member).collect() }))
        };
        let spin = record("bpf_spin_lock", 4, &[("val", key, 0)], &mut out);
        let lock = record("val", 8, &[("cnt", key, 0), ("l", spin, 32)], &mut out);
        let timer = record("bpf_timer", 16, &[], &mut out);
        let timer = record("timer", 16, &[("t", timer, 0)], &mut out);
        let counted = record("prog_test_ref_kfunc", 0, &[], &mut out);
        let held = record("prog_test_member", 0, &[], &mut out);
        let mut pointer = |name, ty| {
            let tagged = out.add(&Type::TypeTag { name, ty });
            out.add(&Type::Ptr(tagged))
        };
        let members = [
            ("ptr", pointer("kptr_untrusted", counted), 0),
            ("ptr", pointer("kptr", counted), 64),
            ("ptr", pointer("kptr", held), 128),
        ];
        let pointers = record("btf_ptr", 24, &members, &mut out);
        Values { btf: Arc::new(Btf::parse(out.finish()).unwrap()), key, lock, timer, pointers }
    }

    /// The types of the keys and the values of a kind of map.
    fn of(&self, kind: &str) -> (TypeId, TypeId) {
        match kind {
            "map_spin_lock" | "sk_storage_map" => (self.key, self.lock),
            "map_timer" => (self.key, self.timer),
            "map_kptr" => (self.key, self.pointers),
            _ => (TypeId(0), TypeId(0)),
        }
    }
}

fn map(row: &MapRow) -> MapDef {
    let &(name, ty, key_size, value_size, max_entries, flags) = row;
    let inner = ("inner", MapType::Array, 4, 4, 1, 0);
    let (btf_key, btf_value) = Values::get().of(name);
    MapDef {
        name: name.into(),
        role: MapRole::Declared,
        ty,
        key_size,
        value_size,
        max_entries,
        flags,
        extra: 0,
        pinning: 0,
        btf_key,
        btf_value,
        contents: Vec::new(),
        inner: (ty == MapType::ArrayOfMaps).then(|| Box::new(map(&inner))),
        slots: Vec::new(),
    }
}

fn number(case: &Value, key: &str) -> u64 {
    case[key].as_u64().unwrap_or(0)
}

/// The section whose programs have this type and attach type.
fn section(case: &Value) -> Option<&'static Section> {
    let (ty, attach) = (number(case, "prog_type"), number(case, "attach_type"));
    let of_type = || SECTIONS.iter().filter(|row| row.ty as u64 == ty);
    of_type()
        .find(|row| row.attach.map_or(0, |attach| attach as u64) == attach)
        .or_else(|| of_type().find(|row| attach == 0 && row.attach_is_optional))
        .or_else(|| of_type().find(|_| attach == 0))
}

/// Is it loaded so that every access must be aligned?
pub fn is_strict(case: &Value) -> bool {
    number(case, "flags") & STRICT != 0
}

/// The table's flag for it.
const STRICT: u64 = 2;

/// What a case is for us.
pub enum Case {
    /// A program to judge.
    Image(Box<Image>),
    /// The bytes are not instructions: rejected before the verifier.
    Malformed,
    /// Not comparable, and why.
    Skipped(&'static str),
}

/// The flag of programs that may sleep.
const SLEEPABLE: u64 = 1 << 4;

/// The program of a case.
pub fn build(case: &Value) -> Case {
    let Some(row) = section(case) else { return Case::Skipped("no section") };
    let may_sleep = number(case, "flags") & SLEEPABLE != 0;
    let sleeps = |other: &Section| (other.ty, other.attach) == (row.ty, row.attach) && other.sleepable;
    if may_sleep && !SECTIONS.iter().any(sleeps) {
        return Case::Skipped("sleepable, of a type that no section makes so");
    }
    let Some(hex) = case["insns"].as_str() else { return Case::Skipped("generated") };
    if !case["btf_types"].is_null() {
        return Case::Skipped("types given apart");
    }
    let bytes: Vec<u8> =
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
    let Ok(insns) = decode_program(&bytes, ByteOrder::Little) else { return Case::Malformed };
    let mut code = Code::new(insns);
    let mut maps = Vec::new();
    for (kind, slots) in case["fixups"].as_object().into_iter().flatten() {
        let Some(row) = MAPS.iter().find(|row| row.0 == kind) else {
            return Case::Skipped("a map of an unknown kind");
        };
        let index = maps.len() as i32;
        maps.push(map(row));
        for slot in slots.as_array().into_iter().flatten() {
            let slot = slot.as_u64().unwrap() as u32;
            if let Some(Insn::LoadImm64 { value, .. }) = code.at_mut(slot) {
                *value = match *value {
                    Imm64::MapValue { offset, .. } => Imm64::MapIdxValue { index, offset },
                    _ => Imm64::MapIdx(index),
                };
            }
        }
    }
    let pattern = row.pattern.trim_end_matches('+');
    let target = case["attach_func"].as_str();
    let text = target.map_or(pattern.to_owned(), |target| format!("{pattern}/{target}"));
    let mut image = image_of(&text, code, maps);
    image.programs[0].sleepable |= may_sleep;
    if !name_kernel_functions(case, &mut image) {
        return Case::Skipped("of a kernel function that is not here");
    }
    Case::Image(Box::new(image))
}

/// Gives the calls of kernel functions the numbers that these have here. False if one is missing.
fn name_kernel_functions(case: &Value, image: &mut Image) -> bool {
    for call in case["fixup_kfuncs"].as_array().into_iter().flatten() {
        let (name, slot) = (call[0].as_str().unwrap(), call[1].as_u64().unwrap());
        let found = image.target_btf.as_deref().and_then(|btf| btf.find(name, btf::Kind::Func));
        let Some(found) = found else { return false };
        let id = found.0 as i32;
        if let Some(Insn::Call(CallTarget::Kfunc { id: called, .. })) =
            image.programs[0].code.at_mut(slot as u32)
        {
            *called = id;
        }
        image.kfuncs.insert(id, name.to_owned());
    }
    true
}

/// Looks up the value of the first map into r0, by the key 0.
const LOOKUP: &str = "
    *(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = map[idx:0]; call 1; if r0 == 0 goto out
";

/// The same from the text of its instructions.
pub fn assembled(section: &str, maps: &[&str], text: &str) -> Image {
    let text = text.replace("LOOKUP", LOOKUP);
    let insns = asm::assemble(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    image(section, Code::new(insns), maps)
}

/// A program in a section of this name that uses maps of these kinds.
pub fn image(section: &str, code: Code, maps: &[&str]) -> Image {
    let map = |kind: &&str| map(MAPS.iter().find(|row| row.0 == *kind).unwrap());
    image_of(section, code, maps.iter().map(map).collect())
}

fn image_of(section: &str, code: Code, maps: Vec<MapDef>) -> Image {
    let is_typed = maps.iter().any(|map| map.btf_value != TypeId(0));
    let btf = is_typed.then(|| Values::get().btf.clone());
    Image { maps, btf, target_btf: super::vmlinux(), ..Image::bare(section, code).unwrap() }
}
