//! Helpers that have one simple answer without a kernel, and those of a few program types.

use super::{Cx, Entry, Stop, bad};
use crate::maps::Errno;
use crate::vm::Packet;

pub(super) const HELPERS: &[Entry] = &[
    ("get_local_storage", get_local_storage),
    ("user_ringbuf_drain", user_ringbuf_drain),
    ("get_ns_current_pid_tgid", get_ns_current_pid_tgid),
    ("task_pt_regs", |_, _| Ok(0)),
    ("find_vma", |_, _| Ok(Errno::ENOENT.code())),
    ("current_task_under_cgroup", |_, _| Ok(0)),
    ("skb_under_cgroup", |_, _| Ok(0)),
    ("skb_cgroup_id", |cx, _| Ok(cx.env.host.task().cgroup_id)),
    ("sk_cgroup_id", |cx, _| Ok(cx.env.host.task().cgroup_id)),
    ("get_cgroup_classid", |_, _| Ok(0)),
    ("csum_level", |_, _| Ok(0)),
    ("csum_update", |_, [_, sum, ..]| Ok(sum)),
    ("skb_ecn_set_ce", skb_ecn_set_ce),
    ("skb_change_head", skb_change_head),
    ("skb_adjust_room", skb_adjust_room),
    ("skb_vlan_push", skb_vlan_push),
    ("skb_vlan_pop", skb_vlan_pop),
    ("fib_lookup", |_, _| Ok(NOT_FORWARDED)),
    ("check_mtu", check_mtu),
    ("perf_event_read", |_, _| Ok(Errno::ENOENT.code())),
    ("perf_event_read_value", perf_event_read_value),
];

pub(super) const KFUNCS: &[Entry] = &[
    ("bpf_cast_to_kern_ctx", |_, [context, ..]| Ok(context)),
    ("bpf_rdonly_cast", |_, [pointer, ..]| Ok(pointer)),
    ("bpf_map_sum_elem_count", |cx, [map, ..]| {
        Ok(cx.map(map, "bpf_map_sum_elem_count", 1)?.0.keys().len() as u64)
    }),
    ("bpf_local_irq_save", |_, _| Ok(0)),
    ("bpf_local_irq_restore", |_, _| Ok(0)),
    ("bpf_task_acquire", |_, [task, ..]| Ok(task)),
    ("bpf_task_release", |_, _| Ok(0)),
    ("bpf_task_from_pid", |_, _| Ok(0)),
    ("bpf_cgroup_acquire", |_, [cgroup, ..]| Ok(cgroup)),
    ("bpf_cgroup_release", |_, _| Ok(0)),
    ("bpf_cgroup_from_id", |_, _| Ok(0)),
];

/// `BPF_FIB_LKUP_RET_NOT_FWDED`: there are no routes.
const NOT_FORWARDED: u64 = 4;
/// Length of an Ethernet header, and of a VLAN tag in it.
const ETH_HLEN: u64 = 14;
const VLAN_HLEN: u64 = 4;
/// Largest packet of a link, without its Ethernet header.
const MTU: u64 = 1500;
/// `BPF_MTU_CHK_RET_FRAG_NEEDED`
const TOO_LONG: u64 = 1;

/// The value of the current control group; made when it is first asked for.
fn get_local_storage(cx: &mut Cx<'_>, [map, ..]: [u64; 5]) -> Result<u64, Stop> {
    let (group, cpu) = (cx.env.host.task().cgroup_id, cx.env.host.cpu());
    let (entry, memory) = cx.map(map, "get_local_storage", 1)?;
    let mut key = group.to_le_bytes().to_vec();
    key.resize(entry.def.key_size as usize, 0);
    if entry.lookup(&key, cpu).is_none() {
        let zeros = alloc::vec![0; entry.def.value_size as usize];
        entry.update(memory, &key, &zeros, 0, cpu).map_err(|_| bad("get_local_storage", 1, "has no room"))?;
    }
    Ok(entry.lookup(&key, cpu).unwrap_or(0))
}

/// Each record is shown to the function as a dynptr; the records are gone afterwards.
fn user_ringbuf_drain(cx: &mut Cx<'_>, [map, function, data, flags, _]: [u64; 5]) -> Result<u64, Stop> {
    if flags & !3 != 0 {
        return Ok(Errno::EINVAL.code());
    }
    let mut drained = 0;
    loop {
        let (entry, memory) = cx.map(map, "user_ringbuf_drain", 1)?;
        let Ok(record) = entry.ops().peek(memory, true) else { return Ok(drained) };
        drained += 1;
        let (Some(bytes), Some(pointer)) =
            (super::control::scratch(cx.env, &record), super::control::scratch(cx.env, &[0; 16]))
        else {
            return Ok(Errno::ENOMEM.code());
        };
        super::dynptr::Dynptr::memory(bytes, record.len() as u32, true).put(cx, pointer)?;
        let answer = cx.caller.call_back(cx.env, function, [pointer, data, 0, 0, 0]);
        cx.env.memory.free(bytes);
        cx.env.memory.free(pointer);
        if answer? != 0 {
            return Ok(drained);
        }
    }
}

/// There is one namespace, and whatever names it is right.
fn get_ns_current_pid_tgid(cx: &mut Cx<'_>, [_, _, to, size, _]: [u64; 5]) -> Result<u64, Stop> {
    if size as u32 != 8 {
        cx.bytes_mut(to, u64::from(size as u32))?.fill(0);
        return Ok(Errno::EINVAL.code());
    }
    let task = cx.env.host.task();
    let bytes = [task.pid.to_le_bytes(), task.tgid.to_le_bytes()].concat();
    cx.write(to, &bytes)?;
    Ok(0)
}

