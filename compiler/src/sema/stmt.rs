//! Statements.

use skep_syntax::ast::{self, ExprId, StmtId, StmtKind as Ast};
use skep_syntax::diag::{Diag, codes};
use skep_syntax::source::Span;

use crate::hir::{Expr, ExprKind, Loop, Stmt, StmtKind, Unroll};
use crate::types::{IntKind, TypeId};

use super::Sema;
use super::attrs::AttrKind;
use super::body::{Switch, Target};
use super::consteval;
use super::convert::Use;

impl Sema<'_, '_> {
    /// Analyses a statement and appends what it becomes.
    pub(super) fn stmt(&mut self, id: StmtId, out: &mut Vec<Stmt>) {
        let span = self.ast.stmt_span(id);
        match self.ast.stmt(id) {
            Ast::Error | Ast::Empty => {}
            Ast::Attrs(attrs) => {
                if self.has_attr(attrs, AttrKind::Fallthrough) {
                    out.push(Stmt { kind: StmtKind::Fallthrough, span });
                }
            }
            Ast::Block(_) => {
                let block = self.scoped(span, |s, out| s.block_items(id, out));
                out.push(Stmt { kind: StmtKind::Block(block), span });
            }
            Ast::Decl(decl) => self.local_decl(decl, out),
            Ast::Expr(expr) => {
                let e = self.for_effect(expr);
                out.push(Stmt { kind: StmtKind::Expr(e), span });
            }
            Ast::If { cond, then, other } => {
                let cond = self.truth(cond);
                if other.is_none() {
                    self.check_dangling_else(then);
                }
                let then = Box::new(self.sub_stmt(then));
                let els = other.map(|other| Box::new(self.sub_stmt(other)));
                out.push(Stmt { kind: StmtKind::If { cond, then, els }, span });
            }
            Ast::Switch { cond, body } => self.switch(cond, body, span, out),
            Ast::While { cond, body } => {
                let cond = self.truth(cond);
                let body = self.loop_body(body);
                let unroll = self.unroll(id);
                self.push_loop(
                    Loop { cond: Some(cond), test_last: false, step: None, body, unroll },
                    span,
                    out,
                );
            }
            Ast::DoWhile { body, cond } => {
                let body = self.loop_body(body);
                let cond = self.truth(cond);
                let unroll = self.unroll(id);
                self.push_loop(
                    Loop { cond: Some(cond), test_last: true, step: None, body, unroll },
                    span,
                    out,
                );
            }
            Ast::For { init, cond, step, body } => {
                let block = self.scoped(span, |s, out| {
                    if let Some(init) = init {
                        s.stmt(init, out);
                    }
                    let cond = cond.map(|cond| s.truth(cond));
                    let step = step.map(|step| s.for_effect(step));
                    let body = s.loop_body(body);
                    let unroll = s.unroll(id);
                    s.push_loop(Loop { cond, test_last: false, step, body, unroll }, span, out);
                });
                out.push(Stmt { kind: StmtKind::Block(block), span });
            }
            Ast::Goto(name) => {
                let label = self.label(name.sym, name.span());
                self.jump(label, span, out);
            }
            Ast::GotoExpr(_) => self.unsupported(span, "a computed `goto`"),
            Ast::Continue => self.leave(true, span, out),
            Ast::Break => self.leave(false, span, out),
            Ast::Return(value) => self.return_stmt(value, span, out),
            Ast::Label { name, .. } => self.define_label(name, out),
            Ast::Case { value, last } => self.case(value, last, span, out),
            Ast::Default => self.default_label(span, out),
            Ast::Asm(asm) => self.asm(asm, span, out),
            Ast::LocalLabels(names) => {
                for name in self.ast.list(names) {
                    let (symbol, at) = (self.ast.name(name), self.ast.name_span(name));
                    let label = self.new_label(symbol, at);
                    if let Some(f) = &mut self.ctx.function {
                        f.labels.local.push((symbol, label));
                    }
                }
            }
        }
    }

