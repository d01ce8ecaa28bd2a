//! What the gate of a running job refuses, heard now and then: kept where `status` finds it, and told to whoever watches.

use super::{Shared, Watched};
use crate::{
    egress_note,
    observer::Happening,
    outcome::{GATE_GONE, counted},
    stops::{Halt, StopNote},
};
use hydra_core::{
    JobId, Timestamp,
    egress::{Told, gate::GateLine},
    money::Spend,
};
use std::time::Duration;

/// How often a gate is asked.
const OFTEN: Duration = Duration::from_secs(10);

/// So often a gate is found gone before it is believed.
const TWICE: u32 = 2;

/// How far a job's gate was heard.
#[derive(Default)]
pub(super) struct Hearing {
    /// When to ask next; `None`: nobody stands before this job.
    next: Option<Timestamp>,
    refused: u64,
    restarts: u32,
    /// Whether it was ever heard.
    heard: bool,
    /// How often in a row it was found gone for good: nobody stands between the job and the world any more, so it has no world.
    gone: u32,
    /// What it has counted itself of what the API said: an agent that says less has used no less.
    spend: Spend,
}

impl Hearing {
    /// Asks for the first time. A gate has told that it serves before its job begins: a job without a word of one has none.
    pub(super) async fn begin(shared: &Shared, job: &JobId, watched: &Watched) -> Self {
        let mut hearing = Self { next: Some(shared.ports.clock.now()), ..Self::default() };
        hearing.hear(shared, job, watched).await;
        hearing
    }

    /// Asks, if it is time. That it cannot be heard now holds nothing up.
    pub(super) async fn hear(&mut self, shared: &Shared, job: &JobId, watched: &Watched) {
        let now = shared.ports.clock.now();
        if self.next.is_none_or(|next| next > now) {
            return;
        }
        self.next = now.checked_add(OFTEN).ok();
        let told = match shared.ports.runtime.told(job).await {
            Ok(lines) => {
                self.count(shared, watched, &lines);
                Told::of(&lines)
            }
            Err(error) => {
                tracing::debug!(%job, %error, "its gate cannot be heard now");
                return;
            }
        };
        let Some(told) = told else {
            // One that was heard and is not there any more was taken away.
            if self.heard {
                self.gone += 1;
            } else {
                self.next = None;
            }
            return;
        };
        self.heard = true;
        if told.restarts != self.restarts {
            self.restarts = told.restarts;
            shared.observer.saw(&Happening::GateBack { key: watched.key.clone(), times: told.restarts });
        }
        self.gone = if told.gone { self.gone + 1 } else { 0 };
        if told.refusals() == self.refused {
            return;
        }
        self.refused = told.refusals();
        let refused = egress_note::so_far(shared, job, &watched.key, watched.bounds.started_at, told);
        if let Some(refused) = refused {
            shared.observer.saw(&Happening::Refused { key: watched.key.clone(), refused });
        }
    }

    fn count(&mut self, shared: &Shared, watched: &Watched, lines: &[GateLine]) {
        if let Some(tokens) = counted(lines) {
            let cost = watched.model.as_ref().and_then(|model| shared.config.prices.cost(model, tokens).ok());
            self.spend = Spend { tokens, cost: cost.unwrap_or_default(), turns: 0 };
        }
    }

    /// What a job has spent so far: what its own events say, or what its gate counted, whichever is more.
    pub(super) fn spent(&self, said: Spend) -> Spend {
        let more = self.spend.tokens.total() > said.tokens.total();
        let tokens = if more { self.spend.tokens } else { said.tokens };
        Spend { tokens, cost: said.cost.max(self.spend.cost), turns: said.turns }
    }

    /// Why a job whose gate is gone for good is not left to wait for its time to run out. Found so twice: where the engine itself goes down, a
    /// gate is quicker than its job.
    pub(super) fn halt(&self, now: Timestamp) -> Option<StopNote> {
        (self.gone >= TWICE).then(|| StopNote { why: Halt::Gate, detail: GATE_GONE.to_owned(), at: now })
    }

    /// How long until it is asked again.
    pub(super) fn rest(&self, now: Timestamp) -> Duration {
        self.next.map_or(Duration::MAX, |next| super::follow::wait(now, next))
    }
}
