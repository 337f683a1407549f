//! Boots one of Debian's kernels under QEMU, gives it files and a script, and brings files back.
//!
//! No right on this machine is needed: the processor is emulated. The kernel finds busybox, the
//! files below `/in` and the script as `/in/run` in its first file system. What the script leaves in
//! `/out` comes back as an archive over the second serial line; the first one is the console.
//!
//! ```no_run
//! use skep_test_tools::vm;
//! use std::time::Duration;
//! let job = vm::Job { script: "uname -r > /out/release", files: Vec::new(), limit: Duration::from_secs(60) };
//! let back = vm::run("6.12", &job).expect("it boots");
//! assert!(back["release"].starts_with(b"6.12."));
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::loader::{self, Verdicts};
use crate::{cpio, place, root};

/// The machine that is emulated.
pub const QEMU: &str = "qemu-system-x86_64";

/// A busybox that needs no libraries.
pub const BUSYBOX: &str = "/bin/busybox";

/// The versions of kernels that tests ask for.
pub const KERNELS: [&str; 2] = ["6.1", "6.12"];

/// The image of a kernel: `VERSION/boot/vmlinuz*` below `SKEP_KERNELS`. Emulation is slow, so no usual
/// place is looked at: `.ci/run --vm` unpacks Debian's packages and sets the variable.
pub fn kernel(version: &str) -> Option<PathBuf> {
    let folder = place("SKEP_KERNELS", &[])?.join(version).join("boot");
    let entries = std::fs::read_dir(folder).ok()?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz")))
        .max()
}

/// What is done in a machine.
pub struct Job<'a> {
    /// Lines for busybox's shell, with a directory `/out` to write to.
    pub script: &'a str,
    /// Names below `/in`, and contents; all can be executed.
    pub files: Vec<(String, Vec<u8>)>,
    /// Nothing runs longer.
    pub limit: Duration,
}

/// Mounts what programs expect, runs the script, sends the results, and ends.
const INIT: &str = "#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /out
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracing /sys/kernel/tracing
cd /in
sh /in/run
stty -F /dev/ttyS1 raw
cd /out
find . | cpio -o -H newc > /dev/ttyS1
poweroff -f
";

/// The kernel's command line: the security module that programs attach to, and no checks that a machine
/// fails whose processor has other things to do.
const COMMAND_LINE: &str =
    "console=ttyS0 quiet panic=-1 lsm=bpf no_timer_check rcupdate.rcu_cpu_stall_suppress=1";

