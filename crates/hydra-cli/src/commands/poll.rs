//! `hydra poll`: looks, does what is due, waits until the pipelines that it holds rest. `--dry-run` prints the plan.

use super::{
    operator::{clean, looking},
    signals::{self, LeftRunning},
};
use crate::{
    args::PollArgs,
    compose::{self, engine::Extras},
    config::{Settings, runtime::RuntimeKind},
    context::Context,
    exit::Exit,
    failure::Failure,
    output::{
        issue,
        live::Live,
        screen::{Screen, Tint},
    },
    preflight,
};
use hydra_engine::{
    Ended, Side,
    status::{Overview, UnseenFacts},
};
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct Report {
    cycles: u64,
    actions: usize,
    writes: usize,
    /// It was told to end before everything rested.
    interrupted: bool,
    issues: Vec<IssueReport>,
    failures: Vec<UnseenFacts>,
    jobs: LeftRunning,
}

#[derive(Serialize)]
struct IssueReport {
    issue: String,
    /// Actions that this poll carried out for it.
    actions: usize,
    /// A person must act, or attempts are used up.
    handed_over: bool,
    reasons: Vec<String>,
}

pub(super) fn run(context: &Context, args: &PollArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    if args.dry_run {
        settings.check_readable()?;
    } else {
        settings.check_complete()?;
    }
    super::block_on(async {
        look_first(context, &settings).await?;
        if args.dry_run { plan(context, &settings).await } else { cycle(context, &settings).await }
    })?
}

/// What must be well before anything is done, and what should be known.
pub(super) async fn look_first(context: &Context, settings: &Settings) -> Result<(), Failure> {
    for warning in preflight::check(settings, &compose::github(settings)?).await? {
        context.screen.warn(&warning);
    }
    compose::docker::ready(context, settings).await?;
    if settings.values.runtime.kind == RuntimeKind::Process {
        context.screen.warn("runtime.kind is \"process\": agents are processes of this machine, nothing isolates them");
    }
    Ok(())
}

async fn plan(context: &Context, settings: &Settings) -> Result<Exit, Failure> {
    let overview = looking(context, settings).await?.overview().await?;
    let clean = clean(settings);
    if context.screen.json {
        clean.json(&context.screen, "plan", &overview)?;
    } else {
        show_plan(&context.screen, &clean, &overview)?;
    }
    Ok(super::status::exit(&overview))
}

fn show_plan(screen: &Screen, clean: &crate::output::clean::Clean, overview: &Overview) -> Result<(), Failure> {
    for facts in &overview.issues {
        screen.line(format!("{}  {}", screen.tint(Tint::Bold, &facts.issue), clean.line(&facts.title)))?;
        for action in &facts.next {
            screen.line(format!("  would {}", clean.line(&action.text)))?;
        }
        issue::reasons(screen, clean, facts)?;
    }
    for unseen in &overview.unseen {
        let line = format!("not seen: {}: {}", unseen.what, unseen.why);
        screen.line(screen.tint(Tint::Bad, &clean.line(&line)))?;
    }
    let act = overview.issues.iter().filter(|facts| !facts.next.is_empty()).count();
    let all = overview.issues.len();
    screen.line(format!("{all} {}, {act} with something to do; nothing was done (dry run)", issues(all)))
}

async fn cycle(context: &Context, settings: &Settings) -> Result<Exit, Failure> {
    let screen = &context.screen;
    let live = Arc::new(Live::new(screen.terminal, screen.json).of_issues());
    let extras = Extras { observer: Some(live), ..Extras::default() };
    let mut engine = compose::engine::engine(context, settings, extras).await?;
    let (ended, jobs, interrupted) = signals::counted(|heard| async move {
        let ended = engine.run_until_rest(heard.clone().wait(1)).await;
        let interrupted = heard.times(1);
        // A reader that went away must not keep anybody from stopping a job.
        let say = |text: String| {
            if !screen.json {
                drop(screen.line(text));
            }
        };
        let jobs = if interrupted { signals::part(&mut engine, &heard, say).await? } else { LeftRunning::default() };
        Ok::<_, Failure>((ended, jobs, interrupted))
    })
    .await??;
    let report = report(&ended, jobs, interrupted);
    let clean = clean(settings);
    if screen.json {
        clean.json(screen, "poll", &report)?;
    } else {
        let all = report.issues.len();
        let (cycles, actions) = (report.cycles, report.actions);
        screen.line(format!(
            "{all} {}, {cycles} {}, {actions} {}",
            issues(all),
            if cycles == 1 { "cycle" } else { "cycles" },
            if actions == 1 { "action" } else { "actions" }
        ))?;
    }
    match report.failures.iter().find(|failure| failure.side == Side::Machine) {
        // Cron looks at the exit code, a person at the last line.
        Some(failure) if !report.interrupted => {
            let help = "make room, or mend the folder that state.dir names; the next poll goes on by itself";
            let message = clean.line(&format!("{}: {}", failure.what, failure.why));
            Err(Failure::new(Exit::Local, message).help(help))
        }
        _ => Ok(exit(&report)),
    }
}

fn report(ended: &Ended, jobs: LeftRunning, interrupted: bool) -> Report {
    let of_issues = ended.issues.values().filter_map(|driven| driven.failure.as_ref());
    let others = ended.last.failures.iter().filter(|failure| failure.issue.is_none());
    Report {
        cycles: ended.cycles,
        actions: ended.actions,
        writes: ended.writes,
        interrupted,
        issues: ended
            .issues
            .iter()
            .map(|(key, driven)| IssueReport {
                issue: key.to_string(),
                actions: driven.actions,
                handed_over: driven.handed_over,
                reasons: driven.reasons.clone(),
            })
            .collect(),
        failures: of_issues.chain(others).map(UnseenFacts::from).collect(),
        jobs,
    }
}

fn exit(report: &Report) -> Exit {
    if report.interrupted {
        return Exit::Interrupted;
    }
    match super::worst(report.failures.iter().map(|failure| failure.side)) {
        Exit::Ok if report.issues.iter().any(|issue| issue.actions > 0 && issue.handed_over) => Exit::Failed,
        other => other,
    }
}

fn issues(count: usize) -> &'static str {
    if count == 1 { "issue" } else { "issues" }
}
