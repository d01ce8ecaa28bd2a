//! `hydra demo`: the simulated GitHub, the scripted model and the real pipeline, all on loopback.

use super::signals::{self, Heard};
use crate::{
    args::{DemoArgs, RuntimeChoice, Scenario as Story},
    context::Context,
    demo::{ending, play, report::Told, stage_set},
    exit::Exit,
    failure::Failure,
    output::screen::Tint,
};
use clap::ValueEnum as _;
use hydra_sim::model::{Scenario, Script, scenario};

/// Where a script's format is described.
const FORMAT: &str =
    "docs/operations/demo.md describes the format; `extends = \"fix-round\"` takes a story over, to change parts of it";

pub(super) fn run(context: &Context, args: &DemoArgs) -> Result<Exit, Failure> {
    let scenario = story(args.scenario)?;
    let script = match &args.script {
        Some(path) => Some(read_script(context, path)?),
        None => None,
    };
    super::block_on(signals::counted(|heard| show(context, args, scenario, script, heard)))??
}

fn story(story: Story) -> Result<Scenario, Failure> {
    let value = story.to_possible_value();
    let name = value.as_ref().map_or("", |value| value.get_name());
    let broken = |why: String| Failure::new(Exit::Internal, format!("the story {name}: {why}"));
    scenario(name)
        .map_err(|error| broken(error.to_string()))?
        .ok_or_else(|| broken("it is not told anywhere".to_owned()))
}

fn read_script(context: &Context, path: &std::path::Path) -> Result<Script, Failure> {
    let whole = context.cwd.join(path);
    let text = std::fs::read_to_string(&whole)
        .map_err(|error| Failure::local(format_args!("{} cannot be read", path.display()), &error))?;
    let wrong = |why: String| Failure::new(Exit::Usage, format!("{}: {why}", path.display())).help(FORMAT);
    let script = text.parse::<Script>().map_err(|error| wrong(error.to_string()))?;
    if script.sessions.is_empty() {
        return Err(wrong(
            "there is no [[session]] in it, and it extends no story: the model would say nothing".to_owned(),
        ));
    }
    Ok(script)
}

/// Whatever ends it, a signal too, it comes back from here: then what it made goes with it.
async fn show(
    context: &Context,
    args: &DemoArgs,
    scenario: Scenario,
    script: Option<Script>,
    heard: Heard,
) -> Result<Exit, Failure> {
    let screen = context.screen;
    let story = Told::of(&scenario, args.script.as_deref());
    let runtime = match args.runtime {
        RuntimeChoice::Process => "process",
        RuntimeChoice::Docker => "docker",
    };
    let interrupted =
        || Failure::new(Exit::Interrupted, "the demo was interrupted").help("start it again: it begins anew");
    let set = tokio::select! {
        set = stage_set::build(context, &scenario, script, args.runtime) => set?,
        () = heard.clone().wait(1) => return Err(interrupted()),
    };
    play::ready(context, &set).await?;
    if !screen.json {
        screen.line(format!("{}: {}", screen.tint(Tint::Bold, story.name()), story.shows))?;
        screen.line(screen.tint(
            Tint::Dim,
            "GitHub and the model are simulated, on this machine; git, the GitHub adapter and the pipeline are real.",
        ))?;
        if args.runtime == RuntimeChoice::Process {
            screen.line(screen.tint(
                Tint::Warn,
                "Runtime process: the agents are processes of this machine, nothing isolates them.",
            ))?;
        }
        screen.line("")?;
    }
    let seen = play::play(context, &set, &scenario, heard.clone().wait(1)).await?;
    let mut report = tokio::select! {
        report = ending::look(&set, seen, story, runtime) => report?,
        () = heard.clone().wait(1) => return Err(interrupted()),
    };
    report.serving = args.keep.then(|| ending::serving(&set));
    if screen.json {
        screen.json("demo", &report)?;
    } else {
        ending::print(screen, &report)?;
        ending::next(screen, &report)?;
    }
    if let Some(serving) = &report.serving {
        if !screen.json {
            ending::addresses(screen, serving)?;
        }
        heard.wait(1).await;
    }
    Ok(if report.is_good() { Exit::Ok } else { Exit::Failed })
}
