//@ guarantee = 7
//@ refused = [
//@     "length_in_a_loop",
//@ ]
// Differences of pointers are not reassociated: `a - b + c` is not `c - b + a`.

SEC("xdp") int rest_of_the_packet(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	u64 length = end - data;
	if (length < sizeof(struct ethhdr) + 8)
		return XDP_DROP;
	u8 *at = data + sizeof(struct ethhdr);
	if (at + 8 > (u8 *)end)
		return XDP_DROP;
	return at[7] + (length & 1);
}

SEC("xdp") int moved_header(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > end)
		return XDP_DROP;
	u64 head = (void *)ip - (void *)eth;
	u64 whole = (void *)(ip + 1) - (void *)eth;
	u8 *last = (void *)eth + (whole - head) + head - 1;
	if (last + 1 > (u8 *)end)
		return XDP_DROP;
	return *last;
}

SEC("tc") int offset_for_a_helper(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	if ((void *)(ip + 1) > end)
		return 0;
	u32 offset = (void *)&ip->check - data;
	u16 check = ip->check;
	bpf_l3_csum_replace(skb, offset, check, 0, 2);
	return 0;
}

SEC("tc") int length_in_a_loop(struct __sk_buff *skb)
{
	u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end, *at = data;
	u32 sum = 0;
	for (int i = 0; i < 6; i++) {
		if (at + 4 > end)
			break;
		sum += *at;
		at += (at[1] & 3) + 1;
		sum += at - data + 5;
	}
	return sum;
}

SEC("tc") int constant_minus_distance(struct __sk_buff *skb)
{
	u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	u64 missing = 64 - (end - data);
	if (missing > 64)
		return 0;
	return bpf_skb_change_tail(skb, skb->len + missing, 0);
}
