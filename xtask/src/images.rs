//! `cargo xtask images`: the container images, from Debian packages and this checkout, into the local Docker Engine.
//!
//! No image registry is needed: Debian comes through mmdebstrap, the coding agent from npm, the scanner from PyPI, all of it fetched on the
//! host, as a container that is built may have no network. An image whose inputs have not changed is not built again.

mod debian;
mod docker;
mod fetched;
mod inputs;
mod lock;
mod programs;
mod table;

pub(crate) use {docker::succeed, inputs::Inputs, lock::ids};

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

/// What to build, and from what.
pub(crate) struct Options {
    /// Final images, by their short names.
    names: Vec<&'static str>,
    /// A base image to pull instead of a root made by mmdebstrap.
    base: Option<String>,
    /// Where Debian's packages come from, instead of Debian's own address.
    mirror: Option<String>,
    /// The name under which images are found by the documented command line: `PREFIX/hydra-builder:TAG`.
    prefix: String,
    tag: String,
    /// Optimised programs.
    release: bool,
}

/// The documented names: those that `runtime.image_prefix` and `runtime.image_tag` begin with.
const PREFIX: &str = "ghcr.io/conductionnl";
const TAG: &str = "latest";

/// Everything a step needs.
pub(crate) struct Build<'a> {
    pub(crate) root: &'a Path,
    pub(crate) options: &'a Options,
    /// `target/images`: what is fetched, and the contexts.
    pub(crate) work: PathBuf,
    pub(crate) started: Instant,
}

impl Build<'_> {
    /// A line for people: when, which, what.
    pub(crate) fn say(&self, name: &str, what: &str) {
        println!("[{:6.1} s] {name:<16} {what}", self.started.elapsed().as_secs_f64());
    }
    /// `images/<name>`.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.root.join("images").join(name)
    }
}

/// Builds what the arguments name; everything without a name.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<(), String> {
    let options = options(args)?;
    docker::check()?;
    let work = root.join("target/images");
    fs::create_dir_all(&work).map_err(|error| format!("{}: {error}", work.display()))?;
    // Two builds at once would take each other's contexts away.
    let only_one = fs::File::create(work.join(".lock")).map_err(|error| error.to_string())?;
    only_one.lock().map_err(|error| format!("{}: {error}", work.display()))?;
    let build = Build { root, options: &options, work, started: Instant::now() };
    let built = table::build(&build)?;
    lock::write(&build, &built)?;
    docker::prune();
    build.say("images.lock.json", &format!("{} images", built.len()));
    Ok(())
}

fn options(args: &[String]) -> Result<Options, String> {
    let mut options = Options {
        names: Vec::new(),
        base: None,
        mirror: None,
        prefix: PREFIX.to_owned(),
        tag: TAG.to_owned(),
        release: false,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().cloned().ok_or(format!("{arg} takes a value"));
        match arg.as_str() {
            "--base" => options.base = Some(value()?),
            "--mirror" => options.mirror = Some(value()?),
            "--prefix" => options.prefix = value()?,
            "--tag" => options.tag = value()?,
            "--release" => options.release = true,
            name => {
                let short = name.trim_start_matches("hydra-");
                let known = table::FINAL.iter().find(|image| **image == short).copied();
                options.names.push(
                    known.ok_or_else(|| {
                        format!("there is no image {name:?}: it is one of {}", table::FINAL.join(", "))
                    })?,
                );
            }
        }
    }
    if options.names.is_empty() {
        options.names = table::FINAL.to_vec();
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_or_full_and_a_wrong_one_is_named() {
        let of = |args: &[&str]| options(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["builder", "hydra-security", "--release"]).unwrap().names, ["builder", "security"]);
        assert_eq!(of(&[]).unwrap().names, table::FINAL);
        let error = of(&["bilder"]).err().unwrap();
        assert!(error.contains("\"bilder\"") && error.contains("builder"), "{error}");
        assert!(of(&["--base"]).err().unwrap().contains("takes a value"));
    }
}
