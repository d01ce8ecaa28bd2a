//! The few things that are asked of the `docker` command.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

/// The label that holds the hash of what an image was made of.
const LABEL: &str = "hydra.inputs";

/// Whether there is an engine.
pub(crate) fn check() -> Result<(), String> {
    let output = run(Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("no Docker Engine answers: {}; start it, then try again", said(&output)))
}

/// The ID of the image of this name, if it was made of these inputs.
pub(crate) fn up_to_date(tag: &str, inputs: &str) -> Result<Option<String>, String> {
    let format = format!("{{{{.Id}}}} {{{{index .Config.Labels \"{LABEL}\"}}}}");
    let output = run(Command::new("docker").args(["image", "inspect", "--format", &format, tag]))?;
    if !output.status.success() {
        // Also what a template says of an image without labels.
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.trim().split_once(' ').filter(|(_, label)| *label == inputs).map(|(id, _)| id.to_owned()))
}

/// Builds a context. The classic builder is asked for: it is in every engine, and its `FROM` finds local images.
pub(crate) fn build(
    tag: &str,
    context: &Path,
    args: &[(&str, &str)],
    inputs: &str,
    network: bool,
) -> Result<(), String> {
    let mut command = Command::new("docker");
    command.env("DOCKER_BUILDKIT", "0").args(["build", "--force-rm", "--tag", tag]);
    command.args(["--label", &format!("{LABEL}={inputs}")]);
    if !network {
        command.args(["--network", "none"]);
    }
    for (name, value) in args {
        command.args(["--build-arg", &format!("{name}={value}")]);
    }
    succeed(command.arg(context))
}

/// Makes an image of a root file system.
pub(crate) fn import(tar: &Path, tag: &str, inputs: &str) -> Result<(), String> {
    let label = format!("LABEL {LABEL}={inputs}");
    let path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    succeed(Command::new("docker").args(["import", "--change", &label, "--change", path]).arg(tar).arg(tag))
}

/// Fetches an image; the digest that the registry names it by.
pub(crate) fn pull(image: &str) -> Result<String, String> {
    succeed(Command::new("docker").args(["pull", "--quiet", image]))?;
    digest(image)?.ok_or_else(|| format!("{image} was pulled, and the engine knows no digest of it"))
}

/// The digest by which a registry knows an image, `name@sha256:…`; images that were built here have none.
pub(crate) fn digest(image: &str) -> Result<Option<String>, String> {
    let format = "{{range .RepoDigests}}{{.}}\n{{end}}";
    let output = run(Command::new("docker").args(["image", "inspect", "--format", format, image]))?;
    if !output.status.success() {
        return Err(format!("{image}: {}", said(&output)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().find(|line| line.contains('@')).map(str::to_owned))
}

/// Gives an image one more name.
pub(crate) fn tag(id: &str, name: &str) -> Result<(), String> {
    succeed(Command::new("docker").args(["tag", id, name]))
}

/// Removes older images of ours that no name leads to. One that a container still uses stays, and so does one that a run that has just begun
/// may be about to use.
pub(crate) fn prune() {
    let filters = ["--filter", "label=hydra.inputs", "--filter", "until=1h"];
    let mut command = Command::new("docker");
    command.args(["image", "prune", "--force"]).args(filters).stdin(Stdio::null());
    if let Ok(output) = command.output()
        && !output.status.success()
    {
        println!("older images stay: {}", said(&output));
    }
}

/// The ID as people know it.
pub(crate) fn short(id: &str) -> &str {
    id.get(..19).unwrap_or(id)
}

/// Runs a program that must succeed; what it says is shown only if it does not.
pub(crate) fn succeed(command: &mut Command) -> Result<(), String> {
    let output = run(command)?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{} ended with {}: {}", command.get_program().display(), output.status, said(&output)))
}

fn run(command: &mut Command) -> Result<Output, String> {
    let name = command.get_program().display().to_string();
    command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{name} cannot be started: {error}; is it installed?"))
}

/// The end of what a program said.
fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].map(String::from_utf8_lossy).concat();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
