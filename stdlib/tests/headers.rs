//! The headers against the tables they come from, and against clang.
//!
//! `UPDATE=1` rewrites what is generated: `bpf/bpf_helper_defs.h` and the list in `src/headers.rs`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use skep_stdlib::helpers::{self, HELPERS};
use skep_stdlib::{contexts, headers};
use skep_test_tools::{self as tools, Need};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn include() -> PathBuf {
    root().join("include")
}

fn update() -> bool {
    std::env::var_os("UPDATE").is_some()
}

/// Every file under `include/`, as `#include <...>` spells it.
fn files_on_disk() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![include()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let relative = path.strip_prefix(include()).unwrap().to_str().unwrap();
                found.insert(relative.replace('\\', "/"));
            }
        }
    }
    found
}

/// Compiles a source with our headers alone; `None` if clang is neither installed nor required.
fn clang(source: &str, name: &str, flags: &[&str]) -> Option<Output> {
    if !tools::have(&[Need::Clang]) {
        return None;
    }
    let file = std::env::temp_dir().join(format!("skep-header-{}-{name}.c", std::process::id()));
    fs::write(&file, source).unwrap();
    let output = Command::new(tools::CLANG)
        .args(["-target", "bpf", "-O2", "-g", "-Wall", "-nostdinc", "-isystem"])
        .arg(include())
        .args(flags)
        .args(["-c", "-o"])
        .arg(file.with_extension("o"))
        .arg(&file)
        .output();
    fs::remove_file(&file).unwrap();
    let _ = fs::remove_file(file.with_extension("o"));
    Some(output.expect("clang runs"))
}

/// The words of all comments of a C text, by comment.
fn comments(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("/*").into_iter().chain(rest.find("//")).min() {
        let end = if rest[start..].starts_with("/*") { "*/" } else { "\n" };
        let body = &rest[start + 2..];
        let length = body.find(end).unwrap_or(body.len());
        let words = body[..length].split(|c: char| !c.is_alphanumeric() && c != '_');
        found.push(words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect());
        rest = &body[length..];
    }
    found
}

/// Declarations are facts; sentences are somebody's.
#[test]
fn no_sentence_of_the_kernel_or_libbpf_came_over() {
    // Six words in a row are no accident.
    const RUN: usize = 6;
    if !tools::have(&[Need::Libbpf]) {
        return;
    }
    let mut theirs: BTreeSet<Vec<String>> = BTreeSet::new();
    for folder in ["/usr/include/linux", "/usr/include/bpf", "/usr/include/asm-generic"] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(text) = fs::read_to_string(entry.path()) else { continue };
            theirs
                .extend(comments(&text).iter().flat_map(|words| words.windows(RUN)).map(<[String]>::to_vec));
        }
    }
    assert!(theirs.len() > 10_000, "their headers have comments");
    for name in files_on_disk() {
        let text = fs::read_to_string(include().join(&name)).unwrap();
        for words in comments(&text) {
            let taken = words.windows(RUN).find(|run| theirs.contains(*run));
            assert!(taken.is_none(), "{name}: {taken:?}");
        }
    }
}

