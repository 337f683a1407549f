//! Small programs that run in all engines, and in the kernel if it takes them.
#![cfg(target_os = "linux")]

use skep_runtime::Image;
use skep_runtime::host::Deterministic;
use skep_runtime::kernel::Kernel;
use skep_runtime::vm::{Engine, Input, Outcome};

use super::{clang, link, vm_in};

const HEADERS: &str = r#"
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
"#;

/// The program; what it needs first is in front of it, unless it says otherwise.
pub fn compile(name: &str, source: &str) -> Option<Image> {
    let headers = if source.contains("vmlinux.h") { "" } else { HEADERS };
    Some(link(&clang(name, &format!("{headers}{source}"), &["-mcpu=v3"])?))
}

/// Runs `prog` on a packet in all engines, and in the kernel if it takes the program.
pub fn same_as_kernel(name: &str, source: &str, data: Vec<u8>) -> Option<Outcome> {
    let image = compile(name, source)?;
    let input = Input { data, ..Input::default() };
    let ours = all_engines(image.clone(), &input);
    if let Some(theirs) = in_kernel(name, &image, &input) {
        assert_eq!((&ours.result, &ours.data), (&theirs.result, &theirs.data), "{name}");
    }
    Some(ours)
}

/// What `prog` does, in all engines the same.
pub fn all_engines(image: Image, input: &Input) -> Outcome {
    let mut vm = vm_in(image, Deterministic::default());
    let program = vm.program("prog").unwrap();
    vm.run(program, input).unwrap()
}

/// What `prog` does in the kernel, where we may load it.
pub fn in_kernel(name: &str, image: &Image, input: &Input) -> Option<Outcome> {
    let program = image.programs.iter().position(|program| program.name == "prog").unwrap();
    match Kernel::load(image) {
        Ok(mut kernel) => Some(kernel.run(program, input).unwrap()),
        // We may not, or there is no such call: emulators have none.
        Err(error) if matches!(error.errno, 1 | 38) && error.log.is_empty() => None,
        Err(error) => panic!("{name}: {error}"),
    }
}
