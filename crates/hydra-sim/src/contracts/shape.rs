//! The part of JSON Schema that OpenAPI 3.0 uses, as far as GitHub's description does.

use serde_json::{Map, Value};

/// Where the first violation is, and what it is; `None` when the value fits.
pub(super) fn violation(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    check(root, schema, value, "", 0).err()
}

/// Follows `$ref`s within the description.
pub(super) fn resolve<'a>(root: &'a Value, mut schema: &'a Value) -> &'a Value {
    for _ in 0..16 {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
        match target.and_then(|pointer| root.pointer(pointer)) {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, depth: usize) -> Result<(), String> {
    if depth > 64 {
        return Err(format!("{at}: nested too deeply"));
    }
    let schema = resolve(root, schema);
    let Some(rules) = schema.as_object() else { return Ok(()) };
    if value.is_null() && rules.get("nullable") == Some(&Value::Bool(true)) {
        return Ok(());
    }
    if let Some(allowed) = rules.get("enum").and_then(Value::as_array).filter(|a| !a.contains(value)) {
        return Err(format!("{at}: {value} is none of {}", Value::Array(allowed.clone())));
    }
    combinations(root, rules, value, at, depth)?;
    let kind = rules.get("type").and_then(Value::as_str);
    if let Some(kind) = kind {
        let fits = match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            _ => true,
        };
        if !fits {
            return Err(format!("{at}: {} is no {kind}", short(value)));
        }
    }
    match value {
        Value::Object(map) => object(root, rules, map, at, depth),
        Value::Array(items) => {
            let size = |name: &str| rules.get(name).and_then(Value::as_u64);
            let count = items.len() as u64;
            if size("minItems").is_some_and(|n| count < n) || size("maxItems").is_some_and(|n| count > n) {
                return Err(format!("{at}: {count} items"));
            }
            let Some(schema) = rules.get("items") else { return Ok(()) };
            items.iter().enumerate().try_for_each(|(i, v)| check(root, schema, v, &format!("{at}/{i}"), depth + 1))
        }
        Value::String(text) => string(rules, text, at),
        Value::Number(number) => {
            let bound = |name: &str| rules.get(name).and_then(Value::as_f64);
            let number = number.as_f64().unwrap_or_default();
            if bound("minimum").is_some_and(|n| number < n) || bound("maximum").is_some_and(|n| number > n) {
                return Err(format!("{at}: {number} is out of bounds"));
            }
            Ok(())
        }
        Value::Null | Value::Bool(_) => Ok(()),
    }
}

fn combinations(root: &Value, rules: &Map<String, Value>, value: &Value, at: &str, depth: usize) -> Result<(), String> {
    for schema in rules.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        check(root, schema, value, at, depth + 1)?;
    }
    // GitHub's alternatives overlap (an object without required fields fits many): one that fits is enough.
    for name in ["anyOf", "oneOf"] {
        let Some(choices) = rules.get(name).and_then(Value::as_array) else { continue };
        let mut reasons = Vec::new();
        for schema in choices {
            match check(root, schema, value, at, depth + 1) {
                Ok(()) => {
                    reasons.clear();
                    break;
                }
                Err(why) => reasons.push(why),
            }
        }
        if !reasons.is_empty() {
            return Err(format!("{at}: fits no alternative [{}]", reasons.join(" | ")));
        }
    }
    Ok(())
}

fn object(
    root: &Value,
    rules: &Map<String, Value>,
    map: &Map<String, Value>,
    at: &str,
    depth: usize,
) -> Result<(), String> {
    for name in rules.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !map.contains_key(name) {
            return Err(format!("{at}: {name} is missing"));
        }
    }
    let properties = rules.get("properties").and_then(Value::as_object);
    let other = rules.get("additionalProperties");
    for (name, value) in map {
        let known = properties.and_then(|p| p.get(name));
        match (known, other) {
            (Some(schema), _) => check(root, schema, value, &format!("{at}/{name}"), depth + 1)?,
            (None, Some(Value::Bool(false))) => return Err(format!("{at}: {name} is not in the description")),
            (None, Some(schema @ Value::Object(_))) => {
                check(root, schema, value, &format!("{at}/{name}"), depth + 1)?;
            }
            (None, _) => {}
        }
    }
    Ok(())
}

fn string(rules: &Map<String, Value>, text: &str, at: &str) -> Result<(), String> {
    let size = |name: &str| rules.get(name).and_then(Value::as_u64);
    let length = text.chars().count() as u64;
    if size("minLength").is_some_and(|n| length < n) || size("maxLength").is_some_and(|n| length > n) {
        return Err(format!("{at}: a text of {length} characters"));
    }
    let fits = match rules.get("format").and_then(Value::as_str) {
        Some("date-time") => text.parse::<jiff::Timestamp>().is_ok(),
        Some("uri") => url::Url::parse(text).is_ok(),
        _ => true,
    };
    if fits { Ok(()) } else { Err(format!("{at}: {text:?} has not the promised format")) }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::violation;
    use serde_json::json;

    #[test]
    fn violations_are_found_where_they_are() {
        let root = json!({ "components": { "schemas": { "name": { "type": "string", "enum": ["a", "b"] } } } });
        let schema = json!({
            "type": "object", "required": ["n", "list"],
            "properties": {
                "n": { "type": "integer", "nullable": true },
                "list": { "type": "array", "items": { "$ref": "#/components/schemas/name" } },
                "at": { "type": "string", "format": "date-time" },
                "either": { "oneOf": [{ "type": "string" }, { "type": "object", "required": ["x"] }] },
            }
        });
        let of = |value| violation(&root, &schema, &value);
        assert_eq!(of(json!({ "n": null, "list": ["a"], "either": { "x": 1 } })), None);
        assert_eq!(of(json!({ "n": 1 })).as_deref(), Some(": list is missing"));
        assert_eq!(of(json!({ "n": 1, "list": ["c"] })).as_deref(), Some("/list/0: \"c\" is none of [\"a\",\"b\"]"));
        assert_eq!(of(json!({ "n": "1", "list": [] })).as_deref(), Some("/n: \"1\" is no integer"));
        assert!(of(json!({ "n": 1, "list": [], "at": "yesterday" })).is_some());
        assert!(of(json!({ "n": 1, "list": [], "either": 5 })).is_some());
    }
}
