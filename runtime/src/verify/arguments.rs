//! Arguments of helpers: is each what the helper's prototype wants?
//!
//! In: a register and a row's [`Arg`]. Out: what the rest of the call needs to know of it, in [`Call`].

use skep_stdlib::helpers::{Access as MemAccess, Arg, Helper};
use skep_stdlib::maps::MapType;

use super::call::Call;
use super::fields::Field;
use super::lock::Locks;
use super::reg::{Pointer, PtrKind, Reg, Sock};
use super::region::{Callee, reg_of};
use super::report::Cause;
use super::state::State;
use super::walk::{Check, Walk};

impl Walk<'_> {
    /// The argument with this index.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn check_argument(
        &mut self,
        state: &mut State,
        slot: u32,
        helper: &'static Helper,
        args: &[Arg],
        index: usize,
        arg: Arg,
        call: &mut Call,
    ) -> Check {
        let number = index as u8 + 1;
        let reg = state.frame().regs[usize::from(number)];
        let callee = Callee::of(helper);
        let wrong = |wanted: &'static str| callee.wrong(number, wanted, &reg);
        if reg == Reg::Uninit {
            return Err(Cause::Uninit { reg: number });
        }
        if !matches!(arg, Arg::Any | Arg::Scalar) {
            self.need(state, reg_of(number));
        }
        match arg {
            Arg::Any => match reg {
                Reg::Pointer(_) if !self.cx.leaks() => {
                    let log = alloc::format!("R{number} leaks addr into helper function");
                    Err(Cause::PointerLeak { reg: number, log })
                }
                _ => Ok(()),
            },
            Arg::Scalar => reg.as_scalar().map(|_| ()).ok_or_else(|| wrong("a number")),
            Arg::Ctx | Arg::CtxOrNull => match reg {
                Reg::Pointer(p) if p.kind == PtrKind::Ctx && p.off == 0 && p.is_fixed() => Ok(()),
                _ if arg == Arg::CtxOrNull && reg.value() == Some(0) => Ok(()),
                _ => Err(wrong("the program's context, unmodified")),
            },
            Arg::Map => match reg {
                Reg::Pointer(Pointer { kind: PtrKind::Map(map), nullable: false, .. }) => {
                    Self::check_same_map(&callee, number, &reg, call)?;
                    call.map = Some(map);
                    Ok(())
                }
                _ => Err(wrong("a map")),
            },
            Arg::MapKey | Arg::MapValue | Arg::MapValueUninit | Arg::MapValueOrNull => {
                if arg == Arg::MapValueOrNull {
                    if reg.value() == Some(0) {
                        return Ok(());
                    }
                    // What these helpers are given may be written, as far as the kernel says.
                    callee.check_written(number, &reg)?;
                }
                let def = call.map.and_then(|map| self.cx.map(map));
                if arg != Arg::MapKey && def.is_some_and(|def| is_sockmap(def.ty)) {
                    return match self.check_socket(&reg, true) {
                        true => Ok(()),
                        false => Err(wrong("a socket that is not null")),
                    };
                }
                let size =
                    def.map_or(0, |def| if arg == Arg::MapKey { def.key_size } else { def.value_size });
                let access = match arg {
                    Arg::MapValueUninit => MemAccess::Uninit,
                    _ => MemAccess::Read,
                };
                self.check_memory(state, &callee, number, size, access, call)?;
                if arg == Arg::MapKey && self.may_have_every_key(call.map) {
                    call.key = self.constant_key(state, &reg, size);
                }
                Ok(())
            }
            Arg::Fixed(access, size) => {
                self.check_memory(state, &callee, number, size, access, call)?;
                self.check_result_alignment(&reg, number, access, size)
            }
            // Checked with the size that follows.
            Arg::Mem(_) | Arg::MemOrNull(_) => match reg {
                Reg::Scalar(num) if matches!(arg, Arg::MemOrNull(_)) && num.value.value() == Some(0) => {
                    Ok(())
                }
                Reg::Pointer(_) => Ok(()),
                _ => Err(wrong("a pointer to memory")),
            },
            Arg::Size | Arg::SizeOrZero => {
                let access = match args.get(index.wrapping_sub(1)) {
                    Some(&Arg::Mem(access)) => Some((access, false)),
                    Some(&Arg::MemOrNull(access)) => Some((access, true)),
                    _ => None,
                };
                self.check_size(state, &callee, number, access, arg == Arg::SizeOrZero, call)
            }
            Arg::AllocSize => match reg.value() {
                Some(size) => {
                    // Only 32 bits count: of more, the ring buffer gives nothing.
                    call.alloc = Some(size as u32);
                    Ok(())
                }
                None => Err(match reg {
                    Reg::Scalar(_) => {
                        wrong("a constant").logged(alloc::format!("R{number} is not a known constant'"))
                    }
                    _ => wrong("a constant"),
                }),
            },
            Arg::RingbufMem => {
                call.release = Some(
                    reserved_record(&reg, number)
                        .map_err(|cause| cause.unwrap_or_else(|| wrong("the record that was reserved")))?,
                );
                Ok(())
            }
            Arg::SocketOrNull | Arg::BtfSockOrNull if reg.value() == Some(0) => Ok(()),
            Arg::SockCommon | Arg::BtfSock | Arg::BtfSockOrNull | Arg::BtfSockRelease | Arg::SocketOrNull => {
                let by_type = !matches!(arg, Arg::SockCommon | Arg::SocketOrNull);
                let full = matches!(reg, Reg::Pointer(p) if p.kind == PtrKind::Socket(Sock::Full));
                if !self.check_socket(&reg, by_type) || (arg == Arg::SocketOrNull && !full) {
                    return Err(wrong("a socket that is not null"));
                }
                let reference = reg.as_pointer().map_or(0, |pointer| pointer.reference);
                if arg == Arg::BtfSockRelease {
                    if reference == 0 {
                        return Err(wrong("a socket that was acquired"));
                    }
                    call.release = Some(reference);
                }
                call.reference = reference;
                Ok(())
            }
            Arg::ConstStr => {
                self.check_string(&reg).ok_or_else(|| wrong("a constant string in read-only data"))
            }
            Arg::BtfOrNull(_) if reg.value() == Some(0) => Ok(()),
            Arg::Btf(name) | Arg::BtfOrNull(name) => match self.is_kernel_object(&reg, arg, name) {
                true => Ok(()),
                false => Err(wrong("a valid pointer to this kernel structure")),
            },
            Arg::StackOrNull => match reg {
                Reg::Pointer(Pointer { kind: PtrKind::Stack(_), .. }) => Ok(()),
                _ if reg.value() == Some(0) => Ok(()),
                _ => Err(wrong("a pointer to the stack or null")),
            },
            Arg::Callback => {
                call.callback = Some(self.callback(&reg).ok_or_else(|| wrong("a function of the program"))?);
                Ok(())
            }
            Arg::Dynptr => {
                call.dynptr = Some(self.dynptr(state, &callee, number)?);
                Ok(())
            }
            Arg::DynptrUninit => {
                call.makes = Some(number);
                Ok(())
            }
            Arg::DynptrRelease => {
                let dynptr = self.dynptr(state, &callee, number)?;
                if dynptr.reference == 0 {
                    return Err(wrong("a dynamic pointer to a reserved record"));
                }
                call.dynptr = Some(dynptr);
                Ok(())
            }
            Arg::SpinLock => {
                call.lock = Some(self.lock(state, slot, &callee, number, Locks::Plain)?);
                Ok(())
            }
            Arg::Timer => {
                call.deferred = Some(self.deferred(state, &callee, number, Field::Timer)?);
                Ok(())
            }
            Arg::KptrSlot => {
                call.kptr = Some(self.kptr_slot(state, &callee, number)?);
                Ok(())
            }
            Arg::KptrOrNull => self.kptr_given(state, &callee, number, call),
            Arg::PercpuVar => {
                call.percpu =
                    Some(self.per_cpu(&reg).ok_or_else(|| wrong("the address of memory of each processor"))?);
                Ok(())
            }
        }
    }

    /// Is it a string that ends inside a frozen map?
    pub(super) fn check_string(&self, reg: &Reg) -> Option<()> {
        let pointer = reg.as_pointer().filter(|p| !p.nullable && p.is_fixed())?;
        let PtrKind::MapValue(map) = pointer.kind else { return None };
        let def = self.cx.map(map).filter(|def| def.is_frozen())?;
        let text = def.contents.get(usize::try_from(pointer.off).ok()?..)?;
        text.contains(&0).then_some(())
    }
}

/// Does a map of this type hold sockets?
pub fn is_sockmap(ty: MapType) -> bool {
    matches!(ty, MapType::Sockmap | MapType::Sockhash)
}

/// The reference of the ring buffer record in a register; the error is `None` when it is something
/// else.
fn reserved_record(reg: &Reg, number: u8) -> Result<u32, Option<Cause>> {
    match reg {
        Reg::Pointer(p) if matches!(p.kind, PtrKind::Ringbuf(_)) && p.nullable => {
            Err(Some(Cause::MaybeNull { access: super::access::access(p, reg_of(number), 0, 1, false) }))
        }
        Reg::Pointer(p) if matches!(p.kind, PtrKind::Ringbuf(_)) && p.off == 0 && p.is_fixed() => {
            Ok(p.reference)
        }
        _ => Err(None),
    }
}