    /// Runs `analysis` in a scope of its own, clean-ups at its end included.
    fn scoped(&mut self, span: Span, analysis: impl FnOnce(&mut Self, &mut Vec<Stmt>)) -> Vec<Stmt> {
        let mut block = Vec::new();
        self.ctx.scopes.enter();
        let outer = self.cleanup_now();
        let labels = self.ctx.function.as_ref().map_or(0, |f| f.labels.local.len());
        analysis(self, &mut block);
        self.leave_cleanups(outer, Span::at(span.hi), &mut block);
        if let Some(f) = &mut self.ctx.function {
            f.labels.local.truncate(labels);
        }
        self.ctx.scopes.leave();
        block
    }

    fn block_items(&mut self, id: StmtId, out: &mut Vec<Stmt>) {
        if let Ast::Block(items) = self.ast.stmt(id) {
            for item in self.ast.list(items) {
                self.stmt(item, out);
            }
        } else {
            self.stmt(id, out);
        }
    }

    /// The statement under an `if` or loop.
    fn sub_stmt(&mut self, id: StmtId) -> Stmt {
        let span = self.ast.stmt_span(id);
        let block = self.scoped(span, |s, out| s.block_items(id, out));
        Stmt { kind: StmtKind::Block(block), span }
    }

    /// An expression that stands alone: only what it does counts.
    fn for_effect(&mut self, id: ExprId) -> Expr {
        let e = self.discarded(id);
        self.only_sets(id);
        self.check_discarded(id, &e);
        e
    }

    fn truth(&mut self, cond: ExprId) -> Expr {
        let e = self.rvalue(cond);
        self.check_condition(cond, &e);
        self.condition(e)
    }

    // ------------------------------------------------------------ loops

    fn loop_body(&mut self, body: StmtId) -> Stmt {
        let cleanup = self.cleanup_now();
        if let Some(f) = &mut self.ctx.function {
            f.targets.push(Target { switch: None, cleanup });
        }
        let body = self.sub_stmt(body);
        if let Some(f) = &mut self.ctx.function {
            f.targets.pop();
        }
        body
    }

    fn push_loop(&mut self, l: Loop, span: Span, out: &mut Vec<Stmt>) {
        out.push(Stmt { kind: StmtKind::Loop(Box::new(l)), span });
    }

    fn unroll(&self, id: StmtId) -> Unroll {
        match self.unit.unroll(id) {
            None => Unroll::Auto,
            Some(ast::Unroll::Full) => Unroll::Full,
            Some(ast::Unroll::Disable) => Unroll::Never,
            Some(ast::Unroll::Count(count)) => Unroll::Count(count),
        }
    }

    /// `break` and `continue`.
    fn leave(&mut self, continues: bool, span: Span, out: &mut Vec<Stmt>) {
        let targets = self.ctx.function.as_ref().map(|f| &f.targets);
        let target = targets.and_then(|targets| {
            targets
                .iter()
                .rev()
                .find(|target| !continues || target.switch.is_none())
                .map(|target| target.cleanup)
        });
        let Some(to) = target else {
            let message =
                if continues { "`continue` outside a loop" } else { "`break` outside a loop or switch" };
            self.error(&codes::STRAY_JUMP, span, message);
            return;
        };
        self.cleanup_calls(self.cleanup_now(), to, span, out);
        let kind = if continues { StmtKind::Continue } else { StmtKind::Break };
        out.push(Stmt { kind, span });
    }

    // ------------------------------------------------------------ switch

    fn switch(&mut self, cond: ExprId, body: StmtId, span: Span, out: &mut Vec<Stmt>) {
        let written = self.rvalue(cond);
        let mut value = self.promote(written.clone());
        if !self.is_integer(value.ty) && !self.is_error(value.ty) {
            let message = format!("the value of a `switch` is an integer, not {}", self.shown(value.ty));
            self.error(&codes::OPERANDS, value.span, message);
            value = self.error_expr(value.span);
        }
        let kind = self.types.int_kind(value.ty).unwrap_or(IntKind::LongLong);
        let cleanup = self.cleanup_now();
        let switch = Switch { kind, cases: Vec::new(), default: None };
        if let Some(f) = &mut self.ctx.function {
            f.has_switch = true;
            f.targets.push(Target { switch: Some(switch), cleanup });
        }
        let body = Box::new(self.sub_stmt(body));
        let target = self.ctx.function.as_mut().and_then(|f| f.targets.pop());
        if let Some(Target { switch: Some(switch), .. }) = target {
            self.check_enumeration(&written, &switch);
            self.check_cases(switch.cases);
        }
        out.push(Stmt { kind: StmtKind::Switch { value, body }, span });
    }

