//! Calls: who is called, arguments against parameters.

use skep_syntax::ast::{ExprId, ExprKind as Ast, List};
use skep_syntax::diag::{Diag, codes};
use skep_syntax::intern::Symbol;
use skep_syntax::source::Span;

use crate::hir::{Builtin, Callee, Expr, ExprKind, FuncId, PlaceKind};
use crate::types::{FloatKind, FunctionType, Type, TypeId};

use super::Sema;
use super::access::{LvalueKind, Operand};
use super::convert::Use;
use super::scope::Binding;

/// Functions of the C library that are operations when the program only declares them.
const LIBRARY: &[(&str, Builtin, usize)] = &[
    ("memcpy", Builtin::Memcpy, 3),
    ("memmove", Builtin::Memmove, 3),
    ("memset", Builtin::Memset, 3),
    ("memcmp", Builtin::Memcmp, 3),
    ("strlen", Builtin::Strlen, 1),
    ("strcmp", Builtin::Strcmp, 2),
];

impl Sema<'_, '_> {
    /// `callee(args)`.
    pub(super) fn call(&mut self, callee: ExprId, args: List<ExprId>, span: Span) -> Expr {
        if let Some(name) = self.called_name(callee) {
            if self.ctx.scopes.name(name).is_none()
                && let Some(row) = self.builtin_row(name)
            {
                return self.builtin_call(row, name, args, span);
            }
            if self.lookup(name).is_none() {
                return self.undeclared_function(name, callee, args, span);
            }
        }
        let target = self.operand(callee);
        let callee_span = self.ast.expr_span(callee);
        if let Operand::Place(lvalue) = &target
            && let LvalueKind::Plain(PlaceKind::Func(id)) = lvalue.kind
        {
            return self.direct_call(id, args, span);
        }
        let pointer = self.value(target);
        if self.is_error(pointer.ty) {
            self.check_arguments_alone(args);
            return self.error_expr(span);
        }
        let function = self.types.pointee(pointer.ty).and_then(|to| self.function_type(to));
        let Some(function) = function else {
            let message = format!("only functions can be called, not {}", self.shown(pointer.ty));
            self.error(&codes::NOT_CALLABLE, callee_span, message);
            self.check_arguments_alone(args);
            return self.error_expr(span);
        };
        let args = self.arguments(&function, args, None, span);
        if self.judges_formats {
            self.check_format(&pointer, &args);
        }
        // `(*f)(x)` and `f(x)` are the same call.
        let kind = match pointer.kind {
            ExprKind::Address(crate::hir::Place { kind: PlaceKind::Func(id), .. }) => {
                ExprKind::Call { callee: Callee::Direct(id), args }
            }
            _ => ExprKind::Call { callee: Callee::Pointer(Box::new(pointer)), args },
        };
        self.call_expr(kind, function.ret, span)
    }

    fn call_expr(&mut self, kind: ExprKind, ret: TypeId, span: Span) -> Expr {
        if !self.is_void(ret) && !self.is_error(ret) && self.layout_of(ret).is_none() {
            self.incomplete(span, ret, "the result");
            return self.error_expr(span);
        }
        Expr { kind, ty: self.types.unqualified(ret), span }
    }

    /// The name that is called, if it is a plain name.
    fn called_name(&self, callee: ExprId) -> Option<Symbol> {
        let mut id = callee;
        loop {
            match self.ast.expr(id) {
                Ast::Paren(inner) => id = inner,
                Ast::Name(name) => return Some(name),
                _ => return None,
            }
        }
    }

    fn undeclared_function(&mut self, name: Symbol, callee: ExprId, args: List<ExprId>, span: Span) -> Expr {
        let text = self.name(name).to_owned();
        let at = self.ast.expr_span(callee);
        if text.starts_with("__builtin_") || text.starts_with("__sync_") || text.starts_with("__atomic_") {
            let mut diag =
                Diag::new(&codes::UNKNOWN_BUILTIN, at, format!("the builtin `{text}` is not known here"));
            let rows = super::builtins::names().map(|name| self.cx.names.intern(name.as_bytes()));
            let rows: Vec<Symbol> = rows.collect();
            if let Some(near) = self.nearest(name, rows.into_iter()) {
                diag = diag.with_help(format!("did you mean `{}`?", self.name(near)));
            }
            self.report(diag);
        } else {
            let mut diag =
                Diag::new(&codes::IMPLICIT_FUNCTION, at, format!("call of the undeclared function `{text}`"));
            if let Some((Binding::Func(id), _)) = self.entity(name) {
                diag = diag.with_label(self.functions[id.index()].span, "declared only here, later");
            } else if let Some(near) = self.similar_name(name) {
                diag = diag.with_help(format!("did you mean `{}`?", self.name(near)));
            }
            self.report(diag);
        }
        self.check_arguments_alone(args);
        self.error_expr(span)
    }

