// The first program: says which process made a system call.
//
// $ skep run examples/hello.bpf.c --pid 42 --comm bash --ctx id=59
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("tracepoint/raw_syscalls/sys_enter")
int hello(struct trace_event_raw_sys_enter *ctx)
{
	int pid = bpf_get_current_pid_tgid() >> 32;

	bpf_printk("hello from process %d, system call %ld", pid, ctx->id);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
