//! Follows a process job's output: its two log files, from the first line on, until the job has ended.

use crate::{
    error::io_error,
    lines::LineCutter,
    process::{ProcessRuntime, folder::JobFolder},
};
use futures_util::stream::{self, BoxStream, StreamExt};
use hydra_core::{
    job::RuntimeStatus,
    ports::{LogLine, RuntimeError},
};
use std::{
    collections::VecDeque,
    fs::File,
    io::{ErrorKind, Read},
    path::PathBuf,
    time::Duration,
};

/// How often the files are looked at.
const TICK: Duration = Duration::from_millis(50);
/// Read at a time from each file, so that memory stays bounded.
const PIECE: u64 = 1024 * 1024;

struct Follower {
    folder: JobFolder,
    runtime: ProcessRuntime,
    logs: [Log; 2],
    ready: VecDeque<LogLine>,
    ended: bool,
}

struct Log {
    stderr: bool,
    path: PathBuf,
    file: Option<File>,
    cutter: LineCutter,
}

/// The lines.
pub(super) fn follow(folder: JobFolder, runtime: ProcessRuntime) -> BoxStream<'static, Result<LogLine, RuntimeError>> {
    let log = |name: &str, stderr| Log { stderr, path: folder.path(name), file: None, cutter: LineCutter::default() };
    let logs = [log("stdout.log", false), log("stderr.log", true)];
    let follower = Follower { logs, folder, runtime, ready: VecDeque::new(), ended: false };
    stream::unfold(Some(follower), |state| async move {
        let mut follower = state?;
        loop {
            if let Some(line) = follower.ready.pop_front() {
                return Some((Ok(line), Some(follower)));
            }
            if follower.ended {
                return None;
            }
            let runtime = follower.runtime.clone();
            let looked = runtime
                .blocking(move |shared| {
                    shared.reap();
                    let idle = follower.look()?;
                    Ok((follower, idle))
                })
                .await;
            let idle;
            (follower, idle) = match looked {
                Ok(looked) => looked,
                Err(cause) => return Some((Err(cause), None)),
            };
            if idle {
                tokio::time::sleep(TICK).await;
            }
        }
    })
    .boxed()
}

impl Follower {
    /// Reads what is new; true when there was nothing.
    fn look(&mut self) -> Result<bool, RuntimeError> {
        self.folder.found()?;
        // The status first: what was written before the end is then read for certain.
        let over = self.folder.status()? != RuntimeStatus::Running;
        let mut read = 0;
        for log in &mut self.logs {
            let (bytes, lines) = log.read()?;
            read += bytes;
            self.ready.extend(lines);
        }
        if read == 0 && over {
            self.ended = true;
            for log in &mut self.logs {
                self.ready.extend(log.cutter.finish().map(|text| LogLine { stderr: log.stderr, text }));
            }
        }
        Ok(read == 0 && !self.ended)
    }
}

impl Log {
    fn read(&mut self) -> Result<(usize, Vec<LogLine>), RuntimeError> {
        let file = match &mut self.file {
            Some(file) => file,
            none => match File::open(&self.path) {
                Ok(file) => none.insert(file),
                // Not started yet.
                Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok((0, Vec::new())),
                Err(cause) => return Err(io_error("cannot read", &self.path, &cause)),
            },
        };
        let mut bytes = Vec::new();
        let read =
            file.take(PIECE).read_to_end(&mut bytes).map_err(|cause| io_error("cannot read", &self.path, &cause))?;
        let stderr = self.stderr;
        Ok((read, self.cutter.push(&bytes).into_iter().map(|text| LogLine { stderr, text }).collect()))
    }
}
