//! What nobody reads: parameters, variables, functions, labels, values; and names that hide others.
//!
//! In: the mentions of names, counted while bodies are analysed. Out: warnings, under the names and in the
//! places of clang's.
//! A mention that only stores, as a statement of its own, is no use: `set` counts those among `mentions`.

use skep_syntax::ast::{BinOp, ExprId, ExprKind as Ast, UnOp};
use skep_syntax::diag::{Code, Diag, codes};
use skep_syntax::intern::Symbol;
use skep_syntax::source::Span;

use crate::hir::{Callee, Expr, ExprKind, FuncId, GlobalId, Linkage, LocalId, Stmt, StmtKind};
use crate::types::{Quals, RecordId, Type, TypeId};

use super::Sema;
use super::attrs::Attrs;
use super::scope::Binding;

/// What is known about the uses of a local.
#[derive(Clone, Copy, Default, Debug)]
pub struct Use {
    /// How often it is named.
    mentions: u32,
    /// How often only to store something.
    set: u32,
    /// Its address is taken.
    addressed: bool,
    /// It says of itself that it may be unused, or has a use that is not written.
    excused: bool,
}

/// The address of a member that may be less aligned than its type says.
pub struct PackedAddress {
    span: Span,
    /// What it is aligned to.
    align: u32,
    /// What is wrong.
    message: String,
}

impl Sema<'_, '_> {
    fn usage(&mut self, id: LocalId) -> Option<&mut Use> {
        let uses = &mut self.ctx.function.as_mut()?.uses;
        if uses.len() <= id.index() {
            uses.resize(id.index() + 1, Use::default());
        }
        uses.get_mut(id.index())
    }

    /// A local comes into being.
    pub(super) fn starts_unused(&mut self, id: LocalId, attrs: &Attrs) {
        let excused = attrs.unused || attrs.cleanup.is_some();
        if let Some(usage) = self.usage(id) {
            *usage = Use { excused, ..Use::default() };
        }
    }

    /// A name is mentioned.
    pub(super) fn mention(&mut self, binding: Binding) {
        match binding {
            Binding::Local(id) => {
                if let Some(usage) = self.usage(id) {
                    usage.mentions += 1;
                }
            }
            Binding::Global(id) => self.global_info[id.index()].mentioned = true,
            Binding::Func(id) => self.func_info[id.index()].mentioned = true,
            Binding::Typedef(_) | Binding::Constant { .. } | Binding::Error => {}
        }
    }

    /// The address of a local is taken.
    pub(super) fn note_address(&mut self, id: LocalId) {
        if let Some(usage) = self.usage(id) {
            usage.addressed = true;
        }
    }

    /// An expression of its own whose value nobody wants: if it stores to a local, that is no use.
    pub(super) fn only_sets(&mut self, id: ExprId) {
        let (target, reads) = match self.ast.expr(self.without_parens(id)) {
            Ast::Assign { op, lhs, .. } => (lhs, op.is_some()),
            Ast::Unary { op: UnOp::PreInc | UnOp::PreDec | UnOp::PostInc | UnOp::PostDec, operand } => {
                (operand, true)
            }
            _ => return,
        };
        if let Ast::Name(name) = self.ast.expr(self.without_parens(target))
            && let Some(Binding::Local(local)) = self.ctx.scopes.name(name)
            // To read a volatile variable is an effect of its own.
            && !(reads && self.types.quals(self.local_type(local)).contains(Quals::VOLATILE))
            && let Some(usage) = self.usage(local)
        {
            usage.set += 1;
        }
    }

    /// The expression inside all parentheses.
    pub(super) fn without_parens(&self, mut id: ExprId) -> ExprId {
        while let Ast::Paren(inner) = self.ast.expr(id) {
            id = inner;
        }
        id
    }

