//! Arenas: pages taken and given back, and what is not there. All engines agree, and the kernel with them
//! where it runs the program.

mod common;

use common::beside::{all_engines, compile, same_as_kernel};
use skep_runtime::vm::Input;

const HEAD: &str = r#"
#define __arena __attribute__((address_space(1)))
#define __arg_arena __attribute__((btf_decl_tag("arg:arena")))
#define __ulong(name, val) enum { name##_value = val } name
struct { __uint(type, 33); __uint(map_flags, 1024); __uint(max_entries, PAGES); __ulong(map_extra, 1ull << 44); } arena SEC(".maps");
void __arena *bpf_arena_alloc_pages(void *map, void __arena *addr, __u32 count, int node, __u64 flags) __ksym;
void bpf_arena_free_pages(void *map, void __arena *addr, __u32 count) __ksym;
#define TAKE(at, n) bpf_arena_alloc_pages(&arena, (void __arena *)(at), n, -1, 0)
"#;

fn check(name: &str, pages: u32, body: &str) {
    let source = format!(
        "#define PAGES {pages}\n{HEAD}\nSEC(\"syscall\") int prog(void *ctx)\n{{ char __arena *a, *b, *c; {body} }}"
    );
    let Some(outcome) = same_as_kernel(name, &source, vec![]) else { return };
    assert_eq!(outcome.result, Ok(0), "{name}");
}

#[test]
fn pages_come_and_go() {
    check(
        "arena_pages",
        4,
        r#"
        a = TAKE(0, 1); b = TAKE(0, 2); if (!a || !b || TAKE(0, 2) || TAKE(0, 0)) return 1;
        if (b - a != 4096) return 2;
        *a = 1; b[4096] = 2;
        bpf_arena_free_pages(&arena, b, 1);
        if (*a != 1 || b[4096] != 2) return 3;
        c = TAKE(0, 1); if (c != b || *c) return 4;
        bpf_arena_free_pages(&arena, a, 3);
        c = TAKE(b, 2); if (c != b || b[4096]) return 5;
        if (TAKE(b, 1) || TAKE(b + 1, 1) || TAKE(a + 3 * 4096, 2)) return 6;
        c = TAKE(a + 3 * 4096, 1); if (c != a + 3 * 4096) return 7;
        return 0;"#,
    );
}

#[test]
fn what_is_not_there_reads_as_zero() {
    check(
        "arena_null",
        2,
        "a = TAKE(0, 3); if (a) return 1; *a = 7; return *(volatile char __arena *)a + a[100];",
    );
}

#[test]
fn beside_its_pages_there_is_nothing() {
    check(
        "arena_beside",
        2,
        r#"
        volatile char __arena *p, *q;
        a = TAKE(0, 2); if (!a) return 1;
        p = a; q = a + 4096;
        p[0] = 1; q[0] = 2; p[8192] = 3; p[-4096] = 4;
        if (p[0] != 1 || q[0] != 2 || p[8192] || p[-4096]) return 2;
        *(volatile __u32 __arena *)(a + 4094) = 0x04030201;
        if (*(volatile __u32 __arena *)(a + 4094) != 0x04030201 || q[1] != 4) return 3;
        bpf_arena_free_pages(&arena, (char __arena *)q, 1);
        *(volatile __u32 __arena *)(a + 4094) = 0x05050505;
        if (p[4094] != 1 || p[4095] != 2 || q[0] || *(volatile __u32 __arena *)(a + 4094)) return 4;
        q[8] = 1;
        c = TAKE(q, 1); if (c != q || q[8]) return 5;
        return 0;"#,
    );
}

#[test]
fn atomics_on_what_is_not_there_do_nothing() {
    check(
        "arena_atomics",
        1,
        r#"
        __u64 __arena *p; __u64 old;
        a = TAKE(0, 1); if (!a) return 1;
        p = (__u64 __arena *)a;
        __sync_fetch_and_add(p, 5); __sync_fetch_and_add(p + 512, 5);
        if (*(volatile __u64 __arena *)p != 5 || *(volatile __u64 __arena *)(p + 512)) return 2;
        old = __sync_fetch_and_add(p, 2); if (old != 5 || *p != 7) return 3;
        if (__sync_val_compare_and_swap(p, 7, 9) != 7 || *p != 9) return 4;
        return 0;"#,
    );
}

#[test]
fn maps_say_how_large_they_are() {
    let source = r#"
        struct bpf_map { __u32 key_size; __u32 value_size; __u32 max_entries; enum bpf_map_type map_type; }
            __attribute__((preserve_access_index));
        struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 77); __type(key, __u32); __type(value, char[12]); } h SEC(".maps");
        SEC("syscall") int prog(void *ctx)
        { volatile struct bpf_map *map = (void *)&h; return map->max_entries * 1000 + map->key_size * 100 + map->value_size + map->map_type; }
    "#;
    let Some(outcome) = same_as_kernel("map_struct", source, vec![]) else { return };
    assert_eq!(outcome.result, Ok(77_413));
}

/// What an atomic access of an arena may be.
#[rustfmt::skip]
const ATOMICS: &[(&str, &str, Option<&str>)] = &[
    ("a sum, an exchange and a comparison", "PROG(old = __sync_fetch_and_add(p, 1); old += __sync_lock_test_and_set(p, old);
        old += __sync_val_compare_and_swap(p, 1, old);)", None),
    ("bits that nobody reads", "PROG(__sync_fetch_and_and(p, 3); __sync_fetch_and_or(p, 1); __sync_fetch_and_xor(p, 7);)", None),
    ("an address of odd bytes", "PROG(__sync_fetch_and_add((__u64 __arena *)(a + 3), 1);)", None),
    ("and, read", "PROG(old = __sync_fetch_and_and(p, 3);)", Some("V0110")),
    ("or, read", "PROG(old = __sync_fetch_and_or(p, 3);)", Some("V0110")),
    ("xor, read, of 32 bits", "PROG(old = __sync_fetch_and_xor((__u32 __arena *)p, 3);)", Some("V0110")),
];

#[test]
fn some_atomics_cannot_be_in_an_arena() {
    let head = format!(
        r#"
        #include <linux/bpf.h>
        #include <bpf/bpf_helpers.h>
        char LICENSE[] SEC("license") = "GPL";
        #define PAGES 1
        {HEAD}
        #define PROG(...) SEC("syscall") int f(void *ctx) {{ char __arena *a = TAKE(0, 1); \
            __u64 __arena *p = (__u64 __arena *)a; __u64 old = 0; if (!a) return 0; __VA_ARGS__ return old; }}
        "#
    );
    common::judged::cases("arena", &head, ATOMICS);
}

#[test]
fn variables_are_in_the_first_pages() {
    let source = format!(
        r#"
        #define PAGES 3
        {HEAD}
        __u64 __arena five = 5, __arena table[600] = {{ [599] = 7 }};
        SEC("syscall") int prog(void *ctx)
        {{
            char __arena *a = TAKE(0, 1), *b = TAKE(0, 1);
            five += 1; table[1] = 8;
            if (!a || b) return 1;
            *a = 9;
            return five == 6 && table[599] == 7 && table[1] == 8 && !table[2] ? 0 : 2;
        }}"#
    );
    let Some(image) = compile("arena_variables", &source) else { return };
    assert_eq!(all_engines(image, &Input::default()).result, Ok(0));
}
