//! Exceptions: where they end a program, what its handler makes of them, and what that is in the kernel.

mod common;

use common::beside::{all_engines, in_kernel};
use common::{clang, link};
use skep_runtime::Image;
use skep_runtime::host::Deterministic;
use skep_runtime::verify::{Options, verify};
use skep_runtime::vm::{Engine, FaultKind, Input, Vm};

const HEAD: &str = r#"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
void bpf_throw(__u64 cookie) __ksym;
char LICENSE[] SEC("license") = "GPL";
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 4); __uint(key_size, 4); __array(values, int (void *)); } programs SEC(".maps");
__noinline int throws(__u64 number) { bpf_throw(number); return 0; }
"#;

/// `prog` ends with this result in every engine and, where it loads, in the kernel.
fn ends_with(name: &str, source: &str, expected: u64) {
    let Some(image) = image(name, source) else { return };
    let input = Input { data: vec![0; 64], ..Input::default() };
    assert_eq!(all_engines(image.clone(), &input).result, Ok(expected), "{name}");
    if let Some(outcome) = in_kernel(name, &image, &input) {
        assert_eq!(outcome.result, Ok(expected), "{name}");
    }
}

fn image(name: &str, source: &str) -> Option<Image> {
    Some(link(&clang(name, &format!("{HEAD}{source}"), &["-mcpu=v3"])?))
}

#[test]
fn without_a_handler_the_number_is_the_result() {
    let source = r#"SEC("tc") int prog(struct __sk_buff *ctx) { int n = ctx->len; if (n > 8) bpf_throw(n); return 1; }"#;
    ends_with("throw", source, 64);
    let source = r#"
static __noinline int inner(struct __sk_buff *ctx) { volatile int n = ctx->len; throws(n + 3); return n; }
static __noinline int outer(struct __sk_buff *ctx) { return inner(ctx) + 1; }
SEC("tc") int prog(struct __sk_buff *ctx) { return outer(ctx) + 2; }"#;
    ends_with("throw_deep", source, 67);
}

#[test]
fn the_handler_gives_the_result() {
    let source = r#"
__noinline int handle(__u64 number) { volatile __u64 kept[4] = { number }; return kept[0] * 2 + 1; }
static __noinline int inner(struct __sk_buff *ctx) { volatile int n = ctx->len; throws(n); return n; }
SEC("tc") __attribute__((btf_decl_tag("exception_callback:handle"))) int prog(struct __sk_buff *ctx)
{ return inner(ctx) + 2; }"#;
    ends_with("throw_handled", source, 129);
}

#[test]
fn what_a_function_continued_as_ends_alone() {
    let source = r#"
SEC("tc") int target(struct __sk_buff *ctx) { throws(16); return 1; }
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 4); __uint(key_size, 4); __array(values, int (void *)); }
table SEC(".maps") = { .values = { [0] = (void *)&target } };
static __noinline int goes(struct __sk_buff *ctx) { volatile int ret = 10; bpf_tail_call_static(ctx, &table, 0); return ret; }
__noinline int handle(__u64 number) { return number + 1000; }
SEC("tc") __attribute__((btf_decl_tag("exception_callback:handle"))) int prog(struct __sk_buff *ctx)
{ volatile int ret = goes(ctx); if (ret == 10) throws(7); return ret + 8; }"#;
    ends_with("throw_tail", source, 24);
    let source = r#"
SEC("tc") int target(struct __sk_buff *ctx) { return 5; }
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 4); __uint(key_size, 4); __array(values, int (void *)); }
table SEC(".maps") = { .values = { [0] = (void *)&target } };
static __noinline int goes(struct __sk_buff *ctx) { volatile int ret = 10; bpf_tail_call_static(ctx, &table, 0); return ret; }
__noinline int handle(__u64 number) { return number + 1000; }
SEC("tc") __attribute__((btf_decl_tag("exception_callback:handle"))) int prog(struct __sk_buff *ctx)
{ volatile int ret = goes(ctx); throws(ret); return ret + 8; }"#;
    ends_with("throw_after_tail", source, 1005);
}

/// The verifier refuses it; unverified it is a fault, and no engine's stack is left in disorder.
#[test]
fn helpers_are_not_left_by_exceptions() {
    let source = r#"
static int visit(__u32 i, void *data) { throws(i); return 0; }
SEC("tc") int prog(struct __sk_buff *ctx) { bpf_loop(4, visit, 0, 0); return 3; }"#;
    let Some(image) = image("throw_callback", source) else { return };
    let engines = Vm::every(&image, None, &|| Box::new(Deterministic::default())).unwrap();
    for mut vm in engines {
        let outcome = vm.run(0, &Input { data: vec![0; 64], ..Input::default() }).unwrap();
        let kind = outcome.result.map_err(|fault| fault.kind);
        assert_eq!(kind, Err(FaultKind::ThrowInCallback), "{}", vm.name());
    }
    assert!(verify(image, &Options::default()).is_err());
}
