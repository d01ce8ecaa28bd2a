//! Port 443: whatever an agent dialled ends here. The first bytes say what it is; the judgement is by name alone.

pub(crate) mod hello;

use crate::{
    connect,
    dial::NoWay,
    events::Refused,
    gate::Gate,
    inspect,
    relay::{End, relay},
};
use hello::{Hello, HelloReader};
use hydra_core::egress::{DenyReason, HostName};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout_at},
};

/// `access_denied`, which TLS libraries show in words; and what is said when the host itself cannot be reached.
const ACCESS_DENIED: u8 = 49;
const INTERNAL_ERROR: u8 = 80;

/// What a connection begins with.
enum First {
    Hello {
        name: Option<String>,
        encrypted: bool,
        bytes: Vec<u8>,
    },
    /// The head of a plain HTTP request, perhaps.
    Text(Vec<u8>),
    Other,
    Nothing,
}

/// One connection.
pub(crate) async fn serve(gate: &Arc<Gate>, mut stream: TcpStream) -> io::Result<()> {
    let dialled = stream.local_addr()?;
    stream.set_nodelay(true)?;
    let until = Instant::now() + Duration::from_millis(gate.limits.hello_millis.into());
    match first(gate, &mut stream, until).await? {
        First::Hello { name, encrypted, bytes } => {
            let asked = gate.named(dialled.ip());
            match judge(gate, name, encrypted, asked.as_ref(), dialled) {
                Ok(name) => carry(gate, stream, &name, &bytes, dialled).await,
                Err((reason, refused)) => deny(gate, stream, reason, refused).await,
            }
        }
        First::Text(head) => connect::serve(gate, stream, head, dialled, until).await,
        First::Other => deny(gate, stream, DenyReason::TlsNotTls, Refused::at(dialled)).await,
        First::Nothing => deny(gate, stream, DenyReason::TlsHelloTimeout, Refused::at(dialled)).await,
    }
}

/// Reads as much as shows what it is.
async fn first(gate: &Gate, stream: &mut TcpStream, until: Instant) -> io::Result<First> {
    let mut reader = HelloReader::default();
    let mut piece = [0; 4096];
    loop {
        let Ok(read) = timeout_at(until, stream.read(&mut piece)).await else { return Ok(First::Nothing) };
        let fresh = piece.get(..read?).unwrap_or_default();
        if fresh.is_empty() {
            return Ok(First::Nothing);
        }
        match reader.feed(fresh) {
            Hello::Client { name, encrypted } => {
                return Ok(First::Hello { name, encrypted, bytes: reader.bytes().to_vec() });
            }
            Hello::NotTls => {
                let bytes = reader.bytes();
                // A method is capital letters.
                let text = bytes.first().is_some_and(u8::is_ascii_uppercase) && !bytes.starts_with(b"SSH-");
                return Ok(if text { First::Text(bytes.to_vec()) } else { First::Other });
            }
            Hello::More if reader.bytes().len() >= gate.limits.hello_bytes as usize => return Ok(First::Other),
            Hello::More => {}
        }
    }
}

/// Reads the hello that follows a granted CONNECT.
pub(crate) async fn inner(
    gate: &Gate,
    stream: &mut TcpStream,
    until: Instant,
) -> io::Result<Result<(Option<String>, bool, Vec<u8>), DenyReason>> {
    Ok(match first(gate, stream, until).await? {
        First::Hello { name, encrypted, bytes } => Ok((name, encrypted, bytes)),
        First::Text(_) | First::Other => Err(DenyReason::TlsNotTls),
        First::Nothing => Err(DenyReason::TlsHelloTimeout),
    })
}

/// The name that may be reached, or why not. `asked` is the name that the dialled address stands for.
pub(crate) fn judge(
    gate: &Gate,
    name: Option<String>,
    encrypted: bool,
    asked: Option<&HostName>,
    dialled: SocketAddr,
) -> Result<HostName, (DenyReason, Refused)> {
    let mut refused = Refused::at(dialled);
    if let Some(asked) = asked {
        refused = refused.host(asked.as_str());
    }
    let Some(name) = name else { return Err((DenyReason::TlsNoSni, refused)) };
    let refused = refused.sni(&name);
    let Some(host) = name.parse::<HostName>().ok().filter(|host| gate.allows(host)) else {
        return Err((DenyReason::TlsSniNotAllowed, refused));
    };
    if encrypted {
        return Err((DenyReason::TlsEch, refused));
    }
    if asked.is_some_and(|asked| *asked != host) {
        return Err((DenyReason::TlsSniDnsMismatch, refused));
    }
    Ok(host)
}

/// Dials the name and carries everything, the hello unchanged.
pub(crate) async fn carry(
    gate: &Arc<Gate>,
    mut agent: TcpStream,
    name: &HostName,
    hello: &[u8],
    dialled: SocketAddr,
) -> io::Result<()> {
    let refused = || Refused::at(dialled).host(name.as_str()).sni(name.as_str());
    let usage = gate.events.usage(&gate.line(name));
    if usage.up.load(Ordering::Relaxed) >= gate.limits.bytes_up {
        return deny(gate, agent, DenyReason::LimitBytes, refused()).await;
    }
    if let Some((inspector, host)) = gate.inspects(name) {
        return inspect::serve(gate, inspector, host, agent, hello.to_vec(), dialled).await;
    }
    let mut host = match gate.dialer.dial(name).await {
        Ok(host) => host,
        Err(NoWay::Refused(reason)) => return deny(gate, agent, reason, refused()).await,
        Err(NoWay::Unreachable) => return alert(&mut agent, INTERNAL_ERROR).await,
    };
    usage.connections.fetch_add(1, Ordering::Relaxed);
    usage.up.fetch_add(hello.len() as u64, Ordering::Relaxed);
    host.write_all(hello).await?;
    if relay(agent, host, &usage, gate.limits.bytes_up, &gate.buffers).await == End::Limit {
        gate.events.denied(DenyReason::LimitBytes, refused());
    }
    Ok(())
}

/// Tells both sides of the fence, and closes.
pub(crate) async fn deny(gate: &Gate, mut stream: TcpStream, reason: DenyReason, refused: Refused) -> io::Result<()> {
    gate.events.denied(reason, refused);
    alert(&mut stream, ACCESS_DENIED).await
}

async fn alert(stream: &mut TcpStream, description: u8) -> io::Result<()> {
    // A fatal alert in a record of TLS 1.2, which every version reads.
    stream.write_all(&[21, 3, 3, 0, 2, 2, description]).await?;
    finish(stream).await
}

/// Closes so that what was written arrives: what the other side still sends is read away for a moment.
pub(crate) async fn finish(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let until = Instant::now() + Duration::from_millis(500);
    let mut away = [0; 4096];
    let mut left = 64;
    while left > 0 && matches!(timeout_at(until, stream.read(&mut away)).await, Ok(Ok(read)) if read > 0) {
        left -= 1;
    }
    Ok(())
}
