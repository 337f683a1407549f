//! The instructions of the IR.
//!
//! Code that must know every instruction matches [`InstData`] without a `_` arm. Code that only
//! walks operands uses [`InstData::for_each_operand`] and [`InstData::map_operands`].

use std::fmt;
use std::sync::Arc;

use thin_vec::ThinVec;

use super::asm::Asm;
use super::entities::{Block, CoreId, Slot, SymbolId, Value};

/// An enum whose variants have a name in the text form; both directions come from one table.
macro_rules! named {
    ($($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $variant:ident $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[allow(missing_docs)]
        pub enum $name { $($(#[$about])* $variant,)* }

        impl $name {
            /// All of them, in order.
            pub const ALL: &[$name] = &[$($name::$variant),*];

            /// Its name in the text form.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            /// The one with this name.
            pub fn from_name(name: &str) -> Option<$name> {
                match name { $($text => Some($name::$variant),)* _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    )*};
}

named! {
    /// Type of a value.
    Type {
        I1 "i1",
        I8 "i8",
        I16 "i16",
        I32 "i32",
        I64 "i64",
        Ptr "ptr",
    }

    /// Two-operand arithmetic on `i32` and `i64`.
    BinaryOp {
        Add "add",
        Sub "sub",
        Mul "mul",
        Udiv "udiv",
        Sdiv "sdiv",
        Urem "urem",
        Srem "srem",
        And "and",
        Or "or",
        Xor "xor",
        Shl "shl",
        Lshr "lshr",
        Ashr "ashr",
    }

    /// One-operand arithmetic.
    UnaryOp {
        /// `0 - x`, of `i32` and `i64`.
        Neg "neg",
        /// `x ^ -1`, of `i32` and `i64`; of `i1` the negated condition.
        Not "not",
        /// Reversed bytes, of `i16`, `i32` and `i64`.
        Bswap "bswap",
    }

    /// Conversions between types.
    ConvertOp {
        /// To a wider integer, upper bits zero. From `i1` too.
        Zext "zext",
        /// To a wider integer, upper bits copies of the sign.
        Sext "sext",
        /// To a narrower integer.
        Trunc "trunc",
        /// `ptr` to `i64`.
        PtrToInt "ptr_to_int",
        /// `i64` to `ptr`.
        IntToPtr "int_to_ptr",
    }

    /// Comparisons of `i32`, `i64` and `ptr` (unsigned); the result is `i1`.
    Compare {
        Eq "eq",
        Ne "ne",
        Ult "ult",
        Ule "ule",
        Ugt "ugt",
        Uge "uge",
        Slt "slt",
        Sle "sle",
        Sgt "sgt",
        Sge "sge",
    }

    /// Read-modify-write operations on `i32` and `i64`; the result is the old value.
    AtomicOp {
        Add "add",
        And "and",
        Or "or",
        Xor "xor",
        Xchg "xchg",
    }

    /// Operations that are folded or expanded before code is selected, unless said otherwise.
    Intrinsic {
        /// `(x) -> i32`: 1 when `x` is a constant once optimised, else 0.
        ConstantP "constant_p",
        /// `(dst, src, n: i64, align: i64)`: no overlap, except of an object with itself. `align` is
        /// a constant, the known alignment of both; it may be left out, then it is 1.
        Memcpy "memcpy",
        /// `(dst, src, n: i64, align: i64)`: as `memcpy`, and may overlap.
        Memmove "memmove",
        /// `(dst, byte: i32, n: i64, align: i64)`: `align` as for `memcpy`.
        Memset "memset",
        /// `(a, b, n: i64) -> i32`.
        Memcmp "memcmp",
        /// `(s) -> i64`.
        Strlen "strlen",
        /// `(a, b) -> i32`.
        Strcmp "strcmp",
        /// `(x) -> i32`: leading zeros of an `i32` or `i64`; its width for 0.
        Clz "clz",
        /// `(x) -> i32`: trailing zeros of an `i32` or `i64`; its width for 0.
        Ctz "ctz",
        /// `(x) -> i32`: number of set bits of an `i32` or `i64`.
        Popcount "popcount",
        /// `(x) -> type of x`: the same value, about which nothing is known
        /// (`asm volatile("" : "+r"(x))`). Reaches the selector, which emits nothing for it.
        Opaque "opaque",
        /// Memory accesses do not cross it (`asm volatile("" ::: "memory")`). Reaches the selector.
        Fence "fence",
        /// Stops the program: an error when it is still reachable after optimisation.
        Trap "trap",
        /// `() -> ptr`: the frame pointer.
        FrameAddress "frame_address",
        /// `(result of an asm, n: i32)`: operand `n` of the assembly, an output other than its first.
        /// Stands right after it.
        AsmResult "asm_result",
        /// 128-bit arithmetic other than what is done in two halves.
        Wide "wide",
        /// Floating-point arithmetic.
        Float "float",
        /// `__builtin_return_address`.
        ReturnAddress "return_address",
        /// A 128-bit, floating or record value where the calling convention has none.
        OddArgument "odd_argument",
        /// `(ptr, to << 16 | from: i32) -> ptr`: the pointer in another address space. Reaches the
        /// selector.
        CastAddressSpace "cast_address_space",
        /// A read-modify-write operation that BPF lacks: on 1 or 2 bytes, or `nand`.
        OddAtomic "odd_atomic",
        /// What `va_start`, `va_arg` and their like do.
        VarArgs "var_args",
    }
}

/// Facts about a memory access.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MemFlags {
    /// Must happen exactly as written.
    pub volatile: bool,
    /// Known alignment of the address in bytes, a power of two. 0 is not used.
    pub align: u32,
}

/// Who a call calls.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Callee {
    /// A helper by number.
    Helper(u32),
    /// A function of the module, defined or external (kernel functions).
    Func(SymbolId),
    /// Through a pointer. Must become one of the others before code is selected.
    Indirect(Value),
}

/// A jump to a block with arguments for its parameters.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub struct BlockCall {
    pub block: Block,
    pub args: ThinVec<Value>,
}

impl BlockCall {
    /// A jump to a block without parameters.
    pub fn to(block: Block) -> BlockCall {
        BlockCall { block, args: ThinVec::new() }
    }
}

/// One case of a switch: values `lo..=hi`, compared unsigned in the operand's width.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub struct SwitchCase {
    pub lo: u64,
    pub hi: u64,
    pub target: BlockCall,
}

/// One instruction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum InstData {
    /// `iconst`: an integer or pointer constant, truncated to the type's width.
    Const {
        ty: Type,
        value: u64,
    },
    /// `addr @symbol+offset`.
    SymbolAddr {
        symbol: SymbolId,
        offset: i64,
    },
    /// `slot_addr s0+offset`.
    SlotAddr {
        slot: Slot,
        offset: i32,
    },
    /// `core coreN`: the value of a CO-RE relocation.
    Core {
        ty: Type,
        core: CoreId,
    },
    Unary {
        op: UnaryOp,
        arg: Value,
    },
    Binary {
        op: BinaryOp,
        args: [Value; 2],
    },
    /// `ptr_add base, offset`: `ptr + i64`.
    PtrAdd {
        base: Value,
        offset: Value,
    },
    Convert {
        op: ConvertOp,
        ty: Type,
        arg: Value,
    },
    Compare {
        op: Compare,
        args: [Value; 2],
    },
    /// `cond ? args[0] : args[1]`.
    Select {
        cond: Value,
        args: [Value; 2],
    },
    Load {
        ty: Type,
        base: Value,
        offset: i32,
        flags: MemFlags,
    },
    Store {
        value: Value,
        base: Value,
        offset: i32,
        flags: MemFlags,
    },
    AtomicRmw {
        op: AtomicOp,
        base: Value,
        offset: i32,
        value: Value,
    },
    /// Yields the old value.
    AtomicCmpXchg {
        base: Value,
        offset: i32,
        expected: Value,
        new: Value,
    },
    /// `ret` is the type of the result, `None` when there is none.
    Call {
        callee: Callee,
        args: ThinVec<Value>,
        ret: Option<Type>,
    },
    /// `ty` is the type of the result, `None` when there is none.
    Intrinsic {
        op: Intrinsic,
        args: ThinVec<Value>,
        ty: Option<Type>,
    },
    /// Inline assembly. With targets it is a terminator: control goes on to the first, or the text
    /// jumps to one of the others.
    Asm {
        asm: Arc<Asm>,
        args: ThinVec<Value>,
        targets: ThinVec<BlockCall>,
    },

    // Terminators.
    Jump {
        target: BlockCall,
    },
    /// To `then` when the `i1` is true.
    Branch {
        cond: Value,
        then: BlockCall,
        els: BlockCall,
    },
    Switch {
        value: Value,
        cases: ThinVec<SwitchCase>,
        default: BlockCall,
    },
    Return {
        value: Option<Value>,
    },
    /// Control does not come here.
    Unreachable,
}

// Every pass walks over all instructions: their size is its time.
const _: () = assert!(size_of::<InstData>() <= 40);

/// Shows `$one` every operand of an instruction, in order: one list for readers and writers alike.
macro_rules! operands {
    ($data:expr, $one:ident, $iter:ident) => {
        match $data {
            InstData::Const { .. }
            | InstData::SymbolAddr { .. }
            | InstData::SlotAddr { .. }
            | InstData::Core { .. }
            | InstData::Unreachable => {}
            InstData::Unary { arg, .. } | InstData::Convert { arg, .. } => $one(arg),
            InstData::Binary { args, .. } | InstData::Compare { args, .. } => args.$iter().for_each($one),
            InstData::PtrAdd { base, offset } => {
                $one(base);
                $one(offset);
            }
            InstData::Select { cond, args } => {
                $one(cond);
                args.$iter().for_each($one);
            }
            InstData::Load { base, .. } => $one(base),
            InstData::Store { value, base, .. } | InstData::AtomicRmw { base, value, .. } => {
                $one(value);
                $one(base);
            }
            InstData::AtomicCmpXchg { base, expected, new, .. } => {
                $one(base);
                $one(expected);
                $one(new);
            }
            InstData::Call { callee, args, .. } => {
                if let Callee::Indirect(pointer) = callee {
                    $one(pointer);
                }
                args.$iter().for_each($one);
            }
            InstData::Intrinsic { args, .. } => args.$iter().for_each($one),
            InstData::Asm { args, targets, .. } => {
                args.$iter().for_each(&mut $one);
                targets.$iter().for_each(|target| target.args.$iter().for_each(&mut $one));
            }
            InstData::Jump { target } => target.args.$iter().for_each($one),
            InstData::Branch { cond, then, els } => {
                $one(cond);
                then.args.$iter().for_each(&mut $one);
                els.args.$iter().for_each($one);
            }
            InstData::Switch { value, cases, default } => {
                $one(value);
                cases.$iter().for_each(|case| case.target.args.$iter().for_each(&mut $one));
                default.args.$iter().for_each($one);
            }
            InstData::Return { value } => value.$iter().for_each($one),
        }
    };
}

/// The jumps of a terminator, in order, as [`InstData::targets`] shows them.
#[derive(Clone, Default)]
pub struct Targets<'a>(Jumps<'a>);

