//! Encodings as LLVM's assembler gives them, and what is done about jumps that reach too far.

use alloc::string::String;
use alloc::vec::Vec;
use std::io::Write;
use std::process::{Command, Stdio};

use skep_test_tools::{LLVM_MC, Need, have};

use super::asm::{Asm, Gpr, Place};
use super::encode::*;

/// Text, words, and how our assembler is told.
type Row = (&'static str, &'static [u32], fn(&mut Asm));

const ZR: Gpr = Gpr::ZERO;

const fn x(number: u8) -> Gpr {
    Gpr::x(number)
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("add x0, x1, x2", &[0x8b020020], |a| a.op(true, Op::Add, x(0), x(1), x(2))),
    ("add x7, x10, x7, lsl #6", &[0x8b071947], |a| a.sum_shifted(x(7), x(10), x(7), 6)),
    ("sub w7, w19, w30", &[0x4b1e0267], |a| a.op(false, Op::Sub, x(7), x(19), x(30))),
    ("adds x9, x10, x11", &[0xab0b0149], |a| a.op(true, Op::Adds, x(9), x(10), x(11))),
    ("cmp w3, w4", &[0x6b04007f], |a| a.op(false, Op::Subs, ZR, x(3), x(4))),
    ("and x5, x6, x7", &[0x8a0700c5], |a| a.op(true, Op::And, x(5), x(6), x(7))),
    ("orr w5, w6, w7", &[0x2a0700c5], |a| a.op(false, Op::Orr, x(5), x(6), x(7))),
    ("eor x20, x21, x22", &[0xca1602b4], |a| a.op(true, Op::Eor, x(20), x(21), x(22))),
    ("tst w1, w2", &[0x6a02003f], |a| a.op(false, Op::Ands, ZR, x(1), x(2))),
    ("mov x7, x0", &[0xaa0003e7], |a| a.mov(true, x(7), x(0))),
    ("mov w7, w7", &[0x2a0703e7], |a| a.mov(false, x(7), x(7))),
    ("neg x4, x4", &[0xcb0403e4], |a| a.op(true, Op::Sub, x(4), ZR, x(4))),
    ("udiv w1, w2, w3", &[0x1ac30841], |a| a.op(false, Op::Udiv, x(1), x(2), x(3))),
    ("sdiv x1, x2, x3", &[0x9ac30c41], |a| a.op(true, Op::Sdiv, x(1), x(2), x(3))),
    ("lsl x1, x2, x3", &[0x9ac32041], |a| a.op(true, Op::Lsl, x(1), x(2), x(3))),
    ("lsr w1, w2, w3", &[0x1ac32441], |a| a.op(false, Op::Lsr, x(1), x(2), x(3))),
    ("asr x1, x2, x3", &[0x9ac32841], |a| a.op(true, Op::Asr, x(1), x(2), x(3))),
    ("mvn w9, w3", &[0x2a2303e9], |a| a.op(false, Op::Orn, x(9), ZR, x(3))),
    ("add x0, x1, #4095", &[0x913ffc20], |a| assert!(a.op_imm(true, Op::Add, x(0), x(1), 4095))),
    ("sub sp, sp, #112", &[0xd101c3ff], |a| assert!(a.op_imm(true, Op::Sub, Gpr::SP, Gpr::SP, 112))),
    ("add w0, w1, #4095, lsl #12", &[0x117ffc20], |a| assert!(a.op_imm(false, Op::Add, x(0), x(1), 0xfff000))),
    ("cmp x3, #17", &[0xf100447f], |a| assert!(a.op_imm(true, Op::Subs, ZR, x(3), 17))),
    ("cmn w3, #17", &[0x3100447f], |a| assert!(a.op_imm(false, Op::Adds, ZR, x(3), 17))),
    ("and x1, x2, #0xff00ff00ff00ff00", &[0x92089c41], |a| assert!(a.op_imm(true, Op::And, x(1), x(2), 0xff00_ff00_ff00_ff00))),
    ("orr w1, w2, #0x80000001", &[0x32010441], |a| assert!(a.op_imm(false, Op::Orr, x(1), x(2), 0x8000_0001))),
    ("eor x1, x2, #0xfffffffffffffffe", &[0xd27ff841], |a| assert!(a.op_imm(true, Op::Eor, x(1), x(2), !1))),
    ("tst x11, #7", &[0xf240097f], |a| assert!(a.op_imm(true, Op::Ands, ZR, x(11), 7))),
    ("mov x9, sp", &[0x910003e9], |a| a.mov_stack(x(9), Gpr::SP)),
    ("mov sp, x9", &[0x9100013f], |a| a.mov_stack(Gpr::SP, x(9))),
    ("mov x3, #0", &[0xd2800003], |a| a.mov_imm(x(3), 0)),
    ("mov x3, #0x12340000", &[0xd2a24683], |a| a.mov_imm(x(3), 0x1234_0000)),
    ("mov x3, #-1", &[0x92800003], |a| a.mov_imm(x(3), u64::MAX)),
    ("mov x3, #-4660", &[0x92824663], |a| a.mov_imm(x(3), -4660i64 as u64)),
    ("orr w3, wzr, #0xff00ff", &[0x32009fe3], |a| a.mov_imm(x(3), 0xff_00ff)),
    ("movz x3, #0x5678; movk x3, #0x1234, lsl #16", &[0xd28acf03, 0xf2a24683], |a| a.mov_imm(x(3), 0x1234_5678)),
    ("movz x3, #0x7788; movk x3, #0x5566, lsl #16; movk x3, #0x1122, lsl #48", &[0xd28ef103, 0xf2aaacc3, 0xf2e22443], |a| a.mov_imm(x(3), 0x1122_0000_5566_7788)),
    ("movn x3, #0x5432; movk x3, #0x9876, lsl #16", &[0x928a8643, 0xf2b30ec3], |a| a.mov_imm(x(3), 0xffff_ffff_9876_abcd)),
    ("madd x1, x2, x3, x4", &[0x9b031041], |a| a.product(true, Product::Added, x(1), x(4), (x(2), x(3)))),
    ("msub w1, w2, w3, w4", &[0x1b039041], |a| a.product(false, Product::Taken, x(1), x(4), (x(2), x(3)))),
    ("mul x1, x2, x3", &[0x9b037c41], |a| a.product(true, Product::Added, x(1), ZR, (x(2), x(3)))),
    ("sxtb x1, w2", &[0x93401c41], |a| a.field(true, Field::Signed, x(1), x(2), (0, 7))),
    ("sxth w1, w2", &[0x13003c41], |a| a.field(false, Field::Signed, x(1), x(2), (0, 15))),
    ("sxtw x1, w2", &[0x93407c41], |a| a.field(true, Field::Signed, x(1), x(2), (0, 31))),
    ("uxth w1, w2", &[0x53003c41], |a| a.field(false, Field::Unsigned, x(1), x(2), (0, 15))),
    ("lsl x1, x2, #0", &[0xd340fc41], |a| a.shift_left(true, x(1), x(2), 0)),
    ("lsl x1, x2, #63", &[0xd3410041], |a| a.shift_left(true, x(1), x(2), 63)),
    ("lsl w1, w2, #5", &[0x531b6841], |a| a.shift_left(false, x(1), x(2), 5)),
    ("lsr x1, x2, #40", &[0xd368fc41], |a| a.shift_right(true, Field::Unsigned, x(1), x(2), 40)),
    ("asr w1, w2, #31", &[0x131f7c41], |a| a.shift_right(false, Field::Signed, x(1), x(2), 31)),
    ("rev16 w1, w2", &[0x5ac00441], |a| a.unary(Unary::Rev16, x(1), x(2))),
    ("rev w1, w2", &[0x5ac00841], |a| a.unary(Unary::Rev32, x(1), x(2))),
    ("rev x1, x2", &[0xdac00c41], |a| a.unary(Unary::Rev64, x(1), x(2))),
    ("ldrb w1, [x2, x3]", &[0x38636841], |a| a.access(Access::Load, 1, x(1), Place::Sum(x(2), x(3)))),
    ("strh w1, [x2, x3]", &[0x78236841], |a| a.access(Access::Store, 2, x(1), Place::Sum(x(2), x(3)))),
    ("ldrsw x1, [x2, x3]", &[0xb8a36841], |a| a.access(Access::LoadSigned, 4, x(1), Place::Sum(x(2), x(3)))),
    ("ldr x1, [x2, #32760]", &[0xf97ffc41], |a| a.access(Access::Load, 8, x(1), Place::Base(x(2), 32760))),
    ("ldr x1, [x2, #504]", &[0xf940fc41], |a| a.access(Access::LoadSigned, 8, x(1), Place::Base(x(2), 504))),
    ("str xzr, [x25]", &[0xf900033f], |a| a.access(Access::Store, 8, ZR, Place::Base(x(25), 0))),
    ("stur w1, [x2, #-256]", &[0xb8100041], |a| a.access(Access::Store, 4, x(1), Place::Base(x(2), -256))),
    ("ldursh x1, [x2, #255]", &[0x788ff041], |a| a.access(Access::LoadSigned, 2, x(1), Place::Base(x(2), 255))),
    ("ldrsb x1, [x2, #4095]", &[0x39bffc41], |a| a.access(Access::LoadSigned, 1, x(1), Place::Base(x(2), 4095))),
    ("ldr w16, [sp, #8]", &[0xb9400bf0], |a| a.access(Access::Load, 4, x(16), Place::Base(Gpr::SP, 8))),
    ("stp x19, x20, [sp, #16]", &[0xa90153f3], |a| a.pair(Pair::Store, (x(19), x(20)), 16)),
    ("ldp x29, x30, [sp, #504]", &[0xa95ffbfd], |a| a.pair(Pair::Load, (x(29), x(30)), 504)),
    ("stp x29, x30, [sp, #-16]!", &[0xa9bf7bfd], |a| a.pair(Pair::Push, (x(29), x(30)), -16)),
    ("ldp x29, x30, [sp], #16", &[0xa8c17bfd], |a| a.pair(Pair::Pop, (x(29), x(30)), 16)),
    ("ldarb w1, [x11]", &[0x08dffd61], |a| a.ordered(Ordered::Load, 1, x(1), x(11))),
    ("ldar x1, [x11]", &[0xc8dffd61], |a| a.ordered(Ordered::Load, 8, x(1), x(11))),
    ("stlrh w1, [x11]", &[0x489ffd61], |a| a.ordered(Ordered::Store, 2, x(1), x(11))),
    ("ldxr w1, [x11]", &[0x885f7d61], |a| a.ordered(Ordered::LoadExclusive, 4, x(1), x(11))),
    ("ldaxr x10, [x11]", &[0xc85ffd6a], |a| a.ordered(Ordered::LoadAcquireExclusive, 8, x(10), x(11))),
    ("stxr w17, x9, [x11]", &[0xc8117d69], |a| a.store_exclusive(Exclusive::Plain, 8, x(17), x(9), x(11))),
    ("stlxr w17, w9, [x11]", &[0x8811fd69], |a| a.store_exclusive(Exclusive::Release, 4, x(17), x(9), x(11))),
    ("dmb ish", &[0xd5033bbf], |a| a.barrier()),
    ("ldaddal w1, w2, [x11]", &[0xb8e10162], |a| a.at_once(AtOnce::Add, 4, x(1), x(2), x(11))),
    ("ldclral x9, x2, [x11]", &[0xf8e91162], |a| a.at_once(AtOnce::Clear, 8, x(9), x(2), x(11))),
    ("ldeoral x1, xzr, [x11]", &[0xf8e1217f], |a| a.at_once(AtOnce::Eor, 8, x(1), ZR, x(11))),
    ("ldsetal w1, w2, [x11]", &[0xb8e13162], |a| a.at_once(AtOnce::Set, 4, x(1), x(2), x(11))),
    ("swpal x1, x2, [x11]", &[0xf8e18162], |a| a.at_once(AtOnce::Swap, 8, x(1), x(2), x(11))),
    ("casal w7, w2, [x11]", &[0x88e7fd62], |a| a.at_once(AtOnce::CompareAndSwap, 4, x(7), x(2), x(11))),
    ("adr x25, #-65600", &[0x10f7fe19], |a| a.address(x(25), -65600)),
    ("blr x16", &[0xd63f0200], |a| a.call_reg(x(16))),
    ("br x16", &[0xd61f0200], |a| a.jump_reg(x(16))),
    ("ret", &[0xd65f03c0], |a| a.ret()),
];

