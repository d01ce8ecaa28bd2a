//! Ends a process job: asks first, then kills the whole group.

use crate::{
    error::error,
    process::{folder::JobFolder, probe},
};
use hydra_core::{
    job::RuntimeStatus,
    ports::{RuntimeError, RuntimeErrorKind},
};
use nix::{
    errno::Errno,
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// How often it is looked whether the job ended.
const TICK: Duration = Duration::from_millis(20);
/// A killed process that is not gone by then hangs in the kernel.
const AFTER_KILL: Duration = Duration::from_secs(10);

/// Ends it; Ok when it does not run, also when it is not there. `reap` takes note of this process's own ended children.
pub(super) fn stop(folder: &JobFolder, grace: Duration, reap: impl Fn()) -> Result<(), RuntimeError> {
    if !folder.exists()? || folder.status()? != RuntimeStatus::Running {
        return Ok(());
    }
    let Some(process) = folder.process()? else { return Ok(()) };
    let ended = |within: Duration| {
        let begun = Instant::now();
        loop {
            reap();
            if !probe::alive(&process)? {
                return Ok(true);
            }
            if begun.elapsed() >= within {
                return Ok(false);
            }
            thread::sleep(TICK.min(within));
        }
    };
    if grace > Duration::ZERO {
        signal(process.pid, Signal::SIGINT)?;
        if ended(grace)? {
            return Ok(());
        }
    }
    signal(process.pid, Signal::SIGKILL)?;
    if !ended(AFTER_KILL)? {
        return Err(error(RuntimeErrorKind::Failed, format!("process group {} does not die", process.pid)));
    }
    // The shell that writes the exit code died with the rest.
    if matches!(folder.status()?, RuntimeStatus::Lost { .. }) {
        folder.record_exit(128 + 9)?;
    }
    Ok(())
}

fn signal(group: i32, signal: Signal) -> Result<(), RuntimeError> {
    match killpg(Pid::from_raw(group), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(cause) => Err(error(RuntimeErrorKind::Failed, format!("cannot signal process group {group}: {cause}"))),
    }
}
