//! `hydra egress denials`: what is kept of jobs that have ended, and lines that the configuration reads back.

use crate::harness::Sandbox;
use hydra_core::{
    ContainerType, Generation, IssueKey, IssueNumber, Stage, Timestamp,
    egress::{DenyReason, gate::Denial},
    job::JobKey,
    target::Target,
};
use hydra_engine::egress_note::EgressNote;
use insta::assert_snapshot;

/// A refusal of a builder, three times.
fn denial(reason: DenyReason, host: Option<&str>, dport: Option<u16>) -> Denial {
    Denial {
        ts: Timestamp::from_second(1_790_000_000).unwrap(),
        job: "hydra-x".into(),
        container_type: ContainerType::Builder,
        layer: reason.layer(),
        reason,
        host: host.map(str::to_owned),
        sni: None,
        dst: dport.map(|_| "192.0.2.7".parse().unwrap()),
        dport,
        proto: None,
        uid: None,
        count: 3,
        bytes: 0,
        hint: String::new(),
    }
}

fn note(stage: Stage, attempt: u32, denied: Vec<Denial>) -> EgressNote {
    let issue = IssueKey { repo: "acme/widgets".parse().unwrap(), number: IssueNumber(7) };
    let key = JobKey { issue: issue.clone(), generation: Generation(1), stage, round: 0, attempt };
    EgressNote {
        schema: 1,
        job: key.id(),
        issue: Some(issue),
        stage: Some(stage),
        container_type: Some(stage.container()),
        created_at: Timestamp::from_second(1_790_000_000 + i64::from(attempt)).unwrap(),
        ended_at: Some(Timestamp::from_second(1_790_000_100).unwrap()),
        policy: "0".repeat(64),
        proof: None,
        exact: true,
        restarts: 0,
        gone: false,
        reached: Vec::new(),
        more_reached: 0,
        denied,
        more_denied: 0,
    }
}

/// With these notes kept; jobs would be processes, of which there are none.
fn sandbox(toml: &str, notes: &[EgressNote]) -> Sandbox {
    let sandbox = Sandbox::complete();
    sandbox.write(
        "hydra.toml",
        format!(
            "[github]\nrepos = [\"acme/widgets\"]\n[runtime]\nkind = \"process\"\n[state]\ndir = \"state\"\n{toml}"
        ),
    );
    for note in notes {
        sandbox.write(&format!("state/egress/{}.json", note.job), serde_json::to_vec(note).unwrap());
    }
    sandbox
}

fn one_of_each() -> Vec<EgressNote> {
    use DenyReason::*;
    vec![
        note(Stage::Build, 0, vec![denial(DnsNotAllowed, Some("docs.example.org"), None)]),
        note(
            Stage::Build,
            1,
            vec![
                denial(DnsNotAllowed, Some("docs.example.org"), None),
                denial(PacketTcp, None, Some(80)),
                denial(DnsNotAllowed, Some("1.2.3.4"), None),
                denial(DnsNotAllowed, Some("pypi.org"), None),
                denial(DnsNotAllowed, Some("api.anthropic.com"), None),
            ],
        ),
        note(Stage::CodeReview, 0, vec![denial(DnsNotAllowed, Some("pypi.org"), None)]),
    ]
}

