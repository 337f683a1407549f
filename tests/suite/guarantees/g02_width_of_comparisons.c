//@ guarantee = 2
//@ refused = ["quotient_of_a_word_is_an_index"]
// A comparison of 32 bits guards an index of 64: the kernel does not connect the halves.

SEC("socket") int quotient_is_an_index(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 slot = v->counters[0] / 200;
	if (slot >= 8)
		slot = 7;
	v->counters[slot]++;
	return 0;
}

SEC("socket") int quotient_of_a_word_is_an_index(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 slot = skb->len / 200;
	if (slot < 8)
		v->counters[slot]++;
	return 0;
}

SEC("socket") int signed_index(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	int index = skb->priority;
	if (index < 0 || index >= 8)
		return 0;
	v->counters[index] += skb->len;
	return 0;
}

SEC("socket") int lower_half_is_checked(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u64 wide = v->counters[0];
	u32 low = wide;
	if (low >= 8)
		return 0;
	v->counters[wide & 0xffffffff]++;
	return 0;
}

static __always_inline u32 log2_of(u32 x)
{
	u32 r, shift;
	r = (x > 0xffff) << 4;
	x >>= r;
	shift = (x > 0xff) << 3;
	x >>= shift;
	r |= shift;
	shift = (x > 0xf) << 2;
	x >>= shift;
	r |= shift;
	shift = (x > 0x3) << 1;
	x >>= shift;
	r |= shift;
	return r | (x >> 1);
}

SEC("socket") int histogram_of_powers(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u64 delta = bpf_ktime_get_ns() - v->counters[0];
	u32 high = delta >> 32;
	u64 slot = high ? log2_of(high) + 32 : log2_of(delta);
	if (slot >= 8)
		slot = 7;
	__sync_fetch_and_add(&v->counters[slot], 1);
	return 0;
}
