//! Makes a failing input small: pieces are left out as long as it still fails.

/// Tries at most: what fails slowly must not take for ever.
const TRIES: usize = 2_000;

pub(crate) fn shrink(input: &[u8], fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut small = input.to_vec();
    let (mut piece, mut tries) = (small.len().div_ceil(2), 0);
    while piece > 0 {
        let mut at = 0;
        while at < small.len() {
            let end = (at + piece).min(small.len());
            let without = [small.get(..at).unwrap_or_default(), small.get(end..).unwrap_or_default()].concat();
            tries += 1;
            if tries > TRIES {
                return small;
            }
            if fails(&without) { small = without } else { at = end }
        }
        piece /= 2;
    }
    small
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let input = b"a lot of text before <!-- and something between \0 the two";
        let fails = |bytes: &[u8]| bytes.windows(4).any(|four| four == b"<!--") && bytes.contains(&0);
        assert_eq!(shrink(input, fails), b"<!--\0");
    }
}
