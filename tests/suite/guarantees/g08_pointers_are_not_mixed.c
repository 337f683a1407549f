//@ guarantee = 8
//@ refused = ["socket_or_context"]
// No bitwise logic on pointers, no selection between pointers of different kinds.

SEC("socket") int both_or_nothing(struct __sk_buff *skb)
{
	struct value *a = value_at(0), *b = value_at(1);
	if (!a || !b)
		return 0;
	a->length += b->length;
	return 0;
}

SEC("socket") int neither(struct __sk_buff *skb)
{
	struct value *a = value_at(0), *b = value_at(skb->len);
	if (!(a && b))
		return 1;
	return a->counters[0] == b->counters[0];
}

SEC("socket") int map_or_stack(struct __sk_buff *skb)
{
	u64 local = skb->len;
	struct value *v = value_at(0);
	u64 *counter = v ? &v->counters[2] : &local;
	*counter += 5;
	return local;
}

SEC("xdp") int packet_or_map(struct xdp_md *ctx)
{
	u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct value *v = value_at(0);
	if (!v || data + 16 > end)
		return XDP_PASS;
	char *from = ctx->rx_queue_index ? (char *)data : v->bytes;
	return from[3] == 7 ? XDP_DROP : XDP_PASS;
}

SEC("cgroup/skb") int socket_or_context(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	if (!sk)
		return 1;
	struct bpf_sock *full = bpf_sk_fullsock(sk);
	u32 mark = full ? full->mark : skb->mark;
	return mark == 3;
}
