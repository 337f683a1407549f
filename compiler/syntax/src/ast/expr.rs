//! Nodes of expressions and initialisers, and the operators.
//!
//! Out of the grammar's actions in `parse/expr.rs`. No types, no folding: what was written.

use super::*;

/// An initialiser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// An expression.
    Expr(ExprId),
    /// `{ ... }`
    List(List<InitItemId>),
}

/// An element of a braced initialiser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitItem {
    /// Where it goes; empty for the next place.
    pub designators: List<DesignatorId>,
    /// What goes there.
    pub value: InitId,
}

/// A designator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Designator {
    /// `.name`, `name:`
    Field(Symbol),
    /// `[index]`
    Index(ExprId),
    /// `[first ... last]`
    Range(ExprId, ExprId),
}

// ---------------------------------------------------------------- expressions

/// An expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExprKind {
    /// What could not be parsed; an error has been reported.
    Error,
    /// A name, also `__func__`.
    Name(Symbol),
    /// An integer constant.
    Int {
        /// Its value.
        value: u64,
        /// How it was written: decimal constants prefer signed types.
        decimal: bool,
        /// `u`, `l`, `ll`.
        suffix: IntSuffix,
    },
    /// A floating constant.
    Float {
        /// The bits of the value as an `f64`.
        bits: u64,
        /// `f`, `l`.
        suffix: FloatSuffix,
    },
    /// A character constant; the value as an `int` (or the code unit if prefixed).
    Char {
        /// Its value.
        value: i32,
        /// `L`, `u`, `U`, `u8`.
        prefix: Prefix,
    },
    /// A string literal.
    Str(StrId),
    /// `(expr)`
    Paren(ExprId),
    /// `base[index]`
    Index {
        /// Left of the bracket.
        base: ExprId,
        /// Inside.
        index: ExprId,
    },
    /// `callee(args)`
    Call {
        /// What is called; a builtin is a [`ExprKind::Name`].
        callee: ExprId,
        /// The arguments.
        args: List<ExprId>,
    },
    /// `base.name`, `base->name`
    Member {
        /// Left of the operator.
        base: ExprId,
        /// Whether it was `->`.
        arrow: bool,
        /// The member.
        name: Symbol,
        /// The member's token.
        at: Loc,
    },
    /// A unary operator, also the postfix ones.
    Unary {
        /// The operator.
        op: UnOp,
        /// The operand.
        operand: ExprId,
    },
    /// A binary operator without side effect on its operands.
    Binary {
        /// The operator.
        op: BinOp,
        /// The left operand.
        lhs: ExprId,
        /// The right operand.
        rhs: ExprId,
        /// The operator's token.
        at: Loc,
    },
    /// `=` and the compound assignments.
    Assign {
        /// The operator in front of `=`.
        op: Option<BinOp>,
        /// The place.
        lhs: ExprId,
        /// The value.
        rhs: ExprId,
        /// The operator's token.
        at: Loc,
    },
    /// `lhs, rhs`
    Comma {
        /// Evaluated first.
        lhs: ExprId,
        /// The value.
        rhs: ExprId,
    },
    /// `cond ? then : other`, `cond ?: other`
    Cond {
        /// The condition.
        cond: ExprId,
        /// The value if true; the condition's value if absent.
        then: Option<ExprId>,
        /// The value if false.
        other: ExprId,
    },
    /// `(type) operand`
    Cast {
        /// The type.
        ty: TypeNameId,
        /// The value.
        operand: ExprId,
    },
    /// `(type) { ... }`
    Compound {
        /// The type.
        ty: TypeNameId,
        /// A braced list.
        init: InitId,
    },
    /// `sizeof expr`
    SizeofExpr(ExprId),
    /// `sizeof(type)`
    SizeofType(TypeNameId),
    /// `_Alignof expr`
    AlignofExpr(ExprId),
    /// `_Alignof(type)`
    AlignofType(TypeNameId),
    /// `_Generic(control, ...)`
    Generic {
        /// What chooses.
        control: Control,
        /// The choices.
        assocs: List<AssocId>,
    },
    /// `({ ... })`: a [`StmtKind::Block`].
    StmtExpr(StmtId),
    /// `&&label`
    LabelAddr(Symbol),
    /// `__builtin_offsetof(type, path)`
    Offsetof {
        /// The type.
        ty: TypeNameId,
        /// The path; the first is a [`Designator::Field`].
        path: List<DesignatorId>,
    },
    /// `__builtin_va_arg(list, type)`
    VaArg {
        /// The argument list.
        list: ExprId,
        /// The type of the argument.
        ty: TypeNameId,
    },
    /// `__builtin_types_compatible_p(a, b)`
    TypesCompatible(TypeNameId, TypeNameId),
    /// `__builtin_choose_expr(cond, then, other)`
    Choose {
        /// An integer constant expression.
        cond: ExprId,
        /// Chosen if true.
        then: ExprId,
        /// Chosen if false.
        other: ExprId,
    },
}

