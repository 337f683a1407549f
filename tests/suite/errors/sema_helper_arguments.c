// Helpers are functions: their arguments are counted and typed.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, long);
} counts SEC(".maps");

SEC("xdp")
int f(struct xdp_md *ctx)
{
	int key = 0;
	long *value = bpf_map_lookup_elem(&counts);

	bpf_map_update_elem(&counts, key, value, 0);
	return bpf_get_prandom_u32(1);
}
