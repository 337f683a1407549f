//! Runs one case: fresh maps, the case's globals and host, its runs one after the other.
//!
//! Whatever goes wrong, in the program or in the case itself, is a problem of that case and is said
//! there; the other cases run.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::Path;

use skep_runtime::Image;
use skep_runtime::host::{Deterministic, Task};
use skep_runtime::object::{MapDef, MapRole};
use skep_runtime::pcap;
use skep_runtime::vm::{Engine, Event, Input, MapContents, MapPreset, Outcome, Redirect, Value, Vm};
use skep_stdlib::btf::{Type, TypeId};
use skep_stdlib::maps::MapType;
use toml::{Table, Value as Toml};

use super::data::{self, Pattern};
use super::expect;
use super::file::{Case, Element, File, Host, Run};
use super::packet;
use crate::io::Io;
use crate::show;
use crate::values;

/// What came out of a case.
#[derive(Debug)]
pub struct Verdict {
    /// The case.
    pub name: String,
    /// What is not as it should be; nothing if it passed.
    pub problems: Vec<String>,
    /// Runs that were made.
    pub runs: u64,
    /// Instructions they executed; 0 in compiled code.
    pub insns: u64,
}

/// What a run, or the runs on a capture, left.
pub struct Observed {
    /// The result by name, or the fault.
    pub verdict: String,
    /// The last outcome.
    pub last: Outcome,
    /// All lines of `bpf_trace_printk`.
    pub trace: Vec<String>,
    /// All that was printed for readers.
    pub printed: String,
    /// All that the kernel was asked for.
    pub requests: Vec<String>,
    /// All records.
    pub events: Vec<Event>,
    /// How often each result came.
    pub verdicts: BTreeMap<String, u64>,
    /// The packets that are passed on.
    pub passed: pcap::Capture,
}

impl Observed {
    /// The elements of all maps.
    pub fn maps(&self) -> &[MapContents] {
        &self.last.maps
    }

    /// The last redirection.
    pub fn redirect(&self) -> Option<&Redirect> {
        self.last.redirect.as_ref()
    }
}

/// A file's cases and what they run on.
pub struct Suite<'a> {
    /// The cases.
    pub file: &'a File,
    /// The directory that names are looked up in.
    pub folder: &'a Path,
}

/// What a virtual machine is made with, from an image with its global variables set.
pub type Make<'m> = dyn FnMut(Image, Box<Deterministic>, &mut Io<'_>) -> Result<Vm, String> + 'm;

