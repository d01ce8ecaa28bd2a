//! Requests: what is let through names one model and asks the provider for nothing but an answer, however it is written.

use crate::model::{
    asked::asked,
    warning::{WARNING, warned},
};
use hydra_core::egress::gate::ModelApi;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// JSON with every key as it is written, also one that stands twice.
#[derive(Debug)]
enum Tree {
    Object(Vec<(String, Tree)>),
    List(Vec<Tree>),
    Text(String),
    Other,
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Tree;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut all = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    all.push(pair);
                }
                Ok(Tree::Object(all))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = list.next_element()? {
                    all.push(one);
                }
                Ok(Tree::List(all))
            }
            fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
                Ok(Tree::Text(text.to_owned()))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
                Ok(Tree::Other)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
                Ok(Tree::Other)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
                Ok(Tree::Other)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
                Ok(Tree::Other)
            }
            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Other)
            }
        }
        from.deserialize_any(Any)
    }
}

impl Tree {
    /// Whether some object has this key with such a text, below a key of that name (`*`: of any): its own, or that of the list that it is in.
    fn has(&self, below: &str, own: &str, key: &str, is: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Object(all) => all.iter().any(|(name, value)| {
                let here = (own == below || below == "*") && name == key;
                let hit = matches!(value, Self::Text(text) if is(text));
                (here && hit) || value.has(below, name, key, is)
            }),
            Self::List(all) => all.iter().any(|one| one.has(below, own, key, is)),
            Self::Text(_) | Self::Other => false,
        }
    }
}

const REQUESTS: [&str; 10] = [
    r#"{"model":"claude-sonnet-4-6","max_tokens":32000,"stream":true,"system":[{"type":"text","text":"You are.","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"tools":[{"name":"Bash","input_schema":{"type":"object","properties":{"type":{"type":"string"}}}}],"metadata":{"user_id":"u"}}"#,
    r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aa"}},{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"x"}]}]}],"model":"m"}"#,
    r#"{"model":"m","mcp_servers":[{"type":"url","url":"https://evil.test"}],"messages":[]}"#,
    r#"{"model":"m","tools":[{"type":"web_fetch_20250910","name":"web_fetch"}],"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://evil.test"}}]}]}"#,
    r#"{"model":"m","model":"n"}"#,
    r#"{"model":"m","service_tier":"priority","speed":"fast","messages":[]}"#,
    r#"{"\u006dodel":"m","container":null,"background":false}"#,
    r#"{"model":"gpt-5","input":[{"role":"user","content":[{"type":"input_text","text":"x"},{"type":"input_image","image_url":"https://evil.test/a.png"}]}],"tools":[{"type":"function","name":"f"}]}"#,
    r#"{"model":"gpt-5","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://evil.test/a.png"}}]}],"web_search_options":{}}"#,
    r#"{"contents":[{"role":"user","parts":[{"text":"x"},{"fileData":{"fileUri":"https://evil.test"}}]}],"tools":[{"googleSearch":{}}],"model":"m"}"#,
];

/// That nothing of it makes the provider reach out, by a reading of its own.
fn stays(tree: &Tree, all: &[(String, Tree)], api: ModelApi) {
    let key = all
        .iter()
        .find(|(key, _)| ["mcp_servers", "container", "background", "speed", "inference_geo"].contains(&key.as_str()));
    assert!(key.is_none(), "{key:?}");
    assert!(!tree.has("source", "", "type", &|kind| matches!(kind, "url" | "file")), "a source by address");
    let out = |kind: &str| ["web_", "code_", "mcp", "file_search"].iter().any(|begin| kind.starts_with(begin));
    assert!(!tree.has("tools", "", "type", &out), "a tool that reaches out");
    if let Some((_, Tree::List(tools))) =
        all.iter().find(|(key, _)| key == "tools").filter(|_| api == ModelApi::ChatCompletions)
    {
        let own = |tool: &Tree| {
            !matches!(tool, Tree::Object(all) if all.iter().any(|(key, value)| {
                key == "type" && !matches!(value, Tree::Text(kind) if kind == "function" || kind == "custom")
            }))
        };
        assert!(tools.iter().all(own), "a tool that is not the agent's");
    }
    let address = |text: &str| text.starts_with("https://");
    let called = match api {
        ModelApi::Messages => false,
        ModelApi::Responses => ["image_url", "file_url"].iter().any(|key| tree.has("*", "", key, &address)),
        ModelApi::ChatCompletions => tree.has("image_url", "", "url", &address),
        ModelApi::Gemini => tree.has("fileData", "", "fileUri", &address),
    };
    assert!(!called, "an address");
}

/// Requests of every shape, some of which reach out.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    REQUESTS.map(|text| text.as_bytes().to_vec()).into()
}

/// The kind of its answer.
///
/// # Panics
/// When what was read does not hold.
#[must_use]
pub fn check(bytes: &[u8]) -> String {
    let api = ModelApi::ALL[bytes.len() % 4];
    let found = match asked(bytes, api) {
        Ok(found) => found,
        Err(why) => return why,
    };
    let value: Value = serde_json::from_slice(bytes).expect("what is accepted is JSON");
    let tree: Tree = serde_json::from_slice(bytes).unwrap();
    let Tree::Object(all) = &tree else {
        assert_eq!(api, ModelApi::Gemini, "no object");
        return "ok, nothing".to_owned();
    };
    let names_one = api != ModelApi::Gemini;
    assert!(!names_one || value["model"].as_str() == Some(found.model.as_str()));
    assert!(!names_one || all.iter().filter(|(key, _)| key.eq_ignore_ascii_case("model")).count() == 1);
    if found.too_much.is_none() {
        stays(&tree, all, api);
    }
    // A warning changes nothing but the end of the last message.
    let warned = warned(bytes).inspect(|warned| {
        let again = asked(warned, api).expect("a warned request is a request");
        assert_eq!(again.model, found.model);
        assert!(again.too_much.is_none() || found.too_much.is_some());
        let (mut new, mut old): (Value, Value) = (serde_json::from_slice(warned).unwrap(), value.clone());
        let last = |of: &mut Value| of["messages"].as_array_mut().unwrap().last_mut().unwrap()["content"].take();
        let (Value::Array(mut content), was) = (last(&mut new), last(&mut old)) else { panic!("no blocks") };
        assert_eq!(content.pop().unwrap()["text"], WARNING);
        match was {
            Value::String(text) => assert_eq!(content[0]["text"], text.as_str()),
            blocks => assert_eq!(Value::Array(content), blocks),
        }
        assert_eq!(new, old);
    });
    let out = found.too_much.as_deref().map_or("stays", |what| what.split(['`', ',']).next().unwrap_or(what));
    format!("ok, warned {}, {out}", warned.is_some())
}

#[cfg(test)]
mod tests {
    use super::{check, seeds};

    #[test]
    fn requests() {
        let report = hydra_fuzz::fuzz("model-request", &seeds(), check);
        for kind in [
            "ok, warned true, stays",
            "ok, warned false, stays",
            "something that cannot be read",
            "a model that is not",
        ] {
            assert!(report.saw(kind), "{kind}: {report:?}");
        }
        let mut out = report.answers.keys().filter(|kind| kind.starts_with("ok") && !kind.ends_with("stays"));
        assert!(out.any(|kind| kind.contains("source")) && report.answers.len() > 12, "{report:?}");
    }
}
