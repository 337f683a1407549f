//! A file of cases: `NAME.test.toml` beside `NAME.bpf.c` or `NAME.bpf.o`.
//!
//! Keys that are not known are refused, so that a misspelled expectation fails instead of passing
//! silently. Numbers, strings and tables stand for bytes as [`super::data`] says.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Table, Value};

/// The end of the names of such files.
pub const SUFFIX: &str = ".test.toml";

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    /// The program, from the directory of this file; default: the source or object of this name.
    pub source: Option<String>,
    /// Macros to define, `NAME` or `NAME=VALUE`.
    #[serde(default)]
    pub define: Vec<String>,
    /// Directories to search for headers, from the directory of this file.
    #[serde(default)]
    pub include: Vec<String>,
    /// The world in which all cases begin.
    #[serde(default)]
    pub host: Host,
    /// Global variables, constants among them, in all cases.
    #[serde(default)]
    pub globals: Table,
    /// Map elements in all cases.
    #[serde(default)]
    pub maps: Vec<Element>,
    /// The cases.
    #[serde(default, rename = "case")]
    pub cases: Vec<Case>,
}

/// What programs see of the world; what is not given stays as it is.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Host {
    /// The clock: nanoseconds since boot, or with a unit as in `"2s"`.
    pub time: Option<Value>,
    /// What each reading of the clock adds to it.
    pub tick: Option<Value>,
    /// Seed of the random numbers.
    pub seed: Option<u64>,
    /// Process id.
    pub pid: Option<u32>,
    /// Thread id; the process id unless given.
    pub tid: Option<u32>,
    /// User id.
    pub uid: Option<u32>,
    /// Group id.
    pub gid: Option<u32>,
    /// Name of the process.
    pub comm: Option<String>,
    /// Control group id.
    pub cgroup: Option<u64>,
    /// The processor.
    pub cpu: Option<u32>,
    /// How many processors there are; only when a case begins.
    pub cpus: Option<u32>,
}

/// One case: it begins with fresh maps and runs programs one after the other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The program of its runs; may be left out where there is one only.
    pub program: Option<String>,
    /// The world in which it begins.
    #[serde(default)]
    pub host: Host,
    /// Global variables, constants among them.
    #[serde(default)]
    pub globals: Table,
    /// Map elements.
    #[serde(default)]
    pub maps: Vec<Element>,
    /// Its runs.
    #[serde(default, rename = "run")]
    pub runs: Vec<Run>,
}

/// One run, and what must come out of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Run {
    /// The program.
    pub program: Option<String>,
    /// Changes of the world before the run; they stay.
    #[serde(default)]
    pub host: Host,
    /// How far the clock has moved since the last run began.
    pub after: Option<Value>,
    /// The packet: hex digits, `file:NAME`, or headers by name.
    pub packet: Option<Value>,
    /// A capture, of which each packet is run in turn.
    pub pcap: Option<String>,
    /// Fields of the context.
    #[serde(default)]
    pub ctx: Table,
    /// Arguments of the traced function.
    #[serde(default)]
    pub args: Vec<Value>,
    /// Return value of the traced function.
    pub ret: Option<Value>,
    /// Map elements to write first.
    #[serde(default)]
    pub maps: Vec<Element>,
    /// How often it is run; what is expected is expected of the last.
    #[serde(default = "once")]
    pub repeat: u32,
    /// Most instructions.
    pub budget: Option<u64>,
    /// What must come out.
    #[serde(default)]
    pub expect: Expect,
}

fn once() -> u32 {
    1
}

/// An element of a map.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Element {
    /// The map.
    pub map: String,
    /// The key; queues and the like have none.
    pub key: Option<Value>,
    /// The value; of a structure the fields that matter.
    pub value: Option<Value>,
    /// Expected: that there is no such element.
    #[serde(default)]
    pub absent: bool,
    /// Expected: how many elements the map has.
    pub count: Option<usize>,
    /// Whose value of a per-CPU map; the processor of the run unless given.
    pub cpu: Option<u32>,
}

/// What must come out. What is not given is not looked at.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Expect {
    /// The result: a number, or the name of an action such as `XDP_DROP`.
    pub result: Option<Value>,
    /// Part of the fault's message, for programs that are stopped.
    pub fault: Option<String>,
    /// The packet afterwards.
    pub packet: Option<Value>,
    /// Lines of `bpf_trace_printk`, all of them.
    pub trace: Option<Vec<String>>,
    /// Records sent to user space, all of them in order.
    pub events: Option<Vec<Event>>,
    /// What iterators wrote for their readers, in all runs.
    pub printed: Option<String>,
    /// What the kernel was asked for, as calls: `send_signal(10)`.
    pub requests: Option<Vec<String>>,
    /// Elements of maps.
    pub maps: Vec<Element>,
    /// Global variables.
    pub globals: Table,
    /// Where the packet was redirected to.
    pub redirect: Option<Redirect>,
    /// How often each result came, when a capture is run.
    pub verdicts: Option<BTreeMap<String, u64>>,
    /// The capture of the packets that are passed on.
    pub pcap: Option<String>,
    /// Most instructions.
    pub max_instructions: Option<u64>,
}

/// An expected record.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Event {
    /// The ring buffer or perf event array.
    pub map: Option<String>,
    /// The type of the record, for `data` by fields.
    #[serde(rename = "type")]
    pub ty: Option<String>,
    /// The record.
    pub data: Value,
}

/// An expected redirection.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Redirect {
    /// The map it went through.
    pub map: Option<String>,
    /// The interface, or the index in the map.
    pub index: Option<u64>,
}
