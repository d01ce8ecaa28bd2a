//! Configuration in passes: raw text held against the schema ([`walk`]), layers laid over each other with their sources ([`layers`]), texts resolved to core's types ([`resolve`]). One file per group of settings.

mod complete;
pub mod document;
pub mod dollars;
pub mod duration;
mod effective;
pub mod environment;
pub mod file;
pub mod github;
pub mod layers;
pub mod limits;
pub mod models;
pub mod personas;
pub mod pipeline;
pub mod problem;
mod resolve;
pub mod runtime;
pub mod settings;
pub mod source_text;
pub mod variables;
pub mod walk;

use crate::secrets::{self, Secrets};
use environment::Environment;
use layers::{Flag, Layered, Overridden, Shown, Variables};
use problem::{Place, Problem, Problems};
pub use settings::Settings;
use source_text::SourceText;
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};
use variables::Sets;

/// The file's name.
pub const FILE: &str = "hydra.toml";

/// What the configuration is read from.
#[derive(Debug, Clone)]
pub struct Sources<'a> {
    /// The working folder.
    pub cwd: &'a Path,
    /// `--config`.
    pub file: Option<&'a Path>,
    /// Values of flags.
    pub flags: Vec<Flag>,
    /// The environment.
    pub environment: &'a Environment,
}

/// The configuration, and where each value came from.
#[derive(Debug)]
pub struct Loaded {
    /// Resolved.
    pub settings: Settings,
    /// Every value with its source, secrets masked.
    pub shown: Vec<Shown>,
}

/// Reads and checks everything.
///
/// # Errors
/// All that is wrong, each with its place and what to do.
pub fn load(sources: &Sources<'_>) -> Result<Loaded, Problems> {
    let environment = sources.environment;
    let path = locate(sources)?;
    let root = match path.as_deref().and_then(Path::parent) {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => sources.cwd.to_owned(),
    };
    let source = path.as_deref().map(read).transpose()?;
    if let Some(source) = &source {
        let problems = walk::check(source, &file::schema());
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
    }
    let files = secrets::read_files(&root.join("secrets"))?;
    let dotenv = Variables {
        place: "secrets/.env".to_owned(),
        values: plain(|name| {
            use secrecy::ExposeSecret;
            Ok(files
                .dotenv
                .get(name)
                .map(|entry| entry.value.expose_secret().to_owned())
                .filter(|text| !text.is_empty()))
        })?,
    };
    let process = Variables {
        place: "environment".to_owned(),
        values: plain(|name| environment.text(name).map(|text| text.map(str::to_owned)))?,
    };
    let Layered { values, mut shown, overridden } = layers::merge(source.as_ref(), &dotenv, &process, &sources.flags)?;
    let resolved = resolve::resolve(&values, source.as_ref(), &root);
    let hidden = hidden(source.as_ref(), &overridden, &root);
    let resolved = match (resolved, hidden.is_empty()) {
        (Ok(resolved), true) => resolved,
        (Ok(_), false) => return Err(Problems(hidden)),
        (Err(problems), _) => return Err(Problems(place_right(problems, &shown).into_iter().chain(hidden).collect())),
    };
    let rules = secrets::Rules { identities: values.identities, allow_classic_pat: values.github.allow_classic_pat };
    let secrets = secrets::resolve(&files, environment, rules)?;
    effective::show(&mut shown, &resolved.personas);
    shown.extend(show_secrets(&secrets));
    let mut public_keys = resolved.public_keys;
    if let Some(held) = &secrets.signing_key
        && let Ok(signer) = hydra_core::verdict::envelope::Signer::from_seed(&held.value)
        && !public_keys.contains(&signer.public())
    {
        public_keys.push(signer.public());
    }
    let docker_host = match &values.runtime.socket {
        Some(socket) => Some(socket.clone()),
        None => environment.text("DOCKER_HOST").map_err(not_text)?.map(str::to_owned),
    };
    let warnings = resolved.warnings.into_iter().chain(secrets.warnings.iter().cloned()).collect();
    let settings = Settings {
        state_dir: root.join(&values.state.dir),
        root,
        config_file: path,
        repos: resolved.repos,
        logins: resolved.logins,
        yolo_allowed: resolved.yolo_allowed,
        personas: resolved.personas,
        prices: resolved.prices,
        egress: resolved.egress,
        model_authority: resolved.model_authority,
        public_keys,
        docker_host,
        secrets,
        warnings,
        notes: overridden.into_iter().map(|overridden| overridden.note).collect(),
        values,
    };
    Ok(Loaded { settings, shown })
}

