//! The Projects v2 board, by GraphQL.

use crate::{
    client::Client,
    error::{error, hinted, malformed},
    github::{GitHub, refused},
    graphql::{at, label},
    queries,
    wire::{Connection, FullName},
};
use async_trait::async_trait;
use hydra_core::{
    IssueKey, IssueNumber,
    ports::{Board, ForgeError, ForgeErrorKind},
    view::Card,
};
use serde::Deserialize;
use serde_json::{Value, json};

const PROJECT: &str = "/repositoryOwner/projectV2";

#[derive(Debug, Deserialize)]
struct Field {
    id: String,
    options: Vec<FieldOption>,
}

#[derive(Debug, Deserialize)]
struct FieldOption {
    id: String,
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    is_archived: bool,
    content: Option<Content>,
    field_value_by_name: Option<Column>,
}

#[derive(Debug, Deserialize)]
struct Content {
    number: Option<u64>,
    repository: Option<FullName>,
}

/// A field that is not a single select answers with an empty object.
#[derive(Debug, Deserialize)]
struct Column {
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OwnItem {
    id: String,
    project: ProjectId,
    field_value_by_name: Option<Column>,
}

#[derive(Debug, Deserialize)]
struct ProjectId {
    id: String,
}

struct BoardFields {
    project: String,
    field: Field,
}

impl GitHub {
    fn project(&self) -> Result<(&str, u64), ForgeError> {
        let (owner, number) = self.config.project.as_ref().ok_or_else(|| {
            hinted(ForgeErrorKind::Missing, "no board is configured", "name the project's owner and number")
        })?;
        Ok((owner, *number))
    }

    async fn board_fields(&self, client: &Client) -> Result<BoardFields, ForgeError> {
        let (owner, number) = self.project()?;
        let field = &self.config.status_field;
        let call = label(queries::BOARD_FIELDS);
        let variables = json!({ "owner": owner, "number": number, "field": field });
        let data = client.query(queries::BOARD_FIELDS, variables).await?;
        let project: String = at(&call, &data, &format!("{PROJECT}/id")).map_err(|e| no_board(e, owner, number))?;
        let found = data.pointer(&format!("{PROJECT}/field")).filter(|f| f.get("id").is_some());
        let found = found.ok_or_else(|| {
            hinted(
                ForgeErrorKind::Missing,
                format!("the board {owner}/{number} has no single-select field {field:?}"),
                "add it to the board, or name another field in the configuration",
            )
        })?;
        let field = Field::deserialize(found).map_err(|e| malformed(&call, e))?;
        Ok(BoardFields { project, field })
    }

    /// The issue's node id, and its card on this board with its column, if it is on it.
    async fn card_of(
        &self,
        client: &Client,
        issue: &IssueKey,
        project: &str,
    ) -> Result<(String, Option<OwnItem>), ForgeError> {
        let call = label(queries::CARD_OF_ISSUE);
        let variables = json!({
            "owner": issue.repo.owner(), "name": issue.repo.name(), "number": issue.number.0,
            "field": self.config.status_field,
        });
        let data = client.query(queries::CARD_OF_ISSUE, variables.clone()).await?;
        let node: String = at(&call, &data, "/repository/issue/id")?;
        let place = "/repository/issue/projectItems";
        let first: Connection<OwnItem> = at(&call, &data, place)?;
        let more: Vec<OwnItem> = client.rest(queries::CARD_OF_ISSUE, variables, place, &first.page_info).await?;
        let own = first.nodes.into_iter().chain(more).find(|item| item.project.id == project);
        Ok((node, own))
    }
}

fn no_board(mut seen: ForgeError, owner: &str, number: u64) -> ForgeError {
    if seen.kind == ForgeErrorKind::Missing {
        seen = hinted(
            ForgeErrorKind::Missing,
            format!("there is no board {owner}/{number}"),
            "look at its number, and at the token's permission for the organisation's projects",
        );
    }
    seen
}

#[async_trait]
impl Board for GitHub {
    async fn cards(&self) -> Result<Vec<Card>, ForgeError> {
        let client = self.reader()?;
        let (owner, number) = self.project()?;
        let call = label(queries::BOARD_ITEMS);
        let variables = json!({ "owner": owner, "number": number, "field": self.config.status_field });
        let data = client.query(queries::BOARD_ITEMS, variables.clone()).await?;
        let place = format!("{PROJECT}/items");
        // A nameless node would be an item that is there and cannot be seen: decoding it fails, as it should.
        let first: Connection<Item> = at(&call, &data, &place).map_err(|e| no_board(e, owner, number))?;
        let more: Vec<Item> = client.rest(queries::BOARD_ITEMS, variables, &place, &first.page_info).await?;
        let mut cards = Vec::new();
        for item in first.nodes.into_iter().chain(more) {
            match item.kind.as_str() {
                "ISSUE" if item.is_archived => {}
                "ISSUE" => cards.push(card(&call, item)?),
                "DRAFT_ISSUE" | "PULL_REQUEST" => {}
                "REDACTED" => {
                    tracing::warn!(item = %item.id, "an item of the board cannot be seen with this token: it is left out");
                }
                other => return Err(malformed(&call, format!("unknown item type {other:?}"))),
            }
        }
        Ok(cards)
    }

