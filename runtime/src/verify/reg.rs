//! What a register can hold: nothing, a number, or a pointer.
//!
//! A pointer is a kind (what it points to), a fixed offset, and a variable offset that is a
//! [`Scalar`]; where it was born is kept for explanations. Numbers that are copies of each other
//! share an id, so that a bound proven on one holds for all; pointers that came from one
//! instruction share an id, so that a null check or a packet bound proven on one holds for all.

use super::dynptr::Behind;
use super::scalar::Scalar;

/// What a register holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reg {
    /// Nothing that may be read.
    #[default]
    Uninit,
    /// A number.
    Scalar(Num),
    /// An address.
    Pointer(Pointer),
}

/// A number in a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Num {
    /// What is known of it.
    pub value: Scalar,
    /// The number that it is a copy of.
    pub link: Link,
    /// The instruction that last computed or narrowed it.
    pub slot: u32,
}

/// What a number has in common with others: those with one id differ by known amounts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// 0 is "with no other".
    pub id: u32,
    /// How much more it is than those of this id that are copies.
    pub delta: i32,
    /// How that was added.
    pub step: Step,
}

/// What makes a number differ from its copies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Nothing: it is one of them.
    Copy,
    /// An addition of 64 bits.
    Wide,
    /// An addition of 32 bits, to copies whose upper half is zero.
    Narrow,
}

impl Link {
    /// Nothing in common with any other.
    pub const NONE: Link = Link { id: 0, delta: 0, step: Step::Copy };
}

/// An address in a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pointer {
    /// What it points to.
    pub kind: PtrKind,
    /// Fixed bytes added.
    pub off: i32,
    /// Variable bytes added; the constant 0 when there are none.
    pub var: Scalar,
    /// Pointers of one origin share an id; 0 is "none".
    pub id: u32,
    /// The reference that it holds, 0 for none.
    pub reference: u32,
    /// May be null: must be compared before use.
    pub nullable: bool,
    /// The number of the thing without which it is of no use, 0 for none.
    pub owner: u32,
    /// What it points to is a part of the packet, and stale when that is moved.
    pub in_packet: bool,
    /// The instruction that made it.
    pub slot: u32,
}

/// What a pointer points to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PtrKind {
    /// The program's context.
    Ctx,
    /// The stack of a frame, by its depth; offsets are relative to the frame pointer.
    Stack(u32),
    /// A map itself, by index; [`INNER`] is added for the maps inside it.
    Map(u32),
    /// The value of a map, by index.
    MapValue(u32),
    /// The packet; this many bytes from the start of the pointer's origin are proven. Or none are:
    /// the pointer is [`AT_END`] or [`PAST_END`].
    Packet(i32),
    /// The metadata before the packet; as `Packet`, bounded by the packet's start.
    PacketMeta(i32),
    /// The end of the packet.
    PacketEnd,
    /// Memory of this many bytes.
    Mem {
        /// Bytes.
        size: u32,
        /// May be written.
        writable: bool,
    },
    /// Memory that may not be there: a read gives 0 then.
    Probed,
    /// A record of a ring buffer of this many bytes.
    Ringbuf(u32),
    /// A kernel structure by its type in the target's BTF.
    Btf {
        /// Its type.
        ty: u32,
        /// Whether it is sure to be there.
        trust: Trust,
    },
    /// Memory of another space, which only helpers reach: the user's, or each processor's.
    Remote {
        /// The type, in the target's BTF, of what is there.
        ty: u32,
        /// There is one for each processor.
        percpu: bool,
    },
    /// An object that was allocated by the program, of a type of its own.
    Object {
        /// Its type in the object file's BTF.
        ty: u32,
        /// What keeps it alive.
        hold: Hold,
        /// There is one for each processor.
        percpu: bool,
    },
    /// A function of the program, by its first slot.
    Func(u32),
    /// Memory that is shared with user space: any address is one.
    Arena,
    /// A socket.
    Socket(Sock),
    /// The keys that a flow dissector fills.
    FlowKeys,
    /// Not an address: an iterator that lies in a stack slot.
    Iter {
        /// Its structure's type in the kernel's BTF.
        ty: u32,
        /// There may be more elements.
        active: bool,
        /// Elements that this path was given.
        depth: u32,
    },
    /// Not an address: the flags of interrupts that lie in a stack slot.
    Irq {
        /// They were left by a function that takes a lock.
        locks: bool,
    },
    /// A dynamic pointer: one that was handed in, or, in a stack slot, not an address but the slot
    /// itself, the offset being its number among the slots.
    Dynptr(Behind),
}

