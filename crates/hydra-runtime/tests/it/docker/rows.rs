//! Attacks from inside a job's own container, as the engine starts it. Row numbers are those of the threats.

use super::{
    Yard, docker, exit,
    gated::{gated, report},
    output,
    range::{Range, holder, part, state, tools},
    ready,
};
use futures_util::{StreamExt as _, stream};
use hydra_core::{egress::DenyReason, job::JobSpec, ports::Runtime as _};
use std::path::Path;

/// What undoes a fence, were it allowed.
const UNDO: &str = "nft flush ruleset; nft add table inet mine; ip route add 203.0.113.0/24 dev lo; ip link add more type dummy; \
                    ip addr add 10.9.9.9/24 dev lo; ip link set lo down";

#[tokio::test]
#[ignore = "needs images"]
async fn row_01_rules_routes_and_links_cannot_be_changed() {
    let mut yard = Yard::new();
    let (range, image) = (Range::of(&yard), tools(&yard));
    // Unfenced: with the right to do so, rules that drop everything are thrown away, and the packet arrives.
    let send = format!("timeout 2 bash -c 'echo x > /dev/tcp/{}/9000'", range.sink);
    let drop_all =
        "nft 'add table inet hydra; add chain inet hydra out { type filter hook output priority 0; policy drop; }'";
    let open = ["run", "--rm", "--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--network", &range.network];
    let open = |script: &str| docker(&[&open[..], &["--entrypoint", "sh", &image.pin, "-c", script]].concat());
    let before = range.packets();
    open(&format!("{drop_all}; {send}; true"));
    assert_eq!(range.packets(), before, "as long as the rules stand, nothing arrives");
    open(&format!("{drop_all}; nft flush ruleset; {send}"));
    assert!(range.packets() > before);
    // Fenced: the agent, and then whoever is uid 0 beside it, with the same rights.
    let before = range.packets();
    let mut spec = yard.job("echo ready; sleep 600");
    spec.image = image.clone();
    gated(&yard, &mut spec);
    yard.runtime.start(&spec).await.unwrap();
    ready(&yard.runtime, &spec).await;
    let pid = holder(&spec);
    let kept = state(&pid);
    assert!(kept.contains("policy drop"), "{kept}");
    for user in ["1000", "0"] {
        let tried = format!("{{ {UNDO}; }} 2>&1 | grep -c -e 'not permitted' -e 'Could not process'; {send}; true");
        let said = docker(&["exec", "-u", user, spec.key.id().as_str(), "sh", "-c", &tried]);
        assert!(said.parse::<u32>().unwrap() >= 6, "{user}: {said}");
        assert_eq!(state(&pid), kept, "uid {user}");
    }
    assert_eq!(range.packets(), before);
    let told = yard.runtime.collect(&spec.key.id(), 1000).await.unwrap().gate;
    let refused = (DenyReason::PacketTcp, format!("{}:9000", range.sink));
    // One for each user: who it was is told too.
    assert_eq!(report(&told), [refused.clone(), refused]);
    range.clear(yard).await;
    docker(&["rmi", &image.pin]);
}

#[tokio::test]
#[ignore = "needs images"]
async fn row_02_setuid_and_file_capabilities_give_nothing_back() {
    let mut yard = Yard::new();
    let (range, image) = (Range::of(&yard), tools(&yard));
    let attack = format!(
        "cd /usr/local/bin; ./grep-setuid CapEff /proc/self/status; for one in ip-setuid ip-caps; do ./$one link set lo down; \
         ./$one route add 203.0.113.0/24 dev lo; ./$one addr add 10.9.9.9/24 dev lo; done 2>/workspace/said; \
         grep -c -e 'not permitted' /workspace/said; timeout 2 bash -c 'echo x > /dev/tcp/{}/9000'; ip -o link show lo",
        range.sink
    );
    // Unprotected: uid 1000 in a container that may have the right is uid 0 with it, by either.
    let open =
        ["run", "--rm", "--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--user", "1000", "--tmpfs", "/workspace"];
    let open = [&open[..], &["--network", &range.network, "--entrypoint", "sh", &image.pin, "-c", &attack]].concat();
    let before = range.packets();
    let said = docker(&open);
    assert!(said.contains("0000000000001000") && said.contains("state DOWN"), "{said}");
    assert!(range.packets() > before, "{said}");
    // Fenced.
    let before = range.packets();
    let mut spec = yard.job(&format!("{attack}; echo ready; sleep 600"));
    spec.image = image.clone();
    gated(&yard, &mut spec);
    yard.runtime.start(&spec).await.unwrap();
    let pid = holder(&spec);
    ready(&yard.runtime, &spec).await;
    let kept = state(&pid);
    assert!(kept.contains("policy drop") && !kept.contains("10.9.9.9") && !kept.contains("203.0.113"), "{kept}");
    yard.runtime.stop(&spec.key.id(), std::time::Duration::ZERO).await.unwrap();
    let said = output(&yard.runtime, &spec).await;
    assert_eq!((said[0].as_str(), said[1].as_str()), ("CapEff:\t0000000000000000", "6"), "{said:?}");
    assert!(said[2].contains(",UP,"), "{said:?}");
    assert_eq!(range.packets(), before);
    let told = yard.runtime.collect(&spec.key.id(), 1000).await.unwrap().gate;
    assert_eq!(report(&told), [(DenyReason::PacketTcp, format!("{}:9000", range.sink))]);
    range.clear(yard).await;
    docker(&["rmi", &image.pin]);
}

