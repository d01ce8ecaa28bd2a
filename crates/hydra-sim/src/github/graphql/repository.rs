//! The root, accounts, repositories, labels, refs, commits and what is said of commits.

use super::{
    Trouble, board,
    exec::Cx,
    object::{Args, At, Obj, Val, connection, leaf, null, object, plain},
    thread,
};
use crate::github::{
    AccountKind, Role,
    records::Repo,
    render::{self, node_id, parse_node_id},
};
use serde_json::{Value, json};

pub(super) type Field = Result<Option<Val>, Trouble>;

pub(super) fn text<'a>(args: &'a Args, name: &str) -> &'a str {
    args.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The texts of a list argument; a single one counts as a list.
pub(super) fn texts(args: &Args, name: &str) -> Option<Vec<String>> {
    match args.get(name)? {
        Value::Array(items) => Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        Value::String(one) => Some(vec![one.clone()]),
        _ => None,
    }
}

fn not_found(message: String) -> Trouble {
    Trouble("NOT_FOUND", message)
}

/// The account as an `Actor`: a bot is called by its App's name without the suffix.
pub(super) fn actor(cx: &Cx<'_>, login: &str) -> Val {
    let Some(account) = cx.world.account(login) else { return null() };
    let kind = match account.kind {
        AccountKind::User => "User",
        AccountKind::Organization => "Organization",
        AccountKind::Bot => "Bot",
    };
    object(kind, At::Account(account.login.clone()))
}

/// The repository, when this one may see it.
fn visible(cx: &Cx<'_>, name: &str) -> Result<String, Trouble> {
    let renamed = cx.world.renamed.get(&name.to_lowercase()).and_then(|id| cx.world.repo_by_id(*id));
    let found = cx.world.repos.get(&name.to_lowercase()).or(renamed);
    let seen = found.filter(|r| cx.who.sees(cx.world, r)).map(Repo::full_name);
    seen.ok_or_else(|| not_found(format!("Could not resolve to a Repository with the name '{name}'.")))
}

