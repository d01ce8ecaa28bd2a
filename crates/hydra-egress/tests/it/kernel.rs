//! The forms that a kernel enforces, loaded into one: the same probes are fired at each, and what arrives is held against what the other tests
//! read in its text. Before each, the same probes go without it and arrive.

use crate::{
    agree::{PORTS, addresses, model, tables},
    world::{around, gate, self_hosted, withheld},
};
use hydra_core::{
    ContainerType,
    egress::{EgressPolicy, is_public},
};
use hydra_egress::{
    iptables::{Allowed, ip6tables, iptables},
    nft,
};
use std::{
    collections::BTreeSet,
    io::Write as _,
    net::IpAddr,
    process::{Child, Command, Stdio},
};

type Probe = (String, IpAddr, u16);

/// A process whose network namespace is its own; it ends with the test, and the namespace with it.
struct Namespace(Child);
impl Namespace {
    fn new() -> Self {
        let mut held = Command::new("unshare");
        held.args(["--net", "sh", "-c", "echo here; exec sleep 600"]);
        let mut child = held.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = [0; 5];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        Self(child)
    }
    fn run(&self, line: &str) {
        self.pipe(line, "");
    }
    /// Runs a program here with this as its standard input.
    fn pipe(&self, line: &str, input: &str) -> String {
        let mut words = line.split_whitespace();
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &self.0.id().to_string(), "--"]).args(words.by_ref());
        answered(&mut command, input)
    }
}
impl Drop for Namespace {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn answered(command: &mut Command, input: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Which of the probes that are fired in one namespace arrive at a device of another.
fn arrive(from: &Namespace, at: &Namespace, device: &str, probes: &BTreeSet<Probe>) -> BTreeSet<Probe> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/kernel/fire.py");
    let mut python = Command::new("python3");
    python.arg(script).args([from.0.id().to_string(), at.0.id().to_string(), device.to_owned()]);
    let arrived: Vec<Probe> =
        serde_json::from_str(&answered(&mut python, &serde_json::to_string(probes).unwrap())).unwrap();
    arrived.into_iter().filter(|probe| probes.contains(probe)).collect()
}

/// Each protocol, port and address, without the addresses that never leave a machine.
fn probes() -> BTreeSet<Probe> {
    let stays = |ip: &IpAddr| ip.is_loopback() || ip.is_unspecified() || ip.to_canonical() != *ip;
    let ips: BTreeSet<IpAddr> = addresses().into_iter().filter(|ip| !stays(ip)).collect();
    let each = |ip: IpAddr| PORTS.into_iter().map(move |(protocol, port)| (protocol.to_owned(), ip, port));
    ips.into_iter().flat_map(each).collect()
}

/// Two namespaces and a wire; the first sends every address over it.
fn wired() -> (Namespace, Namespace) {
    let (from, at) = (Namespace::new(), Namespace::new());
    from.run(&format!("ip link add eth0 type veth peer name wire netns {}", at.0.id()));
    from.run("ip link set lo up");
    from.run("ip addr add 11.0.0.2/24 dev eth0");
    from.run("ip addr add 2a00:1::2/64 dev eth0 nodad");
    at.run("ip link set wire address 02:00:00:00:00:01");
    at.run("ip link set wire up");
    from.run("ip link set eth0 up");
    for (family, gateway) in [("-4", "11.0.0.1"), ("-6", "2a00:1::1")] {
        from.run(&format!("ip {family} neigh add {gateway} lladdr 02:00:00:00:00:01 dev eth0 nud permanent"));
        from.run(&format!("ip {family} route add default via {gateway} dev eth0"));
    }
    (from, at)
}

/// Fires without rules, loads them, fires again: what arrived that may, and everything that arrived without them.
fn held(
    from: &Namespace,
    at: &Namespace,
    device: &str,
    all: &BTreeSet<Probe>,
    load: impl FnOnce(),
) -> [BTreeSet<Probe>; 2] {
    let open = arrive(from, at, device, all);
    assert!(open.len() * 10 > all.len() * 7, "without rules {} of {} probes arrive", open.len(), all.len());
    load();
    [arrive(from, at, device, &open), open]
}

fn expected(open: &BTreeSet<Probe>, accepts: impl Fn(&str, IpAddr, u16) -> bool) -> BTreeSet<Probe> {
    open.iter().filter(|(protocol, ip, port)| accepts(protocol, *ip, *port)).cloned().collect()
}

#[test]
#[ignore = "needs namespaces"]
fn a_kernel_with_the_gates_table_lets_out_what_the_policy_says() {
    let own = gate(&self_hosted(), ContainerType::Builder);
    let signed = withheld(own.clone(), "model.example.net:8443", true);
    let mut resolvers = own.clone();
    resolvers.resolvers = ["10.0.0.10:5353", "[2a00::53]:53"].map(|at| at.parse().unwrap()).into();
    for gate in [gate(&EgressPolicy::default(), ContainerType::Reviewer), own, signed, resolvers] {
        let (from, at) = wired();
        let at_model = model(&gate, &around());
        let table = nft::gate(&gate.resolvers, &at_model);
        let load = || drop(from.pipe("nft -f -", &table));
        let [seen, open] = held(&from, &at, "wire", &probes(), load);
        assert_eq!(seen, expected(&open, |protocol, ip, port| tables::nft_gate(&table, ip, protocol, port)));
        // What the policy means by it, said once more without its text.
        let named = |protocol: &str, at: (IpAddr, u16)| {
            protocol == "TCP" && at_model.contains(&at.into()) || gate.resolvers.contains(&at.into())
        };
        let means =
            |protocol: &str, ip, port| named(protocol, (ip, port)) || is_public(ip) && (protocol, port) == ("TCP", 443);
        assert_eq!(seen, expected(&open, means));
        assert!(seen.len() >= 4, "{seen:?}");
    }
}

#[test]
#[ignore = "needs namespaces"]
fn a_kernel_with_the_files_of_mode_in_container_lets_out_what_the_policy_says() {
    let https: BTreeSet<IpAddr> = ["1.1.1.1", "104.16.0.1", "2606:4700::1111"].map(|ip| ip.parse().unwrap()).into();
    let at_model = model(&gate(&self_hosted(), ContainerType::Builder), &around());
    for allowed in [Allowed::default(), Allowed { https, model: at_model, ..Allowed::default() }] {
        let (from, at) = wired();
        let files = [iptables(&allowed), ip6tables(&allowed)];
        let load = || {
            from.pipe("iptables-restore", &files[0]);
            from.pipe("ip6tables-restore", &files[1]);
        };
        let [seen, open] = held(&from, &at, "wire", &probes(), load);
        let rules = |ip: IpAddr| if ip.is_ipv4() { &files[0] } else { &files[1] };
        assert_eq!(seen, expected(&open, |protocol, ip, port| tables::iptables(rules(ip), ip, protocol, port)));
        let means = |protocol: &str, ip: IpAddr, port| {
            let named = allowed.https.contains(&ip) && port == 443 || allowed.model.contains(&(ip, port).into());
            protocol == "TCP" && named
        };
        assert_eq!(seen, expected(&open, means));
        assert_eq!(seen.len(), allowed.https.len() + allowed.model.len());
    }
}

#[test]
#[ignore = "needs namespaces"]
fn a_kernel_with_the_agents_table_leads_every_address_to_the_gates_ports_and_to_no_other() {
    for gate in [
        gate(&EgressPolicy::default(), ContainerType::Builder),
        withheld(gate(&self_hosted(), ContainerType::Builder), "api.anthropic.com:443", false),
    ] {
        let agent = Namespace::new();
        agent.run("ip link set lo up");
        agent.run("ip route add local 0.0.0.0/0 dev lo");
        agent.run("ip -6 route add local ::/0 dev lo");
        let ports: BTreeSet<u16> = gate.model_port().into_iter().collect();
        let table = nft::agent(&ports);
        let load = || drop(agent.pipe("nft -f -", &table));
        let [seen, open] = held(&agent, &agent, "lo", &probes(), load);
        assert_eq!(seen, expected(&open, |protocol, _, port| tables::nft_agent(&table, protocol, port)));
        let means = |protocol: &str, _, port| port == 53 || protocol == "TCP" && (port == 443 || ports.contains(&port));
        assert_eq!(seen, expected(&open, means));
        assert!(seen.len() > 50, "{}", seen.len());
    }
}
