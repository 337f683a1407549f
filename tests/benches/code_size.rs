//! Code of both compilers side by side: `cargo bench -p skep-tests --bench code_size`.
//!
//! Prints, for each version of the instruction set and for `-Os`, our slots of 8 bytes and bytes of stack as
//! ratios to clang-19's: the geometric mean of the objects, the spread, and the worst; then the programs whose
//! deepest chain of calls takes more stack by more than [`DEEPER`], and the objects above [`ABOVE`] with the
//! reason, where one is [known](REASONS). For the first mode also the instructions that this kernel's verifier
//! processes, program by program, and the programs that it takes from clang only, or from clang at the second mode.
//! `SKEP_CPU=v1` measures one version only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object::read::elf::ElfFile64;
use object::{Endianness, Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};
use skep_driver::measure;
use skep_runtime::Object;
use skep_runtime::kernel::Kernel;
use skep_runtime::object::{LinkOptions, Program};
use skep_stdlib::ByteOrder;
use skep_stdlib::btf::Btf;
use skep_stdlib::isa::{self, CallTarget};
use skep_tests::bench::{Row, binary, compare, compile, report};
use skep_tests::tools::{self, Need};

/// Every so many of the kernel's programs are measured; `SKEP_FULL=1` measures all.
const STEP: usize = 5;

/// How many of the worst are listed.
const WORST: usize = 10;

/// Objects whose code is longer than clang's by more than this need a reason.
const ABOVE: f64 = 1.10;

/// Bytes of stack that a program may take more than clang's.
const DEEPER: u64 = 64;

/// Asks the kernel for statistics.
const STATISTICS: u32 = 4;

/// What both compilers are asked for.
const MODES: [[&str; 2]; 5] =
    [["-mcpu=v3", "-O2"], ["-mcpu=v1", "-O2"], ["-mcpu=v2", "-O2"], ["-mcpu=v4", "-O2"], ["-mcpu=v3", "-Os"]];

/// Why code is longer than clang's.
const REASONS: &[(&str, &[&str])] = &[
    (
        "a loop is unrolled and executes fewer instructions",
        &["workloads/lcg", "workloads/bytecopy", "workloads/murmur3", "workloads/csum"],
    ),
    (
        "a call always sees the same map, where clang passes one of two",
        &["selftests/for_each_multi_maps", "selftests/sockopt_inherit"],
    ),
    (
        "assembly is given a copy of what it may change",
        &[
            "selftests/exceptions_assert",
            "selftests/jeq_infer_not_null_fail",
            "selftests/tailcall_bpf2bpf2",
            "selftests/tailcall_bpf2bpf3",
        ],
    ),
    ("clang knows what a global function returns", &["selftests/test_global_func10"]),
    (
        "the context is stored to from registers, and what a parameter points to may be one: kernels before 6.4 \
         refuse immediates there",
        &[
            "selftests/test_global_func17",
            "selftests/getpeername4_prog",
            "selftests/getpeername6_prog",
            "selftests/getsockname4_prog",
            "selftests/getsockname6_prog",
        ],
    ),
    ("a function is assumed to keep the address that it is given", &["selftests/test_global_func9"]),
    ("flags that nothing tests are set, since they share a variable with one", &["selftests/xdpwall"]),
    (
        "below v3, what calls are passed in 32 bits is extended to 64",
        &[
            "selftests/cgroup_getset_retval_hooks",
            "selftests/tcp_ca_kfunc",
            "selftests/test_d_path_check_rdonly_mem",
            "selftests/test_d_path_check_types",
            "selftests/test_ksyms_btf_null_check",
        ],
    ),
    (
        "below v3, a counter of 32 bits is extended in each round, where clang counts in 64",
        &["selftests/strncmp_bench", "workloads/hashmap"],
    ),
    ("for size, clang calls what is inlined here, being small", &["selftests/refcounted_kptr"]),
    ("for size, a function that is called twice is not inlined", &["samples/lwt_len_hist.bpf"]),
    ("for size, a search is unrolled, to need no stack", &["selftests/kprobe_multi_session"]),
    ("a function is passed what it knows of all its calls", &["selftests/test_verif_scale3"]),
];

/// A source and what it needs.
struct Source {
    path: PathBuf,
    flags: Vec<String>,
}

/// Slots and stack of each function of an object.
type Functions = BTreeMap<String, Size>;

#[derive(Clone, Copy, Default)]
struct Size {
    slots: u64,
    stack: u64,
}

