//! A GitHub that cannot be reached, refuses, limits, is out of order or answers nonsense; a board, a label or a repository that is not
//! there.

use super::{Writes, refused_at};
use crate::stage::{REPO, Stage};
use hydra_sim::github::{Record, Traffic};
use insta::assert_snapshot;
use std::{
    io::{BufRead, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::Arc,
};

/// A server on loopback that gives every request the same answer.
pub(crate) struct Answering {
    pub(crate) url: String,
}

impl Answering {
    /// With this status line, these header lines, this body.
    pub(crate) fn start(status: &str, headers: &str, body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer =
            format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        let traffic = Arc::new(Traffic::start().unwrap());
        // It ends with the test's process; nobody waits for it.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, traffic) = (answer.clone(), Arc::clone(&traffic));
                std::thread::spawn(move || answer_one(stream, &answer, traffic.as_ref().as_ref()));
            }
        });
        Self { url }
    }
}

fn answer_one(mut stream: TcpStream, answer: &str, traffic: Option<&Traffic>) {
    let Some(record) = heard(&mut BufReader::new(&stream)) else { return };
    // Git's own protocol is none of the API.
    if let Some(traffic) = traffic.filter(|_| !record.path.contains(".git/")) {
        traffic.keep(&record).unwrap();
    }
    // The one who asked may have gone away.
    let _ = stream.write_all(answer.as_bytes());
}

/// One request. It is held against GitHub's descriptions with all others; the answer is made up.
fn heard(stream: &mut impl BufRead) -> Option<Record> {
    let (mut line, mut length) = (String::new(), 0);
    stream.read_line(&mut line).ok()?;
    let first = line.clone();
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).ok().filter(|count| *count > 0)?;
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    Some(Record {
        method,
        path: path.to_owned(),
        query: query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        request: serde_json::from_slice(&body).ok(),
        status: 200,
        response: None,
        faulty: true,
    })
}

/// Commands that ask GitHub. Each must end with the same exit code and the same next step.
const COMMANDS: [&[&str]; 8] = [
    &["poll"],
    &["poll", "--dry-run"],
    &["supervise"],
    &["status"],
    &["explain", "1"],
    &["prune"],
    &["labels", "sync"],
    &["dev-run", "build", "--repo", REPO, "--change", "add-word-limit"],
];

/// What `hydra poll` says of a GitHub at this address; the other commands and `hydra doctor` are held against it.
fn met(url: &str) -> String {
    let stage = Stage::happy();
    let api = stage.github.base_url().to_owned();
    stage.edit(&api, url);
    let said = COMMANDS.map(|args| (args, refused_at(&stage, Writes::State, args).replace(url, "[github]")));
    let step = |text: &str| {
        let line = text.lines().find_map(|line| line.trim_start().strip_prefix("help: ")).unwrap();
        line.replace("orchestrator", "builder")
    };
    for (args, text) in &said {
        assert_eq!((text.lines().next(), step(text)), (said[0].1.lines().next(), step(&said[0].1)), "{args:?}: {text}");
    }
    let doctor = stage.sandbox.run(&["doctor"]);
    let words = doctor.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(doctor.code == 1 && words.contains("FAIL token builder GET /user"), "{}", doctor.all());
    assert!(words.contains(&step(&said[0].1)), "{}", doctor.all());
    said[0].1.clone()
}

fn answers(status: &str, headers: &str, body: &str) -> String {
    met(&Answering::start(status, headers, body).url)
}

