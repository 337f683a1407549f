//! clang's `-W` options and diagnostic pragmas over our diagnostics.
//!
//! In: the options in the order given, and the changes that pragmas make to them. Out: a [`Policy`], which
//! says what each diagnostic is to be. A row of [`ROWS`] gives a diagnostic the name by which clang knows
//! it; the names and groups of clang itself are in `options.txt` (a name, then its members), so that a name
//! is either known or wrong.
//! Invariant: what is on and off without options is what clang-19 has on and off.

mod regions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::codes::{self, Code};
use crate::diag::Severity;

pub use regions::Regions;

/// clang-19's options: each line a name and the names in its group.
pub const OPTIONS: &str = include_str!("options.txt");

/// Names of our own, for what clang knows nothing about: a name, then its members.
const OURS: &str =
    "bpf bpf-barrier bpf-map-size bpf-stack bpf-volatile\nbpf-barrier\nbpf-map-size\nbpf-stack\nbpf-volatile";

/// A diagnostic that options decide about.
struct Row {
    /// clang's name without `-W`; empty where clang has none.
    name: &'static str,
    code: &'static Code,
    /// What clang makes of it when nothing is asked for; `None` is silence.
    default: Option<Severity>,
    /// C forbids what is warned about: `-pedantic-errors` makes it an error.
    forbidden: bool,
    /// clang says nothing here: `-Werror` alone does not stop what it compiles, `-Werror=name` does.
    beyond_clang: bool,
}

const fn on(name: &'static str, code: &'static Code) -> Row {
    Row { name, code, default: Some(Severity::Warning), forbidden: false, beyond_clang: false }
}

/// A warning about an extension of C.
const fn extension(name: &'static str, code: &'static Code) -> Row {
    Row { forbidden: true, ..on(name, code) }
}

const fn off(name: &'static str, code: &'static Code) -> Row {
    Row { default: None, forbidden: true, ..on(name, code) }
}

/// A warning that must be asked for.
const fn asked(name: &'static str, code: &'static Code) -> Row {
    Row { default: None, ..on(name, code) }
}

/// A warning that only we have.
const fn ours(row: Row) -> Row {
    Row { beyond_clang: true, ..row }
}

/// An error that clang lets one turn into a warning, or off.
const fn error(name: &'static str, code: &'static Code) -> Row {
    Row { default: Some(Severity::Error), ..on(name, code) }
}

