//! Text to instructions.
//!
//! In: pseudo-C as [`Insn`] displays it (and clang's assembler reads it), one instruction a line
//! or separated by `;`, with `name:` labels, numbered labels (`1:`, reached as `1b` and `1f`) and
//! comments. Out: instructions, or the place of the first mistake. Every printed instruction parses
//! back to itself.
//!
//! ```text
//! if r1 == 0 goto out          =>  Branch { cond: Eq, off: 1, .. }
//! r0 = *(u8 *)(r1 + 13)        =>  Load { size: B, off: 13, .. }
//! out: exit                    =>  Exit
//! ```

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::cursor::{Cursor, immediate};
use super::directives::{self, Pending};
use super::*;

pub use super::directives::Word;

/// A mistake in assembler text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AsmError {
    /// Line, counted from 1.
    pub line: u32,
    /// Byte in the line, counted from 1.
    pub column: u32,
    /// What is wrong there.
    pub kind: AsmErrorKind,
}

/// What is wrong with assembler text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AsmErrorKind {
    /// Something else was needed here.
    Expected(&'static str),
    /// A number that does not fit its field.
    Range,
    /// A jump to a label that is not there.
    UnknownLabel(String),
    /// Two labels of one name.
    DuplicateLabel(String),
    /// Operands that no opcode combines.
    NoSuchOperation,
}

impl fmt::Display for AsmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.kind)
    }
}

impl fmt::Display for AsmErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AsmErrorKind::Expected(what) => write!(f, "expected {what}"),
            AsmErrorKind::Range => f.write_str("number does not fit its field"),
            AsmErrorKind::UnknownLabel(name) => write!(f, "unknown label `{name}`"),
            AsmErrorKind::DuplicateLabel(name) => write!(f, "label `{name}` is already defined"),
            AsmErrorKind::NoSuchOperation => f.write_str("no opcode has these operands"),
        }
    }
}

impl core::error::Error for AsmError {}

/// Parses one instruction of pseudo-C; jump distances are numbers.
pub fn parse(text: &str) -> Result<Insn, AsmError> {
    let mut insns = assemble(text)?.into_iter();
    match (insns.next(), insns.next()) {
        (Some(insn), None) => Ok(insn),
        _ => Err(AsmError { line: 1, column: 1, kind: AsmErrorKind::Expected("one instruction") }),
    }
}

/// Assembles a program in pseudo-C.
pub fn assemble(text: &str) -> Result<Vec<Insn>, AsmError> {
    run(text, ";", statement)?.without_symbols()
}

/// Assembles pseudo-C that may name symbols from elsewhere, as the assembler text of a C function
/// does: `r1 = counters ll` and `call helper_function`.
///
/// Labels that are not in the text are left to the caller too, and data directives put in words that
/// need not be instructions.
pub fn assemble_symbolic(text: &str) -> Result<Symbolic, AsmError> {
    let text = without_comments(text);
    let text = directives::expand(&text)?;
    run(&text, ";", statement)
}

/// The text with spaces for `/* */`.
fn without_comments(text: &str) -> Cow<'_, str> {
    if !text.contains('/') {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once("/*") {
        out.push_str(before);
        let (comment, after) = inside.split_once("*/").unwrap_or((inside, ""));
        out.push(' ');
        out.extend(comment.chars().filter(|&c| c == '\n'));
        rest = after;
    }
    out.push_str(rest);
    out.into()
}

/// Instructions with places that a linker fills in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Symbolic {
    /// The instructions. A load of a symbol holds what is added to its address, a call holds -1.
    pub insns: Vec<Insn>,
    /// Where symbols are used, by instruction.
    pub uses: Vec<SymbolUse>,
    /// Jumps to labels that are not in the text, by instruction; their distances are blank.
    pub jumps: Vec<SymbolUse>,
    /// Words that stand in place of an instruction, by instruction. There, [`Symbolic::insns`] holds
    /// an `exit`.
    pub words: Vec<(usize, Word)>,
}

/// The use of a symbol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SymbolUse {
    /// Index of the instruction.
    pub insn: usize,
    /// The name.
    pub name: String,
    /// Line of the text, counted from 1.
    pub line: u32,
    /// Byte in the line, counted from 1.
    pub column: u32,
}

