// V0201
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>

SEC("kprobe/tcp_v4_rcv")
int receive(struct pt_regs *ctx, void *skb)
{
	bpf_printk("%p", skb);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
