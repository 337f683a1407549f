// Macros of bpf_helpers.h without the header.
struct {
	__uint(type, 1);
	__uint(max_entries, 64);
} counts SEC(".maps");

SEC("kprobe/do_unlinkat")
int handle(void *ctx)
{
	return 0;
}
char LICENSE[] SEC("license") = "GPL";
