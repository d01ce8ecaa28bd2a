//! One complaint about a file that a person wrote: where, what, and what to do. Shared by every reader of such files.

use serde::{Deserialize, Serialize};

/// Characters of a message, at most: it may quote what somebody wrote, and that may be anything.
pub const MAX_MESSAGE: usize = 1_000;

/// A complaint with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The file, relative to what was read.
    pub file: String,
    /// The line, from 1; absent when the file as a whole is meant.
    pub line: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A complaint about a file as a whole.
    pub fn file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, message: short(message.into()), hint: None }
    }
    /// A complaint about one line, counted from 1.
    pub fn line(file: impl Into<String>, line: u32, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: Some(line), message: short(message.into()), hint: None }
    }
    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// A message, cut at [`MAX_MESSAGE`] characters.
#[must_use]
pub fn short(mut message: String) -> String {
    if let Some((at, _)) = message.char_indices().nth(MAX_MESSAGE) {
        message.truncate(at);
        message.push('…');
    }
    message
}

/// The known name that `text` is most likely meant to be; `None` when nothing is near.
#[must_use]
pub fn nearest<'a>(text: &str, known: &[&'a str]) -> Option<&'a str> {
    let text = text.to_lowercase();
    known
        .iter()
        .map(|name| (strsim::jaro_winkler(&text, &name.to_lowercase()), *name))
        .filter(|(score, _)| *score >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// The sentence for an unknown key: the nearest one, or all that there are.
#[must_use]
pub fn unknown_key_hint(text: &str, known: &[&str]) -> String {
    match nearest(text, known) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known are: {}", known.join(", ")),
    }
}

/// The line (from 1) that a byte offset lies in.
#[must_use]
pub fn line_of(text: &str, offset: usize) -> u32 {
    let end = offset.min(text.len());
    let newlines = memchr::memchr_iter(b'\n', &text.as_bytes()[..end]).count();
    u32::try_from(newlines).unwrap_or(u32::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_reads_as_a_sentence() {
        let d = Diagnostic::line("tasks.md", 7, "the box is not closed").hint("write `- [ ]`");
        assert_eq!(d.to_string(), "tasks.md:7: the box is not closed (write `- [ ]`)");
        assert_eq!(Diagnostic::file("proposal.md", "is missing").to_string(), "proposal.md: is missing");
    }

    #[test]
    fn a_misspelt_key_is_recognised_and_a_strange_one_is_not() {
        assert_eq!(nearest("dependson", &["depends_on", "title"]), Some("depends_on"));
        assert_eq!(nearest("zzz", &["depends_on", "title"]), None);
        assert_eq!(unknown_key_hint("zzz", &["a", "b"]), "known are: a, b");
    }
}
