//! What a stage by hand came to, at the forge: under the issue's lease, with markers of its own, so that no pipeline takes it for its own work.

use super::{ByHand, HandResult, branch_of};
use crate::{
    engine::{Engine, EngineError},
    execute,
};
use hydra_core::{
    BranchName, CommitSha, Generation, IssueKey, PullNumber, Stage, TokenRole,
    plan::OutcomeKind,
    ports::{Delivery, ForgeWrite, Held, LeaseRecord, Marker, PullQuery, Pushed, Swap},
    publish::harmless,
    verdict::Outcome,
    view::{PullState, StatusState},
};
use serde::Serialize;

/// What was written, one line each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Published {
    /// In order.
    pub lines: Vec<String>,
}

fn refused(why: impl Into<String>) -> EngineError {
    EngineError::NotPublished(why.into())
}

impl Engine {
    /// Looks before anything is spent whether what this stage will come to could be published as things stand.
    ///
    /// # Errors
    /// When somebody else works on the issue, the branch stands elsewhere, there is no pull request to judge, or the forge does not answer.
    pub async fn may_publish_by_hand(&self, ask: &ByHand) -> Result<(), EngineError> {
        self.nobody_works(&ask.issue.key).await?;
        let branch = branch_of(&ask.change)?;
        if ask.stage.judges() {
            self.judged_pull(ask, &branch).await?;
        } else if ask.stage != Stage::Quality {
            self.branch_to_push(ask, &branch).await?;
        }
        Ok(())
    }

    /// Pushes the branch and opens a draft pull request, or posts the verdict, the status or the questions.
    ///
    /// # Errors
    /// When somebody else works on the issue, the branch stands elsewhere, there is nothing to publish, or the forge refuses.
    pub async fn publish_by_hand(&mut self, ask: &ByHand, result: &HandResult) -> Result<Published, EngineError> {
        let facts = serde_json::json!({ "stage": ask.stage, "outcome": result.outcome.kind.to_string() });
        self.evidence(&ask.issue.key, &result.job, "dev-run --publish", &facts)?;
        let held = self.lease_by_hand(ask).await?;
        let published = self.publish(ask, result).await;
        let released = self.shared.ports.leases.swap(&ask.issue.key, Some(&held), None).await;
        if let Err(error) = released {
            tracing::warn!(issue = %ask.issue.key, %error, "the lease was not given back; it lapses by itself");
        }
        published
    }

    /// The issue's lease as it stands, if nobody holds it.
    async fn nobody_works(&self, key: &IssueKey) -> Result<Option<Held>, EngineError> {
        let (config, leases) = (&self.shared.config, &self.shared.ports.leases);
        let stands = leases.read(key).await.map_err(|error| EngineError::Forge(error.to_string()))?;
        let live = |held: &&Held| held.record.expires_at > self.now() && !(config.owner_gone)(&held.record.owner);
        if let Some(held) = stands.as_ref().filter(live) {
            return Err(refused(format!("{} works on {key}; wait, or `hydra cancel {key}` first", held.record.owner)));
        }
        Ok(stands)
    }

    /// Takes the issue's lease, unless somebody holds it.
    async fn lease_by_hand(&self, ask: &ByHand) -> Result<CommitSha, EngineError> {
        let (config, leases) = (&self.shared.config, &self.shared.ports.leases);
        let key = &ask.issue.key;
        let stands = self.nobody_works(key).await?;
        let expires_at = self.now().checked_add(config.policy.lease_ttl).unwrap_or(hydra_core::Timestamp::MAX);
        let record = LeaseRecord { schema: 1, owner: config.owner.clone(), generation: Generation(0), expires_at };
        let before = stands.as_ref().map(|held| &held.oid);
        match leases.swap(key, before, Some(&record)).await.map_err(|error| EngineError::Forge(error.to_string()))? {
            Swap::Won(Some(oid)) => Ok(oid),
            Swap::Won(None) | Swap::Lost => Err(refused(format!("another orchestrator took {key} just now"))),
        }
    }

    async fn publish(&self, ask: &ByHand, result: &HandResult) -> Result<Published, EngineError> {
        match &result.outcome.kind {
            OutcomeKind::Delivered { delivery, summary, .. } => self.deliver(ask, result, delivery, summary).await,
            OutcomeKind::Quality { commands } => {
                let red = commands.iter().find(|command| command.exit != 0);
                let (state, description) = match red {
                    None => (StatusState::Success, "passed, run by hand".to_owned()),
                    Some(red) => (StatusState::Failure, format!("{} ended with {}, run by hand", red.name, red.exit)),
                };
                self.status(ask, state, description).await
            }
            OutcomeKind::Judged(envelope) => {
                let number = self.judged_pull(ask, &result.branch).await?;
                let role = ask.stage.token();
                let posted = execute::post_verdict(&self.shared, &ask.issue.key, number, role, envelope).await;
                let mut published = Published { lines: vec![posted.map_err(EngineError::Forge)?] };
                let (state, description) = match envelope.outcome {
                    Outcome::Pass => (StatusState::Success, "passed, judged by hand"),
                    Outcome::Fail => (StatusState::Failure, "did not pass, judged by hand"),
                    Outcome::Void => (StatusState::Failure, "void: it judged without evidence of work"),
                };
                published.lines.extend(self.status(ask, state, description.to_owned()).await?.lines);
                Ok(published)
            }
            OutcomeKind::Rfi(rfi) => {
                let hosts = &self.shared.config.link_hosts;
                let mut body = format!("**{} was run by hand and asks:**\n\n", ask.stage);
                for question in &rfi.questions {
                    body.push_str(&format!("- {}\n", harmless(question, hosts)));
                }
                let number = ask.issue.key.number.into();
                let marker = marker("rfi", result.job.as_str());
                let repo = ask.repo.name.clone();
                self.write(TokenRole::Orchestrator, &ForgeWrite::Comment { repo, number, marker, body }).await
            }
            other => Err(refused(format!("{} came to nothing that could be: {other}", ask.stage))),
        }
    }

