//! A gate that serves has taken from itself what it does not need.

use crate::{
    agent::{dial, echo},
    api::{self, BODY, PORT, UPSTREAM},
    world::{Process, World, inside, namespace, until},
};
use hydra_core::{
    ContainerType,
    egress::{
        EgressPolicy,
        gate::{Confined, GateConfig, GateLine},
    },
};
use nix::{errno::Errno, sys::signal::Signal::SIGSYS};
use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    os::unix::process::ExitStatusExt as _,
    process::Command,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hydra-gate");

/// A number of a thread's status.
fn number(status: &str, name: &str) -> u32 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("{name}: {status}")).trim().parse().unwrap()
}

#[test]
#[ignore = "needs namespaces"]
fn every_thread_of_a_gate_that_serves_is_confined_and_it_says_how() {
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let world = World::new();
    echo(&mut world.reach("api.example.org").unwrap(), "hello").unwrap();
    let gate = world.gate.as_ref().unwrap().id();
    let threads: Vec<String> = fs::read_dir(format!("/proc/{gate}/task"))
        .unwrap()
        .map(|thread| fs::read_to_string(thread.unwrap().path().join("status")).unwrap())
        .collect();
    // The gate serves on one; what a library starts besides would be seen here.
    assert_eq!(threads.len(), 1, "{threads:#?}");
    for status in &threads {
        assert_eq!((number(status, "NoNewPrivs"), number(status, "Seccomp")), (1, 2), "{status}");
        assert_eq!(number(status, "Seccomp_filters"), number(&own, "Seccomp_filters") + 3, "{status}");
    }
    let lines = world.lines();
    assert!(matches!(lines[..], [GateLine::Ready { confined: Confined { seccomp: true, .. }, .. }]), "{lines:?}");
}

#[test]
#[ignore = "needs namespaces"]
fn a_confined_gate_opens_no_file_starts_no_program_and_reaches_no_other_port() {
    let folder = tempfile::tempdir().unwrap();
    let config = GateConfig::of(&EgressPolicy::default(), ContainerType::Builder, "hydra-test");
    fs::write(folder.path().join("gate.json"), serde_json::to_vec(&config).unwrap()).unwrap();
    let place = namespace();
    let output = inside(place.id(), PROGRAM, &["--dir", folder.path().to_str().unwrap(), "confined"]).output().unwrap();
    // Another program is the last thing that it tries, and the end of it.
    assert_eq!(output.status.signal(), Some(SIGSYS as i32), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let (confined, tried) = said.split_once('\n').unwrap();
    let confined: Confined = serde_json::from_str(confined).unwrap();
    let tried: BTreeMap<&str, &str> = tried.lines().map(|line| line.split_once(": ").unwrap()).collect();
    let number = |errno: Errno| (errno as i32).to_string();
    let (denied, refused, nowhere) = (number(Errno::EPERM), number(Errno::EACCES), number(Errno::ENETUNREACH));
    // What landlock alone refuses depends on what the kernel has: files from its first version on, ports from the fourth.
    let files = if confined.landlock.is_some() { refused.as_str() } else { "done" };
    let ports = confined.landlock.is_some_and(|version| version >= 4);
    let (dialled, listened) = if ports { (refused.as_str(), refused.as_str()) } else { (nowhere.as_str(), "done") };
    let expected = [
        ("keep a file", "done"),
        ("read a file", denied.as_str()),
        ("write elsewhere", files),
        ("dial a port of its own", nowhere.as_str()),
        ("dial another port", dialled),
        ("listen", listened),
        ("Unix socket", denied.as_str()),
        ("netlink socket", denied.as_str()),
        ("ping socket", denied.as_str()),
        ("signal another", denied.as_str()),
        ("another process", denied.as_str()),
    ];
    assert_eq!(tried, expected.into());
    assert_eq!(fs::read_to_string(folder.path().join("kept/tried.json")).unwrap(), "{}");
}

#[test]
#[ignore = "needs namespaces"]
fn another_process_of_the_same_user_reads_nothing_of_a_gate() {
    const NO_CAPABILITY: [&str; 3] = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
    let mut world = World::before(|_| {});
    world.serve_under(&NO_CAPABILITY);
    let mut world = world.fenced(&["--allowed", "api.example.org"]);
    let other = Process::start(Command::new(NO_CAPABILITY[0]).args(&NO_CAPABILITY[1..]).args(["sleep", "600"]));
    let reads = |pid: u32| {
        let mut command = Command::new(NO_CAPABILITY[0]);
        command.args(&NO_CAPABILITY[1..]).args(["cat", &format!("/proc/{pid}/environ")]);
        command.output().unwrap().status.success()
    };
    until("a process like any other", || reads(other.id()));
    assert!(!reads(world.gate.as_ref().unwrap().id()));
    // A gate as it is in a container, without any capability, serves to its end.
    echo(&mut world.reach("api.example.org").unwrap(), "hello").unwrap();
    assert!(matches!(world.report(), GateLine::Report { .. }));
}

#[test]
#[ignore = "needs namespaces"]
fn a_place_is_found_by_the_gates_own_resolver_whatever_its_address() {
    const NAME: &str = "models.example.org";
    let world = api::world(|route| route.upstream.endpoint = format!("{NAME}:{UPSTREAM}").parse().unwrap());
    let inside = Ipv4Addr::new(10, 0, 0, 7);
    world.internet.moves(NAME, inside);
    // Whatever address is dialled, it is the internet's own.
    let listener = world.internet.there(move || TcpListener::bind((inside, UPSTREAM)).unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        _ = stream.read(&mut [0; 4096]);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine").unwrap();
    });
    let said = world.agent(|| {
        let mut stream = dial(([127, 0, 0, 1], PORT)).unwrap();
        let head = "POST /v1/messages HTTP/1.1\r\nHost: model\r\nConnection: close\r\nContent-Length";
        stream.write_all(format!("{head}: {}\r\n\r\n{BODY}", BODY.len()).as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    });
    assert!(said.starts_with("HTTP/1.1 200 ") && said.ends_with("fine"), "{said}");
    assert!(world.internet.questions().iter().any(|question| question.starts_with(NAME)));
}
