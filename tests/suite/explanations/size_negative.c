// V0306
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} events SEC(".maps");

SEC("tc")
int send(struct __sk_buff *skb)
{
	char buf[64] = {};
	__s64 len = (__s32)bpf_get_prandom_u32();

	bpf_perf_event_output(skb, &events, BPF_F_CURRENT_CPU, buf, len);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
