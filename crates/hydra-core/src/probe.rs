//! Probes of a fence, tried from inside it: what is tried, what was seen, and the pure judgement of it. The wrapper tries, whoever started
//! it judges.

mod seen;

pub use seen::Seen;

use crate::{
    contract_files::FenceMode,
    egress::{DenyReason, HostName, gate::Denial},
};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The value of `HYDRA_MODE` under which the wrapper proves its fence, tries every probe, and ends.
pub const PROBE_EGRESS: &str = "probe-egress";
/// The variable with the [`ProbeOrder`], as JSON.
pub const ORDER: &str = "HYDRA_PROBE";
/// The file in `/out` with a list of [`Tried`].
pub const FILE: &str = "probes.json";
/// A name that nobody has.
pub const NAME: &str = "probe.hydra.invalid";
/// Addresses that are set aside for documentation: nobody has them.
const V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// Where a Docker engine's own bridge has the host.
const HOST: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 1);
/// `access_denied`.
const ACCESS_DENIED: u8 = 49;
const FORBIDDEN: u16 = 403;

/// What the wrapper is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeOrder {
    /// Who makes the fence; `none`: there is no network at all.
    pub fence: FenceMode,
    /// A name that may be reached: it is looked up and not dialled.
    pub allowed: Option<HostName>,
    /// The port of the model API that the gate signs for.
    pub model_port: Option<u16>,
}

crate::stage::closed!(
    /// What is tried.
    Probe, "probe" {
    /// A byte over loopback.
    Loopback = "loopback",
    /// No interface but loopback is up.
    Interfaces = "interfaces",
    /// The address of a name that may be reached.
    AllowedName = "allowed-name",
    /// Another kind of record of it.
    OtherRecord = "other-record",
    /// The address of another name.
    OtherName = "other-name",
    /// A handshake without a name, with an address.
    NoName = "no-name",
    /// The same over IPv6.
    NoNameV6 = "no-name-v6",
    /// A handshake with another name.
    OtherSni = "other-sni",
    /// CONNECT to another name.
    Tunnel = "tunnel",
    /// Port 80.
    PlainHttp = "plain-http",
    /// Port 22.
    OtherPort = "other-port",
    /// The same over IPv6.
    OtherPortV6 = "other-port-v6",
    /// A datagram to port 443, as QUIC sends it.
    Udp = "udp",
    /// A ping.
    Icmp = "icmp",
    /// The metadata service of a cloud.
    Metadata = "metadata",
    /// The machine that the container runs on.
    Host = "host",
    /// The model API, with a request that it does not take.
    ModelPort = "model-port",
    /// Sockets that no network namespace bounds.
    Sockets = "sockets",
    /// What capabilities there are.
    Capabilities = "capabilities",
    /// A change of the rules.
    Rules = "rules",
    /// A change of links and routes.
    Links = "links",
});

/// One probe that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Which.
    pub probe: Probe,
    /// What was seen.
    pub seen: Seen,
}

crate::stage::closed!(
    /// What a probe proves.
    Verdict, "verdict of a probe" {
    /// It is as it must be.
    Ok = "ok",
    /// It is not.
    Failed = "failed",
    /// This mode cannot hold it.
    CannotHold = "cannot hold in this mode",
    /// It was not tried, for a reason that is no fault.
    NotTried = "not tried",
});

