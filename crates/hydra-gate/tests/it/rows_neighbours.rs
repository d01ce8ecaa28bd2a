//! Whoever is near: the host, and the containers that stand on the gate's own network.

use crate::{
    agent::{dial, shake},
    internet::ATTACKER,
    world::{World, until},
};
use hickory_proto::{op::ResponseCode, rr::RecordType};
use hydra_core::egress::DenyReason;
use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
};

/// The gateway that Docker gives the host, and an address of the host in its own network.
const HOST: [Ipv4Addr; 2] = [Ipv4Addr::new(172, 17, 0, 1), Ipv4Addr::new(192, 168, 7, 1)];
/// The gate, on its own network.
const GATE: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 2);

/// One dial that the kernel refuses and tells.
#[track_caller]
fn refused(at: SocketAddr) {
    let world = World::new();
    world.attack(move || dial(at).map(drop)).unwrap_err();
    let denial = world.one_refusal();
    let seen = (denial.reason, denial.dst, denial.dport);
    assert_eq!(seen, (DenyReason::PacketTcp, Some(at.ip()), Some(at.port())));
    world.internet.saw_nothing();
}

#[test]
#[ignore = "needs namespaces"]
fn row_26_services_of_the_host_are_unreachable_by_address() {
    for at in [(HOST[0], 22), (HOST[0], 2375), (HOST[1], 8080)] {
        refused(at.into());
    }
    // On the one port that is answered it is the gate that answers.
    for (name, reason) in [("172.17.0.1", DenyReason::TlsNoSni), ("host.docker.internal", DenyReason::TlsSniNotAllowed)]
    {
        let world = World::new();
        world.shake(HOST[0], name).map(drop).unwrap_err();
        let denial = world.one_refusal();
        assert_eq!((denial.reason, denial.dst), (reason, Some(HOST[0].into())));
        world.internet.saw_nothing();
    }
}

#[test]
#[ignore = "needs namespaces"]
fn row_26_the_hosts_names_do_not_exist_and_a_name_of_the_policy_does_not_lead_to_it() {
    for name in ["host.docker.internal", "gateway.docker.internal", "localhost.localdomain"] {
        let world = World::new();
        assert_eq!(world.ask(name, RecordType::A), (ResponseCode::NXDomain, None));
        let denial = world.one_refusal();
        assert_eq!((denial.reason, denial.host.as_deref()), (DenyReason::DnsNotAllowed, Some(name)));
        world.internet.saw_nothing();
    }
    let world = World::new();
    let said = world.raw(b"CONNECT host.docker.internal:443 HTTP/1.1\r\n\r\n");
    assert!(said.starts_with(b"HTTP/1.1 403"));
    assert_eq!(world.one_refusal().reason, DenyReason::DnsNotAllowed);
    world.internet.saw_nothing();
    for host in HOST {
        let world = World::new();
        world.internet.moves("api.example.org", host);
        world.internet.arrives(move || dial((host, 443)).map(drop)).unwrap_err();
        world.reach("api.example.org").map(drop).unwrap_err();
        assert_eq!(world.one_refusal().reason, DenyReason::ResolvePrivate);
        world.internet.saw_questions_alone();
    }
}

#[test]
#[ignore = "needs namespaces"]
fn row_27_an_agent_reaches_no_neighbour_of_its_gate() {
    for at in [(ATTACKER, 5432), (Ipv4Addr::new(11, 0, 0, 5), 6379), (Ipv4Addr::new(172, 17, 0, 3), 80)] {
        refused(at.into());
    }
}

#[test]
#[ignore = "needs namespaces"]
fn row_27_the_gates_own_address_is_one_like_all_others() {
    for (port, reason) in [(22, DenyReason::PacketTcp), (443, DenyReason::TlsNoSni)] {
        let world = World::new();
        let attack = move || dial((GATE, port)).and_then(|stream| shake(stream, "11.0.0.2")).map(drop);
        world.internet.arrives(attack).unwrap_err();
        // The gate's host has refused it; that was a packet of its own.
        world.internet.forget();
        world.agent(attack).unwrap_err();
        let denial = world.one_refusal();
        assert_eq!((denial.reason, denial.dst), (reason, Some(GATE.into())));
        world.internet.saw_nothing();
    }
}

#[test]
#[ignore = "needs namespaces"]
fn row_27_a_neighbour_of_the_gate_reaches_no_agent() {
    let world = World::new();
    // Both listen on every address that they have; the one without a fence is reached.
    let listen = || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8080)).unwrap();
    let open = crate::agent::in_namespace(world.internet.open(), listen);
    let fenced = world.agent(listen);
    for listener in [&open, &fenced] {
        listener.set_nonblocking(true).unwrap();
    }
    let send = |to: Ipv4Addr, port: u16| {
        world.internet.there(move || {
            let mut stream = dial((to, port))?;
            stream.write_all(b"x")
        })
    };
    send(Ipv4Addr::new(12, 0, 0, 2), 8080).unwrap();
    let mut got = [0; 1];
    until("the neighbour", || open.accept().is_ok_and(|(mut stream, _)| stream.read(&mut got).is_ok()));
    assert_eq!(&got, b"x");
    // The gate's address is the only one that a neighbour could try; neither the agent nor the gate's own sockets are there.
    for port in [8080, 443, 53, 80] {
        let refused = send(GATE, port);
        assert!(refused.is_err(), "{port}");
    }
    let v6 = world.internet.there(|| dial(("2a00::2".parse::<IpAddr>().unwrap(), 8080)).map(drop));
    assert!(v6.is_err());
    assert_eq!(fenced.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody came");
}
