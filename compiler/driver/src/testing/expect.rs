//! What came out, compared with what should.
//!
//! Every difference is one line that says what was found and what was expected; what a case does not
//! mention is not looked at.

use skep_runtime::Image;
use skep_runtime::object::MapDef;
use skep_runtime::vm::{Event, MapContents, Value};
use skep_stdlib::btf::Kind;
use toml::Value as Toml;

use super::case::{self, Observed, Suite};
use super::data::{self, Pattern};
use super::file::{self, Element, Expect};
use crate::io::Io;
use crate::show;

/// What a run must leave, and what that is about.
pub struct Wanted<'a> {
    /// Where files are.
    pub suite: &'a Suite<'a>,
    /// The expectations.
    pub expect: &'a Expect,
    /// The programs.
    pub image: &'a Image,
    /// The one that ran.
    pub program: usize,
    /// Where it ran.
    pub cpu: u32,
}

impl Wanted<'_> {
    /// All differences; an error if the expectation itself makes no sense.
    pub fn check(&self, seen: &Observed, insns: u64, io: &mut Io<'_>) -> Result<Vec<String>, String> {
        let mut problems = Vec::new();
        problems.extend(self.result(seen)?);
        if let Some(packet) = &self.expect.packet {
            let wanted = self.suite.packet(packet, io)?;
            problems.extend(bytes("packet", &seen.last.data, &Pattern::exact(wanted)));
        }
        if let Some(wanted) = &self.expect.trace
            && *wanted != seen.trace
        {
            problems.push(format!("trace is {:?}, expected {wanted:?}", seen.trace));
        }
        if let Some(wanted) = &self.expect.printed
            && *wanted != seen.printed
        {
            problems.push(format!("{:?} was printed, expected {wanted:?}", seen.printed));
        }
        if let Some(wanted) = &self.expect.requests
            && *wanted != seen.requests
        {
            problems.push(format!("requests are {:?}, expected {wanted:?}", seen.requests));
        }
        if let Some(wanted) = &self.expect.events {
            problems.extend(self.events(&seen.events, wanted)?);
        }
        for element in &self.expect.maps {
            problems.extend(self.element(seen.maps(), element)?);
        }
        for (name, value) in &self.expect.globals {
            problems.extend(self.global(seen.maps(), name, value)?);
        }
        if let Some(wanted) = &self.expect.redirect {
            problems.extend(redirect(seen, wanted));
        }
        if let Some(wanted) = &self.expect.verdicts
            && *wanted != seen.verdicts
        {
            problems.push(format!("verdicts are {:?}, expected {wanted:?}", seen.verdicts));
        }
        if let Some(name) = &self.expect.pcap {
            problems.extend(self.passed(seen, name, io)?);
        }
        if let Some(most) = self.expect.max_instructions.filter(|&most| insns > most) {
            problems.push(format!("{insns} instructions were executed, expected at most {most}"));
        }
        Ok(problems)
    }

    fn result(&self, seen: &Observed) -> Result<Option<String>, String> {
        let fault = seen.last.result.as_ref().err().map(|fault| fault.to_string());
        match (&self.expect.fault, fault) {
            (Some(wanted), Some(fault)) if fault.contains(wanted) => return Ok(None),
            (Some(wanted), _) => {
                return Ok(Some(format!("result is {}, expected a fault with `{wanted}`", seen.verdict)));
            }
            // Nobody writes a test whose program may be stopped without saying so.
            (None, Some(fault)) => return Ok(Some(format!("fault: {fault}"))),
            (None, None) => {}
        }
        let Some(wanted) = &self.expect.result else { return Ok(None) };
        let program = &self.image.programs[self.program];
        let number = match data::scalar(wanted)? {
            Value::Int(number) => number,
            Value::Str(name) => show::action(program, &name)
                .ok_or_else(|| format!("`{name}` is not a result of `{}`", program.section))?,
            Value::Bytes(_) | Value::Struct { .. } => return Err(format!("`{wanted}` is not a result")),
        };
        // Most programs return an `int`; expected is what C shows.
        let same = seen
            .last
            .result
            .as_ref()
            .is_ok_and(|&found| found == number || found == u64::from(number as u32));
        Ok((!same).then(|| format!("result is {}, expected {}", seen.verdict, plain(wanted))))
    }

    fn events(&self, seen: &[Event], wanted: &[file::Event]) -> Result<Vec<String>, String> {
        let mut problems = Vec::new();
        if seen.len() != wanted.len() {
            problems.push(format!("{} records were sent, expected {}", seen.len(), wanted.len()));
        }
        for (index, (event, wanted)) in seen.iter().zip(wanted).enumerate() {
            let what = format!("record {}", index + 1);
            if let Some(map) = wanted.map.as_ref().filter(|&map| *map != event.map) {
                problems.push(format!("{what} went to `{}`, expected `{map}`", event.map));
            }
            problems.extend(bytes(&what, &event.data, &self.record(wanted)?));
        }
        Ok(problems)
    }

    fn record(&self, wanted: &file::Event) -> Result<Pattern, String> {
        let Some(name) = &wanted.ty else {
            return match data::scalar(&wanted.data)? {
                Value::Bytes(bytes) => Ok(Pattern::exact(bytes)),
                Value::Str(text) => Ok(Pattern::exact(text.into_bytes())),
                Value::Int(_) | Value::Struct { .. } => Err("a record is bytes, or has a `type`".into()),
            };
        };
        let btf = self.image.btf.as_deref().ok_or("the object has no BTF")?;
        let found =
            [Kind::Struct, Kind::Union, Kind::Typedef].into_iter().find_map(|kind| btf.find(name, kind));
        let ty = found.ok_or_else(|| {
            format!("the object's BTF has no type `{name}`; a global pointer to it would keep it there")
        })?;
        let size = btf.size_of(ty).and_then(|size| u32::try_from(size).ok()).filter(|&size| size < 1 << 20);
        data::pattern(self.image, ty, size.ok_or_else(|| format!("`{name}` has no size"))?, &wanted.data)
    }

    fn element(&self, maps: &[MapContents], wanted: &Element) -> Result<Option<String>, String> {
        let def = case::map_def(self.image, &wanted.map)?;
        let name = &def.name;
        let contents = maps.iter().find(|map| map.name == *name);
        let entries = contents.map_or(&[][..], |contents| &contents.entries);
        if let Some(count) = wanted.count {
            let found = entries.len();
            let different = found != count;
            return Ok(different.then(|| format!("map `{name}` has {found} elements, expected {count}")));
        }
        let key = case::key(self.image, def, wanted)?;
        let found = entries.iter().find(|(known, _)| key.fits(known)).map(|(_, value)| value);
        let shown = wanted.key.as_ref().map(plain).unwrap_or_default();
        match (found, &wanted.value) {
            (Some(_), _) if wanted.absent => Ok(Some(format!("map `{name}`: there is an element {shown}"))),
            (None, _) if !wanted.absent => Ok(Some(format!("map `{name}`: there is no element {shown}"))),
            (None, _) | (_, None) => Ok(None),
            (Some(found), Some(value)) => {
                let pattern = case::value(self.image, def, value)?;
                let own = own_value(def, found, wanted.cpu.unwrap_or(self.cpu));
                Ok(bytes(&format!("map `{name}`: element {shown}"), own, &pattern))
            }
        }
    }

    fn global(&self, maps: &[MapContents], name: &str, value: &Toml) -> Result<Option<String>, String> {
        let (index, offset, ty, size) = case::variable(self.image, name)?;
        let pattern =
            data::pattern(self.image, ty, size, value).map_err(|error| format!("`{name}`: {error}"))?;
        let section = maps.get(index).and_then(|map| map.entries.first());
        let (start, end) = (offset as usize, offset as usize + size as usize);
        let found = section.and_then(|(_, bytes)| bytes.get(start..end)).unwrap_or_default();
        Ok(bytes(&format!("variable `{name}`"), found, &pattern))
    }

    fn passed(&self, seen: &Observed, name: &str, io: &mut Io<'_>) -> Result<Option<String>, String> {
        let wanted = self.suite.capture(name, io)?;
        let data = |packets: &[skep_runtime::pcap::Packet]| -> Vec<Vec<u8>> {
            packets.iter().map(|packet| packet.data.clone()).collect()
        };
        let (found, wanted) = (data(&seen.passed.packets), data(&wanted.packets));
        if found.len() != wanted.len() {
            let (found, wanted) = (found.len(), wanted.len());
            return Ok(Some(format!("{found} packets were passed on, expected {wanted}")));
        }
        let different = found.iter().zip(&wanted).position(|(found, wanted)| found != wanted);
        Ok(different.and_then(|at| {
            bytes(
                &format!("packet {} that was passed on", at + 1),
                &found[at],
                &Pattern::exact(wanted[at].clone()),
            )
        }))
    }
}

