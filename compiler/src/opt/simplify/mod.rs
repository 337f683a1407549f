//! simplify: constants are folded and expressions replaced by simpler equal ones.
//!
//! ```text
//! v2 = iconst.i64 8                          v9 = load.i32 v1+12 align 4
//! v3 = ptr_add v1, v2               ->       br v10, block1, block2      ; v10 = icmp eq v9, 8
//! v4 = load.i32 v3+4 align 4
//! v5 = bswap v4 ... icmp eq v5, 0x8000000
//! ```
//!
//! The algebra is a table ([`rules`]); conversions ([`convert`]), bytes in reverse order ([`swap`]) and reads of
//! constant memory ([`memory`]) are code. Calls through constants become calls of helpers or functions.
//! Preserves: effects and their order; the value of every use.
//! The kernel's verifier still accepts: no comparison gets narrower, nothing is reassociated when an
//! inner value has another use (it may be a check), pointer differences stay as they are, masks
//! stay unless the loaded width implies them.
//! Cost: linear in the instructions, of which those are looked at that have changed, or one of whose operands has,
//! since the last run. What one run makes possible further up, the next one finds.

pub mod convert;
pub mod fold;
mod memory;
pub mod rules;
mod swap;

use super::Cx;
use super::edit::{self, Edit, Editor, use_counts};
use crate::ir::{
    Arena, BinaryOp, BlockCall, Callee, Compare, ConvertOp, Function, Inst, InstData, Intrinsic, MemFlags,
    Type, UnaryOp, Value, ValueDef,
};

/// How often one instruction is simplified within a run.
const STEPS: u32 = 16;

/// Pointers below this are numbers of helpers.
const HELPERS: u64 = 1 << 16;

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    let uses = use_counts(f);
    // What has changed since the last run, as far as this one has come.
    let mut fresh = Arena::filled(&f.insts, false);
    let changed = edit::rewrite(f, |ed, inst| {
        if !may_be_simpler(ed.f, &fresh, inst) {
            return Edit::Keep;
        }
        fresh[inst] = !ed.f.insts.is_settled(inst);
        // Until it changes again.
        ed.f.insts.settle(inst);
        match is_simple(ed.f, &ed.f.insts[inst]) {
            true => Edit::Keep,
            false => instruction(ed, cx, &uses, inst),
        }
    });
    if changed {
        super::dce::remove_unused(f);
    }
    changed
}

/// Has an instruction, or what one of its operands comes from, changed since the last run?
fn may_be_simpler(f: &Function, fresh: &Arena<Inst, bool>, inst: Inst) -> bool {
    let mut changed = !f.insts.is_settled(inst);
    f.insts[inst].for_each_operand(|v| {
        if let ValueDef::Inst(def) = f.values[v].def {
            changed |= !f.insts.is_settled(def) || fresh[def];
        }
    });
    changed
}

/// Most instructions are as simple as they can be, which one look tells.
fn is_simple(f: &Function, data: &InstData) -> bool {
    match data {
        InstData::Const { .. }
        | InstData::SlotAddr { .. }
        | InstData::SymbolAddr { .. }
        | InstData::Jump { .. }
        | InstData::Return { .. }
        | InstData::Unreachable => true,
        // An address that says something about what lies there.
        InstData::Load { base, .. } | InstData::Store { base, .. } | InstData::AtomicRmw { base, .. } => {
            !matches!(
                f.def(*base),
                Some(InstData::PtrAdd { .. } | InstData::SymbolAddr { .. } | InstData::SlotAddr { .. })
            )
        }
        InstData::Branch { cond, .. } => !matches!(f.def(*cond), Some(InstData::Unary { .. })),
        InstData::Call { callee, .. } => !matches!(callee, Callee::Indirect(_)),
        _ => false,
    }
}

/// Does an instruction read memory, which may be constant?
pub fn reads(data: &InstData) -> bool {
    matches!(data, InstData::Load { .. } | InstData::Intrinsic { .. })
}

/// Does an instruction ask whether something is a constant?
pub fn asks(data: &InstData) -> bool {
    matches!(data, InstData::Intrinsic { op: Intrinsic::ConstantP, .. })
}

fn instruction(ed: &mut Editor<'_>, cx: &Cx<'_>, uses: &Arena<Value, u32>, inst: Inst) -> Edit {
    for _ in 0..STEPS {
        // Nothing that is asked below looks at the instruction through the function: no need for a copy.
        let data = ed.f.insts.lend(inst);
        let step = step(ed, cx, uses, inst, &data);
        ed.f.insts.give_back(inst, data);
        match step {
            Step::Stop(edit) => return edit,
            Step::Reshape(new) => ed.set(inst, new),
        }
    }
    Edit::Keep
}

