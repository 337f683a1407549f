//! Tests of the preprocessor on small texts. What clang says about big ones is in `tests/clang.rs`.

use super::*;
use crate::Session;
use crate::diag::Style;

/// Preprocesses `main` with `files` at hand: the spellings joined by spaces, and the short diagnostics.
fn pp_with(main: &str, files: &[(&str, &str)], options: Options) -> (String, String) {
    let mut memory = MemoryFiles::new();
    memory.add("main.c", main);
    for (name, text) in files {
        memory.add(name, text);
    }
    let mut cx = Session::new(&memory, options);
    let tokens = preprocess(&mut cx, "main.c");
    let words: Vec<String> = tokens
        .toks
        .iter()
        .filter(|t| t.kind != TokenKind::Eof)
        .map(|t| String::from_utf8_lossy(cx.text(t)).into_owned())
        .collect();
    (words.join(" "), cx.render(Style { short: true, color: false }))
}

fn pp(main: &str) -> String {
    let (words, errors) = pp_with(main, &[], Options::default());
    assert_eq!(errors, "", "in {main}");
    words
}

fn errors(main: &str) -> String {
    pp_with(main, &[], Options::default()).1
}

#[test]
fn object_macros() {
    assert_eq!(pp("#define A B\n#define B C\nA B C"), "C C C");
    assert_eq!(pp("#define A A B\n#define B A\nA B"), "A A A B");
    assert_eq!(pp("#define E\nE E x E"), "x");
    assert_eq!(pp("#define int long\nint x;"), "long x ;");
}

/// The example of C11 6.10.3.5p7.
#[test]
fn example_of_the_standard() {
    let text = "#define x 3\n#define f(a) f(x * (a))\n#undef x\n#define x 2\n#define g f\n#define z z[0]\n\
                #define h g(~\n#define m(a) a(w)\n#define w 0,1\n#define t(a) a\n#define p() int\n\
                #define q(x) x\n#define r(x,y) x ## y\n#define str(x) # x\n\
                f(y+1) + f(f(z)) % t(t(g)(0) + t)(1);\ng(x+(3,4)-w) | h 5) & m\n(f)^m(m);\n\
                p() i[q()] = { q(1), r(2,3), r(4,), r(,5), r(,) };\nchar c[2][6] = { str(hello), str() };";
    let want = "f ( 2 * ( y + 1 ) ) + f ( 2 * ( f ( 2 * ( z [ 0 ] ) ) ) ) % f ( 2 * ( 0 ) ) + t ( 1 ) ; \
                f ( 2 * ( 2 + ( 3 , 4 ) - 0 , 1 ) ) | f ( 2 * ( ~ 5 ) ) & f ( 2 * ( 0 , 1 ) ) ^ m ( 0 , 1 ) ; \
                int i [ ] = { 1 , 23 , 4 , 5 , } ; char c [ 2 ] [ 6 ] = { \"hello\" , \"\" } ;";
    assert_eq!(pp(text), want);
}

#[test]
fn rescanning() {
    assert_eq!(pp("#define f(a) a*g\n#define g(a) f(a)\nf(2)(9)"), "2 * 9 * g");
    assert_eq!(pp("#define foo() bar\n#define EMPTY\nfoo EMPTY () foo\n()"), "foo ( ) bar");
    assert_eq!(pp("#define a(x) x b\n#define b a\na(1)(2)"), "1 a ( 2 )");
    assert_eq!(pp("#define id(x) x\nid(id)(1) id(id(id)(2))"), "id ( 1 ) id ( 2 )");
}

#[test]
fn variadic_macros() {
    let defs = "#define A(f, ...) p(f, ##__VA_ARGS__)\n#define B(...) q(__VA_ARGS__)\n\
                #define C(x, r...) s(x, ##r)\n#define O(f, ...) p(f __VA_OPT__(,) __VA_ARGS__)\n";
    let run = |text: &str| pp(&format!("{defs}{text}"));
    assert_eq!(run("A(1) A(1,) A(1,2,3)"), "p ( 1 ) p ( 1 , ) p ( 1 , 2 , 3 )");
    assert_eq!(run("B() B(1,2)"), "q ( ) q ( 1 , 2 )");
    assert_eq!(run("C(1) C(1,2)"), "s ( 1 ) s ( 1 , 2 )");
    assert_eq!(run("O(1) O(1,) O(1,2)"), "p ( 1 ) p ( 1 ) p ( 1 , 2 )");
}

