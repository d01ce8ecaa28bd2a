//! `hydra dev-run STAGE`: one stage by hand on a local or remote repository, through the same specification and runtime as the pipeline.
//! Nothing is written to GitHub unless `--publish`.

mod before;
mod no_forge;
mod place;
mod results;
mod spec;

use super::{
    operator::clean,
    signals::{self, Heard},
};
use crate::{
    args::DevRunArgs,
    clock::SystemClock,
    compose::{self, engine::Extras},
    config::{Settings, problem::Problems, runtime::RuntimeKind},
    context::Context,
    exit::Exit,
    failure::Failure,
    output::live::Live,
    preflight,
    secrets::Held,
};
use hydra_core::{IssueKey, IssueNumber, Stage, Timestamp, ports::Clock as _, view::IssueView};
use hydra_engine::{
    Engine, Ports, Scrub,
    audit_log::AuditLog,
    by_hand::{ByHand, no_issue},
    operator::BY_HAND,
    store::StateDir,
};
use place::Place;
use secrecy::SecretString;
use std::{path::Path, sync::Arc};

pub(super) fn run(context: &Context, args: &DevRunArgs) -> Result<Exit, Failure> {
    let mut settings = context.load()?.settings;
    check_arguments(args, &settings)?;
    let folder = results::Folder::choose(context, &settings, args)?;
    // The loop of the pipeline never takes a stage by hand for its own.
    settings.values.instance.push_str(BY_HAND);
    if settings.secrets.signing_key.is_none() {
        // Nothing that it signs is published: a key of this moment does.
        let value = SecretString::from(super::init::signing_key()?);
        settings.secrets.signing_key = Some(Held { value, source: "made for this run".to_owned() });
    }
    super::block_on(work(context, args, &settings, &folder))?
}

/// What can be said without asking anybody.
fn check_arguments(args: &DevRunArgs, settings: &Settings) -> Result<(), Failure> {
    let wrong = |message: String| Failure::new(Exit::Usage, message);
    if args.stage.judges() && args.head.is_none() {
        return Err(wrong(format!("{} judges what lies between a base and a head: --head is missing", args.stage))
            .help("give the commit or branch to judge, for example the one that `hydra dev-run build` printed"));
    }
    if args.publish {
        settings.check_complete()?;
        if args.issue.is_none() {
            return Err(wrong("--publish needs --issue: what is published belongs to an issue".to_owned()));
        }
    }
    if args.stage.has_agent() && settings.secrets.accounts.is_empty() {
        let problems = settings.missing_credentials();
        return Err(Problems(
            problems.into_iter().filter(|problem| problem.message.contains("model account")).collect(),
        )
        .into());
    }
    Ok(())
}

async fn work(
    context: &Context,
    args: &DevRunArgs,
    settings: &Settings,
    folder: &results::Folder,
) -> Result<Exit, Failure> {
    let screen = &context.screen;
    compose::docker::ready(context, settings).await?;
    let place = Place::find(context, settings, args).await?;
    if args.stage.judges() {
        place.something_to_judge(args).await?;
    }
    let change = spec::Change::find(context, args, &place).await?;
    let seen: Vec<&Path> = [settings.state_dir.as_path()].into_iter().chain(change.folder.as_deref()).collect();
    for warning in place.uncommitted(&seen)?.iter().chain(&change.warnings) {
        screen.warn(warning);
    }
    if settings.values.runtime.kind == RuntimeKind::Process {
        screen.warn("runtime.kind is \"process\": agents are processes of this machine, nothing isolates them");
    }
    if args.stage == Stage::Quality {
        place.something_to_run().await?;
    }
    let ask = ask(context, args, &place, &change).await?;
    let live = Arc::new(Live::new(screen.terminal, screen.json));
    let mut engine = engine(context, settings, &place, &change).await?.observed_by(live)?;
    if args.publish {
        // Before anything is spent: what may not be published afterwards is refused now.
        preflight::check(settings, &compose::github(settings)?).await?;
        engine.may_publish_by_hand(&ask).await?;
    }
    folder.make()?;
    let (mut engine, result, published) = signals::counted(|heard: Heard| async move {
        let result = engine.by_hand(&ask, heard.wait(1)).await.inspect_err(|_| folder.unmake())?;
        let published =
            if args.publish && !result.interrupted { Some(engine.publish_by_hand(&ask, &result).await) } else { None };
        Ok::<_, Failure>((engine, result, published))
    })
    .await??;
    let report = results::Report::of(args, &place, &change, folder, &result, published.as_ref());
    folder.keep(&report, &result, &compose::redactor(settings))?;
    // Only what is kept may be forgotten.
    engine.forget_by_hand(&result.job).await?;
    let clean = clean(settings);
    if screen.json {
        clean.json(screen, "dev-run", &report)?;
    } else {
        report.show(screen, &clean, &result)?;
    }
    if let Some(Err(error)) = published {
        return Err(error.into());
    }
    Ok(match (result.interrupted, report.good) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Ok,
        (false, false) => Exit::Failed,
    })
}

