//! What the shape of a function's graph says: order, dominators, loops.
//!
//! In: a function. Out: [`Flow`] (reverse post-order, dominator tree) and [`Loops`] (natural loops
//! and their nesting). Both are snapshots: a pass that changes edges computes them again.
//! [`Function::flow`] remembers the last snapshot for as long as the graph is what it was.
//! Everything is iterative, so a function with a million blocks does not overflow the stack.

use std::sync::{Arc, OnceLock};

use super::dominators::Dominators;
use super::entities::{Arena, Block};
use super::function::{Function, Preds};

/// The order of a block that is not reachable.
const UNREACHABLE: u32 = u32::MAX;

/// Reverse post-order and dominator tree.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Blocks that jump to each block, once for each jump.
    pub preds: Preds,
    /// Reachable blocks; each one after its immediate dominator, and before its successors except
    /// along back edges.
    pub rpo: Vec<Block>,
    /// Position in the reverse post-order.
    order: Arena<Block, u32>,
    tree: Dominators,
    /// Children in the tree by position of the parent: one list, of which each has a range.
    starts: Vec<u32>,
    children: Vec<Block>,
    /// The graph that it is about.
    graph: Graph,
    /// The loops, once somebody has asked for them.
    loops: OnceLock<Loops>,
}

/// The layout of a function, and where its blocks jump to: one list, of which each block has a range.
#[derive(Clone, Debug)]
struct Graph {
    layout: Vec<Block>,
    ranges: Arena<Block, (u32, u32)>,
    targets: Vec<Block>,
}

/// The last [`Flow`] of a function. It is no part of what the function is.
#[derive(Clone, Debug, Default)]
pub struct Remembered(Option<Arc<Flow>>);

impl PartialEq for Remembered {
    fn eq(&self, _: &Remembered) -> bool {
        true
    }
}

impl Function {
    /// Its flow, of which there is one for as long as no edge changes.
    pub fn flow(&mut self) -> Arc<Flow> {
        if let Some(flow) = self.remembered_flow() {
            return Arc::clone(flow);
        }
        let flow = Arc::new(Flow::new(self));
        self.flow = Remembered(Some(Arc::clone(&flow)));
        flow
    }

    /// Its flow, which is not remembered if it was not.
    pub fn flow_as_is(&self) -> Arc<Flow> {
        self.remembered_flow().cloned().unwrap_or_else(|| Arc::new(Flow::new(self)))
    }

    /// Its flow, if that is known.
    pub fn remembered_flow(&self) -> Option<&Arc<Flow>> {
        self.flow.0.as_ref().filter(|flow| flow.graph.is_of(self))
    }
}

impl Flow {
    /// Analyses a function, all of whose blocks have terminators.
    pub fn new(f: &Function) -> Flow {
        let graph = Graph::new(f);
        let preds = Preds::new(f.blocks.len(), &f.order, |block| graph.targets(block).iter().copied());
        let rpo = graph.reverse_post_order();
        let mut order = Arena::filled(&f.blocks, UNREACHABLE);
        for (i, &block) in rpo.iter().enumerate() {
            order[block] = i as u32;
        }
        let tree = Dominators::new(rpo.len(), |node| {
            let preds = preds[rpo[node as usize]].iter();
            preds.map(|&pred| order[pred]).filter(|&pred| pred != UNREACHABLE)
        });
        let mut flow = Flow {
            preds,
            rpo,
            order,
            tree,
            starts: Vec::new(),
            children: Vec::new(),
            graph,
            loops: OnceLock::new(),
        };
        flow.list_children();
        flow
    }

    /// The natural loops.
    pub fn loops(&self) -> &Loops {
        self.loops.get_or_init(|| Loops::new(self))
    }

    /// Can control come here?
    pub fn is_reachable(&self, block: Block) -> bool {
        self.order(block).is_some()
    }

    /// Position in the reverse post-order of a reachable block.
    pub fn order(&self, block: Block) -> Option<u32> {
        self.order.get(block).copied().filter(|&order| order != UNREACHABLE)
    }

    /// The immediate dominator; `None` for the entry and for unreachable blocks.
    pub fn idom(&self, block: Block) -> Option<Block> {
        Some(self.rpo[self.tree.idom(self.order(block)?)? as usize])
    }

    /// Blocks whose immediate dominator this is, in reverse post-order.
    pub fn children(&self, block: Block) -> &[Block] {
        let Some(order) = self.order(block) else { return &[] };
        &self.children[self.starts[order as usize] as usize..self.starts[order as usize + 1] as usize]
    }

