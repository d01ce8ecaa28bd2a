//! One policy: a base list for every container type, extra hosts per type, and the floor that a repository may not leave.

use super::{
    host::{Endpoint, HostError, HostName, HostPattern},
    inspect::InspectRule,
};
use crate::{ContainerType, digest::sha256_hex};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What containers may reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EgressPolicy {
    /// Hosts of every container type that has an agent. Quality has none, unless `extra` says so.
    pub base: BTreeSet<HostPattern>,
    /// Extra hosts by type.
    pub extra: BTreeMap<ContainerType, BTreeSet<HostPattern>>,
    /// The widest that a repository's own extra hosts may be. Empty: a repository may add nothing.
    pub floor: BTreeSet<HostPattern>,
    /// A self-hosted model API: reached at this very port, by every type that has an agent.
    pub model_endpoint: Option<Endpoint>,
    /// Hosts whose requests are looked into, by every type that may reach them.
    pub inspect: BTreeMap<HostName, InspectRule>,
}

/// A policy that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A line is no host pattern.
    #[error("{place}: {error}")]
    Host {
        /// Where it stands.
        place: String,
        /// What is wrong.
        error: HostError,
    },
    /// A line would loosen what the organisation's floor allows.
    #[error(
        "{place}: {line} loosens the organisation's egress floor; ask for it to be added to the floor, or leave it out"
    )]
    Loosens {
        /// Where it stands.
        place: String,
        /// The line.
        line: HostPattern,
    },
}

fn patterns(hosts: &[&str]) -> BTreeSet<HostPattern> {
    // The compiled-in hosts are checked by a test; one that did not parse would be missing, never wider.
    hosts.iter().filter_map(|host| host.parse().ok()).collect()
}

/// The model API.
const BASE: [&str; 1] = ["api.anthropic.com"];
/// Package registries a builder installs from. No forge: its git work goes through the bundle.
const BUILDER: [&str; 6] = [
    "registry.npmjs.org",
    "pypi.org",
    "files.pythonhosted.org",
    "index.crates.io",
    "static.crates.io",
    "proxy.golang.org",
];

impl Default for EgressPolicy {
    fn default() -> Self {
        let extra = BTreeMap::from([(ContainerType::Builder, patterns(&BUILDER))]);
        Self { base: patterns(&BASE), extra, floor: BTreeSet::new(), model_endpoint: None, inspect: BTreeMap::new() }
    }
}

impl EgressPolicy {
    /// What a container type may reach over HTTPS, in order.
    #[must_use]
    pub fn hosts(&self, kind: ContainerType) -> BTreeSet<&HostPattern> {
        let base = self.base.iter().filter(|_| has_agent(kind));
        base.chain(self.extra.get(&kind).into_iter().flatten()).collect()
    }

    /// The model endpoint, where the type has an agent.
    #[must_use]
    pub fn model_endpoint(&self, kind: ContainerType) -> Option<&Endpoint> {
        self.model_endpoint.as_ref().filter(|_| has_agent(kind))
    }

    /// The rules of those inspected hosts that a container type may reach.
    #[must_use]
    pub fn inspected(&self, kind: ContainerType) -> BTreeMap<HostName, InspectRule> {
        let hosts = self.hosts(kind);
        let reached = |host: &HostName| hosts.iter().any(|pattern| pattern.matches(host));
        let rules = self.inspect.iter().filter(|(host, _)| reached(host));
        rules.map(|(host, rule)| (host.clone(), rule.clone())).collect()
    }

    /// This policy with a repository's extra hosts for one container type, each of which must lie within the floor (or be
    /// allowed to that type already). `place` names the file for errors, such as `.hydra.toml`.
    ///
    /// # Errors
    /// The first line that is no pattern, or that loosens the floor.
    pub fn with_repository(&self, kind: ContainerType, lines: &[String], place: &str) -> Result<Self, PolicyError> {
        let mut policy = self.clone();
        for line in lines {
            let pattern: HostPattern =
                line.parse().map_err(|error| PolicyError::Host { place: place.to_owned(), error })?;
            let allowed = self.floor.iter().chain(self.hosts(kind)).any(|wide| wide.covers(&pattern));
            if !allowed {
                return Err(PolicyError::Loosens { place: place.to_owned(), line: pattern });
            }
            policy.extra.entry(kind).or_default().insert(pattern);
        }
        Ok(policy)
    }

