//! The streams of the CLIs, fuzzed: a parser never fails, and what it reads does not depend on how the stream was cut into pieces.
//!
//! Defined here once: the tests below mutate recorded streams, one CLI at a time, and ask for their kinds of events; `fuzz/` gives every input to
//! every parser under libFuzzer.
#![expect(clippy::unwrap_used, reason = "a check that does not hold panics")]

use crate::{
    drivers::{self, Driver, Finished},
    lines::LineSplitter,
};
use hydra_core::{
    agent_event::{AgentEvent, EventKind, SCHEMA},
    redact::Redactor,
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// The parsers, each with the beginning of the names of its recorded streams.
const CLIS: [(Driver, &str); 4] = [
    (Driver::Claude, "claude-code"),
    (Driver::Codex, "codex"),
    (Driver::Gemini, "gemini-cli"),
    (Driver::Opencode, "opencode"),
];
/// Where no recorded stream is at hand: one line of each CLI, so that there is something to begin with.
const LINES: [&str; 4] = [
    r#"{"type":"assistant","message":{"id":"m","model":"m","content":[{"type":"text","text":"hi"}],"usage":{"input_tokens":3,"output_tokens":4}}}"#,
    r#"{"type":"item.completed","item":{"id":"i","type":"agent_message","text":"hi"}}"#,
    r#"{"type":"message","role":"assistant","content":"hi","delta":true}"#,
    r#"{"type":"text","part":{"type":"text","text":"hi"}}"#,
];
/// A whole stream that is longer makes libFuzzer slow and finds no more than its lines do.
const LONGEST: usize = 16_384;

/// The recorded streams of a CLI, as wholes and as lines; none where there is no shared data.
fn recorded(cli: &str) -> Vec<Vec<u8>> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("HYDRA_SHARED_DATA").map_or(default, PathBuf::from).join("transcripts");
    let folders = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = folders.filter(|folder| folder.file_name().to_string_lossy().starts_with(cli));
    let files = folders.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten().flatten());
    let mut all: Vec<Vec<u8>> = files.filter_map(|file| fs::read(file.path()).ok()).collect();
    let lines = all.iter().flat_map(|file| file.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec));
    let lines: Vec<Vec<u8>> = lines.collect();
    all.extend(lines);
    all
}

/// Recorded streams of every CLI.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let recorded = CLIS.iter().flat_map(|(_, cli)| recorded(cli)).filter(|stream| stream.len() <= LONGEST);
    LINES.iter().map(|line| line.as_bytes().to_vec()).chain(recorded).collect()
}

/// The kind of each parser's answer.
///
/// # Panics
/// When what one of them read does not hold.
#[must_use]
pub fn check(bytes: &[u8]) -> String {
    CLIS.map(|(driver, _)| judged(driver, bytes)).join("; ")
}

fn judged(driver: Driver, bytes: &[u8]) -> String {
    let code = i32::from(bytes.len().is_multiple_of(3));
    let (events, finished) = read(driver, bytes, code, usize::MAX);
    assert_eq!(
        (&events, &finished),
        (&read(driver, bytes, code, 7).0, &read(driver, bytes, code, 1 + bytes.len() / 2).1)
    );
    for event in &events {
        assert!(size(event) < 40_000, "an event of {} bytes", size(event));
    }
    let names = events.iter().map(|event| format!("{event:?}").split([' ', '{']).next().unwrap_or_default().to_owned());
    let mut names: Vec<String> = names.collect();
    names.dedup();
    format!("{:?} {}", finished.end, names.iter().take(6).cloned().collect::<Vec<_>>().join(" "))
}

/// What a parser makes of a stream that comes in pieces of this size.
fn read(driver: Driver, bytes: &[u8], code: i32, piece: usize) -> (Vec<EventKind>, Finished) {
    static REDACTOR: LazyLock<Redactor> = LazyLock::new(Redactor::default);
    let mut parser = driver.parser(Path::new("/workspace"));
    let mut splitter = LineSplitter::default();
    let mut events = Vec::new();
    for piece in bytes.chunks(piece) {
        drivers::feed(&mut splitter, parser.as_mut(), &REDACTOR, piece, &mut |event| events.push(event));
    }
    drivers::feed_end(&mut splitter, parser.as_mut(), &REDACTOR, &mut |event| events.push(event));
    let finished = parser.finish(code, "", &mut |event| events.push(event));
    (events, finished)
}

/// Bytes of the line that the event becomes.
fn size(kind: &EventKind) -> usize {
    let ts = hydra_core::Timestamp::UNIX_EPOCH;
    serde_json::to_string(&AgentEvent { v: SCHEMA, ts, kind: kind.clone() }).unwrap().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(driver: Driver) {
        let (_, cli) = CLIS.into_iter().find(|(its, _)| *its == driver).unwrap();
        let name = format!("stream-{}", driver.name());
        let report = hydra_fuzz::fuzz(&name, &recorded(cli), |bytes| judged(driver, bytes));
        for kind in ["Turn", "Text"] {
            assert!(report.answers.keys().any(|answer| answer.contains(kind)), "{kind}: {:?}", report.answers.keys());
        }
    }

    #[test]
    #[ignore = "needs shared data"]
    fn claude_streams() {
        holds(Driver::Claude);
    }

    #[test]
    #[ignore = "needs shared data"]
    fn codex_streams() {
        holds(Driver::Codex);
    }

    #[test]
    #[ignore = "needs shared data"]
    fn gemini_streams() {
        holds(Driver::Gemini);
    }

    #[test]
    #[ignore = "needs shared data"]
    fn opencode_streams() {
        holds(Driver::Opencode);
    }

    #[test]
    fn a_line_of_each_cli_is_read_by_its_parser() {
        for ((driver, _), line) in CLIS.into_iter().zip(LINES) {
            assert!(judged(driver, line.as_bytes()).contains("Text"), "{}", driver.name());
        }
    }
}