    fn check_cases(&mut self, mut cases: Vec<(i128, i128, Span)>) {
        cases.sort_by_key(|&(lo, hi, _)| (lo, hi));
        // The range that reaches furthest so far.
        let mut widest: Option<(i128, Span)> = None;
        for (lo, hi, span) in cases {
            if let Some((end, first)) = widest
                && lo <= end
            {
                let message = format!("the case {lo} occurs twice in this `switch`");
                self.report(Diag::new(&codes::DUPLICATE_CASE, span, message).with_label(first, "also here"));
            }
            if widest.is_none_or(|(end, _)| hi > end) {
                widest = Some((hi, span));
            }
        }
    }

    fn innermost_switch(&mut self) -> Option<&mut Switch> {
        let f = self.ctx.function.as_mut()?;
        f.targets.iter_mut().rev().find_map(|target| target.switch.as_mut())
    }

    fn case(&mut self, value: ExprId, last: Option<ExprId>, span: Span, out: &mut Vec<Stmt>) {
        let lo = self.integer_constant(value, "the value of a `case`");
        let hi = match last {
            Some(last) => self.integer_constant(last, "the end of a `case` range"),
            None => lo,
        };
        let Some(switch) = self.innermost_switch() else {
            self.error(&codes::STRAY_JUMP, span, "`case` outside a `switch`");
            return;
        };
        let (Some(lo), Some(hi)) = (lo, hi) else { return };
        let kind = switch.kind;
        let converted = |value: i128| consteval::extend(consteval::truncate(value as u128, kind), kind);
        let (low, high) = (converted(lo), converted(hi));
        if low > high {
            self.warn(&codes::EMPTY_RANGE, span, format!("the range {lo} ... {hi} is empty"));
            return;
        }
        switch.cases.push((low, high, span));
        if low != lo || high != hi {
            let value = if low != lo { lo } else { hi };
            let message = format!("the case {value} does not fit the type of the `switch`");
            self.warn(&codes::CASE_OVERFLOW, span, message);
        }
        out.push(Stmt { kind: StmtKind::Case { lo: low, hi: high }, span });
    }

    fn default_label(&mut self, span: Span, out: &mut Vec<Stmt>) {
        let Some(switch) = self.innermost_switch() else {
            self.error(&codes::STRAY_JUMP, span, "`default` outside a `switch`");
            return;
        };
        if let Some(first) = switch.default.replace(span) {
            let message = "two `default` labels in this `switch`";
            self.report(Diag::new(&codes::DUPLICATE_CASE, span, message).with_label(first, "first here"));
            return;
        }
        out.push(Stmt { kind: StmtKind::Default, span });
    }

    // ------------------------------------------------------------ jumps

    fn define_label(&mut self, name: ast::Ident, out: &mut Vec<Stmt>) {
        let label = self.label(name.sym, name.span());
        let cleanup = self.cleanup_now();
        let mut twice = None;
        if let Some(f) = &mut self.ctx.function {
            let region = f.labels.region;
            if let Some(info) = f.labels.info.get_mut(label.index()) {
                match info.defined {
                    Some((first, _, _)) => twice = Some(first),
                    None => info.defined = Some((name.span(), cleanup, region)),
                }
            }
            if let Some(entry) = f.body.labels.get_mut(label.index()) {
                entry.span = name.span();
            }
        }
        if let Some(first) = twice {
            let message = format!("the label `{}` stands twice in this function", self.name(name.sym));
            self.report(Diag::new(&codes::LABEL, name.span(), message).with_label(first, "first here"));
            return;
        }
        out.push(Stmt { kind: StmtKind::Label(label), span: name.span() });
    }

