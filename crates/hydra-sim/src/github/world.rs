//! All of the simulator's state, behind one lock, and how things in it are found.

use super::{
    SimClock,
    auth::Token,
    notice::Refusal,
    records::{Account, AccountKind, Board, Issue, Repo},
};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
pub(crate) struct World {
    pub clock: SimClock,
    pub base_url: String,
    pub root: std::path::PathBuf,
    pub accounts: BTreeMap<String, Account>,
    pub tokens: BTreeMap<String, Token>,
    /// By lower-case `owner/name`.
    pub repos: BTreeMap<String, Repo>,
    /// Old lower-case names of renamed repositories to their ids.
    pub renamed: BTreeMap<String, u64>,
    pub boards: Vec<Board>,
    /// (login, resource) to (used, start of the hour in seconds).
    pub used: BTreeMap<(String, &'static str), (u64, i64)>,
    pub limit: u64,
    /// Answer `mergeable: null` the first time after head or base moved.
    pub lazy_mergeable: bool,
    /// (base, head) to whether they merge without conflict, per repository.
    pub merges: BTreeMap<(u64, String, String), bool>,
    /// (organisation, account) pairs.
    pub members: BTreeSet<(String, String)>,
    last_id: u64,
}

impl World {
    pub(crate) fn new(clock: SimClock, root: std::path::PathBuf, limit: u64, lazy_mergeable: bool) -> Self {
        Self {
            clock,
            base_url: String::new(),
            root,
            accounts: BTreeMap::new(),
            tokens: BTreeMap::new(),
            repos: BTreeMap::new(),
            renamed: BTreeMap::new(),
            boards: Vec::new(),
            used: BTreeMap::new(),
            limit,
            lazy_mergeable,
            merges: BTreeMap::new(),
            members: BTreeSet::new(),
            last_id: 1_000,
        }
    }

    /// A number that was never given before and is larger than all before.
    pub(crate) fn id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn account(&self, login: &str) -> Option<&Account> {
        self.accounts.get(&login.to_lowercase())
    }

    /// The account, made where it is not there yet.
    pub(crate) fn ensure_account(&mut self, login: &str, kind: AccountKind) -> u64 {
        if let Some(account) = self.account(login) {
            return account.id;
        }
        let account = Account { id: self.id(), login: login.to_owned(), kind, created_at: self.clock.now() };
        let id = account.id;
        self.accounts.insert(login.to_lowercase(), account);
        id
    }

    pub(crate) fn repo(&self, name: &str) -> Result<&Repo, Refusal> {
        self.repos.get(&name.to_lowercase()).ok_or_else(Refusal::not_found)
    }

    pub(crate) fn repo_mut(&mut self, name: &str) -> Result<&mut Repo, Refusal> {
        self.repos.get_mut(&name.to_lowercase()).ok_or_else(Refusal::not_found)
    }

    pub(crate) fn repo_by_id(&self, id: u64) -> Option<&Repo> {
        self.repos.values().find(|r| r.id == id)
    }

    /// An issue or pull request.
    pub(crate) fn thread(&self, repo: &str, number: u64) -> Result<&Issue, Refusal> {
        let issue = self.repo(repo)?.issues.get(&number).ok_or_else(Refusal::not_found)?;
        if issue.deleted { Err(Refusal::new(410, "This issue was deleted")) } else { Ok(issue) }
    }

    pub(crate) fn thread_mut(&mut self, repo: &str, number: u64) -> Result<&mut Issue, Refusal> {
        let issue = self.repo_mut(repo)?.issues.get_mut(&number).ok_or_else(Refusal::not_found)?;
        if issue.deleted { Err(Refusal::new(410, "This issue was deleted")) } else { Ok(issue) }
    }

    /// A pull request.
    pub(crate) fn pull(&self, repo: &str, number: u64) -> Result<(&Issue, &super::Pull), Refusal> {
        let issue = self.thread(repo, number)?;
        Ok((issue, issue.pull.as_ref().ok_or_else(Refusal::not_found)?))
    }

    pub(crate) fn pull_mut(&mut self, repo: &str, number: u64) -> Result<&mut super::Pull, Refusal> {
        self.thread_mut(repo, number)?.pull.as_mut().ok_or_else(Refusal::not_found)
    }
}
