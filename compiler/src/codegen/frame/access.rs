//! Which instructions use which variables of the frame, directly or through pointers.
//!
//! In: machine IR as selected. A register is a pointer into every object whose address may have
//! gone into it, on any path; what is loaded from an object points where any pointer stored there does.
//! Parts of pointers are numbers, as they are for the kernel's verifier.
//! Assumed of calls: what is given an object may use all that is reachable from it, and forgets the pointers
//! themselves, but for those that [`given`](super::given) says it may return, or put into another object.

use super::given::Given;
use super::{Set, Sets, extend, objects};
use crate::codegen::bits::in_word;
use crate::codegen::flow::Flow;
use crate::codegen::mir::{Base, Block, Func, Object, Op, Reg, Role, Src};
use crate::ir::{Arena, Entity};
use skep_stdlib::isa::{Size, Width};

/// What an instruction does with an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// Reads some of it, and may write.
    Read,
    /// Writes somewhere.
    MayWrite,
    /// Writes exactly these bytes.
    Write {
        /// The first.
        from: u32,
        /// How many.
        bytes: u32,
    },
}

/// The uses of a function's objects.
pub struct Accesses {
    /// How many objects the function had.
    objects: usize,
    /// By block, in the order of the instructions, each with its position.
    uses: Arena<Block, Vec<(usize, Object, Use)>>,
    /// Objects whose address is in memory that is no object: they may be used until the function ends.
    captured: Set,
}

impl Accesses {
    /// Analyses the code of a function as selected.
    pub fn new(func: &Func, effects: &Given) -> Accesses {
        let count = func.objects.len();
        let mut uses = Arena::filled(&func.blocks, Vec::new());
        // One alone shares no bytes with others: nobody asks about it.
        if count < 2 {
            return Accesses { objects: count, uses, captured: Set::new(count) };
        }
        let flow = Flow::of(func);
        let mut finder = Finder {
            func,
            effects,
            pointers: Sets::new(func.regs, count),
            contents: Sets::new(count, count),
            captured: Set::new(count),
            result: Set::new(count),
            changed: true,
        };
        while std::mem::take(&mut finder.changed) {
            for &block in &flow.rpo {
                finder.block(block, &mut uses[block]);
            }
        }
        Accesses { objects: count, uses, captured: finder.captured }
    }

    /// What the instructions of a block of the selected code do, by position.
    pub fn of(&self, block: Block) -> &[(usize, Object, Use)] {
        &self.uses[block]
    }

    /// How many objects the function had when its code was selected.
    pub fn objects(&self) -> usize {
        self.objects
    }

    /// Was this object there when the code was selected?
    pub fn knows(&self, object: Object) -> bool {
        object.index() < self.objects
    }

    /// The set of objects that may be used until the function ends.
    pub fn captured(&self) -> &[u64] {
        &self.captured.0
    }
}

/// What an access of frame bytes by this operation does.
pub fn direct(op: &Op) -> Option<(Object, Use)> {
    let object = op.object()?;
    match *op {
        Op::Load { .. } | Op::Atomic { .. } => Some((object, Use::Read)),
        Op::Store { size, addr, .. } => {
            let exact = u32::try_from(addr.off).map(|from| Use::Write { from, bytes: size.bytes() });
            Some((object, exact.unwrap_or(Use::MayWrite)))
        }
        // An address alone is no access.
        _ => None,
    }
}

struct Finder<'a> {
    func: &'a Func,
    effects: &'a Given,
    /// Objects that a register may point into. Machine registers only within a block.
    pointers: Sets,
    /// By object, those whose address may be in it.
    contents: Sets,
    captured: Set,
    /// What the current instruction writes may point into these.
    result: Set,
    changed: bool,
}