/// Of a packet's pointer: it is where the packet ends, or after that.
pub const AT_END: i32 = -1;
/// The same, and surely after that.
pub const PAST_END: i32 = -2;

/// Whether what a pointer to a kernel structure points to is sure to be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    /// It is: functions take it.
    Trusted,
    /// It is inside the section of RCU: functions that say so take it.
    Rcu,
    /// It was followed from another structure. Only old helpers would take it.
    Plain,
    /// It may be gone.
    Untrusted,
}

/// What keeps an allocated object alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// A reference of the program's.
    Owned,
    /// The lock of the list or tree that it is in.
    Borrowed,
    /// A section of RCU.
    Rcu,
    /// Nothing: it may be gone.
    Untrusted,
}

/// What is known of a socket; each has a structure of its own in place of the kernel's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sock {
    /// In any state.
    Common,
    /// A full one.
    Full,
    /// A full one of TCP.
    Tcp,
    /// One of XDP.
    Xdp,
}

/// Added to a map's index: not the map, but the maps inside it.
pub const INNER: u32 = 1 << 31;

impl Reg {
    /// The number `value`, made at `slot`.
    pub const fn constant(value: u64, slot: u32) -> Reg {
        Reg::Scalar(Num { value: Scalar::constant(value), link: Link::NONE, slot })
    }

    /// A number with these bounds, made at `slot`.
    pub const fn scalar(value: Scalar, slot: u32) -> Reg {
        Reg::Scalar(Num { value, link: Link::NONE, slot })
    }

    /// A number of which nothing is known.
    pub const fn unknown(slot: u32) -> Reg {
        Reg::scalar(Scalar::UNKNOWN, slot)
    }

    /// A pointer without offset.
    pub const fn pointer(kind: PtrKind, slot: u32) -> Reg {
        Reg::Pointer(Pointer {
            kind,
            off: 0,
            var: Scalar::constant(0),
            id: 0,
            reference: 0,
            nullable: false,
            owner: 0,
            in_packet: false,
            slot,
        })
    }

    /// A pointer that may be null, with its id and the reference that it holds.
    pub const fn or_null(kind: PtrKind, id: u32, reference: u32, slot: u32) -> Reg {
        let var = Scalar::constant(0);
        let (owner, in_packet) = (0, false);
        Reg::Pointer(Pointer { kind, off: 0, var, id, reference, nullable: true, owner, in_packet, slot })
    }

    /// The number in it.
    pub const fn as_scalar(&self) -> Option<&Num> {
        match self {
            Reg::Scalar(num) => Some(num),
            Reg::Uninit | Reg::Pointer(_) => None,
        }
    }

    /// The pointer in it.
    pub const fn as_pointer(&self) -> Option<&Pointer> {
        match self {
            Reg::Pointer(pointer) => Some(pointer),
            Reg::Uninit | Reg::Scalar(_) => None,
        }
    }

    /// The constant in it.
    pub fn value(&self) -> Option<u64> {
        self.as_scalar()?.value.value()
    }
}

impl Pointer {
    /// Is the variable offset absent?
    pub fn is_fixed(&self) -> bool {
        self.var.value() == Some(0)
    }
}

