//! Connections, datagrams and pings, and how each ended.

use super::PATIENCE;
use hydra_core::probe::Seen;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};
use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
};

/// The kernel has no such family.
const EAFNOSUPPORT: i32 = 97;

/// Whether a place can be dialled at all.
pub(super) fn connect(at: SocketAddr) -> Seen {
    match TcpStream::connect_timeout(&at, PATIENCE) {
        Ok(_) => Seen::Open("connected".to_owned()),
        Err(error) => fate(&error),
    }
}

/// A ClientHello, and what came back.
pub(super) fn shake(at: SocketAddr, hello: &[u8]) -> Seen {
    match said(at, hello) {
        // A record of alerts: its head has five bytes, the alert two.
        Ok(bytes) => match bytes.as_slice() {
            [21, _, _, _, 2, _, description, ..] => Seen::Alert(*description),
            other => open(other),
        },
        Err(error) => fate(&error),
    }
}

/// A request, and the status that came back.
pub(super) fn request(at: SocketAddr, text: &str) -> Seen {
    match said(at, text.as_bytes()) {
        Ok(bytes) => match status(&bytes) {
            Some(status) => Seen::Status(status),
            None => open(&bytes),
        },
        Err(error) => fate(&error),
    }
}

/// One datagram of one byte.
pub(super) fn datagram(at: SocketAddr) -> Seen {
    let any: SocketAddr = match at {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    match UdpSocket::bind(any).and_then(|socket| socket.send_to(b"x", at)) {
        Ok(_) => Seen::Open("a datagram was let out".to_owned()),
        Err(error) => fate(&error),
    }
}

/// One echo request, by a socket that needs no capability.
pub(super) fn ping(at: SocketAddr) -> Seen {
    let made = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(ipproto::ICMP));
    let Ok(made) = made else { return Seen::Untried("there is no socket for it".to_owned()) };
    // Type 8, code 0, the checksum of it, number 0, sequence 1.
    let echo = [8, 0, 0xf7, 0xfe, 0, 0, 0, 1];
    match UdpSocket::from(made).send_to(&echo, at) {
        Ok(_) => Seen::Open("a ping was let out".to_owned()),
        Err(error) => fate(&error),
    }
}

/// Sends, and reads until the other side ends or says nothing more; at most 4 KiB.
fn said(at: SocketAddr, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&at, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(bytes)?;
    let mut room = [0; 4096];
    let read = stream.read(&mut room)?;
    Ok(room.get(..read).unwrap_or_default().to_vec())
}

fn open(bytes: &[u8]) -> Seen {
    Seen::Open(if bytes.is_empty() { "connected, and closed without a word" } else { "a server answered" }.to_owned())
}

/// `HTTP/1.1 403 …`
fn status(bytes: &[u8]) -> Option<u16> {
    let line = bytes.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

/// What an error of the kernel means.
pub(super) fn fate(error: &io::Error) -> Seen {
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::PermissionDenied => Seen::Refused,
        ErrorKind::NetworkUnreachable
        | ErrorKind::HostUnreachable
        | ErrorKind::AddrNotAvailable
        | ErrorKind::NetworkDown => Seen::NoWay,
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Seen::Silence,
        _ if error.raw_os_error() == Some(EAFNOSUPPORT) => Seen::NoWay,
        _ => Seen::Untried(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A server on loopback that says this once to whoever comes.
    fn server(says: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let at = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut room = [0; 1024];
            _ = stream.read(&mut room).unwrap();
            stream.write_all(says).unwrap();
        });
        at
    }

    #[test]
    fn answers_are_told_apart() {
        assert_eq!(shake(server(&[21, 3, 3, 0, 2, 2, 49]), b"hello"), Seen::Alert(49));
        assert_eq!(shake(server(&[22, 3, 3, 0, 2, 2, 49]), b"hello"), Seen::Open("a server answered".into()));
        assert_eq!(request(server(b"HTTP/1.1 403 Forbidden\r\n\r\n"), "GET"), Seen::Status(403));
        assert_eq!(request(server(b"SSH-2.0"), "GET"), Seen::Open("a server answered".into()));
        assert_eq!(request(server(b""), "GET"), Seen::Open("connected, and closed without a word".into()));
        let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        assert_eq!(connect(gone), Seen::Refused);
        assert_eq!(connect(server(b"")), Seen::Open("connected".into()));
    }

    #[test]
    fn the_echo_request_bears_its_own_checksum() {
        let words = [0x0800u32, 0xf7fe, 0, 1];
        assert_eq!(words.iter().sum::<u32>(), 0xffff);
    }
}
