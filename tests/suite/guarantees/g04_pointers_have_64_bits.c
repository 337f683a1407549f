//@ guarantee = 4
//@ refused = [
//@     "cursor_over_a_buffer -O1",
//@     "cursor_in_two_arms",
//@ ]
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

struct buf { struct __sk_buff *skb; u8 *head; u8 *tail; };
static __always_inline u64 buf_off(const struct buf *buf)
{
	return buf->head - (u8 *)(unsigned long)buf->skb->data;
}

static __always_inline int buf_copy(struct buf *buf, void *dst, u64 len)
{
	if (bpf_skb_load_bytes(buf->skb, buf_off(buf), dst, len))
		return 0;
	buf->head += len;
	return 1;
}

SEC("tc") int cursor_over_a_buffer(struct __sk_buff *skb)
{
	struct buf buf = { skb, (void *)(long)skb->data, (void *)(long)skb->data_end };
	struct ethhdr eth;
	struct iphdr ip;
	if (!buf_copy(&buf, &eth, sizeof(eth)))
		return 0;
	if (eth.h_proto == bpf_htons(ETH_P_IP) && buf_copy(&buf, &ip, sizeof(ip)))
		return ip.protocol;
	return 1;
}

SEC("tc") int cursor_in_two_arms(struct __sk_buff *skb)
{
	struct buf buf = { skb, (void *)(long)skb->data, (void *)(long)skb->data_end };
	struct ethhdr eth;
	u32 word = 0;
	if (!buf_copy(&buf, &eth, sizeof(eth)))
		return 0;
	if (eth.h_proto == bpf_htons(ETH_P_8021Q))
		buf.head += 4;
	if (buf.head + 20 > buf.tail)
		return 0;
	if (buf.head[0] == 0x45)
		buf.head += 20;
	else
		buf.head += 40;
	if (!buf_copy(&buf, &word, 4))
		return 0;
	return word;
}
