//! Executed instructions: what our code of the workloads takes, beside clang-19's, at `-O2 -mcpu=v3`.
//!
//! Counted by our own interpreter, so there is no noise and the limits can be tight. Both must also compute
//! the same.

use std::path::Path;
use std::process::Command;

use skep_compiler::{Options, compile};
use skep_driver::io::DiskFiles;
use skep_syntax::diag::Style;
use skep_syntax::{Session, pp};
use skep_tests::bench::{self, Row};
use skep_tests::tools::{self, CLANG, Need};
use skep_tests::{native, workloads};

/// The geometric mean of the ratios must not be above.
const MEAN: f64 = 0.85;

/// No program may take more than this.
const WORST: f64 = 1.15;

#[test]
fn workloads_execute_fewer_instructions_than_clangs() {
    if !tools::have(&[Need::Clang, Need::Workloads]) {
        return;
    }
    let mut rows = Vec::new();
    for workload in workloads::all() {
        let run = |object: &[u8]| {
            let outcome = workloads::run(object, &workload.packet);
            outcome.unwrap_or_else(|error| panic!("{}: {error}", workload.name))
        };
        let (ours, theirs) = (run(&ours(&workload.path)), run(&clangs(&workload.path, &workload.name)));
        assert!(ours.result.is_ok(), "{}: {:?}", workload.name, ours.result);
        assert!(ours.same_effects(&theirs), "{}: {:?}, not {:?}", workload.name, ours.result, theirs.result);
        rows.push(Row { name: workload.name, ours: ours.insns, theirs: theirs.insns });
    }
    let mean = bench::compare("executed instructions", &rows, rows.len());
    assert!(mean <= MEAN, "{mean:.3} of clang's, the limit is {MEAN}");
    let over = rows.iter().filter(|row| row.ratio() > WORST).map(|row| &row.name);
    assert_eq!(over.collect::<Vec<_>>(), Vec::<&String>::new(), "these take more than {WORST} of clang's");
}

fn ours(path: &Path) -> Vec<u8> {
    let files = DiskFiles::default();
    let macros = workloads::FLAGS.map(|flag| pp::MacroOption::Define(flag.trim_start_matches("-D").into()));
    let mut cx = Session::new(&files, pp::Options { macros: macros.into(), ..pp::Options::default() });
    match compile(&mut cx, &path.to_string_lossy(), &Options::default(), &mut |_, _| {}) {
        Ok(compiled) => compiled.object,
        Err(_) => panic!("{}", cx.render(Style::default())),
    }
}

fn clangs(path: &Path, name: &str) -> Vec<u8> {
    let scratch = tools::root().join("target/executed");
    std::fs::create_dir_all(&scratch).expect("a scratch directory");
    let object = scratch.join(format!("{name}.o"));
    let mut command = Command::new(CLANG);
    command.args(["-w", "-g", "-O2", "-target", "bpf", "-mcpu=v3"]).args(workloads::FLAGS);
    native::execute(command.arg("-c").arg(path).arg("-o").arg(&object)).expect("clang compiles it");
    std::fs::read(object).expect("an object")
}
