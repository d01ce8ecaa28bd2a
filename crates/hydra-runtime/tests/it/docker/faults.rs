//! What goes wrong with containers, images and the engine, and what is said of it.

use super::{Yard, docker, exit, image, output, ready, runtime, status};
use futures_util::StreamExt;
use hydra_core::{
    job::{ImageRef, InputFile},
    ports::{Runtime, RuntimeError, RuntimeErrorKind, Selector},
};
use hydra_runtime::{DockerConfig, DockerRuntime};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixListener,
    path::Path,
    thread,
};

#[tokio::test]
#[ignore = "needs docker"]
async fn out_of_memory_is_told_apart_from_a_kill() {
    let mut yard = Yard::new();
    // tail keeps the last line, and /dev/zero has no line end.
    let mut greedy = yard.job("tail /dev/zero");
    greedy.limits.memory_mib = 16;
    // What uses up its workspace gets an error, not a kill: the wrapper reports it with an exit code of its own.
    let full = yard.job("dd if=/dev/zero of=/workspace/big bs=1M 2>&1; echo $?; exit 22");
    let killed = yard.job("echo ready; sleep 600");
    for spec in [&greedy, &full, &killed] {
        yard.runtime.start(spec).await.unwrap();
    }
    assert_eq!(exit(&yard.runtime, &greedy).await, (137, true));
    assert_eq!(exit(&yard.runtime, &full).await, (22, false));
    let said = output(&yard.runtime, &full).await;
    assert!(said.iter().any(|line| line.contains("No space left on device")), "{said:?}");
    ready(&yard.runtime, &killed).await;
    docker(&["kill", killed.key.id().as_str()]);
    assert_eq!(exit(&yard.runtime, &killed).await, (137, false));
    yard.clear().await;
}

#[tokio::test]
#[ignore = "needs docker"]
async fn a_container_that_was_removed_from_outside_is_not_there() {
    let mut yard = Yard::new();
    let spec = yard.job("echo ready; sleep 600");
    let job = spec.key.id();
    yard.runtime.start(&spec).await.unwrap();
    ready(&yard.runtime, &spec).await;
    let mut lines = yard.runtime.follow(&job).await.unwrap();
    docker(&["rm", "-f", job.as_str()]);
    // A follower is not kept waiting.
    while let Some(line) = lines.next().await {
        drop(line);
    }
    assert_eq!(status(&yard.runtime, &spec).await, None);
    assert_eq!(yard.runtime.list(&Selector::Mine).await, Ok(Vec::new()));
    assert_eq!(yard.runtime.collect(&job, 1).await.unwrap_err().kind, RuntimeErrorKind::NotFound);
    assert_eq!(yard.runtime.stop(&job, std::time::Duration::ZERO).await, Ok(()));
    assert_eq!(yard.left().lines().count(), 3, "its volumes are still there: {}", yard.left());
    yard.clear().await;
}

#[tokio::test]
#[ignore = "needs docker"]
async fn an_image_must_be_the_pinned_one() {
    let mut yard = Yard::new();
    let elsewhere = format!("sha256:{}", "0".repeat(64));
    for (name, pin, part) in [
        ("hydra-nowhere", elsewhere.as_str(), "is not there"),
        ("hydra-test-busybox:1", elsewhere.as_str(), "is pinned"),
        ("hydra-test-busybox:1", "", "is not pinned by ID or digest"),
        ("hydra-test-busybox:1", "hydra-test-busybox:1", "is not pinned by ID or digest"),
        ("x", &format!("hydra-test-busybox@{elsewhere}"), "is not there"),
    ] {
        let mut spec = yard.job("exit 0");
        image();
        spec.image = ImageRef { name: name.to_owned(), pin: pin.to_owned() };
        let error = yard.runtime.start(&spec).await.unwrap_err();
        assert_eq!(error.kind, RuntimeErrorKind::Image, "{error}");
        assert!(error.message.contains(part) && error.hint.is_some(), "{error}");
    }
    assert_eq!(yard.left(), "", "nothing is made for them");
    yard.clear().await;
}

