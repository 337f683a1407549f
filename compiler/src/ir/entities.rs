//! Ids of IR entities and the arena that is indexed by them.
//!
//! An id is a `u32`, so instructions stay small, functions can be copied, and an id prints as it
//! is spelled in the text form: `v3`, `block1`, `s0`.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// An id that indexes an [`Arena`].
pub trait Entity: Copy + Eq {
    /// The id with this index.
    fn new(index: usize) -> Self;
    /// Its index.
    fn index(self) -> usize;
}

macro_rules! entity {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);

        impl Entity for $name {
            fn new(index: usize) -> Self {
                $name(u32::try_from(index).expect("an IR entity count fits 32 bits"))
            }

            fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl $name {
            /// The id with this index.
            pub fn from_index(index: usize) -> Self {
                Entity::new(index)
            }

            /// Its index.
            pub fn index(self) -> usize {
                Entity::index(self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

entity! {
    /// An SSA value: the result of an instruction or a block parameter.
    Value "v";
    /// An instruction.
    Inst "inst";
    /// A basic block.
    Block "block";
    /// A stack slot.
    Slot "s";
    /// A function or variable of the module.
    SymbolId "sym";
    /// A CO-RE relocation of the module.
    CoreId "core";
    /// A source location of the module; 0 is "none".
    SrcLoc "loc";
}

impl SrcLoc {
    /// No location is known.
    pub const NONE: SrcLoc = SrcLoc(0);
}

impl Default for SrcLoc {
    fn default() -> Self {
        SrcLoc::NONE
    }
}

/// A vector indexed by an id type.
#[derive(Clone, PartialEq, Eq)]
pub struct Arena<K, V> {
    items: Vec<V>,
    key: PhantomData<K>,
}

impl<K: Entity, V> Arena<K, V> {
    /// An empty arena.
    pub fn new() -> Self {
        Arena { items: Vec::new(), key: PhantomData }
    }

    /// Adds an item and returns its id.
    pub fn push(&mut self, item: V) -> K {
        let id = K::new(self.items.len());
        self.items.push(item);
        id
    }

    /// Makes room for so many more items.
    pub fn reserve(&mut self, count: usize) {
        self.items.reserve(count);
    }

    /// The id that the next [`Arena::push`] will return.
    pub fn next_key(&self) -> K {
        K::new(self.items.len())
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Has no items?
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The item, if the id is of this arena.
    pub fn get(&self, key: K) -> Option<&V> {
        self.items.get(key.index())
    }

    /// Ids in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = K> + use<K, V> {
        (0..self.items.len()).map(K::new)
    }

    /// Items in order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.items.iter()
    }

    /// Items in order, mutable.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.items.iter_mut()
    }

    /// Ids and items in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (K, &V)> {
        self.items.iter().enumerate().map(|(i, item)| (K::new(i), item))
    }
}

impl<K: Entity, V: Clone> Arena<K, V> {
    /// An arena with a default item for every key of another: a side table.
    pub fn filled<W>(like: &Arena<K, W>, item: V) -> Self {
        Arena { items: vec![item; like.len()], key: PhantomData }
    }

    /// Grows a side table so that `key` is valid.
    pub fn cover(&mut self, key: K, item: V) {
        if key.index() >= self.items.len() {
            self.items.resize(key.index() + 1, item);
        }
    }
}

impl<K: Entity, V> Default for Arena<K, V> {
    fn default() -> Self {
        Arena::new()
    }
}

impl<K, V> FromIterator<V> for Arena<K, V> {
    fn from_iter<I: IntoIterator<Item = V>>(items: I) -> Self {
        Arena { items: items.into_iter().collect(), key: PhantomData }
    }
}

impl<K: Entity, V> Index<K> for Arena<K, V> {
    type Output = V;

    fn index(&self, key: K) -> &V {
        &self.items[key.index()]
    }
}

impl<K: Entity, V> IndexMut<K> for Arena<K, V> {
    fn index_mut(&mut self, key: K) -> &mut V {
        &mut self.items[key.index()]
    }
}

impl<K: Entity + fmt::Debug, V: fmt::Debug> fmt::Debug for Arena<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
