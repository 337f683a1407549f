// Follows processes through kernel structures: the curated vmlinux.h.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

struct event {
	u32 pid;
	u32 ppid;
	u64 ns;
	u32 uid;
	u32 mnt_ns;
	char comm[TASK_COMM_LEN];
	char file[127];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

SEC("tp/sched/sched_process_exec")
int on_exec(struct trace_event_raw_sched_process_exec *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	unsigned int at;

	if (!e)
		return 0;
	e->pid = bpf_get_current_pid_tgid() >> 32;
	e->ppid = BPF_CORE_READ(task, real_parent, tgid);
	e->ns = BPF_CORE_READ(task, start_boottime);
	e->uid = BPF_CORE_READ(task, cred, uid.val);
	e->mnt_ns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	at = ctx->__data_loc_filename & 0xffff;
	bpf_get_current_comm(&e->comm, sizeof(e->comm));
	bpf_probe_read_str(&e->file, sizeof(e->file), (void *)ctx + at);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("kprobe/tcp_v4_connect")
int BPF_KPROBE(on_connect, struct sock *sk)
{
	u16 port = BPF_CORE_READ(sk, __sk_common.skc_dport);
	u32 address = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	u32 ns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);

	bpf_printk("%x:%d in %u", address, port, ns);
	return 0;
}

SEC("lsm/file_open")
int BPF_PROG(on_open, struct file *file)
{
	char name[32];

	bpf_probe_read_kernel_str(name, sizeof(name), file->f_path.dentry->d_name.name);
	bpf_printk("%s %lu", name, file->f_inode->i_ino);
	return 0;
}

SEC("iter/task")
int list(struct bpf_iter__task *ctx)
{
	if (ctx->task)
		BPF_SEQ_PRINTF(ctx->meta->seq, "%d %s\n", ctx->task->pid, ctx->task->comm);
	return 0;
}

SEC("raw_tp/sched_switch")
int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *next = (void *)ctx->args[2];

	return BPF_CORE_READ(next, prio);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
