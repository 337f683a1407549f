//! The algebraic rules of `simplify`: a table of `pattern => replacement`.
//!
//! In: an instruction. Out: the first replacement whose pattern matches it. `x y z` stand for any
//! value, `A B` for constants, `p` for a
//! condition; operations on constants on the right-hand side are computed. A rule marked
//! `single` fires only when the inner operations it takes apart have no other use: otherwise a check
//! of the inner value would not hold for what is used instead (invariant 1 of [`crate::opt`]).
//!
//! Invariant: both sides are equal for all values; a test evaluates every row on random ones.
//! Constants stand on the right of commutative operations before the table is consulted.
//!
//! ```text
//! "x * 2^n": (mul x A) => (shl x (log2 A)), when |b| b.a.is_power_of_two();
//! ```

use super::fold;
use crate::ir::{BinaryOp, Compare, Function, InstData, Type, UnaryOp, Value};
use crate::opt::edit::Editor;

/// One side of a rule.
#[derive(Clone, Copy, Debug)]
pub enum Pat {
    /// Any value; the same number is the same value.
    Var(usize),
    /// Any constant.
    Const(usize),
    /// This constant, sign-extended from the type at hand.
    Num(i64),
    /// Two-operand arithmetic.
    Bin(BinaryOp, &'static Pat, &'static Pat),
    /// One-operand arithmetic.
    Un(UnaryOp, &'static Pat),
    /// A comparison.
    Cmp(Compare, &'static Pat, &'static Pat),
    /// A selection.
    Sel(&'static Pat, &'static Pat, &'static Pat),
    /// Right-hand sides only: the number of trailing zeros of a constant.
    Log2(&'static Pat),
}

/// What the guard of a rule looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Consts {
    /// The constant `A`.
    pub a: u64,
    /// The constant `B`.
    pub b: u64,
    /// Width of the matched operation's operands.
    pub bits: u32,
}

/// A row.
pub struct Rule {
    /// What it says.
    pub name: &'static str,
    /// The pattern.
    pub lhs: Pat,
    /// The replacement.
    pub rhs: Pat,
    /// Condition on the constants.
    pub when: fn(Consts) -> bool,
    /// Inner operations must have no other use.
    pub single: bool,
}

macro_rules! pat {
    (x) => {
        Pat::Var(0)
    };
    (y) => {
        Pat::Var(1)
    };
    (z) => {
        Pat::Var(2)
    };
    (p) => {
        Pat::Var(3)
    };
    (A) => {
        Pat::Const(0)
    };
    (B) => {
        Pat::Const(1)
    };
    (ones) => {
        Pat::Num(-1)
    };
    ((add $a:tt $b:tt)) => {
        Pat::Bin(BinaryOp::Add, &pat!($a), &pat!($b))
    };
    ((sub $a:tt $b:tt)) => {
        Pat::Bin(BinaryOp::Sub, &pat!($a), &pat!($b))
    };
    ((mul $a:tt $b:tt)) => {
        Pat::Bin(BinaryOp::Mul, &pat!($a), &pat!($b))
    };
    ((udiv $a:tt $b:tt)) => {
        Pat::Bin(BinaryOp::Udiv, &pat!($a), &pat!($b))
    };
    ((urem $a:tt $b:tt)) => {
        Pat::Bin(BinaryOp::Urem, &pat!($a), &pat!($b))
    };
    ((sdiv $a:tt $b:tt)) => {
        Pat::Bin(BinaryOp::Sdiv, &pat!($a), &pat!($b))
    };
    ((srem $a:tt $b:tt)) => {
        Pat::Bin(BinaryOp::Srem, &pat!($a), &pat!($b))
    };
    ((and $a:tt $b:tt)) => {
        Pat::Bin(BinaryOp::And, &pat!($a), &pat!($b))
    };
    ((or $a:tt $b:tt)) => {
        Pat::Bin(BinaryOp::Or, &pat!($a), &pat!($b))
    };
    ((xor $a:tt $b:tt)) => {
        Pat::Bin(BinaryOp::Xor, &pat!($a), &pat!($b))
    };
    ((shl $a:tt $b:tt)) => {
        Pat::Bin(BinaryOp::Shl, &pat!($a), &pat!($b))
    };
    ((lshr $a:tt $b:tt)) => {
        Pat::Bin(BinaryOp::Lshr, &pat!($a), &pat!($b))
    };
    ((ashr $a:tt $b:tt)) => {
        Pat::Bin(BinaryOp::Ashr, &pat!($a), &pat!($b))
    };
    ((neg $a:tt)) => {
        Pat::Un(UnaryOp::Neg, &pat!($a))
    };
    ((not $a:tt)) => {
        Pat::Un(UnaryOp::Not, &pat!($a))
    };
    ((bswap $a:tt)) => {
        Pat::Un(UnaryOp::Bswap, &pat!($a))
    };
    ((eq $a:tt $b:tt)) => {
        Pat::Cmp(Compare::Eq, &pat!($a), &pat!($b))
    };
    ((ne $a:tt $b:tt)) => {
        Pat::Cmp(Compare::Ne, &pat!($a), &pat!($b))
    };
    ((ult $a:tt $b:tt)) => {
        Pat::Cmp(Compare::Ult, &pat!($a), &pat!($b))
    };
    ((ule $a:tt $b:tt)) => {
        Pat::Cmp(Compare::Ule, &pat!($a), &pat!($b))
    };
    ((ugt $a:tt $b:tt)) => {
        Pat::Cmp(Compare::Ugt, &pat!($a), &pat!($b))
    };
    ((uge $a:tt $b:tt)) => {
        Pat::Cmp(Compare::Uge, &pat!($a), &pat!($b))
    };
    ((slt $a:tt $b:tt)) => {
        Pat::Cmp(Compare::Slt, &pat!($a), &pat!($b))
    };
    ((sle $a:tt $b:tt)) => {
        Pat::Cmp(Compare::Sle, &pat!($a), &pat!($b))
    };
    ((sgt $a:tt $b:tt)) => {
        Pat::Cmp(Compare::Sgt, &pat!($a), &pat!($b))
    };
    ((sge $a:tt $b:tt)) => {
        Pat::Cmp(Compare::Sge, &pat!($a), &pat!($b))
    };
    ((sel $c:tt $a:tt $b:tt)) => {
        Pat::Sel(&pat!($c), &pat!($a), &pat!($b))
    };
    ((log2 $a:tt)) => {
        Pat::Log2(&pat!($a))
    };
    ($n:literal) => {
        Pat::Num($n)
    };
}

macro_rules! rules {
    ($($name:literal: $lhs:tt => $rhs:tt $($single:ident)? $(, when |$c:ident| $guard:expr)?;)*) => {
        &[$(Rule {
            name: $name,
            lhs: pat!($lhs),
            rhs: pat!($rhs),
            when: rules!(@when $($c, $guard)?),
            single: rules!(@single $($single)?),
        }),*]
    };
    (@when) => { |_| true };
    (@when $c:ident, $guard:expr) => { |$c: Consts| $guard };
    (@single) => { false };
    (@single single) => { true };
}

/// Both shift counts fit the width together.
fn sum_below_width(c: Consts) -> bool {
    c.a < u64::from(c.bits) && c.b < u64::from(c.bits) && c.a + c.b < u64::from(c.bits)
}

/// The rules, tried in order.
pub const RULES: &[Rule] = rules! {
    // Neutral and absorbing constants.
    "x + 0": (add x 0) => x;
    "x - 0": (sub x 0) => x;
    "x * 0": (mul x 0) => 0;
    "x * 1": (mul x 1) => x;
    "x / 1": (udiv x 1) => x;
    "x /s 1": (sdiv x 1) => x;
    "x / 0": (udiv x 0) => 0;
    "x /s 0": (sdiv x 0) => 0;
    "0 / x": (udiv 0 x) => 0;
    "0 /s x": (sdiv 0 x) => 0;
    "x % 1": (urem x 1) => 0;
    "x %s 1": (srem x 1) => 0;
    "x % 0": (urem x 0) => x;
    "x %s 0": (srem x 0) => x;
    "0 % x": (urem 0 x) => 0;
    "0 %s x": (srem 0 x) => 0;
    "x & 0": (and x 0) => 0;
    "x & ones": (and x ones) => x;
    "x | 0": (or x 0) => x;
    "x | ones": (or x ones) => ones;
    "x ^ 0": (xor x 0) => x;
    "x << 0": (shl x 0) => x;
    "x >> 0": (lshr x 0) => x;
    "x >>s 0": (ashr x 0) => x;
    "0 << x": (shl 0 x) => 0;
    "0 >> x": (lshr 0 x) => 0;
    "0 >>s x": (ashr 0 x) => 0;
    "ones >>s x": (ashr ones x) => ones;

    // The same value twice.
    "x - x": (sub x x) => 0;
    "x & x": (and x x) => x;
    "x | x": (or x x) => x;
    "x ^ x": (xor x x) => 0;
    "x % x": (urem x x) => 0;
    "x %s x": (srem x x) => 0;
    "x & ~x": (and x (not x)) => 0;
    "x | ~x": (or x (not x)) => ones;
    "x ^ ~x": (xor x (not x)) => ones;
    "x & (x | y)": (and x (or x y)) => x;
    "x | (x & y)": (or x (and x y)) => x;
    "(x + y) - x": (sub (add x y) x) => y;
    "(x - y) + y": (add (sub x y) y) => x;
    "x - (x - y)": (sub x (sub x y)) => y single;
    "(x ^ y) ^ x": (xor (xor x y) x) => y;

    // Negation and complement.
    "-(-x)": (neg (neg x)) => x;
    "~~x": (not (not x)) => x;
    "0 - x": (sub 0 x) => (neg x);
    "x + -y": (add x (neg y)) => (sub x y);
    "x - -y": (sub x (neg y)) => (add x y);
    "-(x - y)": (neg (sub x y)) => (sub y x) single;
    "x ^ ones": (xor x ones) => (not x);
    "x * ones": (mul x ones) => (neg x);
    "-x * -y": (mul (neg x) (neg y)) => (mul x y);
    "-(x & 1) & 2^n": (and (neg (and x 1)) A) => (mul (and x 1) A) single, when |b| b.a.is_power_of_two();
    "bswap bswap x": (bswap (bswap x)) => x;

    // Constants move together.
    "x - A": (sub x A) => (add x (neg A));
    "(x + A) + B": (add (add x A) B) => (add x (add A B)) single;
    "(A - x) + B": (add (sub A x) B) => (sub (add A B) x) single;
    "A - (x + B)": (sub A (add x B)) => (sub (sub A B) x) single;
    "(x & A) & B": (and (and x A) B) => (and x (and A B)) single;
    "(x | A) | B": (or (or x A) B) => (or x (or A B)) single;
    "(x ^ A) ^ B": (xor (xor x A) B) => (xor x (xor A B)) single;
    "(x * A) * B": (mul (mul x A) B) => (mul x (mul A B)) single;
    "(x << A) << B": (shl (shl x A) B) => (shl x (add A B)) single, when |c| sum_below_width(c);
    "(x >> A) >> B": (lshr (lshr x A) B) => (lshr x (add A B)) single, when |c| sum_below_width(c);
    "(x >>s A) >>s B": (ashr (ashr x A) B) => (ashr x (add A B)) single, when |c| sum_below_width(c);
    "(x << A) >> A, small mask": (lshr (shl x A) A) => (and x (lshr ones A)) single,
        when |c| c.a < u64::from(c.bits) && u64::from(c.bits) - c.a < 32;
    "(x >> A) << A": (shl (lshr x A) A) => (and x (shl ones A)) single, when |c| c.a < 32 && c.bits > c.a as u32;
    "(x | A) & B, B within A": (and (or x A) B) => B, when |c| c.a & c.b == c.b;
    "(x | A) & B, apart": (and (or x A) B) => (and x B) single, when |c| c.a & c.b == 0;
    "(x & A) | B, A within B": (or (and x A) B) => B, when |c| c.a & !c.b == 0;
    "(x / A) / B": (udiv (udiv x A) B) => (udiv x (mul A B)) single,
        when |c| c.a > 0 && c.b > 0 && c.a < 1 << 15 && c.b < 1 << 15;

    // Powers of two.
    "x * 2^n": (mul x A) => (shl x (log2 A)), when |c| c.a.is_power_of_two();
    "x / 2^n": (udiv x A) => (lshr x (log2 A)), when |c| c.a.is_power_of_two();
    "x % 2^n": (urem x A) => (and x (sub A 1)), when |c| c.a.is_power_of_two();

    // Comparisons whose result is known.
    "x == x": (eq x x) => 1;
    "x != x": (ne x x) => 0;
    "x < x": (ult x x) => 0;
    "x <= x": (ule x x) => 1;
    "x > x": (ugt x x) => 0;
    "x >= x": (uge x x) => 1;
    "x <s x": (slt x x) => 0;
    "x <=s x": (sle x x) => 1;
    "x >s x": (sgt x x) => 0;
    "x >=s x": (sge x x) => 1;
    "x < 0": (ult x 0) => 0;
    "x >= 0": (uge x 0) => 1;
    "x <= ones": (ule x ones) => 1;
    "x > ones": (ugt x ones) => 0;

    // Equality looks through what maps one to one.
    "x + A == B": (eq (add x A) B) => (eq x (sub B A)) single;
    "x + A != B": (ne (add x A) B) => (ne x (sub B A)) single;
    "A - x == B": (eq (sub A x) B) => (eq x (sub A B)) single;
    "A - x != B": (ne (sub A x) B) => (ne x (sub A B)) single;
    "x ^ A == B": (eq (xor x A) B) => (eq x (xor A B)) single;
    "x ^ A != B": (ne (xor x A) B) => (ne x (xor A B)) single;
    "x - y == 0": (eq (sub x y) 0) => (eq x y) single;
    "x - y != 0": (ne (sub x y) 0) => (ne x y) single;
    "x ^ y == 0": (eq (xor x y) 0) => (eq x y) single;
    "x ^ y != 0": (ne (xor x y) 0) => (ne x y) single;
    "-x == A": (eq (neg x) A) => (eq x (neg A)) single;
    "-x != A": (ne (neg x) A) => (ne x (neg A)) single;
    "~x == A": (eq (not x) A) => (eq x (not A)) single;
    "~x != A": (ne (not x) A) => (ne x (not A)) single;
    "bswap x == A": (eq (bswap x) A) => (eq x (bswap A)) single;
    "bswap x != A": (ne (bswap x) A) => (ne x (bswap A)) single;
    "bswap x == bswap y": (eq (bswap x) (bswap y)) => (eq x y) single;
    "bswap x != bswap y": (ne (bswap x) (bswap y)) => (ne x y) single;
    "x & A == A, one bit": (eq (and x A) A) => (ne (and x A) 0), when |c| c.a.is_power_of_two();
    "x & A != A, one bit": (ne (and x A) A) => (eq (and x A) 0), when |c| c.a.is_power_of_two();

    // Conditions.
    "!(x == y)": (not (eq x y)) => (ne x y);
    "!(x != y)": (not (ne x y)) => (eq x y);
    "!(x < y)": (not (ult x y)) => (uge x y);
    "!(x <= y)": (not (ule x y)) => (ugt x y);
    "!(x > y)": (not (ugt x y)) => (ule x y);
    "!(x >= y)": (not (uge x y)) => (ult x y);
    "!(x <s y)": (not (slt x y)) => (sge x y);
    "!(x <=s y)": (not (sle x y)) => (sgt x y);
    "!(x >s y)": (not (sgt x y)) => (sle x y);
    "!(x >=s y)": (not (sge x y)) => (slt x y);
    "p ? x : x": (sel p x x) => x;
    "!p ? x : y": (sel (not p) x y) => (sel p y x);
    "p ? (p ? x : y) : z": (sel p (sel p x y) z) => (sel p x z);
    "p ? x : (p ? y : z)": (sel p x (sel p y z)) => (sel p x z);
};

/// Rows by the operation at the root of their pattern, in the order of the table.
struct Index {
    order: [usize; RULES.len()],
    /// Where the rows of each operation start, and the end of the last.
    starts: [usize; SELECT + 2],
}

const INDEX: Index = index();

const fn key_of_binary(op: BinaryOp) -> usize {
    op as usize
}

const fn key_of_unary(op: UnaryOp) -> usize {
    BinaryOp::ALL.len() + op as usize
}

const fn key_of_compare(op: Compare) -> usize {
    BinaryOp::ALL.len() + UnaryOp::ALL.len() + op as usize
}

/// The key of selections, the last one.
const SELECT: usize = BinaryOp::ALL.len() + UnaryOp::ALL.len() + Compare::ALL.len();

const fn index() -> Index {
    let mut index = Index { order: [0; RULES.len()], starts: [0; SELECT + 2] };
    let (mut key, mut next) = (0, 0);
    while key <= SELECT {
        index.starts[key] = next;
        let mut row = 0;
        while row < RULES.len() {
            let root = match &RULES[row].lhs {
                Pat::Bin(op, ..) => key_of_binary(*op),
                Pat::Un(op, _) => key_of_unary(*op),
                Pat::Cmp(op, ..) => key_of_compare(*op),
                Pat::Sel(..) => SELECT,
                Pat::Var(_) | Pat::Const(_) | Pat::Num(_) | Pat::Log2(_) => {
                    panic!("a rule takes an operation apart")
                }
            };
            if root == key {
                index.order[next] = row;
                next += 1;
            }
            row += 1;
        }
        key += 1;
    }
    index.starts[key] = next;
    index
}

/// Kinds of values, one bit each: by the operation that yields them, as in [`Index`], and constants.
type Kinds = u32;

const ZERO: Kinds = 1 << (SELECT + 1);
const ONE: Kinds = 1 << (SELECT + 2);
const ONES: Kinds = 1 << (SELECT + 3);
const CONSTANT: Kinds = 1 << (SELECT + 4);
const _: () = assert!(SELECT + 5 < 32);

/// What the operands of a row must be, at least: few rows need a closer look.
#[derive(Clone, Copy)]
struct Shape {
    operands: [Kinds; 2],
    /// The operands are the same value.
    same: bool,
}

/// By place in [`INDEX`].
const SHAPES: [Shape; RULES.len()] = {
    let mut shapes = [Shape { operands: [Kinds::MAX; 2], same: false }; RULES.len()];
    let mut at = 0;
    while at < RULES.len() {
        if let Pat::Bin(_, a, b) | Pat::Cmp(_, a, b) = &RULES[INDEX.order[at]].lhs {
            shapes[at].operands = [kinds_of_pattern(a), kinds_of_pattern(b)];
            if let (Pat::Var(a), Pat::Var(b)) = (a, b) {
                shapes[at].same = *a == *b;
            }
        } else if let Pat::Un(_, a) = &RULES[INDEX.order[at]].lhs {
            shapes[at].operands[0] = kinds_of_pattern(a);
        }
        at += 1;
    }
    shapes
};

/// Kinds of the values that a pattern may match.
const fn kinds_of_pattern(pat: &Pat) -> Kinds {
    match pat {
        Pat::Var(_) => Kinds::MAX,
        Pat::Num(0) => ZERO,
        Pat::Num(1) => ONE,
        Pat::Num(-1) => ONES,
        Pat::Const(_) | Pat::Num(_) => ZERO | ONE | ONES | CONSTANT,
        Pat::Bin(op, ..) => 1 << key_of_binary(*op),
        Pat::Un(op, _) => 1 << key_of_unary(*op),
        Pat::Cmp(op, ..) => 1 << key_of_compare(*op),
        Pat::Sel(..) => 1 << SELECT,
        Pat::Log2(_) => 0,
    }
}

/// Of an `i1` the constant 1 is of two kinds.
fn kinds(f: &Function, value: Value) -> Kinds {
    let constant = |bits: u64, ty: Type| match bits & ty.mask() {
        0 => ZERO,
        bits => {
            let (one, ones) = (bits == 1, bits == ty.mask());
            CONSTANT | if one { ONE } else { 0 } | if ones { ONES } else { 0 }
        }
    };
    match f.def(value) {
        Some(InstData::Const { ty, value }) => constant(*value, *ty),
        Some(InstData::Binary { op, .. }) => 1 << key_of_binary(*op),
        Some(InstData::Unary { op, .. }) => 1 << key_of_unary(*op),
        Some(InstData::Compare { op, .. }) => 1 << key_of_compare(*op),
        Some(InstData::Select { .. }) => 1 << SELECT,
        _ => 1 << (SELECT + 5),
    }
}

impl Shape {
    fn fits(self, [a, b]: [Kinds; 2], same: bool, commutes: bool) -> bool {
        let [left, right] = self.operands;
        (same || !self.same)
            && (a & left != 0 && b & right != 0 || commutes && b & left != 0 && a & right != 0)
    }
}

/// What the variables of a pattern stand for.
#[derive(Default)]
struct Bound {
    vars: [Option<Value>; 4],
    consts: [Option<(u64, Type)>; 2],
    /// Some inner operation has another use.
    shared: bool,
}

/// Applies the first rule that fits the instruction that yields `root`.
pub fn apply(
    ed: &mut Editor<'_>,
    data: &InstData,
    result: Type,
    single_use: &dyn Fn(Value) -> bool,
) -> Option<Value> {
    let (key, args, either) = match data {
        InstData::Binary { op, args } => (key_of_binary(*op), *args, commutes(*op)),
        InstData::Unary { op, arg } => (key_of_unary(*op), [*arg; 2], false),
        InstData::Compare { op, args } => (key_of_compare(*op), *args, same_swapped(*op)),
        InstData::Select { args, .. } => (SELECT, *args, false),
        _ => return None,
    };
    let operand_type = ed.f.ty(args[0]);
    let (kinds, same) = (args.map(|arg| kinds(ed.f, arg)), args[0] == args[1]);
    for at in INDEX.starts[key]..INDEX.starts[key + 1] {
        if !SHAPES[at].fits(kinds, same, either) {
            continue;
        }
        let rule = &RULES[INDEX.order[at]];
        let mut bound = Bound::default();
        if !match_data(ed.f, &rule.lhs, data, &mut bound, single_use) || (rule.single && bound.shared) {
            continue;
        }
        let value = |i: usize| bound.consts[i].map_or(0, |(value, _)| value);
        if !(rule.when)(Consts { a: value(0), b: value(1), bits: operand_type.bits() }) {
            continue;
        }
        return Some(build(ed, &rule.rhs, result, &bound));
    }
    None
}

fn match_value(
    f: &Function,
    pat: &Pat,
    value: Value,
    bound: &mut Bound,
    single: &dyn Fn(Value) -> bool,
) -> bool {
    match pat {
        Pat::Var(i) => match bound.vars[*i] {
            Some(seen) => seen == value,
            None => {
                bound.vars[*i] = Some(value);
                true
            }
        },
        Pat::Const(i) => match (f.constant(value), bound.consts[*i]) {
            (Some(bits), Some((seen, _))) => bits == seen,
            (Some(bits), None) => {
                bound.consts[*i] = Some((bits, f.ty(value)));
                true
            }
            (None, _) => false,
        },
        Pat::Num(n) => f.constant(value) == Some(*n as u64 & f.ty(value).mask()),
        Pat::Bin(..) | Pat::Un(..) | Pat::Cmp(..) | Pat::Sel(..) => match f.def(value) {
            Some(data) => {
                let before = bound.shared;
                let matched = match_data(f, pat, data, bound, single);
                bound.shared = before || bound.shared || (matched && !single(value));
                matched
            }
            None => false,
        },
        Pat::Log2(_) => false,
    }
}

fn match_pair(
    f: &Function,
    pats: [&Pat; 2],
    args: [Value; 2],
    commutes: bool,
    bound: &mut Bound,
    single: &dyn Fn(Value) -> bool,
) -> bool {
    let before = Bound { ..*bound };
    if match_value(f, pats[0], args[0], bound, single) && match_value(f, pats[1], args[1], bound, single) {
        return true;
    }
    *bound = before;
    commutes
        && match_value(f, pats[0], args[1], bound, single)
        && match_value(f, pats[1], args[0], bound, single)
}

fn match_data(
    f: &Function,
    pat: &Pat,
    data: &InstData,
    bound: &mut Bound,
    single: &dyn Fn(Value) -> bool,
) -> bool {
    match (pat, data) {
        (Pat::Bin(want, a, b), InstData::Binary { op, args }) if want == op => {
            match_pair(f, [a, b], *args, commutes(*op), bound, single)
        }
        (Pat::Un(want, a), InstData::Unary { op, arg }) if want == op => {
            match_value(f, a, *arg, bound, single)
        }
        (Pat::Cmp(want, a, b), InstData::Compare { op, args }) if want == op => {
            match_pair(f, [a, b], *args, same_swapped(*op), bound, single)
        }
        (Pat::Sel(c, a, b), InstData::Select { cond, args }) => {
            match_value(f, c, *cond, bound, single)
                && match_value(f, a, args[0], bound, single)
                && match_value(f, b, args[1], bound, single)
        }
        _ => false,
    }
}

/// May the operands be exchanged?
pub fn commutes(op: BinaryOp) -> bool {
    match op {
        BinaryOp::Add | BinaryOp::Mul | BinaryOp::And | BinaryOp::Or | BinaryOp::Xor => true,
        BinaryOp::Sub
        | BinaryOp::Udiv
        | BinaryOp::Sdiv
        | BinaryOp::Urem
        | BinaryOp::Srem
        | BinaryOp::Shl
        | BinaryOp::Lshr
        | BinaryOp::Ashr => false,
    }
}

/// May the operands of a comparison be exchanged?
fn same_swapped(op: Compare) -> bool {
    matches!(op, Compare::Eq | Compare::Ne)
}

/// Type of the operands of a comparison on a right-hand side.
fn type_of(f: &Function, pat: &Pat, bound: &Bound) -> Option<Type> {
    match pat {
        Pat::Var(i) => bound.vars[*i].map(|v| f.ty(v)),
        Pat::Const(i) => bound.consts[*i].map(|(_, ty)| ty),
        Pat::Num(_) => None,
        Pat::Bin(_, a, b) => type_of(f, a, bound).or_else(|| type_of(f, b, bound)),
        Pat::Un(_, a) | Pat::Log2(a) => type_of(f, a, bound),
        Pat::Cmp(..) => Some(Type::I1),
        Pat::Sel(_, a, b) => type_of(f, a, bound).or_else(|| type_of(f, b, bound)),
    }
}

/// The constant that a right-hand side is.
fn constant(pat: &Pat, ty: Type, bound: &Bound) -> Option<u64> {
    match pat {
        Pat::Const(i) => bound.consts[*i].map(|(value, _)| value),
        Pat::Num(n) => Some(*n as u64 & ty.mask()),
        Pat::Bin(op, a, b) => Some(fold::binary(*op, ty, constant(a, ty, bound)?, constant(b, ty, bound)?)),
        Pat::Un(op, a) => Some(fold::unary(*op, ty, constant(a, ty, bound)?)),
        Pat::Log2(a) => Some(constant(a, ty, bound)?.trailing_zeros().into()),
        Pat::Var(_) | Pat::Cmp(..) | Pat::Sel(..) => None,
    }
}

fn build(ed: &mut Editor<'_>, pat: &Pat, ty: Type, bound: &Bound) -> Value {
    if let Some(value) = constant(pat, ty, bound) {
        return ed.iconst(ty, value);
    }
    match pat {
        Pat::Var(i) => bound.vars[*i].expect("the pattern binds every variable of the replacement"),
        Pat::Bin(op, a, b) => {
            let (a, b) = (build(ed, a, ty, bound), build(ed, b, ty, bound));
            ed.binary(*op, a, b)
        }
        Pat::Un(op, a) => {
            let a = build(ed, a, ty, bound);
            ed.unary(*op, a)
        }
        Pat::Cmp(op, a, b) => {
            let operands = type_of(ed.f, a, bound).or_else(|| type_of(ed.f, b, bound)).unwrap_or(Type::I64);
            let (a, b) = (build(ed, a, operands, bound), build(ed, b, operands, bound));
            ed.compare(*op, a, b)
        }
        Pat::Sel(c, a, b) => {
            let cond = build(ed, c, Type::I1, bound);
            let args = [build(ed, a, ty, bound), build(ed, b, ty, bound)];
            ed.emit(InstData::Select { cond, args })
        }
        Pat::Const(_) | Pat::Num(_) | Pat::Log2(_) => unreachable!("these are constants"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opt::testing::Rng;

    /// Operands of one trial.
    struct Trial {
        vars: [u64; 4],
        consts: [u64; 2],
    }

    /// Type of the operands at the root of a rule.
    fn is_condition(pat: &Pat) -> bool {
        match pat {
            Pat::Cmp(..) => true,
            Pat::Un(UnaryOp::Not, a) => is_condition(a),
            _ => false,
        }
    }

    /// The value of a pattern by the semantics of the IR: bits and the width of the result.
    fn eval(pat: &Pat, ty: Type, trial: &Trial) -> u64 {
        match pat {
            Pat::Var(3) => trial.vars[3] & 1,
            Pat::Var(i) => trial.vars[*i] & ty.mask(),
            Pat::Const(i) => trial.consts[*i] & ty.mask(),
            Pat::Num(n) => *n as u64 & ty.mask(),
            Pat::Bin(op, a, b) => fold::binary(*op, ty, eval(a, ty, trial), eval(b, ty, trial)),
            Pat::Un(op, a) if is_condition(a) || matches!(a, Pat::Var(3)) => {
                fold::unary(*op, Type::I1, eval(a, ty, trial))
            }
            Pat::Un(op, a) => fold::unary(*op, ty, eval(a, ty, trial)),
            Pat::Cmp(op, a, b) => fold::compare(*op, ty, eval(a, ty, trial), eval(b, ty, trial)).into(),
            Pat::Sel(c, a, b) => eval(if eval(c, ty, trial) & 1 == 1 { a } else { b }, ty, trial),
            Pat::Log2(a) => eval(a, ty, trial).trailing_zeros().into(),
        }
    }

    #[test]
    fn both_sides_are_equal_on_random_values() {
        for rule in RULES {
            let mut rng = Rng(0x1234_5678_9abc_def1);
            let mut trials = 0;
            for _ in 0..20_000 {
                let ty = *rng.pick(&[Type::I32, Type::I64]);
                let trial = Trial {
                    vars: [rng.value(), rng.value(), rng.value(), rng.value()],
                    consts: [rng.value() & ty.mask(), rng.value() & ty.mask()],
                };
                if !(rule.when)(Consts { a: trial.consts[0], b: trial.consts[1], bits: ty.bits() }) {
                    continue;
                }
                trials += 1;
                let mask = if is_condition(&rule.lhs) { 1 } else { ty.mask() };
                let (left, right) = (eval(&rule.lhs, ty, &trial), eval(&rule.rhs, ty, &trial));
                assert_eq!(
                    left & mask,
                    right & mask,
                    "`{}` on {ty}: {:x?} {:x?}",
                    rule.name,
                    trial.vars,
                    trial.consts
                );
            }
            assert!(trials >= 20, "`{}` was tried {trials} times", rule.name);
        }
    }

    #[test]
    fn replacements_are_not_longer() {
        fn operations(pat: &Pat) -> usize {
            match pat {
                Pat::Var(_) | Pat::Const(_) | Pat::Num(_) | Pat::Log2(_) => 0,
                Pat::Bin(_, a, b) | Pat::Cmp(_, a, b) => match (constant_part(a), constant_part(b)) {
                    (true, true) => 0,
                    _ => 1 + operations(a) + operations(b),
                },
                Pat::Un(_, a) => {
                    if constant_part(a) {
                        0
                    } else {
                        1 + operations(a)
                    }
                }
                Pat::Sel(c, a, b) => 1 + operations(c) + operations(a) + operations(b),
            }
        }
        fn constant_part(pat: &Pat) -> bool {
            match pat {
                Pat::Const(_) | Pat::Num(_) | Pat::Log2(_) => true,
                Pat::Bin(_, a, b) => constant_part(a) && constant_part(b),
                Pat::Un(_, a) => constant_part(a),
                Pat::Var(_) | Pat::Cmp(..) | Pat::Sel(..) => false,
            }
        }
        for rule in RULES {
            assert!(operations(&rule.rhs) <= operations(&rule.lhs), "`{}`", rule.name);
            assert!(operations(&rule.rhs) <= 2, "`{}`", rule.name);
        }
    }

    #[test]
    fn a_mask_of_a_condition_that_leaves_one_bit_becomes_a_shift() {
        let text = "function @f(i64) -> i64 {\nblock0(v0: i64):\n  v1 = iconst.i64 3\n  v2 = lshr v0, v1\n\
            v3 = iconst.i64 1\n  v4 = and v2, v3\n  v5 = neg v4\n  v6 = iconst.i64 8\n  v7 = and v5, v6\n  \
            return v7\n}";
        let out = crate::opt::testing::after_pass("simplify", text);
        assert!(!out.contains("neg"), "{out}");
    }
}