/// What one look at an instruction finds.
enum Step {
    /// There is no more to do.
    Stop(Edit),
    /// It becomes this; look again.
    Reshape(InstData),
}

fn step(ed: &mut Editor<'_>, cx: &Cx<'_>, uses: &Arena<Value, u32>, inst: Inst, data: &InstData) -> Step {
    if let InstData::Intrinsic {
        op: Intrinsic::Memcpy | Intrinsic::Memmove | Intrinsic::Memset, args, ..
    } = data
        && ed.f.constant(args[2]) == Some(0)
    {
        return Step::Stop(Edit::Remove);
    }
    if let Some(result) = ed.f.result(inst)
        && let Some(with) = value(ed, cx, uses, data, result)
    {
        return Step::Stop(Edit::Replace(with));
    }
    match reshape(ed, cx, data) {
        Some(new) if new != *data => Step::Reshape(new),
        _ => Step::Stop(Edit::Keep),
    }
}

/// Another value that the instruction's result equals.
fn value(
    ed: &mut Editor<'_>,
    cx: &Cx<'_>,
    uses: &Arena<Value, u32>,
    data: &InstData,
    result: Value,
) -> Option<Value> {
    let ty = ed.f.ty(result);
    if let Some(bits) = constant(ed.f, data) {
        return Some(ed.iconst(ty, bits));
    }
    // A value made in this run is not in the table of uses: it counts as shared.
    let single = |v: Value| uses.get(v).is_some_and(|&n| n <= 1);
    let special = match data {
        InstData::Convert { op, ty, arg } => convert::convert(ed, *op, *ty, *arg, &single),
        InstData::Compare { op, args } => convert::compare(ed, *op, *args, &single),
        InstData::Binary { op, args } => convert::binary(ed, *op, *args),
        InstData::Select { cond, args } => select(ed, ty, *cond, *args),
        InstData::PtrAdd { base, offset } => ptr_add(ed, *base, *offset),
        InstData::Load { ty, base, offset, flags } if !flags.volatile => {
            memory::load(ed, cx, *ty, *base, *offset)
        }
        InstData::Intrinsic { op, args, .. } => intrinsic(ed, cx, *op, args),
        _ => None,
    };
    special.or_else(|| rules::apply(ed, data, ty, &single))
}

/// The constant that a pure operation on constants yields.
pub fn constant(f: &Function, data: &InstData) -> Option<u64> {
    match data {
        InstData::Unary { op, arg } => Some(fold::unary(*op, f.ty(*arg), f.constant(*arg)?)),
        InstData::Binary { op, args: [a, b] } => {
            Some(fold::binary(*op, f.ty(*a), f.constant(*a)?, f.constant(*b)?))
        }
        InstData::Compare { op, args: [a, b] } => {
            Some(fold::compare(*op, f.ty(*a), f.constant(*a)?, f.constant(*b)?).into())
        }
        InstData::Convert { op, ty, arg } => Some(fold::convert(*op, f.ty(*arg), *ty, f.constant(*arg)?)),
        InstData::PtrAdd { base, offset } => Some(f.constant(*base)?.wrapping_add(f.constant(*offset)?)),
        InstData::Intrinsic { op, args, .. } => {
            let arg = *args.first()?;
            let (value, ty) = (f.constant(arg)?, f.ty(arg));
            match op {
                Intrinsic::Clz => Some(u64::from(value.leading_zeros() + ty.bits() - 64)),
                Intrinsic::Ctz => Some(u64::from(value.trailing_zeros().min(ty.bits()))),
                Intrinsic::Popcount => Some(u64::from(value.count_ones())),
                Intrinsic::ConstantP => Some(1),
                _ => None,
            }
        }
        _ => None,
    }
}

fn select(ed: &mut Editor<'_>, ty: Type, cond: Value, args: [Value; 2]) -> Option<Value> {
    if let Some(bits) = ed.f.constant(cond) {
        return Some(args[usize::from(bits & 1 == 0)]);
    }
    // A condition as a number.
    let consts = (ed.f.constant(args[0])?, ed.f.constant(args[1])?);
    match (consts, ty) {
        ((1, 0), Type::I1) => Some(cond),
        ((0, 1), Type::I1) => Some(ed.unary(UnaryOp::Not, cond)),
        ((1, 0), Type::I8 | Type::I16 | Type::I32 | Type::I64) => Some(ed.convert(ConvertOp::Zext, ty, cond)),
        ((0, 1), Type::I8 | Type::I16 | Type::I32 | Type::I64) => {
            let not = ed.unary(UnaryOp::Not, cond);
            Some(ed.convert(ConvertOp::Zext, ty, not))
        }
        _ => None,
    }
}

