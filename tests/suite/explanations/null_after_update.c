// V0108
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct value {
	__u64 count;
	__u32 data[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct value);
} values SEC(".maps");

SEC("tc")
int count(struct __sk_buff *skb)
{
	struct value fresh = {}, *value;
	__u32 key = skb->hash;

	value = bpf_map_lookup_elem(&values, &key);
	if (!value) {
		bpf_map_update_elem(&values, &key, &fresh, BPF_ANY);
		value = bpf_map_lookup_elem(&values, &key);
	}
	__sync_fetch_and_add(&value->count, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
