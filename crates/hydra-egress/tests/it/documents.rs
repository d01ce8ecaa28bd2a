//! The documents whole, and what they name.

use crate::{
    read::Cluster,
    world::{around, gates, nothing, withheld},
};
use hydra_core::{
    ContainerType,
    egress::{
        EgressPolicy,
        address::{NOT_PUBLIC_V4, NOT_PUBLIC_V6},
        gate::GateConfig,
        is_public,
    },
};
use hydra_egress::kubernetes::{Surroundings, cilium::cilium, network_policy::network_policy};
use ipnet::IpNet;
use std::{collections::BTreeSet, net::IpAddr};

/// The names that a gate may look up: the lines of the policy, and its model API.
fn names(gate: &GateConfig) -> BTreeSet<String> {
    let api = gate.api.as_ref().map(|api| &api.upstream.endpoint).into_iter().chain(&gate.model);
    gate.allow.iter().map(ToString::to_string).chain(api.map(|at| at.host().to_owned())).collect()
}

#[test]
fn the_documents_of_every_container_type() {
    for (name, gate, around) in gates() {
        insta::assert_snapshot!(format!("network_policy_{name}"), network_policy(&gate, &around).unwrap());
        insta::assert_snapshot!(format!("cilium_{name}"), cilium(&gate, &around).unwrap());
    }
}

#[test]
fn each_document_reads_back_and_carries_the_policy_that_it_was_made_of() {
    for (name, gate, around) in gates() {
        for (file, kind) in [
            (network_policy(&gate, &around).unwrap(), "NetworkPolicy"),
            (cilium(&gate, &around).unwrap(), "CiliumNetworkPolicy"),
        ] {
            let cluster = Cluster::of(&file);
            let mut objects = vec!["NetworkPolicy hydra-deny-all".to_owned()];
            if name != "quality" {
                objects.extend(["NetworkPolicy hydra-agent".to_owned(), format!("{kind} hydra-gate")]);
            }
            assert_eq!(cluster.objects, objects, "{name}");
            assert_eq!(cluster.namespaces, [around.namespace.clone()].into(), "{name}");
            assert_eq!(cluster.policies, [gate.policy.clone()].into(), "{name}");
        }
    }
}

#[test]
fn each_form_names_exactly_the_hosts_of_the_policy() {
    for (name, gate, around) in gates() {
        // Cilium's: the names that may be looked up are all of them, those whose addresses are opened all but a self-hosted model.
        let (asked, opened) = Cluster::of(&cilium(&gate, &around).unwrap()).names();
        assert_eq!(asked, names(&gate), "{name}");
        let mut reached = names(&gate);
        if let Some(place) = gate.place() {
            reached.remove(place.host());
        }
        assert_eq!(opened, reached, "{name}");
        // A NetworkPolicy has none: its head says which the gate judges, and nothing else in it names a host.
        let file = network_policy(&gate, &around).unwrap();
        let said = file.lines().filter_map(|line| line.strip_prefix("#   ")).map(str::to_owned).collect();
        assert_eq!(names(&gate), said, "{name}");
        for host in names(&gate) {
            let bare = host.trim_start_matches("*.");
            assert!(!file.lines().any(|line| !line.starts_with('#') && line.contains(bare)), "{name}: {host}");
        }
    }
}

/// The first and the last address of a network, and those beside it.
fn edges(net: &IpNet) -> ([IpAddr; 2], Vec<IpAddr>) {
    let inside = [net.network(), net.broadcast()];
    let beside = match inside {
        [IpAddr::V4(first), IpAddr::V4(last)] => {
            let (low, high) = (u32::from(first).checked_sub(1), u32::from(last).checked_add(1));
            low.into_iter().chain(high).map(|ip| std::net::Ipv4Addr::from(ip).into()).collect()
        }
        [IpAddr::V6(first), IpAddr::V6(last)] => {
            let (low, high) = (u128::from(first).checked_sub(1), u128::from(last).checked_add(1));
            low.into_iter().chain(high).map(|ip| std::net::Ipv6Addr::from(ip).into()).collect()
        }
        _ => unreachable!("a network is of one family"),
    };
    (inside, beside)
}

