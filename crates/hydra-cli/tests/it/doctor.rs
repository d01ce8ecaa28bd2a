//! `hydra doctor`: its lines, each seen on something that is really wrong, with the step that mends it. Those of the engine stand in
//! doctor_docker.rs, those of tokens and of GitHub itself in bad_input.

use crate::{
    harness::{NOBODY, Ran, Sandbox, own},
    stage::{REPO, Stage, TRIGGER, login, token},
};
use hydra_core::{SignedDuration, Timestamp};
use hydra_sim::github::Role;
use insta::assert_snapshot;
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
    thread::spawn,
};

/// What doctor says of a check that went this way, and the next step after each; white space made even.
pub(crate) fn said(ran: &Ran, state: &str, check: &str) -> String {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = ran.out.lines().map(words).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with(&format!("{state} {check} "))) {
        found.push(line.as_str());
        found.extend(lines.get(at + 1).map(String::as_str).filter(|next| next.starts_with("-> ")));
    }
    assert!(!found.is_empty(), "no `{state} {check}`: {}", ran.all());
    assert_eq!(ran.code, i32::from(lines.iter().any(|line| line.starts_with("FAIL "))), "{}", ran.all());
    found.join("\n")
}

/// Numbers are of the day.
pub(crate) fn steady(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c.is_ascii_digit() {
            true if out.ends_with('N') => {}
            true => out.push('N'),
            false => out.push(c),
        }
    }
    out
}

/// A complete installation whose jobs are processes.
fn local() -> Sandbox {
    let sandbox = Sandbox::complete();
    sandbox.write("hydra.toml", "[github]\nrepos = [\"acme/widgets\"]\n[runtime]\nkind = \"process\"\n");
    sandbox
}

fn offline(sandbox: &Sandbox) -> Ran {
    sandbox.run(&["doctor", "--offline"])
}

fn git(sandbox: &Sandbox, args: &[&str]) {
    let as_me = ["-c", "user.name=ada", "-c", "user.email=ada@example.com"];
    let mut git = Command::new("git");
    git.args(as_me).args(args).current_dir(sandbox.work("")).env_clear().env("PATH", "/usr/bin:/bin");
    let done = git.env("HOME", sandbox.path("home")).output().unwrap();
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn an_installation_that_is_as_it_should_be() {
    let ran = Stage::happy().sandbox.run(&["doctor"]);
    assert_snapshot!(steady(&ran.all()), @r##"
exit N
--- out
ok    configuration                 [work]/hydra.toml and the secrets are complete
warn  runtime                       runtime.kind is "process": agents run as you, with nothing between them and this machine
                                    -> set runtime.kind = "docker"
ok    git                           git version N.N.N
ok    state                         [work]/state can be written
ok    audit log                     [work]/state/audit.jsonl is not there yet
ok    disk                          N MiB free at [work]/state
ok    token builder                 fine-grained token of hydra-builder, N of N requests left
warn  token builder                 GitHub does not say what a fine-grained token may do: only pushing can be probed
                                    -> compare it with the list in docs/operations/secrets.md once
ok    token reviewer                fine-grained token of hydra-reviewer, N of N requests left
warn  token reviewer                GitHub does not say what a fine-grained token may do: only pushing can be probed
                                    -> compare it with the list in docs/operations/secrets.md once
ok    token security                fine-grained token of hydra-security, N of N requests left
warn  token security                GitHub does not say what a fine-grained token may do: only pushing can be probed
                                    -> compare it with the list in docs/operations/secrets.md once
ok    token applier                 fine-grained token of hydra-applier, N of N requests left
warn  token applier                 GitHub does not say what a fine-grained token may do: only pushing can be probed
                                    -> compare it with the list in docs/operations/secrets.md once
ok    token orchestrator            fine-grained token of hydra-orchestrator, N of N requests left
warn  token orchestrator            GitHub does not say what a fine-grained token may do: only pushing can be probed
                                    -> compare it with the list in docs/operations/secrets.md once
ok    clock                         this machine is N s ahead of GitHub
ok    repository acme/words         default branch main
ok    labels acme/words             all are there
ok    push builder acme/words       it may, as it must
ok    push reviewer acme/words      it may not, as it should be
ok    push security acme/words      it may not, as it should be
ok    push applier acme/words       it may not, as it should be
ok    push orchestrator acme/words  it may, as it must
ok    leases acme/words             compare-and-swap over the API
ok    board                         columns: Todo, In Progress, Needs Input, Review, Done
everything that was checked is as it should be
--- err
"##);
}

/// Stands before the simulated GitHub and dates its answers as another clock would.
fn dated(to: &str, ahead: SignedDuration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let to = to.trim_start_matches("http://").trim_end_matches('/').to_owned();
    // They end with the test's process; nobody waits for them.
    spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(&to).unwrap();
            let (mut asking, mut asked) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            spawn(move || std::io::copy(&mut asking, &mut asked));
            spawn(move || date(server, client, ahead));
        }
    });
    url
}

