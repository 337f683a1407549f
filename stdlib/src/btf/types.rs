//! One BTF type.
//!
//! [`Type`] names everything that a record of `.BTF` holds, with strings in place of offsets.
//! The reader makes it from bytes and the writer makes bytes from it; neither keeps it.

use alloc::vec::Vec;
use core::fmt;

/// Number of a type in its BTF; 0 is `void`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct TypeId(pub u32);

impl TypeId {
    /// `void`.
    pub const VOID: TypeId = TypeId(0);

    /// The number as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for TypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.0)
    }
}

/// Offset of a string in the string section of `.BTF`; 0 is the empty string.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct StrOff(pub u32);

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)*) => {
        /// What a type is; the numbers are those of the format.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Kind { $($(#[$doc])* $variant = $number,)* }

        impl Kind {
            /// The kind with this number in the format.
            pub const fn from_number(number: u32) -> Option<Kind> {
                match number {
                    $($number => Some(Kind::$variant),)*
                    _ => None,
                }
            }

            /// Its name in listings: `INT`, `TYPE_TAG`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Kind::$variant => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// Nothing: only type 0.
    Void = 0, "VOID";
    /// An integer.
    Int = 1, "INT";
    /// A pointer.
    Ptr = 2, "PTR";
    /// An array.
    Array = 3, "ARRAY";
    /// A structure.
    Struct = 4, "STRUCT";
    /// A union.
    Union = 5, "UNION";
    /// An enumeration of up to 32 bits.
    Enum = 6, "ENUM";
    /// A structure or union whose body is elsewhere.
    Fwd = 7, "FWD";
    /// A typedef.
    Typedef = 8, "TYPEDEF";
    /// `volatile`.
    Volatile = 9, "VOLATILE";
    /// `const`.
    Const = 10, "CONST";
    /// `restrict`.
    Restrict = 11, "RESTRICT";
    /// A function, defined or declared.
    Func = 12, "FUNC";
    /// The type of a function.
    FuncProto = 13, "FUNC_PROTO";
    /// A global variable.
    Var = 14, "VAR";
    /// A section with its variables.
    Datasec = 15, "DATASEC";
    /// A floating-point type.
    Float = 16, "FLOAT";
    /// An attribute of a declaration.
    DeclTag = 17, "DECL_TAG";
    /// An attribute of a type.
    TypeTag = 18, "TYPE_TAG";
    /// An enumeration of 64 bits.
    Enum64 = 19, "ENUM64";
}

/// How the bits of an integer are meant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Encoding(pub u8);

impl Encoding {
    /// An unsigned number.
    pub const UNSIGNED: Encoding = Encoding(0);
    /// A signed number.
    pub const SIGNED: Encoding = Encoding(1);
    /// A character, as old compilers mark it.
    pub const CHAR: Encoding = Encoding(2);
    /// A truth value.
    pub const BOOL: Encoding = Encoding(4);

    /// Whether the number is signed.
    pub const fn is_signed(self) -> bool {
        self.0 & Encoding::SIGNED.0 != 0
    }

    /// Whether it is a truth value.
    pub const fn is_bool(self) -> bool {
        self.0 & Encoding::BOOL.0 != 0
    }
}

/// Where a function or variable is visible.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Linkage {
    /// In its file.
    Static,
    /// Everywhere.
    Global,
    /// Defined elsewhere.
    Extern,
}

impl Linkage {
    /// From its number in the format.
    pub const fn from_number(number: u32) -> Option<Linkage> {
        match number {
            0 => Some(Linkage::Static),
            1 => Some(Linkage::Global),
            2 => Some(Linkage::Extern),
            _ => None,
        }
    }

    /// Its number in the format.
    pub const fn number(self) -> u32 {
        match self {
            Linkage::Static => 0,
            Linkage::Global => 1,
            Linkage::Extern => 2,
        }
    }
}

/// A member of a structure or union.
pub type Member<'a> = Field<&'a str>;

/// A member, with its name or what stands for that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field<N> {
    /// Empty for an anonymous structure or union.
    pub name: N,
    /// Its type.
    pub ty: TypeId,
    /// Bits from the start.
    pub bit_offset: u32,
    /// Width of a bit-field.
    pub bit_size: Option<u8>,
}

impl<N> Field<N> {
    /// Bytes from the start, if the member starts at a byte.
    pub const fn byte_offset(&self) -> Option<u32> {
        if self.bit_offset.is_multiple_of(8) { Some(self.bit_offset / 8) } else { None }
    }
}

/// A structure or union.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Composite<'a> {
    /// Empty if it has no tag.
    pub name: &'a str,
    /// Bytes.
    pub size: u32,
    /// Its members, in order.
    pub members: Vec<Member<'a>>,
}

/// A constant of an enumeration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Enumerator<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value; of unsigned 64-bit enumerations, the bits.
    pub value: i64,
}

/// An enumeration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Enumeration<'a> {
    /// Empty if it has no tag.
    pub name: &'a str,
    /// Bytes: 8 makes it [`Kind::Enum64`].
    pub size: u32,
    /// Whether its values are signed.
    pub signed: bool,
    /// Its constants, in order.
    pub values: Vec<Enumerator<'a>>,
}

/// A parameter of a function type. The last one is `...` if it has neither name nor type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Param<'a> {
    /// May be empty.
    pub name: &'a str,
    /// Its type.
    pub ty: TypeId,
}

