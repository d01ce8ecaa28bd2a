//! A repository with its labels.

use crate::{
    client::{Client, call},
    convert, wire,
};
use http::Method;
use hydra_core::{RepoName, ports::ForgeError, view::RepoView};

impl Client {
    pub(crate) async fn repository(&self, repo: &RepoName) -> Result<RepoView, ForgeError> {
        let url = self.url(&["repos", repo.owner(), repo.name()]);
        let call = call(&Method::GET, &url);
        let found: wire::Repository = self.get(&url).await?;
        let labels = self.url_with(&["repos", repo.owner(), repo.name(), "labels"], &[("per_page", "100")]);
        let labels: Vec<wire::Label> = self.list(&labels).await?;
        Ok(RepoView {
            name: convert::id(&call, &found.full_name)?,
            default_branch: convert::id(&call, &found.default_branch)?,
            private: found.private,
            archived: found.archived,
            clone_url: found.clone_url,
            labels: labels.into_iter().map(convert::label).collect(),
        })
    }
}
