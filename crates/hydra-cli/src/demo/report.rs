//! What came of a story, as plain values: for the JSON document, and for the lines that people read.

use super::{
    play::{Played, Seen},
    stage_set::{REPO, StageSet},
};
use crate::output::live::{took, word};
use hydra_core::{
    label,
    money::{Spend, Tokens},
    plan::OutcomeKind,
    verdict::{Finding, Outcome},
};
use hydra_sim::model::Scenario;
use serde::Serialize;
use std::path::Path;

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What was played.
    #[serde(flatten)]
    pub story: Told,
    /// Where the agents ran.
    pub runtime: &'static str,
    /// How it ended: `ready`, `needs-input`, or something else that the labels say.
    pub end: String,
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

/// What was played: a story, or a script of the user's own.
#[derive(Debug, Serialize)]
pub struct Told {
    /// The story; absent with `--script`.
    pub scenario: Option<&'static str>,
    /// The script's file, as it was named.
    pub script: Option<String>,
    /// What it shows.
    pub shows: &'static str,
    /// How the story ends when it goes as it is told; absent with `--script`.
    pub expected: Option<&'static str>,
}

impl Told {
    /// The story, unless a script is played in its place.
    #[must_use]
    pub fn of(scenario: &Scenario, script: Option<&Path>) -> Self {
        let Scenario { name, shows, .. } = *scenario;
        match script {
            None => Self { scenario: Some(name), script: None, shows, expected: Some(end_of_story(name)) },
            Some(path) => Self {
                scenario: None,
                script: Some(path.display().to_string()),
                shows: "the model answers as this script says",
                expected: None,
            },
        }
    }
    /// Its name for people.
    #[must_use]
    pub fn name(&self) -> &str {
        self.scenario.or(self.script.as_deref()).unwrap_or_default()
    }
}

/// How each story ends when it goes as it is told.
fn end_of_story(scenario: &str) -> &'static str {
    match scenario {
        "needs-input" | "over-budget" | "void-review" | "conflict" => "needs-input",
        _ => "ready",
    }
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
    pub spend: Spent,
    /// How it went, in a few words.
    pub result: String,
}

/// What was spent on something.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Spent {
    /// Millionths of a US dollar.
    pub usd_micros: u64,
    /// Tokens by kind.
    pub tokens: Tokens,
    /// Model turns.
    pub turns: u32,
}

impl From<Spend> for Spent {
    fn from(spend: Spend) -> Self {
        Self { usd_micros: spend.cost.0, tokens: spend.tokens, turns: spend.turns }
    }
}

/// All of it together.
#[derive(Debug, Serialize)]
pub struct Total {
    /// From the first start to the last end.
    pub millis: i64,
    /// As Hydra counted it from the agents' events.
    #[serde(flatten)]
    pub spend: Spent,
    /// Tokens that the model handed out by its own count.
    pub model_tokens: Tokens,
    /// Answers that the model gave by its own count.
    pub model_answers: u64,
}

/// Gathers it.
#[must_use]
pub fn gather(set: &StageSet, seen: Seen, story: Told, runtime: &'static str) -> Report {
    let usage = set.model.usage();
    let issue = set.github.issue(REPO, set.issue);
    let labels = issue.map(|issue| issue.labels).unwrap_or_default();
    let sum: Spend = seen.stages.iter().map(|stage| stage.outcome.spend).fold(Spend::default(), |sum, one| sum + one);
    let begin = seen.stages.iter().map(|stage| stage.started_at).min();
    let end = seen.stages.iter().map(|stage| stage.ended_at).max();
    let millis = begin.zip(end).map_or(0, |(from, to)| millis(from, to));
    let reasons = seen.ended.last.reasons.into_values().flatten().collect();
    Report {
        story,
        runtime,
        end: end_of(&labels),
        labels,
        reasons,
        pull: None,
        verdicts: seen.stages.iter().filter_map(verdict).collect(),
        total: Total { millis, spend: sum.into(), model_tokens: usage.all.tokens, model_answers: usage.all.answers },
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
        spend: played.outcome.spend.into(),
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
        if let Some(expected) = self.story.expected.filter(|expected| *expected != self.end) {
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
}
