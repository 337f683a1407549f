//! What programs are given and what becomes of their result, by program type.
//!
//! In: an [`Input`]. [`prepare`] builds the context (and the packet) in VM memory and returns the
//! arguments of the entry function; [`data_after`] reads back what the program left.
//!
//! - `packet`: contexts with fields and maybe a packet. - `tracing`: records, registers, arrays of arguments.
//! - `fields`: values by the names and types of BTF.

mod fields;
mod packet;
mod tracing;

use alloc::format;
use alloc::vec::Vec;

use skep_stdlib::btf::TypeId;
use skep_stdlib::programs::{Context, ProgType};

use crate::object::{Image, Program};
use crate::vm::{CONTEXT_SIZE, Env, Foreign, ForeignBytes, Input, RunError, Value};

/// Builds the context of `program`; returns r1 to r5 at its entry.
pub(crate) fn prepare(
    env: &mut Env,
    image: &Image,
    program: &Program,
    input: &Input,
) -> Result<[u64; 5], RunError> {
    for ForeignBytes { space, address, bytes } in &input.memory {
        env.memory.foreign.insert(*space, *address, bytes.clone());
    }
    match program.ty.info().context {
        Context::Fields(name) => packet::context(env, name, program.ty, input)?,
        Context::Registers => tracing::registers(env, image, program, input)?,
        Context::Record => tracing::record(env, image, program, input)?,
        Context::RawArguments | Context::TypedArguments => tracing::arguments(env, image, program, input)?,
        Context::Opaque | Context::Replaced => set_context(env, &input.data)?,
    }
    // The kernel leaves r2 undefined; test suites of the instruction set want the length there.
    Ok([env.context, u64::from(env.context_len), 0, 0, 0])
}

fn set_context(env: &mut Env, bytes: &[u8]) -> Result<(), RunError> {
    env.set_context(bytes).ok_or_else(|| {
        RunError::new(format!("a context of {} bytes is larger than {CONTEXT_SIZE}", bytes.len()))
    })
}

/// Sets the field at `path` in `bytes`, which hold a value of type `ty` of the image's own BTF: a
/// number, or bytes for an array. What would need an address is refused, as it would mean nothing
/// to the reader.
pub fn set_field(
    image: &Image,
    ty: TypeId,
    bytes: &mut Vec<u8>,
    path: &str,
    value: &Value,
) -> Result<(), RunError> {
    let btf = image.btf.as_deref().ok_or_else(|| RunError::new("the object has no BTF"))?;
    let mut foreign = Foreign::default();
    fields::set((btf, ty), bytes, path, value, fields::Types::of(image), &mut foreign)?;
    match foreign.is_empty() {
        true => Ok(()),
        false => Err(RunError::new(format!("field `{path}` is a pointer"))),
    }
}

/// The packet after a run; for programs without one, the context.
pub(crate) fn data_after(env: &Env) -> Vec<u8> {
    if let Some(message) = &env.hook.message {
        return env.memory.hidden(message.start, message.len()).unwrap_or_default().to_vec();
    }
    let (start, len) = match env.packet {
        Some(packet) => (packet.data, packet.end - packet.data),
        None => (env.context, u64::from(env.context_len)),
    };
    env.memory.read(start, len).unwrap_or_default().to_vec()
}

/// The part of r0 that the kernel looks at: the C function returns an `int`.
pub(crate) fn result_of(ty: ProgType, value: u64) -> u64 {
    match ty.info().context {
        // Programs that nothing but user space calls; their whole result is of interest.
        Context::Opaque => value,
        _ => u64::from(value as u32),
    }
}
