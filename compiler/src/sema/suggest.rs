//! "Did you mean ...": the nearest of the names that would have been right.

use skep_syntax::intern::Symbol;

use super::Sema;

/// After this many comparisons in one compilation, no more suggestions are made.
const BUDGET: u32 = 2_000_000;

impl Sema<'_, '_> {
    /// The visible ordinary name nearest to `wanted`.
    pub(super) fn similar_name(&mut self, wanted: Symbol) -> Option<Symbol> {
        let local: Vec<Symbol> = self.ctx.scopes.all_names().collect();
        if let Some(found) = self.nearest(wanted, local.into_iter()) {
            return Some(found);
        }
        let unit = self.unit;
        let limit = (self.ctx.limit as usize).min(unit.file_names.len());
        self.nearest(wanted, unit.file_names.iter().take(limit).map(|entry| entry.name))
    }

    /// The candidate nearest to `wanted`, if it is near enough to be meant.
    pub(super) fn nearest(
        &mut self,
        wanted: Symbol,
        candidates: impl Iterator<Item = Symbol>,
    ) -> Option<Symbol> {
        let text = self.cx.names.text(wanted);
        let most = text.len().div_ceil(4).min(3);
        let mut best: Option<(usize, Symbol)> = None;
        for candidate in candidates {
            self.suggestions += 1;
            if self.suggestions > BUDGET {
                return None;
            }
            let other = self.cx.names.text(candidate);
            if candidate == wanted || other.len().abs_diff(text.len()) > most {
                continue;
            }
            let limit = best.map_or(most + 1, |(distance, _)| distance);
            let distance = distance(text, other);
            if distance < limit {
                best = Some((distance, candidate));
            }
        }
        best.map(|(_, name)| name)
    }
}

/// Edits (insert, delete, replace, swap neighbours) between two names.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances_count_edits() {
        assert_eq!(distance(b"count", b"count"), 0);
        assert_eq!(distance(b"cuont", b"count"), 1);
        assert_eq!(distance(b"counter", b"count"), 2);
        assert_eq!(distance(b"", b"abc"), 3);
    }
}