/// Does a job with a kernel; the files that it leaves in `/out`, by name.
pub fn run(version: &str, job: &Job<'_>) -> Result<BTreeMap<String, Vec<u8>>, String> {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let kernel = kernel(version).ok_or_else(|| format!("no kernel {version}"))?;
    let text = |error: std::io::Error| error.to_string();
    let number = RUNS.fetch_add(1, Ordering::Relaxed);
    let folder = root().join("target/vm").join(format!("{version}-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(text)?;
    let (disk, console, results) = (folder.join("in.cpio"), folder.join("console"), folder.join("out.cpio"));
    std::fs::write(&disk, first_file_system(job).map_err(text)?).map_err(text)?;
    let mut machine = Command::new(QEMU);
    machine.args(["-accel", "tcg", "-cpu", "max", "-m", "3072", "-smp", "1", "-display", "none"]);
    machine.args(["-monitor", "none", "-nic", "none", "-no-reboot", "-append", COMMAND_LINE]);
    machine.arg("-kernel").arg(kernel).arg("-initrd").arg(&disk);
    for line in [&console, &results] {
        machine.arg("-serial").arg(format!("file:{}", line.display()));
    }
    wait(machine, job.limit).map_err(|error| format!("{error}; see {}", console.display()))?;
    let archive = std::fs::read(&results).map_err(text)?;
    let back = cpio::unpack(&archive).map_err(|error| format!("{error}; see {}", console.display()))?;
    // What is left is in the way of nothing.
    let _ = std::fs::remove_dir_all(folder);
    Ok(back)
}

fn first_file_system(job: &Job<'_>) -> std::io::Result<Vec<u8>> {
    let busybox = std::fs::read(BUSYBOX)?;
    let files: Vec<(String, &[u8])> =
        job.files.iter().map(|(name, data)| (format!("in/{name}"), data.as_slice())).collect();
    let ours: [(&str, &[u8]); 3] =
        [("bin/busybox", &busybox), ("init", INIT.as_bytes()), ("in/run", job.script.as_bytes())];
    Ok(cpio::pack(ours.into_iter().chain(files.iter().map(|(name, data)| (name.as_str(), *data)))))
}

/// Runs a command to its end, and ends it itself when the time is over.
fn wait(mut command: Command, limit: Duration) -> Result<(), String> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let start = Instant::now();
    loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("the machine ends with {status}")),
            None if start.elapsed() > limit => {
                // It may have ended by itself in between.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("no end after {} seconds", limit.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// The types of a kernel, as it gives them away.
pub fn types(version: &str) -> Result<Vec<u8>, String> {
    let path = root().join("target/vm").join(format!("{version}.btf"));
    if let Ok(bytes) = std::fs::read(&path) {
        return Ok(bytes);
    }
    let script = "cp /sys/kernel/btf/vmlinux /out/btf";
    let mut back = run(version, &Job { script, files: Vec::new(), limit: Duration::from_secs(120) })?;
    let bytes = back.remove("btf").ok_or("the kernel has no types")?;
    std::fs::write(path, &bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Objects that one machine is given.
const BATCH: usize = 100;

/// An emulated processor is slow; one object never took a tenth of this.
const OBJECT_LIMIT: Duration = Duration::from_secs(300);

/// Loads each program of each object, one by one, into a kernel. The verdicts are in the order of the
/// objects, and are kept: an object that was judged once is not given to that kernel again.
pub fn verdicts(version: &str, objects: &[PathBuf]) -> Result<Vec<Verdicts>, String> {
    let loader = loader::portable().ok_or("the loader does not compile")?;
    let loader = std::fs::read(loader).map_err(|error| error.to_string())?;
    let kernel = kernel(version).ok_or_else(|| format!("no kernel {version}"))?;
    let kept = root().join("target/vm/kept");
    std::fs::create_dir_all(&kept).map_err(|error| error.to_string())?;
    let mut names = Vec::new();
    let mut missing = BTreeSet::new();
    for object in objects {
        let bytes = std::fs::read(object).map_err(|error| format!("{}: {error}", object.display()))?;
        let mut hasher = DefaultHasher::new();
        (&kernel, &loader, &bytes).hash(&mut hasher);
        let name = format!("{:016x}", hasher.finish());
        if !kept.join(&name).exists() {
            missing.insert((name.clone(), object.clone()));
        }
        names.push(name);
    }
    let missing: Vec<(String, PathBuf)> = missing.into_iter().collect();
    for batch in missing.chunks(BATCH) {
        judge(version, &loader, batch, &kept)?;
    }
    let texts = names.iter().map(|name| std::fs::read_to_string(kept.join(name)));
    Ok(texts.map(|text| loader::parse(&text.map_err(|error| error.to_string())?)).collect())
}

/// Has one machine load some objects, and keeps what the loader prints of each.
fn judge(version: &str, loader: &[u8], batch: &[(String, PathBuf)], kept: &Path) -> Result<(), String> {
    let mut files = vec![("load_each".to_string(), loader.to_vec())];
    for (name, object) in batch {
        files.push((format!("objects/{name}"), std::fs::read(object).map_err(|error| error.to_string())?));
    }
    let script = format!(
        "for name in $(ls objects); do timeout {} ./load_each objects/$name > /out/$name; done",
        OBJECT_LIMIT.as_secs()
    );
    let limit = Duration::from_secs(120) + OBJECT_LIMIT * u32::try_from(batch.len()).unwrap_or(1) / 10;
    let back = run(version, &Job { script: &script, files, limit })?;
    for (name, text) in back {
        // Another process may be at the same: it writes the same.
        std::fs::write(kept.join(name), text).map_err(|error| error.to_string())?;
    }
    Ok(())
}