#[test]
fn paste_and_stringify() {
    assert_eq!(pp("#define P(a,b) a##b\nP(x,1) P(,y) P(+,=) P(1,e) P(L,\"s\")"), "x1 y += 1e L\"s\"");
    assert_eq!(pp("#define S(x) #x\nS( a  + \"b\\n\" '\\'' )"), "\"a + \\\"b\\\\n\\\" '\\\\''\"");
    assert_eq!(pp("#define X 1\n#define S(x) #x\n#define XS(x) S(x)\nS(X) XS(X)"), "\"X\" \"1\"");
    assert_eq!(
        pp("#define hash_hash # ## #\n#define mkstr(a) # a\n#define in_between(a) mkstr(a)\n\
                   #define join(c, d) in_between(c hash_hash d)\njoin(x, y)"),
        "\"x ## y\""
    );
    assert_eq!(pp("#define c(a,b,d) a##b##d\nc(1,2,3) c(,,) c(a,,b) c(,x,)"), "123 ab x");
    assert!(errors("#define P(a,b) a##b\nP(+,x)").contains("E0016"));
}

#[test]
fn conditionals() {
    assert_eq!(pp("#if 1\na\n#else\nb\n#endif\n#if 0\nc\n#elif 1\nd\n#elif 1\ne\n#else\nf\n#endif"), "a d");
    assert_eq!(pp("#if 0\n#if 1\nx\n#else\ny\n#endif\nz 'open\n#else\nw\n#endif"), "w");
    assert_eq!(pp("#define A\n#ifdef A\n1\n#endif\n#ifndef A\n2\n#elifdef A\n3\n#endif"), "1 3");
    for (cond, want) in [
        ("(1 + 2) * 3 == 9", "y"),
        ("-1 > 0u", "y"),
        ("-1 < 0", "y"),
        ("0 && 1/0", "n"),
        ("1 || 1/0", "y"),
        ("0 ? 1/0 : 2", "y"),
        ("'a' == 97 && '\\x41' == 65 && '\\0' == 0", "y"),
        ("0x7fffffffffffffff + 0 > 0", "y"),
        ("18446744073709551615u == -1", "y"),
        ("(2 || 3) != 1", "n"),
        ("1 << 3 == 8", "y"),
        ("-8 >> 1 == -4", "y"),
        ("~0 == -1", "y"),
        ("0b101 == 5 && 010 == 8", "y"),
        ("defined X || defined(Y) || undefined_name", "n"),
        ("__has_attribute(packed) && __has_attribute(__packed__) && !__has_attribute(zork)", "y"),
        ("__has_builtin(__builtin_expect) && __has_include(\"there.h\") && !__has_include(<no>)", "y"),
        ("defined(__has_include) && defined __COUNTER__ && !defined(__KERNEL__)", "y"),
    ] {
        let text = format!("#if {cond}\ny\n#else\nn\n#endif");
        let (words, errors) = pp_with(&text, &[("there.h", "")], Options::default());
        assert_eq!((words.as_str(), errors.as_str()), (want, ""), "{cond}");
    }
}

#[test]
fn includes_and_guards() {
    let files = [
        ("guard.h", "#ifndef G\n#define G\nguarded\n#endif\n"),
        ("once.h", "#pragma once\nonce\n"),
        ("many.h", "many __INCLUDE_LEVEL__"),
        ("sys/a.h", "sys #include_next\n"),
        ("one/n.h", "one\n#include_next <n.h>\n"),
        ("two/n.h", "two __FILE__ __FILE_NAME__ __BASE_FILE__\n"),
    ];
    let options = Options { include_dirs: vec!["one".into(), "two".into()], ..Options::default() };
    let main = "#include \"guard.h\"\n#include \"guard.h\"\n#include \"once.h\"\n#include \"./once.h\"\n\
                #include \"many.h\"\n#include \"many.h\"\n#include <n.h>\n#define N <two/../two/n.h>\n#define M \"many.h\"\n#include M\n";
    let (words, errors) = pp_with(main, &files, options);
    assert_eq!(errors, "");
    assert_eq!(words, "guarded once many 1 many 1 one two \"two/n.h\" \"n.h\" \"main.c\" many 1");
}