impl Symbolic {
    /// The instructions, if they need no linker.
    pub(super) fn without_symbols(self) -> Result<Vec<Insn>, AsmError> {
        if let Some(SymbolUse { name, line, column, .. }) = self.jumps.into_iter().chain(self.uses).next() {
            return Err(AsmError { line, column, kind: AsmErrorKind::UnknownLabel(name) });
        }
        if !self.words.is_empty() {
            return Err(AsmError { line: 1, column: 1, kind: AsmErrorKind::Expected("instructions only") });
        }
        Ok(self.insns)
    }
}

pub(super) type Parsed<T> = Result<T, AsmErrorKind>;

/// Where a jump or call goes.
pub(super) enum Target<'a> {
    Distance(i32),
    Label(&'a str),
    /// The address of something outside of the text.
    Symbol(&'a str),
}

/// A parsed statement: the instruction with its distance blank, and the distance.
pub(super) type Statement<'a> = (Insn, Option<Target<'a>>);

/// A label used by an instruction, to be filled in when all labels are known.
struct Fixup<'a> {
    insn: usize,
    /// The instruction's first slot; distances count from the one after it.
    slot: usize,
    label: &'a str,
    line: u32,
    column: u32,
}

/// Splits text into statements, parses each with `statement`, and resolves labels.
pub(super) fn run<'a>(
    text: &'a str,
    separator: &str,
    statement: fn(&mut Cursor<'a>) -> Parsed<Statement<'a>>,
) -> Result<Symbolic, AsmError> {
    let mut insns = Vec::new();
    let (mut uses, mut jumps, mut words) = (Vec::new(), Vec::new(), Vec::new());
    let mut labels = Labels::default();
    let mut fixups = Vec::new();
    let mut pending = Pending::default();
    let mut slot = 0;
    for (number, line) in (1..).zip(text.lines()) {
        let code = [line.find('#').filter(|&at| is_comment(line, at)), slashes(line)];
        let code = &line[..code.into_iter().flatten().min().unwrap_or(line.len())];
        let mut cursor = Cursor { text: code, at: 0 };
        loop {
            let error =
                |cursor: &Cursor<'_>, kind| AsmError { line: number, column: cursor.at as u32 + 1, kind };
            if cursor.is_at_end() {
                break;
            }
            if !separator.is_empty() && cursor.eat(separator) {
                continue;
            }
            if let Some(label) = cursor.label() {
                if !labels.insert(label, slot) {
                    return Err(error(&cursor, AsmErrorKind::DuplicateLabel(label.into())));
                }
                continue;
            }
            if let Some(size) = cursor.data_directive() {
                loop {
                    let column = cursor.at as u32 + 1;
                    let item = item(&mut cursor, &pending, &labels, slot);
                    let value = item.map_err(|kind| error(&cursor, kind))?.unwrap_or_else(|label| {
                        fixups.push(Fixup { insn: insns.len(), slot, label, line: number, column });
                        0
                    });
                    let word = pending.push(value, size).map_err(|kind| error(&cursor, kind))?;
                    if let Some(word) = word {
                        // With a distance it is an instruction, whose bytes are known when that is.
                        if fixups.last().is_some_and(|fixup| fixup.insn == insns.len()) {
                            let insn = jump(&word).ok_or(AsmErrorKind::NoSuchOperation);
                            insns.push(insn.map_err(|kind| error(&cursor, kind))?);
                        } else {
                            words.push((insns.len(), word));
                            insns.push(Insn::Exit);
                        }
                        slot += 1;
                    }
                    if !cursor.eat(",") {
                        break;
                    }
                }
                continue;
            }
            if !pending.is_empty() {
                return Err(error(&cursor, AsmErrorKind::Expected("data up to 8 bytes")));
            }
            let parsed = statement(&mut cursor).map_err(|kind| error(&cursor, kind))?;
            let (mut insn, target) = parsed;
            slot += insn.slots();
            match target {
                Some(Target::Distance(distance)) => {
                    set_distance(&mut insn, distance).ok_or_else(|| error(&cursor, AsmErrorKind::Range))?
                }
                Some(Target::Symbol(name)) => uses.push(SymbolUse {
                    insn: insns.len(),
                    name: name.into(),
                    line: number,
                    column: cursor.at as u32 + 1,
                }),
                Some(Target::Label(label)) => fixups.push(Fixup {
                    insn: insns.len(),
                    slot: slot - insn.slots(),
                    label,
                    line: number,
                    column: cursor.at as u32 + 1,
                }),
                None => {}
            }
            if insn.row().is_none() {
                return Err(error(&cursor, AsmErrorKind::NoSuchOperation));
            }
            insns.push(insn);
            if !cursor.is_at_end() && (separator.is_empty() || !cursor.eat(separator)) {
                return Err(error(&cursor, AsmErrorKind::Expected("end of line")));
            }
        }
    }
    resolve(fixups, &labels, &mut insns, &mut uses, &mut jumps)?;
    uses.sort_by_key(|symbol| symbol.insn);
    Ok(Symbolic { insns, uses, jumps, words })
}

