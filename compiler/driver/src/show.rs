//! What a run did, as text.

use skep_runtime::Image;
use skep_runtime::object::{MapRole, Program};
use skep_runtime::vm::{MapContents, Outcome};
use skep_stdlib::programs::ProgType;

use crate::error::Result;
use crate::io::Io;

/// Names of results (`enum xdp_action`, `TC_ACT_*`).
const XDP_ACTIONS: [&str; 5] = ["XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT"];
const TC_ACTIONS: [&str; 9] = [
    "TC_ACT_OK",
    "TC_ACT_RECLASSIFY",
    "TC_ACT_SHOT",
    "TC_ACT_PIPE",
    "TC_ACT_STOLEN",
    "TC_ACT_QUEUED",
    "TC_ACT_REPEAT",
    "TC_ACT_REDIRECT",
    "TC_ACT_TRAP",
];

/// The result by name where it has one, or the fault.
pub fn verdict(program: &Program, outcome: &Outcome) -> String {
    let value = match &outcome.result {
        Err(fault) => return format!("fault: {fault}"),
        Ok(value) => *value,
    };
    match actions(program).get(value as usize) {
        Some(name) => format!("{name} ({value})"),
        None => format!("{}", value as i32),
    }
}

/// The names of a program's results, by number.
fn actions(program: &Program) -> &'static [&'static str] {
    match program.ty {
        ProgType::Xdp => &XDP_ACTIONS,
        ProgType::SchedCls | ProgType::SchedAct => &TC_ACTIONS,
        _ => &[],
    }
}

/// The result with this name.
pub fn action(program: &Program, name: &str) -> Option<u64> {
    actions(program).iter().position(|known| *known == name).map(|number| number as u64)
}

/// A verdict without its number.
pub fn short(verdict: &str) -> &str {
    verdict.split(" (").next().unwrap_or(verdict)
}

/// Does the packet go on?
pub fn passes(program: &Program, outcome: &Outcome) -> bool {
    match (program.ty, &outcome.result) {
        (ProgType::Xdp, Ok(value)) => matches!(value, 2..=4),
        (ProgType::SchedCls | ProgType::SchedAct, Ok(value)) => *value != 2 && *value != 4,
        (_, Ok(value)) => *value != 0,
        (_, Err(_)) => false,
    }
}

/// Trace lines, events, what readers get and what the kernel was asked for.
pub fn effects(outcome: &Outcome, io: &mut Io<'_>) -> Result {
    for line in &outcome.trace {
        writeln!(io.out, "trace: {line}")?;
    }
    for event in &outcome.events {
        writeln!(io.out, "event {}: {}", event.map, hex(&event.data))?;
    }
    for line in outcome.printed.lines() {
        writeln!(io.out, "printed: {line}")?;
    }
    for request in &outcome.requests {
        writeln!(io.out, "request: {request}")?;
    }
    Ok(())
}

/// All that a run did, and its result.
pub fn outcome(program: &Program, outcome: &Outcome, io: &mut Io<'_>) -> Result {
    effects(outcome, io)?;
    if let Some(redirect) = &outcome.redirect {
        let through = redirect.map.as_ref().map_or_else(String::new, |map| format!(" through {map}"));
        writeln!(io.out, "redirect{through}: {}", redirect.index)?;
    }
    let verdict = verdict(program, outcome);
    match outcome.insns {
        // Compiled programs do not count.
        0 => writeln!(io.out, "{}: {verdict}", program.name)?,
        count => writeln!(io.out, "{}: {verdict}, {count} instructions", program.name)?,
    }
    Ok(())
}

/// Bytes of a packet, sixteen a line.
pub fn packet(data: &[u8], io: &mut Io<'_>) -> Result {
    writeln!(io.out, "packet: {} bytes", data.len())?;
    for (index, line) in data.chunks(16).enumerate() {
        writeln!(io.out, "  {:04x}  {}", index * 16, hex(line))?;
    }
    Ok(())
}

/// Declared maps and global variables; elements of arrays that are zero are left out.
pub fn maps(image: &Image, maps: &[MapContents], io: &mut Io<'_>) -> Result {
    for (def, map) in image.maps.iter().zip(maps) {
        if matches!(def.role, MapRole::Rodata | MapRole::Kconfig) {
            continue;
        }
        writeln!(io.out, "map {}:", map.name)?;
        for (key, value) in &map.entries {
            let is_index = def.key_size == 4 && value.iter().all(|&byte| byte == 0);
            if !(is_index && map.entries.len() > 1) {
                writeln!(io.out, "  {}: {}", number_or_hex(key), number_or_hex(value))?;
            }
        }
    }
    Ok(())
}

/// Up to eight bytes as a little-endian number, more as hex.
pub fn number_or_hex(bytes: &[u8]) -> String {
    match bytes.len() {
        1 | 2 | 4 | 8 => {
            let number = bytes.iter().rev().fold(0u64, |number, &byte| number << 8 | u64::from(byte));
            number.to_string()
        }
        _ => hex(bytes),
    }
}

/// Bytes in hexadecimal, with blanks.
pub fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}
