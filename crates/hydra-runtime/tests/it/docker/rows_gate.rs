//! A gate that the engine kills for its memory, in the middle of things (row 6).

use super::{
    Yard, docker,
    gated::gated,
    range::{Range, holder, part},
    ready,
};
use hydra_core::ports::Runtime as _;
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
