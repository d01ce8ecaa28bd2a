//! What agents, people and repositories hand in, fuzzed: whatever it is, it is read or refused with a message that can be shown.
//!
//! Each target is defined here once: `seeds` are inputs as they come, `check` reads one and panics where what it read does not hold. The tests
//! below them mutate the seeds and ask for every kind of answer; `fuzz/` runs the same checks under libFuzzer.
#![expect(clippy::unwrap_used, reason = "a check that does not hold panics")]

pub mod change_folder;
pub mod event_line;
pub mod gate_config;
pub mod host_name;
pub mod hydra_json;
pub mod issue_body;
pub mod model_endpoint;
pub mod signed_block;
pub mod target_file;
pub mod verdict;

use crate::diagnostic::Diagnostic;

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// A message for people: not empty, of bounded length.
fn said(message: String) -> String {
    assert!(!message.is_empty() && message.len() < 4_000, "a message of {} bytes", message.len());
    message
}

fn all(faults: &[Diagnostic]) -> String {
    assert!(!faults.is_empty(), "refused without a fault");
    // A path is as long as it is.
    faults.iter().map(|fault| said(fault.message.clone())).next().unwrap_or_default()
}
