//@ guarantee = 4
// A pointer into the packet is never held, copied or spilled as 32 bits, although the context has it as such.

struct cursor {
	void *at;
	void *end;
};

static __noinline int first_byte(struct cursor *cursor)
{
	void *at = cursor->at;
	if (at + 1 > cursor->end)
		return -1;
	return *(u8 *)at;
}

SEC("xdp") int pointers_in_a_record(struct xdp_md *ctx)
{
	struct cursor cursor = { (void *)(long)ctx->data, (void *)(long)ctx->data_end };
	return first_byte(&cursor) == 1 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int difference_and_back(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	if ((void *)(ip + 1) > end)
		return XDP_DROP;
	u32 offset = (void *)ip - data;
	u8 *first = data + offset;
	return *first == 0x45 ? XDP_PASS : XDP_DROP;
}

SEC("tc") int pointer_survives_calls(struct __sk_buff *skb)
{
	void *data = (void *)(unsigned long long)skb->data;
	void *end = (void *)(unsigned long long)skb->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > end)
		return 0;
	u64 a = bpf_ktime_get_ns(), b = bpf_get_prandom_u32(), c = bpf_get_smp_processor_id();
	u64 d = bpf_ktime_get_ns(), e = bpf_get_prandom_u32(), f = bpf_get_smp_processor_id();
	eth->h_dest[0] = a ^ b ^ c ^ d ^ e ^ f ^ (a + d);
	eth->h_dest[1] = a + b + c + d + e + f;
	return 0;
}

SEC("xdp") int meta_and_data(struct xdp_md *ctx)
{
	u32 *meta = (void *)(long)ctx->data_meta;
	void *data = (void *)(long)ctx->data;
	if ((void *)(meta + 1) > data)
		return XDP_PASS;
	*meta = 7;
	return XDP_PASS;
}