    /// This policy with a narrower floor: every line of it must lie within the floor so far.
    ///
    /// # Errors
    /// The first line that loosens it.
    pub fn tightened(&self, floor: &BTreeSet<HostPattern>, place: &str) -> Result<Self, PolicyError> {
        match floor.iter().find(|line| !self.floor.iter().any(|wide| wide.covers(line))) {
            Some(line) => Err(PolicyError::Loosens { place: place.to_owned(), line: line.clone() }),
            None => Ok(Self { floor: floor.clone(), ..self.clone() }),
        }
    }

    /// SHA-256 of its canonical form: equal policies have equal hashes, whatever order they were written in.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut form = String::from("hydra-egress-policy 1\n");
        let mut section = |name: &str, hosts: &BTreeSet<HostPattern>| {
            for host in hosts {
                form.push_str(&format!("{name} {host}\n"));
            }
        };
        section("base", &self.base);
        for (kind, hosts) in &self.extra {
            section(kind.as_str(), hosts);
        }
        section("floor", &self.floor);
        if let Some(endpoint) = &self.model_endpoint {
            form.push_str(&format!("model-endpoint {endpoint}\n"));
        }
        for (host, rule) in &self.inspect {
            form.push_str(&format!("inspect {host} {}\n", rule.canonical()));
        }
        sha256_hex(form.as_bytes())
    }
}

/// Whether containers of this type run a coding agent.
const fn has_agent(kind: ContainerType) -> bool {
    match kind {
        ContainerType::Builder | ContainerType::Reviewer | ContainerType::Security | ContainerType::Applier => true,
        ContainerType::Quality => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_in_hosts_all_parse_and_quality_reaches_nothing() {
        let policy = EgressPolicy::default();
        assert_eq!(policy.base.len(), BASE.len());
        assert_eq!(policy.hosts(ContainerType::Builder).len(), BASE.len() + BUILDER.len());
        assert_eq!(policy.hosts(ContainerType::Reviewer).len(), BASE.len());
        assert!(policy.hosts(ContainerType::Quality).is_empty());
    }

    #[test]
    fn a_repository_may_use_the_floor_and_not_leave_it() {
        let policy = EgressPolicy { floor: patterns(&["*.example.com"]), ..EgressPolicy::default() };
        let wider =
            policy.with_repository(ContainerType::Builder, &["maven.example.com".into()], ".hydra.toml").unwrap();
        assert!(wider.hosts(ContainerType::Builder).contains(&"maven.example.com".parse::<HostPattern>().unwrap()));
        assert!(!wider.hosts(ContainerType::Reviewer).contains(&"maven.example.com".parse::<HostPattern>().unwrap()));
        let error =
            policy.with_repository(ContainerType::Builder, &["paste.test.org".into()], ".hydra.toml").unwrap_err();
        assert_eq!(
            error.to_string(),
            ".hydra.toml: paste.test.org loosens the organisation's egress floor; ask for it to be added to the floor, or leave it out"
        );
        let error = policy.with_repository(ContainerType::Builder, &["*.com".into()], ".hydra.toml").unwrap_err();
        assert!(error.to_string().contains("public suffix"), "{error}");
    }

    #[test]
    fn a_floor_only_gets_narrower() {
        let policy = EgressPolicy { floor: patterns(&["*.example.com"]), ..EgressPolicy::default() };
        assert!(policy.tightened(&patterns(&["a.example.com"]), "hydra.toml").is_ok());
        let error = policy.tightened(&patterns(&["a.example.com", "a.example.org"]), "hydra.toml").unwrap_err();
        assert!(error.to_string().contains("a.example.org"), "{error}");
    }

    #[test]
    fn the_hash_is_of_the_meaning() {
        let policy = EgressPolicy::default();
        assert_eq!(policy.hash(), policy.clone().hash());
        let json = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<EgressPolicy>(&json).unwrap().hash(), policy.hash());
        let moved = EgressPolicy { floor: patterns(&BASE), ..policy.clone() };
        assert_ne!(moved.hash(), policy.hash());
        let endpoint = EgressPolicy { model_endpoint: "model:8443".parse().ok(), ..policy.clone() };
        assert_ne!(endpoint.hash(), policy.hash());
    }
}