/// The stage with everything that it is told.
async fn ask(context: &Context, args: &DevRunArgs, place: &Place, change: &spec::Change) -> Result<ByHand, Failure> {
    let now = SystemClock.now();
    Ok(ByHand {
        stage: args.stage,
        issue: issue(args, place, change, now).await?,
        repo: place.view.clone(),
        change: change.name.clone(),
        title: change.title.clone(),
        base: place.base.clone(),
        head: place.head.clone(),
        task: match &args.after {
            Some(folder) => before::task(&context.cwd.join(folder))?,
            None => hydra_core::plan::Task::default(),
        },
        pulls: place.pulls(&change.name).await?,
    })
}

async fn issue(args: &DevRunArgs, place: &Place, change: &spec::Change, now: Timestamp) -> Result<IssueView, Failure> {
    match &args.issue {
        Some(key) => place.issue(key).await,
        None => {
            let key = IssueKey { repo: place.view.name.clone(), number: IssueNumber(0) };
            let nobody = "hydra"
                .parse()
                .map_err(|error: hydra_core::IdError| Failure::new(Exit::Internal, error.to_string()))?;
            // The input contract asks for an address: that of what is worked on.
            Ok(no_issue(key, &change.name, &change.title, nobody, place.view.clone_url.clone(), now))
        }
    }
}

/// An engine on this place: with GitHub's ports where the repository lies there, without any where it lies here.
async fn engine(
    context: &Context,
    settings: &Settings,
    place: &Place,
    change: &spec::Change,
) -> Result<Engine, Failure> {
    let redactor = Arc::new(compose::redactor(settings));
    let state =
        StateDir::open(&settings.state_dir).map_err(|error| Failure::from(hydra_engine::EngineError::from(error)))?;
    let audit = AuditLog::open(&state.audit(), Scrub::from(Arc::clone(&redactor)))
        .map_err(|error| Failure::new(Exit::Local, error.to_string()))?;
    let ports = Ports {
        runtime: compose::runtime(context, settings)?,
        forge: place.forge(),
        writer: place.writer(),
        leases: place.leases(),
        board: None,
        workspace: change.workspace(place.workspace()),
        accounts: Arc::new(compose::accounts(settings)),
        audit: Arc::new(audit),
        clock: Arc::new(SystemClock),
    };
    let logins = match place.folder {
        Some(_) => settings.logins.clone(),
        None => compose::engine::logins(settings, &*ports.forge).await?,
    };
    let mut config = compose::engine::config(settings, logins, redactor, &Extras::default())?;
    if config.org.is_empty() {
        config.org = place.view.name.owner().to_owned();
    }
    Ok(Engine::new(config, ports)?)
}

/// The stage that comes next in the pipeline, for a hint.
const fn next(stage: Stage) -> Option<Stage> {
    match stage {
        Stage::Build | Stage::Fix | Stage::FixQuality => Some(Stage::Quality),
        Stage::Quality => Some(Stage::CodeReview),
        Stage::CodeReview => Some(Stage::SecurityReview),
        Stage::SecurityReview | Stage::Apply => None,
    }
}
