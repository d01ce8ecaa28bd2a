//! A job: one run of one stage in one container. Its key names it, its specification says how it is started.

use crate::{
    AccountName, ContainerType, Generation, IssueKey, JobId, Stage, TokenRole, egress::gate::GateConfig,
    persona::Limits,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

/// What makes a job the job it is. The same key is always the same container name, so a job cannot be started twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobKey {
    /// The issue (for a review on its own: the pull request's number).
    pub issue: IssueKey,
    /// The issue's generation.
    pub generation: Generation,
    /// The stage.
    pub stage: Stage,
    /// The fix round it belongs to; 0 before the first.
    pub round: u32,
    /// How often the stage was tried in this round; 0 for the first.
    pub attempt: u32,
}

impl JobKey {
    /// The deterministic name: `hydra-<repo>-<issue>-g<generation>-<stage>-r<round>-a<attempt>-<hash>`, at most 63 bytes.
    /// The hash (8 hexadecimal digits of SHA-256 over the whole key) keeps cut names apart.
    #[must_use]
    pub fn id(&self) -> JobId {
        use sha2::{Digest, Sha256};
        let whole = format!("{}|{}|{}|{}|{}", self.issue, self.generation, self.stage, self.round, self.attempt);
        let digest = Sha256::digest(whole.as_bytes());
        let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let tail = format!(
            "{}-g{}-{}-r{}-a{}-{hash}",
            self.issue.number, self.generation, self.stage, self.round, self.attempt
        );
        let room = 63usize.saturating_sub("hydra-".len() + tail.len() + 1);
        let repo: String = self
            .issue
            .repo
            .name()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .take(room)
            .collect();
        let repo = repo.trim_matches('-');
        let text = if repo.is_empty() { format!("hydra-{tail}") } else { format!("hydra-{repo}-{tail}") };
        // The parts are bounded by their types (numbers and stage names), so the name always parses.
        match text.parse() {
            Ok(id) => id,
            Err(_) => unreachable!("a job's name is made of allowed characters"),
        }
    }
}

/// An image, pinned.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageRef {
    /// Name for people: `hydra-builder`, or `ghcr.io/…/hydra-builder:tag`.
    pub name: String,
    /// What is started: `sha256:…` (image ID, built here) or `name@sha256:…` (digest, pulled).
    /// Empty only for a runtime without images (`process`).
    pub pin: String,
}

/// The value of a variable in a container.
#[derive(Debug, Clone)]
pub enum EnvValue {
    /// May be shown.
    Plain(String),
    /// Never shown; held by the name of its credential.
    Secret {
        /// Such as `account:main` or `git:builder`: what `hydra stop --credential` names.
        credential: String,
        /// The value.
        value: SecretString,
    },
}

/// The network a container gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// No network at all.
    None,
    /// A named network, made if it is not there.
    Named(String),
    /// Behind a gate of its own (mode `isolated`): no interface but `lo`, and every packet ends at the gate or nowhere.
    Gated(Box<Gated>),
}

/// The gate before one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gated {
    /// Its image.
    pub image: ImageRef,
    /// The network that the gate itself is on.
    pub network: String,
    /// Host names that the gate resolves without asking, `name -> address`.
    pub hosts: BTreeMap<String, String>,
    /// Name servers that it asks, at port 53. Absent: those of the machine that the runtime is on. Empty: none, so that the names of the
    /// runtime's own networks are all that there are.
    #[serde(default)]
    pub name_servers: Option<Vec<IpAddr>>,
    /// What it may let through.
    pub config: GateConfig,
    /// Containers beside the job that it alone can reach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
    /// What it holds and no job does.
    #[serde(skip)]
    pub withheld: Withheld,
}

/// A side service of one job: it stands in the job's own namespace, at a port of loopback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its name, as `.hydra.toml` has it.
    pub name: String,
    /// Its image.
    pub image: ImageRef,
    /// The port that it answers at.
    pub port: u16,
    /// The user that it runs as; absent: the image's own. It has no capability, root neither.
    pub user: Option<String>,
    /// Its environment. No secret belongs into it.
    pub env: BTreeMap<String, String>,
    /// Memory, in MiB.
    pub memory_mib: u32,
}

