//! How stack slots are used.
//!
//! In: a function. Out: for each slot the accesses at constant offsets, and whether its address
//! goes anywhere else. Invariant: a slot that does not escape is touched by the listed accesses and
//! by nothing else, so calls and stores through other pointers leave it alone.

use std::collections::{BTreeMap, BTreeSet};

use super::alias::{Place, Root};
use crate::ir::{Arena, Callee, Function, Inst, InstData, Intrinsic, MemFlags, Slot, Type, Value};

/// What an access does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessKind {
    /// Reads a value.
    Load(Type),
    /// Writes a value.
    Store(Type),
    /// One side of a copy of constant size.
    Copy,
    /// A fill of constant size.
    Set,
}

/// One access at a constant place.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// The instruction.
    pub inst: Inst,
    /// What it does.
    pub kind: AccessKind,
    /// First byte.
    pub start: i64,
    /// Number of bytes.
    pub size: i64,
    /// Reads the slot (a copy may do both).
    pub reads: bool,
    /// Must happen as written.
    pub volatile: bool,
}

impl Access {
    /// The byte after the last.
    pub fn end(&self) -> i64 {
        self.start.saturating_add(self.size)
    }
}

/// Everything that names a slot.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// Accesses at constant offsets.
    pub accesses: Vec<Access>,
    /// The address is used in another way.
    pub escapes: bool,
}

/// Usage by slot.
pub type Usages = Arena<Slot, Usage>;

/// Usage of the slots.
pub fn usage(f: &Function) -> Usages {
    let mut all = Arena::filled(&f.slots, Usage::default());
    if !has_slots(f) {
        return all;
    }
    for &inst in f.order.iter().flat_map(|&block| &f.blocks[block].insts) {
        let data = &f.insts[inst];
        let value = |kind: AccessKind, ty: Type, offset: i32, flags: MemFlags| {
            let reads = matches!(kind, AccessKind::Load(_));
            let (size, volatile) = (ty.bytes().into(), flags.volatile);
            Access { inst, kind, start: offset.into(), size, reads, volatile }
        };
        match *data {
            InstData::Load { ty, base, offset, flags } => {
                add(f, &mut all, base, value(AccessKind::Load(ty), ty, offset, flags));
            }
            InstData::Store { value: stored, base, offset, flags } => {
                let ty = f.ty(stored);
                escape(f, &mut all, stored);
                add(f, &mut all, base, value(AccessKind::Store(ty), ty, offset, flags));
            }
            InstData::Intrinsic { op, ref args, .. } => {
                let mut sides = sides(f, inst, op, args);
                for &arg in args {
                    let through = |side: &mut Option<Side>| side.take_if(|(address, _)| *address == arg);
                    match sides.iter_mut().find_map(through) {
                        Some((address, side)) => add(f, &mut all, address, side),
                        // An operand that no access goes through lets the address out.
                        None => escape(f, &mut all, arg),
                    }
                }
            }
            _ => data.for_each_operand(|v| escape(f, &mut all, v)),
        }
    }
    all
}

/// Notes an access that starts at a distance from an address.
fn add(f: &Function, all: &mut Usages, address: Value, access: Access) {
    if let Some((slot, at)) = slot_of(f, address) {
        all[slot].accesses.push(Access { start: at + access.start, ..access });
    }
}

/// Notes that a value goes somewhere, which most often is no address.
fn escape(f: &Function, all: &mut Usages, value: Value) {
    if f.ty(value) == Type::Ptr
        && let Some((slot, _)) = slot_of(f, value)
    {
        all[slot].escapes = true;
    }
}

/// The plain writes to each slot that nobody reads, at whatever distance from its start.
pub fn only_written(f: &Function) -> BTreeMap<Slot, Vec<Inst>> {
    let mut written: BTreeMap<Slot, Vec<Inst>> = BTreeMap::new();
    if !has_slots(f) {
        return written;
    }
    let mut needed: BTreeSet<Slot> = BTreeSet::new();
    for &block in &f.order {
        for &inst in &f.blocks[block].insts {
            let data = &f.insts[inst];
            let mut through = written_through(data);
            data.for_each_operand(|v| {
                let Some(slot) = root_slot(f, v) else { return };
                // Another operand of the same value is no target.
                if through.take_if(|target| *target == v).is_none() {
                    needed.insert(slot);
                } else if !data.is_pure() {
                    written.entry(slot).or_default().push(inst);
                }
            });
        }
    }
    written.retain(|slot, _| !needed.contains(slot));
    written
}

/// The address that an instruction does no more with than write there plainly, or compute another one from it.
pub fn written_through(data: &InstData) -> Option<Value> {
    match data {
        InstData::PtrAdd { base, .. } => Some(*base),
        InstData::Store { base, flags, .. } if !flags.volatile => Some(*base),
        InstData::Intrinsic {
            op: Intrinsic::Memcpy | Intrinsic::Memmove | Intrinsic::Memset, args, ..
        } => args.first().copied(),
        _ => None,
    }
}

