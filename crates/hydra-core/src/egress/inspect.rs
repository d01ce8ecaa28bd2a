//! Hosts whose requests are looked into: by which methods and paths they may be asked, and with which credential the gate signs.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, str::FromStr};

/// What may be asked of one host. Everything else is refused; an empty set of paths stands for all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InspectRule {
    /// The methods.
    pub methods: BTreeSet<HttpMethod>,
    /// What a path begins with.
    pub paths: BTreeSet<PathPrefix>,
    /// The registry credential that the gate adds, by its name. What an agent sends in its place stays behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The host's own certificate authority, PEM; absent: those of the web.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
}

impl Default for InspectRule {
    fn default() -> Self {
        Self {
            methods: ["GET", "HEAD"].iter().filter_map(|method| method.parse().ok()).collect(),
            paths: BTreeSet::new(),
            credential: None,
            authority: None,
        }
    }
}

impl InspectRule {
    /// Whether a request may go on.
    #[must_use]
    pub fn allows(&self, method: &str, path: &str) -> bool {
        self.methods.iter().any(|allowed| allowed.0 == method) && self.allows_path(path)
    }

    /// A server may read `%2F` as a slash or not, so both readings must begin as they may. Neither may climb.
    fn allows_path(&self, path: &str) -> bool {
        let Some(decoded) = decoded(path) else { return false };
        if !path.starts_with('/') || climbs(path) || climbs(&decoded) {
            return false;
        }
        let begins = |text: &str| self.paths.iter().any(|prefix| text.starts_with(&prefix.0));
        self.paths.is_empty() || (begins(path) && begins(&decoded))
    }

    /// Its form in the hash of a policy.
    #[must_use]
    pub fn canonical(&self) -> String {
        let methods: Vec<&str> = self.methods.iter().map(|method| method.0.as_str()).collect();
        let paths: Vec<&str> = self.paths.iter().map(|path| path.0.as_str()).collect();
        let (credential, authority) =
            (self.credential.as_deref().unwrap_or_default(), self.authority.as_deref().unwrap_or_default());
        format!("{} {} {credential} {authority}", methods.join(","), paths.join(","))
    }
}

/// A segment that goes up or stays, or a backslash, which some servers take for a slash.
fn climbs(path: &str) -> bool {
    path.contains('\\') || path.split('/').any(|segment| matches!(segment.split(';').next(), Some("." | "..")))
}

/// Without percent escapes, once. `None` for an escape that is none, and for one of an escape or a control character.
fn decoded(path: &str) -> Option<String> {
    let mut text = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let byte =
            u8::from_str_radix(after.get(..2).filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()))?, 16).ok()?;
        if byte == b'%' || byte.is_ascii_control() {
            return None;
        }
        // Bytes beyond ASCII stand for themselves: no prefix and no dot is made of them.
        text.push(char::from(byte));
        rest = after.get(2..)?;
    }
    text.push_str(rest);
    Some(text)
}

/// A text that is no method or no beginning of a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}: {why}")]
pub struct InspectError {
    /// The text, cut to 100 characters.
    pub text: String,
    /// What it should have been.
    pub what: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

/// A method of HTTP, in capital letters. Never CONNECT, which is no request of the host's, and never TRACE, which shows headers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HttpMethod(String);

impl FromStr for HttpMethod {
    type Err = InspectError;
    fn from_str(text: &str) -> Result<Self, InspectError> {
        let wrong = |why| InspectError { text: text.chars().take(100).collect(), what: "a method of HTTP", why };
        match text {
            "" => Err(wrong("it is empty")),
            "CONNECT" | "TRACE" => Err(wrong("it is never let through")),
            _ if text.len() > 20 || !text.bytes().all(|b| b.is_ascii_uppercase()) => {
                Err(wrong("methods are capital letters, 20 at most"))
            }
            _ => Ok(Self(text.to_owned())),
        }
    }
}

/// The beginning of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPrefix(String);

impl FromStr for PathPrefix {
    type Err = InspectError;
    fn from_str(text: &str) -> Result<Self, InspectError> {
        let wrong = |why| InspectError { text: text.chars().take(100).collect(), what: "the beginning of a path", why };
        if !text.starts_with('/') {
            return Err(wrong("it begins with a slash"));
        }
        if text.len() > 500 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(wrong("only what can stand in an address can stand in it, 500 bytes at most"));
        }
        if text.contains(['?', '#', '*']) {
            return Err(wrong("neither a query nor a star belongs to it"));
        }
        if decoded(text).is_none_or(|decoded| climbs(text) || climbs(&decoded)) {
            return Err(wrong("no path that may be asked for begins like this"));
        }
        Ok(Self(text.to_owned()))
    }
}

