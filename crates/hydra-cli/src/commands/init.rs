//! `hydra init [DIR]`: the files that a new installation needs, each only if it is not there.

use crate::{args::InitArgs, context::Context, exit::Exit, failure::Failure};
use serde::Serialize;
use std::{
    fs::{DirBuilder, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

const CONFIG: &str = include_str!("../../templates/hydra.toml");
const DOTENV: &str = include_str!("../../../../secrets/.env.example");
const CREDENTIALS: &str = include_str!("../../../../secrets/credentials.example.json");
const IGNORED: &[&str] = &["/.hydra/", "/secrets/.env", "/secrets/credentials.json"];

#[derive(Serialize)]
struct Done {
    folder: String,
    written: Vec<String>,
    kept: Vec<String>,
}

pub(super) fn run(context: &Context, args: &InitArgs) -> Result<Exit, Failure> {
    let folder = args.dir.as_ref().map_or_else(|| context.cwd.clone(), |dir| context.cwd.join(dir));
    let mut done = Done { folder: folder.display().to_string(), written: Vec::new(), kept: Vec::new() };
    make_folder(&folder, 0o755)?;
    make_folder(&folder.join("secrets"), 0o700)?;
    let key = signing_key()?;
    let dotenv = DOTENV.replace("\nHYDRA_SIGNING_KEY=\n", &format!("\nHYDRA_SIGNING_KEY={key}\n"));
    for (name, text, mode) in [
        ("hydra.toml", CONFIG, 0o644),
        ("secrets/.env", dotenv.as_str(), 0o600),
        ("secrets/credentials.json", CREDENTIALS, 0o600),
    ] {
        let new = write_new(&folder.join(name), text, mode)?;
        if new { done.written.push(name.to_owned()) } else { done.kept.push(name.to_owned()) }
    }
    let ignored = ignore(&folder.join(".gitignore"))?;
    if ignored {
        done.written.push(".gitignore".to_owned())
    } else {
        done.kept.push(".gitignore".to_owned())
    }
    report(context, &done)?;
    Ok(Exit::Ok)
}

fn report(context: &Context, done: &Done) -> Result<(), Failure> {
    let screen = &context.screen;
    if screen.json {
        return screen.json("init", done);
    }
    for name in &done.written {
        screen.line(format!("wrote  {name}"))?;
    }
    for name in &done.kept {
        screen.line(format!("kept   {name}"))?;
    }
    screen.line("")?;
    screen.line("Fill in:")?;
    screen.line("  secrets/.env              GITHUB_ORG, and a GitHub token for each role")?;
    screen.line("  secrets/credentials.json  at least one model account (or ANTHROPIC_API_KEY in secrets/.env)")?;
    screen.line("  hydra.toml                github.repos")?;
    screen.line("Then: hydra config check, hydra doctor, hydra labels sync")?;
    Ok(())
}

fn make_folder(path: &Path, mode: u32) -> Result<(), Failure> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|error| Failure::local(format_args!("{} cannot be made", path.display()), &error))
}

/// Writes a file that is not there yet; says whether it did.
pub(crate) fn write_new(path: &Path, text: &str, mode: u32) -> Result<bool, Failure> {
    let failed = |error: &std::io::Error| Failure::local(format_args!("{} cannot be written", path.display()), error);
    match OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes()).map_err(|error| failed(&error))?;
            file.sync_all().map_err(|error| failed(&error))?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(&error)),
    }
}

/// Adds the lines that are missing; says whether any were.
fn ignore(path: &Path) -> Result<bool, Failure> {
    let failed = |error: &std::io::Error| Failure::local(format_args!("{} cannot be written", path.display()), error);
    let old = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(&error)),
    };
    let bare = |line: &str| line.trim().trim_matches('/').to_owned();
    let missing: Vec<&str> =
        IGNORED.iter().copied().filter(|line| !old.lines().any(|have| bare(have) == bare(line))).collect();
    if missing.is_empty() {
        return Ok(false);
    }
    let mut file = OpenOptions::new().append(true).create(true).open(path).map_err(|error| failed(&error))?;
    let glue = if old.is_empty() || old.ends_with('\n') { "" } else { "\n" };
    file.write_all(format!("{glue}{}\n", missing.join("\n")).as_bytes()).map_err(|error| failed(&error))?;
    Ok(true)
}

/// A seed of 32 random bytes as hexadecimal digits.
pub(super) fn signing_key() -> Result<String, Failure> {
    let mut seed = [0u8; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut seed))
        .map_err(|error| Failure::local("/dev/urandom cannot be read", &error))?;
    Ok(seed.iter().map(|byte| format!("{byte:02x}")).collect())
}
