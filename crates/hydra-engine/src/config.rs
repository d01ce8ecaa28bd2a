//! What the engine is told once, at its start: configuration as plain values, and the ports that reach the world.

use crate::breaker::BreakerPolicy;
use hydra_core::{
    ContainerType, Login, RepoName, TokenRole,
    contract_files::FenceMode,
    egress::{EgressPolicy, gate::Upstream},
    job::{ImageRef, Network, Service},
    plan::PlanPolicy,
    ports::{Accounts, AuditSink, Board, Clock, Forge, ForgeWriter, Leases, Runtime, Workspace},
    prices::PriceTable,
    redact::Redactor,
    verdict::envelope::{PublicKey, Signer},
};
use secrecy::SecretString;
use std::{collections::BTreeMap, fmt, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

/// The world, as the engine reaches it.
#[derive(Clone)]
pub struct Ports {
    /// Where jobs run.
    pub runtime: Arc<dyn Runtime>,
    /// What is read of the forge.
    pub forge: Arc<dyn Forge>,
    /// What is written to it.
    pub writer: Arc<dyn ForgeWriter>,
    /// Leases.
    pub leases: Arc<dyn Leases>,
    /// The board, where there is one.
    pub board: Option<Arc<dyn Board>>,
    /// Git.
    pub workspace: Arc<dyn Workspace>,
    /// Model accounts.
    pub accounts: Arc<dyn Accounts>,
    /// The audit log.
    pub audit: Arc<dyn AuditSink>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Everything else.
#[derive(Clone)]
pub struct EngineConfig {
    /// What decisions depend on.
    pub policy: PlanPolicy,
    /// Repositories to look at.
    pub repos: Vec<RepoName>,
    /// Whether the repositories of the board's cards are looked at besides.
    pub repos_from_board: bool,
    /// The organisation: `GITHUB_ORG` in containers.
    pub org: String,
    /// The image of each container type.
    pub images: BTreeMap<ContainerType, ImageRef>,
    /// Toolchain images that `.hydra.toml` may name.
    pub toolchains: BTreeMap<String, ImageRef>,
    /// Side services that `.hydra.toml` may name.
    pub services: BTreeMap<String, Service>,
    /// The network of containers with an agent.
    pub network: Network,
    /// The network of quality containers.
    pub quality_network: Network,
    /// How the fence is made.
    pub fence: FenceMode,
    /// The gate's image, where every agent stands behind one.
    pub gate: Option<ImageRef>,
    /// The model API that the gate signs for, where the credentials are withheld from jobs.
    pub api: Option<Upstream>,
    /// What a gate adds to requests of private registries, by the credential's name: a whole `Authorization`.
    pub registries: BTreeMap<String, SecretString>,
    /// `ANTHROPIC_BASE_URL`, where it is not the provider's own.
    pub model_base_url: Option<String>,
    /// Extra host names to resolve inside, `name -> address`.
    pub hosts: BTreeMap<String, String>,
    /// Name servers that gates ask. Absent: those of the machine.
    pub name_servers: Option<Vec<IpAddr>>,
    /// Git credentials of containers.
    pub git_credentials: GitCredentials,
    /// The egress policy.
    pub egress: EgressPolicy,
    /// Plain variables for every container (`HYDRA_DEMO_AGENT`).
    pub extra_env: BTreeMap<String, String>,
    /// `/tmp`, in MiB.
    pub tmp_mib: u32,
    /// `/workspace`, in MiB.
    pub workspace_mib: u32,
    /// Largest file that is read from `/out`, in bytes.
    pub max_out_bytes: u64,
    /// The installation's name.
    pub instance: String,
    /// This process as a lease's owner: [`crate::lease_owner::this_process`].
    pub owner: String,
    /// Whether another owner is certainly gone: [`crate::lease_owner::is_gone`].
    pub owner_gone: fn(&str) -> bool,
    /// The state folder.
    pub state_dir: PathBuf,
    /// How often the board is looked at, at least.
    pub poll_interval: Duration,
    /// Time limit of the quality stage, in minutes.
    pub quality_minutes: u32,
    /// How long an account rests whose limit has no named reset.
    pub unnamed_reset: Duration,
    /// No event for so long stops a job; zero turns it off.
    pub stall_timeout: Duration,
    /// No first event for so long stops a job; zero turns it off.
    pub first_sign_timeout: Duration,
    /// How long a job may take to end after it was asked to.
    pub stop_grace: Duration,
    /// How long past its own deadline a job is given before it is stopped from outside.
    pub deadline_grace: Duration,
    /// Signs verdicts and records.
    pub signer: Arc<Signer>,
    /// Verifies them: the signer's own key and older ones.
    pub public_keys: Vec<PublicKey>,
    /// The login of each identity. With `identities = "single"` all are the same.
    pub logins: BTreeMap<TokenRole, Login>,
    /// Paths that no agent may change, besides those of `.hydra.toml`.
    pub protected_paths: Vec<String>,
    /// Hosts whose links may stand in what is published.
    pub link_hosts: Vec<String>,
    /// Text appended to each prompt.
    pub prompt_extra: String,
    /// Prices.
    pub prices: PriceTable,
    /// The breaker.
    pub breaker: BreakerPolicy,
    /// Masks secrets in everything that leaves the engine, and finds them in what a job delivers.
    pub redactor: Arc<Redactor>,
}

impl EngineConfig {
    /// A text without secrets.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        self.redactor.redact(text).into_owned()
    }
}

/// Whether a container gets a git token.
#[derive(Clone, Default)]
pub enum GitCredentials {
    /// None does: the engine pushes.
    #[default]
    Withheld,
    /// In `GIT_TOKEN`, as documented for older images.
    Env(BTreeMap<TokenRole, SecretString>),
}

/// Masks secrets in the audit log.
#[derive(Clone)]
pub struct Scrub(Arc<dyn Fn(&str) -> String + Send + Sync>);
impl Scrub {
    /// By a function.
    #[must_use]
    pub fn by(mask: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(mask))
    }
    /// The text without secrets.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        (self.0)(text)
    }
}
impl From<Arc<Redactor>> for Scrub {
    fn from(redactor: Arc<Redactor>) -> Self {
        Self::by(move |text| redactor.redact(text).into_owned())
    }
}
impl fmt::Debug for Scrub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrub")
    }
}
