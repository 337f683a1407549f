//! Dev only.
#![allow(clippy::print_stdout)]
use skep_syntax::*;
use std::time::Instant;
fn main() {
    let mut bad = 0;
    for path in std::env::args().skip(1) {
        let mut files = pp::MemoryFiles::new();
        files.add(&path, std::fs::read(&path).unwrap());
        let mut s = Session::new(&files, pp::Options::default());
        let t0 = Instant::now();
        let toks = pp::preprocess(&mut s, &path);
        let t1 = Instant::now();
        let unit = parse::unit(&mut s, &toks);
        let t2 = Instant::now();
        let unit2 = parse::unit(&mut s, &toks);
        let t3 = Instant::now();
        drop(unit2);
        let t4 = Instant::now();
        if s.diags.has_errors() {
            bad += 1;
        }
        print!("{}", s.render(diag::Style { short: std::env::var("SHORT").is_ok(), color: false }));
        if std::env::var("STAT").is_ok() {
            println!(
                "{path}: toks {} lex {:?} parse {:?} again {:?} drop {:?}; decls {} names {} tags {} exprs {} stmts {}",
                toks.toks.len(),
                t1 - t0,
                t2 - t1,
                t3 - t2,
                t4 - t3,
                unit.decls.len(),
                unit.file_names.len(),
                unit.file_tags.len(),
                unit.ast.exprs(),
                unit.ast.stmts()
            );
        }
    }
    println!("{bad} with errors");
}
