//! gvn: what is known already is not computed or loaded again.
//!
//! ```text
//!   v3 = ptr_add v1, v2            v3 = ptr_add v1, v2
//!   store.i32 v4, v3         ->    store.i32 v4, v3
//!   v5 = ptr_add v1, v2            ; uses of v6 use v4
//!   v6 = load.i32 v5
//! ```
//!
//! A pure instruction equals an identical one that dominates it. A load yields what was stored to or
//! loaded from the same place, if nothing in between can have changed it; a store of what is there
//! already goes. Calls and barriers change everything but constants and slots whose address nobody
//! has yet; a helper changes only those slots that it is given. CO-RE values are equal only when they are the same relocation.
//! What a fill left in a slot is known too (see `fill`). A load at a join may be known on the ways there only: then each brings what it knows (see `joins`).
//! Preserves: effects, volatile accesses; the dominating instruction keeps its place in the source.
//! The kernel's verifier still accepts: no load moves over a branch, none becomes wider, and what it
//! knows of the first value it knows of the second.
//! Cost: linear for the expressions; for memory, the number of known places times the writes.

mod expressions;
mod fill;
mod joins;

use std::collections::BTreeSet;

use super::Cx;
use super::alias::{self, Place, Root};
use super::mem2reg::cast;
use super::{edit, globals, slots};
use crate::ir::flow::Flow;
use crate::ir::{Arena, Block, Function, Inst, InstData, Intrinsic, Slot, SymbolId, Type, Value};
use expressions::Expressions;
use fill::Fill;

/// Places that are remembered at once.
const PLACES: usize = 64;

/// Times that a function with loops is looked at: what a loop hands to its next round is seen late.
const ROUNDS: u32 = 3;

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    let mut changed = super::cfg::remove_unreachable(f);
    for _ in 0..ROUNDS {
        let flow = f.flow();
        if !walk(f, cx, &flow) {
            break;
        }
        changed = true;
        let goes_back = |&block: &Block| flow.preds[block].iter().any(|&pred| flow.is_back_edge(pred, block));
        if !flow.rpo.iter().any(goes_back) {
            break;
        }
    }
    changed
}

/// Goes over the blocks once. Whether anything changed.
fn walk(f: &mut Function, cx: &Cx<'_>, flow: &Flow) -> bool {
    let mut pass = Pass {
        cx,
        expressions: Expressions::new(f, flow, edit::size(f)),
        written: false,
        slots: slots::has_slots(f),
        let_out: if names_hidden(f, cx) { globals::let_out(f) } else { BTreeSet::new() },
        out: Arena::filled(&f.blocks, None),
        left: Arena::filled(&f.blocks, 0),
        room: Vec::new(),
        changed: false,
    };
    for &block in &flow.rpo {
        let later = f.successors(block).filter(|call| flow.order(call.block) > flow.order(block));
        pass.left[block] = later.count();
        let mut memory = pass.memory_at(f, flow, block);
        pass.block(f, flow, block, &mut memory);
        pass.out[block] = Some(memory);
        // What nobody asks for again goes.
        for &pred in flow.preds[block].iter().filter(|&&pred| flow.order(pred) < flow.order(block)) {
            pass.left[pred] -= 1;
            if pass.left[pred] == 0 {
                pass.out[pred] = None;
            }
        }
    }
    // Each use has been seen after what it uses.
    f.aliases_are_resolved();
    pass.changed
}

/// Does the function name a variable that is only reached by name?
fn names_hidden(f: &Function, cx: &Cx<'_>) -> bool {
    let mut insts = f.order.iter().flat_map(|&block| &f.blocks[block].insts);
    let hidden = |&inst: &Inst| matches!(f.insts[inst], InstData::SymbolAddr { symbol, .. } if cx.hidden.contains(&symbol));
    !cx.hidden.is_empty() && insts.any(hidden)
}

/// What a place holds.
#[derive(Clone, PartialEq, Debug)]
struct Content {
    place: Place,
    /// The address without its constant part, when the distance to the root is not constant.
    base: Option<(Value, i64)>,
    value: Value,
    ty: Type,
    /// It never changes.
    constant: bool,
}

impl Content {
    /// Are these the same bytes?
    fn is_same(&self, other: &Content) -> bool {
        self.place == other.place && self.base == other.base && self.ty.bytes() == other.ty.bytes()
    }
}

/// What is known of memory at one point.
#[derive(Clone, Default)]
struct Memory {
    contents: Vec<Content>,
    /// Parts of slots that were filled.
    fills: Vec<Fill>,
    /// Slots whose address somebody may have.
    leaked: BTreeSet<Slot>,
}

