//! Functions that the kernel calls later: by timers, from work queues, as work of a task. What is right,
//! each with what is wrong in one point, and the running kernel as judge, of what walking it takes too.
#![cfg(target_os = "linux")]

mod common;

const HEAD: &str = r#"
#define bpf_wq bpf_wq_of_the_header
#define bpf_task_work bpf_task_work_of_the_header
#include <linux/bpf.h>
#undef bpf_wq
#undef bpf_task_work
#include <bpf/bpf_helpers.h>
struct bpf_wq { __u64 opaque[2]; } __attribute__((aligned(8)));
struct bpf_task_work { __u64 opaque; } __attribute__((aligned(8)));
#define SEEN __attribute__((preserve_access_index))
struct bpf_map { int id; } SEEN;
struct task_struct { int pid; } SEEN;
int bpf_wq_init(struct bpf_wq *wq, void *map, unsigned int flags) __ksym;
int bpf_wq_start(struct bpf_wq *wq, unsigned int flags) __ksym;
int bpf_wq_set_callback_impl(struct bpf_wq *wq, int (*f)(void *map, int *key, void *value), unsigned int flags,
                             void *aux) __ksym;
typedef int (*work_t)(struct bpf_map *map, void *key, void *value);
int bpf_task_work_schedule_signal_impl(struct task_struct *task, struct bpf_task_work *work, void *map, work_t f,
                                       void *aux) __ksym;
int bpf_task_work_schedule_resume_impl(struct task_struct *task, struct bpf_task_work *work, void *map, work_t f,
                                       void *aux) __ksym;
struct task_struct *bpf_task_from_pid(int pid) __ksym;
void bpf_task_release(struct task_struct *task) __ksym;
struct tasked { int n; struct bpf_task_work work; };
struct queued { int n; struct bpf_wq work; };
struct timed { int n; struct bpf_timer timer; };
struct all { struct bpf_wq queue; struct bpf_task_work work; struct bpf_timer timer; };
#define MAP(name, kind, of) struct { __uint(type, BPF_MAP_TYPE_##kind); __uint(max_entries, 2); __type(key, int); \
    __type(value, struct of); } name SEC(".maps")
MAP(tasks, ARRAY, tasked);
MAP(others, HASH, tasked);
MAP(queues, ARRAY, queued);
MAP(timers, ARRAY, timed);
MAP(alls, HASH, all);
char LICENSE[] SEC("license") = "GPL";
#define FIND(v, type, map) int v##_key = 0; struct type *v = bpf_map_lookup_elem(&map, &v##_key); if (!v) return 0
#define LATER(name) static int name(struct bpf_map *map, int *key, void *value)
#define SIGNAL(task, work, map, f) bpf_task_work_schedule_signal_impl(task, work, map, (work_t)f, 0)
#define TASK struct task_struct *task = bpf_get_current_task_btf()
#define QUEUE(work, f) bpf_wq_set_callback_impl(work, (void *)f, 0, 0)
"#;

