//! A network of the test's own with a sink on it that counts every packet it is sent, and agents to send them.

use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// The image of sink and agents: Debian with iptables, git and the tools of the attacks. It needs no registry.
const IMAGE: &str = "hydra-test-fence";
/// What the image holds besides the base.
const PACKAGES: &str = "iptables,iproute2,curl,python3,netcat-openbsd,libcap2-bin,git,ca-certificates";
/// The address that clouds serve metadata at, and its IPv6 twin.
pub(crate) const METADATA: [&str; 2] = ["169.254.169.254", "fd00:ec2::254"];

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Runs docker; its output as text.
pub(crate) fn docker(args: &[&str]) -> String {
    let output = docker_output(args);
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub(crate) fn docker_output(args: &[&str]) -> Output {
    Command::new("docker").args(args).output().expect("docker is there")
}

/// Makes the image where it is not there yet.
pub(crate) fn image() -> &'static str {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        let label = docker_output(&["image", "inspect", "-f", "{{json .Comment}}", IMAGE]);
        if !label.status.success() {
            let make = format!(
                "set -e; t=$(mktemp --suffix=.tar); mmdebstrap --quiet --variant=minbase --include={PACKAGES} bookworm \"$t\"; docker import \"$t\" {IMAGE}; rm -f \"$t\""
            );
            let made = Command::new("sh").args(["-c", &make]).output().expect("sh is there");
            assert!(made.status.success(), "the image: {}", String::from_utf8_lossy(&made.stderr));
        }
    });
    IMAGE
}

/// The wrapper's program, built where it is not there yet.
fn wrapper() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            if let Some(path) = std::env::var_os("HYDRA_AGENT_BIN") {
                return path.into();
            }
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
            let built = Command::new(env!("CARGO"))
                .args(["build", "--quiet", "-p", "hydra-agent"])
                .current_dir(root)
                .output()
                .expect("cargo is there");
            assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
            let test = std::env::current_exe().expect("the test knows itself");
            test.ancestors().nth(2).expect("target/debug/deps").join("hydra-agent")
        })
        .clone()
}

/// Network, sink and a folder for the jobs. All of it is removed with it.
pub(crate) struct Range {
    name: String,
    folder: tempfile::TempDir,
    /// The sink's addresses.
    pub(crate) v4: String,
    pub(crate) v6: String,
}

/// How a container is started, besides what they have in common.
#[derive(Default, Clone)]
pub(crate) struct How {
    pub(crate) docker: Vec<String>,
    pub(crate) image: Option<String>,
    /// Leave `NET_ADMIN` out.
    pub(crate) powerless: bool,
    /// Run as uid 0 before the wrapper, with its capabilities.
    pub(crate) before: String,
    /// Changes to `job.json`.
    pub(crate) job: Vec<(&'static str, Value)>,
}

/// What a run left.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Range {
    pub(crate) fn new() -> Self {
        let image = image();
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let name = format!("hydra-test-{}-{number}", std::process::id());
        // Unique local addresses, apart from those of other runs.
        let subnet = format!("fd5a:{:x}:{number:x}::/64", std::process::id() & 0xffff);
        docker(&["network", "create", "--ipv6", "--subnet", &subnet, &name]);
        let serve =
            "for p in 443 8443 9000; do nc -lk -p $p >/dev/null & nc -6 -lk -p $p >/dev/null & done; exec sleep 3600";
        docker(&[
            "run",
            "-d",
            "--init",
            "--name",
            &name,
            "--network",
            &name,
            "--network-alias",
            "sink",
            "--cap-add",
            "NET_ADMIN",
            image,
            "sh",
            "-c",
            serve,
        ]);
        let address = |field: &str| {
            docker(&[
                "inspect",
                "-f",
                &format!("{{{{range .NetworkSettings.Networks}}}}{{{{.{field}}}}}{{{{end}}}}"),
                &name,
            ])
        };
        let (v4, v6, bridge) = (address("IPAddress"), address("GlobalIPv6Address"), address("Gateway"));
        let folder = tempfile::tempdir().expect("a folder");
        let range = Self { name, folder, v4, v6 };
        range.in_sink(&format!(
            "ip addr add {}/32 dev eth0; ip addr add {}/128 dev eth0 nodad; \
             for tables in iptables ip6tables; do $tables -t raw -A PREROUTING -p tcp --tcp-flags RST RST -j ACCEPT; done; \
             iptables -t raw -A PREROUTING -s {bridge} -p igmp -j ACCEPT; \
             iptables -t raw -A PREROUTING -i eth0; \
             ip6tables -t raw -A PREROUTING -i eth0 ! -p ipv6-icmp; \
             ip6tables -t raw -A PREROUTING -i eth0 -p ipv6-icmp -m icmp6 --icmpv6-type echo-request",
            METADATA[0], METADATA[1]
        ));
        range.job();
        range
    }

