//! The fence of the configured mode, proved on this engine step by step.

use super::{Check, docker::refused};
use crate::{
    config::{Settings, runtime::EgressMode},
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
use hydra_runtime::DockerRuntime;
use std::{collections::BTreeMap, time::Duration};

/// A wrapper that has not made and proved its fence by then never will.
const PATIENCE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(100);

/// The check of the fence, by its mode.
pub(super) const fn name_of(settings: &Settings) -> &'static str {
    match settings.values.egress.mode {
        EgressMode::Isolated => "egress isolated",
        EgressMode::InContainer => "egress in-container",
    }
}

/// A container of the builder's image proves its fence, just as each job's does, and does nothing else: what was proved, step by step, and
/// then the sum, which names the step that failed.
pub(super) async fn checks(settings: &Settings, runtime: &DockerRuntime, image: ImageRef) -> Vec<Check> {
    let name = name_of(settings);
    let spec = match probe(settings, image) {
        Ok(spec) => spec,
        Err(why) => return vec![Check::fail(name, why, "mend the images first: `cargo xtask images`")],
    };
    let mut steps = Vec::new();
    let proved = tokio::time::timeout(PATIENCE, run(runtime, &spec, &mut steps)).await;
    let removed = runtime.remove(&spec.key.id()).await;
    let mend = match settings.values.egress.mode {
        EgressMode::Isolated => {
            "each job would be refused: the kernel needs nf_tables and nfnetlink_log, and the engine NET_ADMIN"
        }
        EgressMode::InContainer => {
            "each job would be refused: the image needs iptables, the kernel nf_tables or ip_tables, and the engine NET_ADMIN"
        }
    };
    let count = steps.len();
    let after = steps.last().map_or_else(|| "before any step".to_owned(), |(step, _)| format!("after step {step}"));
    let sum = match (proved, removed) {
        (_, Err(error)) => refused(name, &error),
        (Err(_), _) => Check::fail(name, format!("no proof within {} s, {after}", PATIENCE.as_secs()), mend),
        (Ok(Err(error)), _) if error.kind == RuntimeErrorKind::Unavailable => refused(name, &error),
        (Ok(Err(error)), _) => {
            Check::fail(name, format!("{after}: {}", error.message), error.hint.unwrap_or_else(|| mend.to_owned()))
        }
        (Ok(Ok(Some(why))), _) => Check::fail(name, format!("{after}: {why}"), mend),
        (Ok(Ok(None)), _) => Check::ok(name, format!("proved in {count} steps")),
    };
    steps.into_iter().map(|(step, detail)| Check::ok(format!("egress: {step}"), detail)).chain([sum]).collect()
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

/// A step and what was seen.
type Step = (String, String);

/// Adds what was proved; gives why the proof did not come to its end.
async fn run(runtime: &DockerRuntime, spec: &JobSpec, steps: &mut Vec<Step>) -> Result<Option<String>, RuntimeError> {
    let job = spec.key.id();
    runtime.start(spec).await?;
    let mut lines = runtime.follow(&job).await?;
    let (mut own, mut told) = (Vec::new(), Vec::new());
    while let Some(line) = lines.next().await {
        let line = line?;
        match AgentEvent::from_line(&line.text).map(|event| event.kind) {
            Ok(EventKind::Step { step, detail }) if step == "fence" => own.push(of_wrapper(&detail)),
            Ok(_) => {}
            Err(_) => told.push(line.text),
        }
    }
    loop {
        match runtime.list(&Selector::Job(job.clone())).await?.pop().map(|seen| seen.status) {
            Some(RuntimeStatus::Exited { code, .. }) => {
                if matches!(spec.network, Network::Gated(_)) {
                    steps.extend(runtime.told(&job).await?.iter().flat_map(of_gate));
                }
                let silent = own.is_empty();
                steps.append(&mut own);
                return Ok(match (code == i64::from(exit::DONE), silent) {
                    (true, false) => None,
                    (true, true) => Some("the wrapper says no word of a proof".to_owned()),
                    (false, _) => {
                        let why = told.last().map_or("without a word", String::as_str);
                        Some(format!("the wrapper ended with {code}: {why}"))
                    }
                });
            }
            Some(RuntimeStatus::Created | RuntimeStatus::Running) => tokio::time::sleep(TICK).await,
            Some(RuntimeStatus::Lost { why }) => return Ok(Some(format!("its container was lost: {why}"))),
            None => return Ok(Some("its container is gone".to_owned())),
        }
    }
}

/// The wrapper writes `STEP: what was seen`.
fn of_wrapper(detail: &str) -> Step {
    let (step, seen) = detail.split_once(": ").unwrap_or(("wrapper", detail));
    (step.to_owned(), seen.to_owned())
}

/// What was proved of the namespace before the agent's container joined it, and what the gate has taken from itself.
fn of_gate(line: &GateLine) -> Vec<Step> {
    match line {
        GateLine::Proved(proof) => {
            let rules =
                ("rules".to_owned(), format!("the kernel lists them as they were loaded, SHA-256 {}", proof.rules));
            let tried = proof.tried.iter().map(|tried| ("tried".to_owned(), tried.clone()));
            [rules].into_iter().chain(tried).collect()
        }
        line => confined(line).map(|detail| ("gate".to_owned(), detail)).into_iter().collect(),
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
