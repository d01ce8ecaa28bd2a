//! One newtype per identifier: parsed once at the edge, trusted afterwards.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::Arc};

/// Why a text is not the identifier that it was given as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}: {why}")]
pub struct IdError {
    /// The identifier's kind, with its article ("a repository name").
    pub what: &'static str,
    /// The text, cut to 100 characters.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

fn error(what: &'static str, text: &str, why: &'static str) -> IdError {
    IdError { what, text: text.chars().take(100).collect(), why }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let check: fn(&str) -> Result<(), &'static str> = $check;
                match check(text) {
                    Ok(()) => Ok(Self(text.to_owned())),
                    Err(why) => Err(error($what, text, why)),
                }
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> { text.parse() }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String { id.0 }
        }
    };
}

fn slug(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > 100 {
        return Err("it is longer than 100 bytes");
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
        return Err("only letters, digits, '-', '_' and '.' are allowed");
    }
    if text.starts_with(['-', '.']) || text.ends_with(".lock") || text.contains("..") {
        return Err("it may not begin with '-' or '.', hold '..' or end in '.lock'");
    }
    Ok(())
}

text_id!(
    /// A persona's key, such as `al-gorithm`.
    PersonaId, "a persona's key", slug);
text_id!(
    /// The name of a change: the last part of `openspec/changes/<name>`.
    ChangeName, "a change's name", slug);
text_id!(
    /// The name of a model account in `secrets/credentials.json`.
    AccountName, "an account's name", |t| if t.is_empty() || t.len() > 100 || t.chars().any(char::is_control) { Err("it must have 1 to 100 characters and no control character") } else { Ok(()) });
text_id!(
/// A forge account's login. Bots carry the suffix `[bot]`.
Login, "a login", |t| {
    let base = t.strip_suffix("[bot]").unwrap_or(t);
    if base.is_empty() || base.len() > 100 || !base.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) { Err("only letters, digits, '-', '_', '.' and the suffix [bot] are allowed") } else { Ok(()) }
});
text_id!(
    /// A model's name as the provider spells it.
    ModelName, "a model's name", |t| if t.is_empty() || t.len() > 200 || t.chars().any(|c| c.is_control() || c.is_whitespace()) { Err("it must have 1 to 200 characters and no white space") } else { Ok(()) });
text_id!(
    /// A full git object id: 40 lower-case hexadecimal digits.
    CommitSha, "a commit id", |t| if t.len() == 40 && t.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) { Ok(()) } else { Err("it must be 40 lower-case hexadecimal digits") });
text_id!(
/// A branch name without `refs/heads/`.
BranchName, "a branch name", |t| {
    let bad = t.is_empty() || t.len() > 200 || t.starts_with(['/', '-', '.']) || t.ends_with(['/', '.']) || t.ends_with(".lock")
        || t.contains("..") || t.contains("//") || t.contains("@{") || t.contains("/.")
        || t.chars().any(|c| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\'));
    if bad { Err("git would refuse it as a branch name") } else { Ok(()) }
});
text_id!(
    /// The deterministic name of a job: also its container's name. At most 63 bytes, `[a-z0-9-]`.
    JobId, "a job's name", |t| if !t.is_empty() && t.len() <= 63 && t.starts_with("hydra-") && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') { Ok(()) } else { Err("it must begin with 'hydra-' and have at most 63 of [a-z0-9-]") });

/// A repository's full name, `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoName {
    // Shared: ten thousand issues name the same few repositories.
    owner: Arc<str>,
    name: Arc<str>,
}

impl RepoName {
    /// The owner: a user or an organisation.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }
    /// The repository's own name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}
impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}
impl FromStr for RepoName {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let what = "a repository name";
        let Some((owner, name)) = text.split_once('/') else { return Err(error(what, text, "it must be OWNER/NAME")) };
        for part in [owner, name] {
            slug(part).map_err(|why| error(what, text, why))?;
        }
        Ok(Self { owner: owner.into(), name: name.into() })
    }
}
impl TryFrom<String> for RepoName {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}
impl From<RepoName> for String {
    fn from(repo: RepoName) -> String {
        repo.to_string()
    }
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $int:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $int);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
    };
}
number_id!(
    /// An issue's number in its repository.
    IssueNumber, u64);
number_id!(
    /// A pull request's number in its repository.
    PullNumber, u64);
number_id!(
    /// How often an issue was started over; the first run is generation 1. Fences the effects of stale jobs.
    Generation, u32);

/// An issue in the whole forge.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IssueKey {
    /// The repository that holds the issue; also the target repository.
    pub repo: RepoName,
    /// The issue's number.
    pub number: IssueNumber,
}
impl fmt::Display for IssueKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.repo, self.number)
    }
}
impl FromStr for IssueKey {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let what = "an issue";
        let Some((repo, number)) = text.rsplit_once('#') else {
            return Err(error(what, text, "it must be OWNER/NAME#NUMBER"));
        };
        let number = number.parse().map_err(|_| error(what, text, "what follows '#' must be a number"))?;
        Ok(Self { repo: repo.parse()?, number: IssueNumber(number) })
    }
}
