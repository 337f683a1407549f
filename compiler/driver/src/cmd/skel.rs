//! `skep skel`: source text for the program that loads an object.

use std::path::Path;

use skep_runtime::Object;

use crate::error::Result;
use crate::io::{Io, STDIN};
use crate::load::findings;
use crate::skel::{Model, c};

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
    /// Where it goes: a file, or a directory
    #[arg(short, long, value_name = "PATH", default_value = STDIN)]
    output: String,
}

/// What a skeleton is written in.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// A header for libbpf
    C,
}

/// Runs it.
pub fn run(args: Args, io: &mut Io<'_>) -> Result {
    let bytes = io.read(&args.object)?;
    let object = Object::parse(&bytes).map_err(|error| findings(io, &args.object, &error))?;
    let outline = object.outline().map_err(|error| findings(io, &args.object, &error))?;
    let model = Model::new(args.name.as_deref(), &args.object, &outline, &bytes);
    let (text, file) = match args.lang {
        Language::C => (c::header(&model), format!("{}.skel.h", model.name)),
    };
    let output = match Path::new(&args.output).is_dir() {
        true => format!("{}/{file}", args.output.trim_end_matches('/')),
        false => args.output,
    };
    io.write(&output, text.as_bytes())
}
