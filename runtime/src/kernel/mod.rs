//! The running kernel as an engine: loads an image, test-runs its programs, reads its maps.
//!
//! Only on Linux, only with the feature `kernel`, only with the right to use bpf(2). Nothing is
//! ever attached or pinned: when a [`Kernel`] is dropped, all it made is gone.
//!
//! - `sys`: the system call. - `encode`: images in the kernel's terms.

mod encode;
mod sys;

use std::ffi::CString;
use std::format;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::string::String;
use std::vec::Vec;

use skep_stdlib::btf::Kind;
use skep_stdlib::maps::{MapType, Value as MapValue};
use skep_stdlib::programs::{Context, ProgType};

use crate::object::{Image, MapDef, MapRole, Program, Slot};
use crate::vm::{Engine, Input, MapContents, Outcome, RunError, Value};
use sys::{MapFd, MapSpec, ProgSpec};

/// An image loaded into the kernel.
pub struct Kernel {
    image: Image,
    maps: Vec<MapFd>,
    btf: Option<OwnedFd>,
    /// By index in the image; none if it was not loaded.
    programs: Vec<Option<OwnedFd>>,
}

/// Why the kernel did not take something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KernelError {
    /// What it did not take: a map, a program, the BTF.
    pub what: String,
    /// The error number.
    pub errno: i32,
    /// What the kernel's verifier said.
    pub log: String,
}

impl core::fmt::Display for KernelError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the kernel refuses {}: {}", self.what, io::Error::from_raw_os_error(self.errno))?;
        if self.log.is_empty() { Ok(()) } else { write!(f, "\n{}", self.log.trim_end()) }
    }
}

impl core::error::Error for KernelError {}

impl KernelError {
    fn new(what: String, error: &io::Error, log: String) -> KernelError {
        KernelError { what, errno: error.raw_os_error().unwrap_or(0), log }
    }
}

/// Bytes of log that are tried first, and when it did not fit.
const LOG_SIZES: [usize; 2] = [1 << 18, 1 << 24];
/// `-ENOSPC`: the log did not fit.
const ENOSPC: i32 = 28;

impl Kernel {
    /// Creates the maps and loads the BTF, but no program.
    pub fn prepare(image: &Image) -> Result<Kernel, KernelError> {
        let mut btf = None;
        if let Some(object) = &image.btf {
            let bytes = encode::btf(object);
            let mut log = Vec::new();
            let loaded = sys::btf_load(&bytes, &mut log).or_else(|_| {
                log.resize(LOG_SIZES[0], 0);
                sys::btf_load(&bytes, &mut log)
            });
            btf = Some(loaded.map_err(|error| KernelError::new("the BTF".into(), &error, text(&log)))?);
        }
        let mut maps = Vec::new();
        for def in &image.maps {
            let map = create_map(def, btf.as_ref())
                .map_err(|error| KernelError::new(format!("map `{}`", def.name), &error, String::new()))?;
            maps.push(map);
        }
        let mut kernel = Kernel {
            image: image.clone(),
            maps,
            btf,
            programs: image.programs.iter().map(|_| None).collect(),
        };
        kernel.fill_maps()?;
        Ok(kernel)
    }

    /// Creates the maps and loads all programs.
    pub fn load(image: &Image) -> Result<Kernel, KernelError> {
        let mut kernel = Kernel::prepare(image)?;
        for program in 0..image.programs.len() {
            kernel.load_program(program, 0)?;
        }
        kernel.fill_slots()?;
        Ok(kernel)
    }

    /// Loads one program; returns the verifier's log at `log_level` (0 none, 1 paths, 2 states,
    /// 4 statistics).
    pub fn load_program(&mut self, index: usize, log_level: u32) -> Result<String, KernelError> {
        let Some(program) = self.image.programs.get(index) else {
            let error = io::Error::from_raw_os_error(libc::ENOENT);
            return Err(KernelError::new(format!("program {index}"), &error, String::new()));
        };
        let mut result = self.try_load(program, log_level);
        // A failure without a log says nothing; ask again for one.
        if log_level == 0 && result.is_err() {
            result = self.try_load(program, 1);
        }
        let (fd, log) = result?;
        if let Some(slot) = self.programs.get_mut(index) {
            *slot = Some(fd);
        }
        Ok(log)
    }

