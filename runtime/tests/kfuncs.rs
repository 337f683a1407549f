//! Kernel functions of newer kernels, in programs that may call them and in ones that may not, and the
//! running kernel as judge, of what walking them takes too.
#![cfg(target_os = "linux")]

mod common;

const HEAD: &str = r#"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define SEEN __attribute__((preserve_access_index))
struct task_struct { int pid; } SEEN;
struct tcp_sock { int state; } SEEN;
struct bpf_iter_num { __u64 opaque[1]; } __attribute__((aligned(8)));
struct bpf_list_head { __u64 opaque[2]; } __attribute__((aligned(8)));
struct bpf_list_node { __u64 opaque[3]; } __attribute__((aligned(8)));
struct bpf_rb_root { __u64 opaque[2]; } __attribute__((aligned(8)));
struct bpf_rb_node { __u64 opaque[4]; } __attribute__((aligned(8)));
void *bpf_obj_new_impl(__u64 type, void *meta) __ksym;
void bpf_obj_drop_impl(void *object, void *meta) __ksym;
struct bpf_list_node *bpf_list_front(struct bpf_list_head *head) __ksym;
struct bpf_list_node *bpf_list_back(struct bpf_list_head *head) __ksym;
struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __ksym;
struct bpf_rb_node *bpf_rbtree_root(struct bpf_rb_root *root) __ksym;
struct bpf_rb_node *bpf_rbtree_left(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
struct bpf_rb_node *bpf_rbtree_right(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
struct task_struct *bpf_task_from_vpid(int vpid) __ksym;
void bpf_task_release(struct task_struct *task) __ksym;
int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;
int bpf_strcmp(const char *one, const char *two) __ksym;
int bpf_strcasecmp(const char *one, const char *two) __ksym;
int bpf_strchr(const char *text, char c) __ksym;
int bpf_strchrnul(const char *text, char c) __ksym;
int bpf_strnchr(const char *text, __u64 count, char c) __ksym;
int bpf_strrchr(const char *text, int c) __ksym;
int bpf_strlen(const char *text) __ksym;
int bpf_strnlen(const char *text, __u64 count) __ksym;
int bpf_strspn(const char *text, const char *accept) __ksym;
int bpf_strcspn(const char *text, const char *reject) __ksym;
int bpf_strstr(const char *text, const char *part) __ksym;
int bpf_strnstr(const char *text, const char *part, __u64 count) __ksym;
char LICENSE[] SEC("license") = "GPL";
struct item { struct bpf_list_node node; int n; };
struct leaf { struct bpf_rb_node node; int n; };
#define CONTAINS(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))
#define PRIVATE SEC(".bss.p") __attribute__((aligned(8)))
#define LIST struct bpf_spin_lock lock PRIVATE; struct bpf_list_head head PRIVATE CONTAINS(item, node); struct item *kept
#define TREE struct bpf_spin_lock lock PRIVATE; struct bpf_rb_root root PRIVATE CONTAINS(leaf, node); struct leaf *kept
#define OF(p, type) ((struct type *)p)
"#;

#[rustfmt::skip]
const CASES: &[(&str, &str, Option<&str>)] = &[
    ("strings, of which nothing is asked", r#"SEC("tc") int f(struct __sk_buff *skb) { const char *s = (void *)(long)skb->len;
        return bpf_strcmp(s, "a") + bpf_strcasecmp(s, "b") + bpf_strlen(s) + bpf_strnlen(s, 5) + bpf_strspn(s, s)
        + bpf_strcspn(s, s) + bpf_strstr(s, s) + bpf_strnstr(s, s, 7); }"#, None),
    ("characters in them", r#"SEC("xdp") int f(void *ctx) { char s[4] = "abc"; return bpf_strchr(s, 1) + bpf_strchrnul(s, 1)
        + bpf_strnchr(s, 3, 1) + bpf_strrchr(s, 1); }"#, None),
    ("in a socket filter", r#"SEC("socket") int f(void *ctx) { return bpf_strlen("abc"); }"#, None),
    ("in a tracing program", r#"SEC("kprobe") int f(void *ctx) { return bpf_strlen("abc"); }"#, None),
    ("a count that is no number", r#"SEC("tc") int f(void *ctx) { return bpf_strnlen("abc", (long)ctx); }"#, Some("V0304")),
    ("a task", r#"SEC("syscall") int f(void *ctx) { struct task_struct *t = bpf_task_from_vpid(1); if (t) bpf_task_release(t);
        return 0; }"#, None),
    ("a task that is kept", r#"SEC("syscall") int f(void *ctx) { return bpf_task_from_vpid(1) != 0; }"#, Some("V0402")),
    ("a task in a socket filter", r#"SEC("socket") int f(void *ctx) { struct task_struct *t = bpf_task_from_vpid(1);
        if (t) bpf_task_release(t); return 0; }"#, Some("V0309")),
    ("the first of a list", r#"LIST; SEC("tc") int f(void *ctx) { int n = 0; bpf_spin_lock(&lock);
        struct bpf_list_node *p = bpf_list_front(&head), *q = bpf_list_back(&head);
        if (p) n = OF(p, item)->n; if (q) OF(q, item)->n = 1; bpf_spin_unlock(&lock); return n; }"#, None),
    ("the first of a list that may have none", r#"LIST; SEC("tc") int f(void *ctx) { bpf_spin_lock(&lock);
        struct bpf_list_node *p = bpf_list_front(&head); int n = OF(p, item)->n; bpf_spin_unlock(&lock); return n; }"#,
        Some("V0108")),
    ("the first of a list whose lock is not held", r#"LIST; SEC("tc") int f(void *ctx) { return bpf_list_front(&head) != 0; }"#,
        Some("V0315")),
    ("the first of a list, later", r#"LIST; SEC("tc") int f(void *ctx) { bpf_spin_lock(&lock);
        struct bpf_list_node *p = bpf_list_front(&head); bpf_spin_unlock(&lock); return p ? OF(p, item)->n : 0; }"#,
        Some("V0109")),
    ("down a tree", r#"TREE; SEC("tc") int f(void *ctx) { int n = 0; bpf_spin_lock(&lock);
        struct bpf_rb_node *p = bpf_rbtree_root(&root); if (p) p = bpf_rbtree_left(&root, p);
        if (p) p = bpf_rbtree_right(&root, p); if (p) n = OF(p, leaf)->n; bpf_spin_unlock(&lock); return n; }"#, None),
    ("what was found is taken out", r#"TREE; SEC("tc") int f(void *ctx) { bpf_spin_lock(&lock);
        struct bpf_rb_node *p = bpf_rbtree_root(&root); if (p) p = bpf_rbtree_remove(&root, p);
        bpf_spin_unlock(&lock); if (p) bpf_obj_drop_impl(p, 0); return 0; }"#, None),
    ("an element of an iterator", r#"SEC("tc") int f(void *ctx) { struct bpf_iter_num it; int *v, n; bpf_iter_num_new(&it, 0, 3);
        v = bpf_iter_num_next(&it); n = v ? *v : 0; bpf_iter_num_destroy(&it); return n; }"#, None),
    ("an element of an iterator that is gone", r#"SEC("tc") int f(void *ctx) { struct bpf_iter_num it; int *v;
        bpf_iter_num_new(&it, 0, 3); v = bpf_iter_num_next(&it); bpf_iter_num_destroy(&it); return v ? *v : 0; }"#,
        Some("V0109")),
    ("what a helper found may be handed on as if it were sure to stay", r#"__weak __noinline int g(struct tcp_sock *p __attribute__((btf_decl_tag("arg:trusted")))) { return p != 0; }
        SEC("tc") int f(struct __sk_buff *skb) { struct tcp_sock *t = skb->sk ? bpf_skc_to_tcp_sock(skb->sk) : 0;
        return t ? g(t) : 0; }"#, None),
];

#[test]
fn functions_of_newer_kernels() {
    common::judged::cases("kfuncs", HEAD, CASES);
}
