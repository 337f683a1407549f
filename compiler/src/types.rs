//! C types of one translation unit, interned, and the layout of records.
//!
//! A [`TypeId`] is equal to another exactly when the types are written alike: typedef names,
//! qualifiers and BTF type tags are kept as wrappers, because BTF and diagnostics show them.
//! [`Types::canonical`] strips the wrappers; semantics are asked of the canonical type.
//!
//! Records and enums are nominal: they live in their own tables and are completed in place when
//! their body is first needed (a full `vmlinux.h` has ten thousand of them, a program uses forty).
//! Sizes and offsets follow clang's BPF target: natural alignment, `__int128` aligned to 16,
//! `long double` the same as `double`.

use crate::hash::LookupMap;
use skep_syntax::intern::Symbol;
use skep_syntax::source::Span;

/// An interned type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TypeId(pub u32);

/// A struct or union.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordId(pub u32);

/// An enumeration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EnumId(pub u32);

/// A typedef name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TypedefId(pub u32);

/// One type constructor.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Type {
    /// Stands for a type that was in error; every use of it is accepted silently.
    Error,
    /// `void`.
    Void,
    /// An integer type other than an enum.
    Int(IntKind),
    /// A floating type: parsed, laid out and described in BTF; arithmetic is refused.
    Float(FloatKind),
    /// Pointer to the type.
    Pointer(TypeId),
    /// Array; `len` is `None` for `[]` (incomplete, or a flexible array member).
    Array {
        /// Element type.
        elem: TypeId,
        /// Number of elements.
        len: Option<u64>,
    },
    /// Function.
    Function(FunctionType),
    /// Struct or union.
    Record(RecordId),
    /// Enum.
    Enum(EnumId),
    /// A typedef name for a type.
    Typedef(TypedefId),
    /// `const`, `volatile` or `restrict` applied to a type; never nested directly in itself.
    Qualified {
        /// The type below.
        inner: TypeId,
        /// At least one bit is set.
        quals: Quals,
    },
    /// `__attribute__((btf_type_tag("tag")))` applied to a pointee.
    Tagged {
        /// The type below.
        inner: TypeId,
        /// The tag.
        tag: Symbol,
    },
    /// `__attribute__((address_space(n)))` applied to a pointee.
    AddressSpace {
        /// The type below.
        inner: TypeId,
        /// The number; 1 is the BPF arena.
        space: u32,
    },
}

/// Parameters and result of a function.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FunctionType {
    /// Result type.
    pub ret: TypeId,
    /// Parameter types after array and function decay.
    pub params: Box<[TypeId]>,
    /// Parameter names, for BTF; same length as `params`.
    pub names: Box<[Option<Symbol>]>,
    /// Ends in `...`.
    pub variadic: bool,
    /// Declared with a parameter list (`f()` is not, before C23).
    pub prototyped: bool,
}

/// Integer types, in order of rank within a signedness.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum IntKind {
    Bool,
    /// Plain `char`: signed on BPF, a type of its own.
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
}

/// Floating types.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum FloatKind {
    Float,
    Double,
    LongDouble,
}

/// A set of type qualifiers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Quals(pub u8);

#[allow(missing_docs)]
impl Quals {
    pub const NONE: Quals = Quals(0);
    pub const CONST: Quals = Quals(1);
    pub const VOLATILE: Quals = Quals(2);
    pub const RESTRICT: Quals = Quals(4);

