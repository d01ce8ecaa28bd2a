//! Carries out a parsed document: selections, aliases, fragments, variables, errors as GitHub words them.

use super::{
    Trouble, board, mutation,
    object::{Args, At, Obj, Val, null, satisfies},
    repository, thread,
};
use crate::github::{auth::Who, world::World};
use apollo_compiler::{
    Node,
    ast::{self, Definition, Document, FragmentDefinition, OperationType, Selection},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What resolving a field needs.
pub(super) struct Cx<'a> {
    pub world: &'a mut World,
    pub who: &'a Who,
}

struct Run<'a> {
    cx: Cx<'a>,
    document: &'a Document,
    fragments: BTreeMap<&'a str, &'a FragmentDefinition>,
    variables: Map<String, Value>,
    errors: Vec<Value>,
    path: Vec<Value>,
}

/// Answers one request body.
pub(super) fn run(world: &mut World, who: &Who, body: &Value) -> Value {
    let failure = |message: String| json!({ "errors": [{ "message": message }] });
    let Some(text) = body.get("query").and_then(Value::as_str) else {
        return failure("A query attribute must be specified and must be a string.".to_owned());
    };
    let document = match Document::parse(text, "query") {
        Ok(document) => document,
        Err(wrong) => return failure(format!("Parse error on {}", wrong.errors)),
    };
    let mut operations = Vec::new();
    let mut fragments = BTreeMap::new();
    for definition in &document.definitions {
        match definition {
            Definition::OperationDefinition(operation) => operations.push(operation),
            Definition::FragmentDefinition(fragment) => {
                fragments.insert(fragment.name.as_str(), &**fragment);
            }
            _ => return failure("Type definitions are not executable".to_owned()),
        }
    }
    let wanted = body.get("operationName").and_then(Value::as_str);
    let named =
        |o: &&&Node<ast::OperationDefinition>| wanted.is_none_or(|w| o.name.as_ref().is_some_and(|n| n.as_str() == w));
    let Some(operation) = operations.iter().find(named) else {
        return failure("An operation name is required".to_owned());
    };
    let given = body.get("variables").and_then(Value::as_object).cloned().unwrap_or_default();
    let variables = match variables(operation, given) {
        Ok(variables) => variables,
        Err(error) => return json!({ "errors": [error] }),
    };
    let (kind, at) = match operation.operation_type {
        OperationType::Query => ("Query", At::Query),
        OperationType::Mutation => ("Mutation", At::Mutation),
        OperationType::Subscription => return failure("Subscriptions are not supported".to_owned()),
    };
    let cx = Cx { world, who };
    let mut run = Run { cx, document: &document, fragments, variables, errors: Vec::new(), path: Vec::new() };
    match run.select(&Obj { kind, at }, &[operation.selection_set.as_slice()]) {
        Err(error) => json!({ "errors": [error] }),
        Ok(data) if run.errors.is_empty() => json!({ "data": data }),
        Ok(data) => json!({ "data": data, "errors": run.errors }),
    }
}

fn variables(operation: &ast::OperationDefinition, given: Map<String, Value>) -> Result<Map<String, Value>, Value> {
    let mut variables = Map::new();
    for variable in &operation.variables {
        let name = variable.name.as_str();
        let default = variable.default_value.as_ref().map(|v| constant(v));
        let value = given.get(name).cloned().or(default).unwrap_or(Value::Null);
        if value.is_null() && variable.ty.is_non_null() {
            let ty = &variable.ty;
            let message = format!("Variable ${name} of type {ty} was provided invalid value");
            let problem = json!({ "path": [], "explanation": "Expected value to not be null" });
            return Err(json!({ "message": message, "extensions": { "value": null, "problems": [problem] } }));
        }
        if !value.is_null() || given.contains_key(name) {
            variables.insert(name.to_owned(), value);
        }
    }
    Ok(variables)
}

