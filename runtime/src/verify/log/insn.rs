//! An instruction as the kernel's disassembler prints it (`kernel/bpf/disasm.c`): with its opcode, the
//! targets of jumps as `pc+2`, what a comparison takes in hexadecimal, and calls by name.
//!
//! Where the kernel shows an address that only it has, there is the name of the map or the function.

use alloc::vec::Vec;
use core::fmt::{self, Display, Formatter};

use skep_stdlib::ByteOrder;
use skep_stdlib::helpers::Helper;
use skep_stdlib::isa::print::{name, operand};
use skep_stdlib::isa::{self, AtomicOp, CallTarget, Imm64, Insn, Operand, Reg, Size, Width};

use super::super::walk::target;
use crate::object::{Image, Program};

/// An instruction of a program.
pub struct Shown<'a> {
    /// The program's image.
    pub image: &'a Image,
    /// The program.
    pub program: &'a Program,
    /// The instruction's slot.
    pub slot: u32,
    /// The instruction.
    pub insn: &'a Insn,
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "({:02x}) ", opcode(self.insn))?;
        match *self.insn {
            Insn::Alu { width, op, dst, src } => {
                write!(f, "{} {} {}", name(width, dst), op.symbol(), operand(width, src))
            }
            Insn::Mov { width, dst, src } => write!(f, "{} = {}", name(width, dst), operand(width, src)),
            Insn::MovSx { width, bits, dst, src } => {
                write!(f, "{} = (s{bits}){}", name(width, dst), name(width, src))
            }
            Insn::Neg { width, dst } => write!(f, "{} = -{}", name(width, dst), name(width, dst)),
            Insn::Swap { kind, bits, dst } => write!(f, "{dst} = {}{bits} {dst}", kind.symbol()),
            Insn::LoadImm64 { dst, value } => {
                write!(f, "{dst} = ")?;
                self.value(f, value)
            }
            Insn::Load { size, signed: false, dst, base, off } => {
                write!(f, "{dst} = *{}", Place(size, base, off))
            }
            Insn::Load { size, signed: true, dst, base, off } => {
                write!(f, "{dst} = *(s{} *)({base} {off:+})", size.bytes() * 8)
            }
            Insn::Store { size, base, off, src } => {
                write!(f, "*{} = {}", Place(size, base, off), operand(Width::W64, src))
            }
            Insn::Atomic { size, op, base, off, src } => atomic(f, op, Place(size, base, off), src),
            Insn::LoadAcquire { size, dst, base, off } => {
                write!(f, "{dst} = load_acquire({})", Place(size, base, off))
            }
            Insn::StoreRelease { size, base, off, src } => {
                write!(f, "store_release({}, {src})", Place(size, base, off))
            }
            Insn::LoadAbs { size, imm } => write!(f, "r0 = *(u{} *)skb[{imm}]", size.bytes() * 8),
            Insn::LoadInd { size, src, imm } => {
                write!(f, "r0 = *(u{} *)skb[{src} + {imm}]", size.bytes() * 8)
            }
            Insn::AddrSpaceCast { dst, src, spaces } => {
                let (to, from) = (spaces as u32 >> 16, spaces & 0xffff);
                write!(f, "{dst} = addr_space_cast({src}, {to}, {from})")
            }
            Insn::Jump { off, long } => write!(f, "goto{} pc{off:+}", if long { "l" } else { "" }),
            Insn::Branch { width, cond, dst, src, off } => {
                write!(f, "if {} {} ", name(width, dst), cond.symbol())?;
                match src {
                    Operand::Reg(src) => write!(f, "{}", name(width, src))?,
                    Operand::Imm(imm) => write!(f, "{imm:#x}")?,
                }
                write!(f, " goto pc{off:+}")
            }
            Insn::MayGoto { off } => write!(f, "may_goto pc{off:+}"),
            Insn::Call(callee) => self.call(f, callee),
            Insn::Exit => f.write_str("exit"),
        }
    }
}

