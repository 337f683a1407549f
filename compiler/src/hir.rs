//! The typed program: what `sema` makes of the AST and `lower` turns into SSA.
//!
//! Everything implicit in C is explicit here: names are resolved to ids, every conversion is a
//! [`ExprKind::Convert`], array and function decay is an address-of, constant expressions that
//! the language requires to be constant are folded, initialisers are bytes and relocations
//! (globals) or lists of stores (locals), and the difference between a value ([`Expr`]) and an
//! object in memory ([`Place`]) is a difference of types.
//!
//! What is *not* decided here: whether code is reachable, whether a call is inlined, whether a
//! callee or a size becomes constant. Limits of the machine are checked after optimisation.

mod print;

pub use skep_stdlib::btf::ext::CoreKind;
use skep_syntax::intern::Symbol;
use skep_syntax::source::Span;

use crate::types::{RecordId, TypeId, Types};

pub use print::print;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub u32);

        impl $name {
            /// The id as an index into its table.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

id! {
    /// Index into [`Module::functions`].
    FuncId;
    /// Index into [`Module::globals`].
    GlobalId;
    /// Index into [`Body::locals`]; the parameters come first.
    LocalId;
    /// Index into [`Body::labels`].
    LabelId;
    /// Index into [`Module::core_relocs`].
    CoreId;
}

/// One translation unit.
#[derive(Debug)]
pub struct Module {
    /// All types.
    pub types: Types,
    /// Functions that are defined or referenced, in order of first declaration.
    pub functions: Vec<Function>,
    /// Variables that are defined or referenced, string literals included.
    pub globals: Vec<Global>,
    /// CO-RE relocations; identical accesses share one entry.
    pub core_relocs: Vec<CoreReloc>,
}

/// How a symbol appears in the object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Linkage {
    /// `static`, or a literal: a local symbol.
    Static,
    /// External definition.
    Global,
    /// External definition that another may replace.
    Weak,
    /// Declared `extern`, defined elsewhere (kernel function, kernel symbol, kconfig, other object).
    Extern,
    /// As `Extern`, and may be missing.
    ExternWeak,
}

/// Inlining wishes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Inline {
    /// Nothing said.
    #[default]
    Auto,
    /// `inline`.
    Hint,
    /// `__attribute__((always_inline))`.
    Always,
    /// `__attribute__((noinline))`.
    Never,
}

/// A function.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: Symbol,
    /// A `Type::Function`.
    pub ty: TypeId,
    /// How its symbol appears.
    pub linkage: Linkage,
    /// `__attribute__((visibility("hidden")))`.
    pub hidden: bool,
    /// `SEC("...")`.
    pub section: Option<Symbol>,
    /// Inlining wishes.
    pub inline: Inline,
    /// `__attribute__((naked))`: the body is assembly only.
    pub naked: bool,
    /// `__attribute__((used))`: kept even when nothing refers to it.
    pub used: bool,
    /// `__attribute__((noreturn))`.
    pub noreturn: bool,
    /// `__attribute__((error("...")))`: a call that survives optimisation is an error.
    pub error: Option<Symbol>,
    /// `btf_decl_tag`s of the function.
    pub decl_tags: Vec<Symbol>,
    /// `btf_decl_tag`s of the parameters: (parameter index, tag).
    pub param_tags: Vec<(u32, Symbol)>,
    /// Where the name is declared.
    pub span: Span,
    /// Position of its definition among the declarations of the unit.
    pub order: u32,
    /// The definition.
    pub body: Option<Body>,
}

/// The definition of a function.
#[derive(Debug)]
pub struct Body {
    /// Parameters first, in order, then every local of every scope.
    pub locals: Vec<Local>,
    /// How many of the locals are parameters.
    pub n_params: u32,
    /// Names of the labels, for messages.
    pub labels: Vec<Label>,
    /// The statements.
    pub block: Vec<Stmt>,
    /// The closing brace: the location of an implicit return.
    pub end: Span,
}

