// V0103
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int pick(struct __sk_buff *skb)
{
	volatile char table[16] = {};
	__u32 i = skb->priority & 31;

	table[i] = 1;
	return table[3];
}

char LICENSE[] SEC("license") = "GPL";