/// What is wrong with values of the file that variables go before: nobody would see it until the variable is gone.
fn hidden(source: Option<&SourceText>, overridden: &[Overridden], root: &Path) -> Vec<Problem> {
    if overridden.is_empty() {
        return Vec::new();
    }
    let none = Variables::default();
    let Ok(alone) = layers::merge(source, &none, &none, &[]) else { return Vec::new() };
    let problems = resolve::resolve(&alone.values, source, root).err().map(|problems| problems.0).unwrap_or_default();
    let of_one = |problem: &Problem| overridden.iter().any(|one| problem.key.as_deref() == Some(one.key));
    problems.into_iter().filter(of_one).collect()
}

/// A variable's value is wrong where the variable is set, whatever line of the file has the same key.
fn place_right(problems: Problems, shown: &[Shown]) -> Vec<Problem> {
    let of_file = |source: &str| source == "default" || source.starts_with(FILE);
    let place = |mut problem: Problem| {
        let set = shown.iter().find(|one| problem.key.as_ref() == Some(&one.key));
        if let Some(one) = set.filter(|one| !of_file(&one.source)) {
            problem.place = Some(Place::file(Path::new(&one.source)));
        }
        problem
    };
    problems.0.into_iter().map(place).collect()
}

/// `--config`, `HYDRA_CONFIG`, or `hydra.toml` in the working folder or one above it.
fn locate(sources: &Sources<'_>) -> Result<Option<PathBuf>, Problems> {
    let named = match sources.file {
        Some(path) => Some(path.to_owned()),
        None => sources.environment.raw("HYDRA_CONFIG").map(PathBuf::from),
    };
    if let Some(path) = named {
        let path = sources.cwd.join(path);
        let path = if path.is_dir() { path.join(FILE) } else { path };
        return Ok(Some(path));
    }
    Ok(sources.cwd.ancestors().map(|folder| folder.join(FILE)).find(|path| path.is_file()))
}

fn read(path: &Path) -> Result<SourceText, Problems> {
    let problem = |message: String, help: &str| Problem::config(message, help).at(Place::file(path));
    let bytes = std::fs::read(path).map_err(|error| {
        let help = match error.kind() {
            ErrorKind::NotFound => "look at how it is spelled; `hydra init DIR` writes DIR/hydra.toml",
            ErrorKind::PermissionDenied => "give it to the user who runs hydra, or name another with --config",
            _ => "name another with --config",
        };
        problem(format!("this file cannot be read: {}", crate::failure::in_words(&error)), help)
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| problem("this file is not UTF-8 text".to_owned(), "write it again with a plain text editor"))?;
    SourceText::parse(path, text)
}

/// A variable that is no text.
fn not_text(why: String) -> Problem {
    Problem::config(why, "set it again, or unset it")
}

/// The values of the variables that are settings and no secrets.
fn plain(
    get: impl Fn(&str) -> Result<Option<String>, String>,
) -> Result<std::collections::BTreeMap<&'static str, String>, Problems> {
    let mut values = std::collections::BTreeMap::new();
    for variable in variables::ALL {
        if let Sets::Text(_) | Sets::Number(_) = variable.sets
            && let Some(text) = get(variable.name).map_err(not_text)?
        {
            values.insert(variable.name, text);
        }
    }
    Ok(values)
}

fn show_secrets(secrets: &Secrets) -> Vec<Shown> {
    let mask = || crate::output::mask::MASK.to_owned();
    let mut shown = Vec::new();
    for (role, held) in &secrets.tokens {
        shown.push(Shown { key: format!("git_tokens.{role}"), value: mask(), source: held.source.clone() });
    }
    for account in &secrets.accounts {
        shown.push(Shown {
            key: format!("claude_accounts.{}", crate::output::mask::scrub(account.name.as_str())),
            value: mask(),
            source: crate::output::mask::scrub(&account.held.source),
        });
    }
    if let Some(held) = &secrets.signing_key {
        shown.push(Shown { key: "signing_key".to_owned(), value: mask(), source: held.source.clone() });
        if let Ok(signer) = hydra_core::verdict::envelope::Signer::from_seed(&held.value) {
            let value = format!("{:?}", signer.public().to_string());
            shown.push(Shown { key: "signing_key.public".to_owned(), value, source: held.source.clone() });
        }
    }
    shown
}
