//@ guarantee = 12
// Functions keep their parameters, used or not, as their types in BTF say.

__noinline int unused_context(struct __sk_buff *skb, int word)
{
	return word * 3;
}

SEC("tc") int calls_a_global_function(struct __sk_buff *skb)
{
	return unused_context(skb, skb->len);
}

static __noinline int unused_middle(u32 a, u64 b, struct value *v)
{
	return v ? v->length + a : a;
}

SEC("tc") int calls_with_an_unused_argument(struct __sk_buff *skb)
{
	return unused_middle(skb->len, bpf_ktime_get_ns(), value_at(0));
}

__noinline int reads_a_record(const struct key *key)
{
	return key ? key->port + key->protocol : 0;
}

SEC("tc") int passes_a_record(struct __sk_buff *skb)
{
	struct key key = { .protocol = skb->protocol, .port = skb->len };
	return reads_a_record(&key);
}

static int count(struct bpf_map *map, u32 *key, struct value *v, u64 *sum)
{
	*sum += v->length;
	return 0;
}

SEC("tc") int callback_with_unused_parameters(struct __sk_buff *skb)
{
	u64 sum = 0;
	bpf_for_each_map_elem(&values, count, &sum, 0);
	return sum;
}
