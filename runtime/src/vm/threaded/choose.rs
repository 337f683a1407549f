//! The function for an instruction, and for a pair of them.
//!
//! The kind of an instruction becomes a type: macros match it and name the type in each arm. Pairs
//! are made of the kinds that programs execute most, which was measured on the workloads.

use alloc::vec::Vec;

use skep_stdlib::isa::{AluOp, CallTarget, Cond, Endian, Imm64, Insn, Operand, Reg, Size, Width};

use super::effects::{
    Alu, Branch, Load, Mov, MovSx, Neg, Store, StoreImm, Swap, branch, call, exit, jump, leave, may_goto,
    pair, single, then_branch,
};
use super::{Access, Op, Program, Run};
use crate::vm::alu::immediate;
use crate::vm::env::map_address;
use crate::vm::interp::{NOWHERE, Step};

/// Ops for a program's steps. `value_of` gives the address of a map's only value.
pub fn program<A: Access>(steps: &[Step], value_of: &dyn Fn(u32) -> Option<u64>) -> Program<A> {
    let mut ops: Vec<Op<A>> = steps.iter().map(|step| op(step, value_of)).collect();
    for (op, pair) in ops.iter_mut().zip(steps.windows(2)) {
        if let [first, second] = pair
            && let Some(run) = fused(first, second)
        {
            op.run = run;
        }
    }
    Program { ops }
}

/// The function of `$make` with the type of an arithmetic instruction of these operations.
macro_rules! alu {
    ($make:ident, $op:expr, $wide:expr, $imm:expr; $($name:ident)*) => {
        match ($op, $wide, $imm) {
            $(
                (AluOp::$name, true, true) => $make!(Alu<{ AluOp::$name as usize }, true, true>),
                (AluOp::$name, true, false) => $make!(Alu<{ AluOp::$name as usize }, true, false>),
                (AluOp::$name, false, true) => $make!(Alu<{ AluOp::$name as usize }, false, true>),
                (AluOp::$name, false, false) => $make!(Alu<{ AluOp::$name as usize }, false, false>),
            )*
        }
    };
}

/// The same for conditional jumps.
macro_rules! conditions {
    ($make:ident, $cond:expr, $wide:expr, $imm:expr; $($name:ident)*) => {
        match ($cond, $wide, $imm) {
            $(
                (Cond::$name, true, true) => $make!(Branch<{ Cond::$name as usize }, true, true>),
                (Cond::$name, true, false) => $make!(Branch<{ Cond::$name as usize }, true, false>),
                (Cond::$name, false, true) => $make!(Branch<{ Cond::$name as usize }, false, true>),
                (Cond::$name, false, false) => $make!(Branch<{ Cond::$name as usize }, false, false>),
            )*
        }
    };
}

fn is_imm(operand: Operand) -> bool {
    matches!(operand, Operand::Imm(_))
}

/// One instruction with what it needs.
fn op<A: Access>(step: &Step, value_of: &dyn Fn(u32) -> Option<u64>) -> Op<A> {
    let mut op = Op { run: leave, value: 0, target: step.target, dst: 0, src: 0 };
    let (dst, src, value) = operands(&step.insn, value_of);
    (op.dst, op.src) = (dst.number(), src.number());
    if let Insn::Store { off, src: Operand::Imm(_), .. } = step.insn {
        // The one instruction with an immediate and an offset.
        op.target = i32::from(off) as u32;
    }
    if let Some(value) = value {
        op.value = value;
        op.run = function(step);
    }
    op
}

