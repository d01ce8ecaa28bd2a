//! GraphQL on the same client: an answer may hold data and errors at once, and says limits with status 200.

use crate::{
    client::{Client, Patience, Reply},
    error::{error, from_graphql, malformed, now},
    wire::{Connection, GraphError, PageInfo},
};
use hydra_core::ports::{ForgeError, ForgeErrorKind};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// An answer, both halves kept.
#[derive(Debug)]
pub(crate) struct GraphReply {
    pub(crate) data: Value,
    /// What GitHub's errors come to, if there are any.
    pub(crate) failed: Option<ForgeError>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    errors: Vec<GraphError>,
    message: Option<String>,
}

impl Client {
    /// A read. Any error in the answer is an error of the whole; outages are tried again.
    pub(crate) async fn query(&self, document: &str, variables: Value) -> Result<Value, ForgeError> {
        let call = label(document);
        let body = json!({ "query": document, "variables": variables });
        let mut patience = Patience::new(&self.config);
        loop {
            let answer = match self.post_query(&body).await {
                Ok(reply) => self.graph_reply(&call, &reply),
                Err(e) => Err(e),
            };
            let seen = match answer {
                Ok(GraphReply { data, failed: None }) => return Ok(data),
                Ok(GraphReply { failed: Some(e), .. }) | Err(e) => e,
            };
            if !patience.wait(&seen).await {
                return Err(seen);
            }
        }
    }

    /// A write, sent once. Errors in the answer are handed over beside its data.
    pub(crate) async fn mutate(&self, document: &str, variables: Value) -> Result<GraphReply, ForgeError> {
        let body = json!({ "query": document, "variables": variables });
        let reply = self.post_mutation(&body).await?;
        self.graph_reply(&label(document), &reply)
    }

    /// All pages of a connection that `document` takes from `$after` on, from the page after `first` on.
    pub(crate) async fn rest<T: DeserializeOwned>(
        &self,
        document: &str,
        variables: Value,
        pointer: &str,
        first: &PageInfo,
    ) -> Result<Vec<T>, ForgeError> {
        let call = label(document);
        let mut all = Vec::new();
        let mut page = first.clone();
        for _ in 0..self.config.max_pages {
            let Some(after) = following(&call, &page)? else { return Ok(all) };
            let mut variables = variables.clone();
            variables["after"] = Value::String(after);
            let data = self.query(document, variables).await?;
            let next: Connection<T> = at(&call, &data, pointer)?;
            all.extend(next.nodes);
            page = next.page_info;
        }
        Err(malformed(&call, format!("it has more than {} pages", self.config.max_pages)))
    }

    fn graph_reply(&self, call: &str, reply: &Reply) -> Result<GraphReply, ForgeError> {
        let raw: Raw = reply.json(call)?;
        if raw.errors.is_empty() && raw.data.is_null() {
            let said = raw.message.unwrap_or_default();
            let stated = [GraphError { kind: None, message: said }];
            return Err(self.clean(from_graphql(call, &reply.headers, &stated, now(&reply.headers))));
        }
        let failed = (!raw.errors.is_empty())
            .then(|| self.clean(from_graphql(call, &reply.headers, &raw.errors, now(&reply.headers))));
        Ok(GraphReply { data: raw.data, failed })
    }

    fn clean(&self, mut seen: ForgeError) -> ForgeError {
        seen.message = self.scrub(&seen.message);
        seen
    }
}

/// The part of an answer that a JSON pointer names; `null` on the way there is an absence.
pub(crate) fn at<T: DeserializeOwned>(call: &str, data: &Value, pointer: &str) -> Result<T, ForgeError> {
    match data.pointer(pointer) {
        None | Some(Value::Null) => {
            Err(error(ForgeErrorKind::Missing, format!("{call}: there is no {}", pointer.trim_start_matches('/'))))
        }
        Some(found) => T::deserialize(found).map_err(|e| malformed(call, e)),
    }
}

/// `POST graphql OPERATION`: what an error names.
pub(crate) fn label(document: &str) -> String {
    let name = document.split_whitespace().nth(1).unwrap_or("?");
    format!("POST graphql {}", name.split('(').next().unwrap_or(name))
}

fn following(call: &str, page: &PageInfo) -> Result<Option<String>, ForgeError> {
    match (page.has_next_page, &page.end_cursor) {
        (false, _) => Ok(None),
        (true, Some(cursor)) => Ok(Some(cursor.clone())),
        (true, None) => Err(malformed(call, "it has a next page but no cursor")),
    }
}
