//! The command as a process: exit codes, streams, files, and what is said when something is wrong.
//!
//! 0 fine, 1 something is wrong in a program, 2 in the command line or another file, 3 not supported.

mod common;

use std::io::Read;
use std::process::{Command, Stdio};

use common::{SKEP, Scratch};

const GOOD: &[u8] = b"#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n\
    struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 2); __type(key, __u32);\n\
    __type(value, __u64); } hits SEC(\".maps\");\n\
    SEC(\"xdp\") int pass(struct xdp_md *ctx) { return XDP_PASS; }\n\
    SEC(\"xdp\") int drop(struct xdp_md *ctx) { __u32 key = 0; __u64 *hit = bpf_map_lookup_elem(&hits, &key);\n\
    if (hit) ++*hit; return XDP_DROP; }\n\
    char LICENSE[] SEC(\"license\") = \"GPL\";\n";

const UNSAFE: &[u8] = b"#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n\
    SEC(\"xdp\") int peek(struct xdp_md *ctx) { return *(char *)(long)ctx->data; }\n";

const TRACED: &[u8] = b"#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n\
    SEC(\"kprobe/f\") int traced(void *ctx) { return 0; }\n";

const BROKEN: &[u8] = b"int f(void) { return nothing; }\n";

/// GNU C that we do not compile.
const UNSUPPORTED: &[u8] = b"int f(void *label) { goto *label; }\n";

