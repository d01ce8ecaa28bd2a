//! GraphQL: documents and the data answered to them against the published schema.

use super::Report;
use crate::github::Record;
use apollo_compiler::{
    ExecutableDocument, Node, Schema as Sdl,
    ast::{Definition, Document, FieldDefinition},
    executable::{Operation, Selection, SelectionSet},
    request::coerce_variable_values,
    response::JsonMap,
    schema::{ExtendedType, Type},
    validation::Valid,
};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

pub(super) struct Schema {
    sdl: Valid<Sdl>,
}

/// The published SDL defines a few fields twice: the first counts.
fn drop_repeats(fields: &mut Vec<Node<FieldDefinition>>) {
    let mut seen = BTreeSet::new();
    fields.retain(|field| seen.insert(field.name.clone()));
}

impl Schema {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut document =
            Document::parse(text, "schema.graphql").map_err(|e| format!("schema.graphql: {}", e.errors))?;
        for definition in &mut document.definitions {
            match definition {
                Definition::ObjectTypeDefinition(object) => drop_repeats(&mut object.make_mut().fields),
                Definition::InterfaceTypeDefinition(interface) => drop_repeats(&mut interface.make_mut().fields),
                _ => {}
            }
        }
        let sdl = document.to_schema_validate().map_err(|e| format!("schema.graphql: {}", e.errors))?;
        Ok(Self { sdl })
    }

    pub(super) fn validate(&self, text: &str) -> Result<Valid<ExecutableDocument>, String> {
        ExecutableDocument::parse_and_validate(&self.sdl, text, "document").map_err(|e| e.errors.to_string())
    }

    pub(super) fn check(&self, record: &Record, report: &mut Report) {
        report.graphql_documents += 1;
        let body = record.request.as_ref().unwrap_or(&Value::Null);
        let text = body.get("query").and_then(Value::as_str).unwrap_or_default();
        let own = record.response.as_ref().filter(|_| !record.faulty);
        let refused =
            own.is_some_and(|r| r.get("data").is_none() && (r.get("errors").is_some() || record.status >= 400));
        let document = match self.validate(text) {
            Ok(document) => document,
            // The simulator refused it as well: both sides agree.
            Err(_) if refused => return,
            Err(why) => {
                report.unmatched.push(format!("GraphQL document: {why}\n{text}"));
                return;
            }
        };
        let name = body.get("operationName").and_then(Value::as_str);
        let operation = match document.operations.get(name) {
            Ok(operation) => operation,
            Err(_) => {
                report.unmatched.push("GraphQL request: it does not say which operation".to_owned());
                return;
            }
        };
        let label = operation.name.as_ref().map_or("anonymous", |n| n.as_str());
        if !refused {
            let wrong = self.variables(operation, body.get("variables"));
            report.unmatched.extend(wrong.into_iter().map(|w| format!("GraphQL {label}: {w}")));
        }
        let Some(answer) = own.filter(|_| record.status == 200) else { return };
        report.graphql_responses += 1;
        let explained = answer.get("errors").is_some();
        match answer.get("data") {
            None if explained => {}
            Some(Value::Null) if explained => {}
            None | Some(Value::Null) => report.unmatched.push(format!("GraphQL {label}: neither data nor errors")),
            Some(data) => {
                let eye = Eye { schema: &self.sdl, document: &document, explained };
                let mut wrong = Vec::new();
                eye.object(&operation.selection_set, data, "", &mut wrong);
                report.unmatched.extend(wrong.into_iter().map(|w| format!("GraphQL {label}: {w}")));
            }
        }
    }
}

impl Schema {
    /// What is wrong with the values that came with a document.
    fn variables(&self, operation: &Operation, values: Option<&Value>) -> Vec<String> {
        let values = values.filter(|v| !v.is_null()).cloned().unwrap_or_else(|| Value::Object(Map::new()));
        let values: JsonMap = match serde_json::from_value(values) {
            Ok(values) => values,
            Err(why) => return vec![format!("variables: {why}")],
        };
        let declared = |name: &str| operation.variables.iter().any(|v| v.name.as_str() == name);
        let strange = values.keys().map(|name| name.as_str()).filter(|name| !declared(name));
        let mut wrong: Vec<String> = strange.map(|name| format!("variables: ${name} is not declared")).collect();
        if let Err(why) = coerce_variable_values(&self.sdl, operation, &values) {
            wrong.push(format!("variables: {}", why.message()));
        }
        wrong
    }
}

