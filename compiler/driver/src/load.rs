//! From an object to a verified image: what `build`, `verify` and `run` share.

use std::collections::BTreeMap;
use std::sync::Arc;

use skep_compiler::Compiled;
use skep_runtime::object::{Image, LinkOptions, LoadError, Object};
use skep_runtime::verify::log::{Level, log};
use skep_runtime::verify::{self, Report, Verified};
use skep_stdlib::btf::Btf;
use skep_stdlib::capabilities::Capabilities;
use skep_stdlib::elf::KCONFIG;
use skep_stdlib::features::Target;
use skep_syntax::Session;
use skep_syntax::diag::Style;

use crate::error::{Error, Result};
use crate::io::Io;
use crate::kconfig;
use crate::rejection;
use crate::target::{HOST, KernelArg, LATEST};

/// BTF of the running kernel.
const HOST_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Options of every command that verifies.
#[derive(clap::Args, Clone, Debug)]
pub struct VerifyArgs {
    /// Kernel that shall run the programs: a version, with its types or without (`X.Y`, `X.Y=BTF`), its types
    /// alone, or `host` for the running one. `skep verify` takes several
    #[arg(long, value_name = "KERNEL,..", default_value = LATEST, value_delimiter = ',', value_parser = KernelArg::parse)]
    pub kernel: Vec<KernelArg>,
    /// BTF of a kernel that is named without: a file, `host` for the running kernel's and its configuration, or
    /// `none`
    #[arg(long, value_name = "FILE", default_value = HOST)]
    pub btf: String,
    /// Say it in the kernel's words, too: why a program is refused, its log of the path that fails, or that of
    /// all paths (`log_level` 1 and 2 of `bpf(2)`)
    #[arg(long, value_enum, value_name = "PART", num_args = 0..=1, require_equals = true, default_missing_value = "why")]
    pub kernel_log: Option<KernelLog>,
    /// Every access must be aligned, as on machines that cannot do without
    #[arg(long)]
    pub strict_alignment: bool,
    /// For a user without capabilities, where the kernel lets such load programs
    #[arg(long)]
    pub unprivileged: bool,
}

/// What is said in the kernel's words.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum KernelLog {
    /// Why a program is refused
    Why,
    /// The log of the path that fails
    Path,
    /// The log of all paths
    All,
}

/// What `--unprivileged` takes for granted.
const ASSUMED: &str = "\
note: this is for a user without CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, on a kernel where
      kernel.unprivileged_bpf_disabled is 0 and mitigations are on; the user makes the maps, too";

impl Default for VerifyArgs {
    fn default() -> VerifyArgs {
        let (kernel, btf) = (vec![KernelArg::default()], HOST.into());
        VerifyArgs { kernel, btf, kernel_log: None, strict_alignment: false, unprivileged: false }
    }
}

impl VerifyArgs {
    /// The one kernel that was named.
    fn one(&self) -> Result<&KernelArg> {
        match self.kernel.as_slice() {
            [kernel] => Ok(kernel),
            _ => Err(Error::usage("one kernel only: `skep verify` gives the verdicts of several")),
        }
    }

    /// The target kernel, which has these types.
    fn target(&self, btf: Option<&Btf>, io: &mut Io<'_>) -> Result<Target> {
        Ok(Target { kernel: self.one()?.version(btf, io)?, ..Target::default() })
    }

    /// What programs are verified for.
    pub fn options(&self, io: &mut Io<'_>) -> Result<verify::Options> {
        let btf = self.btf(io)?;
        let target = self.target(btf.as_deref(), io)?;
        let user = if self.unprivileged { Capabilities::NONE } else { Capabilities::ALL };
        Ok(verify::Options {
            target,
            btf,
            aligned: self.strict_alignment,
            user,
            ..verify::Options::default()
        })
    }

    /// Says what the verdicts take for granted.
    pub fn say_assumed(&self, io: &mut Io<'_>) -> Result {
        if self.unprivileged {
            writeln!(io.err, "{ASSUMED}")?;
        }
        Ok(())
    }