impl Probe {
    /// What is tried, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Loopback => "a byte over loopback",
            Self::Interfaces => "interfaces besides loopback",
            Self::AllowedName => "address of an allowed name",
            Self::OtherRecord => "TXT record of an allowed name",
            Self::OtherName => "address of another name",
            Self::NoName => "TLS to an address, no name",
            Self::NoNameV6 => "the same over IPv6",
            Self::OtherSni => "TLS with another name",
            Self::Tunnel => "CONNECT to another name",
            Self::PlainHttp => "TCP port 80",
            Self::OtherPort => "TCP port 22",
            Self::OtherPortV6 => "the same over IPv6",
            Self::Udp => "UDP port 443 (QUIC)",
            Self::Icmp => "ping",
            Self::Metadata => "metadata service",
            Self::Host => "the host's bridge address",
            Self::ModelPort => "model API, another request",
            Self::Sockets => "sockets past every namespace",
            Self::Capabilities => "capabilities",
            Self::Rules => "change of the rules",
            Self::Links => "change of links and routes",
        }
    }

    /// Where it is dialled; `None`: nothing is dialled at a fixed place.
    #[must_use]
    pub const fn place(self) -> Option<SocketAddr> {
        let (ip, port) = match self {
            Self::NoName | Self::OtherSni | Self::Tunnel | Self::Udp => (IpAddr::V4(V4), 443),
            Self::NoNameV6 => (IpAddr::V6(V6), 443),
            Self::OtherName | Self::AllowedName | Self::OtherRecord => (IpAddr::V4(V4), 53),
            Self::PlainHttp => (IpAddr::V4(V4), 80),
            Self::OtherPort => (IpAddr::V4(V4), 22),
            Self::OtherPortV6 => (IpAddr::V6(V6), 22),
            Self::Icmp => (IpAddr::V4(V4), 0),
            Self::Metadata => (IpAddr::V4(METADATA), 80),
            Self::Host => (IpAddr::V4(HOST), 80),
            Self::Loopback
            | Self::Interfaces
            | Self::ModelPort
            | Self::Sockets
            | Self::Capabilities
            | Self::Rules
            | Self::Links => {
                return None;
            }
        };
        Some(SocketAddr::new(ip, port))
    }

    /// What must be seen, in words.
    #[must_use]
    pub const fn expected(self, fence: FenceMode) -> &'static str {
        match (self, fence) {
            (Self::Loopback, _) => "works",
            (Self::Interfaces | Self::Sockets | Self::Capabilities, _) => "none",
            (Self::AllowedName, _) => "the gate's own answer",
            (Self::OtherRecord, _) => "no record",
            (Self::OtherName, FenceMode::Isolated) => "no such name, filtered",
            (Self::NoName | Self::NoNameV6 | Self::OtherSni, FenceMode::Isolated) => "alert access_denied",
            (Self::ModelPort, _) | (Self::Tunnel, FenceMode::Isolated) => "403",
            (Self::OtherName, _) => "no answer",
            (
                Self::NoName
                | Self::NoNameV6
                | Self::OtherSni
                | Self::Tunnel
                | Self::PlainHttp
                | Self::OtherPort
                | Self::OtherPortV6
                | Self::Udp
                | Self::Icmp
                | Self::Metadata
                | Self::Host
                | Self::Rules
                | Self::Links,
                _,
            ) => "refused",
        }
    }

    /// The judgement of what the probe itself saw.
    #[must_use]
    pub fn judge(self, fence: FenceMode, seen: &Seen) -> Verdict {
        let ok = |ok: bool| if ok { Verdict::Ok } else { Verdict::Failed };
        // What only a gate can do; without any network its own answers cannot be asked for.
        let answers = matches!(self, Self::AllowedName | Self::OtherRecord | Self::ModelPort);
        let of_gate = answers || matches!(self, Self::Interfaces | Self::OtherSni | Self::Tunnel);
        match fence {
            FenceMode::InContainer if of_gate => return Verdict::CannotHold,
            FenceMode::None if answers => return Verdict::NotTried,
            FenceMode::InContainer | FenceMode::None | FenceMode::Isolated => {}
        }
        let closed = matches!(seen, Seen::Refused | Seen::NoWay);
        match (self, seen) {
            (
                Self::AllowedName | Self::OtherRecord | Self::ModelPort | Self::NoNameV6 | Self::OtherPortV6,
                Seen::Untried(_),
            ) => Verdict::NotTried,
            // A socket for it is not to be had: then no packet is either.
            (Self::Icmp, Seen::Untried(_)) => Verdict::Ok,
            (_, Seen::Untried(_)) => Verdict::Failed,
            (Self::Loopback, seen) => ok(*seen == Seen::Worked),
            (Self::Interfaces | Self::Sockets | Self::Capabilities, seen) => ok(*seen == Seen::Nothing),
            (Self::AllowedName, seen) => ok(matches!(seen, Seen::Address(IpAddr::V4(ip)) if is_synthetic(*ip))),
            (Self::OtherRecord, seen) => ok(*seen == Seen::NoRecord),
            (Self::OtherName, seen) if fence == FenceMode::Isolated => ok(*seen == Seen::NoSuchName { told: true }),
            (Self::OtherName, seen) => ok(closed || *seen == Seen::Silence),
            (Self::NoName | Self::NoNameV6 | Self::OtherSni, seen) if fence == FenceMode::Isolated => {
                ok(*seen == Seen::Alert(ACCESS_DENIED))
            }
            (Self::ModelPort, seen) => ok(*seen == Seen::Status(FORBIDDEN)),
            (Self::Tunnel, seen) if fence == FenceMode::Isolated => ok(*seen == Seen::Status(FORBIDDEN)),
            (Self::Rules | Self::Links, seen) => ok(*seen == Seen::Refused),
            (
                Self::NoName
                | Self::NoNameV6
                | Self::OtherSni
                | Self::Tunnel
                | Self::PlainHttp
                | Self::OtherPort
                | Self::OtherPortV6
                | Self::Udp
                | Self::Icmp
                | Self::Metadata
                | Self::Host,
                _,
            ) => ok(closed),
        }
    }

    /// The reason that the gate must have told of it; `None`: none.
    #[must_use]
    pub const fn reason(self, seen: &Seen) -> Option<DenyReason> {
        Some(match self {
            Self::OtherRecord => DenyReason::DnsQtype,
            Self::OtherName | Self::Tunnel => DenyReason::DnsNotAllowed,
            Self::NoName | Self::NoNameV6 => DenyReason::TlsNoSni,
            Self::OtherSni => DenyReason::TlsSniNotAllowed,
            Self::PlainHttp | Self::OtherPort | Self::OtherPortV6 | Self::Metadata | Self::Host => {
                DenyReason::PacketTcp
            }
            Self::Udp => DenyReason::PacketUdp,
            // Where no socket was to be had, no packet was sent.
            Self::Icmp if matches!(seen, Seen::Refused) => DenyReason::PacketOther,
            Self::ModelPort => DenyReason::InspectMethod,
            Self::Icmp
            | Self::Loopback
            | Self::Interfaces
            | Self::AllowedName
            | Self::Sockets
            | Self::Capabilities
            | Self::Rules
            | Self::Links => return None,
        })
    }

    /// Whether a refusal that the gate told of is this probe's.
    #[must_use]
    pub fn is_of(self, denial: &Denial) -> bool {
        let named = |name: &Option<String>| name.as_deref() == Some(NAME);
        match self {
            Self::OtherName => named(&denial.host) && denial.dst.is_none(),
            Self::Tunnel => named(&denial.host) && denial.dst.is_some(),
            Self::OtherSni => named(&denial.sni),
            Self::OtherRecord | Self::ModelPort => true,
            Self::Icmp => denial.dst == self.place().map(|place| place.ip()),
            _ => denial.dst.zip(denial.dport).map(|(ip, port)| SocketAddr::new(ip, port)) == self.place(),
        }
    }
}

/// 198.18.0.0/15: what the gate answers with.
const fn is_synthetic(ip: Ipv4Addr) -> bool {
    matches!(ip.octets(), [198, 18 | 19, _, _])
}

#[cfg(test)]
mod tests;