static ROWS: &[Row] = &[
    extension("extra-tokens", &codes::EXTRA_TOKENS),
    extension("macro-redefined", &codes::REDEFINED),
    on("#warnings", &codes::USER_WARNING),
    // clang is silent by default because its values are those of the moment; ours are not.
    ours(on("date-time", &codes::DATE_TIME)),
    on("include-next-outside-header", &codes::INCLUDE_NEXT_MAIN),
    extension("builtin-macro-redefined", &codes::BUILTIN_REDEFINED),
    on("", &codes::COND_OVERFLOW),
    on("ignored-pragmas", &codes::PRAGMA_IGNORED),
    off("pedantic", &codes::VA_ARGS_OUTSIDE),
    extension("unknown-escape-sequence", &codes::UNKNOWN_ESCAPE),
    extension("incompatible-pointer-types", &codes::POINTER_TYPES),
    extension("pointer-sign", &codes::POINTER_SIGN),
    extension("incompatible-pointer-types-discards-qualifiers", &codes::DISCARDS_QUALIFIERS),
    extension("compare-distinct-pointer-types", &codes::POINTER_COMPARISON),
    on("unknown-attributes", &codes::UNKNOWN_ATTRIBUTE),
    on("division-by-zero", &codes::DIVISION_BY_ZERO),
    on("shift-count-overflow", &codes::SHIFT_COUNT),
    on("shift-count-negative", &codes::SHIFT_NEGATIVE),
    extension("excess-initializers", &codes::EXCESS_INITIALIZER),
    on("return-type", &codes::MISSING_RETURN),
    on("", &codes::EMPTY_RANGE),
    on("switch", &codes::CASE_OVERFLOW),
    on("switch", &codes::SWITCH_MISSING),
    on("switch", &codes::SWITCH_FOREIGN),
    asked("switch-enum", &codes::SWITCH_ENUM),
    error("int-conversion", &codes::INT_CONVERSION),
    error("implicit-function-declaration", &codes::IMPLICIT_FUNCTION),
    error("return-mismatch", &codes::RETURN_VALUE),
    asked("unused-variable", &codes::UNUSED_VARIABLE),
    asked("unused-parameter", &codes::UNUSED_PARAMETER),
    asked("unused-function", &codes::UNUSED_FUNCTION),
    asked("unused-but-set-variable", &codes::UNUSED_SET_VARIABLE),
    asked("unused-but-set-parameter", &codes::UNUSED_SET_PARAMETER),
    on("unused-value", &codes::UNUSED_VALUE),
    on("unused-result", &codes::UNUSED_RESULT),
    on("unused-comparison", &codes::UNUSED_COMPARISON),
    asked("unused-label", &codes::UNUSED_LABEL),
    asked("unused-const-variable", &codes::UNUSED_CONST_VARIABLE),
    asked("shadow", &codes::SHADOW),
    asked("sign-compare", &codes::SIGN_COMPARE),
    asked("sign-conversion", &codes::SIGN_CONVERSION),
    asked("shorten-64-to-32", &codes::SHORTEN),
    asked("implicit-int-conversion", &codes::IMPLICIT_INT),
    on("constant-conversion", &codes::CONSTANT_CONVERSION),
    asked("unreachable-code", &codes::UNREACHABLE),
    on("address-of-packed-member", &codes::PACKED_ADDRESS),
    ours(on("bpf-map-size", &codes::MAP_SIZE)),
    ours(on("bpf-stack", &codes::STACK_DEPTH)),
    ours(asked("bpf-volatile", &codes::NEEDLESS_VOLATILE)),
    ours(asked("bpf-barrier", &codes::NEEDLESS_BARRIER)),
    asked("uninitialized", &codes::UNINITIALIZED),
    asked("sometimes-uninitialized", &codes::SOMETIMES_UNINITIALIZED),
    asked("conditional-uninitialized", &codes::CONDITIONAL_UNINITIALIZED),
    asked("implicit-fallthrough", &codes::FALLTHROUGH),
    asked("missing-field-initializers", &codes::MISSING_FIELD),
    on("parentheses", &codes::PARENTHESES),
    asked("logical-op-parentheses", &codes::LOGICAL_PARENTHESES),
    asked("bitwise-op-parentheses", &codes::BITWISE_PARENTHESES),
    on("shift-op-parentheses", &codes::SHIFT_PARENTHESES),
    on("parentheses-equality", &codes::EQUALITY_PARENTHESES),
    on("dangling-else", &codes::DANGLING_ELSE),
    ours(on("format", &codes::FORMAT)),
    ours(on("format-invalid-specifier", &codes::FORMAT_SPECIFIER)),
    ours(on("format-insufficient-args", &codes::FORMAT_ARGUMENTS)),
    ours(on("format-extra-args", &codes::FORMAT_EXTRA)),
    on("unknown-warning-option", &codes::UNKNOWN_WARNING),
    on("unknown-pragmas", &codes::PRAGMA_UNKNOWN),
];

/// clang's names of our warnings.
pub fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.name).filter(|name| !name.is_empty())
}

/// `-pedantic-errors` among the options, whose place in their order does not matter.
pub const PEDANTIC_ERRORS: &str = "-pedantic-errors";

/// What a diagnostic is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Level {
    /// How bad; `None` drops it.
    pub severity: Option<Severity>,
    /// Follows the message: the option that decides, as in `[-Wname]`. May be empty.
    pub remark: String,
}

/// What a pragma says about a diagnostic or a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// What it is from here on; `None` drops it.
    severity: Option<Severity>,
    /// Whose names are in the group.
    members: BTreeSet<&'static str>,
}

impl Change {
    /// `-Wname` becomes this bad; the error is what is wrong with the name.
    pub fn new(severity: Option<Severity>, name: &str) -> Result<Change, String> {
        let members = TREE.closure(name).ok_or_else(|| unknown_name(name, name, &TREE))?;
        Ok(Change { severity, members })
    }
}

/// One diagnostic, while the options are read.
#[derive(Clone, Copy, Debug)]
struct State {
    severity: Option<Severity>,
    /// `-Wno-error=`: `-Werror` does not reach it.
    stays_warning: bool,
}

