//! Holes that verifiers had, the kernel's and ours: programs that were once accepted, and must not be.
//!
//! Each is assembled, judged by us and, where one is there, by the running kernel. Those with a number are
//! of the kernel's published ones, reduced to what the verifier must see.
#![cfg(target_os = "linux")]

mod common;

use common::Need;
use common::cases;
use skep_runtime::kernel::Kernel;
use skep_runtime::object::Code;
use skep_runtime::verify::{Options, verify_program};
use skep_stdlib::isa::asm;

/// A value of the array, of 48 bytes, in r0, and a number of which nothing is known in r6.
const VALUE: &str = "
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = map[idx:0]
    call 1
    if r0 == 0 goto out
    r6 = *(u64 *)(r0 + 0)
";

/// A byte of that value at r6.
const STORE: &str = "
    r0 += r6
    *(u8 *)(r0 + 0) = 0
out:
    r0 = 0
    exit
";

/// Rounds that write through an offset of an earlier one, which is 0 or this number.
macro_rules! later_round {
    ($far:literal) => {
        concat!(
            "*(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = map[idx:0]; call 1; if r0 == 0 goto out; *(u64 *)(r10 - 16) = r0
         call 7; *(u64 *)(r10 - 32) = r0; *(u64 *)(r10 - 24) = 0
         r1 = 10; r2 = subprog[+7]; r3 = r10; r3 += -32; r4 = 0; call 181; out: r0 = 0; exit
         r9 = r2; r1 = *(u64 *)(r9 + 0); if r1 == 42 goto use; call 7; if r0 == 5 goto far
         r8 = 1; r8 = 2; r8 = 3; r8 = 4; r8 = 5; r8 = 6; goto on
         far: *(u64 *)(r9 + 8) = ",
            $far,
            "; r8 = 1; r8 = 2; r8 = 3; r8 = 4; r8 = 5; r8 = 6
         on: call 7; *(u64 *)(r9 + 0) = r0; r0 = 0; exit
         use: r1 = *(u64 *)(r9 + 8); r0 = *(u64 *)(r9 + 16); r0 += r1; *(u8 *)(r0 + 0) = 0; goto on",
        )
    };
}

/// What it is about, whether it starts with [`VALUE`] and ends with [`STORE`], the instructions, whether
/// they are safe.
type Case = (&'static str, bool, &'static str, bool);