/// What the kernel makes of an access: it rewrites some, and cannot do so two ways at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// As it is written.
    Plain,
    /// Fields of the context have other places in the kernel.
    Context,
    /// The same of sockets.
    Socket(Sock),
    /// A read of kernel memory may fault.
    Kernel,
    /// Addresses of shared memory are parts of addresses.
    Arena,
}

impl PtrKind {
    /// How memory behind it is accessed.
    pub const fn way(self) -> Way {
        match self {
            PtrKind::Ctx => Way::Context,
            PtrKind::Btf { .. } | PtrKind::Object { .. } | PtrKind::Remote { .. } | PtrKind::Probed => {
                Way::Kernel
            }
            PtrKind::Socket(sock) => Way::Socket(sock),
            PtrKind::Stack(_)
            | PtrKind::Map(_)
            | PtrKind::MapValue(_)
            | PtrKind::Packet(_)
            | PtrKind::PacketMeta(_)
            | PtrKind::PacketEnd
            | PtrKind::Mem { .. }
            | PtrKind::Ringbuf(_)
            | PtrKind::FlowKeys
            | PtrKind::Iter { .. }
            | PtrKind::Irq { .. }
            | PtrKind::Dynptr(_)
            | PtrKind::Func(_) => Way::Plain,
            PtrKind::Arena => Way::Arena,
        }
    }

    /// The name that the kernel's log uses.
    pub const fn kernel_name(self) -> &'static str {
        match self {
            PtrKind::Ctx => "ctx",
            PtrKind::Stack(_) => "fp",
            PtrKind::Map(_) => "map_ptr",
            PtrKind::MapValue(_) => "map_value",
            PtrKind::Packet(_) => "pkt",
            PtrKind::PacketMeta(_) => "pkt_meta",
            PtrKind::PacketEnd => "pkt_end",
            PtrKind::Mem { .. } => "mem",
            PtrKind::Probed => "rdonly_untrusted_mem",
            PtrKind::Ringbuf(_) => "ringbuf_mem",
            PtrKind::Btf { .. } | PtrKind::Object { .. } | PtrKind::Remote { .. } => "ptr_",
            PtrKind::Func(_) => "func",
            PtrKind::Arena => "arena",
            PtrKind::Socket(Sock::Common) => "sock_common",
            PtrKind::Socket(Sock::Full) => "sock",
            PtrKind::Socket(Sock::Tcp) => "tcp_sock",
            PtrKind::Socket(Sock::Xdp) => "xdp_sock",
            PtrKind::FlowKeys => "flow_keys",
            PtrKind::Iter { .. } => "iter",
            PtrKind::Irq { .. } => "irq_flag",
            PtrKind::Dynptr(_) => "dynptr_ptr",
        }
    }

    /// What to call it in a sentence.
    pub const fn noun(self) -> &'static str {
        match self {
            PtrKind::Ctx => "the context",
            PtrKind::Stack(_) => "the stack",
            PtrKind::Map(_) => "a map",
            PtrKind::MapValue(_) => "a map value",
            PtrKind::Packet(_) => "the packet",
            PtrKind::PacketMeta(_) => "the packet's metadata",
            PtrKind::PacketEnd => "the end of the packet",
            PtrKind::Mem { .. } => "a block of memory",
            PtrKind::Probed => "memory that may not be there",
            PtrKind::Ringbuf(_) => "a ring buffer record",
            PtrKind::Btf { .. } => "a kernel structure",
            PtrKind::Object { .. } => "an allocated object",
            PtrKind::Remote { percpu: true, .. } => "memory of each processor",
            PtrKind::Remote { percpu: false, .. } => "memory of the user's",
            PtrKind::Func(_) => "a function",
            PtrKind::Arena => "an arena",
            PtrKind::Socket(_) => "a socket",
            PtrKind::FlowKeys => "the flow keys",
            PtrKind::Iter { .. } => "an iterator",
            PtrKind::Irq { .. } => "the flags of interrupts",
            PtrKind::Dynptr(_) => "a dynamic pointer",
        }
    }
}