/// What an instruction does to memory.
enum Write {
    Nothing,
    /// These bytes.
    At(Place, i64),
    /// Anything that is not private.
    Anything,
}

struct Pass<'a> {
    cx: &'a Cx<'a>,
    expressions: Expressions,
    /// Something before the current instruction in its block may write to memory.
    written: bool,
    /// There are slots.
    slots: bool,
    /// Variables whose addresses are values that may be one of several here.
    let_out: BTreeSet<SymbolId>,
    /// Memory at the end of each block that was visited.
    out: Arena<Block, Option<Memory>>,
    /// How many of the jumps from each such block lead to blocks that are not visited yet.
    left: Arena<Block, usize>,
    /// Room for a list of instructions.
    room: Vec<Inst>,
    changed: bool,
}

impl Pass<'_> {
    /// What memory certainly holds at the start of a block.
    fn memory_at(&mut self, f: &Function, flow: &Flow, block: Block) -> Memory {
        if let [only] = flow.preds[block]
            && self.left[only] == 1
            && let Some(memory) = self.out[only].take()
        {
            return memory;
        }
        let mut common: Option<Memory> = None;
        let mut pending = false;
        for &pred in &flow.preds[block] {
            match &self.out[pred] {
                Some(memory) => match &mut common {
                    None => common = Some(memory.clone()),
                    Some(common) => {
                        common.contents.retain(|content| memory.contents.contains(content));
                        common.fills.retain(|fill| memory.fills.contains(fill));
                        common.leaked.extend(&memory.leaked);
                    }
                },
                None => pending |= flow.is_reachable(pred),
            }
        }
        let mut memory = common.unwrap_or_default();
        if pending {
            // A loop: what its blocks write and let out is unknown at its start.
            let loops = flow.loops();
            let Some(index) = loops.innermost(block).filter(|&i| loops.loops[i].header == block) else {
                return Memory { leaked: f.slots.keys().collect(), ..Memory::default() };
            };
            let inside = || loops.loops[index].blocks.iter().flat_map(|&inside| &f.blocks[inside].insts);
            for &inst in inside() {
                slots::leaked(f, &f.insts[inst], |slot| {
                    memory.leaked.insert(slot);
                });
            }
            for &inst in inside() {
                self.forget(f, &f.insts[inst], &mut memory);
            }
        }
        memory
    }

    fn block(&mut self, f: &mut Function, flow: &Flow, block: Block, memory: &mut Memory) {
        self.written = false;
        let mut insts = std::mem::replace(&mut f.blocks[block].insts, std::mem::take(&mut self.room));
        f.blocks[block].insts.reserve(insts.len());
        for inst in insts.drain(..) {
            let renamed = f.resolve_operands(inst);
            if self.slots {
                slots::leaked(f, &f.insts[inst], |slot| {
                    memory.leaked.insert(slot);
                });
            }
            if f.insts[inst].is_terminator() && !matches!(f.insts[inst], InstData::Asm { .. }) {
                // What is passed to blocks may be the same on all ways now.
                self.changed |= renamed && !matches!(f.insts[inst], InstData::Return { .. });
                f.blocks[block].insts.push(inst);
                continue;
            }
            if f.insts[inst].is_pure() {
                if !self.expression(f, flow, block, inst) {
                    f.blocks[block].insts.push(inst);
                }
                continue;
            }
            match f.insts[inst] {
                InstData::Load { flags, .. } if !flags.volatile => {
                    if self.load(f, flow, block, inst, memory) {
                        continue;
                    }
                }
                InstData::Store { value, base, offset, flags } if !flags.volatile => {
                    let content = self.content(f, base, offset, value);
                    if memory.contents.contains(&content) {
                        self.changed = true;
                        continue;
                    }
                    self.written |= self.forget(f, &f.insts[inst], memory);
                    remember(&mut memory.contents, content);
                }
                _ => {
                    self.written |= self.forget(f, &f.insts[inst], memory);
                    memory.fills.extend(Fill::new(f, &f.insts[inst]));
                }
            }
            f.blocks[block].insts.push(inst);
        }
        self.room = insts;
    }

    /// Replaces a pure instruction by an equal one that dominates it, if there is one.
    fn expression(&mut self, f: &mut Function, flow: &Flow, block: Block, inst: Inst) -> bool {
        let (Some(result), Some(value)) = (f.result(inst), self.expressions.equal(f, flow, block, inst))
        else {
            return false;
        };
        f.replace(result, value);
        // Of constants nobody asks whether they are one value, but where blocks are passed them.
        self.changed |= !matches!(
            f.insts[inst],
            InstData::Const { .. } | InstData::SymbolAddr { .. } | InstData::SlotAddr { .. }
        );
        true
    }

    /// Replaces a load by what the place holds.
    fn load(&mut self, f: &mut Function, flow: &Flow, block: Block, inst: Inst, memory: &mut Memory) -> bool {
        let InstData::Load { ty, base, offset, .. } = f.insts[inst] else { return false };
        let Some(result) = f.result(inst) else { return false };
        let wanted = self.content(f, base, offset, result);
        if let Some(byte) = fill::byte(&memory.fills, &wanted) {
            let value = edit::append(f, block, f.locs[inst], |ed| {
                let bits = ed.iconst(Type::I64, u64::from_ne_bytes([byte; 8]));
                cast(ed, bits, ty)
            });
            f.replace(result, value);
            self.changed = true;
            return true;
        }
        match memory.contents.iter().find(|held| wanted.is_same(held)).map(|content| content.value) {
            Some(value) => {
                let loc = f.locs[inst];
                let value = edit::append(f, block, loc, |ed| cast(ed, value, ty));
                f.replace(result, value);
                self.changed = true;
                true
            }
            None => match self.joined(f, flow, block, inst, &wanted) {
                Some(value) => {
                    f.replace(result, value);
                    self.changed = true;
                    remember(&mut memory.contents, Content { value, ..wanted });
                    true
                }
                None => {
                    remember(&mut memory.contents, wanted);
                    false
                }
            },
        }
    }

    fn content(&self, f: &Function, base: Value, offset: i32, value: Value) -> Content {
        let place = Place::new(f, base, offset);
        let exact = match (place.root, place.offset) {
            (Root::Slot(_) | Root::Symbol(_), Some(_)) => None,
            _ => Some(strip(f, base, offset)),
        };
        let constant = matches!(place.root, Root::Symbol(symbol) if self.cx.is_immutable(symbol));
        Content { place, base: exact, value, ty: f.ty(value), constant }
    }

    /// Drops what an instruction may change. Whether it may write anywhere.
    fn forget(&self, f: &Function, data: &InstData, memory: &mut Memory) -> bool {
        let Memory { contents, fills, leaked } = memory;
        fill::forget(f, data, fills, leaked);
        let written = match *data {
            InstData::Store { base, offset, .. } if !contents.is_empty() => Some(strip(f, base, offset)),
            _ => None,
        };
        match effect(f, data) {
            Write::Nothing => return false,
            _ if contents.is_empty() => {}
            Write::At(place, size) => contents.retain(|content| {
                // Distances from one unnamed base can be compared too.
                let apart = match (content.base, written) {
                    (Some((a, at)), Some((b, to))) => {
                        let held = i64::from(content.ty.bytes());
                        if a == b {
                            at >= to.saturating_add(size) || to >= at + held
                        } else {
                            alias::different_elements(f, (a, at), (b, to), size.max(held))
                        }
                    }
                    _ => false,
                };
                let private = |root: Root| match root {
                    Root::Slot(slot) => !leaked.contains(&slot),
                    Root::Symbol(symbol) => {
                        self.cx.hidden.contains(&symbol) && !self.let_out.contains(&symbol)
                    }
                    Root::Number(_) | Root::Helper(_) | Root::Other(_) => false,
                };
                content.constant
                    || apart
                    || !content.place.may_overlap(content.ty.bytes().into(), &place, size, &private)
            }),
            Write::Anything => {
                let passed = if self.slots { slots::passed(f, data) } else { Vec::new() };
                contents.retain(|content| match content.place.root {
                    Root::Slot(slot) => !leaked.contains(&slot) && !passed.contains(&slot),
                    Root::Symbol(_) | Root::Number(_) | Root::Helper(_) | Root::Other(_) => content.constant,
                });
            }
        }
        true
    }
}

