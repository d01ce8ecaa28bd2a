//! The names of one container type's policy, looked up in constant time: what the gate asks on every look-up and every handshake.

use super::{
    host::{HostName, HostPattern},
    policy::EgressPolicy,
};
use crate::ContainerType;
use std::collections::HashSet;

/// The allowed names, indexed.
#[derive(Debug, Clone, Default)]
pub struct AllowedNames {
    exact: HashSet<HostName>,
    below: HashSet<String>,
}

impl AllowedNames {
    /// What a policy allows to a container type.
    #[must_use]
    pub fn of(policy: &EgressPolicy, kind: ContainerType) -> Self {
        policy.hosts(kind).into_iter().cloned().collect()
    }
    /// Whether a name may be reached.
    #[must_use]
    pub fn allows(&self, name: &HostName) -> bool {
        self.exact.contains(name) || name.parent().is_some_and(|parent| self.below.contains(parent))
    }
    /// The line by which a name may be reached, as it is written.
    #[must_use]
    pub fn line(&self, name: &HostName) -> Option<String> {
        if self.exact.contains(name) {
            return Some(name.to_string());
        }
        name.parent().filter(|parent| self.below.contains(*parent)).map(|parent| format!("*.{parent}"))
    }
    /// How many lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.exact.len() + self.below.len()
    }
    /// Whether nothing is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl FromIterator<HostPattern> for AllowedNames {
    fn from_iter<I: IntoIterator<Item = HostPattern>>(patterns: I) -> Self {
        let mut names = Self::default();
        for pattern in patterns {
            match pattern {
                HostPattern::Exact(name) => _ = names.exact.insert(name),
                HostPattern::Below(parent) => _ = names.below.insert(parent.into()),
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against the plain reading: one pattern after the other.
        #[test]
        fn it_allows_what_any_single_line_allows(
            lines in proptest::collection::vec("(\\*\\.)?[ab]{1,2}\\.([ab]{1,2}\\.)?(com|test)", 0..12),
            name in "([ab]{1,2}\\.){1,3}(com|test)",
        ) {
            let patterns: Vec<HostPattern> = lines.iter().filter_map(|line| line.parse().ok()).collect();
            let name: HostName = name.parse().unwrap();
            let plain = patterns.iter().any(|pattern| pattern.matches(&name));
            prop_assert_eq!(patterns.into_iter().collect::<AllowedNames>().allows(&name), plain);
        }

        /// By the letters alone: a pattern means itself, or one label more.
        #[test]
        fn a_pattern_matches_nothing_that_its_reading_forbids(
            parent in "([a-z]{1,3}\\.){1,2}test",
            name in "([a-z]{1,3}\\.){0,4}test",
            star in any::<bool>(),
        ) {
            let line = if star { format!("*.{parent}") } else { parent.clone() };
            let (Ok(pattern), Ok(host)) = (line.parse::<HostPattern>(), name.parse::<HostName>()) else { return Ok(()) };
            let reading = if star {
                name.strip_suffix(&format!(".{parent}")).is_some_and(|label| !label.is_empty() && !label.contains('.'))
            } else {
                name == parent
            };
            prop_assert_eq!(pattern.matches(&host), reading);
        }
    }
}
