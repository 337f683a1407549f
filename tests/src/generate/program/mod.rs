//! Random C functions of integers, records, unions, bit-fields, pointers and control flow.
//!
//! The programs have one meaning in every C compiler with 64-bit longs, little-endian memory,
//! wrapping signed arithmetic (`-fwrapv`) and untyped memory (`-fno-strict-aliasing`): everything
//! is initialised, divisors are positive or constant, shift counts and indexes are masked, pointers
//! stay inside objects that live longer than they do, padding is never read, and no expression has
//! effects that are unsequenced. So a native compiler is the oracle.

mod declarations;
mod expressions;
mod functions;
mod statements;

use super::Random;

/// What the functions need in front of them.
pub const PREAMBLE: &str = "\
typedef unsigned char u8; typedef signed char s8; typedef unsigned short u16; typedef short s16;
typedef unsigned int u32; typedef int s32; typedef unsigned long long u64; typedef long long s64;
typedef unsigned __int128 u128;
";

/// Integer types and their sizes in bits. `_Bool` is the last, for not every byte is a value of it.
const SCALARS: [(&str, usize); 9] = [
    ("u8", 8),
    ("s8", 8),
    ("u16", 16),
    ("s16", 16),
    ("u32", 32),
    ("s32", 32),
    ("u64", 64),
    ("s64", 64),
    ("_Bool", 1),
];

/// Types that arithmetic does not promote.
const WIDE: [&str; 4] = ["u32", "s32", "u64", "s64"];

/// A function `u64 NAME(u64 a, u64 b)` with everything it needs, all names starting with `name`.
pub fn function(name: &str, seed: u64) -> String {
    let mut generator = Generator::new(name, seed);
    generator.types();
    generator.records();
    generator.globals();
    for _ in 0..generator.random.below(4) {
        generator.helper();
    }
    generator.entry();
    generator.out
}

/// An integer type: its spelling, and its size in bits.
#[derive(Clone, PartialEq)]
struct Scalar {
    name: String,
    bits: usize,
}

#[derive(Clone)]
enum FieldKind {
    Scalar(Scalar),
    Bits,
    Array(Scalar, usize),
    Record(usize),
}

#[derive(Clone)]
struct Field {
    name: String,
    kind: FieldKind,
}

/// A struct or a union.
#[derive(Clone)]
struct Record {
    /// With the keyword.
    spelling: String,
    /// Members of anonymous members are among them.
    fields: Vec<Field>,
    /// Holds no union, at any depth: then an initialiser says everything about it.
    plain: bool,
    /// Holds a `_Bool`.
    truth: bool,
    packed: bool,
}

#[derive(Clone)]
enum VarKind {
    Scalar(Scalar),
    Array(Scalar, usize),
    /// Rows and columns.
    Grid(usize, usize),
    Record(usize),
    Records(usize, usize),
    /// Points to the record.
    Pointer(usize),
    /// Points to a scalar.
    Ref,
    /// Points to the first of so many elements.
    Slice(Scalar, usize),
}

#[derive(Clone)]
struct Var {
    name: String,
    kind: VarKind,
    /// It, or what it points to, may be assigned to.
    writable: bool,
    volatile: bool,
}

impl Var {
    fn new(name: impl Into<String>, kind: VarKind, writable: bool) -> Var {
        Var { name: name.into(), kind, writable, volatile: false }
    }

    fn is_pointer(&self) -> bool {
        matches!(self.kind, VarKind::Pointer(_) | VarKind::Ref | VarKind::Slice(..))
    }
}

#[derive(Clone)]
enum Param {
    Scalar(Scalar),
    Record(usize),
    Pointer(usize),
    Slice(Scalar, usize),
}

#[derive(Clone)]
struct Helper {
    name: String,
    params: Vec<Param>,
    /// The record it returns, else a scalar.
    ret: Option<usize>,
}

/// Writes one function; `out` is what has been written.
struct Generator {
    name: String,
    random: Random,
    out: String,
    /// Typedefs and enumerations of this program.
    scalars: Vec<Scalar>,
    enumerators: Vec<String>,
    records: Vec<Record>,
    globals: Vec<Var>,
    helpers: Vec<Helper>,
    /// What may be named, the innermost scope last.
    vars: Vec<Var>,
    indent: usize,
    fresh: usize,
    /// Loops around the current statement.
    loops: usize,
    /// Indexes around the current expression.
    nested: usize,
    /// Statements that may still be written in this function.
    budget: usize,
}

impl Generator {
    fn new(name: &str, seed: u64) -> Generator {
        Generator {
            name: name.to_string(),
            random: Random::new(seed),
            out: String::new(),
            scalars: Vec::new(),
            enumerators: Vec::new(),
            records: Vec::new(),
            globals: Vec::new(),
            helpers: Vec::new(),
            vars: Vec::new(),
            indent: 0,
            fresh: 0,
            loops: 0,
            nested: 0,
            budget: 0,
        }
    }

    fn line(&mut self, text: &str) {
        for _ in 0..self.indent {
            self.out.push(' ');
        }
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn name(&mut self, prefix: &str) -> String {
        self.fresh += 1;
        format!("{prefix}{}", self.fresh)
    }

    /// Any integer type.
    fn scalar(&mut self) -> Scalar {
        if !self.scalars.is_empty() && self.random.one_in(6) {
            return self.random.pick(&self.scalars).clone();
        }
        self.scalar_of(SCALARS.len())
    }

    /// An integer type of which every bit pattern is a value.
    fn full_scalar(&mut self) -> Scalar {
        self.scalar_of(SCALARS.len() - 1)
    }

    fn scalar_of(&mut self, count: usize) -> Scalar {
        let (name, bits) = *self.random.pick(&SCALARS[..count]);
        Scalar { name: name.to_string(), bits }
    }

    /// One of the variables that `fits`.
    fn pick_var(&mut self, fits: impl Fn(&Var) -> bool) -> Option<Var> {
        let found: Vec<Var> = self.vars.iter().filter(|var| fits(var)).cloned().collect();
        if found.is_empty() { None } else { Some(self.random.pick(&found).clone()) }
    }

    /// The name of an integer variable that may be assigned to.
    fn scalar_variable(&mut self) -> Option<String> {
        let var = self.pick_var(|var| var.writable && matches!(var.kind, VarKind::Scalar(_)))?;
        Some(var.name)
    }

    /// Spellings of values of a record type.
    fn records_in_scope(&self, r: usize) -> Vec<String> {
        let spell = |var: &Var| match var.kind {
            VarKind::Record(of) if of == r => Some(var.name.clone()),
            VarKind::Records(of, len) if of == r => Some(format!("{}[{}]", var.name, len - 1)),
            VarKind::Pointer(of) if of == r => Some(format!("*{}", var.name)),
            _ => None,
        };
        self.vars.iter().filter_map(spell).collect()
    }

    fn pick_record(&mut self, r: usize) -> Option<String> {
        let found = self.records_in_scope(r);
        if found.is_empty() { None } else { Some(self.random.pick(&found).clone()) }
    }
}
