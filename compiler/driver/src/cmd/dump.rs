//! `skep dump`: what is inside a source file or an object.


use skep_compiler::{Stage, compile, opt};
use skep_runtime::Object;
use skep_runtime::object::LinkOptions;
use skep_stdlib::btf::print_c;
use skep_syntax::{parse, pp, print};

use crate::compile::{CompileArgs, failure, readable, report};
use crate::error::{Error, Result};
use crate::io::{DiskFiles, Io};
use crate::listing;
use crate::load::findings;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// A C file or an object
    file: String,
    /// What to show
    #[arg(long, value_enum, default_value_t = What::Insns)]
    what: What,
    /// Show one function after each pass that changes it: the name of a pass, or `all`
    #[arg(long, value_name = "PASS")]
    print_after: Option<String>,
    #[command(flatten)]
    compile: CompileArgs,
}

/// What to show.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    /// Instructions with the C lines they came from
    Insns,
    /// Preprocessed text
    Pp,
    /// The syntax tree
    Ast,
    /// SSA as lowered from the typed program
    Ir,
    /// SSA after optimisation
    IrOpt,
    /// Types as C
    Btf,
    /// Sections, maps, programs
    Sections,
}

/// Runs it.
pub fn run(args: Args, io: &mut Io<'_>) -> Result {
    let known = |name: &str| name == "all" || opt::PASSES.iter().any(|pass| pass.name == name);
    if let Some(name) = args.print_after.as_ref().filter(|name| !known(name)) {
        let passes: Vec<&str> = opt::PASSES.iter().map(|pass| pass.name).collect();
        return Err(Error::usage(format!("no pass is called `{name}`; there are all, {}", passes.join(", "))));
    }
    if !args.file.ends_with(".c") {
        let bytes = io.read(&args.file)?;
        return object(&args, &bytes, io);
    }
    let disk = DiskFiles::default();
    let mut session = args.compile.session(&disk)?;
    readable(&session, &args.file)?;
    if let What::Pp | What::Ast = args.what {
        let tokens = pp::preprocess(&mut session, &args.file);
        match args.what {
            What::Pp => io.out.write_all(&pp::print(&tokens, &session.source, &session.names, true))?,
            _ => {
                let unit = parse::unit(&mut session, &tokens);
                io.out.write_all(print::unit(&unit, &session.names).as_bytes())?;
            }
        }
        report(&session, io)?;
        return if session.diags.has_errors() { Err(Error::FINDINGS) } else { Ok(()) };
    }
    let mut texts = Vec::new();
    let wanted = |stage: Stage| match (stage, args.what) {
        (Stage::Pass(pass), _) => args.print_after.as_deref().is_some_and(|name| name == pass || name == "all"),
        (Stage::Ir, What::Ir) | (Stage::IrOpt, What::IrOpt) => true,
        _ => false,
    };
    let compiled = compile(&mut session, &args.file, &args.compile.options(), &mut |stage, text| {
        if wanted(stage) {
            if let Stage::Pass(pass) = stage {
                texts.push(format!("; after {pass}\n"));
            }
            texts.push(text());
        }
    });
    report(&session, io)?;
    for text in &texts {
        io.out.write_all(text.as_bytes())?;
    }
    let compiled = compiled.map_err(|_| failure(&session))?;
    match args.what {
        What::Insns if args.print_after.is_none() => {
            io.out.write_all(listing::assembly(&compiled, &session).as_bytes())?;
        }
        What::Btf | What::Sections => object(&args, &compiled.object, io)?,
        _ => {}
    }
    Ok(())
}

/// What is in an object.
fn object(args: &Args, bytes: &[u8], io: &mut Io<'_>) -> Result {
    let object = Object::parse(bytes).map_err(|error| findings(io, &args.file, &error))?;
    match args.what {
        What::Btf => {
            let btf = object.btf().map_err(|error| findings(io, &args.file, &error))?;
            let btf = btf.ok_or_else(|| Error::file(&args.file, "has no BTF"))?;
            io.out.write_all(print_c::header(&btf).as_bytes())?;
        }
        What::Sections => {
            for name in object.section_names().filter(|name| !name.is_empty()) {
                let size = object.section_bytes(name).map_or(0, <[u8]>::len);
                writeln!(io.out, "section {name}: {size} bytes")?;
            }
            let linked = object.link(&LinkOptions::default());
            let image = linked.map_err(|error| findings(io, &args.file, &error))?;
            for map in &image.maps {
                let (key, value, entries) = (map.key_size, map.value_size, map.max_entries);
                writeln!(io.out, "map {}: {key} -> {value} bytes, {entries} entries", map.name)?;
            }
            for program in &image.programs {
                let slots = program.code.iter().map(|(_, insn)| insn.slots()).sum::<usize>();
                writeln!(io.out, "program {}: {}, {slots} instructions", program.name, program.section)?;
            }
        }
        What::Insns => {
            let linked = object.link(&LinkOptions::default());
            let image = linked.map_err(|error| findings(io, &args.file, &error))?;
            for program in &image.programs {
                writeln!(io.out, "{}: # section `{}`", program.name, program.section)?;
                let mut last = None;
                for (slot, insn) in program.code.iter() {
                    if let Some(function) = program.functions.iter().find(|f| f.start == slot && slot > 0) {
                        writeln!(io.out, "{}:", function.name)?;
                    }
                    let line = program.line_at(slot);
                    if line != last && let Some(line) = line {
                        writeln!(io.out, "; {} @ {}:{}", line.text.trim(), line.file, line.line)?;
                    }
                    last = line;
                    writeln!(io.out, "{slot:6}: {insn}")?;
                }
            }
        }
        What::Pp | What::Ast | What::Ir | What::IrOpt => {
            let what = "an object has only instructions, BTF and sections";
            return Err(Error::usage(format!("{what}: --what is insns, btf or sections, or pass the C file")));
        }
    }
    Ok(())
}