/// Whether a namespace is there. Its name, a file without anything in it, is cleared away by the engine within the minute.
fn stands(path: &str) -> bool {
    let name = Path::new(path).file_name().unwrap().to_str().unwrap();
    // The engine mounts it where the machine's first process sees it.
    let mounts = std::fs::read_to_string("/proc/1/mountinfo").unwrap();
    mounts.lines().any(|line| line.contains(" - nsfs ") && line.contains(name))
}

/// Starts one, lets it end, takes it away. Its namespaces are gone with it.
async fn live(yard: &Yard, spec: &JobSpec, refused: &(DenyReason, String)) {
    let id = spec.key.id();
    yard.runtime.start(spec).await.unwrap();
    let key = |role: &str| docker(&["inspect", "-f", "{{.NetworkSettings.SandboxKey}}", &part(spec, role)]);
    let namespaces = [key("holder"), key("way")];
    assert!(namespaces.iter().all(|path| stands(path)), "{namespaces:?}");
    assert_eq!(exit(&yard.runtime, spec).await, (0, false));
    let told = yard.runtime.collect(&id, 1000).await.unwrap().gate;
    assert_eq!(report(&told), std::slice::from_ref(refused), "{id}");
    yard.runtime.remove(&id).await.unwrap();
    assert!(!namespaces.iter().any(|path| stands(path)), "{namespaces:?} of {id} are left");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs images"]
async fn row_04_the_first_instruction_of_the_agent_is_fenced_already_and_no_start_leaves_anything() {
    let starts = if std::env::var_os("HYDRA_NIGHTLY").is_some() { 1_000 } else { 30 };
    let mut yard = Yard::new();
    let range = Range::of(&yard);
    let first = format!("nc -w 1 {} 9000 </dev/null; exit 0", range.sink);
    let refused = (DenyReason::PacketTcp, format!("{}:9000", range.sink));
    let (_, told) = range.both(&mut yard, &first).await;
    assert_eq!(told, std::slice::from_ref(&refused));
    let before = range.packets();
    let jobs: Vec<JobSpec> = (0..starts)
        .map(|_| {
            let mut spec = yard.job(&first);
            gated(&yard, &mut spec);
            spec
        })
        .collect();
    let lives = jobs.iter().map(|spec| live(&yard, spec, &refused));
    stream::iter(lives).buffer_unordered(4).collect::<Vec<()>>().await;
    assert_eq!(range.packets() - before, 0, "{starts} starts");
    // What bears no label of ours would still bear the name of a job; and one network there was before.
    let all = [
        &["ps", "-a", "--format", "{{.Names}}"][..],
        &["volume", "ls", "-q"],
        &["network", "ls", "--format", "{{.Name}}"],
    ];
    let all = all.map(docker).concat();
    for spec in &jobs {
        assert!(!all.contains(spec.key.id().as_str()), "{} left something", spec.key.id());
    }
    let networks = ["network", "ls", "-q", "--filter", &format!("name={}", yard.instance)].map(str::to_owned);
    let networks = docker(&networks.each_ref().map(String::as_str));
    assert_eq!(networks.lines().count(), 1, "{networks}");
    println!("{starts} starts, 0 leaks, nothing left");
    range.clear(yard).await;
}
