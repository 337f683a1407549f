// V0203
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
int pick(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct value *value = bpf_map_lookup_elem(&values, &key);
	int i = skb->priority;

	if (!value)
		return 0;
	if (i < 16)
		return value->data[i];
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
