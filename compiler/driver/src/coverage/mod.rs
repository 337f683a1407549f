//! Which source lines were executed, and how often.
//!
//! In: what an interpreter counted for each instruction, and the line records of the object. Out:
//! lcov's form ([`lcov`]) and a page of the source coloured by hits ([`html`]). A line was executed as
//! often as the one of its instructions that was executed most.

mod html;
mod lcov;

use std::collections::BTreeMap;
use std::path::Path;

use skep_runtime::Image;
use skep_runtime::vm::Profile;

use crate::error::Result;
use crate::io::Io;

/// Options of every command that can say what was executed.
#[derive(clap::Args, Clone, Debug)]
pub struct CoverageArgs {
    /// Write which source lines were executed, for lcov and genhtml
    #[arg(long, value_name = "FILE")]
    lcov: Option<String>,
    /// Write a page of the source, coloured by how many instructions each line executed
    #[arg(long, value_name = "FILE")]
    html: Option<String>,
}

impl CoverageArgs {
    /// Is anything to be counted?
    pub fn wanted(&self) -> bool {
        self.lcov.is_some() || self.html.is_some()
    }

    /// Writes what was asked for.
    pub fn write(&self, coverage: &Coverage, io: &mut Io<'_>) -> Result {
        if let Some(path) = &self.lcov {
            io.write(path, lcov::text(coverage).as_bytes())?;
        }
        if let Some(path) = &self.html {
            let page = html::page(coverage, io);
            io.write(path, page.as_bytes())?;
        }
        Ok(())
    }
}

/// What was executed, by source file.
#[derive(Clone, Default, Debug)]
pub struct Coverage {
    files: BTreeMap<String, FileCoverage>,
}

/// What was executed of a file.
#[derive(Clone, Default, Debug)]
struct FileCoverage {
    lines: BTreeMap<u32, Line>,
    /// First line and calls, by name.
    functions: BTreeMap<String, (u32, u64)>,
}

/// A line that has instructions.
#[derive(Clone, Default, Debug)]
struct Line {
    /// How often it was executed.
    hits: u64,
    /// Instructions that were executed for it.
    insns: u64,
    /// Its text, as the object has it.
    text: String,
}

impl Coverage {
    /// Adds what was counted in programs of an image. Objects name their sources without directories,
    /// so that they are the same everywhere: `beside` is a file next to them.
    pub fn add(&mut self, image: &Image, profile: &Profile, beside: &str) {
        let folder = Path::new(beside).parent().unwrap_or(Path::new(""));
        let path_of = |name: &str| {
            let path = folder.join(name);
            if path.exists() { path.to_string_lossy().into_owned() } else { name.to_owned() }
        };
        for (index, program) in image.programs.iter().enumerate() {
            let hits = profile.of(index);
            let mut paths: BTreeMap<&str, String> = BTreeMap::new();
            // What a line adds in this program is the most that one of its instructions has.
            let mut most: BTreeMap<(&str, u32), u64> = BTreeMap::new();
            for (slot, _) in program.code.iter() {
                let Some(line) = program.line_at(slot) else { continue };
                let path = paths.entry(&line.file).or_insert_with(|| path_of(&line.file));
                let count = hits.get(slot as usize).copied().unwrap_or(0);
                let at = most.entry((&line.file, line.line)).or_default();
                *at = (*at).max(count);
                self.line(path, line.line, &line.text).insns += count;
            }
            for ((file, line), count) in most {
                self.line(&paths[file], line, "").hits += count;
            }
            for function in &program.functions {
                let Some(line) = program.line_at(function.start) else { continue };
                let calls = hits.get(function.start as usize).copied().unwrap_or(0);
                let file = self.files.entry(path_of(&line.file)).or_default();
                let known = file.functions.entry(function.name.clone()).or_insert((line.line, 0));
                known.1 += calls;
            }
        }
    }

    fn line(&mut self, file: &str, line: u32, text: &str) -> &mut Line {
        let file = self.files.entry(file.to_owned()).or_default();
        let entry = file.lines.entry(line).or_default();
        if entry.text.is_empty() {
            text.clone_into(&mut entry.text);
        }
        entry
    }

    /// Lines that were executed, of those that could be.
    pub fn executed(&self) -> (usize, usize) {
        let lines = self.files.values().flat_map(|file| file.lines.values());
        lines.fold((0, 0), |(hit, all), line| (hit + usize::from(line.hits > 0), all + 1))
    }
}
