//! The work of a job that may begin: workspace, agent or commands, outputs.

use crate::{
    args::AgentArgs,
    contract::Contract,
    deliver,
    drivers::{self, Driver, Finished, Session},
    environment::Environment,
    events::EventSink,
    failure::Failure,
    lines::LineSplitter,
    meter::Meter,
    outputs,
    process::{self, Next, Output, Program, Ran, RunError, Signals, Stop},
    quality,
    relay::Relay,
    scrub::Scrub,
    services,
    workspace::{self, Checkout},
};
use hydra_core::{
    agent_event::{AgentEnd, EventKind},
    contract_files::{JobInput, JobResult, SCHEMA, exit},
};
use std::{
    fs::File,
    time::{Duration, Instant},
};

/// Brings a delivered head to where it belongs; returns a line for people.
pub(crate) type Publish<'a> = &'a dyn Fn(&Checkout, Option<&Relay>) -> Result<String, String>;

/// Everything a job needs.
pub(crate) struct Work<'a> {
    pub(crate) args: &'a AgentArgs,
    pub(crate) env: &'a Environment,
    pub(crate) scrub: &'a Scrub,
    pub(crate) contract: &'a Contract,
    pub(crate) started: Instant,
    /// Stands in for look-ups, where the fence has closed them.
    pub(crate) relay: Option<Relay>,
    /// What to do with a delivered head before the job ends.
    pub(crate) publish: Option<Publish<'a>>,
}

impl Work<'_> {
    pub(crate) fn carry_out(&self, sink: &mut EventSink) -> Result<i32, Failure> {
        self.work(sink).map_err(|failure| failure.for_want_of_room(&[&self.args.workspace, &self.args.out]))
    }

    fn work(&self, sink: &mut EventSink) -> Result<i32, Failure> {
        let job = &self.contract.job;
        sink.step("contract", format!("{} of {} for {}", job.stage, job.issue, job.job))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Driver(format!("no runtime: {error}")))?;
        let _entered = runtime.enter();
        let mut signals = Signals::catch().map_err(|error| Failure::Driver(format!("no signal handler: {error}")))?;
        let checkout =
            workspace::prepare(&self.args.workspace, &self.contract.bundle, job).map_err(Failure::Workspace)?;
        sink.step("workspace", workspace_line(job, &checkout))?;
        services::wait(&job.services).map_err(Failure::Workspace)?;
        match self.contract.driver {
            Some(driver) => {
                let finished = runtime.block_on(self.agent(driver, &checkout, &mut signals, sink))?;
                self.conclude(&checkout, finished, sink)
            }
            None => {
                let deadline = self.deadline();
                let judged = runtime.block_on(quality::run(
                    &job.commands,
                    &checkout,
                    self.env,
                    deadline,
                    &mut signals,
                    sink,
                    self.scrub,
                ))?;
                let end = match judged.stopped {
                    Some(Stop::Deadline) => AgentEnd::Deadline,
                    Some(Stop::Interrupted | Stop::TurnLimit | Stop::Budget) => AgentEnd::Interrupted,
                    None => AgentEnd::Completed,
                };
                let code = if end == AgentEnd::Interrupted { exit::AGENT } else { exit::DONE };
                let mut result = self.result(None, String::new());
                result.commands = judged.commands;
                outputs::write_result(&self.args.out, result, self.scrub)?;
                sink.emit(EventKind::Ended { end, reported: None })?;
                Ok(code)
            }
        }
    }

    fn deadline(&self) -> Instant {
        self.started + Duration::from_secs(self.contract.job.deadline_secs)
    }

    fn result(&self, end: Option<AgentEnd>, summary: String) -> JobResult {
        let job = &self.contract.job;
        JobResult {
            schema: SCHEMA,
            job: job.job.clone(),
            stage: job.stage,
            end,
            head: None,
            summary,
            commands: Vec::new(),
        }
    }

    /// Runs the coding agent to its end.
    async fn agent(
        &self,
        driver: Driver,
        checkout: &Checkout,
        signals: &mut Signals,
        sink: &mut EventSink,
    ) -> Result<Finished, Failure> {
        let job = &self.contract.job;
        let model = job.model.as_ref().ok_or_else(|| Failure::Contract("job.json names no model".into()))?;
        let session = Session {
            checkout: &checkout.path,
            out: &self.args.out,
            home: checkout.own.join("home"),
            model,
            max_turns: job.max_turns,
            read_only: job.read_only,
            prompt: self.prompt(checkout),
            system: self.placed(&self.contract.system, checkout),
            system_file: checkout.own.join("system.md"),
            env: self.env,
        };
        workspace::write(&session.system_file, session.system.as_bytes()).map_err(Failure::Workspace)?;
        let mut launch = driver.launch(&session).map_err(Failure::Driver)?;
        for (name, path) in
            [("HYDRA_OUT", &self.args.out), ("HYDRA_WORKSPACE", &checkout.path), ("HYDRA_SPEC", &self.args.spec)]
        {
            launch.env.insert(name.to_owned(), path.display().to_string());
        }
        if let Some(relay) = &self.relay {
            launch.env.extend(relay.variables());
        }
        sink.step("driver", format!("{} with {model}, at most {} turns", driver.name(), job.max_turns))?;
        let prompt = checkout.own.join("prompt");
        let stdin = workspace::write(&prompt, launch.stdin.as_bytes())
            .and_then(|()| File::open(&prompt).map_err(|error| format!("{}: {error}", prompt.display())))
            .map_err(Failure::Workspace)?;
        let mut parser = driver.parser(&checkout.path);
        let mut splitter = LineSplitter::default();
        let program = Program {
            argv: &launch.argv,
            env: &launch.env,
            dir: &checkout.path,
            stdin: Some(stdin),
            deadline: self.deadline(),
        };
        let mut failed = None;
        let mut meter = Meter::new(job.allowance);
        let ran = process::run(program, signals, |output| {
            if let Output::Stdout(bytes) = output {
                drivers::feed(&mut splitter, parser.as_mut(), self.scrub.redactor(), bytes, &mut |event| {
                    meter.see(&event);
                    keep(sink.emit(event), &mut failed)
                });
                if let Some(error) = failed.take() {
                    return Err(error);
                }
            }
            Ok(if meter.is_spent() {
                Next::Stop(Stop::Budget)
            } else if parser.turns() > job.max_turns {
                Next::Stop(Stop::TurnLimit)
            } else {
                Next::Go
            })
        })
        .await;
        let ran = match ran {
            Ok(ran) => ran,
            Err(RunError::Write(error)) => return Err(error.into()),
            Err(error @ (RunError::Start { .. } | RunError::Wait(_))) => {
                return Err(Failure::Driver(error.to_string()));
            }
        };
        let mut ran = ran;
        self.scrub.text(&mut ran.stderr);
        let mut emit = |event| keep(sink.emit(event), &mut failed);
        drivers::feed_end(&mut splitter, parser.as_mut(), self.scrub.redactor(), &mut emit);
        let finished = parser.finish(ran.code, &ran.stderr, &mut emit);
        if let Some(error) = failed {
            return Err(error.into());
        }
        Ok(judged(finished, &ran))
    }

    /// Delivers and reports.
    fn conclude(&self, checkout: &Checkout, finished: Finished, sink: &mut EventSink) -> Result<i32, Failure> {
        let job = &self.contract.job;
        let mut result = self.result(Some(finished.end.clone()), finished.summary);
        if job.stage.writes_code() {
            let delivered = deliver::deliver(checkout, &self.contract.bundle, job, &result.summary, &self.args.out)
                .map_err(Failure::Outputs)?;
            for note in &delivered.notes {
                sink.step("outputs", note.as_str())?;
            }
            let line = match &delivered.head {
                Some(head) => format!("changes.bundle brings {head}"),
                None => "nothing was changed".to_owned(),
            };
            sink.step("outputs", line)?;
            if let (Some(_), Some(publish)) = (&delivered.head, self.publish) {
                sink.step("outputs", publish(checkout, self.relay.as_ref()).map_err(Failure::Outputs)?)?;
            }
            result.head = delivered.head;
        }
        outputs::write_result(&self.args.out, result, self.scrub)?;
        if self.publish.is_some() {
            // Nobody collects the folder: what it holds is shown as well.
            let shown = std::fs::read_to_string(self.args.out.join("result.json")).unwrap_or_default();
            sink.step("outputs", format!("result.json: {}", crate::events::cut(&shown, 10_000)))?;
        }
        let code = exit_code(&finished.end);
        sink.emit(EventKind::Ended { end: finished.end, reported: finished.reported })?;
        Ok(code)
    }

    /// The task with the lines that say where things are.
    fn prompt(&self, checkout: &Checkout) -> String {
        let job = &self.contract.job;
        format!(
            "Hydra-Stage: {}\nHydra-Job: {}\nHydra-Workspace: {}\nHydra-Out: {}\nHydra-Spec: {}\n\n{}",
            job.stage,
            job.job,
            checkout.path.display(),
            self.args.out.display(),
            self.args.spec.display(),
            self.placed(&self.contract.prompt, checkout)
        )
    }

    /// A text with the places put in.
    fn placed(&self, text: &str, checkout: &Checkout) -> String {
        text.replace("{{OUT}}", &self.args.out.display().to_string())
            .replace("{{WORKSPACE}}", &checkout.path.display().to_string())
            .replace("{{SPEC}}", &self.args.spec.display().to_string())
    }
}

