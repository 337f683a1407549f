//! Sections of one name become one.
//!
//! In: a file's sections. Out: where each went. Parts keep their alignment and follow each other in the order
//! of the files. The license and the version are the same text in every file, and are there once.

use skep_stdlib::elf::{BTF, BTF_EXT, LICENSE, TEXT, VERSION};

use super::elf::{Body, Elf, Section};
use super::{Error, Unit};

/// What only debuggers read.
pub(super) fn is_debug(name: &str) -> bool {
    name.starts_with(".debug_")
}

/// Whether a section is made anew or has nothing in it.
fn is_left_out(section: &Section) -> bool {
    let described = section.name == BTF || section.name == BTF_EXT;
    described || is_debug(&section.name) || (section.name == TEXT && section.size() == 0)
}

/// Appends the sections of a file to those that are there.
pub(super) fn place(unit: &mut Unit<'_>, out: &mut Elf) -> Result<(), Error> {
    for index in 0..unit.elf.sections.len() {
        let section = &unit.elf.sections[index];
        if is_left_out(section) {
            continue;
        }
        let found = out.sections.iter().position(|other| other.name == section.name);
        let Some(target) = found else {
            unit.places[index] = Some((out.sections.len(), 0));
            out.sections.push(Section { relocs: Vec::new(), ..section.clone() });
            continue;
        };
        let other = &mut out.sections[target];
        let name = &section.name;
        if (other.kind, other.flags, other.entry_size) != (section.kind, section.flags, section.entry_size) {
            return unit.fail(format!("section `{name}` is of another kind than in the files before it"));
        }
        if name == LICENSE || name == VERSION {
            if other.body != section.body {
                return unit.fail(format!("section `{name}` differs from that of the files before it"));
            }
            continue;
        }
        other.align = other.align.max(section.align);
        let Some(start) = other.size().checked_next_multiple_of(other.align) else {
            return unit.fail(format!("section `{name}` is too large"));
        };
        match (&mut other.body, &section.body) {
            (Body::Bytes(all), Body::Bytes(part)) => {
                all.resize(start as usize, 0);
                all.extend(part);
            }
            (Body::Zeros(all), Body::Zeros(part)) => match start.checked_add(*part) {
                Some(size) => *all = size,
                None => return unit.fail(format!("section `{name}` is too large")),
            },
            (Body::Bytes(_), Body::Zeros(_)) | (Body::Zeros(_), Body::Bytes(_)) => {
                return unit.fail(format!("section `{name}` is of another kind than in the files before it"));
            }
        }
        unit.places[index] = Some((target, start));
    }
    Ok(())
}
