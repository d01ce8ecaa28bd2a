//! What a job's function has before it: its specification, its output, its folder for results.

use hydra_core::{
    job::{JobSpec, RuntimeStatus},
    ports::LogLine,
};
use std::{fs, io, path::PathBuf};
use tokio::sync::watch;

/// How far a job is.
pub(crate) struct Progress {
    pub(crate) lines: Vec<LogLine>,
    pub(crate) status: RuntimeStatus,
}

impl Default for Progress {
    fn default() -> Self {
        Self { lines: Vec::new(), status: RuntimeStatus::Running }
    }
}

impl Progress {
    /// Ends it; false when it has ended already.
    pub(crate) fn end(&mut self, code: i64) -> bool {
        let runs = self.status == RuntimeStatus::Running;
        if runs {
            self.status = RuntimeStatus::Exited { code, oom: false, at: jiff::Timestamp::now() };
        }
        runs
    }
}

/// A job's function works here.
pub struct Desk {
    spec: JobSpec,
    out: PathBuf,
    progress: watch::Sender<Progress>,
    interrupt: watch::Receiver<bool>,
}

impl Desk {
    pub(crate) fn new(
        spec: JobSpec,
        out: PathBuf,
        progress: watch::Sender<Progress>,
        interrupt: watch::Receiver<bool>,
    ) -> Self {
        Self { spec, out, progress, interrupt }
    }

    /// What is asked for.
    #[must_use]
    pub fn spec(&self) -> &JobSpec {
        &self.spec
    }

    /// The folder of results.
    #[must_use]
    pub fn out(&self) -> &std::path::Path {
        &self.out
    }

    /// Says a line on standard output, or on standard error.
    pub fn say(&self, stderr: bool, text: impl Into<String>) {
        self.progress.send_modify(|progress| progress.lines.push(LogLine { stderr, text: text.into() }));
    }

    /// Leaves a file among the results.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn leave(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.out.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, bytes)
    }

    /// Ends when the job is asked to end.
    pub async fn interrupted(&mut self) {
        // When nobody can ask any more, the job is being taken away.
        drop(self.interrupt.wait_for(|asked| *asked).await);
    }
}
