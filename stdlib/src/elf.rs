//! Numbers and names of BPF object files.
//!
//! What sections mean to loaders, and how relocations are applied (kernel document
//! `llvm_reloc`: `S` is the address of the symbol, `A` what the place holds before).

/// `e_machine` of BPF objects.
pub const EM_BPF: u16 = 247;

/// No relocation.
pub const R_BPF_NONE: u32 = 0;
/// The immediates of a 16-byte load: `S + A`.
pub const R_BPF_64_64: u32 = 1;
/// Eight bytes of data: `S + A`.
pub const R_BPF_64_ABS64: u32 = 2;
/// Four bytes of data: `S + A`.
pub const R_BPF_64_ABS32: u32 = 3;
/// Four bytes of `.BTF` or `.BTF.ext`, which loaders leave alone: `S + A`.
pub const R_BPF_64_NODYLD32: u32 = 4;
/// The immediate of a call: `(S + A) / 8 - 1`.
pub const R_BPF_64_32: u32 = 10;

/// The name of a relocation type.
pub const fn relocation_name(number: u32) -> Option<&'static str> {
    match number {
        R_BPF_NONE => Some("R_BPF_NONE"),
        R_BPF_64_64 => Some("R_BPF_64_64"),
        R_BPF_64_ABS64 => Some("R_BPF_64_ABS64"),
        R_BPF_64_ABS32 => Some("R_BPF_64_ABS32"),
        R_BPF_64_NODYLD32 => Some("R_BPF_64_NODYLD32"),
        R_BPF_64_32 => Some("R_BPF_64_32"),
        _ => None,
    }
}

/// Functions that programs call.
pub const TEXT: &str = ".text";
/// Declarations of maps by BTF.
pub const MAPS: &str = ".maps";
/// Declarations of maps as `struct bpf_map_def`: no longer loaded.
pub const LEGACY_MAPS: &str = "maps";
/// The license, a string.
pub const LICENSE: &str = "license";
/// A kernel version, which only old kernels check.
pub const VERSION: &str = "version";
/// Types.
pub const BTF: &str = ".BTF";
/// Functions, lines and CO-RE relocations.
pub const BTF_EXT: &str = ".BTF.ext";
/// Externs that the kernel's configuration resolves.
pub const KCONFIG: &str = ".kconfig";
/// Externs that the kernel's symbols resolve.
pub const KSYMS: &str = ".ksyms";
/// Kernel interfaces implemented by programs.
pub const STRUCT_OPS: &str = ".struct_ops";
/// The same, to be attached by a link.
pub const STRUCT_OPS_LINK: &str = ".struct_ops.link";
/// Variables in the arena.
pub const ARENA: &str = ".addr_space.1";

/// A section of global variables: the loader makes a map of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Data {
    /// Constants; the map is frozen.
    Rodata,
    /// Variables with initial values.
    Data,
    /// Variables that start as zero.
    Bss,
}

impl Data {
    /// What the section with this name is, if loaders make a map of it: `.data`, `.data.hot`.
    pub fn of(section: &str) -> Option<Data> {
        let is = |base: &str| {
            section.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if is(".rodata") {
            Some(Data::Rodata)
        } else if is(".data") {
            Some(Data::Data)
        } else if is(".bss") {
            Some(Data::Bss)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_sections() {
        assert_eq!(Data::of(".data.hot"), Some(Data::Data));
        assert_eq!(Data::of(".rodata.str1.1"), Some(Data::Rodata));
        assert_eq!(Data::of(".bss"), Some(Data::Bss));
        assert_eq!(Data::of(".database"), None);
        assert_eq!(Data::of("license"), None);
    }
}
