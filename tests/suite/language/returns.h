/* What every case uses: a program says what it returns. */
#ifndef __VMLINUX_H__
#include <linux/bpf.h>
#endif
#include <bpf/bpf_helpers.h>

#define RETURNS(value) __attribute__((btf_decl_tag("comment:test_retval=" #value)))
#define CASE(name, value) SEC("tc") RETURNS(value) int name(struct __sk_buff *skb)

/* A number that no compiler knows. */
#define UNKNOWN(n) ({ typeof(n) __n = (n); asm volatile("" : "+r"(__n)); __n; })

char _license[] SEC("license") = "GPL";
