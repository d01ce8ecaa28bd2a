//! `hydra render docker-run`: the documented line for older images, or the container that Hydra itself starts for a stage.

use crate::{
    compose,
    config::{Settings, runtime::RuntimeKind},
    context::Context,
    exit::Exit,
    failure::Failure,
    images,
};
use hydra_core::{ContainerType, Stage};
use hydra_runtime::docker;

/// What the documents promise to people who start a builder by hand.
const DOCUMENTED: &str = concat!(
    "docker run --rm --read-only --tmpfs /tmp:size=512M --tmpfs /workspace:size=2G ",
    "--security-opt no-new-privileges --cap-drop ALL --cap-add NET_ADMIN --cpus 4 --memory 8g --network hydra-net ",
    "--env-file secrets/.env -e REPO_URL=\"${REPO_URL}\" -e ISSUE_URL=\"${ISSUE_URL}\" -e SPEC_PATH=\"/spec\" ",
    "-v \"$(pwd)/openspec/changes/${CHANGE_NAME}:/spec:ro\" -e GIT_TOKEN=\"${HYDRA_BUILDER_TOKEN}\" ",
);

pub(super) fn run(context: &Context, stage: Stage, documented: bool) -> Result<Exit, Failure> {
    if documented && stage != Stage::Build {
        return Err(Failure::new(Exit::Usage, "the documented command line starts a builder, and no other stage")
            .help("leave --stage or --documented out"));
    }
    let settings = context.load()?.settings;
    let (lines, notes) = if documented {
        let image = images::full_name(&settings, ContainerType::Builder);
        (vec![format!("{DOCUMENTED}{image}")], Vec::new())
    } else {
        own(context, &settings, stage)?
    };
    if context.screen.json {
        let line: String = lines.join(" ");
        context.screen.json("docker-run", &serde_json::json!({ "stage": stage, "line": line, "notes": notes }))?;
        return Ok(Exit::Ok);
    }
    for note in notes {
        context.screen.line(format!("# {note}"))?;
    }
    context.screen.line(lines.join(" \\\n  "))?;
    Ok(Exit::Ok)
}

/// Flag by flag, and what is to be known of it.
fn own(context: &Context, settings: &Settings, stage: Stage) -> Result<(Vec<String>, Vec<String>), Failure> {
    if settings.values.runtime.kind != RuntimeKind::Docker {
        return Err(Failure::new(Exit::Configuration, "runtime.kind is \"process\": no container is started")
            .help("set runtime.kind = \"docker\", or look at --documented"));
    }
    let mut notes = vec![
        "What the work brings stands as a variable: its addresses, and the hash of the whole specification.".to_owned(),
        "The volumes are filled and read through the engine's API; they and the container are removed at the end."
            .to_owned(),
    ];
    if settings.secrets.accounts.is_empty() && stage.has_agent() {
        notes.push("No model account is configured: its variable is missing here.".to_owned());
    }
    let spec = compose::engine::sample(settings, stage, compose::engine::Purpose::Act)?;
    let engine = compose::docker::runtime(context, settings)?;
    let cpus = match super::super::block_on(engine.facts())? {
        Ok(facts) => facts.cpus,
        Err(error) => {
            notes.push(format!(
                "The engine was not asked how many CPUs it has, which --cpus never exceeds: {}",
                error.message
            ));
            u32::MAX / 1000
        }
    };
    let words = docker::command_line(&settings.values.instance, &spec, cpus)?;
    Ok((flags(&words), notes))
}

/// One flag and its value to a line.
fn flags(words: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut value_follows = false;
    for (at, word) in words.iter().enumerate() {
        let word = match word.split_once('=') {
            Some(("hydra.spec", _)) => quoted("hydra.spec=${SPEC_SHA256}"),
            _ => quoted(word),
        };
        match lines.last_mut() {
            Some(line) if value_follows || at < 2 => {
                line.push(' ');
                line.push_str(&word);
                value_follows = false;
            }
            Some(_) | None => {
                value_follows =
                    word.starts_with("--") && !["--detach", "--init", "--read-only"].contains(&word.as_str());
                lines.push(word);
            }
        }
    }
    lines
}

/// As a shell takes it: what names a variable is filled in by the shell, anything else is taken as it is.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=:/.,@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else if word.contains("${") && !word.contains(['"', '\\', '`']) {
        format!("\"{word}\"")
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_meant() {
        for (word, shell) in [
            ("--cpus", "--cpus"),
            ("REPO_URL=${REPO_URL}", "\"REPO_URL=${REPO_URL}\""),
            ("hydra.key={\"a\":1}", "'hydra.key={\"a\":1}'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), shell);
        }
    }

    #[test]
    fn a_flag_and_its_value_share_a_line() {
        let words = ["docker", "run", "--init", "--cpus", "2", "--label", "hydra.spec=abc", "image"].map(str::to_owned);
        assert_eq!(
            flags(&words),
            ["docker run", "--init", "--cpus 2", "--label \"hydra.spec=${SPEC_SHA256}\"", "image"]
        );
    }
}
