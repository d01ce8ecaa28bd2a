//! The command line. The help texts are its documentation; `hydra man` is made of them.

mod egress;
mod jobs;
mod local;
mod operate;

pub use egress::*;
pub use jobs::*;
pub use local::*;
pub use operate::*;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::{ffi::OsString, path::PathBuf};

/// A labelled issue becomes a reviewed pull request, built by AI coding agents in sealed containers.
#[derive(Debug, Parser)]
#[command(name = "hydra", version, propagate_version = true, max_term_width = 100, disable_help_subcommand = false)]
#[command(
    after_help = "Try it: hydra demo     Set it up: hydra init, then hydra doctor     Exit codes: docs/operations/exit-codes.md"
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// The configuration file; otherwise HYDRA_CONFIG, or hydra.toml here or in a folder above
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The state folder, instead of the configuration's
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Print one JSON document instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more on standard error; twice for even more. RUST_LOG goes before it
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = false)]
    pub color: Color,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Everything that Hydra does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole pipeline at work here: no Docker, no GitHub, no key
    Demo(DemoArgs),
    /// Write hydra.toml and the files for secrets, with comments; overwrites nothing
    Init(InitArgs),
    /// Check configuration, tokens, Docker, images, board and disk; say how to mend what is wrong
    Doctor(DoctorArgs),
    /// One cycle: look at board and labels, run what is due, wait until it rests (for cron)
    Poll(PollArgs),
    /// The same as a daemon; SIGTERM lets it end in good order
    Supervise(SuperviseArgs),
    /// Run one stage by hand and keep its results in a folder
    DevRun(DevRunArgs),
    /// Check change folders, or write a change's hydra.json
    #[command(subcommand)]
    Change(ChangeCommand),
    /// What Hydra works on, and what it costs
    Status(StatusArgs),
    /// What Hydra sees of an issue, what it would do next, or why it does nothing
    Explain(IssueArgs),
    /// The output of a job
    Logs(LogsArgs),
    /// Stop work on an issue and hold it until a person asks again
    Cancel(CancelArgs),
    /// Start nothing new: everywhere, in a repository, or on an issue
    Pause(PauseArgs),
    /// Lift a pause
    Resume(ResumeArgs),
    /// Stop every job that holds or uses a credential
    Stop(StopArgs),
    /// Remove containers and volumes that nobody owns
    Prune(PruneArgs),
    /// The labels that Hydra uses
    #[command(subcommand)]
    Labels(LabelsCommand),
    /// Print exactly what would be run
    #[command(subcommand)]
    Render(RenderCommand),
    /// What containers may reach
    #[command(subcommand)]
    Egress(EgressCommand),
    /// Show, check or describe the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
    /// Run as a job's wrapper (the process runtime starts this)
    #[command(hide = true)]
    Agent(Passed),
    /// Run as the simulator's small coding agent
    #[command(hide = true)]
    SimAgent(Passed),
}

/// Arguments that are handed on as they are.
#[derive(Debug, Args)]
pub struct Passed {
    /// Handed on.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<OsString>,
}
