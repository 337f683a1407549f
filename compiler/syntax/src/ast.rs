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

// ---------------------------------------------------------------- declarations

/// A declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeclKind {
    /// What could not be parsed; an error has been reported.
    Error,
    /// A lone `;`.
    Empty,
    /// Specifiers and declarators: objects, typedefs, prototypes; inside a record, fields.
    Vars {
        /// What all declarators share.
        specs: SpecsId,
        /// The declarators; empty for `struct s;`.
        items: List<ItemId>,
    },
    /// A function definition.
    Function {
        /// The specifiers of the return type.
        specs: SpecsId,
        /// Name and parameters; the first part is a [`Part::Function`] unless the program is
        /// wrong (the type may also hide behind a typedef, which C forbids).
        declarator: DeclaratorId,
        /// A [`StmtKind::Block`].
        body: StmtId,
    },
    /// `_Static_assert(cond, message)`.
    StaticAssert {
        /// An integer constant expression.
        cond: ExprId,
        /// The text of the failure.
        message: Option<StrId>,
    },
    /// `asm("...")` outside a function.
    Asm(StrId),
}

/// A declarator with what may follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// The declarator; unnamed for an unnamed bit-field only.
    pub declarator: DeclaratorId,
    /// `asm("name")`.
    pub asm_label: Option<StrId>,
    /// The width of a bit-field.
    pub bits: Option<ExprId>,
    /// The initialiser.
    pub init: Option<InitId>,
}

/// Declaration specifiers, digested: one type, sets of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Specs {
    /// The type.
    pub ty: TypeSpec,
    /// Qualifiers of the type.
    pub quals: Quals,
    /// Storage classes and function specifiers.
    pub storage: Storage,
    /// Attributes in source order, without those that belong to a record or enumeration
    /// (written after its keyword or its closing brace); `_Alignas(x)` is an attribute of this name.
    pub attrs: List<AttrId>,
}

/// The type named by specifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeSpec {
    /// Type specifiers that make no sense; an error has been reported.
    Error,
    /// No type specifier at all (implicit `int`, an error for sema to report where it matters).
    None,
    /// A basic type.
    Basic(Basic),
    /// A typedef name.
    Name(Symbol),
    /// A structure or union.
    Record(RecordId),
    /// An enumeration.
    Enum(EnumId),
    /// `typeof(expr)`.
    TypeofExpr(ExprId),
    /// `typeof(type)`.
    TypeofType(TypeNameId),
    /// `typeof_unqual(expr)`.
    TypeofUnqualExpr(ExprId),
    /// `typeof_unqual(type)`.
    TypeofUnqualType(TypeNameId),
    /// `__auto_type`.
    Auto,
    /// `_Atomic(type)`.
    Atomic(TypeNameId),
}

/// The basic types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Basic {
    Void,
    Bool,
    Char,
    SChar,
    UChar,
    Short,
    UShort,
    Int,
    UInt,
    Long,
    ULong,
    LongLong,
    ULongLong,
    Int128,
    UInt128,
    Float16,
    Float,
    Double,
    LongDouble,
    Float128,
    ComplexFloat,
    ComplexDouble,
    ComplexLongDouble,
    /// `__builtin_va_list`.
    VaList,
}

