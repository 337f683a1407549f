//! Code is executed and compared with the IR interpreter, at every version of the instruction set,
//! with every register allocation checked.

mod random;
mod stack;
mod vm;

use std::collections::BTreeMap;

use skep_stdlib::isa::{Cpu, Insn, Operand};

use super::code::{Code, FuncCode};
use super::{Options, generate};
use crate::ir::interp::{Fault, Host, Interp, Memory, Options as InterpOptions, Uninit};
use crate::ir::{BinaryOp, Callee, InstData, Limit, Module, SymbolKind, parse, verify};
use vm::Vm;

/// Parses and verifies a module.
fn module(text: &str) -> Module {
    let module = parse(text).unwrap_or_else(|e| panic!("{}:{}: {}\n{text}", e.line, e.column, e.message));
    verify::verify_module(&module, verify::Options::default()).unwrap_or_else(|e| panic!("{e}"));
    module
}

/// Generates code and checks what must hold for all code.
fn compile(module: &Module, cpu: Cpu) -> Code {
    let mut limits = Vec::new();
    let code = generate(module, &Options { cpu, big_endian: false, check: true }, &mut limits, &mut |_| {});
    assert_eq!(limits, [], "{cpu:?}");
    for f in &code.functions {
        check_shape(f, cpu);
    }
    code
}

