//! Cuts a byte stream into lines of bounded length, whatever the pieces it arrives in.

use hydra_core::agent_event::MAX_LINE;

/// Cuts one stream. A line longer than [`MAX_LINE`] bytes is cut there and its rest dropped, so memory stays bounded.
#[derive(Debug, Default)]
pub(crate) struct LineCutter {
    held: Vec<u8>,
    /// The line's beginning was kept; what follows up to its end is dropped.
    dropping: bool,
}

impl LineCutter {
    /// Takes a piece and gives the lines that it completes.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut rest = piece;
        while let Some(at) = rest.iter().position(|b| *b == b'\n') {
            let (line, after) = rest.split_at(at);
            self.keep(line);
            lines.push(self.take());
            rest = after.get(1..).unwrap_or_default();
        }
        self.keep(rest);
        lines
    }

    /// The last line, where the stream ended without a line end.
    pub(crate) fn finish(&mut self) -> Option<String> {
        if self.held.is_empty() && !self.dropping { None } else { Some(self.take()) }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.dropping {
            return;
        }
        let room = MAX_LINE.saturating_sub(self.held.len());
        if bytes.len() > room {
            self.dropping = true;
        }
        self.held.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
    }

    fn take(&mut self) -> String {
        let mut line = std::mem::take(&mut self.held);
        if self.dropping {
            // Never leave half a character at the cut.
            let valid = match std::str::from_utf8(&line) {
                Err(e) if e.error_len().is_none() => e.valid_up_to(),
                Ok(_) | Err(_) => line.len(),
            };
            line.truncate(valid);
            self.dropping = false;
        } else if line.last() == Some(&b'\r') {
            line.pop();
        }
        String::from_utf8(line).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_matter() {
        let text = b"one\r\ntwo\n\nfour without end";
        for size in 1..text.len() {
            let mut cutter = LineCutter::default();
            let mut lines: Vec<String> = text.chunks(size).flat_map(|piece| cutter.push(piece)).collect();
            lines.extend(cutter.finish());
            assert_eq!(lines, ["one", "two", "", "four without end"], "in pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_end_is_cut_and_its_rest_dropped() {
        let mut cutter = LineCutter::default();
        let mut lines = Vec::new();
        for _ in 0..100 {
            lines.extend(cutter.push("é".repeat(50_000).as_bytes()));
            assert!(cutter.held.len() <= MAX_LINE);
        }
        lines.extend(cutter.push(b"\nnext\n"));
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [MAX_LINE, 4]);
        assert!(lines.iter().all(|line| !line.contains('\u{fffd}')));
        assert_eq!(cutter.finish(), None);
    }
}
