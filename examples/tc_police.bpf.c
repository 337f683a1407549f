// A token bucket in a traffic-control classifier: passes a burst, then drops.
//
// $ skep run examples/tc_police.bpf.c --pkt examples/tcp_syn.in.hex --repeat 6 --tick 1000
// $ skep test examples/tc_police.test.toml
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define BURST 4
#define NS_PER_TOKEN 1000000

struct bucket {
	__u64 last_ns;
	__u64 tokens;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bucket);
} buckets SEC(".maps");

SEC("tc")
int police(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, &key);
	__u64 now = bpf_ktime_get_ns();
	__u64 fresh;

	if (!bucket)
		return TC_ACT_OK;
	fresh = (now - bucket->last_ns) / NS_PER_TOKEN;
	if (fresh) {
		bucket->tokens += fresh;
		bucket->last_ns = now;
		if (bucket->tokens > BURST)
			bucket->tokens = BURST;
	}
	if (!bucket->tokens)
		return TC_ACT_SHOT;
	bucket->tokens--;
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "GPL";