#[tokio::test]
#[ignore = "needs docker"]
async fn an_image_without_its_program_says_so_and_one_without_any_leaves_nothing() {
    let mut yard = Yard::new();
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("empty.tar").display().to_string();
    fs::write(&archive, tar::Builder::new(Vec::new()).into_inner().unwrap()).unwrap();
    let wrong = docker(&["import", "-c", r#"ENTRYPOINT ["/nowhere"]"#, &archive]);
    let none = docker(&["import", &archive]);
    let mut spec = yard.job("exit 0");
    spec.image = ImageRef { name: "empty".to_owned(), pin: none.clone() };
    let error = yard.runtime.start(&spec).await.unwrap_err();
    assert_eq!(error.kind, RuntimeErrorKind::Refused, "{error}");
    assert_eq!(yard.left(), "");
    spec.image.pin.clone_from(&wrong);
    yard.runtime.start(&spec).await.unwrap();
    assert_eq!(exit(&yard.runtime, &spec).await, (127, false));
    let said: Vec<_> = yard.runtime.follow(&spec.key.id()).await.unwrap().collect().await;
    assert!(said.iter().flatten().any(|line| line.stderr && line.text.contains("/nowhere")), "{said:?}");
    yard.clear().await;
    docker(&["rmi", &wrong, &none]);
}

#[tokio::test]
#[ignore = "needs docker"]
async fn an_input_that_cannot_be_read_leaves_nothing() {
    let mut yard = Yard::new();
    let mut spec = yard.job("exit 0");
    spec.inputs.insert("repo.bundle".to_owned(), InputFile::Path("/nowhere/repo.bundle".into()));
    let error = yard.runtime.start(&spec).await.unwrap_err();
    assert!(error.message.contains("/nowhere/repo.bundle"), "{error}");
    assert_eq!(yard.left(), "");
    yard.clear().await;
}

fn at(socket: &Path) -> DockerRuntime {
    DockerRuntime::new(DockerConfig { socket: socket.to_owned(), instance: "x".to_owned() })
}

#[tokio::test]
async fn an_engine_that_does_not_answer_is_an_outage_and_never_an_empty_list() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let nowhere = at(&socket).list(&Selector::Mine).await.unwrap_err();
    assert_eq!(nowhere.kind, RuntimeErrorKind::Unavailable);
    assert_eq!(
        nowhere.to_string(),
        format!(
            "cannot ask the engine at {}: there is no Docker socket (start Docker (`systemctl start docker`), or name its socket \
             with runtime.socket or DOCKER_HOST)",
            socket.display()
        )
    );
    drop(UnixListener::bind(&socket).unwrap());
    let deaf = at(&socket).list(&Selector::Mine).await.unwrap_err();
    assert_eq!(deaf.kind, RuntimeErrorKind::Unavailable);
    assert!(deaf.message.contains("nobody listens"), "{deaf}");
}

/// What an engine says of itself that filters system calls.
const FILTERS: &str = r#"["name=apparmor","name=seccomp,profile=default"]"#;

/// An engine that answers `/version` and `/info`, and everything else with this status and message.
fn engine(socket: &Path, api: &str, security: &str, status: &str, message: &str) -> thread::JoinHandle<()> {
    let listener = UnixListener::bind(socket).unwrap();
    let version = format!(r#"{{"Version":"19.03.1","ApiVersion":"{api}","MinAPIVersion":"1.12"}}"#);
    let info = format!(r#"{{"NCPU":2,"MemTotal":1073741824,"OSType":"linux","SecurityOptions":{security}}}"#);
    let (status, message) = (status.to_owned(), format!(r#"{{"message":"{message}"}}"#));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let asked = lines.next().unwrap().unwrap();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let (status, body) = if asked.contains("/stop-this") {
                return;
            } else if asked.contains("/version") {
                ("200 OK", version.as_str())
            } else if asked.contains("/info") {
                ("200 OK", info.as_str())
            } else {
                (status.as_str(), message.as_str())
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
            write!(stream, "{head}\r\nConnection: close\r\n\r\n{body}").unwrap();
        }
    })
}

async fn answered(api: &str, status: &str, message: &str) -> RuntimeError {
    answered_by(api, FILTERS, status, message).await
}

async fn answered_by(api: &str, security: &str, status: &str, message: &str) -> RuntimeError {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let server = engine(&socket, api, security, status, message);
    let error = at(&socket).list(&Selector::Any).await.unwrap_err();
    let mut last = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    last.write_all(b"GET /stop-this HTTP/1.1\r\n\r\n").unwrap();
    server.join().unwrap();
    error
}

#[tokio::test]
async fn an_engine_that_is_too_old_is_named_with_what_is_needed() {
    let error = answered("1.40", "200 OK", "").await;
    assert_eq!(error.kind, RuntimeErrorKind::Unsupported);
    assert_eq!(
        error.to_string(),
        "Docker Engine 19.03.1 speaks API 1.12 to 1.40, and Hydra 1.41 to 1.53: they have none in common \
         (install Docker Engine 20.10 or newer)"
    );
}

#[tokio::test]
async fn an_engine_that_filters_no_system_calls_is_refused() {
    for security in ["[]", "null", r#"["name=seccomp,profile=unconfined"]"#, r#"["name=apparmor"]"#] {
        let error = answered_by("1.41", security, "200 OK", "").await;
        assert_eq!(error.kind, RuntimeErrorKind::Unsupported, "{security}");
        assert!(error.to_string().contains("(seccomp) (take seccomp-profile: unconfined out"), "{error}");
    }
}

#[tokio::test]
async fn a_full_disk_and_an_engine_that_goes_down_are_told_apart() {
    let full = answered("1.41", "500 Internal Server Error", "write /var/lib/docker/x: no space left on device").await;
    assert_eq!(full.kind, RuntimeErrorKind::Exhausted);
    assert!(full.to_string().contains("docker system df"), "{full}");
    let down = answered("1.41", "503 Service Unavailable", "the daemon is shutting down").await;
    assert_eq!(down.kind, RuntimeErrorKind::Unavailable);
    let other = answered("1.41", "500 Internal Server Error", "something else").await;
    assert_eq!(other.kind, RuntimeErrorKind::Failed);
}

#[tokio::test]
#[ignore = "needs docker"]
async fn what_a_job_may_not_ask_for_is_refused_before_anything_is_made() {
    let mut yard = Yard::new();
    let plain = yard.job("exit 0");
    let mut host = plain.clone();
    host.network = hydra_core::job::Network::Named("host".to_owned());
    let mut socket = plain.clone();
    socket.inputs.insert("engine".to_owned(), InputFile::Path("/var/run/docker.sock".into()));
    let mut device = plain;
    device.inputs.insert("disk".to_owned(), InputFile::Path("/dev/zero".into()));
    for spec in [host, socket, device] {
        assert_eq!(runtime(&yard.instance).start(&spec).await.unwrap_err().kind, RuntimeErrorKind::Refused);
    }
    assert_eq!(yard.left(), "");
    yard.clear().await;
}
