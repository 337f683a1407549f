//! Constant expressions have the values that clang computes.

use std::fmt::Write as _;

use skep_compiler::hir::InitValue;
use skep_tests::generate::Random;
use skep_tests::tools::{Need, check};

use super::{analyse, clang, options, scratch, skipped};

/// Expressions that a person thinks of.
const EXPRESSIONS: &[&str] = &[
    "1 + 2 * 3",
    "-1 / 2",
    "-7 % 3",
    "7u % -3",
    "~0",
    "~0u",
    "1 << 31",
    "1u << 31",
    "1ll << 40",
    "-1 >> 1",
    "-1u >> 1",
    "0x80000000",
    "2147483648",
    "0xffffffff + 1",
    "0xffffffffu + 1u",
    "'a'",
    "'\\xff'",
    "'\\377' + 0",
    "(char)200",
    "(unsigned char)-1",
    "(signed char)0x80",
    "(short)0x18000",
    "(_Bool)256",
    "(_Bool)0.1",
    "(int)3.99",
    "(int)-3.99",
    "(unsigned)1e9",
    "1.5 + 2.25 == 3.75",
    "sizeof(int)",
    "sizeof(char[3][5])",
    "sizeof(struct { char a; long b; })",
    "sizeof(void)",
    "sizeof \"hello\"",
    "sizeof(int *)",
    "sizeof('a')",
    "sizeof(1 ? (char)1 : (char)2)",
    "sizeof(+(char)1)",
    "_Alignof(long)",
    "_Alignof(char[8])",
    "_Alignof(__int128)",
    "1 ? -1 : 0u",
    "0 ? 1 / 0 : 5",
    "1 || 1 / 0",
    "0 && 1 / 0",
    "!5",
    "!!5",
    "5 > 3 > 1",
    "-1 < 0u",
    "(char)-1 < (unsigned char)1",
    "-1l < 0u",
    "(unsigned short)-1 == -1",
    "1 ?: 2",
    "0 ?: 2",
    "__builtin_offsetof(struct { char a; int b[4]; }, b[2])",
    "(long)&((struct { char a; long b; } *)0)->b",
    "__builtin_types_compatible_p(int, signed int)",
    "__builtin_types_compatible_p(int, long)",
    "__builtin_types_compatible_p(int[], int[5])",
    "__builtin_types_compatible_p(const int, int)",
    "__builtin_types_compatible_p(int *, const int *)",
    "__builtin_types_compatible_p(enum plain, unsigned)",
    "__builtin_types_compatible_p(enum plain, enum plain)",
    "__builtin_types_compatible_p(long, long long)",
    "__builtin_choose_expr(1, 10, 20)",
    "__builtin_choose_expr(0, 10, 20)",
    "__builtin_constant_p(5)",
    "__builtin_constant_p(sizeof(int))",
    "__builtin_constant_p(variable)",
    "__builtin_constant_p(\"text\")",
    "__builtin_bswap16(0x1234)",
    "__builtin_bswap32(0x12345678)",
    "__builtin_bswap64(0x123456789abcdef0)",
    "__builtin_clz(1)",
    "__builtin_clzll(1)",
    "__builtin_ctz(8)",
    "__builtin_ctzll(1ull << 40)",
    "__builtin_ffs(0)",
    "__builtin_ffs(8)",
    "__builtin_popcount(0xff)",
    "__builtin_popcountll(-1)",
    "__builtin_strlen(\"hello\")",
    "__builtin_strlen(\"a\\0b\")",
    "_Generic(1, int: 1, long: 2, default: 3)",
    "_Generic(1l, int: 1, long: 2, default: 3)",
    "_Generic((char)1, int: 1, default: 3)",
    "_Generic(\"a\", char *: 1, default: 3)",
    "_Generic(&variable, int *: 1, default: 3)",
    "_Generic((const int)1, int: 1, default: 3)",
    "PLAIN_B",
    "PLAIN_C",
    "(enum plain)-1 > 0",
    "BIG",
    "BIG + 1",
    "sizeof(BIG)",
    "sizeof(PLAIN_B)",
    "(__int128)1 << 70 >> 68",
    "(unsigned __int128)-1 >> 64 == 0xffffffffffffffff",
    "((__int128)-1 >> 100) == -1",
    "(unsigned char)(1 << 8)",
    "1 + (2, 3)",
    "0x7fffffffffffffff",
    "-0x7fffffffffffffff - 1",
    "0xffffffffffffffff",
    "18446744073709551615u",
    "010 + 0b101",
    "sizeof(((struct { int a : 3; char b[7]; } *)0)->b)",
    "constant + 1",
];

