//! What to write instead: a change of the C source that makes a rejected program right.
//!
//! In: a rejection, the program's line records, and the files that they name. Out: lines to add or to
//! replace, in the names that the source uses; nothing where the text does not say clearly enough what
//! is meant. The same for objects of any compiler: only lines are looked at, never the compiler's tables.
//! The tests apply every change to the program it was made for, which must then be accepted.

use skep_runtime::object::{Line, Program};
use skep_runtime::verify::{Access, Cause, Report};
use skep_stdlib::isa::Insn;
use skep_stdlib::programs::ProgType;

use crate::text::{Text, arguments, assigned, first_word, indexed, last_word};

/// Lines to be changed in one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edit {
    /// The file, as the line records name it.
    pub file: String,
    /// The changes, from the top of the file down.
    pub changes: Vec<Change>,
}

/// Some lines in place of none or one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The line in front of which they go, from 1.
    pub line: usize,
    /// Is that line dropped?
    pub replaces: bool,
    /// The new lines.
    pub text: Vec<String>,
}

impl Edit {
    /// The file's text with the changes made.
    pub fn apply(&self, source: &str) -> String {
        let mut lines: Vec<&str> = source.lines().collect();
        for change in self.changes.iter().rev() {
            let at = change.line.saturating_sub(1).min(lines.len());
            let end = (at + usize::from(change.replaces)).min(lines.len());
            lines.splice(at..end, change.text.iter().map(String::as_str));
        }
        lines.join("\n") + "\n"
    }

    /// How to say it.
    pub fn describe(&self) -> Vec<String> {
        let one = |change: &Change| {
            let verb = if change.replaces { "write instead of" } else { "write before" };
            let text: Vec<String> = change.text.iter().map(|line| line.replace('\t', "    ")).collect();
            format!("help: {verb} line {}:\n{}", change.line, text.join("\n"))
        };
        self.changes.iter().map(one).collect()
    }
}

/// What is known of where it failed.
struct Place<'a> {
    report: &'a Report,
    program: &'a Program,
    line: &'a Line,
    text: Text<'a>,
}

/// A change after which the program would be accepted; `read` gives the text of a file.
pub fn suggest(
    report: &Report,
    program: &Program,
    read: &mut dyn FnMut(&str) -> Option<String>,
) -> Option<Edit> {
    let line = program.line_at(report.slot)?;
    let source = read(&line.file)?;
    let text = Text::new(&source);
    // The file may have been changed since.
    if text.line(line.line as usize)?.trim() != line.text.trim() {
        return None;
    }
    let place = Place { report, program, line, text };
    let changes = match &report.cause {
        Cause::MaybeNull { access } => place.compare_with_null(access),
        Cause::PacketBounds { access, .. } => place.compare_with_end(access),
        Cause::MapValueBounds { access, value_size, .. } => place.bound_index(access, *value_size),
        Cause::UnboundedOffset { .. } => place.bound_index_of_array(),
        Cause::StackBounds { .. } => place.bound_index_of_array().or_else(|| place.bound_size()),
        Cause::StackUninit { .. } => place.initialise(),
        Cause::SizeArgument { .. } => place.bound_size(),
        Cause::Leak { acquired, .. } => place.give_back(*acquired),
        Cause::HelperGpl { .. } | Cause::ProgramGpl { .. } | Cause::StructureGpl { .. } => place.license(),
        Cause::Uninit { reg } => place.parameters(*reg),
        Cause::NotAPointer { .. } => place.read_by_helper(),
        _ => None,
    }?;
    Some(Edit { file: line.file.to_string(), changes })
}

impl<'a> Place<'a> {
    fn at(&self) -> usize {
        self.line.line as usize
    }

    /// The line, in this file, of another instruction.
    fn line_of(&self, slot: u32) -> Option<usize> {
        let line = self.program.line_at(slot)?;
        (line.file == self.line.file).then_some(line.line as usize)
    }

    /// `if (condition) leave`, in front of this line.
    fn guard(&self, line: usize, condition: &str) -> Option<Vec<Change>> {
        let indent = self.text.indent(line);
        let text = vec![format!("{indent}if ({condition})"), format!("{indent}\t{}", self.leave(line)?)];
        Some(vec![Change { line, replaces: false, text }])
    }

    /// How the function around this line is left without having done its work.
    fn leave(&self, line: usize) -> Option<String> {
        let head = self.text.function_head(line)?;
        if first_word(head.trim_start_matches("static ").trim_start_matches("__always_inline "))
            == Some("void")
        {
            return Some("return;".into());
        }
        if !head.contains(&self.program.name) {
            return Some("return 0;".into());
        }
        let value = match self.program.ty {
            ProgType::Xdp => "XDP_PASS",
            ProgType::CgroupSkb | ProgType::CgroupSock | ProgType::CgroupSockAddr => "1",
            _ => "0",
        };
        Some(format!("return {value};"))
    }

