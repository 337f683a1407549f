//! Names: every identifier's spelling is stored once and named by a [`Symbol`].
//!
//! In: bytes. Out: a dense `u32`. The keywords of GNU C and the names the preprocessor knows are
//! seeded first, in the order of the tables below, so a comparison tells a keyword from a name.
//! Each symbol carries one *class* byte: the preprocessor owns the low three bits, the parser the rest.
//! Invariant: equal bytes, equal symbol; symbols are numbered in order of first sight.

use std::cell::Cell;

/// An interned spelling.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Symbol(pub u32);

impl Symbol {
    /// The empty spelling; also "no symbol".
    pub const EMPTY: Symbol = Symbol(0);

    /// Whether this is a keyword in every mode.
    pub fn is_keyword(self) -> bool {
        self.0 != 0 && self.0 < N_KEYWORDS
    }

    /// Whether this is a keyword from C23 on only (`bool`, `true`, `nullptr`, ...).
    pub fn is_c23_keyword(self) -> bool {
        (N_KEYWORDS..N_KEYWORDS_C23).contains(&self.0)
    }
}

macro_rules! symbols {
    ($($module:ident, $count:ident, $about:literal: { $($name:ident $text:literal)* })*) => {
        symbols!(@count [1] $($module $count $about { $($name $text)* })*);
        /// All seeded spellings; the index is the symbol.
        const SEEDS: &[&str] = &["", $($($text,)*)*];
    };
    (@count [$start:expr]) => {};
    (@count [$start:expr] $module:ident $count:ident $about:literal { $($name:ident $text:literal)* } $($rest:tt)*) => {
        #[doc = $about]
        #[allow(missing_docs)]
        pub mod $module {
            use super::Symbol;
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            #[repr(u32)]
            enum Index { $($name,)* End }
            pub(super) const END: u32 = $start + Index::End as u32;
            $(pub const $name: Symbol = Symbol($start + Index::$name as u32);)*
        }
        /// One past the last symbol of that table.
        pub const $count: u32 = $module::END;
        symbols!(@count [super::$count] $($rest)*);
    };
}