#[test]
fn odd_header_names() {
    let files = [("it's.h", "quote"), ("a//b.h", "slashes"), ("a/b.h", "slashes")];
    let options = Options { include_dirs: vec![".".into()], ..Options::default() };
    let (words, errors) = pp_with("#include <it's.h>\n#include <a//b.h> // c\nend", &files, options);
    assert_eq!((words.as_str(), errors.as_str()), ("quote slashes end", ""));
}

#[test]
fn builtin_macros() {
    assert_eq!(pp("__COUNTER__ __COUNTER__ __LINE__\n__LINE__"), "0 1 1 2");
    assert_eq!(pp("#define F(a,b) b a\nF(__COUNTER__, __COUNTER__)"), "0 1");
    assert_eq!(pp("#define L(x) __LINE__\nL(\n\n)"), "4");
    assert_eq!(
        pp("#line 40 \"x.y\"\n__LINE__ __FILE__\n# 7 \"z\" 2\n__LINE__ __FILE__"),
        "40 \"x.y\" 7 \"z\""
    );
    let (words, errors) = pp_with("__DATE__ __TIME__", &[], Options::default());
    assert_eq!(words, "\"Jan  1 1970\" \"00:00:00\"");
    assert_eq!(errors.matches("W0004").count(), 2);
}

#[test]
fn pragmas_go_to_the_side_table() {
    let mut memory = MemoryFiles::new();
    memory.add(
        "main.c",
        "a\n#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)\nb\n\
         _Pragma(\"unroll(4)\") c\n#pragma clang loop unroll(disable)\nd\n#pragma pack(push, 1)\n\
         #pragma pack(pop)\n#pragma clang attribute pop\n#pragma GCC diagnostic push\ne",
    );
    let mut cx = Session::new(&memory, Options::default());
    let tokens = preprocess(&mut cx, "main.c");
    assert_eq!(cx.render(Style::default()), "");
    let kinds: Vec<_> = tokens.pragmas.iter().map(|p| (p.index, p.kind)).collect();
    let PragmaKind::AttributePush { attrs, subjects } = kinds[0].1 else { panic!("{kinds:?}") };
    let spell = |r| tokens.pragma_range(r).iter().map(|t| cx.text(t).to_vec()).collect::<Vec<_>>();
    assert_eq!(spell(attrs), [b"preserve_access_index"]);
    assert_eq!(spell(subjects), [b"record"]);
    let rest = [
        (2, PragmaKind::UnrollCount(4)),
        (3, PragmaKind::NoUnroll),
        (4, PragmaKind::PackPush(Some(1))),
        (4, PragmaKind::PackPop),
        (4, PragmaKind::AttributePop),
        (4, PragmaKind::Other),
    ];
    assert_eq!(kinds[0].0, 1);
    assert_eq!(kinds[1..], rest);
}

use crate::token::PragmaKind;

#[test]
fn macro_stack() {
    assert_eq!(
        pp("#define X 1\n#pragma push_macro(\"X\")\n#undef X\n#define X 2\nX\n#pragma pop_macro(\"X\")\nX"),
        "2 1"
    );
}

#[test]
fn command_line_macros() {
    let options = Options {
        macros: vec![
            MacroOption::Define("A".into()),
            MacroOption::Define("B=2".into()),
            MacroOption::Define("F(x)=x x".into()),
            MacroOption::Undef("A".into()),
        ],
        includes: vec!["pre.h".into()],
        ..Options::default()
    };
    let (words, errors) = pp_with("A B F(1)", &[("pre.h", "pre B")], options);
    assert_eq!((words.as_str(), errors.as_str()), ("pre 2 A 2 1 1", ""));
}

