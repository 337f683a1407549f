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
struct cgroup;
struct kmem_cache { const char *name; } SEEN;
struct bpf_iter_kmem_cache { __u64 opaque[1]; } __attribute__((aligned(8)));
int bpf_iter_kmem_cache_new(struct bpf_iter_kmem_cache *it) __ksym;
struct kmem_cache *bpf_iter_kmem_cache_next(struct bpf_iter_kmem_cache *it) __ksym;
void bpf_iter_kmem_cache_destroy(struct bpf_iter_kmem_cache *it) __ksym;
struct kmem_cache *bpf_get_kmem_cache(__u64 address) __ksym;
__u64 *bpf_session_cookie(void) __ksym;
_Bool bpf_session_is_return(void) __ksym;
int bpf_stream_vprintk_impl(int stream, const char *format, const void *args, __u32 size, void *aux) __ksym;
int bpf_xdp_pull_data(struct xdp_md *ctx, __u32 len) __ksym;
int bpf_dynptr_from_skb_meta(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *p) __ksym;
int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *p) __ksym;
int bpf_dynptr_memset(struct bpf_dynptr *p, __u32 offset, __u32 size, __u8 value) __ksym;
int bpf_dynptr_copy(struct bpf_dynptr *to, __u32 at, struct bpf_dynptr *from, __u32 off, __u32 size) __ksym;
int bpf_probe_read_kernel_dynptr(struct bpf_dynptr *p, __u32 off, __u32 size, const void *from) __ksym;
int bpf_copy_from_user_dynptr(struct bpf_dynptr *p, __u32 off, __u32 size, const void *from) __ksym;
int bpf_copy_from_user_task_str(void *to, __u32 size, const void *from, struct task_struct *t, __u64 flags) __ksym;
int bpf_send_signal_task(struct task_struct *task, int signal, int type, __u64 value) __ksym;
struct cgroup *bpf_cgroup_from_id(__u64 id) __ksym;
void bpf_cgroup_release(struct cgroup *cgroup) __ksym;
int bpf_cgroup_read_xattr(struct cgroup *cgroup, const char *name, struct bpf_dynptr *value) __ksym;
char LICENSE[] SEC("license") = "GPL";
char value[64];
#define MEMORY(p) struct bpf_dynptr p; bpf_dynptr_from_mem(value, sizeof(value), 0, &p)
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
    // Of 6.18.
    ("all caches", r#"SEC("syscall") int f(void *ctx) { struct bpf_iter_kmem_cache it; struct kmem_cache *c; int n = 0;
        bpf_iter_kmem_cache_new(&it); while ((c = bpf_iter_kmem_cache_next(&it))) n++;
        bpf_iter_kmem_cache_destroy(&it); return n; }"#, None),
    ("all caches where nothing may sleep", r#"SEC("tc") int f(void *ctx) { struct bpf_iter_kmem_cache it;
        bpf_iter_kmem_cache_new(&it); bpf_iter_kmem_cache_destroy(&it); return 0; }"#, Some("V0311")),
    ("the cache of an address", r#"SEC("tc") int f(void *ctx) { struct kmem_cache *c = bpf_get_kmem_cache(7);
        return c->name != 0; }"#, None),
    ("a session", r#"SEC("kprobe.session") int f(void *ctx) { *bpf_session_cookie() = 7; return bpf_session_is_return(); }"#, None),
    ("a session past its end", r#"SEC("kprobe.session") int f(void *ctx) { bpf_session_cookie()[1] = 7; return 0; }"#,
        Some("V0105")),
    ("no session", r#"SEC("kprobe") int f(void *ctx) { return bpf_session_is_return(); }"#, Some("V0309")),
    ("a stream", r#"SEC("tc") int f(void *ctx) { static const char format[] = "a %d"; __u64 n = 7;
        return bpf_stream_vprintk_impl(1, format, &n, sizeof(n), 0); }"#, None),
    ("a stream without a format", r#"SEC("tc") int f(void *ctx) { char format[4] = "a"; __u64 n = 7;
        return bpf_stream_vprintk_impl(1, format, &n, sizeof(n), 0); }"#, Some("V0304")),
    ("a packet that is pulled", r#"SEC("xdp") int f(struct xdp_md *ctx) { bpf_xdp_pull_data(ctx, 20);
        char *p = (char *)(long)ctx->data; return p + 1 > (char *)(long)ctx->data_end ? 1 : *p; }"#, None),
    ("a packet as it was before", r#"SEC("xdp") int f(struct xdp_md *ctx) { char *p = (char *)(long)ctx->data;
        if (p + 1 > (char *)(long)ctx->data_end) return 1; bpf_xdp_pull_data(ctx, 20); return *p; }"#, Some("V0109")),
    ("metadata", r#"SEC("tc") int f(struct __sk_buff *skb) { struct bpf_dynptr p; char b[4];
        bpf_dynptr_from_skb_meta(skb, 0, &p); return bpf_dynptr_read(b, 4, &p, 0, 0); }"#, None),
    ("metadata of a socket filter", r#"SEC("socket") int f(struct __sk_buff *skb) { struct bpf_dynptr p;
        return bpf_dynptr_from_skb_meta(skb, 0, &p); }"#, Some("V0309")),
    ("memory through a pointer", r#"SEC("tc") int f(struct __sk_buff *skb) { MEMORY(p); MEMORY(q);
        return bpf_dynptr_memset(&p, 0, 8, 7) + bpf_dynptr_copy(&p, 8, &q, 0, 8)
        + bpf_probe_read_kernel_dynptr(&p, 0, 8, skb); }"#, None),
    ("the user's memory where nothing may sleep", r#"SEC("tc") int f(struct __sk_buff *skb) { MEMORY(p);
        return bpf_copy_from_user_dynptr(&p, 0, 8, 0); }"#, Some("V0311")),
    ("the user's memory", r#"SEC("syscall") int f(void *ctx) { MEMORY(p); char b[8];
        struct task_struct *t = bpf_get_current_task_btf(); return bpf_copy_from_user_dynptr(&p, 0, 8, 0)
        + bpf_copy_from_user_task_str(b, 8, 0, t, 0) + bpf_send_signal_task(t, 9, 0, 0); }"#, None),
    ("attributes of a group", r#"SEC("syscall") int f(void *ctx) { MEMORY(p); struct cgroup *c = bpf_cgroup_from_id(1);
        if (!c) return 0; int n = bpf_cgroup_read_xattr(c, "user.a", &p); bpf_cgroup_release(c); return n; }"#, None),
];

#[test]
fn functions_of_newer_kernels() {
    common::judged::cases("kfuncs", HEAD, CASES);
}
