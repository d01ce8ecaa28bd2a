//! Tools that insist on a proxy: CONNECT to a name that may be reached, with the same judgement as without it, and nothing else.

use crate::{
    events::Refused,
    gate::Gate,
    refusal,
    tls::{carry, finish, inner, judge},
};
use hydra_core::egress::{DenyReason, HostName};
use std::{io, net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout_at},
};

/// Header lines of a request, at most.
const HEADERS: usize = 64;

/// What a request's head asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// It is not whole yet.
    More,
    /// A tunnel to this name.
    Tunnel(HostName),
    /// Something that is not given, and the host that it was about.
    Refused(DenyReason, String),
    /// No request at all.
    None,
}

/// Reads a head. What follows it before it was answered was sent to nobody: it is refused.
pub(crate) fn head(bytes: &[u8]) -> Head {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Head::More,
        Err(_) => return Head::None,
    };
    let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
    if method != "CONNECT" {
        let named = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("host"));
        let named = named.map(|header| String::from_utf8_lossy(header.value).into_owned());
        return Head::Refused(DenyReason::ConnectMethod, named.unwrap_or_else(|| target.to_owned()));
    }
    let (host, port) = target.rsplit_once(':').unwrap_or((target, ""));
    let body =
        |name: &str| name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding");
    if length != bytes.len() || request.headers.iter().any(|header| body(header.name)) {
        return Head::Refused(DenyReason::ConnectMethod, host.to_owned());
    }
    if port != "443" {
        return Head::Refused(DenyReason::ConnectPort, target.to_owned());
    }
    match host.parse() {
        Ok(name) => Head::Tunnel(name),
        Err(_) => Head::Refused(DenyReason::DnsNotAllowed, host.to_owned()),
    }
}

/// One connection that began with text.
pub(crate) async fn serve(
    gate: &Arc<Gate>,
    mut stream: TcpStream,
    mut bytes: Vec<u8>,
    dialled: SocketAddr,
    until: Instant,
) -> io::Result<()> {
    let mut piece = [0; 4096];
    let name = loop {
        match head(&bytes) {
            Head::More if bytes.len() < gate.limits.hello_bytes as usize => {
                let Ok(read) = timeout_at(until, stream.read(&mut piece)).await else {
                    return refuse(gate, stream, DenyReason::TlsHelloTimeout, Refused::at(dialled)).await;
                };
                let fresh = piece.get(..read?).unwrap_or_default();
                if fresh.is_empty() {
                    return refuse(gate, stream, DenyReason::TlsNotTls, Refused::at(dialled)).await;
                }
                bytes.extend_from_slice(fresh);
            }
            Head::More | Head::None => return refuse(gate, stream, DenyReason::TlsNotTls, Refused::at(dialled)).await,
            Head::Refused(reason, host) => {
                return refuse(gate, stream, reason, Refused::at(dialled).host(&host)).await;
            }
            Head::Tunnel(name) => break name,
        }
    };
    if !gate.allows(&name) {
        let refused = Refused::at(dialled).host(name.as_str());
        return refuse(gate, stream, DenyReason::DnsNotAllowed, refused).await;
    }
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    let (sni, encrypted, hello) = match inner(gate, &mut stream, until).await? {
        Ok(found) => found,
        Err(reason) => {
            return crate::tls::deny(gate, stream, reason, Refused::at(dialled).host(name.as_str())).await;
        }
    };
    match judge(gate, sni, encrypted, None, dialled) {
        Ok(inside) if inside == name => carry(gate, stream, &name, &hello, dialled).await,
        Ok(inside) => {
            let refused = Refused::at(dialled).host(name.as_str()).sni(inside.as_str());
            crate::tls::deny(gate, stream, DenyReason::ConnectSniMismatch, refused).await
        }
        Err((DenyReason::TlsSniNotAllowed, refused)) => {
            crate::tls::deny(gate, stream, DenyReason::ConnectSniMismatch, refused.host(name.as_str())).await
        }
        Err((reason, refused)) => crate::tls::deny(gate, stream, reason, refused.host(name.as_str())).await,
    }
}

/// 403 with the reason, for programs and for people.
async fn refuse(gate: &Gate, mut stream: TcpStream, reason: DenyReason, refused: Refused) -> io::Result<()> {
    let host = refused.host.clone().unwrap_or_default();
    gate.events.denied(reason, refused);
    let body = refusal::document(reason, &host).to_string();
    let head = format!(
        "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    finish(&mut stream).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tunnel_to_port_443_is_one() {
        let tunnel = |text: &str| head(text.as_bytes());
        assert_eq!(
            tunnel("CONNECT API.example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n"),
            Head::Tunnel("api.example.org".parse().unwrap())
        );
        assert_eq!(tunnel("CONNECT api.example.org:443 HTTP/1.1\r\nHost"), Head::More);
        let refused = [
            ("CONNECT api.example.org:80 HTTP/1.1\r\n\r\n", DenyReason::ConnectPort, "api.example.org:80"),
            ("CONNECT api.example.org HTTP/1.1\r\n\r\n", DenyReason::ConnectPort, "api.example.org"),
            ("CONNECT 1.2.3.4:443 HTTP/1.1\r\n\r\n", DenyReason::DnsNotAllowed, "1.2.3.4"),
            (
                "GET http://a.example.org/ HTTP/1.1\r\nHost: a.example.org\r\n\r\n",
                DenyReason::ConnectMethod,
                "a.example.org",
            ),
            ("POST / HTTP/1.0\r\n\r\n", DenyReason::ConnectMethod, "/"),
            ("CONNECT a.example.org:443 HTTP/1.1\r\n\r\nGET", DenyReason::ConnectMethod, "a.example.org"),
            (
                "CONNECT a.example.org:443 HTTP/1.1\r\nContent-Length: 3\r\n\r\n",
                DenyReason::ConnectMethod,
                "a.example.org",
            ),
            (
                "CONNECT a.example.org:443 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                DenyReason::ConnectMethod,
                "a.example.org",
            ),
        ];
        for (text, reason, host) in refused {
            assert_eq!(tunnel(text), Head::Refused(reason, host.to_owned()), "{text}");
        }
        assert_eq!(tunnel("HELO there\r\n\r\n"), Head::None);
    }
}
