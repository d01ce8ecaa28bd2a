//! The files that pass between the orchestrator and a job: `/in/job.json` in, `/out/result.json`, `verdict.json`, `rfi.json` out.
//! Versioned: a reader takes [`SCHEMA`] and the one before.

use crate::{BranchName, CommitSha, IssueKey, JobId, ModelName, Stage, Usd, prices::Price};
use serde::{Deserialize, Serialize};

/// Version of these files.
pub const SCHEMA: u32 = 1;
/// The value of `HYDRA_MODE` under which the wrapper makes its fence, proves it, and ends: it asks for no other input.
pub const PROVE_FENCE: &str = "prove-fence";
/// The same of a fence that was made from outside: it proves it, and ends.
pub const PROVE_ISOLATED: &str = "prove-isolated";

/// `/in/job.json`: what the job is to do. Beside it lie `repo.bundle` (refs `hydra-base`, `hydra-head`), `prompt.md` (the task)
/// and `system.md` (the persona). The change folder lies in `/spec`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobInput {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The job's name; equals `HYDRA_JOB`.
    pub job: JobId,
    /// What to do; equals `HYDRA_MODE`.
    pub stage: Stage,
    /// The issue.
    pub issue: IssueKey,
    /// The pinned base commit.
    pub base: CommitSha,
    /// The commit to work on: equals `base` for the first build.
    pub head: CommitSha,
    /// The work branch.
    pub branch: BranchName,
    /// Commits are written as this author.
    pub author_name: String,
    /// Their e-mail.
    pub author_email: String,
    /// The coding agent: `claude`, `codex`, `gemini`, `opencode`, `demo`. Absent for quality.
    pub driver: Option<String>,
    /// The model. Absent for quality.
    pub model: Option<ModelName>,
    /// Model turns, at most.
    pub max_turns: u32,
    /// Seconds of wall-clock time, at most, from the wrapper's start.
    pub deadline_secs: u64,
    /// The quality stage's commands in order; also told to the builder.
    pub commands: Vec<QualityCommand>,
    /// Files that agents read as instructions and that must be those of the base: restored before the agent starts.
    pub instruction_files: Vec<String>,
    /// The fence: `none` (process runtime, or the network is none), `in-container`, `isolated` (made outside).
    pub fence: FenceMode,
    /// The egress policy that the in-container fence enforces: host names of this container type.
    pub allow_hosts: Vec<String>,
    /// A self-hosted model endpoint, `host:port`, that the fence lets through besides.
    pub model_endpoint: Option<String>,
    /// Whether tool calls must be kept to reading (reviews and apply).
    pub read_only: bool,
    /// What this run may still spend; the wrapper ends the agent at it by itself. Absent: nothing bounds it but the orchestrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowance: Option<Allowance>,
    /// Side services at ports of loopback; the job begins when each answers. Also in the environment: `HYDRA_SERVICE_<NAME>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServicePort>,
}

/// A side service as the job sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServicePort {
    /// Its name.
    pub name: String,
    /// Its port.
    pub port: u16,
}

/// What a run may still spend: the rest of its issue's and its day's budget when it was started. Jobs that run beside it spend from the
/// same budget, so the orchestrator counts as well; the wrapper is the one who sees a response first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// Money, in millionths of a dollar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<Usd>,
    /// Tokens of all kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// The price of the job's model.
    pub price: Price,
}

/// How the fence is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FenceMode {
    /// There is none to make.
    None,
    /// The wrapper makes it itself, with iptables.
    InContainer,
    /// It was made outside.
    Isolated,
}

/// A command of the target repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityCommand {
    /// `setup`, `lint`, `test` or `build`.
    pub name: String,
    /// Run by `sh -c` in the workspace.
    pub command: String,
}

/// `/out/result.json`: written by the wrapper at the end of every job that came that far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobResult {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The job's name.
    pub job: JobId,
    /// What it did.
    pub stage: Stage,
    /// How the agent ended; absent for quality.
    pub end: Option<crate::agent_event::AgentEnd>,
    /// The head of `changes.bundle` (ref `refs/heads/hydra-result`), when there are commits beyond the given head.
    pub head: Option<CommitSha>,
    /// The agent's closing text, cut to 8,000 characters.
    pub summary: String,
    /// Quality: each command, in order.
    pub commands: Vec<CommandResult>,
}

/// How one command of the quality stage ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandResult {
    /// `setup`, `lint`, `test` or `build`.
    pub name: String,
    /// What was run.
    pub command: String,
    /// Exit code; 124 when its time ran out.
    pub exit: i32,
    /// How long, in milliseconds.
    pub millis: u64,
    /// The end of its output, cut to 8,000 characters, redacted.
    pub tail: String,
}

/// `/out/rfi.json`: the agent asks for information instead of guessing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rfi {
    /// What it needs to know, one question each.
    pub questions: Vec<String>,
    /// What it found so far.
    #[serde(default)]
    pub context: String,
}

/// Exit codes of the wrapper (`hydra-agent`), documented in `docs/operations/docker.md`.
pub mod exit {
    /// The job was carried out; `/out/result.json` says how it ended, red quality and a failing verdict included.
    pub const DONE: i32 = 0;
    /// The coding agent or a provider ended it; `result.json` says how.
    pub const AGENT: i32 = 10;
    /// The input contract is not met; standard error and the last event say what is missing.
    pub const CONTRACT: i32 = 20;
    /// The fence could not be made or proved.
    pub const FENCE: i32 = 21;
    /// The workspace could not be made.
    pub const WORKSPACE: i32 = 22;
    /// The outputs could not be written (no room).
    pub const OUTPUTS: i32 = 23;
    /// The deadline passed.
    pub const DEADLINE: i32 = 24;
}
