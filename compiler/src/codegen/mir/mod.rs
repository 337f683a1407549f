//! Machine IR: instructions of the instruction set over virtual registers.
//!
//! Selection makes it from the IR, register allocation replaces virtual registers by `r0` to `r9`,
//! layout and emission turn it into [`Code`](super::code::Code).
//!
//! - Arithmetic is two-address, as on the machine: `dst` is read and written.
//! - A virtual register may be written several times; it is not SSA any more. Every path to a read
//!   passes a write.
//! - Calls read `r1` to `r5` as far as they have arguments, write `r0`, and destroy `r1` to `r5`.
//! - The frame pointer appears only as [`Base::Frame`] and in [`Op::Frame`].
//! - The last instruction of a block, and only that one, transfers control.

mod print;

use std::fmt;

use skep_stdlib::isa::{AluOp, AtomicOp, Cond, Endian, Reg as Phys, Size, Width};

use crate::codegen::asm::Text;
use crate::codegen::flow::Remembered;
use crate::ir::{Arena, CoreId, Entity, Preds, SrcLoc, SymbolId};

pub use print::print;

/// A register: `r0` to `r10`, or a virtual one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reg(u32);

impl Reg {
    /// The number of the first virtual register.
    pub const FIRST_VIRTUAL: u32 = Phys::COUNT as u32;

    /// A machine register.
    pub const fn phys(reg: Phys) -> Reg {
        Reg(reg.number() as u32)
    }

    /// The register with this index.
    pub const fn from_index(index: usize) -> Reg {
        Reg(index as u32)
    }

    /// Machine registers come first.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The machine register it is, if it is one.
    pub const fn as_phys(self) -> Option<Phys> {
        if self.0 < Reg::FIRST_VIRTUAL { Phys::new(self.0 as u8) } else { None }
    }

    /// Is it virtual?
    pub const fn is_virtual(self) -> bool {
        self.0 >= Reg::FIRST_VIRTUAL
    }
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_phys() {
            Some(reg) => write!(f, "{reg}"),
            None => write!(f, "%{}", self.0 - Reg::FIRST_VIRTUAL),
        }
    }
}

impl fmt::Debug for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);

        impl Entity for $name {
            fn new(index: usize) -> Self {
                $name(u32::try_from(index).expect("an entity count fits 32 bits"))
            }

            fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

ids! {
    /// A machine basic block.
    Block "bb";
    /// A piece of the frame: a variable or a spilled register.
    Object "fo";
    /// The text of inline assembly.
    AsmId "asm";
}

/// Second operand of arithmetic, branches and stores.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Src {
    /// A register.
    Reg(Reg),
    /// An immediate, sign-extended to the width of the operation.
    Imm(i32),
}

/// What an address counts from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Base {
    /// The content of a register.
    Reg(Reg),
    /// The start of a frame object.
    Frame(Object),
}

/// An address: base and displacement.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Addr {
    /// Where it counts from.
    pub base: Base,
    /// Bytes added.
    pub off: i16,
}

/// Who is called.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Callee {
    /// A helper by number.
    Helper(i32),
    /// A function of the module or of the kernel.
    Func(SymbolId),
}

