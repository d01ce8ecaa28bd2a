//! Checks of the Docker engine: what it is, the images, the network of jobs, whether the fence holds on it, what is left over.

use super::Check;
use crate::{
    config::{Settings, runtime::EgressMode},
    failure::Failure,
    images,
};
use futures_util::StreamExt;
use hydra_core::{
    ContainerType, Generation, IssueKey, IssueNumber, RepoName, Stage,
    agent_event::{AgentEvent, EventKind},
    contract_files::{PROVE_FENCE, PROVE_ISOLATED, exit},
    egress::gate::{Confined, GateConfig, GateLine},
    job::{EnvValue, Gated, ImageRef, JobKey, JobSpec, Network, RuntimeStatus, Withheld},
    persona::Limits,
    ports::{Runtime, RuntimeError, RuntimeErrorKind, Selector},
};
use hydra_runtime::{
    DockerRuntime,
    docker::{NEWEST, OLDEST},
};
use std::{collections::BTreeMap, time::Duration};

/// A wrapper that has not made and proved its fence by then never will.
const PATIENCE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(100);
const ENGINE: &str = "docker engine";

/// All of them. Without an engine there is nothing more to look at.
pub async fn all(settings: &Settings, runtime: &DockerRuntime) -> Vec<Check> {
    let mut checks = match runtime.facts().await {
        Err(error) => return vec![refused(ENGINE, &error)],
        Ok(facts) => {
            let detail = format!(
                "{}, API {} (supported: {OLDEST} to {NEWEST}), {} CPUs, {} MiB",
                facts.version, facts.api, facts.cpus, facts.memory_mib
            );
            let mut checks = vec![Check::ok(ENGINE, detail)];
            if !facts.limits_swap {
                let detail = "it cannot keep containers from swapping, so a job may use twice its memory";
                checks.push(Check::warn(ENGINE, detail, "boot the kernel with swapaccount=1, or turn swap off"));
            }
            if !facts.seccomp {
                let detail = "it filters no system calls";
                checks.push(Check::warn(ENGINE, detail, "use a kernel and an engine with seccomp"));
            }
            checks
        }
    };
    let (found, builder) = pinned_images(settings, runtime).await;
    checks.extend(found);
    checks.push(network(settings, runtime).await);
    checks.push(match builder {
        Some(image) => fence(settings, runtime, image).await,
        None => {
            let why = "without the builder's image it cannot be proved";
            Check::fail(name_of(settings), why, "mend the images first")
        }
    });
    checks.push(leftovers(runtime).await);
    checks
}

fn refused(name: &str, error: &RuntimeError) -> Check {
    let mend = match (&error.hint, error.kind) {
        (Some(hint), _) => hint.clone(),
        (None, RuntimeErrorKind::Unavailable) => "is the engine running, and may you use its socket?".to_owned(),
        (None, RuntimeErrorKind::Exhausted) => "make room: `hydra prune`, `docker system df`".to_owned(),
        (None, _) => "the engine's own log says more".to_owned(),
    };
    Check::fail(name, error.message.clone(), mend)
}

/// One line for all that are there, one for each that is not; and the builder's, when it is there.
async fn pinned_images(settings: &Settings, runtime: &DockerRuntime) -> (Vec<Check>, Option<ImageRef>) {
    let pinned = match images::pinned(settings) {
        Ok(pinned) => pinned,
        Err(Failure::Other(trouble)) => {
            let mend = trouble.help.unwrap_or_else(|| "build them with `cargo xtask images`".to_owned());
            return (vec![Check::fail("images", trouble.message, mend)], None);
        }
        Err(Failure::Configuration(problems)) => return (super::machine::problems(&problems), None),
        Err(Failure::BrokenPipe) => return (Vec::new(), None),
    };
    let mut by_name: BTreeMap<String, (ImageRef, Vec<ContainerType>)> = BTreeMap::new();
    for (container, image) in pinned {
        by_name.entry(image.name.clone()).or_insert_with(|| (image, Vec::new())).1.push(container);
    }
    let (mut checks, mut there, mut builder) = (Vec::new(), Vec::new(), None);
    for (name, (image, containers)) in by_name {
        match runtime.image(&image).await {
            Err(error) => checks.push(refused(&format!("image {name}"), &error)),
            Ok(_) => {
                there.push(name);
                if containers.contains(&ContainerType::Builder) {
                    builder = Some(image);
                }
            }
        }
    }
    if !there.is_empty() {
        checks.push(Check::ok("images", format!("as pinned: {}", there.join(", "))));
    }
    for (name, pin) in &settings.values.runtime.toolchains {
        let image = ImageRef { name: name.clone(), pin: pin.clone() };
        checks.push(match runtime.image(&image).await {
            Ok(_) => Check::ok("toolchain", format!("{name} is as pinned")),
            Err(error) => refused("toolchain", &error),
        });
    }
    for (name, service) in &settings.values.runtime.services {
        let image = ImageRef { name: service.image.clone(), pin: service.pin.clone() };
        checks.push(match runtime.image(&image).await {
            Ok(_) => Check::ok("side service", format!("{name} is as pinned")),
            Err(error) => refused("side service", &error),
        });
    }
    (checks, builder)
}

