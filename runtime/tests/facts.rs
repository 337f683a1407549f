//! What compiled code takes for granted of numbers, maps and keys is so in every run: programs in which
//! something nearly holds, on inputs for which it does not, in all engines.
//!
//! Each program reads the number `r6` from its context and leaves what it found in `r7`, which goes there too.

mod common;

use common::cases::assembled;
use skep_runtime::Image;
use skep_runtime::verify::{self, LookUp, Options};
use skep_runtime::vm::{Input, MapPreset};

/// What is read of the context before, and written to it after.
const BEFORE: &str = "r8 = r1; r6 = *(u64 *)(r8 + 0); r7 = 1;";
const AFTER: &str = "; out: *(u64 *)(r8 + 8) = r7; r0 = 0; exit";

const NUMBERS: [u64; 10] = [0, 1, 2, 5, 100, u32::MAX as u64, 1 << 32, (7 << 32) + 1, 1 << 63, u64::MAX];

fn image(text: &str) -> Image {
    let text = format!("{BEFORE}{text}{AFTER}");
    let mut image = assembled("syscall", &["map_array_two", "map_array_two"], &text);
    for (map, name) in image.maps.iter_mut().zip(["first", "second"]) {
        map.name = name.to_string();
    }
    image
}

/// Runs a program on all numbers in all engines, which compare their results.
fn run(about: &str, text: &str) {
    let mut engines = common::vm(image(text));
    assert!(engines.has_proof(), "{about}: it is refused");
    for number in NUMBERS {
        let mut data = number.to_le_bytes().to_vec();
        data.resize(16, 0);
        let preset = |map: &str, key: u32, value: u64| MapPreset {
            map: map.to_string(),
            key: key.to_le_bytes().to_vec(),
            value: value.to_le_bytes().to_vec(),
        };
        let maps = vec![
            preset("first", 0, 100),
            preset("first", 1, 101),
            preset("second", 0, 200),
            preset("second", 1, 201),
        ];
        let outcome = engines.run(0, &Input { data, maps, ..Input::default() }).expect("it can be run");
        assert!(outcome.result.is_ok(), "{about}: with {number:#x}: {:?}", outcome.result);
    }
}

/// Two paths that meet at a division, whose result decides nothing.
const MEETING: &str = "r3 = 0; if r6 < 10 goto on; r3 = 5; on: r4 = 1; r4 = 2; r4 = 3; r4 = 4; r4 = 5; r4 = 6
    goto +0; goto +0; r7 /= r3";

#[test]
fn divisors() {
    for (about, text) in [
        ("two ways to a divisor, one of which is not walked", MEETING),
        ("one that is not zero", "if r6 == 0 goto out; r7 = 100; r7 /= r6"),
        ("one that was not", "if r6 == 0 goto out; r6 -= 1; r7 %= r6"),
        ("one whose lower half is", "if r6 == 0 goto out; r7 = 100; w7 /= w6"),
        ("one whose lower half is not", "if w6 == 0 goto out; r7 = 100; w7 %= w6; r7 /= r6"),
        ("one that is not zero here but there", "r3 = 5; if r6 > 4 goto on; r3 = 0; on: r7 /= r3"),
        ("where it is zero there is a jump", "if r6 != 0 goto out; r7 /= r6"),
        ("one that is kept by a call", "if r6 == 0 goto out; call 5; r7 = 100; r7 /= r6"),
        ("the result of a call", "r0 = 7; call 7; r7 /= r0"),
        (
            "one that becomes zero in a loop",
            "r3 = 2; r4 = 0; on: r7 /= r3; r3 -= 1; r4 += 1; if r4 < 4 goto on",
        ),
        ("with a bit that is set", "r6 |= 8; r7 = -1; r7 /= r6"),
        ("with a sign", "if r6 s<= 0 goto out; r7 = 100; r7 s/= r6; r6 = -r6; r7 s%= r6"),
        ("one whose negation is not zero", "if r6 == 0 goto out; r6 = -r6; r7 /= r6; w7 %= w6"),
        ("a small one of a large number", "r7 = -3; if r6 > 100 goto out; if r6 < 1 goto out; r7 /= r6"),
        ("two without upper halves", "r7 = 12345; r6 &= 0x7fffffff; r7 %= r6"),
        ("one with an upper half", "r7 = 12345; r7 /= r6"),
        ("a constant", "w6 = w6; r6 /= 7; r7 = r6; r7 %= 10"),
    ] {
        run(about, text);
    }
}

#[test]
fn upper_halves() {
    for (about, text) in [
        (
            "one that comes in a later round",
            "r2 = 5; r4 = 0; r7 = 0; on: r5 = r2; r5 <<= 32; r5 >>= 32; r7 += r5; r2 = -1; r4 += 1; if r4 < 3 goto on",
        ),
        ("one that comes on one way", "r2 = 5; if r6 > 7 goto on; r2 = r6; r2 = -r2; on: r7 = r2; w7 = w7"),
        ("none below a bound", "if r6 > 100 goto out; r7 = r6; w7 = w7; r7 <<= 32; r7 >>= 32"),
        ("one above a bound", "if r6 < 100 goto out; r7 = r6; w7 = w7"),
        ("one below a bound that is large", "if r6 > -2 goto out; r7 = r6; w7 = w7"),
        ("one below a bound of the lower half", "if w6 > 100 goto out; r7 = r6; w7 = w7"),
        (
            "equal to what has none",
            "r2 = 1; r2 <<= 32; r3 = 7; if r6 == r3 goto out; if r6 != r2 goto out; r7 = r6; w7 = w7",
        ),
        ("after a call", "w6 = w6; call 5; r7 = r6; w7 = w7; r7 += r0; r7 -= r0"),
    ] {
        run(about, text);
    }
}

