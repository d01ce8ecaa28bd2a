//! What a fence adds to the start of a job, by its parts: holder, gate and net-init made, started and proved, against the same job on the same
//! network without one. The two take turns, so that what disturbs one disturbs the other.
#![expect(clippy::unwrap_used, reason = "a bench that cannot run ends with its cause")]

#[path = "engine/events.rs"]
mod events;
#[path = "../tests/it/docker/image.rs"]
mod image;
#[path = "../tests/it/jobs.rs"]
mod jobs;
#[path = "fenced_start/steps.rs"]
mod steps;

use hydra_core::{
    ContainerType,
    egress::{EgressPolicy, gate::GateConfig},
    job::{Gated, ImageRef, JobSpec, Network, Withheld},
    ports::{Runtime, Started},
};
use hydra_figures::{Aim, Figure, left_out, middle};
use hydra_runtime::{DockerConfig, DockerRuntime};
use image::docker;
use std::{
    collections::BTreeMap,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const RUNS: u64 = 30;
const WARM_UP: u64 = 3;
const LOCK: &str = "../../target/images.lock.json";

fn main() {
    if !Command::new("docker").arg("version").output().is_ok_and(|output| output.status.success()) {
        return left_out("fenced starts", "docker");
    }
    let Ok(lock) = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(LOCK)) else {
        return left_out("fenced starts", "the images (`cargo xtask images`)");
    };
    let lock: serde_json::Value = serde_json::from_slice(&lock).unwrap();
    let pin = lock["images"]["hydra-gate"]["id"].as_str().unwrap().to_owned();
    let gate = ImageRef { name: "hydra-gate".to_owned(), pin };
    let job = ImageRef { name: "busybox".to_owned(), pin: image::busybox().to_owned() };
    let instance = format!("bench-{}", std::process::id());
    let network = format!("{instance}-net");
    docker(&["network", "create", "--internal", &network]);
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let config = DockerConfig { socket: "/var/run/docker.sock".into(), instance: instance.clone() };
    tokio.block_on(compare(&DockerRuntime::new(config), &instance, &Images { job, gate }, &network));
    docker(&["network", "rm", &network]);
    let label = format!("label=hydra.instance={instance}");
    let left = docker(&["ps", "-aq", "--filter", &label]) + &docker(&["volume", "ls", "-q", "--filter", &label]);
    assert_eq!(left, "", "something of the bench is left");
}

struct Images {
    job: ImageRef,
    gate: ImageRef,
}

async fn compare(runtime: &DockerRuntime, instance: &str, images: &Images, network: &str) {
    let (mut plain, mut fenced, mut parts) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..WARM_UP + RUNS {
        let spec = |kind: u64| {
            let number = (u64::from(std::process::id()) * 1000 + round) * 10 + kind;
            let mut spec = jobs::scripted(jobs::key(number), &images.job, "exec sleep 600");
            spec.network = Network::Named(network.to_owned());
            spec
        };
        let without = started(runtime, &spec(0)).await;
        let mut spec = spec(1);
        let config = GateConfig::of(&EgressPolicy::default(), ContainerType::Builder, spec.key.id().as_str());
        spec.network = Network::Gated(Box::new(Gated {
            image: images.gate.clone(),
            network: network.to_owned(),
            hosts: BTreeMap::new(),
            name_servers: Some(Vec::new()),
            config,
            services: Vec::new(),
            withheld: Withheld::default(),
        }));
        let begun = events::now();
        let with = started(runtime, &spec).await;
        if round >= WARM_UP {
            plain.push(without);
            fenced.push(with);
            parts.push(steps::parts(instance, spec.key.id().as_str(), begun));
        }
    }
    let (plain, fenced) = (middle(plain), middle(fenced));
    let part = |of: usize| middle(parts.iter().map(|parts| parts[of]).collect()).as_millis();
    Figure::new("fenced start, what the fence adds", "a plain start", (fenced.saturating_sub(plain)).as_secs_f64(), "s")
        .aim(Aim::AtMost(0.5))
        .detail(format!(
            "medians of {RUNS}, in turns: {} ms against {} ms; until both namespaces are held {} ms, the gate's own is closed and the gate \
             runs {}, the agent's is fenced and proved {}, the agent's container is made {}, and started {}",
            fenced.as_millis(),
            plain.as_millis(),
            part(0),
            part(1),
            part(2),
            part(3),
            part(4),
        ))
        .say();
}

async fn started(runtime: &DockerRuntime, spec: &JobSpec) -> Duration {
    let begun = Instant::now();
    assert_eq!(runtime.start(spec).await, Ok(Started::New));
    let took = begun.elapsed();
    runtime.stop(&spec.key.id(), Duration::ZERO).await.unwrap();
    runtime.remove(&spec.key.id()).await.unwrap();
    took
}
