//! Jobs behind a gate: started, told, adopted and removed as one unit.

use super::{Yard, docker, exit, output, ready, runtime};
use hydra_core::{
    ContainerType,
    egress::{
        DenyReason,
        gate::{GateAccount, GateConfig, GateLimits, GateLine, ModelApi, ModelRoute, SCHEMA, Upstream},
    },
    job::{EnvValue, Gated, ImageRef, JobSpec, Network, Withheld},
    ports::{AccountKind, Runtime, RuntimeErrorKind, Selector, Started},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant},
};

/// The gate's image, as `cargo xtask images` has pinned it.
pub(super) fn gate_image() -> ImageRef {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/images.lock.json");
    let lock: serde_json::Value = serde_json::from_slice(&std::fs::read(lock).unwrap()).unwrap();
    let pin = lock["images"]["hydra-gate"]["id"].as_str().unwrap().to_owned();
    ImageRef { name: "hydra-gate".to_owned(), pin }
}

/// The same job behind a gate on a network of the test's own, which has no way out.
pub(super) fn gated(yard: &Yard, spec: &mut JobSpec) -> String {
    let network = format!("{}-net", yard.instance);
    let config = GateConfig {
        schema: SCHEMA,
        job: spec.key.id().to_string(),
        container_type: ContainerType::Builder,
        policy: "0".repeat(64),
        allow: ["api.example.org".parse().unwrap()].into(),
        model: None,
        api: None,
        inspect: BTreeMap::new(),
        resolvers: BTreeSet::new(),
        limits: GateLimits::default(),
    };
    let gate = Gated {
        image: gate_image(),
        network: network.clone(),
        hosts: BTreeMap::new(),
        name_servers: Some(Vec::new()),
        config,
        services: Vec::new(),
        withheld: Withheld::default(),
    };
    spec.network = Network::Gated(Box::new(gate));
    network
}

pub(super) fn closed_network(name: &str) {
    docker(&["network", "create", "--internal", name]);
}

/// The last report.
pub(super) fn report(lines: &[GateLine]) -> Vec<(DenyReason, String)> {
    let Some(GateLine::Report { denied, .. }) = lines.last() else { panic!("{lines:#?}") };
    let what = |denial: &hydra_core::egress::gate::Denial| {
        let at = denial.dst.map(|dst| format!("{dst}:{}", denial.dport.unwrap_or(0)));
        denial.host.clone().or(at).unwrap()
    };
    denied.iter().map(|denial| (denial.reason, what(denial))).collect()
}

#[tokio::test]
#[ignore = "needs images"]
async fn it_has_no_interface_but_loopback_and_its_gate_tells_what_it_tried() {
    let mut yard = Yard::new();
    let mut spec = yard.job(
        r"
        id -u; ls /sys/class/net | tr '\n' ' '; echo
        nslookup -type=a api.example.org 8.8.8.8 | grep -c 198.18.
        nslookup -type=a evil.test 8.8.8.8 | grep -c NXDOMAIN
        nc -w 2 1.1.1.1 8080 </dev/null || echo refused
        ip link set lo down 2>&1; ip route flush table all 2>&1 | head -1
        echo done
        ",
    );
    let network = gated(&yard, &mut spec);
    closed_network(&network);
    assert_eq!(yard.runtime.start(&spec).await.unwrap(), Started::New);
    assert_eq!(exit(&yard.runtime, &spec).await, (0, false));
    let said = output(&yard.runtime, &spec).await.join("\n");
    assert!(said.starts_with("1000\nlo \n1\n1\n") && said.ends_with("done"), "{said}");
    assert!(said.contains("refused") && said.contains("not permitted"), "{said}");
    let lines = yard.runtime.collect(&spec.key.id(), 1000).await.unwrap().gate;
    let Some(GateLine::Proved(proof)) = lines.first() else { panic!("{lines:#?}") };
    assert!(proof.rules.len() == 64 && proof.tried.len() >= 3, "{proof:?}");
    let refused =
        [(DenyReason::DnsNotAllowed, "evil.test".to_owned()), (DenyReason::PacketTcp, "1.1.1.1:8080".to_owned())];
    assert_eq!(report(&lines), refused, "{lines:#?}");
    assert_eq!(yard.runtime.collect(&spec.key.id(), 1000).await.unwrap().gate, lines, "as often as asked");
    yard.clear().await;
    docker(&["network", "rm", &network]);
}

