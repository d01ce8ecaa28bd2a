//! The streams of the CLIs, fuzzed: a parser never fails, and what it reads does not depend on how the stream was cut into pieces.

use crate::streams::{read, shared_data};
use hydra_agent::drivers::Driver;
use hydra_core::agent_event::{AgentEvent, EventKind, SCHEMA};
use hydra_fuzz::fuzz;

/// The recorded streams of a CLI, as wholes and as lines.
fn corpus(cli: &str) -> Vec<Vec<u8>> {
    let folders = std::fs::read_dir(shared_data().join("transcripts")).unwrap().flatten();
    let folders = folders.filter(|folder| folder.file_name().to_string_lossy().starts_with(cli));
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).unwrap().flatten());
    let mut corpus: Vec<Vec<u8>> = files.map(|file| std::fs::read(file.path()).unwrap()).collect();
    let lines = corpus.iter().flat_map(|file| file.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec));
    let lines: Vec<Vec<u8>> = lines.collect();
    corpus.extend(lines);
    corpus
}

fn holds(driver: Driver, cli: &str) {
    let report = fuzz(&format!("stream-{}", driver.name()), &corpus(cli), |bytes| {
        let code = i32::from(bytes.len() % 3 == 0);
        let (events, finished) = read(driver, bytes, code, usize::MAX);
        assert_eq!(
            (&events, &finished),
            (&read(driver, bytes, code, 7).0, &read(driver, bytes, code, 1 + bytes.len() / 2).1)
        );
        for event in &events {
            assert!(size(event) < 40_000, "an event of {} bytes", size(event));
        }
        let names =
            events.iter().map(|event| format!("{event:?}").split([' ', '{']).next().unwrap_or_default().to_owned());
        let mut names: Vec<String> = names.collect();
        names.dedup();
        format!("{:?} {}", finished.end, names.iter().take(6).cloned().collect::<Vec<_>>().join(" "))
    });
    for kind in ["Turn", "Text"] {
        assert!(report.answers.keys().any(|answer| answer.contains(kind)), "{kind}: {:?}", report.answers.keys());
    }
}

/// Bytes of the line that the event becomes.
fn size(kind: &EventKind) -> usize {
    let ts = hydra_core::Timestamp::UNIX_EPOCH;
    serde_json::to_string(&AgentEvent { v: SCHEMA, ts, kind: kind.clone() }).unwrap().len()
}

#[test]
#[ignore = "needs shared data"]
fn claude_streams() {
    holds(Driver::Claude, "claude-code");
}

#[test]
#[ignore = "needs shared data"]
fn codex_streams() {
    holds(Driver::Codex, "codex");
}

#[test]
#[ignore = "needs shared data"]
fn gemini_streams() {
    holds(Driver::Gemini, "gemini-cli");
}

#[test]
#[ignore = "needs shared data"]
fn opencode_streams() {
    holds(Driver::Opencode, "opencode");
}
