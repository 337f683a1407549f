//! The text form of the IR, read.
//!
//! In: the text that [`super::print_module`] writes (blank lines and `;` comments may be added, and
//! a `function` without a `func` line declares its symbol). Out: the module, with every id as
//! written. The result is well-formed enough to be walked and verified: every id in it exists.

mod body;
mod inst;

use std::collections::HashMap;

use skep_syntax::source::{Loc, Span};

use self::body::Body;
use super::entities::{CoreId, SrcLoc, SymbolId};
use super::function::{Function, Signature};
use super::inst::Type;
use super::module::{Core, DataSymbol, FuncSymbol, LocData, Module, Symbol, SymbolKind};
pub use super::scan::ParseError;
use super::scan::{Cursor, Result};

/// Reads a module.
pub fn parse(text: &str) -> Result<Module> {
    let mut parser = Parser {
        module: Module::new(),
        names: HashMap::new(),
        addresses: Vec::new(),
        inlined: Vec::new(),
        funcs: 0,
        datas: 0,
    };
    let mut lines = Lines { text: text.lines(), line: 0 };
    while let Some(cursor) = lines.next()? {
        parser.item(cursor, &mut lines)?;
    }
    parser.finish()
}

/// Position of a token: line, column.
type Position = (u32, u32);

fn error<T>((line, column): Position, message: impl Into<String>) -> Result<T> {
    Err(ParseError { line, column, message: message.into() })
}

/// The lines that have tokens.
struct Lines<'a> {
    text: std::str::Lines<'a>,
    line: u32,
}

impl Lines<'_> {
    fn next(&mut self) -> Result<Option<Cursor>> {
        for text in self.text.by_ref() {
            self.line += 1;
            let cursor = Cursor::new(text, self.line)?;
            if !cursor.is_done() {
                return Ok(Some(cursor));
            }
        }
        Ok(None)
    }
}

/// A symbol by name, to be looked up when all symbols are known.
type SymbolName = (String, Option<u64>);

struct Parser {
    module: Module,
    /// Symbols of each name, in order.
    names: HashMap<String, Vec<SymbolId>>,
    /// Addresses in initial bytes: the variable, offset, symbol, addend, position.
    addresses: Vec<(SymbolId, u64, SymbolName, i64, Position)>,
    /// Locations that must exist in the end.
    inlined: Vec<(SrcLoc, Position)>,
    funcs: u32,
    datas: u32,
}

impl Parser {
    fn item(&mut self, mut c: Cursor, lines: &mut Lines<'_>) -> Result<()> {
        if c.eat_word("func") {
            self.func(&mut c)?;
        } else if c.eat_word("data") {
            self.data(&mut c)?;
        } else if c.eat_word("function") {
            let function = self.function(c, lines)?;
            self.module.functions.push(function);
            return Ok(());
        } else if c.is_entity("loc") {
            self.loc(&mut c)?;
        } else if c.is_entity("core") {
            self.core(&mut c)?;
        } else {
            return c.expected("`func`, `data`, `function`, a location or a relocation");
        }
        c.finish()
    }

    fn finish(mut self) -> Result<Module> {
        for (location, position) in std::mem::take(&mut self.inlined) {
            if self.module.locs.get(location).is_none() {
                return error(position, format!("`{location}` is not defined"));
            }
        }
        for (variable, offset, name, addend, position) in std::mem::take(&mut self.addresses) {
            let symbol = self.find(&name, position)?;
            if let SymbolKind::Data(data) = &mut self.module.symbols[variable].kind {
                data.addresses.push((offset, symbol, addend));
            }
        }
        Ok(self.module)
    }

    fn loc(&mut self, c: &mut Cursor) -> Result<()> {
        let position = c.position();
        let id: SrcLoc = c.entity("loc", "a location")?;
        if id != self.module.locs.next_key() {
            return error(position, format!("expected `{}`", self.module.locs.next_key()));
        }
        c.expect('=')?;
        let lo = Loc::from_raw(c.number()?);
        c.expect('.')?;
        let hi = Loc::from_raw(c.number()?);
        let mut inlined_at = None;
        if c.eat_word("at") {
            let position = c.position();
            let at: SrcLoc = c.entity("loc", "a location")?;
            if at == id {
                return error(position, "a location is not inlined at itself");
            }
            self.inlined.push((at, position));
            inlined_at = Some(at);
        }
        self.module.locs.push(LocData { span: Span::new(lo, hi), inlined_at });
        Ok(())
    }

