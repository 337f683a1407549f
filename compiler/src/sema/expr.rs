//! Expressions: one function per form, dispatched here.
//!
//! The tree is at most `ast::MAX_HEIGHT` high, so recursion is bounded; the dispatcher itself
//! keeps nothing large on the stack.

use skep_syntax::ast::{
    AssocId, Control, Designator, DesignatorId, ExprId, ExprKind as Ast, IntSuffix, List, Prefix, StrId,
    TypeNameId, UnOp,
};
use skep_syntax::diag::{Diag, codes};
use skep_syntax::intern::Symbol;
use skep_syntax::pp::Std;
use skep_syntax::source::Span;

use crate::hir::{self, Expr, ExprKind, GlobalId, Init, InitScalar, InitValue, Linkage, PlaceKind};
use crate::types::{FloatKind, IntKind, Quals, Type, TypeId};

use super::Sema;
use super::access::{Lvalue, LvalueKind, Operand};
use super::scope::Binding;

impl Sema<'_, '_> {
    /// The value of an expression: read, decayed.
    pub(super) fn rvalue(&mut self, id: ExprId) -> Expr {
        let operand = self.operand(id);
        self.value(operand)
    }

    /// An expression whose value is not wanted.
    pub(super) fn discarded(&mut self, id: ExprId) -> Expr {
        let operand = self.operand(id);
        match &operand {
            // Reading an aggregate to throw it away is no access.
            Operand::Place(lvalue) if !self.is_scalar(lvalue.ty) && !self.is_error(lvalue.ty) => {
                let span = lvalue.span;
                let place = self.operand_place(operand);
                let address = self.address_of(place);
                Expr { kind: ExprKind::Convert(Box::new(address)), ty: TypeId::VOID, span }
            }
            Operand::Place(_) | Operand::Value(_) => self.value(operand),
        }
    }

    /// The type of an expression that is not evaluated.
    pub(super) fn type_of(&mut self, id: ExprId) -> TypeId {
        self.unevaluated(|s| s.operand(id).ty())
    }

    /// Analyses an expression.
    pub(super) fn operand(&mut self, id: ExprId) -> Operand {
        let span = self.ast.expr_span(id);
        match self.ast.expr(id) {
            Ast::Error => Operand::Value(self.error_expr(span)),
            Ast::Name(name) => self.name_operand(name, span),
            Ast::Int { value, decimal, suffix } => {
                let kind = int_constant_kind(value, decimal, suffix);
                Operand::Value(self.int_expr(i128::from(value), kind, span))
            }
            Ast::Float { bits, suffix } => self.float_constant(bits, suffix, span),
            Ast::Char { value, prefix } => {
                let kind = match prefix {
                    Prefix::None | Prefix::Wide => IntKind::Int,
                    Prefix::U8 => IntKind::UChar,
                    Prefix::U16 => IntKind::UShort,
                    Prefix::U32 => IntKind::UInt,
                };
                Operand::Value(self.int_expr(value.into(), kind, span))
            }
            Ast::Str(text) => self.string_operand(text, span),
            Ast::Paren(inner) => self.operand(inner),
            Ast::Index { base, index } => self.element(base, index, span),
            Ast::Call { callee, args } => Operand::Value(self.call(callee, args, span)),
            Ast::Member { base, arrow, name, at } => {
                self.member_access(base, arrow, name, Span::at(at), span)
            }
            Ast::Unary { op, operand } => self.unary(op, operand, span),
            Ast::Binary { op, lhs, rhs, at } => Operand::Value(self.binary(op, lhs, rhs, Span::at(at), span)),
            Ast::Assign { op, lhs, rhs, at } => Operand::Value(self.assign(op, lhs, rhs, Span::at(at), span)),
            Ast::Comma { lhs, rhs } => Operand::Value(self.comma(lhs, rhs, span)),
            Ast::Cond { cond, then, other } => Operand::Value(self.conditional(cond, then, other, span)),
            Ast::Cast { ty, operand } => Operand::Value(self.cast(ty, operand, span)),
            Ast::Compound { ty, init } => self.compound_literal(ty, init, span),
            Ast::SizeofExpr(operand) => {
                let ty = self.whole_type(operand, "a bit-field has no size in bytes");
                self.size_operand(ty, span)
            }
            Ast::SizeofType(name) => {
                let ty = self.type_name_type(name);
                self.size_operand(ty, span)
            }
            Ast::AlignofExpr(operand) => {
                let ty = self.whole_type(operand, "a bit-field has no alignment");
                self.align_operand(ty, span)
            }
            Ast::AlignofType(name) => {
                let ty = self.type_name_type(name);
                self.align_operand(ty, span)
            }
            Ast::Generic { control, assocs } => self.generic(control, assocs, span),
            Ast::StmtExpr(block) => Operand::Value(self.statement_expr(block, span)),
            Ast::LabelAddr(_) => {
                self.unsupported(span, "the address of a label");
                Operand::Value(self.error_expr(span))
            }
            Ast::Offsetof { ty, path } => Operand::Value(self.offsetof(ty, path, span)),
            Ast::VaArg { list, ty } => Operand::Value(self.va_arg(list, ty, span)),
            Ast::TypesCompatible(a, b) => {
                let (a, b) = (self.type_name_type(a), self.type_name_type(b));
                let same = self.compatible_unqualified(a, b);
                Operand::Value(self.int_expr(same.into(), IntKind::Int, span))
            }
            Ast::Choose { cond, then, other } => {
                match self.integer_constant(cond, "the condition of `__builtin_choose_expr`") {
                    Some(0) => self.operand(other),
                    Some(_) => self.operand(then),
                    None => Operand::Value(self.error_expr(span)),
                }
            }
        }
    }

