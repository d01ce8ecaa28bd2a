//! The process's environment, read once at the rim: everything below is given it as a value.

use std::{collections::BTreeMap, ffi::OsString};

/// Variables by name. `Debug` shows names only.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// The process's own.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// A variable's text. Empty counts as not set (GitHub Actions sets absent secrets to nothing).
    ///
    /// # Errors
    /// When it is not UTF-8; the value is not repeated.
    pub fn text(&self, name: &str) -> Result<Option<&str>, String> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => match value.to_str() {
                Some("") => Ok(None),
                Some(text) => Ok(Some(text)),
                None => Err(format!("the variable {name} is not UTF-8 text")),
            },
        }
    }

    /// What jobs that are processes of this machine get of it: where programs lie, and where they may write. No credential.
    #[must_use]
    pub fn for_processes(&self) -> BTreeMap<String, String> {
        ["PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "HYDRA_DEMO_AGENT"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), self.0.get(name)?.to_str()?.to_owned())))
            .collect()
    }

    /// A variable as it is.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&OsString> {
        self.0.get(name).filter(|value| !value.is_empty())
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(iter: I) -> Self {
        Self(iter.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect())
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
