//! `hydra cancel ISSUE`: holds it first, then stops what runs, then tells GitHub. A later step that fails takes nothing back.

use super::operator::{clean, engine, operator};
use crate::{args::CancelArgs, compose, context::Context, exit::Exit, failure::Failure, output::clean::Clean};
use hydra_core::{IssueKey, Timestamp, plan::StopReason};
use hydra_engine::{
    Settled,
    holds::{HoldEntry, Scope},
    operator::StopFacts,
};
use serde::Serialize;

#[derive(Serialize)]
struct Report {
    issue: String,
    reason: String,
    /// The hold is durable: it lasts over restarts.
    held: bool,
    jobs: Vec<StopFacts>,
    /// Why the jobs of the issue could not be looked at.
    runtime_failure: Option<String>,
    /// Writes that show it at GitHub.
    writes: usize,
    /// Who holds the issue and will show it.
    left_to: Option<String>,
    /// Why GitHub does not show it yet.
    forge_failure: Option<String>,
}

pub(super) fn run(context: &Context, args: &CancelArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    let key = super::issue(&args.issue, &settings)?;
    let operator = operator(&settings)?;
    let entry = HoldEntry { reason: args.reason.clone(), until: None, set_at: Timestamp::now(), cancel: true };
    operator.hold(&Scope::Issue(key.clone()), entry)?;
    let mut report = Report {
        issue: key.to_string(),
        reason: args.reason.clone(),
        held: true,
        jobs: Vec::new(),
        runtime_failure: None,
        writes: 0,
        left_to: None,
        forge_failure: None,
    };
    super::block_on(async {
        match stop(context, &settings, &operator, &key, &args.reason).await {
            Ok(jobs) => report.jobs = jobs,
            Err(failure) => report.runtime_failure = Some(failure.sentence()),
        }
        match tell(context, &settings, &key).await {
            Ok(settled) => {
                report.writes = settled.writes;
                report.left_to = settled.held_by;
                report.forge_failure = settled.failure;
            }
            Err(failure) => report.forge_failure = Some(failure.sentence()),
        }
    })?;
    let clean = clean(&settings);
    if context.screen.json {
        clean.json(&context.screen, "cancel", &report)?;
    } else {
        show(context, &clean, &report)?;
    }
    let stopped = report.runtime_failure.is_none() && report.jobs.iter().all(|job| job.stopped);
    Ok(match (stopped, &report.forge_failure) {
        (false, _) => Exit::Runtime,
        (true, Some(_)) => Exit::Forge,
        (true, None) => Exit::Ok,
    })
}

async fn stop(
    context: &Context,
    settings: &crate::config::Settings,
    operator: &hydra_engine::operator::Operator,
    key: &IssueKey,
    reason: &str,
) -> Result<Vec<StopFacts>, Failure> {
    let runtime = compose::runtime(context, settings)?;
    let of_issue = |job: &hydra_core::job::Observed| job.key.as_ref().is_some_and(|job| job.issue == *key);
    Ok(operator.stop(&*runtime, StopReason::Cancelled, reason, of_issue).await?)
}

async fn tell(context: &Context, settings: &crate::config::Settings, key: &IssueKey) -> Result<Settled, Failure> {
    settings.check_complete()?;
    Ok(engine(context, settings).await?.settle(key).await?)
}

fn show(context: &Context, clean: &Clean, report: &Report) -> Result<(), Failure> {
    let screen = &context.screen;
    screen.line(format!("{}: on hold here, over restarts too ({})", report.issue, clean.line(&report.reason)))?;
    for job in &report.jobs {
        let word = if job.stopped { "stopped" } else { "NOT stopped" };
        let why = job.why.as_ref().map(|why| format!(": {}", clean.line(why))).unwrap_or_default();
        screen.line(format!("{word} {}{why}", job.job))?;
    }
    match &report.runtime_failure {
        Some(why) => screen.line(format!("what runs could not be stopped: {}", clean.line(why)))?,
        None if report.jobs.is_empty() => screen.line("nothing of it runs")?,
        None => {}
    }
    match (&report.forge_failure, &report.left_to) {
        (Some(why), _) => {
            screen.line(format!("GitHub does not show it yet: {}", clean.line(why)))?;
            screen.line("The hold stands all the same; the next poll shows it.")?;
        }
        (None, Some(owner)) => {
            screen.line(format!("{} holds the issue and shows it at its next look", clean.line(owner)))?
        }
        (None, None) if report.writes > 0 => screen.line("GitHub shows it")?,
        (None, None) => screen.line("at GitHub there was nothing to change")?,
    }
    screen.line("To go on: `retry:queued`, or take the trigger label off and set it again.")
}