    // ------------------------------------------------------------ primary

    fn name_operand(&mut self, name: Symbol, span: Span) -> Operand {
        match self.lookup(name) {
            Some(binding) => self.bound_operand(name, binding, span),
            None => match self.name(name) {
                "__func__" | "__FUNCTION__" | "__PRETTY_FUNCTION__" => self.function_name(name, span),
                "true" | "false" if self.cx.options.std >= Std::C23 => {
                    let value = self.name(name) == "true";
                    Operand::Value(self.int_expr(value.into(), IntKind::Bool, span))
                }
                "nullptr" if self.cx.options.std >= Std::C23 => {
                    let ty = self.types.pointer(TypeId::VOID);
                    Operand::Value(Expr { kind: ExprKind::Const(0), ty, span })
                }
                _ => {
                    self.unknown_name(name, span);
                    Operand::Value(self.error_expr(span))
                }
            },
        }
    }

    fn bound_operand(&mut self, name: Symbol, binding: Binding, span: Span) -> Operand {
        self.mention(binding);
        match binding {
            Binding::Local(id) => {
                let ty = self.local_type(id);
                Operand::Place(Lvalue::plain(PlaceKind::Local(id), ty, span))
            }
            Binding::Global(id) => {
                let ty = self.globals[id.index()].ty;
                if self.globals[id.index()].constant && self.is_scalar(ty) {
                    // Its value may be wanted here.
                    self.analyze_global_init(id);
                }
                Operand::Place(Lvalue::plain(PlaceKind::Global(id), ty, span))
            }
            Binding::Func(id) => {
                self.queue_function(id);
                let ty = self.functions[id.index()].ty;
                Operand::Place(Lvalue::plain(PlaceKind::Func(id), ty, span))
            }
            Binding::Constant { value, ty } => {
                let kind = self.types.int_kind(ty).unwrap_or(IntKind::Int);
                let e = self.int_expr(value, kind, span);
                Operand::Value(Expr { ty, ..e })
            }
            Binding::Typedef(_) => {
                let message = format!("`{}` is a type, not a value", self.name(name));
                self.error(&codes::UNKNOWN_NAME, span, message);
                Operand::Value(self.error_expr(span))
            }
            Binding::Error => Operand::Value(self.error_expr(span)),
        }
    }

    pub(super) fn unknown_name(&mut self, name: Symbol, span: Span) {
        let mut diag = Diag::new(&codes::UNKNOWN_NAME, span, format!("unknown name `{}`", self.name(name)));
        if let Some((Binding::Global(id), _)) = self.entity(name) {
            diag = diag.with_label(self.globals[id.index()].span, "declared only here, later");
        } else if let Some((Binding::Func(id), _)) = self.entity(name) {
            diag = diag.with_label(self.functions[id.index()].span, "declared only here, later");
        } else if let Some(near) = self.similar_name(name) {
            diag = diag.with_help(format!("did you mean `{}`?", self.name(near)));
        }
        self.report(diag);
        if self.ctx.function.is_some() {
            // Once is enough for each scope.
            self.ctx.scopes.bind(name, Binding::Error);
        }
    }

