//! Lists of numbers, one for each register, in one table: most are empty or short, and one is joined to the end of
//! another at once.

use crate::codegen::mir::Reg;

/// See the module.
pub struct Lists {
    of: Vec<List>,
    /// A number and the next entry of its list.
    entries: Vec<(u32, Entry)>,
}

/// A position in a list; none is its end.
pub type Entry = Option<u32>;

#[derive(Clone, Copy, Default)]
struct List {
    first: Entry,
    /// If there is a first.
    last: u32,
    len: u32,
}

impl Lists {
    /// Empty lists.
    pub fn new(regs: usize) -> Lists {
        Lists { of: vec![List::default(); regs], entries: Vec::new() }
    }

    /// How many numbers there are in a list.
    pub fn len(&self, reg: Reg) -> usize {
        self.of[reg.index()].len as usize
    }

    /// Adds a number at the end.
    pub fn push(&mut self, reg: Reg, number: u32) {
        let entry = self.entries.len() as u32;
        self.entries.push((number, None));
        self.append(reg, List { first: Some(entry), last: entry, len: 1 });
    }

    /// Puts one list behind another; it is empty then.
    pub fn join(&mut self, to: Reg, from: Reg) {
        let list = std::mem::take(&mut self.of[from.index()]);
        self.append(to, list);
    }

    fn append(&mut self, to: Reg, list: List) {
        let Some(first) = list.first else { return };
        let before = &mut self.of[to.index()];
        match before.first {
            Some(_) => self.entries[before.last as usize].1 = Some(first),
            None => before.first = Some(first),
        }
        before.last = list.last;
        before.len += list.len;
    }

    /// Where a list starts.
    pub fn first(&self, reg: Reg) -> Entry {
        self.of[reg.index()].first
    }

    /// Where a list starts; it is empty then.
    pub fn take(&mut self, reg: Reg) -> Entry {
        std::mem::take(&mut self.of[reg.index()]).first
    }

    /// The number of an entry; goes on to the next one.
    pub fn next(&self, at: &mut Entry) -> Option<u32> {
        let (number, next) = self.entries[(*at)? as usize];
        *at = next;
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_joined_in_order() {
        let [a, b] = [0, 1].map(Reg::from_index);
        let mut lists = Lists::new(2);
        [(a, 1), (b, 2), (a, 3), (b, 4)].into_iter().for_each(|(reg, number)| lists.push(reg, number));
        lists.join(a, b);
        lists.push(b, 5);
        let all = |mut at: Entry| std::iter::from_fn(|| lists.next(&mut at)).collect::<Vec<_>>();
        assert_eq!((all(lists.first(a)), all(lists.first(b))), (vec![1, 3, 2, 4], vec![5]));
        assert_eq!((lists.len(a), lists.len(b)), (4, 1));
        lists.take(a);
        assert_eq!(lists.len(a), 0);
    }
}