const PROLOGUE: &str = "
enum plain { PLAIN_A, PLAIN_B = 5, PLAIN_C };
enum big { BIG = 0x100000000 };
int variable;
static const int constant = 41;
";

/// A random integer constant expression.
fn random(random: &mut Random, depth: u32) -> String {
    const TYPES: [&str; 11] = [
        "char",
        "signed char",
        "unsigned char",
        "short",
        "unsigned short",
        "int",
        "unsigned",
        "long",
        "unsigned long",
        "long long",
        "_Bool",
    ];
    const OPERATORS: [&str; 16] =
        ["+", "-", "*", "&", "|", "^", "<", ">", "<=", ">=", "==", "!=", "&&", "||", "/", "%"];
    if depth == 0 || random.below(6) == 0 {
        let suffix = ["", "u", "l", "ul", "ll", "ull"][random.below(6)];
        return format!("{}{suffix}", random.interesting() >> random.below(64));
    }
    match random.below(10) {
        0 => format!("-({})", self::random(random, depth - 1)),
        1 => format!("~({})", self::random(random, depth - 1)),
        2 => format!("!({})", self::random(random, depth - 1)),
        3 | 4 => {
            let ty = TYPES[random.below(TYPES.len())];
            format!("({ty})({})", self::random(random, depth - 1))
        }
        5 => format!(
            "({} ? {} : {})",
            self::random(random, depth - 1),
            self::random(random, depth - 1),
            self::random(random, depth - 1)
        ),
        6 => {
            let op = ["<<", ">>"][random.below(2)];
            // Counts out of range have no value.
            format!("({} {op} {})", self::random(random, depth - 1), random.below(31))
        }
        _ => {
            let op = OPERATORS[random.below(OPERATORS.len())];
            let (a, b) = (self::random(random, depth - 1), self::random(random, depth - 1));
            // A zero divisor has no value either.
            if op == "/" || op == "%" {
                format!("(({a}) {op} (({b}) | 1))")
            } else {
                format!("(({a}) {op} ({b}))")
            }
        }
    }
}

#[test]
fn constants_have_the_values_of_clang() {
    if check(&[Need::Clang]).is_err() {
        return skipped("clang");
    }
    let mut expressions: Vec<String> = EXPRESSIONS.iter().map(|&text| text.to_owned()).collect();
    let mut numbers = Random::new(7);
    for _ in 0..1500 {
        expressions.push(random(&mut numbers, 4));
    }
    let dir = scratch("constants");
    let file = dir.join("values.c");
    let mut text = PROLOGUE.to_owned();
    for (index, expression) in expressions.iter().enumerate() {
        let _ = writeln!(text, "unsigned long long v{index} = ({expression});");
        let _ = writeln!(text, "unsigned long s{index} = sizeof(__typeof__({expression}));");
        let _ =
            writeln!(text, "_Bool n{index} = (__typeof__({expression}))-1 < (__typeof__({expression}))1;");
    }
    std::fs::write(&file, &text).expect("writable");
    let analysed = analyse(&options(None), &file.display().to_string());
    assert!(!analysed.session.diags.has_errors(), "{}", analysed.short());
    let mut asserts = PROLOGUE.to_owned();
    let mut known = 0;
    for global in &analysed.module.globals {
        let Some(init) = global.init.as_ref().filter(|_| !global.literal) else { continue };
        let value = match init.scalars.first().map(|scalar| &scalar.value) {
            None => 0,
            Some(InitValue::Int { value, .. }) => *value as u64,
            Some(other) => panic!("{}: {other:?}", global.name),
        };
        let (kind, Ok(index)) = (&global.name[..1], global.name[1..].parse::<usize>()) else { continue };
        let expression = &expressions[index];
        let expression = match kind {
            "v" => format!("(unsigned long long)({expression})"),
            "s" => format!("sizeof(__typeof__({expression}))"),
            _ => format!("((__typeof__({expression}))-1 < (__typeof__({expression}))1)"),
        };
        // What is no integer constant expression for the letter of the standard is folded there.
        let _ = writeln!(asserts, "unsigned long long c{known} = 1 / (({expression}) == {value}ull);");
        known += 1;
    }
    assert!(known >= 3 * expressions.len(), "{known}");
    let check = dir.join("check.c");
    std::fs::write(&check, asserts).expect("writable");
    let out = clang(&options(None), &["-fsyntax-only", "-ferror-limit=10"], &check);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}
