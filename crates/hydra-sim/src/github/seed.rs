//! How a test or the demo puts things there, and acts as a person would.

use super::{
    AccountKind, Board, Card, Role, Sim, SimError, Token, git::GitDir, notice::Refusal, records::Repo, world::World,
};
use std::collections::BTreeMap;

/// A repository to be made.
#[derive(Debug, Clone)]
pub struct RepoSeed {
    name: String,
    private: bool,
    drafts: bool,
    default_branch: String,
    files: BTreeMap<String, Vec<u8>>,
    roles: Vec<(String, Role)>,
    labels: Vec<(String, String, String)>,
}

impl RepoSeed {
    /// A private repository `owner/name` with a `main` branch, drafts allowed.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            private: true,
            drafts: true,
            default_branch: "main".to_owned(),
            files: BTreeMap::new(),
            roles: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// Everybody may read it.
    #[must_use]
    pub fn public(mut self) -> Self {
        self.private = false;
        self
    }

    /// A plan without draft pull requests: they are refused with 422.
    #[must_use]
    pub fn without_drafts(mut self) -> Self {
        self.drafts = false;
        self
    }

    /// Another default branch.
    #[must_use]
    pub fn default_branch(mut self, name: &str) -> Self {
        name.clone_into(&mut self.default_branch);
        self
    }

    /// A file of the first commit; one that begins with `#!` is executable.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.to_owned(), content.as_ref().to_vec());
        self
    }

    /// Several files.
    #[must_use]
    pub fn files(mut self, files: BTreeMap<String, Vec<u8>>) -> Self {
        self.files.extend(files);
        self
    }

    /// A collaborator and its role; the account is made where it is not there.
    #[must_use]
    pub fn role(mut self, login: &str, role: Role) -> Self {
        self.roles.push((login.to_owned(), role));
        self
    }

    /// A label that it defines.
    #[must_use]
    pub fn label(mut self, name: &str, color: &str, description: &str) -> Self {
        self.labels.push((name.to_owned(), color.to_owned(), description.to_owned()));
        self
    }
}

fn make(world: &mut World, seed: RepoSeed) -> Result<(), SimError> {
    let Some((owner, name)) = seed.name.split_once('/') else {
        return Err(Refusal::new(422, format!("{} is not owner/name", seed.name)).into());
    };
    if world.repos.contains_key(&seed.name.to_lowercase()) {
        return Err(Refusal::invalid("Repository", "name", "already_exists").into());
    }
    world.ensure_account(owner, AccountKind::Organization);
    let (id, at) = (world.id(), world.clock.now());
    let git = GitDir::init(&world.root.join(format!("{id}.git")), &seed.default_branch)?;
    if !seed.files.is_empty() {
        let files: Vec<_> = seed.files.into_iter().map(|(path, bytes)| (path, Some(bytes))).collect();
        let author = ("Octo Cat", "octocat@example.test", at);
        git.commit_files(&seed.default_branch, None, author, "Start", &files)?;
    }
    for (login, _) in &seed.roles {
        let kind = if login.ends_with("[bot]") { AccountKind::Bot } else { AccountKind::User };
        world.ensure_account(login, kind);
    }
    let repo = Repo {
        id,
        owner: owner.to_owned(),
        name: name.to_owned(),
        private: seed.private,
        archived: false,
        default_branch: seed.default_branch,
        drafts: seed.drafts,
        refs: git.refs()?,
        git,
        labels: Vec::new(),
        issues: BTreeMap::new(),
        statuses: Vec::new(),
        checks: Vec::new(),
        roles: seed.roles.into_iter().map(|(l, r)| (l.to_lowercase(), r)).collect(),
        protected: BTreeMap::new(),
        created_at: at,
        pushed_at: at,
        updated_at: at,
        next_number: 1,
    };
    world.repos.insert(seed.name.to_lowercase(), repo);
    for (label, color, description) in seed.labels {
        world.define_label(&seed.name, &label, &color, Some(&description))?;
    }
    Ok(())
}

/// Every method acts at once, with the rights of a person who may; the time is the clock's.
impl Sim {
    /// Makes an organisation.
    pub fn org(&self, login: &str) {
        self.inner.world().ensure_account(login, AccountKind::Organization);
    }

