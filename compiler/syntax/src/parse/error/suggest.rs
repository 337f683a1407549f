//! What may have been meant by a name nobody declared.
//!
//! In: the name and the names that exist. Out: the header that declares it, or the nearest other name.

/// Types that headers define: (names, what to include).
const HEADERS: &[(&[&str], &str)] = &[
    (&["bool"], "`bool` needs `#include <stdbool.h>` or `vmlinux.h`"),
    (&["size_t", "ptrdiff_t", "wchar_t"], "`#include <stddef.h>` declares it"),
    (
        &[
            "int8_t",
            "int16_t",
            "int32_t",
            "int64_t",
            "uint8_t",
            "uint16_t",
            "uint32_t",
            "uint64_t",
            "intptr_t",
            "uintptr_t",
        ],
        "`#include <stdint.h>` declares it",
    ),
    (&["va_list"], "`#include <stdarg.h>` declares it"),
    (
        &[
            "__u8", "__u16", "__u32", "__u64", "__s8", "__s16", "__s32", "__s64", "__be16", "__be32",
            "__be64", "__le16", "__le32", "__le64", "__sum16", "__wsum",
        ],
        "`#include <linux/types.h>` or `vmlinux.h` declares it",
    ),
    (
        &[
            "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "pid_t", "atomic_t", "gfp_t", "sector_t",
            "dev_t",
        ],
        "`#include \"vmlinux.h\"` declares it",
    ),
];

/// Macros that headers define.
const MACROS: &[(&[&str], &str)] = &[
    (
        &[
            "SEC",
            "__uint",
            "__type",
            "__array",
            "__ulong",
            "__always_inline",
            "__noinline",
            "__weak",
            "__hidden",
            "__kconfig",
            "__ksym",
            "__kptr",
            "__percpu_kptr",
            "__arg_ctx",
            "__arg_nonnull",
            "barrier_var",
            "bpf_printk",
            "bpf_for",
            "bpf_repeat",
            "bpf_for_each",
        ],
        "bpf/bpf_helpers.h",
    ),
    (
        &[
            "BPF_PROG",
            "BPF_PROG2",
            "BPF_KPROBE",
            "BPF_KRETPROBE",
            "BPF_KSYSCALL",
            "BPF_KPROBE_SYSCALL",
            "BPF_UPROBE",
            "BPF_URETPROBE",
        ],
        "bpf/bpf_tracing.h",
    ),
    (&["BPF_USDT"], "bpf/usdt.bpf.h"),
];

/// The header that defines a well-known macro.
pub fn macro_header(name: &str) -> Option<&'static str> {
    MACROS.iter().find(|(names, _)| names.contains(&name)).map(|(_, header)| *header)
}

/// What to include for a well-known type.
pub fn header(name: &str) -> Option<String> {
    HEADERS.iter().find(|(names, _)| names.contains(&name)).map(|(_, help)| help.to_string())
}

/// The name most like `name`, if one is like it.
pub fn nearest<'a>(name: &str, others: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = if name.len() < 4 { 1 } else { 2 };
    let mut best: Option<(usize, &str)> = None;
    for other in others {
        if other == name || other.len().abs_diff(name.len()) > limit {
            continue;
        }
        let distance = distance(name.as_bytes(), other.as_bytes());
        // Of equals the first in the alphabet: the answer must not depend on the order of headers.
        if distance <= limit && best.is_none_or(|b| (distance, other) < b) {
            best = Some((distance, other));
        }
    }
    best.map(|(_, other)| other)
}

/// Whether the name is the word with one mistake: of a short one only in the order of its letters.
pub fn is_slip(name: &str, word: &str) -> bool {
    let sorted = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.sort_unstable();
        bytes
    };
    name.len().abs_diff(word.len()) <= 1
        && distance(name.as_bytes(), word.as_bytes()) == 1
        && (name.len() >= 4 || sorted(name) == sorted(word))
}

/// The number of insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(a: &[u8], b: &[u8]) -> usize {
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let at = |line: &[usize], n: usize| line.get(n).copied().unwrap_or(usize::MAX - 1);
            let mut best =
                (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            if i > 0 && j > 0 && a.get(i - 1) == Some(&y) && b.get(j - 1) == Some(&x) {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance(b"u32", b"u32"), 0);
        assert_eq!(distance(b"__u23", b"__u32"), 1);
        assert_eq!(distance(b"abc", b"abcd"), 1);
        assert_eq!(distance(b"", b"abc"), 3);
        assert_eq!(nearest("__u23", ["__u16", "__u32", "size_t"].into_iter()), Some("__u32"));
        assert_eq!(nearest("xyz", ["__u16", "__u32"].into_iter()), None);
    }
}
