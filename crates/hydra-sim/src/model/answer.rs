//! One answer of the model, before it is put on the wire.

use super::{conversation::Conversation, conversation::Header, script::Step};
use hydra_core::Tokens;
use serde_json::{Value, json};

/// A message.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) id: String,
    pub(crate) model: String,
    /// Text and tool-use blocks.
    pub(crate) blocks: Vec<Value>,
    pub(crate) stop: &'static str,
    pub(crate) tokens: Tokens,
}

impl Answer {
    /// What a step says in a session. Ids follow from job and place, so that the same request gets the same bytes.
    pub(crate) fn scripted(conversation: &Conversation, header: &Header, step: Option<&Step>) -> Self {
        let place = conversation.answered + 1;
        let tag = tag(&format!("{}/{}", header.job, place));
        let mut blocks = Vec::new();
        let say = match step {
            Some(step) => step.say.as_deref().map(|text| header.fill(text)),
            None => Some("Done.".to_owned()),
        };
        if let Some(text) = say {
            blocks.push(json!({"type": "text", "text": text}));
        }
        for (n, call) in step.into_iter().flat_map(Step::calls).enumerate() {
            let input = header.fill_value(&Value::Object(call.input.clone()));
            blocks
                .push(json!({"type": "tool_use", "id": format!("toolu_{tag}_{n}"), "name": call.name, "input": input}));
        }
        let calls = blocks.iter().any(|b| b["type"] == "tool_use");
        let stop = if calls { "tool_use" } else { "end_turn" };
        let tokens = step.and_then(|s| s.usage).unwrap_or_else(|| by_length(conversation.characters, &blocks));
        Self { id: format!("msg_{tag}"), model: conversation.model.clone(), blocks, stop, tokens }
    }

    /// A harmless answer to a question that belongs to no session.
    pub(crate) fn side(conversation: &Conversation) -> Self {
        let text = r#"{"title": "Scripted session", "isNewTopic": false}"#;
        let blocks = vec![json!({"type": "text", "text": text})];
        let tokens = by_length(conversation.characters, &blocks);
        Self { id: "msg_side".into(), model: conversation.model.clone(), blocks, stop: "end_turn", tokens }
    }

    /// The message as one JSON object.
    pub(crate) fn json(&self) -> Value {
        json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": self.blocks,
            "stop_reason": self.stop, "stop_sequence": null, "usage": self.usage(self.tokens.output),
        })
    }

    /// The usage object with this many output tokens.
    pub(crate) fn usage(&self, output: u64) -> Value {
        json!({
            "input_tokens": self.tokens.input, "output_tokens": output,
            "cache_creation_input_tokens": self.tokens.cache_write, "cache_read_input_tokens": self.tokens.cache_read,
        })
    }
}

/// Four characters are a token, as a rule of thumb has it.
fn by_length(characters: usize, blocks: &[Value]) -> Tokens {
    let written: usize = blocks
        .iter()
        .map(|b| b["text"].as_str().map_or_else(|| b["input"].to_string().chars().count(), |t| t.chars().count()))
        .sum();
    let quarter = |n: usize| u64::try_from(n.div_ceil(4)).unwrap_or(u64::MAX).max(1);
    Tokens { input: quarter(characters), output: quarter(written), cache_read: 0, cache_write: 0 }
}

/// Twelve hexadecimal digits that stand for a text.
pub(crate) fn tag(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(text.as_bytes()).iter().take(6).map(|b| format!("{b:02x}")).collect()
}
