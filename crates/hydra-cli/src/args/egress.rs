//! Arguments of `hydra egress`.

use clap::{Args, Subcommand};
use hydra_core::ContainerType;
use std::path::PathBuf;

/// `hydra egress`
#[derive(Debug, Subcommand)]
pub enum EgressCommand {
    /// Say whether a host would be reached, by which line of which file
    Check(EgressCheckArgs),
    /// Start a container behind the fence now, and try from inside it what an agent could try
    Probe(EgressProbeArgs),
    /// What jobs were refused, how often and why, with the lines that would open it
    Denials(EgressDenialsArgs),
}

/// `hydra egress check`
#[derive(Debug, Args)]
pub struct EgressCheckArgs {
    /// The host's name
    #[arg(value_name = "HOST")]
    pub host: String,
    /// builder, quality, reviewer, security or applier
    #[arg(long = "type", value_name = "TYPE", default_value = "builder")]
    pub container: ContainerType,
    /// A repository's `.hydra.toml`: as its jobs would be answered
    #[arg(long, value_name = "FILE")]
    pub repository: Option<PathBuf>,
}

/// `hydra egress denials`
#[derive(Debug, Args)]
pub struct EgressDenialsArgs {
    /// The job's name, as `hydra status` prints it; otherwise every job that is known
    #[arg(value_name = "JOB")]
    pub job: Option<String>,
}

/// `hydra egress probe`
#[derive(Debug, Args)]
pub struct EgressProbeArgs {
    /// builder, quality, reviewer, security or applier; may be repeated. Otherwise every type that the configuration uses
    #[arg(long = "type", value_name = "TYPE")]
    pub containers: Vec<ContainerType>,
}
