//! The two files of mode `in-container`: what `iptables-restore` and `ip6tables-restore` read.
//!
//! Each holds the `filter` table alone. A `nat` block, even an empty one, would wipe the redirect by which Docker answers name
//! look-ups in a container. The policies are `DROP` inside the same block, so there is no instant at which anything is open.

use std::{
    collections::BTreeSet,
    fmt::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// What a container may reach, by address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Hosts of the policy, resolved; reached on TCP 443.
    pub https: BTreeSet<IpAddr>,
    /// The self-hosted model API, resolved; reached over TCP at these very ports.
    pub model: BTreeSet<SocketAddr>,
    /// Addresses on the loopback network that must not answer: Docker's own resolver passes questions on to the world, so
    /// that a name looked up there is a message to its owner. Each is closed before loopback is opened.
    pub closed_loopback: BTreeSet<Ipv4Addr>,
}

/// The IPv4 file.
#[must_use]
pub fn iptables(allowed: &Allowed) -> String {
    let https = allowed.https.iter().filter_map(|ip| v4(*ip)).map(|ip| format!("{ip}/32")).collect();
    let model = allowed.model.iter().filter_map(|at| v4(at.ip()).map(|ip| (format!("{ip}/32"), at.port()))).collect();
    let closed = allowed.closed_loopback.iter().map(|ip| format!("{ip}/32")).collect();
    render(&https, &model, &closed, "icmp-admin-prohibited")
}

/// The IPv6 file.
#[must_use]
pub fn ip6tables(allowed: &Allowed) -> String {
    let https = allowed.https.iter().filter_map(|ip| v6(*ip)).map(|ip| format!("{ip}/128")).collect();
    let model = allowed.model.iter().filter_map(|at| v6(at.ip()).map(|ip| (format!("{ip}/128"), at.port()))).collect();
    render(&https, &model, &BTreeSet::new(), "icmp6-adm-prohibited")
}

/// An IPv4 address, also in its IPv6-mapped form.
fn v4(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(ip) => ip.to_ipv4_mapped(),
    }
}

/// An IPv6 address that is no IPv4 address in disguise.
fn v6(ip: IpAddr) -> Option<Ipv6Addr> {
    match ip {
        IpAddr::V4(_) => None,
        IpAddr::V6(ip) => ip.to_ipv4_mapped().is_none().then_some(ip),
    }
}

fn render(
    https: &BTreeSet<String>,
    model: &BTreeSet<(String, u16)>,
    closed: &BTreeSet<String>,
    reject: &str,
) -> String {
    let mut text = String::from("*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT DROP [0:0]\n");
    let mut line = |rule: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "-A {rule}");
    };
    line("INPUT -i lo -j ACCEPT");
    line("INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
    for address in closed {
        line(&format!("OUTPUT -d {address} -j DROP"));
    }
    line("OUTPUT -o lo -j ACCEPT");
    line("OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
    for address in https {
        line(&format!("OUTPUT -d {address} -p tcp -m tcp --dport 443 -j ACCEPT"));
    }
    for (address, port) in model {
        line(&format!("OUTPUT -d {address} -p tcp -m tcp --dport {port} -j ACCEPT"));
    }
    // Refused at once rather than lost, so that a program says what it could not reach instead of hanging.
    line("OUTPUT -p tcp -j REJECT --reject-with tcp-reset");
    line(&format!("OUTPUT -j REJECT --reject-with {reject}"));
    text.push_str("COMMIT\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn example() -> Allowed {
        Allowed {
            https: ["203.0.113.9", "203.0.113.10", "2001:db8::9", "::ffff:203.0.113.9"]
                .map(|ip| ip.parse().unwrap())
                .into(),
            model: ["198.51.100.7:8443", "[2001:db8::7]:8443"].map(|at| at.parse().unwrap()).into(),
            closed_loopback: [Ipv4Addr::new(127, 0, 0, 11)].into(),
        }
    }

    #[test]
    fn the_ipv4_file() {
        insta::assert_snapshot!(iptables(&example()), @r"
        *filter
        :INPUT DROP [0:0]
        :FORWARD DROP [0:0]
        :OUTPUT DROP [0:0]
        -A INPUT -i lo -j ACCEPT
        -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        -A OUTPUT -d 127.0.0.11/32 -j DROP
        -A OUTPUT -o lo -j ACCEPT
        -A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        -A OUTPUT -d 203.0.113.10/32 -p tcp -m tcp --dport 443 -j ACCEPT
        -A OUTPUT -d 203.0.113.9/32 -p tcp -m tcp --dport 443 -j ACCEPT
        -A OUTPUT -d 198.51.100.7/32 -p tcp -m tcp --dport 8443 -j ACCEPT
        -A OUTPUT -p tcp -j REJECT --reject-with tcp-reset
        -A OUTPUT -j REJECT --reject-with icmp-admin-prohibited
        COMMIT
        ");
    }

    #[test]
    fn the_ipv6_file() {
        insta::assert_snapshot!(ip6tables(&example()), @r"
        *filter
        :INPUT DROP [0:0]
        :FORWARD DROP [0:0]
        :OUTPUT DROP [0:0]
        -A INPUT -i lo -j ACCEPT
        -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        -A OUTPUT -o lo -j ACCEPT
        -A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        -A OUTPUT -d 2001:db8::9/128 -p tcp -m tcp --dport 443 -j ACCEPT
        -A OUTPUT -d 2001:db8::7/128 -p tcp -m tcp --dport 8443 -j ACCEPT
        -A OUTPUT -p tcp -j REJECT --reject-with tcp-reset
        -A OUTPUT -j REJECT --reject-with icmp6-adm-prohibited
        COMMIT
        ");
    }

    #[test]
    fn a_type_without_hosts_reaches_loopback_alone() {
        insta::assert_snapshot!(iptables(&Allowed::default()), @r"
        *filter
        :INPUT DROP [0:0]
        :FORWARD DROP [0:0]
        :OUTPUT DROP [0:0]
        -A INPUT -i lo -j ACCEPT
        -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        -A OUTPUT -o lo -j ACCEPT
        -A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        -A OUTPUT -p tcp -j REJECT --reject-with tcp-reset
        -A OUTPUT -j REJECT --reject-with icmp-admin-prohibited
        COMMIT
        ");
    }

    proptest! {
        #[test]
        fn every_address_is_opened_once_and_in_one_family(v4s in proptest::collection::btree_set(any::<u32>(), 0..20), v6s in proptest::collection::btree_set(any::<u128>(), 0..20)) {
            let https: BTreeSet<IpAddr> = v4s.iter().map(|ip| IpAddr::from(Ipv4Addr::from(*ip)))
                .chain(v6s.iter().map(|ip| IpAddr::from(Ipv6Addr::from(*ip)))).collect();
            let allowed = Allowed { https: https.clone(), ..Allowed::default() };
            let opened = iptables(&allowed).matches("--dport 443").count() + ip6tables(&allowed).matches("--dport 443").count();
            prop_assert_eq!(opened, https.len());
        }
    }
}