    fn core(&mut self, c: &mut Cursor) -> Result<()> {
        let position = c.position();
        let id: CoreId = c.entity("core", "a relocation")?;
        if id != self.module.cores.next_key() {
            return error(position, format!("expected `{}`", self.module.cores.next_key()));
        }
        c.expect('=')?;
        let index = c.number()?;
        c.expect_word("local")?;
        let local = c.number()?;
        let text = c.string()?;
        self.module.cores.push(Core { index, text, local });
        Ok(())
    }

    fn declare(&mut self, (name, id): SymbolName, kind: SymbolKind, position: Position) -> Result<SymbolId> {
        let next = self.module.symbols.next_key();
        let same = self.names.entry(name.clone()).or_default();
        match id {
            None if !same.is_empty() => return error(position, format!("`@{name}` is declared twice")),
            Some(id) if id != next.index() as u64 => {
                return error(position, format!("this symbol has the number {}", next.index()));
            }
            _ => same.push(next),
        }
        let count = match kind {
            SymbolKind::Func(_) => &mut self.funcs,
            SymbolKind::Data(_) => &mut self.datas,
        };
        let origin = *count;
        *count += 1;
        Ok(self.module.symbols.push(Symbol { name, origin, kind }))
    }

    fn find(&self, (name, id): &SymbolName, position: Position) -> Result<SymbolId> {
        let same = self.names.get(name).map(Vec::as_slice).unwrap_or_default();
        let found = match id {
            Some(id) => same.iter().copied().find(|s| s.index() as u64 == *id),
            None => same.first().copied(),
        };
        match found {
            Some(symbol) => Ok(symbol),
            None => error(position, format!("`@{name}` is not declared")),
        }
    }

    fn symbol(&self, c: &mut Cursor) -> Result<SymbolId> {
        let position = c.position();
        self.find(&c.name()?, position)
    }

    fn func(&mut self, c: &mut Cursor) -> Result<()> {
        let position = c.position();
        let name = c.name()?;
        let mut func = FuncSymbol { sig: signature(c)?, ..FuncSymbol::default() };
        let mut origin = None;
        while !c.is_done() {
            let flag_position = c.position();
            match c.word("a fact about the function")?.as_str() {
                "local" => func.local = true,
                "weak" => func.weak = true,
                "always_inline" => func.always_inline = true,
                "noinline" => func.noinline = true,
                "keep" => func.keep = true,
                "noreturn" => func.noreturn = true,
                "naked" => func.naked = true,
                "error" => func.error = Some(c.string()?),
                "origin" => origin = Some(c.number()?),
                word => return error(flag_position, format!("`{word}` is not a fact about a function")),
            }
        }
        let id = self.declare(name, SymbolKind::Func(func), position)?;
        if let Some(origin) = origin {
            self.module.symbols[id].origin = origin;
        }
        Ok(())
    }

    fn data(&mut self, c: &mut Cursor) -> Result<()> {
        let position = c.position();
        let name = c.name()?;
        c.expect_word("size")?;
        let size = c.number()?;
        c.expect_word("align")?;
        let mut data = DataSymbol { size, align: alignment(c)?, ..DataSymbol::default() };
        let id = self.module.symbols.next_key();
        let mut origin = None;
        while !c.is_done() {
            let flag_position = c.position();
            match c.word("a fact about the variable")?.as_str() {
                "constant" => data.constant = true,
                "local" => data.local = true,
                "bytes" => data.bytes = Some(c.text()?),
                "origin" => origin = Some(c.number()?),
                "at" => {
                    let offset = c.number()?;
                    let position = c.position();
                    let symbol = c.name()?;
                    let addend = c.offset()?;
                    self.addresses.push((id, offset, symbol, addend, position));
                }
                word => return error(flag_position, format!("`{word}` is not a fact about a variable")),
            }
        }
        self.declare(name, SymbolKind::Data(data), position)?;
        if let Some(origin) = origin {
            self.module.symbols[id].origin = origin;
        }
        Ok(())
    }

    fn function(&mut self, mut c: Cursor, lines: &mut Lines<'_>) -> Result<Function> {
        let position = c.position();
        let name = c.name()?;
        let sig = signature(&mut c)?;
        c.expect('{')?;
        c.finish()?;
        let symbol = match self.names.get(&name.0) {
            Some(_) => self.find(&name, position)?,
            None => {
                let func = FuncSymbol { sig: sig.clone(), keep: true, ..FuncSymbol::default() };
                self.declare(name, SymbolKind::Func(func), position)?
            }
        };
        if self.module.func(symbol).is_none() {
            return error(position, "this symbol is not a function");
        }
        if self.module.definition(symbol).is_some() {
            return error(position, "this function is defined twice");
        }
        let mut body = Body::new(&self.module);
        loop {
            let Some(mut c) = lines.next()? else {
                return error((lines.line, 1), "the function has no end");
            };
            if c.eat('}') {
                c.finish()?;
                return body.finish(symbol, sig, position);
            }
            body.line(self, &mut c)?;
            c.finish()?;
        }
    }
}

