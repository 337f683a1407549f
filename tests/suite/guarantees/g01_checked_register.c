//@ guarantee = 1
//@ refused = [
//@     "offset_and_length_are_checked_apart -mcpu=v2",
//@     "two_lengths -mcpu=v2",
//@     "offset_is_checked_first -mcpu=v2",
//@ ]
// What a comparison checked is what is used: clang adds again, or checks one copy and uses another.

SEC("socket") int sum_is_checked_and_used(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 a = skb->len, b = skb->mark;
	if (a + b > 255)
		return 0;
	v->bytes[a + b] = 1;
	return 0;
}

SEC("socket") int offset_and_length_are_checked_apart(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 offset = v->length, length = skb->len;
	if (offset > 128 || length > 128)
		return 0;
	if (length == 0)
		return 0;
	bpf_skb_load_bytes(skb, 0, &v->bytes[offset], length);
	v->length = offset + length;
	return 0;
}

SEC("kprobe/do_nanosleep") int length_of_a_string_is_a_size(void *ctx)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	long n = bpf_probe_read_kernel_str(v->bytes, 200, ctx);
	if (n < 0 || n > 200)
		return 0;
	v->length = n;
	bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, v->bytes, n);
	return 0;
}

SEC("kprobe/do_nanosleep") int two_strings_in_a_row(void *ctx)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 used = 0;
	long n = bpf_probe_read_kernel_str(v->bytes, 64, ctx);
	if (n > 0 && n <= 64)
		used += n;
	n = bpf_probe_read_kernel_str(v->bytes + used, 64, ctx);
	if (n > 0 && n <= 64)
		used += n;
	if (used > 0 && used <= 128)
		bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, v->bytes, used);
	return 0;
}

SEC("socket") int part_of_a_word_is_checked(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	if ((skb->len >> 3) >= 8)
		return 0;
	v->counters[skb->len >> 3]++;
	return 0;
}

SEC("socket") int two_lengths(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 a = skb->len, b = skb->mark;
	if (a > 100 || b > 100 || !a || !b)
		return 0;
	bpf_skb_load_bytes(skb, 0, v->bytes, a);
	bpf_skb_load_bytes(skb, a, v->bytes + 128, b);
	v->length = a + b;
	return 0;
}

SEC("socket") int offset_is_checked_first(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 offset = v->length, length = skb->mark;
	if (length > 64 || offset > 192 || length == 0)
		return 0;
	bpf_skb_load_bytes(skb, offset, &v->bytes[offset], length);
	v->length = offset + length;
	return offset;
}