macro_rules! text {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.0
            }
        }
        impl TryFrom<String> for $type {
            type Error = InspectError;
            fn try_from(text: String) -> Result<Self, InspectError> {
                text.parse()
            }
        }
    };
}
text!(HttpMethod);
text!(PathPrefix);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(paths: &[&str]) -> InspectRule {
        InspectRule { paths: paths.iter().map(|path| path.parse().unwrap()).collect(), ..InspectRule::default() }
    }

    #[test]
    fn only_reading_is_the_default() {
        let rule = InspectRule::default();
        assert!(rule.allows("GET", "/") && rule.allows("HEAD", "/a%20b"));
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get", "CONNECT", ""] {
            assert!(!rule.allows(method, "/"), "{method}");
        }
    }

    #[test]
    fn a_path_begins_as_it_may_in_every_reading() {
        let scoped = rule(&["/@org/", "/@org%2f"]);
        for path in ["/@org/name", "/@org%2fname"] {
            assert!(scoped.allows("GET", path), "{path}");
        }
        for path in [
            "/@orgs/name",
            "/@other/name",
            "/@org/../@other/name",
            "/@org/%2e%2e/@other",
            "/@org/%2E./@other",
            "/@org%2f..%2f@other",
            "/@org/..;/@other",
            "/@org/\\..\\x",
            "/@org/%5c..",
            "/@org/%252e%252e/x",
            "/@org/%zz",
            "/@org/%2",
            "/@org/%00",
            "@org/",
            "*",
            "",
        ] {
            assert!(!scoped.allows("GET", path), "{path}");
        }
        // A server that takes the escape for a slash would serve it, one that does not would serve another place.
        assert!(!rule(&["/@org/"]).allows("GET", "/@org%2fname"));
        assert!(rule(&[]).allows("GET", "/any/where%2f") && !rule(&[]).allows("GET", "/a/../b"));
    }

    proptest! {
        /// Whatever a server makes of escapes and dots, it ends up under the prefix.
        #[test]
        fn nothing_climbs_out(path in "/(in|out|\\.|\\.\\.|%2e|%2E|%2f|%5c|/|\\\\|;|%25|a){0,8}") {
            let rule = rule(&["/in/"]);
            if rule.allows("GET", &path) {
                let mut place = Vec::new();
                for segment in decoded(&path).unwrap().replace('\\', "/").split('/') {
                    match segment.split(';').next().unwrap() {
                        "" | "." => {}
                        ".." => _ = place.pop(),
                        other => place.push(other.to_owned()),
                    }
                }
                prop_assert_eq!(place.first().map_or("in", String::as_str), "in", "{}", path);
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_reason() {
        let method = |text: &str| text.parse::<HttpMethod>().unwrap_err().to_string();
        assert_eq!(method("get"), "\"get\" is not a method of HTTP: methods are capital letters, 20 at most");
        assert_eq!(method("CONNECT"), "\"CONNECT\" is not a method of HTTP: it is never let through");
        let path = |text: &str| text.parse::<PathPrefix>().unwrap_err().why;
        assert_eq!(path("a"), "it begins with a slash");
        assert_eq!(path("/a*"), "neither a query nor a star belongs to it");
        assert_eq!(path("/a/../b"), "no path that may be asked for begins like this");
        assert_eq!(path("/ä"), "only what can stand in an address can stand in it, 500 bytes at most");
    }
}