/// Registers and the number of an instruction; no number if it is the plain interpreter's.
fn operands(insn: &Insn, value_of: &dyn Fn(u32) -> Option<u64>) -> (Reg, Reg, Option<u64>) {
    let split = |operand| match operand {
        Operand::Reg(reg) => (reg, 0),
        Operand::Imm(imm) => (Reg::R0, immediate(imm)),
    };
    let offset = |off: i16| Some(i64::from(off) as u64);
    // Writing the frame pointer is a fault.
    let unless_fp = |dst: Reg, value| (dst != Reg::FP).then_some(value);
    match *insn {
        Insn::Alu { dst, src, .. } | Insn::Mov { dst, src, .. } => {
            let (src, value) = split(src);
            (dst, src, unless_fp(dst, value))
        }
        Insn::Branch { dst, src, .. } => {
            let (src, value) = split(src);
            (dst, src, Some(value))
        }
        Insn::MovSx { dst, src, .. } | Insn::AddrSpaceCast { dst, src, .. } => (dst, src, unless_fp(dst, 0)),
        Insn::Neg { dst, .. } | Insn::Swap { dst, .. } => (dst, Reg::R0, unless_fp(dst, 0)),
        Insn::LoadImm64 { dst, value } => {
            let value = match value {
                Imm64::Const(value) => Some(value),
                Imm64::MapIdx(index) => Some(map_address(index as u32)),
                Imm64::MapIdxValue { index, offset } => {
                    value_of(index as u32).map(|address| address + u64::from(offset))
                }
                Imm64::Func(_) | Imm64::BtfId { .. } | Imm64::MapFd(_) | Imm64::MapValue { .. } => None,
            };
            (dst, Reg::R0, value.filter(|_| dst != Reg::FP))
        }
        Insn::Load { dst, base, off, .. } => (dst, base, offset(off).filter(|_| dst != Reg::FP)),
        Insn::Store { base, off, src, .. } => match src {
            Operand::Reg(src) => (base, src, offset(off)),
            Operand::Imm(imm) => (base, Reg::R0, Some(immediate(imm))),
        },
        Insn::Jump { .. } | Insn::MayGoto { .. } | Insn::Call(CallTarget::Local(_)) | Insn::Exit => {
            (Reg::R0, Reg::R0, Some(0))
        }
        Insn::Atomic { .. }
        | Insn::LoadAcquire { .. }
        | Insn::StoreRelease { .. }
        | Insn::LoadAbs { .. }
        | Insn::LoadInd { .. }
        | Insn::Call(CallTarget::Helper(_) | CallTarget::Kfunc { .. } | CallTarget::Reg(_)) => {
            (Reg::R0, Reg::R0, None)
        }
    }
}

/// The function that executes one instruction.
fn function<A: Access>(step: &Step) -> Run<A> {
    macro_rules! effect {
        ($effect:ty) => {
            single::<A, $effect>
        };
    }
    macro_rules! condition {
        ($condition:ty) => {
            branch::<A, $condition>
        };
    }
    let wide = |width| width == Width::W64;
    let jumps = step.target != NOWHERE;
    match step.insn {
        Insn::Alu { width, op, src, .. } => {
            alu!(effect, op, wide(width), is_imm(src);
                Add Sub Mul Div Or And Lsh Rsh Mod Xor Arsh Sdiv Smod)
        }
        Insn::Mov { width, src, .. } => match (wide(width), is_imm(src)) {
            (true, true) => effect!(Mov<true, true>),
            (true, false) => effect!(Mov<true, false>),
            (false, true) => effect!(Mov<false, true>),
            (false, false) => effect!(Mov<false, false>),
        },
        Insn::MovSx { width, bits, .. } => match (bits, wide(width)) {
            (8, true) => effect!(MovSx<8, true>),
            (8, false) => effect!(MovSx<8, false>),
            (16, true) => effect!(MovSx<16, true>),
            (16, false) => effect!(MovSx<16, false>),
            (_, true) => effect!(MovSx<32, true>),
            (_, false) => effect!(MovSx<32, false>),
        },
        Insn::Neg { width, .. } if wide(width) => effect!(Neg<true>),
        Insn::Neg { .. } => effect!(Neg<false>),
        Insn::Swap { kind, bits, .. } => match (kind, bits) {
            (Endian::ToLe, 16) => effect!(Swap<false, 16>),
            (Endian::ToLe, 32) => effect!(Swap<false, 32>),
            (Endian::ToLe, _) => effect!(Swap<false, 64>),
            (Endian::ToBe | Endian::Bswap, 16) => effect!(Swap<true, 16>),
            (Endian::ToBe | Endian::Bswap, 32) => effect!(Swap<true, 32>),
            (Endian::ToBe | Endian::Bswap, _) => effect!(Swap<true, 64>),
        },
        Insn::LoadImm64 { .. } => effect!(Mov<true, true>),
        // Both spaces of an address are the same.
        Insn::AddrSpaceCast { .. } => effect!(Mov<true, false>),
        Insn::Load { size, signed, .. } => match (size, signed) {
            (Size::B, false) => effect!(Load<1, false>),
            (Size::H, false) => effect!(Load<2, false>),
            (Size::W, false) => effect!(Load<4, false>),
            (Size::DW, _) => effect!(Load<8, false>),
            (Size::B, true) => effect!(Load<1, true>),
            (Size::H, true) => effect!(Load<2, true>),
            (Size::W, true) => effect!(Load<4, true>),
        },
        Insn::Store { size, src, .. } => match (size, is_imm(src)) {
            (Size::B, false) => effect!(Store<1>),
            (Size::H, false) => effect!(Store<2>),
            (Size::W, false) => effect!(Store<4>),
            (Size::DW, false) => effect!(Store<8>),
            (Size::B, true) => effect!(StoreImm<1>),
            (Size::H, true) => effect!(StoreImm<2>),
            (Size::W, true) => effect!(StoreImm<4>),
            (Size::DW, true) => effect!(StoreImm<8>),
        },
        Insn::Branch { width, cond: is, src, .. } if jumps => {
            conditions!(condition, is, wide(width), is_imm(src);
                Eq Gt Ge Set Ne Sgt Sge Lt Le Slt Sle)
        }
        Insn::Jump { .. } if jumps => jump,
        Insn::MayGoto { .. } if jumps => may_goto,
        Insn::Call(CallTarget::Local(_)) if jumps => call,
        Insn::Exit => exit,
        Insn::Branch { .. }
        | Insn::Jump { .. }
        | Insn::MayGoto { .. }
        | Insn::Call(_)
        | Insn::Atomic { .. }
        | Insn::LoadAcquire { .. }
        | Insn::StoreRelease { .. }
        | Insn::LoadAbs { .. }
        | Insn::LoadInd { .. } => leave,
    }
}