fn check_shape(f: &FuncCode, cpu: Cpu) {
    for insn in &f.insns {
        // Stores of immediates are emitted for all, see `select::memory`.
        let everywhere = matches!(insn, Insn::Store { src: Operand::Imm(_), .. });
        assert!(everywhere || insn.min_cpu().is_some_and(|min| min <= cpu), "{insn} at {cpu:?}");
    }
    assert_eq!(f.lines.first().map(|line| line.0), Some(0));
    assert!(f.lines.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert!(f.relocs.windows(2).all(|pair| pair[0].slot < pair[1].slot));
    assert!(f.cores.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert!(f.stack <= 512);
    assert_eq!(fallen_back(f), None);
}

/// The slot of a plain instruction that falls into one from which it was reached, as the kernel's depth-first
/// search finds it: before 6.7 only jumps could lead back (`check_cfg` of kernel/bpf/verifier.c).
fn fallen_back(f: &FuncCode) -> Option<i64> {
    let mut slot = 0;
    let mut insns = BTreeMap::new();
    for insn in &f.insns {
        insns.insert(slot, insn);
        slot += insn.slots() as i64;
    }
    // For each slot that was reached: whether the search is still behind it.
    let mut open: BTreeMap<i64, bool> = BTreeMap::from([(0, true)]);
    let mut path = vec![(0, 0)];
    while let Some((at, edge)) = path.pop() {
        let insn = insns[&at];
        let next = at + insn.slots() as i64;
        let (plain, ways) = match *insn {
            Insn::Exit => (false, vec![]),
            Insn::Jump { off, .. } => (false, vec![next + i64::from(off)]),
            Insn::Branch { off, .. } | Insn::MayGoto { off } => (false, vec![next, next + i64::from(off)]),
            _ => (true, vec![next]),
        };
        let Some(&to) = ways.get(edge) else {
            open.insert(at, false);
            continue;
        };
        path.push((at, edge + 1));
        match open.get(&to) {
            None => {
                open.insert(to, true);
                path.push((to, 0));
            }
            Some(true) if plain => return Some(at),
            Some(_) => {}
        }
    }
    None
}

/// The limits that generation reports.
fn limits(text: &str, cpu: Cpu) -> Vec<Limit> {
    let mut limits = Vec::new();
    generate(&module(text), &Options { cpu, big_endian: false, check: true }, &mut limits, &mut |_| {});
    limits
}

/// The code of the first function as text.
fn asm(text: &str, cpu: Cpu) -> Vec<String> {
    let module = module(text);
    compile(&module, cpu).functions[0].insns.iter().map(Insn::to_string).collect()
}

/// Helpers that mix their number and arguments, with a log of the calls. Arguments that are
/// addresses must not be passed, because they differ between the two machines.
#[derive(Default)]
struct Recorder {
    pub log: Vec<(u32, Vec<u64>)>,
    /// Number of arguments and mask of each of them, by helper.
    shapes: BTreeMap<u32, Vec<u64>>,
}

impl Recorder {
    /// Learns from the calls in a module how many bits of each argument count.
    fn new(module: &Module) -> Recorder {
        let mut shapes = BTreeMap::new();
        for f in &module.functions {
            for inst in f.insts.values() {
                if let InstData::Call { callee: Callee::Helper(id), args, .. } = inst {
                    shapes.insert(*id, args.iter().map(|&arg| f.ty(arg).mask()).collect());
                }
            }
        }
        Recorder { log: Vec::new(), shapes }
    }
}

impl Host for Recorder {
    fn helper(&mut self, _: &mut Memory, id: u32, args: &[u64]) -> Result<u64, Fault> {
        let masks = self.shapes.get(&id).cloned().unwrap_or_default();
        let args: Vec<u64> = args.iter().zip(masks).map(|(arg, mask)| arg & mask).collect();
        let mut mix = 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(u64::from(id) + self.log.len() as u64 + 1);
        for arg in &args {
            mix = (mix ^ arg).wrapping_mul(0xff51_afd7_ed55_8ccd);
            mix ^= mix >> 29;
        }
        self.log.push((id, args));
        Ok(mix)
    }
}

/// Everything that can be seen of a run.
#[derive(PartialEq, Debug)]
struct Seen {
    result: Option<u64>,
    calls: Vec<(u32, Vec<u64>)>,
    data: Vec<Vec<u8>>,
}

const BUDGET: u64 = 200_000;

fn interpret(module: &Module, args: &[u64]) -> Result<Seen, Fault> {
    let options = InterpOptions { budget: BUDGET, uninit: Uninit::Fault, ..InterpOptions::default() };
    let mut interp = Interp::new(module, options)?;
    let mut host = Recorder::new(module);
    let symbol = module.functions[0].symbol;
    let result = interp.call(&mut host, symbol, args)?;
    let data = module.symbols.iter().filter(|(_, s)| matches!(s.kind, SymbolKind::Data(_)));
    let data = data.map(|(id, _)| interp.data(id).map(<[u8]>::to_vec)).collect::<Result<_, _>>()?;
    Ok(Seen { result, calls: host.log, data })
}

fn execute(module: &Module, code: &Code, args: &[u64]) -> Result<Seen, Fault> {
    let mut vm = Vm::new(module, code, 20 * BUDGET)?;
    let mut host = Recorder::new(module);
    let f = &module.functions[0];
    let result = vm.call(&mut host, f.symbol, args)?;
    let result = f.sig.ret.map(|ty| result & ty.mask());
    let mut data = Vec::new();
    for (id, symbol) in module.symbols.iter() {
        if let SymbolKind::Data(info) = &symbol.kind {
            data.push(vm.memory.read(vm.address(id), info.size as usize)?.to_vec());
        }
    }
    Ok(Seen { result, calls: host.log, data })
}

/// Runs a module in the interpreter and as code of every cpu. Arguments are passed with whatever
/// their type leaves of them. Runs that fault in the interpreter say nothing.
fn agree(module: &Module, inputs: &[Vec<u64>]) {
    let expected: Vec<_> =
        inputs.iter().filter_map(|args| Some((args, interpret(module, args).ok()?))).collect();
    assert!(!expected.is_empty(), "{}", crate::ir::print_module(module, false));
    let mut cpus = Cpu::ALL.to_vec();
    cpus.retain(|&cpu| cpu >= Cpu::V4 || !divides_signed(module));
    for cpu in cpus {
        let code = compile(module, cpu);
        for (args, expected) in &expected {
            let seen = execute(module, &code, args);
            assert_eq!(seen.as_ref(), Ok(expected), "{cpu:?} {args:x?}\n{}", text(module, &code));
        }
    }
}

/// Has the module an operation that only v4 has? The optimiser would have expanded it.
fn divides_signed(module: &Module) -> bool {
    let insts = module.functions.iter().flat_map(|f| f.insts.values());
    insts.into_iter().any(|inst| matches!(inst, InstData::Binary { op: BinaryOp::Sdiv | BinaryOp::Srem, .. }))
}

/// IR and code, for messages.
fn text(module: &Module, code: &Code) -> String {
    let mut text = crate::ir::print_module(module, false);
    for f in &code.functions {
        text += &format!("\n{}:\n", module.symbols[f.symbol].name);
        for insn in &f.insns {
            text += &format!("  {insn}\n");
        }
    }
    text
}

const CORNERS: [u64; 12] = [
    0,
    1,
    2,
    31,
    33,
    127,
    0x80,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
];

/// All pairs of corner values.
fn pairs() -> Vec<Vec<u64>> {
    CORNERS.iter().flat_map(|&a| CORNERS.iter().map(move |&b| vec![a, b])).collect()
}

#[test]
fn arithmetic_of_both_widths() {
    let ops =
        ["add", "sub", "mul", "udiv", "sdiv", "urem", "srem", "and", "or", "xor", "shl", "lshr", "ashr"];
    for op in ops {
        for ty in ["i32", "i64"] {
            agree(
                &module(&format!(
                    "function @f({ty}, {ty}) -> {ty} {{\nblock0(v0: {ty}, v1: {ty}):\n  v2 = {op} v0, v1\n  \
                     return v2\n}}\n"
                )),
                &pairs(),
            );
            for constant in ["0", "1", "-1", "7", "33", "-2147483648", "4294967295", "1311768467463790320"] {
                for (a, b) in [("v0", "v1"), ("v1", "v0")] {
                    agree(
                        &module(&format!(
                            "function @f({ty}) -> {ty} {{\nblock0(v0: {ty}):\n  v1 = iconst.{ty} {constant}\n  \
                             v2 = {op} {a}, {b}\n  return v2\n}}\n"
                        )),
                        &CORNERS.map(|c| vec![c]),
                    );
                }
            }
        }
    }
}

#[test]
fn comparisons_as_numbers_branches_and_selects() {
    for op in ["eq", "ne", "ult", "ule", "ugt", "uge", "slt", "sle", "sgt", "sge"] {
        for ty in ["i32", "i64"] {
            agree(
                &module(&format!(
                    "function @f({ty}, {ty}) -> i64 {{\nblock0(v0: {ty}, v1: {ty}):\n  v2 = icmp {op} v0, v1\n  \
                     v3 = zext.i64 v2\n  v4 = iconst.{ty} -7\n  v5 = select v2, v0, v4\n  br v2, block1(v5), \
                     block1(v1)\nblock1(v6: {ty}):\n  v7 = icmp {op} v6, v4\n  br v7, block2, \
                     block3\nblock2:\n  v8 = iconst.i64 5\n  v9 = add v3, v8\n  return v9\nblock3:\n  return \
                     v3\n}}\n"
                )),
                &pairs(),
            );
        }
    }
}

/// A function that leaves a long chain of additions in the middle, and before it.
fn long(length: usize) -> String {
    let mut text = String::from(
        "function @f(i64, i64) -> i64 {\nblock0(v0: i64, v1: i64):\n  v2 = iconst.i64 31\n  v3 = icmp ult v0, \
         v2\n  br v3, block3(v1), block1(v1)\nblock1(v4: i64):\n",
    );
    let chain = |text: &mut String, from: usize, to: usize| {
        for at in from..to {
            *text += &format!("  v{} = {} v{}, v0\n", at + 1, ["add", "xor"][at % 2], at);
        }
    };
    let (half, end) = (10 + length / 2, 10 + length);
    text += "  v10 = add v4, v0\n";
    chain(&mut text, 10, half);
    text += &format!("  v5 = icmp eq v1, v2\n  br v5, block3(v{half}), block2\nblock2:\n");
    chain(&mut text, half, end);
    text + &format!("  jump block3(v{end})\nblock3(v6: i64):\n  return v6\n}}\n")
}

#[test]
fn jumps_that_are_too_far_take_several() {
    let inputs = [[0, 7], [127, 7], [127, 31], [0x8000_0000, 31]].map(Vec::from);
    agree(&module(&long(33_000)), &inputs);
}

#[test]
fn where_bridges_alone_fill_the_way_is_a_limit() {
    // Every target is far away and has a bridge of its own, more than a jump reaches over.
    let targets = 18_000;
    let mut text = String::from("function @f(i64) -> i64 {\nblock0(v0: i64):\n  jump block1\n");
    for at in 1..=targets {
        let next = if at == targets { 1 } else { at + 1 };
        let values = (2 * at, 2 * at + 1, targets + at);
        text += &format!(
            "block{at}:\n  v{} = iconst.i64 {at}\n  v{} = icmp eq v0, v{}\n  br v{}, block{}, block{next}\n",
            values.0, values.1, values.0, values.1, values.2
        );
    }
    for at in 1..=targets {
        let value = 2 * targets + 1 + at;
        text += &format!("block{}:\n  v{value} = iconst.i64 {}\n  return v{value}\n", targets + at, 3 * at);
    }
    text += "}\n";
    let found = limits(&text, Cpu::V3);
    assert!(found.iter().any(|limit| limit.message.contains("farther than 32767")), "{found:?}");
}

#[test]
fn conversions() {
    for from in ["i8", "i16", "i32"] {
        for (op, to) in [("zext", "i32"), ("sext", "i32"), ("zext", "i64"), ("sext", "i64")] {
            if from == to {
                continue;
            }
            agree(
                &module(&format!(
                    "function @f(i64) -> {to} {{\nblock0(v0: i64):\n  v1 = trunc.{from} v0\n  v2 = {op}.{to} \
                     v1\n  v3 = mul v2, v2\n  v4 = add v3, v2\n  return v4\n}}\n"
                )),
                &CORNERS.map(|c| vec![c]),
            );
        }
    }
    for ty in ["i16", "i32", "i64"] {
        let narrow = if ty == "i64" { "  v1 = neg v0" } else { &format!("  v1 = trunc.{ty} v0") };
        let wide = if ty == "i64" { "  v3 = not v2" } else { "  v3 = zext.i64 v2" };
        agree(
            &module(&format!(
                "function @f(i64) -> i64 {{\nblock0(v0: i64):\n{narrow}\n  v2 = bswap v1\n{wide}\n  return \
                 v3\n}}\n"
            )),
            &CORNERS.map(|c| vec![c]),
        );
    }
}

#[test]
fn loops_and_parallel_moves() {
    // The two parameters of the loop swap.
    let text = "function @f(i32, i64) -> i64 {
block0(v0: i32, v1: i64):
  v2 = iconst.i32 0
  v3 = iconst.i64 1
  jump block1(v2, v1, v3)
block1(v4: i32, v5: i64, v6: i64):
  v7 = iconst.i32 1
  v8 = add v4, v7
  v9 = icmp ult v8, v0
  br v9, block1(v8, v6, v5), block2
block2:
  v10 = iconst.i64 3
  v11 = mul v5, v10
  v12 = add v11, v6
  return v12
}
";
    let inputs: Vec<_> = (0..6).map(|n| vec![n, 77]).collect();
    agree(&module(text), &inputs);
}

#[test]
fn calls_keep_what_lives_across_them() {
    // Eleven values live across the call: some go to the frame.
    let mut text = String::from("function @f(i64, i64) -> i64 {\nblock0(v0: i64, v1: i64):\n");
    for i in 2..12 {
        text += &format!("  v{i} = mul v{}, v{}\n", i - 1, i - 2);
    }
    text += "  v12 = call helper 5(v3, v4) -> i64\n  v13 = call helper 6(v12) -> i64\n";
    let mut sum = 13;
    for i in 0..13 {
        text += &format!("  v{} = add v{sum}, v{i}\n", sum + 1);
        sum += 1;
    }
    text += &format!("  return v{sum}\n}}\n");
    agree(&module(&text), &pairs());
}

#[test]
fn memory_of_frame_and_variables() {
    let text = "data @counter size 16 align 8
function @f(i64, i32) -> i64 {
  s0 = slot 16 align 8 \"buffer\"
  s1 = slot 4 align 4 \"key\"
block0(v0: i64, v1: i32):
  v2 = slot_addr s0
  v3 = iconst.i64 8
  v4 = ptr_add v2, v3
  store.i64 v0, v4 align 8
  store.i64 v3, v2 align 8
  v5 = slot_addr s1
  store.i32 v1, v5 align 4
  v6 = load.i8 v4+1 align 1
  v7 = sext.i64 v6
  v8 = load.i16 v5 align 2
  v9 = sext.i32 v8
  v10 = sext.i64 v9
  v11 = addr @counter+4
  v12 = iconst.i32 -5
  store.i32 v12, v11 align 4
  v13 = load.i64 v11-4 align 8
  v14 = atomic_add v11+4, v0
  v15 = add v7, v10
  v16 = add v15, v13
  v17 = iconst.i64 3
  v18 = and v0, v17
  v19 = ptr_add v2, v18
  v20 = iconst.i8 -1
  store.i8 v20, v19 align 1
  v21 = load.i8 v2 align 1
  v22 = zext.i64 v21
  v23 = icmp eq v18, v17
  v24 = iconst.i64 1
  v25 = select v23, v24, v22
  v26 = add v16, v25
  return v26
}
";
    agree(&module(text), &pairs());
}

/// The packet filter of the seed program, as the optimiser leaves it.
const DROP_ICMP: &str = "func @drop_icmp(ptr) -> i32 keep
data @drop_count size 32 align 8
function @drop_icmp(ptr) -> i32 {
  s0 = slot 4 align 4 \"key\"
block0(v0: ptr):
  v1 = load.i32 v0+4 align 4
  v2 = zext.i64 v1
  v3 = int_to_ptr.ptr v2
  v4 = load.i32 v0 align 4
  v5 = zext.i64 v4
  v6 = int_to_ptr.ptr v5
  v7 = slot_addr s0
  v8 = iconst.i32 0
  store.i32 v8, v7 align 4
  v9 = iconst.i64 14
  v10 = ptr_add v6, v9
  v11 = icmp ugt v10, v3
  v12 = iconst.i32 1
  v13 = iconst.i32 2
  br v11, block5(v12), block1
block1:
  v14 = load.i16 v6+12 align 1
  v15 = zext.i32 v14
  v16 = iconst.i32 8
  v17 = icmp ne v15, v16
  br v17, block5(v13), block2
block2:
  v18 = iconst.i64 34
  v19 = ptr_add v6, v18
  v20 = icmp ugt v19, v3
  br v20, block5(v12), block3
block3:
  v21 = load.i8 v6+23 align 1
  v22 = zext.i32 v21
  v23 = icmp ne v22, v12
  br v23, block5(v13), block4
block4:
  v24 = addr @drop_count
  v25 = call helper 1(v24, v7) -> ptr
  v26 = iconst.ptr 0
  v27 = icmp eq v25, v26
  br v27, block5(v12), block6
block6:
  v28 = load.i32 v25 align 4
  v29 = add v28, v12
  store.i32 v29, v25 align 4
  jump block5(v12)
block5(v30: i32):
  return v30
}
";

#[test]
fn the_seed_program_is_small() {
    let code = asm(DROP_ICMP, Cpu::V1);
    assert!(code.len() <= 25, "{}", code.join("\n"));
}

#[test]
fn what_cannot_be_done_is_a_limit() {
    let text = "function @f(i64, i64) -> i64 {
block0(v0: i64, v1: i64):
  v2 = call helper 1(v0, v1, v0, v1, v0, v1) -> i64
  return v2
}
";
    assert_eq!(limits(text, Cpu::V3).len(), 1);
    let text = "function @f(ptr, i32) -> i32 {
block0(v0: ptr, v1: i32):
  v2 = atomic_add v0, v1
  return v2
}
";
    assert_eq!(limits(text, Cpu::V2).len(), 1);
    assert_eq!(limits(text, Cpu::V3).len(), 0);
}

