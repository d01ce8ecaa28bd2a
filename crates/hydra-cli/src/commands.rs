//! One file per command, under the command's name.

mod agent;
mod cancel;
mod change;
mod completions;
mod config;
mod demo;
mod dev_run;
mod doctor;
mod egress;
mod explain;
pub(crate) mod init;
mod labels;
mod logs;
mod man;
mod operator;
mod pause;
mod poll;
mod prune;
mod render;
mod signals;
mod status;
mod stop;
mod supervise;

use crate::{
    args::{Command, issue_key},
    config::Settings,
    context::Context,
    exit::Exit,
    failure::Failure,
};
use hydra_core::{IssueKey, RepoName};
use hydra_engine::{Side, holds::Scope};
use std::process::ExitCode;

/// Does what the command line asks.
///
/// # Errors
/// Why it could not.
pub fn run(context: &Context, command: Command) -> Result<ExitCode, Failure> {
    let exit = match command {
        Command::Agent(passed) => return Ok(agent::wrapper(passed)),
        Command::SimAgent(passed) => return agent::simulated(passed),
        Command::Init(args) => init::run(context, &args),
        Command::Config(command) => config::run(context, &command),
        Command::Completions(args) => completions::run(context, &args),
        Command::Man => man::run(context),
        Command::Demo(args) => demo::run(context, &args),
        Command::Doctor(args) => doctor::run(context, &args),
        Command::Poll(args) => poll::run(context, &args),
        Command::Supervise(args) => supervise::run(context, &args),
        Command::DevRun(args) => dev_run::run(context, &args),
        Command::Change(command) => change::run(context, &command),
        Command::Status(args) => status::run(context, &args),
        Command::Explain(args) => explain::run(context, &args),
        Command::Logs(args) => logs::run(context, &args),
        Command::Cancel(args) => cancel::run(context, &args),
        Command::Pause(args) => pause::pause(context, &args),
        Command::Resume(args) => pause::resume(context, &args),
        Command::Stop(args) => stop::run(context, &args),
        Command::Prune(args) => prune::run(context, &args),
        Command::Labels(command) => labels::run(context, &command),
        Command::Render(command) => render::run(context, &command),
        Command::Egress(command) => egress::run(context, &command),
    }?;
    Ok(exit.into())
}

/// Runs what needs a reactor, and joins it.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    Ok(reactor()?.block_on(work))
}

/// The same for what only looks: a look-up of a name that nobody answers is a thread that cannot be stopped, and whoever said Ctrl-C does
/// not wait for it.
fn block_on_looking<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = reactor()?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}

fn reactor() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, format!("no threads could be started: {error}")))
}

/// The issue that an argument names.
fn issue(text: &str, settings: &Settings) -> Result<IssueKey, Failure> {
    let key = issue_key(text, &settings.repos).map_err(|why| Failure::new(Exit::Usage, why))?;
    Ok(IssueKey { repo: spelled(key.repo, settings), number: key.number })
}

/// What a hold is on: everything, a repository or an issue. Names are spelled as the configuration spells them.
fn scope(text: Option<&str>, settings: &Settings) -> Result<Scope, Failure> {
    let Some(text) = text else { return Ok(Scope::All) };
    let scope = match text.parse::<RepoName>() {
        Ok(repo) => Scope::Repo(spelled(repo, settings)),
        Err(_) => issue(text, settings).map(Scope::Issue)?,
    };
    let repo = match &scope {
        Scope::All => None,
        Scope::Repo(repo) => Some(repo),
        Scope::Issue(issue) => Some(&issue.repo),
    };
    // Without a list the board says which there are.
    match repo.filter(|repo| !settings.repos.is_empty() && !settings.repos.contains(repo)) {
        None => Ok(scope),
        Some(repo) => {
            let known: Vec<String> = settings.repos.iter().map(ToString::to_string).collect();
            let why =
                format!("{repo} is not among the repositories of this installation, so nothing of it would be held");
            Err(Failure::new(Exit::Usage, why).help(format!("they are {}", known.join(", "))))
        }
    }
}

/// What acts on an installation needs one: a command in a wrong folder that does nothing must not look as if it had done it.
fn installation(context: &Context) -> Result<Settings, Failure> {
    let settings = context.load()?.settings;
    // What only looks leaves a folder too; where something was done it is written down.
    let acted = || settings.state_dir.join(hydra_engine::store::AUDIT).exists();
    let named = settings.config_file.is_some() || context.state_dir.is_some() || settings.looks_somewhere();
    if !named && !acted() {
        let why =
            format!("there is no installation of Hydra here: no hydra.toml in {} or above it", context.cwd.display());
        return Err(Failure::new(Exit::Configuration, why).help("change to its folder, or name it with --config FILE"));
    }
    Ok(settings)
}

/// GitHub does not tell `acme/Shop` from `acme/shop`; holds and job names do.
fn spelled(repo: RepoName, settings: &Settings) -> RepoName {
    let text = repo.to_string();
    let known = settings.repos.iter().find(|known| known.to_string().eq_ignore_ascii_case(&text));
    known.cloned().unwrap_or(repo)
}

/// The exit code of what could not be seen or done, by who refused: GitHub before the engine before this machine.
fn worst(sides: impl Iterator<Item = Side>) -> Exit {
    match sides.min() {
        None => Exit::Ok,
        Some(Side::Forge | Side::Git) => Exit::Forge,
        Some(Side::Runtime) => Exit::Runtime,
        Some(Side::Machine) => Exit::Local,
        Some(Side::Hydra) => Exit::Failed,
    }
}
