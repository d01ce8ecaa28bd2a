//! Projects v2: boards, their status field, their items.

use super::{
    Trouble,
    exec::Cx,
    object::{Args, At, Val, connection, leaf, null, object, plain},
    repository::{Field, actor, text},
};
use crate::github::{Board, Card, notice::Refusal, render::node_id};
use serde_json::{Value, json};

/// Whether the token may look at (or change) the boards of an owner.
pub(super) fn allowed(cx: &Cx<'_>, owner: &str, permission: &str) -> Result<(), Trouble> {
    cx.who.allowed(None, permission)?;
    let listed = cx.world.members.iter().any(|(org, _)| crate::github::ops::same(org, owner));
    let pair = (owner.to_lowercase(), cx.who.login().unwrap_or_default().to_lowercase());
    if listed && !cx.world.members.contains(&pair) {
        return Err(Refusal::not_found().into());
    }
    Ok(())
}

pub(super) fn find<'a>(cx: &'a Cx<'_>, id: u64) -> Result<&'a Board, Trouble> {
    Ok(cx.world.boards.iter().find(|b| b.id == id).ok_or_else(Refusal::not_found)?)
}

pub(super) fn node(cx: &Cx<'_>, prefix: &str, id: u64) -> Option<Result<Val, Trouble>> {
    let boards = cx.world.boards.iter();
    let (owner, value) = match prefix {
        "PVT" => boards.clone().find(|b| b.id == id).map(|b| (&b.owner, object("ProjectV2", At::Board(id))))?,
        "PVTSSF" => boards
            .clone()
            .find(|b| b.field == id)
            .map(|b| (&b.owner, object("ProjectV2SingleSelectField", At::Field(b.id))))?,
        "PVTI" => boards
            .clone()
            .find(|b| b.cards.iter().any(|c| c.id == id))
            .map(|b| (&b.owner, object("ProjectV2Item", At::Card(b.id, id))))?,
        _ => return None,
    };
    Some(allowed(cx, owner, "organization_projects=read").map(|()| value))
}

pub(super) fn by_number(cx: &Cx<'_>, owner: &str, args: &Args) -> Result<Val, Trouble> {
    allowed(cx, owner, "organization_projects=read")?;
    let number = args.get("number").and_then(Value::as_u64).unwrap_or_default();
    let found = cx.world.boards.iter().find(|b| b.owner.eq_ignore_ascii_case(owner) && b.number == number);
    let missing = || Trouble("NOT_FOUND", format!("Could not resolve to a ProjectV2 with the number {number}."));
    Ok(object("ProjectV2", At::Board(found.ok_or_else(missing)?.id)))
}

pub(super) fn all(cx: &Cx<'_>, owner: &str, args: &Args) -> Result<Val, Trouble> {
    allowed(cx, owner, "organization_projects=read")?;
    let all = cx.world.boards.iter().filter(|b| b.owner.eq_ignore_ascii_case(owner));
    connection("ProjectV2Connection", "projectsV2", all.map(|b| object("ProjectV2", At::Board(b.id))).collect(), args)
}

/// The items that show an issue or pull request.
pub(super) fn of_thread(cx: &Cx<'_>, full: &str, number: u64, name: &str, args: &Args) -> Result<Val, Trouble> {
    let mut all = Vec::new();
    for board in &cx.world.boards {
        let here = |c: &&Card| c.number == number && c.repo.eq_ignore_ascii_case(full);
        if let Some(card) = board.cards.iter().find(here) {
            allowed(cx, &board.owner, "organization_projects=read")?;
            all.push(object("ProjectV2Item", At::Card(board.id, card.id)));
        }
    }
    connection("ProjectV2ItemConnection", name, all, args)
}

fn title_field(board: &Board) -> Val {
    plain(
        "ProjectV2Field",
        [
            ("id", leaf(node_id("PVTF", board.field))),
            ("name", leaf("Title")),
            ("dataType", leaf("TITLE")),
            ("createdAt", leaf(board.created_at.to_string())),
            ("updatedAt", leaf(board.created_at.to_string())),
        ],
    )
}