/// Those that are left.
#[derive(Clone, Copy, Default)]
enum Jumps<'a> {
    #[default]
    None,
    One(&'a BlockCall),
    Two(&'a BlockCall, &'a BlockCall),
    /// Those of a switch, then its default.
    Cases(&'a [SwitchCase], &'a BlockCall),
    /// Those of assembly.
    Labels(&'a [BlockCall]),
}

impl<'a> Targets<'a> {
    /// The jump with this number.
    pub fn get(&self, index: usize) -> Option<&'a BlockCall> {
        match self.0 {
            Jumps::Cases(cases, default) if index == cases.len() => Some(default),
            Jumps::Cases(cases, _) => Some(&cases.get(index)?.target),
            Jumps::Labels(labels) => labels.get(index),
            Jumps::One(_) | Jumps::Two(..) | Jumps::None => self.clone().nth(index),
        }
    }
}

impl std::ops::Index<usize> for Targets<'_> {
    type Output = BlockCall;

    fn index(&self, index: usize) -> &BlockCall {
        self.get(index).expect("the terminator has so many jumps")
    }
}

impl<'a> Iterator for Targets<'a> {
    type Item = &'a BlockCall;

    #[inline]
    fn next(&mut self) -> Option<&'a BlockCall> {
        let (first, rest) = match self.0 {
            Jumps::None => return None,
            Jumps::One(last) => (last, Jumps::None),
            Jumps::Two(first, last) => (first, Jumps::One(last)),
            Jumps::Cases([first, rest @ ..], default) => (&first.target, Jumps::Cases(rest, default)),
            Jumps::Cases([], default) => (default, Jumps::None),
            Jumps::Labels([first, rest @ ..]) => (first, Jumps::Labels(rest)),
            Jumps::Labels([]) => return None,
        };
        self.0 = rest;
        Some(first)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match self.0 {
            Jumps::None => 0,
            Jumps::One(_) => 1,
            Jumps::Two(..) => 2,
            Jumps::Cases(cases, _) => cases.len() + 1,
            Jumps::Labels(labels) => labels.len(),
        };
        (left, Some(left))
    }

    // What `for_each` does: one decision for all.
    #[inline]
    fn fold<B, F: FnMut(B, &'a BlockCall) -> B>(self, init: B, mut f: F) -> B {
        match self.0 {
            Jumps::None => init,
            Jumps::One(last) => f(init, last),
            Jumps::Two(first, last) => {
                let all = f(init, first);
                f(all, last)
            }
            Jumps::Cases(cases, default) => {
                let all = cases.iter().map(|case| &case.target).fold(init, &mut f);
                f(all, default)
            }
            Jumps::Labels(labels) => labels.iter().fold(init, f),
        }
    }
}