/// Fills in the distances to labels; those that are not in the text are left to the caller.
fn resolve(
    fixups: Vec<Fixup<'_>>,
    labels: &Labels<'_>,
    insns: &mut [Insn],
    uses: &mut Vec<SymbolUse>,
    jumps: &mut Vec<SymbolUse>,
) -> Result<(), AsmError> {
    for fixup in fixups {
        let Fixup { insn, slot: from, label, line, column } = fixup;
        let Some(at) = insns.get_mut(insn) else { continue };
        let Some(slot) = labels.find(label, from) else {
            let place = SymbolUse { insn, name: label.into(), line, column };
            match at {
                Insn::Call(target) => {
                    *target = CallTarget::Local(-1);
                    uses.push(place);
                }
                _ => jumps.push(place),
            }
            continue;
        };
        let distance = i32::try_from(slot as i64 - from as i64 - 1).ok();
        let set = distance.and_then(|distance| set_distance(at, distance));
        set.ok_or(AsmError { line, column, kind: AsmErrorKind::Range })?;
    }
    Ok(())
}

/// The jump that a word is, if it is one.
fn jump(word: &Word) -> Option<Insn> {
    let (mut insn, _) = decode(&word.little, crate::ByteOrder::Little).ok()?;
    set_distance(&mut insn, 0).map(|()| insn)
}

/// An item of data. Where a jump has its distance it may be spelled as one, from the instruction to a label.
fn item<'a>(
    c: &mut Cursor<'a>,
    pending: &Pending,
    labels: &Labels<'a>,
    slot: usize,
) -> Parsed<Result<i128, &'a str>> {
    let distance = if pending.is_at_distance() { c.distance() } else { None };
    match distance {
        Some((to, from)) if labels.find(from, slot) == Some(slot) => Ok(Err(to)),
        Some(_) => Err(AsmErrorKind::Expected("a distance from this instruction")),
        None => Ok(Ok(c.number()?)),
    }
}

/// Slots of labels by name. Those whose names are numbers may be defined again.
#[derive(Default)]
struct Labels<'a>(BTreeMap<&'a str, Vec<usize>>);

