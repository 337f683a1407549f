// A policy: users other than root may not execute what is in a list, unless they are trusted.
//
// $ skep test examples/policy.test.toml
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define EPERM 1

char LICENSE[] SEC("license") = "GPL";

struct file_id {
	__u64 inode;
	__u32 device;
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 128);
	__type(key, struct file_id);
	__type(value, __u32);
} denied SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 128);
	__type(key, __u32);
	__type(value, __u8);
} trusted SEC(".maps");

int refusals;

SEC("lsm/bprm_check_security")
int BPF_PROG(check_exec, struct linux_binprm *bprm)
{
	__u32 user = (__u32)bpf_get_current_uid_gid();
	struct file_id id = {
		.inode = BPF_CORE_READ(bprm, file, f_inode, i_ino),
		.device = BPF_CORE_READ(bprm, file, f_inode, i_sb, s_dev),
	};

	if (user == 0)
		return 0;
	if (!bpf_map_lookup_elem(&denied, &id) || bpf_map_lookup_elem(&trusted, &user))
		return 0;
	__sync_fetch_and_add(&refusals, 1);
	bpf_printk("user %u may not execute inode %llu", user, id.inode);
	return -EPERM;
}