/// What a gate holds and no job does. Two are the same when they hold the same by name.
#[derive(Clone, Default)]
pub struct Withheld {
    /// The credentials of its model accounts.
    pub accounts: BTreeMap<AccountName, SecretString>,
    /// What it adds to requests of private registries, by the credential's name: a whole `Authorization`.
    pub registries: BTreeMap<String, SecretString>,
    /// The certificate of the hosts that it looks into, with its key: PEM.
    pub certificate: Option<SecretString>,
}

impl Withheld {
    fn names(&self) -> (Vec<&AccountName>, Vec<&String>, bool) {
        (self.accounts.keys().collect(), self.registries.keys().collect(), self.certificate.is_some())
    }
}
impl std::fmt::Debug for Withheld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.names().fmt(f)
    }
}
impl PartialEq for Withheld {
    fn eq(&self, other: &Self) -> bool {
        self.names() == other.names()
    }
}
impl Eq for Withheld {}

/// A file for the container's `/in` (or `/spec`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputFile {
    /// Its content.
    Bytes(Vec<u8>),
    /// A file of this machine, copied.
    Path(PathBuf),
}

/// Everything a runtime needs to start a job.
#[derive(Debug, Clone)]
pub struct JobSpec {
    /// What it is.
    pub key: JobKey,
    /// The kind of container.
    pub container: ContainerType,
    /// The image.
    pub image: ImageRef,
    /// Environment: the input contract (`REPO_URL`, `ISSUE_URL`, `PR_URL`, `SPEC_PATH`, `HYDRA_MODE`, `HYDRA_JOB`, `GITHUB_ORG` …)
    /// and, where the credential mode says so, secrets.
    pub env: BTreeMap<String, EnvValue>,
    /// Files below `/in`, by relative path: `job.json`, `repo.bundle`, `prompt.md`, `system.md`.
    pub inputs: BTreeMap<String, InputFile>,
    /// Files of the change folder below `/spec`, by relative path.
    pub spec: BTreeMap<String, InputFile>,
    /// Limits.
    pub limits: Limits,
    /// `/tmp`, in MiB.
    pub tmp_mib: u32,
    /// `/workspace`, in MiB.
    pub workspace_mib: u32,
    /// The network.
    pub network: Network,
    /// Whether it needs `NET_ADMIN` to fence itself (mode `in-container`).
    pub net_admin: bool,
    /// Extra host names to resolve inside, `name -> address`.
    pub hosts: BTreeMap<String, String>,
    /// The accounts and tokens whose credential it holds or uses: what `stop --credential` looks for.
    pub credentials: Vec<CredentialName>,
}

/// The name of a credential, never its value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialName {
    /// A model account: `account:<name>`.
    Account(AccountName),
    /// A git token: `git:<role>`.
    Git(TokenRole),
    /// The credential of a private registry: `registry:<name>`.
    Registry(String),
}
impl std::fmt::Display for CredentialName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Account(name) => write!(f, "account:{name}"),
            Self::Git(role) => write!(f, "git:{role}"),
            Self::Registry(name) => write!(f, "registry:{name}"),
        }
    }
}

/// What a runtime sees of a job. It reports; it does not judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum RuntimeStatus {
    /// Made, not started: a start was cut short. Starting it again is safe.
    Created,
    /// Running.
    Running,
    /// Ended.
    Exited {
        /// Exit code; 128 + signal where a signal ended it.
        code: i64,
        /// The kernel killed it for memory.
        oom: bool,
        /// When.
        at: crate::Timestamp,
    },
    /// It was there and its end cannot be known (a process of a rebooted machine, a container in state `dead`).
    Lost {
        /// What is known.
        why: String,
    },
}

/// One job as the runtime sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Its name.
    pub id: JobId,
    /// Its key, from its labels; absent when the labels cannot be read (then nobody owns it).
    pub key: Option<JobKey>,
    /// Which Hydra installation started it: `instance` of the configuration.
    pub instance: String,
    /// The credentials it holds or uses, by name.
    pub credentials: Vec<String>,
    /// When it was created.
    pub created_at: crate::Timestamp,
    /// What it is doing.
    pub status: RuntimeStatus,
}
