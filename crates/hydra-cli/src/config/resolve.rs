//! The third pass: texts become core's types, and values are held against each other.

mod authority;
mod images;
mod inspect;
mod labels;

use super::{
    file::{HydraToml, Identities},
    personas::PersonaEntry,
    problem::{Place, Problem, Problems},
    source_text::SourceText,
};
use hydra_core::{
    ContainerType, IdError, Login, ModelName, RepoName, Stage, TokenRole,
    diagnostic::{nearest, unknown_key_hint},
    egress::{EgressPolicy, Endpoint, HostPattern},
    persona::{Limits, Persona},
    prices::{Price, PriceTable},
    verdict::envelope::PublicKey,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};
use url::Url;

/// How a login is written.
const LOGIN: &str = "write it as GitHub shows it, without the @";
/// How a model is written.
const MODEL: &str = "write the model's name as the provider spells it, such as \"claude-opus-4-8\"";

/// What the third pass makes of the file.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) repos: Vec<RepoName>,
    pub(super) logins: BTreeMap<TokenRole, Login>,
    pub(super) yolo_allowed: Vec<Login>,
    pub(super) personas: Vec<Persona>,
    pub(super) prices: PriceTable,
    pub(super) egress: EgressPolicy,
    pub(super) model_authority: Option<String>,
    pub(super) public_keys: Vec<PublicKey>,
    pub(super) warnings: Vec<String>,
}

/// Resolves.
pub(super) fn resolve(values: &HydraToml, file: Option<&SourceText>, root: &Path) -> Result<Resolved, Problems> {
    let mut pass = Pass { values, file, problems: Vec::new(), warnings: Vec::new() };
    pass.plain();
    let prices = PriceTable::with(pass.prices());
    let resolved = Resolved {
        repos: pass.repos(),
        logins: pass.logins(),
        yolo_allowed: pass.yolo(),
        personas: pass.personas(root),
        prices,
        egress: pass.egress(root),
        model_authority: authority::of_the_model(&mut pass, root),
        public_keys: pass.keys(),
        warnings: Vec::new(),
    };
    pass.models(&resolved);
    images::check(&mut pass);
    if pass.problems.is_empty() {
        Ok(Resolved { warnings: pass.warnings, ..resolved })
    } else {
        Err(Problems(pass.problems))
    }
}