/// Suffix of an integer constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum IntSuffix {
    None,
    U,
    L,
    UL,
    LL,
    ULL,
}

impl IntSuffix {
    /// Its spelling in small letters.
    pub fn text(self) -> &'static str {
        match self {
            IntSuffix::None => "",
            IntSuffix::U => "u",
            IntSuffix::L => "l",
            IntSuffix::UL => "ul",
            IntSuffix::LL => "ll",
            IntSuffix::ULL => "ull",
        }
    }
}

/// Suffix of a floating constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum FloatSuffix {
    None,
    F,
    L,
}

/// Prefix of a character constant or string literal, by rising strength in concatenation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Prefix {
    /// None: `char`.
    None,
    /// `u8`: `char`.
    U8,
    /// `u`: 16-bit units.
    U16,
    /// `U`: 32-bit units.
    U32,
    /// `L`: `wchar_t`, 32-bit units.
    Wide,
}

impl Prefix {
    /// Its spelling.
    pub fn text(self) -> &'static str {
        match self {
            Prefix::None => "",
            Prefix::U8 => "u8",
            Prefix::U16 => "u",
            Prefix::U32 => "U",
            Prefix::Wide => "L",
        }
    }
}

/// A string literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Str {
    pub(super) start: u32,
    pub(super) len: u32,
    /// The widest prefix of the concatenated parts.
    pub prefix: Prefix,
}

impl Str {
    pub(crate) fn new(start: usize, len: usize, prefix: Prefix) -> Str {
        Str { start: start as u32, len: len as u32, prefix }
    }
}

/// Declares an operator type: rows of variant and spelling.
macro_rules! operators {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum $name { $($variant),* }

        impl $name {
            /// Its C spelling.
            pub fn text(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }
        }
    };
}

operators! {
    /// Unary operators.
    UnOp {
        Plus = "+", Neg = "-", Not = "!", BitNot = "~", Deref = "*", AddrOf = "&",
        PreInc = "++", PreDec = "--", PostInc = "++", PostDec = "--",
        Real = "__real__", Imag = "__imag__",
    }
}

operators! {
    /// Binary operators.
    BinOp {
        Mul = "*", Div = "/", Rem = "%", Add = "+", Sub = "-", Shl = "<<", Shr = ">>",
        Lt = "<", Gt = ">", Le = "<=", Ge = ">=", Eq = "==", Ne = "!=",
        And = "&", Xor = "^", Or = "|", LogAnd = "&&", LogOr = "||",
    }
}

impl BinOp {
    /// How tightly it binds: higher is tighter.
    pub fn precedence(self) -> u8 {
        match self {
            BinOp::Mul | BinOp::Div | BinOp::Rem => 10,
            BinOp::Add | BinOp::Sub => 9,
            BinOp::Shl | BinOp::Shr => 8,
            BinOp::Lt | BinOp::Gt | BinOp::Le | BinOp::Ge => 7,
            BinOp::Eq | BinOp::Ne => 6,
            BinOp::And => 5,
            BinOp::Xor => 4,
            BinOp::Or => 3,
            BinOp::LogAnd => 2,
            BinOp::LogOr => 1,
        }
    }
}

/// What the type comes from by which `_Generic` chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// The value of this expression.
    Expr(ExprId),
    /// The type itself, with its qualifiers: an extension of clang.
    Type(TypeNameId),
}

/// An association of a generic selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assoc {
    /// The type; `default` if absent.
    pub ty: Option<TypeNameId>,
    /// The value.
    pub value: ExprId,
}
