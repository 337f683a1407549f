//! What the walk did, instruction by instruction: a tree whose leaves are the paths.
//!
//! Following `prev` from the newest node of a path leads back to the program's entry, through
//! every instruction that the path executed. Reports take the jumps from it; the search for what a
//! number was computed from goes along it (see `precision`).

use alloc::vec::Vec;

use super::marks::Place;
use super::report::Step;

/// "No node": before the first instruction.
pub const NONE: u32 = u32::MAX;

/// What happened at an instruction beyond what it says itself.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// Nothing.
    Plain,
    /// The stack slot was loaded from or stored to.
    Stack(Place),
    /// A conditional jump went this way, unless there was no choice; numbers in the groups with
    /// this index were narrowed together, if it is not 0.
    Jump(Option<bool>, u32),
    /// A helper calls a function of the program, or that returns to the helper.
    Callback,
    /// The function was left there and then, for its caller.
    Left,
    /// Not an instruction: before the next one, the state with this index was kept.
    Kept(u32),
}

impl Event {
    /// Does the kernel's history of jumps get an entry for it?
    pub fn is_in_history(self) -> bool {
        matches!(self, Event::Stack(_) | Event::Jump(_, 1..))
    }
}

/// An instruction that was executed.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// The node before it.
    pub prev: u32,
    /// The instruction.
    pub slot: u32,
    /// What happened.
    pub event: Event,
}

/// Numbers that are copies of one another, for each operand of a comparison.
pub type Groups = [Vec<Place>; 2];

/// The tree.
#[derive(Default)]
pub struct Trace {
    nodes: Vec<Node>,
    groups: Vec<Groups>,
}

impl Trace {
    /// Appends a node and returns its index.
    pub fn push(&mut self, prev: u32, slot: u32, event: Event) -> u32 {
        self.nodes.push(Node { prev, slot, event });
        self.nodes.len() as u32 - 1
    }

    /// The node, unless it is [`NONE`].
    pub fn node(&self, index: u32) -> Option<Node> {
        self.nodes.get(index as usize).copied()
    }

    /// Stores groups for an [`Event::Jump`]; 0 if they say nothing.
    pub fn add_groups(&mut self, groups: Groups) -> u32 {
        if groups.iter().all(|group| group.len() < 2) {
            return 0;
        }
        self.groups.push(groups);
        self.groups.len() as u32
    }

    /// The groups with this index.
    pub fn groups(&self, index: u32) -> &[Vec<Place>] {
        let groups = (index as usize).checked_sub(1).and_then(|index| self.groups.get(index));
        groups.map_or(&[], |groups| groups)
    }

    /// The choices that led to a node, first to last.
    pub fn jumps(&self, mut at: u32) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some(node) = self.node(at) {
            if let Event::Jump(Some(taken), _) = node.event {
                steps.push(Step { slot: node.slot, taken });
            }
            at = node.prev;
        }
        steps.reverse();
        steps
    }
}
