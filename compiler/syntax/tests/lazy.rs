//! Headers read on demand against headers read in order: the same tokens once everything was asked for.
//!
//! What a partial reading means for the object is tested where objects are made (`tests/suite`).

mod corpus;

use corpus::Disk;
use skep_syntax::Session;
use skep_syntax::pp::{self, MemoryFiles, Options};
use skep_syntax::token::Tokens;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Everything the parser sees of a token stream.
fn spell(cx: &Session<'_>, tokens: &Tokens) -> Vec<String> {
    let text = |tok| String::from_utf8_lossy(cx.text(tok)).into_owned();
    let mut out = Vec::new();
    let mut pragmas = tokens.pragmas.iter().peekable();
    for (at, tok) in tokens.toks.iter().enumerate() {
        while let Some(pragma) = pragmas.next_if(|p| p.index as usize == at) {
            let words: Vec<String> = tokens.pragma_range(pragma.toks).iter().map(text).collect();
            out.push(format!("#pragma {}", words.join(" ")));
        }
        out.push(format!("{}{}", if tok.flags.bol() { "\n" } else { "" }, text(tok)));
    }
    assert!(pragmas.next().is_none(), "a pragma behind the end");
    out
}

/// Where the two streams of a file first differ, if they do.
fn compare(cx: &mut Session<'_>, other: &mut Session<'_>, file: &str) -> Result<(), String> {
    let eager = pp::preprocess(cx, file);
    let eager = spell(cx, &eager);
    let mut program = pp::run_lazily(other, file);
    program.want_mentioned(other);
    program.want_all(other);
    let lazy = spell(other, &program.tokens());
    if eager == lazy {
        return Ok(());
    }
    let at = eager.iter().zip(&lazy).take_while(|(a, b)| a == b).count();
    let show = |list: &[String]| list[at.saturating_sub(8)..(at + 8).min(list.len())].join(" ");
    Err(format!("{file}: token {at}\n  in order: {}\n  on demand: {}", show(&eager), show(&lazy)))
}

fn compare_all(corpus: Option<(Options, Vec<String>)>) {
    let Some((options, list)) = corpus else { return };
    let next = AtomicUsize::new(0);
    let errors = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(file) = list.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut cx = Session::new(&Disk, options.clone());
                    let mut other = Session::new(&Disk, options.clone());
                    if let Err(error) = compare(&mut cx, &mut other, file) {
                        errors.lock().expect("no panic").push(error);
                    }
                }
            });
        }
    });
    let errors = errors.into_inner().expect("no panic");
    assert!(errors.is_empty(), "{} of {}:\n{}", errors.len(), list.len(), errors.join("\n"));
}

#[test]
fn seeds_are_the_same() {
    compare_all(corpus::seeds());
}

#[test]
fn selftests_are_the_same() {
    compare_all(corpus::selftests());
}

/// A header with everything that is hard to outline, and a program that uses a bit of it.
const HARD: &str = r#"
#ifndef HARD_H
#define HARD_H 1
#define LIST(X) X(A) X(B) \
    X(C)
#define X(n) NUM_##n,
#define ATTR __attribute__((unused))
#define EMIT __attribute__((section("x"), used))
enum e { LIST(X) END };
#undef X
enum { ONE = 1, TWO = sizeof("}"), /* } */ THREE = (1, 3) };
typedef struct __attribute__((packed)) { int a; } __attribute__((aligned(8))) packed_t;
typedef int (*fn_t)(int, struct s *), *ptr_t, arr_t[3];
typedef int (*(*deep_t)(void))(int);
struct s { int a; enum inner { IN1, IN2 = '}' } b; struct nested { int x; } n; union { int u; }; };
struct t {
#ifdef HARD_H
    int x;
#else
    int y; }
#endif
} instance;
static inline int code(struct t *t) { if (t) { return '{' + t->x; } return 0; }
static int ATTR plain = 3; static int EMIT emitted = 4;
extern int shared ATTR;
int proto(struct s *, char c[]) ATTR; int (*pointer)(int);
#if 0
# define dead ' unbalanced "
  struct never { #if
#else
char *text = "a\"b" /* " */ "\\"; // done \
   still a comment }
