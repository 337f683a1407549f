//! `skep run`: one program, or several in turn, without a kernel.
//!
//! A C file is compiled and verified first, an object verified. Time, process, processor and random
//! numbers are what the command line says, so the same command prints the same.

use std::collections::BTreeMap;

use skep_runtime::host::{Deterministic, Task};
use skep_runtime::object::MapDef;
use skep_runtime::pcap;
use skep_runtime::vm::{Engine, Input, MapPreset, Value, Vm};
use skep_runtime::{Image, Verified};
use skep_stdlib::programs::Context;

use crate::compile::{CompileArgs, compile_file};
use crate::coverage::{Coverage, CoverageArgs};
use crate::engine::EngineName;
use crate::error::{Error, Result};
use crate::io::{DiskFiles, Io};
use crate::json;
use crate::load::{self, VerifyArgs};
use crate::show;
use crate::values;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// A C file or an object
    file: String,
    /// The program to run; several are run in this order (default: the only one)
    #[arg(short, long, value_name = "NAME")]
    prog: Vec<String>,
    /// The packet: hex digits, or a file of bytes or of hex digits (*.hex)
    #[arg(long, value_name = "HEX|FILE", conflicts_with = "pcap")]
    pkt: Option<String>,
    /// Run once for each packet of this capture (pcap or pcapng)
    #[arg(long, value_name = "FILE")]
    pcap: Option<String>,
    /// Write the packets that were passed on, as the program left them; as pcapng if the name ends so
    #[arg(long, value_name = "FILE", requires = "pcap")]
    pcap_out: Option<String>,
    /// Set a field of the context
    #[arg(long, value_name = "FIELD=VALUE")]
    ctx: Vec<String>,
    /// Next argument of the traced function: a number, or a string in double quotes
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    arg: Vec<String>,
    /// Return value of the traced function
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    ret: Option<String>,
    /// Write a map element first: numbers, strings in double quotes, or bytes after hex:
    #[arg(long, value_name = "MAP:KEY=VALUE")]
    map: Vec<String>,
    /// Show the maps afterwards
    #[arg(long)]
    dump_maps: bool,
    /// Show the packet afterwards
    #[arg(long, conflicts_with = "pcap")]
    dump_packet: bool,
    /// Run so many times
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "pcap", value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Nanoseconds since boot at the first reading of the clock
    #[arg(long, value_name = "NS", default_value_t = 1_000_000_000)]
    time: u64,
    /// Nanoseconds between two readings of the clock
    #[arg(long, value_name = "NS", default_value_t = 1_000)]
    tick: u64,
    /// Process id
    #[arg(long, default_value_t = 1)]
    pid: u32,
    /// Thread id (default: the process id)
    #[arg(long)]
    tid: Option<u32>,
    /// Name of the process
    #[arg(long, default_value = "skep")]
    comm: String,
    /// Processor
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..MAX_CPUS))]
    cpu_id: u32,
    /// Seed of the random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Most instructions of one run
    #[arg(long, value_name = "N", default_value_t = 100_000_000)]
    budget: u64,
    /// Run even what the verifier refuses; every access is kept inside the program's memory
    #[arg(long)]
    unchecked: bool,
    /// Interpret the program, checking every access and counting instructions, or compile it
    #[arg(long, value_enum, default_value_t = EngineName::Interp)]
    engine: EngineName,
    /// Compile it with no constant of the program's in the machine code; the masks follow from this number
    #[arg(long, value_name = "SEED", conflicts_with = "engine")]
    blind: Option<u64>,
    /// Print what came out as JSON
    #[arg(long, conflicts_with_all = ["dump_maps", "dump_packet"])]
    json: bool,
    #[command(flatten)]
    coverage: CoverageArgs,
    #[command(flatten)]
    compile: CompileArgs,
    #[command(flatten)]
    verify: VerifyArgs,
}

/// The most processors that a kernel can be built for.
const MAX_CPUS: i64 = 8192;

