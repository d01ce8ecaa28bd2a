//! CiliumNetworkPolicy as Cilium reads it.

use super::{Block, Selector, To, labels};
use ipnet::IpNet;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Cilium {
    pub(super) endpoint_selector: Selector,
    pub(super) ingress: Vec<CiliumFrom>,
    #[serde(default)]
    pub(super) egress: Vec<CiliumTo>,
    pub(super) egress_deny: Vec<CiliumDeny>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct CiliumFrom {
    pub(super) from_endpoints: Vec<Selector>,
    pub(super) to_ports: Vec<CiliumPorts>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct CiliumTo {
    pub(super) to_endpoints: Option<Vec<Selector>>,
    #[serde(rename = "toFQDNs")]
    pub(super) to_fqdns: Option<Vec<Name>>,
    #[serde(rename = "toCIDR")]
    pub(super) to_cidr: Option<Vec<IpNet>>,
    pub(super) to_ports: Vec<CiliumPorts>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CiliumDeny {
    #[serde(rename = "toCIDRSet")]
    pub(super) to_cidr_set: Vec<Block>,
    /// Absent: every port.
    #[serde(rename = "toPorts")]
    pub(super) to_ports: Option<Vec<CiliumPorts>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CiliumPorts {
    pub(super) ports: Vec<CiliumPort>,
    pub(super) rules: Option<Rules>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CiliumPort {
    pub(super) port: String,
    pub(super) protocol: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    pub(super) dns: Vec<Name>,
}

/// Cilium wants exactly one of the two.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) enum Name {
    MatchName(String),
    MatchPattern(String),
}

impl Name {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::MatchName(text) | Self::MatchPattern(text) => text,
        }
    }
    /// `*` stands for any number of letters, digits, `-` and `_`, `**.` at the front for whole labels, `*` alone for every name.
    pub(super) fn means(&self, host: &str) -> bool {
        let Self::MatchPattern(pattern) = self else { return self.text() == host };
        assert!(!pattern.contains("**") && pattern != "*", "this would cross dots: {pattern}");
        let Some((before, after)) = pattern.split_once('*') else { return pattern == host };
        assert!(!after.contains('*'), "one star: {pattern}");
        let middle = host.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        middle.is_some_and(|text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'))
    }
}

impl CiliumPorts {
    pub(super) fn holds(&self, protocol: &str, port: u16) -> bool {
        assert!(!self.ports.is_empty(), "no ports means every port");
        self.ports.iter().any(|at| at.protocol == protocol && at.port == port.to_string())
    }
}

impl CiliumDeny {
    pub(super) fn holds(&self, to: &To, protocol: &str, port: u16) -> bool {
        let To::Address(ip, _) = to else { return false };
        let ports = self.to_ports.as_ref();
        self.to_cidr_set.iter().any(|block| block.holds(*ip))
            && ports.is_none_or(|ports| ports.iter().any(|ports| ports.holds(protocol, port)))
    }
}

impl CiliumTo {
    pub(super) fn leads(&self, to: &To) -> bool {
        match (&self.to_endpoints, &self.to_fqdns, &self.to_cidr) {
            (Some(pods), None, None) => pods.iter().any(|pods| match to {
                To::Pod(component) => pods.selects(&labels(component)),
                To::Resolver => pods.selects(
                    &[
                        ("k8s:io.kubernetes.pod.namespace".into(), "kube-system".into()),
                        ("k8s:k8s-app".into(), "kube-dns".into()),
                    ]
                    .into(),
                ),
                To::Address(..) => false,
            }),
            (None, Some(names), None) => {
                assert!(!names.is_empty(), "no names");
                let To::Address(_, hosts) = to else { return false };
                hosts.iter().any(|host| names.iter().any(|name| name.means(host)))
            }
            (None, None, Some(networks)) => {
                let To::Address(ip, _) = to else { return false };
                networks.iter().any(|net| net.contains(ip))
            }
            _ => panic!("Cilium takes one kind of peer in a rule: {self:?}"),
        }
    }
}
