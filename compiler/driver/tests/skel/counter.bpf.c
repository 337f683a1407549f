// Everything that a skeleton has a word for, but interfaces of the kernel.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} hits SEC(".maps");

enum mode { FAST, SLOW = 7 };

const volatile int step = 1;
const volatile struct {
	char name[16];
	enum { ONE, TWO } which;
} config = { "unnamed", TWO };
const volatile enum mode mode = SLOW;
int start = 40;
char small = 1;
long long large = 2;
__u64 total;
_Bool seen;
int *nothing;
unsigned short grid[2][3];
int hot SEC(".data.hot") = 3;
static volatile int hidden_from_users = 9;
extern int LINUX_KERNEL_VERSION __kconfig;

SEC("xdp")
int count(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *value = bpf_map_lookup_elem(&hits, &key);

	if (!value)
		return XDP_ABORTED;
	*value += step;
	total += start + hot + hidden_from_users + mode;
	seen = LINUX_KERNEL_VERSION > 0;
	grid[1][2] = config.name[0] + config.which;
	return XDP_PASS;
}

SEC("?tracepoint/syscalls/sys_enter_execve")
int never(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
