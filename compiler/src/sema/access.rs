//! Objects: names, members, elements, indirection; and how they become values.
//!
//! An [`Lvalue`] is a place under construction. While every step of `p->a.b[2]` can be described
//! to the loader, the steps are collected in a [`Chain`]; the first use of the place that is not
//! another such step closes the chain into one CO-RE relocation.

use skep_syntax::ast::{ExprId, ExprKind as AstExpr};
use skep_syntax::diag::{Diag, codes};
use skep_syntax::intern::Symbol;
use skep_syntax::source::Span;

use crate::hir::{CoreKind, Expr, ExprKind, Place, PlaceKind};
use crate::types::{IntKind, Quals, RecordId, Type, TypeId};

use super::Sema;
use super::core_access::Chain;

/// The result of analysing an expression.
pub enum Operand {
    /// A value.
    Value(Expr),
    /// An object or function.
    Place(Lvalue),
}

/// An object or function.
pub struct Lvalue {
    /// How it is reached.
    pub kind: LvalueKind,
    /// Its type with qualifiers.
    pub ty: TypeId,
    /// The expression.
    pub span: Span,
    /// The member it is, if the last step was a member access.
    pub member: Option<(RecordId, u32)>,
}

/// How an object is reached.
pub enum LvalueKind {
    /// By ordinary steps.
    Plain(PlaceKind),
    /// By steps that the loader is told about.
    Chain(Box<Chain>),
}

impl Lvalue {
    /// An object reached by ordinary steps.
    pub fn plain(kind: PlaceKind, ty: TypeId, span: Span) -> Lvalue {
        Lvalue { kind: LvalueKind::Plain(kind), ty, span, member: None }
    }
}

impl Operand {
    /// The type of the expression, before any decay.
    pub fn ty(&self) -> TypeId {
        match self {
            Operand::Value(e) => e.ty,
            Operand::Place(lvalue) => lvalue.ty,
        }
    }

    /// The expression.
    pub fn span(&self) -> Span {
        match self {
            Operand::Value(e) => e.span,
            Operand::Place(lvalue) => lvalue.span,
        }
    }
}

impl Sema<'_, '_> {
    /// Is the operand a bit-field?
    pub(super) fn is_bit_field(&self, operand: &Operand) -> bool {
        match operand {
            Operand::Place(lvalue) => self.is_bit_field_member(lvalue),
            Operand::Value(_) => false,
        }
    }

    fn is_bit_field_member(&self, lvalue: &Lvalue) -> bool {
        lvalue.member.is_some_and(|(record, index)| {
            let body = self.types.records[record.0 as usize].body.as_ref();
            body.and_then(|b| b.fields.get(index as usize)).is_some_and(|f| f.bit_width.is_some())
        })
    }

    // ------------------------------------------------------------ closing

    /// The place of an lvalue; closes its chain.
    pub(super) fn place(&mut self, lvalue: Lvalue) -> Place {
        let kind = match lvalue.kind {
            LvalueKind::Plain(kind) => kind,
            LvalueKind::Chain(chain) => self.close_chain(*chain),
        };
        Place { kind, ty: lvalue.ty, span: lvalue.span }
    }

    /// The object that an operand is; a value that is no object gets a temporary.
    pub(super) fn operand_place(&mut self, operand: Operand) -> Place {
        match operand {
            Operand::Place(lvalue) => self.place(lvalue),
            Operand::Value(e) => {
                let (ty, span) = (e.ty, e.span);
                Place { kind: PlaceKind::Temporary(Box::new(e)), ty, span }
            }
        }
    }

    /// The value of an operand: arrays and functions become pointers, objects are read.
    pub(super) fn value(&mut self, operand: Operand) -> Expr {
        let lvalue = match operand {
            Operand::Value(e) => return e,
            Operand::Place(lvalue) => lvalue,
        };
        let (ty, span) = (lvalue.ty, lvalue.span);
        match *self.types.shape(ty) {
            Type::Array { elem, .. } => {
                let elem = self.with_wrappers_of(elem, ty);
                let place = self.place(lvalue);
                let mut e = self.address_of(place);
                e.ty = self.types.pointer(elem);
                Expr { span, ..e }
            }
            Type::Function(_) => {
                let place = self.place(lvalue);
                let e = self.address_of(place);
                Expr { span, ..e }
            }
            Type::Error => self.error_expr(span),
            Type::Void => {
                let place = self.place(lvalue);
                // `*p` of a `void *`: nothing is read.
                let address = self.address_of(place);
                Expr { kind: ExprKind::Convert(Box::new(address)), ty: TypeId::VOID, span }
            }
            Type::Record(_) => {
                if self.layout_of(ty).is_none() {
                    self.incomplete(span, ty, "the value");
                    return self.error_expr(span);
                }
                self.load(lvalue)
            }
            _ => self.load(lvalue),
        }
    }

