//! What is known of a number in a register: known bits and four ranges.
//!
//! A [`Scalar`] stands for all 64-bit values that satisfy everything it says: the [`Tnum`], the
//! signed and the unsigned range of the whole, and of the lower 32 bits. The facts overlap, and
//! [`Scalar::sync`] carries what one says over to the others.
//!
//! Arithmetic and refinement follow the kernel's `adjust_scalar_min_max_vals` and
//! `regs_refine_cond_op` (kernel/bpf/verifier.c) rule by rule: a value that the kernel bounds must
//! be bounded here, and one that it loses (32-bit division, say) must be lost here. Both widths
//! share one implementation over [`Range`].
//!
//! Invariant, tested by enumeration: every concrete result is in the abstract result.

use core::fmt;

use skep_stdlib::isa::{AluOp, Cond, Width};

use super::tnum::Tnum;

/// Signed and unsigned bounds of a value of some width. 32-bit bounds are held zero-extended
/// (unsigned) and sign-extended (signed).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Range {
    /// Smallest, unsigned.
    pub umin: u64,
    /// Largest, unsigned.
    pub umax: u64,
    /// Smallest, signed.
    pub smin: i64,
    /// Largest, signed.
    pub smax: i64,
}

/// What is known of a number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scalar {
    /// Known bits.
    pub tnum: Tnum,
    /// Bounds of all 64 bits.
    pub r64: Range,
    /// Bounds of the lower 32 bits.
    pub r32: Range,
}

const U32: u64 = u32::MAX as u64;

/// Sign-extends the lower `width` bits.
const fn signed(value: u64, width: Width) -> i64 {
    match width {
        Width::W32 => value as i32 as i64,
        Width::W64 => value as i64,
    }
}

/// Keeps the lower `width` bits.
const fn unsigned(value: u64, width: Width) -> u64 {
    match width {
        Width::W32 => value & U32,
        Width::W64 => value,
    }
}

impl Range {
    /// No bounds.
    pub const fn unknown(width: Width) -> Range {
        match width {
            Width::W32 => Range { umin: 0, umax: U32, smin: i32::MIN as i64, smax: i32::MAX as i64 },
            Width::W64 => Range { umin: 0, umax: u64::MAX, smin: i64::MIN, smax: i64::MAX },
        }
    }

    /// Exactly the lower bits of `value`.
    pub const fn constant(value: u64, width: Width) -> Range {
        let (u, s) = (unsigned(value, width), signed(value, width));
        Range { umin: u, umax: u, smin: s, smax: s }
    }

    /// Forgets the signed bounds.
    const fn unsign(mut self, width: Width) -> Range {
        let all = Range::unknown(width);
        (self.smin, self.smax) = (all.smin, all.smax);
        self
    }

    /// Forgets the unsigned bounds.
    const fn unbound(mut self, width: Width) -> Range {
        let all = Range::unknown(width);
        (self.umin, self.umax) = (all.umin, all.umax);
        self
    }

    /// Takes signed bounds from the unsigned ones where the sign does not change in between.
    const fn sign_from_unsigned(mut self, width: Width) -> Range {
        let (smin, smax) = (signed(self.umin, width), signed(self.umax, width));
        if smin <= smax {
            (self.smin, self.smax) = (smin, smax);
            self
        } else {
            self.unsign(width)
        }
    }

    fn narrow_unsigned(&mut self, min: u64, max: u64) {
        self.umin = self.umin.max(min);
        self.umax = self.umax.min(max);
    }

    fn narrow_signed(&mut self, min: i64, max: i64) {
        self.smin = self.smin.max(min);
        self.smax = self.smax.min(max);
    }

    /// What the known bits say.
    fn update(&mut self, tnum: Tnum, width: Width) {
        let sign = match width {
            Width::W32 => 1 << 31,
            Width::W64 => 1 << 63,
        };
        let smallest = tnum.value | (tnum.mask & sign);
        let largest = tnum.value | (tnum.mask & !sign);
        self.narrow_signed(signed(smallest, width), signed(largest, width));
        self.narrow_unsigned(tnum.min(), tnum.max());
    }

