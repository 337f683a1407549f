//! The verifier as it is for users without capabilities, against what the kernel's own tests expect of
//! them: the tables of verifier tests of two kernels, and the annotated programs of the selftests.
//!
//! A case is tried so if its type is one that everybody may load. What the table expects of a user
//! without capabilities is what it expects of all, where it does not say. Every difference is a row here
//! with its cause.
#![allow(clippy::print_stderr)]

mod common;

use common::selftests::STRICT_ALIGNMENT;
use std::collections::{BTreeMap, BTreeSet};

use common::agreement::{Agreement, Difference};
use common::cases::{self, Case};
use serde_json::Value;
use skep_runtime::Image;
use skep_runtime::verify::{Options, verify_program};
use skep_stdlib::capabilities::{Capabilities, Capability};
use skep_stdlib::features::{Kernel, Target};
use skep_stdlib::programs::ProgType;
use skep_test_tools::corpora::selftests;
use skep_test_tools::{self as tools, Need};

/// A table, and the kernel whose source it is from.
struct Table {
    name: &'static str,
    kernel: Kernel,
    differences: &'static [Difference],
}

const TABLES: &[Table] = &[
    Table { name: "6.1", kernel: Kernel(6, 1), differences: &[] },
    Table { name: "6.12", kernel: Kernel(6, 12), differences: &[] },
];

/// What is verified for.
fn options(kernel: Kernel) -> Options {
    let target = Target { kernel, ..Target::default() };
    Options { target, btf: common::vmlinux(), user: Capabilities::NONE, ..Options::default() }
}

/// What the kernel's test expects of a user without capabilities: the log, if it is to be refused.
fn expected(case: &Value) -> Option<&str> {
    let of = |own: &str, all: &str| match case[own].as_str() {
        None | Some("undef") => case[all].as_str(),
        own => own,
    };
    (of("result_unpriv", "result") == Some("reject"))
        .then(|| of("errstr_unpriv", "errstr").unwrap_or_default())
}

fn is_loadable(case: &Value) -> bool {
    let ty = case["prog_type"].as_u64();
    [ProgType::SocketFilter, ProgType::CgroupSkb].iter().any(|loadable| ty == Some(*loadable as u64))
}

fn judge(table: &Table) -> Result<(), String> {
    let Some(oracles) = common::oracles() else { return Ok(()) };
    let name = format!("test_verifier-{}-unprivileged", table.name);
    let cases = common::table(&oracles.join(format!("test_verifier-{}.jsonl.gz", table.name)));
    let mut found = Agreement::default();
    for case in cases.iter().filter(|case| is_loadable(case)) {
        let place = format!("{}: {}", case["src"].as_str().unwrap(), case["descr"].as_str().unwrap());
        match cases::build(case) {
            Case::Skipped(why) => eprintln!("skipped: {place}: {why}"),
            Case::Malformed => assert!(expected(case).is_some(), "{place}: not instructions"),
            Case::Image(image) => {
                let options = Options { aligned: cases::is_strict(case), ..options(table.kernel) };
                let ours = verify_program(&image, 0, &options).0;
                found.count(place, expected(case), ours);
            }
        }
    }
    found.print(&name);
    found.against(table.differences, |_| true).map_err(|wrong| format!("{name}:\n{wrong}"))
}

