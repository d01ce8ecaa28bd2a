//! What people may do in a repository: asked once a cycle and person, as GitHub says it at observation.

use super::Unseen;
use crate::watch::Shared;
use hydra_core::{
    Login, RepoName,
    ports::ForgeErrorKind,
    view::{IssueView, Permission, PullView},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

/// Permissions of this cycle.
#[derive(Debug, Default)]
pub(crate) struct People {
    known: Mutex<BTreeMap<(RepoName, Login), Permission>>,
}

impl People {
    /// The permission of one account. An account that is gone has none.
    pub(crate) async fn permission(
        &self,
        shared: &Shared,
        repo: &RepoName,
        login: &Login,
    ) -> Result<Permission, Unseen> {
        let key = (repo.clone(), login.clone());
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if let Some(permission) = known {
            return Ok(permission);
        }
        let permission = match shared.ports.forge.permission(repo, login).await {
            Ok(permission) => permission,
            Err(error) if error.kind == ForgeErrorKind::Missing => Permission::None,
            Err(error) => return Err(Unseen::forge(format!("the permission of {login} in {repo}"), &error)),
        };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, permission);
        Ok(permission)
    }

    /// Everyone whose label or comment on an issue or its pull requests matters.
    pub(crate) async fn of(
        &self,
        shared: &Shared,
        issue: &IssueView,
        pulls: &[PullView],
    ) -> Result<BTreeMap<Login, Permission>, Unseen> {
        let prefix = &shared.config.policy.label_prefix;
        let ours: BTreeSet<String> = [
            shared.config.policy.trigger_label.as_str(),
            hydra_core::label::RETRY,
            hydra_core::label::REBUILD,
            hydra_core::label::YOLO,
        ]
        .iter()
        .map(|name| format!("{prefix}{name}").to_lowercase())
        .collect();
        let events = issue.label_events.iter().chain(pulls.iter().flat_map(|pull| &pull.label_events));
        let mut logins: BTreeSet<&Login> =
            events.filter(|event| ours.contains(&event.label.to_lowercase())).map(|event| &event.actor).collect();
        logins.extend(issue.comments.iter().map(|comment| &comment.author));
        let mut people = BTreeMap::new();
        for login in logins {
            // What Hydra's own identities write is never a request and never pinned, unless one person is everything.
            let own = shared.config.logins.values().any(|own| own == login);
            if own && !shared.config.policy.single_identity {
                continue;
            }
            people.insert(login.clone(), self.permission(shared, &issue.key.repo, login).await?);
        }
        Ok(people)
    }
}