    /// Signed bounds from unsigned ones and back, where both lie on one side of the sign change.
    fn exchange(&mut self, width: Width) {
        let (smin, smax) = (signed(self.umin, width), signed(self.umax, width));
        if smin <= smax {
            self.narrow_signed(smin, smax);
        }
        let (umin, umax) = (unsigned(self.smin as u64, width), unsigned(self.smax as u64, width));
        if umin <= umax {
            self.narrow_unsigned(umin, umax);
        } else if self.umax < umin {
            // Only the non-negative end of the signed range is possible.
            self.smin = signed(self.umin, width);
            self.umax = self.umax.min(umax);
        } else if umax < self.umin {
            self.smax = signed(self.umax, width);
            self.umin = self.umin.max(umin);
        }
    }

    fn add(self, other: Range, width: Width) -> Range {
        let all = Range::unknown(width);
        let mut result = all;
        let (smin, smax) = (self.smin.checked_add(other.smin), self.smax.checked_add(other.smax));
        if let (Some(smin), Some(smax)) = (smin, smax)
            && smin >= all.smin
            && smax <= all.smax
        {
            (result.smin, result.smax) = (smin, smax);
        }
        let wraps = |a: u64, b: u64| a > all.umax - b;
        // If every sum wraps around, their order stays.
        if wraps(self.umin, other.umin) == wraps(self.umax, other.umax) {
            let sum = |a: u64, b: u64| unsigned(a.wrapping_add(b), width);
            (result.umin, result.umax) = (sum(self.umin, other.umin), sum(self.umax, other.umax));
        }
        result
    }

    fn sub(self, other: Range, width: Width) -> Range {
        let all = Range::unknown(width);
        let mut result = all;
        let (smin, smax) = (self.smin.checked_sub(other.smax), self.smax.checked_sub(other.smin));
        if let (Some(smin), Some(smax)) = (smin, smax)
            && smin >= all.smin
            && smax <= all.smax
        {
            (result.smin, result.smax) = (smin, smax);
        }
        if (self.umin < other.umax) == (self.umax < other.umin) {
            let difference = |a: u64, b: u64| unsigned(a.wrapping_sub(b), width);
            result.umin = difference(self.umin, other.umax);
            result.umax = difference(self.umax, other.umin);
        }
        result
    }

    fn mul(self, other: Range, width: Width) -> Range {
        let all = Range::unknown(width);
        let mut result = all;
        if let Some(umax) = self.umax.checked_mul(other.umax).filter(|&umax| umax <= all.umax) {
            (result.umin, result.umax) = (self.umin * other.umin, umax);
        }
        let ends = [self.smin, self.smax].map(|a| [a.checked_mul(other.smin), a.checked_mul(other.smax)]);
        let fits = |&end: &Option<i64>| end.is_some_and(|end| all.smin <= end && end <= all.smax);
        if ends.as_flattened().iter().all(fits) {
            let ends = ends.as_flattened().iter().copied().flatten();
            result.smin = ends.clone().min().unwrap_or(all.smin);
            result.smax = ends.max().unwrap_or(all.smax);
        }
        result
    }

    /// `tnum` is that of the result, for the bit operations.
    fn and(self, other: Range, tnum: Tnum, width: Width) -> Range {
        Range { umin: tnum.value, umax: self.umax.min(other.umax), ..self }.sign_from_unsigned(width)
    }

    fn or(self, other: Range, tnum: Tnum, width: Width) -> Range {
        Range { umin: self.umin.max(other.umin), umax: tnum.max(), ..self }.sign_from_unsigned(width)
    }

    fn xor(self, tnum: Tnum, width: Width) -> Range {
        Range { umin: tnum.min(), umax: tnum.max(), ..self }.sign_from_unsigned(width)
    }
}