    fn return_stmt(&mut self, value: Option<ExprId>, span: Span, out: &mut Vec<Stmt>) {
        let Some((ret, id)) = self.ctx.function.as_ref().map(|f| (f.ret, f.id)) else { return };
        let value = value.map(|value| self.rvalue(value));
        let void = self.is_void(ret);
        let value = match value {
            None if !void && !self.is_error(ret) => {
                let message = format!(
                    "`{}` returns {}, but nothing is returned here",
                    self.name(self.functions[id.index()].name),
                    self.shown(ret)
                );
                self.error(&codes::RETURN_VALUE, span, message);
                None
            }
            None => None,
            Some(e) if void => {
                if !self.is_void(e.ty) && !self.is_error(e.ty) {
                    let message = format!(
                        "`{}` returns nothing, but a value is returned here",
                        self.name(self.functions[id.index()].name)
                    );
                    self.error(&codes::RETURN_VALUE, e.span, message);
                }
                out.push(Stmt { kind: StmtKind::Expr(e), span });
                None
            }
            Some(e) => Some(self.assigned(e, ret, Use::Return)),
        };
        let from = self.cleanup_now();
        let value = match value {
            Some(value) if from.is_some() => Some(self.kept(value, span, out)),
            other => other,
        };
        self.cleanup_calls(from, None, span, out);
        out.push(Stmt { kind: StmtKind::Return(value), span });
    }

    /// Computes a value now and reads it later, after clean-ups.
    fn kept(&mut self, value: Expr, span: Span, out: &mut Vec<Stmt>) -> Expr {
        if matches!(value.kind, ExprKind::Const(_) | ExprKind::Error) || self.is_void(value.ty) {
            return value;
        }
        let ty = value.ty;
        let Some(local) = self.new_temporary(ty, span) else { return value };
        let place = self.local_place(local, span);
        let read = Expr { kind: ExprKind::Load(place.clone()), ty, span };
        let store = Expr { kind: ExprKind::Assign { place, value: Box::new(value) }, ty, span };
        out.push(Stmt { kind: StmtKind::Expr(store), span });
        read
    }

    // ------------------------------------------------------------ statement expressions

    /// `({ ... })`
    pub(super) fn statement_expr(&mut self, block: StmtId, span: Span) -> Expr {
        if self.ctx.function.is_none() {
            self.error(&codes::NOT_CONSTANT, span, "a statement expression outside a function");
            return self.error_expr(span);
        }
        let Ast::Block(items) = self.ast.stmt(block) else { return self.error_expr(span) };
        let items: Vec<StmtId> = self.ast.list(items).collect();
        let (outer_region, outer_cleanup) = self.enter_region();
        let mut value = None;
        let stmts = self.scoped(span, |s, out| {
            let last = items.len().checked_sub(1);
            for (index, &item) in items.iter().enumerate() {
                match s.ast.stmt(item) {
                    Ast::Expr(expr) if Some(index) == last => {
                        let e = s.rvalue(expr);
                        let has_cleanups = s.cleanup_now() != outer_cleanup;
                        value = Some(if has_cleanups { s.kept(e, span, out) } else { e });
                    }
                    _ => s.stmt(item, out),
                }
            }
        });
        if let Some(f) = &mut self.ctx.function {
            f.labels.region = outer_region;
        }
        if self.judges_formats
            && let Some(value) = &value
        {
            self.check_format_array(&stmts, value);
        }
        match value {
            Some(value) if self.is_void(value.ty) => {
                let mut stmts = stmts;
                let at = value.span;
                stmts.push(Stmt { kind: StmtKind::Expr(value), span: at });
                Expr { kind: ExprKind::StmtExpr(stmts, None), ty: TypeId::VOID, span }
            }
            Some(value) => {
                let ty = value.ty;
                Expr { kind: ExprKind::StmtExpr(stmts, Some(Box::new(value))), ty, span }
            }
            None => Expr { kind: ExprKind::StmtExpr(stmts, None), ty: TypeId::VOID, span },
        }
    }

    /// Enters a statement expression; yields the region and clean-ups around it.
    fn enter_region(&mut self) -> (u32, Option<u32>) {
        let cleanup = self.cleanup_now();
        let Some(f) = &mut self.ctx.function else { return (0, None) };
        let outer = f.labels.region;
        f.labels.region = f.labels.regions.len() as u32;
        f.labels.regions.push(outer);
        (outer, cleanup)
    }
}
