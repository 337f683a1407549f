//! Outlines of declarations, plain ones and strange ones.

use super::*;

/// The outline of the first declaration: names (tags with their keyword's name space), or why it is not plain.
fn of(text: &str) -> String {
    let Next::Declaration(at, _) = next(text.as_bytes(), 0, false) else { return "none".into() };
    let mut out = Outline::default();
    outline(text.as_bytes(), at, &mut out);
    let mut show = match (out.cut, out.odd) {
        (Some(open), _) => return format!("cut at {} in {}", out.end, open.map_or(0, |open| open.depth)),
        (None, true) => "odd".to_string(),
        (None, false) => format!("{:?}", out.storage),
    };
    for Name { space, range: name, .. } in &out.names {
        let mark = if *space == Space::Tag { "tag " } else { "" };
        show.push_str(&format!(" {mark}{}", &text[name.clone()]));
    }
    for (is, word) in [(out.function, "()"), (out.pointer, "*"), (out.body, "{}"), (out.init, "=")] {
        show.push_str(if is { word } else { "" });
    }
    let rest = text[out.end..].trim();
    if rest.is_empty() { show } else { format!("{show} | {rest}") }
}

#[test]
fn plain_declarations() {
    for (text, want) in [
        ("typedef unsigned int u32;", "Typedef u32"),
        ("typedef struct { int a; } __attribute__((aligned(8))) x_t; int y;", "Typedef x_t | int y;"),
        ("typedef int (*fn_t)(struct s *, int);", "Typedef fn_t()*"),
        ("typedef int (*(*deep)(void))[2];", "Typedef deep*"),
        ("typedef int a[2], *b, (*c)(int);", "Typedef a b c()*"),
        ("struct s { struct { int x; } y; };", "None tag s"),
        ("struct s;", "None"),
        ("enum e { A = (1 << 2), B = 'x', C = sizeof(\"}\"), D, };", "None tag e A B C D"),
        ("enum { A = 1U, B };", "None A B"),
        ("struct s { enum in { A, B } e; struct t { int i; } t; };", "None tag s tag in A B tag t"),
        ("extern int f(struct s *p, int (*g)(int)) __attribute__((x));", "Extern f()"),
        ("static long (* const helper)(void *map) = (void *) 1;", "Static helper()*="),
        ("static inline int f(int a) { return a ? '}' : \"{\"[0]; } int g;", "Static f(){} | int g;"),
        ("struct s *f(void) { return 0; }", "None f(){}"),
        ("int table[] = { 1, 2, };", "None table="),
        ("/* typedef */ int x; // done", "None x | // done"),
    ] {
        assert_eq!(of(text), want, "{text}");
    }
}

#[test]
fn strange_declarations_are_odd_or_cut() {
    for (text, want) in [
        ("_Static_assert(1, \"\");", "odd"),
        ("enum { LIST(X) END };", "odd LIST"),
        ("struct s { int a;\n#if 1\n};", "cut at 18 in 1"),
        ("int f(int a,\n # define X\n int b);", "cut at 14 in 1"),
        ("typedef int", "cut at 11 in 0"),
        ("struct s { char c = '}", "cut at 22 in 1"),
        ("int x : 3;", "odd x"),
        ("\"C\" int x;", "odd x"),
    ] {
        assert_eq!(of(text), want, "{text}");
    }
}

#[test]
fn lines_and_directives() {
    let text = b"x /* # \n #no */ \"# \\\" \n# yes\nx \\\n# spliced\n";
    assert_eq!(next_directive(text, 0), Some(23));
    assert_eq!(next_directive(text, 24), None);
    assert_eq!(line_end(b"#define X 1 \\\n 2 /* a\n b */ 3 // c\nnext", 0), 35);
    let name =
        |text: &[u8]| defined_name(text, 0).map(|name| String::from_utf8_lossy(&text[name]).into_owned());
    assert_eq!(name(b"# define  X(a) a\n").as_deref(), Some("X"));
    assert_eq!(name(b"#define\n"), None);
    assert_eq!(name(b"#define X/**/1\n"), None);
    assert_eq!(name(b"#defined X\n"), None);
}

#[test]
fn any_text_is_outlined() {
    // Every prefix of something with all brackets and quotes: progress is made and nothing panics.
    let text =
        b"typedef struct a { enum { X = '(', Y } b[sizeof(\"]\")]; } (*c)(int), d; /* e */ #f\n\\\n'\"";
    let mut out = Outline::default();
    for from in 0..text.len() {
        for to in from..text.len() {
            let part = &text[from..to];
            if let Next::Declaration(at, _) = next(part, 0, false) {
                outline(part, at, &mut out);
                assert!(out.end > at && out.end <= part.len(), "{:?}", String::from_utf8_lossy(part));
                let open = out.cut;
                rest(part, out.end, open.flatten(), &mut out);
            }
            line_end(part, 0);
            next_directive(part, 0);
        }
    }
}
