//@ guarantee = 8
//@ refused = [
//@     "looked_up_twice",
//@     "nothing_when_both_are_missing",
//@     "socket_or_context",
//@     "family_of_one_of_two",
//@     "priority_of_one_of_two",
//@     "tcp_or_not",
//@     "tcp_or_socket",
//@     "listener_or_self",
//@     "ports_of_either",
//@     "packet_or_context",
//@     "mark_of_either",
//@     "window_or_queue",
//@     "size_of_packet_or_mark",
//@ ]
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

SEC("cgroup/skb") int family_of_one_of_two(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	if (!sk)
		return 1;
	u32 n = bpf_get_prandom_u32() & 1 ? sk->family : skb->family;
	return n != 3;
}

SEC("cgroup/skb") int priority_of_one_of_two(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	if (!sk)
		return 1;
	struct bpf_sock *full = bpf_sk_fullsock(sk);
	u32 p;
	if (full)
		p = full->priority;
	else
		p = skb->priority;
	return p < 7;
}

SEC("cgroup/skb") int tcp_or_not(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	if (!sk)
		return 1;
	struct bpf_tcp_sock *tp = bpf_tcp_sock(sk);
	u32 n = tp ? tp->snd_cwnd : skb->len;
	return n < 100;
}

SEC("cgroup/skb") int tcp_or_socket(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	if (!sk)
		return 1;
	struct bpf_tcp_sock *tp = bpf_tcp_sock(sk);
	u32 n = tp ? tp->srtt_us : sk->state;
	return n < 100;
}

SEC("cgroup/skb") int listener_or_self(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	if (!sk)
		return 1;
	struct bpf_sock *l = bpf_get_listener_sock(sk);
	u32 state = l ? l->state : sk->state;
	return state != 10;
}

SEC("cgroup/skb") int ports_of_either(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	if (!sk)
		return 1;
	sk = bpf_sk_fullsock(sk);
	u32 port;
	if (sk)
		port = sk->src_port;
	else
		port = skb->local_port;
	return port != 22;
}

SEC("tc") int packet_or_context(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	u32 n;
	if (data + 16 <= end)
		n = *(u32 *)(data + 8);
	else
		n = skb->len;
	return n & 1;
}

SEC("cgroup/skb") int mark_of_either(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	if (!sk)
		return 1;
	struct bpf_sock *full = bpf_sk_fullsock(sk);
	u32 sum = 0;
	if (full)
		sum += full->mark;
	else
		sum += skb->mark;
	return sum & 1;
}

SEC("cgroup/skb") int window_or_queue(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	if (!sk)
		return 1;
	struct bpf_tcp_sock *tp = bpf_tcp_sock(sk);
	if (tp)
		return tp->rcv_nxt & 1;
	return skb->queue_mapping & 1;
}

SEC("tc") int size_of_packet_or_mark(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	if (data + 20 <= end)
		return *(u32 *)(data + 16) & 3;
	return skb->mark & 3;
}

SEC("socket") int looked_up_twice(struct __sk_buff *skb)
{
	u32 key = skb->len;
	struct value *a = bpf_map_lookup_elem(&values, &key), *b = 0;
	if (skb->mark & 1) {
		key++;
		b = bpf_map_lookup_elem(&values, &key);
	}
	if (!a && !b)
		return 0;
	struct value *v = b ? b : a;
	if (!v)
		return 0;
	v->length++;
	return 1;
}

SEC("socket") int nothing_when_both_are_missing(struct __sk_buff *skb)
{
	u32 key = skb->len;
	struct value *a = bpf_map_lookup_elem(&values, &key);
	key++;
	struct value *b = bpf_map_lookup_elem(&values, &key);
	if (a == 0 && b == 0)
		return 0;
	if (a)
		a->length++;
	if (b)
		b->length++;
	return 1;
}
