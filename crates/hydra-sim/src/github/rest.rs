//! REST: one table of routes; identity, visibility, permissions, limits, pages and ETags once for all of them.

mod checks;
mod commits;
mod git_data;
mod issues;
mod labels;
mod people;
mod pulls;
mod repos;
mod reviews;

pub(crate) use pulls::mergeable;

use super::{
    Role,
    auth::{Kind, Who},
    notice::Refusal,
    server::{Answer, Call},
    world::World,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hasher},
};

/// A request on its way through a handler.
pub(crate) struct Ctx<'a> {
    pub world: &'a mut World,
    pub who: &'a Who,
    pub params: BTreeMap<&'static str, String>,
    pub query: BTreeMap<String, String>,
    pub body: Value,
    /// `owner/name` as the repository is called now; empty outside repositories.
    pub repo: String,
    pub path: String,
    link: Option<String>,
}

/// A success.
pub(crate) struct Reply {
    status: u16,
    body: Option<Value>,
}

pub(crate) fn ok(body: Value) -> Result<Reply, Refusal> {
    Ok(Reply { status: 200, body: Some(body) })
}

pub(crate) fn created(body: Value) -> Result<Reply, Refusal> {
    Ok(Reply { status: 201, body: Some(body) })
}

pub(crate) fn empty() -> Result<Reply, Refusal> {
    Ok(Reply { status: 204, body: None })
}

pub(crate) type Handler = fn(&mut Ctx<'_>) -> Result<Reply, Refusal>;

/// Method, path as GitHub's description has it, wanted permissions (one of them), handler.
pub(crate) type Route = (&'static str, &'static str, &'static str, Handler);

fn routes() -> impl Iterator<Item = &'static Route> {
    let tables: [&'static [Route]; 9] = [
        people::ROUTES,
        repos::ROUTES,
        labels::ROUTES,
        issues::ROUTES,
        pulls::ROUTES,
        reviews::ROUTES,
        commits::ROUTES,
        checks::ROUTES,
        git_data::ROUTES,
    ];
    tables.into_iter().flatten()
}

impl Ctx<'_> {
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> Result<u64, Refusal> {
        self.param(name).parse().map_err(|_| Refusal::not_found())
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.body.get(name).and_then(Value::as_str).map(str::to_owned)
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.body.get(name).and_then(Value::as_bool)
    }

    /// A field that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<String, Refusal> {
        self.text(name).ok_or_else(|| Refusal::new(422, format!("Invalid request.\n\n\"{name}\" wasn't supplied.")))
    }

    /// The login that acts.
    pub(crate) fn actor(&self) -> Result<String, Refusal> {
        self.who.login().map(str::to_owned).ok_or_else(|| Refusal::new(401, "Requires authentication"))
    }

    /// Refuses an account whose role in the repository is lower.
    pub(crate) fn at_least(&self, role: Role) -> Result<(), Refusal> {
        let held = self.who.role(self.world, self.world.repo(&self.repo)?);
        if held >= role {
            return Ok(());
        }
        match &self.who.token {
            Some(token) if token.kind == Kind::Classic => Err(Refusal::new(403, "Must have push access to repository")),
            Some(token) => Err(token.refusal()),
            None => Err(Refusal::new(401, "Requires authentication")),
        }
    }

    /// The slice of a list that this page shows; keeps the `Link` header.
    pub(crate) fn page(&mut self, total: usize) -> (usize, usize) {
        let number = |name: &str, default: usize| self.query(name).and_then(|v| v.parse().ok()).unwrap_or(default);
        let size = number("per_page", 30).clamp(1, 100);
        let page = number("page", 1).max(1);
        let last = total.div_ceil(size).max(1);
        let address = |n: usize| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in self.query.iter().filter(|(name, _)| *name != "page") {
                query.append_pair(name, value);
            }
            query.append_pair("page", &n.to_string());
            format!("{}{}?{}", self.world.base_url, self.path, query.finish())
        };
        let mut links = Vec::new();
        if page > 1 {
            links.push(format!("<{}>; rel=\"prev\"", address((page - 1).min(last))));
        }
        if page < last {
            links.push(format!("<{}>; rel=\"next\"", address(page + 1)));
            links.push(format!("<{}>; rel=\"last\"", address(last)));
        }
        if page > 1 {
            links.push(format!("<{}>; rel=\"first\"", address(1)));
        }
        self.link = (!links.is_empty()).then(|| links.join(", "));
        ((page - 1) * size, size)
    }
}

