//! Arenas: pages taken and given back, and what is not there. All engines agree, and the kernel with them
//! where it runs the program.

mod common;

use common::beside::same_as_kernel;

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
