//! A walk over broken configurations and secrets: every error names the file, the line where there is one, and the next step.

use crate::harness::Sandbox;
use serde_json::Value;

/// One mistake: the text of the file, the line that is wrong (0: none is named), words of the message.
type Row = (&'static str, u64, &'static str);

/// Mistakes in `hydra.toml`, one for every place that finds one.
const TOML: &[Row] = &[
    // It is no TOML.
    ("instance = \"a\n", 1, "this is not valid TOML"),
    ("[github]\norg = acme\n", 2, "this is not valid TOML"),
    ("[github\n", 1, "this is not valid TOML"),
    ("instance = \"a\"\ninstance = \"b\"\n", 2, "this is not valid TOML"),
    // It is not as the schema has it.
    ("nonsense = 1\n", 1, "there is no key `nonsense`"),
    ("[github]\nrepo = []\n", 2, "there is no key `github.repo`"),
    ("[github]\nbuilder_token = \"x\"\n", 2, "there is no key `github.builder_token`"),
    ("github = 1\n", 1, "`github` must be a table"),
    ("[instance]\nname = \"x\"\n", 1, "`instance` must be a text in quotes"),
    ("[[slots]]\ntotal = 1\n", 1, "`slots` must be a table"),
    ("[github]\nrepos = \"a/b\"\n", 2, "`github.repos` must be a list"),
    ("[github]\nrepos = [1]\n", 2, "`github.repos[0]` must be a text in quotes"),
    ("[github]\nproject = \"1\"\n", 2, "`github.project` must be a whole number"),
    ("[github]\nproject = 0\n", 2, "`github.project` must be at least 1"),
    ("[github]\napi_url = \"https://ada:horse@ghe.example/api/v3\"\n", 2, "it may hold no user and no password"),
    ("[models]\nbase_url = \"https://horse@models.example\"\n", 2, "it may hold no user and no password"),
    ("[github]\nallow_classic_pat = \"yes\"\n", 2, "`github.allow_classic_pat` must be true or false"),
    ("[personas.al-gorithm]\ncpus = \"2\"\n", 2, "`personas.al-gorithm.cpus` must be a number"),
    ("[personas.al-gorithm]\ncpus = 0.01\n", 2, "`personas.al-gorithm.cpus` must be from 0.1 to 256"),
    ("[personas.al-gorithm]\nturns = 0\n", 2, "`personas.al-gorithm.turns` must be from 1 to 10000"),
    ("[pipeline]\nmax_fix_rounds = 99\n", 2, "`pipeline.max_fix_rounds` must be from 0 to 20"),
    ("[pipeline]\nlease = 60\n", 2, "`pipeline.lease` must be a length of time"),
    ("[pipeline]\nlease = \"60\"\n", 2, "`pipeline.lease` is not a length of time"),
    ("[pipeline]\nlease = \"31d\"\n", 2, "`pipeline.lease` is not a length of time"),
    ("[pipeline]\nlease = 2026-01-01\n", 2, "`pipeline.lease` must be a length of time"),
    ("identities = \"many\"\n", 1, "`identities` must be one of"),
    ("[runtime]\nkind = \"podman\"\n", 2, "`runtime.kind` must be one of"),
    ("[prices.mine]\ninput = 1\noutput = 1\ncache_read = 1\n", 1, "`prices.mine` lacks `cache_write`"),
    ("[runtime.services.db]\nimage = \"postgres\"\nport = 5432\n", 1, "`runtime.services.db` lacks `pin`"),
    ("[budget]\nday_usd = -1\n", 2, "`budget.day_usd` "),
    // Its values cannot be what they stand for.
    ("instance = \"a b\"\n", 1, "`instance`: "),
    ("[github]\napi_url = \"http://github.example.com\"\n", 2, "`github.api_url`: "),
    ("[github]\nweb_url = \"github.com\"\n", 2, "`github.web_url`: "),
    ("[github]\norg = \"a b\"\n", 2, "`github.org`: "),
    ("[github]\nrepos = [\"widgets\"]\n", 2, "`github.repos`: \"widgets\" has no owner"),
    ("[github]\nrepos = [\"a/b/c\"]\n", 2, "`github.repos`: "),
    ("[github]\nproject = 1\n", 2, "`github.project`: a board needs its owner"),
    ("[github.logins]\nbilder = \"ada\"\n", 2, "`github.logins.bilder`: "),
    ("[github.logins]\nbuilder = \"a b\"\n", 2, "`github.logins.builder`: "),
    ("identities = \"single\"\n[github]\nrepos = [\"a/b\", \"a/c\"]\n", 3, "`github.repos`: "),
    ("[pipeline]\ntrigger_label = \"\"\n", 2, "`pipeline.trigger_label`: "),
    ("[pipeline]\ntrigger_label = \"a,b\"\n", 2, "`pipeline.trigger_label`: "),
    ("[pipeline]\ntrigger_label = \"done\"\n", 2, "`pipeline.trigger_label`: "),
    ("[pipeline]\nlabel_prefix = \"a prefix that is much too long to be one\"\n", 2, "`pipeline.label_prefix`: "),
    ("[pipeline]\nyolo_allowed = [\"a b\"]\n", 2, "`pipeline.yolo_allowed`: "),
    ("[pipeline]\nlease = \"59s\"\n", 2, "`pipeline.lease`: "),
    ("[pipeline]\npoll_interval = \"4s\"\n", 2, "`pipeline.poll_interval`: "),
    ("[pipeline.retry]\nbase = \"10m\"\ncap = \"1m\"\n", 3, "`pipeline.retry.cap`: "),
    ("[slots]\ntotal = 1\n[slots.weights]\nbuilder = 2\n", 4, "`slots.weights.builder`: "),
    ("[models]\nbase_url = \"models.example.com\"\n", 2, "`models.base_url`: "),
    ("[models]\nall = \"a b\"\n", 2, "`models.all`: "),
    ("[models]\nall = \"of-next-year\"\n", 2, "`models.all`: "),
    (
        "[models]\nauthority_file = \"nowhere.pem\"\nbase_url = \"https://127.0.0.1:1\"\n",
        2,
        "nowhere.pem: it is not there",
    ),
    ("[models]\nauthority_file = \"ca.pem\"\nbase_url = \"http://127.0.0.1:1\"\n", 2, "`models.authority_file`: "),
    ("[keys]\npublic = [\"abc\"]\n", 2, "`keys.public`: "),
    ("[personas.al-gorithm]\nmodel = \"of-next-year\"\n", 2, "`personas.al-gorithm.model`: "),
    ("[personas.al-gorithm]\nmodel = \"a b\"\n", 2, "`personas.al-gorithm.model`: "),
    ("[personas.al-gorithm]\ndriver = \"cloude\"\n", 2, "`personas.al-gorithm.driver`: "),
    ("[personas.al-gorithm]\nname = \"<\"\n", 2, "`personas.al-gorithm.name`: "),
    (
        "[personas.al-gorithm]\nprompt_file = \"nowhere.md\"\n",
        2,
        "`personas.al-gorithm.prompt_file`: nowhere.md cannot be read: it is not there",
    ),
    ("[personas.al-gorithm]\nprompt_file = \"empty.md\"\n", 2, "`personas.al-gorithm.prompt_file`: empty.md is empty"),
    ("[personas.al-gorithm]\nstages = [\"biuld\"]\n", 2, "`personas.al-gorithm.stages`: "),
    ("[personas.al-gorithm]\nstages = [\"quality\"]\n", 2, "`personas.al-gorithm.stages`: "),
    ("[personas.axel-plier]\nstages = []\n", 1, "`personas`: nobody works on the stage apply"),
    ("[personas.al-gorihtm]\nturns = 2\n", 1, "`personas.al-gorihtm`: there is no persona"),
    ("[personas.\"A b\"]\nname = \"x\"\nstages = [\"fix\"]\n", 1, "`personas.A b`: "),
    (
        "[personas.a]\nname = \"A\"\nstages = [\"fix\"]\n[personas.al-gorithm]\nstages = [\"build\", \"fix\", \"fix-quality\"]\n",
        3,
        "`personas.a.stages`: al-gorithm works on one of them already",
    ),
    ("[egress]\nbase = [\"https://a.example.com\"]\n", 2, "`egress.base`: "),
    ("[egress]\nfloor = [\n\"a.example.com\",\n\"*\",\n]\n", 4, "`egress.floor`: "),
    ("[egress.extra]\nbilder = []\n", 2, "`egress.extra.bilder`: "),
    ("[egress]\nmodel_endpoint = \"nowhere\"\n", 2, "`egress.model_endpoint`: "),
    ("[egress.inspect.\"*.example.com\"]\n", 1, "`egress.inspect.\"*.example.com\"`: "),
    ("[egress.inspect.\"a.example.com\"]\n", 1, "`egress.inspect.\"a.example.com\"`: no list"),
    ("[egress]\nmode = \"in-container\"\n[egress.inspect.\"registry.npmjs.org\"]\n", 3, "`egress.inspect`: "),
    ("[egress.inspect.\"registry.npmjs.org\"]\nmethods = []\n", 2, "`egress.inspect.\"registry.npmjs.org\".methods`: "),
    (
        "[egress.inspect.\"registry.npmjs.org\"]\nmethods = [\"g t\"]\n",
        2,
        "`egress.inspect.\"registry.npmjs.org\".methods`: ",
    ),
    (
        "[egress.inspect.\"registry.npmjs.org\"]\npaths = [\"x\"]\n",
        2,
        "`egress.inspect.\"registry.npmjs.org\".paths`: ",
    ),
    (
        "[egress.inspect.\"registry.npmjs.org\"]\ncredential = \"npm\"\n",
        2,
        "`egress.inspect.\"registry.npmjs.org\".credential`: ",
    ),
    (
        "[egress.inspect.\"registry.npmjs.org\"]\nauthority_file = \"empty.md\"\n",
        2,
        "`egress.inspect.\"registry.npmjs.org\".authority_file`: ",
    ),
    ("[runtime.toolchains]\nrust = \"rust:1.90\"\n", 2, "`runtime.toolchains.\"rust\"`: "),
    ("[runtime.services.\"A b\"]\nimage = \"p\"\npin = \"PIN\"\nport = 1\n", 1, "`runtime.services.\"A b\"`: "),
    ("[runtime.services.db]\nimage = \"p\"\npin = \"PIN\"\nport = 443\n", 4, "`runtime.services.\"db\".port`: "),
    ("[runtime.services.db]\nimage = \"p\"\npin = \"p:16\"\nport = 1\n", 3, "`runtime.services.\"db\".pin`: "),
    (
        "[runtime.services.db]\nimage = \"p\"\npin = \"PIN\"\nport = 1\nmemory_mib = 1\n",
        5,
        "`runtime.services.\"db\".memory_mib`: ",
    ),
    (
        "[runtime.services.db]\nimage = \"p\"\npin = \"PIN\"\nport = 1\nuser = \"root\"\n",
        5,
        "`runtime.services.\"db\".user`: ",
    ),
    // It says nothing of what a pipeline needs.
    ("", 0, "nothing says where to look for issues"),
];

