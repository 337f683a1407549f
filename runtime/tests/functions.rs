//! Kernel functions that work on what programs have: all engines agree, and the kernel with them where it
//! runs the program.

mod common;

use common::beside::{all_engines, compile, in_kernel, same_as_kernel};
use skep_runtime::vm::Input;

#[test]
fn strings() {
    // Each answer goes to the packet.
    let calls = [
        r#"bpf_strcmp(a, b)"#,
        r#"bpf_strcmp(b, a)"#,
        r#"bpf_strcmp(a, a)"#,
        r#"bpf_strcmp(a, "hello worlds")"#,
        r#"bpf_strcmp(a, high)"#,
        r#"bpf_strcasecmp("HeLLo", "hEllO")"#,
        r#"bpf_strcasecmp("a", "B")"#,
        r#"bpf_strlen(a)"#,
        r#"bpf_strlen("")"#,
        r#"bpf_strnlen(a, 5)"#,
        r#"bpf_strnlen(a, 50)"#,
        r#"bpf_strnlen(a, 0)"#,
        r#"bpf_strchr(a, 'o')"#,
        r#"bpf_strchr(a, 'x')"#,
        r#"bpf_strchr(a, 0)"#,
        r#"bpf_strnchr(a, 4, 'o')"#,
        r#"bpf_strnchr(a, 5, 'o')"#,
        r#"bpf_strchrnul(a, 'w')"#,
        r#"bpf_strchrnul(a, 'x')"#,
        r#"bpf_strrchr(a, 'o')"#,
        r#"bpf_strrchr(a, 'x')"#,
        r#"bpf_strrchr(a, 0)"#,
        r#"bpf_strspn(a, "leh")"#,
        r#"bpf_strspn(a, "")"#,
        r#"bpf_strspn(a, a)"#,
        r#"bpf_strcspn(a, "wo")"#,
        r#"bpf_strcspn(a, "xyz")"#,
        r#"bpf_strcspn("", a)"#,
        r#"bpf_strstr(a, "world")"#,
        r#"bpf_strstr(a, "")"#,
        r#"bpf_strstr(a, "worlds")"#,
        r#"bpf_strstr(a, a)"#,
        r#"bpf_strnstr(a, "hello", 5)"#,
        r#"bpf_strnstr(a, "hello", 4)"#,
        r#"bpf_strnstr(a, "world", 11)"#,
        r#"bpf_strnstr(a, "", 0)"#,
        r#"bpf_strnstr(a, "o", 4)"#,
        r#"bpf_strlen((char *)0)"#,
        r#"bpf_strlen((char *)0x1234)"#,
        r#"bpf_strcmp(a, (char *)8)"#,
        // No address, and one of the kernel where nothing is: whether addresses have 48 bits or 57.
        r#"bpf_strlen((char *)0x8000000000000000ull)"#,
        r#"bpf_strlen((char *)0xffffffff00000000ull)"#,
    ];
    let mut body = String::new();
    for (index, call) in calls.iter().enumerate() {
        body += &format!("answers[{index}] = {call};\n");
    }
    let source = format!(
        r#"
int bpf_strcmp(const char *one, const char *two) __ksym;
int bpf_strcasecmp(const char *one, const char *two) __ksym;
int bpf_strchr(const char *text, char c) __ksym;
int bpf_strchrnul(const char *text, char c) __ksym;
int bpf_strnchr(const char *text, unsigned long count, char c) __ksym;
int bpf_strrchr(const char *text, int c) __ksym;
int bpf_strlen(const char *text) __ksym;
int bpf_strnlen(const char *text, unsigned long count) __ksym;
int bpf_strspn(const char *text, const char *accept) __ksym;
int bpf_strcspn(const char *text, const char *reject) __ksym;
int bpf_strstr(const char *text, const char *part) __ksym;
int bpf_strnstr(const char *text, const char *part, unsigned long count) __ksym;
char a[] = "hello world", b[] = "hello", high[] = "\xc8";
SEC("xdp") int prog(struct xdp_md *ctx)
{{
    int *answers = (int *)(long)ctx->data;
    if ((void *)(answers + {}) > (void *)(long)ctx->data_end)
        return -1;
    {body}
    return 0;
}}"#,
        calls.len()
    );
    let Some(image) = compile("strings", &source) else { return };
    let input = Input { data: vec![0; 4 * calls.len()], ..Input::default() };
    let ours = all_engines(image.clone(), &input);
    let Some(theirs) = in_kernel("strings", &image, &input) else { return };
    let (ours, theirs) = (ours.data.as_chunks::<4>().0, theirs.data.as_chunks::<4>().0);
    for ((call, ours), theirs) in calls.iter().zip(ours).zip(theirs) {
        assert_eq!(i32::from_le_bytes(*ours), i32::from_le_bytes(*theirs), "{call}");
    }
}

