//! A kernel's verifier log, as loaders print it: where it ends, with which words, and which rule of
//! ours that is.
//!
//! In: text, with whatever a loader put around the log. Out: the last instruction that was looked at
//! and the lines of complaint after it. Lines that are not understood are passed over.

use skep_runtime::Image;

/// Where and why a log ends.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The program's name, if the log has it.
    pub program: Option<String>,
    /// The last instruction.
    pub slot: u32,
    /// The kernel's words, a line each.
    pub words: Vec<String>,
}

/// Words of the kernel and the rule that they belong to; the first that fits counts.
#[rustfmt::skip]
const WORDS: &[(&str, &str)] = &[
    ("invalid access to packet", "V0101"),
    ("offset is outside of the packet", "V0101"),
    ("invalid access to map value", "V0102"),
    ("invalid access to memory", "V0105"),
    ("invalid indirect read from stack", "V0104"),
    ("invalid read from stack", "V0104"),
    ("invalid write to stack", "V0103"),
    ("invalid unbounded variable-offset", "V0103"),
    ("invalid variable-offset", "V0103"),
    ("invalid bpf_context access", "V0106"),
    ("dereference of modified ctx", "V0114"),
    ("same insn cannot be used with different pointers", "V0113"),
    ("_or_null'", "V0108"),
    ("invalid mem access 'scalar'", "V0109"),
    ("invalid mem access 'inv'", "V0109"),
    ("invalid mem access", "V0110"),
    ("misaligned", "V0111"),
    ("access beyond struct", "V0112"),
    ("cannot be accessed directly by load/store", "V0115"),
    ("points to disabled hook", "V0318"),
    ("is not sleepable", "V0318"),
    ("attach to unsupported member", "V0318"),
    ("must have a GPL compatible license", "V0319"),
    ("only allowed in functions that return 'int'", "V0320"),
    ("Only one arena per program", "V0321"),
    ("addr_space_cast insn", "V0321"),
    ("BPF_LD_[ABS|IND] instructions not allowed", "V0326"),
    ("cannot use BPF_LD_[ABS|IND]", "V0326"),
    ("unsupported set of tags", "V0308"),
    ("invalid combination of tags", "V0308"),
    ("has pointer tag, but is not a pointer", "V0308"),
    ("doesn't return scalar", "V0308"),
    ("exception cb", "V0308"),
    ("cannot be called from callback", "V0312"),
    ("non-GPL compatible", "V0303"),
    ("from non-GPL", "V0119"),
    ("!read_ok", "V0201"),
    ("prohibited for !root", "V0209"),
    ("allowed for CAP_BPF", "V0322"),
    ("allowed only to CAP_PERFMON", "V0322"),
    ("tail_call abusing map_ptr", "V0323"),
    ("leaking pointer from stack", "V0206"),
    ("corrupt spilled pointer", "V0206"),
    ("partial copy of pointer", "V0206"),
    ("leaks addr into", "V0206"),
    ("pointer comparison", "V0205"),
    ("pointer arithmetic", "V0202"),
    ("min value is negative", "V0306"),
    ("unbounded memory access, use", "V0306"),
    ("unbounded memory access", "V0203"),
    ("unbounded min value", "V0203"),
    ("math between", "V0203"),
    ("value is outside of the allowed memory range", "V0102"),
    ("frame pointer is read only", "V0204"),
    ("invalid func", "V0301"),
    ("cannot use helper", "V0302"),
    ("unknown func", "V0302"),
    ("expected=", "V0304"),
    ("Possibly NULL pointer passed", "V0304"),
    ("must be referenced or trusted", "V0304"),
    ("cannot pass map_type", "V0305"),
    ("is not allowed", "V0309"),
    ("should have been in", "V0401"),
    ("Unreleased reference", "V0402"),
    ("leaks addr as return value", "V0403"),
    ("cannot return stack pointer", "V0404"),
    ("jump out of range", "V0501"),
    ("unreachable insn", "V0502"),
    ("last insn is not an exit", "V0503"),
    ("infinite loop detected", "V0504"),
    ("back-edge", "V0507"),
    ("call stack", "V0505"),
    ("combined stack size", "V0506"),
    ("program is too large", "V0601"),
    ("jumps is too complex", "V0603"),
    ("too complex", "V0601"),
    ("invalid func unknown#195896080", "V0602"),
];

