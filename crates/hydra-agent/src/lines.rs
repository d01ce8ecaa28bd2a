//! Splits a stream into lines with bounded memory: a line that is too long is skipped and reported by its size.

/// The longest line of a coding agent that is parsed, in bytes. Tool results are the long ones; an agent's own tools cut
/// theirs far below this.
pub const MAX_INPUT_LINE: usize = 8 * 1024 * 1024;

/// What the splitter found.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A line without its end.
    Whole(&'a [u8]),
    /// A line of so many bytes was skipped.
    TooLong(u64),
}

/// Splits chunks into lines. Whole lines of a chunk are handed on without being copied.
#[derive(Debug)]
pub struct LineSplitter {
    max: usize,
    partial: Vec<u8>,
    skipped: u64,
}

impl Default for LineSplitter {
    fn default() -> Self {
        Self::new(MAX_INPUT_LINE)
    }
}

impl LineSplitter {
    /// A splitter that skips lines over `max` bytes.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { max, partial: Vec::new(), skipped: 0 }
    }

    /// Takes the next chunk.
    pub fn feed(&mut self, chunk: &[u8], mut each: impl FnMut(Line<'_>)) {
        let mut rest = chunk;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(at);
            self.end_line(line, &mut each);
            rest = after.get(1..).unwrap_or_default();
        }
        if !rest.is_empty() {
            self.keep(rest);
        }
    }

    /// The stream ended: what was not ended by a newline is handed on as it is.
    pub fn finish(&mut self, mut each: impl FnMut(Line<'_>)) {
        if self.skipped > 0 || !self.partial.is_empty() {
            self.end_line(&[], &mut each);
        }
    }

    fn end_line(&mut self, line: &[u8], each: &mut impl FnMut(Line<'_>)) {
        if self.skipped == 0 && self.partial.is_empty() && line.len() <= self.max {
            each(Line::Whole(line));
            return;
        }
        self.keep(line);
        if self.skipped > 0 {
            each(Line::TooLong(self.skipped));
        } else {
            each(Line::Whole(&self.partial));
        }
        self.skipped = 0;
        self.partial.clear();
    }

    fn keep(&mut self, part: &[u8]) {
        if self.skipped > 0 {
            self.skipped = self.skipped.saturating_add(part.len() as u64);
        } else if self.partial.len() + part.len() > self.max {
            self.skipped = (self.partial.len() + part.len()) as u64;
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(max: usize, chunks: &[&[u8]]) -> Vec<Result<Vec<u8>, u64>> {
        let mut splitter = LineSplitter::new(max);
        let mut found = Vec::new();
        let mut take = |line: Line<'_>| match line {
            Line::Whole(bytes) => found.push(Ok(bytes.to_vec())),
            Line::TooLong(bytes) => found.push(Err(bytes)),
        };
        for chunk in chunks {
            splitter.feed(chunk, &mut take);
        }
        splitter.finish(&mut take);
        found
    }

    #[test]
    fn a_hundred_megabytes_without_a_newline_are_skipped_in_little_memory() {
        let mut splitter = LineSplitter::default();
        let chunk = vec![b'x'; 1 << 20];
        let mut found = Vec::new();
        for _ in 0..100 {
            splitter.feed(&chunk, |_| panic!("no line ended yet"));
            assert!(splitter.partial.capacity() <= 2 * MAX_INPUT_LINE);
        }
        splitter.feed(b"\n{}\n", |line| match line {
            Line::TooLong(bytes) => found.push(bytes),
            Line::Whole(line) => assert_eq!(line, b"{}"),
        });
        assert_eq!(found, [100 << 20]);
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_the_stream_is_cut(
            text in "[ab\n]{0,60}", cuts in proptest::collection::vec(0usize..60, 0..6), max in 1usize..8,
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts { chunks.push(&bytes[from..cut]); from = cut; }
            chunks.push(&bytes[from..]);
            let mut expected: Vec<Result<Vec<u8>, u64>> = bytes
                .split(|byte| *byte == b'\n')
                .map(|line| if line.len() > max { Err(line.len() as u64) } else { Ok(line.to_vec()) })
                .collect();
            if expected.last() == Some(&Ok(Vec::new())) { expected.pop(); }
            prop_assert_eq!(split(max, &chunks), expected);
        }
    }
}
