// Slips of the pen get a proposal.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct event {
	unsigned long timestamp;
	int process;
};

SEC("xdp")
int f(struct xdp_md *ctx)
{
	struct event e = {.timestmp = bpf_ktime_get_n()};

	return e.proces ? XDP_PAS : ctx->dat;
}
