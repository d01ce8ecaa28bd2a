//! The documents as a cluster reads them: strict about keys, and with the meaning that Kubernetes and Cilium give to them. Written
//! against their references, and apart from the renderers.

mod cilium;

use cilium::Cilium;
use ipnet::IpNet;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// A pod of the job, or somebody outside of its namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum To {
    Pod(&'static str),
    /// The cluster's resolver, at an address of the cluster.
    Resolver,
    /// An address, and the names that it was looked up by.
    Address(IpAddr, Vec<String>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Object {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: serde_json::Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
    namespace: Option<String>,
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Selector {
    #[serde(default)]
    match_labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Plain {
    pod_selector: Selector,
    policy_types: BTreeSet<String>,
    #[serde(default)]
    ingress: Vec<PlainFrom>,
    #[serde(default)]
    egress: Vec<PlainTo>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainFrom {
    from: Vec<Peer>,
    ports: Vec<PlainPort>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainTo {
    to: Vec<Peer>,
    ports: Vec<PlainPort>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Peer {
    namespace_selector: Option<Selector>,
    pod_selector: Option<Selector>,
    ip_block: Option<Block>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Block {
    pub(crate) cidr: IpNet,
    #[serde(default)]
    pub(crate) except: Vec<IpNet>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainPort {
    protocol: String,
    port: u16,
}

/// What a namespace holds.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    plain: Vec<Plain>,
    cilium: Vec<Cilium>,
    pub(crate) objects: Vec<String>,
    pub(crate) namespaces: BTreeSet<Option<String>>,
    pub(crate) policies: BTreeSet<String>,
}

/// Labels of the two pods; the tests say which label that is, so that a change of it is seen.
fn labels(component: &str) -> BTreeMap<String, String> {
    [("app.kubernetes.io/component".to_owned(), component.to_owned())].into()
}

impl Selector {
    fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}

impl Block {
    fn holds(&self, ip: IpAddr) -> bool {
        self.cidr.contains(&ip) && !self.except.iter().any(|net| net.contains(&ip))
    }
}

impl Peer {
    fn is(&self, to: &To) -> bool {
        match (&self.namespace_selector, &self.pod_selector, &self.ip_block, to) {
            (None, Some(pods), None, To::Pod(component)) => pods.selects(&labels(component)),
            (Some(space), Some(pods), None, To::Resolver) => {
                space.selects(&[("kubernetes.io/metadata.name".into(), "kube-system".into())].into())
                    && pods.selects(&[("k8s-app".into(), "kube-dns".into())].into())
            }
            (None, None, Some(block), To::Address(ip, _)) => block.holds(*ip),
            (Some(_), Some(_), None, _) | (None, Some(_), None, _) | (None, None, Some(_), _) => false,
            _ => panic!("a peer that Kubernetes refuses: {self:?}"),
        }
    }
}

impl Cluster {
    /// Reads a file as the API server does: unknown keys and kinds are an error.
    pub(crate) fn of(file: &str) -> Self {
        let mut cluster = Self::default();
        for object in serde_saphyr::from_multiple::<Object>(file).unwrap() {
            match (object.api_version.as_str(), object.kind.as_str()) {
                ("networking.k8s.io/v1", "NetworkPolicy") => {
                    cluster.plain.push(serde_json::from_value(object.spec).unwrap());
                }
                ("cilium.io/v2", "CiliumNetworkPolicy") => {
                    cluster.cilium.push(serde_json::from_value(object.spec).unwrap());
                }
                other => panic!("{other:?}"),
            }
            cluster.objects.push(format!("{} {}", object.kind, object.metadata.name));
            cluster.namespaces.insert(object.metadata.namespace);
            cluster.policies.extend(object.metadata.annotations.into_values());
        }
        cluster
    }

    /// Whether a connection passes: out of the pod and, where it leads to one, into the other.
    pub(crate) fn passes(&self, from: &'static str, to: &To, protocol: &str, port: u16) -> bool {
        let into = match to {
            To::Pod(component) => self.into(component, from, protocol, port),
            To::Resolver | To::Address(..) => true,
        };
        into && self.out(from, to, protocol, port)
    }

    /// What any policy admits is admitted, unless one denies it; a pod that no policy selects is open.
    pub(crate) fn out(&self, from: &str, to: &To, protocol: &str, port: u16) -> bool {
        let own = labels(from);
        let plain: Vec<_> = self
            .plain
            .iter()
            .filter(|policy| policy.pod_selector.selects(&own) && policy.policy_types.contains("Egress"))
            .collect();
        let cilium: Vec<_> = self.cilium.iter().filter(|policy| policy.endpoint_selector.selects(&own)).collect();
        if cilium.iter().flat_map(|policy| &policy.egress_deny).any(|deny| deny.holds(to, protocol, port)) {
            return false;
        }
        let mut rules = plain.iter().flat_map(|policy| &policy.egress);
        let mut named = cilium.iter().flat_map(|policy| &policy.egress);
        plain.is_empty() && cilium.is_empty()
            || rules.any(|rule| rule.to.iter().any(|peer| peer.is(to)) && held(&rule.ports, protocol, port))
            || named.any(|rule| rule.leads(to) && rule.to_ports.iter().any(|ports| ports.holds(protocol, port)))
    }

    fn into(&self, component: &str, from: &'static str, protocol: &str, port: u16) -> bool {
        let (own, from) = (labels(component), To::Pod(from));
        let plain: Vec<_> = self
            .plain
            .iter()
            .filter(|policy| policy.pod_selector.selects(&own) && policy.policy_types.contains("Ingress"))
            .collect();
        let cilium: Vec<_> = self.cilium.iter().filter(|policy| policy.endpoint_selector.selects(&own)).collect();
        let mut rules = plain.iter().flat_map(|policy| &policy.ingress);
        let mut named = cilium.iter().flat_map(|policy| &policy.ingress);
        plain.is_empty() && cilium.is_empty()
            || rules.any(|rule| rule.from.iter().any(|peer| peer.is(&from)) && held(&rule.ports, protocol, port))
            || named.any(|rule| {
                let To::Pod(from) = from else { return false };
                rule.from_endpoints.iter().any(|pods| pods.selects(&labels(from)))
                    && rule.to_ports.iter().any(|ports| ports.holds(protocol, port))
            })
    }

    /// The names that Cilium lets the gate look up, and those whose addresses it opens.
    pub(crate) fn names(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let rules = || self.cilium.iter().flat_map(|policy| &policy.egress);
        let dns = rules().flat_map(|rule| &rule.to_ports).filter_map(|ports| ports.rules.as_ref());
        let asked = dns.flat_map(|rules| &rules.dns).map(|name| name.text().to_owned()).collect();
        let opened = rules().filter_map(|rule| rule.to_fqdns.as_ref()).flatten().map(|name| name.text().to_owned());
        (asked, opened.collect())
    }

    /// Whether Cilium lets the gate look up a name.
    pub(crate) fn looks_up(&self, host: &str) -> bool {
        let rules = self.cilium.iter().flat_map(|policy| &policy.egress).flat_map(|rule| &rule.to_ports);
        rules.filter_map(|ports| ports.rules.as_ref()).flat_map(|rules| &rules.dns).any(|name| name.means(host))
    }

    /// Every network that a rule names with what is taken out of it.
    pub(crate) fn blocks(&self) -> Vec<&Block> {
        let rules = self.plain.iter().flat_map(|policy| &policy.egress);
        rules.flat_map(|rule| &rule.to).filter_map(|peer| peer.ip_block.as_ref()).collect()
    }

    /// The networks that Cilium denies at every port, whatever was allowed.
    pub(crate) fn denied(&self) -> Vec<&Block> {
        let all = self.cilium.iter().flat_map(|policy| &policy.egress_deny).filter(|deny| deny.to_ports.is_none());
        all.flat_map(|deny| &deny.to_cidr_set).collect()
    }
}

fn held(ports: &[PlainPort], protocol: &str, port: u16) -> bool {
    assert!(!ports.is_empty(), "no ports means every port");
    ports.iter().any(|at| at.protocol == protocol && at.port == port)
}
