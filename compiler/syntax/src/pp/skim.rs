//! Where the declarations of a header begin and end, and which names they declare, without lexing them.
//!
//! In: the text of a file and a place at file level. Out: an [`Outline`], or the next directive.
//! A header declares thousands of things of which a program uses a few. This reads just enough of each to
//! know whether it will be needed: heads word by word, bodies bracket by bracket.
//! Invariant: what is not understood is called `odd`, and then read like any other text; so nothing here
//! has to be right about strange declarations, only about plain ones.

use std::ops::Range;

use crate::intern;

/// What stands next at file level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Nothing.
    End,
    /// The `#` of a directive.
    Directive(usize),
    /// The first byte of a declaration; whether only white space stands before it on its line.
    Declaration(usize, bool),
}

/// Which of C's name spaces a name is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Space {
    Ordinary,
    Tag,
}

/// A name and the hash of its spelling.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) space: Space,
    pub(super) range: Range<usize>,
    pub(super) hash: u32,
}

/// The storage class specifier of a declaration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Storage {
    #[default]
    None,
    Typedef,
    Extern,
    Static,
}

/// The bracket a cut declaration stands in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Open {
    bracket: u8,
    depth: u32,
}

/// A declaration seen from outside.
#[derive(Default, Debug)]
pub(super) struct Outline {
    /// Behind its last byte, or where a directive (or the end of the file) cuts it.
    pub(super) end: usize,
    /// It is cut; the brackets that are open there.
    pub(super) cut: Option<Option<Open>>,
    /// Not understood.
    pub(super) odd: bool,
    /// The names it declares.
    pub(super) names: Vec<Name>,
    /// Other identifiers outside brackets: type names, and macros.
    pub(super) others: Vec<Range<usize>>,
    /// What stands between the brackets of its attributes.
    pub(super) attributes: Vec<Range<usize>>,
    pub(super) storage: Storage,
    /// How many names it declares as a declarator does, not as a body does.
    pub(super) declarators: u32,
    /// It has parameters.
    pub(super) function: bool,
    /// Its declarator is a pointer in parentheses.
    pub(super) pointer: bool,
    /// It has a function body.
    pub(super) body: bool,
    /// It has an initialiser.
    pub(super) init: bool,
}

impl Outline {
    fn clear(&mut self) {
        self.names.clear();
        self.others.clear();
        self.attributes.clear();
        let names = std::mem::take(&mut self.names);
        let others = std::mem::take(&mut self.others);
        let attributes = std::mem::take(&mut self.attributes);
        *self = Outline { names, others, attributes, ..Outline::default() };
    }
}

/// What follows `at`, white space and comments aside. A declaration that was `cut` there was cut by a directive.
pub(super) fn next(text: &[u8], at: usize, cut: bool) -> Next {
    let mut reader = Reader { text, at, bol: cut || starts_line(text, at), spliced: false };
    match reader.peek() {
        None => Next::End,
        Some(b'#') if reader.bol => Next::Directive(reader.at),
        Some(_) => Next::Declaration(reader.at, reader.bol),
    }
}

/// The next line from `at` on that is a directive: where its `#` is. For text that is being skipped.
pub(super) fn next_directive(text: &[u8], at: usize) -> Option<usize> {
    let mut reader = Reader { text, at, bol: starts_line(text, at), spliced: false };
    loop {
        match reader.peek()? {
            b'#' if reader.bol => return Some(reader.at),
            quote @ (b'"' | b'\'') => reader.literal(quote),
            _ => reader.at += 1,
        }
        reader.bol = false;
    }
}

/// Behind the end of the logical line that `at` is in: splices and comments join lines.
pub(super) fn line_end(text: &[u8], at: usize) -> usize {
    let mut at = at;
    loop {
        let rest = text.get(at..).unwrap_or(&[]);
        // Quotes matter only where one of these may stand between them.
        let Some(n) = memchr::memchr3(b'\n', b'\\', b'/', rest) else { return text.len() };
        if rest.get(n) == Some(&b'\n') {
            return at + n + 1;
        }
        let before = rest.get(..n).unwrap_or(&[]);
        at = match memchr::memchr2(b'"', b'\'', before) {
            Some(quote) => literal_end(text, at + quote, before.get(quote).copied().unwrap_or(b'"')),
            None if rest.get(n) == Some(&b'/') => comment_end(text, at + n).unwrap_or(at + n + 1),
            None => at + n + splice_len(text, at + n).max(1),
        };
    }
}

