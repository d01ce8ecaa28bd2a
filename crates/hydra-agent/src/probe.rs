//! `HYDRA_MODE=probe-egress`: the wrapper makes or proves its fence as before every job, then tries what an agent could try, writes down
//! what it saw, and ends. It judges nothing: whoever started it does.

mod dial;
mod dns;
mod hello;
mod netlink;

use crate::{
    AgentArgs,
    environment::Environment,
    events::EventSink,
    failure::Failure,
    fence::{self, prove_loopback},
    job::fence_in,
};
use dns::Kind;
use hydra_core::probe::{FILE, NAME, ORDER, Probe, ProbeOrder, Seen, Tried};
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

/// How long each probe waits for an answer or a refusal.
const PATIENCE: Duration = Duration::from_secs(2);
/// The kernel tells a gate of packets in batches, each within a second.
const BATCH: Duration = Duration::from_millis(1_500);

/// Tries all of them.
pub(crate) fn run(env: &Environment, args: &AgentArgs, sink: &mut EventSink) -> Result<(), Failure> {
    let order = env.get(ORDER).ok_or_else(|| Failure::Contract(format!("{ORDER} is not set")))?;
    let order: ProbeOrder =
        serde_json::from_str(order).map_err(|error| Failure::Contract(format!("{ORDER} cannot be read: {error}")))?;
    fence_in(env, args, order.fence, [&[], &[]], sink)?;
    let mut all = Vec::new();
    for probe in Probe::ALL {
        let seen = attempt(*probe, &order);
        sink.step("probe", format!("{}: {seen}", probe.words()))?;
        all.push(Tried { probe: *probe, seen });
    }
    let failed = |error: String| Failure::Outputs(format!("{FILE}: {error}"));
    let text = serde_json::to_vec(&all).map_err(|error| failed(error.to_string()))?;
    std::fs::write(args.out.join(FILE), text).map_err(|error| failed(error.to_string()))?;
    std::thread::sleep(BATCH);
    Ok(())
}

fn attempt(probe: Probe, order: &ProbeOrder) -> Seen {
    let no_name = || Seen::Untried("the policy has no exact name".to_owned());
    let at = probe.place();
    match (probe, at) {
        (Probe::Loopback, _) => match prove_loopback() {
            Ok(()) => Seen::Worked,
            Err(why) => Seen::Open(why),
        },
        (Probe::Interfaces, _) => match fence::other_interface() {
            Ok(None) => Seen::Nothing,
            Ok(Some(name)) => Seen::Open(name),
            Err(why) => Seen::Untried(why),
        },
        (Probe::AllowedName, Some(at)) => {
            order.allowed.as_ref().map_or_else(no_name, |name| dns::ask(at, name.as_str(), Kind::Address))
        }
        (Probe::OtherRecord, Some(at)) => {
            order.allowed.as_ref().map_or_else(no_name, |name| dns::ask(at, name.as_str(), Kind::Text))
        }
        (Probe::OtherName, Some(at)) => dns::ask(at, NAME, Kind::Address),
        (Probe::NoName | Probe::NoNameV6, Some(at)) => dial::shake(at, &hello::client(None)),
        (Probe::OtherSni, Some(at)) => dial::shake(at, &hello::client(Some(NAME))),
        (Probe::Tunnel, Some(at)) => {
            dial::request(at, &format!("CONNECT {NAME}:443 HTTP/1.1\r\nHost: {NAME}:443\r\n\r\n"))
        }
        (Probe::PlainHttp | Probe::OtherPort | Probe::OtherPortV6 | Probe::Metadata | Probe::Host, Some(at)) => {
            dial::connect(at)
        }
        (Probe::Udp, Some(at)) => dial::datagram(at),
        (Probe::Icmp, Some(at)) => dial::ping(at),
        (Probe::ModelPort, _) => match order.model_port {
            Some(port) => {
                let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                dial::request(at, &format!("GET /{NAME} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n"))
            }
            None => Seen::Untried("the gate signs for no model API".to_owned()),
        },
        (Probe::Sockets, _) => match fence::other_family() {
            None => Seen::Nothing,
            Some(family) => Seen::Open(family.to_owned()),
        },
        (Probe::Capabilities, _) => match fence::unprivileged() {
            Ok(()) => Seen::Nothing,
            Err(why) => Seen::Open(why),
        },
        (Probe::Rules, _) => netlink::change_rules(),
        (Probe::Links, _) => netlink::change_links(),
        // A probe that is dialled has a place.
        (_, None) => Seen::Untried("it has no place".to_owned()),
    }
}