const CASES: &[Case] = &[
    (
        "bits and range leave one number",
        true,
        "r6 &= 48; if r6 < 17 goto out; if r6 >= 47 goto out; r6 += 15",
        true,
    ),
    (
        "bits and range of 32 bits leave two",
        true,
        "r6 &= 48; if w6 < 16 goto out; if w6 >= 47 goto out; r6 += 15",
        false,
    ),
    (
        "a side that no run takes is walked",
        false,
        "call 5; r3 = 0xffffffff00000070 ll; r0 &= r3; if w0 < 17 goto out; if w0 < 31 goto on; out: r0 = 0; exit
        on: r0 = r9; exit",
        false,
    ),
    (
        "an array has every constant key below its size",
        false,
        "*(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = map[idx:0]; call 1; r0 = *(u64 *)(r0 + 0); r0 = 0; exit",
        true,
    ),
    (
        "a constant key that was a register",
        false,
        "r1 = 0; *(u32 *)(r10 - 8) = r1; r2 = r10; r2 += -8; r1 = map[idx:0]; call 1; r0 = *(u64 *)(r0 + 0); r0 = 0; exit",
        true,
    ),
    (
        "an array has no key of its size",
        false,
        "*(u32 *)(r10 - 8) = 1; r2 = r10; r2 += -8; r1 = map[idx:0]; call 1; r0 = *(u64 *)(r0 + 0); r0 = 0; exit",
        false,
    ),
    (
        "a key that is one of two numbers",
        false,
        "call 7; r0 &= 1; *(u32 *)(r10 - 8) = r0; r2 = r10; r2 += -8; r1 = map[idx:0]; call 1; r0 = *(u64 *)(r0 + 0); \
         r0 = 0; exit",
        false,
    ),
    (
        "a key that is another number on another path",
        false,
        "call 7; r1 = 0; if r0 == 0 goto +1; r1 = 1; *(u32 *)(r10 - 8) = r1; r2 = r10; r2 += -8; r1 = map[idx:0]; call 1; \
         r0 = *(u64 *)(r0 + 0); r0 = 0; exit",
        false,
    ),
    (
        "a part of what was spilled is no constant key",
        false,
        "r1 = 0; *(u64 *)(r10 - 8) = r1; r2 = r10; r2 += -8; r1 = map[idx:0]; call 1; r0 = *(u64 *)(r0 + 0); r0 = 0; exit",
        false,
    ),
    ("CVE-2020-8835: a comparison of 32 bits bounds no more than those", true, "if w6 > 8 goto out", false),
    ("a comparison of 32 bits, of a number of 32 bits", true, "w6 = w6; if w6 > 8 goto out", true),
    (
        "CVE-2020-27194: an OR keeps no bounds of 64 bits for 32",
        true,
        "if r6 == 0 goto out; r8 = 0x600000001 ll; if r6 > r8 goto out; r6 |= 0; w6 = w6; r6 -= 1; r6 &= 64",
        false,
    ),
    (
        "CVE-2021-3490: an AND of 32 bits says nothing of the others",
        true,
        "r7 = 0x100000002 ll; r6 &= r7; r6 >>= 32; r6 *= 64",
        false,
    ),
    ("the same with a factor that fits", true, "r7 = 0x100000002 ll; r6 &= r7; r6 >>= 32; r6 *= 40", true),
    (
        "CVE-2021-31440: a lower bound of 64 bits is none of 32",
        true,
        "if r6 < 1 goto out; w6 = w6; if w6 > 1 goto out; r6 -= 1; r6 &= 64",
        false,
    ),
    ("CVE-2017-16995: a move of 32 bits does not extend the sign", true, "w6 = -1; if r6 != -1 goto +0", false),
    ("CVE-2021-20268: a signed bound leaves the negative", true, "if r6 s> 8 goto out", false),
    ("both bounds", true, "if r6 s> 8 goto out; if r6 s< 0 goto out", true),
    ("a swap moves the bounds", true, "r6 &= 0x3f; r6 = be16 r6", false),
    ("a negation turns them", true, "r6 &= 7; r6 = -r6", false),
    ("an extension of the sign makes the large negative", true, "r6 &= 0xff; r6 = (s8)r6", false),
    ("a shift by a number loses them", true, "r7 = r6; r7 &= 7; r6 &= 15; r6 <<= r7", false),
    ("what a mask leaves is bounded", true, "r6 &= 15; r6 <<= 1", true),
    (
        "a bound on a number of 32 bits more is one on the number, where it does not wrap",
        true,
        "w6 = w6; w7 = w6; w7 += 1; if w7 > 8 goto out; if w7 == 0 goto out",
        true,
    ),
    ("where it may wrap", true, "w6 = w6; w7 = w6; w7 += 1; if w7 > 8 goto out", false),
    ("a bound on a number of 32 bits less", true, "w6 = w6; w7 = w6; w7 -= 1; if w7 > 8 goto out", true),
    ("a bound on a number of 64 bits less", true, "w6 = w6; r7 = r6; r7 -= 5; if r7 > 8 goto out", true),
    ("a bound on a number to which less than zero is added", true, "w6 = w6; r7 = r6; r7 += -5; if r7 > 8 goto out", true),
    ("a bound on a copy of the lower half", true, "r7 = r6; w7 += 1; if w7 > 8 goto out; if w7 == 0 goto out", false),
    (
        "a bound on one that is more in 32 bits is none on one that is so in 64",
        true,
        "w6 = w6; r7 = r6; r7 += 1; r8 = r6; w8 += 1; if w8 > 8 goto out; if w8 == 0 goto out; r6 = r7",
        false,
    ),
    (
        "it is one on the original",
        true,
        "w6 = w6; r7 = r6; r7 += 1; r8 = r6; w8 += 1; if w8 > 8 goto out; if w8 == 0 goto out",
        true,
    ),
    ("the smallest number taken away", true, "w6 = w6; w7 = w6; w8 = 0x80000000; w7 -= w8; if w7 > 8 goto out; w6 -= w8", false),
    ("added twice", true, "w6 = w6; w7 = w6; w7 += 1; w7 += 1; if w7 > 8 goto out; if w7 < 2 goto out", false),
    (
        "a bound on a copy is one on the original only while both are the same",
        true,
        "r7 = r6; r7 += 64; if r7 > 96 goto out",
        false,
    ),
    (
        "a bound on a number is one on another that is a constant less",
        true,
        "if r6 > 255 goto out; r7 = r6; r7 += 8; if r7 > 48 goto out",
        true,
    ),
    (
        "the same where the sum may have overflowed",
        true,
        "r7 = r6; r7 += 8; if r7 > 48 goto out",
        false,
    ),
    (
        "the same after a second constant",
        true,
        "if r6 > 255 goto out; r7 = r6; r7 += 8; r7 += 8; if r7 > 48 goto out",
        false,
    ),
    (
        "a constant added to 32 bits says nothing of the others",
        true,
        "r7 = r6; w7 += 8; if r7 > 40 goto out; if r7 < 8 goto out",
        false,
    ),
    (
        "CVE-2023-2163: of two paths that meet, the value that matters is compared",
        true,
        "r8 = r6; r7 = 0; if r8 == 0 goto +1; r7 = 64; r9 = r7; r6 = r9",
        false,
    ),
    (
        "the same, the other path first",
        true,
        "r8 = r6; r7 = 64; if r8 == 0 goto +1; r7 = 0; *(u64 *)(r10 - 16) = r7; r6 = *(u64 *)(r10 - 16)",
        false,
    ),
    (
        "CVE-2022-23222: a pointer that may be null is not moved",
        false,
        "r1 = map[idx:1]; r2 = 8; r3 = 0; call 131; r1 = r0; r1 += 1
         if r0 != 0 goto out; *(u8 *)(r1 + 0) = 0; out: r0 = 0; exit",
        false,
    ),
    (
        "CVE-2021-4204: a record is given back as it was given",
        false,
        "r1 = map[idx:1]; r2 = 8; r3 = 0; call 131; if r0 == 0 goto out; r0 += 8; r1 = r0; r2 = 0; call 132
         out: r0 = 0; exit",
        false,
    ),
    (
        "CVE-2023-52462: a pointer that is overwritten in part is none",
        false,
        "*(u64 *)(r10 - 8) = r1; *(u8 *)(r10 - 8) = 0; r2 = *(u64 *)(r10 - 8); r0 = *(u32 *)(r2 + 0); exit",
        false,
    ),
    (
        "CVE-2023-52452: no byte below the frame",
        false,
        "r6 = *(u32 *)(r1 + 0); r6 &= 7; r6 -= 516; r2 = r10; r2 += r6; *(u8 *)(r2 + 0) = 0; r0 = 0; exit",
        false,
    ),
    (
        "CVE-2023-39191: a dynamic pointer's slot is not written",
        false,
        "r1 = map[idx:1]; r2 = 8; r3 = 0; r4 = r10; r4 += -16; call 198; *(u64 *)(r10 - 16) = 0; r1 = r10
         r1 += -16; r2 = 0; call 200; r0 = 0; exit",
        false,
    ),
    (
        "a record is given back once",
        false,
        "r1 = map[idx:1]; r2 = 8; r3 = 0; call 131; if r0 == 0 goto out; r6 = r0; r1 = r6; r2 = 0; call 132
         r1 = r6; r2 = 0; call 132; out: r0 = 0; exit",
        false,
    ),
    (
        "a packet's end is no place to read",
        false,
        "r2 = *(u32 *)(r1 + 76); r3 = *(u32 *)(r1 + 80); if r2 > r3 goto out; r0 = *(u8 *)(r3 + 0); out: r0 = 0; exit",
        false,
    ),
    (
        "a number that may be negative is no proof of a packet's bytes",
        false,
        "r6 = *(u32 *)(r1 + 0); r2 = *(u32 *)(r1 + 76); r3 = *(u32 *)(r1 + 80); r6 &= 15; r6 -= 8; r2 += r6; r4 = r2
         r4 += 8; if r4 > r3 goto out; r0 = *(u8 *)(r2 + 0); out: r0 = 0; exit",
        false,
    ),
    (
        "past the end nothing of the register is proven",
        false,
        "r2 = *(u32 *)(r1 + 76); r3 = *(u32 *)(r1 + 80); r0 = r2; r0 += 8; if r3 >= r0 goto +2; r0 = 1; exit
         if r2 > r3 goto +1; r0 = *(u8 *)(r2 + 0); r0 = *(u8 *)(r2 + 0); r0 = 0; exit",
        false,
    ),
    (
        "a function returns no address of its caller's stack",
        false,
        "*(u64 *)(r10 - 8) = 0; r1 = r10; r1 += -8; call pc+1; exit; r6 = r1; r0 = r6; exit",
        false,
    ),
    (
        "a tail call leaves the function with any result",
        false,
        "call pc+6; r6 = r0; r2 = r10; r2 += r6; *(u8 *)(r2 - 16) = 0; r0 = 0; exit
         r2 = map[idx:2]; r3 = 0; call 12; r0 = 8; exit",
        false,
    ),
    (
        "a helper that calls back does not end the loop around it",
        false,
        "r1 = 3; r2 = subprog[+8]; r3 = r10; r4 = 0; call 181; call 7; if r0 != 27 goto -8; r0 = 0; exit; r0 = 0; exit",
        false,
    ),
    ("what a later round of a helper uses mattered in an earlier one", false, later_round!("1000"), false),
    ("the same where all of it may be used", false, later_round!("40"), true),
    (
        "null as an argument is compared with what is not null",
        false,
        "call 7; if r0 > 5 goto other
         r3 = 0; goto +0; goto +0; r8 = 1; r8 = 2; r8 = 3; r8 = 4; r8 = 5; r8 = 6; goto on
         other: r3 = 8; goto +0; goto +0; r8 = 1; r8 = 2; r8 = 3; r8 = 4; r8 = 5; r8 = 6
         on: r1 = 1; r2 = subprog[+5]; r4 = 0; call 181; r0 = 0; exit; r0 = 0; exit",
        false,
    ),
    (
        "a number that is too large may be added to a pointer that is not used",
        false,
        "r2 = *(u32 *)(r1 + 76); r3 = *(u32 *)(r1 + 80); r4 = *(u32 *)(r1 + 0); r4 += r2; if r4 > r3 goto +0; r0 = 0; exit",
        true,
    ),
    ("a number that is too large is no offset", true, "w6 = w6", false),
    ("nor is one that is too small in the end", true, "r6 = -400000000; r0 += r6; w6 = w6; w6 &= 1; r6 -= 400000000", false),
    ("what is added wraps around for all values or for none", true, "r6 &= 7; r6 += -16; r6 += 16", true),
    ("a product has the bounds of its factors", true, "r6 &= 3; r6 -= 3; r6 *= -15", true),
    ("the same where a factor is one too many", true, "r6 &= 3; r6 -= 3; r6 *= -16", false),
    ("a product that overflows has none", true, "r7 = r6; r7 &= 3; r6 *= r7; r6 += 1", false),
    (
        "a range is forgotten where no bit of it is set",
        true,
        "r6 &= 0xff; r6 = (s8)r6; if r6 & 0xf0 goto out; r6 &= -1",
        false,
    ),
    ("a swapped address has any upper bits", true, "r6 = r0; r6 = be32 r6; r6 &= -1", false),
    (
        "a helper takes one record at most",
        false,
        "r1 = map[idx:1]; r2 = 8; r3 = 0; call 131; if r0 == 0 goto out; r6 = r0; r1 = r6; r2 = 4; r3 = r6; r4 = 4; r5 = 0
         call 28; r1 = r6; r2 = 0; call 132; out: r0 = 0; exit",
        false,
    ),
    (
        "a value has no address past its end, even where it is not taken",
        false,
        "r0 = 1; if r0 > 0 goto +2; r1 = map[idx:0][0]+48; r0 = 0; exit",
        false,
    ),
    ("a kernel function is known even where it is not reached", false, "r0 = 1; if r0 > 0 goto +1; call kfunc#7; exit", false),
    ("a kernel function is none of a module's", false, "r0 = 1; if r0 > 0 goto +1; call kfunc#7:1; exit", false),
];

