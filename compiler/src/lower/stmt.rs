//! Statements: control flow becomes blocks and jumps.

use super::expr::Rvalue;
use super::func::Lowering;
use super::place::{Base, Mem, Target};
use super::symbols::{Kind, word};
use crate::hir::{self, Expr, Loop, Stmt, StmtKind};
use crate::ir::{Block, BlockCall, InstData, Intrinsic, SwitchCase, Type, Unroll};

/// A loop or switch around the current statement.
pub(super) struct Scope {
    /// Where `break` goes.
    after: Block,
    /// Where `continue` goes; a switch has none.
    next: Option<Block>,
    /// The labels of a switch met so far.
    switch: Option<Cases>,
}

#[derive(Default)]
struct Cases {
    cases: Vec<(i128, i128, Block)>,
    default: Option<Block>,
}

impl Lowering<'_> {
    pub fn stmts(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            self.stmt(stmt);
        }
    }

    pub fn stmt(&mut self, stmt: &Stmt) {
        let outer = self.at(stmt.span);
        self.stmt_at(stmt);
        self.loc = outer;
    }

    fn stmt_at(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Expr(e) => {
                self.expr(e);
            }
            StmtKind::Block(stmts) => self.stmts(stmts),
            StmtKind::Declare(_) | StmtKind::Fallthrough => {}
            StmtKind::Fill { place, init } => {
                let mem = self.place_mem(place);
                self.fill(mem, place.ty, &init.scalars);
            }
            StmtKind::If { cond, then, els } => self.if_stmt(cond, then, els.as_deref()),
            StmtKind::Loop(l) => self.loop_stmt(l),
            StmtKind::Switch { value, body } => self.switch_stmt(value, body),
            StmtKind::Case { lo, hi } => {
                let block = self.new_block();
                self.begin(block);
                if let Some(cases) = self.cases() {
                    cases.cases.push((*lo, *hi, block));
                }
            }
            StmtKind::Default => {
                let block = self.new_block();
                self.begin(block);
                if let Some(cases) = self.cases() {
                    cases.default = Some(block);
                }
            }
            StmtKind::Label(label) => {
                let block = self.label(*label);
                self.begin(block);
            }
            StmtKind::Goto(label) => {
                let block = self.label(*label);
                self.jump(block);
            }
            StmtKind::Break => {
                if let Some(after) = self.scopes.last().map(|scope| scope.after) {
                    self.jump(after);
                }
            }
            StmtKind::Continue => {
                if let Some(next) = self.scopes.iter().rev().find_map(|scope| scope.next) {
                    self.jump(next);
                }
            }
            StmtKind::Return(value) => self.return_stmt(value.as_ref()),
            StmtKind::Asm(asm) => self.asm(asm),
        }
    }

    /// The innermost switch.
    fn cases(&mut self) -> Option<&mut Cases> {
        self.scopes.iter_mut().rev().find_map(|scope| scope.switch.as_mut())
    }

    fn if_stmt(&mut self, cond: &Expr, then: &Stmt, els: Option<&Stmt>) {
        let (yes, after) = (self.new_block(), self.new_block());
        let no = if els.is_some() { self.new_block() } else { after };
        self.branch_on(cond, yes, no);
        self.begin(yes);
        self.stmt(then);
        if let Some(els) = els {
            self.jump(after);
            self.begin(no);
            self.stmt(els);
        }
        self.begin(after);
    }

    fn loop_stmt(&mut self, l: &Loop) {
        let (head, after) = (self.new_block(), self.new_block());
        self.f.blocks[head].unroll = match l.unroll {
            hir::Unroll::Auto => Unroll::Auto,
            hir::Unroll::Full => Unroll::Full,
            hir::Unroll::Count(n) => Unroll::Count(n),
            hir::Unroll::Never => Unroll::Never,
        };
        let next = if l.test_last || l.step.is_some() { self.new_block() } else { head };
        self.begin(head);
        if let (false, Some(cond)) = (l.test_last, &l.cond) {
            let body = self.new_block();
            self.branch_on(cond, body, after);
            self.begin(body);
        }
        self.scopes.push(Scope { after, next: Some(next), switch: None });
        self.stmt(&l.body);
        self.scopes.pop();
        if next != head {
            self.begin(next);
        }
        if let Some(step) = &l.step {
            self.expr(step);
        }
        match (&l.cond, l.test_last) {
            (Some(cond), true) => self.branch_on(cond, head, after),
            _ => self.jump(head),
        }
        self.begin(after);
    }

    fn switch_stmt(&mut self, value: &Expr, body: &Stmt) {
        let kind = self.cx.kind(value.ty);
        let tested = match self.expr(value) {
            Rvalue::Two { lo, hi } => self.intrinsic(Intrinsic::Wide, vec![lo, hi], Type::I64),
            other => self.as_scalar(other, value.ty),
        };
        let tested = self.at_least_i32(tested, kind.is_signed());
        let mask = self.ty(tested).mask();
        let after = self.new_block();
        let head = self.end_with_switch(tested, after);
        self.scopes.push(Scope { after, next: None, switch: Some(Cases::default()) });
        self.stmt(body);
        let cases = self.scopes.pop().and_then(|scope| scope.switch).unwrap_or_default();
        self.begin(after);
        let call = BlockCall::to;
        let mut ranges = Vec::new();
        for (lo, hi, block) in cases.cases {
            for (lo, hi) in unsigned_ranges(lo, hi, mask) {
                ranges.push(SwitchCase { lo, hi, target: call(block) });
            }
        }
        let default = call(cases.default.unwrap_or(after));
        if let Some(inst) = self.f.terminator(head) {
            self.f.set_inst(inst, InstData::Switch { value: tested, cases: ranges.into(), default });
        }
    }

    fn return_stmt(&mut self, value: Option<&Expr>) {
        let result = value.map(|e| self.expr(e));
        let kind = self.cx.kind(self.ret);
        if let (Some(pointer), Some(result)) = (self.result, result) {
            let to = Mem::new(Base::Pointer(pointer), self.cx.layout(self.ret).align);
            self.store(Target::Mem(to), self.ret, result);
        }
        let value = match (kind.scalar(), result) {
            (None, _) => None,
            (Some(ty), None) => Some(self.iconst(word(ty), 0)),
            (Some(_), Some(result)) => {
                let value = self.as_scalar(result, self.ret);
                Some(self.passed(value, kind))
            }
        };
        self.end(InstData::Return { value });
    }

    /// A scalar as it is passed: small integers are extended.
    pub fn passed(&mut self, value: crate::ir::Value, kind: Kind) -> crate::ir::Value {
        self.at_least_i32(value, kind.is_signed())
    }
}

/// A range of a signed or unsigned type as ranges of its bits.
fn unsigned_ranges(lo: i128, hi: i128, mask: u64) -> Vec<(u64, u64)> {
    let bits = |value: i128| value as u64 & mask;
    if lo > hi {
        Vec::new()
    } else if lo < 0 && hi >= 0 {
        vec![(bits(lo), mask), (0, bits(hi))]
    } else {
        vec![(bits(lo), bits(hi))]
    }
}
