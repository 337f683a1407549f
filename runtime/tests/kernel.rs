//! The running kernel takes what we link, and agrees with the interpreter.
#![allow(clippy::print_stderr)]
#![cfg(target_os = "linux")]

mod common;

use common::{ipv4, link, seed, vm};
use skep_runtime::kernel::Kernel;
use skep_runtime::vm::{Engine, Input};

/// Whether programs can be loaded here.
fn kernel() -> bool {
    let source = "int f(void *ctx) { return 0; }";
    let Some(bytes) = common::clang("probe", &format!("__attribute__((section(\"socket\"))) {source}"), &[])
    else {
        return false;
    };
    let works = Kernel::load(&link(&bytes)).is_ok();
    assert!(works || !common::Need::Kernel.is_required(), "`kernel` is required");
    if !works {
        eprintln!("skipped: the kernel loads no programs");
    }
    works
}

fn packets() -> Vec<Vec<u8>> {
    let mut packets =
        vec![ipv4(1, &[8, 0, 0, 0]), ipv4(6, &[0; 20]), ipv4(17, &[0; 8]), vec![0; 60], vec![0xff; 14]];
    packets.push(ipv4(1, &[0; 1000]));
    packets
}

#[test]
fn drop_icmp_does_in_the_interpreter_what_it_does_in_the_kernel() {
    let Some(bytes) = seed("drop_icmp.bpf.c").filter(|_| kernel()) else { return };
    let image = link(&bytes);
    let mut kernel = Kernel::load(&image).unwrap();
    let mut vm = vm(image);
    for data in packets() {
        let input = Input { data, ..Input::default() };
        let (ours, theirs) = (vm.run(0, &input).unwrap(), kernel.run(0, &input).unwrap());
        assert_eq!(ours.result, theirs.result);
        assert_eq!(ours.data, theirs.data);
        assert_eq!(ours.maps, theirs.maps);
    }
}

#[test]
fn the_kernel_accepts_the_seeds_and_refuses_the_unchecked_one() {
    if !kernel() {
        return;
    }
    for name in ["execve_count", "execve_perf", "hash_values", "kprobe_blk", "tp_openat_args", "sched_tracer"]
    {
        let Some(bytes) = seed(&format!("{name}.bpf.c")) else { return };
        if let Err(error) = Kernel::load(&link(&bytes)) {
            // Sandboxed kernels refuse tracing as such, before looking at the program.
            assert!(error.errno == 1 && error.log.is_empty(), "{name}: {error}");
        }
    }
    let Some(bytes) = seed("drop_icmp_unchecked.bpf.c") else { return };
    let error = Kernel::load(&link(&bytes)).err().unwrap();
    assert!(error.log.contains("R2 offset is outside of the packet"), "{error}");
}

/// Programs with real work, on pseudo-random input, against compiled code in the kernel.
#[test]
fn descriptors_that_are_not_the_programs_are_refused() {
    use skep_stdlib::isa::{CallTarget, Imm64, Insn, Operand, Reg, Width};
    if !kernel() {
        return;
    }
    let source = "__attribute__((section(\"socket\"))) int f(void *ctx) { return 0; }";
    let Some(bytes) = common::clang("foreign", source, &[]) else { return };
    let load = |value| Insn::LoadImm64 { dst: Reg::R1, value };
    let foreign = [
        load(Imm64::MapIdx(0)),
        load(Imm64::MapIdx(1_000_000)),
        load(Imm64::MapIdx(-1)),
        load(Imm64::MapIdxValue { index: 3, offset: 0 }),
        load(Imm64::MapFd(1)),
        load(Imm64::MapValue { fd: 1, offset: 0 }),
        load(Imm64::BtfId { id: 1, module: 7 }),
        Insn::Call(CallTarget::Kfunc { id: 1, module: 7 }),
    ];
    for insn in foreign {
        let mut image = link(&bytes);
        let zero = Insn::Mov { width: Width::W64, dst: Reg::R0, src: Operand::Imm(0) };
        image.programs[0].code = skep_runtime::object::Code::new([insn, zero, Insn::Exit]);
        let error = Kernel::load(&image).err().expect("it is refused");
        assert!(error.to_string().contains("not the program's"), "{insn}: {error}");
    }
}

#[test]
fn workloads_give_the_same() {
    let Some(directory) = common::workloads().filter(|_| kernel()) else { return };
    let mut compared = 0;
    let mut names: Vec<_> =
        std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in names.iter().filter(|path| path.extension().is_some_and(|extension| extension == "c")) {
        let source = std::fs::read_to_string(path).unwrap();
        // Their maps are declared the old way, which nothing here loads.
        if source.contains("USE_MAPS") {
            continue;
        }
        let include = format!("-I{}", directory.display());
        let name = path.file_stem().unwrap().to_string_lossy();
        let Some(bytes) = common::clang(&name, &source, &["-DTARGET_XDP", "-mcpu=v3", &include]) else {
            return;
        };
        let image = link(&bytes);
        let mut kernel = Kernel::load(&image).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut vm = vm(image);
        for seed in [1u32, 7, 99] {
            let mut state = seed;
            let mut byte = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            let input = Input { data: (0..3000).map(|_| byte()).collect(), ..Input::default() };
            let (ours, theirs) = (vm.run(0, &input).unwrap(), kernel.run(0, &input).unwrap());
            assert!(ours.same_effects(&theirs), "{name}: {:?} here, {:?} there", ours.result, theirs.result);
            compared += 1;
        }
    }
    assert!(compared >= 50, "{compared} compared");
}
