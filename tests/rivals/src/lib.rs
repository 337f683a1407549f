//! Other runtimes from the registry, for the benchmarks to compare ours with.
//!
//! In: a program as bytes, whose `r1` is the address of a buffer. Out: what it returns and how long it or
//! its translation took by the caller's clock. Nothing of ours is needed for that, and only benchmarks see it.
//!
//! # Safety
//!
//! rbpf's compiled code checks no access. [`Rbpf::compiled`] is for programs of our own that stay inside
//! of the buffer, whatever it contains, on the stack of 512 bytes, and end. [`Sbpf`] checks everything; only
//! that its memory outlives a run is up to us.
#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::Arc;

use rbpf::EbpfVmRaw;
use solana_sbpf::aligned_memory::AlignedMemory;
use solana_sbpf::ebpf;
use solana_sbpf::elf::Executable;
use solana_sbpf::error::StableResult;
use solana_sbpf::memory_region::{MemoryMapping, MemoryRegion};
use solana_sbpf::program::{BuiltinProgram, FunctionRegistry, SBPFVersion};
use solana_sbpf::vm::{CallFrame, Config, ContextObject, EbpfVm, ExecutionMode};

/// The time, in nanoseconds.
pub type Clock = fn() -> f64;

/// A program for rbpf.
pub struct Rbpf {
    code: Vec<u8>,
}

impl Rbpf {
    /// One that rbpf takes and can compile. It gives up by a panic where its code outgrows its estimate.
    pub fn new(code: Vec<u8>) -> Option<Rbpf> {
        let rbpf = Rbpf { code };
        let compiles = catch_unwind(AssertUnwindSafe(|| rbpf.vm().map(|_| ()))).ok().flatten();
        compiles.map(|()| rbpf)
    }

    fn vm(&self) -> Option<EbpfVmRaw<'_>> {
        let mut vm = EbpfVmRaw::new(Some(&self.code)).ok()?;
        vm.jit_compile().ok()?;
        Some(vm)
    }

    /// What the program returns from its last run of so many, and how long all took.
    pub fn compiled(&self, buffer: &mut [u8], repeat: u32, now: Clock) -> Option<(u64, f64)> {
        let vm = self.vm()?;
        let (before, mut last) = (now(), 0);
        for _ in 0..repeat {
            // SAFETY: the program is one of ours, which the caller vouches for: see above.
            last = unsafe { vm.execute_program_jit(buffer) }.ok()?;
        }
        Some((last, now() - before))
    }

    /// How long it takes to make a machine with compiled code.
    pub fn translation(&self, now: Clock) -> Option<f64> {
        let before = now();
        let vm = self.vm()?;
        let time = now() - before;
        drop(vm);
        Some(time)
    }
}

/// The instruction set that compilers for version 2 of BPF make.
const VERSION: SBPFVersion = SBPFVersion::V0;

/// A program for solana-sbpf, which translates every access and counts every instruction.
pub struct Sbpf {
    executable: Executable<World>,
}

/// What a machine refers to: its memory. Instructions are counted and never run out.
struct World {
    memory: MemoryMapping,
}

impl ContextObject for World {
    fn consume(&mut self, _amount: u64) {}

    fn get_remaining(&self) -> u64 {
        u64::MAX >> 1
    }

    fn active_mapping_ptr(&mut self) -> NonNull<MemoryMapping> {
        NonNull::from_mut(&mut self.memory)
    }
}

fn executable(code: &[u8]) -> Option<Executable<World>> {
    let loader = Arc::new(BuiltinProgram::new_loader(Config::default()));
    Executable::from_text_bytes(code, loader, VERSION, FunctionRegistry::default()).ok()
}

impl Sbpf {
    /// One that it can compile.
    pub fn new(code: &[u8]) -> Option<Sbpf> {
        let executable = executable(code)?;
        executable.jit_compile().ok()?;
        Some(Sbpf { executable })
    }

    /// What the program returns from its last run of so many, and how long all took: compiled or not.
    pub fn run(&self, compiled: bool, buffer: &mut [u8], repeat: u32, now: Clock) -> Option<(u64, f64)> {
        let config = self.executable.get_config();
        let mut stack = AlignedMemory::<{ ebpf::HOST_ALIGN }>::zero_filled(config.stack_size());
        let stack_len = stack.len();
        let regions = vec![
            self.executable.get_ro_region(),
            MemoryRegion::new(&mut stack, ebpf::MM_STACK_START),
            MemoryRegion::new(&raw mut *buffer, ebpf::MM_INPUT_START),
        ];
        // SAFETY: stack, buffer and program live until this function returns, and nobody else uses them.
        let memory = unsafe { MemoryMapping::new(regions, config, VERSION) }.ok()?;
        let mut world = World { memory };
        let loader = self.executable.get_loader().clone();
        let mut vm = EbpfVm::new(loader, VERSION, &mut world, stack_len);
        let mut frames = vec![CallFrame::default(); config.max_call_depth];
        let mut registers = vm.registers;
        registers[1] = ebpf::MM_INPUT_START;
        let (before, mut last) = (now(), 0);
        for _ in 0..repeat {
            vm.registers = registers;
            let mut mode = if compiled { ExecutionMode::Jit } else { ExecutionMode::Interpreted };
            last = match vm.execute_program(&self.executable, &mut mode, &mut frames).1 {
                StableResult::Ok(value) => value,
                StableResult::Err(_) => return None,
            };
        }
        Some((last, now() - before))
    }

    /// How long compiling takes.
    pub fn translation(code: &[u8], now: Clock) -> Option<f64> {
        let executable = executable(code)?;
        let before = now();
        executable.jit_compile().ok()?;
        Some(now() - before)
    }
}

#[cfg(test)]
mod tests {
    use super::{Rbpf, Sbpf};

    /// `r0 = *(u8 *)(r1 + 3); r0 += 1; *(u64 *)(r10 - 8) = r0; r0 = *(u64 *)(r10 - 8); exit`
    const PROGRAM: [u64; 5] = [0x3_1071, 0x1_0000_0007, 0xfff8_0a7b, 0xfff8_a079, 0x95];

    fn clock() -> f64 {
        0.0
    }

    #[test]
    fn all_return_the_same() {
        let code: Vec<u8> = PROGRAM.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut buffer = [1, 2, 3, 41, 5];
        let sbpf = Sbpf::new(&code).unwrap();
        for compiled in [false, true] {
            assert_eq!(sbpf.run(compiled, &mut buffer, 3, clock), Some((42, 0.0)));
        }
        let rbpf = Rbpf::new(code.clone()).unwrap();
        assert_eq!(rbpf.compiled(&mut buffer, 3, clock), Some((42, 0.0)));
        assert!(Sbpf::translation(&code, clock).is_some());
    }
}