    /// Asks for the verdict on a program that uses the maps of this image; keeps nothing.
    pub fn judge(&self, program: &Program, log_level: u32) -> Result<String, KernelError> {
        self.try_load(program, log_level).map(|(_, log)| log)
    }

    fn try_load(&self, program: &Program, log_level: u32) -> Result<(OwnedFd, String), KernelError> {
        let refuse = |error: &io::Error, log: &[u8]| {
            KernelError::new(format!("program `{}`", program.name), error, text(log))
        };
        let insns = encode::instructions(program, self.maps.len())
            .map_err(|error| refuse(&io::Error::other(error.as_str()), error.as_bytes()))?;
        let license = CString::new(self.image.license.as_bytes()).unwrap_or_default();
        let func_info = encode::func_info(program);
        let line_info = encode::line_info(program);
        let fds: Vec<u8> = self.maps.iter().flat_map(|map| map.as_raw_fd().to_ne_bytes()).collect();
        let spec = ProgSpec {
            ty: program.ty as u32,
            attach: program.attach.map_or(0, |attach| attach as u32),
            insns: &insns,
            license: &license,
            name: &program.name,
            flags: if program.sleepable { SLEEPABLE } else { 0 },
            kernel_version: self.image.kernel_version.unwrap_or(0),
            btf: self.btf.as_ref(),
            func_info: &func_info,
            line_info: if func_info.is_empty() { &[] } else { &line_info },
            attach_btf_id: self.attach_btf_id(program),
            fds: &fds,
            log_level,
        };
        let mut log = Vec::new();
        for size in LOG_SIZES {
            log.resize(if log_level == 0 { 0 } else { size }, 0);
            match sys::prog_load(&spec, &mut log) {
                Ok(fd) => return Ok((fd, text(&log))),
                Err(error) if error.raw_os_error() == Some(ENOSPC) && log_level != 0 => {}
                Err(error) => return Err(refuse(&error, &log)),
            }
        }
        Err(refuse(&io::Error::from_raw_os_error(ENOSPC), &log))
    }

    /// The function or hook in the kernel's BTF that the program is for.
    fn attach_btf_id(&self, program: &Program) -> u32 {
        let typed = program.ty.info().context == Context::TypedArguments;
        let (Some(target), Some(btf), true) = (&program.target, &self.image.target_btf, typed) else {
            return 0;
        };
        use skep_stdlib::programs::AttachType as A;
        let (prefix, kind) = match program.attach {
            Some(A::TraceRawTp) => ("btf_trace_", Kind::Typedef),
            Some(A::TraceIter) => ("bpf_iter_", Kind::Func),
            Some(A::LsmMac | A::LsmCgroup) => ("bpf_lsm_", Kind::Func),
            _ => ("", Kind::Func),
        };
        btf.find(&format!("{prefix}{target}"), kind).map_or(0, |id| id.0)
    }

    /// Initial contents of data sections.
    fn fill_maps(&mut self) -> Result<(), KernelError> {
        for (def, map) in self.image.maps.iter().zip(&self.maps) {
            let refuse = |error: io::Error| {
                KernelError::new(format!("the contents of map `{}`", def.name), &error, String::new())
            };
            if !def.contents.is_empty() {
                map.update(&[0; 4], &def.contents).map_err(refuse)?;
            }
            if def.is_frozen() {
                map.freeze().map_err(refuse)?;
            }
        }
        Ok(())
    }

