//! Keeps what was asked and answered, for the check of a whole test run against GitHub's own descriptions.

use super::Record;
use std::{
    collections::BTreeSet,
    fs::File,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Write as _},
    path::Path,
    sync::{Mutex, PoisonError},
};

/// Names a folder: whoever hears Hydra in a test keeps there what it hears, for [`crate::contracts::check_folder`].
pub const RECORDS: &str = "HYDRA_SIM_RECORDS";

/// A file of requests with their answers, one a line, each that differs from all others once. A line is written at once: who is killed has
/// kept what came before.
#[derive(Debug)]
pub struct Traffic(Mutex<(File, BTreeSet<u64>)>);

impl Traffic {
    /// A new file in the folder that [`RECORDS`] names; none where it names none.
    ///
    /// # Errors
    /// When the folder or the file cannot be made.
    pub fn start() -> io::Result<Option<Self>> {
        std::env::var_os(RECORDS).map(|folder| Self::into(Path::new(&folder))).transpose()
    }

    /// A new file in this folder.
    ///
    /// # Errors
    /// When the folder or the file cannot be made.
    pub fn into(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let file = tempfile::Builder::new().prefix("traffic-").suffix(".jsonl").tempfile_in(folder)?;
        let (file, _) = file.keep().map_err(|e| e.error)?;
        Ok(Self(Mutex::new((file, BTreeSet::new()))))
    }

    /// Keeps one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, seen) = &mut *held;
        if seen.insert(hasher.finish()) {
            file.write_all(&line)?;
        }
        Ok(())
    }
}