    /// Analyses arguments that have no parameters to go to.
    pub(super) fn check_arguments_alone(&mut self, args: List<ExprId>) {
        for arg in self.ast.list(args) {
            self.rvalue(arg);
        }
    }

    fn direct_call(&mut self, id: FuncId, args: List<ExprId>, span: Span) -> Expr {
        let Some(function) = self.function_type(self.functions[id.index()].ty) else {
            return self.error_expr(span);
        };
        let args = self.arguments(&function, args, Some(id), span);
        if let Some(builtin) = self.library_builtin(id, args.len()) {
            return self.library_call(builtin, args, function.ret, span);
        }
        self.call_expr(ExprKind::Call { callee: Callee::Direct(id), args }, function.ret, span)
    }

    /// Is it a function of the C library that is only declared?
    fn library_builtin(&self, id: FuncId, n_args: usize) -> Option<Builtin> {
        if self.func_info[id.index()].definition.is_some() {
            return None;
        }
        let name = self.name(self.functions[id.index()].name);
        LIBRARY.iter().find(|row| row.0 == name && row.2 == n_args).map(|row| row.1)
    }

    fn library_call(&mut self, builtin: Builtin, args: Vec<Expr>, ret: TypeId, span: Span) -> Expr {
        let node = Expr { kind: ExprKind::Builtin(builtin, args), ty: self.types.unqualified(ret), span };
        match self.const_eval(&node) {
            Some(super::consteval::Constant::Int(value)) => Expr { kind: ExprKind::Const(value), ..node },
            _ => node,
        }
    }

    /// Arguments converted to the parameters of a function.
    fn arguments(
        &mut self,
        function: &FunctionType,
        args: List<ExprId>,
        callee: Option<FuncId>,
        span: Span,
    ) -> Vec<Expr> {
        let wanted = function.params.len();
        let given = args.len();
        if function.prototyped && (given < wanted || (given > wanted && !function.variadic)) {
            self.wrong_count(function, args, callee, span);
        }
        let mut out = Vec::with_capacity(given);
        for (index, arg) in self.ast.list(args).enumerate() {
            let value = self.rvalue(arg);
            out.push(match function.params.get(index) {
                Some(&param) if function.prototyped => self.assigned(value, param, Use::Arg(index + 1)),
                Some(_) | None => self.default_promotion(value),
            });
        }
        out
    }

    fn wrong_count(
        &mut self,
        function: &FunctionType,
        args: List<ExprId>,
        callee: Option<FuncId>,
        span: Span,
    ) {
        let (wanted, given) = (function.params.len(), args.len());
        let few = given < wanted;
        let message = format!(
            "too {} arguments: {}{wanted} wanted, {given} given",
            if few { "few" } else { "many" },
            if function.variadic { "at least " } else { "" },
        );
        let at = match self.ast.list(args).nth(wanted) {
            Some(extra) if !few => self.ast.expr_span(extra),
            _ => span,
        };
        let mut diag = Diag::new(&codes::ARGUMENTS, at, message);
        if let Some(id) = callee {
            let function = &self.functions[id.index()];
            let remark = format!("`{}` is declared here", self.name(function.name));
            diag = diag.with_label(function.span, remark);
        }
        self.report(diag);
    }

    /// What an argument without parameter becomes.
    fn default_promotion(&mut self, e: Expr) -> Expr {
        if self.is_void(e.ty) {
            self.error(&codes::MISMATCH, e.span, "an argument cannot be `void`");
            return self.error_expr(e.span);
        }
        match self.types.shape(e.ty) {
            Type::Float(FloatKind::Float) => {
                let double = self.types.intern(Type::Float(FloatKind::Double));
                self.convert(e, double)
            }
            _ => self.promote(e),
        }
    }
}