struct Pass<'a> {
    values: &'a HydraToml,
    file: Option<&'a SourceText>,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl Pass<'_> {
    fn report(&mut self, key: &str, message: impl std::fmt::Display, help: impl Into<String>) {
        let place = self.file.and_then(|file| file.place_of(key));
        self.report_at(place, key, message, help);
    }

    fn report_at(&mut self, place: Option<Place>, key: &str, message: impl std::fmt::Display, help: impl Into<String>) {
        let message = crate::output::mask::scrub(&format!("`{key}`: {message}"));
        let mut problem = Problem::config(message, help).maybe_at(place);
        problem.key = Some(key.to_owned());
        self.problems.push(problem);
    }

    fn parsed<T>(&mut self, key: &str, text: &str, help: &str) -> Option<T>
    where
        T: std::str::FromStr<Err = IdError>,
    {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.report(key, error, help);
                None
            }
        }
    }

    fn plain(&mut self) {
        let values = self.values;
        let slug = |text: &str| {
            let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            !text.is_empty() && text.len() <= 40 && text.bytes().all(good)
        };
        if !slug(&values.instance) {
            self.report(
                "instance",
                "it must have 1 to 40 letters, digits, '-', '_' or '.'",
                "a short name will do, such as \"local\"",
            );
        }
        let web = |text: &str| {
            text.starts_with("https://")
                || text.starts_with("http://127.0.0.1")
                || text.starts_with("http://localhost")
                || text.starts_with("http://[::1]")
        };
        let addresses =
            [("github.api_url", Some(&values.github.api_url)), ("github.web_url", values.github.web_url.as_ref())];
        for (key, text) in addresses.into_iter().filter_map(|(key, text)| Some((key, text?))) {
            if !web(text) {
                let help =
                    "write https://api.github.com, https://HOST/api/v3 of a GitHub Enterprise Server, or leave it out";
                self.report(key, "it must begin with https:// (http:// on this machine only)", help);
            }
        }
        let addresses = addresses.into_iter().chain([("models.base_url", values.models.base_url.as_ref())]);
        for (key, text) in addresses.filter_map(|(key, text)| Some((key, text?))) {
            // Addresses are shown and logged.
            if Url::parse(text).is_ok_and(|url| !url.username().is_empty() || url.password().is_some()) {
                let help = "take them out of the address: secrets stand in secrets/.env and secrets/credentials.json";
                self.report(key, "it may hold no user and no password", help);
            }
        }
        if let Some(url) = &values.models.base_url
            && !url.starts_with("https://")
            && !url.starts_with("http://")
        {
            let help =
                "write the whole address, such as https://models.example.com, or leave it out for the provider's own";
            self.report("models.base_url", "it must begin with https:// or http://", help);
        }
        if let Some(org) = &values.github.org {
            self.parsed::<Login>("github.org", org, LOGIN);
        }
        labels::check(self);
        let weights = &values.slots.weights;
        for (key, weight) in [
            ("slots.weights.builder", weights.builder),
            ("slots.weights.quality", weights.quality),
            ("slots.weights.reviewer", weights.reviewer),
            ("slots.weights.security", weights.security),
            ("slots.weights.applier", weights.applier),
        ] {
            if weight > values.slots.total {
                self.report(
                    key,
                    format!(
                        "such a job needs {weight} slots and would never start, for slots.total is {}",
                        values.slots.total
                    ),
                    "raise slots.total, or lower the weight",
                );
            }
        }
        if values.pipeline.retry.cap < values.pipeline.retry.base {
            self.report("pipeline.retry.cap", "it is shorter than pipeline.retry.base", "raise it, or lower the base");
        }
        if values.pipeline.lease.as_secs() < 60 {
            let why = "it must be at least \"60s\", or it lapses while it is being renewed";
            self.report("pipeline.lease", why, "write a longer time, or leave it out for its default");
        }
        if values.pipeline.poll_interval.as_secs() < 5 {
            let help = "write a longer time: GitHub counts every request";
            self.report("pipeline.poll_interval", "it must be at least \"5s\"", help);
        }
    }

    fn egress(&mut self, root: &Path) -> EgressPolicy {
        let egress = &self.values.egress;
        let base = self.hosts("egress.base", &egress.base);
        let floor = self.hosts("egress.floor", &egress.floor);
        let mut extra = BTreeMap::new();
        for (name, hosts) in &egress.extra {
            let key = format!("egress.extra.{name}");
            match name.parse::<ContainerType>() {
                Ok(kind) => {
                    extra.insert(kind, self.hosts(&key, hosts));
                }
                Err(error) => {
                    let kinds: Vec<&str> = ContainerType::ALL.iter().map(|kind| kind.as_str()).collect();
                    self.report(&key, error, unknown_key_hint(name, &kinds));
                }
            }
        }
        let model_endpoint = egress.model_endpoint.as_ref().and_then(|text| match text.parse::<Endpoint>() {
            Ok(endpoint) => Some(endpoint),
            Err(error) => {
                self.report("egress.model_endpoint", error, "write HOST:PORT, such as models.example.com:8443");
                None
            }
        });
        let policy = EgressPolicy { base, extra, floor, model_endpoint, inspect: BTreeMap::new() };
        let inspect = inspect::rules(self, &policy, root);
        EgressPolicy { inspect, ..policy }
    }

    fn hosts(&mut self, key: &str, lines: &[String]) -> BTreeSet<HostPattern> {
        let mut hosts = BTreeSet::new();
        for (at, line) in lines.iter().enumerate() {
            match line.parse::<HostPattern>() {
                Ok(host) => _ = hosts.insert(host),
                Err(error) => {
                    let place = self.file.and_then(|file| file.place_of_entry(key, at));
                    let form = || {
                        "write one name, such as api.example.com, or *.example.com for all of one label more".to_owned()
                    };
                    self.report_at(place, key, error, HostPattern::suggestion(line).unwrap_or_else(form));
                }
            }
        }
        hosts
    }

    fn repos(&mut self) -> Vec<RepoName> {
        let github = &self.values.github;
        let mut repos: Vec<RepoName> = Vec::new();
        for text in &github.repos {
            let full = match (&github.org, text.contains('/')) {
                (_, true) => text.clone(),
                (Some(org), false) => format!("{org}/{text}"),
                (None, false) => {
                    self.report(
                        "github.repos",
                        format!("{text:?} has no owner"),
                        "write OWNER/NAME, or set github.org",
                    );
                    continue;
                }
            };
            let Some(repo) =
                self.parsed::<RepoName>("github.repos", &full, "write OWNER/NAME, as in the repository's address")
            else {
                continue;
            };
            if !repos.contains(&repo) {
                repos.push(repo);
            }
        }
        if github.project.is_some() && github.org.is_none() {
            self.report("github.project", "a board needs its owner", "set github.org, or GITHUB_ORG");
        }
        if self.values.identities == Identities::Single && repos.len() > 1 {
            self.report("github.repos", "identities = \"single\" is for trying Hydra on one repository", "name one");
        }
        repos
    }

    fn logins(&mut self) -> BTreeMap<TokenRole, Login> {
        let mut logins = BTreeMap::new();
        for (name, login) in &self.values.github.logins {
            let key = format!("github.logins.{name}");
            match name.parse::<TokenRole>() {
                Ok(role) => {
                    if let Some(login) = self.parsed::<Login>(&key, login, LOGIN) {
                        logins.insert(role, login);
                    }
                }
                Err(error) => {
                    let roles: Vec<&str> = TokenRole::ALL.iter().map(|role| role.as_str()).collect();
                    self.report(&key, error, unknown_key_hint(name, &roles));
                }
            }
        }
        logins
    }

    fn yolo(&mut self) -> Vec<Login> {
        let names = &self.values.pipeline.yolo_allowed;
        if self.values.identities == Identities::Single && !names.is_empty() {
            self.warnings.push(
                "identities = \"single\": pipeline.yolo_allowed is not used, for nobody else has judged".to_owned(),
            );
            return Vec::new();
        }
        names.iter().filter_map(|name| self.parsed("pipeline.yolo_allowed", name, LOGIN)).collect()
    }

    fn keys(&mut self) -> Vec<PublicKey> {
        let mut keys = Vec::new();
        for text in &self.values.keys.public {
            match text.parse::<PublicKey>() {
                Ok(key) => keys.push(key),
                Err(_) => {
                    let help =
                        "copy it again: `hydra config show` prints the one of the present key as signing_key.public";
                    self.report("keys.public", "one of them is not an Ed25519 public key (32 bytes as base64)", help);
                }
            }
        }
        keys
    }

    fn prices(&mut self) -> BTreeMap<String, Price> {
        let row = |price: &super::models::Price| Price {
            input: price.input.usd(),
            output: price.output.usd(),
            cache_read: price.cache_read.usd(),
            cache_write: price.cache_write.usd(),
        };
        self.values.prices.iter().map(|(name, price)| (name.clone(), row(price))).collect()
    }

    /// Every model must have a price, or its spend could not be counted.
    fn models(&mut self, resolved: &Resolved) {
        let mut told: Vec<&ModelName> = Vec::new();
        for persona in &resolved.personas {
            if told.contains(&&persona.model) {
                continue;
            }
            told.push(&persona.model);
            if let Err(error) = resolved.prices.price(&persona.model) {
                let own = format!("personas.{}.model", persona.id);
                let key = if self.values.models.all.is_some() { "models.all" } else { own.as_str() };
                let help = format!("check its spelling, or say what it costs in [prices.\"{}\"]", persona.model);
                self.report(key, error, help);
            }
        }
    }

    fn personas(&mut self, root: &Path) -> Vec<Persona> {
        let mut personas = hydra_core::persona::defaults();
        for (key, entry) in &self.values.personas {
            let at = format!("personas.{key}");
            let Some(stages) = self.stages(&at, entry) else { continue };
            if let Some(stages) = &stages {
                for persona in personas.iter_mut().filter(|persona| persona.id.as_str() != key) {
                    let named =
                        self.values.personas.get(persona.id.as_str()).is_some_and(|other| other.stages.is_some());
                    if named && persona.stages.iter().any(|stage| stages.contains(stage)) {
                        self.report(
                            &format!("{at}.stages"),
                            format!("{} works on one of them already", persona.id),
                            "take it out of the `stages` of one of the two",
                        );
                    }
                    persona.stages.retain(|stage| !stages.contains(stage));
                }
            }
            let known = personas.iter().position(|persona| persona.id.as_str() == key);
            let index = match (known, &entry.name, &stages) {
                (Some(index), ..) => index,
                (None, Some(name), Some(stages)) => {
                    let Some(persona) = self.fresh(key, name, stages) else { continue };
                    personas.push(persona);
                    personas.len() - 1
                }
                (None, ..) => {
                    let ids: Vec<&str> = personas.iter().map(|persona| persona.id.as_str()).collect();
                    let help = match nearest(key, &ids) {
                        Some(near) => {
                            format!("did you mean [personas.{near}]? A new persona needs `name` and `stages`")
                        }
                        None => format!("known are: {}; a new persona needs `name` and `stages`", ids.join(", ")),
                    };
                    self.report(&at, format!("there is no persona {key:?}"), help);
                    continue;
                }
            };
            if let Some(persona) = personas.get_mut(index) {
                self.lay_over(persona, entry, stages, root);
            }
        }
        if let Some(model) = self.values.models.all.clone()
            && let Some(model) = self.parsed::<ModelName>("models.all", &model, MODEL)
        {
            for persona in &mut personas {
                persona.model = model.clone();
            }
        }
        personas.retain(|persona| !persona.stages.is_empty());
        for stage in Stage::ALL.iter().filter(|stage| stage.has_agent()) {
            if !personas.iter().any(|persona| persona.stages.contains(stage)) {
                self.report("personas", format!("nobody works on the stage {stage}"), "add it to a persona's `stages`");
            }
        }
        personas
    }

    fn stages(&mut self, at: &str, entry: &PersonaEntry) -> Option<Option<Vec<Stage>>> {
        let Some(names) = &entry.stages else { return Some(None) };
        let key = format!("{at}.stages");
        let mut stages = Vec::new();
        for name in names {
            match name.parse::<Stage>() {
                Ok(stage) if stage.has_agent() => stages.push(stage),
                Ok(stage) => {
                    let help = format!("leave {stage} out: the repository's own commands are all that runs there");
                    self.report(&key, format!("no persona works on the stage {stage}"), help);
                    return None;
                }
                Err(error) => {
                    let known = Stage::ALL.iter().filter(|stage| stage.has_agent());
                    let known: Vec<&str> = known.map(|stage| stage.as_str()).collect();
                    self.report(&key, error, unknown_key_hint(name, &known));
                    return None;
                }
            }
        }
        Some(Some(stages))
    }

    /// A persona of the team's own starts from the compiled-in one of its first stage.
    fn fresh(&mut self, key: &str, name: &str, stages: &[Stage]) -> Option<Persona> {
        let id =
            self.parsed(&format!("personas.{key}"), key, "small letters, digits and '-', as in [personas.own-guard]")?;
        let first = stages.first()?;
        let like = hydra_core::persona::defaults().into_iter().find(|persona| persona.stages.contains(first))?;
        Some(Persona {
            id,
            name: name.to_owned(),
            email: format!("{key}@hydra.invalid"),
            stages: stages.to_vec(),
            ..like
        })
    }

    fn lay_over(&mut self, persona: &mut Persona, entry: &PersonaEntry, stages: Option<Vec<Stage>>, root: &Path) {
        let at = format!("personas.{}", persona.id);
        let bad =
            |text: &String| text.trim().is_empty() || text.chars().any(|c| c.is_control() || matches!(c, '<' | '>'));
        for (field, text) in [("name", &entry.name), ("email", &entry.email)] {
            if text.as_ref().is_some_and(bad) {
                self.report(
                    &format!("{at}.{field}"),
                    "it may not be empty or hold '<', '>' or control characters: git would refuse it as an author",
                    "write a name, and an address without brackets",
                );
            }
        }
        persona.name = entry.name.clone().unwrap_or_else(|| persona.name.clone());
        persona.email = entry.email.clone().unwrap_or_else(|| persona.email.clone());
        persona.stages = stages.unwrap_or_else(|| persona.stages.clone());
        if let Some(driver) = &entry.driver {
            let known = ["claude", "codex", "gemini", "opencode", "demo"];
            if known.contains(&driver.as_str()) {
                persona.driver = driver.clone();
            } else {
                self.report(
                    &format!("{at}.driver"),
                    format!("there is no driver {driver:?}"),
                    unknown_key_hint(driver, &known),
                );
            }
        }
        if let Some(model) = &entry.model
            && let Some(model) = self.parsed(&format!("{at}.model"), model, MODEL)
        {
            persona.model = model;
        }
        let old = persona.limits;
        persona.limits = Limits {
            cpu_millis: entry.cpus.map_or(old.cpu_millis, millis),
            memory_mib: entry.memory_mib.unwrap_or(old.memory_mib),
            pids: entry.pids.unwrap_or(old.pids),
            minutes: entry.minutes.unwrap_or(old.minutes),
            turns: entry.turns.unwrap_or(old.turns),
        };
        if let Some(name) = &entry.prompt_file {
            match std::fs::read_to_string(root.join(name)) {
                Ok(text) if !text.trim().is_empty() => persona.prompt = text,
                Ok(_) => self.report(
                    &format!("{at}.prompt_file"),
                    format!("{name} is empty"),
                    "write the prompt into it, or leave the key out",
                ),
                Err(error) => self.report(
                    &format!("{at}.prompt_file"),
                    format!("{name} cannot be read: {}", crate::failure::in_words(&error)),
                    "the path is relative to hydra.toml; leave the key out for the persona's own prompt",
                ),
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the schema bounds it to 0.1 to 256")]
fn millis(cpus: f64) -> u32 {
    (cpus.clamp(0.1, 256.0) * 1000.0).round() as u32
}
