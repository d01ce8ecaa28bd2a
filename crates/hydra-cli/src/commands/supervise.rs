//! `hydra supervise`: the same loop as a daemon. The first SIGTERM or Ctrl-C drains, a second one stops the jobs.

use super::{
    operator::clean,
    poll::look_first,
    signals::{self, LeftRunning},
};
use crate::{
    args::SuperviseArgs,
    compose::{self, engine::Extras},
    config::Settings,
    context::Context,
    exit::Exit,
    failure::Failure,
    output::{happenings::Happenings, json, live::Live},
};
use hydra_engine::observer::Observer;
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct Report {
    cycles: u64,
    actions: usize,
    writes: usize,
    jobs: LeftRunning,
}

pub(super) fn run(context: &Context, _args: &SuperviseArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    settings.check_complete()?;
    super::block_on(supervise(context, &settings))?
}

async fn supervise(context: &Context, settings: &Settings) -> Result<Exit, Failure> {
    let screen = &context.screen;
    look_first(context, settings).await?;
    let observer: Arc<dyn Observer> = if screen.json {
        Arc::new(Happenings::new(clean(settings)))
    } else {
        Arc::new(Live::new(screen.terminal, false).of_issues())
    };
    let mut engine =
        compose::engine::engine(context, settings, Extras { observer: Some(observer), ..Extras::default() }).await?;
    if !screen.json {
        let repos: Vec<String> = settings.repos.iter().map(ToString::to_string).collect();
        let repos = if repos.is_empty() { "the repositories of the board".to_owned() } else { repos.join(", ") };
        let every = settings.values.pipeline.poll_interval;
        screen.line(format!("supervising {repos}, every {every}; SIGTERM or Ctrl-C ends it in good order"))?;
    }
    let report = signals::counted(|heard| async move {
        let ended = engine.supervise(heard.clone().wait(1)).await;
        // A reader that went away must not keep anybody from stopping a job.
        let say = |text: String| {
            if !screen.json {
                drop(screen.line(text));
            }
        };
        let jobs = signals::part(&mut engine, &heard, say).await?;
        Ok::<_, Failure>(Report { cycles: ended.cycles, actions: ended.actions, writes: ended.writes, jobs })
    })
    .await??;
    if screen.json {
        screen.line(json::line("supervise", &report)?)?;
    } else {
        screen.line(format!("ended after {} cycles and {} actions", report.cycles, report.actions))?;
    }
    Ok(if !report.jobs.not_stopped.is_empty() {
        Exit::Runtime
    } else if report.jobs.stopped.is_empty() {
        Exit::Ok
    } else {
        Exit::Interrupted
    })
}
