//! Tokens of a response, read as it passes: server-sent events or one JSON document, of four APIs. Nothing is held back and nothing is changed.

use hydra_core::{Tokens, prices::hour_writes};
use serde_json::Value;

/// A line that is longer holds no usage that could be trusted to be one.
const LONGEST: usize = 4 * 1024 * 1024;

/// Bytes of a stream of events for each token of it, at least: what is guessed is rather too much.
const BYTES_OF_A_TOKEN: u64 = 40;

/// Reads one response.
#[derive(Debug, Default)]
pub(crate) struct UsageReader {
    /// One document rather than a stream of events: its lines are nothing by themselves.
    whole: bool,
    /// Everything that passed, in bytes.
    passed: u64,
    /// The API has said what it wrote.
    said: bool,
    line: Vec<u8>,
    /// The rest of an over-long line is passed over.
    skips: bool,
    tokens: Tokens,
}

impl UsageReader {
    /// Of an answer that is one document.
    pub(crate) fn document() -> Self {
        Self { whole: true, ..Self::default() }
    }
    /// Takes what passed.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        self.passed = self.passed.saturating_add(bytes.len() as u64);
        if self.whole {
            return self.append(bytes);
        }
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (piece, rest) = bytes.split_at(end);
            self.append(piece);
            self.end_of_line();
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.append(bytes);
    }
    /// What the bytes of an answer are, in tokens, where nobody says it.
    pub(crate) const fn passed(&self) -> u64 {
        self.passed / BYTES_OF_A_TOKEN
    }
    /// What was used: as it was said, or, where an answer was left before it was said, by what had come.
    pub(crate) fn finish(mut self) -> Tokens {
        self.end_of_line();
        if !self.said && self.tokens != Tokens::default() {
            self.tokens.output = self.tokens.output.max(self.passed / BYTES_OF_A_TOKEN);
        }
        self.tokens
    }

    fn append(&mut self, piece: &[u8]) {
        if self.skips || self.line.len() + piece.len() > LONGEST {
            (self.skips, self.line) = (true, Vec::new());
        } else {
            self.line.extend_from_slice(piece);
        }
    }
    fn end_of_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.skips) {
            return;
        }
        let text = line.strip_prefix(b"data:").unwrap_or(&line);
        // Most lines are text of the answer; the word is looked for before anything is parsed.
        if !text.windows(5).any(|five| five == b"usage") {
            return;
        }
        if let Ok(value) = serde_json::from_slice::<Value>(text) {
            self.take(&value);
        }
    }
    /// Usage is said as a sum so far: the largest of each kind is the last.
    fn take(&mut self, value: &Value) {
        for place in [&value["usage"], &value["message"]["usage"], &value["response"]["usage"], &value["usageMetadata"]]
        {
            let Some(found) = read(place) else { continue };
            let most = |one: u64, other: u64| one.max(other);
            // The beginning of a stream says one token; its end, and every other API, says the sum.
            self.said |= !std::ptr::eq(place, &value["message"]["usage"]);
            self.tokens = Tokens {
                input: most(self.tokens.input, found.input),
                output: most(self.tokens.output, found.output),
                cache_read: most(self.tokens.cache_read, found.cache_read),
                cache_write: most(self.tokens.cache_write, found.cache_write),
            };
        }
        // Gemini streams an array of documents.
        if let Value::Array(all) = value {
            all.iter().for_each(|one| self.take(one));
        }
    }
}

