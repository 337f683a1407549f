//! What a diagnostic shows of lines that are too long to be read: the part around what it marks.
//!
//! In: a source map and the labels of one diagnostic. Out: the sources for codespan-reporting, in which no line
//! is longer than [`WIDTH`]; the labels end where their lines are cut. Generated headers and macros that
//! stand for whole programs have lines of megabytes. Columns stay those of the file.

use std::collections::BTreeMap;
use std::ops::Range;

use codespan_reporting::diagnostic::{Label, LabelStyle};
use codespan_reporting::files::{Error, Files};

use crate::source::{FileId, SourceMap};

/// Bytes of a line that are shown.
const WIDTH: usize = 400;

/// Bytes that are shown before the first mark of a long line.
const BEFORE: usize = 100;

/// Sources with their long lines cut.
pub(super) struct Excerpt<'a> {
    source: &'a SourceMap,
    /// What is shown of a marked line.
    parts: BTreeMap<(FileId, usize), Range<usize>>,
}

impl<'a> Excerpt<'a> {
    /// Cuts the long lines that the labels mark around them, and the labels.
    pub(super) fn new(source: &'a SourceMap, labels: &mut [Label<FileId>]) -> Excerpt<'a> {
        let mut excerpt = Excerpt { source, parts: BTreeMap::new() };
        // The line of a primary label is cut around it.
        for primary in [true, false] {
            for label in labels.iter().filter(|label| (label.style == LabelStyle::Primary) == primary) {
                for at in [label.range.start, label.range.end] {
                    excerpt.show(label.file_id, at);
                }
            }
        }
        for label in labels {
            let [start, end] = [label.range.start, label.range.end].map(|at| {
                let (line, _) = source.line_index(label.file_id, at);
                let part = excerpt.part(label.file_id, line);
                at.clamp(part.start, part.end)
            });
            label.range = start..end.max(start);
        }
        excerpt
    }

    fn show(&mut self, file: FileId, at: usize) {
        let (line, _) = self.source.line_index(file, at);
        let whole = self.source.line_bytes(file, line);
        if whole.len() > WIDTH {
            let from = at.saturating_sub(BEFORE).max(whole.start);
            let part = self.boundary(file, from)..self.boundary(file, (from + WIDTH).min(whole.end));
            self.parts.entry((file, line)).or_insert(part);
        }
    }

    /// What is shown of a line.
    fn part(&self, file: FileId, line: usize) -> Range<usize> {
        let whole = self.source.line_bytes(file, line);
        match self.parts.get(&(file, line)) {
            Some(part) => part.clone(),
            None if whole.len() > WIDTH => whole.start..self.boundary(file, whole.start + WIDTH),
            None => whole,
        }
    }

    /// The character that `at` is in begins here.
    fn boundary(&self, file: FileId, at: usize) -> usize {
        let text = self.source.printable(file);
        (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
    }
}

impl<'a> Files<'a> for Excerpt<'_> {
    type FileId = FileId;
    type Name = &'a str;
    type Source = &'a str;

    fn name(&'a self, id: FileId) -> Result<&'a str, Error> {
        Ok(self.source.name(id))
    }

    fn source(&'a self, id: FileId) -> Result<&'a str, Error> {
        Ok(self.source.printable(id))
    }

    fn line_index(&'a self, id: FileId, at: usize) -> Result<usize, Error> {
        Ok(self.source.line_index(id, at).0)
    }

    fn line_range(&'a self, id: FileId, line: usize) -> Result<Range<usize>, Error> {
        let max = self.source.lines(id).len();
        if line >= max { Err(Error::LineTooLarge { given: line, max }) } else { Ok(self.part(id, line)) }
    }

    fn column_number(&'a self, id: FileId, line: usize, at: usize) -> Result<usize, Error> {
        let text = self.source.printable(id).get(self.source.line_bytes(id, line).start..at);
        Ok(text.map_or(0, |text| text.chars().count()) + 1)
    }
}

#[cfg(test)]
mod tests {
    use crate::diag::{Diag, Style, codes, render};
    use crate::pp::MemoryFiles;
    use crate::source::Span;
    use crate::{Session, pp};

    #[test]
    fn a_long_line_is_shown_around_its_mark() {
        let text = format!("int x;\n{}oops{}\nint y;\n", "é+".repeat(50_000), "+b".repeat(50_000));
        let mut files = MemoryFiles::new();
        files.add("long.c", &text);
        let mut session = Session::new(&files, Default::default());
        let tokens = pp::preprocess(&mut session, "long.c");
        let at = tokens.toks.iter().position(|tok| session.text(tok) == b"oops").expect("it is there");
        let oops = tokens.toks[at];
        let span = Span::new(oops.loc, tokens.toks[at + 60_000].loc);
        let diag = Diag::new(&codes::MACRO_NAME, span, "a mistake").with_label(Span::at(oops.loc), "here");
        let shown = render(&diag, &session.source, &session.names, Style::default());
        assert!(shown.contains("long.c:2:100001\n"), "{shown}");
        assert!(shown.contains("é+oops+b") && shown.contains("^^^^"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() < super::WIDTH + 20), "{shown}");
    }
}
