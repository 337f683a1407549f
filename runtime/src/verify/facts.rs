//! What a proof says about single instructions, for those who translate the program.
//!
//! Only the verifier makes facts, while it walks; an instruction that it never reached has none, and
//! is never executed either. Two things make a fact true of every run:
//!
//! - It is joined over all walks of the instruction, of all paths and callers.
//! - It holds of the paths too that ended early, at a state that covers theirs. Pointers and where they
//!   point to are compared there, so what is a pointer's is safe to say. A number that nothing depended
//!   on is *not* compared: behind `r3 = 5` on one path and `r3 = 0` on another, only the first may be
//!   walked, and yet the other is run. So there is a fact about a number only where the walk needed it
//!   ([`Walk::need`](super::walk::Walk)), which here is the key of an array. To need more of them would
//!   change what is accepted. What translators want to know of other numbers they find out themselves.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::reg::PtrKind;

/// What is known of one instruction.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Fact {
    /// On every path it accesses memory of the virtual machine itself, inside of it and, where that
    /// matters, aligned: never the kernel's, never another process's.
    pub own: bool,
}

/// What every walk of a call that looks an element up has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LookUp {
    /// The map.
    pub map: u32,
    /// The key, if it is constant and mattered.
    pub key: Option<u32>,
}

impl LookUp {
    /// What holds of both; nothing of different maps.
    fn join(self, other: LookUp) -> Option<LookUp> {
        let key = self.key.filter(|_| self.key == other.key);
        (self.map == other.map).then_some(LookUp { map: self.map, key })
    }
}

/// The look-ups that were walked, by slot; none where walks differ in the map.
#[derive(Default)]
pub struct LookUps(BTreeMap<u32, Option<LookUp>>);

impl LookUps {
    /// One more walk of the call at `slot`.
    pub(super) fn add(&mut self, slot: u32, found: Option<LookUp>) {
        let known = self.0.entry(slot).or_insert(found);
        *known = known.and_then(|known| known.join(found?));
    }
}

/// The facts of a program, by slot.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Facts {
    all: Vec<Fact>,
    look_ups: Vec<(u32, LookUp)>,
}

impl Facts {
    /// What is known of the instruction at `slot`.
    pub fn at(&self, slot: u32) -> Fact {
        self.all.get(slot as usize).copied().unwrap_or_default()
    }

    /// What the call at `slot` looks up, if that is known.
    pub fn look_up(&self, slot: u32) -> Option<LookUp> {
        let at = self.look_ups.binary_search_by_key(&slot, |&(slot, _)| slot).ok()?;
        self.look_ups.get(at).map(|&(_, found)| found)
    }

    /// From whether all accesses that were seen at each slot were to memory of its own, and the look-ups.
    pub(super) fn new(own: impl Iterator<Item = bool>, look_ups: &LookUps) -> Facts {
        let known = look_ups.0.iter().filter_map(|(&slot, &found)| Some((slot, found?)));
        Facts { all: own.map(|own| Fact { own }).collect(), look_ups: known.collect() }
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