/// What an instruction does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum Op {
    /// `dst op= src`.
    Alu { width: Width, op: AluOp, dst: Reg, src: Src },
    /// `dst = src`, all 64 bits: the move that allocation may remove.
    Mov { dst: Reg, src: Reg },
    /// `dst = (u32)src`.
    Zext { dst: Reg, src: Reg },
    /// `dst = imm`, sign- or zero-extended as `width` says.
    MovImm { width: Width, dst: Reg, imm: i32 },
    /// `dst = value ll`.
    Imm64 { dst: Reg, value: u64 },
    /// `dst = symbol+addend ll`.
    Symbol { dst: Reg, symbol: SymbolId, addend: i64 },
    /// `dst = address of the frame object + off`: `dst = r10` and an addition.
    Frame { dst: Reg, object: Object, off: i32 },
    /// `dst = r10`.
    FramePointer { dst: Reg },
    /// Sign extension of the lower `bits` (cpu v4).
    MovSx { width: Width, bits: u8, dst: Reg, src: Reg },
    /// `dst = addr_space_cast(src)`, spaces as in the instruction.
    CastSpace { dst: Reg, src: Reg, spaces: i32 },
    /// `dst = -dst`.
    Neg { width: Width, dst: Reg },
    /// Byte-order conversion in place.
    Swap { kind: Endian, bits: u8, dst: Reg },
    /// `dst = *(size *)addr`.
    Load { size: Size, signed: bool, dst: Reg, addr: Addr },
    /// `*(size *)addr = src`.
    Store { size: Size, addr: Addr, src: Src },
    /// Read-modify-write; fetching forms write `src`, compare-and-exchange reads and writes `r0`.
    Atomic { size: Size, op: AtomicOp, addr: Addr, src: Reg },
    /// Inline assembly: machine registers it reads, writes, and destroys, one bit each.
    Asm { text: AsmId, uses: u16, defs: u16, clobbers: u16 },
    /// Call with `args` arguments; `returns` says whether anyone reads `r0`.
    Call { callee: Callee, args: u8, returns: bool },

    // Transfer of control.
    /// `goto`.
    Jump { to: Block },
    /// `if dst cond src goto then else goto els`.
    Branch { width: Width, cond: Cond, dst: Reg, src: Src, then: Block, els: Block },
    /// Inline assembly that goes on to `next` or jumps to `to`.
    AsmGoto { text: AsmId, uses: u16, clobbers: u16, next: Block, to: Block },
    /// The end of a naked function: no instruction.
    End,
    /// `exit`; `value` says whether `r0` is read.
    Exit { value: bool },
}

/// Where control may go next, in order.
pub type Ways = [Option<Block>; 2];

/// An instruction with its side information.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inst {
    /// What it does.
    pub op: Op,
    /// Where it comes from.
    pub loc: SrcLoc,
    /// The CO-RE relocation that patches its offset or immediate.
    pub core: Option<CoreId>,
}

/// A basic block.
#[derive(Clone, Debug, Default)]
pub struct BlockData {
    /// In order; the last transfers control.
    pub insts: Vec<Inst>,
}

/// A piece of the frame.
#[derive(Clone, Debug)]
pub struct ObjectData {
    /// Bytes.
    pub size: u32,
    /// Alignment in bytes.
    pub align: u32,
    /// The variable's name; empty for a spilled register.
    pub name: String,
    /// Where the variable is declared.
    pub loc: SrcLoc,
    /// Bytes from the frame pointer to its start, once the frame is laid out; negative.
    pub place: Option<i32>,
}

/// A function in machine IR.
#[derive(Clone, Debug)]
pub struct Func {
    /// Its symbol in the IR module.
    pub symbol: SymbolId,
    /// Blocks; only those in `order` count.
    pub blocks: Arena<Block, BlockData>,
    /// Layout order; the first is the entry.
    pub order: Vec<Block>,
    /// The frame.
    pub objects: Arena<Object, ObjectData>,
    /// Texts of inline assembly with their operands.
    pub texts: Arena<AsmId, Text>,
    /// Registers in use, the machine's included.
    pub regs: usize,
    /// What is known of its graph.
    pub(super) flow: Remembered,
}

/// How an instruction uses a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Reads it.
    Use,
    /// Writes it.
    Def,
    /// Reads, then writes it.
    Both,
}

impl Role {
    /// Is it read?
    pub const fn reads(self) -> bool {
        matches!(self, Role::Use | Role::Both)
    }

    /// Is it written?
    pub const fn writes(self) -> bool {
        matches!(self, Role::Def | Role::Both)
    }
}