impl<'a> Labels<'a> {
    /// Defines a label; `false` if it is there already.
    fn insert(&mut self, name: &'a str, slot: usize) -> bool {
        let slots = self.0.entry(name).or_default();
        slots.push(slot);
        slots.len() == 1 || name.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// The slot that a name means in the instruction at `from`.
    fn find(&self, name: &str, from: usize) -> Option<usize> {
        if let Some(slots) = self.0.get(name) {
            return slots.first().copied();
        }
        if let Some(slots) = name.strip_suffix('b').and_then(|number| self.0.get(number)) {
            return slots.iter().rev().copied().find(|&slot| slot <= from);
        }
        let slots = name.strip_suffix('f').and_then(|number| self.0.get(number))?;
        slots.iter().copied().find(|&slot| slot > from)
    }
}

/// Where a comment after slashes starts.
fn slashes(line: &str) -> Option<usize> {
    line.match_indices('/').map(|(at, _)| at).find(|at| line[at + 1..].starts_with('/'))
}

/// `kfunc#5` and `name#1` are not comments.
fn is_comment(line: &str, at: usize) -> bool {
    !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
}

/// Fills in where a jump or a local call goes.
fn set_distance(insn: &mut Insn, distance: i32) -> Option<()> {
    match insn {
        Insn::Jump { off, long } => {
            *off = if *long { distance } else { i16::try_from(distance).ok()?.into() };
        }
        Insn::Branch { off, .. } | Insn::MayGoto { off } => *off = distance.try_into().ok()?,
        Insn::Call(CallTarget::Local(off)) => *off = distance,
        Insn::LoadImm64 { value: Imm64::Func(off), .. } => *off = distance,
        _ => return None,
    }
    Some(())
}

fn statement<'a>(c: &mut Cursor<'a>) -> Parsed<Statement<'a>> {
    let plain = |insn| Ok((insn, None));
    if c.eat("*") {
        return plain(store(c)?);
    }
    if let Some((width, dst)) = c.try_reg() {
        return match assignment_operator(c) {
            Some(Some(op)) => plain(Insn::Alu { width, op, dst, src: c.operand(width)? }),
            Some(None) => assignment(c, width, dst),
            None => Err(AsmErrorKind::Expected("an assignment operator")),
        };
    }
    let start = c.at;
    match c.word() {
        "exit" => plain(Insn::Exit),
        "goto" => Ok((Insn::Jump { off: 0, long: false }, Some(c.target()?))),
        "gotol" => Ok((Insn::Jump { off: 0, long: true }, Some(c.target()?))),
        "may_goto" => Ok((Insn::MayGoto { off: 0 }, Some(c.target()?))),
        "if" => branch(c),
        "call" => call(c),
        "callx" => plain(Insn::Call(CallTarget::Reg(c.reg(Width::W64)?))),
        "lock" => plain(lock(c)?),
        "store_release" => {
            c.expect("(")?;
            let (size, base, off) = c.address()?;
            c.expect(",")?;
            let (_, src) = c.try_reg().ok_or(AsmErrorKind::Expected("a register"))?;
            c.expect(")")?;
            plain(Insn::StoreRelease { size, base, off, src })
        }
        _ => {
            c.at = start;
            Err(AsmErrorKind::Expected("an instruction"))
        }
    }
}

/// The operator after a destination; `None` inside is plain `=`.
fn assignment_operator(c: &mut Cursor<'_>) -> Option<Option<AluOp>> {
    if c.eat("=") {
        return Some(None);
    }
    ALU_OPS.iter().find(|desc| c.eat(desc.symbol)).map(|desc| Some(desc.op))
}

fn branch<'a>(c: &mut Cursor<'a>) -> Parsed<Statement<'a>> {
    let (width, dst) = c.try_reg().ok_or(AsmErrorKind::Expected("a register"))?;
    // The longest operator that matches: `s>=` before `s>`.
    c.skip_spaces();
    let rest = c.rest();
    let found = CONDS.iter().filter(|desc| rest.starts_with(desc.symbol));
    let desc = found.max_by_key(|desc| desc.symbol.len());
    let desc = desc.ok_or(AsmErrorKind::Expected("a comparison"))?;
    c.at += desc.symbol.len();
    let src = c.operand(width)?;
    if !c.eat_word("goto") {
        return Err(AsmErrorKind::Expected("`goto`"));
    }
    let target = c.target()?;
    Ok((Insn::Branch { width, cond: desc.cond, dst, src, off: 0 }, Some(target)))
}

fn call<'a>(c: &mut Cursor<'a>) -> Parsed<Statement<'a>> {
    if let Ok(number) = c.narrow() {
        return Ok((Insn::Call(CallTarget::Helper(number)), None));
    }
    let local = Insn::Call(CallTarget::Local(0));
    match c.word() {
        "pc" => Ok((local, Some(c.target()?))),
        "kfunc" => {
            c.expect("#")?;
            let id = c.narrow()?;
            let module = if c.eat(":") { c.narrow()? } else { 0 };
            Ok((Insn::Call(CallTarget::Kfunc { id, module }), None))
        }
        "" => Err(AsmErrorKind::Expected("a function")),
        // The name before a helper's number is for the reader.
        _ if c.eat("#") => Ok((Insn::Call(CallTarget::Helper(c.narrow()?)), None)),
        label => Ok((local, Some(Target::Label(label)))),
    }
}

fn store(c: &mut Cursor<'_>) -> Parsed<Insn> {
    let (size, base, off) = c.address()?;
    c.expect("=")?;
    let src = match c.try_reg() {
        Some((Width::W32, _)) if size == Size::DW => {
            return Err(AsmErrorKind::Expected("an `r` register"));
        }
        Some((_, reg)) => Operand::Reg(reg),
        None => Operand::Imm(c.imm()?),
    };
    Ok(Insn::Store { size, base, off, src })
}