/// A loop of some rounds around so many additions, which one branch skips and one leaves.
fn long_loop(additions: usize) -> String {
    let mut text = String::from(
        "function @f(i64, i64) -> i64 {\nblock0(v0: i64, v1: i64):\n  v2 = iconst.i64 0\n  v3 = iconst.i64 1\n  \
         jump block1(v2, v0)\nblock1(v4: i64, v5: i64):\n  v6 = and v5, v3\n  v7 = icmp eq v6, v2\n  \
         br v7, block2, block3(v5)\nblock2:\n  v10 = add v5, v4\n",
    );
    for value in 11..11 + additions {
        text += &format!("  v{value} = {} v{}, v1\n", ["add", "xor"][value % 2], value - 1);
    }
    let last = 10 + additions;
    let [round, next, over] = [last + 2, last + 3, last + 4];
    text += &format!(
        "  v{} = icmp eq v{last}, v1\n  br v{}, block4(v{last}), block3(v{last})\nblock3(v{round}: i64):\n  \
         v{next} = add v4, v3\n  v{over} = icmp ugt v{next}, v3\n  \
         br v{over}, block4(v{round}), block1(v{next}, v{round})\nblock4(v{}: i64):\n  return v{}\n}}\n",
        last + 1,
        last + 1,
        last + 5,
        last + 5,
    );
    text
}

