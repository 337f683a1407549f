//! The loops of a program: strongly connected components of its control flow.
//!
//! In: the number of instructions and where each may lead, within its function. Out: the component
//! of each instruction that lies on a way back to itself. Tarjan's algorithm, with a stack of its
//! own: a program is a million instructions long at worst.

use alloc::vec::Vec;

/// The number of the component that each slot belongs to; none if no way leads back to it.
pub fn components<I: Iterator<Item = u32>>(count: u32, successors: impl Fn(u32) -> I) -> Vec<Option<u32>> {
    let mut search = Search {
        order: alloc::vec![0; count as usize],
        low: alloc::vec![0; count as usize],
        found: alloc::vec![None; count as usize],
        pending: Vec::new(),
        next: 1,
        components: 0,
    };
    for slot in 0..count {
        if search.order[slot as usize] == 0 {
            search.visit(slot, &successors);
        }
    }
    search.found
}

/// Above every number in the order of visits: what is finished holds nobody back.
const DONE: u32 = u32::MAX;

struct Search {
    /// In which order slots were first met, from 1; 0 if not yet.
    order: Vec<u32>,
    /// The first of the slots that each leads back to, or [`DONE`].
    low: Vec<u32>,
    found: Vec<Option<u32>>,
    /// Slots that were met and whose component is not known.
    pending: Vec<u32>,
    next: u32,
    components: u32,
}

impl Search {
    fn meet(&mut self, slot: u32) {
        self.order[slot as usize] = self.next;
        self.low[slot as usize] = self.next;
        self.next += 1;
        self.pending.push(slot);
    }

    fn visit<I: Iterator<Item = u32>>(&mut self, root: u32, successors: &impl Fn(u32) -> I) {
        self.meet(root);
        let mut path = alloc::vec![(root, successors(root))];
        while let Some((slot, rest)) = path.last_mut() {
            let slot = *slot;
            match rest.next() {
                Some(next) if next as usize >= self.order.len() => {}
                Some(next) if self.order[next as usize] == 0 => {
                    self.meet(next);
                    path.push((next, successors(next)));
                }
                Some(next) => self.lower(slot, next),
                None => {
                    path.pop();
                    if self.low[slot as usize] == self.order[slot as usize] {
                        self.close(slot, successors);
                    }
                    if let Some(&(before, _)) = path.last() {
                        self.lower(before, slot);
                    }
                }
            }
        }
    }

    /// `slot` leads where `next` does.
    fn lower(&mut self, slot: u32, next: u32) {
        self.low[slot as usize] = self.low[slot as usize].min(self.low[next as usize]);
    }

    /// A component is complete: the pending slots from its first one on.
    fn close<I: Iterator<Item = u32>>(&mut self, first: u32, successors: &impl Fn(u32) -> I) {
        let start = self.pending.iter().rposition(|&slot| slot == first).unwrap_or(0);
        let members = self.pending.split_off(start);
        let is_loop = members.len() > 1 || successors(first).any(|next| next == first);
        self.components += u32::from(is_loop);
        for member in members {
            self.low[member as usize] = DONE;
            self.found[member as usize] = is_loop.then_some(self.components - u32::from(is_loop));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The components of a graph, its edges by node.
    fn of(edges: &[&[u32]]) -> Vec<Option<u32>> {
        components(edges.len() as u32, |slot| edges[slot as usize].iter().copied())
    }

    #[test]
    fn loops_are_components_and_straight_code_is_not() {
        assert_eq!(of(&[&[1], &[2], &[]]), [None, None, None]);
        assert_eq!(of(&[&[1], &[1, 2], &[]]), [None, Some(0), None]);
        assert_eq!(of(&[&[1], &[2], &[1, 3], &[]]), [None, Some(0), Some(0), None]);
    }

    #[test]
    fn nested_loops_are_one_component_and_others_are_apart() {
        let nested = of(&[&[1], &[2], &[1, 3], &[0, 4], &[5], &[4, 6], &[]]);
        assert_eq!(nested[..4], [nested[0]; 4]);
        assert!(nested[0].is_some() && nested[4].is_some() && nested[4] == nested[5]);
        assert_ne!(nested[0], nested[4]);
        assert_eq!(nested[6], None);
    }

    #[test]
    fn edges_out_of_the_program_lead_nowhere() {
        assert_eq!(of(&[&[7], &[0, 1]]), [None, Some(0)]);
    }

    #[test]
    fn long_programs_need_no_deep_stack() {
        let count = 1_000_000;
        let found = components(count, |slot| core::iter::once((slot + 1) % count));
        assert!(found.iter().all(|&component| component == Some(0)));
    }
}
