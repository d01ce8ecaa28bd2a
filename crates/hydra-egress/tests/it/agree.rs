//! One policy, many forms: the same probes, the same answers, as far as a form can say.

pub(crate) mod tables;

use crate::{
    read::{Cluster, To},
    world::{PRIVATE_MODEL, around, gate, gates, self_hosted, withheld},
};
use hydra_core::{
    ContainerType,
    egress::{Decision, EgressPolicy, HostPattern, decide, gate::GateConfig, is_public},
};
use hydra_egress::{
    iptables::{Allowed, ip6tables, iptables},
    kubernetes::{AGENT, CANARY_PORT, GATE, Surroundings, cilium::cilium, network_policy::network_policy},
    nft,
};
use proptest::prelude::*;
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

pub(crate) const PORTS: [(&str, u16); 14] = [
    ("TCP", 443),
    ("UDP", 443),
    ("TCP", 53),
    ("UDP", 53),
    ("TCP", 80),
    ("TCP", 22),
    ("TCP", 8088),
    ("UDP", 8088),
    ("TCP", 8443),
    ("UDP", 8443),
    ("TCP", 5353),
    ("UDP", 5353),
    ("TCP", CANARY_PORT),
    ("TCP", 444),
];

/// Names that a policy lists, names that look like them, and names that it does not list.
const HOSTS: [&str; 14] = [
    "api.anthropic.com",
    "anthropic.com",
    "x.api.anthropic.com",
    "api.anthropic.com.evil.example",
    "xapi.anthropic.com",
    "pypi.org",
    "registry.npmjs.org",
    "a.packages.example.com",
    "a-1.packages.example.com",
    "a.b.packages.example.com",
    "packages.example.com",
    "apackages.example.com",
    "a.packages.example.com.evil.example",
    "example.org",
];

/// One of each kind, both families: public, private, loopback, link-local, metadata, shared, reserved, mapped and translated forms.
pub(crate) fn addresses() -> Vec<IpAddr> {
    let all = [
        "1.1.1.1",
        "104.16.0.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00::1",
        "10.0.0.1",
        "10.0.0.10",
        PRIVATE_MODEL,
        "10.20.0.8",
        "172.16.0.1",
        "172.32.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "127.0.0.11",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "198.18.0.7",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "2a00::53",
        "fe80::1",
        "fd00:ec2::254",
        "fd00:20::7",
        "ff02::1",
    ];
    all.iter().map(|ip| ip.parse().unwrap()).collect()
}

/// What the policy itself says of a connection to a name at an address that the name has.
fn policy_says(policy: &EgressPolicy, kind: ContainerType, host: &str, ip: IpAddr, protocol: &str, port: u16) -> bool {
    let allowed = matches!(decide(policy, kind, &host.parse().unwrap()), Decision::Allowed(_));
    allowed && (protocol, port) == ("TCP", 443) && is_public(ip)
}

/// The addresses of a self-hosted model API as the other forms take them.
pub(crate) fn model(gate: &GateConfig, around: &Surroundings) -> BTreeSet<SocketAddr> {
    let port = gate.place().map(|endpoint| endpoint.port());
    port.into_iter()
        .flat_map(|port| around.model.iter().map(move |ip| SocketAddr::new(ip.to_canonical(), port)))
        .collect()
}

#[test]
fn cilium_opens_a_name_where_the_policy_does() {
    let mut opened = 0;
    for policy in [EgressPolicy::default(), self_hosted()] {
        for kind in ContainerType::ALL {
            let cluster = Cluster::of(&cilium(&gate(&policy, *kind), &around()).unwrap());
            for host in HOSTS {
                let named = matches!(decide(&policy, *kind, &host.parse().unwrap()), Decision::Allowed(_));
                assert_eq!(cluster.looks_up(host), named, "{kind} {host}");
                for ip in addresses() {
                    for (protocol, port) in PORTS {
                        let at = SocketAddr::new(ip, port);
                        let own = protocol == "TCP" && model(&gate(&policy, *kind), &around()).contains(&at);
                        let wanted = own || policy_says(&policy, *kind, host, ip, protocol, port);
                        let to = To::Address(ip, vec![host.to_owned()]);
                        assert_eq!(
                            cluster.out(GATE, &to, protocol, port),
                            wanted,
                            "{kind} {host} {ip} {protocol} {port}"
                        );
                        assert!(!cluster.out(AGENT, &to, protocol, port), "{kind} {host} {ip} {protocol} {port}");
                        opened += usize::from(wanted);
                    }
                }
            }
        }
    }
    assert!(opened > 50, "only {opened} probes were open");
}

