//! What bounds a run: slots, attempts, time, turns, money, accounts, holds, leases, and the evidence without which nothing starts.

mod accounts;
mod attempts;
mod board;
mod evidence;
mod holds;
mod leases;
mod money;
mod slots;
mod time;

use crate::world::{World, event, well};
use hydra_core::{
    Stage, Tokens,
    agent_event::EventKind,
    contract::fake::{End, Play},
    job::JobSpec,
    ports::{LogLine, Runtime as _, Selector},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

/// When which stage of which issue was started.
#[derive(Clone, Default)]
struct Starts(Arc<Mutex<Vec<(u64, Stage, Instant)>>>);

impl Starts {
    fn note(&self, spec: &JobSpec) {
        self.0.lock().unwrap().push((spec.key.issue.number.0, spec.key.stage, Instant::now()));
    }
    /// Whole seconds from the first start of a stage to each of its starts.
    fn seconds(&self, stage: Stage) -> Vec<u64> {
        let all = self.0.lock().unwrap();
        let of: Vec<Instant> = all.iter().filter(|(_, of, _)| *of == stage).map(|(_, _, at)| *at).collect();
        of.iter().map(|at| (*at - of[0]).as_secs()).collect()
    }
    fn stages(&self) -> Vec<(u64, Stage)> {
        self.0.lock().unwrap().iter().map(|(issue, stage, _)| (*issue, *stage)).collect()
    }
    fn count(&self, stage: Stage) -> usize {
        self.stages().iter().filter(|(_, of)| *of == stage).count()
    }
}

/// A job that says the same thing over and over, at a pace, and never ends by itself.
fn talks(spec: &JobSpec, what: &EventKind, pace: u64) -> Play {
    let line = LogLine { stderr: false, text: event(what.clone()) };
    let mut play = well(spec);
    (play.end, play.pace, play.lines) = (End::Runs, Duration::from_secs(pace), vec![line; 500]);
    play
}

/// A response of the model: 1.5 cents of the builder's model.
const RESPONSE: EventKind = EventKind::Turn {
    turn: 1,
    tokens: Tokens { input: 1000, output: 400, cache_read: 0, cache_write: 0 },
    model: None,
};

fn working() -> EventKind {
    EventKind::Text { text: "I am still at it.".to_owned() }
}

/// Why nothing more happens for an issue, as its own process says it.
fn reasons(ended: &hydra_engine::Ended, number: u64) -> String {
    ended.issues.get(&crate::world::key(number)).map(|driven| driven.reasons.join("; ")).unwrap_or_default()
}

async fn running(world: &World) -> usize {
    let jobs = world.runtime.list(&Selector::Any).await.unwrap();
    jobs.iter().filter(|job| matches!(job.status, hydra_core::job::RuntimeStatus::Running)).count()
}
