//! Programs in C, each with the rule that it breaks: our verdict, and the running kernel's beside it.
#![allow(clippy::print_stderr)]

use skep_runtime::kernel::Kernel;
use skep_runtime::verify::{Options, verify_program};

use super::Need;

/// What it is about, the text, the rule that it breaks.
pub type Case = (&'static str, &'static str, Option<&'static str>);

/// Our verdict: the rule, and how many instructions it took.
pub struct Ours {
    pub result: Result<(), &'static str>,
    pub words: String,
    pub insns: u32,
    image: skep_runtime::Image,
}

/// Our verdict on a program; none without a compiler or the kernel's types.
pub fn ours(name: &str, head: &str, text: &str) -> Option<Ours> {
    let bytes = super::clang(name, &format!("{head}\n{text}"), &["-mcpu=v3", "-w"])?;
    let btf = super::vmlinux()?;
    let image = super::link(&bytes);
    let (result, stats) = verify_program(&image, 0, &Options { btf: Some(btf), ..Options::default() });
    let words = result.as_ref().err().map_or(String::new(), |report| report.cause.message());
    let result = result.map_err(|report| report.cause.rule().code);
    Some(Ours { result, words, insns: stats.insns, image })
}

/// Judges them all. Of what both accept, both walk the same number of instructions.
pub fn cases(suite: &str, head: &str, cases: &[Case]) {
    let (mut wrong, mut judged) = (Vec::new(), 0);
    for (index, &(name, text, rule)) in cases.iter().enumerate() {
        let Some(ours) = ours(&format!("{suite}-{index}"), head, text) else { return };
        if ours.result.err() != rule {
            wrong.push(format!("{name}: {:?}, not {rule:?}: {}", ours.result, ours.words));
        }
        if !super::have(&[Need::Kernel]) {
            continue;
        }
        // As the usual loader does where the kernel refuses a map for its types.
        let typed = Kernel::prepare(&ours.image);
        let kernel = typed.or_else(|_| Kernel::prepare(&without_types(&ours.image)));
        let verdict = kernel.and_then(|kernel| kernel.judge(&ours.image.programs[0], STATISTICS));
        match (verdict, rule) {
            (Ok(log), None) => match walked(&log) {
                Some(count) if count != ours.insns => {
                    wrong.push(format!("{name}: {} instructions, the kernel walks {count}", ours.insns));
                }
                _ => judged += 1,
            },
            (Ok(_), Some(_)) => wrong.push(format!("{name}: the kernel accepts it")),
            // A sandboxed kernel refuses such programs before it looks at them.
            (Err(error), _) if error.log.is_empty() => {}
            (Err(_), Some(_)) => judged += 1,
            (Err(error), None) => wrong.push(format!("{name}: the kernel refuses it: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    eprintln!("{suite}: the kernel agreed on {judged} of {} cases", cases.len());
}

/// The log's level with what the walk took only.
const STATISTICS: u32 = 4;

/// How many instructions the kernel walked, by its log.
fn walked(log: &str) -> Option<u32> {
    log.split_once("processed ")?.1.split_once(' ')?.0.parse().ok()
}

/// The image with maps whose keys and values have no types.
fn without_types(image: &skep_runtime::Image) -> skep_runtime::Image {
    let mut image = image.clone();
    for map in &mut image.maps {
        (map.btf_key, map.btf_value) = Default::default();
    }
    image
}
