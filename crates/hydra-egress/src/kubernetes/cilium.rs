//! CiliumNetworkPolicy (`cilium.io/v2`) for the gate's pod: the lines of the policy once more, by the names that were looked up.
//!
//! Cilium admits what any policy of either kind admits. A NetworkPolicy that opens 443 to every public address would make the names
//! below worthless, so that this form takes the place of the gate's NetworkPolicy and brings the other two along.
//!
//! `*` in a `matchPattern` stands for letters, digits, hyphens and underscores, and never for a dot: `*.example.com` is one label more
//! than `example.com`, which is what it is in Hydra's policy. `**.` would cross dots and is never written.
//!
//! An address that a name had is open to every name: two hosts of one CDN cannot be told apart here.

use super::{
    AGENT, GATE, NotWritten, Surroundings, answered,
    document::{self, Metadata, Object, Protocol, Selector, as_text, file, yaml},
    has_gate, looked_up, network, network_policy, place, public_ports, upstream,
};
use hydra_core::egress::{
    HostPattern,
    address::{NOT_PUBLIC_V4, NOT_PUBLIC_V6},
    gate::GateConfig,
    is_public,
};
use ipnet::IpNet;
use serde::Serialize;
use std::{collections::BTreeSet, net::IpAddr};

#[derive(Debug, Serialize)]
struct Port {
    #[serde(serialize_with = "as_text")]
    port: u16,
    protocol: Protocol,
}

#[derive(Debug, Serialize)]
struct Ports {
    ports: Vec<Port>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<Rules>,
}

