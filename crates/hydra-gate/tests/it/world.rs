//! A job's fence without containers: holder, net-init and gate as processes, each in the namespace that it has in a container.

use crate::internet::Internet;
use hydra_core::{
    ContainerType,
    egress::{
        HostName, InspectRule,
        gate::{Denial, GateConfig, GateLimits, GateLine, ModelRoute, SCHEMA},
    },
};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hydra-gate");

/// A process that is killed when the test is done with it.
pub(crate) struct Process(pub(crate) Child);
impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}
impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// A network namespace with nobody in it but one that sleeps.
pub(crate) fn namespace() -> Process {
    let made = Process::start(Command::new("unshare").args(["--net", "sleep", "600"]));
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    until("a namespace", || fs::read_link(format!("/proc/{}/ns/net", made.id())).is_ok_and(|its| its != own));
    made
}

pub(crate) fn until(what: &str, mut seen: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !seen() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} never comes");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A command in somebody's namespace.
pub(crate) fn inside(pid: u32, program: &str, args: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--target", &pid.to_string(), "--net", program]).args(args);
    command
}

/// The same, and it must go well.
pub(crate) fn run(pid: u32, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let output = inside(pid, words[0], &words[1..]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) struct World {
    pub(crate) internet: Internet,
    pub(crate) holder: Process,
    pub(crate) gate: Option<Process>,
    place: Process,
    dir: TempDir,
    config: GateConfig,
    /// How often the one refusal of the test was seen, where there is to be one: the report at its end must say so.
    refusals: AtomicU64,
}

/// What may be reached in every test.
const ALLOWED: [&str; 4] = ["api.example.org", "*.files.example.org", "inside.example.org", "nowhere.example.org"];

impl World {
    /// Fenced, proved, and served.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }
    pub(crate) fn with(change: impl FnOnce(&mut GateLimits)) -> Self {
        Self::before(change).fenced(&["--allowed", "api.example.org"])
    }
    /// With a model API that the gate signs for.
    pub(crate) fn api(route: ModelRoute, accounts: &[(&str, &str)]) -> Self {
        let mut world = Self::before(|_| {});
        let secrets: BTreeMap<_, _> = accounts.iter().copied().collect();
        fs::write(world.dir.path().join("accounts.json"), serde_json::to_vec(&secrets).unwrap()).unwrap();
        let port = route.port.to_string();
        world.config.api = Some(route);
        world.configure();
        world.fenced(&["--model-port", &port])
    }
    /// With inspected hosts, their certificate, and the credentials of registries.
    pub(crate) fn inspecting(
        change: impl FnOnce(&mut GateLimits),
        rules: BTreeMap<HostName, InspectRule>,
        certificate: &str,
        registries: &str,
    ) -> Self {
        let mut world = Self::before(change);
        fs::write(world.dir.path().join("inspect.pem"), certificate).unwrap();
        fs::write(world.dir.path().join("registries.json"), registries).unwrap();
        world.config.inspect = rules;
        world.configure();
        world.fenced(&["--allowed", "api.example.org"])
    }
    /// Fences it with a gate that serves, or with one that is started now.
    pub(crate) fn fenced(self, args: &[&str]) -> Self {
        let mut world = self;
        if world.gate.is_none() {
            world.serve();
        }
        let output = world.fence(args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        world.internet.forget();
        world
    }
    /// Nothing is fenced yet, and nothing serves.
    pub(crate) fn before(change: impl FnOnce(&mut GateLimits)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = namespace();
        let internet = Internet::new(place.id());
        let holder =
            Process::start(Command::new("unshare").args(["--net", PROGRAM, "--dir"]).arg(dir.path()).arg("hold"));
        until("the holder", || dir.path().join("holder.sock").exists());
        let mut limits =
            GateLimits { hello_millis: 1_500, connect_millis: 3_000, quiet_millis: 3_000, ..GateLimits::default() };
        change(&mut limits);
        let config = GateConfig {
            schema: SCHEMA,
            job: "hydra-test".into(),
            container_type: ContainerType::Builder,
            policy: "0".repeat(64),
            allow: ALLOWED.iter().map(|line| line.parse().unwrap()).collect(),
            model: None,
            api: None,
            inspect: BTreeMap::new(),
            resolvers: [internet.resolver()].into(),
            limits,
        };
        let world = Self { internet, holder, gate: None, place, dir, config, refusals: AtomicU64::new(0) };
        world.configure();
        world
    }
    /// Asks another resolver.
    pub(crate) fn resolved_by(mut self, at: SocketAddr) -> Self {
        self.config.resolvers = [at].into();
        self.configure();
        self
    }
    fn configure(&self) {
        fs::write(self.dir.path().join("gate.json"), serde_json::to_vec(&self.config).unwrap()).unwrap();
    }
    fn lines_of_gate(&self) -> PathBuf {
        self.dir.path().join("lines.jsonl")
    }
    /// Starts a gate.
    pub(crate) fn serve(&mut self) {
        self.serve_under(&[]);
    }
    /// Starts a gate by a command that does something to it first.
    pub(crate) fn serve_under(&mut self, by: &[&str]) {
        let lines = File::options().create(true).append(true).open(self.lines_of_gate()).unwrap();
        let dir = self.dir.path().display().to_string();
        let words = [by, &[PROGRAM, "--dir", dir.as_str(), "serve"]].concat();
        let mut command = inside(self.place.id(), words[0], &words[1..]);
        self.gate = Some(Process::start(command.stdout(lines)));
    }
    /// Runs net-init.
    pub(crate) fn fence(&self, args: &[&str]) -> Output {
        let dir = self.dir.path().display().to_string();
        let args = [&["--dir", dir.as_str(), "net-init"], args].concat();
        inside(self.holder.id(), PROGRAM, &args).output().unwrap()
    }
    /// What the gate has told so far.
    pub(crate) fn lines(&self) -> Vec<GateLine> {
        let text = fs::read_to_string(self.lines_of_gate()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
    /// The one refusal that was told, in short: reason, and what it was about.
    #[track_caller]
    pub(crate) fn one_refusal(&self) -> Denial {
        // What the kernel tells comes a moment later.
        let told = || -> Vec<Denial> {
            self.lines()
                .into_iter()
                .filter_map(|line| if let GateLine::Denied(denial) = line { Some(denial) } else { None })
                .collect()
        };
        until("a refusal", || !told().is_empty());
        std::thread::sleep(Duration::from_millis(150));
        let [one] = told().try_into().unwrap_or_else(|all: Vec<Denial>| panic!("{all:#?}"));
        assert_eq!((one.job.as_str(), one.layer), (self.config.job.as_str(), one.reason.layer()));
        self.refusals.store(1, Ordering::Relaxed);
        one
    }
    /// The same, of a test in which it comes so often.
    #[track_caller]
    pub(crate) fn one_refusal_of(&self, times: u64) -> Denial {
        let one = self.one_refusal();
        self.refusals.store(times, Ordering::Relaxed);
        one
    }
    /// Ends the gate and takes its report.
    pub(crate) fn report(&mut self) -> GateLine {
        let gate = self.gate.take().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(gate.id().cast_signed()), nix::sys::signal::Signal::SIGTERM)
            .unwrap();
        until("its report", || matches!(self.lines().last(), Some(GateLine::Report { .. })));
        self.lines().pop().unwrap()
    }
}

/// A line is told for the first refusal of its kind alone; how many there were says the report.
impl Drop for World {
    fn drop(&mut self) {
        let times = self.refusals.load(Ordering::Relaxed);
        if times == 0 || std::thread::panicking() {
            return;
        }
        if self.gate.is_some() {
            self.report();
        }
        let Some(GateLine::Report { denied, .. }) = self.lines().pop() else { panic!("no report") };
        let counts: Vec<_> = denied.iter().map(|denial| (denial.reason, denial.count)).collect();
        assert!(matches!(counts[..], [(_, count)] if count == times), "{times} wanted: {denied:#?}");
    }
}