    fn load(&mut self, lvalue: Lvalue) -> Expr {
        let (ty, span) = (lvalue.ty, lvalue.span);
        let place = self.place(lvalue);
        let ty = self.types.unqualified(ty);
        if let PlaceKind::Temporary(value) = place.kind {
            return *value;
        }
        Expr { kind: ExprKind::Load(place), ty, span }
    }

    // ------------------------------------------------------------ steps

    /// What a pointer value points to.
    pub(super) fn deref(&mut self, pointer: Expr, span: Span) -> Operand {
        if self.is_error(pointer.ty) {
            return Operand::Value(self.error_expr(span));
        }
        let Some(to) = self.types.pointee(pointer.ty) else {
            let message =
                format!("only pointers have something they point to, not {}", self.shown(pointer.ty));
            self.error(&codes::NOT_A_POINTER, pointer.span, message);
            return Operand::Value(self.error_expr(span));
        };
        let kind = match pointer.kind {
            // `*&x` is x, and a chain goes on through it.
            ExprKind::Address(place) if self.types.canonical(place.ty) == self.types.canonical(to) => {
                place.kind
            }
            _ => PlaceKind::Deref(Box::new(pointer)),
        };
        Operand::Place(Lvalue::plain(kind, to, span))
    }

    /// `base.name`, `base->name`.
    pub(super) fn member_access(
        &mut self,
        base: ExprId,
        arrow: bool,
        name: Symbol,
        at: Span,
        span: Span,
    ) -> Operand {
        let base_span = self.ast.expr_span(base);
        let object = if arrow {
            let pointer = self.rvalue(base);
            if !self.is_error(pointer.ty)
                && self.types.pointee(pointer.ty).is_none()
                && self.types.record_of(pointer.ty).is_some()
            {
                let message = format!("{} is not a pointer", self.shown(pointer.ty));
                let diag = Diag::new(&codes::NOT_A_POINTER, at, message);
                self.report(diag.with_label(base_span, "this").with_help("write `.` instead of `->`"));
                return Operand::Value(self.error_expr(span));
            }
            self.deref(pointer, base_span)
        } else {
            self.operand(base)
        };
        let ty = object.ty();
        // A name that was missing has been told of.
        if self.is_error(ty) || name == Symbol::EMPTY {
            return Operand::Value(self.error_expr(span));
        }
        let Some(record) = self.types.record_of(ty) else {
            self.no_members(ty, arrow, at, base_span);
            return Operand::Value(self.error_expr(span));
        };
        let object = match object {
            Operand::Place(lvalue) => lvalue,
            Operand::Value(e) => Lvalue::plain(PlaceKind::Temporary(Box::new(e)), ty, base_span),
        };
        match self.member_path(record, name) {
            Some(path) => Operand::Place(self.steps(object, &path, span)),
            None => {
                self.unknown_member(record, ty, name, at);
                Operand::Value(self.error_expr(span))
            }
        }
    }

    fn no_members(&mut self, ty: TypeId, arrow: bool, at: Span, base: Span) {
        let through = self.types.pointee(ty).is_some_and(|to| self.types.record_of(to).is_some());
        let message = format!("{} has no members", self.shown(ty));
        let mut diag = Diag::new(&codes::UNKNOWN_MEMBER, at, message).with_label(base, "this");
        if through && !arrow {
            diag = diag.with_help("it is a pointer: write `->` instead of `.`");
        }
        self.report(diag);
    }

