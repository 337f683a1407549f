//! `skep skel`: source text for the program that loads an object.

use std::path::Path;

use skep_runtime::Object;
use skep_stdlib::ByteOrder;

use crate::error::Result;
use crate::io::{Io, STDIN};
use crate::load::findings;
use crate::skel::{Model, c, go, rust};

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// An object
    object: String,
    /// The language of the program that loads it
    #[arg(long, value_enum, default_value_t = Language::C)]
    lang: Language,
    /// Name of the skeleton; without it, that of the file
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Package of the Go file
    #[arg(long, value_name = "NAME", default_value = "main")]
    package: String,
    /// Where it goes: a file, or a directory
    #[arg(short, long, value_name = "PATH", default_value = STDIN)]
    output: String,
}

/// What a skeleton is written in.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// A header for libbpf
    C,
    /// A module for the crate libbpf-rs
    Rust,
    /// A file for github.com/cilium/ebpf, and the object beside it
    Go,
}

/// Runs it.
pub fn run(args: Args, io: &mut Io<'_>) -> Result {
    let bytes = io.read(&args.object)?;
    let object = Object::parse(&bytes).map_err(|error| findings(io, &args.object, &error))?;
    let outline = object.outline().map_err(|error| findings(io, &args.object, &error))?;
    let model = Model::new(args.name.as_deref(), &args.object, &outline, &bytes);
    let big_endian = object.byte_order() == ByteOrder::Big;
    let suffix = if big_endian { "bpfeb" } else { "bpfel" };
    let file = match args.lang {
        Language::C => format!("{}.skel.h", model.name),
        Language::Rust => format!("{}.skel.rs", model.name),
        Language::Go => format!("{}_{suffix}.go", model.name.to_lowercase()),
    };
    let output = match Path::new(&args.output).is_dir() {
        true => format!("{}/{file}", args.output.trim_end_matches('/')),
        false => args.output,
    };
    let text = match args.lang {
        Language::C => c::header(&model),
        Language::Rust => rust::module(&model),
        Language::Go => {
            // The Go compiler takes the object from the directory of the source.
            let beside = output.strip_suffix(".go").map(|stem| format!("{stem}.o"));
            let embedded = match &beside {
                Some(path) if output != STDIN => path,
                _ => &args.object,
            };
            if let Some(path) = &beside {
                io.write(path, &bytes)?;
            }
            go::file(&model, &args.package, embedded.rsplit('/').next().unwrap_or(embedded), big_endian)
        }
    };
    io.write(&output, text.as_bytes())
}
