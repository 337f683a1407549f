//! Time in the running kernel, side by side: what our code and clang-19's take in the kernel's test run, at
//! `-O2 -mcpu=v3`. `cargo bench -p skep-tests --bench kernel_time`
//!
//! The programs are those of [`cases`]. Each is loaded [`RELOADS`] times, ours, clang's and an empty program in
//! turn, since where the kernel puts code changes what it takes; each load is measured [`ROUNDS`] times and the
//! least counts, and of the loads the median. What the empty program takes is subtracted. Both must return the
//! same and leave the same packet. Programs that leave too little above the empty one are listed only.
//! `SKEP_ONLY=name` measures those whose names hold it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use skep_runtime::kernel::Kernel;
use skep_runtime::object::{LinkOptions, Slot};
use skep_runtime::vm::{Input, MapPreset};
use skep_runtime::{Image, Object};
use skep_stdlib::btf::Btf;
use skep_tests::bench::{Row, binary, compare, compile, median, report};
use skep_tests::tools::{self, Need};
use skep_tests::workloads;

mod cases;

use cases::{Case, Class};

/// How often each program is loaded.
const RELOADS: usize = 7;

/// How often each load is measured.
const ROUNDS: usize = 3;

/// Nanoseconds that one measurement aims at.
const BATCH: u32 = 5_000_000;

/// Most calls of a measurement that calls for every run: what is not timed takes longer than what is.
const CALLS: u32 = 3000;

/// Nanoseconds above the empty program that a program must take to be compared.
const LEAST: f64 = 5.0;

/// How many of the worst are listed.
const WORST: usize = 10;

/// What both compilers are asked for.
const MODE: [&str; 2] = ["-mcpu=v3", "-O2"];

/// The most that each class may take of clang's time.
const GOALS: [(Class, &str, f64); 2] =
    [(Class::Compute, "compute and parse", 0.92), (Class::Helpers, "helper-bound", 1.00)];