    fn unknown_member(&mut self, record: RecordId, ty: TypeId, name: Symbol, at: Span) {
        let body = self.types.records[record.0 as usize].body.clone();
        let Some(body) = body else {
            self.incomplete(at, ty, "the object");
            return;
        };
        let mut names = Vec::new();
        let mut work = vec![body.fields];
        while let Some(fields) = work.pop() {
            for field in &fields {
                names.extend(field.name);
                if let (None, Some(inner)) = (field.name, self.types.record_of(field.ty)) {
                    work.extend(self.types.records[inner.0 as usize].body.clone().map(|body| body.fields));
                }
            }
        }
        let message = format!("{} has no member `{}`", self.shown(ty), self.name(name));
        let mut diag = Diag::new(&codes::UNKNOWN_MEMBER, at, message);
        if let Some(near) = self.nearest(name, names.into_iter()) {
            diag = diag.with_help(format!("did you mean `{}`?", self.name(near)));
        }
        let declared = self.types.records[record.0 as usize].span;
        self.report(diag.with_label(declared, "declared here"));
    }

    /// The member of that name as a path of field numbers through anonymous members.
    pub(super) fn member_path(&mut self, record: RecordId, name: Symbol) -> Option<Vec<u32>> {
        self.complete_record(record);
        // Anonymous members nest as deep as the syntax does, which is bounded.
        let fields = &self.types.records[record.0 as usize].body.as_ref()?.fields;
        if let Some(index) = fields.iter().position(|field| field.name == Some(name)) {
            return Some(vec![index as u32]);
        }
        let anonymous: Vec<(u32, RecordId)> = fields
            .iter()
            .enumerate()
            .filter(|(_, field)| field.name.is_none() && field.bit_width.is_none())
            .filter_map(|(index, field)| Some((index as u32, self.types.record_of(field.ty)?)))
            .collect();
        for (index, inner) in anonymous {
            if let Some(mut path) = self.member_path(inner, name) {
                path.insert(0, index);
                return Some(path);
            }
        }
        None
    }

    /// Walks a path of members.
    pub(super) fn steps(&mut self, object: Lvalue, path: &[u32], span: Span) -> Lvalue {
        let mut at = object;
        for &index in path {
            let Some(record) = self.types.record_of(at.ty) else { return at };
            at = self.step(at, record, index, span);
        }
        at
    }

    /// One member of an object.
    fn step(&mut self, object: Lvalue, record: RecordId, index: u32, span: Span) -> Lvalue {
        let body = self.types.records[record.0 as usize].body.as_ref();
        let Some(field) = body.and_then(|body| body.fields.get(index as usize)) else { return object };
        let (bit_offset, bit_width, field_ty) = (field.bit_offset, field.bit_width, field.ty);
        let ty = self.with_wrappers_of(field_ty, object.ty);
        let unit = self.layout_of(field_ty).map_or(1, |layout| layout.size as u32);
        let member = Some((record, index));
        if self.is_preserved(record) {
            let mut chain = self.chain_at(object);
            self.extend_chain(&mut chain, record, index);
            return Lvalue { kind: LvalueKind::Chain(Box::new(chain)), ty, span, member };
        }
        let base = Box::new(self.place(object));
        let kind = match bit_width {
            Some(width) => PlaceKind::BitField { base, bit_offset, width, unit },
            None => PlaceKind::Field { base, offset: bit_offset / 8 },
        };
        Lvalue { kind: LvalueKind::Plain(kind), ty, span, member }
    }

    /// Are accesses to the members of this record told to the loader?
    pub(super) fn is_preserved(&self, record: RecordId) -> bool {
        self.ctx.preserve
            || (self.cx.options.debug_info && self.types.records[record.0 as usize].preserve_access_index)
    }

