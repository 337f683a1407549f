//! Every concrete result is inside the abstract one: checked on sets of values whose abstraction
//! is computed, over all operations, widths and conditions.

use alloc::vec::Vec;

use skep_stdlib::isa::{AluOp, Cond, Width};

use super::{Scalar, Tnum, compare, refine};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Values near where ranges break.
    fn value(&mut self) -> u64 {
        const EDGES: [u64; 8] = [0, 1, 0x7f, 0x8000, 0x7fff_ffff, 0xffff_ffff, 1 << 63, u64::MAX];
        let edge = EDGES[(self.next() % 8) as usize];
        match self.next() % 4 {
            0 => edge,
            1 => edge.wrapping_add(self.next() % 5).wrapping_sub(2),
            2 => self.next() >> (self.next() % 64),
            _ => self.next() % 100,
        }
    }

    /// A few values and what is known of them all.
    fn set(&mut self) -> (Vec<u64>, Scalar) {
        let first = self.value();
        let mut values = alloc::vec![first];
        for _ in 0..self.next() % 4 {
            let near = !self.next().is_multiple_of(3);
            values.push(if near { first.wrapping_add(self.next() % 20) } else { self.value() });
        }
        let known = values.iter().map(|&v| Scalar::constant(v)).reduce(join).unwrap_or(Scalar::UNKNOWN);
        (values, known)
    }
}

fn join(a: Scalar, b: Scalar) -> Scalar {
    let mut both = a;
    for (to, from) in [(&mut both.r64, &b.r64), (&mut both.r32, &b.r32)] {
        to.umin = to.umin.min(from.umin);
        to.umax = to.umax.max(from.umax);
        to.smin = to.smin.min(from.smin);
        to.smax = to.smax.max(from.smax);
    }
    both.tnum = a.tnum.union(b.tnum);
    both
}

fn concrete(op: AluOp, a: u64, b: u64, width: Width) -> u64 {
    let bits = width.bits();
    let (x, y) = match width {
        Width::W32 => (a & 0xffff_ffff, b & 0xffff_ffff),
        Width::W64 => (a, b),
    };
    let shift = (y % u64::from(bits)) as u32;
    let sign = |v: u64| if bits == 32 { i64::from(v as i32) } else { v as i64 };
    let result = match op {
        AluOp::Add => x.wrapping_add(y),
        AluOp::Sub => x.wrapping_sub(y),
        AluOp::Mul => x.wrapping_mul(y),
        AluOp::And => x & y,
        AluOp::Or => x | y,
        AluOp::Xor => x ^ y,
        AluOp::Lsh => x << shift,
        AluOp::Rsh => x >> shift,
        AluOp::Arsh => (sign(x) >> shift) as u64,
        AluOp::Div => x.checked_div(y).unwrap_or(0),
        AluOp::Mod => x.checked_rem(y).unwrap_or(x),
        AluOp::Sdiv | AluOp::Smod => x,
    };
    if bits == 32 { result & 0xffff_ffff } else { result }
}

const OPS: [AluOp; 11] = [
    AluOp::Add,
    AluOp::Sub,
    AluOp::Mul,
    AluOp::Div,
    AluOp::Or,
    AluOp::And,
    AluOp::Lsh,
    AluOp::Rsh,
    AluOp::Mod,
    AluOp::Xor,
    AluOp::Arsh,
];

fn holds(cond: Cond, a: u64, b: u64, width: Width) -> bool {
    let (x, y) = match width {
        Width::W32 => (a & 0xffff_ffff, b & 0xffff_ffff),
        Width::W64 => (a, b),
    };
    let sign = |v: u64| if width == Width::W32 { i64::from(v as i32) } else { v as i64 };
    match cond {
        Cond::Eq => x == y,
        Cond::Ne => x != y,
        Cond::Gt => x > y,
        Cond::Ge => x >= y,
        Cond::Lt => x < y,
        Cond::Le => x <= y,
        Cond::Set => x & y != 0,
        Cond::Sgt => sign(x) > sign(y),
        Cond::Sge => sign(x) >= sign(y),
        Cond::Slt => sign(x) < sign(y),
        Cond::Sle => sign(x) <= sign(y),
    }
}