/// Hands on what it reads; the value of each `date` becomes another one of the same length.
fn date(mut from: TcpStream, mut to: TcpStream, ahead: SignedDuration) {
    const NAME: &[u8] = b"\r\ndate: ";
    let mut bytes = [0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let now = (Timestamp::now() + ahead).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        for at in 0..count.saturating_sub(NAME.len() + now.len()) {
            if bytes[at..].starts_with(NAME) {
                bytes[at + NAME.len()..][..now.len()].copy_from_slice(now.as_bytes());
            }
        }
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
}

#[test]
fn a_clock_that_is_far_off() {
    let told = |ahead: SignedDuration| {
        let stage = Stage::happy();
        let api = stage.github.base_url().to_owned();
        stage.edit(&format!("api_url = \"{api}\""), &format!("api_url = \"{}\"", dated(&api, ahead)));
        stage.sandbox.run(&["doctor"])
    };
    let hour = SignedDuration::from_hours(1);
    let (behind, before) = (told(hour), told(-hour));
    assert_snapshot!(steady(&said(&behind, "FAIL", "clock")), @r##"
FAIL clock this machine is N s behind GitHub
-> set the clock, by NTP for example: leases are kept by time
"##);
    assert_snapshot!(steady(&said(&before, "FAIL", "clock")), @r##"
FAIL clock this machine is N s ahead of GitHub
-> set the clock, by NTP for example: leases are kept by time
"##);
    for ran in [&behind, &before] {
        let seconds: i64 = said(ran, "FAIL", "clock").split(' ').find_map(|word| word.parse().ok()).unwrap();
        assert!((3_590..=3_610).contains(&seconds), "{}", ran.all());
        assert_eq!(ran.out.matches("FAIL").count(), 1, "{}", ran.all());
    }
    // Half a minute breaks nothing.
    assert_snapshot!(steady(&said(&told(SignedDuration::from_secs(20)), "ok", "clock")), @r##"
ok clock this machine is N s behind GitHub
"##);
}

#[test]
#[ignore = "needs namespaces"]
fn a_disk_that_is_nearly_full() {
    let with = |size: &str| {
        let mut sandbox = local();
        std::fs::create_dir_all(sandbox.work(".hydra")).unwrap();
        let folder = sandbox.work(".hydra").display().to_string();
        let mount = format!("mount -t tmpfs -o size={size} tmpfs '{folder}' && exec \"$@\"");
        sandbox.under(&["unshare", "--mount", "sh", "-c", &mount, "sh"]);
        offline(&sandbox)
    };
    assert_snapshot!(said(&with("2g"), "warn", "disk"), @r##"
warn disk 2048 MiB free at [work]/.hydra
-> mirrors, bundles and images want 5 GiB; `hydra prune` removes what nobody owns
"##);
    assert_snapshot!(said(&with("100m"), "FAIL", "disk"), @r##"
FAIL disk 100 MiB free at [work]/.hydra
-> mirrors, bundles and images want 5 GiB; `hydra prune` removes what nobody owns
"##);
}

#[test]
fn a_state_folder_and_an_audit_log_that_this_user_may_not_use() {
    let mut sandbox = local();
    assert_eq!(sandbox.run(&["pause", "--reason", "release week"]).code, 0);
    sandbox.mode(".hydra/audit.jsonl", 0o000);
    sandbox.as_somebody();
    let ran = offline(&sandbox);
    assert_snapshot!(said(&ran, "FAIL", "audit log"), @r##"
FAIL audit log [work]/.hydra/audit.jsonl cannot be read: this user may not
-> give it to the user who runs hydra: what is done must be written down
"##);
    assert_snapshot!(said(&ran, "ok", "state"), @r##"
ok state [work]/.hydra can be written
"##);
    // In an emergency an operator must be able to act all the same; that it is not written down is said.
    let ran = sandbox.run(&["resume"]);
    assert!(ran.code == 0 && ran.err.contains("ERROR what the operator did is not in the audit log"), "{}", ran.all());
    sandbox.mode(".hydra/audit.jsonl", 0o600);
    sandbox.mode(".hydra", 0o500);
    assert_snapshot!(said(&offline(&sandbox), "FAIL", "state"), @r##"
FAIL state [work]/.hydra cannot be written: this user may not
-> give the folder to the user who runs hydra, or name another with state.dir or --state-dir
"##);
    sandbox.mode(".hydra", 0o700);
    assert_eq!(sandbox.run(&["pause", "--reason", "lunch"]).code, 0);
    assert_snapshot!(said(&offline(&sandbox), "ok", "audit log"), @r##"
ok audit log 2 entries, each tied to the one before
"##);
}

#[test]
fn an_audit_log_that_somebody_changed() {
    let sandbox = local();
    for args in [&["pause", "--reason", "release week"][..], &["resume"], &["pause", "--reason", "lunch"]] {
        assert_eq!(sandbox.run(args).code, 0);
    }
    assert_snapshot!(said(&offline(&sandbox), "ok", "audit log"), @r##"
ok audit log 3 entries, each tied to the one before
"##);
    let log = sandbox.read(".hydra/audit.jsonl");
    let with = |text: &str| {
        sandbox.write(".hydra/audit.jsonl", text);
        said(&offline(&sandbox), "FAIL", "audit log")
    };
    assert_snapshot!(with(&log.replace("release week", "release year")), @r##"
FAIL audit log [work]/.hydra/audit.jsonl:1: it was changed
-> somebody or something changed it: keep a copy as evidence, find out who, then move it away and start anew
"##);
    let lines: Vec<&str> = log.lines().collect();
    assert_snapshot!(with(&[lines[0], lines[2]].join("\n")), @r##"
FAIL audit log [work]/.hydra/audit.jsonl:2: a line before it was removed or changed
-> somebody or something changed it: keep a copy as evidence, find out who, then move it away and start anew
"##);
    assert_snapshot!(with(&log.replace("{\"v\":1", "{\"v\":")), @r##"
FAIL audit log [work]/.hydra/audit.jsonl:1: not a line of this log
-> somebody or something changed it: keep a copy as evidence, find out who, then move it away and start anew
"##);
    assert_snapshot!(with("\u{fffd}\n"), @r##"
FAIL audit log [work]/.hydra/audit.jsonl:1: not a line of this log
-> somebody or something changed it: keep a copy as evidence, find out who, then move it away and start anew
"##);
}

#[test]
fn secrets_that_git_would_keep() {
    let sandbox = local();
    // Outside of a repository nothing can be committed.
    assert!(!offline(&sandbox).out.contains("secrets  "), "{}", offline(&sandbox).out);
    git(&sandbox, &["init", "--quiet"]);
    assert_snapshot!(said(&offline(&sandbox), "FAIL", "secrets"), @r##"
FAIL secrets git does not ignore secrets/.env and secrets/credentials.json
-> `hydra init` adds the lines to .gitignore
"##);
    // The next step mends it.
    assert_eq!(sandbox.run(&["init"]).code, 0);
    assert_snapshot!(said(&offline(&sandbox), "ok", "secrets"), @r##"
ok secrets git ignores them
"##);
    // What is tracked is committed again whatever .gitignore says.
    git(&sandbox, &["add", "--force", "secrets/credentials.json"]);
    git(&sandbox, &["commit", "--quiet", "--message", "all of it"]);
    assert_snapshot!(said(&offline(&sandbox), "FAIL", "secrets"), @r##"
FAIL secrets git tracks secrets/credentials.json
-> git rm --cached secrets/credentials.json, and replace every token in it: what was committed once can be read for ever
"##);
    git(&sandbox, &["rm", "--quiet", "--cached", "secrets/credentials.json"]);
    assert_snapshot!(said(&offline(&sandbox), "ok", "secrets"), @r##"
ok secrets git ignores them
"##);
}

/// Root alone can give files away.
#[test]
#[ignore = "needs namespaces"]
fn a_checkout_of_somebody_else_of_which_git_says_nothing() {
    let sandbox = local();
    git(&sandbox, &["init", "--quiet"]);
    own(&sandbox.work(""), NOBODY);
    let told = said(&offline(&sandbox), "FAIL", "secrets").replace(&*sandbox.path("work").to_string_lossy(), "[work]");
    assert_snapshot!(told, @r##"
FAIL secrets git does not say whether it ignores them: fatal: detected dubious ownership in repository at '[work]'
-> git config --global --add safe.directory [work]
"##);
    let step = ["config", "--global", "--add", "safe.directory"].map(str::to_owned);
    let folder = sandbox.work("").display().to_string();
    let step: Vec<&str> = step.iter().map(String::as_str).chain([folder.trim_end_matches('/')]).collect();
    git(&sandbox, &step);
    assert!(said(&offline(&sandbox), "FAIL", "secrets").contains("git does not ignore"));
}

#[test]
fn a_git_that_is_missing_or_too_old() {
    let with = |script: Option<&str>| {
        let sandbox = local();
        if let Some(script) = script {
            sandbox.write("bin/git", format!("#!/bin/sh\necho '{script}'\n"));
            sandbox.mode("bin/git", 0o755);
        }
        let path = sandbox.work("bin").display().to_string();
        let sandbox = sandbox.env("PATH", &path);
        said(&offline(&sandbox), "FAIL", "git")
    };
    assert_snapshot!(with(None), @r##"
FAIL git it cannot be started
-> install git 2.38 or newer
"##);
    assert_snapshot!(with(Some("git version 2.30.2")), @r##"
FAIL git git version 2.30.2 is too old
-> install git 2.38 or newer
"##);
    assert_snapshot!(with(Some("nonsense")), @r##"
FAIL git nonsense is too old
-> install git 2.38 or newer
"##);
}

#[test]
fn what_works_and_should_be_known() {
    let sandbox = Sandbox::complete();
    sandbox.write(
        "hydra.toml",
        "identities = \"single\"\n[github]\nrepos = [\"acme/widgets\"]\n[runtime]\nkind = \"process\"\n[egress]\nbase = [\"raw.githubusercontent.com\"]\n",
    );
    sandbox.secret("secrets/.env", format!("HYDRA_TRIGGER_LABEL=go\nHYDRA_SIGNING_KEY={}\n", "7".repeat(64)));
    let ran = offline(&sandbox);
    for check in ["configuration", "identities", "runtime"] {
        said(&ran, "warn", check);
    }
    assert_snapshot!(steady(&ran.all()), @r##"
exit N
--- out
ok    configuration  [work]/hydra.toml and the secrets are complete
warn  configuration  egress: raw.githubusercontent.com is allowed, and many parties serve their own content there: whoever may reach it may reach all of them; [egress.inspect."raw.githubusercontent.com"] bounds what may be asked there
                     -> see docs/operations/secrets.md
warn  configuration  identities = "single": the token in secrets/credentials.json (git_tokens.orchestrator) stands for every role; those of builder, reviewer, security, applier are not used
                     -> see docs/operations/secrets.md
warn  identities     one identity stands for all: nobody independent judges, and `yolo` is off
                     -> for a team, set identities = "per-persona" and give each role a token
warn  runtime        runtime.kind is "process": agents run as you, with nothing between them and this machine
                     -> set runtime.kind = "docker"
ok    git            git version N.N.N
ok    state          [work]/.hydra can be written
ok    audit log      [work]/.hydra/audit.jsonl is not there yet
ok    disk           N MiB free at [work]/.hydra
everything that was checked is as it should be
--- err
"##);
}

#[test]
fn a_repository_that_is_archived_or_has_moved() {
    let stage = Stage::happy();
    stage.github.rename(REPO, "phrases").unwrap();
    let ran = stage.sandbox.run(&["doctor"]);
    assert_snapshot!(said(&ran, "warn", "repository acme/words"), @r##"
warn repository acme/words it is called acme/phrases now
-> correct github.repos
"##);
    let stage = Stage::happy();
    stage.github.archive(REPO).unwrap();
    let ran = stage.sandbox.run(&["doctor"]);
    assert_snapshot!(said(&ran, "FAIL", "repository acme/words"), @r##"
FAIL repository acme/words it is archived: nothing can be written to it
-> unarchive it, or take it out of github.repos
"##);
    let stage = Stage::happy();
    stage.edit(REPO, "acme/wrods");
    assert_snapshot!(said(&stage.sandbox.run(&["doctor"]), "FAIL", "repository acme/wrods"), @r##"
FAIL repository acme/wrods GET /repos/acme/wrods: 404 Not Found
-> it does not exist, or the token of orchestrator has no access to it
"##);
}

#[test]
fn labels_and_columns_that_are_not_there() {
    let stage = Stage::happy();
    stage.edit("[pipeline]", "[pipeline]\nlabel_prefix = \"bot/\"");
    stage.edit("[models]", "[github.columns]\nreview = \"Look at it\"\n[models]");
    let ran = stage.sandbox.run(&["doctor"]);
    assert_snapshot!(steady(&said(&ran, "FAIL", "labels acme/words")), @r##"
FAIL labels acme/words N are missing, bot/ready-to-build among them
-> hydra labels sync
"##);
    assert_snapshot!(said(&ran, "FAIL", "board"), @r##"
FAIL board it has no column Look at it (it has: Todo, In Progress, Needs Input, Review, Done)
-> add them to the board, or name the ones it has in [github.columns]; "" leaves a card where it is
"##);
    // The next step of each mends it.
    assert_eq!(stage.sandbox.run(&["labels", "sync"]).code, 0);
    stage.edit("\"Look at it\"", "\"\"");
    let ran = stage.sandbox.run(&["doctor"]);
    assert!(ran.code == 0 && said(&ran, "ok", "labels acme/words").contains("all are there"), "{}", ran.all());
    assert!(stage.github.labels(REPO).iter().any(|label| label.name == format!("bot/{TRIGGER}")));
}

#[test]
fn a_token_that_ends_soon() {
    let stage = Stage::happy();
    let last = Timestamp::now() + SignedDuration::from_hours(72);
    stage.github.token(token("security", &login("security")).expires(last));
    let ran = stage.sandbox.run(&["doctor"]);
    let told = said(&ran, "warn", "token security");
    assert!(ran.code == 0 && told.contains(&last.strftime("%Y-%m-%d").to_string()), "{}", ran.all());
    assert_snapshot!(steady(&told), @r##"
warn token security GitHub does not say what a fine-grained token may do: only pushing can be probed
-> compare it with the list in docs/operations/secrets.md once
warn token security it ends at N-N-NTN:N:NZ
-> make the next one in time
"##);
}

#[test]
fn an_orchestrator_that_cannot_take_a_lease() {
    let stage = Stage::happy();
    stage.github.set_role(REPO, &login("orchestrator"), Role::Read).unwrap();
    let ran = stage.sandbox.run(&["doctor"]);
    assert_snapshot!(said(&ran, "FAIL", "push orchestrator acme/words"), @r##"
FAIL push orchestrator acme/words it may not push to acme/words, and must
-> give the token contents: write, and the identity write access to the repository
"##);
    assert_snapshot!(said(&ran, "FAIL", "leases acme/words"), @r##"
FAIL leases acme/words POST /repos/acme/words/git/commits: 403 Resource not accessible by personal access token
-> give the orchestrator's token contents: write
"##);
}