    /// `base[index]`.
    pub(super) fn element(&mut self, base_id: ExprId, index_id: ExprId, span: Span) -> Operand {
        let (base, index) = (self.operand(base_id), self.operand(index_id));
        // `2[array]` is allowed too.
        let is_index = |s: &Self, o: &Operand| s.is_integer(o.ty());
        let (base_id, base, index) = if is_index(self, &base) && !is_index(self, &index) {
            (index_id, index, base)
        } else {
            (base_id, base, index)
        };
        let index = self.value(index);
        if self.is_error(base.ty()) || self.is_error(index.ty) {
            return Operand::Value(self.error_expr(span));
        }
        if !self.is_integer(index.ty) {
            let message = format!("an index is an integer, not {}", self.shown(index.ty));
            self.error(&codes::OPERANDS, index.span, message);
            return Operand::Value(self.error_expr(span));
        }
        let index = self.index_value(index);
        let preserved = self.preserves_elements(base_id, &base);
        let constant = self.const_int(&index).and_then(|index| u32::try_from(index).ok());
        if let Type::Array { elem, .. } = *self.types.shape(base.ty()) {
            let ty = self.with_wrappers_of(elem, base.ty());
            return self.array_element(base, index, ty, constant.filter(|_| preserved), span);
        }
        let pointer = self.value(base);
        let Some(to) = self.types.pointee(pointer.ty) else {
            let message = format!("only arrays and pointers have elements, not {}", self.shown(pointer.ty));
            self.error(&codes::NOT_A_POINTER, pointer.span, message);
            return Operand::Value(self.error_expr(span));
        };
        if let (true, Some(constant), Some(_)) = (preserved, constant, self.types.record_of(to)) {
            let size = self.layout_of(to).map_or(0, |layout| layout.size);
            let chain = Chain::start(pointer, self.types.unqualified(to), constant, size);
            let kind = LvalueKind::Chain(Box::new(chain));
            return Operand::Place(Lvalue { kind, ty: to, span, member: None });
        }
        let pointer = self.pointer_plus(pointer, index, false, span);
        self.deref(pointer, span)
    }

    fn array_element(
        &mut self,
        base: Operand,
        index: Expr,
        ty: TypeId,
        constant: Option<u32>,
        span: Span,
    ) -> Operand {
        let size = self.layout_of(ty).map_or(0, |layout| layout.size);
        let lvalue = match base {
            Operand::Place(lvalue) => lvalue,
            Operand::Value(_) => return Operand::Value(self.error_expr(span)),
        };
        let (array_ty, array_span) = (lvalue.ty, lvalue.span);
        if let Some(constant) = constant {
            match lvalue.kind {
                LvalueKind::Chain(mut chain) => {
                    chain.push_element(constant, size);
                    let kind = LvalueKind::Chain(chain);
                    return Operand::Place(Lvalue { kind, ty, span, member: None });
                }
                LvalueKind::Plain(kind) if self.types.record_of(ty).is_some() => {
                    let place = Place { kind, ty: array_ty, span: array_span };
                    let mut base = self.address_of(place);
                    base.ty = self.types.pointer(ty);
                    let chain = Chain::start(base, self.types.unqualified(ty), constant, size);
                    let kind = LvalueKind::Chain(Box::new(chain));
                    return Operand::Place(Lvalue { kind, ty, span, member: None });
                }
                LvalueKind::Plain(kind) => {
                    let base = Box::new(Place { kind, ty: array_ty, span: array_span });
                    let kind = PlaceKind::Index { base, index: Box::new(index), scale: size };
                    return Operand::Place(Lvalue::plain(kind, ty, span));
                }
            }
        }
        let base = Box::new(self.place(lvalue));
        let kind = PlaceKind::Index { base, index: Box::new(index), scale: size };
        Operand::Place(Lvalue::plain(kind, ty, span))
    }

    /// Are constant indices into this base told to the loader? As clang has it: inside
    /// `__builtin_preserve_access_index`, for members of preserved records, and for variables
    /// that point to preserved records.
    fn preserves_elements(&self, base_id: ExprId, base: &Operand) -> bool {
        if self.ctx.preserve {
            return true;
        }
        let mut id = base_id;
        while let AstExpr::Paren(inner) = self.ast.expr(id) {
            id = inner;
        }
        match (self.ast.expr(id), base) {
            (AstExpr::Member { .. }, Operand::Place(lvalue)) => {
                lvalue.member.is_some_and(|(record, _)| self.is_preserved(record))
            }
            (AstExpr::Name(_), Operand::Place(lvalue)) => self
                .types
                .pointee(lvalue.ty)
                .and_then(|to| self.types.record_of(to))
                .is_some_and(|record| self.is_preserved(record)),
            _ => false,
        }
    }

    /// An index as a 64-bit integer.
    pub(super) fn index_value(&mut self, index: Expr) -> Expr {
        let signed = self.types.int_kind(index.ty).is_none_or(IntKind::is_signed);
        self.convert(index, TypeId::int(if signed { IntKind::Long } else { IntKind::ULong }))
    }