impl Scalar {
    /// Nothing is known.
    pub const UNKNOWN: Scalar =
        Scalar { tnum: Tnum::UNKNOWN, r64: Range::unknown(Width::W64), r32: Range::unknown(Width::W32) };

    /// Exactly `value`.
    pub const fn constant(value: u64) -> Scalar {
        Scalar {
            tnum: Tnum::constant(value),
            r64: Range::constant(value, Width::W64),
            r32: Range::constant(value, Width::W32),
        }
    }

    /// `min..=max`, unsigned.
    pub fn unsigned(min: u64, max: u64) -> Scalar {
        let mut scalar = Scalar::UNKNOWN;
        (scalar.r64.umin, scalar.r64.umax) = (min, max);
        scalar.sync();
        scalar
    }

    /// `min..=max`, signed.
    pub fn signed(min: i64, max: i64) -> Scalar {
        let mut scalar = Scalar::UNKNOWN;
        (scalar.r64.smin, scalar.r64.smax) = (min, max);
        scalar.sync();
        scalar
    }

    /// What a zero-extending load of `bytes` bytes gives.
    pub fn of_bytes(bytes: u32) -> Scalar {
        let mut scalar = Scalar::UNKNOWN;
        scalar.truncate(bytes);
        scalar
    }

    /// Its value, when all bits are known.
    pub fn value(&self) -> Option<u64> {
        self.tnum.is_constant().then_some(self.tnum.value)
    }

    /// The value of the lower 32 bits, when they are known.
    pub fn value32(&self) -> Option<u32> {
        let low = self.tnum.subreg();
        low.is_constant().then_some(low.value as u32)
    }

    /// The bounds of this width.
    pub fn range(&self, width: Width) -> &Range {
        match width {
            Width::W32 => &self.r32,
            Width::W64 => &self.r64,
        }
    }

    fn range_mut(&mut self, width: Width) -> &mut Range {
        match width {
            Width::W32 => &mut self.r32,
            Width::W64 => &mut self.r64,
        }
    }

    fn tnum_of(&self, width: Width) -> Tnum {
        match width {
            Width::W32 => self.tnum.subreg(),
            Width::W64 => self.tnum,
        }
    }

    /// Is the value one of those that this stands for?
    pub fn contains(&self, value: u64) -> bool {
        let inside = |range: &Range, width| {
            let (u, s) = (unsigned(value, width), signed(value, width));
            range.umin <= u && u <= range.umax && range.smin <= s && s <= range.smax
        };
        self.tnum.contains(value) && inside(&self.r64, Width::W64) && inside(&self.r32, Width::W32)
    }

    /// Does this stand for every value that `other` stands for (kernel `range_within` and
    /// `tnum_in`)?
    pub fn includes(&self, other: &Scalar) -> bool {
        let within = |a: &Range, b: &Range| {
            a.umin <= b.umin && a.umax >= b.umax && a.smin <= b.smin && a.smax >= b.smax
        };
        within(&self.r64, &other.r64) && within(&self.r32, &other.r32) && self.tnum.includes(other.tnum)
    }

    /// Do the facts contradict each other? Then no value is possible and the path is dead.
    pub fn is_empty(&self) -> bool {
        let empty = |range: &Range| range.umin > range.umax || range.smin > range.smax;
        empty(&self.r64) || empty(&self.r32)
    }

    /// The only number left is known, if bits and range leave one (kernel `__update_reg64_bounds`). If
    /// they leave none it is made one of the bits': no run comes there.
    pub fn settle(&mut self) {
        let Range { umin, umax, .. } = self.r64;
        let next = self.tnum.above(umin);
        let known = match self.tnum.contains(umin) {
            true => (next > umax).then_some(umin),
            false => {
                let is_last = next <= umax && self.tnum.above(next) > umax;
                (next == self.tnum.max() || is_last).then_some(next)
            }
        };
        if let Some(known) = known {
            *self = Scalar::constant(known);
        }
    }

