//! Actions for statements.
//!
//! In and out as in `build.rs`. Blocks and `for` end the scope they began: names get back the meaning
//! they had before.

use super::build::{Build, Seq, Sp};
use crate::ast::*;
use crate::diag::{Diag, codes};
use crate::intern::Symbol;

impl Build<'_> {
    #[inline]
    pub fn stmt(&mut self, l: u32, r: u32, kind: StmtKind) -> StmtId {
        let span = self.span(l, r);
        let height = self.stmt_height(kind);
        if self.is_too_deep(span, height) {
            return self.unit.ast.push_stmt(span, StmtKind::Error);
        }
        let id = self.unit.ast.push_stmt(span, kind);
        self.stmt_heights.set(id, height);
        id
    }

    fn stmt_height(&self, kind: StmtKind) -> u16 {
        let s = |id| self.stmt_heights.get(id);
        let e = |id| self.expr_heights.get(id);
        let below = match kind {
            StmtKind::Error
            | StmtKind::Empty
            | StmtKind::Goto(_)
            | StmtKind::Continue
            | StmtKind::Break
            | StmtKind::Label { .. }
            | StmtKind::Default
            | StmtKind::LocalLabels(_)
            | StmtKind::Attrs(_) => return 0,
            StmtKind::Block(items) => self.unit.ast.list(items).map(s).max().unwrap_or(0),
            StmtKind::Decl(d) => self.decl_heights.get(d),
            StmtKind::Expr(x) | StmtKind::GotoExpr(x) => e(x),
            StmtKind::If { cond, then, other } => e(cond).max(s(then)).max(other.map_or(0, s)),
            StmtKind::Switch { cond, body }
            | StmtKind::While { cond, body }
            | StmtKind::DoWhile { body, cond } => e(cond).max(s(body)),
            StmtKind::For { init, cond, step, body } => {
                init.map_or(0, s).max(cond.map_or(0, e)).max(step.map_or(0, e)).max(s(body))
            }
            StmtKind::Return(value) => value.map_or(0, e),
            StmtKind::Case { value, last } => e(value).max(last.map_or(0, e)),
            StmtKind::Asm(asm) => {
                let ast = &self.unit.ast;
                let asm = ast.asm(asm);
                let operand = |o| e(ast.asm_operand(o).value);
                ast.list(asm.outputs).chain(ast.list(asm.inputs)).map(operand).max().unwrap_or(0)
            }
        };
        below + 1
    }

    pub fn block(&mut self, l: u32, r: u32, items: Seq) -> StmtId {
        self.restore(l);
        let items = self.list(items);
        self.stmt(l, r, StmtKind::Block(items))
    }

    /// A label in front of a lone statement: both become a block.
    pub fn labelled(&mut self, l: u32, r: u32, label: StmtId, body: StmtId) -> StmtId {
        let items = self.one(label);
        let items = self.push(items, body);
        let items = self.list(items);
        self.stmt(l, r, StmtKind::Block(items))
    }

    pub fn label(&mut self, l: u32, r: u32, name: Symbol) -> StmtId {
        let name = Ident { sym: name, at: self.cx.loc(l) };
        self.stmt(l, r, StmtKind::Label { name })
    }

    pub fn goto(&mut self, l: u32, r: u32, name: Symbol, at: u32) -> StmtId {
        let name = Ident { sym: name, at: self.cx.loc(at) };
        self.stmt(l, r, StmtKind::Goto(name))
    }

    pub fn loop_stmt(&mut self, l: u32, r: u32, kind: StmtKind) -> StmtId {
        let id = self.stmt(l, r, kind);
        if let Some(unroll) = self.pragmas.unroll(l) {
            self.unit.unrolls.push((id, unroll));
        }
        id
    }

    pub fn for_stmt(
        &mut self,
        l: u32,
        r: u32,
        init: Option<StmtId>,
        cond: Option<ExprId>,
        step: Option<ExprId>,
        body: StmtId,
    ) -> StmtId {
        self.restore(l);
        self.loop_stmt(l, r, StmtKind::For { init, cond, step, body })
    }

    /// `__attribute__((fallthrough));`, or specifiers without a type.
    pub fn attr_stmt(&mut self, l: u32, r: u32, s: Sp) -> StmtId {
        let attrs = self.list(s.attrs);
        if !s.quals.is_empty() || !s.storage.is_empty() {
            let message = "this declares nothing: it has neither a type nor a name";
            self.report(Diag::new(&codes::EMPTY_DECL, self.span(l, r), message));
            return self.stmt(l, r, StmtKind::Error);
        }
        self.stmt(l, r, StmtKind::Attrs(attrs))
    }

    pub fn local_labels(&mut self, l: u32, r: u32, names: Seq) -> StmtId {
        let names = self.list(names);
        self.stmt(l, r, StmtKind::LocalLabels(names))
    }

    pub fn nested_function(&mut self, l: u32, r: u32, d: DeclId) -> StmtId {
        let span = match self.unit.ast.decl(d) {
            DeclKind::Function { declarator, .. } => self.unit.ast.declarator_span(declarator),
            _ => self.span(l, r),
        };
        let diag = Diag::new(&codes::NESTED_FUNCTION, span, "a function is defined inside another function")
            .with_help("if it was meant to stand outside, a `}` is missing above");
        self.report(diag);
        self.stmt(l, r, StmtKind::Error)
    }

    // ------------------------------------------------------------ assembly

    pub fn asm_qual(&mut self, l: u32, quals: u8, q: Quals) -> u8 {
        if q != Quals::VOLATILE {
            self.bad_asm_word(l);
        }
        quals | 1
    }

    pub fn asm_storage(&mut self, l: u32, quals: u8, s: Storage) -> u8 {
        if s != Storage::INLINE {
            self.bad_asm_word(l);
        }
        quals
    }

    fn bad_asm_word(&mut self, l: u32) {
        let message = "only `volatile`, `inline` and `goto` may follow `asm`";
        self.report(Diag::new(&codes::SYNTAX, self.span(l, l + 1), message));
    }

    /// `parts`: outputs, inputs, clobbers and labels, as far as there were colons for them.
    pub fn asm(
        &mut self,
        l: u32,
        r: u32,
        quals: u8,
        template: StrId,
        parts: Option<[Option<Seq>; 4]>,
    ) -> AsmId {
        let [outputs, inputs, clobbers, labels] = parts.unwrap_or_default();
        // The last list lies on top of the scratch stack.
        let labels = labels.map_or(List::EMPTY, |s| self.list(s));
        let clobbers = clobbers.map_or(List::EMPTY, |s| self.list(s));
        let inputs = inputs.map_or(List::EMPTY, |s| self.list(s));
        let outputs = outputs.map_or(List::EMPTY, |s| self.list(s));
        let is_goto = quals & 2 != 0;
        let asm = Asm {
            template,
            outputs,
            inputs,
            clobbers,
            labels,
            is_volatile: quals & 1 != 0 || is_goto || outputs.is_empty(),
            is_goto,
            is_extended: parts.is_some(),
        };
        self.unit.ast.push_asm(self.span(l, r), asm)
    }

    pub fn asm_operand(
        &mut self,
        l: u32,
        r: u32,
        name: Option<Symbol>,
        constraint: StrId,
        value: ExprId,
    ) -> AsmOperandId {
        self.unit.ast.push_asm_operand(self.span(l, r), AsmOperand { name, constraint, value })
    }
}
