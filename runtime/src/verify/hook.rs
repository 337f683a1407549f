//! What a program is for, before its first instruction: may one like it be attached there at all?
//!
//! In: the program's section and license. Out: nothing, or why the kernel has no place for it. Whether
//! the hook exists is asked where its arguments are read (`args`): modules bring more than the kernel's
//! own types tell.

use alloc::format;
use alloc::string::String;

use skep_stdlib::btf;
use skep_stdlib::programs::{AttachType as A, ProgType};
use skep_stdlib::tracing;

use super::Context;
use super::call::is_gpl;
use super::report::Cause;

/// Checks the program as a whole.
pub fn check(cx: &Context<'_>) -> Result<(), Cause> {
    let license = &cx.image.license;
    if matches!(cx.prog_type, ProgType::Lsm | ProgType::StructOps) && !is_gpl(license) {
        let program = cx.prog_type.info().name;
        return Err(Cause::ProgramGpl { program, license: license.clone() });
    }
    let what = match cx.prog_type {
        ProgType::StructOps => member(cx),
        ProgType::Lsm => cx.section.target.and_then(|hook| security_hook(cx, hook)),
        ProgType::Tracing => cx.section.target.and_then(|function| traced(cx, function)),
        _ => None,
    };
    match what {
        Some((what, log)) => Err(Cause::Hook { what, log }),
        None => Ok(()),
    }
}

/// May a program that is attached there call the helper?
pub fn may_call(cx: &Context<'_>, helper: &str) -> bool {
    let target = cx.section.target.unwrap_or_default();
    let may_sleep = tracing::SLEEPABLE_HOOKS.contains(&target);
    match (helper, cx.prog_type) {
        ("d_path" | "ima_inode_hash" | "ima_file_hash", ProgType::Lsm) => may_sleep,
        ("d_path", ProgType::Tracing) if cx.section.section.attach == Some(A::TraceIter) => true,
        ("setsockopt" | "getsockopt", ProgType::Lsm) => tracing::SOCKET_OPTION_HOOKS.contains(&target),
        ("sk_storage_get" | "sk_storage_delete", ProgType::Tracing) => {
            cx.section.section.attach == Some(A::TraceIter) || !target.starts_with("bpf_sk_storage")
        }
        ("d_path", _) => tracing::PATH_FUNCTIONS.contains(&target),
        _ => true,
    }
}

/// What the program may return.
pub fn return_range(cx: &Context<'_>) -> Option<(i32, i32)> {
    let attach = cx.section.section.attach;
    match cx.section.target {
        Some(hook) if attach == Some(A::LsmMac) && tracing::BOOLEAN_HOOKS.contains(&hook) => Some((0, 1)),
        _ => cx.prog_type.return_range(attach),
    }
}

/// Why a program cannot be attached, in our words and in the kernel's.
type Refusal = (String, String);

fn member(cx: &Context<'_>) -> Option<Refusal> {
    let member = cx.program.implements.as_ref().filter(|_| cx.program.sleepable)?;
    let structure = btf::essential_name(&member.structure);
    let (_, sleepable) = tracing::SLEEPABLE_MEMBERS.iter().find(|row| row.0 == structure)?;
    let name = &member.name;
    (!sleepable.contains(&name.as_str())).then(|| {
        let what = format!(
            "`{name}` of `{structure}` cannot be implemented by a program that may sleep: leave out the `.s`"
        );
        (what, format!("attach to unsupported member {name} of struct {structure}"))
    })
}

fn security_hook(cx: &Context<'_>, hook: &str) -> Option<Refusal> {
    if tracing::DISABLED_HOOKS.contains(&hook) {
        let what = format!("no program can be attached to the security hook `{hook}`");
        return Some((what, format!("attach_btf_id of bpf_lsm_{hook} points to disabled hook")));
    }
    let fits = !cx.program.sleepable || tracing::SLEEPABLE_HOOKS.contains(&hook);
    (!fits).then(|| {
        let what = format!(
            "a program that may sleep cannot be attached to the security hook `{hook}`: leave out the `.s`"
        );
        (what, format!("bpf_lsm_{hook} is not sleepable"))
    })
}

fn traced(cx: &Context<'_>, function: &str) -> Option<Refusal> {
    let attach = cx.section.section.attach;
    if !matches!(attach, Some(A::TraceFentry | A::TraceFexit | A::ModifyReturn)) {
        return None;
    }
    if tracing::DENIED_FUNCTIONS.contains(&function) {
        let what = format!("no program can be attached to `{function}`: attaching itself calls it");
        return Some((what, format!("Attaching tracing programs to function '{function}' is rejected.")));
    }
    let afterwards = matches!(attach, Some(A::TraceFexit | A::ModifyReturn));
    (afterwards && tracing::ENDLESS_FUNCTIONS.contains(&function)).then(|| {
        let what = format!("`{function}` does not return: only `fentry` can be attached to it");
        (what, "Attaching fexit/fmod_ret to __noreturn functions is rejected.".into())
    })
}
