//! Git over HTTP through the real `git http-backend`, behind GitHub's own door.

use super::{Role, auth::Who, git, server::Answer, server::Call, sim::Inner};
use std::{
    io::{Read, Write},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// The git service that a call is for, or `None` when it is no git call.
pub(crate) fn service(call: &Call) -> Option<&'static str> {
    let named = |name: &str| match name {
        "git-upload-pack" => Some("git-upload-pack"),
        "git-receive-pack" => Some("git-receive-pack"),
        _ => None,
    };
    if call.path.ends_with("/info/refs") {
        return named(call.query.as_deref()?.strip_prefix("service=")?);
    }
    named(call.path.rsplit('/').next()?).filter(|_| call.method == "POST")
}

fn backend() -> Option<&'static std::path::Path> {
    static PATH: OnceLock<Option<std::path::PathBuf>> = OnceLock::new();
    let find = || {
        let output = git::command().arg("--exec-path").output().ok()?;
        let path = std::path::Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("git-http-backend");
        path.exists().then_some(path)
    };
    PATH.get_or_init(find).as_deref()
}

fn challenge() -> Answer {
    Answer::text(401, "Repository not found.").with("www-authenticate", "Basic realm=\"GitHub\"")
}

pub(crate) fn answer(inner: &Inner, call: &Call) -> Answer {
    let Some(service) = service(call) else { return Answer::text(404, "Not Found") };
    let mut segments = call.path.trim_start_matches('/').splitn(3, '/');
    let (owner, name, rest) = (segments.next(), segments.next(), segments.next());
    let (Some(owner), Some(name), Some(rest)) = (owner, name, rest) else { return Answer::text(404, "Not Found") };
    let full = format!("{owner}/{}", name.trim_end_matches(".git"));
    let push = service == "git-receive-pack";
    let (path, login, workflows) = {
        let world = inner.world();
        let Ok(who) = Who::from_header(&world, call.header("authorization")) else { return challenge() };
        let repo = world
            .repos
            .get(&full.to_lowercase())
            .or_else(|| world.renamed.get(&full.to_lowercase()).and_then(|id| world.repo_by_id(*id)));
        let Some(repo) = repo.filter(|r| who.sees(&world, r)) else {
            return if who.token.is_some() { Answer::text(404, "Repository not found.") } else { challenge() };
        };
        if push && who.token.is_none() {
            return challenge();
        }
        let login = who.login().unwrap_or_default().to_owned();
        if push && repo.archived {
            return Answer::text(403, "This repository was archived so it is read-only.");
        }
        if push && who.role(&world, repo) < Role::Write {
            return Answer::text(403, &format!("Permission to {full}.git denied to {login}."));
        }
        let needs = if push { "contents=write" } else { "contents=read" };
        if who.allowed(Some(repo), needs).is_err() {
            return Answer::text(403, "Write access to repository not granted.");
        }
        let workflows = who.allowed(Some(repo), "workflows=write").is_ok();
        (repo.git.path().to_owned(), login, workflows)
    };
    let answer = match run(call, &path, rest, &login, workflows) {
        Ok(answer) => answer,
        Err(why) => Answer::text(500, &why.to_string()),
    };
    let synced = if push && call.method == "POST" { inner.world().sync_refs(&full, &login) } else { Ok(()) };
    match synced {
        Ok(()) => answer,
        Err(refusal) => Answer::text(500, &refusal.message),
    }
}

/// Refuses changes of workflow files to a token that may not make them, in git's own words for a declined ref.
const WORKFLOW_HOOK: &str = "#!/bin/sh
case \"$3\" in 0000*) exit 0;; esac
if [ \"${2#0000000}\" != \"$2\" ]; then base=$(git rev-parse --verify -q HEAD || git hash-object -t tree /dev/null); else base=$2; fi
if git diff --name-only \"$base\" \"$3\" | grep -q '^\\.github/workflows/'; then
  echo \"refusing to allow a Personal Access Token to create or update workflow without \\`workflow\\` scope\" >&2
  exit 1
fi
";

fn run(
    call: &Call,
    repo: &std::path::Path,
    rest: &str,
    login: &str,
    workflows: bool,
) -> Result<Answer, std::io::Error> {
    let Some(backend) = backend() else { return Ok(Answer::text(500, "git http-backend is not installed")) };
    let mut cgi = Command::new(backend);
    git::scrub(&mut cgi);
    cgi.env("GIT_PROJECT_ROOT", repo)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", format!("/{rest}"))
        .env("REQUEST_METHOD", &call.method)
        .env("QUERY_STRING", call.query.as_deref().unwrap_or_default())
        .env("CONTENT_TYPE", call.header("content-type").unwrap_or_default())
        .env("CONTENT_LENGTH", call.body.len().to_string())
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("REMOTE_USER", login);
    if let Some(encoding) = call.header("content-encoding") {
        cgi.env("HTTP_CONTENT_ENCODING", encoding);
    }
    if let Some(protocol) = call.header("git-protocol") {
        cgi.env("GIT_PROTOCOL", protocol);
    }
    if !workflows {
        let hooks = repo.join("sim-hooks");
        std::fs::create_dir_all(&hooks)?;
        let hook = hooks.join("update");
        if !hook.exists() {
            std::fs::write(&hook, WORKFLOW_HOOK)?;
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&hook, mode)?;
        }
        cgi.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "core.hooksPath").env("GIT_CONFIG_VALUE_0", hooks);
    }
    cgi.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = cgi.spawn()?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let mut output = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                // The backend may answer before it has read everything; its answer is what counts.
                drop(stdin.write_all(&call.body));
            }
        });
        stdout.map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut output))
    })?;
    child.wait()?;
    Ok(parse_cgi(&output))
}

fn parse_cgi(output: &[u8]) -> Answer {
    let end = output.windows(4).position(|w| w == b"\r\n\r\n");
    let Some(end) = end else { return Answer::text(500, "git http-backend gave no answer") };
    let mut answer = Answer { status: 200, headers: Vec::new(), body: output[end + 4..].to_vec() };
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            answer.status = value.split(' ').next().and_then(|s| s.parse().ok()).unwrap_or(500);
        } else {
            answer.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
    }
    answer
}
