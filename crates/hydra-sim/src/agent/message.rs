//! An answer put together from its stream, and what can become of a request instead.

use serde_json::{Value, json};

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The message with its blocks and its final usage.
    pub(crate) json: Value,
}

/// A request that got no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// HTTP status, where there was one.
    pub(crate) status: Option<u16>,
    /// The provider's name for it, or `connection`.
    pub(crate) kind: String,
    /// The provider's words.
    pub(crate) message: String,
    /// When the account's limit ends, seconds since 1970.
    pub(crate) resets_at: Option<i64>,
    /// The header `retry-after`, in seconds.
    pub(crate) retry_after: Option<u64>,
    /// The provider says that trying again is of no use.
    pub(crate) final_word: bool,
}

impl Failure {
    pub(crate) fn connection(message: impl ToString) -> Self {
        Self {
            status: None,
            kind: "connection".into(),
            message: message.to_string(),
            resets_at: None,
            retry_after: None,
            final_word: false,
        }
    }
}

/// Puts a message together, event by event.
#[derive(Default)]
pub(crate) struct Assembly {
    message: Value,
    blocks: Vec<Value>,
    partial: String,
    done: bool,
    buffer: Vec<u8>,
}

impl Assembly {
    /// Takes bytes as they come; an event may be spread over several chunks.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.buffer.extend_from_slice(bytes);
        while let Some(end) = self.buffer.windows(2).position(|w| w == b"\n\n") {
            let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
            for line in event.split(|b| *b == b'\n') {
                if let Some(data) = line.strip_prefix(b"data: ") {
                    let data = serde_json::from_slice(data)
                        .map_err(|e| Failure::connection(format!("the stream holds something that is no JSON: {e}")))?;
                    self.event(&data)?;
                }
            }
        }
        Ok(())
    }

    /// The message, if it is whole.
    pub(crate) fn finish(mut self) -> Result<Message, Failure> {
        if !self.done {
            return Err(Failure::connection("the connection was closed in the middle of an answer"));
        }
        self.message["content"] = Value::Array(self.blocks);
        Ok(Message { json: self.message })
    }

    fn event(&mut self, event: &Value) -> Result<(), Failure> {
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => self.message = event["message"].clone(),
            "content_block_start" => {
                self.blocks.push(event["content_block"].clone());
                self.partial.clear();
            }
            "content_block_delta" => self.delta(&event["delta"]),
            "content_block_stop" => self.close_block()?,
            "message_delta" => {
                self.message["stop_reason"] = event["delta"]["stop_reason"].clone();
                if let (Some(usage), Some(last)) = (self.message["usage"].as_object_mut(), event["usage"].as_object()) {
                    usage.extend(last.clone());
                }
            }
            "message_stop" => self.done = true,
            "error" => return Err(failure_of(None, event)),
            _ => {}
        }
        Ok(())
    }

    fn delta(&mut self, delta: &Value) {
        if let Some(json) = delta["partial_json"].as_str() {
            self.partial.push_str(json);
        } else if let (Some(more), Some(block)) = (delta["text"].as_str(), self.blocks.last_mut()) {
            let text = format!("{}{more}", block["text"].as_str().unwrap_or_default());
            block["text"] = Value::String(text);
        }
    }

    fn close_block(&mut self) -> Result<(), Failure> {
        if let Some(block) = self.blocks.last_mut()
            && block["type"] == "tool_use"
        {
            let text = if self.partial.is_empty() { "{}" } else { &self.partial };
            block["input"] = serde_json::from_str(text)
                .map_err(|e| Failure::connection(format!("a tool's input is no JSON: {e}")))?;
        }
        Ok(())
    }
}

/// The failure that an error object stands for.
pub(crate) fn failure_of(status: Option<u16>, body: &Value) -> Failure {
    let error = &body["error"];
    let text = |value: &Value, or: &str| value.as_str().unwrap_or(or).chars().take(500).collect::<String>();
    Failure {
        status,
        kind: text(&error["type"], "api_error"),
        message: text(&error["message"], "no reason was given"),
        resets_at: None,
        retry_after: None,
        final_word: false,
    }
}

/// An empty usage object.
pub(crate) fn no_usage() -> Value {
    json!({"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0})
}
