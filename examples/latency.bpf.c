// Measures how long a kernel function takes: a kprobe notes the start, a kretprobe adds to a
// histogram of powers of two. Two programs share two maps.
//
// $ skep run examples/latency.bpf.c --prog enter --prog leave --pid 7 --time 1000 --tick 300000 --dump-maps
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define SLOTS 32

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} started SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} histogram SEC(".maps");

static __u32 log2_of(__u64 value)
{
	__u32 log = 0;

#pragma unroll
	for (int i = 0; i < 5; i++) {
		__u32 half = 16 >> i;

		if (value >> half) {
			value >>= half;
			log += half;
		}
	}
	return log;
}

SEC("kprobe/vfs_read")
int BPF_KPROBE(enter)
{
	__u32 tid = bpf_get_current_pid_tgid();
	__u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(&started, &tid, &now, BPF_ANY);
	return 0;
}

SEC("kretprobe/vfs_read")
int BPF_KRETPROBE(leave)
{
	__u32 tid = bpf_get_current_pid_tgid();
	__u64 *start = bpf_map_lookup_elem(&started, &tid);
	__u64 *count;
	__u32 slot;

	if (!start)
		return 0;
	slot = log2_of((bpf_ktime_get_ns() - *start) / 1000);
	bpf_map_delete_elem(&started, &tid);
	count = bpf_map_lookup_elem(&histogram, &slot);
	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
