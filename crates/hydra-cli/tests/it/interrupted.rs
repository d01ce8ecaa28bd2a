//! A demo that is told to end in the middle: SIGINT, SIGTERM and SIGHUP, as processes and in containers. Nothing of it stays.

use crate::{
    docker::{docker, images_that_are_here, one_demo_at_a_time},
    harness::Sandbox,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

const SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
/// Much longer than it takes, much shorter than a demo waits for anything.
const SOON: Duration = Duration::from_secs(40);

/// A demo that does not outlive its test.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        // It has ended already, where all is well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where every signal does what it does by itself, whatever the tests were started under.
fn hearing() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.under(&["env", "--default-signal=HUP,INT,TERM"]);
    sandbox
}

/// A demo whose temporary folder is the sandbox's own.
fn demo(sandbox: &Sandbox, args: &[&str]) -> Demo {
    std::fs::create_dir_all(sandbox.path("tmp")).unwrap();
    let mut command = sandbox.command(&[&["demo", "--json"], args].concat());
    let command = command.env("TMPDIR", sandbox.path("tmp")).stdout(Stdio::piped()).stderr(Stdio::piped());
    Demo(command.spawn().unwrap())
}

fn tell(child: &Demo, signal: Signal) {
    kill(Pid::from_raw(child.0.id().try_into().unwrap()), signal).unwrap();
}

fn until(what: &str, child: &mut Demo, mut seen: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !seen() {
        assert!(begun.elapsed() < SOON, "{what}: not in {SOON:?}");
        assert_eq!(child.0.try_wait().unwrap(), None, "{what}: it ended before");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The exit code and what it said on standard error.
fn ended(mut child: Demo) -> (Option<i32>, String) {
    let begun = Instant::now();
    while child.0.try_wait().unwrap().is_none() {
        if begun.elapsed() > SOON {
            child.0.kill().unwrap();
            panic!("it does not end in {SOON:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut said = String::new();
    child.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.0.wait().unwrap().code(), said)
}

/// The demo's own folder; the simulated GitHub has another one.
fn folder(tmp: &Path) -> Option<PathBuf> {
    entries(tmp).into_iter().find(|name| name.starts_with("hydra-demo-")).map(|name| tmp.join(name))
}

/// Under which name its jobs run, once it has written that down.
fn instance(tmp: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder(tmp)?.join("hydra.toml")).ok()?;
    let config: toml::Value = toml::from_str(&text).ok()?;
    Some(config.get("instance")?.as_str()?.to_owned())
}

/// Its jobs that run in containers.
fn jobs(tmp: &Path) -> String {
    let Some(instance) = instance(tmp) else { return String::new() };
    let label = format!("label=hydra.instance={instance}");
    docker(&["ps", "-q", "--filter", &label, "--filter", "label=hydra.key"])
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Running programs whose command line or working folder names this folder.
fn processes_in(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let cwd = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        if line.contains(&folder) || cwd.to_string_lossy().contains(&folder) {
            found.push(line);
        }
    }
    found
}

#[test]
fn a_demo_that_is_told_to_end_stops_its_jobs_and_leaves_no_folder_and_no_process() {
    for (signal, story) in [(SIGNALS[0], "conflict"), (SIGNALS[1], "happy"), (SIGNALS[2], "happy")] {
        let sandbox = hearing();
        let mut child = demo(&sandbox, &["--scenario", story]);
        let tmp = sandbox.path("tmp");
        until("a job", &mut child, || {
            folder(&tmp).is_some_and(|folder| !entries(&folder.join("state/jobs")).is_empty())
        });
        tell(&child, signal);
        let (code, said) = ended(child);
        assert_eq!(code, Some(8), "{signal}: {said}");
        assert!(said.contains("interrupted"), "{signal}: {said}");
        assert_eq!((entries(&tmp), processes_in(&tmp)), (vec![], vec![]), "{signal}");
    }
}

#[test]
fn a_demo_that_is_to_outlive_its_terminal_does() {
    let mut sandbox = Sandbox::new();
    sandbox.under(&["env", "--ignore-signal=HUP"]);
    let mut child = demo(&sandbox, &["--scenario", "happy"]);
    let mut told = child.0.stdout.take().unwrap();
    let tmp = sandbox.path("tmp");
    until("a folder", &mut child, || folder(&tmp).is_some());
    tell(&child, Signal::SIGHUP);
    let mut whole = String::new();
    told.read_to_string(&mut whole).unwrap();
    assert_eq!((ended(child).0, whole.is_empty()), (Some(0), false));
}

#[test]
fn a_kept_demo_takes_its_folder_away_whichever_signal_ends_it() {
    for signal in SIGNALS {
        let sandbox = hearing();
        let mut child = demo(&sandbox, &["--keep", "--scenario", "needs-input"]);
        let mut out = BufReader::new(child.0.stdout.take().unwrap()).lines();
        assert!(out.any(|line| line.unwrap() == "}"), "it ended early");
        assert!(folder(&sandbox.path("tmp")).is_some());
        tell(&child, signal);
        let (code, said) = ended(child);
        assert_eq!(code, Some(0), "{signal}: {said}");
        assert_eq!(entries(&sandbox.path("tmp")), Vec::<String>::new(), "{signal}");
    }
}

#[test]
#[ignore = "needs docker, images"]
fn a_demo_in_containers_that_is_told_to_end_leaves_no_container_volume_or_folder() {
    let _alone = one_demo_at_a_time();
    for signal in SIGNALS {
        let sandbox = hearing();
        images_that_are_here(&sandbox);
        let mut child = demo(&sandbox, &["--runtime", "docker", "--scenario", "happy"]);
        let tmp = sandbox.path("tmp");
        until("a job", &mut child, || !jobs(&tmp).is_empty());
        let instance = instance(&tmp).unwrap();
        assert_ne!(crate::docker::left(&instance), "");
        tell(&child, signal);
        let (code, said) = ended(child);
        assert_eq!(code, Some(8), "{signal}: {said}");
        assert_eq!((crate::docker::left(&instance), entries(&tmp)), (String::new(), vec![]), "{signal}");
    }
}

#[test]
#[ignore = "needs docker, images"]
fn what_a_killed_demo_left_in_containers_is_taken_away_by_the_next() {
    let _alone = one_demo_at_a_time();
    let sandbox = Sandbox::new();
    images_that_are_here(&sandbox);
    let mut child = demo(&sandbox, &["--runtime", "docker", "--scenario", "happy"]);
    let tmp = sandbox.path("tmp");
    until("a job", &mut child, || !jobs(&tmp).is_empty());
    let other = sandbox.run(&["demo", "--runtime", "docker"]);
    assert_eq!((other.code, other.out.as_str()), (6, ""), "{}", other.all());
    assert!(other.err.contains("another demo has a job"), "{}", other.err);
    let left = jobs(&tmp);
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    let next = sandbox.run(&["demo", "--runtime", "docker", "--json", "--scenario", "needs-input"]);
    assert_eq!(next.code, 0, "{}", next.all());
    let there = docker(&["ps", "-aq"]);
    assert!(!left.lines().any(|job| there.contains(job)), "{left} in {there}");
}
