//! Function bodies: the state of the one being analysed, parameters, labels, the end.

use std::collections::HashMap;

use skep_syntax::ast::{DeclKind, StmtKind as Ast};
use skep_syntax::diag::{Diag, codes};
use skep_syntax::intern::Symbol;
use skep_syntax::source::Span;

use crate::hir::{
    Body, Builtin, Callee, Expr, ExprKind, FuncId, Label, LabelId, Local, LocalId, Place, PlaceKind,
};
use crate::hir::{Stmt, StmtKind};
use crate::types::{IntKind, Type, TypeId};

use super::cleanup::{CleanupId, Cleanups};
use super::consteval::Constant;
use super::scope::{Binding, Scopes};
use super::usage::{PackedAddress, Use};
use super::{Context, Sema, flow};

/// The function whose body is analysed.
pub struct FnState {
    pub id: FuncId,
    pub body: Body,
    /// Result type.
    pub ret: TypeId,
    /// Records from this one on were declared inside.
    pub first_record: u32,
    /// Loops and switches around, innermost last.
    pub targets: Vec<Target>,
    pub labels: Labels,
    pub cleanups: Cleanups,
    /// Values of constant scalar variables, for where C wants a constant.
    pub const_locals: HashMap<LocalId, Constant>,
    /// By local.
    pub uses: Vec<Use>,
    /// Addresses of packed members that nothing has made harmless yet.
    pub packed: Vec<PackedAddress>,
    /// A scalar variable is declared without a value.
    pub has_unset: bool,
    pub has_switch: bool,
    /// Contents of local arrays that were given as text.
    pub texts: Vec<(LocalId, Vec<u8>)>,
}

/// A loop or switch that `break` or `continue` leaves.
pub struct Target {
    /// The labels of a switch; `None` for a loop.
    pub switch: Option<Switch>,
    /// What is to be cleaned up outside of it.
    pub cleanup: Option<CleanupId>,
}

/// A switch whose body is analysed.
pub struct Switch {
    /// The type of its labels.
    pub kind: IntKind,
    /// Ranges of its labels.
    pub cases: Vec<(i128, i128, Span)>,
    pub default: Option<Span>,
}

/// Labels of a function.
#[derive(Default)]
pub struct Labels {
    /// Of the whole function.
    all: HashMap<Symbol, LabelId>,
    /// Declared by `__label__`, innermost last.
    pub local: Vec<(Symbol, LabelId)>,
    pub info: Vec<LabelInfo>,
    /// Jumps to labels that were not defined yet, through landing pads at the end.
    pub pads: Vec<Pad>,
    /// For each statement expression, the one around it; 0 is the function itself.
    pub regions: Vec<u32>,
    /// The statement expression being analysed.
    pub region: u32,
}

/// What is known of a label.
pub struct LabelInfo {
    /// Where it stands, what is cleaned up outside of it, in which statement expression.
    pub defined: Option<(Span, Option<CleanupId>, u32)>,
    /// Jumps to it: where, and from which statement expression.
    pub uses: Vec<(Span, u32)>,
}

/// A forward jump out of scopes with clean-ups.
pub struct Pad {
    pub pad: LabelId,
    pub target: LabelId,
    pub from: Option<CleanupId>,
    pub span: Span,
}

impl Sema<'_, '_> {
    /// Analyses the body of a function and puts it into the module.
    pub(super) fn analyze_body(&mut self, id: FuncId) {
        let Some((decl, at)) = self.func_info[id.index()].definition else { return };
        let DeclKind::Function { declarator, body, .. } = self.ast.decl(decl) else { return };
        let Some(function) = self.function_type(self.functions[id.index()].ty) else { return };
        let end = Span::at(self.ast.stmt_span(body).hi);
        let state = FnState {
            id,
            body: Body { locals: Vec::new(), n_params: 0, labels: Vec::new(), block: Vec::new(), end },
            ret: function.ret,
            first_record: self.types.records.len() as u32,
            targets: Vec::new(),
            labels: Labels { regions: vec![0], ..Labels::default() },
            cleanups: Cleanups::default(),
            const_locals: HashMap::new(),
            uses: Vec::new(),
            packed: Vec::new(),
            has_unset: false,
            has_switch: false,
            texts: Vec::new(),
        };
        let context = Context {
            scopes: Scopes::default(),
            limit: at,
            function: Some(Box::new(state)),
            ..Context::default()
        };
        let outer = std::mem::replace(&mut self.ctx, context);
        self.ctx.scopes.enter();
        self.check_result_type(id, function.ret);
        for (index, param) in self.param_list(declarator).into_iter().enumerate() {
            self.parameter(id, index, param);
        }
        if let Some(f) = &mut self.ctx.function {
            f.body.n_params = f.body.locals.len() as u32;
        }
        let mut block = Vec::new();
        if let Ast::Block(items) = self.ast.stmt(body) {
            for item in self.ast.list(items) {
                self.stmt(item, &mut block);
            }
        }
        self.leave_cleanups(None, end, &mut block);
        self.finish_body(id, block, end);
        self.ctx = outer;
    }