fn place() -> Scratch {
    let place = Scratch::new(&[
        ("good.bpf.c", GOOD),
        ("unsafe.bpf.c", UNSAFE),
        ("broken.bpf.c", BROKEN),
        ("traced.bpf.c", TRACED),
        ("unsupported.bpf.c", UNSUPPORTED),
        ("garbage", b"\x00\x01\x02garbage"),
        ("empty", b""),
        ("packet.hex", b"# a comment\n01 02 03 04\n"),
        ("odd.hex", b"012"),
        ("tree/a/x.bpf.c", GOOD),
        ("tree/b/x.bpf.c", GOOD),
        ("sources/one.bpf.c", GOOD),
        ("sources/deep/two.bpf.c", GOOD),
        ("none/readme", b""),
    ]);
    let done = place.skep(&["build", "good.bpf.c"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let object = std::fs::read(place.0.join("good.bpf.o")).expect("built");
    std::fs::write(place.0.join("cut.o"), &object[..object.len() / 2]).expect("writable");
    place
}

/// Command line, exit code, and what standard error (or, after `>`, standard output) says.
const LINES: &[(&str, i32, &str)] = &[
    // Fine.
    ("verify good.bpf.o --csv", 0, ">good.bpf.o,pass,success,"),
    ("verify good.bpf.o --cost", 0, ">good.bpf.c:"),
    ("verify good.bpf.o --cost-page page.html", 0, ">: safe"),
    ("verify good.bpf.o --kernel 5.4,6.1", 0, ">good.bpf.o: pass    safe    safe"),
    ("verify good.bpf.o --kernel 4.4,6.1", 1, ">V0317"),
    ("verify good.bpf.o --kernel 4.4 --format json", 1, ">\"code\": \"V0317\""),
    ("verify good.bpf.o --kernel 4.4 --format junit", 1, ">failures=\"2\""),
    ("verify good.bpf.o --kernel 6.1,nine", 2, "not a version"),
    ("verify good.bpf.o --kernel good.bpf.o", 2, "`good.bpf.o`: BTF at byte 0"),
    ("build good.bpf.c --kernel 5.4,6.1", 2, "one kernel only"),
    ("verify good.bpf.o --prog pass --kernel-log=all", 0, "0: R1=ctx() R10=fp0\n"),
    ("verify good.bpf.o --prog pass --kernel-log=path", 0, "log:\nstack depth 0\nprocessed 2 insns"),
    ("build unsafe.bpf.c --kernel-log=path", 1, " offset is outside of the packet\nstack depth 0\n"),
    ("build unsafe.bpf.c --kernel-log", 1, "1: (71) r"),
    ("verify good.bpf.o --kernel-log=some", 2, "[possible values: why, path, all]"),
    ("verify good.bpf.o --unprivileged", 1, "kernel.unprivileged_bpf_disabled is 0"),
    ("verify good.bpf.o --unprivileged --kernel 6.12 --format text", 1, ">V0322"),
    ("--version", 0, ">skep "),
    ("--help", 0, ">Usage: skep"),
    ("build --help", 0, ">Usage: skep build"),
    ("build good.bpf.c", 0, "good.bpf.c -> good.bpf.o: "),
    ("build sources -o none", 0, "sources/deep/two.bpf.c -> none/two.bpf.o"),
    ("build good.bpf.c -o /dev/null", 0, "-> /dev/null"),
    ("build --no-verify unsafe.bpf.c", 0, "unsafe.bpf.c -> unsafe.bpf.o"),
    ("build --endian eb good.bpf.c -o eb.o", 0, "not verified (big-endian)"),
    ("verify good.bpf.o", 0, ">good.bpf.o: pass: safe"),
    ("verify good.bpf.o --prog drop", 0, ">good.bpf.o: drop: safe"),
    ("run good.bpf.c --prog drop --pkt 00", 0, ">drop: XDP_DROP (1)"),
    ("run good.bpf.o --prog pass --pkt packet.hex --dump-packet", 0, ">  0000  01 02 03 04"),
    ("run good.bpf.c --prog drop --map hits:0=41 --dump-maps --pkt 00", 0, ">  0: 42"),
    ("dump good.bpf.c", 0, ">pass: # section `xdp`"),
    ("dump good.bpf.o --what sections", 0, ">program drop: xdp,"),
    ("dump good.bpf.c --what ir-opt", 0, ">"),
    ("size good.bpf.o", 0, ">  drop"),
    ("diff good.bpf.o good.bpf.o --fail-over 0%", 0, ">in all: slots"),
    // Something is wrong in a program.
    ("size garbage", 1, "`garbage` cannot be loaded"),
    ("build broken.bpf.c", 1, "error[E0200]"),
    ("build unsafe.bpf.c", 1, "error[V0101]"),
    ("build broken.bpf.c good.bpf.c", 1, "good.bpf.c -> good.bpf.o"),
    ("verify cut.o good.bpf.o", 1, ">good.bpf.o: pass: safe"),
    ("verify garbage", 1, "`garbage` cannot be loaded"),
    ("verify empty", 1, "`empty` cannot be loaded"),
    ("verify good.bpf.c", 1, "help: this is C"),
    ("run unsafe.bpf.c --pkt 00", 1, "error[V0101]"),
    ("run unsafe.bpf.c --pkt 00 --unchecked", 0, ">peek: "),
    ("run cut.o", 1, "`cut.o` cannot be loaded"),
    ("run good.bpf.c --prog drop --budget 3 --pkt 00", 1, ">budget"),
    ("dump garbage", 1, "`garbage` cannot be loaded"),
    ("dump broken.bpf.c", 1, "error[E0200]"),
    // Nothing is wrong, but it cannot be done.
    ("build unsupported.bpf.c", 3, "is not supported"),
    // Something is wrong in the command line or in another file.
    ("", 2, "Usage: skep"),
    ("frobnicate", 2, "unrecognized subcommand"),
    ("build", 2, "<PATH>"),
    ("build --frobnicate good.bpf.c", 2, "unexpected argument"),
    ("build missing.bpf.c", 2, "error: `missing.bpf.c`: no such file or directory"),
    ("build none", 2, "no *.bpf.c files below none"),
    ("build tree", 2, "would both be written to `x.bpf.o`"),
    ("build sources -o x.o", 2, "`x.o` must be a directory"),
    ("build good.bpf.c -o missing/x.o", 2, "`missing/x.o`: no such file or directory"),
    ("build good.bpf.c -o /dev/full", 2, "`/dev/full`: no space left on device"),
    ("build -", 2, "only `skep cc` reads standard input"),
    ("build good.bpf.c -O9", 2, "invalid value '9'"),
    ("build good.bpf.c --cpu v9", 2, "invalid value 'v9'"),
    ("verify missing.o", 2, "error: `missing.o`: no such file or directory"),
    ("verify sources", 2, "error: `sources`: is a directory"),
    ("verify good.bpf.o --prog nope", 2, "it has `pass`, `drop`"),
    ("verify good.bpf.o --kernel six", 2, "not a version of the kernel"),
    ("verify good.bpf.o --btf missing", 2, "`missing`: no such file or directory"),
    ("verify good.bpf.o --btf garbage", 2, "`garbage`: BTF at byte 0"),
    ("run missing.bpf.c", 2, "`missing.bpf.c`: no such file or directory"),
    ("run good.bpf.c --pkt 00", 2, "choose by --prog `pass`, `drop`"),
    ("run good.bpf.c --prog nope --pkt 00", 2, "it has `pass`, `drop`"),
    ("run good.bpf.c --prog pass --pkt xyz", 2, "`xyz`: no such file, nor hex digits"),
    ("run good.bpf.c --prog pass --pkt odd.hex", 2, "hex digits come in pairs"),
    ("run good.bpf.c --prog pass --pkt none", 2, "`none`: is a directory"),
    ("run good.bpf.c --prog pass --pcap garbage", 2, "`garbage`: capture at byte 0"),
    ("run good.bpf.c --prog pass --pcap empty", 2, "`empty`: capture at byte 0"),
    ("run good.bpf.c --prog pass --pcap missing", 2, "`missing`: no such file"),
    ("run good.bpf.c --prog pass --pcap a --pkt 00", 2, "cannot be used with"),
    ("run good.bpf.c --prog pass --ctx nope=1", 2, "`xdp_md` has no field `nope`"),
    ("run good.bpf.c --prog pass --ctx nope", 2, "FIELD=VALUE"),
    ("run good.bpf.c --prog pass --map nope:0=1", 2, "there is no map `nope`; there are `hits`"),
    ("run good.bpf.c --prog pass --map hits", 2, "MAP:KEY=VALUE"),
    ("run good.bpf.c --prog pass --cpu-id 4294967295", 2, "0..8192"),
    ("run good.bpf.c --prog pass --repeat 0", 2, "--repeat"),
    ("run good.bpf.c --prog pass --pcap garbage --repeat 2", 2, "cannot be used with"),
    ("run traced.bpf.c --pkt 00", 2, "`traced` (kprobe/f) takes no packet"),
    ("diff good.bpf.o", 2, "<NEW>"),
    ("diff good.bpf.o good.bpf.o --fail-over much", 2, "not a percentage, like 5%"),
    ("dump missing.c", 2, "`missing.c`: no such file or directory"),
    ("dump sources", 2, "`sources`: is a directory"),
    ("dump good.bpf.c --what nope", 2, "possible values"),
    ("dump good.bpf.c --print-after nope", 2, "no pass is called `nope`; there are all, "),
    ("dump good.bpf.o --what ir", 2, "pass the C file"),
];

#[test]
fn exit_codes_and_messages() {
    let place = place();
    let mut wrong = Vec::new();
    for (line, code, text) in LINES {
        let args: Vec<&str> = line.split_whitespace().collect();
        let done = place.skep(&args);
        let said = match text.strip_prefix('>') {
            Some(text) => done.out.contains(text),
            None => done.err.contains(text),
        };
        if done.code != Some(*code) || !said {
            wrong.push(format!("`skep {line}`, expected {code} and `{text}`: {done:?}"));
        }
        // Data and diagnostics do not mix.
        if *code == 2 && !done.out.is_empty() {
            wrong.push(format!("`skep {line}` prints data: {}", done.out));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_written_when_something_is_wrong() {
    let place = place();
    let before = place.files();
    for line in [
        "build broken.bpf.c",
        "build unsafe.bpf.c",
        "build unsupported.bpf.c",
        "build tree",
        "cc -target bpf -c broken.bpf.c",
        "cc -target bpf -c -MD unsupported.bpf.c",
        "run good.bpf.c --prog pass --pcap garbage --pcap-out out.pcap",
    ] {
        let done = place.skep(&line.split(' ').collect::<Vec<_>>());
        assert_ne!(done.code, Some(0), "{line}");
        assert_eq!(place.files(), before, "{line}");
    }
}

#[test]
fn an_old_object_stays_when_the_new_one_fails() {
    let place = place();
    std::fs::write(place.0.join("broken.bpf.o"), "old").expect("writable");
    assert_eq!(place.skep(&["build", "broken.bpf.c"]).code, Some(1));
    assert_eq!(place.files()["broken.bpf.o"], b"old");
}

#[test]
fn a_reader_who_leaves_is_no_error() {
    let place = place();
    for args in [&["dump", "good.bpf.c", "--what", "pp"][..], &["cc", "-E", "good.bpf.c"], &["--help"]] {
        let mut command = Command::new(SKEP);
        command.args(args).current_dir(&place.0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut first = [0];
        let mut out = child.stdout.take().expect("piped");
        out.read_exact(&mut first).expect("there is output");
        drop(out);
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success() && output.stderr.is_empty(), "{args:?}: {output:?}");
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let place = place();
    let full = || Stdio::from(std::fs::File::create("/dev/full").expect("Linux has it"));
    for args in [&["dump", "good.bpf.c"][..], &["cc", "-E", "good.bpf.c"], &["--help"]] {
        let mut command = Command::new(SKEP);
        command.args(args).current_dir(&place.0).stdout(full()).stderr(Stdio::piped());
        let output = command.output().expect("it runs");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && err.contains("no space left on device"), "{args:?}: {err}");
    }
}

#[test]
fn names_that_are_not_text_are_refused_as_missing() {
    use std::os::unix::ffi::OsStrExt;
    let place = place();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.bpf.c");
    let output = Command::new(SKEP).arg("build").arg(name).current_dir(&place.0).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn colours_only_on_a_terminal_or_when_asked_for() {
    let place = place();
    assert!(!place.skep(&["build", "broken.bpf.c"]).err.contains('\u{1b}'));
    let done = place.skep(&["cc", "-fcolor-diagnostics", "-c", "broken.bpf.c"]);
    assert!(done.err.contains('\u{1b}'));
}

#[test]
fn a_barrier_that_nobody_needs_is_named_when_asked_for() {
    let source = b"#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\nint names[16];\n\
        SEC(\"xdp\") int name(struct xdp_md *ctx) { unsigned at = ctx->rx_queue_index; if (at > 15) return 1;\n\
        barrier_var(at);\nbarrier();\nnames[at] = 1; return 2; }\n";
    let refused = b"#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\nint names[16];\n\
        SEC(\"xdp\") int name(struct xdp_md *ctx) { unsigned at = ctx->rx_queue_index;\n\
        barrier_var(at);\nnames[at] = 1; return 2; }\n";
    let place = Scratch::new(&[("x.bpf.c", source), ("refused.bpf.c", refused)]);
    let warned = |words: &[&str]| {
        let done = place.skep(words);
        let at = |line: &str| line.contains("x.bpf.c:").then(|| line.trim().to_owned());
        (done.code, done.err.matches("W0248").count(), done.err.lines().find_map(at).unwrap_or_default())
    };
    let place_of_it = String::from("\u{250c}\u{2500} x.bpf.c:5:1");
    let silent = (Some(0), 0, String::new());
    assert_eq!(
        warned(&["build", "x.bpf.c", "-o", "x.o", "-W", "bpf-barrier"]),
        (Some(0), 1, place_of_it.clone())
    );
    let strict = ["build", "x.bpf.c", "-o", "strict.o", "-W", "bpf-barrier", "-W", "error=bpf-barrier"];
    assert_eq!(warned(&strict), (Some(1), 1, place_of_it.clone()));
    assert!(!place.0.join("strict.o").exists());
    let cc = ["cc", "-target", "bpf", "-g", "-O2", "-c", "x.bpf.c", "-o", "x.o"];
    assert_eq!(warned(&cc), silent);
    assert_eq!(warned(&[cc.as_slice(), &["-Wbpf-barrier"]].concat()), (Some(0), 1, place_of_it));
    // Of a program that is refused with it nothing is known.
    let cc = ["cc", "-target", "bpf", "-g", "-O2", "-c", "refused.bpf.c", "-o", "x.o", "-Wbpf-barrier"];
    assert_eq!(warned(&cc), silent);
}

/// What the running kernel was configured as is known of it, as far as it tells.
#[test]
fn the_configuration_of_the_running_kernel() {
    let source = b"#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n\
        extern _Bool CONFIG_BPF __kconfig; extern int LINUX_KERNEL_VERSION __kconfig;\n\
        SEC(\"xdp\") int prog(struct xdp_md *ctx)\n\
        { return CONFIG_BPF && LINUX_KERNEL_VERSION == 0x60100 ? XDP_PASS : XDP_DROP; }\n";
    let place = Scratch::new(&[("config.bpf.c", source)]);
    assert_eq!(place.skep(&["build", "--no-verify", "config.bpf.c"]).code, Some(0));
    let done = place.skep(&["verify", "--btf", "none", "config.bpf.o"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("no value is given for this configuration option"), "{}", done.err);
    if std::path::Path::new("/proc/config.gz").exists() {
        let done = place.skep(&["run", "--kernel", "6.1", "--pkt", "00", "config.bpf.o"]);
        assert!(done.out.contains("prog: XDP_PASS"), "{}{}", done.out, done.err);
    }
}
