//! `cargo xtask targets`: the published packages that the tests make target repositories of, from npm and PyPI into `target/targets-cache`.

use crate::images::{Inputs, succeed};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

/// The list, which the tests read too.
const LIST: &str = "tests/tests/it/targets/packages.json";
/// Where they lie: `<name>/from` and `<name>/to`.
const CACHE: &str = "target/targets-cache";
/// What is taken out of an archive: what the packaging made, and what belongs to the package's own repository rather than to its code.
const LEFT_OUT: &[&str] = &[".github", ".idea", "PKG-INFO", "__pycache__"];

#[derive(Deserialize)]
struct List {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    registry: Registry,
    package: String,
    from: Release,
    to: Release,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Registry {
    Npm,
    Pypi,
}

#[derive(Deserialize)]
struct Release {
    version: String,
    sha256: String,
}

/// Fetches what is not there yet.
pub(crate) fn fetch(root: &Path) -> Result<(), String> {
    let text = fs::read_to_string(root.join(LIST)).map_err(|error| format!("{LIST}: {error}"))?;
    let list: List = serde_json::from_str(&text).map_err(|error| format!("{LIST}: {error}"))?;
    let cache = root.join(CACHE);
    let mut wanted = Vec::new();
    for package in &list.packages {
        for (side, release) in [("from", &package.from), ("to", &package.to)] {
            wanted.push((package, release, cache.join(&package.name).join(side)));
        }
    }
    // Each of them mostly waits: pip prepares a source archive's build before it hands it out.
    thread::scope(|scope| {
        let fetched: Vec<_> =
            wanted.iter().map(|(package, release, folder)| scope.spawn(|| one(package, release, folder))).collect();
        fetched.into_iter().try_for_each(|one| one.join().map_err(|_| "a thread panicked".to_owned())?)
    })?;
    fs::write(cache.join("complete"), mark(root)?).map_err(|error| format!("{}: {error}", cache.display()))
}

/// Whether everything in the list was fetched.
pub(crate) fn are_here(root: &Path) -> bool {
    let written = fs::read_to_string(root.join(CACHE).join("complete"));
    written.is_ok_and(|written| mark(root).is_ok_and(|wanted| wanted == written))
}

fn mark(root: &Path) -> Result<String, String> {
    let mut inputs = Inputs::default();
    inputs.path(&root.join(LIST))?;
    Ok(inputs.finish())
}

fn one(package: &Package, release: &Release, folder: &Path) -> Result<(), String> {
    let shown = format!("{} {}", package.package, release.version);
    let stamp = folder.with_extension("sha256");
    if fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == release.sha256) && folder.is_dir() {
        println!("{shown}: is there");
        return Ok(());
    }
    let scratch = folder.with_extension("scratch");
    for old in [folder, &scratch] {
        remove(old)?;
    }
    fs::create_dir_all(&scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
    let archive = download(package, release, &scratch)?;
    let bytes = fs::read(&archive).map_err(|error| format!("{}: {error}", archive.display()))?;
    let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if sum != release.sha256 {
        return Err(format!("{shown}: the archive's SHA-256 is {sum}, {LIST} says {}", release.sha256));
    }
    let unpacked = scratch.join("unpacked");
    fs::create_dir(&unpacked).map_err(|error| error.to_string())?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--gzip", "--strip-components=1", "--no-same-owner", "--file"]).arg(&archive);
    succeed(tar.arg("--directory").arg(&unpacked))?;
    clean(&unpacked)?;
    fs::rename(&unpacked, folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    remove(&scratch)?;
    fs::write(&stamp, &release.sha256).map_err(|error| format!("{}: {error}", stamp.display()))?;
    println!("{shown}: fetched");
    Ok(())
}

/// The registry's own archive.
fn download(package: &Package, release: &Release, scratch: &Path) -> Result<PathBuf, String> {
    let (mut command, pinned) = match package.registry {
        Registry::Npm => (Command::new("npm"), format!("{}@{}", package.package, release.version)),
        Registry::Pypi => (Command::new("python3"), format!("{}=={}", package.package, release.version)),
    };
    match package.registry {
        Registry::Npm => command.args(["pack", "--silent", &pinned]),
        Registry::Pypi => command
            .args(["-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"])
            .args(["--no-binary", ":all:", "--dest", ".", &pinned]),
    };
    succeed(command.current_dir(scratch))?;
    let files = fs::read_dir(scratch).map_err(|error| error.to_string())?;
    let mut files = files.flatten().map(|entry| entry.path());
    let archive = files.find(|path| path.extension().is_some_and(|end| end == "gz" || end == "tgz"));
    archive.ok_or_else(|| format!("{pinned}: there is no archive of its source"))
}

fn clean(folder: &Path) -> Result<(), String> {
    let told = |error: io::Error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(told)? {
        let entry = entry.map_err(told)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if LEFT_OUT.contains(&name.as_str()) || name.ends_with(".egg-info") || name.ends_with(".pyc") {
            remove(&entry.path())?;
        } else if entry.file_type().map_err(told)?.is_dir() {
            clean(&entry.path())?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), String> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(format!("{}: {error}", path.display())),
        Ok(()) | Err(_) => Ok(()),
    }
}
