//! A job's folder: the whole truth about a process job, readable by any orchestrator.
//!
//! `labels.json`, `created` (its time), `in/`, `spec/`, `out/`, `workspace/`, `home/`, `tmp/`, `stdout.log`, `stderr.log`, `lock`,
//! `process.json` (who runs it), `started` (the program was let go), `exit` (its exit code).

use crate::{
    error::{error, io_error},
    naming,
    process::probe::{self, Process},
};
use hydra_core::{
    JobId, Timestamp,
    job::{InputFile, JobSpec, Observed, RuntimeStatus},
    ports::{RuntimeError, RuntimeErrorKind},
};
use nix::fcntl::{Flock, FlockArg};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Makes the names of half-made folders unique within this process.
static SERIAL: AtomicU64 = AtomicU64::new(0);
/// Folders below the job that its program gets.
const SUBFOLDERS: [&str; 6] = ["in", "spec", "out", "workspace", "home", "tmp"];

/// One job's folder, there or not.
#[derive(Debug, Clone)]
pub(super) struct JobFolder {
    jobs: PathBuf,
    id: JobId,
}

/// The names of all jobs.
pub(super) fn ids(jobs: &Path) -> Result<Vec<JobId>, RuntimeError> {
    let broken = |cause: io::Error| io_error("cannot list", jobs, &cause);
    let mut ids = Vec::new();
    for entry in fs::read_dir(jobs).map_err(broken)? {
        // Half-made and half-removed folders begin with a dot, so they do not parse.
        if let Some(Ok(id)) = entry.map_err(broken)?.file_name().to_str().map(str::parse) {
            ids.push(id);
        }
    }
    ids.sort();
    Ok(ids)
}

impl JobFolder {
    pub(super) fn new(jobs: &Path, id: &JobId) -> Self {
        Self { jobs: jobs.to_owned(), id: id.clone() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.jobs.join(self.id.as_str()).join(name)
    }

    pub(super) fn exists(&self) -> Result<bool, RuntimeError> {
        let path = self.jobs.join(self.id.as_str());
        path.try_exists().map_err(|cause| io_error("cannot look at", &path, &cause))
    }

    /// Ok when the job is there.
    pub(super) fn found(&self) -> Result<(), RuntimeError> {
        if self.exists()? {
            Ok(())
        } else {
            Err(error(RuntimeErrorKind::NotFound, format!("there is no job {}", self.id)))
        }
    }

    /// Makes the folder, whole, under its name at once. Losing the race to another starter is no error.
    pub(super) fn create(&self, spec: &JobSpec, labels: &BTreeMap<String, String>) -> Result<(), RuntimeError> {
        let half = self.aside("new");
        let made = fill(&half, spec, labels).and_then(|()| {
            let path = self.jobs.join(self.id.as_str());
            // Renaming onto a folder that holds something fails: that is the claim.
            match fs::rename(&half, &path) {
                Err(cause) if !matches!(cause.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {
                    Err(io_error("cannot make", &path, &cause))
                }
                Ok(()) | Err(_) => Ok(()),
            }
        });
        match fs::remove_dir_all(&half) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => {
                tracing::warn!(path = %half.display(), %cause, "a half-made job folder stays behind");
            }
            Ok(()) | Err(_) => {}
        }
        made
    }

    pub(super) fn labels(&self) -> Result<BTreeMap<String, String>, RuntimeError> {
        let path = self.path("labels.json");
        let text = fs::read(&path).map_err(|cause| match cause.kind() {
            ErrorKind::NotFound => error(RuntimeErrorKind::NotFound, format!("there is no job {}", self.id)),
            _ => io_error("cannot read", &path, &cause),
        })?;
        serde_json::from_slice(&text)
            .map_err(|cause| error(RuntimeErrorKind::Failed, format!("{} is damaged: {cause}", path.display())))
    }

    /// Holds the job for the time of a start. Released when dropped, also when this process dies.
    pub(super) fn lock(&self) -> Result<Flock<File>, RuntimeError> {
        let path = self.path("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|cause| io_error("cannot open", &path, &cause))?;
        Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, cause)| io_error("cannot lock", &path, &cause.into()))
    }

