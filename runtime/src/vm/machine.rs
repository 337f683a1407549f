//! Interpreter and compiled code as an [`Engine`]: an image with its maps, run as often as asked.
//!
//! In: a [`Verified`] image and a host. A [`Vm`] owns all memory; maps keep their contents from
//! run to run, everything else starts afresh. The interpreter checks every access, so it also
//! takes images that nobody has verified.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use skep_stdlib::ByteOrder;
use skep_stdlib::maps::MapType;
use skep_stdlib::programs::Context;

use super::env::TaskLayout;
use super::hook::Hook;
use super::interp::{FRAME_SIZE, FRAME_STRIDE, frames};
use super::jit::Jit;
use super::{
    Decoded, Engine, Env, Fault, Input, Interp, Layout, Memory, Outcome, Output, Profile, Recording,
    RedirectActions, RunError,
};
use crate::Verified;
use crate::helpers::HelperTable;
use crate::host::Host;
use crate::maps::{Errno, MapSet};
use crate::object::{Image, LoadError, Place, Slot};
use crate::programs;

/// Most bytes that a VM's memory takes.
const MEMORY_LIMIT: u32 = 256 << 20;
/// Bytes that any context fits into: the most that the kernel lets user space pass.
pub(crate) const CONTEXT_SIZE: u32 = 65_536;

/// A loaded image.
pub struct Vm {
    verified: Verified,
    env: Env,
    decoded: Vec<Decoded>,
    helpers: HelperTable,
    profile: Option<Profile>,
    recording: Option<Recording>,
    jit: Option<Jit>,
}

impl Vm {
    /// Creates the maps and compiles the programs to machine code. What was proven runs without
    /// checks; what was not ([`Verified::unchecked`]) cannot leave the VM's memory, and ends with its
    /// budget, but may damage what is in that memory without a fault.
    ///
    /// Fails where machine code cannot be made: see [`Vm::can_compile`].
    pub fn compiled(verified: Verified, host: Box<dyn Host>) -> Result<Vm, LoadError> {
        let mut vm = Vm::load(verified, host)?;
        vm.compile(None)?;
        Ok(vm)
    }

    /// As [`Vm::compiled`], with constant blinding: no constant that the programs' author has chosen is in
    /// the machine code, where a jump that went wrong could execute it. The masks follow from `seed`, which
    /// nobody must be able to guess. Constants cost three machine instructions instead of one or none.
    pub fn blinded(verified: Verified, host: Box<dyn Host>, seed: u64) -> Result<Vm, LoadError> {
        let mut vm = Vm::load(verified, host)?;
        vm.compile(Some(seed))?;
        Ok(vm)
    }

    /// A machine of each engine there is, for tests that compare them: the plain interpreter first, then
    /// the others without a proof, and with the proof if there is one.
    pub fn every(
        image: &Image,
        proven: Option<Verified>,
        host: &dyn Fn() -> Box<dyn Host>,
    ) -> Result<Vec<Vm>, LoadError> {
        let unchecked = || Verified::unchecked(image.clone());
        let mut all = alloc::vec![Vm::plain(unchecked(), host())?];
        for image in [Some(unchecked()), proven].into_iter().flatten() {
            all.push(Vm::new(image.clone(), host())?);
            if Vm::can_compile() {
                all.push(Vm::compiled(image.clone(), host())?);
                all.push(Vm::blinded(image, host(), 1)?);
            }
        }
        Ok(all)
    }

    /// Is there a compiler for this machine?
    pub const fn can_compile() -> bool {
        Jit::IS_HERE
    }

    fn compile(&mut self, seed: Option<u64>) -> Result<(), LoadError> {
        self.jit = Some(Jit::compile(&self.verified, &self.helpers, &self.env, seed)?);
        Ok(())
    }

    /// Runs the functions of timers that are due.
    fn run_timers(&mut self, budget: u64) -> Result<(), Fault> {
        if self.env.timers.is_empty() {
            return Ok(());
        }
        if let Some(jit) = &mut self.jit {
            return jit.run_timers(&mut self.env, &self.helpers, budget);
        }
        Interp::new(&self.decoded, &self.helpers, 0, budget).run_timers(&mut self.env)
    }

