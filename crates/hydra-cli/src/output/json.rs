//! Output for programs: every document names its schema version and its kind. Fields are only added within a version.

use crate::{exit::Exit, failure::Failure};
use serde::Serialize;

/// Version of JSON output, unless [`version`] says otherwise.
pub const SCHEMA: u32 = 1;

/// The version of a kind of document.
#[must_use]
pub fn version(kind: &str) -> u32 {
    match kind {
        // 2: `usd_micros` in the place of `cost`; `scenario` is null where a `script` is played.
        "demo" => 2,
        _ => SCHEMA,
    }
}

#[derive(Serialize)]
struct Document<'a, T> {
    schema: u32,
    kind: &'a str,
    #[serde(flatten)]
    body: &'a T,
}

/// The document as indented text, without a line end. `body` must be a struct or a map.
///
/// # Errors
/// When the body cannot be written as JSON, which is a mistake in Hydra.
pub fn document<T: Serialize>(kind: &str, body: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(&Document { schema: version(kind), kind, body })
        .map_err(|error| Failure::new(Exit::Internal, format!("{kind} cannot be written as JSON: {error}")))
}

/// The document as one line, for a stream of them.
///
/// # Errors
/// As [`document`].
pub fn line<T: Serialize>(kind: &str, body: &T) -> Result<String, Failure> {
    serde_json::to_string(&Document { schema: version(kind), kind, body })
        .map_err(|error| Failure::new(Exit::Internal, format!("{kind} cannot be written as JSON: {error}")))
}
