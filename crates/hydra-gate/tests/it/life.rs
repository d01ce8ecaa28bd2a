//! Starts that fail, gates that die, bounds that are reached.

use crate::{
    agent::{Tls, dial, echo, shake},
    internet::{API, ATTACKER},
    world::{World, until},
};
use hydra_core::egress::{DenyReason, gate::GateLine};
use std::{
    io::{Read as _, Write as _},
    net::Shutdown,
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
    nothing_opens(&world);
    world.serve();
    until("the next gate", || matches!(world.lines().last(), Some(GateLine::Ready { .. })));
    echo(&mut world.reach("api.example.org").unwrap(), "hello").unwrap();
}

/// A connection to the attacker waits or is refused, an answer never comes, and the attacker sees nothing.
#[track_caller]
fn nothing_opens(world: &World) {
    let tried = world.attack(|| {
        let mut stream = dial((ATTACKER, 443))?;
        stream.set_read_timeout(Some(Duration::from_millis(300)))?;
        stream.write_all(b"x").and_then(|()| stream.read(&mut [0; 1]))
    });
    assert!(tried.is_err(), "{tried:?}");
    assert!(world.attack(|| dial((ATTACKER, 80)).map(drop)).is_err());
    assert_eq!((world.internet.calls(), world.internet.packets("attacker")), (Vec::new(), 0));
}

#[test]
#[ignore = "needs namespaces"]
fn row_06_a_gate_without_descriptors_lets_connections_wait_and_is_back_when_it_has_some() {
    let mut world = World::before(|limits| limits.hello_millis = 4_000);
    // Enough to serve, and too few for those who come.
    world.serve_under(&["prlimit", "--nofile=40"]);
    let mut world = world.fenced(&["--allowed", "api.example.org"]);
    let open: Vec<_> = world.agent(|| (0..80).map(|_| dial((ATTACKER, 443)).unwrap()).collect());
    let gate = world.gate.as_ref().unwrap().id();
    let used = || std::fs::read_dir(format!("/proc/{gate}/fd")).unwrap().count();
    until("a gate without descriptors", || used() >= 40);
    nothing_opens(&world);
    assert!(used() >= 40, "it was without descriptors all the while");
    drop(open);
    until("the gate", || world.reach("api.example.org").is_ok_and(|mut stream| echo(&mut stream, "hello").is_ok()));
    assert!(matches!(world.report(), GateLine::Report { .. }), "the very gate");
}

#[test]
#[ignore = "needs namespaces"]
fn row_35_an_upload_without_end_ends() {
    const BOUND: u64 = 3_000_000;
    let world = World::with(|limits| limits.bytes_up = BOUND);
    let pour = |mut stream: Tls, pieces: usize| {
        stream.write_all(b"TAKE").unwrap();
        let piece = [b'x'; 8 * 1024];
        // The two words are two records: what is to be taken comes behind the first.
        std::thread::sleep(Duration::from_millis(200));
        let sent = (0..pieces).take_while(|_| stream.write_all(&piece).is_ok()).count();
        // Closed without having read everything, a socket throws away what it has not sent yet.
        _ = stream.sock.shutdown(Shutdown::Write).and_then(|()| stream.sock.read_to_end(&mut Vec::new()));
        sent
    };
    world.internet.arrives(move || pour(shake(dial((API, 443)).unwrap(), "api.example.org").unwrap(), 1_000));
    until("all of it, unfenced", || world.internet.taken().1 == 8_192_000);
    let sent = pour(world.reach("api.example.org").unwrap(), 10_000);
    // What the kernel holds for both sockets is sent too, and never taken.
    assert!(sent < 5_000, "{sent} pieces");
    assert!(world.internet.taken().0 <= BOUND, "{}", world.internet.taken().0);
    // With the one that comes below.
    let denial = world.one_refusal_of(2);
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
    let half_open = |patience: Duration| {
        let open: Vec<_> = (0..30).map(|_| dial((ATTACKER, 443)).unwrap()).collect();
        for mut stream in &open {
            stream.write_all(&[22, 3, 1]).unwrap();
        }
        let mut said = Vec::new();
        open[0].set_read_timeout(Some(patience)).unwrap();
        _ = (&open[0]).read_to_end(&mut said);
        said
    };
    let waited = world.internet.arrives(move || half_open(Duration::from_secs(2)));
    assert!(waited.is_empty(), "unfenced a server waits longer: {waited:?}");
    let begun = Instant::now();
    let waited = world.agent(move || half_open(Duration::from_secs(10)));
    assert_eq!((waited, begun.elapsed() < Duration::from_secs(5)), (vec![21, 3, 3, 0, 2, 2, 49], true));
    echo(&mut world.reach("api.example.org").unwrap(), "hello").unwrap();
    // Each of them is one.
    assert_eq!(world.one_refusal_of(30).reason, DenyReason::TlsHelloTimeout);

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
    assert_eq!(denial.reason, DenyReason::ConnectMethod);
    world.internet.saw_nothing();
    let host = denial.host.unwrap();
    assert!(host.contains("owned") && host.chars().all(|c| c.is_ascii_graphic()), "{host}");
}
