//! Redaction line after line: a private key's lines have no shape of their own, so the stream remembers that it is inside one.

use super::Redactor;
use std::borrow::Cow;

/// A private key longer than this many lines is none: what follows is shown again.
const MAX_KEY_LINES: u32 = 200;

/// The state of one stream.
#[derive(Debug)]
pub struct Lines<'r> {
    redactor: &'r Redactor,
    /// Lines left of a key that was begun; 0 outside.
    inside: u32,
}

impl<'r> Lines<'r> {
    pub(super) const fn new(redactor: &'r Redactor) -> Self {
        Self { redactor, inside: 0 }
    }

    /// The next line, masked.
    pub fn redact<'t>(&mut self, line: &'t str) -> Cow<'t, str> {
        if self.inside > 0 {
            self.inside -= 1;
            if line.contains("-----END ") {
                self.inside = 0;
            }
            return Cow::Borrowed("[redacted:private-key]");
        }
        if begins_key(line) {
            self.inside = MAX_KEY_LINES;
        }
        self.redactor.redact_line(line)
    }

    /// The kind or name of the first secret in the next line, if there is one.
    pub fn find(&mut self, line: &str) -> Option<&'r str> {
        if self.inside > 0 {
            self.inside -= 1;
            if line.contains("-----END ") {
                self.inside = 0;
            }
            return Some("private-key");
        }
        if begins_key(line) {
            self.inside = MAX_KEY_LINES;
        }
        self.redactor.find(line)
    }
}

fn begins_key(line: &str) -> bool {
    match line.find("-----BEGIN ").map(|at| &line[at..]) {
        Some(rest) => rest.contains("PRIVATE KEY") && !rest.contains("-----END "),
        None => false,
    }
}
