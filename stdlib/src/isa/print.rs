//! `Display` of an instruction: the pseudo-C that the kernel and LLVM print.
//!
//! ```text
//! r2 = *(u8 *)(r1 + 13)        w1 = w2         if r3 > r2 goto +13      r1 = 0 ll
//! ```
//! Numbers are decimal. What LLVM cannot express (map references, kernel functions) follows the
//! notation of `bpftool`. [`super::asm`] reads every line this prints.

use core::fmt::{self, Display, Formatter};

use super::*;

impl Display for Insn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Insn::Alu { width, op, dst, src } => {
                write!(f, "{} {} {}", name(width, dst), op.symbol(), operand(width, src))
            }
            Insn::Mov { width, dst, src } => {
                write!(f, "{} = {}", name(width, dst), operand(width, src))
            }
            Insn::MovSx { width, bits, dst, src } => {
                write!(f, "{} = (s{bits}){}", name(width, dst), name(width, src))
            }
            Insn::Neg { width, dst } => {
                write!(f, "{} = -{}", name(width, dst), name(width, dst))
            }
            Insn::Swap { kind, bits, dst } => write!(f, "{dst} = {}{bits} {dst}", kind.symbol()),
            Insn::LoadImm64 { dst, value } => write!(f, "{dst} = {value}"),
            Insn::Load { size, signed, dst, base, off } => {
                let sign = if signed { 's' } else { 'u' };
                write!(f, "{dst} = *({sign}{} *)({base}{})", bits(size), Offset(off.into()))
            }
            Insn::Store { size, base, off, src } => {
                let address = Address { size, base, off };
                write!(f, "*{address} = {}", operand(Width::W64, src))
            }
            Insn::Atomic { size, op, base, off, src } => atomic_text(f, size, op, base, off, src),
            Insn::LoadAcquire { size, dst, base, off } => {
                let address = Address { size, base, off };
                write!(f, "{} = load_acquire({address})", name(access_width(size), dst))
            }
            Insn::StoreRelease { size, base, off, src } => {
                let address = Address { size, base, off };
                write!(f, "store_release({address}, {})", name(access_width(size), src))
            }
            Insn::LoadAbs { size, imm } => write!(f, "r0 = *(u{} *)skb[{imm}]", bits(size)),
            Insn::LoadInd { size, src, imm: 0 } => write!(f, "r0 = *(u{} *)skb[{src}]", bits(size)),
            Insn::LoadInd { size, src, imm } => {
                write!(f, "r0 = *(u{} *)skb[{src}{}]", bits(size), Offset(imm))
            }
            Insn::AddrSpaceCast { dst, src, spaces } => {
                let (to, from) = (spaces as u32 >> 16, spaces & 0xffff);
                write!(f, "{dst} = addr_space_cast({src}, {to}, {from})")
            }
            Insn::Jump { off, long } => write!(f, "goto{} {off:+}", if long { "l" } else { "" }),
            Insn::Branch { width, cond, dst, src, off } => {
                let (left, right) = (name(width, dst), operand(width, src));
                write!(f, "if {left} {} {right} goto {off:+}", cond.symbol())
            }
            Insn::MayGoto { off } => write!(f, "may_goto {off:+}"),
            Insn::Call(target) => write!(f, "{target}"),
            Insn::Exit => f.write_str("exit"),
        }
    }
}

impl Display for Imm64 {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Imm64::Const(value) => write!(f, "{} ll", value as i64),
            Imm64::MapFd(fd) => write!(f, "map[fd:{fd}]"),
            Imm64::MapValue { fd, offset } => write!(f, "map[fd:{fd}][0]+{offset}"),
            Imm64::BtfId { id, module: 0 } => write!(f, "btf_id[{id}]"),
            Imm64::BtfId { id, module } => write!(f, "btf_id[{id}:{module}]"),
            Imm64::Func(distance) => write!(f, "subprog[{distance:+}]"),
            Imm64::MapIdx(index) => write!(f, "map[idx:{index}]"),
            Imm64::MapIdxValue { index, offset } => write!(f, "map[idx:{index}][0]+{offset}"),
        }
    }
}