#[test]
fn jumps_reach_as_far_as_they_must() {
    let module = module(&long_loop(50_000));
    for args in [[2, 5], [1, 7]] {
        let expected = interpret(&module, &args);
        for cpu in [Cpu::V3, Cpu::V4] {
            let code = compile(&module, cpu);
            assert_eq!(execute(&module, &code, &args), expected, "{cpu:?} {args:?}");
        }
    }
}

fn random_run(seed: u64, shape: random::Shape) {
    let module = random::module(seed, shape);
    verify::verify_module(&module, verify::Options::default()).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    let mut rng = random::Rng::new(seed);
    let inputs: Vec<Vec<u64>> = (0..4).map(|_| (0..3).map(|_| rng.number()).collect()).collect();
    agree(&module, &inputs);
}

#[test]
fn random_functions_agree() {
    for seed in 0..60 {
        random_run(
            seed,
            random::Shape { size: 40, depth: 2, calls: 8, local: 50, signed_division: seed % 4 == 0 },
        );
    }
}

#[test]
fn random_functions_with_many_live_values_agree() {
    for seed in 0..16 {
        random_run(
            seed,
            random::Shape { size: 120, depth: 3, calls: 15, local: 10, signed_division: seed % 4 == 0 },
        );
    }
}

#[test]
fn the_checker_finds_wrong_allocations() {
    // Every register that an allocation reads is exchanged for another in turn. The other one may
    // happen to hold the same value.
    let module =
        random::module(7, random::Shape { size: 30, depth: 1, calls: 10, local: 20, signed_division: false });
    let f = &module.functions[0];
    let options = Options { cpu: Cpu::V3, big_endian: false, check: true };
    let mut selected = super::selected_function(f, &module, &options);
    let live = super::regs::prepare(&mut selected);
    let mut allocated = selected.clone();
    let steps = super::regs::allocate(&mut allocated, live).expect("an allocation is found");
    super::regs::check::check(&selected, &steps).expect("the allocation is right");
    let (mut wrong, mut passed) = (0, 0);
    for block in steps.keys() {
        for index in 0..steps[block].len() {
            let mut broken = steps.clone();
            let mut first = true;
            broken[block][index].inst.op.map_regs(|reg, role| {
                let other = super::mir::Reg::from_index((reg.index() + 3) % 10);
                if role.reads() && std::mem::take(&mut first) { other } else { reg }
            });
            if broken[block][index].inst == steps[block][index].inst {
                continue;
            }
            match super::regs::check::check(&selected, &broken) {
                Ok(()) => passed += 1,
                Err(_) => wrong += 1,
            }
        }
    }
    assert!(wrong > 50 && passed <= 2, "{wrong} found, {passed} not");
}