    /// The width in which it is 0 or -1, if there is one.
    pub fn mask_width(&self) -> Option<Width> {
        let is_mask = |width: &Width| (self.range(*width).smin, self.range(*width).smax) == (-1, 0);
        [Width::W64, Width::W32].into_iter().find(is_mask)
    }

    /// In this width it is `value` (kernel `__mark_reg_known` and `__mark_reg32_known`).
    pub fn fix(&mut self, value: u64, width: Width) {
        match width {
            Width::W64 => *self = Scalar::constant(value),
            Width::W32 => {
                self.tnum = self.tnum.with_subreg(Tnum::constant(value));
                self.r32 = Range::constant(value, Width::W32);
            }
        }
    }

    /// Forgets all but the bits.
    pub fn unbound(&mut self) {
        *self = Scalar { tnum: self.tnum, ..Scalar::UNKNOWN };
    }

    /// Do bits and ranges agree about a number of which all bits are known?
    pub fn is_sound(&self) -> bool {
        self.value().is_none_or(|value| *self == Scalar::constant(value))
    }

    /// Carries each fact over to the others (kernel `reg_bounds_sync`).
    pub fn sync(&mut self) {
        if self.value().is_some() && self.is_sound() {
            return;
        }
        self.update();
        for _ in 0..3 {
            let before = (self.r32, self.r64);
            self.deduce_32();
            self.r64.exchange(Width::W64);
            self.deduce_mixed();
            if (self.r32, self.r64) == before {
                break;
            }
        }
        let all = self.tnum.intersect(Tnum::range(self.r64.umin, self.r64.umax));
        let low = all.subreg().intersect(Tnum::range(self.r32.umin, self.r32.umax));
        self.tnum = all.with_subreg(low);
        self.update();
    }

    fn update(&mut self) {
        self.r32.update(self.tnum.subreg(), Width::W32);
        self.r64.update(self.tnum, Width::W64);
    }

    /// Bounds of the lower half from those of the whole, where the upper half is fixed or steps
    /// by one while the lower half passes zero.
    fn deduce_32(&mut self) {
        let (umin, umax) = (self.r64.umin, self.r64.umax);
        let (smin, smax) = (self.r64.smin as u64, self.r64.smax as u64);
        if umin >> 32 == umax >> 32 {
            self.r32.narrow_unsigned(umin & U32, umax & U32);
            self.narrow_low_signed(umin, umax);
        }
        if smin >> 32 == smax >> 32 {
            if smin & U32 <= smax & U32 {
                self.r32.narrow_unsigned(smin & U32, smax & U32);
            }
            self.narrow_low_signed(smin, smax);
        }
        for (min, max) in [(umin, umax), (smin, smax)] {
            let steps = ((min >> 32) as u32).wrapping_add(1) == (max >> 32) as u32;
            if steps && (min as i32) < 0 && (max as i32) >= 0 {
                self.r32.narrow_signed(i64::from(min as i32), i64::from(max as i32));
            }
        }
        self.r32.exchange(Width::W32);
    }

    fn narrow_low_signed(&mut self, min: u64, max: u64) {
        let (min, max) = (i64::from(min as i32), i64::from(max as i32));
        if min <= max {
            self.r32.narrow_signed(min, max);
        }
    }

    /// Bounds of the whole from those of the lower half.
    fn deduce_mixed(&mut self) {
        self.combine(self.r32.umin, self.r32.umax);
        let (low_min, low_max) = (self.r32.smin as u64 & U32, self.r32.smax as u64 & U32);
        if low_min <= low_max {
            self.combine(low_min, low_max);
        }
        let r = self.r64;
        if self.r32.smin >= 0 && r.smin >= i64::from(i32::MIN) && r.smax <= i64::from(i32::MAX) {
            // A sign-extended non-negative 32-bit number.
            self.r64 = Range {
                umin: self.r32.smin as u64,
                umax: self.r32.smax as u64,
                smin: self.r32.smin,
                smax: self.r32.smax,
            };
            self.tnum = self.tnum.intersect(Tnum::range(self.r64.umin, self.r64.umax));
        }
    }

