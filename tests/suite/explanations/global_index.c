// V0102
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u32 limits[8];

SEC("xdp")
int pick(struct xdp_md *ctx)
{
	__u32 queue = ctx->rx_queue_index & 15;

	return limits[queue] ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