#[test]
fn constants_for_the_end_are_there_before_the_branches() {
    let text = "function @f(ptr) -> i32 {\nblock0(v0: ptr):\n  v1 = load.i32 v0+8 align 4\n  v2 = iconst.i32 7\n\
        v3 = icmp eq v1, v2\n  br v3, block1, block3\nblock1:\n  v4 = load.i32 v0+12 align 4\n\
        v5 = icmp eq v4, v2\n  br v5, block2, block3\nblock2:\n  v6 = iconst.i32 1\n  return v6\n\
        block3:\n  v7 = iconst.i32 2\n  return v7\n}";
    let out = asm(text, Cpu::V3);
    assert_eq!(out.iter().filter(|line| line.as_str() == "exit").count(), 1, "{out:?}");
    assert_eq!(out.len(), 7, "{out:?}");
}

#[test]
fn an_address_for_several_calls_is_made_once() {
    let call = "  v8 = call helper 1(v1) -> i64\n".to_string();
    let calls = (0..4).map(|at| call.replace("v8", &format!("v{}", 8 + at))).collect::<String>();
    let text = format!(
        "function @f(ptr) -> i64 {{\n  s0 = slot 8 align 8 \"x\"\nblock0(v0: ptr):\n  v1 = slot_addr s0\n\
        v2 = iconst.i64 0\n  store.i64 v2, v1 align 8\n{calls}  return v11\n}}"
    );
    let out = asm(&text, Cpu::V3);
    assert_eq!(out.iter().filter(|line| line.ends_with(" = r10")).count(), 1, "{out:?}");
}

