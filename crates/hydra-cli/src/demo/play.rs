//! Plays a story: the real pipeline runs on the stage until it rests, watched, and what was seen is kept for the ending.

use super::stage_set::{self, StageSet};
use crate::{
    compose::engine::{Extras, engine},
    config::environment::Environment,
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
    sync::{Arc, Mutex, PoisonError},
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

/// Runs the pipeline until it rests.
///
/// # Errors
/// When the pipeline cannot be set up.
pub async fn play(context: &Context, set: &StageSet, scenario: &Scenario) -> Result<Seen, Failure> {
    let there = surroundings(context, set);
    let settings = there.load()?.settings;
    let screen = context.screen;
    let keeper = Arc::new(Keeper {
        live: Live::new(screen.terminal, screen.json),
        who: Mutex::default(),
        stages: Mutex::default(),
    });
    let observer: Arc<dyn Observer> = keeper.clone();
    let mut engine = engine(&there, &settings, Extras { observer: Some(observer), ..Extras::default() }).await?;
    // A person's commit to the base branch comes while the pipeline runs.
    let meanwhile = async {
        if let Some(commit) = &scenario.second_commit {
            while !set.has_work_branch() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            set.push_to_base(commit)?;
        }
        Ok::<(), Failure>(())
    };
    let interrupted = Arc::new(Mutex::new(false));
    let stop = {
        let interrupted = Arc::clone(&interrupted);
        async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                *interrupted.lock().unwrap_or_else(PoisonError::into_inner) = true;
            }
        }
    };
    let (ended, pushed) = tokio::join!(engine.run_until_rest(stop), async {
        tokio::time::timeout(stage_set::PATIENCE, meanwhile).await.unwrap_or(Ok(()))
    });
    pushed?;
    if *interrupted.lock().unwrap_or_else(PoisonError::into_inner) {
        let failed = engine.stop_jobs().await;
        tracing::debug!(?failed, "stopped by Ctrl-C");
        return Err(Failure::new(Exit::Interrupted, "the demo was interrupted; its jobs were stopped"));
    }
    let stages = std::mem::take(&mut *keeper.stages.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Seen { stages, ended })
}
