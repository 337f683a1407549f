//! Atomic builtins: the `__sync` and `__atomic` families over the four operations that BPF has.
//!
//! In: the arguments of a call, already counted. Out: an expression over the atomic builtins of HIR.
//! What a family wraps around an operation (the expected value that is updated, objects where others
//! take values) is written out here; memory orders are not kept: every operation is a full one.

use skep_syntax::ast::ExprId;
use skep_syntax::diag::codes;
use skep_syntax::source::Span;

use crate::hir::{Builtin, CompareOp, Expr, ExprKind, Place, PlaceKind};
use crate::types::{IntKind, Quals, TypeId};

use super::Sema;
use super::convert::Use;

impl Sema<'_, '_> {
    /// A pointer to what is changed, and the type of that.
    pub(super) fn atomic_pointer(&mut self, id: ExprId) -> Option<(Expr, TypeId)> {
        let pointer = self.rvalue(id);
        if self.is_error(pointer.ty) {
            return None;
        }
        let Some(to) = self.types.pointee(pointer.ty).filter(|&to| self.is_scalar(to)) else {
            let message = format!(
                "an atomic operation takes a pointer to an integer or pointer, not {}",
                self.shown(pointer.ty)
            );
            self.error(&codes::BUILTIN_USE, pointer.span, message);
            return None;
        };
        if self.types.quals(to).contains(Quals::CONST) {
            let message = format!("{} points to a constant", self.shown(pointer.ty));
            self.error(&codes::CONST_ASSIGN, pointer.span, message);
        }
        Some((pointer, self.types.unqualified(to)))
    }

    pub(super) fn atomic_operand(&mut self, args: &[ExprId], index: usize, ty: TypeId) -> Option<Expr> {
        let value = self.rvalue(*args.get(index)?);
        // Adding to a pointer adds bytes, so integers are welcome here.
        let value = if self.is_pointer(ty) && self.is_integer(value.ty) {
            self.convert(value, ty)
        } else {
            self.assigned(value, ty, Use::Arg(index + 1))
        };
        (!self.is_error(value.ty)).then_some(value)
    }

    pub(super) fn sync_compare(&mut self, args: &[ExprId], yields_old: bool, span: Span) -> Option<Expr> {
        let (pointer, ty) = self.atomic_pointer(*args.first()?)?;
        let expected = self.atomic_operand(args, 1, ty)?;
        let new = self.atomic_operand(args, 2, ty)?;
        if yields_old {
            return Some(self.builtin(
                Builtin::AtomicCompareExchange,
                vec![pointer, expected, new],
                ty,
                span,
            ));
        }
        // The expected value is compared with the old one too: it is kept.
        let (store, expected) = self.temporary(expected, span)?;
        let args = vec![pointer, expected.clone(), new];
        let old = self.builtin(Builtin::AtomicCompareExchange, args, ty, span);
        let same = self.compare_expr(CompareOp::Eq, old, expected, span);
        let same = self.convert(same, TypeId::int(IntKind::Bool));
        Some(self.after(store, same))
    }

    /// `(p, expected *, new, weak, order, order)`: like the swap that compares, but where the object was
    /// not as expected, what it was is stored through the second argument. `new` is an object in the
    /// generic form.
    pub(super) fn atomic_compare(&mut self, args: &[ExprId], generic: bool, span: Span) -> Option<Expr> {
        let (pointer, ty) = self.atomic_pointer(*args.first()?)?;
        let slot = self.atomic_slot(args, 1, ty)?;
        let new = if generic {
            let slot = self.atomic_slot(args, 2, ty)?;
            self.loaded(slot, ty, span)
        } else {
            self.atomic_operand(args, 2, ty)?
        };
        for &unused in args.get(3..)? {
            self.integer_constant(unused, "a memory order")?;
        }
        let (keep_slot, slot) = self.temporary(slot, span)?;
        let expected = self.loaded(slot.clone(), ty, span);
        let (keep_expected, expected) = self.temporary(expected, span)?;
        let operands = vec![pointer, expected.clone(), new];
        let old = self.builtin(Builtin::AtomicCompareExchange, operands, ty, span);
        let (keep_old, old) = self.temporary(old, span)?;
        let same = self.compare_expr(CompareOp::Eq, old.clone(), expected, span);
        let yes = self.int_expr(1, IntKind::Bool, span);
        let no = self.int_expr(0, IntKind::Bool, span);
        let update = self.stored(slot, old, span);
        let result = self.choice(same, yes, self.after(update, no));
        let result = self.after(keep_expected, self.after(keep_old, result));
        Some(self.after(keep_slot, result))
    }

    /// `(p, object *, object *, order)`: swaps, all by address.
    pub(super) fn atomic_exchange_objects(&mut self, args: &[ExprId], span: Span) -> Option<Expr> {
        let (pointer, ty) = self.atomic_pointer(*args.first()?)?;
        let from = self.atomic_slot(args, 1, ty)?;
        let to = self.atomic_slot(args, 2, ty)?;
        let new = self.loaded(from, ty, span);
        let old = self.builtin(Builtin::AtomicExchange, vec![pointer, new], ty, span);
        let store = self.stored(to, old, span);
        Some(self.convert(store, TypeId::VOID))
    }

    /// `(p, object *, order)`: what the object holds is read there, or written from it.
    pub(super) fn atomic_transfer(&mut self, args: &[ExprId], load: bool, span: Span) -> Option<Expr> {
        let (pointer, ty) = self.atomic_pointer(*args.first()?)?;
        let slot = self.atomic_slot(args, 1, ty)?;
        if load {
            let value = self.builtin(Builtin::AtomicLoad, vec![pointer], ty, span);
            let store = self.stored(slot, value, span);
            return Some(self.convert(store, TypeId::VOID));
        }
        let value = self.loaded(slot, ty, span);
        Some(self.builtin(Builtin::AtomicStore, vec![pointer, value], TypeId::VOID, span))
    }

    /// An argument that points to an object of that type.
    fn atomic_slot(&mut self, args: &[ExprId], index: usize, ty: TypeId) -> Option<Expr> {
        let value = self.rvalue(*args.get(index)?);
        let wanted = self.types.pointer(ty);
        let value = self.assigned(value, wanted, Use::Arg(index + 1));
        (!self.is_error(value.ty)).then_some(value)
    }

    /// `*pointer`.
    fn loaded(&self, pointer: Expr, ty: TypeId, span: Span) -> Expr {
        let place = Place { kind: PlaceKind::Deref(Box::new(pointer)), ty, span };
        Expr { kind: ExprKind::Load(place), ty, span }
    }

    /// `*pointer = value`.
    pub(super) fn stored(&self, pointer: Expr, value: Expr, span: Span) -> Expr {
        let ty = value.ty;
        let place = Place { kind: PlaceKind::Deref(Box::new(pointer)), ty, span };
        Expr { kind: ExprKind::Assign { place, value: Box::new(value) }, ty, span }
    }
}
