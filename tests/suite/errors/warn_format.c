// Formats of the helpers that print.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

int f(int n, __u64 wide, void *p, const char *text, struct seq_file *seq)
{
	char line[32];
	char old[] = "%d %d";

	bpf_printk("%d %u %x", n, n, n);
	bpf_printk("%f", n);
	bpf_printk("%5d%% of %llu", n);
	bpf_printk("%d", n, n);
	bpf_printk("%d", wide);
	bpf_printk("%d", wide & 0xff);
	bpf_printk("%s", n);
	bpf_printk("%s: %pI4", text, n);
	bpf_printk("%d %p", p, p);
	bpf_printk("%.3s", text);
	bpf_printk("%d %d %d %d %lu", n, n, n, wide, wide);
	bpf_printk("%d %d %d %d %d", n, n, n, n);
	bpf_trace_printk(old, sizeof(old), n);
	BPF_SEQ_PRINTF(seq, "%s %d", text, wide);
	BPF_SNPRINTF(line, sizeof(line), "%pks %zu", text, wide);
	return 0;
}