pub(super) fn query(cx: &mut Cx<'_>, name: &str, args: &Args) -> Field {
    let value = match name {
        "viewer" => {
            let login = cx.who.login().unwrap_or_default().to_owned();
            object("User", At::Account(login))
        }
        "repository" => {
            object("Repository", At::Repo(visible(cx, &format!("{}/{}", text(args, "owner"), text(args, "name")))?))
        }
        "organization" => {
            let login = text(args, "login");
            let found = cx.world.account(login).filter(|a| a.kind == AccountKind::Organization);
            let missing = || not_found(format!("Could not resolve to an Organization with the login of '{login}'."));
            object("Organization", At::Account(found.ok_or_else(missing)?.login.clone()))
        }
        "user" => {
            let login = text(args, "login");
            let found = cx.world.account(login).filter(|a| a.kind == AccountKind::User);
            let missing = || not_found(format!("Could not resolve to a User with the login of '{login}'."));
            object("User", At::Account(found.ok_or_else(missing)?.login.clone()))
        }
        "repositoryOwner" => actor(cx, text(args, "login")),
        "node" => node(cx, text(args, "id"))?,
        "nodes" => {
            let ids = texts(args, "ids").unwrap_or_default();
            Val::List(ids.iter().map(|id| node(cx, id)).collect::<Result<_, _>>()?)
        }
        "rateLimit" => {
            let used = crate::github::rest::charge(cx.world, cx.who, "graphql", 0);
            let limit = cx.world.limit;
            let reset = cx.world.clock.now().as_second();
            let reset = jiff::Timestamp::from_second(reset - reset.rem_euclid(3_600) + 3_600);
            plain(
                "RateLimit",
                [
                    ("cost", leaf(1)),
                    ("limit", leaf(limit)),
                    ("used", leaf(used)),
                    ("remaining", leaf(limit.saturating_sub(used))),
                    ("nodeCount", leaf(1)),
                    ("resetAt", leaf(reset.map(|t| t.to_string()).unwrap_or_default())),
                ],
            )
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

/// Finds an object by its node id; one that this account may not see is not there.
pub(super) fn node(cx: &Cx<'_>, id: &str) -> Result<Val, Trouble> {
    let missing = || not_found(format!("Could not resolve to a node with the global id of '{id}'"));
    if let Some((prefix @ ("U" | "O" | "BOT"), number)) = parse_node_id(id) {
        let found = cx.world.accounts.values().find(|a| a.id == number && !prefix.is_empty());
        return found.map(|a| actor(cx, &a.login)).ok_or_else(missing);
    }
    let (prefix, number) = parse_node_id(id).ok_or_else(missing)?;
    if let Some(found) = board::node(cx, prefix, number) {
        return found;
    }
    for repo in cx.world.repos.values().filter(|r| cx.who.sees(cx.world, r)) {
        let name = repo.full_name();
        match prefix {
            "R" if repo.id == number => return Ok(object("Repository", At::Repo(name))),
            "LA" if repo.labels.iter().any(|l| l.id == number) => return Ok(object("Label", At::Label(name, number))),
            "R" | "LA" => continue,
            _ => {}
        }
        for issue in repo.issues.values().filter(|i| !i.deleted) {
            if let Some(found) = thread::node(&name, issue, prefix, number) {
                return Ok(found);
            }
        }
    }
    Err(missing())
}

pub(super) fn account(cx: &mut Cx<'_>, login: &str, name: &str, args: &Args) -> Field {
    let Some(account) = cx.world.account(login) else { return Ok(Some(null())) };
    let bot = account.kind == AccountKind::Bot;
    let prefix = match account.kind {
        AccountKind::User => "U",
        AccountKind::Organization => "O",
        AccountKind::Bot => "BOT",
    };
    let viewer = cx.who.login() == Some(login);
    let value = match name {
        "id" => leaf(node_id(prefix, account.id)),
        "databaseId" => leaf(account.id),
        "login" if bot && !viewer => leaf(login.trim_end_matches("[bot]")),
        "login" => leaf(account.login.clone()),
        "name" | "email" => null(),
        "createdAt" | "updatedAt" => leaf(account.created_at.to_string()),
        "url" => leaf(format!("{}/{}", cx.world.base_url, account.login)),
        "resourcePath" => leaf(format!("/{}", account.login)),
        "avatarUrl" => leaf(format!("{}/avatars/u/{}", cx.world.base_url, account.id)),
        "projectV2" if !bot => return board::by_number(cx, login, args).map(Some),
        "projectsV2" if !bot => return board::all(cx, login, args).map(Some),
        "repository" if !bot => {
            let full = visible(cx, &format!("{login}/{}", text(args, "name")))?;
            object("Repository", At::Repo(full))
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

/// Holds the token against a permission, as the fields of a repository do.
pub(super) fn needs(cx: &Cx<'_>, repo: &str, permission: &str) -> Result<(), Trouble> {
    Ok(cx.who.allowed(Some(cx.world.repo(repo)?), permission)?)
}

pub(super) fn repo(cx: &mut Cx<'_>, full: &str, name: &str, args: &Args) -> Field {
    let repo = cx.world.repo(full)?;
    let tip = |reference: &str| match repo.refs.contains_key(reference) {
        true => object("Ref", At::Ref(full.to_owned(), reference.to_owned())),
        false => null(),
    };
    let value = match name {
        "id" => leaf(node_id("R", repo.id)),
        "databaseId" => leaf(repo.id),
        "name" => leaf(repo.name.clone()),
        "nameWithOwner" => leaf(full),
        "owner" => actor(cx, &repo.owner),
        "url" => leaf(format!("{}/{full}", cx.world.base_url)),
        "isPrivate" => leaf(repo.private),
        "isArchived" => leaf(repo.archived),
        "isEmpty" => leaf(repo.refs.is_empty()),
        "visibility" => leaf(if repo.private { "PRIVATE" } else { "PUBLIC" }),
        "createdAt" => leaf(repo.created_at.to_string()),
        "updatedAt" => leaf(repo.updated_at.to_string()),
        "pushedAt" => leaf(repo.pushed_at.to_string()),
        "defaultBranchRef" => tip(&format!("refs/heads/{}", repo.default_branch)),
        "viewerPermission" => match cx.who.role(cx.world, repo) {
            Role::None => null(),
            role => leaf(format!("{role:?}").to_uppercase()),
        },
        "ref" => {
            needs(cx, full, "contents=read")?;
            let wanted = text(args, "qualifiedName");
            let candidates = [wanted.to_owned(), format!("refs/{wanted}"), format!("refs/heads/{wanted}")];
            let found = candidates.iter().find(|c| c.starts_with("refs/") && repo.refs.contains_key(*c));
            found.map_or_else(null, |f| tip(f))
        }
        "refs" => {
            needs(cx, full, "contents=read")?;
            let prefix = text(args, "refPrefix");
            let all = repo.refs.keys().filter(|n| n.starts_with(prefix));
            let all = all.map(|n| object("Ref", At::Ref(full.to_owned(), n.clone()))).collect();
            connection("RefConnection", name, all, args)?
        }
        "object" => {
            needs(cx, full, "contents=read")?;
            let expression = args.get("expression").or_else(|| args.get("oid")).and_then(Value::as_str);
            let sha = expression.and_then(|e| repo.git.resolve(e));
            sha.map_or_else(null, |sha| object("Commit", At::Commit(full.to_owned(), sha)))
        }
        "labels" => {
            let all = repo.labels.iter().map(|l| object("Label", At::Label(full.to_owned(), l.id))).collect();
            connection("LabelConnection", name, all, args)?
        }
        "label" => {
            let wanted = text(args, "name");
            let found = repo.labels.iter().find(|l| crate::github::ops::same(&l.name, wanted));
            found.map_or_else(null, |l| object("Label", At::Label(full.to_owned(), l.id)))
        }
        "issue" | "pullRequest" | "issueOrPullRequest" => thread::one(cx, full, name, args)?,
        "issues" | "pullRequests" => thread::many(cx, full, name, args)?,
        _ => return Ok(None),
    };
    Ok(Some(value))
}

pub(super) fn label(cx: &mut Cx<'_>, full: &str, id: u64, name: &str) -> Field {
    let repo = cx.world.repo(full)?;
    let Some(label) = repo.labels.iter().find(|l| l.id == id) else { return Ok(Some(null())) };
    let value = match name {
        "id" => leaf(node_id("LA", id)),
        "name" => leaf(label.name.clone()),
        "color" => leaf(label.color.clone()),
        "description" => leaf(json!(label.description)),
        "isDefault" => leaf(false),
        "url" => leaf(format!("{}/{full}/labels/{}", cx.world.base_url, render::encode(&label.name))),
        "repository" => object("Repository", At::Repo(full.to_owned())),
        _ => return Ok(None),
    };
    Ok(Some(value))
}

pub(super) fn reference(cx: &mut Cx<'_>, full: &str, reference: &str, name: &str) -> Field {
    let repo = cx.world.repo(full)?;
    let (prefix, short) = match reference.splitn(3, '/').collect::<Vec<_>>().as_slice() {
        [refs, space, short] => (format!("{refs}/{space}/"), (*short).to_owned()),
        _ => (String::new(), reference.to_owned()),
    };
    let value = match name {
        "id" => leaf(node_id("REF", repo.id) + reference),
        "name" => leaf(short),
        "prefix" => leaf(prefix),
        "repository" => object("Repository", At::Repo(full.to_owned())),
        "target" => match repo.refs.get(reference) {
            Some(sha) if repo.git.kind(sha).as_deref() == Some("commit") => {
                object("Commit", At::Commit(full.to_owned(), sha.clone()))
            }
            Some(sha) => plain("Blob", [("oid", leaf(sha.clone())), ("id", leaf(format!("B_kwSim{sha}")))]),
            None => null(),
        },
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn has_checks(repo: &Repo, sha: &str) -> bool {
    repo.statuses.iter().any(|s| s.sha == sha) || repo.checks.iter().any(|c| c.sha == sha)
}

/// What the statuses and check runs of a commit come to, or null where there are none.
pub(super) fn rollup_of(cx: &Cx<'_>, full: &str, sha: &str) -> Result<Val, Trouble> {
    let repo = cx.world.repo(full)?;
    Ok(match has_checks(repo, sha) {
        true => object("StatusCheckRollup", At::Rollup(full.to_owned(), sha.to_owned())),
        false => null(),
    })
}

pub(super) fn commit(cx: &mut Cx<'_>, full: &str, sha: &str, name: &str) -> Field {
    if name == "statusCheckRollup" {
        return rollup_of(cx, full, sha).map(Some);
    }
    let repo = cx.world.repo(full)?;
    if name == "oid" {
        return Ok(Some(leaf(sha)));
    }
    let Some(parts) = repo.git.commit(sha) else { return Ok(Some(null())) };
    let person = |p: &(String, String, String)| {
        let fields =
            [("name", leaf(p.0.clone())), ("email", leaf(p.1.clone())), ("date", leaf(p.2.clone())), ("user", null())];
        plain("GitActor", fields)
    };
    let headline = parts.message.lines().next().unwrap_or_default().to_owned();
    let value = match name {
        "id" => leaf(format!("C_kwSim{sha}")),
        "abbreviatedOid" => leaf(sha.get(..7).unwrap_or(sha)),
        "message" => leaf(parts.message),
        "messageHeadline" => leaf(headline),
        "messageBody" => leaf(parts.message.split_once('\n').map_or("", |(_, b)| b.trim_start_matches('\n'))),
        "committedDate" => leaf(parts.committer.2),
        "authoredDate" => leaf(parts.author.2),
        "author" => person(&parts.author),
        "committer" => person(&parts.committer),
        "url" | "commitUrl" => leaf(format!("{}/{full}/commit/{sha}", cx.world.base_url)),
        "tree" => plain("Tree", [("oid", leaf(parts.tree.clone())), ("id", leaf(format!("T_kwSim{}", parts.tree)))]),
        "repository" => object("Repository", At::Repo(full.to_owned())),
        _ => return Ok(None),
    };
    Ok(Some(value))
}

pub(super) fn rollup(cx: &mut Cx<'_>, full: &str, sha: &str, name: &str, args: &Args) -> Field {
    let repo = cx.world.repo(full)?;
    let statuses = render::newest(repo, sha);
    let checks: Vec<_> = repo
        .checks
        .iter()
        .filter(|c| c.sha == sha && !repo.checks.iter().any(|o| o.sha == sha && o.name == c.name && o.id > c.id))
        .collect();
    let value = match name {
        "id" => leaf(format!("SCR_kwSim{sha}")),
        "commit" => object("Commit", At::Commit(full.to_owned(), sha.to_owned())),
        "state" => {
            let bad = |c: &str| !matches!(c, "success" | "neutral" | "skipped");
            let failed = checks.iter().any(|c| c.conclusion.as_deref().is_some_and(bad));
            let running = checks.iter().any(|c| c.conclusion.is_none());
            let of_statuses = if statuses.is_empty() { "success" } else { render::combined(&statuses) };
            let state = match of_statuses {
                "failure" => "FAILURE",
                _ if failed => "FAILURE",
                "pending" => "PENDING",
                _ if running => "PENDING",
                _ => "SUCCESS",
            };
            leaf(state)
        }
        "contexts" => {
            let mut all: Vec<Val> =
                checks.iter().map(|c| object("CheckRun", At::Check(full.to_owned(), c.id))).collect();
            all.extend(statuses.iter().map(|s| object("StatusContext", At::Status(full.to_owned(), s.id))));
            connection("StatusCheckRollupContextConnection", name, all, args)?
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

pub(super) fn status(cx: &mut Cx<'_>, full: &str, id: u64, name: &str) -> Field {
    let repo = cx.world.repo(full)?;
    let Some(status) = repo.statuses.iter().find(|s| s.id == id) else { return Ok(Some(null())) };
    let value = match name {
        "id" => leaf(node_id("SC", id)),
        "context" => leaf(status.context.clone()),
        "state" => leaf(status.state.to_uppercase()),
        "description" => leaf(json!(status.description)),
        "targetUrl" => leaf(json!(status.target_url)),
        "createdAt" => leaf(status.created_at.to_string()),
        "creator" => actor(cx, &status.creator),
        "isRequired" => leaf(repo.protected.values().flatten().any(|c| *c == status.context)),
        "commit" => object("Commit", At::Commit(full.to_owned(), status.sha.clone())),
        _ => return Ok(None),
    };
    Ok(Some(value))
}

pub(super) fn check(cx: &mut Cx<'_>, full: &str, id: u64, name: &str) -> Field {
    let repo = cx.world.repo(full)?;
    let Some(check) = repo.checks.iter().find(|c| c.id == id) else { return Ok(Some(null())) };
    let value = match name {
        "id" => leaf(node_id("CR", id)),
        "databaseId" => leaf(id),
        "name" => leaf(check.name.clone()),
        "status" => leaf(check.status.to_uppercase()),
        "conclusion" => leaf(json!(check.conclusion.as_ref().map(|c| c.to_uppercase()))),
        "externalId" => leaf(json!(check.external_id)),
        "title" => leaf(json!(check.title)),
        "summary" => leaf(json!(check.summary)),
        "text" => leaf(json!(check.text)),
        "detailsUrl" => leaf(json!(check.details_url)),
        "startedAt" => leaf(render::time(check.started_at)),
        "completedAt" => leaf(render::time(check.completed_at)),
        "isRequired" => leaf(repo.protected.values().flatten().any(|c| *c == check.name)),
        "url" | "permalink" => leaf(format!("{}/{full}/runs/{id}", cx.world.base_url)),
        "checkSuite" => {
            let app =
                plain("App", [("slug", leaf(check.app.trim_end_matches("[bot]"))), ("name", leaf(check.app.clone()))]);
            plain("CheckSuite", [("id", leaf(node_id("CS", id))), ("app", app)])
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

/// The object of a value, where it is one.
pub(super) fn as_object(value: &Val) -> Option<&Obj> {
    match value {
        Val::Obj(object) => Some(object),
        Val::Leaf(_) | Val::List(_) => None,
    }
}
