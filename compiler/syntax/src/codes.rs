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
    E0200 UNKNOWN_NAME Error "use of a name that is not declared"
    E0201 UNKNOWN_MEMBER Error "use of a member that the type does not have"
    E0202 ARGUMENTS Error "a call with the wrong number of arguments"
    E0203 MISMATCH Error "a value of a type that cannot become the wanted one"
    E0204 OPERANDS Error "an operator applied to operands of the wrong types"
    E0205 NOT_LVALUE Error "a value where an object is needed"
    E0206 CONST_ASSIGN Error "an assignment to something constant"
    E0207 INCOMPLETE Error "use of a type whose size is not known"
    E0208 REDEFINED_NAME Error "something defined or declared twice"
    E0209 CONFLICT Error "a declaration that contradicts an earlier one"
    E0210 DUPLICATE_CASE Error "a `case` or `default` that occurs twice"
    E0211 STRAY_JUMP Error "`break`, `continue`, `case` or `default` outside what they belong to"
    E0212 LABEL Error "a label that is missing or stands twice"
    E0213 JUMP Error "a jump into a place that cannot be jumped into"
    E0214 ARRAY Error "an array that cannot exist"
    E0215 ATTRIBUTE Error "a malformed attribute"
    E0216 STATIC_ASSERT Error "a static assertion that failed"
    E0217 NOT_CONSTANT Error "an expression that must be constant and is not"
    E0218 SPECIFIERS Error "a declaration that declares nothing possible"
    E0219 INITIALIZER Error "an initialiser that does not fit its object"
    E0220 NOT_CALLABLE Error "a call of something that is not a function"
    E0221 NOT_A_POINTER Error "indirection or indexing of something that is not a pointer"
    E0222 UNKNOWN_BUILTIN Error "a builtin that is not known"
    E0223 BUILTIN_USE Error "a builtin with operands it cannot have"
    E0224 RETURN_VALUE Error "a `return` that contradicts the result type"
    E0225 BIT_FIELD Error "a bit-field that cannot exist or be used so"
    E0227 IMPLICIT_FUNCTION Error "a call of a function that is not declared"
    E0228 INT_CONVERSION Error "an integer where a pointer is wanted, or the other way round"
    E0229 ASM Error "an operand that inline assembly cannot have"
    E0230 GENERIC Error "a generic selection without or with too many matches"
    E0231 TAG_KIND Error "a tag used as another kind of type than it is"
    E0232 CORE_ACCESS Error "a CO-RE question that has no answer"
    E0233 MEMBER_TYPE Error "a member of a type that members cannot have"
    E0234 ENUM_VALUE Error "an enumeration constant that does not fit"
    E0235 CAST Error "a cast between types that cannot be cast"
    E0400 LIMIT Error "something that the machine or the kernel cannot do"
    W0001 EXTRA_TOKENS Warning "more tokens on a directive than it takes"
    W0002 REDEFINED Warning "a macro defined again with another meaning"
    W0003 USER_WARNING Warning "a `#warning` directive"
    W0004 DATE_TIME Warning "`__DATE__` or `__TIME__`, which have fixed values here"
    W0005 INCLUDE_NEXT_MAIN Warning "`#include_next` in the main file"
    W0006 BUILTIN_REDEFINED Warning "a built-in macro defined or undefined by the program"
    W0007 COND_OVERFLOW Warning "an overflow in an expression of `#if`"
    W0009 PRAGMA_IGNORED Warning "a pragma that is ignored"
    W0010 VA_ARGS_OUTSIDE Warning "`__VA_ARGS__` outside a variadic macro"
    W0011 UNKNOWN_WARNING Warning "a warning that is not known"
    W0012 PRAGMA_UNKNOWN Warning "a pragma that is not known"
    W0100 UNKNOWN_ESCAPE Warning "an escape sequence that C does not know"
    W0200 POINTER_TYPES Warning "a pointer used as a pointer to another type"
    W0201 POINTER_SIGN Warning "a pointer used as a pointer to the type of other signedness"
    W0202 DISCARDS_QUALIFIERS Warning "a conversion that drops `const` or `volatile`"
    W0203 POINTER_COMPARISON Warning "a comparison of pointers that do not belong together"
    W0204 UNKNOWN_ATTRIBUTE Warning "an attribute that is not known and ignored"
    W0205 DIVISION_BY_ZERO Warning "a division by zero"
    W0206 SHIFT_COUNT Warning "a shift by more bits than there are"
    W0207 EXCESS_INITIALIZER Warning "more initialisers than elements"
    W0208 MISSING_RETURN Warning "a function with a result whose end can be reached"
    W0209 EMPTY_RANGE Warning "a `case` range without values"
    W0210 CASE_OVERFLOW Warning "a `case` that the type of the `switch` cannot hold"
    W0211 SHIFT_NEGATIVE Warning "a shift by a negative number of bits"
    W0212 UNUSED_VARIABLE Warning "a variable that nothing reads"
    W0213 UNUSED_PARAMETER Warning "a parameter that nothing reads"
    W0214 UNUSED_FUNCTION Warning "a static function that nothing calls"
    W0215 UNUSED_SET_VARIABLE Warning "a variable that is only set"
    W0216 UNUSED_SET_PARAMETER Warning "a parameter that is only set"
    W0217 UNUSED_VALUE Warning "a value that nothing uses"
    W0218 UNUSED_RESULT Warning "a result that must be used and is not"
    W0219 SHADOW Warning "a name that hides a variable"
    W0220 SIGN_COMPARE Warning "a comparison of a signed and an unsigned number"
    W0221 SIGN_CONVERSION Warning "an implicit conversion that can change the sign"
    W0222 SHORTEN Warning "an implicit conversion from 64 to 32 bits"
    W0223 IMPLICIT_INT Warning "an implicit conversion that loses bits"
    W0224 CONSTANT_CONVERSION Warning "a constant that does not fit its type"
    W0225 UNREACHABLE Warning "code that is never reached"
    W0226 PACKED_ADDRESS Warning "the address of a packed member, which may be unaligned"
    W0227 UNUSED_LABEL Warning "a label that nothing jumps to"
    W0228 UNUSED_CONST_VARIABLE Warning "a constant that nothing reads"
    W0229 UNUSED_COMPARISON Warning "a comparison whose result nothing uses"
    W0230 MAP_SIZE Warning "a map whose keys or values have a size that no kernel takes"
    W0231 NEEDLESS_VOLATILE Warning "a `volatile` variable that nothing else can see"
    W0232 UNINITIALIZED Warning "a variable that is read before it has a value"
    W0233 SOMETIMES_UNINITIALIZED Warning "a variable that has no value on one side of a branch and is read then"
    W0234 CONDITIONAL_UNINITIALIZED Warning "a variable that may be read before it has a value"
    W0235 FALLTHROUGH Warning "a case that goes on into the next one"
    W0236 MISSING_FIELD Warning "an initialiser that leaves members out"
    W0237 PARENTHESES Warning "an assignment or comparison that may be meant otherwise"
    W0238 LOGICAL_PARENTHESES Warning "`&&` within `||` without parentheses"
    W0239 BITWISE_PARENTHESES Warning "`&` within `|` or `^` without parentheses"
    W0240 SHIFT_PARENTHESES Warning "`+` or `-` within a shift without parentheses"
    W0241 EQUALITY_PARENTHESES Warning "a comparison in two pairs of parentheses"
    W0242 DANGLING_ELSE Warning "an `else` of which it does not show to which `if` it belongs"
    W0243 FORMAT Warning "a conversion of a format that does not fit its argument"
    W0244 FORMAT_SPECIFIER Warning "a conversion of a format that the kernel does not know"
    W0245 FORMAT_ARGUMENTS Warning "a format that wants more arguments than there are"
    W0246 FORMAT_EXTRA Warning "more arguments than the format prints"
    W0247 STACK_DEPTH Warning "functions that need more stack together than the kernel allows"
    W0248 NEEDLESS_BARRIER Warning "a barrier without which the programs are accepted as well"
    W0249 SWITCH_MISSING Warning "a `switch` that leaves out values of its enumeration"
    W0250 SWITCH_FOREIGN Warning "a `case` that its enumeration does not have"
    W0251 SWITCH_ENUM Warning "a `switch` whose `default` stands for values of its enumeration"
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