/// A variable with automatic storage, or a parameter, or a temporary made by sema.
#[derive(Debug)]
pub struct Local {
    /// `None` for temporaries (compound literals, cleanup and conversion temporaries).
    pub name: Option<Symbol>,
    /// Its type.
    pub ty: TypeId,
    /// Alignment in bytes, `aligned` attributes included.
    pub align: u32,
    /// Its declarator.
    pub span: Span,
}

/// A label of a function.
#[derive(Debug)]
pub struct Label {
    /// Its name.
    pub name: Symbol,
    /// Where it is defined.
    pub span: Span,
}

/// A variable with static storage, or a string literal.
#[derive(Debug)]
pub struct Global {
    /// Name in the object: `fn.var` for static locals, made-up for literals.
    pub name: String,
    /// The name in the source, for BTF and messages; `None` for literals.
    pub source_name: Option<Symbol>,
    /// Its type; the length of an array is known when it is defined.
    pub ty: TypeId,
    /// Alignment in bytes.
    pub align: u32,
    /// How its symbol appears.
    pub linkage: Linkage,
    /// `__attribute__((visibility("hidden")))`.
    pub hidden: bool,
    /// `SEC("...")`; otherwise the kind of data decides.
    pub section: Option<Symbol>,
    /// `__attribute__((used))`.
    pub used: bool,
    /// Is a string literal: goes to a mergeable string section when its address is needed.
    pub literal: bool,
    /// Declared const (after typedefs): its bytes never change at run time.
    pub constant: bool,
    /// Accesses through it are volatile (`const volatile` is still `.rodata`).
    pub volatile: bool,
    /// Bytes and addresses; `None` for a declaration or tentative definition (then zero).
    pub init: Option<Init>,
    /// `btf_decl_tag`s.
    pub decl_tags: Vec<Symbol>,
    /// Where it is declared.
    pub span: Span,
    /// Position of its definition among the declarations of the unit, if it is one of those.
    pub order: u32,
}

/// A static initialiser, laid out in the target's byte order by the emitter.
#[derive(Clone, Debug, Default)]
pub struct Init {
    /// Scalars at byte offsets, in increasing order, gaps are zero. Bit-fields arrive merged.
    pub scalars: Vec<InitScalar>,
}

/// One scalar of a static initialiser.
#[derive(Clone, Debug)]
pub struct InitScalar {
    /// Byte offset in the variable.
    pub offset: u64,
    /// Value.
    pub value: InitValue,
}

/// The value of one scalar of a static initialiser.
#[derive(Clone, Debug)]
pub enum InitValue {
    /// Integer of `size` bytes (1 to 16).
    Int {
        /// Two's complement bits.
        value: u128,
        /// Bytes.
        size: u32,
    },
    /// Raw bytes (string contents).
    Bytes(Vec<u8>),
    /// Address of a symbol plus bytes: 8 bytes with a relocation.
    Address {
        /// The symbol.
        symbol: SymbolRef,
        /// Bytes added to its address.
        addend: i64,
    },
}

impl InitValue {
    /// How many bytes it fills.
    pub fn size(&self) -> u64 {
        match self {
            InitValue::Int { size, .. } => u64::from(*size),
            InitValue::Bytes(bytes) => bytes.len() as u64,
            InitValue::Address { .. } => 8,
        }
    }
}

/// A symbol: function or variable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SymbolRef {
    /// A function.
    Func(FuncId),
    /// A variable or literal.
    Global(GlobalId),
}

/// Statements.
#[derive(Clone, Debug)]
pub struct Stmt {
    /// What it does.
    pub kind: StmtKind,
    /// Where.
    pub span: Span,
}

