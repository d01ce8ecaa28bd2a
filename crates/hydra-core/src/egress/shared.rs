//! Hosts at which many parties serve their own content: a name says which company answers there, not whose site.

use super::host::HostPattern;

/// Domains below which anybody who pays, or nobody at all has to, serves what they like. Each is the provider's own documented suffix.
const BELOW: [&str; 22] = [
    "akamaihd.net",
    "akamaized.net",
    "amazonaws.com",
    "appspot.com",
    "azureedge.net",
    "azurefd.net",
    "b-cdn.net",
    "blob.core.windows.net",
    "cdn77.org",
    "cloudfront.net",
    "edgekey.net",
    "fastly.net",
    "github.io",
    "githubusercontent.com",
    "googleusercontent.com",
    "herokuapp.com",
    "netlify.app",
    "pages.dev",
    "r2.dev",
    "storage.googleapis.com",
    "vercel.app",
    "workers.dev",
];

/// Single hosts that serve everybody's files.
const HOSTS: [&str; 4] = ["cdn.jsdelivr.net", "cdnjs.cloudflare.com", "esm.sh", "unpkg.com"];

/// Why a line of a policy says too little; `None` where it names one party.
#[must_use]
pub fn shared(pattern: &HostPattern) -> Option<&'static str> {
    let text = pattern.to_string();
    let name = text.strip_prefix("*.").unwrap_or(&text);
    if HOSTS.contains(&name) {
        return Some("it serves files of anybody");
    }
    let below = |suffix: &&str| name == *suffix || name.strip_suffix(*suffix).is_some_and(|rest| rest.ends_with('.'));
    BELOW.iter().find(|suffix| below(suffix)).map(|_| "many parties serve their own content there")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::EgressPolicy;

    #[test]
    fn a_front_that_many_share_is_told_from_a_host_of_one_party() {
        let is = |line: &str| shared(&line.parse().unwrap()).is_some();
        for line in [
            "d111.cloudfront.net",
            "a.b.fastly.net",
            "unpkg.com",
            "raw.githubusercontent.com",
            "storage.googleapis.com",
        ] {
            assert!(is(line), "{line}");
        }
        for line in ["notcloudfront.net", "registry.npmjs.org", "*.example.org", "cdn.unpkg.com.example.org"] {
            assert!(!is(line), "{line}");
        }
        let policy = EgressPolicy::default();
        assert!(policy.base.iter().chain(policy.extra.values().flatten()).all(|line| shared(line).is_none()));
    }
}