    fn combine(&mut self, low_min: u64, low_max: u64) {
        let r = self.r64;
        self.r64.narrow_unsigned((r.umin & !U32) | low_min, (r.umax & !U32) | low_max);
        let (smin, smax) = (r.smin as u64 & !U32 | low_min, r.smax as u64 & !U32 | low_max);
        self.r64.narrow_signed(smin as i64, smax as i64);
    }

    /// Keeps the lower `bytes` and zero-extends.
    pub fn truncate(&mut self, bytes: u32) {
        if bytes >= 8 {
            return;
        }
        self.tnum = self.tnum.cast(bytes);
        let mask = (1u64 << (bytes * 8)) - 1;
        // The bounds survive only where the discarded bits do not vary.
        if self.r64.umin & !mask == self.r64.umax & !mask {
            (self.r64.umin, self.r64.umax) = (self.r64.umin & mask, self.r64.umax & mask);
        } else {
            (self.r64.umin, self.r64.umax) = (0, mask);
        }
        (self.r64.smin, self.r64.smax) = (self.r64.umin as i64, self.r64.umax as i64);
        if bytes < 4 {
            self.r32 = Range::unknown(Width::W32);
        }
        self.sync();
    }

    /// Reverses the lower `bits` (16, 32, 64) byte by byte; those above are gone. Which bits are known
    /// says it all: no bound survives that does not follow from them.
    pub fn swap(&mut self, bits: u32) {
        let swapped = |word: u64| word.swap_bytes() >> (64 - bits);
        let tnum = Tnum { value: swapped(self.tnum.value), mask: swapped(self.tnum.mask) };
        *self = Scalar { tnum, ..Scalar::UNKNOWN };
        self.truncate(bits / 8);
        self.sync();
    }

    /// Sign-extends the lower `bits` (8, 16, 32) to the width; a 32-bit result is zero-extended.
    pub fn sign_extend(&mut self, bits: u32, width: Width) {
        let extend = |value: u64| ((value << (64 - bits)) as i64) >> (64 - bits);
        let before = *self.range(width);
        *self = if let Some(value) = match width {
            Width::W64 => self.value(),
            Width::W32 => self.value32().map(u64::from),
        } {
            Scalar::constant(unsigned(extend(value) as u64, width))
        } else {
            let (min, max) = (extend(before.smin as u64), extend(before.smax as u64));
            let same_top = before.smin >> bits == before.smax >> bits;
            let (min, max) = match same_top && (min >= 0) == (max >= 0) {
                true => (min.min(max), min.max(max)),
                false => (-1i64 << (bits - 1), (1i64 << (bits - 1)) - 1),
            };
            Scalar::signed(min, max)
        };
        if width == Width::W32 {
            self.zero_extend_32();
        }
    }

    /// The result of a 32-bit operation: the upper half is zero.
    pub fn zero_extend_32(&mut self) {
        self.tnum = self.tnum.subreg();
        let low = self.r32;
        let (smin, smax) = match low.smin >= 0 {
            true => (low.smin, low.smax),
            false => (0, U32 as i64),
        };
        self.r64 = Range { umin: low.umin, umax: low.umax, smin, smax };
        self.sync();
    }

