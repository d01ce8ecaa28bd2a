//! Whoever is near a job: the host, other containers, other jobs, the engine. Row numbers are those of the threats.

use super::{
    Yard, docker, exit,
    gated::{gated, report},
    output,
    range::{Range, inside, part},
    ready, runtime,
};
use hydra_core::{
    egress::DenyReason,
    job::{InputFile, Network},
    ports::{Runtime as _, RuntimeErrorKind},
};
use std::{net::TcpListener, os::unix::fs::symlink};

#[tokio::test]
#[ignore = "needs images"]
async fn row_26_the_host_is_unreachable_by_its_gateway_and_by_its_name() {
    let mut yard = Yard::new();
    let range = Range::of(&yard);
    let gateway = docker(&["network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", &range.network]);
    let service = TcpListener::bind((gateway.as_str(), 0)).unwrap();
    service.set_nonblocking(true).unwrap();
    let port = service.local_addr().unwrap().port();
    let attack = format!(
        "timeout 3 nc -w 2 {gateway} {port} </dev/null; nslookup -type=a host.docker.internal 8.8.8.8 | grep -c NXDOMAIN"
    );
    let mut open = yard.job(&attack);
    range.unfenced(&mut open);
    yard.runtime.start(&open).await.unwrap();
    exit(&yard.runtime, &open).await;
    assert!(service.accept().is_ok(), "unfenced, also a network that is internal reaches the host");
    let mut spec = yard.job(&attack);
    gated(&yard, &mut spec);
    yard.runtime.start(&spec).await.unwrap();
    assert_eq!(exit(&yard.runtime, &spec).await, (0, false));
    assert_eq!(output(&yard.runtime, &spec).await, ["1"]);
    assert_eq!(service.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody came");
    let refused = [
        (DenyReason::DnsNotAllowed, "host.docker.internal".to_owned()),
        (DenyReason::PacketTcp, format!("{gateway}:{port}")),
    ];
    assert_eq!(report(&yard.runtime.collect(&spec.key.id(), 1000).await.unwrap().gate), refused);
    range.clear(yard).await;
}

#[tokio::test]
#[ignore = "needs images"]
async fn row_27_an_agent_reaches_no_other_container_on_its_gates_network() {
    let mut yard = Yard::new();
    let range = Range::of(&yard);
    let attack = format!("echo x | nc -w 2 {} 9000; exit 0", range.sink);
    let (said, refused) = range.both(&mut yard, &attack).await;
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(refused, [(DenyReason::PacketTcp, format!("{}:9000", range.sink))]);
    range.clear(yard).await;
}

#[tokio::test]
#[ignore = "needs images"]
async fn row_27_no_other_container_and_no_other_job_reaches_an_agent_or_its_gate() {
    let mut yard = Yard::new();
    let range = Range::of(&yard);
    let address = |container: &str| {
        docker(&["inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container])
    };
    let listen = "nc -ll -p 8080 -e echo here & echo ready; sleep 600";
    let knock =
        |at: &str| format!("for port in 8080 443 53 8088; do nc -w 1 {at} $port </dev/null && echo $port; done; true");
    // Unfenced: what listens is reached.
    let mut open = yard.job(listen);
    range.unfenced(&mut open);
    yard.runtime.start(&open).await.unwrap();
    ready(&yard.runtime, &open).await;
    let reached = range.as_neighbour(&knock(&address(open.key.id().as_str())));
    assert_eq!(reached, "here\n8080");
    // Fenced: the only address that there is to knock at is that of the gate's namespace.
    let mut spec = yard.job(listen);
    gated(&yard, &mut spec);
    yard.runtime.start(&spec).await.unwrap();
    ready(&yard.runtime, &spec).await;
    let way = part(&spec, "way");
    let at = address(&way);
    assert_eq!(address(spec.key.id().as_str()), "", "the agent has none");
    assert_eq!(range.as_neighbour(&knock(&at)), "");
    // Another job, behind a gate of its own, finds its own gate at each address.
    let mut other =
        yard.job(&format!("for port in 8080 8088; do nc -w 1 {at} $port </dev/null && echo $port; done; exit 0"));
    gated(&yard, &mut other);
    yard.runtime.start(&other).await.unwrap();
    exit(&yard.runtime, &other).await;
    assert_eq!(output(&yard.runtime, &other).await, Vec::<String>::new());
    let refused = [8080, 8088].map(|port| (DenyReason::PacketTcp, format!("{at}:{port}")));
    assert_eq!(report(&yard.runtime.collect(&other.key.id(), 1000).await.unwrap().gate), refused);
    // What knocked at the gate's door was dropped there, and is no refusal of the agent's.
    let pid = docker(&["inspect", "-f", "{{.State.Pid}}", &way]);
    assert!(inside(&pid, "nft list ruleset").contains("hook input priority filter; policy drop"));
    yard.runtime.stop(&spec.key.id(), std::time::Duration::ZERO).await.unwrap();
    assert_eq!(report(&yard.runtime.collect(&spec.key.id(), 1000).await.unwrap().gate), []);
    range.clear(yard).await;
}

/// Every socket that a program finds.
const FIND: &str = r"find / \( -path /proc -o -path /sys \) -prune -o -type s -print 2>/dev/null; true";

#[tokio::test]
#[ignore = "needs images"]
async fn row_28_no_socket_of_the_engine_and_nothing_of_the_host_is_mounted() {
    let mut yard = Yard::new();
    let range = Range::of(&yard);
    let mount = format!("{}:/var/run/docker.sock", super::SOCKET);
    let open =
        ["run", "--rm", "-v", &mount, "--network", "none", "--entrypoint", "sh", "hydra-test-busybox:1", "-c", FIND];
    assert_eq!(docker(&open), "/var/run/docker.sock", "unprotected it is found");
    let mut spec = yard.job(&format!("{FIND}; echo ready; sleep 600"));
    gated(&yard, &mut spec);
    yard.runtime.start(&spec).await.unwrap();
    ready(&yard.runtime, &spec).await;
    let label = format!("label=hydra.instance={}", yard.instance);
    let unit = docker(&["ps", "-q", "--filter", &label]);
    assert!(unit.lines().count() >= 4, "{unit}");
    let format = "{{range .Mounts}}{{if ne .Type \"tmpfs\"}}{{.Type}} {{end}}{{end}}{{json .HostConfig.Binds}} {{.HostConfig.Privileged}} \
                  {{.HostConfig.PidMode}}{{.HostConfig.UTSMode}}{{.HostConfig.UsernsMode}} {{.HostConfig.IpcMode}}";
    for container in unit.lines() {
        let seen = docker(&["inspect", "-f", format, container]);
        let mounts = seen.split(' ').take_while(|word| *word == "volume").count();
        let rest: Vec<&str> = seen.split(' ').skip(mounts).collect();
        assert!(!seen.contains(".sock") && !seen.contains("bind") && mounts > 0, "{seen}");
        assert!(rest[1..] == ["false", "", "private"], "{seen}");
    }
    yard.runtime.stop(&spec.key.id(), std::time::Duration::ZERO).await.unwrap();
    assert_eq!(output(&yard.runtime, &spec).await, ["ready"], "no socket is there");
    range.clear(yard).await;
}

#[tokio::test]
#[ignore = "needs images"]
async fn row_28_a_specification_that_asks_for_the_engine_or_for_another_container_is_refused() {
    let mut yard = Yard::new();
    let mut plain = yard.job("exit 0");
    gated(&yard, &mut plain);
    let folder = tempfile::tempdir().unwrap();
    let alias = folder.path().join("harmless");
    symlink(super::SOCKET, &alias).unwrap();
    let mut asked = Vec::new();
    for path in [super::SOCKET.into(), alias, folder.path().to_owned()] {
        let (mut input, mut spec) = (plain.clone(), plain.clone());
        input.inputs.insert("engine".to_owned(), InputFile::Path(path.clone()));
        spec.spec.insert("engine".to_owned(), InputFile::Path(path));
        asked.extend([input, spec]);
    }
    for network in ["host", "container:other", "bridge", "none"] {
        let (mut named, mut behind) = (plain.clone(), plain.clone());
        named.network = Network::Named(network.to_owned());
        let Network::Gated(gate) = &mut behind.network else { unreachable!() };
        gate.network = network.to_owned();
        asked.extend([named, behind]);
    }
    let mut variable = plain;
    let host = hydra_core::job::EnvValue::Plain("unix:///var/run/docker.sock".to_owned());
    variable.env.insert("DOCKER_HOST".to_owned(), host);
    asked.push(variable);
    for spec in asked {
        let error = runtime(&yard.instance).start(&spec).await.unwrap_err();
        assert_eq!(error.kind, RuntimeErrorKind::Refused, "{error}");
    }
    assert_eq!(yard.left(), "");
    yard.clear().await;
}