/// One usage object, of any of the four.
fn read(usage: &Value) -> Option<Tokens> {
    let usage = usage.as_object()?;
    let number = |name: &str| usage.get(name).and_then(Value::as_u64);
    let inside = |outer: &str, name: &str| usage.get(outer).and_then(|outer| outer[name].as_u64());
    if let Some(prompt) = number("promptTokenCount") {
        let cached = number("cachedContentTokenCount").unwrap_or(0);
        let (written, thought) = (number("candidatesTokenCount"), number("thoughtsTokenCount"));
        let output = written.unwrap_or(0).saturating_add(thought.unwrap_or(0));
        return Some(Tokens { input: prompt.saturating_sub(cached), output, cache_read: cached, cache_write: 0 });
    }
    if let Some(prompt) = number("prompt_tokens") {
        let cached = inside("prompt_tokens_details", "cached_tokens").unwrap_or(0);
        let output = number("completion_tokens").unwrap_or(0);
        return Some(Tokens { input: prompt.saturating_sub(cached), output, cache_read: cached, cache_write: 0 });
    }
    // Responses say the cached part as a detail of the input; Messages say it beside the input.
    let detail = inside("input_tokens_details", "cached_tokens");
    let (input, output) = (number("input_tokens"), number("output_tokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    let kept_an_hour = inside("cache_creation", "ephemeral_1h_input_tokens").unwrap_or(0);
    let written = number("cache_creation_input_tokens").unwrap_or(0).max(kept_an_hour);
    Some(Tokens {
        input: input.unwrap_or(0).saturating_sub(detail.unwrap_or(0)),
        output: output.unwrap_or(0),
        cache_read: detail.or(number("cache_read_input_tokens")).unwrap_or(0),
        cache_write: (written - kept_an_hour).saturating_add(hour_writes(kept_an_hour)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydra_core::prices::PriceTable;
    use proptest::prelude::*;

    fn of(text: &str, size: usize) -> Tokens {
        let json = text.starts_with(['{', '[']);
        let mut reader = if json { UsageReader::document() } else { UsageReader::default() };
        text.as_bytes().chunks(size).for_each(|piece| reader.feed(piece));
        reader.finish()
    }
    const MESSAGES: &str = "event: message_start\n\
        data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":25,\"cache_read_input_tokens\":900,\"cache_creation_input_tokens\":7,\"output_tokens\":1}}}\n\n\
        event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"\\\"usage\\\":{\\\"output_tokens\\\":99}\"}}\n\n\
        event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":15}}\n\n";

    #[test]
    fn four_apis_say_it_in_four_ways() {
        let tokens = |input, output, cache_read, cache_write| Tokens { input, output, cache_read, cache_write };
        let all = [
            (MESSAGES.to_owned(), tokens(25, 15, 900, 7)),
            ("{\n  \"usage\": {\n    \"input_tokens\": 3,\n    \"output_tokens\": 4\n  }\n}".to_owned(), tokens(3, 4, 0, 0)),
            (
                "data: {\"response\":{\"usage\":{\"input_tokens\":30,\"input_tokens_details\":{\"cached_tokens\":10},\"output_tokens\":4}}}\n".to_owned(),
                tokens(20, 4, 10, 0),
            ),
            (
                "data: {\"usage\":null}\ndata: {\"usage\":{\"prompt_tokens\":30,\"completion_tokens\":4,\"prompt_tokens_details\":{\"cached_tokens\":10}}}\ndata: [DONE]\n".to_owned(),
                tokens(20, 4, 10, 0),
            ),
            (
                r#"[{"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1}},{"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":5,"thoughtsTokenCount":2}}]"#.to_owned(),
                tokens(9, 7, 0, 0),
            ),
            // Found by fuzzing: a sum that no number holds.
            (
                format!(r#"{{"usageMetadata":{{"promptTokenCount":1,"candidatesTokenCount":2,"thoughtsTokenCount":{}}}}}"#, u64::MAX),
                tokens(1, u64::MAX, 0, 0),
            ),
            ("{}".to_owned(), Tokens::default()),
        ];
        for (text, wanted) in all {
            for size in [1, 3, 1_000] {
                assert_eq!(of(&text, size), wanted, "{text}");
            }
        }
    }

    #[test]
    fn what_a_cache_keeps_for_an_hour_costs_twice_the_input() {
        let stream = "data: {\"message\":{\"usage\":{\"input_tokens\":0,\"cache_creation_input_tokens\":1000100,\
            \"cache_creation\":{\"ephemeral_5m_input_tokens\":100,\"ephemeral_1h_input_tokens\":1000000},\"output_tokens\":0}}}\n\
            data: {\"usage\":{\"cache_creation_input_tokens\":1000100,\"output_tokens\":0}}\n";
        let tokens = of(stream, 1_000);
        assert_eq!(tokens, Tokens { cache_write: 100 + 1_600_000, ..Tokens::default() });
        let price = PriceTable::default().price(&"claude-sonnet-4-6".parse().unwrap()).unwrap();
        let (hour, short) = (of(&stream.replace("1000100", "1000000").replace("\":100,", "\":0,"), 9), 1_000_000);
        assert_eq!(price.cost(hour), price.cost(Tokens { input: 2 * short, ..Tokens::default() }));
    }

    #[test]
    fn an_answer_that_is_left_before_its_end_costs_what_had_come() {
        let start = MESSAGES.split("event: message_delta").next().unwrap();
        let long = format!("{start}{}", "data: {\"delta\":{\"text\":\"word\"}}\n\n".repeat(1_000));
        let left = of(&long, 100);
        assert!(left.input == 25 && left.output > 500, "{left:?}");
    }

    #[test]
    fn a_line_without_end_costs_no_memory_and_the_next_one_counts() {
        let mut reader = UsageReader::default();
        for _ in 0..10 {
            reader.feed(&vec![b'x'; 1024 * 1024]);
            assert!(reader.line.len() <= LONGEST);
        }
        reader.feed(format!("\n{MESSAGES}").as_bytes());
        assert_eq!(reader.finish().output, 15);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut reader = UsageReader::default();
            reader.feed(&bytes);
            reader.finish();
        }
    }
}
