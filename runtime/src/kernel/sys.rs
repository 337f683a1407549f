//! The bpf(2) system call: one safe function per command.
//!
//! # Safety
//!
//! All unsafe code of the kernel back end is [`call`], which passes an attribute block to the
//! kernel. The block holds addresses as numbers; the kernel reads or writes the memory behind
//! them during the call and keeps none of them. Each public function here therefore
//!
//! - takes slices, writes their addresses and lengths into the block itself, and keeps them
//!   borrowed until the call returns, so every address is valid for the length that is told;
//! - passes `&mut` slices wherever the kernel writes;
//! - knows how much the kernel reads or writes where no length is told: map keys and values. A
//!   [`MapFd`] remembers the sizes its map was created with (per-CPU values times the processors
//!   that the system says are possible), and its functions refuse buffers of any other size. The
//!   descriptors that instructions name by index are counted by `encode::instructions`.
//!
//! Descriptors that the kernel returns are new and owned by no one else, which is what
//! [`OwnedFd`] asks for.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::vec::Vec;

/// Bytes of the attribute block: as much as any command here uses.
const ATTR_SIZE: usize = 152;

/// Command numbers of `enum bpf_cmd`.
#[derive(Clone, Copy)]
enum Command {
    MapCreate = 0,
    MapLookup = 1,
    MapUpdate = 2,
    MapNextKey = 4,
    ProgLoad = 5,
    ProgTestRun = 10,
    BtfLoad = 18,
    MapFreeze = 22,
}

/// `union bpf_attr`, built field by field.
#[repr(C, align(8))]
struct Attr([u8; ATTR_SIZE]);

impl Attr {
    fn new() -> Attr {
        Attr([0; ATTR_SIZE])
    }

    fn u32(mut self, at: usize, value: u32) -> Attr {
        self.0[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        self
    }

    fn u64(mut self, at: usize, value: u64) -> Attr {
        self.0[at..at + 8].copy_from_slice(&value.to_ne_bytes());
        self
    }

    fn fd(self, at: usize, fd: &impl AsRawFd) -> Attr {
        self.u32(at, fd.as_raw_fd() as u32)
    }

    /// The address of bytes that the kernel reads.
    fn input(self, at: usize, bytes: &[u8]) -> Attr {
        let address = if bytes.is_empty() { 0 } else { bytes.as_ptr().expose_provenance() as u64 };
        self.u64(at, address)
    }

    /// The address of bytes that the kernel writes.
    fn output(self, at: usize, bytes: &mut [u8]) -> Attr {
        let address = if bytes.is_empty() { 0 } else { bytes.as_mut_ptr().expose_provenance() as u64 };
        self.u64(at, address)
    }

    /// A name, cut to what the kernel keeps, with characters it refuses replaced.
    fn name(mut self, at: usize, name: &str) -> Attr {
        for (to, from) in self.0[at..at + 15].iter_mut().zip(name.bytes()) {
            *to = if from.is_ascii_alphanumeric() || from == b'.' { from } else { b'_' };
        }
        self
    }

    fn read_u32(&self, at: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.0[at..at + 4]);
        u32::from_ne_bytes(bytes)
    }
}