/// Constant offsets gather in the address itself.
fn ptr_add(ed: &mut Editor<'_>, base: Value, offset: Value) -> Option<Value> {
    if let Some((variable, bytes)) = convert::distance(ed.f, offset) {
        let base = match variable {
            Some(variable) => ed.emit(InstData::PtrAdd { base, offset: variable }),
            None => base,
        };
        return Some(ed.offset(base, bytes));
    }
    if ed.f.constant(base) == Some(0) && ed.f.constant(offset).is_none() {
        // `offsetof` is the address of a member of what lies at 0.
        return Some(ed.convert(ConvertOp::IntToPtr, Type::Ptr, offset));
    }
    let bytes = ed.f.constant(offset)? as i64;
    if bytes == 0 {
        return Some(base);
    }
    match *ed.f.def(base)? {
        InstData::SlotAddr { slot, offset } => {
            let offset = i32::try_from(i64::from(offset).checked_add(bytes)?).ok()?;
            Some(ed.emit(InstData::SlotAddr { slot, offset }))
        }
        InstData::SymbolAddr { symbol, offset } => {
            let offset = offset.checked_add(bytes)?;
            Some(ed.emit(InstData::SymbolAddr { symbol, offset }))
        }
        InstData::PtrAdd { base, offset } => {
            let bytes = ed.f.constant(offset)?.wrapping_add(bytes as u64);
            Some(ed.offset(base, bytes as i64))
        }
        _ => None,
    }
}

fn intrinsic(ed: &mut Editor<'_>, cx: &Cx<'_>, op: Intrinsic, args: &[Value]) -> Option<Value> {
    match (op, args) {
        (Intrinsic::ConstantP, &[arg]) => {
            // The address of a string literal counts as a constant, as in other compilers.
            let known = matches!(ed.f.def(arg), Some(InstData::SymbolAddr { symbol, .. })
                if cx.data(*symbol).is_some_and(|data| data.constant && data.local));
            (known || cx.late).then(|| ed.iconst(Type::I32, known.into()))
        }
        (Intrinsic::Strlen, &[s]) => memory::strlen(ed, cx, s),
        (Intrinsic::Strcmp, &[a, b]) => memory::strcmp(ed, cx, a, b),
        (Intrinsic::Memcmp, &[a, b, n, ..]) => memory::memcmp(ed, cx, a, b, n),
        _ => None,
    }
}

/// The instruction in its usual shape: constants on the right, offsets in the access, callees known.
fn reshape(ed: &mut Editor<'_>, cx: &Cx<'_>, data: &InstData) -> Option<InstData> {
    let is_const = |v: Value| ed.f.constant(v).is_some();
    match data {
        // Of two constants the value is known.
        InstData::Binary { op, args: [a, b] } if rules::commutes(*op) && is_const(*a) => {
            Some(InstData::Binary { op: *op, args: [*b, *a] })
        }
        InstData::Compare { op, args: [a, b] } if is_const(*a) => {
            Some(InstData::Compare { op: op.swapped(), args: [*b, *a] })
        }
        InstData::Load { ty, base, offset, flags } => {
            let (base, offset, flags) = address(ed, cx, *base, *offset, *flags);
            Some(InstData::Load { ty: *ty, base, offset, flags })
        }
        InstData::Store { value, base, offset, flags } => {
            let (base, offset, flags) = address(ed, cx, *base, *offset, *flags);
            Some(InstData::Store { value: *value, base, offset, flags })
        }
        InstData::AtomicRmw { op, base, offset, value } => {
            let flags = MemFlags { volatile: true, align: ed.f.ty(*value).bytes() };
            let (base, offset, _) = address(ed, cx, *base, *offset, flags);
            Some(InstData::AtomicRmw { op: *op, base, offset, value: *value })
        }
        InstData::Branch { cond, then, els } => branch(ed, *cond, then, els),
        InstData::Call { callee: Callee::Indirect(pointer), args, ret } => {
            let callee = callee(ed, cx, *pointer, args, *ret)?;
            Some(InstData::Call { callee, args: args.clone(), ret: *ret })
        }
        InstData::Intrinsic { op: Intrinsic::Memmove, args, ty } if apart(ed.f, args) => {
            Some(InstData::Intrinsic { op: Intrinsic::Memcpy, args: args.clone(), ty: *ty })
        }
        _ => None,
    }
}

fn branch(ed: &Editor<'_>, cond: Value, then: &BlockCall, els: &BlockCall) -> Option<InstData> {
    match ed.f.def(cond)? {
        InstData::Unary { op: UnaryOp::Not, arg } => {
            Some(InstData::Branch { cond: *arg, then: els.clone(), els: then.clone() })
        }
        _ => None,
    }
}

