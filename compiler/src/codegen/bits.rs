//! Sets of small numbers, one bit each, as words.

/// The numbers in a set, in order.
pub fn ones(words: &[u64]) -> impl Iterator<Item = usize> + '_ {
    words.iter().enumerate().flat_map(|(index, &word)| in_word(word).map(move |bit| index * 64 + bit))
}

/// The numbers in a set of those below 64, in order.
pub fn in_word(word: u64) -> impl Iterator<Item = usize> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
        rest &= rest - 1;
        Some(bit)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_come_in_order() {
        let set = [1 << 63 | 1, 0, 0b110];
        assert_eq!(super::ones(&set).collect::<Vec<_>>(), [0, 63, 129, 130]);
    }
}
