//! REST objects with every field that GitHub promises.

mod check;
mod commit;
mod issue;
mod pull;

pub(crate) use check::{check_run, combined, combined_status, context_green, newest, status};
pub(crate) use commit::{changed_file, commit, git_commit, git_ref};
pub(crate) use issue::{comment, event, issue, timeline};
pub(crate) use pull::{pull, review, review_comment};

use super::{
    Role,
    auth::Who,
    records::{AccountKind, Label, Repo},
    world::World,
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// An opaque node id: the type's prefix and the number.
pub(crate) fn node_id(prefix: &str, id: u64) -> String {
    format!("{prefix}_kwSim{id:010}")
}

/// Takes a node id apart again.
pub(crate) fn parse_node_id(text: &str) -> Option<(&str, u64)> {
    let (prefix, rest) = text.split_once("_kwSim")?;
    Some((prefix, rest.parse().ok()?))
}

pub(crate) fn time(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |t| json!(t.to_string()))
}

fn put(map: &mut Map<String, Value>, fields: &[(&str, Value)]) {
    for (name, value) in fields {
        map.insert((*name).to_owned(), value.clone());
    }
}

/// `simple-user`; an unknown login is shown as GitHub's ghost.
pub(crate) fn user(world: &World, login: &str) -> Value {
    let account = world.account(login);
    let (login, id) = account.map_or(("ghost", 10_137), |a| (a.login.as_str(), a.id));
    let kind = account.map_or(AccountKind::User, |a| a.kind);
    let (prefix, kind) = match kind {
        AccountKind::User => ("U", "User"),
        AccountKind::Organization => ("O", "Organization"),
        AccountKind::Bot => ("BOT", "Bot"),
    };
    let api = format!("{}/users/{login}", world.base_url);
    let mut map = Map::new();
    put(
        &mut map,
        &[
            ("login", json!(login)),
            ("id", json!(id)),
            ("node_id", json!(node_id(prefix, id))),
            ("avatar_url", json!(format!("{}/avatars/u/{id}", world.base_url))),
            ("gravatar_id", json!("")),
            ("url", json!(api)),
            ("html_url", json!(format!("{}/{login}", world.base_url))),
            ("following_url", json!(format!("{api}/following%7B/other_user%7D"))),
            ("gists_url", json!(format!("{api}/gists%7B/gist_id%7D"))),
            ("starred_url", json!(format!("{api}/starred%7B/owner%7D%7B/repo%7D"))),
            ("events_url", json!(format!("{api}/events%7B/privacy%7D"))),
            ("type", json!(kind)),
            ("user_view_type", json!("public")),
            ("site_admin", json!(false)),
        ],
    );
    for name in ["followers", "subscriptions", "repos", "received_events"] {
        map.insert(format!("{name}_url"), json!(format!("{api}/{name}")));
    }
    map.insert("organizations_url".into(), json!(format!("{api}/orgs")));
    Value::Object(map)
}

/// The user who asks, as `GET /user` shows it (the public half).
pub(crate) fn whole_user(world: &World, login: &str) -> Value {
    let mut value = user(world, login);
    let since = world.account(login).map_or(Timestamp::UNIX_EPOCH, |a| a.created_at);
    if let Some(map) = value.as_object_mut() {
        for name in ["name", "company", "location", "email", "hireable", "bio", "twitter_username"] {
            map.insert(name.into(), Value::Null);
        }
        for name in ["public_repos", "public_gists", "followers", "following"] {
            map.insert(name.into(), json!(0));
        }
        let rest =
            [("blog", json!("")), ("created_at", json!(since.to_string())), ("updated_at", json!(since.to_string()))];
        put(map, &rest);
    }
    value
}

/// A repository: the fields of `minimal-`, plain and `full-repository` together.
pub(crate) fn repo(world: &World, repo: &Repo, who: &Who) -> Value {
    let full = repo.full_name();
    let api = format!("{}/repos/{full}", world.base_url);
    let html = format!("{}/{full}", world.base_url);
    let role = who.role(world, repo);
    let open = repo.issues.values().filter(|i| i.open && !i.deleted).count();
    let mut map = Map::new();
    put(
        &mut map,
        &[
            ("id", json!(repo.id)),
            ("node_id", json!(node_id("R", repo.id))),
            ("name", json!(repo.name)),
            ("full_name", json!(full)),
            ("owner", user(world, &repo.owner)),
            ("private", json!(repo.private)),
            ("visibility", json!(if repo.private { "private" } else { "public" })),
            ("html_url", json!(html)),
            ("url", json!(api)),
            ("clone_url", json!(format!("{html}.git"))),
            ("git_url", json!(format!("git://{}.git", html.trim_start_matches("http://")))),
            ("ssh_url", json!(format!("git@localhost:{full}.git"))),
            ("svn_url", json!(html)),
            ("default_branch", json!(repo.default_branch)),
            ("open_issues_count", json!(open)),
            ("open_issues", json!(open)),
            ("archived", json!(repo.archived)),
            ("pushed_at", json!(repo.pushed_at.to_string())),
            ("created_at", json!(repo.created_at.to_string())),
            ("updated_at", json!(repo.updated_at.to_string())),
            ("topics", json!([])),
            (
                "permissions",
                json!({
                    "admin": role >= Role::Admin, "maintain": role >= Role::Maintain, "push": role >= Role::Write,
                    "triage": role >= Role::Triage, "pull": role >= Role::Read,
                }),
            ),
        ],
    );
    for name in ["description", "homepage", "language", "license", "mirror_url"] {
        map.insert(name.into(), Value::Null);
    }
    for name in
        ["fork", "disabled", "has_wiki", "has_pages", "has_discussions", "is_template", "web_commit_signoff_required"]
    {
        map.insert(name.into(), json!(false));
    }
    for name in ["has_issues", "has_projects", "has_downloads", "allow_forking"] {
        map.insert(name.into(), json!(true));
    }
    for name in [
        "forks",
        "forks_count",
        "stargazers_count",
        "watchers",
        "watchers_count",
        "size",
        "subscribers_count",
        "network_count",
    ] {
        map.insert(name.into(), json!(0));
    }
    for (name, path) in REPO_URLS {
        map.insert(format!("{name}_url"), json!(format!("{api}/{path}")));
    }
    Value::Object(map)
}