    fn check_result_type(&mut self, id: FuncId, ret: TypeId) {
        let span = self.functions[id.index()].span;
        if !self.is_void(ret) && !self.is_error(ret) && self.layout_of(ret).is_none() {
            self.incomplete(span, ret, "the result");
        }
    }

    fn parameter(&mut self, id: FuncId, index: usize, param: skep_syntax::ast::ParamId) {
        let declared = self.param(param);
        let tags = declared.attrs.decl_tags.iter().map(|&tag| (index as u32, tag));
        self.functions[id.index()].param_tags.extend(tags);
        let layout = self.layout_of(declared.ty);
        // A parameter of type `void` has been reported with the type of the function.
        if layout.is_none() && !self.is_void(declared.ty) {
            self.incomplete(declared.span, declared.ty, "the parameter");
        }
        let name = declared.ident.map(|ident| ident.sym);
        let align = layout.map_or(1, |layout| layout.align).max(declared.attrs.aligned.unwrap_or(1));
        let local = self.push_local(name, declared.ty, align, declared.span);
        if let (Some(name), Some(local)) = (name, local) {
            if self.ctx.scopes.name_here(name).is_some() {
                let message = format!("two parameters are named `{}`", self.name(name));
                self.error(&codes::REDEFINED_NAME, declared.span, message);
            }
            self.check_shadow(name, declared.span);
            self.ctx.scopes.bind(name, Binding::Local(local));
            self.starts_unused(local, &declared.attrs);
        }
    }

    fn finish_body(&mut self, id: FuncId, mut block: Vec<Stmt>, end: Span) {
        let falls_off = self.falls_through(&block);
        self.add_pads(&mut block, end);
        self.check_labels();
        self.report_unused_locals(id);
        self.report_packed_addresses();
        self.report_unreachable(&block);
        self.check_flow(&block);
        let Some(mut f) = self.ctx.function.take() else { return };
        f.body.block = block;
        let function = &mut self.functions[id.index()];
        let naked = function.naked;
        function.body = Some(f.body);
        let is_main = self.name(self.functions[id.index()].name) == "main";
        if falls_off && !naked && !self.is_void(f.ret) && !self.is_error(f.ret) && !is_main {
            let message = format!(
                "the end of `{}` can be reached, but its result is {}",
                self.name(self.functions[id.index()].name),
                self.shown(f.ret)
            );
            self.warn(&codes::MISSING_RETURN, end, message);
        }
    }

    /// What is wrong only on some ways through the function.
    fn check_flow(&mut self, block: &[Stmt]) {
        let Some(f) = &self.ctx.function else { return };
        let (values, cases) = (self.judges_values && f.has_unset, self.judges_cases && f.has_switch);
        // Of a body that was not understood, some ways may be missing.
        if !(values || cases) || self.is_broken || self.cx.diags.is_broken() {
            return;
        }
        let flow = flow::flow(self, f.body.labels.len(), block);
        if values {
            self.report_uninitialized(&flow);
        }
        if cases {
            self.report_fallthrough(&flow);
        }
    }

    // ------------------------------------------------------------ locals

    /// The type of a local.
    pub(super) fn local_type(&self, id: LocalId) -> TypeId {
        let local = self.ctx.function.as_ref().and_then(|f| f.body.locals.get(id.index()));
        local.map_or(TypeId::ERROR, |local| local.ty)
    }

    /// Adds a local to the function.
    pub(super) fn push_local(
        &mut self,
        name: Option<Symbol>,
        ty: TypeId,
        align: u32,
        span: Span,
    ) -> Option<LocalId> {
        let f = self.ctx.function.as_mut()?;
        let id = LocalId(f.body.locals.len() as u32);
        f.body.locals.push(Local { name, ty, align, span });
        Some(id)
    }

    /// A temporary for a value of this type.
    pub(super) fn new_temporary(&mut self, ty: TypeId, span: Span) -> Option<LocalId> {
        let ty = self.types.unqualified(ty);
        let align = self.layout_of(ty).map_or(1, |layout| layout.align);
        self.push_local(None, ty, align, span)
    }

    /// A local as a place.
    pub(super) fn local_place(&self, id: LocalId, span: Span) -> Place {
        Place { kind: PlaceKind::Local(id), ty: self.local_type(id), span }
    }

    // ------------------------------------------------------------ labels

    /// The label of that name, defined or not.
    pub(super) fn label(&mut self, name: Symbol, span: Span) -> LabelId {
        let Some(f) = &mut self.ctx.function else { return LabelId(0) };
        let known = f.labels.local.iter().rev().find(|&&(other, _)| other == name).map(|&(_, id)| id);
        if let Some(id) = known.or_else(|| f.labels.all.get(&name).copied()) {
            return id;
        }
        let id = self.new_label(name, span);
        if let Some(f) = &mut self.ctx.function {
            f.labels.all.insert(name, id);
        }
        id
    }

    /// A fresh label.
    pub(super) fn new_label(&mut self, name: Symbol, span: Span) -> LabelId {
        let Some(f) = &mut self.ctx.function else { return LabelId(0) };
        let id = LabelId(f.body.labels.len() as u32);
        f.body.labels.push(Label { name, span });
        f.labels.info.push(LabelInfo { defined: None, uses: Vec::new() });
        id
    }

