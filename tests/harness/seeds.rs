//! The seed programs, end to end: compiled, run here, loaded into the kernel, beside clang.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use skep_tests::tools::{self, Need};

use super::run::{Done, skep};

/// What a seed does when it is run: arguments, and lines of the output in order.
struct Run {
    seed: &'static str,
    args: &'static [&'static str],
    lines: &'static [&'static str],
}

/// An ICMP packet, a UDP packet, and one that ends in the IP header.
const ICMP: &str =
    "525400000001525400000002 0800 4500001c000100004001 66de 0a0000020a000001 0800f7ff00000000";
const UDP: &str = "525400000001525400000002 0800 4500001c000100004011 66ce 0a0000020a000001 9c40003500080000";
const SHORT: &str = "525400000001525400000002 0800 4500001c00010000";

const RUNS: &[Run] = &[
    Run {
        seed: "drop_icmp",
        args: &["--pkt", ICMP, "--dump-maps"],
        lines: &["trace: Dropping ICMP packet !", "drop_icmp: XDP_DROP (1)", "map drop_count:", "0: 1"],
    },
    Run {
        seed: "drop_icmp",
        args: &["--pkt", UDP, "--dump-maps"],
        lines: &["drop_icmp: XDP_PASS (2)", "0: 0"],
    },
    Run { seed: "drop_icmp", args: &["--pkt", SHORT], lines: &["drop_icmp: XDP_DROP (1)"] },
    Run {
        seed: "drop_icmp",
        args: &["--pkt", ICMP, "--repeat", "3", "--dump-maps"],
        lines: &["map drop_count:", "0: 3"],
    },
    Run {
        seed: "execve_count",
        args: &["--repeat", "2"],
        lines: &["trace: execve called 1 times", "trace: execve called 2 times"],
    },
    Run {
        seed: "execve_count",
        args: &["--map", "counter:0=100"],
        lines: &["trace: execve called 101 times"],
    },
    Run {
        seed: "execve_perf",
        args: &["--pid", "4242", "--comm", "bash"],
        // The count, the process id, the name.
        lines: &["event events: 01 00 00 00 00 00 00 00 92 10 00 00 62 61 73 68 00"],
    },
    Run {
        seed: "hash_values",
        args: &["--prog", "on_exec", "--prog", "on_exec", "--pid", "7", "--dump-maps"],
        lines: &["map values:", "7: 00 ca 9a 3b 00 00 00 00 e8 cd 9a 3b 00 00 00 00 02 00 00 00"],
    },
    Run {
        seed: "hash_values",
        args: &["--prog", "on_exec", "--prog", "on_exit", "--pid", "7", "--dump-maps"],
        lines: &["on_exit: 0", "map values:"],
    },
    Run {
        seed: "sched_tracer",
        args: &["--ctx", "prev_comm=\"bash\"", "--ctx", "next_comm=\"make\"", "--dump-maps"],
        lines: &["trace: Old task was bash, new task is make", "map counter_map:", "0: 1"],
    },
    Run {
        seed: "tp_openat_args",
        args: &["--comm", "cat", "--ctx", "args[1]=\"/etc/passwd\""],
        lines: &["trace: cat /etc/passwd"],
    },
    Run {
        seed: "trace_openat",
        args: &["--pid", "99", "--arg", "-100", "--arg", "\"/etc/hosts\"", "--arg", "0"],
        lines: &["trace: Process 99 tried to open file"],
    },
    Run {
        seed: "kprobe_blk",
        args: &["--arg", "0"],
        lines: &["trace: request allocated at 0 ns, now 1000000000 ns"],
    },
];

/// All trials; without the seeds they are skipped by name.
pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (index, run) in RUNS.iter().enumerate() {
        trials
            .push(trial(format!("seeds::run::{}_{index}", run.seed), &[Need::Seeds], move || check_run(run)));
    }
    trials.push(trial("seeds::unchecked_is_an_error".into(), &[Need::Seeds], unchecked_is_an_error));
    trials.push(trial("seeds::same_bytes_in_any_directory".into(), &[Need::Seeds], same_bytes));
    let short = [Need::Seeds, Need::Clang];
    trials.push(trial("seeds::filter_is_no_longer_than_clangs".into(), &short, short_filter));
    let real = [Need::Seeds, Need::Clang, Need::Bpftool, Need::Libbpf, Need::Kernel];
    for seed in tools::SEEDS {
        trials.push(trial(format!("seeds::kernel::{seed}"), &real, move || kernel_takes_it(seed, false)));
        trials.push(trial(format!("seeds::kernel_host_headers::{seed}"), &real, move || {
            kernel_takes_it(seed, true)
        }));
    }
    let tools = [Need::Seeds, Need::Bpftool, Need::Objdump];
    for seed in tools::SEEDS {
        trials.push(trial(format!("seeds::tools::{seed}"), &tools, move || tools_read_it(seed)));
    }
    trials
}

