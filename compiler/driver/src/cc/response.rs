//! Response files: `@FILE` stands for the arguments in the file.
//!
//! Words are split as a shell would: blanks separate, quotes and backslashes keep together. A file
//! may name further ones. As with clang, an argument whose file cannot be read stays as it is (and
//! is then an input file that does not exist).

use crate::io::Io;

/// Deeper than this is a file that names itself.
const MAX_DEPTH: usize = 20;

/// Replaces the response files among the arguments by what is in them.
pub fn expand(args: &[String], io: &mut Io<'_>) -> Vec<String> {
    let mut all = Vec::new();
    append(args, &mut all, io, 0);
    all
}

fn append(args: &[String], all: &mut Vec<String>, io: &mut Io<'_>, depth: usize) {
    for arg in args {
        let path = arg.strip_prefix('@').filter(|path| !path.is_empty() && *path != "-" && depth < MAX_DEPTH);
        match path.map(|path| io.read(path)) {
            Some(Ok(bytes)) => append(&words(&String::from_utf8_lossy(&bytes)), all, io, depth + 1),
            _ => all.push(arg.clone()),
        }
    }
}

/// The words of a text.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) => {
                // A backslash at the end of a line continues it.
                let next = chars.next().filter(|&next| next != '\n');
                word.get_or_insert_default().extend(next);
            }
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_ascii_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        let text = "-c 'a b.c'\n  -DX=\"y z\" \\\n-o x\\ y '' -DQ='\"q\"'";
        assert_eq!(words(text), ["-c", "a b.c", "-DX=y z", "-o", "x y", "", "-DQ=\"q\""]);
    }
}
