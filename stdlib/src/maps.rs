//! Map types: one row each, with what the verifier and the runtime need to know about it.
//!
//! [`MapType::accepts`] is the kernel's two-way check of map types and helpers, derived from the
//! lists of the rows.

use crate::features::Kernel;

/// The key of a map type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// Any type but an empty one.
    Any,
    /// A `u32`: an index or a number of the map type's choice.
    U32,
    /// None: `key_size` is 0.
    None,
    /// A `u32` length in bits, then the data.
    Prefix,
    /// A file descriptor of the owner of the value, 4 bytes.
    Owner,
    /// `struct bpf_cgroup_storage_key` or the `u64` it starts with.
    Cgroup,
}

/// The value of a map type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    /// Any type but an empty one.
    Any,
    /// A file descriptor of a program, map, cgroup or event, 4 bytes.
    Fd,
    /// A device or processor, optionally with a program: 4 or 8 bytes.
    Target,
    /// A file descriptor of a socket: 4 or 8 bytes.
    Socket,
    /// Addresses: a multiple of 8 bytes.
    Stack,
    /// None: `value_size` is 0.
    None,
    /// A kernel structure of function pointers.
    StructOps,
}

/// What `bpf_map_lookup_elem` gives to a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// A pointer to the value or null.
    Value,
    /// A map or null.
    Map,
    /// A socket or null, to be released.
    Socket,
    /// An XDP socket or null.
    XdpSocket,
    /// Programs cannot look up.
    Nothing,
}

/// What `max_entries` means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entries {
    /// How many keys there can be; not 0.
    Count,
    /// Bytes: a power of two and a multiple of the page size.
    Bytes,
    /// Pages; not 0.
    Pages,
    /// Must be 0.
    Zero,
    /// Must be 1.
    One,
    /// Perf buffers: 0 stands for the number of processors, which loaders fill in.
    Processors,
}

/// A row: what is known of a map type.
#[derive(Debug)]
pub struct MapInfo {
    /// The type.
    pub ty: MapType,
    /// Its name in tools: `hash`.
    pub name: &'static str,
    /// Its name in C: `BPF_MAP_TYPE_HASH`.
    pub c_name: &'static str,
    /// Its keys.
    pub key: Key,
    /// Its values.
    pub value: Value,
    /// What `max_entries` means.
    pub entries: Entries,
    /// Whether every processor has its own values.
    pub per_cpu: bool,
    /// What programs get from a lookup.
    pub lookup: Lookup,
    /// The only helpers that take it, by name; empty for maps with the ordinary operations.
    pub only: &'static [&'static str],
    /// The first kernel that has it.
    pub since: Kernel,
}

macro_rules! map_types {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $c:literal, $key:ident,
       $value:ident, $entries:ident, $cpu:literal, $lookup:ident, [$($only:literal)*],
       $major:literal . $minor:literal;)*) => {
        /// A map type; the numbers are the kernel's.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum MapType { $($(#[$doc])* $variant = $number,)* }

        /// Every map type, by number.
        pub static MAPS: &[MapInfo] = &[$(MapInfo {
            ty: MapType::$variant,
            name: $name,
            c_name: concat!("BPF_MAP_TYPE_", $c),
            key: Key::$key,
            value: Value::$value,
            entries: Entries::$entries,
            per_cpu: $cpu,
            lookup: Lookup::$lookup,
            only: &[$($only),*],
            since: Kernel($major, $minor),
        },)*];
    };
}