symbols! {
kw, N_KEYWORDS, "Keywords of GNU C17 with all alternative spellings.": {
    AUTO "auto" BREAK "break" CASE "case" CHAR "char" CONST "const" CONTINUE "continue" DEFAULT "default"
    DO "do" DOUBLE "double" ELSE "else" ENUM "enum" EXTERN "extern" FLOAT "float" FOR "for" GOTO "goto"
    IF "if" INLINE "inline" INT "int" LONG "long" REGISTER "register" RESTRICT "restrict" RETURN "return"
    SHORT "short" SIGNED "signed" SIZEOF "sizeof" STATIC "static" STRUCT "struct" SWITCH "switch"
    TYPEDEF "typedef" UNION "union" UNSIGNED "unsigned" VOID "void" VOLATILE "volatile" WHILE "while"
    ALIGNAS_ "_Alignas" ALIGNOF_ "_Alignof" ATOMIC_ "_Atomic" BOOL_ "_Bool" COMPLEX_ "_Complex"
    GENERIC_ "_Generic" IMAGINARY_ "_Imaginary" NORETURN_ "_Noreturn" STATIC_ASSERT_ "_Static_assert"
    THREAD_LOCAL_ "_Thread_local" FLOAT16_ "_Float16" BITINT_ "_BitInt" EXTINT_ "_ExtInt"
    ASM "asm" ASM_ "__asm" ASM__ "__asm__" TYPEOF "typeof" TYPEOF_ "__typeof" TYPEOF__ "__typeof__"
    TYPEOF_UNQUAL_ "__typeof_unqual" TYPEOF_UNQUAL__ "__typeof_unqual__"
    ALIGNOF__ "__alignof" ALIGNOF___ "__alignof__" ATTRIBUTE_ "__attribute" ATTRIBUTE__ "__attribute__"
    COMPLEX__ "__complex" COMPLEX___ "__complex__" CONST_ "__const" CONST__ "__const__"
    EXTENSION__ "__extension__" IMAG_ "__imag" IMAG__ "__imag__" REAL_ "__real" REAL__ "__real__"
    INLINE_ "__inline" INLINE__ "__inline__" INT128 "__int128" LABEL__ "__label__"
    RESTRICT_ "__restrict" RESTRICT__ "__restrict__" SIGNED_ "__signed" SIGNED__ "__signed__"
    THREAD_ "__thread" VOLATILE_ "__volatile" VOLATILE__ "__volatile__" AUTO_TYPE "__auto_type"
    FLOAT128_ "__float128"
    BUILTIN_VA_ARG "__builtin_va_arg" BUILTIN_OFFSETOF "__builtin_offsetof"
    BUILTIN_TYPES_COMPATIBLE_P "__builtin_types_compatible_p" BUILTIN_CHOOSE_EXPR "__builtin_choose_expr"
}
kw23, N_KEYWORDS_C23, "Keywords from C23 on; plain names before.": {
    ALIGNAS "alignas" ALIGNOF "alignof" BOOL "bool" CONSTEXPR "constexpr" FALSE "false" NULLPTR "nullptr"
    STATIC_ASSERT "static_assert" THREAD_LOCAL "thread_local" TRUE "true" TYPEOF_UNQUAL "typeof_unqual"
}
sym, N_SEEDED, "Names the preprocessor knows.": {
    DEFINE "define" UNDEF "undef" INCLUDE "include" INCLUDE_NEXT "include_next" IFDEF "ifdef"
    IFNDEF "ifndef" ELIF "elif" ELIFDEF "elifdef" ELIFNDEF "elifndef" ENDIF "endif" ERROR "error"
    WARNING "warning" LINE "line" PRAGMA "pragma" IDENT "ident" SCCS "sccs" IMPORT "import" EMBED "embed"
    DEFINED "defined" VA_ARGS "__VA_ARGS__" VA_OPT "__VA_OPT__"
    M_LINE "__LINE__" M_FILE "__FILE__" M_FILE_NAME "__FILE_NAME__" M_BASE_FILE "__BASE_FILE__"
    M_INCLUDE_LEVEL "__INCLUDE_LEVEL__" M_COUNTER "__COUNTER__" M_DATE "__DATE__" M_TIME "__TIME__"
    M_TIMESTAMP "__TIMESTAMP__" M_PRAGMA "_Pragma"
    HAS_INCLUDE "__has_include" HAS_INCLUDE_NEXT "__has_include_next" HAS_ATTRIBUTE "__has_attribute"
    HAS_BUILTIN "__has_builtin" HAS_CONSTEXPR_BUILTIN "__has_constexpr_builtin" HAS_FEATURE "__has_feature"
    HAS_EXTENSION "__has_extension" HAS_WARNING "__has_warning" HAS_C_ATTRIBUTE "__has_c_attribute" HAS_DECLSPEC_ATTRIBUTE "__has_declspec_attribute"
    IS_IDENTIFIER "__is_identifier" BUILDING_MODULE "__building_module"
    IS_TARGET_ARCH "__is_target_arch" IS_TARGET_VENDOR "__is_target_vendor" IS_TARGET_OS "__is_target_os"
    IS_TARGET_ENVIRONMENT "__is_target_environment" HAS_EMBED "__has_embed"
    ONCE "once" PUSH_MACRO "push_macro" POP_MACRO "pop_macro" GCC "GCC" CLANG "clang" STDC "STDC"
    ATTRIBUTE "attribute" PUSH "push" POP "pop" PACK "pack" UNROLL "unroll" NOUNROLL "nounroll" LOOP "loop"
    UNROLL_COUNT "unroll_count" ENABLE "enable" DISABLE "disable" FULL "full" DIAGNOSTIC "diagnostic" IGNORED "ignored"
    FATAL "fatal"
    SYSTEM_HEADER "system_header" POISON "poison" DEPENDENCY "dependency" MESSAGE "message"
    APPLY_TO "apply_to"
}
}

/// Class bits.
pub mod class {
    /// The symbol is defined as a macro (or is a built-in one).
    pub const MACRO: u8 = 1;
    /// The symbol was poisoned by `#pragma GCC poison`.
    pub const POISONED: u8 = 2;
    /// Bits the preprocessor never touches.
    pub const PARSER: u8 = 0xf8;
}

#[derive(Clone, Copy)]
struct Entry {
    hash: u32,
    /// The symbol; 0 marks a free slot (the empty spelling is never looked up here).
    id: u32,
}

const FREE: Entry = Entry { hash: 0, id: 0 };

/// The table of all spellings of one compilation.
pub struct Interner {
    table: Vec<Entry>,
    text: Vec<u8>,
    names: Vec<(u32, u32)>,
    class: Vec<Cell<u8>>,
}

impl Default for Interner {
    fn default() -> Interner {
        Interner::new()
    }
}

impl Interner {
    /// A table holding the seeded names.
    pub fn new() -> Interner {
        let mut it = Interner {
            table: vec![FREE; 1 << 12],
            text: Vec::with_capacity(1 << 15),
            names: Vec::with_capacity(1 << 11),
            class: Vec::with_capacity(1 << 11),
        };
        it.names.push((0, 0));
        it.class.push(Cell::new(0));
        for text in SEEDS.iter().skip(1) {
            it.intern(text.as_bytes());
        }
        it
    }