pub(crate) fn answer(world: &mut World, call: &Call) -> Answer {
    let refuse = |refusal: &Refusal| Answer::json(refusal.status, &refusal.body());
    let who = match Who::from_header(world, call.header("authorization")) {
        Ok(who) => who,
        Err(refusal) => return finish(world, call, &Who::default(), "", refuse(&refusal), 0),
    };
    if call.header("user-agent").is_none() {
        let message =
            "Request forbidden by administrative rules. Please make sure your request has a User-Agent header";
        return Answer::text(403, message);
    }
    let version = call.header("x-github-api-version").unwrap_or("2022-11-28");
    if !matches!(version, "2022-11-28" | "2026-03-10") {
        let message = format!("The version {version} is not supported.");
        return finish(world, call, &who, "", refuse(&Refusal::new(400, message)), 0);
    }
    if let Some(limited) = exhausted(world, &who) {
        return finish(world, call, &who, "", limited, 0);
    }
    if let Some(target) = moved(world, call) {
        let status = if call.method == "GET" { 301 } else { 307 };
        let body = serde_json::json!({ "message": "Moved Permanently", "url": target, "documentation_url": "https://docs.github.com/rest" });
        return finish(world, call, &who, "", Answer::json(status, &body).with("location", target), 1);
    }
    let mut needs = "";
    let (result, link) = run(world, call, &who, &mut needs);
    let mut answer = match result {
        Ok(reply) => match reply.body {
            Some(body) => Answer::json(reply.status, &body),
            None => Answer { status: reply.status, headers: Vec::new(), body: Vec::new() },
        },
        Err(refusal) => refuse(&refusal),
    };
    if let Some(link) = link {
        answer = answer.with("link", link);
    }
    let mut cost = u64::from(call.path != "/rate_limit");
    if call.method == "GET" && answer.status == 200 {
        let secret = who.token.as_ref().map(|t| t.secret.as_str()).unwrap_or_default();
        let etag = format!("W/\"{:016x}{:016x}\"", digest(1, secret, &answer.body), digest(2, secret, &answer.body));
        let known = call.header("if-none-match");
        if known.is_some_and(|k| k.split(',').any(|k| k.trim().trim_start_matches("W/") == &etag[2..])) {
            answer.status = 304;
            answer.body.clear();
            answer.headers.retain(|(name, _)| name != "content-type");
            cost = u64::from(who.token.is_none());
        }
        answer = answer.with("etag", etag).with("cache-control", "private, max-age=60, s-maxage=60");
    }
    finish(world, call, &who, needs, answer, cost)
}

/// Half an ETag. The standard library's hasher is compiled optimised even where this crate is not, and lists are long.
fn digest(half: u8, secret: &str, body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u8(half);
    hasher.write(secret.as_bytes());
    hasher.write_u8(0xff);
    hasher.write(body);
    hasher.finish()
}

fn run(
    world: &mut World,
    call: &Call,
    who: &Who,
    needs: &mut &'static str,
) -> (Result<Reply, Refusal>, Option<String>) {
    let path = by_id(world, &call.path);
    let found = routes()
        .find_map(|route| (route.0 == call.method).then(|| matched(route.1, &path)).flatten().map(|p| (route, p)));
    let Some((route, params)) = found else { return (Err(Refusal::not_found()), None) };
    *needs = route.2;
    let mut repo = String::new();
    if let (Some(owner), Some(name)) = (params.get("owner"), params.get("repo")) {
        let key = format!("{owner}/{name}").to_lowercase();
        match world.repos.get(&key).filter(|r| who.sees(world, r)) {
            None => return (Err(Refusal::not_found()), None),
            Some(found) => {
                if let Err(refusal) = who.allowed(Some(found), route.2) {
                    return (Err(refusal), None);
                }
                if found.archived && call.method != "GET" {
                    return (Err(Refusal::new(403, "Repository was archived so is read-only.")), None);
                }
                repo = found.full_name();
            }
        }
    } else if let Err(refusal) = who.allowed(None, route.2) {
        return (Err(refusal), None);
    }
    let body = if call.body.is_empty() {
        Value::Null
    } else {
        match serde_json::from_slice(&call.body) {
            Ok(body) => body,
            Err(_) => return (Err(Refusal::new(400, "Problems parsing JSON")), None),
        }
    };
    let query = call.query.as_deref().unwrap_or_default();
    let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let mut ctx = Ctx { world, who, params, query, body, repo, path: call.path.clone(), link: None };
    let result = (route.3)(&mut ctx);
    (result, ctx.link)
}