fn keep(result: Result<(), crate::events::WriteError>, failed: &mut Option<crate::events::WriteError>) {
    if let Err(error) = result {
        failed.get_or_insert(error);
    }
}

/// The wrapper's own reason to stop the agent counts before what the stream says of it.
fn judged(mut finished: Finished, ran: &Ran) -> Finished {
    match ran.stopped {
        None => {}
        Some(Stop::Deadline) => finished.end = AgentEnd::Deadline,
        Some(Stop::Budget) => finished.end = AgentEnd::Budget,
        Some(Stop::TurnLimit) => finished.end = AgentEnd::TurnLimit,
        Some(Stop::Interrupted) => finished.end = AgentEnd::Interrupted,
    }
    finished
}

/// The exit code that stands for an end.
const fn exit_code(end: &AgentEnd) -> i32 {
    match end {
        AgentEnd::Completed => exit::DONE,
        AgentEnd::Deadline => exit::DEADLINE,
        AgentEnd::TurnLimit
        | AgentEnd::Budget
        | AgentEnd::Provider { .. }
        | AgentEnd::Interrupted
        | AgentEnd::Crashed { .. }
        | AgentEnd::Refused { .. } => exit::AGENT,
    }
}

fn workspace_line(job: &JobInput, checkout: &Checkout) -> String {
    let mut line = format!("{} at {}", job.branch, job.head);
    if !checkout.restored.is_empty() {
        line.push_str("; as on the base: ");
        line.push_str(&checkout.restored.join(", "));
    }
    crate::events::cut(&line, 4_000)
}