/// Mistakes in `secrets/.env`.
const DOTENV: &[Row] = &[
    ("", 0, "this file is empty"),
    ("#\nexport A=1\n", 2, "`export` means something to a shell only"),
    ("#\nGITHUB_ORG\n", 2, "the line has no `=`"),
    ("#\nGITHUB_ORG = acme\n", 2, "there is white space"),
    ("#\nGITHUB-ORG=acme\n", 2, "what stands before the `=` is no variable's name"),
    ("#\nGITHUB_ORG=\"acme\"\n", 2, "the value of GITHUB_ORG holds quotes"),
    ("#\nGITHUB_ORG=acme # ours\n", 2, "the value of GITHUB_ORG is followed by a comment"),
    ("#\nGITHUB_ORG=a b\n", 2, "the value of GITHUB_ORG holds white space"),
    ("#\nGITHUB_ORG=$ORG\n", 2, "the value of GITHUB_ORG holds a character"),
    ("#\nGITHUB_ORG=acme\r\n", 2, "the line ends with a carriage return"),
    ("#\nGITHUB_ORG=a\u{1}\n", 2, "the value of GITHUB_ORG holds a control character"),
    ("\u{feff}GITHUB_ORG=acme\n", 1, "the file begins with a byte-order mark"),
    ("GITHUB_ORG=a\nGITHUB_ORG=b\n", 2, "GITHUB_ORG is set a second time"),
    ("#\nHYDRA_TRIGER_LABEL=go\n", 2, "Hydra reads no variable HYDRA_TRIGER_LABEL"),
    ("#\nHYDRA_ZZZ=go\n", 2, "Hydra reads no variable HYDRA_ZZZ"),
];

