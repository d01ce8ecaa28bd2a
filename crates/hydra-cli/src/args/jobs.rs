//! Arguments of the commands that run pipelines and stages.

use clap::{Args, ValueEnum};
use hydra_core::{IssueKey, Stage};
use std::path::PathBuf;

/// `hydra demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The story to play
    #[arg(long, value_name = "STORY", default_value = "fix-round")]
    pub scenario: Scenario,
    /// The model's answers, instead of the story's own (docs/operations/demo.md)
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// Where the agents run; `process` isolates nothing
    #[arg(long, value_name = "RUNTIME", default_value = "process")]
    pub runtime: RuntimeChoice,
    /// Serve on until Ctrl-C, and print the addresses
    #[arg(long)]
    pub keep: bool,
}

/// Stories of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Everything passes at once
    Happy,
    /// A review finds something; it is mended, reviewed again and applied
    FixRound,
    /// The builder asks for information
    NeedsInput,
    /// An account reaches its limit; the next one goes on
    RateLimited,
    /// The budget is spent
    OverBudget,
    /// A review judges without having looked
    VoidReview,
    /// The base branch moves and conflicts
    Conflict,
}

/// Where agents run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RuntimeChoice {
    /// Processes of this machine: no isolation
    Process,
    /// Containers
    Docker,
}

/// `hydra poll`
#[derive(Debug, Args)]
pub struct PollArgs {
    /// Print what would be done, and why nothing else is; do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `hydra supervise`
#[derive(Debug, Args)]
pub struct SuperviseArgs {}

/// `hydra dev-run`
#[derive(Debug, Args)]
pub struct DevRunArgs {
    /// build, quality, fix-quality, code-review, security-review, fix or apply
    pub stage: Stage,
    /// A repository: a folder here, or OWNER/NAME on GitHub
    #[arg(long, value_name = "DIR|OWNER/NAME")]
    pub repo: String,
    /// The change: a name below openspec/changes, or a folder
    #[arg(long, value_name = "NAME|DIR")]
    pub change: String,
    /// The commit or branch to start from; otherwise the repository's own
    #[arg(long, value_name = "REF")]
    pub base: Option<String>,
    /// The commit or branch to work on (reviews, fixes); otherwise the base
    #[arg(long, value_name = "REF")]
    pub head: Option<String>,
    /// The issue that goes with it
    #[arg(long, value_name = "OWNER/NAME#N")]
    pub issue: Option<IssueKey>,
    /// Mend what an earlier stage by hand found: the folder of its results (fix, fix-quality)
    #[arg(long, value_name = "DIR")]
    pub after: Option<PathBuf>,
    /// Where the results are kept; otherwise a new folder below the state folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Push the branch and post the result, as the pipeline would
    #[arg(long)]
    pub publish: bool,
}
