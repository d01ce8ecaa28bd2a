//! Policies, gates and addresses that the tests ask about.

use hydra_core::{
    ContainerType,
    egress::{
        EgressPolicy,
        gate::{GateConfig, ModelRoute, Upstream},
    },
};
use hydra_egress::kubernetes::Surroundings;

pub(crate) const PRIVATE_MODEL: &str = "10.20.0.7";

/// The gate of a job under this policy.
pub(crate) fn gate(policy: &EgressPolicy, kind: ContainerType) -> GateConfig {
    GateConfig::of(policy, kind, "hydra-widgets-1-g1-build-r0-a0-00000000")
}

/// A policy with a star, and a model API of one's own.
pub(crate) fn self_hosted() -> EgressPolicy {
    let mut policy = EgressPolicy { model_endpoint: "model.example.net:8443".parse().ok(), ..EgressPolicy::default() };
    policy.base.insert("*.packages.example.com".parse().unwrap());
    policy
}

/// The model credential withheld, as the engine has it: the gate signs, the agent talks to a port of the gate.
pub(crate) fn withheld(mut gate: GateConfig, endpoint: &str, private: bool) -> GateConfig {
    let endpoint: hydra_core::egress::Endpoint = endpoint.parse().unwrap();
    gate.allow.retain(|line| line.to_string() != endpoint.host());
    gate.model = None;
    gate.api = Some(ModelRoute {
        port: 8088,
        upstream: Upstream { endpoint, tls: true, private, authority: None },
        accounts: Vec::new(),
        apis: [].into(),
        models: [].into(),
        allowance: None,
    });
    gate
}

pub(crate) fn nothing() -> Surroundings {
    Surroundings::default()
}

/// A namespace, and where the model API is: in both families, once written as a v4-mapped address.
pub(crate) fn around() -> Surroundings {
    let model = [PRIVATE_MODEL, "::ffff:10.20.0.7", "fd00:20::7"].map(|ip| ip.parse().unwrap());
    Surroundings { namespace: Some("hydra-widgets-1".to_owned()), model: model.into() }
}

/// Every gate that the tests look at, with its name.
pub(crate) fn gates() -> Vec<(String, GateConfig, Surroundings)> {
    let default = EgressPolicy::default();
    let mut all: Vec<_> =
        ContainerType::ALL.iter().map(|kind| (kind.to_string(), gate(&default, *kind), nothing())).collect();
    all.push(("self-hosted".into(), gate(&self_hosted(), ContainerType::Builder), around()));
    let builder = || gate(&self_hosted(), ContainerType::Builder);
    all.push(("withheld".into(), withheld(builder(), "api.anthropic.com:443", false), nothing()));
    all.push(("withheld-self-hosted".into(), withheld(builder(), "model.example.net:8443", true), around()));
    let mut resolvers = builder();
    resolvers.resolvers = ["10.0.0.10:5353", "[2a00::53]:53"].map(|at| at.parse().unwrap()).into();
    all.push(("resolvers".into(), resolvers, nothing()));
    all
}
