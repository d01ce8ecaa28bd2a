//! What was asked and answered: a short log always, whole records on request.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One request, in the order of arrival of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Method.
    pub method: String,
    /// Path with query.
    pub path: String,
    /// Login of the token's owner.
    pub identity: Option<String>,
    /// Status; absent when the connection was dropped.
    pub status: Option<u16>,
    /// Whether it asked for a change.
    pub write: bool,
    /// GraphQL operation: its name, or its first field.
    pub operation: Option<String>,
    /// The fault that was put in, if any.
    pub fault: Option<String>,
}

/// A whole request and its answer, for [`crate::contracts::check`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Query.
    pub query: Vec<(String, String)>,
    /// JSON body.
    pub request: Option<Value>,
    /// Status.
    pub status: u16,
    /// JSON body of the answer.
    pub response: Option<Value>,
    /// The answer is a fault's, not the simulator's own: only the request is held against the contract.
    pub faulty: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    pub entries: Vec<Logged>,
    pub records: Vec<Record>,
}