impl Addr {
    /// Displacement from a register.
    pub const fn reg(base: Reg, off: i16) -> Addr {
        Addr { base: Base::Reg(base), off }
    }

    /// Displacement into a frame object.
    pub const fn frame(object: Object, off: i16) -> Addr {
        Addr { base: Base::Frame(object), off }
    }
}

/// Calls `$one` with every register named in an instruction, and its role, reads before writes.
macro_rules! named_registers {
    ($op:expr, $one:ident) => {
        match $op {
            Op::Alu { dst, src, .. } => {
                if let Src::Reg(src) = src {
                    $one(src, Role::Use);
                }
                $one(dst, Role::Both);
            }
            Op::Mov { dst, src }
            | Op::Zext { dst, src }
            | Op::CastSpace { dst, src, .. }
            | Op::MovSx { dst, src, .. } => {
                $one(src, Role::Use);
                $one(dst, Role::Def);
            }
            Op::MovImm { dst, .. }
            | Op::Imm64 { dst, .. }
            | Op::Symbol { dst, .. }
            | Op::Frame { dst, .. }
            | Op::FramePointer { dst } => $one(dst, Role::Def),
            Op::Neg { dst, .. } | Op::Swap { dst, .. } => $one(dst, Role::Both),
            Op::Load { dst, addr: Addr { base, .. }, .. } => {
                if let Base::Reg(base) = base {
                    $one(base, Role::Use);
                }
                $one(dst, Role::Def);
            }
            Op::Store { addr: Addr { base, .. }, src, .. } => {
                if let Base::Reg(base) = base {
                    $one(base, Role::Use);
                }
                if let Src::Reg(src) = src {
                    $one(src, Role::Use);
                }
            }
            Op::Atomic { addr: Addr { base, .. }, src, op, .. } => {
                if let Base::Reg(base) = base {
                    $one(base, Role::Use);
                }
                $one(src, if fetches(*op) { Role::Both } else { Role::Use });
            }
            Op::Branch { dst, src, .. } => {
                $one(dst, Role::Use);
                if let Src::Reg(src) = src {
                    $one(src, Role::Use);
                }
            }
            Op::Call { .. }
            | Op::Asm { .. }
            | Op::AsmGoto { .. }
            | Op::Jump { .. }
            | Op::End
            | Op::Exit { .. } => {}
        }
    };
}

impl Op {
    /// Replaces every register named in the instruction, reads before writes.
    pub fn map_regs(&mut self, mut f: impl FnMut(Reg, Role) -> Reg) {
        let mut one = |reg: &mut Reg, role| *reg = f(*reg, role);
        named_registers!(self, one);
    }

    /// Calls `f` with every register the instruction names or implies, reads before writes.
    /// Registers that a call destroys are not named; see [`Op::clobbers`].
    #[inline]
    pub fn for_each_reg(&self, mut f: impl FnMut(Reg, Role)) {
        match self {
            Op::Call { args, returns, .. } => {
                (1..=*args).for_each(|number| f(Reg(u32::from(number)), Role::Use));
                if *returns {
                    f(Reg::phys(Phys::R0), Role::Def);
                }
            }
            Op::Asm { uses, defs, .. } => {
                bits(*uses).for_each(|reg| f(reg, Role::Use));
                bits(*defs).for_each(|reg| f(reg, Role::Def));
            }
            Op::AsmGoto { uses, .. } => bits(*uses).for_each(|reg| f(reg, Role::Use)),
            Op::Exit { value: true } => f(Reg::phys(Phys::R0), Role::Use),
            Op::Atomic { op: AtomicOp::CmpXchg, .. } => f(Reg::phys(Phys::R0), Role::Both),
            _ => {}
        }
        let mut one = |reg: &Reg, role| f(*reg, role);
        named_registers!(self, one);
    }

    /// Machine registers whose content is lost, one bit each, results included.
    pub const fn clobbers(&self) -> u16 {
        match self {
            Op::Call { .. } => 0b11_1111,
            Op::Asm { clobbers, defs, .. } => *clobbers | *defs,
            Op::AsmGoto { clobbers, .. } => *clobbers,
            _ => 0,
        }
    }