map_types! {
    /// Keys to values by hash.
    Hash = 1, "hash", "HASH", Any, Any, Count, false, Value, [], 3 . 19;
    /// Indices to values, all present.
    Array = 2, "array", "ARRAY", U32, Any, Count, false, Value, [], 3 . 19;
    /// Programs for tail calls.
    ProgArray = 3, "prog_array", "PROG_ARRAY", U32, Fd, Count, false, Nothing, ["tail_call"], 4 . 2;
    /// Perf events, one per processor.
    PerfEventArray = 4, "perf_event_array", "PERF_EVENT_ARRAY", U32, Fd, Processors, false, Nothing,
        ["perf_event_read" "perf_event_output" "skb_output" "perf_event_read_value" "xdp_output"],
        4 . 3;
    /// A hash with values per processor.
    PercpuHash = 5, "percpu_hash", "PERCPU_HASH", Any, Any, Count, true, Value, [], 4 . 6;
    /// An array with values per processor.
    PercpuArray = 6, "percpu_array", "PERCPU_ARRAY", U32, Any, Count, true, Value, [], 4 . 6;
    /// Call stacks by number.
    StackTrace = 7, "stack_trace", "STACK_TRACE", U32, Stack, Count, false, Nothing,
        ["get_stackid"], 4 . 6;
    /// Control groups.
    CgroupArray = 8, "cgroup_array", "CGROUP_ARRAY", U32, Fd, Count, false, Nothing,
        ["skb_under_cgroup" "current_task_under_cgroup"], 4 . 8;
    /// A hash that drops what was not used for longest.
    LruHash = 9, "lru_hash", "LRU_HASH", Any, Any, Count, false, Value, [], 4 . 10;
    /// The same with values per processor.
    LruPercpuHash = 10, "lru_percpu_hash", "LRU_PERCPU_HASH", Any, Any, Count, true, Value, [],
        4 . 10;
    /// Longest-prefix match.
    LpmTrie = 11, "lpm_trie", "LPM_TRIE", Prefix, Any, Count, false, Value, [], 4 . 11;
    /// An array of maps.
    ArrayOfMaps = 12, "array_of_maps", "ARRAY_OF_MAPS", U32, Fd, Count, false, Map,
        ["map_lookup_elem"], 4 . 12;
    /// A hash of maps.
    HashOfMaps = 13, "hash_of_maps", "HASH_OF_MAPS", Any, Fd, Count, false, Map,
        ["map_lookup_elem"], 4 . 12;
    /// Network devices, for redirection.
    Devmap = 14, "devmap", "DEVMAP", U32, Target, Count, false, Value,
        ["redirect_map" "map_lookup_elem"], 4 . 14;
    /// Sockets by index.
    Sockmap = 15, "sockmap", "SOCKMAP", U32, Socket, Count, false, Socket,
        ["sk_redirect_map" "sock_map_update" "msg_redirect_map" "sk_select_reuseport"
         "map_lookup_elem" "map_update_elem" "map_delete_elem"], 4 . 14;
    /// Processors, for redirection.
    Cpumap = 16, "cpumap", "CPUMAP", U32, Target, Count, false, Nothing, ["redirect_map"], 4 . 15;
    /// XDP sockets.
    Xskmap = 17, "xskmap", "XSKMAP", U32, Fd, Count, false, XdpSocket,
        ["redirect_map" "map_lookup_elem"], 4 . 18;
    /// Sockets by key.
    Sockhash = 18, "sockhash", "SOCKHASH", Any, Socket, Count, false, Socket,
        ["sk_redirect_hash" "sock_hash_update" "msg_redirect_hash" "sk_select_reuseport"
         "map_lookup_elem" "map_update_elem" "map_delete_elem"], 4 . 18;
    /// Values of control groups, made when a program is attached.
    CgroupStorage = 19, "cgroup_storage", "CGROUP_STORAGE", Cgroup, Any, Zero, false, Nothing,
        ["get_local_storage"], 4 . 19;
    /// Sockets that share a port.
    ReuseportSockarray = 20, "reuseport_sockarray", "REUSEPORT_SOCKARRAY", U32, Socket, Count,
        false, Nothing, ["sk_select_reuseport"], 4 . 19;
    /// Values of control groups per processor.
    PercpuCgroupStorage = 21, "percpu_cgroup_storage", "PERCPU_CGROUP_STORAGE", Cgroup, Any, Zero,
        true, Nothing, ["get_local_storage"], 4 . 20;
    /// First in, first out.
    Queue = 22, "queue", "QUEUE", None, Any, Count, false, Nothing,
        ["map_peek_elem" "map_pop_elem" "map_push_elem"], 4 . 20;
    /// Last in, first out.
    Stack = 23, "stack", "STACK", None, Any, Count, false, Nothing,
        ["map_peek_elem" "map_pop_elem" "map_push_elem"], 4 . 20;
    /// Values of sockets.
    SkStorage = 24, "sk_storage", "SK_STORAGE", Owner, Any, Zero, false, Nothing,
        ["sk_storage_get" "sk_storage_delete" "kptr_xchg"], 5 . 2;
    /// Network devices by key.
    DevmapHash = 25, "devmap_hash", "DEVMAP_HASH", U32, Target, Count, false, Value,
        ["redirect_map" "map_lookup_elem"], 5 . 4;
    /// A kernel interface implemented by programs.
    StructOps = 26, "struct_ops", "STRUCT_OPS", U32, StructOps, One, false, Nothing, [], 5 . 6;
    /// A stream of records to user space.
    Ringbuf = 27, "ringbuf", "RINGBUF", None, None, Bytes, false, Nothing,
        ["ringbuf_output" "ringbuf_reserve" "ringbuf_query" "ringbuf_reserve_dynptr"
         "ringbuf_submit_dynptr" "ringbuf_discard_dynptr"], 5 . 8;
    /// Values of inodes.
    InodeStorage = 28, "inode_storage", "INODE_STORAGE", Owner, Any, Zero, false, Nothing,
        ["inode_storage_get" "inode_storage_delete" "kptr_xchg"], 5 . 10;
    /// Values of tasks.
    TaskStorage = 29, "task_storage", "TASK_STORAGE", Owner, Any, Zero, false, Nothing,
        ["task_storage_get" "task_storage_delete" "kptr_xchg"], 5 . 11;
    /// A set that may claim too much.
    BloomFilter = 30, "bloom_filter", "BLOOM_FILTER", None, Any, Count, false, Nothing,
        ["map_peek_elem" "map_push_elem"], 5 . 16;
    /// A stream of records from user space.
    UserRingbuf = 31, "user_ringbuf", "USER_RINGBUF", None, None, Bytes, false, Nothing,
        ["user_ringbuf_drain"], 6 . 1;
    /// Values of control groups, made on demand.
    CgrpStorage = 32, "cgrp_storage", "CGRP_STORAGE", Owner, Any, Zero, false, Nothing,
        ["cgrp_storage_get" "cgrp_storage_delete" "kptr_xchg"], 6 . 2;
    /// Memory shared with user space.
    Arena = 33, "arena", "ARENA", None, None, Pages, false, Nothing, [], 6 . 9;
}

