//@ guarantee = 2
//@ refused = [
//@     "quotient_of_a_word_is_an_index",
//@     "quotient_is_a_length",
//@     "quotient_in_steps",
//@     "quotient_of_the_time",
//@     "remainder_is_an_index",
//@     "quotient_by_a_variable",
//@     "quotient_of_a_sum",
//@     "bucket_and_its_neighbour",
//@     "quotient_in_a_grid",
//@     "product_of_a_quotient",
//@     "quotient_as_a_queue",
//@     "remainder_is_a_length",
//@ ]
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

SEC("socket") int quotient_is_a_length(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 length = skb->len / 3;
	if (length == 0 || length > 200)
		return 0;
	return bpf_skb_load_bytes(skb, 0, v->bytes, length);
}

SEC("socket") int quotient_in_steps(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 slot = skb->len / 100;
	if (slot > 7)
		return 0;
	v->counters[slot] += skb->len;
	v->grid[slot & 3][slot]++;
	return 0;
}

SEC("socket") int quotient_of_the_time(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 ms = (u32)bpf_ktime_get_ns() / 1000000;
	if (ms < 256)
		v->bytes[ms]++;
	return 0;
}

SEC("socket") int remainder_is_an_index(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 slot = skb->len % 13;
	if (slot < 8)
		v->counters[slot]++;
	return 0;
}

SEC("socket") int quotient_by_a_variable(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 slot = skb->len / (skb->mark | 1);
	if (slot < 8)
		v->counters[slot]++;
	return 0;
}

SEC("socket") int quotient_of_a_sum(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 slot = (skb->len + skb->mark) / 9;
	if (slot < 256)
		v->bytes[slot] = 1;
	return 0;
}

SEC("socket") int bucket_and_its_neighbour(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 slot = skb->len / 1000;
	if (slot < 7) {
		v->counters[slot]++;
		v->counters[slot + 1]--;
	}
	return 0;
}

SEC("socket") int quotient_in_a_grid(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 row = skb->len / 7, column = skb->mark / 7;
	if (row < 4 && column < 8)
		v->grid[row][column]++;
	return 0;
}

SEC("socket") int product_of_a_quotient(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 step = skb->len / 12;
	if (step < 64)
		*(u32 *)&v->bytes[step * 4] = 1;
	return 0;
}

SEC("xdp") int quotient_as_a_queue(struct xdp_md *ctx)
{
	struct value *v = value_at(0);
	if (!v)
		return XDP_PASS;
	u32 queue = ctx->rx_queue_index / 3;
	if (queue >= 8)
		return XDP_PASS;
	v->counters[queue]++;
	return v->grid[0][queue] ? XDP_DROP : XDP_PASS;
}

SEC("socket") int remainder_is_a_length(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 length = skb->len % 300;
	if (length < 1 || length > 256)
		return 0;
	return bpf_skb_load_bytes(skb, 0, v->bytes, length);
}