    /// Where the target kernel's BTF is.
    fn btf_path(&self) -> Result<&str> {
        Ok(self.one()?.btf.as_ref().unwrap_or(&self.btf))
    }

    /// The target kernel's BTF. The running kernel's is used when there is one and none was named.
    pub fn btf(&self, io: &mut Io<'_>) -> Result<Option<Arc<Btf>>> {
        let path = match self.btf_path()? {
            "none" => return Ok(None),
            HOST if !std::path::Path::new(HOST_BTF).exists() => return Ok(None),
            HOST => HOST_BTF,
            path => path,
        };
        let btf = Btf::parse(io.read(path)?).map_err(|error| Error::file(path, error))?;
        Ok(Some(Arc::new(btf)))
    }
}

/// Parses and links an object.
pub fn link(name: &str, bytes: &[u8], args: &VerifyArgs, io: &mut Io<'_>) -> Result<Image> {
    try_link(bytes, args, io)?.map_err(|error| findings(io, name, &error))
}

/// The same; what is wrong with the object is for the caller to say.
pub fn try_link(
    bytes: &[u8],
    args: &VerifyArgs,
    io: &mut Io<'_>,
) -> Result<std::result::Result<Image, LoadError>> {
    // Only some ask for it.
    let asks = bytes.windows(KCONFIG.len()).any(|part| part == KCONFIG.as_bytes());
    let kconfig = if asks && args.btf_path()? == HOST { kconfig::of_host(io) } else { BTreeMap::new() };
    let target_btf = args.btf(io)?;
    let kernel = args.target(target_btf.as_deref(), io)?.kernel;
    let options = LinkOptions { kernel, target_btf, kconfig, ..LinkOptions::default() };
    Ok(Object::parse(bytes).and_then(|object| object.link(&options)))
}

/// Something is wrong in an object: that is a finding, not a wrong use of the command.
pub fn findings(io: &mut Io<'_>, name: &str, error: &dyn std::fmt::Display) -> Error {
    let help = match name.ends_with(".c") {
        true => "\n  = help: this is C; `skep build` compiles and verifies it",
        false => "",
    };
    match writeln!(io.err, "error: `{name}` cannot be loaded: {error}{help}") {
        Ok(()) => Error::FINDINGS,
        Err(error) => error.into(),
    }
}

/// Verifies an image; shows what is refused, on the C source where that is known.
pub fn verify(
    image: Image,
    source: Option<(&Compiled, &Session<'_>)>,
    args: &VerifyArgs,
    io: &mut Io<'_>,
) -> Result<Verified> {
    let options = args.options(io)?;
    args.say_assumed(io)?;
    let reports = match verify::verify(image.clone(), &options) {
        Ok(verified) => return Ok(verified),
        Err(reports) => reports,
    };
    let style = Style { short: false, color: io.color };
    for report in &reports {
        let text = match source {
            Some((compiled, session)) => rejection::render_compiled(report, &image, compiled, session, style),
            None => rejection::render_object(report, &image, style),
        };
        write!(io.err, "{text}")?;
        say_kernel_log(&image, report.program, Some(report), args, io)?;
    }
    Err(Error::FINDINGS)
}

/// Says of a program, which has this verdict, what the kernel's log would, as far as that was asked for.
pub fn say_kernel_log(
    image: &Image,
    index: usize,
    report: Option<&Report>,
    args: &VerifyArgs,
    io: &mut Io<'_>,
) -> Result {
    let level = match args.kernel_log {
        None => return Ok(()),
        Some(KernelLog::Why) => {
            if let Some(report) = report {
                writeln!(io.err, "the kernel's words:\n{}", rejection::kernel_log(report, image))?;
            }
            return Ok(());
        }
        Some(KernelLog::Path) => Level::Failure,
        Some(KernelLog::All) => Level::All,
    };
    let (_, log) = log(image, index, &args.options(io)?, level);
    Ok(writeln!(io.err, "the kernel's log:\n{log}")?)
}

/// The names of all programs, for messages.
pub fn program_names(image: &Image) -> String {
    let names: Vec<String> = image.programs.iter().map(|program| format!("`{}`", program.name)).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
