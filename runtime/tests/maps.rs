//! Maps against the kernel's: the same random operations give the same values, errors and contents.
//!
//! A program carries out the operations that its packet lists, and writes each result into it; the
//! kernel and every engine of ours run it on the same packets, one after the other.

mod common;

use common::tools::random::Random;
use common::{clang, link, vm_in};
use skep_runtime::host::Deterministic;
use skep_runtime::kernel::Kernel;
use skep_runtime::vm::{Engine, Input};

const PROGRAM: &str = r#"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";

struct {
    __uint(type, TYPE);
    __uint(max_entries, ENTRIES);
    __uint(map_flags, FLAGS);
#ifdef KEY
    __type(key, KEY);
#endif
    __type(value, __u64);
} map SEC(".maps");

struct operation {
    __u32 what;
    __u32 flags;
    __u64 key;
    __u64 value;
    __s64 result;
};

static __always_inline __s64 execute(struct operation *o)
{
    __u64 value = o->value;
    __u64 flags = o->flags == 7 ? 1ull << 40 : o->flags;
#ifdef KEY
    __u64 key = o->key;
    __u64 *found;

    switch (o->what) {
    case 0:
        return bpf_map_update_elem(&map, &key, &value, flags);
    case 1:
        return bpf_map_delete_elem(&map, &key);
    default:
        found = bpf_map_lookup_elem(&map, &key);
        if (!found)
            return -1000;
        value = *found;
        *found += 1;
        return value;
    }
#else
    __s64 error;

    switch (o->what) {
    case 0:
        return bpf_map_push_elem(&map, &value, flags);
#ifdef POPS
    case 1:
        error = bpf_map_pop_elem(&map, &value);
        break;
#endif
    default:
        error = bpf_map_peek_elem(&map, &value);
    }
    return error ? error : value;
#endif
}

SEC("xdp") int prog(struct xdp_md *ctx)
{
    struct operation *o = (void *)(long)ctx->data;
    void *end = (void *)(long)ctx->data_end;

    for (int i = 0; i < 32; i++, o++) {
        if ((void *)(o + 1) > end)
            break;
        o->result = execute(o);
    }
    return XDP_PASS;
}
"#;

/// A map type with what its program is compiled with, and its keys.
struct Kind {
    name: &'static str,
    defines: &'static [&'static str],
    key: fn(u64) -> u64,
}

const fn small(bits: u64) -> u64 {
    bits % 12
}

/// Keys that all want the last row of our index of values: its multiplier undone.
fn last_row(bits: u64) -> u64 {
    ((15 << 60) | (bits % 12)).wrapping_mul(0xf1de_83e1_9937_733d)
}

/// Prefix and address; some prefixes are too long.
fn network(bits: u64) -> u64 {
    let prefix = bits % 35;
    let address = u64::from((bits >> 8) as u32 & 0x0700_0003);
    prefix | address << 32
}

const KINDS: &[Kind] = &[
    Kind { name: "array", defines: &["TYPE=2", "ENTRIES=8", "FLAGS=0", "KEY=__u32"], key: small },
    Kind { name: "percpu_array", defines: &["TYPE=6", "ENTRIES=8", "FLAGS=0", "KEY=__u32"], key: small },
    Kind { name: "hash", defines: &["TYPE=1", "ENTRIES=8", "FLAGS=0", "KEY=__u64"], key: small },
    Kind {
        name: "hash_of_one_row",
        defines: &["TYPE=1", "ENTRIES=8", "FLAGS=0", "KEY=__u64"],
        key: last_row,
    },
    Kind { name: "hash_on_demand", defines: &["TYPE=1", "ENTRIES=8", "FLAGS=1", "KEY=__u32"], key: small },
    Kind { name: "percpu_hash", defines: &["TYPE=5", "ENTRIES=8", "FLAGS=0", "KEY=__u64"], key: small },
    // Which element goes when it is full is the kernel's guess; here it never is.
    Kind { name: "lru_hash", defines: &["TYPE=9", "ENTRIES=4096", "FLAGS=0", "KEY=__u64"], key: small },
    Kind {
        name: "lru_percpu_hash",
        defines: &["TYPE=10", "ENTRIES=4096", "FLAGS=0", "KEY=__u64"],
        key: small,
    },
    Kind { name: "lpm_trie", defines: &["TYPE=11", "ENTRIES=8", "FLAGS=1", "KEY=__u64"], key: network },
    Kind { name: "queue", defines: &["TYPE=22", "ENTRIES=4", "FLAGS=0", "POPS=1"], key: small },
    Kind { name: "stack", defines: &["TYPE=23", "ENTRIES=4", "FLAGS=0", "POPS=1"], key: small },
    Kind { name: "bloom_filter", defines: &["TYPE=30", "ENTRIES=4096", "FLAGS=0"], key: small },
];

