//! Declaration specifiers and type names: the type that all declarators of a declaration share.

use skep_syntax::ast::{self, Basic, SpecsId, Storage, TypeNameId, TypeSpec};
use skep_syntax::diag::codes;
use skep_syntax::intern::Symbol;
use skep_syntax::source::Span;

use crate::types::{FloatKind, IntKind, Quals, Type, TypeId};

use super::Sema;
use super::attrs::Attrs;
use super::scope::Binding;

/// Why `typeof` and `__auto_type` do not take a bit-field.
pub(super) const NO_TYPE: &str = "a bit-field has no type that a variable could have";

/// Digested specifiers.
#[derive(Clone)]
pub struct Specified {
    /// The type with its qualifiers; of `__auto_type`, only the qualifiers count.
    pub ty: TypeId,
    /// `__auto_type`: the type comes from the initialiser.
    pub auto: bool,
    /// Storage classes and function specifiers.
    pub storage: Storage,
    /// Attributes.
    pub attrs: Attrs,
}

impl Sema<'_, '_> {
    /// Digests specifiers.
    pub(super) fn specified(&mut self, id: SpecsId) -> Specified {
        let specs = self.ast.specs(id);
        let span = self.ast.specs_span(id);
        let attrs = self.attrs(specs.attrs);
        let auto = specs.ty == TypeSpec::Auto;
        let ty = self.type_spec(specs.ty, span);
        let quals = self.quals(specs.quals, span);
        let ty = self.types.qualified(ty, quals);
        let ty = self.apply_type_attrs(ty, &attrs);
        Specified { ty, auto, storage: specs.storage, attrs }
    }

    /// The type of a type name.
    pub(super) fn type_name_type(&mut self, id: TypeNameId) -> TypeId {
        let name = self.ast.type_name(id);
        let specified = self.specified(name.specs);
        if specified.auto {
            self.error(&codes::SPECIFIERS, self.ast.type_name_span(id), "`__auto_type` needs an initialiser");
            return TypeId::ERROR;
        }
        self.declared(&specified, name.declarator).ty
    }

    pub(super) fn quals(&mut self, quals: ast::Quals, span: Span) -> Quals {
        if quals.has(ast::Quals::ATOMIC) {
            self.unsupported(span, "`_Atomic`");
        }
        let rows = [
            (ast::Quals::CONST, Quals::CONST),
            (ast::Quals::VOLATILE, Quals::VOLATILE),
            (ast::Quals::RESTRICT, Quals::RESTRICT),
        ];
        rows.into_iter()
            .filter(|&(syntax, _)| quals.has(syntax))
            .fold(Quals::NONE, |set, (_, flag)| set.union(flag))
    }

    fn type_spec(&mut self, spec: TypeSpec, span: Span) -> TypeId {
        match spec {
            TypeSpec::Error => TypeId::ERROR,
            TypeSpec::None => {
                self.error(&codes::SPECIFIERS, span, "a type is missing here, and `int` is not implied");
                TypeId::int(IntKind::Int)
            }
            TypeSpec::Basic(basic) => self.basic_type(basic, span),
            TypeSpec::Name(name) => self.typedef_name(name, span),
            TypeSpec::Record(id) => self.record_spec(id),
            TypeSpec::Enum(id) => self.enum_spec(id),
            TypeSpec::TypeofExpr(expr) => self.whole_type(expr, NO_TYPE),
            TypeSpec::TypeofType(name) => self.type_name_type(name),
            TypeSpec::TypeofUnqualExpr(expr) => {
                let ty = self.whole_type(expr, NO_TYPE);
                self.types.unqualified(ty)
            }
            TypeSpec::TypeofUnqualType(name) => {
                let ty = self.type_name_type(name);
                self.types.unqualified(ty)
            }
            TypeSpec::Auto => TypeId::ERROR,
            TypeSpec::Atomic(name) => {
                self.unsupported(span, "`_Atomic`");
                self.type_name_type(name)
            }
        }
    }

    fn basic_type(&mut self, basic: Basic, span: Span) -> TypeId {
        let kind = match basic {
            Basic::Void => return TypeId::VOID,
            Basic::Float => return self.types.intern(Type::Float(FloatKind::Float)),
            Basic::Double => return self.types.intern(Type::Float(FloatKind::Double)),
            Basic::LongDouble => return self.types.intern(Type::Float(FloatKind::LongDouble)),
            // On this target the type is `void *`.
            Basic::VaList => return self.types.pointer(TypeId::VOID),
            Basic::Float16
            | Basic::Float128
            | Basic::ComplexFloat
            | Basic::ComplexDouble
            | Basic::ComplexLongDouble => {
                self.unsupported(span, "this floating type");
                return TypeId::ERROR;
            }
            Basic::Bool => IntKind::Bool,
            Basic::Char => IntKind::Char,
            Basic::SChar => IntKind::SChar,
            Basic::UChar => IntKind::UChar,
            Basic::Short => IntKind::Short,
            Basic::UShort => IntKind::UShort,
            Basic::Int => IntKind::Int,
            Basic::UInt => IntKind::UInt,
            Basic::Long => IntKind::Long,
            Basic::ULong => IntKind::ULong,
            Basic::LongLong => IntKind::LongLong,
            Basic::ULongLong => IntKind::ULongLong,
            Basic::Int128 => IntKind::Int128,
            Basic::UInt128 => IntKind::UInt128,
        };
        TypeId::int(kind)
    }

    fn typedef_name(&mut self, name: Symbol, span: Span) -> TypeId {
        match self.lookup(name) {
            Some(Binding::Typedef(ty)) => ty,
            Some(Binding::Error) => TypeId::ERROR,
            // The parser knows a name as a type that no declaration makes one only after an error.
            Some(Binding::Local(_) | Binding::Global(_) | Binding::Func(_) | Binding::Constant { .. })
            | None => {
                let message = format!("`{}` is not a type", self.name(name));
                self.error(&codes::UNKNOWN_NAME, span, message);
                TypeId::ERROR
            }
        }
    }
}
