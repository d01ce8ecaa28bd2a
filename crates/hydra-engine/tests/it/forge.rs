//! A forge in memory: one repository, issues, pull requests, reviews, statuses, leases. Writes are looked up by their keys.

use crate::{
    laws::{self, Laws},
    trouble::{Call, Trouble, Whom},
};
use async_trait::async_trait;
use hydra_core::{
    BranchName, CommitSha, IssueKey, IssueNumber, Login, PullNumber, RepoName, Timestamp, TokenRole,
    ports::{
        Applied, Clock, Forge, ForgeError, ForgeErrorKind, ForgeWrite, ForgeWriter, Held, LeaseRecord, Leases,
        PullQuery, Swap,
    },
    view::{
        CommentView, IdentityView, IssueState, IssueView, LabelEvent, ListedIssue, ListedPull, Listing, Mergeable,
        Permission, PullState, PullView, RepoView, ReviewView, StatusView, TokenKind,
    },
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

pub(crate) const REPO: &str = "acme/shop";

#[derive(Default)]
pub(crate) struct State {
    pub(crate) issues: BTreeMap<IssueNumber, IssueView>,
    pub(crate) pulls: BTreeMap<PullNumber, PullView>,
    pub(crate) branches: BTreeMap<BranchName, CommitSha>,
    pub(crate) leases: BTreeMap<IssueKey, Held>,
    pub(crate) people: BTreeMap<Login, Permission>,
    /// By commit, as GitHub keeps them.
    pub(crate) statuses: BTreeMap<CommitSha, Vec<StatusView>>,
    /// Who wrote what, and to which issue or pull request.
    pub(crate) writes: Vec<String>,
    /// How many writes each issue got, those to its pull requests too.
    pub(crate) written: BTreeMap<IssueNumber, u64>,
    pub(crate) reads: usize,
    /// Merges that were carried out.
    pub(crate) merges: u32,
    pub(crate) next: u64,
    /// Every read fails with this.
    pub(crate) outage: Option<ForgeError>,
}

pub(crate) struct FakeForge {
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) trouble: Trouble,
    /// Which orchestrator is at this end of the line.
    pub(crate) owner: String,
    pub(crate) laws: Laws,
}

pub(crate) fn login(role: TokenRole) -> Login {
    format!("hydra-{role}").parse().unwrap()
}

fn sha(n: u64) -> CommitSha {
    format!("{n:040x}").parse().unwrap()
}

pub(crate) fn error(kind: ForgeErrorKind, message: &str) -> ForgeError {
    ForgeError { kind, message: message.into(), hint: None }
}

impl State {
    pub(crate) fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
    pub(crate) fn label(&mut self, number: u64, name: &str, add: bool, actor: &Login, now: Timestamp) {
        let id = self.id();
        let event = LabelEvent { id, label: name.into(), added: add, actor: actor.clone(), at: now };
        if let Some(issue) = self.issues.get_mut(&IssueNumber(number)) {
            issue.labels.retain(|label| label != name);
            if add {
                issue.labels.push(name.into());
            }
            issue.label_events.push(event);
            issue.updated_at = now;
        }
    }
    /// A pull request as the forge shows it: its head follows its branch, its statuses are those of its head.
    pub(crate) fn shown(&self, pull: &PullView) -> PullView {
        let mut pull = pull.clone();
        if pull.state == PullState::Open
            && let Some(head) = self.branches.get(&pull.head_ref)
        {
            pull.head = head.clone();
        }
        pull.statuses = self.statuses.get(&pull.head).cloned().unwrap_or_default();
        pull
    }
    pub(crate) fn open_issue(&mut self, number: u64, body: &str, author: &Login, now: Timestamp) {
        let key = IssueKey { repo: REPO.parse().unwrap(), number: IssueNumber(number) };
        let url = format!("https://forge.example/{REPO}/issues/{number}");
        self.issues.insert(
            key.number,
            IssueView {
                key,
                state: IssueState::Open,
                title: format!("Issue {number}"),
                body: body.into(),
                author: author.clone(),
                labels: Vec::new(),
                label_events: Vec::new(),
                comments: Vec::new(),
                edited_at: None,
                updated_at: now,
                url,
            },
        );
    }
}

