//! The parser on real programs, and clang-19's syntax tree as judge of ours.
//!
//! Every program of the corpora must parse without error; for some, the numbers of nodes of each kind
//! are compared with clang's dump. What clang's dump leaves out (array sizes, the operand of `typeof`)
//! or adds (members of anonymous members) is not compared.

mod corpus;

use corpus::{CLANG, Disk, Need, have, tools};
use skep_syntax::Session;
use skep_syntax::ast::{DeclKind, ExprKind, Id, StmtKind, Unit};
use skep_syntax::diag::Style;
use skep_syntax::pp::{self, MemoryFiles, Options};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Parses a file; the error text if there was an error.
fn parse(options: &Options, file: &str) -> Result<Unit, String> {
    let mut cx = Session::new(&Disk, options.clone());
    let tokens = pp::preprocess(&mut cx, file);
    let unit = skep_syntax::parse::unit(&mut cx, &tokens);
    if cx.diags.has_errors() {
        return Err(cx.render(Style { short: true, color: false }));
    }
    Ok(unit)
}

/// Parses all files on two threads; panics with every error found.
fn parse_all(options: &Options, list: &[String]) {
    let next = AtomicUsize::new(0);
    let errors = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(file) = list.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(e) = parse(options, file) {
                        errors.lock().expect("no panic").push(e);
                    }
                }
            });
        }
    });
    let mut errors = errors.into_inner().expect("no panic");
    errors.sort();
    assert!(errors.is_empty(), "{} of {}:\n{}", errors.len(), list.len(), errors.join("\n"));
}

#[test]
fn seeds_parse() {
    if let Some((options, list)) = corpus::seeds() {
        parse_all(&options, &list);
    }
}

#[test]
fn selftests_parse() {
    if let Some((options, list)) = corpus::selftests() {
        parse_all(&options, &list);
    }
}

#[test]
fn the_running_kernels_types_parse() {
    if !have(&[Need::Vmlinux]) {
        return;
    }
    let text = std::fs::read(tools::vmlinux().expect("it is there")).expect("readable");
    let mut files = MemoryFiles::new();
    files.add("vmlinux.h", &text);
    let mut cx = Session::new(&files, Options::default());
    let tokens = pp::preprocess(&mut cx, "vmlinux.h");
    let unit = skep_syntax::parse::unit(&mut cx, &tokens);
    assert_eq!(cx.render(Style { short: true, color: false }), "");
    // Every brace of the dump starts the body of a type.
    let tree = count(&unit);
    let of = |kind: &str| tree.get(kind).copied().unwrap_or(0);
    let enums =
        (0..unit.ast.enums()).filter(|&n| unit.ast.enum_spec(Id::new(n)).enumerators.is_some()).count();
    assert_eq!(of("RecordDecl") + enums, text.iter().filter(|&&b| b == b'{').count());
    assert!(unit.ast.records() > 10_000 && of("FieldDecl") > 50_000, "{tree:?}");
    assert!(unit.file_tags.len() > 10_000 && unit.file_names.len() > 10_000);
}

