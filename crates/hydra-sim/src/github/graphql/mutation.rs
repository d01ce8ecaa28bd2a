//! What GraphQL changes: refs by compare-and-swap, drafts, review threads, cards.

use super::{
    Trouble, board,
    exec::Cx,
    object::{Args, At, Obj, Val, leaf, object, plain},
    repository::{Field, as_object, needs, node},
};
use crate::github::{Card, Role, auth::Kind, notice::Refusal};
use serde_json::{Map, Value};

type Input = Map<String, Value>;

fn text<'a>(input: &'a Input, name: &str) -> &'a str {
    input.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn run(cx: &mut Cx<'_>, name: &str, args: &Args) -> Field {
    let input = args.get("input").and_then(Value::as_object).cloned().unwrap_or_default();
    let result = match name {
        "updateRefs" => update_refs(cx, &input)?,
        "markPullRequestReadyForReview" => draft(cx, &input, false)?,
        "convertPullRequestToDraft" => draft(cx, &input, true)?,
        "resolveReviewThread" => resolve(cx, &input, true)?,
        "unresolveReviewThread" => resolve(cx, &input, false)?,
        "addProjectV2ItemById" => add_card(cx, &input)?,
        "updateProjectV2ItemFieldValue" => move_card(cx, &input)?,
        "deleteProjectV2Item" => delete_card(cx, &input)?,
        _ => return Ok(None),
    };
    let (kind, field) = result;
    let client = leaf(input.get("clientMutationId").cloned().unwrap_or(Value::Null));
    let payload = match field {
        Some((name, value)) => plain(kind, [("clientMutationId", client), (name, value)]),
        None => plain(kind, [("clientMutationId", client)]),
    };
    Ok(Some(payload))
}

type Payload = Result<(&'static str, Option<(&'static str, Val)>), Trouble>;

/// Permission, role, and a repository that still takes writes.
fn writable(cx: &Cx<'_>, repo: &str, permission: &str) -> Result<String, Trouble> {
    needs(cx, repo, permission)?;
    let target = cx.world.repo(repo)?;
    if target.archived {
        return Err(Refusal::new(403, "Repository was archived so is read-only.").into());
    }
    let Some(token) = &cx.who.token else { return Err(Refusal::new(401, "Requires authentication").into()) };
    if cx.who.role(cx.world, target) < Role::Write {
        return Err(token.refusal().into());
    }
    Ok(token.login.clone())
}

fn find(cx: &Cx<'_>, id: &str) -> Result<Obj, Trouble> {
    let value = node(cx, id)?;
    as_object(&value).cloned().ok_or_else(|| Refusal::not_found().into())
}

fn wrong(id: &str, kind: &str) -> Trouble {
    Trouble("NOT_FOUND", format!("Could not resolve to {kind} node with the global id of '{id}'."))
}

fn update_refs(cx: &mut Cx<'_>, input: &Input) -> Payload {
    let id = text(input, "repositoryId");
    let At::Repo(repo) = find(cx, id)?.at else { return Err(wrong(id, "Repository")) };
    let actor = writable(cx, &repo, "contents=write")?;
    let updates = input.get("refUpdates").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut moves = Vec::new();
    for update in &updates {
        let part = |name: &str| update.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(name), Some(after)) = (part("name"), part("afterOid")) else {
            return Err(Refusal::new(422, "name and afterOid are required").into());
        };
        let force = update.get("force").and_then(Value::as_bool).unwrap_or(false);
        moves.push((name, after, part("beforeOid"), force));
    }
    cx.world.swap_refs(&repo, &moves, &actor)?;
    Ok(("UpdateRefsPayload", None))
}

fn draft(cx: &mut Cx<'_>, input: &Input, draft: bool) -> Payload {
    let id = text(input, "pullRequestId");
    let At::Thread(repo, number) = find(cx, id)?.at else { return Err(wrong(id, "PullRequest")) };
    let author = cx.world.pull(&repo, number)?.0.author.clone();
    needs(cx, &repo, "pull_requests=write")?;
    if cx.who.token.as_ref().is_some_and(|t| t.kind == Kind::Installation) {
        needs(cx, &repo, "contents=write")?;
    }
    let actor = match cx.who.login() {
        Some(login) if login == author => login.to_owned(),
        _ => writable(cx, &repo, "pull_requests=write")?,
    };
    cx.world.set_draft(&repo, number, &actor, draft)?;
    let kind = if draft { "ConvertPullRequestToDraftPayload" } else { "MarkPullRequestReadyForReviewPayload" };
    Ok((kind, Some(("pullRequest", object("PullRequest", At::Thread(repo, number))))))
}

