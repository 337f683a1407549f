//! What instructions do, as types: a function for an instruction or a pair is made of them.
//!
//! Arithmetic and conditions are those of [`alu`]; with operation and width known, what is left of
//! them is an instruction or two of the host.

use skep_stdlib::isa::{AluOp, Cond, Endian, Width};

use super::{Access, Machine, Op, next};
use crate::vm::alu;
use crate::vm::interp::{FRAME_SIZE, FRAME_STRIDE, MAY_GOTO_LIMIT, Regs};

/// An instruction that the next one follows.
pub(super) trait Effect<A: Access> {
    /// Does it; none if it is left to the plain interpreter, and then nothing has changed.
    fn run(op: &Op<A>, regs: &mut Regs, bytes: &mut A::Bytes<'_>) -> Option<()>;
}

/// A conditional jump.
pub(super) trait Condition<A: Access> {
    /// Is it taken?
    fn holds(op: &Op<A>, regs: &Regs) -> bool;
}

#[inline(always)]
fn dst<A: Access>(op: &Op<A>, regs: &Regs) -> u64 {
    regs.0[usize::from(op.dst & 15)]
}

#[inline(always)]
fn src<A: Access>(op: &Op<A>, regs: &Regs) -> u64 {
    regs.0[usize::from(op.src & 15)]
}

#[inline(always)]
fn set<A: Access>(op: &Op<A>, regs: &mut Regs, value: u64) {
    regs.0[usize::from(op.dst & 15)] = value;
}

/// The second operand: a register, or the immediate.
#[inline(always)]
fn operand<const IMM: bool, A: Access>(op: &Op<A>, regs: &Regs) -> u64 {
    if IMM { op.value } else { src(op, regs) }
}

const fn width(wide: bool) -> Width {
    if wide { Width::W64 } else { Width::W32 }
}

pub(super) struct Alu<const OP: usize, const WIDE: bool, const IMM: bool>;

impl<A: Access, const OP: usize, const WIDE: bool, const IMM: bool> Effect<A> for Alu<OP, WIDE, IMM> {
    #[inline(always)]
    fn run(op: &Op<A>, regs: &mut Regs, _: &mut A::Bytes<'_>) -> Option<()> {
        let operation = const { AluOp::ALL[OP] };
        let value = alu::alu(width(WIDE), operation, dst(op, regs), operand::<IMM, A>(op, regs));
        set(op, regs, value);
        Some(())
    }
}

pub(super) struct Mov<const WIDE: bool, const IMM: bool>;

impl<A: Access, const WIDE: bool, const IMM: bool> Effect<A> for Mov<WIDE, IMM> {
    #[inline(always)]
    fn run(op: &Op<A>, regs: &mut Regs, _: &mut A::Bytes<'_>) -> Option<()> {
        let value = operand::<IMM, A>(op, regs);
        set(op, regs, if WIDE { value } else { u64::from(value as u32) });
        Some(())
    }
}

pub(super) struct MovSx<const BITS: u8, const WIDE: bool>;

impl<A: Access, const BITS: u8, const WIDE: bool> Effect<A> for MovSx<BITS, WIDE> {
    #[inline(always)]
    fn run(op: &Op<A>, regs: &mut Regs, _: &mut A::Bytes<'_>) -> Option<()> {
        let value = alu::sign_extend(width(WIDE), BITS, src(op, regs));
        set(op, regs, value);
        Some(())
    }
}

pub(super) struct Neg<const WIDE: bool>;

impl<A: Access, const WIDE: bool> Effect<A> for Neg<WIDE> {
    #[inline(always)]
    fn run(op: &Op<A>, regs: &mut Regs, _: &mut A::Bytes<'_>) -> Option<()> {
        let value = dst(op, regs).wrapping_neg();
        set(op, regs, if WIDE { value } else { u64::from(value as u32) });
        Some(())
    }
}

/// `SWAP`: reverses the bytes; else only the lower bits stay.
pub(super) struct Swap<const SWAP: bool, const BITS: u8>;

impl<A: Access, const SWAP: bool, const BITS: u8> Effect<A> for Swap<SWAP, BITS> {
    #[inline(always)]
    fn run(op: &Op<A>, regs: &mut Regs, _: &mut A::Bytes<'_>) -> Option<()> {
        let kind = if SWAP { Endian::Bswap } else { Endian::ToLe };
        let value = alu::swap(kind, BITS, dst(op, regs));
        set(op, regs, value);
        Some(())
    }
}

/// A load of `N` bytes.
pub(super) struct Load<const N: usize, const SIGNED: bool>;

/// Bytes as a number, the least significant first. Whole arrays are moved here and in [`store`]: copying
/// slices would be a call, and no call but the last may remain in these functions.
#[inline(always)]
fn number<const N: usize>(bytes: [u8; N]) -> Option<u64> {
    let mut wide = [0; 8];
    *wide.first_chunk_mut()? = bytes;
    Some(u64::from_le_bytes(wide))
}

impl<A: Access, const N: usize, const SIGNED: bool> Effect<A> for Load<N, SIGNED> {
    #[inline(always)]
    fn run(op: &Op<A>, regs: &mut Regs, bytes: &mut A::Bytes<'_>) -> Option<()> {
        let raw = number(A::load::<N>(bytes, src(op, regs).wrapping_add(op.value))?)?;
        let value = if SIGNED { alu::sign_extend(Width::W64, (N * 8) as u8, raw) } else { raw };
        set(op, regs, value);
        Some(())
    }
}

/// A store of `N` bytes of a register; the base is the destination register.
pub(super) struct Store<const N: usize>;

#[inline(always)]
fn store<const N: usize, A: Access>(bytes: &mut A::Bytes<'_>, address: u64, value: u64) -> Option<()> {
    A::store(bytes, address, *value.to_le_bytes().first_chunk::<N>()?)
}

impl<A: Access, const N: usize> Effect<A> for Store<N> {
    #[inline(always)]
    fn run(op: &Op<A>, regs: &mut Regs, bytes: &mut A::Bytes<'_>) -> Option<()> {
        store::<N, A>(bytes, dst(op, regs).wrapping_add(op.value), src(op, regs))
    }
}

/// A store of an immediate, whose offset takes the place of the target.
pub(super) struct StoreImm<const N: usize>;

impl<A: Access, const N: usize> Effect<A> for StoreImm<N> {
    #[inline(always)]
    fn run(op: &Op<A>, regs: &mut Regs, bytes: &mut A::Bytes<'_>) -> Option<()> {
        let address = dst(op, regs).wrapping_add_signed(i64::from(op.target as i32));
        store::<N, A>(bytes, address, op.value)
    }
}

pub(super) struct Branch<const COND: usize, const WIDE: bool, const IMM: bool>;

impl<A: Access, const COND: usize, const WIDE: bool, const IMM: bool> Condition<A>
    for Branch<COND, WIDE, IMM>
{
    #[inline(always)]
    fn holds(op: &Op<A>, regs: &Regs) -> bool {
        let condition = const { Cond::ALL[COND] };
        alu::compare(width(WIDE), condition, dst(op, regs), operand::<IMM, A>(op, regs))
    }
}

/// One instruction.
pub(super) fn single<'c, A: Access, E: Effect<A>>(
    op: &'c Op<A>,
    after: &'c [Op<A>],
    regs: &mut Regs,
    machine: &mut Machine<'c, '_, A>,
) {
    match E::run(op, regs, &mut machine.bytes) {
        Some(()) => next(after, regs, machine),
        None => machine.leave(after),
    }
}

