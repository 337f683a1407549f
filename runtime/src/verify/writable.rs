//! Fields of kernel structures that programs of some kinds may write (the kernel's
//! `btf_struct_access` of their types).

use skep_stdlib::btf::{self, Btf, Kind, TypeId};
use skep_stdlib::programs::ProgType;

use super::members;
use super::reg::{Pointer, PtrKind, Trust};
use super::report::{Access, Cause};
use super::walk::{Check, Walk};

/// Who may write.
enum Writer {
    /// Programs that implement this interface.
    Interface(&'static str),
    /// Programs that see packets at a device.
    Device,
}

/// Who, the structure that the pointer must be to, the structure that names the field and begins it,
/// the field.
type Row = (Writer, &'static str, &'static str, &'static str);

const TCP: Writer = Writer::Interface("tcp_congestion_ops");
const SCHED: Writer = Writer::Interface("sched_ext_ops");

const WRITABLE: &[Row] = &[
    (TCP, "tcp_sock", "sock", "sk_pacing_rate"),
    (TCP, "tcp_sock", "sock", "sk_pacing_status"),
    (TCP, "tcp_sock", "inet_connection_sock", "icsk_ca_priv"),
    (TCP, "tcp_sock", "inet_connection_sock", "icsk_ack.pending"),
    (TCP, "tcp_sock", "tcp_sock", "snd_cwnd"),
    (TCP, "tcp_sock", "tcp_sock", "snd_cwnd_cnt"),
    (TCP, "tcp_sock", "tcp_sock", "snd_cwnd_stamp"),
    (TCP, "tcp_sock", "tcp_sock", "snd_ssthresh"),
    (TCP, "tcp_sock", "tcp_sock", "ecn_flags"),
    (TCP, "tcp_sock", "tcp_sock", "app_limited"),
    (SCHED, "task_struct", "task_struct", "scx.slice"),
    (SCHED, "task_struct", "task_struct", "scx.dsq_vtime"),
    (SCHED, "task_struct", "task_struct", "scx.disallow"),
    (Writer::Interface("bpf_dummy_ops"), "bpf_dummy_ops_state", "bpf_dummy_ops_state", "val"),
    (Writer::Device, "nf_conn", "nf_conn", "mark"),
    (Writer::Device, "nf_conn___init", "nf_conn", "mark"),
];

impl Walk<'_> {
    /// May a kernel structure be written there?
    pub(super) fn store_structure(&self, pointer: &Pointer, access: &Access) -> Check {
        let refused = Cause::ReadOnly { access: *access, limit: 0 };
        let PtrKind::Btf { ty, trust } = pointer.kind else { return Err(refused) };
        if pointer.nullable {
            return Err(Cause::MaybeNull { access: *access });
        }
        self.check_license()?;
        self.cx.check_looks_inside(|| self.cx.btf.map_or("", |btf| btf.name(TypeId(ty))))?;
        let valid = match trust {
            Trust::Trusted | Trust::Rcu => true,
            Trust::Plain | Trust::Untrusted => pointer.reference != 0,
        };
        let allowed = self.cx.btf.is_some_and(|btf| {
            WRITABLE.iter().any(|row| {
                self.is_writer(&row.0)
                    && btf.name(TypeId(ty)) == row.1
                    && btf
                        .find(row.2, Kind::Struct)
                        .and_then(|ty| field(btf, ty, row.3))
                        .is_some_and(|(start, end)| start <= access.min && access.end() <= end)
            })
        });
        match valid && allowed && access.min == access.max {
            true => Ok(()),
            false => Err(refused),
        }
    }

    fn is_writer(&self, writer: &Writer) -> bool {
        match writer {
            Writer::Interface(name) => {
                let member = self.cx.program.implements.as_ref();
                member.is_some_and(|member| btf::essential_name(&member.structure) == *name)
            }
            Writer::Device => {
                matches!(self.cx.prog_type, ProgType::SchedCls | ProgType::SchedAct | ProgType::Xdp)
            }
        }
    }
}

/// The bytes of a field, given by names with dots between them.
fn field(btf: &Btf, ty: TypeId, path: &str) -> Option<(i64, i64)> {
    let (mut ty, mut start) = (ty, 0);
    for name in path.split('.') {
        let (offset, inner) = members::named(btf, ty, name)?;
        (ty, start) = (inner, start + i64::from(offset));
    }
    Some((start, start + i64::try_from(btf.size_of(ty)?).ok()?))
}
