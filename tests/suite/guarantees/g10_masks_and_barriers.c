//@ guarantee = 10
//@ refused = [
//@     "remainder_is_masked",
//@     "quotient_is_masked",
//@     "remainder_of_a_length_is_masked",
//@     "remainder_by_a_variable_is_masked",
//@     "index_is_clamped_again",
//@     "remainder_is_checked",
//@     "sum_of_remainders_is_masked",
//@ ]
// A mask that bounds an index stays; an empty asm is a full barrier.

SEC("xdp") int last_byte(struct xdp_md *ctx)
{
	u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	u64 offset = end - data;
	if (offset == 0)
		return XDP_DROP;
	offset &= 0x7fff;
	if (data + offset > end || offset < 1)
		return XDP_DROP;
	u64 at = (offset - 1) & 0x7fff;
	if (data + at + 1 > end)
		return XDP_DROP;
	return data[at] == 0 ? XDP_PASS : XDP_DROP;
}

SEC("socket") int mask_after_a_check(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 index = skb->len;
	if (index > 7)
		return 0;
	v->counters[index & 7]++;
	return 0;
}

SEC("socket") int mask_before_a_loop(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 start = skb->mark & 127;
	for (u32 i = 0; i < 100; i++)
		v->bytes[(start + i) & 255] = i;
	return 0;
}

SEC("socket") int barrier_before_a_check(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u64 size = skb->len;
	asm volatile("" : "+r"(size));
	if (size > 8)
		size = 8;
	asm volatile("" : "+r"(size));
	if (size > 255)
		return 0;
	v->bytes[size] = 1;
	return 0;
}

SEC("socket") int mask_by_assembly(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u64 index = skb->len;
	asm volatile("%[index] &= 0xff;\n" : [index] "+r"(index));
	v->bytes[index] = 1;
	return 0;
}

SEC("socket") int remainder_is_masked(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	v->counters[(skb->len % 7) & 7]++;
	return 0;
}

SEC("socket") int quotient_is_masked(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	v->counters[(skb->hash / 600000000) & 7]++;
	return 0;
}

SEC("socket") int remainder_of_a_length_is_masked(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 n = bpf_ktime_get_ns() % 200;
	n &= 255;
	v->bytes[n] = 1;
	return 0;
}

SEC("socket") int remainder_by_a_variable_is_masked(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 m = (skb->mark & 127) + 1;
	v->bytes[(skb->hash % m) & 255] = 1;
	return 0;
}

SEC("socket") int index_is_clamped_again(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u64 n = skb->len % 100;
	if (n > 255)
		n = 255;
	v->bytes[n] = 1;
	return 0;
}

SEC("socket") int remainder_is_checked(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u64 n = skb->len % 100;
	if (n >= 256)
		return 0;
	v->bytes[n] = 1;
	return 0;
}

SEC("socket") int sum_of_remainders_is_masked(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u64 word = bpf_ktime_get_ns();
	u32 n = 0;
	for (u32 i = 0; i < 6; i++)
		n += (word >> (i * 8)) % 40;
	v->bytes[n & 255]++;
	return 0;
}