/// Declares a set of flags: rows of constant and spelling.
macro_rules! flags {
    ($(#[$doc:meta])* $name:ident: $repr:ty { $($(#[$fdoc:meta])* $flag:ident = $bit:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
        pub struct $name(pub $repr);

        impl $name {
            /// Nothing.
            pub const NONE: $name = $name(0);
            $($(#[$fdoc])* pub const $flag: $name = $name(1 << $bit);)*

            /// Every flag with its C spelling.
            pub const ALL: &[($name, &str)] = &[$(($name::$flag, $text)),*];

            /// Whether all flags of `other` are set.
            pub fn has(self, other: $name) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether some flag of `other` is set.
            pub fn intersects(self, other: $name) -> bool {
                self.0 & other.0 != 0
            }

            /// The flags of both.
            pub fn with(self, other: $name) -> $name {
                $name(self.0 | other.0)
            }

            /// Whether no flag is set.
            pub fn is_empty(self) -> bool {
                self.0 == 0
            }
        }
    };
}

flags! {
    /// Type qualifiers.
    Quals: u8 {
        /// `const`
        CONST = 0, "const";
        /// `volatile`
        VOLATILE = 1, "volatile";
        /// `restrict`
        RESTRICT = 2, "restrict";
        /// `_Atomic` without parentheses
        ATOMIC = 3, "_Atomic";
    }
}

flags! {
    /// Storage classes and function specifiers.
    Storage: u16 {
        /// `typedef`
        TYPEDEF = 0, "typedef";
        /// `extern`
        EXTERN = 1, "extern";
        /// `static`
        STATIC = 2, "static";
        /// `auto`
        AUTO = 3, "auto";
        /// `register`
        REGISTER = 4, "register";
        /// `__thread`, `_Thread_local`
        THREAD = 5, "_Thread_local";
        /// `inline`
        INLINE = 6, "inline";
        /// `_Noreturn`
        NORETURN = 7, "_Noreturn";
    }
}

/// A declarator, flattened from the inside out.
///
/// `int *(*f)(long)[2]` has the parts pointer, function, pointer, array... in the order one reads
/// it: "`f` is a pointer to a function ... returning a pointer to ...". To build the type, apply
/// the parts to the specifiers' type in reverse order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declarator {
    /// The declared name.
    pub name: Option<Ident>,
    /// The derivation steps, nearest to the name first.
    pub parts: List<PartId>,
    /// Attributes inside and after the declarator: they belong to the declared entity.
    pub attrs: List<AttrId>,
}

/// One step of a declarator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `*`
    Pointer {
        /// Qualifiers of the pointer itself.
        quals: Quals,
        /// Attributes after the `*`.
        attrs: List<AttrId>,
    },
    /// `[size]`
    Array {
        /// The number of elements.
        size: ArraySize,
        /// Qualifiers inside the brackets (parameters only).
        quals: Quals,
        /// `static` inside the brackets (parameters only).
        is_static: bool,
    },
    /// `(params)`
    Function {
        /// The parameters; empty for `()` and for `(void)`.
        params: List<ParamId>,
        /// How the list ends.
        tail: ParamTail,
    },
}

/// The length of an array declarator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArraySize {
    /// `[]`
    None,
    /// `[*]`
    Star,
    /// `[expr]`
    Expr(ExprId),
}

/// What the end of a parameter list says about further arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamTail {
    /// Exactly these parameters.
    Fixed,
    /// `...`
    Variadic,
    /// `()`: nothing is known about parameters.
    Unknown,
}

/// A parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its specifiers.
    pub specs: SpecsId,
    /// Its declarator, often unnamed.
    pub declarator: DeclaratorId,
}

/// A type name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeName {
    /// Its specifiers.
    pub specs: SpecsId,
    /// Its abstract declarator, perhaps without parts.
    pub declarator: DeclaratorId,
}

/// `struct` or `union`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// `struct`
    Struct,
    /// `union`
    Union,
}

/// A `struct` or `union` specifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which.
    pub kind: RecordKind,
    /// The tag.
    pub tag: Option<Ident>,
    /// The members ([`DeclKind::Vars`], `StaticAssert`, `Empty` or `Error`) if there is a body.
    pub members: Option<List<DeclId>>,
    /// Attributes after the keyword and after the closing brace.
    pub attrs: List<AttrId>,
    /// The `#pragma pack` in force at the keyword, in bytes; 0 for none.
    pub pack: u8,
    /// Whether `#pragma clang attribute push(preserve_access_index)` is in force at the keyword.
    pub preserve_access_index: bool,
}

/// An `enum` specifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnumSpec {
    /// The tag.
    pub tag: Option<Ident>,
    /// The type after `:`.
    pub fixed: Option<TypeNameId>,
    /// The constants if there is a body.
    pub enumerators: Option<List<EnumeratorId>>,
    /// Attributes after the keyword and after the closing brace.
    pub attrs: List<AttrId>,
}

/// An enumeration constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enumerator {
    /// Its name.
    pub name: Ident,
    /// Its value, if given.
    pub value: Option<ExprId>,
    /// Its attributes.
    pub attrs: List<AttrId>,
}

/// An attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attr {
    /// The name as written (`__packed__` and `packed` differ here); `_Alignas` for that keyword.
    pub name: Symbol,
    /// The arguments.
    pub args: List<AttrArgId>,
}

/// An argument of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttrArg {
    /// An expression; a bare word is a [`ExprKind::Name`], even one that names a type.
    Expr(ExprId),
    /// A type.
    Type(TypeNameId),
}

// ---------------------------------------------------------------- initialisers

/// An initialiser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// An expression.
    Expr(ExprId),
    /// `{ ... }`
    List(List<InitItemId>),
}

/// An element of a braced initialiser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitItem {
    /// Where it goes; empty for the next place.
    pub designators: List<DesignatorId>,
    /// What goes there.
    pub value: InitId,
}

/// A designator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Designator {
    /// `.name`, `name:`
    Field(Symbol),
    /// `[index]`
    Index(ExprId),
    /// `[first ... last]`
    Range(ExprId, ExprId),
}

// ---------------------------------------------------------------- expressions

