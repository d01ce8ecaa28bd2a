//! What a request's body asks for, read without keeping any of it: the model, and whether the provider is asked to reach out for the agent.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::{cell::RefCell, fmt};

/// Keys of a request by which the provider calls hosts of the agent's choice, or keeps what is asked running.
const OUT: [&str; 4] = ["mcp_servers", "container", "background", "connectors"];
/// Tools that the provider runs itself and that reach hosts of the agent's choice, by the beginning of their type.
const TOOLS: [&str; 4] = ["web_", "code_", "mcp", "computer"];

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The model.
    pub(crate) model: String,
    /// What of it would make the provider reach out.
    pub(crate) reaches_out: Option<String>,
}

/// Reads a body. A model that is named twice, or in other letters, is read in two ways by two programs: it is refused.
pub(crate) fn asked(body: &[u8], names_model: bool) -> Result<Asked, String> {
    let found = RefCell::new(Asked::default());
    let models = RefCell::new(0_u32);
    let mut reader = serde_json::Deserializer::from_slice(body);
    let walk = Walk { found: &found, models: &models, depth: 0, key: String::new() };
    let read = walk.deserialize(&mut reader).and_then(|()| reader.end());
    read.map_err(|error| format!("something that cannot be read ({error})"))?;
    if names_model && models.into_inner() != 1 {
        return Err("a model that is not named once".to_owned());
    }
    Ok(found.into_inner())
}

/// One value, and where it stands.
struct Walk<'w> {
    found: &'w RefCell<Asked>,
    models: &'w RefCell<u32>,
    depth: u32,
    /// The key that it has in its object; of an array's items, the array's.
    key: String,
}

impl Walk<'_> {
    fn out(&self, what: String) {
        self.found.borrow_mut().reaches_out.get_or_insert(what);
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if self.depth == 0 && key.eq_ignore_ascii_case("model") {
                *self.models.borrow_mut() += if key == "model" { 1 } else { 2 };
                self.found.borrow_mut().model = map.next_value()?;
                continue;
            }
            if self.depth == 0 && OUT.contains(&&*key) {
                self.out(format!("`{key}`"));
            }
            if self.depth > 0 && key == "type" && matches!(self.key.as_str(), "source" | "tools" | "image_url") {
                // Its type alone says what it is; some are no texts.
                let Kind(kind) = map.next_value()?;
                let remote = self.key == "source" && matches!(kind.as_str(), "url" | "file");
                let runs = self.key == "tools" && TOOLS.iter().any(|tool| kind.starts_with(tool));
                if remote || runs {
                    self.out(format!("{} of the type `{kind}`", self.key));
                }
                continue;
            }
            // Below the messages and the tools only, so that an answer of a tool may hold what it likes as text.
            let next = Walk { depth: self.depth + 1, key: key.into_owned(), ..self };
            map.next_value_seed(next)?;
        }
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Walk { depth: self.depth + 1, key: self.key.clone(), ..self })?.is_some() {}
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A type that may be a text; anything else is none.
struct Kind(String);
impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Kind;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a type")
            }
            fn visit_str<E>(self, text: &str) -> Result<Kind, E> {
                Ok(Kind(text.to_owned()))
            }
            fn visit_unit<E>(self) -> Result<Kind, E> {
                Ok(Kind(String::new()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
                // Read as what it is: what is passed over is not looked at, and may be no text at all.
                while items.next_element::<Kind>()?.is_some() {}
                Ok(Kind(String::new()))
            }
            fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Kind, A::Error> {
                Err(A::Error::custom("a type that is an object"))
            }
        }
        from.deserialize_any(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Result<Asked, String> {
        asked(text.as_bytes(), true)
    }

    #[test]
    fn a_plain_request_names_its_model() {
        let text = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"{\"type\":\"url\"}"}]},
            {"type":"image","source":{"type":"base64","data":"x"}}]}],"tools":[{"name":"Bash","type":"custom","input_schema":{"type":"object","properties":{"type":{"type":["string","null"]}}}}],
            "temperature":1.5,"stream":true,"metadata":null}"#;
        assert_eq!(of(text), Ok(Asked { model: "m".into(), reaches_out: None }));
    }

    #[test]
    fn what_makes_the_provider_reach_out_is_seen() {
        for (part, what) in [
            (r#""mcp_servers":[{"url":"https://evil.test"}]"#, "`mcp_servers`"),
            (r#""background":true"#, "`background`"),
            (r#""tools":[{"type":"web_fetch_20250910"}]"#, "tools of the type `web_fetch_20250910`"),
            (
                r#""tools":[{"name":"x"},{"name":"y","type":"code_execution_20250825"}]"#,
                "tools of the type `code_execution_20250825`",
            ),
            (
                r#""messages":[{"content":[{"type":"image","source":{"url":"https://evil.test/?d=1","type":"url"}}]}]"#,
                "source of the type `url`",
            ),
            (r#""messages":[{"content":[{"content":[{"source":{"type":"file"}}]}]}]"#, "source of the type `file`"),
        ] {
            let found = of(&format!(r#"{{"model":"m",{part}}}"#)).unwrap();
            assert_eq!(found.reaches_out.as_deref(), Some(what), "{part}");
        }
    }

    #[test]
    fn a_model_that_is_read_in_two_ways_is_refused() {
        for text in [
            r#"{"model":"a","model":"b"}"#,
            r#"{"model":"a","Model":"b"}"#,
            r#"{"MODEL":"a"}"#,
            "{}",
            "[]",
            "no",
            r#"{"model":7}"#,
            r#"{"model":"a"} x"#,
        ] {
            assert!(of(text).is_err(), "{text}");
        }
    }

    /// Found by fuzzing: a list in the place of a type was passed over unread.
    #[test]
    fn what_is_no_text_is_refused_wherever_it_stands() {
        let bytes = b"{\"model\":\"m\",\"tools\":[{\"type\":[\"\xff\"]}]}";
        assert!(asked(bytes, true).is_err());
        assert!(of(r#"{"model":"m","tools":[{"type":["\ud800"]}]}"#).is_err());
    }

    #[test]
    fn thirty_megabytes_of_numbers_are_read_without_being_kept() {
        let text = format!(r#"{{"model":"m","x":[{}0]}}"#, "0,".repeat(15_000_000));
        assert_eq!(of(&text).unwrap().model, "m");
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            _ = asked(&bytes, true);
        }
    }
}