/// Helpers that a map type's list may name without taking them away from ordinary maps.
const COMMON: [&str; 4] = ["map_lookup_elem", "map_update_elem", "map_delete_elem", "kptr_xchg"];

impl MapType {
    /// The type with this number.
    pub fn from_number(number: u32) -> Option<MapType> {
        MAPS.iter().map(|row| row.ty).find(|&ty| ty as u32 == number)
    }

    /// The type with this name: `hash` or `BPF_MAP_TYPE_HASH`.
    pub fn from_name(name: &str) -> Option<MapType> {
        MAPS.iter().find(|row| row.name == name || row.c_name == name).map(|row| row.ty)
    }

    /// Its row.
    pub fn info(self) -> &'static MapInfo {
        // Numbers start at 1 and have no holes; a test checks that.
        &MAPS[self as usize - 1]
    }

    /// Whether this helper (`map_lookup_elem`) may be called with a map of this type.
    pub fn accepts(self, helper: &str) -> bool {
        let row = self.info();
        if !row.only.is_empty() {
            return row.only.contains(&helper);
        }
        if helper == "map_lookup_percpu_elem" {
            return row.per_cpu;
        }
        COMMON.contains(&helper) || !MAPS.iter().any(|other| other.only.contains(&helper))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_holes() {
        for (row, number) in MAPS.iter().zip(1..) {
            assert_eq!(row.ty as u32, number);
            assert_eq!(MapType::from_number(number), Some(row.ty));
            assert_eq!(MapType::from_name(row.c_name), Some(row.ty));
            assert!(core::ptr::eq(row.ty.info(), row));
        }
        assert_eq!(MapType::from_number(0), None);
    }

    #[test]
    fn helpers_and_maps_must_match() {
        assert!(MapType::Hash.accepts("map_lookup_elem"));
        assert!(MapType::Hash.accepts("for_each_map_elem"));
        assert!(!MapType::Hash.accepts("tail_call"));
        assert!(!MapType::Hash.accepts("map_lookup_percpu_elem"));
        assert!(MapType::PercpuHash.accepts("map_lookup_percpu_elem"));
        assert!(MapType::ProgArray.accepts("tail_call"));
        assert!(!MapType::ProgArray.accepts("map_lookup_elem"));
        assert!(!MapType::Array.accepts("ringbuf_output"));
        assert!(MapType::Queue.accepts("map_push_elem") && !MapType::Array.accepts("map_push_elem"));
    }
}
