//! Nodes of declarations: specifiers, declarators, records, enumerations, attributes.
//!
//! Out of the grammar's actions in `parse/decl.rs`. Specifiers come digested (one type, sets of the
//! rest) and declarators flattened from the inside out.

use super::*;

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

/// Declares the basic types: rows of variant and spelling.
macro_rules! basic_types {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The basic types.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)]
        pub enum Basic { $($(#[$doc])* $name),* }

        impl Basic {
            /// Its C spelling.
            pub fn text(self) -> &'static str {
                match self { $(Basic::$name => $text),* }
            }
        }
    };
}

basic_types! {
    Void = "void",
    Bool = "_Bool",
    Char = "char",
    SChar = "signed char",
    UChar = "unsigned char",
    Short = "short",
    UShort = "unsigned short",
    Int = "int",
    UInt = "unsigned int",
    Long = "long",
    ULong = "unsigned long",
    LongLong = "long long",
    ULongLong = "unsigned long long",
    Int128 = "__int128",
    UInt128 = "unsigned __int128",
    Float16 = "_Float16",
    Float = "float",
    Double = "double",
    LongDouble = "long double",
    Float128 = "__float128",
    ComplexFloat = "_Complex float",
    ComplexDouble = "_Complex double",
    ComplexLongDouble = "_Complex long double",
    VaList = "__builtin_va_list",
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