/// The lines that end a log and complain of nothing.
const STATISTICS: &[&str] =
    &["processed ", "verification time ", "stack depth ", "max_states", "--", "from "];

/// Where the log ends; none if there is no instruction in it.
pub fn last_failure(log: &str) -> Option<Failure> {
    let (mut program, mut found) = (None, None);
    for line in log.lines() {
        let line = line.trim_end();
        // `libbpf: prog 'name': ...`
        if let Some(name) = line.split("prog '").nth(1).and_then(|rest| rest.split('\'').next()) {
            program = Some(name.to_owned());
        }
        let line = line.strip_prefix("libbpf: ").unwrap_or(line);
        if let Some(slot) = instruction(line) {
            found = Some((slot, Vec::new()));
        } else if let Some((_, words)) = &mut found
            && is_complaint(line)
        {
            words.push(line.to_owned());
        } else if line.starts_with("processed ")
            && let Some((slot, words)) = &found
            && !words.is_empty()
        {
            return Some(Failure { program, slot: *slot, words: words.clone() });
        }
    }
    let (slot, words) = found?;
    Some(Failure { program, slot, words })
}

/// The number of the instruction that a line shows: `12: (61) r1 = ...`.
fn instruction(line: &str) -> Option<u32> {
    let (number, rest) = line.trim_start().split_once(": ")?;
    let opcode = rest.strip_prefix('(')?.get(..3)?;
    let is_opcode = opcode.ends_with(')') && opcode[..2].chars().all(|c| c.is_ascii_hexdigit());
    number.parse().ok().filter(|_| is_opcode)
}

fn is_complaint(line: &str) -> bool {
    let state = line.split_once(": ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
    let loader = line.contains("prog '") || line.starts_with("failed to load");
    let trace = line.starts_with("mark_precise") || line.starts_with("frame");
    !line.is_empty()
        && !line.starts_with(';')
        && !state
        && !loader
        && !trace
        && !STATISTICS.iter().any(|start| line.starts_with(start))
}

/// The program of the image that the log is of.
pub fn program_of(failure: &Failure, named: Option<&str>, image: &Image) -> Option<usize> {
    match named.or(failure.program.as_deref()) {
        Some(name) => image.programs.iter().position(|program| program.name == name),
        None => (image.programs.len() == 1).then_some(0),
    }
}

/// The rule that the kernel's words belong to.
pub fn rule_of(words: &[String]) -> Option<&'static str> {
    let fits = |needle: &str| words.iter().any(|line| line.contains(needle));
    WORDS.iter().find(|row| fits(row.0)).map(|row| row.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "libbpf: prog 'drop': BPF program load failed: Permission denied
libbpf: prog 'drop': -- BEGIN PROG LOAD LOG --
0: R1=ctx() R10=fp0
; unsigned char *data = (void *)(long)ctx->data; @ x.bpf.c:5
0: (61) r1 = *(u32 *)(r1 +0)          ; R1_w=pkt(r=0)
1: (71) r0 = *(u8 *)(r1 +12)
invalid access to packet, off=12 size=1, R1(id=0,off=12,r=0)
R1 offset is outside of the packet
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
-- END PROG LOAD LOG --
libbpf: failed to load object 'x.bpf.o'
";

    #[test]
    fn a_log_ends_at_its_last_instruction() {
        let failure = last_failure(LOG).unwrap();
        assert_eq!((failure.program.as_deref(), failure.slot), (Some("drop"), 1));
        let first = "invalid access to packet, off=12 size=1, R1(id=0,off=12,r=0)";
        assert_eq!(failure.words, [first, "R1 offset is outside of the packet"]);
        assert_eq!(rule_of(&failure.words), Some("V0101"));
    }

    #[test]
    fn what_is_no_log_has_no_failure() {
        for text in ["", "12: nothing", "(61) r1", "0: (6", "0: (é1) x"] {
            assert_eq!(last_failure(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_rule_that_is_named_exists() {
        for (words, code) in WORDS {
            assert!(skep_runtime::verify::RULES.iter().any(|rule| rule.code == *code), "{words}");
        }
    }
}
