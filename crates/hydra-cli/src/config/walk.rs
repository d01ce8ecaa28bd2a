//! Holds `hydra.toml` against its schema: unknown keys with the nearest known one, wrong types, values outside a list or a range. All of them at once, each with its line, no value repeated.

use super::{problem::Problem, source_text::SourceText};
use hydra_core::diagnostic::nearest;
use serde_json::Value as Json;
use std::ops::Range;
use toml_edit::{Item, TableLike, Value};

/// Everything in the file that the schema does not allow.
#[must_use]
pub fn check(source: &SourceText, schema: &Json) -> Vec<Problem> {
    let mut walk = Walk { source, problems: Vec::new() };
    walk.table(source.table(), schema, "");
    walk.problems
}

struct Walk<'a> {
    source: &'a SourceText,
    problems: Vec<Problem>,
}

impl Walk<'_> {
    fn report(&mut self, range: Option<Range<usize>>, message: String, help: String) {
        let place = range.map(|range| self.source.place(range));
        self.problems.push(Problem::config(message, help).maybe_at(place));
    }

    fn table(&mut self, table: &dyn TableLike, schema: &Json, path: &str) {
        let known = schema.get("properties").and_then(Json::as_object);
        let any = schema.get("additionalProperties").filter(|schema| schema.is_object());
        for (name, item) in table.iter() {
            let key = join(path, name);
            match known.and_then(|known| known.get(name)).or(any) {
                Some(schema) => self.item(item, schema, &key),
                None => {
                    let names: Vec<&str> = known.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
                    let range = table.get_key_value(name).and_then(|(key, item)| key.span().or_else(|| item.span()));
                    let shown = crate::output::mask::scrub(&key);
                    self.report(range, format!("there is no key `{shown}`"), suggest(name, &names, path));
                }
            }
        }
        for name in schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str) {
            if table.get(name).is_none() {
                let place = self.source.place_of(path);
                let problem = Problem::config(format!("`{path}` lacks `{name}`"), format!("add `{name}`"));
                self.problems.push(problem.maybe_at(place));
            }
        }
    }

    fn item(&mut self, item: &Item, schema: &Json, path: &str) {
        let schema = without_null(schema);
        if let Some(table) = item.as_table_like() {
            if is(schema, "object") {
                self.table(table, schema, path);
            } else {
                self.report(item.span(), wrong(schema, path, "a table"), form(schema, path));
            }
            return;
        }
        match item {
            Item::Value(value) => self.value(value, schema, path),
            Item::ArrayOfTables(tables) => {
                self.report(tables.span(), wrong(schema, path, "a list of tables"), form(schema, path));
            }
            Item::None | Item::Table(_) => {}
        }
    }

    fn value(&mut self, value: &Value, schema: &Json, path: &str) {
        let span = value.span();
        match value {
            Value::Array(array) if is(schema, "array") => {
                let Some(element) = schema.get("items") else { return };
                for (index, value) in array.iter().enumerate() {
                    self.value(value, without_null(element), &format!("{path}[{index}]"));
                }
            }
            Value::String(text) if is(schema, "string") => self.text(text.value(), schema, path, span),
            Value::Boolean(_) if is(schema, "boolean") => {}
            Value::Integer(number) if is(schema, "integer") || is(schema, "number") => {
                self.range(*number.value() as f64, schema, path, span);
            }
            Value::Float(number) if is(schema, "number") => self.range(*number.value(), schema, path, span),
            Value::InlineTable(table) if is(schema, "object") => self.table(table, schema, path),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_)
            | Value::InlineTable(_) => self.report(span, wrong(schema, path, kind(value)), form(schema, path)),
        }
    }

    fn text(&mut self, text: &str, schema: &Json, path: &str, span: Option<Range<usize>>) {
        let allowed = choices(schema);
        if !allowed.is_empty() && !allowed.contains(&text) {
            let help = match nearest(text, &allowed) {
                Some(name) => format!("did you mean \"{name}\"?"),
                None => "choose one of them".to_owned(),
            };
            let list = allowed.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
            self.report(span, format!("`{path}` must be one of {list}"), help);
        } else if schema.get("pattern").is_some()
            && let Err(why) = text.parse::<super::duration::Duration>()
        {
            // Durations are the only texts with a pattern.
            self.report(span, format!("`{path}` is not a length of time: {why}"), form(schema, path));
        }
    }

    fn range(&mut self, number: f64, schema: &Json, path: &str, span: Option<Range<usize>>) {
        let bound = |name: &str| schema.get(name).and_then(Json::as_f64);
        let low = bound("minimum");
        // Bounds of an integer type itself are not worth telling.
        let high = bound("maximum").filter(|high| *high < f64::from(u32::MAX));
        if low.is_some_and(|low| number < low) || high.is_some_and(|high| number > high) || !number.is_finite() {
            let span_text = match (low, high) {
                (Some(low), Some(high)) => format!("from {low} to {high}"),
                (Some(low), None) => format!("at least {low}"),
                (None, Some(high)) => format!("at most {high}"),
                (None, None) => "a finite number".to_owned(),
            };
            let help = "write a number within these bounds, or leave the key out for its default".to_owned();
            self.report(span, format!("`{path}` must be {span_text}"), help);
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn suggest(name: &str, known: &[&str], path: &str) -> String {
    if crate::output::mask::sounds_secret(name) {
        return "secrets do not stand in this file: they belong in secrets/.env or secrets/credentials.json".to_owned();
    }
    match nearest(name, known) {
        Some(near) => format!("did you mean `{}`?", join(path, near)),
        None if path.is_empty() => format!("the file's keys and tables are: {}", known.join(", ")),
        None => format!("[{path}] has: {}", known.join(", ")),
    }
}

/// An optional value's schema is its own, or null.
pub(super) fn without_null(schema: &Json) -> &Json {
    let alternatives = schema.get("anyOf").and_then(Json::as_array);
    alternatives.and_then(|all| all.iter().find(|one| !is(one, "null"))).unwrap_or(schema)
}

fn is(schema: &Json, kind: &str) -> bool {
    match schema.get("type") {
        Some(Json::String(name)) => name == kind,
        Some(Json::Array(names)) => names.iter().any(|name| name == kind),
        _ => kind == "string" && !choices(schema).is_empty(),
    }
}

/// The texts that an enumeration allows.
pub(super) fn choices(schema: &Json) -> Vec<&str> {
    let listed = schema.get("enum").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
    let alternatives = schema.get("oneOf").and_then(Json::as_array).into_iter().flatten();
    listed.chain(alternatives.filter_map(|one| one.get("const").and_then(Json::as_str))).collect()
}

fn wrong(schema: &Json, path: &str, found: &str) -> String {
    format!("`{path}` must be {}, and is {found}", expected(schema))
}

/// How such a value is written.
fn form(schema: &Json, path: &str) -> String {
    let key = path.rsplit('.').next().unwrap_or(path);
    let key = key.split('[').next().unwrap_or(key);
    match expected(schema) {
        "a table" => format!("write [{path}] on a line of its own, and its keys below"),
        "a list" => format!("write {key} = [\"…\"], with a comma between entries"),
        "a whole number" => format!("write {key} = 3, without quotes"),
        "a number" => format!("write {key} = 0.5, without quotes"),
        "true or false" => format!("write {key} = true or {key} = false, without quotes"),
        "a text in quotes" => format!("write {key} = \"…\""),
        _ => format!("write {key} = \"35m\": units are s, m, h and d"),
    }
}

/// What a schema asks for, in words.
pub(super) fn expected(schema: &Json) -> &'static str {
    let table = [
        ("object", "a table"),
        ("array", "a list"),
        ("integer", "a whole number"),
        ("number", "a number"),
        ("boolean", "true or false"),
    ];
    if schema.get("pattern").is_some() {
        return "a length of time such as \"35m\"";
    }
    table.iter().find(|(name, _)| is(schema, name)).map_or("a text in quotes", |(_, words)| words)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number with a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::InlineTable(_) => "a table",
    }
}
