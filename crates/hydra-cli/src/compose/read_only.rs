//! GitHub for a look: everything can be read, every write is refused. What only looks needs no key and no token but the one that reads, so it
//! must not be able to publish anything either.

use async_trait::async_trait;
use hydra_core::{
    CommitSha, IssueKey, IssueNumber, RepoName, TokenRole,
    ports::{Applied, Board, ForgeError, ForgeErrorKind, ForgeWrite, ForgeWriter, Held, LeaseRecord, Leases, Swap},
    view::Card,
};
use std::sync::Arc;

/// An adapter that cannot write.
pub(super) struct ReadOnly<T>(pub(super) Arc<T>);

fn refused(what: &str) -> ForgeError {
    ForgeError {
        kind: ForgeErrorKind::Permission,
        message: format!("{what} was refused: this command looks and does not write"),
        hint: None,
    }
}

#[async_trait]
impl<T: ForgeWriter> ForgeWriter for ReadOnly<T> {
    async fn apply(&self, _: TokenRole, _: &ForgeWrite) -> Result<Applied, ForgeError> {
        Err(refused("a write"))
    }
    async fn may_push(&self, role: TokenRole, repo: &RepoName) -> Result<bool, ForgeError> {
        self.0.may_push(role, repo).await
    }
}

#[async_trait]
impl<T: Leases> Leases for ReadOnly<T> {
    async fn read(&self, issue: &IssueKey) -> Result<Option<Held>, ForgeError> {
        self.0.read(issue).await
    }
    async fn standing(&self, repo: &RepoName) -> Result<Vec<IssueNumber>, ForgeError> {
        self.0.standing(repo).await
    }
    async fn swap(&self, _: &IssueKey, _: Option<&CommitSha>, _: Option<&LeaseRecord>) -> Result<Swap, ForgeError> {
        Err(refused("a change of a lease"))
    }
}

#[async_trait]
impl<T: Board> Board for ReadOnly<T> {
    async fn cards(&self) -> Result<Vec<Card>, ForgeError> {
        self.0.cards().await
    }
    async fn columns(&self) -> Result<Vec<String>, ForgeError> {
        self.0.columns().await
    }
    async fn place(&self, _: &IssueKey, _: &str) -> Result<bool, ForgeError> {
        Err(refused("a move on the board"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes whatever it is told.
    struct Eager;

    #[async_trait]
    impl ForgeWriter for Eager {
        async fn apply(&self, _: TokenRole, _: &ForgeWrite) -> Result<Applied, ForgeError> {
            Ok(Applied::Made(Some(1)))
        }
        async fn may_push(&self, _: TokenRole, _: &RepoName) -> Result<bool, ForgeError> {
            Ok(true)
        }
    }

    #[async_trait]
    impl Leases for Eager {
        async fn read(&self, _: &IssueKey) -> Result<Option<Held>, ForgeError> {
            Ok(None)
        }
        async fn standing(&self, _: &RepoName) -> Result<Vec<IssueNumber>, ForgeError> {
            Ok(vec![IssueNumber(7)])
        }
        async fn swap(&self, _: &IssueKey, _: Option<&CommitSha>, _: Option<&LeaseRecord>) -> Result<Swap, ForgeError> {
            Ok(Swap::Won(None))
        }
    }

    #[async_trait]
    impl Board for Eager {
        async fn cards(&self) -> Result<Vec<Card>, ForgeError> {
            Ok(Vec::new())
        }
        async fn columns(&self) -> Result<Vec<String>, ForgeError> {
            Ok(vec!["Todo".to_owned()])
        }
        async fn place(&self, _: &IssueKey, _: &str) -> Result<bool, ForgeError> {
            Ok(true)
        }
    }

    #[tokio::test]
    async fn everything_can_be_read_and_nothing_written() {
        let look = ReadOnly(Arc::new(Eager));
        let (issue, repo): (IssueKey, RepoName) = ("acme/a#1".parse().unwrap(), "acme/a".parse().unwrap());
        assert_eq!(look.standing(&repo).await.unwrap(), [IssueNumber(7)]);
        assert_eq!(look.columns().await.unwrap(), ["Todo"]);
        assert!(look.cards().await.unwrap().is_empty() && look.read(&issue).await.unwrap().is_none());
        let write =
            ForgeWrite::Labels { repo, number: issue.number.into(), add: vec!["x".to_owned()], remove: Vec::new() };
        let kinds = [
            look.apply(TokenRole::Orchestrator, &write).await.unwrap_err().kind,
            look.swap(&issue, None, None).await.unwrap_err().kind,
            look.place(&issue, "Todo").await.unwrap_err().kind,
        ];
        assert_eq!(kinds, [ForgeErrorKind::Permission; 3]);
    }
}
