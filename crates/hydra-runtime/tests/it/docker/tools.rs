//! Real tools behind a fence: each at a host that it may reach and at one that it may not, and what it says there, word by word. What
//! people are told of it stands in `docs/operations/egress.md`.

mod curl;
mod git;
mod image;
mod inspected;
mod internet;
mod node;
mod npm;
mod pip;
mod python;
mod resolver;

use super::{Yard, exit, gated::gated, output};
use hydra_core::{
    egress::Told,
    egress::gate::{Denial, GateConfig, Reached},
    job::{EnvValue, Gated, ImageRef, InputFile, JobSpec, Network},
    ports::Runtime as _,
};
use internet::Internet;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

/// A host that is there and in no policy.
const DENIED: &str = "elsewhere.example.net";
/// How long a tool may try what it may not.
const QUICK: Duration = Duration::from_secs(15);
/// The variables by which tools are told whom to believe; the wrapper sets the same.
const AUTHORITIES: [&str; 6] =
    ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS"];

/// Runs one line in a folder of its own. What differs from run to run is taken out of what it says.
const TRY: &str = r#"
try() {
  mkdir "/workspace/$1"; cd "/workspace/$1"; export HOME="$PWD"
  begun=$(date +%s%3N)
  timeout 60 sh -c "$2" >/tmp/said 2>&1 </dev/null; code=$?
  echo "@@@ $1 $code $(($(date +%s%3N) - begun))"
  sed -E -e 's/0x[0-9a-f]{8,}/0x0/g' -e 's/198\.1[89]\.[0-9]+\.[0-9]+/198.18.x.y/g' -e 's/after [0-9]+ ms/after N ms/' \
    -e 's/in [0-9.]+m?s$/in N s/' -e 's/[0-9TZ_-]+-debug-0\.log/TIME-debug-0.log/' -e "s/$INTERNET/INTERNET/g" \
    -e 's/[0-9A-F]{16}:error/ID:error/' -e 's/\(node:[0-9]+\)/(node:N)/' -e 's/ +$//' -e '$a\' /tmp/said
}
"#;

