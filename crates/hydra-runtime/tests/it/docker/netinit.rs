//! Row 5 through the engine: each step of making and proving a fence goes wrong in the real container in which it is taken. The job is never
//! started, the step is named with what to do, and nothing is left.

use super::{
    Yard, docker,
    engine_proxy::EngineProxy,
    gated::{closed_network, gate_image, gated},
};
use futures_util::{StreamExt as _, stream};
use hydra_core::{
    egress::gate::GateLine,
    job::{ImageRef, JobSpec, Network},
    ports::{Runtime as _, RuntimeErrorKind, Started},
};
use hydra_runtime::DockerRuntime;
use serde_json::Value;
use std::{
    fs,
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const AT_ONCE: usize = 3;
const GATE: &str = "hydra-gate";

/// What is wrong.
#[derive(Clone, Copy)]
enum Wrong {
    /// Nothing: the control.
    Nothing,
    /// A program in the gate's image, and what stands in its place: a shell script in which `real` is the program itself.
    Program(&'static str, &'static str),
    /// Two of them.
    Programs([(&'static str, &'static str); 2]),
    /// What the engine is asked for: the part, and the change.
    Asked(&'static str, fn(&mut Value)),
}

/// Steps that go wrong, what goes wrong with each, and what must be said of it.
const FAULTS: [(&str, Wrong, &[&str]); 17] = [
    // The longest first: the proof gives a gate half a minute to begin.
    (
        "a gate that does not live, and says why",
        Wrong::Program(GATE, r#"[ "$1" = serve ] && { echo "its folder is upside down" >&2; exit 1; }; real "$@""#),
        &["net-init", "Prove: the gate does not answer", "its folder is upside down"],
    ),
    (
        "the namespace has a way out",
        // The network of the test's own, which leads nowhere.
        Wrong::Asked("holder", |asked| asked["HostConfig"]["NetworkMode"] = network_of(asked).into()),
        &["net-init", "Link: the namespace has an interface that is up", "eth0"],
    ),
    (
        "the right to fence the agent is withheld",
        Wrong::Asked("net-init", |asked| asked["HostConfig"]["CapAdd"] = Value::Null),
        &["net-init", "Link: ip link set lo up", "Operation not permitted"],
    ),
    (
        "the right to close the gate's own namespace is withheld",
        Wrong::Asked("close", |asked| asked["HostConfig"]["CapAdd"] = Value::Null),
        &["close", "nft -f -", "Operation not permitted"],
    ),
    (
        "IPv6 is there and switched off",
        Wrong::Asked("holder", |asked| asked["HostConfig"]["Sysctls"]["net.ipv6.conf.all.disable_ipv6"] = "1".into()),
        &["net-init", "Routes: ip -6 route replace local ::/0 dev lo"],
    ),
    (
        "the rules of the agent's namespace cannot be loaded",
        Wrong::Program("nft", r#"case "$by $*" in *net-init*-f*) echo no such kernel >&2; exit 3;; esac; real "$@""#),
        &["net-init", "Table: nft -f -", "exit status: 3: no such kernel"],
    ),
    (
        "the rules of the gate's namespace cannot be loaded",
        Wrong::Program("nft", r#"case "$by $*" in *close*-f*) echo no such kernel >&2; exit 3;; esac; real "$@""#),
        &["close", "nft -f -", "exit status: 3: no such kernel"],
    ),
    (
        "low ports are for those who have a right to them",
        Wrong::Asked("holder", |asked| {
            asked["HostConfig"]["Sysctls"]["net.ipv4.ip_unprivileged_port_start"] = "1024".into();
        }),
        &["net-init", "Sockets: Permission denied"],
    ),
    (
        "nobody keeps the sockets",
        Wrong::Program(GATE, r#"[ "$1" = hold ] && exec sleep 600; real "$@""#),
        &["net-init", "Keep: No such file or directory"],
    ),
    ("who was to keep the sockets hangs up", Wrong::Program(GATE, HANGS_UP), &["net-init", "Keep: "]),
    (
        "a gate of another policy",
        Wrong::Asked("net-init", |asked| {
            asked["Cmd"] = serde_json::json!(["net-init", "--allowed", "other.example.org"]);
        }),
        &["net-init", "Prove: other.example.org is allowed and is answered with"],
    ),
    (
        "rules that were never loaded, and a program that says they were",
        Wrong::Program("nft", r#"case "$by $*" in *net-init*-f*) exec cat >/dev/null;; esac; real "$@""#),
        &["net-init", "Prove: nft --json list counter inet hydra denied_tcp"],
    ),
    (
        "rules that let everything through",
        Wrong::Program("nft", OPEN),
        &["net-init", "Prove: 2 connections were refused, and the table counted 0"],
    ),
    (
        "rules that let everything through, and somebody who answers",
        Wrong::Programs([("nft", OPEN), (GATE, ANSWERS)]),
        &["net-init", "Prove: 192.0.2.1:9 was reached"],
    ),
    (
        "rules that drop and do not refuse",
        Wrong::Program(
            "nft",
            r#"case "$by $*" in *net-init*-f*) sed 's/ reject with .*//' | real "$@"; exit;; esac; real "$@""#,
        ),
        &["net-init", "Prove: 192.0.2.1:9 is not refused at once"],
    ),
    (
        "a proof that is none",
        Wrong::Program(GATE, r#"[ "$1" = net-init ] && { echo all is well; exit; }; real "$@""#),
        &["net-init", "does not say what it proved"],
    ),
    (
        "a namespace of the gate's that is not held",
        Wrong::Program(GATE, r#"[ "$1" = stand ] && { echo "I will not stand" >&2; exit 1; }; real "$@""#),
        &["close", "I will not stand"],
    ),
];

/// What is waited for as long as it may take; at night.
const NEVER_ENDS: (&str, Wrong, &[&str]) =
    ("a program that never ends", Wrong::Program("ip", "exec sleep 600"), &["net-init did not end within 60 s"]);

/// Rules without those that refuse.
const OPEN: &str = r#"case "$by $*" in
  *net-init*-f*) sed 's/policy drop/policy accept/; / reject with /d' | real "$@"; exit;;
esac
real "$@""#;
/// A holder that takes what comes and says nothing.
const HANGS_UP: &str = r#"[ "$1" = hold ] && exec perl -MIO::Socket::UNIX -e '
  umask 0; my $at = IO::Socket::UNIX->new(Local => "/run/hydra-gate/holder.sock", Listen => 5) or die $!; while (1) { $at->accept }'
real "$@""#;
/// A holder that does its work, and answers at the port that the proof dials.
const ANSWERS: &str = r#"[ "$1" = hold ] && perl -MIO::Socket::INET -e '
  my $at = IO::Socket::INET->new(LocalPort => 9, Listen => 5) or die $!; my @kept; while (my $one = $at->accept) { push @kept, $one }' &
real "$@""#;

/// The network of the test: the gate's own namespace is on it, and the name is told to the holder by a label of its job.
fn network_of(asked: &Value) -> String {
    format!("{}-net", asked["Labels"]["hydra.instance"].as_str().unwrap())
}

/// The gate's image with scripts in the places of programs.
fn image(name: &str, programs: &[(&str, &str)]) -> ImageRef {
    let folder = tempfile::tempdir().unwrap();
    docker(&["create", "--name", name, &gate_image().pin]);
    let copy = |from: &str, to: &str| docker(&["cp", from, to]);
    let inside = |path: &str| format!("{name}:{path}");
    for (program, script) in programs {
        let file = folder.path().join(program);
        let (place, head) = if *program == GATE {
            let real = folder.path().join("real").display().to_string();
            copy(&inside("/usr/local/bin/hydra-gate"), &real);
            copy(&real, &inside("/usr/local/bin/hydra-gate.real"));
            // It is told to end by a signal, so it must be the process itself.
            ("/usr/local/bin", "alias real='exec /usr/local/bin/hydra-gate.real'".to_owned())
        } else {
            // `by`: which part of the fence calls it.
            ("/usr/local/sbin", format!("by=$(tr '\\0' ' ' </proc/$PPID/cmdline)\nalias real=/usr/sbin/{program}"))
        };
        fs::write(&file, format!("#!/bin/sh\n{head}\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        copy(&file.display().to_string(), &inside(&format!("{place}/{program}")));
    }
    let pin = docker(&["commit", name]);
    docker(&["rm", name]);
    ImageRef { name: "wrong".to_owned(), pin }
}

/// What the engine makes and starts of an installation, from now on.
struct Watch {
    events: Child,
}

impl Watch {
    fn of(yard: &Yard) -> Self {
        let label = format!("label=hydra.instance={}", yard.instance);
        let format = "{{.Action}} {{.Actor.Attributes.name}}";
        let mut docker = Command::new("docker");
        docker.args(["events", "--filter", &label, "--filter", "type=container", "--format", format]);
        Self { events: docker.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap() }
    }

    /// One line each: what was done, and the container's name.
    fn ended(mut self) -> String {
        std::thread::sleep(Duration::from_millis(300));
        self.events.kill().unwrap();
        let mut said = String::new();
        self.events.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        _ = self.events.kill();
        _ = self.events.wait();
    }
}

/// One start, which must fail as it is told; what is wrong with how it does.
async fn complaint(instance: &str, spec: JobSpec, what: &str, wrong: Wrong, said: &[&str]) -> Option<String> {
    let Wrong::Asked(part, change) = wrong else {
        return refused(&super::runtime(instance), &spec, what, said).await.err();
    };
    let engine = EngineProxy::new(move |role, asked| {
        if role == part {
            change(asked);
        }
    });
    refused(&engine.runtime(instance), &spec, what, said).await.err()
}

async fn refused(runtime: &DockerRuntime, spec: &JobSpec, what: &str, said: &[&str]) -> Result<(), String> {
    let begun = Instant::now();
    let Err(error) = runtime.start(spec).await else { return Err(format!("{what}: the job starts")) };
    let took = begun.elapsed();
    let hint = error.hint.as_deref().unwrap_or_default();
    let label = format!("label=hydra.job={}", spec.key.id());
    let left = [&["ps", "-aq", "--filter", &label][..], &["volume", "ls", "-q", "--filter", &label]].map(docker);
    let holds = [
        (said.iter().all(|part| error.message.contains(part)), "it is not said what"),
        (error.kind == RuntimeErrorKind::Failed, "its kind"),
        (hint.contains("`hydra doctor`"), "its hint"),
        // A container of the fence is given a minute, the gate half of it.
        (took < Duration::from_secs(80), "it takes its time"),
        (left.concat().is_empty(), "something is left"),
    ];
    match holds.iter().find(|(holds, _)| !holds) {
        Some((_, wrong)) => Err(format!("{what}: {wrong}: {error:?}, {took:?}, {left:?}, wanted {said:?}")),
        None => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker, images"]
async fn row_05_whatever_goes_wrong_inside_a_fence_the_job_does_not_start_and_the_step_is_named() {
    let mut yard = Yard::new();
    let network = format!("{}-net", yard.instance);
    closed_network(&network);
    let mut made = Vec::new();
    let mut prepared = |yard: &mut Yard, wrong: Wrong| {
        let mut spec = yard.job("echo ran; sleep 600");
        gated(yard, &mut spec);
        let programs = match wrong {
            Wrong::Nothing => vec![("nft", "real \"$@\""), ("ip", "real \"$@\""), (GATE, "real \"$@\"")],
            Wrong::Program(program, script) => vec![(program, script)],
            Wrong::Programs(both) => both.to_vec(),
            Wrong::Asked(..) => Vec::new(),
        };
        if !programs.is_empty() {
            let image = image(&format!("{}-wrong-{}", yard.instance, made.len()), &programs);
            made.push(image.pin.clone());
            let Network::Gated(gate) = &mut spec.network else { unreachable!() };
            gate.image = image;
        }
        spec
    };
    // With the same scripts, and with the same engine in between, a fence stands where nothing is wrong.
    let control = prepared(&mut yard, Wrong::Nothing);
    let engine = EngineProxy::new(|_, _| {});
    assert_eq!(engine.runtime(&yard.instance).start(&control).await, Ok(Started::New));
    yard.runtime.remove(&control.key.id()).await.unwrap();

    let watch = Watch::of(&yard);
    let long = std::env::var_os("HYDRA_NIGHTLY").map(|_| NEVER_ENDS);
    let starts: Vec<_> = long
        .into_iter()
        .chain(FAULTS)
        .map(|(what, wrong, said)| {
            let spec = prepared(&mut yard, wrong);
            (what, wrong, said, spec)
        })
        .collect();
    let jobs: Vec<String> = starts.iter().map(|(_, _, _, spec)| spec.key.id().to_string()).collect();
    let starts = starts.into_iter().map(|(what, wrong, said, spec)| complaint(&yard.instance, spec, what, wrong, said));
    let complaints: Vec<_> = stream::iter(starts).buffer_unordered(AT_ONCE).collect().await;

    let events = watch.ended();
    assert_eq!(docker(&["network", "inspect", "-f", "{{len .Containers}}", &network]), "0");
    yard.clear().await;
    docker(&["network", "rm", &network]);
    docker(&[&["rmi"], made.iter().map(String::as_str).collect::<Vec<_>>().as_slice()].concat());
    let complaints: Vec<String> = complaints.into_iter().flatten().collect();
    assert_eq!(complaints, [""; 0], "{complaints:#?}");
    // No job's own container was as much as made, and the parts of every fence were.
    for job in &jobs {
        assert!(events.contains(&format!("start {job}-holder-")), "{job}: {events}");
        assert!(!events.lines().any(|line| line.ends_with(&format!(" {job}"))), "{job}: {events}");
    }
}

#[tokio::test]
#[ignore = "needs docker, images"]
async fn a_gate_that_is_deaf_to_its_goodbye_is_ended_and_is_none_that_broke_down() {
    let mut yard = Yard::new();
    let mut spec = yard.job("exit 0");
    let network = gated(&yard, &mut spec);
    closed_network(&network);
    let deaf = r#"[ "$1" = serve ] && { trap '' TERM; /usr/local/bin/hydra-gate.real "$@"; exit; }; real "$@""#;
    let image = image(&format!("{}-deaf", yard.instance), &[(GATE, deaf)]);
    let Network::Gated(gate) = &mut spec.network else { unreachable!() };
    gate.image = image.clone();
    let id = spec.key.id();
    yard.runtime.start(&spec).await.unwrap();
    assert_eq!(super::exit(&yard.runtime, &spec).await, (0, false));
    let first = yard.runtime.collect(&id, 1000).await.unwrap().gate;
    let code = docker(&["inspect", "-f", "{{.State.ExitCode}}", &super::range::part(&spec, "gate")]);
    assert_eq!(code, "137", "it was killed");
    // Another orchestrator asks once more.
    let again = yard.runtime.collect(&id, 1000).await.unwrap().gate;
    let told = yard.runtime.told(&id).await.unwrap();
    let gone = |lines: &[GateLine]| lines.iter().any(|line| matches!(line, GateLine::Gone { .. }));
    assert!(!gone(&first) && first.len() >= 2, "{first:#?}");
    assert_eq!((&again, &told), (&first, &first));
    yard.clear().await;
    docker(&["network", "rm", &network]);
    docker(&["rmi", &image.pin]);
}