    async fn columns(&self) -> Result<Vec<String>, ForgeError> {
        let fields = self.board_fields(self.reader()?).await?;
        Ok(fields.field.options.into_iter().map(|o| o.name).collect())
    }

    async fn place(&self, issue: &IssueKey, column: &str) -> Result<bool, ForgeError> {
        let client = self.reader()?;
        let _turn = client.applying.lock().await;
        let fields = self.board_fields(client).await?;
        let option = fields.field.options.iter().find(|o| o.name == column).ok_or_else(|| {
            let known: Vec<&str> = fields.field.options.iter().map(|o| o.name.as_str()).collect();
            hinted(
                ForgeErrorKind::Missing,
                format!("the board has no column {column:?}"),
                format!("it has {}", known.join(", ")),
            )
        })?;
        let (node, held) = self.card_of(client, issue, &fields.project).await?;
        let item = match held {
            Some(item) if item.field_value_by_name.as_ref().and_then(|c| c.name.as_deref()) == Some(column) => {
                return Ok(false);
            }
            Some(item) => item.id,
            None => {
                // Adding is idempotent at GitHub: a lost answer is asked for again by reading.
                let added =
                    sent(client, queries::ADD_CARD, json!({ "project": fields.project, "content": node })).await;
                match added {
                    Ok(data) => at(&label(queries::ADD_CARD), &data, "/addProjectV2ItemById/item/id")?,
                    Err(e) => match self.card_of(client, issue, &fields.project).await?.1 {
                        Some(item) => item.id,
                        None => return Err(refused(e)),
                    },
                }
            }
        };
        let move_to = json!({
            "project": fields.project, "item": item, "field": fields.field.id, "option": option.id,
        });
        if let Err(e) = sent(client, queries::MOVE_CARD, move_to).await {
            let now = self.card_of(client, issue, &fields.project).await?.1;
            let there = now.and_then(|i| i.field_value_by_name).and_then(|c| c.name);
            if there.as_deref() != Some(column) {
                return Err(refused(e));
            }
        }
        Ok(true)
    }
}

async fn sent(client: &Client, document: &str, variables: Value) -> Result<Value, ForgeError> {
    let reply = client.mutate(document, variables).await?;
    match reply.failed {
        Some(e) => Err(e),
        None => Ok(reply.data),
    }
}

fn card(call: &str, item: Item) -> Result<Card, ForgeError> {
    let content = item.content.and_then(|c| Some((c.number?, c.repository?)));
    let (number, repository) = content
        .ok_or_else(|| error(ForgeErrorKind::Malformed, format!("{call}: the item {} shows no issue", item.id)))?;
    Ok(Card {
        id: item.id,
        issue: IssueKey { repo: crate::convert::id(call, &repository.name_with_owner)?, number: IssueNumber(number) },
        column: item.field_value_by_name.and_then(|c| c.name),
    })
}
