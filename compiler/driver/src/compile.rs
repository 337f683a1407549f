//! From command-line options to a compiled unit: what `build`, `run`, `verify` and `dump` share.

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

use clap::ValueEnum;
use skep_compiler::{Compiled, Options, compile};
use skep_stdlib::isa;
use skep_syntax::Session;
use skep_syntax::codes;
use skep_syntax::diag::{Severity, Style};
use skep_syntax::pp::{self, MacroOption, OptLevel};
use skep_syntax::warnings::Policy;

use crate::error::{Error, Result};
use crate::io::{EMBEDDED, Io, STDIN};

/// Directories of the host that clang searches for `-target bpf`.
pub const HOST_DIRS: [&str; 2] = ["/usr/local/include", "/usr/include"];

/// Options of every command that compiles.
#[derive(clap::Args, Clone, Debug)]
pub struct CompileArgs {
    /// Search this directory for headers, before the embedded ones
    #[arg(short = 'I', value_name = "DIR")]
    pub include: Vec<String>,
    /// Search this directory for headers, after those of -I, and treat them as system headers
    #[arg(long, value_name = "DIR")]
    pub isystem: Vec<String>,
    /// Define a macro
    #[arg(short = 'D', value_name = "NAME[=VALUE]")]
    pub define: Vec<String>,
    /// Undefine a macro
    #[arg(short = 'U', value_name = "NAME")]
    pub undefine: Vec<String>,
    /// Version of the instruction set
    #[arg(long, value_enum, default_value_t = Cpu::V3)]
    pub cpu: Cpu,
    /// Level of optimisation
    #[arg(short = 'O', default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=3))]
    pub level: u8,
    /// Byte order of the target
    #[arg(long, value_enum, default_value_t = Endian::Little)]
    pub endian: Endian,
    /// Warnings by clang's names: `all`, `extra`, `shadow`, `no-NAME`, `error`, `error=NAME`
    #[arg(short = 'W', value_name = "NAME")]
    pub warnings: Vec<String>,
    /// Verify the compiler's own work after every pass
    #[arg(long, hide_short_help = true)]
    pub check_ir: bool,
}

/// `--cpu`
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Cpu {
    V1,
    V2,
    V3,
    V4,
}

/// `--endian`
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Endian {
    #[value(name = "el")]
    Little,
    #[value(name = "eb")]
    Big,
}

impl CompileArgs {
    /// What the preprocessor is told.
    pub fn pp_options(&self) -> pp::Options {
        let defines = self.define.iter().cloned().map(MacroOption::Define);
        let undefines = self.undefine.iter().cloned().map(MacroOption::Undef);
        let mut options = pp::Options {
            include_dirs: self.include.clone(),
            system_dirs: self.isystem.clone(),
            macros: defines.chain(undefines).collect(),
            cpu: match self.cpu {
                Cpu::V1 => pp::Cpu::V1,
                Cpu::V2 => pp::Cpu::V2,
                Cpu::V3 => pp::Cpu::V3,
                Cpu::V4 => pp::Cpu::V4,
            },
            big_endian: self.endian == Endian::Big,
            opt: if self.level == 0 { OptLevel::None } else { OptLevel::Speed },
            debug_info: true,
            ..pp::Options::default()
        };
        // Programs that use PT_REGS_* say which machine they are for; most Makefiles pass it.
        if !self.define.iter().any(|define| define.starts_with("__TARGET_ARCH_")) {
            options.macros.insert(0, MacroOption::Define(format!("__TARGET_ARCH_{}", host_arch())));
        }
        options.system_dirs.push(EMBEDDED.into());
        options
    }

    /// A session for one file.
    pub fn session<'a>(&self, files: &'a dyn pp::Files) -> Result<Session<'a>> {
        let mut session = Session::new(files, self.pp_options());
        let policy = Policy::new(&self.warnings, false);
        if let Some((_, complaint)) = policy.complaints.first() {
            return Err(Error::usage(complaint));
        }
        session.diags.set_policy(Rc::new(policy));
        Ok(session)
    }

    /// What the back end is told.
    pub fn options(&self) -> Options {
        Options {
            level: self.level,
            size: false,
            remarks: false,
            no_inline: false,
            cpu: isa_cpu(self.pp_options().cpu),
            big_endian: self.endian == Endian::Big,
            btf: true,
            without: Vec::new(),
            check: self.check_ir,
        }
    }
}

/// The kernel's name of this machine, as in `__TARGET_ARCH_x86`.
pub fn host_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" | "x86" => "x86",
        "aarch64" => "arm64",
        "s390x" => "s390",
        "riscv64" => "riscv",
        "powerpc64" => "powerpc",
        "loongarch64" => "loongarch",
        other => other,
    }
}

/// The same version in the terms of the back end.
pub fn isa_cpu(cpu: pp::Cpu) -> isa::Cpu {
    match cpu {
        pp::Cpu::V1 => isa::Cpu::V1,
        pp::Cpu::V2 => isa::Cpu::V2,
        pp::Cpu::V3 => isa::Cpu::V3,
        pp::Cpu::V4 => isa::Cpu::V4,
    }
}

/// Compiles `path` in the session and shows what there is to say about it.
pub fn compile_file(
    cx: &mut Session<'_>,
    path: &str,
    options: &Options,
    io: &mut Io<'_>,
) -> Result<Compiled> {
    readable(cx, path)?;
    let compiled = compile(cx, path, options, &mut |_, _| {});
    report(cx, io)?;
    compiled.map_err(|_| failure(cx))
}

/// The exit code of a compilation that failed: 3 if nothing is wrong but that we cannot do it yet, so
/// that a wrapper may fall back to another compiler.
pub fn failure(cx: &Session<'_>) -> Error {
    let mut errors = cx.diags.iter().filter(|diag| diag.severity == Severity::Error);
    let unsupported = errors.all(|diag| *diag.code == codes::UNSUPPORTED);
    Error::Reported(if unsupported { 3 } else { 1 })
}

/// That the main file can be read at all is a matter of the command line, not of its text.
pub fn readable(cx: &Session<'_>, path: &str) -> Result {
    let reason = match cx.files.read(path) {
        Ok(_) => return Ok(()),
        Err(pp::ReadError::NotFound) if Path::new(path).is_dir() => "is a directory".into(),
        Err(pp::ReadError::NotFound) if path == STDIN => "only `skep cc` reads standard input".into(),
        Err(pp::ReadError::NotFound) => "no such file or directory".into(),
        Err(pp::ReadError::Failed(reason)) => reason,
    };
    Err(Error::file(path, reason))
}

/// Shows the session's diagnostics.
pub fn report(cx: &Session<'_>, io: &mut Io<'_>) -> Result {
    let text = cx.render(Style { short: false, color: io.color });
    Ok(io.err.write_all(text.as_bytes())?)
}

/// The C sources that a path stands for: itself, or every `*.bpf.c` below a directory.
pub fn sources(paths: &[String]) -> Result<Vec<String>> {
    let mut found = BTreeSet::new();
    let mut files = Vec::new();
    for path in paths {
        if Path::new(path).is_dir() {
            collect(Path::new(path), &mut found, 0).map_err(|error| Error::file(path, error))?;
            files.extend(std::mem::take(&mut found));
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn collect(directory: &Path, found: &mut BTreeSet<String>, depth: usize) -> std::io::Result<()> {
    // Deeper than this is a loop of links.
    if depth > 40 {
        return Ok(());
    }
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found, depth + 1)?;
        } else if path.to_string_lossy().ends_with(".bpf.c") {
            found.insert(path.to_string_lossy().into_owned());
        }
    }
    Ok(())
}
