//! What the types of traced functions do not say of their arguments: facts of kernel 6.12 and later.
//!
//! Tracepoints hand over null where their prototypes do not show it (`raw_tp_null_args` in
//! kernel/bpf/btf.c); iterators say of each argument what it is (`ctx_arg_info`); some hooks run when
//! their objects are not yet, or no longer, whole.

/// What an argument of an iterator is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IterArg {
    /// A valid kernel object or null.
    Trusted,
    /// A kernel object or null, of which the kernel vouches for nothing.
    Plain,
    /// Memory of a size that is known later, or null; may it be written?
    Buffer(bool),
}

/// Arguments of iterators that are not what their types say: the iterator, the argument's number
/// from 0, what it is.
#[rustfmt::skip]
pub static ITER_ARGS: &[(&str, u8, IterArg)] = &[
    ("bpf_link", 1, IterArg::Plain),
    ("bpf_map", 1, IterArg::Trusted),
    ("bpf_map_elem", 2, IterArg::Buffer(false)),
    ("bpf_map_elem", 3, IterArg::Buffer(true)),
    ("bpf_prog", 1, IterArg::Plain),
    ("bpf_sk_storage_map", 2, IterArg::Plain),
    ("bpf_sk_storage_map", 3, IterArg::Buffer(true)),
    ("cgroup", 1, IterArg::Trusted),
    ("dmabuf", 1, IterArg::Trusted),
    ("ipv6_route", 1, IterArg::Plain),
    ("kmem_cache", 1, IterArg::Trusted),
    ("ksym", 1, IterArg::Plain),
    ("netlink", 1, IterArg::Plain),
    ("sockmap", 2, IterArg::Buffer(false)),
    ("sockmap", 3, IterArg::Plain),
    ("task", 1, IterArg::Trusted),
    ("task_file", 1, IterArg::Plain),
    ("task_file", 3, IterArg::Plain),
    ("task_vma", 1, IterArg::Plain),
    ("task_vma", 2, IterArg::Plain),
    ("tcp", 1, IterArg::Trusted),
    ("udp", 1, IterArg::Trusted),
    ("unix", 1, IterArg::Plain),
];

/// Hooks whose arguments are not trusted.
pub static UNTRUSTED_HOOKS: &[&str] = &[
    "bpf_map_free",
    "bpf_prog_free",
    "file_alloc_security",
    "file_free_security",
    "sk_alloc_security",
    "sk_free_security",
    "task_free",
];

/// Tracepoints whose arguments may be null or an error: four bits for each argument from the
/// lowest, 1 for null, 2 for an error.
#[rustfmt::skip]
pub static NULL_ARGS: &[(&str, u64)] = &[
    ("afs_flock_ev", 0x10),
    ("afs_make_fs_call", 0x10),
    ("afs_make_fs_call1", 0x10),
    ("afs_make_fs_call2", 0x10),
    ("afs_make_fs_calli", 0x10),
    ("afs_protocol_error", 0x1),
    ("break_lease_block", 0x10),
    ("break_lease_noblock", 0x10),
    ("break_lease_unblock", 0x10),
    ("cachefiles_io_error", 0x1),
    ("cachefiles_lookup", 0x201),
    ("cachefiles_mark_active", 0x1),
    ("cachefiles_mark_failed", 0x1),
    ("cachefiles_mark_inactive", 0x1),
    ("cachefiles_ondemand_close", 0x1),
    ("cachefiles_ondemand_copen", 0x1),
    ("cachefiles_ondemand_cread", 0x1),
    ("cachefiles_ondemand_fd_release", 0x1),
    ("cachefiles_ondemand_fd_write", 0x1),
    ("cachefiles_ondemand_open", 0x1),
    ("cachefiles_ondemand_read", 0x1),
    ("cachefiles_prep_read", 0x1),
    ("cachefiles_rename", 0x1),
    ("cachefiles_unlink", 0x1),
    ("cachefiles_vfs_error", 0x1),
    ("device_pm_callback_start", 0x10),
    ("ext4_mballoc_discard", 0x10),
    ("ext4_mballoc_free", 0x10),
    ("fcntl_setlk", 0x10),
    ("fib_table_lookup", 0x100),
    ("flock_lock_inode", 0x10),
    ("folio_wait_writeback", 0x10),
    ("generic_delete_lease", 0x10),
    ("host1x_cdma_push_gather", 0x10000),
    ("kfree_skb", 0x1000),
    ("locks_remove_posix", 0x10),
    ("mm_collapse_huge_page_isolate", 0x1),
    ("mm_khugepaged_collapse_file", 0x10),
    ("mm_khugepaged_scan_file", 0x10),
    ("mm_khugepaged_scan_pmd", 0x10),
    ("mm_page_alloc", 0x1),
    ("mm_page_alloc_zone_locked", 0x1),
    ("mm_page_pcpu_drain", 0x1),
    ("mr_integ_alloc", 0x2000),
    ("netfs_failure", 0x10),
    ("posix_lock_inode", 0x10),
    ("qdisc_dequeue", 0x1000),
    ("rxrpc_recvdata", 0x1),
    ("rxrpc_resend", 0x10),
    ("sched_pi_setprio", 0x10),
    ("sched_process_wait", 0x1),
    ("sched_stick_numa", 0x100),
    ("sched_swap_numa", 0x100),
    ("signal_deliver", 0x20),
    ("signal_generate", 0x20),
    ("tcp_send_reset", 0x11),
    ("tegra_dma_tx_status", 0x100),
    ("time_out_leases", 0x10),
    ("tmigr_update_events", 0x1),
    ("writeback_dirty_folio", 0x10),
    ("xprt_get_cong", 0x10),
    ("xprt_put_cong", 0x10),
    ("xprt_release_cong", 0x10),
    ("xprt_reserve_cong", 0x10),
    ("xs_stream_read_data", 0x1),
];

/// May the argument of the tracepoint be null, or an error code?
pub fn null_or_error(tracepoint: &str, argument: usize) -> (bool, bool) {
    let Some(row) = NULL_ARGS.iter().find(|row| row.0 == tracepoint) else { return (false, false) };
    let bits = row.1.checked_shr(4 * argument as u32).unwrap_or(0);
    (bits & 1 != 0, bits & 2 != 0)
}

/// What the argument of the iterator is, if not what its type says.
pub fn iter_argument(iterator: &str, argument: usize) -> Option<IterArg> {
    ITER_ARGS.iter().find(|row| row.0 == iterator && usize::from(row.1) == argument).map(|row| row.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_that_may_be_null() {
        assert_eq!(null_or_error("sched_pi_setprio", 1), (true, false));
        assert_eq!(null_or_error("sched_pi_setprio", 0), (false, false));
        assert_eq!(null_or_error("cachefiles_lookup", 2), (false, true));
        assert_eq!(iter_argument("task", 1), Some(IterArg::Trusted));
        assert_eq!(iter_argument("task", 0), None);
    }
}
