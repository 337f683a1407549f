//@ guarantee = 14
//@ shown_by = "compiler/src/codegen/tests/mod.rs::a_mask_is_applied_to_a_constant"
// A condition never becomes a mask: each such mask doubles the paths that kernels from 6.12 on walk. They refuse
// what clang-19 makes of `masks_of_the_source` after a million instructions.

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

#define MASK(n) sum += -((word >> n) & 1) & (n + 3);

SEC("socket") int masks_of_the_source(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u64 word = bpf_ktime_get_ns();
	u32 sum = 0;
	MASK(0) MASK(1) MASK(2) MASK(3) MASK(4) MASK(5) MASK(6) MASK(7) MASK(8) MASK(9) MASK(10) MASK(11)
	MASK(12) MASK(13) MASK(14) MASK(15) MASK(16) MASK(17) MASK(18) MASK(19) MASK(20) MASK(21) MASK(22) MASK(23)
	if (sum < 256)
		v->bytes[sum] = 1;
	return 0;
}
