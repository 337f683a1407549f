//! Expressions that read otherwise than they are meant: precedence, and assignments where a comparison is usual.
//!
//! In: operators as they are written, parentheses included. Out: warnings, by clang's rules and names.
//!
//! ```text
//! if (a = b)          // parentheses
//! a & b == c          // parentheses
//! a || b && c         // logical-op-parentheses
//! a | b & c           // bitwise-op-parentheses
//! a << b + c          // shift-op-parentheses
//! if ((a == b))       // parentheses-equality
//! ```

use skep_syntax::ast::{BinOp, ExprId, ExprKind as Ast, StmtId, StmtKind};
use skep_syntax::diag::{Code, codes};
use skep_syntax::source::Span;

use crate::hir::{Expr, ExprKind};
use crate::types::Quals;

use super::Sema;
use super::narrowing::written;

const fn is_comparison(op: BinOp) -> bool {
    matches!(op, BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge)
}

const fn is_bitwise(op: BinOp) -> bool {
    matches!(op, BinOp::And | BinOp::Xor | BinOp::Or)
}

impl Sema<'_, '_> {
    /// The operator of an operand without parentheses, and where it stands.
    fn operator_of(&self, id: ExprId) -> Option<(BinOp, Span)> {
        match self.ast.expr(id) {
            Ast::Binary { op, at, .. } => Some((op, Span::at(at))),
            _ => None,
        }
    }

    /// `lhs op rhs`: does it show what belongs together?
    pub(super) fn check_precedence(&mut self, op: BinOp, lhs: ExprId, rhs: ExprId, at: Span) {
        let in_macro = at.lo.is_macro();
        match op {
            BinOp::And | BinOp::Or | BinOp::Xor => {
                self.check_bitwise_comparison(op, lhs, rhs, at);
                if op == BinOp::And || in_macro {
                    return;
                }
                let tighter = |inner| is_bitwise(inner) && inner.precedence() > op.precedence();
                self.check_operands(&codes::BITWISE_PARENTHESES, op, lhs, rhs, tighter);
            }
            BinOp::LogOr if !in_macro => {
                // Where one side is a text, as in an assertion with a message, nobody is misled.
                let is_text = |s: &Self, id| matches!(s.ast.expr(s.without_parens(id)), Ast::Str(_));
                let texts = [(lhs, false), (rhs, true)].map(|(id, right)| match self.ast.expr(id) {
                    Ast::Binary { lhs, rhs, .. } => is_text(self, if right { rhs } else { lhs }),
                    _ => false,
                });
                for (id, text) in [lhs, rhs].into_iter().zip(texts) {
                    if !text {
                        let is_and = |inner| inner == BinOp::LogAnd;
                        self.check_operand(&codes::LOGICAL_PARENTHESES, op, id, is_and);
                    }
                }
            }
            BinOp::Shl | BinOp::Shr => {
                let adds = |inner| matches!(inner, BinOp::Add | BinOp::Sub);
                self.check_operands(&codes::SHIFT_PARENTHESES, op, lhs, rhs, adds);
            }
            _ => {}
        }
    }

    fn check_operands(
        &mut self,
        code: &'static Code,
        op: BinOp,
        lhs: ExprId,
        rhs: ExprId,
        is_meant: impl Fn(BinOp) -> bool,
    ) {
        self.check_operand(code, op, lhs, &is_meant);
        self.check_operand(code, op, rhs, &is_meant);
    }

    fn check_operand(
        &mut self,
        code: &'static Code,
        op: BinOp,
        id: ExprId,
        is_meant: impl Fn(BinOp) -> bool,
    ) {
        if let Some((inner, at)) = self.operator_of(id).filter(|&(inner, _)| is_meant(inner)) {
            let message =
                format!("`{}` within `{}`: parentheses would show what is meant", inner.text(), op.text());
            self.warn(code, at, message);
        }
    }

    /// `a & b == c` compares first.
    fn check_bitwise_comparison(&mut self, op: BinOp, lhs: ExprId, rhs: ExprId, at: Span) {
        let (left, right) = (self.operator_of(lhs), self.operator_of(rhs));
        let compares = |side: Option<(BinOp, Span)>| side.is_some_and(|(op, _)| is_comparison(op));
        let masks = |side: Option<(BinOp, Span)>| side.is_some_and(|(op, _)| is_bitwise(op));
        if compares(left) == compares(right) || masks(left) || masks(right) {
            return;
        }
        let comparison = if compares(left) { left } else { right };
        if let Some((inner, _)) = comparison {
            let message = format!("`{}` is computed before `{}` here", inner.text(), op.text());
            self.warn(&codes::PARENTHESES, at, message);
        }
    }

    /// The condition of an `if` or loop, which is the value `e`.
    pub(super) fn check_condition(&mut self, cond: ExprId, e: &Expr) {
        match self.ast.expr(cond) {
            Ast::Assign { op: None | Some(BinOp::Or), at, .. } => {
                let message = "an assignment as condition: a comparison, or parentheses around it?";
                self.warn(&codes::PARENTHESES, Span::at(at), message);
            }
            Ast::Paren(_) if !self.ast.expr_span(cond).lo.is_macro() => {
                let inner = self.without_parens(cond);
                let Ast::Binary { op: BinOp::Eq, at, .. } = self.ast.expr(inner) else { return };
                let ExprKind::Compare(_, left, _) = &e.kind else { return };
                let ExprKind::Load(place) = &written(left).kind else { return };
                if !self.types.quals(place.ty).contains(Quals::CONST) {
                    let message = "a comparison in two pairs of parentheses, as if it were an assignment";
                    self.warn(&codes::EQUALITY_PARENTHESES, Span::at(at), message);
                }
            }
            _ => {}
        }
    }

    /// The `else` in front of a statement, or the statement if that is not just before it.
    fn else_before(&self, id: StmtId) -> Span {
        let span = self.ast.stmt_span(id);
        let at = self.cx.source.offset(span.lo).filter(|_| !span.lo.is_macro());
        let word = at.and_then(|(file, at)| {
            let before = self.cx.source.text(file).get(..at)?.trim_ascii_end();
            let rest = before.strip_suffix(b"else")?;
            Some(Span::at(self.cx.source.loc(file, rest.len())))
        });
        word.unwrap_or(span)
    }

    /// What an `if` without `else` does: an `else` at its end belongs to another `if`.
    pub(super) fn check_dangling_else(&mut self, then: StmtId) {
        match self.ast.stmt(then) {
            StmtKind::If { other: Some(other), .. } => {
                let span = self.else_before(other);
                self.warn(&codes::DANGLING_ELSE, span, "this `else` belongs to the inner `if`");
            }
            StmtKind::While { body, .. } | StmtKind::For { body, .. } => self.check_dangling_else(body),
            _ => {}
        }
    }
}
