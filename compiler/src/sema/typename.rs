//! Types as the user would write them, for messages.
//!
//! Recursion is bounded: types deeper than `Types::MAX_DEPTH` are refused when they are declared.

use crate::types::{FloatKind, FunctionType, IntKind, Quals, RecordKind, Type, TypeId};

use super::Sema;

/// Longest spelling; what is beyond is cut off.
const MAX_LENGTH: usize = 200;

impl Sema<'_, '_> {
    /// The type in backquotes; a typedef name with what it stands for.
    pub(super) fn shown(&self, ty: TypeId) -> String {
        let name = self.type_name(ty);
        let meaning = self.type_name(self.desugared(ty));
        if name == meaning { format!("`{name}`") } else { format!("`{name}` (aka `{meaning}`)") }
    }

    /// The type without typedef names at its top, pointers to typedef names resolved too.
    fn desugared(&self, ty: TypeId) -> TypeId {
        match self.types.get(ty) {
            Type::Typedef(typedef) => self.desugared(self.types.typedefs[typedef.0 as usize].target),
            _ => ty,
        }
    }

    /// The type in C syntax.
    pub(super) fn type_name(&self, ty: TypeId) -> String {
        let mut name = self.declaration(ty, String::new());
        if name.len() > MAX_LENGTH {
            let cut = (0..=MAX_LENGTH).rev().find(|&at| name.is_char_boundary(at)).unwrap_or(0);
            name.truncate(cut);
            name.push_str("...");
        }
        name
    }

    /// Declares `inner` (a declarator, perhaps empty) with the type.
    pub(super) fn declaration(&self, ty: TypeId, inner: String) -> String {
        if inner.len() > 2 * MAX_LENGTH {
            return inner;
        }
        match self.types.get(ty) {
            Type::Pointer(to) => {
                let through = self.types.get(self.below_wrappers(*to));
                let inner = match through {
                    Type::Array { .. } | Type::Function(_) => format!("(*{inner})"),
                    _ => format!("*{inner}"),
                };
                self.declaration(*to, inner)
            }
            Type::Array { elem, len } => {
                let len = len.map_or(String::new(), |len| len.to_string());
                self.declaration(*elem, format!("{inner}[{len}]"))
            }
            Type::Function(function) => {
                let params = self.params(function);
                self.declaration(function.ret, format!("{inner}({params})"))
            }
            Type::Qualified { inner: below, quals } => match self.types.get(*below) {
                Type::Pointer(_) => {
                    self.declaration_of_pointer(*below, format!("{}{}", qual_words(*quals), spaced(&inner)))
                }
                _ => format!("{} {}", qual_words(*quals), self.declaration(*below, inner)),
            },
            Type::Tagged { inner: below, .. } | Type::AddressSpace { inner: below, .. } => {
                self.declaration(*below, inner)
            }
            _ => format!("{}{}", self.base_name(ty), spaced(&inner)),
        }
    }

    fn declaration_of_pointer(&self, ty: TypeId, inner: String) -> String {
        match self.types.get(ty) {
            Type::Pointer(to) => self.declaration(*to, format!("*{inner}")),
            _ => self.declaration(ty, inner),
        }
    }

    fn below_wrappers(&self, mut ty: TypeId) -> TypeId {
        loop {
            ty = match *self.types.get(ty) {
                Type::Qualified { inner, .. }
                | Type::Tagged { inner, .. }
                | Type::AddressSpace { inner, .. } => inner,
                _ => return ty,
            }
        }
    }

    fn params(&self, function: &FunctionType) -> String {
        let mut params: Vec<String> =
            function.params.iter().map(|&param| self.declaration(param, String::new())).collect();
        if function.variadic {
            params.push("...".into());
        }
        if params.is_empty() && function.prototyped {
            params.push("void".into());
        }
        params.join(", ")
    }

    fn base_name(&self, ty: TypeId) -> String {
        let tagged = |word: &str, tag: Option<_>| match tag {
            Some(tag) => format!("{word} {}", self.name(tag)),
            None => format!("{word} {{...}}"),
        };
        match self.types.get(ty) {
            Type::Error => "<error>".into(),
            Type::Void => "void".into(),
            Type::Int(kind) => int_name(*kind).into(),
            Type::Float(FloatKind::Float) => "float".into(),
            Type::Float(FloatKind::Double) => "double".into(),
            Type::Float(FloatKind::LongDouble) => "long double".into(),
            Type::Record(id) => {
                let record = &self.types.records[id.0 as usize];
                let word = match record.kind {
                    RecordKind::Struct => "struct",
                    RecordKind::Union => "union",
                };
                tagged(word, record.tag)
            }
            Type::Enum(id) => tagged("enum", self.types.enums[id.0 as usize].tag),
            Type::Typedef(id) => self.name(self.types.typedefs[id.0 as usize].name).into(),
            Type::Pointer(_)
            | Type::Array { .. }
            | Type::Function(_)
            | Type::Qualified { .. }
            | Type::Tagged { .. }
            | Type::AddressSpace { .. } => self.declaration(ty, String::new()),
        }
    }
}

fn spaced(inner: &str) -> String {
    if inner.is_empty() || inner.starts_with('[') { inner.into() } else { format!(" {inner}") }
}

fn qual_words(quals: Quals) -> String {
    let words = [(Quals::CONST, "const"), (Quals::VOLATILE, "volatile"), (Quals::RESTRICT, "restrict")];
    let present: Vec<&str> =
        words.into_iter().filter(|&(flag, _)| quals.contains(flag)).map(|(_, word)| word).collect();
    present.join(" ")
}

/// The usual spelling of an integer type.
pub(super) fn int_name(kind: IntKind) -> &'static str {
    match kind {
        IntKind::Bool => "_Bool",
        IntKind::Char => "char",
        IntKind::SChar => "signed char",
        IntKind::UChar => "unsigned char",
        IntKind::Short => "short",
        IntKind::UShort => "unsigned short",
        IntKind::Int => "int",
        IntKind::UInt => "unsigned int",
        IntKind::Long => "long",
        IntKind::ULong => "unsigned long",
        IntKind::LongLong => "long long",
        IntKind::ULongLong => "unsigned long long",
        IntKind::Int128 => "__int128",
        IntKind::UInt128 => "unsigned __int128",
    }
}
