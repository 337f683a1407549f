//@ guarantee = 6
//@ refused = ["one_of_two_context_fields", "address_word_by_word -O1", "loop_over_a_field -Os"]
// Fields of the context are accessed as they are written, through the context pointer itself.

SEC("tc") int neighbours_are_stored_apart(struct __sk_buff *skb)
{
	skb->cb[0] = 1;
	skb->cb[1] = 2;
	skb->cb[2] = 0;
	skb->cb[3] = 0;
	skb->mark = 0;
	return 0;
}

SEC("tc") int loop_over_a_field(struct __sk_buff *skb)
{
	u32 sum = 0;
	for (int i = 0; i < 5; i++)
		sum += skb->cb[i];
	for (int i = 0; i < 5; i++)
		skb->cb[i] = sum + i;
	return 0;
}

SEC("tc") int one_of_two_context_fields(struct __sk_buff *skb)
{
	u32 *field = skb->len > 100 ? &skb->mark : &skb->priority;
	*field = 7;
	return 0;
}

SEC("tc") int address_of_a_field_in_a_variable(struct __sk_buff *skb)
{
	u32 *cb = skb->cb;
	if (skb->protocol == 8)
		cb[0] = skb->mark;
	bpf_get_prandom_u32();
	cb[1] = cb[2] + cb[3];
	return 0;
}

SEC("cgroup/connect6") int address_word_by_word(struct bpf_sock_addr *ctx)
{
	for (int i = 0; i < 4; i++) {
		u32 bytes = ((u8 *)&ctx->user_ip6[i])[0] | ((u8 *)&ctx->user_ip6[i])[1] << 8;
		if ((ctx->user_ip6[i] & 0xffff) != bytes)
			return 0;
	}
	ctx->user_ip6[0] = 0;
	ctx->user_ip6[1] = 0;
	ctx->user_ip6[2] = 0;
	ctx->user_ip6[3] = 0x1000000;
	return 1;
}