fn resolve(cx: &mut Cx<'_>, input: &Input, resolved: bool) -> Payload {
    let id = text(input, "threadId");
    let At::ReviewThread(repo, number, thread) = find(cx, id)?.at else {
        return Err(wrong(id, "PullRequestReviewThread"));
    };
    let actor = writable(cx, &repo, "contents=write")?;
    needs(cx, &repo, "pull_requests=write")?;
    let pull = cx.world.pull_mut(&repo, number)?;
    for found in pull.threads.iter_mut().filter(|t| t.id == thread) {
        found.resolved_by = resolved.then(|| actor.clone());
    }
    let kind = if resolved { "ResolveReviewThreadPayload" } else { "UnresolveReviewThreadPayload" };
    Ok((kind, Some(("thread", object("PullRequestReviewThread", At::ReviewThread(repo, number, thread))))))
}

fn add_card(cx: &mut Cx<'_>, input: &Input) -> Payload {
    let (project, content) = (text(input, "projectId"), text(input, "contentId"));
    let At::Board(id) = find(cx, project)?.at else { return Err(wrong(project, "ProjectV2")) };
    let At::Thread(repo, number) = find(cx, content)?.at else { return Err(wrong(content, "ProjectV2ItemContent")) };
    let owner = board::find(cx, id)?.owner.clone();
    board::allowed(cx, &owner, "organization_projects=write")?;
    let (new, at) = (cx.world.id(), cx.world.clock.now());
    let found = cx.world.boards.iter_mut().find(|b| b.id == id).ok_or_else(Refusal::not_found)?;
    let known = found.cards.iter().find(|c| c.repo == repo && c.number == number).map(|c| c.id);
    let card = known.unwrap_or(new);
    if known.is_none() {
        found.cards.push(Card { id: new, repo, number, status: None, created_at: at, updated_at: at, redacted: false });
    }
    Ok(("AddProjectV2ItemByIdPayload", Some(("item", object("ProjectV2Item", At::Card(id, card))))))
}

/// The board and item that an input names, writable.
fn card_of(cx: &Cx<'_>, input: &Input) -> Result<(u64, u64), Trouble> {
    let (project, item) = (text(input, "projectId"), text(input, "itemId"));
    let At::Board(id) = find(cx, project)?.at else { return Err(wrong(project, "ProjectV2")) };
    let At::Card(home, card) = find(cx, item)?.at else { return Err(wrong(item, "ProjectV2Item")) };
    if home != id {
        return Err(wrong(item, "ProjectV2Item"));
    }
    let owner = board::find(cx, id)?.owner.clone();
    board::allowed(cx, &owner, "organization_projects=write")?;
    Ok((id, card))
}

fn move_card(cx: &mut Cx<'_>, input: &Input) -> Payload {
    let (id, card) = card_of(cx, input)?;
    let field = text(input, "fieldId");
    let At::Field(home) = find(cx, field)?.at else { return Err(wrong(field, "ProjectV2SingleSelectField")) };
    if home != id {
        return Err(wrong(field, "ProjectV2SingleSelectField"));
    }
    let option = input.get("value").and_then(|v| v.get("singleSelectOptionId")).and_then(Value::as_str);
    let at = cx.world.clock.now();
    let found = cx.world.boards.iter_mut().find(|b| b.id == id).ok_or_else(Refusal::not_found)?;
    let name = found.options.iter().find(|(o, _)| Some(o.as_str()) == option).map(|(_, name)| name.clone());
    let Some(name) = name else {
        return Err(Trouble("VALIDATION", "The single select option Id does not belong to the field".to_owned()));
    };
    for item in found.cards.iter_mut().filter(|c| c.id == card) {
        item.status = Some(name.clone());
        item.updated_at = at;
    }
    Ok(("UpdateProjectV2ItemFieldValuePayload", Some(("projectV2Item", object("ProjectV2Item", At::Card(id, card))))))
}

fn delete_card(cx: &mut Cx<'_>, input: &Input) -> Payload {
    let (id, card) = card_of(cx, input)?;
    if let Some(found) = cx.world.boards.iter_mut().find(|b| b.id == id) {
        found.cards.retain(|c| c.id != card);
    }
    Ok(("DeleteProjectV2ItemPayload", Some(("deletedItemId", leaf(text(input, "itemId"))))))
}