/// A name and what the shell is told.
type Try = (&'static str, String);

/// What a language's own clients say by name, by handshake at an address and by proxy. `page` makes a line of what stands before the program and
/// a host, `shake` one of a host and an address.
async fn of_a_language(page: fn(&str, &str) -> String, shake: fn(&str, &str) -> String, proxy: &str) -> String {
    let mut scene = Scene::new();
    scene.reaches(&[("denied", page("", DENIED))]).await;
    let allowed = "api.example.org";
    let tries = [
        ("allowed", page("", allowed)),
        // It is nobody's: the name goes to its own address wherever it is dialled.
        ("allowed-elsewhere", shake(allowed, "11.9.9.9")),
        ("allowed-by-proxy", page(proxy, allowed)),
        ("denied", page("", DENIED)),
        ("denied-by-address", shake(DENIED, "11.9.9.9")),
        ("denied-by-proxy", page(proxy, DENIED)),
    ];
    let seen = scene.fenced(&[allowed], &tries).await;
    scene.clear().await;
    seen.text()
}

/// How one of them ended.
struct Said {
    name: String,
    code: i32,
    took: Duration,
    text: String,
}

/// What a fenced job left.
struct Seen {
    said: Vec<Said>,
    told: Told,
    /// Where the internet was: another place in every run.
    internet: String,
}

/// The internet of one test and the jobs that are tried in it.
struct Scene {
    yard: Yard,
    image: ImageRef,
    internet: Internet,
}

impl Scene {
    fn new() -> Self {
        let yard = Yard::new();
        let image = image::image(&yard);
        let internet = Internet::new(format!("{}-net", yard.instance), &image);
        Self { yard, image, internet }
    }

    fn job(&mut self, tries: &[Try], authority: &str) -> JobSpec {
        let mut script = TRY.to_owned();
        for (name, line) in tries {
            // A quote in a line would end it.
            writeln!(script, "try {name} '{}'", line.replace('\'', r"'\''")).unwrap();
        }
        let mut spec = self.yard.job(&script);
        spec.image = self.image.clone();
        (spec.limits.memory_mib, spec.limits.pids, spec.limits.minutes) = (1024, 256, 5);
        spec.workspace_mib = 256;
        for (name, bytes) in [
            ("authority.pem", self.internet.file(authority)),
            ("package-lock.json", self.internet.file("package-lock.json")),
            (
                "package.json",
                br#"{ "name": "target", "version": "1.0.0", "dependencies": { "tiny": "1.0.0" } }"#.to_vec(),
            ),
        ] {
            spec.inputs.insert(name.to_owned(), InputFile::Bytes(bytes));
        }
        let variables = AUTHORITIES.map(|name| (name, "/in/authority.pem".to_owned()));
        let address = ("INTERNET", self.internet.address.clone());
        let plain = |(name, value): (&str, String)| (name.to_owned(), EnvValue::Plain(value));
        spec.env.extend(variables.into_iter().chain([address]).map(plain));
        spec
    }

    async fn run(&self, spec: &JobSpec) -> Vec<Said> {
        self.yard.runtime.start(spec).await.unwrap();
        let lines = tokio::time::timeout(Duration::from_secs(300), output(&self.yard.runtime, spec)).await.unwrap();
        assert_eq!(exit(&self.yard.runtime, spec).await, (0, false), "{lines:#?}");
        let mut said: Vec<Said> = Vec::new();
        for line in lines {
            if let Some(head) = line.strip_prefix("@@@ ") {
                let words: Vec<&str> = head.split(' ').collect();
                let (code, took) = (words[1].parse().unwrap(), Duration::from_millis(words[2].parse().unwrap()));
                said.push(Said { name: words[0].to_owned(), code, took, text: String::new() });
            } else {
                writeln!(said.last_mut().unwrap().text, "{line}").unwrap();
            }
        }
        said
    }

    /// The same without a fence: all of it succeeds, and is answered by the host that is in no policy.
    async fn reaches(&mut self, tries: &[Try]) {
        let mut spec = self.job(tries, "web.pem");
        spec.network = Network::Named(self.internet.network.clone());
        let before = self.calls(DENIED);
        for said in self.run(&spec).await {
            assert_eq!(said.code, 0, "without a fence {} fails too: {}", said.name, said.text);
        }
        assert!(self.calls(DENIED) >= before + tries.len(), "{:#?}", self.internet.log());
    }

    /// Behind a fence with these names.
    async fn fenced(&mut self, allow: &[&str], tries: &[Try]) -> Seen {
        let allowed = |config: &mut GateConfig| config.allow = allow.iter().map(|name| name.parse().unwrap()).collect();
        self.behind("web.pem", tries, |gate| allowed(&mut gate.config)).await
    }

    /// Behind a fence that is changed first. The host that is in no policy hears nothing.
    async fn behind(&mut self, authority: &str, tries: &[Try], change: impl FnOnce(&mut Gated)) -> Seen {
        let mut spec = self.job(tries, authority);
        gated(&self.yard, &mut spec);
        let Network::Gated(gate) = &mut spec.network else { unreachable!() };
        change(gate);
        let before = self.calls(DENIED);
        let said = self.run(&spec).await;
        assert_eq!(said.len(), tries.len());
        assert_eq!(self.calls(DENIED), before, "{:#?}", self.internet.log());
        let lines = self.yard.runtime.collect(&spec.key.id(), 1000).await.unwrap().gate;
        let told = Told::of(&lines).unwrap();
        assert!(told.exact, "{told:?}");
        Seen { said, told, internet: self.internet.address.clone() }
    }

    /// Requests that a host has been asked.
    fn calls(&self, host: &str) -> usize {
        self.internet.log().iter().filter(|line| line.starts_with(host)).count()
    }

    async fn clear(self) {
        self.yard.clear().await;
        drop(self.internet);
        let removed =
            Command::new("docker").args(["image", "rm", "-f", &self.image.pin]).stdout(Stdio::null()).status();
        assert!(removed.unwrap().success());
    }
}

impl Seen {
    /// All of it as one text: what each tool said and how it ended, then what the gate told of it.
    #[track_caller]
    fn text(&self) -> String {
        let mut text = String::new();
        for said in &self.said {
            assert!(said.took < QUICK, "{} took {:?}: {}", said.name, said.took, said.text);
            write!(text, "== {}: exit {}\n{}", said.name, said.code, said.text).unwrap();
        }
        text.push_str("== refused\n");
        let refused: BTreeMap<String, u64> = self.told.denied.iter().map(refusal).collect();
        assert_eq!(refused.len(), self.told.denied.len(), "{:#?}", self.told.denied);
        refused.keys().for_each(|line| writeln!(text, "{}", line.replace(&self.internet, "INTERNET")).unwrap());
        text.push_str("== reached\n");
        for &Reached { ref host, up, down, connections } in &self.told.reached {
            assert!(up > 0 && down > 0 && connections > 0, "{host}");
            writeln!(text, "{host}").unwrap();
        }
        text
    }
}

fn refusal(denial: &Denial) -> (String, u64) {
    let how = denial.proto.as_deref().unwrap_or_default();
    (format!("{} {} ({how})", denial.reason, denial.about()), denial.count)
}
