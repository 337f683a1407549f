// Inline assembly: operands in registers, a jump to a label of C, a function that is nothing else.
//
// $ skep run examples/assembly.bpf.c --pkt 0c05ff
// $ skep run examples/assembly.bpf.c --pkt 0c
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* The argument is in r1, the result is left in r0. */
static __attribute__((naked, noinline)) unsigned long long square(unsigned long long x)
{
	asm volatile("r0 = r1;"
		     "r0 *= r1;"
		     "exit;");
}

SEC("xdp")
int bytes(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	unsigned long long first, second, shifted;

	asm goto("if %[next] > %[end] goto %l[too_short]"
		 : : [next] "r"(data + 2), [end] "r"(end) : : too_short);
	/* `&`: the first result is there before the last operand is read. */
	asm volatile("%[first] = *(u8 *)(%[data] + 0);"
		     "%[second] = *(u8 *)(%[data] + %[at]);"
		     : [first] "=&r"(first), [second] "=r"(second)
		     : [data] "r"(data), [at] "i"(1));
	shifted = first;
	asm("%[x] <<= %[count]\n"
	    "if %[x] != 0 goto 1f\n"
	    "%[x] = -1\n"
	    "1:"
	    : [x] "+r"(shifted) : [count] "ri"(4));
	bpf_printk("%d %d", shifted, second);
	bpf_printk("square %d", square(first));
	return XDP_PASS;
too_short:
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
