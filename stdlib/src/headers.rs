//! The header files of `include/`, embedded.
//!
//! The list is checked in and a test compares it with the folder, so a build reads no directory.

/// The text of a header by its path as `#include <...>` spells it.
pub fn get(path: &str) -> Option<&'static str> {
    let at = FILES.binary_search_by_key(&path, |file| file.0).ok()?;
    FILES.get(at).map(|file| file.1)
}

macro_rules! files {
    ($($path:literal)*) => {
        /// Every header, path and text, sorted by path.
        pub static FILES: &[(&str, &str)] = &[
            $(($path, include_str!(concat!("../include/", $path))),)*
        ];
    };
}

files! {
    "arpa/inet.h"
    "asm/bitsperlong.h"
    "asm/bpf_perf_event.h"
    "asm/byteorder.h"
    "asm/errno.h"
    "asm/posix_types.h"
    "asm/ptrace.h"
    "asm/socket.h"
    "asm/swab.h"
    "asm/types.h"
    "asm/unistd.h"
    "bpf/bpf_core_read.h"
    "bpf/bpf_endian.h"
    "bpf/bpf_helper_defs.h"
    "bpf/bpf_helpers.h"
    "bpf/bpf_tracing.h"
    "bpf/usdt.bpf.h"
    "errno.h"
    "gnu/stubs-32.h"
    "limits.h"
    "linux/bpf.h"
    "linux/bpf_common.h"
    "linux/bpf_perf_event.h"
    "linux/btf.h"
    "linux/byteorder/big_endian.h"
    "linux/byteorder/little_endian.h"
    "linux/compiler.h"
    "linux/const.h"
    "linux/errno.h"
    "linux/filter.h"
    "linux/icmp.h"
    "linux/icmpv6.h"
    "linux/if.h"
    "linux/if_arp.h"
    "linux/if_ether.h"
    "linux/if_packet.h"
    "linux/if_tunnel.h"
    "linux/if_vlan.h"
    "linux/if_xdp.h"
    "linux/in.h"
    "linux/in6.h"
    "linux/ioctl.h"
    "linux/ip.h"
    "linux/ipv6.h"
    "linux/limits.h"
    "linux/mpls.h"
    "linux/netfilter.h"
    "linux/perf_event.h"
    "linux/pkt_cls.h"
    "linux/pkt_sched.h"
    "linux/posix_types.h"
    "linux/ptrace.h"
    "linux/sched.h"
    "linux/seg6.h"
    "linux/socket.h"
    "linux/stddef.h"
    "linux/swab.h"
    "linux/tcp.h"
    "linux/time.h"
    "linux/time_types.h"
    "linux/types.h"
    "linux/udp.h"
    "linux/unistd.h"
    "linux/version.h"
    "net/if.h"
    "netinet/in.h"
    "stdarg.h"
    "stdatomic.h"
    "stdbool.h"
    "stddef.h"
    "stdint.h"
    "string.h"
    "sys/socket.h"
    "sys/syscall.h"
    "sys/types.h"
    "time.h"
    "vmlinux.h"
}
