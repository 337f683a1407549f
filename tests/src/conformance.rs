//! Conformance cases: a program, its memory, and the r0 that it must leave.
//!
//! In: the text of a case in the format of the public suite, or hexadecimal bytes. Out: images of one
//! program whose context is the memory. [`image`] enters the program itself with r1 = memory and
//! r2 = length, as engines of ours do it; [`called`] calls it from a program that a verifier accepts
//! and that keeps all of r0, of which the kernel reports one half.

use std::collections::BTreeMap;

use skep_runtime::Image;
use skep_runtime::object::Code;
use skep_stdlib::isa::{Insn, asm};

/// What a case must come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// This value of r0.
    Result(u64),
    /// A fault whose message contains this.
    Fault(String),
}

/// A case.
#[derive(Clone, PartialEq, Debug)]
pub struct Case {
    /// The program.
    pub insns: Vec<Insn>,
    /// Its memory.
    pub memory: Vec<u8>,
    /// What must come out.
    pub wanted: Wanted,
    /// Part of what the kernel says when it refuses the program: a line `# kernel: ...` in front.
    pub refused: Option<String>,
}

/// Starts the line that says why the kernel refuses a program.
const REFUSED: &str = "# kernel: ";

/// Reads a case: sections `-- asm`, `-- mem`, and `-- result` or `-- error`.
pub fn parse(text: &str) -> Result<Case, String> {
    let mut sections: BTreeMap<&str, String> = BTreeMap::new();
    let mut name = None;
    let mut refused = None;
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("-- ") {
            let title = title.trim();
            if !["asm", "mem", "result", "error"].contains(&title) {
                return Err(format!("no section is called `{title}`"));
            }
            if sections.insert(title, String::new()).is_some() {
                return Err(format!("there are two sections `{title}`"));
            }
            name = Some(title);
        } else if let Some(section) = name.and_then(|name| sections.get_mut(name)) {
            section.push_str(line);
            section.push('\n');
        } else if let Some(why) = line.strip_prefix(REFUSED) {
            refused = Some(why.trim().to_owned());
        }
    }
    let asm = sections.get("asm").ok_or("there is no section `asm`")?;
    let wanted = match (sections.get("result"), sections.get("error")) {
        (Some(result), None) => Wanted::Result(number(result.trim())?),
        (None, Some(error)) => Wanted::Fault(error.trim().to_owned()),
        (Some(_), Some(_)) | (None, None) => return Err("one of `result` and `error` is needed".into()),
    };
    Ok(Case {
        insns: asm::assemble(asm).map_err(|error| format!("asm:{error}"))?,
        memory: hex(sections.get("mem").map_or("", String::as_str))?,
        wanted,
        refused,
    })
}

fn number(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").ok_or("a result begins with `0x`")?;
    u64::from_str_radix(digits, 16).map_err(|_| format!("`{text}` is not a number of 64 bits"))
}

/// The bytes that hexadecimal digits stand for; white space may stand anywhere.
pub fn hex(text: &str) -> Result<Vec<u8>, String> {
    let digit = |c: char| c.to_digit(16).ok_or_else(|| format!("`{}` is not a hex digit", c.escape_debug()));
    let mut bytes = Vec::new();
    let mut high = None;
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        let value = digit(c)? as u8;
        match high.take() {
            Some(first) => bytes.push(first << 4 | value),
            None => high = Some(value),
        }
    }
    match high {
        None => Ok(bytes),
        Some(_) => Err("the number of hex digits is odd".into()),
    }
}

/// An image of one program, which may do with its context whatever it likes.
pub fn image(insns: impl IntoIterator<Item = Insn>) -> Image {
    Image::bare("syscall", Code::new(insns)).expect("there are such programs")
}

/// Where [`called`] leaves r0: after the memory.
pub fn place_of_result(memory: &[u8]) -> usize {
    memory.len().next_multiple_of(8)
}

/// The context of [`called`]: the memory and room for r0.
pub fn with_room(memory: &[u8]) -> Vec<u8> {
    let mut context = memory.to_vec();
    context.resize(place_of_result(memory) + 8, 0);
    context
}

/// The result of [`called`] in the context that it leaves.
pub fn result_in(context: &[u8], memory: &[u8]) -> Option<u64> {
    context.get(place_of_result(memory)..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// An image whose program calls this one and stores what it returns.
pub fn called(insns: &[Insn], memory: &[u8]) -> Result<Image, String> {
    let (length, place) = (memory.len(), place_of_result(memory));
    let caller = format!("r6 = r1; r2 = {length}; call pc+3; *(u64 *)(r6 + {place}) = r0; r0 = 0; exit");
    let caller = asm::assemble(&caller).map_err(|_| format!("{length} bytes of memory are too many"))?;
    Ok(image(caller.into_iter().chain(insns.iter().copied())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_read() {
        let case = parse("# kernel: no\n-- asm\nr0 = 1\nexit\n-- mem\n0a 0B\n0c\n-- result\n0x1\n").unwrap();
        assert_eq!((case.insns.len(), case.memory), (2, vec![10, 11, 12]));
        assert_eq!((case.wanted, case.refused.as_deref()), (Wanted::Result(1), Some("no")));
        let case = parse("-- asm\nexit\n-- error\nbudget\n").unwrap();
        assert_eq!(case.wanted, Wanted::Fault("budget".into()));
    }

    #[test]
    fn mistakes_are_named() {
        let mistakes = [
            ("-- asm\nexit\n", "one of `result` and `error` is needed"),
            ("-- asm\nexit\n-- resutl\n0x1\n", "no section is called `resutl`"),
            ("-- asm\nexit\n-- mem\n0\n-- result\n0x1\n", "the number of hex digits is odd"),
            ("-- asm\nexit\n-- mem\n0g\n-- result\n0x1\n", "`g` is not a hex digit"),
            ("-- asm\nexit\n-- result\n1\n", "a result begins with `0x`"),
        ];
        for (text, wanted) in mistakes {
            assert_eq!(parse(text).unwrap_err(), wanted);
        }
    }
}
