//! A gate that breaks down in the middle of things (row 6): for its memory, by a kill, and for good.

use super::{
    Yard, docker,
    engine_proxy::EngineProxy,
    gated::gated,
    range::{Range, holder, part, state},
    ready, status,
};
use hydra_core::{
    egress::gate::GateLine,
    job::{JobSpec, Network, RuntimeStatus},
    ports::{Runtime as _, Started},
};
use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Half of a long hello, on as many connections as there may be, and as often as the gate comes back.
const EXHAUST: &str = "
import socket, time
half = b'\\x16\\x03\\x01\\x3f\\xff' + b'\\x01\\x00\\xff\\xf0' + b'x' * 16000
while True:
    open = []
    for _ in range(500):
        s = socket.socket()
        s.settimeout(0.2)
        try:
            s.connect(('11.0.0.66', 443))
            for _ in range(3): s.send(half)
        except OSError: pass
        open.append(s)
    time.sleep(0.2)
";

/// A process that is killed when the test is done with it.
struct Attack(Child);
impl Drop for Attack {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[tokio::test]
#[ignore = "needs images"]
async fn row_06_a_gate_out_of_memory_opens_nothing_and_is_back_when_it_has_some() {
    let mut yard = Yard::new();
    let range = Range::of(&yard);
    let mut spec = yard.job("echo ready; sleep 600");
    gated(&yard, &mut spec);
    yard.runtime.start(&spec).await.unwrap();
    ready(&yard.runtime, &spec).await;
    let (gate, pid) = (part(&spec, "gate"), holder(&spec));
    let deaths = || docker(&["inspect", "-f", "{{.RestartCount}}", &gate]).parse::<u32>().unwrap();
    let asked = || {
        docker(&[
            "exec",
            spec.key.id().as_str(),
            "sh",
            "-c",
            "timeout 2 nslookup -type=a api.example.org 1.1.1.1 | grep -c 198.18. || true",
        ]) == "1"
    };
    assert!(asked() && deaths() == 0);
    docker(&["update", "--memory", "12m", "--memory-swap", "12m", &gate]);
    let before = range.packets();
    let attack = Command::new("nsenter")
        .args(["--target", &pid, "--net", "python3", "-c", EXHAUST])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let attack = Attack(attack.unwrap());
    let begun = Instant::now();
    while deaths() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the gate does not run out of memory");
        // Whatever is tried meanwhile is refused, or waits: nobody answers, and nothing leaves.
        let tried = format!("echo x | nc -w 1 {0} 443; echo x | nc -w 1 {0} 9000; true", range.sink);
        assert_eq!(
            docker(&[
                "exec",
                spec.key.id().as_str(),
                "sh",
                "-c",
                &format!("{{ {tried}; }} | head -c 1 | grep -c x || true")
            ]),
            "0"
        );
    }
    assert_eq!(range.packets(), before);
    drop(attack);
    docker(&["update", "--memory", "512m", "--memory-swap", "512m", &gate]);
    let begun = Instant::now();
    while !asked() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the gate does not come back");
    }
    assert_eq!(holder(&spec), pid, "the namespace was touched by nobody");
    yard.runtime.stop(&spec.key.id(), Duration::ZERO).await.unwrap();
    range.clear(yard).await;
}

/// A script in the agent's container.
fn as_agent(spec: &JobSpec, script: &str) -> String {
    docker(&["exec", spec.key.id().as_str(), "sh", "-c", script])
}

#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what} never comes");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// SIGKILL from outside: the engine is not told that anybody wanted it.
fn kill(container: &str) {
    let pid: i32 = docker(&["inspect", "-f", "{{.State.Pid}}", container]).parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test]
