//! Tokens of one line of the text form, and the cursor that the parser reads them with.
//!
//! In: a line. Out: tokens with columns; every failure is a [`ParseError`] that says where.

use std::fmt;

use super::entities::Entity;
use super::print::is_plain_name_byte;

/// Ids in a text may be at most this large: a text of a few bytes cannot ask for gigabytes.
const MAX_INDEX: usize = 1 << 20;

/// Why a text is not a module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// Line, from 1.
    pub line: u32,
    /// Column in bytes, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ParseError {}

/// One token.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Token {
    /// `v1`, `load.i32`, `function`.
    Word(String),
    /// `@main`, `@"odd name"`, `@twice#3`.
    Name(String, Option<u64>),
    /// `"text"`.
    Text(Vec<u8>),
    /// `-12`, `+8`, `0x1f`; with a sign or not.
    Number { value: i128, signed: bool },
    /// Any other character; `->` is `>` and `..` is `.`.
    Punct(char),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Word(word) => write!(f, "`{word}`"),
            Token::Name(name, _) => write!(f, "`@{name}`"),
            Token::Text(_) => write!(f, "a string"),
            Token::Number { value, .. } => write!(f, "`{value}`"),
            Token::Punct('>') => write!(f, "`->`"),
            Token::Punct('.') => write!(f, "`..`"),
            Token::Punct(c) => write!(f, "`{c}`"),
        }
    }
}

/// The tokens of one line and how far they have been read.
pub(super) struct Cursor {
    tokens: Vec<(Token, u32)>,
    next: usize,
    line: u32,
    end: u32,
}

pub(super) type Result<T> = std::result::Result<T, ParseError>;

impl Cursor {
    /// Splits a line; a `;` outside a string starts a comment.
    pub fn new(text: &str, line: u32) -> Result<Cursor> {
        let mut scan = Scan { bytes: text.as_bytes(), at: 0, line };
        let mut tokens = Vec::new();
        while let Some(token) = scan.token()? {
            tokens.push(token);
        }
        Ok(Cursor { tokens, next: 0, line, end: text.len() as u32 + 1 })
    }

    pub fn is_done(&self) -> bool {
        self.next >= self.tokens.len()
    }

    pub fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    /// Line and column of the next token.
    pub fn position(&self) -> (u32, u32) {
        (self.line, self.tokens.get(self.next).map_or(self.end, |&(_, column)| column))
    }

    /// An error at the next token.
    pub fn error<T>(&self, message: impl Into<String>) -> Result<T> {
        let (line, column) = self.position();
        Err(ParseError { line, column, message: message.into() })
    }

    /// An error that names what should have come.
    pub fn expected<T>(&self, what: &str) -> Result<T> {
        match self.peek() {
            Some(token) => self.error(format!("expected {what}, found {token}")),
            None => self.error(format!("expected {what}, found the end of the line")),
        }
    }

    fn advance(&mut self) {
        self.next += 1;
    }

    pub fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(&Token::Punct(c));
        if found {
            self.advance();
        }
        found
    }

    pub fn expect(&mut self, c: char) -> Result<()> {
        if self.eat(c) { Ok(()) } else { self.expected(&Token::Punct(c).to_string()) }
    }

    pub fn finish(&self) -> Result<()> {
        if self.is_done() { Ok(()) } else { self.expected("the end of the line") }
    }

    pub fn word(&mut self, what: &str) -> Result<String> {
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.advance();
                Ok(word)
            }
            _ => self.expected(what),
        }
    }

    pub fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(w)) if w == word)
    }

    pub fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.advance();
        }
        found
    }

    pub fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.eat_word(word) { Ok(()) } else { self.expected(&format!("`{word}`")) }
    }

    /// A word that `find` knows.
    pub fn known<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> Result<T> {
        match self.peek() {
            Some(Token::Word(word)) => match find(word) {
                Some(found) => {
                    self.advance();
                    Ok(found)
                }
                None => self.expected(what),
            },
            _ => self.expected(what),
        }
    }

    pub fn name(&mut self) -> Result<(String, Option<u64>)> {
        match self.peek() {
            Some(Token::Name(name, id)) => {
                let found = (name.clone(), *id);
                self.advance();
                Ok(found)
            }
            _ => self.expected("a symbol like `@name`"),
        }
    }

    pub fn text(&mut self) -> Result<Vec<u8>> {
        match self.peek() {
            Some(Token::Text(text)) => {
                let text = text.clone();
                self.advance();
                Ok(text)
            }
            _ => self.expected("a string"),
        }
    }

    pub fn string(&mut self) -> Result<String> {
        let (line, column) = self.position();
        let message = "the string is not UTF-8".to_string();
        String::from_utf8(self.text()?).map_err(|_| ParseError { line, column, message })
    }

    /// A number in the range of `T`.
    pub fn number<T: TryFrom<i128>>(&mut self) -> Result<T> {
        match self.peek() {
            Some(&Token::Number { value, .. }) => match T::try_from(value) {
                Ok(number) => {
                    self.advance();
                    Ok(number)
                }
                Err(_) => self.error(format!("`{value}` is out of range")),
            },
            _ => self.expected("a number"),
        }
    }

    /// `+8`, `-8` or nothing.
    pub fn offset<T: TryFrom<i128> + Default>(&mut self) -> Result<T> {
        match self.peek() {
            Some(Token::Number { signed: true, .. }) => self.number(),
            _ => Ok(T::default()),
        }
    }

    /// An id that is spelled with this prefix.
    pub fn entity<K: Entity>(&mut self, prefix: &str, what: &str) -> Result<K> {
        let index = match self.peek() {
            Some(Token::Word(word)) => word.strip_prefix(prefix).and_then(index_of),
            _ => None,
        };
        match index {
            Some(index) if index < MAX_INDEX => {
                self.advance();
                Ok(K::new(index))
            }
            Some(_) => self.error("the number of this id is too large"),
            None => self.expected(what),
        }
    }

    /// Is the next word an id with this prefix?
    pub fn is_entity(&self, prefix: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(w)) if w.strip_prefix(prefix).and_then(index_of).is_some())
    }

    /// Items separated by commas between `open`, which has been read, and `close`.
    pub fn list<T>(&mut self, close: char, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = Vec::new();
        if self.eat(close) {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.eat(close) {
                return Ok(items);
            }
            self.expect(',')?;
        }
    }
}