    /// Makes a person's account.
    pub fn user(&self, login: &str) {
        self.inner.world().ensure_account(login, AccountKind::User);
    }

    /// Makes an App's bot account; the login ends in `[bot]`.
    pub fn app(&self, login: &str) {
        self.inner.world().ensure_account(login, AccountKind::Bot);
    }

    /// Puts an account into an organisation: its board may be seen and changed by the account's tokens.
    pub fn member(&self, org: &str, login: &str) {
        self.inner.world().members.insert((org.to_lowercase(), login.to_lowercase()));
    }

    /// Issues a token; its account is made where it is not there.
    pub fn token(&self, token: Token) {
        let mut world = self.inner.world();
        let kind = if token.login.ends_with("[bot]") { AccountKind::Bot } else { AccountKind::User };
        world.ensure_account(&token.login, kind);
        world.tokens.insert(token.secret.clone(), token);
    }

    /// Revokes a token.
    pub fn revoke(&self, secret: &str) {
        self.inner.world().tokens.remove(secret);
    }

    /// Makes a repository.
    ///
    /// # Errors
    /// When the name is taken or malformed, or git refuses.
    pub fn repo(&self, seed: RepoSeed) -> Result<(), SimError> {
        make(&mut self.inner.world(), seed)
    }

    /// Sets an account's role.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn set_role(&self, repo: &str, login: &str, role: Role) -> Result<(), SimError> {
        let mut world = self.inner.world();
        world.ensure_account(login, AccountKind::User);
        world.repo_mut(repo)?.roles.insert(login.to_lowercase(), role);
        Ok(())
    }

    /// Archives a repository: writes are refused from then on.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn archive(&self, repo: &str) -> Result<(), SimError> {
        self.inner.world().repo_mut(repo)?.archived = true;
        Ok(())
    }

    /// Renames a repository; the old name answers with redirects.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn rename(&self, repo: &str, name: &str) -> Result<(), SimError> {
        let mut world = self.inner.world();
        let key = repo.to_lowercase();
        let mut found = world.repos.remove(&key).ok_or_else(Refusal::not_found)?;
        name.clone_into(&mut found.name);
        world.renamed.insert(key, found.id);
        world.repos.insert(found.full_name().to_lowercase(), found);
        Ok(())
    }

    /// Protects a branch: merging into it needs these contexts green.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn protect(&self, repo: &str, branch: &str, contexts: &[&str]) -> Result<(), SimError> {
        let contexts = contexts.iter().map(|c| (*c).to_owned()).collect();
        self.inner.world().repo_mut(repo)?.protected.insert(branch.to_owned(), contexts);
        Ok(())
    }

    /// Defines a label.
    ///
    /// # Errors
    /// As GitHub: taken, too long, bad colour.
    pub fn define_label(&self, repo: &str, name: &str, color: &str, description: &str) -> Result<(), SimError> {
        self.inner.world().define_label(repo, name, color, Some(description))?;
        Ok(())
    }

    /// Opens an issue and returns its number.
    ///
    /// # Errors
    /// When there is no such repository, or the text is refused.
    pub fn open_issue(&self, repo: &str, author: &str, title: &str, body: &str) -> Result<u64, SimError> {
        let mut world = self.inner.world();
        world.ensure_account(author, AccountKind::User);
        Ok(world.open_issue(repo, author, title, Some(body))?)
    }

    /// Sets a label.
    ///
    /// # Errors
    /// When there is no such issue.
    pub fn add_label(&self, repo: &str, number: u64, label: &str, actor: &str) -> Result<(), SimError> {
        let mut world = self.inner.world();
        world.ensure_account(actor, AccountKind::User);
        Ok(world.add_labels(repo, number, &[label.to_owned()], actor)?)
    }

    /// Removes a label.
    ///
    /// # Errors
    /// When it is not set.
    pub fn remove_label(&self, repo: &str, number: u64, label: &str, actor: &str) -> Result<(), SimError> {
        let mut world = self.inner.world();
        world.ensure_account(actor, AccountKind::User);
        Ok(world.remove_label(repo, number, label, actor)?)
    }

    /// Comments and returns the comment's number.
    ///
    /// # Errors
    /// When there is no such issue, or the text is refused.
    pub fn comment(&self, repo: &str, number: u64, author: &str, body: &str) -> Result<u64, SimError> {
        let mut world = self.inner.world();
        world.ensure_account(author, AccountKind::User);
        Ok(world.comment(repo, number, author, body)?)
    }

    /// Edits a comment.
    ///
    /// # Errors
    /// When there is no such comment.
    pub fn edit_comment(&self, repo: &str, id: u64, editor: &str, body: &str) -> Result<(), SimError> {
        Ok(self.inner.world().edit_comment(repo, id, editor, body)?)
    }

    /// Deletes a comment.
    ///
    /// # Errors
    /// When there is no such comment.
    pub fn delete_comment(&self, repo: &str, id: u64) -> Result<(), SimError> {
        let mut world = self.inner.world();
        let (number, position) = world.find_comment(repo, id)?;
        world.thread_mut(repo, number)?.comments.remove(position);
        Ok(())
    }

    /// Edits title or body of an issue or pull request.
    ///
    /// # Errors
    /// When there is no such issue, or the text is refused.
    pub fn edit_issue(
        &self,
        repo: &str,
        number: u64,
        editor: &str,
        title: Option<&str>,
        body: Option<&str>,
    ) -> Result<(), SimError> {
        let mut world = self.inner.world();
        world.ensure_account(editor, AccountKind::User);
        Ok(world.edit_text(repo, number, editor, title, body)?)
    }

    /// Closes an issue, or a pull request without merging it.
    ///
    /// # Errors
    /// When there is no such thread, or it is merged.
    pub fn close(&self, repo: &str, number: u64, actor: &str) -> Result<(), SimError> {
        let mut world = self.inner.world();
        world.ensure_account(actor, AccountKind::User);
        Ok(world.set_open(repo, number, actor, false, None)?)
    }

    /// Opens it again.
    ///
    /// # Errors
    /// When there is no such thread, or it is merged.
    pub fn reopen(&self, repo: &str, number: u64, actor: &str) -> Result<(), SimError> {
        Ok(self.inner.world().set_open(repo, number, actor, true, None)?)
    }

    /// Deletes an issue: it answers 410 from then on.
    ///
    /// # Errors
    /// When there is no such issue.
    pub fn delete_issue(&self, repo: &str, number: u64) -> Result<(), SimError> {
        self.inner.world().thread_mut(repo, number)?.deleted = true;
        Ok(())
    }

    /// Opens a pull request as a person and returns its number.
    ///
    /// # Errors
    /// As GitHub: no such branch, nothing to merge, open already.
    pub fn open_pull(
        &self,
        repo: &str,
        author: &str,
        title: &str,
        body: &str,
        head: &str,
        base: &str,
    ) -> Result<u64, SimError> {
        let mut world = self.inner.world();
        world.ensure_account(author, AccountKind::User);
        Ok(world.open_pull(repo, author, title, Some(body), head, base, false)?)
    }

    /// Merges a pull request as a person and returns the merge commit.
    ///
    /// # Errors
    /// When it is a draft, closed or in conflict.
    pub fn merge(&self, repo: &str, number: u64, actor: &str) -> Result<String, SimError> {
        let mut world = self.inner.world();
        world.ensure_account(actor, AccountKind::User);
        Ok(world.merge_pull(repo, number, actor, false)?)
    }

    /// Points a pull request at another base branch, as a person does.
    ///
    /// # Errors
    /// When there is no such pull request or no such branch.
    pub fn retarget(&self, repo: &str, number: u64, base: &str) -> Result<(), SimError> {
        let mut world = self.inner.world();
        let at = world.clock.now();
        let tip = world.repo(repo)?.refs.get(&format!("refs/heads/{base}")).cloned();
        let issue = world.thread_mut(repo, number)?;
        let (Some(pull), Some(tip)) = (issue.pull.as_mut(), tip) else {
            return Err(SimError::Refused { status: 422, message: "no such pull request or branch".to_owned() });
        };
        (pull.base_ref, pull.base) = (base.to_owned(), tip);
        issue.updated_at = at;
        Ok(())
    }

    /// Commits to a branch as a person and pushes; `None` removes a file. A branch that is not there starts at the default branch. Returns the commit.
    ///
    /// # Errors
    /// When there is no such repository, or git refuses.
    pub fn push(
        &self,
        repo: &str,
        branch: &str,
        author: &str,
        message: &str,
        files: &[(&str, Option<&str>)],
    ) -> Result<String, SimError> {
        let mut world = self.inner.world();
        world.ensure_account(author, AccountKind::User);
        let at = world.clock.now();
        let target = world.repo(repo)?;
        let tip = |name: &str| target.refs.get(&format!("refs/heads/{name}"));
        let parent = tip(branch).or_else(|| tip(&target.default_branch)).cloned();
        let files: Vec<_> =
            files.iter().map(|(path, text)| ((*path).to_owned(), text.map(|t| t.as_bytes().to_vec()))).collect();
        let email = format!("{author}@users.noreply.github.com");
        let sha = target.git.commit_files(branch, parent.as_deref(), (author, &email, at), message, &files)?;
        world.sync_refs(repo, author)?;
        Ok(sha)
    }

    /// Moves a ref by force, or deletes it; for what only a person with bad manners does.
    ///
    /// # Errors
    /// When git refuses.
    pub fn set_ref(&self, repo: &str, name: &str, to: Option<&str>, actor: &str) -> Result<(), SimError> {
        let mut world = self.inner.world();
        let to = to.unwrap_or(super::git::ZERO).to_owned();
        world.repo(repo)?.git.update_refs(&[(name.to_owned(), to, None)])?;
        Ok(world.sync_refs(repo, actor)?)
    }

    /// Makes a board of an organisation with these columns and returns its number.
    pub fn board(&self, org: &str, title: &str, columns: &[&str]) -> u64 {
        let mut world = self.inner.world();
        world.ensure_account(org, AccountKind::Organization);
        let (id, field) = (world.id(), world.id());
        let options = columns.iter().map(|c| (format!("{:08x}", world.id()), (*c).to_owned())).collect();
        let number = 1 + world.boards.iter().filter(|b| b.owner.eq_ignore_ascii_case(org)).count() as u64;
        let created_at = world.clock.now();
        world.boards.push(Board {
            id,
            number,
            owner: org.to_owned(),
            title: title.to_owned(),
            field,
            options,
            cards: Vec::new(),
            created_at,
        });
        number
    }

    /// Puts an issue on a board (once), in a column or without one.
    ///
    /// # Errors
    /// When there is no such board, issue or column.
    pub fn card(&self, org: &str, board: u64, repo: &str, number: u64, column: Option<&str>) -> Result<(), SimError> {
        let mut world = self.inner.world();
        world.thread(repo, number)?;
        let repo = world.repo(repo)?.full_name();
        let (id, at) = (world.id(), world.clock.now());
        let found = |b: &&mut Board| b.owner.eq_ignore_ascii_case(org) && b.number == board;
        let board = world.boards.iter_mut().find(found).ok_or_else(Refusal::not_found)?;
        if column.is_some_and(|c| !board.options.iter().any(|(_, name)| name == c)) {
            return Err(Refusal::new(422, "no such column").into());
        }
        let column = column.map(str::to_owned);
        if let Some(card) = board.cards.iter_mut().find(|c| c.repo == repo && c.number == number) {
            card.status = column;
            card.updated_at = at;
            return Ok(());
        }
        board.cards.push(Card { id, repo, number, status: column, created_at: at, updated_at: at, redacted: false });
        Ok(())
    }

    /// Shows a card as REDACTED.
    ///
    /// # Errors
    /// When there is no such card.
    pub fn redact_card(&self, org: &str, board: u64, repo: &str, number: u64) -> Result<(), SimError> {
        let mut world = self.inner.world();
        let found = |b: &&mut Board| b.owner.eq_ignore_ascii_case(org) && b.number == board;
        let board = world.boards.iter_mut().find(found).ok_or_else(Refusal::not_found)?;
        let card = board.cards.iter_mut().find(|c| c.repo.eq_ignore_ascii_case(repo) && c.number == number);
        card.ok_or_else(Refusal::not_found)?.redacted = true;
        Ok(())
    }
}
