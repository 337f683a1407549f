//@ guarantee = 5
//@ refused = [
//@     "words_in_a_buffer",
//@     "address_of_sixteen_and_one",
//@ ]
// Accesses of the stack are wide only where they are aligned.

SEC("xdp") int packed_key(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct tcphdr *tcp = (void *)(ip + 1);
	if ((void *)(tcp + 1) > end)
		return XDP_PASS;
	struct key key = { .protocol = ip->protocol, .address = ip->saddr, .port = tcp->dest };
	u64 *count = bpf_map_lookup_elem(&keyed, &key);
	if (count)
		__sync_fetch_and_add(count, 1);
	return XDP_PASS;
}

SEC("xdp") int addresses_through_the_stack(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data, copy;
	if ((void *)(eth + 1) > end)
		return XDP_PASS;
	__builtin_memcpy(&copy, eth, sizeof(copy));
	__builtin_memcpy(eth->h_dest, copy.h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, copy.h_dest, ETH_ALEN);
	return XDP_TX;
}

struct wide_key {
	u8 kind;
	u8 address[16];
	u16 port;
};

SEC("xdp") int address_at_an_odd_place(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ip = data + sizeof(struct ethhdr);
	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	struct wide_key key = { .kind = 6, .port = ip->payload_len };
	__builtin_memcpy(key.address, &ip->saddr, 16);
	long sum = bpf_csum_diff(0, 0, (void *)&key, sizeof(key), 0);
	return sum & 1 ? XDP_PASS : XDP_DROP;
}

static __noinline int fill(struct wide_key *key, u32 word)
{
	key->kind = word;
	__builtin_memset(key->address, 0, sizeof(key->address));
	key->port = word >> 8;
	return 0;
}

SEC("tc") int filled_by_a_callee(struct __sk_buff *skb)
{
	struct wide_key keys[2];
	fill(&keys[0], skb->len);
	fill(&keys[1], skb->mark);
	return keys[0].port + keys[1].address[3] + keys[1].kind;
}

SEC("tc") int zeroed_then_filled(struct __sk_buff *skb)
{
	struct { u8 a; u8 b[7]; u32 c; u8 d; u8 e[11]; } record;
	__builtin_memset(&record, 0, sizeof(record));
	record.a = skb->len;
	record.c = skb->mark;
	record.d = skb->protocol;
	bpf_skb_load_bytes(skb, 3, record.e, 8);
	return bpf_csum_diff(0, 0, (void *)&record, sizeof(record), 0);
}

SEC("tc") int words_in_a_buffer(struct __sk_buff *skb)
{
	char odd[3];
	char buffer[20];
	u64 *words = (u64 *)buffer;
	words[0] = skb->len;
	words[1] = skb->mark;
	*(u32 *)&buffer[16] = 1;
	bpf_skb_load_bytes(skb, 0, odd, sizeof(odd));
	bpf_skb_store_bytes(skb, 0, buffer, sizeof(buffer), 0);
	return odd[1];
}

SEC("tc") int address_of_sixteen_and_one(struct __sk_buff *skb)
{
	u8 prefix;
	u8 addr[16];
	bpf_skb_load_bytes(skb, 0, &prefix, 1);
	bpf_skb_load_bytes(skb, 22, addr, 16);
	u32 *w = (u32 *)addr;
	return (w[0] ^ w[3] ^ prefix) & 7;
}

SEC("tc") int address_of_six_bytes(struct __sk_buff *skb)
{
	u8 mac[6], other[6];
	bpf_skb_load_bytes(skb, 0, mac, 6);
	bpf_skb_load_bytes(skb, 6, other, 6);
	*(u32 *)mac ^= *(u32 *)other;
	*(u16 *)(mac + 4) ^= *(u16 *)(other + 4);
	bpf_skb_store_bytes(skb, 0, mac, 6, 0);
	return 0;
}