#endif
_Static_assert(sizeof(int) == 4, "four");
#pragma pack(push, 1)
struct tight { char c; int i; };
#pragma pack(pop)
#define LATE(t) t late_##t;
LATE(int)
int last
#endif
"#;

#[test]
fn hard_headers_are_the_same() {
    let main = "#include \"hard.h\"\n;\n#define HARD 1\n#undef ATTR\nint use(ptr_t p) { return NUM_B + plain + code(0); }\n";
    let mut files = MemoryFiles::new();
    files.add("hard.h", HARD);
    files.add("main.c", main);
    let mut cx = Session::new(&files, Options::default());
    let mut other = Session::new(&files, Options::default());
    compare(&mut cx, &mut other, "main.c").unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn cut_headers_are_the_same() {
    // A header may end anywhere, and the including file may go on where it stopped.
    for end in 0..HARD.len() {
        let mut files = MemoryFiles::new();
        files.add("hard.h", &HARD[..end]);
        files.add("main.c", "int a;\n#include \"hard.h\"\n} ; int b;\n#include \"hard.h\"\n");
        let mut cx = Session::new(&files, Options::default());
        let mut other = Session::new(&files, Options::default());
        compare(&mut cx, &mut other, "main.c").unwrap_or_else(|error| panic!("cut at {end}: {error}"));
    }
}

/// Pieces of headers, sound and broken.
const PIECES: &[&str] = &[
    "int a;",
    "struct s {",
    "}",
    ";",
    "enum { A, B(1), C = 2 };",
    "#define M x y\n",
    "\n#if 0\n",
    "\n#endif\n",
    "\n#else\n",
    "\"str",
    "\"",
    "'",
    "/*",
    "*/",
    "// c\n",
    "\\\n",
    "\n",
    "(",
    ")",
    "M",
    "F(1, 2)",
    "\n#define F(a, b) a b {\n",
    "\n#undef M\n",
    "typedef",
    "int (*f)(int);",
    "static inline int g(void) { return M; }",
    "__attribute__((x))",
    "=",
    ",",
    "[2]",
    "#",
    "\n#include \"b.h\"\n",
    "\n#pragma pack(1)\n",
    "_Pragma(\"x y\")",
    "<%",
    "%>",
    "\n#ifdef M\n",
    "t",
    "\u{e9}",
    "0x1p",
];

#[test]
fn random_headers_are_the_same() {
    let mut state = 88172645463325252u64;
    let mut random = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n as u64) as usize
    };
    for case in 0..4000 {
        let mut text =
            |len: usize| (0..len).map(|_| PIECES[random(PIECES.len())]).collect::<Vec<_>>().join(" ");
        let mut files = MemoryFiles::new();
        files.add("a.h", text(1 + case % 40));
        files.add("b.h", text(8));
        files.add("main.c", format!("{}\n#include \"a.h\"\n{}", text(2), text(6)));
        let mut cx = Session::new(&files, Options::default());
        let mut other = Session::new(&files, Options::default());
        compare(&mut cx, &mut other, "main.c").unwrap_or_else(|error| panic!("case {case}: {error}"));
    }
}

#[test]
fn a_program_reads_what_it_mentions() {
    let mut files = MemoryFiles::new();
    files.add(
        "types.h",
        "typedef int num;\nstruct far { num n; };\nstruct near { struct far *far; struct far by_value; };\n\
         struct other { int o; };\nenum { RED, GREEN };\nint proto(struct other *);\n",
    );
    files.add("main.c", "#include \"types.h\"\nint use(struct near *p);\n");
    let mut cx = Session::new(&files, Options::default());
    let mut program = pp::run_lazily(&mut cx, "main.c");
    program.want_mentioned(&mut cx);
    let text = spell(&cx, &program.tokens()).join(" ");
    assert_eq!(
        text.replace('\n', "").trim_end(),
        "typedef int num ; struct far { num n ; } ; struct near { struct far * far ; struct far by_value ; } ; \
         int use ( struct near * p ) ;"
    );
    assert!(program.is_partial());
    let other = cx.names.intern(b"other");
    assert!(program.want_tags(&mut cx, [other]) && !program.want_tags(&mut cx, [other]));
    assert!(spell(&cx, &program.tokens()).join(" ").replace('\n', "").contains("struct other { int o ; }"));
}
