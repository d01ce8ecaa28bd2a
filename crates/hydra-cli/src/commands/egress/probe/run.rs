//! Starts the container of a probe, waits for its end, takes what it and its gate say, and removes it.

use crate::{exit::Exit, failure::Failure};
use futures_util::StreamExt as _;
use hydra_core::{
    agent_event::{AgentEvent, EventKind},
    contract_files::exit,
    egress::Told,
    job::{JobSpec, RuntimeStatus},
    ports::{Runtime, Selector},
    probe::{FILE, Tried},
};
use std::time::Duration;

/// What has not ended by then never will: the fence is proved within 60 s, and each probe waits for 2 s at most.
const PATIENCE: Duration = Duration::from_secs(120);
const TICK: Duration = Duration::from_millis(100);
/// Bytes of the file of results.
const MOST: u64 = 1024 * 1024;

/// What was found.
pub(super) struct Found {
    /// By the container.
    pub(super) tried: Vec<Tried>,
    /// By its gate, where it had one.
    pub(super) told: Option<Told>,
}

pub(super) async fn run(runtime: &dyn Runtime, spec: &JobSpec) -> Result<Found, Failure> {
    let found = match tokio::time::timeout(PATIENCE, found(runtime, spec)).await {
        Ok(found) => found,
        Err(_) => {
            let why = format!("the container of a probe has not ended within {} s", PATIENCE.as_secs());
            Err(Failure::new(Exit::Runtime, why).help("`hydra doctor` tries the fence step by step"))
        }
    };
    runtime.remove(&spec.key.id()).await?;
    found
}

async fn found(runtime: &dyn Runtime, spec: &JobSpec) -> Result<Found, Failure> {
    let job = spec.key.id();
    runtime.start(spec).await?;
    let mut lines = runtime.follow(&job).await?;
    let mut last = String::new();
    while let Some(line) = lines.next().await {
        let line = line?.text;
        match AgentEvent::from_line(&line).map(|event| event.kind) {
            Ok(EventKind::Step { step, detail }) => last = format!("{step}: {detail}"),
            Ok(_) => {}
            Err(_) => last = line,
        }
    }
    let code = loop {
        match runtime.list(&Selector::Job(job.clone())).await?.pop().map(|seen| seen.status) {
            Some(RuntimeStatus::Exited { code, .. }) => break code,
            Some(RuntimeStatus::Created | RuntimeStatus::Running) => tokio::time::sleep(TICK).await,
            Some(RuntimeStatus::Lost { why }) => {
                return Err(Failure::new(Exit::Runtime, format!("the container of a probe was lost: {why}")));
            }
            None => return Err(Failure::new(Exit::Runtime, "the container of a probe is gone")),
        }
    };
    let left = runtime.collect(&job, MOST).await?;
    let tried = left.files.get(FILE).and_then(|bytes| serde_json::from_slice(bytes).ok());
    match tried {
        Some(tried) if code == i64::from(exit::DONE) => Ok(Found { tried, told: Told::of(&left.gate) }),
        // A wrapper that does not know the mode finds its input contract not met.
        _ if code == i64::from(exit::CONTRACT) => {
            Err(Failure::new(Exit::Runtime, format!("the image {} does not know this probe: {last}", spec.image.name))
                .help("it is older than this hydra: build the images again with `cargo xtask images`"))
        }
        _ => Err(Failure::new(Exit::Failed, format!("the wrapper ended with {code}: {last}"))
            .help("`hydra doctor` tries the fence step by step")),
    }
}
