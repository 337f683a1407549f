// A loop that clears more bytes than clang's memset may have.
#include "../returns.h"

struct big { char bytes[4000]; };
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct big);
} room SEC(".maps");

CASE(cleared, 5)
{
	int key = 0;
	struct big *big = bpf_map_lookup_elem(&room, &key);
	if (!big)
		return 1;
	big->bytes[3999] = 3;
	asm volatile("" : : : "memory");
	for (int i = 0; i < 4000; i++)
		big->bytes[i] = 0;
	return big->bytes[3999] + 5;
}
