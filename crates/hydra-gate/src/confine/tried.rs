//! What comes of what a gate may not do, tried by one that is confined as the real one is: for the tests, since a gate that serves does not
//! try it.

use super::{Needs, confine};
use hydra_core::egress::gate::GateConfig;
use rustix::{
    net::{AddressFamily, SocketType, ipproto, netlink, socket},
    process::{getpid, getppid, test_kill_process},
};
use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::{net::UnixDatagram, process::CommandExt as _},
    path::Path,
    process::Command,
    thread,
};

/// Confines itself, then tries each in a thread that began later. What came of it is a line of its own.
pub(crate) fn all(config: &GateConfig, kept: &Path, say: impl Fn(&str)) -> Result<(), String> {
    // The first of a container has no parent; it may not ask for a signal to itself in this way either.
    let parent = getppid().unwrap_or_else(getpid);
    fs::create_dir_all(kept).map_err(|error| error.to_string())?;
    let confined = confine(&Needs::of(config, Some(kept)))?;
    say(&serde_json::to_string(&confined).map_err(|error| error.to_string())?);
    let kept = kept.to_owned();
    let tried = thread::spawn(move || {
        let dial = |port: u16| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map(drop);
        let (fresh, old) = (kept.join("tried.new"), kept.join("tried.json"));
        [
            ("keep a file", fs::write(&fresh, "{}").and_then(|()| fs::rename(&fresh, old))),
            ("read a file", fs::read("/proc/self/status").map(drop)),
            ("write elsewhere", fs::write(kept.with_file_name("tried.json"), "{}")),
            ("dial a port of its own", dial(super::HTTPS)),
            ("dial another port", dial(80)),
            ("listen", TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map(drop)),
            ("Unix socket", UnixDatagram::unbound().map(drop)),
            ("netlink socket", made(AddressFamily::NETLINK, SocketType::RAW, Some(netlink::NETFILTER))),
            ("ping socket", made(AddressFamily::INET, SocketType::DGRAM, Some(ipproto::ICMP))),
            ("signal another", test_kill_process(parent).map_err(io::Error::from)),
            ("another process", Command::new("/bin/true").spawn().map(drop)),
        ]
    });
    for (what, came) in tried.join().map_err(|_| "a try panicked")? {
        say(&format!("{what}: {}", said(came)));
    }
    // The last: it does not come back.
    say(&format!("another program: {}", said(Err(Command::new("/bin/true").exec()))));
    Ok(())
}

fn made(family: AddressFamily, kind: SocketType, protocol: Option<rustix::net::Protocol>) -> io::Result<()> {
    Ok(socket(family, kind, protocol).map(drop)?)
}

fn said(came: io::Result<()>) -> String {
    match came.map_err(|error| error.raw_os_error()) {
        Ok(()) => "done".to_owned(),
        Err(Some(number)) => number.to_string(),
        Err(None) => "failed".to_owned(),
    }
}
