//! What happens, for programs: one JSON document a line, of the kind `event`. Fields are only added within a version.

use super::{clean::Clean, json};
use hydra_core::job::JobKey;
use hydra_engine::observer::{Happening, Observer};
use serde_json::{Value, json};
use std::io::Write;

/// Prints each.
pub struct Happenings(Clean);

impl Happenings {
    /// With what masks secrets.
    #[must_use]
    pub const fn new(clean: Clean) -> Self {
        Self(clean)
    }
}

impl Observer for Happenings {
    fn saw(&self, happening: &Happening) {
        let body = self.0.value(value(happening));
        // A reader that went away ends nothing here: the work is more than its report.
        if let Ok(line) = json::line("event", &body) {
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        }
    }
}

fn of(key: &JobKey) -> Value {
    json!({
        "job": key.id(), "issue": key.issue.to_string(), "stage": key.stage, "round": key.round, "attempt": key.attempt + 1,
        "generation": key.generation,
    })
}

fn value(happening: &Happening) -> Value {
    match happening {
        Happening::StageStarted { key, at, who, .. } => {
            json!({ "event": "stage-started", "of": of(key), "at": at, "who": who })
        }
        Happening::StageProgress { key, progress } => json!({
            "event": "stage-progress", "of": of(key), "doing": progress.doing, "tools": progress.tools,
            "spend": progress.spend,
        }),
        Happening::Refused { key, refused } => {
            json!({ "event": "egress-refused", "of": of(key), "refused": refused })
        }
        Happening::GateBack { key, times } => json!({ "event": "gate-back", "of": of(key), "times": times }),
        Happening::StageEnded { key, started_at, at, outcome } => json!({
            "event": "stage-ended", "of": of(key), "started_at": started_at, "at": at, "spend": outcome.spend,
            "outcome": super::live::word(&outcome.kind),
        }),
        Happening::ActionDone { issue, action, detail } => {
            json!({ "event": "action-done", "issue": issue.to_string(), "action": action, "detail": detail })
        }
        Happening::ActionFailed { issue, action, why } => {
            json!({ "event": "action-failed", "issue": issue.to_string(), "action": action, "why": why })
        }
        Happening::ReasonChanged { issue, reasons, kinds } => {
            json!({ "event": "reasons", "issue": issue.to_string(), "kinds": kinds, "reasons": reasons })
        }
        Happening::Trouble { what } => json!({ "event": "trouble", "what": what }),
    }
}
