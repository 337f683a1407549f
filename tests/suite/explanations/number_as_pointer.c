// V0304
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int print(struct xdp_md *ctx)
{
	char *text = (char *)(long)ctx->rx_queue_index;

	bpf_trace_printk(text, 20);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
