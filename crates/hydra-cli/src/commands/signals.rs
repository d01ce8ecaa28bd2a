//! SIGTERM, SIGINT and the SIGHUP of a terminal that goes away, counted: the first lets the work end in good order, a second stops the jobs.

use crate::failure::Failure;
use hydra_engine::Engine;
use std::{future::pending, io, time::Duration};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// After the work has ended, jobs that run on can still be stopped by a second signal for so long.
const SECOND_CHANCE: Duration = Duration::from_secs(3);

/// How often the process was told to end.
#[derive(Clone)]
pub(super) struct Heard(watch::Receiver<u32>);

impl Heard {
    /// Whether it was told to, so often at least.
    pub(super) fn times(&self, count: u32) -> bool {
        *self.0.borrow() >= count
    }
    /// Waits until it is.
    pub(super) async fn wait(mut self, count: u32) {
        // The sender lives as long as the work that waits.
        let _ = self.0.wait_for(|heard| *heard >= count).await;
    }
}

/// Does the work while signals are counted, also those that come while it is busy.
pub(super) async fn counted<T, W: Future<Output = T>>(work: impl FnOnce(Heard) -> W) -> Result<T, Failure> {
    let failed = |error: io::Error| Failure::local("signals cannot be waited for", &error);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut hangup =
        if goes_on_without_a_terminal() { None } else { Some(signal(SignalKind::hangup()).map_err(failed)?) };
    let (told, heard) = watch::channel(0u32);
    let listen = async {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                () = next(hangup.as_mut()) => {}
            }
            told.send_modify(|count| *count += 1);
        }
    };
    tokio::select! {
        done = work(Heard(heard)) => Ok(done),
        never = listen => never,
    }
}

/// The next one; never, where it is not listened to.
async fn next(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => _ = signal.recv().await,
        None => pending().await,
    }
}

/// Whoever started this process (`nohup`) wants it to outlive the terminal: SIGHUP is ignored, and stays so.
fn goes_on_without_a_terminal() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Where the kernel does not say, the signal keeps what it would do anyway.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|mask| mask & 1 == 1)
}

/// What became of jobs that ran when the work was told to end.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub(super) struct LeftRunning {
    /// They run on; the next start adopts them.
    pub(super) adopted_by_next: Vec<String>,
    /// They were stopped, by a second signal.
    pub(super) stopped: Vec<String>,
    /// They could not be stopped, with why.
    pub(super) not_stopped: Vec<(String, String)>,
}

/// After the first signal: leaves running jobs alone, unless a second signal comes. `say` is told what happens to them.
pub(super) async fn part(engine: &mut Engine, heard: &Heard, say: impl Fn(String)) -> Result<LeftRunning, Failure> {
    let mut left = LeftRunning::default();
    let running = engine.running_jobs().await?;
    if running.is_empty() {
        return Ok(left);
    }
    let names: Vec<String> = running.iter().map(ToString::to_string).collect();
    if !heard.times(2) {
        let seconds = SECOND_CHANCE.as_secs();
        say(format!(
            "{} left to run on; the next start adopts what runs; a second signal within {seconds} s stops it",
            many(names.len())
        ));
        // Either outcome is fine: the count says which it was.
        let _ = tokio::time::timeout(SECOND_CHANCE, heard.clone().wait(2)).await;
    }
    if !heard.times(2) {
        left.adopted_by_next = names;
        return Ok(left);
    }
    say(format!("stopping {}", many(names.len())));
    left.not_stopped = engine.stop_jobs().await.into_iter().map(|(job, why)| (job.to_string(), why)).collect();
    left.stopped = names.into_iter().filter(|name| !left.not_stopped.iter().any(|(job, _)| job == name)).collect();
    for (job, why) in &left.not_stopped {
        say(format!("{job} could not be stopped: {why}"));
    }
    Ok(left)
}

fn many(jobs: usize) -> String {
    if jobs == 1 { "1 job".to_owned() } else { format!("{jobs} jobs") }
}
