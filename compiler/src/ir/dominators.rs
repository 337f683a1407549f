//! Dominators of a graph whose nodes are numbered in reverse post-order.
//!
//! In: how many nodes there are, and the predecessors of each; node 0 is the entry. Out: the immediate
//! dominator of each node, and intervals by which one comparison says whether one dominates another.
//! A join's dominator is the common ancestor of its predecessors in the tree so far. Each node also
//! remembers one ancestor further up (E. Myers, "An applicative random-access stack"), so the search
//! takes as many steps as the depth has digits. Only a graph with cycles that are entered in several places
//! needs more than one look at each node, and is then finished by the method of Cooper, Harvey and Kennedy,
//! "A Simple, Fast Dominance Algorithm".

/// The dominator tree of nodes `0..count`.
#[derive(Clone, Debug, Default)]
pub struct Dominators {
    idom: Vec<u32>,
    /// Nodes below each, itself included, have numbers from `enter` on.
    enter: Vec<u32>,
    size: Vec<u32>,
}

impl Dominators {
    /// Analyses a graph. Predecessors that are not reachable are not given.
    pub fn new<P: Iterator<Item = u32>>(count: usize, preds: impl Fn(u32) -> P) -> Dominators {
        let mut tree = Tree { idom: vec![0; count], up: vec![0; count], depth: vec![0; count] };
        for node in 1..count as u32 {
            let known = preds(node).filter(|&pred| pred < node);
            let idom = known.reduce(|a, b| tree.common(a, b)).unwrap_or(0);
            tree.hang(node, idom);
        }
        let idom = match (1..count as u32).all(|node| tree.agrees(node, preds(node))) {
            true => tree.idom,
            false => settled(tree.idom, preds),
        };
        let mut size = vec![1; count];
        for node in (1..count).rev() {
            size[idom[node] as usize] += size[node];
        }
        // Where the next child begins, then where the node itself does.
        let mut next: Vec<u32> = vec![1; count];
        let mut enter = vec![0; count];
        for node in 1..count {
            let parent = idom[node] as usize;
            enter[node] = next[parent];
            next[parent] += size[node];
            next[node] = enter[node] + 1;
        }
        Dominators { idom, enter, size }
    }

    /// The immediate dominator; `None` for the entry.
    pub fn idom(&self, node: u32) -> Option<u32> {
        (node != 0).then(|| self.idom[node as usize])
    }

    /// Is `a` on every path from the entry to `b`?
    pub fn dominates(&self, a: u32, b: u32) -> bool {
        self.enter[b as usize].wrapping_sub(self.enter[a as usize]) < self.size[a as usize]
    }
}

/// The tree while it is made.
struct Tree {
    idom: Vec<u32>,
    /// Some ancestor, of which nodes of the same depth have one of the same depth.
    up: Vec<u32>,
    depth: Vec<u32>,
}

impl Tree {
    fn hang(&mut self, node: u32, idom: u32) {
        let (depth, far) = (|node: u32| self.depth[node as usize], self.up[idom as usize]);
        let farther = self.up[far as usize];
        let even = depth(idom) - depth(far) == depth(far) - depth(farther);
        self.depth[node as usize] = depth(idom) + 1;
        self.up[node as usize] = if even { farther } else { idom };
        self.idom[node as usize] = idom;
    }

    /// The nearest common ancestor.
    fn common(&self, mut a: u32, mut b: u32) -> u32 {
        let depth = |node: u32| self.depth[node as usize];
        if depth(a) < depth(b) {
            std::mem::swap(&mut a, &mut b);
        }
        while depth(a) > depth(b) {
            let far = self.up[a as usize];
            a = if depth(far) < depth(b) { self.idom[a as usize] } else { far };
        }
        while a != b {
            let table = if self.up[a as usize] == self.up[b as usize] { &self.idom } else { &self.up };
            (a, b) = (table[a as usize], table[b as usize]);
        }
        a
    }

    /// Do the edges back to a node leave its dominator what it is?
    fn agrees(&self, node: u32, mut preds: impl Iterator<Item = u32>) -> bool {
        let idom = self.idom[node as usize];
        preds.all(|pred| pred < node || self.common(idom, pred) == idom)
    }
}

/// Starts from what the edges forward say, and takes all others into account until nothing changes.
fn settled<P: Iterator<Item = u32>>(mut idom: Vec<u32>, preds: impl Fn(u32) -> P) -> Vec<u32> {
    let mut changed = true;
    while changed {
        changed = false;
        for node in 1..idom.len() as u32 {
            let common = |mut a: u32, mut b: u32| {
                while a != b {
                    let deeper = if a > b { &mut a } else { &mut b };
                    *deeper = idom[*deeper as usize];
                }
                a
            };
            let new = preds(node).reduce(common).unwrap_or(0);
            changed |= new != idom[node as usize];
            idom[node as usize] = new;
        }
    }
    idom
}