impl Suite<'_> {
    /// Runs a case on a machine from `make`; `done` sees the machine afterwards.
    pub fn run(
        &self,
        case: &Case,
        image: &Image,
        make: &mut Make<'_>,
        done: &mut dyn FnMut(&Vm),
        io: &mut Io<'_>,
    ) -> Verdict {
        let mut verdict = Verdict { name: case.name.clone(), problems: Vec::new(), runs: 0, insns: 0 };
        match self.prepare(case, image, make, io) {
            Ok(mut vm) => {
                for (index, run) in case.runs.iter().enumerate() {
                    let problems = match self.one(case, run, index == 0, &mut vm, &mut verdict, io) {
                        Ok(problems) => problems,
                        Err(error) => vec![error],
                    };
                    let place = |problem| match case.runs.len() {
                        1 => problem,
                        _ => format!("run {}: {problem}", index + 1),
                    };
                    verdict.problems.extend(problems.into_iter().map(place));
                }
                done(&vm);
            }
            Err(error) => verdict.problems.push(error),
        }
        if case.runs.is_empty() {
            verdict.problems.push("it has no `[[case.run]]`".into());
        }
        verdict
    }

    fn prepare(
        &self,
        case: &Case,
        image: &Image,
        make: &mut Make<'_>,
        io: &mut Io<'_>,
    ) -> Result<Vm, String> {
        let mut image = image.clone();
        set_globals(&mut image, &self.file.globals)?;
        set_globals(&mut image, &case.globals)?;
        let mut host = Deterministic::default();
        for changes in [&self.file.host, &case.host] {
            change_host(&mut host, changes)?;
            host.cpus = changes.cpus.unwrap_or(host.cpus).max(1);
        }
        host.cpus = host.cpus.max(host.cpu + 1);
        make(image, Box::new(host), io)
    }

    /// One run; what is not as expected.
    fn one(
        &self,
        case: &Case,
        run: &Run,
        first: bool,
        vm: &mut Vm,
        verdict: &mut Verdict,
        io: &mut Io<'_>,
    ) -> Result<Vec<String>, String> {
        let program = choose(vm.image(), run.program.as_ref().or(case.program.as_ref()))?;
        let mut input = Input { budget: run.budget.unwrap_or(Input::default().budget), ..Input::default() };
        let presets = match first {
            true => [&self.file.maps[..], &case.maps, &run.maps].concat(),
            false => run.maps.clone(),
        };
        for element in &presets {
            input.maps.push(preset(vm.image(), element)?);
        }
        input.fields = data::fields(&Toml::Table(run.ctx.clone()))?;
        input.args = run.args.iter().map(data::scalar).collect::<Result<_, _>>()?;
        input.ret = match run.ret.as_ref().map(data::scalar).transpose()? {
            None => None,
            Some(Value::Int(number)) => Some(number),
            Some(_) => return Err("`ret` is not a number".into()),
        };
        let start = match host(vm) {
            Some(host) => {
                change_host(host, &run.host)?;
                if let Some(after) = &run.after {
                    host.now_ns = host.now_ns.saturating_add(data::duration(after)?);
                }
                if host.cpu >= host.cpus {
                    return Err(format!(
                        "there is no processor {}: `cpus` of the case is {}",
                        host.cpu, host.cpus
                    ));
                }
                host.now_ns
            }
            None => 0,
        };
        let packets = self.packets(run, io)?;
        let (observed, runs, insns) = observe(vm, program, input, packets, run.repeat.max(1))?;
        verdict.runs += runs;
        verdict.insns += insns;
        let cpu = host(vm).map_or(0, |host| {
            // Readings of the clock move it within a run; between runs only the case does.
            host.now_ns = start;
            host.cpu
        });
        let wanted = expect::Wanted { suite: self, expect: &run.expect, image: vm.image(), program, cpu };
        wanted.check(&observed, insns, io)
    }

    /// The packets of a run; programs without one get an empty one.
    fn packets(&self, run: &Run, io: &mut Io<'_>) -> Result<pcap::Capture, String> {
        match (&run.packet, &run.pcap) {
            (Some(_), Some(_)) => Err("`packet` and `pcap` exclude each other".into()),
            (_, Some(name)) => self.capture(name, io),
            (packet, None) => {
                let data = packet.as_ref().map(|packet| self.packet(packet, io)).transpose()?;
                let packet = pcap::Packet { time_ns: 0, wire_len: 0, data: data.unwrap_or_default() };
                Ok(pcap::Capture { link_type: 1, packets: vec![packet] })
            }
        }
    }

    /// A packet as a case has it.
    pub fn packet(&self, value: &Toml, io: &mut Io<'_>) -> Result<Vec<u8>, String> {
        let said = |error: crate::error::Error| error.message().unwrap_or_default();
        match value {
            Toml::Table(headers) => packet::build(headers),
            Toml::String(text) => match text.strip_prefix("file:") {
                Some(name) => values::packet(&self.path(name), io).map_err(said),
                None => values::hex(text.strip_prefix("hex:").unwrap_or(text)).map_err(said),
            },
            _ => Err(format!("`{value}` is not a packet")),
        }
    }

    /// A capture by its name.
    pub fn capture(&self, name: &str, io: &mut Io<'_>) -> Result<pcap::Capture, String> {
        let bytes = io.read(&self.path(name)).map_err(|error| error.message().unwrap_or_default())?;
        match pcap::read(&bytes) {
            (capture, None) => Ok(capture),
            (_, Some(error)) => Err(format!("`{name}`: {error}")),
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }
}

fn host(vm: &mut Vm) -> Option<&mut Deterministic> {
    let host: &mut dyn Any = vm.host_mut();
    host.downcast_mut()
}

/// Runs the program on each packet.
fn observe(
    vm: &mut Vm,
    program: usize,
    mut input: Input,
    packets: pcap::Capture,
    repeat: u32,
) -> Result<(Observed, u64, u64), String> {
    let (mut trace, mut events) = (Vec::new(), Vec::new());
    let (mut printed, mut requests) = (String::new(), Vec::new());
    let (mut verdicts, mut passed) = (BTreeMap::<String, u64>::new(), Vec::new());
    let (mut last, mut runs, mut insns) = (None, 0, 0);
    for packet in &packets.packets {
        for _ in 0..repeat {
            input.data.clone_from(&packet.data);
            let mut outcome = vm.run(program, &input).map_err(|error| error.to_string())?;
            input.maps.clear();
            runs += 1;
            insns += outcome.insns;
            trace.append(&mut outcome.trace);
            events.append(&mut outcome.events);
            printed.push_str(&outcome.printed);
            requests.append(&mut outcome.requests);
            let kind = &vm.image().programs[program];
            let verdict = show::verdict(kind, &outcome);
            *verdicts.entry(show::short(&verdict).to_owned()).or_default() += 1;
            if show::passes(kind, &outcome) {
                passed.push(pcap::Packet { data: outcome.data.clone(), ..packet.clone() });
            }
            last = Some((verdict, outcome));
        }
    }
    let (verdict, last) = last.ok_or("the capture has no packets")?;
    let passed = pcap::Capture { link_type: packets.link_type, packets: passed };
    Ok((Observed { verdict, last, trace, events, printed, requests, verdicts, passed }, runs, insns))
}

/// The program that a run means.
fn choose(image: &Image, name: Option<&String>) -> Result<usize, String> {
    let list = || crate::load::program_names(image);
    match (name, image.programs.len()) {
        (None, 1) => Ok(0),
        (None, _) => Err(format!("say which `program` is run: {}", list())),
        (Some(name), _) => {
            let found = image.programs.iter().position(|program| program.name == *name);
            found.ok_or_else(|| format!("there is no program `{name}`; there are {}", list()))
        }
    }
}