    /// `self op src` in the given width.
    pub fn alu(&mut self, op: AluOp, src: &Scalar, width: Width) {
        let shift = src.range(width);
        // Of 32 bits, too, all 64 are looked at.
        let is_small = src.r64.umax < u64::from(width.bits());
        let shift = (shift.umin == shift.umax && is_small).then_some(shift.umin as u32);
        match (op, shift) {
            (AluOp::Add, _) => {
                self.each(|a, w| a.range(w).add(*src.range(w), w));
                self.tnum = self.tnum.add(src.tnum);
            }
            (AluOp::Sub, _) => {
                self.each(|a, w| a.range(w).sub(*src.range(w), w));
                self.tnum = self.tnum.sub(src.tnum);
            }
            (AluOp::Mul, _) => {
                self.tnum = self.tnum.mul(src.tnum);
                self.each(|a, w| a.range(w).mul(*src.range(w), w));
            }
            (AluOp::And, _) => {
                self.tnum = self.tnum.and(src.tnum);
                self.each(|a, w| a.range(w).and(*src.range(w), a.tnum_of(w), w));
            }
            (AluOp::Or, _) => {
                self.tnum = self.tnum.or(src.tnum);
                self.each(|a, w| a.range(w).or(*src.range(w), a.tnum_of(w), w));
            }
            (AluOp::Xor, _) => {
                self.tnum = self.tnum.xor(src.tnum);
                self.each(|a, w| a.range(w).xor(a.tnum_of(w), w));
            }
            (AluOp::Lsh, Some(shift)) => self.lsh(shift, width),
            (AluOp::Rsh, Some(shift)) => self.rsh(shift, width),
            (AluOp::Arsh, Some(shift)) => self.arsh(shift, width),
            // The kernel forgets all 64 bits here, even of 32-bit operations.
            (AluOp::Lsh | AluOp::Rsh | AluOp::Arsh, None)
            | (AluOp::Div | AluOp::Mod | AluOp::Sdiv | AluOp::Smod, _) => {
                *self = Scalar::UNKNOWN;
                return;
            }
        }
        if width == Width::W32 {
            self.zero_extend_32();
        }
        self.sync();
    }

    fn each(&mut self, f: impl Fn(&Scalar, Width) -> Range) {
        let (r32, r64) = (f(self, Width::W32), f(self, Width::W64));
        (self.r32, self.r64) = (r32, r64);
    }

    fn lsh(&mut self, shift: u32, width: Width) {
        let signed_half = (shift == 32).then_some((self.r32.smin << 32, self.r32.smax << 32));
        let left = |range: Range, width: Width| {
            let fits = shift < width.bits() && range.umax <= 1 << (width.bits() - 1 - shift);
            match fits {
                true => Range { umin: range.umin << shift, umax: range.umax << shift, ..range }.unsign(width),
                false => Range::unknown(width),
            }
        };
        self.r32 = left(self.r32, Width::W32);
        match width {
            Width::W64 => {
                self.r64 = left(self.r64, Width::W64);
                if let Some((smin, smax)) = signed_half {
                    (self.r64.smin, self.r64.smax) = (smin, smax);
                }
                self.tnum = self.tnum.lsh(shift);
            }
            Width::W32 => {
                self.r64 = Range::unknown(Width::W64);
                self.tnum = self.tnum.subreg().lsh(shift).subreg();
            }
        }
        self.update();
    }

    fn rsh(&mut self, shift: u32, width: Width) {
        self.tnum = self.tnum_of(width).rsh(shift);
        let range = self.range_mut(width);
        *range = Range { umin: range.umin >> shift, umax: range.umax >> shift, ..*range }.unsign(width);
        self.forget_other(width);
        self.update();
    }

    fn arsh(&mut self, shift: u32, width: Width) {
        self.tnum = self.tnum_of(width).arsh(shift, width.bits());
        let range = self.range_mut(width);
        *range = Range { smin: range.smin >> shift, smax: range.smax >> shift, ..*range }.unbound(width);
        self.forget_other(width);
        self.update();
    }

    /// Forgets the bounds of the other width.
    fn forget_other(&mut self, width: Width) {
        match width {
            Width::W32 => self.r64 = Range::unknown(Width::W64),
            Width::W64 => self.r32 = Range::unknown(Width::W32),
        }
    }
}

