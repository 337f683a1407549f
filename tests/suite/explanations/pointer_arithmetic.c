// V0202
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int scale(struct __sk_buff *skb)
{
	unsigned long data = skb->data;
	unsigned char *here;

	asm volatile("%0 *= 2" : "+r"(data));
	here = (void *)data;
	return *here;
}

char LICENSE[] SEC("license") = "GPL";