#[test]
fn cilium_cannot_tell_two_names_of_one_address_apart() {
    let cluster = Cluster::of(&cilium(&gate(&EgressPolicy::default(), ContainerType::Builder), &around()).unwrap());
    let ip = "1.1.1.1".parse().unwrap();
    assert!(!cluster.out(GATE, &To::Address(ip, vec!["evil.example".into()]), "TCP", 443));
    // What its documents say, and the reason why the gate stays.
    assert!(cluster.out(GATE, &To::Address(ip, vec!["evil.example".into(), "pypi.org".into()]), "TCP", 443));
}

#[test]
fn the_gate_is_held_to_the_same_addresses_in_a_pod_as_in_a_container() {
    let mut opened = 0;
    for (name, gate, around) in gates().into_iter().filter(|(name, ..)| name != "quality") {
        let cluster = Cluster::of(&network_policy(&gate, &around).unwrap());
        let table = nft::gate(&gate.resolvers, &model(&gate, &around));
        for ip in addresses() {
            for (protocol, port) in PORTS {
                let pod = cluster.out(GATE, &To::Address(ip, Vec::new()), protocol, port);
                let container = tables::nft_gate(&table, ip, protocol, port);
                // The table lets loopback be; a pod's loopback is no business of its policies.
                if !ip.is_loopback() {
                    assert_eq!(pod, container, "{name} {ip} {protocol} {port}");
                }
                assert!(
                    !cluster.out(AGENT, &To::Address(ip, Vec::new()), protocol, port),
                    "{name} {ip} {protocol} {port}"
                );
                opened += usize::from(pod);
            }
        }
    }
    assert!(opened > 50, "only {opened} probes were open");
}

#[test]
fn the_agent_has_the_same_ports_of_its_gate_in_a_pod_as_in_a_container() {
    for (name, gate, around) in gates().into_iter().filter(|(name, ..)| name != "quality") {
        let table = nft::agent(&gate.model_port().into_iter().collect());
        for file in [network_policy(&gate, &around).unwrap(), cilium(&gate, &around).unwrap()] {
            let cluster = Cluster::of(&file);
            for (protocol, port) in PORTS {
                let wanted = tables::nft_agent(&table, protocol, port);
                assert_eq!(cluster.passes(AGENT, &To::Pod(GATE), protocol, port), wanted, "{name} {protocol} {port}");
                assert!(!cluster.passes(GATE, &To::Pod(AGENT), protocol, port), "{name} {protocol} {port}");
                assert!(!cluster.passes(AGENT, &To::Pod(AGENT), protocol, port), "{name} {protocol} {port}");
                assert!(!cluster.passes("other", &To::Pod(GATE), protocol, port), "{name} {protocol} {port}");
                assert!(!cluster.out(AGENT, &To::Resolver, protocol, port), "{name} {protocol} {port}");
                // Without a resolver of its own the gate asks the cluster's, and asks it nothing else.
                let asks = gate.resolvers.is_empty() && port == 53;
                assert_eq!(cluster.out(GATE, &To::Resolver, protocol, port), asks, "{name} {protocol} {port}");
            }
        }
    }
}