    /// At the end of a function: which of its parameters and variables are unused.
    pub(super) fn report_unused_locals(&mut self, id: FuncId) {
        let Some(f) = &self.ctx.function else { return };
        let naked = self.functions[id.index()].naked;
        let mut found: Vec<(&'static Code, Symbol, Span)> = Vec::new();
        for (index, (local, usage)) in f.body.locals.iter().zip(&f.uses).enumerate() {
            // `_` is what one calls a thing that one has no use for.
            let named = local.name.filter(|&name| !usage.excused && !naked && self.name(name) != "_");
            let Some(name) = named else { continue };
            if usage.mentions != 0 && !usage.addressed && self.types.quals(local.ty).contains(Quals::VOLATILE)
            {
                found.push((&codes::NEEDLESS_VOLATILE, name, local.span));
            }
            let is_parameter = index < f.body.n_params as usize;
            let code = match (usage.mentions, is_parameter) {
                (0, true) => &codes::UNUSED_PARAMETER,
                (0, false) => &codes::UNUSED_VARIABLE,
                (mentions, true) if mentions == usage.set => &codes::UNUSED_SET_PARAMETER,
                (mentions, false) if mentions == usage.set => &codes::UNUSED_SET_VARIABLE,
                _ => continue,
            };
            found.push((code, name, local.span));
        }
        for (label, info) in f.body.labels.iter().zip(&f.labels.info) {
            // Labels without a name are ours.
            if info.uses.is_empty() && info.defined.is_some() && label.name != Symbol::EMPTY {
                found.push((&codes::UNUSED_LABEL, label.name, label.span));
            }
        }
        for (code, name, span) in found {
            let name = self.name(name);
            let message = match code.id {
                id if id == codes::UNUSED_PARAMETER.id => format!("parameter `{name}` is not used"),
                id if id == codes::UNUSED_VARIABLE.id => format!("variable `{name}` is not used"),
                id if id == codes::UNUSED_LABEL.id => format!("label `{name}` is not used"),
                id if id == codes::NEEDLESS_VOLATILE.id => {
                    format!("`{name}` is `volatile`, but its address is never taken: nothing else can see it")
                }
                id if id == codes::UNUSED_SET_PARAMETER.id => {
                    format!("parameter `{name}` is set but not used")
                }
                _ => format!("variable `{name}` is set but not used"),
            };
            self.warn(code, span, message);
        }
    }

    /// At the end of the unit: which of its own functions and variables are unused.
    pub(super) fn report_unused_statics(&mut self) {
        for index in 0..self.functions.len() {
            let (function, info) = (&self.functions[index], self.func_info[index]);
            let skip = function.linkage != Linkage::Static || function.used || info.mentioned || info.excused;
            if !skip && info.definition.is_some() && self.is_in_main_file(function.span) {
                let message = format!("function `{}` is not used", self.name(function.name));
                self.warn(&codes::UNUSED_FUNCTION, self.functions[index].span, message);
            }
        }
        for index in 0..self.globals.len() {
            let (global, info) = (&self.globals[index], self.global_info[index]);
            let skip = global.linkage != Linkage::Static || global.used || global.literal;
            let Some(name) = global.source_name.filter(|_| !skip && !info.mentioned && !info.excused) else {
                continue;
            };
            // Of variables of a function, none is needed by another file.
            if global.order != u32::MAX && !self.is_in_main_file(global.span) {
                continue;
            }
            let code = match global.constant && global.order != u32::MAX {
                true => &codes::UNUSED_CONST_VARIABLE,
                false => &codes::UNUSED_VARIABLE,
            };
            let message = format!("variable `{}` is not used", self.name(name));
            self.warn(code, self.globals[index].span, message);
        }
    }

    fn is_in_main_file(&self, span: Span) -> bool {
        let file = self.cx.source.file_of(span.lo);
        file.is_some_and(|file| !self.cx.source.included_from(file).is_some())
    }

    /// A static variable: whether it may be unused.
    pub(super) fn excuse_global(&mut self, id: GlobalId, attrs: &Attrs) {
        self.global_info[id.index()].excused |= attrs.unused;
    }

    /// A name is declared in a block or as a parameter: does it hide a variable?
    pub(super) fn check_shadow(&mut self, name: Symbol, span: Span) {
        let hidden = match self.ctx.scopes.name(name) {
            Some(binding) => Some(binding),
            // Only what was looked at anyway: a name must not bring a declaration to life.
            None => self.entities.get(&name).filter(|known| known.1 <= self.ctx.limit).map(|known| known.0),
        };
        let (what, first) = match hidden {
            Some(Binding::Local(id)) => {
                let Some(f) = &self.ctx.function else { return };
                ("a variable of the function", f.body.locals.get(id.index()).map(|local| local.span))
            }
            Some(Binding::Global(id)) => {
                let global = &self.globals[id.index()];
                let what = if global.name.contains('.') {
                    "a variable of the function"
                } else {
                    "a variable of the file"
                };
                (what, Some(global.span))
            }
            _ => return,
        };
        let message = format!("`{}` hides {what}", self.name(name));
        let diag = Diag::new(&codes::SHADOW, span, message);
        self.report(diag.with_label(first.unwrap_or(Span::NONE), "this one"));
    }

    /// An expression statement: does it do anything?
    pub(super) fn check_discarded(&mut self, id: ExprId, e: &Expr) {
        if self.ctx.unevaluated || self.is_error(e.ty) {
            return;
        }
        let inner = self.without_parens(id);
        match self.ast.expr(inner) {
            Ast::Call { .. } => return self.check_unused_result(e),
            Ast::Assign { .. } | Ast::StmtExpr(_) | Ast::Cast { .. } | Ast::Error => return,
            Ast::Unary { op: UnOp::PreInc | UnOp::PreDec | UnOp::PostInc | UnOp::PostDec, .. } => return,
            // Written twice, in the hope of a jump.
            Ast::Unary { op: UnOp::Deref, .. } | Ast::Name(_) | Ast::Member { .. } | Ast::Index { .. }
                if self.reads_volatile(e) =>
            {
                return;
            }
            Ast::Cond { then, other, .. } => {
                for branch in then.into_iter().chain([other]) {
                    if let ExprKind::Cond { then, els, .. } = &e.kind {
                        let value = if branch == other { els } else { then };
                        self.check_discarded(branch, value);
                    }
                }
                return;
            }
            Ast::Binary { op: BinOp::LogAnd | BinOp::LogOr, rhs, .. } => {
                if let ExprKind::Logical { right, .. } = &e.kind {
                    self.check_discarded(rhs, right);
                }
                return;
            }
            Ast::Comma { rhs, .. } => {
                if let ExprKind::Comma(_, right) = &e.kind {
                    self.check_discarded(rhs, right);
                }
                return;
            }
            _ => {}
        }
        let is_comparison = matches!(
            self.ast.expr(inner),
            Ast::Binary { op: BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge, .. }
        );
        if matches!(e.kind, ExprKind::Builtin(..)) || self.is_void(e.ty) {
            return;
        }
        if is_comparison {
            self.warn(
                &codes::UNUSED_COMPARISON,
                self.operator_span(inner),
                "the result of the comparison is not used",
            );
        } else {
            self.warn(
                &codes::UNUSED_VALUE,
                self.operator_span(inner),
                "the value of the expression is not used",
            );
        }
    }

    /// Where an operation is reported: at its operator.
    fn operator_span(&self, id: ExprId) -> Span {
        match self.ast.expr(id) {
            Ast::Binary { at, .. } => Span::at(at),
            _ => self.ast.expr_span(id),
        }
    }

    fn reads_volatile(&self, e: &Expr) -> bool {
        match &e.kind {
            ExprKind::Load(place) => self.types.quals(place.ty).contains(Quals::VOLATILE),
            ExprKind::Convert(inner) => self.reads_volatile(inner),
            _ => false,
        }
    }

    fn check_unused_result(&mut self, e: &Expr) {
        let ExprKind::Call { callee: Callee::Direct(id), .. } = e.kind else { return };
        if self.func_info[id.index()].wants_use && !matches!(self.types.shape(e.ty), Type::Void) {
            let function = &self.functions[id.index()];
            let message = format!("the result of `{}` is not used", self.name(function.name));
            let diag = Diag::new(&codes::UNUSED_RESULT, e.span, message);
            self.report(diag.with_label(self.functions[id.index()].span, "whose result must be used"));
        }
    }

    /// The address of a member is taken.
    pub(super) fn note_packed_address(&mut self, member: Option<(RecordId, u32)>, ty: TypeId, span: Span) {
        let Some((record, index)) = member.filter(|_| !self.ctx.unevaluated) else { return };
        let Some(body) = &self.types.records[record.0 as usize].body else { return };
        let Some(field) = body.fields.get(index as usize).filter(|_| body.packed) else { return };
        let Some(layout) = self.types.layout(ty) else { return };
        let place = field.bit_offset / 8;
        let align = if place == 0 { body.align } else { body.align.min(1 << place.trailing_zeros().min(31)) };
        if align >= layout.align {
            return;
        }
        let name = field.name.map_or("", |name| self.name(name));
        let message = format!("the address of the packed member `{name}` may be unaligned");
        if let Some(f) = &mut self.ctx.function {
            f.packed.push(PackedAddress { span, align, message });
        }
    }

    /// It becomes a pointer to something that is aligned enough there.
    pub(super) fn forgive_packed_address(&mut self, span: Span, to: TypeId) {
        if self.ctx.function.as_ref().is_none_or(|f| f.packed.is_empty()) {
            return;
        }
        let Some(to) = self.types.pointee(to) else {
            if self.is_integer(to)
                && let Some(f) = &mut self.ctx.function
            {
                f.packed.retain(|address| address.span != span);
            }
            return;
        };
        let wanted = self.layout_of(to).map_or(1, |layout| layout.align);
        if let Some(f) = &mut self.ctx.function {
            f.packed.retain(|address| address.span != span || wanted > address.align);
        }
    }

    /// At the end of a function: addresses that may be unaligned.
    pub(super) fn report_packed_addresses(&mut self) {
        let Some(f) = &mut self.ctx.function else { return };
        for address in std::mem::take(&mut f.packed) {
            self.warn(&codes::PACKED_ADDRESS, address.span, address.message);
        }
    }

    /// At the end of a function: statements behind a jump that nothing leads to.
    pub(super) fn report_unreachable(&mut self, stmts: &[Stmt]) {
        let mut reached = true;
        for (index, stmt) in stmts.iter().enumerate() {
            match &stmt.kind {
                StmtKind::Label(_) | StmtKind::Case { .. } | StmtKind::Default => reached = true,
                // Of these, clang speaks only when asked for them by name.
                StmtKind::Break | StmtKind::Return(_) | StmtKind::Declare(_) | StmtKind::Fallthrough
                    if !reached => {}
                _ if !reached && is_on_the_way_out(&stmts[index..]) => {}
                _ if !reached && !has_label(stmt) => {
                    return self.warn(&codes::UNREACHABLE, stmt.span, "this is never reached");
                }
                StmtKind::Block(inner) => self.report_unreachable(inner),
                StmtKind::If { then, els, .. } => {
                    self.report_unreachable(std::slice::from_ref(then));
                    if let Some(els) = els {
                        self.report_unreachable(std::slice::from_ref(els));
                    }
                }
                StmtKind::Loop(l) => self.report_unreachable(std::slice::from_ref(&l.body)),
                StmtKind::Switch { body, .. } => self.report_unreachable(std::slice::from_ref(body)),
                _ => {}
            }
            reached = reached && self.falls_through(&stmts[index..=index]);
        }
    }
}

/// Is the first statement a clean-up that belongs to a jump?
fn is_on_the_way_out(stmts: &[Stmt]) -> bool {
    let Some(first) = stmts.first() else { return false };
    let mut same = stmts.iter().take_while(|stmt| stmt.span == first.span);
    same.any(|stmt| matches!(stmt.kind, StmtKind::Return(_) | StmtKind::Break | StmtKind::Continue))
}

/// Can a jump lead into the statement?
fn has_label(stmt: &Stmt) -> bool {
    match &stmt.kind {
        StmtKind::Label(_) | StmtKind::Case { .. } | StmtKind::Default => true,
        StmtKind::Block(inner) => inner.iter().any(has_label),
        StmtKind::If { then, els, .. } => has_label(then) || els.as_ref().is_some_and(|els| has_label(els)),
        StmtKind::Loop(l) => has_label(&l.body),
        StmtKind::Switch { body, .. } => has_label(body),
        _ => false,
    }
}
