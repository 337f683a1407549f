//! clang's `-W` options over our diagnostics.
//!
//! In: the options in the order given. Out: [`Levels`], what each diagnostic is to be. A row of
//! [`ROWS`] gives a diagnostic the name by which clang knows it; the names and groups of clang itself
//! are in `warning_options.txt` (a name, then its members), so that a name is either known or wrong.

use std::collections::{BTreeMap, BTreeSet};

use skep_syntax::codes::{self, Code};
use skep_syntax::diag::{Level, Severity};

/// clang-19's options: each line a name and the names in its group.
pub const OPTIONS: &str = include_str!("warning_options.txt");

/// A diagnostic that options decide about.
struct Row {
    /// clang's name without `-W`; empty where clang has none.
    name: &'static str,
    code: &'static Code,
    /// What clang makes of it when nothing is asked for; `None` is silence.
    default: Option<Severity>,
    /// C forbids what is warned about: `-pedantic-errors` makes it an error.
    forbidden: bool,
}

const fn on(name: &'static str, code: &'static Code) -> Row {
    Row { name, code, default: Some(Severity::Warning), forbidden: false }
}

/// A warning about an extension of C.
const fn extension(name: &'static str, code: &'static Code) -> Row {
    Row { forbidden: true, ..on(name, code) }
}

const fn off(name: &'static str, code: &'static Code) -> Row {
    Row { default: None, forbidden: true, ..on(name, code) }
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
    on("date-time", &codes::DATE_TIME),
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
    error("int-conversion", &codes::INT_CONVERSION),
];

/// `-pedantic-errors` among the options, whose place in their order does not matter.
pub const PEDANTIC_ERRORS: &str = "-pedantic-errors";

/// What the options come to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Levels {
    /// Of each diagnostic, by its code.
    pub codes: BTreeMap<&'static str, Level>,
    /// What is wrong with the options themselves, and how bad that is.
    pub complaints: Vec<(Severity, String)>,
}

/// One diagnostic, while the options are read.
#[derive(Clone, Copy)]
struct State {
    severity: Option<Severity>,
    /// `-Wno-error=`: `-Werror` does not reach it.
    stays_warning: bool,
}

/// Reads the options: what follows `-W` in each. `silent` is `-w`.
pub fn resolve(options: &[String], silent: bool) -> Levels {
    let pedantic = options.iter().any(|option| option == PEDANTIC_ERRORS);
    let default = |row: &Row| match pedantic && row.forbidden {
        true => State { severity: Some(Severity::Error), stays_warning: false },
        false => State { severity: row.default, stays_warning: false },
    };
    let mut states: Vec<State> = ROWS.iter().map(default).collect();
    let tree = if options.is_empty() { Tree::default() } else { Tree::parse() };
    let mut all_are_errors = false;
    // The name of the complaint about unknown names: it obeys the same options.
    let mut complain = State { severity: Some(Severity::Warning), stays_warning: false };
    let mut unknown = Vec::new();
    for option in options {
        let (positive, name) = match option.strip_prefix("no-") {
            Some(name) => (false, name),
            None => (true, option.as_str()),
        };
        let (as_error, name) = match name.strip_prefix("error") {
            Some("") => {
                all_are_errors = positive;
                continue;
            }
            Some(rest) if rest.starts_with(['=', '-']) => (true, &rest[1..]),
            _ => (false, name),
        };
        if matches!(name, "system-headers" | "fatal-errors" | PEDANTIC_ERRORS)
            || name.starts_with("system-headers-in-module")
        {
            continue;
        }
        let Some(members) = tree.closure(name) else {
            unknown.push(unknown_name(option, name, &tree));
            continue;
        };
        for (state, _) in states.iter_mut().zip(ROWS).filter(|(_, row)| members.contains(row.name)) {
            apply(state, positive, as_error);
        }
        if members.contains("unknown-warning-option") {
            apply(&mut complain, positive, as_error);
        }
    }
    let finish = |state: State| match state.severity {
        Some(Severity::Warning) if silent => None,
        Some(Severity::Warning) if all_are_errors && !state.stays_warning => Some(Severity::Error),
        severity => severity,
    };
    let level = |(row, state): (&Row, State)| {
        let severity = finish(state);
        let by_option = severity == Some(Severity::Error) && row.default != Some(Severity::Error);
        let remark = match (row.name, by_option) {
            ("", false) => String::new(),
            ("", true) => "[-Werror]".into(),
            (name, false) => format!("[-W{name}]"),
            (name, true) => format!("[-Werror,-W{name}]"),
        };
        (row.code.id, Level { severity, remark })
    };
    let codes = ROWS.iter().zip(states).map(level).collect();
    let severity = finish(complain);
    Levels { codes, complaints: unknown.into_iter().filter_map(|text| Some((severity?, text))).collect() }
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

/// Names and the groups they stand for.
#[derive(Default)]
struct Tree {
    members: BTreeMap<&'static str, Vec<&'static str>>,
}

impl Tree {
    fn parse() -> Tree {
        let split = |line: &'static str| {
            let mut words = line.split(' ');
            Some((words.next()?, words.collect()))
        };
        Tree { members: OPTIONS.lines().filter_map(split).collect() }
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
        let mut levels = resolve(&options.collect::<Vec<_>>(), silent);
        let level = levels.codes.remove(code.id).expect("the code has a row");
        (level.severity, level.remark)
    }

    #[test]
    fn every_warning_has_a_row_and_every_name_is_clangs() {
        let rows: BTreeSet<&str> = ROWS.iter().map(|row| row.code.id).collect();
        let missing = codes::ALL.iter().filter(|code| code.severity == Severity::Warning);
        let missing: Vec<&str> = missing.map(|code| code.id).filter(|id| !rows.contains(id)).collect();
        assert!(missing.is_empty(), "add rows for {missing:?}");
        let tree = Tree::parse();
        for row in ROWS.iter().filter(|row| !row.name.is_empty()) {
            assert!(tree.members.contains_key(row.name), "clang has no -W{}", row.name);
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
            resolve(&options, false).complaints
        };
        let text = "unknown warning option `-Wpointer-sing`; did you mean `-Wpointer-sign`?".to_owned();
        assert_eq!(complaints("pointer-sing"), [(Severity::Warning, text.clone())]);
        assert_eq!(complaints("error pointer-sing"), [(Severity::Error, text)]);
        assert!(complaints("no-unknown-warning-option pointer-sing").is_empty());
        assert!(complaints("no-address-of-packed-member").is_empty());
    }
}
