//! The kernel's selftests say what many of their programs return: those return it here too.
//!
//! Only every [`STEP`]th file is compiled, unless `SKEP_FULL=1` asks for all of them. A program
//! that needs something which does not run here is counted, by what it is; a wrong result is a failure.
#![allow(clippy::print_stderr)]

mod common;

use std::collections::BTreeMap;

use common::selftests;
use skep_runtime::host::{Deterministic, Host};
use skep_runtime::object::Slot;
use skep_runtime::verify::{Options, verify};
use skep_runtime::vm::{Engine, Input, MapPreset};
use skep_runtime::{Image, Vm};
use skep_stdlib::btf::{Btf, Type, TypeId};
use skep_stdlib::programs::ProgType;
use skep_test_tools::{self as tools, Need, corpora};

/// Which share of the files is compiled when not all are.
const STEP: usize = 9;
/// Bytes of the packet that the kernel's runner gives.
const PACKET: usize = 64;

/// Maps whose only element the kernel's runner fills: a word, and another one at the offset that it is.
const FILLED: [&str; 2] = ["map_array_ro", "map_array_48b"];

fn filled_value() -> Vec<u8> {
    let (index, value) = (28u32, 0xabcd_ef12u32);
    let mut bytes = index.to_le_bytes().to_vec();
    bytes.resize(28, 0);
    bytes.extend(value.to_le_bytes());
    bytes.resize(48, 0);
    bytes
}

/// What a program is to return, by its function; some results are of the kernel's choice.
fn wanted(btf: &Btf) -> BTreeMap<TypeId, Option<u32>> {
    let mut found = BTreeMap::new();
    for id in 1.. {
        let Some(ty) = btf.ty(TypeId(id)) else { return found };
        let Type::DeclTag { name, ty, .. } = ty else { continue };
        let Some((_, value)) = name.split_once("test_retval=") else { continue };
        let number = match value {
            "INT_MIN" => Some(i32::MIN as u32),
            "TEST_DATA_LEN" => Some(PACKET as u32),
            value => number(value),
        };
        found.insert(ty, number);
    }
    found
}

fn number(text: &str) -> Option<u32> {
    let (negative, digits) = match text.trim().strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.trim()),
    };
    let value = match digits.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => digits.parse().ok()?,
    };
    Some(if negative { value.wrapping_neg() } else { value })
}

#[derive(Default)]
struct Tally {
    right: usize,
    /// What kept programs from a result, with their names.
    stopped: BTreeMap<String, Vec<String>>,
    wrong: Vec<String>,
}

impl Tally {
    fn object(&mut self, name: &str, bytes: &[u8]) {
        let Ok(image) = common::try_link(bytes) else { return };
        let Some(btf) = image.btf.clone() else { return };
        let wanted = wanted(&btf);
        for (index, program) in image.programs.iter().enumerate() {
            let function = program.functions.first().and_then(|function| function.btf_func);
            let Some(&Some(value)) = function.and_then(|function| wanted.get(&function)) else { continue };
            let place = format!("{name}/{}", program.name);
            match run(&image, index) {
                Ok(results) if results.iter().all(|&result| result == value) => self.right += 1,
                Ok(results) => self.wrong.push(format!("{place}: {results:?}, to be {value}")),
                Err(why) => self.stopped.entry(why).or_default().push(place),
            }
        }
    }
}

/// The results in all engines.
fn run(image: &Image, index: usize) -> Result<Vec<u32>, String> {
    let mut image = image.clone();
    let mut index = index;
    let calls_others =
        image.maps.iter().any(|def| def.slots.iter().any(|slot| matches!(slot.1, Slot::Program(_))));
    if !calls_others {
        image.programs = vec![image.programs.swap_remove(index)];
        index = 0;
    }
    let options = Options { btf: common::vmlinux(), ..Options::default() };
    let proven = verify(image.clone(), &options).ok();
    let host = || -> Box<dyn Host> { Box::new(Deterministic::default()) };
    let is_packet = image.programs[index].ty != ProgType::Syscall;
    let data = if is_packet { vec![0; PACKET] } else { Vec::new() };
    let filled = FILLED.iter().filter(|name| image.maps.iter().any(|def| def.name == **name));
    let preset = |name: &&str| MapPreset { map: name.to_string(), key: vec![0; 4], value: filled_value() };
    let maps = filled.map(preset).collect();
    let input = Input { data, maps, list_maps: false, budget: 50_000_000, ..Input::default() };
    let mut vms = Vm::every(&image, proven, &host).map_err(|error| error.to_string())?;
    let result = |vm: &mut Vm| {
        let outcome = vm.run(index, &input).map_err(|error| error.to_string())?;
        outcome.result.map(|value| value as u32).map_err(|fault| fault.kind.to_string())
    };
    vms.iter_mut().map(result).collect()
}

#[test]
fn programs_return_what_they_say() {
    let needs = [Need::Clang, Need::KernelTree, Need::Vmlinux];
    if !tools::have(&needs) {
        return;
    }
    let Some(corpus) = corpora::selftests() else { return };
    let all = tools::full();
    let annotated = |name: &String| {
        let file =
            corpus.files.iter().find(|file| file.file_stem().is_some_and(|stem| stem == name.as_str()));
        file.and_then(|file| std::fs::read_to_string(file).ok())
            .is_some_and(|text| text.contains("__retval("))
    };
    let names: Vec<String> = selftests::names(&corpus).into_iter().filter(annotated).collect();
    let mut tally = Tally::default();
    for name in names.iter().step_by(if all { 1 } else { STEP }) {
        if let Some(bytes) = selftests::compile(&corpus, name) {
            tally.object(name, &bytes);
        }
    }
    let stopped: usize = tally.stopped.values().map(Vec::len).sum();
    eprintln!("{} programs return what they say, {stopped} cannot run here", tally.right);
    let mut reasons: Vec<_> = tally.stopped.iter().collect();
    reasons.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    for (why, names) in reasons {
        eprintln!("{:4} {why}: {}", names.len(), names.join(" "));
    }
    assert!(tally.wrong.is_empty(), "{} wrong results: {:#?}", tally.wrong.len(), tally.wrong);
}
