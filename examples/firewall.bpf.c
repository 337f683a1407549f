// A firewall: rules by network, the longest prefix wins; counts by verdict on every processor.
//
// $ skep run examples/firewall.bpf.c --pcap examples/firewall.pcap
// $ skep test examples/firewall.test.toml
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct network {
	__u32 prefix;
	__be32 address;
};

struct rule {
	__be16 port; /* 0: any */
	__u8 allow;
	__u8 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct network);
	__type(value, struct rule);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 5);
	__type(key, __u32);
	__type(value, __u64);
} verdicts SEC(".maps");

/* What happens to what no rule is about. */
const volatile int otherwise = XDP_PASS;

static __always_inline int judge(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct network source = { .prefix = 32 };
	struct rule *rule;

	if ((void *)tcp > data_end)
		return XDP_DROP;
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	source.address = ip->saddr;
	rule = bpf_map_lookup_elem(&rules, &source);
	if (!rule)
		return otherwise;
	if (rule->port) {
		if (ip->ihl != 5 || ip->protocol != IPPROTO_TCP || (void *)(tcp + 1) > data_end)
			return otherwise;
		if (tcp->dest != rule->port)
			return otherwise;
	}
	return rule->allow ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int firewall(struct xdp_md *ctx)
{
	__u32 verdict = judge(ctx);
	__u64 *count = bpf_map_lookup_elem(&verdicts, &verdict);

	if (count)
		*count += 1;
	return verdict;
}

char LICENSE[] SEC("license") = "GPL";
