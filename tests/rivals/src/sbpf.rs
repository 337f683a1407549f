//! solana-sbpf: a runtime that trusts no program and asks no proof, so every access is translated and every
//! block of instructions is paid for.

use std::ptr::NonNull;
use std::sync::Arc;

use solana_sbpf::aligned_memory::AlignedMemory;
use solana_sbpf::ebpf;
use solana_sbpf::elf::Executable;
use solana_sbpf::error::{ProgramResult, StableResult};
use solana_sbpf::memory_region::{MemoryMapping, MemoryRegion};
use solana_sbpf::program::{BuiltinProgram, FunctionRegistry, SBPFVersion};
use solana_sbpf::vm::{CallFrame, Config, ContextObject, EbpfVm, ExecutionMode};

use crate::Clock;

/// The instruction set that compilers for version 2 of BPF make.
const VERSION: SBPFVersion = SBPFVersion::V0;

/// A program for solana-sbpf.
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
            let result: ProgramResult = vm.execute_program(&self.executable, &mut mode, &mut frames).1;
            last = match result {
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
