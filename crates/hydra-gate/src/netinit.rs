//! Fences the agent's namespace: the one process that may (`NET_ADMIN`), and it ends before the agent begins.
//!
//! Each step is taken or the job does not start; nothing is warned about and gone past.

use crate::{
    descriptors::Sockets,
    holder, packets,
    proof::{self, Proof},
};
use clap::ValueEnum;
use hydra_core::egress::HostName;
use hydra_egress::nft;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, listen, socket_with, sockopt};
use std::{
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    process::{Command, Stdio},
};

/// The steps, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// `lo` is brought up; there is no other interface.
    Link,
    /// Every address of both families is this namespace's own.
    Routes,
    /// The table is loaded, as one transaction.
    Table,
    /// The sockets are made.
    Sockets,
    /// They are handed over.
    Keep,
    /// What must be refused is, and what must be answered is.
    Prove,
}

/// A step that could not be taken.
#[derive(Debug, thiserror::Error)]
#[error("{step:?}: {why}")]
pub(crate) struct Failed {
    step: Step,
    why: String,
}

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// Takes every step. `fail_at` is a fault that a test puts in.
pub(crate) fn run(
    folder: &Path,
    allowed: Option<&HostName>,
    model: Option<u16>,
    fail_at: Option<Step>,
) -> Result<Proof, Failed> {
    let step = |step: Step| move |why: String| Failed { step, why };
    let fault = |step: Step| match fail_at {
        Some(at) if at == step => Err(Failed { step, why: "a fault was put in".to_owned() }),
        Some(_) | None => Ok(()),
    };
    fault(Step::Link)?;
    only_loopback().map_err(step(Step::Link))?;
    command("ip", &["link", "set", "lo", "up"], "").map_err(step(Step::Link))?;
    fault(Step::Routes)?;
    let v6 = Path::new("/proc/sys/net/ipv6").exists();
    command("ip", &["route", "replace", "local", "0.0.0.0/0", "dev", "lo"], "").map_err(step(Step::Routes))?;
    if v6 {
        command("ip", &["-6", "route", "replace", "local", "::/0", "dev", "lo"], "").map_err(step(Step::Routes))?;
    }
    fault(Step::Table)?;
    command("nft", &["-f", "-"], &nft::agent(&model.into_iter().collect())).map_err(step(Step::Table))?;
    fault(Step::Sockets)?;
    let sockets = sockets(v6, model).map_err(|error| Failed { step: Step::Sockets, why: error.to_string() })?;
    fault(Step::Keep)?;
    holder::keep(folder, &sockets).map_err(|error| Failed { step: Step::Keep, why: error.to_string() })?;
    fault(Step::Prove)?;
    proof::prove(allowed, v6).map_err(step(Step::Prove))
}

/// A namespace that has another interface is none that can be fenced like this. Tunnel devices that the kernel makes in every namespace are
/// down, and lead nowhere without NET_ADMIN.
fn only_loopback() -> Result<(), String> {
    let up = command("ip", &["-oneline", "link", "show", "up"], "")?;
    match up.lines().find(|line| line.split(':').nth(1).map(str::trim) != Some("lo")) {
        Some(line) => Err(format!("the namespace has an interface that is up: {line}")),
        None => Ok(()),
    }
}

/// Runs a program of the image; what it says is the reason when it fails.
pub(crate) fn command(program: &str, args: &[&str], input: &str) -> Result<String, String> {
    let what = || format!("{program} {}", args.join(" "));
    let failed = |error: io::Error| format!("{}: {error}", what());
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{}: {}: {}", what(), output.status, String::from_utf8_lossy(&output.stderr).trim()))
}

/// Sockets on every address of the namespace, which are all addresses that there are.
fn sockets(v6: bool, model: Option<u16>) -> io::Result<Sockets> {
    let mut sockets = Sockets::default();
    let any: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    for address in any.into_iter().take(if v6 { 2 } else { 1 }) {
        let made = |kind: SocketType, port: u16| -> io::Result<rustix::fd::OwnedFd> {
            let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let protocol = if kind == SocketType::STREAM { ipproto::TCP } else { ipproto::UDP };
            let socket = socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol))?;
            if address.is_ipv6() {
                sockopt::set_ipv6_v6only(&socket, true)?;
            }
            bind(&socket, &SocketAddr::new(address, port))?;
            if kind == SocketType::STREAM {
                listen(&socket, BACKLOG)?;
            }
            Ok(socket)
        };
        sockets.tls.push(made(SocketType::STREAM, 443)?.into());
        sockets.dns_tcp.push(made(SocketType::STREAM, 53)?.into());
        if let Some(port) = model {
            sockets.model.push(made(SocketType::STREAM, port)?.into());
        }
        sockets.dns_udp.push(made(SocketType::DGRAM, 53)?.into());
    }
    sockets.packets.push(packets::listen(nft::LOG_GROUP)?);
    Ok(sockets)
}
