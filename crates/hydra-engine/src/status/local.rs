//! What this machine knows without asking the forge: jobs, holds, accounts, the breaker. So `status` says something in an outage too.

use super::JobFacts;
use crate::{
    breaker::Breaker,
    engine::EngineError,
    holds::{HoldEntry, Holds},
    store::StateDir,
    tally::Tally,
};
use hydra_core::{
    JobId, ModelName, Timestamp,
    ports::{AccountView, Runtime, Selector},
    prices::PriceTable,
};
use serde::Serialize;

/// Facts of this machine.
#[derive(Debug, Clone, Serialize)]
pub struct LocalFacts {
    /// When they were gathered.
    pub now: Timestamp,
    /// Every job of this installation.
    pub jobs: Vec<JobFacts>,
    /// Holds that are in force.
    pub holds: Vec<HoldFacts>,
    /// Why nothing starts, when too much failed alike.
    pub breaker: Option<String>,
}

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldFacts {
    /// `everything`, a repository or an issue.
    pub scope: String,
    /// `pause` or `cancel`.
    pub kind: &'static str,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when; absent: until a person resumes.
    pub until: Option<Timestamp>,
}

/// Gathers them.
///
/// # Errors
/// When the runtime does not answer, or a file of the state folder cannot be read: a failed read is never an empty list.
pub async fn local(
    state: &StateDir,
    runtime: &dyn Runtime,
    prices: &PriceTable,
    now: Timestamp,
) -> Result<LocalFacts, EngineError> {
    let seen = runtime.list(&Selector::Mine).await.map_err(|error| EngineError::Runtime(error.to_string()))?;
    let jobs =
        seen.iter().map(|job| JobFacts::of(job, &recalled(state, &job.id, prices).progress).heard(state)).collect();
    let holds = in_force(&Holds::read(state)?, now);
    let breaker = Breaker::read(state)?.hold(now).map(|hold| hold.reason);
    Ok(LocalFacts { now, jobs, holds, breaker })
}

/// The holds of a file that are in force.
pub(crate) fn in_force(holds: &Holds, now: Timestamp) -> Vec<HoldFacts> {
    let fact = |scope: &str, entry: &HoldEntry| {
        entry.until.is_none_or(|until| until > now).then(|| HoldFacts {
            scope: scope.to_owned(),
            kind: if entry.cancel { "cancel" } else { "pause" },
            reason: entry.reason.clone(),
            since: entry.set_at,
            until: entry.until,
        })
    };
    let all = holds.all.iter().filter_map(|entry| fact("everything", entry));
    let named = holds.repos.iter().chain(&holds.issues);
    all.chain(named.filter_map(|(scope, entry)| fact(scope, entry))).collect()
}

/// What a job's log in the state folder says: written by whoever follows the job, most likely another process.
pub(crate) fn recalled(state: &StateDir, job: &JobId, prices: &PriceTable) -> Tally {
    let model: Option<ModelName> = crate::order::read_note(state, job).ok().flatten().and_then(|note| note.model);
    let mut tally = Tally::default();
    // A log that cannot be read says nothing of the job; the job itself is shown all the same.
    let Ok(bytes) = std::fs::read(state.log(job)) else { return tally };
    for line in bytes.split(|byte| *byte == b'\n') {
        tally.line(&String::from_utf8_lossy(line), prices, model.as_ref());
    }
    tally
}

/// Accounts for `--json`: names and what is known of them, never a credential.
#[derive(Debug, Clone, Serialize)]
pub struct AccountFacts {
    /// Its name.
    pub name: String,
    /// Lower is tried first.
    pub priority: i32,
    /// Set aside until then.
    pub aside_until: Option<Timestamp>,
    /// Why.
    pub why: Option<String>,
}

impl From<&AccountView> for AccountFacts {
    fn from(account: &AccountView) -> Self {
        let aside = account.aside.as_ref();
        Self {
            name: account.name.to_string(),
            priority: account.priority,
            aside_until: aside.map(|(until, _)| *until),
            why: aside.map(|(_, why)| why.clone()),
        }
    }
}

impl LocalFacts {
    /// How many of the jobs run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.jobs.iter().filter(|job| job.state == "running").count()
    }
}
