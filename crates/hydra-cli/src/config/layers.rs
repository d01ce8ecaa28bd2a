//! The second pass: compiled-in defaults, `hydra.toml`, `secrets/.env`, the environment and flags are laid over each other, and every value keeps where it came from.

use super::{
    file::HydraToml,
    problem::{Problem, Problems},
    source_text::SourceText,
    variables::{self, Sets},
};
use figment::{
    Figment, Metadata, Profile, Provider,
    providers::Serialized,
    value::{Dict, Map, Value},
};
use std::collections::BTreeMap;

/// Where each key and what it may hold is written down.
pub(super) const SCHEMA: &str = "`hydra config schema --format markdown` says what each key may hold";

/// A value that a flag sets.
#[derive(Debug, Clone)]
pub struct Flag {
    /// `--state-dir`.
    pub name: &'static str,
    /// The key it sets.
    pub key: &'static str,
    /// The text it was given.
    pub value: String,
}

/// One value of one layer.
struct Layer {
    source: String,
    values: Value,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }
    fn data(&self) -> figment::error::Result<Map<Profile, Dict>> {
        let dict = self.values.as_dict().cloned().unwrap_or_default();
        Ok(Map::from([(Profile::Default, dict)]))
    }
}

/// Values by variable name, and where they stand.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    /// `environment`, or `secrets/.env`.
    pub place: String,
    /// Value by name; empty ones are left out. Only names that are settings, no secrets.
    pub values: BTreeMap<&'static str, String>,
}

/// One value as `hydra config show` prints it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Shown {
    /// Its key.
    pub key: String,
    /// The value as TOML writes it; `-` when there is none; masked for a secret.
    pub value: String,
    /// Where it came from.
    pub source: String,
}

/// A key of `hydra.toml` that a variable sets to something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overridden {
    /// The key.
    pub key: &'static str,
    /// Where the value stands that is used: `secrets/.env (HYDRA_MODEL)`.
    pub source: String,
    /// What people are told.
    pub note: String,
}

/// What the layers come to.
#[derive(Debug)]
pub struct Layered {
    /// The values.
    pub values: HydraToml,
    /// Each of them with its source.
    pub shown: Vec<Shown>,
    /// What the file says and variables go before.
    pub overridden: Vec<Overridden>,
}

/// Lays them over each other. `file` has passed [`super::walk::check`].
///
/// # Errors
/// For values that do not have the type of their key; the variable or flag is named.
pub fn merge(
    file: Option<&SourceText>,
    dotenv: &Variables,
    environment: &Variables,
    flags: &[Flag],
) -> Result<Layered, Problems> {
    let mut figment = Figment::from(Serialized::defaults(HydraToml::default()));
    let mut said = Figment::new();
    if let Some(file) = file {
        let table: toml::Table = toml::from_str(file.text()).map_err(|error| {
            let place = error.span().map(|span| file.place(span));
            let message = format!("this is not valid TOML: {}", crate::output::mask::scrub(error.message()));
            Problem::config(message, super::source_text::TOML).maybe_at(place)
        })?;
        let values = Value::serialize(&table)
            .map_err(|_| Problem::config("hydra.toml holds a value that no setting can have", SCHEMA))?;
        said = said.merge(Layer { source: "hydra.toml".to_owned(), values: values.clone() });
        figment = figment.merge(Layer { source: "hydra.toml".to_owned(), values });
    }
    let mut problems = Vec::new();
    for variables in [dotenv, environment] {
        for variable in variables::ALL {
            let Some(text) = variables.values.get(variable.name) else { continue };
            let (key, value) = match variable.sets {
                Sets::Text(key) => (key, Value::from(text.clone())),
                Sets::Number(key) => match text.parse::<u64>() {
                    Ok(number) => (key, Value::from(number)),
                    Err(_) => {
                        let place = &variables.place;
                        problems.push(Problem::config(
                            format!("{} in {place} must be a whole number", variable.name),
                            format!("write it in digits alone: it stands for the {}", variable.doc),
                        ));
                        continue;
                    }
                },
                Sets::Token(_) | Sets::SigningKey | Sets::OAuth | Sets::ApiKey => continue,
            };
            let source = format!("{} ({})", variables.place, variable.name);
            figment = figment.merge(Layer { source, values: figment::util::nest(key, value) });
        }
    }
    let overridden = overridden(&said, &figment, file, [dotenv, environment]);
    for flag in flags {
        let values = figment::util::nest(flag.key, Value::from(flag.value.clone()));
        figment = figment.merge(Layer { source: format!("flag {}", flag.name), values });
    }
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    // The walk has refused every wrong type before; what is left (an amount out of range, say) names its key and no value.
    let values: HydraToml = figment.extract().map_err(|error| {
        let key = error.path.join(".");
        let place = file.and_then(|file| file.place_of(&key));
        let why = match &error.kind {
            figment::error::Kind::Message(message) => crate::output::mask::scrub(message),
            figment::error::Kind::InvalidType(_, expected) | figment::error::Kind::InvalidValue(_, expected) => {
                format!("it must be {expected}")
            }
            figment::error::Kind::MissingField(name) => format!("`{name}` is missing"),
            _ => "its value is not possible".to_owned(),
        };
        Problem::config(format!("`{key}`: {why}"), SCHEMA).maybe_at(place)
    })?;
    let mut shown = Vec::new();
    if let Ok(root) = figment.find_value("") {
        flatten(&figment, file, "", &root, &mut shown);
    }
    Ok(Layered { values, shown, overridden })
}

