//! What goes into a run and what comes out of it: plain data, comparable with `==`.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// What one run of a program is given.
#[derive(Clone, PartialEq, Debug)]
pub struct Input {
    /// The packet; for programs without one, the raw bytes of the context.
    pub data: Vec<u8>,
    /// Context fields by name, set after `data`.
    pub fields: Vec<(String, Value)>,
    /// Arguments of the traced function, for kprobe, fentry, raw tracepoints and the like.
    pub args: Vec<Value>,
    /// Return value of the traced function, for kretprobe and fexit.
    pub ret: Option<u64>,
    /// Map elements written before the run.
    pub maps: Vec<MapPreset>,
    /// Foreign memory that `bpf_probe_read` and its like can read.
    pub memory: Vec<ForeignBytes>,
    /// Most instructions the run may execute.
    pub budget: u64,
    /// How often the program is run on the context, which is only prepared once; what comes out is
    /// what all runs have left, and the result of the last.
    pub repeat: u32,
    /// What every byte of the stack is at first. In a kernel that is anything: what comes out must not
    /// depend on it.
    pub stack: u8,
    /// Whether the outcome lists the contents of all maps; large maps make that the longest part
    /// of a run.
    pub list_maps: bool,
}

impl Default for Input {
    fn default() -> Input {
        Input {
            data: Vec::new(),
            fields: Vec::new(),
            args: Vec::new(),
            ret: None,
            maps: Vec::new(),
            memory: Vec::new(),
            budget: 100_000_000,
            repeat: 1,
            stack: 0,
            list_maps: true,
        }
    }
}

/// A value given for a field or an argument.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// A number; negative ones in two's complement.
    Int(u64),
    /// A string: in place for a character array; for a pointer, the address of a copy of it with
    /// a terminating zero.
    Str(String),
    /// Bytes: in place for an array or struct; for a pointer, the address of a copy of them.
    Bytes(Vec<u8>),
    /// The address of a structure in kernel memory with these fields set, the others zero; laid
    /// out as the target kernel's BTF says, or else the object's.
    Struct {
        /// Tag of the structure.
        ty: String,
        /// Fields by path.
        fields: Vec<(String, Value)>,
    },
}

/// A map element to write before a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MapPreset {
    /// Name of the map.
    pub map: String,
    /// The key's bytes.
    pub key: Vec<u8>,
    /// The value's bytes (per-CPU maps: of every CPU).
    pub value: Vec<u8>,
}

/// Which address space foreign memory belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Space {
    /// A process's memory: `bpf_probe_read_user`.
    User,
    /// The kernel's memory: `bpf_probe_read_kernel` and typed pointers.
    Kernel,
}

/// Bytes outside the program's own memory, at an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForeignBytes {
    /// Whose they are.
    pub space: Space,
    /// Address of the first.
    pub address: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What a run did.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// The program's return value, or why it was stopped.
    pub result: Result<u64, Fault>,
    /// The packet afterwards (for programs without one: the context).
    pub data: Vec<u8>,
    /// Lines written by `bpf_trace_printk`, without the trailing newline.
    pub trace: Vec<String>,
    /// Records sent to user space, in order.
    pub events: Vec<Event>,
    /// What an iterator's program wrote for its reader, or `bpf_seq_printf` anywhere else.
    pub printed: String,
    /// What the program asked the kernel for, as calls: `send_signal(10)`. Nothing was done.
    pub requests: Vec<String>,
    /// Where a redirect helper sent the packet.
    pub redirect: Option<Redirect>,
    /// Contents of all maps afterwards, in image order; nothing if the input did not ask.
    pub maps: Vec<MapContents>,
    /// Instructions executed; 0 where the engine does not count.
    pub insns: u64,
}

impl Outcome {
    /// Whether both runs had the same effects; the number of instructions may differ.
    pub fn same_effects(&self, other: &Outcome) -> bool {
        self.result == other.result
            && self.data == other.data
            && self.trace == other.trace
            && self.events == other.events
            && self.printed == other.printed
            && self.requests == other.requests
            && self.redirect == other.redirect
            && self.maps == other.maps
    }

