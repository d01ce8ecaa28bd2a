//! REST: path, method, parameters, bodies and statuses against the OpenAPI description.

use super::{
    Report,
    shape::{resolve, violation},
};
use crate::github::Record;
use serde_json::{Map, Value};

pub(super) struct OpenApi {
    root: Value,
    /// Templates, taken apart.
    paths: Vec<(String, Vec<String>)>,
}

/// Statuses that GitHub answers with everywhere, though its description names them only in places.
const GENERAL: &[u16] = &[401, 403, 404, 409, 410, 422, 429];

/// Parameters that may hold slashes: names of refs and of files.
const LONG: &[&str] = &["{ref}", "{path}", "{branch}", "{basehead}"];

fn is_parameter(part: &str) -> bool {
    part.starts_with('{')
}

impl OpenApi {
    pub(super) fn new(root: Value) -> Self {
        let names = root.get("paths").and_then(Value::as_object).into_iter().flat_map(Map::keys);
        let paths = names.map(|n| (n.clone(), n.trim_start_matches('/').split('/').map(str::to_owned).collect()));
        let paths = paths.collect();
        Self { root, paths }
    }

    /// The template that fits best: as many literal parts as possible; a last parameter may hold slashes, if it is one of [`LONG`].
    fn template(&self, path: &str, method: &str) -> Option<&str> {
        let named = path.strip_prefix("/repositories/").map(|rest| match rest.split_once('/') {
            Some((_, tail)) => format!("/repos/o/r/{tail}"),
            None => "/repos/o/r".to_owned(),
        });
        let path = named.as_deref().unwrap_or(path);
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let method = method.to_ascii_lowercase();
        let score = |template: &[String]| {
            let exact = template.len() == parts.len();
            let long = parts.len() > template.len() && template.last().is_some_and(|p| LONG.contains(&p.as_str()));
            let fits = template.iter().zip(&parts).all(|(t, p)| is_parameter(t) && !p.is_empty() || t == p);
            let literals = template.iter().filter(|t| !is_parameter(t)).count();
            ((exact || long) && fits).then_some((literals, exact))
        };
        let known =
            |name: &str| self.root.get("paths").and_then(|p| p.get(name)).is_some_and(|p| p.get(&method).is_some());
        let all = self.paths.iter().filter(|(name, _)| known(name));
        let best = all.filter_map(|(name, template)| Some((score(template)?, name))).max_by_key(|(score, _)| *score);
        best.map(|(_, name)| name.as_str())
    }

    pub(super) fn check(&self, record: &Record, report: &mut Report) {
        report.requests += 1;
        let call = format!("{} {}", record.method, record.path);
        let Some(template) = self.template(&record.path, &record.method) else {
            // What does not exist answers 404: that is GitHub's own behaviour, but nobody should ask.
            report.unmatched.push(format!("{call}: no such path in the description"));
            return;
        };
        let item = self.root.get("paths").and_then(|p| p.get(template)).unwrap_or(&Value::Null);
        let operation = item.get(record.method.to_ascii_lowercase()).unwrap_or(&Value::Null);
        self.request(&call, item, operation, record, report);
        if !record.faulty {
            report.responses += 1;
            self.response(&call, operation, record, report);
        }
    }

