//! Memory that a program hands to a helper or a function: every byte of it must be the program's,
//! and written if it is read.

use alloc::string::{String, ToString};

use skep_stdlib::helpers::{Access as MemAccess, Helper};
use skep_stdlib::isa::Reg as R;

use super::call::Call;
use super::reg::{Pointer, PtrKind, Reg, Trust};
use super::report::{Access, Cause, terms};
use super::stack;
use super::state::State;
use super::walk::{Check, Walk};

/// Who is called.
#[derive(Clone, Copy)]
pub enum Callee<'a> {
    /// A helper.
    Helper(&'static Helper),
    /// A function with this name.
    Function(&'a str),
}

impl Callee<'_> {
    /// A helper.
    pub fn of(helper: &'static Helper) -> Callee<'static> {
        Callee::Helper(helper)
    }

    /// Is an argument memory that may be written, and not a structure of the kernel?
    pub fn check_written(&self, number: u8, reg: &Reg) -> Check {
        if !matches!(reg, Reg::Pointer(Pointer { kind: PtrKind::Btf { .. }, .. })) {
            return Ok(());
        }
        let (name, ty) = (self.name(), terms::log_type(reg));
        let log = alloc::format!("{name}() may write into memory pointed by R{number} type={ty}");
        Err(self.wrong(number, "memory that may be written", reg).logged(log))
    }

    /// Its name as the program spells it.
    pub fn name(&self) -> String {
        match self {
            Callee::Helper(helper) => alloc::format!("bpf_{}", helper.name),
            Callee::Function(name) => name.to_string(),
        }
    }

    /// Does it take memory in the packet?
    fn packet(&self) -> bool {
        match self {
            Callee::Helper(helper) => helper.pkt_access,
            Callee::Function(_) => true,
        }
    }

    /// The same failure, for which the kernel has these words if it is a function of its own.
    pub fn worded(&self, cause: Cause, words: String) -> Cause {
        match self {
            Callee::Helper(_) => cause,
            Callee::Function(_) => cause.logged(words),
        }
    }

    /// Argument `argument` should be what is wanted, and is not.
    pub fn wrong(&self, argument: u8, wanted: &'static str, reg: &Reg) -> Cause {
        let (got, born) = match reg {
            Reg::Uninit => ("nothing", 0),
            Reg::Scalar(num) => ("a number", num.slot),
            Reg::Pointer(p) if p.nullable => ("a pointer that may be null", p.slot),
            Reg::Pointer(p) => (p.kind.noun(), p.slot),
        };
        let log = match self {
            Callee::Helper(helper) => {
                let arg = helper.args.get(usize::from(argument).wrapping_sub(1)).copied();
                terms::argument(helper, arg, argument, reg)
            }
            Callee::Function(_) => alloc::format!("R{argument} type={} expected=fp", terms::log_type(reg)),
        };
        Cause::Argument { callee: self.name(), argument, wanted, got, born, log }
    }
}

impl Walk<'_> {
    /// The size in argument `number`, of the memory in the argument before it: how that is used,
    /// and whether it may be null.
    pub(super) fn check_size(
        &mut self,
        state: &mut State,
        callee: &Callee<'_>,
        number: u8,
        memory: Option<(MemAccess, bool)>,
        zero_allowed: bool,
        call: &mut Call,
    ) -> Check {
        let reg = state.frame().regs[usize::from(number)];
        let Reg::Scalar(num) = reg else {
            return Err(callee.wrong(number, "a number", &reg));
        };
        let range = num.value.r64;
        let out_of_range =
            Cause::SizeArgument { callee: callee.name(), argument: number, min: range.smin, max: range.umax };
        if range.smin < 0 || range.umax >= 1 << 29 || (range.umin == 0 && !zero_allowed) {
            return Err(out_of_range);
        }
        let Some((access, may_be_null)) = memory else { return Ok(()) };
        let memory = number - 1;
        let pointer = state.frame().regs[usize::from(memory)];
        if pointer.value() == Some(0) && may_be_null && range.umax == 0 {
            return Ok(());
        }
        if range.umin == 0 && range.umax > 0 {
            self.check_memory(state, callee, memory, 0, access, call)?;
        }
        // A helper that fills memory of unknown size may fill none of it.
        let access = match (access, num.value.value()) {
            (MemAccess::Uninit, None) => MemAccess::Write,
            (access, _) => access,
        };
        self.check_memory(state, callee, memory, range.umax as u32, access, call)
    }

    /// Memory of `size` bytes in argument `number`.
    pub(super) fn check_memory(
        &mut self,
        state: &mut State,
        callee: &Callee<'_>,
        number: u8,
        size: u32,
        wanted: MemAccess,
        call: &mut Call,
    ) -> Check {
        let reg = state.frame().regs[usize::from(number)];
        let Reg::Pointer(pointer) = reg else {
            return Err(callee.wrong(number, "a pointer to memory", &reg));
        };
        let write = matches!(wanted, MemAccess::Uninit | MemAccess::Write | MemAccess::ReadWrite);
        let access =
            Access { indirect: true, ..super::access::access(&pointer, reg_of(number), 0, size, write) };
        match pointer.kind {
            PtrKind::Btf { trust: Trust::Trusted, .. } if matches!(callee, Callee::Helper(_)) => match wanted
            {
                MemAccess::Read => self.load_structure(state, 0, &pointer, &access).map(|_| ()),
                MemAccess::Uninit | MemAccess::Write | MemAccess::ReadWrite => {
                    callee.check_written(number, &reg)
                }
            },
            PtrKind::Stack(depth) => self.check_stack_memory(state, depth, &access, wanted, call),
            PtrKind::Packet(_) | PtrKind::PacketMeta(_) if !callee.packet() => Err(callee
                .wrong(number, "memory that is not in the packet", &reg)
                .logged("helper access to the packet is not allowed")),
            PtrKind::Packet(_)
            | PtrKind::PacketMeta(_)
            | PtrKind::MapValue(_)
            | PtrKind::Mem { .. }
            | PtrKind::Ringbuf(_) => self.check_access(&pointer, &access),
            PtrKind::Ctx if matches!(callee, Callee::Function(_)) => {
                let log = alloc::format!("invalid bpf_context access off={} size={size}", pointer.off);
                Err(callee.wrong(number, "a pointer to memory", &reg).logged(log))
            }
            PtrKind::Ctx
            | PtrKind::Map(_)
            | PtrKind::PacketEnd
            | PtrKind::Socket(_)
            | PtrKind::FlowKeys
            | PtrKind::Probed
            | PtrKind::Btf { .. }
            | PtrKind::Object { .. }
            | PtrKind::Iter { .. }
            | PtrKind::Irq { .. }
            | PtrKind::Remote { .. }
            | PtrKind::Dynptr(_)
            | PtrKind::Arena
            | PtrKind::Func(_) => Err(callee.wrong(number, "a pointer to memory", &reg)),
        }
    }

    /// A number that the helper writes must be aligned.
    pub(super) fn check_result_alignment(
        &self,
        reg: &Reg,
        number: u8,
        wanted: MemAccess,
        size: u32,
    ) -> Check {
        let Reg::Pointer(pointer) = reg else { return Ok(()) };
        let access = super::access::access(pointer, reg_of(number), 0, size, true);
        let is_number = matches!(wanted, MemAccess::Uninit | MemAccess::Write) && matches!(size, 4 | 8);
        match is_number && !super::access::is_aligned(pointer, &access) {
            true => Err(Cause::Misaligned { access }),
            false => Ok(()),
        }
    }

    fn check_stack_memory(
        &mut self,
        state: &mut State,
        depth: u32,
        access: &Access,
        wanted: MemAccess,
        call: &mut Call,
    ) -> Check {
        let (start, end) = stack::bounds(access)?;
        self.touch_stack(state, depth, start);
        if access.size == 0 {
            return Ok(());
        }
        let frame = &state.frames[depth as usize];
        let exact = access.min == access.max;
        match wanted {
            MemAccess::Uninit if exact => {
                // The callee may read a dynamic pointer there after it has written to it.
                stack::check_no_dynptr(frame, start, end, access.reg)?;
                if !self.cx.leaks() && stack::spilled_pointer(frame, start, end) {
                    return Err(stack::leak(access, stack::CORRUPTS));
                }
                call.fills.push((depth, start, end));
                self.log_stack(start, end);
            }
            MemAccess::Read | MemAccess::ReadWrite | MemAccess::Write | MemAccess::Uninit => {
                self.read_stack(depth, start, end);
                stack::check_written(frame, start, end, self.cx.trust(), Some(access.reg))?;
                if !self.cx.leaks() && stack::spilled_pointer(frame, start, end) {
                    let log = alloc::format!("invalid indirect read from stack R{} off {start}", access.reg);
                    return Err(stack::leak(access, &log));
                }
                if wanted != MemAccess::Read {
                    call.fills.push((depth, start, end));
                }
            }
        }
        Ok(())
    }
}

/// The register of an argument.
pub fn reg_of(number: u8) -> R {
    R::new(number).unwrap_or(R::R1)
}
