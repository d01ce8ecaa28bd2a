//! What goes on being shown: `hydra status --watch`, `hydra logs --follow`.

use crate::{
    harness::Sandbox,
    stage::{Stage, TRIGGER, running},
};
use hydra_sim::github::{Fault, FaultKind, When};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    process::{Child, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

/// A hydra that runs, and its output line by line as it comes.
struct Watched {
    child: Child,
    lines: Receiver<String>,
}

impl Watched {
    fn start(sandbox: &Sandbox, args: &[&str]) -> Self {
        let mut command = sandbox.command(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        // It ends with the program whose output it reads.
        std::thread::spawn(move || {
            for line in out.lines() {
                let Ok(()) = send.send(line.unwrap()) else { break };
            }
        });
        Self { child, lines }
    }
    /// Everything up to the first line with these words.
    fn until(&self, words: &str) -> Vec<String> {
        let (mut seen, begun): (Vec<String>, _) = (Vec::new(), Instant::now());
        while seen.last().is_none_or(|line| !line.contains(words)) {
            match self.lines.recv_timeout(Duration::from_secs(60)) {
                Ok(line) if begun.elapsed() < Duration::from_secs(60) => seen.push(line),
                _ => panic!("{words:?} never came: {seen:#?}"),
            }
        }
        seen
    }
    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }
    /// Its end: code, what was still to come, standard error.
    fn end(mut self) -> (Option<i32>, Vec<String>, String) {
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(30), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code(), self.lines.iter().collect(), err)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The builder's third answer comes late: a test looks on meanwhile.
fn paced(millis: u32) -> Stage {
    Stage::new(&format!("extends = \"happy\"\n[[adjust]]\nstage = \"build\"\nstep = 3\ndelay_ms = {millis}\n"))
}

/// From now on GitHub answers everything in this way.
fn always(stage: &Stage, kind: &FaultKind) {
    for method in ["GET", "POST"] {
        stage.github.add_fault(Fault::new(method, "/*", When::Always, kind.clone()));
    }
}

#[test]
fn a_status_that_is_watched_is_printed_again_until_ctrl_c() {
    let stage = paced(60_000);
    stage.github.remove_label(crate::stage::REPO, stage.issue, TRIGGER, "ada").unwrap();
    let watched = Watched::start(&stage.sandbox, &["status", "--watch"]);
    let first = watched.until("no issue carries the trigger label");
    assert!(first[0].starts_with("test  acme/words  20"), "{first:#?}");
    // Nothing has changed, and it is shown that it is still so.
    let again = watched.until("no issue carries the trigger label");
    assert_eq!(first[1..], again[1..]);
    assert_ne!(first[0], again[0], "the time goes on");
    stage.github.add_label(crate::stage::REPO, stage.issue, TRIGGER, "ada").unwrap();
    watched.until("acme/words#1  new");
    let poll = stage.spawn(&["poll"]);
    let job = stage.until_running("build");
    let seen = watched.until(&job);
    assert!(seen.iter().any(|line| line.starts_with("slots 2 of 5 in use")), "{seen:#?}");
    assert!(seen.iter().all(|line| !line.contains('\u{1b}')), "nothing is drawn over on a pipe: {seen:#?}");
    watched.signal(Signal::SIGINT);
    let (code, _, err) = watched.end();
    assert_eq!((code, err.as_str()), (Some(0), ""));
    // The job is none of the watcher's.
    assert!(running(&stage.sandbox.run(&["status", "--json"]).json(), "build").is_some());
    poll.signal(Signal::SIGTERM);
    poll.signal(Signal::SIGTERM);
    poll.end();
}

#[test]
fn a_watched_status_for_programs_is_a_document_a_line() {
    let stage = Stage::happy();
    let watched = Watched::start(&stage.sandbox, &["status", "--watch", "--json"]);
    let documents = [watched.until("{"), watched.until("{")].concat();
    assert_eq!(documents.len(), 2, "{documents:#?}");
    for line in documents {
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((value["kind"].as_str(), value["schema"].as_u64()), (Some("status"), Some(1)), "{value}");
        assert_eq!(value["issues"][0]["issue"], "acme/words#1", "{value}");
    }
    watched.signal(Signal::SIGTERM);
    assert_eq!(watched.end().0, Some(0));
}

#[test]
fn an_outage_does_not_end_a_watch_and_shows_what_this_machine_knows() {
    let stage = Stage::happy();
    let watched = Watched::start(&stage.sandbox, &["status", "--watch"]);
    watched.until("acme/words#1  new");
    always(&stage, &FaultKind::ErrorBefore(502));
    let seen = watched.until("not seen: ");
    assert!(seen.last().unwrap().contains("502"), "{seen:#?}");
    stage.github.set_faults(hydra_sim::github::Faults::default());
    watched.until("acme/words#1  new");
    watched.signal(Signal::SIGINT);
    assert_eq!(watched.end().0, Some(0));
}

#[test]
fn ctrl_c_ends_a_watch_though_github_does_not_answer() {
    let stage = Stage::happy();
    // It takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = stage.github.base_url().to_owned();
    stage.edit(&format!("api_url = \"{api}\""), &format!("api_url = \"http://{}\"", silent.local_addr().unwrap()));
    let watched = Watched::start(&stage.sandbox, &["status", "--watch"]);
    silent.set_nonblocking(true).unwrap();
    let begun = Instant::now();
    let _asked = loop {
        match silent.accept() {
            Ok(asked) => break asked,
            Err(cause) => assert_eq!(cause.kind(), std::io::ErrorKind::WouldBlock),
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody is asked");
        std::thread::sleep(Duration::from_millis(20));
    };
    watched.signal(Signal::SIGINT);
    assert_eq!(watched.end().0, Some(0));

    // Nor is it lost when GitHub falls silent later on.
    let stage = Stage::happy();
    let watched = Watched::start(&stage.sandbox, &["status", "--watch"]);
    watched.until("acme/words#1  new");
    always(&stage, &FaultKind::Slow(Duration::from_secs(60)));
    let begun = Instant::now();
    while stage.github.injected().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not ask again");
        std::thread::sleep(Duration::from_millis(20));
    }
    watched.signal(Signal::SIGINT);
    let told = Instant::now();
    assert_eq!(watched.end().0, Some(0));
    assert!(told.elapsed() < Duration::from_secs(20), "{:?}", told.elapsed());
}

#[test]
fn on_a_terminal_the_status_is_drawn_over_and_ctrl_c_is_a_key() {
    let mut stage = Stage::happy();
    stage.edit("poll_interval = \"5s\"", "poll_interval = \"60s\"");
    // `script` is the terminal; the key that is typed into it is a signal there.
    let on_a_terminal = "exec script --quiet --return --flush --command \"exec '$1' status --watch\" /dev/null";
    stage.sandbox.under(&["sh", "-c", on_a_terminal, "sh"]);
    let child = stage.sandbox.command(&[]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // Its end is the terminal's: then everything on it ends.
    let mut ended = Watched { child, lines: channel().1 };
    let child = &mut ended.child;
    let mut out = child.stdout.take().unwrap();
    let (mut seen, mut bytes) = (Vec::new(), [0; 4096]);
    // Again after the two seconds that a terminal is left as it is, not the minute after which GitHub is asked again.
    let begun = Instant::now();
    while String::from_utf8_lossy(&seen).matches("\u{1b}[H\u{1b}[2J").count() < 2 {
        let count = out.read(&mut bytes).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&bytes[..count]);
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(String::from_utf8_lossy(&seen).contains("acme/words#1"), "{}", String::from_utf8_lossy(&seen));
}

#[test]
fn a_log_that_is_followed_comes_line_by_line_and_ends_with_its_job() {
    let stage = paced(20_000);
    let poll = stage.spawn(&["poll"]);
    let job = stage.until_running("build");
    let watched = Watched::start(&stage.sandbox, &["logs", &job, "--follow"]);
    let mut seen = watched.until("turn 2: ");
    assert!(running(&stage.sandbox.run(&["status", "--json"]).json(), "build").is_some(), "{seen:#?}");
    // What is there so far is all, where nobody asks for more.
    let so_far = stage.sandbox.run(&["logs", &job]);
    assert!(so_far.code == 0 && so_far.out.contains("turn 2: "), "{}", so_far.all());
    assert!(!so_far.out.contains("turn 3: "), "it waited: {}", so_far.all());
    seen.extend(watched.until("turn 3: "));
    let (code, rest, err) = watched.end();
    assert_eq!((code, err.as_str()), (Some(0), ""));
    seen.extend(rest);
    assert!(seen.last().unwrap().ends_with("ended: done"), "{seen:#?}");
    let (code, out, err) = poll.end();
    assert_eq!(code, Some(0), "{out}{err}");
    let work = stage.sandbox.path("work").display().to_string();
    let seen: Vec<String> = seen.iter().map(|line| line.replace(&work, "[work]")).collect();
    // Afterwards it is what was written down, and there is no more to wait for.
    let after = stage.sandbox.run(&["logs", &job, "--follow"]);
    assert_eq!((after.code, after.out.lines().collect::<Vec<_>>()), (0, seen.iter().map(String::as_str).collect()));
}

#[test]
fn a_followed_log_for_programs_is_the_events_as_they_are_and_ctrl_c_leaves_the_job_alone() {
    let stage = paced(60_000);
    let poll = stage.spawn(&["poll"]);
    let job = stage.until_running("build");
    let watched = Watched::start(&stage.sandbox, &["logs", &job, "-f", "--json"]);
    for line in watched.until("\"turn\":2") {
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["v"], 1, "{line}");
    }
    watched.signal(Signal::SIGINT);
    watched.end();
    assert_eq!(running(&stage.sandbox.run(&["status", "--json"]).json(), "build"), Some(job));
    poll.signal(Signal::SIGTERM);
    poll.signal(Signal::SIGTERM);
    poll.end();
}
