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
    /// A conditional jump went this way, unless there was no choice; numbers in the group with
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

/// The tree.
#[derive(Default)]
pub struct Trace {
    nodes: Vec<Node>,
    groups: Vec<Vec<Place>>,
}

impl Trace {
    /// Appends a node and returns its index.
    pub fn push(&mut self, prev: u32, slot: u32, event: Event) -> u32 {
        self.nodes.push(Node { prev, slot, event });
        self.nodes.len() as u32 - 1
    }

    /// The node, unless it is [`NONE`].
    pub fn node(&self, index: u32) -> Option<&Node> {
        self.nodes.get(index as usize)
    }

    /// The nodes from this one back to the program's entry.
    pub fn back(&self, mut at: u32) -> impl Iterator<Item = &Node> {
        core::iter::from_fn(move || {
            let node = self.node(at)?;
            at = node.prev;
            Some(node)
        })
    }

    /// Stores the copies of what was compared for an [`Event::Jump`]; 0 if there are none.
    pub fn add_group(&mut self, group: Vec<Place>) -> u32 {
        if group.len() < 2 {
            return 0;
        }
        self.groups.push(group);
        self.groups.len() as u32
    }

    /// The group with this index.
    pub fn group(&self, index: u32) -> &[Place] {
        let group = (index as usize).checked_sub(1).and_then(|index| self.groups.get(index));
        group.map_or(&[], |group| group)
    }

    /// The choices that led to a node, first to last.
    pub fn jumps(&self, at: u32) -> Vec<Step> {
        let step = |node: &Node| match node.event {
            Event::Jump(Some(taken), _) => Some(Step { slot: node.slot, taken }),
            _ => None,
        };
        let mut steps: Vec<Step> = self.back(at).filter_map(step).collect();
        steps.reverse();
        steps
    }
}