    fn float_constant(&mut self, bits: u64, suffix: skep_syntax::ast::FloatSuffix, span: Span) -> Operand {
        let kind = match suffix {
            skep_syntax::ast::FloatSuffix::None => FloatKind::Double,
            skep_syntax::ast::FloatSuffix::F => FloatKind::Float,
            skep_syntax::ast::FloatSuffix::L => FloatKind::LongDouble,
        };
        let ty = self.types.intern(Type::Float(kind));
        let value = self.rounded(f64::from_bits(bits), ty);
        Operand::Value(Expr { kind: ExprKind::Float(value), ty, span })
    }

    fn string_operand(&mut self, text: StrId, span: Span) -> Operand {
        let prefix = self.ast.string(text).prefix;
        let (kind, width) = match prefix {
            Prefix::None | Prefix::U8 => (IntKind::Char, 1),
            Prefix::U16 => (IntKind::UShort, 2),
            Prefix::U32 => (IntKind::UInt, 4),
            Prefix::Wide => (IntKind::Int, 4),
        };
        let mut bytes = self.ast.string_bytes(text).to_vec();
        bytes.extend(std::iter::repeat_n(0, width));
        self.literal(bytes, TypeId::int(kind), span)
    }

    fn function_name(&mut self, name: Symbol, span: Span) -> Operand {
        let Some(f) = &self.ctx.function else {
            let message = format!("`{}` outside a function", self.name(name));
            self.error(&codes::UNKNOWN_NAME, span, message);
            return Operand::Value(self.error_expr(span));
        };
        let function = &self.functions[f.id.index()];
        let mut bytes = self.cx.names.text(function.name).to_vec();
        if self.name(name) == "__PRETTY_FUNCTION__" {
            let plain = self.name(function.name).to_owned();
            bytes = self.declaration(function.ty, plain).into_bytes();
        }
        bytes.push(0);
        let elem = self.types.qualified(TypeId::int(IntKind::Char), Quals::CONST);
        self.literal(bytes, elem, span)
    }

    /// A literal of these bytes, the terminating zero included.
    pub(super) fn literal(&mut self, bytes: Vec<u8>, elem: TypeId, span: Span) -> Operand {
        let size = self.types.layout(elem).map_or(1, |layout| layout.size);
        let ty = self.types.intern(Type::Array { elem, len: Some(bytes.len() as u64 / size) });
        if self.ctx.unevaluated {
            // Only the type will be looked at.
            return Operand::Place(Lvalue::plain(PlaceKind::Global(GlobalId(u32::MAX)), ty, span));
        }
        let key = (bytes, elem);
        if let Some(&id) = self.literals.get(&key) {
            return Operand::Place(Lvalue::plain(PlaceKind::Global(id), ty, span));
        }
        let name = format!(".L.str.{}", self.literals.len());
        let id = self.push_global(name, None, ty, Linkage::Static, span);
        let scalar = InitScalar { offset: 0, value: InitValue::Bytes(key.0.clone()) };
        let global = &mut self.globals[id.index()];
        global.literal = true;
        global.constant = true;
        global.init = Some(Init { scalars: vec![scalar] });
        self.literals.insert(key, id);
        Operand::Place(Lvalue::plain(PlaceKind::Global(id), ty, span))
    }

    /// The bytes of a string literal.
    pub(super) fn literal_bytes(&self, id: GlobalId) -> Option<&[u8]> {
        let global = self.globals.get(id.index()).filter(|global| global.literal)?;
        match &global.init.as_ref()?.scalars.first()?.value {
            InitValue::Bytes(bytes) => Some(bytes),
            InitValue::Int { .. } | InitValue::Address { .. } => None,
        }
    }

    // ------------------------------------------------------------ sizes

    /// The type of an operand that may not be a bit-field; `why` says why not.
    pub(super) fn whole_type(&mut self, id: ExprId, why: &str) -> TypeId {
        let (ty, is_bit_field) = self.unevaluated(|s| {
            let operand = s.operand(id);
            (operand.ty(), s.is_bit_field(&operand))
        });
        if is_bit_field {
            self.error(&codes::BIT_FIELD, self.ast.expr_span(id), why);
        }
        ty
    }

    fn size_operand(&mut self, ty: TypeId, span: Span) -> Operand {
        if self.is_error(ty) {
            return Operand::Value(self.error_expr(span));
        }
        match self.size_of(ty) {
            Some(size) => Operand::Value(self.int_expr(size.into(), IntKind::ULong, span)),
            None => {
                self.incomplete(span, ty, "the operand of `sizeof`");
                Operand::Value(self.error_expr(span))
            }
        }
    }

