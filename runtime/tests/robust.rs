//! Broken objects are refused or run; they never panic, hang or take all memory.

mod common;

use common::seed;
use common::tools::random::Random;
use skep_runtime::host::Deterministic;
use skep_runtime::object::{Code, LinkOptions};
use skep_runtime::vm::{Engine, Input, Outcome};
use skep_runtime::{Object, Verified, Vm};
use skep_stdlib::ByteOrder;
use skep_stdlib::helpers::HELPERS;
use skep_stdlib::isa::{AluOp, CallTarget, Imm64, Insn, Operand, Reg, Size, Width, decode};
use skep_stdlib::programs::ProgType;

/// How far an object got.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Reached {
    Parsed,
    Linked,
    Loaded,
    Ran,
}

/// Takes bytes as far as they go; an error must have words.
fn exercise(bytes: &[u8]) -> Option<Reached> {
    let object = match Object::parse(bytes) {
        Ok(object) => object,
        Err(error) => {
            assert!(!error.message.is_empty());
            return None;
        }
    };
    let image = match object.link(&LinkOptions::default()) {
        Ok(image) => image,
        Err(error) => {
            assert!(!error.message.is_empty());
            return Some(Reached::Parsed);
        }
    };
    let programs = image.programs.len();
    let Ok(mut vm) = Vm::new(Verified::unchecked(image), Box::new(Deterministic::default())) else {
        return Some(Reached::Linked);
    };
    let mut reached = Reached::Loaded;
    for program in 0..programs {
        let input = Input { data: vec![8; 64], budget: 20_000, ..Input::default() };
        if let Ok(outcome) = vm.run(program, &input) {
            reached = Reached::Ran;
            if let Err(fault) = outcome.result {
                assert!(!fault.to_string().is_empty());
            }
        }
    }
    Some(reached)
}

const SEEDS: [&str; 4] = ["drop_icmp.bpf.c", "hash_values.bpf.c", "sched_tracer.bpf.c", "trace_openat.bpf.c"];

fn seeds() -> Vec<Vec<u8>> {
    SEEDS.iter().filter_map(|name| seed(name)).map(|bytes| without_dwarf(&bytes)).collect()
}

/// DWARF is most of an object and nothing here reads it: flips there test nothing.
fn without_dwarf(bytes: &[u8]) -> Vec<u8> {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = directory.join(format!("strip-{}-{}.o", std::process::id(), bytes.len()));
    std::fs::write(&path, bytes).unwrap();
    let stripped = std::process::Command::new("llvm-strip-19").arg("-g").arg(&path).status();
    let result = std::fs::read(&path).unwrap();
    let _ = std::fs::remove_file(&path);
    if stripped.is_ok_and(|status| status.success()) { result } else { bytes.to_vec() }
}

#[test]
fn every_prefix() {
    for bytes in seeds() {
        for len in 0..bytes.len() {
            assert_ne!(exercise(&bytes[..len]), Some(Reached::Ran), "a prefix of {len} bytes");
        }
        assert_eq!(exercise(&bytes), Some(Reached::Ran));
    }
}

#[test]
fn ten_thousand_byte_flips() {
    let mut random = Random::new(1);
    let seeds = seeds();
    if seeds.is_empty() {
        return;
    }
    let mut counts = std::collections::BTreeMap::new();
    for round in 0..10_000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len());
            bytes[at] = random.bits() as u8;
        }
        *counts.entry(exercise(&bytes)).or_insert(0) += 1;
    }
    assert!(counts.len() >= 4, "flips reach every stage: {counts:?}");
}

#[test]
fn hostile_sizes() {
    let Some(original) = seed("drop_icmp.bpf.c") else { return };
    let mut random = Random::new(2);
    // Fields of headers and records set to the values that overflow.
    let extremes = [0u32, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fff8, 0xffff_ffff];
    for _ in 0..3_000 {
        let mut bytes = original.clone();
        let at = random.below(bytes.len() / 4 - 1) * 4;
        let value = extremes[random.below(extremes.len())];
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        exercise(&bytes);
    }
}

/// A program of random instructions: random helpers on arguments that are sometimes right.
fn hostile_program(random: &mut Random, maps: i32) -> Vec<Insn> {
    let reg = |n: usize| Reg::new(n as u8).unwrap();
    let mut insns = Vec::new();
    for _ in 0..4 + random.below(24) {
        match random.below(6) {
            0 => {
                let mut word = [0; 8];
                word.copy_from_slice(&random.bits().to_le_bytes());
                if let Ok((insn, 1)) = decode(&word, ByteOrder::Little) {
                    insns.push(insn);
                }
            }
            1 => insns.push(Insn::Store {
                size: Size::DW,
                base: Reg::FP,
                off: -8 * (1 + random.below(8) as i16),
                src: Operand::Imm(random.bits() as i32),
            }),
            _ => {
                for n in 1..=5 {
                    insns.extend(argument(random, reg(n), maps));
                }
                let helper = HELPERS[random.below(HELPERS.len())].id as i32;
                insns.push(Insn::Call(CallTarget::Helper(helper)));
            }
        }
    }
    insns.push(Insn::Exit);
    // A function for helpers that call back; it returns to the helper.
    insns.push(Insn::Exit);
    insns
}