/// What the options come to.
#[derive(Clone, Debug)]
pub struct Policy {
    /// For each row.
    states: Vec<State>,
    all_are_errors: bool,
    silent: bool,
    /// What is wrong with the options themselves, and how bad that is.
    pub complaints: Vec<(Severity, String)>,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy::new(&[], false)
    }
}

impl Policy {
    /// Reads the options: what follows `-W` in each. `silent` is `-w`.
    pub fn new(options: &[String], silent: bool) -> Policy {
        let pedantic = options.iter().any(|option| option == PEDANTIC_ERRORS);
        let default = |row: &Row| match pedantic && row.forbidden {
            true => State { severity: Some(Severity::Error), stays_warning: false },
            false => State { severity: row.default, stays_warning: row.beyond_clang },
        };
        let states = ROWS.iter().map(default).collect();
        let mut policy = Policy { states, all_are_errors: false, silent, complaints: Vec::new() };
        let mut unknown = Vec::new();
        for option in options {
            unknown.extend(policy.read(option));
        }
        let severity = policy.level(&codes::UNKNOWN_WARNING, &[]).severity;
        policy.complaints = unknown.into_iter().filter_map(|text| Some((severity?, text))).collect();
        policy
    }

    /// Reads one option; the result is what is wrong with it.
    fn read(&mut self, option: &str) -> Option<String> {
        let (positive, name) = match option.strip_prefix("no-") {
            Some(name) => (false, name),
            None => (true, option),
        };
        let (as_error, name) = match name.strip_prefix("error") {
            Some("") => {
                self.all_are_errors = positive;
                return None;
            }
            Some(rest) if rest.starts_with(['=', '-']) => (true, &rest[1..]),
            _ => (false, name),
        };
        if matches!(name, "system-headers" | "fatal-errors" | PEDANTIC_ERRORS)
            || name.starts_with("system-headers-in-module")
        {
            return None;
        }
        let Some(members) = TREE.closure(name) else { return Some(unknown_name(option, name, &TREE)) };
        for (state, _) in self.states.iter_mut().zip(ROWS).filter(|(_, row)| members.contains(row.name)) {
            apply(state, positive, as_error);
        }
        None
    }

    /// What the diagnostic is to be where pragmas have made these changes.
    pub fn level(&self, code: &Code, changes: &[Change]) -> Level {
        let found = ROWS.iter().zip(&self.states).find(|(row, _)| row.code.id == code.id);
        let Some((row, &(mut state))) = found else {
            return Level { severity: Some(code.severity), remark: String::new() };
        };
        for change in changes.iter().filter(|change| change.members.contains(row.name)) {
            state = State { severity: change.severity, stays_warning: true };
        }
        let severity = match state.severity {
            // Nor what is an error only because somebody asked for one.
            Some(_) if self.silent && row.default != Some(Severity::Error) => None,
            Some(Severity::Warning) if self.silent => None,
            Some(Severity::Warning) if self.all_are_errors && !state.stays_warning => Some(Severity::Error),
            severity => severity,
        };
        let by_option = severity == Some(Severity::Error) && row.default != Some(Severity::Error);
        let remark = match (row.name, by_option) {
            ("", false) => String::new(),
            ("", true) => "[-Werror]".into(),
            (name, false) => format!("[-W{name}]"),
            (name, true) => format!("[-Werror,-W{name}]"),
        };
        Level { severity, remark }
    }
}

fn apply(state: &mut State, positive: bool, as_error: bool) {
    match (positive, as_error) {
        (true, true) => *state = State { severity: Some(Severity::Error), stays_warning: false },
        (false, true) => {
            state.stays_warning = true;
            state.severity = state.severity.map(|severity| severity.min(Severity::Warning));
        }
        // `-Wx` does not weaken an earlier `-Werror=x`.
        (true, false) if state.severity == Some(Severity::Error) => {}
        (true, false) => state.severity = Some(Severity::Warning),
        (false, false) => state.severity = None,
    }
}

fn unknown_name(option: &str, name: &str, tree: &Tree) -> String {
    let near = nearest(name, tree.members.keys().copied());
    let hint = near.map_or_else(String::new, |near| format!("; did you mean `-W{near}`?"));
    format!("unknown warning option `-W{option}`{hint}")
}

/// The candidate with the fewest edits, if they are few enough to be a slip.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = name.len().div_ceil(4);
    let close = candidates.map(|candidate| (edits(name, candidate), candidate));
    close.filter(|(edits, _)| *edits <= limit).min().map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