/// Kinds of statements. Loops keep their shape for the optimiser's benefit and for pragmas.
#[derive(Clone, Debug)]
pub enum StmtKind {
    /// Evaluate for its effects.
    Expr(Expr),
    /// A block with scope. Clean-ups (`__attribute__((cleanup))`) have become explicit calls.
    Block(Vec<Stmt>),
    /// A local comes into scope: its value is indeterminate from here on.
    Declare(LocalId),
    /// An aggregate gets constant contents: every byte zero, then the scalars of `init`. This is
    /// how initialised local records, arrays and compound literals start; elements that are not
    /// constant follow as assignments. No scalars: the object is zeroed.
    Fill {
        /// The whole object.
        place: Place,
        /// Its constant part.
        init: Init,
    },
    /// `if`.
    If {
        /// A scalar, compared with zero.
        cond: Expr,
        /// Taken when non-zero.
        then: Box<Stmt>,
        /// Taken when zero.
        els: Option<Box<Stmt>>,
    },
    /// `while`, `do`, `for`.
    Loop(Box<Loop>),
    /// `switch`.
    Switch {
        /// Promoted integer.
        value: Expr,
        /// Contains the `Case` and `Default` statements.
        body: Box<Stmt>,
    },
    /// `case lo ... hi:` label of the innermost switch, both ends in the switch's type.
    Case {
        /// First value.
        lo: i128,
        /// Last value, included.
        hi: i128,
    },
    /// `default:` label.
    Default,
    /// `__attribute__((fallthrough))`: the label that follows is meant to be reached from here.
    Fallthrough,
    /// A label of its own.
    Label(LabelId),
    /// `goto`.
    Goto(LabelId),
    /// Leaves the innermost loop or switch.
    Break,
    /// Next turn of the innermost loop.
    Continue,
    /// `return`, the value converted to the result type.
    Return(Option<Expr>),
    /// Inline assembly.
    Asm(Box<Asm>),
}

/// A loop.
#[derive(Clone, Debug)]
pub struct Loop {
    /// Tested before each turn (`while`, `for`) or after (`do`); `None` is true.
    pub cond: Option<Expr>,
    /// `do`: the body runs before the first test.
    pub test_last: bool,
    /// Executed after each turn and on `continue`.
    pub step: Option<Expr>,
    /// The body.
    pub body: Stmt,
    /// `#pragma unroll` and friends.
    pub unroll: Unroll,
}

/// Unrolling wishes of a loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unroll {
    /// Nothing said.
    #[default]
    Auto,
    /// `#pragma unroll`, `#pragma clang loop unroll(full)` or `unroll(enable)`.
    Full,
    /// `#pragma unroll N`, `unroll_count(N)`.
    Count(u32),
    /// `#pragma nounroll`, `unroll(disable)`.
    Never,
}

/// Inline assembly.
#[derive(Clone, Debug)]
pub struct Asm {
    /// Template with its escapes resolved by C. Operands and labels have numbers: `%0`, `%l0`.
    pub template: String,
    /// `volatile`, or without outputs.
    pub volatile: bool,
    /// `=` and `+` operands; read-write ones appear here only.
    pub outputs: Vec<AsmOutput>,
    /// Inputs.
    pub inputs: Vec<AsmInput>,
    /// Machine registers that it destroys, one bit each.
    pub clobbers: u16,
    /// Clobbers `memory`.
    pub memory: bool,
    /// `asm goto` targets.
    pub labels: Vec<LabelId>,
}

/// An output operand.
#[derive(Clone, Debug)]
pub struct AsmOutput {
    /// Where it may be.
    pub constraint: AsmConstraint,
    /// `+`.
    pub read_write: bool,
    /// `&`: written before all inputs are read.
    pub early: bool,
    /// Where the result goes.
    pub place: Place,
}

/// An input operand.
#[derive(Clone, Debug)]
pub struct AsmInput {
    /// Where it may be.
    pub constraint: AsmConstraint,
    /// Its value; for memory, the address.
    pub value: Expr,
}