    /// Statically declared elements of maps of maps and programs.
    fn fill_slots(&mut self) -> Result<(), KernelError> {
        for (def, map) in self.image.maps.iter().zip(&self.maps) {
            for &(index, slot) in &def.slots {
                let fd = match slot {
                    Slot::Map(target) => self.maps.get(target as usize).map(AsRawFd::as_raw_fd),
                    Slot::Program(target) => {
                        let program = self.programs.get(target as usize).and_then(Option::as_ref);
                        program.map(AsRawFd::as_raw_fd)
                    }
                };
                let Some(fd) = fd else { continue };
                map.update(&index.to_ne_bytes(), &fd.to_ne_bytes()).map_err(|error| {
                    KernelError::new(format!("element {index} of map `{}`", def.name), &error, String::new())
                })?;
            }
        }
        Ok(())
    }

    /// Writes a map element; a value shorter than the kernel's (one CPU's) is repeated.
    pub fn map_write(&self, name: &str, key: &[u8], value: &[u8]) -> Result<(), RunError> {
        let map = self.map(name).ok_or_else(|| RunError::new(format!("no map is called `{name}`")))?;
        let padded = value.len().next_multiple_of(8);
        let value = if value.len() < map.value_size() {
            let mut one = value.to_vec();
            one.resize(padded, 0);
            one.repeat(map.value_size() / padded.max(1))
        } else {
            value.to_vec()
        };
        map.update(key, &value).map_err(|error| RunError::new(format!("writing to map `{name}`: {error}")))
    }

    /// Runs a program as [`Engine::run`] does, and says how many nanoseconds one of the runs took on average, by
    /// the kernel's clock; 0 for programs of types that it does not time.
    pub fn measure(&mut self, program: usize, input: &Input) -> Result<(Outcome, u32), RunError> {
        let fd = self.programs.get(program).and_then(Option::as_ref);
        let (Some(fd), Some(chosen)) = (fd, self.image.programs.get(program)) else {
            return Err(RunError::new(format!("program {program} is not loaded")));
        };
        for preset in &input.maps {
            self.map_write(&preset.map, &preset.key, &preset.value)?;
        }
        let packet = matches!(chosen.ty.info().context, Context::Fields("xdp_md" | "__sk_buff"));
        let (data, context) = match chosen.ty {
            ProgType::Xdp => (input.data.clone(), xdp_context(input.data.len())),
            _ if packet => (input.data.clone(), Vec::new()),
            ProgType::RawTracepoint => (Vec::new(), raw_arguments(input)?),
            _ => (Vec::new(), input.data.clone()),
        };
        let run = match chosen.ty {
            ProgType::Syscall => {
                let mut context = context;
                sys::prog_call(fd, &mut context).map(|retval| sys::TestRun {
                    retval,
                    duration: 0,
                    data,
                    context,
                })
            }
            _ => sys::prog_test_run(fd, &data, &context, ROOM, input.repeat),
        };
        let run = run
            .map_err(|error| RunError::new(format!("the kernel does not run `{}`: {error}", chosen.name)))?;
        let duration = run.duration;
        let outcome = Outcome {
            result: Ok(u64::from(run.retval)),
            data: match chosen.ty {
                ProgType::Xdp => without_metadata(run),
                _ if packet => run.data,
                _ => run.context,
            },
            trace: Vec::new(),
            events: Vec::new(),
            printed: String::new(),
            requests: Vec::new(),
            redirect: None,
            maps: if input.list_maps { self.contents() } else { Vec::new() },
            insns: 0,
        };
        Ok((outcome, duration))
    }

    /// Reads a map element.
    pub fn map_read(&self, name: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.map(name)?.lookup(key).ok()
    }

    fn map(&self, name: &str) -> Option<&MapFd> {
        let index = self.image.maps.iter().position(|def| def.name == name)?;
        self.maps.get(index)
    }

    /// All elements of all maps that user space can read, by key.
    fn contents(&self) -> Vec<MapContents> {
        self.image.maps.iter().zip(&self.maps).map(|(def, map)| contents_of(def, map)).collect()
    }
}