    /// Runs the chosen engine as often as the input says, or until a fault; also the number of instructions,
    /// where it is counted.
    fn execute(&mut self, program: usize, args: [u64; 5], input: &Input) -> (Result<u64, Fault>, u64) {
        if let Some(jit) = &mut self.jit {
            return (jit.run(&mut self.env, &self.helpers, program, args, input), 0);
        }
        let (mut last, mut insns) = (0, 0u64);
        for _ in 0..input.repeat.max(1) {
            let interp = Interp::new(&self.decoded, &self.helpers, program, input.budget);
            let interp = interp.with_profile(self.profile.as_mut());
            let mut interp = interp.with_recording(self.recording.as_mut());
            let result = interp.run(&mut self.env, args);
            insns = insns.saturating_add(interp.executed());
            match result {
                Ok(value) => last = value,
                Err(fault) => return (Err(fault), insns),
            }
        }
        (Ok(last), insns)
    }

    /// Creates the maps and prepares the programs for the interpreter. What was proven runs without
    /// looking into every access again; of all else every access is compared with its region.
    pub fn new(verified: Verified, host: Box<dyn Host>) -> Result<Vm, LoadError> {
        Vm::interpreted(verified, host, true)
    }

    /// As [`Vm::new`], for an interpreter that executes one instruction after the other and checks
    /// everything, proven or not: what other engines are compared with.
    pub fn plain(verified: Verified, host: Box<dyn Host>) -> Result<Vm, LoadError> {
        Vm::interpreted(verified, host, false)
    }

    fn interpreted(verified: Verified, host: Box<dyn Host>, fast: bool) -> Result<Vm, LoadError> {
        let mut vm = Vm::load(verified, host)?;
        let mut decoded: Vec<Decoded> = vm.image().programs.iter().map(Decoded::new).collect();
        if fast {
            let value_of = |map| vm.env.maps.value_address(map);
            // Which of an arena's pages are there changes: no proof tells.
            let is_trusted = vm.verified.is_proven() && !vm.env.soft_faults;
            decoded.iter_mut().for_each(|program| program.quicken(is_trusted, &value_of));
        }
        vm.decoded = decoded;
        Ok(vm)
    }

    /// Creates the memory and the maps: a machine without an engine.
    fn load(verified: Verified, host: Box<dyn Host>) -> Result<Vm, LoadError> {
        let image = verified.image();
        if image.order != ByteOrder::Little {
            return Err(LoadError::unsupported(Place::File(5), "big-endian programs cannot be run here"));
        }
        let mut memory = Memory::new(MEMORY_LIMIT);
        let frames = frames(image);
        let layout = Layout { count: frames, elem: FRAME_SIZE as u32, stride: FRAME_STRIDE as u32 };
        let stack = memory.alloc(layout, true).map_err(|_| no_memory())?;
        let context = memory.alloc(Layout::bytes(CONTEXT_SIZE), true).map_err(|_| no_memory())?;
        let mut maps = MapSet::create(&image.maps, host.cpus(), &mut memory)?;
        fill_slots(image, &mut maps, &mut memory)?;
        let env = Env {
            memory,
            maps,
            host,
            output: Output::default(),
            stack,
            frames,
            context,
            context_len: 0,
            packet: None,
            packet_buffer: None,
            probe_loads: false,
            soft_faults: image.maps.iter().any(|map| map.ty == MapType::Arena),
            args: Vec::new(),
            ret: None,
            current_task: 0,
            session_cookie: 0,
            function_ip: 0,
            cookie: 0,
            btf: image.btf.clone(),
            kernel_btf: image.target_btf.clone(),
            context_info: None,
            hook: Hook::default(),
            objects: BTreeMap::new(),
            timers: BTreeMap::new(),
            socket_options: BTreeMap::new(),
            redirect_actions: RedirectActions::default(),
            kernel_symbols: BTreeMap::new(),
            task_layout: TaskLayout::find(image),
        };
        let helpers = HelperTable::new(&image.kfuncs);
        Ok(Vm { verified, env, decoded: Vec::new(), helpers, profile: None, recording: None, jit: None })
    }

    /// The image that was loaded.
    pub fn image(&self) -> &Image {
        self.verified.image()
    }

    /// The world that programs see.
    pub fn host_mut(&mut self) -> &mut dyn Host {
        &mut *self.env.host
    }

    /// From now on counts how often each instruction is executed; compiled code does not count.
    pub fn start_profile(&mut self) {
        self.profile = Some(Profile::new(&self.decoded));
    }

