//! What a job leaves: its exit code, its output, its files.

use super::{Behaviour, Bench, must_equal, must_fail, said};
use crate::{job::RuntimeStatus, ports::RuntimeErrorKind};
use futures_util::StreamExt;
use std::collections::BTreeMap;

/// No job of the suite leaves more than this.
const LIMIT: u64 = 1024 * 1024;

pub(super) async fn exits(bench: &Bench<'_>) -> Result<(), String> {
    for (number, code) in [(0, 0), (1, 7)] {
        let job = bench.start(number, &Behaviour::Exits(code)).await?;
        must_equal("the end", &bench.ended(&job).await?, &(i64::from(code), false))?;
    }
    Ok(())
}

pub(super) async fn follow_twice(bench: &Bench<'_>) -> Result<(), String> {
    let texts = |name: &str| (0..200).map(|n| format!("{name} {n} \"quoted\" é")).collect::<Vec<_>>();
    let (stdout, stderr) = (texts("out"), texts("err"));
    let job = bench.start(0, &Behaviour::Prints { stdout: stdout.clone(), stderr: stderr.clone() }).await?;
    let printed = (stdout, stderr);
    // Once while it may still run, once when it has ended.
    must_equal("the output", &bench.lines(bench.runtime(), &job).await?, &printed)?;
    bench.ended(&job).await?;
    must_equal("the output, followed again", &bench.lines(bench.runtime(), &job).await?, &printed)
}

pub(super) async fn follow_live(bench: &Bench<'_>) -> Result<(), String> {
    let job = bench.start_running(0, &Behaviour::Runs).await?;
    must_equal("the status after its follower went", &bench.status(&job).await?, &RuntimeStatus::Running)
}

pub(super) async fn collect(bench: &Bench<'_>) -> Result<(), String> {
    let files = BTreeMap::from([
        ("result.json".to_owned(), br#"{"schema":1}"#.to_vec()),
        ("deep/er/events.jsonl".to_owned(), b"one\ntwo\n".to_vec()),
        ("empty".to_owned(), Vec::new()),
    ]);
    let job = bench.start(0, &Behaviour::Writes(files.clone())).await?;
    bench.ended(&job).await?;
    for runtime in [bench.runtime(), bench.runtime(), bench.fixture.second()] {
        let collected = runtime.collect(&job, LIMIT).await.map_err(said("collect"))?;
        must_equal("what was collected", &collected.files, &files)?;
        must_equal("what was left out", &collected.too_large, &BTreeMap::new())?;
    }
    Ok(())
}

pub(super) async fn collect_big(bench: &Bench<'_>) -> Result<(), String> {
    let size = LIMIT + 1;
    let job = bench.start(0, &Behaviour::WritesBig(size)).await?;
    bench.ended(&job).await?;
    let collected = bench.runtime().collect(&job, LIMIT).await.map_err(said("collect"))?;
    must_equal("what was collected", &collected.files.keys().collect::<Vec<_>>(), &Vec::new())?;
    must_equal("what was left out", &collected.too_large, &BTreeMap::from([("big.bin".to_owned(), size)]))?;
    let whole = bench.runtime().collect(&job, size).await.map_err(said("collect"))?;
    must_equal("its size", &whole.files.get("big.bin").map(Vec::len), &usize::try_from(size).ok())
}

pub(super) async fn collect_link(bench: &Bench<'_>) -> Result<(), String> {
    let job = bench.start(0, &Behaviour::WritesLink).await?;
    bench.ended(&job).await?;
    must_fail("collect", bench.runtime().collect(&job, LIMIT).await, RuntimeErrorKind::Refused)
}

pub(super) async fn unknown(bench: &Bench<'_>) -> Result<(), String> {
    let job = bench.key(0)?.id();
    must_fail("collect", bench.runtime().collect(&job, LIMIT).await, RuntimeErrorKind::NotFound)?;
    let followed = match bench.runtime().follow(&job).await {
        Ok(lines) => Ok(lines.count().await),
        Err(error) => Err(error),
    };
    must_fail("follow", followed, RuntimeErrorKind::NotFound)?;
    must_equal("what is listed", &bench.observe(bench.runtime(), &job).await?, &None)
}
