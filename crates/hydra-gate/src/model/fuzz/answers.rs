//! Answers: what is counted does not depend on how a stream was cut, never gets less, and is never more than what was said.

use crate::model::usage::UsageReader;
use hydra_core::Tokens;
use serde_json::Value;

fn read(bytes: &[u8], size: usize, whole: bool) -> Tokens {
    let mut reader = if whole { UsageReader::document() } else { UsageReader::default() };
    bytes.chunks(size).for_each(|piece| reader.feed(piece));
    reader.finish()
}

/// The largest number anywhere in it.
fn largest(value: &Value) -> u64 {
    match value {
        Value::Number(number) => number.as_u64().unwrap_or(0),
        Value::Array(all) => all.iter().map(largest).max().unwrap_or(0),
        Value::Object(all) => all.values().map(largest).max().unwrap_or(0),
        _ => 0,
    }
}

/// The largest number of a document, or of those lines of a stream that are JSON.
fn said(bytes: &[u8], whole: bool) -> u64 {
    let lines: Vec<&[u8]> = if whole { vec![bytes] } else { bytes.split(|byte| *byte == b'\n').collect() };
    let text = |line: &[u8]| {
        let json = line.strip_prefix(b"data:").unwrap_or(line);
        serde_json::from_slice::<Value>(json).map_or(0, |value| largest(&value))
    };
    lines.into_iter().map(text).max().unwrap_or(0)
}

fn judged(bytes: &[u8], whole: bool) -> String {
    let tokens = read(bytes, bytes.len().max(1), whole);
    for size in [1, 7, 1 + bytes.len() / 2] {
        assert_eq!(read(bytes, size, whole), tokens, "in pieces of {size}");
    }
    // Gemini's output is said in two numbers; what was not said to its end is guessed.
    let most = said(bytes, whole).saturating_mul(2).max(bytes.len() as u64 / 40);
    for count in [tokens.input, tokens.output, tokens.cache_read, tokens.cache_write] {
        assert!(count <= most, "{count} is more than {most}: {tokens:?}");
    }
    if !whole {
        let mut so_far = Tokens::default();
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        for end in ends.take(10).chain([bytes.len()]) {
            let next = read(&bytes[..end], 64, false);
            let grows = next.input >= so_far.input
                && next.cache_read >= so_far.cache_read
                && next.cache_write >= so_far.cache_write;
            assert!(grows, "{next:?} after {so_far:?}");
            so_far = next;
        }
    }
    let some = |count: u64| if count > 0 { "some" } else { "no" };
    format!("{} input, {} output, {} cached", some(tokens.input), some(tokens.output), some(tokens.cache_read))
}

const STREAMS: [&str; 4] = [
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":25,\"cache_read_input_tokens\":900,\"cache_creation_input_tokens\":7,\"output_tokens\":1}}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"\\\"usage\\\"\"}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":15}}\n\n",
    "data: {\"response\":{\"usage\":{\"input_tokens\":30,\"input_tokens_details\":{\"cached_tokens\":10},\"output_tokens\":4}}}\r\n\r\n",
    "data: {\"usage\":null}\ndata: {\"usage\":{\"prompt_tokens\":30,\"completion_tokens\":4,\"prompt_tokens_details\":{\"cached_tokens\":10}}}\ndata: [DONE]\n",
    "data: {\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":5,\"thoughtsTokenCount\":2,\"cachedContentTokenCount\":3}}\n",
];
const DOCUMENTS: [&str; 4] = [
    "{\n  \"type\": \"message\",\n  \"usage\": {\"input_tokens\": 3, \"output_tokens\": 4, \"cache_read_input_tokens\": 5}\n}",
    r#"[{"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1}},{"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":5,"thoughtsTokenCount":2}}]"#,
    r#"{"id":"r","usage":{"prompt_tokens":30,"completion_tokens":4},"choices":[]}"#,
    r#"{"type":"error","error":{"type":"overloaded_error","message":"usage"}}"#,
];

/// The kind of its answer.
///
/// # Panics
/// When what was read does not hold.
#[must_use]
pub fn check(bytes: &[u8]) -> String {
    // Whatever it is, it is read both as a stream and as one document.
    format!("stream: {}; document: {}", judged(bytes, false), judged(bytes, true))
}

/// Streams and documents of every shape.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    STREAMS.iter().chain(&DOCUMENTS).map(|text| text.as_bytes().to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::{check, seeds};

    #[test]
    fn answers() {
        let report = hydra_fuzz::fuzz("model-answer", &seeds(), check);
        for of in ["stream", "document"] {
            for kind in ["some input, some output, some cached", "no input, no output, no cached"] {
                let kind = format!("{of}: {kind}");
                assert!(report.answers.keys().any(|answer| answer.contains(&kind)), "{kind}: {report:?}");
            }
        }
    }
}
