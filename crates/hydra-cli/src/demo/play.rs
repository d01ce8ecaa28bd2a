//! Plays a story: the real pipeline runs on the stage until it rests, watched, and what was seen is kept for the ending.

use super::{
    jobs,
    stage_set::{self, StageSet},
};
use crate::{
    compose::{
        self,
        engine::{Extras, engine},
    },
    config::{Settings, environment::Environment},
    context::Context,
    exit::Exit,
    failure::Failure,
    output::live::Live,
};
use hydra_core::{Timestamp, job::JobKey, plan::JobOutcome};
use hydra_engine::{
    Ended,
    observer::{Happening, Observer},
};
use hydra_sim::model::Scenario;
use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// One stage that ended.
#[derive(Debug, Clone)]
pub struct Played {
    /// Which.
    pub key: JobKey,
    /// Persona, or empty.
    pub who: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How it went.
    pub outcome: JobOutcome,
}

/// What was seen of the whole story.
pub struct Seen {
    /// Its stages, in the order in which they ended.
    pub stages: Vec<Played>,
    /// How the loop ended.
    pub ended: Ended,
}

/// Shows what happens, and keeps it.
struct Keeper {
    live: Live,
    who: Mutex<BTreeMap<String, String>>,
    stages: Mutex<Vec<Played>>,
}

impl Observer for Keeper {
    fn saw(&self, happening: &Happening) {
        match happening {
            Happening::StageStarted { job, who, .. } => {
                let mut names = self.who.lock().unwrap_or_else(PoisonError::into_inner);
                names.insert(job.to_string(), who.clone());
            }
            Happening::StageEnded { key, started_at, at, outcome } => {
                let who = self.who.lock().unwrap_or_else(PoisonError::into_inner).get(&key.id().to_string()).cloned();
                let played = Played {
                    key: key.clone(),
                    who: who.unwrap_or_default(),
                    started_at: *started_at,
                    ended_at: *at,
                    outcome: (**outcome).clone(),
                };
                self.stages.lock().unwrap_or_else(PoisonError::into_inner).push(played);
            }
            Happening::StageProgress { .. }
            | Happening::Refused { .. }
            | Happening::GateBack { .. }
            | Happening::ActionDone { .. }
            | Happening::ActionFailed { .. }
            | Happening::ReasonChanged { .. }
            | Happening::Trouble { .. } => {}
        }
        self.live.saw(happening);
    }
}

/// The surroundings of every command that looks at the stage: its own folder and configuration, none of the caller's variables but those that programs need.
#[must_use]
pub fn surroundings(context: &Context, set: &StageSet) -> Context {
    let kept = ["PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "DOCKER_HOST"];
    let environment: Environment =
        kept.iter().filter_map(|name| Some(((*name).into(), context.environment.raw(name)?.clone()))).collect();
    Context {
        cwd: set.folder.path().to_owned(),
        environment,
        config: Some(set.folder.path().join("hydra.toml")),
        state_dir: None,
        screen: context.screen,
    }
}

/// That what the pipeline needs on this machine is there: for containers, every image as it is pinned.
///
/// # Errors
/// What is not.
pub async fn ready(context: &Context, set: &StageSet) -> Result<(), Failure> {
    let there = surroundings(context, set);
    compose::docker::ready(&there, &there.load()?.settings).await
}

/// Runs the pipeline until it rests, or until `stop` ends. Whichever it is, none of its jobs is left.
///
/// # Errors
/// When the pipeline cannot be set up, when it was stopped, and when a job could not be taken away.
pub async fn play(
    context: &Context,
    set: &StageSet,
    scenario: &Scenario,
    stop: impl Future<Output = ()>,
) -> Result<Seen, Failure> {
    let there = surroundings(context, set);
    let settings = there.load()?.settings;
    let seen = until_rest(&there, &settings, set, scenario, stop).await;
    let left = jobs::take_away(&*compose::runtime(&there, &settings)?).await?;
    if let Some((job, error)) = left.first() {
        return Err(Failure::new(Exit::Runtime, format!("{job} could not be taken away: {}", error.message))
            .help(format!("docker rm -f {job}")));
    }
    seen
}

async fn until_rest(
    there: &Context,
    settings: &Settings,
    set: &StageSet,
    scenario: &Scenario,
    stop: impl Future<Output = ()>,
) -> Result<Seen, Failure> {
    let screen = there.screen;
    let keeper = Arc::new(Keeper {
        live: Live::new(screen.terminal, screen.json),
        who: Mutex::default(),
        stages: Mutex::default(),
    });
    let observer: Arc<dyn Observer> = keeper.clone();
    let mut engine = engine(there, settings, Extras { observer: Some(observer), ..Extras::default() }).await?;
    let stopped = AtomicBool::new(false);
    let stop = async {
        stop.await;
        stopped.store(true, Ordering::Relaxed);
    };
    let (ended, pushed) = {
        let mut run = pin!(engine.run_until_rest(stop));
        let mut meanwhile = pin!(tokio::time::timeout(stage_set::PATIENCE, second_commit(set, scenario)));
        // Nothing waits for the commit once the pipeline has ended.
        tokio::select! {
            ended = &mut run => (ended, Ok(())),
            pushed = &mut meanwhile => (run.await, pushed.unwrap_or(Ok(()))),
        }
    };
    if stopped.load(Ordering::Relaxed) {
        let failed = engine.stop_jobs().await;
        tracing::debug!(?failed, "stopped by a signal");
        return Err(Failure::new(Exit::Interrupted, "the demo was interrupted; its jobs were stopped and taken away")
            .help("start it again: it begins anew"));
    }
    pushed?;
    let stages = std::mem::take(&mut *keeper.stages.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Seen { stages, ended })
}

/// A person's commit to the base branch comes while the pipeline runs.
async fn second_commit(set: &StageSet, scenario: &Scenario) -> Result<(), Failure> {
    let Some(commit) = &scenario.second_commit else { return Ok(()) };
    while !set.has_work_branch() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    set.push_to_base(commit)
}