#[test]
fn the_canary_is_closed_by_the_agents_own_policy_and_by_nothing_else() {
    for (name, gate, around) in gates().into_iter().filter(|(name, ..)| name != "quality") {
        for file in [network_policy(&gate, &around).unwrap(), cilium(&gate, &around).unwrap()] {
            assert!(!Cluster::of(&file).passes(AGENT, &To::Pod(GATE), "TCP", CANARY_PORT), "{name}");
            // The same file before the policies of the agent's pod bite.
            let late: Vec<_> = file.split("---\n").filter(|object| object.contains("name: hydra-gate")).collect();
            assert!(Cluster::of(&late.concat()).passes(AGENT, &To::Pod(GATE), "TCP", CANARY_PORT), "{name}");
        }
    }
}

#[test]
fn both_documents_side_by_side_open_what_names_had_closed() {
    let gate = gate(&EgressPolicy::default(), ContainerType::Builder);
    let names = cilium(&gate, &around()).unwrap();
    let to = To::Address("1.1.1.1".parse().unwrap(), vec!["evil.example".into()]);
    assert!(!Cluster::of(&names).out(GATE, &to, "TCP", 443));
    let both = format!("{names}{}", network_policy(&gate, &around()).unwrap());
    assert!(
        Cluster::of(&both).out(GATE, &to, "TCP", 443),
        "the head of the file says that they are not to be loaded together"
    );
}

#[test]
fn resolved_hosts_are_open_in_each_form_that_knows_addresses() {
    let policy = EgressPolicy::default();
    for kind in [ContainerType::Builder, ContainerType::Reviewer] {
        // Each name has an address of its own in each family: the last byte is its number.
        let zone: Vec<(&str, [IpAddr; 2])> = (1u8..)
            .zip(HOSTS)
            .map(|(n, host)| (host, [IpAddr::from([1, 1, 1, n]), format!("2a00::{n:x}").parse().unwrap()]))
            .collect();
        let exact = |host: &str| {
            policy.hosts(kind).iter().any(|line| matches!(line, HostPattern::Exact(name) if name.as_str() == host))
        };
        let https = zone.iter().filter(|(host, _)| exact(host)).flat_map(|(_, ips)| *ips).collect();
        let allowed = Allowed { https, ..Allowed::default() };
        let files = [iptables(&allowed), ip6tables(&allowed)];
        let gate = gate(&policy, kind);
        let (plain, names) = (network_policy(&gate, &around()).unwrap(), cilium(&gate, &around()).unwrap());
        let (plain, names) = (Cluster::of(&plain), Cluster::of(&names));
        for (host, ips) in &zone {
            for ip in ips {
                for (protocol, port) in PORTS {
                    let wanted = policy_says(&policy, kind, host, *ip, protocol, port);
                    let rules = if ip.is_ipv4() { &files[0] } else { &files[1] };
                    assert_eq!(tables::iptables(rules, *ip, protocol, port), wanted, "{host} {ip} {protocol} {port}");
                    let to = To::Address(*ip, vec![(*host).to_owned()]);
                    assert_eq!(names.out(GATE, &to, protocol, port), wanted, "{host} {ip} {protocol} {port}");
                    // A NetworkPolicy does not know names: never less than the policy, and port and address as in it.
                    let wide = (protocol, port) == ("TCP", 443);
                    assert_eq!(plain.out(GATE, &to, protocol, port), wide, "{host} {ip} {protocol} {port}");
                }
            }
        }
    }
}