fn main() {
    let needs = [
        Need::Clang,
        Need::Libbpf,
        Need::Stubs,
        Need::Vmlinux,
        Need::KernelTree,
        Need::Workloads,
        Need::Kernel,
    ];
    if let Err(missing) = tools::check(&needs) {
        return report(&format!("not measured: no {}", missing.name()));
    }
    let scratch = std::env::temp_dir().join(format!("skep-kernel-time-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("a scratch directory");
    let skep = binary().to_string_lossy().into_owned();
    let compilers = [vec![skep, "cc".into(), "-w".into()], vec![tools::CLANG.into(), "-w".into()]];
    let types = Btf::parse(std::fs::read(tools::KERNEL_BTF).expect("the kernel's types")).expect("types");
    let types = Arc::new(types);
    let only = std::env::var("SKEP_ONLY").unwrap_or_default();
    let mut measured: Vec<(Class, Row)> = Vec::new();
    for case in cases::all() {
        let name = name(&case);
        if !name.contains(&only) {
            continue;
        }
        match prepare(&case, &compilers, &types, &scratch).and_then(|images| measure(&case, &images)) {
            Err(why) => report(&format!("  {name}: not measured: {why}")),
            Ok([ours, theirs, floor]) => {
                let (above, below) = (ours - floor, theirs - floor);
                let counts = below >= LEAST;
                let note = if counts { "" } else { ", too near the empty program to count" };
                report(&format!(
                    "  {:.3} ({above:.1} for {below:.1} ns above {floor:.1}) {name}{note}",
                    above / below
                ));
                if counts {
                    let thousandths = |time: f64| (time.max(0.0) * 1000.0) as u64;
                    let row = Row { name, ours: thousandths(above), theirs: thousandths(below) };
                    measured.push((case.class, row));
                }
            }
        }
    }
    for (class, what, goal) in GOALS {
        let rows = measured.iter().filter(|(of, _)| *of == class).map(|(_, row)| row.clone());
        let mean = compare(&format!("picoseconds, {what}"), &rows.collect::<Vec<_>>(), WORST);
        let verdict = if mean <= goal { "reached" } else { "missed" };
        report(&format!("  goal {goal:.2} {verdict}"));
    }
    // The scratch directory is below the system's temporary one; leaving it behind is no failure.
    let _ = std::fs::remove_dir_all(scratch);
}

fn name(case: &Case) -> String {
    let parts = [case.corpus, &case.file, case.program, case.input];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

/// Our image, clang's, and that of an empty program of the same type.
fn prepare(
    case: &Case,
    compilers: &[Vec<String>; 2],
    types: &Arc<Btf>,
    scratch: &Path,
) -> Result<[Image; 3], String> {
    let (path, mut flags) = source(case).ok_or("no such source")?;
    let mut text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
    if let Some(section) = case.section {
        text = in_section(&text, section);
    }
    let file = scratch.join(path.file_name().unwrap_or_default());
    std::fs::write(&file, &text).map_err(|error| error.to_string())?;
    flags.push(format!("-I{}", path.parent().unwrap_or(scratch).display()));
    let link = |compiler: &[String], source: &Path| {
        let object = compile(compiler, &MODE, source, &flags, scratch).ok_or("it is not compiled")?;
        let options = LinkOptions { target_btf: Some(types.clone()), ..LinkOptions::default() };
        let image = Object::parse(&object).and_then(|object| object.link(&options));
        image.map_err(|error| error.to_string())
    };
    let mut images = [link(&compilers[0], &file)?, link(&compilers[1], &file)?];
    for image in &mut images {
        keep(image, case)?;
    }
    let chosen = images[1].programs.first().ok_or("it has no programs")?;
    let section = chosen.section.trim_start_matches('?');
    let empty = scratch.join("empty_of_type.c");
    let text = format!(
        "__attribute__((section(\"{section}\"), used)) int empty(void *ctx) {{ return {EMPTY}; }}\n\
         char _license[] __attribute__((section(\"license\"), used)) = \"GPL\";\n"
    );
    std::fs::write(&empty, text).map_err(|error| error.to_string())?;
    let floor = link(&compilers[1], &empty)?;
    let [ours, theirs] = images;
    Ok([ours, theirs, floor])
}

/// A source with all functions in a section of a type: names that only their own loader knows say none.
fn in_section(text: &str, section: &str) -> String {
    let mut parts = text.split("SEC(\"");
    let mut changed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('"').unwrap_or((part, ""));
        let is_data = name.starts_with('.') || matches!(name, "license" | "version");
        let name = if is_data { name } else { section };
        changed += &format!("SEC(\"{name}\"{rest}");
    }
    changed
}

/// What an empty program returns: what no type refuses.
const EMPTY: u32 = 1;

/// The case's file, and flags to compile it.
fn source(case: &Case) -> Option<(PathBuf, Vec<String>)> {
    let file = format!("{}.c", case.file);
    if case.corpus == "workloads" {
        let flags = workloads::FLAGS.map(String::from).to_vec();
        return Some((tools::workloads()?.join(file), flags));
    }
    let corpus = tools::corpora::selftests()?;
    let folder = corpus.files.first()?.parent()?;
    Some((folder.join(file), corpus.flags()))
}

/// Leaves the case's program, as the first, and those that it calls.
fn keep(image: &mut Image, case: &Case) -> Result<(), String> {
    let called = case.calls.map_or(&[][..], |(_, programs)| programs);
    let chosen = |name: &str| case.program.is_empty() || name == case.program;
    image.programs.retain(|program| chosen(&program.name) || called.contains(&program.name.as_str()));
    image.programs.sort_by_key(|program| !chosen(&program.name));
    if let Some((map, programs)) = case.calls {
        let index = |name: &&str| image.programs.iter().position(|program| program.name == **name);
        let slots =
            programs.iter().zip(0..).filter_map(|(name, at)| Some((at, Slot::Program(index(name)? as u32))));
        let slots = slots.collect();
        let map =
            image.maps.iter_mut().find(|def| def.name == map).ok_or("the map of programs is missing")?;
        map.slots = slots;
    }
    let first = image.programs.first().ok_or("the program is missing")?;
    if chosen(&first.name) { Ok(()) } else { Err("the program is missing".into()) }
}

/// Nanoseconds of each.
fn measure(case: &Case, images: &[Image; 3]) -> Result<[f64; 3], String> {
    let mut times = [const { Vec::new() }; 3];
    let mut once = false;
    for reload in 0..RELOADS {
        let mut outcomes = Vec::new();
        for (image, times) in images.iter().zip(&mut times) {
            let mut loaded = Loaded::new(image, case)?;
            if reload == 0 {
                let (first, again) = (loaded.outcome(1)?, loaded.outcome(3)?);
                // The packet is not put back between the runs of one call.
                once |= first != again;
                outcomes.push(first);
                loaded = Loaded::new(image, case)?;
            }
            times.push(loaded.least(once)?);
        }
        if let [ours, theirs, ..] = &outcomes[..]
            && ours != theirs
        {
            return Err(format!("it differs: {ours:?}, not {theirs:?}"));
        }
    }
    Ok(times.map(median))
}

/// A program in the kernel.
struct Loaded {
    kernel: Kernel,
    input: Input,
}

impl Loaded {
    fn new(image: &Image, case: &Case) -> Result<Loaded, String> {
        let mut kernel = Kernel::load(image).map_err(|error| error.to_string())?;
        let known = |name: &str| image.maps.iter().any(|def| def.name == name);
        let preset = |(map, key, value): &cases::Element| MapPreset {
            map: map.to_string(),
            key: key.clone(),
            value: value.clone(),
        };
        let maps = case.maps.iter().filter(|(map, ..)| known(map)).map(preset).collect();
        let mut input = Input { data: case.packet.clone(), list_maps: false, maps, ..Input::default() };
        kernel.measure(0, &input).map_err(|error| error.to_string())?;
        input.maps.clear();
        Ok(Loaded { kernel, input })
    }

    /// What so many runs return and leave.
    fn outcome(&mut self, repeat: u32) -> Result<(u64, Vec<u8>), String> {
        self.input.repeat = repeat;
        let (outcome, _) = self.kernel.measure(0, &self.input).map_err(|error| error.to_string())?;
        Ok((outcome.result.map_err(|fault| format!("{fault:?}"))?, outcome.data))
    }

    fn time(&mut self, repeat: u32) -> Result<f64, String> {
        self.input.repeat = repeat;
        let (_, time) = self.kernel.measure(0, &self.input).map_err(|error| error.to_string())?;
        Ok(f64::from(time))
    }

    /// The least of some measurements: in one call, or in a call for each run.
    fn least(&mut self, once: bool) -> Result<f64, String> {
        let mut least = f64::INFINITY;
        let guess = self.time(16)?.max(1.0);
        let runs = (f64::from(BATCH) / guess).max(1.0) as u32;
        for _ in 0..ROUNDS {
            let time = if once { self.calls(runs.clamp(100, CALLS))? } else { self.time(runs)? };
            least = least.min(time);
        }
        Ok(least)
    }

    /// The mean of calls for one run each, without the slowest tenth: those were interrupted.
    fn calls(&mut self, calls: u32) -> Result<f64, String> {
        let mut times = (0..calls).map(|_| self.time(1)).collect::<Result<Vec<_>, _>>()?;
        times.sort_by(f64::total_cmp);
        let kept = &times[..times.len() * 9 / 10];
        Ok(kept.iter().sum::<f64>() / kept.len() as f64)
    }
}