fn perf_event_read_value(cx: &mut Cx<'_>, [_, _, to, size, _]: [u64; 5]) -> Result<u64, Stop> {
    cx.bytes_mut(to, u64::from(size as u32))?.fill(0);
    Ok(Errno::ENOENT.code())
}

/// Marks the packet as congested if it says that it can be; 1 if it is marked now.
fn skb_ecn_set_ce(cx: &mut Cx<'_>, _: [u64; 5]) -> Result<u64, Stop> {
    let Some(header) = cx.env.packet_bytes_mut(ETH_HLEN, 12) else { return Ok(0) };
    let [version, tos, rest @ ..] = header else { return Ok(0) };
    if *version >> 4 != 4 || *tos & 3 == 0 {
        return Ok(0);
    }
    if *tos & 3 != 3 {
        let added = u16::from(3 - (*tos & 3));
        *tos |= 3;
        // The checksum is the complement of a sum that has grown.
        if let Some([high, low]) = rest.get_mut(8..10) {
            let sum = u32::from(!u16::from_be_bytes([*high, *low])) + u32::from(added);
            let folded = !((sum & 0xffff) as u16 + (sum >> 16) as u16);
            [*high, *low] = folded.to_be_bytes();
        }
    }
    Ok(1)
}

fn packet(cx: &Cx<'_>, helper: &'static str) -> Result<Packet, Stop> {
    cx.env.packet.ok_or(bad(helper, 1, "is not a context with a packet"))
}

/// Makes room of `len` bytes, or takes that many away, `at` bytes into the packet. What is in front of
/// the place moves.
fn resize(cx: &mut Cx<'_>, packet: Packet, at: u64, len: i64) -> Result<u64, Stop> {
    let size = packet.end - packet.data;
    let shrinks = u64::try_from(-len).unwrap_or(0);
    if at.checked_add(shrinks).is_none_or(|end| end > size) {
        return Ok(Errno::EINVAL.code());
    }
    if u64::try_from(len).is_ok_and(|grows| grows > packet.data - packet.buffer) {
        return Ok(Errno::ENOMEM.code());
    }
    let data = packet.data.wrapping_add_signed(-len);
    let front = cx.bytes(packet.data, at)?;
    cx.set_packet(Packet { data, meta: data, ..packet });
    cx.write(data, &front)?;
    if let Ok(len) = u64::try_from(len) {
        cx.bytes_mut(data + at, len)?.fill(0);
    }
    Ok(0)
}

fn skb_change_head(cx: &mut Cx<'_>, [_, len, flags, ..]: [u64; 5]) -> Result<u64, Stop> {
    let packet = packet(cx, "skb_change_head")?;
    match flags {
        0 => resize(cx, packet, 0, i64::from(len as u32)),
        _ => Ok(Errno::EINVAL.code()),
    }
}

/// Room behind the Ethernet header (mode 1) or behind that of the network (mode 0).
fn skb_adjust_room(cx: &mut Cx<'_>, [_, len, mode, ..]: [u64; 5]) -> Result<u64, Stop> {
    let packet = packet(cx, "skb_adjust_room")?;
    let network = match cx.env.packet_bytes(12, 3) {
        Some(&[0x08, 0x00, first]) => u64::from(first & 0xf) * 4,
        Some(&[0x86, 0xdd, _]) => 40,
        _ => return Ok(Errno::ENOTSUPP.code()),
    };
    let at = match mode as u32 {
        0 => ETH_HLEN + network,
        1 => ETH_HLEN,
        _ => return Ok(Errno::ENOTSUPP.code()),
    };
    resize(cx, packet, at, i64::from(len as i32))
}

fn skb_vlan_push(cx: &mut Cx<'_>, [_, protocol, tag, ..]: [u64; 5]) -> Result<u64, Stop> {
    let packet = packet(cx, "skb_vlan_push")?;
    let answer = resize(cx, packet, ETH_HLEN - 2, VLAN_HLEN as i64)?;
    if answer == 0 {
        let protocol = (protocol as u16).to_le_bytes();
        let bytes = [protocol, (tag as u16).to_be_bytes()].concat();
        let at = cx.env.packet.map_or(0, |packet| packet.data) + ETH_HLEN - 2;
        cx.write(at, &bytes)?;
    }
    Ok(answer)
}

fn skb_vlan_pop(cx: &mut Cx<'_>, _: [u64; 5]) -> Result<u64, Stop> {
    let packet = packet(cx, "skb_vlan_pop")?;
    match cx.env.packet_bytes(ETH_HLEN - 2, 2) {
        Some([0x81, 0x00] | [0x88, 0xa8]) => resize(cx, packet, ETH_HLEN - 2, -(VLAN_HLEN as i64)),
        _ => Ok(0),
    }
}

/// The length to be checked is that at the pointer, or that of the packet; the pointer gets the MTU.
fn check_mtu(cx: &mut Cx<'_>, [_, _, len_at, difference, flags]: [u64; 5]) -> Result<u64, Stop> {
    if flags & !1 != 0 {
        return Ok(Errno::EINVAL.code());
    }
    let given = cx.bytes(len_at, 4)?.first_chunk().map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)));
    let len = match given {
        0 => cx.env.packet.map_or(0, |packet| (packet.end - packet.data).saturating_sub(ETH_HLEN)),
        given => given,
    };
    cx.write(len_at, &(MTU as u32).to_le_bytes())?;
    let len = len.saturating_add_signed(i64::from(difference as i32));
    Ok(if len > MTU { TOO_LONG } else { 0 })
}
