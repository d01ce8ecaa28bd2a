//! How long a job takes as a container, from its creation to its removal, against `docker run --rm` of the same command line. The two take
//! turns, so that what disturbs one disturbs the other.
#![expect(clippy::unwrap_used, reason = "a bench that cannot run ends with its cause")]

#[path = "docker_job/cli.rs"]
mod cli;
#[path = "engine/events.rs"]
mod events;
#[path = "../tests/it/docker/image.rs"]
mod image;
#[path = "../tests/it/jobs.rs"]
mod jobs;

use futures_util::StreamExt;
use hydra_core::{
    job::{ImageRef, JobSpec, Network, RuntimeStatus},
    ports::{Runtime, Selector, Started},
};
use hydra_figures::{Aim, Figure, left_out, middle, ratio};
use hydra_runtime::{DockerConfig, DockerRuntime};
use image::docker;
use std::{
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const RUNS: u64 = 30;
const WARM_UP: u64 = 3;
const SAYS: &str = "done";

fn main() {
    if !Command::new("docker").arg("version").output().is_ok_and(|output| output.status.success()) {
        return left_out("container jobs", "docker");
    }
    let instance = format!("bench-{}", std::process::id());
    let network = format!("{instance}-net");
    let image = ends_at_once();
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    tokio.block_on(async {
        let runtime =
            DockerRuntime::new(DockerConfig { socket: "/var/run/docker.sock".into(), instance: instance.clone() });
        let cpus = runtime.facts().await.unwrap().cpus;
        runtime.make_network(&network).await.unwrap();
        let seen = async {
            for (name, attached) in
                [("on a bridge network", Network::Named(network.clone())), ("without network", Network::None)]
            {
                compare(name, &runtime, &instance, cpus, &image, &attached).await;
            }
        };
        seen.await;
    });
    docker(&["network", "rm", &network]);
    let label = format!("label=hydra.instance={instance}");
    let left = docker(&["ps", "-aq", "--filter", &label]) + &docker(&["volume", "ls", "-q", "--filter", &label]);
    assert_eq!(left, "", "something of the bench is left");
}

/// What one job took, by its parts.
#[derive(Default)]
struct Parts {
    start: Duration,
    output: Duration,
    results: Duration,
    removal: Duration,
    /// Of the start: until the volumes were made and filled.
    filling: Duration,
}

impl Parts {
    fn whole(&self) -> Duration {
        self.start + self.output + self.results + self.removal
    }
    /// Without what `docker run` does not do: the container alone.
    fn alone(&self) -> Duration {
        self.whole() - self.filling - self.results
    }
}

async fn compare(name: &str, runtime: &DockerRuntime, instance: &str, cpus: u32, image: &ImageRef, network: &Network) {
    let (mut ours, mut theirs, mut by_hand) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..WARM_UP + RUNS {
        let spec = |kind: u64| {
            // Numbers that no other run uses.
            let number = (u64::from(std::process::id()) * 1000 + round) * 10 + kind;
            let mut spec = jobs::scripted(jobs::key(number), image, "");
            spec.network = network.clone();
            spec.net_admin = matches!(network, Network::Named(_));
            spec
        };
        let took = (
            job(runtime, instance, &spec(0)).await,
            cli::run(&cli::flags(instance, &spec(1), cpus)),
            cli::by_hand(&cli::flags(instance, &spec(2), cpus)),
        );
        if round >= WARM_UP {
            ours.push(took.0);
            theirs.push(took.1);
            by_hand.push(took.2);
        }
    }
    let part = |of: fn(&Parts) -> Duration| middle(ours.iter().map(of).collect());
    let what = format!("container job {name}, create to removed");
    let (whole, alone, line, hand) = (part(Parts::whole), part(Parts::alone), middle(theirs), middle(by_hand));
    Figure::new(&what, "`docker run --rm` of the same command line", ratio(whole, line), "")
        .aim(Aim::AtMost(0.8))
        .detail(format!(
            "medians of {RUNS}, in turns: {} ms, of which volumes made and filled {}, the container made and started {}, output to its end and \
             exit code {}, results taken {}, removal with volumes {}; against {} ms, in which the volumes are neither filled nor read nor removed",
            ms(whole),
            ms(part(|job| job.filling)),
            ms(part(|job| job.start - job.filling)),
            ms(part(|job| job.output)),
            ms(part(|job| job.results)),
            ms(part(|job| job.removal)),
            ms(line)
        ))
        .say();
    Figure::new(&format!("{what}, the container alone"), "`docker run --rm` of the same command line", ratio(alone, line), "")
        .aim(Aim::AtMost(0.8))
        .detail(format!(
            "the same runs without what the other does not do, the filling of volumes and the taking of results: {} ms against {}",
            ms(alone),
            ms(line)
        ))
        .say();
    Figure::new(&what, "the same job by the CLI", ratio(whole, hand), "")
        .detail(format!(
            "medians of {RUNS}, in turns: {} ms against {} ms for `docker create` and `docker cp` (volumes filled), `docker run`, `docker cp` \
             (results), `docker rm`, `docker volume rm`",
            ms(whole),
            ms(hand)
        ))
        .say();
}

/// As the engine does it: start, follow to the end, look, take the results, remove.
async fn job(runtime: &DockerRuntime, instance: &str, spec: &JobSpec) -> Parts {
    let id = spec.key.id();
    let (begun, since) = (Instant::now(), events::now());
    assert_eq!(runtime.start(spec).await, Ok(Started::New));
    let started = Instant::now();
    let lines: Vec<String> = runtime.follow(&id).await.unwrap().map(|line| line.unwrap().text).collect().await;
    let seen = runtime.list(&Selector::Job(id.clone())).await.unwrap().pop().unwrap();
    let ended = Instant::now();
    let collected = runtime.collect(&id, 1024).await.unwrap();
    let taken = Instant::now();
    runtime.remove(&id).await.unwrap();
    let removal = taken.elapsed();
    assert!(lines == [SAYS] && matches!(seen.status, RuntimeStatus::Exited { code: 0, .. }), "{lines:?}, {seen:?}");
    assert!(collected.files.is_empty());
    // The engine tells of the archive when it has unpacked it.
    let events = events::since(instance, since);
    let filler = |event: &&events::Event| event.role.is_none() && event.name.starts_with(id.as_str());
    let filled = events.iter().filter(filler).find(|event| event.action == "extract-to-dir").unwrap().at;
    let filling = filled.saturating_sub(since);
    Parts { start: started - begun, output: ended - started, results: taken - ended, removal, filling }
}

/// The tiny image, with a program that ends at once.
fn ends_at_once() -> ImageRef {
    let name = "hydra-test-done";
    let file = format!("FROM {}\nENTRYPOINT [\"/bin/echo\",\"{SAYS}\"]\n", image::busybox());
    let mut build = Command::new("docker")
        .args(["build", "--quiet", "--tag", name, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    build.stdin.take().unwrap().write_all(file.as_bytes()).unwrap();
    let output = build.wait_with_output().unwrap();
    assert!(output.status.success(), "docker build");
    let pin = docker(&["image", "inspect", "--format", "{{.Id}}", name]);
    ImageRef { name: name.to_owned(), pin }
}

fn ms(took: Duration) -> u128 {
    took.as_millis()
}