fn trial(name: String, needs: &[Need], check: impl FnOnce() -> Result<(), String> + Send + 'static) -> Trial {
    match tools::check(needs) {
        Ok(()) => Trial::test(name, move || check().map_err(Failed::from)),
        Err(missing) => {
            let name = format!("{name} (no {})", missing.name());
            Trial::test(name, || Ok(())).with_ignored_flag(true)
        }
    }
}

fn source(seed: &str) -> String {
    let folder = tools::seeds().unwrap_or_default();
    folder.join(format!("{seed}.bpf.c")).to_string_lossy().into_owned()
}

/// A file of this test run.
fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("skep-suite-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a scratch directory");
    folder.join(name)
}

fn check_run(run: &Run) -> Result<(), String> {
    let path = source(run.seed);
    let done = skep(&[&["run", &path], run.args].concat());
    if done.code != 0 {
        return Err(format!("exit code {}\n{}{}", done.code, done.out, done.err));
    }
    let lines: Vec<String> = run.lines.iter().map(|line| line.to_string()).collect();
    skep_tests::case::contains_in_order(&done.out, &lines)
}

fn unchecked_is_an_error() -> Result<(), String> {
    let output = scratch("unchecked.o");
    let done =
        skep(&["build", "--kernel-log", &source("drop_icmp_unchecked"), "-o", &output.to_string_lossy()]);
    let expected = [
        "error[V0101]",
        "eth->h_proto",
        "^^^^^^^^^^^^",
        "needs 14 bytes of the packet, 0 are proven",
        "the pointer into the packet comes from here",
        "data_end",
        "invalid access to packet, off=12 size=2",
        "offset is outside of the packet",
    ];
    match expected.iter().find(|text| !done.err.contains(**text)) {
        _ if done.code != 1 => Err(format!("exit code {}", done.code)),
        _ if output.exists() => Err("there is an object".into()),
        Some(text) => Err(format!("no `{text}` in:\n{}", done.err)),
        None => Ok(()),
    }
}

fn same_bytes() -> Result<(), String> {
    let source_text = std::fs::read(source("execve_perf")).map_err(|error| error.to_string())?;
    let mut objects = Vec::new();
    for folder in ["one", "two/three"] {
        let folder = scratch(folder);
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let (input, output) = (folder.join("p.bpf.c"), folder.join("p.bpf.o"));
        std::fs::write(&input, &source_text).map_err(|error| error.to_string())?;
        build(&["--no-verify", &input.to_string_lossy(), "-o", &output.to_string_lossy()])?;
        objects.push(std::fs::read(output).map_err(|error| error.to_string())?);
    }
    if objects[0] == objects[1] { Ok(()) } else { Err("the objects differ".into()) }
}

/// drop_icmp without map and message: at most 20 instructions, and no more than clang's, for every cpu.
fn short_filter() -> Result<(), String> {
    let text = std::fs::read_to_string(source("drop_icmp")).map_err(|error| error.to_string())?;
    let (head, rest) = text.split_once("struct {").ok_or("no map")?;
    let (_, code) = rest.split_once("SEC(\".maps\");").ok_or("no end of the map")?;
    let dropped = ["fmt", "count", "int key"];
    let kept = code.lines().filter(|line| !dropped.iter().any(|word| line.contains(word)));
    let input = scratch("filter.bpf.c").to_string_lossy().into_owned();
    std::fs::write(&input, format!("{head}{}", kept.collect::<Vec<_>>().join("\n")))
        .map_err(|error| error.to_string())?;
    for cpu in ["v1", "v2", "v3", "v4"] {
        let object = |name: &str| scratch(&format!("filter-{name}-{cpu}.o")).to_string_lossy().into_owned();
        let (ours, clang) = (object("ours"), object("clang"));
        build(&["--no-verify", "--cpu", cpu, &input, "-o", &ours])?;
        let status = Command::new(tools::CLANG)
            .args(["-target", "bpf", &format!("-mcpu={cpu}"), "-O2", "-g", "-w"])
            .args(["-I", "/usr/include/x86_64-linux-gnu", "-c", &input, "-o", &clang])
            .status();
        if !status.is_ok_and(|status| status.success()) {
            return Err("clang fails".into());
        }
        let (ours, clang) = (slots(&ours)?, slots(&clang)?);
        if ours == 0 || ours > clang.min(20) {
            return Err(format!("{ours} instructions at {cpu}, clang has {clang}"));
        }
    }
    Ok(())
}

