//! A replay says so when a run leaves what the verifier knows: of a true recording, and of ones that lie.

mod common;

use common::cases;
use skep_runtime::Vm;
use skep_runtime::host::Deterministic;
use skep_runtime::object::{Code, Image};
use skep_runtime::verify::{self, Options, replay};
use skep_runtime::vm::{Engine as _, Input, Moment};
use skep_stdlib::isa::asm;

/// A bounded number in two registers, that is then known in both; r2 is the context.
const PROGRAM: &str = "r2 = r1; call 7; r0 &= 255; r6 = r0; if r0 > 9 goto out; r6 += 1; out: r0 = 0; exit";

/// What is in the stack is any number on the way that is walked, and the address of a map on the one that is taken.
const HIDDEN: &str = "call 7; r6 = r0; r7 = 1; r7 = 2; r7 = 3; r7 = 4; if r6 > 5 goto address
    *(u32 *)(r10 - 8) = r6; *(u32 *)(r10 - 4) = r6; goto on
    address: r1 = map[idx:0]; *(u64 *)(r10 - 8) = r1
    on: r1 = *(u64 *)(r10 - 8); r1 += r6; r0 = 0; exit";

/// What is added to an address is any number on the way that is walked, and a large one on the one that is taken.
const LARGE: &str = "call 7; r6 = r0; call 7; w8 = w0; if r6 > 5 goto large
    r7 = 1; r7 = 2; r7 = 3; r7 = 4; goto on; large: r8 |= 0x28000000
    on: r1 = map[idx:0][0]+0; r1 += r8; r0 = 0; exit";

fn recorded(program: &str) -> (Image, Vec<Moment>) {
    let image = cases::image("tc", Code::new(asm::assemble(program).unwrap()), &["map_array_48b"]);
    let verified = verify::verify(image.clone(), &Options::default()).unwrap();
    let mut vm = Vm::plain(verified, Box::new(Deterministic::default())).unwrap();
    vm.start_recording();
    vm.run(0, &Input { data: vec![0; 64], ..Input::default() }).unwrap();
    (image, vm.take_recording())
}

/// What a replay says of the recording after a lie about its moment before the instruction at `slot`.
fn lie(slot: u32, tell: impl Fn(&mut Moment)) -> Option<String> {
    let (image, mut run) = recorded(PROGRAM);
    run.iter_mut().filter(|moment| moment.slot == slot).for_each(tell);
    replay(&image, 0, &Options::default(), &run).err().map(|escape| escape.what)
}

#[test]
fn a_true_run_escapes_nowhere() {
    assert_eq!(lie(0, |_| ()), None);
}

#[test]
fn an_address_in_the_stack_may_be_a_number_to_the_way_that_covers_it() {
    let (image, run) = recorded(HIDDEN);
    let taken = run.iter().any(|moment| moment.slot == 10);
    assert!(taken, "the address was not in the stack");
    assert_eq!(replay(&image, 0, &Options::default(), &run), Ok(()));
}

#[test]
fn a_number_may_be_less_to_the_way_that_covers_it() {
    let (image, run) = recorded(LARGE);
    assert!(run.iter().any(|moment| moment.slot == 10), "the number was not large");
    assert_eq!(replay(&image, 0, &Options::default(), &run), Ok(()));
}

#[test]
fn lies_are_noticed() {
    let way = lie(3, |moment| moment.slot = 6).unwrap();
    assert!(way.contains("the run went to 6 in frame 1, the walk is in frame 1"), "{way}");
    let frame = lie(3, |moment| moment.depth = 2).unwrap();
    assert!(frame.contains("the run went to 3 in frame 2"), "{frame}");
    let number = lie(3, |moment| moment.regs[0] = 256).unwrap();
    assert!(number.starts_with("r0 is 0x100, but known as"), "{number}");
    let address = lie(1, |moment| moment.regs[2] += 8).unwrap();
    assert!(address.starts_with("r2 is "), "{address}");
    let copies = lie(4, |moment| moment.regs[6] ^= 1).unwrap();
    assert!(copies.starts_with("r6 and r0 are said to be linked"), "{copies}");
}
