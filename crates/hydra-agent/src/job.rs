//! One job from beginning to end: contract, fence, workspace, agent or commands, outputs.

use crate::{
    args::{AgentArgs, ArgsError},
    contract::{self, Contract},
    deliver,
    drivers::{self, Driver, Finished, Session},
    environment::Environment,
    events::EventSink,
    failure::Failure,
    fence::{self, Relayed},
    lines::LineSplitter,
    literal, outputs,
    process::{self, Next, Output, Program, Ran, RunError, Signals, Stop},
    quality,
    relay::Relay,
    scrub::Scrub,
    workspace::{self, Checkout},
};
use hydra_core::{
    agent_event::{AgentEnd, EventKind},
    contract_files::{FenceMode, JobInput, JobResult, SCHEMA, exit},
};
use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    time::{Duration, Instant},
};

/// Tells a person about arguments that are not understood, and gives the exit code.
#[must_use]
pub fn refuse_arguments(error: &ArgsError) -> i32 {
    say(&error.to_string());
    exit::CONTRACT
}

/// Runs a job and returns the exit code that stands for its end (see [`exit`]). Blocks, with a runtime of its own: call it from a
/// thread that runs none.
#[must_use]
pub fn run(args: AgentArgs) -> i32 {
    let started = Instant::now();
    let env = Environment::of_this_process();
    let scrub = Scrub::new(env.secrets());
    let args = match absolute(args) {
        Ok(args) => args,
        Err(error) => {
            say(&format!("the current folder cannot be read: {error}"));
            return exit::CONTRACT;
        }
    };
    if contract::is_literal(&args) {
        return literal::run(&args, &env, &scrub, started);
    }
    let mut sink = match EventSink::open(&args.out, Box::new(io::stdout()), scrub.clone()) {
        Ok(sink) => sink,
        Err(error) => {
            say(&format!("the outputs could not be written: {error}"));
            return exit::OUTPUTS;
        }
    };
    let contract = match contract::read(&env, &args) {
        Ok(contract) => contract,
        Err(error) => return refuse(&Failure::Contract(error.to_string()), None, &args.out, &mut sink, &scrub),
    };
    let work = Work { args: &args, env: &env, scrub: &scrub, contract: &contract, started };
    match work.carry_out(&mut sink) {
        Ok(code) => code,
        Err(failure) => refuse(&failure, Some(&contract.job), &args.out, &mut sink, &scrub),
    }
}

/// The folders as absolute paths: the agent works elsewhere.
fn absolute(args: AgentArgs) -> io::Result<AgentArgs> {
    Ok(AgentArgs {
        input: std::path::absolute(args.input)?,
        out: std::path::absolute(args.out)?,
        workspace: std::path::absolute(args.workspace)?,
        spec: std::path::absolute(args.spec)?,
    })
}

/// The wrapper itself ends the job: last event, result where it can be written, a line for people.
pub(crate) fn refuse(
    failure: &Failure,
    job: Option<&JobInput>,
    out: &Path,
    sink: &mut EventSink,
    scrub: &Scrub,
) -> i32 {
    let mut said = failure.to_string();
    scrub.text(&mut said);
    say(&said);
    let end = AgentEnd::Refused { step: failure.step().to_owned(), detail: crate::events::cut(&said, 4_000) };
    let mut written = sink.emit(EventKind::Ended { end: end.clone(), reported: None }).is_ok();
    if let Some(job) = job {
        let (schema, summary, commands) = (SCHEMA, String::new(), Vec::new());
        let result =
            JobResult { schema, job: job.job.clone(), stage: job.stage, end: Some(end), head: None, summary, commands };
        written &= outputs::write_result(out, result, scrub).is_ok();
    }
    if written { failure.code() } else { exit::OUTPUTS }
}

/// A line for people.
pub(crate) fn say(text: &str) {
    // Nothing is left to do when standard error is closed.
    let _ = writeln!(io::stderr(), "hydra-agent: {text}");
}

/// Everything a job needs.
pub(crate) struct Work<'a> {
    pub(crate) args: &'a AgentArgs,
    pub(crate) env: &'a Environment,
    pub(crate) scrub: &'a Scrub,
    pub(crate) contract: &'a Contract,
    pub(crate) started: Instant,
}

impl Work<'_> {
    fn carry_out(&self, sink: &mut EventSink) -> Result<i32, Failure> {
        let job = &self.contract.job;
        let mut relayed = Relayed::new();
        if job.fence == FenceMode::InContainer {
            // Before any thread starts: capabilities belong to threads.
            relayed = fence::enter(self.env, &job.allow_hosts, job.model_endpoint.as_deref(), &mut |detail| {
                sink.step("fence", detail)
            })?;
        }
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
        match self.contract.driver {
            Some(driver) => {
                let finished = runtime.block_on(self.agent(driver, &checkout, relayed, &mut signals, sink))?;
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
                    Some(Stop::Interrupted | Stop::TurnLimit) => AgentEnd::Interrupted,
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
    pub(crate) async fn agent(
        &self,
        driver: Driver,
        checkout: &Checkout,
        relayed: Relayed,
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
            env: self.env,
        };
        let mut launch = driver.launch(&session).map_err(Failure::Driver)?;
        for (name, path) in
            [("HYDRA_OUT", &self.args.out), ("HYDRA_WORKSPACE", &checkout.path), ("HYDRA_SPEC", &self.args.spec)]
        {
            launch.env.insert(name.to_owned(), path.display().to_string());
        }
        let mut relay = None;
        if !relayed.is_empty() {
            let no = |error: io::Error| Failure::Driver(format!("the relay cannot listen: {error}"));
            let listening = Relay::listen(relayed).await.map_err(no)?;
            let address = format!("http://{}", listening.address().map_err(no)?);
            for name in ["HTTPS_PROXY", "https_proxy"] {
                launch.env.insert(name.to_owned(), address.clone());
            }
            relay = Some(listening);
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
        let running = process::run(program, signals, |output| {
            if let Output::Stdout(bytes) = output {
                drivers::feed(&mut splitter, parser.as_mut(), bytes, &mut |event| keep(sink.emit(event), &mut failed));
                if let Some(error) = failed.take() {
                    return Err(error);
                }
            }
            Ok(if parser.turns() > job.max_turns { Next::Stop } else { Next::Go })
        });
        let ran = match relay {
            None => running.await,
            Some(relay) => tokio::select! {
                ran = running => ran,
                () = relay.serve() => return Err(Failure::Driver("the relay ended".into())),
            },
        };
        let ran = match ran {
            Ok(ran) => ran,
            Err(RunError::Write(error)) => return Err(error.into()),
            Err(error @ (RunError::Start { .. } | RunError::Wait(_))) => {
                return Err(Failure::Driver(error.to_string()));
            }
        };
        let mut emit = |event| keep(sink.emit(event), &mut failed);
        drivers::feed_end(&mut splitter, parser.as_mut(), &mut emit);
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
            result.head = delivered.head;
        }
        outputs::write_result(&self.args.out, result, self.scrub)?;
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
        Some(Stop::TurnLimit) => finished.end = AgentEnd::TurnLimit,
        Some(Stop::Interrupted) => finished.end = AgentEnd::Interrupted,
    }
    finished
}

/// The exit code that stands for an end.
pub(crate) const fn exit_code(end: &AgentEnd) -> i32 {
    match end {
        AgentEnd::Completed => exit::DONE,
        AgentEnd::Deadline => exit::DEADLINE,
        AgentEnd::TurnLimit
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
