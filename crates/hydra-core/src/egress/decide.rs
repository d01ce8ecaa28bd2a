//! Whether a host may be reached, by which line, and why not.

use super::{
    host::{HostName, HostPattern},
    policy::EgressPolicy,
};
use crate::ContainerType;

crate::stage::closed!(
    /// Why something was refused: the one list of reasons, in every mode.
    DenyReason, "reason of a denial" {
    /// The name is not in the policy.
    DnsNotAllowed = "dns.not_allowed",
    /// A kind of question that is never answered.
    DnsQtype = "dns.qtype",
    /// A ClientHello without a name.
    TlsNoSni = "tls.no_sni",
    /// No TLS.
    TlsNotTls = "tls.not_tls",
    /// The name in the ClientHello is not in the policy.
    TlsSniNotAllowed = "tls.sni_not_allowed",
    /// Another name than the one that was asked for.
    TlsSniDnsMismatch = "tls.sni_dns_mismatch",
    /// An encrypted ClientHello.
    TlsEch = "tls.ech",
    /// The ClientHello did not come.
    TlsHelloTimeout = "tls.hello_timeout",
    /// Another port than 443.
    ConnectPort = "connect.port",
    /// Another method than CONNECT.
    ConnectMethod = "connect.method",
    /// Another name inside than CONNECT said.
    ConnectSniMismatch = "connect.sni_mismatch",
    /// The name resolves to an address that nobody outside has.
    ResolvePrivate = "resolve.private",
    /// The name does not resolve.
    ResolveFailed = "resolve.failed",
    /// A TCP packet to elsewhere.
    PacketTcp = "packet.tcp",
    /// A UDP packet.
    PacketUdp = "packet.udp",
    /// Any other packet.
    PacketOther = "packet.other",
    /// Too many connections.
    LimitConns = "limit.conns",
    /// Too many bytes.
    LimitBytes = "limit.bytes",
    /// Another host in the request than in the handshake.
    InspectHostMismatch = "inspect.host_mismatch",
    /// A method that is not allowed there.
    InspectMethod = "inspect.method",
});

/// The line of the policy that allowed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLine {
    /// `base`, or the container type.
    pub list: String,
    /// The line.
    pub pattern: HostPattern,
}

/// What a policy says of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may be reached on port 443.
    Allowed(PolicyLine),
    /// It may not.
    Denied {
        /// Why.
        reason: DenyReason,
        /// The line to add to the policy, were it to be reached.
        hint: String,
    },
}

/// Judges one host for one container type.
#[must_use]
pub fn decide(policy: &EgressPolicy, kind: ContainerType, host: &HostName) -> Decision {
    match policy.hosts(kind).into_iter().find(|pattern| pattern.matches(host)) {
        Some(pattern) => {
            let own = policy.extra.get(&kind).is_some_and(|hosts| hosts.contains(pattern));
            let list = if own { kind.as_str() } else { "base" }.to_owned();
            Decision::Allowed(PolicyLine { list, pattern: pattern.clone() })
        }
        None => Decision::Denied { reason: DenyReason::DnsNotAllowed, hint: opening(kind, host) },
    }
}

/// What to write where, for a container of this type to reach this host.
#[must_use]
pub fn opening(kind: ContainerType, host: &HostName) -> String {
    format!("add \"{host}\" to `{kind}` in [egress.extra] of hydra.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_allowed_by_a_line_that_can_be_named() {
        let policy = EgressPolicy::default();
        let judge = |kind, host: &str| decide(&policy, kind, &host.parse().unwrap());
        let line = |list: &str, host: &str| {
            Decision::Allowed(PolicyLine { list: list.into(), pattern: host.parse().unwrap() })
        };
        assert_eq!(judge(ContainerType::Reviewer, "API.anthropic.com."), line("base", "api.anthropic.com"));
        assert_eq!(judge(ContainerType::Builder, "pypi.org"), line("builder", "pypi.org"));
        for (kind, host) in [
            (ContainerType::Reviewer, "pypi.org"),
            (ContainerType::Quality, "api.anthropic.com"),
            (ContainerType::Builder, "api.anthropic.com.evil.test"),
        ] {
            let denied = judge(kind, host);
            let hint = format!("add \"{host}\" to `{kind}` in [egress.extra] of hydra.toml");
            assert_eq!(denied, Decision::Denied { reason: DenyReason::DnsNotAllowed, hint });
        }
    }

    #[test]
    fn every_reason_parses_back() {
        for reason in DenyReason::ALL {
            assert_eq!(reason.as_str().parse::<DenyReason>().as_ref(), Ok(reason));
        }
        assert_eq!(DenyReason::ALL.len(), 20);
    }
}