/// Numbers of nodes by clang's names for their kinds.
fn count(unit: &Unit) -> BTreeMap<&'static str, usize> {
    let ast = &unit.ast;
    let mut out = BTreeMap::new();
    let mut add = |name, n: usize| *out.entry(name).or_insert(0) += n;
    for n in 0..ast.records() {
        let Some(members) = ast.record(Id::new(n)).members else { continue };
        add("RecordDecl", 1);
        for member in ast.list(members) {
            if let DeclKind::Vars { items, .. } = ast.decl(member) {
                add("FieldDecl", items.len());
            }
        }
    }
    add("EnumConstantDecl", ast.enumerators());
    for n in 0..ast.decls() {
        if let DeclKind::StaticAssert { .. } = ast.decl(Id::new(n)) {
            add("StaticAssertDecl", 1);
        }
    }
    for n in 0..ast.stmts() {
        let name = match ast.stmt(Id::new(n)) {
            StmtKind::Block(_) => "CompoundStmt",
            StmtKind::Decl(_) | StmtKind::LocalLabels(_) => "DeclStmt",
            StmtKind::If { .. } => "IfStmt",
            StmtKind::Switch { .. } => "SwitchStmt",
            StmtKind::While { .. } => "WhileStmt",
            StmtKind::DoWhile { .. } => "DoStmt",
            StmtKind::For { .. } => "ForStmt",
            StmtKind::Goto(_) => "GotoStmt",
            StmtKind::Continue => "ContinueStmt",
            StmtKind::Break => "BreakStmt",
            StmtKind::Return(_) => "ReturnStmt",
            StmtKind::Label { .. } => "LabelStmt",
            StmtKind::Case { .. } => "CaseStmt",
            StmtKind::Default => "DefaultStmt",
            StmtKind::Asm(_) => "GCCAsmStmt",
            StmtKind::Empty => "NullStmt",
            StmtKind::GotoExpr(_) => "IndirectGotoStmt",
            StmtKind::Error | StmtKind::Expr(_) | StmtKind::Attrs(_) => continue,
        };
        add(name, 1);
    }
    for n in 0..ast.exprs() {
        let name = match ast.expr(Id::new(n)) {
            ExprKind::Call { .. } => "CallExpr",
            ExprKind::Cast { .. } => "CStyleCastExpr",
            ExprKind::Cond { then: Some(_), .. } => "ConditionalOperator",
            ExprKind::Cond { then: None, .. } => "BinaryConditionalOperator",
            ExprKind::Index { .. } => "ArraySubscriptExpr",
            ExprKind::Assign { op: Some(_), .. } => "CompoundAssignOperator",
            ExprKind::StmtExpr(_) => "StmtExpr",
            ExprKind::Compound { .. } => "CompoundLiteralExpr",
            ExprKind::LabelAddr(_) => "AddrLabelExpr",
            ExprKind::Generic { .. } => "GenericSelectionExpr",
            ExprKind::VaArg { .. } => "VAArgExpr",
            ExprKind::Choose { .. } => "ChooseExpr",
            ExprKind::Offsetof { .. } => "OffsetOfExpr",
            _ => continue,
        };
        add(name, 1);
    }
    out
}

/// The same numbers from clang's dump, for the kinds in `ours`.
fn clang_count(dump: &str, ours: &BTreeMap<&'static str, usize>) -> BTreeMap<&'static str, usize> {
    let mut out: BTreeMap<&'static str, usize> = ours.keys().map(|k| (*k, 0)).collect();
    for line in dump.lines() {
        let line = line.trim_start_matches([' ', '|', '`', '-']);
        let Some((kind, rest)) = line.split_once(' ') else { continue };
        let implicit = rest.contains("> implicit ") || rest.contains(" implicit ") && kind == "FieldDecl";
        if kind == "RecordDecl" && !rest.ends_with("definition") || implicit {
            continue;
        }
        if let Some(n) = ours.keys().find(|k| **k == kind).and_then(|k| out.get_mut(k)) {
            *n += 1;
        }
    }
    out
}

#[test]
fn trees_have_the_nodes_of_clangs() {
    if !corpus::have_clang() {
        return;
    }
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    for (n, text) in include_str!("trees.txt").split("\n----\n").enumerate() {
        let file = dir.join(format!("tree_{n}.c"));
        std::fs::write(&file, text).expect("writable");
        let file = file.display().to_string();
        let args = ["-target", "bpf", "-std=gnu11", "-w", "-fsyntax-only", "-Xclang", "-ast-dump", &file];
        let out = Command::new(CLANG).args(args).output().expect("clang runs");
        assert!(out.status.success(), "clang refuses {file}: {}", String::from_utf8_lossy(&out.stderr));
        let unit = parse(&Options::default(), &file).unwrap_or_else(|e| panic!("{e}"));
        let ours = count(&unit);
        assert_eq!(ours, clang_count(&String::from_utf8_lossy(&out.stdout), &ours), "{file}");
    }
}

#[test]
fn seeds_have_the_nodes_of_clangs() {
    let Some((options, list)) = corpus::seeds() else { return };
    if !corpus::have_clang() {
        return;
    }
    for file in list {
        let mut clang = Command::new(CLANG);
        clang.args([
            "-target",
            "bpf",
            "-mcpu=v3",
            "-O2",
            "-w",
            "-fsyntax-only",
            "-Xclang",
            "-ast-dump",
            "-nostdinc",
        ]);
        clang.arg("-D__TARGET_ARCH_x86");
        for (flag, dirs) in [
            ("-I", &options.include_dirs),
            ("-isystem", &options.system_dirs),
            ("-idirafter", &options.after_dirs),
        ] {
            for dir in dirs {
                clang.args([flag, dir]);
            }
        }
        let out = clang.arg(&file).output().expect("clang runs");
        let unit = parse(&options, &file).unwrap_or_else(|e| panic!("{e}"));
        let mut ours = count(&unit);
        // The macros of bpf_core_read.h have calls inside `typeof`.
        ours.remove("CallExpr");
        assert_eq!(ours, clang_count(&String::from_utf8_lossy(&out.stdout), &ours), "{file}");
    }
}