pub(super) fn board(cx: &mut Cx<'_>, id: u64, name: &str, args: &Args) -> Field {
    let board = find(cx, id)?;
    let status = || object("ProjectV2SingleSelectField", At::Field(id));
    let value = match name {
        "id" => leaf(node_id("PVT", id)),
        "databaseId" => leaf(id),
        "number" => leaf(board.number),
        "title" => leaf(board.title.clone()),
        "url" => leaf(format!("{}/orgs/{}/projects/{}", cx.world.base_url, board.owner, board.number)),
        "closed" | "public" | "template" => leaf(false),
        "readme" | "shortDescription" | "closedAt" => null(),
        "createdAt" | "updatedAt" => leaf(board.created_at.to_string()),
        "viewerCanUpdate" => leaf(allowed(cx, &board.owner, "organization_projects=write").is_ok()),
        "owner" => actor(cx, &board.owner),
        "field" => match text(args, "name") {
            name if name.eq_ignore_ascii_case("status") => status(),
            name if name.eq_ignore_ascii_case("title") => title_field(board),
            _ => null(),
        },
        "fields" => {
            connection("ProjectV2FieldConfigurationConnection", name, vec![title_field(board), status()], args)?
        }
        "items" => {
            let all = board.cards.iter().map(|c| object("ProjectV2Item", At::Card(id, c.id))).collect();
            connection("ProjectV2ItemConnection", name, all, args)?
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

pub(super) fn field(cx: &mut Cx<'_>, id: u64, name: &str, args: &Args) -> Field {
    let board = find(cx, id)?;
    let value = match name {
        "id" => leaf(node_id("PVTSSF", board.field)),
        "databaseId" => leaf(board.field),
        "name" => leaf("Status"),
        "dataType" => leaf("SINGLE_SELECT"),
        "createdAt" | "updatedAt" => leaf(board.created_at.to_string()),
        "project" => object("ProjectV2", At::Board(id)),
        "options" => {
            let wanted = super::repository::texts(args, "names");
            let fits = |name: &String| wanted.as_ref().is_none_or(|w| w.contains(name));
            let one = |(id, name): &(String, String)| {
                plain(
                    "ProjectV2SingleSelectFieldOption",
                    [
                        ("id", leaf(id.clone())),
                        ("name", leaf(name.clone())),
                        ("color", leaf("GRAY")),
                        ("description", leaf("")),
                    ],
                )
            };
            Val::List(board.options.iter().filter(|(_, name)| fits(name)).map(one).collect())
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn card_of(board: &Board, id: u64) -> Result<&Card, Trouble> {
    // Cards are appended with growing ids: boards of 10,000 are read item by item.
    let at = board.cards.binary_search_by_key(&id, |c| c.id).map_err(|_| Refusal::not_found())?;
    Ok(board.cards.get(at).ok_or_else(Refusal::not_found)?)
}

pub(super) fn card(cx: &mut Cx<'_>, board_id: u64, id: u64, name: &str, args: &Args) -> Field {
    let board = find(cx, board_id)?;
    let card = card_of(board, id)?;
    let seen = cx.world.repo(&card.repo).is_ok_and(|r| cx.who.sees(cx.world, r)) && !card.redacted;
    let thread = cx.world.thread(&card.repo, card.number).ok().filter(|_| seen);
    let kind = thread.map(|t| if t.pull.is_some() { "PullRequest" } else { "Issue" });
    let status = || match (&card.status, seen) {
        (Some(_), true) => object("ProjectV2ItemFieldSingleSelectValue", At::CardStatus(board_id, id)),
        _ => null(),
    };
    let value = match name {
        "id" => leaf(node_id("PVTI", id)),
        "databaseId" => leaf(id),
        "fullDatabaseId" => leaf(id.to_string()),
        "type" => leaf(match kind {
            Some("PullRequest") => "PULL_REQUEST",
            Some(_) => "ISSUE",
            None => "REDACTED",
        }),
        "isArchived" => leaf(false),
        "createdAt" => leaf(card.created_at.to_string()),
        "updatedAt" => leaf(card.updated_at.to_string()),
        "project" => object("ProjectV2", At::Board(board_id)),
        "content" => kind.map_or_else(null, |k| object(k, At::Thread(card.repo.clone(), card.number))),
        "fieldValueByName" if text(args, "name").eq_ignore_ascii_case("status") => status(),
        "fieldValueByName" => null(),
        "fieldValues" => {
            let all = if card.status.is_some() && seen { vec![status()] } else { Vec::new() };
            connection("ProjectV2ItemFieldValueConnection", name, all, args)?
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

pub(super) fn status(cx: &mut Cx<'_>, board_id: u64, id: u64, name: &str) -> Field {
    let board = find(cx, board_id)?;
    let card = card_of(board, id)?;
    let option = board.options.iter().find(|(_, name)| Some(name) == card.status.as_ref());
    let value = match name {
        "id" => leaf(node_id("PVTFSV", id)),
        "name" => leaf(json!(card.status)),
        "optionId" => leaf(json!(option.map(|(id, _)| id))),
        "color" => leaf("GRAY"),
        "description" => leaf(""),
        "createdAt" => leaf(card.created_at.to_string()),
        "updatedAt" => leaf(card.updated_at.to_string()),
        "field" => object("ProjectV2SingleSelectField", At::Field(board_id)),
        "item" => object("ProjectV2Item", At::Card(board_id, id)),
        _ => return Ok(None),
    };
    Ok(Some(value))
}