#[test]
fn refusals_are_told_by_type_and_host_with_what_opens_them() {
    let ran = sandbox("", &one_of_each()).run(&["egress", "denials"]);
    assert_snapshot!(ran.all(), @r##"
exit 0
--- out
  host               why                            times  seen first               job
builder
  docs.example.org   the name is not in the policy  6      2026-09-21 14:13:20 UTC  hydra-widgets-7-g1-build-r0-a1-de68614d and 1 more
  192.0.2.7 port 80  TCP to another port than 443   3      2026-09-21 14:13:20 UTC  hydra-widgets-7-g1-build-r0-a1-de68614d
  1.2.3.4            the name is not in the policy  3      2026-09-21 14:13:20 UTC  hydra-widgets-7-g1-build-r0-a1-de68614d
  pypi.org           the name is not in the policy  3      2026-09-21 14:13:20 UTC  hydra-widgets-7-g1-build-r0-a1-de68614d
  api.anthropic.com  the name is not in the policy  3      2026-09-21 14:13:20 UTC  hydra-widgets-7-g1-build-r0-a1-de68614d
reviewer
  pypi.org           the name is not in the policy  3      2026-09-21 14:13:20 UTC  hydra-widgets-7-g1-code-review-r0-a0-fbf78a63

Lines to paste into [work]/hydra.toml
The names are what an agent asked for: take those that you know.

[egress.extra]
builder = [
  "files.pythonhosted.org",
  "index.crates.io",
  "proxy.golang.org",
  "pypi.org",
  "registry.npmjs.org",
  "static.crates.io",
  "docs.example.org", # new
]
reviewer = [
  "pypi.org", # new
]

What no line opens
  TCP to another port than 443  only HTTPS by name leaves, on port 443
  1.2.3.4                       it is no host name that a policy could hold
  pypi.org                      the policy allows it by now: jobs that begin from here on reach it
  api.anthropic.com             the model API is asked at the gate alone (ANTHROPIC_BASE_URL), which signs
--- err
"##);
}

/// Every line of the printed TOML: from its table to the empty line after it.
fn pasted(out: &str, table: &str) -> String {
    let begin = out.find(&format!("\n{table}\n")).unwrap_or_else(|| panic!("no {table}: {out}"));
    out[begin + 1..].split("\n\n").next().unwrap().to_owned() + "\n"
}

#[test]
fn the_lines_for_hydra_toml_open_what_they_promise_when_they_are_pasted() {
    let sandbox = sandbox("", &one_of_each());
    let check = |host: &str, kind: &str| sandbox.run(&["egress", "check", host, "--type", kind]).code;
    assert_eq!((check("docs.example.org", "builder"), check("pypi.org", "reviewer")), (1, 1));
    let lines = pasted(&sandbox.run(&["egress", "denials"]).out, "[egress.extra]");
    sandbox.write("hydra.toml", format!("{}{lines}", sandbox.read("hydra.toml")));
    assert_eq!((check("docs.example.org", "builder"), check("pypi.org", "reviewer")), (0, 0), "{lines}");
    assert_eq!(check("registry.npmjs.org", "builder"), 0, "what was allowed is allowed: {lines}");
    let again = sandbox.run(&["egress", "denials", "--json"]).json();
    assert_eq!(again["paste"].as_array().unwrap().len(), 0, "nothing is left to open: {again:#}");
}

#[test]
fn lists_of_the_file_are_kept_by_the_lines_that_take_their_place() {
    let own = "[egress.extra]\nquality = [\"db.example.org\"]\nbuilder = [\"only.example.org\"]\n";
    let sandbox = sandbox(own, &one_of_each());
    let ran = sandbox.run(&["egress", "denials"]);
    assert!(ran.out.contains("in the place of its [egress.extra]"), "{}", ran.all());
    let text = sandbox.read("hydra.toml").replace(own, &pasted(&ran.out, "[egress.extra]"));
    sandbox.write("hydra.toml", text);
    for (host, kind) in [
        ("db.example.org", "quality"),
        ("only.example.org", "builder"),
        ("docs.example.org", "builder"),
        ("pypi.org", "reviewer"),
    ] {
        let ran = sandbox.run(&["egress", "check", host, "--type", kind]);
        assert_eq!(ran.code, 0, "{host} {kind}: {}", ran.all());
    }
}

#[test]
fn what_the_floor_lets_a_repository_open_is_printed_for_its_own_file() {
    let sandbox = sandbox("[egress]\nfloor = [\"*.example.org\"]\n", &one_of_each());
    let json = sandbox.run(&["egress", "denials", "--json"]).json();
    let paste = json["paste"].as_array().unwrap();
    let theirs = paste.iter().find(|paste| paste["file"] == ".hydra.toml").unwrap();
    assert_eq!(theirs["repo"], "acme/widgets");
    let target = Target::parse(theirs["lines"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(target.egress["builder"], ["docs.example.org"]);
    let own = paste.iter().find(|paste| paste["repo"].is_null()).unwrap();
    assert_eq!(own["hosts"], serde_json::json!({ "reviewer": ["pypi.org"] }), "the floor does not cover it");
}

#[test]
fn the_document_is_versioned_and_tells_one_job_where_one_is_named() {
    let notes = one_of_each();
    let sandbox = sandbox("", &notes);
    let json = sandbox.run(&["egress", "denials", notes[0].job.as_str(), "--json"]).json();
    assert_eq!((json["schema"].as_u64(), json["kind"].as_str()), (Some(1), Some("egress-denials")));
    let [row] = json["denials"].as_array().unwrap().as_slice() else { panic!("{json:#}") };
    assert_eq!((row["host"].as_str(), row["times"].as_u64()), (Some("docs.example.org"), Some(3)));
    assert_eq!((row["reason"].as_str(), row["exact"].as_bool()), (Some("dns.not_allowed"), Some(true)));
    let all = sandbox.run(&["egress", "denials", "--json"]).json();
    let row = &all["denials"][0];
    assert_eq!((row["times"].as_u64(), row["jobs"].as_array().map(Vec::len)), (Some(6), Some(2)), "{all:#}");
}

#[test]
fn a_job_that_nobody_knows_is_an_error_with_the_next_step() {
    let sandbox = sandbox("", &[]);
    assert_snapshot!(sandbox.run(&["egress", "denials", "hydra-widgets-9-g1-build-r0-a0-00000000"]).all(), @r##"
exit 1
--- out
--- err
error: there is no job hydra-widgets-9-g1-build-r0-a0-00000000, and nothing is kept of what it was refused
  help: `hydra status` lists those that are there, `hydra egress denials` what is kept of all
"##);
    assert_snapshot!(sandbox.run(&["egress", "denials"]).all(), @r##"
exit 0
--- out
nothing was refused, by the word of the gates of 0 jobs
  runtime.kind is "process": nothing stands before agents, so nothing is refused
--- err
"##);
    assert_eq!(sandbox.run(&["egress", "denials", "no/job"]).code, 2);
}

#[test]
fn a_damaged_note_and_an_engine_that_is_down_hide_nothing_else() {
    let sandbox = sandbox("", &one_of_each());
    sandbox.write("state/egress/hydra-broken.json", "{");
    let ran = sandbox.run(&["egress", "denials"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(ran.err.contains("hydra-broken.json") && ran.out.contains("docs.example.org"), "{}", ran.all());
    let text = sandbox.read("hydra.toml").replace("\"process\"", "\"docker\"\nsocket = \"/nonexistent/docker.sock\"");
    sandbox.write("hydra.toml", text);
    let ran = sandbox.run(&["egress", "denials"]);
    assert_eq!(ran.code, 6, "{}", ran.all());
    assert!(ran.out.contains("docs.example.org"), "what is kept is shown: {}", ran.all());
}

#[test]
fn what_an_agent_wrote_into_a_name_does_not_reach_the_terminal() {
    let odd = denial(DenyReason::DnsNotAllowed, Some("a\u{1b}[2Jb.example.org"), None);
    let ran = sandbox("", &[note(Stage::Build, 0, vec![odd])]).run(&["egress", "denials"]);
    assert!(ran.code == 0 && !ran.out.contains('\u{1b}'), "{:?}", ran.all());
    assert!(ran.out.contains("it is no host name that a policy could hold"), "{}", ran.all());
}

#[test]
fn there_is_nothing_to_probe_where_nothing_fences() {
    let ran = sandbox("", &[]).run(&["egress", "probe"]);
    assert_snapshot!(ran.all(), @r##"
exit 6
--- out
--- err
error: runtime.kind is "process": there is no fence that could be probed
  help: set runtime.kind = "docker"
"##);
    assert_eq!(sandbox("", &[]).run(&["egress", "probe", "--type", "bilder"]).code, 2);
}

#[test]
fn the_log_of_a_job_ends_with_what_was_refused() {
    let notes = one_of_each();
    let sandbox = sandbox("", &notes);
    let job = notes[1].job.as_str();
    sandbox.write(&format!("state/logs/{job}.jsonl"), "{\"stderr\":\"hello\"}\n");
    let ran = sandbox.run(&["logs", job]);
    let wanted = format!(
        "! hello\negress: 15 refused, last api.anthropic.com (dns.not_allowed); see `hydra egress denials {job}`\n"
    );
    assert_eq!((ran.code, ran.out.as_str()), (0, wanted.as_str()), "{}", ran.all());
    assert_eq!(sandbox.run(&["logs", job, "--json"]).out, "", "events alone are for programs");
}

#[test]
fn a_hosts_answer_is_that_of_a_repositorys_jobs_when_its_file_is_named() {
    let sandbox = sandbox("[egress]\nfloor = [\"*.example.org\"]\n", &[]);
    let says = |file: &str, host: &str| {
        sandbox.write("theirs.toml", file);
        let ran = sandbox.run(&["egress", "check", host, "--repository", "theirs.toml"]);
        ran.all().replace(&*sandbox.work("").to_string_lossy(), "")
    };
    let adds = "[egress]\nbuilder = [\n  \"docs.example.org\",\n]\n";
    assert_snapshot!(says(adds, "docs.example.org"), @r##"
exit 0
--- out
docs.example.org: allowed for builder, port 443, by "docs.example.org" of egress builder (theirs.toml:3)
--- err
"##);
    assert_snapshot!(says(adds, "api.example.org"), @r##"
exit 1
--- out
api.example.org: refused for builder: dns.not_allowed
Lines to paste into theirs.toml, which the organisation lets it open by itself:
  [egress]
  builder = [
    "docs.example.org",
    "api.example.org", # new
  ]
--- err
"##);
    let narrows = "[egress]\nonly = [\"pypi.org\"]\n";
    assert_snapshot!(says(narrows, "pypi.org"), @r##"
exit 0
--- out
pypi.org: allowed for builder, port 443, by "pypi.org" of egress builder (compiled in)
--- err
"##);
    assert_snapshot!(says(narrows, "registry.npmjs.org"), @r##"
exit 1
--- out
registry.npmjs.org: refused for builder: dns.not_allowed
Lines to paste into theirs.toml, which the organisation lets it open by itself:
  [egress]
  only = [
    "pypi.org",
    "registry.npmjs.org", # new
  ]
--- err
"##);
    assert_snapshot!(says(narrows, "api.example.org"), @r##"
exit 1
--- out
api.example.org: refused for builder: dns.not_allowed
Lines to paste into theirs.toml, which the organisation lets it open by itself:
  [egress]
  builder = [
    "api.example.org", # new
  ]
  only = [
    "pypi.org",
    "api.example.org", # new
  ]
--- err
"##);
    assert_snapshot!(says("[egress]\nbuilder = [\n  \"paste.test.org\",\n]\n", "paste.test.org"), @r##"
exit 1
--- out
--- err
error: theirs.toml:3: paste.test.org loosens the organisation's egress floor; ask for it to be added to the floor, or leave it out
  help: as it is, no job of this repository would start
"##);
    assert_snapshot!(says("[egress]\nbuildr = []\n", "pypi.org"), @r##"
exit 1
--- out
--- err
error: theirs.toml:2: the key `egress.buildr` is unknown (did you mean `builder`?)
  help: docs/repository.md says what the file may hold
"##);
}
