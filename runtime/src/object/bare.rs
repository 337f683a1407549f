//! Programs without an object file: bare instructions become an [`Image`] of one program.
//!
//! There are no symbols, so a function begins wherever one is called or has its address taken.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

use skep_stdlib::ByteOrder;
use skep_stdlib::isa::{CallTarget, Imm64, Insn};
use skep_stdlib::programs::sections;

use super::{Code, Function, Image, Program};

/// What the entry function and the program are called.
const ENTRY: &str = "main";

impl Image {
    /// One program `main` of these instructions, as if it stood in a section of that name: `xdp`,
    /// `fentry/FUNCTION`. It has no maps, no types and a licence that every helper is content with. None if
    /// no kind of program has such a section.
    pub fn bare(section: &str, code: Code) -> Option<Image> {
        let found = sections::find(section)?;
        let program = Program {
            name: ENTRY.to_owned(),
            section: section.to_owned(),
            ty: found.section.ty,
            attach: found.section.attach,
            target: found.target.map(ToOwned::to_owned),
            implements: None,
            sleepable: found.section.sleepable,
            optional: found.optional,
            functions: Function::called(&code, section),
            code,
            handlers: Vec::new(),
            lines: Vec::new(),
        };
        Some(Image {
            order: ByteOrder::Little,
            programs: Vec::from([program]),
            maps: Vec::new(),
            btf: None,
            target_btf: None,
            kfuncs: BTreeMap::new(),
            ksyms: BTreeMap::new(),
            license: "GPL".to_owned(),
            kernel_version: None,
        })
    }
}

impl Function {
    /// The functions of code without symbols, in a section of this name: one begins at the start, and
    /// wherever one is called or has its address taken.
    pub fn called(code: &Code, section: &str) -> Vec<Function> {
        let named = code.iter().filter_map(|(slot, insn)| match insn {
            Insn::Call(CallTarget::Local(distance))
            | Insn::LoadImm64 { value: Imm64::Func(distance), .. } => {
                u32::try_from(i64::from(slot) + 1 + i64::from(*distance)).ok()
            }
            _ => None,
        });
        let mut starts: BTreeSet<u32> = named.filter(|&start| start < code.len()).collect();
        starts.insert(0);
        let ends = starts.iter().copied().skip(1).chain([code.len()]);
        let function = |(&start, end): (&u32, u32)| Function {
            name: if start == 0 { ENTRY.to_owned() } else { format!("f{start}") },
            start,
            end,
            btf_func: None,
            global: start == 0,
            origin: (section.to_owned(), start),
        };
        starts.iter().zip(ends).map(function).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_begins_where_one_is_called() {
        let call = Insn::Call(CallTarget::Local(1));
        let image = Image::bare("fentry/f", Code::new([call, Insn::Exit, Insn::Exit])).unwrap();
        let program = &image.programs[0];
        let spans: Vec<_> = program.functions.iter().map(|f| (f.name.as_str(), f.start, f.end)).collect();
        assert_eq!(spans, [("main", 0, 2), ("f2", 2, 3)]);
        assert_eq!(program.target.as_deref(), Some("f"));
        assert!(Image::bare("no such section", Code::default()).is_none());
    }
}
