//! switches: a switch becomes a tree of comparisons.
//!
//! ```text
//!   switch v1, block9 [1: block2, 5..8: block3]
//!     ->   br (v1 == 1), block2, blockA      blockA: br (v1 >= 5), blockB, block9
//!                                            blockB: br (v1 <= 8), block3, block9
//! ```
//!
//! Up to [`LINEAR`] cases are tested one after the other, more are halved. Neighbouring values with
//! the same target are one range.
//! Preserves: the target for every value.
//! The kernel's verifier still accepts: every comparison is of the switched value itself, never of
//! a difference, so that it learns the value's range in each case.
//! Cost: linear in the cases; their number times the logarithm in code.

use thin_vec::ThinVec;

use super::Cx;
use crate::ir::{Block, BlockCall, Compare, Function, InstData, SrcLoc, SwitchCase, Type, Value};

/// Cases that are tested one by one.
const LINEAR: usize = 3;

/// Runs the pass.
pub fn run(f: &mut Function, _: &Cx<'_>) -> bool {
    let mut changed = false;
    for block in std::mem::take(&mut f.order) {
        // The blocks of the tree follow the switch.
        f.order.push(block);
        let Some(inst) = f.terminator(block) else { continue };
        let InstData::Switch { value, cases, default } = f.insts[inst].clone() else { continue };
        let loc = f.locs[inst];
        f.blocks[block].insts.pop();
        let mut tree = Tree { ty: f.ty(value), f, value, default, loc };
        let cases = merged(cases);
        let most = tree.ty.mask();
        tree.build(block, &cases, (0, most));
        changed = true;
    }
    changed
}

/// The cases in order, neighbours with one target as ranges.
fn merged(mut cases: ThinVec<SwitchCase>) -> Vec<SwitchCase> {
    cases.sort_by_key(|case| case.lo);
    let mut out: Vec<SwitchCase> = Vec::new();
    for case in cases {
        match out.last_mut() {
            Some(last) if last.hi.checked_add(1) == Some(case.lo) && last.target == case.target => {
                last.hi = case.hi
            }
            _ => out.push(case),
        }
    }
    out
}

struct Tree<'f> {
    f: &'f mut Function,
    value: Value,
    ty: Type,
    default: BlockCall,
    loc: SrcLoc,
}

impl Tree<'_> {
    /// Ends `block` with tests for cases, when the value is known to be within a range.
    fn build(&mut self, mut block: Block, cases: &[SwitchCase], mut range: (u64, u64)) {
        if cases.len() > LINEAR {
            let (low, high) = cases.split_at(cases.len() / 2);
            let bound = high[0].lo;
            let (left, right) = (self.f.add_block(), self.f.add_block());
            self.branch(block, Compare::Ult, bound, BlockCall::to(left), BlockCall::to(right));
            self.build(left, low, (range.0, bound - 1));
            self.build(right, high, (bound, range.1));
            return;
        }
        for case in cases {
            if case.lo <= range.0 && range.1 <= case.hi {
                return self.jump(block, case.target.clone());
            }
            block = self.test(block, case, range);
            // What lies below the case goes to the default already, or is excluded by the range.
            if case.lo <= range.0 {
                range.0 = case.hi + 1;
            } else if range.1 <= case.hi {
                range.1 = case.lo - 1;
            }
        }
        self.jump(block, self.default.clone());
    }

    /// Ends `block` with a test for one case; returns the block where the others are tested.
    fn test(&mut self, block: Block, case: &SwitchCase, range: (u64, u64)) -> Block {
        let next = self.f.add_block();
        let hit = case.target.clone();
        if case.lo == case.hi {
            self.branch(block, Compare::Eq, case.lo, hit, BlockCall::to(next));
        } else if case.lo <= range.0 {
            self.branch(block, Compare::Ule, case.hi, hit, BlockCall::to(next));
        } else if range.1 <= case.hi {
            self.branch(block, Compare::Uge, case.lo, hit, BlockCall::to(next));
        } else {
            let inside = self.f.add_block();
            self.branch(block, Compare::Uge, case.lo, BlockCall::to(inside), BlockCall::to(next));
            self.branch(inside, Compare::Ule, case.hi, hit, BlockCall::to(next));
        }
        next
    }

    fn branch(&mut self, block: Block, op: Compare, bound: u64, then: BlockCall, els: BlockCall) {
        let bound = self.f.append_value(block, InstData::Const { ty: self.ty, value: bound }, self.loc);
        let cond = self.f.append_value(block, InstData::Compare { op, args: [self.value, bound] }, self.loc);
        self.f.append(block, InstData::Branch { cond, then, els }, self.loc);
    }

    fn jump(&mut self, block: Block, target: BlockCall) {
        self.f.append(block, InstData::Jump { target }, self.loc);
    }
}