impl Display for CallTarget {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            CallTarget::Helper(id) => write!(f, "call {id}"),
            CallTarget::Local(distance) => write!(f, "call pc{distance:+}"),
            CallTarget::Kfunc { id, module: 0 } => write!(f, "call kfunc#{id}"),
            CallTarget::Kfunc { id, module } => write!(f, "call kfunc#{id}:{module}"),
            CallTarget::Reg(reg) => write!(f, "callx {reg}"),
        }
    }
}

fn atomic_text(
    f: &mut Formatter<'_>,
    size: Size,
    op: AtomicOp,
    base: Reg,
    off: i16,
    src: Reg,
) -> fmt::Result {
    let width = access_width(size);
    let value = name(width, src);
    let address = Address { size, base, off };
    let place = Offset(off.into());
    let symbol = op.symbol();
    let tag = exchange_tag(size);
    match op {
        AtomicOp::Add { fetch: false }
        | AtomicOp::Or { fetch: false }
        | AtomicOp::And { fetch: false }
        | AtomicOp::Xor { fetch: false } => write!(f, "lock *{address} {symbol} {value}"),
        AtomicOp::Add { fetch: true }
        | AtomicOp::Or { fetch: true }
        | AtomicOp::And { fetch: true }
        | AtomicOp::Xor { fetch: true } => write!(f, "{value} = {symbol}({address}, {value})"),
        AtomicOp::Xchg => write!(f, "{value} = {symbol}{tag}({base}{place}, {value})"),
        AtomicOp::CmpXchg => {
            let result = name(width, Reg::R0);
            write!(f, "{result} = {symbol}{tag}({base}{place}, {result}, {value})")
        }
    }
}

/// LLVM's suffix of exchange functions.
fn exchange_tag(size: Size) -> &'static str {
    match size {
        Size::DW => "_64",
        Size::B | Size::H | Size::W => "32_32",
    }
}

fn access_width(size: Size) -> Width {
    match size {
        Size::DW => Width::W64,
        Size::B | Size::H | Size::W => Width::W32,
    }
}

fn bits(size: Size) -> u32 {
    size.bytes() * 8
}

/// A register as an operand of this width: `r1`, `w1`.
pub struct Name(Width, Reg);

/// The register's name.
pub fn name(width: Width, reg: Reg) -> Name {
    Name(width, reg)
}

impl Display for Name {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let prefix = match self.0 {
            Width::W32 => 'w',
            Width::W64 => 'r',
        };
        write!(f, "{prefix}{}", self.1.number())
    }
}

/// A second operand of this width: a register or a decimal number.
pub struct OperandText(Width, Operand);

/// The operand's text.
pub fn operand(width: Width, operand: Operand) -> OperandText {
    OperandText(width, operand)
}

impl Display for OperandText {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.1 {
            Operand::Reg(reg) => name(self.0, reg).fmt(f),
            Operand::Imm(imm) => imm.fmt(f),
        }
    }
}

/// ` + 8`, ` - 8`.
struct Offset(i32);

impl Display for Offset {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { '-' } else { '+' };
        write!(f, " {sign} {}", self.0.unsigned_abs())
    }
}

/// `(u64 *)(r1 + 8)`.
struct Address {
    size: Size,
    base: Reg,
    off: i16,
}

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "(u{} *)({}{})", bits(self.size), self.base, Offset(self.off.into()))
    }
}

impl AluOp {
    /// The assignment operator that pseudo-C uses: `+=`, `s>>=`.
    pub fn symbol(self) -> &'static str {
        ALU_OPS.iter().find(|d| d.op == self).map_or("?=", |d| d.symbol)
    }
}

impl Cond {
    /// The comparison operator that pseudo-C uses: `==`, `s<`.
    pub fn symbol(self) -> &'static str {
        CONDS.iter().find(|d| d.cond == self).map_or("?", |d| d.symbol)
    }
}

impl AtomicOp {
    /// The operator or function that pseudo-C uses: `+=`, `atomic_fetch_add`.
    pub fn symbol(self) -> &'static str {
        ATOMICS.iter().find(|d| d.op == self).map_or("?", |d| d.symbol)
    }
}

impl Endian {
    /// The name that pseudo-C uses, without the number of bits.
    pub const fn symbol(self) -> &'static str {
        match self {
            Endian::ToLe => "le",
            Endian::ToBe => "be",
            Endian::Bswap => "bswap",
        }
    }
}