/// `BPF_F_SLEEPABLE`.
const SLEEPABLE: u32 = 1 << 4;

fn contents_of(def: &MapDef, map: &MapFd) -> MapContents {
    let mut entries = Vec::new();
    // Handles are numbers of the kernel's choice; other values compare with the interpreter's.
    if def.ty.info().value == MapValue::Any && def.key_size > 0 {
        let mut key = map.next_key(None);
        while let Ok(current) = key {
            if let Ok(value) = map.lookup(&current) {
                entries.push((current.clone(), value));
            }
            key = map.next_key(Some(&current));
        }
        entries.sort();
    }
    MapContents { name: def.name.clone(), entries }
}

fn create_map(def: &MapDef, btf: Option<&OwnedFd>) -> io::Result<MapFd> {
    let inner = match &def.inner {
        Some(inner) => Some(create_map(inner, btf)?),
        None => None,
    };
    let mut entries = def.max_entries;
    if def.ty == MapType::PerfEventArray && entries == 0 {
        entries = std::thread::available_parallelism().map_or(1, |count| count.get() as u32);
    }
    let typed = def.btf_value.0 != 0 && takes_types(def.ty);
    let name = match def.role {
        MapRole::Declared => def.name.as_str(),
        MapRole::Data | MapRole::Rodata | MapRole::Bss | MapRole::Kconfig => "data",
    };
    let mut spec = MapSpec {
        ty: def.ty as u32,
        key_size: def.key_size,
        value_size: def.value_size,
        per_cpu: def.ty.info().per_cpu,
        max_entries: entries,
        flags: def.flags,
        extra: def.extra,
        name,
        inner: inner.as_ref(),
        btf: btf.filter(|_| typed).map(|btf| (btf, def.btf_key.0, def.btf_value.0)),
    };
    sys::map_create(&spec).or_else(|_| {
        // As libbpf: types that the kernel does not want for this map are left out.
        spec.btf = None;
        sys::map_create(&spec)
    })
}

/// Whether the kernel accepts BTF types of keys and values for this map type.
fn takes_types(ty: MapType) -> bool {
    ty.info().value == MapValue::Any
}

fn text(log: &[u8]) -> String {
    let len = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
    String::from_utf8_lossy(&log[..len]).into_owned()
}

/// Room for packets to grow.
const ROOM: usize = 4096;

impl Engine for Kernel {
    fn name(&self) -> &'static str {
        "kernel"
    }

    /// Runs a program by `BPF_PROG_TEST_RUN`. Trace lines and events go where the system sends
    /// them and are not part of the outcome.
    fn run(&mut self, program: usize, input: &Input) -> Result<Outcome, RunError> {
        self.measure(program, input).map(|(outcome, _)| outcome)
    }
}

/// `struct xdp_md` of a packet without metadata; it comes back with the bounds afterwards.
fn xdp_context(len: usize) -> Vec<u8> {
    let words = [0, len as u32, 0, 0, 0, 0];
    words.into_iter().flat_map(u32::to_ne_bytes).collect()
}

/// The kernel gives metadata and packet in one piece; the context tells where the packet begins.
fn without_metadata(run: sys::TestRun) -> Vec<u8> {
    let start = run.context.first_chunk().map_or(0, |word| u32::from_ne_bytes(*word)) as usize;
    run.data.get(start..).unwrap_or_default().to_vec()
}

fn raw_arguments(input: &Input) -> Result<Vec<u8>, RunError> {
    let mut bytes = Vec::new();
    for value in &input.args {
        match value {
            Value::Int(value) => bytes.extend(value.to_ne_bytes()),
            Value::Str(_) | Value::Bytes(_) | Value::Struct { .. } => {
                return Err(RunError::new("the kernel takes no addresses as arguments"));
            }
        }
    }
    Ok(bytes)
}
