//! Assembler directives: those that are about text, and those that put in data.
//!
//! In: assembler text. Out: the text with `.rept` repeated and `.ifc` decided, statement by
//! statement in the same lines; or, of a data directive, its bytes. Text without directives is not
//! touched.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::asm::{AsmError, AsmErrorKind};
use super::cursor::Cursor;

/// The longest text that repetition may make, each repetition counting for one byte more.
const MAX_TEXT: usize = 16 << 20;

/// How deep directives may be nested.
const MAX_DEPTH: usize = 32;

/// Data directives: name, bytes of each item.
const DATA: [(&str, usize); 9] = [
    (".byte", 1),
    (".short", 2),
    (".hword", 2),
    (".2byte", 2),
    (".long", 4),
    (".int", 4),
    (".4byte", 4),
    (".quad", 8),
    (".8byte", 8),
];

/// Bytes of the items of a data directive.
pub(super) fn data_size(word: &str) -> Option<usize> {
    DATA.iter().find(|(name, _)| *name == word).map(|&(_, size)| size)
}

/// Eight bytes that stand in place of an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Word {
    /// As a little-endian machine has them.
    pub little: [u8; 8],
    /// As a big-endian machine has them.
    pub big: [u8; 8],
}

/// A word that is put together from items.
#[derive(Default)]
pub(super) struct Pending {
    word: Word,
    /// How many bytes are there.
    len: usize,
}

impl Pending {
    /// Adds an item; yields the word that it completes.
    pub(super) fn push(&mut self, value: i128, size: usize) -> Result<Option<Word>, AsmErrorKind> {
        let bits = size as u32 * 8;
        let fits = (-(1i128 << (bits - 1))..1i128 << bits).contains(&value);
        let end = self.len + size;
        let places = (self.word.little.get_mut(self.len..end), self.word.big.get_mut(self.len..end));
        let ((Some(little), Some(big)), true) = (places, fits) else { return Err(AsmErrorKind::Range) };
        little.copy_from_slice(&value.to_le_bytes()[..size]);
        big.copy_from_slice(&value.to_be_bytes()[16 - size..]);
        self.len = end;
        if end < self.word.little.len() {
            return Ok(None);
        }
        Ok(Some(core::mem::take(self).word))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Does the distance of a jump come next?
    pub(super) fn is_at_distance(&self) -> bool {
        self.len == 2
    }
}

/// Carries out `.rept` and `.ifc`.
pub(super) fn expand(text: &str) -> Result<Cow<'_, str>, AsmError> {
    if !text.contains('.') || ![".rept", ".ifc", ".ifnc"].iter().any(|name| text.contains(name)) {
        return Ok(Cow::Borrowed(text));
    }
    let statements: Vec<&str> = text.split_inclusive(['\n', ';']).collect();
    let mut expansion = Expansion { out: String::new(), repeated: 0 };
    let error = |kind| AsmError { line: 1, column: 1, kind };
    expansion.block(&statements, 0).map_err(error)?;
    Ok(Cow::Owned(expansion.out))
}

/// The directive of a statement and its arguments.
fn directive(statement: &str) -> (&str, &str) {
    let text = statement.trim_end_matches([';', '\n']).trim();
    text.split_once(char::is_whitespace).unwrap_or((text, ""))
}

struct Expansion {
    out: String,
    repeated: usize,
}

impl Expansion {
    fn block(&mut self, statements: &[&str], depth: usize) -> Result<(), AsmErrorKind> {
        if depth > MAX_DEPTH {
            return Err(AsmErrorKind::Range);
        }
        let mut at = 0;
        while let Some(&statement) = statements.get(at) {
            let (name, args) = directive(statement);
            let (ends, count): (&[&str], usize) = match name {
                ".rept" => (&[".endr"], Cursor { text: args, at: 0 }.narrow()?),
                ".ifc" | ".ifnc" => {
                    let (left, right) = args.split_once(',').ok_or(AsmErrorKind::Expected("two strings"))?;
                    (&[".else", ".endif"], usize::from((left.trim() == right.trim()) == (name == ".ifc")))
                }
                _ => {
                    self.out.push_str(statement);
                    at += 1;
                    continue;
                }
            };
            let middle = end_of(statements, at + 1, ends)?;
            for _ in 0..count {
                self.block(&statements[at + 1..middle], depth + 1)?;
                self.repeated += 1;
                if self.out.len() + self.repeated > MAX_TEXT {
                    return Err(AsmErrorKind::Range);
                }
            }
            at = middle;
            if directive(statements[middle]).0 == ".else" {
                at = end_of(statements, middle + 1, &[".endif"])?;
                if count == 0 {
                    self.block(&statements[middle + 1..at], depth + 1)?;
                }
            }
            // The end keeps its line.
            if statements[at].ends_with('\n') {
                self.out.push('\n');
            }
            at += 1;
        }
        Ok(())
    }
}

/// The statement that ends what is open from `start` on.
fn end_of(statements: &[&str], start: usize, ends: &[&'static str]) -> Result<usize, AsmErrorKind> {
    let mut open = 0usize;
    for (at, &statement) in statements.iter().enumerate().skip(start) {
        let (name, _) = directive(statement);
        match name {
            _ if open == 0 && ends.contains(&name) => return Ok(at),
            ".rept" | ".ifc" | ".ifnc" => open += 1,
            ".endr" | ".endif" => open = open.checked_sub(1).ok_or(AsmErrorKind::Expected(ends[0]))?,
            _ => {}
        }
    }
    Err(AsmErrorKind::Expected(ends[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_repeated_and_chosen() {
        let text = "a\n.rept 2; b; .ifc x, x\nc\n.else\nd\n.endif; .endr\ne";
        assert_eq!(expand(text).unwrap().replace('\n', ";").replace(' ', ""), "a;b;c;b;c;;e");
        assert!(matches!(expand("no directives"), Ok(Cow::Borrowed(_))));
        assert!(expand(".rept 2").is_err() && expand(".ifc a").is_err());
        assert!(expand(".rept 99999999\nxxxxxxxx\n.endr").is_err());
        assert!(expand(&(".rept 99999999\n".repeat(9) + &".endr\n".repeat(9))).is_err());
        assert!(expand(&".rept 9\n".repeat(1000)).is_err());
    }

    #[test]
    fn items_become_words() {
        let mut pending = Pending::default();
        assert_eq!(pending.push(0xe5, 1), Ok(None));
        assert_eq!(pending.push(0, 1), Ok(None));
        assert_eq!(pending.push(-3, 2), Ok(None));
        let word = pending.push(1, 4).unwrap().unwrap();
        assert_eq!(word.little, [0xe5, 0, 0xfd, 0xff, 1, 0, 0, 0]);
        assert_eq!(word.big, [0xe5, 0, 0xff, 0xfd, 0, 0, 0, 1]);
        assert!(pending.is_empty() && pending.push(300, 1).is_err());
    }
}
