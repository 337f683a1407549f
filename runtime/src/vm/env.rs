//! What a running program can reach: memory, maps, the host, and where its output goes.
//!
//! One [`Env`] lives as long as its [`Vm`](super::Vm); helpers get it by reference. Values that a
//! program holds but cannot look into, maps and functions, are numbers outside of the arena, made
//! and read by the functions here only.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use skep_stdlib::btf::{Btf, Kind};
use skep_stdlib::contexts::ContextInfo;

use super::hook::Hook;
use super::{Event, Memory, Redirect, Space, map_struct};
use crate::helpers::object::Object;
use crate::helpers::timer::Timer;
use crate::host::Host;
use crate::maps::MapSet;
use crate::object::Image;

/// `SKF_NET_OFF` and `SKF_LL_OFF`: where offsets count from that are not in the packet's first part.
const NETWORK: i64 = -0x10_0000;
const LINK: i64 = -0x20_0000;
/// Bytes of an Ethernet header.
const ETH_HLEN: i64 = 14;
/// Map pointers are this plus the map's index.
const MAP_POINTERS: u64 = 0x4d41_5000_0000_0000;
/// Their distance: more than `struct bpf_map` has bytes.
const MAP_STRIDE: u64 = 4096;
/// Function pointers are this plus program and slot.
const FUNC_POINTERS: u64 = 0x4655_0000_0000_0000;

/// The value that stands for a pointer to the map with this index.
pub fn map_address(index: u32) -> u64 {
    MAP_POINTERS + u64::from(index) * MAP_STRIDE
}

/// The map a pointer stands for.
pub fn map_of_address(address: u64) -> Option<u32> {
    let offset = address.checked_sub(MAP_POINTERS)?;
    if offset % MAP_STRIDE != 0 {
        return None;
    }
    u32::try_from(offset / MAP_STRIDE).ok()
}

/// The value that stands for the address of a function.
pub fn func_address(program: usize, slot: i64) -> u64 {
    FUNC_POINTERS + ((program as u64 & 0xffff) << 32) + (slot as u64 & 0xffff_ffff)
}

/// Program and slot of a function pointer.
pub fn func_of_address(address: u64) -> Option<(usize, u32)> {
    let offset = address.checked_sub(FUNC_POINTERS).filter(|offset| offset >> 48 == 0)?;
    Some(((offset >> 32) as usize, offset as u32))
}

/// The surroundings of a program.
pub struct Env {
    /// What it can address.
    pub memory: Memory,
    /// Its maps.
    pub maps: MapSet,
    /// What it can ask.
    pub host: Box<dyn Host>,
    /// What it has put out in this run.
    pub output: Output,
    /// VM address of the first stack frame.
    pub stack: u64,
    /// How many frames there are.
    pub frames: u32,
    /// VM address of the context.
    pub context: u64,
    /// Bytes of the context.
    pub context_len: u32,
    /// The buffer that packets are put into: address and size.
    pub packet_buffer: Option<(u64, u32)>,
    /// The packet, for programs that have one.
    pub packet: Option<Packet>,
    /// Whether loads that fail give 0: what the kernel lets happen to pointers that its verifier
    /// knows the type of, and that the program therefore need not check.
    pub probe_loads: bool,
    /// Whether accesses that fail do nothing, and loads give 0: what the kernel does with those of an
    /// arena's pointers that lead nowhere.
    pub soft_faults: bool,
    /// Arguments of the traced function, for the helpers that ask for them.
    pub args: Vec<u64>,
    /// Return value of the traced function.
    pub ret: Option<u64>,
    /// Address of the current `task_struct`, once a program has asked for it.
    pub current_task: u64,
    /// Address of the word that entry and return of a function share, once a program has asked for it.
    pub(crate) session_cookie: u64,
    /// Address of the traced function.
    pub function_ip: u64,
    /// What the attachment's creator passed along.
    pub cookie: u64,
    /// Types of the program.
    pub btf: Option<Arc<Btf>>,
    /// Types of the kernel.
    pub kernel_btf: Option<Arc<Btf>>,
    /// The context's fields, if the platform's table has them.
    pub context_info: Option<&'static ContextInfo>,
    /// What programs of some types have besides their context.
    pub(crate) hook: Hook,
    /// Objects that the program has made, by address.
    pub(crate) objects: BTreeMap<u64, Object>,
    /// Timers by their addresses.
    pub(crate) timers: BTreeMap<u64, Timer>,
    /// Socket options that were set, by level and name.
    pub(crate) socket_options: BTreeMap<(u32, u32), Vec<u8>>,
    /// What redirect helpers return for this type of program.
    pub redirect_actions: RedirectActions,
    /// VM or foreign addresses of kernel variables by BTF id.
    pub kernel_symbols: BTreeMap<i32, u64>,
    /// Where the target's `task_struct` has what is known of the current task.
    pub task_layout: Option<TaskLayout>,
}

