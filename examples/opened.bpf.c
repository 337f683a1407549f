// Traces a kernel function with typed arguments: who opens which file.
//
// $ skep run examples/opened.bpf.c --pid 99 --comm cat --arg -100 --arg '"/etc/passwd"' --arg 0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

const volatile __u32 only_pid = 0;
__u64 seen = 0;

SEC("fentry/do_sys_openat2")
int BPF_PROG(opened, int dfd, const char *filename, struct open_how *how)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	char comm[16], name[64];

	if (only_pid && pid != only_pid)
		return 0;
	seen++;
	bpf_get_current_comm(comm, sizeof(comm));
	if (bpf_probe_read_user_str(name, sizeof(name), filename) < 0)
		return 0;
	bpf_printk("%s[%d] opens %s", comm, pid, name);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
