//! Builtin functions: a table of names, the rule for their operands, and what they become.
//!
//! `sizeof`-like builtins with a syntax of their own (`__builtin_offsetof`, ...) are expressions
//! of the grammar and not in this table.

use skep_syntax::ast::{ExprId, ExprKind as Ast, List, TypeNameId, UnOp};
use skep_syntax::diag::codes;
use skep_syntax::intern::Symbol;
use skep_syntax::source::Span;

use crate::hir::{AtomicRmw, BinaryOp, Builtin, CompareOp, CoreKind, Expr, ExprKind};
use crate::types::{FloatKind, IntKind, Quals, Type, TypeId};

use super::Sema;
use super::bits::Align;
use super::composed::Composed;
use super::consteval::Constant;
use super::convert::Use;
use super::scope::Binding;

/// A builtin.
#[derive(Debug)]
pub struct Row {
    name: &'static str,
    /// How many arguments it takes: least and most.
    args: (usize, usize),
    rule: Rule,
}

/// How operands and result of a builtin are found.
#[derive(Clone, Copy, Debug)]
enum Rule {
    /// Fixed parameter and result types.
    Plain(Builtin, &'static [Ty], Ty),
    /// One operand of this type; the operation works on its bits.
    Bits(Builtin, IntKind, Ty),
    /// One operand of any unsigned type; a second one is the answer for zero.
    Count(Builtin),
    /// To the left (true) or right.
    Rotate(bool, IntKind),
    Align(Align),
    ConstantP,
    Expect,
    Unpredictable,
    Trap,
    Unreachable,
    /// `__builtin_assume`, `__builtin_prefetch`: operands for their effects only.
    Effects,
    AssumeAligned,
    Abs(IntKind),
    ClassifyType,
    Overflow(BinaryOp, Option<IntKind>),
    ObjectSize,
    /// Frame and return addresses.
    Address(Builtin),
    PreserveAccessIndex,
    PreserveFieldInfo,
    PreserveTypeInfo,
    PreserveEnumValue,
    BtfTypeId,
    PreserveStaticOffset,
    /// `__sync_fetch_and_OP`, `__sync_OP_and_fetch` (true), `__atomic_...` with an order argument.
    Fetch(AtomicRmw, bool),
    SyncCompare {
        yields_old: bool,
    },
    SyncExchange,
    SyncRelease,
    Barrier,
    AtomicLoad,
    AtomicStore,
    AtomicExchange,
    /// The generic form (true) takes the new value by address.
    AtomicCompare(bool),
    AtomicExchangeObjects,
    /// A load (true) or store by address.
    AtomicTransfer(bool),
    LockFree,
    /// Its operands are lists of arguments.
    VarArgs,
    /// The first character of that kind in a literal, or the last (true).
    Find(bool),
    Composed(Composed),
    Missing,
}

/// Types in the table.
#[derive(Clone, Copy, Debug)]
enum Ty {
    Void,
    Int(IntKind),
    Ptr,
    ConstPtr,
    Str,
}

const INT: Ty = Ty::Int(IntKind::Int);
const SIZE: Ty = Ty::Int(IntKind::ULong);

macro_rules! rows {
    ($($name:literal $least:literal $most:literal $rule:expr;)*) => {
        static ROWS: &[Row] = &[$(Row { name: $name, args: ($least, $most), rule: $rule }),*];
    };
}

rows! {
    "__builtin_memcpy" 3 3 Rule::Plain(Builtin::Memcpy, &[Ty::Ptr, Ty::ConstPtr, SIZE], Ty::Ptr);
    "__builtin_memcpy_inline" 3 3 Rule::Plain(Builtin::Memcpy, &[Ty::Ptr, Ty::ConstPtr, SIZE], Ty::Void);
    "__builtin_memmove" 3 3 Rule::Plain(Builtin::Memmove, &[Ty::Ptr, Ty::ConstPtr, SIZE], Ty::Ptr);
    "__builtin_memset" 3 3 Rule::Plain(Builtin::Memset, &[Ty::Ptr, INT, SIZE], Ty::Ptr);
    "__builtin_memset_inline" 3 3 Rule::Plain(Builtin::Memset, &[Ty::Ptr, INT, SIZE], Ty::Void);
    "__builtin_memcmp" 3 3 Rule::Plain(Builtin::Memcmp, &[Ty::ConstPtr, Ty::ConstPtr, SIZE], INT);
    "__builtin_bcmp" 3 3 Rule::Plain(Builtin::Memcmp, &[Ty::ConstPtr, Ty::ConstPtr, SIZE], INT);
    "__builtin_strlen" 1 1 Rule::Plain(Builtin::Strlen, &[Ty::Str], SIZE);
    "__builtin_strcmp" 2 2 Rule::Plain(Builtin::Strcmp, &[Ty::Str, Ty::Str], INT);
    "__builtin_strchr" 2 2 Rule::Find(false);
    "__builtin_strrchr" 2 2 Rule::Find(true);
    "__builtin_bswap16" 1 1 Rule::Bits(Builtin::Bswap, IntKind::UShort, Ty::Int(IntKind::UShort));
    "__builtin_bswap32" 1 1 Rule::Bits(Builtin::Bswap, IntKind::UInt, Ty::Int(IntKind::UInt));
    "__builtin_bswap64" 1 1 Rule::Bits(Builtin::Bswap, IntKind::ULong, Ty::Int(IntKind::ULong));
    "__builtin_clz" 1 1 Rule::Bits(Builtin::Clz, IntKind::UInt, INT);
    "__builtin_clzl" 1 1 Rule::Bits(Builtin::Clz, IntKind::ULong, INT);
    "__builtin_clzll" 1 1 Rule::Bits(Builtin::Clz, IntKind::ULongLong, INT);
    "__builtin_ctz" 1 1 Rule::Bits(Builtin::Ctz, IntKind::UInt, INT);
    "__builtin_ctzl" 1 1 Rule::Bits(Builtin::Ctz, IntKind::ULong, INT);
    "__builtin_ctzll" 1 1 Rule::Bits(Builtin::Ctz, IntKind::ULongLong, INT);
    "__builtin_ffs" 1 1 Rule::Bits(Builtin::Ffs, IntKind::Int, INT);
    "__builtin_ffsl" 1 1 Rule::Bits(Builtin::Ffs, IntKind::Long, INT);
    "__builtin_ffsll" 1 1 Rule::Bits(Builtin::Ffs, IntKind::LongLong, INT);
    "__builtin_popcount" 1 1 Rule::Bits(Builtin::Popcount, IntKind::UInt, INT);
    "__builtin_popcountl" 1 1 Rule::Bits(Builtin::Popcount, IntKind::ULong, INT);
    "__builtin_popcountll" 1 1 Rule::Bits(Builtin::Popcount, IntKind::ULongLong, INT);
    "__builtin_parity" 1 1 Rule::Bits(Builtin::Parity, IntKind::UInt, INT);
    "__builtin_parityl" 1 1 Rule::Bits(Builtin::Parity, IntKind::ULong, INT);
    "__builtin_parityll" 1 1 Rule::Bits(Builtin::Parity, IntKind::ULongLong, INT);
    "__builtin_clrsb" 1 1 Rule::Bits(Builtin::Clrsb, IntKind::Int, INT);
    "__builtin_clrsbl" 1 1 Rule::Bits(Builtin::Clrsb, IntKind::Long, INT);
    "__builtin_clrsbll" 1 1 Rule::Bits(Builtin::Clrsb, IntKind::LongLong, INT);
    "__builtin_rotateleft8" 2 2 Rule::Rotate(true, IntKind::UChar);
    "__builtin_rotateright8" 2 2 Rule::Rotate(false, IntKind::UChar);
    "__builtin_bitreverse8" 1 1 Rule::Bits(Builtin::BitReverse, IntKind::UChar, Ty::Int(IntKind::UChar));
    "__builtin_rotateleft16" 2 2 Rule::Rotate(true, IntKind::UShort);
    "__builtin_rotateright16" 2 2 Rule::Rotate(false, IntKind::UShort);
    "__builtin_bitreverse16" 1 1 Rule::Bits(Builtin::BitReverse, IntKind::UShort, Ty::Int(IntKind::UShort));
    "__builtin_rotateleft32" 2 2 Rule::Rotate(true, IntKind::UInt);
    "__builtin_rotateright32" 2 2 Rule::Rotate(false, IntKind::UInt);
    "__builtin_bitreverse32" 1 1 Rule::Bits(Builtin::BitReverse, IntKind::UInt, Ty::Int(IntKind::UInt));
    "__builtin_rotateleft64" 2 2 Rule::Rotate(true, IntKind::ULong);
    "__builtin_rotateright64" 2 2 Rule::Rotate(false, IntKind::ULong);
    "__builtin_bitreverse64" 1 1 Rule::Bits(Builtin::BitReverse, IntKind::ULong, Ty::Int(IntKind::ULong));
    "__builtin_clzs" 1 1 Rule::Bits(Builtin::Clz, IntKind::UShort, INT);
    "__builtin_ctzs" 1 1 Rule::Bits(Builtin::Ctz, IntKind::UShort, INT);
    "__builtin_clzg" 1 2 Rule::Count(Builtin::Clz);
    "__builtin_ctzg" 1 2 Rule::Count(Builtin::Ctz);
    "__builtin_popcountg" 1 1 Rule::Count(Builtin::Popcount);
    "__builtin_is_aligned" 2 2 Rule::Align(Align::Is);
    "__builtin_align_up" 2 2 Rule::Align(Align::Up);
    "__builtin_align_down" 2 2 Rule::Align(Align::Down);
    "__builtin_constant_p" 1 1 Rule::ConstantP;
    "__builtin_expect" 2 2 Rule::Expect;
    "__builtin_expect_with_probability" 3 3 Rule::Expect;
    "__builtin_unpredictable" 1 1 Rule::Unpredictable;
    "__builtin_trap" 0 0 Rule::Trap;
    "__builtin_debugtrap" 0 0 Rule::Trap;
    "__builtin_abort" 0 0 Rule::Trap;
    "__builtin_unreachable" 0 0 Rule::Unreachable;
    "__builtin_assume" 1 1 Rule::Effects;
    "__builtin_prefetch" 1 3 Rule::Effects;
    "__builtin_assume_aligned" 2 3 Rule::AssumeAligned;
    "__builtin_abs" 1 1 Rule::Abs(IntKind::Int);
    "__builtin_labs" 1 1 Rule::Abs(IntKind::Long);
    "__builtin_llabs" 1 1 Rule::Abs(IntKind::LongLong);
    "__builtin_classify_type" 1 1 Rule::ClassifyType;
    "__builtin_add_overflow" 3 3 Rule::Overflow(BinaryOp::Add, None);
    "__builtin_sub_overflow" 3 3 Rule::Overflow(BinaryOp::Sub, None);
    "__builtin_mul_overflow" 3 3 Rule::Overflow(BinaryOp::Mul, None);
    "__builtin_sadd_overflow" 3 3 Rule::Overflow(BinaryOp::Add, Some(IntKind::Int));
    "__builtin_saddl_overflow" 3 3 Rule::Overflow(BinaryOp::Add, Some(IntKind::Long));
    "__builtin_saddll_overflow" 3 3 Rule::Overflow(BinaryOp::Add, Some(IntKind::LongLong));
    "__builtin_uadd_overflow" 3 3 Rule::Overflow(BinaryOp::Add, Some(IntKind::UInt));
    "__builtin_uaddl_overflow" 3 3 Rule::Overflow(BinaryOp::Add, Some(IntKind::ULong));
    "__builtin_uaddll_overflow" 3 3 Rule::Overflow(BinaryOp::Add, Some(IntKind::ULongLong));
    "__builtin_ssub_overflow" 3 3 Rule::Overflow(BinaryOp::Sub, Some(IntKind::Int));
    "__builtin_ssubl_overflow" 3 3 Rule::Overflow(BinaryOp::Sub, Some(IntKind::Long));
    "__builtin_ssubll_overflow" 3 3 Rule::Overflow(BinaryOp::Sub, Some(IntKind::LongLong));
    "__builtin_usub_overflow" 3 3 Rule::Overflow(BinaryOp::Sub, Some(IntKind::UInt));
    "__builtin_usubl_overflow" 3 3 Rule::Overflow(BinaryOp::Sub, Some(IntKind::ULong));
    "__builtin_usubll_overflow" 3 3 Rule::Overflow(BinaryOp::Sub, Some(IntKind::ULongLong));
    "__builtin_smul_overflow" 3 3 Rule::Overflow(BinaryOp::Mul, Some(IntKind::Int));
    "__builtin_smull_overflow" 3 3 Rule::Overflow(BinaryOp::Mul, Some(IntKind::Long));
    "__builtin_smulll_overflow" 3 3 Rule::Overflow(BinaryOp::Mul, Some(IntKind::LongLong));
    "__builtin_umul_overflow" 3 3 Rule::Overflow(BinaryOp::Mul, Some(IntKind::UInt));
    "__builtin_umull_overflow" 3 3 Rule::Overflow(BinaryOp::Mul, Some(IntKind::ULong));
    "__builtin_umulll_overflow" 3 3 Rule::Overflow(BinaryOp::Mul, Some(IntKind::ULongLong));
    "__builtin_object_size" 2 2 Rule::ObjectSize;
    "__builtin_dynamic_object_size" 2 2 Rule::ObjectSize;
    "__builtin_frame_address" 1 1 Rule::Address(Builtin::FrameAddress);
    "__builtin_return_address" 1 1 Rule::Address(Builtin::ReturnAddress);
    "__builtin_preserve_access_index" 1 1 Rule::PreserveAccessIndex;
    "__builtin_preserve_field_info" 2 2 Rule::PreserveFieldInfo;
    "__builtin_preserve_type_info" 2 2 Rule::PreserveTypeInfo;
    "__builtin_preserve_enum_value" 2 2 Rule::PreserveEnumValue;
    "__builtin_btf_type_id" 2 2 Rule::BtfTypeId;
    "__builtin_preserve_static_offset" 1 1 Rule::PreserveStaticOffset;
    "__sync_fetch_and_add" 2 99 Rule::Fetch(AtomicRmw::Add, false);
    "__sync_fetch_and_sub" 2 99 Rule::Fetch(AtomicRmw::Sub, false);
    "__sync_fetch_and_and" 2 99 Rule::Fetch(AtomicRmw::And, false);
    "__sync_fetch_and_or" 2 99 Rule::Fetch(AtomicRmw::Or, false);
    "__sync_fetch_and_xor" 2 99 Rule::Fetch(AtomicRmw::Xor, false);
    "__sync_fetch_and_nand" 2 99 Rule::Fetch(AtomicRmw::Nand, false);
    "__sync_add_and_fetch" 2 99 Rule::Fetch(AtomicRmw::Add, true);
    "__sync_sub_and_fetch" 2 99 Rule::Fetch(AtomicRmw::Sub, true);
    "__sync_and_and_fetch" 2 99 Rule::Fetch(AtomicRmw::And, true);
    "__sync_or_and_fetch" 2 99 Rule::Fetch(AtomicRmw::Or, true);
    "__sync_xor_and_fetch" 2 99 Rule::Fetch(AtomicRmw::Xor, true);
    "__sync_nand_and_fetch" 2 99 Rule::Fetch(AtomicRmw::Nand, true);
    "__atomic_fetch_add" 3 3 Rule::Fetch(AtomicRmw::Add, false);
    "__atomic_fetch_sub" 3 3 Rule::Fetch(AtomicRmw::Sub, false);
    "__atomic_fetch_and" 3 3 Rule::Fetch(AtomicRmw::And, false);
    "__atomic_fetch_or" 3 3 Rule::Fetch(AtomicRmw::Or, false);
    "__atomic_fetch_xor" 3 3 Rule::Fetch(AtomicRmw::Xor, false);
    "__atomic_fetch_nand" 3 3 Rule::Fetch(AtomicRmw::Nand, false);
    "__atomic_add_fetch" 3 3 Rule::Fetch(AtomicRmw::Add, true);
    "__atomic_sub_fetch" 3 3 Rule::Fetch(AtomicRmw::Sub, true);
    "__atomic_and_fetch" 3 3 Rule::Fetch(AtomicRmw::And, true);
    "__atomic_or_fetch" 3 3 Rule::Fetch(AtomicRmw::Or, true);
    "__atomic_xor_fetch" 3 3 Rule::Fetch(AtomicRmw::Xor, true);
    "__atomic_nand_fetch" 3 3 Rule::Fetch(AtomicRmw::Nand, true);
    "__sync_val_compare_and_swap" 3 99 Rule::SyncCompare { yields_old: true };
    "__sync_bool_compare_and_swap" 3 99 Rule::SyncCompare { yields_old: false };
    "__sync_lock_test_and_set" 2 99 Rule::SyncExchange;
    "__sync_swap" 2 99 Rule::SyncExchange;
    "__sync_lock_release" 1 99 Rule::SyncRelease;
    "__sync_synchronize" 0 99 Rule::Barrier;
    "__atomic_thread_fence" 1 1 Rule::Barrier;
    "__atomic_signal_fence" 1 1 Rule::Barrier;
    "__atomic_load_n" 2 2 Rule::AtomicLoad;
    "__atomic_store_n" 3 3 Rule::AtomicStore;
    "__atomic_exchange_n" 3 3 Rule::AtomicExchange;
    "__atomic_compare_exchange_n" 6 6 Rule::AtomicCompare(false);
    "__atomic_compare_exchange" 6 6 Rule::AtomicCompare(true);
    "__atomic_exchange" 4 4 Rule::AtomicExchangeObjects;
    "__atomic_load" 3 3 Rule::AtomicTransfer(true);
    "__atomic_store" 3 3 Rule::AtomicTransfer(false);
    "__atomic_always_lock_free" 2 2 Rule::LockFree;
    "__atomic_is_lock_free" 2 2 Rule::LockFree;
    "__builtin_huge_val" 0 0 Rule::Composed(Composed::Float(f64::INFINITY, FloatKind::Double));
    "__builtin_huge_valf" 0 0 Rule::Composed(Composed::Float(f64::INFINITY, FloatKind::Float));
    "__builtin_inf" 0 0 Rule::Composed(Composed::Float(f64::INFINITY, FloatKind::Double));
    "__builtin_inff" 0 0 Rule::Composed(Composed::Float(f64::INFINITY, FloatKind::Float));
    "__builtin_nan" 1 1 Rule::Composed(Composed::Float(f64::NAN, FloatKind::Double));
    "__builtin_nanf" 1 1 Rule::Composed(Composed::Float(f64::NAN, FloatKind::Float));
    "__builtin_LINE" 0 0 Rule::Composed(Composed::Line);
    "__builtin_COLUMN" 0 0 Rule::Composed(Composed::Column);
    "__builtin_FILE" 0 0 Rule::Composed(Composed::File(false));
    "__builtin_FILE_NAME" 0 0 Rule::Composed(Composed::File(true));
    "__builtin_FUNCTION" 0 0 Rule::Composed(Composed::Function);
    "__builtin_isnan" 1 1 Rule::Composed(Composed::Test(|x| x.is_nan().into()));
    "__builtin_isinf" 1 1 Rule::Composed(Composed::Test(|x| x.is_infinite().into()));
    "__builtin_isinf_sign" 1 1 Rule::Composed(Composed::Test(|x| if x.is_infinite() { x.signum() as i128 } else { 0 }));
    "__builtin_isfinite" 1 1 Rule::Composed(Composed::Test(|x| x.is_finite().into()));
    "__builtin_signbit" 1 1 Rule::Composed(Composed::Test(|x| x.is_sign_negative().into()));
    "__builtin_fabs" 1 1 Rule::Composed(Composed::Fabs(FloatKind::Double));
    "__builtin_fabsf" 1 1 Rule::Composed(Composed::Fabs(FloatKind::Float));
    "__builtin_elementwise_abs" 1 1 Rule::Composed(Composed::Abs);
    "__builtin_elementwise_max" 2 2 Rule::Composed(Composed::Either(CompareOp::Gt));
    "__builtin_elementwise_min" 2 2 Rule::Composed(Composed::Either(CompareOp::Lt));
    "__builtin_elementwise_add_sat" 2 2 Rule::Composed(Composed::Saturated(BinaryOp::Add));
    "__builtin_elementwise_sub_sat" 2 2 Rule::Composed(Composed::Saturated(BinaryOp::Sub));
    "__builtin_elementwise_bitreverse" 1 1 Rule::Composed(Composed::Reversed);
    "__builtin_addcb" 4 4 Rule::Composed(Composed::Carry(BinaryOp::Add, IntKind::UChar));
    "__builtin_addcs" 4 4 Rule::Composed(Composed::Carry(BinaryOp::Add, IntKind::UShort));
    "__builtin_addc" 4 4 Rule::Composed(Composed::Carry(BinaryOp::Add, IntKind::UInt));
    "__builtin_addcl" 4 4 Rule::Composed(Composed::Carry(BinaryOp::Add, IntKind::ULong));
    "__builtin_addcll" 4 4 Rule::Composed(Composed::Carry(BinaryOp::Add, IntKind::ULongLong));
    "__builtin_subcb" 4 4 Rule::Composed(Composed::Carry(BinaryOp::Sub, IntKind::UChar));
    "__builtin_subcs" 4 4 Rule::Composed(Composed::Carry(BinaryOp::Sub, IntKind::UShort));
    "__builtin_subc" 4 4 Rule::Composed(Composed::Carry(BinaryOp::Sub, IntKind::UInt));
    "__builtin_subcl" 4 4 Rule::Composed(Composed::Carry(BinaryOp::Sub, IntKind::ULong));
    "__builtin_subcll" 4 4 Rule::Composed(Composed::Carry(BinaryOp::Sub, IntKind::ULongLong));
    "__builtin_addressof" 1 1 Rule::Composed(Composed::AddressOf);
    "__builtin_launder" 1 1 Rule::Composed(Composed::Same);
    "__builtin_va_start" 1 2 Rule::VarArgs;
    "__builtin_va_end" 1 1 Rule::VarArgs;
    "__builtin_va_copy" 2 2 Rule::VarArgs;
    "__builtin_alloca" 1 1 Rule::Missing;
    "__builtin_setjmp" 1 1 Rule::Missing;
    "__builtin_longjmp" 2 2 Rule::Missing;
}

/// The names of all builtins.
pub fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.name)
}