impl FakeForge {
    async fn read<T>(
        &self,
        name: &'static str,
        look: impl FnOnce(&State) -> Result<T, ForgeError> + Send,
    ) -> Result<T, ForgeError> {
        let look = async || {
            let mut state = self.state.lock().unwrap();
            state.reads += 1;
            match &state.outage {
                Some(error) => Err(error.clone()),
                None => look(&state),
            }
        };
        self.trouble.call(Call::read(Whom::Forge, name), look).await
    }
}

#[async_trait]
impl Forge for FakeForge {
    async fn identity(&self, role: TokenRole) -> Result<IdentityView, ForgeError> {
        Ok(IdentityView { login: login(role), kind: TokenKind::FineGrained, expires_at: None, scopes: Vec::new() })
    }
    async fn repository(&self, repo: &RepoName) -> Result<RepoView, ForgeError> {
        let view = RepoView {
            name: repo.clone(),
            default_branch: "main".parse().unwrap(),
            private: true,
            archived: false,
            clone_url: format!("https://forge.example/{repo}.git"),
            labels: Vec::new(),
        };
        self.read("repository", |_| Ok(view)).await
    }
    async fn listing(&self, _: &RepoName, label: &str) -> Result<Listing, ForgeError> {
        self.read("listing", |state| {
            let open = state.issues.values().filter(|issue| {
                issue.state == IssueState::Open && issue.labels.iter().any(|l| l.eq_ignore_ascii_case(label))
            });
            let issues = open.map(|issue| ListedIssue {
                key: issue.key.clone(),
                state: issue.state,
                title: issue.title.clone(),
                labels: issue.labels.clone(),
                updated_at: issue.updated_at,
            });
            let open = state.pulls.values().filter(|pull| pull.state == PullState::Open);
            let pulls = open.map(|pull| state.shown(pull)).map(|pull| ListedPull {
                number: pull.number,
                head_ref: pull.head_ref.clone(),
                head: pull.head,
                head_repo: pull.head_repo.clone(),
                base_ref: pull.base_ref.clone(),
                draft: pull.draft,
                labels: pull.labels.clone(),
                updated_at: Timestamp::UNIX_EPOCH,
            });
            Ok(Listing { issues: issues.collect(), pulls: pulls.collect() })
        })
        .await
    }
    async fn issue(&self, issue: &IssueKey) -> Result<IssueView, ForgeError> {
        let missing = || error(ForgeErrorKind::Missing, "no such issue");
        self.read("issue", |state| state.issues.get(&issue.number).cloned().ok_or_else(missing)).await
    }
    async fn pulls(&self, _: &RepoName, which: &PullQuery) -> Result<Vec<PullView>, ForgeError> {
        self.read("pulls", |state| {
            let pulls = state.pulls.values().rev().filter(|pull| match which {
                PullQuery::Head(branch) => pull.head_ref == *branch,
                PullQuery::Number(number) => pull.number == *number,
            });
            Ok(pulls.map(|pull| state.shown(pull)).collect())
        })
        .await
    }
    async fn permission(&self, _: &RepoName, login: &Login) -> Result<Permission, ForgeError> {
        self.read("permission", |state| Ok(state.people.get(login).copied().unwrap_or(Permission::Read))).await
    }
}

#[async_trait]
impl ForgeWriter for FakeForge {
    async fn apply(&self, role: TokenRole, write: &ForgeWrite) -> Result<Applied, ForgeError> {
        let work = async || {
            let now = self.clock.now();
            let mut state = self.state.lock().unwrap();
            if let Some(error) = &state.outage {
                return Err(error.clone());
            }
            let me = login(role);
            let (wrong, of) = (laws::of_write(&state, &self.owner, write), laws::issue_of(&state, write));
            let applied = apply(&mut state, &me, write, now)?;
            if let Applied::Made(_) = applied {
                let value = serde_json::to_value(write).unwrap();
                let kind = value["write"].as_str().unwrap().to_owned();
                state.writes.push(format!("{role} {kind}"));
                of.into_iter().for_each(|number| *state.written.entry(number).or_default() += 1);
                self.laws.broken(wrong.into_iter().chain(laws::of_pulls(&state)));
            }
            Ok(applied)
        };
        self.trouble.call(Call::write(Whom::Forge, "apply"), work).await
    }
    async fn may_push(&self, role: TokenRole, _: &RepoName) -> Result<bool, ForgeError> {
        Ok(role == TokenRole::Builder)
    }
}