/// Runs it.
pub fn run(args: Args, io: &mut Io<'_>) -> Result {
    let verified = load_program(&args, io)?;
    let programs = chosen_programs(&args, verified.image())?;
    let mut input = Input { budget: args.budget, ..Input::default() };
    for field in &args.ctx {
        let (name, value) = split(field, '=', "FIELD=VALUE")?;
        input.fields.push((name.to_owned(), values::parse(value)?));
    }
    input.args = args.arg.iter().map(|value| values::parse(value)).collect::<Result<_>>()?;
    input.ret = args.ret.as_deref().map(values::number).transpose()?;
    for preset in &args.map {
        input.maps.push(map_preset(preset, verified.image())?);
    }
    if (args.pkt.is_some() || args.pcap.is_some()) && !programs.iter().any(|&index| takes_packet(&verified, index)) {
        let program = &verified.image().programs[programs[0]];
        let help = "set its input with --ctx and --arg";
        return Err(Error::usage(format!("`{}` ({}) takes no packet: {help}", program.name, program.section)));
    }
    let host = Box::new(host(&args)?);
    let vm = match args.blind {
        Some(seed) => Vm::blinded(verified, host, seed),
        None => args.engine.machine(verified, host),
    };
    let mut vm = vm.map_err(Error::usage)?;
    if args.coverage.wanted() {
        vm.start_profile();
    }
    let result = match &args.pcap {
        Some(path) => replay(&args, path, &mut vm, &programs, input, io),
        None => run_each(&args, &mut vm, &programs, input, io),
    };
    if let Some(profile) = vm.profile() {
        let mut coverage = Coverage::default();
        coverage.add(vm.image(), profile, &args.file);
        args.coverage.write(&coverage, io)?;
    }
    result
}

/// Runs the programs in their order, as often as asked.
fn run_each(args: &Args, vm: &mut Vm, programs: &[usize], mut input: Input, io: &mut Io<'_>) -> Result {
    if let Some(packet) = &args.pkt {
        input.data = values::packet(packet, io)?;
    }
    let mut faulted = false;
    let mut last = None;
    for _ in 0..args.repeat {
        for &program in programs {
            let outcome = vm.run(program, &input).map_err(Error::usage)?;
            // Presets hold for the first run.
            input.maps.clear();
            faulted |= outcome.result.is_err();
            match args.json {
                true => writeln!(io.out, "{}", json::outcome(vm.image(), program, &outcome))?,
                false => show::outcome(&vm.image().programs[program], &outcome, io)?,
            }
            last = Some(outcome);
        }
    }
    if let Some(outcome) = last {
        if args.dump_packet {
            show::packet(&outcome.data, io)?;
        }
        if args.dump_maps {
            show::maps(vm.image(), &outcome.maps, io)?;
        }
    }
    if faulted { Err(Error::FINDINGS) } else { Ok(()) }
}

fn takes_packet(verified: &Verified, index: usize) -> bool {
    let context = verified.image().programs[index].ty.info().context;
    matches!(context, Context::Fields("xdp_md" | "__sk_buff" | "sk_reuseport_md" | "sk_msg_md"))
}

fn load_program(args: &Args, io: &mut Io<'_>) -> Result<Verified> {
    let is_c = args.file.ends_with(".c");
    let disk = DiskFiles::default();
    let mut session = args.compile.session(&disk)?;
    let compiled = match is_c {
        true => Some(compile_file(&mut session, &args.file, &args.compile.options(), io)?),
        false => None,
    };
    let image = match &compiled {
        Some(compiled) => load::link(&args.file, &compiled.object, &args.verify, io)?,
        None => {
            let bytes = io.read(&args.file)?;
            load::link(&args.file, &bytes, &args.verify, io)?
        }
    };
    if args.unchecked {
        return Ok(Verified::unchecked(image));
    }
    load::verify(image, compiled.as_ref().map(|compiled| (compiled, &session)), &args.verify, io)
}

fn chosen_programs(args: &Args, image: &Image) -> Result<Vec<usize>> {
    let names: Vec<&str> = image.programs.iter().map(|program| program.name.as_str()).collect();
    let list = load::program_names(image);
    if args.prog.is_empty() {
        return match names.len() {
            0 => Err(Error::usage(format!("`{}` has no programs", args.file))),
            1 => Ok(vec![0]),
            _ => Err(Error::usage(format!("`{}` has several programs: choose by --prog {list}", args.file))),
        };
    }
    let find = |name: &String| {
        let unknown = || Error::usage(format!("`{}` has no program `{name}`; it has {list}", args.file));
        names.iter().position(|known| known == name).ok_or_else(unknown)
    };
    args.prog.iter().map(find).collect()
}

fn host(args: &Args) -> Result<Deterministic> {
    let name = args.comm.as_bytes();
    if name.len() > 15 {
        return Err(Error::usage(format!("`{}`: a process name has at most 15 bytes", args.comm)));
    }
    let mut comm = [0; 16];
    comm[..name.len()].copy_from_slice(name);
    let task = Task { pid: args.tid.unwrap_or(args.pid), tgid: args.pid, comm, ..Task::default() };
    let cpus = args.cpu_id + 1;
    Ok(Deterministic {
        now_ns: args.time,
        tick_ns: args.tick,
        seed: args.seed,
        cpu: args.cpu_id,
        cpus,
        task,
    })
}

