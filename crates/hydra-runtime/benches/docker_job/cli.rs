//! The other side of the comparison: the docker CLI, told what Hydra tells the engine.

use super::{SAYS, image::docker};
use hydra_core::job::JobSpec;
use hydra_runtime::docker::command_line;
use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// What stands behind `docker run`, without `--detach`.
pub(crate) fn flags(instance: &str, spec: &JobSpec, cpus: u32) -> Vec<String> {
    let line = command_line(instance, spec, cpus).unwrap();
    line.into_iter().skip(2).filter(|flag| flag != "--detach").collect()
}

/// `docker run --rm`. The volumes that it leaves are removed when the time has been taken.
pub(crate) fn run(flags: &[String]) -> Duration {
    let begun = Instant::now();
    said(&["--rm"], flags);
    let took = begun.elapsed();
    docker(&["volume", "rm", &volume(flags, "/in"), &volume(flags, "/spec"), &volume(flags, "/out")]);
    took
}

/// The same job to the same end: volumes filled, the container run, its results taken, all of it removed.
pub(crate) fn by_hand(flags: &[String]) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let (input, results) = (folder.path().join("script.sh"), folder.path().join("results.tar"));
    std::fs::write(&input, b"").unwrap();
    let [inputs, spec, out] = ["/in", "/spec", "/out"].map(|place| volume(flags, place));
    let (name, image) = (after(flags, "--name"), flags.last().unwrap());
    let filler = format!("{name}-filler");
    let begun = Instant::now();
    let [bind_in, bind_spec, bind_out] =
        [(&inputs, "/in"), (&spec, "/spec"), (&out, "/out")].map(|(volume, place)| format!("{volume}:{place}:nocopy"));
    docker(&["create", "--name", &filler, "-v", &bind_in, "-v", &bind_spec, "-v", &bind_out, image]);
    docker(&["cp", &input.display().to_string(), &format!("{filler}:/in/script.sh")]);
    docker(&["rm", &filler]);
    said(&[], flags);
    let archive = std::fs::File::create(&results).unwrap();
    let taken = Command::new("docker").args(["cp", &format!("{name}:/out"), "-"]).stdout(archive).status().unwrap();
    assert!(taken.success(), "docker cp");
    docker(&["rm", name]);
    docker(&["volume", "rm", &inputs, &spec, &out]);
    begun.elapsed()
}

fn said(before: &[&str], flags: &[String]) {
    let mut command = Command::new("docker");
    command.arg("run").args(before).args(flags).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stdout == format!("{SAYS}\n").as_bytes(), "{output:?}");
}

fn after<'f>(flags: &'f [String], name: &str) -> &'f str {
    let at = flags.iter().position(|flag| flag == name).unwrap();
    &flags[at + 1]
}

/// The volume that is mounted at this place.
fn volume(flags: &[String], place: &str) -> String {
    flags.iter().find_map(|flag| flag.split_once(&format!(":{place}:"))).unwrap().0.to_owned()
}