#[test]
fn arithmetic_contains_every_result() {
    let mut random = Random(1);
    for round in 0..60_000 {
        let (values, known) = random.set();
        let (operands, src) = if round % 3 == 0 {
            let shift = random.next() % 64;
            (alloc::vec![shift], Scalar::constant(shift))
        } else {
            random.set()
        };
        let op = OPS[(random.next() % 11) as usize];
        for width in [Width::W32, Width::W64] {
            let mut result = known;
            result.alu(op, &src, width);
            for &a in &values {
                for &b in &operands {
                    let value = concrete(op, a, b, width);
                    assert!(
                        result.contains(value),
                        "{op:?} {width:?}: {a:#x} {b:#x} = {value:#x} not in {result:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn branches_keep_every_value_that_takes_them() {
    let mut random = Random(2);
    for _ in 0..60_000 {
        let ((left, a), (right, b)) = (random.set(), random.set());
        let cond = Cond::ALL[(random.next() % 11) as usize];
        for width in [Width::W32, Width::W64] {
            let verdict = compare(&a, &b, cond, width);
            for taken in [true, false] {
                let (mut x, mut y) = (a, b);
                refine(&mut x, &mut y, cond, taken, width);
                for &l in &left {
                    for &r in &right {
                        if holds(cond, l, r, width) == taken {
                            assert!(
                                verdict != Some(!taken),
                                "{cond:?} {width:?} {l:#x} {r:#x} decided {verdict:?}"
                            );
                            assert!(
                                x.contains(l),
                                "{cond:?} {width:?} {taken}: {l:#x} not in {x:?} of {a:?} {b:?}"
                            );
                            assert!(
                                y.contains(r),
                                "{cond:?} {width:?} {taken}: {r:#x} not in {y:?} of {a:?} {b:?}"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn extension_and_truncation_contain_every_result() {
    let mut random = Random(3);
    for _ in 0..40_000 {
        let (values, known) = random.set();
        for bytes in [1u32, 2, 4] {
            let mut cut = known;
            cut.truncate(bytes);
            let mask = (1u64 << (bytes * 8)) - 1;
            assert!(values.iter().all(|v| cut.contains(v & mask)), "{values:x?} to {bytes} bytes: {cut:?}");
            for width in [Width::W32, Width::W64] {
                if width == Width::W32 && bytes == 4 {
                    continue;
                }
                let mut wide = known;
                wide.sign_extend(bytes * 8, width);
                for &v in &values {
                    let extended = ((v << (64 - bytes * 8)) as i64 >> (64 - bytes * 8)) as u64;
                    let extended = if width == Width::W32 { extended & 0xffff_ffff } else { extended };
                    assert!(wide.contains(extended), "{v:#x} from {bytes} bytes {width:?}: {wide:?}");
                }
            }
        }
    }
}

#[test]
fn swapping_contains_every_result() {
    let mut random = Random(5);
    for _ in 0..40_000 {
        let (values, known) = random.set();
        for bits in [16u32, 32, 64] {
            let mut swapped = known;
            swapped.swap(bits);
            let result = |v: &u64| swapped.contains(v.swap_bytes() >> (64 - bits));
            assert!(values.iter().all(result), "{values:x?} {bits}: {swapped:?}");
        }
    }
    let mut word = Scalar::constant(0x1122_3344);
    word.swap(32);
    assert_eq!(word, Scalar::constant(0x4433_2211));
}

#[test]
fn what_the_kernel_knows_is_known() {
    let mut index = Scalar::of_bytes(4);
    let mut limit = Scalar::constant(16);
    refine(&mut index, &mut limit, Cond::Lt, true, Width::W64);
    assert_eq!((index.r64.umax, index.tnum), (15, Tnum { value: 0, mask: 15 }));
    index.alu(AluOp::Lsh, &Scalar::constant(3), Width::W64);
    assert_eq!((index.r64.umin, index.r64.umax, index.r64.smax), (0, 120, 120));
    // Division loses the upper half even of a 32-bit operation.
    index.alu(AluOp::Div, &Scalar::constant(200), Width::W32);
    assert_eq!(index, Scalar::UNKNOWN);
}