/// Where an operand of inline assembly may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AsmConstraint {
    /// In a register.
    pub register: bool,
    /// Nowhere: a constant.
    pub constant: bool,
    /// In memory, and only there.
    pub memory: bool,
    /// Where the output of this number is.
    pub tied: Option<u32>,
}

/// A value.
#[derive(Clone, Debug)]
pub struct Expr {
    /// How it is computed.
    pub kind: ExprKind,
    /// Its type: unqualified, never an array or function.
    pub ty: TypeId,
    /// Where.
    pub span: Span,
}

/// Kinds of values. Operands of `Binary` and `Compare` have equal types unless said otherwise.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// Integer or pointer constant, two's complement, truncated to the type's size.
    Const(u128),
    /// Floating constant; only survives in code that is dead or in `sizeof`.
    Float(f64),
    /// Value in memory. Records are values too (copied by assignment, argument or return).
    Load(Place),
    /// Address of an object or function; arrays and functions decay through this.
    Address(Place),
    /// `place = value`, yields the value as stored.
    Assign {
        /// Left side.
        place: Place,
        /// Converted to the place's type.
        value: Box<Expr>,
    },
    /// `place op= value`: computed in `value`'s type `compute`, converted back, place evaluated once.
    /// Yields the new value, or the old one for `x++`.
    Update {
        /// Left side.
        place: Place,
        /// Operator; `PtrAdd`-like updates use the byte-scaled amount in `value` with `op` Add or Sub.
        op: BinaryOp,
        /// Right operand, already in the type of the computation.
        value: Box<Expr>,
        /// Type of the computation.
        compute: TypeId,
        /// Yield the old value.
        post: bool,
    },
    /// `-`, `~`.
    Unary(UnaryOp, Box<Expr>),
    /// Arithmetic.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// Comparison; yields `int` 0 or 1. Signedness is that of the operand type, pointers unsigned.
    Compare(CompareOp, Box<Expr>, Box<Expr>),
    /// `!`: yields `int` 0 or 1 of any scalar.
    Not(Box<Expr>),
    /// `&&` (true) or `||` (false), both sides scalars, yields `int`.
    Logical {
        /// `&&`.
        and: bool,
        /// Left side.
        left: Box<Expr>,
        /// Right side, evaluated only when the left does not decide.
        right: Box<Expr>,
    },
    /// `cond ? then : els`, branches converted to the type of the whole (or void).
    Cond {
        /// A scalar.
        cond: Box<Expr>,
        /// When non-zero.
        then: Box<Expr>,
        /// When zero.
        els: Box<Expr>,
    },
    /// GNU `value ?: els`.
    CondOmitted {
        /// Evaluated once: tested, then converted to the result type.
        value: Box<Expr>,
        /// When zero.
        els: Box<Expr>,
    },
    /// `left, right`.
    Comma(Box<Expr>, Box<Expr>),
    /// Conversion from the operand's type to this type: kinds follow from the two types.
    /// To `void` it discards; to `_Bool` it tests for non-zero.
    Convert(Box<Expr>),
    /// `pointer + index * scale` bytes; `index` is 64-bit. `negate` subtracts.
    PtrAdd {
        /// The pointer.
        pointer: Box<Expr>,
        /// Elements, a 64-bit integer.
        index: Box<Expr>,
        /// Bytes an element takes.
        scale: u64,
        /// `pointer - index`.
        negate: bool,
    },
    /// `(left - right) / scale`, a `long`.
    PtrDiff {
        /// Minuend.
        left: Box<Expr>,
        /// Subtrahend.
        right: Box<Expr>,
        /// Bytes an element takes, at least 1.
        scale: u64,
    },
    /// Function call.
    Call {
        /// Who is called.
        callee: Callee,
        /// Converted to the parameter types; default promotions where there are none.
        args: Vec<Expr>,
    },
    /// A builtin that is an operation of its own (see [`Builtin`]).
    Builtin(Builtin, Vec<Expr>),
    /// GNU statement expression: statements, then the value (absent when void).
    StmtExpr(Vec<Stmt>, Option<Box<Expr>>),
    /// A number that the loader computes: the value of a CO-RE relocation.
    Core(CoreId),
    /// Stands for an expression in error.
    Error,
}

