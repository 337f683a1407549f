//! One public program as both compilers make it, and what a kernel makes of the two objects.
//!
//! A [`Tally`] counts over a corpus. A program that the kernel takes from us and not from clang is
//! counted, not wrong; one that it takes from clang alone is wrong unless the caller knows a cause.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use skep_driver::io::Io;
use skep_test_tools::corpora::{Corpus, sources};
use skep_test_tools::loader::{self, Verdicts};
use skep_test_tools::{self as tools, CLANG};

/// What both compilers are asked for, besides a version of the instruction set.
const FLAGS: [&str; 5] = ["-O2", "-g", "-w", "-target", "bpf"];

/// The version that we are asked for, and clang where nothing else is said.
pub const CPU: &str = "v3";

/// What the compilers make of one file: objects, or what a kernel says of them.
pub enum Pair<T = PathBuf> {
    /// Its headers are not on this machine, most often.
    NotByClang,
    /// With what was said.
    NotByUs(String),
    /// clang's first.
    Both(T, T),
}

impl<T> Pair<T> {
    /// Of what clang made, if it compiles the file, and what we made.
    pub fn new(theirs: Option<T>, ours: Result<T, String>) -> Pair<T> {
        match (theirs, ours) {
            (None, _) => Pair::NotByClang,
            (Some(_), Err(said)) => Pair::NotByUs(said),
            (Some(theirs), Ok(ours)) => Pair::Both(theirs, ours),
        }
    }
}

/// Compiles a file with both. Our object is the caller's to remove; clang's is kept, as it does not change.
pub fn objects(corpus: &Corpus, file: &Path) -> Pair {
    clang(corpus, file, CPU).map_or(Pair::NotByClang, |theirs| Pair::new(Some(theirs), ours(corpus, file)))
}

/// What the running kernel says of clang's object of a file for each of these versions, and of ours.
pub fn verdicts<const N: usize>(corpus: &Corpus, file: &Path, cpus: [&str; N]) -> [Pair<Verdicts>; N] {
    let ours = ours(corpus, file).map(|object| {
        let verdicts = loader::verdicts(&object);
        // It is in the way of nothing.
        let _ = std::fs::remove_file(object);
        verdicts
    });
    cpus.map(|cpu| {
        let theirs = clang(corpus, file, cpu).map(|object| loader::verdicts(&object));
        Pair::new(theirs, ours.clone())
    })
}

/// Our object, which is the caller's to remove; an error is what was said.
pub fn ours(corpus: &Corpus, file: &Path) -> Result<PathBuf, String> {
    let object = scratch(&format!("{}-{}", corpus.name, std::process::id())).join(object_name(file));
    skep(corpus, file, &object).map(|()| object)
}

fn scratch(folder: &str) -> PathBuf {
    let folder = tools::root().join("target/parity").join(folder);
    std::fs::create_dir_all(&folder).expect("the target directory can be written to");
    folder
}

fn object_name(file: &Path) -> String {
    format!("{}.o", file.file_stem().unwrap_or_default().to_string_lossy())
}

/// clang's object of a file for a version of the instruction set, if it compiles that; it is kept.
pub fn clang(corpus: &Corpus, file: &Path, cpu: &str) -> Option<PathBuf> {
    let mut hasher = DefaultHasher::new();
    (corpus.flags(), FLAGS, cpu).hash(&mut hasher);
    let folder = scratch(&format!("{}-clang-{:x}", corpus.name, hasher.finish()));
    // It is kept as long as neither the file nor a header beside it changes.
    let mut beside = file.parent().map_or_else(Vec::new, |parent| sources(parent, ".h"));
    beside.push(file.to_path_buf());
    let mut hasher = DefaultHasher::new();
    for path in beside {
        let changed = std::fs::metadata(&path).and_then(|data| data.modified()).ok();
        (path, changed).hash(&mut hasher);
    }
    let object = folder.join(format!("{:x}-{}", hasher.finish(), object_name(file)));
    if object.exists() {
        return Some(object);
    }
    let mut command = Command::new(CLANG);
    command
        .args(FLAGS)
        .arg(format!("-mcpu={cpu}"))
        .args(corpus.flags())
        .arg("-c")
        .arg(file)
        .arg("-o")
        .arg(&object);
    let done = command.stdin(Stdio::null()).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success()).then_some(object)
}