fn lock(c: &mut Cursor<'_>) -> Parsed<Insn> {
    c.expect("*")?;
    let (size, base, off) = c.address()?;
    let desc = ATOMICS.iter().find(|desc| desc.symbol.ends_with('=') && c.eat(desc.symbol));
    let op = desc.ok_or(AsmErrorKind::Expected("`+=`, `|=`, `&=` or `^=`"))?.op;
    let (_, src) = c.try_reg().ok_or(AsmErrorKind::Expected("a register"))?;
    Ok(Insn::Atomic { size, op, base, off, src })
}

/// What follows `dst =`.
fn assignment<'a>(c: &mut Cursor<'a>, width: Width, dst: Reg) -> Parsed<Statement<'a>> {
    let plain = |insn| Ok((insn, None));
    let start = c.at;
    if c.eat("-") {
        if let Some((found, reg)) = c.try_reg() {
            return if (found, reg) == (width, dst) {
                plain(Insn::Neg { width, dst })
            } else {
                Err(AsmErrorKind::Expected("the destination register"))
            };
        }
        c.at = start;
    }
    if c.eat("(") {
        let bits = match c.word() {
            "s8" => 8,
            "s16" => 16,
            "s32" => 32,
            _ => 0,
        };
        if bits != 0 {
            c.expect(")")?;
            return plain(Insn::MovSx { width, bits, dst, src: c.reg(width)? });
        }
        c.at = start;
    }
    if c.eat("*") {
        return plain(load(c, width, dst)?);
    }
    if let Some((found, src)) = c.try_reg() {
        return if found == width {
            plain(Insn::Mov { width, dst, src: Operand::Reg(src) })
        } else {
            Err(AsmErrorKind::Expected("a register of the same width"))
        };
    }
    match c.number() {
        Ok(value) if c.eat_word("ll") => {
            let value = if value < 0 {
                i64::try_from(value).ok().map(|v| v as u64)
            } else {
                u64::try_from(value).ok()
            };
            let value = Imm64::Const(value.ok_or(AsmErrorKind::Range)?);
            return plain(Insn::LoadImm64 { dst, value });
        }
        Ok(value) => return plain(Insn::Mov { width, dst, src: Operand::Imm(immediate(value)?) }),
        Err(AsmErrorKind::Range) => return Err(AsmErrorKind::Range),
        Err(_) => c.at = start,
    }
    let word = c.word();
    if let Some(insn) = swap(c, word, dst)? {
        return plain(insn);
    }
    match word {
        "map" | "btf_id" | "subprog" if c.rest().starts_with('[') => imm64(c, word, dst),
        _ if word.is_empty() || c.rest().starts_with('(') => plain(function(c, word, dst)?),
        _ => {
            // `symbol ll`, `symbol + 8 ll`.
            let addend = c.offset()?;
            if !c.eat_word("ll") {
                return Err(AsmErrorKind::Expected("a value"));
            }
            let value = Imm64::Const(i64::from(addend) as u64);
            Ok((Insn::LoadImm64 { dst, value }, Some(Target::Symbol(word))))
        }
    }
}

fn load(c: &mut Cursor<'_>, width: Width, dst: Reg) -> Parsed<Insn> {
    c.expect("(")?;
    let (signed, size) = c.access()?;
    if c.eat_word("skb") {
        if dst != Reg::R0 || signed {
            return Err(AsmErrorKind::NoSuchOperation);
        }
        c.expect("[")?;
        let insn = match c.try_reg() {
            Some((_, src)) => Insn::LoadInd { size, src, imm: c.offset()? },
            None => Insn::LoadAbs { size, imm: c.imm()? },
        };
        c.expect("]")?;
        return Ok(insn);
    }
    if width == Width::W32 && (signed || size == Size::DW) {
        return Err(AsmErrorKind::NoSuchOperation);
    }
    c.expect("(")?;
    let (base, off) = c.place()?;
    c.expect(")")?;
    Ok(Insn::Load { size, signed, dst, base, off })
}

/// `be16 r1`, where the operand repeats the destination.
fn swap(c: &mut Cursor<'_>, word: &str, dst: Reg) -> Parsed<Option<Insn>> {
    for kind in [Endian::ToLe, Endian::ToBe, Endian::Bswap] {
        let bits = word.strip_prefix(kind.symbol()).and_then(|bits| bits.parse().ok());
        let Some(bits) = bits else { continue };
        if c.reg(Width::W64)? != dst {
            return Err(AsmErrorKind::Expected("the destination register"));
        }
        return Ok(Some(Insn::Swap { kind, bits, dst }));
    }
    Ok(None)
}

