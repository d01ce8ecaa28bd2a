//! The real CLI at work behind its gate, and a search for credentials in everything that it can reach.

use super::{
    is_ready_at_once,
    package::Package,
    stage::{ACCOUNTS, Play, SIGNING_KEY, Target},
};
use crate::{
    images::docker,
    stories::{hands::holds, stage::token},
};
use hydra_core::{Stage, TokenRole};
use hydra_sim::model::Adjust;
use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// Laid into the container by the test, so that the search is seen to find.
const PLANTED: &str = "a-planted-credential-6f1d";

/// Holds the CLI where it is, or lets it go on; says which processes those were. (The pattern does not match itself.)
const HOLD: &str = "for one in $(grep -laE '[c]laude' /proc/[0-9]*/cmdline); do
  pid=${one#/proc/}; kill -$0 ${pid%/cmdline} && tr '\\000' ' ' < $one && echo; done";

/// Looks for fixed strings, one a line at its standard input, in every file and every process of the container. Whatever it finds is named
/// without being shown.
const SEARCH: &str = "grep -rlasF -D skip --exclude-dir=proc --exclude-dir=sys -f - / /proc/[0-9]*/environ /proc/[0-9]*/cmdline; echo = searched";

/// Asks the gate for whatever it might give away, at the port of the model API and at the explicit proxy's.
const ASK: &str = "\
const ask = async (port, path, method) => {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers: { 'x-api-key': 'mine' } }).catch(e => e);
  console.log(method, path, answer.status, JSON.stringify([...(answer.headers ?? [])]), await answer.text?.() ?? String(answer));
};
for (const [method, path] of [['GET', '/'], ['GET', '/v1/models'], ['GET', '/config'], ['GET', '/../run/hydra/config.json'],
  ['TRACE', '/v1/messages'], ['OPTIONS', '*'], ['GET', '/v1/organizations/me'], ['POST', '/v1/messages']])
  await ask(8088, path, method);
";

/// One run of a program in a container, as the container's own user.
fn within(container: &str, env: &[&str], command: &[&str], input: &str) -> String {
    let mut docker = Command::new("docker");
    docker.args(["exec", "--interactive"]).args(env).arg(container).args(command);
    let mut child = docker.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("docker is there");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What was found in reach of a stage's agent: `place` by `place`, nothing as a rule.
fn search(instance: &str, stage: &str, secrets: &str) -> Vec<String> {
    let of = |more: &[&str]| {
        let label = format!("label=hydra.instance={instance}");
        docker(&[&["ps", "--quiet", "--no-trunc", "--filter", &label], more].concat())
    };
    let name = format!("name=-{stage}-");
    let agent = of(&["--filter", &name, "--filter", "label=hydra.key"]);
    assert!(!agent.is_empty() && agent.lines().count() == 1, "{stage} is at work in one container: {agent:?}");
    let mut found = Vec::new();
    let held = within(&agent, &[], &["sh", "-c", HOLD, "STOP"], "");
    holds(&held, &["claude"]);

    // The control: in a file, and in a process' environment.
    within(&agent, &[], &["sh", "-c", "cat > /tmp/planted"], PLANTED);
    let variable = format!("--env=PLANTED={PLANTED}");
    let seen = within(&agent, &[&variable], &["sh", "-c", SEARCH], PLANTED);
    holds(&seen, &["/tmp/planted\n", "/environ\n", "= searched"]);
    within(&agent, &[], &["rm", "/tmp/planted"], "");

    let seen = within(&agent, &[], &["sh", "-c", SEARCH], secrets);
    let places = seen.strip_suffix("= searched\n").expect("the search came to its end");
    found.extend(places.lines().map(|place| format!("{stage}: {place}")));

    let answers = within(&agent, &[], &["node", "--input-type=module", "-e", ASK], "");
    assert_eq!(answers.lines().filter(|line| line.starts_with(['G', 'T', 'O', 'P'])).count(), 8, "{answers}");
    // Docker's own knowledge of all of the job's containers, its gate among them; no agent could read it.
    let all: Vec<String> = of(&["--filter", &name]).lines().map(str::to_owned).collect();
    assert!(all.len() >= 3, "holder, gate and agent: {all:?}");
    let known = docker(&[&["inspect"], all.iter().map(String::as_str).collect::<Vec<_>>().as_slice()].concat());
    for secret in secrets.lines() {
        for (place, text) in [("the gate's answers", &answers), ("Docker's metadata", &known)] {
            if text.contains(secret) {
                found.push(format!("{stage}: {place}"));
            }
        }
    }
    assert_eq!(within(&agent, &[], &["sh", "-c", HOLD, "CONT"], ""), held, "the CLI was there all the time");
    found
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker, images, targets, shared data"]
async fn the_real_cli_works_with_no_credential_anywhere_in_its_reach() {
    let package = Package::named("cachetools");
    // The second answer of each stage comes late: the CLI waits for it while the search begins.
    let late = |stage| Adjust { step: Some(2), delay_ms: Some(6_000), ..Adjust::of(stage) };
    let adjust = [Stage::Build, Stage::CodeReview, Stage::SecurityReview].map(late).into();
    let target = Target::with(&package, &package.to, None, Play { adjust, ..Play::default() }).await;
    let mut secrets: Vec<String> = ACCOUNTS.map(str::to_owned).into();
    secrets.extend(TokenRole::ALL.iter().map(|role| token(*role)));
    secrets.push(SIGNING_KEY.to_owned());
    let secrets = secrets.join("\n");
    let looking = async |stage: &'static str| {
        target.has_asked(stage, 1).await;
        let (instance, secrets) = (target.instance.clone(), secrets.clone());
        tokio::task::spawn_blocking(move || search(&instance, stage, &secrets)).await.expect("a search")
    };
    let (_, build, code, security) =
        tokio::join!(target.run(), looking("build"), looking("code-review"), looking("security-review"));
    assert_eq!([build, code, security].concat(), [""; 0], "credentials are in reach");
    is_ready_at_once(&target, &package);
    // They were asked with all the same: by the gate.
    assert!(target.model.requests().iter().any(|asked| asked.status == 200));
}