async fn network(settings: &Settings, runtime: &DockerRuntime) -> Check {
    let wanted = &settings.values.runtime.network;
    let name = format!("network {wanted}");
    match runtime.network(wanted).await {
        Err(error) => refused(&name, &error),
        Ok(None) => Check::ok(name, "it is not there yet; the first job makes it"),
        Ok(Some(facts)) if facts.driver == "bridge" => Check::ok(name, "it is there, a bridge"),
        Ok(Some(facts)) => Check::fail(
            name,
            format!("its driver is {}, and jobs need a bridge of this machine", facts.driver),
            format!("docker network rm {wanted}: the next job makes it anew; or name another with runtime.network"),
        ),
    }
}

/// The check of the fence, by its mode.
const fn name_of(settings: &Settings) -> &'static str {
    match settings.values.egress.mode {
        EgressMode::Isolated => "egress isolated",
        EgressMode::InContainer => "egress in-container",
    }
}

/// A container of the builder's image proves its fence, just as each job's does, and does nothing else.
async fn fence(settings: &Settings, runtime: &DockerRuntime, image: ImageRef) -> Check {
    let name = name_of(settings);
    let spec = match probe(settings, image) {
        Ok(spec) => spec,
        Err(why) => return Check::fail(name, why, "mend the images first: `cargo xtask images`"),
    };
    let job = spec.key.id();
    let proved = tokio::time::timeout(PATIENCE, run(runtime, &spec)).await;
    let removed = runtime.remove(&job).await;
    let mend = match settings.values.egress.mode {
        EgressMode::Isolated => {
            "each job would be refused: the kernel needs nf_tables and nfnetlink_log, and the engine NET_ADMIN"
        }
        EgressMode::InContainer => {
            "each job would be refused: the image needs iptables, the kernel nf_tables or ip_tables, and the engine NET_ADMIN"
        }
    };
    match (proved, removed) {
        (_, Err(error)) => refused(name, &error),
        (Err(_), _) => Check::fail(name, format!("no proof within {} s", PATIENCE.as_secs()), mend),
        (Ok(Err(error)), _) => refused(name, &error),
        (Ok(Ok(Ok(proof))), _) => Check::ok(name, proof),
        (Ok(Ok(Err(why))), _) => Check::fail(name, why, mend),
    }
}

fn probe(settings: &Settings, image: ImageRef) -> Result<JobSpec, String> {
    // A name that no job has: each doctor looks for itself.
    let repo: RepoName = "hydra/doctor".parse().map_err(|error| format!("{error}"))?;
    let issue = IssueKey { repo, number: IssueNumber(u64::from(std::process::id())) };
    let plain = |text: &str| EnvValue::Plain(text.to_owned());
    let key = JobKey { issue, generation: Generation(1), stage: Stage::Build, round: 0, attempt: 0 };
    let on = settings.values.runtime.network.clone();
    let (network, net_admin, mode) = match settings.values.egress.mode {
        EgressMode::InContainer => (Network::Named(on), true, PROVE_FENCE),
        EgressMode::Isolated => {
            let image = images::gate(settings).map_err(|failure| failure.sentence())?;
            let mut config = GateConfig::of(&settings.egress, ContainerType::Builder, key.id().as_str());
            // The fence is proved, not what stands behind it: no certificate is made.
            config.inspect.clear();
            let gated = Gated {
                image,
                network: on,
                hosts: BTreeMap::new(),
                name_servers: settings.values.egress.name_servers.clone(),
                config,
                services: Vec::new(),
                withheld: Withheld::default(),
            };
            (Network::Gated(Box::new(gated)), false, PROVE_ISOLATED)
        }
    };
    Ok(JobSpec {
        key,
        container: ContainerType::Builder,
        image,
        env: BTreeMap::from([("HYDRA_MODE".to_owned(), plain(mode))]),
        inputs: BTreeMap::new(),
        spec: BTreeMap::new(),
        limits: Limits { cpu_millis: 1000, memory_mib: 256, pids: 64, minutes: 1, turns: 1 },
        tmp_mib: 16,
        workspace_mib: 64,
        network,
        net_admin,
        hosts: BTreeMap::new(),
        credentials: Vec::new(),
    })
}