/// The digits of an id, without leading zeros.
fn index_of(digits: &str) -> Option<usize> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if plain && !digits.is_empty() { Some(digits.parse().unwrap_or(usize::MAX)) } else { None }
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u32,
}

impl Scan<'_> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn error<T>(&self, message: &str) -> Result<T> {
        Err(ParseError { line: self.line, column: self.at as u32 + 1, message: message.to_string() })
    }

    fn token(&mut self) -> Result<Option<(Token, u32)>> {
        while matches!(self.peek(), b' ' | b'\t' | b'\r') {
            self.at += 1;
        }
        let column = self.at as u32 + 1;
        let next = self.bytes.get(self.at + 1).copied().unwrap_or(0);
        let token = match self.peek() {
            0 if self.at >= self.bytes.len() => return Ok(None),
            b';' => return Ok(None),
            b'@' => self.name()?,
            b'"' => Token::Text(self.quoted()?),
            b'-' if next == b'>' => self.punct('>', 2),
            b'.' if next == b'.' => self.punct('.', 2),
            b'0'..=b'9' => self.number()?,
            b'-' | b'+' if next.is_ascii_digit() => self.number()?,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Token::Word(self.plain()),
            c if c.is_ascii_graphic() => self.punct(c.into(), 1),
            _ => return self.error("this character has no meaning here"),
        };
        Ok(Some((token, column)))
    }

    fn punct(&mut self, c: char, len: usize) -> Token {
        self.at += len;
        Token::Punct(c)
    }

    fn plain(&mut self) -> String {
        let start = self.at;
        while is_plain_name_byte(self.peek()) {
            self.at += 1;
        }
        String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned()
    }

    fn name(&mut self) -> Result<Token> {
        self.at += 1;
        let name = if self.peek() == b'"' {
            match String::from_utf8(self.quoted()?) {
                Ok(name) => name,
                Err(_) => return self.error("the name is not UTF-8"),
            }
        } else {
            self.plain()
        };
        let mut id = None;
        if self.peek() == b'#' {
            self.at += 1;
            match self.plain().parse() {
                Ok(number) => id = Some(number),
                Err(_) => return self.error("expected the number of the symbol"),
            }
        }
        Ok(Token::Name(name, id))
    }

    fn number(&mut self) -> Result<Token> {
        let signed = matches!(self.peek(), b'-' | b'+');
        let negative = self.peek() == b'-';
        self.at += usize::from(signed);
        let start = self.at;
        while self.peek().is_ascii_alphanumeric() {
            self.at += 1;
        }
        let digits = String::from_utf8_lossy(&self.bytes[start..self.at]);
        let parsed = match digits.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => digits.parse(),
        };
        match parsed {
            Ok(value) => {
                let value = i128::from(value);
                Ok(Token::Number { value: if negative { -value } else { value }, signed })
            }
            Err(_) => {
                self.at = start;
                self.error("expected a number of at most 64 bits")
            }
        }
    }

    fn quoted(&mut self) -> Result<Vec<u8>> {
        self.at += 1;
        let mut text = Vec::new();
        loop {
            let byte = self.peek();
            if self.at >= self.bytes.len() {
                return self.error("the string has no end");
            }
            self.at += 1;
            match byte {
                b'"' => return Ok(text),
                b'\\' => match self.peek() {
                    c @ (b'"' | b'\\') => {
                        self.at += 1;
                        text.push(c);
                    }
                    b'x' => {
                        let digits = self.bytes.get(self.at + 1..self.at + 3).unwrap_or_default();
                        let hex = std::str::from_utf8(digits).ok();
                        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                            Some(byte) => text.push(byte),
                            None => return self.error("expected two hexadecimal digits"),
                        }
                        self.at += 3;
                    }
                    _ => return self.error("unknown escape"),
                },
                _ => text.push(byte),
            }
        }
    }
}
