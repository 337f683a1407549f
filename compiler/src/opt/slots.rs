//! How stack slots are used.
//!
//! In: a function. Out: for each slot the accesses at constant offsets, and whether its address
//! goes anywhere else. Invariant: a slot that does not escape is touched by the listed accesses and
//! by nothing else, so calls and stores through other pointers leave it alone.

use std::collections::{BTreeMap, BTreeSet};

use super::alias::{Place, Root};
use crate::ir::{Callee, Function, Inst, InstData, Intrinsic, Slot, Type, Value};

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
pub type Usages = BTreeMap<Slot, Usage>;

/// Usage of the slots that are named at all.
pub fn usage(f: &Function) -> Usages {
    let mut all = Usages::new();
    if !has_slots(f) {
        return all;
    }
    for &block in &f.order {
        for &inst in &f.blocks[block].insts {
            let data = &f.insts[inst];
            if let InstData::SlotAddr { slot, .. } = data {
                all.entry(*slot).or_default();
            }
            let mut found = None;
            data.for_each_operand(|v| {
                // Most operands are no addresses.
                if f.ty(v) != Type::Ptr {
                    return;
                }
                let Some((slot, _)) = slot_of(f, v) else { return };
                let found = found.get_or_insert_with(|| accesses(f, inst, data));
                let through = |found: &mut Option<Found>| found.take_if(|(_, address)| *address == v);
                let usage = all.entry(slot).or_default();
                // An operand that no access goes through lets the address out.
                match found.iter_mut().find_map(through) {
                    Some((access, _)) => usage.accesses.push(access),
                    None => usage.escapes = true,
                }
            });
        }
    }
    all
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
pub fn leaked_anywhere(f: &Function) -> BTreeSet<Slot> {
    let mut slots = BTreeSet::new();
    if has_slots(f) {
        for &inst in f.order.iter().flat_map(|&block| &f.blocks[block].insts) {
            leaked(f, &f.insts[inst], |slot| {
                slots.insert(slot);
            });
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

/// An access to a slot, and the operand that names the slot.
type Found = (Access, Value);

/// Accesses of one instruction to slots.
fn accesses(f: &Function, inst: Inst, data: &InstData) -> [Option<Found>; 2] {
    let access = |address: Value, by: i64, kind: AccessKind, size: i64, reads: bool, volatile: bool| {
        let (_, at) = slot_of(f, address)?;
        Some((Access { inst, kind, start: at.saturating_add(by), size, reads, volatile }, address))
    };
    match data {
        InstData::Load { ty, base, offset, flags } => {
            let size = ty.bytes().into();
            [access(*base, (*offset).into(), AccessKind::Load(*ty), size, true, flags.volatile), None]
        }
        InstData::Store { value, base, offset, flags } => {
            let ty = f.ty(*value);
            let size = ty.bytes().into();
            [access(*base, (*offset).into(), AccessKind::Store(ty), size, false, flags.volatile), None]
        }
        InstData::Intrinsic { op: Intrinsic::Memcpy | Intrinsic::Memmove, args, .. } => {
            constant_size(f, args).map_or([None, None], |size| {
                let side = |at: usize, reads| access(args[at], 0, AccessKind::Copy, size, reads, false);
                [side(0, false), side(1, true)]
            })
        }
        InstData::Intrinsic { op: Intrinsic::Memset, args, .. } => {
            let size = constant_size(f, args);
            [size.and_then(|size| access(args[0], 0, AccessKind::Set, size, false, false)), None]
        }
        _ => [None, None],
    }
}

/// The constant third operand of a memory intrinsic.
fn constant_size(f: &Function, args: &[Value]) -> Option<i64> {
    let size = f.constant(*args.get(2)?)?;
    i64::try_from(size).ok().filter(|&n| n < 1 << 31)
}
