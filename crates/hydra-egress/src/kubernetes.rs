//! The two Kubernetes forms: what holds the pods of one job, in a namespace that is the job's alone.
//!
//! Neither takes the gate's place. A NetworkPolicy knows addresses and ports, a CiliumNetworkPolicy in addition which addresses a name
//! had when it was looked up; only the gate sees whom a connection asks for. They hold the agent to its gate, and the gate to what it
//! may dial.

pub mod cilium;
mod document;
pub mod network_policy;

use document::Port;
use hydra_core::egress::{Endpoint, HostPattern, gate::GateConfig};
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

/// The label that tells the two pods of a job apart.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// Its value on the pod that works.
pub const AGENT: &str = "agent";
/// Its value on the gate's pod.
pub const GATE: &str = "gate";
/// A TCP port at which the gate's pod may be asked, and at which the agent's pod may not ask: as long as it answers the agent, the
/// policy does not bite yet, and the agent must not be started.
pub const CANARY_PORT: u16 = 9;

/// What the policy does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The namespace of the job; absent: the one that the documents are loaded into.
    pub namespace: Option<String>,
    /// Addresses of the self-hosted model API; without one it stays closed.
    pub model: BTreeSet<IpAddr>,
}

/// A document that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the document cannot be written as YAML: {0}")]
pub struct NotWritten(String);

/// Whether there is anything that a gate could reach. Without it a job has no gate, and its pod no network at all.
fn has_gate(gate: &GateConfig) -> bool {
    !gate.allow.is_empty() || gate.api.is_some() || gate.model.is_some()
}

/// The model API on a public host that the gate signs for.
fn upstream(gate: &GateConfig) -> Option<&Endpoint> {
    gate.api.as_ref().map(|api| &api.upstream).filter(|upstream| !upstream.private).map(|upstream| &upstream.endpoint)
}

/// The TCP ports of public addresses that the gate dials.
fn public_ports(gate: &GateConfig) -> BTreeSet<u16> {
    let https = (!gate.allow.is_empty()).then_some(443);
    https.into_iter().chain(upstream(gate).map(Endpoint::port)).collect()
}

/// The names that the gate looks up: lines of the policy, and the model API where it has a name.
fn looked_up(gate: &GateConfig) -> (BTreeSet<&HostPattern>, BTreeSet<&str>) {
    let endpoints = upstream(gate).into_iter().chain(gate.place());
    let named = endpoints.map(Endpoint::host).filter(|host| host.parse::<IpAddr>().is_err());
    (gate.allow.iter().collect(), named.collect())
}

/// The self-hosted model API by address.
fn place(gate: &GateConfig, around: &Surroundings) -> BTreeSet<SocketAddr> {
    let port = gate.place().map(Endpoint::port);
    let at = |ip: &IpAddr| port.map(|port| SocketAddr::new(ip.to_canonical(), port));
    around.model.iter().filter_map(at).collect()
}

/// What the agent asks its gate.
fn inside(gate: &GateConfig) -> Vec<Port> {
    let tcp: BTreeSet<u16> = gate.model_port().into_iter().chain([53, 443]).collect();
    [Port::udp(53)].into_iter().chain(tcp.into_iter().map(Port::tcp)).collect()
}

/// The same, and the canary.
fn answered(gate: &GateConfig) -> Vec<Port> {
    let mut ports = inside(gate);
    if !ports.contains(&Port::tcp(CANARY_PORT)) {
        ports.push(Port::tcp(CANARY_PORT));
    }
    ports
}

/// One address as a network.
fn network(ip: IpAddr) -> String {
    format!("{ip}/{}", if ip.is_ipv4() { 32 } else { 128 })
}