fn main() {
    if let Err(missing) = tools::check(&[Need::Clang, Need::Libbpf, Need::Stubs]) {
        report(&format!("not measured: no {}", missing.name()));
        return;
    }
    let skep = [binary().to_string_lossy().into_owned(), "cc".into()];
    let clang = [tools::CLANG.into(), "-w".into()];
    let scratch = std::env::temp_dir().join(format!("skep-code-size-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("a scratch directory");
    let only = std::env::var("SKEP_CPU").unwrap_or_default();
    let (sources, types) = (corpora(), kernel_types());
    for (index, mode) in MODES.iter().enumerate().filter(|(_, mode)| mode[0].contains(&only)) {
        let mut found = Found::default();
        let mut verifier = (index == 0).then(|| Verifier::new(&types)).flatten();
        for (corpus, source) in &sources {
            let stem = source.path.file_stem().unwrap_or_default().to_string_lossy();
            let theirs = compile(&clang, mode, &source.path, &source.flags, &scratch);
            let Some(theirs) = theirs else { continue };
            let Some(ours) = compile(&skep, mode, &source.path, &source.flags, &scratch) else {
                found.missing.push(stem.into_owned());
                continue;
            };
            found.add(&format!("{corpus}/{stem}"), &ours, &theirs, &types);
            if let Some(verifier) = &mut verifier {
                let plain = compile(&clang, &MODES[1], &source.path, &source.flags, &scratch);
                verifier.add(&stem, &ours, &theirs, plain.as_deref().unwrap_or_default());
            }
        }
        found.report(&mode.join(" "));
        if let Some(verifier) = verifier {
            compare("instructions that the kernel's verifier processes", &verifier.rows, WORST);
            report(&format!("  accepted from clang only: {:?}", verifier.lost));
            let (plain, from) = (verifier.plain, MODES[1].join(" "));
            report(&format!(
                "  of {plain} accepted from clang {from}, not from us: {:?}",
                verifier.lost_plain
            ));
        }
    }
    // The scratch directory is below the system's temporary one; leaving it behind is no failure.
    let _ = std::fs::remove_dir_all(scratch);
}

/// What one mode makes of the objects.
#[derive(Default)]
struct Found {
    slots: Vec<Row>,
    stack: Vec<Row>,
    /// Programs whose stack is deeper than clang's by more than [`DEEPER`].
    deeper: Vec<String>,
    /// Sources that only clang compiles.
    missing: Vec<String>,
}

impl Found {
    fn add(&mut self, name: &str, ours: &[u8], theirs: &[u8], types: &LinkOptions) {
        let (chains, other) = (chains(ours, types), chains(theirs, types));
        for (program, &deep) in &chains {
            if let Some(&other) = other.get(program)
                && deep > other + DEEPER
            {
                self.deeper.push(format!("{name}:{program} ({deep} for {other})"));
            }
        }
        let (Some(ours), Some(theirs)) = (functions(ours), functions(theirs)) else { return };
        let row = |of: fn(&Size) -> u64| {
            let sum = |functions: &Functions| functions.values().map(of).sum();
            Row { name: name.to_owned(), ours: sum(&ours), theirs: sum(&theirs) }
        };
        self.slots.push(row(|size| size.slots));
        self.stack.push(row(|size| size.stack));
    }

    fn report(&self, mode: &str) {
        report(&format!("{mode}: {} objects", self.slots.len()));
        compare("slots", &self.slots, WORST);
        compare("stack", &self.stack, WORST);
        report(&format!("  deeper by more than {DEEPER} bytes: {:?}", self.deeper));
        report(&format!("  compiled by clang only: {:?}", self.missing));
        for row in self.slots.iter().filter(|row| row.ratio() > ABOVE) {
            let reason = REASONS.iter().find(|(_, objects)| objects.contains(&row.name.as_str()));
            let reason = reason.map_or("no reason is known", |(reason, _)| reason);
            report(&format!("  {:.3} {}: {reason}", row.ratio(), row.name));
        }
    }
}

/// Objects are linked with the running kernel's types, where they can be read.
fn kernel_types() -> LinkOptions {
    let btf = std::fs::read(tools::KERNEL_BTF).ok().and_then(|bytes| Btf::parse(bytes).ok());
    LinkOptions { target_btf: btf.map(Arc::new), ..LinkOptions::default() }
}

/// Asks the running kernel about both objects.
struct Verifier {
    types: LinkOptions,
    rows: Vec<Row>,
    lost: Vec<String>,
    /// Programs that it takes from clang for the second mode, and those of them that it does not take from us.
    plain: usize,
    lost_plain: Vec<String>,
}

impl Verifier {
    /// `None` where there is no kernel to ask.
    fn new(types: &LinkOptions) -> Option<Verifier> {
        if !tools::have(&[Need::Kernel]) || types.target_btf.is_none() {
            return None;
        }
        let (types, rows) = (types.clone(), Vec::new());
        Some(Verifier { types, rows, lost: Vec::new(), plain: 0, lost_plain: Vec::new() })
    }

    /// Of clang's object for the second mode, `plain`, only counts what is accepted.
    fn add(&mut self, file: &str, ours: &[u8], theirs: &[u8], plain: &[u8]) {
        let [ours, theirs, plain] = [ours, theirs, plain].map(|object| self.processed(object));
        let name = |program: &String| format!("{file}/{program}");
        for (program, &theirs) in &theirs {
            match ours.get(program) {
                Some(&ours) => self.rows.push(Row { name: name(program), ours, theirs }),
                None => self.lost.push(name(program)),
            }
        }
        self.plain += plain.len();
        self.lost_plain.extend(plain.keys().filter(|&program| !ours.contains_key(program)).map(name));
    }

    /// How many instructions the kernel processes for each program that it accepts.
    fn processed(&self, object: &[u8]) -> BTreeMap<String, u64> {
        let image = Object::parse(object).and_then(|object| object.link(&self.types));
        let Ok(image) = image else { return BTreeMap::new() };
        let Ok(kernel) = Kernel::prepare(&image) else { return BTreeMap::new() };
        let programs = image.programs.iter().filter_map(|program| {
            let log = kernel.judge(program, STATISTICS).ok()?;
            let line = log.lines().find_map(|line| line.strip_prefix("processed "))?;
            Some((program.name.clone(), line.split_whitespace().next()?.parse().ok()?))
        });
        programs.collect()
    }
}

/// The sources that are here, each with the name of its corpus.
fn corpora() -> Vec<(&'static str, Source)> {
    let include = |dirs: &[PathBuf]| -> Vec<String> {
        dirs.iter().flat_map(|dir| ["-I".to_string(), dir.to_string_lossy().into_owned()]).collect()
    };
    let vmlinux: Vec<PathBuf> =
        tools::vmlinux().and_then(|file| Some(file.parent()?.to_path_buf())).into_iter().collect();
    let mut found = Vec::new();
    if let Some(dir) = tools::seeds() {
        found.extend(sources(&dir, ".bpf.c", &include(&vmlinux)).map(|source| ("seeds", source)));
    }
    if let Some(dir) = tools::workloads() {
        let mut flags = include(std::slice::from_ref(&dir));
        flags.push("-DTARGET_XDP".into());
        found.extend(sources(&dir, ".c", &flags).map(|source| ("workloads", source)));
    }
    for corpus in tools::corpora::corpora() {
        let (name, flags) = (corpus.name, corpus.flags());
        let source = |path| (name, Source { path, flags: flags.clone() });
        found.extend(corpus.sample(STEP).into_iter().map(source));
    }
    found
}

/// The files of a directory whose names end like this, in order.
fn sources(dir: &Path, end: &str, flags: &[String]) -> impl Iterator<Item = Source> {
    let entries = std::fs::read_dir(dir).expect("the corpus can be read");
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.to_string_lossy().ends_with(end));
    files.sort();
    let flags = flags.to_vec();
    files.into_iter().map(move |path| Source { path, flags: flags.clone() })
}

/// Slots and stack of each function in an object file.
fn functions(bytes: &[u8]) -> Option<Functions> {
    let file = ElfFile64::<Endianness>::parse(bytes).ok()?;
    let mut found = Functions::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0) {
        let section = file.section_by_index(symbol.section_index()?).ok()?;
        let start = usize::try_from(symbol.address()).ok()?;
        let end = start.checked_add(usize::try_from(symbol.size()).ok()?)?;
        let code = section.data().ok()?.get(start..end)?;
        let insns = isa::decode_program(code, ByteOrder::Little).ok()?;
        let size = Size { slots: symbol.size() / 8, stack: measure::stack(&insns) };
        found.insert(symbol.name().ok()?.to_string(), size);
    }
    (!found.is_empty()).then_some(found)
}

