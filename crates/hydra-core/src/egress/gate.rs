//! What the gate of one job is told, and what it tells: one schema for the gate, the runtimes and every report.

use super::{
    decide::DenyReason,
    host::{Endpoint, HostName, HostPattern},
    inspect::InspectRule,
    policy::EgressPolicy,
};
use crate::{AccountName, ContainerType, Timestamp, Tokens, contract_files::Allowance, ports::AccountKind, prices};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

/// Version of both schemas.
pub const SCHEMA: u32 = 1;

/// What a gate is told when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateConfig {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The job it stands before.
    pub job: String,
    /// The type of the agent's container.
    pub container_type: ContainerType,
    /// SHA-256 of the policy.
    pub policy: String,
    /// The names that may be reached.
    pub allow: BTreeSet<HostPattern>,
    /// A self-hosted model API of an agent that holds its own credential: what is dialled at its port goes there, whatever its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Endpoint>,
    /// The model API that the gate signs for; the agent holds no credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ModelRoute>,
    /// Names whose requests are looked into.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inspect: BTreeMap<HostName, InspectRule>,
    /// Resolvers to ask about them; empty: those of the gate's own container.
    #[serde(default)]
    pub resolvers: BTreeSet<SocketAddr>,
    /// Bounds.
    #[serde(default)]
    pub limits: GateLimits,
}

impl GateConfig {
    /// What a policy gives to one job.
    #[must_use]
    pub fn of(policy: &EgressPolicy, container_type: ContainerType, job: &str) -> Self {
        Self {
            schema: SCHEMA,
            job: job.to_owned(),
            container_type,
            policy: policy.hash(),
            allow: policy.hosts(container_type).into_iter().cloned().collect(),
            model: policy.model_endpoint(container_type).cloned(),
            api: None,
            inspect: policy.inspected(container_type),
            resolvers: BTreeSet::new(),
            limits: GateLimits::default(),
        }
    }
}

/// The provider's own host. Where a gate signs for agents, nobody reaches it by name: not with a key of the agent's own.
pub const PROVIDER: &str = "api.anthropic.com";

/// A model API that the gate stands before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRoute {
    /// The port inside, at which it is plain HTTP.
    pub port: u16,
    /// Where it goes.
    pub upstream: Upstream,
    /// The accounts, in the order in which they are tried.
    pub accounts: Vec<GateAccount>,
    /// By which APIs it may be asked.
    pub apis: BTreeSet<ModelApi>,
    /// The models that may be asked for.
    pub models: BTreeSet<String>,
    /// What is left of the budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowance: Option<Allowance>,
}

impl ModelRoute {
    /// Whether one of its models is configured with a long context, and so counted at its price.
    #[must_use]
    pub fn has_long_context(&self) -> bool {
        self.models.iter().any(|model| model.ends_with(prices::LONG_CONTEXT))
    }
}

crate::stage::closed!(
    /// A way to ask a model.
    ModelApi, "model API" {
    /// Anthropic's Messages.
    Messages = "messages",
    /// OpenAI's Responses.
    Responses = "responses",
    /// OpenAI's Chat Completions.
    ChatCompletions = "chat-completions",
    /// Gemini's generateContent.
    Gemini = "gemini",
});

/// Where a model API is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Host and port.
    pub endpoint: Endpoint,
    /// Over TLS.
    pub tls: bool,
    /// Self-hosted: it may have any address.
    pub private: bool,
    /// Its certificate authority, PEM; absent: those of the web.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
}

/// An account of a route, without its credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateAccount {
    /// Its name.
    pub name: AccountName,
    /// How it signs.
    pub kind: AccountKind,
}

impl GateConfig {
    /// The port of the model API inside, where there is one.
    #[must_use]
    pub fn model_port(&self) -> Option<u16> {
        self.api.as_ref().map(|api| api.port).or_else(|| self.model.as_ref().map(Endpoint::port))
    }
    /// A place that the gate may reach whatever its address.
    #[must_use]
    pub fn place(&self) -> Option<&Endpoint> {
        let api = self.api.as_ref().map(|api| &api.upstream).filter(|upstream| upstream.private);
        api.map(|upstream| &upstream.endpoint).or(self.model.as_ref())
    }
}

/// A gate's bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateLimits {
    /// Connections at a time.
    pub connections: u32,
    /// Bytes sent to one host, all connections of the job together.
    pub bytes_up: u64,
    /// Bytes of a ClientHello, or of a request's head.
    pub hello_bytes: u32,
    /// Time for it to come, in milliseconds.
    pub hello_millis: u32,
    /// Time to resolve a name and to connect, each, in milliseconds.
    pub connect_millis: u32,
    /// Time in which nothing of a model's answer comes, at most, in milliseconds: it may think for long, and it may not hold a job for ever.
    pub quiet_millis: u32,
}

impl Default for GateLimits {
    fn default() -> Self {
        Self {
            connections: 512,
            bytes_up: 1024 * 1024 * 1024,
            hello_bytes: 64 * 1024,
            hello_millis: 10_000,
            connect_millis: 10_000,
            quiet_millis: 600_000,
        }
    }
}

crate::stage::closed!(
    /// Where something was refused.
    Layer, "layer of the gate" {
    /// A look-up.
    Dns = "dns",
    /// A handshake.
    Tls = "tls",
    /// An explicit proxy request.
    Connect = "connect",
    /// A packet, by the kernel.
    Packet = "packet",
    /// The gate's own look-up.
    Resolve = "resolve",
    /// A bound.
    Limit = "limit",
    /// A request inside a connection that is looked into.
    Inspect = "inspect",
});

