// Drops UDP packets to one port and counts what it drops, by source address.
//
// $ skep run examples/drop_udp.bpf.c --pkt examples/drop_udp.in.hex --dump-maps
// $ skep run examples/drop_udp.bpf.c --pkt examples/tcp_syn.in.hex --dump-maps
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define BLOCKED_PORT 53

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __be32);
	__type(value, __u64);
} dropped SEC(".maps");

static __always_inline void count(__be32 source)
{
	__u64 one = 1;
	__u64 *packets = bpf_map_lookup_elem(&dropped, &source);

	if (packets)
		__sync_fetch_and_add(packets, 1);
	else
		bpf_map_update_elem(&dropped, &source, &one, BPF_NOEXIST);
}

SEC("xdp")
int drop_udp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);

	if ((void *)(udp + 1) > data_end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5)
		return XDP_PASS;
	if (ip->protocol != IPPROTO_UDP || udp->dest != bpf_htons(BLOCKED_PORT))
		return XDP_PASS;
	count(ip->saddr);
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