impl ExactSizeIterator for Targets<'_> {}

impl Type {
    /// Bytes in memory; `i1` is never in memory.
    pub const fn bytes(self) -> u32 {
        match self {
            Type::I1 | Type::I8 => 1,
            Type::I16 => 2,
            Type::I32 => 4,
            Type::I64 | Type::Ptr => 8,
        }
    }

    /// Significant bits.
    pub const fn bits(self) -> u32 {
        match self {
            Type::I1 => 1,
            Type::I8 => 8,
            Type::I16 => 16,
            Type::I32 => 32,
            Type::I64 | Type::Ptr => 64,
        }
    }

    /// A value with only the significant bits.
    pub const fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits())
    }

    /// The value sign-extended from this type's width to 64 bits.
    pub const fn sign_extend(self, value: u64) -> i64 {
        let unused = 64 - self.bits();
        ((value << unused) as i64) >> unused
    }

    /// The integer type of this many bytes.
    pub const fn int_of_bytes(bytes: u64) -> Option<Type> {
        match bytes {
            1 => Some(Type::I8),
            2 => Some(Type::I16),
            4 => Some(Type::I32),
            8 => Some(Type::I64),
            _ => None,
        }
    }
}

impl Intrinsic {
    /// What to call it in an error, if it has no machine code: it may be written in code that
    /// optimisation removes, so it is carried along and refused only where code is selected.
    pub const fn unsupported(self) -> Option<&'static str> {
        match self {
            Intrinsic::Wide => Some("this operation on 128-bit integers"),
            Intrinsic::Float => Some("floating-point arithmetic"),
            Intrinsic::ReturnAddress => Some("`__builtin_return_address`"),
            Intrinsic::OddArgument => Some("an argument or result of this type"),
            Intrinsic::OddAtomic => Some("this atomic operation"),
            Intrinsic::VarArgs => Some("access to variable arguments"),
            Intrinsic::ConstantP
            | Intrinsic::Memcpy
            | Intrinsic::Memmove
            | Intrinsic::Memset
            | Intrinsic::Memcmp
            | Intrinsic::Strlen
            | Intrinsic::Strcmp
            | Intrinsic::Clz
            | Intrinsic::Ctz
            | Intrinsic::Popcount
            | Intrinsic::Opaque
            | Intrinsic::AsmResult
            | Intrinsic::Fence
            | Intrinsic::Trap
            | Intrinsic::CastAddressSpace
            | Intrinsic::FrameAddress => None,
        }
    }
}