/// One refusal: the same in every mode. Written when it is seen first; what is alike is counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// When it was seen first.
    pub ts: Timestamp,
    /// The job.
    pub job: String,
    /// The type of its container.
    pub container_type: ContainerType,
    /// Where.
    pub layer: Layer,
    /// Why.
    pub reason: DenyReason,
    /// The name that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The name in the handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
    /// The address that was dialled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dst: Option<IpAddr>,
    /// And its port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dport: Option<u16>,
    /// `tcp`, `udp`, `icmp`, or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proto: Option<String>,
    /// Whose packet it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// How often.
    pub count: u64,
    /// Bytes that were sent before it was refused.
    #[serde(default)]
    pub bytes: u64,
    /// A line to paste into the policy; empty where none would help.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

/// What went to a host that may be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The name.
    pub host: String,
    /// Connections.
    pub connections: u64,
    /// Bytes sent.
    pub up: u64,
    /// Bytes received.
    pub down: u64,
}

/// What was proved before an agent started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// SHA-256 of the rules as the kernel lists them, counters left out.
    pub rules: String,
    /// What was tried, each as it must be.
    pub tried: Vec<String>,
}

/// What a gate has taken from itself before it serves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confined {
    /// The version of landlock's interface by which it has no files and no ports but its own; `None`: the kernel has no landlock.
    pub landlock: Option<u32>,
    /// A filter leaves it the system calls that it needs; only a gate from before there was one says no.
    pub seccomp: bool,
}

/// One line of a gate's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GateLine {
    /// Its fence was proved; told by the runtime, before everything that the gate itself tells.
    Proved(Proof),
    /// It serves.
    Ready {
        /// [`SCHEMA`].
        v: u32,
        /// SHA-256 of the policy.
        policy: String,
        /// What it has taken from itself.
        #[serde(default)]
        confined: Confined,
    },
    /// Something was refused for the first time.
    Denied(Denial),
    /// An account of the route is used up.
    Aside {
        /// Which.
        account: AccountName,
        /// Until then.
        until: Timestamp,
        /// `limit` or `auth`.
        why: String,
    },
    /// It has ended and is not started again: whoever is behind it reaches nothing any more. Told by the runtime, after everything else.
    Gone {
        /// How it ended, as far as that is known.
        exit: Option<i64>,
    },
    /// Everything so far; the last one counts.
    Report {
        /// [`SCHEMA`].
        v: u32,
        /// SHA-256 of the policy.
        policy: String,
        /// Hosts that were reached.
        reached: Vec<Reached>,
        /// What was refused, with exact counts.
        denied: Vec<Denial>,
        /// What the model API said that was used.
        #[serde(default)]
        tokens: Tokens,
    },
}

impl DenyReason {
    /// Where it is refused.
    #[must_use]
    pub const fn layer(self) -> Layer {
        match self {
            Self::DnsNotAllowed | Self::DnsQtype => Layer::Dns,
            Self::TlsNoSni
            | Self::TlsNotTls
            | Self::TlsSniNotAllowed
            | Self::TlsSniDnsMismatch
            | Self::TlsEch
            | Self::TlsHelloTimeout => Layer::Tls,
            Self::ConnectPort | Self::ConnectMethod | Self::ConnectSniMismatch => Layer::Connect,
            Self::ResolvePrivate | Self::ResolveFailed => Layer::Resolve,
            Self::PacketTcp | Self::PacketUdp | Self::PacketOther => Layer::Packet,
            Self::LimitConns | Self::LimitBytes => Layer::Limit,
            Self::InspectHostMismatch | Self::InspectMethod => Layer::Inspect,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reasons_name_begins_with_its_layer() {
        for reason in DenyReason::ALL {
            assert_eq!(reason.as_str().split('.').next(), Some(reason.layer().as_str()));
        }
    }

    #[test]
    fn a_gate_that_says_nothing_of_its_confinement_has_none() {
        let told = |text: &str| match serde_json::from_str(text).unwrap() {
            GateLine::Ready { confined, .. } => confined,
            other => panic!("{other:?}"),
        };
        assert_eq!(told(r#"{"kind":"ready","v":1,"policy":"p"}"#), Confined { landlock: None, seccomp: false });
        let said = r#"{"kind":"ready","v":1,"policy":"p","confined":{"landlock":7,"seccomp":true}}"#;
        assert_eq!(told(said), Confined { landlock: Some(7), seccomp: true });
    }

    #[test]
    fn lines_read_back() {
        let line = GateLine::Denied(Denial {
            ts: Timestamp::UNIX_EPOCH,
            job: "hydra-x".into(),
            container_type: ContainerType::Builder,
            layer: Layer::Dns,
            reason: DenyReason::DnsNotAllowed,
            host: Some("paste.example.org".into()),
            sni: None,
            dst: None,
            dport: None,
            proto: Some("udp".into()),
            uid: None,
            count: 1,
            bytes: 0,
            hint: "add \"paste.example.org\" to `builder` in [egress.extra] of hydra.toml".into(),
        });
        let text = serde_json::to_string(&line).unwrap();
        assert!(text.contains(r#""kind":"denied""#) && text.contains(r#""reason":"dns.not_allowed""#), "{text}");
        assert_eq!(serde_json::from_str::<GateLine>(&text).unwrap(), line);
    }
}
