//! When two types are the same, compatible, and what they make together.
//!
//! Recursion is bounded by [`crate::types::Types::MAX_DEPTH`].

use crate::types::{FunctionType, IntKind, Type, TypeId};

use super::Sema;

impl Sema<'_, '_> {
    /// Compatible types with the same qualifiers.
    pub(super) fn compatible(&self, a: TypeId, b: TypeId) -> bool {
        if a == b {
            return true;
        }
        self.types.quals(a) == self.types.quals(b)
            && self.types.address_space(a) == self.types.address_space(b)
            && self.compatible_unqualified(a, b)
    }

    /// Compatible types, whatever their own qualifiers.
    pub(super) fn compatible_unqualified(&self, a: TypeId, b: TypeId) -> bool {
        let (a, b) = (self.types.canonical(a), self.types.canonical(b));
        if a == b || a == TypeId::ERROR || b == TypeId::ERROR {
            return true;
        }
        match (self.types.get(a), self.types.get(b)) {
            (Type::Pointer(a), Type::Pointer(b)) => self.compatible(*a, *b),
            (Type::Array { elem: a, len: n }, Type::Array { elem: b, len: m }) => {
                (n.is_none() || m.is_none() || n == m) && self.compatible(*a, *b)
            }
            (Type::Function(a), Type::Function(b)) => self.compatible_functions(a, b),
            (Type::Enum(e), Type::Int(kind)) | (Type::Int(kind), Type::Enum(e)) => {
                self.types.enums[e.0 as usize].repr.unwrap_or(IntKind::UInt) == *kind
            }
            _ => false,
        }
    }

    fn compatible_functions(&self, a: &FunctionType, b: &FunctionType) -> bool {
        if !self.compatible(a.ret, b.ret) {
            return false;
        }
        if !a.prototyped || !b.prototyped {
            return true;
        }
        a.variadic == b.variadic
            && a.params.len() == b.params.len()
            && a.params.iter().zip(&b.params).all(|(&a, &b)| self.compatible_unqualified(a, b))
    }

    /// The same type, spelled perhaps in another way. Typedefs may be repeated with it.
    pub(super) fn same_type(&self, a: TypeId, b: TypeId) -> bool {
        if a == b {
            return true;
        }
        let is_enum = |ty| matches!(self.types.shape(ty), Type::Enum(_));
        is_enum(a) == is_enum(b) && self.compatible(a, b)
    }

    /// What two compatible types make together: sizes and parameters known to either.
    pub(super) fn composite(&mut self, a: TypeId, b: TypeId) -> TypeId {
        match (self.types.shape(a).clone(), self.types.shape(b).clone()) {
            (Type::Array { len: None, .. }, Type::Array { len: Some(_), .. }) => b,
            (Type::Function(f), Type::Function(g)) => {
                let nameless = f.names.iter().all(Option::is_none) && g.names.iter().any(Option::is_some);
                if (!f.prototyped && g.prototyped) || (nameless && g.prototyped) { b } else { a }
            }
            (Type::Pointer(to), Type::Pointer(other)) => {
                let both = self.composite(to, other);
                if both == to { a } else { self.types.pointer(both) }
            }
            _ => a,
        }
    }

    /// An integer or an enum.
    pub(super) fn is_integer(&self, ty: TypeId) -> bool {
        matches!(self.types.shape(ty), Type::Int(_) | Type::Enum(_))
    }

    /// An integer, an enum or a floating type.
    pub(super) fn is_arithmetic(&self, ty: TypeId) -> bool {
        matches!(self.types.shape(ty), Type::Int(_) | Type::Enum(_) | Type::Float(_))
    }

    /// A pointer.
    pub(super) fn is_pointer(&self, ty: TypeId) -> bool {
        matches!(self.types.shape(ty), Type::Pointer(_))
    }

    /// Something that can be compared with zero.
    pub(super) fn is_scalar(&self, ty: TypeId) -> bool {
        self.is_arithmetic(ty) || self.is_pointer(ty)
    }

    /// `void`, whatever it is called.
    pub(super) fn is_void(&self, ty: TypeId) -> bool {
        self.types.canonical(ty) == TypeId::VOID
    }

    /// The type of an integer after the integer promotions.
    pub(super) fn promoted(&self, kind: IntKind) -> IntKind {
        if kind.size() < 4 { IntKind::Int } else { kind }
    }

    /// The common type of two promoted integers.
    pub(super) fn common_int(&self, a: IntKind, b: IntKind) -> IntKind {
        let (a, b) = (self.promoted(a), self.promoted(b));
        if a == b {
            return a;
        }
        // Ranks are those of the signed types; `long` and `long long` have the same size.
        let rank = |kind: IntKind| match kind {
            IntKind::Long | IntKind::ULong => 2,
            IntKind::LongLong | IntKind::ULongLong => 3,
            IntKind::Int128 | IntKind::UInt128 => 4,
            IntKind::Bool
            | IntKind::Char
            | IntKind::SChar
            | IntKind::UChar
            | IntKind::Short
            | IntKind::UShort
            | IntKind::Int
            | IntKind::UInt => 1,
        };
        if a.is_signed() == b.is_signed() {
            return if rank(a) >= rank(b) { a } else { b };
        }
        let (signed, unsigned) = if a.is_signed() { (a, b) } else { (b, a) };
        if rank(unsigned) >= rank(signed) {
            unsigned
        } else if signed.size() > unsigned.size() {
            signed
        } else {
            unsigned_of(signed)
        }
    }
}

/// The unsigned type of the same rank.
pub(super) fn unsigned_of(kind: IntKind) -> IntKind {
    match kind {
        IntKind::Bool => IntKind::Bool,
        IntKind::Char | IntKind::SChar | IntKind::UChar => IntKind::UChar,
        IntKind::Short | IntKind::UShort => IntKind::UShort,
        IntKind::Int | IntKind::UInt => IntKind::UInt,
        IntKind::Long | IntKind::ULong => IntKind::ULong,
        IntKind::LongLong | IntKind::ULongLong => IntKind::ULongLong,
        IntKind::Int128 | IntKind::UInt128 => IntKind::UInt128,
    }
}
