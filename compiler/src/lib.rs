//! AST to BPF ELF object: sema, SSA IR, optimiser, code generator, BTF.
//!
//! [`compile`] is the whole pipeline on one page. Each stage is a function from one type to the
//! next; a [`Stage`] names each result, and whoever wants to see one gets it as text.
//!
//! ```
//! use skep_compiler::{Options, compile};
//! use skep_syntax::Session;
//! use skep_syntax::pp::MemoryFiles;
//!
//! let mut files = MemoryFiles::new();
//! files.add("x.bpf.c", "__attribute__((section(\"xdp\"))) int pass(void *ctx) { return 2; }");
//! let mut cx = Session::new(&files, Default::default());
//! let compiled = compile(&mut cx, "x.bpf.c", &Options::default(), &mut |_, _| {}).expect("it compiles");
//! assert_eq!(&compiled.object[..4], b"\x7fELF");
//! ```
#![warn(missing_docs)]

pub mod barriers;
pub mod btf;
pub mod codegen;
mod front;
mod hash;
pub mod hir;
pub mod ir;
mod limits;
pub mod link;
pub mod lower;
pub mod object;
pub mod opt;
pub mod sections;
pub mod sema;
pub mod types;

use skep_stdlib::ByteOrder;
use skep_stdlib::isa::Cpu;
use skep_syntax::source::Span;
use skep_syntax::{Session, pp};

use crate::codegen::code::Code;
use crate::sections::Layout;

/// What the back end is told; the front end's options are in the session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// `-O`: 0 to 3.
    pub level: u8,
    /// `-Os`: less code rather than fewer executed instructions.
    pub size: bool,
    /// `-Rpass=`: note what is done in [`ir::Module::remarks`].
    pub remarks: bool,
    /// `-fno-inline`: only `always_inline` functions are inlined.
    pub no_inline: bool,
    /// Version of the instruction set.
    pub cpu: Cpu,
    /// `-mbig-endian`.
    pub big_endian: bool,
    /// `-g`: write `.BTF` and `.BTF.ext`.
    pub btf: bool,
    /// Compile as if these statements were not there: [`barriers`], by their places.
    pub without: Vec<Span>,
    /// Verify the IR after every pass and the register allocation; a violation panics.
    pub check: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            level: 2,
            size: false,
            remarks: false,
            no_inline: false,
            cpu: Cpu::V3,
            big_endian: false,
            btf: true,
            without: Vec::new(),
            check: cfg!(debug_assertions),
        }
    }
}

/// Results that can be shown as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    /// The typed program.
    Hir,
    /// SSA as lowered.
    Ir,
    /// One function after a pass that changed it.
    Pass(&'static str),
    /// SSA as code is selected from it.
    IrOpt,
    /// A pass or another part of the compiler has run, whether it changed anything or not: for
    /// `-ftime-report`. The text is empty.
    Ran(&'static str),
}

/// Is given each result, and told what has run: which, and its text.
pub type Observer<'a> = dyn FnMut(Stage, &dyn Fn() -> String) + 'a;

/// A compiled translation unit.
#[derive(Debug)]
pub struct Compiled {
    /// Types, functions, variables.
    pub hir: hir::Module,
    /// SSA after optimisation, with symbols and source locations.
    pub ir: ir::Module,
    /// Instructions.
    pub code: Code,
    /// Where everything is.
    pub layout: Layout,
    /// The object file.
    pub object: Vec<u8>,
    /// The files that were read.
    pub deps: Vec<pp::Dep>,
}

/// Why there is no object: everything is said in the session's diagnostics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failed;

/// Compiles the file `main`.
pub fn compile(
    cx: &mut Session<'_>,
    main: &str,
    options: &Options,
    observer: &mut Observer<'_>,
) -> Result<Compiled, Failed> {
    let ran = |observer: &mut Observer<'_>, name| observer(Stage::Ran(name), &String::new);
    let (hir, deps) = front::read(cx, main);
    ran(observer, "front end");
    if cx.diags.has_errors() {
        return Err(Failed);
    }
    let mut ir = lower::lower(
        &hir,
        &cx.names,
        lower::Options { big_endian: options.big_endian, without: &options.without },
    );
    ran(observer, "lower");
    observer(Stage::Ir, &|| ir.to_string());

    let opt_options = opt::Options {
        level: options.level,
        size: options.size,
        remarks: options.remarks,
        no_inline: options.no_inline,
        cpu: options.cpu as u8 + 1,
        big_endian: options.big_endian,
        check: options.check,
        ..opt::Options::default()
    };
    let found = opt::run(&mut ir, &opt_options, &mut |pass, module, function| {
        observer(Stage::Ran(pass), &String::new);
        if let Some(function) = function {
            let text = || ir::print_function(module, function, false, &|_| String::new());
            observer(Stage::Pass(pass), &text);
        }
    });
    limits::report(cx, &ir, &found);
    observer(Stage::IrOpt, &|| ir.to_string());
    if cx.diags.has_errors() {
        return Err(Failed);
    }

    if options.level > 0 {
        sections::place_variables(&hir, &mut ir, &cx.names);
    }
    let mut found = Vec::new();
    let code_options =
        codegen::Options { cpu: options.cpu, big_endian: options.big_endian, check: options.check };
    let mut ran_step = |step| ran(observer, step);
    let code = codegen::generate(&ir, &code_options, &mut found, &mut ran_step);
    if options.remarks {
        ir.remarks.extend(code.remarks(&ir));
    }
    limits::report(cx, &ir, &found);
    if cx.diags.has_errors() {
        return Err(Failed);
    }
    limits::report_stack(cx, &hir, &ir, &code);
    let layout = sections::lay_out(&hir, &ir, &code, &cx.names);
    let order = if options.big_endian { ByteOrder::Big } else { ByteOrder::Little };
    let btf = match options.btf {
        true => btf::write(btf::Input {
            session: cx,
            module: &hir,
            ir: &ir,
            code: &code,
            layout: &layout,
            main,
            order,
        }),
        false => Default::default(),
    };
    ran(observer, "btf");
    let file = main.rsplit('/').next().unwrap_or(main);
    let names = &cx.names;
    let parts =
        object::Parts { module: &hir, ir: &ir, code: &code, layout: &layout, names, file, btf: &btf, order };
    let object = object::write(parts).unwrap_or_else(|bug| panic!("the object cannot be written: {bug}"));
    ran(observer, "object");
    Ok(Compiled { hir, ir, code, layout, object, deps })
}