/// Offsets in the target kernel's `struct task_struct`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TaskLayout {
    size: usize,
    pid: usize,
    tgid: usize,
    comm: usize,
    /// Pointers to tasks that are made to point to the task itself.
    own: [Option<usize>; 3],
}

impl TaskLayout {
    /// Looks the structure up in the image's target, if that is a kernel.
    pub fn find(image: &Image) -> Option<TaskLayout> {
        let btf = image.target_btf.as_deref()?;
        let task = btf.find("task_struct", Kind::Struct)?;
        let offset = |name: &str| {
            let member = btf.members(task).find(|member| member.name == name)?;
            Some(member.byte_offset()? as usize)
        };
        Some(TaskLayout {
            size: usize::try_from(btf.size_of(task)?).ok().filter(|&size| size < 1 << 20)?,
            pid: offset("pid")?,
            tgid: offset("tgid")?,
            comm: offset("comm")?,
            own: ["real_parent", "parent", "group_leader"].map(offset),
        })
    }
}

/// What redirect helpers return.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RedirectActions {
    /// When the packet is redirected.
    pub redirect: u64,
    /// When the flags are refused.
    pub refused: u64,
    /// Whether `BPF_F_INGRESS` is known.
    pub flags: bool,
}

/// Where the packet is in VM memory, and which context fields follow it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet {
    /// First byte of the buffer: headroom begins here.
    pub buffer: u64,
    /// Bytes of the buffer.
    pub capacity: u32,
    /// First byte of the packet.
    pub data: u64,
    /// Byte after the last.
    pub end: u64,
    /// First byte of the metadata in front of the packet.
    pub meta: u64,
    /// The context's fields `data`, `data_end` and `data_meta`.
    pub fields: [Option<Pointer>; 3],
}

/// A context field that holds an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pointer {
    /// Bytes from the start of the context.
    pub offset: u64,
    /// Bytes: 4 where C declares a `__u32`.
    pub len: u32,
}

/// What a run has put out.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Output {
    /// Lines of `bpf_trace_printk`.
    pub trace: Vec<String>,
    /// Records of perf buffers and ring buffers.
    pub events: Vec<Event>,
    /// What was written to a sequential file.
    pub printed: Vec<u8>,
    /// What the kernel was asked for.
    pub requests: Vec<String>,
    /// The last redirection.
    pub redirect: Option<Redirect>,
}

impl Env {
    /// Forgets what the last run left, but for maps. The stack's bytes are all `fill`.
    pub(super) fn begin_run(&mut self, fill: u8) {
        self.output = Output::default();
        self.packet = None;
        self.args.clear();
        self.ret = None;
        self.current_task = 0;
        self.function_ip = 0;
        self.context_info = None;
        self.hook = Hook::default();
        self.memory.foreign.clear();
        for frame in 0..u64::from(self.frames) {
            let start = self.stack + frame * super::interp::FRAME_STRIDE;
            if let Some(bytes) = self.memory.read_mut(start, super::interp::FRAME_SIZE) {
                bytes.fill(fill);
            }
        }
    }

    /// Gives back what a stopped program still held.
    pub(super) fn end_run(&mut self) {
        for index in 0..self.maps.len() as u32 {
            let ring = self.maps.get_mut(index).and_then(|entry| entry.ops().ringbuf());
            if let Some(ring) = ring {
                ring.abandon(&mut self.memory);
            }
        }
    }

    /// Sets the context's bytes.
    pub(crate) fn set_context(&mut self, bytes: &[u8]) -> Option<()> {
        self.context_len = u32::try_from(bytes.len()).ok().filter(|&len| len <= super::CONTEXT_SIZE)?;
        self.memory.set_window(self.context, self.context, self.context + bytes.len() as u64);
        self.memory.fill(self.context, bytes)
    }

    /// Where a field of the context is, and its length; none in contexts that have no such field.
    fn context_field(&self, name: &str) -> Option<(u64, u64)> {
        let field = self.context_info?.fields.iter().find(|field| field.name == name)?;
        Some((self.context + u64::from(field.offset), u64::from(field.len)))
    }