// The braces of RFC 6570 templates are escaped: octocrab parses these fields as plain URLs.
const REPO_URLS: &[(&str, &str)] = &[
    ("archive", "%7Barchive_format%7D%7B/ref%7D"),
    ("assignees", "assignees%7B/user%7D"),
    ("blobs", "git/blobs%7B/sha%7D"),
    ("branches", "branches%7B/branch%7D"),
    ("collaborators", "collaborators%7B/collaborator%7D"),
    ("comments", "comments%7B/number%7D"),
    ("commits", "commits%7B/sha%7D"),
    ("compare", "compare/%7Bbase%7D...%7Bhead%7D"),
    ("contents", "contents/%7B+path%7D"),
    ("contributors", "contributors"),
    ("deployments", "deployments"),
    ("downloads", "downloads"),
    ("events", "events"),
    ("forks", "forks"),
    ("git_commits", "git/commits%7B/sha%7D"),
    ("git_refs", "git/refs%7B/sha%7D"),
    ("git_tags", "git/tags%7B/sha%7D"),
    ("hooks", "hooks"),
    ("issue_comment", "issues/comments%7B/number%7D"),
    ("issue_events", "issues/events%7B/number%7D"),
    ("issues", "issues%7B/number%7D"),
    ("keys", "keys%7B/key_id%7D"),
    ("labels", "labels%7B/name%7D"),
    ("languages", "languages"),
    ("merges", "merges"),
    ("milestones", "milestones%7B/number%7D"),
    ("notifications", "notifications%7B?since,all,participating%7D"),
    ("pulls", "pulls%7B/number%7D"),
    ("releases", "releases%7B/id%7D"),
    ("stargazers", "stargazers"),
    ("statuses", "statuses/%7Bsha%7D"),
    ("subscribers", "subscribers"),
    ("subscription", "subscription"),
    ("tags", "tags"),
    ("teams", "teams"),
    ("trees", "git/trees%7B/sha%7D"),
];

/// A label of a repository.
pub(crate) fn label(world: &World, repo: &Repo, label: &Label) -> Value {
    json!({
        "id": label.id,
        "node_id": node_id("LA", label.id),
        "url": format!("{}/repos/{}/labels/{}", world.base_url, repo.full_name(), encode(&label.name)),
        "name": label.name,
        "description": label.description,
        "color": label.color,
        "default": false,
    })
}

/// Percent-encodes one path segment.
pub(crate) fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// How the author stands to the repository.
pub(crate) fn association(world: &World, repo: &Repo, login: &str) -> &'static str {
    if repo.owner.eq_ignore_ascii_case(login) {
        return "OWNER";
    }
    match world.role(repo, login) {
        Role::Admin | Role::Maintain | Role::Write => "MEMBER",
        Role::Triage => "COLLABORATOR",
        Role::Read | Role::None => "NONE",
    }
}

/// The App behind a bot.
pub(crate) fn app(world: &World, bot: &str) -> Value {
    let Some(account) = world.account(bot) else { return Value::Null };
    let slug = account.login.trim_end_matches("[bot]");
    let since = account.created_at.to_string();
    let owner = world.accounts.values().find(|a| a.kind == AccountKind::Organization).map_or("ghost", |a| &a.login);
    json!({
        "id": account.id,
        "slug": slug,
        "node_id": node_id("A", account.id),
        "owner": user(world, owner),
        "name": slug,
        "description": null,
        "external_url": format!("{}/apps/{slug}", world.base_url),
        "html_url": format!("{}/apps/{slug}", world.base_url),
        "created_at": since,
        "updated_at": since,
        "permissions": { "metadata": "read" },
        "events": [],
    })
}

/// The App that a login acts through, or null for a person.
pub(crate) fn via_app(world: &World, login: &str) -> Value {
    match world.account(login).map(|a| a.kind) {
        Some(AccountKind::Bot) => app(world, login),
        Some(AccountKind::User | AccountKind::Organization) | None => Value::Null,
    }
}