    /// Who runs it, once someone does.
    pub(super) fn process(&self) -> Result<Option<Process>, RuntimeError> {
        let path = self.path("process.json");
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|cause| error(RuntimeErrorKind::Failed, format!("{} is damaged: {cause}", path.display()))),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(io_error("cannot read", &path, &cause)),
        }
    }

    /// What the folder and the process table say together.
    pub(super) fn status(&self) -> Result<RuntimeStatus, RuntimeError> {
        if let Some(ended) = self.exit()? {
            return Ok(ended);
        }
        let Some(process) = self.process()? else { return Ok(RuntimeStatus::Created) };
        if probe::alive(&process)? {
            return Ok(RuntimeStatus::Running);
        }
        // It may have ended between the two looks.
        if let Some(ended) = self.exit()? {
            return Ok(ended);
        }
        let started = self.path("started");
        if started.try_exists().map_err(|cause| io_error("cannot look at", &started, &cause))? {
            return Ok(RuntimeStatus::Lost { why: format!("process {} is gone and left no exit code", process.pid) });
        }
        Ok(RuntimeStatus::Created)
    }

    /// Everything that a listing shows; absent when the folder is gone.
    pub(super) fn observe(&self, id: JobId) -> Result<Option<Observed>, RuntimeError> {
        let seen = self.observe_there(id);
        match seen {
            Err(_) if !self.exists()? => Ok(None),
            Err(cause) => Err(cause),
            Ok(observed) => Ok(Some(observed)),
        }
    }

    fn observe_there(&self, id: JobId) -> Result<Observed, RuntimeError> {
        let named = naming::read(&self.labels()?);
        let path = self.path("created");
        let text = fs::read_to_string(&path).map_err(|cause| io_error("cannot read", &path, &cause))?;
        let created_at = text
            .trim()
            .parse()
            .map_err(|cause| error(RuntimeErrorKind::Failed, format!("{} is damaged: {cause}", path.display())))?;
        let status = self.status()?;
        Ok(Observed {
            id,
            key: named.key,
            instance: named.instance,
            credentials: named.credentials,
            created_at,
            status,
        })
    }

    /// Writes an exit code that the job could not write itself, because it was killed.
    pub(super) fn record_exit(&self, code: i64) -> Result<(), RuntimeError> {
        write_whole(&self.path("exit"), format!("{code}\n").as_bytes())
    }

    /// Takes the folder away: first from its name, at once, then piece by piece.
    pub(super) fn remove(&self) -> Result<(), RuntimeError> {
        let path = self.jobs.join(self.id.as_str());
        let gone = self.aside("gone");
        match fs::rename(&path, &gone) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(()),
            Err(cause) => return Err(io_error("cannot remove", &path, &cause)),
            Ok(()) => {}
        }
        fs::remove_dir_all(&gone).map_err(|cause| io_error("cannot remove", &gone, &cause))
    }

    fn aside(&self, what: &str) -> PathBuf {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        self.jobs.join(format!(".{what}-{}-{}-{serial}", self.id, std::process::id()))
    }

    fn exit(&self) -> Result<Option<RuntimeStatus>, RuntimeError> {
        let path = self.path("exit");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(io_error("cannot read", &path, &cause)),
        };
        let at = fs::metadata(&path)
            .and_then(|meta| meta.modified())
            .map_err(|cause| io_error("cannot read", &path, &cause))?;
        let at = Timestamp::try_from(at).map_err(|cause| {
            error(RuntimeErrorKind::Failed, format!("{} has no usable time: {cause}", path.display()))
        })?;
        Ok(Some(match text.trim().parse() {
            Ok(code) => RuntimeStatus::Exited { code, oom: false, at },
            Err(_) => RuntimeStatus::Lost { why: format!("{} holds no exit code", path.display()) },
        }))
    }
}

/// Writes a file so that it is there whole or not at all.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), RuntimeError> {
    let half = path.with_extension("half");
    fs::write(&half, bytes)
        .and_then(|()| fs::rename(&half, path))
        .map_err(|cause| io_error("cannot write", path, &cause))
}

fn fill(root: &Path, spec: &JobSpec, labels: &BTreeMap<String, String>) -> Result<(), RuntimeError> {
    let folder = |path: &Path| {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|cause| io_error("cannot make", path, &cause))
    };
    folder(root)?;
    for name in SUBFOLDERS {
        folder(&root.join(name))?;
    }
    for (name, files) in [("in", &spec.inputs), ("spec", &spec.spec)] {
        for (relative, file) in files {
            let path = root.join(name).join(relative);
            if let Some(parent) = path.parent() {
                folder(parent)?;
            }
            let copied = match file {
                InputFile::Bytes(bytes) => fs::write(&path, bytes),
                InputFile::Path(from) => copy(from, &path),
            };
            copied.map_err(|cause| io_error("cannot write the input", &path, &cause))?;
        }
    }
    let labels = serde_json::to_vec_pretty(labels)
        .map_err(|cause| error(RuntimeErrorKind::Failed, format!("cannot write labels: {cause}")))?;
    for (name, bytes) in
        [("labels.json", labels.as_slice()), ("created", Timestamp::now().to_string().as_bytes()), ("lock", b"")]
    {
        let path = root.join(name);
        fs::write(&path, bytes).map_err(|cause| io_error("cannot write", &path, &cause))?;
    }
    Ok(())
}

/// Copies content alone, not the mode of the source.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut source, &mut target).map(drop)
}
