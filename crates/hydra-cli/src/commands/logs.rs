//! `hydra logs JOB`: the job's events, a line each for people, or as they are with `--json`. Of a job that was removed: what was written
//! down while it was followed.

use super::operator::operator;
use crate::{
    args::LogsArgs,
    compose,
    context::Context,
    exit::Exit,
    failure::Failure,
    output::{event, mask::scrub},
};
use futures_util::StreamExt;
use hydra_core::{
    JobId,
    agent_event::AgentEvent,
    egress::Told,
    job::RuntimeStatus,
    ports::{LogLine, Selector},
    redact::Redactor,
};
use hydra_engine::{egress_note, status::RefusedFacts};
use std::{io::ErrorKind, time::Duration};

/// Without `--follow`, a running job's output so far is all there is: it ends when nothing comes for so long.
const QUIET: Duration = Duration::from_millis(300);

pub(super) fn run(context: &Context, args: &LogsArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    let job: JobId =
        args.job.parse().map_err(|error: hydra_core::IdError| Failure::new(Exit::Usage, error.to_string()))?;
    let redactor = compose::redactor(&settings);
    super::block_on(async {
        let runtime = compose::runtime(context, &settings)?;
        let found = runtime.list(&Selector::Job(job.clone())).await?;
        let Some(observed) = found.into_iter().next() else {
            let state = operator(&settings)?.state;
            let kept = state.log(&job);
            return match std::fs::read_to_string(&kept) {
                Ok(text) => {
                    let exit = written_down(context, &redactor, &text)?;
                    let note = egress_note::read(&state, &job).ok().flatten();
                    refused(context, &redactor, &job, note.and_then(|note| note.refused()))?;
                    Ok(exit)
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    Err(Failure::new(Exit::Failed, format!("there is no job {job}, and nothing is written down of it"))
                        .help("`hydra status` lists those that are there, `hydra explain ISSUE` those of an issue"))
                }
                Err(error) => Err(Failure::local(format_args!("{} cannot be read", kept.display()), &error)),
            };
        };
        let running = matches!(observed.status, RuntimeStatus::Running);
        let mut lines = runtime.follow(&job).await?;
        loop {
            let next = if running && !args.follow {
                match tokio::time::timeout(QUIET, lines.next()).await {
                    Ok(next) => next,
                    Err(_) => break,
                }
            } else {
                lines.next().await
            };
            let Some(line) = next else { break };
            show(context, &redactor, &line?)?;
        }
        // A gate that cannot be heard takes nothing from the log.
        let told = runtime.told(&job).await.ok().and_then(|lines| Told::of(&lines));
        refused(context, &redactor, &job, told.and_then(|told| RefusedFacts::of(&told.denied)))?;
        Ok(Exit::Ok)
    })?
}

/// What its gate refused, in a line for people; a job's events are all that programs are given.
fn refused(context: &Context, redactor: &Redactor, job: &JobId, refused: Option<RefusedFacts>) -> Result<(), Failure> {
    let Some(refused) = refused.filter(|_| !context.screen.json) else { return Ok(()) };
    let text = format!("{refused}; see `hydra egress denials {job}`");
    show(context, redactor, &LogLine { stderr: false, text })
}

/// The log in the state folder: events as they are, error output as `{"stderr": …}`.
fn written_down(context: &Context, redactor: &Redactor, text: &str) -> Result<Exit, Failure> {
    for line in text.lines() {
        let value = serde_json::from_str::<serde_json::Value>(line).ok();
        let stderr = value.as_ref().and_then(|value| value.get("stderr")).and_then(|text| text.as_str());
        let line = match stderr {
            Some(text) => LogLine { stderr: true, text: text.to_owned() },
            None => LogLine { stderr: false, text: line.to_owned() },
        };
        show(context, redactor, &line)?;
    }
    Ok(Exit::Ok)
}

fn show(context: &Context, redactor: &Redactor, line: &LogLine) -> Result<(), Failure> {
    let Some(text) = shown(line, context.screen.json) else { return Ok(()) };
    let text = scrub(&redactor.redact_line(&text));
    context.screen.line(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>())
}

fn shown(line: &LogLine, json: bool) -> Option<String> {
    if json {
        return (!line.stderr).then(|| line.text.clone());
    }
    if line.stderr {
        return Some(format!("! {}", line.text));
    }
    match serde_json::from_str::<AgentEvent>(&line.text) {
        Ok(event) => Some(event::sentence(&event)),
        Err(_) => Some(line.text.clone()),
    }
}