    /// The register it defines from nothing, if doing that again elsewhere gives the same value.
    pub fn rematerialised(&self) -> Option<Reg> {
        match self {
            Op::MovImm { dst, .. }
            | Op::Imm64 { dst, .. }
            | Op::Symbol { dst, .. }
            | Op::Frame { dst, .. }
            | Op::FramePointer { dst } => Some(*dst),
            _ => None,
        }
    }

    /// The frame object it names.
    pub fn object(&self) -> Option<Object> {
        match self {
            Op::Load { addr, .. } | Op::Store { addr, .. } | Op::Atomic { addr, .. } => match addr.base {
                Base::Frame(object) => Some(object),
                Base::Reg(_) => None,
            },
            Op::Frame { object, .. } => Some(*object),
            _ => None,
        }
    }

    /// Where control may go next, in order.
    pub const fn ways(&self) -> Ways {
        match *self {
            Op::Jump { to } => [Some(to), None],
            Op::Branch { then, els, .. } => [Some(then), Some(els)],
            Op::AsmGoto { next, to, .. } => [Some(next), Some(to)],
            _ => [None, None],
        }
    }

    /// Replaces the blocks it may go to.
    pub fn map_successors(&mut self, mut f: impl FnMut(Block) -> Block) {
        match self {
            Op::Jump { to } => *to = f(*to),
            Op::Branch { then, els, .. } => {
                *then = f(*then);
                *els = f(*els);
            }
            Op::AsmGoto { next, to, .. } => {
                *next = f(*next);
                *to = f(*to);
            }
            _ => {}
        }
    }

    /// Does it end a block?
    pub const fn is_terminator(&self) -> bool {
        matches!(self, Op::Jump { .. } | Op::Branch { .. } | Op::AsmGoto { .. } | Op::End | Op::Exit { .. })
    }
}

/// The machine registers of a set.
fn bits(set: u16) -> impl Iterator<Item = Reg> {
    (0..Reg::FIRST_VIRTUAL).filter(move |number| set >> number & 1 == 1).map(Reg)
}

/// Does this atomic operation write its source register?
pub const fn fetches(op: AtomicOp) -> bool {
    match op {
        AtomicOp::Add { fetch }
        | AtomicOp::Or { fetch }
        | AtomicOp::And { fetch }
        | AtomicOp::Xor { fetch } => fetch,
        AtomicOp::Xchg => true,
        // The old value comes back in r0.
        AtomicOp::CmpXchg => false,
    }
}

impl Func {
    /// A function without blocks.
    pub fn new(symbol: SymbolId) -> Func {
        Func {
            symbol,
            blocks: Arena::new(),
            order: Vec::new(),
            objects: Arena::new(),
            texts: Arena::new(),
            regs: Reg::FIRST_VIRTUAL as usize,
            flow: Remembered::default(),
        }
    }

    /// A new virtual register.
    pub fn new_reg(&mut self) -> Reg {
        self.regs += 1;
        Reg::from_index(self.regs - 1)
    }

    /// A new block, not yet in the layout.
    pub fn new_block(&mut self) -> Block {
        self.blocks.push(BlockData::default())
    }

    /// Where control may go from a block, in order.
    pub fn ways(&self, block: Block) -> Ways {
        self.blocks[block].insts.last().map_or([None, None], |inst| inst.op.ways())
    }

    /// Where control may go from a block.
    pub fn successors(&self, block: Block) -> impl Iterator<Item = Block> + use<> {
        let [first, second] = self.ways(block);
        first.into_iter().chain(second)
    }

    /// Blocks that jump to each block, once for each jump.
    pub fn predecessors(&self) -> Preds<Block> {
        Preds::new(self.blocks.len(), &self.order, |block| self.successors(block))
    }
}