fn constant(value: &ast::Value) -> Value {
    concrete(value, &Map::new())
}

/// A literal with its variables put in.
fn concrete(value: &ast::Value, variables: &Map<String, Value>) -> Value {
    match value {
        ast::Value::Null => Value::Null,
        ast::Value::Enum(name) => json!(name.as_str()),
        ast::Value::Variable(name) => variables.get(name.as_str()).cloned().unwrap_or(Value::Null),
        ast::Value::String(text) => json!(text),
        ast::Value::Float(number) => serde_json::from_str(number.as_str()).unwrap_or(Value::Null),
        ast::Value::Int(number) => serde_json::from_str(number.as_str()).unwrap_or(Value::Null),
        ast::Value::Boolean(flag) => json!(flag),
        ast::Value::List(items) => Value::Array(items.iter().map(|v| concrete(v, variables)).collect()),
        ast::Value::Object(fields) => {
            Value::Object(fields.iter().map(|(n, v)| (n.to_string(), concrete(v, variables))).collect())
        }
    }
}

impl<'a> Run<'a> {
    /// Applies selections to an object. An error here ends the whole request.
    fn select(&mut self, object: &Obj, selections: &[&'a [Selection]]) -> Result<Value, Value> {
        let mut fields: Vec<(String, Vec<&'a Node<ast::Field>>)> = Vec::new();
        for selection in selections {
            self.collect(object, selection, &mut fields)?;
        }
        let mut map = Map::new();
        for (key, nodes) in fields {
            let Some(first) = nodes.first() else { continue };
            self.path.push(json!(key));
            let args = self.args(first);
            let value = match self.resolve(object, first.name.as_str(), &args) {
                Ok(Some(value)) => value,
                Ok(None) => return Err(self.undefined(object, first)),
                Err(Trouble(kind, message)) => {
                    let mut error =
                        json!({ "path": self.path, "message": message, "locations": self.locations(first) });
                    if let (Some(map), false) = (error.as_object_mut(), kind.is_empty()) {
                        map.insert("type".into(), json!(kind));
                    }
                    self.errors.push(error);
                    null()
                }
            };
            let below: Vec<&'a [Selection]> = nodes.iter().map(|n| n.selection_set.as_slice()).collect();
            let value = self.complete(first, value, &below)?;
            self.path.pop();
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }

    fn complete(&mut self, field: &Node<ast::Field>, value: Val, below: &[&'a [Selection]]) -> Result<Value, Value> {
        let selected = below.iter().any(|s| !s.is_empty());
        match value {
            Val::Leaf(Value::Null) => Ok(Value::Null),
            Val::Leaf(value) if !selected => Ok(value),
            Val::Leaf(_) => {
                let message = format!("Selections can't be made on scalars (field '{}')", field.name);
                Err(json!({ "message": message, "locations": self.locations(field) }))
            }
            Val::Obj(object) if selected => self.select(&object, below),
            Val::Obj(object) => {
                let message = format!(
                    "Field must have selections (field '{}' returns {} but has no selections. Did you mean '{} {{ ... }}'?)",
                    field.name, object.kind, field.name
                );
                Err(json!({ "message": message, "locations": self.locations(field) }))
            }
            Val::List(items) => {
                let mut values = Vec::new();
                for (i, item) in items.into_iter().enumerate() {
                    self.path.push(json!(i));
                    values.push(self.complete(field, item, below)?);
                    self.path.pop();
                }
                Ok(Value::Array(values))
            }
        }
    }

    fn collect(
        &self,
        object: &Obj,
        selections: &'a [Selection],
        fields: &mut Vec<(String, Vec<&'a Node<ast::Field>>)>,
    ) -> Result<(), Value> {
        for selection in selections {
            let directives = match selection {
                Selection::Field(f) => &f.directives,
                Selection::FragmentSpread(f) => &f.directives,
                Selection::InlineFragment(f) => &f.directives,
            };
            let condition = |name: &str| {
                let directive = directives.get(name)?;
                let value = directive.specified_argument_by_name("if")?;
                concrete(value, &self.variables).as_bool()
            };
            if condition("skip") == Some(true) || condition("include") == Some(false) {
                continue;
            }
            match selection {
                Selection::Field(field) => {
                    let key = field.alias.as_ref().unwrap_or(&field.name).to_string();
                    match fields.iter_mut().find(|(k, _)| *k == key) {
                        Some((_, nodes)) => nodes.push(field),
                        None => fields.push((key, vec![field])),
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let fits = fragment.type_condition.as_ref().is_none_or(|c| satisfies(object.kind, c));
                    if fits {
                        self.collect(object, &fragment.selection_set, fields)?;
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.fragment_name.as_str();
                    let Some(fragment) = self.fragments.get(name) else {
                        return Err(json!({ "message": format!("Fragment {name} was used, but not defined") }));
                    };
                    if satisfies(object.kind, &fragment.type_condition) {
                        self.collect(object, &fragment.selection_set, fields)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn args(&self, field: &ast::Field) -> Args {
        let value = |a: &Node<ast::Argument>| (a.name.to_string(), concrete(&a.value, &self.variables));
        field.arguments.iter().map(value).collect()
    }

    fn locations(&self, field: &Node<ast::Field>) -> Value {
        match field.line_column_range(&self.document.sources) {
            Some(range) => json!([{ "line": range.start.line, "column": range.start.column }]),
            None => json!([]),
        }
    }

    fn undefined(&self, object: &Obj, field: &Node<ast::Field>) -> Value {
        json!({
            "path": self.path,
            "extensions": { "code": "undefinedField", "typeName": object.kind, "fieldName": field.name.as_str() },
            "locations": self.locations(field),
            "message": format!("Field '{}' doesn't exist on type '{}'", field.name, object.kind),
        })
    }

    fn resolve(&mut self, object: &Obj, name: &str, args: &Args) -> Result<Option<Val>, Trouble> {
        if name == "__typename" {
            return Ok(Some(Val::Leaf(json!(object.kind))));
        }
        let cx = &mut self.cx;
        match &object.at {
            At::Plain(fields) => Ok(fields.get(name).cloned()),
            At::Query => repository::query(cx, name, args),
            At::Mutation => mutation::run(cx, name, args),
            At::Account(login) => repository::account(cx, login, name, args),
            At::Repo(repo) => repository::repo(cx, repo, name, args),
            At::Label(repo, id) => repository::label(cx, repo, *id, name),
            At::Ref(repo, reference) => repository::reference(cx, repo, reference, name),
            At::Commit(repo, sha) => repository::commit(cx, repo, sha, name),
            At::Rollup(repo, sha) => repository::rollup(cx, repo, sha, name, args),
            At::Status(repo, id) => repository::status(cx, repo, *id, name),
            At::Check(repo, id) => repository::check(cx, repo, *id, name),
            At::Thread(repo, number) => thread::thread(cx, repo, *number, name, args),
            At::Comment(repo, number, id) => thread::comment(cx, repo, *number, *id, name, args),
            At::Event(repo, number, id) => thread::event(cx, repo, *number, *id, name),
            At::Edit(repo, number, id) => thread::edit(cx, repo, *number, *id, name),
            At::Review(repo, number, id) => thread::review(cx, repo, *number, *id, name, args),
            At::ReviewThread(repo, number, id) => thread::review_thread(cx, repo, *number, *id, name, args),
            At::ReviewComment(repo, number, id) => thread::review_comment(cx, repo, *number, *id, name),
            At::Board(id) => board::board(cx, *id, name, args),
            At::Field(board) => board::field(cx, *board, name, args),
            At::Card(board, id) => board::card(cx, *board, *id, name, args),
            At::CardStatus(board, id) => board::status(cx, *board, *id, name),
        }
    }
}
