//! Declarators: pointers, arrays and functions built around the type of the specifiers.

use skep_syntax::ast::{ArraySize, DeclaratorId, ExprId, Ident, List, ParamId, ParamTail, Part, PartId};
use skep_syntax::diag::codes;
use skep_syntax::intern::Symbol;
use skep_syntax::source::Span;

use crate::types::{FunctionType, Type, TypeId, Types};

use super::Sema;
use super::attrs::Attrs;
use super::specifiers::Specified;

/// The largest array, in bytes.
const MAX_SIZE: u64 = 1 << 60;

/// A declarator applied to its specifiers.
pub struct Declared {
    /// The name, if there is one.
    pub ident: Option<Ident>,
    /// Its type.
    pub ty: TypeId,
    /// Attributes of specifiers and declarator.
    pub attrs: Attrs,
    /// The name, or the whole declarator.
    pub span: Span,
}

impl Sema<'_, '_> {
    /// The entity that a declarator declares.
    pub(super) fn declared(&mut self, specified: &Specified, id: DeclaratorId) -> Declared {
        self.declared_as(specified, id, false)
    }

    /// As [`Self::declared`], for a parameter: arrays and functions become pointers.
    fn declared_param(&mut self, specified: &Specified, id: DeclaratorId) -> Declared {
        let mut declared = self.declared_as(specified, id, true);
        declared.ty = self.adjusted_param(declared.ty);
        declared
    }

    fn declared_as(&mut self, specified: &Specified, id: DeclaratorId, is_param: bool) -> Declared {
        let declarator = self.ast.declarator(id);
        let mut attrs = specified.attrs.clone();
        let own = self.attrs(declarator.attrs);
        let mut ty = specified.ty;
        let parts: Vec<PartId> = self.ast.list(declarator.parts).collect();
        for (index, &part) in parts.iter().enumerate().rev() {
            // The outermost array of a parameter is a pointer; its size does not matter.
            ty = self.part(ty, part, is_param && index == 0, index == 0);
            if self.types.depth(ty) > Types::MAX_DEPTH {
                self.error(&codes::SPECIFIERS, self.ast.declarator_span(id), "a type nested too deeply");
                ty = TypeId::ERROR;
            }
        }
        if own.mode.is_some() || own.address_space.is_some() {
            ty = self.apply_type_attrs(ty, &Attrs { type_tags: Vec::new(), ..own.clone() });
        }
        merge(&mut attrs, own);
        let span = match declarator.name {
            Some(name) => name.span(),
            None => self.ast.declarator_span(id),
        };
        Declared { ident: declarator.name, ty, attrs, span }
    }

    fn part(&mut self, below: TypeId, id: PartId, is_param: bool, last: bool) -> TypeId {
        let span = self.ast.part_span(id);
        match self.ast.part(id) {
            Part::Pointer { quals, attrs } => {
                let pointer = self.types.pointer(below);
                let quals = self.quals(quals, span);
                let pointer = self.types.qualified(pointer, quals);
                if attrs.is_empty() {
                    return pointer;
                }
                let mut attrs = self.attrs(attrs);
                if last {
                    // BTF knows tags of what is pointed to only.
                    attrs.type_tags.clear();
                }
                self.apply_type_attrs(pointer, &attrs)
            }
            Part::Array { size, quals, .. } => {
                if is_param {
                    let quals = self.quals(quals, span);
                    let pointer = self.types.pointer(below);
                    return self.types.qualified(pointer, quals);
                }
                self.array_of(below, size, span)
            }
            Part::Function { params, tail } => self.function_of(below, params, tail, span),
        }
    }

    fn array_of(&mut self, elem: TypeId, size: ArraySize, span: Span) -> TypeId {
        if self.is_error(elem) {
            return TypeId::ERROR;
        }
        match self.types.shape(elem) {
            Type::Void | Type::Function(_) => {
                let message = format!("an array of elements of type {}", self.shown(elem));
                self.error(&codes::ARRAY, span, message);
                return TypeId::ERROR;
            }
            _ => {}
        }
        let Some(layout) = self.layout_of(elem) else {
            self.incomplete(span, elem, "the element of an array");
            return TypeId::ERROR;
        };
        let len = match size {
            ArraySize::None | ArraySize::Star => None,
            ArraySize::Expr(expr) => match self.array_len(expr, layout.size) {
                Some(len) => Some(len),
                None => return TypeId::ERROR,
            },
        };
        self.types.intern(Type::Array { elem, len })
    }

