//! What a proof says about single instructions, for those who translate the program.
//!
//! Only the verifier makes facts, while it walks; an instruction that it never reached has none, and
//! is never executed either.

use alloc::vec::Vec;

use super::reg::PtrKind;

/// What is known of one instruction.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Fact {
    /// On every path it accesses memory of the virtual machine itself, inside of it and, where that
    /// matters, aligned: never the kernel's, never another process's.
    pub own: bool,
}

/// The facts of a program, by slot.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Facts(Vec<Fact>);

impl Facts {
    /// What is known of the instruction at `slot`.
    pub fn at(&self, slot: u32) -> Fact {
        self.0.get(slot as usize).copied().unwrap_or_default()
    }

    /// From whether all accesses that were seen at each slot were to memory of its own.
    pub(super) fn new(own: impl Iterator<Item = bool>) -> Facts {
        Facts(own.map(|own| Fact { own }).collect())
    }
}

/// Is what such a pointer points to in the virtual machine's memory, whatever the program is given?
pub(super) fn is_own(kind: PtrKind) -> bool {
    match kind {
        PtrKind::Ctx
        | PtrKind::Stack(_)
        | PtrKind::MapValue(_)
        | PtrKind::Packet(_)
        | PtrKind::PacketMeta(_)
        | PtrKind::Ringbuf(_) => true,
        // The kernel's memory, or maybe the kernel's.
        PtrKind::Mem { .. }
        | PtrKind::Probed
        | PtrKind::Btf { .. }
        | PtrKind::Remote { .. }
        | PtrKind::Object { .. }
        | PtrKind::Socket(_)
        | PtrKind::FlowKeys
        | PtrKind::Map(_)
        | PtrKind::PacketEnd
        | PtrKind::Func(_)
        | PtrKind::Arena
        | PtrKind::Iter { .. }
        | PtrKind::Irq { .. }
        | PtrKind::Dynptr(_) => false,
    }
}
