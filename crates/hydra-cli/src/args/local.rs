//! Arguments of the commands that need neither GitHub nor Docker.

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;
use hydra_core::{ContainerType, Stage};
use std::path::PathBuf;

/// `hydra init`
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Where to; otherwise here
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// `hydra change`
#[derive(Debug, Subcommand)]
pub enum ChangeCommand {
    /// Read change folders and say what is wrong, with file and line
    Check {
        /// Change folders, or folders of them
        #[arg(required = true, value_name = "DIR")]
        dirs: Vec<PathBuf>,
    },
    /// Write the folder's hydra.json
    Init {
        /// The change folder
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

/// `hydra labels`
#[derive(Debug, Subcommand)]
pub enum LabelsCommand {
    /// Bring the repositories' labels in line with the vocabulary
    Sync {
        /// Print what would be changed
        #[arg(long)]
        dry_run: bool,
    },
}

/// `hydra render`
#[derive(Debug, Subcommand)]
pub enum RenderCommand {
    /// The command line that starts a job's container
    DockerRun {
        /// The stage
        #[arg(long, value_name = "STAGE", default_value = "build")]
        stage: Stage,
        /// The documented builder command line, flag for flag
        #[arg(long)]
        documented: bool,
    },
    /// The IPv4 rules of the in-container fence, for iptables-restore
    Iptables(FenceArgs),
    /// The IPv6 rules of the in-container fence, for ip6tables-restore
    Ip6tables(FenceArgs),
    /// The nft table of an agent's namespace in mode isolated
    Nft(GateArgs),
    /// The same fence as Kubernetes NetworkPolicies, for the namespace of one job
    Networkpolicy(ClusterArgs),
    /// The same for a cluster with Cilium, which knows names too; loaded instead of networkpolicy
    Cilium(ClusterArgs),
    /// What the gate of a job is told in mode isolated, without its credentials
    Gate(GateArgs),
}

/// `hydra render nft`
#[derive(Debug, Args)]
pub struct GateArgs {
    /// builder, quality, reviewer, security or applier
    #[arg(long = "type", value_name = "TYPE", default_value = "builder")]
    pub container: ContainerType,
}

/// `hydra render networkpolicy`
#[derive(Debug, Args)]
pub struct ClusterArgs {
    /// builder, quality, reviewer, security or applier
    #[arg(long = "type", value_name = "TYPE", default_value = "builder")]
    pub container: ContainerType,
    /// The job's namespace; otherwise the one that the documents are loaded into
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// An address of the self-hosted model API, instead of resolving it: HOST=ADDRESS
    #[arg(long = "resolve", value_name = "HOST=ADDRESS")]
    pub resolve: Vec<String>,
}

/// `hydra render iptables`
#[derive(Debug, Args)]
pub struct FenceArgs {
    /// builder, quality, reviewer, security or applier
    #[arg(long = "type", value_name = "TYPE", default_value = "builder")]
    pub container: ContainerType,
    /// An address of an allowed host, instead of resolving it: HOST=ADDRESS
    #[arg(long = "resolve", value_name = "HOST=ADDRESS")]
    pub resolve: Vec<String>,
}

/// `hydra config`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Every value and where it came from; secrets are masked
    Show,
    /// Say what is wrong, with file, line and nearest key
    Check,
    /// The JSON schema of hydra.toml
    Schema {
        /// The schema, or the documentation made of it
        #[arg(long, value_name = "FORMAT", default_value = "json")]
        format: SchemaFormat,
    },
}

/// How the schema is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaFormat {
    /// JSON schema
    Json,
    /// docs/configuration.md
    Markdown,
}

/// `hydra completions`
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}
