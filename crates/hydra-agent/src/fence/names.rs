//! Resolves the policy's names once, before the rules exist; afterwards no look-up leaves the container.

use super::Relayed;
use hydra_core::egress::{Endpoint, HostPattern, is_public};
use hydra_egress::iptables::Allowed;
use std::{
    fs::File,
    io::Write,
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs},
};

/// Docker's own resolver in a container on a network of one's own.
const DOCKER_RESOLVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) allowed: Allowed,
    /// Each name with its addresses and port.
    pub(super) by_name: Relayed,
    /// What was left out, and why.
    pub(super) notes: Vec<String>,
}

/// Resolves every exact name of the policy and every endpoint. A name of the policy that cannot be used is left closed and
/// noted; an endpoint must resolve.
pub(super) fn resolve(hosts: &[String], endpoints: &[String]) -> Result<Found, String> {
    let mut found = Found::default();
    // What is looked up at Docker's resolver goes on to the world: a name is a message. So it is closed.
    found.allowed.closed_loopback.insert(DOCKER_RESOLVER);
    for host in hosts {
        match host.parse::<HostPattern>().map_err(|error| error.to_string())? {
            HostPattern::Below(parent) => {
                found
                    .notes
                    .push(format!("*.{parent} stays closed: a pattern has no address (mode isolated judges by name)"));
            }
            HostPattern::Exact(name) => match look_up(name.as_str(), 443) {
                Err(why) => found.notes.push(format!("{name} stays closed: {why}")),
                Ok(addresses) => {
                    let (public, private): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|at| is_public(at.ip()));
                    for at in private {
                        found
                            .notes
                            .push(format!("{name} at {} stays closed: the address is not a public one", at.ip()));
                    }
                    found.allowed.https.extend(public.iter().map(SocketAddr::ip));
                    if !public.is_empty() {
                        found.by_name.insert(format!("{name}:443"), public);
                    }
                }
            },
        }
    }
    for endpoint in endpoints {
        let endpoint: Endpoint = endpoint.parse().map_err(|error: hydra_core::egress::HostError| error.to_string())?;
        let addresses = look_up(endpoint.host(), endpoint.port())
            .map_err(|why| format!("the endpoint {endpoint}: {why}; check model_endpoint and the network"))?;
        found.allowed.model.extend(addresses.iter().copied());
        if endpoint.host().parse::<IpAddr>().is_err() {
            found.by_name.insert(endpoint.to_string(), addresses);
        }
    }
    Ok(found)
}

fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let addresses: Vec<SocketAddr> =
        (host, port).to_socket_addrs().map_err(|error| format!("it does not resolve ({error})"))?.collect();
    if addresses.is_empty() { Err("it has no address".into()) } else { Ok(addresses) }
}

/// Appends the names to `/etc/hosts`. Whether that was possible: under a read-only root it is not.
pub(super) fn list_in_hosts_file(found: &Found) -> Result<bool, String> {
    if found.by_name.is_empty() {
        return Ok(true);
    }
    let mut file = match File::options().append(true).open("/etc/hosts") {
        Ok(file) => file,
        Err(error) if is_closed(&error) => return Ok(false),
        Err(error) => return Err(format!("/etc/hosts: {error}")),
    };
    let mut text = String::from("\n# Names that the egress policy allows, as they were when the fence was made.\n");
    for (name, addresses) in &found.by_name {
        let host = name.rsplit_once(':').map_or(name.as_str(), |(host, _)| host);
        for at in addresses {
            text.push_str(&format!("{} {host}\n", at.ip()));
        }
    }
    file.write_all(text.as_bytes()).map_err(|error| format!("/etc/hosts: {error}"))?;
    Ok(true)
}

fn is_closed(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_opened_for_names() {
        for ip in [
            "10.0.0.1",
            "172.17.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "198.18.0.1",
            "::1",
            "fe80::1",
            "fd00:ec2::254",
            "::ffff:10.0.0.1",
            "::ffff:160.79.104.10",
            "192.88.99.1",
            "3fff::1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001::1",
            "ff02::1",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["160.79.104.10", "2607:6bc0::10"] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn what_cannot_be_opened_stays_closed_and_is_named() {
        let found = resolve(&["*.example.com".into(), "nothing.invalid".into()], &["127.0.0.1:8443".into()]).unwrap();
        assert!(found.allowed.https.is_empty());
        assert_eq!(found.allowed.model, ["127.0.0.1:8443".parse().unwrap()].into());
        assert_eq!(found.notes.len(), 2, "{:?}", found.notes);
        assert!(resolve(&["*.com".into()], &[]).unwrap_err().contains("public suffix"));
        assert!(resolve(&[], &["nothing.invalid:1".into()]).unwrap_err().contains("model_endpoint"));
    }
}