/// Mistakes in `secrets/credentials.json`. JSON says where it is broken; what is wrong in it is named by its path.
const CREDENTIALS: &[Row] = &[
    (" \n", 0, "this file is empty"),
    ("{\n\"git_tokens\": {},\n}\n", 3, "this is not valid JSON"),
    ("[]", 0, "the file must hold one JSON object"),
    ("{\"tokens\": {}}", 0, "the file has no key \"tokens\""),
    ("{\"git_tokens\": []}", 0, "git_tokens must be an object"),
    ("{\"git_tokens\": {\"bilder\": \"x\"}}", 0, "git_tokens has no key \"bilder\""),
    ("{\"git_tokens\": {\"builder\": 5}}", 0, "git_tokens.builder must be a text"),
    ("{\"claude_accounts\": {}}", 0, "claude_accounts must be a list"),
    ("{\"claude_accounts\": [1]}", 0, "claude_accounts[0] must be an object"),
    ("{\"claude_accounts\": [{\"token\": \"t\"}]}", 0, "claude_accounts[0].name must be a text"),
    ("{\"claude_accounts\": [{\"name\": \"\", \"token\": \"t\"}]}", 0, "claude_accounts[0].name: "),
    (
        "{\"claude_accounts\": [{\"name\": \"sk-ant-oat01-s3cret00\", \"token\": \"t\"}]}",
        0,
        "claude_accounts[0].name looks like a token",
    ),
    ("{\"claude_accounts\": [{\"name\": \"a\", \"token\": 1}]}", 0, "claude_accounts[0].token must be a text"),
    (
        "{\"claude_accounts\": [{\"name\": \"a\", \"token\": \"t\", \"priority\": \"1\"}]}",
        0,
        "claude_accounts[0].priority must be a whole number",
    ),
    (
        "{\"claude_accounts\": [{\"name\": \"a\", \"token\": \"t\", \"kind\": \"x\"}]}",
        0,
        "claude_accounts[0].kind must be",
    ),
    (
        "{\"claude_accounts\": [{\"name\": \"a\", \"token\": \"t\"}, {\"name\": \"a\", \"token\": \"u\"}]}",
        0,
        "two entries of claude_accounts",
    ),
    ("{\"registries\": []}", 0, "registries must be an object"),
    ("{\"registries\": {\"a b\": {\"token\": \"t\"}}}", 0, "a name in registries"),
    ("{\"registries\": {\"npm\": \"t\"}}", 0, "registries.npm must be an object"),
    ("{\"registries\": {\"npm\": {}}}", 0, "registries.npm.token must be a text"),
    ("{\"registries\": {\"npm\": {\"token\": \"t\", \"user\": \"a:b\"}}}", 0, "registries.npm.user must be a text"),
];

