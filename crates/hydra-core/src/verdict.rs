//! A verdict: what a reviewer found, what the orchestrator adds to it, and the signature that makes it count.

pub mod block;
pub mod envelope;
pub mod judge;
pub mod parse;
pub mod render;

use crate::{CommitSha, Generation, IssueKey, ModelName, PersonaId, Stage, money::Spend};
use serde::{Deserialize, Serialize};

crate::stage::closed!(
    /// How bad a finding is.
    Severity, "severity" {
    /// Blocks.
    Critical = "CRITICAL",
    /// Should be fixed.
    Warning = "WARNING",
    /// Never blocks.
    Suggestion = "SUGGESTION",
    /// Never blocks.
    Info = "INFO",
});

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// The file, relative to the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line in the new file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The rule's name.
    #[serde(default)]
    pub rule: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    #[serde(default)]
    pub remediation: String,
}

/// `/out/verdict.json` as an agent writes it, checked: `{pass, blocking}` alone is valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether the reviewer lets it pass.
    pub pass: bool,
    /// What blocks, one sentence each.
    pub blocking: Vec<String>,
    /// Findings.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// A summary.
    #[serde(default)]
    pub summary: String,
    /// Requirements of the change (code review).
    #[serde(default)]
    pub requirements: Vec<RequirementJudgement>,
}

/// What the reviewer says of one requirement or scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequirementJudgement {
    /// The requirement's name as the change folder has it.
    pub requirement: String,
    /// The scenario's name; absent for the requirement as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// Met, unmet or not judged.
    pub state: RequirementState,
}

crate::stage::closed!(
    /// Whether a requirement is met.
    RequirementState, "requirement state" {
    /// It is.
    Met = "met",
    /// It is not: blocks.
    Unmet = "unmet",
    /// The reviewer did not say.
    NotJudged = "not-judged",
});

/// Positive evidence that a review happened, computed from the tool-call events and the diff, never from the verdict's words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Files of the diff whose content the agent looked at (read, or shown by a diff command).
    pub files_read: Vec<String>,
    /// Files of the diff that it did not look at.
    pub files_unread: Vec<String>,
    /// Tool calls.
    pub tool_calls: u32,
    /// Model turns.
    pub turns: u32,
    /// Output tokens.
    pub output_tokens: u64,
}

/// What counts in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It passes.
    Pass,
    /// It blocks.
    Fail,
    /// No evidence of work, or not a valid verdict: neither.
    Void,
}

/// What the orchestrator posts: the verdict, with everything that says what was judged, by what, and under which conditions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// Version: 1.
    pub schema: u32,
    /// The issue (or pull request, for a review on its own).
    pub issue: IssueKey,
    /// Generation.
    pub generation: Generation,
    /// Which review.
    pub stage: Stage,
    /// Fix round.
    pub round: u32,
    /// Run of this review in this round.
    pub attempt: u32,
    /// Who judged.
    pub persona: PersonaId,
    /// The commit that was judged.
    pub head: CommitSha,
    /// The base it was judged against.
    pub base: CommitSha,
    /// SHA-256 of the pinned issue snapshot, hexadecimal.
    pub snapshot: String,
    /// SHA-256 of the egress policy.
    pub policy: String,
    /// SHA-256 of the prompt.
    pub prompt: String,
    /// The image's pin; empty for the process runtime.
    pub image: String,
    /// The model.
    pub model: ModelName,
    /// What it cost.
    pub spend: Spend,
    /// Hosts reached and refused, in words; "not observed" where no gate saw the traffic.
    pub egress: String,
    /// Removed, skipped or loosened tests, found deterministically.
    pub loosened_tests: Vec<String>,
    /// Evidence.
    pub evidence: Evidence,
    /// What counts.
    pub outcome: Outcome,
    /// Why it is void, where it is.
    pub void_reason: Option<String>,
    /// The reviewer's verdict; absent where there was no valid one.
    pub verdict: Option<Verdict>,
}

/// A signed envelope as it stands in a review's JSON block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed<T> {
    /// What is signed.
    pub payload: T,
    /// The signing key's id: the first 16 hexadecimal digits of SHA-256 over the public key.
    pub key: String,
    /// Ed25519 over the canonical JSON (keys sorted, no white space) of the payload, base64.
    pub signature: String,
}
