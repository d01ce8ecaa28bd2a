//! Values between the state and the answer: leaves, lists and objects whose fields are looked up when they are asked for.

use super::Trouble;
use base64::Engine;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Arguments of a field, variables put in.
pub(super) type Args = Map<String, Value>;

/// A value before its selection is applied.
#[derive(Debug, Clone)]
pub(super) enum Val {
    Leaf(Value),
    Obj(Obj),
    List(Vec<Val>),
}

/// An object: its type's name and where it is found.
#[derive(Debug, Clone)]
pub(super) struct Obj {
    pub kind: &'static str,
    pub at: At,
}

/// Where an object is found. Repositories by `owner/name`, everything in them by number.
#[derive(Debug, Clone)]
pub(super) enum At {
    Query,
    Mutation,
    Account(String),
    Repo(String),
    Thread(String, u64),
    Comment(String, u64, u64),
    Event(String, u64, u64),
    Review(String, u64, u64),
    ReviewThread(String, u64, u64),
    ReviewComment(String, u64, u64),
    Edit(String, u64, u64),
    Label(String, u64),
    Ref(String, String),
    Commit(String, String),
    Rollup(String, String),
    Status(String, u64),
    Check(String, u64),
    Board(u64),
    Field(u64),
    Card(u64, u64),
    CardStatus(u64, u64),
    Plain(BTreeMap<&'static str, Val>),
}

pub(super) fn leaf(value: impl Into<Value>) -> Val {
    Val::Leaf(value.into())
}

pub(super) fn null() -> Val {
    Val::Leaf(Value::Null)
}

pub(super) fn object(kind: &'static str, at: At) -> Val {
    Val::Obj(Obj { kind, at })
}

pub(super) fn plain<const N: usize>(kind: &'static str, fields: [(&'static str, Val); N]) -> Val {
    object(kind, At::Plain(BTreeMap::from(fields)))
}

/// Whether a type satisfies a fragment's condition.
pub(super) fn satisfies(kind: &str, condition: &str) -> bool {
    if kind == condition {
        return true;
    }
    let members: &[&str] = match condition {
        "Node" => return !kind.ends_with("Connection") && !kind.ends_with("Payload") && kind != "PageInfo",
        "Actor" => &["User", "Bot", "Organization"],
        "RepositoryOwner" | "ProfileOwner" => &["User", "Organization"],
        "ProjectV2Owner" => &["User", "Organization", "Issue", "PullRequest"],
        "IssueOrPullRequest" | "ProjectV2ItemContent" | "Labelable" | "Closable" | "Assignable" | "Lockable" => {
            &["Issue", "PullRequest"]
        }
        "Comment" | "Updatable" | "UpdatableComment" | "Reactable" => {
            &["Issue", "PullRequest", "IssueComment", "PullRequestReview", "PullRequestReviewComment"]
        }
        "GitObject" => &["Commit", "Tree", "Blob", "Tag"],
        "StatusCheckRollupContext" | "RequirableByPullRequest" => &["StatusContext", "CheckRun"],
        "ProjectV2FieldCommon" | "ProjectV2FieldConfiguration" => &["ProjectV2Field", "ProjectV2SingleSelectField"],
        "ProjectV2ItemFieldValue" | "ProjectV2ItemFieldValueCommon" => &["ProjectV2ItemFieldSingleSelectValue"],
        _ => &[],
    };
    members.contains(&kind)
}

fn cursor(index: usize) -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("cursor:v2:{index}"))
}

fn index(cursor: &str) -> Option<usize> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(cursor).ok()?;
    String::from_utf8(bytes).ok()?.strip_prefix("cursor:v2:")?.parse().ok()
}

/// A page of a connection, by `first`/`after` or `last`/`before`; one of `first` and `last` is required, at most 100.
pub(super) fn connection(kind: &'static str, field: &str, all: Vec<Val>, args: &Args) -> Result<Val, Trouble> {
    let number = |name: &str| args.get(name).and_then(Value::as_u64).map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let (first, last) = (number("first"), number("last"));
    let Some(size) = first.or(last) else {
        let message =
            format!("You must provide a `first` or `last` value to properly paginate the `{field}` connection.");
        return Err(Trouble("MISSING_PAGINATION_BOUNDARIES", message));
    };
    if size > 100 {
        let name = if first.is_some() { "first" } else { "last" };
        let message =
            format!("Requesting {size} records on the `{field}` connection exceeds the `{name}` limit of 100 records.");
        return Err(Trouble("EXCESSIVE_PAGINATION", message));
    }
    let place = |name: &str| match args.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_str().and_then(index) {
            Some(index) => Ok(Some(index)),
            None => {
                let message = format!("`{}` does not appear to be a valid cursor.", value.as_str().unwrap_or_default());
                Err(Trouble("INVALID_CURSOR_ARGUMENTS", message))
            }
        },
    };
    let total = all.len();
    let mut from = place("after")?.map_or(0, |i| i + 1).min(total);
    let mut to = place("before")?.unwrap_or(total).min(total).max(from);
    if first.is_some() {
        to = to.min(from + size);
    } else {
        from = from.max(to.saturating_sub(size));
    }
    let nodes: Vec<Val> = all.into_iter().skip(from).take(to - from).collect();
    let edge = |(i, node): (usize, &Val)| plain("Edge", [("cursor", leaf(cursor(from + i))), ("node", node.clone())]);
    let edges = nodes.iter().enumerate().map(edge).collect();
    let at = |i: Option<usize>| i.map_or(Value::Null, |i| json!(cursor(i)));
    let page = plain(
        "PageInfo",
        [
            ("hasNextPage", leaf(to < total)),
            ("hasPreviousPage", leaf(from > 0)),
            ("startCursor", leaf(at((from < to).then_some(from)))),
            ("endCursor", leaf(at((from < to).then(|| to - 1)))),
        ],
    );
    Ok(plain(
        kind,
        [("nodes", Val::List(nodes)), ("edges", Val::List(edges)), ("pageInfo", page), ("totalCount", leaf(total))],
    ))
}