#[derive(Debug, Serialize)]
struct Rules {
    dns: Vec<Name>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
enum Name {
    MatchName(String),
    MatchPattern(String),
}

/// Cilium refuses two kinds of peers in one rule.
#[derive(Debug, Serialize)]
enum Peers {
    #[serde(rename = "fromEndpoints")]
    FromEndpoints(Vec<Selector>),
    #[serde(rename = "toEndpoints")]
    ToEndpoints(Vec<Selector>),
    #[serde(rename = "toFQDNs")]
    ToNames(Vec<Name>),
    #[serde(rename = "toCIDR")]
    ToNetworks(Vec<String>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(flatten)]
    peers: Peers,
    to_ports: Vec<Ports>,
}

#[derive(Debug, Serialize)]
struct Deny {
    #[serde(rename = "toCIDRSet")]
    networks: Vec<Network>,
    #[serde(rename = "toPorts", skip_serializing_if = "Vec::is_empty")]
    to_ports: Vec<Ports>,
}

#[derive(Debug, Serialize)]
struct Network {
    cidr: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    except: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    endpoint_selector: Selector,
    ingress: Vec<Rule>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    egress: Vec<Rule>,
    egress_deny: Vec<Deny>,
}

impl Name {
    fn of(pattern: &HostPattern) -> Self {
        match pattern {
            HostPattern::Exact(name) => Self::MatchName(name.to_string()),
            HostPattern::Below(_) => Self::MatchPattern(pattern.to_string()),
        }
    }
}

impl From<document::Port> for Port {
    fn from(port: document::Port) -> Self {
        Self { port: port.port, protocol: port.protocol }
    }
}

fn rule(peers: Peers, ports: impl IntoIterator<Item = document::Port>, rules: Option<Rules>) -> Rule {
    let ports = ports.into_iter().map(Port::from).collect();
    Rule { peers, to_ports: vec![Ports { ports, rules }] }
}

/// The documents of one job, as one file: the NetworkPolicies `hydra-deny-all` and `hydra-agent`, and where the job has a gate, the
/// CiliumNetworkPolicy `hydra-gate`.
///
/// # Errors
/// When an object cannot be written, which no policy is known to bring about.
pub fn cilium(gate: &GateConfig, around: &Surroundings) -> Result<String, NotWritten> {
    let mut objects = network_policy::agent_side(gate, around)?;
    if has_gate(gate) {
        objects.push(yaml(&Object {
            api_version: "cilium.io/v2",
            kind: "CiliumNetworkPolicy",
            metadata: Metadata::of("hydra-gate", gate, around),
            spec: spec(gate, around),
        })?);
    }
    Ok(file(&head(gate, around), &objects))
}

fn spec(gate: &GateConfig, around: &Surroundings) -> Spec {
    let (lines, names) = looked_up(gate);
    let mut egress = Vec::new();
    let asked: BTreeSet<Name> = lines
        .iter()
        .map(|line| Name::of(line))
        .chain(names.into_iter().map(|name| Name::MatchName(name.to_owned())))
        .collect();
    if !asked.is_empty() {
        let rules = || Some(Rules { dns: asked.iter().cloned().collect() });
        if gate.resolvers.is_empty() {
            let labels = [("k8s:io.kubernetes.pod.namespace", "kube-system"), ("k8s:k8s-app", "kube-dns")];
            let resolver = Peers::ToEndpoints(vec![Selector::labels(labels)]);
            egress.push(rule(resolver, document::Port::dns(53), rules()));
        }
        egress.extend(gate.resolvers.iter().map(|at| {
            let resolver = Peers::ToNetworks(vec![network(at.ip().to_canonical())]);
            rule(resolver, document::Port::dns(at.port()), rules())
        }));
    }
    if !gate.allow.is_empty() {
        let lines = gate.allow.iter().map(Name::of).collect();
        egress.push(rule(Peers::ToNames(lines), [document::Port::tcp(443)], None));
    }
    if let Some(endpoint) = upstream(gate) {
        let peers = match endpoint.host().parse() {
            Ok(ip) => Peers::ToNetworks(vec![network(ip)]),
            Err(_) => Peers::ToNames(vec![Name::MatchName(endpoint.host().to_owned())]),
        };
        egress.push(rule(peers, [document::Port::tcp(endpoint.port())], None));
    }
    egress.extend(
        place(gate, around)
            .iter()
            .map(|at| rule(Peers::ToNetworks(vec![network(at.ip())]), [document::Port::tcp(at.port())], None)),
    );
    Spec {
        endpoint_selector: Selector::component(GATE),
        ingress: vec![rule(Peers::FromEndpoints(vec![Selector::component(AGENT)]), answered(gate), None)],
        egress,
        egress_deny: denied(gate, around),
    }
}

/// Whether a network holds an address; one that cannot be read holds none, so that nothing is kept open in it.
fn within(cidr: &str, ip: IpAddr) -> bool {
    cidr.parse::<IpNet>().is_ok_and(|network| network.contains(&ip))
}

/// A name that leads to an address of ours is closed whatever the lines above say. What is named by its address stays open at its own
/// port, and is closed at those that names open.
fn denied(gate: &GateConfig, around: &Surroundings) -> Vec<Deny> {
    let resolvers = gate.resolvers.iter().map(|at| (at.ip().to_canonical(), at.port()));
    let kept: BTreeSet<(IpAddr, u16)> =
        place(gate, around).iter().map(|at| (at.ip(), at.port())).chain(resolvers).collect();
    let addresses: BTreeSet<IpAddr> = kept.iter().map(|(ip, _)| *ip).filter(|ip| !is_public(*ip)).collect();
    let except = |cidr: &str| addresses.iter().filter(|ip| within(cidr, **ip)).map(|ip| network(*ip)).collect();
    let networks = NOT_PUBLIC_V4.iter().chain(&NOT_PUBLIC_V6);
    let networks = networks.map(|cidr| Network { cidr: (*cidr).to_owned(), except: except(cidr) }).collect();
    let mut denied = vec![Deny { networks, to_ports: Vec::new() }];
    for ip in &addresses {
        let ports = public_ports(gate).into_iter().filter(|port| !kept.contains(&(*ip, *port)));
        let ports: Vec<_> = ports.map(document::Port::tcp).map(Port::from).collect();
        if !ports.is_empty() {
            let networks = vec![Network { cidr: network(*ip), except: Vec::new() }];
            denied.push(Deny { networks, to_ports: vec![Ports { ports, rules: None }] });
        }
    }
    denied
}

fn head(gate: &GateConfig, around: &Surroundings) -> Vec<String> {
    let mut head =
        vec![format!("Cilium's form for a {} container, for the namespace of one job.", gate.container_type)];
    if !has_gate(gate) {
        head.push("The policy names no host for it: no gate, and no network at all.".to_owned());
        return head;
    }
    head.extend(
        [
            "To be loaded instead of `hydra render networkpolicy`, never beside it: what either admits is admitted.",
            "What this form cannot hold: which name a connection asks for. It knows the addresses that a name was looked up to,",
            "and other names may share them. It is the second layer behind the gate, which alone judges names.",
        ]
        .map(str::to_owned),
    );
    head.extend(network_policy::place_lines(gate, around));
    head
}