    /// A number in the context; 0 if it has no such field.
    pub(crate) fn context_number(&self, name: &str) -> u64 {
        let bytes = self.context_field(name).and_then(|(at, len)| self.memory.read(at, len));
        bytes.map_or(0, |bytes| bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    /// Sets a number in the context, if it has that field.
    pub(crate) fn set_context_number(&mut self, name: &str, value: u64) {
        let Some((at, len)) = self.context_field(name) else { return };
        let bytes = value.to_le_bytes();
        // Contexts are at least as long as the fields their program type has.
        let _ = self.memory.fill(at, bytes.get(..len as usize).unwrap_or(&bytes));
    }

    /// `len` bytes of the packet from `offset`.
    pub fn packet_bytes(&self, offset: u64, len: u64) -> Option<&[u8]> {
        let packet = self.packet.as_ref()?;
        let start = packet.data.checked_add(offset)?;
        if start.checked_add(len)? > packet.end {
            return None;
        }
        self.memory.read(start, len)
    }

    /// What the classic packet loads read. Offsets below zero count from the start of the link's header
    /// or of the network's.
    pub fn classic_bytes(&self, offset: u64, len: u64) -> Option<&[u8]> {
        let offset = i64::from(offset as i32);
        let from = match offset {
            0.. => offset,
            NETWORK..0 => offset - NETWORK + ETH_HLEN,
            LINK..NETWORK => offset - LINK,
            _ => return None,
        };
        self.packet_bytes(u64::try_from(from).ok()?, len)
    }

    /// As [`Env::packet_bytes`], to change them.
    pub fn packet_bytes_mut(&mut self, offset: u64, len: u64) -> Option<&mut [u8]> {
        let packet = self.packet.as_ref()?;
        let start = packet.data.checked_add(offset)?;
        if start.checked_add(len)? > packet.end {
            return None;
        }
        self.memory.read_mut(start, len)
    }

    /// A load through a pointer to a kernel structure.
    pub fn load_typed(&self, address: u64, size: u32) -> Option<u64> {
        match self.memory.foreign.read(Space::Kernel, address, u64::from(size)) {
            Some(bytes) => Some(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))),
            None => self.load_unowned(address, size),
        }
    }

    /// A load from what is no memory here.
    fn load_unowned(&self, address: u64, size: u32) -> Option<u64> {
        if let Some(value) = self.load_map_field(address, size) {
            return Some(value);
        }
        let arena = self.soft_faults.then(|| self.memory.load_across(address, size)).flatten();
        arena.or((self.probe_loads || self.soft_faults).then_some(0))
    }

    fn load_map_field(&self, address: u64, size: u32) -> Option<u64> {
        let offset = address.checked_sub(MAP_POINTERS)? % MAP_STRIDE;
        let index = map_of_address(address - offset)?;
        map_struct::read(self.kernel_btf.as_deref()?, &self.maps.get(index)?.def, index, offset, size)
    }

    /// Address of the current `task_struct`: made on first use, with the task's ids and name where
    /// the target kernel has them; it is its own parent.
    pub fn current_task(&mut self) -> u64 {
        if self.current_task != 0 {
            return self.current_task;
        }
        let foreign = &mut self.memory.foreign;
        let Some(layout) = self.task_layout else {
            self.current_task = foreign.place(Space::Kernel, alloc::vec![0; 8]);
            return self.current_task;
        };
        let address = foreign.place(Space::Kernel, alloc::vec![0; layout.size]);
        self.current_task = address;
        let task = self.host.task();
        let mut put = |at: usize, bytes: &[u8]| {
            let place = foreign.read_mut(Space::Kernel, address + at as u64, bytes.len() as u64);
            if let Some(place) = place {
                place.copy_from_slice(bytes);
            }
        };
        put(layout.pid, &task.pid.to_le_bytes());
        put(layout.tgid, &task.tgid.to_le_bytes());
        put(layout.comm, &task.comm);
        for at in layout.own.into_iter().flatten() {
            put(at, &address.to_le_bytes());
        }
        address
    }

    /// Writes the packet's bounds into the context's fields, and makes no more accessible.
    pub fn sync_packet(&mut self) {
        let Some(packet) = self.packet else { return };
        self.memory.set_window(packet.buffer, packet.meta, packet.end);
        for (pointer, value) in packet.fields.into_iter().zip([packet.data, packet.end, packet.meta]) {
            let Some(Pointer { offset, len }) = pointer else { continue };
            let bytes = value.to_le_bytes();
            // Contexts are at least as long as the fields their program type has.
            let _ = self.memory.fill(self.context + offset, bytes.get(..len as usize).unwrap_or(&bytes));
        }
    }
}
