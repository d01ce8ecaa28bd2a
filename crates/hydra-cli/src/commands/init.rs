//! `hydra init [DIR]`: the files that a new installation needs, each only if it is not there.

mod left;

use crate::{
    args::InitArgs,
    config::{self, Settings, Sources},
    context::Context,
    exit::Exit,
    failure::Failure,
};
use left::FillIn;
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
    /// What is still empty.
    fill_in: Vec<FillIn>,
    /// The public half of the signing key: it belongs into `[keys] public` before the key is replaced.
    public_key: Option<String>,
}

pub(super) fn run(context: &Context, args: &InitArgs) -> Result<Exit, Failure> {
    let folder = args.dir.as_ref().map_or_else(|| context.cwd.clone(), |dir| context.cwd.join(dir));
    let mut done = Done {
        folder: folder.display().to_string(),
        written: Vec::new(),
        kept: Vec::new(),
        fill_in: Vec::new(),
        public_key: None,
    };
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
    // What was there before may be anything; what is wrong with it is told, and what is still empty.
    let settings = look(context, &folder);
    if let Ok(settings) = &settings {
        done.fill_in = left::over(settings);
        done.public_key = left::public_key(settings);
    }
    report(context, &done, settings.is_ok())?;
    settings.map(|_| Exit::Ok)
}

fn look(context: &Context, folder: &Path) -> Result<Settings, Failure> {
    let file = folder.join(config::FILE);
    let environment = &context.environment;
    let loaded = config::load(&Sources { cwd: folder, file: Some(&file), flags: Vec::new(), environment })?;
    Ok(loaded.settings)
}

fn report(context: &Context, done: &Done, readable: bool) -> Result<(), Failure> {
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
    if !readable {
        return screen.line("\nWhat was kept cannot be used as it is. Mend it, then run this again:");
    }
    screen.line("")?;
    if let Some(key) = &done.public_key {
        screen.line(format!("Public key of HYDRA_SIGNING_KEY, for [keys] when it is replaced: {key}"))?;
    }
    screen.line(if done.fill_in.is_empty() { "Nothing is left to fill in." } else { "Fill in:" })?;
    for left in &done.fill_in {
        screen.line(format!("  {:24}  {}", left.file, left.what))?;
    }
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
pub(crate) fn signing_key() -> Result<String, Failure> {
    let mut seed = [0u8; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut seed))
        .map_err(|error| Failure::local("/dev/urandom cannot be read", &error))?;
    Ok(seed.iter().map(|byte| format!("{byte:02x}")).collect())
}
