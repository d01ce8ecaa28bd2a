//! The signed block in a comment or review: one line of JSON in a fence with a tag of its own, last in the body.

use super::{
    Signed,
    envelope::{SignatureError, canonical},
};
use crate::diagnostic::short;
use serde::{Serialize, de::DeserializeOwned};

/// Which block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// A verdict, in a review.
    Verdict,
    /// The run's record, in the status comment.
    Record,
}
impl Tag {
    const fn fence(self) -> &'static str {
        match self {
            Self::Verdict => "```json hydra-verdict\n",
            Self::Record => "```json hydra-record\n",
        }
    }
    const fn summary(self) -> &'static str {
        match self {
            Self::Verdict => "Verdict (signed; do not edit)",
            Self::Record => "Record (signed; do not edit)",
        }
    }
}

const CLOSE: &str = "\n```";

/// Why a block that is there cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// It has no end.
    #[error("the signed block is cut")]
    Cut,
    /// It is not what it should be.
    #[error("the signed block cannot be read: {0}")]
    Unreadable(String),
}

/// The block as Markdown, folded away. Markup characters are escaped inside the JSON, so that nothing in it acts.
///
/// # Errors
/// When the payload has no canonical form.
pub fn embed<T: Serialize>(tag: Tag, signed: &Signed<T>) -> Result<String, SignatureError> {
    let mut json = canonical(signed)?;
    // Inside JSON strings only: the characters cannot stand elsewhere in it.
    for (plain, escaped) in [("<", "\\u003c"), (">", "\\u003e"), ("@", "\\u0040"), ("`", "\\u0060"), ("#", "\\u0023")] {
        json = json.replace(plain, escaped);
    }
    Ok(format!("<details><summary>{}</summary>\n\n{}{json}{CLOSE}\n\n</details>", tag.summary(), tag.fence()))
}

/// Reads the last block of this kind. `Ok(None)` when there is none. The signature is not checked here: see [`Signed::verify`].
///
/// # Errors
/// When there is one that is cut or is no signed payload: it was altered.
pub fn extract<T: DeserializeOwned>(tag: Tag, body: &str) -> Result<Option<Signed<T>>, BlockError> {
    let body = body.replace("\r\n", "\n");
    let Some((_, rest)) = body.rsplit_once(tag.fence()) else { return Ok(None) };
    let (json, _) = rest.split_once(CLOSE).ok_or(BlockError::Cut)?;
    serde_json::from_str(json).map(Some).map_err(|error| BlockError::Unreadable(short(error.to_string())))
}