fn apply(state: &mut State, me: &Login, write: &ForgeWrite, now: Timestamp) -> Result<Applied, ForgeError> {
    let missing = || error(ForgeErrorKind::Missing, "not there");
    match write {
        ForgeWrite::Labels { number, add, remove, .. } => {
            let issue = state.issues.get(&IssueNumber(number.0)).ok_or_else(missing)?;
            let add: Vec<_> = add.iter().filter(|name| !issue.labels.contains(name)).cloned().collect();
            let remove: Vec<_> = remove.iter().filter(|name| issue.labels.contains(name)).cloned().collect();
            if add.is_empty() && remove.is_empty() {
                return Ok(Applied::AlreadyThere(None));
            }
            for name in &add {
                state.label(number.0, name, true, me, now);
            }
            for name in &remove {
                state.label(number.0, name, false, me, now);
            }
            Ok(Applied::Made(None))
        }
        ForgeWrite::Comment { number, marker, body, .. } => {
            let id = state.id();
            let text = format!("{marker}\n{body}");
            let comments = match state.issues.get_mut(&IssueNumber(number.0)) {
                Some(issue) => {
                    issue.updated_at = now;
                    &mut issue.comments
                }
                None => &mut state.pulls.get_mut(&PullNumber(number.0)).ok_or_else(missing)?.comments,
            };
            let mark = marker.to_string();
            if let Some(old) = comments.iter_mut().find(|c| c.author == *me && c.body.starts_with(&mark)) {
                if old.body == text {
                    return Ok(Applied::AlreadyThere(Some(old.id)));
                }
                (old.body, old.updated_at) = (text, now);
                return Ok(Applied::Made(Some(old.id)));
            }
            comments.push(CommentView { id, author: me.clone(), body: text, created_at: now, updated_at: now });
            Ok(Applied::Made(Some(id)))
        }
        ForgeWrite::OpenPull { head, base, title, marker, body, .. } => {
            let mark = marker.to_string();
            let there = state.pulls.values().find(|p| p.head_ref == *head && p.body.contains(&mark));
            if let Some(pull) = there {
                return Ok(Applied::AlreadyThere(Some(pull.number.0)));
            }
            let number = PullNumber(state.id() + 1000);
            let tip = state.branches.get(head).cloned().ok_or_else(|| error(ForgeErrorKind::Conflict, "no branch"))?;
            let pull = PullView {
                number,
                state: PullState::Open,
                draft: true,
                title: title.clone(),
                body: format!("{mark}\n{body}"),
                author: me.clone(),
                closed_by: None,
                head_ref: head.clone(),
                head: tip,
                head_repo: Some(REPO.parse().unwrap()),
                base_ref: base.clone(),
                base: state.branches[base].clone(),
                mergeable: Mergeable::Clean,
                labels: Vec::new(),
                label_events: Vec::new(),
                reviews: Vec::new(),
                threads: Vec::new(),
                comments: Vec::new(),
                statuses: Vec::new(),
                url: format!("https://forge.example/{REPO}/pull/{number}"),
            };
            state.pulls.insert(number, pull);
            Ok(Applied::Made(Some(number.0)))
        }
        ForgeWrite::EditPull { number, title, marker, body, .. } => {
            let pull = state.pulls.get_mut(number).ok_or_else(missing)?;
            let text = format!("{marker}\n{body}");
            if pull.title == *title && pull.body == text {
                return Ok(Applied::AlreadyThere(None));
            }
            (pull.title, pull.body) = (title.clone(), text);
            Ok(Applied::Made(None))
        }
        ForgeWrite::Review { number, commit, marker, body, .. } => {
            let id = state.id();
            let pull = state.pulls.get_mut(number).ok_or_else(missing)?;
            let mark = marker.to_string();
            if let Some(old) = pull.reviews.iter().find(|r| r.author == *me && r.body.contains(&mark)) {
                return Ok(Applied::AlreadyThere(Some(old.id)));
            }
            pull.reviews.push(ReviewView {
                id,
                author: me.clone(),
                body: format!("{mark}\n{body}"),
                state: "COMMENTED".into(),
                commit: Some(commit.clone()),
                submitted_at: Some(now),
            });
            Ok(Applied::Made(Some(id)))
        }
        ForgeWrite::Status { commit, context, state: is, description, .. } => {
            let status = StatusView {
                context: context.clone(),
                state: *is,
                description: description.clone(),
                creator: Some(me.clone()),
            };
            let of_commit = state.statuses.entry(commit.clone()).or_default();
            if of_commit.contains(&status) {
                return Ok(Applied::AlreadyThere(None));
            }
            of_commit.retain(|old| old.context != *context);
            of_commit.push(status);
            Ok(Applied::Made(None))
        }
        ForgeWrite::MarkReady { number, .. } => {
            let pull = state.pulls.get_mut(number).ok_or_else(missing)?;
            let was = std::mem::replace(&mut pull.draft, false);
            Ok(if was { Applied::Made(None) } else { Applied::AlreadyThere(None) })
        }
        ForgeWrite::ClosePull { number, .. } => {
            let pull = state.pulls.get_mut(number).ok_or_else(missing)?;
            if pull.state == PullState::Closed {
                return Ok(Applied::AlreadyThere(None));
            }
            pull.state = PullState::Closed;
            pull.closed_by = Some(me.clone());
            Ok(Applied::Made(None))
        }
        ForgeWrite::Merge { number, head, .. } => {
            let seen = state.pulls.get(number).map(|pull| state.shown(pull)).ok_or_else(missing)?;
            if seen.state == PullState::Merged {
                return Ok(Applied::AlreadyThere(None));
            }
            if seen.state != PullState::Open || seen.draft || seen.head != *head {
                return Err(error(ForgeErrorKind::Conflict, "it cannot be merged"));
            }
            state.merges += 1;
            state.pulls.get_mut(number).ok_or_else(missing)?.state = PullState::Merged;
            for issue in state.issues.values_mut() {
                if seen.body.contains(&format!("Closes #{}\n", issue.key.number)) {
                    (issue.state, issue.updated_at) = (IssueState::Closed, now);
                }
            }
            Ok(Applied::Made(None))
        }
        ForgeWrite::ResolveThread { .. } | ForgeWrite::DefineLabel { .. } => Ok(Applied::AlreadyThere(None)),
    }
}

