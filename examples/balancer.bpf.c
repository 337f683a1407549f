// A load balancer: one program parses, and calls the one for the protocol; that one chooses a server
// by the flow and rewrites the packet for it.
//
// $ skep test examples/balancer.test.toml
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum stage { TCP, UDP, STAGES };

struct server {
	__be32 address;
	__u8 mac[ETH_ALEN];
	__u16 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct server);
} servers SEC(".maps");

/* Packets by server. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __be32);
	__type(value, __u64);
} served SEC(".maps");

const volatile __u32 server_count = 2;

int balance_tcp(struct xdp_md *ctx);
int balance_udp(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, STAGES);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct xdp_md *));
} stages SEC(".maps") = {
	.values = {
		[TCP] = (void *)&balance_tcp,
		[UDP] = (void *)&balance_udp,
	},
};

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline void count(__be32 address)
{
	__u64 one = 1;
	__u64 *packets = bpf_map_lookup_elem(&served, &address);

	if (packets)
		*packets += 1;
	else
		bpf_map_update_elem(&served, &address, &one, BPF_NOEXIST);
}

/* Sends the packet to the server of its flow; the transport's checksum covers the address, too. */
static __always_inline int forward(struct ethhdr *eth, struct iphdr *ip, __u32 ports, __sum16 *check)
{
	__u32 index = ((ip->saddr ^ ports) * 0x9e3779b1u >> 16) % server_count;
	struct server *server = bpf_map_lookup_elem(&servers, &index);
	__be32 old = ip->daddr, address;

	if (!server || !server->address)
		return XDP_DROP;
	address = server->address;
	ip->daddr = address;
	ip->check = fold(bpf_csum_diff(&old, 4, &address, 4, ~ip->check & 0xffff));
	if (*check)
		*check = fold(bpf_csum_diff(&old, 4, &address, 4, ~*check & 0xffff));
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, server->mac, ETH_ALEN);
	count(address);
	return XDP_TX;
}

SEC("xdp")
int balance_tcp(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);

	/* What the caller knew of the packet is not known here. */
	if ((void *)(tcp + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	return forward(eth, ip, tcp->source << 16 | tcp->dest, &tcp->check);
}

SEC("xdp")
int balance_udp(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);

	if ((void *)(udp + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	return forward(eth, ip, udp->source << 16 | udp->dest, &udp->check);
}

SEC("xdp")
int balance(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5)
		return XDP_PASS;
	switch (ip->protocol) {
	case IPPROTO_TCP:
		bpf_tail_call(ctx, &stages, TCP);
		break;
	case IPPROTO_UDP:
		bpf_tail_call(ctx, &stages, UDP);
		break;
	}
	return XDP_PASS; /* also if there is no program for it */
}

char LICENSE[] SEC("license") = "GPL";
