//@ guarantee = 11
//@ refused = [
//@     "indices_from_one -mcpu=v2",
//@     "indices_in_a_loop -mcpu=v2",
//@ ]
// An index into nested arrays is one bounded number that is added once.

SEC("socket") int checked_indices(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	u32 row = skb->len, column = skb->mark;
	if (!v || row >= 4 || column >= 8)
		return 0;
	v->grid[row][column]++;
	return 0;
}

SEC("socket") int signed_indices(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	int row = skb->len, column = skb->mark;
	if (!v || row < 0 || column < 0 || row > 3 || column > 7)
		return 0;
	v->grid[row][column] += row * column;
	return 0;
}

SEC("socket") int two_loops(struct __sk_buff *skb)
{
	struct value *v = value_at(0);
	if (!v)
		return 0;
	u32 sum = 0;
	for (int row = 0; row < 4; row++)
		for (int column = 0; column < 8; column++)
			sum += v->grid[row][column] ^ row;
	return sum;
}

struct inner {
	u16 kind;
	u8 name[6];
	u32 numbers[3];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct inner[5]);
} records SEC(".maps");

SEC("socket") int field_of_an_element(struct __sk_buff *skb)
{
	u32 zero = 0, at = skb->len, number = skb->mark;
	struct inner *all = bpf_map_lookup_elem(&records, &zero);
	if (!all || at >= 5 || number >= 3)
		return 0;
	all[at].name[number + 2] = 1;
	return all[at].numbers[number];
}

struct cell {
	u32 a;
	u16 b[6];
};

struct table {
	u32 n;
	struct cell cells[4][4];
	u64 tail;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct table);
} tables SEC(".maps");

static __always_inline struct table *table(void)
{
	u32 zero = 0;
	return bpf_map_lookup_elem(&tables, &zero);
}

SEC("socket") int indices_from_one(struct __sk_buff *skb)
{
	struct table *t = table();
	u32 i = skb->len, j = skb->mark;
	if (!t || i < 1 || i > 4 || j < 1 || j > 4)
		return 0;
	t->cells[i - 1][j - 1].a++;
	return 0;
}

SEC("socket") int indices_in_a_loop(struct __sk_buff *skb)
{
	struct table *t = table();
	u32 n = skb->len, sum = 0;
	if (!t || n > 4)
		return 0;
	for (u32 i = 0; i < n; i++)
		for (u32 j = i; j < n; j++)
			sum += t->cells[i][j].a - t->cells[j][i].b[i];
	return sum;
}
