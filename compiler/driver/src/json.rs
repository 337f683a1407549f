//! What a run did, as data for other programs.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use skep_runtime::Image;
use skep_runtime::object::MapRole;
use skep_runtime::vm::{MapContents, Outcome};

use crate::show;

/// One run.
pub fn outcome(image: &Image, program: usize, outcome: &Outcome) -> Value {
    let program = &image.programs[program];
    let events: Vec<Value> = outcome
        .events
        .iter()
        .map(|event| json!({ "map": event.map, "cpu": event.cpu, "data": hex(&event.data) }))
        .collect();
    let redirect = outcome
        .redirect
        .as_ref()
        .map(|redirect| json!({ "map": redirect.map, "index": redirect.index, "flags": redirect.flags }));
    json!({
        "program": program.name,
        "result": outcome.result.as_ref().ok(),
        "fault": outcome.result.as_ref().err().map(|fault| fault.to_string()),
        "verdict": show::verdict(program, outcome),
        "data": hex(&outcome.data),
        "trace": outcome.trace,
        "events": events,
        "printed": outcome.printed,
        "requests": outcome.requests,
        "redirect": redirect,
        "instructions": outcome.insns,
        "maps": maps(image, &outcome.maps),
    })
}

/// The runs on a capture.
pub fn replay(image: &Image, packets: usize, verdicts: &BTreeMap<String, u64>, all: &[MapContents]) -> Value {
    json!({ "packets": packets, "verdicts": verdicts, "maps": maps(image, all) })
}

/// Declared maps and global variables, all elements in hexadecimal.
fn maps(image: &Image, all: &[MapContents]) -> Value {
    let shown = image.maps.iter().zip(all).filter(|(def, _)| match def.role {
        MapRole::Declared | MapRole::Data | MapRole::Bss => true,
        MapRole::Rodata | MapRole::Kconfig => false,
    });
    let map = |map: &MapContents| -> Value {
        map.entries.iter().map(|(key, value)| json!({ "key": hex(key), "value": hex(value) })).collect()
    };
    shown.map(|(_, contents)| (contents.name.clone(), map(contents))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
