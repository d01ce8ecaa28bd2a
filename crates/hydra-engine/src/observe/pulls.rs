//! Pull requests of the work branch and the verified verdicts in their reviews.

use crate::watch::Shared;
use hydra_core::{
    Generation, IssueKey, TokenRole,
    plan::VerdictSeen,
    verdict::{Envelope, Signed},
    view::{PullView, ReviewView},
};

/// Verdicts whose signature is good, written by the identity of their stage, of this issue and generation.
pub(super) fn verdicts(
    shared: &Shared,
    issue: &IssueKey,
    generation: Generation,
    pulls: &[PullView],
) -> Vec<VerdictSeen> {
    let reviews = pulls.iter().flat_map(|pull| &pull.reviews);
    reviews.filter_map(|review| verified(shared, issue, generation, review)).collect()
}

fn verified(shared: &Shared, issue: &IssueKey, generation: Generation, review: &ReviewView) -> Option<VerdictSeen> {
    let signed: Signed<Envelope> = crate::execute::extract_verdict(&review.body)?;
    let envelope = &signed.payload;
    let expected = login_of(shared, envelope.stage.token());
    let ours = envelope.issue == *issue && envelope.generation == generation && expected == Some(&review.author);
    if !ours {
        return None;
    }
    match signed.verify(&shared.config.public_keys, "") {
        Ok(()) => Some(VerdictSeen { review: review.id, envelope: signed.payload }),
        Err(error) => {
            tracing::warn!(%issue, review = review.id, %error, "a verdict does not count");
            None
        }
    }
}

/// The login of a role; a missing applier is the reviewer.
fn login_of(shared: &Shared, role: TokenRole) -> Option<&hydra_core::Login> {
    let logins = &shared.config.logins;
    logins.get(&role).or_else(|| (role == TokenRole::Applier).then(|| logins.get(&TokenRole::Reviewer)).flatten())
}