    pub const fn contains(self, other: Quals) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn union(self, other: Quals) -> Quals {
        Quals(self.0 | other.0)
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Struct or union.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum RecordKind {
    Struct,
    Union,
}

/// A struct or union type.
#[derive(Clone, Debug)]
pub struct Record {
    /// Struct or union.
    pub kind: RecordKind,
    /// The tag, if it has one.
    pub tag: Option<Symbol>,
    /// Fields and layout; `None` while only declared.
    pub body: Option<RecordBody>,
    /// Accesses are recorded as CO-RE relocations.
    pub preserve_access_index: bool,
    /// `btf_decl_tag`s of the type itself.
    pub decl_tags: Vec<Symbol>,
    /// Where the tag or the keyword stands.
    pub span: Span,
}

/// Fields and layout of a complete record.
#[derive(Clone, Debug)]
pub struct RecordBody {
    /// In order of declaration, unnamed bit-fields included.
    pub fields: Vec<Field>,
    /// Size in bytes, a multiple of `align`.
    pub size: u64,
    /// Alignment in bytes.
    pub align: u32,
    /// Declared packed.
    pub packed: bool,
}

/// A member of a record.
#[derive(Clone, Debug)]
pub struct Field {
    /// `None` for anonymous members and unnamed bit-fields.
    pub name: Option<Symbol>,
    /// Declared type.
    pub ty: TypeId,
    /// Offset in bits from the start of the record.
    pub bit_offset: u64,
    /// Width of a bit-field.
    pub bit_width: Option<u32>,
    /// `btf_decl_tag`s of the member.
    pub decl_tags: Vec<Symbol>,
    /// Its declarator.
    pub span: Span,
}

/// An enumeration type.
#[derive(Clone, Debug)]
pub struct Enum {
    /// The tag, if it has one.
    pub tag: Option<Symbol>,
    /// Compatible integer type; `None` while only declared (then `UInt` is assumed).
    pub repr: Option<IntKind>,
    /// Names and values in order.
    pub enumerators: Vec<(Symbol, i128)>,
    /// `btf_decl_tag`s of the type itself.
    pub decl_tags: Vec<Symbol>,
    /// Where the tag or the keyword stands.
    pub span: Span,
}

/// A typedef.
#[derive(Clone, Debug)]
pub struct Typedef {
    /// Its name.
    pub name: Symbol,
    /// What it stands for.
    pub target: TypeId,
    /// `__attribute__((aligned(n)))` of the typedef replaces the alignment of its target.
    pub align: Option<u32>,
    /// `btf_decl_tag`s.
    pub decl_tags: Vec<Symbol>,
    /// Its declarator.
    pub span: Span,
}

/// All types of a translation unit.
#[derive(Clone, Debug)]
pub struct Types {
    types: Vec<Type>,
    /// How many constructors deep each type is, counted through typedefs and not into records.
    depths: Vec<u16>,
    ids: LookupMap<Type, TypeId>,
    /// Indexed by [`RecordId`].
    pub records: Vec<Record>,
    /// Indexed by [`EnumId`].
    pub enums: Vec<Enum>,
    /// Indexed by [`TypedefId`].
    pub typedefs: Vec<Typedef>,
}

/// Size and alignment of a complete object type, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Layout {
    pub size: u64,
    pub align: u32,
}

impl TypeId {
    /// The erroneous type.
    pub const ERROR: TypeId = TypeId(0);
    /// `void`.
    pub const VOID: TypeId = TypeId(1);
    const FIRST_INT: u32 = 2;

    /// The type of this kind; integer types have fixed ids.
    pub const fn int(kind: IntKind) -> TypeId {
        TypeId(Self::FIRST_INT + kind as u32)
    }
}

impl IntKind {
    /// All kinds, in the order of their [`TypeId`]s.
    pub const ALL: [IntKind; 14] = [
        IntKind::Bool,
        IntKind::Char,
        IntKind::SChar,
        IntKind::UChar,
        IntKind::Short,
        IntKind::UShort,
        IntKind::Int,
        IntKind::UInt,
        IntKind::Long,
        IntKind::ULong,
        IntKind::LongLong,
        IntKind::ULongLong,
        IntKind::Int128,
        IntKind::UInt128,
    ];

    /// Size in bytes, which is the alignment too.
    pub const fn size(self) -> u32 {
        match self {
            IntKind::Bool | IntKind::Char | IntKind::SChar | IntKind::UChar => 1,
            IntKind::Short | IntKind::UShort => 2,
            IntKind::Int | IntKind::UInt => 4,
            IntKind::Long | IntKind::ULong | IntKind::LongLong | IntKind::ULongLong => 8,
            IntKind::Int128 | IntKind::UInt128 => 16,
        }
    }

    /// Can hold negative values.
    pub const fn is_signed(self) -> bool {
        match self {
            IntKind::Char
            | IntKind::SChar
            | IntKind::Short
            | IntKind::Int
            | IntKind::Long
            | IntKind::LongLong
            | IntKind::Int128 => true,
            IntKind::Bool
            | IntKind::UChar
            | IntKind::UShort
            | IntKind::UInt
            | IntKind::ULong
            | IntKind::ULongLong
            | IntKind::UInt128 => false,
        }
    }
}

impl Default for Types {
    fn default() -> Self {
        Types::new()
    }
}

impl Types {
    /// The deepest type a program may declare.
    pub const MAX_DEPTH: u16 = 256;