    // ------------------------------------------------------------ uses

    /// `&operand`.
    pub(super) fn take_address(&mut self, operand: Operand, span: Span) -> Expr {
        let lvalue = match operand {
            Operand::Value(e) => {
                if !self.is_error(e.ty) {
                    self.error(&codes::NOT_LVALUE, e.span, "only an object has an address, this is a value");
                }
                return self.error_expr(span);
            }
            Operand::Place(lvalue) => lvalue,
        };
        if self.is_bit_field_member(&lvalue) {
            self.error(&codes::NOT_LVALUE, lvalue.span, "a bit-field has no address");
            return self.error_expr(span);
        }
        if matches!(lvalue.kind, LvalueKind::Plain(PlaceKind::Temporary(_))) {
            self.error(&codes::NOT_LVALUE, lvalue.span, "only an object has an address, this is a value");
            return self.error_expr(span);
        }
        self.note_packed_address(lvalue.member, lvalue.ty, span);
        if let LvalueKind::Plain(PlaceKind::Local(id)) = lvalue.kind {
            self.note_address(id);
        }
        let place = self.place(lvalue);
        let e = self.address_of(place);
        Expr { span, ..e }
    }

    /// The place that an assignment changes; reports why it cannot be changed.
    pub(super) fn modifiable(&mut self, operand: Operand) -> Option<Place> {
        let lvalue = match operand {
            Operand::Value(e) => {
                if !self.is_error(e.ty) {
                    self.error(&codes::NOT_LVALUE, e.span, "a value cannot be assigned to, only an object");
                }
                return None;
            }
            Operand::Place(lvalue) => lvalue,
        };
        let (ty, span) = (lvalue.ty, lvalue.span);
        match self.types.shape(ty) {
            Type::Error => return None,
            Type::Array { .. } | Type::Function(_) | Type::Void => {
                let message = format!("{} cannot be assigned to", self.shown(ty));
                self.error(&codes::NOT_LVALUE, span, message);
                return None;
            }
            _ => {}
        }
        if self.types.quals(ty).contains(Quals::CONST) || self.has_const_member(ty) {
            let message = format!("{} is constant and cannot be assigned to", self.shown(ty));
            let mut diag = Diag::new(&codes::CONST_ASSIGN, span, message);
            if let LvalueKind::Plain(PlaceKind::Global(id)) = &lvalue.kind
                && let Some(global) = self.globals.get(id.index())
            {
                diag = diag.with_label(global.span, "declared here");
            }
            self.report(diag);
            return None;
        }
        if self.layout_of(ty).is_none() {
            self.incomplete(span, ty, "the object");
            return None;
        }
        let place = self.place(lvalue);
        if let PlaceKind::Temporary(_) = innermost(&place).kind {
            self.error(&codes::NOT_LVALUE, span, "a value cannot be assigned to, only an object");
            return None;
        }
        Some(place)
    }

    fn has_const_member(&self, ty: TypeId) -> bool {
        let Some(record) = self.types.record_of(ty) else { return false };
        let Some(body) = &self.types.records[record.0 as usize].body else { return false };
        body.fields.iter().any(|field| self.object_quals(field.ty).contains(Quals::CONST))
    }

    /// The answer of the loader about a member, as a value.
    pub(super) fn field_info(&mut self, operand: Operand, kind: CoreKind, span: Span) -> Option<Expr> {
        match operand {
            Operand::Place(Lvalue { kind: LvalueKind::Chain(chain), ty, .. }) => {
                self.chain_info(*chain, ty, kind, span)
            }
            Operand::Place(_) | Operand::Value(_) => None,
        }
    }
}

/// The object that members and elements are of.
fn innermost(place: &Place) -> &Place {
    let mut at = place;
    loop {
        at = match &at.kind {
            PlaceKind::Field { base, .. }
            | PlaceKind::BitField { base, .. }
            | PlaceKind::Index { base, .. } => base,
            PlaceKind::Local(_)
            | PlaceKind::Global(_)
            | PlaceKind::Func(_)
            | PlaceKind::Deref(_)
            | PlaceKind::Core { .. }
            | PlaceKind::CoreBitField { .. }
            | PlaceKind::Temporary(_) => return at,
        };
    }
}
