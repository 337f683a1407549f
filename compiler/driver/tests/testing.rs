//! `skep test` and what `skep run` writes for other programs, as a process.

mod common;

use common::Scratch;

const PROGRAM: &str = r#"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct total { __u64 packets; __u64 bytes; };
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct total);
} totals SEC(".maps");
const volatile __u32 limit = 100;

SEC("xdp") int count(struct xdp_md *ctx)
{
	__u32 key = 1, len = ctx->data_end - ctx->data;
	struct total *total = bpf_map_lookup_elem(&totals, &key);
	if (!total)
		return XDP_ABORTED;
	total->packets++;
	total->bytes += len;
	bpf_printk("%u bytes", len);
	if (len > limit)
		return XDP_DROP;
	return XDP_PASS;
}
char LICENSE[] SEC("license") = "GPL";
"#;

fn scratch(cases: &str) -> Scratch {
    Scratch::new(&[("p.bpf.c", PROGRAM.as_bytes()), ("p.test.toml", cases.as_bytes())])
}

/// A case that fails says what was found, what was expected, and where; and the exit code says it too.
#[test]
fn differences_are_told() {
    let place = scratch(
        r#"
[[case]]
name = "wrong"
[[case.run]]
packet = { len = 60 }
[case.run.expect]
result = "XDP_DROP"
trace = ["61 bytes"]
packet = "00"
maps = [
  { map = "totals", key = 1, value = { bytes = 61 } },
  { map = "totals", key = 1, value = { packets = 1 } },
  { map = "totals", key = 5, value = 0 },
]
max-instructions = 1
[[case]]
name = "a constant"
globals = { limit = 10 }
[[case.run]]
packet = { len = 60 }
expect.result = 1
"#,
    );
    let done = place.skep(&["test", "--btf", "none", "p.bpf.c", "--junit", "out.xml"]);
    assert_eq!(done.code, Some(1), "{}{}", done.out, done.err);
    for text in [
        "FAILED wrong",
        "result is XDP_PASS (2), expected XDP_DROP",
        "trace is [\"60 bytes\"], expected [\"61 bytes\"]",
        "packet has 60 bytes, expected 1",
        "map `totals`: element 1 at byte 8 is 3c 00 00 00 00 00 00 00, expected 3d",
        "map `totals`: there is no element 5",
        "instructions were executed, expected at most 1",
        "ok     a constant",
        "1 passed, 1 failed",
    ] {
        assert!(done.out.contains(text), "no `{text}` in:\n{}", done.out);
    }
    assert_eq!(done.out.matches("element 1").count(), 1, "{}", done.out);
    let junit = String::from_utf8(place.files()["out.xml"].clone()).expect("text");
    assert!(junit.contains("failures=\"1\"") && junit.contains("<failure message="), "{junit}");
}

/// What makes no sense is said, not passed over.
#[test]
fn mistakes_in_cases_are_told() {
    for (cases, code, text) in [
        ("[[case]]\nname = 1", 2, "invalid type"),
        ("[[case]]\nname = \"x\"\nexpects = 1", 2, "unknown field `expects`"),
        ("[[case]]\nname = \"x\"", 1, "it has no `[[case.run]]`"),
        ("[[case]]\nname = \"x\"\n[[case.run]]\nprogram = \"y\"", 1, "there is no program `y`"),
        (
            "[[case]]\nname = \"x\"\n[[case.run]]\nmaps = [{ map = \"m\" }]",
            1,
            "there is no map `m`; there are `totals`",
        ),
        ("[[case]]\nname = \"x\"\nglobals = { y = 1 }\n[[case.run]]", 1, "there is no global variable `y`"),
        ("[[case]]\nname = \"x\"\n[[case.run]]\nafter = \"1 day\"", 1, "is not a time"),
        ("[[case]]\nname = \"x\"\n[[case.run]]\npacket = \"0\"", 1, "hex digits come in pairs"),
        ("[[case]]\nname = \"x\"\n[[case.run]]\npcap = \"none.pcap\"", 1, "no such file"),
        (
            "[[case]]\nname = \"x\"\n[[case.run]]\nhost = { cpu = 1 }\npacket = {}",
            1,
            "there is no processor 1",
        ),
        (
            "[[case]]\nname = \"x\"\n[[case.run]]\nexpect.maps = [{ map = \"totals\", key = 1, value = { no = 1 } }]\npacket = {}",
            1,
            "there is no field `no`",
        ),
    ] {
        let done = scratch(cases).skep(&["test", "--btf", "none", "p.test.toml"]);
        assert_eq!(done.code, Some(code), "{cases}\n{}{}", done.out, done.err);
        let said = format!("{}{}", done.out, done.err);
        assert!(said.contains(text), "no `{text}` in:\n{said}");
    }
}

#[test]
fn executed_lines_are_written() {
    let place = scratch("[[case]]\nname = \"x\"\n[[case.run]]\npacket = { len = 60 }\nrepeat = 3\n");
    let done = place.skep(&["test", "--btf", "none", "--lcov", "l.info", "--html", "l.html", "--json"]);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    let lcov = String::from_utf8(place.files()["l.info"].clone()).expect("text");
    assert!(lcov.contains("SF:p.bpf.c\n") && lcov.contains("FNDA:3,count\n"), "{lcov}");
    let line = |text: &str| 1 + PROGRAM.lines().position(|line| line.contains(text)).expect("there");
    assert!(lcov.contains(&format!("DA:{},3\n", line("total->packets++"))), "{lcov}");
    let page = String::from_utf8(place.files()["l.html"].clone()).expect("text");
    assert!(page.contains("#include &lt;linux/bpf.h&gt;") && page.contains("class=\"never\""), "{page}");
    let json: serde_json::Value = serde_json::from_str(&done.out).expect("JSON");
    assert_eq!((&json["passed"], &json["files"][0]["cases"][0]["runs"]), (&1.into(), &3.into()));
}

#[test]
fn runs_are_printed_as_data() {
    let place = scratch("");
    let done =
        place.skep(&["run", "--btf", "none", "p.bpf.c", "--pkt", "0000000000000000000000000000", "--json"]);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    let json: serde_json::Value = serde_json::from_str(&done.out).expect("JSON");
    assert_eq!((&json["verdict"], &json["trace"][0]), (&"XDP_PASS (2)".into(), &"14 bytes".into()));
    assert_eq!(json["maps"]["totals"][1]["value"], "01000000000000000e00000000000000");
}
