//! What must hold of any bytes: one function for each way into the toolchain.
//!
//! The same functions run on a bounded number of inputs in `cargo test` (`tests/bounded.rs`) and
//! without end under a fuzzer (`tests/fuzz`). They return on whatever input; a panic is a bug. What is
//! checked besides survival is said at each.

mod bytecode;

use skep_compiler::{Options, compile as compile_unit};
use skep_driver::io::EMBEDDED;
use skep_runtime::host::Deterministic;
use skep_runtime::object::LinkOptions;
use skep_runtime::verify::{self, Verified};
use skep_runtime::vm::{Engine, Input, Vm};
use skep_runtime::{Image, Object};
use skep_stdlib::btf::{Btf, print_c};
use skep_stdlib::headers;
use skep_syntax::diag::Style;
use skep_syntax::pp::{self, Files, ReadError, Text};
use skep_syntax::{Session, parse as parser, print};

pub use bytecode::{accept_and_run, accepted_never_faults};

/// A check and its name, as `tests/fuzz` calls it.
pub type Check = (&'static str, fn(&[u8]));

/// All checks.
pub const CHECKS: &[Check] = &[
    ("pp", pp),
    ("parse", parse),
    ("compile", compile),
    ("object", object),
    ("btf", btf),
    ("accepted_never_faults", accepted_never_faults),
];

/// The embedded headers and one main file; no disk.
struct OneFile<'a>(&'a [u8]);

const MAIN: &str = "main.c";

impl Files for OneFile<'_> {
    fn read(&self, path: &str) -> Result<Text, ReadError> {
        if path == MAIN {
            return Ok(self.0.into());
        }
        let embedded =
            path.strip_prefix(EMBEDDED).and_then(|name| headers::get(name.trim_start_matches('/')));
        Ok(Text::Embedded(embedded.ok_or(ReadError::NotFound)?.as_bytes()))
    }
}

fn options() -> pp::Options {
    pp::Options {
        system_dirs: vec![EMBEDDED.into()],
        macros: vec![pp::MacroOption::Define("__TARGET_ARCH_x86".into())],
        ..pp::Options::default()
    }
}

/// Every diagnostic can be shown, in each style.
fn show(cx: &Session<'_>) {
    for (short, color) in [(true, false), (false, false), (false, true)] {
        let text = cx.render(Style { short, color });
        assert!(!cx.diags.has_errors() || !text.is_empty(), "an error without words");
    }
}

/// Preprocesses. What comes out without errors is printed, and the print preprocesses without errors.
pub fn pp(bytes: &[u8]) {
    let files = OneFile(bytes);
    let mut cx = Session::new(&files, options());
    let tokens = pp::preprocess(&mut cx, MAIN);
    show(&cx);
    if cx.diags.has_errors() {
        return;
    }
    for markers in [true, false] {
        let text = pp::print(&tokens, &cx.source, &cx.names, markers);
        let printed = OneFile(&text);
        let mut again = Session::new(&printed, options());
        pp::preprocess(&mut again, MAIN);
        let said = again.render(Style { short: true, color: false });
        assert!(!again.diags.has_errors(), "our own output is refused: {said}");
    }
}

/// Parses and prints the tree.
pub fn parse(bytes: &[u8]) {
    let files = OneFile(bytes);
    let mut cx = Session::new(&files, options());
    let tokens = pp::preprocess(&mut cx, MAIN);
    let unit = parser::unit(&mut cx, &tokens);
    print::unit(&unit, &cx.names);
    show(&cx);
}

/// Compiles, verifying the compiler's own work; what comes out is an object for the loader, and the
/// same when compiled again.
pub fn compile(bytes: &[u8]) {
    let files = OneFile(bytes);
    let options_of_backend = Options { check: true, ..Options::default() };
    let mut cx = Session::new(&files, options());
    let first = compile_unit(&mut cx, MAIN, &options_of_backend, &mut |_, _| {});
    show(&cx);
    assert_eq!(first.is_err(), cx.diags.has_errors(), "failure and errors go together");
    let Ok(first) = first else { return };
    if let Err(error) = Object::parse(&first.object) {
        panic!("our own object is refused: {error}");
    }
    let mut again = Session::new(&files, options());
    let again = compile_unit(&mut again, MAIN, &options_of_backend, &mut |_, _| {});
    assert!(again.is_ok_and(|again| again.object == first.object), "compiled again, it differs");
}

/// Loads, links, verifies and runs an object; errors have words.
pub fn object(bytes: &[u8]) {
    let image = match Object::parse(bytes).and_then(|object| object.link(&LinkOptions::default())) {
        Ok(image) => image,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let options = verify::Options { limit: 5_000, ..verify::Options::default() };
    for verdict in verify::verdicts(&image, &options) {
        if let Some(report) = verdict.report {
            assert!(!report.cause.message().is_empty() && !report.cause.kernel_log().is_empty());
        }
    }
    run(image);
}

fn run(image: Image) {
    let programs = image.programs.len();
    let Ok(mut vm) = Vm::new(Verified::unchecked(image), Box::new(Deterministic::default())) else { return };
    for program in 0..programs {
        let input = Input { data: vec![0x45; 64], budget: 5_000, ..Input::default() };
        // Whether the input suits the program is not the question here.
        let _ = vm.run(program, &input);
    }
}

/// Reads types and prints them as C and as a listing.
pub fn btf(bytes: &[u8]) {
    match Btf::parse(bytes.to_vec()) {
        Ok(btf) => {
            print_c::header(&btf);
            for id in btf.ids() {
                btf.ty(id);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
