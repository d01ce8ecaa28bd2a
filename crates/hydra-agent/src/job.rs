//! One job from beginning to end: contract, fence, then the work; and how the wrapper itself refuses one.

use crate::{
    args::{AgentArgs, ArgsError},
    authority::believed,
    contract,
    environment::Environment,
    events::EventSink,
    failure::Failure,
    fence, literal, outputs, probe,
    relay::Relay,
    scrub::Scrub,
    work::Work,
};
use hydra_core::{
    agent_event::{AgentEnd, EventKind},
    contract_files::{FenceMode, JobInput, JobResult, PROVE_FENCE, PROVE_ISOLATED, SCHEMA, exit},
    probe::PROBE_EGRESS,
};
use std::{
    io::{self, Write},
    path::Path,
    time::Instant,
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
    let scrub = Scrub::new(&env.secrets());
    let args = match absolute(args) {
        Ok(args) => args,
        Err(error) => {
            say(&format!("the current folder cannot be read: {error}"));
            return exit::CONTRACT;
        }
    };
    let proves = match env.get("HYDRA_MODE") {
        Some(PROVE_FENCE) => Some(FenceMode::InContainer),
        Some(PROVE_ISOLATED) => Some(FenceMode::Isolated),
        Some(_) | None => None,
    };
    let probes = env.get("HYDRA_MODE") == Some(PROBE_EGRESS);
    if proves.is_none() && !probes && contract::is_literal(&args) {
        return literal::run(&args, &env, &scrub, started);
    }
    let mut sink = match EventSink::open(&args.out, Box::new(io::stdout()), scrub.clone()) {
        Ok(sink) => sink,
        Err(error) => {
            say(&format!("the outputs could not be written: {error}"));
            return exit::OUTPUTS;
        }
    };
    if let Some(mode) = proves {
        return match fence_in(&env, &args, mode, [&[], &[]], &mut sink) {
            Ok(_) => exit::DONE,
            Err(failure) => refuse(&failure, None, &args.out, &mut sink, &scrub),
        };
    }
    if probes {
        return match probe::run(&env, &args, &mut sink) {
            Ok(()) => exit::DONE,
            Err(failure) => refuse(&failure, None, &args.out, &mut sink, &scrub),
        };
    }
    let contract = match contract::read(&env, &args) {
        Ok(contract) => contract,
        Err(error) => return refuse(&Failure::Contract(error.to_string()), None, &args.out, &mut sink, &scrub),
    };
    let job = &contract.job;
    let env = match believed(env, &args.input, &std::env::temp_dir()) {
        Ok(env) => env,
        Err(error) => {
            let why = format!("the authority of inspected hosts: {error}");
            return refuse(&Failure::Contract(why), Some(job), &args.out, &mut sink, &scrub);
        }
    };
    let done = fence_in(&env, &args, job.fence, [&job.allow_hosts, job.model_endpoint.as_slice()], &mut sink).and_then(
        |relay| {
            let work =
                Work { args: &args, env: &env, scrub: &scrub, contract: &contract, started, relay, publish: None };
            work.carry_out(&mut sink)
        },
    );
    match done {
        Ok(code) => code,
        Err(failure) => refuse(&failure, Some(job), &args.out, &mut sink, &scrub),
    }
}

/// Makes the fence where the wrapper is to make it. Comes before anything that starts a thread: capabilities belong to threads.
pub(crate) fn fence_in(
    env: &Environment,
    args: &AgentArgs,
    mode: FenceMode,
    [hosts, endpoints]: [&[String]; 2],
    sink: &mut EventSink,
) -> Result<Option<Relay>, Failure> {
    let mut say = |detail| sink.step("fence", detail);
    let relayed = match mode {
        FenceMode::None => None,
        FenceMode::Isolated => {
            fence::stands(&mut say)?;
            None
        }
        FenceMode::InContainer => Some(fence::enter(env, hosts, endpoints, &mut say)?),
    };
    if args.contained {
        fence::confine(&mut say)?;
    }
    let relayed = relayed.filter(|names| !names.is_empty());
    let relay = relayed.map(Relay::start).transpose();
    relay.map_err(|error| Failure::Driver(format!("the relay cannot listen: {error}")))
}

/// The folders as absolute paths: the agent works elsewhere.
fn absolute(args: AgentArgs) -> io::Result<AgentArgs> {
    Ok(AgentArgs {
        input: std::path::absolute(args.input)?,
        out: std::path::absolute(args.out)?,
        workspace: std::path::absolute(args.workspace)?,
        spec: std::path::absolute(args.spec)?,
        ..args
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
    let (mut said, mut why) = (failure.to_string(), failure.why());
    scrub.text(&mut said);
    scrub.text(&mut why);
    say(&said);
    let end = AgentEnd::Refused { step: failure.step().to_owned(), detail: crate::events::cut(&why, 4_000) };
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
