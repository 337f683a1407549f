//! Tools of the passes' tests: the judge, and the generator of random functions.
//!
//! In: a module before and after a pass. Out: a panic when the IR interpreter sees a difference:
//! in a result, in memory that outlives the function, or in what helpers were called with. The
//! judge shares no code with the passes.

pub mod generate;

use crate::ir::interp::{Fault, Host, Interp, Memory, Options, Uninit};
use crate::ir::verify::{self, verify_module};
use crate::ir::{FuncSymbol, Module, SymbolId, SymbolKind, Type, parse};
use crate::opt;

/// A small generator of random numbers (xorshift).
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n.max(1)
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Numbers at which arithmetic goes wrong, and others.
    pub fn value(&mut self) -> u64 {
        match self.below(8) {
            0 => 0,
            1 => 1,
            2 => u64::MAX,
            3 => 1 << self.below(64),
            4 => (1u64 << self.below(64)).wrapping_sub(1),
            5 => self.next() & 0xff,
            6 => (self.next() & 0xf).wrapping_neg(),
            _ => self.next(),
        }
    }
}

/// Helpers from this number on take numbers, those below it addresses.
pub const NUMERIC: u32 = 5;

/// Answers every helper with a number made from what it is given, and keeps a record.
#[derive(Default)]
struct Recorder {
    calls: Vec<(u32, Vec<u64>)>,
}

impl Host for Recorder {
    fn helper(&mut self, memory: &mut Memory, id: u32, args: &[u64]) -> Result<u64, Fault> {
        let seen: Vec<u64> = args
            .iter()
            .map(|&arg| match memory.read(arg, 4) {
                Ok(_) if id >= NUMERIC => arg,
                Ok(bytes) => bytes.iter().fold(1, |sum, &byte| sum << 8 | u64::from(byte)),
                Err(_) => arg,
            })
            .collect();
        let answer = seen.iter().fold(u64::from(id), |sum, &arg| sum.rotate_left(7).wrapping_mul(31) ^ arg);
        // A helper writes through its pointers too.
        for &arg in args.iter().filter(|_| id < NUMERIC) {
            if memory.read(arg, 4).is_ok() {
                let _ = memory.write(arg, &(answer as u32).to_le_bytes());
            }
        }
        self.calls.push((id, seen));
        Ok(answer)
    }

    fn function(&mut self, memory: &mut Memory, _: &str, args: &[u64]) -> Result<u64, Fault> {
        self.helper(memory, 1000, args)
    }
}

/// All that one run shows.
#[derive(PartialEq, Debug)]
pub struct Seen {
    result: Result<Option<u64>, Fault>,
    buffers: Vec<Vec<u8>>,
    data: Vec<Vec<u8>>,
    calls: Vec<(u32, Vec<u64>)>,
}

impl Seen {
    /// Did the function return?
    pub fn finished(&self) -> bool {
        self.result.is_ok()
    }
}

/// Runs a function on arguments that the seed determines.
pub fn observe(module: &Module, name: &str, seed: u64, big_endian: bool, uninit: Uninit) -> Option<Seen> {
    let (symbol, f) =
        module.functions.iter().map(|f| (f.symbol, f)).find(|(s, _)| module.symbols[*s].name == name)?;
    let mut rng = Rng(seed | 1);
    let options = Options { budget: 200_000, uninit, big_endian, ..Options::default() };
    let mut interp = Interp::new(module, options).expect("symbols fit memory");
    let (mut args, mut buffers) = (Vec::new(), Vec::new());
    for &ty in &f.sig.params {
        args.push(match ty {
            Type::Ptr => {
                let bytes: Vec<u8> = (0..64).map(|_| rng.next() as u8).collect();
                let at = interp.memory.add(bytes, true).expect("a buffer fits memory");
                buffers.push(at);
                at
            }
            _ => rng.value() & ty.mask(),
        });
    }
    let mut host = Recorder::default();
    let result = interp.call(&mut host, symbol, &args);
    let buffers = buffers.iter().map(|&at| interp.memory.read(at, 64).unwrap_or_default().to_vec()).collect();
    let mut data = Vec::new();
    for (id, symbol) in module.symbols.iter() {
        if let SymbolKind::Data(facts) = &symbol.kind
            && facts.addresses.is_empty()
        {
            data.push(interp.data(id).unwrap_or_default().to_vec());
        }
    }
    // The budget counts instructions, which passes change.
    (result != Err(Fault::Budget)).then_some(Seen { result, buffers, data, calls: host.calls })
}

