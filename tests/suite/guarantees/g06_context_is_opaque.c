//@ guarantee = 6
//@ refused = [
//@     "one_of_two_context_fields",
//@     "address_word_by_word -O1",
//@     "loop_over_a_field -Os",
//@     "read_of_one_of_two",
//@     "slots_in_a_loop -O1",
//@     "sum_of_slots_backwards -O1",
//@     "field_by_number",
//@     "field_is_passed",
//@     "address_is_compared_in_a_loop -O1",
//@     "address_is_copied_in_a_loop -O1",
//@     "one_of_two_numbers_of_the_context",
//@     "field_of_two_in_sum",
//@     "port_or_address",
//@     "mark_or_priority",
//@     "one_of_two_ports",
//@     "sum_of_an_address -O1",
//@     "source_is_written -O1",
//@     "sum_of_the_peer -O1",
//@     "port_or_length",
//@ ]
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

SEC("socket") int read_of_one_of_two(struct __sk_buff *skb)
{
	u32 value = skb->len > 100 ? skb->mark : skb->priority;
	return value & 7;
}

SEC("tc") int slots_in_a_loop(struct __sk_buff *skb)
{
	for (int i = 0; i < 4; i++)
		skb->cb[i] = i * skb->len;
	return 0;
}

SEC("tc") int sum_of_slots_backwards(struct __sk_buff *skb)
{
	u32 sum = 0;
	for (int i = 4; i >= 0; i--)
		sum = sum * 3 + skb->cb[i];
	return sum;
}

SEC("tc") int field_by_number(struct __sk_buff *skb)
{
	u32 *field;
	switch (bpf_get_prandom_u32() & 3) {
	case 0:
		field = &skb->mark;
		break;
	case 1:
		field = &skb->priority;
		break;
	case 2:
		field = &skb->tc_index;
		break;
	default:
		field = &skb->cb[0];
	}
	*field = 1;
	return 0;
}

static __always_inline void set(u32 *field, u32 value)
{
	*field = value;
}

SEC("tc") int field_is_passed(struct __sk_buff *skb)
{
	if (skb->len > 64)
		set(&skb->mark, skb->len);
	else
		set(&skb->priority, skb->len);
	return 0;
}

SEC("cgroup/connect6") int address_is_compared_in_a_loop(struct bpf_sock_addr *ctx)
{
	for (int i = 0; i < 3; i++)
		if (ctx->user_ip6[i])
			return 0;
	return ctx->user_ip6[3] == 0x1000000;
}

SEC("cgroup/connect6") int address_is_copied_in_a_loop(struct bpf_sock_addr *ctx)
{
	struct value *v = value_at(0);
	if (!v)
		return 1;
	for (int i = 0; i < 4; i++)
		v->grid[0][i] = ctx->user_ip6[i];
	return 1;
}

SEC("xdp") int one_of_two_numbers_of_the_context(struct xdp_md *ctx)
{
	u32 *field = bpf_get_prandom_u32() & 1 ? &ctx->ingress_ifindex : &ctx->rx_queue_index;
	return *field == 3 ? XDP_DROP : XDP_PASS;
}

SEC("tc") int field_of_two_in_sum(struct __sk_buff *skb)
{
	u32 n = bpf_get_prandom_u32(), sum = 0;
	sum += n & 1 ? skb->mark : skb->priority;
	sum += n & 2 ? skb->tc_index : skb->hash;
	return sum & 1;
}

SEC("cgroup/connect4") int port_or_address(struct bpf_sock_addr *ctx)
{
	u32 n = bpf_get_prandom_u32() & 1 ? ctx->user_ip4 : ctx->user_port;
	return n != 22;
}

SEC("cgroup/sock_create") int mark_or_priority(struct bpf_sock *sk)
{
	u32 *field = bpf_get_prandom_u32() & 1 ? &sk->mark : &sk->priority;
	*field = 3;
	return 1;
}

SEC("sockops") int one_of_two_ports(struct bpf_sock_ops *ops)
{
	u32 port = ops->op == 3 ? ops->local_port : ops->remote_port;
	return port == 80;
}

SEC("sockops") int sum_of_an_address(struct bpf_sock_ops *ops)
{
	u32 sum = 0;
	for (int i = 0; i < 4; i++)
		sum += ops->remote_ip6[i];
	return sum & 1;
}

SEC("cgroup/sendmsg6") int source_is_written(struct bpf_sock_addr *ctx)
{
	for (int i = 0; i < 4; i++)
		ctx->msg_src_ip6[i] = ctx->user_ip6[i];
	return 1;
}

SEC("sk_msg") int sum_of_the_peer(struct sk_msg_md *msg)
{
	u32 sum = 0;
	for (int i = 0; i < 4; i++)
		sum ^= msg->remote_ip6[i];
	return sum ? 1 : 0;
}

SEC("sk_reuseport") int port_or_length(struct sk_reuseport_md *ctx)
{
	u32 n = bpf_get_prandom_u32() & 1 ? ctx->len : ctx->hash;
	return n & 1;
}