    /// The size of a type as GNU C counts: `void` and functions take one byte.
    pub(super) fn size_of(&mut self, ty: TypeId) -> Option<u64> {
        match self.types.shape(ty) {
            Type::Void | Type::Function(_) => Some(1),
            _ => self.layout_of(ty).map(|layout| layout.size),
        }
    }

    fn align_operand(&mut self, ty: TypeId, span: Span) -> Operand {
        let align = match *self.types.shape(ty) {
            Type::Void | Type::Function(_) => Some(1),
            Type::Array { elem, .. } => self.layout_of(elem).map(|layout| layout.align),
            Type::Error => return Operand::Value(self.error_expr(span)),
            _ => self.layout_of(ty).map(|layout| layout.align),
        };
        match align {
            Some(align) => Operand::Value(self.int_expr(align.into(), IntKind::ULong, span)),
            None => {
                self.incomplete(span, ty, "the operand of `_Alignof`");
                Operand::Value(self.error_expr(span))
            }
        }
    }

    /// `__builtin_offsetof`.
    fn offsetof(&mut self, ty: TypeNameId, path: List<DesignatorId>, span: Span) -> Expr {
        let mut at = self.type_name_type(ty);
        let mut constant: i128 = 0;
        let mut variable: Option<Expr> = None;
        for id in self.ast.list(path) {
            let here = self.ast.designator_span(id);
            if self.is_error(at) {
                return self.error_expr(span);
            }
            match self.ast.designator(id) {
                Designator::Field(name) => match self.offset_of_member(at, name, here) {
                    Some((bytes, ty)) => {
                        constant += i128::from(bytes);
                        at = ty;
                    }
                    None => return self.error_expr(span),
                },
                Designator::Index(index) => {
                    let Type::Array { elem, .. } = *self.types.shape(at) else {
                        let message = format!("{} has no elements", self.shown(at));
                        self.error(&codes::NOT_A_POINTER, here, message);
                        return self.error_expr(span);
                    };
                    at = elem;
                    let scale = i128::from(self.layout_of(elem).map_or(0, |layout| layout.size));
                    let index = self.rvalue(index);
                    if !self.is_integer(index.ty) {
                        return self.error_expr(span);
                    }
                    match self.const_int(&index) {
                        Some(index) => constant = constant.saturating_add(index.saturating_mul(scale)),
                        None => variable = Some(self.scaled(index, scale, variable, span)),
                    }
                }
                Designator::Range(..) => return self.error_expr(span),
            }
        }
        let fixed = self.int_expr(constant, IntKind::ULong, span);
        match variable {
            Some(variable) => {
                let ty = TypeId::int(IntKind::ULong);
                self.binary_expr(hir::BinaryOp::Add, variable, fixed, ty, span)
            }
            None => fixed,
        }
    }

    fn scaled(&mut self, index: Expr, scale: i128, sum: Option<Expr>, span: Span) -> Expr {
        let ty = TypeId::int(IntKind::ULong);
        let index = self.index_value(index);
        let index = self.convert(index, ty);
        let scale = self.int_expr(scale, IntKind::ULong, span);
        let bytes = self.binary_expr(hir::BinaryOp::Mul, index, scale, ty, span);
        match sum {
            Some(sum) => self.binary_expr(hir::BinaryOp::Add, sum, bytes, ty, span),
            None => bytes,
        }
    }

    fn offset_of_member(&mut self, ty: TypeId, name: Symbol, span: Span) -> Option<(u64, TypeId)> {
        let Some(record) = self.types.record_of(ty) else {
            let message = format!("{} has no members", self.shown(ty));
            self.error(&codes::UNKNOWN_MEMBER, span, message);
            return None;
        };
        let path = self.member_path(record, name);
        let Some(path) = path else {
            if self.types.records[record.0 as usize].body.is_none() {
                self.incomplete(span, ty, "the operand of `offsetof`");
            } else {
                let message = format!("{} has no member `{}`", self.shown(ty), self.name(name));
                self.error(&codes::UNKNOWN_MEMBER, span, message);
            }
            return None;
        };
        let (mut bytes, mut at) = (0, ty);
        for index in path {
            let record = self.types.record_of(at)?;
            let field = self.types.records[record.0 as usize].body.as_ref()?.fields.get(index as usize)?;
            if field.bit_width.is_some() {
                self.error(&codes::BIT_FIELD, span, "a bit-field has no offset in bytes");
                return None;
            }
            bytes += field.bit_offset / 8;
            at = field.ty;
        }
        Some((bytes, at))
    }

