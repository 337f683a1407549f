//! Programs that are nearly right: instructions of a program that is accepted, changed a little.

use skep_runtime::object::{Code, Function, Program};
use skep_stdlib::ByteOrder;
use skep_stdlib::isa::{Imm64, Insn, decode_program, encode_program};

use skep_test_tools::mutate::change;
use skep_test_tools::random::Random;

/// The program with some instructions changed; none if they are no instructions any more.
pub fn mutate(program: &Program, random: &mut Random) -> Option<Program> {
    let insns: Vec<Insn> = program.code.iter().map(|(_, insn)| *insn).collect();
    let mut bytes = encode_program(&insns, ByteOrder::Little).ok()?;
    for _ in 0..1 + random.below(3) {
        change(&mut bytes, random);
    }
    let code = Code::new(decode_program(&bytes, ByteOrder::Little).ok()?);
    let mut program = program.clone();
    // A function that begins elsewhere has no type information, of which the kernel wants all or none.
    let called = Function::called(&code, &program.section);
    let starts = |functions: &[Function]| functions.iter().map(|f| f.start).collect::<Vec<u32>>();
    match program.functions.iter().all(|function| function.btf_func.is_none()) {
        true => program.functions = called,
        false if starts(&called) != starts(&program.functions) => return None,
        false => {}
    }
    // So are maps and variables: what refers to them stays as it is.
    let fixed = |code: &Code| -> Vec<(u32, Imm64)> {
        let load = |(slot, insn): (u32, &Insn)| match insn {
            Insn::LoadImm64 { value: Imm64::Const(_), .. } => None,
            Insn::LoadImm64 { value, .. } => Some((slot, *value)),
            _ => None,
        };
        code.iter().filter_map(load).collect()
    };
    if fixed(&code) != fixed(&program.code) {
        return None;
    }
    program.code = code;
    Some(program)
}
