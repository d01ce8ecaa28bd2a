//! `hydra egress check HOST`: would it be reached, by which line of which file, and what would open it. It asks nobody.

use super::{denials::paste, repository::Repository};
use crate::{
    args::EgressCheckArgs, compose, config::Settings, context::Context, exit::Exit, failure::Failure,
    output::screen::Tint,
};
use hydra_core::{
    ContainerType,
    egress::{Decision, HostName, HostPattern, InspectRule, decide},
};
use serde::Serialize;

#[derive(Serialize)]
struct Answer {
    host: HostName,
    container: ContainerType,
    allowed: bool,
    /// `base`, or the container type whose list holds the line.
    list: Option<String>,
    line: Option<String>,
    /// `FILE:LINE`, or that it is compiled in.
    place: Option<String>,
    /// `model-port`: the gate asks it for the agent, and signs; by its name the agent does not reach it.
    through: Option<&'static str>,
    /// What may be asked of it, where its requests are looked into.
    inspect: Option<InspectRule>,
    reason: Option<&'static str>,
    /// TOML for `hydra.toml`, whole; or for the repository's file, where that can open it.
    hint: Option<String>,
}

pub(super) fn run(context: &Context, args: &EgressCheckArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    let host: HostName = args.host.parse().map_err(|error| {
        Failure::new(Exit::Usage, format!("{error}"))
            .help("name the host alone: no scheme, no port, no path, no address")
    })?;
    let repository = args.repository.as_deref().map(Repository::read).transpose()?;
    let policy = match &repository {
        None => settings.egress.clone(),
        Some(repository) => repository.policy(&settings.egress, args.container)?,
    };
    let mut answer = Answer {
        host: host.clone(),
        container: args.container,
        allowed: false,
        list: None,
        line: None,
        place: None,
        through: None,
        inspect: policy.inspected(args.container).remove(&host),
        reason: None,
        hint: None,
    };
    let has_agent = args.container != ContainerType::Quality;
    if has_agent && compose::engine::behind_the_model_port(&settings).iter().any(|own| own == host.as_str()) {
        (answer.allowed, answer.through) = (true, Some("model-port"));
    }
    let mut heading = String::new();
    match decide(&policy, args.container, &host) {
        Decision::Allowed(line) => {
            answer.allowed = true;
            let own = settings.egress.hosts(args.container).contains(&line.pattern);
            answer.place = Some(match repository.as_ref().filter(|_| !own) {
                Some(repository) => repository.place(args.container, &line.pattern),
                None => place(&settings, &line.pattern),
            });
            (answer.list, answer.line) = (Some(line.list), Some(line.pattern.to_string()));
        }
        Decision::Denied { .. } if answer.allowed => {}
        Decision::Denied { reason, .. } => {
            let theirs = repository.as_ref().and_then(|its| its.opens(&settings.egress, args.container, &host));
            let (place, lines) = theirs.unwrap_or_else(|| {
                let opens = paste::one(&settings, args.container, &host);
                (opens.heading(), opens.lines)
            });
            heading = place;
            (answer.reason, answer.hint) = (Some(reason.as_str()), Some(lines));
        }
    }
    let exit = if answer.allowed { Exit::Ok } else { Exit::Failed };
    if context.screen.json {
        context.screen.json("egress-check", &answer)?;
        return Ok(exit);
    }
    let screen = &context.screen;
    let (host, container) = (&answer.host, answer.container);
    if answer.through.is_some() {
        let word = screen.tint(Tint::Good, "through the model port alone");
        screen.line(format!(
            "{host}: {word} for {container}: the gate asks it and signs; by its name no agent reaches it"
        ))?;
        return Ok(exit);
    }
    match (&answer.line, &answer.list, &answer.place) {
        (Some(line), Some(list), Some(place)) => {
            let word = screen.tint(Tint::Good, "allowed");
            screen.line(format!("{host}: {word} for {container}, port 443, by {line:?} of egress {list} ({place})"))?;
            if let Some(rule) = &answer.inspect {
                screen.line(format!("  its requests are looked into: {}", asked(rule)))?;
            }
        }
        _ => {
            let word = screen.tint(Tint::Bad, "refused");
            screen.line(format!("{host}: {word} for {container}: {}", answer.reason.unwrap_or_default()))?;
            screen.line(format!("{heading}:"))?;
            for line in answer.hint.iter().flat_map(|hint| hint.lines()) {
                screen.line(format!("  {line}"))?;
            }
        }
    }
    Ok(exit)
}

/// What may be asked, in words.
fn asked(rule: &InspectRule) -> String {
    let methods: Vec<String> = rule.methods.iter().map(ToString::to_string).collect();
    let paths: Vec<String> = rule.paths.iter().map(ToString::to_string).collect();
    let paths = if paths.is_empty() { "any path".to_owned() } else { format!("below {}", paths.join(", ")) };
    let signed = rule.credential.as_ref().map(|name| format!("; signed with registry:{name}")).unwrap_or_default();
    format!("{} of {paths}{signed}", methods.join(", "))
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
