//! `skep verify`: any object, by the kernel's rules.

use std::time::Instant;

use skep_runtime::object::{Image, Program};
use skep_runtime::verify::Verdict;
use skep_syntax::diag::Style;
use skep_syntax::pp::Files as _;

use crate::cost;
use crate::error::{Error, Result};
use crate::io::{DiskFiles, Io};
use crate::load::{self, VerifyArgs};
use crate::matrix::{self, Cell, Form, Row};
use crate::rejection;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Object files
    #[arg(required = true, value_name = "OBJECT")]
    objects: Vec<String>,
    /// Only this program
    #[arg(short, long, value_name = "NAME")]
    prog: Option<String>,
    /// Say which lines of the source cost the verifier most
    #[arg(long)]
    cost: bool,
    /// Write a page of HTML on which every line of the source is shaded by its cost
    #[arg(long, value_name = "FILE")]
    cost_page: Option<String>,
    /// Print a line for each program in the columns of `veristat -o csv`
    #[arg(long)]
    csv: bool,
    /// Print the verdicts as a matrix of programs and kernels, in this form; of several kernels they always are
    #[arg(long, value_enum)]
    format: Option<Form>,
    #[command(flatten)]
    verify: VerifyArgs,
}

/// Runs it: every program of every object gets a line.
pub fn run(args: Args, io: &mut Io<'_>) -> Result {
    args.verify.say_assumed(io)?;
    if args.verify.kernel.len() > 1 || args.format.is_some() {
        return several(&args, io);
    }
    if args.csv {
        writeln!(io.out, "{}", cost::CSV_HEADER)?;
    }
    let mut result = Ok(());
    for path in &args.objects {
        match verify(&args, path, io) {
            Err(Error::Reported(code)) => result = Err(Error::Reported(code)),
            other => other?,
        }
    }
    result
}

fn verify(args: &Args, path: &str, io: &mut Io<'_>) -> Result {
    let bytes = io.read(path)?;
    let image = load::link(path, &bytes, &args.verify, io)?;
    let options = args.verify.options(io)?;
    let mut verdicts = Vec::new();
    for (index, program) in wanted(args, &image) {
        let start = Instant::now();
        let verdict = skep_runtime::verify::verdict(&image, index, &options);
        let micros = start.elapsed().as_micros();
        match args.csv {
            true => writeln!(io.out, "{}", cost::csv(path, &verdict, micros))?,
            false => say(args, path, program, &verdict, io)?,
        }
        if let (Some(report), false) = (&verdict.report, args.csv) {
            let style = Style { short: false, color: io.color };
            write!(io.err, "{}", rejection::render_object(report, &image, style))?;
        }
        load::say_kernel_log(&image, index, verdict.report.as_ref(), &args.verify, io)?;
        verdicts.push((program, verdict));
    }
    match &args.prog {
        _ if !verdicts.is_empty() => {}
        Some(name) => {
            let list = load::program_names(&image);
            return Err(Error::usage(format!("`{path}` has no program `{name}`; it has {list}")));
        }
        None => writeln!(io.err, "warning: `{path}` has no programs: there is nothing to verify")?,
    }
    if let Some(page) = &args.cost_page {
        let shown: Vec<(&Program, &Verdict)> = verdicts.iter().map(|(program, verdict)| (*program, verdict)).collect();
        let disk = DiskFiles::default();
        let html = cost::page(path, &shown, &mut |file| {
            let bytes = disk.read(file).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        });
        io.write(page, html.as_bytes())?;
    }
    let all_safe = verdicts.iter().all(|(_, verdict)| verdict.report.is_none());
    if all_safe { Ok(()) } else { Err(Error::FINDINGS) }
}

/// The programs that were asked for.
fn wanted<'i>(args: &Args, image: &'i Image) -> Vec<(usize, &'i Program)> {
    let is_wanted = |program: &Program| args.prog.as_ref().is_none_or(|name| *name == program.name);
    image.programs.iter().enumerate().filter(|(_, program)| is_wanted(program)).collect()
}

/// The line of a program.
fn say(args: &Args, path: &str, program: &Program, verdict: &Verdict, io: &mut Io<'_>) -> Result {
    let word = if verdict.report.is_none() { "safe" } else { "rejected" };
    let (name, stats) = (&verdict.program, verdict.stats);
    writeln!(
        io.out,
        "{path}: {name}: {word}, {} instructions walked, {} states, {} bytes of stack",
        stats.insns, stats.states, stats.stack
    )?;
    if args.cost {
        write!(io.out, "{}", cost::list(program, verdict))?;
    }
    Ok(())
}

/// What one kernel says of the programs of one object, by their names; or why it does not link.
type Column = std::result::Result<Vec<(String, Option<Cell>)>, String>;

/// The verdicts of several kernels.
fn several(args: &Args, io: &mut Io<'_>) -> Result {
    let mut rows: Vec<Row> = Vec::new();
    let names: Vec<String> = args.verify.kernel.iter().map(|kernel| kernel.name.clone()).collect();
    for path in &args.objects {
        let bytes = io.read(path)?;
        let mut columns: Vec<Column> = Vec::new();
        for kernel in &args.verify.kernel {
            let verify = VerifyArgs { kernel: vec![kernel.clone()], ..args.verify.clone() };
            columns.push(column(args, &bytes, &verify, io)?);
        }
        rows.extend(rows_of(path, &columns));
    }
    write!(io.out, "{}", matrix::print(&rows, &names, args.format.unwrap_or(Form::Text)))?;
    let all_safe = rows.iter().all(|row| row.cells.iter().all(Option::is_none));
    if all_safe { Ok(()) } else { Err(Error::FINDINGS) }
}

fn column(args: &Args, bytes: &[u8], verify: &VerifyArgs, io: &mut Io<'_>) -> Result<Column> {
    let options = verify.options(io)?;
    let image = match load::try_link(bytes, verify, io)? {
        Ok(image) => image,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let verdict = |(index, program): (usize, &Program)| {
        let report = skep_runtime::verify::verdict(&image, index, &options).report;
        let cell = report.map(|report| Cell {
            code: report.cause.rule().code.to_owned(),
            message: report.cause.message(),
        });
        (program.name.clone(), cell)
    };
    Ok(Ok(wanted(args, &image).into_iter().map(verdict).collect()))
}

/// A row for each program that any kernel saw; one for all if none did.
fn rows_of(path: &str, columns: &[Column]) -> Vec<Row> {
    let mut programs: Vec<String> = Vec::new();
    for (name, _) in columns.iter().flatten().flatten() {
        if !programs.contains(name) {
            programs.push(name.clone());
        }
    }
    if programs.is_empty() {
        programs.push("all programs".into());
    }
    let cell = |column: &Column, program: &String| match column {
        Err(error) => Some(Cell { code: "link".into(), message: error.clone() }),
        Ok(verdicts) => verdicts.iter().find(|(name, _)| name == program).map_or_else(
            || Some(Cell { code: "-".into(), message: "it is not among the object's programs there".into() }),
            |(_, cell)| cell.clone(),
        ),
    };
    let row = |program: String| Row {
        object: path.to_owned(),
        cells: columns.iter().map(|column| cell(column, &program)).collect(),
        program,
    };
    programs.into_iter().map(row).collect()
}
