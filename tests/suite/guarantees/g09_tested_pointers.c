//@ guarantee = 9
//@ refused = ["timestamp_of_some -O1", "timestamp_of_some clang-16"]
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

SEC("xdp") int timestamp_of_some(struct xdp_md *ctx)
{
	u8 *at = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	u32 *stamp = 0;
	u16 *size = 0;
	if (at + 24 > end)
		return XDP_DROP;
	if (at[0] == 1)
		stamp = (u32 *)(at + 4);
	if (at[1] == 2)
		size = (u16 *)(at + 12);
	struct value *v = value_at(0);
	if (!v)
		return XDP_DROP;
	if (stamp)
		v->counters[0] = *stamp;
	if (size)
		v->counters[1] = *size;
	if (stamp && size)
		v->length = *stamp + *size;
	return XDP_PASS;
}

SEC("xdp") int option_that_may_be_there(struct xdp_md *ctx)
{
	u8 *at = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end, *found = 0;
	for (int i = 0; i < 4; i++) {
		if (at + 4 > end)
			return XDP_DROP;
		if (at[0] == 8) {
			found = at + 2;
			break;
		}
		at += 4;
	}
	if (!found)
		return XDP_PASS;
	return *(u16 *)found;
}