    fn in_sink(&self, script: &str) -> String {
        docker(&["exec", &self.name, "sh", "-ec", script])
    }

    /// Packets that the sink has been sent so far: every IPv4 packet, and of IPv6 all but the neighbours' small talk.
    ///
    /// Not counted are resets: a new container gets the address of one that is gone, and its kernel answers what the sink still sends
    /// there. Who would send one on purpose has sent the packets of a connection before, or holds `NET_RAW`. Nor the IGMP report by which
    /// the bridge itself joins the group of snooping bridges (RFC 4286) at a time of its own: an agent's has the agent's address.
    pub(crate) fn packets(&self) -> u64 {
        let listed = self.in_sink("iptables -t raw -L PREROUTING -vnx; ip6tables -t raw -L PREROUTING -vnx");
        listed
            .lines()
            .filter(|line| line.contains("eth0"))
            .map(|line| line.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).expect("a counter"))
            .sum()
    }

    /// What the sink's counters hold and whom it has heard of, for the message of a test that fails.
    pub(crate) fn seen(&self) -> String {
        self.in_sink("iptables -t raw -L PREROUTING -vnx; ip6tables -t raw -L PREROUTING -vnx; ip neigh; nstat -a")
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    /// The folder `in` of a job on a small repository.
    fn job(&self) {
        let make = "set -e; mkdir -p in origin; cd origin; git init -q; echo one > a.txt; git add -A; \
                    git -c user.name=T -c user.email=t@example.test commit -qm base; \
                    git branch hydra-base; git branch hydra-head; \
                    git bundle create -q ../in/repo.bundle hydra-base hydra-head; git rev-parse HEAD > ../base";
        let made = Command::new("sh").args(["-c", make]).current_dir(self.folder.path()).output().expect("sh is there");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        for (name, text) in [("prompt.md", "task"), ("system.md", "persona")] {
            std::fs::write(self.path("in").join(name), text).expect("a file");
        }
    }

    /// The arguments of `docker run` for a job whose agent is the shell script `attack`, with `SINK4`, `SINK6` set.
    fn arguments(&self, fenced: bool, attack: &str, how: &How) -> Vec<String> {
        let base = std::fs::read_to_string(self.path("base")).expect("the base");
        let base = base.trim();
        let mut job = json!({
            "schema": 1, "job": "hydra-fence-1", "stage": "build", "issue": {"repo": "acme/app", "number": 7}, "base": base, "head": base,
            "branch": "hydra/x", "author_name": "Al Gorithm", "author_email": "al@example.test", "driver": "demo", "model": "m",
            "max_turns": 5, "deadline_secs": 60, "commands": [], "instruction_files": [],
            "fence": if fenced { "in-container" } else { "none" }, "allow_hosts": [], "model_endpoint": null, "read_only": false,
        });
        for (field, value) in &how.job {
            job[*field] = value.clone();
        }
        // Each run has a folder of its own: several may run at a time.
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let input = self.path(&format!("in-{number}"));
        std::fs::create_dir(&input).expect("a folder");
        for name in ["repo.bundle", "prompt.md", "system.md"] {
            std::fs::copy(self.path("in").join(name), input.join(name)).expect("a copy");
        }
        std::fs::write(input.join("job.json"), job.to_string()).expect("job.json");
        let agent = format!(
            "{attack}\necho '{{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"result\":\"ok\"}}'\n"
        );
        std::fs::write(input.join("agent.sh"), agent).expect("the agent");
        let mut args: Vec<String> =
            ["run", "--init", "--read-only", "--tmpfs", "/tmp:exec", "--tmpfs", "/workspace:exec", "--tmpfs", "/out"]
                .map(str::to_owned)
                .to_vec();
        args.extend(["--cap-drop", "ALL", "--network", &self.name].map(str::to_owned));
        if !how.powerless {
            args.push("--cap-add=NET_ADMIN".into());
        }
        args.extend(["-v".into(), format!("{}:/usr/local/bin/hydra-agent:ro", wrapper().display())]);
        args.extend(["-v".into(), format!("{}:/in:ro", input.display())]);
        for pair in [
            format!("SINK4={}", self.v4),
            format!("SINK6={}", self.v6),
            "REPO_URL=https://forge.invalid/acme/app".into(),
            "ISSUE_URL=https://forge.invalid/acme/app/issues/7".into(),
            "SPEC_PATH=/spec".into(),
            "HYDRA_MODE=build".into(),
            "HYDRA_JOB=hydra-fence-1".into(),
            "GITHUB_ORG=acme".into(),
            r#"HYDRA_DEMO_AGENT=["sh","/in/agent.sh"]"#.into(),
        ] {
            args.extend(["-e".into(), pair]);
        }
        args.extend(how.docker.iter().cloned());
        args.push(how.image.clone().unwrap_or_else(|| IMAGE.into()));
        let before = if how.before.is_empty() { "true" } else { &how.before };
        // What the agent prints is kept from the wrapper's events, so its words are read from a file.
        args.extend(["sh".into(), "-c".into(), format!("{before}; exec hydra-agent")]);
        args
    }

    /// Runs a job to its end.
    pub(crate) fn run(&self, fenced: bool, attack: &str, how: &How) -> Run {
        let mut args = self.arguments(fenced, attack, how);
        args.insert(1, "--rm".into());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = docker_output(&args);
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts a job whose agent waits for `/tmp/end`; returns when the agent runs.
    pub(crate) fn start(&self, fenced: bool, how: &How) -> Held {
        let name = format!("{}-agent-{}", self.name, COUNT.fetch_add(1, Ordering::SeqCst));
        let mut args = self.arguments(fenced, "touch /tmp/ready; while [ ! -e /tmp/end ]; do sleep 0.05; done", how);
        args.splice(1..1, ["-d", "--name", &name].map(str::to_owned));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        docker(&args);
        let held = Held { name };
        let since = Instant::now();
        while !held.exec("0", "test -e /tmp/ready").status.success() {
            assert!(since.elapsed() < Duration::from_secs(30), "{}", docker(&["logs", &held.name]));
            std::thread::sleep(Duration::from_millis(50));
        }
        held
    }

    /// The attack in both ways: unfenced it must reach the sink, fenced it must not.
    pub(crate) fn both(&self, attack: &str, how: &How) {
        let before = self.packets();
        let open = self.run(false, attack, how);
        let reached = self.packets() - before;
        assert!(reached > 0, "unfenced the attack must succeed: {}\n{}", open.stdout, open.stderr);
        let fenced = self.run(true, attack, how);
        assert_eq!(fenced.code, 0, "{}\n{}", fenced.stdout, fenced.stderr);
        assert!(!fenced.stdout.contains("\"event\":\"denied\""), "there is no gate, so there is no event");
        assert_eq!(
            self.packets() - before - reached,
            0,
            "fenced, the sink must see nothing: {}\n{}",
            fenced.stdout,
            self.seen()
        );
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        docker_output(&["rm", "-f", &self.name]);
        docker_output(&["network", "rm", &self.name]);
    }
}

/// A running agent.
pub(crate) struct Held {
    pub(crate) name: String,
}

impl Held {
    /// A command in its container, as the agent is: without any capability, and under no-new-privileges where the container is.
    pub(crate) fn exec(&self, user: &str, script: &str) -> Output {
        // `docker exec` gives uid 0 the container's capabilities, which the agent gave up.
        let dropped = ["exec", "-u", user, &self.name, "capsh", "--caps=", "--", "-c", script];
        let plain = ["exec", "-u", user, &self.name, "sh", "-c", script];
        docker_output(if user == "0" { &dropped } else { &plain })
    }

    /// SHA-256 of the rules and routes of its network namespace, seen from outside.
    pub(crate) fn state(&self) -> String {
        docker(&[
            "run",
            "--rm",
            "--network",
            &format!("container:{}", self.name),
            "--cap-add",
            "NET_ADMIN",
            IMAGE,
            "sh",
            "-c",
            "{ iptables-save; ip6tables-save; } | grep -v '^#' | sed 's/\\[[0-9:]*\\]//' > /tmp/s; ip route >> /tmp/s; ip -o link | cut -d: -f2 >> /tmp/s; sha256sum < /tmp/s",
        ])
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        docker_output(&["rm", "-f", &self.name]);
    }
}

/// Sends to the sink over everything: TCP and UDP, both families.
pub(crate) const SEND: &str =
    "for s in $SINK4 $SINK6; do nc -z -w1 $s 9000; nc -z -w1 $s 443; echo x | nc -u -w1 $s 9999; done; true";