    /// A table with the built-in types at their fixed ids.
    pub fn new() -> Types {
        let mut types = Types {
            types: Vec::new(),
            depths: Vec::new(),
            ids: LookupMap::default(),
            records: Vec::new(),
            enums: Vec::new(),
            typedefs: Vec::new(),
        };
        types.intern(Type::Error);
        types.intern(Type::Void);
        for kind in IntKind::ALL {
            types.intern(Type::Int(kind));
        }
        types
    }

    /// The id of a type.
    pub fn intern(&mut self, ty: Type) -> TypeId {
        if let Some(&id) = self.ids.get(&ty) {
            return id;
        }
        let id = TypeId(self.types.len() as u32);
        self.types.push(ty.clone());
        self.depths.push(self.depth_of(&ty));
        self.ids.insert(ty, id);
        id
    }

    /// The id of a type, if it was met.
    pub fn lookup(&self, ty: &Type) -> Option<TypeId> {
        self.ids.get(ty).copied()
    }

    /// How many constructors deep a type is. Sema refuses declared types deeper than
    /// [`Types::MAX_DEPTH`], so walks over types may recurse.
    pub fn depth(&self, id: TypeId) -> u16 {
        self.depths.get(id.0 as usize).copied().unwrap_or(0)
    }

    fn depth_of(&self, ty: &Type) -> u16 {
        let below = match ty {
            Type::Error | Type::Void | Type::Int(_) | Type::Float(_) | Type::Record(_) | Type::Enum(_) => 0,
            Type::Pointer(to) => self.depth(*to),
            Type::Array { elem, .. } => self.depth(*elem),
            Type::Function(function) => {
                function.params.iter().map(|&p| self.depth(p)).fold(self.depth(function.ret), u16::max)
            }
            Type::Typedef(id) => {
                self.typedefs.get(id.0 as usize).map_or(0, |typedef| self.depth(typedef.target))
            }
            Type::Qualified { inner, .. } | Type::Tagged { inner, .. } | Type::AddressSpace { inner, .. } => {
                self.depth(*inner)
            }
        };
        below.saturating_add(1)
    }

    /// The type constructor of an id.
    pub fn get(&self, id: TypeId) -> &Type {
        &self.types[id.0 as usize]
    }

    /// `inner` with more qualifiers; adds nothing twice.
    pub fn qualified(&mut self, inner: TypeId, quals: Quals) -> TypeId {
        if quals.is_empty() {
            return inner;
        }
        let (inner, quals) = match *self.get(inner) {
            Type::Qualified { inner, quals: had } => (inner, had.union(quals)),
            _ => (inner, quals),
        };
        self.intern(Type::Qualified { inner, quals })
    }

    /// Pointer to a type.
    pub fn pointer(&mut self, to: TypeId) -> TypeId {
        self.intern(Type::Pointer(to))
    }

    /// The type below typedefs, qualifiers, tags and address spaces.
    pub fn canonical(&self, mut id: TypeId) -> TypeId {
        loop {
            id = match *self.get(id) {
                Type::Typedef(typedef) => self.typedefs[typedef.0 as usize].target,
                Type::Qualified { inner, .. }
                | Type::Tagged { inner, .. }
                | Type::AddressSpace { inner, .. } => inner,
                _ => return id,
            }
        }
    }

    /// The constructor of the canonical type.
    pub fn shape(&self, id: TypeId) -> &Type {
        self.get(self.canonical(id))
    }

    /// Qualifiers of the type itself, through typedefs.
    pub fn quals(&self, mut id: TypeId) -> Quals {
        let mut quals = Quals::NONE;
        loop {
            id = match *self.get(id) {
                Type::Typedef(typedef) => self.typedefs[typedef.0 as usize].target,
                Type::Qualified { inner, quals: more } => {
                    quals = quals.union(more);
                    inner
                }
                Type::Tagged { inner, .. } | Type::AddressSpace { inner, .. } => inner,
                _ => return quals,
            }
        }
    }

