//! What a request says of itself: which session it belongs to, how far the conversation has come, and whether it is a side
//! question of the CLI (a title, a quota probe) that no script step may be spent on.

use hydra_core::Stage;
use serde_json::Value;

/// The lines that `hydra-agent` puts before a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) stage: Stage,
    pub(crate) job: String,
    pub(crate) workspace: String,
    pub(crate) out: String,
    pub(crate) spec: String,
}

/// A request, as far as the script is concerned.
#[derive(Debug)]
pub(crate) struct Conversation {
    /// Present for a conversation of an agent.
    pub(crate) header: Option<Header>,
    /// Answers that it holds already.
    pub(crate) answered: usize,
    /// The text with the header.
    pub(crate) opening: String,
    /// A side question: it brings no tools, and no agent works without.
    pub(crate) side: bool,
    /// Characters of everything that was sent.
    pub(crate) characters: usize,
    /// Asked for a stream.
    pub(crate) stream: bool,
    /// The model that was asked.
    pub(crate) model: String,
}

impl Conversation {
    pub(crate) fn read(request: &Value) -> Self {
        let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of_role = |role: &'static str| messages.iter().filter(move |m| m["role"] == role);
        let mut found = None;
        for text in of_role("user").flat_map(|m| texts(&m["content"])) {
            if let Some(header) = header(text) {
                found = Some((header, text.to_owned()));
                break;
            }
        }
        let side = request["tools"].as_array().is_none_or(Vec::is_empty);
        let (header, opening) = found.map_or((None, String::new()), |(h, t)| (Some(h), t));
        Self {
            header,
            answered: of_role("assistant").count(),
            opening,
            side,
            characters: count(&request["messages"]) + count(&request["system"]) + count(&request["tools"]),
            stream: request["stream"] == true,
            model: request["model"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

/// The texts of a message: one string, or text blocks.
fn texts(content: &Value) -> Vec<&str> {
    match content {
        Value::String(text) => vec![text],
        Value::Array(blocks) => blocks.iter().filter_map(|b| b["text"].as_str()).collect(),
        _ => Vec::new(),
    }
}

/// Reads the header's lines, wherever they begin in the text; the first of each name counts.
fn header(text: &str) -> Option<Header> {
    let line = |name: &str| text.lines().find_map(|l| l.strip_prefix(name)).map(|v| v.trim().to_owned());
    let stage = line("Hydra-Stage:")?.parse().ok()?;
    let or_empty = |name: &str| line(name).unwrap_or_default();
    Some(Header {
        stage,
        job: or_empty("Hydra-Job:"),
        workspace: or_empty("Hydra-Workspace:"),
        out: or_empty("Hydra-Out:"),
        spec: or_empty("Hydra-Spec:"),
    })
}

/// Characters of every text in a value.
fn count(value: &Value) -> usize {
    match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

impl Header {
    /// Puts the paths in the place of their names.
    pub(crate) fn fill(&self, text: &str) -> String {
        text.replace("{{out}}", &self.out).replace("{{workspace}}", &self.workspace).replace("{{spec}}", &self.spec)
    }

    /// As [`Self::fill`], for every text of a value.
    pub(crate) fn fill_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(items) => items.iter().map(|v| self.fill_value(v)).collect(),
            Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), self.fill_value(v))).collect(),
            other => other.clone(),
        }
    }
}
