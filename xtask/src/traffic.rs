//! What all tests of a run said to a GitHub and were answered: kept in a folder, and at the end held against GitHub's own descriptions.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The test that checks it: in this binary, left out of the ordinary run, and last of all.
pub(crate) const BINARY: &str = "hydra-sim::it";
pub(crate) const TEST: &str = "github::contracts::the_traffic_of_a_whole_run_is_githubs_own";
/// Tells every test where to keep it.
pub(crate) const VARIABLE: &str = "HYDRA_SIM_RECORDS";

/// The folder of this run.
pub(crate) struct Traffic {
    pub(crate) folder: PathBuf,
}

impl Traffic {
    /// A new folder; those of runs that are over go.
    pub(crate) fn begin(root: &Path) -> Result<Self, String> {
        let all = root.join("target/traffic");
        let folder = all.join(std::process::id().to_string());
        let runs = |path: &Path| path.file_name().is_some_and(|name| Path::new("/proc").join(name).exists());
        for old in fs::read_dir(&all).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if old == folder || !runs(&old) {
                fs::remove_dir_all(&old).map_err(|error| format!("{}: {error}", old.display()))?;
            }
        }
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self { folder })
    }

    /// Whether anything was said.
    pub(crate) fn is_empty(&self) -> bool {
        fs::read_dir(&self.folder).map_or(true, |mut entries| entries.next().is_none())
    }

    /// What the check counted, and everything that did not fit.
    pub(crate) fn report(&self) -> Option<String> {
        fs::read_to_string(self.folder.join("report.txt")).ok()
    }
}
