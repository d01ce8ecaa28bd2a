//! Debian roots: by mmdebstrap, or from a base image that is pulled.

use super::{Build, docker, inputs::Inputs};
use std::{fs, process::Command};

/// The release. Python's version in it is the one that `images/scanner/requirements.txt` is pinned for.
const SUITE: &str = "bookworm";

/// The root with the packages of `images/debian/<name>.packages`: its name and ID.
pub(crate) fn root(build: &Build<'_>, name: &str) -> Result<(String, String), String> {
    let folder = build.folder("debian");
    let list = folder.join(format!("{name}.packages"));
    let text = fs::read_to_string(&list).map_err(|error| format!("{}: {error}", list.display()))?;
    let packages = packages(&text);
    let mut inputs = Inputs::default();
    inputs.text("suite", SUITE);
    inputs.text("packages", &packages.join(","));
    inputs.path(&folder.join("finish.sh"))?;
    let base = build.options.base.as_deref().map(docker::pull).transpose()?;
    if let Some(digest) = &base {
        inputs.text("base", digest);
        inputs.path(&folder.join("Dockerfile"))?;
    }
    if let Some(mirror) = &build.options.mirror {
        inputs.text("mirror", mirror);
    }
    let inputs = inputs.finish();
    let (shown, tag) = (format!("debian-{name}"), format!("hydra-layer-debian-{name}:latest"));
    if let Some(id) = docker::up_to_date(&tag, &inputs)? {
        build.say(&shown, "is up to date");
        return Ok((tag, id));
    }
    match &base {
        Some(digest) => {
            build.say(&shown, &format!("is built on {digest}"));
            let args = [("BASE", digest.as_str()), ("PACKAGES", &packages.join(" "))];
            docker::build(&tag, &folder, &args, &inputs, true)?;
        }
        None => debootstrap(build, &shown, &tag, &packages, &inputs)?,
    }
    let id = docker::up_to_date(&tag, &inputs)?.ok_or_else(|| format!("{tag} was built and is not there"))?;
    build.say(&shown, &format!("is {}", docker::short(&id)));
    Ok((tag, id))
}

fn debootstrap(build: &Build<'_>, shown: &str, tag: &str, packages: &[String], inputs: &str) -> Result<(), String> {
    build.say(shown, &format!("is made of Debian {SUITE}: {}", packages.join(" ")));
    // mmdebstrap chooses the format by the name's end.
    let tar = build.work.join(format!("{shown}.tar"));
    let mut command = Command::new("mmdebstrap");
    command.args(["--quiet", "--variant=minbase", &format!("--include={}", packages.join(","))]);
    command.args(["--aptopt=Acquire::Languages \"none\"", "--dpkgopt=path-exclude=/usr/share/man/*"]);
    command.args(["--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/doc/*"]);
    command.arg("--dpkgopt=path-include=/usr/share/doc/*/copyright");
    // The hook's text goes through a shell, which has the root as its first argument; the script lies in the checkout.
    let finish = build.folder("debian").join("finish.sh");
    command.env("HYDRA_FINISH", finish).arg("--customize-hook=sh \"$HYDRA_FINISH\" \"$1\"");
    command.arg(SUITE).arg(&tar).args(&build.options.mirror);
    docker::succeed(&mut command)?;
    docker::import(&tar, tag, inputs)?;
    fs::remove_file(&tar).map_err(|error| format!("{}: {error}", tar.display()))
}

/// The names in a list: one a line, with comments.
fn packages(text: &str) -> Vec<String> {
    let names = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_comments() {
        assert_eq!(packages("# what\ngit\n\n jq # why\n"), ["git", "jq"]);
    }
}
