//! One review per marker, event COMMENT; inline comments only where the diff has the line.

use super::{failed, lost, made, text};
use crate::{client::Client, convert, wire};
use http::Method;
use hydra_core::{
    CommitSha, PullNumber, RepoName,
    ports::{Applied, ForgeError, ForgeErrorKind, InlineComment, Marker},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// GitHub states no bound on inline comments; more than this many go into the body.
const MAX_INLINE: usize = 50;

/// A review as it was asked for.
pub(super) struct Asked<'a> {
    pub(super) repo: &'a RepoName,
    pub(super) number: PullNumber,
    pub(super) commit: &'a CommitSha,
    pub(super) marker: &'a Marker,
    pub(super) body: &'a str,
    pub(super) comments: &'a [InlineComment],
}

impl Client {
    pub(super) async fn post_review(&self, asked: &Asked<'_>) -> Result<Applied, ForgeError> {
        if let Some(id) = self.own_review(asked).await? {
            return Ok(Applied::AlreadyThere(Some(id)));
        }
        let lines = self.commentable(asked).await?;
        let fits = |c: &&InlineComment| lines.get(&c.path).is_some_and(|l| l.contains(&c.line));
        let inline: Vec<&InlineComment> = asked.comments.iter().filter(fits).take(MAX_INLINE).collect();
        let others: Vec<&InlineComment> =
            asked.comments.iter().filter(|c| !inline.iter().any(|i| std::ptr::eq(*i, *c))).collect();
        let number = asked.number.to_string();
        let url = self.url(&["repos", asked.repo.owner(), asked.repo.name(), "pulls", &number, "reviews"]);
        let mut sent = self.write(Method::POST, &url, &payload(asked, &inline, &others)).await;
        if !inline.is_empty() && sent.as_ref().is_err_and(|e| e.kind == ForgeErrorKind::Conflict) {
            // GitHub refuses the whole review for one comment and does not say which: all go into the body.
            let all: Vec<&InlineComment> = asked.comments.iter().collect();
            sent = self.write(Method::POST, &url, &payload(asked, &[], &all)).await;
        }
        match sent {
            Ok(reply) => Ok(Applied::Made(made(&reply, "id"))),
            Err(e) if lost(&e) => match self.own_review(asked).await? {
                Some(id) => Ok(Applied::Made(Some(id))),
                None => Err(e),
            },
            Err(e) => Err(failed(e)),
        }
    }

    async fn own_review(&self, asked: &Asked<'_>) -> Result<Option<u64>, ForgeError> {
        let me = self.who().await?.login;
        let number = asked.number.to_string();
        let path = ["repos", asked.repo.owner(), asked.repo.name(), "pulls", &number, "reviews"];
        let reviews: Vec<wire::Review> = self.list(&self.url_with(&path, &[("per_page", "100")])).await?;
        for review in reviews {
            let submitted = review.state != "PENDING";
            if submitted
                && text::bears(review.body.as_deref(), asked.marker)
                && convert::user("review", review.user.as_ref())? == me
            {
                return Ok(Some(review.id));
            }
        }
        Ok(None)
    }

    /// The lines of the new side that the diff shows, by file; empty when the commit is not the head any more.
    async fn commentable(&self, asked: &Asked<'_>) -> Result<BTreeMap<String, BTreeSet<u32>>, ForgeError> {
        if asked.comments.is_empty() {
            return Ok(BTreeMap::new());
        }
        let pull = self.rest_pull(asked.repo, asked.number).await?;
        if pull.head.sha != asked.commit.as_str() {
            return Ok(BTreeMap::new());
        }
        let number = asked.number.to_string();
        let path = ["repos", asked.repo.owner(), asked.repo.name(), "pulls", &number, "files"];
        let files: Vec<wire::PullFile> = match self.list(&self.url_with(&path, &[("per_page", "100")])).await {
            Ok(files) => files,
            // Too large a diff to be shown has no line to comment on: the findings go into the body.
            Err(e) if e.kind == ForgeErrorKind::Conflict => Vec::new(),
            Err(e) => return Err(e),
        };
        Ok(files.into_iter().map(|f| (f.filename, shown_lines(f.patch.as_deref().unwrap_or_default()))).collect())
    }
}

/// Lines of the new file within a patch's hunks, context included.
fn shown_lines(patch: &str) -> BTreeSet<u32> {
    let mut shown = BTreeSet::new();
    let mut line = None;
    for text in patch.lines() {
        if let Some(header) = text.strip_prefix("@@ ") {
            let new = header.split(' ').find_map(|part| part.strip_prefix('+'));
            line = new.and_then(|n| n.split(',').next()?.parse::<u32>().ok());
            continue;
        }
        let Some(here) = line else { continue };
        match text.as_bytes().first() {
            Some(b'-' | b'\\') => {}
            Some(_) | None => {
                shown.insert(here);
                line = here.checked_add(1);
            }
        }
    }
    shown
}

fn payload(asked: &Asked<'_>, inline: &[&InlineComment], others: &[&InlineComment]) -> Value {
    let mut body = asked.body.to_owned();
    if !others.is_empty() {
        body.push_str("\n\n### Other findings\n");
        for other in others {
            let indented = other.body.trim().replace('\n', "\n  ");
            body.push_str(&format!("\n- `{}:{}` {indented}", other.path.replace('`', "'"), other.line));
        }
    }
    let comments: Vec<Value> = inline
        .iter()
        .map(|c| json!({ "path": c.path, "line": c.line, "side": "RIGHT", "body": text::cut(&c.body) }))
        .collect();
    json!({
        "commit_id": asked.commit.as_str(),
        "event": "COMMENT",
        "body": text::marked(asked.marker, &body),
        "comments": comments,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_the_new_side_within_hunks_can_bear_a_comment() {
        let patch = "@@ -1,3 +1,4 @@ fn a()\n one\n-two\n+zwei\n+drei\n three\n@@ -10,2 +11,1 @@\n-ten\n eleven\n\\ No newline at end of file";
        let lines: Vec<u32> = shown_lines(patch).into_iter().collect();
        assert_eq!(lines, [1, 2, 3, 4, 11]);
        assert!(shown_lines("").is_empty());
    }
}
