//! One runner: every file of `tests/suite`, every example, every seed program is a named test.
//!
//! - `suite/errors/*.c` are broken programs: what is said about each is a snapshot beside it, and
//!   `// ERROR[..]` remarks must be met.
//! - pages of the book that list the rows of a table are compared with it.
//! - the programs on the book's pages about codes meet their code, or none.
//! - `suite/explanations/*.c` are programs that the verifier refuses: how it says so is a snapshot beside each,
//!   and the change that it suggests is tried.
//! - `suite/conformance/*.data` are small programs with the r0 that every engine must leave.
//! - `examples/*.bpf.c` quote command lines (`// $ skep ...`): what they print is a snapshot.
//! - objects are the same however much of the headers is read.
//! - objects of our own run in the kernel as in the interpreter; broken copies do no harm.
//! - `suite/guarantees/*.c` are programs that look right and that the verifier must accept as we compile them.
//! - `suite/torture/*.c` are families of C functions: each yields the same natively and as BPF code of
//!   both compilers, here and in the kernel.
//! - the seed programs are compiled with the embedded headers and with the host's, run, loaded
//!   into the kernel, and compared with what clang makes of them.

#[path = "harness/book.rs"]
mod book;
#[path = "harness/conformance.rs"]
mod conformance;
#[path = "harness/errors.rs"]
mod errors;
#[path = "harness/examples.rs"]
mod examples;
#[path = "harness/explain.rs"]
mod explain;
#[path = "harness/explanations.rs"]
mod explanations;
#[path = "harness/guarantees.rs"]
mod guarantees;
#[path = "harness/headers.rs"]
mod headers;
#[path = "harness/objects.rs"]
mod objects;
#[path = "harness/run.rs"]
mod run;
#[path = "harness/seeds.rs"]
mod seeds;
#[path = "harness/torture.rs"]
mod torture;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = Vec::new();
    trials.extend(book::trials());
    trials.extend(conformance::trials());
    trials.extend(errors::trials());
    trials.extend(examples::trials());
    trials.extend(guarantees::trials());
    trials.extend(explain::trials());
    trials.extend(explanations::trials());
    trials.extend(headers::trials());
    trials.extend(objects::trials());
    trials.extend(seeds::trials());
    trials.extend(torture::trials());
    libtest_mimic::run(&arguments, trials).exit();
}
