// V0103
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tracepoint/sched/sched_switch")
int copy(void *ctx)
{
	char buf[64];
	__u32 len = bpf_get_prandom_u32() & 127;

	bpf_probe_read_kernel(buf, len, ctx);
	return buf[0];
}

char LICENSE[] SEC("license") = "GPL";
