//! Starts that fail, gates that die, bounds that are reached.

use crate::{
    agent::{dial, echo},
    world::{World, until},
};
use hydra_core::egress::{DenyReason, gate::GateLine};
use std::{
    io::{Read as _, Write as _},
    time::{Duration, Instant},
};

#[test]
#[ignore = "needs namespaces"]
fn row_05_a_step_that_fails_is_named_and_nothing_is_proved() {
    for step in ["link", "routes", "table", "sockets", "keep", "prove"] {
        let mut world = World::before(|_| {});
        world.serve();
        let output = world.fence(&["--fail-at", step]);
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(!output.status.success() && said.contains(step) && output.stdout.is_empty(), "{step}: {said}");
    }
}

#[test]
#[ignore = "needs namespaces"]
fn without_a_gate_or_with_a_gate_that_answers_wrongly_nothing_is_proved() {
    let world = World::before(|_| {});
    let begun = Instant::now();
    let output = world.fence(&[]);
    assert!(!output.status.success() && begun.elapsed() >= Duration::from_secs(30));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the gate does not answer"));

    let mut world = World::before(|_| {});
    world.serve();
    let output = world.fence(&["--allowed", "other.example.org"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("other.example.org is allowed and is answered with"), "{said}");
}

#[test]
#[ignore = "needs namespaces"]
fn the_proof_leaves_no_refusal_behind_and_the_rules_have_a_hash() {
    let mut world = World::before(|_| {});
    world.serve();
    let output = world.fence(&["--allowed", "api.example.org"]);
    let proof: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(proof["rules"].as_str().unwrap().len(), 64);
    assert!(proof["tried"].as_array().unwrap().len() >= 4, "{proof}");
    let mut other = World::before(|_| {});
    other.serve();
    let again = other.fence(&[]);
    assert_eq!(proof["rules"], serde_json::from_slice::<serde_json::Value>(&again.stdout).unwrap()["rules"]);
    let GateLine::Report { denied, .. } = world.report() else { panic!() };
    assert_eq!(denied, []);
}

#[test]
#[ignore = "needs namespaces"]
fn row_06_a_gate_that_is_killed_in_mid_transfer_closes_and_the_next_one_goes_on_in_the_same_namespace() {
    let mut world = World::new();
    let mut stream = world.reach("api.example.org").unwrap();
    stream.write_all(b"SEND 500000000\n").unwrap();
    let mut room = vec![0; 1 << 16];
    stream.read_exact(&mut room).unwrap();
    // Killed, not asked.
    world.gate = None;
    let mut rest = Vec::new();
    let cut = stream.read_to_end(&mut rest);
    assert!(cut.is_err() && rest.len() < 500_000_000, "{cut:?}");
    world.internet.forget();
    // Nothing gets through meanwhile, whatever is tried.
    let tried = world.agent(|| {
        let mut stream = dial(([11, 0, 0, 66], 443)).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        stream.write_all(b"x").and_then(|()| stream.read(&mut [0; 1]))
    });
    assert!(tried.is_err(), "{tried:?}");
    assert!(world.agent(|| dial(([11, 0, 0, 66], 80)).map(drop)).is_err());
    world.internet.saw_nothing();
    world.serve();
    until("the next gate", || matches!(world.lines().last(), Some(GateLine::Ready { .. })));
    echo(&mut world.reach("api.example.org").unwrap(), "hello").unwrap();
}

#[test]
#[ignore = "needs namespaces"]
fn row_35_an_upload_without_end_ends() {
    let world = World::with(|limits| limits.bytes_up = 3_000_000);
    let mut stream = world.reach("api.example.org").unwrap();
    let piece = [b'x'; 8 * 1024];
    let sent = (0..10_000).take_while(|_| stream.write_all(&piece).is_ok()).count();
    assert!(sent < 2_000, "{sent} pieces");
    let denial = world.one_refusal();
    assert_eq!((denial.reason, denial.host.as_deref()), (DenyReason::LimitBytes, Some("api.example.org")));
    // Another connection does not begin anew.
    assert!(world.reach("api.example.org").is_err());
    echo(&mut world.reach("a.files.example.org").unwrap(), "hello").unwrap();
}

#[test]
#[ignore = "needs namespaces"]
fn row_34_half_open_and_huge_hellos_hurt_nobody_else() {
    let world = World::with(|limits| limits.connections = 40);
    // Half-open ones: each is closed when its time is up.
    let begun = Instant::now();
    let waited = world.agent(|| {
        let open: Vec<_> = (0..30).map(|_| dial(([11, 0, 0, 66], 443)).unwrap()).collect();
        for mut stream in &open {
            stream.write_all(&[22, 3, 1]).unwrap();
        }
        let mut said = Vec::new();
        (&open[0]).read_to_end(&mut said).unwrap();
        said
    });
    assert_eq!((waited, begun.elapsed() < Duration::from_secs(5)), (vec![21, 3, 3, 0, 2, 2, 49], true));
    echo(&mut world.reach("api.example.org").unwrap(), "hello").unwrap();
    assert_eq!(world.one_refusal().reason, DenyReason::TlsHelloTimeout);

    let world = World::new();
    let huge: Vec<u8> = (0..20).flat_map(|_| [[22, 3, 1, 0x3f, 0xff].as_slice(), &[1; 0x3fff]].concat()).collect();
    assert!(world.raw(&huge).ends_with(&[49]));
    assert_eq!(world.one_refusal().reason, DenyReason::TlsNotTls);
    world.internet.saw_nothing();
}

#[test]
#[ignore = "needs namespaces"]
fn too_many_connections_are_refused_and_there_is_room_again() {
    let world = World::with(|limits| limits.connections = 4);
    let open: Vec<_> = (0..4).map(|_| world.reach("api.example.org").unwrap()).collect();
    world.reach("api.example.org").map(drop).unwrap_err();
    assert_eq!(world.one_refusal().reason, DenyReason::LimitConns);
    drop(open);
    until("room", || world.reach("api.example.org").is_ok());
}

#[test]
#[ignore = "needs namespaces"]
fn row_34_what_an_agent_writes_reaches_the_log_as_plain_text() {
    let world = World::new();
    let raw = b"GET / HTTP/1.1\r\nHost: \xc2\x9b2Jowned\xff\r\n\r\n".to_vec();
    world.raw(&raw);
    let denial = world.one_refusal();
    let host = denial.host.unwrap();
    assert!(host.contains("owned") && host.chars().all(|c| c.is_ascii_graphic()), "{host}");
}
