//! Nodes of statements.
//!
//! Out of the grammar's actions in `parse/stmt.rs`. Invariant: labels never own a statement.

use super::*;

/// A statement, or another item of a block.
///
/// Labels never own a statement: they are items of their own in front of it. Where the grammar
/// wants one statement (`if (x) out: f();`) label and statement are wrapped in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StmtKind {
    /// What could not be parsed; an error has been reported.
    Error,
    /// `;`
    Empty,
    /// `{ ... }`
    Block(List<StmtId>),
    /// A declaration in a block or in the head of a `for`.
    Decl(DeclId),
    /// An expression statement.
    Expr(ExprId),
    /// `if`
    If {
        /// The condition.
        cond: ExprId,
        /// Executed if true.
        then: StmtId,
        /// Executed if false.
        other: Option<StmtId>,
    },
    /// `switch`
    Switch {
        /// The selector.
        cond: ExprId,
        /// The statement with the `case` labels.
        body: StmtId,
    },
    /// `while`
    While {
        /// The condition.
        cond: ExprId,
        /// The body.
        body: StmtId,
    },
    /// `do ... while`
    DoWhile {
        /// The body.
        body: StmtId,
        /// The condition.
        cond: ExprId,
    },
    /// `for`
    For {
        /// [`StmtKind::Decl`] or [`StmtKind::Expr`].
        init: Option<StmtId>,
        /// The condition.
        cond: Option<ExprId>,
        /// Evaluated after the body.
        step: Option<ExprId>,
        /// The body.
        body: StmtId,
    },
    /// `goto label;`
    Goto(Ident),
    /// `goto *expr;`
    GotoExpr(ExprId),
    /// `continue;`
    Continue,
    /// `break;`
    Break,
    /// `return;`, `return expr;`
    Return(Option<ExprId>),
    /// `name:`
    Label {
        /// The label.
        name: Ident,
    },
    /// `case value:`, `case first ... last:`
    Case {
        /// The value, or the first of a range.
        value: ExprId,
        /// The last of a range.
        last: Option<ExprId>,
    },
    /// `default:`
    Default,
    /// `asm(...)`
    Asm(AsmId),
    /// `__label__ a, b;`
    LocalLabels(List<NameId>),
    /// `__attribute__((fallthrough));`
    Attrs(List<AttrId>),
}

/// An inline assembly statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asm {
    /// The text.
    pub template: StrId,
    /// The outputs.
    pub outputs: List<AsmOperandId>,
    /// The inputs.
    pub inputs: List<AsmOperandId>,
    /// The clobbered registers.
    pub clobbers: List<StrId>,
    /// Where it may jump.
    pub labels: List<NameId>,
    /// `volatile`, or no outputs.
    pub is_volatile: bool,
    /// `goto`
    pub is_goto: bool,
    /// Whether there was any `:`; without, `%` in the text is literal.
    pub is_extended: bool,
}

/// An operand of an inline assembly statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsmOperand {
    /// `[name]`
    pub name: Option<Symbol>,
    /// The constraint.
    pub constraint: StrId,
    /// The place or value.
    pub value: ExprId,
}
