//! Kernel functions that programs may call: one row each.
//!
//! What the verifier asks of an argument is in the kernel's naming of parameters, which the
//! prototype keeps: `__sz` is the size of the memory before it, `__k` a constant, `__ign` not
//! looked at, `__map` a map, `__prog` the program, `__irq_flag` the flags of interrupts, `__opt` may be
//! null, `__uninit` is initialised by the call. The rows are those of the kernel's core; modules and
//! schedulers bring more, which BTF describes. Their first kernels were compared with
//! docs.ebpf.io/linux/timeline, with two exceptions from memory: `bpf_sk_assign_tcp_reqsk` (6.11 there,
//! 6.9 here: its commit is of January 2024) and `bpf_dynptr_is_rdonly` (5.19 there, which is the
//! internal function of that name).

use crate::features::Kernel;
use crate::programs::ProgSet;
use crate::programs::ProgType::{self, *};

/// What the kernel declares of a function beside its type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags(u32);

#[allow(missing_docs)]
impl Flags {
    pub const NONE: Flags = Flags(0);
    /// Returns a reference that must be released.
    pub const ACQUIRE: Flags = Flags(1);
    /// Releases the reference that it is given.
    pub const RELEASE: Flags = Flags(1 << 1);
    /// May return null.
    pub const RET_NULL: Flags = Flags(1 << 2);
    /// Pointers must be valid: trusted, and not null.
    pub const TRUSTED_ARGS: Flags = Flags(1 << 3);
    /// May sleep.
    pub const SLEEPABLE: Flags = Flags(1 << 4);
    /// May end the kernel.
    pub const DESTRUCTIVE: Flags = Flags(1 << 5);
    /// Pointers may also be valid for a section of RCU only.
    pub const RCU: Flags = Flags(1 << 6);
    /// Makes an iterator.
    pub const ITER_NEW: Flags = Flags(1 << 7);
    /// Moves an iterator.
    pub const ITER_NEXT: Flags = Flags(1 << 8);
    /// Ends an iterator.
    pub const ITER_DESTROY: Flags = Flags(1 << 9);
    /// Only inside a section of RCU.
    pub const RCU_PROTECTED: Flags = Flags(1 << 10);
    /// Keeps the registers r1 to r5.
    pub const FASTCALL: Flags = Flags(1 << 11);

    /// Those of both.
    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Whether all of `other` are among them.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A row: what is known of a kernel function.
#[derive(Debug)]
pub struct Kfunc {
    /// Its name.
    pub name: &'static str,
    /// The C type it returns.
    pub c_ret: &'static str,
    /// Its C parameters.
    pub c_params: &'static str,
    /// What the kernel declares of it.
    pub flags: Flags,
    /// Which programs may call it on the newest kernel.
    pub programs: ProgSet,
    /// The first kernel that has it.
    pub since: Kernel,
}

impl Kfunc {
    /// The function with this name.
    pub fn from_name(name: &str) -> Option<&'static Kfunc> {
        let at = KFUNCS.binary_search_by_key(&name, |row| row.name).ok()?;
        KFUNCS.get(at)
    }

    /// Which programs may call it on this kernel.
    pub fn programs_on(&self, kernel: Kernel) -> ProgSet {
        if kernel >= MORE {
            return self.programs;
        }
        match (self.programs == ALL, KEYS.contains(&self.name)) {
            (true, _) => ALL,
            (false, true) => TYPED,
            (false, false) => self.programs.without(&[SockOps]),
        }
    }
}

/// Functions for more types of programs from here on; not in 6.12, measured on 6.18.44.
const MORE: Kernel = Kernel(6, 18);
/// Functions that were for tracing.
const KEYS: &[&str] = &["bpf_key_put", "bpf_lookup_system_key", "bpf_lookup_user_key"];

const fn k(
    name: &'static str,
    c_ret: &'static str,
    c_params: &'static str,
    flags: Flags,
    programs: ProgSet,
    since: Kernel,
) -> Kfunc {
    Kfunc { name, c_ret, c_params, flags, programs, since }
}

const fn only(types: &[ProgType]) -> ProgSet {
    ProgSet::only(types)
}

const NONE: Flags = Flags::NONE;
const ACQUIRE: Flags = Flags::ACQUIRE;
const RELEASE: Flags = Flags::RELEASE;
const RET_NULL: Flags = Flags::RET_NULL;
const TRUSTED_ARGS: Flags = Flags::TRUSTED_ARGS;
const SLEEPABLE: Flags = Flags::SLEEPABLE;
const RCU: Flags = Flags::RCU;
const ITER_NEW: Flags = Flags::ITER_NEW;
const ITER_NEXT: Flags = Flags::ITER_NEXT;
const ITER_DESTROY: Flags = Flags::ITER_DESTROY;
const RCU_PROTECTED: Flags = Flags::RCU_PROTECTED;

const ALL: ProgSet = ProgSet::ALL;
/// Programs that trace with types, and those that schedule or run on demand.
const TRACE: ProgSet = only(&[Tracing, Tracepoint, PerfEvent, ProgType::Lsm, StructOps, Syscall]);
/// Programs that trace with types.
const TYPED: ProgSet = only(&[Tracing, Tracepoint, PerfEvent, ProgType::Lsm]);
/// Programs of control groups; those that follow connections count among them on newer kernels only.
const CGROUP: ProgSet =
    only(&[CgroupSkb, CgroupSock, CgroupDevice, CgroupSockAddr, CgroupSockopt, CgroupSysctl, SockOps]);
