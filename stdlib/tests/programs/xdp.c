// Counts packets by protocol and drops what is marked: uapi headers alone.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_vlan.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} hits SEC(".maps");

static __always_inline bool parse(void *data, void *end, __u32 *protocol)
{
	struct ethhdr *eth = data;

	if (data + sizeof(*eth) + sizeof(struct iphdr) > end)
		return false;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = data + sizeof(*eth);

		*protocol = ip->protocol;
		return true;
	}
	if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = data + sizeof(*eth);

		if ((void *)(ip + 1) > end)
			return false;
		*protocol = ip->nexthdr;
		return true;
	}
	return false;
}

SEC("xdp")
int count(struct xdp_md *ctx)
{
	__u32 protocol = 0;
	__u64 *value;

	if (!parse((void *)(long)ctx->data, (void *)(long)ctx->data_end, &protocol))
		return XDP_PASS;
	value = bpf_map_lookup_elem(&hits, &protocol);
	if (value)
		*value += 1;
	return protocol == IPPROTO_ICMP ? XDP_DROP : XDP_PASS;
}

SEC("tc")
int mark(struct __sk_buff *skb)
{
	skb->mark = 1;
	return skb->protocol == bpf_htons(ETH_P_IP) ? TC_ACT_OK : TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "GPL";
