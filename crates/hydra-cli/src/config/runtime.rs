//! `[runtime]`, `[egress]`, `[credentials]`, `[accounts]`: where jobs run, what they reach, what they hold.

use super::duration::Duration;
use hydra_core::egress::{EgressPolicy, HostPattern, InspectRule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Where jobs run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Runtime {
    /// `docker`, or `process` (processes of this machine: isolates nothing, for trying things out).
    pub kind: RuntimeKind,
    /// The engine's socket. Left out: `DOCKER_HOST`, then `/var/run/docker.sock`.
    pub socket: Option<String>,
    /// The network of jobs; made if it is not there.
    pub network: String,
    /// What stands before the images' names. Variable `HYDRA_IMAGE_PREFIX`.
    pub image_prefix: String,
    /// The images' tag. Variable `HYDRA_IMAGE_TAG`.
    pub image_tag: String,
    /// The file that pins the images by ID or digest, relative to `hydra.toml`; `cargo xtask images` writes it.
    pub image_lock: String,
    /// Toolchain images that a repository's `.hydra.toml` may name: name to `sha256:…` or `NAME@sha256:…`.
    pub toolchains: BTreeMap<String, String>,
    /// Side services (a database) that `.hydra.toml` may name in `services`: each stands in the job's own namespace, reached by it alone on loopback, and goes with it.
    pub services: BTreeMap<String, SideService>,
    /// Size of `/tmp` in MiB.
    #[schemars(range(min = 16, max = 65536))]
    pub tmp_mib: u32,
    /// Size of `/workspace` in MiB.
    #[schemars(range(min = 64, max = 1_048_576))]
    pub workspace_mib: u32,
    /// After a stop was asked for, a job has so long before it is killed.
    pub stop_grace: Duration,
    /// A job that outlives its own deadline by so long is stopped from outside.
    pub deadline_grace: Duration,
}

/// Kinds of runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum RuntimeKind {
    /// Containers of a Docker engine.
    Docker,
    /// Processes of this machine: no isolation.
    Process,
}

/// A side service of jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct SideService {
    /// The image's name.
    pub image: String,
    /// Its ID or digest, `sha256:...`.
    pub pin: String,
    /// The port that it answers at, on 127.0.0.1 of the job.
    pub port: u16,
    /// The user that it runs as, `UID` or `UID:GID`; absent: the image's own. It has no capability.
    #[serde(default)]
    pub user: Option<String>,
    /// Its environment. Every job can see what it answers, so no secret belongs here.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Memory, in MiB.
    #[serde(default = "service_memory")]
    pub memory_mib: u32,
}

const fn service_memory() -> u32 {
    512
}

/// What a job may reach: HTTPS (443) to these hosts, nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Egress {
    /// `isolated`: a gate of its own stands before each agent, whose container has no network but loopback; `in-container`: the agent's container fences itself before the agent starts.
    pub mode: EgressMode,
    /// Hosts that every type with an agent may reach. An exact name, or `*.` before one.
    pub base: Vec<String>,
    /// Further hosts, by type of container: `builder`, `quality`, `reviewer`, `security`, `applier`. A list given here replaces the default one.
    pub extra: BTreeMap<String, Vec<String>>,
    /// Hosts that a repository's `.hydra.toml` may add; it can add no others.
    pub floor: Vec<String>,
    /// A self-hosted model endpoint, `HOST:PORT`.
    pub model_endpoint: Option<String>,
    /// Name servers that gates ask for the hosts above, by IP address, at port 53; absent: those of this machine (`/etc/resolv.conf`); empty: none, so that names of the engine's own networks are all that there are. Agents never ask one.
    pub name_servers: Option<Vec<IpAddr>>,
    /// Hosts whose requests the gate looks into, by exact name. The lists above must allow each; mode `isolated` alone can do it.
    pub inspect: BTreeMap<String, Inspect>,
}

/// What may be asked of an inspected host. Its TLS ends at the gate, under a certificate that the job's tools are told to believe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct Inspect {
    /// Methods of HTTP.
    pub methods: Vec<String>,
    /// What a path begins with; empty: any. A server may read `%2f` as a slash or not, so both readings of a path must begin as one of these.
    pub paths: Vec<String>,
    /// A private registry's credential, by its name under `registries` in `secrets/credentials.json`: the gate adds it, no container holds it.
    pub credential: Option<String>,
    /// The host's own certificate authority, a PEM file beside `hydra.toml`; absent: those of the web.
    pub authority_file: Option<String>,
}

/// Who makes the fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum EgressMode {
    /// A gate before each agent, in containers of its own.
    Isolated,
    /// The container's own entrypoint, with iptables.
    InContainer,
}

/// Which credentials a container holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Credentials {
    /// The GitHub token: `withheld` (commits leave the container as a bundle that Hydra checks and pushes) or `env` (`GIT_TOKEN`, the contract of older images).
    pub git: GitCredential,
    /// The model credential: `withheld` (the gate signs for the agent; egress.mode `isolated` alone has one) or `env` (in the container's environment).
    pub model: ModelCredential,
}

/// How a container gets the GitHub token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum GitCredential {
    /// Not at all.
    Withheld,
    /// In its environment.
    Env,
}

/// How a container gets the model credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ModelCredential {
    /// Not at all: the gate signs.
    Withheld,
    /// In its environment.
    Env,
}

/// Model accounts; their tokens stand in `secrets/credentials.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Accounts {
    /// An account that hit a limit is set aside so long when the provider names no time.
    pub unnamed_reset: Duration,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            kind: RuntimeKind::Docker,
            socket: None,
            network: "hydra-net".to_owned(),
            image_prefix: "ghcr.io/conductionnl".to_owned(),
            image_tag: "latest".to_owned(),
            image_lock: "target/images.lock.json".to_owned(),
            toolchains: BTreeMap::new(),
            services: BTreeMap::new(),
            tmp_mib: 512,
            workspace_mib: 2048,
            stop_grace: Duration::secs(20),
            deadline_grace: Duration::mins(2),
        }
    }
}

impl Default for Egress {
    fn default() -> Self {
        let policy = EgressPolicy::default();
        let texts = |hosts: &BTreeSet<HostPattern>| hosts.iter().map(ToString::to_string).collect::<Vec<String>>();
        Self {
            mode: EgressMode::Isolated,
            base: texts(&policy.base),
            extra: policy.extra.iter().map(|(kind, hosts)| (kind.to_string(), texts(hosts))).collect(),
            floor: texts(&policy.floor),
            model_endpoint: None,
            name_servers: None,
            inspect: BTreeMap::new(),
        }
    }
}

impl Default for Inspect {
    fn default() -> Self {
        let methods = InspectRule::default().methods.iter().map(ToString::to_string).collect();
        Self { methods, paths: Vec::new(), credential: None, authority_file: None }
    }
}

impl Default for Credentials {
    fn default() -> Self {
        Self { git: GitCredential::Withheld, model: ModelCredential::Withheld }
    }
}

impl Default for Accounts {
    fn default() -> Self {
        Self { unnamed_reset: Duration::mins(60) }
    }
}