impl Finder<'_> {
    fn block(&mut self, block: Block, uses: &mut Vec<(usize, Object, Use)>) {
        (0..Reg::FIRST_VIRTUAL as usize).for_each(|machine| self.pointers.row_mut(machine).fill(0));
        uses.clear();
        for (position, inst) in self.func.blocks[block].insts.iter().enumerate() {
            self.uses(&inst.op, &mut |object, how| uses.push((position, object, how)));
            self.flow(&inst.op);
        }
    }

    fn uses(&mut self, op: &Op, found: &mut dyn FnMut(Object, Use)) {
        match *op {
            Op::Load { addr, .. } => self.access(op, addr.base, Use::Read, found),
            Op::Store { size, addr, src } => {
                match (src, addr.base) {
                    _ if size != Size::DW => {}
                    (Src::Reg(src), Base::Frame(object)) => {
                        let stored = self.pointers.row(src.index());
                        self.changed |= extend(self.contents.row_mut(object.index()), stored);
                    }
                    (Src::Reg(src), Base::Reg(_)) => self.capture(src),
                    (Src::Imm(_), _) => {}
                }
                self.access(op, addr.base, Use::MayWrite, found);
            }
            Op::Atomic { addr, src, .. } => {
                self.capture(src);
                self.access(op, addr.base, Use::Read, found);
            }
            Op::Call { callee, .. } => {
                let given = self.given(op);
                let all = self.reachable(given);
                if self.effects.of(callee).stores && all.iter().nth(1).is_some() {
                    for object in all.iter() {
                        self.changed |= extend(self.contents.row_mut(object.index()), &all.0);
                    }
                }
                all.iter().for_each(|object| found(object, Use::Read));
            }
            // The text may keep what it is given anywhere.
            Op::Asm { .. } | Op::AsmGoto { .. } => {
                let given = self.given(op);
                let given = self.reachable(given);
                self.changed |= extend(&mut self.captured.0, &given.0);
                given.iter().for_each(|object| found(object, Use::Read));
            }
            _ => {}
        }
    }

    /// An access of the frame, or through a pointer.
    fn access(&self, op: &Op, base: Base, how: Use, found: &mut dyn FnMut(Object, Use)) {
        match base {
            Base::Reg(reg) => objects(self.pointers.row(reg.index())).for_each(|object| found(object, how)),
            Base::Frame(_) => direct(op).into_iter().for_each(|(object, how)| found(object, how)),
        }
    }

    /// The objects whose address an instruction is given.
    fn given(&self, op: &Op) -> Set {
        let mut given = Set::new(self.func.objects.len());
        op.for_each_reg(|reg, role| {
            if role == Role::Use {
                extend(&mut given.0, self.pointers.row(reg.index()));
            }
        });
        given
    }

    /// These objects, and those that are found through them.
    fn reachable(&self, mut set: Set) -> Set {
        let mut changed = !set.is_empty();
        while std::mem::take(&mut changed) {
            for object in self.func.objects.keys() {
                changed |= set.contains(object) && extend(&mut set.0, self.contents.row(object.index()));
            }
        }
        set
    }

    fn capture(&mut self, reg: Reg) {
        let found = self.reachable(Set(self.pointers.row(reg.index()).to_vec()));
        self.changed |= extend(&mut self.captured.0, &found.0);
    }

    /// Follows pointers from what the instruction reads to what it writes.
    fn flow(&mut self, op: &Op) {
        let result = &mut self.result;
        result.0.fill(0);
        match *op {
            Op::Load { size, addr, .. } => match addr.base {
                _ if size != Size::DW => {}
                Base::Frame(object) => {
                    extend(&mut result.0, self.contents.row(object.index()));
                }
                Base::Reg(reg) => objects(self.pointers.row(reg.index())).for_each(|object| {
                    extend(&mut result.0, self.contents.row(object.index()));
                }),
            },
            Op::Frame { object, .. } => result.insert(object),
            Op::FramePointer { .. } => self.func.objects.keys().for_each(|object| result.insert(object)),
            Op::Alu { width: Width::W32, .. }
            | Op::Zext { .. }
            | Op::MovSx { .. }
            | Op::Neg { .. }
            | Op::Swap { .. } => {}
            Op::Call { callee, .. } => {
                if self.effects.of(callee).returns {
                    self.result = self.reachable(self.given(op));
                }
            }
            _ => op.for_each_reg(|reg, role| {
                if role.reads() {
                    extend(&mut result.0, self.pointers.row(reg.index()));
                }
            }),
        }
        for machine in in_word(op.clobbers().into()) {
            self.pointers.row_mut(machine).fill(0);
        }
        op.for_each_reg(|reg, role| {
            if role.writes() {
                let pointers = self.pointers.row_mut(reg.index());
                if reg.is_virtual() {
                    self.changed |= extend(pointers, &self.result.0);
                } else {
                    pointers.copy_from_slice(&self.result.0);
                }
            }
        });
    }
}
