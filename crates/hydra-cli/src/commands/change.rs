//! `hydra change check DIR…` and `hydra change init DIR`.

mod check;
mod read;

pub(crate) use read::files_below;

use crate::{args::ChangeCommand, context::Context, exit::Exit, failure::Failure};
use hydra_core::{
    ChangeName,
    openspec::{ChangeFolder, Manifest, manifest},
};
use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    path::Path,
};

pub(super) fn run(context: &Context, command: &ChangeCommand) -> Result<Exit, Failure> {
    match command {
        ChangeCommand::Check { dirs } => check::run(context, dirs),
        ChangeCommand::Init { dir } => init(context, dir),
    }
}

fn init(context: &Context, dir: &Path) -> Result<Exit, Failure> {
    let folder = context.cwd.join(dir);
    let text = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name: ChangeName =
        text.parse().map_err(|error: hydra_core::IdError| Failure::new(Exit::Usage, error.to_string()))?;
    let change = ChangeFolder::parse(&files_below(&folder)?).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::new(Exit::Failed, format!("{} is not a change folder yet: {}", dir.display(), lines.join("; ")))
            .help("`hydra change check` lists what is wrong")
    })?;
    let manifest = Manifest { title: Some(change.title(&name)), spec_slug: Some(name), ..Manifest::default() };
    let path = folder.join(manifest::FILE);
    let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Failure::new(
                Exit::Failed,
                format!("{} is there already, and was left as it is", path.display()),
            )
            .help("edit it, or remove it first"));
        }
        Err(error) => return Err(Failure::local(format_args!("{} cannot be written", path.display()), &error)),
    };
    file.write_all(manifest.render().as_bytes())
        .map_err(|error| Failure::local(format_args!("{} cannot be written", path.display()), &error))?;
    if context.screen.json {
        context.screen.json("change-init", &manifest)?;
    } else {
        context
            .screen
            .line(format!("wrote {}; add `repo`, `issue` and `depends_on` where they apply", path.display()))?;
    }
    Ok(Exit::Ok)
}
