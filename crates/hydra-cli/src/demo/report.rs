//! What came of a story, as plain values: for the JSON document, and for the lines that people read.

use super::{
    play::{Played, Seen},
    stage_set::{REPO, StageSet},
};
use crate::output::live::{took, word};
use hydra_core::{
    label,
    money::{Spend, Tokens, Usd},
    plan::OutcomeKind,
    verdict::{Finding, Outcome},
};
use serde::Serialize;

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The story.
    pub scenario: String,
    /// What it shows.
    pub shows: String,
    /// Where the agents ran.
    pub runtime: &'static str,
    /// How it ended: `ready`, `needs-input`, or something else that the labels say.
    pub end: String,
    /// How the story ends when it goes as it is told; absent with `--script`.
    pub expected: Option<&'static str>,
    /// Labels of the issue.
    pub labels: Vec<String>,
    /// Why nothing more happens.
    pub reasons: Vec<String>,
    /// The pull request, if there is one.
    pub pull: Option<PullReport>,
    /// Verdicts, in the order in which they came.
    pub verdicts: Vec<VerdictReport>,
    /// Stages, in the order in which they ended.
    pub stages: Vec<StageReport>,
    /// All of it together.
    pub total: Total,
    /// Where the stage is served until Ctrl-C, with `--keep`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving: Option<Serving>,
}

/// Where a kept stage is served.
#[derive(Debug, Serialize)]
pub struct Serving {
    /// The simulated GitHub.
    pub github: String,
    /// The scripted model.
    pub model: String,
    /// For `hydra --config`.
    pub config: String,
    /// For `git clone`.
    pub clone_url: String,
    /// The orchestrator's token there; of the demo only, and as public as everything else in it.
    pub token: &'static str,
    /// The issue.
    pub issue: String,
}

/// The pull request.
#[derive(Debug, Serialize)]
pub struct PullReport {
    /// Number.
    pub number: u64,
    /// Title.
    pub title: String,
    /// `draft`, `ready for a person`, `closed`, `merged`.
    pub state: &'static str,
    /// Its page.
    pub url: String,
    /// Its head.
    pub head: String,
    /// `git diff --stat` from the base to the head.
    pub diffstat: Vec<String>,
    /// Its own tests on a fresh clone.
    pub tests: super::fresh_clone::Tests,
}

/// One verdict.
#[derive(Debug, Serialize)]
pub struct VerdictReport {
    /// Stage.
    pub stage: String,
    /// Round, from 0.
    pub round: u32,
    /// Persona.
    pub who: String,
    /// `pass`, `fail`, `void`.
    pub outcome: Outcome,
    /// Why it is void.
    pub void_reason: Option<String>,
    /// What the reviewer says.
    pub summary: String,
    /// What blocks.
    pub blocking: Vec<String>,
    /// Findings.
    pub findings: Vec<Finding>,
}

/// One stage.
#[derive(Debug, Serialize)]
pub struct StageReport {
    /// Stage.
    pub stage: String,
    /// Round, from 0.
    pub round: u32,
    /// Persona; empty for quality.
    pub who: String,
    /// How long.
    pub millis: i64,
    /// For people.
    #[serde(skip)]
    pub took: String,
    /// Turns, tokens, cost.
    #[serde(flatten)]
    pub spend: Spend,
    /// How it went, in a few words.
    pub result: String,
}

/// All of it together.
#[derive(Debug, Serialize)]
pub struct Total {
    /// From the first start to the last end.
    pub millis: i64,
    /// As Hydra counted it from the agents' events.
    #[serde(flatten)]
    pub spend: Spend,
    /// Tokens that the model handed out by its own count.
    pub model_tokens: Tokens,
    /// Answers that the model gave by its own count.
    pub model_answers: u64,
}

/// Gathers it.
#[must_use]
pub fn gather(
    set: &StageSet,
    seen: Seen,
    scenario: &str,
    shows: &str,
    runtime: &'static str,
    expected: Option<&'static str>,
) -> Report {
    let usage = set.model.usage();
    let issue = set.github.issue(REPO, set.issue);
    let labels = issue.map(|issue| issue.labels).unwrap_or_default();
    let sum: Spend = seen.stages.iter().map(|stage| stage.outcome.spend).fold(Spend::default(), |sum, one| sum + one);
    let begin = seen.stages.iter().map(|stage| stage.started_at).min();
    let end = seen.stages.iter().map(|stage| stage.ended_at).max();
    let millis = begin.zip(end).map_or(0, |(from, to)| millis(from, to));
    let reasons = seen.ended.last.reasons.into_values().flatten().collect();
    Report {
        scenario: scenario.to_owned(),
        shows: shows.to_owned(),
        runtime,
        end: end_of(&labels),
        expected,
        labels,
        reasons,
        pull: None,
        verdicts: seen.stages.iter().filter_map(verdict).collect(),
        total: Total { millis, spend: sum, model_tokens: usage.all.tokens, model_answers: usage.all.answers },
        stages: seen.stages.iter().map(stage).collect(),
        serving: None,
    }
}

fn end_of(labels: &[String]) -> String {
    let has = |name: &str| labels.iter().any(|label| label == name);
    if has(label::DONE) {
        "ready".to_owned()
    } else if has(label::NEEDS_INPUT) {
        "needs-input".to_owned()
    } else {
        format!("unfinished ({})", labels.join(", "))
    }
}

fn millis(from: hydra_core::Timestamp, to: hydra_core::Timestamp) -> i64 {
    i64::try_from(to.duration_since(from).as_millis()).unwrap_or(i64::MAX).max(0)
}

fn stage(played: &Played) -> StageReport {
    StageReport {
        stage: played.key.stage.to_string(),
        round: played.key.round,
        who: played.who.clone(),
        millis: millis(played.started_at, played.ended_at),
        took: took(played.started_at, played.ended_at),
        spend: played.outcome.spend,
        result: word(&played.outcome.kind),
    }
}

fn verdict(played: &Played) -> Option<VerdictReport> {
    let OutcomeKind::Judged(envelope) = &played.outcome.kind else { return None };
    let verdict = envelope.verdict.clone();
    Some(VerdictReport {
        stage: played.key.stage.to_string(),
        round: played.key.round,
        who: played.who.clone(),
        outcome: envelope.outcome,
        void_reason: envelope.void_reason.clone(),
        summary: verdict.as_ref().map(|verdict| verdict.summary.clone()).unwrap_or_default(),
        blocking: verdict.as_ref().map(|verdict| verdict.blocking.clone()).unwrap_or_default(),
        findings: verdict.map(|verdict| verdict.findings).unwrap_or_default(),
    })
}

impl Report {
    /// Whether it ended as the story is told, its tests are green, and both counts of what was spent are equal.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.complaints().is_empty()
    }
    /// What is not as it should be.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        if let Some(expected) = self.expected.filter(|expected| *expected != self.end) {
            complaints.push(format!("the story should end with {expected} and ended with {}", self.end));
        }
        if let Some(pull) = &self.pull
            && self.end == "ready"
            && !pull.tests.green
        {
            complaints.push("the tests of the pull request's head fail on a fresh clone".to_owned());
        }
        if self.total.spend.tokens != self.total.model_tokens {
            complaints.push(format!(
                "Hydra counted {} tokens and the model {}",
                self.total.spend.tokens.total(),
                self.total.model_tokens.total()
            ));
        }
        complaints
    }
    /// What all of it cost.
    #[must_use]
    pub fn cost(&self) -> Usd {
        self.total.spend.cost
    }
}
