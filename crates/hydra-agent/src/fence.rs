//! Mode `in-container`: the wrapper fences itself before anything else runs, proves it, and gives up the means to undo it.
//!
//! The order is the whole point. Everything here happens in the first thread, before a second one starts: capabilities belong
//! to threads. A step that cannot be taken ends the job.

mod names;
mod privileges;
mod prove;
mod rules;
mod sockets;

pub(crate) use prove::loopback as prove_loopback;
pub(crate) use sockets::other_family;

use crate::{environment::Environment, events::WriteError};
use std::{collections::BTreeMap, net::SocketAddr, os::unix::process::CommandExt, process::Command};

/// Set for the second half: the wrapper after it gave up its capabilities and executed itself again. It opens nothing: the
/// second half proves everything that it needs.
const AGAIN: &str = "HYDRA_FENCED";
/// The resolved names, for the second half.
const NAMES: &str = "HYDRA_FENCE_NAMES";

/// A step of the fence that could not be taken.
#[derive(Debug, thiserror::Error)]
#[error("step {step}: {why}")]
pub struct FenceError {
    /// The step: `privileges`, `resolve`, `hosts`, `test`, `apply`, `read-back`, `prove`, `drop`, `execute`, `sockets`, `events`.
    pub step: &'static str,
    /// Why, and what to do about it.
    pub why: String,
}

impl FenceError {
    fn at(step: &'static str) -> impl Fn(String) -> Self {
        move |why| Self { step, why }
    }
}

impl From<WriteError> for FenceError {
    fn from(error: WriteError) -> Self {
        Self { step: "events", why: error.to_string() }
    }
}

/// Names that the agent cannot look up any more, with their addresses; the wrapper's relay stands in for the look-up.
pub(crate) type Relayed = BTreeMap<String, Vec<SocketAddr>>;

/// Makes the fence. In the first half it ends by executing the program again; in the second half it proves what is left and
/// returns the names for the relay.
pub(crate) fn enter(
    env: &Environment,
    hosts: &[String],
    endpoints: &[String],
    say: &mut dyn FnMut(String) -> Result<(), WriteError>,
) -> Result<Relayed, FenceError> {
    if env.get(AGAIN).is_some() {
        return second_half(env, say);
    }
    privileges::check_before().map_err(FenceError::at("privileges"))?;
    say("privileges: NET_ADMIN is there, and no-new-privileges is set".into())?;

    let found = names::resolve(hosts, endpoints).map_err(FenceError::at("resolve"))?;
    for note in &found.notes {
        say(format!("resolve: {note}"))?;
    }
    let listed = names::list_in_hosts_file(&found).map_err(FenceError::at("hosts"))?;
    let relayed = if listed { Relayed::new() } else { found.by_name.clone() };
    say(if listed {
        "hosts: every name is in /etc/hosts, no look-up is needed".into()
    } else {
        format!("hosts: /etc/hosts cannot be written, {} names go through the wrapper's relay", relayed.len())
    })?;

    let files = rules::files(found.allowed);
    files.test().map_err(FenceError::at("test"))?;
    say("test: both rule sets are accepted".into())?;
    files.apply().map_err(FenceError::at("apply"))?;
    say("apply: IPv6, then IPv4".into())?;
    files.read_back().map_err(FenceError::at("read-back"))?;
    say("read-back: the kernel holds the rules as they were rendered".into())?;
    let proof = prove::prove().map_err(FenceError::at("prove"))?;
    say(format!("prove: {proof}"))?;

    privileges::drop_all().map_err(FenceError::at("drop"))?;
    say("drop: no capability is left".into())?;
    let names = serde_json::to_string(&relayed).map_err(|error| FenceError::at("execute")(error.to_string()))?;
    let error =
        Command::new("/proc/self/exe").args(std::env::args_os().skip(1)).env(AGAIN, "1").env(NAMES, names).exec();
    Err(FenceError { step: "execute", why: format!("the wrapper cannot execute itself again: {error}") })
}

/// Proves a fence that was made from outside: there is no interface but loopback, and what must be refused is.
pub(crate) fn stands(say: &mut dyn FnMut(String) -> Result<(), WriteError>) -> Result<(), FenceError> {
    let proof = prove::alone().map_err(FenceError::at("prove"))?;
    Ok(say(format!("made from outside: {proof}"))?)
}

/// Takes from the container what no network namespace bounds.
pub(crate) fn confine(say: &mut dyn FnMut(String) -> Result<(), WriteError>) -> Result<(), FenceError> {
    sockets::confine().map_err(FenceError::at("sockets"))?;
    Ok(say("sockets: of Unix, IPv4, IPv6 and netlink alone".into())?)
}

/// An interface besides loopback that is up.
pub(crate) fn other_interface() -> Result<Option<String>, String> {
    prove::other_interface()
}

/// Ok when no capability is left and none can be had.
pub(crate) fn unprivileged() -> Result<(), String> {
    privileges::check_after()
}

fn second_half(
    env: &Environment,
    say: &mut dyn FnMut(String) -> Result<(), WriteError>,
) -> Result<Relayed, FenceError> {
    privileges::check_after().map_err(FenceError::at("drop"))?;
    let proof = prove::prove().map_err(FenceError::at("prove"))?;
    say(format!("proved again without any capability: {proof}"))?;
    match env.get(NAMES) {
        None => Ok(Relayed::new()),
        Some(text) => serde_json::from_str(text)
            .map_err(|error| FenceError { step: "execute", why: format!("{NAMES} cannot be read: {error}") }),
    }
}