#[tokio::test]
#[ignore = "needs images"]
async fn row_37_no_credential_of_the_gates_is_within_the_jobs_reach() {
    const SECRET: &str = "sk-ant-row-37-0000000000000000";
    let mut yard = Yard::new();
    let look = r#"
        { env; cat /proc/*/environ /proc/*/cmdline /proc/*/mountinfo 2>/dev/null | tr '\0' '\n'; } > /workspace/seen
        find / -xdev -type f -size -200k 2>/dev/null | grep -v -e '^/proc' -e '^/sys' | xargs cat 2>/dev/null >> /workspace/seen
        ls -la /run /var/run 2>/dev/null >> /workspace/seen
        { printf 'GET / HTTP/1.0\r\n\r\n'; sleep 1; } | nc -w 2 127.0.0.1 8088 >> /workspace/seen 2>&1
        { printf 'POST /v1/messages HTTP/1.0\r\nContent-Length: 13\r\n\r\n{"model":"m"}'; sleep 2; } | nc -w 5 127.0.0.1 8088 >> /workspace/seen 2>&1
        wc -c < /workspace/seen
        grep -c 'row-37' /workspace/seen
        grep -c 'type.:.error' /workspace/seen
        "#;
    // In mode `env` a credential is where every process of the job finds it.
    let mut open = yard.job(look);
    let value = SECRET.to_owned().into();
    open.env.insert("KEY".to_owned(), EnvValue::Secret { credential: "account:main".to_owned(), value });
    yard.runtime.start(&open).await.unwrap();
    exit(&yard.runtime, &open).await;
    let said = output(&yard.runtime, &open).await;
    assert!(said[1].parse::<u32>().unwrap() > 0, "unprotected it is found: {said:?}");
    yard.runtime.remove(&open.key.id()).await.unwrap();
    let mut spec = yard.job(look);
    let network = gated(&yard, &mut spec);
    closed_network(&network);
    let Network::Gated(gate) = &mut spec.network else { unreachable!() };
    gate.config.limits.connect_millis = 500;
    gate.withheld.accounts.insert("main".parse().unwrap(), SECRET.into());
    gate.config.api = Some(ModelRoute {
        port: 8088,
        upstream: Upstream { endpoint: "11.0.0.7:8443".parse().unwrap(), tls: false, private: true, authority: None },
        accounts: vec![GateAccount { name: "main".parse().unwrap(), kind: AccountKind::Key }],
        apis: [ModelApi::Messages].into(),
        models: ["m".to_owned()].into(),
        allowance: None,
    });
    yard.runtime.start(&spec).await.unwrap();
    exit(&yard.runtime, &spec).await;
    let said = output(&yard.runtime, &spec).await;
    let [size, found, refusals] = said.as_slice() else { panic!("{said:?}") };
    assert!(size.trim().parse::<u64>().unwrap() > 10_000, "it looked: {said:?}");
    assert_eq!((found.as_str(), refusals.as_str()), ("0", "2"), "{said:?}");
    // Nor does the engine show it of any of the containers.
    let ids = docker(&["ps", "-aq", "--filter", &format!("label=hydra.instance={}", yard.instance)]);
    let shown = docker(&[&["inspect"], ids.split_whitespace().collect::<Vec<_>>().as_slice()].concat());
    assert!(ids.split_whitespace().count() >= 3 && !shown.contains("row-37-0000"), "{shown}");
    yard.clear().await;
    docker(&["network", "rm", &network]);
}

#[tokio::test]
#[ignore = "needs images"]
async fn another_orchestrator_adopts_the_unit_and_the_engine_brings_a_gate_back_that_died() {
    let mut yard = Yard::new();
    let script = "trap 'exit 0' INT; echo ready; until nslookup -type=a api.example.org 1.1.1.1 >/dev/null; do sleep 0.1; done; \
                  until [ -e /out/go ]; do sleep 0.1; done; sleep 600";
    let mut spec = yard.job(script);
    let network = gated(&yard, &mut spec);
    closed_network(&network);
    yard.runtime.start(&spec).await.unwrap();
    ready(&yard.runtime, &spec).await;
    let other = runtime(&yard.instance);
    assert_eq!(other.start(&spec).await.unwrap(), Started::Adopted);
    assert_eq!(other.list(&Selector::Mine).await.unwrap().len(), 1, "its fence is no job");
    let id = spec.key.id().to_string();
    let gate = docker(&["ps", "-q", "--filter", &format!("label=hydra.job={id}"), "--filter", "label=hydra.role=gate"]);
    let pid = docker(&["inspect", "-f", "{{.State.Pid}}", &gate]);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.parse().unwrap()), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    let begun = Instant::now();
    loop {
        let asked =
            docker(&["exec", &id, "sh", "-c", "nslookup -type=a api.example.org 1.1.1.1 | grep -c 198.18. || true"]);
        if asked == "1" {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "the gate does not come back");
    }
    let next = docker(&["inspect", "-f", "{{.State.Pid}}", &gate]);
    assert_ne!(next, pid);
    // The gate's own namespace is closed as it was before.
    let rules =
        std::process::Command::new("nsenter").args(["--target", &next, "--net", "nft", "list", "ruleset"]).output();
    let rules = String::from_utf8(rules.unwrap().stdout).unwrap();
    assert!(rules.contains("hook output") && rules.contains("policy drop") && rules.contains("10.0.0.0/8"), "{rules}");
    other.stop(&spec.key.id(), Duration::from_secs(2)).await.unwrap();
    yard.clear().await;
    docker(&["network", "rm", &network]);
}

#[tokio::test]
#[ignore = "needs images"]
async fn a_gate_that_cannot_prove_its_fence_refuses_the_job_and_says_why() {
    let mut yard = Yard::new();
    let mut spec = yard.job("echo never");
    let network = gated(&yard, &mut spec);
    closed_network(&network);
    let Network::Gated(gate) = &mut spec.network else { unreachable!() };
    // An image that is no gate.
    gate.image = ImageRef { name: "wrong".into(), pin: super::image().pin };
    let error = yard.runtime.start(&spec).await.unwrap_err();
    assert_ne!(error.kind, RuntimeErrorKind::Unavailable, "{error}");
    assert_eq!(yard.left(), "");
    yard.clear().await;
    docker(&["network", "rm", &network]);
}