/// Two instructions in a row: `E` for `op`, `F` for the op behind it.
pub(super) fn pair<'c, A: Access, E: Effect<A>, F: Effect<A>>(
    op: &'c Op<A>,
    after: &'c [Op<A>],
    regs: &mut Regs,
    machine: &mut Machine<'c, '_, A>,
) {
    if E::run(op, regs, &mut machine.bytes).is_none() {
        return machine.leave(after);
    }
    let Some((second, rest)) = after.split_first() else { return next(after, regs, machine) };
    match F::run(second, regs, &mut machine.bytes) {
        Some(()) => next(rest, regs, machine),
        None => machine.leave(rest),
    }
}

/// A conditional jump.
pub(super) fn branch<'c, A: Access, C: Condition<A>>(
    op: &'c Op<A>,
    after: &'c [Op<A>],
    regs: &mut Regs,
    machine: &mut Machine<'c, '_, A>,
) {
    match C::holds(op, regs) {
        true => machine.jump(op.target, after, regs),
        false => next(after, regs, machine),
    }
}

/// An instruction and the conditional jump behind it.
pub(super) fn then_branch<'c, A: Access, E: Effect<A>, C: Condition<A>>(
    op: &'c Op<A>,
    after: &'c [Op<A>],
    regs: &mut Regs,
    machine: &mut Machine<'c, '_, A>,
) {
    if E::run(op, regs, &mut machine.bytes).is_none() {
        return machine.leave(after);
    }
    let Some((second, rest)) = after.split_first() else { return next(after, regs, machine) };
    match C::holds(second, regs) {
        true => machine.jump(second.target, rest, regs),
        false => next(rest, regs, machine),
    }
}

