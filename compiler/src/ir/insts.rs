//! The instructions of a function, and which of them are settled.
//!
//! An instruction is settled when a pass has found nothing to do about it, and stays so for as long as it does what it
//! did then: whoever changes one goes through here, and its next run looks at what has changed. Where jumps lead is no
//! such change. What is settled is no part of what a function is: two functions are equal without it.

use std::ops::Deref;

use super::entities::{Arena, Inst, Value};
use super::inst::{BlockCall, InstData};

/// All instructions ever made. To read, they are an arena.
#[derive(Clone, Debug, Default)]
pub struct Insts {
    data: Arena<Inst, InstData>,
    settled: Arena<Inst, bool>,
}

impl Deref for Insts {
    type Target = Arena<Inst, InstData>;

    fn deref(&self) -> &Self::Target {
        &self.data
    }
}

impl PartialEq for Insts {
    fn eq(&self, other: &Insts) -> bool {
        self.data == other.data
    }
}

impl Insts {
    /// Adds an instruction.
    pub(super) fn push(&mut self, data: InstData) -> Inst {
        self.settled.push(false);
        self.data.push(data)
    }

    /// Makes room for so many more.
    pub(super) fn reserve(&mut self, count: usize) {
        self.data.reserve(count);
        self.settled.reserve(count);
    }

    /// Replaces an instruction.
    pub(super) fn set(&mut self, inst: Inst, data: InstData) {
        self.data[inst] = data;
        self.settled[inst] = false;
    }

    /// Rewrites the operands of an instruction.
    pub fn map_operands(&mut self, inst: Inst, mut map: impl FnMut(Value) -> Value) {
        let mut same = true;
        self.data[inst].map_operands(|v| {
            let new = map(v);
            same &= new == v;
            new
        });
        self.settled[inst] &= same;
    }

    /// The jumps of a terminator.
    pub fn targets_mut(&mut self, inst: Inst) -> impl Iterator<Item = &mut BlockCall> {
        self.data[inst].targets_mut()
    }

    /// Shows an instruction to somebody who may change everything else meanwhile; nothing stands in its place.
    pub fn lend(&mut self, inst: Inst) -> InstData {
        std::mem::replace(&mut self.data[inst], InstData::Unreachable)
    }

    /// Puts back what was lent.
    pub fn give_back(&mut self, inst: Inst, data: InstData) {
        self.data[inst] = data;
    }

    /// Is the instruction what it was when it was settled?
    pub fn is_settled(&self, inst: Inst) -> bool {
        self.settled[inst]
    }

    /// There is nothing to do about this instruction for as long as it stays what it is.
    pub fn settle(&mut self, inst: Inst) {
        self.settled[inst] = true;
    }

    /// There may be something to do about this instruction.
    pub fn unsettle(&mut self, inst: Inst) {
        self.settled[inst] = false;
    }
}
