//! What an account may do in a repository.

use crate::{
    client::{Client, call},
    error::malformed,
    wire,
};
use http::Method;
use hydra_core::{
    Login, RepoName,
    ports::{ForgeError, ForgeErrorKind},
    view::Permission,
};

impl Client {
    /// From `role_name`; a custom role counts as the built-in one that GitHub folds it to.
    pub(crate) async fn permission(&self, repo: &RepoName, login: &Login) -> Result<Permission, ForgeError> {
        let path = ["repos", repo.owner(), repo.name(), "collaborators", login.as_str(), "permission"];
        let url = self.url(&path);
        let found: wire::Collaborator = match self.get(&url).await {
            Ok(found) => found,
            // What GitHub says of bots and deleted accounts: they have no permission of their own.
            Err(e) if e.kind == ForgeErrorKind::Missing && e.message.contains("is not a user") => {
                return Ok(Permission::None);
            }
            Err(e) => return Err(e),
        };
        let role = found.role_name.as_deref().and_then(parse);
        role.or_else(|| parse(&found.permission))
            .ok_or_else(|| malformed(&call(&Method::GET, &url), format!("unknown permission {:?}", found.permission)))
    }
}

fn parse(text: &str) -> Option<Permission> {
    match text {
        "admin" => Some(Permission::Admin),
        "maintain" => Some(Permission::Maintain),
        "write" => Some(Permission::Write),
        "triage" => Some(Permission::Triage),
        "read" => Some(Permission::Read),
        "none" | "" => Some(Permission::None),
        _ => None,
    }
}
