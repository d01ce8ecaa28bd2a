//! `hydra render docker-run|iptables|ip6tables|nft|networkpolicy|cilium|gate`: exactly what would be run.

mod docker_run;
mod kubernetes;

use crate::{
    args::{FenceArgs, RenderCommand},
    compose,
    context::Context,
    exit::Exit,
    failure::Failure,
};
use hydra_core::{
    ContainerType, Stage,
    egress::{Endpoint, HostPattern, gate::GateConfig},
    job::Network,
};
use hydra_egress::{
    iptables::{self, Allowed},
    kubernetes::{cilium, network_policy},
    nft,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs},
};

pub(super) fn run(context: &Context, command: &RenderCommand) -> Result<Exit, Failure> {
    match command {
        RenderCommand::DockerRun { stage, documented } => docker_run::run(context, *stage, *documented),
        RenderCommand::Iptables(args) => fence(context, args, iptables::iptables),
        RenderCommand::Ip6tables(args) => fence(context, args, iptables::ip6tables),
        RenderCommand::Nft(args) => {
            let gate = gate(context, args.container)?;
            let table = nft::agent(&gate.model_port().into_iter().collect());
            if context.screen.json {
                context.screen.json("fence", &serde_json::json!({ "container": args.container, "table": table }))?;
            } else {
                context.screen.text(table.as_bytes())?;
            }
            Ok(Exit::Ok)
        }
        RenderCommand::Networkpolicy(args) => kubernetes::run(context, args, network_policy::network_policy),
        RenderCommand::Cilium(args) => kubernetes::run(context, args, cilium::cilium),
        RenderCommand::Gate(args) => {
            let gate = gate(context, args.container)?;
            let text =
                serde_json::to_string_pretty(&gate).map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
            context.screen.text(format!("{text}\n").as_bytes())?;
            Ok(Exit::Ok)
        }
    }
}

/// The gate of a stage that runs in a container of this type, as its first job would have it.
fn gate(context: &Context, container: ContainerType) -> Result<GateConfig, Failure> {
    match network(context, container)? {
        Network::Gated(gated) => Ok(gated.config),
        Network::None | Network::Named(_) => Err(Failure::new(
            Exit::Failed,
            format!("{container} containers stand behind no gate with this configuration"),
        )
        .help("egress.mode = \"isolated\" and runtime.kind = \"docker\" put one before every agent")),
    }
}

/// The network of the first job of a stage that runs in a container of this type.
fn network(context: &Context, container: ContainerType) -> Result<Network, Failure> {
    let settings = context.load()?.settings;
    let stage = Stage::ALL.iter().copied().find(|stage| stage.container() == container);
    let stage = stage.ok_or_else(|| Failure::new(Exit::Usage, format!("no stage runs in {container} containers")))?;
    Ok(compose::engine::sample(&settings, stage, compose::engine::Purpose::Print)?.network)
}

fn fence(context: &Context, args: &FenceArgs, render: fn(&Allowed) -> String) -> Result<Exit, Failure> {
    let policy = context.load()?.settings.egress;
    let given = given(&args.resolve)?;
    // Docker's own resolver passes questions on to the world: the fence closes it.
    let mut allowed = Allowed { closed_loopback: [Ipv4Addr::new(127, 0, 0, 11)].into(), ..Allowed::default() };
    let mut notes = Vec::new();
    for host in policy.hosts(args.container) {
        match host {
            HostPattern::Below(parent) => {
                notes.push(format!("*.{parent} stays closed: a pattern has no address"));
            }
            HostPattern::Exact(name) => match given.get(name.as_str()) {
                Some(addresses) => allowed.https.extend(addresses),
                None => match (name.as_str(), 443).to_socket_addrs() {
                    Ok(addresses) => allowed.https.extend(addresses.map(|at| at.ip())),
                    Err(_) => {
                        notes.push(format!("{name} stays closed: it does not resolve here (--resolve {name}=ADDRESS)"))
                    }
                },
            },
        }
    }
    if let Some(endpoint) = policy.model_endpoint(args.container) {
        allowed.model = addresses(endpoint, &given)?;
    }
    if context.screen.json {
        let body = serde_json::json!({ "container": args.container, "rules": render(&allowed), "notes": notes });
        context.screen.json("fence", &body)?;
        return Ok(Exit::Ok);
    }
    for note in notes {
        context.screen.line(format!("# {note}"))?;
    }
    context.screen.text(render(&allowed).as_bytes())?;
    Ok(Exit::Ok)
}

/// Where a self-hosted model API is: as given, or as it resolves here.
fn addresses(endpoint: &Endpoint, given: &BTreeMap<String, Vec<IpAddr>>) -> Result<BTreeSet<SocketAddr>, Failure> {
    if let Some(addresses) = given.get(endpoint.host()) {
        return Ok(addresses.iter().map(|ip| SocketAddr::new(*ip, endpoint.port())).collect());
    }
    let found = (endpoint.host(), endpoint.port()).to_socket_addrs().map(Iterator::collect);
    found.map_err(|_| {
        Failure::new(Exit::Failed, format!("the model endpoint {endpoint} does not resolve here"))
            .help(format!("--resolve {}=ADDRESS", endpoint.host()))
    })
}

fn given(pairs: &[String]) -> Result<BTreeMap<String, Vec<IpAddr>>, Failure> {
    let mut given: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for pair in pairs {
        let parsed = pair.split_once('=').and_then(|(host, ip)| Some((host.to_owned(), ip.parse::<IpAddr>().ok()?)));
        let Some((host, ip)) = parsed else {
            return Err(Failure::new(Exit::Usage, format!("--resolve {pair}: it must be HOST=ADDRESS")));
        };
        given.entry(host).or_default().push(ip);
    }
    Ok(given)
}
