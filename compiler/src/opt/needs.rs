//! What a function has: what a pass needs to find anything to do.
//!
//! In: a function. Out: [`Needs`], by one look at each instruction. Most functions are small and have no
//! loop, no switch and no slot left: the passes for these cost more to begin than to run, so a row of
//! [`PASSES`](super::PASSES) says what its pass needs, and it only runs where that is. Invariant: a pass whose needs
//! are not met would change nothing that another pass does not change as well.

use crate::ir::flow::goes_back;
use crate::ir::{BinaryOp, Callee, Function, InstData, Intrinsic};

/// Something that a function may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// Addresses of stack slots.
    Slots,
    /// A jump to a block that is not further down: every cycle has one.
    Loops,
    /// A choice between ways to go.
    Branches,
    /// A choice by a table.
    Switches,
    /// Stores.
    Stores,
    /// Copies, fills and comparisons of memory.
    Blocks,
    /// Addresses with a variable part.
    Indexes,
    /// More than one call of functions, by name or by pointer.
    Calls,
    /// Operations that a machine may lack, and accesses that are not aligned.
    Odd,
}

/// A set of them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Needs(u16);

impl Needs {
    /// All of these.
    pub const fn all(needs: &[Need]) -> Needs {
        let (mut set, mut rest) = (0, needs);
        while let [need, others @ ..] = rest {
            set |= 1 << *need as u16;
            rest = others;
        }
        Needs(set)
    }

    /// Both.
    pub fn and(self, other: Needs) -> Needs {
        Needs(self.0 | other.0)
    }

    /// None?
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Does a function that has these have all that is needed?
    pub fn meet(self, needs: Needs) -> bool {
        self.0 & needs.0 == needs.0
    }

    /// What a function has.
    pub fn of(f: &Function) -> Needs {
        let (mut has, mut calls) = (Needs::default(), 0);
        for &block in &f.order {
            for &inst in &f.blocks[block].insts {
                let data = &f.insts[inst];
                calls += usize::from(matches!(
                    data,
                    InstData::Call { callee: Callee::Func(_) | Callee::Indirect(_), .. }
                ));
                has.add_inst(f, data);
            }
        }
        if goes_back(f, &f.order) {
            has.add(Need::Loops);
        }
        if calls > 1 {
            has.add(Need::Calls);
        }
        has
    }

    fn add(&mut self, need: Need) {
        self.0 |= Needs::all(&[need]).0;
    }

    fn add_inst(&mut self, f: &Function, data: &InstData) {
        match data {
            InstData::SlotAddr { .. } => self.add(Need::Slots),
            InstData::Branch { .. } => self.add(Need::Branches),
            InstData::Switch { .. } => {
                self.add(Need::Branches);
                self.add(Need::Switches);
            }
            InstData::Store { value, flags, .. } => {
                self.add(Need::Stores);
                if flags.align < f.ty(*value).bytes() {
                    self.add(Need::Odd);
                }
            }
            InstData::Load { ty, flags, .. } if flags.align < ty.bytes() => self.add(Need::Odd),
            InstData::Binary { op: BinaryOp::Sdiv | BinaryOp::Srem, .. } => self.add(Need::Odd),
            InstData::PtrAdd { offset, .. } if f.constant(*offset).is_none() => self.add(Need::Indexes),
            InstData::Intrinsic { op, .. } => match op {
                Intrinsic::Memcpy | Intrinsic::Memmove | Intrinsic::Memset | Intrinsic::Memcmp => {
                    self.add(Need::Blocks);
                }
                Intrinsic::Clz | Intrinsic::Ctz | Intrinsic::Popcount => self.add(Need::Odd),
                _ => {}
            },
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opt::{Options, PASSES, pass, run_pass, testing};

    #[test]
    fn a_pass_without_what_it_needs_finds_nothing_to_do() {
        let options = Options { check: false, ..Options::default() };
        for seed in 0..200 {
            let mut module = testing::generate::module(seed);
            // What other passes do as well is done.
            let simplest =
                ["simplify", "mem2reg", "simplify", "cfg", "dce"].map(|name| pass(name).expect("a pass"));
            while simplest.iter().fold(false, |changed, pass| run_pass(&mut module, &options, pass) | changed)
            {
            }
            for row in PASSES {
                let mut other = module.clone();
                other.functions.retain(|f| !Needs::of(f).meet(row.needs));
                assert!(!run_pass(&mut other, &options, row), "seed {seed}: `{}` found something", row.name);
            }
        }
    }

    #[test]
    fn a_cycle_is_a_loop_and_a_branch_is_none() {
        let has = |text: &str| Needs::of(&crate::ir::parse(text).expect("a module").functions[0]);
        let branch =
            has("function @f(i1) -> i32 {\nblock0(v0: i1):\n  v1 = iconst.i32 0\n  br v0, block1, block2\n\
            block1:\n  return v1\nblock2:\n  return v1\n}");
        assert_eq!(branch, Needs::all(&[Need::Branches]));
        let cycle = has("function @f(i1) -> i32 {\nblock0(v0: i1):\n  v1 = iconst.i32 0\n  jump block1\n\
            block1:\n  br v0, block1, block2\nblock2:\n  return v1\n}");
        assert_eq!(cycle, Needs::all(&[Need::Branches, Need::Loops]));
    }
}
