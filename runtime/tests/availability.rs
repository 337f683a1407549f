//! Which programs may call which helpers: for every kind of section and every helper, our answer and that
//! of the running kernel, which looks for the helper before it looks at any argument.
#![cfg(target_os = "linux")]

mod common;

use skep_runtime::Image;
use skep_runtime::kernel::Kernel as Running;
use skep_runtime::object::Code;
use skep_runtime::verify::{Cause, Options, verify_program};
use skep_stdlib::btf::Type;
use skep_stdlib::features::Kernel;
use skep_stdlib::helpers::HELPERS;
use skep_stdlib::isa::{CallTarget, Insn};
use skep_stdlib::programs::sections::SECTIONS;
use skep_stdlib::programs::{PROGRAMS, ProgType};

/// What kinds of sections that name something in the kernel are given to name.
const TARGETS: &[(&str, &[&str])] = &[
    ("tp_btf+", &["task_newtask"]),
    ("iter+", &["task", "bpf_map_elem", "tcp", "unix"]),
    ("iter.s+", &["task", "bpf_map_elem"]),
];

/// What the kernel says if there is no such helper for such a program.
const ABSENT: &[&str] = &["cannot use helper", "unknown func", "helper call is not allowed in probe"];

/// Helpers that a kernel has or not by its configuration: what is locked down, what injects errors.
const CONFIGURED: &[&str] = &["probe_write_user", "override_return"];

/// Rules that a program breaks if there is no such helper for it.
const ABSENT_BY_US: &[&str] = &["V0302", "V0307"];

fn calls(section: &str, id: u32) -> Image {
    let insns = vec![Insn::Call(CallTarget::Helper(id as i32)), Insn::Exit];
    Image { target_btf: common::vmlinux(), ..Image::bare(section, Code::new(insns)).unwrap() }
}

/// The helpers about which we and the kernel differ; none if it loads no such programs.
fn differences(section: &str) -> Option<Vec<String>> {
    let mut differ = Vec::new();
    for helper in HELPERS.iter().filter(|helper| !CONFIGURED.contains(&helper.name)) {
        let image = calls(section, helper.id);
        let error = Running::prepare(&image).unwrap().judge(&image.programs[0], 1).err();
        let log = error.map(|error| error.log);
        if log.as_ref().is_some_and(|log| log.is_empty()) {
            return None;
        }
        let theirs = log.is_some_and(|log| ABSENT.iter().any(|words| log.contains(words)));
        let options = Options { btf: common::vmlinux(), ..Options::default() };
        let ours = verify_program(&image, 0, &options).0.err();
        let ours = ours.is_some_and(|report| ABSENT_BY_US.contains(&report.cause.rule().code));
        if ours != theirs {
            let who = if ours { "only the kernel has" } else { "only we have" };
            differ.push(format!("{section}: {who} {} {}", helper.id, helper.name));
        }
    }
    Some(differ)
}

/// Kernels that were asked, of libbpf, which programs have which helpers; and types that it cannot ask about.
const ASKED: &[Kernel] = &[Kernel(5, 10), Kernel(6, 1), Kernel(6, 12), Kernel(6, 18)];
const NOT_ASKED: &[ProgType] = &[
    ProgType::Tracing,
    ProgType::Lsm,
    ProgType::StructOps,
    ProgType::Ext,
    ProgType::LircMode2,
    ProgType::Syscall,
    ProgType::Netfilter,
];
/// What programs have there by their hook, of which libbpf names none.
const BY_HOOK: &[&str] = &["bind", "setsockopt", "getsockopt", "get_retval", "set_retval"];

/// Functions that a program may call only if it is bound to a device, that only tests call, or that the kernel refuses by an argument.
const NOT_CALLED: &[&str] = &[
    "bpf_fentry_test",
    "bpf_iter_css_task_",
    "bpf_modify_return_test",
    "bpf_kfunc_call_",
    "bpf_xdp_metadata_rx_",
];