#[ignore = "needs images"]
async fn row_06_a_gate_that_is_killed_comes_back_and_one_that_is_gone_for_good_opens_nothing_and_is_told_of() {
    let mut yard = Yard::new();
    let range = Range::of(&yard);
    let mut spec = yard.job("echo ready; sleep 600");
    gated(&yard, &mut spec);
    let Network::Gated(gate) = &mut spec.network else { unreachable!() };
    // The one place that is open: whatever is dialled at this port ends there, and comes back as an echo.
    gate.config.model = Some(format!("{}:9000", range.sink).parse().unwrap());
    // As often as the engine is asked to start a gate again would take a quarter of an hour.
    let engine = EngineProxy::new(|role, asked| {
        if role == "gate" {
            let most = &mut asked["HostConfig"]["RestartPolicy"]["MaximumRetryCount"];
            assert_eq!(*most, 20);
            *most = 2.into();
        }
    });
    let runtime = engine.runtime(&yard.instance);
    assert_eq!(runtime.start(&spec).await, Ok(Started::New));
    ready(&runtime, &spec).await;
    let (id, gate, pid) = (spec.key.id(), part(&spec, "gate"), holder(&spec));
    let fenced = state(&pid);
    let echoed = |word: &str| as_agent(&spec, &format!("echo {word} | timeout 2 nc 11.0.0.7 9000 || true")) == word;
    assert!(echoed("zero"));

    // In the middle of a transfer: it is cut off, and the next gate serves in the same namespace.
    let transfer =
        "cd /workspace; mkfifo way; nc 11.0.0.7 9000 <way >said & exec 3>way; echo one >&3; wait; echo cut >>said";
    docker(&["exec", "-d", id.as_str(), "sh", "-c", transfer]);
    until("the transfer", || as_agent(&spec, "cat /workspace/said") == "one");
    kill(&gate);
    until("its end", || as_agent(&spec, "cat /workspace/said") == "one\ncut");
    until("the next gate", || echoed("two"));
    let begun = |lines: &[GateLine]| lines.iter().filter(|line| matches!(line, GateLine::Ready { .. })).count();
    let gone = |lines: &[GateLine]| lines.iter().any(|line| matches!(line, GateLine::Gone { .. }));
    let told = runtime.told(&id).await.unwrap();
    assert_eq!((begun(&told), gone(&told)), (2, false), "{told:#?}");

    // As often as it may, and once more.
    kill(&gate);
    until("the last gate", || echoed("three"));
    kill(&gate);
    let seen = || docker(&["inspect", "-f", "{{.State.Status}} {{.RestartCount}}", &gate]);
    until("its end", || seen() == "exited 2");
    let before = range.packets();
    // Connections are refused or wait; none opens, and no name is answered.
    let attacks = [
        "echo x | timeout 2 nc 11.0.0.7 9000",
        "echo x | timeout 2 nc 11.0.0.7 443",
        "timeout 2 nslookup -type=a api.example.org 1.1.1.1 | grep 198.18.",
    ];
    for attack in attacks.map(str::to_owned).into_iter().chain([format!("echo x | timeout 2 nc {} 9000", range.sink)]) {
        assert_eq!(as_agent(&spec, &format!("{attack} || true")), "", "{attack}");
    }
    assert_eq!(
        as_agent(&spec, &format!("timeout 9 nc {} 8080 </dev/null 2>/dev/null || echo refused", range.sink)),
        "refused"
    );
    assert_eq!((range.packets() - before, seen().as_str()), (0, "exited 2"));
    assert_eq!(state(&pid), fenced, "the namespace was touched by nobody");

    // The job runs on until somebody stops it; whoever asks is told, as often as it is asked.
    let told = runtime.told(&id).await.unwrap();
    assert_eq!((begun(&told), told.last()), (3, Some(&GateLine::Gone { exit: Some(137) })), "{told:#?}");
    assert_eq!(status(&runtime, &spec).await, Some(RuntimeStatus::Running));
    assert_eq!(runtime.start(&spec).await, Ok(Started::Adopted));
    // Of a job that ends within 15 s of its gate, one reason ended both.
    tokio::time::sleep(Duration::from_secs(16)).await;
    runtime.stop(&id, Duration::ZERO).await.unwrap();
    for _ in 0..2 {
        assert_eq!(runtime.collect(&id, 1000).await.unwrap().gate, told);
    }
    range.clear(yard).await;
}