#[rustfmt::skip]
const CASES: &[(&str, &str, Option<&str>)] = &[
    // Work of a task.
    ("any result of 32 bits", r#"LATER(late) { return 7; } SEC("tc") int f(void *ctx) { FIND(v, tasked, tasks); TASK;
        SIGNAL(task, &v->work, &tasks, late); return 0; }"#, None),
    ("when it resumes", r#"LATER(late) { return 0; } SEC("tc") int f(void *ctx) { FIND(v, tasked, others); TASK;
        bpf_task_work_schedule_resume_impl(task, &v->work, &others, (work_t)late, 0); return 0; }"#, None),
    ("a result of more bits", r#"static long late(void *map, int *key, void *value) { return bpf_ktime_get_ns(); }
        SEC("tc") int f(void *ctx) { FIND(v, tasked, tasks); TASK; SIGNAL(task, &v->work, &tasks, late); return 0; }"#,
        Some("V0401")),
    ("it may sleep", r#"static int late(void *map, int *key, struct tasked *v) { bpf_copy_from_user(&v->n, 4, 0); return 0; }
        SEC("syscall") int f(void *ctx) { FIND(v, tasked, tasks); TASK; SIGNAL(task, &v->work, &tasks, late);
        return 0; }"#, None),
    ("it gets the key and the value", r#"static int late(void *map, int *key, struct tasked *v) { v->n = *key;
        struct tasked *other = bpf_map_lookup_elem(map, key); if (other) other->n++; return 0; }
        SEC("tc") int f(void *ctx) { FIND(v, tasked, others); TASK; SIGNAL(task, &v->work, &others, late); return 0; }"#,
        None),
    ("it writes the key", r#"LATER(late) { *key = 1; return 0; } SEC("tc") int f(void *ctx) { FIND(v, tasked, tasks); TASK;
        SIGNAL(task, &v->work, &tasks, late); return 0; }"#, Some("V0107")),
    ("it reads past the key", r#"LATER(late) { return key[1]; } SEC("tc") int f(void *ctx) { FIND(v, tasked, tasks); TASK;
        SIGNAL(task, &v->work, &tasks, late); return 0; }"#, Some("V0105")),
    ("it schedules itself again", r#"static int late(void *map, int *key, struct tasked *v) { TASK; if (v->n > 3) return 0;
        SIGNAL(task, &v->work, map, late); return 0; }
        SEC("tc") int f(void *ctx) { FIND(v, tasked, tasks); TASK; SIGNAL(task, &v->work, &tasks, late); return 0; }"#,
        None),
    ("it schedules itself for another value", r#"static int late(void *map, int *key, void *value) { FIND(v, tasked, tasks); TASK;
        if (v->n > 3) return 0; SIGNAL(task, &v->work, &tasks, late); return 0; }
        SEC("tc") int f(void *ctx) { FIND(v, tasked, tasks); TASK; SIGNAL(task, &v->work, &tasks, late); return 0; }"#,
        None),
    ("another map", r#"LATER(late) { return 0; } SEC("tc") int f(void *ctx) { FIND(v, tasked, tasks); TASK;
        SIGNAL(task, &v->work, &others, late); return 0; }"#, Some("V0304")),
    ("another offset", r#"LATER(late) { return 0; } SEC("tc") int f(void *ctx) { FIND(v, tasked, tasks); TASK;
        SIGNAL(task, (void *)&v->n, &tasks, late); return 0; }"#, Some("V0304")),
    ("work on the stack", r#"LATER(late) { return 0; } SEC("tc") int f(void *ctx) { struct bpf_task_work work = {}; TASK;
        SIGNAL(task, &work, &tasks, late); return 0; }"#, Some("V0304")),
    ("no task", r#"LATER(late) { return 0; } SEC("tc") int f(void *ctx) { FIND(v, tasked, tasks);
        SIGNAL(0, &v->work, &tasks, late); return 0; }"#, Some("V0304")),
    ("a task that may be null", r#"LATER(late) { return 0; } SEC("tc") int f(void *ctx) { FIND(v, tasked, tasks);
        struct task_struct *task = bpf_task_from_pid(1); SIGNAL(task, &v->work, &tasks, late);
        if (task) bpf_task_release(task); return 0; }"#, Some("V0304")),
    ("a task that is held", r#"LATER(late) { return 0; } SEC("tc") int f(void *ctx) { FIND(v, tasked, tasks);
        struct task_struct *task = bpf_task_from_pid(1); if (!task) return 0; SIGNAL(task, &v->work, &tasks, late);
        bpf_task_release(task); return 0; }"#, None),
    ("a value that may be null", r#"struct first { struct bpf_task_work work; }; MAP(firsts, HASH, first); LATER(late) { return 0; }
        SEC("tc") int f(void *ctx) { int key = 0; struct first *v = bpf_map_lookup_elem(&firsts, &key); TASK;
        SIGNAL(task, &v->work, &firsts, late); return 0; }"#,
        Some("V0304")),
    ("no map", r#"LATER(late) { return 0; } SEC("tc") int f(void *ctx) { FIND(v, tasked, tasks); TASK;
        SIGNAL(task, &v->work, 0, late); return 0; }"#, Some("V0304")),
    ("no function", r#"SEC("tc") int f(void *ctx) { FIND(v, tasked, tasks); TASK; SIGNAL(task, &v->work, &tasks, 0);
        return 0; }"#, Some("V0304")),
    ("work is read", r#"SEC("tc") int f(void *ctx) { FIND(v, tasked, tasks); return *(int *)&v->work; }"#, Some("V0115")),
    ("in a tracing program", r#"LATER(late) { return 0; } SEC("kprobe") int f(void *ctx) { FIND(v, tasked, tasks); TASK;
        SIGNAL(task, &v->work, &tasks, late); return 0; }"#, None),
    ("a function that is not static", r#"__attribute__((noinline)) int late(struct bpf_map *map, void *key, void *value) { return 0; }
        SEC("tc") int f(void *ctx) { FIND(v, tasked, tasks); TASK; SIGNAL(task, &v->work, &tasks, late); return 0; }"#,
        Some("V0325")),
    // Work queues.
    ("a queue", r#"LATER(late) { return 0; } SEC("tc") int f(void *ctx) { FIND(v, queued, queues); bpf_wq_init(&v->work, &queues, 0);
        QUEUE(&v->work, late); bpf_wq_start(&v->work, 0); return 0; }"#, None),
    ("a queue whose work may sleep", r#"static int late(void *map, int *key, struct queued *v) { bpf_copy_from_user(&v->n, 4, 0); return 0; }
        SEC("syscall") int f(void *ctx) { FIND(v, queued, queues); QUEUE(&v->work, late); return 0; }"#, None),
    ("a queue whose work returns 1", r#"LATER(late) { return 1; } SEC("tc") int f(void *ctx) { FIND(v, queued, queues);
        QUEUE(&v->work, late); return 0; }"#, Some("V0401")),
    ("a queue of another map", r#"MAP(more, ARRAY, queued); SEC("tc") int f(void *ctx) { FIND(v, queued, queues);
        bpf_wq_init(&v->work, &more, 0); return 0; }"#, Some("V0304")),
    ("a queue in a tracing program", r#"SEC("kprobe") int f(void *ctx) { FIND(v, queued, queues); bpf_wq_start(&v->work, 0);
        return 0; }"#, Some("V0314")),
    // Timers.
    ("a timer that sets itself, and another", r#"LATER(other) { return 0; }
        static int late(void *map, int *key, struct timed *v) { if (v->n) bpf_timer_set_callback(&v->timer, other);
        else bpf_timer_set_callback(&v->timer, late); bpf_timer_start(&v->timer, 5, 0); return 0; }
        SEC("tc") int f(void *ctx) { FIND(v, timed, timers); bpf_timer_init(&v->timer, &timers, 1);
        bpf_timer_set_callback(&v->timer, late); bpf_timer_start(&v->timer, 5, 0); return 0; }"#, None),
    ("a timer that is set twice", r#"LATER(late) { int n = bpf_get_prandom_u32(); for (int i = 0; i < 8; i++) n = n * 3 + *key;
        return n == 5 ? 0 : 0; } SEC("tc") int f(void *ctx) { FIND(v, timed, timers); bpf_timer_set_callback(&v->timer, late);
        if (v->n) bpf_timer_set_callback(&v->timer, late); return 0; }"#, None),
    ("a timer that loops", r#"static int late(void *map, int *key, struct timed *v) {
        for (int i = 0; i < 20; i++) { asm volatile("" ::: "memory"); v->n += i; if (v->n == 7) break; }
        bpf_timer_set_callback(&v->timer, late); return 0; }
        SEC("tc") int f(void *ctx) { FIND(v, timed, timers); bpf_timer_set_callback(&v->timer, late); return 0; }"#, None),
    ("a timer whose function sleeps", r#"static int late(void *map, int *key, struct timed *v) { bpf_copy_from_user(&v->n, 4, 0); return 0; }
        SEC("syscall") int f(void *ctx) { FIND(v, timed, timers); bpf_timer_set_callback(&v->timer, late); return 0; }"#,
        Some("V0311")),
    ("all three", r#"LATER(late) { return 0; } SEC("tc") int f(void *ctx) { FIND(v, all, alls); TASK;
        SIGNAL(task, &v->work, &alls, late); bpf_wq_init(&v->queue, &alls, 0); QUEUE(&v->queue, late);
        bpf_timer_init(&v->timer, &alls, 1); bpf_timer_set_callback(&v->timer, late); return 0; }"#, None),
    // Memory of the user's that a task's value points to.
    ("memory of the user's", r#"struct area { int a; long b; } area; struct user { struct area __attribute__((btf_type_tag("uptr"))) *u; };
        struct { __uint(type, BPF_MAP_TYPE_TASK_STORAGE); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, int);
            __type(value, struct user); } users SEC(".maps");
        SEC("syscall") int f(void *ctx) { TASK; struct user *v = bpf_task_storage_get(&users, task, 0, 0); if (!v) return 0;
        struct area *u = v->u; if (!u) return 0; u->b = 3; __sync_fetch_and_add(&u->b, 1); return u->a; }"#, None),
    ("memory of the user's that may not be there", r#"struct area { int a; long b; } area; struct user { struct area __attribute__((btf_type_tag("uptr"))) *u; };
        struct { __uint(type, BPF_MAP_TYPE_TASK_STORAGE); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, int);
            __type(value, struct user); } users SEC(".maps");
        SEC("syscall") int f(void *ctx) { TASK; struct user *v = bpf_task_storage_get(&users, task, 0, 0); if (!v) return 0;
        return v->u->a; }"#, Some("V0108")),
    ("past memory of the user's", r#"struct area { int a; long b; } area; struct user { struct area __attribute__((btf_type_tag("uptr"))) *u; };
        struct { __uint(type, BPF_MAP_TYPE_TASK_STORAGE); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, int);
            __type(value, struct user); } users SEC(".maps");
        SEC("syscall") int f(void *ctx) { TASK; struct user *v = bpf_task_storage_get(&users, task, 0, 0); if (!v) return 0;
        struct area *u = v->u; if (!u) return 0; return ((int *)u)[4]; }"#, Some("V0105")),
];

#[test]
fn functions_are_called_later() {
    common::judged::cases("later", HEAD, CASES);
}
