//! Everything that is written to GitHub: each write looked up by its natural key, sent once, and looked up again when the
//! answer was lost on the way.

mod comment;
mod label;
mod merge;
mod pull;
mod review;
mod status;
mod text;
mod thread;

use crate::{
    client::{Client, Reply},
    github::refused,
};
use hydra_core::ports::{Applied, ForgeError, ForgeErrorKind, ForgeWrite};

impl Client {
    /// Makes a write unless it is there.
    pub(crate) async fn apply(&self, write: &ForgeWrite) -> Result<Applied, ForgeError> {
        match write {
            ForgeWrite::Labels { repo, number, add, remove } => self.set_labels(repo, *number, add, remove).await,
            ForgeWrite::Comment { repo, number, marker, body } => self.put_comment(repo, *number, marker, body).await,
            ForgeWrite::OpenPull { repo, head, base, title, marker, body } => {
                self.open_pull(repo, head, base, title, &text::marked(marker, body)).await
            }
            ForgeWrite::EditPull { repo, number, title, marker, body } => {
                self.edit_pull(repo, *number, title, &text::marked(marker, body)).await
            }
            ForgeWrite::ClosePull { repo, number } => self.close_pull(repo, *number).await,
            ForgeWrite::Review { repo, number, commit, marker, body, comments } => {
                let asked = review::Asked { repo, number: *number, commit, marker, body, comments };
                self.post_review(&asked).await
            }
            ForgeWrite::Status { repo, commit, context, state, description, url } => {
                let asked = status::Asked { repo, commit, context, state: *state, description, url: url.as_deref() };
                self.set_status(&asked).await
            }
            ForgeWrite::MarkReady { repo, number } => self.mark_ready(repo, *number).await,
            ForgeWrite::ResolveThread { repo, number, thread } => self.resolve_thread(repo, *number, thread).await,
            ForgeWrite::Merge { repo, number, head } => self.merge(repo, *number, head).await,
            ForgeWrite::DefineLabel { repo, label } => self.define_label(repo, label).await,
        }
    }
}

/// Whether the answer to a write was lost, so that its effect must be looked up.
pub(crate) fn lost(error: &ForgeError) -> bool {
    match error.kind {
        ForgeErrorKind::Transient | ForgeErrorKind::Malformed => true,
        ForgeErrorKind::Auth
        | ForgeErrorKind::Permission
        | ForgeErrorKind::Missing
        | ForgeErrorKind::Conflict
        | ForgeErrorKind::LimitedUntil(_) => false,
    }
}

/// The number or id that an answer gives what was made; the write counts even where it cannot be read.
pub(crate) fn made(reply: &Reply, field: &str) -> Option<u64> {
    serde_json::from_slice::<serde_json::Value>(&reply.body).ok()?.get(field)?.as_u64()
}

/// A write's error when the effect is not there after all.
pub(crate) fn failed(error: ForgeError) -> ForgeError {
    refused(error)
}
