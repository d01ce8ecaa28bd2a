//! One running job, followed from its first line (also after a restart) to its end.

use super::{Shared, Watched, hear::Hearing, judge, next_check};
use crate::{
    observer::Happening,
    stops::{self, StopNote},
    tally::Tally,
};
use futures_util::StreamExt as _;
use hydra_core::{
    JobId, Timestamp,
    ports::{AuditEntry, LogLine, RuntimeError},
};
use std::{io::Write as _, sync::Arc, time::Duration};

/// How long to wait before the log of a job is asked for again after it could not be followed.
const AGAIN: Duration = Duration::from_secs(2);

/// How long to wait, at most, before an engine that refused to stop a job is asked again.
const STOP_AGAIN: Duration = Duration::from_secs(60);

/// How far the stopping of a job is.
#[derive(Default)]
struct Stopping {
    /// The reason is kept and told.
    told: bool,
    /// The engine did not do it: so long to wait, and until then.
    refused: Option<(Duration, Timestamp)>,
    done: bool,
}

impl Stopping {
    /// When to ask again, at the earliest. A clock that was set back does not hold it up.
    fn again(&self, now: Timestamp) -> Option<Timestamp> {
        let (wait, again) = self.refused?;
        let left = Duration::try_from(again.duration_since(now)).unwrap_or_default();
        (!left.is_zero() && left <= wait).then_some(again)
    }
    fn refuse(&mut self, now: Timestamp) {
        let wait = self.refused.map_or(AGAIN, |(wait, _)| (wait * 2).min(STOP_AGAIN));
        self.refused = Some((wait, now.checked_add(wait).unwrap_or(Timestamp::MAX)));
    }
}

/// Follows the job to its end, then wakes the loop.
pub(super) async fn follow(shared: Arc<Shared>, job: JobId, watched: Watched) -> JobId {
    let mut stopping = Stopping::default();
    // A broken stream is followed anew from the first line as long as the job's time is not up; the tally begins anew with it.
    loop {
        match lines(&shared, &job, &watched, &mut stopping).await {
            Ok(()) => break,
            Err(error) => {
                tracing::warn!(%job, %error, "its log cannot be followed");
                if error.kind == hydra_core::ports::RuntimeErrorKind::NotFound {
                    break;
                }
                let deaf = Watched { bounds: watched.bounds.unheard(), ..watched.clone() };
                check(&shared, &job, &deaf, &Tally::default(), None, &mut stopping).await;
                shared.ports.clock.sleep(AGAIN).await;
            }
        }
    }
    shared.wake.notify_one();
    job
}

async fn lines(shared: &Shared, job: &JobId, watched: &Watched, stopping: &mut Stopping) -> Result<(), RuntimeError> {
    let mut stream = shared.ports.runtime.follow(job).await?;
    let mut tally = Tally::default();
    tally.progress.account.clone_from(&watched.account);
    let mut log = Log::begin(shared, job);
    let mut hearing = Hearing::begin(shared, job, watched).await;
    let mut watched = watched.clone();
    watched.bounds.heard_from = shared.ports.clock.now();
    loop {
        let now = shared.ports.clock.now();
        let due = next_check(&watched.bounds, &tally.progress);
        // Once it was stopped only its end matters.
        let rest = match stopping.again(now) {
            _ if stopping.done => Duration::from_secs(3600),
            None => wait(now, due),
            Some(again) => wait(now, again),
        };
        tokio::select! {
            biased;
            line = stream.next() => match line {
                None => return Ok(()),
                Some(line) => take(shared, job, &watched, &mut tally, &mut log, &line?),
            },
            () = shared.ports.clock.sleep(rest.min(hearing.rest(now))) => {}
        }
        hearing.hear(shared, job, &watched).await;
        let spent = hearing.spent(tally.progress.spend);
        shared.ledger.live(job, &watched.key.issue, spent, shared.ports.clock.now());
        check(shared, job, &watched, &tally, hearing.halt(shared.ports.clock.now()), stopping).await;
    }
}