    // ------------------------------------------------------------ selections

    fn generic(&mut self, control: Control, assocs: List<AssocId>, span: Span) -> Operand {
        let (ty, at) = match control {
            Control::Expr(control) => {
                (self.unevaluated(|s| s.rvalue(control).ty), self.ast.expr_span(control))
            }
            Control::Type(name) => (self.type_name_type(name), self.ast.type_name_span(name)),
        };
        if self.is_error(ty) {
            return Operand::Value(self.error_expr(span));
        }
        let (mut chosen, mut default) = (None, None);
        for id in self.ast.list(assocs) {
            let assoc = self.ast.assoc(id);
            let Some(name) = assoc.ty else {
                default = Some(assoc.value);
                continue;
            };
            let candidate = self.type_name_type(name);
            if self.compatible(candidate, ty) {
                if chosen.is_some() {
                    let message = format!("two associations are compatible with {}", self.shown(ty));
                    self.error(&codes::GENERIC, self.ast.type_name_span(name), message);
                }
                chosen = chosen.or(Some(assoc.value));
            }
        }
        match chosen.or(default) {
            Some(value) => self.operand(value),
            None => {
                let message = format!("no association for {}", self.shown(ty));
                self.error(&codes::GENERIC, at, message);
                Operand::Value(self.error_expr(span))
            }
        }
    }

    fn unary(&mut self, op: UnOp, id: ExprId, span: Span) -> Operand {
        match op {
            UnOp::Deref => {
                let pointer = self.rvalue(id);
                self.deref(pointer, span)
            }
            UnOp::AddrOf => {
                let operand = self.operand(id);
                Operand::Value(self.take_address(operand, span))
            }
            UnOp::Plus | UnOp::Neg | UnOp::BitNot | UnOp::Not => {
                let value = self.rvalue(id);
                Operand::Value(self.unary_value(op, value, span))
            }
            UnOp::PreInc | UnOp::PreDec | UnOp::PostInc | UnOp::PostDec => {
                let operand = self.operand(id);
                Operand::Value(self.increment(op, operand, span))
            }
            UnOp::Real | UnOp::Imag => {
                self.unsupported(span, "complex numbers");
                Operand::Value(self.error_expr(span))
            }
        }
    }

    /// Does the expression name an object whose last step the loader is told about?
    pub(super) fn is_chain(operand: &Operand) -> bool {
        matches!(operand, Operand::Place(Lvalue { kind: LvalueKind::Chain(_), .. }))
    }
}

/// The type of an integer constant: the first of its list that holds the value.
fn int_constant_kind(value: u64, decimal: bool, suffix: IntSuffix) -> IntKind {
    let (unsigned, least) = match suffix {
        IntSuffix::None => (false, 0),
        IntSuffix::U => (true, 0),
        IntSuffix::L => (false, 1),
        IntSuffix::UL => (true, 1),
        IntSuffix::LL => (false, 2),
        IntSuffix::ULL => (true, 2),
    };
    let ranks = [
        (IntKind::Int, IntKind::UInt),
        (IntKind::Long, IntKind::ULong),
        (IntKind::LongLong, IntKind::ULongLong),
    ];
    for (signed, wide) in ranks.into_iter().skip(least) {
        let bits = signed.size() * 8;
        if !unsigned && value < 1 << (bits - 1) {
            return signed;
        }
        if (unsigned || !decimal) && (bits == 64 || value < 1 << bits) {
            return wide;
        }
    }
    if least == 2 { IntKind::ULongLong } else { IntKind::ULong }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_constants_have_the_first_type_that_fits() {
        assert_eq!(int_constant_kind(1, true, IntSuffix::None), IntKind::Int);
        assert_eq!(int_constant_kind(1 << 31, true, IntSuffix::None), IntKind::Long);
        assert_eq!(int_constant_kind(1 << 31, false, IntSuffix::None), IntKind::UInt);
        assert_eq!(int_constant_kind(1 << 63, true, IntSuffix::None), IntKind::ULong);
        assert_eq!(int_constant_kind(1, true, IntSuffix::ULL), IntKind::ULongLong);
        assert_eq!(int_constant_kind(1 << 63, false, IntSuffix::L), IntKind::ULong);
    }
}
