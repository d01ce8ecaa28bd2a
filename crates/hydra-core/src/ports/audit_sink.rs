//! Where evidence goes: an append-only log that the supervised cannot rewrite.

use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// One entry, before it is chained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub ts: Timestamp,
    /// What: `action`, `effect`, `job`, `observation`, `refusal`, `operator`, `cycle`.
    pub kind: String,
    /// The issue, `owner/name#n`, where there is one.
    pub issue: Option<String>,
    /// The job, where there is one.
    pub job: Option<String>,
    /// Facts; redacted by the sink before they are written.
    pub facts: serde_json::Value,
}

/// The log could not be written: the engine stops starting jobs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit log cannot be written: {0}")]
pub struct AuditError(pub String);

/// Appends entries in order; an entry is on disk when `append` returns; chains each to the one before by its hash.
pub trait AuditSink: Send + Sync {
    /// Appends one entry.
    ///
    /// # Errors
    /// When it could not be made durable.
    fn append(&self, entry: &AuditEntry) -> Result<(), AuditError>;
    /// The hash of the newest entry, hexadecimal.
    fn head(&self) -> String;
}