fn take(shared: &Shared, job: &JobId, watched: &Watched, tally: &mut Tally, log: &mut Log, line: &LogLine) {
    let text = shared.config.scrub(&line.text);
    log.line(&text, line.stderr);
    if line.stderr {
        return;
    }
    let before = tally.progress.clone();
    tally.line(&text, &shared.config.prices, watched.model.as_ref());
    // The wrapper's clock is the container's: a clock that runs ahead must not hide a stall.
    let now = shared.ports.clock.now();
    tally.progress.last_event = tally.progress.last_event.map(|_| now);
    shared.put(job, tally);
    if before.spend != tally.progress.spend || before.doing != tally.progress.doing {
        shared.observer.saw(&Happening::StageProgress { key: watched.key.clone(), progress: tally.progress.clone() });
    }
}

/// Stops the job if it must be stopped: the reason is kept first. `halt` is one that its limits do not know.
async fn check(
    shared: &Shared,
    job: &JobId,
    watched: &Watched,
    tally: &Tally,
    halt: Option<StopNote>,
    stopping: &mut Stopping,
) {
    let now = shared.ports.clock.now();
    if stopping.done || stopping.again(now).is_some() {
        return;
    }
    let over = shared.ledger.over(&watched.key.issue, &shared.config.policy, now);
    let Some(note) = judge(now, &watched.bounds, &tally.progress, over).or(halt) else { return };
    match stop_once(shared, job, &note, stopping).await {
        Ok(()) => stopping.done = true,
        Err(why) => {
            tracing::error!(%job, why, "it must be stopped and cannot be");
            stopping.refuse(shared.ports.clock.now());
        }
    }
}

/// Asks the engine; the reason is kept and told the first time.
async fn stop_once(shared: &Shared, job: &JobId, note: &StopNote, stopping: &mut Stopping) -> Result<(), String> {
    if !stopping.told {
        tell(shared, job, note)?;
        stopping.told = true;
    }
    shared.ports.runtime.stop(job, shared.config.stop_grace).await.map_err(|error| error.to_string())
}

/// Keeps the reason, tells the audit log, stops the job.
pub(crate) async fn stop(shared: &Shared, job: &JobId, note: &StopNote) -> Result<(), String> {
    stop_once(shared, job, note, &mut Stopping::default()).await
}

fn tell(shared: &Shared, job: &JobId, note: &StopNote) -> Result<(), String> {
    stops::keep(&shared.state, job, note).map_err(|error| error.to_string())?;
    let entry = AuditEntry {
        ts: note.at,
        kind: "job".into(),
        issue: None,
        job: Some(job.to_string()),
        facts: serde_json::json!({ "stop": note.why, "detail": note.detail }),
    };
    // Stopping is the safe direction: a log that cannot be written does not keep a job running.
    if let Err(error) = shared.ports.audit.append(&entry) {
        tracing::error!(%job, %error, "the stop is not in the audit log");
    }
    Ok(())
}

pub(super) fn wait(now: Timestamp, due: Timestamp) -> Duration {
    Duration::try_from(due.duration_since(now)).unwrap_or_default().max(Duration::from_millis(10))
}

/// The job's redacted log on disk: evidence and convenience, never truth. Written anew when the job is followed anew.
struct Log(Option<std::io::BufWriter<std::fs::File>>);

impl Log {
    fn begin(shared: &Shared, job: &JobId) -> Self {
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = shared.state.log(job);
        let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        // Of several orchestrators that follow one job, one writes its log.
        let file = file.and_then(|file| match file.try_lock() {
            Ok(()) => file.set_len(0).map(|()| Some(file)),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        });
        match file {
            Ok(None) => Self(None),
            Ok(Some(file)) => Self(Some(std::io::BufWriter::new(file))),
            Err(error) => {
                tracing::warn!(%job, %error, "its log cannot be kept");
                Self(None)
            }
        }
    }
    fn line(&mut self, text: &str, stderr: bool) {
        let Some(file) = &mut self.0 else { return };
        let written = if stderr {
            // Error output becomes a line of its own kind, so that the file stays JSON lines.
            serde_json::to_writer(&mut *file, &serde_json::json!({ "stderr": text })).map_err(std::io::Error::from)
        } else {
            file.write_all(text.as_bytes())
        };
        if written.and_then(|()| file.write_all(b"\n")).and_then(|()| file.flush()).is_err() {
            self.0 = None;
        }
    }
}