/// Something to pass: the context, the stack, a map, a function, a length, a wild number.
fn argument(random: &mut Random, dst: Reg, maps: i32) -> Vec<Insn> {
    let mov = |src| Insn::Mov { width: Width::W64, dst, src };
    match random.below(8) {
        0 => vec![mov(Operand::Reg(Reg::R6))],
        1 | 2 => {
            let off = Operand::Imm(-(random.below(80) as i32));
            let add = Insn::Alu { width: Width::W64, op: AluOp::Add, dst, src: off };
            vec![mov(Operand::Reg(Reg::FP)), add]
        }
        3 => vec![Insn::LoadImm64 { dst, value: Imm64::MapIdx(random.below(maps as usize + 1) as i32) }],
        4 => vec![Insn::LoadImm64 { dst, value: Imm64::Func(random.below(200) as i32 - 20) }],
        5 => vec![mov(Operand::Imm(random.below(70) as i32))],
        6 => vec![mov(Operand::Reg(Reg::R0))],
        _ => vec![Insn::LoadImm64 { dst, value: Imm64::Const(random.bits() >> random.below(64)) }],
    }
}

#[test]
fn hostile_programs_at_worst_fault() {
    let source = r#"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define MAP(name, kind, k, v, n) struct { __uint(type, BPF_MAP_TYPE_##kind); __uint(max_entries, n); __uint(key_size, k); __uint(value_size, v); } name SEC(".maps")
MAP(array, ARRAY, 4, 24, 3); MAP(hash, HASH, 8, 8, 4); MAP(lru, LRU_HASH, 4, 8, 2); MAP(own, PERCPU_ARRAY, 4, 8, 2);
MAP(own_hash, PERCPU_HASH, 4, 8, 2); MAP(trie, LPM_TRIE, 8, 4, 4); MAP(queue, QUEUE, 0, 8, 2); MAP(stack, STACK, 0, 8, 2);
MAP(ring, RINGBUF, 0, 0, 4096); MAP(perf, PERF_EVENT_ARRAY, 4, 4, 2); MAP(jumps, PROG_ARRAY, 4, 4, 2); MAP(devices, DEVMAP, 4, 4, 2);
MAP(tasks, TASK_STORAGE, 4, 8, 0);
SEC("xdp") int prog(void *ctx) { return (long)&array + (long)&hash; }
"#;
    let Some(bytes) = common::clang("hostile", source, &[]) else { return };
    let template = common::link(&bytes);
    let mut random = Random::new(3);
    for round in 0..3_000 {
        let mut image = template.clone();
        let maps = image.maps.len() as i32;
        image.programs[0].ty =
            [ProgType::Xdp, ProgType::SchedCls, ProgType::Tracing, ProgType::Kprobe][round % 4];
        let mut insns = vec![Insn::Mov { width: Width::W64, dst: Reg::R6, src: Operand::Reg(Reg::R1) }];
        insns.extend(hostile_program(&mut random, maps));
        image.programs[0].code = Code::new(insns);
        let mut vm = common::vm(image);
        for _ in 0..2 {
            let input = Input { data: vec![0x45; 80], budget: 5_000, ..Input::default() };
            vm.run(0, &input).unwrap();
        }
    }
}

/// Eight threads run the same programs at once, each with a machine of every engine: what they do is
/// what one does alone.
#[test]
fn eight_threads_at_once() {
    let images: Vec<_> = ["drop_icmp.bpf.c", "hash_values.bpf.c"]
        .iter()
        .filter_map(|name| Object::parse(&seed(name)?).ok()?.link(&LinkOptions::default()).ok())
        .collect();
    let outcomes = |image: &skep_runtime::Image| {
        let host = || -> Box<dyn skep_runtime::host::Host> { Box::new(Deterministic::default()) };
        let proven = skep_runtime::verify::verify(image.clone(), &Default::default()).ok();
        let mut all = Vec::new();
        for mut vm in Vm::every(image, proven, &host).unwrap() {
            for round in 0..50 {
                let program = round % image.programs.len();
                let data = common::ipv4([1, 17][round % 2], &[round as u8; 40]);
                all.push(
                    vm.run(program, &Input { data, ..Input::default() })
                        .map(|outcome| Outcome { insns: 0, ..outcome }),
                );
            }
        }
        all
    };
    for image in &images {
        let alone = outcomes(image);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| outcomes(image))).collect();
            for thread in threads {
                assert!(thread.join().unwrap() == alone);
            }
        });
    }
}

/// Straight code that is longer than any stack could take a frame of it for each instruction.
#[test]
fn long_straight_code() {
    let Some(bytes) = seed("drop_icmp.bpf.c") else { return };
    let mut image = common::link(&bytes);
    for first in 0..2 {
        let add = |dst| Insn::Alu { width: Width::W64, op: AluOp::Add, dst, src: Operand::Imm(1) };
        let zero = |dst| Insn::Mov { width: Width::W64, dst, src: Operand::Imm(0) };
        let mut insns = vec![zero(Reg::R0); 1 + first];
        insns.extend(std::iter::repeat_n(add(Reg::R0), 100_000));
        insns.push(Insn::Exit);
        image.programs[0].code = Code::new(insns);
        let input = Input { data: vec![0; 64], ..Input::default() };
        assert_eq!(common::vm(image.clone()).run(0, &input).unwrap().result, Ok(100_000));
    }
}