fn words(emit: impl FnOnce(&mut Asm)) -> Vec<u32> {
    let mut asm = Asm::default();
    emit(&mut asm);
    let code = asm.finish(0).bytes;
    code.chunks(4).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

#[test]
fn encodings() {
    for (text, wanted, emit) in ROWS {
        assert_eq!(words(emit), *wanted, "{text}");
    }
}

/// The table is right.
#[test]
fn encodings_are_those_of_llvm() {
    if !have(&[Need::LlvmMc]) {
        return;
    }
    let text: String = ROWS.iter().map(|(text, ..)| alloc::format!("{text}\n")).collect();
    let mut command = Command::new(LLVM_MC);
    command.args(["--triple=aarch64", "-mattr=+lse", "--show-encoding"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let word = |line: &str| {
        let (_, bytes) = line.split_once("encoding: [")?;
        let bytes = bytes.trim_end().trim_end_matches(']').split(',').rev();
        let hex: String = bytes.map(|byte| byte.trim_start_matches("0x")).collect();
        u32::from_str_radix(&hex, 16).ok()
    };
    let theirs: Vec<u32> = String::from_utf8(output.stdout).unwrap().lines().filter_map(word).collect();
    let ours: Vec<u32> = ROWS.iter().flat_map(|(_, words, _)| words.iter().copied()).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn jumps() {
    let near = words(|a| {
        let (start, end) = (a.label(), a.label());
        a.bind(start);
        a.jump_if(Cc::LessEqual, end);
        a.jump_zero(true, true, x(3), start);
        a.jump_zero(false, false, x(3), end);
        a.call(start);
        a.jump(end);
        a.bind(end);
        a.ret();
    });
    assert_eq!(near, [0x5400_00ad, 0xb4ff_ffe3, 0x3500_0063, 0x97ff_fffd, 0x1400_0001, RETURN]);
}

/// A conditional jump that does not reach is the opposite one over one that does; what is in between moves.
#[test]
fn far_jumps() {
    const COUNT: usize = 1 << 18;
    let far = words(|a| {
        let (start, near, end) = (a.label(), a.label(), a.label());
        a.bind(start);
        a.jump_if(Cc::Equal, end);
        a.jump_if(Cc::Above, near);
        a.bind(near);
        (0..COUNT).for_each(|_| a.ret());
        a.jump_zero(true, false, x(5), start);
        a.bind(end);
        a.ret();
    });
    let count = COUNT as u32;
    assert_eq!(far[..3], [0x5400_0041, JUMP | (count + 4), 0x5400_0028]);
    assert_eq!(far[COUNT + 3..], [0xb400_0045, JUMP | -(count as i32 + 4) as u32 & 0x3ff_ffff, RETURN]);
}