/// Whether `a cond b` is known to be true or false (kernel `is_scalar_branch_taken`).
pub fn compare(a: &Scalar, b: &Scalar, cond: Cond, width: Width) -> Option<bool> {
    let (x, y) = (a.range(width), b.range(width));
    let (t, u) = (a.tnum_of(width), b.tnum_of(width));
    let decide = |yes: bool, no: bool| if yes { Some(true) } else { no.then_some(false) };
    match cond {
        Cond::Eq => {
            let disjoint = |x: &Range, y: &Range| {
                x.umin > y.umax || x.umax < y.umin || x.smin > y.smax || x.smax < y.smin
            };
            let same = t.is_constant() && u.is_constant() && t.value == u.value;
            let bits_differ = (t.value ^ u.value) & !t.mask & !u.mask != 0;
            decide(same, bits_differ || disjoint(x, y) || disjoint(&a.r32, &b.r32))
        }
        Cond::Ne => compare(a, b, Cond::Eq, width).map(|equal| !equal),
        Cond::Set => {
            let (t, u) = if u.is_constant() { (t, u) } else { (u, t) };
            if !u.is_constant() {
                return None;
            }
            decide(t.value & u.value != 0, (t.mask | t.value) & u.value == 0)
        }
        Cond::Gt => decide(x.umin > y.umax, x.umax <= y.umin),
        Cond::Ge => decide(x.umin >= y.umax, x.umax < y.umin),
        Cond::Lt => decide(x.umax < y.umin, x.umin >= y.umax),
        Cond::Le => decide(x.umax <= y.umin, x.umin > y.umax),
        Cond::Sgt => decide(x.smin > y.smax, x.smax <= y.smin),
        Cond::Sge => decide(x.smin >= y.smax, x.smax < y.smin),
        Cond::Slt => decide(x.smax < y.smin, x.smin >= y.smax),
        Cond::Sle => decide(x.smax <= y.smin, x.smin > y.smax),
    }
}

/// Narrows both sides to where `a cond b` is `taken` (kernel `regs_refine_cond_op`).
pub fn refine(a: &mut Scalar, b: &mut Scalar, cond: Cond, taken: bool, width: Width) {
    let cond = match (cond, taken) {
        (Cond::Set, _) => {
            refine_set(a, b, taken, width);
            a.sync();
            b.sync();
            return;
        }
        (cond, true) => cond,
        (cond, false) => negated(cond),
    };
    match cond {
        Cond::Eq => refine_eq(a, b, width),
        Cond::Ne => match (b.tnum_of(width).is_constant(), a.tnum_of(width).is_constant()) {
            (true, _) => exclude(a, b.tnum_of(width).value, width),
            (false, true) => exclude(b, a.tnum_of(width).value, width),
            (false, false) => {}
        },
        Cond::Lt => unsigned_less(a, b, 1, width),
        Cond::Le => unsigned_less(a, b, 0, width),
        Cond::Gt => unsigned_less(b, a, 1, width),
        Cond::Ge => unsigned_less(b, a, 0, width),
        Cond::Slt => signed_less(a, b, 1, width),
        Cond::Sle => signed_less(a, b, 0, width),
        Cond::Sgt => signed_less(b, a, 1, width),
        Cond::Sge => signed_less(b, a, 0, width),
        Cond::Set => {}
    }
    a.sync();
    b.sync();
}

/// The condition that holds when `cond` does not; `Set` has none and stays.
pub const fn negated(cond: Cond) -> Cond {
    match cond {
        Cond::Eq => Cond::Ne,
        Cond::Ne => Cond::Eq,
        Cond::Gt => Cond::Le,
        Cond::Le => Cond::Gt,
        Cond::Ge => Cond::Lt,
        Cond::Lt => Cond::Ge,
        Cond::Sgt => Cond::Sle,
        Cond::Sle => Cond::Sgt,
        Cond::Sge => Cond::Slt,
        Cond::Slt => Cond::Sge,
        Cond::Set => Cond::Set,
    }
}

