//! `hydra config show|check|schema`.

use crate::{
    args::{ConfigCommand, SchemaFormat},
    config::{file, layers::Shown},
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
}

fn show(context: &Context) -> Result<Exit, Failure> {
    let loaded = context.load()?;
    let settings = &loaded.settings;
    let file = settings.config_file.as_ref().map(|path| path.display().to_string());
    if context.screen.json {
        let body = ShownConfig { file, values: &loaded.shown, warnings: &settings.warnings };
        context.screen.json("config", &body)?;
        return Ok(Exit::Ok);
    }
    let rows: Vec<Vec<String>> =
        loaded.shown.iter().map(|s| vec![s.key.clone(), s.value.clone(), s.source.clone()]).collect();
    for line in aligned(&rows) {
        context.screen.line(line)?;
    }
    for warning in &settings.warnings {
        context.screen.line(format!("{}: {warning}", context.screen.tint(Tint::Warn, "warning")))?;
    }
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
}

fn check(context: &Context) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    settings.check_complete()?;
    let file = settings.config_file.as_ref().map(|path| path.display().to_string());
    if context.screen.json {
        context.screen.json("config-check", &Checked { file, ok: true, warnings: &settings.warnings })?;
        return Ok(Exit::Ok);
    }
    for warning in &settings.warnings {
        context.screen.line(format!("{}: {warning}", context.screen.tint(Tint::Warn, "warning")))?;
    }
    let name = file.unwrap_or_else(|| "the environment".to_owned());
    context.screen.line(format!("{}: {name} and the secrets are complete", context.screen.tint(Tint::Good, "ok")))?;
    context.screen.line("next: `hydra doctor` asks GitHub and Docker whether they agree")?;
    Ok(Exit::Ok)
}

fn schema(context: &Context, format: SchemaFormat) -> Result<Exit, Failure> {
    let text = match format {
        SchemaFormat::Json => crate::config::document::schema_text()?,
        SchemaFormat::Markdown => crate::config::document::markdown(&file::schema()),
    };
    context.screen.text(text.as_bytes())?;
    Ok(Exit::Ok)
}
