//@ guarantee = 12
//@ refused = [
//@     "passes_a_word_for_nothing",
//@     "passes_the_context_for_nothing",
//@     "passes_a_record_for_nothing",
//@     "passes_five",
//@     "passes_flags",
//@     "in_a_loop",
//@ ]
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

__noinline int ignores_its_word(struct __sk_buff *skb, u32 word)
{
	return skb->len;
}

SEC("tc") int passes_a_word_for_nothing(struct __sk_buff *skb)
{
	u32 word = skb->mark;
	struct value *v = value_at(0);
	if (!v)
		return 0;
	return ignores_its_word(skb, word + v->length);
}

__noinline int ignores_the_context(struct __sk_buff *skb, u32 word)
{
	return word * 3;
}

SEC("tc") int passes_the_context_for_nothing(struct __sk_buff *skb)
{
	u32 n = skb->len;
	bpf_ktime_get_ns();
	return ignores_the_context(skb, n);
}

__noinline int ignores_a_record(struct key *key, u32 word)
{
	return word + 1;
}

SEC("tc") int passes_a_record_for_nothing(struct __sk_buff *skb)
{
	struct key key = { .port = 4 };
	return ignores_a_record(&key, skb->len);
}

__noinline int ignores_the_last(u32 a, u32 b, u32 c, u32 d, u32 e)
{
	return a + c;
}

SEC("tc") int passes_five(struct __sk_buff *skb)
{
	return ignores_the_last(skb->len, skb->mark, skb->priority, skb->hash, skb->protocol);
}

__noinline int ignores_a_constant(u32 a, u32 flags)
{
	return a ^ 5;
}

SEC("tc") int passes_flags(struct __sk_buff *skb)
{
	return ignores_a_constant(skb->len, 3) + ignores_a_constant(skb->mark, 4);
}

SEC("socket") int in_a_loop(struct __sk_buff *skb)
{
	u32 sum = 0;
	for (u32 i = 0; i < 4; i++)
		sum += ignores_a_constant(i, sum);
	return sum;
}