/// `map[fd:3][0]+16`, `btf_id[7:2]`, `subprog[+5]`.
fn imm64<'a>(c: &mut Cursor<'a>, word: &str, dst: Reg) -> Parsed<Statement<'a>> {
    c.expect("[")?;
    let mut target = None;
    let value = match word {
        "subprog" => {
            target = Some(c.target()?);
            c.expect("]")?;
            Imm64::Func(0)
        }
        "btf_id" => {
            let id = c.narrow()?;
            let module = if c.eat(":") { c.narrow()? } else { 0 };
            c.expect("]")?;
            Imm64::BtfId { id, module }
        }
        _ => {
            let by_index = match c.word() {
                "fd" => false,
                "idx" => true,
                _ => return Err(AsmErrorKind::Expected("`fd` or `idx`")),
            };
            c.expect(":")?;
            let number = c.narrow()?;
            c.expect("]")?;
            let offset = if c.eat("[0]") { Some(c.narrow()?) } else { None };
            match (by_index, offset) {
                (false, None) => Imm64::MapFd(number),
                (false, Some(offset)) => Imm64::MapValue { fd: number, offset },
                (true, None) => Imm64::MapIdx(number),
                (true, Some(offset)) => Imm64::MapIdxValue { index: number, offset },
            }
        }
    };
    Ok((Insn::LoadImm64 { dst, value }, target))
}