/// The name that the directive with its `#` at `at` defines, if it is a `#define` without any tricks.
pub(super) fn defined_name(text: &[u8], at: usize) -> Option<Range<usize>> {
    let blanks = |mut at: usize| {
        while matches!(text.get(at), Some(b' ' | b'\t')) {
            at += 1;
        }
        at
    };
    let word = blanks(at + 1);
    if text.get(word..word + 6) != Some(b"define") {
        return None;
    }
    let start = blanks(word + 6);
    let end = start + word_len(text, start);
    let plain = start > word + 6 && end > start;
    (plain && matches!(text.get(end), Some(b' ' | b'\t' | b'\n' | b'(') | None)).then_some(start..end)
}

/// If a `#define` as most are starts at `at`: the name it defines, and where the next line begins. It stands
/// at the start of its line, and a blank stands before the name.
pub(super) fn plain_define(text: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
    let rest = text.get(at..)?.strip_prefix(b"#define ")?;
    if !starts_line(text, at) {
        return None;
    }
    let start = text.len() - rest.len();
    let name = start..start + word_len(text, start);
    let behind = text.get(name.end..)?;
    if name.is_empty() || !matches!(behind.first(), Some(b' ' | b'\t' | b'\n' | b'(')) {
        return None;
    }
    let stop = name.end + behind.iter().position(|b| LINE[usize::from(*b)])?;
    let end = if text.get(stop) == Some(&b'\n') { stop + 1 } else { line_end(text, name.end) };
    Some((name, end))
}

/// Outlines the declaration that starts at `at`.
pub(super) fn outline(text: &[u8], at: usize, out: &mut Outline) {
    out.clear();
    let reader = Reader { text, at, bol: false, spliced: false };
    Scan { reader, out, candidate: None, named: false }.run();
}

/// Finds the end of a declaration that was cut, from `at` on.
pub(super) fn rest(text: &[u8], at: usize, open: Option<Open>, out: &mut Outline) {
    out.clear();
    out.odd = true;
    let reader = Reader { text, at, bol: true, spliced: false };
    let mut scan = Scan { reader, out, candidate: None, named: false };
    // Whether the brackets belong to parameters is not known any more; a longer cut does no harm.
    if open.is_some_and(|open| scan.skip(open).is_none()) {
        return;
    }
    scan.run();
}

/// The words in a part of the text.
pub(super) fn words<'t>(text: &'t [u8], range: &Range<usize>) -> impl Iterator<Item = &'t [u8]> {
    text.get(range.clone()).unwrap_or(&[]).split(|b| !is_word(*b))
}

/// The bytes that identifiers and numbers are made of.
static WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = (b as u8).is_ascii_alphanumeric() || matches!(b as u8, b'_' | b'$' | 0x80..);
        b += 1;
    }
    table
};

/// White space inside a line.
static BLANK: [bool; 256] = of(b" \t\r\x0b\x0c");

/// What may be white space of another kind: line ends, comments, splices.
static BREAK: [bool; 256] = of(b"\n/\\");

/// What may end a line, or hide its end.
static LINE: [bool; 256] = of(b"\n/\\\"'");

/// What may end an enumerator's value, or is more than operators and operands.
static VALUE: [bool; 256] = of(b",}(){#\"'\n/\\");

const fn of(bytes: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
}

fn is_word(b: u8) -> bool {
    WORD[usize::from(b)]
}

fn word_len(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or(&[]);
    if rest.first().is_none_or(u8::is_ascii_digit) {
        return 0;
    }
    rest.iter().position(|b| !is_word(*b)).unwrap_or(rest.len())
}

/// Whether only blanks, and splices with blanks before them, stand before `at` on its line.
fn starts_line(text: &[u8], at: usize) -> bool {
    if at == 0 {
        return true;
    }
    let mut before = text.get(..at).unwrap_or(&[]);
    loop {
        before = trim_blanks(before);
        let [line @ .., b'\n'] = before else { return before.is_empty() };
        let [spliced @ .., b'\\'] = trim_blanks(line) else { return true };
        before = spliced;
    }
}

