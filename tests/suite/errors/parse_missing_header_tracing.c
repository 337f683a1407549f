// `BPF_PROG` without bpf_tracing.h, `__always_inline` without bpf_helpers.h.
struct file;
static __always_inline int check(int a)
{
	return a > 0;
}
int BPF_PROG(handle, struct file *file, int ret)
{
	return check(ret);
}