    /// After the call that may give null.
    fn compare_with_null(&self, access: &Access) -> Option<Vec<Change>> {
        let born = self.line_of(access.born)?;
        let first = self.text.statement_start(born);
        let name = assigned(self.text.line(first)?)?;
        self.guard(self.text.statement_end(first)? + 1, &format!("!{name}"))
    }

    /// Before the access: are its bytes in the packet?
    fn compare_with_end(&self, access: &Access) -> Option<Vec<Change>> {
        let failed = self.text.line(self.at())?;
        // How much a loop or an index needs, one access does not tell.
        if indexed(failed).is_some() {
            return None;
        }
        let start = self.text.function_start(self.at())?;
        let end = (start..=self.at()).find_map(|line| {
            let text = self.text.line(line).filter(|text| text.contains("->data_end"))?;
            assigned(text)
        })?;
        let first = self.text.statement_start(self.at());
        if let Some((before, _)) = failed.split_once("->") {
            // The structure that is read tells how much is needed.
            let name = last_word(before)?;
            return self.guard(first, &format!("(void *)({name} + 1) > (void *)(long){end}"));
        }
        let declared = self.text.line(self.line_of(access.born)?)?;
        if access.min != access.max || access.id != 0 || !declared.contains("->data") {
            return None;
        }
        let data = assigned(declared)?;
        self.guard(first, &format!("(void *)(long){data} + {} > (void *)(long){end}", access.end()))
    }

    /// Before the access: is the index one of the array's?
    fn bound_index(&self, access: &Access, size: u32) -> Option<Vec<Change>> {
        if access.min == access.max {
            return None;
        }
        let (array, index) = indexed(self.text.line(self.at())?)?;
        let is_array = array.contains(['>', '.']) || self.text.is_array(array);
        let count = match is_array {
            true => format!("sizeof({array}) / sizeof({array}[0])"),
            false => (size / access.size.max(1)).to_string(),
        };
        self.guard(self.text.statement_start(self.at()), &format!("{index} >= {count}"))
    }

    /// The same where the size of what is indexed must be the array's.
    fn bound_index_of_array(&self) -> Option<Vec<Change>> {
        let (array, index) = indexed(self.text.line(self.at())?)?;
        if !array.contains(['>', '.']) && !self.text.is_array(array) {
            return None;
        }
        let condition = format!("{index} >= sizeof({array}) / sizeof({array}[0])");
        self.guard(self.text.statement_start(self.at()), &condition)
    }

    /// Where the variable is declared.
    fn initialise(&self) -> Option<Vec<Change>> {
        let call = self.text.statement(self.at())?;
        let name = call.split('&').skip(1).filter_map(first_word).find_map(|name| {
            let declared = self.text.declaration(name, self.at())?;
            Some((declared, name))
        });
        let (line, _) = name?;
        let declared = self.text.line(line)?;
        let text = format!("{} = {{}};", declared.trim_end().strip_suffix(';')?);
        Some(vec![Change { line, replaces: true, text: vec![text] }])
    }

    /// Before the call: is the size that follows a buffer one of the buffer's?
    fn bound_size(&self) -> Option<Vec<Change>> {
        let call = self.text.statement(self.at())?;
        let arguments = arguments(call.get(call.find("bpf_")?..)?)?;
        let is_name =
            |text: &str| first_word(text) == Some(text) && !text.starts_with(|c: char| c.is_ascii_digit());
        let pair = arguments.windows(2).find_map(|pair| {
            let (buffer, size) = (pair.first()?.trim(), pair.get(1)?.trim());
            let buffer = buffer.strip_prefix('&').unwrap_or(buffer);
            let fits = is_name(buffer) && is_name(size) && self.text.declares(buffer, self.at());
            // Two comparisons of an unsigned number become one of another number.
            let above = format!("{size} > sizeof({buffer})");
            let unsigned = self.text.is_unsigned(size, self.at());
            fits.then(|| if unsigned { above } else { format!("{size} <= 0 || {size} > sizeof({buffer})") })
        })?;
        self.guard(self.text.statement_start(self.at()), &pair)
    }

    /// Before the program ends on this path.
    fn give_back(&self, acquired: u32) -> Option<Vec<Change>> {
        let born = self.text.statement_start(self.line_of(acquired)?);
        let call = self.text.statement(born)?;
        let name = assigned(self.text.line(born)?)?;
        let (_, release) = RELEASES.iter().find(|row| call.contains(row.0))?;
        let release = release.replace("NAME", name);
        let left = |line: &usize| self.text.line(*line).is_some_and(|text| text.trim().starts_with("return"));
        // Ends that are alike are one for the compiler: the last jump of the path tells which it is.
        let line = match self.last_jump() {
            None => (born + 1..self.at() + 1).find(left)?,
            Some((_, to)) if to != self.at() => (to..to + SEARCHED).find(left)?,
            Some((from, _)) if left(&self.at()) && self.at() > from => self.at(),
            Some((from, _)) => (from + 1..from + SEARCHED).find(left)?,
        };
        if self.text.line(line)?.contains(name) {
            return None;
        }
        let (indent, leave) = (self.text.indent(line), self.text.line(line)?.trim());
        let above = self.text.line(line.checked_sub(1)?)?.trim_end();
        if !above.ends_with(')') {
            return Some(vec![Change { line, replaces: false, text: vec![format!("{indent}{release}")] }]);
        }
        let outer = indent.strip_suffix('\t').unwrap_or("");
        let text = vec![
            format!("{outer}{{"),
            format!("{indent}{release}"),
            format!("{indent}{leave}"),
            format!("{outer}}}"),
        ];
        Some(vec![Change { line, replaces: true, text }])
    }