/// Mistakes in the environment: the variable, its value, words of the message. The variable is the place.
const VARIABLES: [(&str, &str, &str); 6] = [
    ("HYDRA_PROJECT_NUMBER", "one", "HYDRA_PROJECT_NUMBER in environment must be a whole number"),
    ("HYDRA_MODEL", "of-next-year", "`models.all`: "),
    ("HYDRA_TRIGGER_LABEL", "a,b", "`pipeline.trigger_label`: "),
    ("HYDRA_BUILDER_TOKEN", "12345", "environment (HYDRA_BUILDER_TOKEN) is a bare number"),
    ("HYDRA_SIGNING_KEY", "abc", "environment (HYDRA_SIGNING_KEY): "),
    ("HYDRA_CONFIG", "nowhere.toml", "this file cannot be read: it is not there"),
];

/// The first problem that `hydra config check` finds. A person is told the same of each as a program, with its place and the next step.
fn first(sandbox: &Sandbox) -> Result<(i32, Value), String> {
    let (ran, text) = (sandbox.run(&["config", "check", "--json"]), sandbox.run(&["config", "check"]));
    let said: Value = serde_json::from_str(&ran.err).map_err(|error| format!("{error}: {}", ran.all()))?;
    let told = |problem: &Value| {
        let help = problem["help"].as_str().unwrap_or_default();
        let place = match (problem["file"].as_str(), problem["line"].as_u64()) {
            (Some(file), Some(line)) => format!("error: {file}:{line}: "),
            (Some(file), None) => format!("error: {file}: "),
            (None, _) => "error: ".to_owned(),
        };
        help.len() > 5 && text.err.contains(&place) && text.err.contains(&format!("  help: {help}\n"))
    };
    let problems = said["problems"].as_array().unwrap();
    let good = (text.code, text.out.as_str()) == (ran.code, "") && problems.iter().all(told);
    let errors = text.err.lines().filter(|line| line.starts_with("error: ")).count();
    match problems.first().filter(|_| good && errors == problems.len()) {
        Some(problem) => Ok((ran.code, problem.clone())),
        None => Err(format!("{}{}", ran.all(), text.all())),
    }
}

