//! `-v`, `-vv` and `RUST_LOG`: what each adds on standard error, and that no secret is among it.

use crate::{
    harness::{Ran, Sandbox},
    stage::{ROLES, Stage, secret},
};
use insta::assert_snapshot;

/// The lines of the log without their times; what else is said on standard error is left out.
fn logged(ran: &Ran) -> Vec<String> {
    let level = |line: &&str| ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].iter().any(|level| line.starts_with(level));
    let text = |line: &str| line.split_once("Z ").map_or(String::new(), |(_, rest)| rest.trim_start().to_owned());
    ran.err.lines().map(text).filter(|line| level(&line.as_str())).collect()
}

fn no_secret(ran: &Ran) {
    for secret in ROLES.map(secret).iter().map(String::as_str).chain(["sk-ant-oat01-main", "sk-ant-oat01-spare"]) {
        assert!(!ran.all().contains(secret), "{secret}: {}", ran.all());
    }
    assert!(!ran.all().contains(&"7".repeat(60)), "{}", ran.all());
}

#[test]
fn v_says_what_was_read_and_what_is_done() {
    let stage = Stage::happy();
    let quiet = stage.sandbox.run(&["poll", "--dry-run"]);
    let loud = stage.sandbox.run(&["poll", "--dry-run", "-v"]);
    assert_eq!((logged(&quiet), &quiet.out), (Vec::new(), &loud.out), "what is asked for is said alike");
    let shown = logged(&loud).join("\n").replace(stage.github.base_url().trim_end_matches('/'), "[github]");
    assert_snapshot!(shown, @r##"
INFO configuration file=Some("[work]/hydra.toml") state=[work]/state github="[github]" runtime=Process repos="acme/words"
"##);
    let ran = stage.sandbox.run(&["-v", "poll"]);
    no_secret(&ran);
    let lines = logged(&ran);
    let done: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("INFO done issue=acme/words#1 ")).collect();
    for action in ["take-lease", "start-job", "write", "place-card", "release-lease"] {
        assert!(done.iter().any(|line| line.contains(&format!("\"{action}\""))), "{action}: {lines:#?}");
    }
    for stage in ["build", "quality", "code-review", "security-review"] {
        let job = format!("-{stage}-");
        let count = |word: &str| lines.iter().filter(|line| line.starts_with(word) && line.contains(&job)).count();
        assert_eq!((count("INFO started "), count("INFO ended ")), (1, 1), "{stage}: {lines:#?}");
    }
}

#[test]
fn vv_says_who_speaks_and_more_of_it() {
    let stage = Stage::happy();
    let once = stage.sandbox.run(&["status", "-v"]);
    let twice = stage.sandbox.run(&["status", "-vv"]);
    let thrice = stage.sandbox.run(&["status", "-vvv"]);
    for ran in [&once, &twice, &thrice] {
        assert_eq!(ran.code, 0, "{}", ran.all());
        no_secret(ran);
    }
    let named = |ran: &Ran| logged(ran).iter().any(|line| line.starts_with("INFO hydra_cli::context: configuration "));
    assert!(!named(&once) && named(&twice), "{}{}", once.err, twice.err);
    let count = |ran: &Ran, level: &str| logged(ran).iter().filter(|line| line.starts_with(level)).count();
    assert_eq!((count(&once, "TRACE"), count(&twice, "TRACE")), (0, 0), "{}", twice.err);
    assert!(count(&twice, "DEBUG") > 0 && count(&thrice, "TRACE") > 0, "{}{}", twice.err, thrice.err);
    // What the HTTP client says of its own queues drowns everything.
    assert!(!twice.err.contains("tower::buffer"), "{}", twice.err);
}

#[test]
fn rust_log_goes_before_v() {
    let stage = Stage::happy();
    let with = |filter: &str, args: &[&str]| {
        let output = stage.sandbox.command(args).env("RUST_LOG", filter).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let ran = Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) };
        no_secret(&ran);
        ran
    };
    assert_eq!(logged(&with("off", &["status", "-vv"])), Vec::<String>::new());
    let own = logged(&with("hydra_cli=info", &["status"]));
    assert!(own.len() == 1 && own[0].starts_with("INFO configuration "), "{own:#?}");
    assert!(logged(&with("trace", &["status"])).iter().any(|line| line.starts_with("TRACE")));
    // One that cannot be read changes nothing.
    assert_eq!(logged(&with("=,=", &["status"])), Vec::<String>::new());
    let events = with("hydra_cli=info", &["status", "--json"]);
    let event: serde_json::Value = serde_json::from_str(events.err.lines().next().unwrap()).unwrap();
    assert_eq!((&event["level"], &event["fields"]["message"]), (&"INFO".into(), &"configuration".into()), "{event}");
    assert_eq!(events.json()["kind"], "status");
}

#[test]
fn a_secret_in_the_configuration_s_own_values_is_masked_in_the_log() {
    let sandbox = Sandbox::complete();
    let leak = format!("github_pat_11AAAAAAA0{}", "x".repeat(40));
    sandbox.write("hydra.toml", format!("[github]\nrepos = [\"acme/widgets\"]\n[state]\ndir = \"of-{leak}\"\n"));
    let ran = sandbox.run(&["config", "check", "-vvv"]);
    assert!(logged(&ran).iter().any(|line| line.contains("configuration ")), "{}", ran.all());
    assert!(!ran.all().contains(&"x".repeat(20)), "{}", ran.all());
}
