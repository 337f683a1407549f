//! The syntax tree of one translation unit: tables of small `Copy` nodes that name each other by id.
//!
//! In: calls from the grammar's actions. Out: [`Unit`], read-only from then on.
//! Invariants: every node has a span; a node refers only to nodes made before it, so the tree has
//! no cycles; its height is at most [`MAX_HEIGHT`], so a recursive walk is safe on any input;
//! nothing here owns heap memory but the tables, so dropping a unit is a handful of frees.
//!
//! Ids are `u32` newtypes with a niche (`Option<ExprId>` is four bytes), and variable-length
//! children are [`List`]s: a range of one shared pool of ids.
//!
//! ```ignore
//! let ExprKind::Call { callee, args } = ast.expr(id) else { return };
//! for arg in ast.list(args) {
//!     visit(ast.expr(arg), ast.expr_span(arg));
//! }
//! ```

mod decl;
mod expr;
mod stmt;

pub use decl::*;
pub use expr::*;
pub use stmt::*;

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU32;

use crate::intern::Symbol;
use crate::source::{Loc, Span};

/// The largest height of a tree of expressions, statements, initialisers and types; the parser
/// reports deeper input as an error and cuts it off.
pub const MAX_HEIGHT: u16 = 512;

/// The most brackets of any kind that may be open at once.
pub const MAX_BRACKETS: u32 = 256;

/// An index into one of the tables of an [`Ast`].
pub trait Id: Copy {
    /// The id of the node at `index` of its table.
    fn new(index: usize) -> Self;
    /// Where the node is in its table.
    fn index(self) -> usize;
}

/// A run of ids in the pool of an [`Ast`].
pub struct List<T> {
    start: u32,
    len: u32,
    of: PhantomData<T>,
}

impl<T> List<T> {
    /// The list without elements.
    pub const EMPTY: List<T> = List { start: 0, len: 0, of: PhantomData };

    /// How many elements there are.
    pub fn len(self) -> usize {
        self.len as usize
    }

    /// Whether there are no elements.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for List<T> {}
impl<T> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        self.start == other.start && self.len == other.len
    }
}
impl<T> Eq for List<T> {}
impl<T> Default for List<T> {
    fn default() -> Self {
        Self::EMPTY
    }
}
impl<T> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}; {}]", self.start, self.len)
    }
}

/// Iterates over the ids of a [`List`].
pub struct Ids<'a, T> {
    ids: std::slice::Iter<'a, u32>,
    of: PhantomData<T>,
}

impl<T> Clone for Ids<'_, T> {
    fn clone(&self) -> Self {
        Ids { ids: self.ids.clone(), of: PhantomData }
    }
}
impl<T: Id> Iterator for Ids<'_, T> {
    type Item = T;
    fn next(&mut self) -> Option<T> {
        self.ids.next().map(|&raw| T::new(raw as usize))
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ids.size_hint()
    }
    fn nth(&mut self, n: usize) -> Option<T> {
        self.ids.nth(n).map(|&raw| T::new(raw as usize))
    }
}
impl<T: Id> DoubleEndedIterator for Ids<'_, T> {
    fn next_back(&mut self) -> Option<T> {
        self.ids.next_back().map(|&raw| T::new(raw as usize))
    }
}
impl<T: Id> ExactSizeIterator for Ids<'_, T> {}

/// Declares the id types and the tables of [`Ast`] with their accessors: one row per kind of node.
macro_rules! tables {
    ($($(#[$doc:meta])* $id:ident, $prefix:literal, $field:ident: $node:ty, $get:ident, $span:ident, $push:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $id(NonZeroU32);

            impl Id for $id {
                fn new(index: usize) -> Self {
                    let raw = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
                    $id(raw.expect("a translation unit has fewer than 2^32 nodes"))
                }
                fn index(self) -> usize {
                    self.0.get() as usize - 1
                }
            }

            impl fmt::Debug for $id {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, concat!($prefix, "{}"), self.index())
                }
            }
        )*

        /// All nodes of a translation unit, one table per kind.
        #[derive(Default)]
        pub struct Ast {
            $($field: Table<$node>,)*
            pool: Vec<u32>,
            bytes: Vec<u8>,
        }

        impl Ast {
            $(
                #[doc = concat!("The node [`", stringify!($id), "`] names.")]
                #[inline]
                pub fn $get(&self, id: $id) -> $node {
                    self.$field.nodes[id.index()]
                }

                #[doc = concat!("The source text of the node [`", stringify!($id), "`] names.")]
                #[inline]
                pub fn $span(&self, id: $id) -> Span {
                    self.$field.spans[id.index()]
                }

                #[inline]
                pub(crate) fn $push(&mut self, span: Span, node: $node) -> $id {
                    let id = $id::new(self.$field.nodes.len());
                    self.$field.nodes.push(node);
                    self.$field.spans.push(span);
                    id
                }

                #[doc = concat!("How many [`", stringify!($id), "`]s there are: all smaller indices are valid.")]
                pub fn $field(&self) -> usize {
                    self.$field.nodes.len()
                }
            )*
        }
    };
}