    async fn deliver(
        &self,
        ask: &ByHand,
        result: &HandResult,
        delivery: &Delivery,
        summary: &str,
    ) -> Result<Published, EngineError> {
        let (repo, branch) = (&ask.repo.name, &result.branch);
        let workspace = &self.shared.ports.workspace;
        let tip = self.branch_to_push(ask, branch).await?;
        let role = TokenRole::Builder;
        let mut published = Published::default();
        match workspace.push(repo, branch, tip.as_ref(), Some(&delivery.head), role).await.map_err(git)? {
            Pushed::Done | Pushed::AlreadyThere => {
                published.lines.push(format!("{branch} stands at {}", delivery.head));
            }
            Pushed::Moved(at) => {
                let at = at.map_or("nowhere".to_owned(), |at| at.to_string());
                return Err(refused(format!("{branch} moved meanwhile; it stands at {at}")));
            }
        }
        if let Some(number) = self.open_pull(ask, result).await? {
            published.lines.push(format!("pull request #{number} is open already"));
            return Ok(published);
        }
        let hosts = &self.shared.config.link_hosts;
        let number = ask.issue.key.number;
        let body = format!(
            "Work on the change `openspec/changes/{}`, made by hand with `hydra dev-run {}`. For #{number}.\n\n{}\n\nNo pipeline has checked or reviewed it.\n",
            ask.change,
            ask.stage,
            harmless(summary, hosts)
        );
        let write = ForgeWrite::OpenPull {
            repo: repo.clone(),
            head: branch.clone(),
            base: ask.repo.default_branch.clone(),
            title: harmless(&ask.title, hosts),
            marker: marker("by-hand", ""),
            body,
        };
        published.lines.extend(self.write(role, &write).await?.lines);
        Ok(published)
    }

    /// Where the work branch stands: nowhere yet, or where this stage begins.
    async fn branch_to_push(&self, ask: &ByHand, branch: &BranchName) -> Result<Option<CommitSha>, EngineError> {
        let workspace = &self.shared.ports.workspace;
        let tip = workspace.tips(&ask.repo.name, &ask.repo.default_branch, branch).await.map_err(git)?.head;
        match tip {
            Some(tip) if tip != ask.head => Err(refused(format!(
                "{branch} stands at {tip}, which is not where {} begins ({}); use --head {branch}, or another change",
                ask.stage, ask.head
            ))),
            tip => Ok(tip),
        }
    }

    async fn status(&self, ask: &ByHand, state: StatusState, description: String) -> Result<Published, EngineError> {
        let Some(context) = ask.stage.status_context() else { return Ok(Published::default()) };
        let write = ForgeWrite::Status {
            repo: ask.repo.name.clone(),
            commit: ask.head.clone(),
            context: context.to_owned(),
            state,
            description,
            url: None,
        };
        self.write(TokenRole::Orchestrator, &write).await
    }

    /// The open pull request of the work branch, at the very head that was judged.
    async fn judged_pull(&self, ask: &ByHand, branch: &BranchName) -> Result<PullNumber, EngineError> {
        let read = self.shared.ports.forge.pulls(&ask.repo.name, &PullQuery::Head(branch.clone())).await;
        let pulls = read.map_err(|error| EngineError::Forge(error.to_string()))?;
        let open = pulls.iter().find(|pull| pull.state == PullState::Open && pull.head == ask.head);
        open.map(|pull| pull.number).ok_or_else(|| {
            refused(format!("there is no open pull request of {branch} at {}, which is judged", ask.head))
        })
    }

    async fn open_pull(&self, ask: &ByHand, result: &HandResult) -> Result<Option<PullNumber>, EngineError> {
        let read = self.shared.ports.forge.pulls(&ask.repo.name, &PullQuery::Head(result.branch.clone())).await;
        let pulls = read.map_err(|error| EngineError::Forge(error.to_string()))?;
        Ok(pulls.iter().find(|pull| pull.state == PullState::Open).map(|pull| pull.number))
    }

    async fn write(&self, role: TokenRole, write: &ForgeWrite) -> Result<Published, EngineError> {
        let line = execute::write(&self.shared, role, write).await.map_err(EngineError::Forge)?;
        Ok(Published { lines: vec![line] })
    }
}

fn git(error: hydra_core::ports::WorkspaceError) -> EngineError {
    EngineError::Forge(error.to_string())
}

fn marker(purpose: &str, key: &str) -> Marker {
    Marker { purpose: purpose.to_owned(), generation: Generation(0), key: key.to_owned() }
}