/// A value that a jump over one instruction chooses, of both widths, under every condition.
#[test]
fn choices() {
    let conditions = ["==", "!=", ">", ">=", "<", "<=", "s>", "s>=", "s<", "s<=", "&"];
    let moves = ["r7 = r3", "w7 = w3", "w7 = w6", "r7 = r6", "r6 = r3; r7 = r6", "w3 = w3"];
    for (condition, side) in
        conditions.iter().flat_map(|condition| ["r6", "w6"].map(|side| (condition, side)))
    {
        for with in ["5", "r4", "0", "-2"] {
            let with = if side == "w6" { with.replace('r', "w") } else { with.to_string() };
            let all = moves.iter().map(|choice| {
                format!(
                    "if {side} {condition} {with} goto +1; {choice}; r9 += r7; r9 *= 3; r7 ^= r6
                     r5 = r9; if {side} {condition} {with} goto +2; r5 = r6; goto +0; r9 ^= r5; r9 *= 8"
                )
            });
            let text = all.collect::<Vec<_>>().join("; ");
            let start = "r3 = -3; r4 = 1; r4 <<= 32; r9 = 7;";
            run(&format!("{side} {condition} {with}"), &format!("{start} {text}; r7 = r9"));
            let jumps =
                format!("if {side} {condition} {with} goto +1; goto on; r7 = 3; goto out; on: r7 = r4");
            run(&format!("jump if not {side} {condition} {with}"), &format!("{start} {jumps}"));
        }
    }
}

/// Calls a look-up with the key at fp-8 and puts what is found into `r7`.
const FOUND: &str = "r2 = r10; r2 += -8; r1 = map[idx:0]; call 1; if r0 == 0 goto out; r7 = *(u64 *)(r0 + 0)";

const LOOK_UPS: [(&str, &str, Option<LookUp>); 9] = [
    ("a key", "*(u32 *)(r10 - 8) = 1; FOUND", Some(LookUp { map: 0, key: Some(1) })),
    (
        "zero as bytes",
        "*(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = map[idx:0]; call 1; r7 = *(u64 *)(r0 + 0)",
        Some(LookUp { map: 0, key: Some(0) }),
    ),
    ("a key that is not there", "*(u32 *)(r10 - 8) = 2; FOUND", Some(LookUp { map: 0, key: Some(2) })),
    (
        "one whose presence is asked for",
        "*(u32 *)(r10 - 8) = 1; r2 = r10; r2 += -8; r1 = map[idx:0]; call 1; if r0 != 0 goto on; goto out
         on: r7 = *(u64 *)(r0 + 0)",
        Some(LookUp { map: 0, key: Some(1) }),
    ),
    (
        "one of which nothing is asked",
        "*(u32 *)(r10 - 8) = 1; r2 = r10; r2 += -8; r1 = map[idx:0]; call 1; r7 = *(u64 *)(r0 + 0)",
        Some(LookUp { map: 0, key: Some(1) }),
    ),
    (
        "two keys that meet",
        "r3 = 1; if r6 < 10 goto on; r3 = 0; on: r4 = 1; r4 = 2; r4 = 3; r4 = 4; r4 = 5; r4 = 6; goto +0; goto +0
         *(u32 *)(r10 - 8) = r3; FOUND",
        Some(LookUp { map: 0, key: None }),
    ),
    (
        "a key and another number",
        "*(u32 *)(r10 - 8) = 1; if r6 < 10 goto on; *(u32 *)(r10 - 8) = r6; on: FOUND",
        Some(LookUp { map: 0, key: None }),
    ),
    (
        "two maps that meet",
        "*(u32 *)(r10 - 8) = 1; r1 = map[idx:0]; if r6 < 10 goto on; r1 = map[idx:1]
         on: r2 = r10; r2 += -8; call 1; if r0 == 0 goto out; r7 = *(u64 *)(r0 + 0)",
        None,
    ),
    (
        "a map that is kept in a register",
        "r9 = map[idx:1]; call 5; *(u64 *)(r10 - 8) = r6; r1 = r9; if r6 < 10 goto +0; r2 = r10; r2 += -8; call 1
         if r0 == 0 goto out; r7 = *(u64 *)(r0 + 0)",
        Some(LookUp { map: 1, key: None }),
    ),
];

#[test]
fn look_ups() {
    for (about, text, wanted) in LOOK_UPS {
        let text = text.replace("FOUND", FOUND);
        let image = image(&text);
        let call = |image: &Image| {
            let calls = image.programs[0].code.iter().filter(|(_, insn)| insn.to_string() == "call 1");
            calls.map(|(slot, _)| slot).last().expect("a look-up")
        };
        let slot = call(&image);
        let verified = verify::verify(image, &Options::default());
        let verified = verified.unwrap_or_else(|reports| panic!("{about}: {reports:?}"));
        let found = verified.facts().expect("a proof")[0].look_up(slot);
        assert_eq!(found, wanted, "{about}");
        run(about, &text);
    }
}

/// The verifier walks a division once, with 5, although runs come there with 0 too: what it has seen of a
/// number that decided nothing is no fact.
#[test]
fn what_was_walked_is_not_all_that_runs() {
    let image = image(MEETING);
    let (division, _) =
        image.programs[0].code.iter().find(|(_, insn)| insn.to_string().contains("/=")).unwrap();
    let verdict = verify::verdict(&image, 0, &Options::default());
    assert_eq!((verdict.report, verdict.visits[division as usize]), (None, 1));
}