#[test]
fn a_mask_is_applied_to_a_constant() {
    let text = "function @f(i64) -> i64 {\nblock0(v0: i64):\n  v1 = iconst.i64 1\n  v2 = and v0, v1\n  v3 = neg v2\n\
        v4 = iconst.i64 6\n  v5 = and v3, v4\n  return v5\n}";
    assert_eq!(asm(text, Cpu::V3), ["r1 &= 1", "r1 = -r1", "r0 = 6", "r0 &= r1", "exit"]);
    let text = text.replace("neg v2", "ashr v0, v9").replace("and v3", "or v3");
    let text = text.replace("v2 = and v0, v1", "v9 = iconst.i64 63");
    assert_eq!(asm(&text, Cpu::V3), ["r1 s>>= 63", "r0 = 6", "r0 |= r1", "exit"]);
}

#[test]
fn small_relocations_are_immediates() {
    let text = "core0 = 0 local 8 \"lshift_u64 a\"\nfunction @f(i64) -> i64 {\nblock0(v0: i64):\n\
        v1 = core.i32 core0\n  v2 = zext.i64 v1\n  v3 = shl v0, v2\n  return v3\n}";
    assert_eq!(asm(text, Cpu::V3), ["r0 = r1", "r0 <<= 8", "exit"]);
}

