//! What comes from npm and PyPI: fetched on the host by exact version and digest, kept below `target/images` until the pins change.

use super::{Build, docker, inputs::Inputs};
use std::{
    env::consts::ARCH,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// CPython of the Debian release, and the platforms whose wheels run on it.
const PYTHON: &str = "3.11";
const PLATFORMS: [&str; 5] = [
    "manylinux_2_34_x86_64",
    "manylinux_2_28_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
    "manylinux1_x86_64",
];

/// The coding agent's program.
pub(crate) fn claude(build: &Build<'_>) -> Result<PathBuf, String> {
    // The platform's package holds the program; the other one's install script would only copy it.
    let program = format!("@anthropic-ai/claude-code-linux-{}/claude", arch()?);
    npm(build, "claude", |modules, folder| moved(&modules.join(program), &folder.join("claude")))
}

/// Node.js and npm, laid out as below `/usr/local`.
pub(crate) fn node(build: &Build<'_>) -> Result<PathBuf, String> {
    let program = format!("node-linux-{}/bin/node", arch()?);
    npm(build, "node", |modules, folder| {
        let root = folder.join("node");
        for sub in ["bin", "lib/node_modules"] {
            fs::create_dir_all(root.join(sub)).map_err(|error| format!("{}: {error}", root.display()))?;
        }
        moved(&modules.join("npm"), &root.join("lib/node_modules/npm"))?;
        moved(&modules.join(program), &root.join("bin/node"))?;
        Ok(root)
    })
}

/// This machine's architecture as npm packages name it.
fn arch() -> Result<&'static str, String> {
    match ARCH {
        "x86_64" => Ok("x64"),
        "aarch64" => Ok("arm64"),
        other => Err(format!("there are no programs for {other}")),
    }
}

/// Installs what the lock file of `images/<name>` pins and keeps what `take` wants of it.
fn npm(
    build: &Build<'_>,
    name: &str,
    take: impl FnOnce(&Path, &Path) -> Result<PathBuf, String>,
) -> Result<PathBuf, String> {
    let files = ["package.json", "package-lock.json"];
    let pins = build.folder(name);
    fetch(build, name, &files.map(|file| pins.join(file)), |folder| {
        for file in files {
            fs::copy(pins.join(file), folder.join(file)).map_err(|error| format!("{file}: {error}"))?;
        }
        docker::succeed(
            Command::new("npm")
                .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--loglevel=error"])
                .current_dir(folder),
        )?;
        let modules = folder.join("node_modules");
        let taken = take(&modules, folder)?;
        fs::remove_dir_all(&modules).map_err(|error| format!("{}: {error}", modules.display()))?;
        Ok(taken)
    })
}

fn moved(from: &Path, to: &Path) -> Result<PathBuf, String> {
    fs::rename(from, to).map_err(|error| format!("{}: {error}", from.display()))?;
    Ok(to.into())
}

/// The scanner's Python packages.
pub(crate) fn semgrep(build: &Build<'_>) -> Result<PathBuf, String> {
    if ARCH != "x86_64" {
        return Err(format!("images/scanner/requirements.txt pins wheels for x86_64, and this machine is {ARCH}"));
    }
    let pins = build.folder("scanner").join("requirements.txt");
    fetch(build, "semgrep", std::slice::from_ref(&pins), |folder| {
        let site = folder.join("site");
        let mut command = Command::new("python3");
        command.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-input",
            "--no-compile",
            "--no-deps",
            "--require-hashes",
        ]);
        command.args(["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON]);
        command.args(PLATFORMS.iter().flat_map(|platform| ["--platform", platform]));
        command.args(["--root-user-action=ignore", "--disable-pip-version-check"]);
        docker::succeed(command.arg("--target").arg(&site).arg("--requirement").arg(&pins))?;
        // These begin with the path of this machine's Python; the image has its own.
        match fs::remove_dir_all(site.join("bin")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(format!("{}: {error}", site.display())),
            Ok(()) | Err(_) => Ok(site),
        }
    })
}

/// Runs `get` in an empty folder, unless it was done for the same pins.
fn fetch(
    build: &Build<'_>,
    name: &str,
    pins: &[PathBuf],
    get: impl FnOnce(&PathBuf) -> Result<PathBuf, String>,
) -> Result<PathBuf, String> {
    let mut inputs = Inputs::default();
    for pin in pins {
        inputs.path(pin)?;
    }
    let inputs = inputs.finish();
    let folder = build.work.join(name);
    let stamp = build.work.join(format!("{name}.fetched"));
    if let Ok(found) = fs::read_to_string(&stamp)
        && let Some((path, _)) = found.split_once('\n').filter(|(_, of)| *of == inputs)
        && PathBuf::from(path).exists()
    {
        build.say(name, "is fetched");
        return Ok(path.into());
    }
    build.say(name, "is being fetched");
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(format!("{}: {error}", folder.display())),
        Ok(()) | Err(_) => {}
    }
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let path = get(&folder)?;
    fs::write(&stamp, format!("{}\n{inputs}", path.display()))
        .map_err(|error| format!("{}: {error}", stamp.display()))?;
    build.say(name, "is fetched");
    Ok(path)
}
