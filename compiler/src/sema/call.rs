//! Calls: who is called, arguments against parameters.

use skep_syntax::ast::{ExprId, ExprKind as Ast, List, Storage};
use skep_syntax::diag::{Diag, Severity, codes};
use skep_syntax::intern::Symbol;
use skep_syntax::pp::Std;
use skep_syntax::source::Span;

use crate::hir::{Builtin, Callee, Expr, ExprKind, FuncId, PlaceKind};
use crate::types::{FloatKind, FunctionType, IntKind, Type, TypeId};

use super::Sema;
use super::access::{LvalueKind, Operand};
use super::attrs::Attrs;
use super::builtins::Row;
use super::convert::Use;
use super::declarator::Declared;
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
                let (at, text) = (self.ast.expr_span(callee), self.name(name));
                if ["__builtin_", "__sync_", "__atomic_"].iter().any(|prefix| text.starts_with(prefix)) {
                    return self.unknown_builtin(name, at, args, span);
                }
                if self.cx.options.std < Std::C23 {
                    return self.undeclared_function(name, at, args, span);
                }
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

    fn unknown_builtin(&mut self, name: Symbol, at: Span, args: List<ExprId>, span: Span) -> Expr {
        let message = format!("the builtin `{}` is not known here", self.name(name));
        let mut diag = Diag::new(&codes::UNKNOWN_BUILTIN, at, message);
        let rows = super::builtins::names().map(|name| self.cx.names.intern(name.as_bytes()));
        let rows: Vec<Symbol> = rows.collect();
        if let Some(near) = self.nearest(name, rows.into_iter()) {
            diag = diag.with_help(format!("did you mean `{}`?", self.name(near)));
        }
        self.report(diag);
        self.check_arguments_alone(args);
        self.error_expr(span)
    }

    /// A call declares the function as `int f()` until the end of the block, as far as the standard and
    /// the options allow that.
    fn undeclared_function(&mut self, name: Symbol, at: Span, args: List<ExprId>, span: Span) -> Expr {
        let code = &codes::IMPLICIT_FUNCTION;
        // The first standard means it so.
        if self.cx.options.std > Std::C89 {
            let mut diag =
                Diag::new(code, at, format!("call of the undeclared function `{}`", self.name(name)));
            if let Some((Binding::Func(id), _)) = self.entity(name) {
                diag = diag.with_label(self.functions[id.index()].span, "declared only here, later");
            } else if let Some(near) = self.similar_name(name) {
                diag = diag.with_help(format!("did you mean `{}`?", self.name(near)));
            }
            self.report(diag);
            if self.cx.diags.severity(code, at) == Some(Severity::Error) {
                // Once is enough for each scope, and nothing is known of its result.
                self.ctx.scopes.bind(name, Binding::Error);
                self.check_arguments_alone(args);
                return self.error_expr(span);
            }
        }
        if let Some(row) = self.library_row(name) {
            return self.builtin_call(row, name, args, span);
        }
        let ty = self.types.intern(Type::Function(FunctionType {
            ret: TypeId::int(IntKind::Int),
            params: [].into(),
            names: [].into(),
            variadic: false,
            prototyped: false,
        }));
        let declared = Declared { ident: None, ty, attrs: Attrs::default(), span: at };
        match self.bind_extern(name, declared, Storage::default(), None) {
            Binding::Func(id) => {
                self.mention(Binding::Func(id));
                self.queue_function(id);
                self.direct_call(id, args, span)
            }
            // What it is instead has been reported.
            Binding::Typedef(_)
            | Binding::Local(_)
            | Binding::Global(_)
            | Binding::Constant { .. }
            | Binding::Error => {
                self.check_arguments_alone(args);
                self.error_expr(span)
            }
        }
    }

    /// The builtin that a function of the C library is when nobody declares it.
    fn library_row(&mut self, name: Symbol) -> Option<&'static Row> {
        let text = self.name(name);
        let builtin = LIBRARY.iter().any(|row| row.0 == text).then(|| format!("__builtin_{text}"))?;
        let builtin = self.cx.names.intern(builtin.as_bytes());
        self.builtin_row(builtin)
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
        if self.ast.list(args).any(|arg| matches!(self.ast.expr(arg), Ast::Error)) {
            // How many were meant is not known.
            return;
        }
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
