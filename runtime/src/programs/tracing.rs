//! Contexts of programs that trace: records, registers, arrays of arguments.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use skep_stdlib::btf::{Btf, Kind, Type, TypeId};
use skep_stdlib::programs::AttachType;

use super::fields::{self, Types};
use super::set_context;
use crate::object::{Image, Program};
use crate::vm::{CONTEXT_SIZE, Env, Input, RunError, Space};

/// Offsets of the argument registers in x86-64's `struct pt_regs`: rdi, rsi, rdx, rcx, r8, r9.
const PT_REGS_ARGS: [usize; 6] = [112, 104, 96, 88, 72, 64];
/// The same for system calls, whose fourth is in r10.
const PT_REGS_SYSCALL: [usize; 6] = [112, 104, 96, 56, 72, 64];
/// Offset of the return value: rax.
const PT_REGS_RET: usize = 80;
/// Bytes of `struct pt_regs`.
const PT_REGS_SIZE: usize = 168;
/// Names of the registers in `struct pt_regs`, from its start, 8 bytes each.
const PT_REGS_NAMES: [&str; 21] = [
    "r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di",
    "orig_ax", "ip", "cs", "flags", "sp", "ss",
];

fn put(bytes: &mut [u8], at: usize, value: u64) {
    if let Some(place) = bytes.get_mut(at..at + 8) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}

fn arguments_of(env: &mut Env, image: &Image, input: &Input) -> Result<Vec<u64>, RunError> {
    let foreign = &mut env.memory.foreign;
    input.args.iter().map(|value| fields::number(value, Types::of(image), foreign)).collect()
}

/// The type that the program's parameter points to, if its BTF says so.
fn parameter(btf: &Btf, program: &Program) -> Option<TypeId> {
    let func = program.functions.first()?.btf_func?;
    let Type::Func { proto, .. } = btf.ty(func)? else { return None };
    let Type::FuncProto { params, .. } = btf.ty(proto)? else { return None };
    let Type::Ptr(target) = btf.ty(btf.resolve(params.first()?.ty)?)? else { return None };
    let target = btf.resolve(target)?;
    matches!(btf.kind(target), Some(Kind::Struct | Kind::Union)).then_some(target)
}

/// The fewest bytes of a record whose type is unknown; what is not given is zero.
const MIN_RECORD: usize = 256;

/// The record of a static tracepoint: raw bytes, then fields by the type of the parameter.
/// Arguments go to the member `args`, which system call records have.
pub(super) fn record(env: &mut Env, image: &Image, program: &Program, input: &Input) -> Result<(), RunError> {
    let mut bytes = input.data.clone();
    let typed = image.btf.as_deref().and_then(|btf| Some((btf, parameter(btf, program)?)));
    let Some((btf, ty)) = typed else {
        if let Some((name, _)) = input.fields.first() {
            let what = format!("field `{name}`: the program's BTF does not say what its context is");
            return Err(RunError::new(what));
        }
        bytes.resize(bytes.len().max(MIN_RECORD), 0);
        return set_context(env, &bytes);
    };
    let size = btf.size_of(ty).unwrap_or(0).min(u64::from(CONTEXT_SIZE)) as usize;
    bytes.resize(bytes.len().max(size), 0);
    let foreign = &mut env.memory.foreign;
    for (index, value) in input.args.iter().enumerate() {
        let path = format!("args[{index}]");
        fields::set((btf, ty), &mut bytes, &path, value, Types::of(image), foreign)?;
    }
    for (name, value) in &input.fields {
        fields::set((btf, ty), &mut bytes, name, value, Types::of(image), foreign)?;
    }
    set_context(env, &bytes)
}

/// `struct pt_regs`, with arguments where a called function finds them.
///
/// A system call's wrapper is given one argument: the address of the registers that user space
/// came in with, and those hold the system call's arguments.
pub(super) fn registers(
    env: &mut Env,
    image: &Image,
    program: &Program,
    input: &Input,
) -> Result<(), RunError> {
    let mut bytes = input.data.clone();
    bytes.resize(bytes.len().max(PT_REGS_SIZE), 0);
    let args = arguments_of(env, image, input)?;
    if args.len() > PT_REGS_ARGS.len() {
        let most = PT_REGS_ARGS.len();
        return Err(RunError::new(format!("`{}` can be given {most} arguments", program.name)));
    }
    let wrapped = program.section.contains("ksyscall")
        || program.target.as_deref().is_some_and(|target| target.starts_with("__x64_sys_"));
    if wrapped {
        let mut inner = vec![0; PT_REGS_SIZE];
        for (&at, &value) in PT_REGS_SYSCALL.iter().zip(&args) {
            put(&mut inner, at, value);
        }
        let address = env.memory.foreign.place(Space::Kernel, inner);
        put(&mut bytes, PT_REGS_ARGS[0], address);
    } else {
        for (&at, &value) in PT_REGS_ARGS.iter().zip(&args) {
            put(&mut bytes, at, value);
        }
    }
    if let Some(ret) = input.ret {
        put(&mut bytes, PT_REGS_RET, ret);
    }
    for (name, value) in &input.fields {
        let Some(index) = PT_REGS_NAMES.iter().position(|known| known == name) else {
            return Err(RunError::new(format!("`struct pt_regs` has no field `{name}`")));
        };
        let value = fields::number(value, Types::of(image), &mut env.memory.foreign)?;
        put(&mut bytes, index * 8, value);
    }
    env.args = args;
    env.ret = input.ret;
    set_context(env, &bytes)
}

/// The fewest arguments that a context has room for: tracepoints take no more.
const MIN_ARGS: usize = 12;

/// An array of `u64`: the arguments, then, for programs at function exits, the return value.
pub(super) fn arguments(
    env: &mut Env,
    image: &Image,
    program: &Program,
    input: &Input,
) -> Result<(), RunError> {
    if let Some((name, _)) = input.fields.first() {
        return Err(RunError::new(format!("field `{name}`: the context is an array of arguments")));
    }
    let args = arguments_of(env, image, input)?;
    let count = target_arguments(image, program).unwrap_or(0).max(args.len());
    let mut bytes = vec![0; 8 * (count + 1).max(MIN_ARGS)];
    for (index, &value) in args.iter().enumerate() {
        put(&mut bytes, index * 8, value);
    }
    let returns = matches!(
        program.attach,
        Some(AttachType::TraceFexit | AttachType::ModifyReturn | AttachType::LsmMac)
    );
    if let (true, Some(ret)) = (returns, input.ret) {
        put(&mut bytes, count * 8, ret);
    }
    if !input.data.is_empty() {
        bytes = input.data.clone();
    }
    env.args = args;
    env.ret = input.ret;
    set_context(env, &bytes)
}

/// How many parameters the traced function has, if the target's BTF knows it.
fn target_arguments(image: &Image, program: &Program) -> Option<usize> {
    let btf = image.target_btf.as_deref()?;
    let func = btf.find(program.target.as_deref()?, Kind::Func)?;
    let Type::Func { proto, .. } = btf.ty(func)? else { return None };
    let Type::FuncProto { params, .. } = btf.ty(proto)? else { return None };
    Some(params.len())
}