/// The path parameters, when the path fits the template; `{+name}` takes the rest.
fn matched(template: &'static str, path: &str) -> Option<BTreeMap<&'static str, String>> {
    let mut params = BTreeMap::new();
    let mut rest = path.trim_start_matches('/').split('/');
    for part in template.trim_start_matches('/').split('/') {
        let name = part.strip_prefix('{').and_then(|p| p.strip_suffix('}'));
        match name {
            Some(name) if name.starts_with('+') => {
                let tail: Vec<_> = rest.by_ref().map(decode).collect();
                params.insert(&name[1..], tail.join("/"));
                return (!tail.is_empty()).then_some(params);
            }
            Some(name) => {
                let value = rest.next().filter(|v| !v.is_empty())?;
                params.insert(name, decode(value));
            }
            None => {
                if rest.next()? != part {
                    return None;
                }
            }
        }
    }
    rest.next().is_none().then_some(params)
}

fn decode(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|h| std::str::from_utf8(h).ok()).and_then(|h| u8::from_str_radix(h, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `/repositories/{id}/…` is the same as `/repos/{owner}/{repo}/…`.
fn by_id(world: &World, path: &str) -> String {
    let named = || {
        let rest = path.strip_prefix("/repositories/")?;
        let (id, tail) = rest.split_once('/').map_or((rest, String::new()), |(id, tail)| (id, format!("/{tail}")));
        let repo = world.repo_by_id(id.parse().ok()?)?;
        Some(format!("/repos/{}{tail}", repo.full_name()))
    };
    named().unwrap_or_else(|| path.to_owned())
}

/// Where a renamed repository's path leads now.
fn moved(world: &World, call: &Call) -> Option<String> {
    let mut parts = call.path.strip_prefix("/repos/")?.splitn(3, '/');
    let key = format!("{}/{}", parts.next()?, parts.next()?).to_lowercase();
    if world.repos.contains_key(&key) {
        return None;
    }
    let id = world.renamed.get(&key)?;
    let tail = parts.next().map(|t| format!("/{t}")).unwrap_or_default();
    let query = call.query.as_ref().map(|q| format!("?{q}")).unwrap_or_default();
    Some(format!("{}/repositories/{id}{tail}{query}", world.base_url))
}

fn hour(world: &World) -> i64 {
    let now = world.clock.now().as_second();
    now - now.rem_euclid(3_600)
}

/// What is used of this hour's limit, after adding `cost`.
pub(crate) fn charge(world: &mut World, who: &Who, resource: &'static str, cost: u64) -> u64 {
    let hour = hour(world);
    let login = who.login().unwrap_or("").to_lowercase();
    let used = world.used.entry((login, resource)).or_insert((0, hour));
    if used.1 != hour {
        *used = (0, hour);
    }
    used.0 += cost;
    used.0
}

fn exhausted(world: &mut World, who: &Who) -> Option<Answer> {
    if charge(world, who, "core", 0) < world.limit {
        return None;
    }
    let id = who.login().and_then(|l| world.account(l)).map_or(0, |a| a.id);
    let refusal = Refusal::new(403, format!("API rate limit exceeded for user ID {id}."));
    Some(Answer::json(403, &refusal.body()))
}

fn finish(world: &mut World, call: &Call, who: &Who, needs: &'static str, answer: Answer, cost: u64) -> Answer {
    let used = charge(world, who, "core", cost);
    let mut answer = limits(world, answer, used, "core");
    if !needs.is_empty() {
        answer = answer.with("x-accepted-github-permissions", needs.replace(';', "; "));
    }
    answer = answer
        .with("x-github-media-type", "github.v3; format=json")
        .with("x-github-request-id", format!("SIM:{:08X}", call.path.len() as u64 + used))
        .with("x-github-api-version-selected", call.header("x-github-api-version").unwrap_or("2022-11-28"));
    identity(answer, who)
}

/// The `x-ratelimit-*` headers.
pub(crate) fn limits(world: &World, answer: Answer, used: u64, resource: &str) -> Answer {
    answer
        .with("x-ratelimit-limit", world.limit.to_string())
        .with("x-ratelimit-remaining", world.limit.saturating_sub(used).to_string())
        .with("x-ratelimit-used", used.to_string())
        .with("x-ratelimit-reset", (hour(world) + 3_600).to_string())
        .with("x-ratelimit-resource", resource)
}

/// The headers that say something of the token.
pub(crate) fn identity(mut answer: Answer, who: &Who) -> Answer {
    let Some(token) = &who.token else { return answer };
    if let (Some(at), true) = (token.expires, token.kind != Kind::Installation) {
        let text = at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        answer = answer.with("github-authentication-token-expiration", text);
    }
    if token.kind == Kind::Classic {
        answer = answer.with("x-oauth-scopes", token.scopes.join(", "));
    }
    answer
}
