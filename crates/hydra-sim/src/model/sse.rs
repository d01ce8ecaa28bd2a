//! An answer as the provider streams it: one event per piece, the usage at both ends.

use super::{answer::Answer, fault::Fault, fault::error_body};
use bytes::Bytes;
use serde_json::{Value, json};

/// Text and JSON travel in pieces of so many characters.
const PIECE: usize = 400;

/// The events of a whole answer.
pub(crate) fn whole(answer: &Answer) -> Vec<Bytes> {
    let mut events = opening(answer);
    for (index, block) in answer.blocks.iter().enumerate() {
        events.extend(block_events(index, block));
    }
    events.push(event(
        "message_delta",
        &json!({
            "type": "message_delta", "delta": {"stop_reason": answer.stop, "stop_sequence": null},
            "usage": answer.usage(answer.tokens.output),
        }),
    ));
    events.push(event("message_stop", &json!({"type": "message_stop"})));
    events
}

/// The events of half an answer, with what a fault adds to them.
pub(crate) fn half(answer: &Answer, fault: Fault) -> Vec<Bytes> {
    let mut events = opening(answer);
    events.push(event(
        "content_block_start",
        &json!({
            "type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""},
        }),
    ));
    events.push(event(
        "content_block_delta",
        &json!({
            "type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "I was about to"},
        }),
    ));
    if fault == Fault::OverloadedMidStream {
        events.push(event("error", &error_body("overloaded_error", "Overloaded")));
    }
    events
}

fn opening(answer: &Answer) -> Vec<Bytes> {
    let start = json!({"type": "message_start", "message": {
        "id": answer.id, "type": "message", "role": "assistant", "model": answer.model, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": answer.usage(1),
    }});
    vec![event("message_start", &start), event("ping", &json!({"type": "ping"}))]
}

fn block_events(index: usize, block: &Value) -> Vec<Bytes> {
    let (empty, pieces): (Value, Vec<Value>) = if block["type"] == "tool_use" {
        let input = block["input"].to_string();
        let pieces = pieces(&input).into_iter().map(|p| json!({"type": "input_json_delta", "partial_json": p}));
        (json!({"type": "tool_use", "id": block["id"], "name": block["name"], "input": {}}), pieces.collect())
    } else {
        let text = block["text"].as_str().unwrap_or_default();
        let pieces = pieces(text).into_iter().map(|p| json!({"type": "text_delta", "text": p}));
        (json!({"type": "text", "text": ""}), pieces.collect())
    };
    let start = json!({"type": "content_block_start", "index": index, "content_block": empty});
    let mut events = vec![event("content_block_start", &start)];
    for delta in pieces {
        let delta = json!({"type": "content_block_delta", "index": index, "delta": delta});
        events.push(event("content_block_delta", &delta));
    }
    events.push(event("content_block_stop", &json!({"type": "content_block_stop", "index": index})));
    events
}

/// Cuts a text between characters.
fn pieces(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(PIECE).map(|c| c.iter().collect()).collect()
}

fn event(name: &str, data: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}
