//! The documented command line, taken literally: no `/in/job.json`; the repository is cloned and the branch pushed with
//! `GIT_TOKEN`, the results lie under `/workspace/out`, and the pull request is left to the caller.

use crate::{
    args::AgentArgs,
    contract::{Contract, missing_credential},
    drivers::Driver,
    environment::Environment,
    events::EventSink,
    failure::Failure,
    git::Git,
    job,
    relay::Relay,
    scrub::Scrub,
    work::Work,
    workspace::{Checkout, make_folder},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hydra_core::{
    BranchName, ChangeName, ContainerType, IssueKey, Stage,
    contract_files::{FenceMode, JobInput, SCHEMA, exit},
    egress::EgressPolicy,
    persona::{Persona, defaults},
};
use std::{
    io,
    path::{Path, PathBuf},
    time::Instant,
};

/// What the environment asks for.
struct Request {
    repo_url: String,
    issue: IssueKey,
    issue_url: String,
    change: ChangeName,
    branch: BranchName,
    persona: Persona,
    token: String,
    spec: PathBuf,
}

/// Runs it and returns the exit code.
pub(crate) fn run(args: &AgentArgs, env: &Environment, scrub: &Scrub, started: Instant) -> i32 {
    let args = AgentArgs { out: args.workspace.join("out"), ..args.clone() };
    let mut sink = match EventSink::open(&args.out, Box::new(io::stdout()), scrub.clone()) {
        Ok(sink) => sink,
        Err(error) => {
            job::say(&format!("the outputs could not be written: {error}"));
            return exit::OUTPUTS;
        }
    };
    match carry_out(&args, env, scrub, started, &mut sink) {
        Ok(code) => code,
        Err(failure) => job::refuse(&failure, None, &args.out, &mut sink, scrub),
    }
}

fn carry_out(
    args: &AgentArgs,
    env: &Environment,
    scrub: &Scrub,
    started: Instant,
    sink: &mut EventSink,
) -> Result<i32, Failure> {
    // `secrets/.env` may hold the key under the name of the organisation secret.
    let env = &env.aliased("ANTHROPIC_API_KEY", "HYDRA_ANTHROPIC_KEY");
    let request = read(env).map_err(|problems| Failure::Contract(problems.join("; ")))?;
    let policy = EgressPolicy::default();
    let hosts: Vec<String> = policy.hosts(ContainerType::Builder).iter().map(ToString::to_string).collect();
    let mut endpoints = vec![authority(&request.repo_url).map_err(Failure::Contract)?];
    if let Some(base) = env.get("ANTHROPIC_BASE_URL") {
        endpoints.push(authority(base).map_err(Failure::Contract)?);
    }
    let relay = job::fence_in(env, args, FenceMode::InContainer, [&hosts, &endpoints], sink)?;
    let (job, bundle) = fetch(&request, args, relay.as_ref()).map_err(Failure::Workspace)?;
    sink.step("contract", format!("{} as {} on {}", request.change, request.persona.name, request.branch))?;
    let contract = Contract {
        job,
        driver: Some(Driver::Claude),
        prompt: task(&request),
        system: request.persona.prompt.clone(),
        bundle,
    };
    let push = |checkout: &Checkout, relay: Option<&Relay>| push(&request, checkout, relay);
    let args = AgentArgs { spec: request.spec.clone(), ..args.clone() };
    let publish = Some(&push as crate::work::Publish<'_>);
    Work { args: &args, env, scrub, contract: &contract, started, relay, publish }.carry_out(sink)
}

fn read(env: &Environment) -> Result<Request, Vec<String>> {
    let mut problems = Vec::new();
    let mut want = |name: &str, step: &str| {
        if env.get(name).is_none() {
            problems.push(format!("{name} is not set: {step}"));
        }
        env.get(name).unwrap_or_default().to_owned()
    };
    let repo_url = want("REPO_URL", "set it to the target repository's address");
    let issue_url = want("ISSUE_URL", "set it to the issue's address");
    let token = want("GIT_TOKEN", "set it to the builder's token, which clones and pushes");
    let spec = PathBuf::from(env.get("SPEC_PATH").unwrap_or("/spec"));
    if let Some(mode) = env.get("HYDRA_MODE").filter(|mode| *mode != Stage::Build.as_str()) {
        problems.push(format!("HYDRA_MODE is {mode:?}, which needs /in/job.json: without it only build is done"));
    }
    if !spec.is_dir() {
        problems.push(format!("SPEC_PATH {} is no folder: mount the change's folder there", spec.display()));
    }
    problems.extend(missing_credential(Driver::Claude, env));
    let issue = issue_of(&issue_url);
    if issue.is_none() && !issue_url.is_empty() {
        problems.push(format!("ISSUE_URL {issue_url:?} does not end in OWNER/NAME/issues/NUMBER"));
    }
    let mut persona = defaults().into_iter().find(|persona| persona.stages.contains(&Stage::Build));
    if let (Some(persona), Some(model)) = (&mut persona, env.get("HYDRA_MODEL")) {
        match model.parse() {
            Ok(model) => persona.model = model,
            Err(error) => problems.push(format!("HYDRA_MODEL: {error}")),
        }
    }
    let change = issue.as_ref().and_then(|issue| change_of(&spec, issue));
    let branch = change.as_ref().and_then(|change| format!("hydra/{change}").parse().ok());
    match (issue, change, branch, persona) {
        (Some(issue), Some(change), Some(branch), Some(persona)) if problems.is_empty() => {
            Ok(Request { repo_url, issue, issue_url, change, branch, persona, token, spec })
        }
        _ => Err(problems),
    }
}

/// `https://host/OWNER/NAME/issues/7`.
fn issue_of(url: &str) -> Option<IssueKey> {
    let mut parts = url.trim_end_matches('/').rsplit('/');
    let (number, word, name, owner) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    (word == "issues").then_some(())?;
    format!("{owner}/{name}#{number}").parse().ok()
}

/// The change's name: what `hydra.json` says, else the folder's own name, else the issue's number. `spec` is where a folder
/// is mounted, not what it is called.
fn change_of(spec: &Path, issue: &IssueKey) -> Option<ChangeName> {
    let said = std::fs::read_to_string(spec.join("hydra.json"))
        .ok()
        .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
        .and_then(|json| json.get("spec_slug")?.as_str()?.parse().ok());
    let folder = spec.file_name().and_then(|name| name.to_str()).filter(|name| *name != "spec");
    said.or_else(|| folder?.parse().ok()).or_else(|| format!("issue-{}", issue.number).parse().ok())
}

/// `host:port` of an address.
fn authority(url: &str) -> Result<String, String> {
    let (port, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (443, rest),
        (None, Some(rest)) => (80, rest),
        (None, None) => return Err(format!("{url:?} is no http or https address")),
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || host.contains('@') {
        return Err("an address must name a host and hold no credential".into());
    }
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Ok(if has_port { host.to_owned() } else { format!("{host}:{port}") })
}

/// Git with the token in a header for this one address: neither in its arguments nor in a file.
fn git_with_token(dir: &Path, request: &Request, relay: Option<&Relay>) -> Git {
    let basic = STANDARD.encode(format!("x-access-token:{}", request.token));
    let mut git = Git::at(dir)
        .with("GIT_CONFIG_COUNT", "1")
        .with("GIT_CONFIG_KEY_0", format!("http.{}.extraHeader", request.repo_url))
        .with("GIT_CONFIG_VALUE_0", format!("Authorization: Basic {basic}"));
    for (name, value) in relay.into_iter().flat_map(Relay::variables) {
        git = git.with(&name, value);
    }
    git
}

/// Fetches the default branch and makes the bundle that a job begins with.
fn fetch(request: &Request, args: &AgentArgs, relay: Option<&Relay>) -> Result<(JobInput, PathBuf), String> {
    let folder = args.workspace.join(".literal");
    make_folder(&folder)?;
    let git = git_with_token(&folder, request, relay);
    git.run(["init", "--quiet", "--bare", "--template=", "."])?;
    git.run(["fetch", "--quiet", "--no-tags", &request.repo_url, "+HEAD:refs/heads/hydra-base"])?;
    git.run(["branch", "--force", "hydra-head", "hydra-base"])?;
    let bundle = folder.join("repo.bundle");
    git.run(["bundle", "create", "--quiet", &bundle.display().to_string(), "hydra-base", "hydra-head"])?;
    let base = git.text(["rev-parse", "hydra-base"])?;
    let base: hydra_core::CommitSha = base.parse().map_err(|error: hydra_core::IdError| error.to_string())?;
    let name = format!("hydra-literal-{}", request.issue.number);
    let persona = &request.persona;
    let job = JobInput {
        schema: SCHEMA,
        job: name.parse().map_err(|error: hydra_core::IdError| error.to_string())?,
        stage: Stage::Build,
        issue: request.issue.clone(),
        base: base.clone(),
        head: base,
        branch: request.branch.clone(),
        author_name: persona.name.clone(),
        author_email: persona.email.clone(),
        driver: Some(Driver::Claude.name().to_owned()),
        model: Some(persona.model.clone()),
        max_turns: persona.limits.turns,
        deadline_secs: u64::from(persona.limits.minutes) * 60,
        commands: Vec::new(),
        instruction_files: Vec::new(),
        fence: FenceMode::InContainer,
        allow_hosts: Vec::new(),
        model_endpoint: None,
        read_only: false,
        allowance: None,
        services: Vec::new(),
    };
    Ok((job, bundle))
}

/// Pushes what was delivered, never over anything that is there already.
fn push(request: &Request, checkout: &Checkout, relay: Option<&Relay>) -> Result<String, String> {
    let git = git_with_token(&checkout.own.join("deliver.git"), request, relay);
    let branch = format!("refs/heads/hydra-result:refs/heads/{}", request.branch);
    git.run(["push", "--quiet", &request.repo_url, &branch])?;
    Ok(format!("{} was pushed to {}; the pull request is left to you", request.branch, request.repo_url))
}

fn task(request: &Request) -> String {
    format!(
        "Implement the change that the folder {{{{SPEC}}}} describes (proposal.md, tasks.md, design.md and specs/ where they are \
         there) in the repository {{{{WORKSPACE}}}}. It belongs to the issue {}. Work through every task, run the repository's own \
         tests, and leave the work tree in the state that is to be delivered. If you cannot go on without an answer, write \
         {{{{OUT}}}}/rfi.json as {{\"questions\": [\"…\"], \"context\": \"…\"}} and stop.\n",
        request.issue_url
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_line_does_not_say_is_taken_from_folder_and_issue() {
        let issue = issue_of("https://github.com/acme/app/issues/7").unwrap();
        assert_eq!(issue.to_string(), "acme/app#7");
        assert_eq!(issue_of("https://github.com/acme/app/pull/7"), None);
        assert_eq!(change_of(Path::new("/x/add-config"), &issue).unwrap().as_str(), "add-config");
        assert_eq!(change_of(Path::new("/spec"), &issue).unwrap().as_str(), "issue-7");
    }

    #[test]
    fn an_address_names_host_and_port_and_no_credential() {
        assert_eq!(authority("https://github.com/acme/app").as_deref(), Ok("github.com:443"));
        assert_eq!(authority("http://10.0.0.2:8080/x.git").as_deref(), Ok("10.0.0.2:8080"));
        assert!(authority("https://token@github.com/acme/app").is_err());
        assert!(authority("git@github.com:acme/app").is_err());
    }

    #[test]
    fn everything_missing_is_named_at_once() {
        let problems = read(&[("HYDRA_MODE", "fix")].into_iter().collect()).err().unwrap().join("; ");
        for name in ["REPO_URL", "ISSUE_URL", "GIT_TOKEN", "SPEC_PATH", "HYDRA_MODE", "CLAUDE_CODE_OAUTH_TOKEN"] {
            assert!(problems.contains(name), "{name} in {problems}");
        }
    }
}