    /// Reports labels that are jumped to but do not stand anywhere, and jumps into statement
    /// expressions.
    fn check_labels(&mut self) {
        let Some(f) = &self.ctx.function else { return };
        let mut diags = Vec::new();
        for (label, info) in f.body.labels.iter().zip(&f.labels.info) {
            let name = self.cx.names.name(label.name);
            match info.defined {
                None => diags.extend(info.uses.first().map(|&(span, _)| {
                    Diag::new(&codes::LABEL, span, format!("there is no label `{name}` in this function"))
                })),
                Some((at, _, region)) => {
                    let inside = |mut from: u32| {
                        while from != region && from != 0 {
                            from = f.labels.regions.get(from as usize).copied().unwrap_or(0);
                        }
                        from == region
                    };
                    for &(span, from) in info.uses.iter().filter(|&&(_, from)| !inside(from)) {
                        let _ = from;
                        let message = "a jump into a statement expression";
                        diags.push(Diag::new(&codes::JUMP, span, message).with_label(at, "to here"));
                    }
                }
            }
        }
        for diag in diags {
            self.report(diag);
        }
    }

    // ------------------------------------------------------------ the end

    /// Can control come to the end of these statements, as far as their form tells?
    pub(super) fn falls_through(&self, stmts: &[Stmt]) -> bool {
        let mut reachable = true;
        for stmt in stmts {
            reachable = match &stmt.kind {
                StmtKind::Label(_) | StmtKind::Case { .. } | StmtKind::Default => true,
                _ if !reachable => false,
                StmtKind::Return(_) | StmtKind::Goto(_) | StmtKind::Break | StmtKind::Continue => false,
                StmtKind::Expr(e) => !self.never_returns(e),
                StmtKind::Block(inner) => self.falls_through(inner),
                StmtKind::If { cond, then, els } => {
                    let known = self.const_int(cond);
                    let then_falls = known != Some(0) && self.falls_through(std::slice::from_ref(then));
                    let else_falls = known.is_none_or(|value| value == 0)
                        && els.as_ref().is_none_or(|els| self.falls_through(std::slice::from_ref(els)));
                    then_falls || else_falls
                }
                StmtKind::Loop(l) => {
                    let endless =
                        l.cond.as_ref().is_none_or(|cond| self.const_int(cond).is_some_and(|v| v != 0));
                    !endless || breaks(std::slice::from_ref(&l.body))
                }
                StmtKind::Switch { body, .. } => {
                    let body = std::slice::from_ref(&**body);
                    !has_default(body) || breaks(body) || self.falls_through(body)
                }
                StmtKind::Declare(_) | StmtKind::Fill { .. } | StmtKind::Fallthrough => true,
                StmtKind::Asm(asm) => asm.labels.is_empty() || !asm.template.contains("goto"),
            };
        }
        reachable
    }

    pub(super) fn never_returns(&self, e: &Expr) -> bool {
        match &e.kind {
            ExprKind::Call { callee: Callee::Direct(id), .. } => {
                self.functions.get(id.index()).is_some_and(|f| f.noreturn)
            }
            ExprKind::Builtin(Builtin::Unreachable | Builtin::Trap, _) => true,
            ExprKind::Convert(inner) => self.never_returns(inner),
            ExprKind::Comma(left, right) => self.never_returns(left) || self.never_returns(right),
            ExprKind::StmtExpr(stmts, _) => !self.falls_through(stmts),
            _ => false,
        }
    }

    /// Is the type one whose values fit a register?
    pub(super) fn is_array(&self, ty: TypeId) -> bool {
        matches!(self.types.shape(ty), Type::Array { .. })
    }
}

/// Is there a `break` that leaves the statement these are the body of?
fn breaks(stmts: &[Stmt]) -> bool {
    stmts.iter().any(|stmt| match &stmt.kind {
        StmtKind::Break => true,
        StmtKind::Block(inner) => breaks(inner),
        StmtKind::If { then, els, .. } => {
            breaks(std::slice::from_ref(then))
                || els.as_ref().is_some_and(|els| breaks(std::slice::from_ref(els)))
        }
        StmtKind::Expr(Expr { kind: ExprKind::StmtExpr(inner, _), .. }) => breaks(inner),
        // A jump may lead out as well.
        StmtKind::Goto(_) | StmtKind::Asm(_) => false,
        StmtKind::Loop(_)
        | StmtKind::Switch { .. }
        | StmtKind::Expr(_)
        | StmtKind::Declare(_)
        | StmtKind::Fill { .. }
        | StmtKind::Case { .. }
        | StmtKind::Default
        | StmtKind::Fallthrough
        | StmtKind::Label(_)
        | StmtKind::Continue
        | StmtKind::Return(_) => false,
    })
}

fn has_default(stmts: &[Stmt]) -> bool {
    stmts.iter().any(|stmt| match &stmt.kind {
        StmtKind::Default => true,
        StmtKind::Block(inner) => has_default(inner),
        _ => false,
    })
}