/// An error as GitHub words it.
fn says(status: &str, headers: &str, message: &str) -> String {
    let body = format!(r#"{{"message":"{message}","documentation_url":"https://docs.github.com/rest"}}"#);
    answers(status, &format!("Content-Type: application/json\r\n{headers}"), &body)
}

#[test]
fn refusals() {
    assert_snapshot!(says("403 Forbidden", "", "Resource not accessible by personal access token"), @r##"
exit 4
error: GET /user: 403 Resource not accessible by personal access token
  help: the token of builder may not do this: look at its permissions and its list of repositories
"##);
    assert_snapshot!(says("404 Not Found", "", "Not Found"), @r##"
exit 5
error: GET /user: 404 Not Found
  help: it does not exist, or the token of builder has no access to it
"##);
    assert_snapshot!(says("410 Gone", "", "Issues are disabled for this repo"), @r##"
exit 5
error: GET /user: 410 Issues are disabled for this repo
  help: it was deleted, or what it belongs to is switched off
"##);
    assert_snapshot!(says("422 Unprocessable Entity", "", "Validation Failed"), @r##"
exit 5
error: GET /user: 422 Validation Failed
  help: GitHub does not take this as things stand; its message says why
"##);
}

#[test]
fn limits() {
    let reset = "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 4102444800\r\n";
    assert_snapshot!(says("403 Forbidden", reset, "API rate limit exceeded for user ID 1."), @r##"
exit 5
error: GET /user: 403 API rate limit exceeded for user ID 1.
  help: wait until 2100-01-01T00:00:00Z; a pipeline does so by itself
"##);
    assert_snapshot!(says("429 Too Many Requests", reset, "Too many requests"), @r##"
exit 5
error: GET /user: 429 Too many requests
  help: wait until 2100-01-01T00:00:00Z; a pipeline does so by itself
"##);
}

#[test]
fn outages() {
    assert_snapshot!(says("500 Internal Server Error", "", "Server Error"), @r##"
exit 5
error: GET /user: 500 Server Error
  help: GitHub is out of order: try again later; a pipeline does so by itself
"##);
    assert_snapshot!(answers("503 Service Unavailable", "", ""), @r##"
exit 5
error: GET /user: 503 Service Unavailable
  help: GitHub is out of order: try again later; a pipeline does so by itself
"##);
    // Nothing listens there.
    assert_snapshot!(met("http://127.0.0.1:9"), @r##"
exit 5
error: GET /user: Connection refused (os error 111)
  help: GitHub cannot be reached: look at the network, a proxy and github.api_url; a pipeline tries again by itself
"##);
}

#[test]
fn answers_that_are_none_of_githubs() {
    let html = "<html>Sign in to use this network</html>";
    assert_snapshot!(answers("200 OK", "Content-Type: text/html\r\n", html), @r##"
exit 5
error: GET /user: 200 with HTML instead of JSON
  help: an error page of GitHub, or of a proxy in between: look with a browser; a pipeline tries again by itself
"##);
    assert_snapshot!(answers("200 OK", "Content-Type: application/json\r\n", html), @r##"
exit 5
error: GET /user: HTML instead of JSON
  help: an error page of GitHub, or of a proxy in between: look with a browser; a pipeline tries again by itself
"##);
    assert_snapshot!(answers("200 OK", "Content-Type: application/json\r\n", "{}"), @r##"
exit 5
error: GET /user: GitHub's answer cannot be read: missing field `login` at line 1 column 2
  help: look whether github.api_url is the address of GitHub's API, and what answers there
"##);
    assert_snapshot!(answers("302 Found", "Location: https://login.example.com/\r\n", ""), @r##"
exit 5
error: GET /user: the answer points to another host, https://login.example.com
  help: it is not followed, for the token would go with it
"##);
}

#[test]
fn a_board_that_is_not_there() {
    let stage = Stage::happy();
    stage.edit("project = 1", "project = 7");
    assert_snapshot!(refused_at(&stage, Writes::Nothing, &["poll"]), @r##"
exit 5
error: the board acme/7 cannot be seen: POST graphql BoardFields: NOT_FOUND Could not resolve to a ProjectV2 with the number 7.
  help: check github.org and github.project (GITHUB_ORG, HYDRA_PROJECT_NUMBER); the orchestrator's token needs organization projects: write
"##);
    let doctor = stage.sandbox.run(&["doctor"]);
    assert!(doctor.code == 1 && doctor.out.contains("FAIL  board"), "{}", doctor.all());
}

#[test]
fn a_column_that_the_board_lacks() {
    let stage = Stage::happy();
    stage.edit("[models]", "[github.columns]\nin_progress = \"Doing\"\n[models]");
    assert_snapshot!(refused_at(&stage, Writes::Nothing, &["poll"]), @r##"
exit 3
error: [work]/hydra.toml: the board acme/1 has no column Doing (it has: Todo, In Progress, Needs Input, Review, Done)
  help: add them to the board, or name the ones it has in [github.columns]; "" leaves a card where it is
"##);
}

#[test]
fn a_label_that_is_not_there() {
    let stage = Stage::happy();
    stage.edit("[pipeline]", "[pipeline]\ntrigger_label = \"build-it\"");
    assert_snapshot!(refused_at(&stage, Writes::Nothing, &["poll"]), @r##"
exit 3
error: [work]/hydra.toml: acme/words has no label `build-it`, so nobody can ask for anything there
  help: `hydra labels sync` creates it with all others; pipeline.trigger_label names another
"##);
    let doctor = stage.sandbox.run(&["doctor"]);
    assert!(doctor.code == 1 && doctor.out.contains("FAIL  labels acme/words"), "{}", doctor.all());
    // The next step mends it.
    assert_eq!(stage.sandbox.run(&["labels", "sync"]).code, 0);
    assert_eq!(stage.sandbox.run(&["poll", "--dry-run"]).code, 0);
}

#[test]
fn a_repository_and_an_issue_that_are_not_there() {
    let stage = Stage::happy();
    assert_snapshot!(refused_at(&stage, Writes::State, &["explain", "99"]), @r##"
exit 5
error: the issue acme/words#99: POST graphql IssueWhole: NOT_FOUND Could not resolve to an Issue with the number of 99.
  help: it does not exist, or the token has no access to it
"##);
    assert_snapshot!(refused_at(&stage, Writes::State, &["explain", "acme/wrods#1"]), @r##"
exit 5
error: the issue acme/wrods#1: POST graphql IssueWhole: NOT_FOUND Could not resolve to a Repository with the name 'acme/wrods'.
  help: it does not exist, or the token has no access to it
"##);
    assert_snapshot!(refused_at(&stage, Writes::State, &["explain", "one"]), @r##"
exit 2
error: "one" is not an issue: it must be OWNER/NAME#NUMBER
  help: `hydra help explain`
"##);
    stage.edit(REPO, "acme/wrods");
    assert_snapshot!(refused_at(&stage, Writes::Nothing, &["poll"]), @r##"
exit 5
error: acme/wrods cannot be seen: GET /repos/acme/wrods: 404 Not Found
  help: check github.repos, and that the orchestrator's token may see it
"##);
    assert_snapshot!(refused_at(&stage, Writes::Nothing, &["labels", "sync"]), @r##"
exit 5
error: GET /repos/acme/wrods: 404 Not Found
  help: it does not exist, or the token of orchestrator has no access to it
"##);
}
