//! The table of diagnostics: one row per kind, `ID NAME severity "title"`.
//!
//! E00xx lexing and preprocessing, E01xx and up parsing and types; W0xxx the warnings of the same parts.
//! Rows are only added: an id is quoted by tests, the book and users.

use crate::diag::Severity;

/// One row of the table.
#[derive(PartialEq, Eq, Debug)]
pub struct Code {
    /// The stable name, as in `error[E0001]`.
    pub id: &'static str,
    /// What it says in general, for `explain` and the book.
    pub title: &'static str,
    /// How bad it is by default.
    pub severity: Severity,
}

macro_rules! codes {
    ($($id:ident $name:ident $severity:ident $title:literal)*) => {
        $(
            #[doc = $title]
            pub static $name: Code =
                Code { id: stringify!($id), title: $title, severity: Severity::$severity };
        )*
        /// All rows, in order.
        pub static ALL: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    E0001 STRAY_BYTE Error "a byte that starts no token"
    E0002 UNTERMINATED_LITERAL Error "a character constant or string without its closing quote"
    E0003 UNTERMINATED_COMMENT Error "a comment without its end"
    E0004 EMPTY_CHAR Error "an empty character constant"
    E0005 NUMBER_FORM Error "a malformed number"
    E0010 UNKNOWN_DIRECTIVE Error "a line starting with `#` that is no directive"
    E0011 MACRO_NAME Error "a name that cannot be a macro"
    E0012 MACRO_PARAMS Error "a malformed parameter list of a macro"
    E0013 MACRO_BODY Error "a macro body that breaks the rules of `#`, `##` or `__VA_OPT__`"
    E0014 MACRO_ARGS Error "a macro call with the wrong number of arguments"
    E0015 MACRO_CALL_OPEN Error "a macro call without its closing parenthesis"
    E0016 PASTE Error "`##` made something that is no token"
    E0017 EXPANSION_LIMIT Error "macro expansion produced too much"
    E0020 INCLUDE_FORM Error "an `#include` without a file name"
    E0021 INCLUDE_NOT_FOUND Error "an included file that is not there"
    E0022 INCLUDE_DEPTH Error "inclusion nested too deeply"
    E0023 INCLUDE_READ Error "an included file that cannot be read"
    E0024 SOURCE_LIMIT Error "the program with everything it includes is too big"
    E0025 DIRECTIVE_IN_ARGS Error "a directive inside the arguments of a macro"
    E0030 COND_EXPR Error "a malformed expression in `#if`"
    E0031 COND_DIVISION Error "a division by zero in `#if`"
    E0032 COND_OPEN Error "a conditional without `#endif`"
    E0033 COND_STRAY Error "`#else`, `#elif` or `#endif` without `#if`"
    E0034 COND_ORDER Error "`#else` or `#elif` after `#else`"
    E0035 HAS_FORM Error "a malformed `__has_...` query"
    E0040 USER_ERROR Error "an `#error` directive"
    E0041 LINE_FORM Error "a malformed `#line`"
    E0042 PRAGMA_FORM Error "a malformed pragma"
    E0043 POISONED Error "use of a poisoned name"
    E0100 SYNTAX Error "a token that does not fit where it stands"
    E0101 MISSING Error "a missing `;`, `)`, `]` or `}`"
    E0102 UNKNOWN_TYPE Error "a name used as a type that names no type"
    E0103 UNBALANCED Error "a bracket without its partner"
    E0104 NESTING Error "a program nested too deeply"
    E0105 TYPE_WORDS Error "type words that do not go together"
    E0106 STORAGE Error "storage classes that do not go together"
    E0107 NESTED_FUNCTION Error "a function defined inside another one"
    E0108 STRAY_TOKEN Error "a token that no program may contain"
    E0109 EMPTY_DECL Error "a declaration that declares nothing"
    E0110 ESCAPE Error "a character or string literal that cannot be read"
    E0111 KEYWORD_NAME Error "a keyword where a name is expected"
    E0112 UNSUPPORTED Error "a part of C that is not supported"
    E0113 UNKNOWN_MACRO Error "a macro that is not defined"
    W0001 EXTRA_TOKENS Warning "more tokens on a directive than it takes"
    W0002 REDEFINED Warning "a macro defined again with another meaning"
    W0003 USER_WARNING Warning "a `#warning` directive"
    W0004 DATE_TIME Warning "`__DATE__` or `__TIME__`, which have fixed values here"
    W0005 INCLUDE_NEXT_MAIN Warning "`#include_next` in the main file"
    W0006 BUILTIN_REDEFINED Warning "a built-in macro defined or undefined by the program"
    W0007 COND_OVERFLOW Warning "an overflow in an expression of `#if`"
    W0008 SPLICE_SPACE Warning "white space between a backslash and the end of the line"
    W0009 PRAGMA_IGNORED Warning "a pragma that is ignored"
    W0010 VA_ARGS_OUTSIDE Warning "`__VA_ARGS__` outside a variadic macro"
    W0100 UNKNOWN_ESCAPE Warning "an escape sequence that C does not know"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_unique_and_sorted_within_their_letter() {
        let ids: BTreeSet<_> = ALL.iter().map(|c| c.id).collect();
        assert_eq!(ids.len(), ALL.len());
        for pair in ALL.windows(2) {
            assert!(pair[0].id[..1] != pair[1].id[..1] || pair[0].id < pair[1].id, "{}", pair[1].id);
        }
        for code in ALL {
            let want = if code.id.starts_with('E') { Severity::Error } else { Severity::Warning };
            assert_eq!(code.severity, want, "{}", code.id);
        }
    }
}