/// Who a call calls.
#[derive(Clone, Debug)]
pub enum Callee {
    /// A function by name.
    Direct(FuncId),
    /// A function pointer. A constant small integer is the number of a helper: the optimiser
    /// finds that out (`static long (*const bpf_f)(...) = (void *)6`).
    Pointer(Box<Expr>),
}

/// An object in memory.
#[derive(Clone, Debug)]
pub struct Place {
    /// Which.
    pub kind: PlaceKind,
    /// Its type, qualifiers included (a volatile one makes the access volatile).
    pub ty: TypeId,
    /// Where.
    pub span: Span,
}

/// Kinds of places.
#[derive(Clone, Debug)]
pub enum PlaceKind {
    /// A local or parameter.
    Local(LocalId),
    /// A variable with static storage or a string literal.
    Global(GlobalId),
    /// A function (only its address can be taken).
    Func(FuncId),
    /// What a pointer points to.
    Deref(Box<Expr>),
    /// A member at a fixed byte offset.
    Field {
        /// The record.
        base: Box<Place>,
        /// Byte offset in it.
        offset: u64,
    },
    /// A bit-field: `width` bits from bit `bit_offset` of the record, in the field's type.
    BitField {
        /// The record.
        base: Box<Place>,
        /// In bits from the start of the record.
        bit_offset: u64,
        /// In bits.
        width: u32,
        /// Size in bytes of the declared type: accesses stay inside that storage unit where the
        /// layout allows it.
        unit: u32,
    },
    /// Element of an array.
    Index {
        /// The array.
        base: Box<Place>,
        /// A 64-bit integer.
        index: Box<Expr>,
        /// Bytes an element takes.
        scale: u64,
    },
    /// A member reached through a CO-RE relocation: address `base + core` bytes, the offset
    /// being filled in by the loader. The whole access path since `base` is one relocation.
    Core {
        /// Address of the root record.
        base: Box<Expr>,
        /// A `FieldByteOffset` relocation.
        core: CoreId,
    },
    /// A bit-field reached through CO-RE: address `base + core`, then the local layout's bits
    /// within the storage unit found there.
    CoreBitField {
        /// Address of the root record.
        base: Box<Expr>,
        /// A `FieldByteOffset` relocation of the storage unit.
        core: CoreId,
        /// First bit within the unit, little-endian numbering.
        bit_offset: u32,
        /// In bits.
        width: u32,
        /// Size of the unit in bytes.
        unit: u32,
    },
    /// A value that is not an lvalue used as an object (member of a returned record).
    Temporary(Box<Expr>),
}

/// `-`, `~`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum UnaryOp {
    Neg,
    BitNot,
}

/// Arithmetic operators; signedness is that of the type. Shift counts have the left type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Shl,
    Shr,
    And,
    Or,
    Xor,
}

