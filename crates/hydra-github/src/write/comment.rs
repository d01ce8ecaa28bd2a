//! One comment per marker, edited in place.

use super::{failed, lost, made, text};
use crate::{client::Client, convert, wire};
use http::Method;
use hydra_core::{
    Login, RepoName,
    ports::{Applied, ForgeError, Marker},
    view::ThreadNumber,
};
use serde_json::json;

impl Client {
    pub(super) async fn put_comment(
        &self,
        repo: &RepoName,
        number: ThreadNumber,
        marker: &Marker,
        body: &str,
    ) -> Result<Applied, ForgeError> {
        let me = self.who().await?.login;
        let asked = text::marked(marker, body);
        let found = self.own_comment(repo, number, marker, &me).await?;
        let sent = match &found {
            Some(found) if text::same(found.body.as_deref(), &asked) => {
                return Ok(Applied::AlreadyThere(Some(found.id)));
            }
            Some(found) => {
                let id = found.id.to_string();
                let url = self.url(&["repos", repo.owner(), repo.name(), "issues", "comments", &id]);
                self.write(Method::PATCH, &url, &json!({ "body": asked })).await
            }
            None => {
                let number = number.0.to_string();
                let url = self.url(&["repos", repo.owner(), repo.name(), "issues", &number, "comments"]);
                self.write(Method::POST, &url, &json!({ "body": asked })).await
            }
        };
        match sent {
            Ok(reply) => Ok(Applied::Made(found.map(|f| f.id).or_else(|| made(&reply, "id")))),
            Err(e) if lost(&e) => match self.own_comment(repo, number, marker, &me).await? {
                Some(now) if text::same(now.body.as_deref(), &asked) => Ok(Applied::Made(Some(now.id))),
                _ => Err(e),
            },
            Err(e) => Err(failed(e)),
        }
    }

    /// The oldest comment of this identity that begins with the marker.
    async fn own_comment(
        &self,
        repo: &RepoName,
        number: ThreadNumber,
        marker: &Marker,
        me: &Login,
    ) -> Result<Option<wire::Comment>, ForgeError> {
        let number = number.0.to_string();
        let path = ["repos", repo.owner(), repo.name(), "issues", &number, "comments"];
        let comments: Vec<wire::Comment> = self.list(&self.url_with(&path, &[("per_page", "100")])).await?;
        for comment in comments {
            if text::bears(comment.body.as_deref(), marker) && convert::user("comment", comment.user.as_ref())? == *me {
                return Ok(Some(comment));
            }
        }
        Ok(None)
    }
}
