//! What changes state, whoever asks for it: REST, GraphQL, a push or a test. Preconditions of GitHub's own hold here; permissions are looked at before.

use super::{
    git::ZERO,
    notice::Refusal,
    records::{Comment, Edit, Event, Issue, Label, Pull},
    world::World,
};

/// GitHub's limit for bodies, in characters.
pub(crate) const MAX_BODY: usize = 65_536;

pub(crate) fn check_body(resource: &str, body: &str) -> Result<(), Refusal> {
    if body.chars().count() > MAX_BODY {
        return Err(Refusal::custom(resource, &format!("body is too long (maximum is {MAX_BODY} characters)")));
    }
    Ok(())
}

impl World {
    /// Appends an event and touches the issue.
    pub(crate) fn event(&mut self, repo: &str, number: u64, actor: &str, event: &str) -> Result<&mut Event, Refusal> {
        let (id, at) = (self.id(), self.clock.now());
        let issue = self.thread_mut(repo, number)?;
        issue.updated_at = at;
        issue.events.push(Event {
            id,
            event: event.to_owned(),
            actor: actor.to_owned(),
            at,
            label: None,
            rename: None,
            commit: None,
        });
        issue.events.last_mut().ok_or_else(Refusal::not_found)
    }

    pub(crate) fn define_label(
        &mut self,
        repo: &str,
        name: &str,
        color: &str,
        description: Option<&str>,
    ) -> Result<Label, Refusal> {
        if name.trim().is_empty() {
            return Err(Refusal::invalid("Label", "name", "missing_field"));
        }
        if name.chars().count() > 50 {
            return Err(Refusal::invalid("Label", "name", "invalid"));
        }
        if color.len() != 6 || !color.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Refusal::invalid("Label", "color", "invalid"));
        }
        if description.is_some_and(|d| d.chars().count() > 100) {
            return Err(Refusal::invalid("Label", "description", "invalid"));
        }
        if self.repo(repo)?.labels.iter().any(|l| same(&l.name, name)) {
            return Err(Refusal::invalid("Label", "name", "already_exists"));
        }
        let label = Label {
            id: self.id(),
            name: name.to_owned(),
            color: color.to_owned(),
            description: description.map(str::to_owned),
        };
        self.repo_mut(repo)?.labels.push(label.clone());
        Ok(label)
    }

    /// Sets labels; unknown names are created, as GitHub does; those already set change nothing.
    pub(crate) fn add_labels(&mut self, repo: &str, number: u64, names: &[String], actor: &str) -> Result<(), Refusal> {
        self.thread(repo, number)?;
        for name in names {
            let known = self.repo(repo)?.labels.iter().find(|l| same(&l.name, name)).cloned();
            let label = match known {
                Some(label) => label,
                None => self.define_label(repo, name, "ededed", None)?,
            };
            let issue = self.thread_mut(repo, number)?;
            if issue.labels.iter().any(|l| same(l, &label.name)) {
                continue;
            }
            if issue.labels.len() >= 100 {
                return Err(Refusal::custom("Issue", "labels: an issue may have at most 100 labels"));
            }
            issue.labels.push(label.name.clone());
            self.event(repo, number, actor, "labeled")?.label = Some((label.name, label.color));
        }
        Ok(())
    }

    pub(crate) fn remove_label(&mut self, repo: &str, number: u64, name: &str, actor: &str) -> Result<(), Refusal> {
        let issue = self.thread_mut(repo, number)?;
        let Some(at) = issue.labels.iter().position(|l| same(l, name)) else {
            return Err(Refusal::new(404, "Label does not exist"));
        };
        let name = issue.labels.remove(at);
        let color =
            self.repo(repo)?.labels.iter().find(|l| l.name == name).map(|l| l.color.clone()).unwrap_or_default();
        self.event(repo, number, actor, "unlabeled")?.label = Some((name, color));
        Ok(())
    }

    pub(crate) fn open_issue(
        &mut self,
        repo: &str,
        author: &str,
        title: &str,
        body: Option<&str>,
    ) -> Result<u64, Refusal> {
        if title.trim().is_empty() {
            return Err(Refusal::invalid("Issue", "title", "missing_field"));
        }
        check_body("Issue", body.unwrap_or_default())?;
        let (id, at) = (self.id(), self.clock.now());
        let repo = self.repo_mut(repo)?;
        let number = repo.next_number;
        repo.next_number += 1;
        let issue = Issue {
            id,
            number,
            title: title.to_owned(),
            body: body.map(str::to_owned),
            author: author.to_owned(),
            open: true,
            state_reason: None,
            labels: Vec::new(),
            comments: Vec::new(),
            events: Vec::new(),
            edits: Vec::new(),
            created_at: at,
            updated_at: at,
            closed_at: None,
            closed_by: None,
            deleted: false,
            pull: None,
        };
        repo.issues.insert(number, issue);
        Ok(number)
    }

    pub(crate) fn comment(&mut self, repo: &str, number: u64, author: &str, body: &str) -> Result<u64, Refusal> {
        if body.trim().is_empty() {
            return Err(Refusal::custom("IssueComment", "body can't be blank"));
        }
        check_body("IssueComment", body)?;
        let (id, at) = (self.id(), self.clock.now());
        let issue = self.thread_mut(repo, number)?;
        issue.updated_at = at;
        issue.comments.push(Comment {
            id,
            author: author.to_owned(),
            body: body.to_owned(),
            created_at: at,
            updated_at: at,
            edits: Vec::new(),
        });
        Ok(id)
    }

    /// Finds a conversation comment by its number: the thread's number and the position in it.
    pub(crate) fn find_comment(&self, repo: &str, id: u64) -> Result<(u64, usize), Refusal> {
        let issues = self.repo(repo)?.issues.values();
        let mut hits = issues.filter_map(|i| i.comments.iter().position(|c| c.id == id).map(|at| (i.number, at)));
        hits.next().ok_or_else(Refusal::not_found)
    }

    pub(crate) fn edit_comment(&mut self, repo: &str, id: u64, editor: &str, body: &str) -> Result<(), Refusal> {
        check_body("IssueComment", body)?;
        let (number, position) = self.find_comment(repo, id)?;
        let (edit, at) = (self.id(), self.clock.now());
        let issue = self.thread_mut(repo, number)?;
        issue.updated_at = at;
        let comment = issue.comments.get_mut(position).ok_or_else(Refusal::not_found)?;
        body.clone_into(&mut comment.body);
        comment.updated_at = at;
        comment.edits.push(Edit { id: edit, editor: editor.to_owned(), at, text: body.to_owned() });
        Ok(())
    }

    pub(crate) fn edit_text(
        &mut self,
        repo: &str,
        number: u64,
        editor: &str,
        title: Option<&str>,
        body: Option<&str>,
    ) -> Result<(), Refusal> {
        if let Some(body) = body {
            check_body("Issue", body)?;
            let (id, at) = (self.id(), self.clock.now());
            let issue = self.thread_mut(repo, number)?;
            if issue.body.as_deref() != Some(body) {
                issue.body = Some(body.to_owned());
                issue.updated_at = at;
                issue.edits.push(Edit { id, editor: editor.to_owned(), at, text: body.to_owned() });
            }
        }
        if let Some(title) = title {
            if title.trim().is_empty() {
                return Err(Refusal::invalid("Issue", "title", "missing_field"));
            }
            let issue = self.thread_mut(repo, number)?;
            if issue.title != title {
                let old = std::mem::replace(&mut issue.title, title.to_owned());
                self.event(repo, number, editor, "renamed")?.rename = Some((old, title.to_owned()));
            }
        }
        Ok(())
    }

    pub(crate) fn set_open(
        &mut self,
        repo: &str,
        number: u64,
        actor: &str,
        open: bool,
        reason: Option<&str>,
    ) -> Result<(), Refusal> {
        let at = self.clock.now();
        let issue = self.thread_mut(repo, number)?;
        if issue.open == open {
            return Ok(());
        }
        if issue.pull.as_ref().is_some_and(|p| p.merged_at.is_some()) {
            return Err(Refusal::custom("PullRequest", "state cannot be changed. The pull request has been merged."));
        }
        issue.open = open;
        issue.closed_at = (!open).then_some(at);
        issue.closed_by = (!open).then(|| actor.to_owned());
        issue.state_reason = match (open, issue.pull.is_some()) {
            (_, true) => None,
            (true, false) => Some("reopened".to_owned()),
            (false, false) => Some(reason.unwrap_or("completed").to_owned()),
        };
        self.event(repo, number, actor, if open { "reopened" } else { "closed" })?;
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of GitHub's own call")]
    pub(crate) fn open_pull(
        &mut self,
        repo: &str,
        author: &str,
        title: &str,
        body: Option<&str>,
        head: &str,
        base: &str,
        draft: bool,
    ) -> Result<u64, Refusal> {
        let target = self.repo(repo)?;
        let (owner, drafts) = (target.owner.clone(), target.drafts);
        let head = match head.split_once(':') {
            Some((o, branch)) if o.eq_ignore_ascii_case(&owner) => branch,
            Some(_) => return Err(Refusal::invalid("PullRequest", "head", "invalid")),
            None => head,
        };
        let tip = |branch: &str| target.refs.get(&format!("refs/heads/{branch}")).cloned();
        let Some(base_sha) = tip(base) else { return Err(Refusal::invalid("PullRequest", "base", "invalid")) };
        let Some(head_sha) = tip(head) else { return Err(Refusal::invalid("PullRequest", "head", "invalid")) };
        let twin = |i: &Issue| i.open && i.pull.as_ref().is_some_and(|p| p.head_ref == head && p.base_ref == base);
        if target.issues.values().any(twin) {
            let message = format!("A pull request already exists for {owner}:{head}.");
            return Err(Refusal::custom("PullRequest", &message));
        }
        if draft && !drafts {
            return Err(Refusal::custom("PullRequest", "Draft pull requests are not supported in this repository."));
        }
        if target.git.count(&base_sha, &head_sha) == 0 {
            return Err(Refusal::custom("PullRequest", &format!("No commits between {base} and {head}")));
        }
        let (head, base) = (head.to_owned(), base.to_owned());
        let number = self.open_issue(repo, author, title, body)?;
        let id = self.id();
        self.thread_mut(repo, number)?.pull = Some(Pull {
            id,
            head_ref: head,
            head: head_sha.clone(),
            base_ref: base,
            base: base_sha,
            draft,
            merged_at: None,
            merged_by: None,
            merge_commit: None,
            reviews: Vec::new(),
            threads: Vec::new(),
            mergeable_asked: None,
        });
        let repo = self.repo_mut(repo)?;
        repo.git.update_refs(&[(format!("refs/pull/{number}/head"), head_sha.clone(), None)])?;
        repo.refs.insert(format!("refs/pull/{number}/head"), head_sha);
        Ok(number)
    }

    pub(crate) fn set_draft(&mut self, repo: &str, number: u64, actor: &str, draft: bool) -> Result<(), Refusal> {
        let drafts = self.repo(repo)?.drafts;
        let (issue, pull) = self.pull(repo, number)?;
        if !issue.open {
            return Err(Refusal::custom("PullRequest", "Pull request is closed"));
        }
        if draft && !drafts {
            return Err(Refusal::custom("PullRequest", "Draft pull requests are not supported in this repository."));
        }
        if pull.draft == draft {
            return Ok(());
        }
        self.pull_mut(repo, number)?.draft = draft;
        self.event(repo, number, actor, if draft { "converted_to_draft" } else { "ready_for_review" })?;
        Ok(())
    }

    /// Whether head merges into base without conflict.
    pub(crate) fn merges(&mut self, repo: &str, base: &str, head: &str) -> Result<bool, Refusal> {
        let repo = self.repo(repo)?;
        let key = (repo.id, base.to_owned(), head.to_owned());
        if let Some(known) = self.merges.get(&key) {
            return Ok(*known);
        }
        let clean = repo.git.merge_tree(base, head).is_some();
        self.merges.insert(key, clean);
        Ok(clean)
    }

    /// Merges a pull request with a merge commit, or squashed.
    pub(crate) fn merge_pull(&mut self, repo: &str, number: u64, actor: &str, squash: bool) -> Result<String, Refusal> {
        let (issue, pull) = self.pull(repo, number)?;
        let not_mergeable = || Refusal::new(405, "Pull Request is not mergeable");
        if !issue.open || pull.draft {
            return Err(not_mergeable());
        }
        let (title, head, base, branch) =
            (issue.title.clone(), pull.head.clone(), pull.base.clone(), pull.base_ref.clone());
        let from = pull.head_ref.clone();
        let required = self.repo(repo)?.protected.get(&branch).cloned().unwrap_or_default();
        let green = |c: &String| self.repo(repo).is_ok_and(|r| super::render::context_green(r, &head, c));
        if let Some(missing) = required.iter().find(|c| !green(c)) {
            return Err(Refusal::new(405, format!("Required status check \"{missing}\" is expected.")));
        }
        let at = self.clock.now();
        let git = self.repo(repo)?.git.clone();
        let tree = git.merge_tree(&base, &head).ok_or_else(not_mergeable)?;
        let owner = self.repo(repo)?.owner.clone();
        let (message, parents) = if squash {
            (format!("{title} (#{number})"), vec![base.clone()])
        } else {
            (format!("Merge pull request #{number} from {owner}/{from}\n\n{title}"), vec![base.clone(), head])
        };
        let email = format!("{actor}@users.noreply.github.com");
        let sha = git.commit_tree(&tree, &parents, &message, (actor, &email, at))?;
        git.update_refs(&[(format!("refs/heads/{branch}"), sha.clone(), Some(base))])
            .map_err(|_| Refusal::new(409, "Base branch was modified. Review and try the merge again."))?;
        self.mark_merged(repo, number, actor, &sha)?;
        self.sync_refs(repo, actor)?;
        Ok(sha)
    }

    fn mark_merged(&mut self, repo: &str, number: u64, actor: &str, sha: &str) -> Result<(), Refusal> {
        let at = self.clock.now();
        let pull = self.pull_mut(repo, number)?;
        pull.merged_at = Some(at);
        pull.merged_by = Some(actor.to_owned());
        pull.merge_commit = Some(sha.to_owned());
        let issue = self.thread_mut(repo, number)?;
        issue.open = false;
        issue.closed_at = Some(at);
        issue.closed_by = Some(actor.to_owned());
        self.event(repo, number, actor, "merged")?.commit = Some(sha.to_owned());
        self.event(repo, number, actor, "closed")?;
        Ok(())
    }

    /// Reads the refs again after something moved them, and lets the pull requests follow.
    pub(crate) fn sync_refs(&mut self, name: &str, actor: &str) -> Result<(), Refusal> {
        let at = self.clock.now();
        let repo = self.repo_mut(name)?;
        let refs = repo.git.refs()?;
        if refs == repo.refs {
            return Ok(());
        }
        repo.refs = refs.clone();
        repo.pushed_at = at;
        repo.updated_at = at;
        let git = repo.git.clone();
        let open = |i: &&Issue| i.open && i.pull.is_some();
        let numbers: Vec<u64> = repo.issues.values().filter(open).map(|i| i.number).collect();
        for number in numbers {
            let (_, pull) = self.pull(name, number)?;
            let head = refs.get(&format!("refs/heads/{}", pull.head_ref)).cloned();
            let base = refs.get(&format!("refs/heads/{}", pull.base_ref)).cloned();
            let (old_head, old_base) = (pull.head.clone(), pull.base.clone());
            let (Some(head), Some(base)) = (head, base) else {
                self.set_open(name, number, actor, false, None)?;
                continue;
            };
            if head != old_head {
                self.pull_mut(name, number)?.head.clone_from(&head);
                self.thread_mut(name, number)?.updated_at = at;
                let reference = format!("refs/pull/{number}/head");
                git.update_refs(&[(reference.clone(), head.clone(), None)])?;
                self.repo_mut(name)?.refs.insert(reference, head.clone());
            }
            if base != old_base {
                self.pull_mut(name, number)?.base.clone_from(&base);
                if git.is_ancestor(&head, &base) {
                    self.mark_merged(name, number, actor, &base)?;
                }
            }
        }
        Ok(())
    }

    /// Moves refs atomically, as `updateRefs` does: (name, after, before, force).
    pub(crate) fn swap_refs(
        &mut self,
        repo: &str,
        updates: &[(String, String, Option<String>, bool)],
        actor: &str,
    ) -> Result<(), Refusal> {
        let target = self.repo(repo)?;
        for (name, after, before, force) in updates {
            if !name.starts_with("refs/") || name.starts_with("refs/pull/") {
                return Err(Refusal::new(422, format!("Reference name is not valid: {name}")));
            }
            let current = target.refs.get(name);
            let expected = before.as_deref().map(|b| (b != ZERO).then(|| b.to_owned()));
            if expected.is_some_and(|e| e.as_ref() != current) {
                return Err(Refusal::new(422, format!("Reference {name} does not point at the expected object")));
            }
            if after == ZERO {
                continue;
            }
            let Some(kind) = target.git.kind(after) else {
                return Err(Refusal::new(422, format!("Object does not exist: {after}")));
            };
            if name.starts_with("refs/heads/") && kind != "commit" {
                return Err(Refusal::new(422, "Reference update failed: not a commit"));
            }
            if current.is_some_and(|c| !force && !target.git.is_ancestor(c, after)) {
                return Err(Refusal::new(422, "Update is not a fast forward"));
            }
        }
        let moves: Vec<_> = updates.iter().map(|(n, a, b, _)| (n.clone(), a.clone(), b.clone())).collect();
        target
            .git
            .update_refs(&moves)
            .map_err(|e| Refusal::new(422, format!("Reference update failed: {}", e.message)))?;
        self.sync_refs(repo, actor)
    }
}

/// Labels and logins are compared without regard to case.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}
