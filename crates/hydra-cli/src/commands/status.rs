//! `hydra status`: what Hydra works on, what it costs, what waits and why. Where GitHub does not answer, what this machine knows.

use super::{
    operator::{clean, looking, operator},
    signals,
};
use crate::{
    args::StatusArgs,
    compose,
    config::Settings,
    context::Context,
    exit::Exit,
    failure::Failure,
    output::{json, overview},
};
use hydra_core::{Timestamp, ports::Accounts as _};
use hydra_engine::{
    Engine, Side,
    status::{LocalFacts, Overview, UnseenFacts, local},
};
use std::{convert::Infallible, time::Duration};

/// Between two looks at the jobs of this machine, where a terminal is drawn over.
const REDRAW: Duration = Duration::from_secs(2);

pub(super) fn run(context: &Context, args: &StatusArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    super::block_on_looking(async {
        if args.watch { watch(context, &settings).await } else { once(context, &settings).await }
    })?
}

async fn once(context: &Context, settings: &Settings) -> Result<Exit, Failure> {
    let (overview, failure) = match look(context, settings, &mut None).await {
        Ok(overview) => (overview, None),
        Err(failure) if failure.exit() == Exit::Forge || failure.exit() == Exit::Credentials => {
            (alone(context, settings, &failure).await?, Some(failure))
        }
        Err(failure) => return Err(failure),
    };
    let clean = clean(settings);
    if context.screen.json {
        clean.json(&context.screen, "status", &overview)?;
    } else {
        overview::show(&context.screen, &clean, &overview)?;
    }
    match failure {
        Some(failure) => Err(failure),
        None => Ok(exit(&overview)),
    }
}

/// Until a signal, which is heard while GitHub is asked too.
async fn watch(context: &Context, settings: &Settings) -> Result<Exit, Failure> {
    signals::counted(|heard| async move {
        tokio::select! {
            shown = again_and_again(context, settings) => shown.map(|never| match never {}),
            () = heard.wait(1) => Ok(Exit::Ok),
        }
    })
    .await?
}

async fn again_and_again(context: &Context, settings: &Settings) -> Result<Infallible, Failure> {
    let clean = clean(settings);
    let every = settings.values.pipeline.poll_interval.std();
    let drawn = context.screen.terminal && !context.screen.json;
    let mut asked = None;
    let mut known: Option<(Overview, tokio::time::Instant)> = None;
    loop {
        let overview = match known.take() {
            Some((mut overview, at)) if at.elapsed() < every => {
                overview.refresh(facts(context, settings).await?);
                known.insert((overview, at))
            }
            _ => {
                let fresh = match look(context, settings, &mut asked).await {
                    Ok(fresh) => fresh,
                    Err(failure) => alone(context, settings, &failure).await?,
                };
                known.insert((fresh, tokio::time::Instant::now()))
            }
        };
        if context.screen.json {
            let value =
                serde_json::to_value(&overview.0).map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
            context.screen.line(json::line("status", &clean.value(value))?)?;
        } else {
            if drawn {
                context.screen.text(b"\x1b[H\x1b[2J")?;
            }
            overview::show(&context.screen, &clean, &overview.0)?;
        }
        tokio::time::sleep(if drawn { REDRAW.min(every) } else { every }).await;
    }
}

/// A whole look; the engine is kept for the next one.
async fn look(context: &Context, settings: &Settings, asked: &mut Option<Engine>) -> Result<Overview, Failure> {
    let engine = match asked.take() {
        Some(engine) => engine,
        None => looking(context, settings).await?,
    };
    Ok(asked.insert(engine).overview().await?)
}

async fn facts(context: &Context, settings: &Settings) -> Result<LocalFacts, Failure> {
    let operator = operator(settings)?;
    let runtime = compose::runtime(context, settings)?;
    Ok(local(&operator.state, &*runtime, &settings.prices, Timestamp::now()).await?)
}

/// What this machine knows by itself.
async fn alone(context: &Context, settings: &Settings, failure: &Failure) -> Result<Overview, Failure> {
    let facts = facts(context, settings).await?;
    let accounts = compose::accounts(settings).list(facts.now).await?;
    let unseen = UnseenFacts { issue: None, what: "GitHub".to_owned(), why: failure.sentence(), side: Side::Forge };
    let policy = compose::plan_policy(settings);
    Ok(Overview::of_this_machine(&settings.values.instance, &policy, &accounts, facts, unseen))
}

/// What could not be seen is no good end.
pub(super) fn exit(overview: &Overview) -> Exit {
    super::worst(overview.unseen.iter().map(|unseen| unseen.side))
}
