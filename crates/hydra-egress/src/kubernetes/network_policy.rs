//! NetworkPolicy (`networking.k8s.io/v1`): nothing for any pod of the namespace, then the agent to its gate, then the gate to public
//! addresses and to its resolver.
//!
//! Ports are those of pods: a Service that answers at 443 and leads to another port of the gate's pod would be closed by these.

use super::{
    AGENT, GATE, NotWritten, Surroundings, answered,
    document::{Metadata, Object, Port, Selector, file, yaml},
    has_gate, inside, looked_up, network, place, public_ports,
};
use hydra_core::egress::{
    address::{NOT_PUBLIC_V4, NOT_PUBLIC_V6},
    gate::GateConfig,
};
use serde::Serialize;
use std::collections::BTreeSet;

/// A peer is one of these, or a pod of another namespace.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Peer {
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace_selector: Option<Selector>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_selector: Option<Selector>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_block: Option<IpBlock>,
}

#[derive(Debug, Serialize)]
struct IpBlock {
    cidr: String,
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    except: &'static [&'static str],
}

#[derive(Debug, Serialize)]
struct From {
    from: Vec<Peer>,
    ports: Vec<Port>,
}

#[derive(Debug, Serialize)]
struct To {
    to: Vec<Peer>,
    ports: Vec<Port>,
}

/// Both types are always named, so that a missing list means that nothing is admitted.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    pod_selector: Selector,
    policy_types: [&'static str; 2],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ingress: Vec<From>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    egress: Vec<To>,
}

impl Peer {
    fn pods(component: &'static str) -> Self {
        Self { pod_selector: Some(Selector::component(component)), ..Self::default() }
    }
    fn block(cidr: &str, except: &'static [&'static str]) -> Self {
        Self { ip_block: Some(IpBlock { cidr: cidr.to_owned(), except }), ..Self::default() }
    }
    /// The cluster's own resolver.
    fn resolver() -> Self {
        Self {
            namespace_selector: Some(Selector::labels([("kubernetes.io/metadata.name", "kube-system")])),
            pod_selector: Some(Selector::labels([("k8s-app", "kube-dns")])),
            ip_block: None,
        }
    }
}

/// The documents of one job, as one file: `hydra-deny-all`, and where the job has a gate, `hydra-agent` and `hydra-gate`.
///
/// # Errors
/// When an object cannot be written, which no policy is known to bring about.
pub fn network_policy(gate: &GateConfig, around: &Surroundings) -> Result<String, NotWritten> {
    let mut objects = agent_side(gate, around)?;
    if has_gate(gate) {
        objects.push(gate_side(gate, around)?);
    }
    Ok(file(&head(gate, around), &objects))
}

/// What holds whichever form holds the gate: nothing for anybody, and the agent to its gate.
pub(super) fn agent_side(gate: &GateConfig, around: &Surroundings) -> Result<Vec<String>, NotWritten> {
    let mut objects = vec![policy(gate, around, "hydra-deny-all", Selector::default(), Vec::new(), Vec::new())?];
    if has_gate(gate) {
        let to = To { to: vec![Peer::pods(GATE)], ports: inside(gate) };
        objects.push(policy(gate, around, "hydra-agent", Selector::component(AGENT), Vec::new(), vec![to])?);
    }
    Ok(objects)
}

fn gate_side(gate: &GateConfig, around: &Surroundings) -> Result<String, NotWritten> {
    let from = From { from: vec![Peer::pods(AGENT)], ports: answered(gate) };
    let mut egress = Vec::new();
    let public = public_ports(gate);
    if !public.is_empty() {
        egress.push(To {
            to: vec![Peer::block("0.0.0.0/0", &NOT_PUBLIC_V4), Peer::block("::/0", &NOT_PUBLIC_V6)],
            ports: public.into_iter().map(Port::tcp).collect(),
        });
    }
    let (lines, names) = looked_up(gate);
    if !lines.is_empty() || !names.is_empty() {
        if gate.resolvers.is_empty() {
            egress.push(To { to: vec![Peer::resolver()], ports: Port::dns(53).into() });
        }
        egress.extend(gate.resolvers.iter().map(|at| To {
            to: vec![Peer::block(&network(at.ip().to_canonical()), &[])],
            ports: Port::dns(at.port()).into(),
        }));
    }
    egress.extend(
        place(gate, around)
            .iter()
            .map(|at| To { to: vec![Peer::block(&network(at.ip()), &[])], ports: vec![Port::tcp(at.port())] }),
    );
    policy(gate, around, "hydra-gate", Selector::component(GATE), vec![from], egress)
}

fn policy(
    gate: &GateConfig,
    around: &Surroundings,
    name: &'static str,
    pod_selector: Selector,
    ingress: Vec<From>,
    egress: Vec<To>,
) -> Result<String, NotWritten> {
    yaml(&Object {
        api_version: "networking.k8s.io/v1",
        kind: "NetworkPolicy",
        metadata: Metadata::of(name, gate, around),
        spec: Spec { pod_selector, policy_types: ["Ingress", "Egress"], ingress, egress },
    })
}

impl<'a> Metadata<'a> {
    pub(super) fn of(name: &'static str, gate: &'a GateConfig, around: &'a Surroundings) -> Self {
        let annotations = [("hydra/policy-sha256", gate.policy.as_str())].into();
        Self { name, namespace: around.namespace.as_deref(), annotations }
    }
}

fn head(gate: &GateConfig, around: &Surroundings) -> Vec<String> {
    let mut head =
        vec![format!("NetworkPolicies of a {} container, for the namespace of one job.", gate.container_type)];
    if !has_gate(gate) {
        head.push("The policy names no host for it: no gate, and no network at all.".to_owned());
        return head;
    }
    head.extend(
        [
            "What this form cannot hold: names. It holds the agent to its gate and the gate to public addresses, a second",
            "layer behind the gate, which alone judges these names:",
        ]
        .map(str::to_owned),
    );
    let (lines, names) = looked_up(gate);
    let names: BTreeSet<String> =
        lines.iter().map(ToString::to_string).chain(names.into_iter().map(str::to_owned)).collect();
    head.extend(names.into_iter().map(|name| format!("  {name}")));
    head.extend(place_lines(gate, around));
    head
}

/// What is to be known of a self-hosted model API.
pub(super) fn place_lines(gate: &GateConfig, around: &Surroundings) -> Vec<String> {
    let Some(endpoint) = gate.place() else { return Vec::new() };
    let addresses: Vec<String> = place(gate, around).iter().map(ToString::to_string).collect();
    if addresses.is_empty() {
        return vec![format!("The model API {endpoint} stays closed: no address of it is known here.")];
    }
    vec![
        format!("The model API {endpoint} is open at {}.", addresses.join(", ")),
        "If it runs in the cluster, these must be addresses of its pods: a rule does not see those of Services."
            .to_owned(),
    ]
}