/// An expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExprKind {
    /// What could not be parsed; an error has been reported.
    Error,
    /// A name, also `__func__`.
    Name(Symbol),
    /// An integer constant.
    Int {
        /// Its value.
        value: u64,
        /// How it was written: decimal constants prefer signed types.
        decimal: bool,
        /// `u`, `l`, `ll`.
        suffix: IntSuffix,
    },
    /// A floating constant.
    Float {
        /// The bits of the value as an `f64`.
        bits: u64,
        /// `f`, `l`.
        suffix: FloatSuffix,
    },
    /// A character constant; the value as an `int` (or the code unit if prefixed).
    Char {
        /// Its value.
        value: i32,
        /// `L`, `u`, `U`, `u8`.
        prefix: Prefix,
    },
    /// A string literal.
    Str(StrId),
    /// `(expr)`
    Paren(ExprId),
    /// `base[index]`
    Index {
        /// Left of the bracket.
        base: ExprId,
        /// Inside.
        index: ExprId,
    },
    /// `callee(args)`
    Call {
        /// What is called; a builtin is a [`ExprKind::Name`].
        callee: ExprId,
        /// The arguments.
        args: List<ExprId>,
    },
    /// `base.name`, `base->name`
    Member {
        /// Left of the operator.
        base: ExprId,
        /// Whether it was `->`.
        arrow: bool,
        /// The member.
        name: Symbol,
        /// The member's token.
        at: Loc,
    },
    /// A unary operator, also the postfix ones.
    Unary {
        /// The operator.
        op: UnOp,
        /// The operand.
        operand: ExprId,
    },
    /// A binary operator without side effect on its operands.
    Binary {
        /// The operator.
        op: BinOp,
        /// The left operand.
        lhs: ExprId,
        /// The right operand.
        rhs: ExprId,
        /// The operator's token.
        at: Loc,
    },
    /// `=` and the compound assignments.
    Assign {
        /// The operator in front of `=`.
        op: Option<BinOp>,
        /// The place.
        lhs: ExprId,
        /// The value.
        rhs: ExprId,
        /// The operator's token.
        at: Loc,
    },
    /// `lhs, rhs`
    Comma {
        /// Evaluated first.
        lhs: ExprId,
        /// The value.
        rhs: ExprId,
    },
    /// `cond ? then : other`, `cond ?: other`
    Cond {
        /// The condition.
        cond: ExprId,
        /// The value if true; the condition's value if absent.
        then: Option<ExprId>,
        /// The value if false.
        other: ExprId,
    },
    /// `(type) operand`
    Cast {
        /// The type.
        ty: TypeNameId,
        /// The value.
        operand: ExprId,
    },
    /// `(type) { ... }`
    Compound {
        /// The type.
        ty: TypeNameId,
        /// A braced list.
        init: InitId,
    },
    /// `sizeof expr`
    SizeofExpr(ExprId),
    /// `sizeof(type)`
    SizeofType(TypeNameId),
    /// `_Alignof expr`
    AlignofExpr(ExprId),
    /// `_Alignof(type)`
    AlignofType(TypeNameId),
    /// `_Generic(control, ...)`
    Generic {
        /// The expression whose type chooses.
        control: ExprId,
        /// The choices.
        assocs: List<AssocId>,
    },
    /// `({ ... })`: a [`StmtKind::Block`].
    StmtExpr(StmtId),
    /// `&&label`
    LabelAddr(Symbol),
    /// `__builtin_offsetof(type, path)`
    Offsetof {
        /// The type.
        ty: TypeNameId,
        /// The path; the first is a [`Designator::Field`].
        path: List<DesignatorId>,
    },
    /// `__builtin_va_arg(list, type)`
    VaArg {
        /// The argument list.
        list: ExprId,
        /// The type of the argument.
        ty: TypeNameId,
    },
    /// `__builtin_types_compatible_p(a, b)`
    TypesCompatible(TypeNameId, TypeNameId),
    /// `__builtin_choose_expr(cond, then, other)`
    Choose {
        /// An integer constant expression.
        cond: ExprId,
        /// Chosen if true.
        then: ExprId,
        /// Chosen if false.
        other: ExprId,
    },
}

/// Suffix of an integer constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum IntSuffix {
    None,
    U,
    L,
    UL,
    LL,
    ULL,
}

/// Suffix of a floating constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum FloatSuffix {
    None,
    F,
    L,
}

/// Prefix of a character constant or string literal, by rising strength in concatenation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Prefix {
    /// None: `char`.
    None,
    /// `u8`: `char`.
    U8,
    /// `u`: 16-bit units.
    U16,
    /// `U`: 32-bit units.
    U32,
    /// `L`: `wchar_t`, 32-bit units.
    Wide,
}

/// A string literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Str {
    start: u32,
    len: u32,
    /// The widest prefix of the concatenated parts.
    pub prefix: Prefix,
}

impl Str {
    pub(crate) fn new(start: usize, len: usize, prefix: Prefix) -> Str {
        Str { start: start as u32, len: len as u32, prefix }
    }
}