    /// From which line the last jump of the path went to which.
    fn last_jump(&self) -> Option<(usize, usize)> {
        let step = self.report.path.last()?;
        let Some(Insn::Branch { off, .. }) = self.program.code.at(step.slot) else { return None };
        let off = if step.taken { i64::from(*off) } else { 0 };
        let target = u32::try_from(i64::from(step.slot) + 1 + off).ok()?;
        Some((self.line_of(step.slot)?, self.line_of(target)?))
    }

    fn license(&self) -> Option<Vec<Change>> {
        let at = (1..=self.text.count())
            .find(|line| self.text.line(*line).is_some_and(|text| text.contains("SEC(\"license\")")));
        let text = vec!["char LICENSE[] SEC(\"license\") = \"GPL\";".to_owned()];
        Some(match at {
            Some(line) => vec![Change { line, replaces: true, text }],
            None => vec![Change { line: self.text.count() + 1, replaces: false, text }],
        })
    }

    /// A program that is written like the function it traces.
    fn parameters(&self, reg: u8) -> Option<Vec<Change>> {
        if !(2..=5).contains(&reg) || self.program.ty != ProgType::Kprobe {
            return None;
        }
        let line = self.text.function_start(self.at())?;
        let head = self.text.line(line)?;
        let (before, rest) = head.split_once(&format!("{}(", self.program.name))?;
        let (first, parameters) = rest.split_once(',')?;
        if !first.contains("pt_regs") {
            return None;
        }
        let after = self.program.section.contains("ret");
        let wrapper = if after { "BPF_KRETPROBE" } else { "BPF_KPROBE" };
        let text = format!("{before}{wrapper}({}, {}", self.program.name, parameters.trim_start());
        let mut changes = self.include("bpf/bpf_tracing.h")?;
        changes.push(Change { line, replaces: true, text: vec![text] });
        Some(changes)
    }

    /// Memory that only helpers may read.
    fn read_by_helper(&self) -> Option<Vec<Change>> {
        if let Cause::NotAPointer { born, .. } = self.report.cause
            && let Some(Insn::Call(_)) = self.program.code.at(born)
        {
            // It is no kernel memory, or no more.
            return None;
        }
        let line = self.text.line(self.at())?;
        let (before, after) = line.split_once("->")?;
        let (pointer, member) = (last_word(before)?, first_word(after)?);
        let rest = after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').trim_start();
        let writes = rest.starts_with('=') && !rest.starts_with("==");
        if writes || rest.starts_with("++") || rest.get(1..).is_some_and(|rest| rest.starts_with('=')) {
            return None;
        }
        let text =
            line.replacen(&format!("{pointer}->{member}"), &format!("BPF_CORE_READ({pointer}, {member})"), 1);
        let mut changes = self.include("bpf/bpf_core_read.h")?;
        changes.push(Change { line: self.at(), replaces: true, text: vec![text] });
        Some(changes)
    }

    /// The header, if it is not there yet.
    fn include(&self, header: &str) -> Option<Vec<Change>> {
        let is_include =
            |line: &usize| self.text.line(*line).is_some_and(|text| text.starts_with("#include"));
        let included = (1..=self.text.count()).filter(is_include);
        let lines: Vec<usize> = included.collect();
        if lines.iter().any(|line| self.text.line(*line).is_some_and(|text| text.contains(header))) {
            return Some(Vec::new());
        }
        let text = vec![format!("#include <{header}>")];
        Some(vec![Change { line: lines.last()? + 1, replaces: false, text }])
    }
}

/// So many lines are searched for where the function is left.
const SEARCHED: usize = 5;

/// What gives back what a call has acquired.
const RELEASES: &[(&str, &str)] = &[
    ("bpf_ringbuf_reserve(", "bpf_ringbuf_discard(NAME, 0);"),
    ("bpf_sk_lookup_tcp(", "bpf_sk_release(NAME);"),
    ("bpf_sk_lookup_udp(", "bpf_sk_release(NAME);"),
    ("bpf_skc_lookup_tcp(", "bpf_sk_release(NAME);"),
    ("bpf_task_from_pid(", "bpf_task_release(NAME);"),
    ("bpf_task_acquire(", "bpf_task_release(NAME);"),
    ("bpf_obj_new(", "bpf_obj_drop(NAME);"),
];
