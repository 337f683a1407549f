//! Which kernel programs are verified for: what `--kernel` says.
//!
//! A kernel is a version, by which the tables say what it knows, and its types. `host` is the running
//! one; a file of types alone has no version in it: it is that of the newest of our tables' helpers, maps
//! and functions that the types know.

use skep_stdlib::btf::{self, Btf, Kind};
use skep_stdlib::features::Kernel;
use skep_stdlib::helpers::HELPERS;
use skep_stdlib::kfuncs::KFUNCS;

use crate::error::{Error, Result};
use crate::io::Io;

/// What the running kernel is called, and its types.
pub const HOST: &str = "host";
/// What is verified for if no kernel is named.
pub const LATEST: &str = "6.18";
/// Where the running kernel says what it is.
pub const RELEASE: &str = "/proc/sys/kernel/osrelease";

/// A function of the newest kernel. Of others that the tables have from it some are older.
const NEWEST: &str = "bpf_task_work_schedule_signal_impl";

/// A kernel, as it was named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KernelArg {
    /// `6.12`, `host`, or a file.
    pub name: String,
    version: Version,
    /// The file of its types, if one was named, or [`HOST`].
    pub btf: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Version {
    Known(Kernel),
    OfHost,
    OfTypes,
}

impl Default for KernelArg {
    fn default() -> KernelArg {
        KernelArg { name: LATEST.into(), version: Version::Known(Kernel::LATEST), btf: None }
    }
}

impl std::fmt::Display for KernelArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl KernelArg {
    /// From `X.Y`, `X.Y=FILE`, `host` or `FILE`.
    pub fn parse(text: &str) -> std::result::Result<KernelArg, String> {
        let arg = |name: &str, version, btf: Option<&str>| {
            Ok(KernelArg { name: name.to_owned(), version, btf: btf.map(str::to_owned) })
        };
        if text == HOST {
            return arg(text, Version::OfHost, Some(HOST));
        }
        let (version, btf) = text.split_once('=').map_or((text, None), |(version, btf)| (version, Some(btf)));
        match Kernel::parse(version) {
            Some(kernel) => arg(version, Version::Known(kernel), btf),
            None if btf.is_none() && std::path::Path::new(text).is_file() => {
                arg(text, Version::OfTypes, Some(text))
            }
            None => Err(format!(
                "not a version of the kernel, like {}, nor `{HOST}` nor a file with a kernel's types",
                Kernel::LATEST
            )),
        }
    }

    /// Its version.
    pub fn version(&self, btf: Option<&Btf>, io: &mut Io<'_>) -> Result<Kernel> {
        match self.version {
            Version::Known(kernel) => Ok(kernel),
            Version::OfTypes => Ok(btf.map_or(Kernel::LATEST, version_of)),
            Version::OfHost => {
                let release = io.read(RELEASE).unwrap_or_default();
                Kernel::parse(&String::from_utf8_lossy(&release))
                    .ok_or_else(|| Error::usage(format!("`{RELEASE}` does not say which kernel runs here")))
            }
        }
    }
}

/// The newest version of which these types know something.
fn version_of(btf: &Btf) -> Kernel {
    let helpers = btf.find("bpf_func_id", Kind::Enum).and_then(|id| btf.ty(id));
    let helpers = match &helpers {
        Some(btf::Type::Enum(declared)) => declared.values.as_slice(),
        _ => &[],
    };
    let has = |name: &str| helpers.iter().any(|row| row.name.strip_prefix("BPF_FUNC_") == Some(name));
    let helpers = HELPERS.iter().filter(|row| has(row.name)).map(|row| row.since);
    let is_dated = |since: Kernel, name: &str| since < Kernel::LATEST || name == NEWEST;
    let functions = KFUNCS.iter().filter(|row| is_dated(row.since, row.name));
    let functions = functions.filter(|row| btf.find(row.name, Kind::Func).is_some()).map(|row| row.since);
    helpers.chain(functions).max().unwrap_or(Kernel::LATEST)
}

#[cfg(test)]
mod tests {
    use skep_stdlib::ByteOrder;

    use super::*;

    #[test]
    fn kernels_are_versions_files_and_the_running_one() {
        let parsed = |text: &str| KernelArg::parse(text).map(|arg| (arg.name, arg.version, arg.btf));
        let known = |major, minor| Version::Known(Kernel(major, minor));
        assert_eq!(KernelArg::parse(LATEST), Ok(KernelArg::default()));
        assert_eq!(parsed("5.10"), Ok(("5.10".into(), known(5, 10), None)));
        assert_eq!(parsed("6.1=a.btf"), Ok(("6.1".into(), known(6, 1), Some("a.btf".into()))));
        assert_eq!(parsed("host"), Ok(("host".into(), Version::OfHost, Some("host".into()))));
        assert_eq!(
            parsed("Cargo.toml"),
            Ok(("Cargo.toml".into(), Version::OfTypes, Some("Cargo.toml".into())))
        );
        for wrong in ["six", "six=a.btf", "", "6", "6.x", "host=a.btf"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn types_tell_the_version_by_what_they_know() {
        let of = |names: &[&str]| {
            let mut types = btf::Builder::new(ByteOrder::Little);
            let proto = types.add(&btf::Type::FuncProto { ret: btf::TypeId::VOID, params: Vec::new() });
            for name in names {
                types.add(&btf::Type::Func { name, proto, linkage: btf::Linkage::Static });
            }
            version_of(&Btf::parse(types.finish()).unwrap())
        };
        assert_eq!(of(&[]), Kernel::LATEST);
        assert_eq!(of(&["bpf_preempt_disable", "bpf_rcu_read_lock"]), Kernel(6, 10));
        assert_eq!(of(&["bpf_preempt_disable", NEWEST]), Kernel::LATEST);
    }
}
