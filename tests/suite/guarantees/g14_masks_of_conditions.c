//@ guarantee = 14
// A condition never becomes a mask: each such mask doubles the paths that the kernel walks.

#define BIT(n) sum += (word >> n) & 1 ? n + 3 : 0;

SEC("socket") int sum_of_bits_is_an_index(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 word = skb->len, sum = 0;
	BIT(0) BIT(1) BIT(2) BIT(3) BIT(4) BIT(5) BIT(6) BIT(7) BIT(8) BIT(9)
	if (sum < 256)
		v->bytes[sum] = 1;
	return 0;
}

SEC("socket") int selected_sizes(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 word = skb->mark, size = 1;
	size += word & 1 ? 2 : 0;
	size += word & 2 ? 4 : 0;
	size += word & 4 ? 8 : 0;
	size += word & 8 ? 16 : 0;
	bpf_skb_load_bytes(skb, 0, v->bytes, size);
	return 0;
}

SEC("socket") int sign_is_a_condition(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	s32 a = skb->len, b = skb->mark, c = skb->priority, d = skb->hash;
	u32 index = (a < 0 ? 1 : 0) + (b < 0 ? 2 : 0) + (c < 0 ? 4 : 0) + (d < 0 ? 8 : 0);
	v->bytes[index] = 1;
	return 0;
}
