//! Everything that is neither a look-up nor a connection to port 443: it leads nowhere, and it is told.

use crate::{
    agent::dial,
    internet::{ATTACKER, output},
    world::{World, inside},
};
use hydra_core::egress::DenyReason;
use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

#[test]
#[ignore = "needs namespaces"]
fn rows_22_and_25_other_ports_are_refused_at_once_in_both_families() {
    for at in ["11.0.0.66:80", "11.0.0.66:8080", "169.254.169.254:80", "[2a00::66]:80", "[fd00:ec2::254]:80"] {
        let world = World::new();
        let at: SocketAddr = at.parse().unwrap();
        let begun = Instant::now();
        let refused = world.agent(move || dial(at).map(drop));
        assert!(refused.is_err() && begun.elapsed() < Duration::from_secs(1), "{at}: {refused:?}");
        let denial = world.one_refusal();
        let seen = (denial.reason, denial.dst, denial.dport, denial.proto.as_deref(), denial.uid);
        assert_eq!(seen, (DenyReason::PacketTcp, Some(at.ip()), Some(at.port()), Some("tcp"), Some(0)));
        world.internet.saw_nothing();
    }
}

#[test]
#[ignore = "needs namespaces"]
fn row_24_quic_and_any_other_udp() {
    for at in ["11.0.0.66:443", "11.0.0.66:853", "[2a00::66]:443", "224.0.0.251:5353"] {
        let world = World::new();
        let at: SocketAddr = at.parse().unwrap();
        world.agent(move || {
            let socket = UdpSocket::bind(if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).unwrap();
            // The kernel says no at once.
            _ = socket.send_to(b"x", at);
        });
        let denial = world.one_refusal();
        assert_eq!((denial.reason, denial.dst, denial.dport), (DenyReason::PacketUdp, Some(at.ip()), Some(at.port())));
        world.internet.saw_nothing();
    }
}

#[test]
#[ignore = "needs namespaces"]
fn row_23_icmp() {
    let world = World::new();
    let id = world.holder.id();
    let ping = inside(id, "python3", &["-c", PING]).output().unwrap();
    assert!(String::from_utf8_lossy(&ping.stdout).contains("sent"), "{}", String::from_utf8_lossy(&ping.stderr));
    let denial = world.one_refusal();
    assert_eq!(
        (denial.reason, denial.dst, denial.proto.as_deref()),
        (DenyReason::PacketOther, Some(IpAddr::from(ATTACKER)), Some("icmp"))
    );
}

const PING: &str = "import socket
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
try: s.sendto(bytes([8, 0, 0xf7, 0xff, 0, 0, 0, 0]), ('11.0.0.66', 0))
except OSError: pass
print('sent')";

#[test]
#[ignore = "needs namespaces"]
fn row_18_a_look_up_over_tcp_is_answered_by_the_gate() {
    use hickory_proto::{
        op::{Message, Query, ResponseCode},
        rr::{Name, RecordType},
    };
    use std::io::{Read as _, Write as _};
    let world = World::new();
    let code = world.agent(|| {
        let mut stream = dial(([9, 9, 9, 9], 53)).unwrap();
        let mut message = Message::query();
        message.add_query(Query::query(Name::from_ascii("evil.test.").unwrap(), RecordType::A));
        let bytes = message.to_vec().unwrap();
        stream.write_all(&[&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes.as_slice()].concat()).unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut answer).unwrap();
        Message::from_vec(&answer).unwrap().metadata.response_code
    });
    assert_eq!(code, ResponseCode::NXDomain);
    assert_eq!(world.one_refusal().proto.as_deref(), Some("tcp"));
    world.internet.saw_nothing();
}

#[test]
#[ignore = "needs namespaces"]
fn row_29_a_scan_of_all_ports_finds_443_and_53() {
    let world = World::new();
    let scan = "import socket
found = []
for port in range(1, 65536):
    s = socket.socket()
    s.settimeout(2)
    if s.connect_ex(('11.0.0.66', port)) == 0: found.append(port)
    s.close()
print(found)";
    let output = inside(world.holder.id(), "python3", &["-c", scan]).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "[53, 443]",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    world.internet.saw_nothing();
}

#[test]
#[ignore = "needs namespaces"]
fn the_namespace_has_no_way_out_even_without_a_table() {
    let world = World::new();
    let id = world.holder.id();
    assert!(!output(id, "ip -o link show up").lines().any(|line| !line.contains(": lo:")));
    // Whoever could flush the rules (nobody there can) would still find that every address is this very namespace.
    crate::world::run(id, "nft flush ruleset");
    let refused = world.agent(|| dial((ATTACKER, 80)).map(drop));
    assert!(refused.is_err(), "{refused:?}");
    world.internet.saw_nothing();
}