/// Cases that are not put to the kernel. Given types, without which it lets no helper call back, it accepts them
/// all, although it must not but for the last.
const OPEN_IN_KERNELS: &[&str] = &[
    "a tail call leaves the function with any result",
    "a helper that calls back does not end the loop around it",
    "null as an argument is compared with what is not null",
    "what a later round of a helper uses mattered in an earlier one",
    "the same where all of it may be used",
];

#[test]
fn none_is_open() {
    let mut wrong = Vec::new();
    for (about, framed, text, safe) in CASES {
        let text = if *framed { format!("{VALUE}{text}\n{STORE}") } else { (*text).to_owned() };
        let insns = match asm::assemble(&text) {
            Ok(insns) => insns,
            Err(error) => {
                wrong.push(format!("{about}: {error}\n{text}"));
                continue;
            }
        };
        let maps = ["map_array_48b", "map_ringbuf", "prog1"];
        let image = cases::image("tc", Code::new(insns), &maps);
        let ours = verify_program(&image, 0, &Options::default()).0;
        if ours.is_ok() != *safe {
            wrong
                .push(format!("{about}: {:?}", ours.map_err(|report| (report.slot, report.cause.message()))));
        }
        if common::have(&[Need::Kernel]) && !OPEN_IN_KERNELS.contains(about) {
            let theirs = Kernel::load(&image).map(|_| ());
            if theirs.is_ok() != *safe {
                wrong.push(format!("{about}: the kernel: {theirs:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
