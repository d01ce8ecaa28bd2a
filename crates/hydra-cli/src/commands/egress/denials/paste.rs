//! The lines that would open what was refused, as the file they belong into is read.

use super::rows::Row;
use crate::config::Settings;
use hydra_core::{
    ContainerType, RepoName,
    egress::{EgressPolicy, HostName},
    target,
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// Names in one file, at most. An agent can ask for as many as it likes.
const MOST: usize = 50;

type Hosts = BTreeMap<ContainerType, BTreeSet<HostName>>;

/// Lines for one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::commands::egress) struct Paste {
    /// `hydra.toml`'s path, or `.hydra.toml`.
    pub(super) file: String,
    /// Whose `.hydra.toml`.
    pub(super) repo: Option<RepoName>,
    /// The table that they take the place of, where the file has it already.
    pub(super) replaces: Option<&'static str>,
    /// What they open.
    pub(super) hosts: Hosts,
    /// Names that were left out.
    pub(super) more: usize,
    /// TOML.
    pub(in crate::commands::egress) lines: String,
}

impl Paste {
    pub(in crate::commands::egress) fn heading(&self) -> String {
        let place = match (&self.repo, self.replaces) {
            (Some(repo), _) => format!(" of {repo}, which the organisation's floor lets it open by itself"),
            (None, Some(table)) => format!(", in the place of its {table}"),
            (None, None) => String::new(),
        };
        format!("Lines to paste into {}{place}", self.file)
    }
}

/// One for `hydra.toml`, and one for each repository that may open it by itself.
pub(super) fn pastes(rows: &[Row], settings: &Settings) -> Vec<Paste> {
    let mut own: (Hosts, usize) = Default::default();
    let mut theirs: BTreeMap<RepoName, (Hosts, usize)> = BTreeMap::new();
    for row in rows {
        let Some(host) = &row.opens else { continue };
        if row.repos.is_empty() || !settings.egress.floor.iter().any(|line| line.matches(host)) {
            add(&mut own, row.container, host);
            continue;
        }
        for repo in &row.repos {
            add(theirs.entry(repo.clone()).or_default(), row.container, host);
        }
    }
    let mut pastes = Vec::new();
    if !own.0.is_empty() {
        pastes.push(for_hydra(settings, own.0, own.1));
    }
    for (repo, (hosts, more)) in theirs {
        let lines = of_target(&hosts);
        pastes.push(Paste { file: target::FILE.to_owned(), repo: Some(repo), replaces: None, lines, hosts, more });
    }
    pastes
}

/// What opens one host for one type, in `hydra.toml`.
pub(in crate::commands::egress) fn one(settings: &Settings, container: ContainerType, host: &HostName) -> Paste {
    let hosts = Hosts::from([(container, BTreeSet::from([host.clone()]))]);
    for_hydra(settings, hosts, 0)
}

fn for_hydra(settings: &Settings, hosts: Hosts, more: usize) -> Paste {
    let file = settings.config_file.as_ref().map_or("hydra.toml".to_owned(), |path| path.display().to_string());
    let replaces = has_extra(settings).then_some("[egress.extra]");
    Paste { file, repo: None, replaces, lines: of_hydra(&settings.egress, &hosts), hosts, more }
}

fn add((hosts, more): &mut (Hosts, usize), container: ContainerType, host: &HostName) {
    let known = hosts.get(&container).is_some_and(|known| known.contains(host));
    if known {
        return;
    }
    if hosts.values().map(BTreeSet::len).sum::<usize>() >= MOST {
        *more += 1;
        return;
    }
    hosts.entry(container).or_default().insert(host.clone());
}

/// A list takes the place of the one that was there: what it held is repeated.
fn of_hydra(policy: &EgressPolicy, hosts: &Hosts) -> String {
    let mut text = String::from("[egress.extra]\n");
    let compiled_in = EgressPolicy::default().extra;
    for container in ContainerType::ALL {
        let old = policy.extra.get(container);
        let new = hosts.get(container);
        if new.is_none() && old == compiled_in.get(container) {
            continue;
        }
        _ = writeln!(text, "{container} = [");
        for line in old.into_iter().flatten() {
            _ = writeln!(text, "  {:?},", line.to_string());
        }
        for host in new.into_iter().flatten() {
            _ = writeln!(text, "  {:?}, # new", host.as_str());
        }
        text.push_str("]\n");
    }
    text
}

fn of_target(hosts: &Hosts) -> String {
    let mut text = String::from("[egress]\n");
    for (container, hosts) in hosts {
        let hosts: Vec<String> = hosts.iter().map(|host| format!("{:?}", host.as_str())).collect();
        _ = writeln!(text, "{container} = [{}]", hosts.join(", "));
    }
    text
}

/// Whether the file has lists of its own already.
fn has_extra(settings: &Settings) -> bool {
    let text = settings.config_file.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let table = text.parse::<toml::Table>().unwrap_or_default();
    table.get("egress").and_then(|egress| egress.get("extra")).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydra_core::target::Target;

    fn hosts(container: ContainerType, names: &[&str]) -> Hosts {
        BTreeMap::from([(container, names.iter().map(|name| name.parse().unwrap()).collect())])
    }

    #[test]
    fn lines_of_hydra_toml_keep_what_was_allowed_and_leave_other_types_alone() {
        let policy = EgressPolicy::default();
        let text = of_hydra(&policy, &hosts(ContainerType::Reviewer, &["docs.example.org"]));
        assert_eq!(text, "[egress.extra]\nreviewer = [\n  \"docs.example.org\", # new\n]\n");
        let text = of_hydra(&policy, &hosts(ContainerType::Builder, &["docs.example.org"]));
        let read: toml::Table = text.parse().unwrap();
        let list = read["egress"]["extra"]["builder"].as_array().unwrap();
        assert_eq!(list.len(), policy.extra[&ContainerType::Builder].len() + 1);
    }

    #[test]
    fn lines_of_a_repository_are_read_back_by_its_own_reader() {
        let text = of_target(&hosts(ContainerType::Builder, &["a.example.com", "b.example.com"]));
        let target = Target::parse(text.as_bytes()).unwrap();
        assert_eq!(target.egress["builder"], ["a.example.com", "b.example.com"]);
    }

    #[test]
    fn an_agent_that_asks_for_thousands_of_names_does_not_flood_the_page() {
        let mut all = Default::default();
        for n in 0..3_000 {
            add(&mut all, ContainerType::Builder, &format!("h{n}.evil.example").parse().unwrap());
        }
        assert_eq!((all.0[&ContainerType::Builder].len(), all.1), (MOST, 3_000 - MOST));
    }
}
