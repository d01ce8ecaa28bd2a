//! One name, one job: idempotency, adoption, conflicts, listings, refusals.

use super::{Behaviour, Bench, must_equal, must_fail, said};
use crate::{
    job::{EnvValue, InputFile, Network, RuntimeStatus},
    ports::{RuntimeErrorKind, Selector, Started},
};
use futures_util::future::join_all;

fn once() -> Behaviour {
    Behaviour::Prints { stdout: vec!["once".to_owned()], stderr: Vec::new() }
}

pub(super) async fn idempotent(bench: &Bench<'_>) -> Result<(), String> {
    let spec = bench.spec(0, &once())?;
    let job = spec.key.id();
    let runtime = bench.runtime();
    must_equal("the first start", &runtime.start(&spec).await.map_err(said("start"))?, &Started::New)?;
    must_equal("the second start", &runtime.start(&spec).await.map_err(said("start"))?, &Started::Adopted)?;
    bench.ended(&job).await?;
    must_equal("a start after its end", &runtime.start(&spec).await.map_err(said("start"))?, &Started::Adopted)?;
    must_equal("its output", &bench.lines(runtime, &job).await?.0, &vec!["once".to_owned()])
}

pub(super) async fn concurrent(bench: &Bench<'_>) -> Result<(), String> {
    let spec = bench.spec(0, &once())?;
    let runtimes = [bench.runtime(), bench.fixture.second()];
    let started = join_all(runtimes.iter().cycle().take(6).map(|runtime| runtime.start(&spec))).await;
    let mut new = 0;
    for one in started {
        new += u32::from(one.map_err(said("start"))? == Started::New);
    }
    must_equal("the number of starts that made it", &new, &1)?;
    let job = spec.key.id();
    bench.ended(&job).await?;
    must_equal("its output", &bench.lines(bench.runtime(), &job).await?.0, &vec!["once".to_owned()])
}

pub(super) async fn adopted(bench: &Bench<'_>) -> Result<(), String> {
    let job = bench.start_running(0, &Behaviour::Runs).await?;
    let second = bench.fixture.second();
    let spec = bench.spec(0, &Behaviour::Runs)?;
    must_equal("the second one's start", &second.start(&spec).await.map_err(said("start"))?, &Started::Adopted)?;
    let seen = bench.observe(second, &job).await?.map(|seen| seen.status);
    must_equal("what the second one sees", &seen, &Some(RuntimeStatus::Running))?;
    second.stop(&job, bench.fixture.patience()).await.map_err(said("stop"))?;
    must_equal("its output", &bench.lines(second, &job).await?.0, &vec!["ready".to_owned()])?;
    bench.ended(&job).await.map(drop)
}

pub(super) async fn conflict(bench: &Bench<'_>) -> Result<(), String> {
    let job = bench.start(0, &Behaviour::Exits(3)).await?;
    let other = bench.spec(0, &Behaviour::Exits(4))?;
    must_fail("start", bench.runtime().start(&other).await, RuntimeErrorKind::Conflict)?;
    must_equal("the end of the first", &bench.ended(&job).await?, &(3, false))
}

pub(super) async fn stranger(bench: &Bench<'_>) -> Result<(), String> {
    let job = bench.start(0, &Behaviour::Exits(0)).await?;
    let stranger = bench.fixture.stranger();
    let own = bench.spec(0, &Behaviour::Exits(0))?;
    must_fail("a stranger's start", stranger.start(&own).await, RuntimeErrorKind::Conflict)?;
    let listed = |seen: Vec<crate::job::Observed>| seen.into_iter().any(|seen| seen.id == job);
    let mine = stranger.list(&Selector::Mine).await.map_err(said("list"))?;
    must_equal("whether the stranger takes it for its own", &listed(mine), &false)?;
    let any = stranger.list(&Selector::Any).await.map_err(said("list"))?;
    must_equal("whether the stranger sees it among all", &listed(any), &true)
}

pub(super) async fn listing(bench: &Bench<'_>) -> Result<(), String> {
    let ended = bench.start(0, &Behaviour::Exits(5)).await?;
    let runs = bench.start_running(1, &Behaviour::Runs).await?;
    bench.ended(&ended).await?;
    for which in [Selector::Mine, Selector::Any] {
        let seen = bench.runtime().list(&which).await.map_err(said("list"))?;
        for (job, number) in [(&ended, 0), (&runs, 1)] {
            let Some(seen) = seen.iter().find(|seen| seen.id == *job) else {
                return Err(format!("{which:?} does not list {job}"));
            };
            let spec = bench.spec(number, &Behaviour::Runs)?;
            must_equal("its key", &seen.key.as_ref(), &Some(&spec.key))?;
            let credentials: Vec<String> = spec.credentials.iter().map(ToString::to_string).collect();
            must_equal("its credentials", &seen.credentials, &credentials)?;
            must_equal("whether its installation is named", &seen.instance.is_empty(), &false)?;
        }
    }
    must_equal("the status of the one that runs", &bench.status(&runs).await?, &RuntimeStatus::Running)
}

pub(super) async fn refused(bench: &Bench<'_>) -> Result<(), String> {
    let plain = bench.spec(0, &Behaviour::Exits(0))?;
    let mut asks = Vec::new();
    for name in ["host", "container:other"] {
        asks.push((name, crate::job::JobSpec { network: Network::Named(name.to_owned()), ..plain.clone() }));
    }
    let mut engine = plain.clone();
    engine.env.insert("DOCKER_HOST".to_owned(), EnvValue::Plain("tcp://127.0.0.1:2375".to_owned()));
    asks.push(("an engine's address", engine));
    let mut socket = plain.clone();
    socket.inputs.insert("engine".to_owned(), InputFile::Path("/var/run/docker.sock".into()));
    asks.push(("an engine's socket", socket));
    for path in ["../escape", "/etc/passwd"] {
        let mut above = plain.clone();
        above.inputs.insert(path.to_owned(), InputFile::Bytes(Vec::new()));
        asks.push((path, above));
    }
    for (what, spec) in asks {
        must_fail(
            &format!("a start that asks for {what}"),
            bench.runtime().start(&spec).await,
            RuntimeErrorKind::Refused,
        )?;
        must_equal("what was made", &bench.observe(bench.runtime(), &spec.key.id()).await?, &None)?;
    }
    Ok(())
}
