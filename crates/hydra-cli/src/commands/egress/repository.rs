//! A repository's `.hydra.toml`, as far as it says what may be reached.

use crate::{exit::Exit, failure::Failure};
use hydra_core::{
    ContainerType,
    egress::{Decision, EgressPolicy, HostName, HostPattern, decide},
    target::{FILE, HostLine, Target},
};
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

pub(super) struct Repository {
    path: PathBuf,
    target: Target,
}

impl Repository {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = std::fs::read(path).map_err(|error| {
            Failure::new(Exit::Usage, format!("{}: {error}", path.display()))
                .help("name a repository's .hydra.toml with --repository")
        })?;
        let target = Target::parse(&bytes).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(|fault| named(path, &fault.to_string())).collect();
            Failure::new(Exit::Failed, faults.join("; ")).help("docs/repository.md says what the file may hold")
        })?;
        Ok(Self { path: path.to_owned(), target })
    }

    /// What one of its jobs would be held to.
    pub(super) fn policy(&self, own: &EgressPolicy, container: ContainerType) -> Result<EgressPolicy, Failure> {
        self.target.egress(own, container).map_err(|error| {
            Failure::new(Exit::Failed, named(&self.path, &error.to_string()))
                .help("as it is, no job of this repository would start")
        })
    }

    /// Where a line of it stands.
    pub(super) fn place(&self, container: ContainerType, pattern: &HostPattern) -> String {
        let mut lines = self.target.hosts(container).into_iter().chain(self.target.only().unwrap_or_default());
        let line = lines.find(|line| line.text.parse().is_ok_and(|own: HostPattern| own == *pattern));
        match line {
            Some(line) => format!("{}:{}", self.path.display(), line.line),
            None => self.path.display().to_string(),
        }
    }

    /// Heading and lines by which the repository itself opens a host, where the organisation lets it.
    pub(super) fn opens(
        &self,
        own: &EgressPolicy,
        container: ContainerType,
        host: &HostName,
    ) -> Option<(String, String)> {
        let theirs = matches!(decide(own, container, host), Decision::Allowed(_));
        if !theirs && !own.floor.iter().any(|line| line.matches(host)) {
            return None;
        }
        let mut lines = "[egress]\n".to_owned();
        let covers = |all: &[HostLine<'_>]| {
            all.iter().any(|line| line.text.parse().is_ok_and(|pattern: HostPattern| pattern.matches(host)))
        };
        let mut list = |key: &str, has: &[HostLine<'_>]| {
            let has: String = has.iter().map(|line| format!("  {:?},\n", line.text)).collect();
            _ = write!(lines, "{key} = [\n{has}  \"{host}\", # new\n]\n");
        };
        let extra = self.target.hosts(container);
        if !theirs && !covers(&extra) {
            list(container.as_str(), &extra);
        }
        if let Some(only) = self.target.only().filter(|only| !covers(only)) {
            list("only", &only);
        }
        let heading =
            format!("Lines to paste into {}, which the organisation lets it open by itself", self.path.display());
        Some((heading, lines))
    }
}

/// A fault begins with the name that the file has in a repository: here with the path that was given.
fn named(path: &Path, fault: &str) -> String {
    let place = path.display();
    fault.strip_prefix(FILE).map_or_else(|| format!("{place}: {fault}"), |rest| format!("{place}{rest}"))
}
