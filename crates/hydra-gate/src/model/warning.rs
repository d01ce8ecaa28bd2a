//! The sentence that an agent is told near the end of its budget, put into a request without taking the request apart: whatever the body is, no
//! more than a second one is held.

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// What the agent is told.
pub(crate) const WARNING: &str = "Note from the orchestrator: four fifths of this issue's budget are spent. Finish what you are doing, leave \
                                  the work in a state that passes its tests, and end.";

/// Of a request, its messages alone; one that has them twice is read in two ways.
#[derive(serde::Deserialize)]
struct Request<'b> {
    #[serde(borrow)]
    messages: Last<'b>,
}

/// The last one of a list; the others are passed over.
struct Last<'b>(Option<&'b RawValue>);

/// A message.
#[derive(serde::Deserialize)]
struct Message<'b> {
    #[serde(borrow)]
    role: Cow<'b, str>,
    #[serde(borrow)]
    content: &'b RawValue,
}

impl<'de: 'b, 'b> Deserialize<'de> for Last<'b> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Option<&'de RawValue>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut last = None;
                while let Some(item) = items.next_element()? {
                    last = Some(item);
                }
                Ok(last)
            }
        }
        from.deserialize_seq(List).map(Last)
    }
}

/// Puts the warning at the end of the last message of a Messages request; nothing where that is not the user's.
pub(crate) fn warned(body: &[u8]) -> Option<Vec<u8>> {
    let request: Request<'_> = object(std::str::from_utf8(body).ok()?)?;
    let message: Message<'_> = object(request.messages.0?.get())?;
    let content = message.content.get();
    let note = serde_json::json!({ "type": "text", "text": WARNING });
    let told = if let Some(blocks) = content.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let comma = if blocks.trim_ascii().is_empty() { "" } else { "," };
        // What stands before is left as it is; only the bracket moves.
        (content.len() - 1, format!("{comma}{note}]"))
    } else if content.starts_with('"') {
        (0, format!(r#"[{{"type":"text","text":{content}}},{note}]"#))
    } else {
        return None;
    };
    if message.role != "user" {
        return None;
    }
    let (kept, told) = told;
    let begin = content.as_ptr().addr() - body.as_ptr().addr();
    let (before, after) = (body.get(..begin + kept)?, body.get(begin + content.len()..)?);
    Some([before, told.as_bytes(), after].concat())
}

/// Reads an object; a list is none, though its items could be taken for the fields.
fn object<'b, T: Deserialize<'b>>(text: &'b str) -> Option<T> {
    if text.trim_ascii_start().starts_with('{') { serde_json::from_str(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str) -> Option<String> {
        warned(body.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn the_warning_is_the_last_text_of_the_last_message_and_nothing_else_changes() {
        let note = serde_json::json!({ "type": "text", "text": WARNING });
        let other = r#"{"z":1, "messages":[{"content":"first","role":"user"}, "#;
        for (content, now) in [
            (r#""h\u0069""#, format!(r#"[{{"type":"text","text":"h\u0069"}},{note}]"#)),
            (r#"[{"type":"tool_result"} ]"#, format!(r#"[{{"type":"tool_result"}} ,{note}]"#)),
            ("[ ]", format!("[ {note}]")),
        ] {
            for (begin, end) in
                [(r#"{"role":"user","content": "#, "} ], \"a\":[1]}"), (r#"{"content":"#, r#","role":"us\u0065r"}]}"#)]
            {
                let whole = format!("{other}{begin}{content}{end}");
                assert_eq!(told(&whole), Some(format!("{other}{begin}{now}{end}")), "{whole}");
            }
        }
    }

    #[test]
    fn what_has_no_place_for_it_stays_as_it_is() {
        for other in [
            "{}",
            "no",
            r#"{"messages":[]}"#,
            r#"{"messages":{"role":"user","content":"x"}}"#,
            r#"{"messages":[{"role":"assistant","content":"x"}]}"#,
            r#"{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"x"}]}"#,
            r#"{"messages":[{"role":"user","content":7}]}"#,
            r#"{"messages":[{"role":"user"}]}"#,
            r#"{"messages":[["user","x"]]}"#,
            r#"[[{"role":"user","content":"x"}]]"#,
            r#"{"messages":[{"role":"user","content":"x"}],"messages":[{"role":"user","content":"y"}]}"#,
            r#"{"messages":[{"role":"user","content":"x","content":"y"}]}"#,
        ] {
            assert_eq!(told(other), None, "{other}");
        }
    }
}
