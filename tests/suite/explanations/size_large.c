// V0103
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int read(struct __sk_buff *skb)
{
	char buf[64];
	__u32 len = skb->len & 127;

	if (!len)
		return 0;
	bpf_skb_load_bytes(skb, 0, buf, len);
	return buf[0];
}

char LICENSE[] SEC("license") = "GPL";