    fn request(&self, call: &str, item: &Value, operation: &Value, record: &Record, report: &mut Report) {
        let lists = [item.get("parameters"), operation.get("parameters")];
        let parameters: Vec<&Value> =
            lists.into_iter().flatten().filter_map(Value::as_array).flatten().map(|p| resolve(&self.root, p)).collect();
        for (name, text) in &record.query {
            let known = |p: &&&Value| {
                p.get("in").and_then(Value::as_str) == Some("query")
                    && p.get("name").and_then(Value::as_str) == Some(name)
            };
            let Some(parameter) = parameters.iter().find(known) else {
                report.unmatched.push(format!("{call}: query parameter {name} is not in the description"));
                continue;
            };
            let schema = resolve(&self.root, parameter.get("schema").unwrap_or(&Value::Null));
            let value = match schema.get("type").and_then(Value::as_str) {
                Some("integer" | "number" | "boolean") => serde_json::from_str(text).unwrap_or(Value::Null),
                _ => Value::String(text.clone()),
            };
            if let Some(why) = violation(&self.root, schema, &value) {
                report.unmatched.push(format!("{call}: query parameter {name}{why}"));
            }
        }
        let described = operation.get("requestBody").map(|b| resolve(&self.root, b));
        let schema = described.and_then(|b| b.pointer("/content/application~1json/schema"));
        match (&record.request, schema) {
            (Some(body), Some(schema)) => {
                // A body that the simulator rightly refuses is a test of the refusal, not a mistake of the caller.
                let refused = matches!(record.status, 400 | 422);
                if let Some(why) = violation(&self.root, schema, body).filter(|_| !refused) {
                    report.unmatched.push(format!("{call}: request{why}"));
                }
                for name in self.unknown(schema, body) {
                    report.unmatched.push(format!("{call}: request field {name} is not in the description"));
                }
            }
            (Some(body), None) if !body.is_null() => {
                report.unmatched.push(format!("{call}: a body that the description does not have"));
            }
            (None, Some(_)) if described.and_then(|b| b.get("required")) == Some(&Value::Bool(true)) => {
                report.unmatched.push(format!("{call}: no body, though one is required"));
            }
            _ => {}
        }
    }

    /// Fields of a request that no alternative of the schema knows.
    fn unknown(&self, schema: &Value, body: &Value) -> Vec<String> {
        let mut known = Vec::new();
        let mut open = false;
        self.fields(schema, &mut known, &mut open);
        let fields = body.as_object().into_iter().flat_map(Map::keys);
        fields.filter(|f| !open && !known.contains(f)).cloned().collect()
    }

    fn fields(&self, schema: &Value, known: &mut Vec<String>, open: &mut bool) {
        let schema = resolve(&self.root, schema);
        match schema.get("properties").and_then(Value::as_object) {
            Some(properties) => known.extend(properties.keys().cloned()),
            None => *open |= schema.get("additionalProperties").is_some(),
        }
        for name in ["allOf", "anyOf", "oneOf"] {
            for part in schema.get(name).and_then(Value::as_array).into_iter().flatten() {
                self.fields(part, known, open);
            }
        }
    }

    fn response(&self, call: &str, operation: &Value, record: &Record, report: &mut Report) {
        let status = record.status;
        let described = operation.get("responses").and_then(|r| r.get(status.to_string()));
        let Some(described) = described.map(|d| resolve(&self.root, d)) else {
            self.general(call, record, report);
            return;
        };
        let content = described.get("content").and_then(Value::as_object);
        let schema = content.and_then(|c| {
            let json = c.iter().find(|(kind, _)| kind.as_str() == "application/json");
            json.or_else(|| c.iter().find(|(kind, _)| kind.contains("json")))?.1.get("schema")
        });
        match (schema, &record.response) {
            (Some(schema), Some(body)) => {
                if let Some(why) = violation(&self.root, schema, body) {
                    report.unmatched.push(format!("{call} -> {status}{why}"));
                }
            }
            (Some(_), None) => {
                report.unmatched.push(format!("{call} -> {status}: no JSON body, though one is described"))
            }
            (None, Some(body)) if !body.is_null() && content.is_none() && status < 300 => {
                report.unmatched.push(format!("{call} -> {status}: a body that the description does not have"));
            }
            (None, _) => {}
        }
    }

    fn general(&self, call: &str, record: &Record, report: &mut Report) {
        let status = record.status;
        let redirect = matches!(status, 301 | 304 | 307);
        if !GENERAL.contains(&status) && !redirect {
            report.unmatched.push(format!("{call} -> {status}: the description has no such answer"));
            return;
        }
        report.general_errors += 1;
        let fits = |name: &str| {
            let schema = self.root.pointer(&format!("/components/schemas/{name}"));
            record
                .response
                .as_ref()
                .zip(schema)
                .is_some_and(|(b, s)| b.get("message").is_some() && violation(&self.root, s, b).is_none())
        };
        let shaped = fits("validation-error") || fits("validation-error-simple") || fits("basic-error");
        if !redirect && !shaped {
            report.unmatched.push(format!("{call} -> {status}: the body has none of GitHub's error shapes"));
        }
    }
}