tables! {
    /// An expression.
    ExprId, "e", exprs: ExprKind, expr, expr_span, push_expr;
    /// A statement or another item of a block.
    StmtId, "s", stmts: StmtKind, stmt, stmt_span, push_stmt;
    /// A declaration: of a file, a block, a record or a `for`.
    DeclId, "d", decls: DeclKind, decl, decl_span, push_decl;
    /// A list of declaration specifiers.
    SpecsId, "sp", specs_table: Specs, specs, specs_span, push_specs;
    /// A declarator, named or abstract.
    DeclaratorId, "dc", declarators: Declarator, declarator, declarator_span, push_declarator;
    /// One derivation step of a declarator.
    PartId, "p", parts: Part, part, part_span, push_part;
    /// A declarator of a declaration with its initialiser, width or label.
    ItemId, "i", items: Item, item, item_span, push_item;
    /// A parameter of a function declarator.
    ParamId, "pa", params: Param, param, param_span, push_param;
    /// A type name, as in a cast.
    TypeNameId, "t", type_names: TypeName, type_name, type_name_span, push_type_name;
    /// A `struct` or `union` specifier, with or without body.
    RecordId, "r", records: Record, record, record_span, push_record;
    /// An `enum` specifier, with or without body.
    EnumId, "en", enums: EnumSpec, enum_spec, enum_span, push_enum;
    /// An enumeration constant.
    EnumeratorId, "ec", enumerators: Enumerator, enumerator, enumerator_span, push_enumerator;
    /// An initialiser: an expression or a braced list.
    InitId, "in", inits: Init, init, init_span, push_init;
    /// An element of a braced initialiser.
    InitItemId, "ii", init_items: InitItem, init_item, init_item_span, push_init_item;
    /// A designator of an initialiser or of `offsetof`.
    DesignatorId, "dg", designators: Designator, designator, designator_span, push_designator;
    /// One attribute.
    AttrId, "a", attrs: Attr, attr, attr_span, push_attr;
    /// An argument of an attribute.
    AttrArgId, "aa", attr_args: AttrArg, attr_arg, attr_arg_span, push_attr_arg;
    /// An association of a generic selection.
    AssocId, "as", assocs: Assoc, assoc, assoc_span, push_assoc;
    /// An inline assembly statement.
    AsmId, "am", asms: Asm, asm, asm_span, push_asm;
    /// An operand of an inline assembly statement.
    AsmOperandId, "ao", asm_operands: AsmOperand, asm_operand, asm_operand_span, push_asm_operand;
    /// A string literal, after concatenation of adjacent ones.
    StrId, "st", strings: Str, string, string_span, push_string;
    /// A name in a list of names (`__label__`, the labels of an `asm goto`).
    NameId, "n", names: Symbol, name, name_span, push_name;
}

/// Nodes and, beside them, their spans.
struct Table<T> {
    nodes: Vec<T>,
    spans: Vec<Span>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table { nodes: Vec::new(), spans: Vec::new() }
    }
}