    fn array_len(&mut self, expr: ExprId, elem_size: u64) -> Option<u64> {
        let span = self.ast.expr_span(expr);
        let value = self.rvalue(expr);
        if matches!(value.kind, crate::hir::ExprKind::Error) {
            return None;
        }
        if self.types.int_kind(value.ty).is_none() {
            let message = format!("the size of an array is not an integer but {}", self.shown(value.ty));
            self.error(&codes::ARRAY, span, message);
            return None;
        }
        let Some(len) = self.required_int(&value) else {
            if self.ctx.function.is_some() {
                self.unsupported(span, "an array whose size is not constant");
            } else {
                self.error(&codes::NOT_CONSTANT, span, "the size of an array is not constant");
            }
            return None;
        };
        if len < 0 {
            self.error(&codes::ARRAY, span, format!("an array of negative size {len}"));
            return None;
        }
        match u64::try_from(len) {
            Ok(len) if len.checked_mul(elem_size.max(1)).is_some_and(|bytes| bytes <= MAX_SIZE) => Some(len),
            _ => {
                self.error(&codes::ARRAY, span, "the array is too large");
                None
            }
        }
    }

    fn function_of(&mut self, ret: TypeId, params: List<ParamId>, tail: ParamTail, span: Span) -> TypeId {
        match self.types.shape(ret) {
            Type::Array { .. } | Type::Function(_) => {
                let message = format!("a function cannot return {}", self.shown(ret));
                self.error(&codes::SPECIFIERS, span, message);
                return TypeId::ERROR;
            }
            _ => {}
        }
        let (mut types, mut names) = (Vec::new(), Vec::new());
        for param in self.ast.list(params) {
            let declared = self.param(param);
            if matches!(self.types.shape(declared.ty), Type::Void) {
                self.error(&codes::SPECIFIERS, declared.span, "a parameter of type `void`");
                continue;
            }
            types.push(self.types.unqualified_top(declared.ty));
            names.push(declared.ident.map(|ident| ident.sym));
        }
        self.types.intern(Type::Function(FunctionType {
            ret,
            params: types.into(),
            names: names.into(),
            variadic: tail == ParamTail::Variadic,
            prototyped: tail != ParamTail::Unknown,
        }))
    }

    /// A parameter of a function declarator.
    pub(super) fn param(&mut self, id: ParamId) -> Declared {
        let param = self.ast.param(id);
        let mut specified = self.specified(param.specs);
        if specified.auto {
            self.error(&codes::SPECIFIERS, self.ast.param_span(id), "`__auto_type` needs an initialiser");
            specified.auto = false;
        }
        self.declared_param(&specified, param.declarator)
    }

    /// The type a parameter has inside its function.
    fn adjusted_param(&mut self, ty: TypeId) -> TypeId {
        match *self.types.shape(ty) {
            Type::Array { elem, .. } => {
                let elem = self.with_wrappers_of(elem, ty);
                self.types.pointer(elem)
            }
            Type::Function(_) => self.types.pointer(ty),
            _ => ty,
        }
    }

    /// `inner` with the qualifiers and the address space of `outer`, as elements and members
    /// inherit them.
    pub(super) fn with_wrappers_of(&mut self, inner: TypeId, outer: TypeId) -> TypeId {
        let quals = self.types.quals(outer);
        let space = self.types.address_space(outer);
        let inner = self.types.qualified(inner, quals);
        if space != 0 && self.types.address_space(inner) == 0 {
            self.types.intern(Type::AddressSpace { inner, space })
        } else {
            inner
        }
    }

    /// The names of the parameters with their positions, from the declarator of a definition.
    pub(super) fn param_list(&self, id: DeclaratorId) -> Vec<ParamId> {
        let first = self.ast.list(self.ast.declarator(id).parts).next();
        match first.map(|part| self.ast.part(part)) {
            Some(Part::Function { params, .. }) => self.ast.list(params).collect(),
            _ => Vec::new(),
        }
    }
}

/// Adds the attributes of a declarator to those of its specifiers.
fn merge(all: &mut Attrs, own: Attrs) {
    let later = |had: Option<Symbol>, new: Option<Symbol>| new.or(had);
    all.section = later(all.section, own.section);
    all.error = later(all.error, own.error);
    all.used |= own.used;
    if own.inline != crate::hir::Inline::Auto {
        all.inline = own.inline;
    }
    all.gnu_inline |= own.gnu_inline;
    all.weak |= own.weak;
    all.packed |= own.packed;
    all.aligned = all.aligned.max(own.aligned);
    all.preserve_access_index |= own.preserve_access_index;
    all.decl_tags.extend(own.decl_tags);
    all.cleanup = own.cleanup.or(all.cleanup);
    all.noreturn |= own.noreturn;
    all.naked |= own.naked;
    all.hidden |= own.hidden;
    all.unused |= own.unused;
    all.wants_use |= own.wants_use;
}