impl Compare {
    /// The comparison that is true exactly when this one is false.
    pub const fn negated(self) -> Compare {
        match self {
            Compare::Eq => Compare::Ne,
            Compare::Ne => Compare::Eq,
            Compare::Ult => Compare::Uge,
            Compare::Ule => Compare::Ugt,
            Compare::Ugt => Compare::Ule,
            Compare::Uge => Compare::Ult,
            Compare::Slt => Compare::Sge,
            Compare::Sle => Compare::Sgt,
            Compare::Sgt => Compare::Sle,
            Compare::Sge => Compare::Slt,
        }
    }

    /// The comparison with its operands exchanged.
    pub const fn swapped(self) -> Compare {
        match self {
            Compare::Eq => Compare::Eq,
            Compare::Ne => Compare::Ne,
            Compare::Ult => Compare::Ugt,
            Compare::Ule => Compare::Uge,
            Compare::Ugt => Compare::Ult,
            Compare::Uge => Compare::Ule,
            Compare::Slt => Compare::Sgt,
            Compare::Sle => Compare::Sge,
            Compare::Sgt => Compare::Slt,
            Compare::Sge => Compare::Sle,
        }
    }
}

impl InstData {
    /// Ends a block?
    pub fn is_terminator(&self) -> bool {
        match self {
            InstData::Jump { .. }
            | InstData::Branch { .. }
            | InstData::Switch { .. }
            | InstData::Return { .. }
            | InstData::Unreachable => true,
            InstData::Asm { targets, .. } => !targets.is_empty(),
            _ => false,
        }
    }

