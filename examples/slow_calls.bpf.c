// Tells user space about slow system calls through a ring buffer.
//
// $ skep test examples/slow_calls.test.toml
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct slow_call {
	__u64 duration_ns;
	__u32 pid;
	__s32 number;
	char comm[16];
};

/* Keeps the type in the object, for those who read the records. */
struct slow_call *slow_call_type;

/* Records of the tracepoints raw_syscalls:sys_enter and raw_syscalls:sys_exit. */
struct enter_record {
	__u64 common;
	long number;
	unsigned long args[6];
};

struct exit_record {
	__u64 common;
	long number;
	long result;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} begun SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} calls SEC(".maps");

const volatile __u64 slow_ns = 1000000;

SEC("tracepoint/raw_syscalls/sys_enter")
int enter(struct enter_record *record)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(&begun, &thread, &now, BPF_ANY);
	return 0;
}

SEC("tracepoint/raw_syscalls/sys_exit")
int leave(struct exit_record *record)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u64 *start = bpf_map_lookup_elem(&begun, &thread);
	struct slow_call *call;
	__u64 duration;

	if (!start)
		return 0;
	duration = bpf_ktime_get_ns() - *start;
	bpf_map_delete_elem(&begun, &thread);
	if (duration < slow_ns)
		return 0;
	call = bpf_ringbuf_reserve(&calls, sizeof(*call), 0);
	if (!call)
		return 0;
	call->duration_ns = duration;
	call->pid = thread >> 32;
	call->number = record->number;
	bpf_get_current_comm(call->comm, sizeof(call->comm));
	bpf_ringbuf_submit(call, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