impl Param<'_> {
    /// Whether this stands for `...`.
    pub fn is_ellipsis(&self) -> bool {
        self.name.is_empty() && self.ty == TypeId::VOID
    }
}

/// A variable (or function, in `.ksyms`) of a section.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SecVar {
    /// Id of the [`Type::Var`] or [`Type::Func`].
    pub ty: TypeId,
    /// Bytes from the start of the section.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
}

/// One type with everything its record holds.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Type<'a> {
    /// `void`.
    Void,
    /// An integer of `bits` bits stored in `size` bytes.
    Int { name: &'a str, size: u32, encoding: Encoding, offset: u8, bits: u8 },
    /// `ty *`.
    Ptr(TypeId),
    /// `elem[count]`; `index` is an integer type that nothing uses.
    Array { elem: TypeId, index: TypeId, count: u32 },
    /// `struct`.
    Struct(Composite<'a>),
    /// `union`.
    Union(Composite<'a>),
    /// `enum`, of both record formats.
    Enum(Enumeration<'a>),
    /// `struct name;` or `union name;`.
    Fwd { name: &'a str, union: bool },
    /// `typedef ty name`.
    Typedef { name: &'a str, ty: TypeId },
    /// `volatile ty`.
    Volatile(TypeId),
    /// `const ty`.
    Const(TypeId),
    /// `restrict ty`, where `ty` is a pointer.
    Restrict(TypeId),
    /// A function of type `proto`.
    Func { name: &'a str, proto: TypeId, linkage: Linkage },
    /// `ret (params)`.
    FuncProto { ret: TypeId, params: Vec<Param<'a>> },
    /// A global variable.
    Var { name: &'a str, ty: TypeId, linkage: Linkage },
    /// A section.
    Datasec { name: &'a str, size: u32, vars: Vec<SecVar> },
    /// A floating-point number.
    Float { name: &'a str, size: u32 },
    /// `__attribute__((btf_decl_tag(name)))` on `ty`, or on its member or parameter `component`.
    DeclTag { name: &'a str, ty: TypeId, component: Option<u32> },
    /// `__attribute__((btf_type_tag(name)))`.
    TypeTag { name: &'a str, ty: TypeId },
}

impl<'a> Type<'a> {
    /// The kind of the record.
    pub fn kind(&self) -> Kind {
        match self {
            Type::Void => Kind::Void,
            Type::Int { .. } => Kind::Int,
            Type::Ptr(_) => Kind::Ptr,
            Type::Array { .. } => Kind::Array,
            Type::Struct(_) => Kind::Struct,
            Type::Union(_) => Kind::Union,
            Type::Enum(e) if e.size == 8 => Kind::Enum64,
            Type::Enum(_) => Kind::Enum,
            Type::Fwd { .. } => Kind::Fwd,
            Type::Typedef { .. } => Kind::Typedef,
            Type::Volatile(_) => Kind::Volatile,
            Type::Const(_) => Kind::Const,
            Type::Restrict(_) => Kind::Restrict,
            Type::Func { .. } => Kind::Func,
            Type::FuncProto { .. } => Kind::FuncProto,
            Type::Var { .. } => Kind::Var,
            Type::Datasec { .. } => Kind::Datasec,
            Type::Float { .. } => Kind::Float,
            Type::DeclTag { .. } => Kind::DeclTag,
            Type::TypeTag { .. } => Kind::TypeTag,
        }
    }

    /// The type with other ids in it, asked for one by one in the order of the record.
    pub fn map_ids(mut self, new: &mut impl FnMut(TypeId) -> TypeId) -> Type<'a> {
        match &mut self {
            Type::Void | Type::Int { .. } | Type::Enum(_) | Type::Fwd { .. } | Type::Float { .. } => {}
            Type::Ptr(ty)
            | Type::Typedef { ty, .. }
            | Type::Volatile(ty)
            | Type::Const(ty)
            | Type::Restrict(ty)
            | Type::Func { proto: ty, .. }
            | Type::Var { ty, .. }
            | Type::DeclTag { ty, .. }
            | Type::TypeTag { ty, .. } => *ty = new(*ty),
            Type::Array { elem, index, .. } => (*elem, *index) = (new(*elem), new(*index)),
            Type::Struct(layout) | Type::Union(layout) => {
                layout.members.iter_mut().for_each(|member| member.ty = new(member.ty));
            }
            Type::FuncProto { ret, params } => {
                *ret = new(*ret);
                params.iter_mut().for_each(|param| param.ty = new(param.ty));
            }
            Type::Datasec { vars, .. } => vars.iter_mut().for_each(|var| var.ty = new(var.ty)),
        }
        self
    }

    /// The name in the record; empty if it has none.
    pub fn name(&self) -> &'a str {
        match *self {
            Type::Int { name, .. }
            | Type::Fwd { name, .. }
            | Type::Typedef { name, .. }
            | Type::Func { name, .. }
            | Type::Var { name, .. }
            | Type::Datasec { name, .. }
            | Type::Float { name, .. }
            | Type::DeclTag { name, .. }
            | Type::TypeTag { name, .. } => name,
            Type::Struct(ref composite) | Type::Union(ref composite) => composite.name,
            Type::Enum(ref enumeration) => enumeration.name,
            Type::Void
            | Type::Ptr(_)
            | Type::Array { .. }
            | Type::Volatile(_)
            | Type::Const(_)
            | Type::Restrict(_)
            | Type::FuncProto { .. } => "",
        }
    }
}
