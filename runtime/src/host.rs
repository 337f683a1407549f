//! What a program may learn of the world: clocks, random numbers, the task it runs in.
//!
//! The library never asks the operating system itself. [`Deterministic`] is the default: the same
//! input gives the same outcome, on any machine.

/// The world as helpers see it. One value serves many runs; who gave a virtual machine its host can
/// get it back as the type that it is, to change it between runs.
pub trait Host: core::any::Any {
    /// Nanoseconds since boot, without suspend (`bpf_ktime_get_ns`).
    fn monotonic_ns(&mut self) -> u64;
    /// Nanoseconds since boot, with suspend (`bpf_ktime_get_boot_ns`).
    fn boot_ns(&mut self) -> u64 {
        self.monotonic_ns()
    }
    /// Nanoseconds since 1970 (`bpf_ktime_get_tai_ns` without leap seconds).
    fn realtime_ns(&mut self) -> u64 {
        self.monotonic_ns()
    }
    /// 32 random bits (`bpf_get_prandom_u32`).
    fn random_u32(&mut self) -> u32;
    /// The processor the program runs on.
    fn cpu(&self) -> u32;
    /// How many processors there are: per-CPU maps have as many values.
    fn cpus(&self) -> u32;
    /// NUMA node of the processor.
    fn numa_node(&self) -> u32 {
        0
    }
    /// The task in whose context the program runs.
    fn task(&self) -> &Task;
}

/// The current task.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Task {
    /// Thread id.
    pub pid: u32,
    /// Process id.
    pub tgid: u32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Name, padded with zeros.
    pub comm: [u8; 16],
    /// Control group id.
    pub cgroup_id: u64,
}

impl Default for Task {
    fn default() -> Task {
        let mut comm = [0; 16];
        comm[..4].copy_from_slice(b"skep");
        Task { pid: 1, tgid: 1, uid: 0, gid: 0, comm, cgroup_id: 1 }
    }
}

/// A world that depends on nothing but its fields.
#[derive(Clone, Debug)]
pub struct Deterministic {
    /// What the next clock reading returns.
    pub now_ns: u64,
    /// How far each reading advances the clock.
    pub tick_ns: u64,
    /// State of the random number generator.
    pub seed: u64,
    /// The processor.
    pub cpu: u32,
    /// Number of processors.
    pub cpus: u32,
    /// The current task.
    pub task: Task,
}

impl Default for Deterministic {
    fn default() -> Deterministic {
        Deterministic {
            now_ns: 1_000_000_000,
            tick_ns: 1_000,
            seed: 1,
            cpu: 0,
            cpus: 1,
            task: Task::default(),
        }
    }
}

impl Host for Deterministic {
    fn monotonic_ns(&mut self) -> u64 {
        let now = self.now_ns;
        self.now_ns = now.wrapping_add(self.tick_ns);
        now
    }

    /// SplitMix64, upper half.
    fn random_u32(&mut self) -> u32 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 32) as u32
    }

    fn cpu(&self) -> u32 {
        self.cpu
    }

    fn cpus(&self) -> u32 {
        self.cpus
    }

    fn task(&self) -> &Task {
        &self.task
    }
}
