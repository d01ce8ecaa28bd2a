//! Where attacks on a fence are tried: a network with a sink that counts every packet, and an image with the tools to undo a fence.

use super::{
    Yard, docker, exit,
    gated::{closed_network, gated, report},
    output,
};
use hydra_core::{
    egress::DenyReason,
    job::{ImageRef, JobSpec, Network},
    ports::Runtime as _,
};
use std::{io::Write as _, process::Command, process::Stdio};

/// The kernels of a bridge and of its members announce themselves, some seconds after they came up: that is nobody's packet.
const COUNTER: &str = "table inet sink {
  counter came {}
  chain arrivals {
    type filter hook prerouting priority -300; policy accept;
    icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld2-listener-report } accept
    ip protocol igmp accept
    iif != lo counter name came
  }
}
";

/// A command in somebody's network namespace.
pub(super) fn inside(pid: &str, line: &str) -> String {
    let words = line.split(' ');
    let output = Command::new("nsenter").args(["--target", pid, "--net"]).args(words).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The network of a gate, with a container on it that is nobody's, and counts what comes.
pub(super) struct Range {
    pub(super) network: String,
    /// The container's address; it serves port 9000.
    pub(super) sink: String,
    name: String,
    pid: String,
    instance: String,
}

/// What a test that failed has left.
impl Drop for Range {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let clear = r#"docker ps -aq --filter "label=hydra.instance=$1" | xargs docker rm -f "$2"
                docker volume ls -q --filter "label=hydra.instance=$1" | xargs -r docker volume rm; docker network rm "$3""#;
            // The panic is what is told.
            _ = Command::new("sh").args(["-c", clear, "sh", &self.instance, &self.name, &self.network]).output();
        }
    }
}

impl Range {
    pub(super) fn of(yard: &Yard) -> Self {
        let network = format!("{}-net", yard.instance);
        let name = format!("{}-sink", yard.instance);
        closed_network(&network);
        super::image();
        let serve = "nc -ll -p 9000 -e cat";
        let run = ["run", "-d", "--name", &name, "--network", &network, "--entrypoint", "sh"];
        docker(&[&run[..], &["hydra-test-busybox:1", "-c", serve]].concat());
        let address = docker(&["inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", &name]);
        let pid = docker(&["inspect", "-f", "{{.State.Pid}}", &name]);
        let mut nft = Command::new("nsenter");
        let mut nft = nft.args(["--target", &pid, "--net", "nft", "-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        nft.stdin.take().unwrap().write_all(COUNTER.as_bytes()).unwrap();
        assert!(nft.wait().unwrap().success());
        Self { network, sink: address, name, pid, instance: yard.instance.clone() }
    }
    /// Packets that have come so far.
    pub(super) fn packets(&self) -> u64 {
        let listed = inside(&self.pid, "nft --json list counter inet sink came");
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        listed["nftables"].as_array().unwrap().iter().find_map(|item| item["counter"]["packets"].as_u64()).unwrap()
    }
    /// A script in the sink's container.
    pub(super) fn as_neighbour(&self, script: &str) -> String {
        docker(&["exec", &self.name, "sh", "-c", script])
    }
    /// The same job on the network without a gate.
    pub(super) fn unfenced(&self, spec: &mut JobSpec) {
        spec.network = Network::Named(self.network.clone());
    }
    /// Runs a script as a job without a fence, where it must reach the sink, and then behind one, where no packet of it may.
    /// Returns what it said behind it, and everything that was refused.
    pub(super) async fn both(&self, yard: &mut Yard, script: &str) -> (Vec<String>, Vec<(DenyReason, String)>) {
        let mut open = yard.job(script);
        self.unfenced(&mut open);
        let before = self.packets();
        yard.runtime.start(&open).await.unwrap();
        exit(&yard.runtime, &open).await;
        assert!(self.packets() > before, "unfenced nothing arrives either: {:?}", output(&yard.runtime, &open).await);
        let before = self.packets();
        let mut spec = yard.job(script);
        gated(yard, &mut spec);
        yard.runtime.start(&spec).await.unwrap();
        exit(&yard.runtime, &spec).await;
        let said = output(&yard.runtime, &spec).await;
        let told = yard.runtime.collect(&spec.key.id(), 1000).await.unwrap().gate;
        assert_eq!(self.packets() - before, 0, "{said:?}");
        (said, report(&told))
    }
    /// Takes everything away.
    pub(super) async fn clear(self, yard: Yard) {
        yard.clear().await;
        docker(&["rm", "-f", &self.name]);
        docker(&["network", "rm", &self.network]);
    }
}

/// The container of a job's fence that has this role.
pub(super) fn part(spec: &JobSpec, role: &str) -> String {
    let labels = [format!("label=hydra.job={}", spec.key.id()), format!("label=hydra.role={role}")];
    docker(&["ps", "-aq", "--no-trunc", "--filter", &labels[0], "--filter", &labels[1]])
}

/// The process that owns the agent's namespace.
pub(super) fn holder(spec: &JobSpec) -> String {
    docker(&["inspect", "-f", "{{.State.Pid}}", &part(spec, "holder")])
}

/// Rules, routes and links of somebody's namespace.
pub(super) fn state(pid: &str) -> String {
    let lines = ["nft --stateless list ruleset", "ip route show table all", "ip -6 route show table all", "ip addr"];
    lines.map(|line| inside(pid, line)).concat()
}

/// An image that holds what images of Hydra do not: `nft` and `ip`, a setuid `ip` and `grep`, and an `ip` with NET_ADMIN in its file
/// capabilities. To be removed by whoever asked for it.
pub(super) fn tools(yard: &Yard) -> ImageRef {
    let name = format!("{}-tools", yard.instance);
    let make = "cd /usr/local/bin; for one in ip grep; do cp $(command -v $one) $one-setuid; chmod 4755 $one-setuid; done; \
                cp $(command -v ip) ip-caps; setcap cap_net_admin+ep ip-caps";
    let gate = super::gated::gate_image();
    docker(&["run", "--name", &name, "--network", "none", "--user", "0", "--entrypoint", "sh", &gate.pin, "-c", make]);
    let program = r#"ENTRYPOINT ["/bin/sh","/in/script.sh","/out"]"#;
    let pin = docker(&["commit", "--change", program, &name]);
    docker(&["rm", &name]);
    ImageRef { name: "tools".to_owned(), pin }
}