fn remember(memory: &mut Vec<Content>, content: Content) {
    if memory.len() >= PLACES {
        memory.remove(0);
    }
    memory.push(content);
}

/// The address without constant additions, in whatever address space.
fn strip(f: &Function, base: Value, offset: i32) -> (Value, i64) {
    let (mut base, mut at) = (f.resolve(base), i64::from(offset));
    loop {
        base = match f.def(base) {
            Some(InstData::PtrAdd { base: inner, offset }) => match f.constant(*offset) {
                Some(by) => {
                    at = at.wrapping_add(by as i64);
                    f.resolve(*inner)
                }
                None => return (base, at),
            },
            Some(InstData::Intrinsic { op: Intrinsic::CastAddressSpace, args, .. }) => f.resolve(args[0]),
            _ => return (base, at),
        };
    }
}

/// What an instruction does to memory.
fn effect(f: &Function, data: &InstData) -> Write {
    match data {
        InstData::Store { value, base, offset, .. } => {
            Write::At(Place::new(f, *base, *offset), f.ty(*value).bytes().into())
        }
        // Atomic operations order other accesses.
        InstData::AtomicRmw { .. } | InstData::AtomicCmpXchg { .. } | InstData::Call { .. } => {
            Write::Anything
        }
        InstData::Asm { asm, .. } if asm.effects => Write::Anything,
        InstData::Asm { .. } => Write::Nothing,
        InstData::Intrinsic { op, args, .. } => match op {
            Intrinsic::Memcpy | Intrinsic::Memmove | Intrinsic::Memset => {
                let size = f.constant(args[2]).and_then(|n| i64::try_from(n).ok()).unwrap_or(i64::MAX);
                Write::At(Place::new(f, args[0], 0), size)
            }
            Intrinsic::Memcmp
            | Intrinsic::Strlen
            | Intrinsic::Strcmp
            | Intrinsic::ConstantP
            | Intrinsic::Clz
            | Intrinsic::Ctz
            | Intrinsic::Popcount
            | Intrinsic::Opaque
            | Intrinsic::AsmResult
            | Intrinsic::CastAddressSpace
            | Intrinsic::FrameAddress
            | Intrinsic::ReturnAddress => Write::Nothing,
            Intrinsic::Fence
            | Intrinsic::Trap
            | Intrinsic::Wide
            | Intrinsic::Float
            | Intrinsic::OddArgument
            | Intrinsic::OddAtomic
            | Intrinsic::VarArgs => Write::Anything,
        },
        InstData::Const { .. }
        | InstData::SymbolAddr { .. }
        | InstData::SlotAddr { .. }
        | InstData::Core { .. }
        | InstData::Unary { .. }
        | InstData::Binary { .. }
        | InstData::PtrAdd { .. }
        | InstData::Convert { .. }
        | InstData::Compare { .. }
        | InstData::Select { .. }
        | InstData::Load { .. }
        | InstData::Jump { .. }
        | InstData::Branch { .. }
        | InstData::Switch { .. }
        | InstData::Return { .. }
        | InstData::Unreachable => Write::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    #[test]
    fn a_call_forgets_what_is_not_private() {
        let text = "function @f(ptr) -> i32 {\n  s0 = slot 4 align 4 \"a\"\nblock0(v0: ptr):\n\
            v1 = slot_addr s0\n  v2 = load.i32 v0 align 4\n  store.i32 v2, v1 align 4\n\
            v3 = call helper 7() -> i64\n  v4 = load.i32 v0 align 4\n  v5 = load.i32 v1 align 4\n\
            v6 = add v4, v5\n  v7 = load.i32 v0 align 4\n  v8 = add v6, v7\n  return v8\n}";
        let out = after_pass("gvn", text);
        assert_eq!(out.matches("load.i32").count(), 2, "{out}");
    }

    #[test]
    fn different_relocations_stay_apart() {
        let text = "core0 = 0 local 8 \"a\"\ncore1 = 1 local 8 \"b\"\nfunction @f(ptr) -> i64 {\nblock0(v0: ptr):\n\
            v1 = core.i64 core0\n  v2 = core.i64 core0\n  v3 = core.i64 core1\n\
            v4 = add v1, v2\n  v5 = add v4, v3\n  return v5\n}";
        let out = after_pass("gvn", text);
        assert_eq!(out.matches("core.i64").count(), 2, "{out}");
    }

    #[test]
    fn neighbours_in_an_array_are_apart() {
        let text = "function @f(i64) -> ptr {\n  s0 = slot 80 align 8 \"a\"\nblock0(v0: i64):\n\
            v1 = slot_addr s0\n  v2 = iconst.i64 3\n  v3 = shl v0, v2\n  v4 = ptr_add v1, v3\n\
            v5 = trunc.i32 v0\n  v6 = iconst.i32 1\n  v7 = add v5, v6\n  v8 = zext.i64 v7\n\
            v9 = shl v8, v2\n  v10 = ptr_add v1, v9\n  v11 = iconst.ptr 0\n  store v1, v4 align 8\n\
            store v11, v10 align 8\n  v12 = load.ptr v4 align 8\n  return v12\n}";
        let out = after_pass("gvn", text);
        assert!(out.contains("return v1\n"), "{out}");
        // Elements of 8 bytes at distances of 4 are not.
        let out = after_pass("gvn", &text.replace("iconst.i64 3", "iconst.i64 2"));
        assert!(out.contains("return v12"), "{out}");
    }
}
