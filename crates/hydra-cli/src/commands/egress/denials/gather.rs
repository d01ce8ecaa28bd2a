//! What is known of refusals: notes on ended jobs in the state folder, and the gates of those that are still there.

use super::super::super::block_on;
use crate::{compose, config::Settings, context::Context, exit::Exit, failure::Failure};
use hydra_core::{
    JobId,
    egress::Told,
    job::{Observed, RuntimeStatus},
    ports::{Runtime, RuntimeError, Selector},
};
use hydra_engine::{
    EngineError, Scrub,
    egress_note::{self, EgressNote},
    operator::Operator,
    store::StoreError,
};
use std::sync::Arc;

/// What was found, newest first, and what could not be.
pub(super) struct Gathered {
    pub(super) notes: Vec<EgressNote>,
    pub(super) unseen: Unseen,
}

/// What could not be seen.
#[derive(Default)]
pub(super) struct Unseen {
    pub(super) unread: Vec<StoreError>,
    /// The runtime, which alone knows of running jobs.
    pub(super) runtime: Option<Failure>,
}

/// Of one job, or of all.
pub(super) fn all(
    context: &Context,
    settings: &Settings,
    operator: &Operator,
    job: Option<&JobId>,
) -> Result<Gathered, Failure> {
    let scrub = Scrub::from(Arc::new(compose::redactor(settings)));
    let (mut notes, unread) = match job {
        Some(job) => {
            let note =
                egress_note::read(&operator.state, job).map_err(|error| Failure::from(EngineError::from(error)))?;
            (note.into_iter().collect(), Vec::new())
        }
        None => egress_note::read_all(&operator.state).map_err(|error| Failure::from(EngineError::from(error)))?,
    };
    let asked = block_on(async {
        let runtime = compose::runtime(context, settings)?;
        let seen = match job {
            Some(job) => runtime.list(&Selector::Job(job.clone())).await?,
            None => runtime.list(&Selector::Any).await?.into_iter().filter(|job| operator.owns(job)).collect(),
        };
        let live = live(&*runtime, &seen, &notes, &scrub).await?;
        Ok::<_, Failure>((seen, live))
    })?;
    let mut unseen = Unseen { unread, runtime: None };
    match asked {
        Ok((seen, live)) => {
            if let Some(job) = job.filter(|_| live.is_empty() && notes.is_empty()) {
                return Err(unknown(operator, job, &seen));
            }
            notes.retain(|note| live.iter().all(|other| other.job != note.job));
            notes.extend(live);
        }
        // What is kept of one job that has ended is all there is.
        Err(_) if job.is_some() && !notes.is_empty() => {}
        Err(failure) if job.is_some() => return Err(failure),
        Err(failure) => unseen.runtime = Some(failure),
    }
    notes.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| a.job.cmp(&b.job)));
    Ok(Gathered { notes, unseen })
}

/// What the gates of jobs say that are there and of which nothing final is kept.
async fn live(
    runtime: &dyn Runtime,
    seen: &[Observed],
    kept: &[EgressNote],
    scrub: &Scrub,
) -> Result<Vec<EgressNote>, RuntimeError> {
    let mut live = Vec::new();
    for job in seen {
        if kept.iter().any(|note| note.job == job.id && note.created_at == job.created_at && note.ended_at.is_some()) {
            continue;
        }
        let ended_at = match &job.status {
            RuntimeStatus::Exited { at, .. } => Some(*at),
            RuntimeStatus::Created | RuntimeStatus::Running | RuntimeStatus::Lost { .. } => None,
        };
        let told = Told::of(&runtime.told(&job.id).await?);
        live.extend(EgressNote::of(job, told, ended_at, scrub));
    }
    Ok(live)
}

fn unknown(operator: &Operator, job: &JobId, seen: &[Observed]) -> Failure {
    if seen.is_empty() && !operator.state.log(job).exists() {
        return Failure::new(
            Exit::Failed,
            format!("there is no job {job}, and nothing is kept of what it was refused"),
        )
        .help("`hydra status` lists those that are there, `hydra egress denials` what is kept of all");
    }
    Failure::new(Exit::Failed, format!("no gate has told anything of {job}")).help(
        "a gate stands before agents where egress.mode is \"isolated\"; it tells within seconds of the job's start",
    )
}
