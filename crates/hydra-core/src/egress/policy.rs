//! One policy: a base list for every container type, extra hosts per type, and the floor that a repository may not leave.

use super::{
    host::{Endpoint, HostError, HostName, HostPattern},
    inspect::InspectRule,
};
use crate::{ContainerType, digest::sha256_hex, target::HostLine};
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
    /// allowed to that type already). `file` is named in errors, with the line.
    ///
    /// # Errors
    /// The first line that is no pattern, or that loosens the floor.
    pub fn with_repository(
        &self,
        kind: ContainerType,
        lines: &[HostLine<'_>],
        file: &str,
    ) -> Result<Self, PolicyError> {
        let mut policy = self.clone();
        for line in lines {
            let pattern = parsed(line, file)?;
            let allowed = self.floor.iter().chain(self.hosts(kind)).any(|wide| wide.covers(&pattern));
            if !allowed {
                return Err(PolicyError::Loosens { place: format!("{file}:{}", line.line), line: pattern });
            }
            policy.extra.entry(kind).or_default().insert(pattern);
        }
        Ok(policy)
    }

    /// What is left of this policy where a repository needs no more than these lines, each of which must lie within one of it. A self-hosted
    /// model API stays.
    ///
    /// # Errors
    /// The first line that is no pattern, or that no line of the policy covers.
    pub fn tightened(&self, lines: &[HostLine<'_>], file: &str) -> Result<Self, PolicyError> {
        let mut wanted = BTreeSet::new();
        for line in lines {
            let pattern = parsed(line, file)?;
            let mut all = self.base.iter().chain(self.extra.values().flatten()).chain(&self.floor);
            if !all.any(|wide| wide.covers(&pattern)) {
                return Err(PolicyError::Loosens { place: format!("{file}:{}", line.line), line: pattern });
            }
            wanted.insert(pattern);
        }
        let left = |own: &BTreeSet<HostPattern>| -> BTreeSet<HostPattern> {
            let kept = own.iter().filter(|line| wanted.iter().any(|wide| wide.covers(line)));
            let narrower = wanted.iter().filter(|line| own.iter().any(|wide| wide.covers(line)));
            kept.chain(narrower).cloned().collect()
        };
        Ok(Self {
            base: left(&self.base),
            extra: self.extra.iter().map(|(kind, hosts)| (*kind, left(hosts))).collect(),
            floor: left(&self.floor),
            ..self.clone()
        })
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

fn parsed(line: &HostLine<'_>, file: &str) -> Result<HostPattern, PolicyError> {
    line.text.parse().map_err(|error| PolicyError::Host { place: format!("{file}:{}", line.line), error })
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
        let with =
            |text, line| policy.with_repository(ContainerType::Builder, &[HostLine { text, line }], ".hydra.toml");
        let wider = with("maven.example.com", 3).unwrap();
        assert!(wider.hosts(ContainerType::Builder).contains(&"maven.example.com".parse::<HostPattern>().unwrap()));
        assert!(!wider.hosts(ContainerType::Reviewer).contains(&"maven.example.com".parse::<HostPattern>().unwrap()));
        let error = with("paste.test.org", 7).unwrap_err();
        assert_eq!(
            error.to_string(),
            ".hydra.toml:7: paste.test.org loosens the organisation's egress floor; ask for it to be added to the floor, or leave it out"
        );
        let error = with("*.com", 9).unwrap_err();
        assert!(
            error.to_string().starts_with(".hydra.toml:9: ") && error.to_string().contains("public suffix"),
            "{error}"
        );
    }

    #[test]
    fn a_repository_may_do_with_less_and_not_with_more() {
        let policy = EgressPolicy { floor: patterns(&["*.example.com"]), ..EgressPolicy::default() };
        let only = |texts: &[&'static str]| {
            let lines: Vec<_> = (1..).zip(texts).map(|(line, text)| HostLine { text, line }).collect();
            policy.tightened(&lines, ".hydra.toml")
        };
        let less = only(&["pypi.org", "maven.example.com"]).unwrap();
        assert_eq!((less.base.len(), less.extra[&ContainerType::Builder].clone()), (0, patterns(&["pypi.org"])));
        assert_eq!(less.floor, patterns(&["maven.example.com"]));
        assert_ne!(less.hash(), policy.hash());
        assert!(only(&[]).unwrap().hosts(ContainerType::Builder).is_empty());
        assert_eq!(only(&["*.example.com"]).unwrap().floor, policy.floor);
        let error = only(&["pypi.org", "paste.test.org"]).unwrap_err();
        assert!(error.to_string().starts_with(".hydra.toml:2: paste.test.org loosens"), "{error}");
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