#[test]
fn the_models_address_is_open_at_its_port_alone_in_every_form() {
    let own = gate(&self_hosted(), ContainerType::Builder);
    let signed = withheld(own.clone(), "model.example.net:8443", true);
    for gate in [own, signed] {
        let at = model(&gate, &around());
        assert_eq!(at.len(), 2, "the mapped form is the address itself");
        let table = nft::gate(&gate.resolvers, &at);
        let rules = Allowed { model: at.clone(), ..Allowed::default() };
        let rules = [iptables(&rules), ip6tables(&rules)];
        let files = [network_policy(&gate, &around()).unwrap(), cilium(&gate, &around()).unwrap()];
        for ip in at.iter().map(SocketAddr::ip) {
            for (protocol, port) in PORTS {
                let wanted = (protocol, port) == ("TCP", 8443);
                let to = To::Address(ip, vec!["model.example.net".into()]);
                for file in &files {
                    assert_eq!(Cluster::of(file).out(GATE, &to, protocol, port), wanted, "{ip} {protocol} {port}");
                }
                assert_eq!(tables::nft_gate(&table, ip, protocol, port), wanted, "{ip} {protocol} {port}");
                let rules = if ip.is_ipv4() { &rules[0] } else { &rules[1] };
                assert_eq!(tables::iptables(rules, ip, protocol, port), wanted, "{ip} {protocol} {port}");
            }
        }
    }
}

#[test]
fn a_resolver_that_is_named_by_its_address_is_asked_at_its_port_alone() {
    let mut gate = gate(&EgressPolicy::default(), ContainerType::Builder);
    gate.resolvers = ["10.0.0.10:5353", "[2a00::53]:53"].map(|at| at.parse().unwrap()).into();
    for file in [network_policy(&gate, &around()).unwrap(), cilium(&gate, &around()).unwrap()] {
        let cluster = Cluster::of(&file);
        for ip in addresses() {
            // A name of the policy leads there too.
            let to = To::Address(ip, vec!["pypi.org".to_owned()]);
            for (protocol, port) in PORTS {
                let asked = gate.resolvers.contains(&SocketAddr::new(ip, port));
                let wanted = asked || is_public(ip) && (protocol, port) == ("TCP", 443);
                assert_eq!(cluster.out(GATE, &to, protocol, port), wanted, "{ip} {protocol} {port}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_address_is_judged_alike_by_the_class_the_table_and_both_documents(v4 in any::<u32>(), v6 in any::<u128>(), global in any::<bool>(), port in any::<u16>()) {
        // Half of the IPv6 addresses from the block that has public ones.
        let v6 = if global { v6 >> 3 | 1 << 125 } else { v6 };
        let gate = gate(&EgressPolicy::default(), ContainerType::Builder);
        let plain = Cluster::of(&network_policy(&gate, &Surroundings::default()).unwrap());
        let names = Cluster::of(&cilium(&gate, &Surroundings::default()).unwrap());
        let table = nft::gate(&gate.resolvers, &BTreeSet::new());
        for ip in [IpAddr::from(v4.to_be_bytes()), IpAddr::from(v6.to_be_bytes())] {
            let to = To::Address(ip, vec!["pypi.org".to_owned()]);
            for port in [443, port] {
                let wanted = is_public(ip) && port == 443;
                prop_assert_eq!(plain.out(GATE, &to, "TCP", port), wanted);
                prop_assert_eq!(names.out(GATE, &to, "TCP", port), wanted);
                prop_assert!(ip.is_loopback() || tables::nft_gate(&table, ip, "TCP", port) == wanted);
            }
        }
    }

    #[test]
    fn any_name_is_opened_by_cilium_where_the_policy_opens_it(labels in proptest::collection::vec("[a-z0-9]([a-z0-9-]{0,3}[a-z0-9])?", 0..3), parent in 0usize..4) {
        let parent = ["packages.example.com", "example.com", "api.anthropic.com", "pypi.org"][parent];
        let host: Vec<&str> = labels.iter().map(String::as_str).chain([parent]).collect();
        let host = host.join(".");
        let policy = self_hosted();
        let cluster = Cluster::of(&cilium(&gate(&policy, ContainerType::Builder), &Surroundings::default()).unwrap());
        let wanted = matches!(decide(&policy, ContainerType::Builder, &host.parse().unwrap()), Decision::Allowed(_));
        prop_assert_eq!(cluster.looks_up(&host), wanted);
        let to = To::Address(IpAddr::from([1, 1, 1, 1]), vec![host]);
        prop_assert_eq!(cluster.out(GATE, &to, "TCP", 443), wanted);
    }
}