    /// Is `a` on every path from the entry to `b`? Every reachable block dominates itself; an
    /// unreachable block is dominated by all.
    pub fn dominates(&self, a: Block, b: Block) -> bool {
        match (self.order(a), self.order(b)) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(a), Some(b)) => self.tree.dominates(a, b),
        }
    }

    /// Is the edge from `from` to `to` one that closes a natural loop?
    pub fn is_back_edge(&self, from: Block, to: Block) -> bool {
        self.is_reachable(from) && self.is_reachable(to) && self.dominates(to, from)
    }

    fn list_children(&mut self) {
        let count = self.rpo.len() as u32;
        self.starts = vec![0; self.rpo.len() + 1];
        let parents = || (1..count).filter_map(|node| Some((node, self.tree.idom(node)?)));
        parents().for_each(|(_, parent)| self.starts[parent as usize + 1] += 1);
        for node in 0..self.rpo.len() {
            self.starts[node + 1] += self.starts[node];
        }
        let mut next = self.starts.clone();
        self.children = vec![Block::from_index(0); self.rpo.len().saturating_sub(1)];
        for (node, parent) in parents() {
            let at = &mut next[parent as usize];
            self.children[*at as usize] = self.rpo[node as usize];
            *at += 1;
        }
    }
}

impl Graph {
    fn new(f: &Function) -> Graph {
        let mut ranges = Arena::filled(&f.blocks, (0, 0));
        let mut targets = Vec::with_capacity(2 * f.order.len());
        for &block in &f.order {
            let start = targets.len() as u32;
            targets.extend(f.successors(block).map(|call| call.block));
            ranges[block] = (start, targets.len() as u32);
        }
        Graph { layout: f.order.clone(), ranges, targets }
    }

    /// Is this the graph of the function?
    fn is_of(&self, f: &Function) -> bool {
        let same = |&block: &Block| f.successors(block).map(|call| &call.block).eq(self.targets(block));
        self.ranges.len() == f.blocks.len() && self.layout == f.order && f.order.iter().all(same)
    }

    /// Where a block jumps to.
    fn targets(&self, block: Block) -> &[Block] {
        let (start, end) = self.ranges[block];
        &self.targets[start as usize..end as usize]
    }

    /// See [`reverse_post_order`].
    fn reverse_post_order(&self) -> Vec<Block> {
        let mut seen = Arena::filled(&self.ranges, false);
        let mut post = Vec::with_capacity(self.layout.len());
        // Blocks that are entered, each with its jumps that are still to be followed: from last to first, since
        // what finishes last comes first in the reversed order.
        let mut stack = Vec::with_capacity(self.layout.len());
        let entry = self.layout[0];
        stack.push((entry, self.targets(entry)));
        seen[entry] = true;
        while let Some((block, left)) = stack.last_mut() {
            match left.split_last() {
                None => {
                    post.push(*block);
                    stack.pop();
                }
                Some((&next, others)) => {
                    *left = others;
                    if !std::mem::replace(&mut seen[next], true) {
                        stack.push((next, self.targets(next)));
                    }
                }
            }
        }
        post.reverse();
        post
    }
}

/// Reachable blocks, each before its successors except along back edges. Of two successors the
/// first comes first, so the order follows the source where it can.
pub fn reverse_post_order(f: &Function) -> Vec<Block> {
    Graph::new(f).reverse_post_order()
}

/// Does any block jump to itself or one before it in this order? Every cycle has such a jump.
pub fn goes_back(f: &Function, order: &[Block]) -> bool {
    let mut before = Arena::filled(&f.blocks, false);
    order.iter().any(|&block| {
        before[block] = true;
        f.successors(block).any(|call| before[call.block])
    })
}

/// Does every block but the first follow one that jumps to it? Then all are reachable, and a block's dominators
/// precede it in the layout, since they are on that way to it: a value is defined before it is used.
pub fn goes_down(f: &Function) -> bool {
    let mut reached = Arena::filled(&f.blocks, false);
    reached[f.entry()] = true;
    f.order.iter().all(|&block| {
        let follows = reached[block];
        f.successors(block).for_each(|call| reached[call.block] = true);
        follows
    })
}

/// Natural loops and their nesting. Cycles that can be entered in several places (made by `goto`)
/// have no header and are not loops here.
#[derive(Clone, Debug)]
pub struct Loops {
    /// Outer loops come before the loops inside them.
    pub loops: Vec<Loop>,
    /// The innermost loop each block is in, as an index into `loops`.
    innermost: Arena<Block, Option<usize>>,
}

/// A natural loop.
#[derive(Clone, Debug)]
pub struct Loop {
    /// The one block where it is entered.
    pub header: Block,
    /// Blocks that jump back to the header.
    pub latches: Vec<Block>,
    /// All blocks, inner loops included, in reverse post-order; the header is the first.
    pub blocks: Vec<Block>,
    /// The loop around it, as an index.
    pub parent: Option<usize>,
    /// 1 for an outermost loop.
    pub depth: u32,
}

