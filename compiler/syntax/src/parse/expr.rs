//! Actions for expressions and initialisers.
//!
//! In and out as in `build.rs`. Binary operators arrive as one flat sequence; [`Build::bin_step`] folds
//! it by precedence with an operator stack, so that ten levels of the grammar cost nothing.

use super::build::{Bin, Build, Seq};
use super::literal;
use crate::ast::*;
use crate::diag::{Diag, codes};
use crate::intern::Symbol;
use crate::source::{Loc, Span};
use crate::token::{self, TokenKind};

impl Build<'_> {
    // ------------------------------------------------------------ expressions

    #[inline]
    pub fn expr(&mut self, l: u32, r: u32, kind: ExprKind) -> ExprId {
        let span = self.span(l, r);
        self.expr_at(span, kind)
    }

    fn expr_at(&mut self, span: Span, kind: ExprKind) -> ExprId {
        let height = self.height_of(kind);
        if self.is_too_deep(span, height) {
            return self.unit.ast.push_expr(span, ExprKind::Error);
        }
        let id = self.unit.ast.push_expr(span, kind);
        self.expr_heights.set(id, height);
        id
    }

    fn height_of(&self, kind: ExprKind) -> u16 {
        let e = |id| self.expr_heights.get(id);
        let t = |id| self.type_heights.get(id);
        let below = match kind {
            ExprKind::Error
            | ExprKind::Name(_)
            | ExprKind::Int { .. }
            | ExprKind::Float { .. }
            | ExprKind::Char { .. }
            | ExprKind::Str(_)
            | ExprKind::LabelAddr(_) => return 0,
            ExprKind::Paren(x)
            | ExprKind::Unary { operand: x, .. }
            | ExprKind::SizeofExpr(x)
            | ExprKind::AlignofExpr(x)
            | ExprKind::Member { base: x, .. } => e(x),
            ExprKind::Index { base: x, index: y }
            | ExprKind::Binary { lhs: x, rhs: y, .. }
            | ExprKind::Assign { lhs: x, rhs: y, .. }
            | ExprKind::Comma { lhs: x, rhs: y } => e(x).max(e(y)),
            ExprKind::Call { callee, args } => {
                self.unit.ast.list(args).map(e).max().unwrap_or(0).max(e(callee))
            }
            ExprKind::Cond { cond, then, other } => e(cond).max(then.map_or(0, e)).max(e(other)),
            ExprKind::Choose { cond, then, other } => e(cond).max(e(then)).max(e(other)),
            ExprKind::Cast { ty, operand } => t(ty).max(e(operand)),
            ExprKind::VaArg { list, ty } => t(ty).max(e(list)),
            ExprKind::Compound { ty, init } => t(ty).max(self.init_heights.get(init)),
            ExprKind::SizeofType(ty) | ExprKind::AlignofType(ty) => t(ty),
            ExprKind::TypesCompatible(x, y) => t(x).max(t(y)),
            ExprKind::Generic { control, assocs } => {
                let ast = &self.unit.ast;
                let each = |a| {
                    let a: Assoc = ast.assoc(a);
                    a.ty.map_or(0, t).max(e(a.value))
                };
                let control = match control {
                    Control::Expr(control) => e(control),
                    Control::Type(ty) => t(ty),
                };
                ast.list(assocs).map(each).max().unwrap_or(0).max(control)
            }
            ExprKind::StmtExpr(s) => self.stmt_heights.get(s),
            ExprKind::Offsetof { ty, path } => {
                let ast = &self.unit.ast;
                let each = |d| self.designator_height(ast.designator(d));
                ast.list(path).map(each).max().unwrap_or(0).max(t(ty))
            }
        };
        below + 1
    }

    fn designator_height(&self, d: Designator) -> u16 {
        match d {
            Designator::Field(_) => 0,
            Designator::Index(e) => self.expr_heights.get(e),
            Designator::Range(a, b) => self.expr_heights.get(a).max(self.expr_heights.get(b)),
        }
    }

    #[inline]
    pub fn name(&mut self, l: u32, name: Symbol) -> ExprId {
        self.unit.ast.push_expr(Span::at(self.cx.loc(l)), ExprKind::Name(name))
    }

    pub fn call(&mut self, l: u32, r: u32, callee: ExprId, args: Seq) -> ExprId {
        let args = self.list(args);
        self.expr(l, r, ExprKind::Call { callee, args })
    }

    pub fn member(&mut self, l: u32, r: u32, base: ExprId, arrow: bool, name: Symbol, at: u32) -> ExprId {
        let at = self.cx.loc(at);
        self.expr(l, r, ExprKind::Member { base, arrow, name, at })
    }

    pub fn assign(&mut self, l: u32, r: u32, op: Option<BinOp>, lhs: ExprId, rhs: ExprId, at: u32) -> ExprId {
        let at = self.cx.loc(at);
        self.expr(l, r, ExprKind::Assign { op, lhs, rhs, at })
    }

    pub fn generic(&mut self, l: u32, r: u32, control: Control, assocs: Seq) -> ExprId {
        let assocs = self.list(assocs);
        self.expr(l, r, ExprKind::Generic { control, assocs })
    }

    pub fn assoc(&mut self, l: u32, r: u32, ty: Option<TypeNameId>, value: ExprId) -> AssocId {
        self.unit.ast.push_assoc(self.span(l, r), Assoc { ty, value })
    }

    pub fn offsetof(&mut self, l: u32, r: u32, ty: TypeNameId, path: Seq) -> ExprId {
        let path = self.list(path);
        self.expr(l, r, ExprKind::Offsetof { ty, path })
    }

    pub fn arrow_in_path(&mut self, l: u32, r: u32, name: Symbol) -> DesignatorId {
        let message = "the path of `offsetof` cannot follow a pointer";
        self.report(Diag::new(&codes::SYNTAX, self.span(l, r), message).with_help("use `.` instead of `->`"));
        self.designator(l, r, Designator::Field(name))
    }

    // ------------------------------------------------------------ binary operators

    pub fn bin_start(&mut self, e: ExprId) -> Bin {
        let start = self.ops.len() as u32;
        Bin { start, end: start, last: e }
    }

    pub fn bin_step(&mut self, s: Bin, at: u32, op: BinOp, e: ExprId) -> Bin {
        let at = self.cx.loc(at);
        let s = self.fold(s, op.precedence());
        self.ops.push((s.last, op, at));
        Bin { start: s.start, end: s.end + 1, last: e }
    }

    #[inline]
    pub fn bin_end(&mut self, s: Bin) -> ExprId {
        if s.start == s.end { s.last } else { self.fold(s, 0).last }
    }

    /// Makes nodes of all pending operators that bind at least as tightly as `precedence`.
    fn fold(&mut self, mut s: Bin, precedence: u8) -> Bin {
        self.ops.truncate(s.end as usize);
        while s.end > s.start
            && let Some(&(lhs, op, at)) = self.ops.last()
            && op.precedence() >= precedence
        {
            self.ops.pop();
            s.end -= 1;
            let span = self.unit.ast.expr_span(lhs).to(self.unit.ast.expr_span(s.last));
            s.last = self.expr_at(span, ExprKind::Binary { op, lhs, rhs: s.last, at });
        }
        s
    }

    // ------------------------------------------------------------ constants

    /// The text of the token with this index.
    pub(super) fn text(&self, at: u32) -> &[u8] {
        match self.cx.toks.get(at as usize) {
            Some(tok) => token::text(tok, self.cx.source, self.cx.names),
            None => &[],
        }
    }

    pub fn number(&mut self, l: u32) -> ExprId {
        let span = Span::at(self.cx.loc(l));
        let kind = match literal::without_separators(self.text(l)) {
            Some(plain) if self.cx.c23 => literal::number(&plain),
            Some(_) => Err("`'` between the digits of a number is of C23: `-std=gnu23`".to_owned()),
            None => literal::number(self.text(l)),
        };
        let kind = kind.unwrap_or_else(|message| {
            self.report(Diag::new(&codes::NUMBER_FORM, span, message));
            ExprKind::Error
        });
        self.unit.ast.push_expr(span, kind)
    }

    pub fn character(&mut self, l: u32) -> ExprId {
        let span = Span::at(self.cx.loc(l));
        let mut problems = Vec::new();
        let kind = literal::character(self.text(l), &mut problems);
        self.literal_problems(span, problems);
        self.unit.ast.push_expr(span, kind)
    }

    pub fn string(&mut self, l: u32, r: u32) -> StrId {
        let parts =
            || (l..r).filter(|&at| self.cx.toks.get(at as usize).is_some_and(|t| t.kind == TokenKind::Str));
        let prefix = parts().map(|at| literal::prefix(self.text(at))).max().unwrap_or(Prefix::None);
        let start = self.unit.ast.bytes_mut().len();
        let mut problems = Vec::new();
        let ats: Vec<u32> = parts().collect();
        for at in ats {
            let Some(tok) = self.cx.toks.get(at as usize) else { continue };
            let text = token::text(tok, self.cx.source, self.cx.names);
            literal::string(text, prefix, self.unit.ast.bytes_mut(), &mut problems);
            self.literal_problems(Span::at(self.cx.loc(at)), std::mem::take(&mut problems));
        }
        let len = self.unit.ast.bytes_mut().len() - start;
        self.unit.ast.push_string(self.span(l, r), Str::new(start, len, prefix))
    }

    fn literal_problems(&mut self, span: Span, problems: Vec<literal::Problem>) {
        for problem in problems {
            let code = match problem {
                literal::Problem::Error(_) => &codes::ESCAPE,
                literal::Problem::Warning(_) => &codes::UNKNOWN_ESCAPE,
            };
            let (literal::Problem::Error(message) | literal::Problem::Warning(message)) = problem;
            self.report(Diag::new(code, span, message));
        }
    }

    // ------------------------------------------------------------ initialisers

    pub fn init_expr(&mut self, l: u32, r: u32, e: ExprId) -> InitId {
        let id = self.unit.ast.push_init(self.span(l, r), Init::Expr(e));
        self.init_heights.set(id, self.expr_heights.get(e));
        id
    }

    pub fn braced(&mut self, l: u32, r: u32, s: Seq) -> InitId {
        let items = self.list(s);
        let span = self.span(l, r);
        let mut height = 1;
        for item in self.unit.ast.list(items) {
            let item = self.unit.ast.init_item(item);
            height = height.max(1 + self.init_heights.get(item.value));
            for d in self.unit.ast.list(item.designators) {
                height = height.max(1 + self.designator_height(self.unit.ast.designator(d)));
            }
        }
        if self.is_too_deep(span, height) {
            return self.unit.ast.push_init(span, Init::List(List::EMPTY));
        }
        let id = self.unit.ast.push_init(span, Init::List(items));
        self.init_heights.set(id, height);
        id
    }

    pub fn init_item(&mut self, l: u32, r: u32, designators: Seq, value: InitId) -> InitItemId {
        let designators = self.list(designators);
        self.unit.ast.push_init_item(self.span(l, r), InitItem { designators, value })
    }

    pub fn designator(&mut self, l: u32, r: u32, d: Designator) -> DesignatorId {
        self.unit.ast.push_designator(self.span(l, r), d)
    }

    /// Where a name in a list of names is.
    pub fn label_name(&mut self, l: u32, name: Symbol) -> NameId {
        let at: Loc = self.cx.loc(l);
        self.unit.ast.push_name(Span::at(at), name)
    }
}
