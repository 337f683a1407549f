// V0504
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int wait(struct __sk_buff *skb)
{
	volatile __u32 *mark = &skb->mark;

	while (*mark)
		;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
