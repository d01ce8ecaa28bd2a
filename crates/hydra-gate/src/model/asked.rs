//! What a request's body asks for, read without keeping any of it: the model, and whether the provider is asked to reach out for the agent.

use hydra_core::egress::gate::ModelApi;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::{cell::RefCell, fmt};

/// Keys of a request by which the provider calls hosts of the agent's choice, or keeps what is asked running.
const OUT: [&str; 5] = ["mcp_servers", "container", "background", "connectors", "web_search_options"];
/// Keys of a request that change what its tokens cost, as they are compared (`serviceTier` is `service_tier`), and the values at which they cost
/// what the table of prices says.
const PRICED: [(&str, &[&str]); 3] =
    [("speed", &[]), ("inferencegeo", &[]), ("servicetier", &["auto", "standard_only", "default"])];
/// Tools that the provider runs itself and that reach hosts of the agent's choice, or files of the account's owner, by the beginning of
/// their type: refused wherever they stand.
const TOOLS: [&str; 6] = ["web_", "code_", "mcp", "computer", "file_search", "image_generation"];

/// Of the list of tools itself nothing is let through but what the agent runs: types that are to come are refused until they are known.
fn is_the_agents(api: ModelApi, kind: &str) -> bool {
    match api {
        ModelApi::Messages => {
            let begins = ["bash_", "text_editor_", "memory_", "tool_search_tool_"];
            matches!(kind, "" | "custom") || begins.iter().any(|begin| kind.starts_with(begin))
        }
        ModelApi::Responses => matches!(kind, "function" | "custom" | "local_shell" | "apply_patch"),
        ModelApi::ChatCompletions => matches!(kind, "function" | "custom"),
        // Each of its tools is named by its key.
        ModelApi::Gemini => true,
    }
}

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The model.
    pub(crate) model: String,
    /// What of it may not be asked for: it would make the provider reach out, or cost more than is counted.
    pub(crate) too_much: Option<String>,
}

/// Reads a body. A model that is named twice, or in other letters, is read in two ways by two programs: it is refused. Gemini's stands in
/// the path.
pub(crate) fn asked(body: &[u8], api: ModelApi) -> Result<Asked, String> {
    let found = RefCell::new(Asked::default());
    let models = RefCell::new(0_u32);
    let mut reader = serde_json::Deserializer::from_slice(body);
    let walk = Walk { api, found: &found, models: &models, depth: 0, within: "", key: "" };
    let read = walk.deserialize(&mut reader).and_then(|()| reader.end());
    read.map_err(|error| format!("something that cannot be read ({error})"))?;
    if api != ModelApi::Gemini && models.into_inner() != 1 {
        return Err("a model that is not named once".to_owned());
    }
    Ok(found.into_inner())
}

/// One value, and where it stands.
#[derive(Clone, Copy)]
struct Walk<'w> {
    api: ModelApi,
    found: &'w RefCell<Asked>,
    models: &'w RefCell<u32>,
    depth: u32,
    /// The key that its object has in its own turn.
    within: &'w str,
    /// The key that it has in its object; of an array's items, the array's.
    key: &'w str,
}

