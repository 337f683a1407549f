// V0109
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

SEC("raw_tracepoint/sched_wakeup")
int wake(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	int pid = task->pid;

	return pid == 1;
}

char LICENSE[] SEC("license") = "GPL";
