//! The larger programs with real work, each with input that makes it do all of it, and the number of
//! instructions that an object of one executes.
//!
//! In: the folder that [`tools::workloads`] finds. Invariant: input is made from the name alone, so counts
//! are the same on every machine and can be compared between compilers and over time.

use std::path::PathBuf;

use skep_runtime::host::Deterministic;
use skep_runtime::object::LinkOptions;
use skep_runtime::verify::Verified;
use skep_runtime::vm::{Engine, Input, Outcome, Vm};
use skep_runtime::{Image, Object};

use crate::generate::Random;
use crate::tools;

/// A program and its packet.
pub struct Workload {
    /// Name of its file, without the extension.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// The packet: eight bytes that no program reads, then its input.
    pub packet: Vec<u8>,
}

/// Flags with which the programs are compiled, besides the usual ones.
pub const FLAGS: [&str; 1] = ["-DTARGET_XDP"];

/// Most instructions that one run may take.
const BUDGET: u64 = 200_000_000;

/// The programs that can be run, in order of their names.
pub fn all() -> Vec<Workload> {
    let entries = tools::workloads().and_then(|folder| std::fs::read_dir(folder).ok());
    let mut paths: Vec<PathBuf> = entries.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
    // Maps declared the old way are loaded by nobody any more.
    paths.retain(|path| std::fs::read_to_string(path).is_ok_and(|text| !text.contains("USE_MAPS")));
    paths.sort();
    let workload = |path: PathBuf| {
        let name = path.file_stem()?.to_string_lossy().into_owned();
        let mut packet = vec![0; 8];
        packet.extend(payload(&name));
        packet.resize(packet.len().max(3000), 0);
        Some(Workload { name, path, packet })
    };
    paths.into_iter().filter_map(workload).collect()
}

/// What a program works on.
fn payload(name: &str) -> Vec<u8> {
    let mut random = Random::new(42);
    let mut bytes = |count: usize| -> Vec<u8> { (0..count).map(|_| random.bits() as u8).collect() };
    match name {
        "prime" => 500u16.to_le_bytes().to_vec(),
        "bsearch" => {
            let mut sorted: Vec<u32> =
                bytes(1024).chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            sorted.sort_unstable();
            let wanted = sorted.clone().into_iter().step_by(4);
            sorted.iter().copied().chain(wanted).flat_map(u32::to_le_bytes).collect()
        }
        "strsearch" => {
            let mut text: Vec<u8> = bytes(1040).iter().map(|byte| b'a' + byte % 8).collect();
            let needle = b"abcabcde";
            [100, 500, 900].iter().for_each(|&at| text[at..at + 8].copy_from_slice(needle));
            [needle.as_slice(), &text].concat()
        }
        "xdpparse" => {
            let ports = [0x10, 0x92, 0x01, 0xbb, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x12, 4, 0, 0, 0, 0, 0];
            let ip = [0x46, 0, 0, 60, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 0];
            let tagged = [0x81, 0, 0, 5, 8, 0];
            [&bytes(12)[..], &tagged, &ip, &ports, &bytes(40)].concat()
        }
        "parse24" => {
            let protocols = [6, 6, 17, 1];
            (0..24)
                .flat_map(|index: usize| {
                    let mut packet = bytes(64);
                    let known = index % 7 != 3;
                    packet[12..16].copy_from_slice(&[if known { 8 } else { 0x86 }, 0, 0x45, 0]);
                    packet[23] = protocols[index % 4];
                    packet
                })
                .collect()
        }
        _ => bytes(2992),
    }
}

/// Runs the object's only program in the interpreter.
pub fn run(object: &[u8], packet: &[u8]) -> Result<Outcome, String> {
    let object = Object::parse(object).map_err(|error| error.to_string())?;
    let image: Image = object.link(&LinkOptions::default()).map_err(|error| error.to_string())?;
    let host = Box::new(Deterministic::default());
    let mut vm = Vm::new(Verified::unchecked(image), host).map_err(|error| error.to_string())?;
    let input = Input { data: packet.to_vec(), budget: BUDGET, list_maps: false, ..Input::default() };
    vm.run(0, &input).map_err(|error| error.to_string())
}