/// Our object, by the same command line.
fn skep(corpus: &Corpus, file: &Path, object: &Path) -> Result<(), String> {
    let words = |words: &[&str]| words.iter().map(|word| word.to_string()).collect::<Vec<String>>();
    let (file, object) = (file.to_string_lossy(), object.to_string_lossy());
    let wanted = [words(&FLAGS), vec![format!("-mcpu={CPU}")], corpus.flags()].concat();
    let args = [words(&["skep", "cc"]), wanted, words(&["-c", &file, "-o", &object])];
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut io = Io { stdin: &mut std::io::empty(), out: &mut out, err: &mut err, color: false };
    if skep_driver::main_with(&args.concat(), &mut io) == 0 {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&err).into_owned();
    Err(said.lines().take(6).collect::<Vec<_>>().join("\n"))
}

/// Does something with each file, two at a time; the results are in the order of the files.
pub fn each<T: Send>(files: &[PathBuf], work: impl Fn(&Path) -> T + Sync) -> Vec<T> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(index) else { return };
                    let result = work(file);
                    done.lock().expect("no thread panics with it").insert(index, result);
                }
            });
        }
    });
    done.into_inner().expect("no thread panics with it").into_values().collect()
}

/// What is found about all files of a corpus.
#[derive(Default)]
pub struct Tally {
    /// Files that were looked at.
    pub files: usize,
    /// Files that clang compiles.
    pub by_clang: usize,
    /// Files that both compile.
    pub by_us: usize,
    /// Programs of files that both compile.
    pub programs: usize,
    /// Of these, those that the kernel takes from clang.
    pub taken: usize,
    /// Of these, those that return from clang's object what they say that they return.
    pub ran: usize,
    /// Files that clang compiles and we do not, with what was said.
    pub not_compiled: BTreeMap<String, String>,
    /// Programs that the kernel takes from clang alone, with what was said.
    pub refused: BTreeMap<String, String>,
    /// Programs that return something else from our object.
    pub wrong: BTreeMap<String, String>,
    /// The kernel takes them from us alone.
    pub gained: Vec<String>,
}

impl Tally {
    /// Adds the verdicts on the two objects of a file.
    pub fn add(&mut self, file: &Path, verdicts: Pair<Verdicts>) {
        let stem = stem(file);
        self.files += 1;
        let (theirs, ours) = match verdicts {
            Pair::NotByClang => return,
            Pair::NotByUs(said) => {
                self.by_clang += 1;
                self.not_compiled.insert(stem, said);
                return;
            }
            Pair::Both(theirs, ours) => (theirs, ours),
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
            let Some(ours) = ours.get(name) else {
                self.refused.insert(key, "it is missing".to_string());
                continue;
            };
            match (theirs.error, ours.error) {
                (0, 0) => {
                    let right = theirs.run.filter(|run| run.got == Ok(run.wanted));
                    self.ran += usize::from(right.is_some());
                    if right.is_some() && ours.run != theirs.run {
                        self.wrong.insert(key, format!("{:?}, and clang's {:?}", ours.run, theirs.run));
                    }
                }
                (0, error) => drop(self.refused.insert(key, format!("{error}: {}", ours.said))),
                (_, 0) => self.gained.push(key),
                (_, _) => {}
            }
        }
        for name in ours.keys().filter(|name| !theirs.contains_key(*name)) {
            self.refused.insert(format!("{stem}/{name}"), "clang has no such program".to_string());
        }
    }

    /// One paragraph of numbers.
    pub fn report(&self, name: &str) -> String {
        format!(
            "{name}: of {} files clang compiles {}, we {} of these; of {} programs the kernel takes {} from clang, \
             and refuses {} of these from us; it takes {} from us alone; {} return what they say, of ours {}\n\
             from us alone: {}",
            self.files,
            self.by_clang,
            self.by_us,
            self.programs,
            self.taken,
            self.refused.len(),
            self.gained.len(),
            self.ran,
            self.ran - self.wrong.len(),
            self.gained.join(" ")
        )
    }

    /// What is wrong beyond the lists of programs and files with a known cause.
    pub fn news(&self, refused: &[(&str, &str)], not_compiled: &[(&str, &str)]) -> Vec<String> {
        let new = |found: &BTreeMap<String, String>, list: &[(&str, &str)]| -> Vec<String> {
            let new = found.iter().filter(|(name, _)| !list.iter().any(|(known, _)| known == name));
            new.map(|(name, cause)| format!("{name}: {cause}")).collect()
        };
        [new(&self.refused, refused), new(&self.not_compiled, not_compiled), new(&self.wrong, &[])].concat()
    }
}

/// The name of a file without its endings.
fn stem(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.trim_end_matches(".c").trim_end_matches(".bpf").to_string()
}
