//! C text as lines: enough of its shape to say where a statement begins and what it names.
//!
//! Nothing here parses; a text that is laid out unusually gives no answer.

/// The lines of a file, numbered from 1.
pub struct Text<'a> {
    lines: Vec<&'a str>,
}

impl<'a> Text<'a> {
    /// The lines of this text.
    pub fn new(source: &'a str) -> Text<'a> {
        Text { lines: source.lines().collect() }
    }

    /// How many lines there are.
    pub fn count(&self) -> usize {
        self.lines.len()
    }

    /// A line.
    pub fn line(&self, number: usize) -> Option<&'a str> {
        self.lines.get(number.checked_sub(1)?).copied()
    }

    /// The blanks a line begins with.
    pub fn indent(&self, number: usize) -> &'a str {
        let line = self.line(number).unwrap_or_default();
        let blanks = line.len() - line.trim_start().len();
        // In front of a closing brace is one step more.
        match line.get(..blanks) {
            Some(indent) if !line.trim().is_empty() => indent,
            _ => number
                .checked_sub(1)
                .and_then(|above| self.line(above))
                .map_or("\t", |above| above.get(..above.len() - above.trim_start().len()).unwrap_or("\t")),
        }
    }

    /// The first line of the statement on this line; of what an `if` without braces guards, the `if`.
    pub fn statement_start(&self, number: usize) -> usize {
        let mut line = number;
        while line > 1 {
            let above = self.line(line - 1).unwrap_or_default().trim();
            let ends = above.is_empty()
                || above.ends_with([';', '{', '}', ':'])
                || above.ends_with("*/")
                || above.starts_with("//")
                || above.starts_with('#');
            if ends {
                break;
            }
            line -= 1;
        }
        line
    }

    /// The last line of the statement that begins on this line.
    pub fn statement_end(&self, number: usize) -> Option<usize> {
        (number..self.count() + 1)
            .take(20)
            .find(|line| self.line(*line).is_some_and(|text| text.trim_end().ends_with(';')))
    }

    /// The statement around this line, on one line.
    pub fn statement(&self, number: usize) -> Option<String> {
        let start = self.statement_start(number);
        let lines = (start..=self.statement_end(number)?).filter_map(|line| self.line(line));
        Some(lines.map(str::trim).collect::<Vec<_>>().join(" "))
    }

    /// The line on which the head of the function around this line begins.
    pub fn function_start(&self, number: usize) -> Option<usize> {
        let is_head = |line: &usize| {
            let text = self.line(*line).unwrap_or_default();
            let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            begins && text.contains('(') && !text.trim_end().ends_with([';', ':'])
        };
        (1..=number).rev().find(is_head)
    }

    /// The head itself, with what `SEC` says of it.
    pub fn function_head(&self, number: usize) -> Option<String> {
        let start = self.function_start(number)?;
        Some(self.line(start)?.to_owned())
    }

    /// The line above this one on which a variable is declared and not initialised.
    pub fn declaration(&self, name: &str, below: usize) -> Option<usize> {
        let start = self.function_start(below)?;
        (start..below).rev().find(|line| {
            let text = self.line(*line).unwrap_or_default().trim();
            let Some(before) = text.strip_suffix(';') else { return false };
            let before = before.split('[').next().unwrap_or_default();
            last_word(before) == Some(name) && before.trim_end().contains(' ') && !text.contains(['=', '('])
        })
    }

    /// Is a variable of this name declared in the function around this line?
    pub fn declares(&self, name: &str, below: usize) -> bool {
        self.declared(name, below).is_some()
    }

    /// Is it declared, and unsigned?
    pub fn is_unsigned(&self, name: &str, below: usize) -> bool {
        let unsigned = ["__u", "u8", "u16", "u32", "u64", "unsigned", "size_t"];
        self.declared(name, below).is_some_and(|line| unsigned.iter().any(|ty| line.starts_with(ty)))
    }

    /// The declaration of a variable of this name, without the blanks in front.
    fn declared(&self, name: &str, below: usize) -> Option<&'a str> {
        let start = self.function_start(below)?;
        (start..below).filter_map(|line| self.line(line)).map(str::trim_start).find(|line| {
            let before = line.split(['=', '[', ';']).next().unwrap_or_default();
            last_word(before) == Some(name) && before.trim().contains(' ')
        })
    }

    /// Is it declared as an array?
    pub fn is_array(&self, name: &str) -> bool {
        self.lines.iter().any(|line| {
            let Some((before, _)) = line.split_once('[') else { return false };
            let declares = line.trim_end().ends_with(';') && !before.contains(['(', '=', '.', '>']);
            declares
                && last_word(before) == Some(name)
                && before.trim().contains(' ')
                && !before.contains("return")
        })
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The name that a text begins with.
pub fn first_word(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    text.get(..end).filter(|word| !word.is_empty())
}

/// The name that a text ends with.
pub fn last_word(text: &str) -> Option<&str> {
    let text = text.trim_end();
    let start = text.rfind(|c| !is_word(c)).map_or(0, |at| at + 1);
    text.get(start..).filter(|word| !word.is_empty())
}

/// What a line assigns to.
pub fn assigned(line: &str) -> Option<&str> {
    let at = line.find('=')?;
    let compared = line.get(at + 1..)?.starts_with('=') || line.get(..at)?.ends_with(['!', '<', '>', '=']);
    if compared {
        return None;
    }
    last_word(line.get(..at)?)
}

/// The array and the index of the first `array[index]` whose index is a variable.
pub fn indexed(line: &str) -> Option<(&str, &str)> {
    for (at, _) in line.match_indices('[') {
        let index = line.get(at + 1..)?.split(']').next()?;
        let before = line.get(..at)?;
        let in_array = |c: char| is_word(c) || matches!(c, '.' | '>' | '-');
        let start = before.rfind(|c| !in_array(c)).map_or(0, |at| at + 1);
        let array = before.get(start..)?;
        if !array.is_empty()
            && first_word(index) == Some(index)
            && !index.starts_with(|c: char| c.is_ascii_digit())
        {
            return Some((array, index));
        }
    }
    None
}

/// The arguments of the call that a text begins with.
pub fn arguments(call: &str) -> Option<Vec<&str>> {
    let open = call.find('(')?;
    let (mut depth, mut start, mut found) = (0, open + 1, Vec::new());
    for (at, c) in call.char_indices().skip_while(|(at, _)| *at < open) {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ',' if depth == 1 => {
                found.push(call.get(start..at)?);
                start = at + 1;
            }
            _ => {}
        }
        if depth == 0 {
            found.push(call.get(start..at)?);
            return Some(found);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(assigned("\tstruct a *b = c(d);"), Some("b"));
        assert_eq!(assigned("if (a == b)"), None);
        assert_eq!(indexed("x = v->data[i];"), Some(("v->data", "i")));
        assert_eq!(indexed("x = v->data[3];"), None);
        assert_eq!(arguments("f(a, g(b, c), d[1, 2]);"), Some(vec!["a", " g(b, c)", " d[1, 2]"]));
        assert_eq!(arguments("f(a"), None);
        assert_eq!((first_word("a->b"), last_word("*a "), last_word("*")), (Some("a"), Some("a"), None));
    }

    #[test]
    fn statements() {
        let text = Text::new("int f(void)\n{\n\tint a;\n\tg(1,\n\t  &a);\n\tif (a)\n\t\treturn 1;\n}\n");
        assert_eq!((text.statement_start(5), text.statement_end(4)), (4, Some(5)));
        assert_eq!(text.statement(5).as_deref(), Some("g(1, &a);"));
        assert_eq!(text.statement_start(7), 6);
        assert!(text.declares("a", 5) && !text.declares("g", 5) && !text.is_array("a"));
        assert!(Text::new("int a[4];").is_array("a") && !Text::new("\treturn a[4];").is_array("a"));
        assert_eq!((text.function_start(7), text.declaration("a", 5)), (Some(1), Some(3)));
    }
}
