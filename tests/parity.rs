//! The kernel's verdict on each program of our objects is that on clang-19's: public programs of the
//! kernel tree, loaded one by one through libbpf.
//!
//! CI looks at a sample; `SKEP_FULL=1` at all files, which wants a release build, and checks that the
//! list of differences is complete and not too long. `SKEP_ONLY=NAME` looks at the files whose names
//! hold it. A program that the kernel takes from us and not from clang is counted, not wrong.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use skep_driver::io::Io;
use skep_tests::tools::corpora::{Corpus, corpora};
use skep_tests::tools::loader::{self, Verdict};
use skep_tests::tools::{self, CLANG, Need};

/// One of so many files is looked at when not all are.
const STEP: usize = 40;

/// What both compilers are asked for.
const FLAGS: [&str; 6] = ["-O2", "-g", "-w", "-target", "bpf", "-mcpu=v3"];

/// Programs that the kernel takes from clang and not from us, each with its cause.
#[rustfmt::skip]
const REFUSED: &[(&str, &str)] = &[
    ("bind6_prog/bind_v6_prog", "an address inside the context is computed before it is read"),
    ("lock_contention/contention_end", "a loaded pointer that a comparison says is 0 is used as that 0"),
    ("func_latency/func_end",
        "a counter whose address is taken after its loop stays in memory, where the kernel does not follow it"),
];

/// Files that clang compiles and we do not, each with its cause.
#[rustfmt::skip]
const NOT_COMPILED: &[(&str, &str)] = &[
    ("linked_list", "an array of 1600 bytes is not taken apart"),
    ("pyperf600_bpf_loop", "the frame is 1048 bytes"),
];

/// What is found about all files of a corpus.
#[derive(Default)]
struct Tally {
    files: usize,
    by_clang: usize,
    by_us: usize,
    /// Programs of files that both compile.
    programs: usize,
    /// Of these, those that the kernel takes from clang.
    taken: usize,
    not_compiled: BTreeMap<String, String>,
    refused: BTreeMap<String, String>,
    /// The kernel takes them from us alone.
    gained: Vec<String>,
}

#[test]
#[allow(clippy::print_stderr)]
fn the_kernel_judges_our_objects_as_clangs() {
    let needs = [Need::Clang, Need::KernelTree, Need::Vmlinux, Need::Libbpf, Need::Libelf, Need::Kernel];
    if !tools::have(&needs) {
        return;
    }
    assert!(loader::loader().is_some(), "the loader does not compile");
    let mut wrong = Vec::new();
    for corpus in corpora() {
        let tally = look(&corpus);
        eprintln!(
            "{}: of {} files clang compiles {}, we {} of these; of {} programs the kernel takes {} from clang, \
             and refuses {} of these from us; it takes {} from us alone",
            corpus.name,
            tally.files,
            tally.by_clang,
            tally.by_us,
            tally.programs,
            tally.taken,
            tally.refused.len(),
            tally.gained.len()
        );
        eprintln!("from us alone: {}", tally.gained.join(" "));
        let known = |name: &str, list: &[(&str, &str)]| list.iter().any(|(known, _)| *known == name);
        let news = |found: &BTreeMap<String, String>, list: &[(&str, &str)]| -> Vec<String> {
            let new = found.iter().filter(|(name, _)| !known(name, list));
            new.map(|(name, cause)| format!("{name}: {cause}")).collect()
        };
        wrong.extend(news(&tally.refused, REFUSED));
        wrong.extend(news(&tally.not_compiled, NOT_COMPILED));
        // At least 99%, with or without a cause that is known; of a few programs, all but two.
        let lost = tally.refused.len() * 100;
        assert!(lost <= tally.programs.max(200), "{}: {:#?}", corpus.name, tally.refused);
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// Compiles and loads the files of a corpus.
fn look(corpus: &Corpus) -> Tally {
    let only = std::env::var("SKEP_ONLY").unwrap_or_default();
    let mut files = corpus.sample(if corpus.files.len() > STEP { STEP } else { 4 });
    if !only.is_empty() {
        files = corpus.files.clone();
        files.retain(|file| file.to_string_lossy().contains(&only));
    }
    let (next, tally) = (AtomicUsize::new(0), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = judge(corpus, file);
                    tally.lock().expect("no thread panics with it").add(file, found);
                }
            });
        }
    });
    tally.into_inner().expect("no thread panics with it")
}

