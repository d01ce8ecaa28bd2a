//! `hydra egress check HOST`: would it be reached, by which line of which file, and what would open it. It asks nobody.

use crate::{
    args::EgressCheckArgs, config::Settings, context::Context, exit::Exit, failure::Failure, output::screen::Tint,
};
use hydra_core::egress::{Decision, HostName, HostPattern, decide};
use serde::Serialize;

#[derive(Serialize)]
struct Answer {
    host: HostName,
    container: hydra_core::ContainerType,
    allowed: bool,
    /// `base`, or the container type whose list holds the line.
    list: Option<String>,
    line: Option<String>,
    /// `FILE:LINE`, or that it is compiled in.
    place: Option<String>,
    reason: Option<&'static str>,
    hint: Option<String>,
}

pub(super) fn run(context: &Context, args: &EgressCheckArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    let host: HostName = args.host.parse().map_err(|error| {
        Failure::new(Exit::Usage, format!("{error}"))
            .help("name the host alone: no scheme, no port, no path, no address")
    })?;
    let mut answer = Answer {
        host: host.clone(),
        container: args.container,
        allowed: false,
        list: None,
        line: None,
        place: None,
        reason: None,
        hint: None,
    };
    match decide(&settings.egress, args.container, &host) {
        Decision::Allowed(line) => {
            answer.allowed = true;
            answer.place = Some(place(&settings, &line.pattern));
            (answer.list, answer.line) = (Some(line.list), Some(line.pattern.to_string()));
        }
        Decision::Denied { reason, hint } => {
            (answer.reason, answer.hint) = (Some(reason.as_str()), Some(hint));
        }
    }
    let exit = if answer.allowed { Exit::Ok } else { Exit::Failed };
    if context.screen.json {
        context.screen.json("egress-check", &answer)?;
        return Ok(exit);
    }
    let screen = &context.screen;
    let (host, container) = (&answer.host, answer.container);
    match (&answer.line, &answer.list, &answer.place) {
        (Some(line), Some(list), Some(place)) => {
            let word = screen.tint(Tint::Good, "allowed");
            screen.line(format!("{host}: {word} for {container}, port 443, by {line:?} of egress {list} ({place})"))?;
        }
        _ => {
            let word = screen.tint(Tint::Bad, "refused");
            screen.line(format!("{host}: {word} for {container}: {}", answer.reason.unwrap_or_default()))?;
            screen.line(format!("  to open it, in hydra.toml: {}", answer.hint.unwrap_or_default()))?;
        }
    }
    Ok(exit)
}

/// Where a line stands: the first line of the configuration's file that holds it as a text.
fn place(settings: &Settings, pattern: &HostPattern) -> String {
    let Some(path) = &settings.config_file else { return "compiled in".to_owned() };
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let quoted = [format!("\"{pattern}\""), format!("'{pattern}'")];
    let found = text.lines().position(|line| {
        let line = line.split('#').next().unwrap_or_default();
        quoted.iter().any(|quoted| line.contains(quoted))
    });
    match found {
        Some(index) => format!("{}:{}", path.display(), index + 1),
        None => "compiled in".to_owned(),
    }
}