#[test]
fn an_incremented_value_needs_no_copy() {
    let text = "function @f(i64, i64) -> i64 {\nblock0(v0: i64, v1: i64):\n  v2 = iconst.i64 1\n  v3 = add v0, v2\n\
        v4 = mul v1, v0\n  v5 = call helper 5(v4) -> i64\n  v6 = xor v5, v3\n  return v6\n}";
    let out = asm(text, Cpu::V3);
    assert_eq!(out.iter().filter(|line| line.as_str() == "r6 = r1").count(), 1, "{out:?}");
    assert_eq!(out.len(), 7, "{out:?}");
}

#[test]
fn a_loaded_pointer_is_not_taken_for_the_zero_that_it_is() {
    let text = |value: &str| {
        format!(
            "function @f(ptr) -> i64 {{\nblock0(v0: ptr):\n  v1 = {value}\n  v2 = iconst.i64 0\n  v5 = iconst.ptr 0\n  \
             v3 = icmp eq v1, v5\n  br v3, block1, block2\nblock1:\n  return v2\nblock2:\n  v4 = load.i64 v1 align 8\n  return v4\n}}"
        )
    };
    let zeros = |value: &str| asm(&text(value), Cpu::V3).iter().filter(|line| *line == "r0 = 0").count();
    assert_eq!(zeros("load.ptr v0 align 8"), 1);
    assert_eq!(zeros("call helper 1(v0, v0) -> ptr"), 0);
}