    /// The contents of the map with this name.
    pub fn map(&self, name: &str) -> Option<&MapContents> {
        self.maps.iter().find(|map| map.name == name)
    }
}

/// A record for user space.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Name of the perf event array or ring buffer.
    pub map: String,
    /// The CPU whose perf buffer got it; 0 for ring buffers.
    pub cpu: u32,
    /// The record.
    pub data: Vec<u8>,
}

/// A recorded redirection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redirect {
    /// Name of the device map, if it went through one.
    pub map: Option<String>,
    /// Interface index, or the index in the map.
    pub index: u64,
    /// The helper's flags.
    pub flags: u64,
}

/// The elements of a map in iteration order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MapContents {
    /// The map.
    pub name: String,
    /// Keys with values; a per-CPU value is the concatenation over CPUs, each rounded up to
    /// 8 bytes, as the system call gives it.
    pub entries: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Why a run was stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Slot of the instruction.
    pub slot: u32,
    /// What it did.
    pub kind: FaultKind,
}

/// What a faulting instruction did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// Accessed memory it does not own.
    Access {
        /// First byte.
        address: u64,
        /// Bytes.
        size: u64,
        /// Whether it wrote.
        write: bool,
    },
    /// Atomic access that is not naturally aligned.
    Misaligned {
        /// The address.
        address: u64,
    },
    /// Jumped, called or fell to a slot that starts no instruction.
    NoInstruction {
        /// The slot.
        target: i64,
    },
    /// Wrote to the frame pointer.
    FramePointer,
    /// Nested more calls than the kernel allows.
    CallDepth,
    /// Executed more instructions than the input allows.
    Budget,
    /// An instruction that this engine does not execute, by name.
    Unsupported(String),
    /// A CO-RE relocation without a match was reached.
    CorePoison,
    /// No helper has this number.
    UnknownHelper(i32),
    /// The helper exists but is not implemented here.
    HelperNotImplemented(String),
    /// The kernel function exists but is not implemented here.
    KfuncNotImplemented(String),
    /// Threw an exception in a function that a helper calls.
    ThrowInCallback,
    /// A helper was given an argument that no verifier would let pass.
    BadArgument {
        /// The helper.
        helper: &'static str,
        /// Argument number, from 1.
        argument: u8,
        /// Why.
        why: &'static str,
    },
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::Access { address, size, write } => {
                let verb = if *write { "write" } else { "read" };
                write!(f, "{verb} of {size} bytes at {address:#x}, which the program does not own")
            }
            FaultKind::Misaligned { address } => write!(f, "misaligned atomic access at {address:#x}"),
            FaultKind::NoInstruction { target } => write!(f, "no instruction starts at slot {target}"),
            FaultKind::FramePointer => write!(f, "write to the frame pointer"),
            FaultKind::CallDepth => write!(f, "more than 8 nested calls"),
            FaultKind::Budget => write!(f, "instruction budget used up"),
            FaultKind::Unsupported(what) => write!(f, "`{what}` is not executed by this engine"),
            FaultKind::CorePoison => {
                write!(f, "reached an instruction whose CO-RE relocation found no match")
            }
            FaultKind::UnknownHelper(id) => write!(f, "no helper has number {id}"),
            FaultKind::HelperNotImplemented(name) => write!(f, "helper `{name}` is not implemented here"),
            FaultKind::KfuncNotImplemented(name) => {
                write!(f, "kernel function `{name}` is not implemented here")
            }
            FaultKind::ThrowInCallback => write!(f, "exception in a function that a helper calls"),
            FaultKind::BadArgument { helper, argument, why } => {
                write!(f, "argument {argument} of `{helper}` {why}")
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "insn {}: {}", self.slot, self.kind)
    }
}

impl core::error::Error for Fault {}
