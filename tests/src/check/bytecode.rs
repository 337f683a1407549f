//! What the verifier accepts of random programs runs without a fault, in every engine alike, and inside
//! of what the verifier knows.
//!
//! The verifier and the interpreter share the instruction table and nothing else, and the interpreter
//! checks every access.

use skep_runtime::Image;
use skep_runtime::host::{Deterministic, Host};
use skep_runtime::verify::{self, replay};
use skep_runtime::vm::{Engine, FaultKind, Input, Outcome, Vm};
use skep_stdlib::features::{Kernel, Target};

use crate::generate::bytecode;

/// A kernel that lets nobody read what was not written to the stack.
const STRICT: Kernel = Kernel(5, 10);

/// Bytes of the packets.
const LENGTHS: [u32; 6] = [0, 14, 20, 34, 60, 200];

fn listing(image: &Image) -> String {
    let code = image.programs[0].code.iter();
    code.map(|(slot, insn)| format!("{slot}: {insn}\n")).collect()
}

fn host() -> Box<dyn Host> {
    Box::new(Deterministic::default())
}

/// A packet of this length: an IPv4 header, as far as there is room, with a length in it that says so.
fn input(length: u32) -> Input {
    let data: Vec<u8> = (0..length).map(|at| if at == 12 { 8 } else { (at * 37 + 11) as u8 }).collect();
    Input { data, budget: 1_000_000, ..Input::default() }
}

/// The outcome is no fault; panics with the program if it is one.
fn survived(outcome: &Outcome, image: &Image, length: u32) {
    match &outcome.result {
        Ok(_) => {}
        Err(fault) => match &fault.kind {
            FaultKind::Unsupported(_) | FaultKind::HelperNotImplemented(_) => {}
            kind => panic!("accepted, but with {length} bytes at {}: {kind}\n{}", fault.slot, listing(image)),
        },
    }
}

/// Runs what the verifier accepts on packets of several lengths: no fault, registers inside of what the
/// verifier knows at every instruction, the same from all engines with and without the proof; where
/// the kernel lets nobody read an unwritten stack, the same whatever was there. True if it was accepted.
pub fn accept_and_run(bytes: &[u8]) -> bool {
    let is_strict = bytes.last().is_some_and(|last| last & 3 == 0);
    let image = bytecode::image(bytes, !is_strict);
    let kernel = if is_strict { STRICT } else { Kernel::LATEST };
    let target = Target { kernel, ..Target::default() };
    let options = verify::Options { limit: 10_000, target, ..verify::Options::default() };
    let Ok(verified) = verify::verify(image.clone(), &options) else { return false };
    let mut engines = Vm::every(&image, Some(verified), &host).expect("an accepted program loads");
    let (plain, others) = engines.split_first_mut().expect("there is one");
    let mut again = is_strict.then(|| {
        let image = verify::Verified::unchecked(image.clone());
        Vm::plain(image, host()).expect("an accepted program loads")
    });
    for length in LENGTHS {
        let input = input(length);
        plain.start_recording();
        let outcome = plain.run(0, &input).expect("takes a packet");
        survived(&outcome, &image, length);
        if let Err(escape) = replay(&image, 0, &options, &plain.take_recording()) {
            panic!("accepted, but with {length} bytes {escape}\n{}", listing(&image));
        }
        for other in &mut *others {
            let found = other.run(0, &input).expect("takes a packet");
            let name = other.name();
            assert!(found.same_effects(&outcome), "{name}: {found:#?}\n{outcome:#?}\n{}", listing(&image));
        }
        if let Some(vm) = &mut again {
            let found = vm.run(0, &Input { stack: 0xa5, ..input }).expect("takes a packet");
            let same = found.same_effects(&outcome);
            assert!(same, "the stack leaks: {found:#?}\n{outcome:#?}\n{}", listing(&image));
        }
    }
    true
}

/// What the verifier accepts runs without a fault.
pub fn accepted_never_faults(bytes: &[u8]) {
    accept_and_run(bytes);
}
