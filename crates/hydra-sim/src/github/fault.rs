//! Faults on purpose: by rule, counted or by chance from a seed, the same for the same seed and order of requests.

use std::{fmt, time::Duration};

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// This 5xx; nothing is changed.
    ErrorBefore(u16),
    /// This 5xx, though the effect took place.
    ErrorAfter(u16),
    /// 403, secondary rate limit, `retry-after` in seconds.
    Secondary(u64),
    /// 429 with `retry-after` in seconds.
    TooMany(u64),
    /// 403 with `x-ratelimit-remaining: 0`, reset in so many seconds.
    Exhausted(u64),
    /// The answer comes late.
    Slow(Duration),
    /// The connection is closed without an answer and without an effect.
    ResetBefore,
    /// The connection is closed without an answer, though the effect took place.
    ResetAfter,
    /// A page of HTML with this status; nothing is changed.
    Html(u16),
    /// GraphQL's own way: HTTP 200 with a `RATE_LIMITED` error.
    GraphqlLimited,
}

/// When a rule strikes, counted over the requests that it matches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// Every time.
    Always,
    /// The n-th time only, from 1.
    Nth(u64),
    /// The first n times.
    First(u64),
    /// With this probability, from the seed.
    Chance(f64),
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Method, or any.
    pub method: Option<String>,
    /// Path without query; `*` stands for any text. A GraphQL call is `/graphql/<operation>`.
    pub path: String,
    /// When.
    pub when: When,
    /// What.
    pub kind: FaultKind,
}

impl Fault {
    /// A rule; method `*` is any.
    #[must_use]
    pub fn new(method: &str, path: &str, when: When, kind: FaultKind) -> Self {
        Self { method: (method != "*").then(|| method.to_owned()), path: path.to_owned(), when, kind }
    }
}

/// A fault that struck.
#[derive(Debug, Clone, PartialEq)]
pub struct Injected {
    /// Index of the rule.
    pub rule: usize,
    /// Which of the matching requests it was, from 1.
    pub count: u64,
    /// Method and path.
    pub request: String,
    /// What.
    pub kind: FaultKind,
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} at its match {}: {} -> {:?}", self.rule, self.count, self.request, self.kind)
    }
}

/// Rules and the seed that their chances come from.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    seed: u64,
    rules: Vec<(Fault, u64)>,
    injected: Vec<Injected>,
}

impl Faults {
    /// No rules yet.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { seed, rules: Vec::new(), injected: Vec::new() }
    }

    /// Adds a rule; the first that strikes wins.
    #[must_use]
    pub fn rule(mut self, fault: Fault) -> Self {
        self.rules.push((fault, 0));
        self
    }

    pub(crate) fn push(&mut self, fault: Fault) {
        self.rules.push((fault, 0));
    }

    pub(crate) fn injected(&self) -> &[Injected] {
        &self.injected
    }

    /// Seed, rules and what struck, one line each.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut lines = vec![format!("seed {}", self.seed)];
        lines.extend(self.rules.iter().enumerate().map(|(i, (r, n))| format!("rule {i} (matched {n}): {r:?}")));
        lines.extend(self.injected.iter().map(ToString::to_string));
        lines.join("\n")
    }

    /// Decides for one request. Every matching rule counts it; the first that strikes is taken.
    pub(crate) fn strike(&mut self, method: &str, path: &str) -> Option<FaultKind> {
        let seed = self.seed;
        let mut hit = None;
        for (index, (rule, count)) in self.rules.iter_mut().enumerate() {
            if rule.method.as_ref().is_some_and(|m| !m.eq_ignore_ascii_case(method)) || !glob(&rule.path, path) {
                continue;
            }
            *count += 1;
            let strikes = match rule.when {
                When::Always => true,
                When::Nth(n) => *count == n,
                When::First(n) => *count <= n,
                When::Chance(p) => chance(seed, index as u64, *count) < p,
            };
            if strikes && hit.is_none() {
                let request = format!("{method} {path}");
                hit = Some(Injected { rule: index, count: *count, request, kind: rule.kind.clone() });
            }
        }
        let kind = hit.as_ref().map(|h| h.kind.clone());
        self.injected.extend(hit);
        kind
    }
}

/// A number in 0..1 from seed, rule and count alone (splitmix64), so that other requests in between do not change it.
fn chance(seed: u64, rule: u64, count: u64) -> f64 {
    let mut z = seed ^ rule.wrapping_mul(0xA24B_AED4_963E_E407) ^ count.wrapping_mul(0x9FB2_1C65_1E98_DF25);
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let unit = ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
    unit
}

fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_paths() {
        assert!(glob("/repos/*/issues/*/comments", "/repos/a/b/issues/7/comments"));
        assert!(!glob("/repos/*/issues", "/repos/a/b/issues/7"));
        assert!(glob("*", "/x"));
        assert!(glob("/x", "/x"));
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let run = |seed| {
            let mut faults = Faults::seeded(seed).rule(Fault::new("*", "*", When::Chance(0.3), FaultKind::ResetAfter));
            (0..64).map(|_| faults.strike("GET", "/x").is_some()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert!((8..32).contains(&run(7).iter().filter(|hit| **hit).count()));
    }
}