/// Compares data with the types of what was selected.
struct Eye<'a> {
    schema: &'a Sdl,
    document: &'a ExecutableDocument,
    /// Errors came along: they may have made fields null that never are otherwise.
    explained: bool,
}

impl Eye<'_> {
    fn object(&self, selected: &SelectionSet, data: &Value, at: &str, wrong: &mut Vec<String>) {
        let Some(map) = data.as_object() else {
            wrong.push(format!("{at}: no object"));
            return;
        };
        for selection in &selected.selections {
            match selection {
                Selection::Field(field) => {
                    let key = field.alias.as_ref().unwrap_or(&field.name).as_str();
                    let at = format!("{at}/{key}");
                    match map.get(key) {
                        Some(value) => self.value(&field.definition.ty, &field.selection_set, value, &at, wrong),
                        None if field.directives.is_empty() => wrong.push(format!("{at}: it was asked for")),
                        None => {}
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.type_condition.as_ref().map(|c| c.as_str());
                    self.fragment(condition, &fragment.selection_set, map, at, wrong);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.fragment_name) {
                        let condition = fragment.type_condition().as_str();
                        self.fragment(Some(condition), &fragment.selection_set, map, at, wrong);
                    }
                }
            }
        }
    }

    /// A fragment's fields are there all or none; which of the two only `__typename` could tell for certain.
    fn fragment(
        &self,
        condition: Option<&str>,
        selected: &SelectionSet,
        map: &Map<String, Value>,
        at: &str,
        wrong: &mut Vec<String>,
    ) {
        let own = map.get("__typename").and_then(Value::as_str);
        let applies = match (condition, own) {
            (None, _) => true,
            (Some(condition), Some(own)) => condition == own || self.schema.is_subtype(condition, own),
            (Some(_), None) => selected.selections.iter().any(|s| match s {
                Selection::Field(f) => map.contains_key(f.alias.as_ref().unwrap_or(&f.name).as_str()),
                Selection::InlineFragment(_) | Selection::FragmentSpread(_) => false,
            }),
        };
        if applies {
            self.object(selected, &Value::Object(map.clone()), at, wrong);
        }
    }

    fn value(&self, ty: &Type, selected: &SelectionSet, value: &Value, at: &str, wrong: &mut Vec<String>) {
        if value.is_null() {
            if ty.is_non_null() && !self.explained {
                wrong.push(format!("{at}: {ty} is never null"));
            }
            return;
        }
        if ty.is_list() {
            let Some(items) = value.as_array() else {
                wrong.push(format!("{at}: no list"));
                return;
            };
            for (i, item) in items.iter().enumerate() {
                self.value(ty.item_type(), selected, item, &format!("{at}/{i}"), wrong);
            }
            return;
        }
        let name = ty.inner_named_type();
        match self.schema.types.get(name) {
            Some(ExtendedType::Scalar(_)) => {
                let fits = match name.as_str() {
                    "Int" => value.is_i64() || value.is_u64(),
                    "Float" => value.is_number(),
                    "Boolean" => value.is_boolean(),
                    "DateTime" => value.as_str().is_some_and(|t| t.parse::<jiff::Timestamp>().is_ok()),
                    "GitObjectID" => value.as_str().is_some_and(|t| t.len() == 40),
                    "URI" => value.as_str().is_some_and(|t| t.starts_with('/') || url::Url::parse(t).is_ok()),
                    _ => value.is_string(),
                };
                if !fits {
                    wrong.push(format!("{at}: {value} is no {name}"));
                }
            }
            Some(ExtendedType::Enum(values)) => {
                if !value.as_str().is_some_and(|v| values.values.keys().any(|k| k.as_str() == v)) {
                    wrong.push(format!("{at}: {value} is no {name}"));
                }
            }
            Some(ExtendedType::Object(_) | ExtendedType::Interface(_) | ExtendedType::Union(_)) => {
                let own = value.get("__typename").and_then(Value::as_str);
                if own.is_some_and(|own| own != name.as_str() && !self.schema.is_subtype(name, own)) {
                    wrong.push(format!("{at}: {} is no {name}", own.unwrap_or_default()));
                }
                self.object(selected, value, at, wrong);
            }
            Some(ExtendedType::InputObject(_)) | None => wrong.push(format!("{at}: {name} is unknown")),
        }
    }
}
