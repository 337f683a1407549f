//! Our objects beside clang's, for the kernel's selftests: CO-RE relocations, code of naked
//! functions, types.
//!
//! CI looks at every 20th program; `SKEP_FULL=1` at all of them, which wants a release build. Files
//! that clang does not compile with the headers of this machine do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use skep_compiler::{Compiled, Options, compile};
use skep_stdlib::btf::ext::Ext;
use skep_stdlib::btf::{Btf, Kind, Linkage, Type, TypeId};
use skep_syntax::Session;
use skep_tests::tools::{self, Need, check};

use super::corpus::programs;
use super::layout::section;
use super::{Disk, clang, scratch, selftests, skipped, vmlinux};

/// What consumers of an object read beside its code.
struct Facts {
    elf: Vec<u8>,
    btf: Btf,
    ext: Ext,
}

impl Facts {
    fn of(elf: Vec<u8>) -> Option<Facts> {
        let btf = Btf::parse(section(&elf, ".BTF")?).ok()?;
        let ext = section(&elf, ".BTF.ext").and_then(|bytes| Ext::parse(&bytes).ok()).unwrap_or_default();
        Some(Facts { elf, btf, ext })
    }

    /// Kind, type, access string of each CO-RE relocation.
    fn relocations(&self) -> BTreeSet<(u32, String, String)> {
        let records = self.ext.relos.iter().flat_map(|section| &section.records);
        records
            .map(|relo| {
                let access = self.btf.string(relo.access).unwrap_or_default().to_owned();
                (relo.kind as u32, describe(&self.btf, relo.ty, 1), access)
            })
            .collect()
    }

    /// The bytes of each function, up to where the next one starts.
    fn functions(&self) -> BTreeMap<String, Vec<u8>> {
        let mut functions = BTreeMap::new();
        for infos in &self.ext.funcs {
            let name = self.btf.string(infos.name).unwrap_or_default();
            let Some(code) = section(&self.elf, name) else { continue };
            let mut starts: Vec<(usize, TypeId)> =
                infos.records.iter().map(|info| (info.insn_off as usize, info.ty)).collect();
            starts.sort_unstable();
            for (index, &(start, ty)) in starts.iter().enumerate() {
                let end = starts.get(index + 1).map_or(code.len(), |next| next.0);
                let bytes = code.get(start..end).unwrap_or_default().to_vec();
                functions.insert(self.btf.name(ty).to_owned(), bytes);
            }
        }
        functions
    }

    /// Every type in words; types that have a name are named where others mention them. A record
    /// that is only declared is like one that is described: which of the two is a matter of what
    /// else is described.
    fn types(&self) -> BTreeSet<String> {
        let ids = self.btf.ids().filter(|&id| self.btf.kind(id) != Some(Kind::Fwd));
        ids.map(|id| describe(&self.btf, id, 0)).collect()
    }
}

/// A type in words that do not depend on ids.
fn describe(btf: &Btf, id: TypeId, depth: u32) -> String {
    let Some(ty) = btf.ty(id) else { return "void".into() };
    let kind = btf.kind(id).unwrap_or(Kind::Void);
    let name = btf.name(id);
    let word = match &ty {
        Type::Fwd { union: true, .. } => Kind::Union.name(),
        Type::Fwd { union: false, .. } => Kind::Struct.name(),
        _ => kind.name(),
    };
    if depth > 8 || depth > 0 && !name.is_empty() && kind != Kind::TypeTag {
        return format!("{word} {name}");
    }
    let text = match ty {
        // Clang numbers static variables of one name by what else is in the module, and lays them
        // out as it meets them.
        Type::Var { linkage: Linkage::Static, ty, .. } => format!("static {}", describe(btf, ty, 1)),
        Type::Datasec { name, vars, .. } => {
            let name_of = |var: TypeId| match btf.ty(var) {
                Some(Type::Var { linkage: Linkage::Static, .. }) => String::new(),
                _ => btf.name(var).to_owned(),
            };
            let mut vars: Vec<_> = vars.iter().map(|var| (name_of(var.ty), var.size)).collect();
            vars.sort_unstable();
            return format!("DATASEC {name} {vars:?}");
        }
        other => format!("{other:?}"),
    };
    let mut out = format!("{} ", kind.name());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("TypeId(") {
        let digits = after.find(')').unwrap_or(after.len());
        let target = after[..digits].parse().map(TypeId).unwrap_or_default();
        let _ = write!(out, "{before}<{}>", describe(btf, target, depth + 1));
        rest = after.get(digits + 1..).unwrap_or_default();
    }
    out + rest
}

/// What is counted over all files.
#[derive(Default, Debug)]
struct Count {
    files: usize,
    failed: Vec<String>,
    naked: usize,
    /// Files with the same functions, and those of them whose types differ.
    comparable: usize,
    types: Vec<String>,
    wrong: Vec<String>,
}