/// Bytes of stack that the deepest chain of calls of each program takes; nothing for an object that does not
/// link.
fn chains(object: &[u8], types: &LinkOptions) -> BTreeMap<String, u64> {
    let image = Object::parse(object).and_then(|object| object.link(types));
    let programs = image.map(|image| image.programs).unwrap_or_default();
    programs.iter().map(|program| (program.name.clone(), deepest(program, 0, &mut BTreeMap::new()))).collect()
}

/// The stack of the function that starts at a slot and of what it calls, as the kernel's compilers lay it out
/// (`round_up_stack_depth`). Functions that call each other, which no kernel takes, count once.
fn deepest(program: &Program, start: u32, known: &mut BTreeMap<u32, u64>) -> u64 {
    if let Some(&depth) = known.get(&start) {
        return depth;
    }
    known.insert(start, 0);
    let Some(function) = program.functions.iter().find(|function| function.start == start) else { return 0 };
    let code: Vec<(u32, isa::Insn)> =
        (start..function.end).filter_map(|slot| Some((slot, *program.code.at(slot)?))).collect();
    let callees = code.iter().filter_map(|&(slot, insn)| match insn {
        isa::Insn::Call(CallTarget::Local(distance))
        | isa::Insn::LoadImm64 { value: isa::Imm64::Func(distance), .. } => {
            slot.checked_add(1)?.checked_add_signed(distance)
        }
        _ => None,
    });
    let below = callees.map(|callee| deepest(program, callee, known)).max().unwrap_or(0);
    let insns: Vec<isa::Insn> = code.iter().map(|&(_, insn)| insn).collect();
    let depth = measure::stack(&insns).next_multiple_of(16) + below;
    known.insert(start, depth);
    depth
}
