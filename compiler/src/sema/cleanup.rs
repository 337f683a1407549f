//! `__attribute__((cleanup(f)))`: calls on every way out of the variable's scope.
//!
//! The variables in scope form a tree (each knows the one around it). Leaving by any statement
//! calls the functions from the innermost variable up to the one around the target. A forward
//! `goto` does not know its target yet: it jumps to a landing pad at the end of the function,
//! which makes the calls and jumps on.

use skep_syntax::diag::{Diag, codes};
use skep_syntax::intern::Symbol;
use skep_syntax::source::Span;

use crate::hir::{Callee, Expr, ExprKind, FuncId, LabelId, LocalId, Stmt, StmtKind};
use crate::types::TypeId;

use super::Sema;
use super::body::Pad;
use super::convert::Use;
use super::scope::Binding;

/// Index of a variable that is cleaned up.
pub type CleanupId = u32;

/// The variables of a function that are cleaned up.
#[derive(Default)]
pub struct Cleanups {
    nodes: Vec<Node>,
    /// The innermost one in scope.
    pub current: Option<CleanupId>,
}

struct Node {
    local: LocalId,
    func: FuncId,
    outer: Option<CleanupId>,
    span: Span,
}

impl Sema<'_, '_> {
    /// The innermost variable in scope that is cleaned up.
    pub(super) fn cleanup_now(&self) -> Option<CleanupId> {
        self.ctx.function.as_ref().and_then(|f| f.cleanups.current)
    }

    /// Registers a variable with the function that cleans it up.
    pub(super) fn add_cleanup(&mut self, local: LocalId, name: Symbol, span: Span) {
        let Some(Binding::Func(func)) = self.lookup(name) else {
            let message = format!("`{}` is not a function that can clean up", self.name(name));
            self.error(&codes::ATTRIBUTE, span, message);
            return;
        };
        self.queue_function(func);
        self.mention(Binding::Func(func));
        if self.function_type(self.functions[func.index()].ty).is_none_or(|f| f.params.len() != 1) {
            let message =
                format!("`{}` does not take one argument, the address of the variable", self.name(name));
            self.error(&codes::ATTRIBUTE, span, message);
            return;
        }
        let Some(f) = &mut self.ctx.function else { return };
        let id = f.cleanups.nodes.len() as u32;
        f.cleanups.nodes.push(Node { local, func, outer: f.cleanups.current, span });
        f.cleanups.current = Some(id);
    }

    /// Adds the calls for leaving everything inside `outer`, and forgets those variables.
    pub(super) fn leave_cleanups(&mut self, outer: Option<CleanupId>, span: Span, out: &mut Vec<Stmt>) {
        self.cleanup_calls(self.cleanup_now(), outer, span, out);
        if let Some(f) = &mut self.ctx.function {
            f.cleanups.current = outer;
        }
    }

    /// Adds the calls on the way from `from` out to `to`.
    pub(super) fn cleanup_calls(
        &mut self,
        from: Option<CleanupId>,
        to: Option<CleanupId>,
        span: Span,
        out: &mut Vec<Stmt>,
    ) {
        let mut at = from;
        while at != to {
            let Some(node) = at.and_then(|at| self.ctx.function.as_ref()?.cleanups.nodes.get(at as usize))
            else {
                return;
            };
            let (local, func, outer) = (node.local, node.func, node.outer);
            out.push(self.cleanup_call(local, func, span));
            at = outer;
        }
    }

    fn cleanup_call(&mut self, local: LocalId, func: FuncId, span: Span) -> Stmt {
        let place = self.local_place(local, span);
        let mut address = self.address_of(place);
        if let Some(function) = self.function_type(self.functions[func.index()].ty)
            && let Some(&param) = function.params.first()
        {
            address = self.assigned(address, param, Use::Arg(1));
        }
        let kind = ExprKind::Call { callee: Callee::Direct(func), args: vec![address] };
        let ret = self.function_type(self.functions[func.index()].ty).map_or(TypeId::VOID, |f| f.ret);
        let call = Expr { kind, ty: self.types.unqualified(ret), span };
        Stmt { kind: StmtKind::Expr(call), span }
    }

    /// `goto` to a label.
    pub(super) fn jump(&mut self, target: LabelId, span: Span, out: &mut Vec<Stmt>) {
        let from = self.cleanup_now();
        let known = {
            let Some(f) = &mut self.ctx.function else { return };
            let region = f.labels.region;
            let Some(info) = f.labels.info.get_mut(target.index()) else { return };
            info.uses.push((span, region));
            info.defined
        };
        match known {
            Some((_, to, _)) => {
                self.cleanup_calls(from, to, span, out);
                self.check_jump_out(from, to, span);
                out.push(Stmt { kind: StmtKind::Goto(target), span });
            }
            // Without clean-ups in scope there is nothing to do on the way, only an error to find.
            None => {
                let pad = self.landing_pad(target, from, span);
                out.push(Stmt { kind: StmtKind::Goto(pad), span });
            }
        }
    }

    /// The label to jump to for a target that is not known yet.
    pub(super) fn landing_pad(&mut self, target: LabelId, from: Option<CleanupId>, span: Span) -> LabelId {
        let pad = if from.is_none() { target } else { self.new_label(Symbol::EMPTY, span) };
        if let Some(f) = &mut self.ctx.function {
            if let Some(info) = f.labels.info.get_mut(pad.index())
                && pad != target
            {
                info.defined = Some((span, None, 0));
            }
            f.labels.pads.push(Pad { pad, target, from, span });
        }
        pad
    }

    /// Is `to` around `from`? If not, the jump enters the scope of a variable past its start.
    fn check_jump_out(&mut self, from: Option<CleanupId>, to: Option<CleanupId>, span: Span) {
        let Some(f) = &self.ctx.function else { return };
        let mut at = from;
        while at != to {
            let Some(node) = at.and_then(|at| f.cleanups.nodes.get(at as usize)) else { break };
            at = node.outer;
        }
        if at != to {
            let entered = to.and_then(|to| f.cleanups.nodes.get(to as usize)).map_or(Span::NONE, |n| n.span);
            let message = "a jump past the start of a variable that is cleaned up";
            self.report(Diag::new(&codes::JUMP, span, message).with_label(entered, "this variable"));
        }
    }

    /// Appends the landing pads; what falls off the end returns before them.
    pub(super) fn add_pads(&mut self, block: &mut Vec<Stmt>, end: Span) {
        let pads = self.ctx.function.as_mut().map(|f| std::mem::take(&mut f.labels.pads)).unwrap_or_default();
        let mut started = false;
        for pad in pads {
            let to = self
                .ctx
                .function
                .as_ref()
                .and_then(|f| f.labels.info.get(pad.target.index())?.defined)
                .and_then(|(_, to, _)| to);
            self.check_jump_out(pad.from, to, pad.span);
            if pad.pad == pad.target {
                continue;
            }
            if !started {
                block.push(Stmt { kind: StmtKind::Return(None), span: end });
                started = true;
            }
            block.push(Stmt { kind: StmtKind::Label(pad.pad), span: pad.span });
            self.cleanup_calls(pad.from, to, pad.span, block);
            block.push(Stmt { kind: StmtKind::Goto(pad.target), span: pad.span });
        }
    }
}
