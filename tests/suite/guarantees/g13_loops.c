//@ guarantee = 13
//@ refused = [
//@     "counts_down_from_a_length -mcpu=v2",
//@ ]
// Counters stay what they are, tests of loops stay what they were, and loops end for the verifier.

SEC("socket") int counts_up(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 sum = 0;
	for (int i = 0; i < 256; i++)
		sum += v->bytes[i];
	return sum;
}

SEC("socket") int counts_down(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 sum = 0;
	for (int i = 7; i >= 0; i--)
		sum = sum * 31 + v->counters[i];
	return sum;
}

SEC("socket") int bounded_by_a_variable(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 length = skb->len, sum = 0;
	if (length > 200)
		length = 200;
	for (u32 i = 0; i < length; i++)
		sum += v->bytes[i];
	return sum;
}

SEC("xdp") int walks_the_packet(struct xdp_md *ctx)
{
	u8 *at = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	u32 sum = 0;
	for (int i = 0; i < 64; i++) {
		if (at + 1 > end)
			break;
		sum += *at++;
	}
	return sum & 3;
}

SEC("xdp") int options_of_a_header(struct xdp_md *ctx)
{
	u8 *at = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	u32 left = 40, seen = 0;
	for (int i = 0; i < 10; i++) {
		if (at + 2 > end || left < 2)
			return XDP_DROP;
		u8 kind = at[0], length = kind == 1 ? 1 : at[1];
		if (kind == 0 || length == 0 || length > left)
			break;
		seen |= 1u << (kind & 31);
		left -= length;
		at += length;
	}
	return seen & 1 ? XDP_DROP : XDP_PASS;
}

SEC("socket") int array_on_the_stack(struct __sk_buff *skb)
{
	u32 table[16] = {};
	for (u32 i = 0; i < 40; i++)
		table[(skb->len + i) & 15] += i;
	u32 sum = 0;
	for (u32 i = 0; i < 16; i++)
		sum ^= table[i] << (i & 3);
	return sum;
}

SEC("socket") int counts_down_from_a_length(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 n = skb->len, sum = 0;
	if (n > 200)
		n = 200;
	while (n > 0)
		sum += v->bytes[--n];
	return sum;
}

SEC("socket") int bounded_by_a_field(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 n = v->length, sum = 0;
	for (u32 i = 0; i < n && i < 256; i++)
		sum += v->bytes[i];
	return sum;
}

SEC("socket") int four_at_a_time(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 n = skb->len & 0xfc, sum = 0;
	for (u32 i = 0; i < n; i += 4)
		sum += *(u32 *)&v->bytes[i];
	return sum;
}
