//! The command line of the one binary: a role each.

use crate::{
    Gate,
    confine::{self, Needs},
    gate, holder, model,
    netinit::{self, Step},
};
use clap::{Parser, Subcommand};
use hydra_core::egress::{Endpoint, HostName, gate::GateConfig};
use std::{
    collections::BTreeSet,
    fs,
    net::{SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};

/// How long a gate waits for its sockets.
const WAIT: Duration = Duration::from_secs(60);

#[derive(Debug, Parser)]
#[command(name = "hydra-gate", version, about = "The egress gate of one job")]
struct Cli {
    /// The folder that the three roles share, and no agent sees
    #[arg(long, global = true, default_value = "/run/hydra-gate")]
    dir: PathBuf,
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Owns the agent's network namespace and keeps the sockets
    Hold,
    /// Owns the gate's own network namespace
    Stand,
    /// Fences the agent's namespace, makes the sockets, proves the fence, and ends
    NetInit {
        /// A name that must resolve
        #[arg(long)]
        allowed: Option<HostName>,
        /// The port of a self-hosted model API
        #[arg(long)]
        model_port: Option<u16>,
        /// A fault, for tests: this step fails
        #[arg(long, hide = true, env = "HYDRA_GATE_FAIL_AT")]
        fail_at: Option<Step>,
    },
    /// Fences the gate's own namespace, and ends
    Close {
        /// A resolver that the gate may ask
        #[arg(long)]
        resolver: Vec<SocketAddr>,
        /// A self-hosted model API that it may reach; its name is looked up now
        #[arg(long)]
        model: Option<Endpoint>,
    },
    /// Serves
    Serve {
        /// What it may let through
        #[arg(long, default_value = "gate.json")]
        config: PathBuf,
    },
    /// For tests: confines itself as a gate does, and tries what one may not do
    #[command(hide = true)]
    Confined,
}

/// Does what the command line says.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.role {
        Role::Hold => holder::hold(&cli.dir).map_err(|error| format!("{}: {error}", cli.dir.display())),
        Role::Stand => loop {
            std::thread::park();
        },
        Role::NetInit { allowed, model_port, fail_at } => net_init(&cli.dir, allowed.as_ref(), *model_port, *fail_at),
        Role::Close { resolver, model } => close(resolver, model.as_ref()),
        Role::Serve { config } => serve(&cli.dir, config),
        Role::Confined => configured(&cli.dir.join("gate.json"))
            .and_then(|config| confine::tried::all(&config, &cli.dir.join(model::KEPT), say)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the runtime shows it as the reason of a start that failed")]
fn complain(why: &str) {
    eprintln!("hydra-gate: {why}");
}

#[expect(clippy::print_stdout, reason = "the runtime reads it")]
fn say(line: &str) {
    println!("{line}");
}

fn net_init(
    folder: &Path,
    allowed: Option<&HostName>,
    model: Option<u16>,
    fail_at: Option<Step>,
) -> Result<(), String> {
    let proof = netinit::run(folder, allowed, model, fail_at).map_err(|failed| failed.to_string())?;
    say(&serde_json::to_string(&proof).map_err(|error| error.to_string())?);
    Ok(())
}

fn close(resolvers: &[SocketAddr], model: Option<&Endpoint>) -> Result<(), String> {
    let model: BTreeSet<SocketAddr> = match model {
        None => BTreeSet::new(),
        Some(endpoint) => {
            let found = (endpoint.host(), endpoint.port()).to_socket_addrs();
            found.map_err(|error| format!("the model API {endpoint}: {error}"))?.collect()
        }
    };
    let table = hydra_egress::nft::gate(&resolvers.iter().copied().collect(), &model);
    netinit::command("nft", &["-f", "-"], &table).map(drop)
}

fn configured(path: &Path) -> Result<GateConfig, String> {
    let text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn serve(folder: &Path, config: &Path) -> Result<(), String> {
    let config = configured(&folder.join(config))?;
    let sockets = holder::take(folder, WAIT).map_err(|error| format!("the holder: {error}"))?;
    let kept = config.api.is_some().then(|| folder.join(model::KEPT));
    let needs = Needs::of(&config, kept.as_deref());
    let gate = Arc::new(Gate::new(config, Some(folder), Box::new(std::io::stdout()))?);
    // Everything is read, and no thread runs yet.
    let confined = confine::confine(&needs)?;
    // One thread: what a second one could carry more it takes away again by waking up for every small piece.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let mut end = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
        let stop = async move { _ = end.recv().await };
        gate::serve(gate, sockets, confined, stop).await.map_err(|error| error.to_string())
    })
}