/// Comparison operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// Builtins that reach the IR. Others (`__builtin_offsetof`, `__builtin_types_compatible_p`,
/// `__builtin_choose_expr`, ...) are resolved by sema.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Builtin {
    /// `(dst, src, n)`: yields `dst`. Also plain `memcpy` calls.
    Memcpy,
    /// `(dst, src, n)`, may overlap.
    Memmove,
    /// `(dst, byte, n)`.
    Memset,
    /// `(a, b, n)`: yields int.
    Memcmp,
    /// `(s)`: folds on literals.
    Strlen,
    /// `(a, b)`: folds on literals.
    Strcmp,
    /// `(x)` of 16, 32 or 64 bits, the operand's size.
    Bswap,
    /// `(x, n)` of 8 to 64 bits: x rotated by n places, n taken modulo the size.
    RotateLeft,
    /// `(x)` of 8 to 64 bits: the lowest bit becomes the highest.
    BitReverse,
    /// Count of leading zeros of the operand; undefined at 0.
    Clz,
    /// Count of trailing zeros; undefined at 0.
    Ctz,
    /// One plus the index of the lowest set bit, or 0.
    Ffs,
    /// Number of set bits.
    Popcount,
    /// 1 if an odd number of bits is set.
    Parity,
    /// How many bits below the sign bit are like it.
    Clrsb,
    /// 1 if the operand is constant after optimisation, else 0.
    ConstantP,
    /// Control does not come here.
    Unreachable,
    /// Stops; a trap that survives optimisation calls the unreachable-trap kfunc.
    Trap,
    /// `(x, expected)`: yields x.
    Expect,
    /// Atomic `old = *p; *p = old op v; yields old` (false) or the new value (true).
    AtomicFetch(AtomicRmw, bool),
    /// `(p, v)`: yields the old value.
    AtomicExchange,
    /// `(p, expected, new)`: yields the old value.
    AtomicCompareExchange,
    /// `(p)`: load with acquire or weaker ordering.
    AtomicLoad,
    /// `(p, v)`.
    AtomicStore,
    /// A full barrier for the compiler.
    Barrier,
    /// `(a, b, p)`: stores the wrapped result through p, yields overflow as int.
    Overflow(BinaryOp),
    /// `(p, from, to)` address space cast of BPF arenas.
    AddrSpaceCast,
    /// `__builtin_frame_address(0)`.
    FrameAddress,
    /// `__builtin_return_address(0)`.
    ReturnAddress,
    /// `va_start` and its like, on their lists: no machine code does that, but a function that is never
    /// called may.
    VarArgs,
    /// Prefetch: evaluated for effects of its operands only.
    Prefetch,
}

/// Read-modify-write operators of atomics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum AtomicRmw {
    Add,
    Sub,
    And,
    Or,
    Xor,
    Nand,
}

/// A CO-RE relocation (kernel `enum bpf_core_relo_kind`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CoreReloc {
    /// What is asked of the target's types.
    pub kind: CoreKind,
    /// The type the access starts from: record, enum, or typedef as written.
    pub root: TypeId,
    /// `0:1:2`: array index, then member, element or enumerator indexes.
    pub access: String,
    /// What the answer is for the local types: the value before relocation.
    pub local: u64,
    /// Innermost record and member, for messages.
    pub member: Option<(RecordId, u32)>,
    /// Result is 64 bits wide (`ld_imm64`): enumerator values and type ids.
    pub wide: bool,
}

impl Global {
    /// Has storage in this object: a definition, or a tentative one.
    pub fn is_defined(&self) -> bool {
        match self.linkage {
            Linkage::Static | Linkage::Global | Linkage::Weak => true,
            Linkage::Extern | Linkage::ExternWeak => false,
        }
    }
}

impl Init {
    /// Bytes up to the end of the last scalar.
    pub fn size(&self) -> u64 {
        let end = |scalar: &InitScalar| {
            scalar.offset.saturating_add(match &scalar.value {
                InitValue::Int { size, .. } => (*size).into(),
                InitValue::Bytes(bytes) => bytes.len() as u64,
                InitValue::Address { .. } => 8,
            })
        };
        self.scalars.iter().map(end).max().unwrap_or(0)
    }

    /// Are all bytes zero?
    pub fn is_zero(&self) -> bool {
        self.scalars.iter().all(|scalar| match &scalar.value {
            InitValue::Int { value, .. } => *value == 0,
            InitValue::Bytes(bytes) => bytes.iter().all(|&byte| byte == 0),
            InitValue::Address { .. } => false,
        })
    }
}
