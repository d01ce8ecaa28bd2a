//! The quality stage: the target repository's own commands, in order, each within what is left of the deadline.

use crate::{
    environment::Environment,
    events::EventSink,
    failure::Failure,
    process::{self, Next, Output, Program, RunError, Signals, Stop, Tail},
    scrub::Scrub,
    workspace::Checkout,
};
use hydra_core::{
    agent_event::EventKind,
    contract_files::{CommandResult, QualityCommand},
};
use std::time::Instant;

/// Longest tail of a command's output, in characters.
const MAX_TAIL: usize = 8_000;
/// The exit code that stands for "its time ran out".
const TIMED_OUT: i32 = 124;

/// How the commands ended.
pub(crate) struct Judged {
    pub(crate) commands: Vec<CommandResult>,
    /// Why the wrapper stopped one of them; the rest was not run.
    pub(crate) stopped: Option<Stop>,
}

/// Runs them all, a failing one included: one run shows everything that is red. Only a failed `setup` ends it, for nothing
/// that follows would mean anything.
pub(crate) async fn run(
    commands: &[QualityCommand],
    checkout: &Checkout,
    env: &Environment,
    deadline: Instant,
    signals: &mut Signals,
    sink: &mut EventSink,
    scrub: &Scrub,
) -> Result<Judged, Failure> {
    let mut variables = env.without_secrets();
    variables.insert("HOME".into(), checkout.own.join("home").display().to_string());
    variables.insert("CI".into(), "1".into());
    variables.insert("GIT_TERMINAL_PROMPT".into(), "0".into());
    let mut judged = Judged { commands: Vec::new(), stopped: None };
    for command in commands {
        let started = Instant::now();
        let argv = ["sh".to_owned(), "-c".to_owned(), command.command.clone()];
        let program = Program { argv: &argv, env: &variables, dir: &checkout.path, stdin: None, deadline };
        let mut tail = Tail::default();
        let ran = process::run(program, signals, |output| {
            let (Output::Stdout(bytes) | Output::Stderr(bytes)) = output;
            tail.push(bytes);
            Ok(Next::Go)
        })
        .await;
        let ran = match ran {
            Ok(ran) => ran,
            Err(RunError::Write(error)) => return Err(error.into()),
            Err(error @ (RunError::Start { .. } | RunError::Wait(_))) => {
                return Err(Failure::Driver(error.to_string()));
            }
        };
        let mut text = tail.text();
        scrub.text(&mut text);
        let text = crate::events::tail(&text, MAX_TAIL);
        let result = CommandResult {
            name: command.name.clone(),
            command: command.command.clone(),
            exit: if ran.stopped == Some(Stop::Deadline) { TIMED_OUT } else { ran.code },
            millis: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            tail: text,
        };
        sink.emit(EventKind::Command {
            name: result.name.clone(),
            command: result.command.clone(),
            exit: result.exit,
            millis: result.millis,
            tail: result.tail.clone(),
        })?;
        let red_setup = result.exit != 0 && result.name == "setup";
        judged.commands.push(result);
        judged.stopped = ran.stopped;
        if red_setup || judged.stopped.is_some() {
            break;
        }
    }
    Ok(judged)
}