    /// What was counted since [`Vm::start_profile`].
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    /// From now on writes down what registers hold at each instruction; compiled code does not.
    pub fn start_recording(&mut self) {
        self.recording = Some(Recording::new());
    }

    /// What was written down since [`Vm::start_recording`], which then ends.
    pub fn take_recording(&mut self) -> Recording {
        self.recording.take().unwrap_or_default()
    }

    /// Index of the program with this name.
    pub fn program(&self, name: &str) -> Option<usize> {
        self.image().programs.iter().position(|program| program.name == name)
    }

    /// Writes a map element, as user space would.
    pub fn map_write(&mut self, map: &str, key: &[u8], value: &[u8]) -> Result<(), RunError> {
        let index = self.env.maps.index_of(map);
        let entry = index.and_then(|index| self.env.maps.get_mut(index));
        let entry = entry.ok_or_else(|| RunError::new(format!("no map is called `{map}`")))?;
        let result = entry.write(&mut self.env.memory, key, value);
        result.map_err(|Errno(number)| RunError::new(format!("writing to map `{map}`: error {number}")))
    }

    /// Reads a map element, as user space would.
    pub fn map_read(&self, map: &str, key: &[u8]) -> Option<Vec<u8>> {
        let entry = self.env.maps.get(self.env.maps.index_of(map)?)?;
        entry.read(&self.env.memory, key)
    }
}

impl Engine for Vm {
    fn name(&self) -> &'static str {
        if let Some(jit) = &self.jit {
            return match (self.verified.is_proven(), jit.is_blinded()) {
                (true, false) => "jit",
                (true, true) => "blinded jit",
                (false, false) => "jit without proof",
                (false, true) => "blinded jit without proof",
            };
        }
        match self.decoded.first().is_some_and(Decoded::is_fast) {
            true if self.verified.is_proven() => "interp",
            true => "interp without proof",
            false => "plain interp",
        }
    }

    fn run(&mut self, program: usize, input: &Input) -> Result<Outcome, RunError> {
        for preset in &input.maps {
            let index = self.env.maps.index_of(&preset.map);
            let Some(entry) = index.and_then(|index| self.env.maps.get_mut(index)) else {
                return Err(RunError::new(format!("no map is called `{}`", preset.map)));
            };
            let written = entry.write(&mut self.env.memory, &preset.key, &preset.value);
            written.map_err(|errno| {
                RunError::new(format!("presetting map `{}`: error {}", preset.map, errno.0))
            })?;
        }
        self.env.begin_run(input.stack);
        if let Err(fault) = self.run_timers(input.budget) {
            return Err(RunError::new(format!("a timer's function: {fault}")));
        }
        let Some(chosen) = self.verified.image().programs.get(program) else {
            return Err(RunError::new(format!("there is no program {program}")));
        };
        let typed = chosen.ty.info().context == Context::TypedArguments;
        self.env.probe_loads = typed && self.verified.is_proven();
        let args = programs::prepare(&mut self.env, self.verified.image(), chosen, input)?;
        let ty = chosen.ty;
        let (result, insns) = self.execute(program, args, input);
        let data = programs::data_after(&self.env);
        self.env.end_run();
        let output = core::mem::take(&mut self.env.output);
        Ok(Outcome {
            result: result.map(|value| programs::result_of(ty, value)),
            data,
            trace: output.trace,
            events: output.events,
            printed: String::from_utf8_lossy(&output.printed).into_owned(),
            requests: output.requests,
            redirect: output.redirect,
            maps: if input.list_maps { self.env.maps.contents(&self.env.memory) } else { Vec::new() },
            insns,
        })
    }
}

fn no_memory() -> LoadError {
    LoadError::limit(Place::File(0), "out of memory")
}

/// Puts the statically declared inner maps and programs into their places.
fn fill_slots(image: &Image, maps: &mut MapSet, memory: &mut Memory) -> Result<(), LoadError> {
    for (index, def) in image.maps.iter().enumerate() {
        for &(slot, target) in &def.slots {
            let handle = match target {
                Slot::Map(map) => map,
                Slot::Program(program) => program,
            };
            let Some(entry) = maps.get_mut(index as u32) else { continue };
            entry.write(memory, &slot.to_le_bytes(), &handle.to_le_bytes()).map_err(|errno| {
                let what = format!("its initial element {slot} cannot be set: error {}", errno.0);
                LoadError::malformed(Place::Map(def.name.clone()), what)
            })?;
        }
    }
    Ok(())
}