#[test]
fn bombs_end() {
    let mut text = String::from("#define X0 x x\n");
    for i in 1..60 {
        text.push_str(&format!("#define X{i} X{} X{}\n", i - 1, i - 1));
    }
    assert!(errors(&format!("{text}X59")).contains("E0017"));
    let nest = format!("#define f(x) x\n{}1{}", "f(".repeat(5000), ")".repeat(5000));
    assert!(errors(&nest).contains("E0017"));
    assert!(errors("#define f(x) f(f(x))\nf(f(f(f(1))))").is_empty());
    let mut text = String::from("#define S(x) #x\n#define P(x) S(x)\n");
    text.push_str(&format!("{}\"\\\\\"{}", "P(".repeat(60), ")".repeat(60)));
    let _ = errors(&text);
    for open in ["_Pragma(", "__has_attribute(", "__has_warning("] {
        assert!(!errors(&open.repeat(50_000)).is_empty());
    }
    let chain = format!("#define P a{}\nP", "##a".repeat(60_000));
    assert!(errors(&chain).contains("E0017"));
    let (_, errors) = pp_with("#include \"main.c\"", &[], Options::default());
    assert!(errors.contains("E0022"), "{errors}");
    let twice = "#if __INCLUDE_LEVEL__ < 40\n#include \"main.c\"\n#include \"main.c\"\n#endif";
    let (_, errors) = pp_with(twice, &[], Options::default());
    assert!(errors.contains("E0024"), "{errors}");
    assert!(
        self::errors(&format!("#if {}1{}\n#endif", "(".repeat(9999), ")".repeat(9999))).contains("E0030")
    );
    assert!(self::errors(&format!("#if {}1\n#endif", "!".repeat(9999))).contains("E0030"));
}

/// Printed text with markers, read again, gives the same tokens at the same lines of the same files.
#[test]
fn printed_text_reads_the_same() {
    let main = "#include \"a.h\"\n#define F(x) x+x\n\n\n\n\n\n\n\n\n\n\n\nF(1) - -F(\n\n2)\n.. . a/ /b\n\
                #pragma unroll\n#include \"a.h\"\nend L \"s\" 1 .5 . 5\n";
    let mut memory = MemoryFiles::new();
    memory.add("main.c", main);
    memory.add("a.h", "a\n#include \"b.h\"\n  after\n");
    memory.add("b.h", "b\n\n\nb2");
    let mut cx = Session::new(&memory, Options::default());
    let tokens = preprocess(&mut cx, "main.c");
    let text = print(&tokens, &cx.source, &cx.names, true);
    let mut second = MemoryFiles::new();
    second.add("main.i", &text);
    let mut again = Session::new(&second, Options { undef: true, ..Options::default() });
    let reread = preprocess(&mut again, "main.i");
    assert_eq!(again.render(Style::default()), "");
    let list = |tokens: &Tokens, cx: &Session<'_>| -> Vec<(Vec<u8>, String, u32)> {
        let place = |loc| cx.source.presumed(loc).map(|(name, at)| (name.to_string(), at.line));
        let spelled = |t: &Token| {
            let (name, line) = place(t.loc).expect("placed");
            (cx.text(t).to_vec(), name, line)
        };
        tokens.toks.iter().filter(|t| t.kind != TokenKind::Eof).map(spelled).collect()
    };
    let pragmas = |t: &Tokens| t.pragmas.iter().map(|p| (p.index, p.kind)).collect::<Vec<_>>();
    assert_eq!(list(&tokens, &cx), list(&reread, &again), "{}", String::from_utf8_lossy(&text));
    assert_eq!(pragmas(&tokens), pragmas(&reread));
    let markers: Vec<_> = text.split(|b| *b == b'\n').filter(|l| l.starts_with(b"# ")).collect();
    let want: [&[u8]; 4] = [b"# 1 \"main.c\"", b"# 1 \"./a.h\" 1", b"# 1 \"./b.h\" 1", b"# 3 \"./a.h\" 2"];
    assert_eq!(markers[..4], want);
}