#[test]
fn dynamic_pointers_filled_and_copied() {
    let source = r#"
extern int bpf_dynptr_from_xdp(struct xdp_md *xdp, __u64 flags, struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_memset(struct bpf_dynptr *ptr, __u64 offset, __u64 size, __u8 value) __ksym;
extern int bpf_dynptr_copy(struct bpf_dynptr *to, __u64 at, struct bpf_dynptr *from, __u64 offset, __u64 size) __ksym;
char value[32];
SEC("xdp") int prog(struct xdp_md *ctx)
{
    struct bpf_dynptr packet, memory;
    int sum = 0;
    bpf_dynptr_from_mem(value, 32, 0, &memory);
    if (bpf_dynptr_from_xdp(ctx, 0, &packet))
        return -1;
    sum += bpf_dynptr_memset(&packet, 4, 6, 0xab);
    sum += bpf_dynptr_memset(&memory, 30, 2, 0xcd) * 3;
    sum += bpf_dynptr_memset(&memory, 31, 2, 0xcd) * 5;
    sum += bpf_dynptr_memset(&packet, 61, 4, 0xcd) * 7;
    sum += bpf_dynptr_copy(&packet, 20, &memory, 28, 4) * 11;
    sum += bpf_dynptr_copy(&packet, 20, &memory, 28, 5) * 13;
    sum += bpf_dynptr_copy(&memory, 28, &packet, 0, 5) * 17;
    sum += bpf_dynptr_copy(&packet, 40, &packet, 2, 8) * 19;
    return sum;
}"#;
    same_as_kernel("fill", source, (0..64).collect());
}

const KERNEL: &str = r#"
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
"#;

/// As many processors as the test's world has.
#[test]
fn sets_of_processors() {
    let source = format!(
        r#"{KERNEL}
extern struct bpf_cpumask *bpf_cpumask_create(void) __ksym;
extern void bpf_cpumask_release(struct bpf_cpumask *mask) __ksym;
extern __u32 bpf_cpumask_first(const struct cpumask *mask) __ksym;
extern __u32 bpf_cpumask_first_zero(const struct cpumask *mask) __ksym;
extern __u32 bpf_cpumask_weight(const struct cpumask *mask) __ksym;
extern void bpf_cpumask_set_cpu(__u32 cpu, struct bpf_cpumask *mask) __ksym;
extern void bpf_cpumask_clear_cpu(__u32 cpu, struct bpf_cpumask *mask) __ksym;
extern bool bpf_cpumask_test_cpu(__u32 cpu, const struct cpumask *mask) __ksym;
extern bool bpf_cpumask_test_and_set_cpu(__u32 cpu, struct bpf_cpumask *mask) __ksym;
extern void bpf_cpumask_setall(struct bpf_cpumask *mask) __ksym;
extern bool bpf_cpumask_and(struct bpf_cpumask *to, const struct cpumask *a, const struct cpumask *b) __ksym;
extern void bpf_cpumask_or(struct bpf_cpumask *to, const struct cpumask *a, const struct cpumask *b) __ksym;
extern bool bpf_cpumask_subset(const struct cpumask *a, const struct cpumask *b) __ksym;
extern bool bpf_cpumask_equal(const struct cpumask *a, const struct cpumask *b) __ksym;
extern bool bpf_cpumask_full(const struct cpumask *mask) __ksym;
extern bool bpf_cpumask_empty(const struct cpumask *mask) __ksym;
#define M(x) ((const struct cpumask *)(x))
SEC("tp_btf/task_newtask") int prog(__u64 *ctx)
{{
    struct bpf_cpumask *a = bpf_cpumask_create(), *b;
    int result = 1;
    if (!a)
        return 2;
    b = bpf_cpumask_create();
    if (!b)
        goto one;
    if (!bpf_cpumask_empty(M(a)) || bpf_cpumask_first(M(a)) != 3 || bpf_cpumask_first_zero(M(a)))
        goto out;
    result = 3;
    bpf_cpumask_set_cpu(1, a);
    bpf_cpumask_set_cpu(3, a);
    if (bpf_cpumask_test_and_set_cpu(2, b) || !bpf_cpumask_test_and_set_cpu(2, b) || bpf_cpumask_weight(M(a)) != 1)
        goto out;
    result = 4;
    if (bpf_cpumask_and(b, M(a), M(b)) || !bpf_cpumask_empty(M(b)) || !bpf_cpumask_subset(M(b), M(a)))
        goto out;
    result = 5;
    bpf_cpumask_setall(b);
    if (!bpf_cpumask_full(M(b)) || bpf_cpumask_weight(M(b)) != 3 || bpf_cpumask_equal(M(a), M(b)))
        goto out;
    result = 6;
    bpf_cpumask_or(a, M(a), M(b));
    bpf_cpumask_clear_cpu(0, a);
    if (bpf_cpumask_first(M(a)) != 1 || bpf_cpumask_test_cpu(0, M(a)) || !bpf_cpumask_test_cpu(2, M(a)))
        goto out;
    result = 0;
out:
    bpf_cpumask_release(b);
one:
    bpf_cpumask_release(a);
    return result;
}}"#
    );
    let Some(image) = compile("cpumask", &source) else { return };
    let host = skep_runtime::host::Deterministic { cpus: 3, ..Default::default() };
    let outcome = common::vm_in(image, host).run(0, &Input::default()).unwrap();
    assert_eq!(outcome.result, Ok(0));
}