/// Instructions of the section `xdp`.
fn slots(object: &str) -> Result<usize, String> {
    let bytes = std::fs::read(object).map_err(|error| error.to_string())?;
    let object = skep_runtime::Object::parse(&bytes).map_err(|error| error.to_string())?;
    Ok(object.section_bytes("xdp").map_or(0, |code| code.len() / 8))
}

fn build(args: &[&str]) -> Result<Done, String> {
    let done = skep(&[&["build"], args].concat());
    if done.code == 0 { Ok(done) } else { Err(format!("exit code {}\n{}", done.code, done.err)) }
}

/// A directory with the full `vmlinux.h` of the running kernel.
fn vmlinux() -> Result<PathBuf, String> {
    let header = tools::vmlinux().ok_or("no types of the running kernel")?;
    Ok(header.parent().map(Path::to_path_buf).unwrap_or_default())
}

/// The kernel's verdict on our object is that on clang's.
fn kernel_takes_it(seed: &str, host_headers: bool) -> Result<(), String> {
    let full = vmlinux()?;
    let full = full.to_string_lossy();
    let ours = scratch(&format!("{seed}{}.o", if host_headers { "-host" } else { "" }));
    let ours = ours.to_string_lossy().into_owned();
    let path = source(seed);
    let mut args = vec!["--no-verify", &path, "-o", &ours];
    let multiarch = "/usr/include/x86_64-linux-gnu";
    if host_headers {
        args.extend(["-I", &full, "--isystem", "/usr/include", "--isystem", multiarch]);
    }
    build(&args)?;
    let clang = scratch(&format!("{seed}-clang.o"));
    let clang = clang.to_string_lossy().into_owned();
    let status = Command::new(tools::CLANG)
        .args([
            "-target",
            "bpf",
            "-mcpu=v3",
            "-O2",
            "-g",
            "-w",
            "-D__TARGET_ARCH_x86",
            "-I",
            &full,
            "-I",
            multiarch,
        ])
        .args(["-c", &path, "-o", &clang])
        .status()
        .map_err(|error| error.to_string())?;
    if !status.success() {
        return Err("clang fails".into());
    }
    let (mine, theirs) = (load(&ours)?, load(&clang)?);
    match mine.0 == theirs.0 {
        true => Ok(()),
        false => Err(format!("ours loads: {}, clang's: {}\n{}\n{}", mine.0, theirs.0, mine.1, theirs.1)),
    }
}

/// Loads all programs of an object and lets them go again.
fn load(object: &str) -> Result<(bool, String), String> {
    let name = Path::new(object).file_stem().map(|stem| stem.to_string_lossy().replace('.', "_"));
    let pins = format!("/sys/fs/bpf/skep-{}-{}", std::process::id(), name.unwrap_or_default());
    let output = Command::new(tools::bpftool())
        .args(["prog", "loadall", object, &pins])
        .output()
        .map_err(|error| error.to_string())?;
    // Nothing stays behind, whether or not all were loaded.
    let _ = std::fs::remove_dir_all(&pins);
    Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// bpftool lists its types and makes a skeleton, llvm-objdump shows its source.
fn tools_read_it(seed: &str) -> Result<(), String> {
    let object = scratch(&format!("{seed}-tools.o"));
    let object = object.to_string_lossy().into_owned();
    build(&["--no-verify", &source(seed), "-o", &object])?;
    let bpftool = tools::bpftool();
    let commands: [(&str, &[&str], &str); 3] = [
        (&bpftool, &["btf", "dump", "file", &object, "format", "raw"], "FUNC "),
        (&bpftool, &["gen", "skeleton", &object, "name", "seed"], "struct seed"),
        (tools::OBJDUMP, &["-S", &object], "; "),
    ];
    for (program, args, expected) in commands {
        let output = Command::new(program).args(args).output().map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() || !text.contains(expected) {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("`{program} {}`: no `{expected}`\n{text}\n{errors}", args.join(" ")));
        }
    }
    Ok(())
}