fn refine_eq(a: &mut Scalar, b: &mut Scalar, width: Width) {
    let (x, y) = (*a.range(width), *b.range(width));
    let both = Range {
        umin: x.umin.max(y.umin),
        umax: x.umax.min(y.umax),
        smin: x.smin.max(y.smin),
        smax: x.smax.min(y.smax),
    };
    *a.range_mut(width) = both;
    *b.range_mut(width) = both;
    let common = a.tnum_of(width).intersect(b.tnum_of(width));
    match width {
        Width::W64 => (a.tnum, b.tnum) = (common, common),
        Width::W32 => {
            a.tnum = a.tnum.with_subreg(common);
            b.tnum = b.tnum.with_subreg(common);
        }
    }
}

/// Takes a value off the ends of the ranges.
fn exclude(a: &mut Scalar, value: u64, width: Width) {
    let (u, s) = (unsigned(value, width), signed(value, width));
    let range = a.range_mut(width);
    range.umin = range.umin.saturating_add(u64::from(range.umin == u));
    range.umax = range.umax.saturating_sub(u64::from(range.umax == u));
    range.smin = range.smin.saturating_add(i64::from(range.smin == s));
    range.smax = range.smax.saturating_sub(i64::from(range.smax == s));
}

/// Which number `a & b` tests, and which bits of it; none if neither side is constant.
fn tested<'a>(a: &'a mut Scalar, b: &'a mut Scalar, width: Width) -> Option<(&'a mut Scalar, u64)> {
    match (b.tnum_of(width).is_constant(), a.tnum_of(width).is_constant()) {
        (true, _) => Some((a, b.tnum_of(width).value)),
        (false, true) => Some((b, a.tnum_of(width).value)),
        (false, false) => None,
    }
}

/// Forgets the ranges of the number that `a & b` tests, before that is taken to be 0: so newer kernels
/// keep bits and ranges from contradicting each other on a path that nothing takes.
pub fn forget_tested(a: &mut Scalar, b: &mut Scalar, width: Width) {
    if let Some((tested, _)) = tested(a, b, width) {
        (tested.r32, tested.r64) = (Range::unknown(Width::W32), Range::unknown(Width::W64));
    }
}

fn refine_set(a: &mut Scalar, b: &mut Scalar, taken: bool, width: Width) {
    let Some((x, bits)) = tested(a, b, width) else { return };
    let known = match taken {
        // At least one of the bits is set: with one bit that says which.
        true if bits.is_power_of_two() => x.tnum_of(width).or(Tnum::constant(bits)),
        true => return,
        false => x.tnum_of(width).and(Tnum::constant(!bits)),
    };
    x.tnum = match width {
        Width::W64 => known,
        Width::W32 => x.tnum.with_subreg(known),
    };
}

/// `a + gap <= b`, unsigned.
fn unsigned_less(a: &mut Scalar, b: &mut Scalar, gap: u64, width: Width) {
    let (x, y) = (*a.range(width), *b.range(width));
    a.range_mut(width).umax = x.umax.min(y.umax.saturating_sub(gap));
    b.range_mut(width).umin = y.umin.max(x.umin.saturating_add(gap));
}

/// `a + gap <= b`, signed.
fn signed_less(a: &mut Scalar, b: &mut Scalar, gap: i64, width: Width) {
    let (x, y) = (*a.range(width), *b.range(width));
    a.range_mut(width).smax = x.smax.min(y.smax.saturating_sub(gap));
    b.range_mut(width).smin = y.smin.max(x.smin.saturating_add(gap));
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value() {
            Some(value) => write!(f, "{}", value as i64),
            None => {
                let (r, s) = (&self.r64, &self.r32);
                write!(f, "[u {}..={} s {}..={}", r.umin, r.umax, r.smin, r.smax)?;
                write!(f, " u32 {}..={} s32 {}..={}", s.umin, s.umax, s.smin, s.smax)?;
                write!(f, " bits {:?}]", self.tnum)
            }
        }
    }
}

#[cfg(test)]
#[path = "scalar_tests.rs"]
mod tests;
