//! Our own objects: the kernel does with them what the interpreter does, and broken copies of them
//! end in errors, never in panics.

use std::panic::{AssertUnwindSafe, catch_unwind};

use libtest_mimic::{Failed, Trial};
use skep_compiler::{Options, compile, link as linker};
use skep_driver::io::{DiskFiles, EMBEDDED};
use skep_driver::skel;
use skep_runtime::host::Deterministic;
use skep_runtime::kernel::Kernel;
use skep_runtime::object::LinkOptions;
use skep_runtime::verify::{self, Verified};
use skep_runtime::vm::{Engine, Input, Vm};
use skep_runtime::{Image, Object};
use skep_syntax::Session;
use skep_syntax::pp;
use skep_tests::root;
use skep_tests::tools::{self, Need};

/// XDP programs and how the kernel is compared.
const XDP: [&str; 2] = ["drop_udp", "ttl"];

/// All trials.
pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for name in XDP {
        let title = format!("objects::kernel_equals_interpreter::{name}");
        trials.push(match tools::check(&[Need::Kernel]) {
            Ok(()) => Trial::test(title, move || kernel_equals_interpreter(name).map_err(Failed::from)),
            Err(_) => Trial::test(format!("{title} (no kernel)"), || Ok(())).with_ignored_flag(true),
        });
    }
    trials.push(Trial::test("objects::every_prefix_is_an_error", || every_prefix().map_err(Failed::from)));
    trials.push(Trial::test("objects::flipped_bytes_do_no_harm", || flipped_bytes().map_err(Failed::from)));
    trials
}

/// The object of an example.
fn object(name: &str) -> Result<Vec<u8>, String> {
    let path = root().join(format!("examples/{name}.bpf.c"));
    let files = DiskFiles::default();
    let options = pp::Options {
        system_dirs: vec![EMBEDDED.into()],
        macros: vec![pp::MacroOption::Define("__TARGET_ARCH_x86".into())],
        ..pp::Options::default()
    };
    let mut cx = Session::new(&files, options);
    let compiled = compile(&mut cx, &path.to_string_lossy(), &Options::default(), &mut |_, _| {});
    compiled.map(|compiled| compiled.object).map_err(|_| cx.render(Default::default()))
}

fn link(bytes: &[u8]) -> Result<Image, String> {
    let object = Object::parse(bytes).map_err(|error| error.to_string())?;
    object.link(&LinkOptions::default()).map_err(|error| error.to_string())
}

/// Packets of several protocols and lengths, short ones too.
fn packets() -> Vec<Vec<u8>> {
    let header = |protocol: u8, ttl: u8| {
        let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        packet.extend([0x45, 0, 0, 48, 0, 1, 0, 0, ttl, protocol, 0x12, 0x34, 10, 0, 0, 2, 10, 0, 0, 1]);
        packet.extend([0x9c, 0x40, 0, 53, 0, 28, 0, 0]);
        packet.resize(62, 7);
        packet
    };
    let mut packets = vec![header(17, 64), header(17, 1), header(6, 2), header(1, 255), vec![0; 60]];
    packets.push(header(17, 64)[..40].to_vec());
    packets.push(header(17, 64)[..14].to_vec());
    packets
}

fn kernel_equals_interpreter(name: &str) -> Result<(), String> {
    let image = link(&object(name)?)?;
    let mut kernel = Kernel::load(&image).map_err(|error| error.to_string())?;
    let mut vm = Vm::new(Verified::unchecked(image), Box::new(Deterministic::default()))
        .map_err(|error| error.to_string())?;
    for data in packets() {
        let input = Input { data, ..Input::default() };
        let ours = vm.run(0, &input).map_err(|error| error.to_string())?;
        let theirs = kernel.run(0, &input).map_err(|error| error.to_string())?;
        if (&ours.result, &ours.data, &ours.maps) != (&theirs.result, &theirs.data, &theirs.maps) {
            return Err(format!("{:?}\nours: {ours:?}\nkernel: {theirs:?}", input.data));
        }
    }
    Ok(())
}

/// Parses, links, verifies and runs whatever it is; errors are fine.
fn handle(bytes: &[u8]) {
    let input = linker::Input { name: "x", bytes };
    if let Ok(linked) = linker::link(&[input, input]) {
        // What we wrote ourselves is an object.
        Object::parse(&linked).expect("a linked object is one");
    }
    // Whether it can be stripped is not the question here.
    let _ = linker::strip(&input);
    if let Ok(outline) = Object::parse(bytes).and_then(|object| object.outline()) {
        let model = skel::Model::new(None, "x.o", &outline, bytes);
        let texts =
            [skel::c::header(&model), skel::rust::module(&model), skel::go::file(&model, "p", "x.o", false)];
        assert!(texts.iter().all(|text| !text.is_empty()));
    }
    let Ok(image) = link(bytes) else { return };
    let options = verify::Options { limit: 10_000, ..verify::Options::default() };
    verify::verdicts(&image, &options);
    let programs = image.programs.len();
    if let Ok(mut vm) = Vm::new(Verified::unchecked(image), Box::new(Deterministic::default())) {
        for program in 0..programs {
            // Whether the input suits the program is not the question here.
            let _ = vm.run(
                program,
                &Input { data: vec![0; 64], budget: 10_000, list_maps: false, ..Input::default() },
            );
        }
    }
}

fn survive(bytes: &[u8], what: &str) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| handle(bytes))).map_err(|_| format!("{what} panics"))
}

fn every_prefix() -> Result<(), String> {
    let bytes = object("exec_events")?;
    for end in 0..bytes.len() {
        if link(&bytes[..end]).is_ok() {
            return Err(format!("the first {end} of {} bytes are taken for an object", bytes.len()));
        }
    }
    Ok(())
}

fn flipped_bytes() -> Result<(), String> {
    let objects = [object("drop_udp")?, object("latency")?, object("opened")?];
    let mut seed = 1u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    for round in 0..2_000 {
        let mut bytes = objects[round % objects.len()].clone();
        for _ in 0..1 + random() % 3 {
            let at = random() % bytes.len();
            bytes[at] = random() as u8;
        }
        survive(&bytes, &format!("round {round}"))?;
    }
    Ok(())
}