/// Declares an operator type: rows of variant and spelling.
macro_rules! operators {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum $name { $($variant),* }

        impl $name {
            /// Its C spelling.
            pub fn text(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }
        }
    };
}

operators! {
    /// Unary operators.
    UnOp {
        Plus = "+", Neg = "-", Not = "!", BitNot = "~", Deref = "*", AddrOf = "&",
        PreInc = "++", PreDec = "--", PostInc = "++", PostDec = "--",
        Real = "__real__", Imag = "__imag__",
    }
}

operators! {
    /// Binary operators.
    BinOp {
        Mul = "*", Div = "/", Rem = "%", Add = "+", Sub = "-", Shl = "<<", Shr = ">>",
        Lt = "<", Gt = ">", Le = "<=", Ge = ">=", Eq = "==", Ne = "!=",
        And = "&", Xor = "^", Or = "|", LogAnd = "&&", LogOr = "||",
    }
}

impl BinOp {
    /// How tightly it binds: higher is tighter.
    pub fn precedence(self) -> u8 {
        match self {
            BinOp::Mul | BinOp::Div | BinOp::Rem => 10,
            BinOp::Add | BinOp::Sub => 9,
            BinOp::Shl | BinOp::Shr => 8,
            BinOp::Lt | BinOp::Gt | BinOp::Le | BinOp::Ge => 7,
            BinOp::Eq | BinOp::Ne => 6,
            BinOp::And => 5,
            BinOp::Xor => 4,
            BinOp::Or => 3,
            BinOp::LogAnd => 2,
            BinOp::LogOr => 1,
        }
    }
}

/// An association of a generic selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assoc {
    /// The type; `default` if absent.
    pub ty: Option<TypeNameId>,
    /// The value.
    pub value: ExprId,
}

// ---------------------------------------------------------------- statements

/// A statement, or another item of a block.
///
/// Labels never own a statement: they are items of their own in front of it. Where the grammar
/// wants one statement (`if (x) out: f();`) label and statement are wrapped in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StmtKind {
    /// What could not be parsed; an error has been reported.
    Error,
    /// `;`
    Empty,
    /// `{ ... }`
    Block(List<StmtId>),
    /// A declaration in a block or in the head of a `for`.
    Decl(DeclId),
    /// An expression statement.
    Expr(ExprId),
    /// `if`
    If {
        /// The condition.
        cond: ExprId,
        /// Executed if true.
        then: StmtId,
        /// Executed if false.
        other: Option<StmtId>,
    },
    /// `switch`
    Switch {
        /// The selector.
        cond: ExprId,
        /// The statement with the `case` labels.
        body: StmtId,
    },
    /// `while`
    While {
        /// The condition.
        cond: ExprId,
        /// The body.
        body: StmtId,
    },
    /// `do ... while`
    DoWhile {
        /// The body.
        body: StmtId,
        /// The condition.
        cond: ExprId,
    },
    /// `for`
    For {
        /// [`StmtKind::Decl`] or [`StmtKind::Expr`].
        init: Option<StmtId>,
        /// The condition.
        cond: Option<ExprId>,
        /// Evaluated after the body.
        step: Option<ExprId>,
        /// The body.
        body: StmtId,
    },
    /// `goto label;`
    Goto(Ident),
    /// `goto *expr;`
    GotoExpr(ExprId),
    /// `continue;`
    Continue,
    /// `break;`
    Break,
    /// `return;`, `return expr;`
    Return(Option<ExprId>),
    /// `name:`
    Label {
        /// The label.
        name: Ident,
    },
    /// `case value:`, `case first ... last:`
    Case {
        /// The value, or the first of a range.
        value: ExprId,
        /// The last of a range.
        last: Option<ExprId>,
    },
    /// `default:`
    Default,
    /// `asm(...)`
    Asm(AsmId),
    /// `__label__ a, b;`
    LocalLabels(List<NameId>),
    /// `__attribute__((fallthrough));`
    Attrs(List<AttrId>),
}

/// An inline assembly statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asm {
    /// The text.
    pub template: StrId,
    /// The outputs.
    pub outputs: List<AsmOperandId>,
    /// The inputs.
    pub inputs: List<AsmOperandId>,
    /// The clobbered registers.
    pub clobbers: List<StrId>,
    /// Where it may jump.
    pub labels: List<NameId>,
    /// `volatile`, or no outputs.
    pub is_volatile: bool,
    /// `goto`
    pub is_goto: bool,
    /// Whether there was any `:`; without, `%` in the text is literal.
    pub is_extended: bool,
}

/// An operand of an inline assembly statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsmOperand {
    /// `[name]`
    pub name: Option<Symbol>,
    /// The constraint.
    pub constraint: StrId,
    /// The place or value.
    pub value: ExprId,
}
