//! Warnings beside clang-19's: the same lines, as severe, under the same names.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Done, SKEP, Scratch};
use skep_test_tools::{self as tools, Need};

const LEVELS: &[u8] = include_bytes!("warnings/levels.c");
/// What is only looked for in programs without errors.
const FLOWS: &[u8] = include_bytes!("warnings/flows.c");

/// Words at blanks, all for the BPF target.
fn words(line: &str) -> Vec<&str> {
    ["-target", "bpf"].into_iter().chain(line.split_whitespace()).collect()
}

fn ours(place: &Scratch, line: &str) -> Done {
    place.run(SKEP, &[&["cc"], words(line).as_slice()].concat(), b"")
}

fn theirs(place: &Scratch, line: &str) -> Done {
    place.run(tools::CLANG, &words(line), b"")
}

/// Severity by line.
fn severities(text: &str) -> BTreeSet<(usize, &'static str)> {
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("warned.c:") else { continue };
        let Some(number) = rest.split(':').next().and_then(|number| number.parse().ok()) else { continue };
        for word in ["warning", "error"] {
            if rest.contains(&format!(": {word}")) {
                found.insert((number, word));
            }
        }
    }
    found
}

#[test]
fn warnings_are_as_severe_as_clangs() {
    if !tools::have(&[Need::Clang]) {
        return;
    }
    let options = [
        "",
        "-w",
        "-Werror",
        "-Wall -Wextra",
        "-Weverything",
        "-Wno-everything",
        "-Wno-everything -Wswitch",
        "-Wno-return-type -Wall",
        "-Wall -Wno-return-type",
        "-Werror=return-type -Wreturn-type",
        "-Werror -Wno-error=return-type",
        "-Werror -Wno-error",
        "-Wno-incompatible-pointer-types",
        "-Wno-incompatible-pointer-types-discards-qualifiers",
        "-Werror=incompatible-pointer-types",
        "-Wno-pointer-sign -Wno-compare-distinct-pointer-types",
        "-Wno-int-conversion",
        "-Wno-error=int-conversion",
        "-Wno-implicit-function-declaration",
        "-Wno-return-mismatch",
        "-Wno-error=return-type",
        "-Wno-error=implicit-function-declaration -Werror=implicit",
        "-Wno-shift-count-negative",
        "-Wno-shift-count-overflow -Wno-division-by-zero",
        "-Wno-#warnings",
        "-Wno-macro-redefined",
        "-Wno-builtin-macro-redefined -Wno-extra-tokens",
        "-Wno-unknown-escape-sequence -Wno-excess-initializers",
        "-Wno-unknown-attributes -Wno-include-next-outside-header",
        "-Werror -Wno-error=switch -Wno-ignored-pragmas",
        "-pedantic",
        "-pedantic-errors -Wno-pedantic -Wno-gnu-include-next -Wno-gnu-case-range",
        "-Wdate-time",
        "-Wparentheses -Wno-dangling-else",
        "-Wswitch-enum -Wno-switch",
        "-Wno-parentheses -Wall",
        "-Wuninitialized -Wno-sometimes-uninitialized",
        "-Werror=uninitialized -Wconditional-uninitialized -Wimplicit-fallthrough",
    ];
    let mut wrong = Vec::new();
    for (option, text) in options.into_iter().flat_map(|option| [(option, LEVELS), (option, FLOWS)]) {
        let place = Scratch::new(&[("warned.c", text)]);
        let line = format!("{option} -fno-caret-diagnostics -fsyntax-only -ferror-limit=0 warned.c");
        let (mine, expected) = (ours(&place, &line), theirs(&place, &line));
        // Lines that only clang has something to say about are those of warnings that we do not have.
        let all_mine =
            severities(&ours(&place, "-Weverything -fno-caret-diagnostics -fsyntax-only warned.c").err);
        let known: BTreeSet<usize> = all_mine.iter().map(|(line, _)| *line).collect();
        let (mine, mut expected) = (severities(&mine.err), severities(&expected.err));
        expected.retain(|(line, _)| known.contains(line));
        if mine != expected {
            let only =
                |a: &BTreeSet<_>, b: &BTreeSet<_>| format!("{:?}", a.difference(b).collect::<Vec<_>>());
            wrong.push(format!(
                "`{option}`: only ours {}, only clang's {}",
                only(&mine, &expected),
                only(&expected, &mine)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_names_of_warnings_are_clangs() {
    if !tools::have(&[Need::Diagtool]) {
        return;
    }
    let place = Scratch::new(&[]);
    let tree = place.run(tools::DIAGTOOL, &["tree"], b"").out;
    let mut members: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut above: Vec<String> = Vec::new();
    for line in tree.lines() {
        // Names are coloured by whether they are on.
        let plain: String = line.split('\u{1b}').map(|part| part.trim_start_matches(is_colour)).collect();
        let plain = plain.trim_end();
        let Some(name) = plain.trim_start().strip_prefix("-W") else { continue };
        above.truncate((plain.len() - plain.trim_start().len()) / 2);
        members.entry(name.to_owned()).or_default();
        if let Some(group) = above.last() {
            members.entry(group.clone()).or_default().insert(name.to_owned());
        }
        above.push(name.to_owned());
    }
    let line = |(name, members): (&String, &BTreeSet<String>)| {
        let words: Vec<&str> = std::iter::once(name).chain(members).map(String::as_str).collect();
        words.join(" ") + "\n"
    };
    let text: String = members.iter().map(line).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../syntax/src/warnings/options.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &text).expect("writable");
    }
    let known = std::fs::read_to_string(path).expect("readable");
    assert!(known == text, "{path} is not what diagtool says; UPDATE=1 writes it");
}

fn is_colour(c: char) -> bool {
    c == '[' || c == ';' || c == 'm' || c.is_ascii_digit()
}

#[test]
fn pragmas_act_where_clangs_do() {
    if !tools::have(&[Need::Clang]) {
        return;
    }
    let place = Scratch::new(&[
        ("pragmas.c", include_bytes!("warnings/pragmas.c")),
        ("leaves.h", b"#pragma clang diagnostic ignored \"-Wpointer-sign\"\nvoid leaves(void) { p = u; }\n"),
        ("plain.h", b"void plain(void) { p = u; }\n"),
    ]);
    for options in
        ["", "-Werror", "-w", "-Wno-pointer-sign", "-Werror -Wno-error=pointer-sign", "-Wno-everything"]
    {
        let line = format!("{options} -fno-caret-diagnostics -fsyntax-only -ferror-limit=0 pragmas.c");
        let [mine, expected] = [ours(&place, &line), theirs(&place, &line)].map(|done| names(&done.err));
        assert_eq!(mine, expected, "`{options}`");
    }
}

/// File and line, severity, and the option that decides.
fn names(text: &str) -> BTreeSet<String> {
    let name = |line: &str| {
        let mut parts = line.splitn(4, ':');
        let (file, number, _, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let severity = ["warning", "error"].into_iter().find(|word| rest.trim_start().starts_with(word))?;
        let option = rest.rfind("[-W").map_or("", |at| &rest[at..]);
        Some(format!("{file}:{number}: {severity} {option}"))
    };
    text.lines().filter_map(name).collect()
}

/// What is warned of in the output of a compiler: where, and under which name.
fn said(done: &Done) -> BTreeSet<(String, String)> {
    let said = |line: &str| {
        let (before, option) = line.strip_suffix(']')?.rsplit_once("[-W")?;
        let option = option.rsplit("-W").next()?;
        let place: Vec<&str> = before.splitn(3, ':').take(2).collect();
        Some((place.join(":"), option.to_owned()))
    };
    done.err.lines().filter_map(said).collect()
}

/// Is it a warning about what only BPF has? clang does not read the formats of helpers.
fn is_ours(name: &str) -> bool {
    name.starts_with("bpf-") || name == "format" || name.starts_with("format-")
}

/// Every 25th of the kernel's programs; all of them if `SKEP_FULL` is set.
#[test]
fn the_kernels_programs_are_warned_about_as_by_clang() {
    if !tools::have(&[Need::Clang, Need::Libbpf, Need::Stubs, Need::KernelTree, Need::Vmlinux]) {
        return;
    }
    let options = "-O2 -fsyntax-only -fno-caret-diagnostics -Wall -Wextra -Wshadow -Wconversion \
        -Wunreachable-code -Wconditional-uninitialized -Wimplicit-fallthrough";
    let place = Scratch::new(&[]);
    let mut same = 0;
    let (mut only_ours, mut missing) = (BTreeSet::new(), BTreeSet::new());
    for corpus in tools::corpora::corpora() {
        let flags = corpus.flags();
        for file in corpus.sample(25) {
            let file = file.to_string_lossy();
            let mut line = words(options);
            line.extend(flags.iter().map(String::as_str).chain([&*file]));
            let theirs = place.run(tools::CLANG, &line, b"");
            if theirs.code != Some(0) {
                continue;
            }
            let ours = place.run(SKEP, &[&["cc"], line.as_slice()].concat(), b"");
            assert_eq!(ours.code, Some(0), "{file}: {}", ours.err);
            let (ours, theirs) = (said(&ours), said(&theirs));
            same += ours.intersection(&theirs).count();
            let shown = |(place, name): &(String, String)| format!("\n  {place}: {name}");
            missing.extend(theirs.difference(&ours).map(shown));
            only_ours.extend(ours.difference(&theirs).filter(|(_, name)| !is_ours(name)).map(shown));
        }
    }
    let different = only_ours.len() + missing.len();
    let list = |set: BTreeSet<String>| set.into_iter().collect::<String>();
    let (only_ours, missing) = (list(only_ours), list(missing));
    assert!(
        different * 50 <= same,
        "{same} the same; only we speak of{only_ours}\nonly clang speaks of{missing}"
    );
}