/// The wrapper's last words of the proof, or why there is none.
async fn run(runtime: &DockerRuntime, spec: &JobSpec) -> Result<Result<String, String>, RuntimeError> {
    let job = spec.key.id();
    runtime.start(spec).await?;
    let mut lines = runtime.follow(&job).await?;
    let (mut steps, mut told) = (Vec::new(), Vec::new());
    while let Some(line) = lines.next().await {
        let line = line?;
        match AgentEvent::from_line(&line.text).map(|event| event.kind) {
            Ok(EventKind::Step { step, detail }) if step == "fence" => steps.push(detail),
            Ok(_) => {}
            Err(_) => told.push(line.text),
        }
    }
    loop {
        match runtime.list(&Selector::Job(job.clone())).await?.pop().map(|seen| seen.status) {
            Some(RuntimeStatus::Exited { code, .. }) if code == i64::from(exit::DONE) => {
                let proof = steps.pop().unwrap_or_default();
                if proof.is_empty() {
                    return Ok(Err("the wrapper says no word of a proof".to_owned()));
                }
                let confined = runtime.told(&job).await?.iter().find_map(confined);
                return Ok(Ok([Some(proof), confined].into_iter().flatten().collect::<Vec<_>>().join("; ")));
            }
            Some(RuntimeStatus::Exited { code, .. }) => {
                let why = told.last().or(steps.last()).cloned().unwrap_or_else(|| "without a word".to_owned());
                return Ok(Err(format!("the wrapper ended with {code}: {why}")));
            }
            Some(RuntimeStatus::Created | RuntimeStatus::Running) => tokio::time::sleep(TICK).await,
            Some(RuntimeStatus::Lost { why }) => return Ok(Err(format!("its container was lost: {why}"))),
            None => return Ok(Err("its container is gone".to_owned())),
        }
    }
}

/// What the gate has taken from itself, in words.
fn confined(line: &GateLine) -> Option<String> {
    let GateLine::Ready { confined, .. } = line else { return None };
    Some(match confined {
        Confined { seccomp: false, .. } => "its gate is of a version that does not confine itself".to_owned(),
        Confined { landlock: None, .. } => "its gate is confined by seccomp, this kernel has no landlock".to_owned(),
        Confined { landlock: Some(version), .. } => {
            format!("its gate is confined by seccomp and by landlock {version}")
        }
    })
}

/// Containers of this installation that have ended, and those of others.
async fn leftovers(runtime: &DockerRuntime) -> Check {
    let name = "containers";
    let (mine, any) = match (runtime.list(&Selector::Mine).await, runtime.list(&Selector::Any).await) {
        (Ok(mine), Ok(any)) => (mine, any),
        (Err(error), _) | (_, Err(error)) => return refused(name, &error),
    };
    let ended: Vec<&str> =
        mine.iter().filter(|job| !matches!(job.status, RuntimeStatus::Running)).map(|job| job.id.as_str()).collect();
    let running = mine.len() - ended.len();
    let others = any.len().saturating_sub(mine.len());
    let mut detail = format!("{running} running");
    if others > 0 {
        detail.push_str(&format!(", {others} of other installations on this engine"));
    }
    if ended.is_empty() {
        return Check::ok(name, detail);
    }
    Check::warn(
        name,
        format!("{detail}, {} ended and not yet judged or removed: {}", ended.len(), ended.join(", ")),
        "`hydra poll` judges what belongs to an issue; `hydra prune` removes what nobody owns",
    )
}
