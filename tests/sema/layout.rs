//! Sizes and offsets of every record of a full `vmlinux.h`, and of small ones with every
//! attribute, as clang has them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use skep_compiler::hir::Module;
use skep_compiler::types::{RecordId, RecordKind, Type};
use skep_stdlib::btf::{self, Btf};
use skep_syntax::{Session, parse, pp};
use skep_tests::tools::{Need, check};

use super::{Analysed, Disk, analyse, clang, options, scratch, skipped, vmlinux};

/// The body of a section of a 64-bit little-endian ELF file.
pub fn section(elf: &[u8], wanted: &str) -> Option<Vec<u8>> {
    let word = |at: usize| Some(u64::from_le_bytes(elf.get(at..at + 8)?.try_into().ok()?) as usize);
    let half = |at: usize| Some(usize::from(u16::from_le_bytes(elf.get(at..at + 2)?.try_into().ok()?)));
    let int = |at: usize| Some(u32::from_le_bytes(elf.get(at..at + 4)?.try_into().ok()?) as usize);
    let (headers, count, names) = (word(0x28)?, half(0x3c)?, half(0x3e)?);
    let names = word(headers + names * 64 + 0x18)?;
    for index in 0..count {
        let header = headers + index * 64;
        let name = elf.get(names + int(header)?..)?;
        if name.starts_with(wanted.as_bytes()) && name.get(wanted.len()) == Some(&0) {
            let (offset, size) = (word(header + 0x18)?, word(header + 0x20)?);
            return Some(elf.get(offset..offset + size)?.to_vec());
        }
    }
    None
}

/// The tags of records with a body in a file.
fn tags(options: &pp::Options, file: &str) -> Vec<(bool, String)> {
    let mut session = Session::new(&Disk, options.clone());
    let tokens = pp::preprocess(&mut session, file);
    let unit = parse::unit(&mut session, &tokens);
    let mut out = Vec::new();
    for entry in unit.file_tags.iter().filter(|entry| entry.body) {
        if let skep_syntax::ast::Tagged::Record(id) = entry.what {
            let union = unit.ast.record(id).kind == skep_syntax::ast::RecordKind::Union;
            out.push((union, session.names.name(entry.tag).to_owned()));
        }
    }
    out
}

/// A program that refers to every record of a header, or to every `step`th.
fn referring(header: &str, step: usize, options: &pp::Options, dir: &Path) -> std::path::PathBuf {
    let file = dir.join("all.c");
    std::fs::write(&file, format!("#include \"{header}\"\n")).expect("writable");
    let tags = tags(options, &file.display().to_string());
    let mut text = format!("#include \"{header}\"\n");
    for (index, (union, tag)) in tags.iter().enumerate().step_by(step) {
        let word = if *union { "union" } else { "struct" };
        let _ = writeln!(text, "{word} {tag} *pointer_{index};");
    }
    std::fs::write(&file, text).expect("writable");
    file
}

/// One member as both sides describe it.
type Member = (String, u64, Option<u32>);

fn ours(analysed: &Analysed<'_>) -> BTreeMap<(bool, String), (u64, Vec<Member>)> {
    let mut out = BTreeMap::new();
    let Module { types, .. } = &analysed.module;
    for record in &types.records {
        let (Some(tag), Some(body)) = (record.tag, &record.body) else { continue };
        let name = |symbol| analysed.session.names.name(symbol).to_owned();
        let members = body
            .fields
            .iter()
            .filter(|field| field.name.is_some() || field.bit_width.is_none())
            .map(|field| (field.name.map(name).unwrap_or_default(), field.bit_offset, field.bit_width))
            .collect();
        out.insert((record.kind == RecordKind::Union, name(tag)), (body.size, members));
    }
    out
}

fn theirs(btf: &Btf) -> BTreeMap<(bool, String), (u64, Vec<Member>)> {
    let mut out = BTreeMap::new();
    for id in btf.ids() {
        let (union, composite) = match btf.ty(id) {
            Some(btf::Type::Struct(composite)) => (false, composite),
            Some(btf::Type::Union(composite)) => (true, composite),
            _ => continue,
        };
        if composite.name.is_empty() {
            continue;
        }
        let members = composite
            .members
            .iter()
            .map(|m| (m.name.to_owned(), u64::from(m.bit_offset), m.bit_size.map(u32::from)))
            .collect();
        out.insert((union, composite.name.to_owned()), (u64::from(composite.size), members));
    }
    out
}