/// Packets for each kind.
const ROUNDS: usize = 60;
/// Operations in each.
const OPERATIONS: usize = 32;

fn packet(kind: &Kind, random: &mut Random) -> Vec<u8> {
    let mut packet = Vec::new();
    for _ in 0..OPERATIONS {
        let what = (random.bits() % 5 % 3) as u32;
        // Mostly none, then those that mean something, then some that nothing means.
        let flags = [0, 0, 0, 0, 1, 2, 3, 7][(random.bits() % 8) as usize];
        packet.extend(what.to_le_bytes());
        packet.extend(u32::to_le_bytes(flags));
        packet.extend((kind.key)(random.bits()).to_le_bytes());
        packet.extend((random.bits() % 10).to_le_bytes());
        packet.extend([0; 8]);
    }
    packet
}

#[test]
fn random_operations_as_in_the_kernel() {
    let cpus = std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u32);
    for kind in KINDS {
        let defines: Vec<String> = kind.defines.iter().map(|define| format!("-D{define}")).collect();
        let flags: Vec<&str> = ["-mcpu=v3"].into_iter().chain(defines.iter().map(String::as_str)).collect();
        let Some(object) = clang(&format!("map_{}", kind.name), PROGRAM, &flags) else { return };
        let image = link(&object);
        let mut ours = vm_in(image.clone(), Deterministic { cpus, ..Deterministic::default() });
        assert!(ours.has_proof(), "{}", kind.name);
        let mut kernel = match Kernel::load(&image) {
            Ok(kernel) => kernel,
            Err(error) if error.errno == 1 && error.log.is_empty() => return,
            Err(error) => panic!("{}: {error}", kind.name),
        };
        let program = ours.program("prog").unwrap();
        let mut random = Random::new(kind.name.len() as u64);
        for round in 0..ROUNDS {
            // Per-CPU values are those of the CPU that a run is on, which only the kernel knows.
            let per_cpu = kind.name.contains("percpu");
            let input = Input { data: packet(kind, &mut random), list_maps: !per_cpu, ..Input::default() };
            let found = ours.run(program, &input).unwrap();
            let wanted = kernel.run(program, &input).unwrap();
            for (index, (found, wanted)) in found.data.chunks(32).zip(wanted.data.chunks(32)).enumerate() {
                let name = kind.name;
                let operation = &input.data[index * 32..index * 32 + 24];
                // What a run on another CPU has left differs; what is there and what fails does not.
                let result = |bytes: &[u8]| i64::from_le_bytes(bytes[24..].try_into().unwrap());
                let (found, wanted) = (result(found), result(wanted));
                let same = if per_cpu { found.min(0) == wanted.min(0) } else { found == wanted };
                assert!(same, "{name}, round {round}, {operation:02x?}: {found}, kernel {wanted}");
            }
            assert_eq!(found.maps, wanted.maps, "{}, round {round}", kind.name);
        }
    }
}