impl Shown<'_> {
    fn value(&self, f: &mut Formatter<'_>, value: Imm64) -> fmt::Result {
        let map = |index: i32| self.image.maps.get(index as usize).map_or("?", |map| map.name.as_str());
        match value {
            Imm64::Const(value) => write!(f, "{value:#x}"),
            Imm64::MapIdx(index) => write!(f, "map[{}]", map(index)),
            Imm64::MapIdxValue { index, offset } => write!(f, "map[{}][0]+{offset}", map(index)),
            Imm64::MapFd(fd) => write!(f, "map[fd:{fd}]"),
            Imm64::MapValue { fd, offset } => write!(f, "map[fd:{fd}][0]+{offset}"),
            Imm64::BtfId { id, .. } => match self.image.ksyms.get(&id) {
                Some(name) => f.write_str(name),
                None => write!(f, "btf_id[{id}]"),
            },
            Imm64::Func(distance) => {
                let start = target(self.slot, distance);
                match self.program.functions.iter().find(|function| function.start == start) {
                    Some(function) => f.write_str(&function.name),
                    None => write!(f, "pc{distance:+}"),
                }
            }
        }
    }

    fn call(&self, f: &mut Formatter<'_>, callee: CallTarget) -> fmt::Result {
        match callee {
            CallTarget::Local(distance) => write!(f, "call pc{distance:+}"),
            CallTarget::Helper(id) => match u32::try_from(id).ok().and_then(Helper::from_id) {
                Some(helper) => write!(f, "call bpf_{}#{id}", helper.name),
                None => write!(f, "call unknown#{id}"),
            },
            CallTarget::Kfunc { id, .. } => {
                let name = self.image.kfuncs.get(&id).map_or("kernel-function", |name| name.as_str());
                write!(f, "call {name}#{id}")
            }
            CallTarget::Reg(reg) => write!(f, "callx {reg}"),
        }
    }
}

/// The first byte of the encoding; 0 if there is none.
fn opcode(insn: &Insn) -> u8 {
    let mut bytes = Vec::new();
    let encoded = isa::encode(insn, ByteOrder::Little, &mut bytes);
    if encoded.is_ok() { bytes[0] } else { 0 }
}

fn atomic(f: &mut Formatter<'_>, op: AtomicOp, place: Place, src: Reg) -> fmt::Result {
    let wide = if place.0 == Size::DW { "64" } else { "" };
    let fetch =
        |f: &mut Formatter<'_>, name: &str| write!(f, "{src} = atomic{wide}_fetch_{name}({place}, {src})");
    match op {
        AtomicOp::Add { fetch: false } => write!(f, "lock *{place} += {src}"),
        AtomicOp::Or { fetch: false } => write!(f, "lock *{place} |= {src}"),
        AtomicOp::And { fetch: false } => write!(f, "lock *{place} &= {src}"),
        AtomicOp::Xor { fetch: false } => write!(f, "lock *{place} ^= {src}"),
        AtomicOp::Add { fetch: true } => fetch(f, "add"),
        AtomicOp::Or { fetch: true } => fetch(f, "or"),
        AtomicOp::And { fetch: true } => fetch(f, "and"),
        AtomicOp::Xor { fetch: true } => fetch(f, "xor"),
        AtomicOp::Xchg => write!(f, "{src} = atomic{wide}_xchg({place}, {src})"),
        AtomicOp::CmpXchg => write!(f, "r0 = atomic{wide}_cmpxchg({place}, r0, {src})"),
    }
}

/// `(u64 *)(r1 +8)`.
struct Place(Size, Reg, i16);

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "(u{} *)({} {:+})", self.0.bytes() * 8, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::object::Code;

    /// The line for what this assembles to.
    fn line(text: &str) -> alloc::string::String {
        let insn = isa::asm::parse(text).unwrap();
        let image = Image::bare("xdp", Code::new([insn])).unwrap();
        Shown { image: &image, program: &image.programs[0], slot: 0, insn: &insn }.to_string()
    }

    #[test]
    fn lines_are_the_kernels() {
        for (text, wanted) in [
            ("r6 = r1", "(bf) r6 = r1"),
            ("w3 = -7", "(b4) w3 = -7"),
            ("r0 = (s8)r1", "(bf) r0 = (s8)r1"),
            ("r2 = be16 r2", "(dc) r2 = be16 r2"),
            ("r2 = bswap16 r2", "(d7) r2 = bswap16 r2"),
            ("r1 = *(u64 *)(r10 - 8)", "(79) r1 = *(u64 *)(r10 -8)"),
            ("*(u8 *)(r1 + 0) = r2", "(73) *(u8 *)(r1 +0) = r2"),
            ("*(u32 *)(r10 - 8) = 1", "(62) *(u32 *)(r10 -8) = 1"),
            ("if r2 != -8 goto +2", "(55) if r2 != 0xfffffff8 goto pc+2"),
            ("if w3 == w4 goto -1", "(1e) if w3 == w4 goto pc-1"),
            ("goto +0", "(05) goto pc+0"),
            ("call 181", "(85) call bpf_loop#181"),
            ("r1 = 16 ll", "(18) r1 = 0x10"),
            ("exit", "(95) exit"),
        ] {
            assert_eq!(line(text), wanted);
        }
    }
}