/// Compares all records of an object's BTF with ours; yields how many there were.
fn compare(options: &pp::Options, file: &Path, dir: &Path) -> usize {
    let object = dir.join("all.o");
    let out = clang(options, &["-c", "-o", &object.display().to_string()], file);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let elf = std::fs::read(&object).expect("clang wrote it");
    let btf = Btf::parse(section(&elf, ".BTF").expect("there is BTF")).expect("BTF is well formed");
    let analysed = analyse(options, &file.display().to_string());
    assert!(!analysed.session.diags.has_errors(), "{}", analysed.short());
    let (ours, theirs) = (ours(&analysed), theirs(&btf));
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (key, expected) in &theirs {
        // Which records are described is not decided by their layout: clang brings in more.
        let Some(found) = ours.get(key) else { continue };
        count += 1;
        if found != expected {
            wrong.push(format!("{key:?}:\n  ours  {found:?}\n  clang {expected:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        theirs.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
    count
}

/// Bit-fields too, which assertions cannot reach; clang takes long to describe all records.
#[test]
fn members_of_kernel_records_are_where_clang_puts_them() {
    if check(&[Need::Clang]).is_err() {
        return skipped("clang");
    }
    let Some(vmlinux) = vmlinux() else { return skipped("vmlinux.h") };
    let dir = scratch("kernel-members");
    let options = options(Some(&vmlinux));
    let file = referring("vmlinux.h", 16, &options, &dir);
    let count = compare(&options, &file, &dir);
    assert!(count > 1000, "only {count} records");
}

#[test]
fn members_of_small_records_are_where_clang_puts_them() {
    if check(&[Need::Clang]).is_err() {
        return skipped("clang");
    }
    let dir = scratch("small-members");
    let header = dir.join("small.h");
    std::fs::write(&header, include_str!("layouts.h")).expect("writable");
    let options = pp::Options { include_dirs: vec![dir.display().to_string()], ..options(None) };
    let file = referring("small.h", 1, &options, &dir);
    let count = compare(&options, &file, &dir);
    assert!(count > 40, "only {count} records");
}

/// Sizes, alignments and offsets as assertions that clang checks.
#[test]
fn clang_agrees_with_every_size_and_alignment() {
    if check(&[Need::Clang]).is_err() {
        return skipped("clang");
    }
    let Some(vmlinux) = vmlinux() else { return skipped("vmlinux.h") };
    let dir = scratch("assertions");
    std::fs::write(dir.join("layouts.h"), include_str!("layouts.h")).expect("writable");
    let mut options = options(Some(&vmlinux));
    options.include_dirs.push(dir.display().to_string());
    for header in ["vmlinux.h", "layouts.h"] {
        let file = referring(header, 1, &options, &dir);
        let analysed = analyse(&options, &file.display().to_string());
        assert!(!analysed.session.diags.has_errors(), "{}", analysed.short());
        let text = format!("#include \"{header}\"\n{}", assertions(&analysed));
        assert!(text.lines().count() > 100);
        let check = dir.join("check.c");
        std::fs::write(&check, text).expect("writable");
        let out = clang(&options, &["-fsyntax-only", "-ferror-limit=20"], &check);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
}

fn assertions(analysed: &Analysed<'_>) -> String {
    let types = &analysed.module.types;
    let mut text = String::new();
    for (index, record) in types.records.iter().enumerate() {
        let (Some(tag), Some(body)) = (record.tag, &record.body) else { continue };
        let word = if record.kind == RecordKind::Union { "union" } else { "struct" };
        let name = format!("{word} {}", analysed.session.names.name(tag));
        let _ = writeln!(text, "_Static_assert(sizeof({name}) == {}, \"size\");", body.size);
        let _ = writeln!(text, "_Static_assert(_Alignof({name}) == {}, \"alignment\");", body.align);
        let mut members = Vec::new();
        members_of(analysed, RecordId(index as u32), 0, &mut members);
        for (member, offset) in members {
            let _ = writeln!(
                text,
                "_Static_assert(__builtin_offsetof({name}, {member}) == {offset}, \"offset\");"
            );
        }
    }
    text
}

/// Named members that are no bit-fields, those of anonymous members too.
fn members_of(analysed: &Analysed<'_>, record: RecordId, base: u64, out: &mut Vec<(String, u64)>) {
    let types = &analysed.module.types;
    let Some(body) = &types.records[record.0 as usize].body else { return };
    for field in body.fields.iter().filter(|field| field.bit_width.is_none()) {
        let offset = base + field.bit_offset / 8;
        match field.name {
            Some(name) => out.push((analysed.session.names.name(name).to_owned(), offset)),
            None => {
                if let Some(inner) = types.record_of(field.ty) {
                    members_of(analysed, inner, offset, out);
                }
            }
        }
    }
}

#[test]
fn enums_have_the_types_that_clang_gives_them() {
    if check(&[Need::Clang]).is_err() {
        return skipped("clang");
    }
    let dir = scratch("enums");
    let file = dir.join("enums.c");
    let source = "
        enum a { A } va; enum b { B = -1 } vb; enum c { C = 0xffffffff } vc; enum d { D = 0x100000000 } vd;
        enum e { E = -1, E2 = 0x80000000 } ve; enum __attribute__((packed)) f { F = 255 } vf;
        enum g { G = -128, G2 = 127 } __attribute__((packed)) vg; enum h { H = 256 } __attribute__((packed)) vh;
        enum i { I = 0x7fffffffffffffff, I2 = -1 } vi; enum j { J = 0xffffffffffffffff } vj;
        enum k { K = 'a', K2, K3 = K + K2, K4 = sizeof(enum a) } vk;
    ";
    std::fs::write(&file, source).expect("writable");
    let analysed = analyse(&options(None), &file.display().to_string());
    assert!(!analysed.session.diags.has_errors(), "{}", analysed.short());
    let mut text = source.to_owned();
    let types = &analysed.module.types;
    for global in &analysed.module.globals {
        let Type::Enum(id) = *types.shape(global.ty) else { continue };
        let e = &types.enums[id.0 as usize];
        let layout = types.layout(global.ty).expect("enums are complete");
        let name = &global.name;
        let _ = writeln!(text, "_Static_assert(sizeof({name}) == {}, \"\");", layout.size);
        let signed = e.repr.expect("enums are complete").is_signed();
        let _ = writeln!(text, "_Static_assert(((__typeof__({name}))-1 < 0) == {}, \"\");", u8::from(signed));
        for &(constant, value) in &e.enumerators {
            let constant = analysed.session.names.name(constant);
            let suffix = if value > i128::from(i64::MAX) { "ull" } else { "ll" };
            let _ = writeln!(text, "_Static_assert({constant} == {value}{suffix}, \"\");");
        }
    }
    let check = dir.join("check.c");
    std::fs::write(&check, text).expect("writable");
    let out = clang(&options(None), &["-fsyntax-only"], &check);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}