    /// The type without qualifiers, tags and address space at its top; typedef names stay where
    /// they hide none of these.
    pub fn unqualified(&self, id: TypeId) -> TypeId {
        let (mut at, mut keep) = (id, id);
        loop {
            at = match *self.get(at) {
                Type::Typedef(typedef) => self.typedefs[typedef.0 as usize].target,
                Type::Qualified { inner, .. }
                | Type::Tagged { inner, .. }
                | Type::AddressSpace { inner, .. } => {
                    keep = inner;
                    inner
                }
                _ => return keep,
            }
        }
    }

    /// The type without the qualifiers written directly on it; everything else stays.
    pub fn unqualified_top(&self, id: TypeId) -> TypeId {
        match *self.get(id) {
            Type::Qualified { inner, .. } => inner,
            _ => id,
        }
    }

    /// The address space of objects of the type; 0 is the ordinary one.
    pub fn address_space(&self, mut id: TypeId) -> u32 {
        loop {
            id = match *self.get(id) {
                Type::Typedef(typedef) => self.typedefs[typedef.0 as usize].target,
                Type::Qualified { inner, .. } | Type::Tagged { inner, .. } => inner,
                // An array is where its elements are.
                Type::Array { elem, .. } => elem,
                Type::AddressSpace { space, .. } => return space,
                _ => return 0,
            }
        }
    }

    /// The record of a record type.
    pub fn record_of(&self, id: TypeId) -> Option<RecordId> {
        match *self.shape(id) {
            Type::Record(record) => Some(record),
            _ => None,
        }
    }

    /// What a pointer type points to.
    pub fn pointee(&self, id: TypeId) -> Option<TypeId> {
        match *self.shape(id) {
            Type::Pointer(to) => Some(to),
            _ => None,
        }
    }

    /// The integer kind of an integer or enum type.
    pub fn int_kind(&self, id: TypeId) -> Option<IntKind> {
        match *self.shape(id) {
            Type::Int(kind) => Some(kind),
            Type::Enum(e) => Some(self.enums[e.0 as usize].repr.unwrap_or(IntKind::UInt)),
            _ => None,
        }
    }

    /// Is it an integer, an enum or a pointer?
    pub fn is_scalar(&self, id: TypeId) -> bool {
        matches!(self.shape(id), Type::Int(_) | Type::Enum(_) | Type::Pointer(_))
    }

    /// Size and alignment of a complete object type; `None` for incomplete and function types.
    ///
    /// `void` and functions have size 1 in GNU C's `sizeof` and pointer arithmetic; that rule
    /// belongs to the callers.
    pub fn layout(&self, id: TypeId) -> Option<Layout> {
        let layout = self.natural_layout(id)?;
        Some(Layout { align: self.typedef_align(id).unwrap_or(layout.align), ..layout })
    }

    /// The alignment that the outermost typedef with one asks for.
    fn typedef_align(&self, mut id: TypeId) -> Option<u32> {
        loop {
            id = match *self.get(id) {
                Type::Typedef(typedef) => {
                    let typedef = self.typedefs.get(typedef.0 as usize)?;
                    if typedef.align.is_some() {
                        return typedef.align;
                    }
                    typedef.target
                }
                Type::Qualified { inner, .. }
                | Type::Tagged { inner, .. }
                | Type::AddressSpace { inner, .. } => inner,
                _ => return None,
            }
        }
    }

    fn natural_layout(&self, id: TypeId) -> Option<Layout> {
        match self.shape(id) {
            Type::Int(kind) => Some(Layout { size: kind.size().into(), align: kind.size() }),
            Type::Float(FloatKind::Float) => Some(Layout { size: 4, align: 4 }),
            Type::Float(FloatKind::Double | FloatKind::LongDouble) => Some(Layout { size: 8, align: 8 }),
            Type::Pointer(_) => Some(Layout { size: 8, align: 8 }),
            Type::Array { elem, len } => {
                let elem = self.layout(*elem)?;
                Some(Layout { size: elem.size.checked_mul((*len)?)?, align: elem.align })
            }
            Type::Record(record) => {
                let body = self.records[record.0 as usize].body.as_ref()?;
                Some(Layout { size: body.size, align: body.align })
            }
            Type::Enum(e) => {
                let size = self.enums[e.0 as usize].repr?.size();
                Some(Layout { size: size.into(), align: size })
            }
            Type::Error | Type::Void | Type::Function(_) => None,
            Type::Typedef(_) | Type::Qualified { .. } | Type::Tagged { .. } | Type::AddressSpace { .. } => {
                unreachable!("the shape is canonical")
            }
        }
    }
}