impl Sema<'_, '_> {
    /// The builtin of that name.
    pub(super) fn builtin_row(&mut self, name: Symbol) -> Option<&'static Row> {
        if let Some(&row) = self.builtin_rows.get(&name) {
            return row;
        }
        let text = self.name(name);
        let row = text.starts_with("__").then(|| ROWS.iter().find(|row| row.name == text)).flatten();
        self.builtin_rows.insert(name, row);
        row
    }

    /// A call of a builtin.
    pub(super) fn builtin_call(
        &mut self,
        row: &'static Row,
        name: Symbol,
        args: List<ExprId>,
        span: Span,
    ) -> Expr {
        let (least, most) = row.args;
        if args.len() < least || args.len() > most {
            let few = if args.len() < least { "few" } else { "many" };
            let message = format!(
                "too {few} arguments for `{}`: {} given, it takes {least}",
                self.name(name),
                args.len()
            );
            self.error(&codes::ARGUMENTS, span, message);
            self.check_arguments_alone(args);
            return self.error_expr(span);
        }
        let ids: Vec<ExprId> = self.ast.list(args).collect();
        self.builtin_rule(row, &ids, span).unwrap_or_else(|| self.error_expr(span))
    }

    fn builtin_rule(&mut self, row: &'static Row, args: &[ExprId], span: Span) -> Option<Expr> {
        match row.rule {
            Rule::Plain(builtin, params, ret) => Some(self.plain(builtin, params, ret, args, span)),
            Rule::Bits(builtin, kind, ret) => {
                let arg = self.builtin_arg(args, 0, TypeId::int(kind))?;
                if matches!(builtin, Builtin::Clz | Builtin::Ctz) {
                    return Some(self.count_bits(builtin, arg, kind, span));
                }
                let ret = self.table_type(ret);
                Some(self.builtin(builtin, vec![arg], ret, span))
            }
            Rule::Count(builtin) => self.count_generic(builtin, args, span),
            Rule::Rotate(left, kind) => self.rotate(left, kind, args, span),
            Rule::Align(what) => self.align(what, args, span),
            Rule::ConstantP => Some(self.constant_p(*args.first()?, span)),
            Rule::Expect => self.expect(args, span),
            Rule::Unpredictable => self.builtin_arg(args, 0, TypeId::int(IntKind::Long)),
            Rule::Trap => Some(self.builtin(Builtin::Trap, Vec::new(), TypeId::VOID, span)),
            Rule::Unreachable => Some(self.builtin(Builtin::Unreachable, Vec::new(), TypeId::VOID, span)),
            Rule::Effects => {
                let args = args.iter().map(|&arg| self.rvalue(arg)).collect();
                Some(self.builtin(Builtin::Prefetch, args, TypeId::VOID, span))
            }
            Rule::AssumeAligned => {
                let pointer = self.rvalue(*args.first()?);
                let void = self.types.pointer(TypeId::VOID);
                Some(self.assigned(pointer, void, Use::Arg(1)))
            }
            Rule::Abs(kind) => self.abs(args, kind, span),
            Rule::ClassifyType => self.classify_type(*args.first()?, span),
            Rule::Overflow(op, kind) => self.overflow(op, kind, args, span),
            Rule::ObjectSize => self.object_size(args, span),
            Rule::Address(builtin) => {
                let level = self.builtin_arg(args, 0, TypeId::int(IntKind::UInt))?;
                let void = self.types.pointer(TypeId::VOID);
                Some(self.builtin(builtin, vec![level], void, span))
            }
            Rule::PreserveAccessIndex => {
                let outer = std::mem::replace(&mut self.ctx.preserve, true);
                let value = self.rvalue(*args.first()?);
                self.ctx.preserve = outer;
                Some(Expr { span, ..value })
            }
            Rule::PreserveFieldInfo => self.preserve_field_info(args, span),
            Rule::PreserveTypeInfo => {
                self.core_type(args, &[CoreKind::TypeExists, CoreKind::TypeSize, CoreKind::TypeMatches], span)
            }
            Rule::BtfTypeId => self.core_type(args, &[CoreKind::TypeIdLocal, CoreKind::TypeIdTarget], span),
            Rule::PreserveEnumValue => self.preserve_enum_value(args, span),
            Rule::PreserveStaticOffset => Some(self.rvalue(*args.first()?)),
            Rule::Fetch(rmw, new) => {
                let (pointer, ty) = self.atomic_pointer(*args.first()?)?;
                let value = self.atomic_operand(args, 1, ty)?;
                Some(self.builtin(Builtin::AtomicFetch(rmw, new), vec![pointer, value], ty, span))
            }
            Rule::SyncCompare { yields_old } => self.sync_compare(args, yields_old, span),
            Rule::SyncExchange | Rule::AtomicExchange => {
                let (pointer, ty) = self.atomic_pointer(*args.first()?)?;
                let value = self.atomic_operand(args, 1, ty)?;
                Some(self.builtin(Builtin::AtomicExchange, vec![pointer, value], ty, span))
            }
            Rule::SyncRelease => {
                let (pointer, ty) = self.atomic_pointer(*args.first()?)?;
                let zero = self.int_expr(0, IntKind::Int, span);
                let zero = self.convert(zero, ty);
                Some(self.builtin(Builtin::AtomicStore, vec![pointer, zero], TypeId::VOID, span))
            }
            Rule::Barrier => Some(self.builtin(Builtin::Barrier, Vec::new(), TypeId::VOID, span)),
            Rule::AtomicLoad => {
                let (pointer, ty) = self.atomic_pointer(*args.first()?)?;
                Some(self.builtin(Builtin::AtomicLoad, vec![pointer], ty, span))
            }
            Rule::AtomicStore => {
                let (pointer, ty) = self.atomic_pointer(*args.first()?)?;
                let value = self.atomic_operand(args, 1, ty)?;
                Some(self.builtin(Builtin::AtomicStore, vec![pointer, value], TypeId::VOID, span))
            }
            Rule::AtomicCompare(generic) => self.atomic_compare(args, generic, span),
            Rule::AtomicExchangeObjects => self.atomic_exchange_objects(args, span),
            Rule::AtomicTransfer(load) => self.atomic_transfer(args, load, span),
            Rule::LockFree => {
                let size = self.integer_constant(*args.first()?, "the size of an atomic object")?;
                Some(self.int_expr(matches!(size, 1 | 2 | 4 | 8).into(), IntKind::Bool, span))
            }
            Rule::VarArgs => {
                let lists = args.iter().take(if row.args.0 == 2 { 2 } else { 1 });
                let lists = lists.map(|&list| self.rvalue(list)).collect();
                Some(self.builtin(Builtin::VarArgs, lists, TypeId::VOID, span))
            }
            Rule::Composed(what) => self.composed(what, args, span),
            Rule::Find(last) => self.find_in_literal(args, last, row.name, span),
            Rule::Missing => {
                self.unsupported(span, &format!("`{}`", row.name));
                None
            }
        }
    }

    pub(super) fn builtin(&mut self, builtin: Builtin, args: Vec<Expr>, ty: TypeId, span: Span) -> Expr {
        if args.iter().any(|arg| self.is_error(arg.ty)) {
            return self.error_expr(span);
        }
        self.fold(Expr { kind: ExprKind::Builtin(builtin, args), ty, span })
    }

    fn table_type(&mut self, ty: Ty) -> TypeId {
        match ty {
            Ty::Void => TypeId::VOID,
            Ty::Int(kind) => TypeId::int(kind),
            Ty::Ptr => self.types.pointer(TypeId::VOID),
            Ty::ConstPtr => {
                let to = self.types.qualified(TypeId::VOID, Quals::CONST);
                self.types.pointer(to)
            }
            Ty::Str => {
                let to = self.types.qualified(TypeId::int(IntKind::Char), Quals::CONST);
                self.types.pointer(to)
            }
        }
    }

    pub(super) fn builtin_arg(&mut self, args: &[ExprId], index: usize, ty: TypeId) -> Option<Expr> {
        let value = self.rvalue(*args.get(index)?);
        Some(self.assigned(value, ty, Use::Arg(index + 1)))
    }

    fn plain(
        &mut self,
        builtin: Builtin,
        params: &'static [Ty],
        ret: Ty,
        args: &[ExprId],
        span: Span,
    ) -> Expr {
        let mut values = Vec::with_capacity(args.len());
        for (index, (&arg, &param)) in args.iter().zip(params).enumerate() {
            let value = self.rvalue(arg);
            let param = self.table_type(param);
            values.push(self.memory_argument(value, param, index));
        }
        let ret = self.table_type(ret);
        let node = self.builtin(builtin, values, ret, span);
        match self.const_eval(&node) {
            Some(Constant::Int(value)) => Expr { kind: ExprKind::Const(value), ..node },
            _ => node,
        }
    }

    /// `(literal, character)`: where in the literal the character is, or a null pointer.
    fn find_in_literal(&mut self, args: &[ExprId], last: bool, name: &str, span: Span) -> Option<Expr> {
        let text = self.table_type(Ty::Str);
        let text = self.builtin_arg(args, 0, text)?;
        let wanted = self.builtin_arg(args, 1, TypeId::int(IntKind::Int))?;
        let found = self.literal_text(&text).zip(self.const_int(&wanted)).map(|(bytes, wanted)| {
            // The end of the text is a part of it.
            let mut places = 0..=bytes.len();
            let is_wanted = |&at: &usize| bytes.get(at).copied().unwrap_or(0) == wanted as u8;
            if last { places.rev().find(is_wanted) } else { places.find(is_wanted) }
        });
        let Some(found) = found else {
            if !self.is_error(text.ty) && !self.is_error(wanted.ty) {
                self.unsupported(span, &format!("`{name}` of something other than a string literal"));
            }
            return None;
        };
        let ty = self.types.pointer(TypeId::int(IntKind::Char));
        let Some(at) = found else {
            let zero = self.int_expr(0, IntKind::ULong, span);
            return Some(self.convert(zero, ty));
        };
        let index = Box::new(self.int_expr(at as i128, IntKind::Long, span));
        let pointer = Box::new(self.convert(text, ty));
        Some(Expr { kind: ExprKind::PtrAdd { pointer, index, scale: 1, negate: false }, ty, span })
    }

    /// `va_arg(list, type)`.
    pub(super) fn va_arg(&mut self, list: ExprId, ty: TypeNameId, span: Span) -> Expr {
        let list = self.rvalue(list);
        let ty = self.type_name_type(ty);
        if !self.is_scalar(ty) && !self.is_error(ty) {
            self.unsupported(span, "`va_arg` of a type that is no number and no pointer");
            return self.error_expr(span);
        }
        self.builtin(Builtin::VarArgs, vec![list], ty, span)
    }

    /// Arguments of the memory builtins: pointers of any address space and qualifiers.
    fn memory_argument(&mut self, value: Expr, param: TypeId, index: usize) -> Expr {
        let both = self.is_pointer(value.ty) && self.is_pointer(param);
        let volatile = self.types.pointee(value.ty).is_some_and(|to| {
            self.types.quals(to).contains(Quals::VOLATILE) && !self.types.quals(to).contains(Quals::CONST)
        });
        if both && volatile {
            self.convert(value, param)
        } else {
            self.assigned(value, param, Use::Arg(index + 1))
        }
    }

    /// `__builtin_constant_p`: known already, or to be seen after optimisation.
    fn constant_p(&mut self, arg: ExprId, span: Span) -> Expr {
        let value = self.rvalue(arg);
        let int = TypeId::int(IntKind::Int);
        if self.is_error(value.ty) {
            return self.error_expr(span);
        }
        let known = match self.const_eval(&value) {
            Some(Constant::Int(_) | Constant::Float(_)) => Some(true),
            Some(Constant::Address { symbol: crate::hir::SymbolRef::Global(id), addend: 0 }) => {
                Some(self.literal_bytes(id).is_some())
            }
            Some(Constant::Address { .. }) => Some(false),
            None => (!self.is_scalar(value.ty)).then_some(false),
        };
        match known {
            Some(known) => self.int_expr(known.into(), IntKind::Int, span),
            None => Expr { kind: ExprKind::Builtin(Builtin::ConstantP, vec![value]), ty: int, span },
        }
    }

    fn expect(&mut self, args: &[ExprId], span: Span) -> Option<Expr> {
        let long = TypeId::int(IntKind::Long);
        let value = self.builtin_arg(args, 0, long)?;
        let expected = self.builtin_arg(args, 1, long)?;
        Some(self.builtin(Builtin::Expect, vec![value, expected], long, span))
    }

    fn classify_type(&mut self, arg: ExprId, span: Span) -> Option<Expr> {
        let ty = self.unevaluated(|s| s.rvalue(arg).ty);
        let class = match self.types.shape(ty) {
            Type::Error => return None,
            Type::Void => 0,
            Type::Int(_) | Type::Enum(_) => 1,
            Type::Pointer(_) | Type::Function(_) | Type::Array { .. } => 5,
            Type::Float(_) => 8,
            Type::Record(_) => 12,
            Type::Typedef(_) | Type::Qualified { .. } | Type::Tagged { .. } | Type::AddressSpace { .. } => -1,
        };
        Some(self.int_expr(class, IntKind::Int, span))
    }

    fn object_size(&mut self, args: &[ExprId], span: Span) -> Option<Expr> {
        let pointer = self.unevaluated(|s| s.rvalue(args[0]));
        let mode = self.integer_constant(*args.get(1)?, "the kind of `__builtin_object_size`")?;
        let whole = match self.const_eval(&pointer) {
            Some(Constant::Address { symbol: crate::hir::SymbolRef::Global(id), addend }) => {
                let ty = self.globals.get(id.index()).map(|global| global.ty);
                let size = ty.and_then(|ty| self.layout_of(ty)).map(|layout| layout.size);
                size.and_then(|size| size.checked_sub(u64::try_from(addend).ok()?))
            }
            _ => match &pointer.kind {
                ExprKind::Address(place) => self.types.layout(place.ty).map(|layout| layout.size),
                _ => None,
            },
        };
        let unknown = if mode & 2 == 0 { -1 } else { 0 };
        let size = whole.map_or(unknown, i128::from);
        Some(self.int_expr(size, IntKind::ULong, span))
    }

    // ------------------------------------------------------------ CO-RE

    fn preserve_field_info(&mut self, args: &[ExprId], span: Span) -> Option<Expr> {
        const KINDS: [CoreKind; 6] = [
            CoreKind::FieldByteOffset,
            CoreKind::FieldByteSize,
            CoreKind::FieldExists,
            CoreKind::FieldSigned,
            CoreKind::FieldLshiftU64,
            CoreKind::FieldRshiftU64,
        ];
        let kind = self.core_kind(args, &KINDS)?;
        let outer = std::mem::replace(&mut self.ctx.preserve, true);
        let operand = self.operand(*args.first()?);
        self.ctx.preserve = outer;
        if self.is_error(operand.ty()) {
            return None;
        }
        if !Self::is_chain(&operand) {
            let message = "the question is about a member of a struct, and this is none";
            self.error(&codes::CORE_ACCESS, operand.span(), message);
            return None;
        }
        let at = operand.span();
        let info = self.field_info(operand, kind, span);
        if info.is_none() {
            self.error(&codes::CORE_ACCESS, at, "this question has no answer for a member of this type");
        }
        info
    }

    /// The kind of relocation that the constant second argument asks for.
    fn core_kind(&mut self, args: &[ExprId], kinds: &[CoreKind]) -> Option<CoreKind> {
        let at = *args.get(1)?;
        let number = self.integer_constant(at, "the kind of a CO-RE question")?;
        let kind = usize::try_from(number).ok().and_then(|number| kinds.get(number)).copied();
        if kind.is_none() {
            let message =
                format!("there is no kind {number} of this question, the last is {}", kinds.len() - 1);
            self.error(&codes::CORE_ACCESS, self.ast.expr_span(at), message);
        }
        kind
    }

    fn core_type(&mut self, args: &[ExprId], kinds: &[CoreKind], span: Span) -> Option<Expr> {
        let kind = self.core_kind(args, kinds)?;
        let ty = self.type_of(*args.first()?);
        if self.is_error(ty) {
            return None;
        }
        Some(self.type_info(ty, kind, span))
    }

    /// `(*(typeof(T) *)NAME, kind)`: the cast names the enum, the name its constant.
    fn preserve_enum_value(&mut self, args: &[ExprId], span: Span) -> Option<Expr> {
        let kind = self.core_kind(args, &[CoreKind::EnumvalExists, CoreKind::EnumvalValue])?;
        let strip = |s: &Self, mut id: ExprId| {
            while let Ast::Paren(inner) = s.ast.expr(id) {
                id = inner;
            }
            id
        };
        let outer = strip(self, *args.first()?);
        if let Ast::Unary { op: UnOp::Deref, operand } = self.ast.expr(outer)
            && let Ast::Cast { ty, operand } = self.ast.expr(strip(self, operand))
            && let Ast::Name(name) = self.ast.expr(strip(self, operand))
        {
            let pointer = self.type_name_type(ty);
            let root = self.types.pointee(pointer)?;
            if let (Type::Enum(e), Some(Binding::Constant { value, .. })) =
                (self.types.shape(root).clone(), self.lookup(name))
            {
                let names = &self.types.enums[e.0 as usize].enumerators;
                if let Some(index) = names.iter().position(|&(other, _)| other == name) {
                    return Some(self.enum_info(root, index, value, kind, span));
                }
            }
        }
        let message = "the question is about an enumeration constant, as `*(enum e *)NAME`";
        self.error(&codes::CORE_ACCESS, self.ast.expr_span(outer), message);
        None
    }

    /// Keeps a value in a temporary of the function: the store, and a read of it.
    pub(super) fn temporary(&mut self, value: Expr, span: Span) -> Option<(Expr, Expr)> {
        if matches!(value.kind, ExprKind::Const(_)) {
            let nothing = Expr { kind: ExprKind::Convert(Box::new(value.clone())), ty: TypeId::VOID, span };
            return Some((nothing, value));
        }
        let ty = value.ty;
        let local = self.new_temporary(ty, span)?;
        let place = self.local_place(local, span);
        let read = Expr { kind: ExprKind::Load(place.clone()), ty, span };
        Some((Expr { kind: ExprKind::Assign { place, value: Box::new(value) }, ty, span }, read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for (index, row) in ROWS.iter().enumerate() {
            assert!(ROWS.iter().skip(index + 1).all(|other| other.name != row.name), "{}", row.name);
        }
    }
}