impl Ast {
    /// The ids in `list`, in source order.
    #[inline]
    pub fn list<T: Id>(&self, list: List<T>) -> Ids<'_, T> {
        let start = list.start as usize;
        Ids { ids: self.pool[start..start + list.len as usize].iter(), of: PhantomData }
    }

    /// The bytes of a string literal, escapes decoded, without the terminating zero; wide
    /// literals are little-endian code units.
    pub fn string_bytes(&self, id: StrId) -> &[u8] {
        let s = self.string(id);
        &self.bytes[s.start as usize..(s.start + s.len) as usize]
    }

    /// Appends raw ids to the pool as one list.
    pub(crate) fn push_list<T>(&mut self, ids: &[u32]) -> List<T> {
        if ids.is_empty() {
            return List::EMPTY;
        }
        let start = self.pool.len() as u32;
        self.pool.extend_from_slice(ids);
        List { start, len: ids.len() as u32, of: PhantomData }
    }

    /// The buffer of decoded string bytes, for the literal decoder to append to.
    pub(crate) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Adds the attributes written after a body.
    pub(crate) fn set_record_attrs(&mut self, id: RecordId, attrs: List<AttrId>) {
        self.records.nodes[id.index()].attrs = attrs;
    }

    /// Adds the attributes written after a body.
    pub(crate) fn set_enum_attrs(&mut self, id: EnumId, attrs: List<AttrId>) {
        self.enums.nodes[id.index()].attrs = attrs;
    }

    /// Adds the attributes written in front of a field.
    pub(crate) fn set_declarator_attrs(&mut self, id: DeclaratorId, attrs: List<AttrId>) {
        self.declarators.nodes[id.index()].attrs = attrs;
    }

    /// Reserves memory for a unit of about `tokens` tokens.
    pub(crate) fn reserve(&mut self, tokens: usize) {
        let fields = tokens / 6;
        self.pool.reserve(tokens / 2);
        for table in [
            &mut self.specs_table.spans,
            &mut self.declarators.spans,
            &mut self.decls.spans,
            &mut self.items.spans,
        ] {
            table.reserve(fields);
        }
        self.specs_table.nodes.reserve(fields);
        self.declarators.nodes.reserve(fields);
        self.decls.nodes.reserve(fields);
        self.items.nodes.reserve(fields);
    }
}

// ---------------------------------------------------------------- the unit

/// A parsed translation unit.
#[derive(Default)]
pub struct Unit {
    /// All nodes.
    pub ast: Ast,
    /// The external declarations in source order.
    pub decls: Vec<DeclId>,
    /// Every ordinary name declared at file scope, in source order; a name may occur repeatedly.
    pub file_names: Vec<FileName>,
    /// Every tag mentioned or defined at file scope, also inside record bodies, in source order.
    pub file_tags: Vec<FileTag>,
    /// Loops that follow an unroll pragma, ascending by statement.
    pub unrolls: Vec<(StmtId, Unroll)>,
}

impl Unit {
    /// The unroll pragma in front of a loop.
    pub fn unroll(&self, id: StmtId) -> Option<Unroll> {
        let found = self.unrolls.binary_search_by_key(&id, |&(stmt, _)| stmt).ok()?;
        Some(self.unrolls[found].1)
    }
}

/// What an unroll pragma asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unroll {
    /// `unroll`, `clang loop unroll(full)` and `unroll(enable)`.
    Full,
    /// `nounroll`, `clang loop unroll(disable)`.
    Disable,
    /// `unroll(N)`, `clang loop unroll_count(N)`.
    Count(u32),
}

/// An ordinary name of file scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileName {
    /// The name.
    pub name: Symbol,
    /// What it names.
    pub what: Named,
}

/// Where an ordinary name is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A declarator of a [`DeclKind::Vars`] whose storage is `typedef`.
    Typedef(DeclId, ItemId),
    /// A declarator of any other [`DeclKind::Vars`]: object, function prototype.
    Item(DeclId, ItemId),
    /// A [`DeclKind::Function`].
    Function(DeclId),
    /// An enumeration constant.
    Enumerator(EnumId, EnumeratorId),
}

/// A tag of file scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileTag {
    /// The tag.
    pub tag: Symbol,
    /// The specifier; its node says whether there is a body.
    pub what: Tagged,
    /// Whether this specifier has a body.
    pub body: bool,
}

/// A specifier with a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagged {
    /// `struct` or `union`.
    Record(RecordId),
    /// `enum`.
    Enum(EnumId),
}

/// A name where it is introduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ident {
    /// The name.
    pub sym: Symbol,
    /// Its token.
    pub at: Loc,
}

impl Ident {
    /// The token as a range.
    pub fn span(self) -> Span {
        Span::at(self.at)
    }
}
