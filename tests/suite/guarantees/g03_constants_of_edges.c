//@ guarantee = 3
//@ shown_by = "compiler/src/opt/sink.rs::what_is_added_to_a_pointer_is_not_merged"
// A constant of an edge stays a constant: never a pointer plus a value that is one of two. clang-19 falls into
// that with fourteen programs of xdp-tools, and with nothing as small as these.

SEC("xdp") int one_of_two_fields(struct xdp_md *ctx)
{
	u32 key = bpf_xdp_adjust_head(ctx, 4) ? 0 : 1;
	struct value *v = value_at(0);
	if (!v)
		return XDP_ABORTED;
	if (key)
		v->counters[0]++;
	else
		v->counters[1]++;
	return XDP_PASS;
}

SEC("xdp") int error_is_the_key(struct xdp_md *ctx)
{
	int err = bpf_xdp_adjust_tail(ctx, -4);
	u32 key = 1;
	if (!err)
		key = 0;
	struct value *v = bpf_map_lookup_elem(&values, &key);
	if (!v)
		return XDP_ABORTED;
	if (key == 0)
		v->length++;
	else
		v->counters[7]++;
	return XDP_PASS;
}

SEC("xdp") int one_of_four_fields(struct xdp_md *ctx)
{
	struct value *v = value_at(0);
	if (!v)
		return XDP_ABORTED;
	switch (ctx->rx_queue_index) {
	case 0:
		v->counters[0]++;
		break;
	case 1:
		v->counters[3]++;
		break;
	case 2:
		v->counters[5]++;
		break;
	default:
		v->counters[7]++;
	}
	return XDP_PASS;
}

SEC("xdp") int offset_by_header_kind(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	u32 offset = sizeof(*eth);
	if (eth->h_proto == bpf_htons(ETH_P_8021Q))
		offset += 4;
	struct iphdr *ip = data + offset;
	if ((void *)(ip + 1) > end)
		return XDP_DROP;
	return ip->protocol == IPPROTO_TCP ? XDP_PASS : XDP_DROP;
}

static __always_inline u32 key_of(int err)
{
	switch (err) {
	case 0:
		return 0;
	case -22:
		return 2;
	case -100:
		return 3;
	case -90:
		return 4;
	}
	return 1;
}

SEC("socket") int dropped_or_processed(struct __sk_buff *skb)
{
	u32 key = key_of(skb->mark), index = key * 4 + bpf_get_smp_processor_id();
	struct value *v = bpf_map_lookup_elem(&values, &index);
	if (!v)
		return 0;
	if (key)
		v->counters[1]++;
	else
		v->counters[0]++;
	return 0;
}
