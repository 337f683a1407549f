// V0106
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int read(struct xdp_md *ctx)
{
	return ((__u32 *)ctx)[6] ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
