//! Tests of the parser on small texts. What clang says about bigger ones is in `tests/parse.rs`.

use crate::Session;
use crate::ast::{ExprKind, Id, Named, Record, Unroll};
use crate::diag::Style;
use crate::pp::{self, MemoryFiles, Options, Std};
use crate::print;

fn run_with(text: &str, options: Options) -> (String, String) {
    let mut files = MemoryFiles::new();
    files.add("a.c", text);
    let mut cx = Session::new(&files, options);
    let tokens = pp::preprocess(&mut cx, "a.c");
    let unit = super::unit(&mut cx, &tokens);
    (print::unit(&unit, &cx.names), cx.render(Style { short: true, color: false }))
}

/// The tree of a correct program.
fn tree(text: &str) -> String {
    let (tree, errors) = run_with(text, Options::default());
    assert_eq!(errors, "", "in {text}");
    tree
}

/// The errors of a program, one per line, without the file's name.
fn errors(text: &str) -> String {
    run_with(text, Options::default()).1.replace("a.c:", "").replace("error", "")
}

/// The tree of an expression.
fn expr(text: &str) -> String {
    let mut files = MemoryFiles::new();
    files.add("a.c", text);
    let mut cx = Session::new(&files, Options::default());
    let tokens = pp::preprocess(&mut cx, "a.c");
    let (ast, id) = super::expression(&mut cx, &tokens);
    assert_eq!(cx.render(Style::default()), "", "in {text}");
    print::expression(&ast, &cx.names, id.expect("an expression"))
}

