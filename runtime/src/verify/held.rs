//! What must be given back before a path may end: references, and sections that were entered.

use alloc::format;
use alloc::string::String;

use super::reg::{Hold, PtrKind, Reg, Trust};
use super::report::{Cause, Leaving};
use super::state::State;
use super::walk::Check;

/// What is entered and left.
pub const LOCK: &str = "a region with a spin lock";
/// The same.
pub const INTERRUPTS: &str = "a section without interrupts";
const RCU: &str = "an RCU read section";
const PREEMPT: &str = "a section without preemption";

/// Is nothing held where a path may end?
pub fn check_nothing(state: &State, before: Leaving) -> Check {
    check_sections(state, before)?;
    match state.references.first() {
        Some(held) => Err(Cause::Leak { acquired: held.slot, id: held.id, before }),
        None => Ok(()),
    }
}

/// Is every section left that was entered?
pub fn check_sections(state: &State, before: Leaving) -> Check {
    let (what, section, missing) = match (state.rcu, state.preempt) {
        _ if !state.locks.is_empty() => (LOCK, "bpf_spin_lock", "bpf_spin_unlock is missing".into()),
        _ if !state.interrupts.is_empty() => {
            (INTERRUPTS, "bpf_local_irq_save", "bpf_local_irq_restore is missing".into())
        }
        (0, 0) => return Ok(()),
        (0, 1) => (PREEMPT, "bpf_preempt_disable", "1 bpf_preempt_enable is missing".into()),
        (0, count) => (PREEMPT, "bpf_preempt_disable", format!("{count} bpf_preempt_enable(s) are missing")),
        _ => (RCU, "bpf_rcu_read_lock", String::from("bpf_rcu_read_unlock is missing")),
    };
    let log = match before {
        Leaving::End => missing,
        Leaving::Throw => format!("bpf_throw cannot be used inside {section}-ed region"),
        Leaving::TailCall => format!("tail_call cannot be used inside {section}-ed region"),
        Leaving::PacketLoad => format!("BPF_LD_[ABS|IND] cannot be used inside {section}-ed region"),
    };
    Err(Cause::Unbalanced { what, log })
}

/// A function that must be called where RCU protects what it reads.
pub fn check_rcu(state: &State, function: &str) -> Check {
    match state.sleepable && state.rcu == 0 {
        true => {
            Err(Cause::Unbalanced { what: RCU, log: format!("expected an RCU CS when using {function}") })
        }
        false => Ok(()),
    }
}

/// The end of a section without preemption.
pub fn leave_preempt(state: &mut State) -> Check {
    let log = "unmatched attempt to enable preemption (kernel function bpf_preempt_enable)";
    let unbalanced = || Cause::Unbalanced { what: PREEMPT, log: log.into() };
    state.preempt = state.preempt.checked_sub(1).ok_or_else(unbalanced)?;
    Ok(())
}

/// The end of a section in which kernel objects stay valid.
pub fn leave_rcu(state: &mut State) -> Check {
    let log = "unmatched rcu read unlock (kernel function bpf_rcu_read_unlock)";
    let unbalanced = || Cause::Unbalanced { what: RCU, log: log.into() };
    state.rcu = state.rcu.checked_sub(1).ok_or_else(unbalanced)?;
    state.for_each_reg(|reg| {
        // What the program got inside, and does not hold, may be gone.
        if let Reg::Pointer(p) = reg
            && p.reference == 0
        {
            match &mut p.kind {
                // What an iterator of the section gave.
                PtrKind::Btf { trust: trust @ Trust::Trusted, .. } if p.id != 0 => *trust = Trust::Untrusted,
                PtrKind::Btf { trust: trust @ Trust::Rcu, .. } => {
                    *trust = Trust::Untrusted;
                    p.nullable = false;
                }
                PtrKind::Object { hold: hold @ Hold::Rcu, .. } => {
                    *hold = Hold::Untrusted;
                    p.nullable = false;
                }
                _ => {}
            }
        }
    });
    Ok(())
}
