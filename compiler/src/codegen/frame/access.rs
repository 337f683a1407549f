//! Which instructions use which variables of the frame, directly or through pointers.
//!
//! In: machine IR as selected. A register is a pointer into every object whose address may have
//! gone into it, on any path; what is loaded from an object points where any pointer stored there does.
//! Parts of pointers are numbers, as they are for the kernel's verifier.
//! Assumed of calls: what is given an object may use all that is reachable from it, and forgets the pointers
//! themselves, but for those that [`given`](super::given) says it may return, or put into another object.

use super::Set;
use super::given::Given;
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
        let objects = func.objects.len();
        if objects == 0 {
            return Accesses {
                objects,
                uses: Arena::filled(&func.blocks, Vec::new()),
                captured: Set::new(0),
            };
        }
        let flow = Flow::of(func);
        let mut finder = Finder {
            func,
            effects,
            pointers: vec![Set::new(objects); func.regs],
            contents: vec![Set::new(objects); objects],
            captured: Set::new(objects),
            changed: true,
        };
        let mut uses = Arena::filled(&func.blocks, Vec::new());
        while std::mem::take(&mut finder.changed) {
            for &block in &flow.rpo {
                finder.block(block, &mut uses[block]);
            }
        }
        Accesses { objects, uses, captured: finder.captured }
    }

    /// What the instruction at this place of the selected code does.
    pub fn of(&self, block: Block, position: usize) -> impl Iterator<Item = (Object, Use)> {
        let uses = &self.uses[block];
        let first = uses.partition_point(|&(at, ..)| at < position);
        uses[first..]
            .iter()
            .take_while(move |&&(at, ..)| at == position)
            .map(|&(_, object, how)| (object, how))
    }

    /// How many objects the function had when its code was selected.
    pub fn objects(&self) -> usize {
        self.objects
    }

    /// Was this object there when the code was selected?
    pub fn knows(&self, object: Object) -> bool {
        object.index() < self.objects
    }

    /// Objects that may be used until the function ends.
    pub fn captured(&self) -> impl Iterator<Item = Object> + '_ {
        self.captured.iter()
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
    pointers: Vec<Set>,
    /// By object, those whose address may be in it.
    contents: Vec<Set>,
    captured: Set,
    changed: bool,
}

impl Finder<'_> {
    fn block(&mut self, block: Block, uses: &mut Vec<(usize, Object, Use)>) {
        for machine in &mut self.pointers[..Reg::FIRST_VIRTUAL as usize] {
            machine.0.fill(0);
        }
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
                        let stored = &self.pointers[src.index()];
                        self.changed |= self.contents[object.index()].extend(stored);
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
                        self.changed |= self.contents[object.index()].extend(&all);
                    }
                }
                all.iter().for_each(|object| found(object, Use::Read));
            }
            // The text may keep what it is given anywhere.
            Op::Asm { .. } | Op::AsmGoto { .. } => {
                let given = self.given(op);
                let given = self.reachable(given);
                self.changed |= self.captured.extend(&given);
                given.iter().for_each(|object| found(object, Use::Read));
            }
            _ => {}
        }
    }

    /// An access of the frame, or through a pointer.
    fn access(&self, op: &Op, base: Base, how: Use, found: &mut dyn FnMut(Object, Use)) {
        match base {
            Base::Reg(reg) => self.pointers[reg.index()].iter().for_each(|object| found(object, how)),
            Base::Frame(_) => direct(op).into_iter().for_each(|(object, how)| found(object, how)),
        }
    }

    /// The objects whose address an instruction is given.
    fn given(&self, op: &Op) -> Set {
        let mut given = Set::new(self.func.objects.len());
        op.for_each_reg(|reg, role| {
            if role == Role::Use {
                given.extend(&self.pointers[reg.index()]);
            }
        });
        given
    }

    /// These objects, and those that are found through them.
    fn reachable(&self, mut objects: Set) -> Set {
        loop {
            let mut more = objects.clone();
            objects.iter().for_each(|object| {
                more.extend(&self.contents[object.index()]);
            });
            if more == objects {
                return objects;
            }
            objects = more;
        }
    }

    fn capture(&mut self, reg: Reg) {
        let found = self.reachable(self.pointers[reg.index()].clone());
        self.changed |= self.captured.extend(&found);
    }

    /// Follows pointers from what the instruction reads to what it writes.
    fn flow(&mut self, op: &Op) {
        let mut result = Set::new(self.func.objects.len());
        match *op {
            Op::Load { size, addr, .. } => match addr.base {
                _ if size != Size::DW => {}
                Base::Frame(object) => {
                    result.extend(&self.contents[object.index()]);
                }
                Base::Reg(reg) => self.pointers[reg.index()].iter().for_each(|object| {
                    result.extend(&self.contents[object.index()]);
                }),
            },
            Op::Frame { object, .. } => {
                result.insert(object);
            }
            Op::FramePointer { .. } => {
                for object in self.func.objects.keys() {
                    result.insert(object);
                }
            }
            Op::Alu { width: Width::W32, .. }
            | Op::Zext { .. }
            | Op::MovSx { .. }
            | Op::Neg { .. }
            | Op::Swap { .. } => {}
            Op::Call { callee, .. } => {
                if self.effects.of(callee).returns {
                    let given = self.given(op);
                    result.extend(&self.reachable(given));
                }
            }
            _ => op.for_each_reg(|reg, role| {
                if role.reads() {
                    result.extend(&self.pointers[reg.index()]);
                }
            }),
        }
        let clobbers = op.clobbers();
        for (number, machine) in self.pointers.iter_mut().enumerate().take(Reg::FIRST_VIRTUAL as usize) {
            if clobbers >> number & 1 == 1 {
                machine.0.fill(0);
            }
        }
        op.for_each_reg(|reg, role| {
            if !role.writes() {
            } else if reg.is_virtual() {
                self.changed |= self.pointers[reg.index()].extend(&result);
            } else {
                self.pointers[reg.index()] = result.clone();
            }
        });
    }
}
