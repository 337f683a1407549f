// V0601
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int count(struct __sk_buff *skb)
{
	__u32 sum = 0;

	for (__u32 i = 0; i < skb->len; i++)
		sum += i ^ (sum >> 3);
	return sum & 1;
}

char LICENSE[] SEC("license") = "GPL";