#[test]
fn what_is_taken_out_of_the_internet_is_what_is_not_public() {
    let ranges: BTreeSet<IpNet> =
        NOT_PUBLIC_V4.iter().chain(&NOT_PUBLIC_V6).map(|range| range.parse().unwrap()).collect();
    for (name, gate, around) in gates().into_iter().filter(|(name, ..)| name != "quality") {
        let cluster = Cluster::of(&network_policy(&gate, &around).unwrap());
        let wide: Vec<_> = cluster.blocks().into_iter().filter(|block| block.cidr.prefix_len() == 0).collect();
        let families: BTreeSet<String> = wide.iter().map(|block| block.cidr.to_string()).collect();
        assert_eq!(families, ["0.0.0.0/0".to_owned(), "::/0".to_owned()].into(), "{name}");
        let except: BTreeSet<IpNet> = wide.iter().flat_map(|block| block.except.clone()).collect();
        assert_eq!(except, ranges, "{name}");
        for block in wide {
            for net in &block.except {
                // The API server takes nothing that is not strictly within the block.
                assert!(block.cidr.contains(net) && net.prefix_len() > 0 && net.trunc() == *net, "{name}: {net}");
                let (inside, beside) = edges(net);
                assert!(inside.iter().all(|ip| !is_public(*ip)), "{name}: {net}");
                for ip in beside {
                    assert_eq!(is_public(ip), !except.iter().any(|net| net.contains(&ip)), "{name}: {ip} beside {net}");
                }
            }
        }
        let denied = Cluster::of(&cilium(&gate, &around).unwrap());
        let denied: BTreeSet<IpNet> = denied.denied().into_iter().map(|block| block.cidr).collect();
        assert_eq!(denied, ranges, "{name}");
    }
}

#[test]
fn a_job_without_hosts_has_no_gate_and_no_network() {
    let gate = crate::world::gate(&EgressPolicy::default(), ContainerType::Quality);
    for file in [network_policy(&gate, &nothing()).unwrap(), cilium(&gate, &nothing()).unwrap()] {
        assert_eq!(Cluster::of(&file).objects, ["NetworkPolicy hydra-deny-all"]);
        assert!(!file.contains("hydra-gate") && !file.contains("ipBlock") && !file.contains("toFQDNs"), "{file}");
    }
}

#[test]
fn a_model_alone_opens_no_other_place() {
    let empty = EgressPolicy { base: BTreeSet::new(), extra: Default::default(), ..EgressPolicy::default() };
    let gate = crate::world::gate(&empty, ContainerType::Reviewer);
    let own = withheld(gate.clone(), "10.20.0.7:8443", true);
    let around = Surroundings { model: around().model.into_iter().filter(IpAddr::is_ipv4).collect(), ..nothing() };
    let file = network_policy(&own, &around).unwrap();
    let blocks: Vec<_> = Cluster::of(&file).blocks().into_iter().map(|block| block.cidr.to_string()).collect();
    assert_eq!(blocks, ["10.20.0.7/32"]);
    assert!(!file.contains("kube-dns"), "an address is not looked up: {file}");
    let file = cilium(&own, &around).unwrap();
    assert!(!file.contains("kube-dns") && !file.contains("toFQDNs"), "{file}");
    // Somebody else's, at another port than 443: that port of public addresses, by its name alone.
    let theirs = withheld(gate, "model.example.org:8443", false);
    let file = cilium(&theirs, &nothing()).unwrap();
    assert_eq!(Cluster::of(&file).names().1, ["model.example.org".to_owned()].into());
    let gate_part =
        |file: &str| file.split("name: hydra-gate").nth(1).unwrap().split("egress:").nth(1).unwrap().to_owned();
    for file in [file, network_policy(&theirs, &nothing()).unwrap()] {
        assert!(gate_part(&file).contains("8443") && !gate_part(&file).contains("port: 443"), "{file}");
    }
}

#[test]
fn names_that_yaml_could_take_for_something_else_stay_names() {
    let long = format!("{0}.{0}.{0}.example.com", "a".repeat(60));
    let hosts = ["on.no", "y.example", "1e3.example", "0x1f.example", "null.example", "xn--bcher-kva.example", &long];
    let base = hosts.iter().map(|host| host.parse().unwrap()).chain(["*.on.example".parse().unwrap()]).collect();
    let policy = EgressPolicy { base, ..EgressPolicy::default() };
    let gate = crate::world::gate(&policy, ContainerType::Reviewer);
    for space in ["on", "123", "null", "1e3"] {
        let around = Surroundings { namespace: Some(space.to_owned()), ..nothing() };
        let file = cilium(&gate, &around).unwrap();
        let cluster = Cluster::of(&file);
        assert_eq!(cluster.names().0, names(&gate));
        assert_eq!(cluster.namespaces, [Some(space.to_owned())].into());
        assert!(!file.contains(&format!("namespace: {space}\n")), "another reader could take it for no text: {file}");
    }
}