/// The kernel functions about which we and the kernel differ; none if it loads no such programs.
fn function_differences(section: &str) -> Option<Vec<String>> {
    let btf = common::vmlinux()?;
    let tagged = btf.ids().filter_map(|id| match btf.ty(id) {
        Some(Type::DeclTag { name: "bpf_kfunc", ty, .. }) => Some((ty, btf.name(ty).to_owned())),
        _ => None,
    });
    let mut differ = Vec::new();
    for (id, name) in tagged.filter(|row| !NOT_CALLED.iter().any(|prefix| row.1.starts_with(prefix))) {
        let insns = vec![Insn::Call(CallTarget::Kfunc { id: id.0 as i32, module: 0 }), Insn::Exit];
        let kfuncs = [(id.0 as i32, name.clone())].into();
        let bare = Image::bare(section, Code::new(insns)).unwrap();
        let image = Image { target_btf: common::vmlinux(), kfuncs, ..bare };
        let log = Running::prepare(&image).unwrap().judge(&image.programs[0], 1).err().map(|error| error.log);
        if log.as_ref().is_some_and(|log| log.is_empty()) {
            return None;
        }
        let theirs = log.is_some_and(|log| log.contains("is not allowed"));
        let options = Options { btf: common::vmlinux(), ..Options::default() };
        let ours = verify_program(&image, 0, &options).0.err().map(|report| report.cause);
        match &ours {
            // Where the kernel has no structure for the context, what it gives is of no use.
            Some(Cause::Unsupported { .. }) if name == "bpf_cast_to_kern_ctx" => {}
            Some(Cause::Unsupported { what }) => differ.push(format!("{section}: {name}: {what}")),
            _ if theirs == matches!(ours, Some(Cause::KfuncNotAllowed { .. })) => {}
            _ if theirs => differ.push(format!("{section}: only we have {name}")),
            _ => differ.push(format!("{section}: only the kernel has {name}")),
        }
    }
    Some(differ)
}

#[test]
fn older_kernels_have_helpers_for_fewer_programs() {
    let Some(oracles) = common::oracles() else { return };
    let mut wrong = Vec::new();
    for &kernel in ASKED {
        let text = std::fs::read_to_string(oracles.join(format!("probe-{kernel}.json"))).unwrap();
        let probe: serde_json::Value = serde_json::from_str(&text).unwrap();
        for program in PROGRAMS.iter().filter(|program| !NOT_ASKED.contains(&program.ty)) {
            let Some(known) = probe["helpers"][program.name].as_array() else { continue };
            let known: Vec<u64> = known.iter().filter_map(|id| id.as_u64()).collect();
            for helper in HELPERS.iter().filter(|helper| !CONFIGURED.contains(&helper.name)) {
                let ours = helper.since <= kernel && helper.programs_on(kernel).contains(program.ty);
                if ours != known.contains(&helper.id.into()) && !BY_HOOK.contains(&helper.name) {
                    wrong.push(format!("{kernel}, {}: {}, by us {ours}", program.name, helper.name));
                }
            }
        }
    }
    // Taken away in between.
    wrong.retain(|text| text != "5.10, lwt_seg6local: skb_pull_data, by us false");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn helpers_are_there_where_the_kernel_has_them() {
    if !common::have(&[common::Need::Kernel]) || common::vmlinux().is_none() {
        return;
    }
    let mut wrong = Vec::new();
    let mut seen = 0;
    for row in SECTIONS {
        let name = row.pattern.trim_end_matches('+');
        let targets = TARGETS.iter().find(|found| found.0 == row.pattern);
        let names: Vec<String> = match targets {
            Some((_, targets)) => targets.iter().map(|target| format!("{name}/{target}")).collect(),
            None if row.target_in_btf || row.ty == ProgType::StructOps => continue,
            None => vec![name.to_owned()],
        };
        for name in names {
            let found = [differences(&name), function_differences(&name)];
            seen += usize::from(found[0].is_some());
            wrong.extend(found.into_iter().flatten().flatten());
        }
    }
    assert!(seen > 0, "no programs were judged");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}