/// The program's section, the kinds of its maps, its instructions, the rule that it breaks on kernel 6.12.
type Assembled = (&'static str, &'static [&'static str], &'static str, &'static str);

#[rustfmt::skip]
const ASSEMBLED: &[Assembled] = &[
    ("socket", &["map_array_48b"], "LOOKUP r0 = *(u8 *)(r0 + 47); out: r0 = 0; exit", ""),
    // What the user has no capability for.
    ("tc", &[], "r0 = 0; exit", "V0322"),
    ("kprobe", &[], "r0 = 0; exit", "V0322"),
    ("socket", &["map_stacktrace"], "r1 = map[idx:0]; r0 = 0; exit", "V0322"),
    ("socket", &["map_xskmap"], "r1 = map[idx:0]; r0 = 0; exit", "V0322"),
    ("socket", &["map_spin_lock"], "r1 = map[idx:0]; r0 = 0; exit", "V0322"),
    ("socket", &[], "call 118; exit", "V0322"),
    ("socket", &[], "call 35; r0 = 0; exit", "V0322"),
    ("socket", &[], "call pc+1; exit; r0 = 0; exit", "V0322"),
    ("socket", &[], "r1 = subprog[f]; r0 = 0; exit; f: r0 = 0; exit", "V0322"),
    ("socket", &["map_array_48b"], "r1 = map[idx:0]; r0 = *(u32 *)(r1 + 0); exit", "V0322"),
    ("cgroup_skb/egress", &[], "r0 = *(u32 *)(r1 + 76); r0 = 1; exit", "V0106"),
    ("cgroup_skb/egress", &[], "r0 = 1; *(u64 *)(r1 + 152) = r0; exit", "V0106"),
    ("socket", &[], "r0 = 4; again: r0 += -1; if r0 != 0 goto again; exit", "V0507"),
    // Addresses.
    ("socket", &[], "w0 = w1; exit", "V0206"),
    ("socket", &[], "r0 = (s32)r1; r0 = 0; exit", "V0206"),
    ("socket", &[], "r1 = -r1; r0 = 0; exit", "V0206"),
    ("socket", &[], "r1 = be64 r1; r0 = 0; exit", "V0206"),
    ("socket", &[], "r1 = bswap64 r1; r0 = 0; exit", "V0206"),
    ("socket", &[], "r1 -= r10; r0 = 0; exit", "V0202"),
    ("socket", &[], "w1 -= 4; r0 = 0; exit", "V0202"),
    ("socket", &[], "r0 = 4; w0 -= w1; r0 = 0; exit", "V0202"),
    ("socket", &[], "r0 = r1; exit", "V0403"),
    ("socket", &[], "r0 = 0; if r1 == r10 goto out; out: exit", "V0205"),
    ("socket", &[], "r0 = 0; if r1 == 0 goto out; out: exit", "V0205"),
    ("socket", &[], "r0 = 0; if r0 == r1 goto out; out: exit", "V0205"),
    ("socket", &["map_array_48b"], "LOOKUP if r0 > 4 goto out; out: r0 = 0; exit", "V0205"),
    ("socket", &["map_array_48b"], "r6 = r1; LOOKUP *(u64 *)(r0 + 0) = r6; out: r0 = 0; exit", "V0206"),
    ("socket", &[], "*(u64 *)(r1 + 48) = r1; r0 = 0; exit", "V0206"),
    ("socket", &[], "*(u64 *)(r10 - 8) = 0; lock *(u64 *)(r10 - 8) += r1; r0 = 0; exit", "V0206"),
    ("socket", &[], "*(u64 *)(r10 - 8) = r1; r0 = 1; lock *(u64 *)(r10 - 8) += r0; r0 = 0; exit", "V0206"),
    ("socket", &["map_array_small"], "r4 = r10; r2 = r10; r2 += -4; *(u32 *)(r10 - 4) = 0; r3 = r2; r1 = map[idx:0]; call 2
        r0 = 0; exit", "V0206"),
    ("socket", &["map_array_48b"], "r4 = 0; r2 = r10; r2 += -48; *(u32 *)(r10 - 48) = 0; r3 = r2; r1 = map[idx:0]; call 2
        r0 = 0; exit", "V0104"),
    ("socket", &["map_array_small"], "*(u64 *)(r10 - 8) = 0; r4 = r10; r2 = r10; r2 += -8; r3 = r2; r1 = map[idx:0]; call 2
        r0 = 0; exit", "V0206"),
    // The stack.
    ("socket", &[], "r0 = *(u64 *)(r10 - 8); exit", "V0104"),
    ("socket", &[], "*(u64 *)(r10 - 8) = r1; *(u8 *)(r10 - 5) = 0; r0 = 0; exit", "V0206"),
    ("socket", &[], "*(u64 *)(r10 - 8) = r1; r2 = 0; r3 = r10; r3 += -8; r4 = 8; call 26; r0 = 0; exit", "V0206"),
    ("socket", &["map_array_small"], "*(u64 *)(r10 - 8) = r1; *(u64 *)(r10 - 16) = 0; r2 = r10; r2 += -16; r3 = r10
        r3 += -8; r4 = 0; r1 = map[idx:0]; call 2; r0 = 0; exit", "V0206"),
    ("socket", &[], "*(u64 *)(r10 - 8) = r1; r0 = *(u32 *)(r10 - 8); exit", "V0206"),
    // A number that was stored is any number.
    ("socket", &["map_array_48b"], "r6 = 4; *(u64 *)(r10 - 16) = r6; LOOKUP r6 = *(u64 *)(r10 - 16); r0 += r6
        r0 = *(u8 *)(r0 + 0); out: r0 = 0; exit", "V0203"),
    // Where a wrong guess leads.
    ("socket", &[], "r2 = r10; r2 += -516; r0 = 0; exit", "V0209"),
    ("socket", &[], "r2 = r10; r2 += 0; r0 = 0; exit", "V0209"),
    ("socket", &[], "r0 = *(u32 *)(r1 + 0); r0 &= 8; r0 += -16; r2 = r10; r2 += r0; r0 = 0; exit", "V0209"),
    ("socket", &["map_array_48b"], "LOOKUP r0 += 48; out: r0 = 0; exit", "V0209"),
    ("socket", &["map_array_48b"], "LOOKUP r0 += -1; out: r0 = 0; exit", "V0209"),
    ("socket", &["map_array_48b"], "LOOKUP r6 = *(u8 *)(r0 + 0); r6 += -9; if r6 s> 9 goto out; r0 += 20; r0 += r6
        out: r0 = 0; exit", "V0209"),
    ("socket", &["map_array_48b"], "LOOKUP r6 = *(u8 *)(r0 + 0); r6 &= 15; r6 += -8; r0 += 20; r0 += r6
        out: r0 = 0; exit", "V0209"),
    ("socket", &[], "r0 = 4; r1 += r0; r0 = 0; exit", "V0209"),
    ("socket", &[], "r0 = 8; r2 = r10; r2 += -512; r2 += r0; r0 = 0; exit", "V0209"),
    ("socket", &[], "r0 = *(u32 *)(r1 + 0); r0 &= 4; if r0 == 0 goto small; r0 = 8; goto move; small: r0 = 4
        move: r2 = r10; r2 += -64; r2 += r0; r0 = 0; exit", "V0209"),
    ("socket", &[], "r0 = *(u32 *)(r1 + 0); r6 = 1; if r0 == 0 goto move; r6 = r10; r6 += -64; move: r2 = 8; r6 += r2
        r0 = 0; exit", "V0209"),
    ("socket", &["map_array_48b"], "LOOKUP r6 = 1; if r6 == 1 goto out; r0 = *(u8 *)(r0 + 48); out: r0 = 0; exit", "V0102"),
    ("socket", &["map_array_48b"], "LOOKUP r6 = 1; if r6 != 1 goto far; goto out; far: r0 = *(u8 *)(r0 + 48)
        out: r0 = 0; exit", "V0102"),
    ("socket", &["map_array_48b"], "LOOKUP r6 = *(u8 *)(r0 + 0); r6 &= 15; r7 = r0; r7 += 16; r7 += r6; r7 += -16
        r0 = *(u8 *)(r7 + 0); out: r0 = 0; exit", ""),
    ("socket", &["map_array_48b"], "LOOKUP r6 = *(u8 *)(r0 + 0); r6 &= 15; if r6 < 8 goto out; r0 += r6; r0 += -8
        r0 = *(u8 *)(r0 + 0); out: r0 = 0; exit", "V0209"),
    ("socket", &["prog1", "prog2"], "r0 = *(u32 *)(r1 + 0); r2 = map[idx:0]; if r0 == 0 goto call; r2 = map[idx:1]
        call: r3 = 1; call 12; r0 = 0; exit", "V0323"),
    ("socket", &["prog1", "prog2"], "r0 = 0; r2 = map[idx:0]; if r0 == 0 goto call; r2 = map[idx:1]
        call: r3 = 1; call 12; r0 = 0; exit", "V0323"),
];

fn rule(image: &Image, options: &Options) -> &'static str {
    verify_program(image, 0, options).0.err().map_or("", |report| report.cause.rule().code)
}

#[test]
fn assembled_programs() {
    let mut wrong = Vec::new();
    for &(section, maps, text, wanted) in ASSEMBLED {
        let image = cases::assembled(section, maps, text);
        let found = rule(&image, &options(Kernel(6, 12)));
        if found != wanted {
            wrong.push(format!("{section}: {text}: {found}, not {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What only a wrong guess leads to is fenced off by newer kernels; what a run does is not.
#[test]
fn barriers_are_put_where_guesses_lead() {
    let rule_on =
        |maps: &[&str], text: &str, kernel| rule(&cases::assembled("socket", maps, text), &options(kernel));
    let (old, new) = (Kernel(6, 12), Kernel(6, 18));
    let far = "LOOKUP r6 = 1; if r6 == 1 goto out; r0 = *(u8 *)(r0 + 48); out: r0 = 0; exit";
    assert_eq!(rule_on(&["map_array_48b"], far, old), "V0102");
    assert_eq!(rule_on(&["map_array_48b"], far, new), "");
    let run = "LOOKUP r0 = *(u8 *)(r0 + 48); out: r0 = 0; exit";
    assert_eq!(rule_on(&["map_array_48b"], run, new), "V0102");
    // The path of the guess ends at the barrier behind the store, before what would be wrong.
    let behind = "r6 = 1; if r6 == 1 goto out; *(u64 *)(r10 - 8) = r1; r0 = r10; out: r0 = 0; exit";
    assert_eq!(rule_on(&[], behind, new), "");
}

/// Why a pointer may not be moved is said in the kernel's words.
#[test]
fn moves_are_refused_for_their_own_reason() {
    let words = |text| {
        let image = cases::assembled("socket", &["map_array_48b"], text);
        let report = verify_program(&image, 0, &options(Kernel(6, 12))).0.expect_err("refused");
        report.cause.kernel_log().remove(0)
    };
    let it = "pointer arithmetic with it prohibited for !root";
    let kind = format!("R1 has pointer with unsupported alu operation, {it}");
    assert_eq!(words("r0 = 4; r1 += r0; r0 = 0; exit"), kind);
    let bounds = format!("R6 has unknown scalar with mixed signed bounds, {it}");
    let mixed = "LOOKUP r6 = *(u8 *)(r0 + 0); r6 &= 15; r6 += -8; r0 += 20; r0 += r6; out: r0 = 0; exit";
    assert_eq!(words(mixed), bounds);
    let limit = format!("R2 tried to add beyond pointer bounds, {it}");
    assert_eq!(words("r0 = 8; r2 = r10; r2 += -512; r2 += r0; r0 = 0; exit"), limit);
}

/// What looks into a kernel structure or an allocated object, and the rule that all users break.
const LOOKS: &[(&str, &str)] = &[
    ("return ((struct sk_buff *)bpf_cast_to_kern_ctx(ctx))->len;", ""),
    ("*(volatile int *)bpf_cast_to_kern_ctx(ctx) = 0; return 0;", "V0107"),
    (
        "struct item *p = bpf_obj_new_impl(__builtin_btf_type_id(*(struct item *)0, 0), 0);
        if (p) { p->n = 7; bpf_obj_drop_impl(p, 0); } return 0;",
        "",
    ),
];

/// What kernel structures and allocated objects hold is for users who may see addresses.
#[test]
fn structures_need_a_capability() {
    for (index, (text, wanted)) in LOOKS.iter().enumerate() {
        let source = format!(
            r#"
            #include <linux/bpf.h>
            #include <bpf/bpf_helpers.h>
            void *bpf_cast_to_kern_ctx(void *ctx) __ksym;
            void *bpf_obj_new_impl(__u64 type, void *meta) __ksym;
            void bpf_obj_drop_impl(void *object, void *meta) __ksym;
            struct item {{ int n; }};
            struct sk_buff {{ unsigned len; }} __attribute__((preserve_access_index));
            char LICENSE[] SEC("license") = "GPL";
            SEC("tc") int f(struct __sk_buff *ctx) {{ {text} }}"#
        );
        let Some(bytes) = common::clang(&format!("looks-{index}"), &source, &["-mcpu=v3"]) else { return };
        if common::vmlinux().is_none() {
            return;
        }
        let image = common::link(&bytes);
        let of = |user| rule(&image, &Options { user, ..options(Kernel(6, 18)) });
        assert_eq!(of(Capabilities::ALL), *wanted, "{text}");
        let user = Capabilities::NONE.with(Capability::Bpf).with(Capability::NetAdmin);
        assert_eq!(of(user), "V0322", "{text}");
    }
}

/// A program may have 4096 instructions.
#[test]
fn long_programs_need_a_capability() {
    let of_length = |length: usize| cases::assembled("socket", &[], &("r0 = 0;".repeat(length - 1) + "exit"));
    assert_eq!(rule(&of_length(4096), &options(Kernel(6, 12))), "");
    assert_eq!(rule(&of_length(4097), &options(Kernel(6, 12))), "V0322");
}

/// Of whom it is that a program is loaded.
#[test]
fn capabilities_count_one_by_one() {
    let with = |user| Options { user, ..options(Kernel(6, 12)) };
    let bpf = Capabilities::NONE.with(Capability::Bpf);
    let program = |text| cases::assembled("socket", &[], text);
    let calls = program("call pc+1; exit; r0 = 0; exit");
    assert_eq!(rule(&calls, &with(bpf)), "");
    let leaks = program("w0 = w1; exit");
    assert_eq!(rule(&leaks, &with(bpf)), "V0206");
    assert_eq!(rule(&leaks, &with(bpf.with(Capability::Perfmon))), "");
    let prints = program("r1 = r10; r1 += -8; *(u64 *)(r10 - 8) = 0; r2 = 8; call 6; r0 = 0; exit");
    assert_eq!(rule(&prints, &with(bpf)), "V0322");
    assert_eq!(rule(&cases::assembled("tc", &[], "r0 = 0; exit"), &with(bpf)), "V0322");
    assert_eq!(rule(&cases::assembled("tc", &[], "r0 = 0; exit"), &with(bpf.with(Capability::NetAdmin))), "");
}

/// What the selftests expect otherwise.
const SELFTESTS: &[Difference] = &[];

/// Which share of the files is compiled when not all are.
const STEP: usize = 6;

#[test]
fn the_selftests() {
    let needs = [Need::Oracles, Need::Clang, Need::KernelTree, Need::Vmlinux, Need::Gzip];
    if !tools::have(&needs) {
        return;
    }
    let (Some(oracles), Some(corpus)) = (tools::oracles(), selftests()) else { return };
    let records = common::table(&oracles.join("selftests-6.12-clang19-on-kernel-6.12.jsonl.gz"));
    let mut objects: BTreeMap<&str, BTreeMap<&str, &Value>> = BTreeMap::new();
    for record in records.iter().filter(|record| record["expect_unpriv"].is_string()) {
        let (object, program) = (record["obj"].as_str().unwrap(), record["prog"].as_str().unwrap());
        objects.entry(object.trim_end_matches(".o")).or_default().insert(program, record);
    }
    let all = tools::full();
    let (mut found, mut seen) = (Agreement::default(), BTreeSet::new());
    for (name, records) in objects.iter().step_by(if all { 1 } else { STEP }) {
        let Some(bytes) = common::selftests::compile(&corpus, name) else { continue };
        let Ok(image) = common::try_link(&bytes) else { continue };
        seen.insert(*name);
        for (index, program) in image.programs.iter().enumerate() {
            let Some(record) = records.get(program.name.as_str()) else { continue };
            let refused = (record["expect_unpriv"] == "fail").then_some("");
            let flags = record["flags"].as_u64().unwrap_or(0);
            let options = Options { aligned: flags & STRICT_ALIGNMENT != 0, ..options(Kernel(6, 12)) };
            found.count(
                format!("{name}/{}", program.name),
                refused,
                verify_program(&image, index, &options).0,
            );
        }
    }
    found.print("selftests-6.12-unprivileged");
    let judged = |name: &str| name.split_once('/').is_some_and(|(object, _)| seen.contains(object));
    found.against(SELFTESTS, judged).unwrap();
}

#[test]
fn the_tables_of_kernels() {
    if !common::have(&[common::Need::Gzip]) {
        return;
    }
    let wrong: Vec<String> = TABLES.iter().filter_map(|table| judge(table).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
