//! The name servers of this machine, as far as a container can ask them. The engine makes the same choice for a container that names none, but
//! does not say which it made; and what a gate may send must be known.

use resolv_conf::{Config, ScopedIp};
use std::{net::IpAddr, path::Path};

/// The second is what systemd-resolved asks itself, where the first has nothing but its address on loopback.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];
/// So many are asked, as everywhere.
const MOST: usize = 3;

/// None where there is none but on loopback: that one is asked by newer engines, outside the container's namespace.
pub(super) async fn of_this_machine() -> Vec<IpAddr> {
    for file in FILES.map(Path::new) {
        let found = tokio::fs::read(file).await.map(|text| reachable(&text)).unwrap_or_default();
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

fn reachable(text: &[u8]) -> Vec<IpAddr> {
    let Ok(config) = Config::parse(text) else { return Vec::new() };
    let plain = config.nameservers.into_iter().filter_map(|server| match server {
        ScopedIp::V4(address) => Some(IpAddr::V4(address)),
        ScopedIp::V6(address, None) => Some(IpAddr::V6(address)),
        // A link of this machine's own.
        ScopedIp::V6(_, Some(_)) => None,
    });
    let mut all: Vec<IpAddr> = plain.filter(|server| !server.is_loopback() && !server.is_unspecified()).collect();
    if all.iter().any(IpAddr::is_ipv4) {
        // The engine's networks have IPv4, and IPv6 by choice.
        all.retain(IpAddr::is_ipv4);
    }
    all.truncate(MOST);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_a_container_can_ask_are_taken() {
        let servers = |text: &str| reachable(text.as_bytes()).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            servers("# a comment\nsearch example.org\nnameserver 192.168.1.1\noptions edns0\n"),
            ["192.168.1.1"]
        );
        assert_eq!(servers("nameserver 127.0.0.53\nnameserver ::1\n"), [""; 0]);
        assert_eq!(servers("nameserver fe80::1%eth0\nnameserver 2001:db8::53\n"), ["2001:db8::53"]);
        assert_eq!(servers("nameserver 2001:db8::53\nnameserver 192.0.2.1\n"), ["192.0.2.1"]);
        let many: String = (1..9).map(|n| format!("nameserver 192.0.2.{n}\n")).collect();
        assert_eq!(servers(&many).len(), MOST);
        assert_eq!(servers("nameserver nobody\n"), [""; 0]);
    }
}