/// Panics when the modules differ in what functions of the first one do.
pub fn assert_same(before: &Module, after: &Module, seed: u64, big_endian: bool) {
    assert_same_in(before, after, seed, big_endian, |_| true);
}

/// As [`assert_same`], of the functions that others may call: a whole pipeline knows what static
/// functions are passed, and they need not be right for anything else.
pub fn assert_same_outside(before: &Module, after: &Module, seed: u64, big_endian: bool) {
    assert_same_in(before, after, seed, big_endian, |func| func.keep || !func.local);
}

fn assert_same_in(
    before: &Module,
    after: &Module,
    seed: u64,
    big_endian: bool,
    judged: impl Fn(&FuncSymbol) -> bool,
) {
    // Static functions may be gone.
    let left = after.functions.iter().filter(|f| after.func(f.symbol).is_some_and(&judged));
    let names: Vec<String> = left.map(|f| after.symbols[f.symbol].name.clone()).collect();
    for name in names {
        for round in 0..8 {
            let seed = seed.wrapping_mul(1000).wrapping_add(round).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let Some(first) = observe(before, &name, seed, big_endian, Uninit::Fault) else { continue };
            // A fault has no meaning that a pass must keep.
            if first.result.is_err() {
                continue;
            }
            let second = observe(after, &name, seed, big_endian, Uninit::Byte(0xa5));
            assert!(
                second.as_ref() == Some(&first),
                "`{name}` differs (seed {seed:#x}, big endian {big_endian}):\n{before}\n--- after\n{after}\n{first:?}\n{second:?}"
            );
        }
    }
}

/// The module after one pass, judged; `late` as in the last rounds of a pipeline.
pub fn check_pass(before: &Module, name: &str, seed: u64, options: &opt::Options) -> Module {
    let mut after = before.clone();
    opt::run_pass(&mut after, options, opt::pass(name).expect("the pass exists"));
    assert_same(before, &after, seed, options.big_endian);
    after
}

/// Runs a pass on a text and returns the text of the first function, judged.
pub fn after_pass(name: &str, text: &str) -> String {
    after_pass_on(name, text, opt::Options::default().cpu)
}

/// The same for a version of the instruction set.
pub fn after_pass_on(name: &str, text: &str, cpu: u8) -> String {
    let before = parse(text).unwrap_or_else(|e| panic!("the text parses: {e:?}"));
    let options = opt::Options { check: true, cpu, ..opt::Options::default() };
    let after = check_pass(&before, name, 7, &options);
    crate::ir::print_function(&after, &after.functions[0], false, &|_| String::new())
}

/// Checks one pass on many random modules.
pub fn fuzz_pass(name: &str, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let before = generate::module(seed);
        for big_endian in [false, true] {
            let options = opt::Options { check: true, big_endian, ..opt::Options::default() };
            check_pass(&before, name, seed, &options);
        }
    }
}

/// The text of a module after a pass over all of it: valid, and `@f` does what it did.
pub fn after_module_pass(text: &str, pass: fn(&mut Module) -> Vec<SymbolId>) -> String {
    let before = parse(text).unwrap_or_else(|e| panic!("the text parses: {e:?}"));
    let mut module = before.clone();
    pass(&mut module);
    verify_module(&module, verify::Options::default()).expect("the module is valid");
    for seed in 1..20 {
        let run = |module| observe(module, "f", seed, false, Uninit::Fault).expect("it ends");
        assert!(run(&before) == run(&module));
    }
    module.to_string()
}