/// Do the two objects of a copy never overlap?
fn apart(f: &Function, args: &[Value]) -> bool {
    let root = |v: Value| match f.def(v) {
        Some(InstData::SlotAddr { slot, .. }) => Some((slot.index(), 0)),
        Some(InstData::SymbolAddr { symbol, .. }) => Some((symbol.index(), 1)),
        _ => None,
    };
    match args {
        [dst, src, ..] => matches!((root(*dst), root(*src)), (Some(a), Some(b)) if a != b),
        _ => false,
    }
}

/// Moves constant parts of the address into the access, and learns its alignment.
fn address(
    ed: &mut Editor<'_>,
    cx: &Cx<'_>,
    base: Value,
    offset: i32,
    mut flags: MemFlags,
) -> (Value, i32, MemFlags) {
    match ed.f.def(base) {
        Some(&InstData::PtrAdd { base: inner, offset: by }) => {
            if let Some(total) = ed.f.constant(by).and_then(|by| i64::from(offset).checked_add(by as i64))
                && let Ok(total) = i16::try_from(total)
            {
                return (inner, total.into(), flags);
            }
        }
        Some(&InstData::SymbolAddr { symbol, offset: at }) => {
            if let Some(data) = cx.data(symbol) {
                let total = at.wrapping_add(offset.into());
                flags.align = flags.align.max(alignment(data.align, total)).min(8);
                if at != 0 && (0..=i16::MAX.into()).contains(&total) {
                    let start = ed.emit(InstData::SymbolAddr { symbol, offset: 0 });
                    return (start, total as i32, flags);
                }
            }
        }
        Some(&InstData::SlotAddr { slot, offset: at }) => {
            let total = i64::from(at) + i64::from(offset);
            flags.align = flags.align.max(alignment(ed.f.slots[slot].align, total)).min(8);
            if offset != 0
                && let Ok(at) = i32::try_from(total)
            {
                let exact = ed.emit(InstData::SlotAddr { slot, offset: at });
                return (exact, 0, flags);
            }
        }
        _ => {}
    }
    (base, offset, flags)
}

/// Alignment of an address `offset` bytes after one that is aligned to `align`.
pub fn alignment(align: u32, offset: i64) -> u32 {
    let align = align.max(1);
    if offset == 0 { align } else { align.min(1 << offset.trailing_zeros().min(16)) }
}

/// Who is called through a pointer that is a constant.
fn callee(ed: &Editor<'_>, cx: &Cx<'_>, pointer: Value, args: &[Value], ret: Option<Type>) -> Option<Callee> {
    if let Some(number) = ed.f.constant(pointer) {
        return (number > 0 && number < HELPERS).then_some(Callee::Helper(number as u32));
    }
    let Some(InstData::SymbolAddr { symbol, offset: 0 }) = ed.f.def(pointer) else { return None };
    let sig = &cx.func(*symbol)?.sig;
    let fits = sig.params.len() == args.len()
        && sig.params.iter().zip(args).all(|(&ty, &arg)| ty == ed.f.ty(arg))
        && (ret.is_none() || ret == sig.ret);
    fits.then_some(Callee::Func(*symbol))
}

/// Comparisons and arithmetic that `sccp` evaluates share their meaning with this pass.
pub fn evaluate(f: &Function, data: &InstData, of: &dyn Fn(Value) -> Option<u64>) -> Option<u64> {
    match data {
        InstData::Const { ty, value } => Some(value & ty.mask()),
        InstData::Unary { op, arg } => Some(fold::unary(*op, f.ty(*arg), of(*arg)?)),
        InstData::Binary { op, args: [a, b] } => {
            let ty = f.ty(*a);
            match (op, of(*a), of(*b)) {
                (_, Some(a), Some(b)) => Some(fold::binary(*op, ty, a, b)),
                (BinaryOp::And | BinaryOp::Mul, Some(0), _) | (BinaryOp::And | BinaryOp::Mul, _, Some(0)) => {
                    Some(0)
                }
                _ => None,
            }
        }
        InstData::Compare { op, args: [a, b] } => {
            if a == b {
                return Some(
                    matches!(op, Compare::Eq | Compare::Ule | Compare::Uge | Compare::Sle | Compare::Sge)
                        .into(),
                );
            }
            Some(fold::compare(*op, f.ty(*a), of(*a)?, of(*b)?).into())
        }
        InstData::Convert { op, ty, arg } => Some(fold::convert(*op, f.ty(*arg), *ty, of(*arg)?)),
        InstData::PtrAdd { base, offset } => Some(of(*base)?.wrapping_add(of(*offset)?)),
        InstData::Select { cond, args } => of(args[usize::from(of(*cond)? & 1 == 0)]),
        _ => None,
    }
}
