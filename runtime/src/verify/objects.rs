//! Objects that a program allocates, of types of its own: made, read and written, given back
//! (kernel `bpf_obj_new`, `bpf_obj_drop`, `bpf_refcount_acquire`).

use alloc::format;
use alloc::string::String;

use skep_stdlib::btf::{self, Btf, Kind, TypeId};

use super::call::Call;
use super::fields::Field;
use super::members;
use super::reg::{Hold, Pointer, PtrKind, Reg};
use super::region::Callee;
use super::report::{Access, Cause, terms};
use super::state::{Reference, State};
use super::walk::{Check, Walk};

/// Most bytes of an object of which there is one for each processor.
const MAX_PERCPU: u64 = 512;
/// Structures of scalars are nested this deep at most.
pub const MAX_DEPTH: u32 = 4;

/// Functions that make an object of a type of the program's, and whether for each processor.
const MAKERS: &[(&str, bool)] = &[("bpf_obj_new_impl", false), ("bpf_percpu_obj_new_impl", true)];

impl Walk<'_> {
    /// May these bytes of an allocated object be accessed?
    pub(super) fn check_object(&mut self, pointer: &Pointer, access: &Access) -> Check {
        let access = *access;
        if pointer.nullable {
            return Err(Cause::MaybeNull { access });
        }
        let PtrKind::Object { ty, hold, percpu } = pointer.kind else {
            return Err(Cause::Opaque { access, log: String::new() });
        };
        if percpu {
            return Err(Cause::Opaque { access, log: String::new() });
        }
        if access.write && hold == Hold::Untrusted {
            return Err(Cause::ReadOnly { access, limit: 0 });
        }
        let btf = self.cx.image.btf.as_deref();
        self.cx.check_looks_inside(|| btf.map_or("", |btf| btf.name(TypeId(ty))))?;
        let size = btf.and_then(|btf| btf.size_of(TypeId(ty))).unwrap_or(0) as u32;
        if access.min != access.max || access.min < 0 || access.end() > i64::from(size) {
            return Err(Cause::MemBounds { access, limit: size });
        }
        let fields = self.fields_behind(pointer);
        if let Some(field) = fields.iter().find(|field| field.overlaps(access.min, access.end())) {
            return Err(Cause::SpecialField { access, field: field.name });
        }
        match btf.is_some_and(|btf| members::at(btf, TypeId(ty), access.min as u32, access.size).is_some()) {
            true => Ok(()),
            false => Err(Cause::MemBounds { access, limit: size }),
        }
    }

    /// An argument that gives an object back.
    pub(super) fn dropped(&self, state: &State, name: &str, number: u8, call: &mut Call) -> Check {
        let reg = state.frame().regs[usize::from(number)];
        let wanted = name.contains("percpu");
        match reg {
            Reg::Pointer(p)
                if matches!(p.kind, PtrKind::Object { hold: Hold::Owned, percpu, .. } if percpu == wanted)
                    && p.is_fixed()
                    && p.off == 0
                    && !p.nullable
                    && p.reference != 0 =>
            {
                call.reference = p.reference;
                Ok(())
            }
            _ => {
                let log = match reg {
                    Reg::Pointer(p) if matches!(p.kind, PtrKind::Object { percpu, .. } if percpu != wanted) =>
                    {
                        let other = if wanted { "" } else { "percpu_" };
                        format!("arg#{} expected for bpf_{other}obj_drop_impl()", number - 1)
                    }
                    Reg::Pointer(p) if matches!(p.kind, PtrKind::Object { .. }) => {
                        terms::moved(&p, number, true)
                            .unwrap_or_else(|| "allocated object must be referenced".into())
                    }
                    _ => format!("arg#{} expected pointer to allocated object", number - 1),
                };
                Err(Callee::Function(name)
                    .wrong(number, "an object that the program allocated", &reg)
                    .logged(log))
            }
        }
    }

    /// An argument of which one more reference is taken.
    pub(super) fn counted(&mut self, state: &State, name: &str, number: u8, call: &mut Call) -> Check {
        let reg = state.frame().regs[usize::from(number)];
        let wrong = || {
            Callee::Function(name)
                .wrong(number, "an object that counts its references", &reg)
                .logged(format!("arg#{} is neither owning or non-owning ref", number - 1))
        };
        let Reg::Pointer(p) = reg else { return Err(wrong()) };
        let PtrKind::Object { hold, percpu: false, .. } = p.kind else { return Err(wrong()) };
        let alive = match hold {
            Hold::Owned | Hold::Borrowed | Hold::Rcu => true,
            Hold::Untrusted => false,
        };
        let counts = self.fields_behind(&p).iter().any(|field| field.field == Field::Refcount);
        if !alive || !counts || p.nullable || p.off != 0 || !p.is_fixed() {
            return Err(wrong());
        }
        call.object = Some(p);
        Ok(())
    }

    /// The object that such a function returns; none if it is another function.
    pub(super) fn object_result(
        &mut self,
        state: &mut State,
        slot: u32,
        name: &str,
        call: &Call,
    ) -> Check<Option<Reg>> {
        if let Some(row) = MAKERS.iter().find(|row| row.0 == name) {
            let ty = self.new_type(row.1, call)?;
            let kind = PtrKind::Object { ty, hold: Hold::Owned, percpu: row.1 };
            return Ok(Some(self.acquired(state, slot, kind, 0, true)));
        }
        let Some(p) = call.object else { return Ok(None) };
        let PtrKind::Object { ty, hold, .. } = p.kind else { return Ok(None) };
        let kind = PtrKind::Object { ty, hold: Hold::Owned, percpu: false };
        // One that is held cannot be on its way out.
        Ok(Some(self.acquired(state, slot, kind, 0, hold != Hold::Owned)))
    }

    /// The type of a new object, given by its number.
    fn new_type(&mut self, percpu: bool, call: &Call) -> Check<u32> {
        let function = if percpu { "bpf_percpu_obj_new" } else { "bpf_obj_new/bpf_percpu_obj_new" };
        let refused =
            |why: &str, log: &str| Cause::ObjectType { why: why.into(), log: format!("{function} {log}") };
        let btf = self
            .cx
            .image
            .btf
            .as_deref()
            .ok_or_else(|| refused("the program has no types", "requires prog BTF"))?;
        let ty = TypeId(call.constant.ok_or_else(|| {
            refused("its number is not a constant", "type ID argument must be in range [0, U32_MAX]")
        })?);
        if btf.kind(ty) != Some(Kind::Struct) {
            return Err(refused("it is not a structure", "type ID argument must be of a struct"));
        }
        if percpu {
            let kind = PtrKind::Object { ty: ty.0, hold: Hold::Owned, percpu };
            let Reg::Pointer(p) = Reg::pointer(kind, 0) else { return Ok(ty.0) };
            let size = btf.size_of(ty).unwrap_or(u64::MAX);
            if size > MAX_PERCPU {
                let log = format!("type size ({size}) is greater than {MAX_PERCPU}");
                return Err(refused("it is too large for one for each processor", &log));
            }
            const NUMBERS: &str = "one for each processor may hold numbers only";
            if !is_of_scalars(btf, ty, MAX_DEPTH) {
                return Err(refused(NUMBERS, "type ID argument must be of a struct of scalars"));
            }
            if !self.fields_behind(&p).is_empty() {
                return Err(refused(NUMBERS, "type ID argument must not contain special fields"));
            }
        }
        Ok(ty.0)
    }

    /// A new reference to an object, with this offset into it.
    pub(super) fn acquired(
        &mut self,
        state: &mut State,
        slot: u32,
        kind: PtrKind,
        off: i32,
        nullable: bool,
    ) -> Reg {
        let id = self.fresh_id();
        state.references.push(Reference { id, slot });
        match Reg::or_null(kind, id, id, slot) {
            Reg::Pointer(p) if nullable => Reg::Pointer(Pointer { off, ..p }),
            Reg::Pointer(p) => Reg::Pointer(self.valid(Pointer { off, ..p })),
            other => other,
        }
    }
}

/// Is a structure or union made of numbers, arrays of them and such structures?
pub fn is_of_scalars(btf: &Btf, ty: TypeId, depth: u32) -> bool {
    btf.members(ty).all(|member| {
        let mut inner = btf.resolve(member.ty);
        while let Some(btf::Type::Array { elem, .. }) = inner.and_then(|ty| btf.ty(ty)) {
            inner = btf.resolve(elem);
        }
        match inner.and_then(|ty| btf.kind(ty)) {
            Some(Kind::Int | Kind::Enum | Kind::Enum64) => true,
            Some(Kind::Struct | Kind::Union) => {
                depth > 0 && inner.is_some_and(|ty| is_of_scalars(btf, ty, depth - 1))
            }
            _ => false,
        }
    })
}