#[test]
fn a_loop_that_tests_before_it_runs_closes_with_a_jump() {
    let text = |test: &str| {
        format!(
            "function @f(ptr) -> i64 {{\nblock0(v0: ptr):\n  v1 = iconst.i64 0\n  jump block1(v1)\n\
             block1(v2: i64):\n  v3 = {test}\n  v4 = icmp ult v2, v3\n  br v4, block2, block3\n\
             block2:\n  v5 = iconst.i64 1\n  v6 = add v2, v5\n  jump block1(v6)\nblock3:\n  return v2\n}}"
        )
    };
    let jumps = |test: &str, what: &str| {
        let out = asm(&text(test), Cpu::V3);
        (out.iter().filter(|line| line.contains(what)).count(), out)
    };
    // A short test is made before the loop too, and leads back itself.
    let (back, out) = jumps("load.i64 v0 align 8 volatile", "goto -");
    assert_eq!((back, out.iter().any(|line| line.starts_with("goto"))), (1, false), "{out:?}");
    let (plain, out) = jumps("call helper 7() -> i64", "goto");
    assert_eq!((plain, out.contains(&"goto +0".to_string())), (2, false), "{out:?}");
}

#[test]
fn variables_that_lie_together_share_an_address() {
    let text = "data @a size 8 align 8\ndata @b size 8 align 8\nfunction @f() -> i64 {\nblock0:\n  v0 = addr @a\n  \
        v1 = addr @b\n  v2 = load.i64 v0 align 8 volatile\n  v3 = load.i64 v1 align 8 volatile\n  v4 = add v2, v3\n  \
        return v4\n}";
    let mut module = module(text);
    let addresses = |module: &Module| compile(module, Cpu::V3).functions[0].relocs.len();
    assert_eq!(addresses(&module), 2);
    for (at, symbol) in module.symbols.values_mut().enumerate() {
        if let SymbolKind::Data(data) = &mut symbol.kind {
            data.place = Some(crate::ir::DataPlace { region: 1, offset: 8 * at as u64 });
        }
    }
    assert_eq!(addresses(&module), 1);
}

#[test]
fn what_is_taken_off_a_pointer_is_subtracted() {
    let text = "core0 = 0 local 8 \"offset\"\nfunction @f(ptr, i64) -> i64 {\nblock0(v0: ptr, v1: i64):\n\
        v2 = core.i64 core0\n  v3 = neg v2\n  v4 = ptr_add v0, v3\n  v5 = neg v1\n  v6 = ptr_add v4, v5\n\
        v7 = load.i64 v6 align 8\n  return v7\n}";
    let out = asm(text, Cpu::V3);
    assert!(out.contains(&"r1 -= 8".to_string()) && out.contains(&"r1 -= r2".to_string()), "{out:?}");
    assert!(!out.iter().any(|line| line.contains("= -")), "{out:?}");
}
