//! What an operator does by hand: holds, lifts holds, stops jobs. It needs no forge, so it works in an outage too.

use crate::{
    engine::EngineError,
    holds::{HoldEntry, Holds, Scope},
    stops::{self, Halt, StopNote},
    store::StateDir,
};
use hydra_core::{
    JobId,
    job::{Observed, RuntimeStatus},
    plan::StopReason,
    ports::{AuditEntry, AuditSink, Clock, Runtime, Selector},
};
use serde::Serialize;
use std::{sync::Arc, time::Duration};

/// What follows an installation's name in the name under which stages run by hand: the pipeline's loop never takes them for its own.
pub const BY_HAND: &str = "-by-hand";

/// An operator at this machine.
pub struct Operator {
    /// The state folder.
    pub state: StateDir,
    /// The installation's name.
    pub instance: String,
    /// Evidence.
    pub audit: Arc<dyn AuditSink>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How long a job may take to end after it was asked to.
    pub stop_grace: Duration,
}

/// One job that was to be stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StopFacts {
    /// Its name.
    pub job: JobId,
    /// Its issue, where its labels can be read.
    pub issue: Option<String>,
    /// Its stage, where its labels can be read.
    pub stage: Option<hydra_core::Stage>,
    /// The credentials that it held or used.
    pub credentials: Vec<String>,
    /// Whether it does not run any more.
    pub stopped: bool,
    /// Why not, or what else went wrong.
    pub why: Option<String>,
}

impl Operator {
    /// Sets a hold; it lasts over restarts.
    ///
    /// # Errors
    /// When it could not be made durable.
    pub fn hold(&self, scope: &Scope, entry: HoldEntry) -> Result<Option<HoldEntry>, EngineError> {
        let facts = serde_json::json!({
            "command": if entry.cancel { "cancel" } else { "pause" }, "scope": scope.to_string(), "reason": entry.reason, "until": entry.until,
        });
        let stands = Holds::set(&self.state, scope, entry)?;
        if stands.is_none() {
            self.note(scope, &facts);
        }
        Ok(stands)
    }

    /// Lifts a hold; returns it, if there was one.
    ///
    /// # Errors
    /// When the holds cannot be read or written.
    pub fn lift(&self, scope: &Scope) -> Result<Option<HoldEntry>, EngineError> {
        let lifted = Holds::lift(&self.state, scope)?;
        if let Some(entry) = &lifted {
            let facts = serde_json::json!({ "command": "resume", "scope": scope.to_string(), "lifted": entry.reason });
            self.note(scope, &facts);
        }
        Ok(lifted)
    }

    /// Stops every running job of this installation that `which` says yes to, those run by hand included.
    ///
    /// # Errors
    /// When the runtime cannot be asked what runs. A job that could not be stopped is in the answer.
    pub async fn stop(
        &self,
        runtime: &dyn Runtime,
        why: StopReason,
        detail: &str,
        which: impl Fn(&Observed) -> bool,
    ) -> Result<Vec<StopFacts>, EngineError> {
        let seen = runtime.list(&Selector::Any).await.map_err(|error| EngineError::Runtime(error.to_string()))?;
        let mut all = Vec::new();
        let live = |job: &Observed| matches!(job.status, RuntimeStatus::Running | RuntimeStatus::Created);
        for job in seen.into_iter().filter(|job| self.owns(job) && live(job) && which(job)) {
            all.push(self.stop_one(runtime, job, why, detail).await);
        }
        Ok(all)
    }

    /// Jobs of the pipeline and those that were started by hand.
    #[must_use]
    pub fn owns(&self, job: &Observed) -> bool {
        job.instance.strip_prefix(&self.instance).is_some_and(|rest| rest.is_empty() || rest == BY_HAND)
    }

    async fn stop_one(&self, runtime: &dyn Runtime, job: Observed, why: StopReason, detail: &str) -> StopFacts {
        let note = StopNote { why: Halt::Because(why), detail: detail.to_owned(), at: self.clock.now() };
        // An operator's stop is not put off by a disk that refuses the reason: the job's end is then taken for a failure of its own.
        let mut told =
            stops::keep(&self.state, &job.id, &note).err().map(|error| format!("the reason is not kept: {error}"));
        let stopped = match job.status {
            // It never ran: what was made of it is removed, so that it does not hold anything either.
            RuntimeStatus::Created => runtime.remove(&job.id).await,
            RuntimeStatus::Running | RuntimeStatus::Exited { .. } | RuntimeStatus::Lost { .. } => {
                runtime.stop(&job.id, self.stop_grace).await
            }
        };
        if let Err(error) = &stopped {
            told = Some(error.to_string());
        }
        let facts = serde_json::json!({
            "command": "stop", "reason": why, "detail": detail, "credentials": job.credentials, "stopped": stopped.is_ok(),
        });
        let issue = job.key.as_ref().map(|key| key.issue.to_string());
        self.append(AuditEntry {
            ts: self.clock.now(),
            kind: "operator".into(),
            issue: issue.clone(),
            job: Some(job.id.to_string()),
            facts,
        });
        StopFacts {
            issue,
            stage: job.key.as_ref().map(|key| key.stage),
            credentials: job.credentials,
            stopped: stopped.is_ok(),
            why: told,
            job: job.id,
        }
    }

    fn note(&self, scope: &Scope, facts: &serde_json::Value) {
        let issue = match scope {
            Scope::Issue(issue) => Some(issue.to_string()),
            Scope::All | Scope::Repo(_) => None,
        };
        let ts = self.clock.now();
        self.append(AuditEntry { ts, kind: "operator".into(), issue, job: None, facts: facts.clone() });
    }

    /// Holding and stopping are the safe direction: a log that cannot be written does not keep an operator from it.
    fn append(&self, entry: AuditEntry) {
        if let Err(error) = self.audit.append(&entry) {
            tracing::error!(%error, "what the operator did is not in the audit log");
        }
    }
}
