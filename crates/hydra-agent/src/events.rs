//! Where events go: one JSON object a line, to standard output and to `/out/events.jsonl`, each line flushed.

use crate::scrub::Scrub;
use hydra_core::{
    Timestamp,
    agent_event::{AgentEvent, EventKind, MAX_LINE, SCHEMA},
};
use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

/// An event could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}{}", hint(source))]
pub struct WriteError {
    /// What was written to.
    pub what: String,
    /// Why it failed.
    pub source: io::Error,
}

/// The next step, where the cause names one.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => " (free space, or raise the limit of the folder)",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            " (the folder must be writable by this user)"
        }
        _ => "",
    }
}

/// Writes events. Every text is scrubbed of the secrets that the wrapper holds.
pub struct EventSink {
    stdout: Box<dyn Write>,
    file: File,
    path: String,
    scrub: Scrub,
    line: Vec<u8>,
}

impl EventSink {
    /// Opens `<out>/events.jsonl` for appending, making the folder if it is not there.
    pub(crate) fn open(out: &Path, stdout: Box<dyn Write>, scrub: Scrub) -> Result<Self, WriteError> {
        let path = out.join("events.jsonl");
        let name = path.display().to_string();
        let fail = |source| WriteError { what: name.clone(), source };
        std::fs::create_dir_all(out).map_err(fail)?;
        let file = File::options().create(true).append(true).open(&path).map_err(fail)?;
        Ok(Self { stdout, file, path: name, scrub, line: Vec::new() })
    }

    /// Writes one event, now.
    pub(crate) fn emit(&mut self, mut kind: EventKind) -> Result<(), WriteError> {
        self.scrub.event(&mut kind);
        let event = AgentEvent { v: SCHEMA, ts: Timestamp::now(), kind };
        self.line.clear();
        serde_json::to_writer(&mut self.line, &event)
            .map_err(|error| WriteError { what: "an event".into(), source: error.into() })?;
        if self.line.len() >= MAX_LINE {
            // Every field is bounded where it is made, so this is a defect; a reader must still never meet such a line.
            return self.emit(EventKind::Step {
                step: "driver".into(),
                detail: format!("an event of {} bytes was left out", self.line.len()),
            });
        }
        self.line.push(b'\n');
        self.file.write_all(&self.line).map_err(|source| WriteError { what: self.path.clone(), source })?;
        let out = self.stdout.write_all(&self.line).and_then(|()| self.stdout.flush());
        out.map_err(|source| WriteError { what: "standard output".into(), source })
    }

    /// A step of the wrapper itself.
    pub(crate) fn step(&mut self, step: &str, detail: impl Into<String>) -> Result<(), WriteError> {
        self.emit(EventKind::Step { step: step.to_owned(), detail: detail.into() })
    }
}

/// Cuts a text to `max` characters.
#[must_use]
pub fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        None => text.to_owned(),
    }
}

/// The last `max` characters of a text.
#[must_use]
pub fn tail(text: &str, max: usize) -> String {
    let count = text.chars().count();
    text.chars().skip(count.saturating_sub(max)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_scrubbed_line_in_both_places() {
        let folder = tempfile::tempdir().unwrap();
        let scrub = Scrub::new(&[("GIT_TOKEN".into(), "the-secret-value".into())]);
        let mut sink = EventSink::open(folder.path(), Box::new(io::sink()), scrub).unwrap();
        sink.emit(EventKind::Text { text: "see\nthe-secret-value".into() }).unwrap();
        let written = std::fs::read_to_string(folder.path().join("events.jsonl")).unwrap();
        assert_eq!(written.lines().count(), 1);
        let event: AgentEvent = serde_json::from_str(&written).unwrap();
        assert_eq!(event.kind, EventKind::Text { text: "see\n[redacted:GIT_TOKEN]".into() });
    }

    #[test]
    fn a_full_disk_is_named_with_the_next_step() {
        let error = WriteError { what: "/out/events.jsonl".into(), source: io::ErrorKind::StorageFull.into() };
        assert_eq!(
            error.to_string(),
            "/out/events.jsonl: no storage space (free space, or raise the limit of the folder)"
        );
    }

    #[test]
    fn cutting_keeps_characters_whole() {
        assert_eq!(cut("grüße", 3), "grü");
        assert_eq!(tail("grüße", 2), "ße");
    }
}
