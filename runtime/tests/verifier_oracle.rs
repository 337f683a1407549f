//! The verifier against the kernel's own: the tables of verifier tests of two kernels, as kernels of
//! three versions judged them.
//!
//! Each case is a program as raw instructions with the kinds of its maps. A case that the kernel
//! rejects and we accept is a false accept: none is allowed but those listed with a reason. The
//! share of equal verdicts may only grow.
#![allow(clippy::print_stderr)]

mod common;

use std::collections::BTreeMap;

use serde_json::Value;
use skep_runtime::Image;
use skep_runtime::object::{Code, Function, MapDef, MapRole, Program};
use skep_runtime::verify::{Options, verify_program};
use skep_stdlib::ByteOrder;
use skep_stdlib::btf::TypeId;
use skep_stdlib::features::{Kernel, Target};
use skep_stdlib::isa::{CallTarget, Imm64, Insn, decode_program};
use skep_stdlib::maps::MapType;
use skep_stdlib::programs::sections::{SECTIONS, Section};

/// A table as one kernel judged it.
struct Judged {
    /// The kernel whose source the table is from.
    table: &'static str,
    /// The kernel that judged it.
    kernel: Kernel,
    /// Equal verdicts of all compared cases, in tenths of a percent. Raise it when more agree.
    floor: usize,
    /// Cases that the kernel rejects and we accept, each with its reason.
    false_accepts: &'static [(&'static str, &'static str)],
}

const JUDGED: &[Judged] = &[
    Judged { table: "6.1", kernel: Kernel(6, 18), floor: 996, false_accepts: &[] },
    Judged { table: "6.1", kernel: Kernel(6, 1), floor: 970, false_accepts: OLDER },
    Judged { table: "6.12", kernel: Kernel(6, 18), floor: 990, false_accepts: &[] },
    Judged { table: "6.12", kernel: Kernel(6, 12), floor: 990, false_accepts: &[] },
];

/// Safe programs that kernel 6.1 rejects, because it could prove less than those after it.
#[rustfmt::skip]
const OLDER: &[(&str, &str)] = &[
    ("bounds_mix_sign_unsign.c: bounds checks mixing signed and unsigned, variant 10",
        "signed bounds were not derived from unsigned ones across zero"),
    ("loops1.c: bounded loop, start in the middle",
        "an edge back by falling through was refused before the walk"),
    ("map_ptr.c: bpf_map_ptr: read non-existent field rejected",
        "the structure of maps began with another field"),
    ("spill_fill.c: Spill a u32 const scalar.  Refill as u16.  Offset to skb->data",
        "a part of a spilled number was unknown when filled"),
    ("spill_fill.c: Spill u32 const scalars.  Refill as u64.  Offset to skb->data",
        "two spilled numbers side by side were unknown when filled as one"),
];

