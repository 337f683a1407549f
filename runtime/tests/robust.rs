//! Broken objects are refused or run; they never panic, hang or take all memory.

mod common;

use common::seed;
use skep_runtime::host::Deterministic;
use skep_runtime::object::LinkOptions;
use skep_runtime::vm::{Engine, Input};
use skep_runtime::{Object, Verified, Vm};

/// SplitMix64: the same sequence everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

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
    let mut random = Random(1);
    let seeds = seeds();
    if seeds.is_empty() {
        return;
    }
    let mut counts = std::collections::BTreeMap::new();
    for round in 0..10_000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len());
            bytes[at] = random.next() as u8;
        }
        *counts.entry(exercise(&bytes)).or_insert(0) += 1;
    }
    assert!(counts.len() >= 4, "flips reach every stage: {counts:?}");
}

#[test]
fn hostile_sizes() {
    let Some(original) = seed("drop_icmp.bpf.c") else { return };
    let mut random = Random(2);
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