/// Without the blanks at its end.
fn trim_blanks(text: &[u8]) -> &[u8] {
    let mut text = text;
    while let [rest @ .., b' ' | b'\t' | b'\r' | 0x0b | 0x0c] = text {
        text = rest;
    }
    text
}

/// Length of a backslash with the line end behind it; 0 if that is not what stands at `at`.
fn splice_len(text: &[u8], at: usize) -> usize {
    let rest = text.get(at + 1..).unwrap_or(&[]);
    let blanks = rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r')).count();
    if rest.get(blanks) == Some(&b'\n') { blanks + 2 } else { 0 }
}

/// Behind the comment at `at`; `None` if there is none. A comment that never ends takes the rest.
fn comment_end(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at + 1)? {
        b'*' => {
            let rest = text.get(at + 2..).unwrap_or(&[]);
            Some(memchr::memmem::find(rest, b"*/").map_or(text.len(), |n| at + 2 + n + 2))
        }
        b'/' => {
            let mut at = at;
            loop {
                let rest = text.get(at..).unwrap_or(&[]);
                let Some(n) = memchr::memchr(b'\n', rest) else { return Some(text.len()) };
                let line = rest.get(..n).unwrap_or(&[]);
                let last = line.iter().rev().find(|b| !matches!(b, b' ' | b'\t' | b'\r'));
                if last != Some(&b'\\') {
                    return Some(at + n);
                }
                at += n + 1;
            }
        }
        _ => None,
    }
}

/// Behind the literal that starts at `at`, or at the end of its line.
fn literal_end(text: &[u8], at: usize, quote: u8) -> usize {
    let mut at = at + 1;
    loop {
        match text.get(at) {
            None | Some(b'\n') => return at,
            Some(b'\\') => at += splice_len(text, at).max(2),
            Some(&b) if b == quote => return at + 1,
            Some(_) => at += 1,
        }
    }
}

/// A place in the text.
struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    /// Nothing but white space stands before `at` on its line.
    bol: bool,
    /// A word ended in a splice.
    spliced: bool,
}

impl Reader<'_> {
    /// The next byte that is neither white space nor part of a comment.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            let b = *self.text.get(self.at)?;
            if BREAK[usize::from(b)] {
                return self.peek_past();
            }
            if !BLANK[usize::from(b)] {
                return Some(b);
            }
            self.at += 1;
        }
    }

    /// The same from a byte on that may end a line or start a comment.
    fn peek_past(&mut self) -> Option<u8> {
        loop {
            match *self.text.get(self.at)? {
                b'\n' => {
                    self.bol = true;
                    self.at += 1;
                }
                b if BLANK[usize::from(b)] => self.at += 1,
                b'/' => match comment_end(self.text, self.at) {
                    Some(end) => self.at = end,
                    None => return Some(b'/'),
                },
                b'\\' => match splice_len(self.text, self.at) {
                    0 => return Some(b'\\'),
                    len => self.at += len,
                },
                b => return Some(b),
            }
        }
    }

    fn literal(&mut self, quote: u8) {
        self.at = literal_end(self.text, self.at, quote);
    }

    fn word(&mut self) -> Range<usize> {
        let start = self.at;
        self.at += word_len(self.text, start).max(1);
        self.bol = false;
        // A splice may join it to the next word.
        self.spliced |= self.text.get(self.at) == Some(&b'\\');
        start..self.at
    }
}

/// One declaration being read.
struct Scan<'t, 'o> {
    reader: Reader<'t>,
    out: &'o mut Outline,
    /// The last identifier, which is the declared name if the declarator ends here.
    candidate: Option<Range<usize>>,
    /// The declarator has its name.
    named: bool,
}