    /// May it be removed when its result is unused, and merged with an identical one?
    /// Loads are not pure: they depend on memory.
    pub fn is_pure(&self) -> bool {
        match self {
            InstData::Const { .. }
            | InstData::SymbolAddr { .. }
            | InstData::SlotAddr { .. }
            | InstData::Core { .. }
            | InstData::Unary { .. }
            | InstData::Binary { .. }
            | InstData::PtrAdd { .. }
            | InstData::Convert { .. }
            | InstData::Compare { .. }
            | InstData::Select { .. } => true,
            InstData::Intrinsic { op, .. } => match op {
                Intrinsic::ConstantP
                | Intrinsic::Clz
                | Intrinsic::Ctz
                | Intrinsic::Popcount
                | Intrinsic::FrameAddress
                | Intrinsic::Wide
                | Intrinsic::Float
                | Intrinsic::ReturnAddress
                | Intrinsic::CastAddressSpace => true,
                Intrinsic::Memcpy
                | Intrinsic::Memmove
                | Intrinsic::Memset
                | Intrinsic::Memcmp
                | Intrinsic::Strlen
                | Intrinsic::Strcmp
                | Intrinsic::Opaque
                | Intrinsic::Fence
                | Intrinsic::Trap
                | Intrinsic::AsmResult
                | Intrinsic::OddArgument
                | Intrinsic::OddAtomic
                | Intrinsic::VarArgs => false,
            },
            InstData::Load { .. }
            | InstData::Store { .. }
            | InstData::AtomicRmw { .. }
            | InstData::AtomicCmpXchg { .. }
            | InstData::Call { .. }
            | InstData::Asm { .. }
            | InstData::Jump { .. }
            | InstData::Branch { .. }
            | InstData::Switch { .. }
            | InstData::Return { .. }
            | InstData::Unreachable => false,
        }
    }

    /// May it be removed when its result is unused?
    pub fn is_removable(&self) -> bool {
        match self {
            InstData::Load { flags, .. } => !flags.volatile,
            InstData::Intrinsic {
                op: Intrinsic::Memcmp | Intrinsic::Strlen | Intrinsic::Strcmp | Intrinsic::AsmResult,
                ..
            } => true,
            InstData::Asm { asm, targets, .. } => !asm.effects && targets.is_empty(),
            other => other.is_pure(),
        }
    }

    /// Truncates a constant to its type, so that equal constants are equal instructions.
    pub(super) fn normalize(&mut self) {
        if let InstData::Const { ty, value } = self {
            *value &= ty.mask();
        }
    }

    /// Calls `f` with every operand, block arguments included, in order.
    #[inline]
    pub fn for_each_operand(&self, mut f: impl FnMut(Value)) {
        let mut one = |v: &Value| f(*v);
        operands!(self, one, iter);
    }

    /// Replaces every operand, block arguments included, in order.
    pub fn map_operands(&mut self, mut f: impl FnMut(Value) -> Value) {
        let mut one = |v: &mut Value| *v = f(*v);
        operands!(self, one, iter_mut);
    }

    /// The jumps of a terminator, in order.
    #[inline]
    pub fn targets(&self) -> Targets<'_> {
        Targets(match self {
            InstData::Jump { target } => Jumps::One(target),
            InstData::Branch { then, els, .. } => Jumps::Two(then, els),
            InstData::Switch { cases, default, .. } => Jumps::Cases(cases, default),
            InstData::Asm { targets, .. } => Jumps::Labels(targets),
            _ => Jumps::None,
        })
    }

    /// The jumps of a terminator, in order, mutable.
    pub fn targets_mut(&mut self) -> impl Iterator<Item = &mut BlockCall> {
        let (mut cases, mut labels, mut last) = (&mut [][..], &mut [][..], [None, None]);
        match self {
            InstData::Jump { target } => last = [Some(target), None],
            InstData::Branch { then, els, .. } => last = [Some(then), Some(els)],
            InstData::Switch { cases: some, default, .. } => {
                (cases, last) = (some, [Some(default), None]);
            }
            InstData::Asm { targets, .. } => labels = targets,
            _ => {}
        }
        let cases = cases.iter_mut().map(|case: &mut SwitchCase| &mut case.target);
        cases.chain(labels).chain(last.into_iter().flatten())
    }
}
