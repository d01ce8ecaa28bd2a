//! The nft tables of mode `isolated`: that of the agent's namespace, which has no interface but `lo`, and that of the gate's own.
//!
//! `nft -f` loads a file as one transaction: an error on its last line leaves nothing behind. The table is made, deleted and made again in
//! the same transaction, so that loading it twice is the same as loading it once.

use hydra_core::egress::address::{NOT_PUBLIC_V4, NOT_PUBLIC_V6};
use std::{collections::BTreeSet, fmt::Write as _, net::SocketAddr};

/// The group of the NFLOG messages that tell the gate what was refused.
pub const LOG_GROUP: u16 = 5;
/// Bytes of a refused packet that a message carries: both headers, and nothing of what was to be sent.
pub const LOG_BYTES: u16 = 64;

/// The table of the agent's namespace. TCP 443, TCP and UDP 53 and the given ports end on sockets of the gate; everything else is refused,
/// counted and told.
#[must_use]
pub fn agent(ports: &BTreeSet<u16>) -> String {
    let ports: Vec<String> =
        ports.iter().chain([&443]).collect::<BTreeSet<_>>().into_iter().map(u16::to_string).collect();
    let told = |limit: &str, name: &str| {
        format!("limit rate {limit} log prefix \"hydra:{name} \" group {LOG_GROUP} snaplen {LOG_BYTES}")
    };
    format!(
        r#"table inet hydra
delete table inet hydra
table inet hydra {{
  counter denied_tcp {{}}
  counter denied_udp {{}}
  counter denied_other {{}}
  chain output {{
    type filter hook output priority 0; policy drop;
    ct state established,related accept
    ip daddr 127.0.0.0/8 accept
    ip6 daddr ::1 accept
    oif "lo" tcp dport {{ {ports} }} accept
    oif "lo" meta l4proto {{ tcp, udp }} th dport 53 accept
    meta l4proto tcp {tcp}
    meta l4proto tcp counter name denied_tcp reject with tcp reset
    meta l4proto udp {udp}
    meta l4proto udp counter name denied_udp reject with icmpx admin-prohibited
    {other}
    counter name denied_other reject with icmpx admin-prohibited
  }}
  chain input {{
    type filter hook input priority 0; policy drop;
    iif "lo" accept
  }}
  chain forward {{
    type filter hook forward priority 0; policy drop;
  }}
}}
"#,
        ports = ports.join(", "),
        tcp = told("200/second burst 400 packets", "tcp"),
        udp = told("200/second burst 400 packets", "udp"),
        other = told("50/second", "other"),
    )
}

/// The table of the gate's own namespace: TCP 443 of public addresses, its resolvers, a self-hosted model API, and nothing else.
#[must_use]
pub fn gate(resolvers: &BTreeSet<SocketAddr>, model: &BTreeSet<SocketAddr>) -> String {
    let mut allowed = String::new();
    let mut line = |at: &SocketAddr, protocols: &str| {
        let (family, ip, port) = (if at.is_ipv4() { "ip" } else { "ip6" }, at.ip(), at.port());
        // Writing to a String cannot fail.
        let _ = writeln!(allowed, "    {family} daddr {ip} meta l4proto {protocols} th dport {port} accept");
    };
    resolvers.iter().for_each(|at| line(at, "{ tcp, udp }"));
    model.iter().for_each(|at| line(at, "tcp"));
    format!(
        r#"table inet hydra
delete table inet hydra
table inet hydra {{
  chain output {{
    type filter hook output priority 0; policy drop;
    ct state established,related accept
    oif "lo" accept
    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit }} accept
{allowed}    ip daddr {{ {v4} }} reject with icmpx admin-prohibited
    ip6 daddr {{ {v6} }} reject with icmpx admin-prohibited
    tcp dport 443 accept
    reject with icmpx admin-prohibited
  }}
  chain input {{
    type filter hook input priority 0; policy drop;
    iif "lo" accept
    ct state established,related accept
    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert }} accept
  }}
  chain forward {{
    type filter hook forward priority 0; policy drop;
  }}
}}
"#,
        v4 = NOT_PUBLIC_V4.join(", "),
        v6 = NOT_PUBLIC_V6.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agents_table() {
        insta::assert_snapshot!(agent(&[8080].into()));
    }

    #[test]
    fn the_gates_table() {
        let model = ["11.0.0.7:8443", "[2a00::7]:8443"].map(|at| at.parse().unwrap());
        insta::assert_snapshot!(gate(&["127.0.0.11:53".parse().unwrap()].into(), &model.into()));
    }
}
