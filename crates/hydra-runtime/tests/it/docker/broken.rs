//! Starts of a job behind a gate that fail at one request after the other: nothing is started, and nothing is left on engine or host.

use super::{Yard, docker, gated::gated};
use hydra_core::{
    job::{Network, RuntimeStatus},
    ports::{Runtime, Started},
};
use hydra_runtime::{DockerConfig, DockerRuntime};
use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    task::JoinSet,
};

/// An engine whose nth request that changes something fails.
struct Faulty {
    socket: PathBuf,
    _dir: tempfile::TempDir,
    tasks: JoinSet<()>,
    changes: Arc<AtomicUsize>,
}

impl Faulty {
    fn at(nth: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let changes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&changes);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(pass(stream, Arc::clone(&counted), nth));
            }
        });
        Self { socket, _dir: dir, tasks, changes }
    }
}

async fn pass(mut client: UnixStream, changes: Arc<AtomicUsize>, nth: usize) {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let Ok(read) = client.read(&mut piece).await else { return };
        if read == 0 {
            return;
        }
        head.extend_from_slice(&piece[..read]);
    }
    // What takes away is let through: a start that failed must be able to clear up.
    let changes_something = head.starts_with(b"POST") || head.starts_with(b"PUT");
    if changes_something && changes.fetch_add(1, Ordering::SeqCst) + 1 == nth {
        let body = r#"{"message":"a fault was put in"}"#;
        let answer = format!(
            "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        _ = client.write_all(answer.as_bytes()).await;
        _ = client.shutdown().await;
        // Who is still sending would hear of a broken pipe before it hears the answer.
        let rest = async { while client.read(&mut piece).await.is_ok_and(|read| read > 0) {} };
        _ = tokio::time::timeout(Duration::from_secs(2), rest).await;
        return;
    }
    let Ok(mut engine) = UnixStream::connect(super::SOCKET).await else { return };
    if engine.write_all(&head).await.is_ok() {
        _ = tokio::io::copy_bidirectional(&mut client, &mut engine).await;
    }
}

/// What the engine has of a network, and the host for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Traces {
    /// The networks of this name: how many containers are on each, and which interfaces are on its bridge.
    bridges: BTreeMap<String, (String, BTreeSet<String>)>,
    /// Routes and rules of the host that name one of these bridges.
    lines: BTreeSet<String>,
}

impl Traces {
    fn of(network: &str) -> Self {
        let ids = docker(&["network", "ls", "-q", "--filter", &format!("name=^{network}$")]);
        let mut traces = Self::default();
        for bridge in ids.lines().map(|id| format!("br-{id}")) {
            let on = docker(&["network", "inspect", "-f", "{{len .Containers}}", &bridge[3..]]);
            let ports = names(&format!("/sys/class/net/{bridge}/brif"));
            traces.lines.extend(host().filter(|line| line.contains(&bridge)));
            traces.bridges.insert(bridge, (on, ports));
        }
        traces
    }
}

/// Routes and rules of the host, without what traffic changes.
fn host() -> impl Iterator<Item = String> {
    let told = [&["ip", "route"][..], &["ip", "-6", "route"], &["iptables-save"], &["ip6tables-save"]].map(|words| {
        let told = std::process::Command::new(words[0]).args(&words[1..]).output().unwrap();
        assert!(told.status.success(), "{words:?}: {told:?}");
        String::from_utf8(told.stdout).unwrap()
    });
    let lines: Vec<String> =
        told.iter().flat_map(|told| told.lines()).map(|line| line.replace(" linkdown", "")).collect();
    lines.into_iter()
}

fn names(folder: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Network namespaces that are kept by name: the engine's, and those of `ip netns`. Of one that was given up the engine leaves an empty file
/// until it sweeps, which it does once a minute: that is none.
fn kept() -> BTreeSet<String> {
    let folders = ["/run/docker/netns", "/run/netns"].map(Path::new);
    let mut kept = BTreeSet::new();
    for folder in folders.into_iter().filter(|folder| folder.exists()) {
        let around = folder.metadata().unwrap().dev();
        let is_mounted = |name: &String| folder.join(name).metadata().is_ok_and(|file| file.dev() != around);
        kept.extend(names(&folder.to_string_lossy()).into_iter().filter(is_mounted));
    }
    kept
}

/// Those of them that belong to no container.
fn unowned() -> BTreeSet<String> {
    let mut kept = kept();
    for id in docker(&["ps", "-aq"]).lines() {
        // Another test's may be gone by now.
        let shown = std::process::Command::new("docker")
            .args(["inspect", "-f", "{{.NetworkSettings.SandboxKey}}", id])
            .output()
            .unwrap();
        let key = String::from_utf8(shown.stdout).unwrap();
        kept.remove(key.trim().rsplit('/').next().unwrap_or_default());
    }
    kept
}

/// Other tests' containers come and go while one looks, so what is seen once is looked for again.
async fn unowned_end(before: &BTreeSet<String>, nth: usize) {
    let begun = Instant::now();
    let mut stay: BTreeSet<String> = unowned().difference(before).cloned().collect();
    while !stay.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(10), "after a fault at request {nth} there stay {stay:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = unowned();
        stay.retain(|name| now.contains(name));
    }
}

#[tokio::test]
#[ignore = "needs images"]
async fn whatever_step_of_a_start_fails_the_job_does_not_start_and_nothing_is_left() {
    let mut yard = Yard::new();
    let mut spec = yard.job("echo ran; sleep 600");
    // The start makes this network itself, so that a request for it fails too.
    let network = gated(&yard, &mut spec);
    let before = unowned();
    let (mut made, mut without_network) = (None, 0);
    let Network::Gated(gate) = &mut spec.network else { unreachable!() };
    gate.services = vec![super::services::sleeper()];
    let mut steps = 0;
    for nth in 1..60 {
        let mut faulty = Faulty::at(nth);
        let config = DockerConfig { socket: faulty.socket.clone(), instance: yard.instance.clone() };
        let begun = Instant::now();
        let started = DockerRuntime::new(config).start(&spec).await;
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "a fault at request {nth} is waited for: {:?}",
            begun.elapsed()
        );
        let changes = faulty.changes.load(Ordering::SeqCst);
        faulty.tasks.shutdown().await;
        if changes < nth {
            assert_eq!(started.unwrap(), Started::New);
            break;
        }
        steps = nth;
        let error = started.unwrap_err();
        assert!(error.message.contains("a fault was put in"), "{nth}: {error}");
        assert_eq!(yard.left(), "", "after a fault at request {nth}: {error}");
        let seen = Traces::of(&network);
        // The network of jobs stays for the next one; from then on it is as the first request left it.
        if made.is_none() && seen.bridges.len() == 1 {
            made = Some(seen.clone());
        }
        assert_eq!(seen, made.clone().unwrap_or_default(), "after a fault at request {nth}: {error}");
        unowned_end(&before, nth).await;
        without_network += usize::from(made.is_none());
    }
    assert!(without_network == 1 && made.is_some(), "the request for the network failed too: {without_network}");
    println!("{steps} requests of a start were made to fail, one after the other");
    assert!(steps >= 12, "{steps} requests");
    assert!(matches!(super::status(&yard.runtime, &spec).await, Some(RuntimeStatus::Running)));
    // One that is there is seen: the job's own, and its gate's.
    let (all, none) = (kept(), unowned());
    assert!(all.difference(&none).count() >= 2, "{all:?}");
    yard.clear().await;
    docker(&["network", "rm", &network]);
}
