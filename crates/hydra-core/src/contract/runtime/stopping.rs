//! How a job is ended and taken away.

use super::{Behaviour, Bench, must_equal, must_fail, said};
use crate::ports::{RuntimeErrorKind, Started};
use std::time::Duration;

/// 128 + SIGKILL.
const KILLED: i64 = 137;

pub(super) async fn asks(bench: &Bench<'_>) -> Result<(), String> {
    let job = bench.start_running(0, &Behaviour::Runs).await?;
    // The grace is longer than the patience: a runtime that waits it out in any case fails here.
    bench.runtime().stop(&job, bench.fixture.patience() * 2).await.map_err(said("stop"))?;
    let (code, oom) = bench.ended(&job).await?;
    if code == KILLED || oom {
        return Err(format!("it was killed (code {code}, out of memory: {oom}) instead of being asked"));
    }
    Ok(())
}

pub(super) async fn kills(bench: &Bench<'_>) -> Result<(), String> {
    let job = bench.start_running(0, &Behaviour::IgnoresInterrupt).await?;
    bench.runtime().stop(&job, Duration::from_millis(500)).await.map_err(said("stop"))?;
    must_equal("the end", &bench.ended(&job).await?, &(KILLED, false))
}

pub(super) async fn idle(bench: &Bench<'_>) -> Result<(), String> {
    let grace = bench.fixture.patience();
    bench.runtime().stop(&bench.key(0)?.id(), grace).await.map_err(said("a stop of what never was"))?;
    let job = bench.start(1, &Behaviour::Exits(7)).await?;
    bench.ended(&job).await?;
    bench.runtime().stop(&job, grace).await.map_err(said("a stop of what ended"))?;
    must_equal("the end", &bench.ended(&job).await?, &(7, false))
}

pub(super) async fn removes(bench: &Bench<'_>) -> Result<(), String> {
    let does = Behaviour::Exits(0);
    let job = bench.start(0, &does).await?;
    bench.ended(&job).await?;
    for time in ["the first removal", "the second removal"] {
        bench.runtime().remove(&job).await.map_err(|error| format!("{time} failed with {:?}: {error}", error.kind))?;
        must_equal("what is left", &bench.observe(bench.runtime(), &job).await?, &None)?;
    }
    must_fail("collect", bench.runtime().collect(&job, 1024).await, RuntimeErrorKind::NotFound)?;
    let again = bench.runtime().start(&bench.spec(0, &does)?).await.map_err(said("start"))?;
    must_equal("a start after the removal", &again, &Started::New)?;
    bench.ended(&job).await.map(drop)
}

pub(super) async fn removes_running(bench: &Bench<'_>) -> Result<(), String> {
    let job = bench.start_running(0, &Behaviour::IgnoresInterrupt).await?;
    bench.runtime().remove(&job).await.map_err(said("remove"))?;
    must_equal("what is left", &bench.observe(bench.runtime(), &job).await?, &None)
}