#[track_caller]
fn must_compile(source: &str, name: &str, flags: &[&str]) {
    if let Some(output) = clang(source, name, flags) {
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn helper_definitions_are_fresh() {
    let path = include().join("bpf/bpf_helper_defs.h");
    let wanted = helpers::header();
    if update() {
        fs::write(path, wanted).unwrap();
        return;
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == wanted, "bpf_helper_defs.h is stale: run this test with UPDATE=1");
}

#[test]
fn the_list_is_the_folder() {
    let files = files_on_disk();
    if update() {
        let path = root().join("src/headers.rs");
        let source = fs::read_to_string(&path).unwrap();
        let (code, _) = source.split_once("files! {\n").unwrap();
        let mut fresh = format!("{code}files! {{\n");
        files.iter().for_each(|file| writeln!(fresh, "    {file:?}").unwrap());
        fs::write(path, fresh + "}\n").unwrap();
        return;
    }
    let listed: Vec<_> = headers::FILES.iter().map(|file| file.0.to_string()).collect();
    assert_eq!(listed, files.into_iter().collect::<Vec<_>>(), "run this test with UPDATE=1");
    let types = headers::get("linux/types.h").unwrap();
    assert!(types.contains("__u32"));
    assert_eq!(headers::get("no/such.h"), None);
}

/// `linux/bpf.h` numbers helpers as the table does.
#[test]
fn helper_numbers_agree() {
    let text = headers::get("linux/bpf.h").unwrap();
    for row in HELPERS {
        let line = format!("FN({}, {}, ", row.name, row.id);
        assert!(text.contains(&line), "{line}");
    }
    assert!(!text.contains(&format!(", {}, ##ctx)", HELPERS.len() + 1)));
}

#[test]
fn each_header_compiles_alone() {
    for (path, _) in headers::FILES {
        // These continue others: they use types that the program chose a header for.
        let before = match *path {
            "bpf/bpf_helper_defs.h" | "bpf/bpf_helpers.h" | "bpf/bpf_tracing.h" | "bpf/usdt.bpf.h" => {
                "#include <linux/bpf.h>\n#include <linux/ptrace.h>\n"
            }
            "bpf/bpf_core_read.h" => "#include \"vmlinux.h\"\n",
            "bpf/bpf_endian.h" => "#include <linux/types.h>\n",
            // Only one byte order is the machine's.
            "linux/byteorder/big_endian.h" => continue,
            _ => "",
        };
        let source = format!("{before}#include <{path}>\n#include <{path}>\n");
        must_compile(&source, &path.replace('/', "-"), &["-Werror"]);
    }
}

/// All of them together, as a large program would.
#[test]
fn headers_do_not_collide() {
    let kernel = ["vmlinux.h"];
    let parts = |path: &str| path.starts_with("bpf/") || path.starts_with("gnu/");
    let mut source = String::new();
    for (path, _) in headers::FILES {
        if !kernel.contains(path) && !path.ends_with("_endian.h") && !parts(path) {
            writeln!(source, "#include <{path}>").unwrap();
        }
    }
    for path in ["helpers", "tracing", "endian"] {
        writeln!(source, "#include <bpf/bpf_{path}.h>").unwrap();
    }
    must_compile(&source, "all", &["-Werror"]);
}

/// Macros that no seed program uses.
#[test]
fn macros_expand() {
    let source = r#"
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_endian.h>
#include <bpf/usdt.bpf.h>

struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 4); __type(key, u32);
	 __type(value, u32); } programs SEC(".maps");
struct flags { unsigned a : 3; int b : 9; } __attribute__((preserve_access_index));
struct pair { u64 a; u64 b; };
extern int CONFIG_HZ __kconfig __weak;
extern void bpf_rcu_read_lock(void) __ksym __weak;

SEC("kprobe/f") int BPF_KPROBE(on_call, int a, struct task_struct *task, void *c)
{
	struct flags *f = c;
	char comm[16];
	u32 pid = BPF_CORE_READ(task, real_parent, group_leader, pid);
	BPF_CORE_READ_STR_INTO(&comm, task, comm);
	BPF_CORE_READ_INTO(&pid, task, tgid);
	bpf_printk("%d %d %d %d %d", pid, a, BPF_CORE_READ_BITFIELD_PROBED(f, b), comm[0], 5);
	return bpf_core_field_exists(task->pid) + bpf_core_type_exists(struct sock) +
	       bpf_core_field_exists(struct sock, sk_protocol) + bpf_core_field_size(task->pid) +
	       bpf_core_enum_value(enum bpf_map_type, BPF_MAP_TYPE_HASH) +
	       bpf_core_enum_value_exists(enum bpf_map_type, BPF_MAP_TYPE_HASH) +
	       bpf_core_type_size(struct sock) + bpf_core_type_matches(struct sock) +
	       bpf_core_type_id_kernel(struct sock) + bpf_core_type_id_local(struct sock) +
	       bpf_core_field_offset(struct sock, sk_protocol);
}

SEC("kretprobe/f") int BPF_KRETPROBE(on_return, long ret) { return ret + PT_REGS_IP(ctx); }
SEC("uprobe") int BPF_UPROBE(in_user, int a) { return a; }
SEC("usdt") int BPF_USDT(at_point, int a, char *b) { return a + bpf_usdt_arg_cnt(ctx); }
SEC("ksyscall/openat") int BPF_KSYSCALL(on_openat, int dfd, const char *name, int flags, int m)
{
	return dfd + flags + m;
}
SEC("fentry/g") int BPF_PROG2(by_value, struct pair, p, int, c) { return p.a + p.b + c; }
SEC("fentry/h") int BPF_PROG2(without) { return 0; }
SEC("fexit/g") int BPF_PROG(on_exit, struct sock *sk, int ret) { return sk->sk_protocol + ret; }

SEC("lsm/bind") int BPF_PROG(with_bitfields, struct flags *f)
{
	BPF_CORE_WRITE_BITFIELD(f, a, 2);
	return BPF_CORE_READ_BITFIELD(f, b);
}

SEC("iter/task") int walk(struct bpf_iter__task *ctx)
{
	int i, sum = CONFIG_HZ;
	char text[32];
	bpf_for(i, 0, 10) sum += i;
	bpf_repeat(3) sum++;
	if (bpf_ksym_exists(bpf_rcu_read_lock))
		bpf_rcu_read_lock();
	BPF_SEQ_PRINTF(ctx->meta->seq, "%d %s", sum, "x");
	BPF_SNPRINTF(text, sizeof(text), "%d", sum);
	return 0;
}

SEC("xdp") int tail(struct xdp_md *xdp)
{
	static const u16 port = bpf_htons(80);
	switch (xdp->ingress_ifindex) { case bpf_htonl(1): return port; }
	barrier();
	barrier_var(xdp);
	bpf_tail_call_static(xdp, &programs, 2);
	return bpf_ntohl(xdp->rx_queue_index) + bpf_be64_to_cpu(bpf_ktime_get_ns());
}
"#;
    must_compile(source, "macros", &["-Werror"]);
    must_compile(source, "macros-arm64", &["-Werror", "-D__TARGET_ARCH_arm64"]);
    must_compile(source, "macros-big", &["-Werror", "-mbig-endian"]);
}