/// Slots whose address an instruction lets out for good: what happens later to memory that nobody
/// names may happen to them. A helper only uses the addresses it is given while it runs.
pub fn leaked(f: &Function, data: &InstData, mut found: impl FnMut(Slot)) {
    let mut leak = |v: Value| {
        if let Some(slot) = root_slot(f, v) {
            found(slot);
        }
    };
    match data {
        InstData::Store { value, .. } => leak(*value),
        InstData::Call { callee: Callee::Helper(_), .. }
        | InstData::Compare { .. }
        | InstData::PtrAdd { .. } => {}
        InstData::Load { .. } | InstData::AtomicRmw { .. } | InstData::AtomicCmpXchg { .. } => {}
        InstData::Intrinsic { op, args, .. } => match op {
            Intrinsic::Memcpy
            | Intrinsic::Memmove
            | Intrinsic::Memset
            | Intrinsic::Memcmp
            | Intrinsic::Strlen
            | Intrinsic::Strcmp
            | Intrinsic::ConstantP => {}
            Intrinsic::Clz
            | Intrinsic::Ctz
            | Intrinsic::Popcount
            | Intrinsic::Opaque
            | Intrinsic::Fence
            | Intrinsic::Trap
            | Intrinsic::FrameAddress
            | Intrinsic::AsmResult
            | Intrinsic::Wide
            | Intrinsic::Float
            | Intrinsic::ReturnAddress
            | Intrinsic::OddArgument
            | Intrinsic::CastAddressSpace
            | Intrinsic::OddAtomic
            | Intrinsic::VarArgs => args.iter().for_each(|&v| leak(v)),
        },
        InstData::Call { .. }
        | InstData::Asm { .. }
        | InstData::Const { .. }
        | InstData::SymbolAddr { .. }
        | InstData::SlotAddr { .. }
        | InstData::Core { .. }
        | InstData::Unary { .. }
        | InstData::Binary { .. }
        | InstData::Convert { .. }
        | InstData::Select { .. }
        | InstData::Jump { .. }
        | InstData::Branch { .. }
        | InstData::Switch { .. }
        | InstData::Return { .. }
        | InstData::Unreachable => data.for_each_operand(leak),
    }
}

/// Has the function any slot that is not gone yet?
pub fn has_slots(f: &Function) -> bool {
    f.slots.values().any(|slot| slot.size > 0)
}

/// Slots whose address is let out anywhere.
pub fn leaked_anywhere(f: &Function) -> Arena<Slot, bool> {
    let mut slots = Arena::filled(&f.slots, false);
    if has_slots(f) {
        for &inst in f.order.iter().flat_map(|&block| &f.blocks[block].insts) {
            leaked(f, &f.insts[inst], |slot| slots[slot] = true);
        }
    }
    slots
}

/// Slots that an instruction may access because it is given their address.
pub fn passed(f: &Function, data: &InstData) -> Vec<Slot> {
    let mut slots = Vec::new();
    data.for_each_operand(|v| slots.extend(root_slot(f, v)));
    slots
}

/// The slot that an address points into.
fn root_slot(f: &Function, address: Value) -> Option<Slot> {
    if f.ty(address) != Type::Ptr {
        return None;
    }
    match Place::new(f, address, 0).root {
        Root::Slot(slot) => Some(slot),
        Root::Symbol(_) | Root::Number(_) | Root::Helper(_) | Root::Other(_) => None,
    }
}

/// The slot and offset that an address value is.
pub fn slot_of(f: &Function, value: Value) -> Option<(Slot, i64)> {
    match f.def(value) {
        Some(InstData::SlotAddr { slot, offset }) => Some((*slot, (*offset).into())),
        _ => None,
    }
}

/// An address and what is accessed there.
type Side = (Value, Access);

/// What copies and fills of constant size access.
fn sides(f: &Function, inst: Inst, op: Intrinsic, args: &[Value]) -> [Option<Side>; 2] {
    let kind = match op {
        Intrinsic::Memcpy | Intrinsic::Memmove => AccessKind::Copy,
        Intrinsic::Memset => AccessKind::Set,
        _ => return [None, None],
    };
    let Some(size) = constant_size(f, args) else { return [None, None] };
    let side = |at: usize, reads| (args[at], Access { inst, kind, start: 0, size, reads, volatile: false });
    [Some(side(0, false)), (kind == AccessKind::Copy).then(|| side(1, true))]
}

/// The constant third operand of a memory intrinsic.
fn constant_size(f: &Function, args: &[Value]) -> Option<i64> {
    let size = f.constant(*args.get(2)?)?;
    i64::try_from(size).ok().filter(|&n| n < 1 << 31)
}