#[test]
fn dependencies_in_order() {
    let mut memory = MemoryFiles::new();
    memory.add("main.c", "#include \"b.h\"\n#include <s.h>\n#include \"b.h\"\n");
    memory.add("b.h", "");
    memory.add("sys/s.h", "");
    let options = Options { system_dirs: vec!["sys".into()], ..Options::default() };
    let mut cx = Session::new(&memory, options);
    let deps = run(&mut cx, "main.c").deps;
    let list: Vec<_> = deps.iter().map(|d| (d.path.as_str(), d.is_system)).collect();
    assert_eq!(list, [("main.c", false), ("./b.h", false), ("sys/s.h", true)]);
    assert_eq!(make_rule(&["m.o".into()], &deps, true, true), "m.o: main.c b.h\nb.h:\n");
}

#[test]
fn positions_of_macro_tokens() {
    let mut memory = MemoryFiles::new();
    memory.add("main.c", "#define INNER(x) (x + zero)\n#define OUTER(y) INNER(y)\nint a = OUTER(b);\n");
    let mut cx = Session::new(&memory, Options::default());
    let tokens = preprocess(&mut cx, "main.c");
    let find = |text: &str| tokens.toks.iter().find(|t| cx.text(t) == text.as_bytes()).expect("there");
    let zero = find("zero").loc;
    assert_eq!(cx.source.line_col(zero).map(|p| (p.line, p.col)), Some((3, 9)));
    let names: Vec<&str> = cx
        .source
        .expansion_chain(zero)
        .iter()
        .filter_map(|e| cx.source.expansion(*e))
        .map(|e| cx.names.name(e.name))
        .collect();
    assert_eq!(names, ["INNER", "OUTER"]);
    let (_, range) = cx.source.file_range(Span::at(zero)).expect("in a file");
    assert_eq!(&cx.source.text(cx.source.file_of(zero).expect("file"))[range], b"OUTER(b)");
    let (_, range) = cx.source.spelling_range(Span::at(zero)).expect("spelled");
    assert_eq!(range.start, 22);
    assert_eq!(cx.source.spelling(find("b").loc), cx.source.loc(cx.source.file_of(zero).expect("f"), 68));
}

/// Any mixture of pieces of C ends, without a panic.
#[test]
fn token_soups_end() {
    const PIECES: &[&str] = &[
        "#define ",
        "#undef ",
        "#if ",
        "#ifdef ",
        "#else\n",
        "#elif ",
        "#endif\n",
        "#include ",
        "#pragma ",
        "#line ",
        "A",
        "B",
        "f",
        "(",
        ")",
        ",",
        "\n",
        " ",
        "##",
        "#",
        "...",
        "__VA_ARGS__",
        "__VA_OPT__",
        "1",
        "0x",
        "\"s\"",
        "'c'",
        "\"",
        "'",
        "\\\n",
        "/*",
        "*/",
        "//",
        "defined ",
        "_Pragma",
        "__COUNTER__",
        "__has_include",
        "<a.h>",
        "\"main.c\"",
        "push_macro(\"A\")",
        "clang loop unroll(full)",
        "+",
        "&&",
        "?",
        ":",
        "\\",
        "\u{e4}",
        "f(x)",
        "f(x,...)",
        "x",
        "\n#define f(x) ",
        "\n#define A ",
        "once",
        "%:",
        "__LINE__",
        "pack(push",
        "GCC ",
    ];
    let mut seed = 0x1234_5678_9abc_def1u64;
    let mut next = |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) as usize % n
    };
    for _ in 0..3000 {
        let text: String = (0..next(60)).map(|_| PIECES[next(PIECES.len())]).collect();
        let (_, _) = pp_with(&text, &[("a.h", "A f(")], Options::default());
    }
    for _ in 0..2000 {
        let bytes: Vec<u8> = (0..next(80)).map(|_| next(256) as u8).collect();
        let mut memory = MemoryFiles::new();
        memory.add("main.c", &bytes);
        let mut cx = Session::new(&memory, Options::default());
        let tokens = preprocess(&mut cx, "main.c");
        let _ = print(&tokens, &cx.source, &cx.names, true);
        let _ = cx.render(Style::default());
    }
}