/// The definition of a map that a case names.
pub fn map_def<'i>(image: &'i Image, name: &str) -> Result<&'i MapDef, String> {
    let names = || image.maps.iter().map(|def| format!("`{}`", def.name)).collect::<Vec<_>>().join(", ");
    let found = image.maps.iter().find(|def| def.name == name);
    found.ok_or_else(|| format!("there is no map `{name}`; there are {}", names()))
}

/// The key of an element; maps without keys have an empty one.
pub fn key(image: &Image, def: &MapDef, element: &Element) -> Result<Pattern, String> {
    match &element.key {
        Some(key) => data::pattern(image, def.btf_key, def.key_size, key)
            .map_err(|error| format!("map `{}`: key {error}", def.name)),
        None if def.key_size == 0 => Ok(Pattern::exact(Vec::new())),
        None => Err(format!("map `{}`: an element needs a `key`", def.name)),
    }
}

/// The value of an element; programs and maps go by their names.
pub fn value(image: &Image, def: &MapDef, value: &Toml) -> Result<Pattern, String> {
    let named = |found: Option<usize>, what: &str| {
        let index = found.ok_or_else(|| format!("map `{}`: there is no {what} {value}", def.name))?;
        Ok(Pattern::exact((index as u32).to_le_bytes().to_vec()))
    };
    let name = value.as_str().unwrap_or_default();
    match def.ty {
        MapType::ProgArray => {
            named(image.programs.iter().position(|program| program.name == name), "program")
        }
        MapType::ArrayOfMaps | MapType::HashOfMaps => {
            named(image.maps.iter().position(|def| def.name == name), "map")
        }
        _ => data::pattern(image, def.btf_value, def.value_size, value)
            .map_err(|error| format!("map `{}`: value {error}", def.name)),
    }
}

fn preset(image: &Image, element: &Element) -> Result<MapPreset, String> {
    let def = map_def(image, &element.map)?;
    let bytes =
        element.value.as_ref().ok_or_else(|| format!("map `{}`: an element needs a `value`", def.name))?;
    let key = key(image, def, element)?.bytes;
    Ok(MapPreset { map: def.name.clone(), key, value: value(image, def, bytes)?.bytes })
}

/// The place of a global variable: its data section, offset, type and size.
pub fn variable(image: &Image, name: &str) -> Result<(usize, u32, TypeId, u32), String> {
    let btf = image.btf.as_deref().ok_or("the object has no BTF, so that its variables have no names")?;
    for (index, def) in image.maps.iter().enumerate().filter(|(_, def)| def.role != MapRole::Declared) {
        let Some(Type::Datasec { vars, .. }) = btf.ty(def.btf_value) else { continue };
        for var in vars {
            if let Some(Type::Var { name: known, ty, .. }) = btf.ty(var.ty)
                && known == name
            {
                return Ok((index, var.offset, ty, var.size));
            }
        }
    }
    Err(format!("there is no global variable `{name}`"))
}

fn set_globals(image: &mut Image, globals: &Table) -> Result<(), String> {
    for (name, value) in globals {
        let (index, offset, ty, size) = variable(image, name)?;
        let pattern = data::pattern(image, ty, size, value).map_err(|error| format!("`{name}`: {error}"))?;
        let Some(def) = image.maps.get_mut(index) else { continue };
        def.contents.resize(def.value_size as usize, 0);
        let start = offset as usize;
        let place = def.contents.get_mut(start..start + size as usize);
        let place = place.ok_or_else(|| format!("`{name}` lies outside of its section"))?;
        for ((place, byte), mask) in place.iter_mut().zip(pattern.bytes).zip(pattern.mask) {
            *place = *place & !mask | byte & mask;
        }
    }
    Ok(())
}

fn change_host(host: &mut Deterministic, changes: &Host) -> Result<(), String> {
    if let Some(time) = &changes.time {
        host.now_ns = data::duration(time)?;
    }
    if let Some(tick) = &changes.tick {
        host.tick_ns = data::duration(tick)?;
    }
    host.seed = changes.seed.unwrap_or(host.seed);
    host.cpu = changes.cpu.unwrap_or(host.cpu);
    let old = &host.task;
    let mut comm = old.comm;
    if let Some(name) = &changes.comm {
        let name = name.as_bytes();
        comm = [0; 16];
        let place = comm[..15].get_mut(..name.len()).ok_or("a process name has at most 15 bytes")?;
        place.copy_from_slice(name);
    }
    host.task = Task {
        pid: changes.tid.or(changes.pid).unwrap_or(old.pid),
        tgid: changes.pid.unwrap_or(old.tgid),
        uid: changes.uid.unwrap_or(old.uid),
        gid: changes.gid.unwrap_or(old.gid),
        comm,
        cgroup_id: changes.cgroup.unwrap_or(old.cgroup_id),
    };
    Ok(())
}