fn split<'t>(text: &'t str, at: char, form: &str) -> Result<(&'t str, &'t str)> {
    text.split_once(at).ok_or_else(|| Error::usage(format!("`{text}` is not of the form {form}")))
}

/// `MAP:KEY=VALUE`
fn map_preset(text: &str, image: &Image) -> Result<MapPreset> {
    let form = "MAP:KEY=VALUE";
    let (map, element) = split(text, ':', form)?;
    let (key, value) = split(element, '=', form)?;
    let unknown = || {
        let names: Vec<String> = image.maps.iter().map(|def| format!("`{}`", def.name)).collect();
        let list = if names.is_empty() { "none".into() } else { names.join(", ") };
        Error::usage(format!("there is no map `{map}`; there are {list}"))
    };
    let def: &MapDef = image.maps.iter().find(|def| def.name == map).ok_or_else(unknown)?;
    let bytes = |text: &str, size: u32| -> Result<Vec<u8>> {
        match values::parse(text)? {
            Value::Int(number) => Ok(values::int_bytes(number, size as usize)),
            Value::Str(text) => Ok(text.into_bytes()),
            Value::Bytes(bytes) => Ok(bytes),
            Value::Struct { ty, .. } => Err(Error::usage(format!("a map cannot hold an address of `struct {ty}`"))),
        }
    };
    Ok(MapPreset { map: map.into(), key: bytes(key, def.key_size)?, value: bytes(value, def.value_size)? })
}

/// Runs the programs on each packet of a capture and counts the verdicts.
fn replay(args: &Args, path: &str, vm: &mut Vm, programs: &[usize], mut input: Input, io: &mut Io<'_>) -> Result {
    let bytes = io.read(path)?;
    let (capture, broken) = pcap::read(&bytes);
    match broken {
        Some(error) if capture.packets.is_empty() => return Err(Error::file(path, error)),
        // What was readable is replayed; the capture may have been cut off.
        Some(error) => writeln!(io.err, "warning: `{path}`: {error}; later packets are left out")?,
        None => {}
    }
    let mut verdicts = BTreeMap::<String, u64>::new();
    let mut faulted = false;
    let mut passed = Vec::new();
    let mut maps = Vec::new();
    let mut progress = Progress::new(capture.packets.len());
    for (index, packet) in capture.packets.iter().enumerate() {
        input.data.clone_from(&packet.data);
        input.list_maps = (args.dump_maps || args.json) && index + 1 == capture.packets.len();
        for &program in programs {
            let outcome = vm.run(program, &input).map_err(Error::usage)?;
            input.maps.clear();
            let kind = &vm.image().programs[program];
            *verdicts.entry(show::verdict(kind, &outcome)).or_default() += 1;
            if !args.json {
                show::effects(&outcome, io)?;
            }
            faulted |= outcome.result.is_err();
            if show::passes(kind, &outcome) {
                passed.push(pcap::Packet { data: outcome.data, ..packet.clone() });
            }
            maps = outcome.maps;
        }
        progress.step(index + 1, io)?;
    }
    progress.end(io)?;
    if args.json {
        writeln!(io.out, "{}", json::replay(vm.image(), capture.packets.len(), &verdicts, &maps))?;
    } else {
        writeln!(io.out, "{} packets", capture.packets.len())?;
        for (verdict, count) in &verdicts {
            writeln!(io.out, "{count:8} {verdict}")?;
        }
    }
    if let Some(output) = &args.pcap_out {
        let capture = pcap::Capture { packets: passed, ..capture };
        let bytes = match output.ends_with(".pcapng") {
            true => pcap::write_ng(&capture),
            false => pcap::write(&capture),
        };
        io.write(output, &bytes)?;
    }
    if args.dump_maps {
        show::maps(vm.image(), &maps, io)?;
    }
    if faulted { Err(Error::FINDINGS) } else { Ok(()) }
}

/// How far a long replay is, on a terminal.
struct Progress {
    total: usize,
    shown: bool,
}

impl Progress {
    /// Packets between two lines.
    const EVERY: usize = 100_000;

    fn new(total: usize) -> Progress {
        Progress { total, shown: false }
    }

    fn step(&mut self, done: usize, io: &mut Io<'_>) -> Result {
        if io.color && done.is_multiple_of(Progress::EVERY) {
            write!(io.err, "\r{done} of {} packets", self.total)?;
            io.err.flush()?;
            self.shown = true;
        }
        Ok(())
    }

    fn end(&mut self, io: &mut Io<'_>) -> Result {
        if self.shown { Ok(writeln!(io.err)?) } else { Ok(()) }
    }
}