impl Walk<'_> {
    fn out(&self, what: String) {
        self.found.borrow_mut().too_much.get_or_insert(what);
    }
    /// Whether a text that stands here is an address that the provider would call.
    fn is_called(&self) -> bool {
        match self.api {
            // Its sources say by their type whether they are one.
            ModelApi::Messages => false,
            ModelApi::Responses => matches!(self.key, "image_url" | "file_url"),
            ModelApi::ChatCompletions => matches!((self.within, self.key), (_, "image_url") | ("image_url", "url")),
            ModelApi::Gemini => {
                matches!((self.within, self.key), ("fileData" | "file_data", "fileUri" | "file_uri"))
            }
        }
    }
    /// Whether an object that stands here is one of the request's own tools.
    fn is_a_tool(&self) -> bool {
        self.depth == 2 && self.within.is_empty() && self.key == "tools"
    }
    /// Whether an object that stands here is one of Gemini's tools: each is named by its key.
    fn is_geminis_tool(&self) -> bool {
        self.api == ModelApi::Gemini && matches!(self.depth, 1 | 2) && self.within.is_empty() && self.key == "tools"
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
            if self.depth == 0
                && let Some((_, fine)) = PRICED.iter().find(|(priced, _)| is_spelt(&key, priced))
            {
                let Kind(value) = map.next_value()?;
                if !fine.contains(&value.as_str()) {
                    self.out(format!("`{key}`"));
                }
                continue;
            }
            if self.is_geminis_tool() && !matches!(&*key, "functionDeclarations" | "function_declarations") {
                self.out(format!("the tool `{key}`"));
            }
            if self.depth > 0 && key == "type" && matches!(self.key, "source" | "tools") {
                // Its type alone says what it is; some are no texts.
                let Kind(kind) = map.next_value()?;
                let remote = self.key == "source" && matches!(kind.as_str(), "url" | "file");
                let unknown = self.is_a_tool() && !is_the_agents(self.api, &kind);
                let runs = unknown || self.key == "tools" && TOOLS.iter().any(|tool| kind.starts_with(tool));
                if remote || runs {
                    self.out(format!("{} of the type `{kind}`", self.key));
                }
                continue;
            }
            // Below the messages and the tools only, so that an answer of a tool may hold what it likes as text.
            map.next_value_seed(Walk { depth: self.depth + 1, within: self.key, key: &key, ..self })?;
        }
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Walk { depth: self.depth + 1, ..self })?.is_some() {}
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
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if self.is_called() && !text.starts_with("data:") {
            self.out(format!("`{}` with an address", self.key));
        }
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Whether a key is this one, however a server spells it.
fn is_spelt(key: &str, plain: &str) -> bool {
    key.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase()).eq(plain.bytes())
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
        asked(text.as_bytes(), ModelApi::Messages)
    }

    #[test]
    fn a_plain_request_names_its_model() {
        let text = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"{\"type\":\"url\"}"}]},
            {"type":"image","source":{"type":"base64","data":"x"}}]}],"tools":[{"name":"Bash","type":"custom","input_schema":{"type":"object","properties":{"type":{"type":["string","null"]}}}}],
            "temperature":1.5,"stream":true,"metadata":null}"#;
        assert_eq!(of(text), Ok(Asked { model: "m".into(), too_much: None }));
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
            (r#""tools":[{"type":"of_next_year"}]"#, "tools of the type `of_next_year`"),
            (
                r#""messages":[{"content":[{"type":"image","source":{"url":"https://evil.test/?d=1","type":"url"}}]}]"#,
                "source of the type `url`",
            ),
            (r#""messages":[{"content":[{"content":[{"source":{"type":"file"}}]}]}]"#, "source of the type `file`"),
        ] {
            let found = of(&format!(r#"{{"model":"m",{part}}}"#)).unwrap();
            assert_eq!(found.too_much.as_deref(), Some(what), "{part}");
        }
    }

    #[test]
    fn each_api_has_its_own_way_of_calling_an_address() {
        let address = "https://evil.test/?d=1";
        for (api, part, what) in [
            (
                ModelApi::ChatCompletions,
                format!(r#""messages":[{{"content":[{{"type":"image_url","image_url":{{"url":"{address}"}}}}]}}]"#),
                "`url` with an address",
            ),
            (ModelApi::ChatCompletions, r#""web_search_options":{}"#.to_owned(), "`web_search_options`"),
            (
                ModelApi::Responses,
                format!(r#""input":[{{"content":[{{"type":"input_image","image_url":"{address}"}}]}}]"#),
                "`image_url` with an address",
            ),
            (
                ModelApi::Responses,
                format!(r#""input":[{{"content":[{{"type":"input_file","file_url":"{address}"}}]}}]"#),
                "`file_url` with an address",
            ),
            (ModelApi::Responses, r#""tools":[{"type":"file_search"}]"#.to_owned(), "tools of the type `file_search`"),
            (ModelApi::Responses, r#""tools":[{"type":"shell"}]"#.to_owned(), "tools of the type `shell`"),
            (ModelApi::ChatCompletions, r#""tools":[{"type":"browser"}]"#.to_owned(), "tools of the type `browser`"),
            (
                ModelApi::Gemini,
                format!(r#""contents":[{{"parts":[{{"fileData":{{"fileUri":"{address}"}}}}]}}]"#),
                "`fileUri` with an address",
            ),
            (
                ModelApi::Gemini,
                r#""tools":[{"functionDeclarations":[]},{"urlContext":{}}]"#.to_owned(),
                "the tool `urlContext`",
            ),
            (ModelApi::Gemini, r#""tools":{"google_search":{}}"#.to_owned(), "the tool `google_search`"),
        ] {
            let found = asked(format!(r#"{{"model":"m",{part}}}"#).as_bytes(), api).unwrap();
            assert_eq!(found.too_much.as_deref(), Some(what), "{part}");
        }
    }

    #[test]
    fn what_an_agent_needs_stays() {
        for (api, part) in [
            (
                ModelApi::Messages,
                r#""tools":[{"type":"bash_20250124","name":"bash"},{"type":"text_editor_20250728"},{"input_schema":{"properties":{"tools":{"type":"array"}}}}]"#,
            ),
            (ModelApi::Responses, r#""tools":[{"type":"local_shell"},{"type":"custom"}]"#),
            (
                ModelApi::Messages,
                r#""messages":[{"content":[{"type":"tool_use","input":{"image_url":"https://a.test"}}]}]"#,
            ),
            (
                ModelApi::ChatCompletions,
                r#""messages":[{"content":[{"image_url":{"url":"data:image/png;base64,AA"}}]}]"#,
            ),
            (
                ModelApi::Responses,
                r#""input":[{"image_url":"data:image/png;base64,AA"}],"tools":[{"type":"function","parameters":{"properties":{"image_url":{"type":"string"}},"required":["image_url"]}}]"#,
            ),
            (
                ModelApi::Gemini,
                r#""tools":[{"functionDeclarations":[{"parameters":{"properties":{"tools":{"type":"ARRAY"},"fileUri":{"type":"STRING"}}}}]}],"contents":[{"parts":[{"functionCall":{"args":{"fileUri":"https://a.test"}}}]}]"#,
            ),
        ] {
            let found = asked(format!(r#"{{"model":"m",{part}}}"#).as_bytes(), api).unwrap();
            assert_eq!(found.too_much, None, "{part}");
        }
    }

    #[test]
    fn what_costs_more_than_is_counted_is_refused() {
        for part in [
            r#""speed":"fast""#,
            r#""inference_geo":"us""#,
            r#""service_tier":"priority""#,
            r#""Service_Tier":"priority""#,
            r#""serviceTier":"priority""#,
            r#""service_tier":"auto","service_tier":"priority""#,
            r#""service_tier":["auto"]"#,
        ] {
            for api in ModelApi::ALL {
                let found = asked(format!(r#"{{"model":"m",{part}}}"#).as_bytes(), *api).unwrap();
                let key = part.split('"').nth(1).unwrap();
                assert_eq!(found.too_much, Some(format!("`{key}`")), "{part}");
            }
        }
        let fine = r#"{"model":"m","service_tier":"auto","messages":[{"content":[{"type":"tool_use","input":{"speed":"fast"}}]}]}"#;
        assert_eq!(of(fine).unwrap().too_much, None);
        assert_eq!(of(r#"{"model":"m","service_tier":"standard_only"}"#).unwrap().too_much, None);
        assert!(of(r#"{"model":"m","service_tier":7}"#).is_err(), "no server takes it");
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
        assert!(asked(bytes, ModelApi::Messages).is_err());
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
            _ = asked(&bytes, ModelApi::Messages);
        }
    }
}