/// `atomic_fetch_add((u64 *)(r1 + 0), r2)` and the other operations written as functions.
fn function(c: &mut Cursor<'_>, word: &str, dst: Reg) -> Parsed<Insn> {
    c.expect("(")?;
    let any_reg =
        |c: &mut Cursor<'_>| c.try_reg().map(|(_, reg)| reg).ok_or(AsmErrorKind::Expected("a register"));
    let insn = if word == "load_acquire" {
        let (size, base, off) = c.address()?;
        Insn::LoadAcquire { size, dst, base, off }
    } else if word == "addr_space_cast" {
        let src = c.reg(Width::W64)?;
        c.expect(",")?;
        let to: u16 = c.narrow()?;
        c.expect(",")?;
        let from: u16 = c.narrow()?;
        Insn::AddrSpaceCast { dst, src, spaces: (u32::from(to) << 16 | u32::from(from)) as i32 }
    } else if let Some(desc) = ATOMICS.iter().find(|desc| desc.symbol == word) {
        let (size, base, off) = c.address()?;
        c.expect(",")?;
        let src = any_reg(c)?;
        if src != dst {
            return Err(AsmErrorKind::Expected("the destination register"));
        }
        Insn::Atomic { size, op: desc.op, base, off, src }
    } else {
        let (op, size) = match word {
            "xchg_64" => (AtomicOp::Xchg, Size::DW),
            "xchg32_32" => (AtomicOp::Xchg, Size::W),
            "cmpxchg_64" => (AtomicOp::CmpXchg, Size::DW),
            "cmpxchg32_32" => (AtomicOp::CmpXchg, Size::W),
            _ => return Err(AsmErrorKind::Expected("a value")),
        };
        let (base, off) = c.place()?;
        c.expect(",")?;
        let mut src = any_reg(c)?;
        if src != dst {
            return Err(AsmErrorKind::Expected("the destination register"));
        }
        if op == AtomicOp::CmpXchg {
            c.expect(",")?;
            src = any_reg(c)?;
        }
        Insn::Atomic { size, op, base, off, src }
    };
    c.expect(")")?;
    Ok(insn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn labels_count_slots() {
        let text =
            "start: r1 = 1 ll; if r1 == 0 goto out # over\n r0 = *(u8 *)(r1+13)\ngoto start\nout:\nexit";
        let insns = assemble(text).unwrap();
        assert!(matches!(insns[1], Insn::Branch { off: 2, .. }));
        assert_eq!(insns[3], Insn::Jump { off: -5, long: false });
        // A distance counts from the slot after the first, of two slots too.
        let insns = assemble("r1 = subprog[f]; exit; f: exit").unwrap();
        assert_eq!(insns[0], Insn::LoadImm64 { dst: Reg::R1, value: Imm64::Func(2) });
    }

    #[test]
    fn symbols_are_left_to_the_linker() {
        let text = "r1 = counters + 8 ll\ncall lookup\ncall here\nhere: exit";
        let Symbolic { insns, uses, .. } = assemble_symbolic(text).unwrap();
        let names: Vec<_> = uses.iter().map(|u| (u.insn, u.name.as_str())).collect();
        assert_eq!(names, [(0, "counters"), (1, "lookup")]);
        assert_eq!(insns[0], Insn::LoadImm64 { dst: Reg::R1, value: Imm64::Const(8) });
        assert_eq!(insns[1], Insn::Call(CallTarget::Local(-1)));
        assert_eq!(insns[2], Insn::Call(CallTarget::Local(0)));
        let error = assemble(text).unwrap_err();
        assert_eq!(error.kind, AsmErrorKind::UnknownLabel("counters".into()));
    }

    #[test]
    fn a_word_with_a_distance_is_a_jump() {
        let before = "r0 = 0; 1:.byte 0xe5; .byte 0; ";
        for distance in ["((out - 1b - 8) / 8) & 0xffff", "(((out - 1b - 8) / 8) & 0xffff) << 16"] {
            let text = format!("{before}.long {distance}; .short 0; r0 = 1; out: exit");
            let Symbolic { insns, jumps, words, .. } = assemble_symbolic(&text).unwrap();
            assert_eq!((&insns[1], jumps.len(), words.len()), (&Insn::MayGoto { off: 1 }, 0, 0));
            let outside = assemble_symbolic(&text.replace("out:", "")).unwrap();
            assert_eq!((outside.jumps[0].insn, outside.jumps[0].name.as_str()), (1, "out"));
        }
        for wrong in [
            "r0 = 0; 1: r0 = 1; .byte 0xe5; .byte 0; .long ((out - 1b - 8) / 8) & 0xffff; .short 0; out: exit",
            "1:.byte 0x95; .byte 0; .long ((out - 1b - 8) / 8) & 0xffff; .short 0; out: exit",
            "1:.byte 0xe5; .byte 0; .long ((out - 1b) / 8) & 0xffff; .short 0; out: exit",
            "1:.byte 0xe5; .long ((out - 1b - 8) / 8) & 0xffff; .short 0; out: exit",
        ] {
            assert!(assemble_symbolic(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_assembly_in_c_needs() {
        let text = "1: r1 = (2 + 3) * -4 << 1 /* a\n comment */ ; .8byte 0x1234\n\
                    if r1 == ~1 goto 1b; goto 1f; 1: may_goto out; *(u8 *)(r10 - 8 + 4) = 1";
        let Symbolic { insns, jumps, words, .. } = assemble_symbolic(text).unwrap();
        assert_eq!(insns[0], Insn::Mov { width: Width::W64, dst: Reg::R1, src: Operand::Imm(-40) });
        assert_eq!((words[0].0, words[0].1.little), (1, 0x1234u64.to_le_bytes()));
        assert!(matches!(insns[2], Insn::Branch { src: Operand::Imm(-2), off: -3, .. }));
        assert!(matches!(insns[3], Insn::Jump { off: 0, .. }));
        assert_eq!((jumps[0].insn, jumps[0].name.as_str()), (4, "out"));
        assert!(matches!(insns[5], Insn::Store { off: -4, .. }));
    }

    #[test]
    fn mistakes_have_places() {
        let error = |text| assemble(text).unwrap_err();
        assert_eq!(error("exit\n r1 = r12").line, 2);
        assert_eq!(error("goto nowhere").kind, AsmErrorKind::UnknownLabel("nowhere".into()));
        assert_eq!(error("r1 = 1 / 0").kind, AsmErrorKind::Range);
        let deep = "r1 = ".to_string() + &"(".repeat(100_000);
        assert!(assemble(&deep).is_err());
        assert_eq!(error("r1 = be7 r1").kind, AsmErrorKind::NoSuchOperation);
        assert_eq!(error("goto +40000").kind, AsmErrorKind::Range);
        assert_eq!(error("a: a: exit").kind, AsmErrorKind::DuplicateLabel("a".into()));
        assert_eq!(error("exit exit").kind, AsmErrorKind::Expected("end of line"));
    }
}