/// The part of a per-CPU value that belongs to `cpu`.
fn own_value<'v>(def: &MapDef, value: &'v [u8], cpu: u32) -> &'v [u8] {
    if !def.ty.info().per_cpu {
        return value;
    }
    let size = def.value_size as usize;
    let start = size.next_multiple_of(8).saturating_mul(cpu as usize);
    value.get(start..start.saturating_add(size)).unwrap_or_default()
}

fn redirect(seen: &Observed, wanted: &file::Redirect) -> Option<String> {
    let Some(found) = seen.redirect() else { return Some("the packet was not redirected".into()) };
    let same_map = wanted.map.as_ref().is_none_or(|map| found.map.as_ref() == Some(map));
    let same_index = wanted.index.is_none_or(|index| found.index == index);
    (!same_map || !same_index).then(|| {
        let through = found.map.as_ref().map_or_else(String::new, |map| format!(" through `{map}`"));
        format!("the packet was redirected to {}{through}", found.index)
    })
}

/// The difference of bytes, with the first place where they differ.
fn bytes(what: &str, found: &[u8], wanted: &Pattern) -> Option<String> {
    if wanted.fits(found) {
        return None;
    }
    if found.len() != wanted.bytes.len() {
        return Some(format!("{what} has {} bytes, expected {}", found.len(), wanted.bytes.len()));
    }
    // Small values are numbers to the reader.
    if matches!(found.len(), 1 | 2 | 4 | 8) && wanted.mask.iter().all(|&mask| mask == 0xff) {
        let (found, wanted) = (show::number_or_hex(found), show::number_or_hex(&wanted.bytes));
        return Some(format!("{what} is {found}, expected {wanted}"));
    }
    let pairs = found.iter().zip(&wanted.bytes).zip(&wanted.mask);
    let at = pairs.clone().position(|((found, wanted), mask)| (found ^ wanted) & mask != 0).unwrap_or(0);
    let end = found.len().min(at + 8);
    let (found, expected) = (show::hex(&found[at..end]), show::hex(&wanted.bytes[at..end]));
    Some(format!("{what} at byte {at} is {found}, expected {expected}"))
}

fn plain(value: &Toml) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