fn walk(file: &str, rows: &[Row], exit: i32) {
    let mut wrong = Vec::new();
    for (text, line, words) in rows {
        let sandbox = Sandbox::complete();
        sandbox.write("empty.md", "");
        sandbox.write("ca.pem", "-----BEGIN CERTIFICATE-----\n");
        // No variable goes before what the file says.
        sandbox.secret("secrets/.env", format!("HYDRA_SIGNING_KEY={}\n", "7".repeat(64)));
        sandbox.secret(file, text.replace("PIN", &format!("sha256:{}", "0".repeat(64))));
        let right = |problem: &Value| {
            problem["message"].as_str().unwrap().contains(words)
                && problem["file"].as_str().unwrap_or_default().ends_with(file)
                && problem["line"].as_u64().unwrap_or(0) == *line
        };
        match first(&sandbox) {
            Ok((code, problem)) if code == exit && right(&problem) => {}
            Ok((code, problem)) => wrong.push(format!("{text}exit {code}, {problem}")),
            Err(why) => wrong.push(format!("{text}{why}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_mistake_in_hydra_toml_is_told_with_its_line_and_the_next_step() {
    walk("hydra.toml", TOML, 3);
}

#[test]
fn every_mistake_in_the_secrets_is_told_with_its_place_and_the_next_step() {
    walk("secrets/.env", DOTENV, 4);
    walk("secrets/credentials.json", CREDENTIALS, 4);
}

#[test]
fn every_mistake_in_the_environment_is_told_with_the_variable_and_the_next_step() {
    for (name, value, words) in VARIABLES {
        let (code, problem) = first(&Sandbox::complete().env(name, value)).unwrap();
        let told = format!("{} {}", problem["file"].as_str().unwrap_or_default(), problem["message"].as_str().unwrap());
        assert!(matches!(code, 3 | 4) && told.contains(words), "{name}: {problem}");
        assert!(told.contains(name) || told.contains(value), "{name}: {problem}");
    }
}
