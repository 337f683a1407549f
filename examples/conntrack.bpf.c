// Tracks connections: only what was asked for from inside may come in. The table holds few
// connections and forgets the one that was quiet the longest.
//
// $ skep test examples/conntrack.test.toml
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define INSIDE 2 /* interface of the network that is protected */
#define TIMEOUT_NS 60000000000ull

struct flow {
	__be32 inside;
	__be32 outside;
	__be16 inside_port;
	__be16 outside_port;
};

struct connection {
	__u64 last_ns;
	__u64 packets;
	__u8 established;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4);
	__type(key, struct flow);
	__type(value, struct connection);
} connections SEC(".maps");

static __always_inline int outgoing(struct flow *flow, __u64 now)
{
	struct connection *known = bpf_map_lookup_elem(&connections, flow);
	struct connection fresh = { .last_ns = now, .packets = 1 };

	if (known) {
		known->last_ns = now;
		known->packets++;
	} else {
		bpf_map_update_elem(&connections, flow, &fresh, BPF_ANY);
	}
	return TC_ACT_OK;
}

static __always_inline int incoming(struct flow *flow, struct tcphdr *tcp, __u64 now)
{
	struct connection *known = bpf_map_lookup_elem(&connections, flow);

	if (!known)
		return TC_ACT_SHOT;
	if (now - known->last_ns > TIMEOUT_NS || tcp->rst) {
		bpf_map_delete_elem(&connections, flow);
		return tcp->rst ? TC_ACT_OK : TC_ACT_SHOT;
	}
	if (tcp->syn && tcp->ack)
		known->established = 1;
	known->last_ns = now;
	known->packets++;
	return TC_ACT_OK;
}

SEC("tc")
int conntrack(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	void *data_end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct flow flow = {};
	__u64 now = bpf_ktime_get_ns();

	if ((void *)(tcp + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	if (ip->ihl != 5 || ip->protocol != IPPROTO_TCP)
		return TC_ACT_OK;
	if (skb->ingress_ifindex == INSIDE) {
		flow.inside = ip->saddr;
		flow.inside_port = tcp->source;
		flow.outside = ip->daddr;
		flow.outside_port = tcp->dest;
		return outgoing(&flow, now);
	}
	flow.inside = ip->daddr;
	flow.inside_port = tcp->dest;
	flow.outside = ip->saddr;
	flow.outside_port = tcp->source;
	return incoming(&flow, tcp, now);
}

char LICENSE[] SEC("license") = "GPL";