#[test]
fn precedence() {
    assert_eq!(expr("1 + 2 * 3 - 4"), "(- (+ 1 (* 2 3)) 4)");
    assert_eq!(expr("a || b && c | d ^ e & f == g < h << i + j * k"), {
        "(|| a (&& b (| c (^ d (& e (== f (< g (<< h (+ i (* j k))))))))))"
    });
    assert_eq!(expr("a * b + c << d < e == f & g ^ h | i && j || k"), {
        "(|| (&& (| (^ (& (== (< (<< (+ (* a b) c) d) e) f) g) h) i) j) k)"
    });
    assert_eq!(expr("a = b += c ? d : e ? f : g, h"), "(, (= a (+= b (? c d (? e f g)))) h)");
    assert_eq!(expr("a ?: b ?: c"), "(?: a (?: b c))");
    assert_eq!(
        expr("-a++ + !*&b[1].c->d(2, 3)"),
        "(+ (- (post++ a)) (! (* (& (call (-> (. (index b 1) c) d) 2 3)))))"
    );
    assert_eq!(expr("sizeof(int) * 2 + sizeof a->b"), "(+ (* (sizeof <int>) 2) (sizeof (-> a b)))");
    assert_eq!(expr("(int)-1"), "(cast <int> (- 1))");
    assert_eq!(expr("(char)(a) + (b)(c)"), "(+ (cast <char> a) (call b c))");
    assert_eq!(expr("sizeof (int){1}"), "(sizeof (literal <int> {1}))");
    assert_eq!(expr("&&out"), "(&& out)");
    assert_eq!(expr(r#""a" L"b""#), r#"L"a\x00\x00\x00b\x00\x00\x00""#);
}

#[test]
fn declarators_read_from_the_name_outwards() {
    let one = |text: &str| tree(text).trim_end().to_string();
    assert_eq!(one("int *a[3];"), "var a: array[3] of pointer to int");
    assert_eq!(one("int (*a)[3];"), "var a: pointer to array[3] of int");
    assert_eq!(one("int *const *volatile p;"), "var p: volatile pointer to const pointer to int");
    assert_eq!(
        one("int (*(*f)(long))[2];"),
        "var f: pointer to function(long) returning pointer to array[2] of int"
    );
    assert_eq!(one("void (*signal(int, void (*h)(int)))(int);"), {
        "var signal: function(int, h: pointer to function(int) returning void) returning pointer to function(int) returning void"
    });
    assert_eq!(one("int f(void), g(), h(int, ...);"), {
        "var f: function() returning int\nvar g: function(?) returning int\nvar h: function(int, ...) returning int"
    });
    assert_eq!(one("int (__attribute__((x)) *p), q __attribute__((y)) = 1, __attribute__((z)) *r;"), {
        "var p: pointer to int [x]\nvar q: int [y] = 1\nvar r: pointer to int [z]"
    });
    assert_eq!(one("int f(int a[static const 3], int b[]);"), {
        "var f: function(a: const array[static 3] of int, b: array[] of int) returning int"
    });
    assert_eq!(one("int x asm(\"y\") __attribute__((used));"), "var x: int asm \"y\" [used]");
}

#[test]
fn specifiers_in_any_order() {
    let one = |text: &str| tree(text).trim_end().to_string();
    assert_eq!(one("long unsigned static int long const x;"), "var x: static const unsigned long long");
    assert_eq!(one("typedef __int128 unsigned u128;"), "typedef u128: unsigned __int128");
    assert_eq!(one("char signed x;"), "var x: signed char");
    assert_eq!(one("_Atomic(int) x; _Atomic int y;"), "var x: _Atomic(int)\nvar y: _Atomic int");
    assert_eq!(
        one("_Alignas(8) int x; _Alignas(long) int y;"),
        "var x: int [_Alignas 8]\nvar y: int [_Alignas long]"
    );
    assert_eq!(
        one("__builtin_va_list a; __uint128_t b;"),
        "var a: __builtin_va_list\nvar b: unsigned __int128"
    );
    assert_eq!(one("__extension__ typedef int t;"), "typedef t: int");
    assert_eq!(
        one("enum e : unsigned char { A }; enum e x;"),
        "define enum e : unsigned char\n  A\nvar x: enum e"
    );
    assert_eq!(one("struct s { enum e f : 3; enum e : 4; };").matches("bits").count(), 2);
}

#[test]
fn attributes_after_a_body_belong_to_the_type() {
    let text = "__attribute__((a)) struct __attribute__((b)) s { int x; } __attribute__((c)) const __attribute__((d)) v;";
    assert_eq!(tree(text), "define struct s [b] [c]\n  field x: int\nvar v: const struct s [a] [d]\n");
}

#[test]
fn names_change_their_meaning_with_the_scope() {
    let text = "typedef int T;\nint f(int (T), int T) { return T * 2; }\nT a;\n\
                int g(void) { T b = sizeof(T); char T = 1; { typedef long T; T c; } T * 2; for (T = 0; T; ) ; return T; }\n\
                T d;\nenum { E, T2 };\nint h(void) { typedef int E; E x; return 0; }\nint i = E;\n\
                void j(void) { int T; T = 1; } void k(T T) { T++; }";
    let tree = tree(text);
    for line in [
        "function f: function(function(T) returning int, T: int) returning int",
        "  return (* T 2)",
        "  var b: T = (sizeof <T>)",
        "    var c: T",
        "  (* T 2)",
        "    (= T 0)",
        "  var x: E",
        "var i: int = E",
        "  (= T 1)",
        "  (post++ T)",
    ] {
        assert!(tree.lines().any(|l| l == line), "{line:?} not in\n{tree}");
    }
}

#[test]
fn statements() {
    let text = "int f(int a)\n{\n\tif (a) if (a > 1) a = 1; else a = 2;\n\tif (a) out: a++; else for (;;) ;\n\
                switch (a) { case 1: case 2 ... 3: { } default: break; }\n\tdo a--; while (a);\n\
                __attribute__((fallthrough));\n\treturn ({ a; }) + 1;\n}";
    let want = "function f: function(a: int) returning int\n  if a\n    if (> a 1)\n      (= a 1)\n    else\n      \
                (= a 2)\n  if a\n    label out\n    (post++ a)\n  else\n    for\n      empty\n      empty\n      \
                empty\n        empty\n  switch a\n    case 1\n    case 2 ... 3\n    block\n    default\n    break\n  \
                do while a\n    (post-- a)\n  attributes [fallthrough]\n  return (+ ({\n      a\n    }) 1)\n";
    assert_eq!(tree(text), want);
}

#[test]
fn assembly() {
    let text = "void f(int a) { asm(\"nop\"); asm volatile(\"x %0\" : \"=r\"(a) : [n] \"r\"(a), \"i\"(1) : \"memory\", \"r0\"); \
                asm goto(\"y\" :::: l); asm(\"z\" :: \"r\"(a)); l: ; }\nasm(\"top\");";
    let want = "function f: function(a: int) returning void\n  asm volatile \"nop\"\n  asm volatile \"x %0\"\n    \
                out \"=r\" a\n    in n \"r\" a\n    in \"i\" 1\n    clobber \"memory\"\n    clobber \"r0\"\n  \
                asm volatile goto \"y\"\n    label l\n  asm volatile \"z\"\n    in \"r\" a\n  label l\n  empty\nasm \"top\"\n";
    assert_eq!(tree(text), want);
}

#[test]
fn initialisers() {
    let text = "struct s x = { .a = 1, b: 2, .c.d[3] = { 4 }, [5 ... 6] = 7, [8] 9, };";
    assert_eq!(tree(text), "var x: struct s = {.a = 1, .b = 2, .c.d[3] = {4}, [5 ... 6] = 7, [8] = 9}\n");
}

#[test]
fn pragmas_reach_records_and_loops() {
    let text = "#pragma pack(push, 1)\nstruct a { int x; };\n#pragma pack(pop)\nstruct b { int x; };\n\
                #pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)\n\
                struct c { int x; };\n#pragma clang attribute pop\nstruct d { int x; };\n\
                void f(void) {\n#pragma unroll\nfor (;;) ;\nwhile (1) ;\n#pragma clang loop unroll_count(4)\ndo ; while (0); }";
    let mut files = MemoryFiles::new();
    files.add("a.c", text);
    let mut cx = Session::new(&files, Options::default());
    let tokens = pp::preprocess(&mut cx, "a.c");
    let unit = super::unit(&mut cx, &tokens);
    assert_eq!(cx.render(Style::default()), "");
    let state = |n: usize| {
        let Record { pack, preserve_access_index, .. } = unit.ast.record(Id::new(n));
        (pack, preserve_access_index)
    };
    assert_eq!([state(0), state(1), state(2), state(3)], [(1, false), (0, false), (0, true), (0, false)]);
    let unrolls: Vec<Unroll> = unit.unrolls.iter().map(|u| u.1).collect();
    assert_eq!(unrolls, [Unroll::Full, Unroll::Count(4)]);
}

#[test]
fn the_index_holds_the_names_of_the_file_only() {
    let text = "struct a { struct b { int x; } y; enum { E1 } z; };\nvoid f(struct c *p, enum { E2 } q);\n\
                int g(void) { struct d { int x; } v; enum { E3 }; int w; return 0; }\ntypedef struct a t, *u;\nint n, m(void);";
    let mut files = MemoryFiles::new();
    files.add("a.c", text);
    let mut cx = Session::new(&files, Options::default());
    let tokens = pp::preprocess(&mut cx, "a.c");
    let unit = super::unit(&mut cx, &tokens);
    let names: Vec<String> = unit
        .file_names
        .iter()
        .map(|n| {
            let kind = match n.what {
                Named::Typedef(..) => "type",
                Named::Item(..) => "item",
                Named::Function(_) => "function",
                Named::Enumerator(..) => "constant",
            };
            format!("{kind} {}", cx.names.name(n.name))
        })
        .collect();
    assert_eq!(names, ["constant E1", "item f", "function g", "type t", "type u", "item n", "item m"]);
    let tags: Vec<_> = unit.file_tags.iter().map(|t| (cx.names.name(t.tag), t.body)).collect();
    assert_eq!(tags, [("b", true), ("a", true), ("a", false)]);
}

#[test]
fn type_names_and_c23_words() {
    let mut files = MemoryFiles::new();
    files.add("a.c", "const char *(*)[4]");
    let mut cx = Session::new(&files, Options::default());
    let tokens = pp::preprocess(&mut cx, "a.c");
    assert!(super::type_name(&mut cx, &tokens).1.is_some());
    let c23 = Options { std: Std::C23, ..Options::default() };
    assert_eq!(run_with("bool x = true; typeof_unqual(x) y;", c23).1, "");
    assert_eq!(tree("typedef _Bool bool; bool x;"), "typedef bool: _Bool\nvar x: bool\n");
}

#[test]
fn one_mistake_one_message() {
    assert_eq!(
        errors("int f(int a) { a = 1 \n return a; }"),
        "1:20: [E0101]: expected `;` after this statement\n"
    );
    assert_eq!(errors("foo x; foo y; int f(foo z);"), "1:1: [E0102]: unknown type name `foo`\n");
    assert_eq!(
        errors("int f(int a) { if (a) { return 1; }\nint g(void) { return 2; }"),
        "1:14: [E0103]: this `{` is never closed\n"
    );
    assert_eq!(errors("int f(int a) { return g(a, (a + 1); }"), "1:34: [E0101]: expected `)`, found `;`\n");
    assert_eq!(errors("int f(void) { int x = ; return x + ; }"), {
        "1:23: [E0100]: expected an expression, found `;`\n1:36: [E0100]: expected an expression, found `;`\n"
    });
    assert_eq!(errors("int a = 1 2;\nint b = 3 4;\nint c;"), {
        "1:11: [E0100]: expected `;` or `,`, found `2`\n2:11: [E0100]: expected `;` or `,`, found `4`\n"
    });
}

#[test]
fn errors_leave_a_tree() {
    let (tree, _) = run_with("int f(int a) { a = ; b c d e; return a; }\nint after;", Options::default());
    assert!(
        tree.contains("(= a <error>)") && tree.contains("return a") && tree.contains("var after: int"),
        "{tree}"
    );
}

#[test]
fn deep_input_ends_in_an_error() {
    let deep = |open: &str, close: &str| format!("int x = {}1{};", open.repeat(20_000), close.repeat(20_000));
    for text in [
        deep("(", ")"),
        deep("-", ""),
        deep("1 + ", ""),
        deep("a ? b : ", ""),
        deep("sizeof ", ""),
        deep("a = ", ""),
    ] {
        let found = errors(&text);
        assert!(found.contains("[E0104]"), "{}: {found}", text.get(..20).unwrap_or(""));
    }
    let chain = format!("int f(int a) {{ {} a = 1; }}", "if (a) a = 2; else ".repeat(20_000));
    assert!(errors(&chain).contains("[E0104]"));
    // Long is not deep.
    let long = format!("int x[] = {{ {} }}; char *s = {};", "-1, ".repeat(20_000), "\"a\" ".repeat(20_000));
    assert_eq!(errors(&long), "");
    let labels = format!(
        "int f(int a) {{ switch (a) {{ {} a = 1; }} }}",
        (0..1000).map(|n| format!("case {n}: ")).collect::<String>()
    );
    assert_eq!(errors(&labels), "");
}

/// Every token of a program is left out, doubled and replaced in turn: always some tree, never a panic.
#[test]
fn mutations_do_no_harm() {
    const PROGRAM: &str = "typedef unsigned int u32 ; struct k { u32 a : 3 ; union { int b ; char c [ 4 ] ; } ; } ; \
        enum e { A , B = 2 , } ; static int t [ ] = { [ 0 ] = 1 , 2 } ; int g ( struct k * p , ... ) ; \
        __attribute__ ( ( used ) ) int f ( int a , struct k * k ) { u32 x = ( u32 ) a , * q = & x ; \
        if ( a > 0 ) { for ( int i = 0 ; i < 3 ; i ++ ) x += k -> c [ i ] ; } else while ( x ) x -- ; \
        switch ( x ) { case 1 : break ; default : goto out ; } asm volatile ( \"x\" : \"=r\" ( x ) : : \"memory\" ) ; \
        x = ( { int y = 1 ; y ; } ) ? : sizeof ( u32 ) ; out : return g ( k , x , * q ) ; } int last ;";
    let words: Vec<&str> = PROGRAM.split(' ').filter(|w| !w.is_empty()).collect();
    let others = ["}", "{", ")", "(", ";", "int", "x", "1", "struct", "*", "=", "else", "#", "\"s\""];
    assert_eq!(errors(PROGRAM), "");
    for at in 0..words.len() {
        let mut without = words.clone();
        without.remove(at);
        let mut doubled = words.clone();
        doubled.insert(at, words[at]);
        let mut replaced = words.clone();
        replaced[at] = others[at % others.len()];
        for text in [without, doubled, replaced] {
            let found = errors(&text.join(" "));
            assert!(
                found.lines().count() <= 5,
                "{}:
{found}",
                text.join(" ")
            );
        }
    }
}

#[test]
fn literals_reach_the_tree() {
    let mut files = MemoryFiles::new();
    files.add("a.c", "0xffULL");
    let mut cx = Session::new(&files, Options::default());
    let tokens = pp::preprocess(&mut cx, "a.c");
    let (ast, id) = super::expression(&mut cx, &tokens);
    let kind = ast.expr(id.expect("an expression"));
    assert!(matches!(kind, ExprKind::Int { value: 255, decimal: false, .. }), "{kind:?}");
}

#[test]
fn attributes_in_double_brackets() {
    let same = |brackets: &str, keyword: &str| assert_eq!(tree(brackets), tree(keyword), "{brackets}");
    same("[[gnu::packed]] int a;", "__attribute__((packed)) int a;");
    same("struct [[clang::packed, a(1, \"[]\")]] s { int b [[c]]; };", {
        "struct __attribute__((packed, a(1, \"[]\"))) s { int b __attribute__((c)); };"
    });
    same(
        "[[a]] [[]] int f([[b]] int c);",
        "__attribute__((a)) __attribute__(()) int f(__attribute__((b)) int c);",
    );
    same("[[vendor::a(1, 2), b]] int c;", "__attribute__((b)) int c;");
    same("void f(void) { switch (1) { case 1: [[fallthrough]]; default:; } }", {
        "void f(void) { switch (1) { case 1: __attribute__((fallthrough)); default:; } }"
    });
    // Those of a statement are hints, those of a declaration in a block are not.
    same("void f(int a) { if (a) [[likely]] a = 1; else [[unlikely]] return; [[a]] for (;;) [[b]] { } }", {
        "void f(int a) { if (a) a = 1; else return; for (;;) { } }"
    });
    same("typedef int t; void f(void) { [[a]] t b; [[c]] b = 1; }", {
        "typedef int t; void f(void) { __attribute__((a)) t b; b = 1; }"
    });
    assert_eq!(expr("a[b[c[1]]]"), "(index a (index b (index c 1)))");
}

#[test]
fn definitions_in_the_old_style() {
    let same = |old: &str, new: &str| assert_eq!(tree(old), tree(new), "{old}");
    same("int f(a, b) int a; char *b; { return a; }", "int f(int a, char *b) { return a; }");
    same("typedef int t; t *g(a, b, c) t a[2], (*c)(int); { }", {
        "typedef int t; t *g(t a[2], int b, t (*c)(int)) { }"
    });
    same("int f(a) struct s *a; { } int b;", "int f(struct s *a) { } int b;");
    assert_ne!(errors("int f(a) int b; int g(void) { return 1; }"), "");
    assert_ne!(errors("int f(a);"), "");
}
