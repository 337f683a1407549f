//! Machine code of one module before it becomes an object: instructions plus side lists that are
//! keyed by instruction.
//!
//! Positions are counted in 8-byte slots from the start of the function; `LoadImm64` takes two.

use skep_stdlib::isa::Insn;
use skep_stdlib::isa::asm::Word;

use crate::ir::{CoreId, Module, Remark, SrcLoc, SymbolId};

/// Code of all functions that are emitted, in the order of the object.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// Functions that survived inlining.
    pub functions: Vec<FuncCode>,
}

/// Code of one function.
#[derive(Clone, Debug)]
pub struct FuncCode {
    /// Its symbol in the IR module.
    pub symbol: SymbolId,
    /// Instructions in order; jumps are resolved, calls of functions carry a relocation.
    pub insns: Vec<Insn>,
    /// Symbols that instructions refer to, by slot, increasing.
    pub relocs: Vec<Reloc>,
    /// Location from this slot on, by slot, strictly increasing; the first is slot 0.
    pub lines: Vec<(u32, SrcLoc)>,
    /// CO-RE relocations, by slot, increasing.
    pub cores: Vec<(u32, CoreId)>,
    /// Words of inline assembly that replace the instruction at their slot, increasing.
    pub words: Vec<(u32, Word)>,
    /// Bytes of stack the function uses.
    pub stack: u32,
    /// Stores and loads of registers that live in the frame.
    pub spills: Spills,
}

/// How often registers go to the frame and come back.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Spills {
    /// Stores.
    pub stores: usize,
    /// Loads.
    pub loads: usize,
}

impl Code {
    /// What may be worth knowing of how the code was made: of each function how many registers are spilled.
    pub fn remarks(&self, module: &Module) -> Vec<Remark> {
        let remark = |func: &FuncCode| {
            let Spills { stores, loads } = func.spills;
            let name = &module.symbols[func.symbol].name;
            let loc = func.lines.first().map_or(SrcLoc::NONE, |&(_, loc)| loc);
            let message = format!("{stores} spills {loads} reloads generated in function '{name}'");
            (stores + loads > 0).then_some(Remark { loc, pass: "regalloc", missed: true, message })
        };
        self.functions.iter().filter_map(remark).collect()
    }
}

/// A reference of an instruction to a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reloc {
    /// Slot of the instruction.
    pub slot: u32,
    /// What is referred to.
    pub symbol: SymbolId,
    /// Bytes added to the symbol's address (`LoadImm64` only).
    pub addend: i64,
    /// How.
    pub kind: RelocKind,
}

/// Kinds of references.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RelocKind {
    /// `LoadImm64` of the symbol's address: R_BPF_64_64.
    Address,
    /// `call` of the symbol: R_BPF_64_32.
    Call,
}
