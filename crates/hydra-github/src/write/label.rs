//! Labels of issues and pull requests, and the repository's own list of them.

use super::{failed, lost, made};
use crate::{client::Client, wire};
use http::Method;
use hydra_core::{
    RepoName,
    ports::{Applied, ForgeError, ForgeErrorKind},
    view::{RepoLabel, ThreadNumber},
};
use serde_json::{Value, json};

impl Client {
    /// Sends only what changes something. A label that is both added and removed is added.
    pub(super) async fn set_labels(
        &self,
        repo: &RepoName,
        number: ThreadNumber,
        add: &[String],
        remove: &[String],
    ) -> Result<Applied, ForgeError> {
        let id = number.0.to_string();
        let path = ["repos", repo.owner(), repo.name(), "issues", &id, "labels"];
        let listed = self.url_with(&path, &[("per_page", "100")]);
        let held = self.label_names(&listed).await?;
        let has = |held: &[String], name: &String| held.iter().any(|h| same_name(h, name));
        let missing: Vec<&String> = add.iter().filter(|name| !has(&held, name)).collect();
        let extra: Vec<&String> = remove.iter().filter(|name| has(&held, name) && !has(add, name)).collect();
        if missing.is_empty() && extra.is_empty() {
            return Ok(Applied::AlreadyThere(None));
        }
        if !missing.is_empty() {
            let sent = self.write(Method::POST, &self.url(&path), &json!({ "labels": missing })).await;
            if let Err(e) = sent {
                let there = lost(&e) && {
                    let now = self.label_names(&listed).await?;
                    missing.iter().all(|name| has(&now, name))
                };
                if !there {
                    return Err(failed(e));
                }
            }
        }
        for name in extra {
            let url = self.url(&["repos", repo.owner(), repo.name(), "issues", &id, "labels", name]);
            let Err(e) = self.write(Method::DELETE, &url, &Value::Null).await else { continue };
            // Gone meanwhile, or the answer was lost: what stands there now decides.
            let gone = (lost(&e) || e.kind == ForgeErrorKind::Missing) && !has(&self.label_names(&listed).await?, name);
            if !gone {
                return Err(failed(e));
            }
        }
        Ok(Applied::Made(None))
    }

    async fn label_names(&self, url: &url::Url) -> Result<Vec<String>, ForgeError> {
        Ok(self.list::<wire::Label>(url).await?.into_iter().map(|l| l.name).collect())
    }

    pub(super) async fn define_label(&self, repo: &RepoName, label: &RepoLabel) -> Result<Applied, ForgeError> {
        let (sent, existed) = match self.repo_label(repo, &label.name).await? {
            Some(found) if as_asked(&found, label) => return Ok(Applied::AlreadyThere(None)),
            Some(found) => {
                let url = self.url(&["repos", repo.owner(), repo.name(), "labels", &found.name]);
                let body = json!({ "new_name": label.name, "color": colour(label), "description": label.description });
                (self.write(Method::PATCH, &url, &body).await, true)
            }
            None => {
                let url = self.url(&["repos", repo.owner(), repo.name(), "labels"]);
                let body = json!({ "name": label.name, "color": colour(label), "description": label.description });
                (self.write(Method::POST, &url, &body).await, false)
            }
        };
        match sent {
            Ok(reply) => Ok(Applied::Made(made(&reply, "id"))),
            // 422 `already_exists`: somebody was faster.
            Err(e) if lost(&e) || (!existed && e.kind == ForgeErrorKind::Conflict) => {
                match self.repo_label(repo, &label.name).await? {
                    Some(found) if as_asked(&found, label) => Ok(Applied::Made(None)),
                    _ => Err(e),
                }
            }
            Err(e) => Err(failed(e)),
        }
    }

    /// From the whole list: a look at one name alone cannot tell an absent label from an absent repository.
    async fn repo_label(&self, repo: &RepoName, name: &str) -> Result<Option<wire::Label>, ForgeError> {
        let url = self.url_with(&["repos", repo.owner(), repo.name(), "labels"], &[("per_page", "100")]);
        let labels: Vec<wire::Label> = self.list(&url).await?;
        Ok(labels.into_iter().find(|l| same_name(&l.name, name)))
    }
}

fn same_name(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

fn colour(label: &RepoLabel) -> &str {
    label.color.trim_start_matches('#')
}

fn as_asked(found: &wire::Label, label: &RepoLabel) -> bool {
    found.name == label.name
        && found.color.eq_ignore_ascii_case(colour(label))
        && found.description.as_deref().unwrap_or_default() == label.description
}