/// Kinds of instructions that pairs are made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hot {
    Mov,
    Mov32,
    MovImm,
    Mov32Imm,
    Add,
    AddImm,
    Add32,
    Add32Imm,
    LshImm,
    Lsh32Imm,
    RshImm,
    Rsh32Imm,
    Xor,
    Xor32,
    Or,
    Or32,
    AndImm,
    And32Imm,
    MulImm,
    Mul,
    Load1,
    Load2,
    Load4,
    Load8,
    Store4,
    Store8,
}

fn hot(insn: &Insn) -> Option<Hot> {
    let (is_hot, dst) = match *insn {
        Insn::Alu { width, op, src, dst } => (hot_alu(op, width == Width::W64, is_imm(src))?, dst),
        Insn::Mov { width: Width::W64, src: Operand::Reg(_), dst } => (Hot::Mov, dst),
        Insn::Mov { width: Width::W32, src: Operand::Reg(_), dst } => (Hot::Mov32, dst),
        Insn::Mov { width: Width::W64, src: Operand::Imm(_), dst } => (Hot::MovImm, dst),
        Insn::Mov { width: Width::W32, src: Operand::Imm(_), dst } => (Hot::Mov32Imm, dst),
        Insn::Load { size, signed: false, dst, .. } => match size {
            Size::B => (Hot::Load1, dst),
            Size::H => (Hot::Load2, dst),
            Size::W => (Hot::Load4, dst),
            Size::DW => (Hot::Load8, dst),
        },
        Insn::Store { size: Size::W, src: Operand::Reg(_), .. } => (Hot::Store4, Reg::R0),
        Insn::Store { size: Size::DW, src: Operand::Reg(_), .. } => (Hot::Store8, Reg::R0),
        _ => return None,
    };
    (dst != Reg::FP).then_some(is_hot)
}

fn hot_alu(op: AluOp, wide: bool, imm: bool) -> Option<Hot> {
    Some(match (op, wide, imm) {
        (AluOp::Add, true, false) => Hot::Add,
        (AluOp::Add, true, true) => Hot::AddImm,
        (AluOp::Add, false, false) => Hot::Add32,
        (AluOp::Add, false, true) => Hot::Add32Imm,
        (AluOp::Lsh, true, true) => Hot::LshImm,
        (AluOp::Lsh, false, true) => Hot::Lsh32Imm,
        (AluOp::Rsh, true, true) => Hot::RshImm,
        (AluOp::Rsh, false, true) => Hot::Rsh32Imm,
        (AluOp::Xor, true, false) => Hot::Xor,
        (AluOp::Xor, false, false) => Hot::Xor32,
        (AluOp::Or, true, false) => Hot::Or,
        (AluOp::Or, false, false) => Hot::Or32,
        (AluOp::And, true, true) => Hot::AndImm,
        (AluOp::And, false, true) => Hot::And32Imm,
        (AluOp::Mul, true, true) => Hot::MulImm,
        (AluOp::Mul, true, false) => Hot::Mul,
        _ => return None,
    })
}

