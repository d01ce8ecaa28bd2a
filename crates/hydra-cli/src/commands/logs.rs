//! `hydra logs JOB`: the job's events, a line each for people, or as they are with `--json`.

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
    job::RuntimeStatus,
    ports::{LogLine, Selector},
};

pub(super) fn run(context: &Context, args: &LogsArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    let job: JobId =
        args.job.parse().map_err(|error: hydra_core::IdError| Failure::new(Exit::Usage, error.to_string()))?;
    let redactor = compose::redactor(&settings);
    super::block_on(async {
        let runtime = compose::runtime(context, &settings)?;
        let found = runtime.list(&Selector::Job(job.clone())).await?;
        let Some(observed) = found.into_iter().next() else {
            return Err(Failure::new(Exit::Failed, format!("there is no job {job}"))
                .help("`hydra status` lists them; a settled job is removed once its results are published"));
        };
        let running = matches!(observed.status, RuntimeStatus::Running);
        let mut lines = runtime.follow(&job).await?;
        loop {
            // Without `--follow`, a running job's output so far is all there is: it ends when nothing comes at once.
            let next = if running && !args.follow {
                match tokio::time::timeout(std::time::Duration::from_millis(300), lines.next()).await {
                    Ok(next) => next,
                    Err(_) => break,
                }
            } else {
                lines.next().await
            };
            let Some(line) = next else { break };
            let line = line?;
            if let Some(text) = shown(&line, context.screen.json) {
                context.screen.line(scrub(&redactor.redact_line(&text)))?;
            }
        }
        Ok(Exit::Ok)
    })?
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