/// The keys that the file sets to one thing and a variable to another.
fn overridden(
    said: &Figment,
    figment: &Figment,
    file: Option<&SourceText>,
    places: [&Variables; 2],
) -> Vec<Overridden> {
    let set = |name: &str| places.iter().any(|variables| variables.values.contains_key(name));
    let mut found: Vec<Overridden> = Vec::new();
    for key in variables::ALL.iter().filter(|variable| set(variable.name)).filter_map(|variable| variable.key()) {
        let (Ok(theirs), Ok(used)) = (said.find_value(key), figment.find_value(key)) else { continue };
        let (theirs, source) =
            (render(&theirs), figment.get_metadata(used.tag()).map(|metadata| metadata.name.as_ref()));
        let used = render(&used);
        if theirs == used || found.iter().any(|other| other.key == key) {
            continue;
        }
        let place = file.and_then(|file| file.place_of(key)).and_then(|place| place.line);
        let place = place.map_or_else(|| "hydra.toml".to_owned(), |line| format!("hydra.toml:{line}"));
        let source = source.unwrap_or("a variable").to_owned();
        let note = format!("{source} goes before {place}: `{key}` is {used}, not {theirs}");
        found.push(Overridden { key, source, note: crate::output::mask::scrub(&note) });
    }
    found
}

fn flatten(figment: &Figment, file: Option<&SourceText>, path: &str, value: &Value, out: &mut Vec<Shown>) {
    if let Value::Dict(_, dict) = value
        && (!dict.is_empty() || path.is_empty())
    {
        for (name, value) in dict {
            let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            flatten(figment, file, &key, value, out);
        }
        return;
    }
    let source = figment.get_metadata(value.tag()).map_or("default", |metadata| metadata.name.as_ref());
    let source = if source == "hydra.toml" {
        match file.and_then(|file| file.place_of(path)).and_then(|place| place.line) {
            Some(line) => format!("hydra.toml:{line}"),
            None => source.to_owned(),
        }
    } else if source.contains("Serialized") || source.contains("HydraToml") || source.contains('`') {
        "default".to_owned()
    } else {
        source.to_owned()
    };
    // Public keys look like secrets and are none; the third pass has made sure that they are keys.
    let text = render(value);
    let text = if path == "keys.public" { text } else { crate::output::mask::scrub(&text) };
    out.push(Shown { key: path.to_owned(), value: text, source });
}

fn render(value: &Value) -> String {
    match value {
        Value::String(_, text) => format!("{text:?}"),
        Value::Char(_, c) => format!("{c:?}"),
        Value::Bool(_, yes) => yes.to_string(),
        Value::Num(_, number) => number
            .to_u128()
            .map(|n| n.to_string())
            .or_else(|| number.to_i128().map(|n| n.to_string()))
            .or_else(|| number.to_f64().map(|n| n.to_string()))
            .unwrap_or_default(),
        Value::Empty(..) => "-".to_owned(),
        Value::Dict(_, dict) => {
            let parts: Vec<String> = dict.iter().map(|(name, value)| format!("{name} = {}", render(value))).collect();
            format!("{{{}}}", parts.join(", "))
        }
        Value::Array(_, values) => {
            let parts: Vec<String> = values.iter().map(render).collect();
            format!("[{}]", parts.join(", "))
        }
    }
}