/// The arithmetic instruction with an operation's name.
macro_rules! kind {
    (Mov) => { Mov<true, false> };
    (Mov32) => { Mov<false, false> };
    (MovImm) => { Mov<true, true> };
    (Mov32Imm) => { Mov<false, true> };
    (Add) => { Alu<{ AluOp::Add as usize }, true, false> };
    (AddImm) => { Alu<{ AluOp::Add as usize }, true, true> };
    (Add32) => { Alu<{ AluOp::Add as usize }, false, false> };
    (Add32Imm) => { Alu<{ AluOp::Add as usize }, false, true> };
    (LshImm) => { Alu<{ AluOp::Lsh as usize }, true, true> };
    (Lsh32Imm) => { Alu<{ AluOp::Lsh as usize }, false, true> };
    (RshImm) => { Alu<{ AluOp::Rsh as usize }, true, true> };
    (Rsh32Imm) => { Alu<{ AluOp::Rsh as usize }, false, true> };
    (Xor) => { Alu<{ AluOp::Xor as usize }, true, false> };
    (Xor32) => { Alu<{ AluOp::Xor as usize }, false, false> };
    (Or) => { Alu<{ AluOp::Or as usize }, true, false> };
    (Or32) => { Alu<{ AluOp::Or as usize }, false, false> };
    (AndImm) => { Alu<{ AluOp::And as usize }, true, true> };
    (And32Imm) => { Alu<{ AluOp::And as usize }, false, true> };
    (MulImm) => { Alu<{ AluOp::Mul as usize }, true, true> };
    (Mul) => { Alu<{ AluOp::Mul as usize }, true, false> };
    (Load1) => { Load<1, false> };
    (Load2) => { Load<2, false> };
    (Load4) => { Load<4, false> };
    (Load8) => { Load<8, false> };
    (Store4) => { Store<4> };
    (Store8) => { Store<8> };
}

/// Every kind of the first list in front of every kind of the second.
macro_rules! pairs {
    ($first:expr, $second:expr; $($one:ident)*; $seconds:tt) => {
        match $first {
            $(Hot::$one => pairs!(@second $second; $one; $seconds),)*
            _ => None,
        }
    };
    (@second $second:expr; $one:ident; [$($two:ident)*]) => {
        match $second {
            $(Hot::$two => Some(pair::<A, kind!($one), kind!($two)> as Run<A>),)*
            _ => None,
        }
    };
}

/// Every kind of the list in front of every condition, with an immediate and with a register.
macro_rules! branches {
    ($first:expr, $branch:expr; $($one:ident)*; $conds:tt) => {
        match $first {
            $(Hot::$one => branches!(@branch $branch; $one; $conds),)*
            _ => None,
        }
    };
    (@branch $branch:expr; $one:ident; [$($cond:ident)*]) => {
        match $branch {
            $(
                (Cond::$cond, true, true) => {
                    Some(then_branch::<A, kind!($one), Branch<{ Cond::$cond as usize }, true, true>> as Run<A>)
                }
                (Cond::$cond, true, false) => {
                    Some(then_branch::<A, kind!($one), Branch<{ Cond::$cond as usize }, true, false>> as Run<A>)
                }
                (Cond::$cond, false, true) => {
                    Some(then_branch::<A, kind!($one), Branch<{ Cond::$cond as usize }, false, true>> as Run<A>)
                }
            )*
            _ => None,
        }
    };
}

/// The function for two instructions in a row, if they are such a pair.
fn fused<A: Access>(first: &Step, second: &Step) -> Option<Run<A>> {
    let one = hot(&first.insn)?;
    if let Insn::Branch { width, cond: is, src, .. } = second.insn {
        let branch = (is, width == Width::W64, is_imm(src));
        return match second.target {
            NOWHERE => None,
            _ => branches!(one, branch; Mov Mov32 AddImm Add32Imm AndImm And32Imm Load1 Load2 Load4 Load8;
                [Eq Ne Gt Lt]),
        };
    }
    pairs!(one, hot(&second.insn)?;
        Mov Mov32 MovImm Mov32Imm Add AddImm Add32 LshImm Lsh32Imm RshImm Rsh32Imm Xor Xor32 Or Or32 AndImm
        And32Imm Load1 Load4 Load8;
        [Mov Mov32 Add AddImm Add32 Add32Imm LshImm Lsh32Imm RshImm Rsh32Imm Xor Xor32 Or Or32 AndImm And32Imm
         MulImm Mul Load1 Load4 Load8 Store4 Store8])
}