impl<'t> Scan<'t, '_> {
    fn bytes(&self, range: &Range<usize>) -> &'t [u8] {
        self.reader.text.get(range.clone()).unwrap_or(&[])
    }

    /// Ends the outline where the reader is, inside of `open`.
    fn cut(&mut self, open: Option<Open>) {
        self.out.end = self.reader.at;
        self.out.cut = Some(open);
    }

    /// Reads up to the end of the declaration.
    fn run(mut self) {
        loop {
            let Some(b) = self.reader.peek() else { return self.cut(None) };
            if b == b'#' && self.reader.bol {
                return self.cut(None);
            }
            if is_word(b) && !b.is_ascii_digit() {
                let word = self.reader.word();
                if self.word(word).is_none() {
                    return;
                }
                continue;
            }
            self.reader.at += 1;
            self.reader.bol = false;
            let done = match b {
                b';' => {
                    self.name();
                    true
                }
                b',' => {
                    self.name();
                    self.named = false;
                    false
                }
                b'*' => false,
                b'=' => {
                    self.name();
                    self.out.init = true;
                    false
                }
                b'(' => match self.round() {
                    Some(()) => false,
                    None => return,
                },
                b'[' => {
                    self.name();
                    match self.skip(Open { bracket: b'[', depth: 1 }) {
                        Some(()) => false,
                        None => return,
                    }
                }
                b'{' => {
                    let function = self.out.function && !self.out.init;
                    // A body that no `struct` word announced: of a function, or an initialiser's.
                    self.out.body |= function;
                    self.out.odd |= !function && !self.out.init;
                    if self.skip(Open { bracket: b'{', depth: 1 }).is_none() {
                        return;
                    }
                    function
                }
                b'"' | b'\'' => {
                    self.reader.at -= 1;
                    self.reader.literal(b);
                    self.out.odd |= !self.out.init;
                    false
                }
                _ => {
                    self.out.odd |= !self.out.init;
                    false
                }
            };
            if done {
                self.out.odd |= self.reader.spliced;
                self.out.end = self.reader.at;
                return;
            }
        }
    }

    /// The declarator is complete as far as its name goes.
    fn declare(&mut self, space: Space, range: Range<usize>) {
        let hash = intern::hash(self.reader.text, range.start, range.len());
        self.out.names.push(Name { space, range, hash });
    }

    fn name(&mut self) {
        if self.named {
            return;
        }
        self.named = true;
        if let Some(name) = self.candidate.take() {
            self.out.declarators += 1;
            self.declare(Space::Ordinary, name);
        }
    }

    /// A word outside brackets; `None` when the declaration was cut.
    fn word(&mut self, word: Range<usize>) -> Option<()> {
        match self.bytes(&word) {
            b"typedef" => self.out.storage = Storage::Typedef,
            b"extern" => self.out.storage = Storage::Extern,
            b"static" => self.out.storage = Storage::Static,
            b"struct" | b"union" => return self.tagged(false),
            b"enum" => return self.tagged(true),
            b"__attribute__" | b"__attribute" => return self.attribute(),
            b"typeof" | b"__typeof__" | b"__typeof" | b"_Atomic" | b"_Alignas" => {
                if self.reader.peek() == Some(b'(') {
                    self.reader.at += 1;
                    return self.skip(Open { bracket: b'(', depth: 1 });
                }
            }
            b"_Static_assert" | b"static_assert" | b"asm" | b"__asm__" | b"__asm" => self.out.odd = true,
            b"const" | b"volatile" | b"restrict" | b"__restrict" | b"__restrict__" | b"__const"
            | b"__volatile__" | b"inline" | b"__inline" | b"__inline__" | b"__extension__" | b"int"
            | b"char" | b"short" | b"long" | b"unsigned" | b"signed" | b"__signed__" | b"void" | b"_Bool"
            | b"float" | b"double" | b"__int128" | b"_Noreturn" => {}
            _ if self.named || self.out.init => self.out.others.push(word),
            _ => {
                self.out.others.extend(self.candidate.replace(word));
            }
        }
        Some(())
    }

    /// `__attribute__` and its brackets.
    fn attribute(&mut self) -> Option<()> {
        if self.reader.peek() != Some(b'(') {
            self.out.odd = true;
            return Some(());
        }
        self.reader.at += 1;
        let start = self.reader.at;
        self.skip(Open { bracket: b'(', depth: 1 })?;
        self.out.attributes.push(start..self.reader.at - 1);
        Some(())
    }

    /// Behind `(`: parameters, or a declarator in parentheses.
    fn round(&mut self) -> Option<()> {
        if self.out.init || self.named {
            self.out.function |= !self.out.init;
            return self.skip(Open { bracket: b'(', depth: 1 });
        }
        if self.candidate.is_some() && self.reader.peek() != Some(b'*') {
            self.name();
            self.out.function = true;
            return self.skip(Open { bracket: b'(', depth: 1 });
        }
        // `(*name)`, `(* const name)`, `(*name[2])`, `(*(*name)(int))(void)`
        let mut depth = 1;
        let mut stars = false;
        loop {
            match self.reader.peek() {
                Some(b'*') => {
                    stars = true;
                    self.out.pointer = true;
                }
                Some(b'(') => depth += 1,
                Some(b) if is_word(b) && stars => {
                    let word = self.reader.word();
                    if matches!(self.bytes(&word), b"const" | b"volatile" | b"restrict" | b"__restrict") {
                        continue;
                    }
                    // What stood before is the type.
                    self.out.others.extend(self.candidate.replace(word));
                    break;
                }
                _ => {
                    self.out.odd = true;
                    break;
                }
            }
            self.reader.at += 1;
        }
        self.name();
        self.skip(Open { bracket: b'(', depth })
    }

    /// Behind `struct`, `union` or `enum`: the tag and the body.
    fn tagged(&mut self, is_enum: bool) -> Option<()> {
        let mut tag = None;
        loop {
            match self.reader.peek() {
                Some(b'{') => break,
                Some(b) if is_word(b) && !b.is_ascii_digit() && tag.is_none() => {
                    let word = self.reader.word();
                    match self.bytes(&word) {
                        b"__attribute__" | b"__attribute" => self.attribute()?,
                        _ => tag = Some(word),
                    }
                }
                _ => {
                    // Only named here. The tag is part of the type; it cannot be a macro's name.
                    self.out.others.extend(tag);
                    return Some(());
                }
            }
        }
        if let Some(tag) = tag {
            self.declare(Space::Tag, tag);
        }
        self.reader.at += 1;
        if is_enum { self.enumerators() } else { self.members() }
    }

    /// Behind the `{` of an enum, up to behind its `}`.
    fn enumerators(&mut self) -> Option<()> {
        let open = Open { bracket: b'{', depth: 1 };
        let mut wanted = true;
        loop {
            let Some(b) = self.reader.peek() else {
                self.cut(Some(open));
                return None;
            };
            match b {
                b'#' if self.reader.bol => {
                    self.cut(Some(open));
                    return None;
                }
                b'}' => {
                    self.reader.at += 1;
                    return Some(());
                }
                b',' => {
                    wanted = true;
                    self.reader.at += 1;
                }
                b'(' => {
                    self.reader.at += 1;
                    self.skip_inside(open)?;
                }
                b'"' | b'\'' => self.reader.literal(b),
                _ if wanted && is_word(b) && !b.is_ascii_digit() => {
                    let word = self.reader.word();
                    // A macro may stand for any number of enumerators.
                    self.out.odd |= self.reader.peek() == Some(b'(');
                    self.declare(Space::Ordinary, word);
                    wanted = false;
                }
                // The value, up to what may matter in it.
                _ if is_word(b) => {
                    let rest = self.reader.text.get(self.reader.at..).unwrap_or(&[]);
                    let len = rest.iter().position(|b| VALUE[usize::from(*b)]);
                    self.reader.at += len.unwrap_or(rest.len()).max(1);
                }
                _ => {
                    // No value starts with a closing bracket; digraphs are not understood.
                    self.out.odd |= matches!(b, b')' | b'{' | b'\\') || (wanted && b != b'=');
                    self.reader.at += 1;
                }
            }
            self.reader.bol = false;
        }
    }

    /// Parentheses inside the brackets `outer`, from behind the first `(` on.
    fn skip_inside(&mut self, outer: Open) -> Option<()> {
        let done = self.skip(Open { bracket: b'(', depth: 1 });
        if done.is_none() {
            self.out.cut = Some(Some(outer));
        }
        done
    }

    /// Behind the `{` of a struct or union, up to behind its `}`; names that the body declares outside.
    fn members(&mut self) -> Option<()> {
        let mut depth = 1;
        let mut from = self.reader.at;
        loop {
            let b = self.bracket(b'{', b'}', Open { bracket: b'{', depth })?;
            if b == b'}' {
                depth -= 1;
                from = self.reader.at;
                if depth == 0 {
                    return Some(());
                }
                continue;
            }
            depth += 1;
            let text = self.reader.text;
            let head = text.get(from..self.reader.at - 1).unwrap_or(&[]);
            if !self.nested(head, from) {
                continue;
            }
            // An enum: its names are seen outside of the struct.
            if self.enumerators().is_none() {
                self.out.cut = Some(Some(Open { bracket: b'{', depth }));
                return None;
            }
            depth -= 1;
            from = self.reader.at;
        }
    }

    /// What stands before a `{` inside a struct; whether it is an enum.
    fn nested(&mut self, head: &[u8], start: usize) -> bool {
        let trim = |end: usize| head.get(..end).unwrap_or(&[]).trim_ascii_end().len();
        let word = |end: usize| {
            end - head.get(..end).unwrap_or(&[]).iter().rev().take_while(|b| is_word(**b)).count()
        };
        let end = trim(head.len());
        let begin = word(end);
        match head.get(begin..end).unwrap_or(&[]) {
            b"struct" | b"union" => false,
            b"enum" => true,
            [] => {
                self.out.odd = true;
                false
            }
            _ => {
                let end_of_word = trim(begin);
                let is_enum = match head.get(word(end_of_word)..end_of_word).unwrap_or(&[]) {
                    b"struct" | b"union" => false,
                    b"enum" => true,
                    _ => {
                        self.out.odd = true;
                        return false;
                    }
                };
                self.declare(Space::Tag, start + begin..start + end);
                is_enum
            }
        }
    }

    /// Passes over text up to behind the bracket that closes `open`; `None` when the declaration is cut.
    fn skip(&mut self, open: Open) -> Option<()> {
        let close = match open.bracket {
            b'(' => b')',
            b'[' => b']',
            _ => b'}',
        };
        let mut depth = open.depth;
        while depth != 0 {
            let b = self.bracket(open.bracket, close, Open { depth, ..open })?;
            depth = if b == close { depth - 1 } else { depth + 1 };
        }
        Some(())
    }

    /// Passes over text up to behind the next of two brackets, and says which. At a directive or the end of the
    /// file the declaration is cut.
    fn bracket(&mut self, open: u8, close: u8, inside: Open) -> Option<u8> {
        let text = self.reader.text;
        loop {
            let rest = text.get(self.reader.at..).unwrap_or(&[]);
            let Some(n) = memchr::memchr3(open, close, b'/', rest) else {
                let at = self.reader.at;
                let hash = memchr::memchr_iter(b'#', rest).find(|n| self.is_directive(at + n));
                self.reader.at = hash.map_or(text.len(), |n| at + n);
                self.cut(Some(inside));
                return None;
            };
            let plain = rest.get(..n).unwrap_or(&[]);
            if let Some(m) = memchr::memchr3(b'#', b'"', b'\'', plain) {
                let at = self.reader.at + m;
                match plain.get(m) {
                    Some(b'#') => {
                        if self.is_directive(at) {
                            self.reader.at = at;
                            self.cut(Some(inside));
                            return None;
                        }
                        self.reader.at = at + 1;
                    }
                    quote => self.reader.at = literal_end(text, at, *quote.unwrap_or(&b'"')),
                }
                continue;
            }
            let at = self.reader.at + n;
            let b = rest.get(n).copied()?;
            if b == b'/' {
                self.reader.at = comment_end(text, at).unwrap_or(at + 1);
                continue;
            }
            self.reader.at = at + 1;
            self.reader.bol = false;
            return Some(b);
        }
    }

    /// Whether the `#` at `at` starts a directive.
    fn is_directive(&mut self, at: usize) -> bool {
        // Behind a comment of several lines it may, although it does not look like it.
        let before = trim_blanks(self.reader.text.get(..at).unwrap_or(&[]));
        self.out.odd |= before.ends_with(b"*/");
        starts_line(self.reader.text, at)
    }
}

#[cfg(test)]
mod tests;