#[async_trait]
impl Leases for FakeForge {
    async fn read(&self, issue: &IssueKey) -> Result<Option<Held>, ForgeError> {
        FakeForge::read(self, "lease", |state| Ok(state.leases.get(issue).cloned())).await
    }
    async fn standing(&self, repo: &RepoName) -> Result<Vec<IssueNumber>, ForgeError> {
        let of = |state: &State| state.leases.keys().filter(|key| key.repo == *repo).map(|key| key.number).collect();
        FakeForge::read(self, "leases", |state| Ok(of(state))).await
    }
    async fn swap(
        &self,
        issue: &IssueKey,
        before: Option<&CommitSha>,
        record: Option<&LeaseRecord>,
    ) -> Result<Swap, ForgeError> {
        let work = async || {
            let mut state = self.state.lock().unwrap();
            if let Some(error) = &state.outage {
                return Err(error.clone());
            }
            let stands = state.leases.get(issue).map(|held| held.oid.clone());
            if stands.as_ref() != before {
                return Ok(Swap::Lost);
            }
            let oid = sha(state.id() + (1 << 40));
            match record {
                None => {
                    state.leases.remove(issue);
                    Ok(Swap::Won(None))
                }
                Some(record) => {
                    state.leases.insert(issue.clone(), Held { oid: oid.clone(), record: record.clone() });
                    Ok(Swap::Won(Some(oid)))
                }
            }
        };
        self.trouble.call(Call::write(Whom::Forge, "swap"), work).await
    }
}
