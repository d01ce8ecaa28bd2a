//! Host names and patterns: parsed once, in one place, so that nothing ever compares raw strings.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Why a text is no host name, pattern or endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}: {why}")]
pub struct HostError {
    /// What it should have been, with its article.
    pub what: &'static str,
    /// The text, cut to 100 characters.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

fn error(what: &'static str, text: &str, why: &'static str) -> HostError {
    HostError { what, text: text.chars().take(100).collect(), why }
}

/// A host name as DNS carries it: lower-case ASCII (IDNA applied), no trailing dot, labels of 1 to 63 bytes, at most 253 in all.
/// Never an address literal, never with a scheme, a port or a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

impl HostName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The name without its left-most label, where it has more than one.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        self.0.split_once('.').map(|(_, parent)| parent)
    }
}

fn host(text: &str) -> Result<String, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > 1_000 {
        return Err("it is far too long");
    }
    if text.contains("://") {
        return Err("a scheme does not belong to it");
    }
    if text.contains(['/', '\\', '?', '#', '@']) {
        return Err("only the host itself belongs here, no path and no user");
    }
    if text.contains(':') || text.contains(['[', ']']) {
        return Err("neither a port nor an IPv6 address belongs here");
    }
    if text.contains('*') {
        return Err("a star belongs to a pattern");
    }
    if text.contains('%') || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("white space, control characters and escapes are not allowed");
    }
    let ascii = idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::STD3)
        .map_err(|_| "it cannot be written in the letters, digits and hyphens that DNS knows")?;
    let name = ascii.strip_suffix('.').unwrap_or(&ascii);
    if name.len() > 253 {
        return Err("it is longer than 253 bytes");
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err("it has an empty label");
        }
        if label.len() > 63 {
            return Err("a label is longer than 63 bytes");
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err("a label begins or ends with a hyphen");
        }
        if !label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err("only letters, digits and hyphens are allowed");
        }
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    if hexadecimal || last.bytes().all(|b| b.is_ascii_digit()) {
        return Err("it is an address: only names can be allowed");
    }
    Ok(name.to_owned())
}

/// A host name, or `*` in the place of its whole left-most label.
///
/// `*.example.com` stands for exactly one label more: `a.example.com`, neither `example.com` nor `a.b.example.com`. It is never
/// accepted over a public suffix, under which anybody can have a name. It is written in ASCII, so that nobody takes one name for another
/// that looks like it; upper case, a dot at the end, and a line that stands twice change nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostPattern {
    /// This name alone.
    Exact(HostName),
    /// Every name of one label more than this one.
    Below(HostName),
}

impl HostPattern {
    /// Whether a name is meant.
    #[must_use]
    pub fn matches(&self, name: &HostName) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Below(parent) => name.parent() == Some(parent.as_str()),
        }
    }
    /// Whether everything that `other` means is meant by this one too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match other {
            Self::Exact(name) => self.matches(name),
            Self::Below(_) => self == other,
        }
    }
    /// What might have been meant by a text that is no pattern.
    #[must_use]
    pub fn suggestion(text: &str) -> Option<String> {
        let (star, rest) = text.strip_prefix("*.").map_or(("", text), |rest| ("*.", rest));
        let bare = rest.strip_prefix("https://").unwrap_or(rest);
        let bare = bare.split(['/', '?', '#']).next().unwrap_or(bare);
        let bare = bare.strip_suffix(":443").unwrap_or(bare).trim();
        let meant = format!("{star}{}", bare.parse::<HostName>().ok()?);
        // As anything but what was written, and as something that can be.
        (meant != text && meant.parse::<Self>().is_ok()).then(|| format!("write \"{meant}\", if that is what is meant"))
    }
}

fn pattern(text: &str) -> Result<HostPattern, &'static str> {
    if !text.is_ascii() {
        return Err("letters beyond ASCII may look like others: a policy has the form that DNS knows");
    }
    let Some(parent) = text.strip_prefix("*.") else {
        if text.contains('*') {
            return Err("a star stands for a whole label, the left-most one: *.example.com");
        }
        let name = host(text)?;
        if !name.contains('.') {
            return Err("a name of one label means another host in every network");
        }
        return Ok(HostPattern::Exact(HostName(name)));
    };
    if parent.contains('*') {
        return Err("one star, as the left-most label, is all there can be");
    }
    let parent = host(parent)?;
    // A name below it that nobody registered: when the list takes all of that name for a suffix, then so it takes its siblings.
    let below = format!("hydra-probe.{parent}");
    if psl::suffix_str(&parent) == Some(parent.as_str()) || psl::suffix_str(&below) == Some(below.as_str()) {
        return Err("it stands over a public suffix, under which anybody can have a name");
    }
    Ok(HostPattern::Below(HostName(parent)))
}

/// A host and a port: a self-hosted model API. The host may be a name of one label, or an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// The host: a name, or an address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

fn endpoint(text: &str) -> Result<Endpoint, &'static str> {
    let (name, port) = text.rsplit_once(':').ok_or("it must be HOST:PORT")?;
    let port = port.parse().ok().filter(|port| *port != 0).ok_or("the port must be a number from 1 to 65535")?;
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let address = match bare {
        Some(v6) => Some(
            v6.parse::<std::net::Ipv6Addr>().map_err(|_| "what stands in brackets is no IPv6 address")?.to_string(),
        ),
        None => name.parse::<std::net::Ipv4Addr>().ok().map(|v4| v4.to_string()),
    };
    let host = match address {
        Some(address) => address,
        None => host(name)?,
    };
    Ok(Endpoint { host, port })
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => name.fmt(f),
            Self::Below(parent) => write!(f, "*.{parent}"),
        }
    }
}
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

macro_rules! parsed {
    ($name:ident, $what:literal, $parse:expr) => {
        impl FromStr for $name {
            type Err = HostError;
            fn from_str(text: &str) -> Result<Self, HostError> {
                $parse(text).map_err(|why| error($what, text, why))
            }
        }
        impl TryFrom<String> for $name {
            type Error = HostError;
            fn try_from(text: String) -> Result<Self, HostError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    };
}
parsed!(HostName, "a host name", |text| host(text).map(HostName));
parsed!(HostPattern, "a host pattern", pattern);
parsed!(Endpoint, "an endpoint", endpoint);

#[cfg(test)]
mod tests;