/// The fields of contexts are where the table says.
#[test]
fn contexts_have_the_layout() {
    let mut source = String::from("#include <linux/bpf.h>\n#include <linux/bpf_perf_event.h>\n");
    source += "#include <stddef.h>\n";
    for context in contexts::CONTEXTS {
        let name = context.name;
        // Structures of the kernel's own headers are not in linux/bpf.h.
        if context.kernel_only {
            continue;
        }
        let size = context.size;
        writeln!(source, "_Static_assert(sizeof(struct {name}) == {size}, \"\");").unwrap();
        for field in context.fields {
            let at = format!("offsetof(struct {name}, {}) == {}", field.name, field.offset);
            writeln!(source, "_Static_assert({at}, \"\");").unwrap();
            let of = format!("sizeof(((struct {name} *)0)->{}) == {}", field.name, field.len);
            writeln!(source, "_Static_assert({of}, \"\");").unwrap();
        }
    }
    must_compile(&source, "contexts", &[]);
}

/// Programs as introductions print them, through the header search of any compiler.
#[test]
fn typical_programs_compile() {
    for (name, source) in
        [("xdp", include_str!("programs/xdp.c")), ("tracepoint", include_str!("programs/tracepoint.c"))]
    {
        must_compile(source, name, &["-Werror"]);
    }
}

/// The examples of the repository include nothing that is not here.
#[test]
fn examples_compile() {
    let Ok(folder) = fs::read_dir(root().join("../examples")) else { return };
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".bpf.c") {
            must_compile(&fs::read_to_string(&file).unwrap(), name, &[]);
        }
    }
}