fn call(command: Command, attr: &mut Attr) -> io::Result<i32> {
    // SAFETY: the block is as long as we say and lives through the call. The functions of this
    // module put only addresses of slices into it that they hold borrowed, as the module says.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command as libc::c_long, attr.0.as_mut_ptr(), ATTR_SIZE) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

fn call_for_fd(command: Command, attr: &mut Attr) -> io::Result<OwnedFd> {
    let fd: RawFd = call(command, attr)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// What a map is created from.
pub(super) struct MapSpec<'a> {
    pub ty: u32,
    pub key_size: u32,
    pub value_size: u32,
    /// Whether every CPU has its own value.
    pub per_cpu: bool,
    pub max_entries: u32,
    pub flags: u32,
    pub extra: u64,
    pub name: &'a str,
    pub inner: Option<&'a MapFd>,
    /// BTF with the types of key and value.
    pub btf: Option<(&'a OwnedFd, u32, u32)>,
}

/// A map, with the sizes that the kernel reads and writes.
pub(super) struct MapFd {
    fd: OwnedFd,
    key_size: usize,
    value_size: usize,
}

impl AsRawFd for MapFd {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

pub(super) fn map_create(spec: &MapSpec<'_>) -> io::Result<MapFd> {
    let mut attr = Attr::new()
        .u32(0, spec.ty)
        .u32(4, spec.key_size)
        .u32(8, spec.value_size)
        .u32(12, spec.max_entries)
        .u32(16, spec.flags)
        .name(28, spec.name)
        .u64(64, spec.extra);
    if let Some(inner) = spec.inner {
        attr = attr.fd(20, inner);
    }
    if let Some((btf, key, value)) = spec.btf {
        attr = attr.fd(48, btf).u32(52, key).u32(56, value);
    }
    let value_size = match spec.per_cpu {
        true => (spec.value_size as usize).next_multiple_of(8) * possible_cpus()?,
        false => spec.value_size as usize,
    };
    let fd = call_for_fd(Command::MapCreate, &mut attr)?;
    Ok(MapFd { fd, key_size: spec.key_size as usize, value_size })
}

/// Number of processors that the system may ever have: what the kernel copies for per-CPU maps.
fn possible_cpus() -> io::Result<usize> {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/possible")?;
    let last = text.trim().split([',', '-']).next_back().and_then(|number| number.parse::<usize>().ok());
    last.map(|last| last + 1).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

fn wrong_size() -> io::Error {
    io::Error::from_raw_os_error(libc::EINVAL)
}

impl MapFd {
    /// The value for a key.
    pub fn lookup(&self, key: &[u8]) -> io::Result<Vec<u8>> {
        if key.len() != self.key_size {
            return Err(wrong_size());
        }
        let mut value = std::vec![0; self.value_size];
        let mut attr = Attr::new().fd(0, &self.fd).input(8, key).output(16, &mut value);
        call(Command::MapLookup, &mut attr)?;
        Ok(value)
    }

    /// Sets the value for a key.
    pub fn update(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        if key.len() != self.key_size || value.len() != self.value_size {
            return Err(wrong_size());
        }
        let mut attr = Attr::new().fd(0, &self.fd).input(8, key).input(16, value);
        call(Command::MapUpdate, &mut attr).map(|_| ())
    }

    /// The key after `key`, or the first.
    pub fn next_key(&self, key: Option<&[u8]>) -> io::Result<Vec<u8>> {
        if key.is_some_and(|key| key.len() != self.key_size) {
            return Err(wrong_size());
        }
        let mut next = std::vec![0; self.key_size];
        let mut attr = Attr::new().fd(0, &self.fd).input(8, key.unwrap_or_default()).output(16, &mut next);
        call(Command::MapNextKey, &mut attr)?;
        Ok(next)
    }

    /// Makes it read-only for user space.
    pub fn freeze(&self) -> io::Result<()> {
        call(Command::MapFreeze, &mut Attr::new().fd(0, &self.fd)).map(|_| ())
    }

    /// Bytes of a value as the system call sees it.
    pub fn value_size(&self) -> usize {
        self.value_size
    }
}

pub(super) fn btf_load(btf: &[u8], log: &mut [u8]) -> io::Result<OwnedFd> {
    let mut attr = Attr::new().input(0, btf).u32(16, btf.len() as u32);
    if !log.is_empty() {
        attr = attr.output(8, log).u32(20, log.len() as u32).u32(24, 1);
    }
    call_for_fd(Command::BtfLoad, &mut attr)
}

/// What a program is loaded from. Records are as the kernel wants them, without headers.
pub(super) struct ProgSpec<'a> {
    pub ty: u32,
    pub attach: u32,
    pub insns: &'a [u8],
    pub license: &'a CStr,
    pub name: &'a str,
    pub flags: u32,
    pub kernel_version: u32,
    pub btf: Option<&'a OwnedFd>,
    pub func_info: &'a [u8],
    pub line_info: &'a [u8],
    pub attach_btf_id: u32,
    /// Descriptors of maps, by the index in instructions, as bytes of `int`s.
    pub fds: &'a [u8],
    pub log_level: u32,
}

pub(super) fn prog_load(spec: &ProgSpec<'_>, log: &mut [u8]) -> io::Result<OwnedFd> {
    let mut attr = Attr::new()
        .u32(0, spec.ty)
        .u32(4, (spec.insns.len() / 8) as u32)
        .input(8, spec.insns)
        .input(16, spec.license.to_bytes_with_nul())
        .u32(40, spec.kernel_version)
        .u32(44, spec.flags)
        .name(48, spec.name)
        .u32(68, spec.attach)
        .u32(108, spec.attach_btf_id)
        .input(120, spec.fds);
    if let Some(btf) = spec.btf {
        attr = attr.fd(72, btf);
        if !spec.func_info.is_empty() {
            attr = attr.u32(76, 8).input(80, spec.func_info).u32(88, (spec.func_info.len() / 8) as u32);
        }
        if !spec.line_info.is_empty() {
            attr = attr.u32(92, 16).input(96, spec.line_info).u32(104, (spec.line_info.len() / 16) as u32);
        }
    }
    if spec.log_level != 0 {
        attr = attr.u32(24, spec.log_level).u32(28, log.len() as u32).output(32, log);
    }
    call_for_fd(Command::ProgLoad, &mut attr)
}

/// What a test run gives.
pub(super) struct TestRun {
    pub retval: u32,
    /// Nanoseconds that one run took, on average; none where the kernel does not say.
    pub duration: u32,
    pub data: Vec<u8>,
    pub context: Vec<u8>,
}

/// Runs a program so many times. Programs without packets refuse `data`, those without contexts
/// `context`; raw tracepoints take no count.
pub(super) fn prog_test_run(
    prog: &OwnedFd,
    data: &[u8],
    context: &[u8],
    room: usize,
    repeat: u32,
) -> io::Result<TestRun> {
    let mut data_out = std::vec![0; if data.is_empty() { 0 } else { data.len() + room }];
    let mut context_out = std::vec![0; context.len()];
    let mut attr = Attr::new()
        .fd(0, prog)
        .u32(8, data.len() as u32)
        .u32(12, data_out.len() as u32)
        .input(16, data)
        .output(24, &mut data_out)
        .u32(32, if repeat > 1 { repeat } else { 0 })
        .u32(40, context.len() as u32)
        .u32(44, context_out.len() as u32)
        .input(48, context)
        .output(56, &mut context_out);
    call(Command::ProgTestRun, &mut attr)?;
    data_out.truncate(attr.read_u32(12) as usize);
    context_out.truncate(attr.read_u32(44) as usize);
    let (retval, duration) = (attr.read_u32(4), attr.read_u32(36));
    Ok(TestRun { retval, duration, data: data_out, context: context_out })
}

/// Runs a program that system calls are made from; it works on the context in place.
pub(super) fn prog_call(prog: &OwnedFd, context: &mut [u8]) -> io::Result<u32> {
    let mut attr = Attr::new().fd(0, prog).u32(40, context.len() as u32).output(48, context);
    call(Command::ProgTestRun, &mut attr)?;
    Ok(attr.read_u32(4))
}