static TREE: LazyLock<Tree> = LazyLock::new(Tree::parse);

/// Names and the groups they stand for.
struct Tree {
    members: BTreeMap<&'static str, Vec<&'static str>>,
}

impl Tree {
    fn parse() -> Tree {
        let split = |line: &'static str| {
            let mut words = line.split(' ');
            Some((words.next()?, words.collect()))
        };
        Tree { members: OPTIONS.lines().chain(OURS.lines()).filter_map(split).collect() }
    }

    /// The name and all that it stands for; `None` if clang does not know it.
    fn closure(&self, name: &str) -> Option<BTreeSet<&'static str>> {
        if name == "everything" {
            return Some(self.members.keys().copied().chain([""]).collect());
        }
        let (name, _) = self.members.get_key_value(name)?;
        let mut found = BTreeSet::from([*name]);
        let mut open = vec![*name];
        while let Some(members) = open.pop().and_then(|name| self.members.get(name)) {
            open.extend(members.iter().filter(|member| found.insert(member)));
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(line: &str, code: &Code) -> (Option<Severity>, String) {
        let silent = line.split(' ').any(|word| word == "-w");
        let options = line.split(' ').filter_map(|word| word.strip_prefix("-W").map(String::from));
        let level = Policy::new(&options.collect::<Vec<_>>(), silent).level(code, &[]);
        (level.severity, level.remark)
    }

    #[test]
    fn every_warning_has_a_row_and_every_name_is_clangs() {
        let rows: BTreeSet<&str> = ROWS.iter().map(|row| row.code.id).collect();
        let missing = codes::ALL.iter().filter(|code| code.severity == Severity::Warning);
        let missing: Vec<&str> = missing.map(|code| code.id).filter(|id| !rows.contains(id)).collect();
        assert!(missing.is_empty(), "add rows for {missing:?}");
        for row in ROWS.iter().filter(|row| !row.name.is_empty()) {
            assert!(TREE.members.contains_key(row.name), "clang has no -W{}", row.name);
        }
    }

    #[test]
    fn options_act_in_order_and_through_groups() {
        let (warning, error) = (Some(Severity::Warning), Some(Severity::Error));
        let sign = |line| level(line, &codes::POINTER_SIGN).0;
        assert_eq!(sign(""), warning);
        assert_eq!(sign("-Wno-pointer-sign"), None);
        assert_eq!(level("-Wno-return-type -Wall", &codes::MISSING_RETURN).0, warning);
        assert_eq!(sign("-w -Werror"), None);
        assert_eq!(sign("-Werror"), error);
        assert_eq!(sign("-Werror -Wno-error"), warning);
        assert_eq!(sign("-Werror -Wno-error=pointer-sign"), warning);
        // What clang compiles is not stopped by what only we warn of, unless that is asked for.
        let format = |line: &str| level(line, &codes::FORMAT).0;
        assert_eq!((format("-Wall -Werror"), format("-Werror=format")), (warning, error));
        assert_eq!(sign("-Werror=pointer-sign -Wpointer-sign"), error);
        assert_eq!(sign("-Wno-everything"), None);
        let discards = |line| level(line, &codes::DISCARDS_QUALIFIERS).0;
        assert_eq!(discards("-Wno-incompatible-pointer-types"), None);
        let conversion = |line| level(line, &codes::INT_CONVERSION);
        assert_eq!(conversion(""), (error, "[-Wint-conversion]".into()));
        assert_eq!(conversion("-Wno-int-conversion").0, None);
        assert_eq!(conversion("-Wno-error=int-conversion").0, warning);
        assert_eq!(level("-Werror", &codes::COND_OVERFLOW).1, "[-Werror]");
    }

    #[test]
    fn misspelled_options_are_complained_about() {
        let complaints = |line: &str| {
            let options: Vec<String> = line.split(' ').map(String::from).collect();
            Policy::new(&options, false).complaints
        };
        let text = "unknown warning option `-Wpointer-sing`; did you mean `-Wpointer-sign`?".to_owned();
        assert_eq!(complaints("pointer-sing"), [(Severity::Warning, text.clone())]);
        assert_eq!(complaints("error pointer-sing"), [(Severity::Error, text)]);
        assert!(complaints("no-unknown-warning-option pointer-sing").is_empty());
        assert!(complaints("no-address-of-packed-member").is_empty());
    }
}
