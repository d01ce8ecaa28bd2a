//! GraphQL: documents are parsed for real and carried out over the same state as REST, field by field.

mod board;
mod exec;
mod mutation;
mod object;
mod repository;
mod thread;

use super::{
    auth::Who,
    rest::{charge, identity, limits},
    server::{Answer, Call},
    world::World,
};
use apollo_compiler::ast::{Definition, Document, OperationType, Selection};
use serde_json::{Value, json};

/// Why a field is null: GitHub's error type and message.
#[derive(Debug, Clone)]
struct Trouble(&'static str, String);

impl From<super::notice::Refusal> for Trouble {
    fn from(refusal: super::notice::Refusal) -> Self {
        let kind = match refusal.status {
            401 | 403 => "FORBIDDEN",
            404 | 410 => "NOT_FOUND",
            _ => "UNPROCESSABLE",
        };
        let entry = refusal.errors.as_ref().and_then(|e| e.get(0)).cloned().unwrap_or(Value::Null);
        let detail = entry.get("message").and_then(Value::as_str).or_else(|| entry.as_str());
        Self(kind, detail.map_or(refusal.message, str::to_owned))
    }
}

/// The operation's name (or that of its first field) and whether it changes anything.
pub(crate) fn peek(body: &[u8]) -> (String, bool) {
    let anonymous = || (String::new(), false);
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return anonymous() };
    let text = body.get("query").and_then(Value::as_str).unwrap_or_default();
    let Ok(document) = Document::parse(text, "query") else { return anonymous() };
    for definition in &document.definitions {
        let Definition::OperationDefinition(operation) = definition else { continue };
        let first = operation.selection_set.iter().find_map(|s| match s {
            Selection::Field(field) => Some(field.name.to_string()),
            Selection::FragmentSpread(_) | Selection::InlineFragment(_) => None,
        });
        let name = operation.name.as_ref().map(ToString::to_string).or(first).unwrap_or_default();
        return (name, operation.operation_type == OperationType::Mutation);
    }
    anonymous()
}

pub(crate) fn answer(world: &mut World, call: &Call) -> Answer {
    let refuse = |status: u16, message: &str| {
        Answer::json(
            status,
            &json!({ "message": message, "documentation_url": "https://docs.github.com/graphql", "status": status.to_string() }),
        )
    };
    if call.method != "POST" {
        return refuse(404, "Not Found");
    }
    let who = match Who::from_header(world, call.header("authorization")) {
        Ok(who) if who.token.is_some() => who,
        Ok(_) => return refuse(401, "This endpoint requires you to be authenticated."),
        Err(refusal) => return refuse(refusal.status, &refusal.message),
    };
    let Ok(body) = serde_json::from_slice::<Value>(&call.body) else { return refuse(400, "Problems parsing JSON") };
    let used = charge(world, &who, "graphql", 1);
    let value = if used > world.limit {
        let id = who.login().and_then(|l| world.account(l)).map_or(0, |a| a.id);
        let message = format!("API rate limit exceeded for user ID {id}.");
        json!({ "errors": [{ "type": "RATE_LIMITED", "message": message }] })
    } else {
        exec::run(world, &who, &body)
    };
    let answer = limits(world, Answer::json(200, &value), used, "graphql");
    let answer = answer.with("x-github-media-type", "github.v4; format=json");
    identity(answer.with("x-github-request-id", format!("SIM:{used:08X}")), &who)
}
