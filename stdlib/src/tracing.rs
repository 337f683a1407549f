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

/// Security hooks whose programs may sleep.
pub static SLEEPABLE_HOOKS: &[&str] = &[
    "bpf",
    "bpf_map",
    "bpf_map_create",
    "bpf_map_free",
    "bpf_prog",
    "bpf_prog_load",
    "bpf_token_capable",
    "bpf_token_cmd",
    "bpf_token_create",
    "bpf_token_free",
    "bprm_check_security",
    "bprm_committed_creds",
    "bprm_committing_creds",
    "bprm_creds_for_exec",
    "bprm_creds_from_file",
    "capget",
    "capset",
    "cred_prepare",
    "current_getsecid_subj",
    "file_ioctl",
    "file_lock",
    "file_open",
    "file_post_open",
    "file_receive",
    "inode_create",
    "inode_free_security",
    "inode_getattr",
    "inode_getxattr",
    "inode_mknod",
    "inode_need_killpriv",
    "inode_post_setxattr",
    "inode_readlink",
    "inode_rename",
    "inode_rmdir",
    "inode_setattr",
    "inode_setxattr",
    "inode_symlink",
    "inode_unlink",
    "kernel_module_request",
    "kernel_read_file",
    "kernfs_init_security",
    "mmap_file",
    "netlink_send",
    "path_chmod",
    "path_chown",
    "path_link",
    "path_mkdir",
    "path_notify",
    "path_rename",
    "path_rmdir",
    "path_symlink",
    "path_truncate",
    "path_unlink",
    "release_secctx",
    "sb_alloc_security",
    "sb_eat_lsm_opts",
    "sb_kern_mount",
    "sb_mount",
    "sb_remount",
    "sb_set_mnt_opts",
    "sb_show_options",
    "sb_statfs",
    "sb_umount",
    "settime",
    "socket_accept",
    "socket_bind",
    "socket_connect",
    "socket_create",
    "socket_getpeername",
    "socket_getpeersec_dgram",
    "socket_getsockname",
    "socket_getsockopt",
    "socket_listen",
    "socket_post_create",
    "socket_recvmsg",
    "socket_sendmsg",
    "socket_shutdown",
    "socket_socketpair",
    "syslog",
    "task_alloc",
    "task_getsecid_obj",
    "task_prctl",
    "task_setscheduler",
    "userns_create",
];

/// Security hooks that answer with 0 or 1.
pub static BOOLEAN_HOOKS: &[&str] = &["audit_rule_known", "inode_xattr_skipcap", "xfrm_state_pol_flow_match"];

/// Security hooks that no program may be attached to.
pub static DISABLED_HOOKS: &[&str] = &[
    "audit_rule_match",
    "getprocattr",
    "getselfattr",
    "inode_copy_up_xattr",
    "inode_getsecurity",
    "inode_listsecurity",
    "inode_need_killpriv",
    "ismaclabel",
    "key_getsecurity",
    "setprocattr",
    "vm_enough_memory",
    "xfrm_decode_session",
];

/// Security hooks whose programs of control groups may ask for options of a socket and set them (kernel
/// `bpf_lsm_locked_sockopt_hooks`, `bpf_lsm_unlocked_sockopt_hooks`).
pub static SOCKET_OPTION_HOOKS: &[&str] =
    &["sock_graft", "inet_csk_clone", "inet_conn_established", "socket_post_create", "socket_socketpair"];

/// Kernel functions whose tracers may ask for the path of a file (kernel `btf_allowlist_d_path`).
pub static PATH_FUNCTIONS: &[&str] = &[
    "dentry_open",
    "filp_close",
    "security_file_open",
    "security_file_permission",
    "security_inode_getattr",
    "security_path_truncate",
    "vfs_fallocate",
    "vfs_getattr",
    "vfs_truncate",
];

/// Kernel functions that no program may trace.
pub static DENIED_FUNCTIONS: &[&str] = &[
    "__rcu_read_lock",
    "__rcu_read_unlock",
    "migrate_disable",
    "migrate_enable",
    "preempt_count_add",
    "preempt_count_sub",
    "rcu_read_unlock_strict",
];

/// Kernel functions that do not return: what runs after they do cannot be attached.
pub static ENDLESS_FUNCTIONS: &[&str] = &[
    "__ia32_sys_exit",
    "__ia32_sys_exit_group",
    "__kunit_abort",
    "__module_put_and_kthread_exit",
    "__x64_sys_exit",
    "__x64_sys_exit_group",
    "do_exit",
    "do_group_exit",
    "kthread_complete_and_exit",
    "kthread_exit",
    "kunit_try_catch_throw",
    "make_task_dead",
];

/// The members of the kernel's interfaces that may sleep; of an interface that is not listed all may.
pub static SLEEPABLE_MEMBERS: &[(&str, &[&str])] = &[
    ("bpf_dummy_ops", &["test_sleepable"]),
    ("hid_bpf_ops", &["hid_rdesc_fixup", "hid_hw_request", "hid_hw_output_report"]),
    (
        "sched_ext_ops",
        &[
            "init",
            "exit",
            "init_task",
            "cpu_online",
            "cpu_offline",
            "cgroup_init",
            "cgroup_exit",
            "cgroup_prep_move",
        ],
    ),
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