fn signature(c: &mut Cursor) -> Result<Signature> {
    c.expect('(')?;
    let params = c.list(')', ty)?;
    Ok(Signature { params, ret: result(c)? })
}

/// ` -> i64` or nothing.
fn result(c: &mut Cursor) -> Result<Option<Type>> {
    if c.eat('>') { ty(c).map(Some) } else { Ok(None) }
}

fn ty(c: &mut Cursor) -> Result<Type> {
    c.known("a type", Type::from_name)
}

fn alignment(c: &mut Cursor) -> Result<u32> {
    let position = c.position();
    let align: u32 = c.number()?;
    if align.is_power_of_two() { Ok(align) } else { error(position, "an alignment is a power of two") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::print_module;

    const TEXT: &str = include_str!("testdata/sample.ir");

    #[test]
    fn text_survives_a_round_trip() {
        let module = parse(TEXT).expect("the sample parses");
        assert_eq!(print_module(&module, true), TEXT);
    }

    #[test]
    fn ids_survive_with_gaps() {
        let text = "func @f(i64) -> i64 keep\n\nfunction @f(i64) -> i64 {\nblock3(v7: i64):\n  v9 = add v7, v7\n  \
                    jump block5(v9)\nblock5(v2: i64):\n  return v2\n}\n";
        let module = parse(text).expect("the text parses");
        assert_eq!(print_module(&module, true), text);
    }

    #[test]
    fn assembly_survives() {
        let text = "func @f(i64) -> i64 keep naked\n\nfunction @f(i64) -> i64 {\nblock0(v0: i64):\n  \
            v1 = asm \"%0 = %2; %1 = %3\" [out.i64, early.i32, reg, tied.0](v0, v0) clobbers 48 effects\n  \
            v2 = iconst.i32 1\n  v3 = asm_result(v1, v2) -> i32\n  \
            asm \"if %0 == %1 goto %l0\" [any, imm](v0, v2) to block1, block2(v1)\n\
            block1:\n  return v0\nblock2(v4: i64):\n  return v4\n}\n";
        let module = parse(text).expect("the text parses");
        assert_eq!(print_module(&module, true), text);
        crate::ir::verify::verify_module(&module, Default::default()).expect("it is valid");
    }

    #[test]
    fn errors_name_the_place() {
        let cases = [
            ("bogus", "1:1: expected `func`, `data`, `function`, a location or a relocation, found `bogus`"),
            ("function @f() {\nblock0:\n  v1 = add v2, v3\n}", "3:3: `v2` is not defined"),
            ("function @f() {\nblock0:\n  jump block1\n}", "3:3: `block1` is not defined"),
            ("function @f() {\nblock0:\n  v1 = iconst 4\n}", "3:8: `iconst` needs a type, like `iconst.i32`"),
            (
                "function @f() {\nblock0:\n  v1 = neg v2\n  v2 = neg v1\n}",
                "4:3: `v2` is computed from itself",
            ),
            (
                "function @f() {\nblock0:\n  v99999999 = iconst.i8 4\n}",
                "3:3: the number of this id is too large",
            ),
            ("function @f() {\n", "1:1: the function has no end"),
            ("function @f() {\nblock0:\n  call @g()\n}", "3:8: `@g` is not declared"),
            ("data @x size 4 align 3", "1:22: an alignment is a power of two"),
            ("func @f( -> i32", "1:10: expected a type, found `->`"),
            ("data @x size 4 align 4 bytes \"a", "1:32: the string has no end"),
        ];
        for (text, message) in cases {
            let error = parse(text).map(|m| print_module(&m, false)).expect_err(text);
            assert_eq!(error.to_string(), message, "{text}");
        }
    }

    #[test]
    fn truncated_text_is_an_error_or_a_module() {
        for end in 0..TEXT.len() {
            let _ = parse(&TEXT[..end]);
        }
    }

    #[test]
    fn changed_bytes_never_panic() {
        let mut seed = 1u64;
        for _ in 0..3000 {
            let mut bytes = TEXT.as_bytes().to_vec();
            for _ in 0..3 {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let at = (seed >> 33) as usize % bytes.len();
                bytes[at] = b" v1sb0@{}(),:=->.\n\"x9"[(seed >> 20) as usize % 21];
            }
            if let Ok(text) = std::str::from_utf8(&bytes) {
                let _ = parse(text).map(|m| print_module(&m, true));
            }
        }
    }
}