/// Programs with references to objects.
const GENERIC: ProgSet = TRACE.and(CGROUP).plus(&[SchedCls, Xdp]);
/// Programs with an `__sk_buff` or `struct sk_buff`.
const SKB: ProgSet = CGROUP.plus(&[
    SchedCls,
    SchedAct,
    SkSkb,
    SocketFilter,
    LwtOut,
    LwtIn,
    LwtXmit,
    LwtSeg6local,
    Netfilter,
    Tracing,
    Tracepoint,
    PerfEvent,
    ProgType::Lsm,
]);

/// Programs that look at connections.
const PACKETS: ProgSet = only(&[SchedCls, Xdp]);

/// Every function, by name.
#[rustfmt::skip]
pub static KFUNCS: &[Kfunc] = &[
    k("__bpf_trap", "void", "void", NONE, ALL, Kernel(6, 18)),
    k("bbr_cwnd_event", "void", "struct sock *sk, enum tcp_ca_event event",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("bbr_init", "void", "struct sock *sk",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("bbr_main", "void", "struct sock *sk, u32 ack, int flag, const struct rate_sample *rs",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("bbr_min_tso_segs", "u32", "struct sock *sk",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("bbr_set_state", "void", "struct sock *sk, u8 new_state",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("bbr_sndbuf_expand", "u32", "struct sock *sk",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("bbr_ssthresh", "u32", "struct sock *sk",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("bbr_undo_cwnd", "u32", "struct sock *sk",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("bpf_arena_alloc_pages", "void *", "void *p__map, void *addr__ign, u32 page_cnt, int node_id, u64 flags",
        TRUSTED_ARGS.and(SLEEPABLE), ALL, Kernel(6, 9)),
    k("bpf_arena_free_pages", "void", "void *p__map, void *ptr__ign, u32 page_cnt",
        TRUSTED_ARGS.and(SLEEPABLE), ALL, Kernel(6, 9)),
    k("bpf_arena_reserve_pages", "int", "void *p__map, void *ptr__ign, u32 page_cnt",
        TRUSTED_ARGS, ALL, Kernel(6, 18)),
    k("bpf_cast_to_kern_ctx", "void *", "void *obj", NONE, ALL, Kernel(6, 2)),
    k("bpf_cgroup_acquire", "struct cgroup *", "struct cgroup *cgrp",
        ACQUIRE.and(RCU).and(RET_NULL), GENERIC, Kernel(6, 2)),
    k("bpf_cgroup_ancestor", "struct cgroup *", "struct cgroup *cgrp, int level",
        ACQUIRE.and(RCU).and(RET_NULL), GENERIC, Kernel(6, 2)),
    k("bpf_cgroup_from_id", "struct cgroup *", "u64 cgid",
        ACQUIRE.and(RET_NULL), GENERIC, Kernel(6, 4)),
    k("bpf_cgroup_read_xattr", "int", "struct cgroup *cgroup, const char *name__str, struct bpf_dynptr *value_p",
        RCU, ALL, Kernel(6, 18)),
    k("bpf_cgroup_release", "void", "struct cgroup *cgrp", RELEASE, GENERIC, Kernel(6, 2)),
    k("bpf_copy_from_user_dynptr", "int", "struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign",
        SLEEPABLE, ALL, Kernel(6, 18)),
    k("bpf_copy_from_user_str", "int", "void *dst, u32 dst__sz, const void *unsafe_ptr__ign, u64 flags",
        SLEEPABLE, ALL, Kernel(6, 12)),
    k("bpf_copy_from_user_str_dynptr", "int", "struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign",
        SLEEPABLE, ALL, Kernel(6, 18)),
    k("bpf_copy_from_user_task_dynptr", "int", "struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign, struct task_struct *tsk",
        SLEEPABLE.and(TRUSTED_ARGS), ALL, Kernel(6, 18)),
    k("bpf_copy_from_user_task_str", "int", "void *dst, u32 dst__sz, const void *unsafe_ptr__ign, struct task_struct *tsk, u64 flags",
        SLEEPABLE, ALL, Kernel(6, 18)),
    k("bpf_copy_from_user_task_str_dynptr", "int", "struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign, struct task_struct *tsk",
        SLEEPABLE.and(TRUSTED_ARGS), ALL, Kernel(6, 18)),
    k("bpf_cpumask_acquire", "struct bpf_cpumask *", "struct bpf_cpumask *cpumask",
        ACQUIRE.and(TRUSTED_ARGS), TRACE, Kernel(6, 3)),
    k("bpf_cpumask_and", "bool", "struct bpf_cpumask *dst, const struct cpumask *src1, const struct cpumask *src2",
        RCU, TRACE, Kernel(6, 3)),
    k("bpf_cpumask_any_and_distribute", "u32", "const struct cpumask *src1, const struct cpumask *src2",
        RCU, TRACE, Kernel(6, 5)),
    k("bpf_cpumask_any_distribute", "u32", "const struct cpumask *cpumask",
        RCU, TRACE, Kernel(6, 5)),
    k("bpf_cpumask_clear", "void", "struct bpf_cpumask *cpumask", RCU, TRACE, Kernel(6, 3)),
    k("bpf_cpumask_clear_cpu", "void", "u32 cpu, struct bpf_cpumask *cpumask",
        RCU, TRACE, Kernel(6, 3)),
    k("bpf_cpumask_copy", "void", "struct bpf_cpumask *dst, const struct cpumask *src",
        RCU, TRACE, Kernel(6, 3)),
    k("bpf_cpumask_create", "struct bpf_cpumask *", "void",
        ACQUIRE.and(RET_NULL), TRACE, Kernel(6, 3)),
    k("bpf_cpumask_empty", "bool", "const struct cpumask *cpumask", RCU, TRACE, Kernel(6, 3)),
    k("bpf_cpumask_equal", "bool", "const struct cpumask *src1, const struct cpumask *src2",
        RCU, TRACE, Kernel(6, 3)),
    k("bpf_cpumask_first", "u32", "const struct cpumask *cpumask", RCU, TRACE, Kernel(6, 3)),
    k("bpf_cpumask_first_and", "u32", "const struct cpumask *src1, const struct cpumask *src2",
        RCU, TRACE, Kernel(6, 5)),
    k("bpf_cpumask_first_zero", "u32", "const struct cpumask *cpumask", RCU, TRACE, Kernel(6, 3)),
    k("bpf_cpumask_full", "bool", "const struct cpumask *cpumask", RCU, TRACE, Kernel(6, 3)),
    k("bpf_cpumask_intersects", "bool", "const struct cpumask *src1, const struct cpumask *src2",
        RCU, TRACE, Kernel(6, 3)),
    k("bpf_cpumask_or", "void", "struct bpf_cpumask *dst, const struct cpumask *src1, const struct cpumask *src2",
        RCU, TRACE, Kernel(6, 3)),
    k("bpf_cpumask_populate", "int", "struct cpumask *cpumask, void *src, size_t src__sz",
        RCU, TRACE, Kernel(6, 18)),
    k("bpf_cpumask_release", "void", "struct bpf_cpumask *cpumask", RELEASE, TRACE, Kernel(6, 3)),
    k("bpf_cpumask_set_cpu", "void", "u32 cpu, struct bpf_cpumask *cpumask",
        RCU, TRACE, Kernel(6, 3)),
    k("bpf_cpumask_setall", "void", "struct bpf_cpumask *cpumask", RCU, TRACE, Kernel(6, 3)),
    k("bpf_cpumask_subset", "bool", "const struct cpumask *src1, const struct cpumask *src2",
        RCU, TRACE, Kernel(6, 3)),
    k("bpf_cpumask_test_and_clear_cpu", "bool", "u32 cpu, struct bpf_cpumask *cpumask",
        RCU, TRACE, Kernel(6, 3)),
    k("bpf_cpumask_test_and_set_cpu", "bool", "u32 cpu, struct bpf_cpumask *cpumask",
        RCU, TRACE, Kernel(6, 3)),
    k("bpf_cpumask_test_cpu", "bool", "u32 cpu, const struct cpumask *cpumask",
        RCU, TRACE, Kernel(6, 3)),
    k("bpf_cpumask_weight", "u32", "const struct cpumask *cpumask", RCU, TRACE, Kernel(6, 8)),
    k("bpf_cpumask_xor", "void", "struct bpf_cpumask *dst, const struct cpumask *src1, const struct cpumask *src2",
        RCU, TRACE, Kernel(6, 3)),
    k("bpf_crypto_ctx_acquire", "struct bpf_crypto_ctx *", "struct bpf_crypto_ctx *ctx",
        ACQUIRE.and(RCU).and(RET_NULL), only(&[Syscall]), Kernel(6, 10)),
    k("bpf_crypto_ctx_create", "struct bpf_crypto_ctx *", "const struct bpf_crypto_params *params, u32 params__sz, int *err",
        ACQUIRE.and(RET_NULL).and(SLEEPABLE), only(&[Syscall]), Kernel(6, 10)),
    k("bpf_crypto_ctx_release", "void", "struct bpf_crypto_ctx *ctx",
        RELEASE, only(&[Syscall]), Kernel(6, 10)),
    k("bpf_crypto_decrypt", "int", "struct bpf_crypto_ctx *ctx, const struct bpf_dynptr *src, const struct bpf_dynptr *dst, const struct bpf_dynptr *siv__nullable",
        RCU, only(&[SchedCls, SchedAct, Xdp]), Kernel(6, 10)),
    k("bpf_crypto_encrypt", "int", "struct bpf_crypto_ctx *ctx, const struct bpf_dynptr *src, const struct bpf_dynptr *dst, const struct bpf_dynptr *siv__nullable",
        RCU, only(&[SchedCls, SchedAct, Xdp]), Kernel(6, 10)),
    k("bpf_ct_change_status", "int", "struct nf_conn *nfct, u32 status",
        TRUSTED_ARGS, PACKETS, Kernel(6, 0)),
    k("bpf_ct_change_timeout", "int", "struct nf_conn *nfct, u32 timeout",
        TRUSTED_ARGS, PACKETS, Kernel(6, 0)),
    k("bpf_ct_insert_entry", "struct nf_conn *", "struct nf_conn___init *nfct_i",
        ACQUIRE.and(RELEASE).and(RET_NULL), PACKETS, Kernel(6, 0)),
    k("bpf_ct_release", "void", "struct nf_conn *nfct",
        RELEASE, PACKETS, Kernel(5, 18)),
    k("bpf_ct_set_nat_info", "int", "struct nf_conn___init *nfct, union nf_inet_addr *addr, int port, enum nf_nat_manip_type manip",
        TRUSTED_ARGS, PACKETS, Kernel(6, 1)),
    k("bpf_ct_set_status", "int", "const struct nf_conn___init *nfct, u32 status",
        TRUSTED_ARGS, PACKETS, Kernel(6, 0)),
    k("bpf_ct_set_timeout", "void", "struct nf_conn___init *nfct, u32 timeout",
        TRUSTED_ARGS, PACKETS, Kernel(6, 0)),
    k("bpf_dynptr_adjust", "int", "const struct bpf_dynptr *p, u32 start, u32 end",
        NONE, ALL, Kernel(6, 5)),
    k("bpf_dynptr_clone", "int", "const struct bpf_dynptr *p, struct bpf_dynptr *clone__uninit",
        NONE, ALL, Kernel(6, 5)),
    k("bpf_dynptr_copy", "int", "struct bpf_dynptr *dst_ptr, u32 dst_off, struct bpf_dynptr *src_ptr, u32 src_off, u32 size",
        NONE, ALL, Kernel(6, 18)),
    k("bpf_dynptr_from_skb", "int", "struct __sk_buff *s, u64 flags, struct bpf_dynptr *ptr__uninit",
        TRUSTED_ARGS, SKB, Kernel(6, 4)),
    k("bpf_dynptr_from_skb_meta", "int", "struct __sk_buff *skb_, u64 flags, struct bpf_dynptr *ptr__uninit",
        TRUSTED_ARGS, only(&[SchedCls, SchedAct]), Kernel(6, 18)),
    k("bpf_dynptr_from_xdp", "int", "struct xdp_md *x, u64 flags, struct bpf_dynptr *ptr__uninit",
        NONE, only(&[Xdp]), Kernel(6, 4)),
    k("bpf_dynptr_is_null", "bool", "const struct bpf_dynptr *p", NONE, ALL, Kernel(6, 5)),
    k("bpf_dynptr_is_rdonly", "bool", "const struct bpf_dynptr *p", NONE, ALL, Kernel(6, 5)),
    k("bpf_dynptr_memset", "int", "struct bpf_dynptr *p, u32 offset, u32 size, u8 val",
        NONE, ALL, Kernel(6, 18)),
    k("bpf_dynptr_size", "__u32", "const struct bpf_dynptr *p", NONE, ALL, Kernel(6, 5)),
    k("bpf_dynptr_slice", "void *", "const struct bpf_dynptr *p, u32 offset, void *buffer__opt, u32 buffer__szk",
        RET_NULL, ALL, Kernel(6, 4)),
    k("bpf_dynptr_slice_rdwr", "void *", "const struct bpf_dynptr *p, u32 offset, void *buffer__opt, u32 buffer__szk",
        RET_NULL, ALL, Kernel(6, 4)),
    k("bpf_get_dentry_xattr", "int", "struct dentry *dentry, const char *name__str, struct bpf_dynptr *value_p",
        SLEEPABLE.and(TRUSTED_ARGS), only(&[ProgType::Lsm]), Kernel(6, 18)),
    k("bpf_get_file_xattr", "int", "struct file *file, const char *name__str, struct bpf_dynptr *value_p",
        SLEEPABLE.and(TRUSTED_ARGS), only(&[ProgType::Lsm]), Kernel(6, 18)),
    k("bpf_get_kmem_cache", "struct kmem_cache *", "u64 addr", NONE, ALL, Kernel(6, 18)),
    k("bpf_get_task_exe_file", "struct file *", "struct task_struct *task",
        ACQUIRE.and(TRUSTED_ARGS).and(RET_NULL), only(&[ProgType::Lsm]), Kernel(6, 12)),
    k("bpf_iter_bits_destroy", "void", "struct bpf_iter_bits *it",
        ITER_DESTROY, ALL, Kernel(6, 11)),
    k("bpf_iter_bits_new", "int", "struct bpf_iter_bits *it, const u64 *unsafe_ptr__ign, u32 nr_words",
        ITER_NEW, ALL, Kernel(6, 11)),
    k("bpf_iter_bits_next", "int *", "struct bpf_iter_bits *it",
        ITER_NEXT.and(RET_NULL), ALL, Kernel(6, 11)),
    k("bpf_iter_css_destroy", "void", "struct bpf_iter_css *it", ITER_DESTROY, ALL, Kernel(6, 7)),
    k("bpf_iter_css_new", "int", "struct bpf_iter_css *it, struct cgroup_subsys_state *start, unsigned int flags",
        ITER_NEW.and(TRUSTED_ARGS).and(RCU_PROTECTED), ALL, Kernel(6, 7)),
    k("bpf_iter_css_next", "struct cgroup_subsys_state *", "struct bpf_iter_css *it",
        ITER_NEXT.and(RET_NULL), ALL, Kernel(6, 7)),
    k("bpf_iter_css_task_destroy", "void", "struct bpf_iter_css_task *it",
        ITER_DESTROY, ALL, Kernel(6, 7)),
    k("bpf_iter_css_task_new", "int", "struct bpf_iter_css_task *it, struct cgroup_subsys_state *css, unsigned int flags",
        ITER_NEW.and(TRUSTED_ARGS), ALL, Kernel(6, 7)),
    k("bpf_iter_css_task_next", "struct task_struct *", "struct bpf_iter_css_task *it",
        ITER_NEXT.and(RET_NULL), ALL, Kernel(6, 7)),
    k("bpf_iter_dmabuf_destroy", "void", "struct bpf_iter_dmabuf *it",
        ITER_DESTROY.and(SLEEPABLE), ALL, Kernel(6, 18)),
    k("bpf_iter_dmabuf_new", "int", "struct bpf_iter_dmabuf *it",
        ITER_NEW.and(SLEEPABLE), ALL, Kernel(6, 18)),
    k("bpf_iter_dmabuf_next", "struct dma_buf *", "struct bpf_iter_dmabuf *it",
        ITER_NEXT.and(RET_NULL).and(SLEEPABLE), ALL, Kernel(6, 18)),
    k("bpf_iter_kmem_cache_destroy", "void", "struct bpf_iter_kmem_cache *it",
        ITER_DESTROY.and(SLEEPABLE), ALL, Kernel(6, 18)),
    k("bpf_iter_kmem_cache_new", "int", "struct bpf_iter_kmem_cache *it",
        ITER_NEW.and(SLEEPABLE), ALL, Kernel(6, 18)),
    k("bpf_iter_kmem_cache_next", "struct kmem_cache *", "struct bpf_iter_kmem_cache *it",
        ITER_NEXT.and(RET_NULL).and(SLEEPABLE), ALL, Kernel(6, 18)),
    k("bpf_iter_num_destroy", "void", "struct bpf_iter_num *it", ITER_DESTROY, ALL, Kernel(6, 4)),
    k("bpf_iter_num_new", "int", "struct bpf_iter_num *it, int start, int end",
        ITER_NEW, ALL, Kernel(6, 4)),
    k("bpf_iter_num_next", "int *", "struct bpf_iter_num* it",
        ITER_NEXT.and(RET_NULL), ALL, Kernel(6, 4)),
    k("bpf_iter_task_destroy", "void", "struct bpf_iter_task *it", ITER_DESTROY, ALL, Kernel(6, 7)),
    k("bpf_iter_task_new", "int", "struct bpf_iter_task *it, struct task_struct *task__nullable, unsigned int flags",
        ITER_NEW.and(TRUSTED_ARGS).and(RCU_PROTECTED), ALL, Kernel(6, 7)),
    k("bpf_iter_task_next", "struct task_struct *", "struct bpf_iter_task *it",
        ITER_NEXT.and(RET_NULL), ALL, Kernel(6, 7)),
    k("bpf_iter_task_vma_destroy", "void", "struct bpf_iter_task_vma *it",
        ITER_DESTROY, ALL, Kernel(6, 7)),
    k("bpf_iter_task_vma_new", "int", "struct bpf_iter_task_vma *it, struct task_struct *task, u64 addr",
        ITER_NEW.and(RCU), ALL, Kernel(6, 7)),
    k("bpf_iter_task_vma_next", "struct vm_area_struct *", "struct bpf_iter_task_vma *it",
        ITER_NEXT.and(RET_NULL), ALL, Kernel(6, 7)),
    k("bpf_key_put", "void", "struct bpf_key *bkey", RELEASE, GENERIC, Kernel(6, 1)),
    k("bpf_list_back", "struct bpf_list_node *", "struct bpf_list_head *head", RET_NULL, GENERIC, Kernel(6, 16)),
    k("bpf_list_front", "struct bpf_list_node *", "struct bpf_list_head *head", RET_NULL, GENERIC, Kernel(6, 16)),
    k("bpf_list_pop_back", "struct bpf_list_node *", "struct bpf_list_head *head",
        ACQUIRE.and(RET_NULL), GENERIC, Kernel(6, 2)),
    k("bpf_list_pop_front", "struct bpf_list_node *", "struct bpf_list_head *head",
        ACQUIRE.and(RET_NULL), GENERIC, Kernel(6, 2)),
    k("bpf_list_push_back_impl", "int", "struct bpf_list_head *head, struct bpf_list_node *node, void *meta__ign, u64 off",
        NONE, GENERIC, Kernel(6, 4)),
    k("bpf_list_push_front_impl", "int", "struct bpf_list_head *head, struct bpf_list_node *node, void *meta__ign, u64 off",
        NONE, GENERIC, Kernel(6, 4)),
    k("bpf_local_irq_restore", "void", "unsigned long *flags__irq_flag", NONE, ALL, Kernel(6, 14)),
    k("bpf_local_irq_save", "void", "unsigned long *flags__irq_flag", NONE, ALL, Kernel(6, 14)),
    k("bpf_lookup_system_key", "struct bpf_key *", "u64 id",
        ACQUIRE.and(RET_NULL), GENERIC, Kernel(6, 1)),
    k("bpf_lookup_user_key", "struct bpf_key *", "s32 serial, u64 flags",
        ACQUIRE.and(RET_NULL).and(SLEEPABLE), GENERIC, Kernel(6, 1)),
    k("bpf_map_sum_elem_count", "s64", "const struct bpf_map *map",
        TRUSTED_ARGS, ALL, Kernel(6, 6)),
    k("bpf_obj_drop_impl", "void", "void *p__alloc, void *meta__ign",
        RELEASE, GENERIC, Kernel(6, 2)),
    k("bpf_obj_new_impl", "void *", "u64 local_type_id__k, void *meta__ign",
        ACQUIRE.and(RET_NULL), GENERIC, Kernel(6, 2)),
    k("bpf_path_d_path", "int", "const struct path *path, char *buf, size_t buf__sz",
        TRUSTED_ARGS, only(&[ProgType::Lsm]), Kernel(6, 12)),
    k("bpf_percpu_obj_drop_impl", "void", "void *p__alloc, void *meta__ign",
        RELEASE, GENERIC, Kernel(6, 7)),
    k("bpf_percpu_obj_new_impl", "void *", "u64 local_type_id__k, void *meta__ign",
        ACQUIRE.and(RET_NULL), GENERIC, Kernel(6, 7)),
    k("bpf_preempt_disable", "void", "void", NONE, ALL, Kernel(6, 10)),
    k("bpf_preempt_enable", "void", "void", NONE, ALL, Kernel(6, 10)),
    k("bpf_probe_read_kernel_dynptr", "int", "struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign",
        NONE, ALL, Kernel(6, 18)),
    k("bpf_probe_read_kernel_str_dynptr", "int", "struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign",
        NONE, ALL, Kernel(6, 18)),
    k("bpf_probe_read_user_dynptr", "int", "struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign",
        NONE, ALL, Kernel(6, 18)),
    k("bpf_probe_read_user_str_dynptr", "int", "struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign",
        NONE, ALL, Kernel(6, 18)),
    k("bpf_put_file", "void", "struct file *file", RELEASE, only(&[ProgType::Lsm]), Kernel(6, 12)),
    k("bpf_rbtree_add_impl", "int", "struct bpf_rb_root *root, struct bpf_rb_node *node, bool (less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *meta__ign, u64 off",
        NONE, GENERIC, Kernel(6, 4)),
    k("bpf_rbtree_first", "struct bpf_rb_node *", "struct bpf_rb_root *root",
        RET_NULL, GENERIC, Kernel(6, 3)),
    k("bpf_rbtree_left", "struct bpf_rb_node *", "struct bpf_rb_root *root, struct bpf_rb_node *node",
        RET_NULL, GENERIC, Kernel(6, 16)),
    k("bpf_rbtree_remove", "struct bpf_rb_node *", "struct bpf_rb_root *root, struct bpf_rb_node *node",
        ACQUIRE.and(RET_NULL), GENERIC, Kernel(6, 3)),
    k("bpf_rbtree_right", "struct bpf_rb_node *", "struct bpf_rb_root *root, struct bpf_rb_node *node",
        RET_NULL, GENERIC, Kernel(6, 16)),
    k("bpf_rbtree_root", "struct bpf_rb_node *", "struct bpf_rb_root *root", RET_NULL, GENERIC, Kernel(6, 16)),
    k("bpf_rcu_read_lock", "void", "void", NONE, ALL, Kernel(6, 2)),
    k("bpf_rcu_read_unlock", "void", "void", NONE, ALL, Kernel(6, 2)),
    k("bpf_rdonly_cast", "void *", "const void *obj__ign, u32 btf_id__k", NONE, ALL, Kernel(6, 2)),
    k("bpf_refcount_acquire_impl", "void *", "void *p__refcounted_kptr, void *meta__ign",
        ACQUIRE.and(RET_NULL).and(RCU), GENERIC, Kernel(6, 4)),
    k("bpf_remove_dentry_xattr", "int", "struct dentry *dentry, const char *name__str",
        SLEEPABLE.and(TRUSTED_ARGS), only(&[ProgType::Lsm]), Kernel(6, 18)),
    k("bpf_res_spin_lock", "int", "struct bpf_res_spin_lock *lock", NONE, ALL, Kernel(6, 15)),
    k("bpf_res_spin_lock_irqsave", "int", "struct bpf_res_spin_lock *lock, unsigned long *flags__irq_flag",
        NONE, ALL, Kernel(6, 15)),
    k("bpf_res_spin_unlock", "void", "struct bpf_res_spin_lock *lock", NONE, ALL, Kernel(6, 15)),
    k("bpf_res_spin_unlock_irqrestore", "void", "struct bpf_res_spin_lock *lock, unsigned long *flags__irq_flag",
        NONE, ALL, Kernel(6, 15)),
    k("bpf_send_signal_task", "int", "struct task_struct *task, int sig, enum pid_type type, u64 value",
        TRUSTED_ARGS, GENERIC, Kernel(6, 18)),
    k("bpf_session_cookie", "__u64 *", "void", NONE, only(&[Kprobe]), Kernel(6, 10)),
    k("bpf_session_is_return", "bool", "void", NONE, only(&[Kprobe]), Kernel(6, 10)),
    k("bpf_set_dentry_xattr", "int", "struct dentry *dentry, const char *name__str, const struct bpf_dynptr *value_p, int flags",
        SLEEPABLE.and(TRUSTED_ARGS), only(&[ProgType::Lsm]), Kernel(6, 18)),
    k("bpf_sk_assign_tcp_reqsk", "int", "struct __sk_buff *s, struct sock *sk, struct bpf_tcp_req_attrs *attrs, int attrs__sz",
        TRUSTED_ARGS, only(&[SchedCls]), Kernel(6, 9)),
    k("bpf_skb_ct_alloc", "struct nf_conn___init *", "struct __sk_buff *skb_ctx, struct bpf_sock_tuple *bpf_tuple, u32 tuple__sz, struct bpf_ct_opts *opts, u32 opts__sz",
        ACQUIRE.and(RET_NULL), PACKETS, Kernel(6, 0)),
    k("bpf_skb_ct_lookup", "struct nf_conn *", "struct __sk_buff *skb_ctx, struct bpf_sock_tuple *bpf_tuple, u32 tuple__sz, struct bpf_ct_opts *opts, u32 opts__sz",
        ACQUIRE.and(RET_NULL), PACKETS, Kernel(5, 18)),
    k("bpf_sock_addr_set_sun_path", "int", "struct bpf_sock_addr_kern *sa_kern, const u8 *sun_path, u32 sun_path__sz",
        NONE, CGROUP, Kernel(6, 7)),
    k("bpf_sock_destroy", "int", "struct sock_common *sock",
        TRUSTED_ARGS, only(&[Tracing, Tracepoint, PerfEvent, Lsm]), Kernel(6, 5)),
    k("bpf_sock_ops_enable_tx_tstamp", "int", "struct bpf_sock_ops_kern *skops, u64 flags",
        TRUSTED_ARGS, CGROUP, Kernel(6, 18)),
    k("bpf_strcasecmp", "int", "const char *s1__ign, const char *s2__ign", NONE, ALL, Kernel(6, 18)),
    k("bpf_strchr", "int", "const char *s__ign, char c", NONE, ALL, Kernel(6, 17)),
    k("bpf_strchrnul", "int", "const char *s__ign, char c", NONE, ALL, Kernel(6, 17)),
    k("bpf_strcmp", "int", "const char *s1__ign, const char *s2__ign", NONE, ALL, Kernel(6, 17)),
    k("bpf_strcspn", "int", "const char *s__ign, const char *reject__ign", NONE, ALL, Kernel(6, 17)),
    k("bpf_stream_vprintk_impl", "int", "int stream_id, const char *fmt__str, const void *args, u32 len__sz, void *aux__prog",
        TRUSTED_ARGS, ALL, Kernel(6, 18)),
    k("bpf_strlen", "int", "const char *s__ign", NONE, ALL, Kernel(6, 17)),
    k("bpf_strnchr", "int", "const char *s__ign, size_t count, char c", NONE, ALL, Kernel(6, 17)),
    k("bpf_strnlen", "int", "const char *s__ign, size_t count", NONE, ALL, Kernel(6, 17)),
    k("bpf_strnstr", "int", "const char *s1__ign, const char *s2__ign, size_t len", NONE, ALL, Kernel(6, 17)),
    k("bpf_strrchr", "int", "const char *s__ign, int c", NONE, ALL, Kernel(6, 17)),
    k("bpf_strspn", "int", "const char *s__ign, const char *accept__ign", NONE, ALL, Kernel(6, 17)),
    k("bpf_strstr", "int", "const char *s1__ign, const char *s2__ign", NONE, ALL, Kernel(6, 17)),
    k("bpf_task_acquire", "struct task_struct *", "struct task_struct *p",
        ACQUIRE.and(RCU).and(RET_NULL), GENERIC, Kernel(6, 2)),
    k("bpf_task_from_pid", "struct task_struct *", "s32 pid",
        ACQUIRE.and(RET_NULL), GENERIC, Kernel(6, 2)),
    k("bpf_task_from_vpid", "struct task_struct *", "s32 vpid",
        ACQUIRE.and(RET_NULL), GENERIC, Kernel(6, 14)),
    k("bpf_task_get_cgroup1", "struct cgroup *", "struct task_struct *task, int hierarchy_id",
        ACQUIRE.and(RCU).and(RET_NULL), GENERIC, Kernel(6, 8)),
    k("bpf_task_release", "void", "struct task_struct *p", RELEASE, GENERIC, Kernel(6, 2)),
    k("bpf_task_under_cgroup", "long", "struct task_struct *task, struct cgroup *ancestor",
        RCU, GENERIC, Kernel(6, 5)),
    k("bpf_task_work_schedule_resume_impl", "int", "struct task_struct *task, struct bpf_task_work *tw, void *map__map, bpf_task_work_callback_t callback, void *aux__prog",
        TRUSTED_ARGS, ALL, Kernel(6, 18)),
    k("bpf_task_work_schedule_signal_impl", "int", "struct task_struct *task, struct bpf_task_work *tw, void *map__map, bpf_task_work_callback_t callback, void *aux__prog",
        TRUSTED_ARGS, ALL, Kernel(6, 18)),
    k("bpf_throw", "void", "u64 cookie", NONE, GENERIC, Kernel(6, 7)),
    k("bpf_verify_pkcs7_signature", "int", "struct bpf_dynptr *data_p, struct bpf_dynptr *sig_p, struct bpf_key *trusted_keyring",
        SLEEPABLE, TYPED, Kernel(6, 1)),
    k("bpf_wq_init", "int", "struct bpf_wq *wq, void *p__map, unsigned int flags",
        NONE, ALL, Kernel(6, 10)),
    k("bpf_wq_set_callback_impl", "int", "struct bpf_wq *wq, int (callback_fn)(void *map, int *key, void *value), unsigned int flags, void *aux__ign",
        NONE, ALL, Kernel(6, 10)),
    k("bpf_wq_start", "int", "struct bpf_wq *wq, unsigned int flags", NONE, ALL, Kernel(6, 10)),
    k("bpf_xdp_ct_alloc", "struct nf_conn___init *", "struct xdp_md *xdp_ctx, struct bpf_sock_tuple *bpf_tuple, u32 tuple__sz, struct bpf_ct_opts *opts, u32 opts__sz",
        ACQUIRE.and(RET_NULL), PACKETS, Kernel(6, 0)),
    k("bpf_xdp_ct_lookup", "struct nf_conn *", "struct xdp_md *xdp_ctx, struct bpf_sock_tuple *bpf_tuple, u32 tuple__sz, struct bpf_ct_opts *opts, u32 opts__sz",
        ACQUIRE.and(RET_NULL), PACKETS, Kernel(5, 18)),
    k("bpf_xdp_get_xfrm_state", "struct xfrm_state *", "struct xdp_md *ctx, struct bpf_xfrm_state_opts *opts, u32 opts__sz",
        ACQUIRE.and(RET_NULL), only(&[Xdp]), Kernel(6, 8)),
    k("bpf_xdp_metadata_rx_hash", "int", "const struct xdp_md *ctx, u32 *hash, enum xdp_rss_hash_type *rss_type",
        TRUSTED_ARGS, only(&[Xdp]), Kernel(6, 3)),
    k("bpf_xdp_metadata_rx_timestamp", "int", "const struct xdp_md *ctx, u64 *timestamp",
        TRUSTED_ARGS, only(&[Xdp]), Kernel(6, 3)),
    k("bpf_xdp_metadata_rx_vlan_tag", "int", "const struct xdp_md *ctx, __be16 *vlan_proto, u16 *vlan_tci",
        TRUSTED_ARGS, only(&[Xdp]), Kernel(6, 8)),
    k("bpf_xdp_pull_data", "int", "struct xdp_md *x, u32 len", NONE, only(&[Xdp]), Kernel(6, 18)),
    k("bpf_xdp_xfrm_state_release", "void", "struct xfrm_state *x", RELEASE, only(&[Xdp]), Kernel(6, 8)),
    k("css_rstat_flush", "void", "struct cgroup_subsys_state *css", SLEEPABLE, only(&[Tracing, Tracepoint, PerfEvent, ProgType::Lsm]), Kernel(6, 18)),
    k("css_rstat_updated", "void", "struct cgroup_subsys_state *css, int cpu", NONE, only(&[Tracing, Tracepoint, PerfEvent, ProgType::Lsm]), Kernel(6, 18)),
    k("cubictcp_acked", "void", "struct sock *sk, const struct ack_sample *sample",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("cubictcp_cong_avoid", "void", "struct sock *sk, u32 ack, u32 acked",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("cubictcp_cwnd_event", "void", "struct sock *sk, enum tcp_ca_event event",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("cubictcp_init", "void", "struct sock *sk",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("cubictcp_recalc_ssthresh", "u32", "struct sock *sk",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("cubictcp_state", "void", "struct sock *sk, u8 new_state",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("dctcp_cwnd_event", "void", "struct sock *sk, enum tcp_ca_event ev",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("dctcp_cwnd_undo", "u32", "struct sock *sk",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("dctcp_init", "void", "struct sock *sk",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("dctcp_ssthresh", "u32", "struct sock *sk",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("dctcp_state", "void", "struct sock *sk, u8 new_state",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("dctcp_update_alpha", "void", "struct sock *sk, u32 flags",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("tcp_cong_avoid_ai", "void", "struct tcp_sock *tp, u32 w, u32 acked",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("tcp_reno_cong_avoid", "void", "struct sock *sk, u32 ack, u32 acked",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("tcp_reno_ssthresh", "u32", "struct sock *sk",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("tcp_reno_undo_cwnd", "u32", "struct sock *sk",
        NONE, only(&[StructOps]), Kernel(5, 13)),
    k("tcp_slow_start", "u32", "struct tcp_sock *tp, u32 acked",
        NONE, only(&[StructOps]), Kernel(5, 13)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_found() {
        assert!(KFUNCS.windows(2).all(|pair| pair[0].name < pair[1].name));
        let next = Kfunc::from_name("bpf_iter_num_next").unwrap();
        assert!(next.flags.has(Flags::ITER_NEXT) && next.flags.has(Flags::RET_NULL));
        assert!(Kfunc::from_name("bpf_no_such").is_none());
    }
}
