//! `hydra config show|check|schema`.

use crate::{
    args::{ConfigCommand, SchemaFormat},
    config::{Settings, file, layers::Shown},
    context::Context,
    exit::Exit,
    failure::Failure,
    output::{screen::Tint, table::aligned},
};
use serde::Serialize;

pub(super) fn run(context: &Context, command: &ConfigCommand) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Show => show(context),
        ConfigCommand::Check => check(context),
        ConfigCommand::Schema { format } => schema(context, *format),
    }
}

#[derive(Serialize)]
struct ShownConfig<'a> {
    file: Option<String>,
    values: &'a [Shown],
    warnings: &'a [String],
    /// Values of the file that a variable goes before.
    notes: &'a [String],
}

fn show(context: &Context) -> Result<Exit, Failure> {
    let loaded = context.load()?;
    let settings = &loaded.settings;
    let file = settings.config_file.as_ref().map(|path| path.display().to_string());
    if context.screen.json {
        let body = ShownConfig { file, values: &loaded.shown, warnings: &settings.warnings, notes: &settings.notes };
        context.screen.json("config", &body)?;
        return Ok(Exit::Ok);
    }
    let rows: Vec<Vec<String>> =
        loaded.shown.iter().map(|s| vec![s.key.clone(), s.value.clone(), s.source.clone()]).collect();
    for line in aligned(&rows) {
        context.screen.line(line)?;
    }
    remarks(context, settings)?;
    if file.is_none() {
        context.screen.line("there is no hydra.toml here or above: `hydra init` writes one")?;
    }
    Ok(Exit::Ok)
}

#[derive(Serialize)]
struct Checked<'a> {
    file: Option<String>,
    ok: bool,
    warnings: &'a [String],
    /// Values of the file that a variable goes before.
    notes: &'a [String],
}

fn check(context: &Context) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    settings.check_complete()?;
    let file = settings.config_file.as_ref().map(|path| path.display().to_string());
    if context.screen.json {
        context
            .screen
            .json("config-check", &Checked { file, ok: true, warnings: &settings.warnings, notes: &settings.notes })?;
        return Ok(Exit::Ok);
    }
    remarks(context, &settings)?;
    let name = file.unwrap_or_else(|| "the environment".to_owned());
    context.screen.line(format!("{}: {name} and the secrets are complete", context.screen.tint(Tint::Good, "ok")))?;
    context.screen.line("next: `hydra doctor` asks GitHub and Docker whether they agree")?;
    Ok(Exit::Ok)
}

/// What is not wrong, and should be known.
fn remarks(context: &Context, settings: &Settings) -> Result<(), Failure> {
    for (word, texts) in [("warning", &settings.warnings), ("note", &settings.notes)] {
        for text in texts {
            context.screen.line(format!("{}: {text}", context.screen.tint(Tint::Warn, word)))?;
        }
    }
    Ok(())
}

fn schema(context: &Context, format: SchemaFormat) -> Result<Exit, Failure> {
    let text = match format {
        SchemaFormat::Json => crate::config::document::schema_text()?,
        SchemaFormat::Markdown => crate::config::document::markdown(&file::schema()),
    };
    context.screen.text(text.as_bytes())?;
    Ok(Exit::Ok)
}
