//! What `hydra doctor` looks at: small checks, each with a result and how to mend it. A check that could not be made is no success.

pub mod docker;
mod fence;
pub mod forge;
pub mod machine;
mod rows;

use serde::Serialize;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// It works, and should be known.
    Warn,
    /// It must be mended.
    Fail,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at: `token builder`, `disk`.
    pub name: String,
    /// How it went.
    pub state: State,
    /// What was seen.
    pub detail: String,
    /// How to mend it.
    pub mend: Option<String>,
}

impl Check {
    /// As it should be.
    pub fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Ok, detail: detail.into(), mend: None }
    }
    /// It works, and should be known.
    pub fn warn(name: impl Into<String>, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Warn, detail: detail.into(), mend: Some(mend.into()) }
    }
    /// It must be mended.
    pub fn fail(name: impl Into<String>, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Fail, detail: detail.into(), mend: Some(mend.into()) }
    }
}