/// A kind of map in the table: its type, bytes of key and value, entries, creation flags.
type MapRow = (&'static str, MapType, u32, u32, u32, u32);

/// Programs may only read the map, only write it.
const READ_ONLY: u32 = 1 << 7;
const WRITE_ONLY: u32 = 1 << 8;

#[rustfmt::skip]
const MAPS: &[MapRow] = &[
    ("map_hash_8b", MapType::Hash, 8, 8, 1, 0),
    ("map_hash_48b", MapType::Hash, 8, 48, 1, 0),
    ("map_hash_16b", MapType::Hash, 8, 16, 1, 0),
    ("map_array_48b", MapType::Array, 4, 48, 1, 0),
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
];

fn map(row: &MapRow) -> MapDef {
    let &(name, ty, key_size, value_size, max_entries, flags) = row;
    let inner = ("inner", MapType::Array, 4, 4, 1, 0);
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
        btf_key: TypeId(0),
        btf_value: TypeId(0),
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

/// The functions: every target of a call or of a function's address begins one.
fn functions(code: &Code) -> Vec<Function> {
    let mut starts = vec![0];
    for (slot, insn) in code.iter() {
        if let Insn::Call(CallTarget::Local(distance))
        | Insn::LoadImm64 { value: Imm64::Func(distance), .. } = insn
        {
            let start = i64::from(slot) + 1 + i64::from(*distance);
            starts.extend(u32::try_from(start).ok().filter(|&start| start < code.len()));
        }
    }
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().skip(1).copied().chain([code.len()]);
    let function = |(&start, end)| Function {
        name: format!("function_{start}"),
        start,
        end,
        btf_func: None,
        global: start == 0,
        origin: ("test".to_owned(), 0),
    };
    starts.iter().zip(ends).map(function).collect()
}

/// What a case is for us.
enum Case {
    /// A program to judge.
    Image(Box<Image>),
    /// The bytes are not instructions: rejected before the verifier.
    Malformed,
    /// Not comparable, and why.
    Skipped(&'static str),
}

/// The flag of programs that may sleep.
const SLEEPABLE: u64 = 1 << 4;

fn build(case: &Value) -> Case {
    if number(case, "flags") & SLEEPABLE != 0 && section(case).is_none_or(|row| !row.pattern.contains(".s")) {
        // A section's name says so for us, and there is none for some of these.
        return Case::Skipped("sleepable by a flag");
    }
    let Some(hex) = case["insns"].as_str() else { return Case::Skipped("generated") };
    if number(case, "flags") & 2 != 0 {
        return Case::Skipped("strict alignment, which is no mode of ours");
    }
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
            return Case::Skipped("a map whose value has special fields");
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
    let Some(row) = section(case) else { return Case::Skipped("no section") };
    let pattern = row.pattern.trim_end_matches('+');
    let target = case["attach_func"].as_str();
    let functions = functions(&code);
    let program = Program {
        name: "test".into(),
        section: target.map_or(pattern.to_owned(), |target| format!("{pattern}/{target}")),
        ty: row.ty,
        attach: row.attach,
        target: target.map(str::to_owned),
        implements: None,
        sleepable: row.sleepable,
        optional: false,
        code,
        functions,
        lines: Vec::new(),
    };
    Case::Image(Box::new(Image {
        order: ByteOrder::Little,
        programs: vec![program],
        maps,
        btf: None,
        target_btf: common::vmlinux(),
        kfuncs: BTreeMap::new(),
        ksyms: BTreeMap::new(),
        license: "GPL".into(),
        kernel_version: None,
    }))
}

/// The verdicts of all cases, counted.
#[derive(Default)]
struct Tally {
    same: usize,
    compared: usize,
    skipped: BTreeMap<&'static str, usize>,
    /// Cases we accept and the kernel does not, with its words.
    false_accepts: BTreeMap<String, String>,
    /// How often each rule of ours rejects what the kernel accepts, with the first cases.
    false_rejects: BTreeMap<String, Vec<String>>,
}

impl Tally {
    fn count(&mut self, case: &Value, verdict: &Value, options: &Options) {
        let rejection = match build(case) {
            Case::Skipped(why) => {
                *self.skipped.entry(why).or_default() += 1;
                return;
            }
            Case::Malformed => Some("not instructions".to_owned()),
            Case::Image(image) => verify_program(&image, 0, options).0.err().map(|report| {
                let words = report.cause.message();
                format!("{} {words}", report.cause.rule().code)
            }),
        };
        if verdict["k_errno"] == 1 && verdict["k_log"] == "" {
            *self.skipped.entry("of a type that the judge loads no programs of").or_default() += 1;
            return;
        }
        self.compared += 1;
        let name = format!("{}: {}", case["src"].as_str().unwrap(), case["descr"].as_str().unwrap());
        match (verdict["k_verdict"].as_str().unwrap() == "accept", rejection) {
            (true, None) | (false, Some(_)) => self.same += 1,
            (false, None) => {
                let log = verdict["k_log"].as_str().unwrap_or_default();
                let words = log.lines().find(|line| !line.starts_with("processed")).unwrap_or_default();
                self.false_accepts.insert(name, words.to_owned());
            }
            (true, Some(why)) => self.false_rejects.entry(why).or_default().push(name),
        }
    }
}

/// Judges a table as the kernel did; what went wrong, if anything.
fn judge(judged: &Judged) -> Result<(), String> {
    let Some(oracles) = common::oracles() else { return Ok(()) };
    let (table, kernel) = (judged.table, judged.kernel);
    let cases = common::table(&oracles.join(format!("test_verifier-{table}.jsonl.gz")));
    let name = format!("test_verifier-{table}-on-kernel-{kernel}.jsonl.gz");
    let verdicts = common::table(&oracles.join(name));
    assert_eq!(cases.len(), verdicts.len());
    let target = Target { kernel, ..Target::default() };
    let options = Options { target, btf: common::vmlinux(), ..Options::default() };
    let mut tally = Tally::default();
    for (case, verdict) in cases.iter().zip(&verdicts) {
        assert_eq!(case["descr"], verdict["descr"]);
        tally.count(case, verdict, &options);
    }
    eprintln!(
        "table {table} on kernel {kernel}: {} of {} verdicts are the kernel's; skipped: {:?}",
        tally.same, tally.compared, tally.skipped
    );
    for (why, names) in &tally.false_rejects {
        eprintln!("rejected, but safe: {:3} {why}: {}", names.len(), names.join("; "));
    }
    for (name, words) in &tally.false_accepts {
        eprintln!("accepted, but unsafe: {name}: {words}");
    }
    let known = |name: &str| judged.false_accepts.iter().any(|row| row.0 == name);
    let new: Vec<_> = tally.false_accepts.keys().filter(|name| !known(name)).collect();
    let gone = |row: &&(&str, &str)| !tally.false_accepts.contains_key(row.0);
    let gone: Vec<_> = judged.false_accepts.iter().filter(gone).collect();
    let share = tally.same * 1000 / tally.compared;
    match () {
        () if !new.is_empty() => Err(format!("{table} on {kernel}: {} false accepts: {new:#?}", new.len())),
        () if !gone.is_empty() => {
            Err(format!("{table} on {kernel}: no longer accepted, to be taken off the list: {gone:#?}"))
        }
        () if share < judged.floor => {
            Err(format!("{table} on {kernel}: {share} of 1000 verdicts are equal, not {}", judged.floor))
        }
        () => Ok(()),
    }
}

#[test]
fn the_verdicts_of_kernels() {
    if !common::have(&[common::Need::Gzip]) {
        return;
    }
    let wrong: Vec<String> = JUDGED.iter().filter_map(|judged| judge(judged).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
