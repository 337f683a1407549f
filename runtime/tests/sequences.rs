//! Sequences of instructions that compiled code joins to one: rotations, extensions, sums of copies. Of each
//! many variants, right ones and such as are nearly right, in all engines.

mod common;

use common::vm;
use skep_runtime::Image;
use skep_runtime::object::Code;
use skep_runtime::vm::Input;
use skep_stdlib::isa::{AluOp, Imm64, Insn, Operand, Reg, Width};
use skep_test_tools::random::Random;

const ROUNDS: usize = 4_000;
const REGS: [Reg; 5] = [Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R6];

fn width(random: &mut Random) -> Width {
    *random.pick(&[Width::W32, Width::W64])
}

fn alu(width: Width, op: AluOp, dst: Reg, src: Operand) -> Insn {
    Insn::Alu { width, op, dst, src }
}

fn copy(width: Width, dst: Reg, src: Reg) -> Insn {
    Insn::Mov { width, dst, src: Operand::Reg(src) }
}

/// Two shifts of what are copies of one register or the register itself, in any order, and what joins them.
/// Now and then something does not fit.
fn rotation(random: &mut Random) -> Vec<Insn> {
    let all = width(random);
    let width_of = |random: &mut Random| if random.one_in(12) { width(random) } else { all };
    let (x, t, u) = (*random.pick(&REGS), *random.pick(&REGS), *random.pick(&REGS));
    let count = 1 + random.below(all.bits() as usize - 1) as i32;
    let rest = all.bits() as i32 - count + i32::from(random.one_in(12));
    let (one, two) = *random.pick(&[(AluOp::Lsh, AluOp::Rsh), (AluOp::Rsh, AluOp::Lsh)]);
    let two = if random.one_in(12) { AluOp::Arsh } else { two };
    let first = [copy(width_of(random), t, x), alu(width_of(random), one, t, Operand::Imm(count))];
    let other = if random.one_in(2) { u } else { x };
    let second = alu(width_of(random), two, other, Operand::Imm(rest.min(all.bits() as i32 - 1)));
    let (dst, src) = *random.pick(&[(t, other), (other, t)]);
    let last = alu(width_of(random), AluOp::Or, dst, Operand::Reg(src));
    let mut insns = Vec::new();
    match (other == x, random.one_in(2)) {
        (true, true) => insns.extend([first[0], first[1], second]),
        (true, false) => insns.extend([first[0], second, first[1]]),
        (false, true) => insns.extend([first[0], first[1], copy(width_of(random), u, x), second]),
        (false, false) => insns.extend([copy(width_of(random), u, x), second, first[0], first[1]]),
    }
    insns.push(last);
    insns
}

fn extension(random: &mut Random) -> Vec<Insn> {
    let (width, reg) = (width(random), *random.pick(&REGS));
    let count = (*random.pick(&[8, 16, 24, 32, 48, 56])).min(width.bits() as i32 - 1);
    let right = *random.pick(&[AluOp::Rsh, AluOp::Arsh]);
    [AluOp::Lsh, right].map(|op| alu(width, op, reg, Operand::Imm(count))).into()
}

fn sum(random: &mut Random) -> Vec<Insn> {
    let (all, dst, src) = (width(random), *random.pick(&REGS), *random.pick(&REGS));
    let op = *random.pick(&[AluOp::Add, AluOp::Sub]);
    let other = match random.below(2) {
        0 => Operand::Imm(*random.pick(&[0, 1, -1, 127, 128, i32::MIN, i32::MAX])),
        _ => Operand::Reg(*random.pick(&REGS)),
    };
    vec![copy(all, dst, src), alu(all, op, dst, other)]
}

/// Registers of which some are written again behind the sequence: those that are not, all count.
fn program(random: &mut Random) -> Vec<Insn> {
    let mut insns = Vec::new();
    for dst in REGS {
        let number = random.interesting() >> *random.pick(&[0, 0, 32, 63]);
        insns.push(Insn::LoadImm64 { dst, value: Imm64::Const(number) });
    }
    for _ in 0..1 + random.below(3) {
        insns.extend((random.pick(&[rotation, rotation, extension, sum]))(random));
        if random.one_in(2) {
            insns.push(Insn::Mov { width: width(random), dst: *random.pick(&REGS), src: Operand::Imm(7) });
        }
    }
    insns.push(Insn::Mov { width: Width::W64, dst: Reg::R0, src: Operand::Imm(0) });
    for reg in REGS {
        insns.push(alu(Width::W64, AluOp::Mul, Reg::R0, Operand::Imm(31)));
        insns.push(alu(Width::W64, AluOp::Add, Reg::R0, Operand::Reg(reg)));
    }
    insns.push(Insn::Exit);
    insns
}

#[test]
fn sequences_are_what_their_instructions_are() {
    let mut random = Random::new(1);
    for _ in 0..ROUNDS {
        let image = Image::bare("syscall", Code::new(program(&mut random))).unwrap();
        vm(image).run(0, &Input::default()).unwrap().result.unwrap();
    }
}
