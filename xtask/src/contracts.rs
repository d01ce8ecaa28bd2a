//! `cargo xtask contracts`: GitHub's own published contracts, from npm.

use std::{fs, path::Path, process::Command};

/// Package, the file wanted of it, and its name in target/contracts.
const WANTED: &[(&str, &str, &str)] = &[
    ("@octokit/openapi", "generated/api.github.com.json", "api.github.com.json"),
    ("@octokit/graphql-schema", "schema.graphql", "schema.graphql"),
    ("@octokit/webhooks-examples", "api.github.com/index.json", "webhooks.json"),
];

/// Fetches what is not there yet.
pub(crate) fn fetch(root: &Path) -> Result<(), String> {
    let folder = root.join("target/contracts");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for (package, member, name) in WANTED {
        let wanted = folder.join(name);
        if wanted.is_file() {
            println!("{name}: is there");
            continue;
        }
        let scratch = folder.join("scratch");
        let _ = fs::remove_dir_all(&scratch);
        fs::create_dir_all(&scratch).map_err(|error| error.to_string())?;
        run(Command::new("npm").args(["pack", "--silent", package]).current_dir(&scratch))?;
        let archive = fs::read_dir(&scratch)
            .map_err(|error| error.to_string())?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
            .ok_or_else(|| format!("npm pack {package} left no archive"))?;
        let member = format!("package/{member}");
        run(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&scratch).arg(&member))?;
        fs::rename(scratch.join(&member), &wanted).map_err(|error| format!("{name}: {error}"))?;
        let _ = fs::remove_dir_all(&scratch);
        println!("{name}: fetched from {package}");
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{:?}: {error}", command.get_program()))?;
    if status.success() { Ok(()) } else { Err(format!("{:?} ended with {status}", command.get_program())) }
}
