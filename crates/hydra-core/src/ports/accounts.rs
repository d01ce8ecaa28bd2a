//! Model accounts in priority order, and which of them are set aside.

use crate::{AccountName, SignedDuration, Timestamp};
use async_trait::async_trait;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// How long an account rests whose credential the provider refuses: until somebody may have mended it.
pub const AUTH_REST: SignedDuration = SignedDuration::from_hours(24);

/// The kind of a model credential: it decides which header carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountKind {
    /// `CLAUDE_CODE_OAUTH_TOKEN`: `Authorization: Bearer`.
    OAuth,
    /// `ANTHROPIC_API_KEY`: `x-api-key`.
    Key,
}

/// One account as the planner may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// Name.
    pub name: AccountName,
    /// Kind.
    pub kind: AccountKind,
    /// Lower is tried first.
    pub priority: i32,
    /// Set aside until then, and why.
    pub aside: Option<(Timestamp, String)>,
}

/// An account's state could not be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountsError {
    /// No account of that name.
    #[error("there is no model account {0:?}")]
    Unknown(String),
    /// The state folder refused.
    #[error("the accounts' state cannot be kept: {0}")]
    State(String),
}

/// Model accounts. State is kept by a fingerprint of the credential, so that a rotated token starts clean.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// All of them, by priority, then name. An `aside` in the past is not shown.
    async fn list(&self, now: Timestamp) -> Result<Vec<AccountView>, AccountsError>;
    /// The credential, at the moment of use.
    async fn credential(&self, name: &AccountName) -> Result<SecretString, AccountsError>;
    /// Sets one aside; a later time wins over an earlier one; durable when it returns.
    async fn set_aside(&self, name: &AccountName, until: Timestamp, why: &str) -> Result<(), AccountsError>;
}
