//! Which name means what: block scopes, and the index of file scope.
//!
//! A header like `vmlinux.h` declares tens of thousands of names of which a program uses a few.
//! So file scope is only *indexed* here (two arrays of chains, no hashing, no look at the
//! declarations); a name is declared when it is first looked up, see `decl`.
//! Invariant: a lookup sees the innermost binding; leaving a scope restores exactly what was
//! visible before it.

use skep_syntax::ast::Unit;
use skep_syntax::intern::Symbol;

use crate::hash::LookupMap;
use crate::hir::{FuncId, GlobalId, LocalId};
use crate::types::{EnumId, RecordId, TypeId};

/// What an ordinary name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Binding {
    /// A type.
    Typedef(TypeId),
    /// A local variable or parameter.
    Local(LocalId),
    /// A variable with static storage.
    Global(GlobalId),
    /// A function.
    Func(FuncId),
    /// An enumeration constant: its value and the type it has in expressions.
    Constant {
        /// The value.
        value: i128,
        /// The type.
        ty: TypeId,
    },
    /// Something that was in error and has been reported.
    Error,
}

/// What a tag stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tag {
    /// `struct` or `union`.
    Record(RecordId),
    /// `enum`.
    Enum(EnumId),
}

/// Names of nested block scopes.
pub struct Table<T> {
    entries: Vec<(Symbol, T, Option<u32>)>,
    heads: LookupMap<Symbol, u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table { entries: Vec::new(), heads: LookupMap::default() }
    }
}

impl<T: Copy> Table<T> {
    fn get(&self, name: Symbol) -> Option<(usize, T)> {
        let &at = self.heads.get(&name)?;
        self.entries.get(at as usize).map(|&(_, what, _)| (at as usize, what))
    }

    fn push(&mut self, name: Symbol, what: T) {
        let at = self.entries.len() as u32;
        let hidden = self.heads.insert(name, at);
        self.entries.push((name, what, hidden));
    }

    fn truncate(&mut self, len: usize) {
        while self.entries.len() > len {
            let Some((name, _, hidden)) = self.entries.pop() else { return };
            match hidden {
                Some(at) => self.heads.insert(name, at),
                None => self.heads.remove(&name),
            };
        }
    }
}

/// The block scopes that are open.
#[derive(Default)]
pub struct Scopes {
    names: Table<Binding>,
    tags: Table<Tag>,
    marks: Vec<(usize, usize)>,
}

impl Scopes {
    /// Opens a scope.
    pub fn enter(&mut self) {
        self.marks.push((self.names.entries.len(), self.tags.entries.len()));
    }

    /// Closes the innermost scope.
    pub fn leave(&mut self) {
        if let Some((names, tags)) = self.marks.pop() {
            self.names.truncate(names);
            self.tags.truncate(tags);
        }
    }

    /// The innermost binding of a name.
    pub fn name(&self, name: Symbol) -> Option<Binding> {
        self.names.get(name).map(|(_, what)| what)
    }

    /// The binding of a name in the innermost scope itself.
    pub fn name_here(&self, name: Symbol) -> Option<Binding> {
        let start = self.marks.last().map_or(0, |&(names, _)| names);
        self.names.get(name).filter(|&(at, _)| at >= start).map(|(_, what)| what)
    }

    /// Binds a name in the innermost scope.
    pub fn bind(&mut self, name: Symbol, what: Binding) {
        self.names.push(name, what);
    }

    /// The innermost meaning of a tag.
    pub fn tag(&self, tag: Symbol) -> Option<Tag> {
        self.tags.get(tag).map(|(_, what)| what)
    }

    /// The meaning of a tag in the innermost scope itself.
    pub fn tag_here(&self, tag: Symbol) -> Option<Tag> {
        let start = self.marks.last().map_or(0, |&(_, tags)| tags);
        self.tags.get(tag).filter(|&(at, _)| at >= start).map(|(_, what)| what)
    }

    /// Gives a tag a meaning in the innermost scope.
    pub fn bind_tag(&mut self, tag: Symbol, what: Tag) {
        self.tags.push(tag, what);
    }

    /// All names that are bound, for suggestions.
    pub fn all_names(&self) -> impl Iterator<Item = Symbol> + '_ {
        self.names.entries.iter().map(|&(name, _, _)| name)
    }
}

/// The entries of a list by symbol: for each symbol the last entry, for each entry the one before.
struct Chains {
    last: Vec<u32>,
    previous: Vec<u32>,
}

impl Chains {
    fn build(n_symbols: usize, symbols: impl ExactSizeIterator<Item = Symbol>) -> Chains {
        let mut last = vec![0u32; n_symbols];
        let mut previous = Vec::with_capacity(symbols.len());
        for (index, symbol) in symbols.enumerate() {
            // Entry numbers are stored plus one, so that zero means "none".
            let slot = last.get_mut(symbol.0 as usize).map(|slot| std::mem::replace(slot, index as u32 + 1));
            previous.push(slot.unwrap_or(0));
        }
        Chains { last, previous }
    }

    /// Indices of the entries of a symbol in source order.
    fn of(&self, symbol: Symbol) -> Vec<u32> {
        let mut found = Vec::new();
        let mut at = self.last.get(symbol.0 as usize).copied().unwrap_or(0);
        while let Some(index) = at.checked_sub(1) {
            found.push(index);
            at = self.previous.get(index as usize).copied().unwrap_or(0);
        }
        found.reverse();
        found
    }
}

/// Where the names and tags of file scope are declared.
pub struct FileIndex {
    names: Chains,
    tags: Chains,
}

impl FileIndex {
    /// Indexes a unit; `n_symbols` is the number of interned names.
    pub fn new(unit: &Unit, n_symbols: usize) -> FileIndex {
        FileIndex {
            names: Chains::build(n_symbols, unit.file_names.iter().map(|entry| entry.name)),
            tags: Chains::build(n_symbols, unit.file_tags.iter().map(|entry| entry.tag)),
        }
    }

    /// Indices into `file_names` of all declarations of a name.
    pub fn names(&self, name: Symbol) -> Vec<u32> {
        self.names.of(name)
    }

    /// Indices into `file_tags` of all mentions of a tag.
    pub fn tags(&self, tag: Symbol) -> Vec<u32> {
        self.tags.of(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaving_a_scope_restores_the_outer_binding() {
        let name = Symbol(300);
        let mut scopes = Scopes::default();
        scopes.enter();
        scopes.bind(name, Binding::Local(LocalId(0)));
        scopes.enter();
        assert_eq!(scopes.name_here(name), None);
        scopes.bind(name, Binding::Local(LocalId(1)));
        assert_eq!(scopes.name(name), Some(Binding::Local(LocalId(1))));
        scopes.leave();
        assert_eq!(scopes.name(name), Some(Binding::Local(LocalId(0))));
        scopes.leave();
        assert_eq!(scopes.name(name), None);
    }

    #[test]
    fn chains_list_entries_in_source_order() {
        let symbols = [Symbol(1), Symbol(2), Symbol(1)];
        let chains = Chains::build(3, symbols.into_iter());
        assert_eq!(chains.of(Symbol(1)), [0, 2]);
        assert_eq!(chains.of(Symbol(2)), [1]);
        assert_eq!(chains.of(Symbol(0)), []);
    }
}
