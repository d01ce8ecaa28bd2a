//! The gate as it stands before a job: holder, net-init and gate, each in the namespace that it has in a container.

use crate::{
    contender::{Contender, Way},
    place::{Place, Process, until},
    server::{NAME, RESOLVER},
};
use hydra_core::{
    ContainerType,
    egress::{
        EgressPolicy,
        gate::{GateConfig, GateLimits, GateLine, ModelRoute},
    },
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::{self, File},
    net::Ipv4Addr,
    process::Command,
};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hydra-gate");
/// The address that the gate gives to the first name that it is asked for; net-init's proof asks for ours.
const FIRST: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

/// A fence whose gate stands in a namespace of somebody else's.
pub(crate) struct Fence {
    pub(crate) holder: Process,
    pub(crate) gate: Process,
    dir: TempDir,
}

impl Fence {
    /// `secrets` are the credentials of the route's accounts, JSON.
    pub(crate) fn new(place: &Place, api: Option<ModelRoute>, secrets: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        let folder = dir.path().display().to_string();
        let port = api.as_ref().map(|route| route.port.to_string());
        let config = GateConfig {
            allow: [NAME.parse().unwrap()].into(),
            api,
            resolvers: [RESOLVER].into(),
            // As many as are measured; a job has fewer.
            limits: GateLimits { connections: 20_000, bytes_up: u64::MAX, ..GateLimits::default() },
            ..GateConfig::of(&EgressPolicy::default(), ContainerType::Builder, "hydra-bench")
        };
        fs::write(file("gate.json"), serde_json::to_vec(&config).unwrap()).unwrap();
        fs::write(file("accounts.json"), secrets).unwrap();
        let mut hold = Command::new("unshare");
        let holder = Process::start(hold.args(["--net", PROGRAM, "--dir", &folder, "hold"]));
        until("the holder", || file("holder.sock").exists());
        Place::of(&holder).unpaced();
        let lines = File::create(file("lines.jsonl")).unwrap();
        let gate = Process::start(place.command(PROGRAM).args(["--dir", &folder, "serve"]).stdout(lines));
        let mut fence = Place::of(&holder).command(PROGRAM);
        fence.args(["--dir", &folder, "net-init", "--allowed", NAME]);
        if let Some(port) = &port {
            fence.args(["--model-port", port]);
        }
        let output = fence.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { holder, gate, dir }
    }
    /// The agent's namespace.
    pub(crate) fn agent(&self) -> Place {
        Place::of(&self.holder)
    }
    /// As a program reaches the host; `by_connect`: as one that insists on a proxy does.
    pub(crate) fn contender(&self, name: &str, by_connect: bool) -> Contender {
        let at = (FIRST, 443).into();
        let way = if by_connect { Way::Connect(at) } else { Way::Hello(at) };
        Contender { name: name.to_owned(), from: self.agent(), way, process: None }
    }
    /// What the gate has told last.
    fn last(&self) -> Option<GateLine> {
        let text = fs::read_to_string(self.dir.path().join("lines.jsonl")).unwrap();
        text.lines().last().map(|line| serde_json::from_str(line).unwrap())
    }
    /// Ends the gate and takes its report.
    pub(crate) fn report(self) -> GateLine {
        kill(Pid::from_raw(self.gate.id().cast_signed()), Signal::SIGTERM).unwrap();
        until("the gate's report", || matches!(self.last(), Some(GateLine::Report { .. })));
        self.last().unwrap()
    }
}
