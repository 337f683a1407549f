// V0302
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("cgroup_skb/egress")
int who(struct __sk_buff *skb)
{
	int id = 0;

	bpf_probe_read(&id, sizeof(id), (void *)8);
	return id != 0;
}

char LICENSE[] SEC("license") = "GPL";
