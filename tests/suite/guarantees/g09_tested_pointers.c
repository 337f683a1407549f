//@ guarantee = 9
// A pointer that is assigned on some paths and tested later keeps its test, or loses it everywhere.

SEC("xdp") int header_of_some_packets(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct tcphdr *tcp = 0;
	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = (void *)(eth + 1);
		if ((void *)(ip + 1) > end)
			return XDP_DROP;
		if (ip->protocol == IPPROTO_TCP)
			tcp = (void *)(ip + 1);
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = (void *)(eth + 1);
		if ((void *)(ip + 1) > end)
			return XDP_DROP;
		if (ip->nexthdr == IPPROTO_TCP)
			tcp = (void *)(ip + 1);
	}
	bpf_get_prandom_u32();
	if (!tcp || (void *)(tcp + 1) > end)
		return XDP_PASS;
	return tcp->syn ? XDP_DROP : XDP_PASS;
}

SEC("socket") int second_try(struct __sk_buff *skb)
{
	struct value *v = value_at(skb->len);
	if (!v)
		v = value_at(skb->mark);
	if (!v)
		v = value_at(0);
	if (!v)
		return 0;
	v->length++;
	return 1;
}

SEC("socket") int found_in_a_loop(struct __sk_buff *skb)
{
	struct value *found = 0;
	for (u32 i = 0; i < 2; i++) {
		struct value *v = value_at(i);
		if (v && v->length == skb->len) {
			found = v;
			break;
		}
	}
	if (found)
		found->counters[1]++;
	return 0;
}
