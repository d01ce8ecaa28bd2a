//! Small files of the state folder: written whole and atomically, read as absent, present or broken.

use serde::{Serialize, de::DeserializeOwned};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

/// The audit log, within a state folder.
pub const AUDIT: &str = "audit.jsonl";

/// A file of the state folder could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct StoreError {
    /// Which file.
    pub path: String,
    /// What happened.
    pub why: String,
}

fn failed(path: &Path, why: impl ToString) -> StoreError {
    StoreError { path: path.display().to_string(), why: why.to_string() }
}

/// The folders below the state folder that the engine owns.
#[derive(Debug, Clone)]
pub struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// Makes the engine's folders below `root`, private to this user.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        for folder in ["pins", "orders", "stops", "logs", "egress", "by-hand"] {
            make_private(&root.join(folder))?;
        }
        Ok(Self { root: root.to_owned() })
    }
    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// A pinned issue, by its hash.
    #[must_use]
    pub fn pin(&self, hash: &str) -> PathBuf {
        self.root.join("pins").join(format!("{hash}.json"))
    }
    /// What a job was started with.
    #[must_use]
    pub fn order(&self, job: &hydra_core::JobId) -> PathBuf {
        self.root.join("orders").join(format!("{job}.json"))
    }
    /// Why a job was stopped.
    #[must_use]
    pub fn stop(&self, job: &hydra_core::JobId) -> PathBuf {
        self.root.join("stops").join(format!("{job}.json"))
    }
    /// Which process waits for a job that was started by hand.
    #[must_use]
    pub fn by_hand(&self, job: &hydra_core::JobId) -> PathBuf {
        self.root.join("by-hand").join(format!("{job}.json"))
    }
    /// A job's redacted event log.
    #[must_use]
    pub fn log(&self, job: &hydra_core::JobId) -> PathBuf {
        self.root.join("logs").join(format!("{job}.jsonl"))
    }
    /// What the gates of an ended job told.
    #[must_use]
    pub fn egress(&self, job: &hydra_core::JobId) -> PathBuf {
        self.root.join("egress").join(format!("{job}.json"))
    }
    /// Holds that this installation keeps.
    #[must_use]
    pub fn holds(&self) -> PathBuf {
        self.root.join("holds.json")
    }
    /// The breaker's state.
    #[must_use]
    pub fn breaker(&self) -> PathBuf {
        self.root.join("breaker.json")
    }
    /// The audit log.
    #[must_use]
    pub fn audit(&self) -> PathBuf {
        self.root.join(AUDIT)
    }
}

fn make_private(folder: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| failed(folder, error))
}

/// Takes the turn of changing a file, among all processes; given back when dropped, also by a process that dies.
///
/// # Errors
/// When the lock cannot be made or taken.
pub(crate) fn lock(path: &Path) -> Result<std::fs::File, StoreError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = path.with_extension("lock");
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|error| failed(&path, error))?;
    file.lock().map_err(|error| failed(&path, error))?;
    Ok(file)
}

/// Reads a JSON file; `None` only when it is certainly not there.
///
/// # Errors
/// When it cannot be read or does not have the promised shape.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| failed(path, error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, error)),
    }
}

/// The files of a folder whose names end so, in order; none where the folder is not there.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(|error| failed(folder, error))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| failed(folder, error))?.path();
        if path.extension().is_some_and(|its| its == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Writes a JSON file so that a reader sees the old or the new content, never a part; it is on disk when this returns.
///
/// # Errors
/// When it could not be made durable.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec_pretty(value).map_err(|error| failed(path, error))?;
    write_bytes(path, &bytes)
}

/// Writes a file atomically, mode 0600.
///
/// # Errors
/// When it could not be made durable.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // One writer per process and file: the name carries the process, so that two orchestrators never share a temporary file.
    let temporary = path.with_extension(format!("tmp-{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(|error| failed(path, error))
}

/// Removes a file; fine when it is not there.
///
/// # Errors
/// When it is there and stays.
pub fn remove(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(path, error)),
    }
}