impl Loops {
    /// Finds the loops of a graph.
    fn new(flow: &Flow) -> Loops {
        let mut loops = Loops { loops: Vec::new(), innermost: Arena::filled(&flow.order, None) };
        // The last header whose loop each block was found to be in.
        let mut inside = Arena::filled(&flow.order, None);
        // Headers in reverse post-order: an outer loop is met before an inner one, so that the
        // last loop that claims a block is the innermost.
        for &header in &flow.rpo {
            let mut latches: Vec<Block> =
                flow.preds[header].iter().copied().filter(|&p| flow.is_back_edge(p, header)).collect();
            latches.dedup();
            if latches.is_empty() {
                continue;
            }
            let parent = loops.innermost[header];
            let depth = 1 + parent.map_or(0, |p| loops.loops[p].depth);
            let blocks = loop_body(flow, header, &latches, &mut inside);
            for &block in &blocks {
                loops.innermost[block] = Some(loops.loops.len());
            }
            loops.loops.push(Loop { header, latches, blocks, parent, depth });
        }
        loops
    }

    /// The innermost loop around a block, as an index.
    pub fn innermost(&self, block: Block) -> Option<usize> {
        self.innermost.get(block).copied().flatten()
    }

    /// How many loops are around a block.
    pub fn depth(&self, block: Block) -> u32 {
        self.innermost(block).map_or(0, |l| self.loops[l].depth)
    }

    /// Is the block in the loop or in a loop inside it?
    pub fn contains(&self, index: usize, block: Block) -> bool {
        let mut at = self.innermost(block);
        while let Some(found) = at {
            if found == index {
                return true;
            }
            at = self.loops[found].parent;
        }
        false
    }
}

/// Blocks that reach a latch without passing the header.
fn loop_body(
    flow: &Flow,
    header: Block,
    latches: &[Block],
    inside: &mut Arena<Block, Option<Block>>,
) -> Vec<Block> {
    inside[header] = Some(header);
    let mut blocks = vec![header];
    let mut work = latches.to_vec();
    while let Some(block) = work.pop() {
        if flow.is_reachable(block) && inside[block].replace(header) != Some(header) {
            blocks.push(block);
            work.extend(&flow.preds[block]);
        }
    }
    blocks.sort_by_key(|&b| flow.order(b));
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse;

    /// A function whose block i jumps to the given blocks.
    fn graph(edges: &[&[usize]]) -> Function {
        let mut text = String::from("function @f(i32) {\nblock0(v0: i32):\n");
        for (i, targets) in edges.iter().enumerate() {
            if i > 0 {
                text += &format!("block{i}:\n");
            }
            text += &match targets {
                [] => "  return\n".to_string(),
                [a] => format!("  jump block{a}\n"),
                [rest @ .., a] => {
                    let cases: Vec<_> =
                        rest.iter().enumerate().map(|(n, t)| format!("{n}: block{t}")).collect();
                    format!("  switch v0, block{a} [{}]\n", cases.join(", "))
                }
            };
        }
        text += "}\n";
        parse(&text).expect("the graph parses").functions[0].clone()
    }

    fn b(i: usize) -> Block {
        Block::from_index(i)
    }

    #[test]
    fn nested_loops() {
        // 0 -> 1 { 2 { 3 } 4 } -> 5, and 6 is unreachable.
        let f = graph(&[&[1], &[2, 5], &[3, 4], &[2], &[1], &[], &[1]]);
        let flow = Flow::new(&f);
        assert_eq!(flow.rpo, [b(0), b(1), b(2), b(3), b(4), b(5)]);
        assert_eq!(flow.idom(b(5)), Some(b(1)));
        assert!(flow.dominates(b(1), b(4)) && !flow.dominates(b(3), b(4)) && !flow.is_reachable(b(6)));
        let loops = flow.loops();
        assert_eq!(loops.loops.len(), 2);
        assert_eq!(loops.loops[0].blocks, [b(1), b(2), b(3), b(4)]);
        assert_eq!(loops.loops[1].blocks, [b(2), b(3)]);
        assert_eq!((loops.depth(b(3)), loops.depth(b(4)), loops.depth(b(5))), (2, 1, 0));
        assert!(loops.contains(0, b(3)) && !loops.contains(1, b(4)));
    }

    #[test]
    fn dominators_match_their_definition_on_random_graphs() {
        let mut seed = 7u64;
        let mut random = move |n: usize| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) as usize % n
        };
        for _ in 0..200 {
            let n = 2 + random(9);
            let edges: Vec<Vec<usize>> =
                (0..n).map(|_| (0..random(4)).map(|_| 1 + random(n - 1)).collect()).collect();
            let f = graph(&edges.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let flow = Flow::new(&f);
            for a in 0..n {
                // What the entry reaches when `a` is removed.
                let mut seen = vec![false; n];
                let mut work = if a == 0 { vec![] } else { vec![0] };
                while let Some(x) = work.pop() {
                    if x != a && !std::mem::replace(&mut seen[x], true) {
                        work.extend(&edges[x]);
                    }
                }
                for (x, &avoids) in seen.iter().enumerate() {
                    if flow.is_reachable(b(a)) && flow.is_reachable(b(x)) {
                        assert_eq!(flow.dominates(b(a), b(x)), !avoids, "{a} dominates {x} in {edges:?}");
                    }
                }
            }
        }
    }
}
