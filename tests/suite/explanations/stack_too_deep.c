// V0506
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __attribute__((noinline)) int inner(struct __sk_buff *skb)
{
	volatile char buf[300];

	buf[skb->len & 255] = 1;
	buf[0] = 2;
	return buf[0];
}

SEC("tc")
int outer(struct __sk_buff *skb)
{
	volatile char buf[300];

	buf[0] = inner(skb);
	buf[skb->len & 255] = 1;
	return buf[0];
}

char LICENSE[] SEC("license") = "GPL";