type Verdicts = Result<BTreeMap<String, Verdict>, String>;

/// What is found about one file.
enum Found {
    NotByClang,
    /// With what was said.
    NotByUs(String),
    /// clang's first.
    Both(Verdicts, Verdicts),
}

fn judge(corpus: &Corpus, file: &Path) -> Found {
    let Some(theirs) = clang(corpus, file) else { return Found::NotByClang };
    let ours = scratch(&format!("{}-{}", corpus.name, std::process::id())).join(object_name(file));
    match skep(corpus, file, &ours) {
        Err(said) => Found::NotByUs(said),
        Ok(()) => {
            let both = Found::Both(loader::verdicts(&theirs), loader::verdicts(&ours));
            // It is in the way of nothing.
            let _ = std::fs::remove_file(ours);
            both
        }
    }
}

impl Tally {
    fn add(&mut self, file: &Path, found: Found) {
        self.files += 1;
        let stem = file.file_name().unwrap_or_default().to_string_lossy();
        let stem = stem.trim_end_matches(".c").trim_end_matches(".bpf");
        let (theirs, ours) = match found {
            Found::NotByClang => return,
            Found::NotByUs(said) => {
                self.by_clang += 1;
                self.not_compiled.insert(stem.to_string(), said);
                return;
            }
            Found::Both(theirs, ours) => (theirs, ours),
        };
        self.by_clang += 1;
        self.by_us += 1;
        let (theirs, ours) = match (theirs, ours) {
            (Ok(theirs), Ok(ours)) => (theirs, ours),
            (Ok(theirs), Err(said)) => {
                self.programs += theirs.len();
                self.refused.insert(format!("{stem}/*"), format!("libbpf does not open it: {said}"));
                return;
            }
            (Err(_), _) => return,
        };
        self.programs += theirs.len();
        for (name, theirs) in &theirs {
            let key = format!("{stem}/{name}");
            self.taken += usize::from(theirs.error == 0);
            match ours.get(name) {
                None => drop(self.refused.insert(key, "it is missing".to_string())),
                Some(ours) if theirs.error == 0 && ours.error != 0 => {
                    self.refused.insert(key, format!("{}: {}", ours.error, ours.said));
                }
                Some(ours) if theirs.error != 0 && ours.error == 0 => self.gained.push(key),
                Some(_) => {}
            }
        }
        for name in ours.keys().filter(|name| !theirs.contains_key(*name)) {
            self.refused.insert(format!("{stem}/{name}"), "clang has no such program".to_string());
        }
    }
}

fn scratch(folder: &str) -> PathBuf {
    let folder = tools::root().join("target/parity").join(folder);
    std::fs::create_dir_all(&folder).expect("the target directory can be written to");
    folder
}

fn object_name(file: &Path) -> String {
    format!("{}.o", file.file_stem().unwrap_or_default().to_string_lossy())
}

/// clang's object, which is kept: it does not change.
fn clang(corpus: &Corpus, file: &Path) -> Option<PathBuf> {
    let mut hasher = DefaultHasher::new();
    (corpus.flags(), FLAGS).hash(&mut hasher);
    let object = scratch(&format!("{}-clang-{:x}", corpus.name, hasher.finish())).join(object_name(file));
    if object.exists() {
        return Some(object);
    }
    let mut command = Command::new(CLANG);
    command.args(FLAGS).args(corpus.flags()).arg("-c").arg(file).arg("-o").arg(&object);
    let done = command.stdin(Stdio::null()).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success()).then_some(object)
}

/// Our object, by the same command line.
fn skep(corpus: &Corpus, file: &Path, object: &Path) -> Result<(), String> {
    let words = |words: &[&str]| words.iter().map(|word| word.to_string()).collect::<Vec<String>>();
    let (file, object) = (file.to_string_lossy(), object.to_string_lossy());
    let args = [words(&["skep", "cc"]), words(&FLAGS), corpus.flags(), words(&["-c", &file, "-o", &object])];
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut io = Io { stdin: &mut std::io::empty(), out: &mut out, err: &mut err, color: false };
    if skep_driver::main_with(&args.concat(), &mut io) == 0 {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&err).into_owned();
    Err(said.lines().take(6).collect::<Vec<_>>().join("\n"))
}