/// A jump.
pub(super) fn jump<'c, A: Access>(
    op: &'c Op<A>,
    after: &'c [Op<A>],
    regs: &mut Regs,
    machine: &mut Machine<'c, '_, A>,
) {
    machine.jump(op.target, after, regs);
}

/// A jump out of a bounded loop that took all its rounds.
pub(super) fn may_goto<'c, A: Access>(
    op: &'c Op<A>,
    after: &'c [Op<A>],
    regs: &mut Regs,
    machine: &mut Machine<'c, '_, A>,
) {
    match machine.calls.may_goto_left.checked_sub(1) {
        Some(left) => {
            *machine.calls.may_goto_left = left;
            next(after, regs, machine);
        }
        None => machine.jump(op.target, after, regs),
    }
}

/// A call of a function of the program.
pub(super) fn call<'c, A: Access>(
    op: &'c Op<A>,
    after: &'c [Op<A>],
    regs: &mut Regs,
    machine: &mut Machine<'c, '_, A>,
) {
    let calls = &mut machine.calls;
    if *calls.depth >= calls.most {
        return machine.leave(after);
    }
    calls.frames.push(regs.frame(calls.program, machine.ops.len() - after.len(), *calls.may_goto_left));
    regs.0[10] = calls.stack + u64::from(*calls.depth) * FRAME_STRIDE + FRAME_SIZE;
    *calls.depth += 1;
    *calls.may_goto_left = MAY_GOTO_LIMIT;
    machine.jump(op.target, after, regs);
}

/// The return from one; that of the entry, and to another program's function, is not ours.
pub(super) fn exit<'c, A: Access>(
    _: &'c Op<A>,
    after: &'c [Op<A>],
    regs: &mut Regs,
    machine: &mut Machine<'c, '_, A>,
) {
    let calls = &mut machine.calls;
    let program = calls.program;
    let Some(frame) = calls.frames.pop_if(|frame| frame.program == program) else {
        return machine.leave(after);
    };
    *calls.depth -= 1;
    *calls.may_goto_left = frame.may_goto_left;
    frame.restore(regs);
    machine.jump(frame.return_to as u32, after, regs);
}

/// An instruction of the plain interpreter's.
pub(super) fn leave<'c, A: Access>(
    _: &'c Op<A>,
    after: &'c [Op<A>],
    _: &mut Regs,
    machine: &mut Machine<'c, '_, A>,
) {
    machine.leave(after);
}