    /// Prepares for about `names` more names.
    pub fn reserve(&mut self, names: usize) {
        self.names.reserve(names);
        self.class.reserve(names);
        self.text.reserve(names * 20);
        let want = ((self.names.len() + names) * 2).next_power_of_two();
        if want > self.table.len() {
            self.grow(want);
        }
    }

    /// The symbol of `text`.
    pub fn intern(&mut self, text: &[u8]) -> Symbol {
        self.intern_at(text, 0, text.len(), hash(text, 0, text.len()))
    }

    /// The symbol of `text[at..at + len]`, whose hash is known.
    pub(crate) fn intern_at(&mut self, text: &[u8], at: usize, len: usize, hash: u32) -> Symbol {
        let mask = self.table.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let Some(&e) = self.table.get(slot) else { return Symbol::EMPTY };
            if e.id == 0 {
                return self.insert(text, at, len, hash, slot);
            }
            if e.hash == hash && self.same(e.id, text, at, len) {
                return Symbol(e.id);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Loads what a lookup of `hash` will need, so that the misses of many lookups overlap.
    #[inline]
    pub(crate) fn touch(&self, hash: u32) -> u32 {
        self.table.get(hash as usize & (self.table.len() - 1)).map_or(0, |e| e.id)
    }

    /// Whether the spelling of `id` is `text[at..at + len]`; a word at a time, as spellings are padded.
    #[inline]
    fn same(&self, id: u32, text: &[u8], at: usize, len: usize) -> bool {
        let Some(&(off, _)) = self.names.get(id as usize).filter(|(_, own)| *own as usize == len) else {
            return false;
        };
        let (mut len, mut off, mut at) = (len, off as usize, at);
        while len > 8 {
            if word(text, at) != word(&self.text, off) {
                return false;
            }
            (len, off, at) = (len - 8, off + 8, at + 8);
        }
        tail(text, at, len) == word(&self.text, off)
    }

    fn insert(&mut self, text: &[u8], at: usize, len: usize, hash: u32, slot: usize) -> Symbol {
        if len == 0 {
            return Symbol::EMPTY;
        }
        let id = self.names.len() as u32;
        let (off, end) = (self.text.len() as u32, at + len);
        for at in (at..end).step_by(8) {
            self.text.extend_from_slice(&tail(text, at, (end - at).min(8)).to_le_bytes());
        }
        self.names.push((off, len as u32));
        self.class.push(Cell::new(0));
        if let Some(slot) = self.table.get_mut(slot) {
            *slot = Entry { hash, id };
        }
        if self.names.len() * 2 > self.table.len() {
            self.grow(self.table.len() * 2);
        }
        Symbol(id)
    }

    fn grow(&mut self, size: usize) {
        let mask = size - 1;
        let mut table = vec![FREE; size];
        for e in self.table.iter().filter(|e| e.id != 0) {
            let mut at = e.hash as usize & mask;
            while table.get(at).is_some_and(|t| t.id != 0) {
                at = (at + 1) & mask;
            }
            if let Some(slot) = table.get_mut(at) {
                *slot = *e;
            }
        }
        self.table = table;
    }

    /// The symbol of `text` if it was seen before.
    pub fn lookup(&self, text: &[u8]) -> Option<Symbol> {
        self.lookup_at(text, 0, text.len(), hash(text, 0, text.len()))
    }

    /// The symbol of `text[at..at + len]`, whose hash is known, if it was seen before.
    pub(crate) fn lookup_at(&self, text: &[u8], at: usize, len: usize, hash: u32) -> Option<Symbol> {
        let mask = self.table.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let e = self.table.get(slot)?;
            if e.id == 0 {
                return None;
            }
            if e.hash == hash && self.same(e.id, text, at, len) {
                return Some(Symbol(e.id));
            }
            slot = (slot + 1) & mask;
        }
    }

    fn bytes(&self, off: u32, len: u32) -> &[u8] {
        self.text.get(off as usize..off as usize + len as usize).unwrap_or(&[])
    }

    /// The spelling of a symbol, byte for byte.
    pub fn text(&self, sym: Symbol) -> &[u8] {
        let &(off, len) = self.names.get(sym.0 as usize).unwrap_or(&(0, 0));
        self.bytes(off, len)
    }

    /// The spelling of a symbol for people; bytes that are not UTF-8 make it `?`.
    pub fn name(&self, sym: Symbol) -> &str {
        std::str::from_utf8(self.text(sym)).unwrap_or("?")
    }

    /// The class byte of a symbol.
    #[inline]
    pub fn class(&self, sym: Symbol) -> u8 {
        self.class.get(sym.0 as usize).map_or(0, Cell::get)
    }

    /// Replaces the class bits in `mask` by `bits`.
    pub fn set_class(&self, sym: Symbol, mask: u8, bits: u8) {
        if let Some(c) = self.class.get(sym.0 as usize) {
            c.set((c.get() & !mask) | (bits & mask));
        }
    }

    /// Number of symbols.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Never true: the seeded names are always there.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// Eight bytes from `at` as a number; zeros where the text has ended.
#[inline]
fn word(text: &[u8], at: usize) -> u64 {
    match text.get(at..).and_then(|b| b.first_chunk()) {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => end_word(text, at),
    }
}

/// As [`word`] where the text has fewer than eight bytes left: its first four and its last four.
fn end_word(text: &[u8], at: usize) -> u64 {
    let rest = text.get(at..).unwrap_or(&[]);
    match (rest.first_chunk(), rest.last_chunk()) {
        (Some(first), Some(last)) => {
            let [first, last] = [first, last].map(|four| u64::from(u32::from_le_bytes(*four)));
            first | last << (8 * (rest.len() - 4))
        }
        _ => rest.iter().rev().fold(0, |acc, b| (acc << 8) | u64::from(*b)),
    }
}

/// The next `len` bytes from `at` as a number, one to eight.
#[inline]
fn tail(text: &[u8], at: usize, len: usize) -> u64 {
    word(text, at) & (u64::MAX >> (64 - 8 * len.clamp(1, 8)))
}

/// The hash of `text[at..at + len]`: folded multiplication, a word at a time.
#[inline]
pub(crate) fn hash(text: &[u8], at: usize, len: usize) -> u32 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |a: u64, b: u64| {
        let wide = u128::from(a) * u128::from(b);
        (wide as u64) ^ ((wide >> 64) as u64)
    };
    let mut h = (len as u64) ^ 0x2d35_8dcc_aa6c_78a5;
    let (mut at, mut len) = (at, len);
    while len > 8 {
        h = fold(h ^ word(text, at), K);
        (at, len) = (at + 8, len - 8);
    }
    h = fold(h ^ tail(text, at, len), K);
    (h ^ (h >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_have_the_numbers_their_constants_say() {
        let mut it = Interner::new();
        assert_eq!(it.intern(b"auto"), kw::AUTO);
        assert_eq!(it.intern(b"alignas"), kw23::ALIGNAS);
        assert_eq!(it.intern(b"define"), sym::DEFINE);
        assert_eq!(it.intern(b"apply_to"), sym::APPLY_TO);
        assert_eq!(it.len() as u32, N_SEEDED);
        assert!(
            kw::BUILTIN_CHOOSE_EXPR.is_keyword() && !kw23::BOOL.is_keyword() && kw23::BOOL.is_c23_keyword()
        );
        assert!(!sym::DEFINE.is_keyword() && !Symbol::EMPTY.is_keyword());
        assert_eq!(it.intern(b""), Symbol::EMPTY);
    }

    #[test]
    fn padding_does_not_confuse() {
        let mut it = Interner::new();
        let names: &[&[u8]] = &[b"a", b"a\0", b"abcdefgh", b"abcdefgh\0", b"abcdefghi", b"bcdefghi"];
        let ids: Vec<_> = names.iter().map(|n| it.intern(n)).collect();
        for (i, (id, name)) in ids.iter().zip(names).enumerate() {
            assert_eq!(it.text(*id), *name);
            assert_eq!(it.lookup(name), Some(*id));
            assert!(!ids[..i].contains(id));
        }
        let text = b"xxabcdefghiyy";
        assert_eq!(it.intern_at(text, 2, 9, hash(text, 2, 9)), ids[4]);
        let text = b"a_name_of_many_bytes_and_more";
        for len in 1..=20 {
            let (own, cut) = (it.intern_at(text, 2, len, hash(text, 2, len)), &text[2..2 + len]);
            assert_eq!((it.lookup(cut), it.text(own)), (Some(own), cut));
        }
    }

    #[test]
    fn growing_keeps_symbols() {
        let mut it = Interner::new();
        let ids: Vec<_> = (0..5000).map(|i| it.intern(format!("name_{i}").as_bytes())).collect();
        for (i, id) in ids.iter().enumerate() {
            assert_eq!(it.lookup(format!("name_{i}").as_bytes()), Some(*id));
            assert_eq!(it.name(*id), format!("name_{i}"));
        }
        it.set_class(ids[3], class::MACRO, class::MACRO);
        assert_eq!((it.class(ids[3]), it.class(ids[4])), (1, 0));
    }
}
