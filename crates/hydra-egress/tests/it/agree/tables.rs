//! What the texts for nft and iptables do with the first packet of a connection: rule by rule, the first that matches decides.

use ipnet::IpNet;
use std::net::IpAddr;

/// The rules of one chain of an nft table.
fn chain<'a>(table: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let from = table.split(&format!("chain {name} {{\n")).nth(1).unwrap();
    let rules = from.split("\n  }").next().unwrap().lines().map(str::trim);
    let mut rules = rules.peekable();
    assert!(rules.next().unwrap().ends_with("policy drop;"), "{table}");
    rules
}

fn holds(net: &str, ip: IpAddr) -> bool {
    match net.parse::<IpNet>() {
        Ok(net) => net.contains(&ip),
        Err(_) => net.parse::<IpAddr>().unwrap() == ip,
    }
}

/// The words between the first `{` and its `}`, or the one word that stands there.
fn set<'a>(words: &mut impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let first = words.next().unwrap();
    if first != "{" {
        return vec![first];
    }
    words.take_while(|word| *word != "}").map(|word| word.trim_end_matches(',')).collect()
}

/// Whether a new packet is accepted by this chain; `device` is the one that it leaves by.
fn accepted(table: &str, device: &str, ip: IpAddr, protocol: &str, port: u16) -> bool {
    'rules: for rule in chain(table, "output") {
        let mut words = rule.split_whitespace();
        loop {
            let matches = match words.next() {
                Some("accept") => return true,
                Some("reject") => return false,
                // The packet is new, and no ICMP.
                Some("ct" | "icmpv6") => false,
                // Told and counted, and on to the next rule.
                Some("limit") | None => false,
                Some("counter") => {
                    words.nth(1);
                    true
                }
                Some("oif") => words.next() == Some(&format!("\"{device}\"")),
                Some("ip") => words.next() == Some("daddr") && set(&mut words).iter().any(|net| holds(net, ip)),
                Some("ip6") => words.next() == Some("daddr") && set(&mut words).iter().any(|net| holds(net, ip)),
                Some("meta") => {
                    words.next() == Some("l4proto") && set(&mut words).contains(&protocol.to_lowercase().as_str())
                }
                Some("th") => words.next() == Some("dport") && set(&mut words).contains(&port.to_string().as_str()),
                Some("tcp") => {
                    let named = words.next() == Some("dport") && set(&mut words).contains(&port.to_string().as_str());
                    named && protocol == "TCP"
                }
                Some(other) => panic!("{other:?} in {rule:?}"),
            };
            if !matches {
                continue 'rules;
            }
        }
    }
    false
}

/// The gate's own table.
pub(crate) fn nft_gate(table: &str, ip: IpAddr, protocol: &str, port: u16) -> bool {
    accepted(table, "eth0", ip, protocol, port)
}

/// The table of the agent's namespace, for an address that only the any-IP routes know.
pub(crate) fn nft_agent(table: &str, protocol: &str, port: u16) -> bool {
    accepted(table, "lo", IpAddr::from([1, 1, 1, 1]), protocol, port)
}

/// The output rules of an `iptables-restore` file of the address's own family.
pub(crate) fn iptables(file: &str, ip: IpAddr, protocol: &str, port: u16) -> bool {
    assert!(file.contains(":OUTPUT DROP"), "{file}");
    'rules: for rule in file.lines().filter_map(|line| line.strip_prefix("-A OUTPUT ")) {
        let mut words = rule.split_whitespace();
        while let Some(word) = words.next() {
            let value = words.next().unwrap();
            let matches = match word {
                "-j" => return value == "ACCEPT",
                "-d" => holds(value, ip),
                "-p" => value.eq_ignore_ascii_case(protocol),
                "--dport" => value == port.to_string(),
                // Not over loopback.
                "-o" => value != "lo",
                // The packet is new.
                "--ctstate" => false,
                "-m" => true,
                other => panic!("{other:?} in {rule:?}"),
            };
            if !matches {
                continue 'rules;
            }
        }
    }
    false
}