impl Count {
    fn look(&mut self, name: &str, compiled: &Compiled, session: &Session<'_>, theirs: &Facts, ours: &Facts) {
        let (t, o) = (theirs.relocations(), ours.relocations());
        let missing: Vec<_> = t.difference(&o).collect();
        // Clang also relocates the members that the initialiser of a local variable stores to.
        let known = ["crypto_bench.c", "crypto_sanity.c", "xdp_flowtable.c", "xfrm_info.c"].contains(&name);
        if !missing.is_empty() && !known {
            self.wrong.push(format!("{name}: relocations that we lack: {missing:?}"));
        }
        let (t, o) = (theirs.functions(), ours.functions());
        for function in compiled.hir.functions.iter().filter(|f| f.naked && f.body.is_some()) {
            let function = session.names.name(function.name);
            // A call of another function in the section depends on where that one is.
            if let (Some(t), Some(o)) = (t.get(function), o.get(function)) {
                self.naked += 1;
                if without_calls(t) != without_calls(o) {
                    self.wrong.push(format!("{name}: the code of `{function}`"));
                }
            }
        }
        if t.keys().eq(o.keys()) {
            self.comparable += 1;
            let (t, o) = (theirs.types(), ours.types());
            // Clang describes more records in full than needed, and what only its own constants are.
            let symbols = ["VAR ", "DATASEC ", "FUNC ", "DECL_TAG "];
            let less = t.difference(&o).find(|ty| {
                symbols.iter().any(|kind| ty.starts_with(kind))
                    && !(ty.starts_with("DATASEC") && ty.ends_with("[]"))
            });
            let more = o.difference(&t).next();
            if less.is_some() || more.is_some() {
                self.types.push(format!("{name}: {less:?} / {more:?}"));
            }
        }
    }
}

/// The code with blank distances of calls.
fn without_calls(code: &[u8]) -> Vec<u8> {
    let mut code = code.to_vec();
    for insn in code.chunks_exact_mut(8).filter(|insn| insn[..2] == [0x85, 0x10]) {
        insn[4..].fill(0);
    }
    code
}

#[test]
#[allow(clippy::print_stderr)]
fn selftests_are_as_from_clang() {
    if check(&[Need::Clang, Need::KernelTree, Need::Libbpf, Need::Stubs]).is_err() {
        return skipped("clang, kernel tree, libbpf or stubs");
    }
    let Some(vmlinux) = vmlinux() else { return skipped("vmlinux.h") };
    let (selftests, options) = selftests(&vmlinux);
    let object = scratch("objects").join("clang.o");
    let step = if tools::full() { 1 } else { 20 };
    let mut count = Count::default();
    for file in programs(&selftests.join("bpf/progs")).iter().step_by(step) {
        if clang(&options, &["-c", "-o", &object.display().to_string()], file).status.success() {
            compare(&mut count, &options, file, std::fs::read(&object).expect("clang wrote it"));
        }
    }
    eprintln!(
        "{} files, {} we do not compile, {} naked functions, {} of {} with other types",
        count.files,
        count.failed.len(),
        count.naked,
        count.types.len(),
        count.comparable
    );
    assert!(count.wrong.is_empty(), "{:#?}", count.wrong);
    assert!(count.failed.len() * 50 <= count.files, "not compiled: {:#?}", count.failed);
    assert!(count.types.len() * 50 <= count.comparable, "{:#?}", count.types);
}

fn compare(count: &mut Count, options: &skep_syntax::pp::Options, file: &Path, theirs: Vec<u8>) {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    count.files += 1;
    let mut session = Session::new(&Disk, options.clone());
    let back_end = Options { check: false, ..Options::default() };
    match compile(&mut session, &file.display().to_string(), &back_end, &mut |_, _| {}) {
        Ok(compiled) => {
            let facts = Facts::of(theirs).zip(Facts::of(compiled.object.clone()));
            if let Some((theirs, ours)) = facts {
                count.look(&name, &compiled, &session, &theirs, &ours);
            }
        }
        Err(_) => count.failed.push(name),
    }
}

#[test]
fn assembly_refers_to_symbols_by_name() {
    let source = "#define SEC(x) __attribute__((section(x), used))\n\
        extern int kf(int x) SEC(\".ksyms\");\n\
        extern const int CONFIG_HZ SEC(\".kconfig\");\n\
        int limit = 7;\n\
        SEC(\"tc\") long f(void *ctx) {\n\
            long a, b;\n\
            asm volatile(\"%0 = limit ll\" : \"=r\"(a));\n\
            asm volatile(\"%0 = CONFIG_HZ ll; %0 = *(u32 *)(%0 + 0)\" : \"=r\"(b));\n\
            asm volatile(\"call kf\" ::: \"r0\", \"r1\", \"r2\", \"r3\", \"r4\", \"r5\");\n\
            return a + b;\n\
        }\n";
    let mut files = skep_syntax::pp::MemoryFiles::new();
    files.add("x.c", source);
    let mut session = Session::new(&files, Default::default());
    let compiled =
        compile(&mut session, "x.c", &Options::default(), &mut |_, _| {}).expect("the program compiles");
    let function = compiled.code.functions.first().expect("there is one function");
    let symbols = function.relocs.iter().map(|reloc| compiled.ir.symbols[reloc.symbol].name.as_str());
    assert_eq!(symbols.collect::<Vec<_>>(), ["limit", "CONFIG_HZ", "kf"]);
}
